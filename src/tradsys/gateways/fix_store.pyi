from collections.abc import Callable
from pathlib import Path

class FixStore:
    path: Path
    size: int
    cut_bytes: int
    def __init__(self, path: Path) -> None: ...
    def load(self, take: Callable[..., object]) -> None: ...
    def put(
        self,
        kind: int,
        data: bytes = b"",
        *,
        flags: int = 0,
        report_seq: int = 0,
        seq: int = 0,
        client_ref: int = 0,
        ts_ns: int = 0,
        next_in: int = 0,
        body_offset: int = 0,
    ) -> None: ...
    def write(self, sync: bool = False) -> None: ...
    def request_of(self, client_ref: int) -> bytes | None: ...
    def place_of(self, seq: int) -> int: ...

def read_records(data: bytes) -> list[tuple[int, int, bytes]]: ...
