"""Fees of the reference engine: section 15 of the rule book."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tradsys.sim import reference_events as events
from tradsys.sim.reference_definitions import NOT_REFUSED, Definitions, Instrument
from tradsys.sim.reference_records import read_events
from tradsys.wire.enums import EventFlags, RejectReason, Template

if TYPE_CHECKING:
    from tradsys.sim.reference_engine import ReferenceEngine

CLASSES = 16
RATE_MAX = 10**7
AMOUNT_MAX = 1 << 60
OWED_MAX = 1 << 61
VALUE_MAX = (1 << 63) - 1
AUCTION = int(EventFlags.AUCTION)


@dataclass(frozen=True)
class Schedule:
    """What a fee class pays in an instrument; amounts in the instrument's fee units."""

    maker_rate_e7: int
    taker_rate_e7: int
    auction_rate_e7: int
    maker_per_lot: int
    taker_per_lot: int
    auction_per_lot: int
    order_fee_min: int
    order_fee_max: int

    def holds(self) -> bool:
        """Whether the numbers can be (15.1)."""
        rates = (self.maker_rate_e7, self.taker_rate_e7, self.auction_rate_e7)
        per_lot = (self.maker_per_lot, self.taker_per_lot, self.auction_per_lot)
        return (
            all(abs(rate) <= RATE_MAX for rate in rates)
            and all(abs(amount) < AMOUNT_MAX for amount in per_lot)
            and 0 <= self.order_fee_min < AMOUNT_MAX
            and (self.order_fee_max == 0 or max(self.order_fee_min, 0) <= self.order_fee_max < AMOUNT_MAX)
        )

    def charge(self, owed: int) -> int:
        """What an order that owes so much is charged (15.5)."""
        if owed <= 0:
            return owed
        owed = max(owed, self.order_fee_min)
        return min(owed, self.order_fee_max) if self.order_fee_max else owed


class ReferenceFees:
    """Fee classes and schedules, and what each order owes.

    Invariant: the fees of an order's matches add up to what it was charged last.
    """

    def __init__(self, engine: ReferenceEngine) -> None:
        self.engine = engine
        self.classes: dict[int, int] = {}  # participant -> class; 0 ones left out
        self.exponents: dict[int, int] = {}  # instrument -> exponent of its fee unit
        self.schedules: dict[tuple[int, int], Schedule] = {}  # (instrument, class) -> schedule that is on
        self.orders: dict[int, tuple[int, int]] = {}  # order id -> owed, charged

    def unit_value(self, instrument: Instrument, exponent: int) -> Fraction:
        """A tick x lot in units of 10^exponent of the currency."""
        shift = instrument.tick_exponent + instrument.lot_exponent - exponent
        return instrument.tick_mantissa * instrument.lot_mantissa * Fraction(10) ** shift

    def can_be_told(self, instrument: Instrument, exponent: int) -> bool:
        """Whether the engines can count in that unit (15.1)."""
        shift = instrument.tick_exponent + instrument.lot_exponent - exponent
        numerator = instrument.tick_mantissa * instrument.lot_mantissa * 10 ** max(shift, 0)
        return -18 <= exponent <= 0 and shift >= -18 and numerator < 1 << 39

    def schedule_of(self, instrument_id: int, session_id: int) -> Schedule | None:
        """The schedule a session's party pays by (15.3)."""
        fee_class = self.class_of(session_id)
        schedule = self.schedules.get((instrument_id, fee_class))
        return self.schedules.get((instrument_id, 0)) if schedule is None else schedule

    def class_of(self, session_id: int) -> int:
        """Fee class of a session's participant."""
        return self.classes.get(self.engine.sessions[session_id].participant.participant_id, 0)

    def amount(self, schedule: Schedule, match: Any, party: str, price_ticks: int) -> int:
        """What a schedule asks of a party of a match (15.4)."""
        if match.event_flags & AUCTION:
            rate, per_lot = schedule.auction_rate_e7, schedule.auction_per_lot
        elif party == "resting":
            rate, per_lot = schedule.maker_rate_e7, schedule.maker_per_lot
        else:
            rate, per_lot = schedule.taker_rate_e7, schedule.taker_per_lot
        instrument = self.engine.instruments[match.instrument_id]
        unit = self.unit_value(instrument, self.exponents[match.instrument_id])
        value = min(abs(price_ticks) * match.qty_lots, VALUE_MAX)
        exact = value * abs(rate) * unit / 10**7
        whole = int(exact + Fraction(1, 2))  # to the nearest, halves away from 0
        amount = (whole if rate >= 0 else -whole) + per_lot * match.qty_lots
        return max(-AMOUNT_MAX, min(AMOUNT_MAX, amount))

    # ---------------------------------------------------------------- following the events

    def follow(self, made: list[bytes]) -> dict[int, dict[str, int]]:
        """Charge the matches among the events of one command; the fees of those that cost something, by match and party."""
        charged: dict[int, dict[str, int]] = {}
        if not self.schedules:
            return charged
        for template, match in read_events(b"".join(made)):
            if template == Template.ORDER_EXECUTED:
                fees = self._charge(match)
                if fees:
                    charged[match.seq] = {party: fees.get(party, 0) for party in ("resting", "incoming")}
        return charged

    def _charge(self, match: Any) -> dict[str, int]:
        fees = {}
        for party in ("resting", "incoming"):
            schedule = self.schedule_of(match.instrument_id, getattr(match, f"{party}_session_id"))
            if schedule is not None:
                order_id = getattr(match, f"{party}_order_id")
                owed, charged = self.orders.get(order_id, (0, 0))
                owed += self.amount(schedule, match, party, match.price_ticks)
                owed = max(-OWED_MAX, min(OWED_MAX, owed))
                self.orders[order_id] = (owed, schedule.charge(owed))
                fees[party] = schedule.charge(owed) - charged
        if fees:
            self.tell(match, fees.get("resting", 0), fees.get("incoming", 0), match.event_flags)
        return fees

    def anew(self, match: Any, price_ticks: int) -> dict[str, int]:
        """What a match at a price would cost its parties by the schedules as they are now (15.8)."""
        fees = {}
        for party in ("resting", "incoming"):
            schedule = self.schedule_of(match.instrument_id, getattr(match, f"{party}_session_id"))
            fees[party] = 0 if schedule is None else self.amount(schedule, match, party, price_ticks)
        return fees

    def tell(
        self,
        match: Any,
        resting_fee: int,
        incoming_fee: int,
        flags: int,
        counted: dict[str, bool] | None = None,
    ) -> None:
        """Book the fees of a match, of the parties whose positions count it, and say so."""
        for party, fee in (("resting", resting_fee), ("incoming", incoming_fee)):
            session_id = getattr(match, f"{party}_session_id")
            if counted is None or counted[party]:
                self._book(session_id, getattr(match, f"{party}_account_id"), match.instrument_id, fee)
        sessions = self.engine.sessions
        resting_report = self.engine._report(sessions[match.resting_session_id])
        incoming_report = self.engine._report(sessions[match.incoming_session_id])
        self.engine._emit(
            events.write_fee_charged(
                *self.engine._event_head(),
                match.resting_order_id,
                match.resting_client_ref,
                match.seq,
                self.exponents[match.instrument_id],
                self.class_of(match.resting_session_id),
                self.class_of(match.incoming_session_id),
                resting_fee,
                match.instrument_id,
                match.resting_session_id,
                match.resting_account_id,
                resting_report,
                match.incoming_order_id,
                match.incoming_client_ref,
                incoming_fee,
                match.incoming_session_id,
                match.incoming_account_id,
                incoming_report,
                match.incoming_side,
                flags,
            )
        )

    def _book(self, session_id: int, account_id: int, instrument_id: int, fee: int) -> None:
        """Count a fee of a watched participant (15.7)."""
        risk = self.engine.risk
        participant_id = self.engine.sessions[session_id].participant.participant_id
        if not fee or participant_id not in risk.watched:
            return
        keys = risk.levels(participant_id, account_id)
        before = risk.position(keys[0], instrument_id).fees
        value = self._value(instrument_id, before + fee) - self._value(instrument_id, before)
        for key in keys:
            risk.position(key, instrument_id).fees += fee
            risk.holder(key).realised -= value

    def _value(self, instrument_id: int, fees: int) -> int:
        """Fees in ticks x lots, rounded up."""
        fees = max(-AMOUNT_MAX, min(AMOUNT_MAX, fees))
        instrument = self.engine.instruments[instrument_id]
        return -int(-fees // self.unit_value(instrument, self.exponents[instrument_id]))

    # ---------------------------------------------------------------- proof

    def words(self) -> Iterator[int]:
        """Words of rule 8.9."""
        found: list[int] = []
        for participant_id, fee_class in sorted(self.classes.items()):
            found += (participant_id, fee_class)
        for instrument_id, exponent in sorted(self.exponents.items()):
            mine = sorted((key[1], row) for key, row in self.schedules.items() if key[0] == instrument_id)
            found += (instrument_id, exponent, len(mine))
            for fee_class, schedule in mine:
                found += (fee_class, *astuple(schedule))
        self.orders = {
            order_id: sums for order_id, sums in self.orders.items() if order_id in self.engine.orders
        }
        for order_id, sums in sorted(self.orders.items(), key=lambda item: item[0] & 0xFFFFFF):
            if any(sums):
                found += (order_id, *sums)
        if found:
            yield from (0x15, *found)


class FeeCommands(Definitions):
    """The commands that change what `ReferenceFees` holds."""

    fees: ReferenceFees

    def _fee_commands(self) -> dict[int, Callable[[Any], None]]:
        """The commands of section 15 by template."""
        return {
            int(Template.SET_FEE_SCHEDULE): self._set_fee_schedule,
            int(Template.SET_FEE_CLASS): self._set_fee_class,
        }

    def _set_fee_schedule(self, command: Any) -> None:
        instrument = self.instruments.get(command.instrument_id)
        reason = self._operator_refusal(
            RejectReason.UNKNOWN_INSTRUMENT if instrument is None else NOT_REFUSED
        )
        schedule = Schedule(*(getattr(command, name) for name in Schedule.__dataclass_fields__))
        if not reason:
            assert instrument is not None
            exponent = command.fee_exponent
            if not (
                command.fee_class < CLASSES
                and command.is_on <= 1
                and schedule.holds()
                and self.fees.can_be_told(instrument, exponent)
            ):
                reason = RejectReason.BAD_DEFINITION
            elif self.fees.exponents.get(command.instrument_id, exponent) != exponent:
                reason = RejectReason.ALREADY_DEFINED
        if reason:
            self._reject_command(command, reason)
            return
        self.fees.exponents[command.instrument_id] = command.fee_exponent
        self.fees.schedules.pop((command.instrument_id, command.fee_class), None)
        if command.is_on:
            self.fees.schedules[command.instrument_id, command.fee_class] = schedule
        self._command_done(command)

    def _set_fee_class(self, command: Any) -> None:
        known = command.participant_id in self.participants
        reason = self._operator_refusal(NOT_REFUSED if known else RejectReason.UNKNOWN_PARTICIPANT)
        if not reason and command.fee_class >= CLASSES:
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        self.fees.classes.pop(command.participant_id, None)
        if command.fee_class:
            self.fees.classes[command.participant_id] = command.fee_class
        self._command_done(command)
