"""The recorder without sockets: it is given frames, gaps and snapshots, and keeps them on disk."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tradsys.recorder.catalog import DirectoryLock
from tradsys.recorder.checkpoint import fold_closed, fold_recovered
from tradsys.recorder.compaction import Recovery, recover
from tradsys.recorder.intake import HEAD_BYTES, Buffer, PacketHead, messages_agree, packet_head
from tradsys.recorder.ledger import Ledger
from tradsys.recorder.pipeline import Counters, Pipeline
from tradsys.recorder.resume import Resume, last_recorded
from tradsys.recorder.segment import OpenSink, open_sink
from tradsys.recorder.settings import RecorderSettings
from tradsys.recorder.store import Closed
from tradsys.recorder.tables import FROM_SERVER, LOST, TABLES, rows_of

_DAY_NS = 86_400 * 10**9
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

    Whatever it is given, the files say the truth: a sequence number is recorded once, or lies in a lost
    range of ``gaps``. Frames should come in order and once; one that does not is dropped or its hole noted
    as lost.

    Parameters
    ----------
    directory : path
        The recording; made if missing. Left-over live files of a crash are compacted first.
    settings : RecorderSettings
    clock : callable
        Wall clock [ns since the epoch]; stepping back is evened out.
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
        sink: OpenSink = open_sink,
    ):
        self.directory = Path(directory)
        self.settings = settings or RecorderSettings()
        self.ledger = Ledger()
        self.malformed = 0
        self._clock = clock
        self._last_ns = 0
        self._lock = DirectoryLock(self.directory)
        try:
            self.recovery: Recovery = recover(self.directory)
            self.resume: Resume | None = last_recorded(self.directory)
        except BaseException:
            self._lock.close()
            raise
        self._pipeline = Pipeline(self.directory, self.settings, self._now_ns, self._fold, sink)
        if self.resume is not None:
            stream_id = self.resume.stream_id
            self._pipeline.written = {(table, stream_id): seq for table, seq in self.resume.tables.items()}
        self._buffers: dict[int, Buffer] = {}
        self._expected: dict[tuple[int, int], int] = self._resumed_expectations()
        self._flush_ns = int(self.settings.flush_seconds * 1e9)
        fold_recovered(self.directory, self.recovery, self._pipeline.store, self._now_ns())

    def _resumed_expectations(self) -> dict[tuple[int, int], int]:
        """Return the next sequence number by stream and channel, of the stream recorded last."""
        if self.resume is None:
            return {}
        return {(self.resume.stream_id, channel): seq + 1 for channel, seq in self.resume.channels.items()}

    @property
    def counters(self) -> Counters:
        """What the pipeline has done so far."""
        return self._pipeline.counters

    def expected(self, stream_id: int, channel: int) -> int | None:
        """Return the next sequence number to come, also one known from an earlier run; None: any will do."""
        return self._expected.get((stream_id, channel))

    # -- what came

    def packet(self, frame: bytes | memoryview, line: int = 0, recv_ts_ns: int | None = None) -> int:
        """Record a frame (protocols/market_data.md 1.1).

        Parameters
        ----------
        frame : bytes-like
            Copied before this returns.
        line : int
            0 line A, 1 line B, 2 gap fill.
        recv_ts_ns : int, optional
            When it was taken from the socket [ns since the epoch]; the clock's time if not given.

        Returns
        -------
        int
            Messages taken: all, none, or the part that had not come yet.

        Raises
        ------
        RecordingError
            Writing has failed; nothing more can be recorded.
        """
        head = packet_head(frame)
        if head is None or not messages_agree(head, frame):
            self.malformed += 1
            return 0
        now_ns = self._monotone(self._clock() if recv_ts_ns is None else recv_ts_ns)
        key = (head.stream_id, head.channel)
        expected = self._expected.get(key)
        if expected is None or head.first_seq != expected:
            placed = self._place(head, frame, expected, now_ns)
            if placed is None:
                return 0
            head, frame = placed
        self._expected[key] = head.first_seq + head.message_count
        totals = self.ledger.of(*key)
        if head.message_count:
            totals.first_seq = totals.first_seq or head.first_seq
            totals.last_seq = head.first_seq + head.message_count - 1
            totals.packets += 1
            totals.messages += head.message_count
        elif expected is not None:
            return 0  # a heartbeat that says what is known
        self._add(head, frame, now_ns, line)
        return head.message_count

    def _place(
        self, head: PacketHead, frame: bytes | memoryview, expected: int | None, now_ns: int
    ) -> tuple[PacketHead, bytes | memoryview] | None:
        """Deal with a packet that is not the next one: note the hole before it, or drop what has come already."""
        if expected is None:
            # what follows starts here; the channel's numbers below were never ours
            totals = self.ledger.of(head.stream_id, head.channel)
            totals.first_seq = totals.first_seq or (head.first_seq if head.message_count else 0)
            return head, frame
        if head.first_seq > expected:
            self.gap(head.channel, head.stream_id, expected, head.first_seq - 1, now_ns, now_ns, LOST)
            return head, frame
        known = expected - head.first_seq
        self.ledger.of(head.stream_id, head.channel).duplicates += min(known, head.message_count)
        if known >= head.message_count:
            return None
        return _without_first(head, frame, known)

    def gap(
        self,
        channel: int,
        stream_id: int,
        first_seq: int,
        last_seq: int,
        detected_ns: int,
        resolved_ns: int,
        outcome: int,
    ) -> None:
        """Record a range that neither line brought, healed (its packets are given too) or lost.

        Parameters
        ----------
        channel, stream_id : int
        first_seq, last_seq : int
            The range, both ends included.
        detected_ns, resolved_ns : int
            [ns since the epoch]
        outcome : int
            `HEALED` or `LOST`.
        """
        assert first_seq <= last_seq, f"gap {first_seq}..{last_seq}"
        now_ns = self._monotone(resolved_ns)
        self.ledger.note_gap(stream_id, channel, last_seq - first_seq + 1, outcome)
        if outcome == LOST:
            totals = self.ledger.of(stream_id, channel)
            totals.first_seq = totals.first_seq or first_seq
            totals.last_seq = max(totals.last_seq, last_seq)
            self._expected[stream_id, channel] = max(
                last_seq + 1, self._expected.get((stream_id, channel), 0)
            )
        row = np.array(
            [(channel, stream_id, first_seq, last_seq, detected_ns, resolved_ns, outcome)], _GAP_ROW
        )
        self._pipeline.rows("gaps", stream_id, now_ns, rows_of(TABLES["gaps"], row, {}))

    def snapshot(self, head: np.ndarray, orders: np.ndarray, recv_ts_ns: int | None = None) -> None:
        """Record a book from the snapshot server.

        Parameters
        ----------
        head : np.ndarray
            Shape (1,), dtype of SnapshotBegin.
        orders : np.ndarray
            Shape (order_count,), dtype of MdOrderAdd, in the snapshot's order.
        recv_ts_ns : int, optional
        """
        assert len(orders) == int(head["order_count"][0]), "a snapshot is recorded whole or not at all"
        now_ns = self._monotone(self._clock() if recv_ts_ns is None else recv_ts_ns)
        stream_id = int(head["stream_id"][0])
        extra = {"l3_seq": int(head["l3_seq"][0]), "stream_id": stream_id, "recv_ts_ns": now_ns}
        table = TABLES["snapshot_orders"]
        ranked = {**extra, "rank": np.arange(len(orders))}
        self._pipeline.rows(table.name, stream_id, now_ns, rows_of(table, orders, ranked))
        table = TABLES["snapshots"]
        self._pipeline.rows(
            table.name, stream_id, now_ns, rows_of(table, head, {**extra, "origin": FROM_SERVER})
        )

    def definitions(self, stream_id: int, records: np.ndarray, recv_ts_ns: int | None = None) -> None:
        """Record instrument definitions that were asked for (`channel_seq` 0).

        Parameters
        ----------
        stream_id : int
        records : np.ndarray
            Shape (n,), dtype of MdInstrument.
        recv_ts_ns : int, optional
        """
        now_ns = self._monotone(self._clock() if recv_ts_ns is None else recv_ts_ns)
        extra = {"channel_seq": 0, "stream_id": stream_id, "recv_ts_ns": now_ns}
        self._pipeline.rows("instruments", stream_id, now_ns, rows_of(TABLES["instruments"], records, extra))

    # -- when to write

    def flush_due(self) -> None:
        """Write buffers that have waited long enough; call it now and then, e.g. when no packet came."""
        self._pipeline.raise_failure()
        now_ns = self._now_ns()
        for channel, buffer in list(self._buffers.items()):
            if buffer.packets and now_ns - buffer.opened_ns >= self._flush_ns:
                self._flush_channel(channel)

    def flush(self) -> None:
        """Write what is buffered and wait until it is in the files."""
        for channel in list(self._buffers):
            self._flush_channel(channel)
        self._pipeline.drain()

    def close(self) -> dict[str, Any]:
        """Write everything, close and compact the files, and return the report (see `report`).

        Raises
        ------
        RecordingError
            Writing has failed, now or before. The files are closed all the same.
        """
        try:
            for channel in list(self._buffers):
                self._flush_channel(channel)
        finally:
            self._pipeline.close()
            try:
                if self.settings.compact and not self._pipeline.failed:
                    recover(self.directory)
            finally:
                self._lock.close()
        self._pipeline.raise_failure()
        return self.report()

    def report(self) -> dict[str, Any]:
        """Return the gap report and the counters, ready for JSON."""
        counters = self.counters
        return {
            "directory": str(self.directory),
            "channels": self.ledger.rows(),
            "lost": self.ledger.lost,
            "malformed": self.malformed,
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

    # -- helpers

    def _add(self, head: PacketHead, frame: bytes | memoryview, now_ns: int, line: int) -> None:
        buffer = self._buffers.get(head.channel)
        day = now_ns // _DAY_NS
        if buffer is None or not buffer.takes(head, day):
            if buffer is not None:
                self._pipeline.hand_over(buffer)
                del self._buffers[head.channel]
            buffer = self._buffers[head.channel] = self._pipeline.buffer()
        buffer.add(head, frame, now_ns, day, line)

    def _flush_channel(self, channel: int) -> None:
        buffer = self._buffers.get(channel)
        if buffer is not None and buffer.packets:
            del self._buffers[channel]
            self._pipeline.hand_over(buffer)

    def _now_ns(self) -> int:
        return max(self._last_ns, self._clock())

    def _monotone(self, ts_ns: int) -> int:
        if ts_ns > self._last_ns:
            self._last_ns = ts_ns
        return self._last_ns

    def _fold(self, closed: Closed) -> tuple[int, int]:
        return fold_closed(self.directory, closed, self._pipeline.store)


def _without_first(
    head: PacketHead, frame: bytes | memoryview, count: int
) -> tuple[PacketHead, bytes | memoryview]:
    """Cut the first messages off a packet."""
    view = memoryview(frame)
    offset = HEAD_BYTES
    for _ in range(count):
        offset += 8 + int.from_bytes(view[offset : offset + 2], "little")
    shorter = head._replace(
        message_count=head.message_count - count,
        packet_bytes=head.packet_bytes - (offset - HEAD_BYTES),
        first_seq=head.first_seq + count,
    )
    return shorter, bytes(view[:HEAD_BYTES]) + bytes(view[offset:])
