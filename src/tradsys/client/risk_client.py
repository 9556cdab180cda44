"""A subscriber of the risk stream (protocols/risk_stream.md): what is known is whole, or says that it is not."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

import msgspec
import zmq

from tradsys.client.order_client import CurveIdentity
from tradsys.risk.stream import STATUS, Subscription

SILENT_SECONDS = 3.0  # the stream tells its status every second
REQUEST_SECONDS = 1.0  # after which a snapshot is asked for again
TURN_FRAMES = 1_024


class RiskClient:
    """Follow the risk stream of a venue.

    Parameters
    ----------
    stream, snapshots : str
        ZeroMQ addresses of the stream and of the door for snapshots.
    prefix : str
        Topics followed; empty: all.
    curve : CurveIdentity, optional
        When the stream is encrypted.
    context : zmq.Context, optional

    Notes
    -----
    One thread. Nothing happens but in `poll`: a client that does not poll falls behind, sees a gap and heals.
    """

    def __init__(
        self,
        stream: str,
        snapshots: str,
        *,
        prefix: str = "",
        curve: CurveIdentity | None = None,
        context: zmq.Context | None = None,
    ) -> None:
        self.subscription = Subscription(prefix)
        self._context = context or zmq.Context.instance()
        self._stream = self._open(zmq.SUB, stream, curve)
        for topic in {prefix, STATUS if prefix else ""}:
            self._stream.subscribe(topic)
        self._door = self._open(zmq.DEALER, snapshots, curve)
        self._poller = zmq.Poller()
        self._poller.register(self._stream, zmq.POLLIN)
        self._poller.register(self._door, zmq.POLLIN)
        self._heard_s = time.monotonic()
        self._asked_s = float("-inf")

    @property
    def bodies(self) -> dict[str, dict[str, Any]]:
        """The newest body of each topic."""
        return self.subscription.bodies

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing and the stream is heard."""
        return self.subscription.is_whole and not self.is_silent

    @property
    def is_silent(self) -> bool:
        """Whether nothing has come for three seconds: what is known is old."""
        return time.monotonic() - self._heard_s > SILENT_SECONDS

    def poll(self, timeout_ms: int = 0) -> list[dict[str, Any]]:
        """Take what has come, waiting for the first; bodies that are new, in the order of ``seq`` but for snapshots.

        Raises
        ------
        InputError
            What came is no risk stream.
        """
        self._ask()
        self._poller.poll(timeout_ms)
        fresh: list[dict[str, Any]] = []
        for socket in (self._door, self._stream):
            for _ in range(TURN_FRAMES):
                try:
                    parts = socket.recv_multipart(zmq.DONTWAIT)
                except zmq.Again:
                    break
                self._heard_s = time.monotonic()
                if socket is self._door:
                    fresh += self.subscription.take_snapshot(parts[-1])
                elif (body := self.subscription.take(parts[0], parts[-1])) is not None:
                    fresh.append(body)
        self._ask()
        return fresh

    def wait_whole(self, timeout_s: float = 10.0) -> bool:
        """Poll until nothing is missing; whether it came to that in time."""
        end_s = time.monotonic() + timeout_s
        while not self.is_whole:
            if time.monotonic() >= end_s:
                return False
            self.poll(20)
        return True

    def close(self) -> None:
        """Close the sockets."""
        self._stream.close(0)
        self._door.close(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self) -> None:
        """Ask for a snapshot when one is needed, and again when it does not come."""
        now_s = time.monotonic()
        if self.subscription.is_whole or now_s - self._asked_s < REQUEST_SECONDS:
            return
        try:
            self._door.send(msgspec.json.encode({"topic": self.subscription.prefix}), zmq.DONTWAIT)
            self._asked_s = now_s
        except zmq.Again:
            pass

    def _open(self, kind: int, address: str, curve: CurveIdentity | None) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        if curve is not None and not address.startswith("ipc://"):
            socket.setsockopt(zmq.CURVE_SERVERKEY, curve.server_key)
            socket.setsockopt(zmq.CURVE_PUBLICKEY, curve.public_key)
            socket.setsockopt(zmq.CURVE_SECRETKEY, curve.secret_key)
        socket.connect(address)
        return socket
