"""Goal: a recording made behind lines that lose, repeat and reorder packets is the venue's, row by row and book by book.
Method: a workload through engine and publisher; each line and the gap fills go over a `FaultyWire` of their own."""

import os
import secrets

import numpy as np
import pytest

from tradsys.config import Recorder as RecorderSettings
from tradsys.core import Engine
from tradsys.marketdata.publisher import Publisher
from tradsys.recorder import Recorder, read, rebuild_book
from tradsys.sim import workload
from tradsys.sim.draw import Draw
from tradsys.sim.faults import PERFECT, FaultyWire, WireFaults
from tradsys.wire.enums import Side, Template
from tradsys.wire.records import GAP_FILL_REQUEST, empty

CHANNELS = ("status", "l3", "trades", "l2", "l1")
AWFUL = WireFaults(drop_one_in=4, duplicate_one_in=8, delay_one_in=4, burst_packets_max=3)
TURN_NS = 300_000  # a delay is up to three turns: packets of later turns overtake
SETTINGS = RecorderSettings(
    batch_rows=1024, segment_rows=5_000, gap_wait_ms=1, request_timeout_ms=2, fill_tries_max=1000
)
COLUMNS = ("order_id", "template_id", "price_ticks", "qty_lots")


class Clock:
    """Time that moves when told."""

    ns = 1_795_400_000_000_000_000

    def __call__(self):
        return self.ns


class Feed:
    """An engine's feed on two faulty lines, and a door for gap fills behind a third wire."""

    def __init__(self, folder, draw, load):
        self.clock = Clock()
        self.engine = Engine(**load.capacities)
        sizes = {name: load.capacities[name] for name in ("orders_max", "instruments_max")}
        self.publisher = Publisher(7, **sizes)
        self.recorder = Recorder(folder, SETTINGS, clock=self.clock, monotonic=self.clock)
        self.lines = [FaultyWire(draw) for _ in range(3)]
        self.sent = dict.fromkeys(CHANNELS, 0)
        self.records = []  # what the publisher said on L3, as bytes
        self.books = {}  # number of the last L3 message: depth of both sides of instrument 1

    def behave(self, faults):
        """Change what the wires do from now on."""
        for line in self.lines:
            line.faults = faults

    def frames(self, name):
        return getattr(self.publisher, name).retained_frames()

    def turn(self, commands=None):
        """Decide, publish, let time pass, take what has arrived, ask for what is missing."""
        if commands is not None:
            self.publisher.publish_events(self.engine.submit(commands))
        for name in CHANNELS:
            frames = self.frames(name)
            for frame in frames[self.sent[name] :]:
                for line in self.lines[:2]:
                    line.send(frame, self.clock.ns)
            self.sent[name] = len(frames)
        self.clock.ns += TURN_NS
        for number, line in enumerate(self.lines):
            for frame in line.receive(self.clock.ns):
                self.recorder.packet(frame, line=number)
        for request in self.recorder.on_time():
            self.answer(np.frombuffer(request, GAP_FILL_REQUEST)[0])

    def answer(self, request):
        """Send again whatever packets hold a message that was asked for."""
        assert request["template_id"] == Template.GAP_FILL_REQUEST
        channel = self.publisher.channel(int(request["channel"]))
        first, behind = int(request["first_seq"]), int(request["first_seq"]) + int(request["count"])
        for frame in channel.retained_frames():
            count, seq = int.from_bytes(frame[18:20], "little"), int.from_bytes(frame[32:40], "little")
            if seq < behind and first < seq + count:
                self.lines[2].send(frame, self.clock.ns)

    def note_book(self):
        """Keep what the engine's book is now."""
        depth = [[tuple(level) for level in self.engine.depth(1, side, 10).tolist()] for side in (1, 2)]
        self.books[self.publisher.l3.next_seq - 1] = depth


def levels(orders, side):
    """Best ten levels of a rebuilt book: price, quantity, orders."""
    found = {}
    for order in orders[orders["side"] == side]:
        quantity, count = found.get(int(order["price_ticks"]), (0, 0))
        found[int(order["price_ticks"])] = quantity + int(order["qty_lots"]), count + 1
    return [(price, *held) for price, held in found.items()][:10]


@pytest.mark.parametrize("profile", ["normal", "flash_crash"])
def test_the_recorded_book_is_the_engines_whatever_the_lines_do(tmp_path, profile):
    seed = int(os.environ.get("TRADSYS_SEED", secrets.randbelow(1 << 40)))
    print(f"seed {seed} of {profile}")
    load = workload.make(profile, 12_000, seed=seed, live_target=1_000)
    feed = Feed(tmp_path, Draw(seed), load)
    feed.turn(load.setup)
    head = empty(Template.SNAPSHOT_BEGIN, 1)
    head["stream_id"], head["instrument_id"] = 7, 1
    feed.recorder.snapshot(head, empty(Template.MD_ORDER_ADD, 0))
    flow = np.concatenate([load.prefill, load.commands])
    for start in range(0, len(flow), 100):
        feed.turn(flow[start : start + 100])
        if start == 0:  # the recorder has heard the first L3 message: from here on it must have them all
            feed.behave(AWFUL)
        if start % 1_500 == 0:
            feed.note_book()
    for line in feed.lines:
        assert line.dropped > 0
        assert line.duplicated > 0
        assert line.delayed > 0
    feed.behave(PERFECT)
    for _ in range(100):  # the last packets may be the lost ones: heartbeats tell, a second line heals
        for name in CHANNELS:
            for frame in feed.frames(name)[-1:]:
                feed.lines[0].send(frame, feed.clock.ns)
        feed.turn()
    report = feed.recorder.close()
    assert report["lost"] == 0, report
    assert report["book_misfits"] == 0
    assert sum(channel["healed"] for channel in report["channels"]) > 0
    assert sum(channel["duplicates"] for channel in report["channels"]) > 0
    recorded = read(tmp_path, "l3").to_table()
    assert recorded.column("channel_seq").to_pylist() == list(range(1, feed.publisher.l3.next_seq))
    assert len(feed.books) > 5
    for seq, sides in feed.books.items():
        book = rebuild_book(tmp_path, 1, l3_seq=seq)
        assert [levels(book, side) for side in (Side.BUY, Side.SELL)] == sides, seq
