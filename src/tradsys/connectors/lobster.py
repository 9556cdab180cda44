"""LOBSTER files: Nasdaq order book days as a message file and an orderbook file, row by row.

Reads the headerless CSV that LOBSTER delivers (plain, .gz, .bz2 or .zst) and the same data as Parquet. Both
stream: a reader holds one batch. One tick is 0.0001 USD, one lot is one share, time is ns after midnight, New
York.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from tradsys.connectors.file_errors import (
    BAD_COLUMNS,
    BAD_FIELD,
    BAD_FILE,
    BAD_VALUE,
    ROW_COUNT_DIFFERS,
    FileFormatError,
)

Int64Array = npt.NDArray[np.int64]

BATCH_ROWS: Final = 16_384
CSV_BLOCK_BYTES: Final = 1 << 20
LEVELS_MAX: Final = 200
NO_PRICE: Final = 9_999_999_999  # LOBSTER's price of an empty ask level; negative for a bid level
TIME_DIGITS: Final = 9  # decimals of a second in a CSV time
MESSAGE_FIELDS: Final = ("time", "type", "order id", "size", "price", "direction")
PARQUET_MESSAGE_COLUMNS: Final = ("ts_ns", "type", "order_id", "size", "price", "direction")


class MessageType(IntEnum):
    """What a row of the message file tells."""

    NEW = 1
    PARTIAL_CANCEL = 2
    DELETE = 3
    EXECUTE_VISIBLE = 4
    EXECUTE_HIDDEN = 5
    CROSS = 6
    HALT = 7


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """Consecutive rows of a message file as columns of equal length, all int64."""

    first_row: int  # row number of the first row, from 0
    ts_ns: Int64Array  # ns after midnight, New York
    message_type: Int64Array  # MessageType
    order_id: Int64Array  # 0 in hidden executions
    qty_lots: Int64Array  # shares
    price_ticks: Int64Array  # USD x 10,000
    direction: Int64Array  # 1 buy, -1 sell: the side of the resting order

    def __len__(self) -> int:
        return len(self.ts_ns)

    def slice(self, start: int, stop: int) -> MessageBatch:
        """Rows ``start`` to ``stop`` of this batch (views, no copy)."""
        return MessageBatch(self.first_row + start, *(column[start:stop] for column in self.columns()))

    def columns(self) -> tuple[Int64Array, ...]:
        """The columns in the order of the CSV fields."""
        return self.ts_ns, self.message_type, self.order_id, self.qty_lots, self.price_ticks, self.direction


def read_messages(path: Path, batch_rows: int = BATCH_ROWS) -> Iterator[MessageBatch]:
    """Stream a message file, CSV or Parquet, found out from its first bytes.

    Raises
    ------
    FileFormatError
        Names the row, the field, what was found and what was expected. Rows before the batch with the bad row
        have been yielded by then.
    """
    if is_parquet(path):
        columns_of = _parquet_columns(path, PARQUET_MESSAGE_COLUMNS, batch_rows)
    else:
        columns_of = _csv_columns(path, MESSAGE_FIELDS)
    row, ts_ns = 0, 0
    for columns in columns_of:
        batch = MessageBatch(row, *columns)
        if len(batch):
            _check_messages(path, batch, ts_ns)
            yield batch
            row, ts_ns = row + len(batch), int(batch.ts_ns[-1])


def read_orderbook(path: Path, levels: int, batch_rows: int = BATCH_ROWS) -> Iterator[Int64Array]:
    """Stream an orderbook file of ``levels`` levels.

    Yields
    ------
    int64 array, shape (rows, 4 x levels)
        Per level: ask price, ask quantity, bid price, bid quantity. Empty levels as in the file:
        +-9999999999, 0.
    """
    if not 1 <= levels <= LEVELS_MAX:
        raise ValueError(f"levels must be in [1, {LEVELS_MAX}], was {levels}")
    names = orderbook_columns(levels)
    stream = _parquet_columns(path, names, batch_rows) if is_parquet(path) else _csv_columns(path, names)
    row = 0
    for columns in stream:
        block = np.stack(columns, axis=1)
        _check_orderbook(path, block, row, names)
        yield block
        row += len(block)


def read_day(messages: Path, orderbook: Path, levels: int) -> Iterator[tuple[MessageBatch, Int64Array]]:
    """Stream both files side by side: row i of the block is the book after message i of the batch.

    Raises
    ------
    FileFormatError
        Also when one file has more rows than the other (ROW_COUNT_DIFFERS).
    """
    batches, blocks = read_messages(messages), read_orderbook(orderbook, levels)
    batch, block = next(batches, None), next(blocks, None)
    row = 0
    while batch is not None and block is not None:
        rows = min(len(batch), len(block))
        yield batch.slice(0, rows), block[:rows]
        row += rows
        batch = batch.slice(rows, len(batch)) if rows < len(batch) else next(batches, None)
        block = block[rows:] if rows < len(block) else next(blocks, None)
    if batch is not None or block is not None:
        shorter, longer = (orderbook, messages) if batch is not None else (messages, orderbook)
        raise FileFormatError(
            ROW_COUNT_DIFFERS,
            f"{shorter.name} row {row}",
            "the end of the file",
            f"a row, as {longer.name} has one",
        )


def count_rows(path: Path) -> int:
    """Rows of a file, for a progress bar: exact for Parquet, lines for CSV."""
    if is_parquet(path):
        with _parquet(path) as file:
            return int(file.metadata.num_rows)
    count, last = 0, b"\n"
    with pa.input_stream(str(path)) as stream:
        while chunk := stream.read(CSV_BLOCK_BYTES):
            count, last = count + chunk.count(b"\n"), chunk[-1:]
    return count + (last != b"\n")


def count_levels(path: Path) -> int:
    """Levels of an orderbook file, by its columns.

    Raises
    ------
    FileFormatError
        The number of columns is not four times a number of levels.
    """
    if is_parquet(path):
        with _parquet(path) as file:
            columns = len([name for name in file.schema_arrow.names if name != "row"])
    else:
        with pa.input_stream(str(path)) as stream:
            columns = next(_lines(stream), "").count(",") + 1
    if columns % 4 or not 4 <= columns <= 4 * LEVELS_MAX:
        raise FileFormatError(
            BAD_COLUMNS, path.name, f"{columns} columns", "4 a level: ask and bid price and size"
        )
    return columns // 4


def orderbook_columns(levels: int) -> tuple[str, ...]:
    """Column names of an orderbook file, in order."""
    return tuple(
        f"{name}_{level}"
        for level in range(1, levels + 1)
        for name in ("ask_px", "ask_sz", "bid_px", "bid_sz")
    )


def is_parquet(path: Path) -> bool:
    """True when the file starts with Parquet's magic bytes."""
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _parquet_columns(path: Path, names: tuple[str, ...], batch_rows: int) -> Iterator[list[Int64Array]]:
    """Batches of the named columns as int64, by name; a ``row`` column is left out."""
    with _parquet(path) as file:
        present = file.schema_arrow.names
        missing = [name for name in names if name not in present]
        extra = [name for name in present if name not in names and name != "row"]
        if missing or extra:
            raise FileFormatError(
                BAD_COLUMNS, path.name, f"columns {', '.join(present)}", f"columns {', '.join(names)}"
            )
        row = 0
        for batch in file.iter_batches(batch_size=batch_rows, columns=list(names)):
            yield [_integers(path, batch.column(name), name, row) for name in names]
            row += batch.num_rows


def _parquet(path: Path) -> pa_parquet.ParquetFile:
    try:
        return pa_parquet.ParquetFile(path)
    except pa.ArrowException as error:
        raise FileFormatError(BAD_FILE, path.name, str(error), "a readable Parquet file") from error


def _integers(path: Path, column: pa.Array, name: str, first_row: int) -> Int64Array:
    if not pa.types.is_integer(column.type):
        raise FileFormatError(
            BAD_COLUMNS, f"{path.name} column {name}", str(column.type), "an integer column"
        )
    if column.null_count:
        index = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise FileFormatError(
            BAD_FIELD, f"{path.name} row {first_row + index}, field {name}", "null", "an integer"
        )
    return column.cast(pa.int64()).to_numpy()


def _csv_columns(path: Path, fields: tuple[str, ...]) -> Iterator[list[Int64Array]]:
    """Blocks of a headerless CSV as int64 columns; a field named ``time`` becomes ns."""
    types = {name: pa.decimal128(18, TIME_DIGITS) if name == "time" else pa.int64() for name in fields}
    try:
        with pa.input_stream(str(path)) as stream:
            reader = pa_csv.open_csv(
                stream,
                read_options=pa_csv.ReadOptions(
                    column_names=list(fields), block_size=CSV_BLOCK_BYTES, use_threads=False
                ),
                parse_options=pa_csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
                convert_options=pa_csv.ConvertOptions(column_types=types, null_values=[]),
            )
            for batch in reader:
                yield [
                    _decimal_ns(column) if name == "time" else column.to_numpy()
                    for name, column in zip(fields, batch.columns, strict=True)
                ]
    except pa.ArrowInvalid as error:
        _explain_csv(path, fields)
        raise FileFormatError(
            BAD_FILE, path.name, str(error), f"CSV rows of {len(fields)} numbers"
        ) from error


def _decimal_ns(column: pa.Array) -> Int64Array:
    """Nanoseconds of a decimal128 column of seconds with nine decimals: the low words of its integers."""
    words = np.frombuffer(column.buffers()[1], dtype=np.int64)
    low = words[2 * column.offset : 2 * (column.offset + len(column)) : 2]
    return low.copy()


def _explain_csv(path: Path, fields: tuple[str, ...]) -> None:
    """Walk the file line by line and raise for the first row that is not what it must be."""
    row = -1
    with pa.input_stream(str(path)) as stream:
        for row, line in enumerate(_lines(stream)):
            found = line.split(",")
            if len(found) != len(fields):
                raise FileFormatError(
                    BAD_COLUMNS,
                    f"{path.name} row {row}",
                    f"{len(found)} fields ({line[:80]!r})",
                    f"{len(fields)} fields",
                )
            for name, text in zip(fields, found, strict=True):
                _explain_field(f"{path.name} row {row}, field {name}", name, text)
    if row < 0:
        raise FileFormatError(BAD_FILE, path.name, "an empty file", f"rows of {len(fields)} fields")


def _lines(stream: pa.NativeFile) -> Iterator[str]:
    rest = b""
    while chunk := stream.read(CSV_BLOCK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r").decode("ascii", "backslashreplace")
    if rest:
        yield rest.rstrip(b"\r").decode("ascii", "backslashreplace")


def _explain_field(place: str, name: str, text: str) -> None:
    if name == "time":
        seconds, _, decimals = text.partition(".")
        if not seconds.isdecimal() or not (decimals or "0").isdecimal() or len(decimals) > TIME_DIGITS:
            raise FileFormatError(
                BAD_FIELD, place, repr(text), f"seconds with at most {TIME_DIGITS} decimals"
            )
        return
    digits = text.removeprefix("-")
    if not digits.isdecimal() or not -(2**63) <= int(text) < 2**63:
        raise FileFormatError(BAD_FIELD, place, repr(text), "a 64-bit integer")


def _check_messages(path: Path, batch: MessageBatch, ts_before_ns: int) -> None:
    """Values in range, row by row; a halt row has its own rules (direction -1, price -1, 0 or 1)."""
    halt = batch.message_type == MessageType.HALT
    hidden = (batch.message_type == MessageType.EXECUTE_HIDDEN) | (batch.message_type == MessageType.CROSS)
    known = (batch.message_type >= 1) & (batch.message_type <= max(MessageType))
    _refuse(path, batch.first_row, ~known, "type", batch.message_type, "1 .. 7")
    good_side = (batch.direction == 1) | (batch.direction == -1)
    _refuse(path, batch.first_row, ~good_side, "direction", batch.direction, "1 or -1")
    _refuse(path, batch.first_row, (batch.qty_lots < 1) & ~halt, "size", batch.qty_lots, "at least 1")
    _refuse(path, batch.first_row, (batch.price_ticks < 1) & ~halt, "price", batch.price_ticks, "at least 1")
    _refuse(
        path,
        batch.first_row,
        (batch.order_id < 1) & ~halt & ~hidden,
        "order id",
        batch.order_id,
        "at least 1",
    )
    backwards = np.diff(batch.ts_ns, prepend=ts_before_ns) < 0
    _refuse(path, batch.first_row, backwards, "time", batch.ts_ns, "no earlier than the row before")


def _check_orderbook(path: Path, block: Int64Array, row: int, names: tuple[str, ...]) -> None:
    """Quantities not negative, and zero exactly where the level is empty."""
    for column in range(0, len(names), 2):
        price, qty = block[:, column], block[:, column + 1]
        bad = (qty < 0) | ((qty == 0) != (np.abs(price) == NO_PRICE))
        _refuse(
            path, row, bad, names[column + 1], qty, f"above 0, or 0 where {names[column]} is +-{NO_PRICE}"
        )


def _refuse(
    path: Path, first_row: int, bad: npt.NDArray[np.bool_], field: str, values: Int64Array, expected: str
) -> None:
    if bad.any():
        index = int(np.argmax(bad))
        place = f"{path.name} row {first_row + index}, field {field}"
        raise FileFormatError(BAD_VALUE, place, str(values[index]), expected)
