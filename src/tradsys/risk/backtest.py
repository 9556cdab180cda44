"""Does a VaR or an ES hold? Kupiec, Christoffersen, the Basel traffic light, Acerbi and Szekely.

A hit, or exception, is a day whose loss is beyond the VaR forecast for it: pnl < -var.
"""

import math
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tradsys.risk.distributions import binomial_cdf, chi_square_survival
from tradsys.risk.historical import order_of_var
from tradsys.risk.inputs import Floats, Problem, count, level_of, matrix, number, refusal, vector


class LikelihoodRatio(NamedTuple):
    """A test statistic, chi-square if the VaR is right, and the probability of one as large."""

    statistic: float
    p_value: float


class Independence(NamedTuple):
    """Christoffersen's test of independence and the transitions it counts: ``n01`` is no hit, then a hit."""

    statistic: float
    p_value: float
    n00: int
    n01: int
    n10: int
    n11: int


class Zone(StrEnum):
    """Zones of the Basel framework."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


class TrafficLight(NamedTuple):
    """The Basel zone of a number of exceptions."""

    zone: Zone
    plus_factor: float  # added to the multiplier 3
    probability: float  # of so many exceptions or fewer, if the VaR is right


class ShortfallTest(NamedTuple):
    """Acerbi and Szekely's statistics: 0 expected, below 0 where the ES was too small; NaN without what they need."""

    z1: float  # of the size of the losses beyond the VaR; NaN without a hit
    z2: float  # of their size and number
    p_value_z1: float  # from simulation; NaN if it was not asked for
    p_value_z2: float


class Backtest(NamedTuple):
    """All tests of one series of forecasts."""

    observations: int
    exceptions: int
    expected: float
    pof: LikelihoodRatio
    independence: Independence
    coverage: LikelihoodRatio
    light: TrafficLight


def hits(pnl: ArrayLike, var: ArrayLike) -> NDArray[np.bool_]:
    """Days (observations,) on which the loss was beyond the forecast.

    Parameters
    ----------
    pnl
        (observations,), profits positive.
    var
        (observations,) forecasts made before each day, losses positive; or one number for all days.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE.
    """
    series = vector("pnl", pnl)
    is_one = isinstance(var, int | float | np.number)
    forecasts = vector("var", np.broadcast_to(var, series.shape) if is_one else var, length=len(series))
    return np.asarray(series < -forecasts)


def kupiec(observations: int, exceptions: int, level: float) -> LikelihoodRatio:
    """Proportion of failures: test whether the number of exceptions is what the level says.

    Parameters
    ----------
    observations, exceptions
        Days, at least 1, and hits among them.
    level
        In [0.5, 1).

    Raises
    ------
    RiskError
        OUT_OF_RANGE.

    Notes
    -----
    Kupiec, "Techniques for verifying the accuracy of risk measurement models", Journal of Derivatives 3 (1995):
    LR = 2 log(likelihood at x/n / likelihood at 1 - level), chi-square of 1 degree.
    """
    n = count("observations", observations, 1)
    x = count("exceptions", exceptions, 0, n)
    p = 1.0 - level_of(level)
    statistic = 2.0 * (_log_likelihood(n - x, x, x / n) - _log_likelihood(n - x, x, p))
    return _ratio(statistic, 1)


def independence(days: ArrayLike) -> Independence:
    """Do hits follow hits? Christoffersen's test against a first-order Markov chain.

    Parameters
    ----------
    days
        (observations,) whether each day was a hit, at least 2.

    Raises
    ------
    RiskError
        EMPTY, TOO_SHORT, SHAPE.

    Notes
    -----
    Christoffersen, "Evaluating interval forecasts", International Economic Review 39 (1998), section 3.2; chi-square of 1
    degree. Without a hit, or with nothing but hits, the chains cannot be told apart and the statistic is 0.
    """
    series = vector("days", days, least=2) != 0.0
    before, after = series[:-1], series[1:]
    n00, n01 = int(np.sum(~before & ~after)), int(np.sum(~before & after))
    n10, n11 = int(np.sum(before & ~after)), int(np.sum(before & after))
    split = _log_likelihood(n00, n01, _share(n01, n00)) + _log_likelihood(n10, n11, _share(n11, n10))
    joint = _log_likelihood(n00 + n10, n01 + n11, _share(n01 + n11, n00 + n10))
    ratio = _ratio(2.0 * (split - joint), 1)
    return Independence(ratio.statistic, ratio.p_value, n00, n01, n10, n11)


def conditional_coverage(days: ArrayLike, level: float) -> LikelihoodRatio:
    """Are the hits as many as they should be, and independent? Sum of both statistics, chi-square of 2 degrees.

    Christoffersen (1998), section 3.3.
    """
    series = vector("days", days, least=2) != 0.0
    single = kupiec(len(series), int(series.sum()), level)
    return _ratio(single.statistic + independence(series).statistic, 2)


_PLUS_FACTORS = (0.40, 0.50, 0.65, 0.75, 0.85)  # of 5 to 9 exceptions in 250 days at 0.99


def traffic_light(exceptions: int, observations: int = 250, level: float = 0.99) -> TrafficLight:
    """Zone of the Basel framework: yellow from a cumulative probability of 95 %, red from 99.99 %.

    Parameters
    ----------
    exceptions, observations
        Hits among days.
    level
        In [0.5, 1).

    Raises
    ------
    RiskError
        OUT_OF_RANGE.

    Notes
    -----
    Basel Committee, "Supervisory framework for the use of backtesting" (January 1996), table 2 and annex. The plus factors
    are the table's for 250 days at 99 %; elsewhere the yellow zone's are those of the table's cumulative probabilities.
    """
    n = count("observations", observations, 1)
    x = count("exceptions", exceptions, 0, n)
    p = 1.0 - level_of(level)
    reached = float(binomial_cdf(x, n, p))
    # the zone is that of P(X <= x): the least x with 95 % is the first yellow one
    if reached < 0.95:
        return TrafficLight(Zone.GREEN, 0.0, reached)
    if reached >= 0.9999:
        return TrafficLight(Zone.RED, 1.0, reached)
    steps = [float(binomial_cdf(k, 250, 0.01)) for k in range(6, 10)]
    return TrafficLight(Zone.YELLOW, _PLUS_FACTORS[sum(reached >= step - 1e-12 for step in steps)], reached)


def acerbi_szekely(pnl: ArrayLike, var: ArrayLike, es: ArrayLike, level: float) -> ShortfallTest:
    """Statistics of an ES back-test.

    Parameters
    ----------
    pnl, var, es
        (observations,): what happened, and the forecasts for each day, losses positive, es above 0.
    level
        In [0.5, 1).

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.

    Notes
    -----
    Acerbi and Szekely, "Backtesting expected shortfall", Risk (December 2014), tests 1 and 2:
    Z1 = sum(hit x pnl/es)/hits + 1, Z2 = sum(hit x pnl/es)/(n (1 - level)) + 1. At level 0.975 and 250 days Z2 below -0.70
    rejects at 5 %, below -1.8 at 0.01 %, for distributions from Student 3 to normal. ``simulated_p_values`` does better.
    """
    series = vector("pnl", pnl)
    shortfalls = vector("es", es, length=len(series))
    if shortfalls.min() <= 0.0:
        raise refusal(Problem.OUT_OF_RANGE, f"es must be above 0, was {shortfalls.min()}")
    days = hits(series, var)
    total = float(np.sum(series[days] / shortfalls[days]))
    found = int(days.sum())
    z1 = total / found + 1.0 if found else math.nan
    return ShortfallTest(z1, total / (len(series) * (1.0 - level_of(level))) + 1.0, math.nan, math.nan)


def simulated_p_values(
    test: ShortfallTest, var: ArrayLike, es: ArrayLike, level: float, paths: ArrayLike
) -> ShortfallTest:
    """Fill in the p-values: how often P&L drawn from the forecasts gives a statistic as low.

    Parameters
    ----------
    test
        What ``acerbi_szekely`` found.
    var, es
        (observations,) the forecasts it was found with.
    level
        In [0.5, 1).
    paths
        (simulations, observations) P&L drawn from the forecast distribution of each day.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.
    """
    shortfalls = vector("es", es)
    forecasts = vector("var", var, length=len(shortfalls))
    drawn = matrix("paths", paths)
    if drawn.shape[1] != len(shortfalls):
        raise refusal(Problem.SHAPE, f"paths must be (simulations, {len(shortfalls)}), are {drawn.shape}")
    if shortfalls.min() <= 0.0:
        raise refusal(Problem.OUT_OF_RANGE, f"es must be above 0, was {shortfalls.min()}")
    beyond = drawn < -forecasts
    sums = np.where(beyond, drawn / shortfalls, 0.0).sum(axis=1)
    found = beyond.sum(axis=1)
    z2 = sums / (len(shortfalls) * (1.0 - level_of(level))) + 1.0
    z1 = sums[found > 0] / found[found > 0] + 1.0
    p1 = float(np.mean(z1 <= test.z1)) if len(z1) and not math.isnan(test.z1) else math.nan
    return test._replace(p_value_z1=p1, p_value_z2=float(np.mean(z2 <= test.z2)))


def backtest(pnl: ArrayLike, var: ArrayLike, level: float) -> Backtest:
    """Run all tests of a series of VaR forecasts; parameters as ``hits``, at least 2 observations."""
    days = hits(pnl, var)
    found = int(days.sum())
    return Backtest(
        len(days),
        found,
        len(days) * (1.0 - level_of(level)),
        kupiec(len(days), found, level),
        independence(days),
        conditional_coverage(days, level),
        traffic_light(found, len(days), level),
    )


def nonrejection_region(observations: int, level: float, confidence: float = 0.95) -> tuple[int, int]:
    """Smallest and largest number of exceptions that Kupiec's test does not reject.

    Raises
    ------
    RiskError
        OUT_OF_RANGE.
    """
    number("confidence", confidence, 0.0, 1.0)
    n = count("observations", observations, 1)
    kept = [x for x in range(n + 1) if kupiec(n, x, level).p_value >= 1.0 - confidence]
    if not kept:
        raise refusal(Problem.OUT_OF_RANGE, f"no number of exceptions in {n} days is accepted")
    return kept[0], kept[-1]


def rolling_forecasts(pnl: ArrayLike, window: int, level: float) -> Floats:
    """Historical VaR of the ``window`` days before each day from the window-th on: (observations - window,).

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; TOO_SHORT: no day is left to forecast.
    """
    series = vector("pnl", pnl, least=count("window", window, 1) + 1)
    views = np.lib.stride_tricks.sliding_window_view(-series[:-1], window)
    kept = order_of_var(window, level_of(level))
    return np.asarray(np.partition(views, kept, axis=1)[:, kept])


def rolling_shortfalls(pnl: ArrayLike, window: int, level: float) -> Floats:
    """Historical ES of the ``window`` days before each day from the window-th on: (observations - window,).

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; TOO_SHORT: no day is left to forecast.

    Notes
    -----
    The mean of the worst ``1 - level`` of each window, its boundary counted in part, as ``historical_var_es``.
    """
    series = vector("pnl", pnl, least=count("window", window, 1) + 1)
    views = np.lib.stride_tricks.sliding_window_view(-series[:-1], window)
    kept, tail = order_of_var(window, level_of(level)), window * (1.0 - level)
    parted = np.partition(views, kept, axis=1)
    beyond = parted[:, kept + 1 :].sum(axis=1)
    return np.asarray((beyond + (tail - (window - kept - 1)) * parted[:, kept]) / tail)


def _log_likelihood(misses: int, found: int, p: float) -> float:
    """Log-likelihood of independent hits of probability p; 0 log 0 is 0."""
    first = misses * math.log1p(-p) if misses else 0.0
    return first + (found * math.log(p) if found else 0.0)


def _share(found: int, misses: int) -> float:
    return found / (found + misses) if found + misses else 0.0


def _ratio(statistic: float, dof: int) -> LikelihoodRatio:
    positive = max(statistic, 0.0)  # a maximum less itself may round below zero
    return LikelihoodRatio(positive, float(chi_square_survival(positive, dof)))
