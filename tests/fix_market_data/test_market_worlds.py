"""Goal: a client that applies W and X has the feed's book at every point, whatever the lines and its own speed do.

Method: seeded worlds: an engine's feed over two lines that lose, double and delay; FIX clients joined in memory that apply
what comes strictly (`FixBooks` refuses an entry that does not fit) and are compared after each turn.
"""

import pytest
from market_wire import MarketWorld

from tradsys.fix_market_data.requests import BID, OFFER
from tradsys.fix_market_data.session import Bounds

KINDS = (BID, OFFER)
DEPTHS = {b"all": 50, b"top": 1, b"five": 5, b"whole": 5}


@pytest.fixture
def world():
    worlds = []

    def make(seed, **options):
        worlds.append(MarketWorld(seed, **options))
        return worlds[-1]

    yield make
    for each in worlds:
        each.close()


def subscribe_all(wire, symbols):
    wire.ask(b"all", *symbols, depth=b"0")
    wire.ask(b"top", *symbols, depth=b"1")
    wire.ask(b"five", *symbols, depth=b"5")
    wire.ask(b"whole", *symbols, depth=b"5", update=b"0")
    wire.ask(b"trades", *symbols, depth=b"1", entries=(b"2", b"4", b"7", b"8", b"B"))


def compare(world, wire):
    """Compare every book the client holds for known; returns how many."""
    compared = 0
    for request_id, depth in DEPTHS.items():
        for symbol in world.symbols():
            book = wire.books.book(request_id, symbol)
            stream = world.market.by_symbol[symbol].books[depth]
            if not book.snapshots or book.unknown or not stream.is_good:
                continue
            for kind in KINDS:
                assert book.best(kind, 1000) == world.told(symbol, kind, depth), (request_id, symbol, kind)
            compared += 1
    return compared


def start(world, seed, **faults):
    feed = world(seed, **faults)
    for _ in range(400):
        if len(feed.market.by_symbol) == len(feed.instruments):
            return feed
        feed.turn()
    raise AssertionError("the definitions never came")


@pytest.mark.parametrize("seed", range(4))
def test_clients_have_the_feeds_books_while_packets_are_lost(world, seed):
    feed = start(world, seed)
    wire = feed.connect(has_rpt_seq=bool(seed % 2))
    subscribe_all(wire, feed.symbols())
    compared = 0
    for turn in range(120):
        feed.turn()
        if turn == 60:
            feed.retention_bytes = 1 << 16
            feed.start_venue()
        wire.carry()
        compared += compare(feed, wire)
    feed.calm()
    feed.settle()
    wire.carry()
    assert compare(feed, wire) == len(DEPTHS) * len(feed.symbols())
    for symbol in feed.symbols():
        for kind in KINDS:
            assert wire.books.book(b"all", symbol).best(kind, 50) == feed.engine_levels(symbol, kind, 50)
    assert compared > 500
    assert feed.core.restarts == 1
    assert sum(book.changes for book in wire.books.books.values()) > 500


@pytest.mark.parametrize("seed", range(4))
def test_slow_clients_are_told_the_newest_and_every_trade(world, seed):
    """Method: a client that takes 200 bytes a turn and one that takes all; small bounds, so that changes collapse."""
    feed = start(world, seed, loss=0.05)
    fast = feed.connect()
    slow = feed.connect(Bounds(conflate_bytes=2_000, slow_ms=10**9))
    for wire in (fast, slow):
        subscribe_all(wire, feed.symbols())
    before, most = len(feed.trades), 0
    for _ in range(300):
        feed.turn()
        fast.carry()
        slow.carry(200)
        most = max(most, slow.unsent_bytes())
        compare(feed, fast)
    feed.calm()
    feed.settle()
    for _ in range(20):
        feed.turn(0)
        fast.carry()
        slow.carry()
    for wire in (fast, slow):
        assert compare(feed, wire) == len(DEPTHS) * len(feed.symbols())
        told = [int(entry[278]) for key, book in wire.books.books.items() for entry in book.trades
                if key[0] == b"trades" and 278 in entry]  # fmt: skip
        assert sorted(told) == sorted(feed.trades[before:])
    fast_changes, slow_changes = (
        sum(book.changes for key, book in wire.books.books.items() if key[0] == b"all")
        for wire in (fast, slow)
    )
    assert slow_changes < fast_changes / 2, "nothing collapsed"
    assert most < 64_000


def test_a_book_that_is_not_known_is_told_to_be_and_comes_back_whole(world):
    feed = start(world, 7, loss=0.0, late=0.0, copies=0.0)
    wire = feed.connect()
    subscribe_all(wire, feed.symbols())
    feed.settle()
    wire.carry()
    symbol = feed.symbols()[0]
    feed.levels.mark_behind("both lines are silent")
    for _ in range(30):
        feed.now_ns += 2_000_000
        feed.market.turn((), feed.wall_ns)
        for session in feed.sessions:
            session.flush(feed.wall_ns)
    wire.carry()
    for request_id in DEPTHS:
        book = wire.books.book(request_id, symbol)
        assert "silent" in book.unknown
        assert book.levels == {BID: {}, OFFER: {}}
    late = feed.connect()
    late.ask(b"all", symbol)
    assert "silent" in late.books.book(b"all", symbol).unknown
    feed.levels.mark_behind(None)
    feed.settle()
    wire.carry()
    late.carry()
    assert compare(feed, wire) == len(DEPTHS) * len(feed.symbols())
    assert late.books.book(b"all", symbol).best(BID, 50) == feed.engine_levels(symbol, BID, 50)
