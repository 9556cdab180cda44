"""Goal: each request is read as it stands, refused with the reason FIX has for it, or rejected by its form.

Method: messages as parsed, no session; then the same through a session that answers.
"""

import pytest
from market_wire import MarketWorld, Wire, make_session, request

from tradsys.fix.message import Message
from tradsys.fix_market_data import requests
from tradsys.fix_market_data.requests import MarketDataRequest, Refused, RequestLimits, fault_of, read
from tradsys.fix_market_data.session import Bounds


def message(*fields, msg_type=b"V"):
    return Message([(8, b"FIX.4.4"), (9, b"1"), (35, msg_type), (34, b"2"), *fields, (10, b"000")])


def test_a_request_is_read():
    fields = request(b"r", b"A", b"B", b"A", depth=b"5", update=b"0", entries=(b"0", b"2", b"B"))
    expected = MarketDataRequest(b"r", b"1", 5, False, frozenset((b"0", b"2", b"B")), (b"A", b"B"))
    assert fault_of(message(*fields)) is None
    assert read(message(*fields)) == expected
    without = [field for field in fields if field[0] != 265]
    assert read(message(*without)).is_incremental


def test_an_unsubscription_needs_its_id_only():
    fields = ((262, b"r"), (263, b"2"))
    assert fault_of(message(*fields)) is None
    assert read(message(*fields)) == MarketDataRequest(b"r", b"2")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"kind": b"3"}, requests.BAD_SUBSCRIPTION_TYPE),
        ({"depth": b"-1"}, requests.BAD_DEPTH),
        ({"depth": b"1.5"}, requests.BAD_DEPTH),
        ({"update": b"2"}, requests.BAD_UPDATE_TYPE),
        ({"extra": ((266, b"N"),)}, requests.BAD_AGGREGATION),
        ({"entries": (b"0", b"9")}, requests.BAD_ENTRY_TYPE),
        ({"entries": (b"6",)}, requests.BAD_ENTRY_TYPE),
    ],
)
def test_what_is_not_served_is_refused_with_its_reason(options, reason):
    fields = message(*request(b"r", b"A", **options))
    assert fault_of(fields) is None
    refused = read(fields)
    assert isinstance(refused, Refused)
    assert refused.reason == reason


def test_a_long_id_is_refused():
    assert read(message(*request(b"r" * 65, b"A"))).reason == requests.NO_REASON


@pytest.mark.parametrize("tag", [262, 263, 264, 267, 146])
def test_a_required_tag_is_required(tag):
    fields = [field for field in request(b"r", b"A") if field[0] != tag]
    fault = fault_of(message(*fields))
    assert (fault.reason, fault.ref_tag) == (1, tag)


@pytest.mark.parametrize("tag", [146, 267])
@pytest.mark.parametrize("count", [b"0", b"3", b"-1", b"x"])
def test_a_count_is_the_number_of_entries(tag, count):
    fields = [(name, count if name == tag else value) for name, value in request(b"r", b"A")]
    fault = fault_of(message(*fields))
    assert (fault.reason, fault.ref_tag) == (16, tag)


def test_a_group_begins_behind_its_count():
    fields = [
        (262, b"r"),
        (263, b"1"),
        (264, b"0"),
        (267, b"1"),
        (265, b"1"),
        (269, b"0"),
        (146, b"1"),
        (55, b"A"),
    ]
    fault = fault_of(message(*fields))
    assert (fault.reason, fault.ref_tag) == (15, 265)


@pytest.mark.parametrize("kind", ["e", "x", "g"])
def test_other_requests_have_required_tags_too(kind):
    assert fault_of(message(msg_type=kind.encode())).reason == 1


def test_an_empty_value_is_a_fault():
    assert fault_of(message((262, b""))).reason == 4


# --------------------------------------------------------------------------------------- through a session


@pytest.fixture(scope="module")
def world():
    one = MarketWorld(1, loss=0.0, late=0.0, copies=0.0, live_target=400)
    one.settle()
    yield one
    one.close()


@pytest.fixture
def connect(world):
    made = []

    def make(bounds=None, **options):
        made.append(Wire(make_session(world.market, bounds), world.wall_ns, **options))
        return made[-1]

    yield make
    for wire in made:
        wire.session.end(world.wall_ns)


def kinds(messages):
    return [one.msg_type for one in messages]


def refusal(messages):
    (one,) = messages
    assert one.msg_type == "Y", one
    return one.get(262), one.get(281)


def test_a_snapshot_is_sent_once(connect, world):
    wire, symbol = connect(), world.symbols()[0]
    (answer,) = wire.ask(b"s", symbol, kind=b"0")
    assert (answer.msg_type, answer.get(262), answer.get(55)) == ("W", b"s", symbol)
    for kind in (b"0", b"1"):
        assert wire.books.book(b"s", symbol).best(kind, 50) == world.engine_levels(symbol, kind, 50)
    assert not wire.session.subscriptions
    assert kinds(wire.ask(b"s", *world.symbols(), kind=b"0")) == ["W"] * len(world.symbols())


def test_one_side_and_one_level_are_told_alone(connect, world):
    wire, symbol = connect(), world.symbols()[0]
    (answer,) = wire.ask(b"s", symbol, depth=b"1", entries=(b"1",))
    assert answer.values(269) == [b"1"]
    assert answer.get(270) == world.engine_levels(symbol, b"1", 1)[0][0]


def test_what_there_is_none_of_is_an_entry_alone(world, connect):
    wire, symbol = connect(), world.symbols()[0]
    figures = world.market.by_symbol[symbol].figures
    figures.newest = None
    figures.figures.clear()
    (answer,) = wire.ask(b"s", symbol, kind=b"0", entries=(b"7", b"B"))
    assert [field for field in answer.fields if field[0] in (268, 269, 270, 271)] == [
        (268, b"2"), (269, b"7"), (269, b"B"),
    ]  # fmt: skip


def test_the_id_of_a_subscription_is_taken_until_it_ends(connect, world):
    wire, symbol = connect(), world.symbols()[0]
    assert kinds(wire.ask(b"r", symbol)) == ["W"]
    assert refusal(wire.ask(b"r", symbol)) == (b"r", b"1")
    assert wire.send("V", (262, b"r"), (263, b"2")) == []
    assert kinds(wire.ask(b"r", symbol)) == ["W"]
    assert refusal(wire.send("V", (262, b"x"), (263, b"2"))) == (b"x", None)
    wire.send("V", (262, b"r"), (263, b"2"))
    assert not any(told.books or told.trade_legs or told.figure_legs for told in world.market.told.values())


def test_one_unknown_symbol_refuses_the_request(connect, world):
    wire = connect()
    assert refusal(wire.ask(b"r", world.symbols()[0], b"NOPE")) == (b"r", b"0")
    assert not wire.session.subscriptions


def test_bounds_of_requests(connect, world):
    names = world.symbols()
    wire = connect(Bounds(RequestLimits(requests_max=2, symbols_max=2, books_max=3)))
    assert refusal(wire.ask(b"a", *names[:3])) == (b"a", b"2")
    assert kinds(wire.ask(b"a", *names[:2])) == ["W", "W"]
    assert refusal(wire.ask(b"b", *names[:2])) == (b"b", b"2")
    assert kinds(wire.ask(b"b", names[2])) == ["W"]
    assert refusal(wire.ask(b"c", names[2])) == (b"c", b"2")


def test_the_rate_of_requests_is_bounded_and_comes_back(connect, world):
    wire = connect(Bounds(throttle_messages=3, throttle_window_ms=1000))
    answers = [wire.ask(b"%d" % n, b"NOPE")[0].get(281) for n in range(5)]
    assert answers == [b"0", b"0", b"0", b"2", b"2"]
    (refused,) = wire.send("e", (324, b"1"), (55, b"NOPE"), (263, b"0"))
    assert (refused.msg_type, refused.get(380)) == ("j", b"0")
    wire.now_ns += 10**9
    assert refusal(wire.ask(b"9", b"NOPE"))[1] == b"0"


def test_a_book_longer_than_the_client_takes_is_refused(connect, world):
    wire, symbol = connect(message_bytes_max=1_100), world.symbols()[0]
    (answer,) = wire.ask(b"r", symbol)
    assert (answer.msg_type, answer.get(281)) == ("Y", b"5")
    assert not wire.session.subscriptions
    assert kinds(wire.ask(b"r", symbol, depth=b"1")) == ["W"]


def test_what_this_port_does_not_serve_is_refused(connect):
    (answer,) = connect().send("D", (11, b"1"), (55, b"A"), (54, b"1"))
    assert (answer.msg_type, answer.get(372), answer.get(380)) == ("j", b"D", b"3")


def test_reference_data(connect, world):
    wire, symbol = connect(), world.symbols()[0]
    (listed,) = wire.send("x", (320, b"1"), (559, b"4"))
    assert (listed.msg_type, sorted(listed.values(55))) == ("y", world.symbols())
    (status,) = wire.send("g", (335, b"1"), (263, b"0"))
    assert (status.msg_type, status.get(340)) == ("h", b"2")
    (status,) = wire.send("e", (324, b"s"), (55, symbol), (263, b"1"))
    assert (status.msg_type, status.get(324), status.get(325), status.get(326)) == ("f", b"s", None, b"17")
    (status,) = wire.send("e", (324, b"s"), (55, b"NOPE"), (263, b"1"))
    assert status.get(326) == b"20"
