"""Processes that end with the one that started them."""

import os
import select
import signal
import subprocess
import sys
import textwrap

from tradsys.app.parent import VARIABLE

# A child that would live four minutes, and a parent that starts it, lets it speak, and waits to be killed.
CHILD = textwrap.dedent(
    """
    import os, signal
    from tradsys.app.parent import stop_with_parent
    stop_with_parent()
    signal.alarm(240)
    os.write(1, b"u")
    while True:
        signal.pause()
    """
)
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


def orphan_ends(asked: str, timeout_s: float) -> bool:
    """Kill a parent and tell whether its child ends in time: then nobody holds the pipe open any more."""
    read_end, write_end = os.pipe()
    environ = {**os.environ, VARIABLE: asked, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=write_end, env=environ) as parent:
        os.close(write_end)
        assert os.read(read_end, 1) == b"u"
        parent.send_signal(signal.SIGKILL)
    ready, _, _ = select.select([read_end], [], [], timeout_s)
    ended = bool(ready) and os.read(read_end, 1) == b""
    os.close(read_end)
    return ended


def test_a_child_ends_when_its_parent_is_killed():
    # Goal: kill -9 of `tradsys up` leaves no venue behind. Method: kill a parent, see the child's output close.
    assert orphan_ends("1", 60.0)


def test_a_child_of_nobody_in_particular_stays():
    # Goal: a venue started from a shell outlives it. Method: as above, not asked for; its output stays open.
    assert not orphan_ends("0", 0.5)
