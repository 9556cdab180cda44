"""From prices to returns, with missing days and different calendars treated as the caller says and reported.

A day on which one market is closed is a NaN in the table of the union of all days. Four treatments (``Missing``):

========== =================================================================================================
REFUSE     any gap is an error
COMMON     days on which any asset has no price are left out; the next return spans the gap
CARRY      the last price is carried forward: a zero return on the day off, the whole move on the day after
PAIRWISE   gaps stay NaN in the returns, for ``covariance.pairwise_covariance``
========== =================================================================================================
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tradsys.risk.inputs import Floats, Problem, count, gappy, matrix, refusal


class Missing(StrEnum):
    """What to do where an asset has no price on a day."""

    REFUSE = "refuse"
    COMMON = "common"
    CARRY = "carry"
    PAIRWISE = "pairwise"


@dataclass(frozen=True)
class Returns:
    """Returns of assets, and what was done to have them."""

    values: Floats  # (observations, assets), fractions or logarithms; NaN only after PAIRWISE
    rows: NDArray[np.int64]  # (observations,) row of the price table each return ends at
    rows_dropped: int  # rows of prices that were not used
    cells_missing: int  # prices missing in the table
    cells_carried: int  # prices taken from an earlier row


def returns_of(prices: ArrayLike, *, missing: Missing = Missing.REFUSE, log: bool = False) -> Returns:
    """Returns of a table of prices.

    Parameters
    ----------
    prices
        (days, assets), in time order; NaN where an asset has no price. Above zero for ``log``; otherwise not zero
        where a return starts.
    missing
        What to do with NaN. Rows before every asset has its first price are dropped for COMMON and CARRY.
    log
        Logarithmic instead of simple returns.

    Raises
    ------
    RiskError
        SHAPE; EMPTY; TOO_SHORT: fewer than two usable rows; NOT_FINITE: infinite, or NaN with REFUSE; OUT_OF_RANGE: a
        price a return cannot be taken of.

    Notes
    -----
    Time and memory O(days x assets).
    """
    table = gappy("prices", prices)
    gaps = np.isnan(table)
    cells_missing = int(gaps.sum())
    if cells_missing and missing is Missing.REFUSE:
        row, column = np.argwhere(gaps)[0]
        raise refusal(
            Problem.NOT_FINITE,
            f"{cells_missing} prices are missing, the first of asset {column} in row {row}",
        )
    rows = np.arange(len(table))
    cells_carried = 0
    if missing is Missing.COMMON:
        rows = rows[~gaps.any(axis=1)]
    elif missing is Missing.CARRY:
        table = carry_forward(table)
        rows = rows[~np.isnan(table).any(axis=1)]
        cells_carried = int(gaps[rows].sum())
    if len(rows) < 2:
        raise refusal(
            Problem.TOO_SHORT, f"a return needs two rows with prices of all assets, there are {len(rows)}"
        )
    used = table[rows]
    return Returns(_changes(used, log), rows[1:], len(table) - len(rows), cells_missing, cells_carried)


def carry_forward(table: ArrayLike) -> Floats:
    """Fill every NaN of a table (rows, columns) with the last value above it in its column; leading NaN stay.

    Raises
    ------
    RiskError
        SHAPE, EMPTY; NOT_FINITE: infinite.
    """
    table = gappy("table", table)
    known = np.where(np.isnan(table), 0, np.arange(len(table))[:, None])
    last = np.maximum.accumulate(known, axis=0)
    return np.take_along_axis(table, last, axis=0)


def overlapping(returns: ArrayLike, steps: int) -> Floats:
    """Sums of ``steps`` consecutive logarithmic returns, overlapping: (n - steps + 1, assets).

    They are not independent: a quantile of them has about n / steps independent observations behind it.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; TOO_SHORT: fewer observations than steps.
    """
    returns = matrix("returns", returns)
    if count("steps", steps, 1) > len(returns):
        raise refusal(Problem.TOO_SHORT, f"{steps} steps need as many returns, there are {len(returns)}")
    total = np.cumsum(np.vstack([np.zeros((1, returns.shape[1])), returns]), axis=0)
    return np.asarray(total[steps:] - total[:-steps])


def _changes(table: Floats, log: bool) -> Floats:
    before, after = table[:-1], table[1:]
    if log and not np.all((table > 0.0) | np.isnan(table)):
        raise refusal(Problem.OUT_OF_RANGE, f"a logarithm needs prices above 0, found {np.nanmin(table)}")
    if not log and np.any(before == 0.0):
        raise refusal(Problem.OUT_OF_RANGE, "a return cannot start from a price of 0")
    return np.asarray(np.log(after / before) if log else (after - before) / np.abs(before))
