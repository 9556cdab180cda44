"""AsyncOrderClient: the order client for asyncio.

Example
-------
>>> async with AsyncOrderClient("tcp://127.0.0.1:5555", "alice", b"secret...") as client:
...     await client.new_order(instrument_id=1, side=Side.BUY, price_ticks=10_000, qty_lots=5)
...     async for report in client.reports():
...         print(report.report_type.name)
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import numpy as np
import zmq
import zmq.asyncio

from tradsys.client.order_client import RECONNECT_PAUSE_S, SEND_QUEUE_FRAMES, CurveIdentity
from tradsys.client.order_session import (
    SILENT_INTERVALS,
    LoggedOutError,
    OrderSession,
    Report,
    State,
    frames_of,
)
from tradsys.errors import SessionError
from tradsys.wire import commands
from tradsys.wire.enums import CloseReason


class AsyncOrderClient:
    """A session at the order door, kept alive by a task of the running event loop.

    Commands are numbered and kept until they are answered; a lost connection is made anew, what was not answered is
    sent again (nothing is executed twice) and missed reports are resent. When the session is lost for good, the
    next call raises what happened.

    Parameters
    ----------
    address : str
        Of the order door, e.g. ``tcp://127.0.0.1:5555``.
    api_key : str
    secret : bytes
    curve : CurveIdentity, optional
        When the venue encrypts.
    batches_max : int
        Arrays of reports kept until they are received; when they are as many, no more are read off the socket.
    reconnect_s : float
        How long to try to get a lost connection back; 0: give up at once.
    **options
        Of `OrderSession`: heartbeat_ms, cancel_on_disconnect, reset_client_seq, last_report_seq, unacknowledged_max.
    """

    def __init__(
        self,
        address: str,
        api_key: str,
        secret: bytes,
        *,
        curve: CurveIdentity | None = None,
        batches_max: int = 1_024,
        reconnect_s: float = 10.0,
        **options: Any,
    ) -> None:
        self.address = address
        self.session = OrderSession(api_key, secret, **options)
        self._context = zmq.asyncio.Context()
        self._curve = curve
        self._reconnect_s = reconnect_s
        self._batches: asyncio.Queue[np.ndarray | None] = asyncio.Queue(batches_max)
        self._socket: zmq.asyncio.Socket | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._error: SessionError | None = None
        self._progress = asyncio.Event()
        self._sending = asyncio.Lock()
        self._client_ref = time.time_ns()

    # ------------------------------------------------------------------ session

    async def connect(self, timeout_s: float = 10.0) -> Self:
        """Log on and begin to keep the session alive; raises LogonRefusedError or SessionError."""
        self._error = None
        try:
            await self._log_on(timeout_s)
        except BaseException:
            self._drop_socket()
            self._context.term()
            raise
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def close(self, timeout_s: float = 2.0) -> None:
        """Log out, wait for the venue's goodbye as long as there is time, and close the socket."""
        if self._keeper is not None and self._socket is not None and self.session.state is State.ONLINE:
            await self._socket.send(self.session.logout())
            await asyncio.wait([self._keeper], timeout=timeout_s)
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        self._drop_socket()
        self._context.term()

    async def __aenter__(self) -> Self:
        """Log on."""
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log out."""
        await self.close(timeout_s=2.0 if error is None else 0.0)

    # ------------------------------------------------------------------ commands

    async def send(self, batch: np.ndarray, *, per_frame: int | None = None) -> int:
        """Send many commands; arguments and result as of `OrderClient.send`. Waits while too many are unanswered."""
        sent = 0
        async with self._sending:
            while sent < len(batch):
                self._raise_if_lost()
                part = batch[sent : sent + max(0, self.session.room)]
                if not len(part) or self.session.state is not State.ONLINE:
                    self._progress.clear()
                    await self._progress.wait()
                    continue
                chunk = self.session.number(part, per_frame)
                sent += len(part)
                socket = self._socket
                for frame in frames_of(chunk):
                    # a new connection has been sent everything unanswered already, this chunk included
                    if socket is not self._socket or socket is None:
                        break
                    await socket.send(frame)
        return self.session.next_client_seq - 1

    async def send_one(self, command: np.ndarray) -> int:
        """Send one command made by `tradsys.wire.commands`, an operator's included; returns its client_seq."""
        return await self.send(command, per_frame=1)

    async def new_order(self, *, client_ref: int | None = None, **fields: Any) -> int:
        """Enter an order; fields as of `tradsys.wire.commands.new_order`. Returns its client_ref."""
        ref = self._next_ref() if client_ref is None else client_ref
        await self.send_one(commands.new_order(client_ref=ref, **fields))
        return ref

    async def cancel_order(self, *, client_ref: int | None = None, **fields: Any) -> int:
        """Cancel an order, named by `orig_client_ref` or `order_id`. Returns the request's client_ref."""
        ref = self._next_ref() if client_ref is None else client_ref
        await self.send_one(commands.cancel_order(client_ref=ref, **fields))
        return ref

    async def reduce_order(self, *, client_ref: int | None = None, **fields: Any) -> int:
        """Take `qty_lots` off an order. Returns the request's client_ref."""
        ref = self._next_ref() if client_ref is None else client_ref
        await self.send_one(commands.reduce_order(client_ref=ref, **fields))
        return ref

    async def replace_order(self, *, client_ref: int | None = None, **fields: Any) -> int:
        """Give an order a new reference, price and total quantity. Returns the new client_ref."""
        ref = self._next_ref() if client_ref is None else client_ref
        await self.send_one(commands.replace_order(client_ref=ref, **fields))
        return ref

    async def mass_cancel(self, *, client_ref: int | None = None, **fields: Any) -> int:
        """Cancel every order that fits. Returns the request's client_ref."""
        ref = self._next_ref() if client_ref is None else client_ref
        await self.send_one(commands.mass_cancel(client_ref=ref, **fields))
        return ref

    # ------------------------------------------------------------------ reports

    async def receive(self) -> np.ndarray:
        """Wait for reports: an array of EXECUTION_REPORT, read-only, in the order of report_seq, none missing.

        Raises
        ------
        LoggedOutError, SessionError
            The session is lost and every report that came has been taken.
        """
        batch = await self._batches.get()
        if batch is None:
            self._batches.put_nowait(None)
            self._raise_if_lost()
            raise SessionError("not connected")
        return batch

    async def reports(self) -> AsyncIterator[Report]:
        """Walk over the reports as they come, until the session ends."""
        while True:
            try:
                batch = await self.receive()
            except SessionError:
                if self._error is None or isinstance(self._error, LoggedOutError):
                    return
                raise
            for record in batch:
                yield Report.of(record)

    # ------------------------------------------------------------------ helpers

    def _next_ref(self) -> int:
        self._client_ref += 1
        return self._client_ref

    def _raise_if_lost(self) -> None:
        if self._error is not None:
            raise self._error

    async def _keep(self) -> None:
        """Read, answer, send heartbeats and get a lost connection back, until the session ends."""
        try:
            while True:
                try:
                    await self._serve()
                except LoggedOutError as goodbye:
                    if goodbye.reason is not CloseReason.VENUE_RESTART or not self._reconnect_s:
                        raise
                await self._reconnect()
        except SessionError as error:
            self._error = error
        finally:
            self._progress.set()
            # receive() learns of the end behind the last reports
            if self._batches.full():
                self._batches = _grown(self._batches)
            self._batches.put_nowait(None)

    async def _serve(self) -> None:
        """Serve one connection until it is silent or no longer logged on."""
        session, socket = self.session, self._socket
        assert socket is not None
        beat_s = session.heartbeat_ms / 2_000
        heard_s = sent_s = time.monotonic()
        while session.state is State.ONLINE:
            if await socket.poll(int(beat_s * 1_000)):
                heard_s = time.monotonic()
                await self._take(await socket.recv())
            now_s = time.monotonic()
            if now_s - sent_s >= beat_s:
                await socket.send(session.heartbeat(time.time_ns()))
                sent_s = now_s
            if now_s - heard_s > SILENT_INTERVALS * session.heartbeat_ms / 1_000:
                return

    async def _take(self, frame: bytes) -> None:
        assert self._socket is not None
        reports = self.session.receive(frame)
        self._progress.set()
        while self.session.replies:
            await self._socket.send(self.session.replies.popleft())
        if len(reports):
            await self._batches.put(reports)

    async def _log_on(self, timeout_s: float) -> None:
        """Log on on a new socket and send what is not answered."""
        self._open_socket()
        assert self._socket is not None
        session = self.session
        await self._socket.send(session.logon(time.time_ns(), secrets.randbits(64)))
        deadline = time.monotonic() + timeout_s
        while session.state is not State.ONLINE:
            left_ms = int((deadline - time.monotonic()) * 1_000)
            if left_ms <= 0 or not await self._socket.poll(left_ms):
                raise SessionError(f"no answer to the logon from {self.address} in time")
            await self._take(await self._socket.recv())
        for chunk in list(session.unacknowledged):
            for frame in frames_of(chunk, session.acknowledged_seq):
                await self._socket.send(frame)

    async def _reconnect(self) -> None:
        """Log on again, as often as there is time; a refusal is final."""
        deadline = time.monotonic() + self._reconnect_s
        while True:
            try:
                await self._log_on(min(2.0, max(deadline - time.monotonic(), 0.1)))
                self._progress.set()
                return
            except LoggedOutError:
                pass  # the venue is closing, or another logon of ours was under way: try again
            except SessionError as error:
                if type(error) is not SessionError:
                    raise
            if time.monotonic() >= deadline:
                raise SessionError(f"the connection to {self.address} is lost")
            await asyncio.sleep(RECONNECT_PAUSE_S)

    def _open_socket(self) -> None:
        self._drop_socket()
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, SEND_QUEUE_FRAMES)
        if self._curve is not None:
            socket.setsockopt(zmq.CURVE_SERVERKEY, self._curve.server_key)
            socket.setsockopt(zmq.CURVE_PUBLICKEY, self._curve.public_key)
            socket.setsockopt(zmq.CURVE_SECRETKEY, self._curve.secret_key)
        socket.connect(self.address)
        self._socket = socket

    def _drop_socket(self) -> None:
        if self._socket is not None:
            self._socket.close(linger=0)
        self._socket = None


def _grown(queue: "asyncio.Queue[np.ndarray | None]") -> "asyncio.Queue[np.ndarray | None]":
    """The same arrays in a queue with room for one more."""
    larger: asyncio.Queue[np.ndarray | None] = asyncio.Queue(queue.maxsize + 1)
    while not queue.empty():
        larger.put_nowait(queue.get_nowait())
    return larger
