"""Frames of the feed: what is made is good, and whatever is changed in them is noticed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradsys.wire.enums import Channel, Template
from tradsys.wire.packet import frame_fault, make_frame
from tradsys.wire.records import PACKET, empty

MESSAGES = {
    Channel.L3: (
        Template.MD_ORDER_ADD,
        Template.MD_ORDER_REDUCE,
        Template.MD_ORDER_DELETE,
        Template.MD_ORDER_EXECUTE,
    ),
    Channel.L2: (Template.MD_LEVEL,),
    Channel.L1: (Template.MD_TOP,),
    Channel.TRADES: (Template.MD_TRADE, Template.MD_STATISTICS),
    Channel.STATUS: (Template.MD_INSTRUMENT, Template.MD_STATUS),
    Channel.SNAPSHOT: (
        Template.SNAPSHOT_BEGIN,
        Template.MD_ORDER_ADD,
        Template.MD_INSTRUMENT,
        Template.SNAPSHOT_END,
    ),
}


def frame_of(channel: Channel, templates=None) -> bytes:
    templates = MESSAGES[channel] if templates is None else templates
    messages = b"".join(empty(template).tobytes() for template in templates)
    return make_frame(channel, 77, 5, len(templates), messages, 123, 456)


@pytest.mark.parametrize("channel", list(Channel))
def test_a_frame_says_what_it_was_made_of(channel):
    """Goal: topic, head and size of a made frame are as documented. Method: read them back with NumPy."""
    frame = frame_of(channel)
    assert frame_fault(frame) is None
    assert frame[:8] == int(channel).to_bytes(8, "little")
    head = np.frombuffer(frame, dtype=PACKET, count=1, offset=8)[0]
    assert head["channel"] == channel
    assert head["message_count"] == len(MESSAGES[channel])
    assert head["packet_bytes"] == len(frame) - 8
    assert (head["stream_id"], head["first_seq"], head["send_ts_ns"], head["event_seq"]) == (77, 5, 123, 456)


@pytest.mark.parametrize("channel", list(Channel))
def test_messages_of_another_channel_are_a_fault(channel):
    """Goal: a channel takes its own messages only. Method: every template of the others, one by one."""
    for template in set().union(*map(set, MESSAGES.values())) - set(MESSAGES[channel]):
        with pytest.raises(ValueError, match="not a frame"):
            frame_of(channel, [template])


@pytest.mark.parametrize(
    ("at", "fault"),
    [(0, "topic"), (2, "topic"), (8, "no Packet"), (10, "no Packet"), (12, "no Packet"), (14, "no Packet"),
     (16, "topic"), (18, "do not fill"), (20, "packet_bytes"), (56, "message header"), (58, "message header"),
     (60, "message header"), (62, "message header")],
)  # fmt: skip
def test_a_changed_byte_of_the_head_is_noticed(at, fault):
    """Goal: every field of topic and headers is checked. Method: change one byte, read the fault."""
    frame = bytearray(frame_of(Channel.L3))
    frame[at] ^= 0x40
    assert fault in frame_fault(frame)


@given(channel=st.sampled_from(list(Channel)), cut=st.integers(1, 400))
def test_a_shortened_or_lengthened_frame_is_noticed(channel, cut):
    """Goal: no read past the end. Method: cut from the end, and add to it."""
    frame = frame_of(channel)
    assert frame_fault(frame[:-cut]) is not None
    assert frame_fault(frame + bytes(cut)) is not None


@given(st.binary(max_size=300))
def test_random_bytes_are_no_frame(data):
    """Goal: garbage is a fault, never a crash. Method: random bytes, and random bytes behind a good head."""
    assert frame_fault(data) is not None
    frame = frame_of(Channel.TRADES)
    if data:
        assert frame_fault(frame[:56] + data) is not None or frame[:56] + data == frame


def test_first_seq_and_stream_must_be_possible():
    """Goal: number 0, stream 0 and absurd numbers are refused. Method: make such frames."""
    for stream_id, first_seq in ((0, 1), (1, 0), (1, 2**62)):
        with pytest.raises(ValueError, match="cannot be"):
            make_frame(1, stream_id, first_seq, 0, b"")
