"""The engine's faces: batches, single calls, queries, buffers, and what they refuse.

Method: the same commands by every way in must give the same bytes out; wrong input must be named and change nothing.
"""

import threading

import numpy as np
import pytest
from market import BUY, CAPACITIES, QTY_MAX, SELL, kinds, market, one, setup

from tradsys.core import Engine
from tradsys.sim import commands, workload
from tradsys.wire.enums import RejectReason, Template, TimeInForce
from tradsys.wire.records import EVENT_COMMON, ORDER_ACCEPTED, ORDER_EXECUTED

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def some_commands(count=2000):
    return workload.make("normal", count, seed=3, live_target=400)


def whole(load) -> np.ndarray:
    return np.concatenate([load.setup, load.prefill.view(np.uint8), load.commands.view(np.uint8)])


def test_batches_of_any_size_give_the_same_bytes():
    load = some_commands()
    engine = Engine(**load.capacities)
    at_once = engine.submit(whole(load)).tobytes()
    for size in (1, 7, 25, 400):
        other = Engine(**load.capacities)
        parts = [other.submit(load.setup).tobytes(), other.submit(load.prefill).tobytes()]
        starts = range(0, len(load.commands), size)
        parts += [other.submit(load.commands[i : i + size]).tobytes() for i in starts]
        assert b"".join(parts) == at_once
        assert other.state_hash() == engine.state_hash()
    engine.check()


def test_single_calls_give_the_same_bytes_as_records():
    by_call, by_record = market(), market()
    calls = [
        (by_call.new_order, (1, 10, 1, BUY, 100, 5), commands.new_order(1, 10, BUY, 5, 100)),
        (by_call.new_order, (2, 10, 1, SELL, 101, 7), commands.new_order(2, 10, SELL, 7, 101)),
        (
            by_call.new_order,
            (1, 11, 1, BUY, 101, 3, 1, TimeInForce.IOC),
            commands.new_order(1, 11, BUY, 3, 101, time_in_force=TimeInForce.IOC),
        ),
        (
            by_call.reduce_order,
            (1, 12, 1, 2, 10),
            commands.record(
                Template.REDUCE_ORDER,
                session_id=1,
                client_ref=12,
                instrument_id=1,
                qty_lots=2,
                orig_client_ref=10,
            ),
        ),
        (
            by_call.replace_order,
            (1, 13, 1, 101, 6, 10),
            commands.record(
                Template.REPLACE_ORDER,
                session_id=1,
                client_ref=13,
                instrument_id=1,
                price_ticks=101,
                qty_lots=6,
                orig_client_ref=10,
            ),
        ),
        (
            by_call.cancel_order,
            (1, 14, 1, 13),
            commands.record(
                Template.CANCEL_ORDER, session_id=1, client_ref=14, instrument_id=1, orig_client_ref=13
            ),
        ),
    ]
    for call, arguments, record in calls:
        events = by_record.submit(record)
        assert call(*arguments) == len(events)
        assert by_call.read_events().tobytes() == events.tobytes()
        by_call.check()
    assert by_call.state_hash() == by_record.state_hash()


def test_queries_of_a_small_book():
    engine = market()
    assert (engine.best_bid(1), engine.best_ask(1)) == (INT64_MIN, INT64_MAX)
    assert (engine.best_bid(3), engine.best_ask(99)) == (INT64_MIN, INT64_MAX)
    assert len(engine.depth(1, BUY)) == 0
    engine.new_order(1, 1, 1, BUY, -5, 4)
    engine.new_order(1, 2, 1, BUY, -5, 3)
    engine.new_order(1, 3, 1, SELL, 0, 2)
    assert (engine.best_bid(1), engine.best_ask(1)) == (-5, 0)
    assert engine.qty_at(1, BUY, -5) == 7
    assert engine.qty_at(1, SELL, -5) == engine.qty_at(1, 3, -5) == engine.qty_at(2, BUY, -5) == 0
    assert engine.depth(1, BUY).tolist() == [(-5, 7, 2)]
    assert engine.resting_orders(1, BUY)["client_ref"].tolist() == [1, 2]
    assert engine.live_order_count() == 3
    assert (engine.instrument_state(1), engine.instrument_state(2), engine.instrument_state(99)) == (2, 0, 0)


def test_a_command_has_the_seq_it_says_or_none():
    engine = market()
    seq = engine.last_seq + 1
    assert engine.submit(commands.new_order(1, 1, BUY, 1, 5, seq=seq))["cause_seq"][0] == seq
    for wrong in (seq, seq + 2, 2**63 - 1):
        with pytest.raises(ValueError, match=f"must have seq 0 or {seq + 1}"):
            engine.submit(commands.new_order(1, 2, BUY, 1, 5, seq=wrong))
    assert engine.last_seq == seq


GOOD = commands.new_order(1, 1, BUY, 1, 5)


def damaged(offset: int, value: int) -> bytes:
    record = bytearray(GOOD)
    record[offset] = value
    return bytes(record)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        pytest.param(GOOD[:-1], "cut off: 79 bytes", id="truncated"),
        pytest.param(GOOD[:5], "cut off: 5 bytes", id="less than a header"),
        pytest.param(damaged(2, 99), "template 99, which is no command", id="unknown template"),
        pytest.param(damaged(2, 66), "template 66, which is no command", id="an event"),
        pytest.param(damaged(0, 80), "block length 80", id="oversized"),
        pytest.param(damaged(4, 0), "was 768 version 1", id="another schema"),
        pytest.param(damaged(6, 2), "version 2", id="another version"),
    ],
)
def test_what_is_no_command_is_named_and_changes_nothing(batch, message):
    engine = market()
    before = engine.state_hash()
    with pytest.raises(ValueError, match=f"offset 0 .*{message}"):
        engine.submit(batch)
    assert engine.state_hash() == before
    # behind good ones: those are decided, their events are there
    with pytest.raises(ValueError, match=f"offset 80 .*{message}"):
        engine.submit(GOOD + batch)
    assert kinds(engine.read_events()) == [Template.ORDER_ACCEPTED]
    assert engine.live_order_count() == 1
    engine.check()


def test_events_go_where_the_caller_says():
    engine = market()
    out = np.zeros(8, EVENT_COMMON)
    events = engine.submit(GOOD, out=out)
    assert np.shares_memory(events, out)
    assert one(events)["order_id"] == out.view(ORDER_ACCEPTED)["order_id"][0] != 0
    with pytest.raises(ValueError, match="128-byte events"):
        engine.submit(GOOD, out=np.zeros(100, np.uint8))
    with pytest.raises(ValueError, match=r"read-only|not writable|writable"):
        readonly = np.zeros(4, EVENT_COMMON)
        readonly.flags.writeable = False
        engine.submit(GOOD, out=readonly)


def test_a_buffer_that_is_short_stops_before_the_command_that_does_not_fit():
    engine, free = market(), market()
    batch = [commands.new_order(1, n, SELL, 1, n) for n in range(1, 8)]
    batch += [commands.new_order(2, 1, BUY, 7, 7), commands.new_order(2, 2, BUY, 1, 1)]
    expected = free.submit(b"".join(batch)).tobytes()
    out = np.zeros(9, EVENT_COMMON)
    with pytest.raises(BufferError, match="out holds 9 events: 560 of 720 bytes"):
        engine.submit(b"".join(batch), out=out)
    first = engine.read_events().tobytes()
    assert len(first) == 7 * 128
    # eight events and the end of the order are the most the sweep can need
    second = engine.submit(b"".join(batch[7:]), out=np.zeros(12, EVENT_COMMON)).tobytes()
    assert first + second == expected
    engine.check()


def test_the_own_buffer_grows_for_a_large_answer():
    engine = market(events_max=4)
    for n in range(1, 201):
        engine.new_order(1, n, 1, SELL, n, 1)
    events = engine.submit(commands.record(Template.MASS_CANCEL, session_id=1))
    assert len(events) == 201
    assert (events["template_id"][:-1] == Template.ORDER_CANCELED).all()
    assert np.array_equal(np.diff(events["seq"].astype(np.int64)), np.ones(200, np.int64))


def test_a_single_call_that_does_not_fit_says_so():
    engine = market(events_max=4, qty_max=100, price_max=1000)
    for n in range(1, 11):
        engine.new_order(1, n, 1, SELL, n, 1)
    with pytest.raises(BufferError, match="no room for another command"):
        engine.new_order(2, 1, 1, BUY, 10, 10)
    assert engine.live_order_count() == 10
    events = engine.submit(commands.new_order(2, 1, BUY, 10, 10))
    assert (events["template_id"] == Template.ORDER_EXECUTED).sum() == 10


def test_only_contiguous_records_are_read():
    engine = market()
    records = np.frombuffer(GOOD * 4, np.uint8).reshape(4, 80)
    with pytest.raises((ValueError, BufferError), match="contiguous"):
        engine.submit(records[::2])


@pytest.mark.parametrize(
    "wrong",
    [{"orders_max": 0}, {"orders_max": 2**24 + 1}, {"instruments_max": 1}, {"sessions_max": 2**17}],
    ids=str,
)
def test_capacities_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=rf"{next(iter(wrong))} must be in \["):
        Engine(**wrong)


def test_capacities_make_another_engine_of_the_same_room():
    assert market().capacities == CAPACITIES
    assert Engine(**market().capacities).capacities == CAPACITIES


def test_two_threads_at_once_are_refused():
    load = workload.make("normal", 300_000, live_target=400)
    engine = Engine(**load.capacities)
    engine.submit(load.setup)
    engine.submit(load.prefill)
    refused = []
    done = threading.Event()

    def poke() -> None:
        while not done.is_set():
            try:
                engine.cancel_order(1, 0, 1, order_id=1)
            except RuntimeError as error:
                refused.append(str(error))
                return

    thread = threading.Thread(target=poke)
    thread.start()
    for _ in range(50):
        try:
            engine.submit(load.commands)
        except RuntimeError:
            continue
        if refused:
            break
    done.set()
    thread.join()
    assert refused == ["this engine is deciding a batch of another thread"]
    engine.check()


def test_book_full_is_refused_and_a_slot_freed_serves_again():
    engine = market(orders_max=3)
    for n in range(1, 4):
        engine.new_order(1, n, 1, BUY, 10 - n, 1)
    engine.new_order(1, 4, 1, SELL, 9, 1)
    assert one(engine.read_events())["reject_reason"] == RejectReason.BOOK_FULL
    engine.cancel_order(1, 0, 1, orig_client_ref=2)
    engine.new_order(1, 4, 1, SELL, 9, 1)
    events = engine.read_events()
    assert kinds(events) == [Template.ORDER_ACCEPTED, Template.ORDER_EXECUTED]
    assert events[1:].view(ORDER_EXECUTED)["price_ticks"][0] == 9
    engine.check()


def test_quantities_of_a_full_level_add_up():
    engine = Engine(**CAPACITIES)
    qty = 2**39 - 1
    engine.submit(setup(price_max=1 << 23, qty_max=qty))
    for n in range(1, 101):
        engine.new_order(1, n, 1, BUY, 1, qty)
    assert engine.qty_at(1, BUY, 1) == 100 * qty
    assert qty > QTY_MAX
    engine.check()
