"""Finding a session's reports in the event log: the sparse index says where to look, the log has them."""

from typing import TYPE_CHECKING

import numpy as np

from tradsys.engine.report_index import pick_reports
from tradsys.errors import InputError
from tradsys.wire.records import EVENT_COMMON

if TYPE_CHECKING:
    from tradsys.engine.sequencer import Sequencer

CHUNK_EVENTS = 8192
REPORTS_MAX = 1 << 20


def find_reports(sequencer: "Sequencer", session_id: int, first_report_seq: int, count: int) -> np.ndarray:
    """Give the released events that hold the reports first_report_seq .. first_report_seq + count - 1 of a session.

    Parameters
    ----------
    sequencer : Sequencer
    session_id : int
    first_report_seq : int
        From 1.
    count : int
        At most 2**20 at a time.

    Returns
    -------
    ndarray of EVENT_COMMON
        In order, a copy; shorter when the session has no more reports.
    """
    if session_id < 0 or first_report_seq < 1 or not 0 <= count <= REPORTS_MAX:
        raise InputError(
            f"session_id must be at least 0, first_report_seq at least 1 and count in [0, {REPORTS_MAX}], "
            f"were {session_id}, {first_report_seq} and {count}"
        )
    last_report_seq = min(first_report_seq + count - 1, 2**32 - 1)
    wanted = first_report_seq
    found: list[np.ndarray] = []
    for begin, end in _spans(sequencer, session_id, first_report_seq, last_report_seq):
        at = begin
        while at <= end and wanted <= last_report_seq:
            events = sequencer.read_events(at, min(CHUNK_EVENTS, end - at + 1))
            if len(events) == 0:
                break
            picked, highest = pick_reports(events.view(np.uint8), session_id, wanted, last_report_seq)
            if len(picked):
                found.append(events[picked])
                wanted = highest + 1
            at += len(events)
    return np.concatenate(found) if found else np.empty(0, EVENT_COMMON)


def _spans(
    sequencer: "Sequencer", session_id: int, first_report_seq: int, last_report_seq: int
) -> list[tuple[int, int]]:
    """Give the ranges of events to look through, in order, without overlap.

    Of the events the index has seen, a report lies less than a stride behind the last entry before it; of those it has not
    seen yet, anywhere.
    """
    indexed = sequencer.index.last_event_seq
    released = sequencer.released_event_seq()
    entries = sequencer.index.entries_of(session_id, first_report_seq)
    stride_events = sequencer.index.strides[1]
    spans: list[tuple[int, int]] = []
    for number, (report_seq, event_seq) in enumerate(entries):
        if report_seq > last_report_seq:
            return spans
        end = min(event_seq + stride_events, indexed, released)
        if number + 1 < len(entries):
            end = min(end, entries[number + 1][1] - 1)
        spans.append((event_seq, end))
    spans.append((max(indexed, entries[-1][1] if entries else 0) + 1, released))
    return spans
