"""Covariances of returns: sample, exponentially weighted, shrunk, of gappy or asynchronous data; and their repair.

Nothing is repaired silently. A function gives what the data say; ``repair`` makes a matrix positive and reports by how
much it changed it; ``factor`` refuses what is not positive semi-definite.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tradsys.risk.inputs import Floats, Problem, count, gappy, matrix, number, refusal, symmetric, vector
from tradsys.risk.kernel import kernel

DECAY_DAILY = 0.94  # RiskMetrics Technical Document, 4th edition (1996), section 5.3.2
DECAY_MONTHLY = 0.97


class Shrunk(NamedTuple):
    """A covariance between the sample's and a multiple of the identity."""

    covariance: Floats  # (assets, assets)
    intensity: float  # 0: the sample, 1: the identity times the mean variance


class Repair(NamedTuple):
    """A matrix made positive, and how far it is from the one given."""

    covariance: Floats  # (assets, assets)
    changed: bool
    smallest_eigenvalue: float  # of the correlation matrix given
    eigenvalues_raised: int
    largest_change: float  # of any correlation, absolute


class Factor(NamedTuple):
    """A square root of a covariance: ``root @ root.T`` is it."""

    root: Floats  # (assets, rank)
    rank: int


def sample_covariance(returns: ArrayLike, *, mean_zero: bool = False) -> Floats:
    """Unbiased covariance of returns.

    Parameters
    ----------
    returns
        (observations, assets), at least 2 observations (1 with ``mean_zero``), finite.
    mean_zero
        Take the mean as 0 instead of estimating it; the divisor is then the number of observations.

    Returns
    -------
    (assets, assets), symmetric; of lower rank when there are not more observations than assets.

    Raises
    ------
    RiskError
        EMPTY, TOO_SHORT, SHAPE or NOT_FINITE.
    """
    data = matrix("returns", returns, least=1 if mean_zero else 2)
    if mean_zero:
        return _even(data.T @ data / len(data))
    centred = data - data.mean(axis=0)
    return _even(centred.T @ centred / (len(data) - 1))


def decay_weights(observations: int, decay: float) -> Floats:
    """Weights (observations,) that fall by ``decay`` in (0, 1] a step into the past, oldest first, and sum to 1."""
    number("decay", decay, 0.0, 1.0 + 1e-15)
    powers = decay ** np.arange(count("observations", observations, 1) - 1, -1, -1, dtype=np.float64)
    return np.asarray(powers / powers.sum())


def ewma_covariance(returns: ArrayLike, decay: float = DECAY_DAILY) -> Floats:
    """Exponentially weighted covariance with mean zero: the forecast for the step after the last observation.

    Parameters
    ----------
    returns
        (observations, assets), oldest first, finite.
    decay
        In (0, 1): 0.94 for days, 0.97 for months.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE or OUT_OF_RANGE.

    Notes
    -----
    Sum of w_i r_i r_i' with weights w_i proportional to decay^i that sum to 1 (RiskMetrics 1996, equation 5.3).
    O(observations x assets^2), one matrix product.
    """
    data = matrix("returns", returns)
    weighted = data * np.sqrt(decay_weights(len(data), number("decay", decay, 0.0, 1.0)))[:, None]
    return _even(weighted.T @ weighted)


@kernel("float64[::1](float64[::1], float64, float64)")
def _variances(returns, decay, start):  # type: ignore[no-untyped-def]
    variances = np.empty(len(returns) + 1)
    variances[0] = start
    for i in range(len(returns)):
        variances[i + 1] = decay * variances[i] + (1.0 - decay) * returns[i] * returns[i]
    return variances


def ewma_volatilities(returns: ArrayLike, decay: float = DECAY_DAILY, *, start: int = 60) -> Floats:
    """Volatility forecast before each observation, and after the last: (observations + 1,).

    Parameters
    ----------
    returns
        (observations,), oldest first.
    decay
        In (0, 1).
    start
        The recursion starts from the mean square of the first ``start`` observations, or of all if there are fewer.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; SINGULAR: all starting returns are zero.

    Notes
    -----
    v[i+1] = decay v[i] + (1 - decay) r[i]^2 (RiskMetrics 1996, equation 5.7). O(observations).
    """
    series = vector("returns", returns)
    number("decay", decay, 0.0, 1.0)
    first = float(np.mean(np.square(series[: count("start", start, 1)])))
    if first <= 0.0:
        raise refusal(
            Problem.SINGULAR, f"the first {start} returns are all zero: there is no volatility to start from"
        )
    return np.sqrt(np.asarray(_variances(series, decay, first)))


def ledoit_wolf(returns: ArrayLike) -> Shrunk:
    """Covariance shrunk towards the identity times the mean variance, with the intensity the data ask for.

    Parameters
    ----------
    returns
        (observations, assets), at least 2 observations, finite. More assets than observations are welcome.

    Raises
    ------
    RiskError
        EMPTY, TOO_SHORT, SHAPE, NOT_FINITE; SINGULAR: no asset moves.

    Notes
    -----
    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of Multivariate
    Analysis 88 (2004), section 3.2: S = X'X/n of centred data, m = tr S/p, d2 = |S - m I|^2, b2 = min(d2, sum of
    |x x' - S|^2 / n^2), norms squared over p; the intensity is b2/d2. The divisor is n, as in the paper.
    O(observations x assets^2).
    """
    data = matrix("returns", returns, least=2)
    n, p = data.shape
    centred = data - data.mean(axis=0)
    sample = centred.T @ centred / n
    mean_variance = float(np.trace(sample)) / p
    if mean_variance <= 0.0:
        raise refusal(Problem.SINGULAR, "no asset moves: there is no covariance to shrink")
    squares = float(np.sum(sample * sample))
    distance = squares / p - mean_variance**2
    # |x x' - S|^2 summed over observations is sum of |x|^4 - n |S|^2
    noise = (float(np.sum(np.square(np.sum(centred * centred, axis=1)))) / n - squares) / (n * p)
    intensity = 1.0 if distance <= 0.0 else min(max(noise, 0.0), distance) / distance
    shrunk = (1.0 - intensity) * sample
    shrunk[np.diag_indices(p)] += intensity * mean_variance
    return Shrunk(_even(shrunk), float(intensity))


def pairwise_covariance(returns: ArrayLike, *, least: int = 2) -> Floats:
    """Covariance where each pair uses the days on which both have a return; it may be indefinite: see ``repair``.

    Parameters
    ----------
    returns
        (observations, assets); NaN where there is no return.
    least
        Fewest common days a pair must have, at least 2.

    Raises
    ------
    RiskError
        SHAPE, EMPTY, NOT_FINITE (infinite), OUT_OF_RANGE; TOO_SHORT: a pair has fewer common days, and is named.

    Notes
    -----
    Means are those of the common days of the pair. O(observations x assets^2), three matrix products.
    """
    data = gappy("returns", returns)
    known = ~np.isnan(data)
    filled, ones = np.where(known, data, 0.0), known.astype(np.float64)
    common = ones.T @ ones
    if common.min() < count("least", least, 2):
        i, j = np.unravel_index(int(common.argmin()), common.shape)
        raise refusal(
            Problem.TOO_SHORT, f"assets {i} and {j} have {int(common.min())} common days, needed are {least}"
        )
    sums = filled.T @ ones  # sums[i, j]: sum of i over the days on which j is there too
    return _even((filled.T @ filled - sums * sums.T / common) / (common - 1.0))


def lead_lag_covariance(returns: ArrayLike, lags: int = 1) -> Floats:
    """Covariance of markets that close at different hours: autocovariances of neighbouring days are counted in.

    Parameters
    ----------
    returns
        (observations, assets), finite, more observations than lags + 1.
    lags
        In [1, observations - 2]; 1 for markets around the globe.

    Raises
    ------
    RiskError
        SHAPE, EMPTY, TOO_SHORT, NOT_FINITE, OUT_OF_RANGE.

    Notes
    -----
    C0 + sum of w_k (C_k + C_k') with w_k = 1 - k/(lags + 1): Newey and West, Econometrica 55 (1987), whose weights keep
    it positive semi-definite. Scholes and Williams (1977) use w = 1, which may not.
    """
    data = matrix("returns", returns, least=count("lags", lags, 1) + 2)
    centred = data - data.mean(axis=0)
    total = centred.T @ centred
    for lag in range(1, lags + 1):
        product = centred[lag:].T @ centred[:-lag]
        total += (1.0 - lag / (lags + 1.0)) * (product + product.T)
    return _even(total / len(data))


def correlation(covariance: ArrayLike) -> Floats:
    """Correlation matrix of a covariance; an asset that does not move is uncorrelated with all others.

    Raises
    ------
    RiskError
        SHAPE, EMPTY, NOT_FINITE; SINGULAR: a variance below zero.
    """
    given = symmetric("covariance", covariance)
    deviations = np.sqrt(_variances_of(given))
    safe = np.where(deviations > 0.0, deviations, 1.0)
    result = given / np.outer(safe, safe)
    np.fill_diagonal(result, 1.0)
    return np.asarray(result)


def repair(covariance: ArrayLike, *, floor: float = 1e-10) -> Repair:
    """Make a covariance positive definite: eigenvalues of its correlations below ``floor`` are raised to it.

    Variances stay as they are. A matrix that needs nothing is given back unchanged.

    Parameters
    ----------
    covariance
        (assets, assets), symmetric, variances above zero.
    floor
        Smallest eigenvalue of the correlation matrix wanted, in (0, 1).

    Raises
    ------
    RiskError
        SHAPE, EMPTY, NOT_FINITE, OUT_OF_RANGE; SINGULAR: a variance of zero or below, which no repair can mend.

    Notes
    -----
    Spectral method of Rebonato and Jaeckel, Journal of Risk 2 (2000): raise, then rescale to a unit diagonal, so the
    smallest eigenvalue may end a little below the floor but above zero. O(assets^3).
    """
    given = symmetric("covariance", covariance)
    number("floor", floor, 0.0, 1.0)
    deviations = np.sqrt(_variances_of(given))
    if deviations.min() <= 0.0:
        raise refusal(Problem.SINGULAR, f"asset {int(deviations.argmin())} has a variance of 0; leave it out")
    scale = np.outer(deviations, deviations)
    before = given / scale
    values, vectors = np.linalg.eigh(before)
    low = values < floor
    if not low.any():
        return Repair(given, False, float(values[0]), 0, 0.0)
    raised = (vectors * np.maximum(values, floor)) @ vectors.T
    unit = np.sqrt(np.diag(raised))
    after = _even(raised / np.outer(unit, unit))
    np.fill_diagonal(after, 1.0)
    change = float(np.abs(after - before).max())
    return Repair(_even(after * scale), True, float(values[0]), int(low.sum()), change)


def factor(covariance: ArrayLike, *, tolerance: float = 1e-10) -> Factor:
    """Take a square root of a covariance, of full or lower rank: Cholesky where it holds, else eigenvectors.

    Parameters
    ----------
    covariance
        (assets, assets), symmetric positive semi-definite.
    tolerance
        In (0, 1): eigenvalues in [-tolerance, tolerance] times the largest count as zero.

    Raises
    ------
    RiskError
        SHAPE, EMPTY, NOT_FINITE, OUT_OF_RANGE; SINGULAR: an eigenvalue below -tolerance times the largest: ``repair`` it first.
    """
    given = symmetric("covariance", covariance)
    number("tolerance", tolerance, 0.0, 1.0)
    try:
        root = np.asarray(np.linalg.cholesky(given), dtype=np.float64)
        if np.diag(root).min() > np.sqrt(tolerance) * np.diag(root).max():
            return Factor(root, len(root))
    except np.linalg.LinAlgError:
        pass  # of lower rank or indefinite: the eigenvalues tell
    values, vectors = np.linalg.eigh(given)
    limit = tolerance * max(float(values[-1]), 0.0)
    if values[0] < -limit:
        raise refusal(
            Problem.SINGULAR,
            f"the covariance has an eigenvalue of {values[0]:.3g}: repair it before it is used",
        )
    kept = values > limit
    root = np.ascontiguousarray((vectors[:, kept] * np.sqrt(values[kept]))[:, ::-1], dtype=np.float64)
    return Factor(root, int(kept.sum()))


def _variances_of(covariance: Floats) -> Floats:
    variances = np.diag(covariance)
    if variances.min() < 0.0:
        raise refusal(
            Problem.SINGULAR, f"asset {int(variances.argmin())} has a variance of {variances.min()}"
        )
    return np.asarray(variances)


def _even(square: Floats) -> Floats:
    """Average out the rounding between a matrix and its transpose."""
    return np.asarray((square + square.T) / 2.0)
