from collections.abc import Sequence

import zmq

from tradsys.clock import Clock
from tradsys.engine.sequencer import Sequencer
from tradsys.gateways.limits import DoorLimits
from tradsys.gateways.logon import LogonCheck
from tradsys.gateways.outbox import Outbox

class OrderGateway:
    logon_check: LogonCheck
    outbox: Outbox
    def __init__(
        self,
        sequencer: Sequencer,
        socket: zmq.Socket[bytes],
        logon_check: LogonCheck,
        limits: DoorLimits | None = None,
        clock: Clock | None = None,
    ) -> None: ...
    def poll(self, frames: int = 256, monotonic_ns: int = 0) -> int: ...
    def egress(self) -> int: ...
    def wait(self, timeout_ms: int, handles: Sequence[int] = (), fds: Sequence[int] = ()) -> bool: ...
    def close_all(self, close_reason: int = 7) -> None: ...
    @property
    def open_sessions(self) -> int: ...
    @property
    def is_full(self) -> bool: ...
    @property
    def told_event_seq(self) -> int: ...
    def stats(self) -> dict[str, int]: ...
