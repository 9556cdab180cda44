"""Goal: what is recorded is what came, each message once, and every hole has a name.
Method: frames of a feed made in memory into a Recorder with a manual clock; then read the files back."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feed_maker import START_NS, STREAM, Clock, Feed, as_book, frame_of, make_frame

from tradsys.recorder import Recorder, RecorderSettings, RecordingError, read, rebuild_book, streams
from tradsys.recorder.catalog import live_files, segments
from tradsys.recorder.tables import HEALED, LOST, TABLES, records_of
from tradsys.wire.enums import Channel, Template
from tradsys.wire.records import DTYPES, empty

TAKEN, DUPLICATE, AHEAD, HEARTBEAT, MALFORMED = 0, 1, 2, 3, 6  # Verdict of tradsys.client.arbiter
SMALL = RecorderSettings(batch_rows=1024, segment_rows=2_000, fill_tries_max=1)
DAY_NS = 86_400 * 10**9


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def recorder(tmp_path, clock):
    made = Recorder(tmp_path, SMALL, clock=clock, monotonic=clock)
    yield made
    if not made._pipeline.failed and made._pipeline._writer.is_alive():
        made.close()


def test_every_message_is_in_the_files_as_it_came(recorder, tmp_path):
    feed, sent = Feed(seed=3), []
    for _ in range(40):
        records = feed.l3(130)
        sent.append(records)
        assert recorder.packet(feed.frame(Channel.L3, records)) == TAKEN
    report = recorder.close()
    table = read(tmp_path, "l3").to_table()
    assert table.column("channel_seq").to_pylist() == list(range(1, 40 * 130 + 1))
    assert set(table.column("stream_id").to_pylist()) == {STREAM}
    got = records_of(TABLES["l3"], table.combine_chunks().to_batches()[0])
    got["template_id"] = table.column("template_id").to_numpy()
    assert got.tobytes() == np.concatenate(sent).tobytes()
    assert report["lost"] == 0
    assert report["rows"]["l3"] == 5200
    assert not live_files(tmp_path)


def test_mixed_channels_are_split_by_template_and_keep_their_numbers(recorder, tmp_path):
    feed = Feed(seed=5)
    recorder.packet(feed.trades_frame(70, 3))
    recorder.packet(feed.trades_frame(5, 6, shuffled=True))
    recorder.packet(feed.trades_frame(0, 1))
    recorder.close()
    trades, figures = read(tmp_path, "trades").to_table(), read(tmp_path, "statistics").to_table()
    assert (trades.num_rows, figures.num_rows) == (75, 10)
    seqs = trades.column("channel_seq").to_pylist() + figures.column("channel_seq").to_pylist()
    assert sorted(seqs) == list(range(1, 86))
    assert trades.column("match_id").to_pylist()[:70] == list(range(1, 71))
    assert trades.schema.names[:3] == ["channel_seq", "stream_id", "recv_ts_ns"]


def test_definitions_and_states_keep_their_text(recorder, tmp_path):
    definition, state = empty(Template.MD_INSTRUMENT, 1), empty(Template.MD_STATUS, 1)
    definition["symbol"], definition["currency"], definition["instrument_id"] = b"AMZN", b"USD", 7
    state["instrument_id"], state["state"] = 7, 2
    recorder.packet(frame_of(Channel.STATUS, 1, definition, state))
    recorder.definitions(STREAM, definition)
    recorder.close()
    rows = read(tmp_path, "instruments").to_table().to_pylist()
    assert sorted((row["channel_seq"], row["symbol"], row["currency"]) for row in rows) == [
        (0, "AMZN", "USD"),
        (1, "AMZN", "USD"),
    ]
    assert read(tmp_path, "status").to_table().column("state").to_pylist() == [2]
    batch = read(tmp_path, "instruments", first_seq=1).to_table().to_batches()[0]
    assert records_of(TABLES["instruments"], batch).tobytes() == definition.tobytes()


def test_auctions_have_a_table_of_their_own(recorder, tmp_path):
    definition, auctions, state = (
        empty(Template.MD_INSTRUMENT, 1),
        empty(Template.MD_AUCTION, 2),
        empty(Template.MD_STATUS, 1),
    )
    definition["instrument_id"] = auctions["instrument_id"] = state["instrument_id"] = 7
    auctions["price_ticks"], auctions["qty_lots"], auctions["auction_news"] = (50, -(2**63)), (9, 0), (1, 2)
    recorder.packet(frame_of(Channel.STATUS, 1, definition, auctions, state))
    recorder.close()
    rows = read(tmp_path, "auctions").to_table().to_pylist()
    assert [(row["channel_seq"], row["price_ticks"], row["qty_lots"], row["auction_news"]) for row in rows] == [
        (2, 50, 9, 1),
        (3, -(2**63), 0, 2),
    ]
    assert read(tmp_path, "status").to_table().column("channel_seq").to_pylist() == [4]


def test_breakers_and_changed_matches_have_tables_of_their_own(recorder, tmp_path):
    breakers, changes, trades = (
        empty(Template.MD_BREAKER, 1),
        empty(Template.MD_TRADE_CHANGE, 2),
        empty(Template.MD_TRADE, 1),
    )
    breakers["instrument_id"] = changes["instrument_id"] = trades["instrument_id"] = 7
    changes["match_id"], changes["trade_change"] = (5, 6), (1, 2)
    breakers["breaker_level"] = 3
    recorder.packet(frame_of(Channel.STATUS, 1, breakers))
    recorder.packet(frame_of(Channel.TRADES, 1, trades, changes))
    recorder.close()
    rows = read(tmp_path, "trade_changes").to_table().to_pylist()
    assert [(row["channel_seq"], row["match_id"], row["trade_change"]) for row in rows] == [(2, 5, 1), (3, 6, 2)]
    assert read(tmp_path, "breakers").to_table().column("breaker_level").to_pylist() == [3]
    assert read(tmp_path, "trades").to_table().column("channel_seq").to_pylist() == [1]


def test_a_repeated_packet_is_recorded_once_and_an_overlapping_one_in_part(recorder, tmp_path):
    feed = Feed()
    records = feed.l3(10)
    recorder.packet(frame_of(Channel.L3, 1, records[:6]))
    assert recorder.packet(frame_of(Channel.L3, 1, records[:6]), line=1) == DUPLICATE
    assert recorder.packet(frame_of(Channel.L3, 4, records[3:])) == TAKEN
    report = recorder.close()
    assert read(tmp_path, "l3").to_table().column("order_id").to_pylist() == records["order_id"].tolist()
    assert report["channels"][0]["duplicates"] == 1
    assert read(tmp_path, "packets").to_table().column("first_seq").to_pylist() == [1, 7]


def test_a_hole_that_cannot_be_filled_is_recorded_as_lost(recorder, tmp_path, clock):
    feed = Feed()
    recorder.packet(frame_of(Channel.L3, 1, feed.l3(5)))
    assert recorder.packet(frame_of(Channel.L3, 9, feed.l3(5))) == AHEAD
    asked = []
    for _ in range(3):
        clock.ns += 2 * 10**9
        asked += recorder.on_time()
    assert len(asked) == 1
    request = np.frombuffer(asked[0], DTYPES[Template.GAP_FILL_REQUEST])[0]
    assert (request["first_seq"], request["count"], request["channel"]) == (6, 3, Channel.L3)
    report = recorder.close()
    gap = read(tmp_path, "gaps").to_table().to_pylist()[0]
    assert (gap["channel"], gap["first_seq"], gap["last_seq"], gap["outcome"]) == (Channel.L3, 6, 8, LOST)
    assert gap["detected_ts_ns"] < gap["resolved_ts_ns"]
    assert report["lost"] == 3
    totals = recorder.ledger.of(STREAM, Channel.L3)
    totals.check()
    assert (totals.first_seq, totals.last_seq, totals.messages) == (1, 13, 10)


def test_a_refusal_ends_the_wait(recorder, tmp_path, clock):
    feed = Feed()
    recorder.packet(frame_of(Channel.L3, 1, feed.l3(5)))
    recorder.packet(frame_of(Channel.L3, 9, feed.l3(5)))
    clock.ns += 10**9
    request = np.frombuffer(recorder.on_time()[0], DTYPES[Template.GAP_FILL_REQUEST])[0]
    refusal = empty(Template.REQUEST_REFUSED, 1)
    refusal["request_id"] = request["request_id"]
    recorder.refused(refusal.tobytes())
    recorder.flush()
    assert read(tmp_path, "gaps").to_table().column("outcome").to_pylist() == [LOST]
    assert read(tmp_path, "l3").count() == 10


def test_a_hole_open_at_the_end_is_recorded_with_what_came_after_it(recorder, tmp_path):
    feed = Feed()
    recorder.packet(frame_of(Channel.L3, 1, feed.l3(5)))
    recorder.packet(frame_of(Channel.L3, 9, feed.l3(5)))
    recorder.packet(frame_of(Channel.L3, 20, feed.l3(5)))
    report = recorder.close()
    assert report["lost"] == 3 + 6
    assert read(tmp_path, "l3").count() == 15
    assert read(tmp_path, "gaps").count() == 2


def test_a_healed_gap_is_recorded_as_healed_with_its_packets_marked(recorder, tmp_path, clock):
    feed = Feed()
    frames = [feed.l3_frame(5), feed.l3_frame(3), feed.l3_frame(3), feed.l3_frame(2)]
    recorder.packet(frames[0])
    recorder.packet(frames[3], line=1)
    clock.ns += 10**9
    assert len(recorder.on_time()) == 1
    recorder.packet(frames[1], line=2)
    recorder.packet(frames[2], line=2)
    report = recorder.close()
    gaps = read(tmp_path, "gaps").to_table().to_pylist()
    assert [(gap["first_seq"], gap["last_seq"], gap["outcome"]) for gap in gaps] == [(6, 11, HEALED)]
    assert read(tmp_path, "packets").to_table().column("line").to_pylist() == [0, 2, 2, 0]
    assert read(tmp_path, "l3").to_table().column("channel_seq").to_pylist() == list(range(1, 14))
    assert report["lost"] == 0
    assert report["channels"][0]["healed"] == 6


def test_what_the_other_line_brings_in_time_is_no_gap(recorder, tmp_path):
    feed = Feed()
    frames = [feed.l3_frame(4) for _ in range(6)]
    for line, index in ((0, 0), (0, 2), (1, 0), (1, 1), (0, 4), (1, 2), (0, 5), (1, 3), (1, 4)):
        recorder.packet(frames[index], line=line)
    report = recorder.close()
    assert read(tmp_path, "l3").to_table().column("channel_seq").to_pylist() == list(range(1, 25))
    assert read(tmp_path, "gaps").count() == 0
    assert report["channels"][0]["gaps"] == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: f[:-1],
        lambda f: f + b"\0" * 48,
        lambda f: f[:20],
        lambda f: b"",
        lambda f: make_frame(Channel.TRADES, 1, f[56:], 3),
        lambda f: make_frame(Channel.SNAPSHOT, 1, f[56:], 3),
        lambda f: make_frame(99, 1, f[56:], 3),
    ],
)
def test_a_frame_that_does_not_add_up_is_counted_and_not_recorded(recorder, tmp_path, spoil):
    assert recorder.packet(spoil(Feed().l3_frame(3))) == MALFORMED
    report = recorder.close()
    assert report["malformed"] == 1
    assert read(tmp_path, "l3").count() == 0


def test_rotation_by_rows_leaves_files_without_holes(recorder, tmp_path):
    feed = Feed()
    for _ in range(60):
        recorder.packet(feed.l3_frame(100))
    recorder.close()
    files = segments(tmp_path, "l3")
    assert len(files) >= 3
    rows = [pq.read_table(file.path).column("channel_seq").to_pylist() for file in files]
    assert [seq for part in rows for seq in part] == list(range(1, 6001))
    assert [file.first_seq for file in files] == [part[0] for part in rows]
    assert [file.n for file in files] == list(range(1, len(files) + 1))


def test_rotation_by_time_and_bytes(tmp_path, clock):
    settings = RecorderSettings(batch_rows=1024, segment_seconds=10)
    recorder, feed = Recorder(tmp_path / "time", settings, clock=clock), Feed()
    for _ in range(3):
        recorder.packet(feed.l3_frame(10))
        recorder.flush()
        clock.ns += 11 * 10**9
    recorder.close()
    assert len(segments(tmp_path / "time", "l3")) == 3
    recorder = Recorder(tmp_path / "bytes", RecorderSettings(batch_rows=1024, segment_bytes=1), clock=clock)
    for _ in range(3):
        recorder.packet(feed.l3_frame(10))
        recorder.flush()
    recorder.close()
    assert len(segments(tmp_path / "bytes", "l3")) == 3


def test_the_day_is_utc_and_changes_between_two_nanoseconds(recorder, tmp_path, clock, monkeypatch):
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    feed, midnight = Feed(), (START_NS // DAY_NS + 1) * DAY_NS
    recorder.packet(feed.l3_frame(3), recv_ts_ns=midnight - 1)
    recorder.packet(feed.l3_frame(3), recv_ts_ns=midnight)
    # a clock set back holds still
    recorder.packet(feed.l3_frame(3), recv_ts_ns=midnight - DAY_NS)
    recorder.close()
    days = {file.day: pq.read_table(file.path) for file in segments(tmp_path, "l3")}
    assert list(days) == ["2026-11-23", "2026-11-24"]
    assert days["2026-11-23"].column("channel_seq").to_pylist() == [1, 2, 3]
    assert days["2026-11-24"].column("channel_seq").to_pylist() == [4, 5, 6, 7, 8, 9]
    assert days["2026-11-24"].column("recv_ts_ns").to_pylist() == [midnight] * 6


def test_instrument_groups_have_their_own_directories(tmp_path, clock):
    settings = RecorderSettings(batch_rows=1024, groups={"odd": (1, 3), "big": (70000,)})
    recorder, feed = (
        Recorder(tmp_path, settings, clock=clock),
        Feed(instruments=(1, 2, 3, 70000, 4_000_000_000)),
    )
    recorder.packet(feed.l3_frame(500))
    recorder.close()
    by_group = {
        file.group: set(pq.read_table(file.path).column("instrument_id").to_pylist())
        for file in segments(tmp_path, "l3")
    }
    assert by_group == {"odd": {1, 3}, "big": {70000}, "main": {2, 4_000_000_000}}
    assert {file.group for file in segments(tmp_path, "packets")} == {"feed"}
    assert read(tmp_path, "l3").count() == 500


def test_metadata_says_what_the_file_holds(recorder, tmp_path):
    recorder.packet(Feed().l3_frame(3))
    recorder.close()
    schema = pq.read_schema(segments(tmp_path, "l3")[0].path)
    assert schema.metadata[b"tradsys.schema_version"] == b"1"
    assert schema.metadata[b"tradsys.stream_id"] == str(STREAM).encode()
    assert schema.metadata[b"tradsys.table"] == b"l3"
    assert schema.field("price_ticks").metadata[b"unit"] == b"ticks"
    assert schema.field("recv_ts_ns").metadata[b"unit"] == b"ns since the epoch, UTC"
    assert not schema.field("order_id").nullable
    column = pq.ParquetFile(segments(tmp_path, "l3")[0].path).metadata.row_group(0).column(4)
    assert column.compression == "ZSTD"
    assert "DELTA_BINARY_PACKED" in column.encodings
    assert not column.has_dictionary_page


def test_an_empty_run_leaves_no_files_and_an_empty_report(recorder, tmp_path):
    report = recorder.close()
    assert segments(tmp_path) == []
    assert (report["channels"], report["lost"], report["rows"]) == ([], 0, {})
    assert read(tmp_path, "l3").to_table().num_rows == 0
    assert streams(tmp_path) == []


def test_a_second_recorder_on_the_directory_is_refused(recorder, tmp_path):
    with pytest.raises(RecordingError) as refused:
        Recorder(tmp_path)
    assert refused.value.code == "LOCKED"


def test_a_new_stream_begins_new_files(recorder, tmp_path):
    for stream_id in (STREAM, STREAM + 1):
        recorder.packet(Feed(stream_id=stream_id).l3_frame(4))
    recorder.close()
    assert streams(tmp_path) == [STREAM, STREAM + 1]
    assert [read(tmp_path, "l3", stream_id=s).count() for s in streams(tmp_path)] == [4, 4]
    assert len({file.path for file in segments(tmp_path, "l3")}) == 2


def test_a_restarted_recorder_expects_the_next_message_and_repeats_none(tmp_path, clock):
    feed = Feed()
    frames = [feed.l3_frame(10), feed.trades_frame(3, 2), feed.l3_frame(10), feed.trades_frame(2, 1)]
    first = Recorder(tmp_path, SMALL, clock=clock, monotonic=clock)
    for frame in frames[:2]:
        first.packet(frame)
    first.close()
    second = Recorder(tmp_path, SMALL, clock=clock, monotonic=clock)
    assert second.packet(frames[0]) == DUPLICATE
    assert second.collector.next_seq(Channel.L3) == 11
    assert second.collector.next_seq(Channel.TRADES) == 6
    assert second.collector.next_seq(Channel.L2) == 0
    for frame in frames:
        second.packet(frame)
    second.close()
    assert read(tmp_path, "l3").to_table().column("channel_seq").to_pylist() == list(range(1, 21))
    assert read(tmp_path, "trades").count() == 5


def test_rows_ahead_of_their_packets_are_not_written_twice(tmp_path, clock):
    feed = Feed()
    frame = feed.l3_frame(10)
    first = Recorder(tmp_path, SMALL, clock=clock, monotonic=clock)
    first.packet(frame_of(Channel.L3, 1, empty(Template.MD_ORDER_ADD, 0)))
    first.flush()
    first.packet(frame)
    first.close()
    # a crash between the messages' and the packets' rows of a flush: the packets' row is not there
    last = segments(tmp_path, "packets")[-1].path
    table = pq.read_table(last)
    pq.write_table(table.slice(0, 1), last)
    second = Recorder(tmp_path, SMALL, clock=clock, monotonic=clock)
    assert second.packet(frame) == TAKEN
    second.packet(feed.l3_frame(5))
    second.close()
    assert read(tmp_path, "l3").to_table().column("channel_seq").to_pylist() == list(range(1, 16))


def test_the_book_of_the_recording_is_the_venues(recorder, tmp_path):
    feed, checked = Feed(seed=11), {}
    for turn in range(80):
        if turn == 7:
            for instrument in feed.instruments:
                recorder.snapshot(*feed.snapshot(instrument))
        recorder.packet(feed.l3_frame(90))
        if turn >= 7 and turn % 9 == 0:
            checked[feed.seq[Channel.L3]] = {i: feed.book(i) for i in feed.instruments}
    report = recorder.close()
    assert report["folded_books"] >= 4
    assert report["book_misfits"] == 0
    for seq, books in checked.items():
        for instrument, book in books.items():
            assert as_book(rebuild_book(tmp_path, instrument, l3_seq=seq)) == book
    with pytest.raises(RecordingError, match="BOOK_UNKNOWN"):
        rebuild_book(tmp_path, 1, l3_seq=100)


def test_the_newest_files_alone_rebuild_the_book(recorder, tmp_path):
    feed = Feed(seed=13)
    for instrument in feed.instruments:
        recorder.snapshot(*feed.snapshot(instrument))
    for _ in range(80):
        recorder.packet(feed.l3_frame(90))
    recorder.close()
    l3 = segments(tmp_path, "l3")
    for table in ("l3", "snapshots", "snapshot_orders"):
        for file in segments(tmp_path, table):
            if file.first_seq < l3[-1].first_seq - 1:
                file.path.unlink()
    assert len(segments(tmp_path, "l3")) == 1
    for instrument in feed.instruments:
        assert as_book(rebuild_book(tmp_path, instrument)) == feed.book(instrument)


def test_a_lost_range_makes_the_book_unknown_until_the_next_snapshot(recorder, tmp_path, clock):
    feed = Feed(seed=17, instruments=(1,))
    recorder.snapshot(*feed.snapshot(1))
    recorder.packet(feed.l3_frame(50))
    feed.l3_frame(5)
    recorder.packet(feed.l3_frame(50))
    for _ in range(3):
        clock.ns += 2 * 10**9
        recorder.on_time()
    assert recorder.gaps_lost == 1
    recorder.snapshot(*feed.snapshot(1))
    recorder.packet(feed.l3_frame(50))
    recorder.close()
    assert len(rebuild_book(tmp_path, 1, l3_seq=50)) > 0
    with pytest.raises(RecordingError, match="BOOK_UNKNOWN"):
        rebuild_book(tmp_path, 1, l3_seq=60)
    assert as_book(rebuild_book(tmp_path, 1)) == feed.book(1)


def test_pandas_polars_and_duckdb_open_the_files_directly(recorder, tmp_path):
    import duckdb
    import pandas
    import polars

    feed = Feed()
    recorder.packet(feed.l3_frame(500))
    recorder.close()
    pattern = str(tmp_path / "*" / "*" / "l3-*.parquet")
    total = read(tmp_path, "l3").to_table().column("qty_lots").to_numpy().sum()
    assert pandas.read_parquet(segments(tmp_path, "l3")[0].path)["qty_lots"].sum() == total
    assert polars.scan_parquet(pattern).select(polars.col("qty_lots").sum()).collect().item() == total
    assert duckdb.sql(f"select sum(qty_lots) from '{pattern}'").fetchall()[0][0] == total
    assert read(tmp_path, "l3").to_pandas()["qty_lots"].sum() == total
    assert read(tmp_path, "l3").to_polars()["qty_lots"].sum() == total


def test_live_files_are_read_too(recorder, tmp_path):
    feed = Feed()
    for _ in range(30):
        recorder.packet(feed.l3_frame(100))
    recorder.flush()
    assert live_files(tmp_path)
    assert read(tmp_path, "l3").to_table().column("channel_seq").to_pylist() == list(range(1, 3001))
    assert read(tmp_path, "l3", first_seq=2990, columns=["order_id"]).to_table().shape == (11, 1)
    batches = pa.ipc.open_stream(live_files(tmp_path)[0].path.read_bytes())
    assert next(iter(batches)).num_rows > 0
