"""The reference engine: the whole rule book in plain Python, obviously right rather than fast.

`ReferenceEngine.submit` takes the records the compiled engine takes and returns the same events, byte for byte. It was
written from protocols/RULEBOOK.md alone; the numbers in the comments are rules. Whatever the two engines disagree on is
a bug in one of them or a gap in the rule book.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tradsys.limits import POSITIONS_DEFAULT
from tradsys.sim import reference_events as events
from tradsys.sim.reference_allocation import Allocations
from tradsys.sim.reference_auctions import CALLS, GTX, SHUT, TIMES_IN_FORCE, Auctions
from tradsys.sim.reference_book import BUY, SELL, STP_NONE, Order, ReferenceBook
from tradsys.sim.reference_definitions import Account, Instrument, Participant, Session
from tradsys.sim.reference_hash import state_hash
from tradsys.sim.reference_records import COMMANDS, as_bytes, split
from tradsys.sim.reference_risk import ReferenceRisk
from tradsys.sim.reference_risk_commands import RiskCommands
from tradsys.wire.enums import (
    CancelReason,
    EventFlags,
    InstrumentState,
    OrderFlags,
    OrderType,
    Permission,
    RejectReason,
    StpMode,
    Template,
    TimeInForce,
)
from tradsys.wire.records import EVENT_COMMON

# Enum members as plain integers: attribute look-ups on enums are what the reference would spend its time on.
LIMIT, MARKET = int(OrderType.LIMIT), int(OrderType.MARKET)
DAY, IOC, FOK = int(TimeInForce.DAY), int(TimeInForce.IOC), int(TimeInForce.FOK)
OPEN, TRADE_AT_CLOSE = int(InstrumentState.OPEN), int(InstrumentState.TRADE_AT_CLOSE)
TRADE = int(Permission.TRADE)
POST_ONLY, KEEP_ON_DISCONNECT = int(OrderFlags.POST_ONLY), int(OrderFlags.KEEP_ON_DISCONNECT)
RESTS, PRIORITY_KEPT = int(EventFlags.RESTS), int(EventFlags.PRIORITY_KEPT)
UNSOLICITED = int(EventFlags.UNSOLICITED)
NEW_ORDER, CANCEL_ORDER, REDUCE_ORDER = (
    int(Template.NEW_ORDER),
    int(Template.CANCEL_ORDER),
    int(Template.REDUCE_ORDER),
)
REPLACE_ORDER, MASS_CANCEL = int(Template.REPLACE_ORDER), int(Template.MASS_CANCEL)
KNOWN_TIMES_IN_FORCE = frozenset().union(*TIMES_IN_FORCE.values())
NOT_REFUSED = int(RejectReason.NONE)

__all__ = ["Account", "Instrument", "Participant", "ReferenceEngine", "Session"]


class ReferenceEngine(Auctions, RiskCommands):
    """Decides commands by the rule book, one at a time.

    Parameters
    ----------
    orders_max
        Order slots.
    instruments_max, participants_max, sessions_max, accounts_max
        Ids run from 1 to one less.
    positions_max
        Records of positions.

    Notes
    -----
    Invariant: `orders` holds exactly the orders that rest in the books, each under its `order_id`, in its slot and
    under its reference in its session.
    """

    def __init__(
        self,
        *,
        orders_max: int = 1 << 20,
        instruments_max: int = 1024,
        participants_max: int = 1024,
        sessions_max: int = 1024,
        accounts_max: int = 4096,
        positions_max: int = POSITIONS_DEFAULT,
    ) -> None:
        super().__init__(instruments_max, participants_max, sessions_max, accounts_max)
        self.orders_max = orders_max
        self.orders: dict[int, Order] = {}  # order id -> live order
        self.books: dict[int, ReferenceBook] = {}  # instrument id -> book
        self.order_serial = 0  # orders accepted so far
        self.slots_used = 0  # slots ever used
        self.slots_freed: list[int] = []  # the last one is taken next (1.5)
        self.slots_in_use: set[int] = set()
        self.allocations = Allocations(self)
        self.risk = ReferenceRisk(self, positions_max)
        self._by_template = {
            NEW_ORDER: self._new_order,
            CANCEL_ORDER: self._cancel_order,
            REDUCE_ORDER: self._reduce_order,
            REPLACE_ORDER: self._replace_order,
            MASS_CANCEL: self._mass_cancel,
            int(Template.REFUSE_COMMAND): self._refuse_command,
            int(Template.OPEN_SESSION): self._open_session,
            int(Template.CLOSE_SESSION): self._close_session,
            int(Template.DEFINE_INSTRUMENT): self._define_instrument,
            int(Template.SET_INSTRUMENT_STATE): self._set_instrument_state,
            int(Template.DEFINE_PARTICIPANT): self._define_participant,
            int(Template.DEFINE_SESSION): self._define_session,
            int(Template.DEFINE_ACCOUNT): self._define_account,
            int(Template.SET_ENTITLEMENT): self._set_entitlement,
            int(Template.EXPIRE_DAY_ORDERS): self._expire_day_orders,
            int(Template.CHECKPOINT): self._checkpoint,
            int(Template.SET_ALLOCATION): self.allocations.set_allocation,
            int(Template.SET_ALLOCATION_SHARE): self.allocations.set_share,
            **self._phase_commands(),
            **self._risk_commands(),
        }

    # ---------------------------------------------------------------- the face

    def submit(self, commands: Any) -> np.ndarray:
        """Decide commands and return their events.

        Parameters
        ----------
        commands
            Command records back to back: a structured array, a uint8 array or bytes. `seq` of each is 0 or the
            next one.

        Returns
        -------
        numpy.ndarray
            Events in order, dtype `EVENT_COMMON` (128 bytes each).
        """
        first = len(self._events)
        data = as_bytes(commands)
        for offset, layout in split(data, COMMANDS):
            command = layout.read(data, offset)
            self._begin(layout.template, command, layout.has_padding_set(data, offset))
            before = len(self._events)
            self._by_template[layout.template](command)
            self.risk.follow(self._events[before:])
        made = b"".join(self._events[first:])
        self._events.clear()
        return np.frombuffer(made, dtype=EVENT_COMMON)

    def state_hash(self) -> int:
        """Hash of everything that decides what comes next (section 8)."""
        return state_hash(self)

    def best_bid(self, instrument_id: int) -> int | None:
        """Highest bid [ticks], or None."""
        return self.books[instrument_id].sides[BUY].best()

    def best_ask(self, instrument_id: int) -> int | None:
        """Lowest ask [ticks], or None."""
        return self.books[instrument_id].sides[SELL].best()

    def depth(self, instrument_id: int, side: int, levels_max: int = 1 << 30) -> list[tuple[int, int, int]]:
        """Best levels as (price [ticks], quantity [lots], number of orders)."""
        return self.books[instrument_id].sides[side].depth(levels_max)

    def resting(self, instrument_id: int, side: int) -> Iterable[Order]:
        """Orders of a side, best first, in priority."""
        return self.books[instrument_id].sides[side].orders()

    def check(self) -> None:
        """Walk everything and assert the invariants of engine and books."""
        in_books: dict[int, Order] = {}
        for instrument_id, book in self.books.items():
            book.check(called=bool(self.instruments[instrument_id].auction.called))
            for side in (BUY, SELL):
                for order in book.sides[side].orders():
                    assert order.instrument_id == instrument_id, "order in another instrument's book"
                    in_books[order.order_id] = order
        assert in_books == self.orders, "live orders and books differ"
        slots = {order.slot for order in self.orders.values()}
        assert slots == self.slots_in_use, "slots in use and live orders differ"
        assert len(slots) == len(self.orders), "two orders in one slot"
        freed = set(self.slots_freed)
        assert len(freed) == len(self.slots_freed), "a slot freed twice"
        assert slots | freed == set(range(self.slots_used)), "a slot is lost"
        assert not slots & freed, "a live order in a freed slot"
        for session in self.sessions.values():
            for client_ref, order in session.live.items():
                assert order.client_ref == client_ref, "reference and order differ"
                assert order.session is session, "order of another session"
                assert self.orders[order.order_id] is order, "reference of an order that has ended"
        assert sum(len(session.live) for session in self.sessions.values()) == len(self.orders), (
            "order without session"
        )
        self.risk.check()

    # ---------------------------------------------------------------- order commands

    def _new_order(self, command: Any) -> None:
        reason = self._new_order_refusal(command)
        if reason != NOT_REFUSED:
            self._reject_order(command, reason)
            return
        order = self._make_order(command)
        other = self.books[order.instrument_id].other(order.side)
        instrument = self.instruments[order.instrument_id]
        limit: int | None = order.price
        if order.order_type == MARKET:
            in_call = instrument.state in CALLS
            limit = None if in_call else self.risk.market_limit(order.instrument_id, order.side)
        if instrument.state == TRADE_AT_CLOSE:  # 11.12
            closing = instrument.auction.closing_price
            if order.order_type == MARKET and limit is not None:
                closing = min(closing, limit) if order.side == BUY else max(closing, limit)
            limit = closing
        collects = instrument.state in CALLS  # 11.4
        can_match = not collects and other.is_reached_by(limit)
        may_rest = collects or (order.order_type == LIMIT and order.time_in_force not in (IOC, FOK))
        rests = may_rest and not can_match
        self._accepted(order, RESTS if rests else 0)
        if order.time_in_force == FOK:  # 4.5
            in_range, reach = self._limit_in_range(instrument, order.side, limit, other.best())
            if not in_range:
                within_reach = 0
            elif self.allocations.is_fifo(order.instrument_id):
                within_reach = other.reachable(reach, order.leaves, order.session, order.stp_mode)
            else:
                within_reach = self.allocations.reachable(
                    other, reach, order.leaves, order.session, order.stp_mode
                )
            if within_reach < order.leaves:
                self._cancel_incoming(order, CancelReason.FOK_UNFILLABLE)
                return
        self._enter(order, limit, rests, may_rest)

    def _cancel_order(self, command: Any) -> None:
        order = self._reached(command)
        if not self._sender_is_known():
            reason = RejectReason.UNKNOWN_SESSION
        elif command.instrument_id not in self.instruments:
            reason = RejectReason.UNKNOWN_INSTRUMENT
        elif self._padding_set:
            reason = RejectReason.BAD_FLAGS
        elif order is None:
            reason = RejectReason.UNKNOWN_ORDER
        else:
            self._cancel_resting(order, CancelReason.BY_OWNER, unsolicited=order.session is not self._sender)
            return
        self._reject_order(command, reason)

    def _reduce_order(self, command: Any) -> None:
        order = self._reached(command)
        reason = self._reduce_refusal(command, order)
        if reason != NOT_REFUSED:
            self._reject_order(command, reason)
            return
        assert order is not None
        unsolicited = order.session is not self._sender
        if command.qty_lots >= order.leaves:  # 5.2
            self._cancel_resting(order, CancelReason.BY_OWNER, unsolicited=unsolicited)
            return
        order.leaves -= command.qty_lots
        order.total -= command.qty_lots
        client_seq, client_ref = (0, 0) if unsolicited else (self._client_seq, self._client_ref)
        self._emit(
            events.write_reduced(
                *self._order_head(
                    order, command.qty_lots, order.leaves, self._report(order.session), client_seq
                ),
                order.side,
                order.order_type,
                order.time_in_force,
                order.flags,
                RESTS | PRIORITY_KEPT | (UNSOLICITED if unsolicited else 0),
                client_ref,
            )
        )

    def _replace_order(self, command: Any) -> None:
        order = self._reached(command)
        reason = self._replace_refusal(command, order)
        if reason != NOT_REFUSED:
            self._reject_order(command, reason)
            return
        assert order is not None
        before = (order.client_ref, order.price, order.leaves)
        book = self.books[order.instrument_id]
        keeps_place = command.price_ticks == order.price and command.qty_lots <= order.total  # 5.3
        if not keeps_place:
            book.own(order).remove(order)
            self.allocations.note_left(order)
        order.leaves = command.qty_lots - order.filled
        order.total = command.qty_lots
        order.price = command.price_ticks
        order.flags = (order.flags & KEEP_ON_DISCONNECT) | command.order_flags  # 5.4
        del order.session.live[order.client_ref]
        order.client_ref = command.client_ref
        order.session.live[order.client_ref] = order
        collects = self.instruments[order.instrument_id].state in CALLS
        rests = keeps_place or collects or not book.other(order.side).is_reached_by(order.price)
        unsolicited = order.session is not self._sender
        flags = (
            (RESTS if rests else 0)
            | (PRIORITY_KEPT if keeps_place else 0)
            | (UNSOLICITED if unsolicited else 0)
        )
        client_seq = 0 if unsolicited else self._client_seq
        self._emit(
            events.write_replaced(
                *self._order_head(order, order.total, order.leaves, self._report(order.session), client_seq),
                order.side,
                order.order_type,
                order.time_in_force,
                order.stp_mode,
                order.flags,
                flags,
                *before,
            )
        )
        if not keeps_place:
            self._enter(order, order.price, rests, may_rest=True)

    def _mass_cancel(self, command: Any) -> None:
        sender, wanted = self._sender, command.target_participant_id
        if not self._sender_is_known():
            reason = RejectReason.UNKNOWN_SESSION
        elif command.instrument_id != 0 and command.instrument_id not in self.instruments:
            reason = RejectReason.UNKNOWN_INSTRUMENT
        elif command.side > SELL:
            reason = RejectReason.BAD_SIDE
        elif self._padding_set:
            reason = RejectReason.BAD_FLAGS
        elif (
            sender is not None
            and wanted not in (0, sender.participant.participant_id)
            and not self._may_operate()
        ):
            reason = RejectReason.NOT_ALLOWED
        else:
            participant_id = wanted or (0 if sender is None else sender.participant.participant_id)
            found = [
                order
                for order in self.orders.values()
                if command.instrument_id in (0, order.instrument_id)
                and command.target_session_id in (0, order.session.session_id)
                and participant_id in (0, order.session.participant.participant_id)
                and command.side in (0, order.side)
            ]
            self._cancel_many(found, CancelReason.MASS_CANCEL, always_unsolicited=False)
            self._mass_canceled(
                len(found), CancelReason.MASS_CANCEL, command.instrument_id, participant_id, command.side
            )
            return
        self._reject_order(command, reason)

    def _refuse_command(self, command: Any) -> None:
        known = self._sender_is_known()
        reason = command.reject_reason if known else RejectReason.UNKNOWN_SESSION
        self._reject_order(command, reason, template=command.refused_template)

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
        if command.order_type not in (LIMIT, MARKET):
            return RejectReason.BAD_ORDER_TYPE
        if command.time_in_force not in KNOWN_TIMES_IN_FORCE:
            return RejectReason.BAD_TIME_IN_FORCE
        if command.stp_mode > StpMode.CANCEL_BOTH:
            return RejectReason.BAD_STP_MODE
        if self._has_bad_order_flags(command):
            return RejectReason.BAD_FLAGS
        reason = self._phase_refusal(
            instrument, command.order_type, command.time_in_force, command.order_flags
        ) or instrument.quantity_refusal(command.qty_lots)
        if reason:
            return reason
        if command.order_type == MARKET:
            if command.price_ticks != 0:
                return RejectReason.BAD_PRICE
        else:
            reason = instrument.price_refusal(command.price_ticks)
            if reason:
                return reason
            if self._misses_the_close(instrument, command.price_ticks):
                return RejectReason.NOT_CLOSING_PRICE
        if command.client_ref in sender.live:
            return RejectReason.DUPLICATE_CLIENT_REF
        other = self.books[command.instrument_id].other(command.side)
        if self._posts_only(instrument, command.order_flags) and other.is_reached_by(command.price_ticks):
            return RejectReason.POST_ONLY_WOULD_MATCH
        if not self._has_room_for_an_order():
            return RejectReason.BOOK_FULL
        return self.risk.refuse_new(command)

    def _has_room_for_an_order(self) -> bool:
        """Whether a slot is free (1.7)."""
        return bool(self.slots_freed) or self.slots_used < self.orders_max

    def _has_bad_order_flags(self, command: Any) -> bool:
        """Rule 3.3."""
        if command.order_flags & ~(POST_ONLY | KEEP_ON_DISCONNECT):
            return True
        if command.order_flags & POST_ONLY and (
            command.order_type == MARKET or command.time_in_force in (IOC, FOK)
        ):
            return True
        return self._padding_set or command.expire_ts_ns != 0

    def _replace_refusal(self, command: Any, order: Order | None) -> int:
        """First check of a replace that fails (3.5)."""
        reason = self._trading_refusal(command.instrument_id)
        if reason:
            return reason
        assert self._sender is not None
        instrument = self.instruments[command.instrument_id]
        if instrument.state in SHUT:
            return RejectReason.INSTRUMENT_NOT_OPEN
        if command.order_flags & ~POST_ONLY or self._padding_set:
            return RejectReason.BAD_FLAGS
        reason = (
            self._phase_refusal(instrument, LIMIT, DAY, command.order_flags)
            or instrument.quantity_refusal(command.qty_lots)
            or instrument.price_refusal(command.price_ticks)
        )
        if reason:
            return reason
        if self._misses_the_close(instrument, command.price_ticks):
            return RejectReason.NOT_CLOSING_PRICE
        owner = self._sender if order is None else order.session  # 5.5
        holder = owner.live.get(command.client_ref)
        if holder is not None and holder is not order:
            return RejectReason.DUPLICATE_CLIENT_REF
        if order is None:
            return RejectReason.UNKNOWN_ORDER
        if order.order_type == MARKET:  # 11.4
            return RejectReason.BAD_ORDER_TYPE
        if command.qty_lots <= order.filled:
            return RejectReason.QTY_BELOW_FILLED
        other = self.books[order.instrument_id].other(order.side)
        if self._posts_only(instrument, command.order_flags) and other.is_reached_by(command.price_ticks):
            return RejectReason.POST_ONLY_WOULD_MATCH
        return self.risk.refuse_replace(command, order)

    def _reduce_refusal(self, command: Any, order: Order | None) -> int:
        """First check of a reduce that fails (3.6)."""
        reason = self._standing_refusal()
        if reason:
            return reason
        instrument = self.instruments.get(command.instrument_id)
        if instrument is None:
            return RejectReason.UNKNOWN_INSTRUMENT
        if self._padding_set:
            return RejectReason.BAD_FLAGS
        if command.qty_lots < 1:
            return RejectReason.BAD_QUANTITY
        if command.qty_lots % instrument.qty_increment_lots:
            return RejectReason.BAD_QUANTITY_INCREMENT
        return RejectReason.UNKNOWN_ORDER if order is None else NOT_REFUSED

    def _trading_refusal(self, instrument_id: int) -> int:
        """Session, participant, instrument and entitlement of a new order or a replace."""
        reason = self._standing_refusal()
        if reason:
            return reason
        instrument = self.instruments.get(instrument_id)
        if instrument is None:
            return RejectReason.UNKNOWN_INSTRUMENT
        assert self._sender is not None
        participant = self._sender.participant
        allowed = instrument.entitlements.get(participant.participant_id)  # 2.3
        if allowed is None:
            allowed = int(bool(participant.permissions & TRADE))
        return NOT_REFUSED if allowed else RejectReason.NOT_ENTITLED

    def _standing_refusal(self) -> int:
        """Session and participant of an order command; the venue itself has no orders (2.1, 2.2)."""
        if self._sender is None:
            return RejectReason.UNKNOWN_SESSION
        return self._disabled_refusal()

    def _reached(self, command: Any) -> Order | None:
        """The live order a cancel, reduce or replace means, if the sender reaches it (2.6)."""
        sender = self._sender
        order: Order | None
        if command.order_id != 0:
            order = self.orders.get(command.order_id)
            if (
                order is not None
                and sender is not None
                and order.session.participant is not sender.participant
            ):
                return None
        else:
            order = None if sender is None else sender.live.get(command.orig_client_ref)
        return order if order is not None and order.instrument_id == command.instrument_id else None

    # ---------------------------------------------------------------- matching

    def _make_order(self, command: Any, owner: Session | None = None) -> Order:
        """Give an accepted order its id and slot (1.5) and its reference; it is the sender's unless `owner` is given."""
        session = owner or self._sender
        assert session is not None
        if self.slots_freed:
            slot = self.slots_freed.pop()
        else:
            slot = self.slots_used
            self.slots_used += 1
        self.slots_in_use.add(slot)
        self.order_serial += 1
        order = Order()
        order.order_id = self.order_serial << 24 | slot
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
        order.flags = command.order_flags
        order.session.live[order.client_ref] = order
        return order

    def _enter(self, order: Order, limit: int | None, rests: bool, may_rest: bool) -> None:
        """Match an order that has been accepted or replaced, then rest it or cancel what is left (4.3, 4.4)."""
        if not rests:
            instrument = self.instruments[order.instrument_id]
            other = self.books[order.instrument_id].other(order.side)
            in_range, reach = self._limit_in_range(instrument, order.side, limit, other.best())
            if in_range and self._match(order, reach):
                return
            stopped_at = other.best()
            if stopped_at is not None and other.is_reached_by(limit):  # 11.15: the range ended it, not the limit
                self._interrupt(instrument, stopped_at)
                if order.time_in_force in (IOC, GTX):
                    self._cancel_incoming(order, CancelReason.PRICE_RANGE)
                    return
            elif not may_rest:
                if order.time_in_force == IOC:
                    self._cancel_incoming(order, CancelReason.IOC_REMAINDER)
                elif self.books[order.instrument_id].other(order.side).best() is not None:  # 13.3
                    self._cancel_incoming(order, CancelReason.PRICE_PROTECTION)
                else:
                    self._cancel_incoming(order, CancelReason.NO_LIQUIDITY)
                return
            client_seq = self._client_seq if order.session is self._sender else 0
            self._emit(
                events.write_rested(
                    *self._order_head(order, order.total, order.leaves, 0, client_seq),
                    order.side,
                    order.order_type,
                    order.time_in_force,
                    order.flags,
                    RESTS,
                )
            )
        own = self.books[order.instrument_id].own(order)
        own.add(order)
        self.orders[order.order_id] = order
        self.allocations.note_rested(order, own)

    def _match(self, order: Order, limit: int | None) -> bool:
        """Match an order against the other side; whether it has ended (4.1, 4.2, 4.8)."""
        if not self.allocations.is_fifo(order.instrument_id):
            return self.allocations.match(order, limit)
        other = self.books[order.instrument_id].other(order.side)
        while other.is_reached_by(limit):
            resting = other.first()
            if resting.session.participant is order.session.participant and order.stp_mode != STP_NONE:
                if order.stp_mode in (StpMode.CANCEL_OLDEST, StpMode.CANCEL_BOTH):
                    self._cancel_resting(resting, CancelReason.SELF_TRADE, unsolicited=True)
                if order.stp_mode in (StpMode.CANCEL_NEWEST, StpMode.CANCEL_BOTH):
                    self._cancel_incoming(order, CancelReason.SELF_TRADE)
                    return True
                continue
            self._execute(order, resting, min(order.leaves, resting.leaves))
            if resting.leaves == 0:
                other.remove(resting)
                self._end(resting)
            if order.leaves == 0:
                self._end(order)
                return True
        return False

    def _execute(self, order: Order, resting: Order, qty: int) -> None:
        """One match of `qty` lots, at the resting order's price."""
        order.leaves -= qty
        resting.leaves -= qty
        resting_report = self._report(resting.session)  # 1.3: the resting party's comes first
        incoming_report = self._report(order.session)
        self._emit(
            events.write_executed(
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
                0,
            )
        )
        auction = self.instruments[order.instrument_id].auction
        if auction.ruled:  # 11.13
            auction.last_price = resting.price

    def _cancel_resting(self, order: Order, reason: int, *, unsolicited: bool) -> None:
        """Cancel an order on the book."""
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

    # ---------------------------------------------------------------- session and timer commands with orders

    def _close_session(self, command: Any) -> None:
        session = self._sender
        if session is None:
            reason = int(RejectReason.UNKNOWN_SESSION)
        elif not session.open:
            reason = RejectReason.NOT_LOGGED_ON
        else:
            reason = self._close_refusal(command)
        if reason:
            self._reject_command(command, reason, reported=False)
            return
        assert session is not None
        session.open = 0
        self._command_done(command, reported=False, participant_id=session.participant.participant_id)
        if session.cancel_on_disconnect:
            found = [order for order in session.live.values() if not order.flags & KEEP_ON_DISCONNECT]
            self._cancel_many(found, CancelReason.DISCONNECT, always_unsolicited=True)
            self._emit(
                events.write_mass_canceled(
                    *self._event_head(),
                    len(found),
                    0,
                    0,
                    session.session_id,
                    0,
                    session.participant.participant_id,
                    0,
                    CancelReason.DISCONNECT,
                    0,
                )
            )

    def _expire_day_orders(self, command: Any) -> None:
        unknown = command.instrument_id != 0 and command.instrument_id not in self.instruments
        reason = self._operator_refusal(RejectReason.UNKNOWN_INSTRUMENT if unknown else NOT_REFUSED)
        if reason:
            self._reject_command(command, reason)
            return
        found = [
            order
            for order in self.orders.values()
            if order.time_in_force == DAY and command.instrument_id in (0, order.instrument_id)
        ]
        self._cancel_many(found, CancelReason.EXPIRED, always_unsolicited=True)
        self._mass_canceled(len(found), CancelReason.EXPIRED, command.instrument_id, 0, 0)

    # ---------------------------------------------------------------- events of orders

    def _accepted(self, order: Order, flags: int) -> None:
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
            )
        )

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

    def _mass_canceled(
        self, count: int, reason: int, instrument_id: int, participant_id: int, side: int
    ) -> None:
        report_seq = self._report(self._sender)
        self._emit(
            events.write_mass_canceled(
                *self._event_head(),
                count,
                self._client_ref,
                instrument_id,
                self._session_id,
                report_seq,
                participant_id,
                self._client_seq,
                reason,
                side,
            )
        )

    def _reject_order(self, command: Any, reason: int, template: int | None = None) -> None:
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
                getattr(command, "orig_client_ref", 0),
            )
        )
