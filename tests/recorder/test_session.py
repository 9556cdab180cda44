"""Goal: recorder and replay speak the feed's protocol over real sockets: joins, books, gaps, restarts, replays.
Method: a recording is replayed into a second recorder, with frames dropped on the way; both must hold the same rows."""

import threading

import numpy as np
import pytest
import zmq
from feed_maker import Clock, Feed, as_book, frame_of

from tradsys.config import Recorder as RecorderSettings
from tradsys.recorder import Recorder, read, rebuild_book, streams
from tradsys.recorder.books_asked import BooksAsked
from tradsys.recorder.republish import Progress, Republisher, packets
from tradsys.recorder.server import RecordingServer
from tradsys.recorder.session import Addresses, FeedSession
from tradsys.recorder.tables import TABLES
from tradsys.wire.enums import Channel, RejectReason, Template
from tradsys.wire.records import DTYPES, empty

SETTINGS = RecorderSettings(batch_rows=1024, segment_rows=1500, gap_wait_ms=1, request_timeout_ms=60_000)
MARKET = ("l3", "l2", "l1", "trades", "statistics", "status", "instruments")


def definitions(instruments):
    records = empty(Template.MD_INSTRUMENT, len(instruments))
    records["instrument_id"] = instruments
    records["symbol"] = [f"S{instrument}".encode() for instrument in instruments]
    return records


def levels(feed, count):
    records = empty(Template.MD_LEVEL, count)
    records["price_ticks"] = np.arange(count)
    return feed.frame(Channel.L2, records)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Record two streams of a market with several groups and all channels; return the folder and the last feed."""
    folder = tmp_path_factory.mktemp("recorded")
    recorder = Recorder(folder, SETTINGS, clock=Clock())
    for stream in (1, 2):
        feed = Feed(seed=stream, instruments=(1, 2, 3), stream_id=1_790_000_000_000_000_000 + stream)
        recorder.packet(
            feed.frame(Channel.STATUS, definitions(feed.instruments), empty(Template.MD_STATUS, 2))
        )
        recorder.packet(frame_of(Channel.L3, 1, empty(Template.MD_ORDER_ADD, 0), stream_id=feed.stream_id))
        for instrument in feed.instruments:
            recorder.snapshot(*feed.snapshot(instrument))
        for _ in range(40):
            recorder.packet(feed.l3_frame(60))
            recorder.packet(feed.trades_frame(7, 2, shuffled=True))
            recorder.packet(levels(feed, 5))
            recorder.packet(feed.frame(Channel.L1, empty(Template.MD_TOP, 2)))
    recorder.close()
    return folder, feed


def rows(folder, table, stream_id):
    columns = [name for name in TABLES[table].schema.names if name != "recv_ts_ns"]
    return read(folder, table, columns=columns, stream_id=stream_id).to_table().sort_by("channel_seq")


def replay_into(folder, source, recorder_settings=SETTINGS, drop=None, lines=2, newest_only=False):
    """Replay `source` into a new recording of `folder` over real sockets; return the recorder's report."""
    context = zmq.Context()
    publisher = Republisher([f"ipc://{folder}/line{n}.ipc" for n in range(lines)], context)
    server = RecordingServer(source, f"ipc://{folder}/recovery.ipc", context, publisher.progress)
    if drop is not None:
        publisher._sockets[:] = [
            Dropping(socket, drop, index) for index, socket in enumerate(publisher._sockets)
        ]
    recorder = Recorder(folder / "copy", recorder_settings)
    addresses = Addresses(*[*publisher.addresses, ""][:2], server.address)
    session = FeedSession(recorder, addresses, context)
    done = threading.Event()

    def send():
        publisher.wait_for_readers(lambda: False)
        publisher.run(source, streams(source)[-1 if newest_only else 0 :], 0)
        done.set()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        last = {Channel(int(c)): s for c, s in last_seqs(source).items()}
        session.run(lambda: done.is_set() and complete(recorder, last) and not session.books.waiting)
    finally:
        thread.join()
        session.close()
        server.close()
        publisher.close()
        context.destroy(linger=0)
    return recorder.close()


def last_seqs(source):
    stream = streams(source)[-1]
    last = {}
    for frame in packets(source, stream):
        last[frame.channel] = frame.first_seq + frame.message_count
    return last


def complete(recorder, last):
    return all(recorder.collector.next_seq(channel) == seq for channel, seq in last.items())


class Dropping:
    """A socket that loses what `drop(line, number)` says."""

    def __init__(self, socket, drop, line):
        self.socket, self.drop, self.line, self.number = socket, drop, line, 0

    def send(self, content, *args):
        self.number += 1
        # heartbeats arrive: a loss at the very end shows by the next of them, and a replay sends one
        if len(content) == 56 or not self.drop(self.line, self.number):
            self.socket.send(content, *args)

    def __getattr__(self, name):
        return getattr(self.socket, name)


@pytest.mark.parametrize("lines", [1, 2])
def test_a_replay_recorded_again_is_the_same_recording(recorded, tmp_path, lines):
    source, feed = recorded
    report = replay_into(tmp_path, source, lines=lines)
    assert report["lost"] == 0
    for stream_id in streams(source):
        same_rows(tmp_path / "copy", source, stream_id)
    for instrument in feed.instruments:
        assert as_book(rebuild_book(tmp_path / "copy", instrument)) == feed.book(instrument)
    again = {(f.channel, f.first_seq): f.content for f in packets(tmp_path / "copy", streams(source)[0])}
    for frame in packets(source, streams(source)[0]):
        if frame.message_count:
            assert again[frame.channel, frame.first_seq] == frame.content


def same_rows(copy, source, stream_id):
    """Hold every market table of one stream against the source; definitions asked for have no number."""
    for table in MARKET:
        got = rows(copy, table, stream_id)
        assert got.filter(np.asarray(got.column("channel_seq")) > 0).equals(rows(source, table, stream_id)), (
            table
        )


def test_one_line_dead_and_most_frames_lost_on_the_other_nothing_is_missing(recorded, tmp_path):
    source, feed = recorded
    report = replay_into(
        tmp_path,
        source,
        drop=lambda line, number: number > 8 and (line == 1 or number % 3 != 0),
        newest_only=True,
    )
    assert report["lost"] == 0
    assert sum(channel["healed"] for channel in report["channels"]) > 500
    same_rows(tmp_path / "copy", source, streams(source)[-1])
    assert set(read(tmp_path / "copy", "gaps").to_table().column("outcome").to_pylist()) == {1}
    for instrument in feed.instruments:
        assert as_book(rebuild_book(tmp_path / "copy", instrument)) == feed.book(instrument)


def test_both_lines_together_need_no_gap_fill(recorded, tmp_path):
    source, _ = recorded
    patient = RecorderSettings(batch_rows=1024, gap_wait_ms=20_000)
    report = replay_into(
        tmp_path,
        source,
        patient,
        drop=lambda line, number: number > 8 and number % 3 == line,
        newest_only=True,
    )
    assert report["lost"] == 0
    assert sum(channel["healed"] for channel in report["channels"]) == 0
    same_rows(tmp_path / "copy", source, streams(source)[-1])


def test_a_hole_left_by_a_venue_that_is_gone_is_recorded_as_lost(tmp_path):
    recorder = Recorder(tmp_path, SETTINGS, clock=Clock(), monotonic=Clock())
    old, new = Feed(stream_id=5), Feed(stream_id=6)
    recorder.packet(old.l3_frame(3))
    old.l3_frame(4)
    recorder.packet(old.l3_frame(2))
    recorder.packet(new.l3_frame(1))
    report = recorder.close()
    assert [(row["stream_id"], row["messages"], row["lost"]) for row in report["channels"]] == [
        (5, 5, 4),
        (6, 1, 0),
    ]
    assert read(tmp_path, "l3", stream_id=5).to_table().column("channel_seq").to_pylist() == [1, 2, 3, 8, 9]
    assert read(tmp_path, "gaps", stream_id=5).to_table().column("outcome").to_pylist() == [2]


def test_frames_are_sent_in_the_order_of_their_times(recorded):
    source, _ = recorded
    frames = list(packets(source, streams(source)[0]))
    assert [f.send_ts_ns for f in frames] == sorted(f.send_ts_ns for f in frames)
    assert sum(f.message_count for f in frames if f.channel == Channel.L3) == 2400


def server_of(source, next_seq):
    server = RecordingServer.__new__(RecordingServer)
    server._directory = source
    server._progress = Progress(stream_id=streams(source)[-1], next_seq=next_seq)
    return server


def request(template, **fields):
    record = empty(template, 1)
    for name, value in fields.items():
        record[name] = value
    return record.tobytes()


def test_the_server_gives_only_what_was_replayed_and_refuses_the_rest(recorded):
    source, _ = recorded
    server = server_of(source, {int(Channel.L3): 101})
    fill = {"channel": Channel.L3, "stream_id": streams(source)[-1], "request_id": 5}
    frames = list(server.answers(request(Template.GAP_FILL_REQUEST, first_seq=90, count=50, **fill)))
    assert sum(int.from_bytes(f[18:20], "little") for f in frames) == 11
    for bad in (
        request(Template.GAP_FILL_REQUEST, first_seq=101, count=5, **fill),
        request(Template.GAP_FILL_REQUEST, first_seq=0, count=5, **fill),
        request(Template.GAP_FILL_REQUEST, first_seq=1, count=5, **{**fill, "stream_id": 3}),
        request(Template.GAP_FILL_REQUEST, first_seq=1, count=5, **{**fill, "channel": 6}),
    ):
        (refusal,) = server.answers(bad)
        record = np.frombuffer(refusal, DTYPES[Template.REQUEST_REFUSED])[0]
        assert (record["reject_reason"], record["request_id"]) == (RejectReason.NOT_AVAILABLE, 5)
    (refusal,) = server.answers(b"\0" * 20)
    assert (
        np.frombuffer(refusal, DTYPES[Template.REQUEST_REFUSED])[0]["reject_reason"]
        == RejectReason.UNKNOWN_TEMPLATE
    )
    (refusal,) = server.answers(request(Template.SNAPSHOT_REQUEST)[:-8])
    assert (
        np.frombuffer(refusal, DTYPES[Template.REQUEST_REFUSED])[0]["reject_reason"]
        == RejectReason.MALFORMED_FRAME
    )


def test_books_are_asked_for_one_by_one_and_again_when_no_answer_comes(recorded):
    source, feed = recorded
    server, books = server_of(source, {int(Channel.L3): 2401}), BooksAsked()
    assert books.due(0) == []
    books.begin()
    (first,) = books.due(0)
    assert books.due(1) == []
    (second,) = books.due(10**10)
    assert first != second
    for frame in server.answers(first):
        assert books.take(frame) is None
    seen = {}
    asked = second
    while asked:
        done = [answer for frame in server.answers(asked) if (answer := books.take(frame)) is not None]
        (answer,) = done
        seen[int(answer.head["instrument_id"][0])] = answer
        asked = (books.due(0) or [None])[0]
    assert list(seen) == [0, 1, 2, 3]
    for instrument in (1, 2, 3):
        assert as_book(seen[instrument].records) == feed.book(instrument)
    books.look_for_more()
    for frame in server.answers(books.due(0)[0]):
        books.take(frame)
    assert books.waiting == 0
