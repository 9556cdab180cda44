"""A reader of the public feed: both lines, holes healed, books that are right or say that they are not."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import numpy as np
import zmq
import zmq.asyncio

from tradsys.client.feed_core import FeedCore
from tradsys.client.level_books import LevelBooks
from tradsys.client.packets import FeedPacket
from tradsys.core.book_view import BookSet, BookView
from tradsys.wire.enums import Channel

LINE_A, LINE_B = 0, 1
BUDGET_FRAMES = 256  # frames taken from one line before the other has its turn
POLL_MS_MAX = 20  # longest sleep, so that what is due is done

BOOK_CHANNELS = (Channel.L3, Channel.STATUS)


class FeedClient:
    """Follow the feed of a venue.

    Parameters
    ----------
    line_a, line_b : str
        Addresses of the PUB sockets, e.g. ``tcp://127.0.0.1:5556``; either may be left out.
    recovery : str, optional
        Address of the recovery door; without it holes are not filled and books wait for the periodic snapshots.
    channels : iterable of Channel
        Channels whose packets are handed on by `poll` and iteration.
    books : bool
        Keep an L3 book of each instrument wanted, see `book`.
    levels : bool or LevelBooks
        Keep L2 books, see `levels`; books of a kind of your own if given.
    instruments : iterable of int, optional
        Instruments whose books are kept; all when not given.
    orders_max, instruments_max : int
        Not below the venue's.
    receive_hwm : int
        Frames a line may keep for us before it drops.
    context : zmq.Context, optional
    clock : callable
        Monotonic time in ns.
    **settings
        Settings of `FeedCore`: gap_wait_ns, request_timeout_ns, fill_tries_max, fill_messages_max,
        pending_bytes_max, silence_ns.

    Notes
    -----
    One thread. Nothing happens but in `poll` (and what calls it): a client that does not poll falls behind and
    then heals.
    """

    def __init__(
        self,
        line_a: str | None = None,
        line_b: str | None = None,
        recovery: str | None = None,
        *,
        channels: Iterable[int] = (),
        books: bool = True,
        levels: bool | LevelBooks = False,
        instruments: Iterable[int] | None = None,
        orders_max: int = 1 << 20,
        instruments_max: int = 4096,
        receive_hwm: int = 10_000,
        context: zmq.Context | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        **settings: Any,
    ) -> None:
        if line_a is None and line_b is None:
            raise ValueError("a feed client needs line_a or line_b")
        handed_on = tuple(Channel(channel) for channel in channels)
        followed = {*handed_on, Channel.STATUS}
        if books:
            followed.add(Channel.L3)
        self.levels = levels if isinstance(levels, LevelBooks) else LevelBooks() if levels else None
        if self.levels is not None:
            followed.add(Channel.L2)
        if recovery is None and (books or self.levels is not None):
            followed.add(Channel.SNAPSHOT)
        self.books = BookSet(orders_max=orders_max, instruments_max=instruments_max) if books else None
        self.core = FeedCore(
            sorted(followed),
            books=self.books,
            levels=self.levels,
            wanted=instruments,
            deliver=handed_on,
            recovery=recovery is not None,
            **settings,
        )
        self.clock = clock
        self.context = context or zmq.Context.instance()
        self.lines = {
            line: self._subscribe(address, sorted(followed), receive_hwm)
            for line, address in ((LINE_A, line_a), (LINE_B, line_b))
            if address is not None
        }
        self.door = None if recovery is None else self._dealer(recovery)
        self.poller = zmq.Poller()
        for socket in self._sockets():
            self.poller.register(socket, zmq.POLLIN)
        self.closed = False

    def _subscribe(self, address: str, channels: Iterable[int], receive_hwm: int) -> zmq.Socket:
        socket = self.context.socket(zmq.SUB)
        socket.linger = 0
        socket.rcvhwm = receive_hwm
        for channel in channels:
            socket.subscribe(int(channel).to_bytes(2, "little"))
        socket.connect(address)
        return socket

    def _dealer(self, address: str) -> zmq.Socket:
        socket = self.context.socket(zmq.DEALER)
        socket.linger = 0
        socket.connect(address)
        return socket

    def _sockets(self) -> list[zmq.Socket]:
        return [*self.lines.values(), *([self.door] if self.door is not None else [])]

    # ---- following ----

    def poll(self, timeout_ms: int = 0) -> list[FeedPacket]:
        """Take what has arrived, heal what is due; returns the packets of `channels`, in order per channel.

        Sleeps at most `timeout_ms` (and at most 20 ms at a time, so call it in a loop) when nothing is waiting.
        """
        if timeout_ms:
            self.poller.poll(min(timeout_ms, POLL_MS_MAX))
        return self._turn()

    def _turn(self) -> list[FeedPacket]:
        now_ns = self.clock()
        for line, socket in self.lines.items():
            self.core.receive(socket, line, BUDGET_FRAMES, now_ns)
        if self.door is not None:
            self._read_answers(now_ns)
        self.core.on_time(now_ns)
        if self.core.requests:
            self._send_requests()
        packets = list(self.core.packets)
        self.core.packets.clear()
        return packets

    def _read_answers(self, now_ns: int) -> None:
        assert self.door is not None
        for _ in range(BUDGET_FRAMES):
            try:
                parts = self.door.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            if len(parts) == 1:
                self.core.on_answer(parts[0], now_ns)

    def _send_requests(self) -> None:
        """Send what the core asks; what cannot be sent now is asked again after its timeout."""
        if self.door is not None:
            for request in self.core.requests:
                try:
                    self.door.send(request, zmq.DONTWAIT)
                except zmq.Again:
                    break
        self.core.requests.clear()

    def __iter__(self) -> Iterator[FeedPacket]:
        """Packets of `channels` for ever, until the client is closed."""
        while not self.closed:
            yield from self.poll(POLL_MS_MAX)

    def wait_synced(self, timeout_s: float = 10.0) -> bool:
        """Poll until definitions and all wanted books are there and nothing is missing; drops packets meanwhile.

        Returns
        -------
        bool
            Whether it came to that in time.
        """
        end_ns = self.clock() + int(timeout_s * 1e9)
        while not self.core.synced:
            if self.clock() >= end_ns:
                return False
            self.poll(POLL_MS_MAX)
        return True

    # ---- asking ----

    def book(self, instrument_id: int) -> BookView:
        """The L3 book of an instrument; its queries raise `StaleBookError` while it is not known to be right."""
        if self.books is None:
            raise ValueError("this client keeps no L3 books (books=False)")
        return self.books.view(instrument_id)

    @property
    def definitions(self) -> dict[int, np.void]:
        """MdInstrument records by instrument id, with the states as they are now."""
        return self.core.definitions

    @property
    def auctions(self) -> dict[int, np.void]:
        """Newest MdAuction record of each instrument that had one: indicative, result or extension."""
        return self.core.auctions

    @property
    def breakers(self) -> dict[int, np.void]:
        """Newest MdBreaker record of each instrument whose circuit breaker has tripped."""
        return self.core.breakers

    def take_events(self) -> list[tuple[str, Any]]:
        """What happened since the last call.

        (name, detail) of: stream, lost, silent, back, book_broken, unknown_instrument.
        """
        events = list(self.core.events)
        self.core.events.clear()
        return events

    def statistics(self) -> dict[str, Any]:
        """Figures of arbitration and healing."""
        core, now_ns = self.core, self.clock()
        return {
            "stream_id": core.stream_id,
            "event_seq": core.event_seq,
            "synced": core.synced,
            "channels": {Channel(number).name: figures for number, figures in core.statistics().items()},
            "gaps": sum(figures["gaps"] for figures in core.statistics().values()),
            "filled": sum(figures["filled"] for figures in core.statistics().values()),
            "lost": sum(figures["lost"] for figures in core.statistics().values()),
            "malformed": core.malformed,
            "restarts": core.restarts,
            "refused": core.refused,
            "snapshots": core.snapshots,
            "books_unsynced": len(core.unsynced),
            "books_broken": self.books.breaks if self.books is not None else 0,
            "line_age_ms": {
                "AB"[line]: None if age is None else age // 1_000_000
                for line in self.lines
                for age in [core.line_age_ns(line, now_ns)]
            },
        }

    def close(self) -> None:
        """Close the sockets; the books stay as they are and are no longer followed."""
        if not self.closed:
            self.closed = True
            if self.books is not None:
                self.books.mark_behind("the client is closed")
            for socket in self._sockets():
                socket.close()

    def __enter__(self) -> "FeedClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncFeedClient(FeedClient):
    """The same in an asyncio program: `packets` awaits, everything else is as in `FeedClient`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.async_poller = zmq.asyncio.Poller()
        for socket in self._sockets():
            self.async_poller.register(socket, zmq.POLLIN)

    async def next_packets(self) -> list[FeedPacket]:
        """Wait until something arrives or is due, take it; returns the packets of `channels`."""
        await self.async_poller.poll(POLL_MS_MAX)
        return self._turn()

    async def packets(self) -> AsyncIterator[FeedPacket]:
        """Packets of `channels` for ever, until the client is closed."""
        while not self.closed:
            for packet in await self.next_packets():
                yield packet

    async def synced(self, timeout_s: float = 10.0) -> bool:
        """Follow the feed until all is there and nothing is missing; see `wait_synced`."""
        end_ns = self.clock() + int(timeout_s * 1e9)
        while not self.core.synced:
            if self.clock() >= end_ns:
                return False
            await self.next_packets()
        return True
