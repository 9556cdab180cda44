"""The segment reader against damage: what it gives out is always a prefix of what was written, and it says so.

Segments are made by hand, then truncated, flipped and punched at every place.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_files import head, marked, records, segment

from tradsys.engine.frames import frame, use_hardware
from tradsys.engine.segment_reader import SegmentReader, first_difference
from tradsys.errors import CorruptionError, JournalError

PARTS = records(60)
ALL = b"".join(PARTS)
WHOLE = segment(PARTS, size=12_288)
DATA_END = 64 + len(frame(ALL))
LAST_FRAME = DATA_END - len(PARTS[-1]) - 8


def walk(path):
    """Read all of a segment's good part; the bytes, the verdict and the reader."""
    reader = SegmentReader(path)
    room = np.empty(1 << 16, np.uint8)
    out = b""
    while size := reader.read(room):
        out += room[:size].tobytes()
    return out, reader.verdict()[0], reader


def framed_size(out):
    """Size of the frames of records lying back to back."""
    return len(frame(out))


@pytest.fixture(params=[True, False], ids=["instruction", "table"])
def _either_crc(request):
    use_hardware(request.param)
    yield
    use_hardware(True)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("segment") / "segment"


@pytest.mark.usefixtures("_either_crc")
def test_reads_what_was_written(path):
    path.write_bytes(WHOLE)
    out, verdict, reader = walk(path)
    assert out == ALL
    assert verdict == "end"
    assert reader.next_seq == 61
    assert reader.at == DATA_END
    assert reader.has_frames()


def test_reads_in_small_pieces(path):
    path.write_bytes(WHOLE)
    reader = SegmentReader(path)
    room = np.empty(500, np.uint8)
    out = b""
    while size := reader.read(room):
        out += room[:size].tobytes()
    assert out == ALL


def test_empty_segment_and_hole(path):
    with open(path, "wb") as file:
        file.write(head())
        file.truncate(1 << 24)
    out, verdict, reader = walk(path)
    assert (out, verdict, reader.has_frames()) == (b"", "end", False)
    assert reader.data_size < 1 << 24, "the hole is not read"


@given(cut=st.integers(0, DATA_END))
@settings(max_examples=150, deadline=None)
def test_truncated_anywhere(path, cut):
    path.write_bytes(WHOLE[:cut])
    if cut < 64:
        with pytest.raises(CorruptionError):
            SegmentReader(path)
        return
    out, verdict, _ = walk(path)
    assert ALL.startswith(out)
    assert verdict in ("end", "torn")
    if verdict == "end":
        assert not WHOLE[64 + framed_size(out) : cut].strip(b"\0"), "nothing was dropped without a word"


@given(at=st.integers(0, DATA_END - 1), bit=st.integers(0, 7))
@settings(max_examples=400, deadline=None)
def test_one_bit_flipped_anywhere(path, at, bit):
    data = bytearray(WHOLE)
    data[at] ^= 1 << bit
    path.write_bytes(data)
    if at < 64:
        with pytest.raises(CorruptionError):
            SegmentReader(path)
        return
    out, verdict, reader = walk(path)
    assert ALL.startswith(out)
    assert len(out) < len(ALL), "the damaged record is not given out"
    assert reader.at <= at
    assert verdict == ("torn" if at >= LAST_FRAME else "damaged")


@given(begin=st.integers(64, DATA_END), garbage=st.binary(min_size=1, max_size=400))
@settings(max_examples=150, deadline=None)
def test_garbage_anywhere(path, begin, garbage):
    data = bytearray(WHOLE)
    data[begin : begin + len(garbage)] = garbage
    path.write_bytes(data)
    out, verdict, _ = walk(path)
    assert ALL.startswith(out)
    if verdict == "end":
        assert not bytes(data[64 + framed_size(out) :]).strip(b"\0"), "nothing was dropped without a word"


def test_sector_missing_in_the_last_write_is_torn(path):
    parts = records(80)
    data = bytearray(head() + marked(frame(b"".join(parts[:20]))) + marked(frame(b"".join(parts[20:]))))
    data[4096:4608] = bytes(512)
    path.write_bytes(data + bytes(4096))
    out, verdict, _ = walk(path)
    assert verdict == "torn"
    assert out.startswith(b"".join(parts[:20]))


def test_sector_missing_before_a_later_write_is_damage(path):
    parts = records(80)
    data = bytearray(head() + marked(frame(b"".join(parts[:70]))) + marked(frame(b"".join(parts[70:]))))
    data[1024:1536] = bytes(512)
    path.write_bytes(data + bytes(4096))
    assert walk(path)[1] == "damaged"


def test_bit_flip_inside_the_last_write_is_damage(path):
    data = bytearray(head() + marked(frame(b"".join(records(40)))))
    data[1000] ^= 4
    path.write_bytes(data + bytes(4096))
    assert walk(path)[1] == "damaged"


@pytest.mark.parametrize("seqs", [[1, 2, 4], [1, 2, 2], [2, 3], [1, 2, 1]])
def test_seq_that_does_not_follow_is_damage(path, seqs):
    path.write_bytes(head() + b"".join(frame(records(1, first_seq=seq)[0]) for seq in seqs) + bytes(4096))
    _, verdict, reader = walk(path)
    assert verdict == "damaged"
    assert reader.next_seq - 1 < len(seqs)


def test_time_that_falls_is_damage(path):
    one, two = (bytearray(part) for part in records(2))
    two[16:24] = bytes(8)
    path.write_bytes(head() + frame(one + two) + bytes(4096))
    out, verdict, _ = walk(path)
    assert (out, verdict) == (bytes(one), "damaged")


def test_other_files_are_refused_by_name(path):
    path.write_bytes(head(magic=b"TSEVNT01"))
    with pytest.raises(CorruptionError, match="must begin with"):
        SegmentReader(path)
    path.write_bytes(head(version=2))
    with pytest.raises(JournalError, match="was format 2"):
        SegmentReader(path)


@given(a=st.binary(max_size=64), b=st.binary(max_size=64))
@settings(deadline=None)
def test_first_difference(a, b):
    at = first_difference(a, b)
    if a == b:
        assert at == -1
    else:
        assert a[:at] == b[:at]
        assert a[at : at + 1] != b[at : at + 1]
