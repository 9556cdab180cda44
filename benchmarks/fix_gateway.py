"""How many FIX orders a second go from bytes to reports, journaled and stored; and how long one takes.

A venue process with everything on (validation, journal `batch`, the session's store, reports, feed) and one client on
loopback. Pipelined: all orders are encoded before, written as fast as the socket takes them; the reports are counted while
they come and read one by one afterwards: number, ClOrdID, ExecType. One at a time: blocking socket, order then report.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence

from gateway_venue import VenueChild
from measure import arguments, median, show, spread

from tradsys.fix.message import Field, Header, build, format_time, parse, split

ORDERS = 100_000
TURNS = 10_000


class Client:
    """One FIX client with its next number."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.next_out = 1
        self.socket.sendall(self.message("A", [(98, b"0"), (108, b"60"), (141, b"Y"), (554, b"bench")]))
        assert b"\x0135=A\x01" in self.socket.recv(65536), "no logon"
        self.next_in = 2

    def message(self, msg_type: str, fields: list[Field]) -> bytes:
        """Write a message with the next number."""
        header = Header(
            sender_comp_id=b"CLIENT",
            target_comp_id=b"TRADSYS",
            seq=self.next_out,
            sending_time=format_time(time.time_ns(), "us"),
        )
        self.next_out += 1
        return build(msg_type, fields, header)

    def order(self, name: bytes) -> bytes:
        """Write an order that rests."""
        fields = [(11, name), (55, b"SYM1"), (54, b"1"), (60, b"20260101-00:00:00.000000")]
        return self.message("D", [*fields, (38, b"10"), (40, b"2"), (44, b"99.5"), (59, b"1")])

    def collect(self, data: bytes, reports: int) -> tuple[float, bytes]:
        """Write the bytes while reading; seconds until so many reports are there, and what came."""
        self.socket.setblocking(False)
        view, received, count = memoryview(data), [], 0
        begin = time.perf_counter()
        while count < reports:
            readable, writable, _ = select.select([self.socket], [self.socket] if view else [], [], 30)
            assert readable or writable, f"{count} of {reports} reports after 30 s"
            if writable:
                view = view[self.socket.send(view[: 1 << 18]) :]
            if readable:
                received.append(self.socket.recv(1 << 20))
                count += received[-1].count(b"\x0110=")
        seconds = time.perf_counter() - begin
        self.socket.setblocking(True)
        return seconds, b"".join(received)

    def check(self, stream: bytes, names: list[bytes], exec_type: bytes) -> None:
        """Every report is there once, in order."""
        frames, garbled, rest = split(stream)
        assert (garbled, rest) == (0, b"")
        for frame, name in zip(frames, names, strict=True):
            report = parse(frame)
            assert (report.seq, report.get(11), report.get(150)) == (self.next_in, name, exec_type), report
            self.next_in += 1


def pipelined(client: Client, round_: int, count: int) -> float:
    """Orders a second of one round; the book is emptied behind it."""
    names = [b"%d-%d" % (round_, number) for number in range(count)]
    seconds, stream = client.collect(b"".join(client.order(name) for name in names), count)
    client.check(stream, names, b"0")
    cancel = client.message("q", [(11, b"q%d" % round_), (530, b"7"), (60, b"20260101-00:00:00")])
    _, stream = client.collect(cancel, count + 1)
    frames, _, _ = split(stream)
    told = [parse(frame).get(11) or b"" for frame in frames[:-1]]  # in the order of the engine's slots
    assert sorted(told) == sorted(names)
    client.check(b"".join(frames[:-1]), told, b"4")
    assert parse(frames[-1]).get(533) == b"%d" % count
    client.next_in += 1
    return count / seconds


def one_at_a_time(client: Client, count: int) -> list[float]:
    """Round trips [us], sorted."""
    times = []
    for number in range(count):
        data = client.order(b"p-%d" % number)
        begin = time.perf_counter_ns()
        client.socket.sendall(data)
        answer = client.socket.recv(65536)
        times.append((time.perf_counter_ns() - begin) / 1e3)
        client.check(answer, [b"p-%d" % number], b"0")
    return sorted(times)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(__doc__, argv, rounds=5)
    count = ORDERS // 5 if options.quick else ORDERS
    with VenueChild(poll="sleep") as venue:
        client = Client(venue.fix_address)
        rates = [pipelined(client, round_, count) for round_ in range(options.rounds + 1)][1:]
    turns = TURNS // 5 if options.quick else TURNS
    with VenueChild(poll="spin") as venue:
        times = one_at_a_time(Client(venue.fix_address), turns)
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    rows = [
        ["pipelined", f"{median(rates):,.0f} orders/s", spread(rates)],
        ["one at a time, p50, p99", f"{p50:.0f} us", f"{p99:.0f} us"],
    ]
    data = {"pipelined_per_s": median(rates), "p50_us": p50, "p99_us": p99}
    notes = "Every report read: number, ClOrdID, ExecType. The client is Python: it counts while the clock runs."
    show("FIX: order to report", ["what", "figure", "spread"], rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
