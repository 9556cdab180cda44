"""Snapshots: the whole state after one command, so that recovery need not start at the first (protocols/journal.md, 5)."""

import itertools
import os
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tradsys.clock import SystemClock
from tradsys.engine.data_dir import DataDir, write_synced
from tradsys.engine.frames import checksum
from tradsys.errors import CorruptionError, EngineStoppedError, JournalError
from tradsys.wire.records import SCHEMA_ID, SCHEMA_VERSION

if TYPE_CHECKING:
    from tradsys.engine.sequencer import Sequencer
    from tradsys.engine.settings import Settings

HEAD = struct.Struct("<8sIHHQQQqQQI56s")
HEAD_BYTES = 128
MAGIC = b"TSSNAP01"
FORMAT_VERSION = 1
POLL_S = 0.002  # the writing thread looks that often whether journal and events are on disk
assert HEAD.size + 4 == HEAD_BYTES


class Snapshot(NamedTuple):
    """Content of a snapshot file."""

    seq: int  # last command included
    event_seq: int  # last event of it
    ts_ns: int  # time of that command
    state: memoryview  # the engine's
    report_index: memoryview  # where reports are in the event log


class SnapshotWriter:
    """Makes snapshots of one sequencer; a thread writes them.

    Invariant: at most one snapshot is being written; a file with the final name is whole, and journal and event log on
    disk reach at least as far as it does.

    Parameters
    ----------
    data_dir : DataDir
    settings : Settings
    venue_id : int
    """

    def __init__(self, data_dir: DataDir, settings: "Settings", venue_id: int) -> None:
        self.last_seq = 0
        self._data_dir = data_dir
        self._settings = settings
        self._venue_id = venue_id
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._tick = threading.Event()  # never set: its wait is a pause
        self._image = np.empty(0, np.uint8)
        self._synced = {"journal": 0, "events": 0}
        self._taken = 0
        self._pause_ns = 0

    def is_due(self, seq: int) -> bool:
        """Tell whether enough commands have passed since the last snapshot."""
        every = self._settings.snapshot_commands
        return every > 0 and seq - self.last_seq >= every and not self._busy()

    def take(self, sequencer: "Sequencer", wait: bool) -> int:
        """Copy the state and start writing it; the pause in ns, or -1 when the one before is still being written."""
        if self._busy():
            if not wait:
                return -1
            self.finish()
        begin = SystemClock.monotonic_ns()
        size = sequencer.state_size()
        if len(self._image) < size:
            self._tick = threading.Event()  # never set: its wait is a pause
        self._image = np.empty(size + size // 8, np.uint8)
        size = sequencer.save_state(self._image)
        index = sequencer.index.save()
        seq, event_seq, ts_ns = sequencer.last_seq, sequencer.last_event_seq, sequencer.last_ts_ns
        pause_ns = SystemClock.monotonic_ns() - begin
        self.last_seq = seq
        self._taken += 1
        self._pause_ns = max(self._pause_ns, pause_ns)
        snapshot = Snapshot(seq, event_seq, ts_ns, memoryview(self._image)[:size], memoryview(index))
        self._thread = threading.Thread(
            target=self._write, args=(sequencer, snapshot), name="tradsys-snapshot", daemon=True
        )
        self._thread.start()
        if wait:
            self.finish()
            if self._error is not None:
                raise self._error
        return pause_ns

    def finish(self) -> None:
        """Wait for the file that is being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def figures(self) -> dict[str, object]:
        """Snapshots taken in this run, the longest pause, and what went wrong with the last."""
        error = None if self._error is None else str(self._error)
        return {"snapshots": self._taken, "snapshot_pause_max_ns": self._pause_ns, "snapshot_error": error}

    def _busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _write(self, sequencer: "Sequencer", snapshot: Snapshot) -> None:
        """Write one snapshot; an error is kept for `figures`: the venue lives without this snapshot."""
        try:
            while sequencer.stored_event_seq < snapshot.event_seq:
                if sequencer.failure is not None:
                    raise EngineStoppedError(f"snapshot {snapshot.seq}: {sequencer.failure}")
                self._tick.wait(POLL_S)
            self._sync_logs(snapshot)
            path = self._data_dir.snapshot_path(snapshot.seq)
            write_synced(path, encode_head(snapshot, self._venue_id), snapshot.state, snapshot.report_index)
            self._prune()
            self._error = None
        except (OSError, JournalError) as error:
            self._error = error

    def _sync_logs(self, snapshot: Snapshot) -> None:
        """Have journal and event log on disk as far as the snapshot goes."""
        for name, files, last in (
            ("journal", self._data_dir.segments(), snapshot.seq),
            ("events", self._data_dir.event_files(), snapshot.event_seq),
        ):
            for first, path in files:
                if self._synced[name] <= first <= last:
                    sync_file(path)
                    self._synced[name] = first

    def _prune(self) -> None:
        """Remove snapshots beyond those kept, and, if asked to, the segments no kept snapshot needs."""
        snapshots = self._data_dir.snapshot_files()
        for _, path in snapshots[: -self._settings.snapshots_kept]:
            path.unlink()
        if self._settings.prune_journal:
            oldest_seq = snapshots[-self._settings.snapshots_kept :][0][0]
            segments = self._data_dir.segments()
            for (_, path), (next_first, _) in itertools.pairwise(segments):
                if next_first <= oldest_seq + 1:
                    path.unlink()


def sync_file(path: Path) -> None:
    """Have the content of a file on disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(fd)
    finally:
        os.close(fd)


def encode_head(snapshot: Snapshot, venue_id: int) -> bytes:
    """Make the header of a snapshot file."""
    body_crc = checksum(snapshot.report_index, checksum(snapshot.state))
    head = HEAD.pack(
        MAGIC, FORMAT_VERSION, SCHEMA_ID, SCHEMA_VERSION,
        snapshot.seq, snapshot.event_seq, venue_id, snapshot.ts_ns,
        len(snapshot.state), len(snapshot.report_index), body_crc, bytes(56),
    )  # fmt: skip
    return head + struct.pack("<I", checksum(head))


def read_snapshot(path: Path, venue_id: int) -> Snapshot:
    """Read and check a snapshot file.

    Raises
    ------
    CorruptionError
        It is damaged, or of another venue.
    JournalError
        It is of another format or schema version.
    """
    data = memoryview(path.read_bytes())
    if len(data) < HEAD_BYTES:
        raise CorruptionError(f"{path}: must be at least {HEAD_BYTES} bytes, was {len(data)}")
    magic, version, schema, schema_version, seq, event_seq, venue, ts_ns, state, index, crc, _ = HEAD.unpack(data[: HEAD.size])
    (head_crc,) = struct.unpack("<I", data[HEAD.size : HEAD_BYTES])
    if magic != MAGIC or head_crc != checksum(data[: HEAD.size]):
        raise CorruptionError(f"{path}: the header does not hold")
    if (version, schema, schema_version) != (FORMAT_VERSION, SCHEMA_ID, SCHEMA_VERSION):
        raise JournalError(f"{path}: is of format {version}, schema {schema} version {schema_version}")
    if venue != venue_id:
        raise CorruptionError(f"{path}: must be of venue {venue_id}, was of {venue}")
    body = data[HEAD_BYTES:]
    if len(body) != state + index or checksum(body) != crc:
        raise CorruptionError(f"{path}: state and index do not have their checksum")
    return Snapshot(seq, event_seq, ts_ns, body[:state], body[state:])
