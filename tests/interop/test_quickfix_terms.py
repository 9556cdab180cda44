"""Goal: special orders are FIX that QuickFIX takes: an iceberg, an order until a date, a stop, a trailing stop, their replaces.

Method: a venue process, every validation of the client on, with our dictionary and with the stock one.
"""

import signal

import pytest
import trading_floor
import yaml
from trading_floor import rejections, texts, trade

pytestmark = pytest.mark.heavy


@pytest.fixture
def venue(tmp_path, dictionary):
    """A venue that tells a client with the stock dictionary nothing beyond it."""
    venue = trading_floor.Venue(tmp_path)
    settings = yaml.safe_load(venue.settings.read_text())
    for session in settings["participants"][0]["sessions"]:
        session["fix"]["stock_only"] = dictionary != trading_floor.PUBLISHED
    venue.settings.write_text(yaml.safe_dump(settings))
    try:
        yield venue.start()
    finally:
        venue.end(signal.SIGKILL)


def enter(client, *fields):
    """Enter a buy of ten; the report that answers."""
    return client.take("8", t11=client.request("D", (55, "AMZN"), (54, 1), (38, 10), *fields))


def test_special_orders(client_of, venue, dictionary):
    is_ours = dictionary == trading_floor.PUBLISHED
    client = client_of().wait_logon()
    ice = enter(client, (40, 2), (44, "200.00"), (111, 3), (59, 6), (432, "20991231"))
    assert texts(ice, 150, 39, 111, 59, 432, 38, 151) == ["0", "0", "3", "6", "20991231", "10", "10"]
    until = enter(client, (40, 2), (44, "150.00"), (18, "6"), (59, 6), (126, "20991231-12:00:00.000"))
    assert texts(until, 150, 18, 126) == ["0", "6", "20991231-12:00:00"]
    stop = enter(client, (40, 4), (44, "230.00"), (99, "220.00"))
    assert texts(stop, 150, 40, 44, 99) == ["0", "4", "230", "220"]
    trail = enter(client, (40, "P"), (18, "a"), (99, "300.00"), (211, 250), (836, 1))
    assert texts(trail, 150, 40, 18, 99, 211, 836) == ["0", "P", "a", "300", "250", "1"]
    late = enter(client, (40, 2), (44, "150.00"), (59, 6), (126, "20200101-12:00:00"))
    assert texts(late, 150, 39, 103) == ["8", "8", "4"]
    with venue.maker() as maker:
        assert trade(maker, 4)
        fills = [client.take("8", t150="F") for _ in range(2)]  # one for each part shown
        assert [texts(one, 11, 32, 151, 111) for one in fills] == [
            [ice.text(11), "3", "7", "3"], [ice.text(11), "1", "6", "3"],
        ]  # fmt: skip
        maker.send(
            "D",
            [(11, "ask"), (55, "AMZN"), (54, "2"), (60, stop.text(60)), (38, 1), (40, "2"), (44, "225.00")],
        )
        bid = enter(client, (40, 2), (44, "225.00"))
        assert texts(client.take("8", t11=bid.text(11), t150="F"), 31, 32) == ["225", "1"]
        # the trailing stop went down to 205 with the match at 200; it comes first, and finds nothing to buy
        told = client.take("8", t11=trail.text(11), t150="L" if is_ours else "D")
        assert texts(told, 39, 40, 99, 211, 836) == ["0", "P", "205", "250", "1"]
        assert texts(client.take("8", t11=trail.text(11)), 150, 39) == ["4", "4"]
        told = client.take("8", t11=stop.text(11), t150="L" if is_ours else "D")
        assert texts(told, 39, 40, 99, 378, 58) == ["0", "4", "220", "" if is_ours else "99", "triggered"]
    client.send("AF", (584, "all"), (585, 7))
    status = {one.text(11): one for one in (client.take("8", t584="all") for _ in range(4))}
    assert texts(status[stop.text(11)], 150, 39, 40, 99) == ["I", "0", "4", "220"]
    assert texts(status[ice.text(11)], 39, 111, 432, 14) == ["1", "3", "20991231", "4"]
    changed = client.request(
        "G", (41, ice.text(11)), (55, "AMZN"), (54, 1), (38, 12), (40, 2), (44, "201.00"), (111, 3)
    )
    assert texts(client.take("8", t11=changed), 150, 38, 44, 111) == ["5", "12", "201", "3"]
    refused = client.request(
        "G", (41, changed), (55, "AMZN"), (54, 1), (38, 12), (40, 2), (44, "201.00"), (111, 4)
    )
    assert texts(client.take("9", t11=refused), 39, 434, 102) == ["1", "2", "99"]
    assert client.close() == 0
    assert rejections(client.log()) == []
