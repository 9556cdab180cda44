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
from tradsys.wire.enums import AuctionNews, InstrumentState, Template

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


def state(process):
    return InstrumentState(process.sequencer.engine.instrument_state(1)).name


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
