"""Goal: the stand-alone acceptor behaves as the public cases expect, and nothing a peer sends harms another one.

Method: bytes of our own over real sockets; the process itself is started once.
"""

import re
import socket
import struct
import subprocess
import sys
import time

import pytest
from acceptor_thread import AcceptorThread

from tradsys.app import fix_acceptor
from tradsys.app.fix_acceptor import EchoAcceptor
from tradsys.app.fix_rules import CONFORMANCE, load_dictionary
from tradsys.fix.message import format_time, frame_of, parse, split
from tradsys.fix.settings import conformance

LOGON = ((98, b"0"), (108, b"30"))
NOW = object()


class Peer:
    """The other side, without a session's manners."""

    def __init__(self, port, name=b"TW44"):
        self.name = name
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest, self.frames = b"", []

    def frame(self, msg_type, seq, *body, header=()):
        now = format_time(time.time_ns())
        head = [(35, msg_type), (34, b"%d" % seq), (49, self.name), (52, now), (56, b"ISLD"), *header]
        return frame_of([*head, *((tag, now if value is NOW else value) for tag, value in body)])

    def send(self, *frames, piece_bytes=1 << 20):
        data = b"".join(frames)
        for begin in range(0, len(data), piece_bytes):
            self.socket.sendall(data[begin : begin + piece_bytes])

    def receive(self, seconds=60.0):
        """Give the next message; None when the connection is closed."""
        self.socket.settimeout(seconds)
        while not self.frames:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.frames, _, self.rest = split(self.rest + data)
        return parse(self.frames.pop(0))

    def log_on(self):
        self.send(self.frame(b"A", 1, *LOGON))
        assert self.receive().msg_type == "A"
        return self

    def order(self, seq, name=b"id", header=()):
        body = ((60, NOW), (11, name), (21, b"1"), (55, b"INTC"), (54, b"1"), (40, b"1"), (38, b"5"))
        return self.frame(b"D", seq, *body, header=header)

    def close(self):
        self.socket.close()


@pytest.fixture(scope="module")
def dictionary():
    return load_dictionary(None, CONFORMANCE)


@pytest.fixture
def server(dictionary):
    with AcceptorThread(EchoAcceptor(conformance(), ("TW44", "TW"), dictionary, is_strict=True)) as thread:
        yield thread


@pytest.fixture
def peer(server):
    peer = Peer(server.port)
    yield peer
    peer.close()


def tags(message):
    return [tag for tag, _ in message.fields]


@pytest.mark.parametrize("piece_bytes", [1 << 20, 7, 1])
def test_an_order_comes_back_by_tag(peer, piece_bytes):
    peer.send(peer.frame(b"A", 1, *LOGON), peer.order(2), peer.order(3, b"id2"), piece_bytes=piece_bytes)
    assert tags(peer.receive()) == [8, 9, 35, 34, 49, 52, 56, 98, 108, 10]
    echo = peer.receive()
    assert tags(echo) == [8, 9, 35, 34, 49, 52, 56, 11, 21, 38, 40, 54, 55, 60, 10]
    assert (echo.text(49), echo.text(56), echo.text(11)) == ("ISLD", "TW44", "id")
    assert peer.receive().text(11) == "id2"


def test_entries_of_a_group_stay_behind_their_count(dictionary):
    section = dictionary.messages["D"].body
    body = [
        (55, b"X"),
        (453, b"2"),
        (448, b"b"),
        (447, b"D"),
        (452, b"1"),
        (448, b"a"),
        (452, b"2"),
        (11, b"i"),
    ]
    assert [tag for tag, _ in fix_acceptor.by_tag(body, section)] == [11, 55, 453, 448, 447, 452, 448, 452]


def test_a_group_without_entries_comes_back(peer):
    definition = ((320, b"r"), (322, b"a"), (323, b"6"), (55, b"INTC"), (58, b"nothing"), (454, b"0"))
    peer.log_on().send(peer.frame(b"d", 2, *definition), peer.frame(b"d", 3, *definition[:-1], (454, b"1")))
    assert tags(peer.receive()) == [8, 9, 35, 34, 49, 52, 56, 55, 58, 320, 322, 323, 454, 10]
    fault = peer.receive()
    assert (fault.msg_type, fault.get(371), fault.get(373)) == ("3", b"454", b"16")


def test_the_route_is_turned_round(peer):
    peer.log_on().send(peer.order(2, header=((115, b"JCD"), (116, b"CS"))))
    echo = peer.receive()
    assert (echo.get(128), echo.get(129), echo.has(115)) == (b"JCD", b"CS", False)


def test_what_the_application_does_not_know_is_refused(peer):
    peer.log_on().send(peer.frame(b"H", 2, (11, b"a"), (55, b"INTC"), (54, b"1")))
    refusal = peer.receive()
    assert tags(refusal)[-5:] == [45, 58, 372, 380, 10]
    assert (refusal.msg_type, refusal.get(45), refusal.get(380)) == ("j", b"2", b"3")


def test_strict_rules(peer):
    peer.log_on().send(peer.frame(b"D", 2, (11, b"a"), (5000, b"x")), peer.order(3))
    assert peer.receive().msg_type == "3"
    assert peer.receive().msg_type == "D"


def test_an_order_sent_again_is_known_until_logout(peer, server):
    again = ((97, b"Y"),)
    peer.log_on().send(peer.order(2, header=again), peer.order(3, header=again), peer.order(4, b"other"))
    first = peer.receive()
    assert (first.text(11), first.flag(97)) == ("id", True)
    assert peer.receive().text(11) == "other"
    peer.send(peer.frame(b"5", 5))
    assert peer.receive().msg_type == "5"
    assert peer.receive() is None
    fresh = Peer(server.port).log_on()
    fresh.send(fresh.order(2, header=again))
    assert fresh.receive().text(11) == "id"
    fresh.close()


def test_a_resend(peer):
    peer.log_on().send(peer.order(2), peer.frame(b"1", 3, (112, b"x")), peer.order(4, b"b"))
    original = peer.receive()
    assert [peer.receive().msg_type for _ in "0D"] == ["0", "D"]
    peer.send(peer.frame(b"2", 5, (7, b"1"), (16, b"0")))
    got = [peer.receive() for _ in range(4)]
    assert [(m.msg_type, m.seq, m.flag(43)) for m in got] == [
        ("4", 1, True), ("D", 2, True), ("4", 3, True), ("D", 4, True),
    ]  # fmt: skip
    assert got[1].get(122) == original.get(52)


def test_a_gap_is_asked_for_and_what_waited_is_taken_in_order(peer):
    peer.log_on().send(peer.order(3, b"late"))
    request = peer.receive()
    assert (request.msg_type, request.get(7), request.get(16)) == ("2", b"2", b"0")
    original = format_time(time.time_ns())
    peer.send(peer.order(2, b"missed", header=((43, b"Y"), (122, original)))[:0])
    now = format_time(time.time_ns())
    head = [(35, b"D"), (34, b"2"), (43, b"Y"), (49, b"TW44"), (52, now), (56, b"ISLD"), (122, original)]
    body = [(11, b"missed"), (21, b"1"), (38, b"5"), (40, b"1"), (54, b"1"), (55, b"INTC"), (60, now)]
    peer.send(frame_of(head + body))
    assert [peer.receive().text(11) for _ in range(2)] == ["missed", "late"]


def test_a_duplicate_identity_is_closed_and_the_first_stays(peer, server):
    peer.log_on()
    second = Peer(server.port)
    second.send(second.frame(b"A", 1, *LOGON))
    assert second.receive() is None
    second.close()
    other = Peer(server.port, b"TW").log_on()
    other.send(other.order(2))
    assert other.receive().text(56) == "TW"
    other.close()
    peer.send(peer.order(2))
    assert peer.receive().msg_type == "D"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n" * 10,
        b"8=FIX.4.4\x019=1\x0135=A\x0110=000\x01",
        b"\x00" * 100_000,
        b"8=FIX" * 20_000,
        b"8=FIX.4.4\x019=999999\x01" + b"x" * 50_000,
    ],
)
def test_garbage_for_a_logon_is_closed(peer, data):
    try:
        peer.send(data)
    except (ConnectionResetError, BrokenPipeError):
        return
    assert peer.receive() is None


@pytest.mark.parametrize("name", [b"WT", b"", b"TW44 "])
def test_an_unknown_name_is_closed(server, name):
    peer = Peer(server.port, name)
    peer.send(peer.frame(b"A", 1, *LOGON))
    assert peer.receive() is None
    peer.close()


@pytest.mark.parametrize(
    "flood",
    [
        b"8=FIX.4.4\x019=999999\x0135=D\x01" + b"58=x\x01" * 200_000 + b"10=000\x01",
        b"x" * (1 << 20),
        b"8=FIX.4.4\x019=5\x0135=0\x0110=000\x01" * 40_000,
        b"8=FIX" * 200_000,
    ],
    ids=["one message", "noise", "wrong checksums", "begins"],
)
def test_a_megabyte_of_no_message_ends_the_session_and_no_other(peer, server, flood):
    other = Peer(server.port, b"TW").log_on()
    peer.log_on()
    try:
        peer.send(flood)
    except (ConnectionResetError, BrokenPipeError):
        pass
    else:
        last = peer.receive()
        assert last is None or (last.msg_type == "5" and b"16384" in last.get(58))
    other.send(other.order(2))
    assert other.receive().msg_type == "D"
    other.close()


def test_a_little_garbage_is_passed_over(peer):
    peer.log_on().send(b"noise" * 1000, peer.order(2), peer.order(3)[:-4] + b"000\x01", peer.order(3))
    assert [peer.receive().seq for _ in range(2)] == [2, 3]


def test_one_who_asks_and_does_not_read_is_held_or_closed(peer, server):
    peer.log_on()
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.socket.settimeout(0.5)
    asked = peer.order(2, b"x" * 3000)
    try:
        peer.socket.sendall(asked)
        for seq in range(3, 200_000):
            peer.socket.sendall(peer.frame(b"2", seq, (7, b"1"), (16, b"0")))
    except (TimeoutError, ConnectionResetError, BrokenPipeError):
        pass
    else:
        raise AssertionError("everything was taken")
    other = Peer(server.port, b"TW").log_on()
    other.send(other.order(2))
    assert other.receive().msg_type == "D"
    other.close()


def test_connections_are_bounded_and_silent_ones_closed(server, monkeypatch):
    monkeypatch.setattr(server.acceptor, "connections_max", 20)
    peers = [Peer(server.port) for _ in range(20)]
    server.wait_until(lambda: len(server.acceptor.connections) == 20)
    surplus = Peer(server.port).log_on()  # those who have not said who they are make way, the oldest first
    assert peers[0].receive() is None
    for number in range(1, 20):
        peers.append(Peer(server.port))
        assert peers[number].receive() is None
    assert len(server.acceptor.connections) == 20
    surplus.send(surplus.order(2))
    assert surplus.receive().msg_type == "D"
    surplus.close()
    for peer in peers:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    server.wait_until(lambda: not server.acceptor.connections)
    Peer(server.port).log_on().close()


def test_one_who_says_nothing_is_closed(server, monkeypatch):
    server.acceptor.base = conformance()
    monkeypatch.setattr(
        server.acceptor, "base", fix_acceptor.changed(conformance(), logon_timeout_ns=2 * 10**8)
    )
    peer = Peer(server.port)
    peer.send(b"8=FIX.4.4\x019=")
    assert peer.receive() is None
    peer.close()


@pytest.mark.parametrize("arguments", [["--conformance"], ["--sender", "ISLD", "--target", "TW44"]])
def test_the_command(arguments):
    command = [sys.executable, "-m", "tradsys", "fix-acceptor", "--port", "0", "--seconds", "240", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline()
            port = int(re.search(r"listening at 127\.0\.0\.1:(\d+) as ISLD for TW44", said)[1])
            peer = Peer(port).log_on()
            peer.send(peer.order(2))
            assert peer.receive().msg_type == "D"
            peer.close()
        finally:
            process.terminate()
        assert process.wait(60) == 0


def test_a_port_that_is_taken_is_said(capsys):
    from tradsys.app import cli

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert cli.main(["fix-acceptor", "--port", str(taken.getsockname()[1])]) == cli.DOES_NOT_HOLD
    assert "cannot listen" in capsys.readouterr().err
