"""Whole tables as one file each, in bounded memory."""

from pathlib import Path

import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from tradsys.recorder.reader import RowStream


def write_parquet(rows: RowStream, path: Path) -> int:
    """Write rows as one Parquet file (zstd, delta encoding, units in the metadata); return their number."""
    integers = [field.name for field in rows.schema if str(field.type) != "string"]
    count = 0
    with pq.ParquetWriter(
        path,
        rows.schema,
        compression="zstd",
        use_dictionary=False,
        column_encoding=dict.fromkeys(integers, "DELTA_BINARY_PACKED"),
    ) as writer:
        for batch in rows:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def write_csv(rows: RowStream, path: Path) -> int:
    """Write rows as CSV with a header; return their number."""
    count = 0
    with pacsv.CSVWriter(path, rows.schema) as writer:
        for batch in rows:
            writer.write_batch(batch)
            count += batch.num_rows
    return count
