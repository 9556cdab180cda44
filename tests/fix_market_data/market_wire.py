"""Market data sessions joined in memory to FIX clients of ours, behind a feed with bad lines."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "client"))

from faulty_feed import FaultyFeed

from tradsys.client.fix_books import FixBooks
from tradsys.client.fix_link import FixLink
from tradsys.client.fix_outbox import Outbox
from tradsys.fix.message import Message, parse_time
from tradsys.fix.settings import SessionSettings
from tradsys.fix_market_data.market import Market
from tradsys.fix_market_data.requests import BID, OFFER
from tradsys.fix_market_data.session import Bounds, MarketSession
from tradsys.fix_market_data.tracked_levels import TrackedLevels
from tradsys.gateways.fix_logon import FixLogonCheck
from tradsys.gateways.fix_sessions import FixSessionConfig

START_NS = parse_time(b"20240102-12:00:00")
MS = 1_000_000
SIDE_OF = {BID: 1, OFFER: 2}


class Wire:
    """One session, one client, and the bytes between them; stands in for the session's connection."""

    address = "127.0.0.1"

    def __init__(
        self, session: MarketSession, now_ns: int = START_NS, password: bytes = b"secret", **settings
    ) -> None:
        self.session, self.now_ns = session, now_ns
        fields = (*settings.pop("logon_fields", ()), (554, password))
        settings = {
            "sender_comp_id": "DEMO",
            "target_comp_id": "TRADSYS",
            "message_bytes_max": 1 << 20,
        } | settings
        self.client = FixLink(SessionSettings(**settings, logon_fields=fields), Outbox(), initiator=True)
        self.buffer = bytearray()
        self.messages: list[Message] = []  # all that the client got
        self.books = FixBooks()
        session.begin(self, now_ns)
        self.client.connect(now_ns)
        self.carry()

    def flush(self) -> None:
        self.buffer += self.session.link.outgoing
        self.session.link.outgoing.clear()

    def unsent_bytes(self) -> int:
        return len(self.buffer)

    def carry(self, bytes_max: int = 1 << 30) -> None:
        """Bring what the client says, and so many bytes of what the session says; again while that makes an answer."""
        while True:
            if self.client.outgoing:
                data = bytes(self.client.outgoing)
                self.client.outgoing.clear()
                self.session.link.receive(data, self.now_ns)
            self.flush()
            data = bytes(self.buffer[:bytes_max])
            del self.buffer[: len(data)]
            bytes_max -= len(data)
            if data and not self.buffer:
                self.session.has_room()
            if not data and not self.client.outgoing:
                return
            self.client.receive(data, self.now_ns)
            for message in self.client.take():
                self.messages.append(message)
                self.books.take(message)

    def send(self, msg_type: str, *fields: tuple[int, bytes]) -> list[Message]:
        """Send a message; returns the answers."""
        before = len(self.messages)
        self.client.set_time(self.now_ns)
        self.client.send(msg_type, fields)
        self.carry()
        return self.messages[before:]

    def ask(self, request_id: bytes, *symbols: bytes, **options) -> list[Message]:
        return self.send("V", *request(request_id, *symbols, **options))


def request(request_id, *symbols, kind=b"1", depth=b"0", update=b"1", entries=(b"0", b"1"), extra=()):
    """Fields of a MarketDataRequest."""
    fields = [
        (262, request_id),
        (263, kind),
        (264, depth),
        (265, update),
        *extra,
        (267, b"%d" % len(entries)),
    ]
    fields += [(269, entry) for entry in entries]
    return [*fields, (146, b"%d" % len(symbols)), *((55, symbol) for symbol in symbols)]


def make_session(market: Market, bounds: Bounds | None = None, **options) -> MarketSession:
    settings = SessionSettings(
        sender_comp_id="TRADSYS", target_comp_id="DEMO", reset_on_logon=True, refusal_delay_ns=0
    )
    config = FixSessionConfig(
        1, 0, settings, Path(), password="secret", allowed_addresses=options.pop("allowed", ())
    )
    return MarketSession(config, market, FixLogonCheck(), bounds, **options)


class MarketWorld(FaultyFeed):
    """A venue with bad lines, one reader of its feed, and what FIX clients are told of it."""

    def __init__(self, seed: int, **options) -> None:
        self.sessions: list[MarketSession] = []
        self.wires: list[Wire] = []
        levels = TrackedLevels()
        super().__init__(seed, levels=levels, deliver=(4, 5), **options)
        self.market = Market(levels, self.core.definitions, levels_max=50, stale_ns=20 * MS)

    @property
    def wall_ns(self) -> int:
        return START_NS + self.now_ns - 10**15

    def connect(self, bounds: Bounds | None = None, **options) -> Wire:
        self.sessions.append(make_session(self.market, bounds, **options))
        self.wires.append(Wire(self.sessions[-1], self.wall_ns))
        return self.wires[-1]

    def turn(self, commands: int = 8) -> None:
        super().turn(commands)
        for session in self.sessions:
            session.look_at_pace(self.wall_ns)
        self.market.turn(self.packets, self.wall_ns)
        self.market.check()
        for session, wire in zip(self.sessions, self.wires, strict=True):
            wire.now_ns = self.wall_ns
            session.flush(self.wall_ns)

    def symbols(self) -> list[bytes]:
        return sorted(self.market.by_symbol)

    def told(self, symbol: bytes, kind: bytes, depth: int) -> list[tuple[bytes, bytes, int]] | None:
        """What the feed's book holds, as FIX shows it; None while it is not known."""
        instrument = self.market.by_symbol[symbol].instrument
        book = self.market.levels.book_of(instrument.instrument_id)
        if book is None:
            return None
        rows = book.sides[SIDE_OF[kind]]
        return [
            (instrument.price(price), instrument.quantity(rows[price][0]), rows[price][1])
            for price in sorted(rows, reverse=kind == BID)[:depth]
        ]

    def engine_levels(self, symbol: bytes, kind: bytes, depth: int) -> list[tuple[bytes, bytes, int]]:
        """What the engine holds, as FIX shows it."""
        instrument = self.market.by_symbol[symbol].instrument
        rows = self.engine.depth(instrument.instrument_id, SIDE_OF[kind], depth).tolist()
        return [(instrument.price(row[0]), instrument.quantity(row[1]), row[2]) for row in rows]
