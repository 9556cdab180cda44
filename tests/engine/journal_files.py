"""Making journal segments by hand, for tests of the reader."""

import struct

import numpy as np

from tradsys.engine.frames import checksum, frame
from tradsys.wire.enums import Template
from tradsys.wire.records import SCHEMA_ID, SCHEMA_VERSION, empty

VENUE_ID = 77
WRITE_START = 0x80000000


def head(first_seq=1, first_event_seq=1, venue_id=VENUE_ID, magic=b"TSJRNL01", version=1):
    ids = (magic, version, SCHEMA_ID, SCHEMA_VERSION, first_seq, first_event_seq, venue_id, bytes(20))
    body = struct.pack("<8sIHHQQQ20s", *ids)
    return body + struct.pack("<I", checksum(body))


def records(count, first_seq=1, seed=1):
    """Make sequenced commands of several sizes; a list of bytes."""
    rng = np.random.default_rng(seed)
    templates = [Template.NEW_ORDER] * 6 + [Template.CANCEL_ORDER, Template.OPEN_SESSION, Template.DEFINE_INSTRUMENT]
    out = []
    for k in range(count):
        record = empty(int(rng.choice(templates)))
        record["seq"] = first_seq + k
        record["ts_ns"] = 1000 + k // 3
        record["session_id"] = rng.integers(1, 100)
        out.append(record.tobytes())
    return out


def marked(framed):
    """Set WRITE_START on the first frame."""
    size = int.from_bytes(framed[4:8], "little")
    word = struct.pack("<I", size | WRITE_START)
    return struct.pack("<I", checksum(word + framed[8 : 8 + size])) + word + framed[8:]


def segment(parts, write_every=8, size=1 << 16, first_seq=1):
    """Make a segment of records, a write beginning every so many."""
    data = head(first_seq)
    for begin in range(0, len(parts), write_every):
        data += marked(frame(b"".join(parts[begin : begin + write_every])))
    return data + bytes(max(0, size - len(data)))
