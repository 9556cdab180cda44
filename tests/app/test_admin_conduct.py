"""`tradsys admin risk conduct`, `resting-time` and `mass-cancel`: the commands against a running venue.

Method: the venue in a thread of this process, the commands called as a user calls them, orders of two desks in between.
"""

import itertools
import json

import pytest
import yaml

from tradsys.app.cli import main
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
            *({"participant_id": n, "name": f"desk{n}",
               "sessions": [{"session_id": n, "name": f"desk{n}", "api_key": f"desk{n}", "secret": SECRET}]}
              for n in (2, 3)),
        ],
        "instruments": [{"instrument_id": 1, "symbol": "ABC"}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(made))
    return path


class Desk:
    """A client whose orders are numbered, and what each was answered at once."""

    def __init__(self, venue, name):
        self.client = OrderClient(venue.addresses["orders"], name, SECRET.encode())
        self.refs = itertools.count(1)

    def send(self, command):
        seq = self.client.send_one(command)
        reports = self.client.receive_until(seq, 20.0)
        return reports[reports["client_seq"] == seq][0]

    def enter(self, side=Side.BUY, price_ticks=100, qty_lots=1):
        order = {"instrument_id": 1, "side": side, "qty_lots": qty_lots, "price_ticks": price_ticks}
        return self.send(commands.new_order(client_ref=next(self.refs), **order))

    def cancel(self, client_ref):
        return self.send(commands.cancel_order(client_ref=0, orig_client_ref=client_ref, instrument_id=1))


def test_an_operator_limits_how_participants_trade(venue, settings, capsys):
    def admin(*words):
        at = ("--at", venue.addresses["orders"], "--config", str(settings), "--json")
        capsys.readouterr()
        return main(["admin", *words, *at])

    desk, other = Desk(venue, "desk2"), Desk(venue, "desk3")
    with desk.client, other.client:
        assert admin("risk", "resting-time", "1", "3600000") == 0
        assert desk.enter()["report_type"] == ReportType.ACCEPTED
        assert desk.cancel(1)["reject_reason"] == RejectReason.RESTED_TOO_SHORT
        assert admin("risk", "resting-time", "1", "0") == 0
        assert desk.cancel(1)["report_type"] == ReportType.CANCELED

        assert admin("risk", "conduct", "2", "--order-to-trade-max", "1", "--order-to-trade-free", "2") == 0
        assert desk.enter()["reject_reason"] == RejectReason.NONE
        assert desk.enter()["reject_reason"] == RejectReason.NONE
        assert desk.enter()["reject_reason"] == RejectReason.ORDER_TO_TRADE_LIMIT
        assert admin("risk", "new-day") == 0
        assert desk.enter()["reject_reason"] == RejectReason.NONE

        assert admin("risk", "mass-cancel", "--participant-id", "2", "--side", "buy") == 0
        assert json.loads(capsys.readouterr().out)["canceled"] == 3

        assert admin("risk", "conduct", "2", "--output-max-value", "500", "--output-window-ms", "3600000") == 0
        assert desk.enter(price_ticks=100, qty_lots=9)["reject_reason"] == RejectReason.NONE
        assert other.enter(side=Side.SELL, price_ticks=100, qty_lots=5)["reject_reason"] == RejectReason.NONE
        assert desk.enter(price_ticks=99)["reject_reason"] == RejectReason.NONE
        assert other.enter(side=Side.SELL, price_ticks=100)["reject_reason"] == RejectReason.NONE
        assert desk.enter()["reject_reason"] == RejectReason.KILLED
        assert admin("kill", "participant", "2", "--off") == 0
        assert desk.enter()["reject_reason"] == RejectReason.NONE
        assert admin("risk", "mass-cancel", "--group-id", "5") == 0
        assert json.loads(capsys.readouterr().out)["canceled"] == 0
        assert admin("risk", "conduct", "2", "--output-max-value", "500") == 1
        assert "BAD_DEFINITION" in capsys.readouterr().err
