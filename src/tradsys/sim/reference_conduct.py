"""Conduct in the reference engine: messages against matches, minimum resting times, tripwires (rules 13.20 to 13.23)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tradsys.sim import reference_events as events
from tradsys.sim.reference_book import Order
from tradsys.sim.reference_records import read_events
from tradsys.sim.reference_risk import INSTRUMENT, PARTICIPANT
from tradsys.sim.reference_risk_commands import RiskCommands
from tradsys.wire.enums import CancelReason, EventFlags, RejectReason, Template

if TYPE_CHECKING:
    from tradsys.sim.reference_engine import ReferenceEngine

SIZE_LIMIT = 1 << 60
DURATION_MAX = 10**18
TS_MAX = 1 << 62
COST_MAX = 1 << 62
VALUE_MAX = (1 << 63) - 1
RESTS, PRIORITY_KEPT = int(EventFlags.RESTS), int(EventFlags.PRIORITY_KEPT)
ASKED_FOR = (CancelReason.BY_OWNER, CancelReason.MASS_CANCEL)


@dataclass
class Conduct:
    """How a participant may trade, and how it has."""

    order_to_trade_max: int = 0  # messages a match
    order_to_trade_free: int = 0  # messages that need no match
    messages: int = 0  # of the risk day
    matches: int = 0
    output_max: int = 0  # ticks x lots
    output_window: int = 0  # ns
    bucket: int = 0  # ns
    bucket_ts: int = 0
    is_tripped: int = 0

    def refusal(self) -> int:
        """What stands against a new order or a replace."""
        if self.is_tripped:
            return RejectReason.KILLED
        allowed = self.order_to_trade_free + self.matches * self.order_to_trade_max
        if self.order_to_trade_max and self.messages + 1 > allowed:
            return RejectReason.ORDER_TO_TRADE_LIMIT
        return RejectReason.NONE

    def take(self, match: Any) -> bool:
        """Take a match from the bucket; whether that empties it (13.23)."""
        if not self.output_max or self.is_tripped:
            return False
        now = clamped(match.ts_ns)
        if now > self.bucket_ts:
            self.bucket = min(self.bucket + now - self.bucket_ts, self.output_window)
            self.bucket_ts = now
        value = min(abs(match.price_ticks) * match.qty_lots, VALUE_MAX)
        self.bucket -= min(-(-value * self.output_window // self.output_max), COST_MAX)
        if self.bucket >= 0:
            return False
        self.bucket, self.is_tripped = self.output_window, 1
        return True


def clamped(ts_ns: int) -> int:
    """A time as it counts here [ns]."""
    return min(max(ts_ns, 0), TS_MAX)


class ReferenceConduct:
    """What rules 13.20 to 13.23 add to the state.

    Invariant: `since` has the orders that rest on the books of the instruments in `resting`, and others that have ended.
    """

    def __init__(self, engine: ReferenceEngine) -> None:
        self.engine = engine
        self.of: dict[int, Conduct] = {}  # by participant
        self.resting: dict[int, int] = {}  # instrument -> minimum resting time [ns]
        self.since: dict[int, int] = {}  # order id -> since when it rests

    # ---------------------------------------------------------------- what is refused

    def refusal(self, participant_id: int) -> int:
        """What stands against a new order or a replace of a participant, behind KILLED."""
        conduct = self.of.get(participant_id)
        return RejectReason.NONE if conduct is None else conduct.refusal()

    def is_too_early(self, order: Order) -> bool:
        """Whether an order is to rest longer before its owner may withdraw it (13.22)."""
        if order.place or order.instrument_id not in self.resting:
            return False
        rested = clamped(self.engine._ts_ns) - self.since[order.order_id]
        return rested < self.resting[order.instrument_id]

    # ---------------------------------------------------------------- following the events

    def count_messages(self, made: list[bytes], participant_id: int) -> None:
        """Count what a command's sender has asked for (13.21)."""
        conduct = self.of.get(participant_id)
        if conduct is None:
            return
        for template, event in read_events(b"".join(made)):
            if template in (Template.ORDER_ACCEPTED, Template.ORDER_REPLACED):
                counts = True
            elif template == Template.ORDER_REDUCED:
                counts = event.cancel_reason == 0
            else:
                counts = template == Template.ORDER_CANCELED and event.cancel_reason in ASKED_FOR
            conduct.messages += counts and event.participant_id == participant_id

    def follow(self, made: list[bytes]) -> dict[int, Any]:
        """Count matches and see what has come to rest; the participants torn, with the match that did it."""
        torn: dict[int, Any] = {}
        if not self.of and not self.resting:
            return torn
        for template, event in read_events(b"".join(made)):
            if template == Template.ORDER_EXECUTED:
                self._note_match(event, torn)
            elif template in (Template.ORDER_ACCEPTED, Template.ORDER_REPLACED, Template.ORDER_RESTED):
                comes_to_rest = event.event_flags & (RESTS | PRIORITY_KEPT) == RESTS
                if comes_to_rest and event.instrument_id in self.resting:
                    self.since[event.order_id] = clamped(event.ts_ns)
        return torn

    def _note_match(self, match: Any, torn: dict[int, Any]) -> None:
        sessions = self.engine.sessions
        parties = {
            sessions[session_id].participant.participant_id
            for session_id in (match.resting_session_id, match.incoming_session_id)
        }
        for participant_id in parties & self.of.keys():
            conduct = self.of[participant_id]
            conduct.matches += len(parties) - 1
            if conduct.take(match):
                torn[participant_id] = match

    def trip(self, torn: dict[int, Any]) -> None:
        """Tell whose tripwires are torn, and cancel what lives of theirs (13.23)."""
        engine = self.engine
        for participant_id, match in sorted(torn.items()):
            conduct = self.of[participant_id]
            engine._emit(
                events.write_output_tripped(
                    *engine._event_head(),
                    match.seq,
                    conduct.output_max,
                    conduct.output_window,
                    match.instrument_id,
                    0,
                    0,
                    participant_id,
                )
            )
            engine._send_as_venue()
            found = engine.risk.orders_of(participant_id)
            engine._cancel_many(found, CancelReason.KILL_SWITCH, always_unsolicited=True)

    # ---------------------------------------------------------------- commands

    def mend(self, participant_id: int) -> None:
        """KILL_SWITCH is turned off."""
        conduct = self.of.get(participant_id)
        if conduct is not None and conduct.is_tripped:
            conduct.is_tripped, conduct.bucket = 0, conduct.output_window

    def start_day(self) -> None:
        """START_RISK_DAY."""
        for conduct in self.of.values():
            conduct.messages = conduct.matches = 0

    def set_conduct(self, command: Any) -> None:
        """Give a participant its limits: the counts go on, the bucket is full."""
        if not command.order_to_trade_max and not command.output_max_value:
            self.of.pop(command.scope_id, None)
            return
        conduct = self.of.setdefault(command.scope_id, Conduct())
        conduct.order_to_trade_max = command.order_to_trade_max
        conduct.order_to_trade_free = command.order_to_trade_free
        conduct.output_max = command.output_max_value
        conduct.output_window = conduct.bucket = command.output_window_ns
        conduct.bucket_ts = conduct.is_tripped = 0

    def set_resting(self, instrument_id: int, resting_min_ns: int) -> None:
        """Give an instrument its minimum resting time; what rests already counts from now."""
        if not resting_min_ns:
            self.resting.pop(instrument_id, None)
            return
        if instrument_id not in self.resting:
            now = clamped(self.engine._ts_ns)
            self.since |= {order.order_id: now for order in self._resting_orders(instrument_id)}
        self.resting[instrument_id] = resting_min_ns

    def _resting_orders(self, instrument_id: int) -> list[Order]:
        orders = self.engine.orders.values()
        return [order for order in orders if order.instrument_id == instrument_id and not order.place]

    # ---------------------------------------------------------------- state

    def words(self) -> Iterator[int]:
        """Words of rule 8.12."""
        if self.of or self.resting:
            yield 0x18
        for participant_id, conduct in sorted(self.of.items()):
            yield from (participant_id, *vars(conduct).values())
        for instrument_id, resting_min_ns in sorted(self.resting.items()):
            yield from (instrument_id, resting_min_ns)
        for order in sorted(self.engine.orders.values(), key=lambda order: order.slot):
            if order.instrument_id in self.resting and not order.place:
                yield from (order.order_id, self.since[order.order_id])

    def check(self) -> None:
        """Assert the class's invariant, and that buckets are neither empty nor more than full."""
        for instrument_id in self.resting:
            for order in self._resting_orders(instrument_id):
                assert order.order_id in self.since, "an order rests, and nobody knows since when"
        for conduct in self.of.values():
            assert conduct.order_to_trade_max or conduct.output_max, "limits of conduct that are none"
            assert 0 <= conduct.bucket <= conduct.output_window, "an empty bucket whose wire is whole"
        self.since = {order_id: ns for order_id, ns in self.since.items() if order_id in self.engine.orders}


class ConductCommands(RiskCommands):
    """SET_CONDUCT_LIMITS."""

    conduct: ReferenceConduct

    def _conduct_commands(self) -> dict[int, Callable[[Any], None]]:
        """The command of rule 13.20."""
        return {int(Template.SET_CONDUCT_LIMITS): self._set_conduct_limits}

    def _set_conduct_limits(self, command: Any) -> None:
        reason = self._operator_refusal(self._unknown_holder(command.scope, command.scope_id))
        if not reason and not _holds(command):
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        if command.scope == PARTICIPANT:
            self.conduct.set_conduct(command)
        else:
            self.conduct.set_resting(command.scope_id, command.resting_min_ns)
        self._tell_risk_changed(command)


def _holds(command: Any) -> bool:
    """The numbers of rule 13.20."""
    of_participant = (
        command.order_to_trade_max,
        command.order_to_trade_free,
        command.output_max_value,
        command.output_window_ns,
    )
    if command.scope == INSTRUMENT:
        return not any(of_participant) and 0 <= command.resting_min_ns <= DURATION_MAX
    return bool(
        command.scope == PARTICIPANT
        and not command.resting_min_ns
        and (command.order_to_trade_max or not command.order_to_trade_free)
        and 0 <= command.output_max_value < SIZE_LIMIT
        and 0 <= command.output_window_ns <= DURATION_MAX
        and bool(command.output_max_value) == bool(command.output_window_ns)
    )
