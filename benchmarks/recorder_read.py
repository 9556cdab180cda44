"""Reading a recording: rows a second from closed files, by our reader, DuckDB, Polars and pandas, and books rebuilt.

A recording of a valid flow is written first. Each way of reading sums the same column; the sums must agree before any time is
printed. `rebuild` folds every row into the books as of the last message.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from measure import arguments, show, spread
from recorder_throughput import ROUND, STREAM, frames_of

from tradsys.config import Recorder as RecorderSettings
from tradsys.recorder import Recorder, read
from tradsys.recorder.checkpoint import rebuild
from tradsys.recorder.republish import make_frame
from tradsys.recorder.sql import connect
from tradsys.wire.enums import Channel, Template
from tradsys.wire.records import empty

MESSAGES = 340  # of a frame


def write(folder: Path, total: int) -> int:
    """Record a flow of about `total` rows; return the rows."""
    recorder = Recorder(folder, RecorderSettings(segment_rows=1_000_000))
    frames, half, seq = frames_of(MESSAGES), MESSAGES // 2, 1
    dtype = empty(Template.MD_ORDER_ADD).dtype
    for instrument in range(1, 5):
        head = empty(Template.SNAPSHOT_BEGIN, 1)
        head["stream_id"], head["instrument_id"] = STREAM, instrument
        recorder.snapshot(head, empty(Template.MD_ORDER_ADD, 0))
    for number in range(total // MESSAGES):
        rows = np.frombuffer(frames[number % ROUND], dtype, offset=56).copy()
        rows["order_id"][:half] = np.arange(number * half, (number + 1) * half) + 1
        rows["order_id"][half:] = np.arange((number - ROUND) * half, (number - ROUND + 1) * half) + 1
        rows = rows[:half] if number < ROUND else rows
        recorder.packet(make_frame(int(Channel.L3), STREAM, seq, len(rows), rows.tobytes()))
        seq += len(rows)
    recorder.close()
    return seq - 1


def ways(folder: Path) -> dict[str, Callable[[], int]]:
    """The ways to sum a column of the recording."""
    import pandas
    import polars

    pattern, files = str(folder / "*" / "*" / "l3-*.parquet"), sorted(folder.glob("*/*/l3-*.parquet"))
    return {
        "read(columns=[qty_lots])": lambda: sum(
            int(batch.column(0).to_numpy().sum()) for batch in read(folder, "l3", columns=["qty_lots"])
        ),
        "read(), all columns": lambda: sum(
            int(batch.column("qty_lots").to_numpy().sum()) for batch in read(folder, "l3")
        ),
        "tradsys query (DuckDB views)": lambda: (
            connect(folder).execute("select sum(qty_lots) from l3").fetchall()[0][0]
        ),
        "Polars scan_parquet": lambda: (
            polars.scan_parquet(pattern).select(polars.col("qty_lots").sum()).collect().item()
        ),
        "pandas read_parquet": lambda: sum(
            int(pandas.read_parquet(file, columns=["qty_lots"])["qty_lots"].sum()) for file in files
        ),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every way and print the table."""
    options = arguments(__doc__, argv, rounds=5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "recording")
        rows = write(folder, 1_000_000 if options.quick else 10_000_000)
        size = sum(file.stat().st_size for file in folder.glob("*/*/l3-*.parquet"))
        expected, table, data = None, [], []
        for way, sum_of in ways(folder).items():
            rates = []
            for _ in range(options.rounds):
                began = time.perf_counter()
                total = int(sum_of())
                rates.append(rows / (time.perf_counter() - began) / 1e6)
                expected = total if expected is None else expected
                if total != expected:
                    raise SystemExit(f"{way} sums to {total}, another way to {expected}")
            table.append([way, spread(rates)])
            data.append({"way": way, "rates": rates})
        began = time.perf_counter()
        rebuilt = rebuild(folder, STREAM, rows)
        seconds = time.perf_counter() - began
        if rebuilt.misfits or len(rebuilt.orders) != ROUND * (MESSAGES // 2):
            raise SystemExit(f"{len(rebuilt.orders)} orders rest, {ROUND * (MESSAGES // 2)} should")
    notes = (
        f"{rows:,} rows, {size / rows:.1f} bytes a row in Parquet; "
        f"books as of the last message, from the newest fold, in {seconds * 1e3:.0f} ms"
    )
    show("recording, read", ["way", "M rows/s"], table, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
