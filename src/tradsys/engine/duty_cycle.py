"""The loop of a process: its agents do their work in turn, on one thread; when there is none the loop spins or sleeps."""

import threading
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from tradsys.errors import ConfigError

Poll = Literal["spin", "sleep"]
IDLE_TURNS = 50
"""Turns without work before the loop sleeps: work tends to come in runs."""
SLEEP_S = 0.001
"""Longest sleep of a loop that has nothing better to wait for."""


class Agent(Protocol):
    """Something that has work now and then."""

    def do_work(self) -> int:
        """Do a bounded piece of work without waiting; how much was done, 0 when there was none."""


class DutyCycle:
    """Runs agents in a fixed order, again and again, until it is stopped.

    Invariant: one thread calls every agent; an agent never runs beside another one.

    Parameters
    ----------
    agents : sequence of Agent
        Called in this order in every turn.
    poll : {"spin", "sleep"}
        When a turn did nothing: try again at once (lowest latency, a processor to itself), or wait after some such turns.
    wait : callable, optional
        Waits until there may be work, and for so many seconds at most; e.g. a poll of the process's sockets. The default
        sleeps. It must return early when `stop` is to act early.
    """

    def __init__(
        self, agents: Sequence[Agent], poll: Poll = "sleep", wait: Callable[[float], object] | None = None
    ) -> None:
        if poll not in ("spin", "sleep"):
            raise ConfigError(f"poll must be spin or sleep, was {poll!r}")
        self._agents = tuple(agents)
        self._sleeps = poll == "sleep"
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self.turns = 0
        self.idle_turns = 0

    def run(self) -> None:
        """Turn until `stop` is called; an agent's exception ends the loop and goes to the caller."""
        idle = 0
        while not self._stopped.is_set():
            if self.turn():
                idle = 0
                continue
            idle += 1
            if self._sleeps and idle >= IDLE_TURNS:
                self._wait(SLEEP_S)

    def turn(self) -> int:
        """Let every agent work once; how much was done."""
        done = 0
        for agent in self._agents:
            done += agent.do_work()
        self.turns += 1
        if not done:
            self.idle_turns += 1
        return done

    def stop(self) -> None:
        """End `run` after the turn it is in; any thread or signal handler may call."""
        self._stopped.set()
