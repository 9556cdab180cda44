"""Goal: a closing auction is FIX that QuickFIX takes: the trader's reports, the states, and the market data of the call.

Method: a venue whose timetable holds a call from its start on and closes after a while; every validation of the clients on.
"""

import signal
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
import trading_floor
import yaml
from trading_floor import QuickFix, rejections, texts

from tradsys.fix.message import format_time

pytestmark = pytest.mark.heavy

CALL_S = 45


@pytest.fixture
def venue(tmp_path):
    """A venue in the closing auction, for `CALL_S`; it goes by a zone in which it is about noon."""
    venue = trading_floor.Venue(tmp_path)
    ahead = 12 - datetime.now(UTC).hour
    now = datetime.now(timezone(timedelta(hours=ahead)))
    settings = yaml.safe_load(venue.settings.read_text())
    times = (now - timedelta(minutes=5), now + timedelta(seconds=CALL_S))
    phases = [
        {"at": at.strftime("%H:%M:%S"), "state": state}
        for at, state in zip(times, ("CLOSING_AUCTION", "CLOSED"), strict=True)
    ]
    days = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
    table = {"phases": phases, "instruments": [1, 2], "zone": f"Etc/GMT{-ahead:+d}", "days": days}
    settings["schedule"] = {"timetables": [table], "indicative_ms": 200}
    venue.settings.write_text(yaml.safe_dump(settings))
    try:
        yield venue.start()
    finally:
        venue.end(signal.SIGKILL)


def entries_of(message):
    """Entries of a W or X as dicts."""
    first, found = (269 if message.msg_type == "W" else 279), []
    for tag, value in message.fields:
        if tag == first:
            found.append({})
        if found:
            found[-1][tag] = value.decode()
    return found


def told(client, kind):
    """What a client was told of a kind of entry, entries that say there is none aside."""
    messages = [message for message in client.received if message.msg_type in ("W", "X")]
    found = [entry for message in messages for entry in entries_of(message) if entry[269] == kind]
    return [entry for entry in found if 270 in entry or 271 in entry]


def test_a_closing_auction(tmp_path, venue, port, dictionary, client_of):
    kinds = "0125A" + ("Q" if dictionary == trading_floor.PUBLISHED else "")
    watcher = QuickFix(tmp_path, port, dictionary, name="DATA", ResetOnLogon="Y").wait_logon()
    trader = client_of().wait_logon()
    groups = [(267, 269, [[(269, kind)] for kind in kinds]), (146, 55, [[(55, "AMZN")]])]
    watcher.send("V", (262, "call"), (263, 1), (264, 0), (265, 1), groups=groups)
    trader.send("e", (324, "state"), (55, "AMZN"), (263, 1))
    assert texts(trader.take("f", t324="state"), 326, 625) == ["5", "4"]
    trader.send("g", (335, "hours"), (263, 1))
    assert trader.take("h", t335="hours").text(340) == "5"
    name = trader.order(10, "200.00", 1, "AMZN", (59, 7))
    assert texts(trader.take("8", t11=name, t150="0"), 39, 59) == ["0", "7"]
    refused = trader.order(10, "200.00", 1, "AMZN", (59, 2))
    assert texts(trader.take("8", t11=refused), 150, 103) == ["8", "2"]
    with venue.maker() as maker:
        now = format_time(time.time_ns(), "us")
        maker.send("D", [(11, "m"), (55, "AMZN"), (54, "2"), (60, now), (38, 4), (40, "2"), (44, "199.00")])
        watcher.wait(lambda: told(watcher, "A"), "the imbalance")
        assert {(entry[271], entry[277]) for entry in told(watcher, "A")} <= {("10", "P"), ("6", "P")}
        if "Q" in kinds:
            watcher.wait(lambda: told(watcher, "Q"), "what the auction would come to")
            assert {(entry[270], entry[271], entry[286]) for entry in told(watcher, "Q")} == {("200.00", "4", "5")}
        deadline = time.monotonic() + CALL_S + trading_floor.WAIT_S
        while not any(message.text(150) == "F" for message in trader.received):
            assert time.monotonic() < deadline, "the call did not end"
            maker.receive(0.2)
            trader.drain()
        fill = trader.take("8", t11=name, t150="F")
        assert texts(fill, 39, 31, 32, 151, 625, 851) == ["1", "200", "4", "6", "AUCTION", ""]
        assert texts(trader.take("8", t11=name, t150="C"), 39, 151) == ["C", "0"]
    assert texts(trader.take("f", t325="Y"), 326) == ["18"]
    trader.send("AD", (568, "trades"), (569, 0))
    assert texts(trader.take("AE", t568="trades"), 625, 880) == ["AUCTION", fill.text(17).split(".")[0]]
    watcher.wait(lambda: told(watcher, "5"), "the closing price")
    assert told(watcher, "5")[0][270] == "200.00"
    watcher.wait(lambda: told(watcher, "2"), "the trade")
    assert [(entry[270], entry[271], entry[625]) for entry in told(watcher, "2")] == [("200.00", "4", "AUCTION")]
    for client in (watcher, trader):
        assert client.close() == 0
        assert rejections(client.log()) == []
