"""The session beside its scripts: the hot path's share, clocks that step, and any message at any time.

Method: direct calls for what a script cannot say, and a property that throws random messages at every state.
"""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session_owner import Disk, SessionOwner

from tradsys.fix.actions import Fault
from tradsys.fix.message import Header, build, format_time, parse, parse_time
from tradsys.fix.numbers import SessionNumbers
from tradsys.fix.replay import GapFill, Stored, replay
from tradsys.fix.session import State
from tradsys.fix.settings import SessionSettings, changed, conformance

NOON = parse_time(b"20240102-12:00:00")
SECOND = 10**9
SETTINGS = SessionSettings(sender_comp_id="VENUE", target_comp_id="DESK")


def frame(
    msg_type: str, seq: int, *fields: tuple[int, bytes], now_ns: int = NOON, poss_dup: bool = False
) -> bytes:
    time = format_time(now_ns)
    header = Header(
        sender_comp_id=b"DESK",
        target_comp_id=b"VENUE",
        seq=seq,
        sending_time=time,
        poss_dup=poss_dup,
        orig_sending_time=time if poss_dup else b"",
    )
    return build(msg_type, fields, header)


def logged_on(**changes: object) -> SessionOwner:
    owner = SessionOwner(changed(SETTINGS, **changes), Disk())
    owner.now_ns = NOON
    owner.connect()
    owner.receive(frame("A", 1, (98, b"0"), (108, b"10")))
    assert parse(owner.outgoing.pop()).msg_type == "A"
    return owner


def test_numbers_begin_at_one() -> None:
    numbers = SessionNumbers()
    assert (numbers.next_in, numbers.next_out, numbers.active, numbers.fast) == (1, 1, False, False)
    assert SessionNumbers(7, 9).next_out == 9
    for wrong in ((0, 1), (1, 0), (-5, 1)):
        with pytest.raises(ValueError, match="begin at 1"):
            SessionNumbers(*wrong)


def test_the_hot_path_takes_numbers_on_its_own() -> None:
    owner = logged_on()
    assert owner.numbers.fast
    owner.numbers.next_in += 3  # three orders the session never saw
    owner.numbers.next_out += 2
    owner.receive(frame("1", 5, (112, b"here")))
    assert parse(owner.outgoing.pop()).seq == 4
    assert owner.numbers.next_in == 6


def test_the_hot_path_keeps_a_tested_connection() -> None:
    owner = logged_on()
    owner.pass_time(NOON + 12 * SECOND)
    owner.outgoing.clear()
    owner.numbers.heard_ns = NOON + 13 * SECOND  # the answer came as an order
    owner.numbers.next_in += 1
    owner.pass_time(NOON + 23 * SECOND)
    assert [parse(sent).msg_type for sent in owner.outgoing] == ["0"]


def test_fast_ends_with_a_gap_and_comes_back() -> None:
    owner = logged_on()
    owner.receive(frame("D", 3))
    assert not owner.numbers.fast
    owner.receive(frame("D", 2, poss_dup=True))
    assert owner.numbers.fast
    owner.disconnect()
    assert not owner.numbers.fast
    assert not owner.numbers.active


def test_a_clock_set_back_does_not_silence_the_session() -> None:
    owner = logged_on()
    back = NOON - 3600 * SECOND
    owner.pass_time(back)
    owner.pass_time(back + 10 * SECOND)
    assert [parse(sent).msg_type for sent in owner.outgoing] == ["0"]


def test_garbled_bytes_do_not_count_as_heard() -> None:
    owner = logged_on()
    owner.now_ns = NOON + 5 * SECOND
    owner.receive(b"noise")
    assert owner.session.garbled_count == 1
    assert owner.numbers.heard_ns == NOON


def test_a_logout_asked_for_before_the_logon_closes() -> None:
    owner = SessionOwner(SETTINGS, Disk())
    owner.connect()
    owner.session.logout("closed for today", NOON)
    owner.drain()
    assert owner.close_reason is not None
    assert not owner.outgoing


def test_an_answer_that_comes_too_late_changes_nothing() -> None:
    owner = SessionOwner(SETTINGS, Disk(), accepts_at_once=False)
    owner.now_ns = NOON
    owner.connect()
    owner.receive(frame("A", 1, (98, b"0"), (108, b"10")))
    owner.disconnect()
    owner.session.logon_accepted(NOON)
    owner.session.logon_refused("no", NOON)
    owner.drain()
    assert (owner.session.state, owner.outgoing, owner.numbers.next_in) == (State.CLOSED, [], 1)


def test_what_comes_during_authentication_is_bounded() -> None:
    owner = SessionOwner(changed(SETTINGS, queue_max=10_000), Disk(), accepts_at_once=False)
    owner.now_ns = NOON
    owner.connect()
    owner.receive(frame("A", 1, (98, b"0"), (108, b"10")))
    for seq in range(2, 1_500):
        owner.receive(frame("D", seq))
    owner.session.logon_accepted(NOON)
    owner.drain()
    assert len(owner.delivered) == 1_000
    assert owner.numbers.next_in == 1_002


def test_settings_must_make_sense() -> None:
    with pytest.raises(ValueError, match="heartbeat_s_min must not exceed"):
        changed(SETTINGS, heartbeat_s_min=10, heartbeat_s_max=5)
    with pytest.raises(ValueError, match="timeout_tenths must exceed"):
        changed(SETTINGS, timeout_tenths=12)
    public = conformance()
    assert (public.sender_comp_id, public.target_comp_id, public.reset_on_logon) == ("ISLD", "TW44", True)


# ------------------------------------------------------------------------------------------- replay


@given(seqs=st.sets(st.integers(1, 30)), begin=st.integers(1, 30), length=st.integers(1, 30))
def test_a_replay_covers_every_number_once(seqs: set[int], begin: int, length: int) -> None:
    end = begin + length - 1
    stored = [Stored(seq, "8", (), b"t") for seq in sorted(seqs) if begin <= seq <= end]
    covered: list[int] = []
    fills: list[bool] = []
    for item in replay(begin, end, stored):
        covered += range(item.seq, item.new_seq) if isinstance(item, GapFill) else [item.seq]
        fills.append(isinstance(item, GapFill))
    assert covered == list(range(begin, end + 1))
    assert not any(a and b for a, b in itertools.pairwise(fills))


# ------------------------------------------------------------------------------------------- any message

Numbers = st.integers(0, 12).map(lambda number: b"%d" % number) | st.sampled_from(
    [b"", b"x", b"-1", b"99999999"]
)
Fields = st.lists(
    st.tuples(st.sampled_from([7, 16, 36, 98, 108, 112, 115, 789]), Numbers)
    | st.tuples(st.sampled_from([43, 97, 123, 141]), st.sampled_from([b"Y", b"N", b""]))
    | st.tuples(st.just(122), st.sampled_from([b"20240102-11:00:00", b"20240102-13:00:00", b"soon"])),
    max_size=5,
)
Messages = st.tuples(st.sampled_from("0123455AAD8"), st.integers(0, 12), Fields, st.booleans(), st.booleans())
Events = st.lists(Messages | st.sampled_from(["time", "garbled", "drop", "logout", "reset"]), max_size=30)


@settings(max_examples=300, deadline=None)
@given(events=Events, initiator=st.booleans(), queue=st.sampled_from([0, 2, 100]))
def test_any_message_at_any_time_keeps_the_session_whole(
    events: list[object], initiator: bool, queue: int
) -> None:
    owner = SessionOwner(changed(SETTINGS, queue_max=queue), Disk(), initiator)
    session, delivered = owner.session, set()
    owner.now_ns = NOON
    for event in events:
        if session.state is State.CLOSED:
            owner.connect()
        before, resets = owner.numbers.next_in, owner.resets
        match event:
            case "time":
                owner.pass_time(owner.now_ns + 7 * SECOND)
            case "garbled":
                session.on_garbled(owner.now_ns)
            case "drop":
                owner.disconnect()
            case "logout":
                session.logout("bye", owner.now_ns)
            case "reset":
                session.reset_numbers(owner.now_ns)
            case (msg_type, seq, fields, is_good_logon, has_fault):
                extra = ((98, b"0"), (108, b"10")) if is_good_logon else ()
                message = parse(frame(msg_type, seq, *extra, *fields, now_ns=owner.now_ns))
                if has_fault:
                    session.on_fault(message, Fault(5, 40), owner.now_ns)
                else:
                    session.on_message(message, owner.now_ns)
        owner.drain()
        check(owner)
        if owner.close_reason is not None:
            owner.close_reason = None
            owner.disconnect()
        if owner.resets > resets:
            delivered.clear()
        else:
            assert owner.numbers.next_in >= before
        new = [message.seq for message in owner.delivered if message.seq > 0]
        assert not delivered & set(new)
        delivered.update(new)
        owner.delivered.clear()


def check(owner: SessionOwner) -> None:
    """Say the invariants of a session as assertions."""
    session, numbers = owner.session, owner.numbers
    assert numbers.next_in >= 1
    assert numbers.next_out >= 1
    assert numbers.active == (session.state is State.ACTIVE)
    assert numbers.fast == (numbers.active and not session.gap.is_open)
    assert all(seq > numbers.next_in for seq in session.gap.early)
    assert session.gap.is_open or not session.gap.early
    assert owner.established - len(owner.ended) in (0, 1)
    if session.state is State.CLOSED:
        assert owner.established == len(owner.ended)
