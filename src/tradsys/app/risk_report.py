"""The HTML report of ``tradsys risk var --report``: one file with its plots inside, no script, nothing loaded."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from tradsys.app.risk_stress import BacktestLine, StressAnswer, forecasts
from tradsys.app.risk_text import es_cells, notes_of
from tradsys.app.risk_var import Answer
from tradsys.errors import InputError
from tradsys.risk.inputs import Floats

WIDTH, HEIGHT = 1000.0, 260.0  # of a drawing, in units of its own: it is stretched to the width of the page
BARS_MAX = 20
BINS = 80
STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#57606a;--edge:#d8dee4;--loss:#cf222e;--gain:#1a7f37;
--bar:#6e9ecf;--var:#bc4c00}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--soft:#9198a1;--edge:#30363d;--loss:#f85149;
--gain:#3fb950;--bar:#4a7fb5;--var:#f0883e}}
body{font:15px/1.45 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;color:var(--ink);background:var(--paper)}
h1{font-size:1.5em}h2{font-size:1.15em;margin:2em 0 .6em}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}.wide{width:100%;margin-top:1em}
td,th{padding:.25em .8em;text-align:right;border-bottom:1px solid var(--edge);vertical-align:top}
td:first-child,th:first-child{text-align:left;padding-left:0}td:last-child,th:last-child{padding-right:0}.text{text-align:left}
.note,.key{color:var(--soft)}.key{display:flex;justify-content:space-between;gap:0 1em;margin:.2em 0 0}
svg{display:block;width:100%;height:260px;overflow:visible}svg *{vector-effect:non-scaling-stroke}
.loss{fill:var(--loss)}.bar{fill:var(--bar)}.zero{stroke:var(--edge)}
.var{stroke:var(--var);stroke-width:2;fill:none}.es{stroke:var(--loss);stroke-width:2;stroke-dasharray:5 3;fill:none}
.day,.out{stroke:var(--soft);stroke-width:2;stroke-linecap:round;fill:none}.out{stroke:var(--loss);stroke-width:7}
.mark{display:inline-block;width:1.6em;border-top:2px solid;vertical-align:middle;margin-right:.4em}
.mark.v{color:var(--var)}.mark.e{color:var(--loss);border-top-style:dashed}
.row{display:grid;grid-template-columns:minmax(0,18em) 1fr 6em;gap:.8em;align-items:center;font-size:.87em;padding:.15em 0}
.row>:first-child{text-align:right;overflow-wrap:anywhere}.row>:last-child{text-align:right;font-variant-numeric:tabular-nums}
.track{position:relative;height:1.1em}.track i{position:absolute;top:0;bottom:0}.track .up{background:var(--loss)}
.track .down{background:var(--gain)}.track .axis{top:-.2em;bottom:-.2em;border-left:1px solid var(--soft)}
@media(max-width:640px){body{margin:1em auto}h1{font-size:1.25em}svg{height:190px}td,th{padding:.25em .4em}
.row{grid-template-columns:minmax(0,9em) 1fr 5.2em;gap:.5em}.row>:first-child{text-align:left}
.wide,.wide tbody,.wide tr,.wide td{display:block}.wide tr{border-bottom:1px solid var(--edge);padding:.5em 0}
.wide tr:first-child{display:none}.wide td{border:0;padding:.1em 0;text-align:left}.wide td:first-child{font-weight:600}
.wide td:not(:first-child)::before{content:attr(data-head) ": ";color:var(--soft)}}
@media print{body{max-width:none}h2{break-after:avoid}.row,tr,svg{break-inside:avoid}}
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
    days = "1 day" if q.days == 1 else f"{q.days} days"
    title = f"Risk of {len(book.positions)} positions, {q.method} at {q.level:g} over {days}"
    parts = [f"<h1>{escape(title)}</h1>", _figures(found)]
    if found.pnl is not None:
        parts += ["<h2>Distribution of the profit and loss</h2>", histogram(found.pnl, found.var, found.es, book.base)]
    if found.component_es is not None:
        note = f'<p class="note">To the right what adds to the ES of {found.es:,.0f}, to the left what takes from it.</p>'
        parts += ["<h2>What each position adds to the ES</h2>", note, bars(names, found.component_es)]
    for label, amounts in found.groups.items():
        if len(amounts) > 1:
            heading = f"<h2>ES by {escape(label.replace('_', ' '))}</h2>"
            parts += [heading, bars([name or "-" for name in amounts], np.array(list(amounts.values())))]
    parts += ["<h2>Stress tests</h2>", _stress(stressed)]
    if tested:
        parts += [f"<h2>Back-test of one day, {window} days back</h2>", _backtest(found, tested, window)]
    parts += [f'<p class="note">{escape(note)}</p>' for note in notes_of(found)]
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    head = f'<!doctype html><html lang="en"><head>{meta}<title>{escape(title)}</title>'
    return f"{head}<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"


def histogram(pnl: Floats, var: float, es: float, currency: str = "") -> str:
    """Draw the distribution of P&L with marks at the VaR and the ES; what the marks say stands below."""
    low, high = float(pnl.min()), float(pnl.max())
    if low == high:
        return '<p class="note">The profit and loss is the same on every path.</p>'
    counts, edges = np.histogram(pnl, BINS, (low, high))

    def x(amount: float) -> float:
        return WIDTH * min(max((amount - low) / (high - low), 0.0), 1.0)

    shapes = []
    for number, edge in zip(counts, edges, strict=False):
        if number:
            height = (HEIGHT - 10) * number / counts.max()
            kind = "loss" if edge < -var else "bar"
            shapes.append(_rectangle(x(edge), HEIGHT - height, WIDTH / BINS - 1, height, kind))
    for amount, kind in ((-var, "var"), (-es, "es")):
        shapes.append(f'<path class="{kind}" d="M{x(amount):.1f} 0V{HEIGHT:g}"/>')
    shapes.append(f'<path class="zero" d="M0 {HEIGHT:g}H{WIDTH:g}"/>')
    marks = [
        f'<span><i class="mark v"></i>VaR {var:,.0f}</span>',
        f'<span><i class="mark e"></i>ES {es:,.0f}</span>',
    ]
    scale = _key(f"<span>{low:,.0f}</span>", f"<span>{high:,.0f} {escape(currency)}</span>")
    return _drawing("Distribution of the profit and loss", shapes) + scale + _key(*marks)


def bars(names: Sequence[str], amounts: Floats, *, loss: int = 1) -> str:
    """Draw one bar a name, the largest first, from 0 to the amount: of the sign of ``loss`` red, the others green."""
    order = np.argsort(-np.abs(amounts), kind="stable")[:BARS_MAX]
    low, high = min(float(amounts.min()), 0.0), max(float(amounts.max()), 0.0)
    width = max(high - low, 1e-300)
    zero = 100.0 * -low / width
    rows = []
    for i in order:
        amount = float(amounts[i])
        length = 100.0 * abs(amount) / width
        start, kind = zero - length if amount < 0.0 else zero, "up" if amount * loss > 0.0 else "down"
        bar = f'<i class="{kind}" style="left:{start:.2f}%;width:max({length:.2f}%,1px)"></i>' if amount else ""
        axis = f'<i class="axis" style="left:{zero:.2f}%"></i>'
        track = f'<div class="track">{bar}{axis}</div>'
        rows.append(f'<div class="row"><span>{escape(names[i])}</span>{track}<span>{amount:,.0f}</span></div>')
    more = f'<p class="note">and {len(names) - BARS_MAX} smaller ones</p>' if len(names) > BARS_MAX else ""
    return "".join(rows) + more


def exceedances(pnl: Floats, var: Floats, currency: str = "", days: tuple[str, str] = ("", "")) -> str:
    """Draw each day's P&L over the VaR forecast for it; the days beyond it are marked."""
    low, high = min(float(pnl.min()), -float(var.max())), max(float(pnl.max()), 0.0)
    span = max(high - low, 1e-300)
    y, level = (high - pnl) / span * HEIGHT, (high + var) / span * HEIGHT
    x = np.linspace(0.0, WIDTH, len(pnl))
    every = max(1, len(pnl) // 1500)  # what a screen can show
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[::every], level[::every], strict=True))
    dots = "".join(f"M{a:.1f} {b:.1f}h.01" for a, b in zip(x[::every], y[::every], strict=True))
    zero = high / span * HEIGHT
    shapes = [
        f'<path class="zero" d="M0 {zero:.1f}H{WIDTH:g}"/>',
        f'<path class="day" d="{dots}"/>',
        f'<polyline class="var" points="{line}"/>',
    ]
    shapes += [f'<path class="out" d="M{x[i]:.1f} {y[i]:.1f}h.01"/>' for i in np.flatnonzero(pnl < -var)]
    size = f"<span>from {low:,.0f} to {high:,.0f} {escape(currency)}</span>"
    ends = _key(*(f"<span>{escape(day)}</span>" for day in days))
    return _drawing("Profit and loss of each day, and its VaR", shapes) + ends + _key(size)


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
    pnl = np.array([line.pnl for line in stressed.scenarios])
    drawn = bars([line.title for line in stressed.scenarios], pnl, loss=-1)
    rows = [
        (line.title, f"{line.pnl:,.0f}", ", ".join(line.unstated) or "-", line.source)
        for line in stressed.scenarios
    ]
    return drawn + _table(("scenario", "P&L", "move not stated", "source"), rows, sentences=(2, 3), kind="wide")


def _backtest(found: Answer, tested: Sequence[BacktestLine], window: int) -> str:
    pnl = found.book.returns.values @ found.book.held
    dates = found.book.dates[-len(pnl) :]
    drawn = exceedances(
        pnl[window:], forecasts(pnl, window, found.question.level)["filtered"], found.book.base,
        (str(dates[window]), str(dates[-1])),
    )  # fmt: skip
    rows = [
        (
            line.forecast, f"{line.result.exceptions} of {line.result.observations}", f"{line.result.expected:.1f}",
            f"{line.result.pof.p_value:.4f}", f"{line.result.independence.p_value:.4f}", line.result.light.zone.value,
            *es_cells(line),
        )
        for line in tested
    ]  # fmt: skip
    sentence = "The line is the volatility-filtered VaR forecast, a grey dot a day, a red one a day that lost more."
    sentence += " Z2 (Acerbi and Szekely) is 0 where the ES is right and below 0 where losses beyond the VaR were larger."
    note = f'<p class="note">{sentence}</p>'
    heads = ("forecast", "exceptions", "expected", "Kupiec p", "independence p", "Basel zone", "ES Z2", "ES p")
    return drawn + note + _table(heads, rows, kind="wide")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], sentences: Sequence[int] = (), kind: str = "") -> str:
    """Write a table; columns of sentences are aligned like text, the others like numbers; a wide one is stacked on a phone."""

    def line(cells: Sequence[str], tag: str) -> str:
        marks = (' class="text"' if i in sentences else "" for i in range(len(cells)))
        heads_of = (f' data-head="{escape(head)}"' if kind and tag == "td" else "" for head in heads)
        return "".join(
            f"<{tag}{mark}{head}>{escape(cell)}</{tag}>" for mark, head, cell in zip(marks, heads_of, cells, strict=True)
        )

    head = f"<tr>{line(heads, 'th')}</tr>" if any(heads) else ""
    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f'<table class="{kind}">{head}{body}</table>' if kind else f"<table>{head}{body}</table>"


def _drawing(title: str, shapes: Sequence[str]) -> str:
    box = f'viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none"'
    return f'<svg {box} role="img" aria-label="{escape(title)}">{"".join(shapes)}</svg>'


def _key(*parts: str) -> str:
    return f'<p class="key">{"".join(parts)}</p>'


def _rectangle(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
