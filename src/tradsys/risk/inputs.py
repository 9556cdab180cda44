"""What risk functions accept, and in which words they refuse.

============== =======================================================================================
problem        when
============== =======================================================================================
EMPTY          no observation, no asset or no path
NOT_FINITE     NaN or infinite where a number is needed
SHAPE          dimensions that do not fit each other
TOO_SHORT      fewer observations than the figure needs
OUT_OF_RANGE   a parameter outside the range its docstring gives
SINGULAR       a matrix that is not positive (semi-)definite, or a series that never moves
NOT_CONVERGED  an iteration that did not reach its tolerance
UNKNOWN        a name that is not known: a scenario, an asset, a method
============== =======================================================================================

A portfolio without positions is no error: its risk is zero. One asset is a portfolio.
"""

import math
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tradsys.errors import RiskError

Floats = NDArray[np.float64]


class Problem(StrEnum):
    """Why a figure was refused: the ``problem`` of a ``RiskError``."""

    EMPTY = "EMPTY"
    NOT_FINITE = "NOT_FINITE"
    SHAPE = "SHAPE"
    TOO_SHORT = "TOO_SHORT"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    SINGULAR = "SINGULAR"
    NOT_CONVERGED = "NOT_CONVERGED"
    UNKNOWN = "UNKNOWN"


def refusal(problem: Problem, sentence: str) -> RiskError:
    """Make the error to raise: what was found, what was expected."""
    return RiskError(sentence, problem.value)


def vector(name: str, values: ArrayLike, *, length: int | None = None, least: int = 1) -> Floats:
    """Take a finite float64 vector, C-contiguous.

    Parameters
    ----------
    name
        What the values are, for the sentence of a refusal.
    values
        (n,) numbers.
    length
        The n expected, if known.
    least
        Smallest n allowed.

    Raises
    ------
    RiskError
        SHAPE, EMPTY, TOO_SHORT or NOT_FINITE.
    """
    array = _floats(name, values)
    if array.ndim != 1:
        raise refusal(Problem.SHAPE, f"{name} must have one dimension, has {array.ndim}")
    if length is not None and len(array) != length:
        raise refusal(Problem.SHAPE, f"{name} must have {length} entries, has {len(array)}")
    _long_enough(name, len(array), least)
    return _finite(name, array)


def matrix(name: str, values: ArrayLike, *, columns: int | None = None, least: int = 1) -> Floats:
    """Take a finite float64 matrix, C-contiguous: one observation a row, one asset a column.

    Parameters
    ----------
    name
        What the values are, for the sentence of a refusal.
    values
        (rows, columns) numbers.
    columns
        The number of columns expected, if known.
    least
        Fewest rows allowed.

    Raises
    ------
    RiskError
        SHAPE, EMPTY, TOO_SHORT or NOT_FINITE.
    """
    array = _floats(name, values)
    if array.ndim != 2:
        raise refusal(Problem.SHAPE, f"{name} must have two dimensions, has {array.ndim}")
    if columns is not None and array.shape[1] != columns:
        raise refusal(Problem.SHAPE, f"{name} must have {columns} columns, has {array.shape[1]}")
    if array.shape[1] == 0:
        raise refusal(Problem.EMPTY, f"{name} has no columns")
    _long_enough(name, array.shape[0], least)
    return _finite(name, array)


def gappy(name: str, values: ArrayLike) -> Floats:
    """Take a float64 matrix, C-contiguous, in which NaN stands where there is nothing.

    Raises
    ------
    RiskError
        SHAPE, EMPTY; NOT_FINITE: infinite.
    """
    array = _floats(name, values)
    matrix(name, np.where(np.isnan(array), 0.0, array))
    return array


def indices(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """Take whole numbers from 0 on (n,), C-contiguous; there may be none.

    Raises
    ------
    RiskError
        SHAPE, NOT_FINITE, OUT_OF_RANGE.
    """
    given = np.asarray(vector(name, values, least=0) if np.asarray(values).dtype.kind not in "iu" else values)
    if given.ndim != 1:
        raise refusal(Problem.SHAPE, f"{name} must have one dimension, has {given.ndim}")
    whole = np.ascontiguousarray(given, dtype=np.int64)
    if len(whole) and (whole.min() < 0 or np.any(whole != given)):
        raise refusal(Problem.OUT_OF_RANGE, f"{name} must be whole numbers from 0 on, the least was {given.min()}")
    return whole


def symmetric(name: str, values: ArrayLike, *, size: int | None = None) -> Floats:
    """Take a finite symmetric matrix (n, n); rounding differences up to 1e-9 of the largest entry are averaged out.

    Raises
    ------
    RiskError
        SHAPE, EMPTY or NOT_FINITE.
    """
    array = matrix(name, values, columns=size)
    if array.shape[0] != array.shape[1]:
        raise refusal(Problem.SHAPE, f"{name} must be square, is {array.shape[0]} x {array.shape[1]}")
    if np.abs(array - array.T).max() > 1e-9 * max(np.abs(array).max(), 1e-300):
        raise refusal(Problem.SHAPE, f"{name} must be symmetric")
    return (array + array.T) / 2.0


def number(name: str, value: float, low: float, high: float, *, closed: bool = False) -> float:
    """Take a number strictly between low and high, or with ``closed`` also equal to one of them.

    Raises
    ------
    RiskError
        OUT_OF_RANGE, also for NaN and for what is no number.
    """
    given = _number(value)
    inside = low <= given <= high if closed else low < given < high
    if not inside:
        brackets = "[]" if closed else "()"
        raise refusal(
            Problem.OUT_OF_RANGE,
            f"{name} must be in {brackets[0]}{low:g}, {high:g}{brackets[1]}, was {_shown(value)}",
        )
    return given


def count(name: str, value: int, least: int, most: int = 2**31 - 1) -> int:
    """Take a whole number in [least, most].

    Raises
    ------
    RiskError
        OUT_OF_RANGE, also for NaN and for what is no number.
    """
    try:
        whole = int(value)
        is_whole = whole == value
    except (TypeError, ValueError, OverflowError):
        whole, is_whole = 0, False
    if not is_whole or not least <= whole <= most:
        raise refusal(
            Problem.OUT_OF_RANGE, f"{name} must be a whole number in [{least}, {most}], was {_shown(value)}"
        )
    return whole


def level_of(level: float) -> float:
    """Take a level of VaR or ES: a probability in [0.5, 1), such as 0.99.

    Raises
    ------
    RiskError
        OUT_OF_RANGE, also for NaN and for what is no number.
    """
    given = _number(level)
    if not 0.5 <= given < 1.0:
        raise refusal(Problem.OUT_OF_RANGE, f"level must be in [0.5, 1), was {_shown(level)}")
    return given


def _number(value: float) -> float:
    """A number as a float; NaN, which is in no range, for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def _floats(name: str, values: ArrayLike) -> Floats:
    try:
        return np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise refusal(Problem.SHAPE, f"{name} must be an array of numbers: {error}") from None


def _long_enough(name: str, length: int, least: int) -> None:
    if length == 0 and least > 0:
        raise refusal(Problem.EMPTY, f"{name} is empty")
    if length < least:
        raise refusal(Problem.TOO_SHORT, f"{name} needs at least {least} observations, has {length}")


def _finite(name: str, array: Floats) -> Floats:
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        shown: Any = where[0] if len(where) == 1 else where
        raise refusal(Problem.NOT_FINITE, f"{name} must be finite, is {array[where]} at {shown}")
    return array
