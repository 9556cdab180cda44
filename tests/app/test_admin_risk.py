"""`tradsys admin risk` and `tradsys admin kill`: the commands against a running venue.

Method: the venue in a thread of this process, the command called as a user calls it, an order of another session before and
after.
"""

import itertools
import json

from tradsys.app.cli import main
from tradsys.client import OrderClient
from tradsys.wire import commands
from tradsys.wire.enums import RejectReason, ReportType, Side

SECRET = "0123456789abcdef"


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
