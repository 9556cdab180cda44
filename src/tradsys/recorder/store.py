"""The files being written: one a day, group and table; rotated by rows, bytes, time, day and stream."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from tradsys.config import Recorder as RecorderSettings
from tradsys.recorder.catalog import LIVE, Segment, next_n, segment_at, segment_name
from tradsys.recorder.errors import from_os_error
from tradsys.recorder.segment import OpenSink, SegmentWriter, fsync_path, open_sink
from tradsys.recorder.tables import FEED_GROUP, MAIN_GROUP, SEQ_COLUMN, TABLES, file_schema

_DAY_NS = 86_400 * 10**9


def day_of(ts_ns: int) -> str:
    """Return the UTC day of a time [ns since the epoch] as YYYY-MM-DD."""
    return datetime.fromtimestamp(ts_ns // 10**9, UTC).strftime("%Y-%m-%d")


@dataclass(frozen=True)
class Closed:
    """A file that nobody writes any more."""

    segment: Segment
    stream_id: int
    closed_ns: int  # recorder's clock [ns since the epoch]


class Store:
    """Open files by group and table.

    At any time a (group, table) has at most one open file; all its rows are of one UTC day and one stream.

    Parameters
    ----------
    directory : Path
    settings : RecorderSettings
    on_closed : callable
        Told of each file closed, by the thread that closed it.
    sink : callable
        Opens files; tests give one that fails.
    """

    def __init__(
        self,
        directory: Path,
        settings: RecorderSettings,
        on_closed: Callable[[Closed], None],
        sink: OpenSink = open_sink,
    ):
        self._directory = directory
        self._settings = settings
        self._on_closed = on_closed
        self._sink = sink
        self._open: dict[tuple[str, str], tuple[SegmentWriter, str, int]] = {}  # to writer, day, stream_id
        self._naming = threading.Lock()
        self._compression = None if settings.compression == "none" else settings.compression
        self._group_names, self._group_of = _group_index(settings.groups)
        self.rows_by_table = dict.fromkeys(TABLES, 0)
        self.batches = 0
        self.bytes_written = 0

    def append(self, table: str, stream_id: int, now_ns: int, batch: pa.RecordBatch) -> None:
        """Write rows of one table, of one UTC day (that of `now_ns`) and one stream.

        Raises
        ------
        RecordingError
            DISK_FULL or WRITE_FAILED.
        """
        if not batch.num_rows:
            return
        if not TABLES[table].grouped:
            self._append(FEED_GROUP, table, stream_id, now_ns, batch)
        elif len(self._group_names) == 1:
            self._append(MAIN_GROUP, table, stream_id, now_ns, batch)
        else:
            ids = np.minimum(batch.column("instrument_id").to_numpy(), len(self._group_of) - 1)
            groups = self._group_of[ids]
            for index in np.unique(groups):
                rows = batch.filter(pa.array(groups == index))
                self._append(self._group_names[index], table, stream_id, now_ns, rows)

    def _append(self, group: str, table: str, stream_id: int, now_ns: int, batch: pa.RecordBatch) -> None:
        day = day_of(now_ns)
        held = self._open.get((group, table))
        if held is not None and (held[1], held[2]) != (day, stream_id):
            self._close(group, table, now_ns)
            held = None
        if held is None:
            first_seq = batch.column(SEQ_COLUMN[table])[0].as_py()
            writer = self.create(day, group, table, stream_id, first_seq, now_ns)
            self._open[group, table] = (writer, day, stream_id)
        else:
            writer = held[0]
        before = writer.good_bytes
        writer.write(batch)
        if self._settings.fsync:
            writer.sync()
        self.rows_by_table[table] += batch.num_rows
        self.batches += 1
        self.bytes_written += writer.good_bytes - before
        if writer.rows >= self._settings.segment_rows or writer.good_bytes >= self._settings.segment_bytes:
            self._close(group, table, now_ns)

    def create(
        self, day: str, group: str, table: str, stream_id: int, first_seq: int, now_ns: int
    ) -> SegmentWriter:
        """Create a file with the next free name. Any thread may call."""
        folder = self._directory / day / group
        with self._naming:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / (segment_name(table, first_seq, next_n(folder, table)) + LIVE)
                schema = file_schema(TABLES[table], stream_id, group, day)
                writer = SegmentWriter(path, schema, self._compression, now_ns, self._sink)
                fsync_path(folder)
            except OSError as error:
                raise from_os_error(error, f"creating a file in {folder.name}") from error
        return writer

    def tick(self, now_ns: int) -> None:
        """Close the files whose time or day is over."""
        limit_ns = self._settings.segment_seconds * 10**9
        today = day_of(now_ns)
        for (group, table), (writer, day, _) in list(self._open.items()):
            if day < today or now_ns - writer.opened_ns >= limit_ns:
                self._close(group, table, now_ns)

    def close(self, now_ns: int) -> None:
        """Close every file; also after a failed write, to leave only complete batches."""
        for group, table in list(self._open):
            self._close(group, table, now_ns)

    def _close(self, group: str, table: str, now_ns: int) -> None:
        writer, _, stream_id = self._open.pop((group, table))
        writer.close()
        segment = segment_at(writer.path)
        assert segment is not None, "a file of ours has a name of ours"
        self._on_closed(Closed(segment, stream_id, now_ns))


def _group_index(groups: Mapping[str, Sequence[int]]) -> tuple[list[str], np.ndarray]:
    """Return group names, and the index of each instrument id's group; the last entry is for all beyond."""
    names = [MAIN_GROUP, *groups]
    ids = [instrument_id for members in groups.values() for instrument_id in members]
    index = np.zeros(max(ids, default=0) + 2, np.int64)
    for position, members in enumerate(groups.values(), start=1):
        index[list(members)] = position
    return names, index
