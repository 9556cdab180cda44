"""A process that was started for another one ends with it, also when that one is killed."""

import os
import signal
import threading
import time

VARIABLE = "TRADSYS_STOP_WITH_PARENT"  # set to 1 by the parent in the child's environment
LOOK_SECONDS = 0.5


def stop_with_parent() -> None:
    """Send SIGTERM to this process when its parent has ended, if the parent asked for it.

    Notes
    -----
    SIGTERM is a clean stop in every command. A daemon thread looks twice a second who the parent is: a process that
    loses its parent is handed to another one. (The kernel's PR_SET_PDEATHSIG would tell at once, but it watches the
    *thread* that started the process, which may end long before its process does.)
    """
    if os.environ.get(VARIABLE) != "1":
        return
    threading.Thread(target=_watch, args=(os.getppid(),), name="watch parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    signal.raise_signal(signal.SIGTERM)
