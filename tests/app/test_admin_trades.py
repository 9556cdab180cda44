"""`tradsys admin trade`: a match of a running venue is corrected and undone, and its parties are told.

Method: the venue in a thread of this process, the command called as a user calls it, two orders of another session that match.
"""


import numpy as np

from tradsys.app.cli import main
from tradsys.client import OrderClient
from tradsys.wire import commands
from tradsys.wire.enums import ReportType, Side, StpMode

SECRET = "0123456789abcdef"


def test_an_operator_corrects_and_undoes_a_match(venue, settings, capsys):
    def admin(*words):
        at = ("--at", venue.addresses["orders"], "--config", str(settings), "--json")
        return main(["admin", "trade", *words, *at])

    def receive(desk, reports, kind, count):
        while (reports["report_type"] == kind).sum() < count:
            more = desk.receive(20.0)
            assert len(more), f"{count} reports of {kind.name} did not come"
            reports = np.concatenate([reports, more])
        return reports[reports["report_type"] == kind]

    assert admin("keep", "100") == 0
    with OrderClient(venue.addresses["orders"], "desk", SECRET.encode()) as desk:
        order = {"instrument_id": 1, "qty_lots": 3, "price_ticks": 100, "stp_mode": StpMode.NONE}
        desk.send_one(commands.new_order(side=Side.SELL, client_ref=1, **order))
        seq = desk.send_one(commands.new_order(side=Side.BUY, client_ref=2, **order))
        reports = receive(desk, desk.receive_until(seq, 20.0), ReportType.EXECUTED, 2)
        match_seq = str(int(reports[0]["event_seq"]))
        assert admin("correct", match_seq, "1", "97") == 0
        told = receive(desk, reports[:0], ReportType.CORRECTED, 2)
        assert {int(report["price_ticks"]) for report in told} == {97}
        assert admin("bust", match_seq, "1") == 0
        told = receive(desk, reports[:0], ReportType.BUSTED, 2)
        assert {str(int(report["match_seq"])) for report in told} == {match_seq}
    assert admin("bust", match_seq, "1") == 1
    assert "TRADE_BUSTED" in capsys.readouterr().err
