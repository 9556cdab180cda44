"""Orders coming in, in plain Python: their checks, matching and what becomes of the rest (rules 3.2, 4, 9 and 11).

A new order's way: what can be checked without the book, what the book says of its price and quantity, the slot, the
events of its acceptance, matching, and the book or the end. A replaced order joins it at matching.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradsys.sim import reference_events as events
from tradsys.sim import reference_orders as orders
from tradsys.sim.reference_auctions import (
    AT_CLOSE_STATE,
    CALLS,
    FOK,
    GTD,
    GTX,
    IOC,
    LIMIT,
    MARKET,
    NOT_REFUSED,
    OPEN,
    RESTS,
    SHUT,
    TIMES_IN_FORCE,
    Auctions,
)
from tradsys.sim.reference_book import BUY, SELL, BookSide, Counts, Order, ReferenceBook
from tradsys.sim.reference_definitions import Instrument, Participant, Session
from tradsys.sim.reference_triggers import (
    DORMANT,
    HELD,
    Triggers,
    is_triggered,
    kind_behind,
    open_price,
    trigger_is_bad,
)
from tradsys.wire.enums import (
    CancelReason,
    EventFlags,
    OrderFlags,
    OrderType,
    Permission,
    RejectReason,
    StpMode,
    Template,
)

if TYPE_CHECKING:
    from tradsys.sim.reference_conduct import ReferenceConduct

# Enum members as plain integers: attribute look-ups on enums are what the reference would spend its time on.
MARKET_TO_LIMIT = int(OrderType.MARKET_TO_LIMIT)
KNOWN_TIMES_IN_FORCE = frozenset().union(*TIMES_IN_FORCE.values())
TRADE = int(Permission.TRADE)
KEEP_ON_DISCONNECT = int(OrderFlags.KEEP_ON_DISCONNECT)
ALL_OR_NONE, COMPLEX = int(OrderFlags.ALL_OR_NONE), int(OrderFlags.COMPLEX)
HIDDEN, REDUCE_ONLY = int(OrderFlags.HIDDEN), int(OrderFlags.REDUCE_ONLY)
PRIORITY_KEPT, UNSOLICITED = int(EventFlags.PRIORITY_KEPT), int(EventFlags.UNSOLICITED)
NEW_COMPLEX_ORDER = int(Template.NEW_COMPLEX_ORDER)
STP_NONE, STP_CANCEL_OLDEST = int(StpMode.NONE), int(StpMode.CANCEL_OLDEST)
STP_CANCEL_NEWEST, STP_CANCEL_BOTH = int(StpMode.CANCEL_NEWEST), int(StpMode.CANCEL_BOTH)
STP_DECREMENT_AND_CANCEL = int(StpMode.DECREMENT_AND_CANCEL)
MATCH_EVENTS_SPARE = 40  # rule 9.22


class Matching(Auctions):
    """Live orders, and the way of an order from its command to the book or its end."""

    triggers: Triggers
    conduct: ReferenceConduct

    def __init__(
        self,
        orders_max: int,
        instruments_max: int,
        participants_max: int,
        sessions_max: int,
        accounts_max: int,
    ) -> None:
        super().__init__(instruments_max, participants_max, sessions_max, accounts_max)
        self.orders_max = orders_max
        self.orders: dict[int, Order] = {}  # order id -> live order
        self.books: dict[int, ReferenceBook] = {}  # instrument id -> book
        self.order_serial = 0  # orders accepted so far
        self.slots_used = 0  # slots ever used
        self.slots_freed: list[int] = []  # the last one is taken next (1.5)
        self.slots_in_use: set[int] = set()

    # ---------------------------------------------------------------- new orders

    def _new_order(self, command: Any) -> None:
        reason = self._new_order_refusal(command)
        if not reason:
            order = self._draft(command)
            reason = self._entry_refusal(order)
        if not reason:
            waits = is_triggered(order.order_type)  # 10.15
            limits = (open_price(order), open_price(order)) if waits else self._entry_limit(order)
            reason = self.risk.refuse_new(order, *limits)
        if reason:
            self._reject_order(command, reason)
            return
        self._admit(order)
        if is_triggered(order.order_type):  # 10.1
            self._accepted(order, DORMANT)
            self.triggers.lay_down(order)
            return
        self._come_in(order)

    def _come_in(self, order: Order, *, told: bool = True) -> None:
        """A new order, or one that has been triggered, matches and rests or ends; `told`: with its OrderAccepted."""
        instrument = self.instruments[order.instrument_id]
        other = self.books[order.instrument_id].other(order.side)
        price, limit = self._entry_limit(order)
        collects = instrument.state in CALLS  # 11.4
        can_match = not collects and other.is_reached_by(limit)
        may_rest = collects or (price is not None and order.time_in_force not in (IOC, FOK))
        rests = may_rest and not can_match
        if told:
            self._accepted(order, RESTS if rests and not order.flags & COMPLEX else 0)
        reason = self._unreached(order, other, limit, can_match)
        if reason:
            self._cancel_incoming(order, reason)
            return
        self._enter(order, price, limit, rests, may_rest)

    def _entry_limit(self, order: Order) -> tuple[int | None, int | None]:
        """Price a new order would rest at, or None, and the worst one it may match at, or None for any."""
        instrument = self.instruments[order.instrument_id]
        other = self.books[order.instrument_id].other(order.side)
        price = orders.entry_limit(order, other, instrument, self.risk.collar(order.instrument_id))
        return price, price if price is not None else self._market_limit(instrument, order.side)

    def _market_limit(self, instrument: Instrument, side: int) -> int | None:
        """Worst price an order without a limit may match at (11.12, 13.3)."""
        limit = None
        if instrument.state not in CALLS:
            limit = self.risk.market_limit(instrument.instrument_id, side)
        if instrument.state == AT_CLOSE_STATE:
            closing = instrument.auction.closing_price
            limit = closing if limit is None else min(closing, limit) if side == BUY else max(closing, limit)
        return limit

    def _accepted(self, order: Order, flags: int) -> None:
        """OrderAccepted, and OrderTermsSet behind it (9.3)."""
        client_seq = self._client_seq if order.session is self._sender else 0
        self._emit(
            events.write_accepted(
                *self._order_head(order, order.total, order.leaves, self._report(order.session), client_seq),
                order.side,
                order.order_type,
                order.time_in_force,
                order.stp_mode,
                order.flags,
                flags,
                order.expire_ts_ns,
            )
        )
        if order.flags & COMPLEX:
            self._emit(events.write_terms_set(*self._event_head(), order.order_id, *order.terms))

    def _unreached(self, order: Order, other: BookSide, limit: int | None, can_match: bool) -> int:
        """Why an order is cancelled before it matches, if it is (4.5, 9.13, 9.14); ranges bound the reach (11.15)."""
        wanted, reason = 0, CancelReason.MIN_QTY_UNREACHED
        if order.time_in_force == FOK:
            wanted, reason = order.leaves, CancelReason.FOK_UNFILLABLE
        elif order.flags & ALL_OR_NONE:
            wanted = order.leaves
        elif can_match:
            wanted = order.terms.min_qty_lots
        instrument = self.instruments[order.instrument_id]
        in_range, reach = self._limit_in_range(instrument, order.side, limit, other.best())
        if not in_range:
            reached = 0
        elif self.allocations.is_fifo(order.instrument_id):
            reached = other.reachable(reach, wanted, self._counts(order))
        else:
            reached = self.allocations.reachable(other, reach, wanted, order.session, order.stp_mode)
        return reason if reached < wanted else NOT_REFUSED

    # ---------------------------------------------------------------- refusals

    def _new_order_refusal(self, command: Any) -> int:
        """First check of a new order that fails (3.2)."""
        sender = self._sender
        reason = self._trading_refusal(command.instrument_id)
        if reason:
            return reason
        assert sender is not None
        instrument = self.instruments[command.instrument_id]
        if command.account_id != 0:
            account = self.accounts.get(command.account_id)
            if account is None or account.participant is not sender.participant or not account.enabled:
                return RejectReason.UNKNOWN_ACCOUNT
        if instrument.state in SHUT:
            return RejectReason.INSTRUMENT_NOT_OPEN
        if command.side not in (BUY, SELL):
            return RejectReason.BAD_SIDE
        with_terms = self._template == NEW_COMPLEX_ORDER
        if command.order_type not in (LIMIT, MARKET, MARKET_TO_LIMIT) and not (
            with_terms and is_triggered(command.order_type)
        ):
            return RejectReason.BAD_ORDER_TYPE
        lasts = command.time_in_force <= GTD or not is_triggered(command.order_type)  # 10.14
        if command.time_in_force not in KNOWN_TIMES_IN_FORCE or not lasts:
            return RejectReason.BAD_TIME_IN_FORCE
        if command.stp_mode > StpMode.TRANSFER:
            return RejectReason.BAD_STP_MODE
        if orders.flags_are_bad(command) or self._padding_set:
            return RejectReason.BAD_FLAGS
        reason = (
            self._phase_refusal(instrument, command.order_type, command.time_in_force, command.order_flags)
            or self._open_book_refusal(instrument, command)
            or self._numbers_refusal(command)
        )
        if reason:
            return reason
        if orders.terms_are_bad(command, orders.terms_of(command), instrument):
            return RejectReason.BAD_TERMS
        if is_triggered(command.order_type) and trigger_is_bad(command, orders.terms_of(command), instrument):
            return RejectReason.BAD_TRIGGER
        if command.time_in_force == GTD and command.expire_ts_ns <= self._ts_ns:
            return RejectReason.EXPIRED_ON_ENTRY
        if self._is_general(command) and not self.allocations.is_fifo(command.instrument_id):
            return RejectReason.NOT_WITH_ALLOCATION
        return RejectReason.DUPLICATE_CLIENT_REF if command.client_ref in sender.live else NOT_REFUSED

    @staticmethod
    def _open_book_refusal(instrument: Instrument, command: Any) -> int:
        """WRONG_PHASE of the kinds of orders that only continuous trading takes (9.24)."""
        terms = orders.terms_of(command)
        needs_an_open_book = (
            command.order_type == MARKET_TO_LIMIT
            or is_triggered(command.order_type)
            or terms.min_qty_lots
            or terms.protection_ticks
            or terms.amount_ticks_lots
            or terms.post_only_mode
        )
        return RejectReason.WRONG_PHASE if instrument.state != OPEN and needs_an_open_book else NOT_REFUSED

    def _is_general(self, command: Any) -> bool:
        """Whether a new order is of a kind that section 9 is about (9.23)."""
        assert self._sender is not None
        return (
            self._template == NEW_COMPLEX_ORDER
            or command.order_type > MARKET
            or command.time_in_force == GTD
            or command.stp_mode > STP_CANCEL_BOTH
            or bool(command.order_flags & (HIDDEN | ALL_OR_NONE | REDUCE_ONLY))
            or orders.prevents_specially(self._sender.participant)
        )

    def _numbers_refusal(self, command: Any) -> int:
        """Quantity and price of a new order."""
        instrument = self.instruments[command.instrument_id]
        if orders.has_amount(command):  # 9.11
            reason = RejectReason.BAD_QUANTITY if command.qty_lots else NOT_REFUSED
        else:
            reason = instrument.quantity_refusal(command.qty_lots)
        if reason:
            return reason
        if kind_behind(command.order_type) != LIMIT:
            return RejectReason.BAD_PRICE if command.price_ticks else NOT_REFUSED
        reason = instrument.price_refusal(command.price_ticks)
        if not reason and self._misses_the_close(instrument, command.price_ticks):
            reason = RejectReason.NOT_CLOSING_PRICE
        return reason

    def _entry_refusal(self, order: Order) -> int:
        """What the book says of a new order's quantity and price, and room for it; sets them."""
        if not self.triggers.has_room_for(order):
            return RejectReason.TOO_MANY_TRAILS
        instrument = self.instruments[order.instrument_id]
        other = self.books[order.instrument_id].other(order.side)
        if order.terms.amount_ticks_lots:
            increment = instrument.qty_increment_lots
            lots = other.reachable(
                self._market_limit(instrument, order.side),
                instrument.qty_max_lots // increment * increment,
                self._counts(order),
                increment,
                order.terms.amount_ticks_lots,
            )
            if lots < instrument.qty_min_lots:
                return RejectReason.AMOUNT_TOO_SMALL
            order.total = order.leaves = lots
        if order.flags & REDUCE_ONLY:  # 9.27
            order.total = order.leaves = min(order.leaves, self.risk.reducible(order))
            if order.leaves == 0:
                return RejectReason.NOTHING_TO_REDUCE
        if self._posts_only(instrument, order.flags) and instrument.state not in CALLS:
            price = orders.post_only_price(order, order.price, other, instrument)
            if price is None:
                return RejectReason.POST_ONLY_WOULD_MATCH
            order.price = price
        return NOT_REFUSED if self._has_room_for_an_order() else RejectReason.BOOK_FULL

    def _has_room_for_an_order(self) -> bool:
        """Whether a slot is free (1.7)."""
        return bool(self.slots_freed) or self.slots_used < self.orders_max

    def _trading_refusal(self, instrument_id: int) -> int:
        """Session, participant, instrument and entitlement of a new order or a replace."""
        reason = self._standing_refusal()
        if reason:
            return reason
        if instrument_id not in self.instruments:
            return RejectReason.UNKNOWN_INSTRUMENT
        assert self._sender is not None
        entitled = self._is_entitled(self._sender.participant, instrument_id)
        return NOT_REFUSED if entitled else RejectReason.NOT_ENTITLED

    def _is_entitled(self, participant: Participant, instrument_id: int) -> bool:
        """Rule 2.3."""
        allowed = self.instruments[instrument_id].entitlements.get(participant.participant_id)
        return bool(participant.permissions & TRADE if allowed is None else allowed)

    def _standing_refusal(self) -> int:
        """Session and participant of an order command; the venue itself has no orders (2.1, 2.2)."""
        if self._sender is None:
            return RejectReason.UNKNOWN_SESSION
        return self._disabled_refusal()

    # ---------------------------------------------------------------- matching

    def _draft(self, command: Any, owner: Session | None = None) -> Order:
        """The order of a command, before it has an id; it is the sender's unless `owner` is given."""
        session = owner or self._sender
        assert session is not None
        order = Order()
        order.client_ref = command.client_ref
        order.price = command.price_ticks
        order.total = order.leaves = command.qty_lots
        order.session = session
        order.account_id = command.account_id
        order.instrument_id = command.instrument_id
        order.side = command.side
        order.order_type = command.order_type
        order.time_in_force = command.time_in_force
        order.stp_mode = command.stp_mode or order.session.participant.stp_mode
        order.flags = command.order_flags | (COMPLEX if self._template == NEW_COMPLEX_ORDER else 0)
        order.expire_ts_ns = command.expire_ts_ns
        order.terms = orders.terms_of(command)
        order.shown = order.parts = order.place = order.trigger = 0
        order.held = False
        return order

    def _admit(self, order: Order) -> None:
        """Give an accepted order its id and slot (1.5) and its reference."""
        if self.slots_freed:
            slot = self.slots_freed.pop()
        else:
            slot = self.slots_used
            self.slots_used += 1
        self.slots_in_use.add(slot)
        self.order_serial += 1
        order.order_id = self.order_serial << 24 | slot
        order.session.live[order.client_ref] = order

    def _enter(
        self, order: Order, price: int | None, limit: int | None, rests: bool, may_rest: bool
    ) -> None:
        """Match an order that has been accepted or replaced, then rest it or cancel what is left (4.3, 4.4)."""
        if not rests:
            instrument = self.instruments[order.instrument_id]
            other = self.books[order.instrument_id].other(order.side)
            in_range, reach = self._limit_in_range(instrument, order.side, limit, other.best())
            if in_range and self._match(order, reach):
                return
            stopped_at = other.best()
            reason = NOT_REFUSED
            if stopped_at is not None and other.is_reached_by(limit):
                self._interrupt(instrument, stopped_at)  # 11.15: the range ended it, not the limit
                if order.time_in_force in (IOC, GTX) or order.terms.amount_ticks_lots:  # 9.24
                    reason = CancelReason.PRICE_RANGE
            elif not may_rest:
                reason = self._remainder_reason(order, other)
            if reason:
                self._cancel_incoming(order, reason)
                return
        if not rests or order.flags & COMPLEX:
            self._rest(order, price)
        own = self.books[order.instrument_id].own(order)
        own.add(order)
        self.orders[order.order_id] = order
        self.allocations.note_rested(order, own)

    @staticmethod
    def _remainder_reason(order: Order, other: BookSide) -> int:
        """Why what is left of an order that may not rest is cancelled (4.4, 13.3)."""
        if order.time_in_force == IOC:
            return CancelReason.IOC_REMAINDER
        return CancelReason.NO_LIQUIDITY if other.best() is None else CancelReason.PRICE_PROTECTION

    def _rest(self, order: Order, price: int | None) -> None:
        """OrderRested: what is left goes on the book, as a limit order if it has a price (4.3, 9.3, 9.9, 9.10, 11.15)."""
        if price is not None:
            order.order_type, order.price = LIMIT, price
        if order.terms.display_lots:
            order.shown = orders.next_part(order, self.instruments[order.instrument_id].qty_increment_lots)
        client_seq = self._client_seq if order.session is self._sender else 0
        self._emit(
            events.write_rested(
                *self._order_head(order, order.total, order.leaves, 0, client_seq),
                order.side,
                order.order_type,
                order.time_in_force,
                order.flags,
                RESTS,
                order.shown,
            )
        )

    def _match(self, order: Order, limit: int | None) -> bool:
        """Match an order against the other side; whether it has ended (4.1, 4.2, 4.8)."""
        if not self.allocations.is_fifo(order.instrument_id):
            return self.allocations.match(order, limit)
        book = self.books[order.instrument_id]
        other = book.other(order.side)
        ruled = bool(self.instruments[order.instrument_id].auction.ruled)
        last = self.last_event_seq + self.orders_max + MATCH_EVENTS_SPARE - 3
        while other.is_reached_by(limit):
            spared = book.order_count() if ruled else 0
            if self.last_event_seq + spared > last:  # 9.22
                self._cancel_incoming(order, CancelReason.TOO_MANY_MATCHES)
                return True
            resting = other.first()
            if order.stp_mode != STP_NONE and orders.is_own(order, resting, self.risk.groups):
                if self._prevent(order, resting):
                    return True
                continue
            self._execute(order, resting, min(order.leaves, resting.available))
            self._settle(resting)
            if order.leaves == 0:
                self._end(order)
                return True
        return False

    def _prevent(self, order: Order, resting: Order) -> bool:
        """Self-trade prevention (4.8, 9.15, 9.17); whether it ends the incoming order."""
        if order.stp_mode in (STP_CANCEL_NEWEST, STP_CANCEL_OLDEST, STP_CANCEL_BOTH):
            if order.stp_mode != STP_CANCEL_NEWEST:
                self._cancel_resting(resting, CancelReason.SELF_TRADE, unsolicited=True)
            if order.stp_mode != STP_CANCEL_OLDEST:
                self._cancel_incoming(order, CancelReason.SELF_TRADE)
                return True
            return False
        if orders.is_transfer(order, resting):
            lots = min(order.leaves, resting.available)
            self._execute(order, resting, lots, write=events.write_transferred)
            self._settle(resting)
            if order.leaves == 0:
                self._end(order)
            return order.leaves == 0
        lots = min(order.leaves, resting.available)
        if lots == resting.leaves:
            self._cancel_resting(resting, CancelReason.SELF_TRADE, unsolicited=True)
        else:
            self._decrement(resting, lots, RESTS | PRIORITY_KEPT | UNSOLICITED)
            self._settle(resting)
        if lots == order.leaves or order.stp_mode == STP_DECREMENT_AND_CANCEL:
            self._cancel_incoming(order, CancelReason.SELF_TRADE)
            return True
        self._decrement(order, lots, 0 if order.session is self._sender else UNSOLICITED)
        return False

    def _counts(self, order: Order) -> Counts:
        """Which resting orders count as reachable for an order (4.7)."""

        def counts(resting: Order) -> bool | None:
            if order.stp_mode == STP_NONE or not orders.is_own(order, resting, self.risk.groups):
                return True
            if order.stp_mode == STP_CANCEL_OLDEST:
                return False
            return True if orders.is_transfer(order, resting) else None

        return counts

    def _execute(self, order: Order, resting: Order, qty: int, write: Any = events.write_executed) -> None:
        """One match of `qty` lots, at the resting order's price."""
        if write is events.write_executed:
            self.triggers.note_match(order.instrument_id, resting.price)
        order.leaves -= qty
        resting.leaves -= qty
        if resting.shown:
            resting.shown -= qty
        resting_report = self._report(resting.session)  # 1.3: the resting party's comes first
        incoming_report = self._report(order.session)
        self._emit(
            write(
                *self._event_head(),
                resting.order_id,
                resting.client_ref,
                resting.price,
                qty,
                resting.leaves,
                order.instrument_id,
                resting.session.session_id,
                resting.account_id,
                resting_report,
                order.order_id,
                order.client_ref,
                order.leaves,
                order.session.session_id,
                order.account_id,
                incoming_report,
                order.side,
                int(resting.is_hidden),
                0,
            )
        )
        auction = self.instruments[order.instrument_id].auction
        if auction.ruled and write is events.write_executed:  # 11.13
            auction.last_price = resting.price

    def _settle(self, resting: Order) -> None:
        """End a resting order with nothing left; show the next part of an iceberg (9.5)."""
        side = self.books[resting.instrument_id].own(resting)
        if resting.leaves == 0:
            side.remove(resting)
            self._end(resting)
        elif resting.terms.display_lots and resting.shown == 0:
            side.remove(resting)
            resting.shown = orders.next_part(
                resting, self.instruments[resting.instrument_id].qty_increment_lots
            )
            side.add(resting)
            self._emit(
                events.write_refilled(
                    *self._order_head(resting, resting.total, resting.leaves, 0, 0),
                    resting.side,
                    resting.order_type,
                    resting.time_in_force,
                    resting.flags,
                    RESTS,
                    resting.shown,
                )
            )

    def _decrement(self, order: Order, lots: int, flags: int) -> None:
        """Both parties of a prevented match lose lots (9.15)."""
        order.leaves -= lots
        order.total -= lots
        if order.shown:
            order.shown -= lots
        self._reduced(order, lots, CancelReason.SELF_TRADE, flags)

    def _cancel_resting(self, order: Order, reason: int, *, unsolicited: bool) -> None:
        """Cancel an order on the book, or a dormant one."""
        if order.place:  # 10.10
            self.triggers.remove(order)
            where = DORMANT | HELD if order.held else DORMANT
            self._canceled(order, reason, where | (UNSOLICITED if unsolicited else 0))
            self._end(order)
            return
        self.books[order.instrument_id].own(order).remove(order)
        self._canceled(order, reason, RESTS | (UNSOLICITED if unsolicited else 0))
        self._end(order)

    def _cancel_incoming(self, order: Order, reason: int) -> None:
        """Cancel what is left of an order that is not on the book."""
        self._canceled(order, reason, 0 if order.session is self._sender else UNSOLICITED)
        self._end(order)

    def _cancel_many(self, orders: list[Order], reason: int, *, always_unsolicited: bool) -> None:
        """Cancel orders in ascending slot (6.1, 6.2, 6.4)."""
        for order in sorted(orders, key=lambda order: order.slot):
            unsolicited = always_unsolicited or order.session is not self._sender
            self._cancel_resting(order, reason, unsolicited=unsolicited)

    def _end(self, order: Order) -> None:
        """Free the slot and the reference of an order that has ended (1.6, 3.7)."""
        self.orders.pop(order.order_id, None)
        del order.session.live[order.client_ref]
        self.slots_in_use.remove(order.slot)
        self.slots_freed.append(order.slot)

    # ---------------------------------------------------------------- events of orders

    def _order_head(
        self, order: Order, qty_lots: int, leaves_lots: int, report_seq: int, client_seq: int
    ) -> tuple[int, ...]:
        """Fields that all events of one order begin with."""
        return (
            *self._event_head(),
            order.order_id,
            order.client_ref,
            order.price,
            qty_lots,
            leaves_lots,
            order.instrument_id,
            order.session.session_id,
            order.account_id,
            report_seq,
            order.session.participant.participant_id,
            client_seq,
        )

    def _canceled(self, order: Order, reason: int, flags: int) -> None:
        lots, order.leaves = order.leaves, 0
        client_seq, client_ref = (0, 0) if flags & UNSOLICITED else (self._client_seq, self._client_ref)
        self._emit(
            events.write_canceled(
                *self._order_head(order, lots, 0, self._report(order.session), client_seq),
                reason,
                order.side,
                order.order_type,
                order.time_in_force,
                order.flags,
                flags,
                client_ref,
            )
        )

    def _reduced(self, order: Order, lots: int, reason: int, flags: int) -> None:
        client_seq, client_ref = (0, 0) if flags & UNSOLICITED else (self._client_seq, self._client_ref)
        self._emit(
            events.write_reduced(
                *self._order_head(order, lots, order.leaves, self._report(order.session), client_seq),
                order.side,
                order.order_type,
                order.time_in_force,
                reason,
                order.flags,
                flags,
                client_ref,
            )
        )

    def _replaced(self, order: Order, flags: int, before: tuple[int, int, int]) -> None:
        """OrderReplaced; `before` is its reference, price and leaves until now."""
        unsolicited = order.session is not self._sender
        client_seq = 0 if unsolicited else self._client_seq
        self._emit(
            events.write_replaced(
                *self._order_head(order, order.total, order.leaves, self._report(order.session), client_seq),
                order.side,
                order.order_type,
                order.time_in_force,
                order.stp_mode,
                order.flags,
                flags | (UNSOLICITED if unsolicited else 0),
                *before,
            )
        )

    def _rename(self, order: Order, client_ref: int) -> None:
        """Give an order another reference."""
        del order.session.live[order.client_ref]
        order.client_ref = client_ref
        order.session.live[client_ref] = order

    def _send_as_venue(self) -> None:
        """What follows is told as if the venue itself had sent the command (10.7)."""
        self._sender = None
        self._session_id = self._client_seq = self._client_ref = 0

    def _reject_order(
        self, command: Any, reason: int, template: int | None = None, *, list_leg: int = 0
    ) -> None:
        """Refuse an order command; the event repeats what the client gave (3.9)."""
        sender = self._sender
        report_seq = self._report(sender)
        self._emit(
            events.write_rejected(
                *self._event_head(),
                getattr(command, "order_id", 0),
                command.client_ref,
                getattr(command, "price_ticks", 0),
                getattr(command, "qty_lots", 0),
                0,
                command.instrument_id,
                command.session_id,
                getattr(command, "account_id", 0),
                report_seq,
                0 if sender is None else sender.participant.participant_id,
                command.client_seq,
                reason,
                getattr(command, "side", 0),
                self._template if template is None else template,
                list_leg,
                getattr(command, "orig_client_ref", 0),
            )
        )
