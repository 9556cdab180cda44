"""The recorder without sockets: given frames, times and snapshots it keeps them on disk and says what it misses."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tradsys.config import Recorder as RecorderSettings
from tradsys.recorder.catalog import DirectoryLock
from tradsys.recorder.checkpoint import fold_closed, fold_recovered
from tradsys.recorder.collector import Collector
from tradsys.recorder.compaction import Recovery, recover
from tradsys.recorder.intake import Buffer
from tradsys.recorder.ledger import Ledger
from tradsys.recorder.pipeline import Counters, Pipeline
from tradsys.recorder.resume import Resume, last_recorded
from tradsys.recorder.segment import OpenSink, open_sink
from tradsys.recorder.store import Closed
from tradsys.recorder.tables import CHANNEL_TABLES, FROM_SERVER, HEALED, LOST, TABLES, rows_of

_GAP_ROW = np.dtype(
    [
        ("channel", "<u2"),
        ("stream_id", "<u8"),
        ("first_seq", "<u8"),
        ("last_seq", "<u8"),
        ("detected_ts_ns", "<i8"),
        ("resolved_ts_ns", "<i8"),
        ("outcome", "u1"),
    ]
)


class Recorder:
    """Writes one recording directory. For one thread; it has two of its own (see `tradsys.recorder.pipeline`).

    Whatever it is given, the files say the truth: a sequence number is recorded once, or lies in a lost range of
    ``gaps``.

    Parameters
    ----------
    directory : path
        The recording; made if missing. Left-over live files of a crash are compacted first.
    settings : RecorderSettings
    clock : callable
        Wall clock [ns since the epoch]; stepping back is evened out.
    monotonic : callable
        Clock for waiting [ns].
    sink : callable
        Opens files; tests give one that fails.

    Raises
    ------
    RecordingError
        LOCKED: another recorder writes the directory.
    """

    def __init__(
        self,
        directory: str | Path,
        settings: RecorderSettings | None = None,
        *,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = time.monotonic_ns,
        sink: OpenSink = open_sink,
    ):
        self.directory = Path(directory)
        self.settings = settings or RecorderSettings()
        self.ledger = Ledger()
        self.gaps_lost = 0  # ranges of L3 given up so far: after each, books need new snapshots
        self._clock = clock
        self._monotonic = monotonic
        self._stream_id = 0
        self._lock = DirectoryLock(self.directory)
        try:
            self.recovery: Recovery = recover(self.directory)
            self.resume: Resume | None = last_recorded(self.directory)
        except BaseException:
            self._lock.close()
            raise
        self.collector = Collector(
            tuple(CHANNEL_TABLES),
            owner=self,
            gap_wait_ns=self.settings.gap_wait_ms * 10**6,
            request_timeout_ns=self.settings.request_timeout_ms * 10**6,
            fill_tries_max=self.settings.fill_tries_max,
            pending_bytes_max=self.settings.pending_bytes_max,
        )
        self._pipeline = Pipeline(self.directory, self.settings, self._now_ns, self._fold, sink)
        if self.resume is not None:
            stream_id = self.resume.stream_id
            self._pipeline.written = {(table, stream_id): seq for table, seq in self.resume.tables.items()}
        self._flush_ns = int(self.settings.flush_seconds * 1e9)
        fold_recovered(self.directory, self.recovery, self._pipeline.store, self._now_ns())

    @property
    def counters(self) -> Counters:
        """What the pipeline has done so far."""
        return self._pipeline.counters

    @property
    def stream_id(self) -> int:
        """The venue's run that is being recorded; 0 before the first frame."""
        return self._stream_id

    # -- what came

    def packet(self, frame: bytes | memoryview, line: int = 0, recv_ts_ns: int | None = None) -> int:
        """Take a frame (protocols/market_data.md 1.1).

        Parameters
        ----------
        frame : bytes-like
            Copied when kept.
        line : int
            0 line A, 1 line B, 2 gap fill.
        recv_ts_ns : int, optional
            When it was taken from the socket [ns since the epoch]; the clock's time if not given.

        Returns
        -------
        int
            The arbiter's verdict.

        Raises
        ------
        RecordingError
            Writing has failed; nothing more can be recorded.
        """
        wall_ns = self._clock() if recv_ts_ns is None else recv_ts_ns
        return self.collector.take(frame, line, wall_ns, self._monotonic())

    def snapshot(self, head: np.ndarray, orders: np.ndarray) -> None:
        """Record a book from the snapshot server.

        Parameters
        ----------
        head : np.ndarray
            Shape (1,), dtype of SnapshotBegin.
        orders : np.ndarray
            Shape (order_count,), dtype of MdOrderAdd, in the snapshot's order.
        """
        assert len(orders) == int(head["order_count"][0]), "a snapshot is recorded whole or not at all"
        now_ns = self._now_ns()
        stream_id = int(head["stream_id"][0])
        extra: dict[str, Any] = {
            "l3_seq": int(head["l3_seq"][0]),
            "stream_id": stream_id,
            "recv_ts_ns": now_ns,
        }
        table = TABLES["snapshot_orders"]
        ranked = {**extra, "rank": np.arange(len(orders))}
        self._pipeline.rows(table.name, stream_id, now_ns, rows_of(table, orders, ranked))
        table = TABLES["snapshots"]
        self._pipeline.rows(
            table.name, stream_id, now_ns, rows_of(table, head, {**extra, "origin": FROM_SERVER})
        )

    def definitions(self, stream_id: int, records: np.ndarray) -> None:
        """Record instrument definitions that were asked for (`channel_seq` 0).

        Parameters
        ----------
        stream_id : int
        records : np.ndarray
            Shape (n,), dtype of MdInstrument.
        """
        now_ns = self._now_ns()
        extra = {"channel_seq": 0, "stream_id": stream_id, "recv_ts_ns": now_ns}
        self._pipeline.rows("instruments", stream_id, now_ns, rows_of(TABLES["instruments"], records, extra))

    # -- when to do things

    def on_time(self) -> list[bytes]:
        """Do what is due: note holes, write buffers that have waited long enough. Call a few times a second or more.

        Returns
        -------
        list of bytes
            Requests to send to the recovery door.
        """
        self._pipeline.raise_failure()
        self.collector.on_time(self._monotonic())
        now_ns = self._now_ns()
        for channel in CHANNEL_TABLES:
            oldest_ns = self.collector.oldest_ns(channel)
            if oldest_ns is not None and now_ns - oldest_ns >= self._flush_ns:
                self.collector.release(channel)
        return self.take_requests()

    def take_requests(self) -> list[bytes]:
        """Return the requests for the recovery door, once."""
        requests = list(self.collector.requests)
        self.collector.requests.clear()
        return requests

    def refused(self, record: bytes) -> None:
        """Take a RequestRefused of the recovery door."""
        self.collector.on_refused(record, self._monotonic())

    def flush(self) -> None:
        """Write what is buffered and wait until it is in the files."""
        for channel in CHANNEL_TABLES:
            self.collector.release(channel)
        self._pipeline.drain()

    def close(self) -> dict[str, Any]:
        """Write everything, close and compact the files, and return the report (see `report`).

        Raises
        ------
        RecordingError
            Writing has failed, now or before. The files are closed all the same.
        """
        try:
            if not self._pipeline.failed:
                self._close_holes()
                for channel in CHANNEL_TABLES:
                    self.collector.release(channel)
        finally:
            self._pipeline.close()
            try:
                if self.settings.compact and not self._pipeline.failed:
                    recover(self.directory)
            finally:
                self._lock.close()
        self._pipeline.raise_failure()
        return self.report()

    def _close_holes(self) -> None:
        """Give up what is still missing, so that frames kept behind a hole are recorded and the hole is on record."""
        for channel in CHANNEL_TABLES:
            while self.collector.has_hole(channel):
                self.collector.give_up(channel, self._monotonic())

    def report(self) -> dict[str, Any]:
        """Return the gap report and the counters, ready for JSON."""
        self._note_totals()
        counters = self.counters
        return {
            "directory": str(self.directory),
            "channels": self.ledger.rows(),
            "lost": self.ledger.lost,
            "malformed": self.collector.malformed + self.collector.oversized,
            "rows": {table: rows for table, rows in counters.rows.items() if rows},
            "bytes_written": counters.bytes_written,
            "batches": counters.batches,
            "unknown_messages": counters.unknown_messages,
            "queue_depth_max": counters.queue_depth_max,
            "stalls": counters.stalls,
            "stall_ms": counters.stall_ns // 10**6,
            "write_ms_mean": round(counters.write_ns / max(counters.batches, 1) / 1e6, 3),
            "write_ms_max": round(counters.write_ns_max / 1e6, 3),
            "compacted_files": counters.compacted_files,
            "folded_books": counters.folded_books,
            "book_misfits": counters.book_misfits,
            "salvaged_files": self.recovery.salvaged,
        }

    # -- what the collector calls

    def take_buffer(self) -> Buffer:
        """Give an empty buffer, waiting for the disk if need be."""
        return self._pipeline.buffer()

    def hand_over(self, buffer: Buffer) -> None:
        """Take a filled buffer."""
        self._pipeline.hand_over(buffer)

    def give_back(self, buffer: Buffer) -> None:
        """Take an empty buffer back."""
        self._pipeline.give_back(buffer)

    def note_gap(self, channel: int, first_seq: int, last_seq: int, seen_ns: int, healed: bool) -> None:
        """Record a range, both ends included, that neither line brought."""
        outcome = HEALED if healed else LOST
        self.ledger.note_gap(self._stream_id, channel, last_seq - first_seq + 1, outcome)
        if outcome == LOST and channel == TABLES["l3"].channel:
            self.gaps_lost += 1
        now_ns = self._now_ns()
        row = np.array([(channel, self._stream_id, first_seq, last_seq, seen_ns, now_ns, outcome)], _GAP_ROW)
        self._pipeline.rows("gaps", self._stream_id, now_ns, rows_of(TABLES["gaps"], row, {}))

    def stream_began(self, stream_id: int) -> dict[int, int]:
        """Note that the venue was started; return the numbers to go on with where this stream was recorded before."""
        self._note_totals()
        self._stream_id = stream_id
        if self.resume is None or self.resume.stream_id != stream_id:
            return {}
        return {channel: seq + 1 for channel, seq in self.resume.channels.items()}

    # -- helpers

    def _note_totals(self) -> None:
        """Bring the ledger up to date with the collector."""
        figures = self.collector.statistics()
        for channel in CHANNEL_TABLES:
            first_seq, last_seq, packets, messages = self.collector.totals(channel)
            if not self._stream_id or not (first_seq or (self._stream_id, channel) in self.ledger.totals):
                continue
            totals = self.ledger.of(self._stream_id, channel)
            totals.first_seq, totals.last_seq = first_seq, last_seq
            totals.packets, totals.messages = packets, messages
            before = sum(
                other.duplicates
                for (stream, number), other in self.ledger.totals.items()
                if number == channel and stream != self._stream_id
            )
            totals.duplicates = figures[channel]["duplicates"] - before

    def _now_ns(self) -> int:
        return max(self.collector.recv_ts_ns, self._clock())

    def _fold(self, closed: Closed) -> tuple[int, int]:
        return fold_closed(self.directory, closed, self._pipeline.store)
