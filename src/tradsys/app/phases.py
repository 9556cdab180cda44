"""Trading phases and the end of GTD orders by the clock: the commands that a venue's timetable sends, as the venue itself.

What is due is found by comparing times of day with the time looked at before, so that nothing is sent twice and, after a
pause, only the last phase missed, but the end of a day's orders wherever it was. Whether a phase may begin is the
engine's to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from tradsys import config
from tradsys.errors import ConfigError
from tradsys.fix.schedule import DAYS, SECOND_NS, moment, zone_of
from tradsys.wire import commands
from tradsys.wire.enums import AssetClass, InstrumentState

MS_NS = 1_000_000
LOOK_BACK_NS = 86_400 * SECOND_NS  # a phase missed longer ago is not made up for
IN_AUCTION = (
    InstrumentState.OPENING_AUCTION,
    InstrumentState.VOLATILITY_AUCTION,
    InstrumentState.CLOSING_AUCTION,
)


class Instruments(Protocol):
    """What is asked about instruments; an `Engine` answers."""

    def defined_instruments(self) -> list[int]:
        """Ids of all instruments, those defined while the venue runs among them."""

    def instrument_state(self, instrument_id: int) -> int:
        """InstrumentState, 0: not defined."""

    def next_expiry_ns(self) -> int:
        """No GTD order expires before it."""

    def planned_end(self, instrument_id: int) -> int:
        """Planned end of a call or a halt, ns since the epoch; 0: there is none."""


class PhaseClock:
    """Turns time into commands.

    Parameters
    ----------
    schedule : config.Schedule
        The timetables.
    instruments : sequence of config.Instrument
        Whom they are for.
    since_ns : int
        Time of the last command before the start, ns since the epoch: phases between it and now are made up for.

    Raises
    ------
    ConfigError
        A timetable names an instrument that is not configured, or a time zone there is none of.
    """

    def __init__(
        self, schedule: config.Schedule, instruments: Sequence[config.Instrument], since_ns: int
    ) -> None:
        self._indicative_ns = schedule.indicative_ms * MS_NS
        self._days = [(table, self._followers(table, instruments)) for table in schedule.timetables]
        taken: set[int] = set()
        for table, followers in self._days:
            followers[:] = [instrument_id for instrument_id in followers if instrument_id not in taken]
            taken.update(followers)
            try:
                zone_of(table.zone)
            except ValueError as error:
                raise ConfigError(f"schedule: {error}") from None
        self._looked_ns = since_ns
        self._timed_ns = 0
        self._expiry_ns = schedule.expiry_ms * MS_NS
        self._expired_ns = 0

    def due(self, engine: Instruments, now_ns: int) -> list[np.ndarray]:
        """Commands to send now; what is given out counts as sent."""
        found = list(self._phases(now_ns)) if now_ns > self._looked_ns else []
        self._looked_ns = max(self._looked_ns, now_ns)
        if engine.next_expiry_ns() <= now_ns and abs(now_ns - self._expired_ns) >= self._expiry_ns:
            self._expired_ns = now_ns
            found.append(commands.expire_orders())
        if abs(now_ns - self._timed_ns) >= self._indicative_ns:
            self._timed_ns = now_ns
            found += [
                commands.auction_timer(instrument_id)
                for instrument_id in engine.defined_instruments()
                if engine.instrument_state(instrument_id) in IN_AUCTION
                or (
                    engine.instrument_state(instrument_id) == InstrumentState.HALTED
                    and 0 < engine.planned_end(instrument_id) <= now_ns
                )
            ]
        return found

    def _phases(self, now_ns: int) -> Iterator[np.ndarray]:
        since_ns = max(self._looked_ns, now_ns - LOOK_BACK_NS)
        for table, followers in self._days:
            begun = list(self._moments(table, since_ns, now_ns))
            newest = max(begun, default=None, key=lambda found: found[0])
            if newest is not None:
                for instrument_id in followers:
                    yield self._command(table, *newest, instrument_id)
            # the end of a day is never missed: orders of that day must not meet the next one's
            away = since_ns > self._looked_ns and any(phase.day_ends for phase in table.phases)
            if away or any(phase.day_ends for _, phase in begun):
                for instrument_id in followers:
                    yield commands.expire_day_orders(instrument_id)

    @staticmethod
    def _moments(table: config.Timetable, since_ns: int, now_ns: int) -> Iterator[tuple[int, config.Phase]]:
        """Phases of the table that began in (since, now]."""
        zone = zone_of(table.zone)
        day = datetime.fromtimestamp(since_ns // SECOND_NS, zone).date() - timedelta(days=1)
        for _ in range(4):
            if DAYS[day.weekday()] in table.days:
                for phase in table.phases:
                    begin_ns = moment(day, phase.at, zone) * SECOND_NS
                    if since_ns < begin_ns <= now_ns:
                        yield begin_ns, phase
            day += timedelta(days=1)

    @staticmethod
    def _command(table: config.Timetable, begin_ns: int, phase: config.Phase, instrument_id: int) -> np.ndarray:
        state = InstrumentState[phase.state]
        if phase.until is None:
            return commands.set_instrument_state(instrument_id, state)
        zone = zone_of(table.zone)
        day = datetime.fromtimestamp(begin_ns // SECOND_NS, zone).date()
        end_ns = moment(day, phase.until, zone) * SECOND_NS
        return commands.start_call(
            instrument_id, state, end_ts_ns=end_ns, state_after=InstrumentState[phase.then]
        )

    @staticmethod
    def _followers(table: config.Timetable, instruments: Sequence[config.Instrument]) -> list[int]:
        known = {instrument.instrument_id: AssetClass[instrument.asset_class].name for instrument in instruments}
        unknown = sorted(set(table.instruments) - set(known))
        if unknown:
            raise ConfigError(f"schedule: instrument {unknown[0]} is not configured")
        wanted = table.instruments or tuple(known)
        return [number for number in wanted if table.asset_class in (None, known[number])]
