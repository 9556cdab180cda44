"""What a replay shows: progress while it runs, then its figures as tables for people or a dict for programs."""

from __future__ import annotations

import sys
from dataclasses import asdict
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from tradsys.connectors.itch_plan import ItchPlan
from tradsys.connectors.lobster_plan import LobsterPlan
from tradsys.connectors.replay_report import ReplayReport

LINE_SECONDS = 5.0  # between two lines of progress


class Progress:
    """A progress bar on standard error, a line now and then where that is no terminal; nothing when ``quiet``."""

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("replay"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>9,.0f} rows/s"),
            TimeElapsedColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        self._lines = not quiet and not console.is_terminal
        self._line_due_s = LINE_SECONDS
        self._task = self._bars.add_task("replay", total=total or None, rate=0.0)

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show(self, report: ReplayReport) -> None:
        """Take the figures so far."""
        rate = report.rows / report.seconds if report.seconds else 0.0
        self._bars.update(self._task, completed=report.rows, rate=rate)
        if self._lines and report.seconds >= self._line_due_s:
            self._line_due_s = report.seconds + LINE_SECONDS
            print(f"replay {report.rows:,} rows, {rate:,.0f} rows/s", file=sys.stderr, flush=True)


def lobster_figures(report: ReplayReport, plan: LobsterPlan) -> dict[str, Any]:
    """All figures of a LOBSTER replay; shares are of 1, None where there is nothing to share."""
    counts = dict(plan.counts)
    return _figures(report) | {
        "executions_hit_share": share(report.executions_hit, report.executions),
        "executions_hit_share_of_known": share(report.executions_hit, report.executions_known),
        "top_equal_share": share(report.rows_top_equal, report.rows_compared),
        "top_price_equal_share": share(report.rows_top_price_equal, report.rows_compared),
        "orders_seeded_from_file": plan.seeded,
        "levels_withdrawn": counts.pop("levels_withdrawn", 0),
        "levels_shrunk": counts.pop("levels_shrunk", 0),
        "messages_of_unknown_orders": counts.pop("unknown_order", 0),
        "executions_hidden_not_sent": counts.get("EXECUTE_HIDDEN", 0),
        "counts": counts,
    }


def itch_figures(report: ReplayReport, plan: ItchPlan) -> dict[str, Any]:
    """All figures of an ITCH replay."""
    return _figures(report) | {
        "executions_hit_share": share(report.executions_hit, report.executions),
        "stocks": len(plan.stocks),
        "orders_live_at_end": len(plan.orders),
        "counts": dict(plan.counts),
    }


def _figures(report: ReplayReport) -> dict[str, Any]:
    made = asdict(report) | {"commands": dict(report.commands), "rejected": dict(report.rejected)}
    made["commands_per_second"] = (
        round(sum(report.commands.values()) / report.seconds) if report.seconds else None
    )
    return made


def share(part: int, whole: int) -> float | None:
    """Part of a whole, six decimals; None of nothing."""
    return round(part / whole, 6) if whole else None


def print_lobster(report: ReplayReport, plan: LobsterPlan, name: str) -> None:
    """The figures of a LOBSTER replay for people."""
    table = _table(f"replay of {name}")
    _add_rates(table, report)
    table.add_section()
    table.add_row("executions of visible orders", f"{report.executions:,}")
    table.add_row("  that hit the very order the venue hit", _of(report.executions_hit, report.executions))
    table.add_row(
        "  of those whose order a message told", _of(report.executions_hit, report.executions_known)
    )
    table.add_row("  that found less than their quantity", f"{report.executions_unfilled:,}")
    table.add_row("hidden executions, not sent", f"{plan.counts['EXECUTE_HIDDEN']:,}")
    if report.rows_compared:
        table.add_section()
        table.add_row(
            "rows where our top of book equals theirs", _of(report.rows_top_equal, report.rows_compared)
        )
        table.add_row("  best prices alone", _of(report.rows_top_price_equal, report.rows_compared))
        if report.first_unequal_row is not None:
            table.add_row("  first row that differs", f"{report.first_unequal_row:,}")
    table.add_section()
    table.add_row("orders seeded from the orderbook file", f"{plan.seeded:,}")
    table.add_row("levels withdrawn, levels shrunk by it", _pair(plan, "levels_withdrawn", "levels_shrunk"))
    table.add_row("messages about orders no message told", f"{plan.counts['unknown_order']:,}")
    _add_rejects(table, report)
    Console().print(table)


def print_itch(report: ReplayReport, plan: ItchPlan, name: str) -> None:
    """The figures of an ITCH replay for people."""
    table = _table(f"replay of {name}")
    _add_rates(table, report)
    table.add_section()
    table.add_row("stocks followed", f"{len(plan.stocks):,}")
    table.add_row("executions sent", f"{report.executions:,}")
    table.add_row("  that hit the very order the venue hit", _of(report.executions_hit, report.executions))
    table.add_row("orders live at the end", f"{len(plan.orders):,}")
    table.add_section()
    for kind, count in sorted(plan.counts.items()):
        table.add_row(f"messages {kind}", f"{count:,}")
    _add_rejects(table, report)
    Console().print(table)


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    return table


def _add_rates(table: Table, report: ReplayReport) -> None:
    total = sum(report.commands.values())
    table.add_row("rows", f"{report.rows:,}")
    table.add_row("commands sent", f"{total:,}")
    for kind, count in sorted(report.commands.items()):
        table.add_row(f"  {kind}", f"{count:,}")
    table.add_row("matches", f"{report.matches:,}")
    rate = f"  ({total / report.seconds:,.0f} commands/s)" if report.seconds else ""
    table.add_row("seconds", f"{report.seconds:.2f}{rate}")


def _add_rejects(table: Table, report: ReplayReport) -> None:
    table.add_section()
    table.add_row("refused by the venue", f"{sum(report.rejected.values()):,}")
    for reason, count in sorted(report.rejected.items()):
        table.add_row(f"  {reason}", f"{count:,}")


def _of(part: int, whole: int) -> str:
    return f"{part:,}  ({100 * part / whole:.3f} %)" if whole else f"{part:,}"


def _pair(plan: LobsterPlan, first: str, second: str) -> str:
    return f"{plan.counts[first]:,}, {plan.counts[second]:,}"
