"""An owner of a FIX session in memory: it executes the actions, keeps what was sent, and has no socket."""

from collections.abc import Callable

from msgspec import Struct, field

from tradsys.fix.actions import (
    Action,
    Authenticate,
    Deliver,
    Disconnect,
    Ended,
    EndReason,
    Established,
    Fault,
    Resend,
    ResetNumbers,
    Send,
)
from tradsys.fix.message import Field, GarbledError, Header, Message, build, format_time, parse, split
from tradsys.fix.numbers import SessionNumbers
from tradsys.fix.replay import GapFill, Stored, replay
from tradsys.fix.session import FixSession
from tradsys.fix.settings import SessionSettings

ADMIN = set("012345A")


class Disk(Struct):
    """What survives a restart."""

    next_in: int = 1
    next_out: int = 1
    period_ns: int = 0
    stored: list[Stored] = field(default_factory=list)


class SessionOwner:
    """One session and its owner. ``outgoing`` holds the frames sent, ``delivered`` the application's messages."""

    def __init__(
        self,
        settings: SessionSettings,
        disk: Disk,
        initiator: bool = False,
        check: Callable[[Message], Fault | None] = lambda message: None,
        accepts_at_once: bool = True,
    ) -> None:
        self.settings, self.disk, self.check = settings, disk, check
        self.numbers = SessionNumbers(disk.next_in, disk.next_out)
        self.session = FixSession(settings, self.numbers, initiator, disk.period_ns)
        self.accepts_at_once = accepts_at_once
        self.outgoing: list[bytes] = []
        self.delivered: list[Message] = []
        self.ended: list[EndReason] = []
        self.established = self.resets = 0
        self.close_reason: Disconnect | None = None
        self.rest = b""
        self.now_ns = 0

    # what happens to it

    def connect(self) -> None:
        self.rest, self.close_reason = b"", None
        self.session.on_connect(self.now_ns)
        self.drain()

    def disconnect(self) -> None:
        self.session.on_disconnect(self.now_ns)
        self.drain()

    def receive(self, data: bytes) -> None:
        frames, garbled, self.rest = split(self.rest + data)
        if garbled:
            self.session.on_garbled(self.now_ns)
            self.drain()
        for frame in frames:
            self.receive_frame(frame)

    def receive_frame(self, frame: bytes) -> None:
        try:
            message = parse(frame)
        except GarbledError:
            self.session.on_garbled(self.now_ns)
        else:
            fault = self.check(message)
            if fault is None:
                self.session.on_message(message, self.now_ns)
            else:
                self.session.on_fault(message, fault, self.now_ns)
        self.drain()

    def pass_time(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self.session.on_time(now_ns)
        self.drain()

    # what it does

    def drain(self) -> None:
        actions, self.session.actions[:] = list(self.session.actions), []
        for action in actions:
            self.execute(action)
        self.disk.next_in, self.disk.next_out = self.numbers.next_in, self.numbers.next_out

    def execute(self, action: Action) -> None:
        match action:
            case Send():
                self.send(action.msg_type, action.fields, action.routing)
            case Resend():
                self.resend(action.begin, action.end)
            case Deliver():
                self.delivered.append(action.message)
            case Authenticate():
                if self.accepts_at_once:
                    self.session.logon_accepted(self.now_ns)
                    self.drain()
            case ResetNumbers():
                self.resets += 1
                self.disk.stored.clear()
                self.disk.period_ns = action.period_ns
            case Established():
                self.established += 1
            case Ended():
                self.ended.append(action.reason)
            case Disconnect():
                self.close_reason = action
            case _:
                raise AssertionError(action)

    def send(self, msg_type: str, fields: tuple[Field, ...], routing: tuple[Field, ...] = ()) -> None:
        seq, now = self.numbers.next_out, format_time(self.now_ns, self.settings.precision)
        self.numbers.next_out += 1
        self.numbers.sent_ns = self.now_ns
        if msg_type not in ADMIN:
            self.disk.stored.append(Stored(seq, msg_type, fields, now, routing))
        self.disk.next_out = self.numbers.next_out
        self.outgoing.append(build(msg_type, fields, self.header(seq, now, routing)))

    def resend(self, begin: int, end: int) -> None:
        now = format_time(self.now_ns, self.settings.precision)
        for item in replay(begin, end, [kept for kept in self.disk.stored if begin <= kept.seq <= end]):
            if isinstance(item, GapFill):
                frame = build("4", item.fields, self.header(item.seq, now, (), now))
            else:
                frame = build(
                    item.msg_type, item.fields, self.header(item.seq, now, item.routing, item.sending_time)
                )
            self.outgoing.append(frame)

    def header(self, seq: int, now: bytes, routing: tuple[Field, ...], original: bytes = b"") -> Header:
        return Header(
            sender_comp_id=self.settings.sender_comp_id.encode(),
            target_comp_id=self.settings.target_comp_id.encode(),
            seq=seq,
            sending_time=now,
            poss_dup=bool(original),
            orig_sending_time=original,
            routing=routing,
        )
