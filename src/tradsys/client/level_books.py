"""L2 books: price levels as the feed tells them, absolute and conflated."""

from dataclasses import dataclass, field

import numpy as np

from tradsys.core.book_view import LEVEL, StaleBookError
from tradsys.wire.enums import Side
from tradsys.wire.records import MD_LEVEL, MD_ORDER_ADD

MESSAGE_BYTES = MD_LEVEL.itemsize


@dataclass
class LevelBook:
    """One instrument's levels: price -> (quantity in lots, orders), per side."""

    sides: dict[int, dict[int, tuple[int, int]]] = field(default_factory=lambda: {1: {}, 2: {}})
    l2_seq: int = 0
    """Last L2 message included."""
    live: bool = False
    later: dict[tuple[int, int], tuple[int, int, int]] = field(default_factory=dict)
    """While a snapshot is awaited: the newest message of each level, (number, quantity, orders)."""

    def put(self, side: int, price_ticks: int, qty_lots: int, order_count: int) -> None:
        """Set what a level holds; nothing: it is gone."""
        if qty_lots:
            self.sides[side][price_ticks] = (qty_lots, order_count)
        else:
            self.sides[side].pop(price_ticks, None)


class LevelBooks:
    """The L2 books of a feed.

    A level's message says all there is to know of the level, so a book is a snapshot overlaid with the newer
    messages. While it waits for its snapshot it keeps the newest message of each level only: bounded by the
    levels there are.
    """

    def __init__(self) -> None:
        self.books: dict[int, LevelBook] = {}
        self.behind: str | None = "nothing has been received yet"
        self.seen_from = 0  # every message from this number on has been seen; 0: none yet

    def apply(self, messages: bytes, first_seq: int, skip: int = 0) -> None:
        """Apply MdLevel records back to back, `first_seq` being the number of the first; `skip` of them are old."""
        records = np.frombuffer(messages, dtype=MD_LEVEL)[skip:]
        if not self.seen_from:
            self.seen_from = first_seq + skip
        rows = zip(
            records["instrument_id"].tolist(),
            records["side"].tolist(),
            records["price_ticks"].tolist(),
            records["qty_lots"].tolist(),
            records["order_count"].tolist(),
            strict=True,
        )
        for seq, (instrument_id, side, price_ticks, qty_lots, order_count) in enumerate(
            rows, first_seq + skip
        ):
            book = self._book(instrument_id)
            if not book.live:
                book.later[(side, price_ticks)] = (seq, qty_lots, order_count)
            elif seq > book.l2_seq:
                book.l2_seq = seq
                book.put(side, price_ticks, qty_lots, order_count)

    def _book(self, instrument_id: int) -> LevelBook:
        book = self.books.get(instrument_id)
        if book is None:
            book = self.books[instrument_id] = self._new_book(instrument_id)
        return book

    def _new_book(self, instrument_id: int) -> LevelBook:
        """Make an empty book; a subclass may make one of its own kind."""
        return LevelBook()

    def load(self, instrument_id: int, orders: bytes, l2_seq: int) -> bool:
        """Build a book from a snapshot's MdOrderAdds and the messages since; False when some of those were lost."""
        book = self._book(instrument_id)
        if book.live:  # right already, and perhaps newer than the snapshot
            return True
        if l2_seq + 1 < self.seen_from:
            return False
        book.sides = {1: {}, 2: {}}
        rows = np.frombuffer(orders, dtype=MD_ORDER_ADD)
        for side, price, qty in zip(
            rows["side"].tolist(), rows["price_ticks"].tolist(), rows["qty_lots"].tolist(), strict=True
        ):
            qty_before, count_before = book.sides[side].get(price, (0, 0))
            book.sides[side][price] = (qty_before + qty, count_before + 1)
        book.l2_seq = l2_seq
        for (side, price), (seq, qty, count) in book.later.items():
            if seq > l2_seq:
                book.put(side, price, qty, count)
                book.l2_seq = max(book.l2_seq, seq)
        book.later.clear()
        book.live = True
        return True

    def lost(self, end_seq: int) -> None:
        """Messages before `end_seq` are missing: every book waits for a snapshot."""
        self.seen_from = end_seq
        self.books = {instrument_id: self._new_book(instrument_id) for instrument_id in self.books}

    def mark_behind(self, why: str | None) -> None:
        """Say why all books lag the feed, or None when they do not."""
        self.behind = why

    def is_live(self, instrument_id: int) -> bool:
        """Whether a snapshot of the book has been applied and nothing since has been lost."""
        book = self.books.get(instrument_id)
        return book is not None and book.live

    def stale_reason(self, instrument_id: int) -> str | None:
        """Why a book must not be believed; None when it may be."""
        return self.behind if self.is_live(instrument_id) else "no snapshot of the book has been applied yet"

    def depth(
        self, instrument_id: int, side: int | Side, levels: int = 10, *, stale_ok: bool = False
    ) -> np.ndarray:
        """The best levels of a side, best first, as `tradsys.core.book_view.LEVEL` rows.

        Raises
        ------
        StaleBookError
            The book is not known to be right, and ``stale_ok`` is not given.
        """
        reason = self.stale_reason(instrument_id)
        if reason and not stale_ok:
            raise StaleBookError(f"instrument {instrument_id}, L2: {reason}")
        held = self.books.get(instrument_id, LevelBook()).sides[int(side)]
        prices = sorted(held, reverse=side == Side.BUY)[:levels]
        return np.array([(price, *held[price], 0) for price in prices], dtype=LEVEL)
