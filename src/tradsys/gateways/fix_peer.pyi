from typing import Any

class FixPeer:
    config: Any
    session_id: int
    numbers: Any
    session: Any
    store: Any
    orders: Any
    connection: Any
    engine_open: bool
    opens_pending: int
    end_at_ns: int
    live: bool
    behind: bool
    told_report_seq: int
    def __init__(self, door: Any, config: Any, sequencer: Any, symbols: Any) -> None: ...
    def drain(self) -> None: ...
    def figures(self) -> dict[str, Any]: ...
