"""The feed client over real sockets, against a real sequencer and feed on this thread."""

import asyncio
import time
from collections.abc import Iterator

import pytest
import zmq
from free_ports import free_ports

from tradsys.client.feed_client import AsyncFeedClient, FeedClient
from tradsys.config import Feed as FeedSettings
from tradsys.core.book_view import StaleBookError
from tradsys.engine.sequencer import Sequencer
from tradsys.marketdata.feed import Feed
from tradsys.sim.workload import Stream
from tradsys.wire.enums import Channel

WAIT_S = 60.0
START_NS = 1_700_000_000_000_000_000


class Venue:
    """A sequencer, its feed and a flow of commands; time goes on a millisecond a turn."""

    def __init__(
        self, folder, *, stream_id: int = START_NS, live_target: int = 150, context=None, **settings
    ) -> None:
        self.flow = Stream("normal", 5, live_target=live_target)
        self.context = context or zmq.Context()
        self.folder, self.settings = folder, FeedSettings(**{"heartbeat_ms": 1, **settings})
        self.now_ns = START_NS
        # the same after a restart
        self.open(stream_id, *(f"tcp://127.0.0.1:{port}" for port in free_ports(3)))
        self.sequencer.run(self.flow.setup(), self.now_ns)
        self.sequencer.run(self.flow.prefill(), self.now_ns)

    def open(
        self,
        stream_id: int,
        line_a: str,
        line_b: str,
        recovery: str,
    ) -> None:
        self.sequencer = Sequencer.open(self.folder, durability="none", **self.flow.capacities)
        self.feed = Feed(
            self.sequencer,
            stream_id,
            self.settings,
            line_a=line_a,
            line_b=line_b,
            recovery=recovery,
            context=self.context,
        )

    def restart(self) -> None:
        feed = self.feed
        self.close_parts()
        self.open(feed.publisher.stream_id + 1, feed.line_a, feed.line_b, feed.recovery)

    def turn(self, commands: int = 0) -> None:
        self.now_ns += 1_000_000
        if commands:
            self.sequencer.run(self.flow.take(commands).view("u1"), self.now_ns)
        self.sequencer.wait_released()
        while self.feed.turn(self.now_ns):
            pass

    def client(self, kind=FeedClient, **options) -> FeedClient:
        capacities = self.flow.capacities
        addresses = {"line_a": self.feed.line_a, "line_b": self.feed.line_b, "recovery": self.feed.recovery}
        return kind(
            **{**addresses, **options},
            context=self.context,
            orders_max=capacities["orders_max"],
            instruments_max=capacities["instruments_max"],
        )

    def turns(self, commands: int = 0) -> Iterator[None]:
        """Turns for a loop that ends when what it waits for has come."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            self.turn(commands)
            yield
        raise AssertionError(f"not within {WAIT_S} s")

    def run_until(self, client: FeedClient, commands: int = 2) -> list:
        """Turns until the client is synced and up to date, then none with commands; returns its packets."""
        packets = []
        for _ in self.turns(commands):
            packets += client.poll(1)
            if client.core.synced and client.core.next_seq(1) > 1:
                break
        for _ in self.turns():
            packets += client.poll(1)
            if client.core.synced and client.core.next_seq(1) == self.feed.publisher.l3.next_seq:
                break
        return packets

    def compare(self, client: FeedClient) -> None:
        for instrument_id in range(1, self.flow.profile.instruments + 1):
            for side in (1, 2):
                truth = self.sequencer.engine.resting_orders(instrument_id, side)
                rows = client.book(instrument_id).orders(side)
                assert rows["order_id"].tolist() == truth["order_id"].tolist()
                assert rows["leaves_lots"].tolist() == truth["leaves_lots"].tolist()

    def close_parts(self) -> None:
        self.feed.close()
        self.sequencer.close()

    def close(self) -> None:
        self.close_parts()
        self.context.destroy(linger=0)


@pytest.fixture
def venue(tmp_path):
    venues = []

    def make(**options) -> Venue:
        venues.append(Venue(tmp_path, **options))
        return venues[-1]

    yield make
    for each in venues:
        each.close()


def test_a_late_joiner_gets_definitions_and_books_and_follows(venue):
    """Goal: the ordinary client. Method: join a running venue, follow it, compare all books with the engine."""
    door = venue()
    for _ in range(20):
        door.turn(20)
    with door.client(channels=[Channel.TRADES, Channel.L1]) as client:
        packets = door.run_until(client)
        for _ in range(20):
            door.turn(50)
            packets += client.poll(1)
        door.run_until(client)
        door.compare(client)
        assert {packet.channel for packet in packets} == {Channel.TRADES, Channel.L1}
        assert len(client.definitions) == door.flow.profile.instruments
        assert client.definitions[1]["symbol"]
        figures = client.statistics()
        assert figures["lost"] == figures["malformed"] == 0
        assert figures["channels"]["L3"]["duplicates"] > 0
        assert ("stream", START_NS) in client.take_events()
    with pytest.raises(StaleBookError, match="closed"):
        client.book(1).best()


def test_one_line_is_enough(venue):
    """Goal: line B off. Method: a venue and a client with line A only."""
    door = venue(line_b=False)
    assert door.feed.line_b is None
    with door.client(line_b=None) as client:
        door.run_until(client)
        door.compare(client)


def test_a_slow_reader_sees_a_gap_and_heals(venue):
    """Goal: bounded queues. Method: small send and receive queues, many small packets while the client does not poll."""
    door = venue(send_hwm=64, packet_bytes_max=1024)
    with door.client(line_b=None, receive_hwm=64) as client:
        door.run_until(client)
        for _ in range(4000):
            door.turn(20)
        door.run_until(client)
        door.compare(client)
        figures = client.statistics()
        assert figures["gaps"] > 0
        assert figures["filled"] + figures["lost"] > 0


def test_a_venue_restart_is_noticed_and_healed(venue):
    """Goal: recovery and a new stream. Method: close sequencer and feed, open both again on the same ports and folder."""
    door = venue()
    with door.client() as client:
        door.run_until(client)
        door.restart()
        for _ in door.turns():
            client.poll(1)
            if client.core.restarts:
                break
        door.run_until(client)
        door.compare(client)
        assert client.statistics()["restarts"] == 1


def test_levels_without_orders(venue):
    """Goal: an L2 reader. Method: no L3 books; levels compared with the engine's depth."""
    door = venue()
    with door.client(books=False, levels=True) as client:
        for _ in door.turns(2):
            client.poll(1)
            if client.core.synced:
                break
        for _ in door.turns():
            client.poll(1)
            if client.core.next_seq(2) == door.feed.publisher.l2.next_seq:
                break
        for instrument_id in range(1, door.flow.profile.instruments + 1):
            for side in (1, 2):
                truth = [
                    tuple(row)[:3] for row in door.sequencer.engine.depth(instrument_id, side, 1000).tolist()
                ]
                assert [
                    tuple(row)[:3] for row in client.levels.depth(instrument_id, side, 1000).tolist()
                ] == truth
        with pytest.raises(ValueError, match="no L3 books"):
            client.book(1)


def test_the_asyncio_face(venue):
    """Goal: the same in asyncio. Method: the venue's turns as one task, the client's as another."""
    door = venue()

    async def run_venue(stop: asyncio.Event) -> None:
        while not stop.is_set():
            door.turn(5)
            await asyncio.sleep(0)

    async def main() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(run_venue(stop))
        client = door.client(AsyncFeedClient, channels=[Channel.L3])
        assert await client.synced(WAIT_S)
        seen = 0
        async for packet in client.packets():
            seen += len(packet.orders)
            if seen > 200:
                break
        stop.set()
        await task
        for _ in door.turns():
            await client.next_packets()
            if client.core.next_seq(1) == door.feed.publisher.l3.next_seq:
                break
        door.compare(client)
        client.close()

    asyncio.run(main())


def test_a_client_needs_a_line():
    """Goal: arguments. Method: neither line."""
    with pytest.raises(ValueError, match="line_a or line_b"):
        FeedClient(recovery="tcp://127.0.0.1:1")


def test_a_port_that_is_taken_is_told(venue):
    """Goal: a second feed on the same ports. Method: bind again; the first goes on."""
    door = venue()
    with pytest.raises(zmq.ZMQError):
        Feed(door.sequencer, 1, line_a=door.feed.line_a, recovery="tcp://127.0.0.1:*", context=door.context)
    door.turn(5)
