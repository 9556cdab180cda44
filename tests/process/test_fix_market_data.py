"""Goal: FIX market data over real sockets tells the feed's book, outlives its venue and its enemies.

Method: `tradsys venue` and `tradsys fix-market-data` as processes; books compared with those of a feed client.
"""

import contextlib
import random
import shutil
import signal
import socket
import ssl
import time

import pytest
from certificate_maker import certificate_of
from market_house import SYMBOLS, WAIT_S, Enemy, MarketHouse, end, start, told

from tradsys.fix.message import parse, split
from tradsys.wire.enums import OrderFlags, Side


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    one = MarketHouse(tmp_path_factory.mktemp("market"))
    with one.trader() as trader:
        trade(trader, 50, 0)  # books that are not empty, whichever test comes first
    yield one
    assert one.stop() == [0, 0]


@pytest.fixture
def good(house):
    with house.client() as client:
        client.ask("all", *SYMBOLS)
        client.ask("top", *SYMBOLS, depth=1, update=0)
        yield client


def trade(trader, count, seed):
    """Send orders around one price; most rest, some match."""
    rng = random.Random(seed)
    for _ in range(count):
        side = rng.choice((Side.BUY, Side.SELL))
        price = 1000 + rng.randrange(-40, 41) + (3 if side is Side.SELL else -3)
        trader.new_order(
            order_flags=OrderFlags.KEEP_ON_DISCONNECT,
            instrument_id=rng.randrange(1, 3),
            side=side,
            price_ticks=price,
            qty_lots=rng.randrange(1, 500),
        )
    trader.receive_until(trader.session.next_client_seq - 1, WAIT_S)


def agree(house, client):
    """Wait until the client has the feed's books of both requests."""
    with house.feed() as feed:
        assert feed.wait_synced(WAIT_S)
        client.until(lambda: not client.books.book(b"all", b"SYM2").unknown)

        def same():
            feed.poll()
            whole = all(client.best(b"all", name) == told(feed, n) for n, name in enumerate(SYMBOLS, 1))
            return (
                whole
                and all(client.best(b"top", name) == told(feed, n, 1) for n, name in enumerate(SYMBOLS, 1))
                and sum(map(len, told(feed, 1))) > 0
            )

        client.until(same)


def test_a_client_has_the_feeds_book(house, good):
    with house.trader() as trader, house.trader(2) as other:
        for seed in range(5):
            trade(trader, 100, seed)
            trade(other, 20, seed + 100)
            good.follow()
        agree(house, good)
        good.until(lambda: good.books.book(b"all", b"SYM1").trades)
    assert {message.msg_type for message in good.messages} == {"W", "X"}


def test_logons_are_refused_with_a_reason_or_closed(house):
    silent = Enemy(house.port)
    stranger = Enemy(house.port, b"NOBODY")
    stranger.send(stranger.frame("A", (98, b"0"), (108, b"30")))
    assert stranger.rest() == b""
    wrong = Enemy(house.port)
    assert b"password" in wrong.log_on(b"wrong")
    assert silent.rest() == b""  # within the time for a Logon
    for one in (stranger, wrong, silent):
        one.close()


def test_one_connection_a_session(house, good):
    second = Enemy(house.port, b"GOOD")
    second.send(second.frame("A", (98, b"0"), (108, b"30"), (553, b"good"), (554, b"secret")))
    assert second.rest() == b""
    second.close()
    good.follow()
    assert good.is_logged_on


def test_a_wrong_password_keeps_nobody_out(house):
    """Goal: a refused Logon lets go of its session at once, though its connection stays until the Logout is read."""
    wrong = Enemy(house.port, b"SLOW")
    assert b"password" in wrong.log_on(b"wrong")
    with house.client("SLOW") as client:
        assert client.is_logged_on
        assert wrong.rest() == b""
        client.follow()
        assert client.is_logged_on
    wrong.close()


def test_the_owner_gets_in_through_a_crowd_that_says_nothing(house):
    crowd = [Enemy(house.port) for _ in range(12)]
    with house.client("SLOW") as client:
        assert client.is_logged_on
    for one in crowd:
        one.close()


def test_connections_are_bounded(house):
    crowd = [Enemy(house.port) for _ in range(40)]
    deadline = time.monotonic() + WAIT_S
    while sum(one.is_closed() for one in crowd) < 28:
        assert time.monotonic() < deadline
    for one in crowd:
        one.close()
    with house.client("SLOW") as client:
        assert client.is_logged_on


def attack(enemy, name):
    """One way to be a nuisance; what it is told at the end."""
    if name == "garbage":
        rng = random.Random(1)
        while enemy.send(rng.randbytes(100_000)):
            pass
    elif name == "a megabyte":
        enemy.send(b"8=FIX.4.4\x019=999999\x0135=V\x01262=" + b"x" * (1 << 20) + b"\x0110=000\x01")
    elif name == "requests":
        enemy.send(b"".join(enemy.frame("V", (262, b"%d" % n), (263, b"2")) for n in range(2_000)))
    elif name == "the same request":
        body = ((262, b"r"), (263, b"1"), (264, b"0"), (267, b"1"), (269, b"0"), (146, b"1"), (55, b"SYM1"))
        enemy.send(b"".join(enemy.frame("V", *body) for _ in range(2_000)))
    elif name == "test requests":
        enemy.send(b"".join(enemy.frame("1", (112, b"x" * 1000)) for _ in range(5_000)))
    elif name == "resend requests":
        enemy.send(b"".join(enemy.frame("2", (7, b"1"), (16, b"0")) for _ in range(5_000)))
    return enemy.rest()


ATTACKS = ("garbage", "a megabyte", "requests", "the same request", "test requests", "resend requests")


@pytest.mark.parametrize("name", ATTACKS)
def test_an_enemy_is_ended_and_harms_nobody(house, good, name):
    enemy = Enemy(house.port, b"BAD%d" % ATTACKS.index(name))
    answer = enemy.log_on()
    assert b"\x0135=A\x01" in answer, answer
    said = attack(enemy, name)
    enemy.close()
    frames, garbled, _ = split(said, 1 << 20)
    assert garbled == 0
    assert not frames or parse(frames[-1]).msg_type in "5Y30fj"
    with house.trader() as trader:
        trade(trader, 50, name)
        agree(house, good)


def test_one_who_does_not_read_is_ended_and_the_others_go_on(house, good):
    sleeper = Enemy(house.port, b"SLOW")
    sleeper.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sleeper.log_on()
    body = (
        (263, b"1"),
        (264, b"0"),
        (265, b"0"),
        (267, b"2"),
        (269, b"0"),
        (269, b"1"),
        (146, b"2"),
        (55, b"SYM1"),
        (55, b"SYM2"),
    )
    for n in range(10):
        sleeper.send(sleeper.frame("V", (262, b"%d" % n), *body))
    deadline = time.monotonic() + WAIT_S
    ended = False
    with house.trader() as trader:
        seed = 0
        while not ended and time.monotonic() < deadline:
            trade(trader, 100, seed := seed + 1)
            good.follow(0.01)
            probe = Enemy(house.port, b"SLOW")  # let in once the sleeper's session has ended
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                ended = b"\x0135=A\x01" in probe.log_on()
            probe.close()
        assert ended
        agree(house, good)
    sleeper.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_port_speaks_tls_when_it_has_a_certificate(house, tmp_path):
    both = certificate_of(tmp_path, "127.0.0.1")
    process, line = start("READY", "fix-market-data", "--config", str(house.settings),
                          TRADSYS_FIX_MARKET_DATA__TLS__CERTIFICATE=str(both))  # fmt: skip
    try:
        assert "=tls://" in line
        context = ssl.create_default_context(cafile=both)
        with house.client(port=int(line.rpartition(":")[2]), tls=context) as client:
            client.ask("all", *SYMBOLS)
            client.until(lambda: client.books.book(b"all", b"SYM2").snapshots)
    finally:
        assert end(process)[0] == 0


def test_a_venue_that_dies_is_told_and_one_that_comes_back_too(house, good):
    agree(house, good)
    good.send("x", [(320, "list"), (559, 4), (263, 1)])
    good.until(lambda: any(message.msg_type == "y" for message in good.messages))
    house.venue.send_signal(signal.SIGKILL)
    house.venue.wait()
    house.venue.stdout.close()
    good.until(lambda: all(good.books.book(b"all", name.encode()).unknown for name in SYMBOLS))
    settings = house.settings.read_text()
    more = "  - {instrument_id: 3, symbol: SYM3}\nfix_market_data:"
    house.settings.write_text(settings.replace("fix_market_data:", more))
    house.start_venue()
    agree(house, good)
    good.until(lambda: sum(message.msg_type == "y" for message in good.messages) == 2)
    listed = [one.values(55) for one in good.messages if one.msg_type == "y"]
    assert listed == [[b"SYM1", b"SYM2"], [b"SYM3"]]
    with house.trader() as trader:
        trade(trader, 50, 7)
        agree(house, good)
