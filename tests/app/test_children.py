"""Child processes: their lines, their end, and what is said when they do not start."""

import os

import pytest

from tradsys.app import children
from tradsys.app.children import Child, ChildError, memory_bytes
from tradsys.errors import ConfigError, InUseError


def test_a_line_is_waited_for_and_lines_are_passed_on():
    # Goal: the parent sees what the child prints. Method: a command that prints its version and ends.
    heard = []
    child = Child("version", ["--version"], heard.append)
    assert child.wait_line(lambda line: line.startswith("tradsys "), 120.0).startswith("tradsys ")
    assert child.wait(120.0) == 0
    assert heard
    assert not child.running()
    assert memory_bytes(child.pid) == 0
    assert memory_bytes(os.getpid()) > 1 << 20


def test_a_child_that_ends_early_says_why():
    # Goal: the message has the child's name, status and last words. Method: an unknown command.
    child = Child("venue", ["nonsense"])
    with pytest.raises(ChildError, match="the venue ended with status 2") as caught:
        child.wait_line(lambda line: line.startswith("READY"), 120.0)
    assert "no command 'nonsense'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ConfigError)  # 2 is what a command ends with that refuses its settings
    assert child.stop(60.0) == 2


def test_a_taken_port_is_its_own_error(monkeypatch):
    # Goal: IN_USE is recognised in a child's words. Method: words that are in this child's message.
    monkeypatch.setattr(children, "IN_USE_WORDS", ("no command",))
    child = Child("venue", ["nonsense"])
    with pytest.raises(InUseError, match="the venue"):
        child.wait_line(lambda line: False, 120.0)
    child.stop(60.0)
