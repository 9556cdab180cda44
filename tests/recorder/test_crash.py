"""Goal: a crash costs at most the batch being written, and recovery is the same however often it is done.
Method: cut and spoil live files at every kind of place, kill a recording process, fill the disk, slow it down."""

import errno
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feed_maker import STREAM, Clock, Feed
from hypothesis import given, settings
from hypothesis import strategies as st

from tradsys.config import Recorder as RecorderSettings
from tradsys.recorder import Recorder, RecordingError, read, rebuild_book
from tradsys.recorder.catalog import live_files, segments, temporary_files
from tradsys.recorder.compaction import compact, recover
from tradsys.recorder.segment import SegmentReader, SegmentWriter, open_sink
from tradsys.recorder.tables import TABLES, file_schema, rows_of
from tradsys.wire.enums import Channel

BATCHES, BATCH_ROWS = 5, 40


def live_file(folder, compression="lz4"):
    """Write one live file of BATCHES batches; return its path and the size after each batch."""
    path = folder / "2026-11-23" / "main" / "l3-00000000000000000001-000001.arrows"
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = SegmentWriter(path, file_schema(TABLES["l3"], STREAM, "main", "2026-11-23"), compression, 0)
    feed, sizes = Feed(), [writer.good_bytes]
    for number in range(BATCHES):
        records = feed.l3(BATCH_ROWS)
        extra = {
            "channel_seq": np.arange(BATCH_ROWS) + number * BATCH_ROWS + 1,
            "stream_id": STREAM,
            "recv_ts_ns": 5,
        }
        writer.write(rows_of(TABLES["l3"], records, extra))
        sizes.append(writer.good_bytes)
    writer.close()
    return path, sizes


@dataclass
class Whole:
    """A live file: its bytes and its size after each batch."""

    content: bytes = field(repr=False)
    sizes: list[int]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path, sizes = live_file(tmp_path_factory.mktemp("whole"))
    return Whole(path.read_bytes(), sizes)


def put(folder, content):
    path = folder / "2026-11-23" / "main" / "l3-00000000000000000001-000001.arrows"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def complete_batches(sizes, length):
    return sum(size <= length for size in sizes[1:])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_file_cut_anywhere_keeps_its_complete_batches(whole, tmp_path_factory, data):
    content, sizes = whole.content, whole.sizes
    near = st.sampled_from(sizes).flatmap(lambda size: st.integers(size - 9, size + 9))
    length = data.draw(st.one_of(st.integers(0, len(content)), near).filter(lambda n: 0 <= n <= len(content)))
    folder = tmp_path_factory.mktemp("cut")
    put(folder, content[:length])
    expected = complete_batches(sizes, length) * BATCH_ROWS
    assert read(folder, "l3").count() == expected
    first = recover(folder)
    assert read(folder, "l3").to_table().column("channel_seq").to_pylist() == list(range(1, expected + 1))
    assert bool(first.compacted) == bool(expected)
    assert not live_files(folder)
    again = recover(folder)
    assert (again.compacted, again.removed, again.rows) == ([], [], 0)
    assert read(folder, "l3").count() == expected


@settings(max_examples=60, deadline=None)
@given(where=st.floats(0, 1), flip=st.booleans(), extent=st.integers(0, 8))
def test_spoiled_bytes_are_never_taken_for_data(whole, tmp_path_factory, where, flip, extent):
    content, sizes = whole.content, whole.sizes
    place = int(where * (len(content) - 9))
    spoiled = bytearray(content)
    if flip:
        spoiled[place] ^= 1 << extent % 8
    else:
        length = min(1 << 2 * extent, len(content) - place)
        spoiled[place : place + length] = bytes(length)
    path = put(tmp_path_factory.mktemp("spoil"), bytes(spoiled))
    whole_rows = pa.Table.from_batches(SegmentReader(put(tmp_path_factory.mktemp("good"), content)))
    reader = SegmentReader(path)
    batches = list(reader)
    got = pa.Table.from_batches(batches, batches[0].schema if batches else whole_rows.schema)
    # what is returned is a beginning of what was written, and everything before the damage is there
    in_schema = place < sizes[1] - (sizes[2] - sizes[1])
    assert got.num_rows >= (0 if in_schema else complete_batches(sizes, place) * BATCH_ROWS)
    assert got.equals(whole_rows.slice(0, got.num_rows), check_metadata=True)


def test_the_batch_of_an_older_file_at_the_tail_is_not_taken(tmp_path):
    content, sizes = (lambda found: (found[0].read_bytes(), found[1]))(live_file(tmp_path))
    path = put(tmp_path, content[: sizes[2]] + content[sizes[3] : sizes[4]])
    reader = SegmentReader(path)
    assert sum(batch.num_rows for batch in reader) == 2 * BATCH_ROWS
    assert reader.torn


@pytest.mark.parametrize("compression", ["lz4", "zstd", None])
def test_compaction_gives_the_same_rows_and_leaves_no_source(tmp_path, compression):
    path, _ = live_file(tmp_path, compression)
    before = pa.Table.from_batches(SegmentReader(path))
    rows, torn = compact(live_files(tmp_path)[0])
    assert (rows, torn) == (BATCHES * BATCH_ROWS, False)
    after = pq.read_table(path.with_suffix(".parquet"))
    assert after.equals(before)
    assert not path.exists()
    assert temporary_files(tmp_path) == []


def test_recovery_after_a_crash_in_compaction(tmp_path):
    # between rename and removal both files are there: the Parquet file counts, once
    path, _ = live_file(tmp_path)
    content = path.read_bytes()
    compact(live_files(tmp_path)[0])
    path.write_bytes(content)
    (path.parent / "l3-00000000000000000001-000009.parquet.tmp").write_bytes(b"half")
    assert read(tmp_path, "l3").count() == BATCHES * BATCH_ROWS
    recovery = recover(tmp_path)
    assert recovery.removed == [path.name]
    assert [file.path.suffix for file in segments(tmp_path, "l3")] == [".parquet"]
    assert temporary_files(tmp_path) == []


def test_a_parquet_file_that_differs_from_its_checksum_keeps_the_source(tmp_path):
    path, _ = live_file(tmp_path)
    content = path.read_bytes()
    compact(live_files(tmp_path)[0])
    target = path.with_suffix(".parquet")
    table = pq.read_table(target)
    metadata = pq.ParquetFile(target).metadata.metadata
    with pq.ParquetWriter(target, table.schema) as writer:
        writer.write_table(table.slice(1))
        writer.add_key_value_metadata({k: v for k, v in metadata.items() if k.startswith(b"tradsys.")})
    path.write_bytes(content)
    with pytest.raises(RecordingError) as failed:
        compact(live_files(tmp_path)[0])
    assert failed.value.code == "VERIFY_FAILED"
    assert path.exists()


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from feed_maker import Feed
from tradsys.config import Recorder as RecorderSettings
from tradsys.recorder import Recorder
recorder, feed = Recorder(sys.argv[1], RecorderSettings(batch_rows=1024, segment_rows=3000)), Feed()
trades = Feed(seed=9)
for instrument in feed.instruments:
    recorder.snapshot(*feed.snapshot(instrument))
while True:
    for _ in range(5):
        recorder.packet(feed.l3_frame(50))
        recorder.packet(trades.trades_frame(5, 2))
    recorder.flush()
    print(feed.seq[1], flush=True)
"""


@pytest.mark.parametrize("flushes", [1, 7, 23])
def test_after_kill_9_everything_flushed_is_there_once(tmp_path, flushes):
    here = os.path.dirname(__file__)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), here], stdout=subprocess.PIPE, text=True
    )
    flushed = 0
    for _ in range(flushes):
        flushed = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    recorder = Recorder(tmp_path)
    recorder.close()
    seqs = read(tmp_path, "l3").to_table().column("channel_seq").to_pylist()
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) >= flushed
    assert recorder.resume.channels[Channel.L3] >= flushed
    feed = Feed()
    feed.l3(len(seqs))
    for instrument in feed.instruments:
        book = [order[0] for order in feed.book(instrument)]
        assert rebuild_book(tmp_path, instrument)["order_id"].tolist() == book


class FullDisk:
    """A file on a disk with room for `room` bytes more."""

    def __init__(self, path, room):
        self.file = open(path, "ab", buffering=0)  # noqa: SIM115
        self.room = room
        self.closed = False

    def write(self, data):
        data = bytes(data)
        fits = data[: self.room[0]]
        self.file.write(fits)
        self.room[0] -= len(fits)
        if len(fits) < len(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(data)

    def tell(self):
        return self.file.tell()

    def flush(self):
        pass

    def close(self):
        self.closed = True
        self.file.close()

    def writable(self):
        return True

    def readable(self):
        return False

    def seekable(self):
        return False


@pytest.mark.parametrize("room", [10_000, 50_001, 120_000])
def test_a_full_disk_stops_recording_and_spoils_nothing(tmp_path, room):
    left = [room]

    def sink(path):
        open_sink(path).close()
        return pa.PythonFile(FullDisk(path, left), mode="w")

    clock = Clock()
    recorder = Recorder(tmp_path, RecorderSettings(batch_rows=1024, compact=False), clock=clock, sink=sink)
    feed = Feed()
    with pytest.raises(RecordingError) as stopped:
        for _ in range(400):
            recorder.packet(feed.l3_frame(50))
            recorder.flush()
    assert stopped.value.code == "DISK_FULL"
    with pytest.raises(RecordingError):
        recorder.packet(feed.l3_frame(50))
        recorder.flush()
    with pytest.raises(RecordingError) as closed:
        recorder.close()
    assert closed.value.code == "DISK_FULL"
    seqs = read(tmp_path, "l3").to_table().column("channel_seq").to_pylist()
    assert seqs == list(range(1, len(seqs) + 1))
    for file in live_files(tmp_path):
        reader = SegmentReader(file.path)
        list(reader)
        assert not reader.torn
    # with room again it goes on where it stopped
    left[0] = 1 << 30
    again = Recorder(tmp_path, RecorderSettings(batch_rows=1024), clock=clock)
    assert read(tmp_path, "l3").count() == len(seqs)
    again.close()


def test_a_slow_disk_makes_the_receiver_wait_and_is_measured(tmp_path):
    gate = threading.Event()

    class Slow(FullDisk):
        def write(self, data):
            gate.wait(120)
            return super().write(data)

    def sink(path):
        open_sink(path).close()
        return pa.PythonFile(Slow(path, [1 << 40]), mode="w")

    recorder = Recorder(
        tmp_path, RecorderSettings(batch_rows=1024, queue_batches=8), clock=Clock(), sink=sink
    )
    feed = Feed()
    records = [feed.l3_frame(1000) for _ in range(30)]
    sender = threading.Thread(target=lambda: [recorder.packet(frame) for frame in records])
    sender.start()
    while not recorder.counters.stalls:
        sender.join(0.01)
    assert sender.is_alive()
    gate.set()
    sender.join()
    recorder.close()
    assert read(tmp_path, "l3").count() == 30_000
    assert recorder.counters.queue_depth_max <= 8
    assert recorder.counters.stall_ns > 0
