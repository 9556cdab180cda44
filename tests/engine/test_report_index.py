"""The sparse report index, against a plain list of every report.

Random events of several sessions are shown to both; every report must lie where the index says.
"""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tradsys.engine.report_index import ReportIndex, pick_reports
from tradsys.wire.enums import Template
from tradsys.wire.records import DTYPES, empty

SESSIONS = 6


def make_events(plan, first_seq=1, reports=None):
    """Make events from (session, second session or 0) pairs; the bytes, and where each report is."""
    reports = {} if reports is None else reports
    places = {}
    rows = []

    def next_report(session, seq):
        reports[session] = reports.get(session, 0) + 1
        places[session, reports[session]] = seq
        return reports[session]

    for seq, (one, two) in enumerate(plan, first_seq):
        if one == 0:
            row = empty(Template.INSTRUMENT_DEFINED)
            row["lot_mantissa"] = 0x0000000300000001  # lies where other events have their session
            row["price_min_ticks"] = -1  # and this where they have report_seq
        elif two == 0:
            row = empty(Template.ORDER_ACCEPTED)
            row["session_id"] = one
            row["report_seq"] = next_report(one, seq)
        else:
            row = empty(Template.ORDER_EXECUTED)
            row["resting_session_id"], row["incoming_session_id"] = one, two
            row["resting_report_seq"] = next_report(one, seq)
            row["incoming_report_seq"] = next_report(two, seq)
        row["seq"] = seq
        rows.append(row.tobytes())
    return np.frombuffer(b"".join(rows), np.uint8), places


def find(index, events, session, report):
    """Look a report up as a reader does; event seq."""
    entries = index.entries_of(session, report)
    assert entries
    assert entries[0][0] <= report
    begin = entries[0][1]
    end = begin + index.strides[1]
    picked, highest = pick_reports(events[(begin - 1) * 128 : end * 128], session, report, report)
    assert len(picked) == 1
    assert highest == report
    return begin + int(picked[0])


plans = st.lists(
    st.tuples(st.integers(0, SESSIONS - 1), st.integers(0, SESSIONS - 1)), min_size=1, max_size=300
)


@example(
    plan=[
        (1, 0),
        (0, 0),
        (0, 0),
        (0, 0),
        (2, 0),
        (1, 3),
        (0, 0),
        (0, 0),
        (1, 2),
        (1, 3),
        (1, 3),
        (1, 4),
        (1, 2),
        (3, 0),
        (1, 0),
    ],
    stride_reports=1,
    stride_events=1,
    room=12,
)
@given(
    plan=plans, stride_reports=st.integers(1, 40), stride_events=st.integers(1, 60), room=st.integers(12, 60)
)
@settings(max_examples=60, deadline=None)
def test_every_report_is_where_the_index_says(plan, stride_reports, stride_events, room):
    events, places = make_events(plan)
    index = ReportIndex(SESSIONS, room, stride_reports, stride_events)
    half = len(plan) // 2 * 128
    index.see(events[:half])
    index.see(events[half:])
    index.check()
    assert len(index) <= room
    assert index.last_event_seq == len(plan)
    again = ReportIndex(SESSIONS, room)
    again.load(index.save())
    again.check()
    assert again.save() == index.save()
    for (session, report), seq in places.items():
        assert find(index, events, session, report) == seq
        assert find(again, events, session, report) == seq


def test_index_stays_within_its_room():
    index = ReportIndex(4, 16, 4, 8)
    reports = {}
    for turn in range(200):
        events, _ = make_events([(1 + turn % 3, 0)] * 50, 1 + turn * 50, reports)
        index.see(events)
    index.check()
    assert len(index) <= 16
    assert index.strides[0] > 4
    assert index.entries_of(1, 1)[0] == (1, 1)


def test_sessions_without_reports_have_no_entries():
    index = ReportIndex(4, 16)
    assert index.entries_of(2, 1) == []
    assert index.entries_of(99, 1) == []


def test_refuses_shapes_and_images_that_do_not_fit():
    with pytest.raises(ValueError, match="entries_max"):
        ReportIndex(10, 19)
    with pytest.raises(ValueError, match="128 bytes"):
        ReportIndex(4, 16).see(np.zeros(100, np.uint8))
    full = ReportIndex(SESSIONS, 60, 1, 1)
    full.see(make_events([(5, 0)] * 50)[0])
    with pytest.raises(ValueError, match="must fit"):
        ReportIndex(SESSIONS, 12).load(full.save())
    with pytest.raises(ValueError, match="session ids"):
        ReportIndex(3, 60).load(full.save())


TWO_PARTIES = (
    *(Template.ORDER_EXECUTED, Template.ORDER_TRANSFERRED),
    *(Template.FEE_CHARGED, Template.TRADE_BUSTED, Template.TRADE_CORRECTED),
)


def test_layout_of_events_is_what_the_index_reads():
    for template, dtype in DTYPES.items():
        if not 64 <= template < 128 or template in (Template.INSTRUMENT_DEFINED, Template.ORDER_TERMS_SET):
            continue
        name = "resting_" if template in TWO_PARTIES else ""
        assert dtype.fields[name + "session_id"][1] == 76
        assert dtype.fields[name + "report_seq"][1] == 84
        if template in TWO_PARTIES:
            for field in ("incoming_session_id", "incoming_report_seq"):
                assert dtype.fields[field][1] == DTYPES[Template.ORDER_EXECUTED].fields[field][1]
