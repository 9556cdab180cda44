"""What the feed's benchmarks share: events of a workload, and a publisher that has seen its prefill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tradsys.config import Feed
from tradsys.core import Engine
from tradsys.marketdata.channel import Lines
from tradsys.marketdata.publisher import Publisher
from tradsys.sim import workload

TURN_EVENTS = Feed().turn_events_max
BATCH = 4096


@dataclass
class FeedFlow:
    """Events of a workload: those that fill the books, and those to be measured; the engine is where they end."""

    name: str
    prefill: np.ndarray  # 128-byte events as uint8 rows; the last part warms caches and memory
    events: np.ndarray
    engine: Engine
    capacities: dict[str, int]

    def publisher(self, lines: Lines | None = None, retention_bytes: int = 4 << 20) -> Publisher:
        """A publisher that has published the prefill."""
        publisher = Publisher(
            1,
            lines,
            orders_max=self.capacities["orders_max"],
            instruments_max=self.capacities["instruments_max"],
            turn_events_max=TURN_EVENTS,
            retention_bytes=retention_bytes,
        )
        publisher.publish_events(self.prefill, now_ns=1)
        return publisher


def make(name: str, count: int) -> FeedFlow:
    """Run a profile through the engine and keep the events: prefill and a warm-up, then those of `count` commands."""
    load = workload.make(name, count + count // 2)
    engine = Engine(**load.capacities)

    def run(commands: np.ndarray) -> list[np.ndarray]:
        parts = [commands[i : i + BATCH] for i in range(0, len(commands), BATCH)]
        return [engine.submit(part).view(np.uint8).reshape(-1, 128).copy() for part in parts]

    prefill = [engine.submit(load.setup).view(np.uint8).reshape(-1, 128).copy(), *run(load.prefill)]
    prefill += run(load.commands[: count // 2])
    events = run(load.commands[count // 2 :])
    return FeedFlow(name, np.concatenate(prefill), np.concatenate(events), engine, load.capacities)
