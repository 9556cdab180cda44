"""Random draws that are the same for a seed on every machine and with every NumPy: raw PCG64 words, own arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
_BLOCK = 4096


class Draw:
    """A stream of draws from one seed.

    Parameters
    ----------
    seed
        Any integer >= 0; equal seeds give equal streams.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)
        self._words: list[int] = []

    def word(self) -> int:
        """Next 64 random bits."""
        if not self._words:
            self._words = self._bits.random_raw(_BLOCK).tolist()
            self._words.reverse()
        return self._words.pop()

    def below(self, bound: int) -> int:
        """An integer in [0, bound); the bias is below bound / 2^64."""
        return (self.word() * bound) >> 64

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return low + ((self.word() * (high - low + 1)) >> 64)

    def chance(self, one_in: int) -> bool:
        """True once in `one_in` times."""
        return (self.word() * one_in) >> 64 == 0

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[(self.word() * len(values)) >> 64]

    def shuffle(self, values: list[T]) -> None:
        """Put the values in random order, in place."""
        for at in range(len(values) - 1, 0, -1):
            other = self.below(at + 1)
            values[at], values[other] = values[other], values[at]
