"""How each engine is driven: ours, and the peers from PyPI that are installed.

A driver is made with a flow, has `fill()` for what comes before the clock, `run()` for what is timed, and `answer()`.
An order object that an engine's interface takes is made within the time, as its user would have to; trades are taken
as the engine hands them out and added up afterwards.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from peers import Answer, Command, Flow, Level, Update, book_of, records_of
from tradsys.core import Engine
from tradsys.wire.enums import Template
from tradsys.wire.records import EVENT_COMMON, ORDER_EXECUTED

BATCH = 4096


class Driver(Protocol):
    """An engine and the flow it is driven with."""

    def fill(self) -> None:
        """Fill the book."""

    def run(self) -> None:
        """What is timed."""

    def answer(self) -> Answer:
        """What the timed part came to."""


def _answer(engine: Engine, events: np.ndarray) -> Answer:
    """What the events and the engine's book say; everything is told."""
    found = events[events["template_id"] == Template.ORDER_EXECUTED].view(ORDER_EXECUTED)
    lots, prices = found["qty_lots"], found["price_ticks"]
    return Answer(
        len(found), int(lots.sum()), int((lots * prices).sum()), engine.live_order_count(), book_of(engine)
    )


class OursOneByOne:
    """TradSys, one call of `new_order` or `cancel_order` a command; the events of whoever matched are taken."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.engine = Engine(**flow.load.capacities)
        self.engine.submit(flow.load.setup)
        self.events: list[bytes] = []

    def fill(self) -> None:
        """Fill the book."""
        self._drive(self.flow.prefill)
        self.events.clear()

    def run(self) -> None:
        """The commands."""
        self._drive(self.flow.commands)

    def _drive(self, commands: list[Command]) -> None:
        new_order, cancel_order = self.engine.new_order, self.engine.cancel_order
        read_events, keep = self.engine.read_events, self.events.append
        for enters, ref, buys, price, qty, session in commands:
            if not enters:
                cancel_order(session, 0, 1, ref)
            elif new_order(session, ref, 1, 1 if buys else 2, price, qty) > 1:
                keep(read_events().tobytes())

    def answer(self) -> Answer:
        """Matches from the events taken."""
        return _answer(self.engine, np.frombuffer(b"".join(self.events), EVENT_COMMON))


class OursInBatches:
    """TradSys, `submit` of NumPy records in batches; the matches among each batch's events are taken."""

    def __init__(self, flow: Flow) -> None:
        self.engine = Engine(**flow.load.capacities)
        self.engine.submit(flow.load.setup)
        self.prefill, records = records_of(flow.prefill), records_of(flow.commands)
        self.batches = [records[at : at + BATCH] for at in range(0, len(records), BATCH)]
        self.out = np.empty(4 * BATCH, EVENT_COMMON)
        self.executed: list[np.ndarray] = []

    def fill(self) -> None:
        """Fill the book."""
        for at in range(0, len(self.prefill), BATCH):
            self.engine.submit(self.prefill[at : at + BATCH], out=self.out)

    def run(self) -> None:
        """The commands."""
        for batch in self.batches:
            events = self.engine.submit(batch, out=self.out)
            self.executed.append(events[events["template_id"] == Template.ORDER_EXECUTED])

    def answer(self) -> Answer:
        """Matches from the events taken."""
        return _answer(self.engine, np.concatenate(self.executed))


class LimitOrderBook:
    """limit-order-book: a C++ book behind ctypes. It tells of no trades; its book is compared level by level."""

    def __init__(self, flow: Flow) -> None:
        from limit_order_book import limit_order_book

        self.flow = flow
        self.book = limit_order_book.LimitOrderBook()

    def fill(self) -> None:
        """Fill the book."""
        self._drive(self.flow.prefill)

    def run(self) -> None:
        """The commands."""
        self._drive(self.flow.commands)

    def _drive(self, commands: list[Command]) -> None:
        limit, cancel = self.book.limit, self.book.cancel
        for enters, ref, buys, price, qty, _ in commands:
            if enters:
                limit(buys, ref, qty, price)
            else:
                cancel(ref)

    def answer(self) -> Answer:
        """Its levels, asked for at every price of the profile."""
        profile, book = self.flow.load.profile, self.book
        sides: tuple[list[Level], list[Level]] = ([], [])
        for price in range(profile.lowest_price, profile.lowest_price + profile.level_count):
            if count := book.count_at(price):
                sides[price > book.best_buy()].append((price, book.volume(price), count))
        sides[0].reverse()
        return Answer(orders=book.count(), book=sides)


class Nautilus:
    """nautilus_trader: its L3 book, told what each command did. It matches nothing: the matching is ours, before."""

    def __init__(self, flow: Flow) -> None:
        from nautilus_trader.model.book import OrderBook
        from nautilus_trader.model.enums import BookType
        from nautilus_trader.model.identifiers import InstrumentId

        self.flow = flow
        self.book = OrderBook(InstrumentId.from_str("A.XNAS"), BookType.L3_MBO)

    def fill(self) -> None:
        """Fill the book."""
        self._drive(self.flow.updates_before)

    def run(self) -> None:
        """The updates."""
        self._drive(self.flow.updates)

    def _drive(self, updates: list[Update]) -> None:
        from nautilus_trader.model.data import BookOrder
        from nautilus_trader.model.enums import OrderSide
        from nautilus_trader.model.objects import Price, Quantity

        verbs = {"add": self.book.add, "update": self.book.update, "delete": self.book.delete}
        buy, sell = OrderSide.BUY, OrderSide.SELL
        for verb, ref, buys, price, qty in updates:
            verbs[verb](BookOrder(buy if buys else sell, Price(price, 0), Quantity(qty, 0), ref), 0)

    def answer(self) -> Answer:
        """Its levels."""
        bids, asks = (
            [(int(level.price), int(level.size()), len(level.orders())) for level in side]
            for side in (self.book.bids(), self.book.asks())
        )
        return Answer(orders=sum(level[2] for level in bids + asks), book=(bids, asks))


class Liquibook:
    """liquibook: the C++ DepthOrderBook behind SWIG. Trades come through its listener, which is part of the time."""

    def __init__(self, flow: Flow) -> None:
        import liquibook

        class Listener(liquibook.OrderListener):
            """Keeps the fills; a listener must have all of these."""

            def __init__(self, fills: list[tuple[int, int]]) -> None:
                super().__init__()
                self.fills = fills

            def on_fill(self, order: Any, matched_order: Any, qty: int, price: int) -> None:
                self.fills.append((qty, price))

            def on_accept(self, order: Any) -> None:
                pass

            def on_cancel(self, order: Any) -> None:
                pass

            def on_reject(self, order: Any, reason: str) -> None:
                raise RuntimeError(reason)

            def on_cancel_reject(self, order: Any, reason: str) -> None:
                raise RuntimeError(reason)

        self.flow = flow
        self.fills: list[tuple[int, int]] = []
        self.listener = Listener(self.fills)
        self.book = liquibook.DepthOrderBook()
        self.book.set_order_listener(self.listener)
        self.make = liquibook.SimpleOrder
        self.orders: list[Any] = [None]

    def fill(self) -> None:
        """Fill the book."""
        self._drive(self.flow.prefill)
        self.fills.clear()

    def run(self) -> None:
        """The commands."""
        self._drive(self.flow.commands)

    def _drive(self, commands: list[Command]) -> None:
        add, cancel, make, orders = self.book.add, self.book.cancel, self.make, self.orders
        for enters, ref, buys, price, qty, _ in commands:
            if enters:
                order = make(buys, price, qty)
                orders.append(order)
                add(order, 0)
            else:
                cancel(orders[ref])

    def answer(self) -> Answer:
        """Fills as the listener heard of them."""
        lots, notional = sum(qty for qty, _ in self.fills), sum(qty * price for qty, price in self.fills)
        return Answer(len(self.fills), lots, notional, self.book.bids().size() + self.book.asks().size())


class PyOrderBook:
    """pyorderbook: plain Python with Decimal prices."""

    def __init__(self, flow: Flow) -> None:
        import pyorderbook

        self.flow = flow
        self.book = pyorderbook.Book()
        self.bid, self.ask = pyorderbook.bid, pyorderbook.ask
        self.orders: list[Any] = [None]
        self.trades: list[Any] = []

    def fill(self) -> None:
        """Fill the book."""
        self._drive(self.flow.prefill)
        self.trades.clear()

    def run(self) -> None:
        """The commands."""
        self._drive(self.flow.commands)

    def _drive(self, commands: list[Command]) -> None:
        match, cancel, bid, ask = self.book.match, self.book.cancel, self.bid, self.ask
        orders, trades = self.orders, self.trades
        for enters, ref, buys, price, qty, _ in commands:
            if enters:
                order = (bid if buys else ask)("A", price, qty)
                orders.append(order)
                trades += match(order).trades
            else:
                cancel(orders[ref])

    def answer(self) -> Answer:
        """Trades and the orders in its map."""
        lots = sum(trade.fill_quantity for trade in self.trades)
        notional = sum(trade.fill_quantity * int(trade.fill_price) for trade in self.trades)
        return Answer(len(self.trades), lots, notional, len(self.book.order_map))


class LightMatchingEngine:
    """lightmatchingengine: plain Python. Each match is told twice, the resting order's part is counted."""

    def __init__(self, flow: Flow) -> None:
        from lightmatchingengine import lightmatchingengine

        self.flow = flow
        self.engine = lightmatchingengine.LightMatchingEngine()
        self.trades: list[tuple[int, list[Any]]] = []

    def fill(self) -> None:
        """Fill the book."""
        self._drive(self.flow.prefill)
        self.trades.clear()

    def run(self) -> None:
        """The commands."""
        self._drive(self.flow.commands)

    def _drive(self, commands: list[Command]) -> None:
        add_order, cancel_order, keep = self.engine.add_order, self.engine.cancel_order, self.trades.append
        for enters, ref, buys, price, qty, _ in commands:
            if not enters:
                cancel_order(ref, "A")  # it numbers orders 1, 2, 3 ..., as the flow does
            elif trades := add_order("A", price, qty, 1 if buys else 2)[1]:
                keep((ref, trades))

    def answer(self) -> Answer:
        """The trades of resting orders, and its book."""
        passive = [trade for ref, trades in self.trades for trade in trades if trade.order_id != ref]
        book = self.engine.order_books["A"]
        bids, asks = (
            [
                (price, sum(order.leaves_qty for order in side[price]), len(side[price]))
                for price in sorted(side, reverse=side is book.bids)
            ]
            for side in (book.bids, book.asks)
        )
        return Answer(
            len(passive),
            sum(trade.trade_qty for trade in passive),
            sum(trade.trade_qty * trade.trade_price for trade in passive),
            sum(level[2] for level in bids + asks),
            (bids, asks),
        )


OURS: dict[str, type[Driver]] = {
    "TradSys, batches": OursInBatches,
    "TradSys, one call a command": OursOneByOne,
}
PEERS: dict[str, type[Driver]] = {  # by their names on PyPI
    "limit-order-book": LimitOrderBook,
    "nautilus_trader": Nautilus,
    "liquibook": Liquibook,
    "pyorderbook": PyOrderBook,
    "lightmatchingengine": LightMatchingEngine,
}
UPDATES_ONLY = ("nautilus_trader",)
