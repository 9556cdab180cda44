"""Goal: the fold holds exactly the orders that rest, whatever ids they have, and counts what does not fit.
Method: random lives of orders into the fold and into a dict; the table is checked after every batch."""

import numpy as np
import pytest
from feed_maker import Feed
from hypothesis import given, settings
from hypothesis import strategies as st

from tradsys.recorder.orders_held import OrdersHeld
from tradsys.wire.enums import Template
from tradsys.wire.records import empty

COLUMNS = ("template_id", "order_id", "price_ticks", "qty_lots", "ts_ns", "instrument_id", "side")


def apply(held, records):
    held.apply(*(np.ascontiguousarray(records[name]) for name in COLUMNS))


@pytest.mark.parametrize("seed", range(5))
def test_the_fold_holds_what_rests(seed):
    feed, held = Feed(seed=seed, instruments=(1, 2, 3)), OrdersHeld()
    for _ in range(12):
        apply(held, feed.l3(250))
        held.check()
        orders = held.orders()
        assert orders["order_id"].tolist() == list(feed.orders)
        assert orders["qty_lots"].tolist() == [order[3] for order in feed.orders.values()]
    assert held.misfits == 0


@settings(max_examples=60, deadline=None)
@given(
    ids=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=60),
    picks=st.lists(st.integers(0, 2**16), max_size=200),
)
def test_any_64_bit_id_is_found_and_forgotten(ids, picks):
    held, model = OrdersHeld(), {}
    for pick in picks:
        order_id = ids[pick % len(ids)]
        record = empty(Template.MD_ORDER_ADD, 1)
        record["order_id"], record["qty_lots"], record["price_ticks"] = order_id, 5, 7
        if order_id in model:
            record["template_id"] = Template.MD_ORDER_DELETE
            del model[order_id]
        else:
            model[order_id] = 5
        apply(held, record)
        held.check()
        assert held.orders()["order_id"].tolist() == list(model)
    assert held.misfits == 0


def test_it_grows_with_the_orders_held_not_with_the_rows():
    held, records = OrdersHeld(), empty(Template.MD_ORDER_ADD, 5000)
    records["qty_lots"] = 1
    for turn in range(20):
        records["order_id"] = np.arange(5000) + turn * 5000
        records["template_id"] = Template.MD_ORDER_ADD
        apply(held, records)
        if turn != 10:
            records["template_id"] = Template.MD_ORDER_EXECUTE
            apply(held, records)
    held.check()
    assert held.orders()["order_id"].tolist() == list(range(50_000, 55_000))


@pytest.mark.parametrize(
    ("template", "order_id", "price", "quantity"),
    [
        (Template.MD_ORDER_ADD, 1, 10, 5),
        (Template.MD_ORDER_ADD, 2, 10, 0),
        (Template.MD_ORDER_DELETE, 1, 10, 4),
        (Template.MD_ORDER_EXECUTE, 1, 10, 6),
        (Template.MD_ORDER_REDUCE, 1, 11, 1),
        (Template.MD_ORDER_REDUCE, 1, 10, -1),
        (Template.MD_ORDER_EXECUTE, 2, 10, 1),
        (Template.MD_TRADE, 1, 10, 1),
    ],
)
def test_a_row_that_does_not_fit_is_counted_and_changes_nothing(template, order_id, price, quantity):
    held, record = OrdersHeld(), empty(Template.MD_ORDER_ADD, 1)
    record["order_id"], record["price_ticks"], record["qty_lots"] = 1, 10, 5
    apply(held, record)
    before = held.orders()
    record["template_id"], record["order_id"] = template, order_id
    record["price_ticks"], record["qty_lots"] = price, quantity
    apply(held, record)
    assert held.misfits == 1
    assert held.orders().tobytes() == before.tobytes()
    held.check()


def test_columns_of_different_lengths_are_refused():
    columns = [np.ascontiguousarray(empty(Template.MD_ORDER_ADD, 3)[name]) for name in COLUMNS]
    columns[3] = columns[3][:2]
    with pytest.raises(ValueError, match="3 rows"):
        OrdersHeld().apply(*columns)
