"""OrderClient: send orders to a venue and read what became of them, from one thread.

Example
-------
>>> with OrderClient("tcp://127.0.0.1:5555", "alice", b"secret...") as client:
...     client.new_order(instrument_id=1, side=Side.BUY, price_ticks=10_000, qty_lots=5)
...     for report in client.reports(timeout_s=1.0):
...         print(report.report_type.name, report.leaves_lots)
"""

import secrets
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import zmq

from tradsys.client.order_pump import OrderPump
from tradsys.client.order_session import SILENT_INTERVALS, Chunk, LoggedOutError, OrderSession, Report, State
from tradsys.errors import SessionError
from tradsys.wire import commands, records
from tradsys.wire.enums import CloseReason

MS = 1_000_000
SEND_QUEUE_FRAMES = 1_000
RECONNECT_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class CurveIdentity:
    """CURVE keys of a client: the server's public key and its own pair, Z85 text of 40 characters each."""

    server_key: bytes
    public_key: bytes
    secret_key: bytes

    def __repr__(self) -> str:
        """Everything but the secret."""
        return (
            f"CurveIdentity(server_key={self.server_key!r}, public_key={self.public_key!r}, secret_key=***)"
        )


class OrderClient:
    """A session at the order door.

    Commands are numbered and kept until they are answered; after a lost connection the client logs on again, sends
    what was not answered (nothing is executed twice) and is resent the reports it missed. Nothing happens between
    calls: call `receive`, `send` or `poll` at least once a heartbeat interval, or the venue closes the session.
    One thread at a time.

    Parameters
    ----------
    address : str
        Of the order door, e.g. ``tcp://127.0.0.1:5555``.
    api_key : str
    secret : bytes
    curve : CurveIdentity, optional
        When the venue encrypts.
    context : zmq.Context, optional
        The process's own when not given.
    reports_max : int
        Reports kept until they are received; when they are as many, no more are read off the socket.
    reconnect_s : float
        How long to try to get a lost connection back; 0: raise at once.
    spin : bool
        Poll without sleeping while waiting: lower latency for a whole processor.
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
        context: zmq.Context | None = None,
        reports_max: int = 1 << 16,
        reconnect_s: float = 10.0,
        spin: bool = False,
        **options: Any,
    ) -> None:
        self.address = address
        self.session = OrderSession(api_key, secret, **options)
        self._context = context or zmq.Context.instance()
        self._curve = curve
        self._reconnect_s = reconnect_s
        self._spin = spin
        self._reports = np.empty(reports_max, records.EXECUTION_REPORT)
        self._filled = 0
        self._unsent: deque[tuple[Chunk, int]] = deque()
        self._pump: OrderPump | None = None
        self._heard_ns = 0
        self._sent_ns = 0
        self._client_ref = time.time_ns()

    @property
    def socket(self) -> "zmq.Socket[bytes] | None":
        """The socket, to wait for several clients with one poller; None while the connection is lost."""
        return None if self._pump is None else self._pump.socket

    # ------------------------------------------------------------------ session

    def connect(self, timeout_s: float = 10.0) -> Self:
        """Log on.

        Raises
        ------
        LogonRefusedError
            The venue does not open the session; its reason says why.
        SessionError
            No answer within the time.
        """
        self._open_socket()
        try:
            self._log_on(time.monotonic() + timeout_s)
        except BaseException:
            self._drop_socket()
            raise
        session = self.session
        self._unsent.extend(
            (chunk, max(0, session.acknowledged_seq + 1 - chunk.first_seq))
            for chunk in session.unacknowledged
        )
        self._push()
        return self

    def close(self, timeout_s: float = 2.0) -> None:
        """Log out, wait for the venue's goodbye as long as there is time, and close the socket.

        Reports that come meanwhile can still be received.
        """
        if self.session.state is State.ONLINE and self._pump is not None:
            self._send_frame(self.session.logout())
            deadline = time.monotonic() + timeout_s
            try:
                while time.monotonic() < deadline and self._filled < len(self._reports):
                    self._wait(deadline)
                    self._read()
            except LoggedOutError as goodbye:
                if goodbye.reason is not CloseReason.LOGOUT:
                    raise
            finally:
                self.session.state = State.OFFLINE
                self._drop_socket()
        self._drop_socket()

    def __enter__(self) -> Self:
        """Log on."""
        return self.connect()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log out; after an exception just close the socket."""
        if error is None:
            self.close()
        else:
            self._drop_socket()

    # ------------------------------------------------------------------ commands

    def send(self, batch: np.ndarray, *, per_frame: int | None = None, timeout_s: float | None = 10.0) -> int:
        """Send many commands.

        Parameters
        ----------
        batch : np.ndarray
            One-dimensional array of records of one template (`tradsys.wire.records`), or of several templates of the
            same size viewed as one. The fields the venue writes are zeroed in the copy that is kept.
        per_frame : int, optional
            Records in a frame; as many as the venue takes when not given.
        timeout_s : float, optional
            How long to wait for room: in the socket's queue, or for answers when unacknowledged_max commands have
            none. None: as long as it takes.

        Returns
        -------
        int
            client_seq of the last one.

        Raises
        ------
        SessionError
            No room in time (reports not received may be why), or the session is lost.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        sent = 0
        while sent < len(batch) or self._unsent:
            part = batch[sent : sent + max(0, self.session.room)]
            if len(part):
                self._unsent.append((self.session.number(part, per_frame), 0))
                sent += len(part)
            if self._push() and sent == len(batch):
                break
            self._wait_for_room(deadline)
        return self.session.next_client_seq - 1

    def send_one(self, command: np.ndarray) -> int:
        """Send one command made by `tradsys.wire.commands`, an operator's included; returns its client_seq."""
        return self.send(command, per_frame=1)

    def new_order(self, *, client_ref: int | None = None, **fields: Any) -> int:
        """Enter an order; fields as of `tradsys.wire.commands.new_order`. Returns its client_ref."""
        ref = self._next_ref() if client_ref is None else client_ref
        self.send_one(commands.new_order(client_ref=ref, **fields))
        return ref

    def new_complex_order(self, *, client_ref: int | None = None, **fields: Any) -> int:
        """Enter an order with terms; fields as of `tradsys.wire.commands.new_complex_order`. Returns its client_ref."""
        ref = self._next_ref() if client_ref is None else client_ref
        self.send_one(commands.new_complex_order(client_ref=ref, **fields))
        return ref

    def new_order_list(self, *, legs: Sequence[Mapping[str, int]], **fields: Any) -> list[int]:
        """Enter a list of orders; fields as of `tradsys.wire.commands.new_order_list`. Returns their client_refs."""
        named = [{"client_ref": leg.get("client_ref", self._next_ref()), **leg} for leg in legs]
        self.send_one(commands.new_order_list(legs=named, **fields))
        return [leg["client_ref"] for leg in named]

    def cancel_order(self, *, client_ref: int | None = None, **fields: Any) -> int:
        """Cancel an order, named by `orig_client_ref` or `order_id`. Returns the request's client_ref."""
        ref = self._next_ref() if client_ref is None else client_ref
        self.send_one(commands.cancel_order(client_ref=ref, **fields))
        return ref

    def reduce_order(self, *, client_ref: int | None = None, **fields: Any) -> int:
        """Take `qty_lots` off an order. Returns the request's client_ref."""
        ref = self._next_ref() if client_ref is None else client_ref
        self.send_one(commands.reduce_order(client_ref=ref, **fields))
        return ref

    def replace_order(self, *, client_ref: int | None = None, **fields: Any) -> int:
        """Give an order a new reference, price and total quantity. Returns the new client_ref."""
        ref = self._next_ref() if client_ref is None else client_ref
        self.send_one(commands.replace_order(client_ref=ref, **fields))
        return ref

    def mass_cancel(self, *, client_ref: int | None = None, **fields: Any) -> int:
        """Cancel every order that fits. Returns the request's client_ref."""
        ref = self._next_ref() if client_ref is None else client_ref
        self.send_one(commands.mass_cancel(client_ref=ref, **fields))
        return ref

    # ------------------------------------------------------------------ reports

    def receive(self, timeout_s: float = 0.0) -> np.ndarray:
        """Take the reports that have come, waiting for the first as long as there is time.

        Returns
        -------
        np.ndarray, dtype EXECUTION_REPORT
            In the order of report_seq, none missing; a copy. Empty when nothing came.
        """
        deadline = time.monotonic() + timeout_s
        while self._pump is not None or not self._filled:  # what came before the end can still be taken
            self.poll()
            if self._filled or time.monotonic() >= deadline:
                break
            self._wait(deadline)
        taken = self._reports[: self._filled].copy()
        self._filled = 0
        return taken

    def receive_until(self, client_seq: int, timeout_s: float = 10.0) -> np.ndarray:
        """Take reports until the command of that number is answered: until its first report has come.

        Returns
        -------
        np.ndarray, dtype EXECUTION_REPORT
            Every report that came until then, also those that answer something else.

        Raises
        ------
        SessionError
            It is not answered in time. The reports that came are lost to the caller.
        """
        deadline = time.monotonic() + timeout_s
        parts = [self.receive()]
        while self.session.acknowledged_seq < client_seq:
            if time.monotonic() >= deadline:
                raise SessionError(f"command {client_seq} was not answered within {timeout_s} s")
            parts.append(self.receive(min(1.0, deadline - time.monotonic())))
        return np.concatenate(parts)

    def reports(self, timeout_s: float = 1.0) -> Iterator[Report]:
        """Walk over the reports as they come, until none has come for `timeout_s`."""
        while len(taken := self.receive(timeout_s)):
            for record in taken:
                yield Report.of(record)

    def poll(self) -> None:
        """Do what is due: read the socket, answer, send what waits and heartbeats; get a lost connection back."""
        if self._pump is None:
            raise SessionError("not connected")
        try:
            self._read()
        except LoggedOutError as goodbye:
            self._drop_socket()
            if goodbye.reason is not CloseReason.VENUE_RESTART or not self._reconnect_s:
                raise
        now_ns = time.monotonic_ns()
        silent = now_ns - self._heard_ns > SILENT_INTERVALS * self.session.heartbeat_ms * MS
        if self._pump is None or self.session.state is not State.ONLINE or silent:
            self._reconnect()
        self._push()
        if now_ns - self._sent_ns >= self.session.heartbeat_ms * MS // 2:
            self._send_frame(self.session.heartbeat(time.time_ns()))

    # ------------------------------------------------------------------ helpers

    def _next_ref(self) -> int:
        self._client_ref += 1
        return self._client_ref

    def _log_on(self, deadline: float) -> None:
        assert self._pump is not None
        session = self.session
        self._send_frame(session.logon(time.time_ns(), secrets.randbits(64)))
        while session.state is not State.ONLINE:
            if session.state is State.OFFLINE or time.monotonic() >= deadline:
                raise SessionError(f"no answer to the logon from {self.address} in time")
            self._wait(deadline)
            _, frame = self._pump.receive(self._reports[:0])
            self._take_frame(frame)

    def _read(self) -> None:
        """Take reports into the buffer and control frames into the session."""
        assert self._pump is not None
        frame: bytes | None = b""
        while frame is not None and self.session.state is State.ONLINE:
            before = self._filled
            self._filled, frame = self._pump.receive(self._reports, self._filled)
            if self._filled > before or self._filled == len(self._reports):
                # whoever does not listen cannot tell silence
                self._heard_ns = time.monotonic_ns()
                self.session.note_progress(self._pump.last_report_seq, self._pump.last_client_seq)
            if self._pump.gap_from:
                self.session.note_gap(self._pump.gap_from + 1)
            self._take_frame(frame)

    def _take_frame(self, frame: bytes | None) -> None:
        """Hand a frame without reports to the session, and send what it answers."""
        assert self._pump is not None
        session = self.session
        was_online = session.state is State.ONLINE
        if frame is not None:
            self._heard_ns = time.monotonic_ns()
            session.receive(frame)
        if session.state is State.ONLINE and not was_online:
            assert session.last_report_seq is not None
            self._pump.start_after(session.last_report_seq, session.answers_after, session.acknowledged_seq)
        while session.replies:
            self._send_frame(session.replies.popleft())

    def _push(self) -> bool:
        """Send what has its number but is not under way yet; whether all of it found room."""
        if self._pump is None:
            return False
        while self._unsent:
            chunk, offset = self._unsent[0]
            sent = self._pump.send(chunk.data[offset:], chunk.first_seq + offset, chunk.per_frame)
            if sent:
                self._sent_ns = time.monotonic_ns()
            if offset + sent < len(chunk.data):
                self._unsent[0] = (chunk, offset + sent)
                return False
            self._unsent.popleft()
        return True

    def _wait_for_room(self, deadline: float | None) -> None:
        """Read while the socket or the window is full."""
        if deadline is not None and time.monotonic() >= deadline:
            raise SessionError(
                f"no room to send: {len(self._unsent)} batches wait, {self.session.room} commands may be unanswered, "
                f"{self._filled} reports wait to be received"
            )
        self.poll()
        if self._pump is not None and not self._spin and self._filled < len(self._reports):
            self._pump.socket.poll(1, zmq.POLLIN)

    def _wait(self, deadline: float) -> None:
        """Sleep until a frame comes, a heartbeat is due or the time is up."""
        if self._spin or self._pump is None:
            return
        left_ms = 1 + (deadline - time.monotonic()) * 1_000
        self._pump.socket.poll(int(max(0, min(left_ms, self.session.heartbeat_ms // 2))), zmq.POLLIN)

    def _send_frame(self, frame: bytes) -> None:
        """Send a session message; a full queue keeps it away, the next heartbeat or logon makes up for it."""
        assert self._pump is not None
        try:
            self._pump.socket.send(frame, zmq.DONTWAIT)
            self._sent_ns = time.monotonic_ns()
        except zmq.Again:
            pass

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
        self._pump = OrderPump(socket, self.session.last_report_seq or 0)
        self._heard_ns = self._sent_ns = time.monotonic_ns()

    def _drop_socket(self) -> None:
        if self._pump is not None:
            self._pump.socket.close(linger=0)
        self._pump = None
        self._unsent.clear()

    def _reconnect(self) -> None:
        """Log on again on a new socket, as often as there is time; a refusal is final."""
        deadline = time.monotonic() + self._reconnect_s
        why = "no answer"
        while True:
            try:
                left = deadline - time.monotonic()
                self.connect(timeout_s=min(2.0, max(left, 0.1)))
                return
            except LoggedOutError:
                pass  # the venue is closing, or another logon of ours was under way: try again
            except SessionError as error:
                if type(error) is not SessionError:
                    raise
                why = str(error)
            if time.monotonic() >= deadline:
                raise SessionError(f"the connection to {self.address} is lost: {why}")
            time.sleep(RECONNECT_PAUSE_S)
