"""The whole venue in a box: a `VenueWorld` that publishes, two bad lines, and readers whose books must be right.

Packets leave the real publisher through in-process sockets, cross a faulty wire each for line A and B, and reach
`FeedCore`s; requests for gap fills and snapshots go to the real recovery door and back over wires that lose them too.
What must hold: a book that does not call itself stale is the reference's book at the very message it has come to, and
once the wires behave every book comes right again.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import zmq

from tradsys.client.feed_core import FeedCore
from tradsys.client.level_books import LevelBooks
from tradsys.core.book_view import BookSet
from tradsys.engine.sequencer import Sequencer
from tradsys.marketdata.channel import Lines
from tradsys.marketdata.publisher import Publisher
from tradsys.marketdata.recovery import RecoveryDoor
from tradsys.sim.checkers import CheckFailed
from tradsys.sim.draw import Draw
from tradsys.sim.faults import PERFECT, FaultyWire, WireFaults
from tradsys.sim.reference_book import BUY, SELL, Order
from tradsys.sim.venue_world import Tally, VenueWorld
from tradsys.wire.enums import Channel

MS = 1_000_000
LEVEL_NAMES = ("price_ticks", "qty_lots", "order_count")
LINES = (0, 1)
# So much is lost that both lines often miss the same packet.
AWFUL = WireFaults(drop_one_in=5, duplicate_one_in=20, delay_one_in=10, burst_packets_max=4)
KEPT_POINTS = 4000  # moments whose books are remembered, for readers that are behind
HEAL_TICKS_MAX = 40_000
_names = itertools.count()
Book = tuple[tuple[int, int], ...]  # (order_id, leaves [lots]) in priority, bids then asks


class Reader:
    """A follower of the feed behind its own wires.

    Parameters
    ----------
    draw
        Source of the wires' faults.
    capacities
        The venue's.
    recovery
        Whether it may ask; otherwise it lives on the periodic snapshots.
    """

    def __init__(self, draw: Draw, capacities: dict[str, int], faults: WireFaults, *, recovery: bool) -> None:
        self.lines = [FaultyWire(draw, faults) for _ in LINES]
        self.requests = FaultyWire(draw, faults)
        self.answers = FaultyWire(draw, faults)
        self.recovery = recovery
        self.levels = LevelBooks()
        self.books = BookSet(
            orders_max=capacities["orders_max"], instruments_max=capacities["instruments_max"]
        )
        followed = [Channel.L3, Channel.L2, Channel.TRADES, Channel.STATUS]
        if not recovery:
            followed.append(Channel.SNAPSHOT)
        self.core = FeedCore(
            followed,
            books=self.books,
            levels=self.levels,
            deliver=(Channel.TRADES,),
            recovery=recovery,
            gap_wait_ns=2 * MS,
            request_timeout_ns=20 * MS,
            silence_ns=500 * MS,
        )
        self.checked = 0  # live books compared

    def behave(self, faults: WireFaults) -> None:
        """Change what the wires do from now on."""
        for wire in (*self.lines, self.requests, self.answers):
            wire.faults = faults

    def turn(self, dealer: zmq.Socket, now_ns: int) -> None:
        """Take what has arrived, ask what is to be asked."""
        for line in LINES:
            for frame in self.lines[line].receive(now_ns):
                self.core.on_frame(frame, line, now_ns)
        for answer in self.answers.receive(now_ns):
            self.core.on_answer(answer, now_ns)
        self.core.on_time(now_ns)
        for request in self.core.requests:
            if self.recovery:
                self.requests.send(request, now_ns)
        self.core.requests.clear()
        for request in self.requests.receive(now_ns):
            dealer.send(request)

    def collect(self, dealer: zmq.Socket, now_ns: int) -> None:
        """Put what the recovery door has answered on the wire."""
        for frame in _receive_all(dealer):
            self.answers.send(frame, now_ns)


class FeedWorld(VenueWorld):
    """A venue world with its feed; see `VenueWorld` for the parameters.

    Notes
    -----
    Each run of the venue is a new stream. `points` holds the books of every instrument after each of the last turns,
    by stream and number of the last L3 message.
    """

    def __init__(self, seed: int, folder: Path, **options: Any) -> None:
        self.context = zmq.Context()
        self.pushes: tuple[zmq.Socket, ...] = ()
        self.pulls: tuple[zmq.Socket, ...] = ()
        self.dealers: list[zmq.Socket] = []
        self.router: zmq.Socket | None = None
        self.streams = 0
        self.points: dict[tuple[int, int], dict[int, Book]] = {}
        self.point_order: deque[tuple[int, int]] = deque()
        self.readers: list[Reader] = []
        self.trades_seen = 0
        super().__init__(seed, folder, **options)
        capacities = self.commands.capacities
        self.readers = [
            Reader(Draw(seed + 1), capacities, AWFUL, recovery=True),
            Reader(Draw(seed + 2), capacities, AWFUL, recovery=False),
            Reader(Draw(seed + 3), capacities, PERFECT, recovery=True),
        ]
        self._connect_readers()

    # ---------------------------------------------------------------- what happens

    def step(self) -> None:
        """One thing happens in the venue; then its feed goes on for some turns."""
        super().step()
        for _ in range(self.draw.between(1, 4)):
            self.feed_turn(self.draw.between(1, 3) * MS)

    def feed_turn(self, elapsed_ns: int) -> None:
        """Publish what is released, move the wires, let every reader and the recovery door take a turn."""
        self.clock.advance(elapsed_ns)
        now_ns = self.clock.monotonic_ns()
        while self.publisher.publish(self.sequencer, now_ns):
            self._remember()
        self._remember()
        for line, socket in zip(LINES, self.pulls, strict=True):
            for frame in _receive_all(socket):
                for reader in self.readers:
                    reader.lines[line].send(frame, now_ns)
        for reader, dealer in zip(self.readers, self.dealers, strict=True):
            reader.turn(dealer, now_ns)
        self.door.service(now_ns)
        for reader, dealer in zip(self.readers, self.dealers, strict=True):
            reader.collect(dealer, now_ns)
            self.check_reader(reader)

    def finish(self) -> Tally:
        """Let the wires behave until every reader is right, then finish the venue."""
        self.settle()
        for reader in self.readers:
            reader.behave(PERFECT)
        for _ in range(HEAL_TICKS_MAX):
            self.feed_turn(5 * MS)
            if all(self._has_healed(reader) for reader in self.readers):
                break
        else:
            raise CheckFailed("readers do not heal: " + "; ".join(map(self._ailment, self.readers)))
        for reader in self.readers:
            self._check_everything(reader)
        try:
            return super().finish()
        finally:
            self.hang_up()

    def hang_up(self) -> None:
        """Close every socket."""
        self._close_sockets()
        self.context.destroy(linger=0)

    # ---------------------------------------------------------------- what must hold

    def check_reader(self, reader: Reader) -> None:
        """Every book a reader believes in is the book of the moment it has come to, where that is remembered.

        A snapshot may be ahead of the messages that have arrived.
        """
        arrived = reader.core.next_seq(Channel.L3) - 1
        for instrument_id in reader.books.live_instruments():
            if reader.books.stale_reason(instrument_id) is not None:
                continue
            l3_seq = max(arrived, reader.books.l3_seq(instrument_id))
            point = self.points.get((reader.core.stream_id, l3_seq))
            if point is None:
                continue
            found, expected = _book_of(reader.books, instrument_id), point.get(instrument_id, ())
            if found != expected:
                where = f"stream {reader.core.stream_id}, L3 {l3_seq}"
                raise CheckFailed(
                    f"book of instrument {instrument_id} at {where} is {found[:6]}, not {expected[:6]}"
                )
            reader.checked += 1

    def _has_healed(self, reader: Reader) -> bool:
        core = reader.core
        published = self.publisher.event_seq == self.sequencer.last_event_seq
        at_the_end = (
            published
            and core.stream_id == self.publisher.stream_id
            and all(
                core.next_seq(channel) == self.publisher.channel(channel).next_seq
                for channel in (Channel.L3, Channel.L2, Channel.STATUS)
            )
        )
        levels_right = all(reader.levels.stale_reason(i) is None for i in self.reference.instruments)
        books_right = all(reader.books.stale_reason(i) is None for i in self.reference.instruments)
        # who cannot ask for the definitions never knows that it has them all
        return at_the_end and (core.synced or not reader.recovery) and levels_right and books_right

    def _ailment(self, reader: Reader) -> str:
        """What keeps a reader from being right."""
        core = reader.core
        stale = {
            i: (reader.books.stale_reason(i), reader.levels.stale_reason(i))
            for i in self.reference.instruments
            if reader.books.stale_reason(i) or reader.levels.stale_reason(i)
        }
        return (
            f"stream {core.stream_id} of {self.publisher.stream_id}, unsynced {sorted(core.unsynced)}, "
            f"synced {core.synced}, stale (L3, L2) {stale}, channels {core.statistics()}"
        )

    def _check_everything(self, reader: Reader) -> None:
        """L3 order by order, L2 level by level, and the definitions' states, against the reference."""
        for instrument_id, instrument in self.reference.instruments.items():
            if _book_of(reader.books, instrument_id) != self._reference_book(instrument_id):
                raise CheckFailed(
                    f"the L3 book of instrument {instrument_id} is not the reference's after healing"
                )
            for side in (BUY, SELL):
                rows = reader.levels.depth(instrument_id, side, 1 << 20)
                found = [tuple(int(row[name]) for name in LEVEL_NAMES) for row in rows]
                expected = _shown_levels(self.reference.resting(instrument_id, side))
                if found != expected:
                    raise CheckFailed(f"L2 of instrument {instrument_id} is {found[:4]}, not {expected[:4]}")
            state = (
                int(reader.core.definitions[instrument_id]["state"]) if reader.recovery else instrument.state
            )
            if state != instrument.state:
                raise CheckFailed(f"state of instrument {instrument_id} is {state}, not {instrument.state}")
        reader.books.check()
        reader.core.check()

    # ---------------------------------------------------------------- how it is done

    def _open(self, data_dir: Path) -> Sequencer:
        """Open the venue's files and begin a new stream."""
        sequencer = super()._open(data_dir)
        self._close_sockets()
        self.streams += 1
        name = next(_names)
        capacities = self.commands.capacities
        self.pushes, self.pulls = zip(
            *(self._pair(zmq.PUSH, zmq.PULL, f"inproc://line-{name}-{line}") for line in LINES), strict=True
        )
        self.router = self.context.socket(zmq.ROUTER)
        self.router.bind(f"inproc://door-{name}")
        self.door_address = f"inproc://door-{name}"
        self.dealers = []
        self.publisher = Publisher(
            self.streams,
            Lines(*self.pushes),
            orders_max=capacities["orders_max"],
            instruments_max=capacities["instruments_max"],
            packet_bytes_max=1400,
            retention_bytes=1 << 16,
            heartbeat_ms=50,
        )
        self.publisher.restore(sequencer.engine)
        self.door = RecoveryDoor(self.publisher, self.router, snapshot_cycle_ms=100)
        if self.readers:
            self._connect_readers()
        return sequencer

    def _close_sockets(self) -> None:
        """Close the sockets of the run that has ended."""
        for socket in (*self.pushes, *self.pulls, *self.dealers, self.router):
            if socket is not None:
                socket.close(linger=0)

    def _connect_readers(self) -> None:
        """New sockets to the recovery door; what was under way on the old lines is gone."""
        for reader in self.readers:
            dealer = self.context.socket(zmq.DEALER)
            dealer.connect(self.door_address)
            self.dealers.append(dealer)
            if self.draw.chance(2):
                for wire in (*reader.lines, reader.requests, reader.answers):
                    wire.lose_all()

    def _pair(self, left: int, right: int, address: str) -> tuple[zmq.Socket, zmq.Socket]:
        receiving = self.context.socket(right)
        receiving.rcvhwm = 0
        receiving.bind(address)
        sending = self.context.socket(left)
        sending.sndhwm = 0
        sending.connect(address)
        return sending, receiving

    def _reference_book(self, instrument_id: int) -> Book:
        sides = (self.reference.resting(instrument_id, side) for side in (BUY, SELL))
        return tuple((o.order_id, o.available) for side in sides for o in side if not o.is_hidden)

    def _remember(self) -> None:
        """The books as published so far; only where all that was decided has been published."""
        if self.publisher.event_seq != self.sequencer.last_event_seq:
            return
        key = (self.publisher.stream_id, self.publisher.l3.next_seq - 1)
        if key not in self.points:
            self.point_order.append(key)
            if len(self.point_order) > KEPT_POINTS:
                del self.points[self.point_order.popleft()]
        self.points[key] = {i: self._reference_book(i) for i in self.reference.instruments}


def _shown_levels(orders: Iterable[Order]) -> list[tuple[int, int, int]]:
    """Levels the public sees of a side's orders: price [ticks], lots, orders (rule 9.8)."""
    levels: dict[int, tuple[int, int, int]] = {}
    for order in orders:
        if not order.is_hidden:
            price = order.book_price
            _, lots, count = levels.get(price, (price, 0, 0))
            levels[price] = (price, lots + order.available, count + 1)
    return list(levels.values())


def _book_of(books: BookSet, instrument_id: int) -> Book:
    view = books.view(instrument_id)
    rows = [view.orders(side) for side in (BUY, SELL)]
    return tuple((int(row["order_id"]), int(row["leaves_lots"])) for side in rows for row in side)


def _receive_all(socket: zmq.Socket) -> list[bytes]:
    frames = []
    while True:
        try:
            frames.append(b"".join(socket.recv_multipart(zmq.DONTWAIT)))
        except zmq.Again:
            return frames


def run(seed: int, folder: Path, steps: int, **options: Any) -> tuple[Tally, list[Reader]]:
    """Let a world with a feed live for so many steps; its tally and its readers."""
    world = FeedWorld(seed, folder, **options)
    try:
        for _ in range(steps):
            world.step()
        return world.finish(), world.readers
    finally:
        world.sequencer.close()
        world.hang_up()
