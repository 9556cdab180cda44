"""Checksum of rows: the same for a live file, its Parquet file and any way the rows are cut into batches.

See protocols/recording.md, 2.3.
"""

import crc32c
import pyarrow as pa


class RowChecksum:
    """CRC32C over rows, column by column, that may be given in any number of batches."""

    def __init__(self, schema: pa.Schema):
        self._columns = [0] * len(schema)
        self.rows = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a batch, in order."""
        for index, column in enumerate(batch.columns):
            self._columns[index] = crc32c.crc32c(_bytes(column), self._columns[index])
        self.rows += batch.num_rows

    @property
    def value(self) -> int:
        """The checksum of all rows so far, 32 bits."""
        value = 0
        for index, crc in enumerate(self._columns):
            shift = index % 32
            value ^= ((crc << shift) | (crc >> (32 - shift))) & 0xFFFFFFFF
        return value


def checksum(batch: pa.RecordBatch) -> int:
    """Return the checksum of one batch alone."""
    rows = RowChecksum(batch.schema)
    rows.update(batch)
    return rows.value


def schema_checksum(schema: pa.Schema) -> int:
    """Return a checksum of names, types and metadata."""
    fields = [(field.name, str(field.type), sorted((field.metadata or {}).items())) for field in schema]
    return crc32c.crc32c(repr((fields, sorted((schema.metadata or {}).items()))).encode())


def _bytes(column: pa.Array) -> memoryview | bytes:
    if column.type == pa.string():
        return b"".join(text.encode() + b"\0" for text in column.to_pylist())
    return memoryview(column.to_numpy(zero_copy_only=True)).cast("B") if len(column) else b""
