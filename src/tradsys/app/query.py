"""``tradsys query "SQL"``: look into a recording."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tradsys import config
from tradsys.app.arguments import RecordingDirectory, Rows
from tradsys.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FETCH_ROWS = 10_000


def query(
    sql: str,
    *,
    directory: Annotated[RecordingDirectory | None, Parameter(name=["--dir", "-d"])] = None,
    rows: Annotated[Rows, Parameter(name=["--rows", "-n"])] = 50,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    as_csv: Annotated[bool, Parameter(name="--csv", negative="")] = False,
) -> int:
    """Run a SELECT over a recording, also one that is being written.

    Views: l3, l2, l1, trades, statistics, status, instruments, snapshots, snapshot_orders, packets, gaps. Their
    columns are those of protocols/recording.md; ``describe l3`` lists them. Exit status 2: not a SELECT that
    DuckDB understands.

    Example: tradsys query "select instrument_id, count(*), sum(qty_lots) from trades group by all"

    Parameters
    ----------
    sql
        One statement; it can read nothing but the recording and write nothing.
    directory
        The recording; the settings' if not given.
    rows
        Most rows of the table shown; --json and --csv give all.
    as_json
        One JSON object on the last line: columns, rows; nan and infinity are null.
    as_csv
        CSV with a header.
    """
    from tradsys.recorder.catalog import require_recording
    from tradsys.recorder.sql import connect
    from tradsys.recorder.sql import query as run

    if as_json and as_csv:
        raise UsageError("--json and --csv must not both be given")
    if directory is None:
        directory = recording_directory(config.load())
        require_recording(directory)
    result = run(connect(directory), sql)
    columns = [column[0] for column in result.description or []]
    if as_json:
        rows_found = [[finite(value) for value in row] for row in result.fetchall()]
        print(json.dumps({"columns": columns, "rows": rows_found}, default=str))
    elif as_csv:
        _print_csv(result, columns)
    else:
        _print_table(result, columns, rows)
    return 0


def finite(value: Any) -> Any:
    """Give a value as JSON knows it: there is no nan and no infinity, they become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): finite(one) for key, one in value.items()}
    return [finite(one) for one in value] if isinstance(value, (list, tuple)) else value


def recording_directory(settings: config.Config) -> Path:
    """Say where the settings put the recording."""
    return Path(settings.recorder.directory or Path(settings.venue.data_dir, "recording"))


def _print_csv(result: DuckDBPyConnection, columns: list[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    while rows := result.fetchmany(_FETCH_ROWS):
        writer.writerows(rows)


def _print_table(result: DuckDBPyConnection, columns: list[str], most: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    rows: list[Any] = result.fetchmany(most + 1)
    for row in rows[:most]:
        table.add_row(*("" if value is None else str(value) for value in row))
    # into a file or a pipe nothing is folded
    console = Console(width=None if sys.stdout.isatty() else 1000)
    console.print(table)
    if len(rows) > most:
        console.print(f"the first {most} rows; --rows N, --csv or --json give more")
