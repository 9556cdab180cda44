"""Sequenced, decided, journaled: commands a second through the sequencer, by durability.

A flow of one instrument (23 k live orders) is committed in batches; the clock stops when every event is released, with
`fsync` when the last batch is on disk. Beside it the bare engine on the same commands in the same process (the ceiling), and
what a disk does that gets the same bytes: write(2), and write(2) with fdatasync(2), 1 MiB at a time. `thread` is the rate by
the processor time of the engine's own thread: what it does with a processor to itself. Before any time is printed the
journal is decided again and its events and state hash are equal to the live run's.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measure import arguments, median, show, spread

from tradsys.core import Engine
from tradsys.engine.audit import replay
from tradsys.engine.sequencer import Sequencer
from tradsys.sim import workload
from tradsys.wire.records import EVENT_COMMON

COUNT = 2_000_000
BATCH = 4096
DURABILITIES = ("none", "batch", "fsync")
START_NS = 1_700_000_000_000_000_000


def live_run(load: workload.Workload, durability: str, folder: Path, check: bool) -> dict[str, float]:
    """Commands a second of one run; with `check` the journal must lead to the same events and hash again."""
    with Sequencer.open(folder, durability, **load.capacities, snapshot_at_close=False) as sequencer:
        sequencer.run(load.setup, START_NS)
        sequencer.run(load.prefill, START_NS)
        sequencer.wait_released()
        sequencer.wait_stored()
        syncs = sequencer.figures["syncs"]
        batches = [load.commands[i : i + BATCH] for i in range(0, len(load.commands), BATCH)]
        start, start_thread = time.perf_counter(), time.thread_time()
        for number, batch in enumerate(batches):
            sequencer.run(batch, START_NS + number)
        thread_seconds = time.thread_time() - start_thread
        sequencer.wait_released()
        seconds = time.perf_counter() - start
        sequencer.wait_stored()
        stored_seconds = time.perf_counter() - start
        syncs = sequencer.figures["syncs"] - syncs
        told = sequencer.last_seq, sequencer.last_event_seq, sequencer.engine.state_hash()
    if check:
        audit = replay(folder)
        if not audit.holds or (audit.last_seq, audit.events_compared, audit.state_hash) != told:
            raise SystemExit(f"{durability}: the journal leads to {audit}, the live run to {told}")
    count = len(load.commands)
    return {
        "rate": count / seconds,
        "thread": count / thread_seconds,
        "stored": count / stored_seconds,
        "syncs": syncs,
    }


def bare_run(load: workload.Workload, out: np.ndarray) -> tuple[float, float]:
    """Commands a second of the engine alone, by the clock and by its thread's processor time."""
    engine = Engine(**load.capacities)
    engine.submit(load.setup)
    engine.submit(load.prefill)
    batches = [load.commands[i : i + BATCH] for i in range(0, len(load.commands), BATCH)]
    start, start_thread = time.perf_counter(), time.thread_time()
    for batch in batches:
        engine.submit(batch, out=out)
    seconds, thread_seconds = time.perf_counter() - start, time.thread_time() - start_thread
    return len(load.commands) / seconds, len(load.commands) / thread_seconds


def disk_run(count: int, sync: bool, folder: Path) -> float:
    """Frames a second the disk takes: 88 bytes each, 1 MiB a write into a preallocated file."""
    block = bytes(1 << 20)
    writes = max(1, count * 88 // len(block))
    fd = os.open(folder / "disk", os.O_RDWR | os.O_CREAT)
    try:
        os.posix_fallocate(fd, 0, writes * len(block))
        start = time.perf_counter()
        for k in range(writes):
            os.pwrite(fd, block, k * len(block))
            if sync:
                os.fdatasync(fd)
        return writes * len(block) / 88 / (time.perf_counter() - start)
    finally:
        os.close(fd)
        os.unlink(folder / "disk")


def main(argv: Sequence[str] | None = None) -> int:
    """Run it."""
    options = arguments(__doc__, argv, rounds=5)
    count = COUNT // 10 if options.quick else COUNT
    load = workload.make("single", count)
    out = np.empty(4 * BATCH, EVENT_COMMON)
    rates: dict[str, list[float]] = {}
    syncs = 0.0

    def add(name: str, rate: float) -> None:
        rates.setdefault(name, []).append(rate)

    with tempfile.TemporaryDirectory(prefix="tradsys-bench-", dir=os.environ.get("TRADSYS_BENCH_DIR")) as name:
        home = Path(name)
        for number in range(options.rounds):
            rate, thread_rate = bare_run(load, out)
            add("engine alone", rate)
            add("engine alone, thread", thread_rate)
            for durability in DURABILITIES:
                folder = home / f"{durability}{number}"
                found = live_run(load, durability, folder, check=number == 0)
                add(durability, found["rate"])
                add(f"{durability}, thread", found["thread"])
                add(f"{durability}, events in their files too", found["stored"])
                syncs = found["syncs"]
                shutil.rmtree(folder)
            add("disk: write", disk_run(count, False, home))
            add("disk: write and fdatasync", disk_run(count, True, home))
    rows = []
    for name, values in rates.items():
        alone = rates["engine alone, thread" if name.endswith("thread") else "engine alone"]
        share = median([rate / other for rate, other in zip(values, alone, strict=True)])
        rows.append([name, spread([rate / 1e6 for rate in values]), f"{share:.2f}"])
    show(
        "Sequencer with journal",
        ["what", "M commands/s", "of the engine alone"],
        rows,
        f"{count:,} commands in batches of {BATCH}; fsync needed {syncs:.0f} syncs in the last round. "
        "Every journal of the first round led to the live run's events and hash again.",
        options.json,
        {name: {"per_second": median(values), "all": values} for name, values in rates.items()},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
