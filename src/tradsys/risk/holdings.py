"""What an account holds, from its trades: whole lots and ticks, so that sums are exact whatever the number of trades.

Amounts of one instrument are in tick-lots: one tick on one lot, tick size x lot size of its currency.
"""

from typing import NamedTuple


class Trade(NamedTuple):
    """One side of a match, as the venue tells its owner."""

    exec_id: tuple[int, int]  # number of the event, and which of its parties
    participant_id: int
    account_id: int  # 0: the house account
    symbol: str
    lots: int  # negative: sold
    ticks: int  # price
    ts_ns: int  # when it was decided


class Holding:
    """One instrument of one account.

    Invariant: ``cash`` is minus the sum of lots x ticks of all trades, so ``cash`` + lots x mark is the P&L since the first
    trade, exactly; ``open_cost`` is what the lots still held have cost at their average, rounded to a tick-lot a trade, and
    0 when none are held.
    """

    __slots__ = ("cash", "last_ticks", "last_ts_ns", "lots", "open_cost", "trades")

    def __init__(self) -> None:
        self.lots = 0  # negative: short
        self.cash = 0  # tick-lots, negative: paid
        self.open_cost = 0  # tick-lots, of the sign of lots where prices are positive
        self.trades = 0
        self.last_ticks = 0  # price of the last trade
        self.last_ts_ns = 0

    def take(self, trade: Trade) -> None:
        """Add a trade."""
        before, after = self.lots, self.lots + trade.lots
        paid = trade.lots * trade.ticks
        if before == 0 or (before > 0) == (trade.lots > 0):
            self.open_cost += paid
        elif (after > 0) == (before > 0) and after != 0:
            self.open_cost = self.open_cost * after // before  # what is left keeps its average
        else:
            self.open_cost = after * trade.ticks  # closed, and what goes beyond it opened at this price
        self.lots, self.cash = after, self.cash - paid
        self.trades += 1
        self.last_ticks, self.last_ts_ns = trade.ticks, trade.ts_ns
        assert self.lots != 0 or self.open_cost == 0, "what is not held costs nothing"

    def pnl(self, half_ticks: int) -> float:
        """Profit since the first trade at a mark in half ticks; tick-lots."""
        return (2 * self.cash + self.lots * half_ticks) / 2

    def unrealised(self, half_ticks: int) -> float:
        """Profit of what is held against its average cost; tick-lots."""
        return (self.lots * half_ticks - 2 * self.open_cost) / 2

    @property
    def average_ticks(self) -> float | None:
        """Average price of what is held."""
        return self.open_cost / self.lots if self.lots else None
