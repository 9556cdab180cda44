"""What fees, kept matches and circuit breakers cost a match: one flow with them on every instrument, and without, in turns.

`fees` has a schedule of rates on each instrument, so each match is followed by FeeCharged; `kept` keeps 65,536 matches;
`breakers` measures each price from a reference it never comes near, and looks for moves within a window. All are
looked for among the events of a command once it is decided, so that also commands without a match pay a little.
Accepted orders, matches and cancels are compared before any time is printed. Time is the thread's processor time.
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
from tradsys.wire.enums import BreakerAction, BreakerLevel, Template
from tradsys.wire.records import EVENT_COMMON

BATCH = 4096
COUNT = 1_000_000
FLOW = "flash_crash"
KINDS = ("without", "fees", "kept", "breakers", "all")
ANSWERS = (Template.ORDER_ACCEPTED, Template.ORDER_EXECUTED, Template.ORDER_CANCELED)


def prepared(load: workload.Workload, kind: str, out: np.ndarray) -> Engine:
    """An engine with the rules, the set-up and the resting orders."""
    engine = Engine(**load.capacities)
    engine.submit(load.setup)
    for instrument_id in range(1, load.capacities["instruments_max"]):
        if kind in ("fees", "all"):
            rates = {"maker_rate_e7": -1500, "taker_rate_e7": 3000}
            engine.submit(commands.set_fee_schedule(instrument_id, fee_exponent=-4, **rates))
        if kind in ("breakers", "all"):
            engine.submit(commands.set_breaker(instrument_id, reference_price_ticks=1 << 40))
            for level in (BreakerLevel.LEVEL_1, BreakerLevel.LEVEL_2):
                far = commands.set_breaker_level(
                    instrument_id, level, BreakerAction.HALT, distance_ppm=(1 << 32) - 1
                )
                engine.submit(far)
            velocity = {"distance_ticks": 1 << 50, "window_ns": 10**9}
            engine.submit(
                commands.set_breaker_level(
                    instrument_id, BreakerLevel.VELOCITY, BreakerAction.HALT, **velocity
                )
            )
    if kind in ("kept", "all"):
        engine.submit(commands.keep_trades(1 << 16))
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


def answers(load: workload.Workload, kind: str, out: np.ndarray) -> tuple[list[int], int]:
    """Orders accepted, matches and cancels, and fees told; the engine's invariants hold."""
    engine = prepared(load, kind, out)
    found, fees = [0] * len(ANSWERS), 0
    for i in range(0, len(load.commands), BATCH):
        templates = engine.submit(load.commands[i : i + BATCH], out=out)["template_id"]
        found = [n + int((templates == template).sum()) for n, template in zip(found, ANSWERS, strict=True)]
        fees += int((templates == Template.FEE_CHARGED).sum())
    engine.check()
    return found, fees


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, argv, rounds=7)
    load = workload.make(FLOW, COUNT // 10 if options.quick else COUNT)
    out = np.empty(16 * BATCH, EVENT_COMMON)
    expected, _ = answers(load, "without", out)
    matches = expected[1]
    for kind in KINDS:
        found, fees = answers(load, kind, out)
        if found != expected or fees != (matches if kind in ("fees", "all") else 0):
            raise SystemExit(
                f"{kind}: {found} accepted, matched and cancelled with {fees} fees, expected {expected}"
            )
    spent: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(options.rounds):
        for kind in KINDS:
            spent[kind].append(timed(load, kind, out))
    rows, data = [], []
    for kind, times in spent.items():
        more = [(a - b) * 1e9 / matches for a, b in zip(times, spent["without"], strict=True)]
        rates = [len(load.commands) / seconds / 1e6 for seconds in times]
        rows.append((kind, spread(rates), "" if kind == "without" else spread(more)))
        data.append({"rules": kind, "rates": rates, "ns_more_a_match": median(more)})
    notes = (
        f"{FLOW}, {len(load.commands)} commands, {matches} matches; median (range) of {options.rounds} rounds; "
        "all that the rules cost, divided by the matches"
    )
    show("core fees", ("rules", "M commands/s", "ns more a match"), rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
