"""How many entries of market data a second FIX clients are told: the state machine alone, and the process over TCP.

`state machine`: the feed's frames of a workload, turn by turn, through arbitration, books, changes and the session into
the bytes of X, for one client and for many that follow everything in full depth (processor time; entries of all clients).
`one client over TCP`: a publisher on PUB sockets, `tradsys fix-market-data` as its own process, one client on loopback
that counts while it reads. Events come in bursts of turns; a burst's time runs to its last byte. What falls into one turn
of the server collapses, so fewer entries leave than levels came. Afterwards every message is parsed and applied by
`FixBooks`, which refuses what does not fit, and each book is compared with the engine's.
"""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import feed_flow
import numpy as np
import zmq
from feed_flow import FeedFlow
from measure import arguments, median, show, spread

from tradsys.client.feed_core import FeedCore
from tradsys.client.fix_books import FixBooks
from tradsys.client.fix_link import FixLink
from tradsys.client.fix_outbox import Outbox
from tradsys.core import Engine
from tradsys.fix.message import Field, parse, split
from tradsys.fix.settings import SessionSettings
from tradsys.fix_market_data.market import Market
from tradsys.fix_market_data.session import Bounds, MarketSession
from tradsys.fix_market_data.tracked_levels import TrackedLevels
from tradsys.gateways.fix_logon import FixLogonCheck
from tradsys.gateways.fix_sessions import FixSessionConfig
from tradsys.marketdata.channel import Lines
from tradsys.marketdata.publisher import Publisher
from tradsys.marketdata.recovery import RecoveryDoor

FLOW, COMMANDS = "multi100", 400_000
TURN = 256  # events of a turn
BURST_TURNS = 32
CLIENTS = 20
QUIET_S = 0.05
MESSAGE_BYTES_MAX = 16 << 20
NOW_NS = 1_704_196_800_000_000_000
SETTINGS = """\
fix_market_data:
  port: 0
  symbols_max: 1000
  sessions: [{sender_comp_id: CLIENT, password: bench, latency_s: 0}]
"""


class Source:
    """A publisher that has published the prefill, its line and its recovery door."""

    def __init__(self, flow: FeedFlow, context: zmq.Context, kind: int, addresses: tuple[str, str]) -> None:
        self.line, self.router = context.socket(kind), context.socket(zmq.ROUTER)
        self.line.sndhwm = 0
        for one, address in zip((self.line, self.router), addresses, strict=True):
            one.linger = 0
            one.bind(address)
        self.publisher: Publisher = flow.publisher(Lines(self.line), retention_bytes=64 << 20)
        self.door = RecoveryDoor(self.publisher, self.router, snapshot_cycle_ms=0)
        self.now_ns = 1

    def turn(self, events: np.ndarray) -> None:
        """Publish some events."""
        self.now_ns += 1_000_000
        self.publisher.publish_events(events, now_ns=self.now_ns)
        self.door.service(self.now_ns)


class Sink:
    """Stands in for a session's connection: keeps or counts what is written."""

    address = "127.0.0.1"

    def __init__(self, session: MarketSession, keeps: bool) -> None:
        self.session, self.keeps = session, keeps
        self.entries, self.kept = 0, bytearray()

    def flush(self) -> None:
        """Take what was written."""
        data = self.session.link.outgoing
        self.entries += data.count(b"\x01279=")
        self.kept += data if self.keeps else b""
        data.clear()

    def unsent_bytes(self) -> int:
        """Nothing ever waits."""
        return 0


def request(symbols: list[bytes]) -> list[Field]:
    """Bids and offers of everything, all levels, as changes."""
    fields = [(262, b"all"), (263, b"1"), (264, b"0"), (265, b"1"), (267, b"2"), (269, b"0"), (269, b"1")]
    return [*fields, (146, b"%d" % len(symbols)), *((55, symbol) for symbol in symbols)]


def client_link() -> FixLink:
    fields = ((554, b"bench"),)
    settings = SessionSettings(sender_comp_id="CLIENT", target_comp_id="TRADSYS", logon_fields=fields, latency_ns=0,
                               message_bytes_max=MESSAGE_BYTES_MAX)  # fmt: skip
    return FixLink(settings, Outbox(), initiator=True)


def verify(stream: bytes, engine: Engine, market: Market) -> int:
    """Apply every message and compare every book with the engine's; the levels compared."""
    books, levels = FixBooks(), 0
    frames, garbled, rest = split(stream, MESSAGE_BYTES_MAX)
    assert (garbled, rest) == (0, b"")
    messages = [parse(frame) for frame in frames]
    first = messages[0].seq
    for seq, message in enumerate(messages, first):
        assert message.seq == seq
        books.take(message)
    for instrument_id, told in market.told.items():
        instrument = told.instrument
        for kind, side in ((b"0", 1), (b"1", 2)):
            rows = engine.depth(instrument_id, side, 1_000).tolist()
            expected = [(instrument.price(row[0]), instrument.quantity(row[1]), row[2]) for row in rows]
            found = books.book(b"all", instrument.symbol).best(kind, 1_000)
            assert found == expected, f"{instrument.symbol!r}: {found[:3]} instead of {expected[:3]}"
            levels += len(expected)
    return levels


def frames_of(flow: FeedFlow, context: zmq.Context) -> tuple[FeedCore, TrackedLevels, list[list[bytes]]]:
    """A reader that is synced, and the frames of each turn behind that."""
    name = f"inproc://{time.perf_counter_ns()}"
    source = Source(flow, context, zmq.PUSH, (f"{name}-line", f"{name}-door"))
    pull, dealer = context.socket(zmq.PULL), context.socket(zmq.DEALER)
    pull.rcvhwm = 0
    pull.connect(f"{name}-line")
    dealer.connect(f"{name}-door")
    levels = TrackedLevels()
    core = FeedCore((2, 4, 5), levels=levels, deliver=(4, 5), silence_ns=10**15)
    for _ in range(100_000):
        source.turn(flow.events[:0])
        while pull.poll(0):
            core.on_frame(pull.recv(), 0, source.now_ns)
        while dealer.poll(0):
            core.on_answer(dealer.recv(), source.now_ns)
        core.on_time(source.now_ns)
        for one in core.requests:
            dealer.send(one)
        core.requests.clear()
        if core.synced:
            break
    assert core.synced, "the reader does not come to its books"
    core.packets.clear()
    turns = []
    for begin in range(0, len(flow.events), TURN):
        source.turn(flow.events[begin : begin + TURN])
        turns.append([])
        while pull.poll(0):
            turns[-1].append(pull.recv())
    for one in (pull, dealer, source.line, source.router):
        one.close()
    return core, levels, turns


def state_machine(flow: FeedFlow, context: zmq.Context, clients: int) -> tuple[float, float]:
    """Entries a second of processor time, all clients together; and levels of the feed a second."""
    core, levels, turns = frames_of(flow, context)
    market = Market(levels, core.definitions)
    market.turn((), NOW_NS)
    sinks = []
    for n in range(clients):
        settings = SessionSettings(
            sender_comp_id="TRADSYS", target_comp_id="CLIENT", reset_on_logon=True, latency_ns=0
        )
        config = FixSessionConfig(n, 0, settings, Path(), password="bench")
        session = MarketSession(config, market, FixLogonCheck(), Bounds())
        sink = Sink(session, keeps=n == 0)
        session.begin(sink, NOW_NS)  # type: ignore[arg-type]
        link = client_link()
        link.connect(NOW_NS)
        session.link.receive(bytes(link.outgoing), NOW_NS)
        link.outgoing.clear()
        link.receive(bytes(session.link.outgoing), NOW_NS)
        session.link.outgoing.clear()
        link.send("V", tuple(request(sorted(market.by_symbol))))
        sink.kept.clear()
        session.link.receive(bytes(link.outgoing), NOW_NS)
        session.flush(NOW_NS)
        sinks.append(sink)
    before = core.statistics()[2]["messages"]
    begin = time.process_time()
    for frames in turns:
        for frame in frames:
            core.on_frame(frame, 0, NOW_NS)
        packets = list(core.packets)
        core.packets.clear()
        for sink in sinks:
            sink.session.look_at_pace(NOW_NS)
        market.turn(packets, NOW_NS)
        for sink in sinks:
            sink.session.flush(NOW_NS)
    seconds = time.process_time() - begin
    market.check()
    assert verify(bytes(sinks[0].kept), flow.engine, market) > 0
    assert len({sink.entries for sink in sinks}) == 1
    read = core.statistics()[2]["messages"] - before
    return sum(sink.entries for sink in sinks) / seconds, read / seconds


class Server:
    """`tradsys fix-market-data` as a process."""

    def __init__(self, folder: str, line: str, door: str) -> None:
        path = Path(folder, "tradsys.yaml")
        path.write_text(SETTINGS)
        words = [
            "fix-market-data",
            "--config",
            str(path),
            "--line-a",
            line,
            "--line-b",
            "none",
            "--recovery",
            door,
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tradsys", *words], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )  # fmt: skip

    def port(self, source: Source) -> int:
        """Wait for its port; the feed goes on meanwhile."""
        assert self.process.stdout is not None
        while not select.select([self.process.stdout], [], [], 0.01)[0]:
            source.turn(np.zeros((0, 128), np.uint8))
        found = re.search(r":(\d+)$", self.process.stdout.readline().strip())
        assert found is not None, "the server did not start"
        return int(found[1])

    def stop(self) -> None:
        """End it in peace."""
        self.process.terminate()
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()


def over_tcp(flow: FeedFlow, context: zmq.Context) -> float:
    """Entries a second that one client gets."""
    folder = tempfile.TemporaryDirectory(prefix="tradsys-bench-")
    with folder:
        source = Source(flow, context, zmq.PUB, ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"))
        line, door = (one.last_endpoint.decode() for one in (source.line, source.router))
        server = Server(folder.name, line, door)
        try:
            return measure_tcp(flow, source, server)
        finally:
            server.stop()
            source.line.close()
            source.router.close()


def measure_tcp(flow: FeedFlow, source: Source, server: Server) -> float:
    peer = socket.create_connection(("127.0.0.1", server.port(source)))
    link, received = client_link(), bytearray()

    def read(quiet_s: float) -> tuple[int, float]:
        """Read until nothing comes; entries counted, and when the last byte came."""
        entries, last = 0, time.perf_counter()
        quiet_since = last
        while time.perf_counter() - quiet_since < quiet_s:
            if select.select([peer], [], [], 0.005)[0]:
                data = peer.recv(1 << 20)
                assert data, "the server has closed"
                entries += data.count(b"\x01279=")
                received.extend(data)
                last = quiet_since = time.perf_counter()
            source.turn(flow.events[:0])
        return entries, last

    link.connect(time.time_ns())
    peer.sendall(bytes(link.outgoing))
    link.outgoing.clear()
    read(0.3)
    link.receive(bytes(received), time.time_ns())
    received.clear()
    core, levels, _ = frames_of(
        FeedFlow(flow.name, flow.prefill, flow.events[:0], flow.engine, flow.capacities), zmq.Context()
    )
    market = Market(levels, core.definitions)
    market.turn((), NOW_NS)
    link.send("V", tuple(request(sorted(market.by_symbol))))
    peer.sendall(bytes(link.outgoing))
    read(1.0)
    entries, seconds = 0, 0.0
    for begin in range(0, len(flow.events), TURN * BURST_TURNS):
        start = time.perf_counter()
        for turn in range(begin, min(begin + TURN * BURST_TURNS, len(flow.events)), TURN):
            source.turn(flow.events[turn : turn + TURN])
        count, last = read(QUIET_S)
        entries, seconds = entries + count, seconds + last - start
    read(0.5)
    peer.close()
    assert verify(bytes(received), flow.engine, market) > 0
    return entries / seconds


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(__doc__, argv, rounds=5)
    flow = feed_flow.make(FLOW, COMMANDS // 10 if options.quick else COMMANDS)
    rows, data = [], {}
    with zmq.Context() as context:
        for what, clients in (("state machine, 1 client", 1), (f"state machine, {CLIENTS} clients", CLIENTS)):
            figures = [state_machine(flow, context, clients) for _ in range(options.rounds)]
            told, read = [one[0] for one in figures], [one[1] for one in figures]
            rows.append([what, f"{median(told):,.0f}", spread(told), f"{median(read):,.0f}"])
            data[what] = {"entries_per_s": median(told), "levels_read_per_s": median(read)}
        rates = [over_tcp(flow, context) for _ in range(options.rounds)]
        rows.append(["one client over TCP", f"{median(rates):,.0f}", spread(rates), ""])
        data["one client over TCP"] = {"entries_per_s": median(rates)}
    notes = "Every message parsed and applied, every book compared with the engine's."
    heads = ["what", "entries/s", "spread", "levels read/s"]
    show(f"FIX market data: {FLOW}, turns of {TURN} events", heads, rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
