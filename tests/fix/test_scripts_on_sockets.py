"""The scripts of fix_specs/sessions in which no time passes hold over a real socket against the stand-alone acceptor.

Method: a quiet application in place of the echo, so that what is sent is the session's alone.
"""

import array
import fcntl
import re
import socket
import termios
import time
from pathlib import Path

import pytest
from acceptor_thread import AcceptorThread
from session_script import ScriptError, ScriptRun, same

from tradsys.app.fix_acceptor import EchoAcceptor
from tradsys.fix.message import Message, parse, split

FOLDER = Path(__file__).resolve().parents[2] / "fix_specs" / "sessions"
NEEDS_MORE = re.compile(
    r"^(T |R|S .*(initiator|schedule|accept|_delay|next_in|next_out|disconnect)|O (accept|refuse|reset))",
    re.M,
)
SCRIPTS = [
    path
    for path in sorted(FOLDER.glob("*.txt"))
    if not NEEDS_MORE.search(path.read_text()) and "edge" not in path.stem
]
ANSWER_S = 60.0
SILENCE_S = 0.03


class SocketRun(ScriptRun):
    """Plays a script as the other side of a socket."""

    def __init__(self, script: str, piece_bytes: int) -> None:
        super().__init__(script, piece_bytes)
        self.server: AcceptorThread | None = None
        self.peer: socket.socket | None = None
        self.rest = b""
        self.frames: list[bytes] = []
        self.messages: list[Message] = []  # delivered
        self.steps_left = sum(bool(line) and not line.startswith("#") for line in self.lines)

    def run(self) -> None:
        try:
            super().run()
        except ScriptError:
            raise
        except AssertionError as error:
            raise ScriptError(f"at the end: {error}") from error
        finally:
            self.disconnect("")
            if self.server is not None:
                self.server.__exit__()
                self.server = None

    def step(self, verb: str, rest: str) -> None:
        self.now_ns = time.time_ns()
        super().step(verb, rest)
        self.steps_left -= 1

    @property
    def link(self):
        assert self.server is not None
        name = self.settings.target_comp_id, self.settings.sender_comp_id
        return self.server.acceptor.sessions[name].link

    def connect(self, _: str) -> None:
        if self.server is None:
            acceptor = EchoAcceptor(self.settings, (self.settings.target_comp_id,))
            for session in acceptor.sessions.values():
                session.link._application = lambda link=session.link: self.messages.extend(link.take())
                session.link._check = self.check
            self.server = AcceptorThread(acceptor)
            self.server.__enter__()
        self.server.wait_until(lambda: not self.link.is_connected)
        self.rest, self.frames = b"", []
        self.peer = socket.create_connection(("127.0.0.1", self.server.port))
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def disconnect(self, _: str) -> None:
        if self.peer is not None:
            self.peer.close()
            self.peer = None

    def receive(self, data: bytes) -> None:
        assert self.peer is not None
        for begin in range(0, len(data), self.piece_bytes):
            self.peer.sendall(data[begin : begin + self.piece_bytes])

    def owner_does(self, rest: str) -> None:
        what, _, text = rest.partition(" ")

        def act() -> None:
            if what == "send":
                (_, msg_type), *fields = self.fields(text)
                self.link.send(msg_type.decode(), tuple(fields))
            else:
                assert what == "logout", what
                self.link.logout(text, time.time_ns())
            for connection in self.server.acceptor.connections:
                connection.flush()

        self.server.call(act)

    def next_frame(self, seconds: float) -> bytes | None:
        """Give the next message sent, None when there is none in time, empty bytes when the connection is closed."""
        assert self.peer is not None
        deadline = time.monotonic() + seconds
        while not self.frames:
            self.peer.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self.peer.recv(65536)
            except TimeoutError:
                return None
            except ConnectionResetError:
                return b""
            if not data:
                return b""
            self.frames, garbled, self.rest = split(self.rest + data)
            assert not garbled
        return self.frames.pop(0)

    def expect(self, rest: str) -> None:
        frame = self.next_frame(ANSWER_S)
        assert frame, f"nothing was sent: {frame!r}"
        message = parse(frame)
        expected = self.fields(rest)
        named = {tag for tag, _ in expected}
        found = [pair for pair in message.fields if pair[0] not in (8, 9, 49, 52, 56, 10) or pair[0] in named]
        fits = len(found) == len(expected) and all(map(same, found, expected))
        assert fits, f"sent was {message!r}"

    def expect_delivery(self, rest: str) -> None:
        self.server.wait_until(lambda: len(self.messages) > self.seen, ANSWER_S)
        message = self.messages[self.seen]
        self.seen += 1
        for tag, value in self.fields(rest):
            assert same((tag, message.get(tag, b"") or b""), (tag, value)), f"delivered was {message!r}"

    def expect_close(self, rest: str) -> None:
        frame = self.next_frame(ANSWER_S)
        assert frame == b"", f"the connection is kept open: {frame!r}"
        self.disconnect("")

    def verify(self, rest: str) -> None:
        """Look at the numbers; the rest of what is asked is not seen from outside."""
        for name, value in (item.split("=", 1) for item in rest.split()):
            if name in ("next_in", "next_out"):
                self.server.wait_until(
                    lambda name=name, value=value: str(getattr(self.link.numbers, name)) == value, ANSWER_S
                )

    def fault_of_next(self, rest: str) -> None:
        self.settle()
        super().fault_of_next(rest)

    def settle(self) -> None:
        """Wait until what was sent is worked off: it has left here, and nothing lies unread there."""

        def is_worked_off() -> bool:
            sockets = [one.transport.get_extra_info("socket") for one in self.server.acceptor.connections]
            return (
                self.fault is None
                and (self.peer is None or bytes_of(self.peer, termios.TIOCOUTQ) == 0)
                and all(bytes_of(one, termios.FIONREAD) == 0 for one in sockets)
            )

        self.server.wait_until(is_worked_off, ANSWER_S)

    def expect_silence(self) -> None:
        """Nothing is left over: what was read, and at the end of a connection what comes within a moment."""
        assert not self.frames, f"sent was {self.frames}"
        is_last = self.peer is not None and not self.steps_left
        if is_last:
            frame = self.next_frame(SILENCE_S)
            assert not frame, f"sent was {frame!r}"


def bytes_of(one: socket.socket, request: int) -> int:
    """How many bytes a socket has: unread ones, or those sent that the other side has not."""
    found = array.array("i", [0])
    fcntl.ioctl(one.fileno(), request, found)
    return found[0]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("piece_bytes", [1 << 20, pytest.param(7, marks=pytest.mark.heavy)])
def test_script(path: Path, piece_bytes: int) -> None:
    SocketRun(path.read_text(encoding="latin-1"), piece_bytes).run()


def test_most_scripts_are_played() -> None:
    assert len(SCRIPTS) >= 50


@pytest.mark.parametrize(
    "line",
    [
        "E 35=A|34=2|98=0|108=30|383=16384",
        "E 35=A|34=1|98=0|108=30|383=16384\nI 35=1|34=2|112=a",
        "E 35=A|34=1|98=0|108=30|383=16384\nI 35=5|34=2\nE 35=5|34=2\nX\nC\nX",
        "E 35=A|34=1|98=0|108=30|383=16384\nI 35=1|34=2|112=a\nV next_in=3",
    ],
)
def test_a_script_that_expects_something_else_fails(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_scripts_on_sockets.ANSWER_S", 0.3)
    with pytest.raises(ScriptError):
        SocketRun(f"C\nI 35=A|34=1|98=0|108=30\n{line}", 1 << 20).run()
