"""Dormant orders in plain Python: what sets them off, how trailing triggers move, what becomes of them (section 10).

Every dormant order is looked at for every price: obviously right, and slow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tradsys.limits import PRICE_TICKS_MAX
from tradsys.sim import reference_events as events
from tradsys.sim.reference_book import BUY, SELL, Order
from tradsys.sim.reference_definitions import Instrument
from tradsys.sim.reference_hash import order_words
from tradsys.wire.enums import (
    CancelReason,
    EventFlags,
    InstrumentState,
    OrderType,
    RejectReason,
    TrailUnit,
    TriggerSource,
)

if TYPE_CHECKING:
    from tradsys.sim.reference_engine import ReferenceEngine

LIMIT, MARKET, OPEN = int(OrderType.LIMIT), int(OrderType.MARKET), int(InstrumentState.OPEN)
NOT_REFUSED = int(RejectReason.NONE)
UNSOLICITED, DORMANT = int(EventFlags.UNSOLICITED), int(EventFlags.DORMANT)
HELD = int(EventFlags.HELD)
PRIORITY_KEPT = int(EventFlags.PRIORITY_KEPT)
WAITING, MOVED, DUE, WAITS_IN_LIST = 1, 2, 3, 4  # where a dormant order is (8.5)
LAST, BID, ASK, MARK = range(4)  # prices that are looked at
TRAILS_MAX = 64  # different offsets of an instrument (10.8)
TRAILING = (int(OrderType.TRAILING_STOP), int(OrderType.TRAILING_STOP_LIMIT))
TOUCHED = (int(OrderType.MARKET_IF_TOUCHED), int(OrderType.LIMIT_IF_TOUCHED))
WITH_LIMIT = (
    int(OrderType.STOP_LIMIT),
    int(OrderType.TRAILING_STOP_LIMIT),
    int(OrderType.LIMIT_IF_TOUCHED),
)
Trail = tuple[int, int, int, int]  # source, side, unit, offset


def is_triggered(order_type: int) -> bool:
    """Whether orders of a type wait for a trigger (10.1)."""
    return OrderType.STOP <= order_type <= OrderType.LIMIT_IF_TOUCHED


def kind_behind(order_type: int) -> int:
    """What an order of a type is once it has been triggered; the type itself of one that waits for nothing."""
    if not is_triggered(order_type):
        return order_type
    return LIMIT if order_type in WITH_LIMIT else MARKET


def open_price(order: Order) -> int:
    """Price [ticks] that what is open of a live or new order is counted at (10.15)."""
    if is_triggered(order.order_type) and order.order_type not in WITH_LIMIT:
        return int(order.terms.trigger_price_ticks)
    return order.price


def trigger_is_bad(command: Any, terms: Any, instrument: Instrument) -> bool:
    """Rule 10.2, for an order with a trigger."""
    if not TriggerSource.LAST <= terms.trigger_source <= TriggerSource.MARK:
        return True
    if instrument.price_refusal(terms.trigger_price_ticks):
        return True
    if command.order_type not in TRAILING:
        return bool(terms.trail_unit or terms.trail_offset)
    if terms.trail_unit == TrailUnit.TICKS:
        return not 1 <= terms.trail_offset <= PRICE_TICKS_MAX
    return terms.trail_unit != TrailUnit.BASIS_POINTS or not 1 <= terms.trail_offset <= 9999


def is_upward(order: Order) -> bool:
    """Whether a price at the trigger or above reaches it (10.3)."""
    return (order.side == BUY) != (order.order_type in TOUCHED)


def source_of(order: Order) -> int:
    """Which price an order looks at (10.4)."""
    if order.terms.trigger_source == TriggerSource.LAST:
        return LAST
    if order.terms.trigger_source == TriggerSource.MARK:
        return MARK
    return ASK if order.side == BUY else BID


def trail_of(order: Order) -> Trail | None:
    """The row an order trails in (10.9); None: it does not trail."""
    if order.order_type not in TRAILING:
        return None
    return source_of(order), order.side, order.terms.trail_unit, order.terms.trail_offset


def trailing_trigger(price: int, trail: Trail) -> int:
    """Where a price [ticks] puts a trailing trigger (10.8)."""
    _, side, unit, offset = trail
    if unit == TrailUnit.BASIS_POINTS:
        offset = max(1, abs(price) * offset // 10_000)
    return price + offset if side == BUY else price - offset


class Dormants:
    """The dormant orders of one instrument.

    Invariant: each is in exactly one of `due`, `held`, `waiting` and a row of `moved`; a row is never empty and stands in the
    order in which a price would reach it.
    """

    def __init__(self) -> None:
        self.due: list[Order] = []
        self.held: list[Order] = []  # for their turn in an order list (10.23)
        self.waiting: list[Order] = []  # in order of arrival
        self.moved: dict[Trail, list[Order]] = {}
        self.mark: int | None = None  # ticks

    def remove(self, order: Order) -> None:
        """Take an order out."""
        if order.place == DUE:
            self.due.remove(order)
        elif order.place == WAITS_IN_LIST:
            self.held.remove(order)
        elif order.place == WAITING:
            self.waiting.remove(order)
        else:
            trail = trail_of(order)
            assert trail is not None
            self.moved[trail].remove(order)
            if not self.moved[trail]:
                del self.moved[trail]
        order.place = 0

    def orders(self) -> Iterator[Order]:
        """All of them, in the order of rule 8.5."""
        yield from self.due
        for source in range(4):
            for upward in (True, False):
                yield from self.candidates(source, upward, by_row=True)
        yield from self.held

    def candidates(self, source: int, upward: bool, *, by_row: bool = False) -> list[Order]:
        """Orders of a source and direction, as a price that reached all would set them off (10.5).

        With `by_row` one row behind the other (8.5).
        """
        found = []
        rows = [order for row in self.moved.values() for order in row]
        for n, order in enumerate([*rows, *self.waiting]):
            if source_of(order) != source or is_upward(order) != upward:
                continue
            trail = trail_of(order)
            row = (0, 0, 0, 0) if trail is None else (1, *trail[2:], 0 if order.place == MOVED else 1)
            near = order.trigger if upward else -order.trigger
            found.append(((row, near) if by_row else (near, row), n, order))
        return [order for _, _, order in sorted(found, key=lambda each: each[:2])]

    def trails(self) -> set[Trail]:
        """The different offsets in use (10.8)."""
        used = {trail_of(order) for order in [*self.due, *self.waiting] if not order.held} - {None}
        return {trail for trail in used if trail is not None} | set(self.moved)

    def see(self, source: int, price: int) -> None:
        """Look at a price: what it reaches is due, the rest of the trailing triggers move (10.5, 10.8)."""
        for upward in (True, False):
            for order in self.candidates(source, upward):
                if price >= order.trigger if upward else price <= order.trigger:
                    self.remove(order)
                    order.place = DUE
                    self.due.append(order)
        for upward in (True, False):
            found = {trail_of(order) for order in self.candidates(source, upward)}
            for trail in sorted(trail for trail in found if trail is not None):
                self._move(trail, price)

    def _move(self, trail: Trail, price: int) -> None:
        trigger = trailing_trigger(price, trail)
        upward = trail[1] == BUY

        def is_nearer(order: Order) -> bool:
            return trigger < order.trigger if upward else trigger > order.trigger

        for order in self.moved.get(trail, []):
            if is_nearer(order):
                order.trigger = trigger
        first = [order for order in self.waiting if trail_of(order) == trail and is_nearer(order)]
        first.sort(key=lambda order: -order.trigger if upward else order.trigger)  # 10.9: the farthest first
        for order in first:
            self.waiting.remove(order)
            order.place, order.trigger = MOVED, trigger
            self.moved.setdefault(trail, []).append(order)

    def check(self) -> None:
        """Assert the class's invariant."""
        for place, orders in ((DUE, self.due), (WAITING, self.waiting), (WAITS_IN_LIST, self.held)):
            assert all(order.place == place for order in orders), "a dormant order in the wrong place"
        for trail, row in self.moved.items():
            assert row, f"the row of {trail} is empty"
            assert all(order.place == MOVED and trail_of(order) == trail for order in row), "a row's order"
            triggers = [order.trigger for order in row]
            assert triggers == sorted(triggers, reverse=trail[1] == SELL), f"the row of {trail} is not in order"
        assert len(self.trails()) <= TRAILS_MAX, "too many offsets"


class Triggers:
    """Dormant orders of all instruments, and the part of the engine that deals with them."""

    def __init__(self, engine: ReferenceEngine) -> None:
        self.engine = engine
        self.of: dict[int, Dormants] = {}  # by instrument id
        self.matches: list[tuple[int, int]] = []  # instrument id and price [ticks], not looked at yet

    # ---------------------------------------------------------------- the life of a dormant order

    def has_room_for(self, order: Order) -> bool:
        """Whether the instrument can have one more order of this offset (10.8)."""
        used = self.of[order.instrument_id].trails() if order.instrument_id in self.of else set()
        trail = trail_of(order)
        return trail is None or trail in used or len(used) < TRAILS_MAX

    def lay_down(self, order: Order) -> None:
        """An order with a trigger has been accepted."""
        order.place, order.trigger = WAITING, order.terms.trigger_price_ticks
        self.of.setdefault(order.instrument_id, Dormants()).waiting.append(order)
        self.engine.orders[order.order_id] = order

    def hold(self, order: Order) -> None:
        """An order of a list has been accepted: it waits for its turn (10.23)."""
        order.place = WAITS_IN_LIST
        self.of.setdefault(order.instrument_id, Dormants()).held.append(order)
        self.engine.orders[order.order_id] = order

    def make_due(self, order: Order) -> None:
        """A held order has its turn."""
        self.remove(order)
        order.place = DUE
        self.of[order.instrument_id].due.append(order)

    def remove(self, order: Order) -> None:
        """A dormant order is about to be cancelled or triggered."""
        self.of[order.instrument_id].remove(order)

    def has_dormant_orders(self, instrument_id: int) -> bool:
        """Whether anything waits for a trigger (10.13)."""
        return instrument_id in self.of and any(True for _ in self.of[instrument_id].orders())

    def replace(self, order: Order, command: Any) -> None:
        """Rule 10.11."""
        engine = self.engine
        before = (order.client_ref, order.price, order.leaves)
        order.leaves, order.total = command.qty_lots - order.filled, command.qty_lots
        order.price = command.price_ticks
        engine._rename(order, command.client_ref)
        engine._replaced(order, DORMANT | PRIORITY_KEPT, before)

    def replace_refusal(self, order: Order, command: Any) -> int:
        """What 10.11 and 10.15 refuse."""
        if command.order_flags:
            return RejectReason.BAD_FLAGS
        if order.held or order.order_type not in WITH_LIMIT:
            return RejectReason.BAD_ORDER_TYPE
        return self.engine.risk.refuse_replace(command, order, command.price_ticks)

    # ---------------------------------------------------------------- commands

    def set_mark_price(self, command: Any) -> None:
        """Rule 10.12."""
        engine = self.engine
        unknown = command.instrument_id not in engine.instruments
        reason = engine._operator_refusal(RejectReason.UNKNOWN_INSTRUMENT if unknown else NOT_REFUSED)
        if not reason and abs(command.mark_price_ticks) > PRICE_TICKS_MAX:
            reason = RejectReason.BAD_DEFINITION
        if reason:
            engine._reject_command(command, reason)
            return
        self.of.setdefault(command.instrument_id, Dormants()).mark = command.mark_price_ticks
        engine._command_done(command)
        engine._emit(
            events.write_mark_price_set(
                *engine._event_head(), command.mark_price_ticks, command.instrument_id, 0, 0
            )
        )

    # ---------------------------------------------------------------- behind every command

    def note_match(self, instrument_id: int, price: int) -> None:
        """A match has been made."""
        self.matches.append((instrument_id, price))

    def follow(self) -> None:
        """What a command sets off (10.5, 10.6)."""
        self._see_matches()
        self.engine.lists.settle()
        self.engine.stirs = True
        while self.engine.stirs:  # the lowest instrument goes first, also after what may concern any
            self.engine.stirs = False
            any(self._run(instrument_id, dormants) for instrument_id, dormants in sorted(self.of.items()))

    def _run(self, instrument_id: int, dormants: Dormants) -> bool:
        """Let the due orders of an instrument in; whether that may concern any."""
        self._look(instrument_id, dormants)
        while dormants.due and self.engine.instruments[instrument_id].state == OPEN:
            order = dormants.due[0]
            self.engine._send_as_venue()
            if order.held:
                self._release(order)
            else:
                self._trigger(order)
            self.engine._follow_events()
            self._see_matches()
            self.engine.lists.settle()
            if self.engine.stirs:
                return True
            self._look(instrument_id, dormants)
        return False

    def _see_matches(self) -> None:
        matches, self.matches = self.matches, []
        for instrument_id, price in matches:
            if instrument_id in self.of:
                self.of[instrument_id].see(LAST, price)

    def _look(self, instrument_id: int, dormants: Dormants) -> None:
        """Look at best bid, best ask and mark price as they are now."""
        engine = self.engine
        if engine.instruments[instrument_id].state == OPEN:
            for source, side in ((BID, BUY), (ASK, SELL)):
                best = engine.books[instrument_id].sides[side].best()
                if best is not None:
                    dormants.see(source, best)
        if dormants.mark is not None:
            dormants.see(MARK, dormants.mark)

    def _trigger(self, order: Order) -> None:
        """A due order comes in (10.7)."""
        engine = self.engine
        if not self._is_allowed(order) or self._is_refused(order):
            engine._cancel_resting(order, CancelReason.TRIGGER_REFUSED, unsolicited=True)
            return
        self.remove(order)
        engine.orders.pop(order.order_id)
        order.order_type = kind_behind(order.order_type)
        report_seq = engine._report(order.session)
        engine._emit(
            events.write_triggered(
                *engine._order_head(order, order.total, order.leaves, report_seq, 0),
                order.side,
                order.order_type,
                order.time_in_force,
                order.terms.trigger_source,
                order.flags,
                UNSOLICITED,
                order.trigger,
            )
        )
        engine.lists.note_triggered(order)
        engine._come_in(order, told=False)

    def _release(self, order: Order) -> None:
        """An order of a list has its turn (10.23)."""
        engine = self.engine
        waits = is_triggered(order.order_type)
        refused = not self.has_room_for(order) if waits else self._is_refused(order)
        if refused or not self._is_allowed(order):
            engine._cancel_resting(order, CancelReason.TRIGGER_REFUSED, unsolicited=True)
            return
        self.remove(order)
        order.held = False
        report_seq = engine._report(order.session)
        engine._emit(
            events.write_released(
                *engine._order_head(order, order.total, order.leaves, report_seq, 0),
                order.side,
                order.order_type,
                order.time_in_force,
                order.terms.trigger_source,
                order.flags,
                UNSOLICITED | HELD | (DORMANT if waits else 0),
                order.terms.trigger_price_ticks,
                order.terms.group_id,
            )
        )
        if waits:
            self.lay_down(order)
            return
        engine.orders.pop(order.order_id)
        engine._come_in(order, told=False)

    def _is_allowed(self, order: Order) -> bool:
        """Whether the owner of an order could enter one now (2.2, 2.3)."""
        session = order.session
        return bool(
            session.enabled
            and session.participant.enabled
            and self.engine._is_entitled(session.participant, order.instrument_id)
        )

    def _is_refused(self, order: Order) -> bool:
        """Whether section 14 stands against an order that comes in (10.15)."""
        waiting_type = order.order_type
        order.order_type = kind_behind(waiting_type)
        price, limit = self.engine._entry_limit(order)
        order.order_type = waiting_type
        return bool(self.engine.risk.refuse_triggered(order, price, limit))

    # ---------------------------------------------------------------- state

    def words(self) -> Iterator[int]:
        """Rule 8.5."""
        for instrument_id, dormants in sorted(self.of.items()):
            orders = list(dormants.orders())
            if not orders and dormants.mark is None:
                continue
            yield from (instrument_id, -(1 << 63) if dormants.mark is None else dormants.mark)
            for order in orders:
                if order.place == WAITS_IN_LIST:  # those are in their lists' words
                    continue
                yield from order_words(order)
                yield from (order.trigger, order.place)

    def check(self) -> dict[int, Order]:
        """Walk all dormant orders; returns them by id."""
        found: dict[int, Order] = {}
        for instrument_id, dormants in self.of.items():
            dormants.check()
            for order in dormants.orders():
                assert order.instrument_id == instrument_id, "a dormant order of another instrument"
                assert 0 < order.leaves <= order.total, "a dormant order with nothing left"
                assert order.order_id not in found, "a dormant order in two places"
                found[order.order_id] = order
        return found
