"""The uncross of a large call: one command that finds the price, matches and cancels what was for the auction alone.

A million orders have collected, in random order, over 2,000 prices around one (`priced`), at one price (`one level`), or over
400,000 prices (`wide`); a tenth are market orders, a tenth GOOD_FOR_AUCTION. The buffer of events is there and touched. Checked
first: small books against the reference, event by event, and of each large one that the volume is the greatest of any price,
counted with NumPy, and that matches add up to it. Time is that of the call, on the wall.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
from embed import commands as records_of
from measure import arguments, median, show, spread

from tradsys.core import Engine
from tradsys.sim.reference_engine import ReferenceEngine
from tradsys.wire.enums import InstrumentState, OrderType, StpMode, Template, TimeInForce
from tradsys.wire.records import EVENT_COMMON, NEW_ORDER, ORDER_EXECUTED

ORDERS = 1_000_000
BOOKS = {"priced": 2_000, "one level": 1, "wide": 400_000}  # prices in use
BATCH = 4096
SESSIONS = 16


def setup() -> np.ndarray:
    """People, and an instrument in the call of its opening auction."""
    records = [records_of.define_participant(n, stp_mode=StpMode.CANCEL_NEWEST) for n in range(1, 9)]
    records += [records_of.define_session(n, (n - 1) % 8 + 1) for n in range(1, SESSIONS + 1)]
    records += [records_of.define_instrument(1), records_of.set_state(1, InstrumentState.OPENING_AUCTION)]
    return np.frombuffer(b"".join(bytes(record) for record in records), dtype=np.uint8)


def call(count: int, prices: int, seed: int) -> np.ndarray:
    """Orders of a call: buys and sells whose prices overlap by half."""
    rng = np.random.default_rng(seed)
    orders = np.tile(np.frombuffer(records_of.new_order(1, 0, 1, 5, 0), np.uint8), count).view(NEW_ORDER)
    orders["client_ref"] = np.arange(count)
    orders["session_id"] = rng.integers(1, SESSIONS + 1, count)
    orders["side"] = rng.integers(1, 3, count)
    orders["qty_lots"] = rng.integers(1, 200, count)
    orders["price_ticks"] = 100_000 + rng.integers(0, prices, count)
    orders["price_ticks"] += np.where(orders["side"] == 1, prices // 4, -(prices // 4))
    kind = rng.integers(0, 10, count)
    orders["order_type"][kind == 0] = OrderType.MARKET
    orders["price_ticks"][kind == 0] = 0
    orders["time_in_force"][kind == 1] = TimeInForce.GOOD_FOR_AUCTION
    return orders


def engine_for(count: int) -> dict[str, int]:
    """Capacities for a call of so many orders."""
    return {
        "orders_max": count,
        "instruments_max": 2,
        "participants_max": 9,
        "sessions_max": SESSIONS + 1,
        "accounts_max": 2,
    }


def check_small(seeds: int) -> None:
    """Small calls on the compiled engine and on the reference: the same events."""
    end = np.frombuffer(records_of.set_state(1, InstrumentState.OPEN), dtype=np.uint8)
    for seed in range(seeds):
        for prices in (1, 7, 60):
            answers = []
            for make in (Engine, ReferenceEngine):
                engine = make(**engine_for(120))
                engine.submit(setup())
                engine.submit(call(120, prices, seed).view(np.uint8))
                answers.append(engine.submit(end).tobytes())
            if answers[0] != answers[1]:
                raise SystemExit(f"core and reference uncross a call of seed {seed} differently")


def greatest_volume(orders: np.ndarray) -> int:
    """The most any price would trade, by cumulative sums over all prices."""
    market = orders["order_type"] == OrderType.MARKET
    low, high = orders["price_ticks"][~market].min(), orders["price_ticks"][~market].max()
    lots = []
    for side in (1, 2):
        of_side = orders["side"] == side
        limits = orders[of_side & ~market]
        sums = np.bincount(limits["price_ticks"] - low, limits["qty_lots"], high - low + 1)
        sums = np.cumsum(sums[::-1])[::-1] if side == 1 else np.cumsum(sums)
        lots.append(sums + orders["qty_lots"][of_side & market].sum())
    return int(np.minimum(*lots).max())


def milliseconds(count: int, prices: int, seed: int, out: np.ndarray) -> tuple[float, float, int]:
    """Time of the indicative and of the uncross [ms], and its matches."""
    orders = call(count, prices, seed)
    engine = Engine(**engine_for(count))
    engine.submit(setup())
    for i in range(0, count, BATCH):
        engine.submit(orders[i : i + BATCH], out=out)
    timer = np.frombuffer(records_of.record(Template.AUCTION_TIMER, instrument_id=1), dtype=np.uint8)
    end = np.frombuffer(records_of.set_state(1, InstrumentState.OPEN), dtype=np.uint8)
    start = time.perf_counter_ns()
    engine.submit(timer, out=out)
    looked = time.perf_counter_ns()
    events = engine.submit(end, out=out)
    spent = time.perf_counter_ns()
    matches = events[events["template_id"] == Template.ORDER_EXECUTED].view(ORDER_EXECUTED)
    if int(matches["qty_lots"].sum()) != greatest_volume(orders) or len(np.unique(matches["price_ticks"])) != 1:
        raise SystemExit("the uncross did not trade the greatest volume at one price")
    engine.check()
    return (looked - start) / 1e6, (spent - looked) / 1e6, len(matches)


def main(argv: Sequence[str] | None = None) -> int:
    """Check, measure and print."""
    options = arguments(__doc__, argv, rounds=3)
    count = ORDERS // 10 if options.quick else ORDERS
    check_small(3)
    out = np.zeros(count + 64, EVENT_COMMON)
    out["seq"] = 1  # touched
    rows, data = [], []
    for name, prices in BOOKS.items():
        found = [milliseconds(count, prices, seed, out) for seed in range(options.rounds)]
        looks, times, matches = (list(values) for values in zip(*found, strict=True))
        rows.append((name, f"{median(matches):,.0f}", spread(looks), spread(times)))
        data.append({"book": name, "prices": prices, "matches": matches, "indicative_ms": looks, "uncross_ms": times})
    notes = f"ms a command, median (range) of {options.rounds} rounds; {count:,} orders in the call"
    show("auction uncross", ("call", "matches", "indicative", "uncross"), rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
