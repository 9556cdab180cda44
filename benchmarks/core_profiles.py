"""Core throughput over every named workload profile.

The engine gets 80-byte records in batches of 4096, orders named by reference, and writes its events into a buffer it
reuses; `check` walks the whole state before any time is printed. Time is the thread's processor time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from core_throughput import BATCH, seconds, totals
from measure import arguments, show, spread

from tradsys.sim import workload
from tradsys.wire.records import EVENT_COMMON

COUNT = 1_000_000


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, argv, rounds=5, flow=sorted(workload.PROFILES))
    out = np.empty(4 * BATCH, EVENT_COMMON)
    rows, data = [], []
    for name in options.flow or workload.PROFILES:
        count = COUNT // 10 if options.quick else COUNT
        load = workload.make(name, count)
        matches, _, live = totals(load)
        rates = [count / seconds(load, out) / 1e6 for _ in range(options.rounds)]
        rows.append((name, spread(rates), f"{matches:,}", f"{live:,}"))
        data.append({"profile": name, "rates": rates, "matches": matches, "live": live})
    notes = f"M commands/s, median (range) of {options.rounds} rounds of {count:,} commands"
    show("core profiles", ("profile", "M/s", "matches", "live"), rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
