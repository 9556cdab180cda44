"""What each position adds to the risk: marginal, component and incremental figures. Components sum to the total.

VaR and ES are homogeneous of degree one in the exposures, so by Euler's theorem the total is the sum over positions of
exposure times derivative (Tasche, "Risk contributions and performance measurement", 1999).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tradsys.risk.distributions import normal_pdf, normal_quantile
from tradsys.risk.historical import historical_var_es, tail_weights
from tradsys.risk.inputs import (
    Floats,
    Problem,
    count,
    level_of,
    matrix,
    number,
    refusal,
    symmetric,
    vector,
)


class Contributions(NamedTuple):
    """The figures of each position, in the order given."""

    total: float  # amount
    marginal: Floats  # (assets,): change of the total for one more unit of exposure
    component: Floats  # (assets,): amounts that sum to the total
    incremental: Floats  # (assets,): total less the total without the position


def normal_contributions(
    exposures: ArrayLike,
    covariance: ArrayLike,
    level: float,
    *,
    es: bool = False,
    multiplier: float | None = None,
) -> Contributions:
    """Contributions to the VaR, or ES, of a normal P&L with mean zero.

    Parameters
    ----------
    exposures
        (assets,) amounts.
    covariance
        (assets, assets) of returns over the horizon.
    level
        In [0.5, 1).
    es
        Of the expected shortfall instead.
    multiplier
        Deviations of the portfolio to take instead of the normal's, for example Student's; not negative.

    Returns
    -------
    Contributions; all zero for a portfolio without risk, whose derivative is not defined.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; SINGULAR: a variance below zero.

    Notes
    -----
    Garman, "Improving on VaR", Risk 9 (1996). Marginal = k (C w)/d with d the deviation; incremental is exact, from
    d^2 - 2 w_i (C w)_i + w_i^2 C_ii, not the linear estimate. O(assets^2).
    """
    held = vector("exposures", exposures)
    square = symmetric("covariance", covariance, size=len(held))
    z = normal_quantile(level_of(level))
    factor = normal_pdf(z) / (1.0 - level) if es else z
    if multiplier is not None:
        factor = number("multiplier", multiplier, 0.0, 1e300, closed=True)
    slopes = square @ held
    variance = float(held @ slopes)
    scale = float(np.abs(held) @ np.abs(square) @ np.abs(held))
    if variance < -1e-12 * scale:
        raise refusal(Problem.SINGULAR, f"the portfolio's variance is {variance:.3g}: repair the covariance")
    if variance <= 1e-15 * scale:
        zero = np.zeros(len(held))
        deviation = math.sqrt(max(variance, 0.0))
        without = np.sqrt(np.maximum(held**2 * np.diag(square), 0.0))
        return Contributions(factor * deviation, zero, zero.copy(), -factor * without)
    deviation = math.sqrt(variance)
    marginal = factor * slopes / deviation
    without = np.maximum(variance - 2.0 * held * slopes + held**2 * np.diag(square), 0.0)
    return Contributions(
        factor * deviation, marginal, held * marginal, factor * (deviation - np.sqrt(without))
    )


def es_contributions(
    asset_pnl: ArrayLike, level: float, *, weights: ArrayLike | None = None
) -> Contributions:
    """Contributions to the ES of P&L scenarios, observed or simulated.

    Parameters
    ----------
    asset_pnl
        (scenarios, assets): what each position earns in each scenario.
    level
        In [0.5, 1).
    weights
        (scenarios,) probabilities; equal if not given.

    Returns
    -------
    Contributions. ``marginal`` is per unit of the present position, so it equals ``component``.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.

    Notes
    -----
    The component is the mean loss of the position in the portfolio's tail, exact for the scenarios.
    O(scenarios x assets); incremental sorts once for each asset.
    """
    table = matrix("asset_pnl", asset_pnl)
    total = table.sum(axis=1)
    component = -(tail_weights(total, level, weights=weights) @ table) + 0.0
    es = historical_var_es(total, level, weights=weights).es
    without = [historical_var_es(total - column, level, weights=weights).es for column in table.T]
    return Contributions(es, component.copy(), component, es - np.array(without))


def var_contributions(asset_pnl: ArrayLike, level: float, *, neighbours: int | None = None) -> Contributions:
    """Contributions to the VaR of P&L scenarios of equal probability.

    Parameters
    ----------
    asset_pnl
        (scenarios, assets): what each position earns in each scenario.
    level
        In [0.5, 1).
    neighbours
        How many scenarios on either side of the VaR are averaged; default a tenth of the scenarios beyond it.

    Returns
    -------
    Contributions. Component: the mean loss of the position near the VaR, scaled so that the sum is the VaR.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.

    Notes
    -----
    The derivative of VaR is the expected loss of the position given that the portfolio loses the VaR (Hallerbach, Journal
    of Risk 5 (2003)); one scenario alone would be all noise. Where the average loss near the VaR is zero the VaR's own
    scenario is taken.
    """
    table = matrix("asset_pnl", asset_pnl)
    total = table.sum(axis=1)
    var = historical_var_es(total, level_of(level)).var
    beyond = int(np.sum(-total > var))
    width = count("neighbours", max(1, beyond // 10) if neighbours is None else neighbours, 0)
    order = np.argsort(-total, kind="stable")
    place = int(np.searchsorted(-total[order], var))
    near = order[max(place - width, 0) : place + width + 1]
    mean_loss = -table[near].mean(axis=0) + 0.0
    if abs(float(mean_loss.sum())) <= 1e-9 * float(np.abs(mean_loss).sum()):
        mean_loss = -table[order[place]] + 0.0
    summed = float(mean_loss.sum())
    component = mean_loss * (var / summed) if summed != 0.0 else mean_loss
    without = [historical_var_es(total - column, level).var for column in table.T]
    return Contributions(var, component.copy(), component, var - np.array(without))


def grouped(component: ArrayLike, labels: Sequence[str]) -> dict[str, float]:
    """Sum components by label: by account, asset class, sector or currency; sorted by label.

    Raises
    ------
    RiskError
        SHAPE: not one label a component.
    """
    amounts = vector("component", component, length=len(labels))
    sums = dict.fromkeys(sorted(set(labels)), 0.0)
    for label, amount in zip(labels, amounts, strict=True):
        sums[label] += float(amount)
    return sums
