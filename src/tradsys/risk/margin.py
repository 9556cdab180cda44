"""Margin: by rates of asset classes, or of the portfolio over a grid of scenarios; levels, leverage, concentration, drawdown.

Amounts are in one currency. Equity is cash plus the value of the positions.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tradsys.risk.inputs import Floats, Problem, count, matrix, number, refusal, vector

# Initial margin by asset class: the venue's defaults, of which a maintenance margin is a share.
RATES = {
    "STOCK": 0.25, "REIT": 0.30, "MUTUAL_FUND": 0.15, "ETF": 0.20, "BOND": 0.10, "CRYPTO": 0.50, "FOREX": 0.02,
    "COMMODITY": 0.10,
}  # fmt: skip
MAINTENANCE_SHARE = 0.75
CALL_LEVEL, LIQUIDATION_LEVEL = 1.2, 1.1  # equity over the margin required
_SCAN_STEPS = 7  # price scan of a portfolio margin: 0 and three thirds of the range on either side


class Required(NamedTuple):
    """What must be there."""

    initial: float
    maintenance: float
    parts: Floats  # (positions,) initial margin of each


class Portfolio(NamedTuple):
    """Portfolio margin: the largest loss over a grid, and where it was."""

    required: float
    worst: Floats  # (factors,) changes
    losses: Floats  # (scenarios,)


class Status(StrEnum):
    """What an account's level means."""

    FREE = "free"  # nothing is required
    OK = "ok"
    CALL = "margin call"
    LIQUIDATION = "liquidation"


class Level(NamedTuple):
    """Equity against the margin required."""

    level: float  # 1.2 is 120 %; infinite where nothing is required
    status: Status
    excess: float  # amount above (or, negative, missing to) the call level


class Drawdown(NamedTuple):
    """The deepest fall from a peak."""

    depth: float  # share of the peak, not negative
    peak: int  # index of the peak
    trough: int  # index of the trough
    current: float  # depth at the end


def rate_margin(
    exposures: ArrayLike,
    asset_classes: Sequence[str],
    rates: Mapping[str, float] = RATES,
    share: float = MAINTENANCE_SHARE,
) -> Required:
    """Sum of |exposure| x rate of the asset class: long and short need the same, nothing is netted.

    Parameters
    ----------
    exposures
        (positions,) amounts.
    asset_classes
        Of each position.
    rates
        Share of the exposure by asset class, in [0, 1].
    share
        Maintenance margin as a share of the initial one, in [0, 1].

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; UNKNOWN: an asset class without a rate.
    """
    held = vector("exposures", exposures, length=len(asset_classes))
    number("share", share, 0.0, 1.0, closed=True)
    missing = sorted(set(asset_classes) - set(rates))
    if missing:
        raise refusal(
            Problem.UNKNOWN, f"no margin rate of {', '.join(missing)}; there are: {', '.join(rates)}"
        )
    parts = np.abs(held) * [number(f"rate of {a}", rates[a], 0.0, 1.0, closed=True) for a in asset_classes]
    initial = float(parts.sum())
    return Required(initial, initial * share, parts)


def scenario_grid(ranges: ArrayLike, steps: int = _SCAN_STEPS) -> Floats:
    """Every combination of changes of factors: (steps^factors, factors), each factor from -range to range in equal steps.

    Parameters
    ----------
    ranges
        (factors,) largest changes, not negative; at most a million scenarios in all.
    steps
        Odd, so that no change is among them, at least 3.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.
    """
    widths = vector("ranges", ranges)
    if widths.min() < 0.0 or steps % 2 == 0:
        raise refusal(
            Problem.OUT_OF_RANGE,
            f"ranges must not be negative and steps odd, were {widths.min()} and {steps}",
        )
    if count("steps", steps, 3) ** len(widths) > 10**6:
        raise refusal(
            Problem.OUT_OF_RANGE, f"{steps} steps of {len(widths)} factors are more than a million scenarios"
        )
    axis = np.linspace(-1.0, 1.0, steps)
    return np.array(list(itertools.product(axis, repeat=len(widths)))) * widths


def portfolio_margin(revalue: Callable[[Floats], Floats], grid: ArrayLike, floor: float = 0.0) -> Portfolio:
    """Largest loss of a portfolio over a grid of scenarios: hedges count.

    Parameters
    ----------
    revalue
        (scenarios, factors) changes -> (scenarios,) P&L, as of ``tradsys.risk.revaluation``.
    grid
        (scenarios, factors), for example of ``scenario_grid``.
    floor
        Least amount required, not negative.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.

    Notes
    -----
    The scan of SPAN (Chicago Mercantile Exchange 1988) and of the US customer portfolio margin rule (FINRA 4210(g)).
    """
    changes = matrix("grid", grid)
    losses = -vector("P&L", revalue(changes), length=len(changes)) + 0.0
    worst = int(losses.argmax())
    least = number("floor", floor, 0.0, 1e300, closed=True)
    return Portfolio(max(float(losses[worst]), least), changes[worst].copy(), losses)


def level_of_account(
    equity: float, required: float, call: float = CALL_LEVEL, liquidation: float = LIQUIDATION_LEVEL
) -> Level:
    """Equity over required margin, and what it means: below ``call`` more is asked for, below ``liquidation`` it is sold.

    Raises
    ------
    RiskError
        OUT_OF_RANGE: required below 0, or levels not call >= liquidation > 0; equity not finite.
    """
    number("equity", equity, -1e300, 1e300)
    number("required", required, 0.0, 1e300, closed=True)
    number("call", call, 0.0, 1e300)
    number("liquidation", liquidation, 0.0, call + 1e-15)
    if required == 0.0:
        return Level(math.inf, Status.FREE if equity >= 0.0 else Status.LIQUIDATION, equity)
    level = equity / required
    status = Status.OK if level >= call else (Status.CALL if level >= liquidation else Status.LIQUIDATION)
    return Level(level, status, equity - call * required)


def price_of_level(
    quantity: float, price: float, cash: float, rate: float, level: float = LIQUIDATION_LEVEL
) -> float:
    """Price at which a single position brings the account to a level; NaN where no price above 0 does.

    Parameters
    ----------
    quantity
        Units, negative when short, not 0.
    price
        Of now, above 0; it does not change the answer but the direction it is looked for.
    cash
        Amount, negative when borrowed.
    rate
        Margin required as a share of the exposure, in (0, 1].
    level
        Equity over margin, above 0.

    Raises
    ------
    RiskError
        OUT_OF_RANGE.

    Notes
    -----
    cash + q p = level x rate x |q| p, solved for p.
    """
    number("price", price, 0.0, 1e300)
    number("rate", rate, 0.0, 1.0 + 1e-15)
    number("level", level, 0.0, 1e9)
    number("cash", cash, -1e300, 1e300)
    number("|quantity|", abs(quantity), 0.0, 1e300)
    slope = level * rate * abs(quantity) - quantity
    found = cash / slope if slope != 0.0 else math.nan
    return found if found > 0.0 else math.nan


def leverage(exposures: ArrayLike, equity: float) -> float:
    """Gross exposure over equity; infinite where there is no equity left.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE; OUT_OF_RANGE: equity is not finite.
    """
    gross = float(np.abs(vector("exposures", exposures)).sum())
    number("equity", equity, -1e300, 1e300)
    return gross / equity if equity > 0.0 else (math.inf if gross > 0.0 else 0.0)


def concentration(exposures: ArrayLike) -> float:
    """Herfindahl-Hirschman index of gross exposures: 1/n when equal, 1 when there is one; 0 without positions.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE.
    """
    gross = np.abs(vector("exposures", exposures))
    total = float(gross.sum())
    return float(np.square(gross / total).sum()) if total > 0.0 else 0.0


def drawdown(values: ArrayLike) -> Drawdown:
    """Deepest fall of an account's value from a peak before it.

    Parameters
    ----------
    values
        (observations,), in time order, the first above 0.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.
    """
    series = vector("values", values)
    number("the first value", float(series[0]), 0.0, 1e300)
    peaks = np.maximum.accumulate(series)
    depths = 1.0 - series / peaks
    trough = int(depths.argmax())
    return Drawdown(float(depths[trough]), int(series[: trough + 1].argmax()), trough, float(depths[-1]))
