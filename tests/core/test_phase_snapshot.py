"""A snapshot keeps all of an instrument's phases.

Method: hostile commands reach every rule, so that whatever a snapshot forgets shows in an answer or a hash; a call under way is
saved and its restored copy ends it alike.
"""

import numpy as np
import pytest

from tradsys.core import Engine
from tradsys.sim import adversary as adversary_module
from tradsys.sim import commands
from tradsys.sim.adversary import Adversary
from tradsys.wire.enums import InstrumentState, OrderType, Side, Template


def copy_of(engine: Engine) -> Engine:
    restored = Engine.restore(engine.snapshot(), **engine.capacities)
    restored.check()
    assert restored.state_hash() == engine.state_hash()
    assert restored.snapshot()[176:] == engine.snapshot()[176:]
    return restored


@pytest.mark.parametrize("seed", range(12))
def test_a_restored_engine_goes_through_phases_alike(seed):
    hostile = Adversary(seed)
    saved = Engine(**adversary_module.CAPACITIES)
    saved.submit(hostile.setup())
    for _ in range(12):
        saved.submit(hostile.chunk(150))
        restored = copy_of(saved)
        more = hostile.chunk(50)
        assert restored.submit(more).tobytes() == saved.submit(more).tobytes()
        assert restored.state_hash() == saved.state_hash()


def test_a_call_under_way_is_saved_with_its_end_and_its_market_orders():
    saved = Engine(orders_max=64, instruments_max=4)
    records = [
        *(commands.define_participant(1), commands.define_session(1, 1), commands.define_instrument(1)),
        commands.record(
            *(Template.SET_AUCTION_RULES,), instrument_id=1, reference_price_ticks=5, random_ns=10**9
        ),
        commands.record(
            *(Template.START_CALL,),
            instrument_id=1,
            state=InstrumentState.OPENING_AUCTION,
            state_after=InstrumentState.OPEN,
            end_ts_ns=1000,
        ),
        commands.new_order(1, 1, Side.BUY, 5, 0, order_type=OrderType.MARKET),
        commands.new_order(1, 2, Side.SELL, 3, 4),
        commands.record(Template.AUCTION_TIMER, instrument_id=1, ts_ns=1000),  # draws the delay
    ]
    saved.submit(np.frombuffer(b"".join(records), dtype=np.uint8))
    restored = copy_of(saved)
    ends = [commands.record(Template.AUCTION_TIMER, instrument_id=1, ts_ns=ts * 10**8) for ts in range(1, 12)]
    answers = [
        [engine.submit(np.frombuffer(end, dtype=np.uint8)).tobytes() for end in ends] for engine in (saved, restored)
    ]
    assert answers[0] == answers[1]
    assert saved.instrument_state(1) == InstrumentState.OPEN
