"""What ``tradsys risk`` says while its kernels are compiled: once after an installation, then they are on disk."""

import sys

_said: list[bool] = []


def say_when_compiling() -> None:
    """Tell people on standard error why the first run takes seconds; nothing when every kernel is read from disk.

    Called before the modules with kernels are imported.
    """
    from tradsys.risk.kernel import tell_of_compiling

    if not _said:
        _said.append(True)
        tell_of_compiling(_say)


def _say() -> None:
    print(
        "tradsys risk: compiling the kernels, about ten seconds; they are kept on disk for the next run",
        file=sys.stderr,
        flush=True,
    )
