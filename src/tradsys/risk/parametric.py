"""VaR and ES in closed form: normal, Student t, Cornish-Fisher; scaled to a horizon; with standard errors.

A portfolio is its mean and standard deviation of P&L over one step. ``portfolio_moments`` makes them of exposures,
mean returns and a covariance.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tradsys.risk.distributions import (
    normal_cdf,
    normal_pdf,
    normal_quantile,
    student_pdf,
    student_quantile,
)
from tradsys.risk.historical import Interval, VarEs
from tradsys.risk.inputs import Problem, count, level_of, number, refusal, symmetric, vector

_HUGE = 1e300


class Moments(NamedTuple):
    """P&L over one step."""

    mean: float  # amount
    deviation: float  # amount, not negative
    skewness: float = 0.0
    excess_kurtosis: float = 0.0  # 0 for the normal


def portfolio_moments(exposures: ArrayLike, covariance: ArrayLike, means: ArrayLike | None = None) -> Moments:
    """Mean and deviation of the P&L of exposures, linear in returns.

    Parameters
    ----------
    exposures
        (assets,) amounts.
    covariance
        (assets, assets) of returns, positive semi-definite.
    means
        (assets,) mean returns; zero if not given.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE; SINGULAR: the variance of the portfolio is below zero.
    """
    held = vector("exposures", exposures)
    square = symmetric("covariance", covariance, size=len(held))
    mean = 0.0 if means is None else float(vector("means", means, length=len(held)) @ held)
    variance = float(held @ square @ held)
    scale = float(np.abs(held) @ np.abs(square) @ np.abs(held))
    if variance < -1e-12 * scale:
        raise refusal(Problem.SINGULAR, f"the portfolio's variance is {variance:.3g}: repair the covariance")
    return Moments(mean, math.sqrt(max(variance, 0.0)))


def sample_moments(pnl: ArrayLike) -> Moments:
    """Mean, deviation (divisor n - 1), skewness and excess kurtosis (divisor n) of P&L.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE; TOO_SHORT: fewer than 4 observations; SINGULAR: they are all equal.
    """
    series = vector("pnl", pnl, least=4)
    centred = series - series.mean()
    variance = float(np.mean(centred**2))
    if variance <= (1e-15 * float(np.abs(series).max())) ** 2:
        raise refusal(Problem.SINGULAR, "the P&L never moves: it has no skewness")
    skewness = float(np.mean(centred**3)) / variance**1.5
    kurtosis = float(np.mean(centred**4)) / variance**2 - 3.0
    return Moments(float(series.mean()), float(series.std(ddof=1)), skewness, kurtosis)


def scaled(moments: Moments, steps: float) -> Moments:
    """Moments of the sum of ``steps`` > 0 independent steps: mean x h, deviation x sqrt(h), skewness / sqrt(h), kurtosis / h.

    Raises
    ------
    RiskError
        OUT_OF_RANGE.
    """
    h = number("steps", steps, 0.0, _HUGE)
    _check_moments(moments)
    root = math.sqrt(h)
    return Moments(
        moments.mean * h, moments.deviation * root, moments.skewness / root, moments.excess_kurtosis / h
    )


def normal_var_es(mean: float, deviation: float, level: float) -> VarEs:
    """VaR and ES of a normal P&L: z d - m and d phi(z)/(1 - level) - m (McNeil, Frey, Embrechts 2015, examples 2.11, 2.14).

    Parameters
    ----------
    mean, deviation
        Amounts; the deviation not negative. Zero deviation: a sure loss of -mean.
    level
        In [0.5, 1).

    Raises
    ------
    RiskError
        OUT_OF_RANGE.
    """
    _check(mean, deviation, level)
    z = normal_quantile(level)
    return VarEs(deviation * z - mean, deviation * normal_pdf(z) / (1.0 - level) - mean)


def student_var_es(mean: float, deviation: float, level: float, dof: float) -> VarEs:
    """VaR and ES of a Student t P&L of the given standard deviation.

    Parameters
    ----------
    mean, deviation
        Amounts. The deviation is the standard deviation, not the scale: the scale is deviation x sqrt((dof - 2)/dof).
    level
        In [0.5, 1).
    dof
        Degrees of freedom, above 2.

    Raises
    ------
    RiskError
        OUT_OF_RANGE.

    Notes
    -----
    McNeil, Frey, Embrechts, Quantitative Risk Management (2015), equation 2.25:
    ES = scale x density(q)/(1 - level) x (dof + q^2)/(dof - 1) - mean.
    """
    _check(mean, deviation, level)
    number("dof", dof, 2.0, _HUGE)
    scale = deviation * math.sqrt((dof - 2.0) / dof)
    q = student_quantile(level, dof)
    es = student_pdf(q, dof) / (1.0 - level) * (dof + q * q) / (dof - 1.0)
    return VarEs(scale * q - mean, scale * es - mean)


def cornish_fisher_var_es(moments: Moments, level: float) -> VarEs:
    """VaR and ES of the Cornish-Fisher expansion of a P&L with skewness and kurtosis.

    Parameters
    ----------
    moments
        Of the P&L.
    level
        In [0.5, 1).

    Raises
    ------
    RiskError
        OUT_OF_RANGE, also where the expansion is no distribution: its quantile falls somewhere beyond the VaR.

    Notes
    -----
    Quantile of the loss in normal quantiles z, with skewness s of the loss and excess kurtosis k (Cornish and Fisher 1937;
    Zangari, RiskMetrics Monitor 1996): w(z) = z + (z^2 - 1)s/6 + (z^3 - 3z)k/24 - (2z^3 - 5z)s^2/36. ES is the integral
    of w over the tail, exact from the truncated moments of the normal.
    """
    level_of(level)
    _check_moments(moments)
    z, s, k = normal_quantile(level), -moments.skewness, moments.excess_kurtosis
    cubic, square, linear = k / 24.0 - s * s / 18.0, s / 6.0, 1.0 - k / 8.0 + 5.0 * s * s / 36.0
    if not _rises(cubic, square, linear, z):
        raise refusal(
            Problem.OUT_OF_RANGE,
            f"skewness {moments.skewness:.3g} and excess kurtosis {k:.3g} are beyond what Cornish-Fisher holds at {level:g}",
        )
    var = cubic * z**3 + square * z * z + linear * z - square
    height = normal_pdf(z) / (1.0 - level)
    first, second, third = height, 1.0 + z * height, (z * z + 2.0) * height  # E[Z^j | Z > z]
    es = cubic * third + square * second + linear * first - square
    return VarEs(moments.deviation * var - moments.mean, moments.deviation * es - moments.mean)


def normal_var_interval(
    deviation: float, observations: int, level: float, confidence: float = 0.95
) -> Interval:
    """Bounds of a normal VaR whose deviation and mean were estimated from so many observations.

    Raises
    ------
    RiskError
        OUT_OF_RANGE.

    Notes
    -----
    Standard error d sqrt((1 + z^2/2)/n): Jorion, Financial Analysts Journal 52 (1996); asymptotic in n.
    """
    _check(0.0, deviation, level)
    number("confidence", confidence, 0.0, 1.0)
    z = normal_quantile(level)
    error = deviation * math.sqrt((1.0 + 0.5 * z * z) / count("observations", observations, 2))
    reach = normal_quantile(0.5 + 0.5 * confidence) * error
    return Interval(deviation * z - reach, deviation * z + reach, confidence)


def student_dof(pnl: ArrayLike) -> float:
    """Degrees of freedom of Student's t with the excess kurtosis of the P&L: 4 + 6/k, infinite where k <= 0.

    Raises
    ------
    RiskError
        As ``sample_moments``.
    """
    kurtosis = sample_moments(pnl).excess_kurtosis
    return 4.0 + 6.0 / kurtosis if kurtosis > 0.0 else math.inf


def normal_tail_probability(mean: float, deviation: float, loss: float) -> float:
    """Probability that a normal P&L loses more than ``loss``.

    Raises
    ------
    RiskError
        OUT_OF_RANGE.
    """
    number("mean", mean, -_HUGE, _HUGE)
    number("deviation", deviation, 0.0, _HUGE, closed=True)
    number("loss", loss, -_HUGE, _HUGE)
    if deviation == 0.0:
        return 1.0 if -mean > loss else 0.0
    return float(normal_cdf(-(loss + mean) / deviation))


def _rises(cubic: float, square: float, linear: float, z: float) -> bool:
    """Tell whether the quantile's slope is above zero from z on."""

    def slope(x: float) -> float:
        return 3.0 * cubic * x * x + 2.0 * square * x + linear

    if cubic < 0.0 or (cubic == 0.0 and square < 0.0):
        return False
    lowest = -square / (3.0 * cubic) if cubic > 0.0 else z
    return slope(max(lowest, z)) > 0.0


def _check_moments(moments: Moments) -> None:
    number("mean", moments.mean, -_HUGE, _HUGE)
    number("deviation", moments.deviation, 0.0, _HUGE, closed=True)
    number("skewness", moments.skewness, -_HUGE, _HUGE)
    number("excess_kurtosis", moments.excess_kurtosis, -_HUGE, _HUGE)


def _check(mean: float, deviation: float, level: float) -> None:
    level_of(level)
    number("mean", mean, -_HUGE, _HUGE)
    number("deviation", deviation, 0.0, _HUGE, closed=True)
