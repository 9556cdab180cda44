"""Commands 40 to 45 of the reference engine: limits, trade groups, kill switches, restricted lists, price bands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradsys.core.pretrade import VALUE_MAX
from tradsys.limits import PRICE_TICKS_MAX
from tradsys.sim import reference_events as events
from tradsys.sim.reference_definitions import NOT_REFUSED, Definitions
from tradsys.sim.reference_risk import (
    ACCOUNT,
    ASSET_CLASS,
    GROUP,
    HOUSE,
    INSTRUMENT,
    NO_HIGH,
    NO_LOW,
    PARTICIPANT,
    RESTRICTIONS,
    SESSION,
    VENUE,
    Bands,
    ReferenceRisk,
)
from tradsys.wire.enums import AssetClass, CancelReason, RejectReason, Template


class RiskCommands(Definitions):
    """The commands that change what `ReferenceRisk` holds."""

    risk: ReferenceRisk

    def _risk_commands(self) -> dict[int, Callable[[Any], None]]:
        """The commands of sections 13 and 14 by template."""
        return {
            int(Template.SET_RISK_LIMITS): self._set_risk_limits,
            int(Template.SET_TRADE_GROUP): self._set_trade_group,
            int(Template.KILL_SWITCH): self._kill_switch,
            int(Template.SET_RESTRICTION): self._set_restriction,
            int(Template.START_RISK_DAY): self._start_risk_day,
            int(Template.SET_PRICE_BANDS): self._set_price_bands,
        }

    def _unknown_holder(self, scope: int, scope_id: int) -> int:
        """UNKNOWN_* of a participant, instrument or account that is not defined."""
        if scope in (HOUSE, PARTICIPANT) and scope_id not in self.participants:
            return RejectReason.UNKNOWN_PARTICIPANT
        if scope == INSTRUMENT and scope_id not in self.instruments:
            return RejectReason.UNKNOWN_INSTRUMENT
        if scope == ACCOUNT and scope_id not in self.accounts:
            return RejectReason.UNKNOWN_ACCOUNT
        return NOT_REFUSED

    def _holder_holds(self, scope: int, scope_id: int) -> bool:
        """Whether scope and id name somebody, where `_unknown_holder` has no word for it."""
        if scope == GROUP:
            return 1 <= scope_id < self.participants_max
        if scope == ASSET_CLASS:
            return AssetClass.STOCK <= scope_id <= AssetClass.COMMODITY
        if scope == SESSION:
            return scope_id in self.sessions
        if scope == VENUE:
            return scope_id == 0
        return ACCOUNT <= scope <= INSTRUMENT

    def _watched_by(self, scope: int, scope_id: int) -> int:
        """The participant whose positions a limit or restriction needs, or 0."""
        if scope == ACCOUNT:
            return self.accounts[scope_id].participant.participant_id
        return scope_id if scope in (HOUSE, PARTICIPANT) else 0

    def _set_risk_limits(self, command: Any) -> None:
        scope, scope_id = command.scope, command.scope_id
        reason = self._operator_refusal(self._unknown_holder(scope, scope_id))
        if not reason and not (
            ACCOUNT <= scope <= ASSET_CLASS
            and self._holder_holds(scope, scope_id)
            and self.risk.limits_hold(command)
        ):
            reason = RejectReason.BAD_DEFINITION
        watched = 0 if reason else self._watched_by(scope, scope_id)
        if watched and not self.risk.has_room(self.risk.watch_needs(watched)):
            reason = RejectReason.POSITIONS_FULL
        if reason:
            self._reject_command(command, reason)
            return
        if watched:
            self.risk.watch(watched)
        self.risk.set_limits((scope, scope_id), command)
        self._risk_changed(command)

    def _set_trade_group(self, command: Any) -> None:
        known = command.participant_id in self.participants
        reason = self._operator_refusal(NOT_REFUSED if known else RejectReason.UNKNOWN_PARTICIPANT)
        if not reason and command.group_id >= self.participants_max:
            reason = RejectReason.BAD_DEFINITION
        if not reason and not self.risk.has_room(
            self.risk.group_needs(command.participant_id, command.group_id)
        ):
            reason = RejectReason.POSITIONS_FULL
        if reason:
            self._reject_command(command, reason)
            return
        self.risk.set_group(command.participant_id, command.group_id)
        self._risk_changed(command)

    def _kill_switch(self, command: Any) -> None:
        key = (command.scope, command.scope_id)
        reason = self._operator_refusal(self._unknown_holder(*key))
        if not reason and (not self._holder_holds(*key) or command.scope == ASSET_CLASS or command.is_on > 1):
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        self.risk.holder(key).is_killed = command.is_on
        self._risk_changed(command)
        if not command.is_on:
            if command.scope == PARTICIPANT:
                self.risk.engine.conduct.mend(command.scope_id)
            return
        found = [order for order in self.orders.values() if self.risk.is_of(order, key)]  # type: ignore[attr-defined]
        self._cancel_many(found, CancelReason.KILL_SWITCH, always_unsolicited=True)  # type: ignore[attr-defined]
        self._mass_canceled(  # type: ignore[attr-defined]
            len(found),
            CancelReason.KILL_SWITCH,
            command.scope_id if command.scope == INSTRUMENT else 0,
            command.scope_id if command.scope in (HOUSE, PARTICIPANT) else 0,
            0,
        )

    def _set_restriction(self, command: Any) -> None:
        scope, scope_id = command.scope, command.scope_id
        unknown = self._unknown_holder(scope, scope_id)
        if command.instrument_id not in self.instruments and unknown != RejectReason.UNKNOWN_PARTICIPANT:
            unknown = RejectReason.UNKNOWN_INSTRUMENT
        reason = self._operator_refusal(unknown)
        if not reason and not (
            ACCOUNT <= scope <= GROUP
            and self._holder_holds(scope, scope_id)
            and command.restriction in RESTRICTIONS
        ):
            reason = RejectReason.BAD_DEFINITION
        watched = 0 if reason else self._watched_by(scope, scope_id)
        if not reason:
            wanted = {(scope, scope_id, command.instrument_id)}
            if watched:
                wanted |= self.risk.watch_needs(watched)
            if not self.risk.has_room(wanted):
                reason = RejectReason.POSITIONS_FULL
        if reason:
            self._reject_command(command, reason)
            return
        if watched:
            self.risk.watch(watched)
        self.risk.position((scope, scope_id), command.instrument_id).restriction = command.restriction
        self._risk_changed(command)

    def _start_risk_day(self, command: Any) -> None:
        reason = self._operator_refusal()
        if reason:
            self._reject_command(command, reason)
            return
        for holder in self.risk.holders.values():
            holder.realised = 0
        self.risk.engine.conduct.start_day()
        self._risk_changed(command)

    def _set_price_bands(self, command: Any) -> None:
        known = command.instrument_id in self.instruments
        reason = self._operator_refusal(NOT_REFUSED if known else RejectReason.UNKNOWN_INSTRUMENT)
        prices = [command.reference_price_ticks, command.band_low_ticks, command.band_high_ticks]
        if not reason and not (
            all(abs(price) <= PRICE_TICKS_MAX for price in prices if price not in (NO_LOW, NO_HIGH))
            and command.reference_price_ticks != NO_HIGH
            and command.band_low_ticks != NO_HIGH
            and command.band_high_ticks != NO_LOW
            and command.band_low_ticks <= command.band_high_ticks
            and 0 <= command.collar_ticks < VALUE_MAX
        ):
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        self.risk.banded.add(command.instrument_id)
        bands = self.risk.bands.setdefault(command.instrument_id, Bands())
        bands.low, bands.high = command.band_low_ticks, command.band_high_ticks
        bands.dynamic_ppm, bands.collar = command.dynamic_ppm, command.collar_ticks
        if command.reference_price_ticks != NO_LOW:
            bands.last = command.reference_price_ticks
        self._risk_changed(command)

    def _risk_changed(self, command: Any) -> None:
        """A command 40 to 45 was carried out; the event repeats its fields."""
        self.risk.is_used = True
        self._tell_risk_changed(command)

    def _tell_risk_changed(self, command: Any) -> None:
        def given(name: str) -> Any:
            return getattr(command, name, 0)

        report_seq = self._report(self._sender)
        self._emit(
            events.write_risk_changed(
                *self._event_head(),
                given("scope_id"),
                given("participant_id"),
                self._client_ref,
                given("group_id"),
                given("scope"),
                given("is_on"),
                given("restriction"),
                given("instrument_id"),
                self._session_id,
                self._template,
                report_seq,
                self._client_seq,
            )
        )
