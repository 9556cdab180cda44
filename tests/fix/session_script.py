"""Runs the scripts of fix_specs/sessions against a session without sockets. Their form: fix_specs/sessions/README.md."""

import re
from functools import cache
from pathlib import Path

from session_owner import Disk, SessionOwner

from tradsys.fix.actions import Fault
from tradsys.fix.dictionary import load
from tradsys.fix.message import Field, Message, checksum, format_time, frame_of, parse, parse_time
from tradsys.fix.rules import Rules
from tradsys.fix.schedule import Schedule
from tradsys.fix.settings import SessionSettings, changed, conformance

START = b"20240102-12:00:00.000"  # a Tuesday
TICK_NS = 100 * 10**6
UNITS = {"ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}
TIME = re.compile(r"<now(?:([+-][0-9.]+)(ms|s|min|h))?>")
SPECS = Path(__file__).resolve().parents[2] / "fix_specs"
IMPLIED = (8, 9, 49, 52, 56, 10)


class ScriptError(AssertionError):
    """A script's expectation was not met, or its line has no sense."""


class ScriptRun:
    """One run of one script."""

    def __init__(self, script: str, piece_bytes: int = 1 << 20) -> None:
        self.lines = script.splitlines()
        self.piece_bytes = piece_bytes  # what comes in is cut into pieces of so many bytes
        self.settings = SessionSettings(sender_comp_id="VENUE", target_comp_id="DESK", precision="ms")
        self.disk = Disk()
        self.is_initiator = False
        self.accepts_at_once = True
        self.now_ns = parse_time(START)
        self.owner: SessionOwner | None = None
        self.fault: Fault | None = None
        self.rules: Rules | None = None
        self.seen = 0  # deliveries asked about

    def run(self) -> None:
        for number, line in enumerate(self.lines, 1):
            verb, _, rest = line.partition(" ")
            if not verb or verb.startswith("#"):
                continue
            try:
                self.step(verb, rest.strip())
            except Exception as error:
                raise ScriptError(f"line {number}: {line}\n{error}") from error
        self.expect_silence()

    def step(self, verb: str, rest: str) -> None:
        if verb not in "EAX":
            self.expect_silence()
        steps = {
            "S": self.set, "C": self.connect, "D": self.disconnect, "R": self.restart, "I": self.message_in,
            "G": self.bytes_in, "F": self.fault_of_next, "E": self.expect, "A": self.expect_delivery,
            "X": self.expect_close, "T": self.pass_time, "O": self.owner_does, "V": self.verify,
        }  # fmt: skip
        steps[verb](rest)

    # settings and connection

    def set(self, rest: str) -> None:
        for name, value in (item.split("=", 1) for item in rest.split()):
            if name == "conformance":
                self.settings = conformance()
            elif name == "schedule":
                start, end = value.split("-")
                self.settings = changed(self.settings, schedule=Schedule(start=start, end=end))
            elif name == "initiator":
                self.is_initiator = value == "yes"
            elif name == "accept":
                self.accepts_at_once = value != "later"
            elif name == "rules":
                self.rules = rules_of(value)
            elif name in ("next_in", "next_out"):
                setattr(self.disk, name, int(value))
            else:
                self.settings = changed(self.settings, **{name: plain(value, getattr(self.settings, name))})

    def restart(self, _: str = "") -> None:
        self.owner = SessionOwner(
            self.settings, self.disk, self.is_initiator, self.check, self.accepts_at_once
        )
        self.owner.now_ns = self.now_ns
        self.seen = 0

    def check(self, message: Message) -> Fault | None:
        fault, self.fault = self.fault, None
        return self.rules.check(message) if fault is None and self.rules is not None else fault

    @property
    def live(self) -> SessionOwner:
        if self.owner is None:
            self.restart()
        assert self.owner is not None
        return self.owner

    def connect(self, _: str) -> None:
        self.live.connect()

    def disconnect(self, _: str) -> None:
        self.live.disconnect()

    # what comes in

    def message_in(self, rest: str) -> None:
        fields = self.fields(rest)
        given = {tag for tag, _ in fields}
        begin_string = next((value for tag, value in fields if tag == 8), b"FIX.4.4")
        fields = [(tag, value) for tag, value in fields if tag != 8 and (tag, value) != (tag, b"-")]
        names = [(49, self.settings.target_comp_id), (52, ""), (56, self.settings.sender_comp_id)]
        for tag, text in names:
            if tag not in given:
                value = text.encode() or format_time(self.now_ns, "ms")
                fields.insert(min(2 + names.index((tag, text)), len(fields)), (tag, value))
        self.receive(frame_of(fields, begin_string))

    def bytes_in(self, rest: str) -> None:
        data = self.timed(rest).replace("|", "\x01").encode("latin-1")
        if data.endswith(b"10=?\x01"):
            data = data[:-5] + b"10=%03d\x01" % checksum(data[:-5])
        self.receive(data)

    def receive(self, data: bytes) -> None:
        for begin in range(0, len(data), self.piece_bytes):
            self.live.receive(data[begin : begin + self.piece_bytes])

    def fault_of_next(self, rest: str) -> None:
        reason, *tag = (int(word) for word in rest.split())
        self.fault = Fault(reason, *tag)

    def pass_time(self, rest: str) -> None:
        match = re.fullmatch(r"([0-9.]+)(ms|s|min|h)", rest)
        assert match, f"a time is like 3s or 200ms, was {rest}"
        end = self.now_ns + round(float(match[1]) * UNITS[match[2]])
        tick = TICK_NS if end - self.now_ns <= 600 * UNITS["s"] else end - self.now_ns
        while self.now_ns < end:
            self.now_ns = min(end, self.now_ns + tick)
            self.live.pass_time(self.now_ns)

    def owner_does(self, rest: str) -> None:
        what, _, text = rest.partition(" ")
        owner = self.live
        if what == "send":
            (_, msg_type), *fields = self.fields(text)
            owner.send(msg_type.decode(), tuple(fields))
            return
        if what == "accept":
            owner.session.logon_accepted(self.now_ns)
        elif what == "refuse":
            owner.session.logon_refused(text, self.now_ns)
        elif what == "logout":
            owner.session.logout(text, self.now_ns)
        elif what == "reset":
            owner.session.reset_numbers(self.now_ns)
        else:
            raise ScriptError(f"an owner does not {what}")
        owner.drain()

    # what is expected

    def expect(self, rest: str) -> None:
        assert self.live.outgoing, "nothing was sent"
        message = parse(self.live.outgoing.pop(0))
        assert message.text(49) == self.settings.sender_comp_id
        assert message.text(56) == self.settings.target_comp_id
        expected = self.fields(rest)
        named = {tag for tag, _ in expected}
        found = [pair for pair in message.fields if pair[0] not in IMPLIED or pair[0] in named]
        fits = len(found) == len(expected) and all(map(same, found, expected))
        assert fits, f"sent was {Message(found)!r}"

    def expect_delivery(self, rest: str) -> None:
        assert len(self.live.delivered) > self.seen, "nothing was delivered"
        message = self.live.delivered[self.seen]
        self.seen += 1
        for tag, value in self.fields(rest):
            assert same((tag, message.get(tag, b"") or b""), (tag, value)), f"delivered was {message!r}"

    def expect_close(self, rest: str) -> None:
        close = self.live.close_reason
        assert close is not None, "the connection is kept open"
        assert rest in ("", close.reason.value), f"closed because of {close.reason}: {close.text}"
        self.live.close_reason = None
        self.expect_silence()
        self.live.disconnect()

    def verify(self, rest: str) -> None:
        owner = self.live
        values = {
            "next_in": owner.numbers.next_in,
            "next_out": owner.numbers.next_out,
            "active": owner.numbers.active,
            "fast": owner.numbers.fast,
            "heartbeat_s": owner.numbers.heartbeat_ns // UNITS["s"],
            "state": owner.session.state.name,
            "ended": owner.ended[-1].name if owner.ended else "",
            "established": owner.established,
            "garbled": owner.session.garbled_count,
        }
        for name, value in (item.split("=", 1) for item in rest.split()):
            is_cut_up = name == "garbled" and self.piece_bytes < 1000  # noise counts once a piece
            assert is_cut_up or value == str(values[name]), f"{name} was {values[name]}"

    def expect_silence(self) -> None:
        if self.owner is None:
            return
        sent = [parse(frame) for frame in self.owner.outgoing]
        assert not sent, f"sent was {sent}"
        late = self.owner.delivered[self.seen :]
        assert not late, f"delivered was {late}"
        close = self.owner.close_reason
        assert close is None, f"closed because of {close}"

    # reading

    def fields(self, text: str) -> list[Field]:
        pairs = (item.split("=", 1) for item in self.timed(text).split("|") if item)
        return [(int(tag), value.encode("latin-1")) for tag, value in pairs]

    def timed(self, text: str) -> str:
        def moment(match: re.Match[str]) -> str:
            shift = round(float(match[1]) * UNITS[match[2]]) if match[1] else 0
            return format_time(self.now_ns + shift, "ms").decode()

        return TIME.sub(moment, text)


@cache
def rules_of(name: str) -> Rules:
    """Make the rules of our dictionary: strict or liberal."""
    assert name in ("strict", "liberal"), name
    dictionary = load(SPECS / "TRADSYS-FIX44.xml", SPECS / "CONFORMANCE-FIX44.xml")
    return Rules(dictionary, strict=name == "strict")


def same(found: Field, expected: Field) -> bool:
    """Compare two fields; ``*`` is any value."""
    return found[0] == expected[0] and expected[1] in (found[1], b"*")


def plain(text: str, example: object) -> object:
    """Read a setting's value as what it is now."""
    if isinstance(example, bool):
        return text == "yes"
    if isinstance(example, int):
        match = re.fullmatch(r"([0-9]+)(ms|s|min|h)?", text)
        assert match, text
        return int(match[1]) * UNITS.get(match[2] or "", 1)
    if isinstance(example, tuple):
        return tuple((int(tag), value.encode()) for tag, value in (p.split(":") for p in text.split(",")))
    return text


def run_script(path: Path, piece_bytes: int) -> None:
    """Run one script; raise ``ScriptError`` with the line that is not met."""
    ScriptRun(path.read_text(encoding="latin-1"), piece_bytes).run()
