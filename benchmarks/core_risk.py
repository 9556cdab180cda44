"""What pre-trade risk costs an order: one flow with limits on every session, and without, in turns.

The limits are wide, so that no order is refused and the events of both are the same; they are compared before any time is
printed. Four kinds of limit are set: of one order, of the position, of open orders, of the order rate. `participant` has
them on each participant (the kernel is asked once an order), `account and participant` on both. Of the difference a new
order or replace pays the check, every command that changes a position or an open order the bookkeeping. Time is
the thread's processor time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
from measure import arguments, median, show, spread

from tradsys.core import Engine
from tradsys.sim import workload
from tradsys.wire import commands
from tradsys.wire.enums import RiskScope, Template
from tradsys.wire.records import EVENT_COMMON

BATCH = 4096
COUNT = 1_000_000
FLOW = "single"
WIDE = {
    "order_qty_max_lots": 1 << 40,
    "order_value_max": 1 << 59,
    "position_max_lots": 1 << 50,
    "open_max_lots": 1 << 50,
    "rate_count": 1_000_000_000,
    "rate_window_ns": 1_000_000_000,
}
KINDS: dict[str, tuple[RiskScope, ...]] = {
    "without": (),
    "positions only": (),
    "participant": (RiskScope.PARTICIPANT,),
    "account and participant": (RiskScope.HOUSE, RiskScope.PARTICIPANT),
}


def prepared(load: workload.Workload, kind: str, out: np.ndarray) -> Engine:
    """An engine with the limits, the set-up and the resting orders."""
    engine = Engine(**load.capacities)
    engine.submit(load.setup)
    if kind != "without":
        for participant_id in range(1, workload.PARTICIPANTS + 1):
            engine.submit(commands.set_risk_limits(RiskScope.HOUSE, participant_id))
            for scope in KINDS[kind]:
                engine.submit(commands.set_risk_limits(scope, participant_id, **WIDE))
    for i in range(0, len(load.prefill), BATCH):
        engine.submit(load.prefill[i : i + BATCH], out=out)
    return engine


def timed(load: workload.Workload, kind: str, out: np.ndarray) -> float:
    """Seconds the engine takes for the workload's commands."""
    engine = prepared(load, kind, out)
    batches = [load.commands[i : i + BATCH] for i in range(0, len(load.commands), BATCH)]
    start = time.thread_time()
    for batch in batches:
        engine.submit(batch, out=out)
    return time.thread_time() - start


def answers(load: workload.Workload, kind: str, out: np.ndarray) -> tuple[int, int, int]:
    """Orders accepted, matches and refusals; the engine's invariants hold."""
    engine = prepared(load, kind, out)
    found = [0, 0, 0]
    for i in range(0, len(load.commands), BATCH):
        templates = engine.submit(load.commands[i : i + BATCH], out=out)["template_id"]
        for n, template in enumerate(
            (Template.ORDER_ACCEPTED, Template.ORDER_EXECUTED, Template.ORDER_REJECTED)
        ):
            found[n] += int((templates == template).sum())
    engine.check()
    return found[0], found[1], found[2]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, argv, rounds=7)
    load = workload.make(FLOW, COUNT // 10 if options.quick else COUNT)
    out = np.empty(4 * BATCH, EVENT_COMMON)
    expected = answers(load, "without", out)
    for kind in KINDS:
        found = answers(load, kind, out)
        if found != expected or found[2]:
            raise SystemExit(
                f"{kind}: {found} accepted, matched and refused, expected {expected} and no refusal"
            )
    orders = expected[0]
    spent: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(options.rounds):
        for kind in KINDS:
            spent[kind].append(timed(load, kind, out))
    rows, data = [], []
    for kind, times in spent.items():
        more = [(a - b) * 1e9 / orders for a, b in zip(times, spent["without"], strict=True)]
        rates = [len(load.commands) / seconds / 1e6 for seconds in times]
        rows.append((kind, spread(rates), "" if kind == "without" else spread(more)))
        data.append({"limits": kind, "rates": rates, "ns_more_an_order": median(more)})
    notes = (
        f"{FLOW}, {len(load.commands)} commands, {orders} of them orders; median (range) of {options.rounds} rounds; "
        "all that limits and positions cost, divided by the orders"
    )
    show("core risk", ("limits", "M commands/s", "ns more an order"), rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
