"""Rule 9.8: the public sees no hidden order, of an iceberg the part it shows, and every match as a trade.

Method: random commands through the reference engine, its events through the publisher; after every chunk the feed's
books are compared with what the reference's books show. Small cases by hand.
"""

import numpy as np
import pytest

from tradsys.client.packets import FeedPacket
from tradsys.core import Engine
from tradsys.core.book_view import BookSet
from tradsys.marketdata.publisher import Publisher
from tradsys.sim import adversary, commands
from tradsys.sim.compare import World
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.wire.enums import OrderFlags, Side, Template

BUY, SELL = Side.BUY, Side.SELL


def messages(channel):
    return [message for frame in channel.retained_frames() for message in FeedPacket(frame)]


def shown(engine, instrument_id, side):
    """What the public sees of a side of a reference book: id, price, lots."""
    orders = engine.resting(instrument_id, side)
    return [(o.order_id, o.book_price, o.available) for o in orders if not o.is_hidden]


@pytest.mark.parametrize("seed", range(8))
def test_the_feed_shows_what_the_book_shows(seed):
    world = World("adversarial", seed)
    engine = ReferenceEngine(**adversary.CAPACITIES)
    door, books = Publisher(1, orders_max=64, instruments_max=8), BookSet(64, 8)
    for instrument_id in range(8):
        books.mark_live(instrument_id)
    door.publish_events(engine.submit(world.setup()))
    seen = hidden = icebergs = 0
    for turn in range(600):
        if turn >= 60 and hidden and icebergs:
            break
        door.publish_events(engine.submit(world.chunk(16, engine)))
        new = messages(door.l3)[seen:]
        books.apply(np.array(new), first_seq=seen + 1)
        seen += len(new)
        for instrument_id in engine.instruments:
            for side in (BUY, SELL):
                expected = shown(engine, instrument_id, side)
                assert door.books.view(instrument_id).orders(side).tolist() == expected
                assert books.view(instrument_id).orders(side).tolist() == expected
                for order in engine.resting(instrument_id, side):
                    hidden += order.is_hidden
                    icebergs += order.shown > 0
        door.books.check()
    assert hidden, "the world has no hidden orders"
    assert icebergs, "the world has no icebergs"


def test_a_restored_publisher_shows_no_more():
    """What is read from an engine shows the same as what its events told."""
    world, reference = World("adversarial", 3), ReferenceEngine(**adversary.CAPACITIES)
    engine = Engine(**adversary.CAPACITIES)
    for chunk in (world.setup(), *(world.chunk(64, reference) for _ in range(10))):
        reference.submit(chunk)
        engine.submit(chunk)
    door = Publisher(1, orders_max=64, instruments_max=8)
    door.restore(engine)
    for instrument_id in reference.instruments:
        for side in (BUY, SELL):
            assert door.books.view(instrument_id).orders(side).tolist() == shown(
                reference, instrument_id, side
            )


def test_a_match_with_a_hidden_order_is_a_trade_without_an_order():
    engine, door = Engine(), Publisher(1, orders_max=1 << 20, instruments_max=8)
    records = [
        *(commands.define_participant(n) for n in (1, 2)),
        *(commands.define_session(n, n) for n in (1, 2)),
        commands.define_instrument(1),
        commands.set_state(1),
        commands.new_order(1, 1, SELL, 5, 10, order_flags=OrderFlags.HIDDEN),
        commands.new_order(2, 1, BUY, 2, 10),
        commands.record(
            Template.CANCEL_ORDER, session_id=1, instrument_id=1, orig_client_ref=1, client_ref=2
        ),
    ]
    door.publish_events(engine.submit(np.frombuffer(b"".join(records), dtype=np.uint8)))
    assert messages(door.l3) == []
    trades = [m for m in messages(door.trades) if m["template_id"] == Template.MD_TRADE]
    assert [(int(m["price_ticks"]), int(m["qty_lots"]), int(m["resting_order_id"])) for m in trades] == [
        (10, 2, 0)
    ]
