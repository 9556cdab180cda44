"""Frames of the feed: 8 bytes of topic, a Packet record, messages (protocols/market_data.md, 1)."""

from collections.abc import Buffer

FAULTS: dict[int, str]

def frame_fault(frame: Buffer) -> str | None: ...
def make_frame(
    channel: int,
    stream_id: int,
    first_seq: int,
    message_count: int,
    messages: Buffer,
    send_ts_ns: int = 0,
    event_seq: int = 0,
) -> bytes: ...
