"""The scripts of fix_specs/sessions hold against the venue's own FIX door, with its validation liberal and strict.

Goal: the gateway, its fast path and its strict rules keep what the session promises. Method: the door turned by hand, a
script's side on a real socket; played are the scripts in which no time passes, no message is delivered to an
application of the script's, and no fault is made up.
"""

import re
import socket
import sys
import time
from pathlib import Path

import pytest
from session_script import ScriptError, ScriptRun, same

from tradsys.fix.message import parse, split
from tradsys.fix.validation import Validator
from tradsys.gateways.fix_limits import FixLimits
from tradsys.gateways.fix_sessions import FixSessionConfig

sys.path.append(str(Path(__file__).resolve().parents[1] / "gateways"))
from fix_maker import FixDoor

FOLDER = Path(__file__).resolve().parents[2] / "fix_specs" / "sessions"
NOT_HERE = re.compile(r"^(T |R|A |F |O |S .*(initiator|schedule|accept|_delay|next_in|next_out|disconnect))", re.M)
# names that belong to no session are answered by the door, with a Logout of its own; the order in header_wrong_sender
# lacks what every order needs, and the gateway says that first
OF_THE_DOOR = ("header_wrong_sender", "logon_wrong_sender", "logon_wrong_target")
SCRIPTS = [
    path
    for path in sorted(FOLDER.glob("*.txt"))
    if not NOT_HERE.search(path.read_text()) and "edge" not in path.stem and path.stem not in OF_THE_DOOR
]
ANSWER_S = 60.0
QUIET_TURNS = 20


class GatewayRun(ScriptRun):
    """Plays a script as the other side of a socket of a door."""

    def __init__(self, script: str, piece_bytes: int, folder: Path) -> None:
        super().__init__(script, piece_bytes)
        self.folder = folder
        self.door: FixDoor | None = None
        self.peer: socket.socket | None = None
        self.rest, self.frames = b"", []

    def run(self) -> None:
        try:
            super().run()
        finally:
            self.disconnect("")
            if self.door is not None:
                self.door.close()

    def step(self, verb: str, rest: str) -> None:
        self.now_ns = time.time_ns()
        super().step(verb, rest)

    def connect(self, _: str) -> None:
        if self.door is None:
            config = FixSessionConfig(
                1, 1, self.settings, self.folder / "fix" / "000001", rules=self.compiled_rules()
            )
            self.door = FixDoor(self.folder, configs=[config], limits=FixLimits(refusal_delay_ms=50))
        self.door.until(lambda: self.door.gateway.connection_count == 0)
        self.rest, self.frames = b"", []
        self.peer = socket.create_connection(self.door.address)
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer.setblocking(False)

    def compiled_rules(self) -> Validator | None:
        """The script's rules as the gateway looks at them."""
        return None if self.rules is None else Validator(self.rules.dictionary, self.rules.strict)

    def disconnect(self, _: str) -> None:
        if self.peer is not None:
            self.peer.close()
            self.peer = None

    def receive(self, data: bytes) -> None:
        assert self.peer is not None
        for begin in range(0, len(data), self.piece_bytes):
            self.peer.sendall(data[begin : begin + self.piece_bytes])
            self.door.turn()

    def next_frame(self, seconds: float) -> bytes | None:
        """Give the next message sent, None when there is none in time, empty bytes when the connection is closed."""
        assert self.peer is not None
        deadline = time.monotonic() + seconds
        turns = 0
        while not self.frames and (turns < QUIET_TURNS or time.monotonic() < deadline):
            turns += 1
            self.door.turn()
            try:
                data = self.peer.recv(65536)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                data = b""
            if not data:
                return b""
            self.frames, garbled, self.rest = split(self.rest + data)
            assert not garbled
        return self.frames.pop(0) if self.frames else None

    def expect(self, rest: str) -> None:
        frame = self.next_frame(ANSWER_S)
        assert frame, f"nothing was sent: {frame!r}"
        message = parse(frame)
        expected = self.fields(rest)
        named = {tag for tag, _ in expected}
        found = [pair for pair in message.fields if pair[0] not in (8, 9, 49, 52, 56, 10) or pair[0] in named]
        fits = len(found) == len(expected) and all(map(same, found, expected))
        assert fits, f"sent was {message!r}"

    def expect_close(self, rest: str) -> None:
        frame = self.next_frame(ANSWER_S)
        assert frame == b"", f"the connection is kept open: {frame!r}"
        self.disconnect("")

    def verify(self, rest: str) -> None:
        """Look at the numbers; the rest of what is asked is not seen from outside."""
        self.next_frame_kept()
        deadline = time.monotonic() + ANSWER_S
        for name, value in (item.split("=", 1) for item in rest.split()):
            if name in ("next_in", "next_out"):
                while str(found := self.door.session()[name]) != value:
                    assert time.monotonic() < deadline, f"{name} was {found}"
                    self.door.turn()

    def next_frame_kept(self) -> None:
        """Let the door work off what was sent."""
        frame = self.next_frame(0.0) if self.peer is not None else None
        if frame:
            self.frames.insert(0, frame)

    def expect_silence(self) -> None:
        if self.peer is not None:
            frame = self.next_frame(0.0)
            assert not frame, f"sent was {frame!r}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("piece_bytes", [1 << 20, pytest.param(7, marks=pytest.mark.heavy)])
def test_script(path: Path, piece_bytes: int, tmp_path: Path) -> None:
    GatewayRun(path.read_text(encoding="latin-1"), piece_bytes, tmp_path / "venue").run()


def test_many_scripts_are_played_and_some_of_them_are_strict() -> None:
    assert len(SCRIPTS) >= 45
    assert sum("rules=strict" in path.read_text() for path in SCRIPTS) >= 8


@pytest.mark.parametrize(
    "line",
    ["E 35=3|34=3", "I 35=1|34=2|112=a", "I 35=0|34=2\nV next_in=9", "I 35=5|34=2\nE 35=5|34=2\nX\nV next_in=9"],
)
def test_a_script_that_expects_something_else_fails(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_scripts_on_gateway.ANSWER_S", 0.3)
    script = f"C\nI 35=A|34=1|98=0|108=30\nE 35=A|34=1|98=0|108=30|383=16384\n{line}\nI 35=0|34=3\nC"
    with pytest.raises(ScriptError):
        GatewayRun(script, 1 << 20, tmp_path / "venue").run()
