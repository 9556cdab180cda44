"""How ``tradsys risk`` shows what it found: tables for people, Arrow for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rich.table import Table

    from tradsys.app.risk_files import Book
    from tradsys.app.risk_stress import BacktestLine, StressAnswer
    from tradsys.app.risk_var import Answer
    from tradsys.risk.inputs import Floats

POSITIONS_SHOWN = 40


def print_answer(found: Answer) -> None:
    """Print the figures, the positions by what they add, and the groups."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    book, q = found.book, found.question
    console.print(
        f"[bold]{q.method}[/] at {q.level:.4g} over {q.days} day{'s' if q.days > 1 else ''}, {book.base}; "
        f"{len(book.returns.values)} returns from {book.dates[0]} to {book.dates[-1]}"
    )
    gross = float(np.abs(book.exposures).sum())
    console.print(f"{len(book.positions)} positions, net {book.exposures.sum():,.2f}, gross {gross:,.2f}\n")
    for name, figure, error in (("VaR", found.var, found.var_error), ("ES", found.es, found.es_error)):
        line = f"{name:<4}[bold]{figure:>18,.2f}[/]  {_share(figure, gross)} of gross"
        console.print(line + (f"  standard error {error:,.2f}" if error is not None else ""))
    if found.interval:
        low, high = found.interval
        console.print(f"VaR lies in {low:,.2f} .. {high:,.2f} with {q.confidence:.0%} confidence")
    if found.component_es is not None:
        console.print()
        console.print(_positions(found))
    for label, parts in found.groups.items():
        console.print(_group(label, parts, found.es, found.var_groups.get(label, {})))
    for note in notes_of(found):
        console.print(f"[bright_black]{note}[/]")


def print_stress(found: StressAnswer) -> None:
    """Print the scenarios and what else was tried."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    book = found.book
    gross = float(np.abs(book.exposures).sum())
    heads = ("scenario", "P&L", "of gross", "worst position", "its P&L", "not stated")
    rows = [
        (
            line.title, f"{line.pnl:,.0f}", _share(line.pnl, gross), line.worst, f"{line.worst_pnl:,.0f}",
            ", ".join(line.unstated[:4]) + (" ..." if len(line.unstated) > 4 else ""),
        )
        for line in found.scenarios
    ]  # fmt: skip
    console.print(_table(f"scenarios, {book.base}", heads, rows))
    windows = [
        (f"{days} day{'s' if days > 1 else ''}", f"{first} .. {last}", f"{pnl:,.0f}", _share(pnl, gross))
        for days, first, last, pnl in found.windows
    ]
    console.print(_table("worst stretches of the history", ("length", "when", "P&L", "of gross"), windows))
    shifts = [(f"{shift:+.0%}", f"{pnl:,.0f}") for shift, pnl in found.ladder]
    console.print(_table("everything moves", ("by", "P&L"), shifts))
    broken = [(name, f"{var:,.0f}") for name, var in found.broken]
    console.print(_table("correlations", ("they are", "VaR of a day, normal"), broken))
    if found.reverse:
        console.print(
            f"Losing {found.reverse_loss:,.0f} in a day is {found.reverse.distance:.1f} deviations away; the likeliest way:"
        )
        moves = sorted(
            zip(found.reverse.moves, book.asset_names, strict=True), key=lambda pair: -abs(pair[0])
        )[:10]
        console.print("  " + ", ".join(f"{name} {move:+.1%}" for move, name in moves))
    console.print(
        f"concentration (HHI) {found.hhi:.3f}"
        + (f", initial margin {found.margin:,.0f}" if found.margin else "")
    )


def print_backtest(book: Book, lines: list[BacktestLine], level: float, window: int) -> None:
    """Print one row a forecast."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    if not lines:
        console.print("the portfolio never moves: there is nothing to test")
        return
    heads = (
        "forecast",
        "days",
        "exceptions",
        "expected",
        "POF p",
        "independence p",
        "coverage p",
        "Basel zone",
        "ES Z2",
        "its p",
    )
    rows = []
    for line in lines:
        r = line.result
        rows.append((
            line.forecast, f"{r.observations}", f"{r.exceptions}", f"{r.expected:.1f}", f"{r.pof.p_value:.4f}",
            f"{r.independence.p_value:.4f}", f"{r.coverage.p_value:.4f}", f"{r.light.zone.value} +{r.light.plus_factor:.2f}",
            *es_cells(line),
        ))  # fmt: skip
    title = f"VaR {level:g} of a day, {window} days back, {book.dates[window]} to {book.dates[-1]}"
    console.print(_table(title, heads, rows))


def es_cells(line: BacktestLine) -> tuple[str, str]:
    """Acerbi and Szekely's second statistic and its p-value."""
    es = line.shortfall
    return ("-", "-") if es is None else (f"{es.z2:+.2f}", f"{es.p_value_z2:.3f}")


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def write_arrow(found: Answer, path: Path) -> None:
    """Write one row a position with its figures; the totals are in the schema's metadata."""
    import pyarrow as pa
    import pyarrow.feather

    book = found.book
    columns = {
        "symbol": pa.array([p.symbol for p in book.positions]),
        **{
            label: pa.array([p.labels.get(label, "") for p in book.positions])
            for label in ("account", "asset_class", "sector", "currency")
        },
        "quantity": pa.array([p.quantity for p in book.positions], pa.float64()),
        "exposure": pa.array(book.exposures),
    }
    for name in ("marginal_var", "component_var", "component_es", "incremental_var"):
        figures = getattr(found, name)
        columns[name] = pa.nulls(len(book.positions), pa.float64()) if figures is None else pa.array(figures, from_pandas=True)
    q = found.question
    metadata = {
        "method": q.method,
        "level": q.level,
        "horizon_days": q.days,
        "var": found.var,
        "es": found.es,
    }
    table = pa.table(columns).replace_schema_metadata(
        {key: repr(value).strip("'") for key, value in metadata.items()}
    )
    pyarrow.feather.write_feather(table, str(path))


def _positions(found: Answer) -> Table:
    from rich.table import Table

    book = found.book
    assert found.component_es is not None
    table = Table(title="what each position adds", title_justify="left")
    table.add_column("symbol")
    heads = ["exposure", "marginal VaR", "component VaR", "component ES", "share of ES", "incremental VaR"]
    for head in heads:
        table.add_column(head, justify="right")
    order = np.argsort(-np.abs(found.component_es), kind="stable")
    for i in order[:POSITIONS_SHOWN]:
        table.add_row(
            book.positions[i].symbol, f"{book.exposures[i]:,.0f}", _marginal(found, i), _amount(found.component_var, i),
            _amount(found.component_es, i), _share(found.component_es[i], found.es), _amount(found.incremental_var, i),
        )  # fmt: skip
    if len(order) > POSITIONS_SHOWN:
        rest = float(found.component_es[order[POSITIONS_SHOWN:]].sum())
        table.add_row(
            f"{len(order) - POSITIONS_SHOWN} more", "", "", "", f"{rest:,.2f}", _share(rest, found.es), ""
        )
    table.add_section()
    sum_var = None if found.component_var is None else found.component_var.sum()
    table.add_row(
        "sum", f"{book.exposures.sum():,.0f}", "", "" if sum_var is None else f"{sum_var:,.2f}",
        f"{found.component_es.sum():,.2f}", "", "",
    )  # fmt: skip
    return table


def _group(label: str, parts: dict[str, float], total: float, of_var: dict[str, float]) -> Table:
    from rich.table import Table

    table = Table(title=f"{'VaR and ' if of_var else ''}ES by {label.replace('_', ' ')}", title_justify="left")
    table.add_column(label)
    if of_var:
        table.add_column("component VaR", justify="right")
    table.add_column("component ES", justify="right")
    table.add_column("share of ES", justify="right")
    for name, amount in sorted(parts.items(), key=lambda item: -abs(item[1])):
        var = [f"{of_var[name]:,.2f}"] if of_var else []
        table.add_row(name or "-", *var, f"{amount:,.2f}", _share(amount, total))
    return table


def notes_of(found: Answer) -> list[str]:
    """What is to be known beside the figures."""
    returns = found.book.returns
    notes = list(found.notes)
    if returns.cells_missing:
        what = (
            f"{returns.cells_missing} prices are missing in the history: {returns.rows_dropped} days left out"
        )
        notes.append(f"{what}, {returns.cells_carried} prices carried forward")
    return notes


def _marginal(found: Answer, i: int) -> str:
    """Per unit of exposure; nothing for a position of nothing."""
    figures = found.marginal_var
    return "" if figures is None or np.isnan(figures[i]) else f"{figures[i]:.4f}"


def _amount(figures: Floats | None, i: int) -> str:
    return "" if figures is None else f"{figures[i]:,.2f}"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.2%}" if whole else "-"
