"""Goal: what is in a recording can be asked for in SQL and written for others, and nothing else can be touched.
Method: record a small market, run the commands in process, hold the LOBSTER export against the window rule."""

import json
import runpy
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from feed_maker import STREAM, Clock, Feed, frame_of

from tradsys.app import cli
from tradsys.app.verify import verify_lobster
from tradsys.config import Recorder as RecorderSettings
from tradsys.recorder import Recorder, RecordingError, read
from tradsys.recorder.lobster import export_lobster
from tradsys.wire.enums import Channel, Template
from tradsys.wire.records import empty

SETTINGS = RecorderSettings(batch_rows=1024, segment_rows=1500)


def definition(
    instrument=1, symbol=b"AMZN", tick_mantissa=1, tick_exponent=-2, lot_mantissa=1, lot_exponent=0
):
    record = empty(Template.MD_INSTRUMENT, 1)
    record["instrument_id"], record["symbol"], record["currency"] = instrument, symbol, b"USD"
    record["tick_mantissa"], record["tick_exponent"] = tick_mantissa, tick_exponent
    record["lot_mantissa"], record["lot_exponent"] = lot_mantissa, lot_exponent
    return record


def record_market(folder, close=True, low=1, **definition_fields):
    recorder, feed = Recorder(folder, SETTINGS, clock=Clock()), Feed(seed=3, low=low)
    recorder.packet(frame_of(Channel.STATUS, 1, definition(**definition_fields)))
    recorder.packet(feed.l3_frame(200))
    for instrument in feed.instruments:
        recorder.snapshot(*feed.snapshot(instrument))
    for _ in range(30):
        recorder.packet(feed.l3_frame(100))
        recorder.packet(feed.trades_frame(10, 2))
    recorder.flush()
    if close:
        recorder.close()
    return recorder, feed


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recording")
    record_market(folder)
    return folder


def ask(capsys, *words):
    status = cli.main(["query", *words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_query_answers_as_json_csv_and_table(recording, capsys):
    sql = "select count(*) as n, max(channel_seq) as last from l3"
    status, out, _ = ask(capsys, sql, "--dir", str(recording), "--json")
    assert (status, json.loads(out)) == (0, {"columns": ["n", "last"], "rows": [[3200, 3200]]})
    assert ask(capsys, sql, "--dir", str(recording), "--csv")[1] == "n,last\n3200,3200\n"
    status, out, _ = ask(capsys, "select * from trades", "--dir", str(recording), "--rows", "3")
    assert status == 0
    assert "match_id" in out
    assert "the first 3 rows" in out


def test_every_table_has_a_view_even_when_it_is_empty(recording, capsys):
    for table in (
        "l2",
        "l1",
        "gaps",
        "status",
        "auctions",
        "trade_changes",
        "breakers",
        "snapshots",
        "snapshot_orders",
        "packets",
        "instruments",
        "statistics",
    ):
        status, out, _ = ask(capsys, f"select count(*) from {table}", "--dir", str(recording), "--json")
        assert status == 0
        assert json.loads(out)["rows"][0][0] == read(recording, table).count()


def test_live_and_compacted_files_are_one_view(tmp_path, capsys):
    recorder, _ = record_market(tmp_path, close=False)
    try:
        status, out, _ = ask(
            capsys, "select count(*), count(distinct channel_seq) from l3", "--dir", str(tmp_path), "--json"
        )
        assert (status, json.loads(out)["rows"]) == (0, [[3200, 3200]])
    finally:
        recorder.close()


@pytest.mark.parametrize(
    "sql",
    [
        "selec 1",
        "select * from nothing",
        "select 1; select 2",
        "",
        "drop view l3",
        "create table x as select 1",
        "insert into l3 select * from l3",
        "copy l3 to '{folder}/x.parquet'",
        "attach '{folder}/x.db'",
        "select * from read_csv('{folder}/secret.csv')",
        "select * from '{folder}/secret.csv'",
        "set threads = 1",
        "install httpfs",
    ],
)
def test_what_is_no_plain_select_is_refused(recording, tmp_path, capsys, sql):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    status, out, err = ask(capsys, sql.format(folder=tmp_path), "--dir", str(recording))
    assert status == 2
    assert out == ""
    assert "BAD_QUERY" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.csv"]


def test_a_directory_that_is_none_is_refused(tmp_path, capsys):
    status, _, err = ask(capsys, "select 1", "--dir", str(tmp_path / "none"))
    assert status == 2
    assert "NO_RECORDING" in err


def test_export_parquet_and_csv(recording, tmp_path, capsys):
    words = [
        "export",
        "parquet",
        str(recording),
        "--out",
        str(tmp_path),
        "-t",
        "l3",
        "-t",
        "trades",
        "--instrument",
        "1",
    ]
    assert cli.main([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    expected = read(recording, "l3", instrument_id=1)
    assert rows["l3"] == expected.count() > 0
    table = pq.read_table(tmp_path / "l3.parquet")
    assert table.equals(expected.to_table())
    assert table.schema.field("qty_lots").metadata[b"unit"] == b"lots"
    assert cli.main(["export", "csv", str(recording), "--out", str(tmp_path), "-t", "instruments"]) == 0
    header, row = (tmp_path / "instruments.csv").read_text().splitlines()
    assert header.split(",")[0] == '"channel_seq"'
    assert '"AMZN"' in row


@pytest.mark.parametrize("levels", [1, 5, 30])
def test_our_own_lobster_export_holds_row_for_row(recording, tmp_path, levels, capsys):
    words = [
        "export",
        "lobster",
        str(recording),
        "--out",
        str(tmp_path),
        "--instrument",
        "1",
        "--levels",
        str(levels),
    ]
    assert cli.main([*words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    messages, book = tmp_path / f"AMZN_message_{levels}.csv", tmp_path / f"AMZN_orderbook_{levels}.csv"
    total = read(recording, "l3", instrument_id=1, first_seq=201).count()
    assert result["rows"] + result["left_out"] == total
    assert result["rows"] > 10
    verdict = verify_lobster(messages, book, levels)
    assert verdict.holds
    assert verdict.rows == result["rows"]
    lines = book.read_text().splitlines()
    assert all(len(line.split(",")) == 4 * levels for line in lines)
    first = messages.read_text().splitlines()[0].split(",")
    assert len(first) == 6
    assert len(first[0].partition(".")[2]) == 9


def test_lobster_prices_are_dollars_times_10000_exactly(tmp_path):
    record_market(tmp_path, tick_mantissa=25, tick_exponent=-3)
    export_lobster(tmp_path, tmp_path / "out", 1, 3)
    prices = {
        int(line.split(",")[4]) for line in (tmp_path / "out" / "AMZN_message_3.csv").read_text().splitlines()
    }
    assert all(price % 250 == 0 for price in prices)
    ticks = set(read(tmp_path, "l3", instrument_id=1).to_table().column("price_ticks").to_pylist())
    assert prices <= {tick * 250 for tick in ticks}


@pytest.mark.parametrize("fields", [{"tick_exponent": -5}, {"lot_exponent": -3}, {"low": -5}])
def test_what_lobster_cannot_hold_is_refused_not_rounded(tmp_path, fields):
    record_market(tmp_path, **fields)
    with pytest.raises(RecordingError) as refused:
        export_lobster(tmp_path, tmp_path / "out", 1, 200)
    assert refused.value.code == "NOT_REPRESENTABLE"


def test_an_export_across_a_loss_is_refused(tmp_path):
    recorder, feed = Recorder(tmp_path, SETTINGS, clock=Clock()), Feed()
    recorder.packet(frame_of(Channel.STATUS, 1, definition()))
    recorder.snapshot(*feed.snapshot(1))
    recorder.packet(feed.l3_frame(10))
    feed.l3_frame(5)
    recorder.packet(feed.l3_frame(10))
    assert recorder.close()["lost"] == 5
    with pytest.raises(RecordingError, match="11 to 15 were lost"):
        export_lobster(tmp_path, tmp_path / "out", 1, 3, stream_id=STREAM)


def test_the_reading_example_runs(recording, capsys, monkeypatch):
    example = Path(__file__).resolve().parents[2] / "examples" / "read_recording.py"
    monkeypatch.setattr("sys.argv", [str(example), str(recording)])
    runpy.run_path(str(example), run_name="__main__")
    out = capsys.readouterr().out
    assert "AMZN" in out
    assert "orders to buy" in out
