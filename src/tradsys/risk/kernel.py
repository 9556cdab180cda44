"""How the numba kernels are compiled: once for each signature, kept on disk, without the GIL, exact arithmetic."""

from collections.abc import Callable
from typing import Any

import numba
from numba.core import event


def kernel(*signatures: str) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function of arrays and scalars for the given signatures, and keep the code on disk.

    No fastmath and no parallel reductions, so compiled and plain Python (``NUMBA_DISABLE_JIT=1``) give the same answers
    and every run gives the same digits. The code is kept beside the source, else in the user's cache folder, or where
    ``NUMBA_CACHE_DIR`` says; where none of these can be written it is compiled in every process.

    Parameters
    ----------
    *signatures
        numba signatures such as ``"float64(float64[::1], int64)"``.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
        try:
            return numba.njit(list(signatures), cache=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            return numba.njit(list(signatures), **options)(function)

    return compiled


class _Compiling(event.Listener):
    """Calls a function once, when a kernel is compiled and not read from disk."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told: Callable[[], None] | None = told

    def on_start(self, event: event.Event) -> None:
        if self._told is not None:
            told, self._told = self._told, None
            told()

    def on_end(self, event: event.Event) -> None:
        pass


def tell_of_compiling(told: Callable[[], None]) -> None:
    """Call a function when the first kernel of this process is compiled, which takes seconds; never, when all are on disk."""
    event.register("numba:compile", _Compiling(told))
