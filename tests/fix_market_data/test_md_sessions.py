"""Goal: logon, recovery, floods and slow readers of market data sessions; none of them harms another one.

Method: sessions joined in memory to clients of ours.
"""

import pytest
from market_wire import MS, MarketWorld, Wire, make_session

from tradsys.fix_market_data.instruments import Instrument
from tradsys.fix_market_data.market import Market
from tradsys.fix_market_data.session import Bounds
from tradsys.fix_market_data.tracked_levels import TrackedLevels
from tradsys.wire import commands
from tradsys.wire.enums import InstrumentState, Template
from tradsys.wire.records import empty

QUIET = {"loss": 0.0, "late": 0.0, "copies": 0.0}


@pytest.fixture
def world():
    one = MarketWorld(2, **QUIET)
    one.settle()
    yield one
    one.close()


def test_a_wrong_password_is_refused_and_limited(world):
    session = make_session(world.market)
    for n in range(7):
        wire = Wire(session, world.wall_ns, b"wrong")
        assert not wire.client.numbers.active
        text = session.link.closing.text
        assert text == (
            "too many failed logons; try again later"
            if n >= 5
            else "username, password or signature is wrong"
        )
        session.end(world.wall_ns)
    assert not Wire(session, world.wall_ns).client.numbers.active  # the right one comes too late


def test_an_address_may_be_refused(world):
    session = make_session(world.market, allowed=("10.0.0.1",))
    assert not Wire(session, world.wall_ns).client.numbers.active


def test_a_client_that_takes_next_to_nothing_is_refused(world):
    session = make_session(world.market)
    assert not Wire(session, world.wall_ns, message_bytes_max=100).client.numbers.active
    assert "383" in session.link.closing.text


def test_every_logon_begins_at_one_and_without_subscriptions(world):
    session = make_session(world.market)
    for _ in range(2):
        wire = Wire(session, world.wall_ns)
        assert wire.client.numbers.active
        assert wire.ask(b"r", *world.symbols())[0].seq == 2
        session.end(world.wall_ns)
        assert not session.subscriptions


def test_a_resend_request_is_filled_and_the_books_come_anew(world):
    wire, names = world.connect(), world.symbols()
    wire.ask(b"r", *names)
    for _ in range(5):
        world.turn()
        wire.carry()
    frames = []
    wire.client._trace = lambda direction, one: frames.append(one) if direction == "in" else None
    wire.client._send("2", ((7, b"2"), (16, b"0")), ())
    wire.carry()
    world.turn(0)
    wire.carry()
    assert [one.msg_type for one in frames[:1]] == ["4"]
    assert frames[0].get(36) == b"%d" % frames[1].seq
    assert [one.msg_type for one in frames[1:]] == ["W"] * len(names)


def test_a_flood_ends_the_session_and_keeps_it_out_for_a_while(world):
    bounds = Bounds(flood_messages=20)
    flooder, other = world.connect(bounds), world.connect()
    other.ask(b"r", *world.symbols())
    for n in range(40):
        flooder.client.send("V", ((262, b"%d" % n), (263, b"2")))
    flooder.carry()
    session = flooder.session
    session.pass_time(world.wall_ns)
    flooder.carry()
    assert "FLOOD" in session.link.closing.text
    assert not flooder.client.numbers.active
    session.end(world.wall_ns)
    assert not Wire(session, world.wall_ns + MS).client.numbers.active
    session.end(world.wall_ns)
    assert Wire(session, world.wall_ns + 16 * 10**9).client.numbers.active
    world.sessions.pop(0)
    world.wires.pop(0)
    world.settle()
    other.carry()
    symbol = world.symbols()[0]
    assert other.books.book(b"r", symbol).best(b"0", 50) == world.engine_levels(symbol, b"0", 50)


def test_too_many_trades_that_wait_end_the_session(world):
    wire = world.connect(Bounds(conflate_bytes=100, trades_max=5, slow_ms=10**9))
    wire.ask(b"r", *world.symbols(), entries=(b"2",))
    for _ in range(400):
        world.turn()
        if wire.session.link.closing is not None:
            break
    assert "trades wait" in wire.session.link.closing.text
    assert wire.unsent_bytes() < 8_000


def test_who_takes_nothing_for_too_long_is_ended(world):
    wire = world.connect(Bounds(conflate_bytes=100, slow_ms=50))
    wire.ask(b"r", *world.symbols())
    for _ in range(200):
        world.turn()
    assert "SLOW" in wire.session.link.closing.text
    assert not wire.session.subscriptions, "what a session asked for outlives it"
    assert not any(told.books for told in world.market.told.values())


def test_what_waits_for_a_slow_client_is_bounded(world):
    wire = world.connect(Bounds(conflate_bytes=2_000, slow_ms=10**9))
    wire.ask(b"r", *world.symbols())
    wire.ask(b"w", *world.symbols(), update=b"0")
    most = 0
    for _ in range(100):
        world.turn()
        most = max(most, wire.unsent_bytes())
    assert most < 40_000  # one turn more than the bound, and the snapshots at the beginning
    levels = sum(
        len(told.books[50].sides[kind]) for told in world.market.told.values() for kind in (b"0", b"1")
    )
    changed = sum(len(leg.changed) for one in wire.session.subscriptions.values() for leg in one.legs)
    assert 0 < changed < 40 * (levels + 100)


def test_a_change_of_state_is_told_to_who_follows_it(world):
    wire, symbol = world.connect(), world.symbols()[0]
    wire.send("e", (324, b"s"), (55, symbol), (263, b"1"))
    seen = len(wire.messages)
    instrument_id = world.market.by_symbol[symbol].instrument.instrument_id
    world.market.on_state = lambda instrument, before: wire.session.tell_state(
        instrument, before, world.wall_ns
    )
    halt = commands.set_instrument_state(instrument_id, InstrumentState.HALTED)
    world.publish(world.engine.submit(commands.pack([halt])))
    for _ in range(5):
        world.turn(0)
    wire.carry()
    (told,) = wire.messages[seen:]
    assert (told.msg_type, told.get(324), told.get(325), told.get(326)) == ("f", b"s", b"Y", b"2")
    wire.send("e", (324, b"s"), (55, symbol), (263, b"2"))
    assert not any(wire.session.statuses.values())


def define(world, instrument_id, **changes):
    """Define an instrument like the first one, as the feed's client hears of it."""
    record = world.core.definitions[1].copy()
    for name, value in {"instrument_id": instrument_id, **changes}.items():
        record[name] = value
    world.core.definitions[instrument_id] = record
    world.now_ns += 2 * 10**9
    world.turn(0)


def test_a_list_that_is_followed_tells_what_is_defined_later(world):
    wire, symbols = world.connect(), world.symbols()
    world.market.on_defined = lambda numbers: wire.session.tell_defined(numbers, world.wall_ns)
    wire.send("x", (320, b"all"), (559, b"4"), (263, b"1"))
    wire.send("x", (320, b"one"), (559, b"0"), (55, symbols[0]), (263, b"1"))
    wire.send("x", (320, b"none"), (559, b"0"), (55, b"LATER"), (263, b"1"))
    assert wire.send("x", (320, b"bad"), (559, b"4"), (263, b"3")) == []  # a Reject, which is not the application's
    assert sorted(wire.session.lists) == [b"all", b"one"]
    seen = len(wire.messages)
    define(world, 900, symbol=b"LATER")
    wire.carry()
    (told,) = wire.messages[seen:]
    assert (told.msg_type, told.get(320), told.get(560), told.values(55)) == ("y", b"all", b"0", [b"LATER"])
    number = world.market.by_symbol[symbols[0]].instrument.instrument_id
    define(world, number, symbol=symbols[0], qty_min_lots=7)
    wire.carry()
    updates = [one for one in wire.messages[seen + 1 :] if one.msg_type == "y"]
    assert [(one.get(320), one.values(55)) for one in updates] == [(b"all", [symbols[0]]), (b"one", [symbols[0]])]
    (ended,) = wire.send("x", (320, b"all"), (559, b"4"), (263, b"2"))
    assert (ended.get(560), ended.get(146)) == (b"0", None)
    (ended,) = wire.send("x", (320, b"all"), (559, b"4"), (263, b"2"))
    assert ended.get(560) == b"1"
    assert list(wire.session.lists) == [b"one"]
    (listed,) = wire.send("x", (320, b"again"), (559, b"4"))
    assert sorted(listed.values(55)) == sorted([*symbols, b"LATER"])


def test_only_so_many_lists_are_followed_and_they_end_with_the_session(world):
    session = make_session(world.market, Bounds(throttle_messages=1_000))
    wire = Wire(session, world.wall_ns)
    for number in range(65):
        (answer,) = wire.send("x", (320, b"%d" % number), (559, b"4"), (263, b"1"))
        assert answer.msg_type == ("y" if number < 64 else "j")
    session.end(world.wall_ns)
    assert not session.lists


def test_the_trading_session_is_told_when_it_changes(world):
    wire = world.connect()
    (now,) = wire.send("g", (335, b"t"), (263, b"1"))
    assert (now.get(325), now.get(340)) == (None, b"2")
    wire.session.tell_session_state(InstrumentState.HALTED, world.wall_ns)
    wire.carry()
    told = wire.messages[-1]
    assert (told.msg_type, told.get(335), told.get(325), told.get(340)) == ("h", b"t", b"Y", b"1")
    (last,) = wire.send("g", (335, b"t"), (263, b"2"))
    assert last.get(325) is None
    seen = len(wire.messages)
    wire.session.tell_session_state(InstrumentState.OPEN, world.wall_ns)
    wire.carry()
    assert len(wire.messages) == seen


def test_requests_before_the_instruments_are_known_are_told_to_come_again():
    session = make_session(Market(TrackedLevels(), {}))
    wire = Wire(session)
    (answer,) = wire.ask(b"r", b"SYM1")
    assert (answer.msg_type, answer.get(281)) == ("Y", None)
    assert "not known yet" in answer.text(58)


def test_a_definition_that_changes_is_told_as_a_new_book(world):
    wire, symbol = world.connect(), world.symbols()[0]
    wire.ask(b"r", symbol)
    told = world.market.by_symbol[symbol]
    record = told.instrument.record.copy()
    record["tick_exponent"] -= 1
    world.core.definitions[told.instrument.instrument_id] = record
    world.now_ns += 2 * 10**9
    seen = len(wire.messages)
    world.turn(0)
    wire.carry()
    assert wire.messages[seen].msg_type == "W"
    assert wire.books.book(b"r", symbol).best(b"0", 50) == world.engine_levels(symbol, b"0", 50)
    assert len(wire.messages[seen].text(270).partition(".")[2]) == 3


def test_a_lost_trade_is_told(world):
    wire = world.connect()
    wire.ask(b"r", *world.symbols(), entries=(b"2",))
    wire.session.tell_news("trades lost", "3 messages", world.wall_ns)
    wire.carry()
    assert (wire.messages[-1].msg_type, wire.messages[-1].get(148)) == ("B", b"trades lost")


def test_prices_and_quantities_are_exact():
    """Goal: no rounding anywhere. Method: an instrument of 5 x 10^-5 and lots of 0.001, one level, its W."""
    record = empty(Template.MD_INSTRUMENT)[0]
    record["symbol"] = b"X"
    record["tick_mantissa"], record["tick_exponent"] = 5, -5
    record["lot_mantissa"], record["lot_exponent"] = 1, -3
    one = Instrument(record)
    assert one.level_entry(b"0", 3, 1_500, 2) == b"269=0\x01270=0.00015\x01271=1.500\x01346=2\x01"
    assert (
        one.level_change(b"2", b"1", -3, 0, 0)
        == b"279=2\x01269=1\x01278=1/-0.00015\x0155=X\x01270=-0.00015\x01"
    )
