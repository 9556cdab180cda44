"""One command a call: from Python, from Cython and from C, with a thousand orders resting.

The three ways decide the same commands and end with the same state hash. Python's figure includes its own loop. Time
is the thread's processor time.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from embed import by_python, from_c, from_cython, opened_engine
from measure import arguments, show, spread

from tradsys.core import Engine

COUNT = 1_000_000


def python_alternating(engine: Engine, count: int) -> int:
    """Enter and cancel in the tightest loop Python has; nanoseconds for `count` commands."""
    new_order, cancel_order = engine.new_order, engine.cancel_order
    start = time.thread_time_ns()
    for ref in range(1, count // 2 + 1):
        new_order(1, ref, 1, 1, 10000, 10)
        cancel_order(1, 0, 1, ref)
    return time.thread_time_ns() - start


def commands_of(run: Callable[[Engine, int], object], count: int) -> tuple[Engine, int]:
    """The engine after a run, and how many commands it decided in it."""
    engine = opened_engine()
    before = engine.last_seq
    run(engine, count)
    return engine, engine.last_seq - before


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, argv, rounds=5)
    count = COUNT // 10 if options.quick else COUNT
    rows, data = [], []
    with tempfile.TemporaryDirectory() as folder:
        ways = {"C": from_c(Path(folder)), "Cython": from_cython(Path(folder))}
        expected = commands_of(by_python, 20_000)[0].state_hash()
        for name, run in ways.items():
            if commands_of(run, 20_000)[0].state_hash() != expected:
                raise SystemExit(f"{name} decides otherwise than Python")
        decided = commands_of(ways["C"], count)[1]
        for name, run in (*ways.items(), ("Python", python_alternating)):
            total = count if name == "Python" else decided
            rates = [total * 1e3 / run(opened_engine(), count) for _ in range(options.rounds)]
            rows.append((name, spread(rates)))
            data.append({"from": name, "rates": rates, "commands": total})
    notes = f"M commands/s, median (range) of {options.rounds} rounds; every field validated, events written"
    show("core calls", ("from", "M/s"), rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
