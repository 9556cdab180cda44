"""Cost of a cancel against the number of orders at its price: flat, not a walk.

One level holds 1 to 1,000,000 orders. 20,000 orders of random places in it are cancelled in batches; the order table
is the same size for all, so that what differs is the queue alone. Time is the thread's processor time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
from embed import commands as records_of
from measure import arguments, median, show, spread

from tradsys.core import Engine
from tradsys.wire.enums import Template
from tradsys.wire.records import CANCEL_ORDER, EVENT_COMMON, NEW_ORDER

ORDERS = 1 << 20
BATCH = 4096


def filled(depth: int) -> Engine:
    """An engine with ORDERS orders, `depth` at each price."""
    engine = Engine(orders_max=ORDERS, instruments_max=2, participants_max=2, sessions_max=2, accounts_max=2)
    for record in (
        records_of.define_participant(1),
        records_of.define_session(1, 1),
        records_of.define_instrument(1),
        records_of.set_state(1),
    ):
        engine.submit(record)
    orders = np.tile(np.frombuffer(records_of.new_order(1, 0, 1, 5, 0), np.uint8), ORDERS).view(NEW_ORDER)
    orders["client_ref"] = np.arange(1, ORDERS + 1)
    orders["price_ticks"] = np.arange(ORDERS) % (ORDERS // depth)
    out = np.empty(BATCH, EVENT_COMMON)
    for i in range(0, ORDERS, BATCH):
        engine.submit(orders[i : i + BATCH], out=out)
    return engine


def nanoseconds(depth: int, cancels: int, seed: int) -> float:
    """Time of a cancel."""
    engine = filled(depth)
    first = records_of.record(Template.CANCEL_ORDER, session_id=1, instrument_id=1)
    batch = np.tile(np.frombuffer(first, np.uint8), cancels).view(CANCEL_ORDER)
    batch["orig_client_ref"] = np.random.default_rng(seed).permutation(ORDERS)[:cancels] + 1
    out = np.empty(BATCH, EVENT_COMMON)
    start = time.thread_time_ns()
    for i in range(0, cancels, BATCH):
        engine.submit(batch[i : i + BATCH], out=out)
    spent = time.thread_time_ns() - start
    if engine.live_order_count() != ORDERS - cancels:
        raise SystemExit("a cancel was refused")
    return spent / cancels


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, argv, rounds=3)
    cancels = 20_000
    rows, data = [], []
    for depth in (16, 1024, 65_536, ORDERS):
        times = [nanoseconds(depth, cancels, seed) for seed in range(options.rounds)]
        rows.append((f"{depth:,}", spread(times)))
        data.append({"depth": depth, "nanoseconds": times, "median": median(times)})
    notes = f"ns a cancel, median (range) of {options.rounds} rounds; {ORDERS:,} orders rest in all"
    show("core cancel depth", ("orders at the price", "ns"), rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
