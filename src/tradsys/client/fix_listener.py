"""An asyncio port on which many FIX sessions are accepted: the sockets, and which session a connection belongs to.

What a session says is its own: the stand-alone acceptor and the market data server put theirs to it.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import Any

from tradsys.client.fix_link import FixLink
from tradsys.errors import listen_error
from tradsys.fix.message import MESSAGE_BYTES_MAX, GarbledError, Message, parse, split
from tradsys.fix.settings import SECOND_NS, SessionSettings

CONNECTIONS_MAX = 1_000
RECEIVE_BYTES = 16 << 10  # read from one connection before the others have their turn
UNSENT_BYTES_MAX = 4 << 20  # written, not taken by the other side; more closes the connection
CLOSE_S = 2.0  # for the last bytes to go out
TICK_S = 0.1


class ListenedSession:
    """One session of a listener. A session has one connection at a time.

    Parameters
    ----------
    link : FixLink
    """

    def __init__(self, link: FixLink) -> None:
        self.link = link
        self.connection: Connection | None = None

    def begin(self, connection: Connection, now_ns: int) -> None:
        """Begin with a connection."""
        self.connection = connection
        self.link.connect(now_ns)

    def end(self, now_ns: int) -> None:
        """End with the connection."""
        self.link.disconnect(now_ns)
        self.connection = None

    def pass_time(self, now_ns: int) -> None:
        """Do what is due."""
        self.link.pass_time(now_ns)

    def has_room(self) -> None:
        """Go on: the other side has taken what was written."""


class Listener:
    """Listening socket, sessions and the connections to them.

    Parameters
    ----------
    base : SessionSettings
        How a connection is treated before its session is known.
    sessions : mapping of (their CompID, ours) to ListenedSession
    connections_max : int
        For one more the oldest without a session makes way, else it is closed at once.
    unsent_bytes_max : int
        Bytes written that the other side has not taken; more closes its connection.
    paused_bytes : int, optional
        Nothing is read from who leaves so many bytes; the event loop's own figure if not given.
    """

    def __init__(
        self,
        base: SessionSettings,
        sessions: Mapping[tuple[str, str], ListenedSession],
        *,
        connections_max: int = CONNECTIONS_MAX,
        unsent_bytes_max: int = UNSENT_BYTES_MAX,
        paused_bytes: int | None = None,
    ) -> None:
        self.base = base
        self.listened: Mapping[tuple[str, str], ListenedSession] = sessions
        self.connections_max, self.unsent_bytes_max = connections_max, unsent_bytes_max
        self.paused_bytes = paused_bytes
        self.connections: dict[Connection, None] = {}  # in the order they came
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen, plain or with TLS, and return the port.

        Raises
        ------
        TradSysError
            Somebody else does, or the address is none of ours.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(self),
                host,
                port,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else self.base.logon_timeout_ns / SECOND_NS,
            )
        except OSError as error:
            raise listen_error(f"{host}:{port}", error.errno, error.strerror) from None
        self._ticking = asyncio.create_task(self._tick())
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None and self._ticking is not None:
            self._server.close()
            self._ticking.cancel()
            for connection in list(self.connections):
                connection.transport.abort()
            await asyncio.sleep(0)
            await asyncio.gather(self._ticking, return_exceptions=True)

    def has_place(self) -> bool:
        """Tell whether one more connection may be kept; the oldest that belongs to no session makes way for it."""
        if len(self.connections) >= self.connections_max:
            oldest = next((one for one in self.connections if one.is_stranger), None)
            if oldest is None:
                return False
            del self.connections[oldest]
            oldest.transport.abort()
        return True

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for connection in list(self.connections):
                connection.pass_time(time.time_ns())


class Connection(asyncio.BufferedProtocol):
    """One socket; it belongs to a session once a first message has said to which."""

    transport: asyncio.Transport

    def __init__(self, listener: Listener) -> None:
        self.address = ""  # of the other side, without its port
        self._listener = listener
        self._session: ListenedSession | None = None
        self._first = b""  # what came before the session is known
        self._since_ns = 0
        self._is_closing = False
        # a view, for TLS: asyncio fills it in slices, and slices of a bytearray are copies, which nobody would read
        self._buffer = memoryview(bytearray(RECEIVE_BYTES))

    @property
    def is_stranger(self) -> bool:
        """Whether it belongs to no session (any more)."""
        return self._session is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first message."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._since_ns = time.time_ns()
        peer: Any = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else ""
        if not self._listener.has_place():
            transport.abort()
            return
        if self._listener.paused_bytes is not None:
            transport.set_write_buffer_limits(high=self._listener.paused_bytes)
        self._listener.connections[self] = None

    def connection_lost(self, error: Exception | None) -> None:
        """End with the socket."""
        self._listener.connections.pop(self, None)
        if self._session is not None:
            self._session.end(time.time_ns())
            self._session = None

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where bytes are to be put."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes as they came."""
        if self._is_closing:
            return
        now_ns = time.time_ns()
        data = bytes(self._buffer[:nbytes])
        if self._session is None:
            data = self._first = self._first + data
            self._find_session(now_ns)
            if self._session is None:
                return
        self._session.link.receive(data, now_ns)
        self.flush()

    def pass_time(self, now_ns: int) -> None:
        """Do what is due."""
        if self._session is not None:
            self._session.pass_time(now_ns)
            self.flush()
        elif not self._is_closing and now_ns - self._since_ns >= self._listener.base.logon_timeout_ns:
            self._close(0)

    def pause_writing(self) -> None:
        """Take nothing more from one who does not read."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self.transport.resume_reading()
        if self._session is not None:
            self._session.has_room()
            self.flush()

    def unsent_bytes(self) -> int:
        """Count the bytes written that the system has not taken."""
        return self.transport.get_write_buffer_size()

    def flush(self) -> None:
        """Write what the session has to say, and close the connection when it asks for that."""
        if self._session is None:
            return
        link = self._session.link
        if self._is_closing:
            link.outgoing.clear()
            return
        if link.outgoing:
            self.transport.write(bytes(link.outgoing))
            link.outgoing.clear()
        if self.unsent_bytes() > self._listener.unsent_bytes_max:
            self.transport.abort()
        elif link.closing is not None:
            delay_ns = link.closing.delay_ns
            if delay_ns:  # a refused Logon: its session is free for its owner while the Logout is on its way
                self._session.end(time.time_ns())
                self._session = None
            self._close(delay_ns)

    def _find_session(self, now_ns: int) -> None:
        """Find the session of the first message: none for garbage, for names unknown, for one that has a socket."""
        bytes_max = self._listener.base.message_bytes_max or MESSAGE_BYTES_MAX
        frames, garbled_bytes, _ = split(self._first, bytes_max)
        if not frames and not garbled_bytes:
            return
        try:
            first = parse(frames[0]) if frames and not garbled_bytes else Message([])
        except GarbledError:
            first = Message([])
        session = self._listener.listened.get((first.text(49), first.text(56)))
        if session is None or session.link.is_connected:
            self._close(0)
            return
        self._session, self._first = session, b""
        session.begin(self, now_ns)

    def _close(self, delay_ns: int) -> None:
        """Close when the last bytes are out, or after a time without that."""
        self._is_closing = True
        loop = asyncio.get_running_loop()
        if delay_ns:
            loop.call_later(delay_ns / SECOND_NS, self.transport.close)
        else:
            self.transport.close()
        loop.call_later(delay_ns / SECOND_NS + CLOSE_S, self.transport.abort)
