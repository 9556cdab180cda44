"""The FIX door with real sockets and the real sequencer (fix_specs/RULES_OF_ENGAGEMENT.md)."""

import random

import pytest
from fix_maker import end_patience

from tradsys.app.fix import log
from tradsys.errors import InputError
from tradsys.fix.message import Header, build, frame_of, parse
from tradsys.gateways.fix_answers import masked
from tradsys.gateways.fix_limits import FixLimits
from tradsys.gateways.fix_store import FixStore


@pytest.fixture
def make_door(fix_doors):
    return fix_doors


@pytest.fixture
def door(make_door):
    return make_door()


def values(message, *tags):
    return tuple(message.text(tag) for tag in tags)


def test_an_order_is_accepted_matched_and_reported_to_both_sides(door):
    buyer, seller = door.trader("CLIENT1"), door.trader("CLIENT2")
    buyer.order("b-1", 1, 10, "100.50")
    report = buyer.take("8")
    assert values(report, 11, 150, 39, 38, 40, 44, 59, 151, 14, 6, 54, 55) == (
        "b-1", "0", "0", "10", "2", "100.5", "0", "10", "0", "0", "1", "SYM1")  # fmt: skip
    seller.order("s-1", 2, 4, "100.4")
    assert values(seller.take("8"), 150, 39) == ("0", "0")
    assert values(seller.take("8"), 11, 150, 39, 31, 32, 151, 14, 6, 851) == (
        "s-1", "F", "2", "100.5", "4", "0", "4", "100.5", "2")  # fmt: skip
    assert values(buyer.take("8"), 11, 150, 39, 31, 32, 151, 14, 6, 851) == (
        "b-1", "F", "1", "100.5", "4", "6", "4", "100.5", "1")  # fmt: skip


def test_a_fill_at_two_prices_has_an_exact_average(door):
    buyer, seller = door.trader("CLIENT1"), door.trader("CLIENT2")
    seller.order("s-1", 2, 1, "100")
    seller.order("s-2", 2, 2, "100.01")
    seller.take("8"), seller.take("8")
    buyer.order("b-1", 1, 3, "101")
    buyer.take("8")
    assert values(buyer.take("8"), 14, 6) == ("1", "100")
    assert values(buyer.take("8"), 14, 6, 39) == ("3", "100.0066666667", "2")


def test_cancel_and_replace_name_both_ids(door):
    client = door.trader()
    client.order("a", 1, 10, "50")
    order_id = client.take("8").text(37)
    client.replace("b", "a", 12, "51")
    assert values(client.take("8"), 11, 41, 37, 150, 39, 38, 44, 151) == (
        "b", "a", order_id, "5", "0", "12", "51", "12")  # fmt: skip
    client.cancel("c", "b")
    assert values(client.take("8"), 11, 41, 150, 39, 151, 14) == ("c", "b", "4", "4", "0", "0")
    client.cancel("d", "b")
    assert values(client.take("9"), 11, 41, 37, 39, 434, 102) == ("d", "b", order_id, "4", "1", "0")
    client.cancel("e", "never")
    assert values(client.take("9"), 11, 41, 37, 39, 434, 102) == ("e", "never", "NONE", "8", "1", "1")


def test_requests_pipelined_behind_each_other_find_their_order(door):
    client = door.trader()
    client.order("a", 1, 10, "50")
    client.replace("b", "a", 20, "50")
    client.replace("c", "b", 30, "49")
    client.cancel("d", "c")
    got = [values(client.take("8"), 11, 41, 150) for _ in range(4)]
    assert got == [("a", "", "0"), ("b", "a", "5"), ("c", "b", "5"), ("d", "c", "4")]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": "100.005"}, "99"), ({"qty": "1.5"}, "13"), ({"qty": "0"}, "13"), ({"side": 5}, "11"),
        ({"price": None, "qty": ""}, None),
    ],
)  # fmt: skip
def test_a_bad_order_is_refused_with_its_reason(door, fields, reason):
    client = door.trader()
    client.order("x", **fields)
    if reason is None:
        assert values(client.take("3"), 373, 371) == ("4", "38")
        return
    assert values(client.take("8"), 11, 37, 150, 39, 103) == ("x", "NONE", "8", "8", reason)


def test_refusals_of_the_door_and_the_engine(door):
    client = door.trader()
    client.order("x")
    client.take("8")
    client.order("x")
    assert values(client.take("8"), 150, 103) == ("8", "6")
    client.order("y", 1, 10, "100", (99, "5"))
    assert values(client.take("8"), 150, 103) == ("8", "11")
    client.order("z", 1, 10, "100", (1, "3"))
    assert values(client.take("8"), 150, 39, 103, 58) == (
        "8", "8", "15", "the account is not one of the participant's")  # fmt: skip
    client.order("w", 1, 10, "100", (1, "7"))
    assert values(client.take("8"), 150, 1) == ("0", "7")
    client.send("D", (11, "v"), (55, "NOPE"), (54, 1), (60, "20260101-00:00:00"), (38, 1), (40, 1))
    assert values(client.take("8"), 150, 103) == ("8", "1")
    client.send("D", (11, "v"), (55, "SYM1"), (54, 1), (38, 1), (40, 1))
    assert values(client.take("3"), 373, 371, 372) == ("1", "60", "D")
    client.send("E", (66, "list"))
    assert values(client.take("j"), 45, 372, 380) == (str(client.next_out - 1), "E", "3")


def test_mass_cancel_and_mass_status(door):
    client = door.trader()
    for number in range(5):
        client.order(f"o{number}", 1 + number % 2, 10, 50 + 50 * (number % 2))
        client.take("8")
    client.send("AF", (584, "all"), (585, 7))
    got = [client.take("8") for _ in range(5)]
    assert [values(one, 11, 150, 39, 584, 911) for one in got] == [
        (f"o{number}", "I", "0", "all", "5") for number in range(5)
    ]
    assert [one.text(912) for one in got] == ["N", "N", "N", "N", "Y"]
    client.send("q", (11, "q1"), (530, 7), (54, 1), (60, "20260101-00:00:00"))
    assert [values(client.take("8"), 11, 150) for _ in range(3)] == [("o0", "4"), ("o2", "4"), ("o4", "4")]
    assert values(client.take("r"), 11, 530, 531, 533, 54) == ("q1", "7", "7", "3", "1")
    client.send("H", (11, "o1"), (55, "SYM1"), (54, 2), (790, "mine"))
    assert values(client.take("8"), 11, 150, 39, 151, 790) == ("o1", "I", "0", "10", "mine")
    client.send("H", (11, "zzz"), (55, "SYM1"), (54, 2))
    assert values(client.take("8"), 11, 150, 39, 37, 103) == ("zzz", "I", "8", "NONE", "5")
    client.send("AF", (584, "x"), (585, 1), (55, "SYM2"))
    assert values(client.take("8"), 584, 911, 912, 39) == ("x", "0", "Y", "8")


def test_reference_data_and_session_status(door):
    client = door.trader()
    client.send("x", (320, "list"), (559, 4))
    answer = client.take("y")
    assert answer.values(55) == [b"SYM1", b"SYM2"]
    assert values(answer, 320, 560, 393, 893) == ("list", "0", "2", "Y")
    client.send("g", (335, "s"), (263, 0))
    assert values(client.take("h"), 335, 336, 340) == ("s", "1", "2")


def test_a_lost_message_is_resent_with_its_first_time(door):
    client = door.trader()
    for number in range(200):
        client.order(f"o{number}")
    first = [client.take("8") for _ in range(200)]
    client.send("1", (112, "gap"))
    client.take("0")
    client.send("2", (7, 1), (16, 0))
    fill = client.take("4")
    assert values(fill, 34, 36, 123, 43) == ("1", "2", "Y", "Y")
    for message in first:
        again = client.take("8")
        assert values(again, 34, 17, 11, 43, 122) == (*values(message, 34, 17, 11), "Y", message.text(52))
    assert values(client.take("4"), 34, 36) == ("202", "203")
    client.order("live")
    assert values(client.take("8"), 34, 11, 43) == ("203", "live", "")


def test_a_long_resend_goes_in_pieces_and_others_are_answered_meanwhile(door):
    client, other = door.trader(), door.trader("CLIENT2")
    for number in range(1_000):
        client.order(f"o{number}", qty=1, price="1")
    for number in range(1_000):
        assert client.take("8").text(11) == f"o{number}"
    client.send("2", (7, 2), (16, 0))
    door.until(lambda: client.unread)
    other.order("live", qty=1, price="1")
    assert other.take("8").text(11) == "live"
    assert 0 < len(client.unread) < 1_000
    again = [client.take("8") for _ in range(1_000)]
    assert [values(one, 34, 11, 43) for one in again] == [(f"{n + 2}", f"o{n}", "Y") for n in range(1_000)]


def test_a_message_longer_than_a_piece_is_resent(door):
    client = door.trader()
    client.order("before")
    client.take("8")
    assert door.gateway.news("long", ["x" * 200] * 60) == 1
    first = client.take("B")
    assert sum(map(len, first.values(58))) == 12_000
    client.send("2", (7, 2), (16, 0))
    assert client.take("8").text(43) == "Y"
    again = client.take("B")
    assert values(again, 34, 43, 148) == (first.text(34), "Y", "long")
    assert again.values(58) == first.values(58)


def test_what_happened_while_away_follows_the_next_logon(door):
    client, other = door.trader(), door.trader("CLIENT2")
    client.order("a", 1, 10, "100")
    client.take("8")
    client.close()
    door.until(lambda: door.gateway.connection_count == 1)
    other.order("b", 2, 4, "100")
    other.take("8"), other.take("8")
    back = door.client(next_out=client.next_out)
    back.logon()
    assert values(back.take("8"), 34, 11, 150, 32, 43) == ("4", "a", "F", "4", "")


@pytest.mark.parametrize(("cod", "cancels"), [("none", False), ("disconnect", True), ("logout", False), ("both", True)])
def test_cancel_on_disconnect_after_a_loss(make_door, cod, cancels):
    door = make_door(cod=cod)
    client = door.trader()
    client.order("a")
    client.take("8")
    client.close()
    door.until(lambda: door.gateway.connection_count == 0 and door.gateway.open_sessions == 0)
    door.turn()
    assert door.sequencer.engine.live_order_count() == (0 if cancels else 1)
    back = door.client(next_out=client.next_out)
    back.logon()
    if cancels:
        assert values(back.take("8"), 11, 150, 39, 58) == ("a", "4", "4", "cancel on disconnect")


@pytest.mark.parametrize(("cod", "cancels"), [("none", False), ("disconnect", False), ("logout", True), ("both", True)])
def test_cancel_on_disconnect_after_a_logout(make_door, cod, cancels):
    door = make_door(cod=cod)
    client = door.trader()
    client.order("a")
    client.take("8")
    client.send("5")
    client.take("5")
    door.until(lambda: door.gateway.open_sessions == 0)
    assert door.sequencer.engine.live_order_count() == (0 if cancels else 1)


def test_back_within_the_grace_keeps_the_orders(make_door):
    door = make_door(cod="both", cod_grace_ms=60_000)
    client = door.trader()
    client.order("a")
    client.take("8")
    client.close()
    door.until(lambda: door.gateway.connection_count == 0)
    back = door.client(next_out=client.next_out)
    back.logon()
    assert door.sequencer.engine.live_order_count() == 1
    back.cancel("b", "a")
    assert values(back.take("8"), 11, 41, 150) == ("b", "a", "4")


def test_numbers_orders_and_ids_survive_a_restart(make_door):
    door = make_door()
    client, other = door.trader(), door.trader("CLIENT2")
    client.order("a", 1, 10, "100")
    client.replace("b", "a", 12, "100")
    other.order("x", 2, 5, "100")
    client.take("8"), client.take("8"), client.take("8")
    door.crash()
    door = make_door()
    client = door.client(next_out=client.next_out)
    client.logon()
    other = door.client("CLIENT2", next_out=other.next_out)
    other.logon()
    client.send("H", (11, "b"), (55, "SYM1"), (54, 1))
    assert values(client.take("8"), 11, 39, 38, 14, 151, 6) == ("b", "1", "12", "5", "7", "100")
    client.order("a")
    assert values(client.take("8"), 103) == ("6",)
    client.cancel("c", "b")
    assert values(client.take("8"), 11, 41, 150, 14) == ("c", "b", "4", "5")


def test_reset_by_logon_begins_at_one_and_keeps_live_orders(door):
    client = door.trader()
    client.order("a")
    client.take("8")
    client.close()
    back = door.client()
    answer = back.logon((141, "Y"))
    assert values(answer, 34, 141) == ("1", "Y")
    back.cancel("b", "a")
    assert values(back.take("8"), 34, 11, 41, 150) == ("2", "b", "a", "4")


def test_a_logon_without_credentials_changes_nothing(door):
    client = door.trader()
    client.order("a")
    client.take("8")
    client.close()
    thief = door.client()
    thief.send("A", (98, 0), (108, 30), (141, "Y"), (553, "user"), (554, "wrong"))
    assert "wrong" in thief.take("5").text(58)
    thief.close()
    door.until(lambda: door.gateway.connection_count == 0)
    back = door.client(next_out=client.next_out)
    back.logon()
    assert door.session()["next_in"] == client.next_out + 1


def test_hostile_peers_harm_nobody(make_door):
    """Method: garbage, floods of wrong checksums, a second identity, silence; a trader works all along."""
    limits = FixLimits(logon_timeout_ms=600_000, connections_max=40)
    door = make_door(limits=limits)
    trader = door.trader()
    random_ = random.Random(3)
    twin = door.client()
    assert "in use" in twin.logon(expected="5").text(58)
    silent = door.client()
    noisy = [door.client() for _ in range(10)]
    for number, peer in enumerate(noisy):
        peer.raw(random_.randbytes(5_000) if number % 2 else b"8=FIX.4.4\x019=999999\x01" * 500)
    stranger = door.client("NOBODY")
    assert "no such session" in stranger.logon(expected="5").text(58)
    wrong = build("0", [], trader_header(trader))[:-4] + b"999\x01"
    trader.raw(wrong * 200)
    trader.order("a")
    assert values(trader.take("8"), 11) == ("a",)
    door.until(lambda: all(peer.closed for peer in noisy))
    assert not silent.closed
    end_patience(limits)
    door.until(lambda: silent.closed)
    trader.order("b")
    assert values(trader.take("8"), 11) == ("b",)


def trader_header(client):
    return Header(
        sender_comp_id=client.name.encode(), target_comp_id=b"TRADSYS", seq=99, sending_time=b"20260101-00:00:00"
    )


def test_messages_in_pieces_and_in_heaps_are_the_same(make_door, tmp_path):
    outcomes = []
    for number, piece in enumerate((1 << 20, 7)):
        door = make_door(tmp_path / f"venue{number}")
        client = door.trader()
        stream = b"".join(made_orders(client))
        for begin in range(0, len(stream), piece):
            client.raw(stream[begin : begin + piece])
            if piece < 100:
                door.turn()
        outcomes.append([values(client.take("8"), 34, 11, 150, 39) for _ in range(30)])
    assert outcomes[0] == outcomes[1]


def made_orders(client):
    for number in range(30):
        yield client.message("D", (11, f"o{number}"), (55, "SYM1"), (54, 1), (60, "20260101-00:00:00"), (38, 1),
                             (40, 2), (44, 5))  # fmt: skip


def test_the_throttle_refuses_and_then_closes(make_door):
    door = make_door(throttle_messages=20, throttle_window_ms=60_000)
    client = door.trader()
    for number in range(45):
        client.order(f"o{number}")
    kinds = []
    while True:
        message = client.take()
        kinds.append(message.text(150) or message.msg_type)
        if kinds.count("0") == 20 and "5" in kinds:
            break
    assert kinds.count("8") >= 21
    assert any("FLOOD" in one.text(58) for one in client.received)
    client.close()
    door.until(lambda: door.gateway.connection_count == 0)
    back = door.client(next_out=client.next_out)
    assert "for a while" in back.logon(expected="5").text(58)


def test_a_client_that_does_not_read_gets_all_of_it_later_or_is_closed(make_door):
    door = make_door()
    client = door.trader()
    for number in range(300):
        client.order(f"o{number}")
        if number % 100 == 0:
            door.turn()
    door.until(lambda: len([one for one in client.received if one.msg_type == "8"]) == 300)
    seqs = [one.seq for one in client.received]
    assert seqs == list(range(1, 302))


def test_credentials_are_masked_in_the_store(door):
    client = door.trader()
    stored = b"".join(path.read_bytes() for path in (door.path / "fix" / "000001").iterdir())
    assert b"password-1" not in stored
    assert b"554=***" in stored
    assert masked(parse(client.message("A", (95, 3), (96, "abc")))).count(b"96=***") == 1


def test_a_store_that_is_not_masked_is_shown_masked(tmp_path, capsys):
    folder = tmp_path / "fix" / "000001"
    folder.mkdir(parents=True)
    fields = [(35, b"D"), (34, b"2"), (49, b"C"), (56, b"V"), (95, b"5"), (96, b"a\x01b=c"), (554, b"secret")]
    store = FixStore(folder / "000001.fix")
    store.put(2, frame_of(fields), seq=2)
    store.write()
    for options in ({}, {"raw": True}, {"names": True}):
        assert log(tmp_path, 1, **options) == 0
        out = capsys.readouterr().out
        assert "***" in out
        assert "secret" not in out
        assert "b=c" not in out


def test_the_log_shows_both_directions_without_credentials(door, capsys):
    client = door.trader()
    client.order("a")
    client.take("8")
    assert log(door.path, 1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["in", "out", "in", "out"]
    assert "|554=***|" in lines[0]
    assert "|11=a|" in lines[3]
    assert log(door.path, 1, names=True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2:5:2] for line in lines] == [
        ["<", "Logon"], [">", "Logon"], ["<", "NewOrderSingle"], [">", "ExecutionReport"]
    ]  # fmt: skip
    assert "Password=***" in lines[0]
    assert "Side=1(BUY)" in lines[2]
    with pytest.raises(InputError, match="no FIX session 9"):
        log(door.path, 9)
