"""``tradsys export parquet|csv|lobster``: a recording as files for others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from cyclopts import App, Parameter

import tradsys
from tradsys.app.arguments import EntityId, Levels, OutputDirectory, RecordingDirectory, StreamId, TimeZone
from tradsys.app.arguments import Tables as TableNames

app = App(name="tradsys export", help="Write a recording as files for others.", version=tradsys.__version__)

Json = Annotated[bool, Parameter(name="--json", negative="")]
Tables = Annotated[TableNames, Parameter(name=["--table", "-t"])]
DEFAULT_TABLES = ("l3", "l2", "l1", "trades", "statistics", "status", "instruments")


@app.command(name="parquet")
def parquet(
    directory: RecordingDirectory,
    *,
    out: OutputDirectory,
    tables: Tables = DEFAULT_TABLES,
    instrument: EntityId | None = None,
    as_json: Json = False,
) -> int:
    """Write one Parquet file a table, over all days and groups.

    Example: tradsys export parquet recording --out exported --table l3 --table trades --instrument 1

    Parameters
    ----------
    directory
        The recording.
    out
        Folder of the files, made if missing.
    tables
        Which tables; may be repeated.
    instrument
        Only rows of this instrument.
    as_json
        One JSON object on the last line instead of a table.
    """
    from tradsys.recorder.exporters import write_parquet

    return _export(directory, out, tables, instrument, as_json, write_parquet, ".parquet")


@app.command(name="csv")
def csv(
    directory: RecordingDirectory,
    *,
    out: OutputDirectory,
    tables: Tables = DEFAULT_TABLES,
    instrument: EntityId | None = None,
    as_json: Json = False,
) -> int:
    """Write one CSV file with a header a table, over all days and groups.

    Example: tradsys export csv recording --out exported --table trades

    Parameters
    ----------
    directory
        The recording.
    out
        Folder of the files, made if missing.
    tables
        Which tables; may be repeated.
    instrument
        Only rows of this instrument.
    as_json
        One JSON object on the last line instead of a table.
    """
    from tradsys.recorder.exporters import write_csv

    return _export(directory, out, tables, instrument, as_json, write_csv, ".csv")


@app.command(name="lobster")
def lobster(
    directory: RecordingDirectory,
    *,
    out: OutputDirectory,
    instrument: EntityId,
    levels: Annotated[Levels, Parameter(name=["--levels", "-l"])] = 10,
    stream: StreamId | None = None,
    timezone: TimeZone = "UTC",
    as_json: Json = False,
) -> int:
    """Write one instrument as LOBSTER's message and orderbook files (headerless CSV).

    ``tradsys verify lobster`` holds on what this writes.

    Example: tradsys export lobster recording --out exported --instrument 1 --levels 5

    Parameters
    ----------
    directory
        The recording.
    out
        Folder of the two files, made if missing.
    instrument
        Its id.
    levels
        Levels of the orderbook file.
    stream
        Run of the venue; the newest if not given.
    timezone
        Whose midnight the times count from; LOBSTER's own files use America/New_York.
    as_json
        One JSON object on the last line.
    """
    from tradsys.recorder.lobster import export_lobster

    result = export_lobster(directory, out, instrument, levels, stream_id=stream, zone=ZoneInfo(timezone))
    if as_json:
        print(
            json.dumps(
                {
                    "command": "export lobster",
                    **{k: str(v) if isinstance(v, Path) else v for k, v in vars(result).items()},
                }
            )
        )
    else:
        print(
            f"{result.rows} rows to {result.messages} and {result.orderbook}; {result.left_out} beyond level {levels} left out"
        )
    return 0


def _export(directory, out, tables, instrument, as_json, write, suffix) -> int:  # type: ignore[no-untyped-def]
    from tradsys.recorder import read

    streams = {table: read(directory, table, instrument_id=instrument) for table in tables}
    out.mkdir(parents=True, exist_ok=True)
    rows = {table: write(stream, out / f"{table}{suffix}") for table, stream in streams.items()}
    if as_json:
        print(json.dumps({"command": f"export {suffix[1:]}", "out": str(out), "rows": rows}))
    else:
        for table, count in rows.items():
            print(f"{count:>12,} rows  {out / f'{table}{suffix}'}")
    return 0
