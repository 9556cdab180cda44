"""Goal: what is told of a window of a book adds up to that window, whichever turns are told one by one and which collapse.

Method: random levels put into a tracked book; windows of several depths; a client each that takes changes strictly.
"""

import random

import pytest

from tradsys.fix_market_data.instruments import Instrument
from tradsys.fix_market_data.requests import BID, OFFER, MarketDataRequest
from tradsys.fix_market_data.streams import BookStream
from tradsys.fix_market_data.subscriptions import Leg, Pace, Subscription
from tradsys.fix_market_data.tracked_levels import TrackedLevels
from tradsys.wire.enums import Template
from tradsys.wire.records import empty

DEPTHS = (1, 2, 3, 1_000)


@pytest.fixture
def instrument():
    record = empty(Template.MD_INSTRUMENT)[0]
    record["symbol"] = b"X"
    record["tick_mantissa"] = record["lot_mantissa"] = 1
    return Instrument(record)


def fields(text):
    return dict(part.split(b"=") for part in text.split(b"\x01") if part)


class Client:
    """Takes entries of X; every one must fit."""

    def __init__(self):
        self.sides = {BID: {}, OFFER: {}}

    def take(self, texts):
        for entry in map(fields, texts):
            levels, price = self.sides[entry[b"269"]], int(entry[b"270"])
            assert entry[b"278"] == b"%b/%b" % (entry[b"269"], entry[b"270"])
            assert (price in levels) == (entry[b"279"] != b"0"), entry
            if entry[b"279"] == b"2":
                del levels[price]
            else:
                levels[price] = (int(entry[b"271"]), int(entry[b"346"]))


@pytest.mark.parametrize("seed", range(8))
def test_windows_add_up(instrument, seed):
    rng = random.Random(seed)
    levels = TrackedLevels()
    levels.mark_behind(None)
    assert levels.load(0, b"", 0)
    book = levels.book_of(0)
    streams = {depth: BookStream(instrument, depth) for depth in DEPTHS}
    clients = {}
    for depth, stream in streams.items():
        stream.reset(book)
        pace = Pace()
        subscription = Subscription(
            MarketDataRequest(b"r", b"1", depth, True, frozenset((BID, OFFER)), (b"X",)), pace
        )
        leg = Leg(subscription, instrument, stream, None)
        assert leg.snapshot() == [b"269=0\x01", b"269=1\x01"]
        clients[depth] = (leg, pace, Client())
    for _ in range(400):
        for _ in range(rng.randrange(1, 6)):
            book.put(
                rng.choice((1, 2)),
                rng.randrange(12),
                rng.choice((0, 0, rng.randrange(1, 9))),
                rng.randrange(1, 3),
            )
        for taken, changed in levels.take_changed():
            for depth, stream in streams.items():
                changes = stream.advance(taken, changed)
                stream.check(taken)
                leg, pace, _ = clients[depth]
                pace.is_slow = rng.random() < 0.6
                if changes:
                    leg.take(changes, [change.text for change in changes])
        for depth, (leg, pace, client) in clients.items():
            if pace.is_slow:
                assert not leg.ready
                continue
            client.take(leg.changes())
            assert client.sides == streams[depth].sides


def test_a_snapshot_lists_the_best_first(instrument):
    levels = TrackedLevels()
    levels.mark_behind(None)
    levels.load(0, b"", 0)
    book = levels.book_of(0)
    for price in (3, 1, 2, 5, 4):
        book.put(1 if price < 4 else 2, price, 10 * price, 1)
    stream = BookStream(instrument, 2)
    stream.reset(book)
    prices = [fields(text)[b"270"] for text in stream.entries(frozenset((BID, OFFER)))]
    assert prices == [b"3", b"2", b"4", b"5"]
