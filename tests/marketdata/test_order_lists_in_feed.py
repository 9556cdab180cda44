"""Rules 10.23 to 10.26: the public sees an order of a list when it rests or matches, and what lists do to it there.

Method: a few commands through the engine, its events through the publisher.
"""

import numpy as np

from tradsys.client.packets import FeedPacket
from tradsys.core import Engine
from tradsys.marketdata.publisher import Publisher
from tradsys.sim import commands
from tradsys.wire.commands import new_order_list
from tradsys.wire.enums import ListType, OrderType, Side, Template, TriggerSource

BUY, SELL = Side.BUY, Side.SELL


def messages(channel):
    return [message for frame in channel.retained_frames() for message in FeedPacket(frame)]


def bracket():
    """Buy 5 at 100; then sell at 110, or below 90."""
    legs = [
        {"client_ref": 1, "side": BUY, "price_ticks": 100},
        {"client_ref": 2, "side": SELL, "price_ticks": 110},
        {"client_ref": 3, "side": SELL, "trigger_price_ticks": 90, "order_type": OrderType.STOP},
    ]
    made = new_order_list(
        list_type=ListType.OTOCO,
        instrument_id=1,
        qty_lots=5,
        legs=legs,
        trigger_source=TriggerSource.LAST,
        session_id=1,
    )
    return made.tobytes()


def test_orders_of_a_list_are_shown_when_they_rest():
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
    assert decide(bracket()) == [(Template.MD_ORDER_ADD, 100, 5)]
    assert decide(commands.new_order(2, 1, SELL, 5, 100)) == [
        (Template.MD_ORDER_EXECUTE, 100, 5),
        (Template.MD_ORDER_ADD, 110, 5),
    ]
    assert decide(commands.new_order(2, 2, BUY, 2, 110)) == [(Template.MD_ORDER_EXECUTE, 110, 2)]
    assert decide(commands.new_order(2, 3, BUY, 9, 90)) == [(Template.MD_ORDER_ADD, 90, 9)]
    shown = decide(commands.new_order(2, 4, SELL, 1, 90, stp_mode=1))
    assert shown[0] == (Template.MD_ORDER_EXECUTE, 90, 1)
    assert [template for template, *_ in shown[1:]] == [Template.MD_ORDER_DELETE, Template.MD_ORDER_EXECUTE]
    assert shown[2] == (Template.MD_ORDER_EXECUTE, 90, 3)
    door.books.check()
