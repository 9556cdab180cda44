"""European options on something that pays a continuous yield: value and Greeks, for full revaluation and delta-gamma.

Source: Haug, The Complete Guide to Option Pricing Formulas (1998), sections 1.1 and 1.3.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tradsys.risk.distributions import normal_cdf, normal_pdf
from tradsys.risk.inputs import Floats, Problem, refusal
from tradsys.risk.kernel import kernel


class Greeks(NamedTuple):
    """Value and derivatives, each of the shape of the inputs together."""

    value: Floats  # currency a unit of the underlying
    delta: Floats  # to the spot
    gamma: Floats  # second, to the spot
    vega: Floats  # to the volatility: for a change of 1, that is of 100 points
    theta: Floats  # to the passing of time, a year
    rho: Floats  # to the rate, for a change of 1


def price(
    call: ArrayLike,
    strike: ArrayLike,
    spot: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    rate: ArrayLike = 0.0,
    dividend_yield: ArrayLike = 0.0,
) -> Floats:
    """Values of European options; parameters and errors as ``greeks``."""
    return greeks(call, strike, spot, years, volatility, rate, dividend_yield).value


def greeks(
    call: ArrayLike,
    strike: ArrayLike,
    spot: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    rate: ArrayLike = 0.0,
    dividend_yield: ArrayLike = 0.0,
) -> Greeks:
    """Values and Greeks of European options.

    Parameters
    ----------
    call
        True for a call, False for a put. All parameters are broadcast against each other.
    strike, spot
        Above 0.
    years
        To expiry, not negative; 0 gives what it pays now, with the derivatives of the pay-off.
    volatility
        A year, not negative.
    rate, dividend_yield
        Continuous, a year.

    Raises
    ------
    RiskError
        SHAPE, NOT_FINITE, OUT_OF_RANGE.

    Notes
    -----
    O(n), one kernel call.
    """
    try:
        shapes = np.broadcast_arrays(call, strike, spot, years, volatility, rate, dividend_yield)
    except ValueError as error:
        raise refusal(Problem.SHAPE, f"options do not broadcast: {error}") from None
    try:
        flat = [np.ascontiguousarray(values, dtype=np.float64).ravel() for values in shapes]
    except (TypeError, ValueError) as error:
        raise refusal(Problem.SHAPE, f"inputs of an option must be numbers: {error}") from None
    if not all(np.isfinite(values).all() for values in flat):
        raise refusal(Problem.NOT_FINITE, "an input of an option is not finite")
    _, strikes, spots, times, volatilities, _, _ = flat
    if np.any(strikes <= 0.0) or np.any(spots <= 0.0) or np.any(times < 0.0) or np.any(volatilities < 0.0):
        raise refusal(
            Problem.OUT_OF_RANGE, "an option needs strike and spot above 0, time and volatility not negative"
        )
    out = np.empty((6, len(strikes)))
    _fill(*flat, out)
    return Greeks(*(row.reshape(shapes[0].shape) for row in out))


@kernel(
    "void(float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64[:, ::1])"
)
def _fill(calls, strikes, spots, times, volatilities, rates, yields, out):  # type: ignore[no-untyped-def]
    for i in range(len(strikes)):
        k, s, t, v, r, q = strikes[i], spots[i], times[i], volatilities[i], rates[i], yields[i]
        sign = 1.0 if calls[i] != 0.0 else -1.0
        carried, discounted = s * math.exp(-q * t), k * math.exp(-r * t)
        spread = v * math.sqrt(t)
        if spread > 0.0:
            d1 = math.log(carried / discounted) / spread + 0.5 * spread
            n1, n2, height = normal_cdf(sign * d1), normal_cdf(sign * (d1 - spread)), normal_pdf(d1)
        else:  # nothing moves any more: in the money or not
            inside = sign * (carried - discounted)
            n1 = n2 = 1.0 if inside > 0.0 else (0.5 if inside == 0.0 else 0.0)
            height = 0.0
        out[0, i] = sign * (carried * n1 - discounted * n2)
        out[1, i] = sign * math.exp(-q * t) * n1
        out[2, i] = math.exp(-q * t) * height / (s * spread) if spread > 0.0 else 0.0
        out[3, i] = carried * height * math.sqrt(t)
        decay = carried * height * v / (2.0 * math.sqrt(t)) if t > 0.0 else 0.0
        out[4, i] = -decay + sign * (q * carried * n1 - r * discounted * n2)
        out[5, i] = sign * t * discounted * n2
