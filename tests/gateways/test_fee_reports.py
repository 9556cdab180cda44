"""What the parties of a match are told of its fees, and how their reports are found again.

Method: a match between two sessions of an instrument with a schedule, rendered as reports and looked up in the index.
"""

import numpy as np

from tradsys.core import Engine
from tradsys.engine.report_index import ReportIndex, pick_reports
from tradsys.gateways.reports import render_reports
from tradsys.wire import commands as c
from tradsys.wire.enums import Liquidity, ReportType, Side


def venue():
    engine = Engine(orders_max=64)
    engine.submit(
        c.pack(
            [
                c.define_instrument(1, "ABC", tick="0.01", price_max="1000"),
                *(c.define_participant(n) for n in (1, 2)),
                *(c.define_session(n, n) for n in (1, 2)),
                c.set_instrument_state(1, 2),
                c.set_fee_schedule(1, fee_exponent=-3, maker_per_lot=-2, taker_per_lot=5),
            ]
        )
    )
    return engine


def match_events(engine):
    order = {"instrument_id": 1, "qty_lots": 4, "price_ticks": 100, "client_ref": 9}
    events = [
        engine.submit(c.new_order(session_id=n, side=side, **order)).copy()
        for n, side in ((1, Side.SELL), (2, Side.BUY))
    ]
    return np.concatenate(events)


def test_each_party_is_told_its_own_fee():
    events = match_events(venue())
    maker, taker = render_reports(events, 1), render_reports(events, 2)
    kinds = ["ACCEPTED", "EXECUTED", "FEE"]
    assert [ReportType(r["report_type"]).name for r in maker] == kinds
    assert [ReportType(r["report_type"]).name for r in taker] == kinds
    assert (maker[2]["fee"], taker[2]["fee"]) == (-8, 20)
    for reports, liquidity, side in (
        (maker, Liquidity.ADDED, Side.SELL),
        (taker, Liquidity.REMOVED, Side.BUY),
    ):
        fee, executed = reports[2], reports[1]
        assert fee["match_seq"] == executed["event_seq"]
        assert fee["fee_exponent"] == -3
        assert (fee["order_id"], fee["client_ref"]) == (executed["order_id"], 9)
        assert (fee["liquidity"], fee["side"], fee["instrument_id"]) == (liquidity, side, 1)
        assert list(reports["report_seq"]) == [1, 2, 3]


def test_reports_of_fees_are_found_by_their_number():
    engine = venue()
    events = np.concatenate([match_events(engine) for _ in range(3)])
    index = ReportIndex(16, 64, 1, 1)
    index.see(events.view(np.uint8))
    index.check()
    for session_id in (1, 2):
        fee = render_reports(events, session_id)[-1]
        seq = int(fee["report_seq"])
        assert index.entries_of(session_id, seq)[-1] == (seq, int(fee["event_seq"]))
        found, highest = pick_reports(events.view(np.uint8), session_id, seq, seq)
        assert highest == seq
        assert list(events[found]["seq"]) == [fee["event_seq"]]
