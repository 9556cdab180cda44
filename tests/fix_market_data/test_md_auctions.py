"""Goal: a FIX client of the market data port sees a call and its auction (rules of engagement 12.7, 12.9, 12.16, 12.19).

Method: one instrument of a world without faults is led through its phases; clients apply what comes strictly.
"""

import time

import pytest
from market_wire import MarketWorld

from tradsys.client.fix_books import MARKET, entries
from tradsys.fix_market_data.requests import AUCTION, BID, CLOSING, IMBALANCE, OFFER, TRADE
from tradsys.wire import commands
from tradsys.wire.enums import InstrumentState as State
from tradsys.wire.enums import OrderType, Side

NUMBER = 1
KINDS = (BID, OFFER, TRADE, CLOSING, IMBALANCE, AUCTION)


class CallWorld(MarketWorld):
    """A world whose instrument 1 has an empty book; `symbol` is its name, `price` its lowest price [ticks]."""

    def __init__(self) -> None:
        super().__init__(3, loss=0.0, copies=0.0, late=0.0)
        self.ts_ns = time.time_ns()
        self.references = 10**9
        while len(self.market.by_symbol) < len(self.instruments):
            self.turn(0)
        instrument = self.market.told[NUMBER].instrument
        self.symbol, self.price = instrument.symbol, int(instrument.record["price_min_ticks"])
        self.text = instrument.price
        self.market.on_state = lambda one, before: self.each(lambda each: each.tell_state(one, before, self.wall_ns))
        self.market.on_extended = lambda one, end_ns: self.each(
            lambda each: each.tell_state(one, one.state, self.wall_ns, end_ns=end_ns)
        )
        self.do(*(
            commands.mass_cancel(instrument_id=NUMBER, target_session_id=n, session_id=n, client_ref=10**9)
            for n in range(1, 17)
        ))  # fmt: skip

    def each(self, tell) -> None:
        for session in self.sessions:
            tell(session)

    def do(self, *made) -> None:
        """Carry out commands, and bring what the feed says of them."""
        self.ts_ns += 10**9
        for one in made:
            one["ts_ns"] = self.ts_ns
        self.publish(self.engine.submit(commands.pack(made)))
        for _ in range(4):
            self.turn(0)
        for wire in self.wires:
            wire.carry()

    def order(self, side, qty_lots, ticks_above=None, session_id=1):
        self.references += 1
        price = {"order_type": OrderType.MARKET} if ticks_above is None else {"price_ticks": self.price + ticks_above}
        return commands.new_order(
            instrument_id=NUMBER, side=side, qty_lots=qty_lots, client_ref=self.references, session_id=session_id, **price
        )

    def call(self, state, **options):
        """Begin a call that is due three seconds later: at the third `do` behind it."""
        self.do(commands.start_call(NUMBER, state, end_ts_ns=self.ts_ns + 4 * 10**9, **options))


@pytest.fixture
def world():
    made = CallWorld()
    yield made
    made.close()


def told(wire, count_before):
    """The entries of X since then, by kind, in order."""
    found = {}
    for message in wire.messages[count_before:]:
        for entry in entries(message) if message.msg_type == "X" else ():
            kept = {tag: value for tag, value in entry.items() if tag in (279, 270, 271, 277, 286)}
            found.setdefault(entry[269], []).append(kept)
    return found


def test_a_closing_auction_is_told_from_its_call_to_its_price(world):
    wire, text = world.connect(), world.text
    wire.ask(b"r", world.symbol, entries=KINDS)
    wire.send("e", (324, b"w"), (55, world.symbol), (263, b"1"))
    world.do(commands.set_auction_rules(
        NUMBER, reference_price_ticks=world.price, extension_range_bp=1, extensions_max=1, extension_ns=10**9))  # fmt: skip
    world.call(State.CLOSING_AUCTION, state_after=State.CLOSED)
    world.do(world.order(Side.BUY, 7), world.order(Side.BUY, 2, 30), world.order(Side.SELL, 5, 20, 2))
    book = wire.books.book(b"r", world.symbol)
    assert book.best(BID) == [(MARKET, b"7", 1), (text(world.price + 30), b"2", 1)]
    assert book.best(OFFER) == [(text(world.price + 20), b"5", 1)]
    assert AUCTION not in {kind for kind, value in book.figures.items() if value}
    (snapshot,) = world.connect().ask(b"late", world.symbol, entries=(BID,))
    assert snapshot.values(270) == [text(world.price + 30)]
    assert [len(one) for one in (snapshot.values(269), snapshot.values(271))] == [2, 2]

    before = len(wire.messages)
    world.do(commands.auction_timer(NUMBER))
    news = told(wire, before)
    auction_price = text(world.price + 30)
    assert news[AUCTION] == [{279: b"0", 270: auction_price, 271: b"5", 286: b"5"}]
    assert news[IMBALANCE] == [{279: b"0", 271: b"4", 277: b"P"}]
    assert CLOSING not in news

    world.do(commands.auction_timer(NUMBER))  # the price is far from the reference: the call goes on
    world.do(commands.auction_timer(NUMBER))
    statuses = [one for one in wire.messages if one.msg_type == "f"]
    assert [(one.text(326), one.text(625), one.text(325)) for one in statuses] == [
        ("17", "3", ""), ("5", "4", "Y"), ("5", "4", "Y"), ("18", "", "Y"),
    ]  # fmt: skip
    assert [one.text(58)[:24] for one in statuses] == ["", "", "the call is extended to ", ""]
    assert book.figures[CLOSING] == auction_price == book.figures[AUCTION]
    trades = [entry for entry in book.trades if entry[270] == auction_price]
    assert [entry[271] for entry in trades] == [b"5"]
    assert trades[0][625] == b"AUCTION"
    (whole,) = wire.ask(b"again", world.symbol, kind=b"0", entries=(AUCTION, IMBALANCE, CLOSING, TRADE))
    found = {entry[269]: entry for entry in entries(whole)}
    assert found[AUCTION] == {269: b"Q", 270: auction_price, 271: b"5"}
    assert found[CLOSING] == {269: b"5", 270: auction_price}
    assert found[IMBALANCE] == {269: b"A", 271: b"4", 277: b"P"}
    assert found[TRADE][625] == b"AUCTION"


def test_what_an_uncross_would_have_come_to_goes_with_its_call(world):
    wire = world.connect()
    wire.ask(b"r", world.symbol, entries=(AUCTION, IMBALANCE))
    world.call(State.VOLATILITY_AUCTION)
    world.do(world.order(Side.BUY, 3, 5), world.order(Side.SELL, 8, 4, 2))
    world.do(commands.auction_timer(NUMBER))
    before = len(wire.messages)
    assert wire.books.book(b"r", world.symbol).figures[IMBALANCE] == b"5"
    world.do(commands.set_instrument_state(NUMBER, State.HALTED))
    assert told(wire, before) == {AUCTION: [{279: b"2"}], IMBALANCE: [{279: b"2"}]}
    (whole,) = wire.ask(b"again", world.symbol, kind=b"0", entries=(AUCTION, IMBALANCE))
    assert list(entries(whole)) == [{269: AUCTION}, {269: IMBALANCE}]


def test_a_call_in_which_nothing_would_match_has_no_price(world):
    wire = world.connect()
    wire.ask(b"r", world.symbol, entries=(AUCTION, IMBALANCE))
    world.call(State.VOLATILITY_AUCTION)
    before = len(wire.messages)
    world.do(world.order(Side.SELL, 8, 4, 2), commands.auction_timer(NUMBER))
    news = told(wire, before)
    assert AUCTION not in news


def test_changes_of_a_slow_client_collapse_to_what_is_left(world):
    wire = world.connect()
    wire.ask(b"r", world.symbol, entries=KINDS)
    session = world.sessions[0]
    world.call(State.CLOSING_AUCTION, state_after=State.CLOSED)
    world.do(world.order(Side.BUY, 3, 5), world.order(Side.SELL, 8, 4, 2))
    world.do(commands.auction_timer(NUMBER))
    (leg,) = session.subscriptions[b"r"].legs
    leg.changed.update({(AUCTION, 0): True, (IMBALANCE, 0): True, (CLOSING, 0): False})
    leg.subscription.waiting[leg] = None
    before = len(wire.messages)
    world.do(commands.set_instrument_state(NUMBER, State.HALTED))
    news = told(wire, before)
    assert news[AUCTION] == news[IMBALANCE] == [{279: b"2"}]
    assert CLOSING not in news
