"""Goal: a QuickFIX client follows the market over FIX: snapshots, changes and trades it has nothing to reject in.

Method: the market data process beside a venue, every validation of the client on, with each dictionary.
"""

import shutil
import subprocess
import sys
import time

import pytest
from trading_floor import PASSWORD, ROOT, QuickFix, environment, rejections, trade

from tradsys.client.fix_books import FixBooks
from tradsys.fix.message import format_time

pytestmark = pytest.mark.heavy


@pytest.fixture
def client(tmp_path, port, dictionary):
    client = QuickFix(tmp_path, port, dictionary, name="DATA", ResetOnLogon="Y").wait_logon()
    try:
        yield client
        assert client.close() == 0
        assert rejections(client.log()) == []
    finally:
        if client.process.poll() is None:
            client.kill()


def subscribe(client, name, kinds, depth=0, how=1, symbols=("AMZN",)):
    groups = [(267, 269, [[(269, kind)] for kind in kinds]), (146, 55, [[(55, symbol)] for symbol in symbols])]
    client.send("V", (262, name), (263, how), (264, depth), (265, 1), groups=groups)


def book_of(client, request_id, symbol):
    """The book as everything the client got makes it."""
    books = FixBooks()
    for message in client.received:
        books.take(message)
    return books.book(request_id, symbol)


def offers(client):
    return book_of(client, b"book", b"AMZN").best(b"1", 10)


def traded(client):
    return [(entry[270], entry[271]) for entry in book_of(client, b"book", b"AMZN").trades]


def rest(maker, name, qty, price):
    now = format_time(time.time_ns(), "us")
    maker.send("D", [(11, name), (55, "AMZN"), (54, "2"), (60, now), (38, qty), (40, "2"), (44, price)])


def test_books_and_trades_are_followed(client, venue):
    with venue.maker() as maker, venue.maker("CARE") as other:
        rest(maker, "first", 10, "201.00")
        subscribe(client, "book", "012", symbols=("AMZN", "BTC-USD"))
        books = [client.take("W", t262="book") for _ in range(2)]
        assert sorted(book.text(55) for book in books) == ["AMZN", "BTC-USD"]
        client.wait(lambda: offers(client) == [(b"201.00", b"10", 1)], "the first offer")
        rest(maker, "second", 7, "201.50")
        client.wait(lambda: offers(client) == [(b"201.00", b"10", 1), (b"201.50", b"7", 1)], "the second offer")
        assert trade(other, 3, "201.00", side=1)
        client.wait(lambda: offers(client)[0] == (b"201.00", b"7", 1), "the rest of the first offer")
        client.wait(lambda: traded(client) == [(b"201.00", b"3")], "the trade")
    client.send("V", (262, "book"), (263, 2), (264, 0), groups=[(267, 269, [[(269, "0")]]), (146, 55, [[(55, "AMZN")]])])
    subscribe(client, "once", "01", depth=1, how=0)
    assert client.take("W", t262="once").text(55) == "AMZN"


def test_what_is_not_there_is_refused(client):
    subscribe(client, "unknown", "01", symbols=("NOSUCH",))
    assert client.take("Y", t262="unknown").text(281) == "0"
    client.send("x", (320, "list"), (559, 4))
    assert client.take("y", t320="list").values(55) == [b"AMZN", b"BTC-USD"]
    client.send("e", (324, "state"), (55, "AMZN"), (263, 0))
    assert client.take("f", t324="state").text(55) == "AMZN"


def test_the_example_follows_a_book(has_quickfix, tmp_path, venue, port):
    """Goal: the example file runs as it says, with the published configuration and only its port and name changed."""
    folder = shutil.copytree(ROOT / "fix_specs", tmp_path / "fix_specs", ignore=shutil.ignore_patterns("sessions"))
    config = folder / "quickfix-market-data.cfg"
    text = config.read_text()
    assert "9880" in text
    config.write_text(text.replace("9880", str(port)).replace("SenderCompID=DEMO", "SenderCompID=DATA"))
    words = ["examples/quickfix_market_data.py", "--username", "desk", "--password", PASSWORD, "--symbol", "AMZN"]
    with venue.maker() as maker:
        rest(maker, "first", 10, "201.00")
        done = subprocess.run([sys.executable, *words, "--seconds", "10"], cwd=folder, env=environment(),
                              capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "201.00" in done.stdout
    assert PASSWORD not in done.stdout
