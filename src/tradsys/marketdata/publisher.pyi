"""Turn events into L3, L2, L1, trades and status packets."""

from typing import Any

import numpy as np

from tradsys.core import Engine
from tradsys.core.book_view import BookSet
from tradsys.engine.sequencer import Sequencer
from tradsys.marketdata.channel import Channel, Lines

class Publisher:
    books: BookSet
    l3: Channel
    l2: Channel
    l1: Channel
    trades: Channel
    status: Channel
    snapshots: Channel
    lines: Lines
    stream_id: int
    event_seq: int
    event_ts_ns: int
    turn_events_max: int
    heartbeat_ns: int
    events: int
    turns: int
    def __init__(
        self,
        stream_id: int,
        lines: Lines | None = None,
        *,
        orders_max: int = ...,
        instruments_max: int = 4096,
        packet_bytes_max: int = ...,
        retention_bytes: int = ...,
        turn_events_max: int = ...,
        heartbeat_ms: int = 250,
    ) -> None: ...
    def publish(self, sequencer: Sequencer, now_ns: int) -> int: ...
    def publish_events(self, events: np.ndarray, now_ns: int = 0) -> int: ...
    def restore(self, engine: Engine) -> None: ...
    def channel(self, number: int) -> Channel: ...
    def figures(self) -> dict[str, Any]: ...
