"""``tradsys verify lobster``: the AMZN day holds, and a day with one wrong number does not."""

import json

import pytest

from tradsys.app.cli import main

DAY = "AMZN_2012-06-21_34200000_57600000"


def verify(capsys, *words) -> tuple[int, dict]:
    status = main(["verify", "lobster", *map(str, words), "--json"])
    return status, json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("levels", [1, 5])
def test_the_day_is_rebuilt_at_every_row(market_data, capsys, levels):
    # Goal: 100 % of rows equal, with the counts that others found. Method: the whole day against
    # expected.json.
    folder = market_data / "lobster"
    expected = json.loads((folder / "expected.json").read_text())[f"AMZN_{levels}"]
    status, verdict = verify(
        capsys,
        folder / f"{DAY}_message_{levels}.parquet",
        folder / f"{DAY}_orderbook_{levels}.parquet",
        f"--levels={levels}",
        f"--against={folder}/{DAY}_message_1.parquet",
    )
    assert (status, verdict["holds"]) == (0, True)
    assert verdict["rows"] == verdict["equal_rows"] == verdict["engine_equal_rows"] == expected["rows"]
    assert verdict["levels_taken_from_file"] == expected["levels_taken_from_file"]
    assert verdict["against_found"] == verdict["against_rows"] == 57515
    if "types" in expected:
        assert list(verdict["types"].values()) == list(expected["types"].values())


def test_one_wrong_quantity_does_not_hold(tmp_path, capsys):
    # Goal: a single wrong number is found and its row named. Method: three rows, the last off by one lot.
    (tmp_path / "message.csv").write_text("1.5,5,0,1,95,1\n2,1,7,5,91,1\n3,4,7,1,91,1\n")
    book = tmp_path / "book.csv"
    book.write_text("100,10,90,20\n100,10,91,5\n100,10,91,4\n")
    assert verify(capsys, tmp_path / "message.csv", book, "--levels=1")[0] == 0
    book.write_text("100,10,90,20\n100,10,91,5\n100,10,91,3\n")
    status, verdict = verify(capsys, tmp_path / "message.csv", book, "--levels=1")
    assert status == 1
    assert (verdict["rows"], verdict["equal_rows"], verdict["first_unequal_row"]) == (3, 2, 2)
    assert (verdict["engine_equal_rows"], verdict["engine_first_unequal_row"]) == (2, 2)


def test_messages_of_fewer_levels_must_come_in_order(tmp_path, capsys):
    # Goal: the cross-check sees a message that is missing or out of place. Method: a subsequence, then two
    # rows swapped.
    (tmp_path / "message.csv").write_text("1,1,7,5,91,1\n1,1,8,5,89,1\n1,1,9,5,92,1\n")
    (tmp_path / "book.csv").write_text("100,1,91,5\n100,1,91,5\n100,1,92,5\n")
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("1,1,7,5,91,1\n1,1,9,5,92,1\n")
    words = (tmp_path / "message.csv", tmp_path / "book.csv", "--levels=1", f"--against={fewer}")
    assert verify(capsys, *words)[0] == 0
    fewer.write_text("1,1,9,5,92,1\n1,1,7,5,91,1\n")
    status, verdict = verify(capsys, *words)
    assert (status, verdict["against_rows"], verdict["against_found"]) == (1, 2, 1)


def test_bad_usage_and_bad_input_have_their_exit_status(tmp_path, capsys):
    # Goal: 2 for a file that is not there, 1 and a sentence for one that is wrong. Method: both.
    missing = str(tmp_path / "none.csv")
    assert main(["verify", "lobster", missing, missing, "--levels=1"]) == 2
    (tmp_path / "message.csv").write_text("1,1,7,5,91\n")
    path = str(tmp_path / "message.csv")
    capsys.readouterr()
    assert main(["verify", "lobster", path, path, "--levels=1"]) == 1
    assert "BAD_COLUMNS: message.csv row 0" in capsys.readouterr().err


def test_the_table_is_for_people(tmp_path, capsys):
    # Goal: without --json a table says what was found. Method: a day of one row.
    (tmp_path / "message.csv").write_text("1,1,7,5,91,1\n")
    (tmp_path / "book.csv").write_text("100,1,91,5\n")
    assert (
        main(["verify", "lobster", str(tmp_path / "message.csv"), str(tmp_path / "book.csv"), "--levels=1"])
        == 0
    )
    printed = capsys.readouterr().out
    assert "rows equal to the orderbook file" in printed
    assert "holds" in printed
