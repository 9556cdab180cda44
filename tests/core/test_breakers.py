"""Circuit breakers stop what they are to stop, also when the buffer is small, and outlive restarts.

Method: groups of instruments stopped by an index, windows of time compared with a plain list of prices, snapshots.
"""

import numpy as np
import pytest
from market import kinds, market

from tradsys.core import Engine
from tradsys.sim import commands as setup
from tradsys.sim.draw import Draw
from tradsys.sim.reference_records import read_events
from tradsys.wire import commands
from tradsys.wire.enums import BreakerAction, BreakerLevel, BreakerSide, InstrumentState, Template

CAPACITIES = {
    "orders_max": 64,
    "instruments_max": 80,
    "participants_max": 4,
    "sessions_max": 4,
    "accounts_max": 4,
}
INDEX = 79
PAUSE_NS = 10**9


def venue(members=range(1, 79)):
    """An engine whose instruments the index stops together."""
    engine = Engine(**CAPACITIES)
    records = [setup.define_participant(1), setup.define_session(1, 1), setup.define_instrument(INDEX)]
    for instrument_id in members:
        records += [setup.define_instrument(instrument_id), setup.set_state(instrument_id)]
    engine.submit(b"".join(records))
    for instrument_id in members:
        engine.submit(commands.set_breaker(instrument_id, member_group_id=7))
    engine.submit(commands.set_breaker(INDEX, group_id=7, reference_price_ticks=1000))
    engine.submit(commands.pack(commands.us_market_wide_levels(INDEX)))
    return engine


def test_an_index_stops_its_group_as_a_whole_as_soon_as_there_is_room():
    engine = venue()
    with pytest.raises(BufferError):
        engine.submit(commands.publish_index(INDEX, 930, ts_ns=5), engine.read_events()[:1].copy().repeat(79))
    assert kinds(engine.read_events()) == [Template.COMMAND_DONE]
    assert engine.is_unfinished()
    assert {engine.instrument_state(n) for n in range(1, 79)} == {InstrumentState.OPEN}
    engine.check()
    engine = Engine.restore(engine.snapshot(), **CAPACITIES)
    assert engine.is_unfinished()
    events = engine.submit(commands.expire_day_orders(ts_ns=9))
    assert kinds(events) == [
        *(Template.BREAKER_TRIPPED, *[Template.PHASE_CHANGED] * 78, Template.MASS_CANCELED),
    ]
    assert set(events["ts_ns"][:-1].tolist()) == {5}
    assert not engine.is_unfinished()
    assert {engine.instrument_state(n) for n in range(1, 79)} == {InstrumentState.HALTED}
    assert engine.planned_end(1) == 5 + 15 * 60 * 10**9
    assert engine.instrument_state(INDEX) == InstrumentState.CLOSED
    engine.check()


def test_the_third_level_closes_for_the_day_and_a_new_day_begins():
    engine = venue()
    engine.submit(commands.publish_index(INDEX, 800, ts_ns=5))
    assert {engine.instrument_state(n) for n in range(1, 79)} == {InstrumentState.CLOSED}
    assert kinds(engine.submit(commands.publish_index(INDEX, 700, ts_ns=6))) == [Template.COMMAND_DONE]
    engine.submit(commands.start_breaker_day())
    engine.submit(commands.set_instrument_state(1, InstrumentState.OPEN))
    assert kinds(engine.submit(commands.publish_index(INDEX, 652, ts_ns=7))) == [Template.COMMAND_DONE]
    events = engine.submit(commands.publish_index(INDEX, 651, ts_ns=8))
    assert kinds(events)[1:] == [Template.BREAKER_TRIPPED, Template.PHASE_CHANGED]


def test_the_window_holds_the_prices_of_its_time():
    engine = venue(members=())
    engine.submit(
        commands.set_breaker_level(
            INDEX,
            BreakerLevel.VELOCITY,
            BreakerAction.HALT,
            distance_ticks=40,
            window_ns=800,
            pause_ns=PAUSE_NS,
        )
    )
    engine.submit(commands.set_breaker(INDEX, reference_price_ticks=1 << 50))
    for level in (BreakerLevel.LEVEL_1, BreakerLevel.LEVEL_2, BreakerLevel.LEVEL_3):
        engine.submit(commands.set_breaker_level(INDEX, level, BreakerAction.HALT))
    draw, seen, ts_ns, price, tripped = Draw(3), [], 0, 5000, 0
    for _ in range(4000):
        ts_ns = max(0, ts_ns + draw.between(-30, 90))
        price += draw.between(-12, 12)
        newest = max([number for number, _ in seen] + [ts_ns // 100])
        seen = [(number, p) for number, p in seen if number > newest - 8] + [(newest, price)]
        prices = [p for _, p in seen]
        expected = max(max(prices) - price, price - min(prices)) >= 40
        events = engine.submit(commands.publish_index(INDEX, price, ts_ns=ts_ns))
        assert (Template.BREAKER_TRIPPED in kinds(events)) == expected
        if expected:
            seen, tripped = [], tripped + 1
    assert tripped > 20
    engine.check()


def test_breakers_outlive_a_restart():
    engine = venue(members=range(1, 9))
    for n, (level, side) in enumerate(
        ((BreakerLevel.LEVEL_1, BreakerSide.UP), (BreakerLevel.VELOCITY, BreakerSide.BOTH))
    ):
        velocity = (
            {"distance_ticks": 30, "window_ns": 1000}
            if level == BreakerLevel.VELOCITY
            else {"distance_ppm": 9}
        )
        engine.submit(
            commands.set_breaker_level(
                n + 1, level, BreakerAction.VOLATILITY_AUCTION, side=side, pause_ns=9, **velocity
            )
        )
    engine.submit(commands.set_breaker(2, reference_price_ticks=100, reopen_call_ns=50, member_group_id=7))
    engine.submit(commands.publish_index(2, 110, ts_ns=40))
    engine.submit(commands.publish_index(INDEX, 900, ts_ns=50))
    restored = Engine.restore(engine.snapshot(), **CAPACITIES)
    restored.check()
    assert restored.state_hash() == engine.state_hash()
    tail = commands.pack(
        [
            commands.publish_index(2, 80, ts_ns=60),
            commands.auction_timer(1, ts_ns=2 * 10**12),
            commands.auction_timer(2, ts_ns=2 * 10**12),
            commands.publish_index(2, 60, ts_ns=2 * 10**12),
            commands.publish_index(INDEX, 799, ts_ns=3 * 10**12),
        ]
    )
    events = engine.submit(tail).tobytes()
    assert restored.submit(tail).tobytes() == events
    assert restored.state_hash() == engine.state_hash()
    told = [template for template, _ in read_events(events)]
    assert told.count(Template.BREAKER_TRIPPED) == 2
    with pytest.raises(ValueError, match="instruments"):
        Engine.restore(engine.snapshot(), **(CAPACITIES | {"instruments_max": 20}))


def test_a_stop_by_a_match_finds_room_for_the_orders_its_call_cancels():
    engine = market(price_max=1000, qty_max=9)
    engine.submit(
        commands.set_breaker_level(
            1, BreakerLevel.LEVEL_1, BreakerAction.VOLATILITY_AUCTION, distance_ppm=1, pause_ns=5
        )
    )
    engine.submit(commands.set_breaker(1, reference_price_ticks=100))
    engine.submit(commands.set_fee_schedule(1, taker_per_lot=1))
    order = {"instrument_id": 1, "qty_lots": 1}
    for n in range(20):
        engine.submit(
            commands.new_order(session_id=1, client_ref=n, side=1, price_ticks=50, time_in_force=9, **order)
        )
    engine.submit(commands.new_order(session_id=1, client_ref=99, side=1, price_ticks=99, **order))
    cross = commands.new_order(session_id=2, client_ref=1, side=2, price_ticks=99, **order)
    with pytest.raises(BufferError):
        engine.submit(cross, np.zeros(24, engine.read_events().dtype))
    assert kinds(engine.read_events()) == [
        *(Template.ORDER_ACCEPTED, Template.ORDER_EXECUTED, Template.FEE_CHARGED)
    ]
    engine.check()
    events = engine.submit(b"", np.zeros(24, engine.read_events().dtype))
    assert kinds(events) == [
        *(Template.BREAKER_TRIPPED, Template.PHASE_CHANGED, *[Template.ORDER_CANCELED] * 20),
    ]
    engine.check()
