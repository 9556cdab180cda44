"""``tradsys risk``: VaR, ES, stress tests, back-tests and margin of a portfolio file, bonds, and the live risk of a venue."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

import tradsys
from tradsys.app.arguments import InputFile, checked, number, whole
from tradsys.app.risk_batch import batch
from tradsys.app.risk_bond import bond
from tradsys.app.risk_follow import control, live, watch
from tradsys.app.risk_margin import margin

if TYPE_CHECKING:
    from tradsys.app.risk_var import Answer

app = App(
    name="tradsys risk",
    help="VaR, ES, stress tests, back-tests and margin of a portfolio; bonds; the live risk of a venue.",
    version=tradsys.__version__,
)
for command in (batch, margin, bond, live, watch, control):
    app.command(command)
Json = Annotated[bool, Parameter(name="--json", negative="")]
Flag = Parameter(negative="")


def _horizon(text: str) -> None:
    from tradsys.app.risk_files import horizon_days

    horizon_days(text)


Level = Annotated[float, number("as a probability", 0.5, 1.0 - 1e-9)]
Share = Annotated[float, number("as a share", 0.0, 1.0 - 1e-9, above=True)]
Loss = Annotated[float, number("as a share of the gross exposure", 0.0, 100.0, above=True)]
Freedom = Annotated[float, number("degrees of freedom", 0.0, 1e6, above=True)]
Days = Annotated[int, whole("days", 1, 10**6)]
Paths = Annotated[int, whole("paths", 1, 10**9)]
Seed = Annotated[int, whole("as seed")]
Threads = Annotated[int, whole("threads", 1, 1024)]
Horizon = Annotated[str, checked(_horizon)]


@app.command(name="var")
def var(
    portfolio: InputFile,
    *,
    history: InputFile,
    method: str = "historical",
    level: Level = 0.99,
    horizon: Horizon = "1d",
    base: str = "USD",
    missing: str = "common",
    window: Days | None = None,
    covariance: str = "sample",
    decay: Share = 0.94,
    dof: Freedom | None = None,
    mean: Annotated[bool, Flag] = False,
    paths: Paths = 100_000,
    seed: Seed = 1,
    antithetic: Annotated[bool, Flag] = False,
    block: Days = 1,
    confidence: Share = 0.95,
    threads: Threads | None = None,
    arrow: Path | None = None,
    report: Path | None = None,
    as_json: Json = False,
) -> int:
    """Value at risk and expected shortfall of a portfolio, and what each position adds to them.

    The portfolio is a CSV or Parquet file with the columns symbol and quantity, and any of price, currency, account,
    asset_class, sector. The history has a date and a column of prices a symbol, or rows of date, symbol and price. A
    position in another currency than --base needs the history of CUR/BASE.

    Methods: historical, age, filtered, normal, student, cornish-fisher; simulated: mc, sobol, copula, bootstrap, brownian.

    Example: tradsys risk var portfolio.csv --history prices.parquet --method mc --level 0.99 --horizon 10d

    Parameters
    ----------
    portfolio
        The positions.
    history
        Prices of everything held.
    method
        How the distribution of the P&L is found.
    level
        Probability of not losing more than the VaR, in [0.5, 1).
    horizon
        Trading days: 1d, 10d, 2w, 1m.
    base
        Currency of all figures.
    missing
        Days on which something has no price: refuse, common (leave them out) or carry (the last price stands).
    window
        Only so many latest returns.
    covariance
        sample, ewma, shrunk (Ledoit-Wolf) or lead-lag (markets that close at different hours).
    decay
        Weight of yesterday in exponentially weighted figures.
    dof
        Degrees of freedom of Student's t.
    mean
        Use the mean of the history instead of zero (closed forms, mc, sobol, brownian).
    paths
        Paths of a simulation.
    seed
        The same seed gives the same figures, to the digit.
    antithetic
        Simulate each path with its mirror (mc, copula, brownian).
    block
        Consecutive days drawn together by bootstrap.
    confidence
        Of the bounds of the VaR.
    threads
        Of a simulation; as many as processors if not given. The figures do not depend on it.
    arrow
        Write the positions with their figures to this Arrow file, too.
    report
        Write an HTML report to this file, too: distribution, contributions, stress tests and back-test, drawn.
    as_json
        One JSON object on the last line instead of tables.
    """
    from tradsys.app.risk_start import say_when_compiling

    say_when_compiling()
    from tradsys.app.risk_files import book_of, horizon_days, read_history, read_portfolio
    from tradsys.app.risk_text import print_answer, write_arrow
    from tradsys.app.risk_var import Question, answer

    book = book_of(read_portfolio(portfolio, base), read_history(history), base, _missing(missing), window)
    days = horizon_days(horizon)
    with _progress(as_json) as progress:
        question = Question(
            method, level, days, covariance, decay, dof, mean, paths, seed, antithetic, block, confidence, threads, progress
        )  # fmt: skip
        found = answer(question, book)
    if arrow:
        write_arrow(found, arrow)
    if report:
        _write_report(report, found)
    if as_json:
        print(json.dumps(found.as_json()))
    else:
        print_answer(found)
    return 0


@app.command(name="stress")
def stress(
    portfolio: InputFile,
    *,
    history: InputFile,
    scenario: Annotated[tuple[str, ...], Parameter(name=["--scenario", "-s"], negative="")] = (),
    scenarios: InputFile | None = None,
    level: Level = 0.99,
    loss: Loss = 0.1,
    base: str = "USD",
    missing: str = "common",
    window: Days | None = None,
    as_json: Json = False,
) -> int:
    """What the portfolio would lose in crises, shifts and broken correlations, and what would cost it a given share.

    The crises are 1987, 1998, 2000, 2008, 2010, 2015, 2020 and 2022, as moves by symbol and asset class with their
    sources; a position whose move a scenario does not state counts as unmoved and is named. Scenarios of your own are a
    YAML file in the same form.

    Example: tradsys risk stress portfolio.csv --history prices.parquet --scenario crisis_2008 --loss 0.2

    Parameters
    ----------
    portfolio
        The positions, as of ``tradsys risk var``.
    history
        Prices of everything held.
    scenario
        Only these; may be repeated.
    scenarios
        YAML file of further scenarios.
    level
        Of the VaR under broken correlations.
    loss
        Share of the gross exposure to look for the likeliest way to lose.
    base
        Currency of all figures.
    missing
        Days on which something has no price: refuse, common or carry.
    window
        Only so many latest returns.
    as_json
        One JSON object on the last line instead of tables.
    """
    from tradsys.app.risk_start import say_when_compiling

    say_when_compiling()
    from tradsys.app.risk_files import book_of, read_history, read_portfolio
    from tradsys.app.risk_stress import stress_of
    from tradsys.app.risk_text import print_stress

    book = book_of(read_portfolio(portfolio, base), read_history(history), base, _missing(missing), window)
    found = stress_of(book, scenarios, scenario, level, loss)
    if as_json:
        print(json.dumps(found.as_json()))
    else:
        print_stress(found)
    return 0


@app.command(name="backtest")
def backtest(
    portfolio: InputFile,
    *,
    history: InputFile,
    level: Level = 0.99,
    window: Days = 500,
    base: str = "USD",
    missing: str = "common",
    as_json: Json = False,
) -> int:
    """Count how often the VaR would have failed: every day is forecast from the days before it.

    Kupiec's proportion of failures, Christoffersen's independence and conditional coverage, the Basel traffic light, and Acerbi
    and Szekely's test of the ES (Z2: 0 expected, below it the ES was too small), for three forecasts: historical, filtered by
    volatility, and normal. Exit status 1: all three are rejected at 5 %.

    Example: tradsys risk backtest portfolio.csv --history prices.parquet --level 0.99 --window 500

    Parameters
    ----------
    portfolio
        The positions, as of ``tradsys risk var``; they are held unchanged over the whole history.
    history
        Prices of everything held.
    level
        Of the VaR.
    window
        Days a forecast looks back.
    base
        Currency of all figures.
    missing
        Days on which something has no price: refuse, common or carry.
    as_json
        One JSON object on the last line instead of a table.
    """
    from tradsys.app.risk_start import say_when_compiling

    say_when_compiling()
    from tradsys.app.risk_files import book_of, read_history, read_portfolio
    from tradsys.app.risk_stress import backtest_of
    from tradsys.app.risk_text import print_backtest

    book = book_of(read_portfolio(portfolio, base), read_history(history), base, _missing(missing), None)
    lines = backtest_of(book, window, level)
    holds = not lines or any(line.result.coverage.p_value >= 0.05 for line in lines)
    if as_json:
        tests = [line.as_json() for line in lines]
        print(
            json.dumps(
                {"command": "risk backtest", "level": level, "window": window, "holds": holds, "tests": tests}
            )
        )
    else:
        print_backtest(book, lines, level, window)
    return 0 if holds else 1


def _write_report(path: Path, found: Answer) -> None:
    from tradsys.app.risk_report import write_report
    from tradsys.app.risk_stress import backtest_of, stress_of

    level, days = found.question.level, len(found.book.returns.values)
    window = min(500, days // 2)  # half of a short history, to have something to test
    tested = backtest_of(found.book, window, level) if window >= 50 else []
    write_report(path, found, stress_of(found.book, None, (), level, 0.1), tested, window)


def _missing(name: str):  # type: ignore[no-untyped-def]
    from tradsys.errors import ConfigError
    from tradsys.risk.returns import Missing

    allowed = [Missing.REFUSE, Missing.COMMON, Missing.CARRY]
    if name not in [treatment.value for treatment in allowed]:
        raise ConfigError(f"missing must be {', '.join(allowed)}, was {name!r}")
    return Missing(name)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[float], None] | None]:
    """A bar on standard error for people at a terminal; nothing for programs."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=1.0)
        yield lambda done: bar.update(task, completed=done)
