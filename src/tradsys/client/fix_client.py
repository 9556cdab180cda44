"""FixClient: a FIX 4.4 initiator on one socket, used from one thread.

Example
-------
>>> with FixClient("127.0.0.1", 9878, "DESK", "VENUE", username="desk", password="secret") as client:
...     client.send("D", [(11, "a1"), (55, "AMZN"), (54, "1"), (38, 100), (40, "2"), (44, "223.81")])
...     for message in client.receive(timeout_s=1.0):
...         print(message)
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from tradsys.client.fix_link import ADMIN_TYPES, Check, FixLink, Trace
from tradsys.client.fix_outbox import Outbox
from tradsys.errors import InputError, SessionError
from tradsys.fix.actions import EndReason
from tradsys.fix.message import DATA_AFTER_LENGTH, MESSAGE_BYTES_MAX, SOH, Message
from tradsys.fix.settings import SessionSettings, changed

TICK_S = 0.1  # between looks at what is due
RECEIVE_BYTES = 64 << 10
READS_MAX = 16  # of a turn
DELIVERED_MAX = 100_000  # not received by the application yet; with more, nothing is read
HEADER_BYTES = 512  # room for what stands around a body
RECONNECT_PAUSE_S = 0.05
NEVER_NS = 1 << 62
DATA_TAGS = frozenset(DATA_AFTER_LENGTH.values())
FINAL_ENDS = (EndReason.LOGOUT_RECEIVED, EndReason.LOGON_REFUSED, EndReason.SEQ_TOO_LOW)


class FixClient:
    """A FIX session with the other side of a socket.

    Sequence numbers and sent messages are kept, so that either side can ask again for what a lost connection took
    away; with a `directory` they survive a restart. A message counts as received when the next `receive` or `close` is
    called: one that was being worked off when the process ended comes once more, with PossDupFlag. Nothing happens
    between calls: call `receive` at least once a heartbeat interval.

    Parameters
    ----------
    host : str
    port : int
    sender_comp_id, target_comp_id : str
        Our name and the other side's.
    username, password : str
        For tags 553 and 554 of the Logon; empty: left out.
    settings : SessionSettings, optional
        All else; names and credentials above go before its own.
    directory : Path, optional
        Where numbers and messages are kept.
    ask_reset : bool
        Begin with both numbers at 1 at the first Logon (141=Y); those after it go on.
    tls : ssl.SSLContext, optional
        Speak TLS.
    reconnect_s : float
        How long `receive` tries to get a lost connection back; 0: raise at once.
    check : callable, optional
        Finds faults in what comes in (`tradsys.fix.rules`).
    trace : callable, optional
        Is told of every message with ``"in"`` or ``"out"``.
    """

    def __init__(
        self,
        host: str,
        port: int,
        sender_comp_id: str,
        target_comp_id: str,
        *,
        username: str = "",
        password: str = "",
        settings: SessionSettings | None = None,
        directory: Path | None = None,
        ask_reset: bool = False,
        tls: ssl.SSLContext | None = None,
        reconnect_s: float = 10.0,
        check: Check | None = None,
        trace: Trace | None = None,
    ) -> None:
        if settings is None:
            settings = SessionSettings(sender_comp_id=sender_comp_id, target_comp_id=target_comp_id)
        settings = changed(settings, sender_comp_id=sender_comp_id, target_comp_id=target_comp_id)
        credentials = tuple((tag, text.encode()) for tag, text in ((553, username), (554, password)) if text)
        if credentials:
            settings = changed(settings, logon_fields=(*settings.logon_fields, *credentials))
        self.host, self.port, self.settings = host, port, settings
        name = "-".join(quote(part, safe="") for part in (sender_comp_id, target_comp_id))
        self._outbox = Outbox(None if directory is None else directory / f"{name}.fix")
        asking = changed(settings, ask_reset=True) if ask_reset else settings
        self._link = FixLink(asking, self._outbox, initiator=True, check=check, trace=trace)
        self._tls = tls
        self._reconnect_s = reconnect_s
        self._socket: socket.socket | None = None

    @property
    def is_logged_on(self) -> bool:
        """Whether application messages can be sent."""
        return bool(self._link.numbers.active)

    @property
    def next_in(self) -> int:
        """MsgSeqNum the other side's next message has."""
        return self._link.numbers.next_in

    @property
    def next_out(self) -> int:
        """MsgSeqNum our next message has."""
        return self._link.numbers.next_out

    def fileno(self) -> int:
        """Number of the socket, to wait for it and other things; -1 without a connection."""
        return -1 if self._socket is None else self._socket.fileno()

    # --------------------------------------------------------------------------------------- the session

    def connect(self, timeout_s: float = 10.0) -> Self:
        """Connect and log on.

        Raises
        ------
        SessionError
            There is no connection, no answer within the time, or a refusal; its text says why.
        """
        deadline = time.monotonic() + timeout_s
        try:
            self._open(timeout_s)
        except OSError as error:
            raise SessionError(f"no connection to {self.host}:{self.port}: {error}") from None
        session = self._link.session
        session.settings = changed(session.settings, logon_timeout_ns=NEVER_NS)  # how long we wait is said here
        self._link.connect(time.time_ns())
        while not self.is_logged_on:
            if not self._turn(deadline):
                raise SessionError(f"no Logon: {self._why()}")
            if time.monotonic() >= deadline and not self.is_logged_on:
                self._drop()
                raise SessionError(f"no answer to our Logon within {timeout_s} s")
        self._link.session.settings = self.settings  # numbers are reset once
        return self

    def close(self, timeout_s: float = 3.0) -> None:
        """Log out, wait for the answer as long as there is time, and close the connection and the file."""
        self._link.take()
        if self.is_logged_on:
            deadline = time.monotonic() + timeout_s
            self._link.logout("", time.time_ns())
            while self._turn(deadline) and time.monotonic() < deadline:
                pass
        self._drop()
        self._outbox.close()

    def cut(self) -> None:
        """Close the connection without a word, as a lost one is."""
        self._drop()

    def __enter__(self) -> Self:
        """Connect and log on."""
        try:
            return self.connect()
        except BaseException:
            self._outbox.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log out; after an exception just close."""
        if error is None:
            self.close()
        else:
            self._drop()
            self._outbox.close()

    # --------------------------------------------------------------------------------------- messages

    def send(self, msg_type: str, fields: Iterable[tuple[int, bytes | str | int]]) -> int:
        """Send an application message and return its MsgSeqNum.

        Parameters
        ----------
        msg_type : str
            Tag 35.
        fields : iterable of (tag, value)
            The body in order.

        Raises
        ------
        InputError
            A value is empty or has SOH in it, the message is too long, or its type is the session's own.
        SessionError
            Not logged on: nothing was sent.
        """
        body = tuple((tag, encoded(value)) for tag, value in fields)
        if not msg_type or msg_type in ADMIN_TYPES:
            raise InputError(f"messages of type {msg_type!r} are the session's own")
        for tag, value in body:
            if tag < 1 or not value or (SOH in value and tag not in DATA_TAGS):
                raise InputError(f"field {tag}={value!r} cannot be sent")
        size = sum(len(value) + 12 for _, value in body) + HEADER_BYTES
        if size > MESSAGE_BYTES_MAX:
            raise InputError(f"a message has at most {MESSAGE_BYTES_MAX} bytes, this one up to {size}")
        if not self.is_logged_on:
            raise SessionError("not logged on")
        seq = self._link.send(msg_type, body)
        self._turn(0.0)
        return seq

    def receive(self, timeout_s: float = 0.0) -> list[Message]:
        """Take the application messages that came, or wait for some.

        Returns
        -------
        list of Message
            In order, each sequence number once; empty when none came within the time.

        Raises
        ------
        SessionError
            The session ended and the connection could not be got back.
        """
        deadline = time.monotonic() + timeout_s
        if self._link.delivered_count():
            return self._link.take()
        while True:
            if self._socket is None:
                self._connect_again()
            is_up = self._turn(deadline)
            if self._link.delivered_count():
                return self._link.take()
            if not is_up and (self._reconnect_s <= 0 or self._ended_for_good()):
                raise SessionError(f"the session ended: {self._why()}")
            if time.monotonic() >= deadline:
                return []

    # --------------------------------------------------------------------------------------- the connection

    def _connect_again(self) -> None:
        if self._ended_for_good() or self._reconnect_s <= 0:
            raise SessionError(f"not connected: {self._why()}")
        deadline = time.monotonic() + self._reconnect_s
        while True:
            try:
                self.connect(max(deadline - time.monotonic(), RECONNECT_PAUSE_S))
                return
            except SessionError:
                if self._ended_for_good() or time.monotonic() >= deadline:
                    raise
            time.sleep(RECONNECT_PAUSE_S)

    def _ended_for_good(self) -> bool:
        closing = self._link.closing
        return closing is not None and closing.reason in FINAL_ENDS

    def _why(self) -> str:
        closing = self._link.closing
        if closing is None:
            return "connection lost"
        return f"{closing.reason}: {closing.text}" if closing.text else str(closing.reason)

    def _open(self, timeout_s: float) -> None:
        self._drop()
        opened = socket.create_connection((self.host, self.port), max(timeout_s, 0.001))
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                opened = self._tls.wrap_socket(opened, server_hostname=self.host)
            opened.setblocking(False)
        except BaseException:
            opened.close()
            raise
        self._socket = opened

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._link.disconnect(time.time_ns())

    def _turn(self, deadline: float) -> bool:
        """Send what is to be sent, wait a moment for something to come, take it. False: the connection is gone."""
        link = self._link
        if self._socket is None:
            return False
        try:
            self._write(self._socket)
            if link.closing is None and link.delivered_count() < DELIVERED_MAX:
                self._wait(self._socket, min(max(deadline - time.monotonic(), 0.0), TICK_S))
                is_open = self._read(self._socket)
                link.pass_time(time.time_ns())
                self._write(self._socket)
            else:
                is_open = True
        except OSError:
            is_open = False
        if is_open and link.closing is None:
            return True
        self._drop()
        return False

    def _wait(self, opened: socket.socket, seconds: float) -> None:
        if isinstance(opened, ssl.SSLSocket) and opened.pending():
            return
        select.select([opened], [opened] if self._link.outgoing else [], [], seconds)

    def _read(self, opened: socket.socket) -> bool:
        """Take what came. False: the other side closed."""
        for _ in range(READS_MAX):
            try:
                data = opened.recv(RECEIVE_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return True
            if not data:
                return False
            self._link.receive(data, time.time_ns())
            if self._link.delivered_count() >= DELIVERED_MAX:
                return True
        return True

    def _write(self, opened: socket.socket) -> None:
        outgoing = self._link.outgoing
        while outgoing:
            try:
                sent = opened.send(outgoing[:RECEIVE_BYTES])
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            del outgoing[:sent]


def encoded(value: bytes | str | int) -> bytes:
    """Write a value as it stands on the wire."""
    if isinstance(value, bytes):
        return value
    return b"%d" % value if isinstance(value, int) else value.encode()
