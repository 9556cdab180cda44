"""Goal: the order door keeps every promise of protocols/order_entry.md; tests are named for its numbers.
Method: a real sequencer and real sockets, turned by hand; raw peers that send any bytes they like."""

import os

import numpy as np
import pytest
from door_maker import order, report_log
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradsys.client.order_session import frame_of
from tradsys.gateways.limits import DoorLimits
from tradsys.wire import commands, records
from tradsys.wire.enums import (
    CancelReason,
    CloseReason,
    InstrumentState,
    OrderFlags,
    RejectReason,
    ReportType,
    Side,
    Template,
    TimeInForce,
)


def types(reports):
    return [ReportType(report["report_type"]) for report in reports]


# ------------------------------------------------------------------ orders and reports


def test_5_1_an_order_is_accepted_and_reported(door):
    peer = door.peer()
    accepted = peer.logon()
    assert (accepted["session_id"], accepted["participant_id"], accepted["next_client_seq"]) == (1, 1, 1)
    peer.send_commands(order(7), first_seq=1)
    (report,) = peer.reports(1)
    assert report["report_type"] == ReportType.ACCEPTED
    assert (report["client_ref"], report["client_seq"], report["report_seq"]) == (7, 1, 1)
    assert report["resent"] == 0


def test_5_2_each_party_sees_its_own_side_of_a_match(door):
    buyer, seller = door.peer(1), door.peer(3)
    buyer.logon()
    seller.logon()
    buyer.send_commands(order(1), first_seq=1)
    buyer.reports(1)
    seller.send_commands(order(2, Side.SELL, qty=4), first_seq=1)
    accepted, executed = seller.reports(2)
    assert types([accepted, executed]) == [ReportType.ACCEPTED, ReportType.EXECUTED]
    assert (executed["client_ref"], executed["leaves_lots"], executed["side"]) == (2, 0, Side.SELL)
    (resting,) = buyer.reports(1)
    assert (resting["client_ref"], resting["leaves_lots"], resting["side"]) == (1, 6, Side.BUY)
    assert resting["event_seq"] == executed["event_seq"]


def test_4_1_a_frame_of_many_commands_is_numbered_in_order(door):
    peer = door.peer()
    peer.logon()
    batch = [order(i) for i in range(1, 400)]
    batch.append(commands.mass_cancel(client_ref=400))
    peer.send_commands(*batch, first_seq=1)
    reports = peer.reports(399 * 2 + 1)
    assert [r["report_seq"] for r in reports] == list(range(1, 800))
    assert [r["client_seq"] for r in reports[:399]] == list(range(1, 400))
    assert types(reports[399:]) == [ReportType.CANCELED] * 399 + [ReportType.MASS_CANCELED]
    assert reports[-1]["qty_lots"] == 399


def test_5_7_an_operator_commands_through_the_same_door(door):
    peer, other = door.peer(1), door.peer(3)
    peer.logon()
    other.logon()
    halt = commands.set_instrument_state(1, InstrumentState.HALTED, client_ref=5)
    peer.send_commands(halt, first_seq=1)
    other.send_commands(halt, first_seq=1)
    (done,) = peer.reports(1)
    assert (done["report_type"], done["refused_template"]) == (
        ReportType.COMMAND_DONE,
        Template.SET_INSTRUMENT_STATE,
    )
    (refused,) = other.reports(1)
    assert (refused["report_type"], refused["reject_reason"]) == (
        ReportType.REJECTED,
        RejectReason.NOT_ALLOWED,
    )


def test_5_8_an_order_cancelled_from_another_session_is_reported_to_its_own(door):
    owner, sister, stranger = door.peer(1), door.peer(2), door.peer(3)
    for peer in (owner, sister, stranger):
        peer.logon()
    owner.send_commands(order(1), first_seq=1)
    (accepted,) = owner.reports(1)
    by_id = commands.cancel_order(instrument_id=1, client_ref=9, order_id=int(accepted["order_id"]))
    stranger.send_commands(by_id, first_seq=1)
    (refused,) = stranger.reports(1)
    assert refused["reject_reason"] == RejectReason.UNKNOWN_ORDER
    sister.send_commands(by_id, commands.mass_cancel(client_ref=10), first_seq=1)
    (canceled,) = owner.reports(1)
    assert (canceled["report_type"], canceled["client_ref"], canceled["client_seq"]) == (
        ReportType.CANCELED,
        1,
        0,
    )
    assert types(sister.reports(1)) == [ReportType.MASS_CANCELED]


def test_7_4_a_frame_larger_than_the_batch_is_continued(make_door):
    door = make_door(batch_bytes=65_536)
    door.define()
    peer = door.peer()
    peer.logon()
    peer.send_commands(*(order(i) for i in range(1, 1001)), first_seq=1)
    reports = peer.reports(1000)
    assert [r["client_seq"] for r in reports] == list(range(1, 1001))
    assert set(types(reports)) == {ReportType.ACCEPTED}


# ------------------------------------------------------------------ frames that are wrong

BROKEN = {
    "truncated": (lambda good: good[:-8], RejectReason.MALFORMED_FRAME),
    "too long": (lambda good: good + bytes(8), RejectReason.MALFORMED_FRAME),
    "empty": (lambda good: b"", RejectReason.MALFORMED_FRAME),
    "of another version": (lambda good: good[:6] + b"\x09" + good[7:], RejectReason.UNSUPPORTED_VERSION),
    "of an unknown template": (lambda good: good[:26] + b"\x13" + good[27:], RejectReason.UNKNOWN_TEMPLATE),
    "of another block length": (lambda good: good[:24] + b"\x40" + good[25:], RejectReason.BAD_BLOCK_LENGTH),
    "of the venue's own": (
        lambda good: frame_of(commands.open_session(3).tobytes(), 1),
        RejectReason.MALFORMED_FRAME,
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_2_2_a_broken_frame_is_refused_and_nothing_of_it_executed(door, what):
    breaks, reason = BROKEN[what]
    if what == "of the venue's own":
        reason = RejectReason.UNKNOWN_TEMPLATE
    peer, other = door.peer(1), door.peer(3)
    peer.logon()
    other.logon()
    peer.send(breaks(frame_of(order(1).tobytes(), 1)))
    refused = peer.take(Template.FRAME_REFUSED)
    assert (refused["reject_reason"], refused["next_client_seq"]) == (reason, 1)
    assert len(refused["text"]) > 10
    before = door.sequencer.last_seq
    other.send_commands(order(3), first_seq=1)
    assert types(other.reports(1)) == [ReportType.ACCEPTED]
    peer.send_commands(order(1), first_seq=1)
    assert types(peer.reports(1)) == [ReportType.ACCEPTED]
    assert door.sequencer.last_seq == before + 2


def test_1_4_a_message_of_several_parts_is_refused(door):
    peer = door.peer()
    peer.logon()
    peer.socket.send_multipart([frame_of(order(1).tobytes(), 1), b"more", b"and more"])
    assert peer.take(Template.FRAME_REFUSED)["reject_reason"] == RejectReason.MALFORMED_FRAME
    peer.send_commands(order(1), first_seq=1)
    assert types(peer.reports(1)) == [ReportType.ACCEPTED]


def test_1_2_a_peer_that_names_itself_is_not_spoken_with(door):
    peer = door.peer(routing_id=b"victim")
    refused = peer.logon_refused_as_frame()
    assert refused["reject_reason"] == RejectReason.NOT_LOGGED_ON


def test_1_5_an_oversized_message_never_arrives(make_door):
    door = make_door(limits=DoorLimits(frame_bytes_max=4096))
    door.define()
    peer, big = door.peer(1), door.peer(3)
    peer.logon()
    big.logon()
    before = door.gateway.stats()["frames_in"]
    big.send(bytes(8192))
    peer.send_commands(order(1), first_seq=1)
    peer.reports(1)
    assert door.gateway.stats()["frames_in"] == before + 1


def test_2_6_too_many_protocol_errors_end_the_session(door):
    peer, other = door.peer(1), door.peer(3)
    peer.logon()
    other.logon()
    for _ in range(door.limits.protocol_errors_max):
        peer.send(b"garbage")
    assert peer.take(Template.LOGGED_OUT)["close_reason"] == CloseReason.PROTOCOL_ERROR
    for _ in range(door.limits.protocol_errors_max):
        assert peer.take(Template.FRAME_REFUSED)["reject_reason"] == RejectReason.MALFORMED_FRAME
    peer.send_commands(order(1), first_seq=1)
    assert peer.take(Template.FRAME_REFUSED)["reject_reason"] == RejectReason.NOT_LOGGED_ON
    other.send_commands(order(3), first_seq=1)
    assert types(other.reports(1)) == [ReportType.ACCEPTED]


def test_2_7_answers_to_strangers_are_rationed(make_door):
    door = make_door(limits=DoorLimits(refusals_per_second=3))
    door.define()
    stranger = door.peer()
    for _ in range(10):
        stranger.send(frame_of(order(1).tobytes(), 1))
    door.until(lambda: door.gateway.stats()["frames_refused"] == 10)
    assert door.gateway.stats()["refusals_dropped"] == 7
    for _ in range(3):
        assert stranger.take(Template.FRAME_REFUSED)["reject_reason"] == RejectReason.NOT_LOGGED_ON


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
def test_2_1_random_bytes_change_nothing(door, blobs):
    peer = door.peer(2)
    before = door.sequencer.engine.state_hash()
    refused = door.gateway.stats()["frames_refused"]
    for blob in blobs:
        peer.send(blob)
    door.until(lambda: door.gateway.stats()["frames_refused"] == refused + len(blobs))
    assert door.sequencer.engine.state_hash() == before
    peer.close()
    door.peers.remove(peer)


# ------------------------------------------------------------------ logon


def test_3_2_a_wrong_secret_changes_nothing(door):
    before = door.sequencer.last_seq
    refused = door.peer().logon(accepted=False, secret=b"wrong")
    assert refused["reject_reason"] == RejectReason.AUTHENTICATION_FAILED
    assert door.sequencer.last_seq == before


def test_3_6_what_the_engine_refuses_is_told(door):
    door.run(commands.define_session(3, 2, enabled=False))
    assert door.peer(3).logon(accepted=False)["reject_reason"] == RejectReason.SESSION_DISABLED
    door.run(commands.define_session(3, 2), commands.define_participant(2, enabled=False))
    assert door.peer(3).logon(accepted=False)["reject_reason"] == RejectReason.PARTICIPANT_DISABLED
    door.run(commands.define_participant(2))
    door.peer(3).logon()


def test_3_6_a_session_the_engine_does_not_know(make_door):
    door = make_door()
    assert door.peer(1).logon(accepted=False)["reject_reason"] == RejectReason.UNKNOWN_SESSION


def test_3_7_client_seq_begins_anew_when_asked(door):
    peer = door.peer()
    peer.logon()
    peer.send_commands(order(1), order(2), first_seq=1)
    peer.reports(2)
    again = door.peer()
    accepted = again.logon(reset_client_seq=True)
    assert (accepted["next_client_seq"], accepted["last_report_seq"]) == (1, 2)
    again.send_commands(order(3), first_seq=1)
    (report,) = again.reports(1)
    assert (report["client_seq"], report["report_seq"]) == (1, 3)


def test_3_8_a_second_logon_replaces_the_first(door):
    first = door.peer()
    first.logon(cancel_on_disconnect=True)
    first.send_commands(order(1), order(2, order_flags=OrderFlags.KEEP_ON_DISCONNECT), first_seq=1)
    first.reports(2)
    second = door.peer()
    assert second.logon(last_report_seq=2)["next_client_seq"] == 3
    assert first.take(Template.LOGGED_OUT)["close_reason"] == CloseReason.REPLACED_BY_NEW_LOGON
    (canceled,) = second.reports(1)
    assert (canceled["report_type"], canceled["client_ref"]) == (ReportType.CANCELED, 1)
    assert canceled["cancel_reason"] == CancelReason.DISCONNECT
    first.send_commands(order(3), first_seq=3)
    assert first.take(Template.FRAME_REFUSED)["reject_reason"] == RejectReason.NOT_LOGGED_ON
    second.send_commands(commands.cancel_order(instrument_id=1, client_ref=4, orig_client_ref=2), first_seq=3)
    assert types(second.reports(1)) == [ReportType.CANCELED]


def test_one_connection_has_one_session(door):
    peer = door.peer()
    peer.logon()
    assert peer.logon(accepted=False)["reject_reason"] == RejectReason.ALREADY_DEFINED
    peer.send_commands(order(1), first_seq=1)
    assert types(peer.reports(1)) == [ReportType.ACCEPTED]


def test_3_3_a_report_that_does_not_exist_yet_cannot_be_the_last(door):
    refused = door.peer().logon(accepted=False, last_report_seq=1)
    assert refused["reject_reason"] == RejectReason.NOT_AVAILABLE


# ------------------------------------------------------------------ numbering


def test_4_2_a_gap_is_refused_and_says_where_to_go_on(door):
    peer = door.peer()
    peer.logon()
    peer.send_commands(order(1), first_seq=2)
    refused = peer.take(Template.FRAME_REFUSED)
    assert (refused["reject_reason"], refused["first_seq"], refused["next_client_seq"]) == (
        RejectReason.SEQUENCE_GAP,
        2,
        1,
    )
    peer.send_commands(order(1), first_seq=1)
    assert types(peer.reports(1)) == [ReportType.ACCEPTED]


@pytest.mark.parametrize("first_seq", [1, 2, 3])
def test_4_3_what_was_executed_is_skipped_the_rest_executed(door, first_seq):
    peer = door.peer()
    peer.logon()
    batch = [order(i) for i in range(1, 7)]
    peer.send_commands(*batch[:3], first_seq=1)
    peer.reports(3)
    peer.send_commands(*batch[first_seq - 1 :], first_seq=first_seq)
    reports = peer.reports(3)
    assert [r["client_ref"] for r in reports] == [4, 5, 6]
    assert [r["report_seq"] for r in reports] == [4, 5, 6]
    assert set(types(reports)) == {ReportType.ACCEPTED}
    assert door.gateway.stats()["repeated"] == 4 - first_seq


def test_4_4_the_number_expected_survives_a_restart(make_door, tmp_path):
    door = make_door()
    door.define()
    peer = door.peer()
    peer.logon()
    peer.send_commands(order(1), order(1), first_seq=1)
    assert types(peer.reports(2)) == [ReportType.ACCEPTED, ReportType.REJECTED]
    door.gateway.close_all()
    door.until(lambda: door.gateway.open_sessions == 0)
    door.sequencer.close()
    again = make_door(tmp_path / "venue")
    accepted = again.peer().logon()
    assert (accepted["next_client_seq"], accepted["last_report_seq"]) == (3, 2)


# ------------------------------------------------------------------ resends


def missed_reports(door, count=600):
    """Session 1 has an order in many pieces matched while it is away."""
    peer, other = door.peer(1), door.peer(3)
    peer.logon()
    other.logon()
    peer.send_commands(order(1, qty=count), first_seq=1)
    peer.reports(1)
    peer.send(frame_of(records.empty(Template.LOGOUT).tobytes()))
    assert peer.take(Template.LOGGED_OUT)["close_reason"] == CloseReason.LOGOUT
    other.send_commands(*(order(i, Side.SELL, qty=1) for i in range(count)), first_seq=1)
    other.reports(2 * count)
    return other


def test_5_3_missed_reports_come_first_then_the_live_ones(make_door):
    door = make_door(limits=DoorLimits(resend_reports_per_turn=50, report_frame_messages=16))
    door.define()
    other = missed_reports(door)
    peer = door.peer()
    assert peer.logon(last_report_seq=1)["last_report_seq"] == 601
    # live reports join while the resend is under way
    peer.send_commands(order(2), order(3), first_seq=2)
    other.send_commands(order(9000, Side.SELL, qty=5), first_seq=601)
    reports = peer.reports(600 + 3)
    assert [r["report_seq"] for r in reports] == list(range(2, 605))
    assert [r["resent"] for r in reports] == [0] * 603
    log = report_log(door.sequencer, 1)
    assert np.array_equal(np.array([r.tobytes() for r in reports]), [r.tobytes() for r in log[1:]])


def test_5_4_a_resend_request_goes_back(door):
    peer = door.peer()
    peer.logon()
    peer.send_commands(*(order(i) for i in range(1, 11)), first_seq=1)
    peer.reports(10)
    request = records.empty(Template.RESEND_REQUEST)
    request["first_report_seq"] = 4
    peer.send(frame_of(request.tobytes()))
    peer.send_commands(order(11), first_seq=11)
    reports = peer.reports(8)
    assert [(r["report_seq"], r["resent"]) for r in reports] == [(i, 1) for i in range(4, 11)] + [(11, 0)]


@pytest.mark.parametrize("first", [0, 12, 2**32 - 1])
def test_5_4_a_resend_of_what_does_not_exist_is_refused(door, first):
    peer = door.peer()
    peer.logon()
    request = records.empty(Template.RESEND_REQUEST)
    request["first_report_seq"] = first
    peer.send(frame_of(request.tobytes()))
    assert peer.take(Template.FRAME_REFUSED)["reject_reason"] == RejectReason.NOT_AVAILABLE


# ------------------------------------------------------------------ heartbeats and the end


def test_6_1_both_sides_are_heard_of(door):
    peer = door.peer()
    peer.logon(heartbeat_ms=200)
    peer.send_commands(order(1), first_seq=1)
    peer.reports(1)
    door.advance(240)
    assert peer.take(Template.HEARTBEAT)["next_seq"] == 2


def test_6_2_silence_ends_the_session_and_cancels_its_orders(door):
    peer, watcher = door.peer(1), door.peer(2)
    peer.logon(heartbeat_ms=200, cancel_on_disconnect=True)
    watcher.logon()
    peer.send_commands(order(1), order(2, order_flags=OrderFlags.KEEP_ON_DISCONNECT), first_seq=1)
    peer.reports(2)
    door.advance(560)
    assert door.gateway.open_sessions == 2
    door.advance(200)
    assert peer.take(Template.LOGGED_OUT)["close_reason"] == CloseReason.HEARTBEAT_TIMEOUT
    assert door.gateway.open_sessions == 1
    log = report_log(door.sequencer, 1)
    assert types(log) == [ReportType.ACCEPTED, ReportType.ACCEPTED, ReportType.CANCELED]
    assert (log[2]["client_ref"], log[2]["cancel_reason"]) == (1, CancelReason.DISCONNECT)


def test_6_2_heartbeats_keep_a_session(door):
    peer = door.peer()
    peer.logon(heartbeat_ms=200)
    for _ in range(10):
        frames = door.gateway.stats()["frames_in"]
        peer.send(frame_of(records.empty(Template.HEARTBEAT).tobytes()))
        door.until(lambda frames=frames: door.gateway.stats()["frames_in"] > frames)
        door.advance(400)
    assert door.gateway.open_sessions == 1


def test_6_2_the_venues_own_absence_is_nobodys_silence(door):
    peer = door.peer()
    peer.logon(heartbeat_ms=200)
    door.monotonic_ns += 3_600_000_000_000
    door.turn()
    door.turn()
    assert door.gateway.open_sessions == 1


def test_6_2_a_connection_that_is_gone_ends_its_session(door):
    peer, other = door.peer(1), door.peer(3)
    peer.logon(cancel_on_disconnect=True)
    other.logon()
    peer.send_commands(order(1, qty=10_000), first_seq=1)
    peer.reports(1)
    peer.close()
    door.peers.remove(peer)
    seqs = iter(range(1, 10_000))

    def told_and_gone():
        other.send_commands(order(1, Side.SELL, qty=1, time_in_force=TimeInForce.IOC), first_seq=next(seqs))
        other.reports(1)
        return door.gateway.open_sessions == 1

    door.until(told_and_gone)
    assert report_log(door.sequencer, 1)[-1]["report_type"] == ReportType.CANCELED


def test_6_3_logout_reports_what_is_left_then_says_goodbye(door):
    peer = door.peer()
    peer.logon()
    peer.send_commands(*(order(i) for i in range(1, 101)), first_seq=1)
    peer.send(frame_of(records.empty(Template.LOGOUT).tobytes()))
    door.until(lambda: any(t == Template.LOGGED_OUT for t, _ in peer.received))
    assert [t for t, _ in peer.received] == [Template.EXECUTION_REPORT] * 100 + [Template.LOGGED_OUT]
    assert door.gateway.open_sessions == 0
    door.peer().logon()


def test_6_3_what_comes_while_a_session_is_closed_is_answered_by_its_goodbye_alone(door):
    peer = door.peer()
    peer.logon()
    peer.send(frame_of(records.empty(Template.LOGOUT).tobytes()))
    for _ in range(5):
        peer.send_commands(order(1), first_seq=1)
    peer.send(b"garbage")
    door.until(lambda: door.gateway.stats()["frames_in"] == 8)
    door.until(lambda: door.gateway.open_sessions == 0)
    goodbye = peer.take(Template.LOGGED_OUT)
    assert goodbye["close_reason"] == CloseReason.LOGOUT
    assert report_log(door.sequencer, 1).tolist() == []


def test_6_5_a_closing_venue_says_so(door):
    peers = [door.peer(i) for i in (1, 2, 3)]
    for peer in peers:
        peer.logon()
    door.gateway.close_all()
    door.until(lambda: door.gateway.open_sessions == 0)
    for peer in peers:
        assert peer.take(Template.LOGGED_OUT)["close_reason"] == CloseReason.VENUE_RESTART
    assert door.peer().logon(accepted=False)["reject_reason"] == RejectReason.NOT_AVAILABLE


@pytest.mark.parametrize(
    "disable",
    [commands.define_session(3, 2, enabled=False, sender=1), commands.define_participant(2, enabled=False)],
)
def test_6_6_who_is_disabled_is_closed(door, disable):
    operator, peer = door.peer(1), door.peer(3)
    operator.logon()
    peer.logon()
    disable["session_id"] = 0
    operator.send_commands(disable, first_seq=1)
    assert peer.take(Template.LOGGED_OUT)["close_reason"] == CloseReason.OPERATOR
    assert door.gateway.open_sessions == 1


# ------------------------------------------------------------------ limits


def test_7_1_above_its_rate_every_command_has_its_report(make_door):
    door = make_door(throttle=(5, 1000))
    door.define()
    peer = door.peer()
    accepted = peer.logon()
    assert (accepted["throttle_messages"], accepted["throttle_window_ms"]) == (5, 1000)
    peer.send_commands(
        *(order(i) for i in range(1, 8)),
        commands.cancel_order(instrument_id=1, client_ref=8, orig_client_ref=1),
        first_seq=1,
    )
    reports = peer.reports(8)
    assert types(reports) == [ReportType.ACCEPTED] * 5 + [ReportType.REJECTED] * 3
    assert {int(r["reject_reason"]) for r in reports[5:]} == {RejectReason.THROTTLED}
    assert [(r["client_ref"], r["refused_template"]) for r in reports[5:]] == [
        (6, Template.NEW_ORDER),
        (7, Template.NEW_ORDER),
        (8, Template.CANCEL_ORDER),
    ]
    assert reports[7]["orig_client_ref"] == 1
    door.advance(400)
    peer.send_commands(order(9), order(10), order(11), first_seq=9)
    assert types(peer.reports(3)) == [ReportType.ACCEPTED, ReportType.ACCEPTED, ReportType.REJECTED]


def test_7_2_a_flood_ends_the_session(make_door):
    door = make_door(throttle=(5, 1000))
    door.define()
    peer, other = door.peer(1), door.peer(3)
    peer.logon()
    other.logon()
    peer.send_commands(*(order(i) for i in range(1, 200)), first_seq=1)
    door.until(lambda: any(t == Template.LOGGED_OUT for t, _ in peer.received))
    assert peer.received[-1][1]["close_reason"] == CloseReason.FLOOD
    told = [record for template, record in peer.received if template == Template.EXECUTION_REPORT]
    assert len(told) == 5 + 51
    other.send_commands(order(1), first_seq=1)
    assert types(other.reports(1)) == [ReportType.ACCEPTED]


def test_7_3_a_slow_reader_falls_back_to_the_event_log_and_loses_nothing(make_door):
    door = make_door(limits=DoorLimits(send_queue_frames=1, report_frame_messages=64))
    door.define()
    peer = door.peer()
    peer.logon()
    peer.reads = False
    seq = 1
    while not door.gateway.stats()["sessions_catching_up"]:
        assert seq < 200_000
        peer.send_commands(*(order(seq + i, qty=0) for i in range(1000)), first_seq=seq)
        seq += 1000
        door.until(lambda seq=seq: door.sequencer.last_seq >= seq)
    peer.reads = True
    total = seq - 1
    door.until(lambda: door.advance(40) or len(peer.received) >= total)
    assert [record["report_seq"] for _, record in peer.received] == list(range(1, total + 1))
    assert door.gateway.open_sessions == 1


def test_7_3_one_too_far_behind_is_closed_and_can_come_back(make_door):
    door = make_door(
        limits=DoorLimits(send_queue_frames=1, report_frame_messages=512, slow_reports_max=5_000)
    )
    door.define()
    peer = door.peer()
    peer.logon(heartbeat_ms=160)
    peer.reads = False
    seq = 1
    while door.gateway.open_sessions:
        assert seq < 400_000
        peer.send_commands(*(order(seq + i, qty=0) for i in range(1000)), first_seq=seq)
        seq += 1000
        taken = door.gateway.stats()["frames_in"]
        door.until(lambda taken=taken: door.gateway.stats()["frames_in"] > taken)
        door.advance(200)
    count = len(report_log(door.sequencer, 1))
    again = door.peer()
    again.logon(last_report_seq=0)
    door.until(lambda: door.advance(40) or len(again.received) >= count)
    assert [record["report_seq"] for _, record in again.received] == list(range(1, count + 1))


def test_7_5_a_turn_takes_no_more_frames_than_its_budget(door):
    peer = door.peer()
    peer.logon()
    for seq in range(1, 51):
        peer.send_commands(order(seq), first_seq=seq)
    taken = [door.turn(frames=7) for _ in range(20)]
    assert max(taken) <= 7
    assert len(peer.reports(50)) == 50


@pytest.mark.parametrize("durability", ["none", "fsync"])
def test_reports_come_with_every_durability(make_door, durability):
    door = make_door(durability=durability)
    door.define()
    peer = door.peer()
    peer.logon()
    peer.send_commands(*(order(i) for i in range(1, 101)), first_seq=1)
    assert len(peer.reports(100)) == 100


def test_the_door_works_over_ipc(make_door, tmp_path):
    door = make_door(address=f"ipc://{os.path.relpath(tmp_path)}/door")
    door.define()
    peer = door.peer()
    peer.logon()
    peer.send_commands(order(1), first_seq=1)
    assert types(peer.reports(1)) == [ReportType.ACCEPTED]


def test_6_5_sessions_a_crash_left_open_are_closed_at_the_next_start(make_door, tmp_path):
    door = make_door()
    door.define()
    peer = door.peer()
    peer.logon(cancel_on_disconnect=True)
    peer.send_commands(order(1), order(2, order_flags=OrderFlags.KEEP_ON_DISCONNECT), first_seq=1)
    peer.reports(2)
    door.sequencer.close()
    again = make_door(tmp_path / "venue")
    assert again.gateway.open_sessions == 1
    again.turn()
    assert again.gateway.open_sessions == 0
    back = again.peer()
    back.logon(last_report_seq=2)
    (canceled,) = back.reports(1)
    assert (canceled["client_ref"], canceled["cancel_reason"]) == (1, CancelReason.DISCONNECT)
