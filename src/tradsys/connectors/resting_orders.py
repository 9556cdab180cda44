"""Resting orders of one instrument, as they must be on the venue after the commands sent so far.

A replay decides from it which command a row of a file becomes, before the venue has answered. It matches like
the venue (best price first, then arrival; no self-trade prevention), so what it foretells and what the venue
does differ only if one of them is wrong or somebody else trades the instrument.
"""

from __future__ import annotations

import itertools
from bisect import insort
from typing import Final

BID, ASK = 0, 1  # index of a side
SEED_BASE: Final = (
    1 << 63
)  # references from here on are orders seeded from a book file, not told by a message


class RestingOrders:
    """Orders of both sides.

    Invariant: keys ascend strictly from the best level on (-price for bids), each level holds at least one
    order, every order has leaves above 0 and is found by its reference.
    """

    __slots__ = ("_keys", "_levels", "_where")

    def __init__(self) -> None:
        self._keys: tuple[list[int], list[int]] = ([], [])
        self._levels: tuple[dict[int, dict[int, int]], dict[int, dict[int, int]]] = (
            {},
            {},
        )  # key -> ref -> leaves
        self._where: dict[int, tuple[int, int]] = {}  # ref -> side, key

    def __contains__(self, ref: int) -> bool:
        return ref in self._where

    def __len__(self) -> int:
        return len(self._where)

    def add(self, ref: int, side: int, price_ticks: int, qty_lots: int) -> None:
        """Put an order at the back of its level."""
        assert qty_lots > 0, "an order that rests has leaves above 0"
        assert ref not in self._where, "a reference is live once"
        key = -price_ticks if side == BID else price_ticks
        level = self._levels[side].get(key)
        if level is None:
            level = self._levels[side][key] = {}
            insort(self._keys[side], key)
        level[ref] = qty_lots
        self._where[ref] = side, key

    def match(self, side: int, price_ticks: int, qty_lots: int) -> list[tuple[int, int]]:
        """Match an incoming order of ``side`` and return (resting reference, quantity) of each match."""
        other = ASK if side == BID else BID
        limit = price_ticks if other == ASK else -price_ticks
        keys, fills = self._keys[other], []
        while qty_lots and keys and keys[0] <= limit:
            ref, leaves = next(iter(self._levels[other][keys[0]].items()))
            qty = min(leaves, qty_lots)
            fills.append((ref, qty))
            self.reduce(ref, qty)
            qty_lots -= qty
        return fills

    def reduce(self, ref: int, qty_lots: int) -> int:
        """Take quantity off an order, all of it at most; returns what is left of it."""
        side, key = self._where[ref]
        level = self._levels[side][key]
        left = level[ref] - qty_lots
        if left > 0:
            level[ref] = left
            return left
        del level[ref], self._where[ref]
        if not level:
            del self._levels[side][key]
            self._keys[side].remove(key)
        return 0

    def take(self, side: int, price_ticks: int, qty_lots: int, ref: int = 0) -> list[tuple[int, int, int]]:
        """Take a quantity off a level: from ``ref`` first, then from seeded orders, then from the newest.

        Returns
        -------
        list of (reference, quantity taken, quantity left of that order)
        """
        level = self._levels[side].get(-price_ticks if side == BID else price_ticks, {})
        order = [ref] if ref in level else []
        newest_first = [other for other in reversed(level) if other != ref]
        order += [other for other in newest_first if other >= SEED_BASE]
        order += [other for other in newest_first if other < SEED_BASE]
        taken = []
        for other in order:
            if qty_lots == 0:
                break
            qty = min(level[other], qty_lots)
            qty_lots -= qty
            taken.append((other, qty, self.reduce(other, qty)))
        return taken

    def leaves(self, ref: int) -> int:
        """What is left of an order; 0 when it does not rest."""
        where = self._where.get(ref)
        return 0 if where is None else self._levels[where[0]][where[1]][ref]

    def where(self, ref: int) -> tuple[int, int]:
        """(side, price) of a resting order."""
        side, key = self._where[ref]
        return side, -key if side == BID else key

    def qty_at(self, side: int, price_ticks: int) -> int:
        """Quantity of a level, 0 where there is none."""
        return sum(self._levels[side].get(-price_ticks if side == BID else price_ticks, {}).values())

    def prices(self, side: int) -> list[int]:
        """Prices of a side, best first."""
        return [-key if side == BID else key for key in self._keys[side]]

    def best(self, side: int) -> tuple[int, int] | None:
        """(price, quantity) of the best level."""
        if not self._keys[side]:
            return None
        key = self._keys[side][0]
        return -key if side == BID else key, sum(self._levels[side][key].values())

    def check(self) -> None:
        """Assert the invariant of the class docstring."""
        count = 0
        for side in (BID, ASK):
            keys = self._keys[side]
            assert all(a < b for a, b in itertools.pairwise(keys)), "keys must ascend strictly"
            assert set(keys) == set(self._levels[side]), "every key has its level"
            for key, level in self._levels[side].items():
                assert level, "a level holds an order"
                assert all(leaves > 0 for leaves in level.values()), "leaves are above 0"
                assert all(self._where[ref] == (side, key) for ref in level), "orders are found by reference"
                count += len(level)
        assert count == len(self._where), "no reference without an order"
