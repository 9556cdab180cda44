"""Hostile clients and hard moments at the FIX door; each test is named for what must hold.

Method: a real door and real sockets, turned by hand.
"""

import resource
import select
import socket
import time

import pytest
from fix_maker import WAIT_S

from tradsys.gateways.fix_limits import FixLimits
from tradsys.wire import commands


@pytest.fixture
def make_door(fix_doors):
    return fix_doors


def is_accepted(client, name):
    client.order(name)
    message = client.take("8")
    return (message.text(11), message.text(150)) == (name, "0")


def test_orders_are_taken_after_a_reset_within_a_session(make_door):
    """The engine's filter of numbers seen has to begin again with the numbers."""
    client = make_door().trader()
    assert all(is_accepted(client, f"a{number}") for number in range(5))
    client.next_out = 1
    client.send("A", (98, 0), (108, 30), (141, "Y"))
    assert client.take("A").text(141) == "Y"
    assert is_accepted(client, "b")


@pytest.fixture
def reset_session(make_door):
    """A session whose engine has seen number 6, reset within itself: the next message of its client is number 2."""
    door = make_door()
    client = door.trader()
    assert all(is_accepted(client, f"a{number}") for number in range(5))
    assert client.next_out == 7
    client.next_out = 1
    client.send("A", (98, 0), (108, 30), (141, "Y"))
    assert client.take("A").text(141) == "Y"
    return door, client


def poll_until_taken(door, messages):
    """Take messages off the socket; nothing is committed, nothing leaves."""
    target = door.gateway.messages_in + messages
    deadline = time.monotonic() + WAIT_S
    while door.gateway.messages_in < target:
        assert time.monotonic() < deadline
        door.gateway.poll(time.time_ns())


def statuses(client, names):
    found = []
    for name in names:
        client.send("H", (11, name), (55, "SYM1"), (54, 1))
        message = client.take("8")
        while message.text(150) != "I":
            message = client.take("8")
        found.append(message.text(39))
    return found


def test_a_crash_when_new_numbers_reach_those_before_a_reset_runs_nothing_twice(reset_session, make_door):
    """Orders 2 to 6 are in the journal, their reports have not left: number 7 is next, and 6 is not taken again."""
    door, client = reset_session
    for name in ("b2", "b3", "b4", "b5", "b6"):
        client.order(name, 1, 10, "100.5")
    poll_until_taken(door, 5)
    door.sequencer.commit(time.time_ns())
    door.sequencer.wait_released()
    door.crash()
    door = make_door()
    assert door.session()["next_in"] == 7
    assert door.sequencer.engine.live_order_count() == 10


def test_a_crash_before_the_journal_has_the_numbers_of_a_reset_asks_for_them_again(reset_session, make_door):
    """Requests 2 to 6 are stored but were never decided: 2 is expected, and the ClOrdIDs are free."""
    door, client = reset_session
    for name in ("b2", "b3", "b4", "b5", "b6"):
        client.order(name, 1, 10, "100.5")
    poll_until_taken(door, 5)
    door.crash()
    door = make_door()
    assert door.session()["next_in"] == 2
    assert door.sequencer.engine.live_order_count() == 5
    client = door.client(next_out=2)
    client.logon()
    assert is_accepted(client, "b2")


def test_orders_on_their_way_when_the_numbers_are_reset_are_kept(reset_session, make_door):
    """They are in the journal under numbers from before the reset: those say nothing about what is expected now."""
    door, client = reset_session
    client.order("c1", 1, 10, "100.5")
    client.order("c2", 1, 10, "100.5")
    client.next_out = 1
    client.send("A", (98, 0), (108, 30), (141, "Y"))
    poll_until_taken(door, 3)
    door.sequencer.commit(time.time_ns())
    door.sequencer.wait_released()
    door.crash()
    door = make_door()
    assert door.session()["next_in"] == 1  # the turn's end, where the Logon's number is kept, was not reached
    client = door.client(next_out=1)
    client.logon()
    assert statuses(client, ("c1", "c2")) == ["0", "0"]


def test_orders_are_taken_after_a_reset_within_the_grace(make_door):
    door = make_door(cod="disconnect", cod_grace_ms=60_000)
    client = door.trader()
    assert all(is_accepted(client, f"a{number}") for number in range(5))
    client.close()
    door.until(lambda: door.gateway.connection_count == 0)
    back = door.client()
    back.logon((141, "Y"))
    assert is_accepted(back, "b")


def test_an_order_that_found_no_room_comes_before_the_next_logon_resets_the_numbers(make_door):
    """It was received under the numbers before: a reset must not put new ones in front of it, nor lose it."""
    door = make_door(sequencer={"batch_bytes": 4096})
    client = door.trader()
    before = door.gateway.messages_in
    for number in range(100):
        client.order(f"a{number}", 1, 10, "100.5", poss_resend=True)
    poll_until_taken(door, 1)
    for _ in range(100):
        door.gateway.poll(time.time_ns())
    client.close()
    while door.gateway.connection_count:
        door.gateway.poll(time.time_ns())
        door.gateway.egress()
    taken = door.gateway.messages_in - before
    assert 0 < taken < 100
    back = door.client()
    back.logon((141, "Y"))
    assert door.sequencer.engine.live_order_count() == taken
    door.crash()
    door = make_door()
    assert door.session()["next_in"] == 2
    back = door.client(next_out=2)
    back.logon()
    back.order("b")
    assert statuses(back, ("b", "a0", f"a{taken - 1}", f"a{taken}")) == ["0", "0", "0", "8"]


@pytest.mark.parametrize("kind", ["password", "heartbeat", "both"])
def test_refused_logons_do_not_fill_the_store(make_door, kind):
    """Method: refuse many, of different sizes; the file stays small, and the numbers their Logouts took are not given again."""
    door = make_door(limits=FixLimits(refusal_delay_ms=0, logon_failures_max=40))
    trader = door.trader()
    trader.send("5")
    trader.take("5")
    door.until(lambda: trader.closed)
    path = door.path / "fix" / "000001"
    sizes, last = [], 0
    for count in range(60):
        thief = door.client()
        is_wrong = kind == "password" or (kind == "both" and count % 2)
        terms = [(108, 30), (554, "wrong" * (1 + count % 7))] if is_wrong else [(108, -1), (554, "password-1")]
        thief.send("A", (98, 0), (553, "user"), *terms, seq=3)
        answer = thief.take()
        assert answer.msg_type in "35"
        last = max(one.seq for one in thief.received)
        thief.close()
        door.turn()
        sizes.append(sum(one.stat().st_size for one in path.iterdir()))
    assert max(sizes[20:]) <= max(sizes[16:20]) + 1_000
    assert last > 40
    door.crash()
    again = make_door(door.path, define=False)
    trader = again.client(next_out=3)
    assert trader.logon().seq == last + 1
    trader.order("a")
    assert trader.take("8").text(150) == "0"


def test_a_wrong_logon_does_not_occupy_the_session(make_door):
    """Otherwise anybody who knows the CompIDs keeps its owner out."""
    door = make_door(limits=FixLimits(refusal_delay_ms=60_000))
    thief = door.client()
    thief.send("A", (98, 0), (108, 30), (553, "user"), (554, "wrong"))
    assert "wrong" in thief.take("5").text(58)
    owner = door.client()
    owner.logon()
    assert is_accepted(owner, "a")


def test_a_long_request_id_does_not_stop_the_venue(make_door):
    door = make_door()
    client = door.trader()
    client.send("x", (320, "r" * 16_200), (559, 4))
    client.order("a")
    assert client.take("8").text(11) == "a"


def test_a_mass_cancel_of_an_unknown_side_cancels_nothing(make_door):
    client = make_door().trader()
    client.order("a", side=2)
    client.take("8")
    client.send("q", (11, "q"), (530, 7), (54, 3), (60, "20260101-00:00:00"))
    assert client.take("r").text(531) == "0"


def test_a_reconnect_does_not_refill_the_throttle(make_door):
    door = make_door(throttle_messages=4, throttle_window_ms=60_000)
    client = door.trader()
    for number in range(4):
        assert is_accepted(client, f"a{number}")
    client.close()
    door.until(lambda: door.gateway.connection_count == 0)
    back = door.trader(next_out=client.next_out)
    back.order("b")
    assert "THROTTLED" in back.take("8").text(58)


def test_a_client_that_was_slow_once_leaves_the_door_idle_afterwards(make_door):
    door = make_door()
    door.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8_192)
    client = door.trader()
    door.clients.remove(client)
    for number in range(1_500):
        client.send("1", (112, f"{number}-" + "t" * 900))
        if number % 10 == 0:
            door.turn()
    door.clients.append(client)
    door.until(lambda: sum(m.msg_type == "0" for m in client.received) == 1_500)
    door.until(lambda: select.select([door.gateway.fileno()], [], [], 0)[0] == [])


def test_resend_requests_do_not_pile_up(make_door):
    door = make_door()
    client = door.trader()
    for number in range(200):
        client.order(f"a{number}")
    door.until(lambda: sum(m.msg_type == "8" for m in client.received) == 200)
    before = len(client.received)
    for _ in range(300):
        client.send("2", (7, 1), (16, 0))
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and not client.closed:
        door.turn()
    assert len(client.received) - before < 100 * 201


def test_a_replaced_order_outlives_newer_requests(make_door):
    door = make_door(orders_max=1024)
    client = door.trader()
    client.order("d", qty=10, price="50")
    client.replace("g", "d", 10, "51")
    for number in range(1_100):
        client.order(f"x{number}", qty=1, price="1", side=1)
        client.cancel(f"c{number}", f"x{number}")
    door.until(lambda: sum(m.text(150) == "4" for m in client.received) >= 1_100)
    client.unread.clear()
    client.cancel("last", "g")
    message = client.take()
    assert (message.msg_type, message.text(150), message.text(41)) == ("8", "4", "g")


@pytest.mark.parametrize("more", [(-1, "x"), (2147483647, "x"), (95, "3\x0196=a\x01b")])
@pytest.mark.parametrize("msg_type", ["D", "F", "G", "H", "q", "AF"])
def test_what_ends_the_reading_early_is_rejected(make_door, msg_type, more):
    """A negative tag, or DATA with SOH in it, before everything that is required."""
    door = make_door()
    client = door.trader()
    client.send(msg_type, more)
    assert client.take().msg_type == "3"
    assert is_accepted(client, "a")


def test_data_with_a_separator_in_it_is_no_fields(make_door):
    client = make_door().trader()
    client.order("a", 1, 10, "100.5", (95, "6\x0196=z\x0154=2"))
    message = client.take("8")
    assert (message.text(150), message.text(54)) == ("0", "1")


def test_connections_leave_descriptors_for_the_journal(make_door):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (280, hard))
    try:
        door = make_door()
        client = door.trader()
        for _ in range(40):
            door.client()
            door.turn()
        assert door.gateway.connection_count <= 20
        assert is_accepted(client, "a")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_passwords_are_not_kept_whatever_message_has_them(make_door, tmp_path):
    """Goal: no credential in a store. Method: a UserRequest that changes a password; every byte the door wrote."""
    client = make_door().trader()
    client.send("BE", (923, "u1"), (924, 3), (553, "user"), (554, "old-secret-1"), (925, "new-secret-2"))
    assert client.take("BF").text(926) == "4"
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "fix" in path.parts)
    assert b"35=BE" in written
    assert b"secret" not in written


def test_a_credential_in_an_order_is_masked_where_it_is_kept(make_door, tmp_path):
    """Goal: an order that is taken although it has a tag it should not have; its name is found again in what is kept."""
    client = make_door().trader()
    secrets = [(95, 8), (96, "secret-3"), (554, "secret-4"), (925, "secret-5"), (1402, "secret-6"), (1404, "secret-7")]
    for number, secret in enumerate([secrets[:2], *([one] for one in secrets[2:])]):
        client.order(f"o{number}", 1, 10, "100.5", *secret)
        message = client.take("8")
        assert (message.text(11), message.text(150)) == (f"o{number}", "0")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "fix" in path.parts)
    assert b"secret-" not in written
    assert written.count(b"35=D") == 5
    assert written.count(b"=***") == 6  # the Logon's as well


@pytest.mark.parametrize("msg_type", ["0", "1", "5", "BE"])
def test_no_tag_of_a_credential_is_kept(make_door, tmp_path, msg_type):
    client = make_door().trader()
    secrets = [(95, 8), (96, "secret-3"), (554, "secret-4"), (925, "secret-5"), (1402, "secret-6"), (1404, "secret-7")]
    client.send(msg_type, *([(112, "t")] if msg_type == "1" else []), *secrets)
    client.send("1", (112, "last"))
    client.door.until(lambda: client.closed or any(message.text(112) == "last" for message in client.received))
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "fix" in path.parts)
    assert b"35=" + msg_type.encode() in written
    assert b"secret-" not in written


def test_who_comes_back_is_told_a_share_a_turn_and_each_gets_one(make_door):
    """Method: two sessions whose orders were cancelled while they were away; count what each is told, turn by turn."""
    door = make_door(limits=FixLimits(catch_up_reports_per_turn=64))
    names = [f"o{number}" for number in range(400)]
    for name in ("CLIENT1", "CLIENT2"):
        trader = door.trader(name)
        for order in names:
            trader.order(order, 1, 1, "90")
        door.until(lambda trader=trader: sum(one.msg_type == "8" for one in trader.received) == len(names))
        trader.send("5")
        trader.take("5")
    door.sequencer.run(commands.pack([commands.mass_cancel(client_ref=1)]), time.time_ns())
    back = [door.client(name, next_out=len(names) + 3) for name in ("CLIENT1", "CLIENT2")]
    for client in back:
        client.send("A", (98, 0), (108, 30), (553, "user"), (554, "password-1"))
    told, most = [0, 0], 0
    deadline = time.monotonic() + 20
    while min(told) < len(names):
        assert time.monotonic() < deadline
        door.turn()
        before, told = told, [door.session(number)["reports"] - len(names) for number in (1, 2)]
        most = max(most, sum(told) - sum(before))
        if min(told) == 0 and max(told) > 0:
            assert max(told) <= 64  # the other one has its share in the next turn
    assert told == [len(names), len(names)]
    assert most <= 64
    for client in back:
        door.until(lambda client=client: sum(one.msg_type == "8" for one in client.received) == len(names))
        assert sorted(one.text(11) for one in client.received if one.msg_type == "8") == sorted(names)
    client = back[0]
    client.send("H", (11, "o399"), (55, "SYM1"), (54, 1))
    assert client.take("8").text(39) == "4"
