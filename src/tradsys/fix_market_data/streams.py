"""What is told of one instrument, turn by turn: each change is found and written once, whoever listens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np

from tradsys.fix_market_data.instruments import (
    CHANGE,
    DELETE,
    NEW,
    SIDE_KINDS,
    SIDES_OF,
    Instrument,
    nothing_of,
)
from tradsys.fix_market_data.requests import (
    AUCTION,
    BID,
    CLOSING,
    HIGH,
    IMBALANCE,
    LEVEL_KINDS,
    LOW,
    OFFER,
    OPENING,
    STATISTIC_KINDS,
    VOLUME,
)
from tradsys.fix_market_data.tracked_levels import Changed, Level, TrackedBook
from tradsys.wire.enums import AuctionNews, InstrumentState, Side

KIND_ORDER = (BID, OFFER, OPENING, CLOSING, HIGH, LOW, VOLUME, AUCTION, IMBALANCE)
NO_PRICE = -(1 << 63)
MORE = {int(Side.BUY): b"P", int(Side.SELL): b"Q"}  # TradeCondition 277: more buyers, more sellers
THEORETICAL = b"286=5\x01"  # OpenCloseSettlFlag: what an uncross now would come to


class Change(NamedTuple):
    """One entry of X."""

    kind: bytes  # MDEntryType, 269
    key: int  # price in ticks of a level; 0 of a figure
    action: bytes  # MDUpdateAction, 279
    text: bytes  # all its fields


class Stream(Protocol):
    """What a leg of a subscription listens to."""

    def change_of(self, kind: bytes, key: int, was_there: bool) -> bytes:
        """Write what became of an entry since it was, or was not, there; empty: nothing."""

    def entries(self, kinds: frozenset[bytes]) -> list[bytes]:
        """Write the entries of W of these kinds as they are now."""


class BookStream:
    """The best levels of a book as they were told last.

    Parameters
    ----------
    instrument : Instrument
    depth : int
        Levels a side.
    """

    def __init__(self, instrument: Instrument, depth: int) -> None:
        self.instrument, self.depth = instrument, depth
        self.sides: dict[bytes, dict[int, Level]] = {BID: {}, OFFER: {}}
        self.source: TrackedBook | None = None  # the book it was made from; None: it has not been known
        self.is_good = False  # the book is known to be right now
        self._entries: dict[bytes, list[bytes]] = {}

    def reset(self, book: TrackedBook) -> None:
        """Tell a book from here on, whatever was told before."""
        self.source, self.is_good = book, True
        for kind, side in SIDES_OF.items():
            self.sides[kind] = {
                price: book.sides[side][price] for price in book.best_prices(side, self.depth)
            }
        self._entries.clear()

    def advance(self, book: TrackedBook, changed: Changed) -> list[Change]:
        """Go on to what a book holds now; the entries whose levels are gone come first."""
        assert book is self.source, "another book is told from its start"
        changes: list[Change] = []
        for side, kind in SIDE_KINDS.items():
            if changed[side]:
                self._advance_side(kind, book, side, changed[side], changes)
        changes.sort(key=lambda change: change.action != DELETE)
        return changes

    def _advance_side(
        self, kind: bytes, book: TrackedBook, side: int, touched: Iterable[int], changes: list[Change]
    ) -> None:
        told, now = self.sides[kind], book.sides[side]
        if (
            len(told) >= self.depth or len(now) > self.depth
        ):  # levels enter and leave without a change of their own
            now = {price: now[price] for price in book.best_prices(side, self.depth)}
            touched = [price for price in told if price not in now] + list(now)
        write = self.instrument.level_change
        for price in touched:
            before, level = told.get(price), now.get(price)
            if before == level:
                continue
            if level is None:
                del told[price]
                changes.append(Change(kind, price, DELETE, write(DELETE, kind, price, 0, 0)))
            else:
                action = NEW if before is None else CHANGE
                told[price] = level
                changes.append(Change(kind, price, action, write(action, kind, price, *level)))
            self._entries.pop(kind, None)

    def change_of(self, kind: bytes, key: int, was_there: bool) -> bytes:
        """Write what became of a level; empty: it neither was nor is there."""
        level = self.sides[kind].get(key)
        if level is None:
            return self.instrument.level_change(DELETE, kind, key, 0, 0) if was_there else b""
        return self.instrument.level_change(CHANGE if was_there else NEW, kind, key, *level)

    def entries(self, kinds: frozenset[bytes]) -> list[bytes]:
        """Write the levels of these sides, best first; a side without any is an entry that says so."""
        texts: list[bytes] = []
        for kind in (BID, OFFER):
            if kind in kinds:
                if kind not in self._entries:
                    self._entries[kind] = self._side_entries(kind) or [nothing_of(kind)]
                texts += self._entries[kind]
        return texts

    def _side_entries(self, kind: bytes) -> list[bytes]:
        levels = self.sides[kind]
        write = self.instrument.level_entry
        return [write(kind, price, *levels[price]) for price in sorted(levels, reverse=kind == BID)]

    def check(self, book: TrackedBook) -> None:
        """Assert that what was told is what the book holds."""
        for kind, side in SIDES_OF.items():
            best = book.best_prices(side, self.depth)
            assert best == sorted(book.sides[side], reverse=kind == BID)[: self.depth]
            assert self.sides[kind] == {price: book.sides[side][price] for price in best}


class FigureStream:
    """The figures of an instrument's day and of its newest auction as they were told last."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.newest: np.void | None = None  # MdStatistics that has not been told
        self.figures: dict[bytes, bytes] = {}  # kind: its fields, 270, 271 and what else it has
        self._of_auction: dict[bytes, bytes] = {}  # figures not told yet; empty: there is none any more
        self._is_theoretical = False  # the newest auction figures are what an uncross would come to

    def advance(self) -> list[Change]:
        """Go on to what the newest records say; a figure that is no more comes first."""
        record, self.newest = self.newest, None
        now, self._of_auction = self._of_auction, {}
        if record is not None:
            now |= self._statistics(record)
        changes = []
        for kind, value in now.items():
            if self.figures.get(kind, b"") == value:
                continue
            action = DELETE if not value else CHANGE if kind in self.figures else NEW
            changes.append(Change(kind, 0, action, self.instrument.figure_change(action, kind, value)))
            if value:
                self.figures[kind] = value
            else:
                del self.figures[kind]
        changes.sort(key=lambda change: change.action != DELETE)
        return changes

    def _statistics(self, record: np.void) -> dict[bytes, bytes]:
        price = self.instrument.price
        return {
            OPENING: b"270=%b\x01" % price(int(record["open_price_ticks"])),
            HIGH: b"270=%b\x01" % price(int(record["high_price_ticks"])),
            LOW: b"270=%b\x01" % price(int(record["low_price_ticks"])),
            VOLUME: b"271=%b\x01" % self.instrument.quantity(int(record["volume_lots"])),
        }

    def take_auction(self, record: np.void) -> None:
        """Take an MdAuction that says what an auction would come to, or came to; `advance` tells it."""
        price, surplus = int(record["price_ticks"]), int(record["surplus_lots"])
        self._is_theoretical = record["auction_news"] == AuctionNews.INDICATIVE
        now = self._of_auction
        now[AUCTION] = now[IMBALANCE] = b""
        if price != NO_PRICE:
            quantity = self.instrument.quantity(int(record["qty_lots"]))
            flag = THEORETICAL if self._is_theoretical else b""
            now[AUCTION] = b"270=%b\x01271=%b\x01%b" % (self.instrument.price(price), quantity, flag)
        if surplus:
            side = MORE[int(record["surplus_side"])]
            now[IMBALANCE] = b"271=%b\x01277=%b\x01" % (self.instrument.quantity(surplus), side)
        if not self._is_theoretical and record["state"] == InstrumentState.CLOSING_AUCTION:
            closing = price if price != NO_PRICE else int(record["reference_price_ticks"])
            if closing != NO_PRICE:
                now[CLOSING] = b"270=%b\x01" % self.instrument.price(closing)

    def end_call(self) -> None:
        """Take note that no call goes on: what an uncross would have come to is of no use any more."""
        if self._is_theoretical:
            self._is_theoretical = False
            self._of_auction[AUCTION] = self._of_auction[IMBALANCE] = b""

    def restart(self, instrument: Instrument) -> None:
        """Forget the figures: the instrument is defined otherwise."""
        self.instrument, self._is_theoretical = instrument, False
        self.figures.clear()
        self._of_auction.clear()

    def change_of(self, kind: bytes, key: int, was_there: bool) -> bytes:
        """Write what became of a figure since it was, or was not, there; empty: nothing."""
        value = self.figures.get(kind)
        if value is None:
            return self.instrument.figure_change(DELETE, kind, b"") if was_there else b""
        return self.instrument.figure_change(CHANGE if was_there else NEW, kind, value)

    def entries(self, kinds: frozenset[bytes]) -> list[bytes]:
        """Write these figures; one that is not known yet is an entry without a value."""
        return [
            b"269=%b\x01%b" % (kind, self.figures[kind]) if kind in self.figures else nothing_of(kind)
            for kind in KIND_ORDER
            if kind in kinds & STATISTIC_KINDS
        ]


def level_kinds(kinds: frozenset[bytes]) -> frozenset[bytes]:
    """Pick the kinds that are told from a book."""
    return kinds & LEVEL_KINDS
