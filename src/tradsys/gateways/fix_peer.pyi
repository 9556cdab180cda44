from typing import Any

from tradsys.gateways.fix_entry import FixEntry

class FixPeer(FixEntry):
    session: Any
    engine_open: bool
    opens_pending: int
    end_at_ns: int
    live: bool
    behind: bool
    told_report_seq: int
    def __init__(self, config: Any, symbols: Any, door: Any, sequencer: Any) -> None: ...
    def drain(self) -> None: ...
    def figures(self) -> dict[str, Any]: ...
