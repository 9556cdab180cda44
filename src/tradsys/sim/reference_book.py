"""The reference book: one instrument's orders in plain sorted lists and dicts.

Written from the rule book alone, with no thought of speed, so that the compiled core can be held against it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tradsys.wire.enums import OrderFlags, OrderType, Side

if TYPE_CHECKING:
    from tradsys.sim.reference_engine import Session

BUY = int(Side.BUY)
SELL = int(Side.SELL)
MARKET = int(OrderType.MARKET)
MARKET_BUY, MARKET_SELL = (
    (1 << 63) - 1,
    -(1 << 63),
)  # where market orders rest: before every limit of their side
HIDDEN = int(OrderFlags.HIDDEN)
Counts = Callable[
    ["Order"], bool | None
]  # of a resting order: it counts, it does not, None: it ends the count


class Order:
    """An order from the moment it is accepted until the event that ends it."""

    __slots__ = (
        "account_id",
        "client_ref",
        "expire_ts_ns",
        "flags",
        "held",
        "instrument_id",
        "leaves",
        "order_id",
        "order_type",
        "parts",
        "place",
        "price",
        "session",
        "shown",
        "side",
        "stp_mode",
        "terms",
        "time_in_force",
        "total",
        "trigger",
    )

    order_id: int
    client_ref: int
    price: int  # ticks
    total: int  # lots
    leaves: int  # lots
    session: Session
    account_id: int
    instrument_id: int
    side: int
    order_type: int
    time_in_force: int
    stp_mode: int
    flags: int
    expire_ts_ns: int  # of a GTD order, else 0
    terms: Any  # as entered; all 0 of an order without
    shown: int  # lots of an iceberg that stand at its place; 0 of other orders
    parts: int  # parts an iceberg has shown
    place: int  # of a dormant order: 1 waiting, 2 its trigger has moved, 3 due, 4 held; else 0
    held: bool  # for its turn in an order list (10.23)
    trigger: int  # ticks, of a dormant order

    @property
    def slot(self) -> int:
        """Pool slot, the lower 24 bits of the order id."""
        return self.order_id & 0xFFFFFF

    @property
    def book_price(self) -> int:
        """Price of the level the order rests on [ticks]; market orders rest before all limits (11.4)."""
        if self.order_type != MARKET:
            return self.price
        return MARKET_BUY if self.side == BUY else MARKET_SELL

    @property
    def is_hidden(self) -> bool:
        """Whether the order is not shown and stands behind those that are (9.7)."""
        return bool(self.flags & HIDDEN)

    @property
    def available(self) -> int:
        """Lots that stand at its place: the shown part of an iceberg, else all that is left."""
        return self.shown or self.leaves

    @property
    def filled(self) -> int:
        """Lots matched so far."""
        return self.total - self.leaves


class BookSide:
    """Bids or asks: price levels sorted by price, the orders of a level in order of arrival.

    Invariant: `prices` is sorted and holds exactly the keys of `levels`; no level is empty; every order of a level
    is of this side, has the level's price and something left; the hidden orders of a level come last.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self.prices: list[int] = []  # ticks, ascending
        self.levels: dict[int, dict[int, Order]] = {}  # price -> order id -> order, in priority
        self.hidden_count = 0

    def best(self) -> int | None:
        """Highest bid or lowest ask [ticks]."""
        if not self.prices:
            return None
        return self.prices[-1] if self.side == BUY else self.prices[0]

    def best_limit(self) -> int | None:
        """The same, market orders of a call left out."""
        return next((order.price for order in self.orders() if order.book_price == order.price), None)

    def first(self) -> Order:
        """The order that is matched next."""
        best = self.best()
        assert best is not None
        return next(iter(self.levels[best].values()))

    def is_reached_by(self, limit: int | None) -> bool:
        """Whether the best price is at `limit` [ticks] or better for the other side; no limit takes any price."""
        best = self.best()
        return best is not None and self._within(best, limit)

    def add(self, order: Order) -> None:
        """Put an order at the back of its level; one that is shown before those that are hidden (9.7)."""
        level = self.levels.get(order.book_price)
        if level is None:
            insort(self.prices, order.book_price)
            level = self.levels[order.book_price] = {}
        level[order.order_id] = order
        if order.is_hidden:
            self.hidden_count += 1
        elif self.hidden_count:
            for hidden in [each for each in level.values() if each.is_hidden]:
                level[hidden.order_id] = level.pop(hidden.order_id)

    def remove(self, order: Order) -> None:
        """Take an order out; an empty level goes with it."""
        price = order.book_price
        level = self.levels[price]
        del level[order.order_id]
        self.hidden_count -= order.is_hidden
        if not level:
            del self.levels[price]
            del self.prices[bisect_left(self.prices, price)]

    def orders(self) -> Iterator[Order]:
        """All orders, best price first, each level in priority."""
        for price in reversed(self.prices) if self.side == BUY else self.prices:
            yield from self.levels[price].values()

    def depth(self, levels_max: int) -> list[tuple[int, int, int]]:
        """The best levels as (price [ticks], quantity [lots], number of orders)."""
        prices = (self.prices[::-1] if self.side == BUY else self.prices)[:levels_max]
        return [
            (price, sum(order.leaves for order in self.levels[price].values()), len(self.levels[price]))
            for price in prices
        ]

    def reachable(
        self, limit: int | None, wanted: int, counts: Counts, increment: int = 1, amount: int | None = None
    ) -> int:
        """Lots up to `wanted` that an order can match (rules 4.7, 9.20), for at most `amount` [ticks x lots]."""
        lots = 0
        for price in reversed(self.prices) if self.side == BUY else self.prices:
            if lots >= wanted or not self._within(price, limit) or (amount is not None and price <= 0):
                break
            here, ended = lots_in_front(list(self.levels[price].values()), counts)
            if amount is not None:
                paid = amount // price // increment * increment
                ended = ended or paid <= here
                here = min(here, paid, wanted - lots)
                amount -= here * price
            lots += here
            if ended:
                break
        return min(lots, wanted)

    def check(self) -> None:
        """Walk the whole side and assert the class's invariant."""
        assert self.prices == sorted(self.levels), "prices and levels differ"
        for price, level in self.levels.items():
            assert level, f"empty level at {price}"
            for order in level.values():
                assert order.book_price == price, f"order of {order.price} in level {price}"
                assert order.side == self.side, "order of the other side"
                assert 0 < order.leaves <= order.total, f"leaves {order.leaves} of {order.total}"
                assert bool(order.shown) == bool(order.terms.display_lots), "an iceberg shows a part"
                assert 0 <= order.shown <= order.leaves, f"shows {order.shown} of {order.leaves}"
            ranks = [order.is_hidden for order in level.values()]
            assert ranks == sorted(ranks), f"a hidden order before a shown one at {price}"
        hidden = sum(order.is_hidden for order in self.orders())
        assert hidden == self.hidden_count, f"{hidden} hidden orders, {self.hidden_count} counted"

    def _within(self, price: int, limit: int | None) -> bool:
        if limit is None:
            return True
        return price >= limit if self.side == BUY else price <= limit


def lots_in_front(level: list[Order], counts: Counts) -> tuple[int, bool]:
    """Lots of a level before the first order that ends the count, and whether there is one.

    What an iceberg does not show comes behind all that is shown at its price (9.5).
    """
    shown = [order for order in level if not order.is_hidden]
    end = next((n for n, order in enumerate(shown) if counts(order) is None), None)
    if end is not None:
        return sum(order.available for order in shown[:end] if counts(order)), True
    lots = sum(order.leaves for order in shown if counts(order))
    for order in level[len(shown) :]:
        if counts(order) is None:
            return lots, True
        lots += order.leaves if counts(order) else 0
    return lots, False


class ReferenceBook:
    """Bids and asks of one instrument. Invariant: the best bid is below the best ask, unless the book is called."""

    def __init__(self) -> None:
        self.sides = {BUY: BookSide(BUY), SELL: BookSide(SELL)}

    def own(self, order: Order) -> BookSide:
        """The side the order rests on."""
        return self.sides[order.side]

    def order_count(self) -> int:
        """Orders of both sides."""
        return sum(len(level) for side in self.sides.values() for level in side.levels.values())

    def other(self, side: int) -> BookSide:
        """The side an order of `side` matches against."""
        return self.sides[SELL if side == BUY else BUY]

    def check(self, *, called: bool = False) -> None:
        """Assert the invariants of both sides and, of a book not called (11.5), that it is not crossed."""
        for side in self.sides.values():
            side.check()
        bid, ask = self.sides[BUY].best(), self.sides[SELL].best()
        assert called or bid is None or ask is None or bid < ask, f"crossed: bid {bid}, ask {ask}"
