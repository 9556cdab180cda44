"""Checkers: what must hold of an event log whatever the commands were, and of everything built from it.

`EventChecker` reads events only. It builds its own picture of orders, books and positions from them and raises
`CheckFailed` at the first event that does not fit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from tradsys.sim.reference_book import MARKET_BUY, MARKET_SELL
from tradsys.sim.reference_records import read_events
from tradsys.wire.enums import (
    CancelReason,
    EventFlags,
    InstrumentState,
    OrderFlags,
    OrderType,
    Side,
    StpMode,
    Template,
)

RESTS, PRIORITY_KEPT, UNSOLICITED = (
    int(EventFlags.RESTS),
    int(EventFlags.PRIORITY_KEPT),
    int(EventFlags.UNSOLICITED),
)
DORMANT = int(EventFlags.DORMANT)
BUY, SELL = int(Side.BUY), int(Side.SELL)
HIDDEN = int(OrderFlags.HIDDEN)
SELF_TRADE = int(CancelReason.SELF_TRADE)
AUCTION, INCOMING_HIDDEN = int(EventFlags.AUCTION), int(EventFlags.INCOMING_HIDDEN)
TWO_PARTIES = {
    *(Template.ORDER_EXECUTED, Template.ORDER_TRANSFERRED),
    *(Template.FEE_CHARGED, Template.TRADE_BUSTED, Template.TRADE_CORRECTED),
}
CALLS = (
    *(InstrumentState.PRE_OPEN, InstrumentState.OPENING_AUCTION, InstrumentState.VOLATILITY_AUCTION),
    *(InstrumentState.CLOSING_AUCTION, InstrumentState.NAV_COLLECTION),
)
Level = tuple[int, int, int]  # price [ticks], quantity [lots], orders


class CheckFailed(AssertionError):
    """Something that must hold does not; the message names the event."""


class SeenOrder:
    """An order as its events tell it."""

    __slots__ = (
        "dormant",
        "filled",
        "hidden",
        "instrument_id",
        "leaves",
        "order_id",
        "order_type",
        "participant_id",
        "price",
        "rests",
        "shown",
        "side",
        "stp_mode",
        "total",
    )

    def __init__(self, event: Any) -> None:
        self.order_id = event.order_id
        self.instrument_id = event.instrument_id
        self.participant_id = event.participant_id
        self.side = event.side
        self.order_type = event.order_type
        self.stp_mode = event.stp_mode
        self.price = event.price_ticks
        self.total = event.qty_lots
        self.leaves = event.leaves_lots
        self.filled = 0
        self.hidden = bool(event.order_flags & HIDDEN)
        self.shown = 0  # lots of an iceberg that stand at its place
        self.rests = False
        self.dormant = bool(event.event_flags & DORMANT)

    @property
    def book_price(self) -> int:
        """Price of its level [ticks]; market orders rest before all limits."""
        if self.order_type != OrderType.MARKET:
            return self.price
        return MARKET_BUY if self.side == BUY else MARKET_SELL


class EventChecker:
    """Follows an event log from its first event on and checks it.

    Notes
    -----
    Invariants: event and report numbers have no gaps; causes never go back; every order's quantity is what was filled,
    taken off and left; the resting party of a match is the first order of the best level, or where levels are shared
    out one of the best level; what two parties trade is the same; a book whose orders do not collect is never crossed
    at the end of a command; a participant's orders meet only where its mode allows, or in an auction; an auction trades
    at one price, as much as it said.
    """

    def __init__(self) -> None:
        self.last_seq = 0
        self.last_cause = 0
        self.report_seqs: dict[int, int] = defaultdict(int)  # session_id -> last report_seq
        self.orders: dict[int, SeenOrder] = {}  # live ones
        self.books: dict[tuple[int, int], dict[int, dict[int, SeenOrder]]] = defaultdict(dict)
        self.positions: dict[tuple[int, int], int] = defaultdict(int)  # (participant, instrument) -> lots
        self.cash: dict[tuple[int, int], int] = defaultdict(int)  # (participant, instrument) -> ticks x lots
        self.entered_lots = 0  # quantity of accepted orders, replaces counted by what they add or take off
        self.traded_lots = 0
        self.transferred_lots = 0
        self.canceled_lots = 0
        self.reduced_lots = 0
        self._shared_out: set[int] = (
            set()
        )  # instruments whose levels are not matched in order of arrival alone
        self.called: set[int] = set()  # instruments whose orders collect
        self.states: dict[int, int] = {}  # instrument_id -> InstrumentState
        self._auction: Any = None  # AuctionUncrossed of this command
        self._auction_left = 0  # lots it has still to trade
        self._touched: set[int] = set()  # instruments whose book this command changed
        self._readers = {
            Template.ORDER_ACCEPTED: self._accepted,
            Template.ORDER_EXECUTED: self._executed,
            Template.ORDER_TRANSFERRED: self._transferred,
            Template.ORDER_REFILLED: self._refilled,
            Template.ORDER_TERMS_SET: self._terms_set,
            Template.ORDER_TRIGGERED: self._triggered,
            Template.ORDER_RELEASED: self._released,
            Template.ORDER_CANCELED: self._canceled,
            Template.ORDER_REDUCED: self._reduced,
            Template.ORDER_REPLACED: self._replaced,
            Template.ORDER_RESTED: self._rested,
            Template.ALLOCATION_SET: self._allocation_set,
            Template.COMMAND_DONE: self._done,
            Template.PHASE_CHANGED: self._phase,
            Template.AUCTION_UNCROSSED: self._uncrossed,
        }

    def apply(self, events: Any) -> None:
        """Check the next events of the log (records of 128 bytes)."""
        for template, event in read_events(events):
            self._number(template, event)
            reader = self._readers.get(Template(template))
            if reader is not None:
                reader(event)
        self._end_command()

    def depth(self, instrument_id: int, side: int, levels_max: int = 1 << 30) -> list[Level]:
        """The best levels of the book the events make."""
        levels = self.books[instrument_id, side]
        prices = sorted(levels, reverse=side == BUY)[:levels_max]
        return [(p, sum(o.leaves for o in levels[p].values()), len(levels[p])) for p in prices]

    def check_totals(self) -> None:
        """Positions and cash sum to zero in each instrument, and no lot has appeared or vanished."""
        for what in (self.positions, self.cash):
            sums: dict[int, int] = defaultdict(int)
            for (_, instrument_id), amount in what.items():
                sums[instrument_id] += amount
            self._demand(not any(sums.values()), f"positions or cash do not sum to zero: {dict(sums)}")
        left = sum(order.leaves for order in self.orders.values())
        gone = 2 * (self.traded_lots + self.transferred_lots) + self.canceled_lots + self.reduced_lots
        self._demand(
            self.entered_lots == left + gone,
            f"{self.entered_lots} lots entered, {left} left, {gone} traded or taken",
        )

    def check_engine(self, engine: Any, instruments: Iterable[int], levels_max: int = 1 << 20) -> None:
        """An engine's books (or a BookView's: anything with `depth`) are the ones the events make."""
        for instrument_id in instruments:
            for side in (BUY, SELL):
                found = [
                    tuple(int(v) for v in level) for level in engine.depth(instrument_id, side, levels_max)
                ]
                expected = self.depth(instrument_id, side, levels_max)
                self._demand(
                    found == expected,
                    f"depth of instrument {instrument_id} side {side} is {found[:5]}.., events make {expected[:5]}..",
                )

    # ---------------------------------------------------------------- numbers

    def _number(self, template: int, event: Any) -> None:
        self._demand(event.seq == self.last_seq + 1, f"event seq {event.seq} follows {self.last_seq}")
        self.last_seq = event.seq
        if event.cause_seq != self.last_cause:
            self._demand(
                event.cause_seq == self.last_cause + 1, f"cause {event.cause_seq} follows {self.last_cause}"
            )
            self._end_command()
            self.last_cause = event.cause_seq
        if template in TWO_PARTIES:
            self._report(event.resting_session_id, event.resting_report_seq)
            self._report(event.incoming_session_id, event.incoming_report_seq)
        elif template in (Template.ORDER_RESTED, Template.ORDER_REFILLED, Template.ALLOCATION_SET):
            self._demand(event.report_seq == 0, "what concerns the book only is reported")
        elif template not in (Template.INSTRUMENT_DEFINED, Template.ORDER_TERMS_SET):
            self._report(event.session_id, event.report_seq)

    def _report(self, session_id: int, report_seq: int) -> None:
        if report_seq == 0:
            return
        expected = self.report_seqs[session_id] + 1
        self._demand(report_seq == expected, f"session {session_id} gets report {report_seq}, not {expected}")
        self.report_seqs[session_id] = report_seq

    def _end_command(self) -> None:
        self._demand(self._auction_left == 0, f"an auction leaves {self._auction_left} lots it said it trades")
        self._auction = None
        for instrument_id in self._touched - self.called:
            bids, asks = self.books[instrument_id, BUY], self.books[instrument_id, SELL]
            self._demand(
                not bids or not asks or max(bids) < min(asks), f"instrument {instrument_id} is crossed"
            )
        self._touched.clear()

    def _demand(self, holds: bool, message: str) -> None:
        if not holds:
            raise CheckFailed(f"at event {self.last_seq} of command {self.last_cause}: {message}")

    # ---------------------------------------------------------------- orders

    def _accepted(self, event: Any) -> None:
        self._demand(event.order_id not in self.orders, f"order {event.order_id:#x} is accepted twice")
        self._demand(event.leaves_lots == event.qty_lots > 0, "an accepted order has all its quantity left")
        slots = {order_id & 0xFFFFFF for order_id in self.orders} if len(self.orders) < 64 else set()
        self._demand(event.order_id & 0xFFFFFF not in slots, "the slot is taken")
        order = self.orders[event.order_id] = SeenOrder(event)
        self.entered_lots += order.total
        if event.event_flags & RESTS:
            self._rest(order)

    def _allocation_set(self, event: Any) -> None:
        self._shared_out.discard(event.instrument_id)
        if event.fifo_bp != 10_000 or event.top or event.share_count:
            self._shared_out.add(event.instrument_id)

    def _executed(self, event: Any) -> None:
        resting, incoming = self._matched(event)
        own = resting.participant_id == incoming.participant_id and not event.event_flags & AUCTION
        self._demand(not own or incoming.stp_mode == StpMode.NONE, "a self-trade that is not allowed")
        qty = event.qty_lots
        self.traded_lots += qty
        for order in (resting, incoming):
            signed = qty if order.side == BUY else -qty
            self.positions[order.participant_id, order.instrument_id] += signed
            self.cash[order.participant_id, order.instrument_id] -= signed * event.price_ticks
            if order.leaves == 0:
                self._end(order)

    def _transferred(self, event: Any) -> None:
        resting, incoming = self._matched(event)
        self._demand(resting.participant_id != incoming.participant_id, "a transfer inside a participant")
        self._demand(incoming.stp_mode == StpMode.TRANSFER, "a transfer that was not asked for")
        self.transferred_lots += event.qty_lots
        for order in (resting, incoming):
            if order.leaves == 0:
                self._end(order)

    def _matched(self, event: Any) -> tuple[SeenOrder, SeenOrder]:
        """The parties of a match or transfer, with its lots taken off."""
        resting, incoming = self._order(event.resting_order_id), self._order(event.incoming_order_id)
        qty = event.qty_lots
        self._demand(qty > 0, f"match of {qty} lots")
        self._demand(resting.rests, "the resting order does not rest")
        self._demand(not resting.dormant and not incoming.dormant, "a dormant order matches")
        self._demand(resting.side != incoming.side == event.incoming_side, "sides of the match")
        if event.instrument_id in self._shared_out and not event.event_flags & AUCTION:
            best = self.depth(event.instrument_id, resting.side, 1)[0][0]
            self._demand(resting.price == best, "the resting order is not on the best level")
        else:
            self._demand(self._is_first(resting), "the resting order is not the first of the best level")
        self._demand(self._is_within(incoming, event.price_ticks), "the incoming order's limit is broken")
        self._demand(event.resting_hidden == resting.hidden, "resting_hidden of the match")
        if event.event_flags & AUCTION:
            self._check_auction_match(event, resting, incoming)
        else:
            self._demand(not incoming.rests, "the incoming order rests")
            self._demand(event.price_ticks == resting.price, "the price is not the resting order's")
        self._fill(resting, qty, event.resting_leaves_lots)
        self._fill(incoming, qty, event.incoming_leaves_lots)
        if event.event_flags & AUCTION:  # from what is not shown first
            for order in (resting, incoming):
                order.shown = min(order.shown, order.leaves)
        else:
            self._unshow(resting, qty)
        return resting, incoming

    def _unshow(self, order: SeenOrder, qty: int) -> None:
        """Take lots off the shown part of an iceberg."""
        self._demand(order.shown == 0 or qty <= order.shown, f"{qty} lots matched of {order.shown} shown")
        if order.shown:
            order.shown -= qty

    def _terms_set(self, event: Any) -> None:
        order = self._order(event.order_id)
        self._demand(not order.rests, "terms of an order that rests already")

    def _triggered(self, event: Any) -> None:
        order = self._order(event.order_id)
        self._demand(order.dormant, "an order that is not dormant is triggered")
        self._demand(event.leaves_lots == order.leaves, "leaves of what is triggered")
        self._demand(event.price_ticks == order.price, "price of what is triggered")
        order.dormant, order.order_type = False, event.order_type

    def _released(self, event: Any) -> None:
        order = self._order(event.order_id)
        self._demand(order.dormant, "an order that is not dormant is released")
        self._demand(event.leaves_lots == order.leaves, "leaves of what is released")
        self._demand(event.price_ticks == order.price, "price of what is released")
        order.dormant = bool(event.event_flags & DORMANT)

    def _refilled(self, event: Any) -> None:
        order = self._order(event.order_id)
        self._demand(order.rests and order.shown == 0, "a part is shown before the last one is gone")
        self._demand(0 < event.shown_lots <= event.leaves_lots == order.leaves, "the part shown next")
        order.shown = event.shown_lots
        self._take(order)
        self._rest(order)

    def _check_auction_match(self, event: Any, sell: SeenOrder, buy: SeenOrder) -> None:
        self._demand(self._auction is not None, "a match of an auction that has not uncrossed")
        self._demand(buy.rests and buy.side == BUY, "the incoming order of an auction is no resting buy")
        self._demand(self._is_first(buy), "the buy is not the first of the best level")
        self._demand(self._is_within(sell, event.price_ticks), "the seller's limit is broken")
        self._demand(event.price_ticks == self._auction.price_ticks, "the price is not the auction's")
        told = bool(event.event_flags & INCOMING_HIDDEN)
        self._demand(told == buy.hidden, "INCOMING_HIDDEN of an auction's match")
        self._auction_left -= event.qty_lots

    def _uncrossed(self, event: Any) -> None:
        self._auction, self._auction_left = event, event.qty_lots
        if self.states.get(event.instrument_id) != InstrumentState.NAV_COLLECTION:
            self.called.discard(event.instrument_id)
        self._touched.add(event.instrument_id)

    def _done(self, event: Any) -> None:
        if event.done_template in (Template.SET_INSTRUMENT_STATE, Template.START_CALL):
            self._take_state(event.instrument_id, event.state)

    def _phase(self, event: Any) -> None:
        self._demand(event.state_before == self.states[event.instrument_id], "state before a change of phase")
        self._take_state(event.instrument_id, event.state)

    def _take_state(self, instrument_id: int, state: int) -> None:
        self.states[instrument_id] = state
        if state in CALLS:
            self.called.add(instrument_id)

    def _canceled(self, event: Any) -> None:
        order = self._order(event.order_id)
        self._demand(
            event.qty_lots == order.leaves, f"{event.qty_lots} lots cancelled, {order.leaves} were left"
        )
        self._demand(event.leaves_lots == 0, "a cancelled order has something left")
        self._demand(bool(event.event_flags & RESTS) == order.rests, "RESTS of the cancel")
        self._demand(bool(event.event_flags & DORMANT) == order.dormant, "DORMANT of the cancel")
        self._demand(event.price_ticks == order.price, "price of the cancelled order")
        if event.event_flags & UNSOLICITED:
            self._demand(
                event.client_seq == event.request_client_ref == 0, "an unsolicited cancel names a request"
            )
        self.canceled_lots += order.leaves
        order.leaves = 0
        self._end(order)

    def _reduced(self, event: Any) -> None:
        order = self._order(event.order_id)
        self._demand(0 < event.qty_lots < order.leaves, f"{event.qty_lots} of {order.leaves} lots taken off")
        order.leaves -= event.qty_lots
        order.total -= event.qty_lots
        if event.cancel_reason == SELF_TRADE:
            self._unshow(order, event.qty_lots)
        else:
            order.shown = min(order.shown, order.leaves)
        self.reduced_lots += event.qty_lots
        self._demand(event.leaves_lots == order.leaves, f"leaves {event.leaves_lots}, not {order.leaves}")

    def _replaced(self, event: Any) -> None:
        order = self._order(event.order_id)
        self._demand(order.rests != order.dormant, "an order that does not rest is replaced")
        self._demand(bool(event.event_flags & DORMANT) == order.dormant, "DORMANT of the replace")
        self._demand(event.leaves_before_lots == order.leaves, "leaves before the replace")
        self._demand(event.price_before_ticks == order.price, "price before the replace")
        self._demand(event.leaves_lots == event.qty_lots - order.filled > 0, "leaves after the replace")
        keeps = order.dormant or (event.price_ticks == order.price and event.qty_lots <= order.total)
        self._demand(bool(event.event_flags & PRIORITY_KEPT) == keeps, "PRIORITY_KEPT of the replace")
        self.entered_lots += event.qty_lots - order.total
        if not keeps:
            self._take(order)
        order.total, order.leaves, order.price = event.qty_lots, event.leaves_lots, event.price_ticks
        order.shown = min(order.shown, order.leaves) if keeps else 0
        if not keeps and event.event_flags & RESTS:
            self._rest(order)

    def _rested(self, event: Any) -> None:
        order = self._order(event.order_id)
        self._demand(not order.rests and not order.dormant, "an order rests twice, or dormant")
        self._demand(event.leaves_lots == order.leaves, "leaves of what rests")
        if order.order_type == OrderType.LIMIT:
            self._demand(event.price_ticks == order.price, "price of what rests")
        if event.order_type != OrderType.LIMIT:  # without a limit in a call only
            self._demand(event.order_type == order.order_type == OrderType.MARKET, "type of what rests")
            self._demand(self.states[event.instrument_id] in CALLS, "a market order rests outside of a call")
        order.order_type, order.price, order.shown = event.order_type, event.price_ticks, event.shown_lots
        self._rest(order)

    # ---------------------------------------------------------------- books

    def _order(self, order_id: int) -> SeenOrder:
        order = self.orders.get(order_id)
        self._demand(order is not None, f"order {order_id:#x} is not live")
        assert order is not None
        return order

    def _fill(self, order: SeenOrder, qty: int, leaves: int) -> None:
        self._demand(qty <= order.leaves, f"{qty} lots matched of {order.leaves}")
        order.leaves -= qty
        order.filled += qty
        self._demand(order.leaves == leaves, f"leaves {leaves}, not {order.leaves}")
        self._demand(order.filled + order.leaves == order.total, "filled and left do not add up")

    def _rest(self, order: SeenOrder) -> None:
        order.rests = True
        level = self.books[order.instrument_id, order.side].setdefault(order.book_price, {})
        level[order.order_id] = order
        if not order.hidden:  # stands before the hidden ones
            for hidden in [each for each in level.values() if each.hidden]:
                level[hidden.order_id] = level.pop(hidden.order_id)
        self._touched.add(order.instrument_id)

    def _take(self, order: SeenOrder) -> None:
        levels = self.books[order.instrument_id, order.side]
        price = order.book_price
        del levels[price][order.order_id]
        if not levels[price]:
            del levels[price]
        order.rests = False

    def _end(self, order: SeenOrder) -> None:
        if order.rests:
            self._take(order)
        del self.orders[order.order_id]

    def _is_first(self, order: SeenOrder) -> bool:
        levels = self.books[order.instrument_id, order.side]
        best = max(levels) if order.side == BUY else min(levels)
        return order.book_price == best and next(iter(levels[best])) == order.order_id

    @staticmethod
    def _is_within(order: SeenOrder, price: int) -> bool:
        if order.order_type != OrderType.LIMIT:
            return True
        return price <= order.price if order.side == BUY else price >= order.price
