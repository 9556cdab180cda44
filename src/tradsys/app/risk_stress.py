"""The figures of ``tradsys risk stress`` and ``tradsys risk backtest``, of a ``Book``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tradsys.app.risk_files import Book
from tradsys.errors import ConfigError
from tradsys.risk import backtest as tests
from tradsys.risk import margin, parametric, stress
from tradsys.risk.covariance import ewma_volatilities, sample_covariance
from tradsys.risk.distributions import normal_pdf, normal_quantile
from tradsys.risk.inputs import Floats, Problem, refusal

FORECASTS = ("historical", "filtered", "normal")
DRAWS_MAX = 4_000_000  # of all paths and days, for the p-values of an ES
WINDOWS = (1, 10, 21)  # days of the worst stretches shown


@dataclass(frozen=True)
class ScenarioLine:
    """One scenario applied to the book."""

    name: str
    title: str
    source: str
    pnl: float
    unstated: list[
        str
    ]  # symbols and currencies whose move the scenario does not state; they count as unmoved
    worst: str  # symbol that loses most, or nothing
    worst_pnl: float


@dataclass
class StressAnswer:
    """Stress tests of a book; amounts in the base currency, profits positive."""

    book: Book
    scenarios: list[ScenarioLine] = field(default_factory=list)
    windows: list[tuple[int, str, str, float]] = field(default_factory=list)  # days, first, last, P&L
    ladder: list[tuple[float, float]] = field(default_factory=list)  # shift of everything, P&L
    broken: list[tuple[str, float]] = field(default_factory=list)  # correlations, VaR of a day
    reverse_loss: float = 0.0
    reverse: stress.Reverse | None = None
    hhi: float = 0.0
    margin: float | None = None  # initial, by rates; None where an asset class has none

    def as_json(self) -> dict[str, Any]:
        """One object for programs."""
        reverse = self.reverse
        return {
            "command": "risk stress", "currency": self.book.base, "value": float(self.book.exposures.sum()),
            "scenarios": [vars(line) for line in self.scenarios],
            "worst_windows": [dict(zip(("days", "from", "to", "pnl"), w, strict=True)) for w in self.windows],
            "ladder": [{"shift": s, "pnl": p} for s, p in self.ladder],
            "correlations": [{"correlations": name, "var": var} for name, var in self.broken],
            "reverse": None if reverse is None else {
                "loss": self.reverse_loss, "deviations": reverse.distance, "probability": reverse.probability,
                "moves": dict(zip(self.book.asset_names, reverse.moves.tolist(), strict=True)),
            },
            "hhi": self.hhi, "margin_initial": self.margin,
        }  # fmt: skip


def stress_of(
    book: Book, own: Path | None, names: Sequence[str], level: float, loss_share: float
) -> StressAnswer:
    """Run the scenarios asked for (all, if none), shifts, worst stretches, broken correlations and the reverse stress.

    Parameters
    ----------
    book
        What is held.
    own
        A YAML file of further scenarios.
    names
        Scenarios wanted.
    level
        Of the VaR under broken correlations.
    loss_share
        Loss of the reverse stress as a share of the gross exposure, above 0.

    Raises
    ------
    ConfigError
        A scenario that is not known.
    RiskError
        As ``tradsys.risk.stress``.
    """
    scenarios = {**stress.library(), **(stress.read_scenarios(own) if own else {})}
    unknown = [name for name in names if name not in scenarios]
    if unknown:
        raise ConfigError(f"no scenario {', '.join(unknown)}; there are: {', '.join(scenarios)}")
    found = StressAnswer(book)
    found.scenarios = [_line(book, scenarios[name]) for name in names or scenarios]
    pnl = book.returns.values @ book.held
    for days in WINDOWS:
        if days <= len(pnl):
            worst = stress.worst_window(pnl, days)
            first, last = book.dates[worst.first], book.dates[worst.first + days - 1]
            found.windows.append((days, str(first), str(last), worst.pnl))
    found.ladder = [(s, float(s * book.exposures.sum())) for s in (-0.3, -0.2, -0.1, -0.05, 0.05, 0.1)]
    square = sample_covariance(book.returns.values)
    z = float(normal_quantile(level))
    for title, to, share in (
        ("as estimated", 0.0, 0.0),
        ("half way to 1", 1.0, 0.5),
        ("all 1", 1.0, 1.0),
        ("all 0", 0.0, 1.0),
    ):
        broken = stress.broken_correlations(square, to, share)
        found.broken.append((title, z * parametric.portfolio_moments(book.held, broken).deviation))
    gross = float(np.abs(book.exposures).sum())
    found.reverse_loss = loss_share * gross
    if found.reverse_loss > 0.0 and found.broken[0][1] > 0.0:
        found.reverse = stress.reverse_stress(book.held, square, found.reverse_loss)
    found.hhi = margin.concentration(book.exposures)
    classes = [p.labels.get("asset_class", "") for p in book.positions]
    if set(classes) <= set(margin.RATES):
        found.margin = margin.rate_margin(book.exposures, classes).initial
    return found


def _line(book: Book, scenario: stress.Scenario) -> ScenarioLine:
    symbols = [p.symbol for p in book.positions]
    moves = scenario.moves(symbols, [p.labels.get("asset_class", "") for p in book.positions])
    stated = ~np.isnan(moves)
    dollars = {"USD": 0.0, **scenario.currencies}
    currencies = [p.labels["currency"] for p in book.positions]
    home = 1.0 + dollars.get(book.base, 0.0)
    rates = np.array(
        [0.0 if c == book.base else (1.0 + dollars.get(c, 0.0)) / home - 1.0 for c in currencies]
    )
    total = (1.0 + np.where(stated, moves, 0.0)) * (1.0 + rates) - 1.0
    parts = book.exposures * total
    worst = int(parts.argmin())
    unstated = sorted({symbol for symbol, known in zip(symbols, stated, strict=True) if not known})
    abroad = {c for c in currencies if c != book.base}
    unstated += sorted(c for c in abroad | ({book.base} if abroad else set()) if c not in dollars)
    return ScenarioLine(
        scenario.name, scenario.title, scenario.source, float(parts.sum()), unstated,
        symbols[worst] if parts[worst] < 0.0 else "", min(float(parts[worst]), 0.0),
    )  # fmt: skip


@dataclass(frozen=True)
class BacktestLine:
    """The tests of one way to forecast."""

    forecast: str
    result: tests.Backtest
    shortfall: tests.ShortfallTest | None = None  # of the ES; None: a forecast of it is not above 0

    def as_json(self) -> dict[str, Any]:
        """One object for programs."""
        r = self.result
        return {
            "forecast": self.forecast, "observations": r.observations, "exceptions": r.exceptions, "expected": r.expected,
            "pof": r.pof._asdict(), "independence": r.independence._asdict(), "coverage": r.coverage._asdict(),
            "zone": r.light.zone.value, "plus_factor": r.light.plus_factor,
            "es": None if self.shortfall is None else {
                name: None if math.isnan(value) else value for name, value in self.shortfall._asdict().items()
            },
        }  # fmt: skip


def forecasts(pnl: Floats, window: int, level: float) -> dict[str, Floats]:
    """VaR forecasts for each day from the window-th on, made of the days before it.

    Returns
    -------
    (observations - window,) by way: historical of the window; filtered: the same of P&L over its volatility, times the
    volatility forecast; normal: that volatility times the normal quantile.
    """
    volatilities = ewma_volatilities(pnl, start=min(60, window))  # nothing of the days it forecasts
    now = volatilities[window:-1]
    return {
        "historical": tests.rolling_forecasts(pnl, window, level),
        "filtered": tests.rolling_forecasts(pnl / volatilities[:-1], window, level) * now,
        "normal": float(normal_quantile(level)) * now,
    }


def backtest_of(book: Book, window: int, level: float) -> list[BacktestLine]:
    """Test the forecasts of the book held as it is over its whole history.

    Raises
    ------
    RiskError
        TOO_SHORT: not two days are left behind the window.
    """
    pnl = book.returns.values @ book.held
    if len(pnl) < window + 2:
        raise refusal(
            Problem.TOO_SHORT,
            f"a window of {window:,} days and two days to forecast need {window + 2:,} returns, the history has {len(pnl):,}",
        )
    if not math.isfinite(pnl.sum()) or not pnl.any():
        return []
    return [
        BacktestLine(name, tests.backtest(pnl[window:], var, level), _shortfall_test(name, pnl, var, window, level))
        for name, var in forecasts(pnl, window, level).items()
    ]


def _shortfall_test(name: str, pnl: Floats, var: Floats, window: int, level: float) -> tests.ShortfallTest | None:
    """Acerbi and Szekely's test of the ES that goes with a VaR forecast, with p-values drawn from the forecast itself."""
    volatilities = ewma_volatilities(pnl, start=min(60, window))
    now, days = volatilities[window:-1], len(pnl) - window
    rng = np.random.default_rng(1)
    shape = min(max(DRAWS_MAX // days, 100), 1000), days
    if name == "normal":
        es = float(normal_pdf(normal_quantile(level))) / (1.0 - level) * now
        drawn = rng.standard_normal(shape) * now
    else:
        series, scale = (pnl, np.ones(days)) if name == "historical" else (pnl / volatilities[:-1], now)
        es = tests.rolling_shortfalls(series, window, level) * scale
        drawn = series[np.arange(days) + rng.integers(0, window, shape)] * scale
    if es.min() <= 0.0:
        return None
    found = tests.acerbi_szekely(pnl[window:], var, es, level)
    return tests.simulated_p_values(found, var, es, level, drawn)
