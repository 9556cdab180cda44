"""The venue's side of a FIX session that a client is examined with: it may leave out, repeat and spoil what it likes.

It counts both numbers itself, answers what a venue answers, and remembers what the client did.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress

from tradsys.fix.actions import Fault
from tradsys.fix.message import Field, GarbledError, Header, Message, build, format_time, parse, split
from tradsys.fix.replay import GapFill, Stored, replay

ADMIN_TYPES = frozenset("012345A")
RECEIVE_BYTES = 64 << 10
REPLAYS_MAX = 100  # ResendRequests answered; a client that asks without end fails
KEPT_MAX = 10_000  # messages of the client's remembered; one that sends more fails


class Failure(Exception):
    """The client did something else than expected; the text says what."""


class Examiner:
    """One session with the client under test, over as many connections as it takes.

    Parameters
    ----------
    listener : socket
        Where the client connects.
    sender, target : str
        Our CompID and the client's.
    check : callable
        Finds the fault of a message of the client's.
    wait_s : float
        For the client to connect and to answer.
    """

    def __init__(
        self,
        listener: socket.socket,
        sender: str,
        target: str,
        check: Callable[[Message], Fault | None],
        wait_s: float,
    ) -> None:
        self.sender, self.target, self.wait_s = sender, target, wait_s
        self.next_in = self.next_out = 1
        self.heartbeat_s = 0
        self.asked: list[tuple[int, int]] = []  # ranges the client asked for again
        self.again: list[Message] = []  # what it sent with PossDupFlag
        self.application: list[Message] = []  # what it sent of its own, once each
        self.faults: list[str] = []  # of messages that are not as the dictionary says
        self.answers_tests = True
        self._check = check
        self._listener = listener
        self._socket: socket.socket | None = None
        self._rest, self._messages = b"", list[Message]()
        self._stored: list[Stored] = []

    # ------------------------------------------------------------------------------------------- connection

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._socket is not None

    def accept(self) -> Message:
        """Wait for the client and give its first message, which is a Logon; its number is not looked at yet."""
        self.cut()
        deadline = time.monotonic() + self.wait_s
        while True:
            self._listener.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                self._socket, _ = self._listener.accept()
            except TimeoutError:
                raise Failure(f"no connection within {self.wait_s:g} s") from None
            self._rest, self._messages = b"", []
            with suppress(Failure):  # a client that closes again may come once more
                first = self._read(deadline)
                if first is not None:
                    break
            self.cut()
        if first.msg_type != "A":
            raise Failure(f"the first message is a Logon, was {first}")
        names = first.text(49), first.text(56)
        if names != (self.target, self.sender):
            raise Failure(
                f"the Logon's 49 and 56 are {self.target} and {self.sender}, were {names[0]} and {names[1]}"
            )
        return first

    def cut(self) -> None:
        """Close the connection without a word."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # ------------------------------------------------------------------------------------------- sending

    def send(self, msg_type: str, *fields: Field) -> int:
        """Send a message with the next number, and return that."""
        seq, now = self.next_out, format_time(time.time_ns(), "us")
        if msg_type not in ADMIN_TYPES:
            self._stored.append(Stored(seq, msg_type, fields, now))
        self.next_out += 1
        if self._socket is not None:  # else it waits for the client to ask for it
            self.put(self.frame(msg_type, seq, *fields))
        return seq

    def frame(self, msg_type: str, seq: int, *fields: Field, first_sent: bytes = b"") -> bytes:
        """Write a message; one that has been sent before says when."""
        return build(msg_type, fields, Header(
            sender_comp_id=self.sender.encode(), target_comp_id=self.target.encode(), seq=seq,
            sending_time=format_time(time.time_ns(), "us"), poss_dup=bool(first_sent), orig_sending_time=first_sent,
        ))  # fmt: skip

    def put(self, data: bytes) -> None:
        """Send bytes as they are."""
        if self._socket is None:
            raise Failure("the client closed the connection")
        try:
            self._socket.settimeout(self.wait_s)
            self._socket.sendall(data)
        except OSError as error:
            self.cut()
            raise Failure(f"the client closed the connection: {error}") from None

    def reset(self) -> None:
        """Begin with both numbers at 1."""
        self.next_in = self.next_out = 1
        self._stored.clear()

    def _replay(self, request: Message) -> None:
        begin, end = request.number(7), request.number(16) or self.next_out - 1
        end = min(end, self.next_out - 1)
        self.asked.append((begin, request.number(16)))
        if not 1 <= begin <= end or len(self.asked) > REPLAYS_MAX:
            raise Failure(f"a ResendRequest asks for numbers from 1 to {self.next_out - 1}, was {request}")
        now = format_time(time.time_ns(), "us")
        for piece in replay(begin, end, [one for one in self._stored if begin <= one.seq <= end]):
            if isinstance(piece, GapFill):
                self.put(self.frame("4", piece.seq, *piece.fields, first_sent=now))
            else:
                self.put(self.frame(piece.msg_type, piece.seq, *piece.fields, first_sent=piece.sending_time))

    # ------------------------------------------------------------------------------------------- receiving

    def expect(
        self, msg_type: str, within_s: float, holds: Callable[[Message], bool] = lambda _: True
    ) -> Message:
        """Wait for a message that answers; others are taken meanwhile, a Reject or Logout is a failure."""
        deadline = time.monotonic() + within_s
        while (message := self._read(deadline)) is not None:
            if message.msg_type == msg_type and holds(message):
                return message
            if message.msg_type in "35":
                raise Failure(f"{msg_type} expected, was {message}")
            if time.monotonic() >= deadline:
                break
        raise Failure(f"no {msg_type} within {within_s:g} s")

    def expect_close(self, within_s: float) -> None:
        """Wait for the client to close the connection; else do it."""
        deadline = time.monotonic() + within_s
        with suppress(Failure):
            while self._socket is not None and self._read(deadline) is not None:
                pass
        self.cut()

    def _read(self, deadline: float) -> Message | None:
        """Take the next message of the client and do what every venue does with it; None: none came in time."""
        while not self._messages:
            if self._socket is None:
                raise Failure("the client closed the connection")
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self._socket.recv(RECEIVE_BYTES)
            except TimeoutError:
                return None
            except OSError:
                data = b""
            if not data:
                self.cut()
                raise Failure("the client closed the connection")
            frames, garbled_bytes, self._rest = split(self._rest + data)
            if garbled_bytes:
                raise Failure(f"{garbled_bytes} bytes of the client's are no message")
            try:
                self._messages += [parse(frame) for frame in frames]
            except GarbledError as error:
                raise Failure(f"a message of the client's is garbled: {error}") from None
        return self._take(self._messages.pop(0))

    def _take(self, message: Message) -> Message:
        if len(self.application) + len(self.again) + len(self.faults) >= KEPT_MAX:
            raise Failure(f"at most {KEPT_MAX} messages are expected, more came")
        fault = self._check(message)
        if fault is not None:
            self.faults.append(f"{message}: 373={fault.reason}, tag {fault.ref_tag}")
        if message.msg_type == "A":
            return message
        if message.flag(43):
            self.again.append(message)
            return message
        if message.msg_type == "4" and not message.flag(123):
            self.next_in = message.number(36)
            return message
        if message.seq != self.next_in:
            raise Failure(f"the client's next number is {self.next_in}, was {message}")
        self.next_in += 1
        if message.msg_type == "1" and self.answers_tests:
            self.send("0", (112, message.get(112, b"") or b""))
        elif message.msg_type == "2":
            self._replay(message)
        elif message.msg_type not in ADMIN_TYPES:
            self.application.append(message)
        return message
