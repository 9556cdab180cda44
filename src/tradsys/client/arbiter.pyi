"""First copy wins, holes are asked for, nothing is delivered out of order."""

from collections.abc import Buffer, Iterable
from typing import Any

LINE_A: int
LINE_B: int
LINE_RECOVERY: int

class Arbiter:
    stream_id: int
    event_seq: int
    malformed: int
    old_stream: int
    restarts: int
    refused: int
    gap_wait_ns: int
    request_timeout_ns: int
    pending_bytes_max: int
    fill_messages_max: int
    fill_tries_max: int
    requests: list[bytes]
    def __init__(
        self,
        channels: Iterable[int] = ...,
        *,
        gap_wait_ns: int = 5_000_000,
        request_timeout_ns: int = 500_000_000,
        fill_tries_max: int = 3,
        fill_messages_max: int = 1_000_000,
        pending_bytes_max: int = ...,
        **_: Any,
    ) -> None: ...
    def on_frame(self, frame: Buffer, line: int, now_ns: int) -> int: ...
    def on_time(self, now_ns: int) -> None: ...
    def on_refused(self, record: Buffer, now_ns: int) -> bool: ...
    def next_seq(self, channel: int) -> int: ...
    def has_hole(self, channel: int) -> bool: ...
    def line_age_ns(self, line: int, now_ns: int) -> int | None: ...
    def statistics(self) -> dict[int, dict[str, int]]: ...
    def check(self) -> None: ...
