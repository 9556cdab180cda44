from collections.abc import Container, Iterable, Sequence
from socket import socket
from ssl import SSLContext
from typing import Any

from tradsys.engine.sequencer import Sequencer
from tradsys.gateways.fix_desk import FixDesk
from tradsys.gateways.fix_limits import FixLimits
from tradsys.gateways.fix_peer import FixPeer
from tradsys.gateways.fix_sessions import FixSessionConfig

class FixGateway:
    limits: FixLimits
    egress_seq: int
    connection_count: int
    desk: FixDesk
    def __init__(
        self,
        sequencer: Sequencer,
        listener: socket | None,
        configs: Iterable[FixSessionConfig],
        limits: FixLimits | None = None,
        tls_listener: socket | None = None,
        tls_context: SSLContext | None = None,
    ) -> None: ...
    def fileno(self) -> int: ...
    def poll(self, now_ns: int) -> int: ...
    def egress(self) -> int: ...
    def news(
        self,
        headline: str,
        lines: Sequence[str] = (),
        urgency: str = "0",
        session_ids: Container[int] | None = None,
    ) -> int: ...
    def name_of(self, session_id: int, client_ref: int) -> bytes: ...
    def peer_at(self, session_id: int) -> FixPeer | None: ...
    def comp_id_of(self, session_id: int) -> bytes: ...
    def close_all(self, text: str = "the venue is closing") -> None: ...
    def close(self) -> None: ...
    @property
    def open_sessions(self) -> int: ...
    def stats(self) -> dict[str, Any]: ...
