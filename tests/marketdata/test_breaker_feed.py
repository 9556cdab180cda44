"""What the feed says of a circuit breaker that trips: MdBreaker, then the states of what it stops; a client keeps the newest.

Method: a small engine's events through the publisher; its STATUS frames read back and given to a client's core.
"""

import numpy as np

from tradsys.client.feed_core import FeedCore
from tradsys.client.packets import FeedPacket
from tradsys.core import Engine
from tradsys.marketdata.publisher import Publisher
from tradsys.wire import commands as c
from tradsys.wire.enums import BreakerAction, BreakerLevel, BreakerSide, Channel, InstrumentState, Template
from tradsys.wire.packet import make_frame
from tradsys.wire.records import empty


def test_the_breaker_and_the_states_it_brings_are_told():
    engine, door = Engine(orders_max=64), Publisher(1, orders_max=64, instruments_max=8)
    setup = [
        *(c.define_instrument(n, f"S{n}", tick="0.01", price_max="100000") for n in (1, 2, 3)),
        *(c.set_instrument_state(n, InstrumentState.OPEN) for n in (1, 2)),
        *(c.set_breaker(n, member_group_id=5) for n in (1, 2)),
        c.set_breaker(3, group_id=5, reference_price_ticks=1000),
        c.set_breaker_level(
            3, BreakerLevel.LEVEL_2, BreakerAction.HALT, side=BreakerSide.DOWN, distance_ppm=130_000, pause_ns=60
        ),
        c.publish_index(3, 870, ts_ns=9),
    ]
    door.publish_events(engine.submit(c.pack(setup)))
    told = [m for frame in door.status.retained_frames() for m in FeedPacket(frame)]
    breaker, *states = told[-3:]
    assert breaker["template_id"] == Template.MD_BREAKER
    assert (breaker["instrument_id"], breaker["group_id"], breaker["price_ticks"]) == (3, 5, 870)
    assert (breaker["reference_price_ticks"], breaker["end_ts_ns"], breaker["ts_ns"]) == (1000, 69, 9)
    assert (breaker["breaker_level"], breaker["breaker_action"]) == (BreakerLevel.LEVEL_2, BreakerAction.HALT)
    assert [(s["template_id"], s["instrument_id"], s["state"]) for s in states] == [
        (Template.MD_STATUS, n, InstrumentState.HALTED) for n in (1, 2)
    ]


def test_a_client_keeps_the_newest_of_each_instrument():
    core = FeedCore([Channel.STATUS], recovery=False)
    breakers = empty(Template.MD_BREAKER, 2)
    breakers["instrument_id"] = 3
    breakers["price_ticks"] = 930, 870
    breakers["breaker_level"] = BreakerLevel.LEVEL_1, BreakerLevel.LEVEL_2
    core.on_frame(make_frame(Channel.STATUS, 9, 1, 2, np.asarray(breakers).tobytes()), 0, 1)
    assert (core.breakers[3]["price_ticks"], core.breakers[3]["breaker_level"]) == (870, BreakerLevel.LEVEL_2)
