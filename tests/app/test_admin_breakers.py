"""`tradsys admin breaker`: a running venue stops when the price falls, and goes on by itself.

Method: the venue in a thread of this process, the command called as a user calls it, prices given to its breaker.
"""

import time

from tradsys.app.cli import main
from tradsys.client import OrderClient
from tradsys.wire import commands
from tradsys.wire.enums import RejectReason, Side

SECRET = "0123456789abcdef"


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
