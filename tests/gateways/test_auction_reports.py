"""What the parties of an auction are told.

Method: the events of a small call, made with the builders of commands, rendered as reports.
"""

import numpy as np
import pytest

from tradsys.core import Engine
from tradsys.gateways.reports import render_reports
from tradsys.wire import commands as c
from tradsys.wire.enums import (
    EventFlags,
    InstrumentState,
    Liquidity,
    OrderType,
    RejectReason,
    ReportType,
    Side,
    Template,
    TimeInForce,
)


@pytest.fixture
def engine():
    made = Engine(orders_max=64)
    setup = [
        c.define_instrument(1, "FUND", tick="0.01", price_max="1000"),
        *(c.define_participant(n) for n in (1, 2, 3)),
        *(c.define_session(n, n) for n in (1, 2, 3)),
    ]
    made.submit(c.pack(setup))
    return made


def reports_of(engine, session_id, *records):
    events = engine.submit(c.pack(list(records))).copy()
    return render_reports(events, session_id)


def test_both_parties_of_an_auction_match_rested(engine):
    reports = reports_of(
        engine,
        2,
        c.set_auction_rules(1, reference_price_ticks=90, extension_range_bp=10_000, extensions_max=1),
        c.start_call(1, InstrumentState.OPENING_AUCTION, end_ts_ns=5, ts_ns=1),
        c.new_order(session_id=1, client_ref=1, instrument_id=1, side=Side.BUY, price_ticks=101, qty_lots=4),
        c.new_order(
            session_id=2, client_ref=2, instrument_id=1, side=Side.SELL, price_ticks=100, qty_lots=6,
            time_in_force=TimeInForce.AT_OPEN,
        ),
        c.auction_timer(1, ts_ns=6),
    )  # fmt: skip
    assert [ReportType(r["report_type"]).name for r in reports] == ["ACCEPTED", "EXECUTED", "CANCELED"]
    match = reports[1]
    assert (match["price_ticks"], match["qty_lots"], match["leaves_lots"]) == (100, 4, 2)
    assert match["liquidity"] == Liquidity.NONE
    assert match["event_flags"] == EventFlags.AUCTION
    assert reports[0]["time_in_force"] == reports[2]["time_in_force"] == TimeInForce.AT_OPEN


def test_a_refusal_by_phase_has_its_reason(engine):
    (report,) = reports_of(
        engine,
        1,
        c.set_instrument_state(1, InstrumentState.OPEN),
        c.new_order(
            session_id=1, client_ref=1, instrument_id=1, side=Side.BUY, price_ticks=9, qty_lots=1,
            time_in_force=TimeInForce.GOOD_FOR_AUCTION,
        ),
    )  # fmt: skip
    assert (report["report_type"], report["reject_reason"]) == (ReportType.REJECTED, RejectReason.WRONG_PHASE)


def test_the_issuer_of_a_fund_is_told_of_its_order(engine):
    reports = reports_of(
        engine,
        3,
        c.set_instrument_state(1, InstrumentState.NAV_COLLECTION),
        c.new_order(
            session_id=1, client_ref=1, instrument_id=1, side=Side.BUY, qty_lots=4, order_type=OrderType.MARKET
        ),
        c.publish_nav(1, 1234, issuer_session_id=3, client_ref=77),
    )
    assert [ReportType(r["report_type"]).name for r in reports] == ["ACCEPTED", "EXECUTED"]
    assert {int(r["client_ref"]) for r in reports} == {77}
    assert reports[1]["price_ticks"] == 1234
    assert reports[1]["client_seq"] == 0


def test_records_of_phases_say_what_they_were_told():
    rules = c.set_auction_rules(7, dynamic_range_bp=300, volatility_call_ns=5)[0]
    assert rules["template_id"] == Template.SET_AUCTION_RULES
    assert (rules["reference_price_ticks"], rules["dynamic_range_bp"], rules["volatility_call_ns"]) == (-(1 << 63), 300, 5)
    call = c.start_call(7, InstrumentState.CLOSING_AUCTION, end_ts_ns=9, state_after=InstrumentState.TRADE_AT_CLOSE)[0]
    assert (call["state"], call["state_after"], call["end_ts_ns"]) == (7, 8, 9)
    assert np.array_equal(c.auction_timer(7)["instrument_id"], [7])
