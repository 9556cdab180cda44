"""One end of a FIX connection without its socket: bytes and time in, bytes and application messages out.

It executes what the session (`tradsys.fix.session`) asks for and keeps what is needed for a resend. The client and the
stand-alone acceptor put a socket to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from tradsys.client.fix_outbox import Outbox
from tradsys.fix.actions import (
    Action,
    Authenticate,
    Deliver,
    Disconnect,
    Ended,
    EndReason,
    Fault,
    Resend,
    ResetNumbers,
    Send,
)
from tradsys.fix.message import (
    MESSAGE_BYTES_MAX,
    Field,
    GarbledError,
    Header,
    Message,
    build,
    checksum,
    format_time,
    parse,
    split,
)
from tradsys.fix.numbers import SessionNumbers
from tradsys.fix.replay import GapFill, Stored, replay
from tradsys.fix.session import FixSession
from tradsys.fix.settings import SessionSettings

ADMIN_TYPES = frozenset("012345A")
PIECE_BYTES = 16 << 10  # looked at in one go
GARBLED_BYTES_MAX = 256 << 10  # without a message among them; more ends the session
OUTGOING_BYTES_MAX = 16 << 20  # not taken by the socket yet; more closes the connection

Check = Callable[[Message], Fault | None]
Trace = Callable[[str, Message], None]


class FixLink:
    """A session with its outbox.

    After every call the owner sends and clears `outgoing`, closes the connection when `closing` is set, then calls
    `disconnect`; `take` gives what was delivered.

    Parameters
    ----------
    settings : SessionSettings
    outbox : Outbox
    initiator : bool
        Whether we log on.
    check : callable, optional
        Gives the fault a message has, or None.
    authenticate : callable, optional
        Says why the Logon given is refused; empty: it is not.
    trace : callable, optional
        Is told of every message with ``"in"`` or ``"out"``.
    application : callable, optional
        Is called at every delivery: what it sends goes before the answers to messages behind that one.
    """

    def __init__(
        self,
        settings: SessionSettings,
        outbox: Outbox,
        *,
        initiator: bool = False,
        check: Check | None = None,
        authenticate: Callable[[Message], str] | None = None,
        trace: Trace | None = None,
        application: Callable[[], None] | None = None,
    ) -> None:
        self.settings, self.outbox = settings, outbox
        self.numbers = SessionNumbers(outbox.next_in, outbox.next_out)
        self.session = FixSession(settings, self.numbers, initiator, outbox.period_ns)
        self.outgoing = bytearray()
        self.closing: Disconnect | None = None
        self.ended: EndReason | None = None  # of the last session
        self.is_connected = False
        self._check, self._authenticate, self._trace = check, authenticate, trace
        self._application = application
        self._delivered: deque[Message] = deque()
        self._untaken_seq = 0  # first message the application may not have worked off; 0: none
        self._rest = b""
        self._garbled_bytes = 0
        self._now_ns = 0

    # --------------------------------------------------------------------------------------- the connection

    def connect(self, now_ns: int) -> None:
        """Begin with a connection."""
        self._rest, self._garbled_bytes = b"", 0
        self.closing = None
        self.is_connected = True
        self._now_ns = now_ns
        self.session.on_connect(now_ns)
        self._drain()

    def disconnect(self, now_ns: int) -> None:
        """End with the connection."""
        if not self.is_connected:
            return
        self.is_connected = False
        self._now_ns = now_ns
        self.session.on_disconnect(now_ns)
        self._drain()
        self.outgoing.clear()

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take bytes as they came."""
        self._now_ns = now_ns
        for begin in range(0, len(data), PIECE_BYTES):
            if self.closing is not None:
                return
            self._receive_piece(data[begin : begin + PIECE_BYTES])

    def pass_time(self, now_ns: int) -> None:
        """Do what is due; at least ten times a second."""
        self._now_ns = now_ns
        self.session.on_time(now_ns)
        self._drain()

    # --------------------------------------------------------------------------------------- the application

    def send(self, msg_type: str, fields: tuple[Field, ...], routing: tuple[Field, ...] = ()) -> int:
        """Send an application message and return its MsgSeqNum."""
        assert self.numbers.active, "an application message needs a session that is logged on"
        seq = self.numbers.next_out
        self._send(msg_type, fields, routing)
        self._note()
        return seq

    def send_encoded(self, msg_type: bytes, body: bytes) -> None:
        """Send an application message whose body is written already, SOH behind every field.

        It is not kept: a request to send it again is answered by a gap fill.
        """
        assert self.numbers.active, "an application message needs a session that is logged on"
        settings, seq = self.settings, self.numbers.next_out
        head = b"35=%b\x0134=%d\x0149=%b\x0152=%b\x0156=%b\x01" % (
            msg_type,
            seq,
            settings.sender_comp_id.encode("latin-1"),
            format_time(self._now_ns, settings.precision),
            settings.target_comp_id.encode("latin-1"),
        )
        begin = b"8=%b\x019=%d\x01" % (settings.begin_string.encode("latin-1"), len(head) + len(body))
        digits = (checksum(begin) + checksum(head) + checksum_of_long(body)) % 256
        self.numbers.next_out = seq + 1
        self.numbers.sent_ns = self._now_ns
        self._put(b"%b%b%b10=%03d\x01" % (begin, head, body, digits))
        self._note()

    def set_time(self, now_ns: int) -> None:
        """Say what time it is to what is sent next."""
        self._now_ns = now_ns

    @property
    def now_ns(self) -> int:
        """The time as the owner said it last."""
        return self._now_ns

    def take(self) -> list[Message]:
        """Take what was delivered; what was taken before counts as worked off and is not asked for again."""
        messages = list(self._delivered)
        self._delivered.clear()
        self._untaken_seq = messages[0].seq if messages else 0
        self._note()
        return messages

    def delivered_count(self) -> int:
        """Count what waits to be taken."""
        return len(self._delivered)

    def logout(self, text: str, now_ns: int) -> None:
        """Ask the other side to end the session."""
        self._now_ns = now_ns
        self.session.logout(text, now_ns)
        self._drain()

    def end(self, text: str, now_ns: int) -> None:
        """Log out and have the connection closed without waiting for an answer."""
        self.logout(text, now_ns)
        self.closing = self.closing or Disconnect(EndReason.CONNECTION_LOST, text)

    # --------------------------------------------------------------------------------------- what comes in

    def _receive_piece(self, piece: bytes) -> None:
        bytes_max = self.settings.message_bytes_max or MESSAGE_BYTES_MAX
        frames, garbled_bytes, self._rest = split(self._rest + piece, bytes_max)
        self._garbled_bytes += garbled_bytes
        if garbled_bytes:
            self.session.on_garbled(self._now_ns)
            self._drain()
        for frame in frames:
            if self.closing is not None:
                return
            self._receive_frame(frame)
        if self._garbled_bytes > GARBLED_BYTES_MAX and self.closing is None:
            text = f"a message has at most {bytes_max} bytes, {self._garbled_bytes} came that are none"
            self.end(text, self._now_ns)

    def _receive_frame(self, frame: bytes) -> None:
        try:
            message = parse(frame)
        except GarbledError:
            self._garbled_bytes += len(frame)
            self.session.on_garbled(self._now_ns)
            self._drain()
            return
        self._garbled_bytes = 0
        if self._trace is not None:
            self._trace("in", message)
        fault = self._check(message) if self._check is not None else None
        if fault is None:
            self.session.on_message(message, self._now_ns)
        else:
            self.session.on_fault(message, fault, self._now_ns)
        self._drain()

    # --------------------------------------------------------------------------------------- what is to be done

    def _drain(self) -> None:
        while self.session.actions:
            self._execute(self.session.actions.pop(0))
        self._note()

    def _execute(self, action: Action) -> None:
        match action:
            case Send():
                self._send(action.msg_type, action.fields, action.routing)
            case Resend():
                self._resend(action.begin, action.end)
            case Deliver():
                self._delivered.append(action.message)
                self._untaken_seq = self._untaken_seq or action.message.seq
                if self._application is not None:
                    self._application()
            case Authenticate():
                problem = self._authenticate(action.message) if self._authenticate is not None else ""
                if problem:
                    self.session.logon_refused(problem, self._now_ns)
                else:
                    self.session.logon_accepted(self._now_ns)
            case ResetNumbers():
                self.outbox.reset(action.next_in, action.next_out, action.period_ns)
                self._untaken_seq = 0
            case Ended():
                self.ended = action.reason
            case Disconnect():
                self.closing = action
            case _:  # Established: nothing waits for it
                self.ended = None

    def _send(self, msg_type: str, fields: tuple[Field, ...], routing: tuple[Field, ...]) -> None:
        seq, now = self.numbers.next_out, format_time(self._now_ns, self.settings.precision)
        if msg_type not in ADMIN_TYPES:
            self.outbox.keep(Stored(seq, msg_type, fields, now, routing))
        self.numbers.next_out += 1
        self.numbers.sent_ns = self._now_ns
        self._put(build(msg_type, fields, self._header(seq, now, routing)))

    def _resend(self, begin: int, end: int) -> None:
        now = format_time(self._now_ns, self.settings.precision)
        for item in replay(begin, end, self.outbox.between(begin, end)):
            if len(self.outgoing) > OUTGOING_BYTES_MAX:
                self.closing = Disconnect(EndReason.CONNECTION_LOST, "the other side does not read")
                return
            if isinstance(item, GapFill):
                self._put(build("4", item.fields, self._header(item.seq, now, (), now)))
            else:
                header = self._header(item.seq, now, item.routing, item.sending_time)
                self._put(build(item.msg_type, item.fields, header))

    def _put(self, frame: bytes) -> None:
        self.outgoing += frame
        if self._trace is not None:
            self._trace("out", parse(frame))

    def _header(self, seq: int, now: bytes, routing: tuple[Field, ...], original: bytes = b"") -> Header:
        return Header(
            sender_comp_id=self.settings.sender_comp_id.encode("latin-1"),
            target_comp_id=self.settings.target_comp_id.encode("latin-1"),
            seq=seq,
            sending_time=now,
            poss_dup=bool(original),
            orig_sending_time=original,
            routing=routing,
            begin_string=self.settings.begin_string.encode("latin-1"),
        )

    def _note(self) -> None:
        next_in = self.numbers.next_in
        if self._untaken_seq:
            next_in = min(next_in, self._untaken_seq)
        self.outbox.note(next_in, self.numbers.next_out)


def checksum_of_long(text: bytes) -> int:
    """Sum of all bytes modulo 256, at a cost that suits kilobytes."""
    return int(np.frombuffer(text, np.uint8).sum(dtype=np.uint64)) & 255
