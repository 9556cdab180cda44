"""Limits of conduct hold whatever room there is for events, and outlive restarts.

Method: tripwires torn with a small event buffer, buckets compared with exact fractions, snapshots in the middle.
"""

from fractions import Fraction

import numpy as np
import pytest
from market import CAPACITIES, PRICE_MAX, kinds, market

from tradsys.core import Engine
from tradsys.sim.draw import Draw
from tradsys.wire import commands
from tradsys.wire.enums import CancelReason, RejectReason, RiskScope, Template
from tradsys.wire.records import DTYPES

BUY, SELL = 1, 2


def enter(engine, session_id, side, price_ticks, qty_lots=1, ts_ns=0, **fields):
    order = {"instrument_id": 1, "client_ref": enter.refs, "session_id": session_id}
    enter.refs += 1
    return engine.submit(
        commands.new_order(
            side=side, price_ticks=price_ticks, qty_lots=qty_lots, ts_ns=ts_ns, **order, **fields
        )
    )


enter.refs = 1


def reasons(events):
    rejected = events[events["template_id"] == Template.ORDER_REJECTED]
    return [RejectReason(int(r)) for r in rejected.view(DTYPES[Template.ORDER_REJECTED])["reject_reason"]]


def torn(engine, buffer):
    """Have participants 1 and 2 tear their tripwires while 20 orders of 1 and 3 of 2 rest; the events that fit."""
    for participant_id in (1, 2):
        engine.submit(commands.set_conduct(participant_id, output_max_value=50, output_window_ns=10))
    for n in range(20):
        enter(engine, 1, BUY, 40 - n)
    for n in range(3):
        enter(engine, 2, SELL, 90 + n)
    enter(engine, 1, SELL, 60)
    cross = commands.new_order(
        session_id=2, client_ref=10**6, side=BUY, price_ticks=60, qty_lots=1, instrument_id=1, ts_ns=7
    )
    if buffer is None:
        return engine.submit(cross)
    with pytest.raises(BufferError):
        engine.submit(cross, np.zeros(buffer, engine.read_events().dtype))
    return engine.read_events()


def test_a_torn_tripwire_cancels_as_soon_as_there_is_room():
    whole = torn(market(price_max=1000, qty_max=9), None)
    told = [Template.ORDER_ACCEPTED, Template.ORDER_EXECUTED]
    first = [Template.OUTPUT_TRIPPED, *[Template.ORDER_CANCELED] * 20]
    second = [Template.OUTPUT_TRIPPED, *[Template.ORDER_CANCELED] * 3]
    assert kinds(whole) == told + first + second
    enter.refs = 1
    engine = market(price_max=1000, qty_max=9)
    events = torn(engine, 4).tobytes()
    assert events == whole[:2].tobytes()
    assert engine.is_unfinished()
    engine.check()
    restored = Engine.restore(engine.snapshot(), **CAPACITIES)
    for again in (engine, restored):
        assert again.is_unfinished()
        with pytest.raises(BufferError):
            again.submit(b"", np.zeros(24, whole.dtype))
        assert kinds(again.read_events()) == first
        again.check()
        assert again.submit(b"", np.zeros(24, whole.dtype)).tobytes() == whole[23:].tobytes()
        again.check()
        assert again.live_order_count() == 0
    canceled = whole[whole["template_id"] == Template.ORDER_CANCELED].view(DTYPES[Template.ORDER_CANCELED])
    assert set(canceled["cancel_reason"]) == {CancelReason.KILL_SWITCH}
    tripped = whole[whole["template_id"] == Template.OUTPUT_TRIPPED].view(DTYPES[Template.OUTPUT_TRIPPED])
    assert tripped["participant_id"].tolist() == [1, 2]
    assert tripped["match_seq"].tolist() == [whole["seq"][1]] * 2


@pytest.mark.parametrize(
    ("output_max", "window_ns", "top"), [(997, 10_000, 900), (1, 1, 3), ((1 << 60) - 1, 10**18, PRICE_MAX)]
)
def test_the_bucket_is_that_of_exact_numbers(output_max, window_ns, top):
    engine = market()
    engine.submit(commands.set_conduct(1, output_max_value=output_max, output_window_ns=window_ns))
    draw, bucket, newest, torn_count = Draw(5), Fraction(window_ns), 0, 0
    for n in range(600):
        ts_ns = max(0, newest + draw.between(-50, min(window_ns // 10, 10**14) + 100))
        price, qty = draw.between(-top, top), 1 + draw.below(7)
        enter(engine, 2, SELL, price, qty, ts_ns)
        events = enter(engine, 1, BUY, price, qty, ts_ns)
        if ts_ns > newest:
            bucket, newest = min(bucket + ts_ns - newest, Fraction(window_ns)), ts_ns
        bucket -= -(-abs(price) * qty * window_ns // output_max)
        assert (Template.OUTPUT_TRIPPED in kinds(events)) == (bucket < 0), n
        if bucket < 0:
            torn_count, bucket = torn_count + 1, Fraction(window_ns)
            assert reasons(enter(engine, 1, BUY, price)) == [RejectReason.KILLED]
            engine.submit(commands.kill_switch(RiskScope.PARTICIPANT, 1, is_on=False))
        engine.check()
    assert 5 < torn_count < 600


def test_conduct_outlives_a_restart():
    engine = market(price_max=1000, qty_max=9)
    engine.submit(commands.set_resting_time(1, 50, ts_ns=1))
    enter(engine, 1, BUY, 50, ts_ns=100)
    enter(engine, 2, BUY, 49, ts_ns=120, time_in_force=5, expire_ts_ns=500)
    engine.submit(commands.set_conduct(2, order_to_trade_max=1, order_to_trade_free=2))
    engine.submit(commands.set_conduct(1, output_max_value=40, output_window_ns=9))
    enter(engine, 2, SELL, 50, ts_ns=130)
    restored = Engine.restore(engine.snapshot(), **CAPACITIES)
    restored.check()
    assert restored.state_hash() == engine.state_hash()
    tail = commands.pack(
        [
            commands.new_order(
                session_id=1, client_ref=900, side=BUY, price_ticks=1, qty_lots=1, instrument_id=1
            ),
            commands.cancel_order(
                client_ref=0, session_id=2, orig_client_ref=enter.refs - 2, instrument_id=1, ts_ns=169
            ),
            commands.cancel_order(
                client_ref=0, session_id=2, orig_client_ref=enter.refs - 2, instrument_id=1, ts_ns=170
            ),
            commands.new_order(
                session_id=2, client_ref=901, side=SELL, price_ticks=50, qty_lots=1, instrument_id=1
            ),
            commands.new_order(
                session_id=2, client_ref=902, side=SELL, price_ticks=50, qty_lots=1, instrument_id=1
            ),
        ]
    )
    events = engine.submit(tail)
    assert reasons(events) == [
        *(RejectReason.KILLED, RejectReason.RESTED_TOO_SHORT, RejectReason.ORDER_TO_TRADE_LIMIT)
    ]
    assert restored.submit(tail).tobytes() == events.tobytes()
    assert restored.state_hash() == engine.state_hash()
    with pytest.raises(ValueError, match="room for"):
        Engine.restore(engine.snapshot(), **(CAPACITIES | {"participants_max": 2}))


def test_limits_of_conduct_leave_nothing_behind_when_they_are_taken_away():
    engine, plain = (market(price_max=1000, qty_max=9) for _ in range(2))
    for wanted in (engine, plain):
        enter.refs = 1
        enter(wanted, 1, BUY, 50, ts_ns=100)
    engine.submit(commands.set_resting_time(1, 50))
    engine.submit(commands.set_conduct(1, order_to_trade_max=7))
    engine.submit(commands.set_resting_time(1, 0))
    engine.submit(commands.set_conduct(1))
    plain.submit(
        commands.pack([commands.kill_switch(RiskScope.VENUE, 1, is_on=False)] * 4)
    )  # refused: numbers alone
    assert len(engine.snapshot()) == len(plain.snapshot())
    assert engine.state_hash() == plain.state_hash()
