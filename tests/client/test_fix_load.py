"""Goal: the load client of the benchmarks sends every byte, counts whole messages only and keeps every answer.

Method: a server in a thread that sends back what comes, in pieces of any size.
"""

import socket
import threading

import numpy as np
import pytest

from tradsys.client.fix_load import open_loop, pipelined, round_trips
from tradsys.errors import SessionError
from tradsys.fix.message import frame_of

COUNT = 50


class EchoServer:
    """Sends back what comes, at most `piece` bytes at a time."""

    def __init__(self, sessions, piece):
        self.pairs = [socket.socketpair() for _ in range(sessions)]
        self.clients = [pair[0] for pair in self.pairs]
        self.threads = [threading.Thread(target=self.serve, args=(pair[1], piece)) for pair in self.pairs]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def serve(sock, piece):
        while data := sock.recv(piece):
            sock.sendall(data)
        sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.shutdown(socket.SHUT_WR)
        for thread in self.threads:
            thread.join()
        for client in self.clients:
            client.close()


def messages(prefix=b""):
    made = [frame_of([(35, b"D"), (11, prefix + b"%d" % n), (58, b"10=000")]) for n in range(COUNT)]
    bounds = np.concatenate([[0], np.cumsum([len(one) for one in made])]).astype(np.int64)
    return np.frombuffer(b"".join(made), np.uint8), bounds


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_one_at_a_time(piece):
    stream, bounds = messages()
    room, times = np.zeros(len(stream), np.uint8), np.zeros(COUNT, np.int64)
    with EchoServer(1, piece) as server:
        assert round_trips(server.clients[0].fileno(), stream, bounds, times, room) == len(stream)
    assert np.array_equal(room, stream)
    assert (times > 0).all()


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_pipelined(piece):
    stream, _ = messages()
    room = np.zeros(len(stream), np.uint8)
    with EchoServer(1, piece) as server:
        elapsed_ns, used = pipelined(server.clients[0].fileno(), stream, COUNT, room)
    assert used == len(stream)
    assert np.array_equal(room, stream)
    assert elapsed_ns > 0


def test_open_loop_on_several_sockets():
    made = [messages(b"%d-" % number) for number in range(3)]
    offsets = np.concatenate([[0], np.cumsum([len(stream) for stream, _ in made])])
    bounds = np.array([offset + one for offset, (_, one) in zip(offsets[:-1], made, strict=True)], np.int64)
    stream = np.concatenate([stream for stream, _ in made])
    times, used = np.zeros((3, COUNT), np.int64), np.zeros(3, np.int64)
    rooms = np.zeros((3, 10_000), np.uint8)
    with EchoServer(3, 100) as server:
        fds = np.array([client.fileno() for client in server.clients], np.int32)
        open_loop(fds, stream, bounds, 50_000.0, times, rooms, used)
        with pytest.raises(ValueError, match="3 sessions"):
            open_loop(fds, stream, bounds, 1.0, times[:, 1:].copy(), rooms, used)
    for (sent, _), room, count in zip(made, rooms, used, strict=True):
        assert np.array_equal(room[:count], sent)
    assert (times > 0).all()


def test_a_session_that_is_closed():
    stream, bounds = messages()
    room, times = np.zeros(len(stream), np.uint8), np.zeros(COUNT, np.int64)
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(SessionError, match="message 0 had no answer"):
        round_trips(ours.fileno(), stream, bounds, times, room)
