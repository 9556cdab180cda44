"""Participants, sessions, accounts and instruments in plain Python: sections 2 and 7 of the rule book."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tradsys.limits import PRICE_TICKS_MAX, QTY_LOTS_MAX
from tradsys.sim import reference_events as events
from tradsys.sim.reference_book import Order, ReferenceBook
from tradsys.wire.enums import (
    AssetClass,
    CloseReason,
    InstrumentState,
    Permission,
    RejectReason,
    StpMode,
    StpScope,
)

NOT_REFUSED = int(RejectReason.NONE)
NO_PRICE = -(1 << 63)  # "there is none" among prices
PERMISSIONS = int(Permission.TRADE | Permission.OPERATE)
OPERATE = int(Permission.OPERATE)


@dataclass(eq=False)
class Participant:
    """Who trades."""

    participant_id: int
    permissions: int
    stp_mode: int
    enabled: int
    stp_scope: int = 0


@dataclass(eq=False)
class Session:
    """A connection of a participant; orders belong to it."""

    session_id: int
    participant: Participant
    enabled: int
    open: int = 0
    cancel_on_disconnect: int = 0
    last_client_seq: int = 0
    last_report_seq: int = 0
    live: dict[int, Order] = field(default_factory=dict)  # client_ref -> live order


@dataclass(eq=False)
class Account:
    """An account of a participant."""

    account_id: int
    participant: Participant
    enabled: int


@dataclass(eq=False)
class Auction:
    """What an instrument's phases need; all at its default on an instrument that knows OPEN, HALTED and CLOSED only."""

    called: int = 0  # 11.5
    ruled: int = 0  # SET_AUCTION_RULES was sent
    last_price: int = NO_PRICE  # ticks
    auction_price: int = NO_PRICE  # of the last auction, ticks
    closing_price: int = NO_PRICE  # ticks
    end: int = 0  # planned end of the call, ns; 0: none
    due: int = 0  # end and delay, ns; 0: not drawn
    state_after: int = 0
    extensions: int = 0
    extensions_max: int = 0
    dynamic_range_bp: int = 0
    static_range_bp: int = 0
    extension_range_bp: int = 0
    volatility_call_ns: int = 0
    random_ns: int = 0
    extension_ns: int = 0

    def words(self) -> tuple[int, ...]:
        """Words of the state hash (8.6); none where nothing was ever set."""
        values = tuple(vars(self).values())
        return () if values == tuple(vars(Auction()).values()) else (0x11, *values)

    def drop_plan(self) -> None:
        """The call has no planned end any more."""
        self.end = self.due = self.state_after = self.extensions = 0


@dataclass(eq=False)
class Instrument:
    """What is traded, in ticks and lots."""

    instrument_id: int
    asset_class: int
    tick_exponent: int
    lot_exponent: int
    symbol: bytes
    currency: bytes
    tick_mantissa: int
    lot_mantissa: int
    price_increment_ticks: int
    price_min_ticks: int
    price_max_ticks: int
    qty_increment_lots: int
    qty_min_lots: int
    qty_max_lots: int
    state: int = int(InstrumentState.CLOSED)
    entitlements: dict[int, int] = field(default_factory=dict)  # participant_id -> allowed
    auction: Auction = field(default_factory=Auction)

    def quantity_refusal(self, qty_lots: int) -> int:
        """Range, then increment."""
        if not self.qty_min_lots <= qty_lots <= self.qty_max_lots:
            return RejectReason.BAD_QUANTITY
        return RejectReason.BAD_QUANTITY_INCREMENT if qty_lots % self.qty_increment_lots else NOT_REFUSED

    def price_refusal(self, price_ticks: int) -> int:
        """Range, then increment."""
        if not self.price_min_ticks <= price_ticks <= self.price_max_ticks:
            return RejectReason.BAD_PRICE
        return RejectReason.BAD_PRICE_INCREMENT if price_ticks % self.price_increment_ticks else NOT_REFUSED

    def fixed(self) -> tuple[int | bytes, ...]:
        """What a second definition may not change (7.2)."""
        return (
            self.asset_class,
            self.symbol,
            self.currency,
            self.tick_mantissa,
            self.tick_exponent,
            self.lot_mantissa,
            self.lot_exponent,
            self.price_increment_ticks,
            self.qty_increment_lots,
        )


def is_text(value: bytes) -> bool:
    """Whether a char field is printable ASCII without blanks, at least one, with NULs behind (7.1)."""
    text = value.rstrip(b"\0")
    return len(text) > 0 and all(33 <= byte <= 126 for byte in text)


class Definitions:
    """The engine's counters and definitions, and the commands that change them.

    Holds what the command being decided needs: its sender (None for the venue itself and for an unknown session),
    template, references and time.
    """

    books: dict[int, ReferenceBook]
    orders: dict[int, Order]
    order_serial: int
    state_hash: Callable[[], int]

    def __init__(
        self, instruments_max: int, participants_max: int, sessions_max: int, accounts_max: int
    ) -> None:
        self.instruments_max = instruments_max
        self.participants_max = participants_max
        self.sessions_max = sessions_max
        self.accounts_max = accounts_max
        self.participants: dict[int, Participant] = {}
        self.sessions: dict[int, Session] = {}
        self.accounts: dict[int, Account] = {}
        self.instruments: dict[int, Instrument] = {}
        self.last_seq = 0  # of the last command
        self.last_event_seq = 0
        self._events: list[bytes] = []
        self._template = 0
        self._ts_ns = 0
        self._session_id = 0
        self._client_seq = 0
        self._client_ref = 0
        self._padding_set = False
        self._sender: Session | None = None

    def _begin(self, template: int, command: Any, padding_set: bool) -> None:
        """Number the command and look up its sender (1.1, 1.4)."""
        if command.seq not in (0, self.last_seq + 1):
            raise ValueError(f"seq must be 0 or {self.last_seq + 1}, was {command.seq}")
        self.last_seq += 1
        self._template = template
        self._ts_ns = command.ts_ns
        self._session_id = command.session_id
        self._client_seq = command.client_seq
        self._client_ref = getattr(command, "client_ref", 0)
        self._padding_set = padding_set
        self._sender = self.sessions.get(command.session_id)
        if self._sender is not None and command.client_seq > 0:
            self._sender.last_client_seq = command.client_seq

    # ---------------------------------------------------------------- who sends

    def _sender_is_known(self) -> bool:
        """Whether the venue itself or a defined session sent the command."""
        return self._session_id == 0 or self._sender is not None

    def _disabled_refusal(self) -> int:
        assert self._sender is not None
        if not self._sender.enabled:
            return RejectReason.SESSION_DISABLED
        return NOT_REFUSED if self._sender.participant.enabled else RejectReason.PARTICIPANT_DISABLED

    def _may_operate(self) -> bool:
        """Whether the sender has OPERATE; the venue itself always has."""
        return self._sender is None or bool(self._sender.participant.permissions & OPERATE)

    def _operator_refusal(self, what_is_unknown: int = NOT_REFUSED) -> int:
        """Checks every operator command goes through, in the order of RejectReason.

        `what_is_unknown` is UNKNOWN_PARTICIPANT or UNKNOWN_INSTRUMENT where the command names one not defined.
        """
        if not self._sender_is_known():
            return RejectReason.UNKNOWN_SESSION
        reason = NOT_REFUSED
        if self._sender is not None:
            reason = self._disabled_refusal()
            # A missing participant outranks a disabled one (3.1).
            if (
                reason == RejectReason.PARTICIPANT_DISABLED
                and what_is_unknown == RejectReason.UNKNOWN_PARTICIPANT
            ):
                return what_is_unknown
        if reason or what_is_unknown:
            return reason or what_is_unknown
        if self._padding_set:
            return RejectReason.BAD_FLAGS
        return NOT_REFUSED if self._may_operate() else RejectReason.NOT_ALLOWED

    # ---------------------------------------------------------------- sessions

    def _open_session(self, command: Any) -> None:
        session = self._sender
        if session is None:
            reason = int(RejectReason.UNKNOWN_SESSION)
        elif self._disabled_refusal():
            reason = self._disabled_refusal()
        elif self._padding_set:
            reason = RejectReason.BAD_FLAGS
        elif command.reset_client_seq > 1 or command.cancel_on_disconnect > 1:
            reason = RejectReason.BAD_DEFINITION
        elif session.open:
            reason = RejectReason.ALREADY_DEFINED
        else:
            session.open = 1
            session.cancel_on_disconnect = command.cancel_on_disconnect
            if command.reset_client_seq:
                session.last_client_seq = 0
            self._command_done(command, reported=False, participant_id=session.participant.participant_id)
            return
        self._reject_command(command, reason, reported=False)

    def _close_refusal(self, command: Any) -> int:
        if self._padding_set:
            return RejectReason.BAD_FLAGS
        if not CloseReason.LOGOUT <= command.close_reason <= CloseReason.OPERATOR:
            return RejectReason.BAD_DEFINITION
        return NOT_REFUSED

    def _define_session(self, command: Any) -> None:
        participant = self.participants.get(command.participant_id)
        before = self.sessions.get(command.defined_session_id)
        reason = self._operator_refusal(
            RejectReason.UNKNOWN_PARTICIPANT if participant is None else NOT_REFUSED
        )
        if not reason:
            if not 1 <= command.defined_session_id < self.sessions_max or command.enabled > 1:
                reason = RejectReason.BAD_DEFINITION
            elif before is not None and before.participant is not participant:
                reason = RejectReason.ALREADY_DEFINED
        if reason:
            self._reject_command(command, reason)
            return
        assert participant is not None
        if before is None:
            self.sessions[command.defined_session_id] = Session(
                command.defined_session_id, participant, command.enabled
            )
        else:
            before.enabled = command.enabled
        self._command_done(command)

    # ---------------------------------------------------------------- participants and accounts

    def _define_participant(self, command: Any) -> None:
        reason = self._operator_refusal()
        if not reason and (
            not 1 <= command.participant_id < self.participants_max
            or command.permissions & ~PERMISSIONS
            or not StpMode.NONE <= command.stp_mode <= StpMode.TRANSFER
            or command.stp_scope > StpScope.TRADE_GROUP
            or command.enabled > 1
        ):
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        participant = self.participants.get(command.participant_id)
        if participant is None:
            self.participants[command.participant_id] = Participant(
                command.participant_id,
                command.permissions,
                command.stp_mode,
                command.enabled,
                command.stp_scope,
            )
        else:
            participant.permissions = command.permissions
            participant.stp_mode = command.stp_mode
            participant.stp_scope = command.stp_scope
            participant.enabled = command.enabled
        self._command_done(command)

    def _define_account(self, command: Any) -> None:
        participant = self.participants.get(command.participant_id)
        before = self.accounts.get(command.account_id)
        reason = self._operator_refusal(
            RejectReason.UNKNOWN_PARTICIPANT if participant is None else NOT_REFUSED
        )
        if not reason:
            if not 1 <= command.account_id < self.accounts_max or command.enabled > 1:
                reason = RejectReason.BAD_DEFINITION
            elif before is not None and before.participant is not participant:
                reason = RejectReason.ALREADY_DEFINED
        if reason:
            self._reject_command(command, reason)
            return
        assert participant is not None
        if before is None:
            self.accounts[command.account_id] = Account(command.account_id, participant, command.enabled)
        else:
            before.enabled = command.enabled
        self._command_done(command)

    def _set_entitlement(self, command: Any) -> None:
        instrument = self.instruments.get(command.instrument_id)
        unknown = NOT_REFUSED
        if command.participant_id not in self.participants:
            unknown = RejectReason.UNKNOWN_PARTICIPANT
        elif instrument is None:
            unknown = RejectReason.UNKNOWN_INSTRUMENT
        reason = self._operator_refusal(unknown)
        if not reason and command.allowed > 1:
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        assert instrument is not None
        instrument.entitlements[command.participant_id] = command.allowed
        self._command_done(command)

    # ---------------------------------------------------------------- instruments

    def _define_instrument(self, command: Any) -> None:
        reason = self._operator_refusal() or self._definition_refusal(command)
        if reason:
            self._reject_command(command, reason)
            return
        values = {
            name: getattr(command, name) for name in Instrument.__dataclass_fields__ if hasattr(command, name)
        }
        before = self.instruments.get(command.instrument_id)
        instrument = Instrument(**values)
        if before is None:
            self.books[instrument.instrument_id] = ReferenceBook()
        else:
            instrument.state = before.state
            instrument.entitlements = before.entitlements
            instrument.auction = before.auction
        self.instruments[instrument.instrument_id] = instrument
        self._emit(
            events.write_instrument_defined(
                *self._event_head(),
                instrument.instrument_id,
                instrument.asset_class,
                instrument.tick_exponent,
                instrument.lot_exponent,
                instrument.state,
                instrument.symbol,
                instrument.currency,
                instrument.tick_mantissa,
                instrument.lot_mantissa,
                instrument.price_increment_ticks,
                instrument.price_min_ticks,
                instrument.price_max_ticks,
                instrument.qty_increment_lots,
                instrument.qty_min_lots,
                instrument.qty_max_lots,
            )
        )

    def _definition_refusal(self, command: Any) -> int:
        """Rules 7.1 and 7.2."""
        magnitude = max(abs(command.price_min_ticks), abs(command.price_max_ticks))
        holds = (
            1 <= command.instrument_id < self.instruments_max
            and AssetClass.STOCK <= command.asset_class <= AssetClass.COMMODITY
            and min(command.tick_mantissa, command.lot_mantissa) >= 1
            and -18 <= command.tick_exponent <= 0
            and -18 <= command.lot_exponent <= 0
            and min(command.price_increment_ticks, command.qty_increment_lots) >= 1
            and command.price_min_ticks <= command.price_max_ticks
            and magnitude <= PRICE_TICKS_MAX
            and 1 <= command.qty_min_lots <= command.qty_max_lots <= QTY_LOTS_MAX
            and magnitude * command.qty_max_lots < 1 << 63
            and is_text(command.symbol)
            and is_text(command.currency)
        )
        if not holds:
            return RejectReason.BAD_DEFINITION
        before = self.instruments.get(command.instrument_id)
        if before is not None and before.fixed() != Instrument.fixed(command):
            return RejectReason.ALREADY_DEFINED
        for other in self.instruments.values():
            if other.symbol == command.symbol and other.instrument_id != command.instrument_id:
                return RejectReason.ALREADY_DEFINED
        return NOT_REFUSED

    # ---------------------------------------------------------------- events

    def _event_head(self) -> tuple[int, int, int]:
        """seq, ts_ns and cause_seq of the next event; each call numbers one event."""
        self.last_event_seq += 1
        return self.last_event_seq, self._ts_ns, self.last_seq

    def _emit(self, event: bytes) -> None:
        self._events.append(event)

    def _report(self, session: Session | None) -> int:
        """The session's next report number (1.3); nobody is told what the venue itself sent."""
        if session is None:
            return 0
        session.last_report_seq += 1
        return session.last_report_seq

    def _command_done(
        self, command: Any, *, reported: bool = True, participant_id: int | None = None, state_before: int = 0
    ) -> None:
        """An operator or session command was carried out; the event repeats its fields (1.9)."""

        def given(name: str) -> Any:
            return getattr(command, name, 0)

        report_seq = self._report(self._sender) if reported else 0
        self._emit(
            events.write_command_done(
                *self._event_head(),
                given("permissions"),
                given("account_id"),
                self._client_ref,
                given("defined_session_id"),
                given("participant_id") if participant_id is None else participant_id,
                getattr(command, "name", b""),
                given("instrument_id"),
                self._session_id,
                self._template,
                report_seq,
                self._client_seq,
                given("state"),
                state_before,
                given("stp_mode"),
                given("enabled"),
                given("allowed"),
                given("close_reason"),
                given("cancel_on_disconnect"),
                given("reset_client_seq"),
                given("stp_scope"),
            )
        )

    def _reject_command(self, command: Any, reason: int, *, reported: bool = True) -> None:
        """An operator or session command was refused."""
        report_seq = self._report(self._sender) if reported else 0
        self._emit(
            events.write_command_rejected(
                *self._event_head(),
                self._client_ref,
                getattr(command, "instrument_id", 0),
                self._session_id,
                self._template,
                reason,
                report_seq,
                self._client_seq,
            )
        )

    def _checkpoint(self, command: Any) -> None:
        reason = self._operator_refusal()
        if reason:
            self._reject_command(command, reason)
            return
        report_seq = self._report(self._sender)
        head = self._event_head()
        self._emit(
            events.write_checkpoint_taken(
                *head,
                self.state_hash(),
                self._client_ref,
                len(self.orders),
                self.order_serial,
                self._session_id,
                report_seq,
                self._client_seq,
            )
        )
