"""Positions, limits, kill switches and price bands of the reference engine: sections 13 and 14 of the rule book.

Positions are a fold over the events of each command. What an order may do is asked of `tradsys.core.pretrade.evaluate`,
the one function both engines use; everything it looks at is gathered here again, with no thought of speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from tradsys.core.pretrade import ACCEPT, KNOWN_LIMITS, MILLION, SCALED_MAX, VALUE_MAX, evaluate
from tradsys.sim.reference_auctions import CALLS
from tradsys.sim.reference_book import BUY, Order
from tradsys.sim.reference_orders import is_own, is_transfer
from tradsys.sim.reference_records import read_events
from tradsys.sim.reference_triggers import MARKET, is_triggered, kind_behind, open_price
from tradsys.wire.enums import EventFlags, RejectReason, Restriction, RiskFlags, RiskScope, StpMode, Template

if TYPE_CHECKING:
    from tradsys.sim.reference_engine import ReferenceEngine

STP_NONE, STP_CANCEL_OLDEST = int(StpMode.NONE), int(StpMode.CANCEL_OLDEST)
_PRICED = (Template.ORDER_ACCEPTED, Template.ORDER_REPLACED, Template.ORDER_RESTED)
NO_LOW, NO_HIGH = -(1 << 63), (1 << 63) - 1
LIMIT_NAMES = [
    "risk_flags",
    "order_qty_max_lots",
    "order_value_max",
    "order_value_min",
    "qty_step_lots",
    "position_max_lots",
    "open_max_lots",
    "gross_max_value",
    "credit_value",
    "daily_loss_max",
    "rate_window_ns",
    "duplicate_window_ns",
    "price_distance_ppm",
    "concentration_ppm",
    "leverage_ppm",
    "margin_ppm",
    "rate_count",
    "approvals",
]
assert set(LIMIT_NAMES) - {"risk_flags", "approvals", "rate_count"} | {"rate_cost_ns"} == KNOWN_LIMITS
_OF_EVERYONE = {  # limits an instrument or an asset class may have
    *("order_qty_max_lots", "order_value_max", "order_value_min", "qty_step_lots", "rate_window_ns"),
    *("duplicate_window_ns", "price_distance_ppm", "rate_count"),
}
_NEED_CREDIT = ("concentration_ppm", "leverage_ppm", "margin_ppm")
ACCOUNT, HOUSE, PARTICIPANT = int(RiskScope.ACCOUNT), int(RiskScope.HOUSE), int(RiskScope.PARTICIPANT)
GROUP, INSTRUMENT, ASSET_CLASS = int(RiskScope.GROUP), int(RiskScope.INSTRUMENT), int(RiskScope.ASSET_CLASS)
SESSION, VENUE = int(RiskScope.SESSION), int(RiskScope.VENUE)
Key = tuple[int, int]  # scope and id


@dataclass
class Holder:
    """Limits of somebody or something, and what they have used."""

    limits: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LIMIT_NAMES, 0))
    is_killed: int = 0
    bucket: int = 0  # ns
    bucket_ts: int = 0
    last_order: tuple[int, int, int, int, int] | None = None  # instrument, side, price, quantity, time
    gross: int = 0  # worst-case value of all instruments, ticks x lots
    realised: int = 0  # profit since the day began, ticks x lots

    def rate_cost(self) -> int:
        """What an order takes from the bucket [ns] (14.9)."""
        return self.limits["rate_window_ns"] // self.limits["rate_count"] if self.limits["rate_count"] else 0


@dataclass
class Position:
    """What a holder has in one instrument."""

    position: int = 0  # lots, negative: short
    open_buy: int = 0  # lots
    open_sell: int = 0
    cost: int = 0  # of the position at average prices, signed as the position; ticks x lots
    buy_value: int = 0  # of open orders: |limit price| x leaves
    sell_value: int = 0
    realised: int = 0
    traded: int = 0  # |price| x quantity of all matches
    worst: int = 0  # rule 14.4
    fees: int = 0  # charged, in the instrument's fee units (15.7)
    restriction: int = 0

    def account_worst(self) -> int:
        """Worst-case value of an account's position (14.4)."""
        held = abs(self.cost)
        long_value = self.buy_value + (held if self.position > 0 else 0)
        short_value = self.sell_value + (held if self.position < 0 else 0)
        return max(long_value, short_value)


SUMS = [name.name for name in fields(Position) if name.name != "restriction"]


@dataclass
class Bands:
    """Price bands of an instrument, and the price they are measured from."""

    last: int | None = None  # ticks
    low: int = NO_LOW
    high: int = NO_HIGH
    dynamic_ppm: int = 0
    collar: int = 0


class Asked(NamedTuple):
    """An order as section 14 looks at it."""

    order: Order  # of a replace the one replaced
    qty: int  # lots, of a replace the new leaves
    price: int | None  # ticks; None of a market order
    limit: int | None  # worst price it may match at, ticks; None for any
    is_new: bool  # it looks for its like (14.10)
    waits: bool = False  # for its trigger or its turn: prices are not looked at (10.15)
    takes: bool = True  # it takes from the bucket and is remembered
    rated: bool = True  # the bucket is looked at
    released: bool = False  # its own part is left out
    before: tuple[Order, ...] = ()  # legs of its list that are counted as open already

    def looks(self) -> tuple[int, int, int, int]:
        """What two orders have in common that look the same (14.10)."""
        order = self.order
        return (order.instrument_id, order.side, open_price(order), order.total)


class ReferenceRisk:
    """Everything sections 13 and 14 add to the state.

    Invariant: the record of a participant is the sum of its accounts' records, that of a group the sum of its
    members'; a holder's `gross` and the `worst` of its records agree; open lots are those of the live orders.
    """

    def __init__(self, engine: ReferenceEngine, positions_max: int) -> None:
        self.engine = engine
        self.positions_max = positions_max
        self.holders: dict[Key, Holder] = {}
        self.positions: dict[tuple[int, int, int], Position] = {}  # scope, id, instrument
        self.watched: set[int] = set()  # participants
        self.groups: dict[int, int] = {}  # participant -> group, 0 ones left out
        self.bands: dict[int, Bands] = {}
        self.banded: set[int] = set()  # instruments with SET_PRICE_BANDS
        self.prices: dict[int, int] = {}  # order id -> price its open value is counted at
        self.is_used = False  # a command of ours has been carried out

    # ---------------------------------------------------------------- who

    def holder(self, key: Key) -> Holder:
        """The holder, made when it is first named."""
        return self.holders.setdefault(key, Holder())

    def levels(self, participant_id: int, account_id: int) -> list[Key]:
        """Whose positions an order counts in: account or house, participant, group."""
        first = (ACCOUNT, account_id) if account_id else (HOUSE, participant_id)
        group_id = self.groups.get(participant_id, 0)
        return [first, (PARTICIPANT, participant_id), *([(GROUP, group_id)] if group_id else [])]

    def is_killed(self, keys: list[Key]) -> bool:
        """Whether a kill switch of one of them is on."""
        return any(key in self.holders and self.holders[key].is_killed for key in keys)

    # ---------------------------------------------------------------- may this order be accepted

    def _refusal(self, asked_for: Asked) -> int:
        """What section 14 has against an order or a replace."""
        engine = self.engine
        sender, order = engine._sender, asked_for.order
        owner = order.session
        sender = sender or owner  # of one that is triggered
        participant_id = owner.participant.participant_id
        instrument = engine.instruments[order.instrument_id]
        keys = self.levels(participant_id, order.account_id)
        sessions = [(SESSION, owner.session_id), (SESSION, sender.session_id)]
        if self.is_killed([*keys, (INSTRUMENT, instrument.instrument_id), *sessions, (VENUE, 0)]):
            return RejectReason.KILLED
        reason = engine.conduct.refusal(participant_id)
        if reason and (asked_for.rated or reason != RejectReason.ORDER_TO_TRADE_LIMIT):
            return reason
        watched = participant_id in self.watched
        asked = keys if watched else []
        general = [(INSTRUMENT, instrument.instrument_id), (ASSET_CLASS, instrument.asset_class)]
        asked = asked + [key for key in general if key in self.holders]
        if not asked and instrument.instrument_id not in self.banded:
            return RejectReason.NONE
        if asked_for.price is None and instrument.state in CALLS:  # 13.3
            return RejectReason.NO_REFERENCE_PRICE
        self._instrument_id = order.instrument_id
        check = self._order_part(asked_for)
        approvals = 0
        for key in keys:
            approvals |= self.holders[key].limits["approvals"] if key in self.holders else 0
        check.is_approved = approvals >> instrument.asset_class & 1
        reasons = [self._ask(check, key, keys, asked_for) for key in asked]
        if not asked:
            reasons.append(evaluate(SimpleNamespace(**vars(check), **vars(self._limits_part(None)))))
        found = min((reason for reason in reasons if reason != ACCEPT), default=0)
        if not found and watched:
            missing = sum((*key, instrument.instrument_id) not in self.positions for key in keys)
            if len(self.positions) + missing > self.positions_max:
                return RejectReason.POSITIONS_FULL
            for key in keys if asked_for.takes else ():
                self.position(key, instrument.instrument_id)
        if not found and asked_for.takes:
            for key in asked:
                self._take(self.holder(key), asked_for, check)
        return found

    def position(self, key: Key, instrument_id: int) -> Position:
        """The record of a holder in an instrument, made when it is first needed."""
        self.holder(key)
        return self.positions.setdefault((*key, instrument_id), Position())

    def _order_part(self, asked: Asked) -> SimpleNamespace:
        """Fields of the check that are of the order and its instrument."""
        engine, order = self.engine, asked.order
        side, other = order.side, engine.books[order.instrument_id].other(order.side)
        price = value_price = asked.price
        best_limit = other.best_limit()
        if asked.price is None:
            price = self._sweep_price(other, asked)
            value_price = price if side == BUY else (None if price is None else other.best())
        elif side != BUY and best_limit is not None:
            value_price = max(asked.price, best_limit)
        value = order.terms.amount_ticks_lots or abs(value_price or 0) * asked.qty  # 9.25
        bands = self.bands.get(order.instrument_id, Bands())
        low, high = (NO_LOW, NO_HIGH) if asked.waits else self.band(order.instrument_id)
        self._side, self._released = side, (0, 0)
        if asked.released:
            self._released = (order.leaves, abs(open_price(order)) * order.leaves)
        self._before = [
            (leg.side, leg.leaves, abs(open_price(leg)) * leg.leaves) for leg in asked.before
        ]
        return SimpleNamespace(
            qty_lots=asked.qty,
            price_ticks=price or 0,
            order_value=min(value, VALUE_MAX),
            is_buy=int(side == BUY),
            has_price=int(price is not None),
            ts_ns=min(max(engine._ts_ns, 0), SCALED_MAX),
            has_reference=int(bands.last is not None),
            reference_price_ticks=bands.last or 0,
            price_low_ticks=low,
            price_high_ticks=high,
        )

    def _sweep_price(self, other: Any, asked: Asked) -> int | None:
        """Worst price a market order of so many lots would match at, or None."""
        price, lots, mode = None, 0, asked.order.stp_mode
        for order in other.orders():
            if lots >= asked.qty or not other._within(order.price, asked.limit):
                break
            if mode != STP_NONE and is_own(asked.order, order, self.groups) and not is_transfer(asked.order, order):
                if mode == STP_CANCEL_OLDEST:
                    continue
                if mode not in (StpMode.DECREMENT, StpMode.TRANSFER):
                    break
            else:
                price = order.price
            lots += order.leaves
        return price

    def _limits_part(self, key: Key | None) -> SimpleNamespace:
        """Limits of a holder, with nothing that it has."""
        holder = self.holders.get(key, Holder()) if key else Holder()
        limits = {
            name: value for name, value in holder.limits.items() if name not in ("approvals", "rate_count")
        }
        nothing = (
            "restriction position_lots open_buy_lots open_sell_lots worst_value gross_value realised_value "
            "account_position_lots account_cost_value account_buy_value account_sell_value account_worst_value"
        )
        last = holder.last_order
        return SimpleNamespace(
            **limits,
            rate_cost_ns=holder.rate_cost(),
            **dict.fromkeys(nothing.split(), 0),
            bucket_ns=holder.bucket,
            bucket_ts_ns=holder.bucket_ts,
            is_repeated=0,
            repeated_ts_ns=last[4] if last else 0,
        )

    def _ask(self, order_part: SimpleNamespace, key: Key, keys: list[Key], asked: Asked) -> int:
        """Ask the one function about one holder."""
        check = SimpleNamespace(**vars(order_part), **vars(self._limits_part(key)))
        if asked.is_new:
            last = self.holders[key].last_order if key in self.holders else None
            check.is_repeated = int(last is not None and last[:4] == asked.looks())
        if asked.waits:
            check.price_distance_ppm = 0
        if not asked.rated:
            check.rate_cost_ns = 0
        if key[0] <= GROUP:
            self._held_part(check, key, keys[0])
        return evaluate(check)

    def _held_part(self, check: SimpleNamespace, key: Key, account: Key) -> None:
        """What a holder has in the instrument, a replaced order's part left out, and altogether."""
        instrument_id = self._instrument_id
        mine = self.positions.get((*key, instrument_id), Position())
        base = self.positions.get((*account, instrument_id), Position())
        lots, value = self._released
        buy, sell = (lots, 0) if self._side == BUY else (0, lots)
        buy_value, sell_value = (value, 0) if self._side == BUY else (0, value)
        for side, leg_lots, leg_value in self._before:
            if side == BUY:
                buy, buy_value = buy - leg_lots, buy_value - leg_value
            else:
                sell, sell_value = sell - leg_lots, sell_value - leg_value
        holder = self.holders.get(key, Holder())
        check.restriction = mine.restriction
        check.position_lots = cut(mine.position)
        check.open_buy_lots = cut(mine.open_buy - buy)
        check.open_sell_lots = cut(mine.open_sell - sell)
        check.worst_value = cut(mine.worst)
        check.gross_value = cut(holder.gross)
        check.realised_value = cut(holder.realised)
        check.account_position_lots = cut(base.position)
        check.account_cost_value = cut(abs(base.cost))
        check.account_buy_value = cut(base.buy_value - buy_value)
        check.account_sell_value = cut(base.sell_value - sell_value)
        check.account_worst_value = cut(base.worst)

    @staticmethod
    def _take(holder: Holder, asked: Asked, check: SimpleNamespace) -> None:
        """Count an order that is accepted in its holder's bucket, and remember it (14.9, 14.10)."""
        limits = holder.limits
        if limits["rate_count"]:
            window = limits["rate_window_ns"]
            filled = min(holder.bucket + max(check.ts_ns - holder.bucket_ts, 0), window)
            holder.bucket = filled - holder.rate_cost()
            holder.bucket_ts = check.ts_ns
        if limits["duplicate_window_ns"] and asked.is_new:
            holder.last_order = (*asked.looks(), check.ts_ns)

    def reducible(self, order: Order) -> int:
        """Lots of a position that an order would bring nearer zero (9.27)."""
        participant_id = order.session.participant.participant_id
        if participant_id not in self.watched:
            return 0
        key = self.levels(participant_id, order.account_id)[0]
        record = self.positions.get((*key, order.instrument_id), Position())
        return max(-record.position if order.side == BUY else record.position, 0)

    def has_room_for(self, participant_id: int, account_id: int, instrument_id: int) -> bool:
        """Make the records an order that nobody asks about will need, if there is room for them (14.13)."""
        if participant_id not in self.watched:
            return True
        keys = self.levels(participant_id, account_id)
        missing = sum((*key, instrument_id) not in self.positions for key in keys)
        if len(self.positions) + missing > self.positions_max:
            return False
        for key in keys:
            self.position(key, instrument_id)
        return True

    def refuse_new(self, order: Order, price: int | None, limit: int | None) -> int:
        """Checks of a new order that stand behind BOOK_FULL.

        Parameters
        ----------
        order
            The order, with the quantity and price the book has given it; it has no id yet.
        price
            Where it would rest [ticks]; None of a market order.
        limit
            Worst price it may match at [ticks]; None for any.
        """
        waits = is_triggered(order.order_type)
        return self._refusal(Asked(order, order.leaves, price, limit, is_new=True, waits=waits))

    def refuse_replace(self, command: Any, order: Order, price: int) -> int:
        """Checks of a replace that stand behind POST_ONLY_WOULD_MATCH; `price` is the one it gives the order."""
        qty, waits = command.qty_lots - order.filled, is_triggered(order.order_type)
        return self._refusal(Asked(order, qty, price, price, is_new=False, waits=waits, released=True))

    def refuse_triggered(self, order: Order, price: int | None, limit: int | None) -> int:
        """What stands against an order that is about to be triggered, as the order it becomes (10.15)."""
        asked = Asked(order, order.leaves, price, limit, is_new=False, takes=False, rated=False, released=True)
        return self._refusal(asked)

    def refuse_list(self, legs: list[Order], *, has_parent: bool) -> tuple[int, int]:
        """The first leg of a list something stands against, from 0, and what; the list takes as its first leg (10.22)."""
        first = None
        for n, order in enumerate(legs):
            waits = is_triggered(order.order_type) or (has_parent and n > 0)
            price, limit = (open_price(order),) * 2 if waits else self.engine._entry_limit(order)
            asked = Asked(
                *(order, order.leaves, price, limit),
                is_new=n == 0,
                waits=waits,
                takes=False,
                rated=n == 0,
                before=tuple(legs[:n]),
            )
            first = first or asked
            reason = self._refusal(asked)
            if reason:
                return reason, n
        assert first is not None
        return self._refusal(first._replace(takes=True)), 0

    # ---------------------------------------------------------------- price bands (section 13)

    def band(self, instrument_id: int) -> tuple[int, int]:
        """Lowest and highest price an order may have now [ticks]."""
        bands = self.bands.get(instrument_id)
        if bands is None:
            return NO_LOW, NO_HIGH
        low, high = bands.low, bands.high
        if bands.dynamic_ppm and bands.last is not None:
            base = abs(bands.last)
            if base // MILLION < SCALED_MAX // bands.dynamic_ppm:
                distance = base * bands.dynamic_ppm // MILLION
                low, high = max(low, bands.last - distance), min(high, bands.last + distance)
        return low, high

    def collar(self, instrument_id: int) -> int:
        """How far beyond the best price a market order may match [ticks]; 0: no collar."""
        return self.bands[instrument_id].collar if instrument_id in self.bands else 0

    def market_limit(self, instrument_id: int, side: int) -> int | None:
        """Worst price a market order may match at [ticks], or None (13.3)."""
        if instrument_id not in self.bands:
            return None
        low, high = self.band(instrument_id)
        collar = self.bands[instrument_id].collar
        best = self.engine.books[instrument_id].other(side).best()
        if side == BUY:
            limit = high
            if collar and best is not None:
                limit = min(limit, best + collar)
            return None if limit == NO_HIGH else limit
        limit = low
        if collar and best is not None:
            limit = max(limit, best - collar)
        return None if limit == NO_LOW else limit

    # ---------------------------------------------------------------- following the events (14.1 to 14.4)

    def follow(self, events: list[bytes]) -> None:
        """Bring positions up to date with the events of one command."""
        if not self.is_used:
            return
        told = read_events(b"".join(events))
        for n, (template, e) in enumerate(told):
            if template in (Template.ORDER_EXECUTED, Template.ORDER_TRANSFERRED):
                if template == Template.ORDER_EXECUTED:
                    self.bands.setdefault(e.instrument_id, Bands()).last = e.price_ticks
                for party, side in (("resting", 3 - e.incoming_side), ("incoming", e.incoming_side)):
                    session_id = getattr(e, f"{party}_session_id")
                    if self._is_watched(session_id):
                        order_id = getattr(e, f"{party}_order_id")
                        account_id = getattr(e, f"{party}_account_id")
                        self._change(session_id, account_id, e.instrument_id, side, order_id, -e.qty_lots, e)
            elif template in _PRICED and self._is_watched(e.session_id):
                where = (e.session_id, e.account_id, e.instrument_id, e.side, e.order_id)
                if template == Template.ORDER_REPLACED:
                    self._change(*where, -e.leaves_before_lots)
                elif template == Template.ORDER_RESTED:  # a market order as a limit order (9.9, 9.10)
                    self._change(*where, -e.leaves_lots)
                self.prices[e.order_id] = abs(e.price_ticks)
                if e.event_flags & EventFlags.DORMANT and kind_behind(e.order_type) == MARKET:  # 10.15
                    self.prices[e.order_id] = abs(told[n + 1][1].trigger_price_ticks)
                self._change(*where, e.leaves_lots)
            elif template in (Template.ORDER_CANCELED, Template.ORDER_REDUCED) and self._is_watched(
                e.session_id
            ):
                where = (e.session_id, e.account_id, e.instrument_id, e.side, e.order_id)
                self._change(*where, -e.qty_lots)

    def _is_watched(self, session_id: int) -> bool:
        return self.engine.sessions[session_id].participant.participant_id in self.watched

    def _change(
        self,
        session_id: int,
        account_id: int,
        instrument_id: int,
        side: int,
        order_id: int,
        open_lots: int,
        match: Any = None,
    ) -> None:
        """Change open lots of an order and, when it matched, its account's position; then the sums above."""
        participant_id = self.engine.sessions[session_id].participant.participant_id
        keys = self.levels(participant_id, account_id)
        record = self.position(keys[0], instrument_id)
        before = {name: getattr(record, name) for name in SUMS}
        value = open_lots * self.prices[order_id]
        if side == BUY:
            record.open_buy += open_lots
            record.buy_value += value
        else:
            record.open_sell += open_lots
            record.sell_value += value
        if match is not None:
            trade(record, match.qty_lots if side == BUY else -match.qty_lots, match.price_ticks)
        record.worst = record.account_worst()
        deltas = {name: getattr(record, name) - before[name] for name in SUMS}
        for key in keys:
            if key != keys[0]:
                self._add(key, instrument_id, deltas, 1)
            self.holder(key).gross += deltas["worst"]
            self.holder(key).realised += deltas["realised"]

    def _add(self, key: Key, instrument_id: int, deltas: dict[str, int], sign: int) -> None:
        record = self.position(key, instrument_id)
        for name, delta in deltas.items():
            setattr(record, name, getattr(record, name) + sign * delta)

    # ---------------------------------------------------------------- commands

    def orders_of(self, participant_id: int) -> list[Order]:
        """Live orders of a participant."""
        orders = self.engine.orders.values()
        return [order for order in orders if order.session.participant.participant_id == participant_id]

    def watch_needs(self, participant_id: int) -> set[tuple[int, int, int]]:
        """Records that watching a participant makes: those of its live orders."""
        if participant_id in self.watched:
            return set()
        return {
            (*key, order.instrument_id)
            for order in self.orders_of(participant_id)
            for key in self.levels(participant_id, order.account_id)
        }

    def has_room(self, wanted: set[tuple[int, int, int]]) -> bool:
        """Whether the table takes these records."""
        return len(self.positions.keys() | wanted) <= self.positions_max

    def watch(self, participant_id: int) -> None:
        """Keep positions of a participant from now on; its live orders count (14.1)."""
        if participant_id in self.watched:
            return
        self.watched.add(participant_id)
        for order in self.orders_of(participant_id):
            self.prices[order.order_id] = abs(open_price(order))
            where = (order.session.session_id, order.account_id, order.instrument_id, order.side)
            self._change(*where, order.order_id, order.leaves)

    def limits_hold(self, command: Any) -> bool:
        """Whether the numbers of SET_RISK_LIMITS can hold (14.2)."""
        values = {name: getattr(command, name) for name in LIMIT_NAMES}
        sizes = [value for name, value in values.items() if not name.endswith("_ppm")]
        if not all(0 <= value < VALUE_MAX for value in sizes):
            return False
        if command.approvals >> 9:
            return False
        if (
            bool(command.rate_count) != bool(command.rate_window_ns)
            or command.rate_count > command.rate_window_ns
        ):
            return False
        if not command.credit_value and any(values[name] for name in _NEED_CREDIT):
            return False
        flags = int(RiskFlags.NEEDS_APPROVAL if command.scope == ASSET_CLASS else RiskFlags.NO_SHORT)
        if command.scope == INSTRUMENT:
            flags = 0
        if command.risk_flags & ~flags:
            return False
        if command.scope in (INSTRUMENT, ASSET_CLASS):
            return not any(values[name] for name in values if name not in _OF_EVERYONE | {"risk_flags"})
        return True

    def set_limits(self, key: Key, command: Any) -> None:
        """Give a holder its limits; its bucket is full and its last order forgotten."""
        holder = self.holder(key)
        holder.limits = {name: getattr(command, name) for name in LIMIT_NAMES}
        holder.bucket, holder.bucket_ts = command.rate_window_ns, 0
        holder.last_order = None

    def group_needs(self, participant_id: int, group_id: int) -> set[tuple[int, int, int]]:
        """Records that moving a participant to a group makes, in the group it leaves, too (14.12)."""
        held = {
            instrument
            for scope, id_, instrument in self.positions
            if (scope, id_) == (PARTICIPANT, participant_id)
        }
        orders = {order.instrument_id for order in self.orders_of(participant_id)}
        groups = {group_id, self.groups.get(participant_id, 0)} - {0}
        needs = self.watch_needs(participant_id)
        return needs | {(GROUP, id_, number) for id_ in groups for number in held | orders}

    def set_group(self, participant_id: int, group_id: int) -> None:
        """Move a participant's positions from its group to another."""
        self.watch(participant_id)
        mine = (PARTICIPANT, participant_id)
        for new_id, sign in ((self.groups.get(participant_id, 0), -1), (group_id, 1)):
            if new_id == 0:
                continue
            for (scope, id_, instrument_id), record in list(self.positions.items()):
                if (scope, id_) == mine:
                    self._add(
                        (GROUP, new_id), instrument_id, {name: getattr(record, name) for name in SUMS}, sign
                    )
            self.holder((GROUP, new_id)).gross += sign * self.holder(mine).gross
            self.holder((GROUP, new_id)).realised += sign * self.holder(mine).realised
        self.groups.pop(participant_id, None)
        if group_id:
            self.groups[participant_id] = group_id

    def is_of(self, order: Order, key: Key) -> bool:
        """Whether a kill switch of `key` cancels an order."""
        session = order.session
        participant_id = session.participant.participant_id
        own = [(SESSION, session.session_id), (INSTRUMENT, order.instrument_id), (VENUE, 0)]
        return key in [*self.levels(participant_id, order.account_id), *own]

    # ---------------------------------------------------------------- proof

    def check(self) -> None:
        """Assert the class's invariant."""
        assert len(self.positions) <= self.positions_max, "more positions than there is room for"
        sums: dict[tuple[int, int, int], dict[str, int]] = {}
        for (scope, id_, instrument_id), record in self.positions.items():
            if scope in (ACCOUNT, HOUSE):
                assert record.worst == record.account_worst(), "worst case of an account"
                owner = id_ if scope == HOUSE else self.engine.accounts[id_].participant.participant_id
                for key in self.levels(owner, 0)[1:]:
                    into = sums.setdefault((*key, instrument_id), dict.fromkeys(SUMS, 0))
                    for name in SUMS:
                        into[name] += getattr(record, name)
        for place, record in self.positions.items():
            if place[0] in (PARTICIPANT, GROUP):
                found = {name: getattr(record, name) for name in SUMS}
                assert found == sums.get(place, dict.fromkeys(SUMS, 0)), f"sums of {place}"
        opened: dict[tuple[int, int, int], list[int]] = {}
        values: dict[tuple[int, int, int], list[int]] = {}
        for order in self.engine.orders.values():
            participant_id = order.session.participant.participant_id
            if participant_id in self.watched:
                for key in self.levels(participant_id, order.account_id):
                    lots = opened.setdefault((*key, order.instrument_id), [0, 0])
                    lots[order.side - 1] += order.leaves
                    value = values.setdefault((*key, order.instrument_id), [0, 0])
                    value[order.side - 1] += order.leaves * abs(open_price(order))
        for place, record in self.positions.items():
            assert [record.buy_value, record.sell_value] == values.get(place, [0, 0]), f"open value of {place}"
            assert [record.open_buy, record.open_sell] == opened.pop(place, [0, 0]), f"open lots of {place}"
        assert not opened, "open orders without a record"
        for key, holder in self.holders.items():
            worst = sum(record.worst for place, record in self.positions.items() if place[:2] == key)
            assert holder.gross == worst, f"gross value of {key}"

    def words(self) -> Iterator[int]:
        """Words of rule 8.8."""
        if not self.is_used:
            return
        yield from (len(self.watched), len(self.positions))
        for participant_id in sorted(self.watched):
            yield from (participant_id, self.groups.get(participant_id, 0))
        for (scope, id_), holder in sorted(self.holders.items()):
            if holder == Holder():
                continue
            limits = holder.limits | {"rate_count": holder.rate_cost()}
            yield from (scope, id_, *limits.values(), holder.is_killed, holder.bucket, holder.bucket_ts)
            yield from (holder.last_order or (0, 0, 0, 0, 0))
            yield from (*wide(holder.gross), *wide(holder.realised))
        for instrument_id, bands in sorted(self.bands.items()):
            if bands != Bands():
                yield from (
                    instrument_id,
                    int(bands.last is not None),
                    bands.last or 0,
                    bands.low,
                    bands.high,
                )
                yield from (bands.dynamic_ppm, bands.collar)
        total = 0
        for (scope, id_, instrument_id), record in self.positions.items():
            one = scope << 40 | id_ << 16 | instrument_id
            parts = (
                *(
                    record.position,
                    record.open_buy,
                    record.open_sell,
                    *wide(record.cost),
                    *wide(record.buy_value),
                ),
                *(
                    *wide(record.sell_value),
                    *wide(record.realised),
                    *wide(record.traded),
                    *wide(record.worst),
                ),
                record.restriction,
                *(wide(record.fees) if record.fees else ()),
            )
            total += mix(one, parts)
        yield total


def mix(start: int, words: tuple[int, ...]) -> int:
    """The hash of section 8 over some words, from another start."""
    mask = (1 << 64) - 1
    h = start
    for word in words:
        h = ((h ^ (word & mask)) * 0xBF58476D1CE4E5B9) & mask
        h ^= h >> 29
    return h


def wide(value: int) -> tuple[int, int]:
    """Lower and upper word of a 128-bit number."""
    return value & ((1 << 64) - 1), value >> 64 & ((1 << 64) - 1)


def cut(value: int) -> int:
    """A value within +-VALUE_MAX."""
    return max(-VALUE_MAX, min(VALUE_MAX, value))


def trade(record: Position, lots: int, price: int) -> None:
    """Book a match of `lots` (negative: sold) at `price` [ticks] at average cost (14.3)."""
    record.traded += abs(lots) * abs(price)
    held = record.position
    if held == 0 or (held > 0) == (lots > 0):
        record.position += lots
        record.cost += lots * price
        return
    sign = 1 if held > 0 else -1
    closed = min(abs(lots), abs(held))
    part = record.cost * closed // abs(held)  # rounded down
    record.realised += sign * closed * price - part
    record.position -= sign * closed
    record.cost -= part
    left = abs(lots) - closed
    if left:
        record.position -= sign * left
        record.cost -= sign * left * price


RESTRICTIONS = (int(Restriction.FREE), int(Restriction.CLOSE_ONLY), int(Restriction.NO_ORDERS))
