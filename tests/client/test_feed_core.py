"""The feed reader without sockets: arbitration, holes, snapshots, restarts, on a faulty wire."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tradsys.client.feed_core import FeedCore
from tradsys.client.level_books import LevelBooks
from tradsys.core.book_view import BookSet
from tradsys.wire.enums import Channel, RejectReason, Side, Template
from tradsys.wire.packet import make_frame
from tradsys.wire.records import GAP_FILL_REQUEST, empty

MS = 1_000_000
L3 = Channel.L3
BUY = int(Side.BUY)


def l3(first_seq: int, count: int, *, stream_id: int = 9) -> bytes:
    """A frame of `count` adds of instrument 1; the order's slot is its message number."""
    records = np.concatenate([empty(Template.MD_ORDER_ADD) for _ in range(count)])
    for seq, record in enumerate(records, first_seq):
        record["order_id"], record["price_ticks"], record["qty_lots"] = 1 << 24 | seq, seq, 1
        record["instrument_id"], record["side"] = 1, BUY
    return make_frame(L3, stream_id, first_seq, count, records.tobytes(), event_seq=first_seq + count)


def heartbeat(next_seq: int, *, stream_id: int = 9) -> bytes:
    return make_frame(L3, stream_id, next_seq, 0, b"")


def delivered(core: FeedCore) -> list[int]:
    """Numbers handed on, in order."""
    return [
        seq
        for packet in core.packets
        for seq in range(packet.first_seq, packet.first_seq + packet.message_count)
    ]


def asked(core: FeedCore) -> list[tuple]:
    """Gap fills asked for, as (first, count); clears them."""
    fills = [request for request in core.requests if len(request) == GAP_FILL_REQUEST.itemsize]
    core.requests.clear()
    rows = np.frombuffer(b"".join(fills), dtype=GAP_FILL_REQUEST)
    return list(zip(rows["first_seq"].tolist(), rows["count"].tolist(), strict=True))


def reader(**options) -> FeedCore:
    return FeedCore([L3], deliver=[L3], **options)


def test_the_first_copy_wins_and_the_second_is_dropped():
    """Goal: A/B arbitration. Method: both lines bring everything, B late and cut differently."""
    core = reader()
    for line, frame in [
        (0, l3(1, 2)),
        (1, l3(1, 1)),
        (0, l3(3, 2)),
        (1, l3(2, 2)),
        (1, l3(4, 2)),
        (0, l3(5, 1)),
    ]:
        core.on_frame(frame, line, MS)
    assert delivered(core) == [1, 2, 3, 4, 5]
    figures = core.statistics()[L3]
    assert (figures["duplicates"], figures["messages"], figures["gaps"]) == (3, 5, 0)
    core.check()


def test_one_line_may_fail_entirely():
    """Goal: losing a line is no gap. Method: A stops half-way, B goes on."""
    core = reader()
    for seq in range(1, 10):
        if seq < 5:
            core.on_frame(l3(seq, 1), 0, seq * MS)
        core.on_frame(l3(seq, 1), 1, seq * MS)
        core.on_time(seq * MS)
    assert delivered(core) == list(range(1, 10))
    assert core.statistics()[L3]["gaps"] == 0
    assert core.line_age_ns(0, 9 * MS) == 5 * MS


def test_a_hole_the_other_line_closes_is_never_asked_for():
    """Goal: patience. Method: A loses 2, B brings it before gap_wait is over."""
    core = reader(gap_wait_ns=5 * MS)
    core.on_frame(l3(1, 1), 0, 1 * MS)
    core.on_frame(l3(3, 1), 0, 2 * MS)
    core.on_time(6 * MS)
    assert core.has_hole(L3)
    core.on_frame(l3(2, 1), 1, 6 * MS)
    core.on_time(20 * MS)
    assert delivered(core) == [1, 2, 3]
    assert asked(core) == []
    core.check()


def test_a_hole_is_asked_for_and_healed_whatever_the_answer_is_cut_like():
    """Goal: gap fill. Method: 2..6 are missing on both lines; the answer comes in two frames, one overlapping."""
    core = reader(gap_wait_ns=5 * MS)
    core.on_frame(l3(1, 1), 0, 1 * MS)
    core.on_frame(l3(7, 2), 0, 2 * MS)
    core.on_time(7 * MS)
    assert asked(core) == [(2, 5)]
    core.on_answer(l3(2, 3), 8 * MS)
    core.on_answer(l3(4, 4), 9 * MS)
    assert delivered(core) == list(range(1, 9))
    assert core.statistics()[L3]["filled"] == 6
    assert not core.has_hole(L3)
    core.check()


def test_a_heartbeat_shows_a_loss_at_the_tail():
    """Goal: nothing follows the lost packet. Method: a heartbeat that names a later number."""
    core = reader()
    core.on_frame(l3(1, 1), 0, MS)
    core.on_frame(heartbeat(4), 0, 2 * MS)
    assert core.has_hole(L3)
    core.on_time(10 * MS)
    assert asked(core) == [(2, 2)]


def test_an_unanswered_gap_fill_is_asked_again_then_given_up():
    """Goal: bounded patience. Method: no answer; three tries, then the messages count as lost and the feed
    goes on.
    """
    core = reader(request_timeout_ns=100 * MS, fill_tries_max=3)
    core.on_frame(l3(1, 1), 0, MS)
    core.on_frame(l3(4, 1), 0, 2 * MS)
    tries = []
    for ms in range(10, 600, 10):
        core.on_time(ms * MS)
        tries += asked(core)
    assert tries == [(2, 2)] * 3
    assert delivered(core) == [1, 4]
    assert core.statistics()[L3]["lost"] == 2
    assert ("lost", "channel 1: messages 2 to 3") in core.events


def test_a_refused_gap_fill_is_given_up_at_once():
    """Goal: NOT_AVAILABLE. Method: refuse the request's own id, and a stranger's before it."""
    core = reader()
    core.on_frame(l3(1, 1), 0, MS)
    core.on_frame(l3(4, 1), 0, 2 * MS)
    core.on_time(20 * MS)
    request = np.frombuffer(core.requests[0], dtype=GAP_FILL_REQUEST)[0]
    refusal = empty(Template.REQUEST_REFUSED)
    refusal["reject_reason"] = RejectReason.NOT_AVAILABLE
    refusal["request_id"] = request["request_id"] + 1
    core.on_answer(refusal.tobytes(), 21 * MS)
    assert delivered(core) == [1]
    refusal["request_id"] = request["request_id"]
    core.on_answer(refusal.tobytes(), 22 * MS)
    assert delivered(core) == [1, 4]


def test_what_is_kept_behind_a_hole_is_bounded():
    """Goal: no growth. Method: a hole that never closes and frames without end."""
    core = reader(pending_bytes_max=2_000)
    core.on_frame(l3(1, 1), 0, MS)
    for seq in range(3, 200):
        core.on_frame(l3(seq, 1), 0, MS)
        assert core.statistics()[L3]["pending_bytes"] <= 2_000
        core.check()
    assert delivered(core) == [1, *range(3, 200)]
    assert core.statistics()[L3]["lost"] == 1


def test_a_large_hole_is_not_asked_for():
    """Goal: fill_messages_max. Method: a hole one message larger."""
    core = reader(fill_messages_max=10)
    core.on_frame(l3(1, 1), 0, MS)
    core.on_frame(l3(13, 1), 0, MS)
    core.on_time(50 * MS)
    assert asked(core) == []
    assert delivered(core) == [1, 13]


def test_a_new_stream_is_a_restart_and_an_old_one_is_ignored():
    """Goal: restarts. Method: a later stream comes, then a straggler of the old one."""
    core = reader()
    core.on_frame(l3(40, 2, stream_id=9), 0, MS)
    core.on_frame(l3(44, 1, stream_id=9), 0, MS)
    core.on_frame(l3(1, 1, stream_id=10), 0, 2 * MS)
    core.on_frame(l3(42, 2, stream_id=9), 1, 3 * MS)
    core.on_frame(l3(3, 1, stream_id=10), 0, 3 * MS)
    core.on_time(50 * MS)
    assert delivered(core) == [40, 41, 1]
    assert asked(core) == [(2, 1)]
    assert (core.restarts, core.old_stream) == (1, 1)
    core.check()


def test_the_beginning_of_a_restarted_stream_is_healed_too():
    """Goal: nothing of a stream seen to begin is missing. Method: its first packet seen is not its first."""
    core = reader()
    core.on_frame(l3(40, 2, stream_id=9), 0, MS)
    core.on_frame(l3(3, 1, stream_id=10), 0, 2 * MS)
    core.on_time(50 * MS)
    assert asked(core) == [(1, 2)]


def test_books_of_a_silent_feed_are_stale_until_it_speaks():
    """Goal: the watchdog. Method: time passes; a heartbeat comes."""
    books = BookSet(64, 4)
    core = FeedCore([L3], books=books, recovery=False, wanted=[1], silence_ns=100 * MS)
    core.on_frame(heartbeat(1), 0, MS)
    books.mark_live(1)
    core.on_time(50 * MS)
    assert books.stale_reason(1) is None
    core.on_time(200 * MS)
    assert books.stale_reason(1) == "both lines are silent"
    core.on_frame(heartbeat(1), 1, 201 * MS)
    core.on_time(202 * MS)
    assert books.stale_reason(1) is None


@given(st.data())
def test_any_order_any_loss_any_copies_deliver_once_in_order(data):
    """Goal: the arbiter's invariant. Method: random cuts on two lines, shuffled, thinned; the recovery door
    answers all it is asked.
    """
    total = data.draw(st.integers(1, 30))
    sent = []
    for line in (0, 1):
        at = 1
        while at <= total:
            count = data.draw(st.integers(1, 4))
            sent.append((line, at, min(count, total + 1 - at)))
            at += count
    sent = data.draw(st.permutations(sent))
    kept = [item for item in sent if data.draw(st.booleans())]
    core = reader(request_timeout_ns=10 * MS)
    core.on_frame(heartbeat(1), 0, MS)
    now = 1
    for line, first, count in kept:
        now += 1
        core.on_frame(l3(first, count), line, now * MS)
        core.check()
    core.on_frame(heartbeat(total + 1), 0, now * MS)
    for _ in range(100):
        now += 10
        core.on_time(now * MS)
        for first, count in asked(core):
            core.on_answer(l3(first, min(count, 3)), now * MS)
        core.check()
        if not core.has_hole(L3):
            break
    assert delivered(core) == list(range(1, total + 1))


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 300), st.integers(0, 255)), max_size=6),
    st.binary(max_size=200),
)
def test_damaged_frames_and_answers_never_crash_nor_deliver_twice(damage, garbage):
    """Goal: the decoder. Method: frames with bytes changed, and garbage, on lines and as answers."""
    core = FeedCore(range(1, 7), deliver=range(1, 7), books=BookSet(64, 4), levels=LevelBooks())
    core.on_frame(l3(1, 2), 0, MS)
    for line, at, value in damage:
        frame = bytearray(l3(3, 4))
        frame[at % len(frame)] = value
        if line < 2:
            core.on_frame(frame, line, 2 * MS)
        core.on_answer(frame, 2 * MS)
        core.on_frame(garbage, 0, 2 * MS)
        core.on_answer(garbage, 2 * MS)
        core.on_time(2 * MS)
        core.check()
    numbers = [seq for seq in delivered(core) if seq < 1000]
    assert numbers == sorted(set(numbers)) or core.restarts


def test_many_small_holes_are_asked_for_together_and_one_far_hole_is_not():
    """Goal: few requests, little sent twice. Method: every second message lost; then two holes a thousand messages apart."""
    core = reader()
    core.on_frame(l3(1, 1), 0, MS)
    for seq in range(3, 100, 2):
        core.on_frame(l3(seq, 1), 0, MS)
    core.on_frame(heartbeat(101), 0, MS)
    core.on_time(20 * MS)
    assert asked(core) == [(2, 99)]
    core.on_answer(l3(2, 99), 21 * MS)
    assert delivered(core) == list(range(1, 101))
    core.on_frame(l3(102, 1000), 0, 22 * MS)
    core.on_frame(l3(1103, 1), 0, 22 * MS)
    core.on_time(40 * MS)
    assert asked(core) == [(101, 1)]
    core.on_answer(l3(101, 1), 41 * MS)
    core.on_time(60 * MS)
    assert asked(core) == [(1102, 1)]
