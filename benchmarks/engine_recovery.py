"""How long a restart takes: commands recovered a second without a snapshot and with one, and what a snapshot costs.

A venue takes a flow, is closed, and is opened again three ways: from its snapshot, from the journal alone with every
event compared, and from the journal with the event log lost, which is derived and written again. The state hash must
be the live run's each time. The snapshot's pause is measured on a book of many live orders.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measure import arguments, show

from tradsys.engine.sequencer import Sequencer
from tradsys.sim import workload

COUNT = 10_000_000
CHUNK = 500_000
START_NS = 1_700_000_000_000_000_000


def write(folder: Path, count: int) -> tuple[dict[str, int], int]:
    """Run a flow of `count` commands; the capacities and the last state hash."""
    stream = workload.Stream("single")
    with Sequencer.open(folder, "batch", **stream.capacities) as sequencer:
        sequencer.run(stream.setup(), START_NS)
        sequencer.run(stream.prefill(), START_NS)
        done = 0
        while done < count:
            done += sequencer.run(stream.take(min(CHUNK, count - done)), START_NS + done)
        sequencer.wait_stored()
        return stream.capacities, sequencer.engine.state_hash()


def reopen(folder: Path, capacities: dict[str, int], state_hash: int) -> dict[str, float]:
    """Open a venue once more; what its recovery tells."""
    start, start_thread = time.perf_counter(), time.thread_time()
    sequencer = Sequencer.open(folder, "batch", **capacities, snapshot_at_close=False)
    seconds, thread_seconds = time.perf_counter() - start, time.thread_time() - start_thread
    report = sequencer.recovery
    found = sequencer.engine.state_hash()
    sequencer.wait_stored()
    sequencer.close()
    if found != state_hash or not report.clean:
        raise SystemExit(f"recovered to {found:#x} instead of {state_hash:#x}: {report.sentence()}")
    return {
        "seconds": seconds,
        "thread_seconds": thread_seconds,
        "replayed": report.commands_replayed,
        "compared": report.events_compared,
        "regenerated": report.events_regenerated,
    }


def pause(folder: Path, live: int) -> dict[str, float]:
    """Snapshots of a book of `live` orders: the pause of the first of a run, which takes memory, and of the next."""
    stream = workload.Stream("deep", live_target=live)
    with Sequencer.open(folder, "batch", **stream.capacities, snapshot_at_close=False) as sequencer:
        sequencer.run(stream.setup(), START_NS)
        sequencer.run(stream.prefill(), START_NS)
        sequencer.wait_stored()
        first = sequencer.snapshot(wait=True)
        sequencer.run(stream.take(1000), START_NS + 1)
        second = sequencer.snapshot(wait=True)
        orders = sequencer.engine.live_order_count()
        size = max(path.stat().st_size for path in sequencer.venue.snapshots.iterdir())
    return {"orders": orders, "first_ms": first / 1e6, "pause_ms": second / 1e6, "bytes": size}


def main(argv: Sequence[str] | None = None) -> int:
    """Run it."""
    options = arguments(__doc__, argv, rounds=1)
    count = COUNT // 10 if options.quick else COUNT
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(
        prefix="tradsys-bench-", dir=os.environ.get("TRADSYS_BENCH_DIR")
    ) as name:
        home = Path(name)
        capacities, state_hash = write(home / "venue", count)
        results["from the snapshot"] = reopen(home / "venue", capacities, state_hash)
        shutil.rmtree(home / "venue" / "snapshots")
        results["from the journal, events compared"] = reopen(home / "venue", capacities, state_hash)
        shutil.rmtree(home / "venue" / "events")
        results["from the journal, events made again"] = reopen(home / "venue", capacities, state_hash)
        shutil.rmtree(home / "venue")
        snapshot = pause(home / "deep", 100_000 if options.quick else 1_000_000)
    rows = []
    for name, found in results.items():
        times = [f"{found['seconds']:.3f}", f"{found['thread_seconds']:.3f}"]
        rows.append([name, *times, *(f"{found[what]:,}" for what in ("replayed", "compared", "regenerated"))])
    show(
        f"Recovery of {count:,} commands",
        ["start", "seconds", "processor seconds", "commands replayed", "events compared", "events made again"],
        rows,
        f"Snapshot of {snapshot['orders']:,} live orders: pause {snapshot['pause_ms']:.1f} ms (the first one of a run "
        f"{snapshot['first_ms']:.1f} ms), {snapshot['bytes'] / 1e6:.0f} MB.",
        options.json,
        results | {"snapshot": snapshot},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
