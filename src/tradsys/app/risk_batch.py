"""``tradsys risk batch``: VaR and stress tests of many portfolios, here or on the workers of a dask scheduler.

A task is one portfolio and what is to be known of it; the same function works it off wherever it runs, every path of a
simulation is drawn from its own number, so the figures are the same to the digit.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter

from tradsys.app.arguments import InputFile, checked, number, whole

if TYPE_CHECKING:
    from tradsys.app.risk_files import Book
    from tradsys.app.risk_var import Question

Json = Annotated[bool, Parameter(name="--json", negative="")]
Level = Annotated[float, number("as a probability", 0.5, 1.0 - 1e-9)]
Days = Annotated[int, whole("days", 1, 10**6)]
Paths = Annotated[int, whole("paths", 1, 10**9)]
Seed = Annotated[int, whole("as seed")]
WORKERS_MAX: Final = 1024
DASK_SECONDS: Final = 10  # a scheduler may take so long to answer
_DASK = re.compile(r"dask://([^\s:/]+:\d{1,5})")


def _workers(text: str) -> None:
    if not (_DASK.fullmatch(text) or (text.isascii() and text.isdigit() and 1 <= int(text) <= WORKERS_MAX)):
        raise ValueError(
            f"must be 1 to {WORKERS_MAX} threads or the scheduler as dask://HOST:PORT, was {text!r}"
        )


def _horizon(text: str) -> None:
    from tradsys.app.risk_files import horizon_days

    horizon_days(text)


def batch(
    *portfolios: InputFile,
    history: InputFile,
    method: str = "historical",
    level: Level = 0.99,
    horizon: Annotated[str, checked(_horizon)] = "1d",
    base: str = "USD",
    missing: Literal["refuse", "common", "carry"] = "common",
    window: Days | None = None,
    paths: Paths = 100_000,
    seed: Seed = 1,
    stress: bool = True,
    workers: Annotated[str, checked(_workers)] = "1",
    as_json: Json = False,
) -> int:
    """VaR, ES and the stress scenarios of many portfolios, on threads here or on the workers of a dask scheduler.

    Exit status 1: the figures of a portfolio were refused; the others are told.

    Example: tradsys risk batch books/*.csv --history prices.parquet --method mc --workers dask://10.0.0.5:8786

    Parameters
    ----------
    portfolios
        Files, each as of `tradsys risk var`.
    history
        Prices of everything held.
    method
        As of `tradsys risk var`.
    level
        Probability of not losing more than the VaR.
    horizon
        Trading days: 1d, 10d, 2w, 1m.
    base
        Currency of all figures.
    missing
        Days on which something has no price: refuse, common or carry.
    window
        Only so many latest returns.
    paths
        Paths of a simulation.
    seed
        The same seed gives the same figures, wherever they are made.
    stress
        Run the scenario library on each portfolio.
    workers
        How many threads, or dask://HOST:PORT, whose workers have this version of tradsys.
    as_json
        One JSON object on the last line instead of a table.
    """
    from tradsys.app.risk_start import say_when_compiling

    say_when_compiling()
    from tradsys.app.risk_files import horizon_days, read_history
    from tradsys.app.risk_var import METHODS, Question
    from tradsys.errors import ConfigError, UsageError

    if not portfolios:
        raise UsageError("at least one portfolio must be given")
    if method not in METHODS:
        raise ConfigError(f"no method {method!r}; there are: {', '.join(METHODS)}")
    question = Question(method, level, horizon_days(horizon), paths=paths, seed=seed, threads=1)
    prices = read_history(history)
    tasks = list(_tasks(portfolios, prices, question, base, missing, window, stress))
    with open_workers(workers) as run:
        found = merged(portfolios, run(work_off, tasks))
    if as_json:
        told = {
            "command": "risk batch",
            "method": method,
            "level": level,
            "currency": base,
            "workers": workers,
        }
        print(json.dumps({**told, "holds": not any("refused" in one for one in found), "portfolios": found}))
    else:
        _print(found, question, base)
    return 1 if any("refused" in one for one in found) else 0


@dataclass(frozen=True)
class Task:
    """One thing to be known of one portfolio."""

    place: int  # of the portfolio
    what: str  # var or stress
    book: Book | None
    question: Question
    refused: str = ""  # why there is no book


def work_off(task: Task) -> tuple[int, dict[str, Any]]:
    """Work one task off: the portfolio's place, and its figures, or in what words they were refused."""
    from tradsys.app.risk_stress import stress_of
    from tradsys.app.risk_var import answer
    from tradsys.errors import TradSysError

    if task.book is None:
        return task.place, {"refused": task.refused}
    try:
        if task.what == "var":
            found = answer(task.question, task.book).as_json()
            names = (
                "value",
                "gross",
                "var",
                "es",
                "var_error",
                "es_error",
                "observations",
                "groups",
                "notes",
            )
            return task.place, {name: found[name] for name in names}
        stressed = stress_of(task.book, None, (), task.question.level, 0.1)
    except TradSysError as error:
        return task.place, {"refused": str(error)}
    return task.place, {
        "scenarios": {line.name: line.pnl for line in stressed.scenarios},
        "hhi": stressed.hhi,
    }


def merged(portfolios: Iterable[Path], results: Iterable[tuple[int, dict[str, Any]]]) -> list[dict[str, Any]]:
    """What is known of each portfolio, in the order they were given."""
    found: list[dict[str, Any]] = [{"portfolio": str(path)} for path in portfolios]
    for place, figures in results:
        found[place].update(figures)
    return found


class open_workers:
    """Context that gives a function to run a function over tasks: results come in the order of the tasks.

    Parameters
    ----------
    text : str
        How many threads, or ``dask://HOST:PORT``.

    Raises
    ------
    UsageError
        dask is not installed.
    SessionError
        The scheduler does not answer, or a worker was lost.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._close: Callable[[], object] = lambda: None

    def __enter__(self) -> Callable[[Callable[[Any], Any], list[Any]], Iterator[Any]]:
        """Reach the workers."""
        found = _DASK.fullmatch(self._text)
        if found is not None:
            return self._dask(f"tcp://{found[1]}")
        pool = ThreadPoolExecutor(int(self._text))
        self._close = lambda: pool.shutdown(cancel_futures=True)
        return pool.map

    def __exit__(self, *error: object) -> None:
        """Let go of them."""
        self._close()

    def _dask(self, address: str) -> Callable[[Callable[[Any], Any], list[Any]], Iterator[Any]]:
        from tradsys.errors import SessionError, UsageError

        try:
            from distributed import Client
        except ImportError:
            raise UsageError("--workers dask://... needs dask: pip install 'tradsys[dask]'") from None
        try:
            client = Client(address, timeout=DASK_SECONDS, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise SessionError(f"no dask scheduler answers at {address}: {error}") from None
        self._close = client.close

        def run(function: Callable[[Any], Any], tasks: list[Any]) -> Iterator[Any]:
            if not client.scheduler_info()["workers"]:
                raise SessionError(f"the dask scheduler at {address} has no workers")
            futures = client.map(function, tasks, pure=False)
            try:
                for future in futures:
                    yield future.result()
            except Exception as error:
                raise SessionError(f"a dask worker failed: {type(error).__name__}: {error}") from error

        return run


def _tasks(
    portfolios: Iterable[Path],
    prices: Any,
    question: Question,
    base: str,
    missing: str,
    window: int | None,
    stress: bool,
) -> Iterator[Task]:
    """Everything to be known; a portfolio that cannot be read is a task that is refused."""
    from tradsys.app.risk_files import book_of, read_portfolio
    from tradsys.errors import TradSysError
    from tradsys.risk.returns import Missing

    for place, path in enumerate(portfolios):
        try:
            book = book_of(read_portfolio(path, base), prices, base, Missing(missing), window)
        except TradSysError as error:
            yield Task(place, "var", None, question, str(error))
            continue
        for what in ("var", "stress") if stress else ("var",):
            yield Task(place, what, book, question)


def _print(found: list[dict[str, Any]], question: Question, base: str) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"{question.method} at {question.level:g} over {question.days} days, {base}"
    table = Table(title=title, title_justify="left")
    table.add_column("portfolio")
    for head in ("value", "gross", "VaR", "ES", "worst scenario", "its P&L"):
        table.add_column(head, justify="right")
    refused = []
    for one in found:
        if "refused" in one:
            refused.append(f"{one['portfolio']}: {one['refused']}")
            continue
        worst = min(one.get("scenarios", {}).items(), key=lambda item: item[1], default=("-", None))
        table.add_row(
            Path(one["portfolio"]).name, *(f"{one[name]:,.2f}" for name in ("value", "gross", "var", "es")), worst[0],
            "-" if worst[1] is None else f"{worst[1]:,.0f}",
        )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)
    for sentence in refused:
        print(f"refused: {sentence}", file=sys.stderr)
