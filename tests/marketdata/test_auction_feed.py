"""The feed of instruments that go through all phases: books of calls, market orders in them, what auctions come to.

Method: random hostile commands on the reference engine, its events through the publisher, its L3 into a reader's books;
small hand-made calls for the messages of the STATUS and TRADES channels.
"""

import numpy as np
import pytest

from tradsys.client.packets import FeedPacket
from tradsys.core.book_view import BookSet
from tradsys.marketdata.publisher import Publisher
from tradsys.sim import adversary, commands
from tradsys.sim.adversary import Adversary, LiveOrder
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.wire.enums import AuctionNews, InstrumentState, OrderType, Side, Template

CAPACITIES = adversary.CAPACITIES
NO_PRICE = -(1 << 63)


def publisher() -> Publisher:
    return Publisher(1, orders_max=CAPACITIES["orders_max"], instruments_max=CAPACITIES["instruments_max"])


def messages(channel) -> list[np.void]:
    return [message for frame in channel.retained_frames() for message in FeedPacket(frame)]


@pytest.mark.parametrize("seed", range(12))
def test_books_are_right_through_every_phase(seed):
    hostile, engine, door = Adversary(seed), ReferenceEngine(**CAPACITIES), publisher()
    reader = BookSet(orders_max=CAPACITIES["orders_max"], instruments_max=CAPACITIES["instruments_max"])
    for instrument_id in range(CAPACITIES["instruments_max"]):
        reader.mark_live(instrument_id)
    seen, levels, crossed = 0, {}, 0
    level_count = 0
    door.publish_events(engine.submit(hostile.setup()))
    for turn in range(1500):
        if turn >= 150 and crossed:
            break
        live = [
            LiveOrder(o.order_id, o.session.session_id, o.client_ref, o.instrument_id)
            for o in engine.orders.values()
        ]
        door.publish_events(engine.submit(hostile.chunk(8, live)))
        new = messages(door.l3)[seen:]
        if new:
            reader.apply(np.array(new), first_seq=seen + 1)
        seen += len(new)
        for m in messages(door.l2)[level_count:]:
            level_count += 1
            place = tuple(int(m[name]) for name in ("instrument_id", "side", "price_ticks"))
            levels[place] = (int(m["qty_lots"]), int(m["order_count"]))
        for instrument_id in engine.instruments:
            crossed += reader.view(instrument_id).crossed
            assert not reader.view(instrument_id).crossed or engine.instruments[instrument_id].auction.called
            for side in (Side.BUY, Side.SELL):
                public = [o for o in engine.resting(instrument_id, side) if not o.is_hidden]
                expected = [(o.order_id, o.book_price, o.available) for o in public]
                assert reader.view(instrument_id).orders(side).tolist() == expected
                from_l2 = {k[2]: v for k, v in levels.items() if k[:2] == (instrument_id, side) and v[0]}
                depth = {price: (0, 0) for _, price, _ in expected}
                for _, price, lots in expected:
                    depth[price] = (depth[price][0] + lots, depth[price][1] + 1)
                assert from_l2 == depth
    reader.check()
    assert crossed, "no call had a crossed book"


def test_the_status_channel_tells_phases_and_auctions():
    records = [
        commands.define_participant(1),
        commands.define_participant(2),
        commands.define_session(1, 1),
        commands.define_session(2, 2),
        commands.define_instrument(1),
        commands.record(
            *(Template.SET_AUCTION_RULES,),
            instrument_id=1,
            reference_price_ticks=100,
            extension_range_bp=100,
            extensions_max=1,
            extension_ns=50,
        ),
        commands.record(
            *(Template.START_CALL,),
            instrument_id=1,
            state=InstrumentState.OPENING_AUCTION,
            state_after=InstrumentState.OPEN,
            end_ts_ns=1000,
        ),
        commands.new_order(1, 1, Side.BUY, 7, 0, order_type=OrderType.MARKET),
        commands.new_order(2, 1, Side.SELL, 5, 103),
        *(commands.record(Template.AUCTION_TIMER, instrument_id=1, ts_ns=ts) for ts in (1, 1000, 1050)),
    ]
    engine, door = ReferenceEngine(**CAPACITIES), publisher()
    for record in records:
        door.publish_events(engine.submit(np.frombuffer(record, dtype=np.uint8)))
    status = messages(door.status)
    assert [Template(int(m["template_id"])) for m in status] == [
        *(Template.MD_INSTRUMENT, Template.MD_STATUS, Template.MD_AUCTION, Template.MD_AUCTION),
        *(Template.MD_AUCTION, Template.MD_STATUS),
    ]
    _, begun, indicative, extended, uncrossed, ended = status
    assert (begun["state_before"], begun["state"]) == (InstrumentState.CLOSED, InstrumentState.OPENING_AUCTION)
    names = ("auction_news", "price_ticks", "qty_lots", "surplus_side", "surplus_lots", "end_ts_ns")
    assert [int(indicative[n]) for n in names] == [AuctionNews.INDICATIVE, 103, 5, Side.BUY, 2, 1000]
    assert [int(extended[n]) for n in names] == [AuctionNews.EXTENDED, 103, 0, 0, 0, 1050]
    assert [int(uncrossed[n]) for n in names] == [AuctionNews.UNCROSSED, 103, 5, Side.BUY, 2, 0]
    assert {int(m["reference_price_ticks"]) for m in (indicative, extended, uncrossed)} == {100}
    assert (ended["state_before"], ended["state"]) == (InstrumentState.OPENING_AUCTION, InstrumentState.OPEN)
    trade = messages(door.trades)[0]
    assert (trade["price_ticks"], trade["qty_lots"], trade["aggressor_side"]) == (103, 5, 0)
    executed = [m for m in messages(door.l3) if m["template_id"] == Template.MD_ORDER_EXECUTE]
    assert [(int(m["side"]), int(m["price_ticks"])) for m in executed] == [(2, 103), (1, (1 << 63) - 1)]
    top = messages(door.l1)
    assert int(top[0]["bid_price_ticks"]) == (1 << 63) - 1
    assert int(top[-1]["bid_price_ticks"]) == NO_PRICE


def test_a_crossed_book_travels_in_a_snapshot():
    """Method: the shadow book of a call, copied order by order into a fresh reader."""
    engine, door = ReferenceEngine(**CAPACITIES), publisher()
    records = [
        *(commands.define_participant(1), commands.define_session(1, 1), commands.define_instrument(1)),
        commands.set_state(1, InstrumentState.PRE_OPEN),
        commands.new_order(1, 1, Side.SELL, 5, 10),
        commands.new_order(1, 2, Side.BUY, 5, 12),
        commands.new_order(1, 3, Side.BUY, 5, 0, order_type=OrderType.MARKET),
        commands.new_order(1, 4, Side.SELL, 5, 0, order_type=OrderType.MARKET),
    ]
    door.publish_events(engine.submit(np.frombuffer(b"".join(records), dtype=np.uint8)))
    reader = BookSet(orders_max=CAPACITIES["orders_max"], instruments_max=CAPACITIES["instruments_max"])
    adds = [m for m in messages(door.l3) if m["template_id"] == Template.MD_ORDER_ADD]
    adds.sort(key=lambda m: (int(m["side"]), -int(m["price_ticks"]) if m["side"] == 1 else int(m["price_ticks"])))
    assert reader.load(1, np.array(adds), 4)
    assert reader.view(1).crossed
    for side in (Side.BUY, Side.SELL):
        assert reader.view(1).orders(side).tolist() == door.books.view(1).orders(side).tolist()
    reader.check()
