"""Phases and auctions of the reference engine: section 11 of the rule book, in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from tradsys.sim import reference_events as events
from tradsys.sim.reference_allocation import Allocations
from tradsys.sim.reference_book import BUY, SELL, Order, ReferenceBook
from tradsys.sim.reference_definitions import NO_PRICE, Auction, Definitions, Instrument, Session
from tradsys.sim.reference_hash import hash_words
from tradsys.wire.enums import (
    CancelReason,
    EventFlags,
    InstrumentState,
    OrderFlags,
    OrderType,
    RejectReason,
    Template,
    TimeInForce,
)

if TYPE_CHECKING:
    from tradsys.sim.reference_risk import ReferenceRisk
    from tradsys.sim.reference_triggers import Triggers

TIME_MAX = (1 << 63) - 1
DURATION_MAX = 10**18
RANGE_MAX = 10_000  # basis points
CLOSED, OPEN, HALTED = int(InstrumentState.CLOSED), int(InstrumentState.OPEN), int(InstrumentState.HALTED)
PRE_OPEN, OPENING = int(InstrumentState.PRE_OPEN), int(InstrumentState.OPENING_AUCTION)
VOLATILITY, CLOSING = int(InstrumentState.VOLATILITY_AUCTION), int(InstrumentState.CLOSING_AUCTION)
AT_CLOSE_STATE, NAV = int(InstrumentState.TRADE_AT_CLOSE), int(InstrumentState.NAV_COLLECTION)
CANCEL_ONLY, POST_ONLY_STATE = int(InstrumentState.CANCEL_ONLY), int(InstrumentState.POST_ONLY)
LIMIT, MARKET = int(OrderType.LIMIT), int(OrderType.MARKET)
DAY, GTC, IOC, FOK, GTD = (int(TimeInForce[name]) for name in ("DAY", "GTC", "IOC", "FOK", "GTD"))
AT_OPEN, AT_CLOSE = int(TimeInForce.AT_OPEN), int(TimeInForce.AT_CLOSE)
FOR_AUCTION, GTX = int(TimeInForce.GOOD_FOR_AUCTION), int(TimeInForce.GTX)
POST_ONLY = int(OrderFlags.POST_ONLY)
RESTS, AUCTION = int(EventFlags.RESTS), int(EventFlags.AUCTION)
INCOMING_HIDDEN = int(EventFlags.INCOMING_HIDDEN)
NOT_REFUSED = int(RejectReason.NONE)

SHUT = (CLOSED, HALTED, CANCEL_ONLY)
AUCTIONS = (OPENING, VOLATILITY, CLOSING)
CALLS = (PRE_OPEN, *AUCTIONS, NAV)
TIMES_IN_FORCE = {  # 11.1
    OPEN: (DAY, GTC, GTD, IOC, FOK, GTX),
    POST_ONLY_STATE: (DAY, GTC, GTD, GTX),
    PRE_OPEN: (DAY, GTC, GTD, AT_OPEN, FOR_AUCTION),
    OPENING: (DAY, GTC, GTD, AT_OPEN, FOR_AUCTION),
    VOLATILITY: (DAY, GTC, GTD, FOR_AUCTION),
    CLOSING: (DAY, GTC, GTD, AT_CLOSE, FOR_AUCTION),
    AT_CLOSE_STATE: (DAY, GTC, GTD, IOC, FOK),
    NAV: (DAY, GTC, GTD),
}
_ANY = tuple(state for state in range(CLOSED, POST_ONLY_STATE + 1) if state != AT_CLOSE_STATE)
_RUNNING = (CLOSED, OPEN, HALTED, VOLATILITY, CLOSING, CANCEL_ONLY, POST_ONLY_STATE)
FOLLOWERS = {  # 11.2
    CLOSED: _ANY,
    HALTED: _ANY,
    CANCEL_ONLY: _ANY,
    OPEN: _RUNNING,
    POST_ONLY_STATE: _RUNNING,
    PRE_OPEN: (CLOSED, OPEN, HALTED, PRE_OPEN, OPENING, CANCEL_ONLY),
    OPENING: (CLOSED, OPEN, HALTED, OPENING, CANCEL_ONLY, POST_ONLY_STATE),
    VOLATILITY: (CLOSED, OPEN, HALTED, VOLATILITY, CLOSING, CANCEL_ONLY, POST_ONLY_STATE),
    CLOSING: (CLOSED, OPEN, HALTED, CLOSING, AT_CLOSE_STATE, CANCEL_ONLY),
    AT_CLOSE_STATE: (CLOSED, HALTED, AT_CLOSE_STATE, CANCEL_ONLY),
    NAV: (CLOSED, HALTED, NAV, CANCEL_ONLY),
}
FOR_THE_UNCROSS = (AT_OPEN, AT_CLOSE, FOR_AUCTION)


class Outcome(NamedTuple):
    """What an uncross comes to; without a price nothing matches."""

    price: int = NO_PRICE  # ticks
    volume: int = 0  # lots
    surplus: int = 0  # lots, buys above sells; negative: sells above buys

    def told(self) -> tuple[int, int, int, int]:
        """Price, volume, surplus and its side, as events have them."""
        side = BUY if self.surplus > 0 else SELL if self.surplus < 0 else 0
        return self.price, self.volume, abs(self.surplus), side


def demand_at(book: ReferenceBook, price: int) -> int:
    """Lots of market buys and of buys limited at `price` [ticks] or higher."""
    return sum(order.leaves for order in book.sides[BUY].orders() if order.book_price >= price)


def supply_at(book: ReferenceBook, price: int) -> int:
    """Lots of market sells and of sells limited at `price` [ticks] or lower."""
    return sum(order.leaves for order in book.sides[SELL].orders() if order.book_price <= price)


def outcome_at(book: ReferenceBook, price: int) -> Outcome:
    """What an uncross at a given price comes to."""
    demand, supply = demand_at(book, price), supply_at(book, price)
    return Outcome(price, min(demand, supply), demand - supply)


def auction_outcome(book: ReferenceBook, reference: int) -> Outcome:
    """The price of rule 11.6 and what comes of it, straight from its sentences."""
    limits = {
        order.price
        for side in (BUY, SELL)
        for order in book.sides[side].orders()
        if order.order_type != MARKET
    }
    if reference != NO_PRICE:
        limits.add(reference)
    outcomes = [outcome_at(book, price) for price in sorted(limits)]
    volume = max((outcome.volume for outcome in outcomes), default=0)
    if volume == 0:
        return Outcome()
    kept = [outcome for outcome in outcomes if outcome.volume == volume]
    surplus = min(abs(outcome.surplus) for outcome in kept)
    kept = [outcome for outcome in kept if abs(outcome.surplus) == surplus]
    low = max((outcome.price for outcome in kept if outcome.surplus > 0), default=kept[0].price)
    high = min((outcome.price for outcome in kept if outcome.surplus < 0), default=kept[-1].price)
    if all(outcome.surplus > 0 for outcome in kept):
        price = low
    elif all(outcome.surplus < 0 for outcome in kept):
        price = high
    else:
        price = max(reference, low) if max(reference, low) <= high else high
    return outcome_at(book, price)


def is_outside(price: int, reference: int, range_bp: int) -> bool:
    """Whether a price is further from the reference than its range (11.15); no price or range, no bound."""
    if range_bp == 0 or reference == NO_PRICE:
        return False
    return abs(price - reference) > abs(reference) * range_bp // 10_000


def later(time: int, duration: int) -> int:
    """A time computed stays in [1, 2^63 - 1] (11.13)."""
    return min(max(time + duration, 1), TIME_MAX)


class Auctions(Definitions):
    """The commands and hooks of section 11; the engine brings orders and matching."""

    risk: ReferenceRisk
    _cancel_resting: Callable[..., None]
    _end: Callable[[Order], None]
    _draft: Callable[..., Order]
    _admit: Callable[[Order], None]
    _accepted: Callable[[Order, int], None]
    _has_room_for_an_order: Callable[[], bool]
    orders: dict[int, Order]
    allocations: Allocations
    triggers: Triggers

    # ---------------------------------------------------------------- what a phase takes

    def _phase_commands(self) -> dict[int, Callable[[Any], None]]:
        """The commands of section 11 by template."""
        return {
            int(Template.SET_AUCTION_RULES): self._set_auction_rules,
            int(Template.START_CALL): self._start_call,
            int(Template.AUCTION_TIMER): self._auction_timer,
            int(Template.PUBLISH_NAV): self._publish_nav,
        }

    def _phase_refusal(self, instrument: Instrument, order_type: int, time_in_force: int, flags: int) -> int:
        """WRONG_PHASE of a new order (11.3); the state takes orders."""
        if time_in_force not in TIMES_IN_FORCE[instrument.state]:
            return RejectReason.WRONG_PHASE
        if instrument.state == POST_ONLY_STATE and order_type != LIMIT:
            return RejectReason.WRONG_PHASE
        return RejectReason.WRONG_PHASE if instrument.state in CALLS and flags & POST_ONLY else NOT_REFUSED

    @staticmethod
    def _posts_only(instrument: Instrument, flags: int) -> bool:
        """Whether an order or replace may not match."""
        return bool(flags & POST_ONLY) or instrument.state == POST_ONLY_STATE

    @staticmethod
    def _misses_the_close(instrument: Instrument, price: int) -> bool:
        """Whether a limit is not the price TRADE_AT_CLOSE trades at (11.12)."""
        return instrument.state == AT_CLOSE_STATE and price != instrument.auction.closing_price

    # ---------------------------------------------------------------- price ranges

    @staticmethod
    def _limit_in_range(
        instrument: Instrument, side: int, limit: int | None, best: int | None
    ) -> tuple[bool, int | None]:
        """Whether the other side's best price is in the ranges as they are now, and the limit within them (11.15)."""
        auction = instrument.auction
        ranges = (
            (auction.last_price, auction.dynamic_range_bp),
            (auction.auction_price, auction.static_range_bp),
        )
        if instrument.state != OPEN or best is None:
            return True, limit
        for reference, range_bp in ranges:
            if range_bp == 0 or reference == NO_PRICE:
                continue
            if is_outside(best, reference, range_bp):
                return False, limit
            room = abs(reference) * range_bp // 10_000
            edge = reference + room if side == BUY else reference - room
            if limit is None:
                limit = edge
            else:
                limit = min(limit, edge) if side == BUY else max(limit, edge)
        return True, limit

    def _interrupt(self, instrument: Instrument, price: int) -> None:
        """Begin the volatility auction because a match at `price` was not made."""
        auction = instrument.auction
        auction.drop_plan()
        auction.state_after = OPEN
        if auction.volatility_call_ns:
            auction.end = later(self._ts_ns, auction.volatility_call_ns)
        before, instrument.state = instrument.state, VOLATILITY
        self._phase_changed(instrument, before, price)
        self._begin_call(instrument, before)

    # ---------------------------------------------------------------- commands

    def _set_instrument_state(self, command: Any) -> None:
        instrument = self.instruments.get(command.instrument_id)
        reason = self._instrument_refusal(instrument)
        if not reason and not self._may_follow(instrument, command.state):
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        assert instrument is not None
        before = self._leave(instrument, command.state)
        if command.state != before or command.state == HALTED:
            instrument.auction.drop_plan()
        self._command_done(command, state_before=before)
        self._begin_call(instrument, before)

    def _set_auction_rules(self, command: Any) -> None:
        instrument = self.instruments.get(command.instrument_id)
        reason = self._instrument_refusal(instrument)
        if not reason and not self._rules_hold(instrument, command):
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        assert instrument is not None
        auction = instrument.auction
        auction.ruled = 1
        for name in ("dynamic_range_bp", "static_range_bp", "extension_range_bp"):
            setattr(auction, name, getattr(command, name))
        for name in ("volatility_call_ns", "random_ns", "extension_ns", "extensions_max"):
            setattr(auction, name, getattr(command, name))
        if command.reference_price_ticks != NO_PRICE:
            auction.last_price = auction.auction_price = command.reference_price_ticks
        self._command_done(command)

    def _start_call(self, command: Any) -> None:
        instrument = self.instruments.get(command.instrument_id)
        reason = self._instrument_refusal(instrument)
        if not reason and not self._call_holds(instrument, command):
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        assert instrument is not None
        before, instrument.state = instrument.state, command.state
        auction = instrument.auction
        auction.drop_plan()
        auction.end, auction.state_after = command.end_ts_ns, command.state_after
        self._command_done(command, state_before=before)
        self._begin_call(instrument, before)

    def _auction_timer(self, command: Any) -> None:
        instrument = self.instruments.get(command.instrument_id)
        reason = self._instrument_refusal(instrument)
        if reason:
            self._reject_command(command, reason)
            return
        assert instrument is not None
        if instrument.state in AUCTIONS:
            self._tick(instrument)
        elif instrument.state == HALTED:
            self._end_halt(instrument)  # type: ignore[attr-defined]
        self._command_done(command)

    def _tick(self, instrument: Instrument) -> None:
        """One AUCTION_TIMER of a call (11.11)."""
        auction = instrument.auction
        if auction.end and not auction.due and self._ts_ns >= auction.end:
            auction.due = later(auction.end, self._delay(instrument))
        outcome = auction_outcome(self.books[instrument.instrument_id], auction.last_price)
        if not auction.due or self._ts_ns < auction.due:
            self._emit(
                events.write_auction_indicative(
                    *self._event_head(),
                    *outcome.told()[:3],
                    auction.last_price,
                    auction.end,
                    instrument.instrument_id,
                    *(0, 0),  # nobody is told
                    instrument.state,
                    outcome.told()[3],
                )
            )
        elif self._is_to_be_extended(auction, outcome):
            auction.end, auction.due = later(auction.due, auction.extension_ns), 0
            auction.extensions += 1
            self._emit(
                events.write_call_extended(
                    *self._event_head(),
                    outcome.price,
                    auction.auction_price,
                    auction.end,
                    instrument.instrument_id,
                    *(0, 0),  # nobody is told
                    instrument.state,
                    auction.extensions,
                )
            )
        else:
            before = self._leave(instrument, auction.state_after)
            auction.drop_plan()
            self._phase_changed(instrument, before, NO_PRICE)

    def _publish_nav(self, command: Any) -> None:
        instrument = self.instruments.get(command.instrument_id)
        issuer = self.sessions.get(command.issuer_session_id)
        reason = self._instrument_refusal(instrument)
        if not reason:
            assert instrument is not None
            reason = self._nav_refusal(instrument, issuer, command)
        if reason:
            self._reject_command(command, reason)
            return
        assert instrument is not None
        assert issuer is not None
        book = self.books[instrument.instrument_id]
        surplus = outcome_at(book, command.price_ticks).surplus
        issuer_id = issuer.participant.participant_id
        if surplus and not self.risk.has_room_for(issuer_id, 0, instrument.instrument_id):
            self._reject_command(command, RejectReason.POSITIONS_FULL)
            return
        self._command_done(command)
        if surplus:
            self._enter_for_issuer(instrument, issuer, surplus)
        self._execute_all(instrument, outcome_at(book, command.price_ticks), NAV)
        instrument.auction.called = int(instrument.state == NAV)

    def _enter_for_issuer(self, instrument: Instrument, issuer: Session, surplus: int) -> None:
        """The market order that takes what buyers and sellers of a fund do not take of each other (11.16)."""
        wanted = SimpleNamespace(
            client_ref=self._client_ref,
            price_ticks=0,
            qty_lots=abs(surplus),
            account_id=0,
            instrument_id=instrument.instrument_id,
            side=SELL if surplus > 0 else BUY,
            order_type=MARKET,
            time_in_force=DAY,
            stp_mode=0,
            order_flags=0,
            expire_ts_ns=0,
        )
        order = self._draft(wanted, issuer)
        self._admit(order)
        self._accepted(order, RESTS)
        own = self.books[instrument.instrument_id].own(order)
        own.add(order)
        self.orders[order.order_id] = order
        self.allocations.note_rested(order, own)

    # ---------------------------------------------------------------- checks

    def _instrument_refusal(self, instrument: Instrument | None) -> int:
        return self._operator_refusal(RejectReason.UNKNOWN_INSTRUMENT if instrument is None else NOT_REFUSED)

    def _may_follow(self, instrument: Instrument | None, state: int) -> bool:
        assert instrument is not None
        if state not in FOLLOWERS[instrument.state]:
            return False
        return state != AT_CLOSE_STATE or self._closing_price(instrument) != NO_PRICE

    def _closing_price(self, instrument: Instrument) -> int:
        """The closing price TRADE_AT_CLOSE would have if it began now (11.12)."""
        auction = instrument.auction
        if instrument.state != CLOSING:
            return auction.closing_price
        found = auction_outcome(self.books[instrument.instrument_id], auction.last_price).price
        return found if found != NO_PRICE else auction.last_price

    @staticmethod
    def _rules_hold(instrument: Instrument | None, command: Any) -> bool:
        assert instrument is not None
        ranges = (command.dynamic_range_bp, command.static_range_bp, command.extension_range_bp)
        times = (command.volatility_call_ns, command.random_ns, command.extension_ns)
        if max(ranges) > RANGE_MAX or min(times) < 0 or max(times) > DURATION_MAX:
            return False
        price = command.reference_price_ticks
        return price == NO_PRICE or not instrument.price_refusal(price)

    @staticmethod
    def _call_holds(instrument: Instrument | None, command: Any) -> bool:
        assert instrument is not None
        if command.state not in AUCTIONS or command.state not in FOLLOWERS[instrument.state]:
            return False
        uncrossing = (CLOSED, OPEN, POST_ONLY_STATE, AT_CLOSE_STATE)
        return (
            command.state_after in uncrossing
            and command.state_after in FOLLOWERS[command.state]
            and command.end_ts_ns >= 1
        )

    def _nav_refusal(self, instrument: Instrument, issuer: Session | None, command: Any) -> int:
        if (
            instrument.state not in (NAV, CLOSED, CANCEL_ONLY)
            or not instrument.auction.called
            or issuer is None
            or instrument.price_refusal(command.price_ticks)
        ):
            return RejectReason.BAD_DEFINITION
        surplus = abs(outcome_at(self.books[instrument.instrument_id], command.price_ticks).surplus)
        if surplus == 0:
            return NOT_REFUSED
        if surplus > instrument.qty_max_lots:
            return RejectReason.BAD_QUANTITY
        if command.client_ref in issuer.live:
            return RejectReason.DUPLICATE_CLIENT_REF
        return NOT_REFUSED if self._has_room_for_an_order() else RejectReason.BOOK_FULL

    @staticmethod
    def _is_to_be_extended(auction: Auction, outcome: Outcome) -> bool:
        if outcome.price == NO_PRICE or auction.extensions >= auction.extensions_max:
            return False
        return is_outside(outcome.price, auction.auction_price, auction.extension_range_bp)

    def _delay(self, instrument: Instrument) -> int:
        """How much later than planned a call ends [ns] (11.11)."""
        words = (self.last_event_seq, instrument.instrument_id, instrument.auction.end)
        return hash_words(words) % (instrument.auction.random_ns + 1)

    # ---------------------------------------------------------------- from phase to phase

    def _leave(self, instrument: Instrument, state: int) -> int:
        """Uncross where 11.5 says so and take the state; the state before."""
        before, auction = instrument.state, instrument.auction
        outcome = auction_outcome(self.books[instrument.instrument_id], auction.last_price)
        if before == CLOSING and state not in CALLS and state not in (HALTED, CANCEL_ONLY):
            auction.closing_price = outcome.price if outcome.price != NO_PRICE else auction.last_price
        if state == AT_CLOSE_STATE and auction.closing_price == NO_PRICE:
            state = CLOSED
        uncrosses = state in (OPEN, POST_ONLY_STATE, AT_CLOSE_STATE) or (
            state == CLOSED and before in AUCTIONS
        )
        if auction.called and uncrosses:
            self._execute_all(instrument, outcome, before)
        instrument.state = state
        return before

    def _begin_call(self, instrument: Instrument, before: int) -> None:
        """What a call state brings (11.5, 11.9)."""
        if instrument.state not in CALLS:
            return
        instrument.auction.called = 1
        if before not in CALLS:
            self._cancel_all(instrument, lambda order: order.time_in_force == GTX, CancelReason.CALL_BEGAN)

    def _execute_all(self, instrument: Instrument, outcome: Outcome, state: int) -> None:
        """The uncross at a price that has been found (11.7, 11.8)."""
        auction = instrument.auction
        self._emit(
            events.write_auction_uncrossed(
                *self._event_head(),
                *outcome.told()[:3],
                auction.last_price,
                instrument.instrument_id,
                *(0, 0),  # nobody is told
                state,
                outcome.told()[3],
            )
        )
        auction.called = 0
        book, left = self.books[instrument.instrument_id], outcome.volume
        while left:
            buy, sell = book.sides[BUY].first(), book.sides[SELL].first()
            qty = min(buy.leaves, sell.leaves)
            left -= qty
            self._execute_in_auction(buy, sell, qty, outcome.price)
        if outcome.volume:
            auction.last_price = auction.auction_price = outcome.price
        self._cancel_all(
            instrument,
            lambda order: order.order_type == MARKET or order.time_in_force in FOR_THE_UNCROSS,
            CancelReason.AUCTION_REMAINDER,
        )

    def _execute_in_auction(self, buy: Order, sell: Order, qty: int, price: int) -> None:
        """One match of an uncross."""
        self.triggers.note_match(sell.instrument_id, price)
        buy.leaves -= qty
        sell.leaves -= qty
        sell_report = self._report(sell.session)
        buy_report = self._report(buy.session)
        self._emit(
            events.write_executed(
                *self._event_head(),
                sell.order_id,
                sell.client_ref,
                price,
                qty,
                sell.leaves,
                sell.instrument_id,
                sell.session.session_id,
                sell.account_id,
                sell_report,
                buy.order_id,
                buy.client_ref,
                buy.leaves,
                buy.session.session_id,
                buy.account_id,
                buy_report,
                BUY,
                int(sell.is_hidden),
                AUCTION | (INCOMING_HIDDEN if buy.is_hidden else 0),
            )
        )
        for order in (sell, buy):
            order.shown = min(order.shown, order.leaves)  # 9.26
            if order.leaves == 0:
                self.books[order.instrument_id].own(order).remove(order)
                self._end(order)

    def _cancel_all(self, instrument: Instrument, wanted: Callable[[Order], bool], reason: int) -> None:
        """Cancel orders of an instrument: buys, then sells, in priority."""
        for order in list(self._in_priority(instrument)):
            if wanted(order):
                self._cancel_resting(order, reason, unsolicited=True)

    def _in_priority(self, instrument: Instrument) -> Iterator[Order]:
        for side in (BUY, SELL):
            yield from self.books[instrument.instrument_id].sides[side].orders()

    def _phase_changed(self, instrument: Instrument, before: int, price: int) -> None:
        self._emit(
            events.write_phase_changed(
                *self._event_head(),
                price,
                instrument.auction.end,
                instrument.instrument_id,
                *(0, 0),  # nobody is told
                instrument.state,
                before,
            )
        )
