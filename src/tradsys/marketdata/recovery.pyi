"""Serve those who missed something, without keeping the others waiting."""

import zmq

from tradsys.marketdata.publisher import Publisher

WALK_TIMEOUT_NS: int

class RecoveryDoor:
    publisher: Publisher
    requests_max: int
    requests_per_peer_max: int
    requests_per_turn: int
    messages_per_turn: int
    gap_fill_messages_max: int
    peer_timeout_ns: int
    cycle_ns: int
    answered: int
    refused: int
    dropped: int
    messages: int
    cycles: int
    def __init__(
        self,
        publisher: Publisher,
        router: zmq.Socket | None = None,
        *,
        requests_max: int = 1024,
        requests_per_peer_max: int = 16,
        requests_per_turn: int = 64,
        messages_per_turn: int = 2048,
        gap_fill_messages_max: int = 1_000_000,
        peer_timeout_ms: int = 2_000,
        snapshot_cycle_ms: int = 5_000,
    ) -> None: ...
    def service(self, now_ns: int) -> int: ...
    def figures(self) -> dict[str, int]: ...
