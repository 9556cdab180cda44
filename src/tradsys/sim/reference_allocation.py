"""How a price level is shared out among its orders, in plain Python: section 12 of the rule book."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tradsys.sim import reference_events as events
from tradsys.sim.reference_book import SELL, BookSide, Order
from tradsys.wire.enums import AllocationRounding, CancelReason, RejectReason, StpMode

if TYPE_CHECKING:
    from tradsys.sim.reference_engine import ReferenceEngine, Session

STP_NONE, STP_CANCEL_OLDEST = int(StpMode.NONE), int(StpMode.CANCEL_OLDEST)
ALL_BP = 10_000
SHARES_MAX = 8


@dataclass
class Allocation:
    """An instrument's settings; the defaults are how every instrument begins."""

    fifo_bp: int = ALL_BP
    top: int = 0
    rounding: int = int(AllocationRounding.DOWN)
    pro_rata_min_lots: int = 1
    top_min_lots: int = 1
    top_max_lots: int = 0
    shares: dict[int, int] = field(default_factory=dict)  # participant id -> basis points

    def is_fifo(self) -> bool:
        """Whether levels are matched in order of arrival alone."""
        return self.fifo_bp == ALL_BP and not self.top and not self.shares


class Allocations:
    """Allocation of all instruments, and the commands that set it.

    `top_orders` holds the order that is TOP of (instrument id, side), by 12.5; one that has ended counts as none.
    """

    def __init__(self, engine: ReferenceEngine) -> None:
        self.engine = engine
        self.of: dict[int, Allocation] = {}  # instrument id -> settings that were given
        self.top_orders: dict[tuple[int, int], Order] = {}

    def is_fifo(self, instrument_id: int) -> bool:
        """Whether the instrument is matched in order of arrival alone."""
        return instrument_id not in self.of or self.of[instrument_id].is_fifo()

    # ---------------------------------------------------------------- commands

    def set_allocation(self, command: Any) -> None:
        """Rule 12.1."""
        engine = self.engine
        known = command.instrument_id in engine.instruments
        reason = engine._operator_refusal(RejectReason.NONE if known else RejectReason.UNKNOWN_INSTRUMENT)
        holds = (
            command.fifo_bp <= ALL_BP
            and command.top <= 1
            and command.rounding in (AllocationRounding.DOWN, AllocationRounding.NEAREST)
            and min(command.pro_rata_min_lots, command.top_min_lots) >= 1
            and command.top_max_lots >= 0
        )
        if not reason and (not holds or self._has_special_orders(command.instrument_id)):
            reason = RejectReason.BAD_DEFINITION
        if reason:
            engine._reject_command(command, reason)
            return
        shares = self.of[command.instrument_id].shares if command.instrument_id in self.of else {}
        self.of[command.instrument_id] = Allocation(
            command.fifo_bp,
            command.top,
            command.rounding,
            command.pro_rata_min_lots,
            command.top_min_lots,
            command.top_max_lots,
            shares,
        )
        for side in (1, 2):
            self.top_orders.pop((command.instrument_id, side), None)
        engine._command_done(command)
        self._tell(command.instrument_id, 0, 0)

    def set_share(self, command: Any) -> None:
        """Rule 12.2."""
        engine = self.engine
        unknown = RejectReason.NONE
        if command.participant_id not in engine.participants:
            unknown = RejectReason.UNKNOWN_PARTICIPANT
        elif command.instrument_id not in engine.instruments:
            unknown = RejectReason.UNKNOWN_INSTRUMENT
        reason = engine._operator_refusal(unknown)
        if not reason:
            before = self.of.get(command.instrument_id, Allocation())
            shares = {**before.shares, command.participant_id: command.share_bp}
            shares = {participant: share for participant, share in shares.items() if share}
            too_many = command.share_bp and len(shares) > SHARES_MAX
            special = self._has_special_orders(command.instrument_id)
            if too_many or special or sum(shares.values()) > ALL_BP:
                reason = RejectReason.BAD_DEFINITION
        if reason:
            engine._reject_command(command, reason)
            return
        self.of[command.instrument_id] = replace(before, shares=shares)
        engine._command_done(command)
        self._tell(command.instrument_id, command.participant_id, command.share_bp)

    def _has_special_orders(self, instrument_id: int) -> bool:
        """Whether hidden orders or icebergs rest on the book (9.23)."""
        book = self.engine.books[instrument_id]
        if self.engine.triggers.has_dormant_orders(instrument_id):  # 10.13
            return True
        return any(order.is_hidden or order.shown for side in (1, 2) for order in book.sides[side].orders())

    def _tell(self, instrument_id: int, participant_id: int, share_bp: int) -> None:
        engine, now = self.engine, self.of[instrument_id]
        engine._emit(
            events.write_allocation_set(
                *engine._event_head(),
                now.pro_rata_min_lots,
                now.top_min_lots,
                now.top_max_lots,
                instrument_id,
                engine._session_id,
                participant_id,
                0,
                len(now.shares),
                now.fifo_bp,
                share_bp,
                now.top,
                now.rounding,
            )
        )

    # ---------------------------------------------------------------- the top order (12.5)

    def note_rested(self, order: Order, own: BookSide) -> None:
        """An order has come to rest."""
        settings = self.of.get(order.instrument_id)
        if settings is None or settings.is_fifo() or not settings.top or order.leaves < settings.top_min_lots:
            return
        if own.best() == order.book_price and len(own.levels[order.book_price]) == 1:
            self.top_orders[order.instrument_id, order.side] = order

    def note_left(self, order: Order) -> None:
        """An order leaves its place, to come in again."""
        if self.top_orders.get((order.instrument_id, order.side)) is order:
            del self.top_orders[order.instrument_id, order.side]

    def top_order(self, instrument_id: int, side: int) -> Order | None:
        """The side's top order, if it still rests."""
        order = self.top_orders.get((instrument_id, side))
        return order if order is not None and order.order_id in self.engine.orders else None

    # ---------------------------------------------------------------- matching

    def match(self, order: Order, limit: int | None) -> bool:
        """Match an order level by level; whether it has ended (12.3, 12.4)."""
        engine = self.engine
        other = engine.books[order.instrument_id].other(order.side)
        while other.is_reached_by(limit):
            price = other.best()
            assert price is not None
            level = list(other.levels[price].values())
            own = [resting for resting in level if resting.session.participant is order.session.participant]
            if own and order.stp_mode != STP_NONE:  # 12.4
                if order.stp_mode == StpMode.CANCEL_BOTH:
                    own = own[:1]
                if order.stp_mode != StpMode.CANCEL_NEWEST:
                    for resting in own:
                        engine._cancel_resting(resting, CancelReason.SELF_TRADE, unsolicited=True)
                if order.stp_mode != STP_CANCEL_OLDEST:
                    engine._cancel_incoming(order, CancelReason.SELF_TRADE)
                    return True
                continue
            for resting, lots in self.shared_out(order, level):
                if lots == 0:
                    continue
                engine._execute(order, resting, lots)
                if resting.leaves == 0:
                    other.remove(resting)
                    engine._end(resting)
            if order.leaves == 0:
                engine._end(order)
                return True
        return False

    def shared_out(self, order: Order, level: list[Order]) -> Iterator[tuple[Order, int]]:
        """Lots of each order of a level, in order of arrival (12.3)."""
        settings = self.of[order.instrument_id]
        step = self.engine.instruments[order.instrument_id].qty_increment_lots
        left = order.leaves
        given = dict.fromkeys((resting.order_id for resting in level), 0)

        def give(resting: Order, lots: int) -> None:
            nonlocal left
            lots = min(lots, resting.leaves - given[resting.order_id], left)
            given[resting.order_id] += lots
            left -= lots

        def in_order(orders: list[Order], lots: int) -> None:
            """Give `lots` to the orders as they arrived."""
            for resting in orders:
                before = left
                give(resting, lots)
                lots -= before - left

        if order.leaves < sum(resting.leaves for resting in level):
            top = self.top_order(order.instrument_id, level[0].side)
            if settings.top and top in level:
                assert top is not None
                give(top, settings.top_max_lots or left)
            base = left
            for participant_id, share in sorted(settings.shares.items()):
                theirs = [o for o in level if o.session.participant.participant_id == participant_id]
                in_order(theirs, base * share // ALL_BP // step * step)
            in_order(level, left * settings.fifo_bp // ALL_BP // step * step)
            base, whole = left, sum(resting.leaves - given[resting.order_id] for resting in level)
            for resting in level:
                still_open = resting.leaves - given[resting.order_id]
                if settings.rounding == AllocationRounding.NEAREST:
                    part = (2 * base * still_open + whole * step) // (2 * whole * step) * step
                else:
                    part = base * still_open // whole // step * step
                part = min(part, still_open, left)
                if part >= settings.pro_rata_min_lots:
                    give(resting, part)
        in_order(level, left)
        return ((resting, given[resting.order_id]) for resting in level)

    def reachable(
        self, other: BookSide, limit: int | None, wanted: int, session: Session, stp_mode: int
    ) -> int:
        """Lots a FOK order could match (4.7, 12.4); stops counting at `wanted`."""
        lots = 0
        for price in other.prices if other.side == SELL else reversed(other.prices):
            if lots >= wanted or not other._within(price, limit):
                break
            level = other.levels[price].values()
            own = [order for order in level if order.session.participant is session.participant]
            if own and stp_mode not in (STP_NONE, STP_CANCEL_OLDEST):
                break
            ours = sum(order.leaves for order in own) if stp_mode != STP_NONE else 0
            lots += sum(order.leaves for order in level) - ours
        return lots

    # ---------------------------------------------------------------- hash

    def words(self) -> Iterator[int]:
        """Rule 8.7: what is not as every instrument begins."""
        for instrument_id, now in sorted(self.of.items()):
            if now == Allocation():
                continue
            yield from (instrument_id, now.fifo_bp, now.top, now.rounding)
            yield from (now.pro_rata_min_lots, now.top_min_lots, now.top_max_lots)
            for participant_id, share in sorted(now.shares.items()):
                yield from (participant_id, share)
            for side in (1, 2):
                top = self.top_order(instrument_id, side)
                yield 0 if top is None else top.order_id
