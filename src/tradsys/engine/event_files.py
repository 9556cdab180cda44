"""The event log on disk: fixed records at computed places, so any event is one read away."""

import os
from bisect import bisect_right
from pathlib import Path

import numpy as np

from tradsys.engine.data_dir import DataDir
from tradsys.engine.segment_reader import read_head
from tradsys.errors import CorruptionError, JournalError
from tradsys.wire.records import EVENT_COMMON

HEAD_BYTES = 128
EVENT_BYTES = 128
MAGIC = b"TSEVNT01"
OPEN_FILES_MAX = 16


class EventFiles:
    """Reader of the event files of a data directory.

    Invariant: ``_files`` are in order, and of one venue.

    Parameters
    ----------
    data_dir : DataDir
    venue_id : int
        Files of another venue are refused.
    """

    def __init__(self, data_dir: DataDir, venue_id: int) -> None:
        self._data_dir = data_dir
        self._venue_id = venue_id
        self._files: list[tuple[int, Path]] = []
        self._firsts: list[int] = []
        self._fds: dict[Path, int] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look at the directory again: the writer begins new files."""
        self._files = self._data_dir.event_files()
        self._firsts = [first for first, _ in self._files]

    def close(self) -> None:
        """Close the files opened so far."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def last(self) -> int:
        """Give the seq of the last whole event stored, 0 when there is none.

        A part of an event at the end, or zeros, are not counted: they were being written.

        Raises
        ------
        CorruptionError
            A file is missing or too short, or has the wrong header.
        """
        last = self._files[0][0] - 1 if self._files else 0
        for number, (first, path) in enumerate(self._files):
            if first != last + 1:
                raise CorruptionError(f"{path} must begin with event {last + 1}: a file or the end of one is missing")
            is_last = number == len(self._files) - 1
            last = first - 1 + self._count(first, path, is_last)
        return last

    def first(self) -> int:
        """Give the seq of the first event stored; of an empty log 1."""
        return self._firsts[0] if self._files else 1

    def read(self, first_seq: int, count: int) -> np.ndarray:
        """Read events first_seq, first_seq + 1, ...

        Parameters
        ----------
        first_seq : int
        count : int
            At most as many; fewer at the end of the log.

        Returns
        -------
        ndarray of EVENT_COMMON
            A copy.

        Raises
        ------
        JournalError
            The log begins later.
        CorruptionError
            What is stored there is not that event.
        """
        out = np.empty(max(count, 0), EVENT_COMMON)
        done = self.read_into(first_seq, out)
        return out[:done]

    def read_into(self, first_seq: int, out: np.ndarray) -> int:
        """Read into an array of EVENT_COMMON; how many were read."""
        done = 0
        view = memoryview(out.view(np.uint8)).cast("B") if len(out) else memoryview(b"")
        while done < len(out):
            got = self._read_some(first_seq + done, view[done * EVENT_BYTES :])
            if got == 0:
                break
            done += got
        if done:
            expected = np.arange(first_seq, first_seq + done, dtype=np.uint64)
            wrong = np.flatnonzero(out["seq"][:done] != expected)
            if len(wrong):
                at = first_seq + int(wrong[0])
                raise CorruptionError(f"event {at} of the log says that it is event {out['seq'][wrong[0]]}")
        return done

    def place(self, seq: int) -> tuple[Path, int] | None:
        """Give the file and offset in bytes where event `seq` is or will be; None: before the log, or in no file yet."""
        number = bisect_right(self._firsts, seq) - 1
        if number < 0:
            return None
        first, path = self._files[number]
        return path, HEAD_BYTES + (seq - first) * EVENT_BYTES

    def _read_some(self, seq: int, view: memoryview) -> int:
        """Read as many whole events as one file has from `seq` on."""
        place = self.place(seq)
        if place is None or seq >= self._firsts[-1]:
            self.refresh()
            place = self.place(seq)
        if place is None:
            if self._files:
                raise JournalError(f"event {seq} is not held any more: the event log begins with {self.first()}")
            return 0
        path, offset = place
        number = bisect_right(self._firsts, seq)
        if number < len(self._firsts):
            view = view[: (self._firsts[number] - seq) * EVENT_BYTES]
        return os.preadv(self._open(path), [view], offset) // EVENT_BYTES

    def _open(self, path: Path) -> int:
        """Open a file once; the oldest one is closed when too many are open."""
        fd = self._fds.get(path)
        if fd is None:
            if len(self._fds) >= OPEN_FILES_MAX:
                os.close(self._fds.pop(next(iter(self._fds))))
            fd = self._fds[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            first, _, venue_id = read_head(os.pread(fd, HEAD_BYTES, 0), MAGIC, path)
            if venue_id != self._venue_id or (first, path) not in self._files:
                raise CorruptionError(f"{path} must be of venue {self._venue_id}, was of {venue_id} from event {first} on")
        return fd

    def _count(self, first: int, path: Path, is_last: bool) -> int:
        """Count the whole events of a file; at the end of the last one zeros are not events."""
        size = path.stat().st_size
        count = max(0, size - HEAD_BYTES) // EVENT_BYTES
        if not is_last:
            return count
        fd = self._open(path)
        while count:
            block = min(count, 8192)
            data = os.pread(fd, block * EVENT_BYTES, HEAD_BYTES + (count - block) * EVENT_BYTES)
            rows = np.frombuffer(data, np.uint64).reshape(block, -1).any(axis=1)
            if rows.any():
                return count - block + int(np.flatnonzero(rows)[-1]) + 1
            count -= block
        return 0
