"""Goal: a second risk process takes over from one that was killed: positions whole, alerts go on, nothing is done twice.

Method: a venue in a thread, `tradsys risk live` as a process that is killed and started again, its stream read by a client.
Numbers of protocols/risk_stream.md.
"""

import os
import subprocess
import sys
import time

import pytest
from risk_house import WAIT_S, House

from tradsys.app.parent import VARIABLE
from tradsys.app.risk_standing import FILE, StandingFile
from tradsys.app.risk_stream import stream_addresses
from tradsys.client import RiskClient
from tradsys.risk.account_limits import Judged, Standing
from tradsys.wire.enums import ReportType, Side

LIMITS = """
limits:
  desk: {gross: 1500, on_breach: cancel}
  maker: {gross: 1500}
"""
ALERT = "risk.alert.desk.gross"


class Followed:
    """The house, with a process that follows it instead of the test."""

    def __init__(self, folder):
        self.house = House(folder)
        (folder / "limits.yaml").write_text(LIMITS)
        self.client = RiskClient(*stream_addresses(self.house.settings, None, None))
        self.process = None

    def start(self):
        """Start the risk process."""
        words = ["--history", self.house.history_path, "--limits", self.house.folder / "limits.yaml", "--interval", "0.02"]
        ports = {f"TRADSYS_VENUE__{name.upper()}": str(port) for name, port in self.house.ports.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tradsys", "risk", "live", "--config", self.house.settings_path, *map(str, words)],
            env={**os.environ, **ports, VARIABLE: "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self):
        """End it as a power cut would: no logout, no last word."""
        self.process.kill()
        self.process.communicate()

    def until(self, holds):
        """Wait for what must come."""
        deadline = time.monotonic() + WAIT_S
        while not holds():
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline, f"it did not come to that in time; known are {self.client.bodies}"
            self.client.poll(5)
            for trader in self.house.traders.values():
                trader.poll()

    def body(self, topic):
        """The newest body of a topic, empty if there is none."""
        return self.client.bodies.get(topic, {})

    def is_following(self):
        """Whether all copies are followed and the picture is whole."""
        copies = self.body("risk.status").get("copies", [{"state": ""}])
        return self.client.is_whole and {copy["state"] for copy in copies} == {"following"}

    def canceled(self, name):
        """Wait for the next cancel of a participant's order: its price."""
        found = []

        def have():
            taken = self.house.trader(name).receive()
            found.extend(int(r["price_ticks"]) for r in taken if r["report_type"] == ReportType.CANCELED)
            return bool(found)

        self.until(have)
        return found

    def close(self):
        """Stop everything."""
        self.client.close()
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.house.close()


@pytest.fixture
def followed(tmp_path):
    made = Followed(tmp_path)
    yield made
    made.close()


def test_a_second_process_goes_on_where_the_first_was_killed(followed):
    # 1.1, 5.3, 5.7: cancelled once for the breach; what is entered behind it stays, over the takeover, until the next breach.
    house = followed.house
    followed.start()
    followed.until(followed.is_following)
    house.order("desk", Side.BUY, 1, 5_000)
    house.trade("desk", "maker", 20, 10_000)
    followed.until(lambda: followed.body(ALERT).get("outcome") == "done")
    assert followed.canceled("desk") == [5_000]
    followed.until(lambda: followed.body("risk.alert.maker.gross").get("state") == "breach")
    first = followed.body(ALERT)
    assert house.order("desk", Side.BUY, 1, 5_100)[-1]["report_type"] == ReportType.ACCEPTED
    followed.kill()

    house.trade("desk", "maker", 3, 10_000)  # nobody looks
    followed.start()
    followed.until(lambda: followed.client.subscription.restarts == 1 and followed.is_following())
    followed.until(lambda: followed.body("risk.participant.desk").get("trades") == 2)
    followed.until(lambda: followed.body(ALERT).get("outcome") == "done")
    second = followed.body(ALERT)
    assert second["stream_id"] != first["stream_id"]
    assert (second["state"], second["since_us"], second["action"]) == ("breach", first["since_us"], "cancel")
    followed.until(lambda: followed.body("risk.alert.maker.gross").get("state") == "breach")
    desk = followed.body("risk.participant.desk")
    assert desk["positions"][0]["quantity"] == "23"
    assert followed.body("risk.status")["alerts"] == 2

    house.order("maker", Side.SELL, 1, 5_100)  # it is there: the breach told again has cancelled nothing
    followed.until(lambda: followed.body("risk.participant.desk")["trades"] == 3)
    house.trade("maker", "desk", 20, 10_000)
    followed.until(lambda: followed.body(ALERT)["state"] == "ok")
    house.order("desk", Side.BUY, 1, 5_200)
    house.trade("desk", "maker", 20, 10_000)
    followed.until(lambda: followed.body(ALERT)["state"] == "breach" and followed.body(ALERT)["outcome"] == "done")
    assert followed.canceled("desk") == [5_200]
    assert followed.body(ALERT)["since_us"] > first["since_us"]
    followed.until(lambda: followed.body("risk.participant.desk").get("trades") == 5)
    assert followed.body("risk.participant.desk")["positions"][0]["quantity"] == "24"


def test_what_stands_is_read_as_it_was_left(tmp_path):
    # 5.7: standings and outcomes come back; one that is damaged is said and counts as none.
    left = StandingFile(tmp_path)
    assert (left.standings, left.problem) == ({}, "")
    standings = {
        ("desk", "gross"): Standing("desk", Judged("gross", 2300.0, 1500.0), "breach", "cancel", 7),
        ("desk/7", "var"): Standing("desk/7", Judged("var", 1.0, 2.0), "ok", "alert", 9),
    }
    left.keep(standings, {("desk", "gross"): "done"})
    found = StandingFile(tmp_path)
    assert (found.standings, found.outcomes, found.problem) == (standings, {("desk", "gross"): "done"}, "")
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    for text in ("[{", '[{"whom": "desk"}]', '{"a": 1}'):
        (tmp_path / FILE).write_text(text)
        damaged = StandingFile(tmp_path)
        assert damaged.standings == {}
        assert "is damaged, limits are judged anew" in damaged.problem
