"""Price levels stay right and found wherever prices lie: dense, sparse, drifting, at the ends of the range.

Method: orders in and out of one book, compared with a dict of what must rest, `check` walking every structure.
"""

import random

import numpy as np
import pytest
from market import BUY, PRICE_MAX, SELL, market

from tradsys.sim import commands
from tradsys.wire.enums import Template
from tradsys.wire.records import NEW_ORDER

SIDES = pytest.mark.parametrize("side", [BUY, SELL])


def expected_depth(resting: dict[int, tuple[int, int]], side: int) -> list[tuple[int, int, int]]:
    levels: dict[int, list[int]] = {}
    for price, qty in resting.values():
        levels.setdefault(price, []).append(qty)
    return [(p, sum(levels[p]), len(levels[p])) for p in sorted(levels, reverse=side == BUY)]


def enter(engine, ref: int, side: int, price: int, qty: int) -> None:
    assert engine.new_order(1, ref, 1, side, price, qty) == 1


def churn(
    prices, side: int, steps: int, live_max: int, seed: int, check_every: int = 1, orders_max: int = 1 << 14
):
    """Random orders of one side in and out; the engine and what must rest."""
    rnd = random.Random(seed)
    engine = market(orders_max=orders_max)
    resting: dict[int, tuple[int, int]] = {}
    for step in range(steps):
        if len(resting) < live_max and (not resting or rnd.random() < 0.55):
            price, qty = prices(rnd, step), rnd.randint(1, 7)
            enter(engine, step + 1, side, price, qty)
            resting[step + 1] = (price, qty)
        else:
            ref = rnd.choice(list(resting))
            assert engine.cancel_order(1, 0, 1, orig_client_ref=ref) == 1
            del resting[ref]
        if step % check_every == 0:
            engine.check()
    return engine, resting


@SIDES
@pytest.mark.parametrize(
    "prices",
    [
        pytest.param(lambda rnd, step: rnd.randint(-40, 40), id="dense"),
        pytest.param(lambda rnd, step: rnd.randint(-(10**12), 10**12), id="sparse"),
        pytest.param(lambda rnd, step: step // 3 + rnd.randint(-20, 20), id="drifting up"),
        pytest.param(lambda rnd, step: -16 * step, id="a page lower each time"),
        pytest.param(
            lambda rnd, step: rnd.choice([-PRICE_MAX, 1 - PRICE_MAX, -1, 0, 1, PRICE_MAX]), id="ends"
        ),
        pytest.param(lambda rnd, step: 16 * 64 * rnd.randint(-30, 30), id="one place of the cache"),
    ],
)
def test_depth_is_what_rests(prices, side):
    engine, resting = churn(prices, side, steps=1500, live_max=300, seed=7)
    depth = engine.depth(1, side, levels=10_000)
    assert [tuple(row) for row in depth.tolist()] == expected_depth(resting, side)
    best = engine.best_bid(1) if side == BUY else engine.best_ask(1)
    assert best == depth["price_ticks"][0]
    for price, qty, _ in depth.tolist()[:50]:
        assert engine.qty_at(1, side, price) == qty
    assert engine.qty_at(1, side, int(depth["price_ticks"].max()) + 1) == 0


@SIDES
def test_a_hundred_thousand_sparse_levels(side):
    rnd = random.Random(3)
    prices = rnd.sample(range(-(10**12), 10**12), 100_000)
    engine = market(orders_max=100_000)
    batch = np.tile(np.frombuffer(commands.new_order(1, 0, side, 1, 0), np.uint8), 100_000).view(NEW_ORDER)
    batch["client_ref"] = np.arange(1, 100_001)
    batch["price_ticks"] = prices
    events = engine.submit(batch)
    assert len(events) == 100_000
    engine.check()
    ordered = sorted(prices, reverse=side == BUY)
    assert engine.depth(1, side, levels=100_000)["price_ticks"].tolist() == ordered
    full = engine.snapshot_size()
    cancels = engine.submit(commands.record(Template.MASS_CANCEL, session_id=1))
    assert len(cancels) == 100_001
    engine.check()
    assert engine.live_order_count() == 0
    assert engine.snapshot_size() == full  # nothing was taken beyond, and what is free is reused:
    engine.submit(batch)
    engine.check()
    assert engine.snapshot_size() == full


def test_drift_takes_no_memory():
    engine = market()
    sizes = set()
    for step in range(20_000):
        engine.new_order(1, step + 1, 1, BUY, 5 * step, 1)
        if step >= 50:
            assert engine.cancel_order(1, 0, 1, orig_client_ref=step - 49) == 1
        if step >= 1000:
            sizes.add(engine.snapshot_size())
    engine.check()
    assert len(sizes) == 1


def test_both_sides_in_one_page_match_across_pages():
    engine = market()
    for price in range(-40, 0):
        enter(engine, 1000 + price, BUY, price, 2)
    for price in range(40):
        enter(engine, 2000 + price, SELL, price, 3)
    engine.check()
    assert engine.new_order(2, 1, 1, SELL, -20, 7) == 1 + 4  # 2+2+2+1 from the best bids
    assert engine.best_bid(1) == -4
    assert engine.qty_at(1, BUY, -4) == 1
    engine.check()
