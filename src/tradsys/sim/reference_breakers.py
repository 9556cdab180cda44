"""Circuit breakers of the reference engine: rules 13.9 to 13.16."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tradsys.limits import PRICE_TICKS_MAX
from tradsys.sim import reference_events as events
from tradsys.sim.reference_auctions import CALLS, Auctions, later
from tradsys.sim.reference_definitions import NO_PRICE, Instrument
from tradsys.sim.reference_records import read_events
from tradsys.wire.enums import (
    BreakerAction,
    BreakerLevel,
    BreakerSide,
    EventFlags,
    InstrumentState,
    RejectReason,
    Template,
)

if TYPE_CHECKING:
    from tradsys.sim.reference_engine import ReferenceEngine

HALT, VOLATILITY, CLOSE = (int(action) for action in BreakerAction)
DOWN, UP = int(BreakerSide.DOWN), int(BreakerSide.UP)  # bits; BOTH is both
LEVELS = tuple(int(level) for level in BreakerLevel)
VELOCITY = int(BreakerLevel.VELOCITY)
SLICES = 8
GROUPS = 64
SIZE_LIMIT = 1 << 60
DURATION_MAX = 10**18
TIME_MAX = (1 << 63) - 1
OPEN, CLOSED, HALTED = int(InstrumentState.OPEN), int(InstrumentState.CLOSED), int(InstrumentState.HALTED)
POST_ONLY, AT_CLOSE = int(InstrumentState.POST_ONLY), int(InstrumentState.TRADE_AT_CLOSE)
CLOSING, VOLATILITY_AUCTION = int(InstrumentState.CLOSING_AUCTION), int(InstrumentState.VOLATILITY_AUCTION)
AUCTION_CALLS = (int(InstrumentState.OPENING_AUCTION), VOLATILITY_AUCTION, CLOSING)
TRADING = (OPEN, POST_ONLY, AT_CLOSE)


@dataclass
class Level:
    """What trips, and what happens then."""

    distance_ppm: int = 0
    action: int = 0
    side: int = 0
    distance: int = 0  # ticks
    pause: int = 0  # ns
    window: int = 0  # ns


@dataclass
class Breaker:
    """The circuit breaker of an instrument."""

    group_id: int = 0
    member_group_id: int = 0
    reference: int = NO_PRICE  # ticks
    last: int = NO_PRICE  # ticks
    quiet_from: int = 0  # ns
    reopen: int = 0  # ns
    takes_auctions: int = 0
    tripped: int = 0  # highest level since the reference price was set
    levels: dict[int, Level] = field(default_factory=lambda: {level: Level() for level in LEVELS})
    slice: int = -1  # of the newest price in the window
    prices: dict[int, tuple[int, int]] = field(default_factory=dict)  # slice -> lowest, highest

    def forget(self) -> None:
        """Empty the window."""
        self.slice = -1
        self.prices.clear()

    def rearm(self, reference: int) -> None:
        """Measure from another price."""
        self.reference = reference
        self.tripped = 0

    def level_reached(self, price: int, ts_ns: int) -> int:
        """The highest level a price trips, or 0 (13.12)."""
        if self.reference == NO_PRICE:
            return 0
        for number in (3, 2, 1):
            level = self.levels[number]
            if number <= self.tripped or not level.distance_ppm or self._is_quiet(level, ts_ns):
                continue
            moved = price - self.reference
            enough = abs(moved) * 10**6 >= abs(self.reference) * level.distance_ppm
            if enough and ((moved < 0 and level.side & DOWN) or (moved > 0 and level.side & UP)):
                return number
        return 0

    def _is_quiet(self, level: Level, ts_ns: int) -> bool:
        return level.action != CLOSE and self.quiet_from != 0 and ts_ns >= self.quiet_from

    def furthest(self, price: int, ts_ns: int) -> int | None:
        """Take a price into the window; the price it is too far from, or None (13.12)."""
        level = self.levels[VELOCITY]
        if not level.distance:
            return None
        length = (level.window + SLICES - 1) // SLICES
        number = max(max(ts_ns, 0) // length, self.slice)
        self.slice = number
        low, high = self.prices.get(number, (price, price))
        self.prices[number] = min(low, price), max(high, price)
        self.prices = {n: both for n, both in self.prices.items() if n > number - SLICES}
        if self._is_quiet(level, ts_ns):
            return None
        lowest = min(low for low, _ in self.prices.values())
        highest = max(high for _, high in self.prices.values())
        if level.side & DOWN and highest - price >= level.distance:
            return highest
        if level.side & UP and price - lowest >= level.distance:
            return lowest
        return None

    def words(self) -> Iterator[int]:
        """Words of rule 8.11."""
        yield from (
            self.group_id,
            self.member_group_id,
            self.reference,
            self.last,
            self.quiet_from,
            self.reopen,
        )
        yield from (self.takes_auctions, self.tripped)
        for level in self.levels.values():
            yield from (
                level.distance_ppm,
                level.action,
                level.side,
                level.distance,
                level.pause,
                level.window,
            )
        yield self.slice
        for age in range(SLICES):
            yield from (
                self.prices.get(self.slice - age, (TIME_MAX, NO_PRICE))
                if self.slice >= 0
                else (TIME_MAX, NO_PRICE)
            )


class ReferenceBreakers:
    """Circuit breakers by instrument."""

    def __init__(self, engine: ReferenceEngine) -> None:
        self.engine = engine
        self.breakers: dict[int, Breaker] = {}

    def of(self, instrument_id: int) -> Breaker:
        """The breaker of an instrument, made when it is first named."""
        return self.breakers.setdefault(instrument_id, Breaker())

    def follow(self, made: list[bytes]) -> None:
        """Look at the matches among the events of one command (13.11)."""
        tripped: dict[int, tuple[int, int, int]] = {}
        for template, match in read_events(b"".join(made)) if self.breakers else ():
            if template == Template.ORDER_EXECUTED and match.instrument_id in self.breakers:
                is_auction = bool(match.event_flags & EventFlags.AUCTION)
                self.look(match.instrument_id, match.price_ticks, is_auction, tripped)
        for instrument_id, what in tripped.items():
            self.trip(instrument_id, *what)

    def look(
        self, instrument_id: int, price: int, is_auction: bool, tripped: dict[int, tuple[int, int, int]]
    ) -> None:
        """Look at one price; `tripped` takes the level, the price and what it was measured from."""
        breaker, ts_ns = self.breakers[instrument_id], self.engine._ts_ns
        breaker.last = price
        if is_auction and breaker.takes_auctions:
            breaker.rearm(price)
            breaker.forget()
        furthest = breaker.furthest(price, ts_ns)
        level = breaker.level_reached(price, ts_ns)
        before = tripped.get(instrument_id, (0, 0, 0))[0]
        if level and (before in (0, VELOCITY) or level > before):
            tripped[instrument_id] = (level, price, breaker.reference)
        elif furthest is not None and not before:
            tripped[instrument_id] = (VELOCITY, price, furthest)

    def trip(self, number: int, level: int, price: int, reference: int) -> None:
        """Stop what the breaker of an instrument stops (13.13)."""
        engine, breaker = self.engine, self.breakers[number]
        rule = breaker.levels[level]
        end = later(engine._ts_ns, rule.pause) if rule.pause else 0
        if level == VELOCITY:
            breaker.forget()
        else:
            breaker.tripped = level
        engine._emit(
            events.write_breaker_tripped(
                *engine._event_head(),
                price,
                reference,
                end,
                number,
                0,
                breaker.group_id,
                0,
                level,
                rule.action,
            )
        )
        if breaker.group_id == 0:
            self.stop(number, rule.action, end)
            return
        for member_id, member in sorted(self.breakers.items()):
            if member.member_group_id == breaker.group_id:
                self.stop(member_id, rule.action, end)

    def stop(self, instrument_id: int, action: int, end: int) -> None:
        """Stop one instrument."""
        engine = self.engine
        instrument = engine.instruments[instrument_id]
        before, auction = instrument.state, instrument.auction
        if action == VOLATILITY and before == OPEN:
            auction.drop_plan()
            auction.state_after, auction.end = OPEN, end
            instrument.state = VOLATILITY_AUCTION
        elif action != VOLATILITY and before == HALTED and auction.end:
            auction.end = max(auction.end, end) if action == HALT and end else 0
            auction.state_after = auction.state_after if auction.end else 0
        elif action != VOLATILITY and (before in TRADING or before in CALLS):
            auction.drop_plan()
            instrument.state = CLOSED if action == CLOSE and before in TRADING else HALTED
            if action == HALT and end and before != AT_CLOSE:
                auction.state_after, auction.end = before, end
        else:
            return
        engine._phase_changed(instrument, before, NO_PRICE)
        engine._begin_call(instrument, before)

    def words(self) -> Iterator[int]:
        """Words of rule 8.11."""
        if self.breakers:
            yield 0x17
        for instrument_id, breaker in sorted(self.breakers.items()):
            yield instrument_id
            yield from breaker.words()


class BreakerCommands(Auctions):
    """SET_BREAKER_LEVEL, SET_BREAKER, START_BREAKER_DAY, PUBLISH_INDEX, and what a timer does to a halt."""

    breakers: ReferenceBreakers

    def _breaker_commands(self) -> dict[int, Callable[[Any], None]]:
        """The commands of rules 13.9 to 13.16 by template."""
        return {
            int(Template.SET_BREAKER_LEVEL): self._set_breaker_level,
            int(Template.SET_BREAKER): self._set_breaker,
            int(Template.START_BREAKER_DAY): self._start_breaker_day,
            int(Template.PUBLISH_INDEX): self._publish_index,
        }

    def _set_breaker_level(self, command: Any) -> None:
        reason = self._instrument_refusal(self.instruments.get(command.instrument_id))
        if not reason and not self._level_holds(command):
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        breaker = self.breakers.of(command.instrument_id)
        breaker.levels[command.breaker_level] = Level(
            command.distance_ppm,
            command.breaker_action,
            command.breaker_side,
            command.distance_ticks,
            command.pause_ns,
            command.window_ns,
        )
        if command.breaker_level == VELOCITY:
            breaker.forget()
        self._command_done(command)

    def _level_holds(self, command: Any) -> bool:
        """The numbers of rule 13.9."""
        breaker = self.breakers.breakers.get(command.instrument_id, Breaker())
        if command.breaker_level not in LEVELS or command.breaker_action not in (HALT, VOLATILITY, CLOSE):
            return False
        if command.breaker_action == VOLATILITY and breaker.group_id:
            return False
        if not DOWN <= command.breaker_side <= DOWN | UP or not 0 <= command.pause_ns <= DURATION_MAX:
            return False
        if command.breaker_action == CLOSE and command.pause_ns:
            return False
        if command.breaker_level != VELOCITY:
            return command.distance_ticks == command.window_ns == 0
        if command.distance_ppm or not 0 <= command.distance_ticks < SIZE_LIMIT:
            return False
        return (1 if command.distance_ticks else 0) <= command.window_ns <= DURATION_MAX

    def _set_breaker(self, command: Any) -> None:
        reason = self._instrument_refusal(self.instruments.get(command.instrument_id))
        breaker = self.breakers.breakers.get(command.instrument_id, Breaker())
        stops_a_group_by_auction = command.group_id and any(
            level.action == VOLATILITY for level in breaker.levels.values()
        )
        reference = command.reference_price_ticks
        if not reason and not (
            command.group_id < GROUPS
            and command.member_group_id < GROUPS
            and (reference == NO_PRICE or abs(reference) <= PRICE_TICKS_MAX)
            and command.quiet_from_ts_ns >= 0
            and 0 <= command.reopen_call_ns <= DURATION_MAX
            and command.takes_auctions <= 1
            and not stops_a_group_by_auction
        ):
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        breaker = self.breakers.of(command.instrument_id)
        breaker.group_id, breaker.member_group_id = command.group_id, command.member_group_id
        breaker.quiet_from, breaker.reopen = command.quiet_from_ts_ns, command.reopen_call_ns
        breaker.takes_auctions = command.takes_auctions
        if reference != NO_PRICE:
            breaker.rearm(reference)
        self._command_done(command)

    def _start_breaker_day(self, command: Any) -> None:
        wanted = command.instrument_id
        reason = (
            self._operator_refusal()
            if wanted == 0
            else self._instrument_refusal(self.instruments.get(wanted))
        )
        if not reason and wanted and wanted not in self.breakers.breakers:
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        for instrument_id, breaker in self.breakers.breakers.items():
            if wanted in (0, instrument_id):
                breaker.rearm(breaker.reference if breaker.last == NO_PRICE else breaker.last)
                breaker.quiet_from = 0
                breaker.forget()
        self._command_done(command)

    def _publish_index(self, command: Any) -> None:
        reason = self._instrument_refusal(self.instruments.get(command.instrument_id))
        has_breaker = command.instrument_id in self.breakers.breakers
        if not reason and not (has_breaker and abs(command.price_ticks) <= PRICE_TICKS_MAX):
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        self._command_done(command)
        tripped: dict[int, tuple[int, int, int]] = {}
        self.breakers.look(command.instrument_id, command.price_ticks, False, tripped)
        for instrument_id, what in tripped.items():
            self.breakers.trip(instrument_id, *what)

    def _end_halt(self, instrument: Instrument) -> None:
        """What AUCTION_TIMER does to a halt (13.14)."""
        auction = instrument.auction
        if auction.end == 0 or self._ts_ns < auction.end:
            return
        after = auction.state_after
        reopen = self.breakers.breakers.get(instrument.instrument_id, Breaker()).reopen
        end = later(self._ts_ns, reopen)
        auction.drop_plan()
        if reopen and after in TRADING:
            self._leave(instrument, VOLATILITY_AUCTION)
            auction.end, auction.state_after = end, after
        else:
            self._leave(instrument, after)
            if reopen and after in AUCTION_CALLS:
                auction.end, auction.state_after = end, CLOSED if after == CLOSING else OPEN
        self._phase_changed(instrument, HALTED, NO_PRICE)
        self._begin_call(instrument, HALTED)
