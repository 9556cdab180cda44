"""The sequencer: order, time, durability, back-pressure, reading back.

A small flow goes through it; a bare engine fed from the journal must have made the same events.
"""

import errno
import select

import numpy as np
import pytest
from venue_flow import LOAD, START_NS, all_events, derive, drive, journalled, open_small, prepare

from tradsys.engine.log_writer import OPERATIONS
from tradsys.errors import EngineStoppedError, InputError
from tradsys.sim import commands
from tradsys.wire.commands import set_fee_schedule, set_instrument_state
from tradsys.wire.enums import InstrumentState, OrderType, Side, Template, TriggerSource
from tradsys.wire.records import FEE_CHARGED, empty

NAMES = {name: number for number, name in OPERATIONS.items()}
durabilities = pytest.mark.parametrize("durability", ["none", "batch", "fsync"])


@durabilities
def test_journal_and_events_are_what_the_engine_makes_of_the_flow(tmp_path, durability):
    with open_small(tmp_path, durability) as sequencer:
        prepare(sequencer)
        drive(sequencer, LOAD.commands)
        assert sequencer.wait_released() == sequencer.last_event_seq
        live = all_events(sequencer)
        sequencer.wait_stored()
        assert sequencer.stored_event_seq == sequencer.last_event_seq
        state_hash = sequencer.engine.state_hash()
        last_seq = sequencer.last_seq
    events, engine = derive(journalled(tmp_path))
    assert engine.last_seq == last_seq
    assert engine.state_hash() == state_hash
    assert live.tobytes() == events.tobytes()
    assert len(events) > 3 * 1500, "several event files"


def test_seq_and_time_are_filled_in(tmp_path):
    with open_small(tmp_path) as sequencer:
        prepare(sequencer)
        before = sequencer.last_seq
        assert sequencer.submit(LOAD.commands[:3]) == 240
        assert sequencer.pending == 3
        assert sequencer.commit(START_NS + 10**9) == 3
        assert sequencer.pending == 0
        assert sequencer.last_ts_ns == START_NS + 10**9
    tail = np.frombuffer(journalled(tmp_path)[-240:], LOAD.commands.dtype)
    assert tail["seq"].tolist() == [before + 1, before + 2, before + 3]
    assert set(tail["ts_ns"].tolist()) == {START_NS + 10**9}


def test_a_clock_that_steps_back_stands_still(tmp_path):
    with open_small(tmp_path) as sequencer:
        prepare(sequencer)
        late = START_NS + 10**12
        sequencer.run(LOAD.commands[:1], late)
        sequencer.run(LOAD.commands[1:2], START_NS)
        assert sequencer.last_ts_ns == late
    with open_small(tmp_path) as sequencer:
        assert sequencer.last_ts_ns == late, "also across a restart"
        sequencer.run(LOAD.commands[2:3], START_NS + 5)
        assert sequencer.read_events(sequencer.last_event_seq, 1)["ts_ns"][0] == late
        sequencer.run(LOAD.commands[3:4], late + 1)
        assert sequencer.last_ts_ns == late + 1


def test_an_empty_commit_decides_nothing(tmp_path):
    with open_small(tmp_path) as sequencer:
        assert sequencer.commit(START_NS) == 0
        assert sequencer.last_seq == 0
        assert len(sequencer.read_events(1, 10)) == 0


def test_a_full_batch_takes_no_more(tmp_path):
    with open_small(tmp_path) as sequencer:
        prepare(sequencer)
        taken = sequencer.submit(LOAD.commands[:200])
        assert taken == 8192 // 80 * 80
        assert sequencer.submit(LOAD.commands[200:201]) == 0
        assert sequencer.commit(START_NS) == taken // 80
        assert sequencer.submit(LOAD.commands[taken // 80 : 200]) == 200 * 80 - taken


def test_a_command_that_finds_no_room_for_its_events_waits(tmp_path):
    # the sync never comes, so nothing is released and the event ring fills up
    with open_small(tmp_path, "fsync") as sequencer:
        prepare(sequencer)
        sequencer.wait_released()
        sequencer.wait_stored()
        sequencer.hold_writer(True)
        decided = 0
        for begin in range(0, 6000, 50):
            if sequencer.submit(LOAD.commands[begin : begin + 50]) < 50 * 80:
                break
            decided += sequencer.commit(START_NS)
        assert sequencer.pending > 0 or decided < 6000
        assert sequencer.last_event_seq - sequencer.released_event_seq() <= sequencer.settings.ring_events
        sequencer.hold_writer(False)
        sequencer.run(b"", START_NS)
        while sequencer.pending:
            sequencer.wait_released()
            sequencer.commit(START_NS)
        sequencer.wait_stored()
        live = all_events(sequencer)
    events, _ = derive(journalled(tmp_path))
    assert live.tobytes() == events.tobytes()


def stop_ladder(count):
    """Offers one tick from each other, and a stop at each but the first: a match with it sets off all of them."""
    kind = {"order_type": OrderType.STOP, "trigger_source": TriggerSource.LAST}
    for n in range(count):
        yield commands.new_order(2, n, Side.SELL, 1, 104_000 + n)
    for n in range(count - 1):
        yield commands.record(
            Template.NEW_COMPLEX_ORDER,
            session_id=1,
            client_ref=n,
            side=Side.BUY,
            qty_lots=1,
            instrument_id=1,
            time_in_force=2,
            trigger_price_ticks=104_000 + n,
            **kind,
        )


def test_what_a_command_sets_off_waits_for_room_too(tmp_path):
    """Rule 10.6: the rest follows as the ring empties, before anything else, and again in recovery."""
    with open_small(tmp_path, "fsync") as sequencer:
        sequencer.run(LOAD.setup, START_NS)
        sequencer.run(b"".join(stop_ladder(250)), START_NS)
        sequencer.wait_released()
        sequencer.wait_stored()
        sequencer.hold_writer(True)
        for _ in range(350):
            entered = commands.new_order(3, 1, Side.BUY, 1, 101_000)
            canceled = commands.record(
                Template.CANCEL_ORDER, session_id=3, orig_client_ref=1, instrument_id=1
            )
            sequencer.submit(entered + canceled)
            sequencer.commit(START_NS)
        sequencer.submit(commands.new_order(3, 2, Side.BUY, 1, 104_000))
        assert sequencer.commit(START_NS) == 1
        assert sequencer.unfinished
        assert sequencer.commit(START_NS) == 0
        assert sequencer.unfinished
        sequencer.hold_writer(False)
        while sequencer.unfinished:
            sequencer.wait_released()
            sequencer.commit(START_NS)
        sequencer.wait_stored()
        live = all_events(sequencer)
        hash_before = sequencer.engine.state_hash()
    assert (live["template_id"] == Template.ORDER_TRIGGERED).sum() == 249
    events, _ = derive(journalled(tmp_path))
    assert live.tobytes() == events.tobytes()
    with open_small(tmp_path) as again:
        assert again.recovery.clean
        assert again.engine.state_hash() == hash_before
        assert not again.unfinished


def test_an_uncross_with_fees_larger_than_the_ring_goes_in_pieces(tmp_path):
    """Rule 15.3: a ring that takes the uncross takes its fees behind it, as it empties; recovery finds the same."""
    with open_small(tmp_path) as sequencer:
        room, matches = sequencer.settings.ring_events, 590
        assert matches < room - 8 < 2 * matches
        sequencer.run(LOAD.setup, START_NS)
        sequencer.run(set_fee_schedule(1, auction_per_lot=2), START_NS)
        for state in (InstrumentState.HALTED, InstrumentState.PRE_OPEN):
            sequencer.run(set_instrument_state(1, state), START_NS)
        sequencer.run(commands.new_order(2, 1, Side.BUY, matches, 101_000), START_NS)
        for n in range(matches):
            sequencer.run(commands.new_order(1, n, Side.SELL, 1, 101_000), START_NS)
        before = sequencer.last_event_seq
        sequencer.run(set_instrument_state(1, InstrumentState.OPEN), START_NS)
        while sequencer.unfinished or sequencer.pending:
            sequencer.wait_released()
            sequencer.commit(START_NS)
        sequencer.wait_stored()
        live = all_events(sequencer)
        hash_before = sequencer.engine.state_hash()
    told = live["template_id"][int(before) :].tolist()
    assert told.count(Template.ORDER_EXECUTED) == told.count(Template.FEE_CHARGED) == matches
    assert len(told) > room
    events, _ = derive(journalled(tmp_path))
    assert live.tobytes() == events.tobytes()
    with open_small(tmp_path) as again:
        assert again.recovery.clean
        assert again.engine.state_hash() == hash_before


def test_a_snapshot_between_the_matches_of_an_order_and_their_fees(tmp_path):
    """Rule 15.5: the order has ended and its least fee was charged with its first match; recovery does not charge it again."""
    with open_small(tmp_path) as sequencer:
        matches = 590
        sequencer.run(LOAD.setup, START_NS)
        sequencer.run(set_fee_schedule(1, auction_per_lot=2, order_fee_min=5000), START_NS)
        for state in (InstrumentState.HALTED, InstrumentState.PRE_OPEN):
            sequencer.run(set_instrument_state(1, state), START_NS)
        sequencer.run(commands.new_order(2, 1, Side.BUY, matches, 101_000), START_NS)
        for n in range(matches):
            sequencer.run(commands.new_order(1, n, Side.SELL, 1, 101_000), START_NS)
        sequencer.wait_stored()
        sequencer.submit(set_instrument_state(1, InstrumentState.OPEN))
        sequencer.commit(START_NS)
        assert sequencer.unfinished
        assert sequencer.snapshot() >= 0
        seq, event_seq = sequencer.last_seq, sequencer.last_event_seq
        while sequencer.unfinished:
            sequencer.wait_released()
            sequencer.commit(START_NS)
        sequencer.wait_stored()
        assert sequencer.last_event_seq > event_seq
        live = all_events(sequencer)
        hash_before = sequencer.engine.state_hash()
    fees = live[live["template_id"] == Template.FEE_CHARGED].view(FEE_CHARGED)
    assert (fees["incoming_fee"] + fees["resting_fee"]).tolist() == [10_000, *[5000] * (matches - 1)]
    events, _ = derive(journalled(tmp_path))
    assert live.tobytes() == events.tobytes()
    with open_small(tmp_path) as again:
        assert again.recovery.clean
        assert again.recovery.snapshot_seq == seq
        assert again.engine.state_hash() == hash_before
        assert all_events(again).tobytes() == live.tobytes()


@pytest.mark.parametrize("durability", ["fsync"])
def test_nothing_is_released_before_it_is_on_disk(tmp_path, durability):
    with open_small(tmp_path, durability) as sequencer:
        prepare(sequencer)
        before = sequencer.wait_released()
        sequencer.hold_writer(True)
        sequencer.run(LOAD.commands[:20], START_NS)
        assert sequencer.last_event_seq > before
        assert sequencer.released_event_seq() == before
        sequencer.hold_writer(False)
        assert sequencer.wait_released() == sequencer.last_event_seq


def test_a_sleeping_loop_hears_of_a_release(tmp_path):
    with open_small(tmp_path, "fsync") as sequencer:
        prepare(sequencer)
        sequencer.wait_released()
        sequencer.heard()
        assert select.select([sequencer], [], [], 0)[0] == []
        sequencer.run(LOAD.commands[:1], START_NS)
        assert select.select([sequencer], [], [], 10)[0] == [sequencer]
        sequencer.heard()
        assert sequencer.released_event_seq() == sequencer.last_event_seq
        assert select.select([sequencer], [], [], 0)[0] == []
        sequencer.inject_fault(NAMES["syncing the journal"], 0, errno.EIO)
        sequencer.run(LOAD.commands[1:2], START_NS)
        assert select.select([sequencer], [], [], 10)[0] == [sequencer]
        with pytest.raises(EngineStoppedError):
            sequencer.commit(START_NS)


@pytest.mark.parametrize("durability", ["none", "batch"])
def test_released_with_the_commit(tmp_path, durability):
    with open_small(tmp_path, durability) as sequencer:
        prepare(sequencer)
        sequencer.run(LOAD.commands[:20], START_NS)
        assert sequencer.released_event_seq() == sequencer.last_event_seq


def test_reading_events_reaches_from_disk_to_memory(tmp_path):
    with open_small(tmp_path) as sequencer:
        prepare(sequencer)
        drive(sequencer, LOAD.commands)
        last = sequencer.last_event_seq
        assert last > 3 * sequencer.settings.ring_events
        for first in (1, 2, 1499, 1500, 1501, last - 1025, last - 1024, last - 1023, last):
            events = sequencer.read_events(first, 40)
            assert events["seq"].tolist() == list(range(first, min(first + 40, last + 1)))
        assert len(sequencer.read_events(last + 1, 5)) == 0
        with pytest.raises(InputError, match="first_seq must be at least 1"):
            sequencer.read_events(0, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r[:-8], "command of 80 bytes must be"),
        (lambda r: r[:16], "at least 24 bytes"),
        (lambda r: r[:2] + b"\x40\x00" + r[4:], "was template 64"),
        (lambda r: b"\x40\x00" + r[2:], "block length 64"),
        (lambda r: r[:4] + b"\x01\x00" + r[6:], "schema must be 844"),
        (lambda r: r[:6] + b"\x09\x00" + r[8:], "was 844 version 9"),
    ],
)
def test_what_is_no_command_is_refused_whole(tmp_path, change, message):
    good = empty(Template.NEW_ORDER).tobytes()
    with open_small(tmp_path) as sequencer:
        with pytest.raises(InputError, match=message):
            sequencer.submit(good + change(good))
        assert sequencer.pending == 0
        sequencer.run(good, START_NS)
        assert sequencer.last_seq == 1


@durabilities
@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("writing the journal", errno.ENOSPC),
        ("writing the journal", errno.EIO),
        ("syncing the journal", errno.EIO),
        ("making a journal segment", errno.ENOSPC),
        ("writing the event log", errno.ENOSPC),
        ("making an events file", errno.EIO),
    ],
)
def test_a_write_that_fails_stops_the_engine(tmp_path, durability, operation, code):
    if operation == "syncing the journal" and durability != "fsync":
        pytest.skip("nothing is synced")
    sequencer = open_small(tmp_path, durability)
    prepare(sequencer)
    sequencer.wait_released()
    sequencer.wait_stored()
    sequencer.inject_fault(NAMES[operation], 1, code)
    released_before = sequencer.released_event_seq()
    with pytest.raises(EngineStoppedError) as stopped:
        drive(sequencer, LOAD.commands)
        sequencer.wait_stored()
    assert stopped.value.code == "ENGINE_STOPPED"
    assert operation in str(stopped.value)
    assert f"errno {code}" in str(stopped.value)
    released = sequencer.released_event_seq()
    assert released_before <= released <= sequencer.last_event_seq
    if durability != "none" and "event" not in operation:
        assert released < sequencer.last_event_seq, "the batch that failed is not released"
    # never half alive: nothing is taken, decided, released or stored any more
    stored = sequencer.stored_event_seq
    assert sequencer.submit(LOAD.commands[:1]) == 0
    with pytest.raises(EngineStoppedError):
        sequencer.commit(START_NS)
    with pytest.raises(EngineStoppedError):
        sequencer.snapshot()
    assert (sequencer.released_event_seq(), sequencer.stored_event_seq) == (released, stored)
    shown = sequencer.read_events(1, released) if durability != "none" else sequencer.read_events(1, stored)
    sequencer.close()
    # the restart has everything that was released, and goes on
    with open_small(tmp_path, durability) as again:
        assert again.last_event_seq >= len(shown)
        assert again.read_events(1, len(shown)).tobytes() == shown.tobytes()
        seq = again.last_seq
        again.run(LOAD.commands[-1:], START_NS)
        assert again.last_seq == seq + 1
        again.wait_released()


def test_closed_means_closed(tmp_path):
    sequencer = open_small(tmp_path)
    prepare(sequencer)
    sequencer.close()
    sequencer.close()
    with pytest.raises(EngineStoppedError, match="closed"):
        sequencer.commit(START_NS)
    with pytest.raises(EngineStoppedError, match="closed"):
        sequencer.snapshot()
    assert sequencer.submit(LOAD.commands[:1]) == 0
