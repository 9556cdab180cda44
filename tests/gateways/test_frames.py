"""Goal: a frame is used only when all of it is well formed, and any bytes at all get an answer.
Method: good frames, each thing wrong once, and hypothesis against a checker written plainly from order_entry.md."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradsys.gateways import frames
from tradsys.wire import records
from tradsys.wire.enums import RejectReason, Template

HEAD = struct.Struct("<HHHHIHHII")
COMMANDS = [*range(1, 6), 7, *range(20, 32), 36, 37, *range(40, 56), 57, 60, 61]
SESSION_MESSAGES = [Template.LOGON, Template.LOGOUT, Template.HEARTBEAT, Template.RESEND_REQUEST]
NONE = RejectReason.NONE


def frame(body: bytes, first_seq: int = 1, count: int = 1, size: int | None = None) -> bytes:
    return HEAD.pack(16, 192, 844, 1, first_seq, count, 0, 24 + len(body) if size is None else size, 0) + body


def record(template: int, **fields: int) -> bytes:
    made = records.empty(template)
    for name, value in fields.items():
        made[name] = value
    return made.tobytes()


def expected(data: bytes, messages_max: int) -> tuple[int, int]:
    """RejectReason and index at fault by the text of order_entry.md 2.1-2.4."""
    if len(data) < 32 or len(data) % 8:
        return RejectReason.MALFORMED_FRAME, -1
    block, template, schema, version, first, count, pad, size, pad2 = HEAD.unpack_from(data)
    if (schema, version) != (844, 1):
        return RejectReason.UNSUPPORTED_VERSION, -1
    if (block, template) != (16, 192) or size != len(data) or pad or pad2 or not 1 <= count <= messages_max:
        return RejectReason.MALFORMED_FRAME, -1
    return expected_records(data[24:], first, count)


def expected_records(body: bytes, first: int, count: int) -> tuple[int, int]:
    if struct.unpack_from("<H", body, 2)[0] >= 192:
        reason, size = expected_header(body)
        if reason:
            return reason, 0
        whole = count == 1 and size == len(body) and first == 0
        return (NONE if whole else RejectReason.MALFORMED_FRAME), -1
    if first == 0 or first + count > 2**32 - 1:
        return RejectReason.MALFORMED_FRAME, -1
    for index in range(count):
        if len(body) < 8:
            return RejectReason.MALFORMED_FRAME, index
        reason, size = expected_header(body)
        if reason:
            return reason, index
        if size > len(body) or struct.unpack_from("<H", body, 2)[0] >= 192 or any(body[8:32]):
            return RejectReason.MALFORMED_FRAME, index
        body = body[size:]
    return (RejectReason.MALFORMED_FRAME if body else NONE), -1


def expected_header(body: bytes) -> tuple[int, int]:
    block, template, schema, version = struct.unpack_from("<HHHH", body)
    if (schema, version) != (844, 1):
        return RejectReason.UNSUPPORTED_VERSION, 0
    if template not in COMMANDS and template not in SESSION_MESSAGES:
        return RejectReason.UNKNOWN_TEMPLATE, 0
    if block != records.DTYPES[template].itemsize - 8:
        return RejectReason.BAD_BLOCK_LENGTH, 0
    return NONE, block + 8


@pytest.mark.parametrize("template", COMMANDS)
def test_2_3_every_command_of_a_client_passes(template):
    body = record(template) * 3
    assert frames.check(frame(body, first_seq=7, count=3)) == (NONE, 7, 3, 0, -1)


def test_2_3_commands_mix_in_one_frame():
    body = b"".join(record(template) for template in COMMANDS)
    assert frames.check(frame(body, 1, len(COMMANDS)))[0] == NONE


@pytest.mark.parametrize("template", SESSION_MESSAGES)
def test_2_3_a_session_message_comes_alone_and_without_number(template):
    body = record(template)
    assert frames.check(frame(body, first_seq=0)) == (NONE, 0, 1, template, -1)
    assert frames.check(frame(body, first_seq=1))[0] == RejectReason.MALFORMED_FRAME
    assert frames.check(frame(body + body, first_seq=0, count=2))[0] == RejectReason.MALFORMED_FRAME
    assert frames.check(frame(record(1) + body, count=2))[0] == RejectReason.MALFORMED_FRAME


@pytest.mark.parametrize("template", [6, 10, 11, 64, 128, 192, 194, 201])
def test_2_3_templates_of_the_venue_are_not_a_clients(template):
    assert frames.check(frame(record(template)))[0] == RejectReason.UNKNOWN_TEMPLATE


@pytest.mark.parametrize("field", ["seq", "ts_ns", "session_id", "client_seq"])
def test_2_4_what_the_venue_writes_must_be_zero(field):
    body = record(1) + record(2, **{field: 1})
    assert frames.check(frame(body, count=2)) == (RejectReason.MALFORMED_FRAME, 1, 2, 0, 1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", RejectReason.MALFORMED_FRAME),
        (frame(b""), RejectReason.MALFORMED_FRAME),
        (frame(record(1))[:-1], RejectReason.MALFORMED_FRAME),
        (frame(record(1))[:-8], RejectReason.MALFORMED_FRAME),
        (frame(record(1), size=100), RejectReason.MALFORMED_FRAME),
        (frame(record(1), count=0), RejectReason.MALFORMED_FRAME),
        (frame(record(1), count=2), RejectReason.MALFORMED_FRAME),
        (frame(record(1) * 2, count=1), RejectReason.MALFORMED_FRAME),
        (frame(record(1) * 5, count=5), RejectReason.MALFORMED_FRAME),
        (frame(record(1), first_seq=0), RejectReason.MALFORMED_FRAME),
        (frame(record(1), first_seq=2**32 - 1), RejectReason.MALFORMED_FRAME),
        (frame(record(1, version=2)), RejectReason.UNSUPPORTED_VERSION),
        (frame(record(1, schema_id=1)), RejectReason.UNSUPPORTED_VERSION),
        (frame(record(1, template_id=19)), RejectReason.UNKNOWN_TEMPLATE),
        (frame(record(1, block_length=64)), RejectReason.BAD_BLOCK_LENGTH),
        (HEAD.pack(16, 192, 844, 2, 1, 1, 0, 104, 0) + record(1), RejectReason.UNSUPPORTED_VERSION),
        (HEAD.pack(16, 192, 844, 1, 1, 1, 1, 104, 0) + record(1), RejectReason.MALFORMED_FRAME),
        (HEAD.pack(16, 192, 844, 1, 1, 1, 0, 104, 1) + record(1), RejectReason.MALFORMED_FRAME),
    ],
)
def test_2_1_each_thing_wrong_has_its_code(data, reason):
    assert frames.check(data, 4)[0] == reason
    assert len(frames.refusal_sentence(reason)) > 10


good = st.sampled_from([*COMMANDS, *SESSION_MESSAGES, 6, 19, 200]).map(
    lambda t: record(t) if t != 19 else b"\x08\x00\x13"
)


@st.composite
def nearly_good(draw):
    """A frame of records with some bytes changed, cut off or added."""
    body = b"".join(draw(st.lists(good, min_size=1, max_size=5)))
    data = bytearray(frame(body, draw(st.sampled_from([0, 1, 2**32 - 2])), draw(st.integers(0, 6))))
    for _ in range(draw(st.integers(0, 2))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@settings(max_examples=500, deadline=None)
@given(st.one_of(nearly_good(), st.binary(max_size=400)), st.integers(1, 5))
def test_2_1_any_bytes_are_judged_as_the_text_says(data, messages_max):
    reason, _, count, template, bad = frames.check(data, messages_max)
    assert (reason, bad if reason else -1) == expected(data, messages_max)
    if reason == NONE:
        assert 1 <= count <= messages_max
        assert (template == 0) == (struct.unpack_from("<H", data, 26)[0] in COMMANDS)


def test_a_frame_may_lie_at_any_address():
    data = frame(record(1) * 2, count=2)
    for shift in range(8):
        shifted = np.frombuffer(bytes(shift) + data, np.uint8)[shift:]
        assert frames.check(shifted)[0] == NONE
