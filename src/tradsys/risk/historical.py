"""VaR and ES of observed or simulated profits and losses: plain, age-weighted and volatility-filtered.

One definition for every set of P&L with probabilities: VaR is the smallest loss that is not exceeded with probability
``level``; ES is the mean of the worst ``1 - level`` of the probability, the loss at the VaR counted in part where it lies
on the boundary (Acerbi and Tasche, Journal of Banking and Finance 26 (2002), definition 2.6). So ES is coherent for any
sample, and both are exact for the sample: no interpolation.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tradsys.risk.covariance import DECAY_DAILY, decay_weights, ewma_volatilities
from tradsys.risk.distributions import binomial_cdf
from tradsys.risk.inputs import Floats, Problem, count, level_of, matrix, number, refusal, vector

_COUNT_ROUNDING = 1e-9  # 0.99 * 1000 observations is 990, not the next float above


class VarEs(NamedTuple):
    """Value at risk and expected shortfall, both losses in the unit of the P&L."""

    var: float
    es: float


class Interval(NamedTuple):
    """Bounds of a figure and the probability that they hold, which is at least the one asked for."""

    low: float
    high: float
    confidence: float


class Batch(NamedTuple):
    """VaR and ES of many portfolios."""

    var: Floats  # (portfolios,)
    es: Floats  # (portfolios,)


def historical_var_es(pnl: ArrayLike, level: float, *, weights: ArrayLike | None = None) -> VarEs:
    """VaR and ES of a sample of P&L.

    Parameters
    ----------
    pnl
        (observations,), profits positive.
    level
        In [0.5, 1), such as 0.99.
    weights
        (observations,) probabilities, not negative, any positive sum; equal if not given.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.

    Notes
    -----
    Exact for the sample. O(n) expected without weights, O(n log n) with them.
    """
    losses = -vector("pnl", pnl) + 0.0  # no -0.0 of a portfolio that does not move
    if weights is None:
        return _tail(losses, level_of(level))
    return _weighted_tail(losses, probabilities(weights, len(losses)), level_of(level))


def historical_batch(returns: ArrayLike, exposures: ArrayLike, level: float) -> Batch:
    """VaR and ES of many portfolios over the same history.

    Parameters
    ----------
    returns
        (observations, assets), fractions.
    exposures
        (assets, portfolios), amounts: what a return of 1 would earn.
    level
        In [0.5, 1).

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.

    Notes
    -----
    One matrix product and a partition of each portfolio: O(observations x assets x portfolios).
    """
    level_of(level)
    data = matrix("returns", returns)
    held = matrix("exposures", exposures, least=0)
    if held.shape[0] != data.shape[1]:
        raise refusal(Problem.SHAPE, f"exposures are of {held.shape[0]} assets, returns of {data.shape[1]}")
    losses = np.negative(held.T @ data.T) + 0.0
    kept = order_of_var(losses.shape[1], level)
    losses.partition(kept, axis=1)
    var = losses[:, kept].copy()
    beyond = losses[:, kept + 1 :].sum(axis=1)
    tail = losses.shape[1] * (1.0 - level)
    rest = tail - (losses.shape[1] - kept - 1)
    return Batch(var, (beyond + rest * var) / tail)


def age_weights(observations: int, decay: float = 0.98) -> Floats:
    """Weights (observations,) for ``historical_var_es`` that fall with age, oldest first.

    Boudoukh, Richardson and Whitelaw, "The best of both worlds", Risk 11 (1998): decay 0.97 to 0.99 a day.
    """
    return decay_weights(observations, decay)


def filtered_returns(
    returns: ArrayLike, decay: float = DECAY_DAILY, *, volatilities: ArrayLike | None = None
) -> Floats:
    """Returns rescaled to the volatility of now: each is divided by the forecast of its day, times the latest forecast.

    Parameters
    ----------
    returns
        (observations, assets), oldest first.
    decay
        Of the exponentially weighted volatility of each asset.
    volatilities
        (observations + 1, assets) forecasts to use instead, such as those of ``tradsys.risk.garch``; all above zero.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; SINGULAR: an asset that does not move at first.

    Notes
    -----
    Hull and White, "Incorporating volatility updating into the historical simulation method for value-at-risk", Journal
    of Risk 1 (1998). O(observations x assets).
    """
    data = matrix("returns", returns)
    if volatilities is None:
        columns = [ewma_volatilities(column, decay) for column in data.T]
        forecasts = np.column_stack(columns)
    else:
        forecasts = matrix("volatilities", volatilities, columns=data.shape[1])
        if len(forecasts) != len(data) + 1:
            raise refusal(Problem.SHAPE, f"volatilities need {len(data) + 1} rows, one more than the returns")
    if forecasts.min() <= 0.0:
        raise refusal(Problem.SINGULAR, "a volatility forecast is 0 or below: there is nothing to scale by")
    return np.asarray(data * (forecasts[-1] / forecasts[:-1]))


def var_interval(pnl: ArrayLike, level: float, confidence: float = 0.95) -> Interval:
    """Bounds of the historical VaR from order statistics, whatever the distribution of independent P&L.

    Parameters
    ----------
    pnl
        (observations,), profits positive.
    level
        In [0.5, 1).
    confidence
        In (0, 1); the bounds hold with at least this probability.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; TOO_SHORT: no order statistic bounds the VaR with this confidence.

    Notes
    -----
    The number of losses at or below the VaR is binomial(n, level): David and Nagaraja, Order Statistics (2003), 7.1. The
    lower bound is the largest, the upper the smallest order statistic whose own error is at most (1 - confidence)/2.
    """
    losses = np.sort(-vector("pnl", pnl))
    number("confidence", confidence, 0.0, 1.0)
    n, p, spare = len(losses), level_of(level), (1.0 - confidence) / 2.0
    # the r-th smallest loss is above the VaR's true value with probability P(Bin < r)
    low = _last(lambda r: binomial_cdf(r - 1, n, p) <= spare, n)
    high = _last(lambda r: 1.0 - binomial_cdf(r - 1, n, p) > spare, n) + 1
    if low < 1 or high > n:
        raise refusal(
            Problem.TOO_SHORT, f"{n} observations do not bound a VaR of {level:g} with {confidence:g}"
        )
    held = binomial_cdf(high - 1, n, p) - binomial_cdf(low - 1, n, p)
    return Interval(float(losses[low - 1]), float(losses[high - 1]), float(held))


def es_standard_error(pnl: ArrayLike, level: float) -> float:
    """Standard error of the ES of a sample of independent P&L.

    Notes
    -----
    ES is the mean of VaR + (loss - VaR)+ / (1 - level), and moving VaR moves it by nothing to first order: Manistre and
    Hancock, North American Actuarial Journal 9 (2005).

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; TOO_SHORT: one observation has no spread.
    """
    losses = -vector("pnl", pnl, least=2)
    var = _tail(losses, level_of(level)).var
    excess = np.maximum(losses - var, 0.0) / (1.0 - level)
    return float(excess.std(ddof=1) / math.sqrt(len(losses)))


def tail_weights(pnl: ArrayLike, level: float, *, weights: ArrayLike | None = None) -> Floats:
    """Weights (observations,) that sum to 1 with ES = -sum of weights x pnl: the tail, its boundary in part.

    Observations that tie with the VaR share what is left of the tail evenly by their probability.
    """
    losses = -vector("pnl", pnl)
    p = np.full(len(losses), 1.0 / len(losses)) if weights is None else probabilities(weights, len(losses))
    var = historical_var_es(pnl, level, weights=weights).var
    inside, edge = losses > var, losses == var
    tail = np.where(inside, p, 0.0)
    rest = max(1.0 - level - float(tail.sum()), 0.0)
    tail[edge] = p[edge] * (rest / float(p[edge].sum()))
    return np.asarray(tail / tail.sum())


def order_of_var(observations: int, level: float) -> int:
    """Index, from 0, of the VaR among the losses in rising order: the smallest k with (k + 1)/n >= level.

    Raises
    ------
    RiskError
        OUT_OF_RANGE.
    """
    rank = math.ceil(count("observations", observations, 1) * level_of(level) - _COUNT_ROUNDING)
    return min(max(rank, 1), observations) - 1


def probabilities(weights: ArrayLike, length: int) -> Floats:
    """Take weights, not negative, and scale their sum to 1.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE: also of their sum; OUT_OF_RANGE.
    """
    given = vector("weights", weights, length=length)
    with np.errstate(over="ignore"):
        total = float(given.sum())
    if not math.isfinite(total):
        raise refusal(Problem.NOT_FINITE, f"the sum of weights must be finite, is {total}")
    if given.min() < 0.0 or total <= 0.0:
        raise refusal(Problem.OUT_OF_RANGE, "weights must not be negative and not all be zero")
    return given / total


def _tail(losses: Floats, level: float) -> VarEs:
    kept = order_of_var(len(losses), level)
    parted = np.partition(losses, kept)
    var = float(parted[kept])
    beyond = parted[kept + 1 :]
    tail = len(losses) * (1.0 - level)
    return VarEs(var, float((beyond.sum() + (tail - len(beyond)) * var) / tail))


def _weighted_tail(losses: Floats, p: Floats, level: float) -> VarEs:
    order: NDArray[np.intp] = np.argsort(losses, kind="stable")
    ranked, reached = losses[order], np.cumsum(p[order])
    kept = min(int(np.searchsorted(reached, level - 1e-12)), len(losses) - 1)
    var = float(ranked[kept])
    beyond = slice(kept + 1, None)
    probability = float(p[order][beyond].sum())
    total = float(p[order][beyond] @ ranked[beyond])
    return VarEs(var, (total + (1.0 - level - probability) * var) / (1.0 - level))


def _last(holds, n: int) -> int:  # type: ignore[no-untyped-def]
    """Find the largest r in [0, n] for which ``holds``, true up to some r and false from there on; 0 if for none."""
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low
