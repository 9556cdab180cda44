from typing import Any

class FixOutgoing:
    config: Any
    session_id: int
    numbers: Any
    store: Any
    connection: Any
    messages_resent: int
    digits: int
    def __init__(self, config: Any, *_others: Any) -> None: ...
    def send_fields(self, msg_type: str, fields: Any, routing: Any = ...) -> None: ...
    def resend(self) -> None: ...
