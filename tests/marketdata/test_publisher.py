"""What is published about each event, and that L3, L2 and L1 tell of the same book."""

import numpy as np
import pytest
from event_maker import BUY, KEPT, SELL, TS_NS, EventLog, RandomMarket

from tradsys.client.packets import FeedPacket
from tradsys.core.book_view import BookSet
from tradsys.marketdata.publisher import Publisher
from tradsys.wire.enums import InstrumentState, Template

ADD, REDUCE, DELETE, EXECUTE = (
    Template.MD_ORDER_ADD,
    Template.MD_ORDER_REDUCE,
    Template.MD_ORDER_DELETE,
    Template.MD_ORDER_EXECUTE,
)
A, B, C = 1 << 24, 2 << 24 | 1, 3 << 24 | 2


def publisher(**settings) -> Publisher:
    return Publisher(1, orders_max=4096, instruments_max=8, **settings)


def messages(channel) -> list[np.void]:
    return [message for frame in channel.retained_frames() for message in FeedPacket(frame)]


def l3_of(log: EventLog, before: int = 0) -> list[tuple]:
    """L3 messages of a log, those of its first `before` events left out."""
    door = publisher()
    door.publish_events(log.take()[:before])
    seen = door.l3.next_seq
    door.publish_events(log.take()[before:])
    fields = ("template_id", "order_id", "side", "price_ticks", "qty_lots")
    return [tuple(int(m[f]) for f in fields) for m in messages(door.l3)[seen - 1 :]]


def test_an_order_that_rests_is_added():
    """Goal: OrderAccepted with RESTS, OrderRested. Method: one of each."""
    log = EventLog()
    log.accepted(A, BUY, 10, 5)
    log.rested(B, SELL, 11, 9, 4)
    assert l3_of(log) == [(ADD, A, BUY, 10, 5), (ADD, B, SELL, 11, 4)]


def test_an_order_that_never_rests_is_not_published():
    """Goal: IOC, FOK and market orders leave no trace but the matches. Method: accepted and cancelled without
    RESTS.
    """
    log = EventLog()
    log.accepted(A, BUY, 10, 5, rests=False)
    log.canceled(A, BUY, 10, 5, rested=False)
    log.add(Template.ORDER_REJECTED, order_id=0)
    log.add(Template.MASS_CANCELED, order_count=0)
    log.add(Template.CHECKPOINT_TAKEN, state_hash=1)
    log.add(Template.COMMAND_REJECTED)
    assert l3_of(log) == []


def test_a_match_executes_the_resting_order_and_is_a_trade():
    """Goal: OrderExecuted, partly and in full. Method: an incoming order eats one order and half of the next."""
    log = EventLog()
    log.accepted(A, SELL, 10, 5)
    log.accepted(B, SELL, 10, 6)
    log.accepted(C, BUY, 10, 8, rests=False)
    log.executed(A, 10, 5, 0, BUY)
    log.executed(B, 10, 3, 3, BUY)
    assert l3_of(log, 2) == [(EXECUTE, A, SELL, 10, 5), (EXECUTE, B, SELL, 10, 3)]
    door = publisher()
    door.publish_events(log.take())
    first, second, day = messages(door.trades)
    assert [int(first[f]) for f in ("match_id", "price_ticks", "qty_lots", "resting_order_id", "aggressor_side")] == [
        4, 10, 5, A, BUY,
    ]  # fmt: skip
    assert int(second["match_id"]) == 5
    assert day["template_id"] == Template.MD_STATISTICS
    assert [int(day[f]) for f in ("volume_lots", "turnover_ticks_lots", "trade_count")] == [8, 80, 2]


def test_cancel_and_reduce():
    """Goal: OrderCanceled with RESTS is a delete, OrderReduced a reduce. Method: one of each."""
    log = EventLog()
    log.accepted(A, BUY, 10, 5)
    log.reduced(A, BUY, 10, 2, 3)
    log.canceled(A, BUY, 10, 3)
    assert l3_of(log, 1) == [(REDUCE, A, BUY, 10, 2), (DELETE, A, BUY, 10, 3)]


@pytest.mark.parametrize(
    ("after", "flags", "expected"),
    [
        ((10, 3), 1 | KEPT, [(REDUCE, A, BUY, 10, 2)]),
        ((10, 5), 1 | KEPT, []),
        ((10, 7), 1, [(DELETE, A, BUY, 10, 5), (ADD, A, BUY, 10, 7)]),
        ((9, 5), 1, [(DELETE, A, BUY, 10, 5), (ADD, A, BUY, 9, 5)]),
        ((12, 5), 0, [(DELETE, A, BUY, 10, 5)]),
    ],
)
def test_replace(after, flags, expected):
    """Goal: a replace that keeps priority, keeps all, grows, moves, or matches. Method: each flag combination."""
    log = EventLog()
    log.accepted(A, BUY, 10, 5)
    log.replaced(A, BUY, (10, 5), after, flags=flags)
    assert l3_of(log, 1) == expected


def test_a_replace_that_matches_and_then_rests():
    """Goal: delete, execute of the other, add of the rest. Method: the events of such a command."""
    log = EventLog()
    log.accepted(A, BUY, 10, 9)
    log.accepted(B, SELL, 12, 4)
    log.replaced(A, BUY, (10, 9), (12, 9), flags=0)
    log.executed(B, 12, 4, 0, BUY)
    log.rested(A, BUY, 12, 9, 5)
    assert l3_of(log, 2) == [(DELETE, A, BUY, 10, 9), (EXECUTE, B, SELL, 12, 4), (ADD, A, BUY, 12, 5)]


def test_a_replace_that_ends_in_self_trade_prevention():
    """Goal: the replaced order leaves once, though its cancel comes later. Method: cancel without RESTS after
    a replace.
    """
    log = EventLog()
    log.accepted(A, BUY, 10, 9)
    log.accepted(B, SELL, 12, 4)
    log.replaced(A, BUY, (10, 9), (12, 9), flags=0)
    log.canceled(B, SELL, 12, 4)
    log.canceled(A, BUY, 12, 9, rested=False)
    assert l3_of(log, 2) == [(DELETE, A, BUY, 10, 9), (DELETE, B, SELL, 12, 4)]


def test_l2_says_each_touched_level_once_a_turn_and_l1_only_what_changed():
    """Goal: conflation. Method: many changes of one level in one turn; then a turn away from the top."""
    log = EventLog()
    log.accepted(A, BUY, 10, 5)
    log.accepted(B, BUY, 10, 6)
    log.reduced(A, BUY, 10, 2, 3)
    log.accepted(C, BUY, 8, 1)
    door = publisher()
    door.publish_events(log.take())
    levels = [
        tuple(int(m[f]) for f in ("price_ticks", "qty_lots", "order_count", "side"))
        for m in messages(door.l2)
    ]
    assert levels == [(10, 9, 2, BUY), (8, 1, 1, BUY)]
    tops = messages(door.l1)
    assert len(tops) == 1
    assert (
        int(tops[0]["bid_price_ticks"]),
        int(tops[0]["bid_qty_lots"]),
        int(tops[0]["bid_order_count"]),
    ) == (10, 9, 2)
    assert int(tops[0]["ask_price_ticks"]) == 2**63 - 1
    log.canceled(C, BUY, 8, 1)
    door.publish_events(log.take(4))
    assert len(messages(door.l1)) == 1
    last = messages(door.l2)[-1]
    assert (int(last["price_ticks"]), int(last["qty_lots"]), int(last["order_count"])) == (8, 0, 0)


def test_l2_says_a_level_that_went_and_came_back_as_it_is_in_the_end():
    """Goal: conflation when a level moves in memory. Method: in one turn it empties, another price takes its place."""
    log = EventLog()
    log.accepted(A, BUY, 10, 5)
    log.canceled(A, BUY, 10, 5)
    log.accepted(B, BUY, 9_000, 1)
    log.accepted(C, BUY, 10, 6)
    log.accepted(4 << 24 | 3, BUY, 500, 2)
    log.canceled(4 << 24 | 3, BUY, 500, 2)
    door = publisher()
    door.publish_events(log.take())
    said = {}
    for m in messages(door.l2):
        said.setdefault(int(m["price_ticks"]), []).append((int(m["qty_lots"]), int(m["order_count"])))
    assert {price: set(words) for price, words in said.items()} == {
        10: {(6, 1)},
        9_000: {(1, 1)},
        500: {(0, 0)},
    }


def test_l2_of_more_levels_than_wait_for_a_flush():
    """Goal: a turn that touches more levels than are kept. Method: 20,000 levels, then each once more."""
    door = Publisher(1, orders_max=1 << 15, instruments_max=8, turn_events_max=1 << 16)
    levels = 20_000
    log = EventLog()
    for slot in range(levels):
        log.accepted((slot + 1) << 24 | slot, BUY, 10 + slot, 5)
    for slot in range(levels):
        log.reduced((slot + 1) << 24 | slot, BUY, 10 + slot, 2, 3)
    door.publish_events(log.take())
    last = {int(m["price_ticks"]): (int(m["qty_lots"]), int(m["order_count"])) for m in messages(door.l2)}
    assert last == {10 + slot: (3, 1) for slot in range(levels)}


def test_definitions_and_states_are_published_when_they_change():
    """Goal: STATUS. Method: define, open, open again, halt."""
    log = EventLog()
    log.define(3, b"ABC")
    log.state(3, InstrumentState.OPEN, InstrumentState.CLOSED)
    log.state(3, InstrumentState.OPEN, InstrumentState.OPEN)
    log.state(3, InstrumentState.HALTED, InstrumentState.OPEN)
    door = publisher()
    door.publish_events(log.take())
    definition, opened, halted = messages(door.status)
    assert definition["symbol"] == b"ABC"
    assert (int(definition["price_min_ticks"]), int(definition["qty_max_lots"])) == (-1000, 1000)
    assert (opened["state"], opened["state_before"]) == (InstrumentState.OPEN, InstrumentState.CLOSED)
    assert (halted["state"], halted["state_before"]) == (InstrumentState.HALTED, InstrumentState.OPEN)


def test_statistics_follow_the_day_and_its_turnover_stops_at_the_end_of_int64():
    """Goal: open, high, low, last and saturation. Method: trades at three prices, the last one huge; then the
    next day.
    """
    log = EventLog()
    for number, (price, qty) in enumerate([(10, 2), (12, 1), (9, 1), (2**60, 7), (2**60, 7)]):
        order_id = (number + 1) << 24
        log.accepted(order_id, SELL, price, qty)
        log.executed(order_id, price, qty, 0, BUY)
    log.accepted(99 << 24, SELL, 5, 1)
    log.executed(99 << 24, 5, 1, 0, BUY)
    log.records[-1]["ts_ns"] = TS_NS + 86_400 * 10**9
    door = publisher()
    door.publish_events(log.take()[:-2])
    day = messages(door.trades)[-1]
    assert [int(day[f"{name}_price_ticks"]) for name in ("open", "high", "low", "last")] == [
        10,
        2**60,
        9,
        2**60,
    ]
    assert int(day["turnover_ticks_lots"]) == 2**63 - 1
    door.publish_events(log.take()[-2:])
    day = messages(door.trades)[-1]
    assert (int(day["open_price_ticks"]), int(day["trade_count"]), int(day["volume_lots"])) == (5, 1, 1)


@pytest.mark.parametrize("seed", range(4))
def test_books_built_from_l3_and_from_l2_equal_the_market_after_every_turn(seed):
    """Goal: the feed tells the book. Method: a random market; three books compared with it after every turn."""
    market = RandomMarket(seed)
    door = publisher(packet_bytes_max=1024)
    books, levels = BookSet(4096, 8), {}
    for instrument_id in range(8):
        books.mark_live(instrument_id)
    l3_seen = l2_seen = 0
    for _ in range(60):
        door.publish_events(market.run(12))
        new = messages(door.l3)[l3_seen:]
        books.apply(np.array(new), first_seq=l3_seen + 1)
        l3_seen += len(new)
        for m in messages(door.l2)[l2_seen:]:
            l2_seen += 1
            levels[(int(m["instrument_id"]), int(m["side"]), int(m["price_ticks"]))] = (
                int(m["qty_lots"]),
                int(m["order_count"]),
            )
        for instrument_id in (1, 2, 3):
            for side in (BUY, SELL):
                expected = market.side(instrument_id, side)
                assert door.books.view(instrument_id).orders(side).tolist() == expected
                assert books.view(instrument_id).orders(side).tolist() == expected
                sign = -1 if side == BUY else 1
                from_l2 = [(k[2], *v) for k, v in levels.items() if k[:2] == (instrument_id, side) and v[0]]
                assert sorted(from_l2, key=lambda row, s=sign: s * row[0]) == market.levels(
                    instrument_id, side
                )
            assert not books.view(instrument_id).crossed
        books.check()
        door.books.check()


def test_an_event_that_does_not_fit_the_shadow_book_stops_the_publisher():
    """Goal: never a wrong feed. Method: cancel an order that is not there."""
    log = EventLog()
    log.canceled(A, BUY, 10, 5)
    with pytest.raises(RuntimeError, match="does not fit the shadow book"):
        publisher().publish_events(log.take())
