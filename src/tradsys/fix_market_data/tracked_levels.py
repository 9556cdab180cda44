"""L2 books that remember what has changed since somebody last looked."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from tradsys.client.level_books import LevelBook, LevelBooks
from tradsys.wire.enums import Side

Level = tuple[int, int]  # quantity in lots, orders
Changed = dict[int, set[int]]  # by side: prices in ticks


@dataclass
class TrackedBook(LevelBook):
    """A book with the levels touched since `TrackedLevels.take_changed`, and its prices in order once asked for."""

    changed: Changed = field(default_factory=lambda: {Side.BUY: set(), Side.SELL: set()})
    touched: set[TrackedBook] = field(default_factory=set)  # shared by all books: those with changes
    instrument_id: int = 0
    _prices: dict[int, list[int]] = field(default_factory=dict)

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def put(self, side: int, price_ticks: int, qty_lots: int, order_count: int) -> None:
        """Set what a level holds; nothing: it is gone."""
        levels = self.sides[side]
        if side in self._prices and (price_ticks in levels) != bool(qty_lots):
            prices = self._prices[side]
            if qty_lots:
                insort(prices, price_ticks)
            else:
                del prices[bisect_left(prices, price_ticks)]
        if qty_lots:
            levels[price_ticks] = (qty_lots, order_count)
        else:
            levels.pop(price_ticks, None)
        self.changed[side].add(price_ticks)
        self.touched.add(self)

    def best_prices(self, side: int, count: int) -> list[int]:
        """Prices of a side's best levels [ticks], best first."""
        prices = self._prices.get(side)
        if prices is None:
            prices = self._prices[side] = sorted(self.sides[side])
        if side == Side.BUY:
            return prices[: -count - 1 : -1]
        return prices[:count]


class TrackedLevels(LevelBooks):
    """The books of a feed; `generation` goes up when all of them were given up."""

    def __init__(self) -> None:
        super().__init__()
        self.generation = 0
        self._touched: set[TrackedBook] = set()

    def _new_book(self, instrument_id: int) -> TrackedBook:
        return TrackedBook(touched=self._touched, instrument_id=instrument_id)

    def lost(self, end_seq: int) -> None:
        """Give up all books."""
        self.generation += 1
        self._touched.clear()
        super().lost(end_seq)

    def load(self, instrument_id: int, orders: bytes, l2_seq: int) -> bool:
        """Build a book from a snapshot; the prices kept in order are made anew."""
        book = self._book(instrument_id)
        assert isinstance(book, TrackedBook)
        if not book.live:
            book._prices.clear()
        return super().load(instrument_id, orders, l2_seq)

    def book_of(self, instrument_id: int) -> TrackedBook | None:
        """Give the book of an instrument, None while it is not known to be right."""
        book = self.books.get(instrument_id)
        if self.behind or book is None or not book.live:
            return None
        assert isinstance(book, TrackedBook)
        return book

    def take_changed(self) -> list[tuple[TrackedBook, Changed]]:
        """Take the levels touched since the last time, book by book."""
        taken = []
        for book in self._touched:
            taken.append((book, book.changed))
            book.changed = {Side.BUY: set(), Side.SELL: set()}
        self._touched.clear()
        return taken
