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
from tradsys.sim import reference_orders as orders
from tradsys.sim.reference_allocation import Allocations
from tradsys.sim.reference_auctions import CALLS, DAY, GTD, LIMIT, MARKET, POST_ONLY, RESTS, SHUT
from tradsys.sim.reference_book import BUY, SELL, Order
from tradsys.sim.reference_breakers import BreakerCommands, ReferenceBreakers
from tradsys.sim.reference_checks import check_engine
from tradsys.sim.reference_conduct import ConductCommands, ReferenceConduct
from tradsys.sim.reference_definitions import Account, Instrument, Participant, Session
from tradsys.sim.reference_fees import FeeCommands, ReferenceFees
from tradsys.sim.reference_hash import state_hash
from tradsys.sim.reference_lists import Lists
from tradsys.sim.reference_matching import (
    COMPLEX,
    HIDDEN,
    KEEP_ON_DISCONNECT,
    NOT_REFUSED,
    PRIORITY_KEPT,
    UNSOLICITED,
    Matching,
)
from tradsys.sim.reference_records import COMMANDS, as_bytes, split
from tradsys.sim.reference_risk import ReferenceRisk
from tradsys.sim.reference_trades import ReferenceTrades, TradeCommands
from tradsys.sim.reference_triggers import DORMANT, HELD, Triggers
from tradsys.wire.enums import CancelReason, RejectReason, StpMode, Template
from tradsys.wire.records import EVENT_COMMON

NEW_ORDER, CANCEL_ORDER, REDUCE_ORDER = (
    int(Template.NEW_ORDER),
    int(Template.CANCEL_ORDER),
    int(Template.REDUCE_ORDER),
)
REPLACE_ORDER, MASS_CANCEL = int(Template.REPLACE_ORDER), int(Template.MASS_CANCEL)
FLAGS_KEPT = KEEP_ON_DISCONNECT | COMPLEX | HIDDEN  # by a replace

__all__ = ["Account", "Instrument", "Participant", "ReferenceEngine", "Session"]


class ReferenceEngine(Matching, BreakerCommands, ConductCommands, FeeCommands, TradeCommands):
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
    Invariant: `orders` holds exactly the orders that rest in the books or are dormant, each under its `order_id`, in its
    slot and under its reference in its session.
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
        super().__init__(orders_max, instruments_max, participants_max, sessions_max, accounts_max)
        self.allocations = Allocations(self)
        self.risk = ReferenceRisk(self, positions_max)
        self.triggers = Triggers(self)
        self.fees = ReferenceFees(self)
        self.trades = ReferenceTrades(self)
        self.breakers = ReferenceBreakers(self)
        self.conduct = ReferenceConduct(self)
        self.lists = Lists(self)
        self.stirs = False  # what has been done may concern any instrument
        self._settled = 0  # events of this call that `_follow_events` has seen
        self._by_template = {
            NEW_ORDER: self._new_order,
            int(Template.NEW_COMPLEX_ORDER): self._new_order,
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
            int(Template.EXPIRE_ORDERS): self._expire_orders,
            int(Template.CHECKPOINT): self._checkpoint,
            int(Template.NEW_ORDER_LIST): self.lists.new_order_list,
            int(Template.SET_MARK_PRICE): self.triggers.set_mark_price,
            int(Template.SET_ALLOCATION): self.allocations.set_allocation,
            int(Template.SET_ALLOCATION_SHARE): self.allocations.set_share,
            **self._phase_commands(),
            **self._risk_commands(),
            **self._fee_commands(),
            **self._trade_commands(),
            **self._breaker_commands(),
            **self._conduct_commands(),
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
            self._settled = len(self._events)
            self._by_template[layout.template](command)
            if self._sender is not None:
                participant_id = self._sender.participant.participant_id
                self.conduct.count_messages(self._events[self._settled :], participant_id)
            self._follow_events()
            self.triggers.follow()
        made = b"".join(self._events[first:])
        self._events.clear()
        return np.frombuffer(made, dtype=EVENT_COMMON)

    def _follow_events(self) -> None:
        """Book what a command, or a triggered order, has made, charge and keep its matches, stop what they ask for."""
        made = self._events[self._settled :]
        first = self._settled
        torn = self.conduct.follow(made)
        self.risk.follow(made)
        self.trades.follow(made, self.fees.follow(made))
        told = len(self._events)
        self.breakers.follow(made)
        self.conduct.trip(torn)
        stopped = self._events[told:]
        self.stirs |= bool(stopped)
        self.risk.follow(stopped)
        self.lists.note(self._events[first:])
        self._settled = len(self._events)

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
        check_engine(self)

    # ---------------------------------------------------------------- order commands

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
        elif self._sender is not None and self.conduct.is_too_early(order):
            reason = RejectReason.RESTED_TOO_SHORT
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
        order.shown = min(order.shown, order.leaves)  # 9.4
        flags = (DORMANT if order.place else RESTS) | PRIORITY_KEPT | (HELD if order.held else 0)
        self._reduced(
            order, command.qty_lots, NOT_REFUSED, flags | (UNSOLICITED if unsolicited else 0)
        )

    def _replace_order(self, command: Any) -> None:
        order = self._reached(command)
        reason = self._replace_refusal(command, order)
        if reason != NOT_REFUSED:
            self._reject_order(command, reason)
            return
        assert order is not None
        if order.place:
            self.triggers.replace(order, command)
            return
        before = (order.client_ref, order.price, order.leaves)
        book = self.books[order.instrument_id]
        price = self._replaced_price(command, order)
        assert price is not None
        keeps_place = price == order.price and command.qty_lots <= order.total  # 5.3
        if not keeps_place:
            book.own(order).remove(order)
            self.allocations.note_left(order)
        order.leaves = command.qty_lots - order.filled
        order.total = command.qty_lots
        order.price = price
        order.shown = min(order.shown, order.leaves) if keeps_place else 0  # 9.4
        order.flags = (order.flags & FLAGS_KEPT) | command.order_flags  # 5.4, 9.4
        self._rename(order, command.client_ref)
        collects = self.instruments[order.instrument_id].state in CALLS
        rests = keeps_place or collects or not book.other(order.side).is_reached_by(order.price)
        flags = RESTS if keeps_place or (rests and not order.flags & COMPLEX) else 0
        self._replaced(order, flags | (PRIORITY_KEPT if keeps_place else 0), before)
        if not keeps_place:
            self._enter(order, order.price, order.price, rests, may_rest=True)

    def _replaced_price(self, command: Any, order: Order) -> int | None:
        """Price a replace gives an order, None where it may not match but would (4.6, 9.12)."""
        instrument = self.instruments[order.instrument_id]
        price: int = command.price_ticks
        if not self._posts_only(instrument, command.order_flags) or instrument.state in CALLS:
            return price
        return orders.post_only_price(order, price, self.books[order.instrument_id].other(order.side), instrument)

    def _mass_cancel(self, command: Any) -> None:
        own = 0 if self._sender is None else self._sender.participant.participant_id
        participant_id = self._mass_cancel_participant(command, own)
        if not self._sender_is_known():
            reason = RejectReason.UNKNOWN_SESSION
        elif command.instrument_id != 0 and command.instrument_id not in self.instruments:
            reason = RejectReason.UNKNOWN_INSTRUMENT
        elif command.side > SELL:
            reason = RejectReason.BAD_SIDE
        elif self._padding_set:
            reason = RejectReason.BAD_FLAGS
        elif (command.target_group_id or participant_id != own) and not self._may_operate():
            reason = RejectReason.NOT_ALLOWED
        else:
            by_owner = own != 0 and participant_id == own
            found = [
                order
                for order in self.orders.values()
                if command.instrument_id in (0, order.instrument_id)
                and command.target_session_id in (0, order.session.session_id)
                and participant_id in (0, order.session.participant.participant_id)
                and command.target_account_id in (0, order.account_id)
                and command.target_group_id
                in (0, self.risk.groups.get(order.session.participant.participant_id, 0))
                and command.side in (0, order.side)
                and not (by_owner and self.conduct.is_too_early(order))
            ]
            self._cancel_many(found, CancelReason.MASS_CANCEL, always_unsolicited=False)
            self._mass_canceled(
                len(found), CancelReason.MASS_CANCEL, command.instrument_id, participant_id, command.side
            )
            return
        self._reject_order(command, reason)

    def _mass_cancel_participant(self, command: Any, own: int) -> int:
        """Whose orders a mass cancel asks for (6.1); 0: everyone's."""
        if command.target_participant_id:
            return int(command.target_participant_id)
        if command.target_account_id in self.accounts:
            return self.accounts[command.target_account_id].participant.participant_id
        return 0 if command.target_group_id else own

    def _refuse_command(self, command: Any) -> None:
        known = self._sender_is_known()
        reason = command.reject_reason if known else RejectReason.UNKNOWN_SESSION
        self._reject_order(command, reason, template=command.refused_template)

    # ---------------------------------------------------------------- refusals

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
        if self.conduct.is_too_early(order):
            return RejectReason.RESTED_TOO_SHORT
        if order.place:
            return self.triggers.replace_refusal(order, command)
        if order.order_type == MARKET:  # 11.4
            return RejectReason.BAD_ORDER_TYPE
        if command.qty_lots <= order.filled:
            return RejectReason.QTY_BELOW_FILLED
        if not self.allocations.is_fifo(order.instrument_id) and (
            order.flags & (COMPLEX | HIDDEN)
            or order.stp_mode > StpMode.CANCEL_BOTH
            or orders.prevents_specially(order.session.participant)
        ):
            return RejectReason.NOT_WITH_ALLOCATION  # 9.23
        price = self._replaced_price(command, order)
        if price is None:
            return RejectReason.POST_ONLY_WOULD_MATCH
        return self.risk.refuse_replace(command, order, price)

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
        if order is None:
            return RejectReason.UNKNOWN_ORDER
        return RejectReason.RESTED_TOO_SHORT if self.conduct.is_too_early(order) else NOT_REFUSED

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

    def _expire_orders(self, command: Any) -> None:
        unknown = command.instrument_id != 0 and command.instrument_id not in self.instruments
        reason = self._operator_refusal(RejectReason.UNKNOWN_INSTRUMENT if unknown else NOT_REFUSED)
        if reason:
            self._reject_command(command, reason)
            return
        found = [
            order
            for order in self.orders.values()
            if order.time_in_force == GTD
            and order.expire_ts_ns <= self._ts_ns
            and command.instrument_id in (0, order.instrument_id)
        ]
        self._cancel_many(found, CancelReason.EXPIRED, always_unsolicited=True)
        self._mass_canceled(len(found), CancelReason.EXPIRED, command.instrument_id, 0, 0)

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
