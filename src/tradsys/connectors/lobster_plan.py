"""From rows of a LOBSTER day to order commands for a running venue.

| row | becomes |
|---|---|
| 1 new | a limit order of that reference, side, price and quantity |
| 2 partial cancel | a reduce of that order |
| 3 delete | a cancel of that order |
| 4 execution of a visible order | an immediate-or-cancel order of that price and quantity, other owner |
| 5 hidden execution, 6 cross, 7 halt | nothing: counted |

What a LOBSTER file does not tell are the orders that were there before it begins and whatever happened
outside its best L levels. `Seeding` says how much of that is taken from the orderbook file; each such order
is counted as seeded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from tradsys.connectors.lobster import MessageType
from tradsys.connectors.lobster_window import WindowBook
from tradsys.connectors.order_flow import Command, CommandKind, Party, Step
from tradsys.connectors.resting_orders import ASK, BID, SEED_BASE, RestingOrders

AGGRESSOR_BASE = 1 << 62  # references of the aggressing orders: this plus the row


class Seeding(StrEnum):
    """How much of the orderbook file is turned into orders."""

    NONE = "none"  # messages alone
    FIRST = "first"  # orderbook row 0 stands for the book before the file; the rest is messages alone
    WINDOW = "window"  # and levels that move into the best L are brought to what the file says


class LobsterPlan:
    """Makes the steps of one day, in order of the rows.

    Parameters
    ----------
    seeding : Seeding
        FIRST and WINDOW need the orderbook row of each message.
    levels : int
        Levels of the orderbook file.

    Notes
    -----
    With WINDOW, after every row the orders at each price within the file's best L levels add up to the
    quantity the file has there. Orders at levels that leave the window keep resting (nobody trades with them
    while they are out of it); when their level returns, a seeded order makes up what is missing, or the
    newest orders give up what is too much; levels the file no longer has are withdrawn.
    """

    def __init__(self, seeding: Seeding, levels: int) -> None:
        self.orders = RestingOrders()
        self.counts: Counter[str] = Counter()
        self._seeding = seeding
        self._window = WindowBook(levels)
        self._seeds = 0
        self._row = -1

    def step(self, message: Sequence[int], book_row: Sequence[int] | None) -> Step:
        """The step of the next row.

        Parameters
        ----------
        message : ts_ns, type, order_id, qty_lots, price_ticks, direction
        book_row : orderbook row, or None when there is no orderbook file
        """
        self._row += 1
        ts_ns, message_type, order_id, qty_lots, price_ticks, direction = message
        side = BID if direction == 1 else ASK
        commands: list[Command] = []
        expected, known = -1, False
        top = None if book_row is None else (book_row[0], book_row[1], book_row[2], book_row[3])
        self.counts[MessageType(message_type).name] += 1
        if self._row == 0 and book_row is not None and self._seeding != Seeding.NONE:
            self._seed_first(book_row, commands)
            return Step(0, ts_ns, commands, -1, False, top)
        if message_type == MessageType.NEW:
            self._enter(order_id, side, price_ticks, qty_lots, commands)
        elif message_type in (MessageType.PARTIAL_CANCEL, MessageType.DELETE):
            self._take(order_id, side, price_ticks, qty_lots, commands)
        elif message_type == MessageType.EXECUTE_VISIBLE:
            expected, known = order_id, order_id in self.orders
            self._aggress(side, price_ticks, qty_lots, commands)
        if book_row is not None and self._seeding == Seeding.WINDOW:
            self._window.apply(message_type, qty_lots, price_ticks, direction)
            self._window.settle(book_row)
            self._keep_window(commands)
        return Step(self._row, ts_ns, commands, expected, known, top)

    @property
    def seeded(self) -> int:
        """Orders taken from the orderbook file so far."""
        return self._seeds

    def _seed_first(self, book_row: Sequence[int], commands: list[Command]) -> None:
        """Row 0: its message is already in the book of row 0."""
        self._window.seed(book_row)
        for side in (BID, ASK):
            for price_ticks, qty_lots in self._window.depth(side):
                self._seed(side, price_ticks, qty_lots, commands)

    def _seed(self, side: int, price_ticks: int, qty_lots: int, commands: list[Command]) -> None:
        ref = SEED_BASE + self._seeds
        self._seeds += 1
        self._enter(ref, side, price_ticks, qty_lots, commands)

    def _enter(self, ref: int, side: int, price_ticks: int, qty_lots: int, commands: list[Command]) -> None:
        if ref in self.orders:
            self.counts["reference_used_again"] += 1
            return
        fills = self.orders.match(side, price_ticks, qty_lots)
        left = qty_lots - sum(qty for _, qty in fills)
        self.counts["crossed_on_entry"] += bool(fills)
        if left:
            self.orders.add(ref, side, price_ticks, left)
        commands.append(Command(Party.MAKER, CommandKind.NEW, 0, ref, 0, side, price_ticks, qty_lots))

    def _take(self, ref: int, side: int, price_ticks: int, qty_lots: int, commands: list[Command]) -> None:
        """A cancel or reduce; of an order we do not know, the level's seeded orders stand in for it."""
        if ref not in self.orders:
            self.counts["unknown_order"] += 1
        for other, qty, left in self.orders.take(side, price_ticks, qty_lots, ref):
            kind = CommandKind.REDUCE if left else CommandKind.CANCEL
            commands.append(Command(Party.MAKER, kind, 0, 0, other, side, price_ticks, qty))

    def _aggress(self, side: int, price_ticks: int, qty_lots: int, commands: list[Command]) -> None:
        incoming = ASK if side == BID else BID
        best = self.orders.best(side)
        if best is not None and best[0] != price_ticks:
            self.counts["not_at_best"] += 1
        self.orders.match(incoming, price_ticks, qty_lots)
        ref = AGGRESSOR_BASE + self._row
        commands.append(Command(Party.TAKER, CommandKind.AGGRESS, 0, ref, 0, incoming, price_ticks, qty_lots))

    def _keep_window(self, commands: list[Command]) -> None:
        """Bring the levels that have just entered the window to what the file says."""
        for side, price_ticks, qty_lots in self._window.entered:
            held = self.orders.qty_at(side, price_ticks)
            if held > qty_lots:
                self.counts["levels_shrunk"] += 1
                self._take(-1, side, price_ticks, held - qty_lots, commands)
                self.counts["unknown_order"] -= 1
            elif held < qty_lots:
                self._seed(side, price_ticks, qty_lots - held, commands)
        entered = {side for side, _, _ in self._window.entered}
        for side in (BID, ASK):
            if side in entered or self._window.depth_levels(side) < self._window.levels:
                self._withdraw_gone(side, commands)

    def _withdraw_gone(self, side: int, commands: list[Command]) -> None:
        """Cancel what rests at prices inside the window where the file has no level."""
        depth = dict(self._window.depth(side))
        for price_ticks in self.orders.prices(side):
            if len(depth) == self._window.levels and not _within(side, price_ticks, depth):
                return
            if price_ticks not in depth:
                self.counts["levels_withdrawn"] += 1
                for ref, qty, _ in self.orders.take(side, price_ticks, self.orders.qty_at(side, price_ticks)):
                    commands.append(
                        Command(Party.MAKER, CommandKind.CANCEL, 0, 0, ref, side, price_ticks, qty)
                    )


def _within(side: int, price_ticks: int, depth: dict[int, int]) -> bool:
    worst = min(depth) if side == BID else max(depth)
    return price_ticks >= worst if side == BID else price_ticks <= worst
