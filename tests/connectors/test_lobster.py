"""Reading LOBSTER files: both forms give the same rows, and what is wrong is named with its row."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from tradsys.connectors.file_errors import FileFormatError
from tradsys.connectors.lobster import (
    MessageBatch,
    orderbook_columns,
    read_day,
    read_messages,
    read_orderbook,
)

GOOD = "34200.017459617,5,0,1,2238200,-1\n34200.189607670,1,11885113,21,2238100,1\n"
BOOK = "2239500,100,2231800,100\n2239500,100,2238100,21\n"


def one_batch(path: Path) -> MessageBatch:
    batches = list(read_messages(path))
    assert len(batches) == 1
    return batches[0]


def write(folder: Path, text: str, name: str = "message.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_csv_times_are_exact_nanoseconds(tmp_path):
    # Goal: a decimal time becomes whole ns without passing through a float. Method: nine, one and no
    # decimals.
    rows = "34200.017459617,1,1,1,1,1\n34200.1,1,2,1,1,1\n34201,1,3,1,1,1\n57599.999999999,1,4,1,1,-1"
    batch = one_batch(write(tmp_path, rows))
    assert batch.ts_ns.tolist() == [34200017459617, 34200100000000, 34201000000000, 57599999999999]
    assert batch.order_id.tolist() == [1, 2, 3, 4]
    assert batch.direction.tolist() == [1, 1, 1, -1]


def test_parquet_and_csv_give_the_same_rows(tmp_path):
    # Goal: the form of the file does not matter. Method: the same rows written as both, Parquet read in small
    # batches.
    csv = one_batch(write(tmp_path, GOOD))
    names = ("ts_ns", "type", "order_id", "size", "price", "direction")
    table = pa.table({"row": [0, 1]} | dict(zip(names, csv.columns(), strict=True)))
    pa_parquet.write_table(table, tmp_path / "message.parquet")
    batches = list(read_messages(tmp_path / "message.parquet", batch_rows=1))
    assert [batch.first_row for batch in batches] == [0, 1]
    for index, column in enumerate(csv.columns()):
        assert np.concatenate([batch.columns()[index] for batch in batches]).tolist() == column.tolist()


def test_compressed_csv_is_read_as_it_is(tmp_path):
    # Goal: a .gz needs no unpacking. Method: the same text, gzipped.
    path = tmp_path / "message.csv.gz"
    with pa.output_stream(str(path)) as stream:
        stream.write(GOOD.encode())
    assert len(one_batch(path)) == 2


@pytest.mark.parametrize(
    ("row", "code", "message"),
    [
        ("34201,1,2,3,4", "BAD_COLUMNS", "row 2: found 5 fields"),
        ("", "BAD_COLUMNS", "row 2: found 1 fields"),
        ("x,1,2,3,4,1", "BAD_FIELD", "row 2, field time: found 'x', expected seconds"),
        ("-1,1,2,3,4,1", "BAD_VALUE", "row 2, field time: found -1000000000, expected no earlier"),
        ("34201.0123456789,1,2,3,4,1", "BAD_FIELD", "row 2, field time"),
        ("34201,1,,3,4,1", "BAD_FIELD", "row 2, field order id: found '', expected a 64-bit integer"),
        ("34201,1,2.0,3,4,1", "BAD_FIELD", "row 2, field order id: found '2.0'"),
        ("34201,1,9223372036854775808,3,4,1", "BAD_FIELD", "row 2, field order id"),
        ("34201,1,2,3,\xe9,1", "BAD_FIELD", "row 2, field price"),
        ("34201,0,2,3,4,1", "BAD_VALUE", "row 2, field type: found 0, expected 1 .. 7"),
        ("34201,8,2,3,4,1", "BAD_VALUE", "row 2, field type: found 8, expected 1 .. 7"),
        ("34201,1,0,3,4,1", "BAD_VALUE", "row 2, field order id: found 0, expected at least 1"),
        ("34201,1,2,0,4,1", "BAD_VALUE", "row 2, field size: found 0, expected at least 1"),
        ("34201,1,2,3,-4,1", "BAD_VALUE", "row 2, field price: found -4, expected at least 1"),
        ("34201,1,2,3,4,0", "BAD_VALUE", "row 2, field direction: found 0, expected 1 or -1"),
        ("34199,1,2,3,4,1", "BAD_VALUE", "row 2, field time: found 34199000000000, expected no earlier"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, code, message):
    # Goal: the refusal says which row, what was found and what was expected. Method: one bad third row each.
    path = write(tmp_path, GOOD + row + "\n" + "34300,1,5,5,5,1\n")
    with pytest.raises(FileFormatError) as caught:
        list(read_messages(path))
    assert caught.value.code == code
    assert message in str(caught.value)


def test_a_halt_row_has_its_own_rules(tmp_path):
    # Goal: LOBSTER's halt, quote and resume rows pass. Method: its documented rows, order id, size and price
    # 0 or -1.
    text = "36023,7,0,0,-1,-1\n36323,7,0,0,0,-1\n36723,7,0,0,1,-1\n"
    assert one_batch(write(tmp_path, text)).price_ticks.tolist() == [-1, 0, 1]


def test_an_empty_file_and_a_broken_parquet_are_refused(tmp_path):
    # Goal: neither passes for a day without messages. Method: no bytes; Parquet's magic and then noise.
    with pytest.raises(FileFormatError, match=r"BAD_FILE: message\.csv: found an empty file"):
        list(read_messages(write(tmp_path, "")))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 this is no Parquet file")
    with pytest.raises(FileFormatError, match=r"BAD_FILE: broken\.parquet"):
        list(read_messages(tmp_path / "broken.parquet"))


def test_parquet_columns_must_be_those_of_the_format(tmp_path):
    # Goal: an orderbook file is not read as messages, nor a float as an integer. Method: one table each.
    path = tmp_path / "book.parquet"
    pa_parquet.write_table(pa.table({name: [1] for name in orderbook_columns(1)}), path)
    with pytest.raises(FileFormatError, match="BAD_COLUMNS"):
        list(read_messages(path))
    with pytest.raises(FileFormatError, match="BAD_COLUMNS"):
        list(read_orderbook(path, 2))
    pa_parquet.write_table(pa.table({name: [1.0] for name in orderbook_columns(1)}), path)
    with pytest.raises(FileFormatError, match="column ask_px_1: found double, expected an integer column"):
        list(read_orderbook(path, 1))
    pa_parquet.write_table(pa.table({name: [1, None] for name in orderbook_columns(1)}), path)
    with pytest.raises(FileFormatError, match="row 1, field ask_px_1: found null"):
        list(read_orderbook(path, 1))


def test_orderbook_rows_have_a_quantity_where_they_have_a_price(tmp_path):
    # Goal: an empty level is LOBSTER's dummy price and 0, nothing else. Method: a good row and three bad
    # ones.
    good = "2239500,100,-9999999999,0\n"
    assert next(iter(read_orderbook(write(tmp_path, good), 1))).tolist() == [[2239500, 100, -9999999999, 0]]
    for bad in ("2239500,100,2231800,0\n", "2239500,-1,2231800,5\n", "9999999999,5,2231800,5\n"):
        with pytest.raises(FileFormatError, match=r"BAD_VALUE: message\.csv row 1"):
            list(read_orderbook(write(tmp_path, good + bad), 1))


@pytest.mark.parametrize(("messages", "book", "shorter"), [(2, 1, "book.csv"), (1, 2, "message.csv")])
def test_a_day_of_unequal_files_is_refused(tmp_path, messages, book, shorter):
    # Goal: no row goes uncompared. Method: one file cut by one row, either way round.
    first = write(tmp_path, "".join(GOOD.splitlines(keepends=True)[:messages]))
    second = write(tmp_path, "".join(BOOK.splitlines(keepends=True)[:book]), "book.csv")
    with pytest.raises(FileFormatError, match=f"ROW_COUNT_DIFFERS: {shorter} row 1"):
        list(read_day(first, second, 1))


def test_a_day_pairs_rows_across_uneven_batches(tmp_path):
    # Goal: row i of one file meets row i of the other. Method: 40,000 rows, CSV blocks against Parquet
    # batches.
    rows = 40_000
    text = "".join(f"{34200 + i // 10}.{i % 10},1,{i + 1},1,{i + 1},1\n" for i in range(rows))
    messages = write(tmp_path, text)
    pa_parquet.write_table(
        pa.table({name: np.arange(1, rows + 1) for name in orderbook_columns(1)}), tmp_path / "book.parquet"
    )
    seen = 0
    for batch, block in read_day(messages, tmp_path / "book.parquet", 1):
        assert batch.first_row == seen
        assert batch.price_ticks.tolist() == block[:, 0].tolist()
        seen += len(batch)
    assert seen == rows


def test_levels_out_of_range_are_refused(tmp_path):
    # Goal: a number of levels no file has is refused before the file is opened. Method: 0 and 201.
    for levels in (0, 201):
        with pytest.raises(ValueError, match=r"levels must be in \[1, 200\]"):
            list(read_orderbook(write(tmp_path, BOOK), levels))
