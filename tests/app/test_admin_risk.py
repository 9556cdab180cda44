"""`tradsys admin risk` and `tradsys admin kill`: the commands against a running venue.

Method: the venue in a thread of this process, the command called as a user calls it, an order of another session before and
after.
"""

import itertools
import json
import threading

import pytest
import yaml

from tradsys import config
from tradsys.app.cli import main
from tradsys.app.venue import VenueProcess
from tradsys.client import OrderClient
from tradsys.wire import commands
from tradsys.wire.enums import RejectReason, ReportType, Side

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


def test_an_operator_limits_kills_and_lets_go(venue, settings, capsys):
    def admin(*words):
        at = ("--at", venue.addresses["orders"], "--config", str(settings), "--json")
        return main(["admin", *words, *at])

    refs = itertools.count(1)
    with OrderClient(venue.addresses["orders"], "desk", SECRET.encode()) as desk:

        def enter(qty_lots):
            seq = desk.send_one(
                commands.new_order(
                    instrument_id=1, side=Side.BUY, qty_lots=qty_lots, price_ticks=100, client_ref=next(refs)
                )
            )
            reports = desk.receive_until(seq)
            return reports[reports["client_seq"] == seq][0]

        assert admin("risk", "set", "participant", "2", "--order-qty-max-lots", "5") == 0
        assert enter(6)["reject_reason"] == RejectReason.ORDER_QTY_LIMIT
        assert enter(5)["report_type"] == ReportType.ACCEPTED
        capsys.readouterr()
        assert admin("kill", "session", "2") == 0
        assert json.loads(capsys.readouterr().out) == {"ok": True, "canceled": 1}
        assert enter(1)["reject_reason"] == RejectReason.KILLED
        assert admin("kill", "session", "2", "--off") == 0
        assert enter(1)["report_type"] == ReportType.ACCEPTED
        assert admin("risk", "restrict", "house", "2", "1", "no-orders") == 0
        assert enter(1)["reject_reason"] == RejectReason.RESTRICTED
        assert admin("risk", "restrict", "house", "2", "1", "free") == 0
        assert admin("risk", "bands", "1", "--high-ticks", "99") == 0
        assert enter(1)["reject_reason"] == RejectReason.PRICE_OUTSIDE_BAND
        assert admin("risk", "group", "2", "7") == 0
        assert admin("risk", "new-day") == 0
        assert admin("risk", "set", "participant", "9") == 1
        assert "UNKNOWN_PARTICIPANT" in capsys.readouterr().err
    assert admin("kill", "venue", "--operator", "desk") == 1
    assert "NOT_ALLOWED" in capsys.readouterr().err
