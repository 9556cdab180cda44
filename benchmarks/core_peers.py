"""Engines from PyPI beside ours: one call a command from Python, the same commands, the same answer.

The flow is a prefix of the workload `single`, 23 k orders resting, in the words all of them have (`peers.plain`): limit
orders and cancels. Before a time is printed the run's matches, lots, ticks x lots and book are compared with ours, as far
as the engine tells them; one that differs is "not comparable", with what it found. nautilus_trader is measured as a book
only, in order updates: its matching engine does not cross users' orders. Time is the thread's processor time, the loop of
Python included.

What is not installed is not measured: `pip install tradsys[peers]`.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from importlib import metadata

from measure import arguments, median, show, spread
from peers import Answer, Flow, plain
from peers.engines import OURS, PEERS, UPDATES_ONLY, Driver

COUNT = 100_000


def rate_of(make: type[Driver], flow: Flow, units: int) -> tuple[float, Answer]:
    """Thousands a second of one run, and what it came to."""
    driver = make(flow)
    driver.fill()
    gc.collect()
    start = time.thread_time()
    driver.run()
    seconds = time.thread_time() - start
    return units / seconds / 1e3, driver.answer()


def difference(found: Answer, expected: Answer) -> str:
    """How an answer is not ours; empty: as far as it goes it is."""
    wrong = []
    for name in (one.name for one in fields(Answer)):
        value, wanted = getattr(found, name), getattr(expected, name)
        if value is not None and value != wanted:
            wrong.append("another book" if name == "book" else f"{value:,} {name} instead of {wanted:,}")
    return ", ".join(wrong)


def told(found: Answer) -> str:
    """What of an answer was compared."""
    names = {
        "matches": "matches",
        "lots": "lots",
        "notional": "prices",
        "orders": "orders",
        "book": "every level",
    }
    return ", ".join(words for name, words in names.items() if getattr(found, name) is not None)


def measured(name: str, make: type[Driver], flow: Flow, rounds: int) -> dict[str, object]:
    """Rates of one engine, or why there are none."""
    units = len(flow.updates if name in UPDATES_ONLY else flow.commands)
    rates, compared = [], ""
    for _ in range(rounds):
        try:
            rate, found = rate_of(make, flow, units)
        except ImportError as error:
            return {"engine": name, "why": f"not installed (pip install {name}): {error}"}
        except Exception as error:  # a peer may break in any way; that is its line, not the end of the table
            return {"engine": name, "why": f"not comparable: {type(error).__name__}: {error}"}
        if wrong := difference(found, flow.answer):
            return {"engine": name, "why": f"not comparable: {wrong}"}
        rates.append(rate)
        compared = told(found)
    return {"engine": name, "rates": rates, "count": units, "compared": compared}


def version_of(name: str) -> str:
    """Name and version of an installed package."""
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, argv, rounds=5)
    flow = plain("single", COUNT // 5 if options.quick else COUNT)
    data = [measured(name, make, flow, options.rounds) for name, make in (OURS | PEERS).items()]
    for mine in data[: len(OURS)]:
        if "why" in mine:
            raise SystemExit(f"{mine['engine']}: {mine['why']}")
    by_call = median(data[1]["rates"])
    rows, missing = [], []
    for one in data:
        name = version_of(one["engine"])
        if "why" in one:
            missing.append(f"{name}: {one['why']}")
            continue
        note = "updates of a book, nothing matched; " if one["engine"] in UPDATES_ONLY else ""
        ratio = f"{median(one['rates']) / by_call:.3g}"
        rows.append((name, spread(one["rates"]), ratio, note + one["compared"]))
    answer = flow.answer
    notes = "\n".join(
        [
            f"k commands/s, median (range) of {options.rounds} rounds; {len(flow.commands):,} commands lead to "
            f"{answer.matches:,} matches of {answer.lots:,} lots",
            *missing,
        ]
    )
    show("core peers", ("engine", "k/s", "to one call of ours", "compared"), rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
