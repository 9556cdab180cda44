"""A process that was started for another one ends with it, also when that one is killed."""

import ctypes
import os
import signal

VARIABLE = "TRADSYS_STOP_WITH_PARENT"  # set to 1 by the parent in the child's environment
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def stop_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when its parent ends, if the parent asked for it.

    Notes
    -----
    SIGTERM is a clean stop in every command. The parent may have ended before the kernel was told; then the process
    has been handed to another parent by now and the signal is sent here. Linux only (prctl(2)); elsewhere nothing is done.
    """
    if os.environ.get(VARIABLE) != "1":
        return
    parent = os.getppid()
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    if prctl is None:
        return
    if prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        signal.raise_signal(signal.SIGTERM)
