import socket as sockets
import ssl
from typing import Any

class FixConnection:
    socket: sockets.socket
    address: str
    slot: int
    peer: Any
    since_ns: int
    close_at_ns: int
    is_lost: bool
    bytes_in: int
    bytes_out: int
    is_secured: bool
    def __init__(
        self,
        socket: sockets.socket,
        address: str,
        out_bytes_max: int,
        now_ns: int,
        context: ssl.SSLContext | None = None,
    ) -> None: ...
    def close(self) -> None: ...
