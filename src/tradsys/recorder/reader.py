"""Read a recording: tables as streams of Arrow batches, in bounded memory, over Parquet and live files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tradsys.recorder.catalog import Segment, segments
from tradsys.recorder.errors import RecordingError
from tradsys.recorder.segment import SegmentReader
from tradsys.recorder.tables import SEQ_COLUMN, TABLES

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]
    import polars

_BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class Selection:
    """Which rows are wanted; None: all.

    Attributes
    ----------
    instrument_id, stream_id : int, optional
    first_seq, last_seq : int, optional
        Bounds, both included, of the column that numbers the table's rows.
    start_ns, end_ns : int, optional
        Bounds of `recv_ts_ns`: start included, end not.
    """

    instrument_id: int | None = None
    stream_id: int | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    start_ns: int | None = None
    end_ns: int | None = None

    def bounds(self, table: str) -> list[tuple[str, int | None, int | None]]:
        """Return (column, least, greatest) for each column that is bounded."""
        end_ns = None if self.end_ns is None else self.end_ns - 1
        found = [
            ("instrument_id", self.instrument_id, self.instrument_id),
            ("stream_id", self.stream_id, self.stream_id),
            (SEQ_COLUMN[table], self.first_seq, self.last_seq),
            ("recv_ts_ns", self.start_ns, end_ns),
        ]
        names = TABLES[table].schema.names
        return [item for item in found if item[0] in names and (item[1] is not None or item[2] is not None)]


class RowStream:
    """Rows of one table, read as they are asked for.

    Iterating gives record batches; each iteration reads the files anew. Rows of one group and stream come in
    the order of their sequence numbers; with several groups, one file follows the other. Memory held: one
    batch (Parquet: one row group's columns).

    Parameters
    ----------
    table : str
    files : sequence of Segment
        In the order to be read.
    selection : Selection
    columns : sequence of str, optional
    batch_rows : int
        Most rows of a batch read from Parquet.
    """

    def __init__(
        self,
        table: str,
        files: Sequence[Segment],
        selection: Selection,
        columns: Sequence[str] | None = None,
        batch_rows: int = _BATCH_ROWS,
    ):
        unknown = set(columns or ()) - set(TABLES[table].schema.names)
        if unknown:
            raise RecordingError("NO_COLUMN", f"{table} has no column {', '.join(sorted(unknown))}")
        self.files = tuple(files)
        self.table = table
        self._bounds = selection.bounds(table)
        self._columns = list(columns) if columns is not None else TABLES[table].schema.names
        self._batch_rows = batch_rows

    @property
    def schema(self) -> pa.Schema:
        """Schema of the batches."""
        full = TABLES[self.table].schema
        return pa.schema([full.field(name) for name in self._columns])

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        schema = self.schema
        for segment in self.files:
            for batch in self._batches(segment):
                kept = self._filter(batch)
                if kept.num_rows:
                    yield pa.RecordBatch.from_arrays(
                        [kept.column(name) for name in self._columns], schema=schema
                    )

    def to_reader(self) -> pa.RecordBatchReader:
        """Return the rows as an Arrow reader: what DuckDB, Polars and others consume without loading all."""
        return pa.RecordBatchReader.from_batches(self.schema, iter(self))

    def to_table(self) -> pa.Table:
        """Return the rows as an Arrow table, in memory."""
        return pa.Table.from_batches(iter(self), self.schema)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the rows as a pandas DataFrame, in memory."""
        return self.to_table().to_pandas()

    def to_polars(self) -> "polars.DataFrame":
        """Return the rows as a Polars DataFrame, in memory."""
        import polars

        frame = polars.from_arrow(self.to_table())
        assert isinstance(frame, polars.DataFrame), "a table becomes a frame"
        return frame

    def count(self) -> int:
        """Return the number of rows."""
        narrow = RowStream(self.table, self.files, Selection(), [SEQ_COLUMN[self.table]], self._batch_rows)
        narrow._bounds = self._bounds
        return sum(batch.num_rows for batch in narrow)

    def _batches(self, segment: Segment) -> Iterator[pa.RecordBatch]:
        """Read a file's batches, with at least the columns needed."""
        if not segment.compacted:
            try:
                yield from SegmentReader(segment.path)
                return
            except FileNotFoundError:
                # compacted since it was listed
                pass
        needed = list(dict.fromkeys([*self._columns, *(name for name, _, _ in self._bounds)]))
        with open_parquet(segment.compacted_path) as file:
            groups = [
                index
                for index in range(file.num_row_groups)
                if self._may_hold(file.metadata.row_group(index))
            ]
            yield from file.iter_batches(self._batch_rows, row_groups=groups, columns=needed)

    def _may_hold(self, group: Any) -> bool:
        """Say by a row group's statistics whether rows within the bounds can be in it."""
        for index in range(group.num_columns):
            column = group.column(index)
            for name, least, greatest in self._bounds:
                if (
                    column.path_in_schema != name
                    or not column.is_stats_set
                    or not column.statistics.has_min_max
                ):
                    continue
                low, high = column.statistics.min, column.statistics.max
                if (least is not None and high < least) or (greatest is not None and low > greatest):
                    return False
        return True

    def _filter(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        mask = None
        for name, least, greatest in self._bounds:
            column = batch.column(name)
            for test, bound in ((pc.greater_equal, least), (pc.less_equal, greatest)):
                if bound is not None:
                    passed = test(column, pa.scalar(bound, column.type))
                    mask = passed if mask is None else pc.and_(mask, passed)
        return batch if mask is None else batch.filter(mask)


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a closed file of a recording; raises RecordingError DAMAGED when it is none."""
    try:
        return pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise RecordingError("DAMAGED", f"{path} must be a Parquet file of a recording, is not: {error}") from error


def read(
    directory: str | Path,
    table: str,
    *,
    instrument_id: int | None = None,
    stream_id: int | None = None,
    first_seq: int | None = None,
    last_seq: int | None = None,
    start_ns: int | None = None,
    end_ns: int | None = None,
    day: str | None = None,
    group: str | None = None,
    columns: Sequence[str] | None = None,
    batch_rows: int = _BATCH_ROWS,
) -> RowStream:
    """Open a table of a recording.

    Parameters
    ----------
    directory : path
        The recording, i.e. the parent of the days.
    table : str
        l3, l2, l1, trades, trade_changes, statistics, status, auctions, breakers, instruments, snapshots, snapshot_orders,
        packets or gaps.
    instrument_id, stream_id, first_seq, last_seq, start_ns, end_ns : int, optional
        See `Selection`.
    day, group : str, optional
        Only files of that UTC day (YYYY-MM-DD), of that instrument group.
    columns : sequence of str, optional
        Which columns, in that order; all if not given.
    batch_rows : int
        Most rows of a batch.

    Returns
    -------
    RowStream
        Nothing is read before it is iterated or converted.

    Raises
    ------
    RecordingError
        NO_RECORDING, NO_TABLE, NO_COLUMN.

    Examples
    --------
    >>> trades = read("recording", "trades", instrument_id=1)  # doctest: +SKIP
    >>> trades.to_table().num_rows  # doctest: +SKIP
    """
    if table not in TABLES:
        raise RecordingError("NO_TABLE", f"there is no table {table!r}; there are {', '.join(TABLES)}")
    if not Path(directory).is_dir():
        raise RecordingError("NO_RECORDING", f"{directory} is not a directory")
    files = [
        segment for segment in segments(Path(directory), table, group) if day is None or segment.day == day
    ]
    selection = Selection(instrument_id, stream_id, first_seq, last_seq, start_ns, end_ns)
    return RowStream(table, files, selection, columns, batch_rows)


def streams(directory: str | Path) -> list[int]:
    """List the `stream_id`s (runs of the venue) in a recording, oldest first."""
    found: set[int] = set()
    for segment in segments(Path(directory)):
        if segment.compacted:
            with open_parquet(segment.path) as file:
                schema = file.schema_arrow
        else:
            schema = SegmentReader(segment.path).schema
        if schema is not None and schema.metadata:
            found.add(int(schema.metadata[b"tradsys.stream_id"]))
    return sorted(found)
