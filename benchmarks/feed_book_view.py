"""Books from the feed: L3 updates a second into a BookSet, and through the whole reader with both lines.

The frames are those a publisher makes of a workload's events, 64 KiB at most. `BookSet.apply` takes their messages;
`FeedCore` takes the frames, line A and line B (each frame twice): checks, arbitrates, applies. `check only` walks the
frames and does nothing: the floor. The books at the end are compared with the engine's, order by order, before any time
is printed. Time is the thread's processor time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import feed_flow
import numpy as np
from measure import arguments, median, show, spread

from tradsys.client.feed_core import FeedCore
from tradsys.client.packets import FRAME_HEAD_BYTES, FeedPacket
from tradsys.core.book_view import BookSet
from tradsys.wire.enums import Channel
from tradsys.wire.packet import frame_fault, make_frame

FLOWS: dict[str, int] = {"single": 1_000_000, "multi100": 1_000_000, "deep": 1_000_000}


class Measured:
    """One flow as frames; the books of its end."""

    def __init__(self, name: str, count: int) -> None:
        self.flow = feed_flow.make(name, count)
        publisher = self.flow.publisher(
            retention_bytes=4 * 48 * (len(self.flow.events) + len(self.flow.prefill)) + (64 << 20)
        )
        self.first_seq = publisher.l3.next_seq
        publisher.publish_events(self.flow.events, now_ns=2)
        frames = publisher.l3.retained_frames()
        heads = [FeedPacket(frame).first_seq for frame in frames]
        if heads[0] != 1:
            raise SystemExit("the retention was too small for the flow")
        self.before = [frame for frame, seq in zip(frames, heads, strict=True) if seq < self.first_seq]
        self.frames = [frame for frame, seq in zip(frames, heads, strict=True) if seq >= self.first_seq]
        self.messages = [np.frombuffer(frame, np.uint8, offset=FRAME_HEAD_BYTES) for frame in self.frames]
        self.seqs = [seq for seq in heads if seq >= self.first_seq]
        self.updates = publisher.l3.next_seq - self.first_seq

    def books(self) -> BookSet:
        """Empty live books."""
        capacities = self.flow.capacities
        books = BookSet(capacities["orders_max"], capacities["instruments_max"])
        for instrument_id in range(capacities["instruments_max"]):
            books.mark_live(instrument_id)
        return books

    def reader(self, books: BookSet) -> FeedCore:
        """A reader that has the books before the measured part."""
        core = FeedCore([Channel.L3], books=books, recovery=False, wanted=[])
        core.on_frame(make_frame(Channel.L3, 1, 1, 0, b""), 0, 1)  # a heartbeat begins the stream
        for instrument_id in range(self.flow.capacities["instruments_max"]):
            books.mark_live(instrument_id)
        for frame in self.before:
            core.on_frame(frame, 0, 1)
        return core

    def compare(self, books: BookSet) -> None:
        """Stop unless every book equals the engine's."""
        for instrument_id in range(1, self.flow.capacities["instruments_max"]):
            for side in (1, 2):
                mine = books.view(instrument_id).orders(side)
                truth = self.flow.engine.resting_orders(instrument_id, side)
                same = len(mine) == len(truth) and (mine["order_id"] == truth["order_id"]).all()
                if not (same and (mine["leaves_lots"] == truth["leaves_lots"]).all()):
                    raise SystemExit(
                        f"{self.flow.name}: book of instrument {instrument_id} differs from the engine's"
                    )

    def run_apply(self) -> float:
        """M updates/s into the books alone."""
        books = self.books()
        for frame in self.before:
            books.apply(np.frombuffer(frame, np.uint8, offset=FRAME_HEAD_BYTES), FeedPacket(frame).first_seq)
        start = time.thread_time()
        for seq, messages in zip(self.seqs, self.messages, strict=True):
            books.apply(messages, seq)
        seconds = time.thread_time() - start
        self.compare(books)
        return self.updates / seconds / 1e6

    def run_reader(self) -> float:
        """M updates/s through the whole reader."""
        books = self.books()
        core = self.reader(books)
        start = time.thread_time()
        for frame in self.frames:
            core.on_frame(frame, 0, 1)
            core.on_frame(frame, 1, 1)
        seconds = time.thread_time() - start
        self.compare(books)
        figures = core.statistics()[Channel.L3]
        if figures["lost"] or figures["gaps"] or figures["duplicates"] != len(self.frames):
            raise SystemExit(f"{self.flow.name}: the reader lost something: {figures}")
        return self.updates / seconds / 1e6

    def run_check(self) -> float:
        """M updates/s of walking the frames."""
        start = time.thread_time()
        faults = sum(frame_fault(frame) is not None for frame in self.frames)
        seconds = time.thread_time() - start
        if faults:
            raise SystemExit(f"{faults} frames are not good")
        return self.updates / seconds / 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, argv, rounds=5, flow=sorted(FLOWS))
    rows, data = [], []
    for name, count in FLOWS.items():
        if options.flow and name not in options.flow:
            continue
        measured = Measured(name, count // 10 if options.quick else count)
        rates: dict[str, list[float]] = {"BookSet.apply": [], "FeedCore, lines A and B": [], "check only": []}
        for _ in range(options.rounds):
            rates["BookSet.apply"].append(measured.run_apply())
            rates["FeedCore, lines A and B"].append(measured.run_reader())
            rates["check only"].append(measured.run_check())
        data.append({"flow": name, "updates": measured.updates, "rates": rates})
        rows += [
            (f"{name}: {key}", spread(values), f"{1e3 / median(values):.1f}") for key, values in rates.items()
        ]
    notes = f"M L3 updates/s, median (range) of {options.rounds} rounds; ns an update"
    show("books from the feed", ("flow", "M/s", "ns"), rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
