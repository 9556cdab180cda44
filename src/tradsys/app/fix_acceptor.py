"""``tradsys fix-acceptor``: a FIX acceptor that stands alone and sends orders back, to prove FIX sessions against.

It has no engine: an application message comes back to its sender. Sessions live in memory.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tradsys.app.arguments import CompId, Host, InputFile, ListenPort, Seconds
from tradsys.app.fix_rules import CONFORMANCE, load_dictionary
from tradsys.app.stopping import stopping
from tradsys.client.fix_link import Check, FixLink
from tradsys.client.fix_outbox import Outbox
from tradsys.errors import InputError, listen_error
from tradsys.fix.message import MESSAGE_BYTES_MAX, Field, GarbledError, Message, parse, split
from tradsys.fix.rules import Rules
from tradsys.fix.session import REVERSE_ROUTE
from tradsys.fix.settings import SECOND_NS, SessionSettings, changed, conformance

if TYPE_CHECKING:
    from pathlib import Path

    from tradsys.fix.dictionary import Dictionary, Section

CONNECTIONS_MAX = 1_000
UNSENT_BYTES_MAX = 4 << 20  # written, not taken by the other side; more closes the connection
CLOSE_S = 2.0  # for the last bytes to go out
TICK_S = 0.1
KNOWN_IDS_MAX = 100_000
HEADER_TAGS = frozenset((8, 9, 35, 34, 43, 49, 50, 52, 56, 57, 90, 91, 97, 115, 116, 122, 128, 129, 142, 143,
                         144, 145, 212, 213, 347, 369, 627, 628, 629, 630))  # fmt: skip
TRAILER_TAGS = frozenset((10, 89, 93))
POSS_RESEND, CL_ORD_ID = 97, 11
ECHOED = ("D", "d")  # NewOrderSingle, SecurityDefinition: what the application of the public cases knows


def fix_acceptor(
    *,
    is_conformance: Annotated[bool, Parameter(name="--conformance", negative="")] = False,
    host: Host = "127.0.0.1",
    port: ListenPort = 9881,
    sender: CompId | None = None,
    target: tuple[CompId, ...] = (),
    dictionary: InputFile | None = None,
    certificate: InputFile | None = None,
    seconds: Seconds = 0.0,
) -> int:
    """Run a FIX 4.4 acceptor without a venue: orders (D) and security definitions (d) come back to their sender.

    Example: tradsys fix-acceptor --conformance --port 5001 --dictionary FIX44.xml

    Parameters
    ----------
    is_conformance
        As the public acceptance cases expect it: every Logon begins at 1, strict rules, milliseconds.
    host
        Address to listen at.
    port
        Port to listen at; 0: any free one, which is printed.
    sender
        Our CompID; ISLD for conformance, else TRADSYS.
    target
        CompIDs that may log on, one session each; TW44 and TW for conformance, else DEMO.
    dictionary
        The rules in QuickFIX's form; ours if not given.
    certificate
        Speak TLS with the certificate and the key in this PEM file.
    seconds
        Stop after this time; 0: not before Ctrl-C.
    """
    sender = sender or ("ISLD" if is_conformance else "TRADSYS")
    targets = target or (("TW44", "TW") if is_conformance else ("DEMO",))
    base = (
        conformance(sender)
        if is_conformance
        else SessionSettings(sender_comp_id=sender, target_comp_id="DEMO")
    )
    acceptor = EchoAcceptor(base, targets, load_dictionary(dictionary, CONFORMANCE), is_strict=is_conformance)
    tls = None if certificate is None else server_tls(certificate)
    with stopping(seconds) as stop:
        asyncio.run(serve(acceptor, host, port, stop.is_set, tls))
    return 0


def server_tls(certificate: Path) -> ssl.SSLContext:
    """Make the TLS side of a listener from a PEM file with its certificate and key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate)
    except OSError as error:
        raise InputError(f"{certificate} must hold a certificate and its key: {error}") from None
    return context


async def serve(
    acceptor: EchoAcceptor, host: str, port: int, is_over: object, tls: ssl.SSLContext | None = None
) -> None:
    """Run an acceptor until it is over; the first line printed says where it listens."""
    assert callable(is_over)
    port = await acceptor.start(host, port, tls)
    print(
        f"listening at {host}:{port} as {acceptor.base.sender_comp_id} for {', '.join(acceptor.targets)}",
        flush=True,
    )
    try:
        while not is_over():
            await asyncio.sleep(TICK_S)
    finally:
        await acceptor.stop()


class EchoAcceptor:
    """Listener, sessions and the connections to them.

    Parameters
    ----------
    base : SessionSettings
        Of every session, but for the other side's name.
    targets : sequence of str
        The other sides that may log on.
    dictionary : Dictionary, optional
        Without one no rules are looked at.
    is_strict : bool
        How the rules are looked at.
    """

    def __init__(
        self,
        base: SessionSettings,
        targets: tuple[str, ...],
        dictionary: Dictionary | None = None,
        is_strict: bool = False,
    ) -> None:
        check: Check | None = Rules(dictionary, is_strict).check if dictionary is not None else None
        self.base, self.targets = base, targets
        self.sessions = {
            (target, base.sender_comp_id): EchoSession(
                changed(base, target_comp_id=target), check, dictionary
            )
            for target in targets
        }
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen, plain or with TLS, and return the port."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Connection(self), host, port, ssl=tls)
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

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for connection in list(self.connections):
                connection.pass_time(time.time_ns())


class EchoSession:
    """One session and its application."""

    def __init__(self, settings: SessionSettings, check: Check | None, dictionary: Dictionary | None) -> None:
        self.link = FixLink(settings, Outbox(), check=check, application=self._answer)
        self._dictionary = dictionary
        self._known_ids: set[bytes] = set()

    def _answer(self) -> None:
        """Answer what was delivered: orders go back, what we do not know is refused."""
        for message in self.link.take():
            if not self.link.numbers.active:
                continue
            if message.msg_type not in ECHOED:
                fields = ((45, b"%d" % message.seq), (58, b"Unsupported Message Type"))
                self.link.send("j", (*fields, (372, message.msg_type.encode("latin-1")), (380, b"3")))
            elif not self._is_known(message):
                self.link.send(message.msg_type, self._body(message), routing_back(message))

    def end(self, now_ns: int) -> None:
        """End with the connection."""
        self.link.disconnect(now_ns)
        self._known_ids.clear()

    def _is_known(self, message: Message) -> bool:
        """Tell whether an order that may have been sent before was."""
        order = message.get(CL_ORD_ID)
        if order is None:
            return False
        is_known = message.flag(POSS_RESEND) and order in self._known_ids
        if len(self._known_ids) < KNOWN_IDS_MAX:
            self._known_ids.add(order)
        return is_known

    def _body(self, message: Message) -> tuple[Field, ...]:
        body = [field for field in message.fields if field[0] not in HEADER_TAGS | TRAILER_TAGS]
        if self._dictionary is None or message.msg_type not in self._dictionary.messages:
            return tuple(body)
        return by_tag(body, self._dictionary.messages[message.msg_type].body)


class Connection(asyncio.Protocol):
    """One socket; it belongs to a session once a first message has said to which."""

    transport: asyncio.Transport

    def __init__(self, acceptor: EchoAcceptor) -> None:
        self._acceptor = acceptor
        self._session: EchoSession | None = None
        self._first = b""  # what came before the session is known
        self._since_ns = 0
        self._is_closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first message."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._since_ns = time.time_ns()
        if len(self._acceptor.connections) >= CONNECTIONS_MAX:
            transport.abort()
            return
        self._acceptor.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """End with the socket."""
        self._acceptor.connections.discard(self)
        if self._session is not None:
            self._session.end(time.time_ns())
            self._session = None

    def data_received(self, data: bytes) -> None:
        """Take bytes as they came."""
        if self._is_closing:
            return
        now_ns = time.time_ns()
        if self._session is None:
            data = self._first = self._first + data
            self._find_session(now_ns)
            if self._session is None:
                return
        self._session.link.receive(data, now_ns)
        self._flush()

    def pass_time(self, now_ns: int) -> None:
        """Do what is due."""
        if self._session is not None:
            self._session.link.pass_time(now_ns)
            self._flush()
        elif now_ns - self._since_ns >= self._acceptor.base.logon_timeout_ns:
            self._close(0)

    def pause_writing(self) -> None:
        """Take nothing more from one who does not read."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self.transport.resume_reading()

    def _find_session(self, now_ns: int) -> None:
        """Find the session of the first message: none for garbage, for names unknown, for one that has a socket."""
        frames, garbled_bytes, _ = split(
            self._first, self._acceptor.base.message_bytes_max or MESSAGE_BYTES_MAX
        )
        if not frames and not garbled_bytes:
            return
        try:
            first = parse(frames[0]) if frames and not garbled_bytes else Message([])
        except GarbledError:
            first = Message([])
        session = self._acceptor.sessions.get((first.text(49), first.text(56)))
        if session is None or session.link.is_connected:
            self._close(0)
            return
        self._session, self._first = session, b""
        session.link.connect(now_ns)

    def _flush(self) -> None:
        assert self._session is not None
        link = self._session.link
        if self._is_closing:
            link.outgoing.clear()
            return
        if link.outgoing:
            self.transport.write(bytes(link.outgoing))
            link.outgoing.clear()
        if self.transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            self.transport.abort()
        elif link.closing is not None:
            self._close(link.closing.delay_ns)

    def _close(self, delay_ns: int) -> None:
        """Close when the last bytes are out, or after a time without that."""
        self._is_closing = True
        loop = asyncio.get_running_loop()
        if delay_ns:
            loop.call_later(delay_ns / SECOND_NS, self.transport.close)
        else:
            self.transport.close()
        loop.call_later(delay_ns / SECOND_NS + CLOSE_S, self.transport.abort)


def routing_back(message: Message) -> tuple[Field, ...]:
    """Write the header fields of the answer: the route turned round, PossResend as it came."""
    routes = [(there, message.get(here)) for here, there in REVERSE_ROUTE]
    routes.append((POSS_RESEND, message.get(POSS_RESEND)))
    return tuple(sorted((tag, value) for tag, value in routes if value))


def by_tag(body: list[Field], section: Section) -> tuple[Field, ...]:
    """Sort a body by tag, as QuickFIX writes it; the entries of a group stay behind their count as they came."""
    units: list[list[Field]] = []
    in_group: frozenset[int] = frozenset()
    for field in body:
        if field[0] in in_group and units:
            units[-1].append(field)
            continue
        units.append([field])
        member = section.by_tag.get(field[0])
        in_group = member.group.all_tags if member is not None and member.group is not None else frozenset()
    return tuple(field for unit in sorted(units, key=lambda unit: unit[0][0]) for field in unit)
