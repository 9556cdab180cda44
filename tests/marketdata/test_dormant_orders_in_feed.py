"""Rule 10.1: the public sees nothing of a dormant order until it has been triggered and rests or matches.

Method: a few commands through the engine, its events through the publisher.
"""

import numpy as np

from tradsys.client.packets import FeedPacket
from tradsys.core import Engine
from tradsys.marketdata.publisher import Publisher
from tradsys.sim import commands
from tradsys.wire.commands import set_mark_price
from tradsys.wire.enums import OrderType, Side, Template, TriggerSource

BUY, SELL = Side.BUY, Side.SELL


def messages(channel):
    return [message for frame in channel.retained_frames() for message in FeedPacket(frame)]


def stop(ref, side, price, trigger, kind):
    return commands.record(
        Template.NEW_COMPLEX_ORDER,
        session_id=1,
        client_ref=ref,
        side=side,
        qty_lots=5,
        price_ticks=price,
        instrument_id=1,
        order_type=kind,
        time_in_force=2,
        trigger_price_ticks=trigger,
        trigger_source=TriggerSource.MARK,
    )


def target(template, ref, **fields):
    return commands.record(template, session_id=1, instrument_id=1, orig_client_ref=ref, **fields)


def test_nothing_is_shown_before_the_trigger():
    engine, door = Engine(), Publisher(1, orders_max=1 << 20, instruments_max=8)

    def decide(*records):
        before = len(messages(door.l3))
        door.publish_events(engine.submit(np.frombuffer(b"".join(records), dtype=np.uint8)))
        return [
            (Template(int(m["template_id"])), int(m["price_ticks"]), int(m["qty_lots"]))
            for m in messages(door.l3)[before:]
        ]

    decide(
        *(commands.define_participant(n) for n in (1, 2)),
        *(commands.define_session(n, n) for n in (1, 2)),
        commands.define_instrument(1),
        commands.set_state(1),
    )
    assert decide(commands.new_order(2, 1, SELL, 3, 110)) == [(Template.MD_ORDER_ADD, 110, 3)]
    told = decide(
        stop(1, BUY, 105, 100, OrderType.STOP_LIMIT),
        stop(2, BUY, 0, 100, OrderType.STOP),
        stop(3, SELL, 120, 90, OrderType.STOP_LIMIT),
        target(Template.REDUCE_ORDER, 1, qty_lots=1),
        target(Template.REPLACE_ORDER, 1, client_ref=4, qty_lots=2, price_ticks=106),
        target(Template.CANCEL_ORDER, 3),
    )
    assert told == []
    assert decide(set_mark_price(instrument_id=1, mark_price_ticks=100).tobytes()) == [
        (Template.MD_ORDER_ADD, 106, 2),
        (Template.MD_ORDER_EXECUTE, 110, 3),
    ]
    trades = [m for m in messages(door.trades) if m["template_id"] == Template.MD_TRADE]
    assert [(int(m["price_ticks"]), int(m["qty_lots"])) for m in trades] == [(110, 3)]
    door.books.check()
