"""`tradsys admin fees`: schedules and classes of a running venue, and the reports of a match that pays by them.

Method: the venue in a thread of this process, the command called as a user calls it, two orders of another session that match.
"""

import threading

import numpy as np
import pytest
import yaml

from tradsys import config
from tradsys.app.cli import main
from tradsys.app.venue import VenueProcess
from tradsys.client import OrderClient
from tradsys.wire import commands
from tradsys.wire.enums import ReportType, Side, StpMode

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


def test_an_operator_sets_what_matches_cost(venue, settings, capsys):
    def admin(*words):
        at = ("--at", venue.addresses["orders"], "--config", str(settings), "--json")
        return main(["admin", "fees", *words, *at])

    assert admin("set", "1", "--maker-per-lot", "-1", "--taker-per-lot", "2", "--exponent", "-3") == 0
    assert admin("set", "1", "4", "--taker-per-lot", "9", "--exponent", "-3") == 0
    assert admin("class", "2", "4") == 0
    with OrderClient(venue.addresses["orders"], "desk", SECRET.encode()) as desk:

        def trade(client_ref):
            order = {"instrument_id": 1, "qty_lots": 3, "price_ticks": 100, "stp_mode": StpMode.NONE}
            desk.send_one(commands.new_order(side=Side.SELL, client_ref=client_ref, **order))
            seq = desk.send_one(commands.new_order(side=Side.BUY, client_ref=client_ref + 1, **order))
            reports = desk.receive_until(seq, 20.0)
            while (count := (reports["report_type"] == ReportType.FEE).sum()) < 2:
                more = desk.receive(20.0)
                assert len(more), f"{count} reports of fees came"
                reports = np.concatenate([reports, more])
            return [int(fee) for fee in reports[reports["report_type"] == ReportType.FEE]["fee"]]

        assert trade(1) == [0, 27]
        assert admin("off", "1", "4", "--exponent", "-3") == 0
        assert trade(3) == [-3, 6]
    assert admin("set", "1", "--exponent", "-2") == 1
    assert "ALREADY_DEFINED" in capsys.readouterr().err
