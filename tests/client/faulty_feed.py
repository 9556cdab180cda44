"""A venue in a box with two bad lines: engine, publisher and recovery door, frames lost, doubled and late, virtual time."""

import itertools

import numpy as np
import zmq

from tradsys.client.feed_core import FeedCore
from tradsys.client.level_books import LevelBooks
from tradsys.client.packets import FeedPacket
from tradsys.core import Engine
from tradsys.core.book_view import BookSet
from tradsys.marketdata.channel import Lines
from tradsys.marketdata.publisher import Publisher
from tradsys.marketdata.recovery import RecoveryDoor
from tradsys.sim.workload import Stream

MS = 1_000_000
SIDES = (1, 2)


class FaultyFeed:
    """Runs the venue and one reader turn by turn.

    Parameters
    ----------
    seed : int
        One seed is one world.
    loss, copies, late : float
        Chance that a line loses a frame, brings it twice, brings it some turns later.
    retention_bytes, with_door, snapshot_cycle_ms
        Of the venue.
    levels, deliver
        Of the reader: its L2 books, and the channels whose packets are kept in `packets` for a turn.
    """

    def __init__(
        self,
        seed: int,
        *,
        loss: float = 0.2,
        copies: float = 0.1,
        late: float = 0.2,
        retention_bytes: int = 1 << 20,
        with_door: bool = True,
        snapshot_cycle_ms: int = 0,
        live_target: int = 120,
        levels: LevelBooks | None = None,
        deliver: tuple[int, ...] = (4,),
    ) -> None:
        self.random = np.random.default_rng(seed)
        self.loss, self.copies, self.late = loss, copies, late
        self.dead_lines: set[int] = set()
        self.retention_bytes, self.cycle_ms = retention_bytes, snapshot_cycle_ms
        self.flow = Stream("normal", seed, live_target=live_target)
        self.instruments = range(1, self.flow.profile.instruments + 1)
        self.engine = Engine(**self.flow.capacities)
        self.context = zmq.Context()
        self.sockets: list[zmq.Socket] = []
        self.outlets = [self.open(zmq.XPUB, f"inproc://line-{line}") for line in (0, 1)]
        self.inlets = [self.open(zmq.SUB, f"inproc://line-{line}", connect=True) for line in (0, 1)]
        self.router = self.open(zmq.ROUTER, "inproc://door")
        self.router.router_mandatory = True
        self.dealer = self.open(zmq.DEALER, "inproc://door", connect=True)
        for inlet, outlet in zip(self.inlets, self.outlets, strict=True):
            inlet.subscribe(b"")
            assert outlet.poll(60_000)
            assert outlet.recv() == b"\x01"
        self.now_ns, self.stream_id = 10**15, 0
        self.counter = itertools.count()
        self.on_the_way: list[tuple[int, int, int, bytes]] = []
        self.history: dict[tuple[int, int], dict] = {}
        self.start_venue()
        capacities = self.flow.capacities
        self.books = BookSet(capacities["orders_max"], capacities["instruments_max"])
        self.levels = LevelBooks() if levels is None else levels
        self.core = FeedCore(
            (1, 2, 3, 4, 5) if with_door else (1, 2, 3, 4, 5, 6),
            books=self.books,
            levels=self.levels,
            recovery=with_door,
            deliver=deliver,
            silence_ns=10**14,
        )
        self.trades: list[int] = []
        self.packets: list[FeedPacket] = []  # of the last turn
        self.compared = 0
        self.publish(self.engine.submit(self.flow.setup()))
        self.publish(self.engine.submit(self.flow.prefill()))

    def open(self, kind: int, address: str, *, connect: bool = False) -> zmq.Socket:
        socket = self.context.socket(kind)
        socket.linger = 0
        socket.sndhwm = socket.rcvhwm = 0
        (socket.connect if connect else socket.bind)(address)
        self.sockets.append(socket)
        return socket

    def close(self) -> None:
        for socket in self.sockets:
            socket.close()
        self.context.term()

    def start_venue(self) -> None:
        """Start, or start again, with the books the engine has."""
        self.stream_id += 1
        capacities = self.flow.capacities
        self.publisher = Publisher(
            self.stream_id,
            Lines(*self.outlets),
            orders_max=capacities["orders_max"],
            instruments_max=capacities["instruments_max"],
            packet_bytes_max=1024,
            retention_bytes=self.retention_bytes,
            heartbeat_ms=4,
        )
        self.publisher.restore(self.engine)
        self.door = RecoveryDoor(
            self.publisher, self.router, messages_per_turn=64, snapshot_cycle_ms=self.cycle_ms
        )

    # ---- a turn ----

    def turn(self, commands: int = 8) -> None:
        """The venue works, the lines bring what they bring, the reader reads."""
        self.now_ns += 2 * MS
        self.publish(
            self.engine.submit(self.flow.take(commands)) if commands else np.zeros((0, 128), np.uint8)
        )
        self.deliver()
        self.core.on_time(self.now_ns)
        for request in self.core.requests:
            self.dealer.send(request)
        self.core.requests.clear()
        self.core.check()
        self.packets = list(self.core.packets)
        for packet in self.packets:
            self.trades += [int(message["match_id"]) for message in packet if message["template_id"] == 136]
        self.core.packets.clear()

    def publish(self, events: np.ndarray) -> None:
        self.publisher.publish_events(events, now_ns=self.now_ns)
        self.door.service(self.now_ns)
        seen = (self.stream_id, self.publisher.l3.next_seq)
        self.history[seen] = {i: [self.orders_of_engine(i, side) for side in SIDES] for i in self.instruments}
        for line, inlet in enumerate(self.inlets):
            while inlet.poll(0):
                self.post(line, inlet.recv())

    def post(self, line: int, frame: bytes) -> None:
        """Put a frame on the way, as the line is."""
        if line in self.dead_lines or self.random.random() < self.loss:
            return
        for _ in range(1 + (self.random.random() < self.copies)):
            turns = int(self.random.integers(1, 6)) if self.random.random() < self.late else 0
            self.on_the_way.append((self.now_ns + 2 * turns * MS, next(self.counter), line, frame))

    def deliver(self) -> None:
        due = sorted(item for item in self.on_the_way if item[0] <= self.now_ns)
        self.on_the_way = [item for item in self.on_the_way if item[0] > self.now_ns]
        for _, _, line, frame in due:
            self.core.on_frame(frame, line, self.now_ns)
            self.compare()
        while self.dealer.poll(0):
            self.core.on_answer(self.dealer.recv(), self.now_ns)
            self.compare()

    def calm(self) -> None:
        """From now on both lines are good."""
        self.loss = self.copies = self.late = 0.0
        self.dead_lines.clear()

    def settle(self, turns: int = 300, commands: int = 3) -> int:
        """Turns until the reader says that all is well and up to date; fails when it never does."""
        for turn in range(turns):
            self.turn(commands)
            newest = all(self.core.next_seq(n) == self.publisher.channel(n).next_seq for n in (1, 2, 5))
            if self.core.synced and newest and self.all_good():
                return turn
        raise AssertionError(
            f"not healed in {turns} turns: {self.core.statistics()}, {sorted(self.core.unsynced)}"
        )

    # ---- truth ----

    def orders_of_engine(self, instrument_id: int, side: int) -> list[tuple[int, int, int]]:
        rows = self.engine.resting_orders(instrument_id, side)
        return list(
            zip(
                rows["order_id"].tolist(),
                rows["price_ticks"].tolist(),
                rows["leaves_lots"].tolist(),
                strict=True,
            )
        )

    def all_good(self) -> bool:
        return all(
            self.books.stale_reason(i) is None and self.levels.stale_reason(i) is None
            for i in self.instruments
        )

    def compare(self) -> None:
        """A book that does not call itself stale is the engine's at the very message the reader has come to.

        (A book fresh from a snapshot may be ahead of the reader: then it is the engine's at the snapshot's message.)
        """
        for instrument_id in self.instruments:
            view = self.books.view(instrument_id)
            position = max(self.core.next_seq(1), view.l3_seq + 1)
            truth = self.history.get((self.core.stream_id, position))
            if view.stale or truth is None:
                continue
            self.compared += 1
            for side in SIDES:
                assert view.orders(side).tolist() == truth[instrument_id][side - 1], (instrument_id, side)

    def compare_all(self) -> None:
        """Everything the reader has equals the engine now: orders, levels, definitions."""
        self.books.check()
        assert self.core.definitions.keys() == set(self.instruments)
        for instrument_id in self.instruments:
            for side in SIDES:
                orders = self.orders_of_engine(instrument_id, side)
                assert self.books.view(instrument_id).orders(side).tolist() == orders
                depth = [tuple(row)[:3] for row in self.engine.depth(instrument_id, side, 10_000).tolist()]
                assert [
                    tuple(row)[:3] for row in self.levels.depth(instrument_id, side, 10_000).tolist()
                ] == depth
