"""The two clocks of the house. Whoever needs the time takes one as an argument; core and engine never do."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time in nanoseconds."""

    def now_ns(self) -> int:
        """Wall clock: ns since the epoch, UTC. It may step back when the machine's clock is set."""

    def monotonic_ns(self) -> int:
        """Clock for intervals: ns since some moment in the past; never steps back."""


class SystemClock:
    """The machine's clocks."""

    now_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


class ManualClock:
    """A clock that stands still until it is moved: for tests, simulation and replay.

    Parameters
    ----------
    now_ns : int
        Wall clock to start with, ns since the epoch, UTC.
    """

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._monotonic_ns = 0

    def now_ns(self) -> int:
        """Wall clock, ns since the epoch, UTC."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Ns moved forward so far."""
        return self._monotonic_ns

    def advance(self, ns: int) -> None:
        """Move both clocks forward."""
        if ns < 0:
            raise ValueError(f"a clock moves forward by at least 0 ns, was {ns}; use set_wall to step back")
        self._now_ns += ns
        self._monotonic_ns += ns

    def set_wall(self, now_ns: int) -> None:
        """Set the wall clock, forward or back, as an operator or NTP would; intervals do not notice."""
        self._now_ns = now_ns
