"""Goal: phases and auctions at the FIX door: times in force, reports of an uncross, states told (rules of engagement 5, 6, 10).

Method: a real door and real sockets, turned by hand; an operator's commands and the timetable's timer as records.
"""

import os
import time
from pathlib import Path

import pytest

from tradsys.fix.dictionary import load
from tradsys.fix.rules import Rules
from tradsys.wire import commands
from tradsys.wire.enums import InstrumentState as State

# another dictionary, e.g. the stock FIX44.xml of QuickFIX: what is sent has to fit that as well
DICTIONARY = Path(
    os.environ.get("TRADSYS_STOCK_FIX44")
    or Path(__file__).resolve().parents[2] / "fix_specs" / "TRADSYS-FIX44.xml"
)
RULES = Rules(load(DICTIONARY), strict=True)
IS_STOCK = "TRADSYS_STOCK_FIX44" in os.environ


@pytest.fixture
def make_door(fix_doors):
    yield fix_doors
    for door in fix_doors.made:
        sent = [one for client in door.clients for one in client.received]
        faults = [(str(one), RULES.check(one)) for one in sent if RULES.check(one)]
        assert [one for one in faults if not (IS_STOCK and "59=B" in one[0])] == []


@pytest.fixture
def door(make_door):
    return make_door()


def values(message, *tags):
    return tuple(message.text(tag) for tag in tags)


def run(door, *made):
    """Commands of an operator or the timer, as another door would bring them."""
    door.sequencer.run(commands.pack(list(made)), time.time_ns())


def set_state(door, *states, instrument_id=1):
    run(door, *(commands.set_instrument_state(instrument_id, state) for state in states))


def begin_call(door, state, **options):
    """Begin a call of SYM1 that the next timer ends."""
    run(door, commands.start_call(1, state, end_ts_ns=time.time_ns(), **options))


def end_call(door):
    run(door, commands.auction_timer(1))


# ------------------------------------------------------------------------------------------ times in force


@pytest.mark.parametrize(
    ("states", "taken", "refused"),
    [
        ((State.OPEN,), "015", "27B"),
        ((State.CLOSED, State.PRE_OPEN), "012B", "3457"),
        ((State.CLOSED, State.PRE_OPEN, State.OPENING_AUCTION), "012B", "3457"),
        ((State.VOLATILITY_AUCTION,), "01B", "23457"),
        ((State.CLOSING_AUCTION,), "017B", "2345"),
        ((State.CLOSED, State.NAV_COLLECTION), "01", "23457B"),
        ((State.POST_ONLY,), "015", "2347B"),
    ],
)
def test_a_time_in_force_is_taken_in_its_phases_and_given_back(door, states, taken, refused):
    client = door.trader()
    set_state(door, *states)
    for letter in taken:
        client.order(f"in{letter}", 1, 10, "100", (59, letter))
        assert values(client.take("8"), 11, 150, 39, 59) == (f"in{letter}", "0", "0", letter)
        client.send("H", (11, f"in{letter}"), (55, "SYM1"), (54, 1))
        assert values(client.take("8"), 150, 59) == ("I", letter)
    for letter in refused:
        client.order(f"no{letter}", 1, 10, "100", (59, letter))
        assert values(client.take("8"), 11, 150, 39, 103, 59) == (f"no{letter}", "8", "8", "2", letter)


def test_good_till_date_needs_a_date_and_other_letters_are_rejected(door):
    client = door.trader()
    client.order("gtd", 1, 10, "100", (59, 6), (432, "20990101"))
    assert values(client.take("8"), 11, 150, 59, 432) == ("gtd", "0", "6", "20990101")
    client.order("gtd2", 1, 10, "100", (59, 6))
    assert values(client.take("8"), 11, 150, 103, 37) == ("gtd2", "8", "11", "NONE")
    client.order("wrong", 1, 10, "100", (59, "A"))
    assert values(client.take("3"), 371, 373) == ("59", "5")


def test_a_replace_keeps_the_time_in_force(door):
    client = door.trader()
    set_state(door, State.CLOSED, State.PRE_OPEN)
    client.order("a", 1, 10, "100", (59, 2))
    client.take("8")
    client.replace("b", "a", 12, "101")
    assert values(client.take("8"), 11, 150, 59, 38, 44) == ("b", "5", "2", "12", "101")
    now = client.received[-1].text(60)
    request = ((41, "b"), (55, "SYM1"), (54, 1), (38, 12), (40, 2), (44, "102"), (60, now))
    client.send("G", (11, "c"), *request, (59, 1))
    assert values(client.take("9"), 11, 41, 434, 102) == ("c", "b", "2", "99")
    client.send("G", (11, "d"), *request, (59, 2))
    assert values(client.take("8"), 11, 150, 59) == ("d", "5", "2")


# ------------------------------------------------------------------------------------------ the uncross


def test_both_sides_of_an_auction_are_told_its_price(door):
    buyer, seller = door.trader("CLIENT1"), door.trader("CLIENT2")
    set_state(door, State.CLOSED)
    begin_call(door, State.OPENING_AUCTION)
    buyer.order("market", 1, 10, None)
    buyer.order("limit", 1, 10, "101")
    seller.order("open", 2, 15, "100", (59, 2))
    seller.order("rest", 2, 3, "102", (59, "B"))
    for client in (buyer, seller):
        assert [values(client.take("8"), 150, 39) for _ in range(2)] == [("0", "0")] * 2
    end_call(door)
    fills = [buyer.take("8") for _ in range(2)]
    assert [values(one, 11, 150, 39, 31, 32, 14, 151) for one in fills] == [
        ("market", "F", "2", "101", "10", "10", "0"), ("limit", "F", "1", "101", "5", "5", "5"),
    ]  # fmt: skip
    sales = [seller.take("8") for _ in range(2)]
    assert [values(one, 11, 150, 39, 31, 32, 14, 151) for one in sales] == [
        ("open", "F", "1", "101", "10", "10", "5"), ("open", "F", "2", "101", "5", "15", "0"),
    ]  # fmt: skip
    assert {values(one, 625, 851) for one in fills + sales} == {("AUCTION", "")}
    assert [one.text(17).split(".") for one in fills] == [[one.text(17).split(".")[0], "1"] for one in sales]
    gone = seller.take("8")
    assert values(gone, 11, 150, 39, 151, 58) == ("rest", "C", "C", "0", "the auction is over")
    seller.order("after", 2, 2, "101")
    assert values(seller.take("8"), 150, 39) == ("0", "0")
    last = seller.take("8")
    assert values(last, 150, 851, 625) == ("F", "2", "")


def test_trade_reports_mark_matches_of_auctions(door):
    buyer, seller = door.trader("CLIENT1"), door.trader("CLIENT2")
    set_state(door, State.CLOSING_AUCTION)
    buyer.order("b", 1, 5, "101")
    seller.order("s", 2, 5, "101")
    assert [client.take("8").text(150) for client in (buyer, seller)] == ["0", "0"]
    set_state(door, State.CLOSED, State.OPEN)
    buyer.order("b2", 1, 5, "101")
    seller.order("s2", 2, 5, "101")
    fills = []
    while len(fills) < 2:
        report = buyer.take("8")
        fills += [report] if report.text(150) == "F" else []
    buyer.send("AD", (568, "t"), (569, 0))
    reports = [buyer.take("AE") for _ in range(2)]
    assert [values(one, 11, 625, 17) for one in reports] == [
        ("b", "AUCTION", fills[0].text(17)), ("b2", "", fills[1].text(17)),
    ]  # fmt: skip
    seller.send("AD", (568, "t"), (569, 0))
    assert [values(seller.take("AE"), 880) for _ in range(2)] == [values(one, 880) for one in reports]
    assert [one.text(880) for one in reports] == [one.text(17).split(".")[0] for one in reports]


def test_orders_until_a_call_expire_when_it_begins(door):
    client = door.trader()
    client.order("gtx", 1, 5, "90", (59, 5))
    client.order("day", 1, 5, "90")
    assert [client.take("8").text(150) for _ in range(2)] == ["0", "0"]
    begin_call(door, State.VOLATILITY_AUCTION)
    gone = client.take("8")
    assert values(gone, 11, 150, 39, 59, 58) == ("gtx", "C", "C", "5", "the call of an auction began")
    client.send("AF", (584, "all"), (585, 7))
    assert values(client.take("8"), 11, 911) == ("day", "1")


def test_what_a_price_out_of_range_leaves_of_an_order_is_told(door):
    buyer, seller = door.trader("CLIENT1"), door.trader("CLIENT2")
    run(door, commands.set_auction_rules(
        1, reference_price_ticks=10_000, dynamic_range_bp=100, volatility_call_ns=10**12))  # fmt: skip
    buyer.send("e", (324, "w"), (55, "SYM1"), (263, 1))
    buyer.take("f")
    seller.order("s", 2, 5, "110")
    seller.take("8")
    buyer.order("ioc", 1, 5, "110", (59, 3))
    assert values(buyer.take("8"), 150, 39) == ("0", "0")
    assert values(buyer.take("8"), 150, 39, 58) == ("4", "4", "the next match would have left the price range")
    door.until(lambda: [one.msg_type for one in buyer.received].count("f") == 2)
    told = next(one for one in buyer.received if one.text(325))
    assert values(told, 325, 326, 336, 625) == ("Y", "5", "1", "6")
    assert told.text(58).startswith("the call is to end at 2")


# ------------------------------------------------------------------------------------------ states told


def test_every_phase_is_told_to_who_watches(door):
    client = door.trader()
    client.send("e", (324, "w"), (55, "SYM1"), (263, 1))
    assert values(client.take("f"), 325, 326, 625) == ("", "17", "3")
    client.send("g", (335, "s"), (263, 1))
    assert client.take("h").text(340) == "2"
    set_state(door, State.CLOSED, instrument_id=2)
    told = []
    for state in (
        *(State.CANCEL_ONLY, State.OPEN, State.VOLATILITY_AUCTION, State.OPEN, State.CLOSED, State.PRE_OPEN),
        *(State.OPENING_AUCTION, State.POST_ONLY, State.HALTED, State.NAV_COLLECTION, State.CLOSED),
    ):
        set_state(door, state)
        told.append(values(client.take("f"), 324, 325, 326, 336, 625))
    assert [one[:2] for one in told] == [("w", "Y")] * len(told)
    assert [one[2:] for one in told] == [
        ("2", "1", "CANCEL_ONLY"), ("3", "1", "3"), ("5", "1", "6"), ("3", "1", "3"), ("18", "", ""), ("21", "1", "1"),
        ("22", "1", "2"), ("21", "1", "POST_ONLY"), ("2", "", ""), ("21", "1", "NAV"), ("18", "", ""),
    ]  # fmt: skip
    sessions = [one.text(340) for one in client.received if one.msg_type == "h"]
    assert sessions == ["2", "1", "2", "1", "2", "3", "4", "1", "4", "3"]


def test_a_call_is_told_from_its_start_to_its_end(door):
    client, seller = door.trader("CLIENT1"), door.trader("CLIENT2")
    run(door, commands.set_auction_rules(
        1, reference_price_ticks=10_000, extension_range_bp=100, extension_ns=1, extensions_max=1))  # fmt: skip
    client.send("e", (324, "w"), (55, "SYM1"), (263, 1))
    client.send("g", (335, "s"), (263, 1))
    client.take("h")
    set_state(door, State.CLOSED, instrument_id=2)
    begin_call(door, State.CLOSING_AUCTION, state_after=State.TRADE_AT_CLOSE)
    client.order("b", 1, 5, "110")
    seller.order("s", 2, 5, "110")
    door.until(lambda: [one.msg_type for one in client.received].count("h") == 2)
    end_call(door)  # the price is too far from the reference: the call goes on
    door.until(lambda: [one.msg_type for one in client.received].count("f") == 3)
    end_call(door)
    door.until(lambda: [one.msg_type for one in client.received].count("f") == 4)
    told = [values(one, 326, 625, 325) for one in client.received if one.msg_type == "f"]
    assert told == [("17", "3", ""), ("5", "4", "Y"), ("5", "4", "Y"), ("17", "5", "Y")]
    texts = [one.text(58) for one in client.received if one.msg_type == "f"]
    assert [text[:24] for text in texts] == ["", "", "the call is extended to ", ""]
    assert [one.text(340) for one in client.received if one.msg_type == "h"] == ["2", "5"]
    assert [values(one, 150, 31) for one in client.received if one.msg_type == "8"] == [("0", ""), ("F", "110")]
