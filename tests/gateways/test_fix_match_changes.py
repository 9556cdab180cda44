"""Goal: what comes of a match later, its fee, a bust, a correction, is told over FIX as the binary protocol tells it.

Method: a real door and real sockets, turned by hand; operator commands as another door would bring them. Reports are held
against our dictionary, strictly, and against the engine's reports of the same events.
"""

import os
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from fix_maker import FixDoor

from tradsys.fix.dictionary import load
from tradsys.fix.rules import Rules
from tradsys.fix.settings import SessionSettings
from tradsys.gateways.fix_sessions import FixSessionConfig
from tradsys.gateways.reports import render_reports
from tradsys.wire import commands
from tradsys.wire.enums import InstrumentState, ReportType, Side, StpMode

# another dictionary, e.g. the stock FIX44.xml of QuickFIX: what is sent has to fit that as well
DICTIONARY = Path(
    os.environ.get("TRADSYS_STOCK_FIX44")
    or Path(__file__).resolve().parents[2] / "fix_specs" / "TRADSYS-FIX44.xml"
)
RULES = Rules(load(DICTIONARY), strict=True)
FEES = {"fee_exponent": -3, "maker_rate_e7": -1_000, "taker_rate_e7": 25_000, "taker_per_lot": 7}
TYPES = {"B": ReportType.FEE, "H": ReportType.BUSTED, "G": ReportType.CORRECTED}
HEADER = (8, 9, 34, 43, 49, 52, 56, 122, 10)
PARTIES = (453, 448, 447, 452)


class ChangeDoor(FixDoor):
    """Sessions 1 and 2 of participants 1 and 2, and session 3, a drop copy of participant 1."""

    def configs(self, **changes):
        return [
            FixSessionConfig(
                number,
                participant,
                SessionSettings(sender_comp_id="TRADSYS", target_comp_id=name),
                self.path / "fix" / f"{number:06d}",
                kind=kind,
                **({"username": "user", "password": "password-1"} | changes),
            )
            for number, participant, name, kind in (
                (1, 1, "CLIENT1", "orders"), (2, 2, "CLIENT2", "orders"), (3, 1, "COPY", "drop_copy"),
            )
        ]  # fmt: skip

    def define(self):
        made = [
            *(commands.define_participant(number, stp_mode=StpMode.NONE) for number in (1, 2)),
            *(commands.define_session(number, owner, name=f"s{number}") for number, owner in ((1, 1), (2, 2), (3, 1))),
            commands.define_session(4, 1, name="binary"),
            *(commands.define_account(number, 1) for number in (7, 8)),
            commands.define_instrument(1, "SYM1", tick="0.01", price_max="100000", currency="EUR"),
            commands.set_instrument_state(1, InstrumentState.OPEN),
            commands.keep_trades(1000),
        ]
        self.sequencer.run(commands.pack(made), time.time_ns())


@pytest.fixture
def make_door(fix_doors):
    yield lambda **options: fix_doors(kind=ChangeDoor, **options)
    for door in fix_doors.made:
        sent = [one for client in door.clients for one in client.received]
        assert [(str(one), RULES.check(one)) for one in sent if RULES.check(one)] == []
        copies = door.gateway.peer_at(3).copies
        if copies is not None:
            copies.check()


@pytest.fixture
def door(make_door):
    return make_door()


def values(message, *tags):
    return tuple(message.text(tag) for tag in tags)


def run(door, *made):
    door.sequencer.run(commands.pack(list(made)), time.time_ns())


def event_of(exec_id):
    return int(exec_id.split(".")[0])


def match(door, one, two, number=0, qty=5, price="100"):
    """One sells, two buys all of it; the fills of both."""
    one.order(f"s{number}", 2, qty, price)
    assert one.take("8").text(150) == "0"
    two.order(f"b{number}", 1, qty, price)
    assert two.take("8").text(150) == "0"
    return one.take("8"), two.take("8")


def reports_of(client):
    return [one for one in client.received if one.msg_type == "8" and not one.flag(43)]


def body(message, *left_out):
    return [(tag, value) for tag, value in message.fields if tag not in (*HEADER, *left_out)]


def binary_reports(door, session_id):
    events = door.sequencer.read_events(1, door.sequencer.engine.last_event_seq)
    return {
        f"{report['event_seq']}": report
        for report in render_reports(np.ascontiguousarray(events), session_id)
        if report["report_type"] in TYPES.values()
    }


def assert_agreed(door, client, session_id):
    """Every bust, correction and fee the engine reports to the session is in FIX, and says the same."""
    expected = binary_reports(door, session_id)
    told = {one.text(17).split(".")[0]: one for one in reports_of(client) if one.text(150) in TYPES}
    assert told.keys() == expected.keys()
    for seq, report in expected.items():
        message = told[seq]
        assert TYPES[message.text(150)] == report["report_type"]
        assert event_of(message.text(19)) == report["match_seq"]
        assert values(message, 37, 851) == (f"{report['order_id']}", f"{report['liquidity']}")
        assert message.text(54) == ("1" if report["side"] == Side.BUY else "2")
        if message.text(150) == "B":
            assert Decimal(message.text(137)) == Decimal(int(report["fee"])).scaleb(int(report["fee_exponent"]))
            assert values(message, 136, 138, 139, 31, 32) == ("1", "EUR", "4", "", "")
        else:
            price = Decimal(int(report["price_ticks"])) / 100
            assert (Decimal(message.text(31)), message.text(32)) == (price, f"{report['qty_lots']}")


# ------------------------------------------------------------------------------------------ busts and corrections


def test_both_parties_are_told_of_a_bust_and_their_orders_stay(door):
    copy, one, two = door.trader("COPY"), door.trader("CLIENT1"), door.trader("CLIENT2")
    one.order("s", 2, 10, "100")
    two.order("b", 1, 4, "100")
    one.take("8"), two.take("8")
    sold, bought = one.take("8"), two.take("8")
    run(door, commands.bust_trade(event_of(sold.text(17)), 1))
    for client, fill, status, leaves in ((one, sold, "1", "6"), (two, bought, "2", "0")):
        told = client.take("8")
        assert values(told, 150, 19, 39, 31, 32) == ("H", fill.text(17), status, "100", "4")
        assert values(told, 151, 14, 6, 58) == (leaves, "4", "100", "")
        same = (37, 11, 55, 54, 38, 40, 44, 59, 851)
        assert values(told, *same) == values(fill, *same)
        assert told.text(17) != fill.text(17)
    door.until(lambda: len(reports_of(copy)) == 3)
    assert body(reports_of(copy)[-1], *PARTIES) == body(reports_of(one)[-1])
    one.order("s2", 2, 1, "101")
    assert one.take("8").text(150) == "0"
    for client, session_id in ((one, 1), (two, 2)):
        assert_agreed(door, client, session_id)


def test_a_match_is_corrected_twice_and_then_undone_long_after_its_orders_ended(door):
    copy, one, two = door.trader("COPY"), door.trader("CLIENT1"), door.trader("CLIENT2")
    fills = match(door, one, two)
    match(door, one, two, 1)
    seq = event_of(fills[0].text(17))
    run(door, commands.correct_trade(seq, 1, 9_950), commands.correct_trade(seq, 1, 10_025), commands.bust_trade(seq, 1))
    for client, fill in zip((one, two), fills, strict=True):
        told = [client.take("8") for _ in range(3)]
        assert [values(message, 150, 19, 31, 32) for message in told] == [
            ("G", fill.text(17), "99.5", "5"), ("G", fill.text(17), "100.25", "5"), ("H", fill.text(17), "100.25", "5"),
        ]  # fmt: skip
        assert {values(message, 39, 151, 14, 6) for message in told} == {("2", "0", "5", "100")}
        assert {values(message, 11, 37, 38, 44) for message in told} == {values(fill, 11, 37, 38, 44)}
    door.until(lambda: len(reports_of(copy)) == len(reports_of(one)))
    assert [body(message, *PARTIES) for message in reports_of(copy)] == [body(message) for message in reports_of(one)]
    for client, session_id in ((one, 1), (two, 2)):
        assert_agreed(door, client, session_id)


def test_both_sides_of_a_match_in_one_session_are_told(door):
    one = door.trader("CLIENT1")
    resting, incoming = match(door, one, one)
    run(door, commands.bust_trade(event_of(resting.text(17)), 1))
    told = [one.take("8") for _ in range(2)]
    assert [values(message, 150, 11, 54, 19) for message in told] == [
        ("H", "s0", "2", resting.text(17)), ("H", "b0", "1", incoming.text(17)),
    ]  # fmt: skip
    assert {message.text(19).split(".")[1] for message in told} == {"0", "1"}


def test_a_replaced_order_is_called_as_it_is_called_now(door):
    one, two = door.trader("CLIENT1"), door.trader("CLIENT2")
    one.order("s", 2, 10, "100")
    two.order("b", 1, 4, "100")
    one.take("8"), two.take("8"), two.take("8")
    fill = one.take("8")
    one.replace("s2", "s", 12, "101", side=2)
    one.take("8")
    run(door, commands.correct_trade(event_of(fill.text(17)), 1, 10_100))
    assert values(one.take("8"), 150, 11, 37, 38, 44, 151, 31) == ("G", "s2", fill.text(37), "12", "101", "8", "101")


def test_what_is_forgotten_is_told_as_the_event_has_it(make_door):
    """Numbers that began again carry live orders only; the copy's store as well."""
    door = make_door()
    copy, one, two = door.trader("COPY"), door.trader("CLIENT1"), door.trader("CLIENT2")
    fills = match(door, one, two)
    seq = event_of(fills[0].text(17))
    for client in (one, copy):
        client.close()
    door.until(lambda: door.gateway.connection_count == 1)
    one, copy = door.client("CLIENT1"), door.client("COPY")
    one.logon((141, "Y"))
    copy.logon((141, "Y"))
    door.crash()
    door = make_door()
    one, copy = door.trader("CLIENT1", next_out=one.next_out), door.trader("COPY", next_out=copy.next_out)
    run(door, commands.correct_trade(seq, 1, 9_900))
    told = one.take("8")
    assert values(told, 150, 19, 37, 1, 54, 55) == ("G", *values(fills[0], 17, 37, 1, 54, 55))
    assert values(told, 31, 32, 39, 151, 14, 6, 38, 44) == ("99", "5", "3", "0", "0", "0", "", "")
    assert told.text(11).isdigit()
    assert "no longer remembered" in told.text(58)
    assert body(copy.take("8"), *PARTIES) == body(told)
    assert_agreed(door, one, 1)


@pytest.mark.parametrize("is_reset", [False, True])
def test_what_happened_while_away_is_told_once_and_resent_in_the_same_bytes(make_door, is_reset):
    door = make_door()
    copy, one, two = door.trader("COPY"), door.trader("CLIENT1"), door.trader("CLIENT2")
    run(door, commands.set_fee_schedule(1, **FEES))
    fills = match(door, one, two)
    assert one.take("8").text(150) == two.take("8").text(150) == "B"
    door.until(lambda: len(reports_of(copy)) == 3)
    if is_reset:
        one.send("5"), copy.send("5")
        one.take("5"), copy.take("5")
    door.crash()
    door = make_door()
    seq = event_of(fills[0].text(17))
    run(door, commands.correct_trade(seq, 1, 9_900))
    door.turn()
    one, copy = door.trader("CLIENT1", next_out=one.next_out), door.trader("COPY", next_out=copy.next_out)
    run(door, commands.bust_trade(seq, 1))
    first = [one.take("8") for _ in range(4)]
    assert [message.text(150) for message in first] == ["G", "B", "H", "B"]
    assert {values(message, 19, 11, 39, 14, 6) for message in first} == {(fills[0].text(17), "s0", "2", "5", "100")}
    copied = [copy.take("8") for _ in range(4)]
    assert [body(message, *PARTIES) for message in copied] == [body(message) for message in first]
    for client, sent in ((one, first), (copy, copied)):
        client.send("2", (7, sent[0].seq), (16, 0))
        again = [client.take("8") for _ in range(4)]
        assert [body(message) for message in again] == [body(message) for message in sent]
        assert [(message.seq, message.flag(43)) for message in again] == [(message.seq, True) for message in sent]


# ------------------------------------------------------------------------------------------ fees


@pytest.mark.parametrize(
    ("schedule", "maker", "taker"),
    [
        ({"fee_exponent": -2, "taker_per_lot": 5}, "0", "0.25"),
        ({"fee_exponent": -3, "maker_per_lot": -2, "taker_per_lot": 5}, "-0.01", "0.025"),
        ({"fee_exponent": 0, "maker_per_lot": 3, "taker_per_lot": -4}, "15", "-20"),
        ({"fee_exponent": -4, "maker_rate_e7": -1_234, "taker_rate_e7": 7_777}, "-0.0617", "0.3889"),
        ({"fee_exponent": -13, "taker_per_lot": 1}, "0", "0.0000000000005"),
        ({"fee_exponent": -2, "taker_per_lot": 1, "order_fee_min": 150}, "0", "1.5"),
        ({"fee_exponent": -2, "is_on": False}, None, None),
    ],
)
def test_fees_are_exact_and_rebates_negative(door, schedule, maker, taker):
    copy, one, two = door.trader("COPY"), door.trader("CLIENT1"), door.trader("CLIENT2")
    run(door, commands.set_fee_schedule(1, **schedule))
    fills = match(door, one, two)
    if maker is not None:
        for client, fill, fee in zip((one, two), fills, (maker, taker), strict=True):
            told = client.take("8")
            assert values(told, 150, 19, 136, 137, 138, 139) == ("B", fill.text(17), "1", fee, "EUR", "4")
            same = (37, 11, 39, 151, 14, 6, 54, 55, 38, 44, 851)
            assert values(told, *same) == values(fill, *same)
    for client, session_id in ((one, 1), (two, 2)):
        assert_agreed(door, client, session_id)
    door.until(lambda: len(reports_of(copy)) == len(reports_of(one)))
    assert [body(message, *PARTIES) for message in reports_of(copy)] == [body(message) for message in reports_of(one)]


def test_fees_stand_behind_all_matches_of_a_command(door):
    copy, one, two = door.trader("COPY"), door.trader("CLIENT1"), door.trader("CLIENT2")
    run(door, commands.set_fee_schedule(1, **FEES))
    for number in range(40):
        one.order(f"s{number}", 2, 1, "100")
    for _ in range(40):
        one.take("8")
    two.order("b", 1, 40, "100")
    told = [two.take("8") for _ in range(81)]
    assert [message.text(150) for message in told] == ["0", *"F" * 40, *"B" * 40]
    assert [message.text(19) for message in told[41:]] == [message.text(17) for message in told[1:41]]
    door.until(lambda: len(reports_of(copy)) == 120)
    assert [body(message, *PARTIES) for message in reports_of(copy)] == [body(message) for message in reports_of(one)]
    for client, session_id in ((one, 1), (two, 2)):
        assert_agreed(door, client, session_id)


def test_a_correction_charges_the_difference(door):
    one, two = door.trader("CLIENT1"), door.trader("CLIENT2")
    run(door, commands.set_fee_schedule(1, fee_exponent=-2, taker_rate_e7=100_000))
    _, bought = match(door, one, two, qty=10)
    assert values(two.take("8"), 150, 137, 58) == ("B", "10", "")
    seq = event_of(bought.text(17))
    run(door, commands.correct_trade(seq, 1, 9_000))
    assert [two.take("8").text(150), *values(two.take("8"), 150, 137, 19)] == ["G", "B", "-1", bought.text(17)]
    run(door, commands.bust_trade(seq, 1))
    assert two.take("8").text(150) == "H"
    told = two.take("8")
    assert values(told, 150, 137, 138) == ("B", "-9", "EUR")
    assert "difference" in told.text(58)
    assert_agreed(door, two, 2)


def test_orders_of_a_binary_session_are_copied_with_their_fees(door):
    copy, two = door.trader("COPY"), door.trader("CLIENT2")
    order = {"session_id": 4, "instrument_id": 1, "side": Side.SELL, "price_ticks": 10_000, "qty_lots": 5}
    entered = commands.new_order(client_ref=77, client_seq=1, **order)
    run(door, commands.set_fee_schedule(1, **FEES), commands.open_session(4), entered)
    two.order("b", 1, 5, "100")
    fill = [copy.take("8") for _ in range(2)][1]
    fee = copy.take("8")
    assert values(fill, 150, 11, 39, 448) == ("F", "77", "2", "4")
    assert values(fee, 150, 11, 39, 14, 19, 448) == ("B", "77", "2", "5", fill.text(17), "4")


def test_a_copy_forgets_the_orders_that_ended_first(make_door):
    door = make_door(orders_max=16)  # four of those that ended are kept
    copy, one, two = door.trader("COPY"), door.trader("CLIENT1"), door.trader("CLIENT2")
    fills = [match(door, one, two, number)[0] for number in range(5)]
    for fill in fills:
        run(door, commands.bust_trade(event_of(fill.text(17)), 1))
    told = []
    while len(told) < 5:
        message = copy.take("8")
        if message.text(150) == "H":
            told.append(message)
    assert [message.text(39) for message in told] == ["3", "2", "2", "2", "2"]
    assert [message.text(11) for message in told] == [f"s{number}" for number in range(5)]


# ------------------------------------------------------------------------------------------ trades asked for


def test_who_follows_trades_is_told_what_becomes_of_them(door):
    copy, one, two = door.trader("COPY"), door.trader("CLIENT1"), door.trader("CLIENT2")
    sold, bought = match(door, one, two)
    for client in (copy, one, two):
        client.send("AD", (568, "t"), (569, 0), (263, 1))
        assert values(client.take("AE"), 487, 572, 912) == ("0", "", "Y")
        assert client.take("AQ").text(750) == "1"
    seq = event_of(sold.text(17))
    run(door, commands.correct_trade(seq, 1, 9_900), commands.bust_trade(seq, 1))
    for client, fill in ((one, sold), (two, bought), (copy, sold)):
        for transaction, kind in (("2", "G"), ("1", "H")):
            told = client.take("AE")
            report = next(message for message in reports_of(client) if message.text(150) == kind)
            assert values(told, 487, 572, 880, 570) == (transaction, fill.text(17), f"{seq}", "N")
            same = (17, 31, 32, 60, 54, 37, 11, 55)
            assert values(told, *same) == values(report, *same)
            assert values(told, 571, 75) == (told.text(17), fill.text(60)[:8])
    two.send("AD", (568, "all"), (569, 0))
    assert two.take("AQ").text(750) == "0"
    assert [values(two.take("AE"), 487, 912) for _ in range(3)] == [("0", "N"), ("2", "N"), ("1", "Y")]
    assert two.take("AQ").text(748) == "3"
    two.send("AD", (568, "one"), (569, 0), (17, reports_of(two)[-1].text(17)))
    assert two.take("AQ").text(750) == "0"
    assert values(two.take("AE"), 487, 912, 31) == ("1", "Y", "99")


# ------------------------------------------------------------------------------------------ mass cancels


def test_a_mass_cancel_may_be_of_one_account(door):
    one, two = door.trader("CLIENT1"), door.trader("CLIENT2")
    for name, account in (("a", 7), ("b", 8), ("c", 7), ("d", None)):
        one.order(name, 1, 1, "50", *([(1, account)] if account else []))
        one.take("8")
    two.order("x", 1, 1, "50"), two.take("8")
    now = (60, "20260101-00:00:00")
    one.send("q", (11, "q1"), (530, 7), now, (1, 7))
    assert [values(one.take("8"), 11, 150, 1) for _ in range(2)] == [("a", "4", "7"), ("c", "4", "7")]
    assert values(one.take("r"), 11, 531, 533) == ("q1", "7", "2")
    one.send("q", (11, "q2"), (530, 1), (55, "SYM1"), now, (1, 9))
    assert values(one.take("r"), 11, 531, 533) == ("q2", "1", "0")
    one.send("q", (11, "q3"), (530, 7), now, (1, "none"))
    assert values(one.take("r"), 531, 532, 58) == ("0", "99", "the account is not one of this session's")
    one.send("q", (11, "q4"), (530, 1), (55, "SYM1"), now)
    assert [values(one.take("8"), 11, 150) for _ in range(2)] == [("b", "4"), ("d", "4")]
    assert door.sequencer.engine.live_order_count() == 1
    two.send("q", (11, "q1"), (530, 7), now, (1, 7))  # another participant's account
    assert values(two.take("r"), 531, 533) == ("7", "0")
    assert door.sequencer.engine.live_order_count() == 1
