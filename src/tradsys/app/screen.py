"""The live terminal view: draws a `MarketState` for any terminal from 80 x 24 up. It only reads the state."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tradsys.app.market_state import InstrumentState, Level, MarketState, Trade, clock, short, size

WIDE = 110  # columns from which everything is shown
MIDDLE, FULL = 66, 76  # columns of the instrument table for volumes, and for asset classes too
BLOCKS = " ▏▎▍▌▋▊▉█"
SPARKS = "▁▂▃▄▅▆▇█"
BUY, SELL, DIM, TITLE = "green", "red", "bright_black", "bold"
BORDER = "bright_black"


def draw(state: MarketState, width: int, height: int) -> Layout:
    """The whole screen for a terminal of ``width`` columns and ``height`` rows."""
    wide = width >= WIDE
    right = 43 if wide else 32
    figures = len(_figure_rows(state, wide)) + 2
    body = height - 2
    table_rows = min(len(state.instruments) + 3, max(5, body - 9))
    screen = Layout()
    screen.split_column(
        Layout(_header(state, wide), size=1), Layout(name="body"), Layout(_footer(state, wide), size=1)
    )
    left, side = Layout(name="left"), Layout(name="side", size=right)
    screen["body"].split_row(left, side)
    left.split_column(
        Layout(_instruments(state, width - right, table_rows - 3), size=table_rows),
        Layout(_tape(state, body - table_rows - 2, wide)),
    )
    side.split_column(
        Layout(_book(state, right - 4, body - figures - 2)), Layout(_figures(state, wide), size=figures)
    )
    return screen


def _header(state: MarketState, wide: bool) -> Text:
    text = Text(no_wrap=True, overflow="crop")
    text.append(f" {state.title} ", style="bold reverse")
    text.append(f"  {clock(time.monotonic() - state.started_s)}  ", style=TITLE)
    if state.silent:
        text.append(f"{state.silent}  ", style="yellow")
    if state.book_stale:
        text.append("book stale, healing  ", style="yellow")
    text.append(state.where if wide else state.where.split("  ")[0], style=DIM)
    return text


def _footer(state: MarketState, wide: bool) -> Text:
    text = Text(" ", no_wrap=True, overflow="crop")
    for key, what in (("↑↓", "instrument"), ("space", "pause"), ("q", "quit")):
        text.append(f" {key} ", style="reverse")
        text.append(f" {what}  ", style=DIM)
    if state.notes:
        text.append(state.notes[-1] if wide else state.notes[-1][:36], style="yellow")
    return text


def _panel(content: RenderableType, title: str) -> Panel:
    return Panel(
        content, title=f"[{TITLE}]{title}[/]", title_align="left", border_style=BORDER, padding=(0, 1)
    )


# ------------------------------------------------------------ instruments


def _instruments(state: MarketState, width: int, rows: int) -> Panel:
    columns = [("", "left"), ("last", "right"), ("change", "right"), ("bid", "right"), ("ask", "right")]
    if width >= FULL:
        columns[1:1] = [("class", "left")]
    if width >= MIDDLE:
        columns += [("volume", "right"), ("trades", "right")]
    table = Table(box=None, expand=width >= MIDDLE, pad_edge=False, padding=(0, 1, 0, 0), header_style=DIM)
    for name, justify in columns:
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for instrument in _around(list(state.instruments.values()), state.selected, rows):
        cells = _instrument_cells(instrument, width)
        table.add_row(*cells, style="on grey19" if instrument.instrument_id == state.selected else "")
    return _panel(table, "Instruments")


def _around(instruments: list[InstrumentState], selected: int, rows: int) -> list[InstrumentState]:
    """As many instruments as fit, the selected one among them."""
    index = next((i for i, item in enumerate(instruments) if item.instrument_id == selected), 0)
    first = max(0, min(index - rows // 2, len(instruments) - rows))
    return instruments[first : first + rows]


def _instrument_cells(instrument: InstrumentState, width: int) -> list[Text]:
    change = instrument.change_percent
    colour = "" if not change else BUY if change > 0 else SELL
    symbol = Text(instrument.symbol, style="bold" if instrument.state == "OPEN" else "yellow")
    cells = [
        symbol,
        Text(instrument.price(instrument.last_ticks), style=colour),
        Text("-" if change is None else f"{change:+.2f}%".replace("-0.00", "+0.00"), style=colour),
        Text(instrument.price(instrument.bid.price_ticks if instrument.bid else None)),
        Text(instrument.price(instrument.ask.price_ticks if instrument.ask else None)),
    ]
    if width >= FULL:
        what = instrument.asset_class.lower().removeprefix("mutual_")
        cells[1:1] = [Text(what if instrument.state == "OPEN" else instrument.state.lower(), style=DIM)]
    if width >= MIDDLE:
        cells += [Text(instrument.volume()), Text(short(instrument.trade_count))]
    return cells


# ------------------------------------------------------------ tape


def _tape(state: MarketState, rows: int, wide: bool) -> Panel:
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    for justify in (
        ("left", "left", "right", "right", "right") if wide else ("left", "left", "right", "right")
    ):
        table.add_column(justify=justify, no_wrap=True)  # type: ignore[arg-type]
    shown: list[Trade] = list(state.tape)[-max(rows, 0) :] if rows > 0 else []
    for trade in reversed(shown):
        instrument = state.instruments.get(trade.instrument_id)
        if instrument is None:
            continue
        colour = BUY if trade.side > 0 else SELL
        seconds, fraction = divmod(trade.ts_ns, 1_000_000_000)
        when = time.strftime("%H:%M:%S", time.gmtime(seconds))
        quantity = instrument.quantity(trade.qty_lots)
        cells = [
            Text(f"{when}.{fraction // 1_000_000:03d}" if wide else when, style=DIM),
            Text(instrument.symbol),
            Text(f"{'▲' if trade.side > 0 else '▼'} {instrument.price(trade.price_ticks)}", style=colour),
            Text(quantity),
        ]
        if wide:
            value = float(
                instrument.units.price(trade.price_ticks) * instrument.units.quantity(trade.qty_lots)
            )
            cells.append(Text(f"{short(value)} {instrument.currency}", style=DIM))
        table.add_row(*cells)
    return _panel(table, "Trades")


# ------------------------------------------------------------ book


def _book(state: MarketState, width: int, rows: int) -> Panel:
    instrument = state.instruments.get(state.selected)
    if instrument is None:
        return _panel(Text("waiting for the feed", style=DIM), "Book")
    depth = max(1, (rows - 1) // 2)
    asks, bids = state.asks[:depth], state.bids[:depth]
    most = max((level.qty_lots for level in (*asks, *bids)), default=1)
    lines: list[Text] = [Text()] * (depth - len(asks))
    lines += [_ladder_line(instrument, level, most, width, SELL) for level in reversed(asks)]
    lines.append(_middle_line(instrument, bids, asks, width))
    lines += [_ladder_line(instrument, level, most, width, BUY) for level in bids]
    return _panel(Group(*lines), f"Book  {instrument.symbol}  {instrument.currency}")


def _ladder_line(instrument: InstrumentState, level: Level, most: int, width: int, colour: str) -> Text:
    price, quantity = instrument.price(level.price_ticks), instrument.quantity(level.qty_lots)
    line = Text(no_wrap=True)
    line.append(f"{price:>10}", style=colour)
    line.append(f" {quantity:>8}")
    line.append(f" {level.order_count:>3} ", style=DIM)
    line.append(_bar(level.qty_lots / most, max(3, width - 24)), style=colour)
    return line


def _middle_line(
    instrument: InstrumentState, bids: Sequence[Level], asks: Sequence[Level], width: int
) -> Text:
    line = Text(no_wrap=True, style=DIM)
    if bids and asks:
        spread = asks[0].price_ticks - bids[0].price_ticks
        line.append(f"{instrument.price(spread):>10} spread ")
    last = instrument.price(instrument.last_ticks)
    line.append(f" last {last}" if len(line) + 6 + len(last) <= width else f" {last}", style="bold")
    return line


def _bar(share: float, width: int) -> str:
    eighths = round(share * width * 8)
    return "█" * (eighths // 8) + BLOCKS[eighths % 8].strip()


# ------------------------------------------------------------ figures


def _figures(state: MarketState, wide: bool) -> Panel:
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(style=DIM, no_wrap=True, min_width=7)
    table.add_column(no_wrap=True, justify="right" if wide else "left")
    for name, value in _figure_rows(state, wide):
        table.add_row(name, value)
    return _panel(table, "Venue")


def _figure_rows(state: MarketState, wide: bool) -> list[tuple[str, str]]:
    """What is known: a view from outside sees the feed only, `tradsys up` its own processes too."""
    rates, latency = state.rates, state.latency
    feed = [("trades", f"{rates.trades:,.0f}/s"), ("gaps", _gaps(state))]
    rows = [("feed", f"{rates.feed_messages:,.0f}/s"), *(feed if wide else feed[1:])]
    if state.sessions is not None:
        spark = sparkline(rates.history, 16 if wide else 10)
        rows.insert(0, ("orders", f"{rates.orders:,.0f}/s {spark}"))
        rows.insert(1, ("latency", f"p50 {_us(latency.p50_us)} p99 {_us(latency.p99_us)}"))
        if wide:
            rows.insert(2, ("", f"p99.9 {_us(latency.p999_us)}  max {_us(latency.max_us)}"))
            rows.insert(1, ("reports", f"{rates.reports:,.0f}/s"))
            rows.append(("sent", f"{state.orders_sent:,}, refused {state.rejected:,}"))
            rows.append(("sessions", f"{state.sessions}"))
    if state.recorded_rows is not None:
        rows.append(("record", _recorded(state)))
    if state.journal_bytes is not None:
        rows.append(("journal", _journal(state, wide)))
    if wide and state.memory_bytes is not None:
        rows.append(("memory", size(state.memory_bytes)))
    return rows


def _us(value: float | None) -> str:
    if value is None:
        return "-"
    if value < 1000:
        return f"{value:.0f}µs"
    return f"{value / 1000:.1f}ms" if value < 100_000 else f"{value / 1000:.0f}ms"


def _gaps(state: MarketState) -> str:
    if not state.feed_gaps:
        return "none"
    return f"{state.feed_gaps:,}, {state.feed_healed:,} healed, {state.feed_lost:,} lost"


def _recorded(state: MarketState) -> str:
    if state.recorded_rows is None:
        return "-"
    rows = f"{short(state.recorded_rows)} rows"
    return rows if state.recorded_bytes is None else f"{rows}, {size(state.recorded_bytes)}"


def _journal(state: MarketState, wide: bool) -> str:
    if state.journal_bytes is None:
        return "-"
    events = f", events {size(state.events_bytes)}" if wide and state.events_bytes else ""
    return size(state.journal_bytes) + events


def sparkline(values: Sequence[float], width: int) -> str:
    """The newest ``width`` values as block characters, scaled from 0 to the largest."""
    shown = list(values)[-width:]
    top = max(shown, default=0.0)
    if top <= 0:
        return ""
    return "".join(SPARKS[min(7, int(8 * value / top))] for value in shown)


def status_line(state: MarketState) -> str:
    """One line that says how it goes, for where there is no terminal."""
    rates, latency = state.rates, state.latency
    parts = [clock(time.monotonic() - state.started_s)]
    if state.sessions is not None:
        parts.append(f"orders {state.orders_sent:,} ({rates.orders:,.0f}/s)")
        parts.append(f"latency p50 {_us(latency.p50_us)} p99 {_us(latency.p99_us)}")
    trades = sum(instrument.trade_count for instrument in state.instruments.values())
    parts.append(f"trades {trades:,} ({rates.trades:,.0f}/s)")
    parts.append(f"feed {rates.feed_messages:,.0f}/s, gaps {_gaps(state)}")
    if state.silent:
        parts.append(state.silent)
    if state.recorded_rows is not None:
        parts.append(f"recorded {state.recorded_rows:,}")
    if state.journal_bytes is not None:
        parts.append(f"journal {size(state.journal_bytes)}")
    return "  ".join(parts)


def as_text(state: MarketState, width: int, height: int) -> str:
    """The screen as plain text, for tests and for looking at it without a terminal."""
    console = Console(
        width=width, height=height, force_terminal=False, color_system=None, legacy_windows=False
    )
    with console.capture() as capture:
        console.print(draw(state, width, height), height=height)
    return capture.get()
