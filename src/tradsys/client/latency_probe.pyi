from typing import Any

import numpy as np

def round_trips(
    handle: int,
    frames: np.ndarray[Any, Any],
    out_ns: np.ndarray[Any, Any],
    first_seq: int = 0,
    spin: bool = True,
) -> None: ...
def open_loop(
    handle: int, frames: np.ndarray[Any, Any], out_ns: np.ndarray[Any, Any], first_seq: int, rate: float
) -> None: ...
def serve_echo(handle: int, seconds: float, spin: bool) -> None: ...
