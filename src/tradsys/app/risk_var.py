"""The figures of ``tradsys risk var``: every method, its decomposition and its bounds, of a ``Book``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tradsys.app.risk_files import Book
from tradsys.errors import ConfigError
from tradsys.risk import covariance as cov
from tradsys.risk import historical, parametric
from tradsys.risk.decomposition import grouped, normal_contributions
from tradsys.risk.inputs import Floats, Problem, refusal

METHODS = {
    "historical": "the portfolio's P&L over the history, every day equal",
    "age": "the same, a day's weight falls with its age",
    "filtered": "the same, every return scaled to today's volatility",
    "normal": "normal returns, closed form",
    "student": "Student t returns, closed form",
    "cornish-fisher": "closed form with the skewness and kurtosis of the history",
    "mc": "simulated normal returns, or Student t with --dof",
    "sobol": "simulated normal returns from Sobol points",
    "copula": "simulated: each asset's own history, Gaussian copula, or t with --dof",
    "bootstrap": "simulated: days of the history drawn with replacement, summed over the horizon",
    "brownian": "simulated: geometric Brownian paths, day by day",
}
SIMULATED = {"mc", "sobol", "copula", "bootstrap", "brownian"}
FROM_HISTORY = {"historical", "age", "filtered", "copula", "bootstrap"}  # no tail but that of the history
COVARIANCES = ("sample", "ewma", "shrunk", "lead-lag")
INCREMENTAL_WORK_MAX = 2 * 10**9  # draws of a simulation without each position that are still worth it


@dataclass(frozen=True)
class Question:
    """What is asked for."""

    method: str
    level: float
    days: int
    covariance: str = "sample"
    decay: float = 0.94
    dof: float | None = None
    mean: bool = False  # use the mean of the history, not zero
    paths: int = 100_000
    seed: int = 1
    antithetic: bool = False
    block: int = 1
    confidence: float = 0.95
    threads: int | None = None
    progress: Callable[[float], None] | None = None


@dataclass
class Answer:
    """What was found; amounts in the base currency, losses positive."""

    question: Question
    book: Book
    var: float = 0.0
    es: float = 0.0
    var_error: float | None = None  # standard error of a simulation
    es_error: float | None = None
    interval: tuple[float, float] | None = None  # of the VaR, from the size of the history
    pnl: Floats | None = None  # scenarios, over the horizon
    component_var: Floats | None = None  # (positions,)
    component_es: Floats | None = None  # (positions,)
    incremental_var: Floats | None = None  # (positions,)
    groups: dict[str, dict[str, float]] = field(default_factory=dict)  # label -> value -> component of the ES
    var_groups: dict[str, dict[str, float]] = field(default_factory=dict)  # likewise of the VaR
    notes: list[str] = field(default_factory=list)

    @property
    def marginal_var(self) -> Floats | None:
        """Change of the VaR for one more unit of exposure (positions,); NaN for a position of nothing."""
        if self.component_var is None:
            return None
        held = self.book.exposures
        return np.divide(self.component_var, held, out=np.full(len(held), np.nan), where=held != 0.0)

    def as_json(self) -> dict[str, Any]:
        """One object for programs."""
        book, q = self.book, self.question

        def at(figures: Floats | None, i: int) -> float | None:
            return None if figures is None or np.isnan(figures[i]) else float(figures[i])

        marginal = self.marginal_var
        return {
            "command": "risk var", "method": q.method, "level": q.level, "horizon_days": q.days, "currency": book.base,
            "value": float(book.exposures.sum()), "gross": float(np.abs(book.exposures).sum()), "var": self.var,
            "es": self.es, "var_error": self.var_error, "es_error": self.es_error, "var_interval": self.interval,
            "confidence": q.confidence, "observations": len(book.returns.values),
            "from": str(book.dates[0]), "to": str(book.dates[-1]), "rows_dropped": book.returns.rows_dropped,
            "cells_missing": book.returns.cells_missing, "cells_carried": book.returns.cells_carried,
            "paths": q.paths if q.method in SIMULATED else None, "seed": q.seed if q.method in SIMULATED else None,
            "positions": [
                {
                    "symbol": p.symbol, "quantity": p.quantity, **p.labels, "exposure": float(book.exposures[i]),
                    "marginal_var": at(marginal, i), "component_var": at(self.component_var, i),
                    "component_es": at(self.component_es, i),
                    "incremental_var": at(self.incremental_var, i),
                }
                for i, p in enumerate(book.positions)
            ],
            "groups": self.groups, "var_groups": self.var_groups, "notes": self.notes,
        }  # fmt: skip


def answer(question: Question, book: Book) -> Answer:
    """Find VaR and ES and say where they come from.

    Raises
    ------
    ConfigError
        An unknown method or covariance.
    RiskError
        As the functions of ``tradsys.risk``.
    """
    if question.method not in METHODS:
        raise ConfigError(f"no method {question.method!r}; there are: {', '.join(METHODS)}")
    found = Answer(question, book)
    if question.method in FROM_HISTORY:
        _refuse_short(question, len(book.returns.values))
    if question.method in ("historical", "age", "filtered"):
        _historical(found)
    elif question.method in ("normal", "student"):
        _closed(found)
    elif question.method == "cornish-fisher":
        _expanded(found)
    elif question.method in ("mc", "sobol", "brownian"):
        _simulated(found)
    else:
        _resampled(found)
    if found.component_es is not None:
        for label in ("account", "asset_class", "sector", "currency"):
            values = [p.labels.get(label, "") for p in book.positions]
            if any(values):
                found.groups[label] = grouped(found.component_es, values)
                if found.component_var is not None:
                    found.var_groups[label] = grouped(found.component_var, values)
    return found


def _refuse_short(question: Question, days: int) -> None:
    """A history without one day beyond the level has no such tail to show."""
    needed = math.ceil(round(1.0 / (1.0 - question.level), 6))
    if days < needed:
        raise refusal(
            Problem.TOO_SHORT,
            f"{question.method} at {question.level:g} needs {needed:,} returns, one of them beyond it; there are {days:,}: "
            "a longer history, a lower --level, or --method normal",
        )


def covariance_of(question: Question, returns: Floats) -> Floats:
    """Covariance of one day's returns by the estimator asked for."""
    estimators: dict[str, Callable[[], Floats]] = {
        "sample": lambda: cov.sample_covariance(returns),
        "ewma": lambda: cov.ewma_covariance(returns, question.decay),
        "shrunk": lambda: cov.ledoit_wolf(returns).covariance,
        "lead-lag": lambda: cov.lead_lag_covariance(returns),
    }
    if question.covariance not in estimators:
        raise ConfigError(f"no covariance {question.covariance!r}; there are: {', '.join(COVARIANCES)}")
    return estimators[question.covariance]()


def _per_position(book: Book, marginal: Floats) -> Floats:
    """Components of positions from the marginal figures of assets: exposure times marginal."""
    return np.asarray(book.exposures * marginal[book.assets]) + 0.0


def _without_each(book: Book, figure: Callable[[Floats], float], total: float) -> Floats:
    """Incremental figures (positions,): the total less the figure of the holdings without the position."""
    held, changes = book.held, np.empty(len(book.positions))
    for i, asset in enumerate(book.assets):
        left = held.copy()
        left[asset] -= book.exposures[i]
        changes[i] = total - figure(left)
    return changes


def _historical(found: Answer) -> None:
    q, book = found.question, found.book
    returns = book.returns.values
    weights = None
    if q.method == "age":
        weights = historical.age_weights(len(returns), 0.98 if q.decay == 0.94 else q.decay)
    elif q.method == "filtered":
        returns = historical.filtered_returns(returns, q.decay)
    scale = math.sqrt(q.days)
    if q.days > 1:
        found.notes.append(
            f"one-day figures times the root of {q.days}; --method bootstrap simulates the days"
        )
    found.pnl = returns @ book.held * scale
    found.var, found.es = historical.historical_var_es(found.pnl, q.level, weights=weights)
    tail = historical.tail_weights(found.pnl, q.level, weights=weights)
    found.component_es = _per_position(book, -(tail @ returns) * scale)
    near = _near(found.pnl, found.var, q.level)
    found.component_var = _per_position(
        book, _scaled(-returns[near].mean(axis=0) * scale, book.held, found.var)
    )
    found.incremental_var = _without_each(
        book,
        lambda held: historical.historical_var_es(returns @ held * scale, q.level, weights=weights).var,
        found.var,
    )
    if weights is None:
        _bound(found)


def _bound(found: Answer) -> None:
    from tradsys.errors import RiskError

    assert found.pnl is not None
    try:
        bounds = historical.var_interval(found.pnl, found.question.level, found.question.confidence)
        found.interval = (bounds.low, bounds.high)
    except RiskError as error:  # too few days to bound it from above: say so, the VaR itself stands
        found.notes.append(str(error))


def _near(pnl: Floats, var: float, level: float) -> np.ndarray:
    """Rows around the VaR, a tenth of the tail on either side."""
    width = max(1, int(len(pnl) * (1.0 - level) / 10.0))
    order = np.argsort(-pnl, kind="stable")
    place = int(np.searchsorted(-pnl[order], var))
    return order[max(0, place - width) : place + width + 1]


def _scaled(marginal: Floats, held: Floats, var: float) -> Floats:
    """Scale marginal figures so that their components sum to the VaR."""
    summed = float(held @ marginal)
    return (
        marginal * (var / summed) if abs(summed) > 1e-9 * float(np.abs(held) @ np.abs(marginal)) else marginal
    )


def _closed(found: Answer) -> None:
    q, book = found.question, found.book
    square = covariance_of(q, book.returns.values) * q.days
    means = book.returns.values.mean(axis=0) * q.days if q.mean else None
    dof = _dof(found) if q.method == "student" else None
    one = (
        parametric.normal_var_es(0.0, 1.0, q.level)
        if dof is None
        else parametric.student_var_es(0.0, 1.0, q.level, dof)
    )
    drift = np.zeros(len(book.held)) if means is None else means

    def figure(held: Floats) -> float:
        moments = parametric.portfolio_moments(held, square, means)
        return one.var * moments.deviation - moments.mean

    moments = parametric.portfolio_moments(book.held, square, means)
    found.var, found.es = (k * moments.deviation - moments.mean for k in one)
    for name, k in (("component_var", one.var), ("component_es", one.es)):
        parts = normal_contributions(book.held, square, q.level, multiplier=k)
        setattr(found, name, _per_position(book, parts.marginal - drift))
    found.incremental_var = _without_each(book, figure, found.var)
    if dof is None:
        bounds = parametric.normal_var_interval(
            moments.deviation, len(book.returns.values), q.level, q.confidence
        )
        found.interval = (bounds.low - moments.mean, bounds.high - moments.mean)


def _dof(found: Answer) -> float:
    """Degrees of freedom as given, else those of the portfolio's kurtosis; at least 2.5, at most 1000."""
    if found.question.dof is not None or not found.book.held.any():
        return found.question.dof or 1000.0  # of nothing any will do: its risk is zero
    dof = min(max(parametric.student_dof(found.book.returns.values @ found.book.held), 2.5), 1000.0)
    found.notes.append(f"{dof:.3g} degrees of freedom, from the kurtosis of the portfolio's history")
    return dof


def _expanded(found: Answer) -> None:
    q, book = found.question, found.book
    returns = book.returns.values

    if not book.held.any():
        found.component_var = found.component_es = np.zeros(len(book.positions))
        return

    def both(held: Floats) -> historical.VarEs:
        moments = parametric.scaled(parametric.sample_moments(returns @ held), q.days)
        return parametric.cornish_fisher_var_es(moments if q.mean else moments._replace(mean=0.0), q.level)

    found.var, found.es = both(book.held)
    # homogeneous of degree one, so exposure x derivative sums to the total
    marginal = np.empty((2, len(book.held)))
    step = 1e-5 * float(np.abs(book.held).max())
    for i in range(len(book.held)):
        move = np.zeros(len(book.held))
        move[i] = step
        up, down = both(book.held + move), both(book.held - move)
        marginal[:, i] = [(a - b) / (2.0 * step) for a, b in zip(up, down, strict=True)]
    found.component_var = _per_position(book, _scaled(marginal[0], book.held, found.var))
    found.component_es = _per_position(book, _scaled(marginal[1], book.held, found.es))


def _simulated(found: Answer) -> None:
    from tradsys.risk import monte_carlo as mc

    q, book = found.question, found.book
    square = covariance_of(q, book.returns.values)
    means = book.returns.values.mean(axis=0) if q.mean else None
    settings = mc.Settings(q.paths, q.seed, q.antithetic, q.threads, q.progress)
    if q.method == "sobol":
        result = mc.simulate_sobol(book.held, square, q.level, means=means, steps=q.days, settings=settings)
    elif q.method == "brownian":
        paths = mc.simulate_brownian(book.held, square, q.level, means=means, steps=q.days, settings=settings)
        result = paths.terminal
        found.notes.append(f"worst on the way: VaR {paths.worst.var:,.2f}, ES {paths.worst.es:,.2f}")
    else:
        result = mc.simulate_gaussian(
            book.held, square, q.level, means=means, steps=q.days, dof=q.dof, settings=settings
        )
    _take(found, result)
    if result.marginal_es is None or result.marginal_var is None:
        return
    found.component_es = _per_position(book, result.marginal_es)
    found.component_var = _per_position(book, result.marginal_var)
    if q.paths * len(book.held) * len(book.positions) <= INCREMENTAL_WORK_MAX:
        quiet = settings._replace(progress=None)  # the same seed: the same paths without the position
        found.incremental_var = _without_each(
            book,
            lambda held: (
                mc.simulate_gaussian(
                    held,
                    square,
                    q.level,
                    means=means,
                    steps=q.days,
                    dof=q.dof,
                    components=False,
                    settings=quiet,
                ).var
            ),
            found.var,
        )


def _resampled(found: Answer) -> None:
    from tradsys.risk import monte_carlo as mc

    q, book = found.question, found.book
    settings = mc.Settings(q.paths, q.seed, q.antithetic, q.threads, q.progress)
    if q.method == "bootstrap":
        series = book.returns.values @ book.held
        result = mc.simulate_bootstrap(series, q.level, steps=q.days, block=q.block, settings=settings)
    else:
        if q.days > 1:
            found.notes.append(f"returns of a day times the root of {q.days} as margins")
        history = book.returns.values * math.sqrt(q.days)
        moving = history.std(axis=0) > 0.0
        correlations = np.eye(len(moving))
        if moving.any():
            square = covariance_of(q, book.returns.values[:, moving])
            correlations[np.ix_(moving, moving)] = cov.correlation(square)
        result = mc.simulate_copula(history, book.held, correlations, q.level, dof=q.dof, settings=settings)
    _take(found, result)


def _take(found: Answer, result: Any) -> None:
    found.var, found.es, found.pnl = result.var, result.es, result.pnl
    if np.isfinite(result.var_error) and np.isfinite(result.es_error):
        found.var_error, found.es_error = result.var_error, result.es_error
    else:
        found.notes.append(f"{len(result.pnl):,} paths have no standard error")
