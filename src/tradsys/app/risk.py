"""``tradsys risk``: VaR and ES of a portfolio file over a history of prices, from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.types import ExistingFile

import tradsys

app = App(
    name="tradsys risk", help="VaR, ES and where they come from, of a portfolio.", version=tradsys.__version__
)
Json = Annotated[bool, Parameter(name="--json", negative="")]
Flag = Parameter(negative="")


@app.command(name="var")
def var(
    portfolio: ExistingFile,
    *,
    history: ExistingFile,
    method: str = "historical",
    level: float = 0.99,
    horizon: str = "1d",
    base: str = "USD",
    missing: str = "common",
    window: int | None = None,
    covariance: str = "sample",
    decay: float = 0.94,
    dof: float | None = None,
    mean: Annotated[bool, Flag] = False,
    paths: int = 100_000,
    seed: int = 1,
    antithetic: Annotated[bool, Flag] = False,
    block: int = 1,
    confidence: float = 0.95,
    threads: int | None = None,
    arrow: Path | None = None,
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
    as_json
        One JSON object on the last line instead of tables.
    """
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
    if as_json:
        print(json.dumps(found.as_json()))
    else:
        print_answer(found)
    return 0


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
