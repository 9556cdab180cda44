"""CRC-32C and frames, against an independent implementation and against themselves.

A plain bit-by-bit CRC is the judge of checksums; both of ours must agree with it on every length and start.
"""

import numpy as np
import pytest

from tradsys.engine import frames
from tradsys.wire.enums import Template
from tradsys.wire.records import empty


def plain_crc32c(data):
    """Compute CRC-32C as it is defined, a bit at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.fixture(params=[True, False], ids=["instruction", "table"])
def hardware(request):
    used = frames.use_hardware(request.param)
    yield used == request.param or pytest.skip("this processor has no CRC instruction")
    frames.use_hardware(True)


@pytest.mark.usefixtures("hardware")
@pytest.mark.parametrize("size", [*range(33), 63, 64, 65, 80, 88, 1000])
def test_checksum_is_crc32c(size):
    data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8).tobytes()
    assert frames.checksum(data) == plain_crc32c(data)
    assert frames.checksum(data[size // 3 :], frames.checksum(data[: size // 3])) == plain_crc32c(data)


@pytest.mark.usefixtures("hardware")
def test_known_value():
    assert frames.checksum(b"123456789") == 0xE3069283


def mixed_records(count, seed=1):
    """Make records of several sizes, so that runs of one size begin and end."""
    rng = np.random.default_rng(seed)
    templates = [Template.NEW_ORDER, Template.CANCEL_ORDER, Template.OPEN_SESSION, Template.DEFINE_INSTRUMENT]
    parts = []
    for k in range(count):
        record = empty(int(rng.choice(templates)))
        record["seq"] = k + 1
        record["ts_ns"] = 1000 + k // 3
        parts.append(record.tobytes())
    return parts


@pytest.mark.usefixtures("hardware")
def test_frame_layout():
    parts = mixed_records(50)
    framed = frames.frame(b"".join(parts))
    at = 0
    for part in parts:
        word = int.from_bytes(framed[at + 4 : at + 8], "little")
        assert word == len(part)
        assert framed[at + 8 : at + 8 + len(part)] == part
        assert int.from_bytes(framed[at : at + 4], "little") == plain_crc32c(framed[at + 4 : at + 8 + len(part)])
        at += 8 + len(part)
    assert at == len(framed)


def test_frame_refuses_a_record_that_does_not_end():
    with pytest.raises(ValueError, match="must end within"):
        frames.frame(mixed_records(1)[0][:-8])
