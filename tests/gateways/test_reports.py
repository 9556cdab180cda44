"""Goal: a session is told what happened to it, field by field, and nothing of anybody else.
Method: events with a different value in every field, rendered for each party."""

import numpy as np
import pytest

from tradsys.gateways.reports import render_reports
from tradsys.wire import records
from tradsys.wire.enums import Liquidity, ReportType, Side, Template

COPIED = ("ts_ns", "client_ref", "instrument_id", "report_seq", "client_seq")
ORDER = (*COPIED, "order_id", "price_ticks", "qty_lots", "leaves_lots", "account_id")


def event(template, **fields):
    """An event whose every field has a value of its own."""
    made = records.empty(template)
    for value, name in enumerate(made.dtype.names[4:], start=41):
        if made.dtype[name].shape == () and made.dtype[name].kind != "S":
            made[name] = value
    for name, value in fields.items():
        made[name] = value
    return made


def told(made, session_id):
    reports = render_reports(made, session_id)
    assert reports.dtype == records.EXECUTION_REPORT
    return reports


@pytest.mark.parametrize(
    ("template", "report_type", "copied", "renamed"),
    [
        (
            Template.ORDER_ACCEPTED,
            ReportType.ACCEPTED,
            (*ORDER, "side", "order_type", "time_in_force", "order_flags", "event_flags"),
            {},
        ),
        (
            Template.ORDER_REJECTED,
            ReportType.REJECTED,
            (*ORDER, "side", "reject_reason", "refused_template", "orig_client_ref"),
            {},
        ),
        (
            Template.ORDER_CANCELED,
            ReportType.CANCELED,
            (*ORDER, "side", "order_type", "time_in_force", "order_flags", "event_flags", "cancel_reason"),
            {"orig_client_ref": "request_client_ref"},
        ),
        (
            Template.ORDER_REDUCED,
            ReportType.REDUCED,
            (*ORDER, "side", "order_type", "time_in_force", "order_flags", "event_flags", "cancel_reason"),
            {"orig_client_ref": "request_client_ref"},
        ),
        (
            Template.ORDER_REPLACED,
            ReportType.REPLACED,
            (*ORDER, "side", "order_type", "time_in_force", "order_flags", "event_flags", "orig_client_ref"),
            {},
        ),
        (
            Template.ORDER_TRIGGERED,
            ReportType.TRIGGERED,
            (*ORDER, "side", "order_type", "time_in_force", "order_flags", "event_flags"),
            {},
        ),
        (
            Template.ORDER_RELEASED,
            ReportType.TRIGGERED,
            (*ORDER, "side", "order_type", "time_in_force", "order_flags", "event_flags"),
            {},
        ),
        (
            Template.MASS_CANCELED,
            ReportType.MASS_CANCELED,
            (*COPIED, "side", "cancel_reason"),
            {"qty_lots": "order_count"},
        ),
        (
            Template.COMMAND_DONE,
            ReportType.COMMAND_DONE,
            (*COPIED, "account_id"),
            {"refused_template": "done_template"},
        ),
        (
            Template.COMMAND_REJECTED,
            ReportType.REJECTED,
            (*COPIED, "reject_reason", "refused_template"),
            {},
        ),
        (
            Template.RISK_CHANGED,
            ReportType.COMMAND_DONE,
            COPIED,
            {"refused_template": "done_template"},
        ),
        (
            Template.CHECKPOINT_TAKEN,
            ReportType.COMMAND_DONE,
            ("ts_ns", "client_ref", "report_seq", "client_seq"),
            {},
        ),
    ],
)
def test_5_1_a_report_repeats_the_event(template, report_type, copied, renamed):
    made = event(template, session_id=7)
    (report,) = told(made, 7)
    assert report["report_type"] == report_type
    assert report["event_seq"] == made["seq"][0]
    for name in copied:
        assert report[name] == made[name][0], name
    for name, source in renamed.items():
        assert report[name] == made[source][0], name
    filled = {"event_seq", "report_type", *records.EXECUTION_REPORT.names[:4], *copied, *renamed}
    if template == Template.CHECKPOINT_TAKEN:
        assert report["refused_template"] == Template.CHECKPOINT
        filled.add("refused_template")
    for name in set(records.EXECUTION_REPORT.names) - filled:
        assert not np.any(report[name]), f"{name} must be 0"
    assert len(told(made, 8)) == 0


def test_5_2_each_party_of_a_match_gets_its_own_side():
    made = event(Template.ORDER_EXECUTED, resting_session_id=1, incoming_session_id=2, incoming_side=Side.BUY)
    (resting,) = told(made, 1)
    (incoming,) = told(made, 2)
    for report, party in ((resting, "resting"), (incoming, "incoming")):
        assert report["report_type"] == ReportType.EXECUTED
        for name in ("order_id", "client_ref", "leaves_lots", "account_id", "report_seq"):
            assert report[name] == made[f"{party}_{name}"][0], name
        assert (report["price_ticks"], report["qty_lots"]) == (made["price_ticks"][0], made["qty_lots"][0])
    assert (resting["side"], resting["liquidity"]) == (Side.SELL, Liquidity.ADDED)
    assert (incoming["side"], incoming["liquidity"]) == (Side.BUY, Liquidity.REMOVED)


def test_5_2_both_parties_of_one_session_get_two_the_resting_first():
    made = event(
        Template.ORDER_EXECUTED, resting_session_id=1, incoming_session_id=1, incoming_side=Side.SELL
    )
    reports = told(made, 1)
    assert reports["liquidity"].tolist() == [Liquidity.ADDED, Liquidity.REMOVED]
    assert reports["side"].tolist() == [Side.BUY, Side.SELL]


@pytest.mark.parametrize("template", [Template.ORDER_RESTED, Template.INSTRUMENT_DEFINED])
def test_events_without_report_tell_nobody(template):
    made = event(template)
    assert all(len(told(made, session_id)) == 0 for session_id in range(130))


@pytest.mark.parametrize("template", [Template.MASS_CANCELED, Template.COMMAND_DONE, Template.ORDER_REJECTED])
def test_report_seq_0_means_nobody(template):
    assert len(told(event(template, session_id=7, report_seq=0), 7)) == 0


def test_events_that_are_no_events_are_refused():
    with pytest.raises(ValueError, match="128"):
        render_reports(np.zeros(100, np.uint8), 1)
