"""The sockets of the risk stream (protocols/risk_stream.md): frames out, requests for snapshots in, both bounded."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import zmq

from tradsys.config import Config
from tradsys.errors import ConfigError, InUseError, listen_error
from tradsys.gateways.door import admit_curve_clients
from tradsys.risk.stream import REQUEST_BYTES_MAX, Publication

FOLDER: Final = "risk"  # in the venue's data directory
FRAMES_KEPT: Final = 10_000  # for a slow subscriber
TURN_FRAMES: Final = 1_024  # sent in a turn
REQUESTS_KEPT: Final = 256
TURN_REQUESTS: Final = 16


def stream_addresses(settings: Config, stream: str | None, snapshots: str | None) -> tuple[str, str]:
    """Where the stream is: what was given, else in the venue's data directory."""
    folder = Path(settings.venue.data_dir).absolute() / FOLDER
    return stream or f"ipc://{folder / 'stream'}", snapshots or f"ipc://{folder / 'snapshots'}"


class RiskPublisher:
    """Binds and serves the stream.

    Parameters
    ----------
    settings : Config
        Its data directory holds the sockets; its curve guards those of TCP.
    stream, snapshots : str
        ZeroMQ addresses.

    Raises
    ------
    ConfigError
        A TCP address without CURVE, or one that is none of this machine.
    InUseError
        Another process is the risk stream of this data directory, or has the address.
    """

    def __init__(self, settings: Config, stream: str, snapshots: str) -> None:
        self.publication = Publication(secrets.token_hex(8))
        self._stack = ExitStack()
        try:
            self._lock(Path(settings.venue.data_dir) / FOLDER)
            self._context = zmq.Context()
            self._stack.callback(self._context.term)
            curve = settings.venue.curve
            if curve.enabled and curve.client_keys:
                admitted = [key.encode("ascii") for key in curve.client_keys]
                self._stack.callback(admit_curve_clients(self._context, admitted).stop)
            self._pub = self._bind(settings, zmq.PUB, stream)
            self.snapshots = self._bind(settings, zmq.ROUTER, snapshots)
        except BaseException:
            self._stack.close()
            raise
        self._waiting: deque[list[bytes]] = deque()  # requests, with who asks before them
        self.addresses = _endpoint(self._pub), _endpoint(self.snapshots)

    def send(self, topic: str, fields: dict[str, Any], ts_us: int) -> None:
        """Publish the next frame; a subscriber that does not take it sees a gap."""
        self._pub.send_multipart(self.publication.frame(topic, fields, ts_us), zmq.DONTWAIT)

    def serve(self, ts_us: int) -> None:
        """Answer a turn's requests; what is in the air beyond the bound is dropped, and asked for again."""
        while len(self._waiting) < REQUESTS_KEPT:
            try:
                self._waiting.append(self.snapshots.recv_multipart(zmq.DONTWAIT))
            except zmq.Again:
                break
        for _ in range(min(TURN_REQUESTS, len(self._waiting))):
            *peer, request = self._waiting.popleft()  # a REQ puts an empty part behind its name
            try:
                self.snapshots.send_multipart([*peer, self.publication.answer(request, ts_us)], zmq.DONTWAIT)
            except zmq.ZMQError:  # it does not read, or has gone
                continue

    def close(self) -> None:
        """Close the sockets."""
        self._stack.close()

    def _lock(self, folder: Path) -> None:
        """Make the folder its owner's alone and hold it."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            lock = open(folder / "lock", "wb")  # noqa: SIM115 - held until close
        except OSError as error:
            raise ConfigError(f"{folder} must be a folder of ours: {error.strerror}") from None
        self._stack.callback(lock.close)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUseError(f"another process is the risk stream in {folder}") from None

    def _bind(self, settings: Config, kind: int, address: str) -> zmq.Socket[bytes]:
        curve = settings.venue.curve
        if not address.startswith("ipc://") and not curve.enabled:
            raise ConfigError(
                f"{address}: positions go over TCP encrypted only: enable venue.curve, or stay in the data directory"
            )
        socket = self._context.socket(kind)
        self._stack.callback(socket.close)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, FRAMES_KEPT if kind == zmq.PUB else REQUESTS_KEPT)
        if kind == zmq.ROUTER:
            socket.setsockopt(zmq.RCVHWM, REQUESTS_KEPT)
            socket.setsockopt(zmq.MAXMSGSIZE, 2 * REQUEST_BYTES_MAX)
            socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        if curve.enabled and not address.startswith("ipc://"):
            socket.setsockopt(zmq.CURVE_SERVER, 1)
            socket.setsockopt(zmq.CURVE_PUBLICKEY, curve.public_key.encode("ascii"))
            socket.setsockopt(zmq.CURVE_SECRETKEY, curve.secret_key.encode("ascii"))
        before = os.umask(0o077)
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            raise listen_error(address, error.errno, error.strerror) from None
        finally:
            os.umask(before)
        return socket


def _endpoint(socket: zmq.Socket[bytes]) -> str:
    """Where a socket listens."""
    found = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(found, bytes)
    return found.decode().rstrip("\0")
