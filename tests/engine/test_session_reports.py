"""Reports of one session, from memory and disk and across restarts, against a walk over the whole log."""

import numpy as np
import pytest
from venue_flow import LOAD, all_events, drive, open_small, prepare

from tradsys.errors import InputError
from tradsys.wire.enums import Template
from tradsys.wire.records import ORDER_ACCEPTED, ORDER_EXECUTED


def reports_of(events, session_id):
    """Give {report_seq: event seq} of a session, the slow way."""
    found = {}
    for event in events:
        template = int(event["template_id"])
        if template == Template.INSTRUMENT_DEFINED:
            continue
        told = event.reshape(1).view(ORDER_ACCEPTED)[0]
        if told["session_id"] == session_id and told["report_seq"]:
            found[int(told["report_seq"])] = int(told["seq"])
        if template == Template.ORDER_EXECUTED:
            match = event.reshape(1).view(ORDER_EXECUTED)[0]
            if match["incoming_session_id"] == session_id:
                found[int(match["incoming_report_seq"])] = int(match["seq"])
    return found


def assert_reports(sequencer, session_id, truth):
    last = max(truth)
    for first in (1, 2, last // 3, last // 2, last - 1, last):
        for count in (1, 5, last):
            wanted = sorted({truth[r] for r in range(first, min(first + count, last + 1))})
            found = sequencer.reports(session_id, first, count)
            assert found["seq"].tolist() == wanted
    assert len(sequencer.reports(session_id, last + 1, 10)) == 0
    assert len(sequencer.reports(session_id, 1, 0)) == 0


@pytest.mark.parametrize("stored", [False, True], ids=["while storing", "stored"])
def test_every_report_is_found_again(tmp_path, stored):
    with open_small(tmp_path) as sequencer:
        prepare(sequencer)
        drive(sequencer, LOAD.commands[:4000])
        sequencer.snapshot(wait=True)
        drive(sequencer, LOAD.commands[4000:])
        if stored:
            sequencer.wait_stored()
        events = all_events(sequencer)
        assert len(events) > 4 * sequencer.settings.ring_events, "most are on disk only"
        truths = {session: reports_of(events, session) for session in (1, 5, 16)}
        for session, truth in truths.items():
            assert sorted(truth) == list(range(1, len(truth) + 1)), "rule 1.3: no gaps"
            assert_reports(sequencer, session, truth)
    with open_small(tmp_path) as sequencer:
        assert sequencer.recovery.snapshot_seq > 0
        for session, truth in truths.items():
            assert_reports(sequencer, session, truth)


def test_reports_that_are_not_released_are_not_given(tmp_path):
    with open_small(tmp_path, "fsync") as sequencer:
        prepare(sequencer)
        released = sequencer.wait_released()
        before = len(sequencer.reports(1, 1, 10_000))
        sequencer.hold_writer(True)
        drive(sequencer, LOAD.commands[:100])
        assert len(sequencer.reports(1, 1, 10_000)) == before
        sequencer.hold_writer(False)
        sequencer.wait_released()
        more = sequencer.reports(1, 1, 10_000)
        assert len(more) > before
        assert (np.diff(more["seq"].astype(np.int64)) > 0).all()
        assert (more["seq"][before:] > released).all()


def test_sessions_without_reports_and_bad_questions(tmp_path):
    with open_small(tmp_path) as sequencer:
        prepare(sequencer)
        assert len(sequencer.reports(4_000_000, 1, 10)) == 0
        for question in ((1, 0, 5), (1, 1, -1), (1, 1, 1 << 30)):
            with pytest.raises(InputError, match="first_report_seq at least 1"):
                sequencer.reports(*question)
