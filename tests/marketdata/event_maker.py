"""Events made by hand, one function a kind, for tests of what is published about them."""

import numpy as np

from tradsys.wire.enums import EventFlags, InstrumentState, Side, Template
from tradsys.wire.records import empty

RESTS = int(EventFlags.RESTS)
KEPT = int(EventFlags.PRIORITY_KEPT)
TS_NS = 1_700_000_000_000_000_000


class EventLog:
    """Numbers events as the engine would and keeps them as one array of 128-byte records."""

    def __init__(self) -> None:
        self.records: list[np.ndarray] = []

    def add(self, template: int, **fields) -> None:
        record = empty(template)
        record["seq"] = len(self.records) + 1
        record["ts_ns"] = TS_NS + len(self.records)
        for name, value in fields.items():
            record[name] = value
        self.records.append(record)

    def take(self, first: int = 0) -> np.ndarray:
        """Events from index `first` on, as raw 128-byte rows."""
        rows = [record.view(np.uint8) for record in self.records[first:]]
        return np.concatenate(rows).reshape(-1, 128) if rows else np.zeros((0, 128), np.uint8)

    def define(self, instrument_id: int, symbol: bytes = b"TEST", state=InstrumentState.CLOSED) -> None:
        self.add(
            Template.INSTRUMENT_DEFINED,
            instrument_id=instrument_id,
            symbol=symbol,
            currency=b"USD",
            state=state,
            asset_class=1,
            tick_mantissa=1,
            lot_mantissa=1,
            price_increment_ticks=1,
            price_min_ticks=-1000,
            price_max_ticks=1000,
            qty_increment_lots=1,
            qty_min_lots=1,
            qty_max_lots=1000,
        )

    def state(self, instrument_id: int, state: int, before: int) -> None:
        self.add(
            Template.COMMAND_DONE,
            instrument_id=instrument_id,
            done_template=Template.SET_INSTRUMENT_STATE,
            state=state,
            state_before=before,
        )

    def accepted(self, order_id, side, price, qty, *, instrument_id=1, rests=True) -> None:
        self.add(
            Template.ORDER_ACCEPTED,
            order_id=order_id,
            side=side,
            price_ticks=price,
            qty_lots=qty,
            leaves_lots=qty,
            instrument_id=instrument_id,
            event_flags=RESTS if rests else 0,
        )

    def rested(self, order_id, side, price, qty, leaves, *, instrument_id=1) -> None:
        self.add(
            Template.ORDER_RESTED,
            order_id=order_id,
            side=side,
            price_ticks=price,
            qty_lots=qty,
            leaves_lots=leaves,
            instrument_id=instrument_id,
            event_flags=RESTS,
        )

    def executed(self, resting_id, price, qty, resting_leaves, incoming_side, *, instrument_id=1) -> None:
        self.add(
            Template.ORDER_EXECUTED,
            resting_order_id=resting_id,
            price_ticks=price,
            qty_lots=qty,
            resting_leaves_lots=resting_leaves,
            incoming_side=incoming_side,
            instrument_id=instrument_id,
        )

    def canceled(self, order_id, side, price, qty, *, instrument_id=1, rested=True) -> None:
        self.add(
            Template.ORDER_CANCELED,
            order_id=order_id,
            side=side,
            price_ticks=price,
            qty_lots=qty,
            instrument_id=instrument_id,
            event_flags=RESTS if rested else 0,
        )

    def reduced(self, order_id, side, price, qty, leaves, *, instrument_id=1) -> None:
        self.add(
            Template.ORDER_REDUCED,
            order_id=order_id,
            side=side,
            price_ticks=price,
            qty_lots=qty,
            leaves_lots=leaves,
            instrument_id=instrument_id,
            event_flags=RESTS | KEPT,
        )

    def replaced(self, order_id, side, before, after, *, instrument_id=1, flags=RESTS) -> None:
        """`before` and `after` are (price, leaves)."""
        self.add(
            Template.ORDER_REPLACED,
            order_id=order_id,
            side=side,
            price_ticks=after[0],
            qty_lots=after[1],
            leaves_lots=after[1],
            price_before_ticks=before[0],
            leaves_before_lots=before[1],
            instrument_id=instrument_id,
            event_flags=flags,
        )


BUY, SELL = int(Side.BUY), int(Side.SELL)


class RandomMarket:
    """A stream of events a venue could have: resting orders come, shrink, move, trade and go.

    Order ids are made as the rule book says (1.5): serial << 24 | slot, the slot freed last first.
    """

    def __init__(self, seed: int, instruments: int = 3, prices: int = 20) -> None:
        self.random = np.random.default_rng(seed)
        self.log = EventLog()
        self.prices = prices
        self.instruments = instruments
        self.orders: dict[int, list] = {}  # order_id -> [instrument, side, price, leaves], in priority order
        self.free: list[int] = []
        self.slots = self.serial = 0
        for instrument_id in range(1, instruments + 1):
            self.log.define(instrument_id, f"I{instrument_id}".encode())
            self.log.state(instrument_id, InstrumentState.OPEN, InstrumentState.CLOSED)

    def take_id(self) -> int:
        self.serial += 1
        slot = self.free.pop() if self.free else self.slots
        self.slots = max(self.slots, slot + 1)
        return self.serial << 24 | slot

    def end(self, order_id: int) -> None:
        del self.orders[order_id]
        self.free.append(order_id & 0xFFFFFF)

    def run(self, steps: int) -> np.ndarray:
        """Go on for some commands; returns the events they caused."""
        first = len(self.log.records)
        for _ in range(steps):
            roll = self.random.random()
            if roll < 0.55 or not self.orders:
                self.enter(self.take_id(), None)
                continue
            order_id = list(self.orders)[int(self.random.integers(len(self.orders)))]
            instrument_id, side, price, leaves = self.orders[order_id]
            if roll < 0.8:
                self.log.canceled(order_id, side, price, leaves, instrument_id=instrument_id)
                self.end(order_id)
            elif roll < 0.9 and leaves > 1:
                qty = int(self.random.integers(1, leaves))
                self.orders[order_id][3] -= qty
                self.log.reduced(order_id, side, price, qty, leaves - qty, instrument_id=instrument_id)
            else:
                self.enter(order_id, self.orders.pop(order_id))
        return self.log.take(first)

    def enter(self, order_id: int, before: list | None) -> None:
        """A new order, or one that has left its place: match, then rest."""
        if before is None:
            instrument_id = int(self.random.integers(1, self.instruments + 1))
            side = int(self.random.integers(1, 3))
        else:
            instrument_id, side = before[:2]
        away = int(self.random.integers(-2, self.prices))
        price, leaves = -away if side == BUY else away, int(self.random.integers(1, 20))
        matches = self.matches(instrument_id, side, price)
        rests = not matches
        if before is None:
            self.log.accepted(order_id, side, price, leaves, instrument_id=instrument_id, rests=rests)
        else:
            flags = RESTS if rests else 0
            self.log.replaced(
                order_id,
                side,
                (before[2], before[3]),
                (price, leaves),
                instrument_id=instrument_id,
                flags=flags,
            )
        total = leaves
        for resting_id in matches:
            qty = min(leaves, self.orders[resting_id][3])
            leaves -= qty
            self.orders[resting_id][3] -= qty
            left = self.orders[resting_id][3]
            self.log.executed(
                resting_id, self.orders[resting_id][2], qty, left, side, instrument_id=instrument_id
            )
            if not left:
                self.end(resting_id)
            if not leaves:
                break
        if leaves:
            self.orders[order_id] = [instrument_id, side, price, leaves]
            if matches:
                self.log.rested(order_id, side, price, total, leaves, instrument_id=instrument_id)
        else:
            self.free.append(order_id & 0xFFFFFF)

    def matches(self, instrument_id: int, side: int, price: int) -> list[int]:
        """Resting orders that could match, best price first, then first come."""
        sign = 1 if side == BUY else -1
        found = [
            (sign * order[2], position, order_id)
            for position, (order_id, order) in enumerate(self.orders.items())
            if order[0] == instrument_id and order[1] != side and sign * order[2] <= sign * price
        ]
        return [order_id for _, _, order_id in sorted(found)]

    def side(self, instrument_id: int, side: int) -> list[tuple[int, int, int]]:
        """Orders of a side as (order_id, price, leaves), best level first, in priority order."""
        sign = -1 if side == BUY else 1
        rows = [
            (sign * o[2], n, i, o[2], o[3])
            for n, (i, o) in enumerate(self.orders.items())
            if o[:2] == [instrument_id, side]
        ]
        return [(order_id, price, leaves) for _, _, order_id, price, leaves in sorted(rows)]

    def levels(self, instrument_id: int, side: int) -> list[tuple[int, int, int]]:
        """Levels of a side as (price, quantity, orders), best first."""
        totals: dict[int, tuple[int, int]] = {}
        for _, price, leaves in self.side(instrument_id, side):
            qty, count = totals.get(price, (0, 0))
            totals[price] = (qty + leaves, count + 1)
        return [(price, *total) for price, total in totals.items()]
