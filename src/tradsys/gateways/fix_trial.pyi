from collections.abc import Buffer
from typing import Any

import numpy as np

from tradsys.fix.validation import Validator

def decode(
    stream: Buffer, validator: Validator, steps: int = 15, repeats: int = 1
) -> tuple[int, int, int, int, int]: ...
def encode(count: int, first_seq: int = 1, out: np.ndarray[Any, Any] | None = None) -> tuple[bytes, int]: ...
