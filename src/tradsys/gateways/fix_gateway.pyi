from collections.abc import Iterable
from socket import socket
from ssl import SSLContext
from typing import Any

from tradsys.engine.sequencer import Sequencer
from tradsys.gateways.fix_limits import FixLimits
from tradsys.gateways.fix_sessions import FixSessionConfig

class FixGateway:
    limits: FixLimits
    egress_seq: int
    connection_count: int
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
    def close_all(self, text: str = "the venue is closing") -> None: ...
    def close(self) -> None: ...
    @property
    def open_sessions(self) -> int: ...
    def stats(self) -> dict[str, Any]: ...
