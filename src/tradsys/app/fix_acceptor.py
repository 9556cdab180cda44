"""``tradsys fix-acceptor``: a FIX acceptor that stands alone and sends orders back, to prove FIX sessions against.

It has no engine: an application message comes back to its sender. Sessions live in memory.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tradsys.app.arguments import CompId, Host, InputFile, ListenPort, Seconds
from tradsys.app.fix_rules import CONFORMANCE, load_dictionary
from tradsys.app.stopping import stopping
from tradsys.client.fix_link import Check, FixLink
from tradsys.client.fix_listener import TICK_S, ListenedSession, Listener
from tradsys.client.fix_outbox import Outbox
from tradsys.errors import InputError
from tradsys.fix.message import Field, Message
from tradsys.fix.rules import Rules
from tradsys.fix.session import REVERSE_ROUTE
from tradsys.fix.settings import SessionSettings, changed, conformance

if TYPE_CHECKING:
    from pathlib import Path

    from tradsys.fix.dictionary import Dictionary, Section

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


class EchoAcceptor(Listener):
    """Listener whose sessions send orders back.

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
        self.targets = targets
        self.sessions = {
            (target, base.sender_comp_id): EchoSession(
                changed(base, target_comp_id=target), check, dictionary
            )
            for target in targets
        }
        super().__init__(base, self.sessions)


class EchoSession(ListenedSession):
    """One session and its application."""

    def __init__(self, settings: SessionSettings, check: Check | None, dictionary: Dictionary | None) -> None:
        super().__init__(FixLink(settings, Outbox(), check=check, application=self._answer))
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
        super().end(now_ns)
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
