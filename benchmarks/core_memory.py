"""Memory of a resting order, all told: resident bytes of the process a deep book adds, over its orders."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measure import arguments, show

from tradsys.core import Engine
from tradsys.sim import workload
from tradsys.wire.records import EVENT_COMMON

BATCH = 4096


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, argv, rounds=1)
    rows, data = [], []
    for orders in (440_000,) if options.quick else (440_000, 1_000_000):
        load = workload.make("deep", 1, live_target=orders)
        out = np.zeros(2 * BATCH, EVENT_COMMON)
        engine = Engine(**(load.capacities | {"orders_max": orders}))
        engine.submit(load.setup)
        before = resident_bytes()
        for i in range(0, orders, BATCH):
            engine.submit(load.prefill[i : i + BATCH], out=out)
        used, live = resident_bytes() - before, engine.live_order_count()
        engine.check()
        rows.append((f"{live:,}", f"{used / live:.1f}"))
        data.append({"orders": live, "bytes": used, "bytes_an_order": used / live})
    notes = "orders, references, price levels and their tree; the order table is full"
    show("core memory", ("resting orders", "bytes an order"), rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
