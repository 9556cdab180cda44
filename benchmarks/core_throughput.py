"""Core throughput beside bare C: commands a second, every field validated, every event written.

Each workload runs through the bare C ladder (plain, and with look-ahead prefetch) and through the engine in the same
process, in turns. The engine gets 80-byte records in batches of 4096 and writes 128-byte events into a buffer it
reuses, as the sequencer does. Matches and lots are compared before any time is printed. `ratio` is the engine's rate
over the better C variant's, as median of the rounds. Time is the thread's processor time, for both.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
from ceiling import LOOK_AHEAD, Ceiling
from measure import arguments, median, show, spread

from tradsys.core import Engine
from tradsys.sim import workload
from tradsys.wire.enums import Template
from tradsys.wire.records import EVENT_COMMON, ORDER_EXECUTED

BATCH = 4096
FLOWS: dict[str, int] = {"single": 2_000_000, "multi100": 2_000_000, "deep": 6_000_000}
NAMINGS = {
    "by order_id": {"ids_of_four": 4},
    "by reference": {},
    "random references": {"scrambled_refs": True},
}


def prepared(load: workload.Workload, out: np.ndarray) -> Engine:
    """An engine with the set-up and the resting orders."""
    engine = Engine(**load.capacities)
    engine.submit(load.setup)
    for i in range(0, len(load.prefill), BATCH):
        engine.submit(load.prefill[i : i + BATCH], out=out)
    return engine


def seconds(load: workload.Workload, out: np.ndarray) -> float:
    """Time the engine takes for the workload's commands."""
    engine = prepared(load, out)
    batches = [load.commands[i : i + BATCH] for i in range(0, len(load.commands), BATCH)]
    start = time.thread_time()
    for batch in batches:
        engine.submit(batch, out=out)
    return time.thread_time() - start


def totals(load: workload.Workload) -> tuple[int, int, int]:
    """Matches, lots matched and live orders of the workload, from the engine's events; none may be a refusal."""
    engine = Engine(**load.capacities)
    engine.submit(load.setup)
    matches = lots = 0
    for part in (load.prefill, load.commands):
        for i in range(0, len(part), BATCH):
            events = engine.submit(part[i : i + BATCH])
            if (events["template_id"] == Template.ORDER_REJECTED).any():
                raise SystemExit("the workload has commands the engine refuses")
            executed = events[events["template_id"] == Template.ORDER_EXECUTED].view(ORDER_EXECUTED)
            matches += len(executed)
            lots += int(executed["qty_lots"].sum())
    engine.check()
    return matches, lots, engine.live_order_count()


def compare(name: str, count: int, rounds: int) -> dict[str, object]:
    """Rates of bare C and of the engine for one flow, in turns."""
    loads = {naming: workload.make(name, count, **how) for naming, how in NAMINGS.items()}
    bare = Ceiling(loads["by order_id"])
    out = np.empty(4 * BATCH, EVENT_COMMON)
    answer = totals(loads["by order_id"])
    for look_ahead in (0, LOOK_AHEAD):
        _, found = bare.run(look_ahead)
        if (found.matches, found.lots, found.live) != answer:
            raise SystemExit(
                f"{name}: bare C finds {found.matches, found.lots, found.live}, the engine {answer}"
            )
    rates: dict[str, list[float]] = {key: [] for key in ("C plain", "C look-ahead", *NAMINGS)}
    for _ in range(rounds):
        rates["C plain"].append(count / bare.run(0)[0] / 1e6)
        rates["C look-ahead"].append(count / bare.run(LOOK_AHEAD)[0] / 1e6)
        for naming, load in loads.items():
            rates[naming].append(count / seconds(load, out) / 1e6)
    best = [max(pair) for pair in zip(rates["C plain"], rates["C look-ahead"], strict=True)]
    ratios = {n: median([a / b for a, b in zip(rates[n], best, strict=True)]) for n in NAMINGS}
    return {
        "flow": name,
        "commands": count,
        "rates": rates,
        "ratios": ratios,
        "matches": answer[0],
        "lots": answer[1],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, argv, rounds=5, flow=sorted(FLOWS))
    rows, data = [], []
    for name, count in FLOWS.items():
        if options.flow and name not in options.flow:
            continue
        result = compare(name, count // 10 if options.quick else count, options.rounds)
        data.append(result)
        rates, ratios = result["rates"], result["ratios"]
        for key, values in rates.items():
            rows.append((f"{name}: {key}", spread(values), f"{ratios[key]:.2f}" if key in ratios else ""))
    notes = f"M commands/s, median (range) of {options.rounds} rounds; batches of {BATCH}, events into a reused buffer"
    show("core throughput", ("flow", "M/s", "ratio to C"), rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
