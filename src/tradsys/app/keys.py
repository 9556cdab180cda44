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
        if self._descriptor < 0:
            select.select([], [], [], timeout_s)
            return ""
        if not select.select([self._descriptor], [], [], timeout_s)[0]:
            return ""
        data = os.read(self._descriptor, 16)
        if not data:  # the terminal is gone
            return "q"
        return ARROWS.get(data, data[:1].decode("ascii", "ignore"))
