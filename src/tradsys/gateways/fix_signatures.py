"""Signatures that have opened a session, on disk: each is taken once, after whatever restart, too."""

import hashlib
import os
from pathlib import Path

SIGNATURES_MAX = 256  # of one session, remembered at least
RECORD_BYTES = 32


class UsedSignatures:
    """What was signed in the last Logons of one session: a file of SHA-256 digests, the oldest first.

    Invariant: what `take` has said True to is in the file, until `SIGNATURES_MAX` others are behind it.

    Parameters
    ----------
    directory : Path or None
        Where the file lies; None: nothing outlives this object.
    is_durable : bool
        Whether a signature is on disk before its session opens.
    """

    def __init__(self, directory: Path | None, is_durable: bool = False) -> None:
        self._path = directory / "signatures" if directory is not None else None
        self._is_durable = is_durable
        self._kept: list[bytes] = []  # where there is no file

    def take(self, signed: bytes) -> bool:
        """Remember what was signed; whether it comes for the first time.

        Raises
        ------
        OSError
            It cannot be remembered.
        """
        digest = hashlib.sha256(signed).digest()
        if self._path is None:
            is_first = digest not in self._kept
            self._kept = [*self._kept[-SIGNATURES_MAX + 1 :], digest] if is_first else self._kept
            return is_first
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            return self._take_from(fd, digest)
        finally:
            os.close(fd)

    def _take_from(self, fd: int, digest: bytes) -> bool:
        kept = os.pread(fd, os.fstat(fd).st_size, 0)
        records = [
            kept[at : at + RECORD_BYTES] for at in range(0, len(kept) - RECORD_BYTES + 1, RECORD_BYTES)
        ]
        if digest in records:
            return False
        if len(records) >= 2 * SIGNATURES_MAX:
            # whatever a crash leaves between the two, the newest are there
            records = records[-SIGNATURES_MAX:]
            _write(fd, b"".join(records), 0)
            os.ftruncate(fd, len(records) * RECORD_BYTES)
        _write(fd, digest, len(records) * RECORD_BYTES)  # over the end that a crash tore
        if self._is_durable:
            os.fdatasync(fd)
        return True


def _write(fd: int, data: bytes, offset: int) -> None:
    while data:
        count = os.pwrite(fd, data, offset)
        data, offset = data[count:], offset + count
