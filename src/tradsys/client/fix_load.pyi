from collections.abc import Buffer
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

def round_trips(fd: int, stream: Buffer, bounds: Array, out_ns: Array, room: Array) -> int: ...
def pipelined(fd: int, stream: Buffer, wanted: int, room: Array) -> tuple[int, int]: ...
def open_loop(
    fds: Array, stream: Buffer, bounds: Array, rate: float, out_ns: Array, rooms: Array, used: Array
) -> None: ...
