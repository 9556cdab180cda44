"""FIX clients of the benchmarks: log on, prepare orders, send them by `tradsys.client.fix_load`, read every report."""

from __future__ import annotations

import socket
import time

import numpy as np
from gateway_venue import comp_id

from tradsys.client.fix_load import open_loop, pipelined, round_trips
from tradsys.fix.message import Field, Header, Message, build, format_time, parse, split

REPORT_BYTES = 320  # room for one


class FixClient:
    """One FIX session of a venue, with its numbers.

    Parameters
    ----------
    address : tuple of str and int
    number : int
        Which of the venue's sessions, from 0.
    target : bytes
        TargetCompID.
    """

    def __init__(self, address: tuple[str, int], number: int = 0, target: bytes = b"TRADSYS") -> None:
        self.sender, self.target = comp_id(number).encode(), target
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.next_out = 1
        self.rest = b""
        self.socket.sendall(self.message("A", [(98, b"0"), (108, b"60"), (141, b"Y"), (554, b"bench")]))
        assert self.receive(1)[0].msg_type == "A", "no logon"
        self.next_in = 2

    def message(self, msg_type: str, fields: list[Field]) -> bytes:
        """Write a message with the next number."""
        header = Header(
            sender_comp_id=self.sender,
            target_comp_id=self.target,
            seq=self.next_out,
            sending_time=format_time(time.time_ns(), "us"),
        )
        self.next_out += 1
        return build(msg_type, fields, header)

    def order(self, name: bytes) -> bytes:
        """Write an order that rests."""
        fields = [(11, name), (21, b"1"), (55, b"SYM1"), (54, b"1"), (60, b"20260101-00:00:00.000000")]
        return self.message("D", [*fields, (38, b"10"), (40, b"2"), (44, b"99.5"), (59, b"1")])

    def orders(self, names: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Write orders: their bytes, and where each begins and the last ends."""
        made = [self.order(name) for name in names]
        bounds = np.concatenate([[0], np.cumsum([len(one) for one in made])]).astype(np.int64)
        return np.frombuffer(b"".join(made), np.uint8), bounds

    def receive(self, count: int) -> list[Message]:
        """Read so many messages, blocking."""
        found: list[Message] = []
        while len(found) < count:
            data = self.socket.recv(1 << 20)
            assert data, "the session was closed"
            frames, garbled, self.rest = split(self.rest + data)
            assert garbled == 0
            found += map(parse, frames)
        return found

    def check(self, room: np.ndarray, names: list[bytes], exec_type: bytes = b"0") -> None:
        """Every report is there once, in order."""
        frames, garbled, rest = split(room.tobytes())
        assert (garbled, rest) == (0, b"")
        for frame, name in zip(frames, names, strict=True):
            report = parse(frame)
            found = (report.seq, report.get(11), report.get(150))
            assert found == (self.next_in, name, exec_type), report
            self.next_in += 1

    def cancel_all(self, count: int) -> None:
        """Empty the book of so many orders, and read the reports."""
        request = self.message("q", [(11, b"q%d" % self.next_out), (530, b"7"), (60, b"20260101-00:00:00")])
        self.socket.sendall(request)
        reports = self.receive(count + 1)
        assert reports[-1].get(533) == b"%d" % count
        assert [report.seq for report in reports] == list(range(self.next_in, self.next_in + count + 1))
        self.next_in += count + 1


def pipelined_rate(client: FixClient, names: list[bytes]) -> float:
    """Orders a second, all written as fast as the socket takes them."""
    stream, _ = client.orders(names)
    room = np.zeros((len(names) + 100) * REPORT_BYTES, np.uint8)
    elapsed_ns, used = pipelined(client.socket.fileno(), stream, len(names), room)
    client.check(room[:used], names)
    return len(names) / elapsed_ns * 1e9


def times_one_by_one(client: FixClient, names: list[bytes]) -> np.ndarray:
    """Nanoseconds of each order to its report, one at a time."""
    stream, bounds = client.orders(names)
    room = np.zeros((len(names) + 100) * REPORT_BYTES, np.uint8)
    times = np.zeros(len(names), np.int64)
    used = round_trips(client.socket.fileno(), stream, bounds, times, room)
    client.check(room[:used], names)
    return times


def times_open_loop(clients: list[FixClient], names: list[bytes], rate: float) -> np.ndarray:
    """Nanoseconds of each order of each session from when it was due, at a rate of all together."""
    made = [client.orders(names) for client in clients]
    offsets = np.concatenate([[0], np.cumsum([len(stream) for stream, _ in made])])
    bounds = np.array([offset + one for offset, (_, one) in zip(offsets[:-1], made, strict=True)], np.int64)
    stream = np.concatenate([stream for stream, _ in made])
    fds = np.array([client.socket.fileno() for client in clients], np.int32)
    times = np.zeros((len(clients), len(names)), np.int64)
    rooms = np.zeros((len(clients), (len(names) + 20) * REPORT_BYTES), np.uint8)
    used = np.zeros(len(clients), np.int64)
    open_loop(fds, stream, bounds, rate, times, rooms, used)
    for client, room, count in zip(clients, rooms, used, strict=True):
        client.check(room[:count], names)
    return times


def percentiles_us(times: np.ndarray) -> tuple[float, float, float, float]:
    """p50, p99, p99.9 and the largest, in microseconds."""
    return *(float(np.percentile(times, p)) / 1e3 for p in (50, 99, 99.9)), float(times.max()) / 1e3
