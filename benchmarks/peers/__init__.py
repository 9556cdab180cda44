"""A flow in the words every peer has: limit orders that rest, and cancels of orders that live.

`plain` turns a named workload into them, with the engine as the judge of what lives and what matches: a market, IOC or
FOK order becomes a limit order for what it matches; a reduce or replace becomes a cancel and a limit order for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tradsys.core import Engine
from tradsys.sim import workload
from tradsys.wire.enums import OrderType, Side, Template, TimeInForce
from tradsys.wire.records import CANCEL_ORDER, NEW_ORDER, ORDER_EXECUTED, REDUCE_ORDER, REPLACE_ORDER, empty

Level = tuple[int, int, int]  # price [ticks], quantity [lots], orders


# A limit order entered (or canceled: False), number of the order (1, 2, 3 ... as they are entered), bought (or sold), price
# [ticks], quantity [lots; of a cancel: what is left], session. Plain tuples: a loop takes them apart faster than named ones.
Command = tuple[bool, int, bool, int, int, int]
# What a command does to the order-by-order book: "add", "update" or "delete", the order's number, bought, price [ticks],
# and the quantity it then has [lots].
Update = tuple[str, int, bool, int, int]


@dataclass(frozen=True)
class Answer:
    """What a run came to; None where the engine does not tell."""

    matches: int | None = None
    lots: int | None = None
    notional: int | None = None  # sum of ticks x lots, at the resting order's price
    orders: int | None = None  # live at the end
    book: tuple[list[Level], list[Level]] | None = None  # bids and asks at the end, best first


@dataclass
class Flow:
    """Commands that fill the book, the commands to be timed, the book updates of both, and what they come to."""

    load: workload.Workload
    prefill: list[Command] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    updates_before: list[Update] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    answer: Answer = field(default_factory=Answer)


@dataclass
class _Order:
    """An order of the workload as the plain flow knows it."""

    ref: int
    buys: bool
    price: int  # ticks
    leaves: int  # lots
    session: int
    filled: int = 0  # lots, under all its plain orders


class _Plain:
    """The translation under way."""

    def __init__(self, load: workload.Workload) -> None:
        self.load = load
        self.engine = Engine(**load.capacities)
        self.engine.submit(load.setup)
        self.live: dict[int, _Order] = {}  # reference in the workload -> order
        self.by_ref: dict[int, _Order] = {}  # plain reference -> order that rests
        self.prices: dict[int, int] = {}  # one object a price: less memory for the loops to walk
        self.commands: list[Command] = []
        self.updates: list[Update] = []
        self.entered = self.matches = self.lots = self.notional = 0

    def translate(self, records: np.ndarray) -> tuple[list[Command], list[Update]]:
        """The plain commands of the workload's records, and their book updates."""
        self.commands, self.updates = [], []
        views = {t: records.view(dtype) for t, dtype in _LAYOUTS.items()}
        for at, template in enumerate(records["template_id"].tolist()):
            record = views[template][at]
            if template == Template.NEW_ORDER:
                self._new_order(record)
                continue
            order = self.live.pop(int(record["orig_client_ref"]), None)
            if order is None or order.leaves == 0:
                continue
            self._cancel(order)
            if template == Template.REDUCE_ORDER:
                again = _Order(
                    0, order.buys, order.price, order.leaves - int(record["qty_lots"]), order.session
                )
                self._enter_again(again, order, int(record["orig_client_ref"]))
            elif template == Template.REPLACE_ORDER:
                price, leaves = int(record["price_ticks"]), int(record["qty_lots"]) - order.filled
                again = _Order(0, order.buys, price, leaves, order.session)
                self._enter_again(again, order, int(record["client_ref"]))
        return self.commands, self.updates

    def _new_order(self, record: np.void) -> None:
        buys, price = int(record["side"]) == Side.BUY, int(record["price_ticks"])
        order = _Order(0, buys, price, int(record["qty_lots"]), int(record["session_id"]))
        if record["order_type"] == OrderType.MARKET:
            low = self.load.profile.lowest_price
            order.price = low + self.load.profile.level_count - 1 if buys else low
        if record["order_type"] == OrderType.MARKET or record["time_in_force"] in (
            TimeInForce.IOC,
            TimeInForce.FOK,
        ):
            order.leaves = min(order.leaves, self._within_reach(buys, order.price))
        if order.leaves > 0:
            self._enter(order)
            self.live[int(record["client_ref"])] = order

    def _enter_again(self, again: _Order, before: _Order, name: int) -> None:
        again.filled = before.filled
        if again.leaves > 0:
            self._enter(again)
            self.live[name] = again

    def _within_reach(self, buys: bool, limit: int) -> int:
        """Lots an order could match down to its limit."""
        levels = self.engine.depth(1, Side.SELL if buys else Side.BUY, 64)
        prices = levels["price_ticks"]
        return int(levels["qty_lots"][prices <= limit if buys else prices >= limit].sum())

    def _enter(self, order: _Order) -> None:
        self.entered += 1
        order.ref = self.entered
        order.price = self.prices.setdefault(order.price, order.price)
        self.commands.append((True, order.ref, order.buys, order.price, order.leaves, order.session))
        side = Side.BUY if order.buys else Side.SELL
        self.engine.new_order(order.session, order.ref, 1, side, order.price, order.leaves)
        events = self.engine.read_events()
        if (events["template_id"] == Template.ORDER_REJECTED).any():
            raise SystemExit("the plain flow has an order the engine refuses")
        for event in events[events["template_id"] == Template.ORDER_EXECUTED].view(ORDER_EXECUTED):
            self._match(
                order, int(event["resting_client_ref"]), int(event["qty_lots"]), int(event["price_ticks"])
            )
        if order.leaves > 0:
            self.by_ref[order.ref] = order
            self.updates.append(("add", order.ref, order.buys, order.price, order.leaves))

    def _match(self, incoming: _Order, resting_ref: int, lots: int, price: int) -> None:
        resting = self.by_ref[resting_ref]
        for order in (incoming, resting):
            order.leaves -= lots
            order.filled += lots
        self.matches += 1
        self.lots += lots
        self.notional += lots * price
        verb = "update" if resting.leaves > 0 else "delete"
        self.updates.append((verb, resting.ref, resting.buys, resting.price, resting.leaves))
        if resting.leaves == 0:
            del self.by_ref[resting.ref]

    def _cancel(self, order: _Order) -> None:
        self.commands.append((False, order.ref, order.buys, order.price, order.leaves, order.session))
        self.engine.cancel_order(order.session, 0, 1, order.ref)
        if int(self.engine.read_events()["template_id"][0]) != Template.ORDER_CANCELED:
            raise SystemExit("the plain flow has a cancel the engine refuses")
        del self.by_ref[order.ref]
        self.updates.append(("delete", order.ref, order.buys, order.price, 0))


_LAYOUTS = {
    int(Template.NEW_ORDER): NEW_ORDER,
    int(Template.CANCEL_ORDER): CANCEL_ORDER,
    int(Template.REDUCE_ORDER): REDUCE_ORDER,
    int(Template.REPLACE_ORDER): REPLACE_ORDER,
}


def plain(name: str, count: int) -> Flow:
    """The first `count` commands of a one-instrument workload as a plain flow, after a prefill that fills the book."""
    load = workload.make(name, count)
    under_way = _Plain(load)
    flow = Flow(load)
    flow.prefill, flow.updates_before = under_way.translate(load.prefill)
    under_way.matches = under_way.lots = under_way.notional = 0
    flow.commands, flow.updates = under_way.translate(load.commands)
    engine = under_way.engine
    engine.check()
    flow.answer = Answer(
        under_way.matches,
        under_way.lots,
        under_way.notional,
        engine.live_order_count(),
        book_of(engine),
    )
    return flow


def book_of(engine: Engine) -> tuple[list[Level], list[Level]]:
    """All levels of both sides, best first."""
    bids, asks = (engine.depth(1, side, 1 << 20).tolist() for side in (Side.BUY, Side.SELL))
    return bids, asks


def records_of(commands: list[Command]) -> np.ndarray:
    """Plain commands as 80-byte records back to back."""
    enters, refs, buys, prices, lots, sessions = (np.array(column) for column in zip(*commands, strict=True))
    made = np.zeros(len(commands), NEW_ORDER)
    cancels = made.view(CANCEL_ORDER)
    for template, chosen in ((Template.NEW_ORDER, enters), (Template.CANCEL_ORDER, ~enters)):
        head = empty(template)
        for name in ("block_length", "template_id", "schema_id", "version"):
            made[name][chosen] = head[name]
    made["instrument_id"], made["session_id"] = 1, sessions
    cancels["orig_client_ref"][~enters] = refs[~enters]
    made["client_ref"][enters] = refs[enters]
    made["side"][enters] = np.where(buys, Side.BUY, Side.SELL)[enters]
    made["order_type"][enters] = OrderType.LIMIT
    made["time_in_force"][enters] = TimeInForce.DAY
    made["price_ticks"][enters] = prices[enters]
    made["qty_lots"][enters] = lots[enters]
    return made
