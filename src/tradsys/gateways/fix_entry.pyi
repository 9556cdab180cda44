from typing import Any

from tradsys.gateways.fix_outgoing import FixOutgoing

class FixEntry(FixOutgoing):
    orders: Any
    refused: int
    def __init__(self, config: Any, symbols: Any, *_others: Any) -> None: ...
