"""Normal, Student t, beta and binomial probabilities as kernels of numbers: no import of SciPy on the way to a VaR.

Accuracy against SciPy: relative 1e-13 for the normal, 1e-9 for the others (tests/risk/test_distributions.py).
"""

import math

import numpy as np

from tradsys.risk.kernel import kernel

_SQRT2 = math.sqrt(2.0)
_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_TINY = 1e-300
_FRACTION_STEPS_MAX = 1000  # the continued fraction needs O(sqrt(max(a, b))) steps


@kernel("float64(float64)")
def normal_pdf(x):  # type: ignore[no-untyped-def]
    """Density of the standard normal at x."""
    return math.exp(-0.5 * x * x - _LOG_SQRT_2PI)


@kernel("float64(float64)")
def normal_cdf(x):  # type: ignore[no-untyped-def]
    """Probability that a standard normal is at most x."""
    return 0.5 * math.erfc(-x / _SQRT2)


@kernel("float64(float64)")
def normal_quantile(p):  # type: ignore[no-untyped-def]
    """Give the x below which a standard normal lies with probability p in (0, 1); -inf and inf at the ends, else NaN.

    Notes
    -----
    Acklam's rational start (relative error 1e-9) and one step of Halley on ``erfc``, which makes it exact to a few ulp.
    """
    if p <= 0.0 or p >= 1.0 or p != p:
        if p == 0.0:
            return -np.inf
        return np.inf if p == 1.0 else np.nan
    tail = min(p, 1.0 - p)
    if tail > 0.02425:
        q = p - 0.5
        r = q * q
        top = ((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.3577518672690) * r
               - 30.66479806614716) * r + 2.506628277459239  # fmt: skip
        low = ((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r
               - 13.28068155288572) * r + 1.0  # fmt: skip
        x = q * top / low
    else:
        q = math.sqrt(-2.0 * math.log(tail))
        top = ((((-0.007784894002430293 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q
               + 4.374664141464968) * q + 2.938163982698783  # fmt: skip
        low = (
            ((0.007784695709041462 * q + 0.3224671290700398) * q + 2.445134137142996) * q + 3.754408661907416
        ) * q + 1.0
        x = top / low if p < 0.5 else -top / low
    # in the tail the smaller probability is compared, so nothing cancels
    if x < 0.0:
        error = 0.5 * math.erfc(-x / _SQRT2) - p
    else:
        error = (1.0 - p) - 0.5 * math.erfc(x / _SQRT2)
    step = error * math.exp(0.5 * x * x + _LOG_SQRT_2PI)
    return x - step / (1.0 + 0.5 * x * step)


@kernel("float64(float64, float64, float64)")
def beta_probability(a, b, x):  # type: ignore[no-untyped-def]
    """Regularised incomplete beta function I_x(a, b) for a, b > 0 and x in [0, 1]; NaN for other a, b.

    Notes
    -----
    Continued fraction by Lentz's method on the side where it converges fast: Abramowitz and Stegun 26.5.8.
    """
    if not (a > 0.0 and b > 0.0):
        return np.nan
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    swapped = x > (a + 1.0) / (a + b + 2.0)
    if swapped:
        a, b, x = b, a, 1.0 - x
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    fraction = d
    for m in range(1, _FRACTION_STEPS_MAX):
        even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        d = 1.0 + even * d
        c = 1.0 + even / c
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        fraction *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        d = 1.0 + odd * d
        c = 1.0 + odd / c
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        fraction *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    value = front * fraction / a
    return 1.0 - value if swapped else value


@kernel("float64(float64, float64)")
def student_pdf(x, dof):  # type: ignore[no-untyped-def]
    """Density at x of Student's t with dof > 0 degrees of freedom; NaN for other dof."""
    if not 0.0 < dof < np.inf:
        return np.nan
    log_front = math.lgamma(0.5 * (dof + 1.0)) - math.lgamma(0.5 * dof) - 0.5 * math.log(dof * math.pi)
    return math.exp(log_front - 0.5 * (dof + 1.0) * math.log1p(x * x / dof))


@kernel("float64(float64, float64)")
def student_cdf(x, dof):  # type: ignore[no-untyped-def]
    """Probability that Student's t with dof > 0 degrees of freedom is at most x; NaN for other dof."""
    if not 0.0 < dof < np.inf:
        return np.nan
    if x * x < dof:  # the side on which nothing cancels
        half = 0.5 * beta_probability(0.5, 0.5 * dof, x * x / (dof + x * x))
        return 0.5 + half if x > 0.0 else 0.5 - half
    tail = 0.5 * beta_probability(0.5 * dof, 0.5, dof / (dof + x * x))
    return tail if x < 0.0 else 1.0 - tail


@kernel("float64(float64, float64)")
def student_quantile(p, dof):  # type: ignore[no-untyped-def]
    """Give the x below which Student's t with dof > 0 degrees of freedom lies with probability p in (0, 1); NaN for other dof.

    Notes
    -----
    Bisection of the lower tail to a bracket, then Newton steps kept inside it; symmetric in p.
    """
    if not 0.0 < dof < np.inf:
        return np.nan
    if not 0.0 < p < 1.0:
        return -np.inf if p == 0.0 else (np.inf if p == 1.0 else np.nan)
    if p == 0.5:
        return 0.0
    tail = min(p, 1.0 - p)
    low = -1.0
    while student_cdf(low, dof) > tail:
        low *= 2.0
        if low < -1e150:
            return -np.inf if p < 0.5 else np.inf
    high = 0.0 if low == -1.0 else 0.5 * low
    x = 0.5 * (low + high)
    for _ in range(200):
        error = student_cdf(x, dof) - tail
        if error > 0.0:
            high = x
        else:
            low = x
        moved = x - error / student_pdf(x, dof)
        if not low < moved < high:
            moved = 0.5 * (low + high)
        if abs(moved - x) <= 1e-15 * abs(x):
            x = moved
            break
        x = moved
    return x if p < 0.5 else -x


@kernel("float64(int64, int64, float64)")
def binomial_cdf(k, n, p):  # type: ignore[no-untyped-def]
    """Probability of at most k successes in n trials of probability p; NaN for a p outside [0, 1]."""
    if not 0.0 <= p <= 1.0:
        return np.nan
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    return beta_probability(float(n - k), float(k + 1), 1.0 - p)


@kernel("float64(float64, int64)")
def chi_square_survival(x, dof):  # type: ignore[no-untyped-def]
    """Probability that a chi-square of 1 or 2 degrees of freedom is above x; NaN for other degrees."""
    if x <= 0.0:
        return 1.0
    if dof == 1:
        return math.erfc(math.sqrt(0.5 * x))
    return math.exp(-0.5 * x) if dof == 2 else np.nan
