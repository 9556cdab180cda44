"""Sends the steps of a replay into a running venue and keeps the order between the replay's sessions.

Two sessions are two connections, so the venue may read them in either order. The driver therefore sends runs
of commands of one session, many to a frame and several frames under way, and changes to another session only
when the venue has answered everything before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tradsys.connectors.order_flow import Command, CommandKind, Party, Step
from tradsys.connectors.replay_report import ReplayReport, ReportTally
from tradsys.connectors.resting_orders import BID
from tradsys.errors import SessionError, UnitError
from tradsys.units import InstrumentUnits
from tradsys.wire.commands import define_instrument, set_instrument_state
from tradsys.wire.enums import InstrumentState, OrderType, Side, StpMode, Template, TimeInForce
from tradsys.wire.records import empty

FRAME_COMMANDS = 256  # commands of one frame
OUTSTANDING_COMMANDS_MAX = 4096  # commands sent and not yet answered
ANSWER_SECONDS = 10.0  # how long the venue may take for one answer
FILE_PRICE_EXPONENT = -4  # prices of LOBSTER and ITCH files are USD x 10^4
PRICE_MAX, QTY_MAX = "200000", "1000000"  # of instruments defined here: ITCH's largest price, in USD; shares
STATES = {CommandKind.OPEN: InstrumentState.OPEN, CommandKind.HALT: InstrumentState.HALTED}


class OrderLink(Protocol):
    """What the driver needs of a logged-on session."""

    def send(self, records: npt.NDArray[np.uint8]) -> int:
        """Send commands back to back in one frame; returns the client_seq of the first."""
        ...

    def receive(self, timeout_s: float) -> npt.NDArray[np.void]:
        """Execution reports that have arrived, waiting for the first; empty after the timeout."""
        ...


@dataclass(frozen=True, slots=True)
class Market:
    """An instrument of the venue as the replay needs it."""

    instrument_id: int
    symbol: str
    units: InstrumentUnits

    def ticks(self, file_price: int) -> int:
        """Venue ticks of a price in USD x 10^4, exactly or UnitError."""
        tick = self.units.tick
        numerator, denominator = self.ratio()
        ticks, rest = divmod(file_price * numerator, denominator)
        if rest:
            raise UnitError(f"a price of {file_price} x 10^-4 is not a whole number of ticks of {tick}")
        return ticks

    def ratio(self) -> tuple[int, int]:
        """Ticks = file price x first / second."""
        power = FILE_PRICE_EXPONENT - self.units.tick.exponent
        return 10 ** max(power, 0), self.units.tick.mantissa * 10 ** max(-power, 0)


class ReplayDriver:
    """Drives one replay.

    Parameters
    ----------
    links : mapping
        The logged-on session of each party.
    markets : callable
        The venue's instrument of a file's number; called once for each number.
    speed : float or None
        Times the speed of the file; None: as fast as the venue takes it.
    on_progress : callable
        Called with the report so far, a few times a second.
    """

    def __init__(
        self,
        links: Mapping[Party, OrderLink],
        markets: Callable[[int], Market],
        speed: float | None = None,
        on_progress: Callable[[ReplayReport], None] = lambda report: None,
    ) -> None:
        self.tally = ReportTally()
        self._links = links
        self._market_of = markets
        self._markets: dict[int, Market] = {}
        self._speed = speed
        self._on_progress = on_progress
        self._party = Party.MAKER
        self._run: list[Command] = []  # commands of self._party not yet sent
        self._rows: list[int] = []  # row of each of them
        self._started = 0.0
        self._file_start_ns = -1
        self._progress_due = 0.0

    @property
    def report(self) -> ReplayReport:
        """What is known so far."""
        return self.tally.report

    def run(self, steps: Iterable[Step]) -> ReplayReport:
        """Send every step and return the report once the venue has answered all of them."""
        self._started = time.perf_counter()
        for step in steps:
            self._pace(step.ts_ns)
            self.tally.expect(step)
            for command in step.commands:
                if command.party != self._party:
                    self.flush()
                    self._settle()
                    self._party = command.party
                self._run.append(command)
                self._rows.append(step.row)
            if len(self._run) >= FRAME_COMMANDS or self._speed is not None:
                self.flush()
        self.flush()
        self._settle()
        self.tally.finish()
        self.report.seconds = round(time.perf_counter() - self._started, 3)
        return self.report

    def flush(self) -> None:
        """Send what has gathered, in frames; waits while too much is unanswered."""
        link = self._links[self._party]
        for start in range(0, len(self._run), FRAME_COMMANDS):
            commands = self._run[start : start + FRAME_COMMANDS]
            first_seq = link.send(self.encode(commands))
            self.tally.sent(self._party, first_seq, commands, self._rows[start : start + FRAME_COMMANDS])
            while self.tally.outstanding > OUTSTANDING_COMMANDS_MAX:
                self._take_reports()
        self._run.clear()
        self._rows.clear()

    def encode(self, commands: list[Command]) -> npt.NDArray[np.uint8]:
        """The records of commands, back to back."""
        if commands[0].party == Party.OPERATOR:
            return np.concatenate([self._operator_record(command) for command in commands])
        return encode_orders(commands, [self._market(command.instrument) for command in commands])

    def _market(self, instrument: int) -> Market:
        market = self._markets.get(instrument)
        if market is None:
            market = self._markets[instrument] = self._market_of(instrument)
            self.tally.price_ratios[market.instrument_id] = market.ratio()
        return market

    def _operator_record(self, command: Command) -> npt.NDArray[np.uint8]:
        market = self._market(command.instrument)
        if command.kind != CommandKind.DEFINE:
            return set_instrument_state(market.instrument_id, STATES[command.kind]).view(np.uint8)
        tick, lot = str(market.units.tick), str(market.units.lot)
        return define_instrument(
            market.instrument_id,
            market.symbol,
            tick=tick,
            lot=lot,
            price_min=tick,
            price_max=PRICE_MAX,
            qty_max=QTY_MAX,
        ).view(np.uint8)

    def _settle(self) -> None:
        """Wait until the venue has answered everything sent."""
        while not self.tally.settled:
            self._take_reports()

    def _take_reports(self) -> None:
        """Take what has arrived; of the other parties too, for their orders may have been hit."""
        deadline = time.perf_counter() + ANSWER_SECONDS
        taken = 0
        timeout = 0.0
        while not taken:
            for party, link in self._links.items():
                reports = link.receive(
                    timeout if party == self._party or not self.tally.waits_for(party) else 0.001
                )
                taken += len(reports)
                self.tally.take(party, reports)
            timeout = 0.001
            if not taken and time.perf_counter() > deadline:
                raise SessionError(self.tally.missing(ANSWER_SECONDS))
        self._show_progress()

    def _pace(self, ts_ns: int) -> None:
        """Wait until a row is due at the speed asked for; reports are taken meanwhile."""
        if self._file_start_ns < 0:
            self._file_start_ns = ts_ns
        if self._speed is None:
            return
        due = self._started + (ts_ns - self._file_start_ns) / 1e9 / self._speed
        while (left := due - time.perf_counter()) > 0:
            for party, link in self._links.items():
                self.tally.take(party, link.receive(min(left, 0.05) / len(self._links)))
            self._show_progress()

    def _show_progress(self) -> None:
        now = time.perf_counter()
        if now >= self._progress_due:
            self._progress_due = now + 0.25
            self.report.seconds = now - self._started
            self._on_progress(self.report)


def encode_orders(commands: list[Command], markets: list[Market]) -> npt.NDArray[np.uint8]:
    """Order commands as 80-byte records back to back; self-trades are allowed, for the file's parties are unknown."""
    records = np.zeros((len(commands), 80), dtype=np.uint8)
    kind = np.array([command.kind for command in commands], dtype=np.uint8)
    sides = [Side.BUY if command.side == BID else Side.SELL for command in commands]
    ticks = [market.ticks(command.price_ticks) for market, command in zip(markets, commands, strict=True)]
    columns: dict[str, np.ndarray] = {
        "client_ref": np.array([command.ref for command in commands], dtype=np.uint64),
        "orig_client_ref": np.array([command.orig_ref for command in commands], dtype=np.uint64),
        "price_ticks": np.array(ticks, dtype=np.int64),
        "qty_lots": np.array([command.qty_lots for command in commands], dtype=np.int64),
        "instrument_id": np.array([market.instrument_id for market in markets], dtype=np.uint32),
        "side": np.array(sides, dtype=np.uint8),
    }
    for template, which in (
        (Template.NEW_ORDER, (kind == CommandKind.NEW) | (kind == CommandKind.AGGRESS)),
        (Template.REDUCE_ORDER, kind == CommandKind.REDUCE),
        (Template.CANCEL_ORDER, kind == CommandKind.CANCEL),
        (Template.REPLACE_ORDER, kind == CommandKind.REPLACE),
        (Template.MASS_CANCEL, kind == CommandKind.MASS_CANCEL),
    ):
        count = int(which.sum())
        if not count:
            continue
        made = empty(template, count)
        for name, values in columns.items():
            if name in (made.dtype.names or ()) and not (template == Template.MASS_CANCEL and name == "side"):
                made[name] = values[which]
        if template == Template.NEW_ORDER:
            made["order_type"] = OrderType.LIMIT
            made["stp_mode"] = StpMode.NONE
            made["time_in_force"] = np.where(kind[which] == CommandKind.NEW, TimeInForce.GTC, TimeInForce.IOC)
        records[which] = made.view(np.uint8).reshape(count, 80)
    return records.reshape(-1)
