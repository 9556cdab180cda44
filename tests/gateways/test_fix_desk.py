"""Goal: what a FIX session asks for beside its orders is answered, kept up to date, bounded (rules of engagement 10).

Method: a real door and real sockets, turned by hand. Everything sent is held against our dictionary, strictly.
"""

import datetime
import os
import time
from pathlib import Path

import pytest

from tradsys.fix.dictionary import load
from tradsys.fix.rules import Rules
from tradsys.gateways.fix_limits import FixLimits
from tradsys.wire import commands
from tradsys.wire.enums import InstrumentState

# another dictionary, e.g. the stock FIX44.xml of QuickFIX: what is sent has to fit that as well
DICTIONARY = Path(
    os.environ.get("TRADSYS_STOCK_FIX44")
    or Path(__file__).resolve().parents[2] / "fix_specs" / "TRADSYS-FIX44.xml"
)
CUSTOM = ("UM",)  # sent to those only who have sent our own UL


@pytest.fixture(scope="module")
def rules():
    return Rules(load(DICTIONARY), strict=True)


@pytest.fixture
def make_door(fix_doors, rules):
    yield fix_doors
    for door in fix_doors.made:
        sent = [one for client in door.clients for one in client.received]
        assert [(str(one), rules.check(one)) for one in sent if one.msg_type not in CUSTOM and rules.check(one)] == []


@pytest.fixture
def door(make_door):
    return make_door()


def values(message, *tags):
    return tuple(message.text(tag) for tag in tags)


def run(door, *made):
    """Operator commands, as another door would bring them."""
    door.sequencer.run(commands.pack(list(made)), time.time_ns())


def set_state(door, state, *instrument_ids):
    run(door, *(commands.set_instrument_state(number, state) for number in instrument_ids))


def turns(door, count=5):
    for _ in range(count):
        door.turn()


# ------------------------------------------------------------------------------------------ instruments


def test_the_security_list_follows_definitions_and_comes_in_pages(door):
    client = door.trader()
    client.send("x", (320, "a"), (559, 4))
    assert client.take("y").values(55) == [b"SYM1", b"SYM2"]
    run(door, commands.define_instrument(3, "NEW", tick="0.01", lot="0.001", price_max="100"))
    turns(door)
    client.send("x", (320, "b"), (559, 0), (55, "NEW"))
    assert values(client.take("y"), 320, 560, 393, 893, 146, 55, 561) == ("b", "0", "1", "Y", "1", "NEW", "0.001")
    client.send("x", (320, "c"), (559, 0), (55, "NONE"))
    assert values(client.take("y"), 320, 560) == ("c", "2")
    client.send("x", (320, "d"), (559, 1))
    assert values(client.take("y"), 320, 560) == ("d", "1")


def test_a_long_list_is_paced_and_whole(make_door, monkeypatch):
    monkeypatch.setitem(__import__("fix_maker").SMALL, "instruments_max", 512)
    door = make_door(limits=FixLimits(desk_messages_per_turn=1))
    run(door, *(commands.define_instrument(i, f"S{i}", tick="0.01", price_max="100") for i in range(3, 503)))
    client = door.trader()
    client.send("x", (320, "all"), (559, 4))
    door.turn()
    door.turn()
    assert sum(one.msg_type == "y" for one in client.received) <= 2
    pages = [client.take("y") for _ in range(11)]
    assert [one.text(893) for one in pages] == ["N"] * 10 + ["Y"]
    assert [symbol for one in pages for symbol in one.values(55)] == [
        b"SYM1", b"SYM2", *(b"S%d" % i for i in range(3, 503))]  # fmt: skip


def define(door, *numbers, price_max="100", qty_min="1"):
    made = (commands.define_instrument(i, f"N{i}", tick="0.01", price_max=price_max, qty_min=qty_min) for i in numbers)
    run(door, *made)
    turns(door)


def listed(message):
    return message.text(320), message.text(560), message.text(893), [symbol.decode() for symbol in message.values(55)]


def test_a_list_that_is_followed_tells_what_is_defined_later(door):
    client, other = door.trader(), door.trader("CLIENT2")
    client.send("x", (320, "all"), (559, 4), (263, 1))
    assert listed(client.take("y")) == ("all", "0", "Y", ["SYM1", "SYM2"])
    client.send("x", (320, "one"), (559, 0), (55, "SYM2"), (263, 1))
    assert listed(client.take("y")) == ("one", "0", "Y", ["SYM2"])
    other.send("x", (320, "once"), (559, 4), (263, 0))
    other.take("y")
    define(door, 3, 4)
    assert listed(client.take("y")) == ("all", "0", "Y", ["N3", "N4"])
    run(door, commands.define_instrument(2, "SYM2", tick="0.01", price_max="100000", qty_min="5"))
    updates = [client.take("y"), client.take("y")]
    assert sorted(listed(one) for one in updates) == [("all", "0", "Y", ["SYM2"]), ("one", "0", "Y", ["SYM2"])]
    assert {one.text(562) for one in updates} == {"5"}
    client.send("x", (320, "all"), (559, 4), (263, 2))
    assert values(client.take("y"), 320, 560, 146) == ("all", "0", "")
    client.send("x", (320, "all"), (559, 4), (263, 2))
    assert values(client.take("y"), 320, 560) == ("all", "1")
    define(door, 5)
    client.send("x", (320, "last"), (559, 4))
    assert listed(client.take("y")) == ("last", "0", "Y", ["SYM1", "SYM2", "N3", "N4", "N5"])
    assert sum(one.msg_type == "y" for one in other.received) == 1


def test_a_list_of_nothing_is_not_followed(door):
    client = door.trader()
    for fields in ([(559, 0), (55, "N3")], [(559, 0)], [(559, 1)]):
        client.send("x", (320, "none"), *fields, (263, 1))
        assert values(client.take("y"), 320)[0] == "none"
    client.send("x", (320, "bad"), (559, 4), (263, 3))
    assert values(client.take("3"), 371, 373) == ("263", "5")
    define(door, 3)
    client.order("a")
    assert client.take().msg_type == "8"


def test_a_list_is_told_whole_before_what_is_defined_meanwhile(make_door, monkeypatch):
    """What waits is one page after the other, each instrument once, however often it was defined."""
    monkeypatch.setitem(__import__("fix_maker").SMALL, "instruments_max", 512)
    door = make_door(limits=FixLimits(desk_messages_per_turn=1))
    define(door, *range(3, 303))
    client = door.trader()
    client.send("x", (320, "all"), (559, 4), (263, 1))
    door.turn()
    define(door, *range(303, 363))
    define(door, *range(303, 363), price_max="200")
    pages = [client.take("y") for _ in range(9)]
    assert [one.text(893) for one in pages] == ["N"] * 6 + ["Y"] * 3
    assert [symbol for one in pages for symbol in one.values(55)] == [
        b"SYM1", b"SYM2", *(b"N%d" % i for i in range(3, 363))]  # fmt: skip
    assert [one.text(393) for one in pages] == ["302"] * 7 + ["50", "10"]


def test_only_so_many_lists_can_be_followed_and_they_end_with_the_session(make_door):
    door = make_door(limits=FixLimits(subscriptions_max=32))
    client = door.trader()
    for name in ("a", "b", "b"):
        client.send("x", (320, name), (559, 4), (263, 1))
        assert client.take("y").text(560) == "0"
    client.send("x", (320, "c"), (559, 4), (263, 1))
    assert "no more than 2 lists" in client.take("j").text(58)
    client.send("UL", (5105, "u"))
    limits = client.take("UM")
    assert list(zip(limits.values(5101), limits.values(5102), limits.values(5103), strict=True))[-2] == (b"LISTED", b"2", b"2")
    client.close()
    turns(door, 20)
    back = door.trader(next_out=client.next_out)
    define(door, 3)
    back.order("a")
    assert back.take().msg_type == "8"


@pytest.mark.parametrize(
    ("msg_type", "fields", "fault"),
    [
        ("x", [(559, 4)], ("1", "320")),
        ("e", [(324, "a"), (263, 0)], ("1", "55")),
        ("e", [(324, "a"), (55, "SYM1"), (263, 7)], ("5", "263")),
        ("g", [(335, "a")], ("1", "263")),
        ("AD", [(568, "a")], ("1", "569")),
        ("AD", [(568, "a"), (569, 9)], ("5", "569")),
        ("BE", [(923, "a"), (924, 9), (553, "user")], ("5", "924")),
        ("UL", [(58, "a")], ("1", "5105")),
    ],
)
def test_what_lacks_a_field_is_rejected(door, msg_type, fields, fault):
    client = door.trader()
    client.send(msg_type, *fields)
    reject = client.take("3")
    assert values(reject, 373, 371) == fault
    assert values(reject, 45, 372) == (str(client.next_out - 1), msg_type)


# ------------------------------------------------------------------------------------------ states


def test_who_watches_an_instrument_is_told_of_every_change(door):
    client, other = door.trader(), door.trader("CLIENT2")
    client.send("e", (324, "w1"), (55, "SYM1"), (263, 1))
    assert values(client.take("f"), 324, 55, 325, 326) == ("w1", "SYM1", "", "17")
    other.send("e", (324, "w2"), (55, "SYM1"), (263, 0))
    assert other.take("f").text(326) == "17"
    got = []
    for state in (InstrumentState.HALTED, InstrumentState.OPEN, InstrumentState.CLOSED, InstrumentState.OPEN):
        set_state(door, state, 1, 2)
        got.append(values(client.take("f"), 324, 55, 325, 326))
    assert got == [("w1", "SYM1", "Y", status) for status in ("2", "3", "18", "17")]
    assert client.received[-1].text(60)
    client.send("e", (324, "w1"), (55, "SYM1"), (263, 2))
    assert values(client.take("f"), 325, 326) == ("", "17")
    set_state(door, InstrumentState.HALTED, 1)
    turns(door)
    assert client.unread == [] == other.unread


def test_an_unknown_symbol_has_no_status(door):
    client = door.trader()
    client.send("e", (324, "w"), (55, "NOPE"), (263, 1))
    assert values(client.take("f"), 324, 55, 326, 58) == ("w", "NOPE", "20", "no such Symbol")


def test_the_trading_session_is_told_when_it_changes(door):
    client = door.trader()
    client.send("g", (335, "s"), (263, 1))
    assert values(client.take("h"), 335, 336, 325, 340) == ("s", "1", "", "2")
    set_state(door, InstrumentState.HALTED, 1)
    turns(door)
    assert client.unread == []  # the other one is still open
    set_state(door, InstrumentState.CLOSED, 2)
    assert values(client.take("h"), 335, 325, 340) == ("s", "Y", "1")
    set_state(door, InstrumentState.CLOSED, 1)
    assert client.take("h").text(340) == "3"
    set_state(door, InstrumentState.OPEN, 1)
    assert client.take("h").text(340) == "2"
    client.send("g", (335, "x"), (336, "night"), (263, 0))
    assert values(client.take("h"), 335, 336, 340, 567) == ("x", "night", "6", "1")
    client.send("g", (335, "s"), (263, 2))
    client.take("h")
    set_state(door, InstrumentState.CLOSED, 1)
    turns(door)
    assert client.unread == []


def test_subscriptions_end_with_the_session(door):
    client = door.trader()
    client.send("e", (324, "w"), (55, "SYM1"), (263, 1))
    client.send("g", (335, "s"), (263, 1))
    client.send("AD", (568, "t"), (569, 0), (263, 1))
    client.take("f"), client.take("h"), client.take("AQ"), client.take("AQ")
    client.close()
    door.until(lambda: door.gateway.connection_count == 0)
    back = door.trader(next_out=client.next_out)
    set_state(door, InstrumentState.CLOSED, 1, 2)
    turns(door)
    assert [one.msg_type for one in back.received] == ["A"]
    assert not door.gateway.desk.is_busy


def test_only_so_many_instruments_can_be_watched(make_door):
    door = make_door(limits=FixLimits(subscriptions_max=1))
    client = door.trader()
    client.send("e", (324, "a"), (55, "SYM1"), (263, 1))
    client.send("e", (324, "b"), (55, "SYM2"), (263, 1))
    assert client.take().msg_type == "f"
    assert values(client.take("j"), 372, 380) == ("e", "0")
    client.send("e", (324, "a"), (55, "SYM1"), (263, 2))
    client.send("e", (324, "b"), (55, "SYM2"), (263, 1))
    assert [client.take().msg_type for _ in range(2)] == ["f", "f"]


# ------------------------------------------------------------------------------------------ trades


def trade(door, buyer, seller, count=1, first=0):
    """So many matches of 1 lot at 100; ExecIDs of the buyer's fills."""
    fills = []
    for number in range(first, first + count):
        buyer.order(f"b{number}", 1, 1, "100")
        assert buyer.take("8").text(150) == "0"
        seller.order(f"s{number}", 2, 1, "100")
        assert [seller.take("8").text(150) for _ in range(2)] == ["0", "F"]
        fills.append(buyer.take("8"))
    return fills


def test_trades_are_reported_with_the_exec_ids_of_the_fills(door):
    buyer, seller = door.trader("CLIENT1"), door.trader("CLIENT2")
    fills = trade(door, buyer, seller, 3)
    buyer.send("AD", (568, "t1"), (569, 0))
    assert values(buyer.take("AQ"), 568, 569, 749, 750, 55, 748) == ("t1", "0", "0", "0", "[N/A]", "")
    for number, fill in enumerate(fills):
        report = buyer.take("AE")
        assert values(report, 571, 17, 37, 11, 31, 32, 60) == values(fill, 17, 17, 37, 11, 31, 32, 60)
        assert values(report, 568, 912, 570, 552, 54, 55) == ("t1", "NNY"[number], "N", "1", "1", "SYM1")
    assert values(buyer.take("AQ"), 568, 749, 750, 748) == ("t1", "0", "1", "3")
    seller.send("AD", (568, "t2"), (569, 1), (55, "SYM1"))
    assert values(seller.take("AQ"), 750, 55) == ("0", "SYM1")
    reports = [seller.take("AE") for _ in range(3)]
    assert [one.text(11) for one in reports] == ["s0", "s1", "s2"]
    assert {one.text(54) for one in reports} == {"2"}
    assert {one.text(17).split(".")[1] for one in reports} == {"1"}


def test_one_trade_is_found_by_its_exec_id_and_only_by_its_owner(door):
    buyer, seller = door.trader("CLIENT1"), door.trader("CLIENT2")
    fills = trade(door, buyer, seller, 3)
    exec_id = fills[1].text(17)
    buyer.send("AD", (568, "t"), (569, 0), (17, exec_id))
    assert buyer.take("AQ").text(750) == "0"
    assert values(buyer.take("AE"), 17, 912) == (exec_id, "Y")
    assert buyer.take("AQ").text(748) == "1"
    for name in (exec_id, "0.0", "nonsense", "9" * 60, "7"):
        seller.send("AD", (568, "t"), (569, 0), (17, name))
        assert [values(seller.take(), 35, 750, 748) for _ in range(2)] == [("AQ", "0", ""), ("AQ", "1", "0")]


def test_trades_of_a_time(door):
    buyer, seller = door.trader("CLIENT1"), door.trader("CLIENT2")
    fills = trade(door, buyer, seller, 4)
    moments = [one.text(60) for one in fills]
    day = moments[0][:8]
    tomorrow = (datetime.datetime.strptime(day, "%Y%m%d") + datetime.timedelta(days=1)).strftime("%Y%m%d")
    asked = [
        ([(580, 1), (75, day)], 4),
        ([(580, 1), (75, tomorrow)], 0),
        ([(580, 2), (75, day), (60, moments[1]), (75, day), (60, moments[2] + "999")], 2),
        ([(580, 2), (75, day), (75, tomorrow)], 4),
        ([(580, 0)], 4),
        ([], 4),
    ]
    for dates, count in asked:
        buyer.send("AD", (568, "t"), (569, 0), *dates)
        assert buyer.take("AQ").text(750) == "0"
        got = [buyer.take("AE").text(17) for _ in range(count)]
        assert buyer.take("AQ").text(748) == str(count)
        assert count != 2 or got == [one.text(17) for one in fills[1:3]]


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ([(569, 2)], "8"),
        ([(569, 0), (55, "NOPE")], "1"),
        ([(569, 0), (580, 1), (75, "20261345")], "99"),
        ([(569, 0), (580, 3), (75, "20260101"), (75, "20260101"), (75, "20260101")], "99"),
        ([(569, 0), (580, 2), (75, "20260101")], "99"),
        ([(569, 0), (580, 1)], "99"),
        ([(569, 0), (580, 0), (75, "20260101")], "99"),
        ([(569, 0), (580, 1), (60, "20260101-10:00:00")], "99"),
        ([(569, 0), (580, "none")], "99"),
        ([(569, 0), (580, 1), (75, "20260101"), (60, "noon")], "99"),
    ],
)
def test_a_request_for_trades_that_cannot_be_met_is_refused(door, fields, result):
    client = door.trader()
    client.send("AD", (568, "t"), *fields)
    assert values(client.take("AQ"), 568, 749, 750) == ("t", result, "2")
    turns(door)
    assert client.unread == []


def test_trades_are_followed_until_they_are_not(door):
    buyer, seller = door.trader("CLIENT1"), door.trader("CLIENT2")
    trade(door, buyer, seller, 1)
    buyer.send("AD", (568, "t"), (569, 0), (263, 1))
    assert [values(buyer.take(), 35, 912) for _ in range(3)] == [("AQ", ""), ("AE", "Y"), ("AQ", "")]
    fill = trade(door, buyer, seller, 1, first=1)[0]
    assert values(buyer.take("AE"), 568, 17, 912, 11) == ("t", fill.text(17), "", "b1")
    buyer.send("AD", (568, "t"), (569, 0), (263, 2))
    assert values(buyer.take("AQ"), 749, 750) == ("0", "1")
    trade(door, buyer, seller, 1, first=2)
    turns(door)
    assert buyer.unread == []


def test_many_who_follow_trades_cost_one_reading_of_the_log(door, monkeypatch):
    """A venue that read the log for each of 128 requests at every order would be ten times as slow for everybody."""
    seller, buyer = door.trader("CLIENT2"), door.trader()
    for number in range(64):
        for client in (seller, buyer):
            client.send("AD", (568, f"t{number}"), (569, 0), (263, 1))
    door.until(lambda: all(sum(one.msg_type == "AQ" for one in c.received) == 128 for c in (seller, buyer)))
    turns(door, 50)
    asked = []

    class Log:
        def read_events(self, first_seq, count):
            asked.append((first_seq, count))
            return door.sequencer.read_events(first_seq, count)

    monkeypatch.setattr(door.gateway.desk._trades, "_sequencer", Log())
    seller.order("s1", 2)
    seller.take("8")
    buyer.order("b1")
    for client in (seller, buyer):
        assert [client.take("AE").text(568) for _ in range(64)] == [f"t{number}" for number in range(64)]
    turns(door, 50)
    assert len(asked) <= 32


def test_only_so_many_requests_for_trades_can_be_followed(make_door):
    door = make_door(limits=FixLimits(subscriptions_max=16))
    client = door.trader()
    client.send("AD", (568, "a"), (569, 0), (263, 1))
    client.take("AQ"), client.take("AQ")
    client.send("AD", (568, "b"), (569, 0), (263, 1))
    assert values(client.take("AQ"), 568, 749, 750) == ("b", "99", "2")


# ------------------------------------------------------------------------------------------ news, limits, users


def test_news_reach_the_sessions_named_and_those_logged_on(door):
    one, two = door.trader("CLIENT1"), door.trader("CLIENT2")
    assert door.gateway.news("Early close", ["Trading ends at 13:00 UTC.", "Tomorrow as usual \u2014 \x01."], "1") == 2
    got = one.take("B")
    assert values(got, 61, 148, 33) == ("1", "Early close", "2")
    assert got.values(58) == [b"Trading ends at 13:00 UTC.", b"Tomorrow as usual ? ?."]
    assert two.take("B").text(148) == "Early close"
    assert door.gateway.news("For you", session_ids={2}) == 1
    assert values(two.take("B"), 148, 33, 58) == ("For you", "1", "For you")
    turns(door)
    assert one.unread == []


def test_a_planned_stop_is_news_before_it_is_a_logout(door):
    client = door.trader()
    door.gateway.close_all("the venue is closing")
    assert [values(client.take(), 35, 58) for _ in range(2)] == [
        ("B", "the venue is closing"), ("5", "the venue is closing")]  # fmt: skip


def test_the_limits_say_what_is_used_of_them(make_door):
    door = make_door(throttle_messages=10, throttle_window_ms=60_000)
    client = door.trader()
    for number in range(3):
        client.order(f"o{number}")
    client.send("e", (324, "w"), (55, "SYM1"), (263, 1))
    client.send("UL", (5105, "how"))
    got = client.take("UM")
    assert values(got, 5105, 5100) == ("how", "8")
    rows = zip(*(got.values(tag) for tag in (5101, 5102, 5103, 5104)), strict=True)
    assert list(rows)[:5] == [
        (b"MESSAGES", b"5", b"10", b"60000"), (b"CANCELS", b"0", b"40", b"60000"), (b"ADMIN", b"0", b"40", b"60000"),
        (b"REFUSED", b"0", b"10", b"60000"), (b"WATCHED", b"1", b"1024", b"0"),
    ]  # fmt: skip


def ask_user(client, kind, *fields, name="user"):
    client.send("BE", (923, "u"), (924, kind), (553, name), *fields)
    return values(client.take("BF"), 926, 927)


def test_a_user_is_known_or_not(door):
    client = door.trader()
    assert ask_user(client, 4) == ("1", "LOGGED_ON")
    assert ask_user(client, 1, (554, "password-1")) == ("1", "LOGGED_ON")
    assert ask_user(client, 1, (554, "wrong")) == ("4", "WRONG_PASSWORD")
    assert ask_user(client, 4, name="other")[0] == "3"
    assert ask_user(client, 2)[1].startswith("USE_LOGOUT")


@pytest.mark.parametrize(
    ("old", "new", "status", "code"),
    [
        ("wrong", "another-1", "4", "WRONG_PASSWORD"),
        ("password-1", "short", "6", "BAD_LENGTH"),
        ("password-1", "with space", "6", "BAD_CHARACTERS"),
        ("password-1", "password-1", "6", "SAME_PASSWORD"),
    ],
)
def test_a_password_is_not_changed_for_a_wrong_or_bad_one(door, old, new, status, code):
    client = door.trader()
    got = ask_user(client, 3, (554, old), (925, new))
    assert (got[0], got[1].split(":")[0]) == (status, code)
    client.close()
    door.until(lambda: door.gateway.connection_count == 0)
    door.trader(next_out=client.next_out)


def log_on(door, client, password, expected):
    again = door.client(next_out=client.next_out)
    again.send("A", (98, 0), (108, 30), (553, "user"), (554, password))
    again.take(expected)
    again.close()
    door.until(lambda: door.gateway.connection_count == 0)
    return again


def test_a_changed_password_holds_over_a_crash_until_an_operator_writes_another(make_door):
    door = make_door()
    client = door.trader()
    assert ask_user(client, 3, (554, "password-1"), (925, "changed-22")) == ("5", "PASSWORD_CHANGED")
    door.crash()
    door = make_door()
    client = log_on(door, client, "password-1", "5")
    client = log_on(door, client, "changed-22", "A")
    written = b"".join(path.read_bytes() for path in (door.path / "fix").rglob("*") if path.is_file())
    assert b"changed-22" not in written
    door.crash()
    door = make_door(password="of the operator")
    client = log_on(door, client, "changed-22", "5")
    log_on(door, client, "of the operator", "A")


def test_a_session_that_signs_has_no_password_to_change(make_door):
    door = make_door(password="")
    client = door.client()
    client.send("A", (98, 0), (108, 30), (553, "user"))
    client.take("A")
    assert ask_user(client, 3, (554, "a"), (925, "another-1"))[1].startswith("NO_PASSWORD")


def test_guessing_passwords_is_bounded(door):
    client = door.trader()
    got = [ask_user(client, 3, (554, f"guess-{number}"), (925, "another-1"))[1] for number in range(8)]
    assert [text.split(":")[0] for text in got] == ["WRONG_PASSWORD"] * 5 + ["TOO_OFTEN"] * 3


# ------------------------------------------------------------------------------------------ hostile


@pytest.mark.parametrize("request_", [("x", (320, "r"), (559, 4)), ("e", (324, "r"), (55, "SYM1"), (263, 1)),
                                      ("AD", (568, "r"), (569, 0), (263, 1)), ("g", (335, "r"), (263, 1))])  # fmt: skip
def test_a_flood_of_requests_waits_or_is_refused_while_others_trade(door, request_):
    flooder, trader = door.trader("CLIENT1"), door.trader("CLIENT2")
    flooder.raw(b"".join(flooder.message(*request_) for _ in range(2_000)))
    for number in range(20):
        trader.order(f"o{number}")
        assert trader.take("8").text(11) == f"o{number}"
    door.until(lambda: sum(one.msg_type not in ("A", "AE") for one in flooder.received) >= 2_000)
    kinds = [one.msg_type for one in flooder.received]
    assert kinds.count("j") + kinds.count(kinds[-1] if kinds[-1] != "j" else kinds[1]) >= 2_000
    seqs = [one.seq for one in flooder.received]
    assert seqs == list(range(1, len(seqs) + 1))


def test_a_client_that_does_not_read_gets_the_newest_state_only(make_door):
    """What waits at the desk does not grow: one state an instrument."""
    door = make_door()
    client, other = door.trader(), door.trader("CLIENT2")
    client.send("e", (324, "w"), (55, "SYM1"), (263, 1))
    client.take("f")
    client.send("2", (7, 1), (16, 0))  # while something is resent nothing else is sent
    for _ in range(50):
        set_state(door, InstrumentState.HALTED, 1)
        set_state(door, InstrumentState.OPEN, 1)
    turns(door, 20)
    updates = [one for one in client.received if one.msg_type == "f" and one.text(325) == "Y" and not one.flag(43)]
    assert 1 <= len(updates) < 50
    assert updates[-1].text(326) in ("3", "17")
    other.order("a")
    assert other.take("8").text(11) == "a"
