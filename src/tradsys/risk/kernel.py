"""How the numba kernels are compiled: once for each signature, kept on disk, without the GIL, exact arithmetic."""

from collections.abc import Callable
from typing import Any

import numba


def kernel(*signatures: str) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function of arrays and scalars for the given signatures, and keep the code beside the source.

    No fastmath and no parallel reductions, so compiled and plain Python (``NUMBA_DISABLE_JIT=1``) give the same answers
    and every run gives the same digits. A folder that cannot be written needs ``NUMBA_CACHE_DIR``.

    Parameters
    ----------
    *signatures
        numba signatures such as ``"float64(float64[::1], int64)"``.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        return numba.njit(list(signatures), cache=True, nogil=True, error_model="numpy")(function)

    return compiled
