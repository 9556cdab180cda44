"""What comes behind a command finds room sooner or later, and is the same: fees, kept matches, stops, triggered orders.

Method: an uncross and a cascade of stops into event buffers that take a part of what follows, a restart at each pause; the
compiled engine with room enough and the reference say what it must be.
"""

from contextlib import suppress

import numpy as np
import pytest
from market import setup

from tradsys.core import Engine
from tradsys.sim import commands
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.sim.reference_records import read_events
from tradsys.wire import commands as operator
from tradsys.wire.enums import (
    BreakerAction,
    BreakerLevel,
    InstrumentState,
    OrderType,
    Side,
    Template,
    TriggerSource,
)
from tradsys.wire.records import EVENT_COMMON

ROOM = {"orders_max": 1000, "instruments_max": 4, "participants_max": 4, "sessions_max": 8, "accounts_max": 4}
OPEN, PRE_OPEN, HALTED = InstrumentState.OPEN, InstrumentState.PRE_OPEN, InstrumentState.HALTED
COUNT = 200


def decide(engine, *records):
    return engine.submit(np.frombuffer(b"".join(records), dtype=np.uint8)).tobytes()


def stop(ref, trigger):
    return commands.record(
        Template.NEW_COMPLEX_ORDER,
        session_id=1,
        client_ref=ref,
        side=Side.BUY,
        qty_lots=1,
        instrument_id=1,
        order_type=OrderType.STOP,
        time_in_force=2,
        trigger_price_ticks=trigger,
        trigger_source=TriggerSource.LAST,
    )


FEES = {
    "by match": {},
    "least": {"order_fee_min": 30},
    "most": {"order_fee_max": 250},
    "both": {"order_fee_min": 5, "order_fee_max": 7},
}


def venue(fees="by match"):
    """Fees of every match, the last ones kept, a breaker that trips far up."""
    return operator.pack(
        [
            operator.set_fee_schedule(1, maker_per_lot=1, taker_per_lot=2, auction_per_lot=3, **FEES[fees]),
            operator.keep_trades(50),
            operator.set_breaker_level(
                1, BreakerLevel.LEVEL_1, BreakerAction.HALT, distance_ppm=1_000_000, pause_ns=9
            ),
            operator.set_breaker(1, reference_price_ticks=100),
        ]
    ).tobytes()


def an_uncross():
    """A book of two hundred matches at 100 is called, stops wait at that price, offers lie above."""
    orders = [commands.new_order(2, n, Side.SELL, 1, 100) for n in range(COUNT)]
    orders.append(commands.new_order(1, 1, Side.BUY, COUNT, 100))
    offers = [commands.new_order(2, 3000 + n, Side.SELL, 1, 190 + n) for n in range(30)]
    return [
        *[stop(2000 + n, 100) for n in range(30)],
        commands.set_state(1, HALTED),
        commands.set_state(1, PRE_OPEN),
        *orders,
        *offers,
    ], commands.set_state(1, OPEN)


def a_cascade():
    """A ladder of offers and a stop at each: the first match sets off one after the other until the breaker trips."""
    offers = [commands.new_order(2, n, Side.SELL, 1, 100 + n) for n in range(COUNT)]
    return [*offers, *[stop(1000 + n, 100 + n) for n in range(COUNT - 1)]], commands.new_order(
        2, 5001, Side.BUY, 1, 100
    )


def a_sweep():
    """One order takes a ladder of offers whole and ends; nothing but its fees has to wait."""
    offers = [commands.new_order(2, n, Side.SELL, 1, 100 + n // 20) for n in range(COUNT)]
    return offers, commands.new_order(1, 1, Side.BUY, COUNT, 110)


def piece_by_piece(engine, record, room, later_room=None):
    """Decide a command in a buffer of `room` events, restarted at each pause; the events, the engine, the pauses.

    What follows comes into buffers of `later_room` events, without it into the same.
    """
    out, told, pauses = np.zeros(room, EVENT_COMMON), b"", 0
    try:
        told = engine.submit(np.frombuffer(record, np.uint8), out=out).tobytes()
    except BufferError:
        told = engine.read_events().tobytes()
    out = out[:later_room]
    while engine.is_unfinished():
        pauses += 1
        engine.check()
        again = Engine.restore(engine.snapshot(), **ROOM)
        assert again.is_unfinished()
        assert again.state_hash() == engine.state_hash()
        engine = again
        try:
            made = engine.submit(b"", out=out).tobytes()
        except BufferError:
            made = engine.read_events().tobytes()
        assert made, "a buffer that takes the command takes what follows, piece by piece"
        told += made
    return told, engine, pauses


@pytest.mark.parametrize(("flow", "room"), [(an_uncross, 240), (an_uncross, 300), (a_cascade, 8), (a_cascade, 16)])
def test_what_follows_a_command_is_the_same_however_little_room_there_is(flow, room):
    """Rules 15.3, 13.13, 10.6."""
    before, record = flow()
    whole, reference, small = Engine(**ROOM), ReferenceEngine(**ROOM), Engine(**ROOM)
    for engine in (whole, reference, small):
        decide(engine, setup(10**6, 10**6), venue(), *before)
    wanted = decide(whole, record)
    assert decide(reference, record) == wanted
    told, small, pauses = piece_by_piece(small, record, room)
    assert told == wanted
    assert pauses > 0
    assert small.state_hash() == whole.state_hash() == reference.state_hash()
    small.check()
    kinds = [template for template, _ in read_events(wanted)]
    assert kinds.count(Template.FEE_CHARGED) == kinds.count(Template.ORDER_EXECUTED) > 100
    assert kinds.count(Template.BREAKER_TRIPPED) == 1
    assert small.instrument_state(1) == HALTED
    later = decide(whole, *[commands.set_state(1, OPEN)] * 2)
    assert decide(small, *[commands.set_state(1, OPEN)] * 2) == later
    assert decide(reference, *[commands.set_state(1, OPEN)] * 2) == later


@pytest.mark.parametrize("fees", FEES)
@pytest.mark.parametrize(
    ("flow", "room", "later_room", "pauses_min"),
    [(an_uncross, 240, None, 1), (a_cascade, 8, None, 10), (a_sweep, 204, None, 1), (a_sweep, 207, 3, 60)],
)
def test_what_orders_were_charged_outlives_a_restart_between_their_matches(flow, room, later_room, pauses_min, fees):
    """Rule 15.5: the least and the most of an order count over all its matches, also when it ended with the first of them."""
    before, record = flow()
    whole, reference, small = Engine(**ROOM), ReferenceEngine(**ROOM), Engine(**ROOM)
    for engine in (whole, reference, small):
        decide(engine, setup(10**6, 10**6), venue(fees), *before)
    wanted = decide(whole, record)
    assert decide(reference, record) == wanted
    told, small, pauses = piece_by_piece(small, record, room, later_room)
    assert pauses >= pauses_min
    assert told == wanted
    assert small.state_hash() == whole.state_hash() == reference.state_hash()
    small.check()
    if flow is a_sweep:
        charged = sum(e.incoming_fee for template, e in read_events(told) if template == Template.FEE_CHARGED)
        assert charged == {"by match": 2 * COUNT, "least": 2 * COUNT, "most": 250, "both": 7}[fees]


def test_the_hash_tells_what_waits_apart():
    """Rule 8.13."""
    hashes = []
    for fees in ("by match", "least"):
        before, record = a_sweep()
        engine, out = Engine(**ROOM), np.zeros(204, EVENT_COMMON)
        decide(engine, setup(10**6, 10**6), venue(fees), *before)
        with pytest.raises(BufferError):
            engine.submit(np.frombuffer(record, np.uint8), out=out)
        while engine.is_unfinished():
            hashes.append(engine.state_hash())
            with suppress(BufferError):
                engine.submit(b"", out=out[:1])
    assert len(set(hashes)) == len(hashes) > 2 * COUNT - 20


def test_an_uncross_that_fits_is_charged_in_the_engines_own_small_buffer():
    before, record = an_uncross()
    small, whole = Engine(**ROOM, events_max=4), Engine(**ROOM)
    for engine in (small, whole):
        decide(engine, setup(10**6, 10**6), venue(), *before)
    assert decide(small, record) == decide(whole, record)
