"""Packets of one feed channel: build, send, retain, find again."""

import zmq

FRAME_BYTES_MIN: int
FRAME_BYTES_MAX: int

class Lines:
    frames_sent: int
    bytes_sent: int
    send_failures: int
    def __init__(self, socket_a: zmq.Socket | None = None, socket_b: zmq.Socket | None = None) -> None: ...

class Channel:
    channel: int
    stream_id: int
    next_seq: int
    ring_bytes: int
    frame_bytes_max: int
    last_send_ns: int
    packets_sent: int
    def __init__(
        self,
        channel: int,
        stream_id: int,
        lines: Lines,
        frame_bytes_max: int = ...,
        retention_bytes: int = ...,
    ) -> None: ...
    def retained_frames(self) -> list[bytes]: ...
    @property
    def first_retained_seq(self) -> int: ...
    def check(self) -> None: ...
