"""From the receiving thread to the files: a bounded pool of buffers, a writing and a compacting thread.

The receiving thread fills buffers and hands them over; the writing thread makes rows and appends them to the
open files; the compacting thread makes Parquet of closed files and folds books. A full queue makes the
receiving thread wait, which is measured; nothing else ever waits.
"""

import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from tradsys.config import Recorder as RecorderSettings
from tradsys.recorder.compaction import compact
from tradsys.recorder.errors import RecordingError
from tradsys.recorder.intake import Buffer, rows_from_buffer
from tradsys.recorder.segment import OpenSink, open_sink
from tradsys.recorder.store import Closed, Store

_TICK_SECONDS = 0.25
_CLOSED_FILES_MAX = 4096
_COMPACTOR_NICENESS = 10


@dataclass
class Counters:
    """What the pipeline has done; the writing thread writes, anybody may read."""

    batches: int = 0
    bytes_written: int = 0
    unknown_messages: int = 0  # messages of no table
    queue_depth_max: int = 0  # buffers handed over and not yet written
    stalls: int = 0  # times the receiver found no free buffer
    stall_ns: int = 0
    write_ns: int = 0  # rows and files
    write_ns_max: int = 0  # of one buffer
    compacted_files: int = 0
    folded_books: int = 0
    book_misfits: int = 0  # L3 rows that did not fit the book
    rows: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Rows:
    """Rows that are no messages: snapshots, gaps, definitions asked for."""

    table: str
    stream_id: int
    recv_ts_ns: int
    batch: pa.RecordBatch


class Pipeline:
    """Buffers in, files out.

    `buffer`, `hand_over`, `rows` and `close` are for one thread, the receiving one. Buffers in use are at
    most ``settings.queue_batches``.

    Parameters
    ----------
    directory : Path
    settings : RecorderSettings
    now_ns : callable
        The recorder's clock [ns since the epoch], never stepping back.
    after_compaction : callable
        Told of each file compacted, by the compacting thread; returns (books folded, misfits).
    sink : callable
        Opens files; tests give one that fails.
    """

    def __init__(
        self,
        directory: Path,
        settings: RecorderSettings,
        now_ns: Callable[[], int],
        after_compaction: Callable[[Closed], tuple[int, int]],
        sink: OpenSink = open_sink,
    ):
        self.counters = Counters()
        # sequence number up to which rows are on disk from an earlier run, by table and stream_id
        self.written: dict[tuple[str, int], int] = {}
        self._settings = settings
        self._now_ns = now_ns
        self._after_compaction = after_compaction
        self._closed: queue.Queue[Closed | None] = queue.Queue(_CLOSED_FILES_MAX)
        self.store = Store(directory, settings, self._note_closed, sink)
        self._free: queue.Queue[Buffer] = queue.Queue()
        for _ in range(settings.queue_batches):
            self._free.put(Buffer(np.zeros(settings.buffer_bytes, np.uint8), settings.batch_rows))
        # besides buffers there are at most as many other rows waiting
        self._work: queue.Queue[Buffer | _Rows | None] = queue.Queue(2 * settings.queue_batches)
        self._failure: RecordingError | None = None
        self._writer = threading.Thread(target=self._write_all, name="recorder-writer")
        self._compactor = threading.Thread(target=self._compact_all, name="recorder-compactor")
        self._writer.start()
        self._compactor.start()

    def raise_failure(self) -> None:
        """Raise what stopped a thread of the pipeline, if anything did."""
        if self._failure is not None:
            raise self._failure

    @property
    def failed(self) -> bool:
        """Whether a thread of the pipeline has stopped working."""
        return self._failure is not None

    def buffer(self) -> Buffer:
        """Take an empty buffer, waiting for one if need be.

        Raises
        ------
        RecordingError
            Writing has failed.
        """
        self.raise_failure()
        try:
            return self._free.get_nowait()
        except queue.Empty:
            pass
        self.counters.stalls += 1
        began = time.perf_counter_ns()
        try:
            while True:
                try:
                    return self._free.get(timeout=_TICK_SECONDS)
                except queue.Empty:
                    self.raise_failure()
        finally:
            self.counters.stall_ns += time.perf_counter_ns() - began

    def hand_over(self, buffer: Buffer) -> None:
        """Give a filled buffer to the writing thread."""
        self._put(buffer)

    def give_back(self, buffer: Buffer) -> None:
        """Return a buffer that was not filled."""
        self._free.put(buffer)

    def rows(self, table: str, stream_id: int, recv_ts_ns: int, batch: pa.RecordBatch) -> None:
        """Give rows that are no messages to the writing thread; they are written in the order given."""
        self._put(_Rows(table, stream_id, recv_ts_ns, batch))

    def _put(self, work: Buffer | _Rows) -> None:
        while True:
            self.raise_failure()
            try:
                self._work.put(work, timeout=_TICK_SECONDS)
                break
            except queue.Full:
                continue
        self.counters.queue_depth_max = max(self.counters.queue_depth_max, self._work.qsize())

    def drain(self) -> None:
        """Wait until everything handed over is written and every closed file compacted.

        Raises
        ------
        RecordingError
            Writing has failed.
        """
        self._work.join()
        self._closed.join()
        self.raise_failure()

    def close(self) -> None:
        """Write what was handed over, close the files, finish compacting; never raises for a failed write."""
        self._work.put(None)
        self._writer.join()
        self._closed.put(None)
        self._compactor.join()

    # -- writing thread

    def _write_all(self) -> None:
        while True:
            try:
                work = self._work.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                self._guarded(lambda: self.store.tick(self._now_ns()))
                continue
            if work is not None:
                self._guarded(lambda work=work: self._write(work))  # type: ignore[misc]
                if isinstance(work, Buffer):
                    work.clear()
                    self._free.put(work)
            self._work.task_done()
            if work is None:
                break
        self._close_store()

    def _close_store(self) -> None:
        try:
            self.store.close(self._now_ns())
        except RecordingError as error:
            self._failure = self._failure or error

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do a piece of work unless one failed before; the receiver raises the first failure."""
        if self._failure is not None:
            return
        try:
            action()
        except RecordingError as error:
            self._failure = error
        except Exception as error:
            self._failure = RecordingError("INTERNAL", f"{type(error).__name__}: {error}")
            self._failure.__cause__ = error

    def _write(self, work: Buffer | _Rows) -> None:
        began = time.perf_counter_ns()
        if isinstance(work, Buffer):
            self._write_buffer(work)
        else:
            self.store.append(work.table, work.stream_id, work.recv_ts_ns, work.batch)
        took = time.perf_counter_ns() - began
        counters = self.counters
        counters.write_ns += took
        counters.write_ns_max = max(counters.write_ns_max, took)
        counters.batches, counters.bytes_written = self.store.batches, self.store.bytes_written
        counters.rows = dict(self.store.rows_by_table)

    def _write_buffer(self, buffer: Buffer) -> None:
        written = {
            table: seq for (table, stream_id), seq in self.written.items() if stream_id == buffer.stream_id
        }
        packets = buffer.packets
        self.store.tick(int(packets["recv_ts_ns"][0]))
        rows = rows_from_buffer(buffer, written)
        self.counters.unknown_messages += rows.unknown
        for table, batch in rows.batches:
            self.store.append(table, buffer.stream_id, int(packets["recv_ts_ns"][-1]), batch)

    def _note_closed(self, closed: Closed) -> None:
        if not self._settings.compact:
            return
        try:
            self._closed.put_nowait(closed)
        except queue.Full:
            # left as it is: the sweep at the end, or the next start, compacts it
            return

    # -- compacting thread

    def _compact_all(self) -> None:
        # Linux has a niceness for each thread: under load compaction comes after receiving and writing
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _COMPACTOR_NICENESS)
        while (closed := self._closed.get()) is not None:
            self._guarded(lambda closed=closed: self._compact(closed))  # type: ignore[misc]
            self._closed.task_done()

    def _compact(self, closed: Closed) -> None:
        rows, _ = compact(closed.segment)
        self.counters.compacted_files += 1 if rows else 0
        books, misfits = self._after_compaction(closed)
        self.counters.folded_books += books
        self.counters.book_misfits += misfits
