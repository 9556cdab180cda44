"""`tradsys admin fees`: schedules and classes of a running venue, and the reports of a match that pays by them.

Method: the venue in a thread of this process, the command called as a user calls it, two orders of another session that match.
"""


import numpy as np

from tradsys.app.cli import main
from tradsys.client import OrderClient
from tradsys.wire import commands
from tradsys.wire.enums import ReportType, Side, StpMode

SECRET = "0123456789abcdef"


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
