"""``tradsys verify lobster``: rebuild a LOBSTER day's book and compare every row with the venue's own."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

import tradsys
from tradsys.app.arguments import InputFile, Levels
from tradsys.connectors.engine_replay import EngineReplay
from tradsys.connectors.lobster import MessageType, read_day, read_messages
from tradsys.connectors.lobster_plan import LobsterPlan, Seeding
from tradsys.connectors.lobster_window import WindowBook

app = App(
    name="tradsys verify", help="Hold real data against what we make of it.", version=tradsys.__version__
)


@dataclass(slots=True)
class LobsterVerdict:
    """What came out of rebuilding a day."""

    levels: int
    rows: int = 0
    equal_rows: int = 0
    first_unequal_row: int | None = None
    engine_rows: int | None = None  # rows put through the matching engine
    engine_equal_rows: int | None = None
    engine_first_unequal_row: int | None = None
    orders_seeded_from_file: int | None = None  # orders the engine was given from the orderbook file
    levels_taken_from_file: int = 0
    messages_beyond_level: int = 0  # messages that took more than their level held
    types: dict[str, int] = field(default_factory=dict)  # rows by message type
    against_rows: int | None = None  # rows of the file of fewer levels
    against_found: int | None = None  # of them found in the same order in this file
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Every row equal, in the ladder and in the engine, and every row of the other file found."""
        engine = self.engine_rows is None or self.engine_equal_rows == self.rows
        return (
            self.rows > 0
            and self.equal_rows == self.rows
            and engine
            and self.against_found == self.against_rows
        )


@app.command(name="lobster")
def lobster(
    messages: InputFile,
    book: InputFile,
    *,
    levels: Annotated[Levels, Parameter(name=["--levels", "-l"])],
    against: InputFile | None = None,
    engine: bool = True,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Rebuild the book of a LOBSTER day by the window rule and compare it with the orderbook file row by row.

    After each message, levels beyond rank L are dropped, and where a side has fewer than L levels the missing
    worst levels are taken from the orderbook file (LOBSTER leaves out what happens outside the best L
    levels). Then the row must be equal: every price and quantity of every level. Exit status 0: all rows are,
    1: not, 2: bad usage.

    Example: tradsys verify lobster AMZN_message_5.csv AMZN_orderbook_5.csv --levels 5 --against
    AMZN_message_1.csv

    Parameters
    ----------
    messages
        Message file, LOBSTER's headerless CSV or Parquet.
    book
        Orderbook file of the same day and levels, CSV or Parquet.
    levels
        Levels of the orderbook file.
    against
        Message file of the same day with fewer levels: its rows must be found in MESSAGES in the same order.
    engine
        Put the day through the matching engine too.
    as_json
        One JSON object on the last line instead of a table.
    """
    started = time.perf_counter()
    verdict = verify_lobster(messages, book, levels)
    if engine:
        verify_engine(messages, book, verdict)
    if against is not None:
        verdict.against_rows, verdict.against_found = find_in_order(against, messages)
    verdict.seconds = round(time.perf_counter() - started, 3)
    if as_json:
        print(json.dumps({"command": "verify lobster", "holds": verdict.holds, **asdict(verdict)}))
    else:
        _print_verdict(verdict, messages.name)
    return 0 if verdict.holds else 1


def verify_lobster(messages: Path, book: Path, levels: int) -> LobsterVerdict:
    """Rebuild the day in one pass; at most one batch of each file is in memory."""
    verdict = LobsterVerdict(levels)
    window = WindowBook(levels)
    types: Counter[int] = Counter()
    for batch, block in read_day(messages, book, levels):
        columns = (batch.message_type, batch.qty_lots, batch.price_ticks, batch.direction)
        types.update(batch.message_type.tolist())
        for message, row in zip(
            zip(*(c.tolist() for c in columns), strict=True), block.tolist(), strict=True
        ):
            if verdict.rows == 0:
                window.seed(row)  # the book before the first message is in no file
            else:
                window.apply(*message)
                window.settle(row)
            if window.equals(row):
                verdict.equal_rows += 1
            elif verdict.first_unequal_row is None:
                verdict.first_unequal_row = verdict.rows
            verdict.rows += 1
    window.check()
    verdict.levels_taken_from_file = window.levels_taken
    verdict.messages_beyond_level = window.unmatched
    verdict.types = {MessageType(kind).name: types[kind] for kind in sorted(types)}
    return verdict


def verify_engine(messages: Path, book: Path, verdict: LobsterVerdict) -> None:
    """Put the day through the matching engine and compare its best levels with every row."""
    plan, replay = LobsterPlan(Seeding.WINDOW, verdict.levels), EngineReplay()
    verdict.engine_rows = verdict.engine_equal_rows = 0
    for batch, block in read_day(messages, book, verdict.levels):
        columns = [column.tolist() for column in batch.columns()]
        for message, row in zip(zip(*columns, strict=True), block.tolist(), strict=True):
            replay.apply(plan.step(message, row))
            if replay.equals(row, verdict.levels):
                verdict.engine_equal_rows += 1
            elif verdict.engine_first_unequal_row is None:
                verdict.engine_first_unequal_row = verdict.engine_rows
            verdict.engine_rows += 1
    replay.engine.check()
    verdict.orders_seeded_from_file = plan.seeded


def find_in_order(fewer: Path, more: Path) -> tuple[int, int]:
    """Rows of ``fewer``, and how many of them were found in ``more`` in the same order.

    A row of the file of fewer levels is the same message with the same time, so it must appear in the other
    one.
    """
    rest = _message_rows(more)
    wanted = _message_rows(fewer)
    found = 0
    for message in wanted:
        if not any(message == other for other in rest):
            return found + 1 + sum(1 for _ in wanted), found
        found += 1
    return found, found


def _message_rows(path: Path) -> Iterator[tuple[int, ...]]:
    return itertools.chain.from_iterable(
        zip(*(column.tolist() for column in batch.columns()), strict=True) for batch in read_messages(path)
    )


def _print_verdict(verdict: LobsterVerdict, name: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{name}, {verdict.levels} levels", title_justify="left", show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    share = 100 * verdict.equal_rows / verdict.rows if verdict.rows else 0.0
    table.add_row("rows", f"{verdict.rows:,}")
    table.add_row("rows equal to the orderbook file", f"{verdict.equal_rows:,}  ({share:.4f} %)")
    if verdict.first_unequal_row is not None:
        table.add_row("first row that differs", f"{verdict.first_unequal_row:,}")
    if verdict.engine_equal_rows is not None and verdict.engine_rows:
        engine_share = 100 * verdict.engine_equal_rows / verdict.engine_rows
        table.add_row(
            "rows equal in the matching engine", f"{verdict.engine_equal_rows:,}  ({engine_share:.4f} %)"
        )
        table.add_row("orders seeded for it from the orderbook file", f"{verdict.orders_seeded_from_file:,}")
    table.add_row("levels taken from the orderbook file", f"{verdict.levels_taken_from_file:,}")
    table.add_row("messages beyond what their level held", f"{verdict.messages_beyond_level:,}")
    for kind, count in verdict.types.items():
        table.add_row(f"messages {kind}", f"{count:,}")
    if verdict.against_rows is not None:
        table.add_row("rows of the file of fewer levels", f"{verdict.against_rows:,}")
        table.add_row("of them found in the same order", f"{verdict.against_found:,}")
    table.add_row("seconds", f"{verdict.seconds:.2f}")
    console = Console()
    console.print(table)
    console.print("[green]holds[/]" if verdict.holds else "[red]does not hold[/]")
