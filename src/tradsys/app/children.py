"""Child processes of `tradsys up`: started, watched, stopped in order; nothing they print is lost or piles up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from tradsys.app.parent import VARIABLE as STOP_WITH_PARENT
from tradsys.errors import ConfigError, InUseError, TradSysError

LINES_KEPT = 200
LAST_LINES = 6
BAD_USAGE = 2  # exit status of a command that refuses its arguments or settings
IN_USE_WORDS = ("IN_USE",)  # code of InUseError, as commands print it


class ChildError(TradSysError):
    """A child process did not start or ended on its own."""

    code = "CHILD"


class ChildRefusedError(ChildError, ConfigError):
    """A child process refused its settings."""


class Child:
    """One child process.

    Its standard output is read line by line in a thread; the newest lines are kept. It runs in a process
    group of its own, so that Ctrl-C in the terminal reaches the parent only, which then stops its children
    in order. When the parent is killed, it is sent SIGTERM.
    """

    def __init__(
        self, name: str, words: Sequence[str], on_line: Callable[[str], None] = lambda line: None
    ) -> None:
        self.name = name
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._on_line = on_line
        self._wake = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tradsys", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                STOP_WITH_PARENT: "1",
                "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            },
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, name=f"read {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def running(self) -> bool:
        """True while the process has not ended."""
        return self._process.poll() is None

    def wait_line(self, wanted: Callable[[str], bool], timeout_s: float) -> str:
        """Wait for the first line that is wanted.

        Raises
        ------
        ChildError
            It ended, or no such line came in time; the message has its last words. InUseError when those say
            that a port or directory is taken, ChildRefusedError when it ended with the status of bad usage.
        """
        deadline = time.monotonic() + timeout_s
        with self._wake:
            while True:
                for line in self.lines:
                    if wanted(line):
                        return line
                left = deadline - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    break
                self._wake.wait(min(left, 0.2))
        ended = self.wait(2.0) if not self._reader.is_alive() else self._process.poll()
        why = f"ended with status {ended}" if ended is not None else f"was not ready after {timeout_s:.0f} s"
        last = last_words(self.lines)
        kind: type[TradSysError] = ChildRefusedError if ended == BAD_USAGE else ChildError
        if any(word in last for word in IN_USE_WORDS):
            kind = InUseError
        raise kind(f"the {self.name} {why}: {last}" if last else f"the {self.name} {why} and said nothing")

    def stop(self, timeout_s: float) -> int:
        """Ask it to end (SIGTERM), wait, kill it after the timeout; returns its exit status."""
        if self.running():
            self._process.send_signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float) -> int:
        """Wait for its end, kill it after the timeout; returns its exit status, negative for a signal."""
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._reader.join(2.0)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            text = line.rstrip("\n")
            with self._wake:
                self.lines.append(text)
                self._wake.notify_all()
            self._on_line(text)
        with self._wake:
            self._wake.notify_all()


def last_words(lines: Iterable[str]) -> str:
    """Put on one line why a command ended: its refusal, else the last it has printed."""
    newest = list(lines)[-LAST_LINES:]
    refusals = [line for line in newest if line.startswith("tradsys ")]
    return " | ".join(refusals[-1:] or newest)


def memory_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0
