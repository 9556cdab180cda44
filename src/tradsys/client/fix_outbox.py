"""What a FIX session keeps: both sequence numbers and the application messages it sent, in memory or in a file as well.

The file holds a JSON line for every message sent and every change of the numbers. A last line that is torn is cut off:
its message had not left yet. When it is opened, and when it has grown, it is written anew with what is still kept.
"""

from __future__ import annotations

import fcntl
import os
from collections import deque
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from tradsys.errors import InputError, InUseError
from tradsys.fix.replay import Stored

MESSAGES_MAX = 10_000  # kept for a resend; older ones are answered by gap fills
LINES_PER_MESSAGE = 8  # the file is written anew when it has so many times MESSAGES_MAX lines


class Numbers(Struct, frozen=True, tag="numbers"):
    """The numbers as they are from here on."""

    next_in: int
    next_out: int
    period_ns: int = 0


class Sent(Struct, frozen=True, tag="sent"):
    """A message that is about to be sent; the next one has a number 1 above."""

    message: Stored


class Reset(Struct, frozen=True, tag="reset"):
    """Everything before is forgotten."""


OPEN_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
LINE = msgspec.json.Decoder(Numbers | Sent | Reset)


class Outbox:
    """Numbers and sent messages of one session.

    Parameters
    ----------
    path : Path, optional
        File they survive a restart in; without, they do not.
    messages_max : int
        Messages kept.
    """

    def __init__(self, path: Path | None = None, messages_max: int = MESSAGES_MAX) -> None:
        self.next_in = self.next_out = 1
        self.period_ns = 0
        self.stored: deque[Stored] = deque(maxlen=messages_max)
        self._path = path
        self._file: BinaryIO | None = None
        self._lines = 0
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = open(path.with_suffix(".lock"), "wb")  # noqa: SIM115 - held until close
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._lock.close()
                raise InUseError(f"another process has the session in {path}") from None
            try:
                self._read(path)
                self._write_anew(path)
            except BaseException:
                self._lock.close()
                raise

    def keep(self, message: Stored) -> None:
        """Keep a message before it leaves."""
        self.stored.append(message)
        self.next_out = message.seq + 1
        self._append(Sent(message))

    def note(self, next_in: int, next_out: int) -> None:
        """Keep the numbers when they have changed."""
        if (next_in, next_out) != (self.next_in, self.next_out):
            self.next_in, self.next_out = next_in, next_out
            self._append(Numbers(next_in, next_out, self.period_ns))

    def reset(self, next_in: int, next_out: int, period_ns: int) -> None:
        """Forget what was sent and set the numbers."""
        self.stored.clear()
        self.next_in, self.next_out, self.period_ns = next_in, next_out, period_ns
        self._append(Reset())
        self._append(Numbers(next_in, next_out, period_ns))

    def between(self, begin: int, end: int) -> list[Stored]:
        """Give what is kept of the numbers `begin` to `end`, both included."""
        return [message for message in self.stored if begin <= message.seq <= end]

    def close(self) -> None:
        """Close the file; what is in it stays."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._lock.close()

    def _append(self, line: Numbers | Sent | Reset) -> None:
        if self._file is None or self._path is None:
            return
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._lines += 1
        if self._lines > LINES_PER_MESSAGE * (self.stored.maxlen or MESSAGES_MAX):
            self._write_anew(self._path)

    def _read(self, path: Path) -> None:
        text = path.read_bytes() if path.exists() else b""
        for number, row in enumerate(text[: text.rfind(b"\n") + 1].splitlines(), 1):
            try:
                line = LINE.decode(row)
            except msgspec.MsgspecError as error:
                raise InputError(f"{path}, line {number}: {error}") from None
            match line:
                case Numbers():
                    self.next_in, self.next_out, self.period_ns = line.next_in, line.next_out, line.period_ns
                case Sent():
                    self.stored.append(line.message)
                    self.next_out = line.message.seq + 1
                case Reset():
                    self.stored.clear()

    def _write_anew(self, path: Path) -> None:
        """Replace the file by what is kept; the old one stays whole until then."""
        lines: list[Numbers | Sent] = [Sent(message) for message in self.stored]
        lines.append(Numbers(self.next_in, self.next_out, self.period_ns))
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, OPEN_FLAGS, 0o600), "wb") as file:  # a UserRequest in it has passwords
            file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
        if self._file is not None:
            self._file.close()
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - held until close
        self._lines = len(lines)
