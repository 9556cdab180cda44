"""Stress tests: a library of what happened, scenarios of one's own in YAML, shifts, reverse stress, ladders, correlations.

The library is ``scenarios.yaml`` beside this file; each scenario names its days and sources.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import ArrayLike

from tradsys.risk.distributions import normal_cdf
from tradsys.risk.inputs import (
    Floats,
    Problem,
    count,
    matrix,
    number,
    refusal,
    symmetric,
    vector,
)

_FIELDS = {
    "title",
    "from",
    "to",
    "source",
    "asset_classes",
    "symbols",
    "yields_bp",
    "currencies",
    "volatility_points",
}
_MOVES = ("asset_classes", "symbols", "currencies")


class Scenario(NamedTuple):
    """Moves of markets, as fractions unless the name says otherwise."""

    name: str
    title: str
    source: str
    first_day: str
    last_day: str
    asset_classes: Mapping[str, float]
    symbols: Mapping[str, float]
    currencies: Mapping[str, float]  # against the US dollar
    yields_bp: Mapping[float, float]  # years -> basis points
    volatility_points: float

    def moves(self, symbols: Sequence[str], asset_classes: Sequence[str]) -> Floats:
        """Moves (positions,) of positions; NaN where the scenario states none: by symbol, else by asset class."""
        pairs = zip(symbols, asset_classes, strict=True)
        return np.array(
            [self.symbols.get(s, self.asset_classes.get(a, math.nan)) for s, a in pairs], dtype=np.float64
        )


class Reverse(NamedTuple):
    """The likeliest way to lose an amount."""

    moves: Floats  # (assets,) returns
    distance: float  # deviations of the portfolio the loss is away from zero
    probability: float  # of losing as much or more, under normal returns


class Window(NamedTuple):
    """The worst stretch of a history."""

    first: int  # index of the first of its returns
    pnl: float


@cache
def library() -> dict[str, Scenario]:
    """The scenarios that come with the package, by name."""
    return read_scenarios(Path(__file__).with_name("scenarios.yaml"))


def read_scenarios(path: Path) -> dict[str, Scenario]:
    """Read scenarios in the form of scenarios.yaml; of the fields only ``title`` and some moves are needed.

    Raises
    ------
    RiskError
        UNKNOWN: a field that is none, a title that is no text, or a text that is no YAML of scenarios; OUT_OF_RANGE: a move
        that is not a number or is below -1; EMPTY: nothing moves.
    """
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise refusal(Problem.UNKNOWN, f"{path} cannot be read: {error}") from None
    if not isinstance(read, dict) or not all(isinstance(fields, dict) for fields in read.values()):
        raise refusal(Problem.UNKNOWN, f"{path} must hold scenarios by name, each with its fields")
    return {str(name): _scenario(str(name), fields) for name, fields in read.items()}


def stress(exposures: ArrayLike, moves: ArrayLike) -> Floats:
    """P&L (scenarios,) of linear positions: exposures (assets,) under moves (scenarios, assets).

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE: also for a move that is not stated.
    """
    held = vector("exposures", exposures)
    return np.asarray(matrix("moves", moves, columns=len(held)) @ held)


def propagated_shift(covariance: ArrayLike, shifted: Mapping[int, float]) -> Floats:
    """Moves (assets,) to expect when some assets move as given and the others follow by their correlations.

    Parameters
    ----------
    covariance
        (assets, assets), positive semi-definite.
    shifted
        Asset -> its move.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE; UNKNOWN: no such asset; SINGULAR: an asset that never moves, or two that are one, are
        asked to move.

    Notes
    -----
    Conditional mean of the normal: C[:, s] C[s, s]^-1 x (Kupiec, Journal of Derivatives 6 (1998)).
    """
    square = symmetric("covariance", covariance)
    given = sorted(shifted)
    if not given:
        raise refusal(Problem.EMPTY, "no asset is shifted")
    if not all(0 <= i < len(square) for i in given):
        raise refusal(Problem.UNKNOWN, f"assets must be in [0, {len(square)}), were {given}")
    sizes = vector("shifted", [shifted[i] for i in given])
    inner = square[np.ix_(given, given)]
    if np.linalg.matrix_rank(inner, hermitian=True) < len(given):
        raise refusal(Problem.SINGULAR, "the shifted assets do not move independently")
    moves = square[:, given] @ np.linalg.solve(inner, sizes)
    moves[given] = sizes
    return np.asarray(moves)


def reverse_stress(exposures: ArrayLike, covariance: ArrayLike, loss: float) -> Reverse:
    """Find the likeliest moves of all that lose the given amount.

    Parameters
    ----------
    exposures
        (assets,) amounts.
    covariance
        (assets, assets) of returns over the horizon.
    loss
        Above 0.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; SINGULAR: nothing the portfolio holds can move.

    Notes
    -----
    Minimises x'C^-1 x under w'x = -loss: x = -loss C w / w'C w, at loss/deviation deviations (Glasserman, Kang, Kang, "Stress
    scenario selection by empirical likelihood", Quantitative Finance 15 (2015)).
    """
    held = vector("exposures", exposures)
    square = symmetric("covariance", covariance, size=len(held))
    number("loss", loss, 0.0, 1e300)
    slopes = square @ held
    variance = float(held @ slopes)
    if variance <= 1e-15 * float(np.abs(held) @ np.abs(square) @ np.abs(held)):
        raise refusal(Problem.SINGULAR, "the portfolio does not move: no scenario loses that amount")
    distance = loss / math.sqrt(variance)
    return Reverse(-loss * slopes / variance, distance, float(normal_cdf(-distance)))


def broken_correlations(covariance: ArrayLike, to: float, share: float) -> Floats:
    """Covariance whose correlations went a share of the way to one common correlation; variances stay.

    Parameters
    ----------
    covariance
        (assets, assets), positive semi-definite.
    to
        Correlation of all pairs at share 1, in [0, 1]: 1 is the crash in which everything falls together, 0 hedges that
        do not hold.
    share
        In [0, 1].

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; SINGULAR: a variance below zero.

    Notes
    -----
    A mix of two correlation matrices is one, so the result needs no repair.
    """
    square = symmetric("covariance", covariance)
    number("to", to, 0.0, 1.0, closed=True)
    number("share", share, 0.0, 1.0, closed=True)
    variances = np.diag(square)
    if variances.min() < 0.0:
        raise refusal(Problem.SINGULAR, f"a variance is {variances.min()}")
    deviations = np.sqrt(variances)
    target = to * np.outer(deviations, deviations)
    np.fill_diagonal(target, variances)
    return np.asarray((1.0 - share) * square + share * target)


def ladder(revalue: Callable[[Floats], Floats], factors: int, shifts: ArrayLike) -> Floats:
    """P&L (factors, shifts) when each factor alone moves by each shift.

    Parameters
    ----------
    revalue
        (scenarios, factors) changes -> (scenarios,) P&L, as of ``tradsys.risk.revaluation``.
    factors
        How many there are.
    shifts
        (shifts,) changes.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.
    """
    sizes = vector("shifts", shifts)
    changes = np.zeros((count("factors", factors, 1) * len(sizes), factors))
    for i in range(factors):
        changes[i * len(sizes) : (i + 1) * len(sizes), i] = sizes
    return np.asarray(vector("P&L", revalue(changes), length=len(changes)).reshape(factors, len(sizes)))


def worst_window(pnl: ArrayLike, steps: int) -> Window:
    """The ``steps`` consecutive observations of P&L with the lowest sum.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; TOO_SHORT.
    """
    series = vector("pnl", pnl, least=count("steps", steps, 1))
    sums = np.convolve(series, np.ones(steps), "valid")
    first = int(sums.argmin())
    return Window(first, float(series[first : first + steps].sum()))


def _scenario(name: str, fields: dict[str, Any]) -> Scenario:
    unknown = sorted(set(map(str, fields)) - _FIELDS)
    if unknown:
        raise refusal(
            Problem.UNKNOWN,
            f"scenario {name}: no field {', '.join(unknown)}; there are: {', '.join(sorted(_FIELDS))}",
        )
    for field in ("title", "source"):
        if not isinstance(fields.get(field, ""), str):
            raise refusal(Problem.UNKNOWN, f"scenario {name}: {field} must be a text, was {fields[field]!r}")
    moves = {field: _numbers(name, field, fields.get(field) or {}, -1.0) for field in _MOVES}
    yields = {
        number(f"scenario {name}: years", float(years), 0.0, 200.0): bp
        for years, bp in _numbers(name, "yields_bp", fields.get("yields_bp") or {}, -1e5).items()
    }
    points = _numbers(name, "volatility_points", {"all": fields.get("volatility_points") or 0.0}, -1e3)["all"]
    if not any(moves.values()) and not yields and not points:
        raise refusal(Problem.EMPTY, f"scenario {name}: nothing moves")
    return Scenario(
        name, str(fields.get("title", name)), str(fields.get("source", "")), str(fields.get("from", "")),
        str(fields.get("to", "")), moves["asset_classes"], moves["symbols"], moves["currencies"], yields, points,
    )  # fmt: skip


def _numbers(name: str, field: str, values: Any, low: float) -> dict[str, float]:
    if not isinstance(values, dict):
        raise refusal(Problem.UNKNOWN, f"scenario {name}: {field} must be names with numbers")
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value < math.inf:
            raise refusal(
                Problem.OUT_OF_RANGE,
                f"scenario {name}: {field} {key} must be a number of at least {low:g}, was {value!r}",
            )
    return {str(key): float(value) for key, value in values.items()}
