"""Which files a recording has: names, order, and the lock that keeps it to one writer."""

import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tradsys.recorder.errors import RecordingError

_NAME = re.compile(r"^(?P<table>[a-z0-9_]+)-(?P<first_seq>\d{20})-(?P<n>\d{6,})\.(?P<kind>arrows|parquet)$")
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_LOCK = ".lock"
LIVE, COMPACTED, TEMPORARY = ".arrows", ".parquet", ".parquet.tmp"


@dataclass(frozen=True, order=True)
class Segment:
    """One file of a recording. Orders by day, then by `n`: by time within a group and table."""

    day: str
    n: int
    group: str
    table: str
    first_seq: int
    path: Path

    @property
    def compacted(self) -> bool:
        """Whether it is Parquet rather than a live file."""
        return self.path.suffix == COMPACTED

    @property
    def live_path(self) -> Path:
        """Where it is, or was, as a live file."""
        return self.path.with_suffix(LIVE)

    @property
    def compacted_path(self) -> Path:
        """Where it is, or will be, as Parquet."""
        return self.path.with_suffix(COMPACTED)


def segment_name(table: str, first_seq: int, n: int) -> str:
    """Return the stem of a file name (protocols/recording.md 1.1)."""
    return f"{table}-{first_seq:020d}-{n:06d}"


def segment_at(path: Path) -> Segment | None:
    """Read a path's name; None for what is no file of a recording."""
    match = _NAME.match(path.name)
    if match is None:
        return None
    return Segment(
        day=path.parent.parent.name,
        n=int(match["n"]),
        group=path.parent.name,
        table=match["table"],
        first_seq=int(match["first_seq"]),
        path=path,
    )


def _files(directory: Path) -> Iterator[Path]:
    for day in sorted(directory.iterdir()) if directory.is_dir() else ():
        if _DAY.match(day.name) and day.is_dir():
            for group in sorted(day.iterdir()):
                if group.is_dir():
                    yield from group.iterdir()


def segments(directory: Path, table: str | None = None, group: str | None = None) -> list[Segment]:
    """List the files to read, oldest first; a live file that has its Parquet file already is left out.

    Parameters
    ----------
    directory : Path
        The recording, i.e. the parent of the days; one that is missing has no files.
    table, group : str, optional
        Only files of these.
    """
    found: dict[Path, Segment] = {}
    for path in _files(Path(directory)):
        segment = segment_at(path)
        if segment is None or (table and segment.table != table) or (group and segment.group != group):
            continue
        stem = path.with_suffix("")
        if stem not in found or segment.compacted:
            found[stem] = segment
    return sorted(found.values())


def require_recording(directory: str | Path) -> None:
    """Raise RecordingError NO_RECORDING unless a folder has a recording's files, or a recorder has been there."""
    if not Path(directory).is_dir():
        raise RecordingError("NO_RECORDING", f"{directory} is not a directory")
    if not Path(directory, _LOCK).exists() and not segments(Path(directory)):
        raise RecordingError("NO_RECORDING", f"{directory} must be a recording, the parent of its days, has no day's files")


def live_files(directory: Path) -> list[Segment]:
    """List every .arrows file, also those that have a Parquet file beside them."""
    found = (segment_at(path) for path in _files(Path(directory)) if path.suffix == LIVE)
    return sorted(segment for segment in found if segment)


def temporary_files(directory: Path) -> list[Path]:
    """List what a compaction that was cut short left behind."""
    return [path for path in _files(Path(directory)) if path.name.endswith(TEMPORARY)]


def next_n(folder: Path, table: str) -> int:
    """Return the number of a table's next file in a folder."""
    found = (segment_at(path) for path in folder.iterdir()) if folder.is_dir() else ()
    return 1 + max((segment.n for segment in found if segment and segment.table == table), default=0)


class DirectoryLock:
    """Holds a recording for one writer; released by `close` and by the end of the process."""

    def __init__(self, directory: Path):
        directory.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(directory / _LOCK, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._handle)
            raise RecordingError("LOCKED", f"another recorder is writing {directory}") from error

    def close(self) -> None:
        """Give the recording back."""
        os.close(self._handle)
