"""Single keys from the terminal while the live view owns the screen."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from types import TracebackType

ARROWS = {b"\x1b[A": "up", b"\x1b[B": "down", b"\x1bOA": "up", b"\x1bOB": "down"}


class Keys:
    """Context in which ``poll`` returns keys as they are pressed, without Enter and without echo."""

    def __init__(self) -> None:
        self._descriptor = sys.stdin.fileno() if sys.stdin.isatty() else -1
        self._before: list[object] | None = None
        self._typed = b""  # read and not yet given

    def __enter__(self) -> Keys:
        if self._descriptor >= 0:
            self._before = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._before is not None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]

    def poll(self, timeout_s: float) -> str:
        """The next key within the timeout: "up", "down", a character, or "" for none."""
        if not self._typed:
            if self._descriptor < 0:
                select.select([], [], [], timeout_s)
                return ""
            if not select.select([self._descriptor], [], [], timeout_s)[0]:
                return ""
            self._typed = os.read(self._descriptor, 64)
            if not self._typed:  # the terminal is gone
                return "q"
        key, self._typed = next_key(self._typed)
        return key


def next_key(typed: bytes) -> tuple[str, bytes]:
    """The first key of what was typed, and the rest; keys that mean nothing here are ""."""
    for sequence, key in ARROWS.items():
        if typed.startswith(sequence):
            return key, typed[len(sequence) :]
    if typed[:2] in (b"\x1b[", b"\x1bO"):  # another function key: up to its final byte
        end = next((index for index in range(2, len(typed)) if 0x40 <= typed[index] <= 0x7E), len(typed) - 1)
        return "", typed[end + 1 :]
    return typed[:1].decode("ascii", "ignore"), typed[1:]
