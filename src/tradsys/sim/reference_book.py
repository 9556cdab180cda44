"""The reference book: one instrument's orders in plain sorted lists and dicts.

Written from the rule book alone, with no thought of speed, so that the compiled core can be held against it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tradsys.wire.enums import OrderType, Side, StpMode

if TYPE_CHECKING:
    from tradsys.sim.reference_engine import Session

BUY = int(Side.BUY)
SELL = int(Side.SELL)
MARKET = int(OrderType.MARKET)
MARKET_BUY, MARKET_SELL = (
    (1 << 63) - 1,
    -(1 << 63),
)  # where market orders rest: before every limit of their side
STP_NONE = int(StpMode.NONE)
STP_CANCEL_OLDEST = int(StpMode.CANCEL_OLDEST)


class Order:
    """An order from the moment it is accepted until the event that ends it."""

    __slots__ = (
        "account_id",
        "client_ref",
        "flags",
        "instrument_id",
        "leaves",
        "order_id",
        "order_type",
        "price",
        "session",
        "side",
        "stp_mode",
        "time_in_force",
        "total",
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
    def filled(self) -> int:
        """Lots matched so far."""
        return self.total - self.leaves


class BookSide:
    """Bids or asks: price levels sorted by price, the orders of a level in order of arrival.

    Invariant: `prices` is sorted and holds exactly the keys of `levels`; no level is empty; every order of a level
    is of this side, has the level's price and something left.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self.prices: list[int] = []  # ticks, ascending
        self.levels: dict[int, dict[int, Order]] = {}  # price -> order id -> order, in order of arrival

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
        """Put an order at the back of its level."""
        level = self.levels.get(order.book_price)
        if level is None:
            insort(self.prices, order.book_price)
            level = self.levels[order.book_price] = {}
        level[order.order_id] = order

    def remove(self, order: Order) -> None:
        """Take an order out; an empty level goes with it."""
        price = order.book_price
        level = self.levels[price]
        del level[order.order_id]
        if not level:
            del self.levels[price]
            del self.prices[bisect_left(self.prices, price)]

    def orders(self) -> Iterator[Order]:
        """All orders, best price first, each level in order of arrival."""
        for price in reversed(self.prices) if self.side == BUY else self.prices:
            yield from self.levels[price].values()

    def depth(self, levels_max: int) -> list[tuple[int, int, int]]:
        """The best levels as (price [ticks], quantity [lots], number of orders)."""
        prices = (self.prices[::-1] if self.side == BUY else self.prices)[:levels_max]
        return [
            (price, sum(order.leaves for order in self.levels[price].values()), len(self.levels[price]))
            for price in prices
        ]

    def reachable(self, limit: int | None, wanted: int, session: Session, stp_mode: int) -> int:
        """Lots a FOK order could match (rule 4.7); stops counting at `wanted`."""
        lots = 0
        for order in self.orders():
            if lots >= wanted or not self._within(order.price, limit):
                break
            if order.session.participant is session.participant and stp_mode != STP_NONE:
                if stp_mode == STP_CANCEL_OLDEST:
                    continue
                break
            lots += order.leaves
        return lots

    def check(self) -> None:
        """Walk the whole side and assert the class's invariant."""
        assert self.prices == sorted(self.levels), "prices and levels differ"
        for price, level in self.levels.items():
            assert level, f"empty level at {price}"
            for order in level.values():
                assert order.book_price == price, f"order of {order.price} in level {price}"
                assert order.side == self.side, "order of the other side"
                assert 0 < order.leaves <= order.total, f"leaves {order.leaves} of {order.total}"

    def _within(self, price: int, limit: int | None) -> bool:
        if limit is None:
            return True
        return price >= limit if self.side == BUY else price <= limit


class ReferenceBook:
    """Bids and asks of one instrument. Invariant: the best bid is below the best ask, unless the book is called."""

    def __init__(self) -> None:
        self.sides = {BUY: BookSide(BUY), SELL: BookSide(SELL)}

    def own(self, order: Order) -> BookSide:
        """The side the order rests on."""
        return self.sides[order.side]

    def other(self, side: int) -> BookSide:
        """The side an order of `side` matches against."""
        return self.sides[SELL if side == BUY else BUY]

    def check(self, *, called: bool = False) -> None:
        """Assert the invariants of both sides and, of a book not called (11.5), that it is not crossed."""
        for side in self.sides.values():
            side.check()
        bid, ask = self.sides[BUY].best(), self.sides[SELL].best()
        assert called or bid is None or ask is None or bid < ask, f"crossed: bid {bid}, ask {ask}"
