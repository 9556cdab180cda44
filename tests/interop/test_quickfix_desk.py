"""Goal: what the door answers beside orders is FIX that a QuickFIX client takes: statuses, trades, passwords, drop copies.

Method: as for the day: every validation on, with the published dictionary and with the stock one.
"""

import pytest
from trading_floor import rejections, texts, trade

pytestmark = pytest.mark.heavy


@pytest.fixture
def client(client_of):
    client = client_of().wait_logon()
    yield client
    assert client.close() == 0
    assert rejections(client.log()) == []


def test_states_of_instruments_and_sessions(client):
    client.send("e", (324, "one"), (55, "AMZN"), (263, 0))
    state = client.take("f", t324="one")
    assert texts(state, 55, 326) == ["AMZN", "17"]
    client.send("e", (324, "followed"), (55, "AMZN"), (263, 1))
    client.take("f", t324="followed")
    client.send("g", (335, "hours"), (263, 1))
    assert client.take("h", t335="hours").text(340) == "2"


def test_trades_of_the_session(client, venue):
    name = client.order(10)
    client.take("8", t11=name, t150="0")
    with venue.maker() as maker:
        assert trade(maker, 4)
        assert trade(maker, 6)
    fills = [client.take("8", t150="F") for _ in range(2)]
    client.send("AD", (568, "trades"), (569, 0))
    assert client.take("AQ", t568="trades").text(749) == "0"
    told = [client.take("AE", t568="trades") for _ in range(2)]
    assert [m.text(571) for m in told] == [m.text(17) for m in fills]
    assert [texts(m, 32, 31, 55, 54, 11) for m in told] == [
        ["4", "200", "AMZN", "1", name],
        ["6", "200", "AMZN", "1", name],
    ]
    assert [m.text(912) == "Y" for m in told] == [False, True]
    assert client.take("AQ", t568="trades").text(748) == "2"


def test_a_password_is_changed(client):
    client.send("BE", (923, "status"), (924, 4), (553, "desk"))
    assert client.take("BF", t923="status").text(926) == "1"
    client.send("BE", (923, "wrong"), (924, 3), (553, "desk"), (554, "not it"), (925, "another password"))
    assert client.take("BF", t923="wrong").text(926) in ("4", "6")


def test_what_is_watched_is_told_when_it_changes(client, venue):
    name = client.order(10)
    client.take("8", t11=name, t150="0")
    client.send("AD", (568, "follow"), (569, 0), (263, 1))
    client.take("AQ", t568="follow")
    with venue.maker() as maker:
        assert trade(maker, 1)
    live = client.take("AE", t568="follow")
    assert texts(live, 32, 11) == ["1", name]
