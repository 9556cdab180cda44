"""What a power failure leaves of the event log: cut it where it was not written yet (journal.md, 4.10)."""

from pathlib import Path

import numpy as np

from tradsys.engine.data_dir import DataDir
from tradsys.engine.event_files import EVENT_BYTES, HEAD_BYTES

SCAN_BYTES = 1 << 22


def synced_event_seq(data_dir: DataDir) -> int:
    """Give the event up to which the log is on disk for sure: that of the newest snapshot (journal.md, 5.2)."""
    newest = 0
    for _, path in data_dir.snapshot_files():
        head = path.read_bytes()[:32] if path.stat().st_size >= 32 else bytes(32)
        newest = max(newest, int.from_bytes(head[24:32], "little"))
    return newest


def find_unwritten(data_dir: DataDir) -> tuple[int, list[tuple[int, Path]]]:
    """Find the first event that was never written though a later byte of the log was.

    Returns
    -------
    event_seq, files
        The event, and the files from its own on (or from the first behind the hole); no files: there is no hole.
    """
    synced = synced_event_seq(data_dir)
    files = data_dir.event_files()
    expected = 1
    for number, (first, path) in enumerate(files):
        if first != expected:
            return (expected, files[number:]) if expected > synced else (expected, [])
        count = max(0, path.stat().st_size - HEAD_BYTES) // EVENT_BYTES
        if first > synced or first + count > synced + 1:  # even without a whole event: its header may be a hole
            hole = _first_hole(path, first, max(first, synced + 1), count)
            if hole is not None:
                return hole, files[number:]
        expected = first + count
    return expected, []


def _first_hole(path: Path, first: int, begin: int, count: int) -> int | None:
    """Give the first event from `begin` on that is all zeros; the file's first where its header is, or is not whole."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if len(head) < HEAD_BYTES or not any(head):
            return first
        file.seek(HEAD_BYTES + (begin - first) * EVENT_BYTES)
        at, left = begin, first + count - begin
        while left:
            block = file.read(min(left * EVENT_BYTES, SCAN_BYTES))
            rows = np.frombuffer(block, np.uint64).reshape(-1, EVENT_BYTES // 8)
            empty = np.flatnonzero(~rows.any(axis=1))
            if len(empty):
                return at + int(empty[0])
            at += len(rows)
            left -= len(rows)
    return None
