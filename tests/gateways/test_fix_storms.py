"""Storms of one FIX session are its own: what others wait for it in a turn is bounded.

Method: a real door and real sockets, turned by hand; the storm is written at once, what a turn takes of it is counted.
"""

import time

import pytest

TURN_MESSAGES = 200  # of a connection, at most, of those its session has to look at
LARGE = 3_200  # requests: the session's order table is then larger than what is looked through in a turn


@pytest.fixture
def make_door(fix_doors):
    return fix_doors


def fill_table(door, client):
    """Enter orders that find nobody and end at once."""
    for begin in range(0, LARGE, 400):
        for number in range(begin, begin + 400):
            client.order(f"i{number}", 1, 10, "100.5", (59, 3))
        door.until(lambda end=2 * (begin + 400): sum(m.msg_type == "8" for m in client.received) >= end)
    client.unread.clear()


def statuses(client, count):
    return [client.take("8") for _ in range(count)]


def test_a_flood_of_test_requests_is_taken_a_piece_a_turn(make_door):
    door = make_door()
    noisy, trader = door.trader(), door.trader("CLIENT2")
    noisy.raw(b"".join(noisy.message("1", (112, number)) for number in range(1_000)))
    trader.order("a")
    taken = []

    def turn_is_short():
        taken.append(door.gateway.poll(time.time_ns()))
        door.turn()
        return sum(m.msg_type == "0" for m in noisy.received) == 1_000

    door.until(turn_is_short)
    assert max(taken) <= TURN_MESSAGES
    assert trader.take("8").text(11) == "a"
    assert [m.get(112) for m in noisy.received if m.msg_type == "0"] == [
        b"%d" % number for number in range(1_000)
    ]


def test_long_messages_of_many_groups_are_taken_a_few_a_turn(make_door):
    door = make_door()
    noisy, trader = door.trader(), door.trader("CLIENT2")
    group = [(453, 900), *((tag, "x") for _ in range(900) for tag in (448, 452))]
    noisy.raw(b"".join(noisy.message("R", (131, number), *group) for number in range(20)))
    trader.order("a")
    taken = []

    def turn_is_short():
        taken.append(door.gateway.poll(time.time_ns()))
        door.turn()
        return sum(m.msg_type == "j" for m in noisy.received) == 20

    door.until(turn_is_short)
    assert max(taken) <= 8
    assert trader.take("8").text(11) == "a"


def test_a_mass_status_request_finds_every_live_order_of_a_large_table(make_door):
    door = make_door()
    client = door.trader()
    client.order("first")
    fill_table(door, client)
    client.order("buy", 1, 10, "99")
    client.order("sell", 2, 10, "101")
    statuses(client, 2)
    client.send("AF", (584, "all"), (585, 7))
    found = statuses(client, 3)
    assert [m.text(11) for m in found] == ["first", "buy", "sell"]
    assert [m.text(912) for m in found] == ["N", "N", "Y"]
    assert {m.text(911) for m in found} == {"3"}
    client.send("AF", (584, "buys"), (585, 1), (55, "SYM1"), (54, 1))
    assert [m.text(11) for m in statuses(client, 2)] == ["first", "buy"]


def test_mass_status_requests_that_find_nothing_are_answered_in_turn(make_door):
    door = make_door()
    client, trader = door.trader(), door.trader("CLIENT2")
    fill_table(door, client)
    client.raw(b"".join(client.message("AF", (584, f"r{n}"), (585, 7)) for n in range(100)))
    turns = 0
    trader.order("a")

    def all_came():
        nonlocal turns
        turns += 1
        return sum(m.has(584) for m in client.received) == 100

    door.until(all_came)
    assert turns > 100, "one request at most is looked for in a turn"
    assert [m.text(584) for m in client.received if m.has(584)] == [f"r{n}" for n in range(100)]
    assert trader.take("8").text(11) == "a"


def test_numbers_of_a_session_with_many_orders_do_not_begin_again_at_will(make_door):
    door = make_door()
    client = door.trader()
    for number in range(3_000):
        client.order(f"o{number}", 1, 10, "50")
    door.until(lambda: sum(m.msg_type == "8" for m in client.received) == 3_000)
    logon = client.message("A", (98, 0), (108, 30), (141, "Y"), (553, "user"), (554, "password-1"), seq=1)
    client.raw(logon * 30)
    door.until(lambda: any(m.msg_type == "5" for m in client.received))
    assert "began again a moment ago" in client.received[-1].text(58)
    client.close()
    door.until(lambda: door.gateway.connection_count == 0)

    def is_back():  # as a client does that tries until it may
        again = door.client()
        again.send("A", (98, 0), (108, 30), (141, "Y"), (553, "user"), (554, "password-1"))
        door.until(lambda: again.received)
        again.close()
        door.until(lambda: not door.session()["live"] and door.session()["address"] == "")
        return again.received[0].msg_type == "A"

    door.until(is_back)


def test_a_reset_is_the_last_message_of_its_turn(make_door):
    door = make_door()
    client = door.trader()
    logon = client.message("A", (98, 0), (108, 30), (141, "Y"), (553, "user"), (554, "password-1"), seq=1)
    client.raw(logon * 50)
    taken = []

    def turn_is_short():
        taken.append(door.gateway.poll(time.time_ns()))
        door.turn()
        return sum(m.msg_type == "A" for m in client.received) == 51

    door.until(turn_is_short)
    assert max(taken) == 1
