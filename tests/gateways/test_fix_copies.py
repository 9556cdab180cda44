"""Goal: a drop copy is told what its participant's sessions are told, once each, and nothing of anybody else.

Method: a real door and real sockets, turned by hand. Participant 1 has two sessions that enter orders and two copies (one of
account 7 only), participant 2 one of each, and a session that speaks the binary protocol.
"""

import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fix_maker import FixDoor

from tradsys.fix.dictionary import load
from tradsys.fix.message import split
from tradsys.fix.rules import Rules
from tradsys.fix.settings import SessionSettings
from tradsys.gateways.fix_sessions import FixSessionConfig
from tradsys.wire import commands
from tradsys.wire.enums import InstrumentState, ListType, OrderType, Permission, Side, StpMode, TriggerSource
from tradsys.wire.records import ORDER_COMMAND

NAMES = {1: "CLIENT1", 2: "CLIENT2", 3: "CLIENT3", 4: "COPY", 5: "COPY2", 6: "COPY7"}
PARTICIPANTS = {1: 1, 2: 2, 3: 1, 4: 1, 5: 2, 6: 1}
BINARY = 8  # a session of participant 1 that is none of this door
# another dictionary, e.g. the stock FIX44.xml of QuickFIX: what is sent has to fit that as well
DICTIONARY = Path(
    os.environ.get("TRADSYS_STOCK_FIX44")
    or Path(__file__).resolve().parents[2] / "fix_specs" / "TRADSYS-FIX44.xml"
)
RULES = Rules(load(DICTIONARY), strict=True)


class CopyDoor(FixDoor):
    """Sessions 1, 3 and copies 4, 6 of participant 1; session 2 and copy 5 of participant 2."""

    copies = (4, 5, 6)

    def configs(self, **changes):
        return [
            FixSessionConfig(
                number,
                PARTICIPANTS[number],
                SessionSettings(sender_comp_id="TRADSYS", target_comp_id=name),
                self.path / "fix" / f"{number:06d}",
                kind="drop_copy" if number > 3 else "orders",
                accounts=(7,) if number == 6 else (),
                **({"username": "user", "password": "password-1", "orders_max": 1024} | changes),
            )
            for number, name in NAMES.items()
            if number < 4 or number in self.copies
        ]

    def define(self):
        made = [
            commands.define_participant(1, permissions=Permission.TRADE, stp_mode=StpMode.NONE),
            commands.define_participant(2),
            *(commands.define_session(number, owner, name=f"s{number}") for number, owner in PARTICIPANTS.items()),
            commands.define_session(BINARY, 1, name="binary"),
            commands.define_account(7, 1),
            *(commands.define_instrument(i, f"SYM{i}", tick="0.01", price_max="100000") for i in (1, 2)),
            *(commands.set_instrument_state(i, InstrumentState.OPEN) for i in (1, 2)),
        ]
        self.sequencer.run(commands.pack(made), time.time_ns())


@pytest.fixture
def make_door(fix_doors):
    yield partial(fix_doors, kind=CopyDoor)
    for door in fix_doors.made:
        sent = [one for client in door.clients for one in client.received]
        assert [(str(one), RULES.check(one)) for one in sent if RULES.check(one)] == []
        for number in door.copies:
            peer = door.gateway.peer_at(number)
            if peer is not None:
                peer.copies.check()


@pytest.fixture
def door(make_door):
    return make_door()


def values(message, *tags):
    return tuple(message.text(tag) for tag in tags)


def reports_of(client):
    return [one for one in client.received if one.msg_type == "8"]


def body(message):
    """What a report says: everything behind the header but the parties, which say whose it is."""
    left_out = (8, 9, 35, 34, 43, 49, 52, 56, 122, 10, 453, 448, 447, 452)
    return [(tag, value) for tag, value in message.fields if tag not in left_out]


def assert_copied(door, copy, *traders):
    """Each report of these sessions is in the copy, word for word, and nothing else is."""
    wanted = {one.text(17): body(one) for trader in traders for one in reports_of(trader)}
    door.until(lambda: len(reports_of(copy)) >= len(wanted))
    for _ in range(3):
        door.turn()
    copied = reports_of(copy)
    assert {one.text(17): body(one) for one in copied} == wanted
    assert len(copied) == len(wanted)
    events = [tuple(int(part) for part in one.text(17).split(".")) for one in copied]
    assert events == sorted(events)


def everything_that_happens(door, one, three, two):
    """Orders of two sessions of participant 1 and one of 2: rest, match, replace, cancel, mass cancel, refused."""
    one.order("a1", 1, 10, "100")
    one.take("8")
    three.order("a1", 1, 5, "99")  # the same ClOrdID in another session
    three.take("8")
    two.order("x1", 2, 4, "100")
    two.take("8"), two.take("8"), one.take("8")
    one.replace("a2", "a1", 12, "100.5")
    one.take("8")
    one.replace("a3", "a2", 14, "100.5")
    one.take("8")
    two.order("x2", 2, 3, "99")
    two.take("8"), two.take("8"), one.take("8")
    one.cancel("a4", "a3")
    assert one.take("8").text(150) == "4"
    one.order("bad", 1, 10, "100", (1, "3"))
    assert one.take("8").text(150) == "8"
    one.order("acc", 1, 10, "98", (1, "7"))
    one.take("8")
    three.order("self", 2, 1, "98", (59, 3))  # both sides are the participant's
    three.take("8"), three.take("8"), three.take("8")
    two.order("x3", 2, 5, "98")
    two.take("8"), two.take("8"), two.take("8")
    one.order("ioc", 1, 1, "50", (59, 3))
    one.take("8"), one.take("8")
    three.order("m", 1, 1, "5")
    three.send("q", (11, "q"), (530, 7), (60, "20260101-00:00:00"))
    three.take("r")
    for _ in range(3):
        door.turn()


def test_a_copy_says_what_the_sessions_of_its_participant_are_told(door):
    copy, copy2 = door.trader("COPY"), door.trader("COPY2")
    one, three, two = door.trader("CLIENT1"), door.trader("CLIENT3"), door.trader("CLIENT2")
    everything_that_happens(door, one, three, two)
    assert_copied(door, copy, one, three)
    assert_copied(door, copy2, two)
    first = reports_of(copy)[0]
    assert values(first, 453, 448, 447, 452) == ("1", "CLIENT1", "D", "36")
    assert {one.text(448) for one in reports_of(copy)} == {"CLIENT1", "CLIENT3"}


def test_a_copy_of_some_accounts_has_those_only(door):
    copy = door.trader("COPY7")
    one, three, two = door.trader("CLIENT1"), door.trader("CLIENT3"), door.trader("CLIENT2")
    everything_that_happens(door, one, three, two)
    wanted = [one_ for one_ in reports_of(one) if one_.text(1) == "7"]
    assert wanted
    assert [body(one_) for one_ in reports_of(copy)] == [body(one_) for one_ in wanted]


def test_what_happened_while_a_copy_was_away_follows_its_logon(door):
    copy = door.trader("COPY")
    one, three, two = door.trader("CLIENT1"), door.trader("CLIENT3"), door.trader("CLIENT2")
    one.order("early", 1, 10, "10")
    one.take("8"), copy.take("8")
    copy.close()
    door.until(lambda: door.gateway.connection_count == 3)
    everything_that_happens(door, one, three, two)
    back = door.trader("COPY", next_out=copy.next_out)
    back.received[:0] = [one for one in copy.received if one.msg_type == "8"]
    assert_copied(door, back, one, three)
    assert all(not one.flag(43) for one in back.received)


def test_names_of_requests_long_forgotten_come_from_the_store(door):
    """The trading session remembers 1024 requests; the copy was away for more."""
    one = door.trader("CLIENT1")
    for number in range(1_500):
        one.order(f"o{number}", 1, 1, "1", (59, 3))
        if number % 100 == 0:
            door.turn()
    door.until(lambda: len(reports_of(one)) == 3_000)
    copy = door.trader("COPY")
    assert_copied(door, copy, one)


def test_a_copy_is_resent_word_for_word_when_asked(door):
    copy = door.trader("COPY")
    one, three, two = door.trader("CLIENT1"), door.trader("CLIENT3"), door.trader("CLIENT2")
    everything_that_happens(door, one, three, two)
    assert_copied(door, copy, one, three)
    first = reports_of(copy)
    copy.send("2", (7, 1), (16, 0))
    copy.take("4")
    one.order("live", 1, 1, "10")
    door.until(lambda: len(reports_of(copy)) == 2 * len(first) + 1)
    again = reports_of(copy)[len(first) : 2 * len(first)]
    assert [values(one, 34, 17, 11, 448) for one in again] == [values(one, 34, 17, 11, 448) for one in first]
    assert all(values(one, 43) == ("Y",) for one in again)
    assert values(reports_of(copy)[-1], 11, 43) == ("live", "")


def test_copies_go_on_after_a_crash_with_numbers_states_and_names(make_door):
    door = make_door()
    copy = door.trader("COPY")
    one, two = door.trader("CLIENT1"), door.trader("CLIENT2")
    one.order("a", 1, 10, "100")
    two.order("x", 2, 4, "100")
    one.replace("b", "a", 20, "101")
    one.order("gone", 1, 1, "1", (59, 3))
    door.until(lambda: len(reports_of(copy)) == 5)
    door.crash()
    door = make_door()
    one = door.trader("CLIENT1", next_out=one.next_out)
    two = door.trader("CLIENT2", next_out=two.next_out)
    back = door.trader("COPY", next_out=copy.next_out)
    two.order("y", 2, 3, "100")
    one.cancel("c", "b")
    got = [back.take("8") for _ in range(2)]
    assert [values(message, 11, 41, 150, 38, 14, 151, 6) for message in got] == [
        ("b", "", "F", "20", "7", "13", "100.4285714286"), ("c", "b", "4", "20", "7", "0", "100.4285714286"),
    ]  # fmt: skip
    assert got[0].seq == max(message.seq for message in copy.received) + 2  # behind the answer to its Logon
    assert_copied(door, back, one)


def test_a_copy_that_is_new_begins_at_the_end_of_the_log_and_knows_what_is_live(make_door):
    class Without(CopyDoor):
        copies = ()

    door = make_door(kind=Without)
    one, two = door.trader("CLIENT1"), door.trader("CLIENT2")
    one.order("a", 1, 10, "100")
    two.order("x", 2, 4, "100")
    one.replace("b", "a", 20, "101")
    door.until(lambda: len(reports_of(one)) == 3)
    door.crash()
    door = make_door()
    one = door.trader("CLIENT1", next_out=one.next_out)
    copy = door.trader("COPY")
    one.cancel("c", "b")
    assert values(copy.take("8"), 11, 41, 150, 38, 14, 6) == ("c", "b", "4", "20", "4", "100")
    assert_copied(door, copy, one)


def test_a_reset_begins_at_one_and_forgets_no_order(door):
    copy, one = door.trader("COPY"), door.trader("CLIENT1")
    one.order("a", 1, 10, "100")
    copy.take("8")
    copy.close()
    door.until(lambda: door.gateway.connection_count == 1)
    one.replace("b", "a", 12, "100")
    one.take("8"), one.take("8")
    back = door.client("COPY")
    assert values(back.logon((141, "Y")), 34, 141) == ("1", "Y")
    assert values(back.take("8"), 34, 11, 41, 150) == ("2", "b", "a", "5")
    one.cancel("c", "b")
    assert values(back.take("8"), 34, 11, 41, 150) == ("3", "c", "b", "4")


def test_orders_of_a_binary_session_are_named_by_their_reference(door):
    copy = door.trader("COPY")
    order = {"session_id": BINARY, "instrument_id": 1, "side": Side.BUY}
    made = [
        commands.open_session(BINARY),
        commands.new_order(client_ref=0, price_ticks=10_000, qty_lots=5, client_seq=1, **order),
        commands.new_order(client_ref=2**63 + 5, price_ticks=9_000, qty_lots=7, client_seq=2, **order),
    ]
    door.sequencer.run(commands.pack(made), time.time_ns())
    assert values(copy.take("8"), 11, 150, 38, 44, 448) == ("0", "0", "5", "100", str(BINARY))
    assert values(copy.take("8"), 11, 150, 38, 44) == (str(2**63 + 5), "0", "7", "90")
    two = door.trader("CLIENT2")
    two.order("x", 2, 2, "100")
    assert values(copy.take("8"), 11, 150, 39, 14, 151, 6) == ("0", "F", "1", "2", "3", "100")


def test_the_orders_of_a_list_are_told_in_a_copy_with_their_fields_and_turns(door):
    copy = door.trader("COPY")
    leg = {"client_ref": 1, "side": Side.BUY, "price_ticks": 9_000}
    stop = {"client_ref": 2, "side": Side.BUY, "order_type": OrderType.STOP, "trigger_price_ticks": 11_000}
    pair = commands.new_order_list(
        list_type=ListType.OCO, instrument_id=1, qty_lots=5, trigger_source=TriggerSource.LAST, legs=[leg, stop],
        session_id=BINARY, client_seq=1,
    )  # fmt: skip
    door.sequencer.run(commands.pack([commands.open_session(BINARY), pair]), time.time_ns())
    assert values(copy.take("8"), 11, 150, 38, 40, 44, 99) == ("1", "0", "5", "2", "90", "")
    assert values(copy.take("8"), 11, 150, 38, 40, 44, 99) == ("2", "0", "5", "3", "", "110")
    turn = "its turn in the list has come"
    told = (11, 150, 39, 378, 38, 40, 44, 99, 151, 14, 58)
    assert values(copy.take("8"), *told) == ("1", "D", "0", "99", "5", "2", "90", "", "5", "0", turn)
    assert values(copy.take("8"), *told) == ("2", "D", "0", "99", "5", "3", "", "110", "5", "0", turn)
    two = door.trader("CLIENT2")
    two.order("x", 2, 5, "90")
    assert values(copy.take("8"), 11, 150, 39, 14, 151) == ("1", "F", "2", "5", "0")
    ended = copy.take("8")
    assert values(ended, 11, 150, 39, 151) == ("2", "4", "4", "0")
    assert ended.text(58) == "another order of its list was filled or triggered"


@pytest.mark.parametrize("msg_type", ["D", "F", "G", "H", "q", "AF"])
def test_a_copy_enters_no_orders(door, msg_type):
    copy, one = door.trader("COPY"), door.trader("CLIENT1")
    now = "20260101-00:00:00"
    copy.send(msg_type, (11, "a"), (41, "b"), (55, "SYM1"), (54, 1), (60, now), (38, 1), (40, 2), (44, 1), (530, 7),
              (584, "s"), (585, 7))  # fmt: skip
    reject = copy.take("j")
    assert values(reject, 45, 372, 379, 380) == (str(copy.next_out - 1), msg_type, "a", "6")
    one.order("a")
    assert copy.take("8").text(11) == "a"
    assert door.sequencer.engine.live_order_count() == 1


def test_the_logon_may_say_what_the_settings_say(door):
    copy = door.client("COPY")
    copy.logon((9406, "Y"))
    wrong = door.client("COPY2")
    assert "9406" in wrong.logon((9406, "N"), expected="5").text(58)
    trader = door.client("CLIENT1")
    assert "9406" in trader.logon((9406, "Y"), expected="5").text(58)
    thief = door.client("CLIENT2")
    thief.send("A", (98, 0), (108, 30), (553, "user"), (554, "wrong"), (9406, "Y"))
    assert "wrong" in thief.take("5").text(58)


def test_a_copy_asks_for_the_trades_of_its_participant(door):
    copy, copy7 = door.trader("COPY"), door.trader("COPY7")
    one, three, two = door.trader("CLIENT1"), door.trader("CLIENT3"), door.trader("CLIENT2")
    everything_that_happens(door, one, three, two)
    for asker, traders, account in ((copy, (one, three), None), (copy7, (one,), "7")):
        fills = [message for trader in traders for message in reports_of(trader) if message.text(150) == "F"]
        fills = [message for message in fills if account in (None, message.text(1))]
        asker.send("AD", (568, "t"), (569, 0))
        asker.take("AQ")
        reports = [asker.take("AE") for _ in fills]
        assert asker.take("AQ").text(748) == str(len(fills))
        wanted = {message.text(17): values(message, 11, 37, 31, 32, 54, 1) for message in fills}
        assert {message.text(17): values(message, 11, 37, 31, 32, 54, 1) for message in reports} == wanted


def test_a_copy_that_does_not_read_harms_nobody_and_misses_nothing(make_door, monkeypatch):
    door = make_door()
    copy, one = door.trader("COPY"), door.trader("CLIENT1")
    door.clients.remove(copy)  # its socket fills
    for number in range(9_000):
        one.order(f"o{number}", 1, 1, "1", (59, 3))
        if number % 100 == 0:
            door.turn()
    door.until(lambda: len(reports_of(one)) == 18_000)
    door.clients.append(copy)
    assert_copied(door, copy, one)


def test_a_copy_tells_of_auctions_as_its_sessions_are_told(make_door):
    door = make_door()
    copy, buyer, seller = door.trader("COPY"), door.trader("CLIENT1"), door.trader("CLIENT3")
    states = (InstrumentState.CLOSED, InstrumentState.PRE_OPEN)
    door.sequencer.run(
        commands.pack([commands.set_instrument_state(1, state) for state in states]), time.time_ns()
    )
    buyer.order("b", 1, 10, None)
    seller.order("s", 2, 5, "100", (59, 2))
    buyer.take("8"), seller.take("8")
    door.sequencer.run(commands.pack([commands.set_instrument_state(1, InstrumentState.OPEN)]), time.time_ns())
    assert values(buyer.take("8"), 150, 39, 31, 625) == ("F", "1", "100", "AUCTION")
    assert values(seller.take("8"), 150, 39, 59) == ("F", "2", "2")
    assert values(buyer.take("8"), 150, 39) == ("C", "C")
    assert_copied(door, copy, buyer, seller)


def test_a_value_of_later_fix_is_told_to_none_but_who_used_it(make_door):
    door = make_door()
    copy, trader = door.trader("COPY"), door.trader("CLIENT1")
    door.sequencer.run(
        commands.pack([commands.set_instrument_state(1, InstrumentState.VOLATILITY_AUCTION)]), time.time_ns()
    )
    trader.order("a", 1, 10, "100", (59, "B"))
    assert trader.take("8").text(59) == "B"
    assert values(copy.take("8"), 11, 59) == ("a", "")


class HistoryDoor(CopyDoor):
    """Half a million matches between two binary sessions of participant 1 before the door opens."""

    matches = 500_000
    batch = 5_000

    def define(self):
        super().define()
        self.sequencer.run(commands.pack([commands.define_session(BINARY + 1, 1, name="other")]), time.time_ns())
        self.sequencer.run(commands.pack([commands.open_session(n) for n in (BINARY, BINARY + 1)]), time.time_ns())
        pair = [
            commands.new_order(session_id=number, client_seq=1, client_ref=1, instrument_id=1, side=side,
                               price_ticks=10_000, qty_lots=1)
            for number, side in ((BINARY, Side.BUY), (BINARY + 1, Side.SELL))
        ]  # fmt: skip
        records = np.tile(np.concatenate(pair).view(ORDER_COMMAND), self.batch)
        for first in range(1, self.matches + 1, self.batch):
            numbers = np.repeat(np.arange(first, first + self.batch), 2)
            records["client_seq"], records["client_ref"] = numbers, numbers
            self.sequencer.run(records, time.time_ns())


def resident_kib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 10


@pytest.mark.heavy
def test_a_million_trades_asked_for_by_a_slow_reader(make_door):
    """Goal: bounded memory, and another session that is served all the time, while a million AE wait and then go."""
    door = make_door(kind=HistoryDoor)
    copy, other = door.trader("COPY"), door.trader("CLIENT2")
    door.clients.remove(copy)
    copy.send("AD", (568, "all"), (569, 0))
    for number in range(200):
        other.order(f"o{number}", 1, 1, "1")
        assert other.take("8").text(11) == f"o{number}"
    before_kib = resident_kib()
    most_kib = before_kib
    seen, rest = 0, b""
    last = -1.0
    begin = time.monotonic()
    while seen < 2 * door.matches:
        door.turn()
        most_kib = max(most_kib, resident_kib()) if door.gateway.desk.is_busy and seen % 1_000 < 40 else most_kib
        try:
            rest += copy.socket.recv(1 << 20)
        except BlockingIOError:
            continue
        frames, garbled, rest = split(rest)
        assert garbled == 0
        for frame in frames:
            if b"\x0135=AE\x01" in frame:
                event, party = frame.partition(b"\x0117=")[2].partition(b"\x01")[0].split(b".")
                place = int(event) + int(party) / 2
                assert place > last
                last = place
                seen += 1
    print(f"{seen} trades in {time.monotonic() - begin:.1f} s, memory grew by {most_kib - before_kib} KiB at most")
    assert most_kib - before_kib < 64 << 10
    door.clients.append(copy)
    other.order("last", 1, 1, "1")
    assert other.take("8").text(11) == "last"
