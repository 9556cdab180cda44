"""From ITCH 5.0 messages to order commands for a running venue.

| message | becomes |
|---|---|
| A, F add order | a limit order of that reference, side, price and quantity |
| E order executed | an immediate-or-cancel order of the resting order's price and that quantity, other owner |
| C executed at another price | a reduce (or cancel) of the resting order: our matches happen at its own price |
| X order cancel, D order delete | a reduce, a cancel |
| U order replace | a replace; at the same price and no more shares a cancel and a new order: it loses priority |
| R stock directory | a definition of the instrument, when an operator's session is given |
| H trading action | an instrument state, when an operator's session is given: T opens, H, P and Q halt |
| all others | nothing: counted by type |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from tradsys.connectors.itch import MESSAGE_NAMES, Message
from tradsys.connectors.order_flow import Command, CommandKind, Party, Step
from tradsys.connectors.resting_orders import ASK, BID

AGGRESSOR_BASE = 1 << 62  # references of the aggressing orders: this plus the message number


@dataclass(slots=True)
class ItchOrder:
    """A live order of the file."""

    locate: int  # stock_locate
    side: int  # BID or ASK
    price_ticks: int  # USD x 10,000
    leaves_lots: int  # shares
    filled_lots: int = 0  # shares executed since it was added or replaced


@dataclass(slots=True)
class ItchPlan:
    """Makes the steps of a session, in order of the messages.

    Invariant: ``orders`` holds exactly the orders of followed stocks that were added and not yet executed,
    cancelled, deleted or replaced; each has leaves above 0.

    Parameters
    ----------
    symbols : collection of str
        Stocks to follow; empty: every stock of the directory.
    operate : bool
        Make commands of directory entries and trading actions.
    """

    symbols: Collection[str] = ()
    operate: bool = False
    orders: dict[int, ItchOrder] = field(default_factory=dict)
    stocks: dict[int, str] = field(default_factory=dict)  # stock_locate -> symbol, followed stocks only
    counts: Counter[str] = field(default_factory=Counter)
    _number: int = -1

    def step(self, message: Message) -> Step:
        """The step of the next message."""
        self._number += 1
        self.counts[MESSAGE_NAMES[message.message_type]] += 1
        commands: list[Command] = []
        expected = -1
        kind = message.message_type
        if kind == "R":
            self._follow(message, commands)
        elif kind in "AF":
            self._add(message, commands)
        elif kind in "ECXDU":
            expected = self._change(message, commands)
        elif kind == "H" and self.operate and message.stock_locate in self.stocks:
            state = CommandKind.OPEN if message.trading_state == "T" else CommandKind.HALT
            commands.append(Command(Party.OPERATOR, state, message.stock_locate, 0, 0, 0, 0, 0))
        return Step(self._number, message.ts_ns, commands, expected, expected >= 0, None)

    def _follow(self, message: Message, commands: list[Command]) -> None:
        if self.symbols and message.stock not in self.symbols:
            return
        known = message.stock_locate in self.stocks
        self.stocks[message.stock_locate] = message.stock
        if self.operate and not known:
            kinds = (CommandKind.DEFINE, CommandKind.OPEN)
            commands.extend(
                Command(Party.OPERATOR, kind, message.stock_locate, 0, 0, 0, 0, 0) for kind in kinds
            )

    def _add(self, message: Message, commands: list[Command]) -> None:
        if message.stock_locate not in self.stocks:
            if self.symbols and message.stock not in self.symbols:
                self.counts["other_stock"] += 1
                return
            self.stocks[message.stock_locate] = message.stock  # a file without its directory
        if message.order_ref in self.orders:
            self.counts["reference_used_again"] += 1
            return
        order = ItchOrder(
            message.stock_locate, BID if message.side == "B" else ASK, message.price_ticks, message.qty_lots
        )
        self._enter(message.order_ref, order, commands)

    def _enter(self, ref: int, order: ItchOrder, commands: list[Command]) -> None:
        self.orders[ref] = order
        commands.append(_command(CommandKind.NEW, order, ref, 0, order.leaves_lots))

    def _change(self, message: Message, commands: list[Command]) -> int:
        """E, C, X, D or U; returns the order an execution must hit, else -1."""
        kind = message.message_type
        ref = message.orig_order_ref if kind == "U" else message.order_ref
        order = self.orders.get(ref)
        if order is None:
            self.counts["unknown_order" if message.stock_locate in self.stocks else "other_stock"] += 1
            return -1
        if kind == "U":
            self._replace(ref, order, message, commands)
            return -1
        qty = order.leaves_lots if kind == "D" else min(message.qty_lots, order.leaves_lots)
        self.counts["beyond_leaves"] += kind != "D" and message.qty_lots > order.leaves_lots
        order.leaves_lots -= qty
        if not order.leaves_lots:
            del self.orders[ref]
        if kind == "E":
            order.filled_lots += qty
            incoming = ASK if order.side == BID else BID
            aggressor = AGGRESSOR_BASE + self._number
            commands.append(
                Command(
                    Party.TAKER,
                    CommandKind.AGGRESS,
                    order.locate,
                    aggressor,
                    0,
                    incoming,
                    order.price_ticks,
                    qty,
                )
            )
            return ref
        change = CommandKind.REDUCE if order.leaves_lots else CommandKind.CANCEL
        commands.append(_command(change, order, 0, ref, qty))
        return -1

    def _replace(self, ref: int, order: ItchOrder, message: Message, commands: list[Command]) -> None:
        del self.orders[ref]
        new = ItchOrder(order.locate, order.side, message.price_ticks, message.qty_lots)
        if new.price_ticks == order.price_ticks and new.leaves_lots <= order.leaves_lots:
            commands.append(_command(CommandKind.CANCEL, order, 0, ref, order.leaves_lots))
            self._enter(message.order_ref, new, commands)
            return
        new.filled_lots = order.filled_lots
        self.orders[message.order_ref] = new
        total = order.filled_lots + new.leaves_lots
        commands.append(_command(CommandKind.REPLACE, new, message.order_ref, ref, total))


def _command(kind: CommandKind, order: ItchOrder, ref: int, orig_ref: int, qty_lots: int) -> Command:
    return Command(Party.MAKER, kind, order.locate, ref, orig_ref, order.side, order.price_ticks, qty_lots)
