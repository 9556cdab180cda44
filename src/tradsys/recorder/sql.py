"""SQL over a recording: DuckDB with one view a table, reading only."""

from pathlib import Path

import duckdb

from tradsys.recorder.catalog import segments
from tradsys.recorder.errors import RecordingError
from tradsys.recorder.reader import RowStream, Selection
from tradsys.recorder.tables import TABLES

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


def connect(directory: str | Path) -> duckdb.DuckDBPyConnection:
    """Open a database in memory whose views are the tables of a recording.

    Parameters
    ----------
    directory : path
        The recording. Parquet files are scanned as the query needs them; the files being written (a few, bounded
        by the recorder's ``segment_rows``) are read into memory now, so the view stands still.

    Returns
    -------
    duckdb.DuckDBPyConnection
        It can read the recording's Parquet files and no others, and write none.

    Raises
    ------
    RecordingError
        NO_RECORDING, DAMAGED.
    """
    if not Path(directory).is_dir():
        raise RecordingError("NO_RECORDING", f"{directory} is not a directory")
    connection = duckdb.connect(":memory:")
    connection.execute("set python_enable_replacements = false")
    readable: list[str] = []
    for name in TABLES:
        files = segments(Path(directory), name)
        compacted = [str(file.path.resolve()) for file in files if file.compacted]
        live = RowStream(name, [file for file in files if not file.compacted], Selection())
        connection.register(f"live_{name}", live.to_table())
        source = f"select * from live_{name}"
        if compacted:
            source = f"select * from read_parquet({_literal(compacted)}) union all by name {source}"
        try:
            connection.execute(f"create view {name} as {source}")
        except duckdb.Error as error:
            raise RecordingError("DAMAGED", f"the files of {name} in {directory} cannot be read: {error}") from error
        readable += compacted
    connection.execute(f"set allowed_paths = {_literal(readable)}")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def query(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyConnection:
    """Run one statement that only reads; fetch from what is returned.

    Raises
    ------
    RecordingError
        BAD_QUERY: not SQL, more than one statement, or one that does not just read.
    """
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1:
            raise RecordingError("BAD_QUERY", f"expected one statement, were {len(statements)}")
        if statements[0].type not in _READING:
            raise RecordingError(
                "BAD_QUERY", f"expected SELECT, was {statements[0].type.name}: a recording is only read"
            )
        return connection.execute(statements[0])
    except duckdb.Error as error:
        raise RecordingError("BAD_QUERY", str(error).strip()) from error


def _literal(paths: list[str]) -> str:
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"
