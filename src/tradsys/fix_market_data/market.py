"""From the feed's books, trades and states to what each subscription is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from struct import Struct
from typing import Any

import numpy as np

from tradsys.client.packets import FRAME_HEAD_BYTES, FeedPacket
from tradsys.fix_market_data.instruments import Instrument, Trade
from tradsys.fix_market_data.requests import LEVEL_KINDS, STATISTIC_KINDS, TRADE
from tradsys.fix_market_data.streams import BookStream, Change, FigureStream
from tradsys.fix_market_data.subscriptions import Leg, Subscription
from tradsys.fix_market_data.tracked_levels import TrackedLevels
from tradsys.gateways.fix_answers import session_state
from tradsys.gateways.fix_catalog import FixCatalog
from tradsys.wire.enums import AuctionNews, Channel, InstrumentState, Template
from tradsys.wire.records import DTYPES, HEADER_BYTES

MD_TRADE_ID, MD_AUCTION_ID = int(Template.MD_TRADE), int(Template.MD_AUCTION)
RECORDS = {template: DTYPES[template] for template in (MD_TRADE_ID, MD_AUCTION_ID, int(Template.MD_STATISTICS))}
ID_AT = {template: dtype.fields["instrument_id"][1] for template, dtype in RECORDS.items() if dtype.fields}
HEAD, ID = Struct("<HH"), Struct("<I")
DEFINE_NS = 10**9  # definitions are compared at least so often
StateListener = Callable[[Instrument, int], None]  # is told the state before, too
CallListener = Callable[[Instrument, int], None]  # is told the call's new end, ns since the epoch
CALLS = (
    InstrumentState.PRE_OPEN, InstrumentState.OPENING_AUCTION, InstrumentState.VOLATILITY_AUCTION,
    InstrumentState.CLOSING_AUCTION, InstrumentState.NAV_COLLECTION,
)  # fmt: skip
ListListener = Callable[[list[int]], None]  # is told instruments that were defined, or defined anew


class Told:
    """One instrument and who is told of it."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.figures = FigureStream(instrument)
        self.books: dict[int, BookStream] = {}  # by depth
        self.book_legs: dict[int, dict[Leg, None]] = {}
        self.figure_legs: dict[Leg, None] = {}
        self.trade_legs: dict[Leg, None] = {}
        self.last_trade: np.void | None = None  # MdTrade
        self.stale_ns = -1  # since when its book is not known; -1: it is
        self.is_told_unknown = False

    def tell_figures(self) -> None:
        """Tell what has changed of the figures, if anybody listens."""
        if self.figure_legs:
            tell(self.figure_legs, self.figures.advance())

    def legs(self) -> Iterator[Leg]:
        """Walk over the legs that are told a book."""
        for legs in self.book_legs.values():
            yield from legs


class Market:
    """Everything there is to be told, whoever is connected.

    Invariant: a book stream that is good tells, after `turn`, what the feed's book holds.

    Parameters
    ----------
    levels : TrackedLevels
        The feed's L2 books.
    definitions : mapping of int to numpy.void
        The feed's MdInstrument records, states as they are.
    levels_max : int
        Levels a side that are told when all are asked for.
    stale_ns : int
        How long a book may be not known before its listeners are told so.
    """

    def __init__(
        self,
        levels: TrackedLevels,
        definitions: Mapping[int, np.void],
        *,
        levels_max: int = 1_000,
        stale_ns: int = 500_000_000,
    ) -> None:
        self.levels, self.definitions = levels, definitions
        self.levels_max, self.stale_ns = levels_max, stale_ns
        self.told: dict[int, Told] = {}
        self.by_symbol: dict[bytes, Told] = {}
        self.on_state: StateListener = lambda instrument, before: None
        self.on_extended: CallListener = lambda instrument, end_ns: None
        self.on_defined: ListListener = lambda instrument_ids: None
        readable: Any = self  # has what the catalog asks of FixSymbols
        self.catalog = FixCatalog(readable)
        self._unwell: set[int] = set()
        self._health: tuple[str | None, int] = (None, -1)
        self._defined_ns = -DEFINE_NS

    # --------------------------------------------------------------------------------------- the feed

    def turn(self, packets: Iterable[FeedPacket], now_ns: int) -> None:
        """Take what the feed has brought: packets of TRADES and STATUS, and what became of its books."""
        is_new = now_ns - self._defined_ns >= DEFINE_NS or len(self.definitions) > len(self.told)
        for packet in packets:
            self._take_records(packet)
            is_new = is_new or packet.channel is Channel.STATUS
        if is_new:
            self._defined_ns = now_ns
            self._define()
        self._look_at_health(now_ns)
        if self.levels.behind is not None:
            return
        for book, changed in self.levels.take_changed():
            told = self.told.get(book.instrument_id)
            for depth, stream in told.books.items() if told is not None else ():
                if stream.source is book and told is not None:
                    changes = stream.advance(book, changed)
                    tell(told.book_legs[depth], changes)

    def _take_records(self, packet: FeedPacket) -> None:
        """Take the trades, figures and auctions of a packet, read where they lie."""
        frame, at = packet.frame, FRAME_HEAD_BYTES
        fresh: dict[Told, None] = {}
        for index in range(int(packet.head["message_count"])):
            block_bytes, template = HEAD.unpack_from(frame, at)
            dtype = RECORDS.get(template)
            if index >= packet.skip and dtype is not None:
                told = self.told.get(ID.unpack_from(frame, at + ID_AT[template])[0])
                if told is not None:
                    self._take_record(told, template, np.frombuffer(frame, dtype, 1, at)[0].copy())
                    fresh[told] = None
            at += HEADER_BYTES + block_bytes
        for told in fresh:
            told.tell_figures()

    def _take_record(self, told: Told, template: int, record: np.void) -> None:
        if template == MD_TRADE_ID:
            self._take_trade(told, record)
        elif template != MD_AUCTION_ID:
            told.figures.newest = record
        elif record["auction_news"] == AuctionNews.EXTENDED:
            self.on_extended(told.instrument, int(record["end_ts_ns"]))
        else:
            told.figures.take_auction(record)

    def _take_trade(self, told: Told, record: np.void) -> None:
        told.last_trade = record
        if told.trade_legs:
            change = told.instrument.trade_change(int(record["match_id"]), trade_of(record))
            entry = told.instrument.trade_entry(trade_of(record))
            for leg in told.trade_legs:
                leg.take_trade(change, entry)

    def _define(self) -> None:
        """Learn new instruments and states. A definition that has changed is told as a new book."""
        defined: list[int] = []
        for instrument_id, record in self.definitions.items():
            told = self.told.get(instrument_id)
            if told is not None and told.instrument.raw == record.tobytes():
                continue
            instrument = Instrument(record)
            self.catalog.forget()
            if told is None:
                told = self.told[instrument_id] = self.by_symbol[instrument.symbol] = Told(instrument)
                defined.append(instrument_id)
                continue
            before, told.instrument = told.instrument, instrument
            if not before.is_as(record):
                self._redefine(told, before)
                defined.append(instrument_id)
            if before.state != instrument.state:
                if instrument.state not in CALLS:
                    told.figures.end_call()
                    told.tell_figures()
                self.on_state(instrument, before.state)
        if defined:
            self.on_defined(sorted(defined))

    def _redefine(self, told: Told, before: Instrument) -> None:
        self.by_symbol.pop(before.symbol, None)
        self.by_symbol[told.instrument.symbol] = told
        told.last_trade = None
        told.figures.restart(told.instrument)
        for stream in told.books.values():
            stream.instrument, stream.source = told.instrument, None
            stream.is_good = False
        for leg in {**dict.fromkeys(told.legs()), **told.figure_legs, **told.trade_legs}:
            leg.instrument, leg.last_trade = told.instrument, b""
            leg.restart()
        self._unwell.add(told.instrument.instrument_id)

    def symbols(self) -> list[tuple[int, bytes, int, bytes, int, int, int, int, int, int]]:
        """List the instruments as `tradsys.gateways.fix_catalog` reads them."""
        records = (
            (number, told.instrument.symbol, told.instrument.record)
            for number, told in sorted(self.told.items())
        )
        return [
            (
                number, symbol, int(record["asset_class"]), bytes(record["currency"]).rstrip(b"\0"),
                int(record["lot_mantissa"]), int(record["lot_exponent"]), int(record["qty_min_lots"]),
                int(record["qty_increment_lots"]), int(record["tick_mantissa"]), int(record["tick_exponent"]),
            )
            for number, symbol, record in records
        ]  # fmt: skip

    def session_state(self) -> InstrumentState:
        """State of the trading session, by those of its instruments."""
        return session_state(told.instrument.state for told in self.told.values())

    # --------------------------------------------------------------------------------------- right or not known

    def _look_at_health(self, now_ns: int) -> None:
        health = (self.levels.behind, self.levels.generation)
        if health != self._health:
            self._health = health
            self._unwell.update(number for number, told in self.told.items() if told.books)
        for instrument_id in list(self._unwell):
            if self._is_well(self.told[instrument_id], now_ns):
                self._unwell.discard(instrument_id)

    def _is_well(self, told: Told, now_ns: int) -> bool:
        """Look whether a book is known, and let its listeners hear of it."""
        book = self.levels.book_of(told.instrument.instrument_id)
        if not told.books:
            told.stale_ns, told.is_told_unknown = -1, False
            return True
        if book is None:
            told.stale_ns = now_ns if told.stale_ns < 0 else told.stale_ns
            for stream in told.books.values():
                stream.is_good = False
            if now_ns - told.stale_ns >= self.stale_ns and not told.is_told_unknown:
                told.is_told_unknown = True
                for leg in told.legs():
                    self._tell_unknown(leg)
            return False
        for depth, stream in told.books.items():
            if stream.source is not book:
                stream.reset(book)
                for leg in told.book_legs[depth]:
                    leg.unknown = ""
                    leg.restart()
            stream.is_good = True
        for leg in told.legs():
            if leg.unknown:
                leg.unknown = ""
                leg.restart()
        told.stale_ns, told.is_told_unknown = -1, False
        return True

    def _tell_unknown(self, leg: Leg) -> None:
        reason = self.levels.stale_reason(leg.instrument.instrument_id)
        leg.unknown = f"the book is not known: {reason or 'it is being asked for'}"
        leg.restart()

    # --------------------------------------------------------------------------------------- listeners

    def add(self, subscription: Subscription) -> None:
        """Tell a subscription, all of whose symbols are known."""
        request = subscription.request
        depth = min(request.depth or self.levels_max, self.levels_max)
        for symbol in request.symbols:
            told = self.by_symbol[symbol]
            wants_book = bool(request.entry_kinds & LEVEL_KINDS)
            stream = self._stream(told, depth) if wants_book else None
            figures = told.figures if request.entry_kinds & STATISTIC_KINDS else None
            leg = Leg(subscription, told.instrument, stream, figures)
            subscription.legs.append(leg)
            if stream is not None:
                told.book_legs[depth][leg] = None
                if told.is_told_unknown:
                    self._tell_unknown(leg)
            if figures is not None:
                if not told.figure_legs:
                    figures.advance()
                told.figure_legs[leg] = None
            if TRADE in request.entry_kinds:
                told.trade_legs[leg] = None
                if told.last_trade is not None:
                    leg.last_trade = told.instrument.trade_entry(trade_of(told.last_trade))
            subscription.waiting[leg] = None

    def _stream(self, told: Told, depth: int) -> BookStream:
        stream = told.books.get(depth)
        if stream is None:
            stream = told.books[depth] = BookStream(told.instrument, depth)
            told.book_legs[depth] = {}
            book = self.levels.book_of(told.instrument.instrument_id)
            if book is None:
                self._unwell.add(told.instrument.instrument_id)
            else:
                stream.reset(book)
        return stream

    def remove(self, subscription: Subscription) -> None:
        """Tell a subscription nothing any more."""
        for leg in subscription.legs:
            told = self.told[leg.instrument.instrument_id]
            told.figure_legs.pop(leg, None)
            told.trade_legs.pop(leg, None)
            for depth, legs in list(told.book_legs.items()):
                legs.pop(leg, None)
                if not legs:
                    del told.book_legs[depth], told.books[depth]
        subscription.close()

    def check(self) -> None:
        """Assert the invariant."""
        for instrument_id, told in self.told.items():
            book = self.levels.book_of(instrument_id)
            assert told.books.keys() == told.book_legs.keys()
            for stream in told.books.values():
                if (
                    stream.is_good
                    and book is not None
                    and stream.source is book
                    and not any(book.changed.values())
                ):
                    stream.check(book)


def tell(legs: Iterable[Leg], changes: list[Change]) -> None:
    """Tell changes of one stream."""
    if changes:
        texts = [change.text for change in changes]
        for leg in legs:
            leg.take(changes, texts)


def trade_of(record: np.void) -> Trade:
    """Read an MdTrade; without an aggressor it is of an auction."""
    is_auction = int(record["aggressor_side"]) == 0
    return Trade(int(record["price_ticks"]), int(record["qty_lots"]), int(record["ts_ns"]), is_auction)
