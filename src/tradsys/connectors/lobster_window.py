"""The best L levels of a LOBSTER day, rebuilt message by message.

A level-L file leaves out every event outside the best L levels, so messages alone cannot tell what a level
holds that moves up into the window. The window rule closes exactly that hole: after each message drop what
lies beyond rank L, and where a side has fewer than L levels take the missing *worst* levels from the
orderbook row. Nothing that is not worse than the worst level held is ever taken from the file.
"""

from __future__ import annotations

import itertools
from bisect import insort
from collections.abc import Sequence

from tradsys.connectors.lobster import NO_PRICE, MessageType

BID, ASK = 0, 1  # index of a side; ranks are kept as keys that ascend from the best level: -price for bids


class WindowBook:
    """Price levels of both sides, at most ``levels`` each after ``settle``.

    Invariant: a side's keys ascend strictly, every key has a quantity above 0, and no other quantity is kept.
    """

    __slots__ = ("_keys", "_qty", "entered", "left", "levels", "levels_taken", "unmatched")

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self.levels_taken = 0  # levels copied from the orderbook file after the seed
        self.unmatched = 0  # messages that took more than their level held
        self.entered: list[
            tuple[int, int, int]
        ] = []  # (side, price, qty) taken from the file by the last settle
        self.left: list[tuple[int, int]] = []  # (side, price) dropped beyond rank L by the last settle
        self._keys: tuple[list[int], list[int]] = ([], [])  # per side, best first
        self._qty: tuple[dict[int, int], dict[int, int]] = ({}, {})  # per side: key -> quantity

    def seed(self, row: Sequence[int]) -> None:
        """Become what an orderbook row says."""
        for side in (BID, ASK):
            self._keys[side].clear()
            self._qty[side].clear()
            for key, qty in file_levels(row, side, self.levels):
                self._keys[side].append(key)
                self._qty[side][key] = qty

    def apply(self, message_type: int, qty_lots: int, price_ticks: int, direction: int) -> None:
        """Apply one message to its level; hidden executions, crosses and halts change nothing."""
        side = BID if direction == 1 else ASK
        key = -price_ticks if side == BID else price_ticks
        held = self._qty[side]
        if message_type == MessageType.NEW:
            if key in held:
                held[key] += qty_lots
            else:
                insort(self._keys[side], key)
                held[key] = qty_lots
        elif message_type <= MessageType.EXECUTE_VISIBLE:
            self._take(side, key, qty_lots)

    def _take(self, side: int, key: int, qty_lots: int) -> None:
        held = self._qty[side]
        left = held.get(key, 0) - qty_lots
        if left > 0:
            held[key] = left
            return
        if left < 0:
            self.unmatched += 1
        if key in held:
            del held[key]
            self._keys[side].remove(key)

    def settle(self, row: Sequence[int]) -> None:
        """Apply the window rule against the orderbook row that belongs to the last message."""
        self.entered.clear()
        self.left.clear()
        for side in (BID, ASK):
            keys, held = self._keys[side], self._qty[side]
            while len(keys) > self.levels:
                key = keys.pop()
                del held[key]
                self.left.append((side, abs_price(side, key)))
            if len(keys) < self.levels:
                self._refill(side, row)

    def _refill(self, side: int, row: Sequence[int]) -> None:
        keys, held = self._keys[side], self._qty[side]
        for key, qty in file_levels(row, side, self.levels):
            if len(keys) == self.levels:
                return
            if not keys or key > keys[-1]:
                keys.append(key)
                held[key] = qty
                self.entered.append((side, abs_price(side, key), qty))
                self.levels_taken += 1

    def equals(self, row: Sequence[int]) -> bool:
        """True when both sides hold exactly the levels of the orderbook row, in order, nothing else."""
        asks, bids = self._keys[ASK], self._keys[BID]
        ask_qty, bid_qty = self._qty[ASK], self._qty[BID]
        if 4 * max(len(asks), len(bids)) > len(row):
            return False
        column = 0
        for level in range(self.levels):
            if level < len(asks):
                key = asks[level]
                if row[column] != key or row[column + 1] != ask_qty[key]:
                    return False
            elif row[column + 1] != 0:
                return False
            if level < len(bids):
                key = bids[level]
                if row[column + 2] != -key or row[column + 3] != bid_qty[key]:
                    return False
            elif row[column + 3] != 0:
                return False
            column += 4
        return True

    def depth(self, side: int) -> list[tuple[int, int]]:
        """(price, quantity) of a side, best level first."""
        held = self._qty[side]
        return [(abs_price(side, key), held[key]) for key in self._keys[side]]

    def depth_levels(self, side: int) -> int:
        """Levels held on a side."""
        return len(self._keys[side])

    def top(self) -> tuple[int, int, int, int]:
        """Best ask price, quantity, best bid price, quantity; +-NO_PRICE and 0 where a side is empty."""
        ask = self.depth(ASK)[0] if self._keys[ASK] else (NO_PRICE, 0)
        bid = self.depth(BID)[0] if self._keys[BID] else (-NO_PRICE, 0)
        return *ask, *bid

    def check(self) -> None:
        """Assert the invariant of the class docstring."""
        for side in (BID, ASK):
            keys = self._keys[side]
            assert all(a < b for a, b in itertools.pairwise(keys)), "keys must ascend strictly"
            assert set(keys) == set(self._qty[side]), "every key has a quantity, every quantity a key"
            assert all(qty > 0 for qty in self._qty[side].values()), "quantities are above 0"


def file_levels(row: Sequence[int], side: int, levels: int) -> list[tuple[int, int]]:
    """(key, quantity) of the levels an orderbook row holds on a side, best first; empty levels left out."""
    offset = 2 if side == BID else 0
    sign = -1 if side == BID else 1
    return [
        (sign * row[column], row[column + 1])
        for column in range(offset, 4 * levels, 4)
        if row[column + 1] != 0
    ]


def abs_price(side: int, key: int) -> int:
    """The price of a key: keys ascend from the best level on both sides."""
    return -key if side == BID else key
