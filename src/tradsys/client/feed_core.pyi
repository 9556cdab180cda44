"""A reader of the feed as a state machine: frames and times in; books, packets and requests out."""

from collections.abc import Buffer, Iterable
from typing import Any

import numpy as np
import zmq

from tradsys.client.arbiter import Arbiter
from tradsys.client.level_books import LevelBooks
from tradsys.client.packets import FeedPacket
from tradsys.core.book_view import BookSet

class Assembly:
    open: bool
    request_id: int
    l3_seq: int
    l2_seq: int
    l1_seq: int
    status_seq: int
    event_seq: int
    instrument_id: int
    received: int

class FeedCore(Arbiter):
    books: BookSet | None
    levels: LevelBooks | None
    wanted: frozenset[int] | None
    definitions: dict[int, np.void]
    auctions: dict[int, np.void]
    breakers: dict[int, np.void]
    unsynced: set[int]
    silence_ns: int
    silent: bool
    snapshots: int
    snapshots_refused: int
    packets: list[FeedPacket]
    events: list[tuple[str, Any]]
    def __init__(
        self,
        channels: Iterable[int] = ...,
        *,
        books: BookSet | None = None,
        levels: LevelBooks | None = None,
        wanted: Iterable[int] | None = None,
        deliver: Iterable[int] = (),
        recovery: bool = True,
        silence_ns: int = 1_500_000_000,
        **arbitration: Any,
    ) -> None: ...
    def receive(self, socket: zmq.Socket, line: int, budget: int, now_ns: int) -> int: ...
    def on_answer(self, answer: Buffer, now_ns: int) -> None: ...
    @property
    def synced(self) -> bool: ...
