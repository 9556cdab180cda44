"""The duty cycle: order of agents, idling, stopping.

Agents are scripted; waiting is a function that notes when it was called.
"""

import pytest

from tradsys.engine.duty_cycle import IDLE_TURNS, DutyCycle
from tradsys.errors import ConfigError


class Scripted:
    """Does what a list says, then nothing; notes the turns in a shared list."""

    def __init__(self, name, script, log):
        self.name, self.script, self.log = name, list(script), log

    def do_work(self):
        self.log.append(self.name)
        return self.script.pop(0) if self.script else 0


def test_agents_work_in_order():
    log = []
    cycle = DutyCycle([Scripted("a", [1, 0], log), Scripted("b", [2, 0], log)])
    assert [cycle.turn(), cycle.turn()] == [3, 0]
    assert log == ["a", "b", "a", "b"]
    assert (cycle.turns, cycle.idle_turns) == (2, 1)


def test_sleeping_waits_only_after_idle_turns_and_is_reset_by_work():
    log, waits = [], []
    agent = Scripted("a", [1] + [0] * (IDLE_TURNS - 1) + [1] + [0] * (IDLE_TURNS + 2), log)

    def wait(seconds):
        waits.append(cycle.turns)
        if len(waits) == 3:
            cycle.stop()

    cycle = DutyCycle([agent], "sleep", wait)
    cycle.run()
    first = 1 + (IDLE_TURNS - 1) + 1 + IDLE_TURNS
    assert waits == [first, first + 1, first + 2]


def test_spinning_never_waits():
    class StopsAfter:
        left = 1000

        def do_work(self):
            self.left -= 1
            if not self.left:
                cycle.stop()
            return 0

    cycle = DutyCycle([StopsAfter()], "spin", lambda seconds: pytest.fail("must not wait"))
    cycle.run()
    assert cycle.turns == cycle.idle_turns == 1000


def test_an_agent_that_fails_ends_the_loop():
    class Fails:
        def do_work(self):
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        DutyCycle([Fails()]).run()


def test_stopped_before_it_runs():
    cycle = DutyCycle([])
    cycle.stop()
    cycle.run()
    assert cycle.turns == 0


def test_unknown_poll_is_refused():
    with pytest.raises(ConfigError, match="spin or sleep"):
        DutyCycle([], "block")
