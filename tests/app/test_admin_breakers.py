"""`tradsys admin breaker`: a running venue stops when the price falls, and goes on by itself.

Method: the venue in a thread of this process, the command called as a user calls it, prices given to its breaker.
"""

import threading
import time

import pytest
import yaml

from tradsys import config
from tradsys.app.cli import main
from tradsys.app.venue import VenueProcess
from tradsys.client import OrderClient
from tradsys.wire import commands
from tradsys.wire.enums import RejectReason, Side

SECRET = "0123456789abcdef"


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "tradsys.yaml"
    made = {
        "venue": {"data_dir": str(tmp_path / "data"), "orders_port": 0, "feed_a_port": 0, "feed_b_port": 0,
                  "snapshot_port": 0},
        "participants": [
            {"participant_id": 1, "name": "house", "permissions": ["OPERATE"],
             "sessions": [{"session_id": 1, "name": "operator", "api_key": "operator", "secret": SECRET}]},
            {"participant_id": 2, "name": "desk",
             "sessions": [{"session_id": 2, "name": "desk", "api_key": "desk", "secret": SECRET}]},
        ],
        "instruments": [{"instrument_id": 1, "symbol": "ABC"}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(made))
    return path


@pytest.fixture
def venue(settings):
    process = VenueProcess(config.load(settings, {}))
    thread = threading.Thread(target=process.run)
    thread.start()
    yield process
    process.stopping = True
    thread.join()
    process.close()


def test_an_operator_sets_a_breaker_that_stops_and_lets_go(venue, settings, capsys):
    def admin(*words):
        at = ("--at", venue.addresses["orders"], "--config", str(settings), "--json")
        return main(["admin", "breaker", *words, *at])

    def enter(desk, client_ref):
        order = {"instrument_id": 1, "side": Side.BUY, "qty_lots": 1, "price_ticks": 50}
        seq = desk.send_one(commands.new_order(client_ref=client_ref, **order))
        reports = desk.receive_until(seq, 20.0)
        return reports[reports["client_seq"] == seq][0]["reject_reason"]

    assert admin("set", "1", "--reference-price-ticks", "1000", "--us-market-wide") == 0
    assert admin("level", "1", "1", "halt", "--side", "down", "--distance-ppm", "70000", "--pause-ms", "400") == 0
    with OrderClient(venue.addresses["orders"], "desk", SECRET.encode()) as desk:
        assert enter(desk, 1) == RejectReason.NONE
        assert admin("index", "1", "931") == 0
        assert enter(desk, 2) == RejectReason.NONE
        assert admin("index", "1", "930") == 0
        deadline = time.monotonic() + 30
        reasons = {enter(desk, 3)}
        while RejectReason.NONE not in reasons and time.monotonic() < deadline:
            reasons.add(enter(desk, 10 + len(reasons)))
            desk.receive(0.05)
        assert RejectReason.NONE in reasons
        assert admin("index", "1", "800") == 0
        assert enter(desk, 90) == RejectReason.INSTRUMENT_NOT_OPEN
    assert admin("new-day", "1") == 0
    assert admin("level", "1", "velocity", "close", "--distance-ticks", "5", "--window-ms", "10") == 0
    assert admin("level", "1", "2", "close", "--pause-ms", "1") == 1
    assert "BAD_DEFINITION" in capsys.readouterr().err
