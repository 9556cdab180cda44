"""How many FIX orders a second go from bytes to reports, journaled and stored; and how long one takes.

A venue process with everything on (validation, journal `batch`, the session's store, reports, feed) and one client on
loopback, in Cython (`tradsys.client.fix_load`). Pipelined: all orders are encoded before, written as fast as the socket takes
them. One at a time: blocking socket, order then report, beside a bare echo of the same bytes by uvloop (by asyncio
where uvloop is not installed). Open loop: orders leave at their times whatever is answered, each timed from when it was due.
Every report is read afterwards: number, ClOrdID, ExecType.

The peer is QuickFIX, where its Python package is installed: its C++ engine with FileStore and our dictionary, behind
an application in Python that answers each order with an ExecutionReport and keeps no book.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import util
from pathlib import Path

import numpy as np
from fix_client import (
    FixClient,
    percentiles_us,
    pipelined_rate,
    times_one_by_one,
    times_open_loop,
)
from gateway_venue import VenueChild
from measure import arguments, median, show, spread

from tradsys.client.fix_load import round_trips

ORDERS = 100_000
PEER_ORDERS = 10_000
TURNS = 10_000
RATE = 20_000.0
DICTIONARY = Path(__file__).resolve().parent.parent / "fix_specs" / "TRADSYS-FIX44.xml"


def names_of(prefix: str, count: int) -> list[bytes]:
    return [b"%s-%d" % (prefix.encode(), number) for number in range(count)]


class Child:
    """A server of this file in a process of its own, which prints its port; killed at the end."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        assert self.process.stdout is not None
        self.address = ("127.0.0.1", int(self.process.stdout.readline()))

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


# ------------------------------------------------------------------------------------------- the echo


class Echo(asyncio.BufferedProtocol):
    """Sends back what comes."""

    def __init__(self) -> None:
        self.room = bytearray(1 << 16)

    def connection_made(self, transport: asyncio.Transport) -> None:  # noqa: D102
        self.transport = transport  # uvloop's is none of asyncio's classes

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: D102
        return self.room

    def buffer_updated(self, nbytes: int) -> None:  # noqa: D102
        self.transport.write(bytes(self.room[:nbytes]))


def serve_echo() -> int:
    """Echo until killed."""
    if util.find_spec("uvloop"):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())
    return 0


def times_of_echo(stream: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Nanoseconds of each message there and back."""
    times = np.zeros(len(bounds) - 1, np.int64)
    room = np.zeros(len(stream) + 1000, np.uint8)
    with Child("--serve-echo") as child, socket.create_connection(child.address) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        used = round_trips(sock.fileno(), stream, bounds, times, room)
    assert np.array_equal(room[:used], stream)
    return times


# ------------------------------------------------------------------------------------------- the peer


def serve_quickfix() -> int:
    """A QuickFIX acceptor whose application answers orders; until killed."""
    import quickfix as fix

    class Answering(fix.Application):
        """Raw fields by tag: the fastest its Python interface has."""

        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def onCreate(self, session: object) -> None: ...
        def onLogon(self, session: object) -> None: ...
        def onLogout(self, session: object) -> None: ...
        def toAdmin(self, message: object, session: object) -> None: ...
        def fromAdmin(self, message: object, session: object) -> None: ...
        def toApp(self, message: object, session: object) -> None: ...

        def fromApp(self, message: object, session: object) -> None:
            self.count += 1
            report, number = fix.Message(), str(self.count)
            report.getHeader().setField(35, "8")
            for tag, value in ((37, number), (17, number), (150, "0"), (39, "0"), (14, "0"), (6, "0")):
                report.setField(tag, value)
            for tag in (11, 55, 54, 38, 40, 44, 59):
                report.setField(tag, message.getField(tag))  # type: ignore[attr-defined]
            report.setField(151, message.getField(38))  # type: ignore[attr-defined]
            fix.Session.sendToTarget(report, session)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "acceptor.cfg")
        path.write_text(
            "[DEFAULT]\nConnectionType=acceptor\nStartTime=00:00:00\nEndTime=00:00:00\nHeartBtInt=60\n"
            f"SocketAcceptPort={port}\nSocketNodelay=Y\nSocketReuseAddress=Y\nFileStorePath={folder}\n"
            f"UseDataDictionary=Y\nDataDictionary={DICTIONARY}\nCheckLatency=N\nResetOnLogon=Y\n"
            "[SESSION]\nBeginString=FIX.4.4\nSenderCompID=TRADSYS\nTargetCompID=CLIENT\n"
        )
        settings = fix.SessionSettings(str(path))
        application = Answering()
        acceptor = fix.SocketAcceptor(application, fix.FileStoreFactory(settings), settings)
        acceptor.start()
        print(port, flush=True)
        sys.stdin.read()
    return 0


def quickfix_figures(rounds: int, count: int) -> tuple[list[float], np.ndarray]:
    """Rates of the rounds, and times of single orders."""
    rates = []
    for round_ in range(rounds):
        with Child("--serve-quickfix") as child:
            client = FixClient(child.address)
            rates.append(pipelined_rate(client, names_of(f"{round_}", count)))
            times = times_one_by_one(client, names_of("p", count // 5))
    return rates, times


# ------------------------------------------------------------------------------------------- all of it


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--serve-echo"]:
        return serve_echo()
    if words[:1] == ["--serve-quickfix"]:
        return serve_quickfix()
    options = arguments(__doc__, argv, rounds=5)
    count, turns = (ORDERS // 5, TURNS // 5) if options.quick else (ORDERS, TURNS)
    rates, singles, echoes, opens = [], [], [], []
    with VenueChild(poll="sleep") as venue:
        client = FixClient(venue.fix_address)
        for round_ in range(options.rounds + 1):
            rates.append(pipelined_rate(client, names_of(str(round_), count)))
            client.cancel_all(count)
    rates = rates[1:]
    for _ in range(options.rounds):
        with VenueChild(poll="spin") as venue:
            client = FixClient(venue.fix_address)
            times_one_by_one(client, names_of("w", turns // 10))
            singles.append(times_one_by_one(client, names_of("p", turns)))
            opens.append(times_open_loop([client], names_of("o", turns), RATE)[0])
            echoes.append(times_of_echo(*client.orders(names_of("e", turns))))
    rows = [["pipelined, orders/s", f"{median(rates):,.0f}", "", spread(rates)]]
    data: dict[str, object] = {"pipelined_per_s": median(rates)}
    found = {"one at a time": singles, "echo of the same bytes": echoes, f"open loop, {RATE:,.0f}/s": opens}
    for name, times in found.items():
        add_times(rows, data, name, times)
    p50s, p99s = (
        [percentiles_us(one)[i] / percentiles_us(bare)[i] for one, bare in zip(singles, echoes, strict=True)]
        for i in (0, 1)
    )
    rows.append(
        ["one at a time / echo", f"{median(p50s):.2f}x", f"{median(p99s):.2f}x", "pairs of the same round"]
    )
    data["ratio_to_echo"] = {"p50": median(p50s), "p99": median(p99s)}
    if util.find_spec("quickfix"):
        peer_rates, times = quickfix_figures(options.rounds, PEER_ORDERS // (5 if options.quick else 1))
        rows.append(
            ["QuickFIX, FileStore: pipelined, orders/s", f"{median(peer_rates):,.0f}", "", spread(peer_rates)]
        )
        add_times(rows, data, "QuickFIX, FileStore: one at a time", [times])
        data["quickfix_pipelined_per_s"] = median(peer_rates)
    loop = "uvloop" if util.find_spec("uvloop") else "asyncio"
    notes = f"us but where it says orders/s; medians of {options.rounds} rounds; the echo is {loop}'s"
    show("FIX: order to report", ["what", "p50", "p99", "spread of p50"], rows, notes, options.json, data)
    return 0


def add_times(rows: list[list[str]], data: dict[str, object], name: str, rounds: list[np.ndarray]) -> None:
    """A row and a figure of several rounds of times."""
    figures = [percentiles_us(times) for times in rounds]
    p50, p99 = (median([one[i] for one in figures]) for i in (0, 1))
    rows.append([name, f"{p50:.0f}", f"{p99:.0f}", spread([one[0] for one in figures])])
    data[name] = {"p50_us": p50, "p99_us": p99}


if __name__ == "__main__":
    raise SystemExit(main())
