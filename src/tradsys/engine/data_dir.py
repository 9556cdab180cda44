"""The data directory of a venue: its lock, its identity and the names of its files (protocols/journal.md)."""

import fcntl
import os
from pathlib import Path

import msgspec

from tradsys import limits
from tradsys.errors import ConfigError, InUseError, JournalError
from tradsys.wire.records import SCHEMA_ID, SCHEMA_VERSION

FORMAT_VERSION = 1


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of ``venue.json``: written once, when the directory is first used."""

    format: int
    schema_id: int
    schema_version: int
    venue_id: int
    capacities: dict[str, int]


class DataDir:
    """Paths below one data directory, and the lock on it.

    Invariant: whoever has a locked DataDir is the only one that writes below it.

    Parameters
    ----------
    path : Path
        The directory; made when it is not there and `create` is true.
    create : bool
        Whether a directory without a venue is made into one; else it is refused.
    """

    def __init__(self, path: Path | str, create: bool = False) -> None:
        self.path = Path(path)
        self.journal = self.path / "journal"
        self.events = self.path / "events"
        self.snapshots = self.path / "snapshots"
        self._lock_fd = -1
        if create:
            for directory in (self.journal, self.events, self.snapshots):
                directory.mkdir(parents=True, exist_ok=True)
        elif not self.journal.is_dir():
            raise JournalError(f"{self.path} must hold a venue's journal/, events/ and snapshots/, does not")

    def lock(self) -> None:
        """Take the directory; raises InUseError, naming the process, when another one has it."""
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise InUseError(f"{self.path} is in use by the venue with process id {holder}") from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._lock_fd = fd

    def unlock(self) -> None:
        """Let the directory go."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def identify(self, capacities: dict[str, int] | None = None) -> Identity:
        """Read who the venue is; made up now for a directory without a journal.

        Raises
        ------
        ConfigError
            `capacities` differ from those the journal was made with: they decide what commands lead to (rule 1.7).
        JournalError
            ``venue.json`` is missing beside a journal, or not readable.
        """
        path = self.path / "venue.json"
        if not path.exists():
            if capacities is None or self.segments():
                raise JournalError(f"{path} must be there beside the journal, is missing")
            write_synced(path, msgspec.json.encode(new_identity(capacities)))
        try:
            identity = msgspec.json.decode(path.read_bytes(), type=Identity)
        except msgspec.DecodeError as error:
            raise JournalError(f"{path} cannot be read: {error}") from error
        if (identity.format, identity.schema_id, identity.schema_version) != (FORMAT_VERSION, SCHEMA_ID, SCHEMA_VERSION):
            raise JournalError(
                f"{path} must be of format {FORMAT_VERSION}, schema {SCHEMA_ID} version {SCHEMA_VERSION}, "
                f"was of {identity.format}, {identity.schema_id} version {identity.schema_version}"
            )
        # directories made before there were positions
        identity.capacities.setdefault("positions_max", limits.POSITIONS_DEFAULT)
        if capacities is not None and capacities != identity.capacities:
            raise ConfigError(
                f"capacities are fixed for the life of a journal: {self.path} has {identity.capacities}, "
                f"the settings say {capacities}"
            )
        return identity

    def segments(self) -> list[tuple[int, Path]]:
        """Give the journal segments as (first seq, path), in order."""
        return numbered(self.journal, "journal-", ".log")

    def event_files(self) -> list[tuple[int, Path]]:
        """Give the event files as (first event seq, path), in order."""
        return numbered(self.events, "events-", ".log")

    def snapshot_files(self) -> list[tuple[int, Path]]:
        """Give the snapshots as (seq, path), oldest first."""
        return numbered(self.snapshots, "snapshot-", ".snap")

    def snapshot_path(self, seq: int) -> Path:
        """Give the path of the snapshot after command `seq`."""
        return self.snapshots / f"snapshot-{seq:020d}.snap"

    def remove_unfinished(self) -> None:
        """Remove files a run was still making when it ended."""
        for directory in (self.path, self.journal, self.snapshots):
            for path in directory.glob("*.tmp"):
                path.unlink()


def numbered(directory: Path, prefix: str, suffix: str) -> list[tuple[int, Path]]:
    """List files named prefix, 20 digits, suffix, in the order of their numbers."""
    found = []
    for path in directory.glob(f"{prefix}*{suffix}"):
        digits = path.name.removeprefix(prefix).removesuffix(suffix)
        if len(digits) == 20 and digits.isascii() and digits.isdigit():
            found.append((int(digits), path))
    return sorted(found)


def new_identity(capacities: dict[str, int]) -> Identity:
    """Make up a venue; an id of 48 bits survives every JSON reader."""
    return Identity(FORMAT_VERSION, SCHEMA_ID, SCHEMA_VERSION, int.from_bytes(os.urandom(6), "little") | 1, dict(capacities))


def write_synced(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file whole or not at all: temporary file, sync, rename, sync of the directory."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names in a directory survive a power failure."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
