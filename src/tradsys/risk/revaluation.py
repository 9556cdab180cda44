"""From changes of risk factors to P&L: linear, delta-gamma, or full revaluation of each position.

A book is a list of ``Position``; ``revalue`` makes of it the function that ``monte_carlo.simulate_revalued``, stress tests
and margin grids call with (paths, factors) changes. Changes are relative (0.01: one per cent) for prices and exchange rates,
absolute (0.0001: a basis point) for yields and volatilities.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from tradsys.risk import black_scholes
from tradsys.risk.inputs import Floats, Problem, count, number, refusal, symmetric, vector

_HUGE = 1e300

Position = Callable[[Floats], Floats]  # (paths, factors) changes -> (paths,) P&L


def revalue(positions: Sequence[Position]) -> Position:
    """Add up the P&L of positions; without positions it is zero on every path."""
    held = list(positions)

    def pnl(changes: Floats) -> Floats:
        total = np.zeros(len(changes))
        for position in held:
            total += position(changes)
        return total

    return pnl


def linear(exposures: ArrayLike) -> Position:
    """Positions whose P&L is exposure times change: (factors,) amounts."""
    held = vector("exposures", exposures)
    return lambda changes: np.asarray(changes @ held)


def delta_gamma(delta: ArrayLike, gamma: ArrayLike, theta: float = 0.0) -> Position:
    """Second-order approximation: theta + delta'x + x'gamma x / 2.

    Parameters
    ----------
    delta
        (factors,) amounts for a change of 1.
    gamma
        (factors, factors) symmetric, or (factors,) its diagonal: amounts for a change of 1 squared.
    theta
        Amount over the horizon.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE; OUT_OF_RANGE: theta is not finite.
    """
    first = vector("delta", delta)
    number("theta", theta, -_HUGE, _HUGE)
    if _is_diagonal(gamma):
        diagonal = vector("gamma", gamma, length=len(first))
        return lambda changes: theta + changes @ first + 0.5 * np.square(changes) @ diagonal
    second = symmetric("gamma", gamma, size=len(first))
    return lambda changes: (
        theta + changes @ first + 0.5 * np.einsum("ij,jk,ik->i", changes, second, changes, optimize=True)
    )


def _is_diagonal(gamma: ArrayLike) -> bool:
    return isinstance(gamma, np.ndarray | list | tuple) and len(gamma) > 0 and np.isscalar(gamma[0])


def delta_gamma_moments(
    delta: ArrayLike, gamma: ArrayLike, covariance: ArrayLike
) -> tuple[float, float, float, float]:
    """Mean, deviation, skewness and excess kurtosis of a delta-gamma P&L under normal changes, for Cornish-Fisher.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE; SINGULAR: the P&L does not move.

    Notes
    -----
    Cumulants of a quadratic form, with A = gamma C: k_r = (r - 1)!/2 tr(A^r) + r!/2 d'C A^(r-2) d for r of at least 2, and
    k_1 = tr(A)/2 (Britten-Jones and Schaefer, European Finance Review 2 (1999)).
    """
    first = vector("delta", delta)
    second = symmetric("gamma", np.diag(vector("gamma", gamma)) if _is_diagonal(gamma) else gamma, size=len(first))
    square = symmetric("covariance", covariance, size=len(first))
    product = second @ square
    k1 = 0.5 * float(np.trace(product))
    k2 = float(first @ square @ first) + 0.5 * float(np.trace(product @ product))
    k3 = 3.0 * float(first @ square @ product @ first) + float(np.trace(product @ product @ product))
    squared = product @ product
    k4 = 12.0 * float(first @ square @ squared @ first) + 3.0 * float(np.trace(squared @ squared))
    if k2 <= 0.0:
        raise refusal(Problem.SINGULAR, "the P&L does not move: it has no skewness")
    return k1, k2**0.5, k3 / k2**1.5, k4 / k2**2


def option(
    factor: int,
    quantity: float,
    call: bool,
    strike: float,
    spot: float,
    years: float,
    volatility: float,
    rate: float = 0.0,
    dividend_yield: float = 0.0,
    *,
    volatility_factor: int | None = None,
    elapsed_years: float = 0.0,
) -> Position:
    """A European option revalued in full.

    Parameters
    ----------
    factor
        Column of the relative change of the underlying's price; changes to -1 and below are taken as -0.999999.
    quantity
        Units of the underlying, negative when short.
    call, strike, spot, years, volatility, rate, dividend_yield
        As ``black_scholes.greeks``.
    volatility_factor
        Column of the absolute change of the volatility, if it moves; it does not fall below 0.
    elapsed_years
        Time that passes with the change; the option expires at the latest then.

    Raises
    ------
    RiskError
        As ``black_scholes.greeks``; OUT_OF_RANGE: a quantity that is not finite, no such column, time below 0.
    """
    number("quantity", quantity, -_HUGE, _HUGE)
    number("elapsed_years", elapsed_years, 0.0, 1e9, closed=True)
    count("factor", factor, 0)
    count("volatility_factor", volatility_factor or 0, 0)
    start = float(black_scholes.price(call, strike, spot, years, volatility, rate, dividend_yield))
    left = max(years - elapsed_years, 0.0)

    def pnl(changes: Floats) -> Floats:
        spots = spot * np.maximum(1.0 + changes[:, factor], 1e-6)
        moved = 0.0 if volatility_factor is None else changes[:, volatility_factor]
        vols = np.maximum(volatility + moved, 0.0)
        return quantity * (black_scholes.price(call, strike, spots, left, vols, rate, dividend_yield) - start)

    return pnl


def foreign(position: Position, value: float, factor: int) -> Position:
    """A position in another currency: its P&L at the new rate, and the revaluation of what it is worth now.

    Parameters
    ----------
    position
        P&L in the foreign currency, measured at the present rate in our own.
    value
        Present value of the position in our currency.
    factor
        Column of the relative change of the exchange rate, our currency for one of theirs.

    Raises
    ------
    RiskError
        OUT_OF_RANGE.
    """
    number("value", value, -_HUGE, _HUGE)
    count("factor", factor, 0)
    return lambda changes: position(changes) * (1.0 + changes[:, factor]) + value * changes[:, factor]


def revalued_by(value: Callable[[Floats], Floats], factor: int, base: float = 0.0) -> Position:
    """A position with a value function of one factor: for example a bond of its yield.

    Parameters
    ----------
    value
        Called with (paths,) levels of the factor; gives (paths,) amounts.
    factor
        Column of the absolute change of the factor.
    base
        Present level of the factor.

    Raises
    ------
    RiskError
        OUT_OF_RANGE; NOT_FINITE, SHAPE: of the present value.
    """
    count("factor", factor, 0)
    number("base", base, -_HUGE, _HUGE)
    start = vector("the present value", value(np.array([base])), length=1)[0]
    return lambda changes: np.asarray(value(base + changes[:, factor])) - start
