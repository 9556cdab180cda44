"""Replays into a running venue over real sockets: the AMZN day, and an ITCH session made by hand."""

import json
import struct

import pytest
from house import Up

from tradsys.app.cli import main
from tradsys.connectors import itch

DAY = "AMZN_2012-06-21_34200000_57600000"


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    """A venue for all tests here; stopped cleanly at the end, its journal whole."""
    running = Up(tmp_path_factory.mktemp("venue") / "data", "--no-demo", "--no-record")
    first = running.wait(lambda now: now["instruments"] == 11)
    yield running, first["doors"]
    try:
        status, summary = running.stop()
        assert (status, summary["feed"]["lost"]) == (0, 0), running.errors
        assert main(["journal", "verify", summary["data_dir"]]) == 0
    finally:
        running.close()


def replay(capsys, venue, kind, *words):
    running, doors = venue
    capsys.readouterr()
    status = main(
        [
            "replay",
            kind,
            *map(str, words),
            f"--into={doors['orders']}",
            f"--config={running.data_dir}/tradsys.yaml",
            "--json",
        ]
    )
    captured = capsys.readouterr()
    assert status == 0, captured.err
    return json.loads(captured.out.splitlines()[-1])


def amzn(market_data, levels):
    folder = market_data / "lobster"
    return (
        folder / f"{DAY}_message_{levels}.parquet",
        f"--orderbook={folder}/{DAY}_orderbook_{levels}.parquet",
    )


def test_a_prefix_of_the_amzn_day(market_data, venue, capsys):
    # Goal: through two sessions of a real venue our best prices equal the day's on every row, and the executions hit
    # the orders they hit then. Method: 3,000 rows, twice: the second run finds nothing left of the first.
    for _ in range(2):
        found = replay(capsys, venue, "lobster", *amzn(market_data, 5), "--rows=3000")
        assert found["rows_compared"] == found["rows_top_equal"] == 3000
        assert found["executions_hit_share_of_known"] > 0.9
        assert found["executions_unfilled"] == 0
        assert found["rejected"] == {}
        assert found["orders_seeded_from_file"] > 0


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("levels", "rows"), [(1, 57_515), (5, 155_935)])
def test_the_whole_amzn_day(market_data, venue, capsys, levels, rows):
    # Goal: the whole day, every row equal. Method: all rows as fast as the venue takes them.
    found = replay(capsys, venue, "lobster", *amzn(market_data, levels))
    assert found["rows_compared"] == found["rows_top_equal"] == rows
    assert found["executions"] == 8974
    assert found["executions_hit_share_of_known"] > 0.97


def test_without_the_orderbook_messages_drift_and_the_report_says_so(market_data, venue, capsys):
    # Goal: messages alone are replayed as far as they go. Method: 1,000 rows, no orderbook file.
    found = replay(capsys, venue, "lobster", amzn(market_data, 5)[0], "--rows=1000")
    assert found["rows"] == 1000
    assert found["rows_compared"] == 0
    assert found["top_equal_share"] is None
    assert found["messages_of_unknown_orders"] > 0


def test_an_itch_session(tmp_path, venue, capsys):
    # Goal: a file of order messages drives the venue, which is told of the stock by its directory. Method: adds of
    # two sides, an execution, a cancel, a replace and a delete, behind 2-byte lengths.
    messages = [
        ("R", 1, 0, 1, "NEWCO", "Q", "N", 100, "N", "C", "Z", "P", "N", "N", "1", "N", 0, "N"),
        *(("A", 1, 0, 10 + i, 100 + i, "B", 10 + i, "NEWCO", 100_000 - 100 * i) for i in range(20)),
        *(("F", 1, 0, 50 + i, 200 + i, "S", 10 + i, "NEWCO", 100_100 + 100 * i, "UBSS") for i in range(20)),
        ("E", 1, 0, 80, 100, 10, 1),
        ("X", 1, 0, 81, 101, 4),
        ("U", 1, 0, 82, 102, 300, 50, 100_000),
        ("E", 1, 0, 83, 300, 20, 2),
        ("D", 1, 0, 84, 103),
        ("P", 1, 0, 85, 0, "B", 5, "NEWCO", 100_050, 3),
    ]
    encoded = [itch.encode_message(*message) for message in messages]
    path = tmp_path / "session.itch"
    path.write_bytes(b"".join(struct.pack(">H", len(data)) + data for data in encoded))
    found = replay(capsys, venue, "itch", path, "--define")
    assert found["commands"] == {
        "DEFINE": 1,
        "OPEN": 1,
        "NEW": 40,
        "AGGRESS": 2,
        "REDUCE": 1,
        "REPLACE": 1,
        "CANCEL": 1,
    }
    assert (found["executions"], found["executions_hit"]) == (2, 2)
    assert found["rejected"] == {}
    assert found["orders_live_at_end"] == 38
    assert found["counts"]["Trade"] == 1


def test_top_shows_a_running_venue(venue, capsys):
    # Goal: the same view attaches to a venue from outside. Method: lines of JSON for a second, for ten when it is slow.
    doors = venue[1]
    words = [f"--feed={doors['feed_a']}", f"--snapshots={doors['snapshots']}", "--json"]
    for seconds in (1.2, 10, 60):
        capsys.readouterr()
        status = main(["top", *words, f"--seconds={seconds}"])
        last = json.loads(capsys.readouterr().out.splitlines()[-1])
        if status == 0 and last["instruments"] >= 11:
            break
    assert (status, last["feed"]["lost"]) == (0, 0)
    assert last["instruments"] >= 11


def test_wrong_keys_and_unknown_instruments_are_said(venue, capsys, market_data):
    # Goal: each refusal is a sentence. Method: a symbol the venue lacks, a session that is none, a speed that is none.
    running, doors = venue
    common = [f"--into={doors['orders']}", f"--config={running.data_dir}/tradsys.yaml"]
    messages = str(amzn(market_data, 1)[0])
    for word, sentence in (
        ("--instrument=NOPE", "no instrument 'NOPE'"),
        ("--maker=nobody", "no session nobody"),
        ("--speed=0", "--speed must be max or a number above 0"),
        ("--seeding=window", "--seeding window needs --orderbook"),
    ):
        assert main(["replay", "lobster", messages, word, *common]) == 2
        assert sentence in capsys.readouterr().err
