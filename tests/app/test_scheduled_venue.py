"""A venue by its timetable: a call begins by the clock, shows its indicative, ends when it is due, and survives a restart.

Method: the venue's process object, turned by hand with the clock of the test.
"""

import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tradsys import config
from tradsys.app import venue as venue_module
from tradsys.app.venue import VenueProcess
from tradsys.client.packets import FeedPacket
from tradsys.wire import commands
from tradsys.wire.enums import (
    AuctionNews,
    BreakerAction,
    BreakerLevel,
    InstrumentState,
    OrderType,
    Side,
    Template,
    TimeInForce,
)

S_NS = 10**9
MIDNIGHT = datetime.fromtimestamp(time.time(), UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = MIDNIGHT + timedelta(days=(7 - MIDNIGHT.weekday()))  # a Monday to come
OPENS = DAY + timedelta(hours=8)


class Clock:
    """`time` with a wall clock that is set by hand."""

    def __init__(self):
        self.now_ns = int(OPENS.timestamp()) * S_NS - 10 * S_NS

    def time_ns(self):
        return self.now_ns

    def __getattr__(self, name):
        return getattr(time, name)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(venue_module, "time", clock)
    return clock


def settings(tmp_path):
    phases = [
        {"at": "08:00", "state": "OPENING_AUCTION", "until": "08:01"},
        {"at": "17:00", "state": "CLOSED"},
    ]
    chosen = {
        "venue": {
            "data_dir": str(tmp_path / "venue"),
            **dict.fromkeys(("orders_port", "feed_a_port", "feed_b_port", "snapshot_port"), 0),
        },
        "capacities": {"orders_max": 256},
        "schedule": {"timetables": [{"phases": phases}], "indicative_ms": 1_000},
        "instruments": [
            {"instrument_id": 1, "symbol": "AAA", "currency": "EUR", "asset_class": "STOCK", "tick": "0.01", "lot": "1",
             "price_max": "100", "open": False},
        ],
    }  # fmt: skip
    return msgspec.convert(chosen, config.Config)


def turn(process, clock, seconds):
    for _ in range(seconds * 5):
        clock.now_ns += S_NS // 5
        process.turn()


def gtd(ref, expire_ns):
    return commands.record(
        Template.NEW_COMPLEX_ORDER, session_id=1, client_ref=ref, side=Side.BUY, qty_lots=1, price_ticks=100 + ref,
        instrument_id=1, order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTD, expire_ts_ns=expire_ns,
    )  # fmt: skip


def state(process, instrument_id=1):
    return InstrumentState(process.sequencer.engine.instrument_state(instrument_id)).name


def news(process):
    packets = [FeedPacket(frame) for frame in process.publisher.channel(5).retained_frames()]
    return [
        AuctionNews(int(message["auction_news"])).name
        for packet in packets
        for message in packet
        if message["template_id"] == Template.MD_AUCTION
    ]


def test_a_day_by_the_timetable(tmp_path, clock):
    process = VenueProcess(settings(tmp_path))
    try:
        turn(process, clock, 9)
        assert state(process) == "CLOSED"
        turn(process, clock, 5)
        assert state(process) == "OPENING_AUCTION"
        turn(process, clock, 20)
        told = news(process)
        assert set(told) == {"INDICATIVE"}
        assert 15 <= len(told) <= 26
    finally:
        process.close()
    again = VenueProcess(settings(tmp_path))  # in the middle of the call
    try:
        assert state(again) == "OPENING_AUCTION"
        turn(again, clock, 60)
        assert state(again) == "OPEN"
        assert news(again)[-1] == "UNCROSSED"
        clock.now_ns = int((DAY + timedelta(hours=17)).timestamp()) * S_NS
        turn(again, clock, 2)
        assert state(again) == "CLOSED"
    finally:
        again.close()


def test_orders_end_at_their_time_though_the_venue_was_down(tmp_path, clock):
    """Rule 9.19."""
    process = VenueProcess(settings(tmp_path))
    engine = process.sequencer.engine
    try:
        for record in (
            commands.define_participant(1),
            commands.define_session(1, 1, name="alpha"),
            commands.open_session(1),
            commands.set_instrument_state(1, InstrumentState.OPEN),
        ):
            process.sequencer.run(record, clock.now_ns)
        ends = [clock.now_ns + seconds * S_NS for seconds in (3, 6, 60, 7_200)]
        for ref, end_ns in enumerate(ends, 1):
            process.sequencer.run(gtd(ref, end_ns), clock.now_ns)
        left = dict.fromkeys((2, 5, 8))
        for second in range(9):
            if second in left:
                left[second] = engine.live_order_count()
            turn(process, clock, 1)
        assert left == {2: 4, 5: 3, 8: 2}
        assert engine.next_expiry_ns() == ends[2]
    finally:
        process.close()
    clock.now_ns += 100 * S_NS
    again = VenueProcess(settings(tmp_path))
    try:
        turn(again, clock, 1)
        assert again.sequencer.engine.live_order_count() == 1
        assert again.sequencer.engine.next_expiry_ns() == ends[3]
    finally:
        again.close()


def test_a_halt_of_an_instrument_defined_while_the_venue_runs_ends_when_it_is_due(tmp_path, clock):
    process = VenueProcess(settings(tmp_path))
    try:
        for record in (
            commands.define_instrument(2, "NEW", tick="0.01", price_max="100"),
            commands.set_instrument_state(2, InstrumentState.OPEN),
            commands.set_breaker(2, reference_price_ticks=1_000),
            commands.set_breaker_level(
                2, BreakerLevel.LEVEL_1, BreakerAction.HALT, distance_ppm=70_000, pause_ns=5 * S_NS
            ),
            commands.publish_index(2, 900),
        ):
            process.sequencer.run(record, clock.now_ns)
        assert state(process, 2) == "HALTED"
        turn(process, clock, 3)
        assert state(process, 2) == "HALTED"
        turn(process, clock, 4)
        assert state(process, 2) == "OPEN"
        assert process.sequencer.engine.defined_instruments() == [1, 2]
    finally:
        process.close()
