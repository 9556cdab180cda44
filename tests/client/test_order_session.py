"""Goal: a client's session numbers, keeps, resends and never misses a report unnoticed.
Method: the session without sockets, fed with frames made by hand and with random bytes."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradsys.client.order_session import (
    RESUME_NEWEST,
    FrameRefusedError,
    LoggedOutError,
    LogonRefusedError,
    OrderSession,
    Report,
    State,
    frame_of,
    frames_of,
    open_frame,
)
from tradsys.errors import SessionError
from tradsys.wire import commands, records
from tradsys.wire.enums import CloseReason, RejectReason, ReportType, Side, Template


def message(template, **fields):
    made = records.empty(template)
    for name, value in fields.items():
        made[name] = value
    return frame_of(made.tobytes())


def report_frame(first, count, client_seq=0):
    made = records.empty(Template.EXECUTION_REPORT, count)
    made["report_seq"] = np.arange(first, first + count)
    made["client_seq"] = client_seq
    made["report_type"] = ReportType.ACCEPTED
    return frame_of(made.tobytes(), 0, count)


def orders(count):
    made = records.empty(Template.NEW_ORDER, count)
    made["client_ref"] = np.arange(count)
    return made


def online(next_client_seq=1, last_report_seq=0, **options):
    """A session whose client knows no report, logged on to a venue that has sent that many."""
    session = OrderSession("key", b"secret", last_report_seq=0, **options)
    session.logon(1, 1)
    session.receive(
        message(
            Template.LOGON_ACCEPTED,
            session_id=3,
            participant_id=2,
            next_client_seq=next_client_seq,
            last_report_seq=last_report_seq,
            heartbeat_ms=1000,
            frame_messages_max=4,
        )
    )
    return session


def client_record(frame):
    return int.from_bytes(frame[26:28], "little"), frame[24:]


def test_a_logon_makes_the_session_online():
    session = online(next_client_seq=8)
    assert (session.state, session.session_id, session.next_client_seq) == (State.ONLINE, 3, 8)
    assert session.acknowledged_seq == 7


def test_commands_are_numbered_and_split_into_frames():
    session = online(next_client_seq=8)
    dirty = orders(10)
    dirty["client_seq"] = 99
    frames = list(frames_of(session.number(dirty)))
    heads = [np.frombuffer(frame, records.FRAME, count=1)[0] for frame in frames]
    assert [(h["first_seq"], h["message_count"]) for h in heads] == [(8, 4), (12, 4), (16, 2)]
    sent = np.concatenate([np.frombuffer(frame[24:], records.NEW_ORDER) for frame in frames])
    assert sent["client_ref"].tolist() == list(range(10))
    assert not sent["client_seq"].any()
    assert dirty["client_seq"].all(), "the caller's array is not touched"


def test_reports_come_once_each_and_in_order():
    session = online()
    assert session.receive(report_frame(1, 3))["report_seq"].tolist() == [1, 2, 3]
    assert session.receive(report_frame(1, 3)).tolist() == []
    assert session.receive(report_frame(2, 4))["report_seq"].tolist() == [4, 5]


def test_a_gap_is_asked_for_once_and_nothing_behind_it_is_taken():
    session = online()
    session.receive(report_frame(1, 2))
    assert len(session.receive(report_frame(5, 2))) == 0
    assert len(session.receive(report_frame(7, 2))) == 0
    template, body = client_record(session.replies.popleft())
    assert template == Template.RESEND_REQUEST
    assert np.frombuffer(body, records.RESEND_REQUEST)["first_report_seq"][0] == 3
    assert not session.replies
    assert session.receive(report_frame(3, 6))["report_seq"].tolist() == [3, 4, 5, 6, 7, 8]


def test_a_heartbeat_tells_of_a_missed_last_report():
    session = online()
    session.receive(message(Template.HEARTBEAT, next_seq=1))
    assert not session.replies
    session.receive(message(Template.HEARTBEAT, next_seq=4))
    assert client_record(session.replies.popleft())[0] == Template.RESEND_REQUEST


def test_what_is_answered_is_forgotten_what_is_not_is_kept():
    session = online(unacknowledged_max=10)
    session.number(orders(4))
    session.number(orders(4))
    with pytest.raises(SessionError, match="room for 2"):
        session.number(orders(3))
    session.receive(report_frame(1, 4, client_seq=4))
    assert session.room == 6
    assert [chunk.first_seq for chunk in session.unacknowledged] == [5]


def test_reports_of_the_past_answer_nothing_of_a_new_count():
    """After a reset client_seq begins at 1 again; resent reports carry the old, higher numbers."""
    session = online(last_report_seq=5)
    session.number(orders(3))
    session.receive(report_frame(1, 5, client_seq=900))
    assert session.acknowledged_seq == 0
    session.receive(report_frame(6, 1, client_seq=2))
    assert session.acknowledged_seq == 2


def test_without_a_past_the_newest_report_is_the_beginning():
    session = OrderSession("key", b"secret")
    logon = np.frombuffer(session.logon(1, 1)[24:], records.LOGON)[0]
    assert logon["last_report_seq"] == RESUME_NEWEST
    session.receive(
        message(Template.LOGON_ACCEPTED, next_client_seq=1, last_report_seq=50, frame_messages_max=1)
    )
    assert session.receive(report_frame(51, 1))["report_seq"].tolist() == [51]


def test_a_venue_that_forgot_what_it_answered_is_an_error():
    session = online()
    session.number(orders(3))
    session.receive(report_frame(1, 3, client_seq=3))
    session.logon(1, 2)
    accepted = message(Template.LOGON_ACCEPTED, next_client_seq=2, last_report_seq=3, frame_messages_max=1)
    with pytest.raises(SessionError, match="expects client_seq 2 next, but has answered 3"):
        session.receive(accepted)


def test_refusals_carry_their_reason():
    with pytest.raises(LogonRefusedError) as refused:
        online().receive(
            message(Template.LOGON_REFUSED, reject_reason=RejectReason.SESSION_DISABLED, text=b"no")
        )
    assert (refused.value.reason, refused.value.text) == (RejectReason.SESSION_DISABLED, "no")
    with pytest.raises(LoggedOutError) as closed:
        online().receive(message(Template.LOGGED_OUT, close_reason=CloseReason.FLOOD, text=b"too much"))
    assert closed.value.reason is CloseReason.FLOOD
    with pytest.raises(FrameRefusedError) as frame:
        online().receive(
            message(Template.FRAME_REFUSED, reject_reason=RejectReason.MALFORMED_FRAME, text=b"bad")
        )
    assert frame.value.reason is RejectReason.MALFORMED_FRAME


def test_a_connection_the_venue_does_not_know_means_log_on_again():
    session = online()
    session.receive(message(Template.FRAME_REFUSED, reject_reason=RejectReason.NOT_LOGGED_ON))
    assert session.state is State.OFFLINE


def test_only_the_newest_chunk_can_be_withdrawn():
    session = online()
    first, second = session.number(orders(2)), session.number(orders(2))
    with pytest.raises(ValueError, match="newest"):
        session.withdraw(first)
    session.withdraw(second)
    assert session.next_client_seq == 3


def test_a_report_for_people():
    made = records.empty(Template.EXECUTION_REPORT)
    made["report_type"], made["side"], made["qty_lots"], made["resent"] = ReportType.EXECUTED, Side.SELL, 5, 1
    report = Report.of(made[0])
    assert (report.report_type, report.side, report.qty_lots, report.resent) == (
        ReportType.EXECUTED,
        2,
        5,
        True,
    )


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        report_frame(1, 1)[:-8],
        report_frame(1, 1) + bytes(8),
        message(Template.LOGON),
        frame_of(records.empty(Template.HEARTBEAT, 2).tobytes(), 0, 2),
        frame_of(records.empty(Template.EXECUTION_REPORT).tobytes() + commands.checkpoint().tobytes(), 0, 2),
        message(Template.HEARTBEAT)[:6] + b"\x02" + message(Template.HEARTBEAT)[7:],
        frame_of(records.empty(Template.EXECUTION_REPORT, 2).tobytes()[::-1], 0, 2),
    ],
)
def test_frames_that_do_not_hold_are_refused(frame):
    with pytest.raises(SessionError):
        online().receive(frame)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 200), st.integers(0, 255))
def test_random_bytes_are_refused_or_harmless(blob, place, value):
    changed = bytearray(report_frame(1, 2))
    changed[place] = value
    for frame in (blob, bytes(changed)):
        with contextlib.suppress(SessionError):
            open_frame(frame)
            online().receive(frame)
