"""The HTML report of ``tradsys risk var --report``: one file with its plots inside, no script, nothing loaded."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from tradsys.app.risk_stress import BacktestLine, StressAnswer, forecasts
from tradsys.app.risk_var import Answer
from tradsys.errors import InputError
from tradsys.risk.inputs import Floats

WIDTH, HEIGHT, LEFT, BAR = 860, 280, 260, 22  # pixels
NAME_MAX = 38  # characters beside a bar
BARS_MAX = 20
BINS = 80
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;color:#1b1f24;background:#fff}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}table{border-collapse:collapse}svg{max-width:100%;height:auto}
td,th{padding:.25em .8em;text-align:right;border-bottom:1px solid #d8dee4}td:first-child,th:first-child,.text{text-align:left}
.note{color:#57606a}.loss{fill:#cf222e}.gain{fill:#1a7f37}.bar{fill:#6e9ecf}.line{stroke:#57606a;fill:none}
.var{stroke:#bc4c00;stroke-width:2}.es{stroke:#cf222e;stroke-width:2;stroke-dasharray:5 3}text{font-size:12px;fill:#1b1f24}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}text{fill:#e6edf3}td,th{border-color:#30363d}}
"""


def write_report(
    path: Path, found: Answer, stressed: StressAnswer, tested: Sequence[BacktestLine], window: int
) -> None:
    """Write the report of one answer, its stress tests and its back-tests.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    try:
        path.write_text(report(found, stressed, tested, window), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def report(found: Answer, stressed: StressAnswer, tested: Sequence[BacktestLine], window: int) -> str:
    """The text of the report."""
    book, q = found.book, found.question
    names = [f"{p.symbol} {p.labels.get('account', '')}".strip() for p in book.positions]
    title = f"Risk of {len(book.positions)} positions, {q.method} at {q.level:g} over {q.days} days"
    parts = [f"<h1>{escape(title)}</h1>", _figures(found)]
    if found.pnl is not None:
        parts += ["<h2>Distribution of the profit and loss</h2>", histogram(found.pnl, found.var, found.es)]
    if found.component_es is not None:
        parts += ["<h2>What each position adds to the ES</h2>", bars(names, -found.component_es)]
    for label, amounts in found.groups.items():
        if len(amounts) > 1:
            heading = f"<h2>ES by {escape(label.replace('_', ' '))}</h2>"
            parts += [heading, bars(list(amounts), -np.array(list(amounts.values())))]
    parts += ["<h2>Stress tests</h2>", _stress(stressed)]
    if tested:
        parts += [f"<h2>Back-test of one day, {window} days back</h2>", _backtest(found, tested, window)]
    parts += [f'<p class="note">{escape(note)}</p>' for note in found.notes]
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    return f"{head}<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"


def histogram(pnl: Floats, var: float, es: float) -> str:
    """Draw the distribution of P&L with marks at the VaR and the ES."""
    low, high = float(pnl.min()), float(pnl.max())
    if low == high:
        return '<p class="note">The profit and loss is the same on every path.</p>'
    counts, edges = np.histogram(pnl, BINS, (low, high))

    def x(amount: float) -> float:
        return 10 + (WIDTH - 20) * (amount - low) / (high - low)

    shapes = []
    for number, edge in zip(counts, edges, strict=False):
        if number == 0:
            continue
        height = (HEIGHT - 50) * number / counts.max()
        kind = "loss" if edge < -var else "bar"
        shapes.append(_rectangle(x(edge), HEIGHT - 25 - height, (WIDTH - 20) / BINS - 1, height, kind))
    for name, amount, kind, top in (("VaR", -var, "var", 14), ("ES", -es, "es", 28)):
        place = min(max(x(amount), 0), WIDTH)
        beside, anchor = (place + 4, "start") if kind == "var" or place < LEFT / 2 else (place - 4, "end")
        shapes.append(
            f'<line class="{kind}" x1="{place:.1f}" x2="{place:.1f}" y1="{top}" y2="{HEIGHT - 25}"/>'
        )
        shapes.append(_text(beside, top + 4, f"{name} {-amount:,.0f}", anchor))
    shapes += [_text(10, HEIGHT - 8, f"{low:,.0f}"), _text(WIDTH - 10, HEIGHT - 8, f"{high:,.0f}", "end")]
    return _drawing(HEIGHT, shapes)


def bars(names: Sequence[str], amounts: Floats) -> str:
    """Draw one bar a name, the largest first: losses to the left, gains to the right."""
    order = np.argsort(-np.abs(amounts), kind="stable")[:BARS_MAX]
    low, high = min(float(amounts.min()), 0.0), max(float(amounts.max()), 0.0)
    width = max(high - low, 1e-300)
    zero = LEFT + (WIDTH - LEFT - 110) * -low / width
    shapes = []
    for row, i in enumerate(order):
        length = (WIDTH - LEFT - 110) * abs(float(amounts[i])) / width
        start, kind = (zero - length, "loss") if amounts[i] < 0 else (zero, "gain")
        shapes.append(_rectangle(start, BAR * row + 3, length, BAR - 6, kind))
        shapes.append(_text(LEFT - 8, BAR * row + 15, _short(names[i]), "end"))
        shapes.append(_text(WIDTH - 5, BAR * row + 15, f"{amounts[i]:,.0f}", "end"))
    shapes.append(f'<line class="line" x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{BAR * len(order)}"/>')
    more = f'<p class="note">and {len(names) - BARS_MAX} smaller ones</p>' if len(names) > BARS_MAX else ""
    return _drawing(BAR * len(order), shapes) + more


def exceedances(pnl: Floats, var: Floats) -> str:
    """Draw each day's P&L over the VaR forecast for it; the days beyond it are marked."""
    low, high = min(float(pnl.min()), -float(var.max())), max(float(pnl.max()), 0.0)
    y = (high - pnl) / max(high - low, 1e-300) * (HEIGHT - 20) + 10
    x = np.linspace(10, WIDTH - 10, len(pnl))
    level = (high + var) / max(high - low, 1e-300) * (HEIGHT - 20) + 10
    every = max(1, len(pnl) // 1500)  # what a screen can show
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[::every], level[::every], strict=True))
    beyond = np.flatnonzero(pnl < -var)
    dots = "".join(f"M{a:.1f} {b:.1f}h.01" for a, b in zip(x[::every], y[::every], strict=True))
    shapes = [
        f'<path class="line" stroke-width="2" stroke-linecap="round" d="{dots}"/>',
        f'<polyline class="var" fill="none" points="{line}"/>',
    ]
    shapes += [f'<circle class="loss" cx="{x[i]:.1f}" cy="{y[i]:.1f}" r="3"/>' for i in beyond]
    shapes += [_text(0, 12, f"{high:,.0f}"), _text(0, HEIGHT - 2, f"{low:,.0f}")]
    return _drawing(HEIGHT, shapes)


def _figures(found: Answer) -> str:
    book, q = found.book, found.question
    rows = [("VaR", f"{found.var:,.2f} {book.base}"), ("ES", f"{found.es:,.2f} {book.base}")]
    if found.var_error is not None and found.es_error is not None:
        rows.append(("standard errors", f"{found.var_error:,.2f} and {found.es_error:,.2f}"))
    if found.interval:
        rows.append(
            (f"VaR, {q.confidence:.0%} confidence", f"{found.interval[0]:,.2f} to {found.interval[1]:,.2f}")
        )
    rows.append(
        ("net and gross exposure", f"{book.exposures.sum():,.2f} and {np.abs(book.exposures).sum():,.2f}")
    )
    rows.append(("history", f"{len(book.returns.values)} returns, {book.dates[0]} to {book.dates[-1]}"))
    return _table(("", ""), rows)


def _stress(stressed: StressAnswer) -> str:
    drawn = bars(
        [line.title for line in stressed.scenarios], np.array([line.pnl for line in stressed.scenarios])
    )
    rows = [
        (line.title, f"{line.pnl:,.0f}", ", ".join(line.unstated) or "-", line.source)
        for line in stressed.scenarios
    ]
    return drawn + _table(("scenario", "P&L", "move not stated", "source"), rows, sentences=(2, 3))


def _backtest(found: Answer, tested: Sequence[BacktestLine], window: int) -> str:
    pnl = found.book.returns.values @ found.book.held
    drawn = exceedances(pnl[window:], forecasts(pnl, window, found.question.level)["filtered"])
    rows = [
        (
            line.forecast, f"{line.result.exceptions} of {line.result.observations}", f"{line.result.expected:.1f}",
            f"{line.result.pof.p_value:.4f}", f"{line.result.independence.p_value:.4f}", line.result.light.zone.value,
        )
        for line in tested
    ]  # fmt: skip
    note = '<p class="note">The line is the volatility-filtered forecast; marked days lost more.</p>'
    heads = ("forecast", "exceptions", "expected", "Kupiec p", "independence p", "Basel zone")
    return drawn + note + _table(heads, rows)


def _short(name: str) -> str:
    """A name that fits beside a bar."""
    return name if len(name) <= NAME_MAX else f"{name[: NAME_MAX - 1]}\u2026"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], sentences: Sequence[int] = ()) -> str:
    """Write a table; columns of sentences are aligned like text, the others like numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        marks = (' class="text"' if i in sentences else "" for i in range(len(cells)))
        return "".join(f"<{tag}{mark}>{escape(cell)}</{tag}>" for mark, cell in zip(marks, cells, strict=True))

    head = f"<tr>{line(heads, 'th')}</tr>" if any(heads) else ""
    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table>{head}{body}</table>"


def _drawing(height: int, shapes: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">{"".join(shapes)}</svg>'


def _rectangle(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
