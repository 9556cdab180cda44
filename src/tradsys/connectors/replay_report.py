"""What a replay did, by the venue's own reports: which order each execution hit, and the best prices after each row.

The reports of the replay's sessions, put in order by ``event_seq``, tell everything that happened to the
replay's orders, so the book is rebuilt from them and compared with the file's row by row. It is the venue's
book as long as nobody else trades the instrument.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tradsys.connectors.lobster import NO_PRICE
from tradsys.connectors.order_flow import Command, CommandKind, Party, Step
from tradsys.connectors.resting_orders import ASK, BID, RestingOrders
from tradsys.wire.enums import EventFlags, Liquidity, RejectReason, ReportType, Side, TimeInForce


@dataclass(slots=True)
class ReplayReport:
    """Figures of a replay."""

    rows: int = 0  # rows or messages of the file
    commands: Counter[str] = field(default_factory=Counter)  # sent, by kind
    rejected: Counter[str] = field(default_factory=Counter)  # refused by the venue, by reason
    matches: int = 0  # matches of the venue among the replay's orders
    executions: int = 0  # executions of visible orders in the file
    executions_known: int = 0  # of orders that a message of the file had told and that rest here
    executions_hit: int = 0  # whose whole quantity met the very order that the outside venue's met
    executions_unfilled: int = 0  # whose aggressing order found less than its quantity here
    rows_compared: int = 0  # rows with a row of the orderbook file
    rows_top_equal: int = 0  # best bid and ask, price and quantity, equal to the file's
    rows_top_price_equal: int = 0  # best bid and ask price equal to the file's
    first_unequal_row: int | None = None
    seconds: float = 0.0


class Report(NamedTuple):
    """The fields of an ExecutionReport that matter here."""

    event_seq: int
    client_ref: int
    orig_client_ref: int
    price_ticks: int
    qty_lots: int
    leaves_lots: int
    client_seq: int
    instrument_id: int
    report_type: int
    side: int
    time_in_force: int
    liquidity: int
    event_flags: int
    reject_reason: int


def rows_of(reports: npt.NDArray[np.void]) -> list[Report]:
    """An array of ExecutionReports as tuples of plain integers: much quicker to look at one by one."""
    if not len(reports):
        return []
    columns = (reports[name].tolist() for name in Report._fields)
    return [Report(*values) for values in zip(*columns, strict=True)]


class Sent(NamedTuple):
    """A command on its way."""

    party: Party
    client_seq: int
    row: int


@dataclass(slots=True)
class Aggressor:
    """The order that stands for one execution of the file."""

    expected_ref: int
    known: bool
    left_lots: int
    hit: bool = True  # nothing but the expected order so far


class ReportTally:
    """Takes the venue's reports and fills a `ReplayReport`.

    Invariant: every command sent is in ``_sent`` until its first report has been worked off, and every row
    with a top is in ``_steps`` until the first report of a later row, or the end, closes it.
    """

    def __init__(self) -> None:
        self.report = ReplayReport()
        self.books: dict[int, RestingOrders] = {}  # by the venue's instrument_id
        self.price_ratios: dict[int, tuple[int, int]] = {}  # venue ticks = file price x first / second
        self._steps: deque[Step] = deque()
        self._sent: deque[Sent] = deque()
        self._last_sent: Counter[Party] = Counter()  # newest client_seq
        self._last_answered: dict[Party, int] = {}
        self._half_matches: set[int] = set()  # event_seq of matches of which one party's report is here
        self._unfinished: set[tuple[Party, int]] = set()  # (party, client_ref) of what needs a closing report
        self._inbox: dict[Party, deque[Report]] = {party: deque() for party in Party}
        self._aggressors: dict[int, Aggressor] = {}  # by client_ref
        self._incoming: Report | None = None  # an order that matched on entry; what is left of it will rest
        self._resting_ref = 0  # resting order of the match being worked off

    # ------------------------------------------------------------ what was sent

    def expect(self, step: Step) -> None:
        """Take note of a row before its commands are sent."""
        self.report.rows += 1
        if step.top is not None:
            self._steps.append(step)
        if step.expected_ref >= 0:
            self.report.executions += 1
            self.report.executions_known += step.expected_known
        for command in step.commands:
            self.report.commands[command.kind.name] += 1
            if command.kind == CommandKind.AGGRESS:
                self._aggressors[command.ref] = Aggressor(
                    step.expected_ref, step.expected_known, command.qty_lots
                )

    def sent(self, party: Party, first_seq: int, commands: list[Command], rows: list[int]) -> None:
        """Take note of a frame: its commands are numbered from ``first_seq``."""
        for index, (command, row) in enumerate(zip(commands, rows, strict=True)):
            self._sent.append(Sent(party, first_seq + index, row))
            if command.kind in (CommandKind.AGGRESS, CommandKind.MASS_CANCEL):
                self._unfinished.add((party, command.ref))
        self._last_sent[party] = first_seq + len(commands) - 1
        if party not in self._last_answered:
            self._last_answered[party] = first_seq - 1

    @property
    def outstanding(self) -> int:
        """Commands sent whose first report is not here."""
        return sum(last - self._last_answered[party] for party, last in self._last_sent.items())

    @property
    def settled(self) -> bool:
        """Everything sent is answered, every match has both its reports, every aggressing order has ended."""
        return not self.outstanding and not self._half_matches and not self._unfinished

    def waits_for(self, party: Party) -> bool:
        """True while a report of that party must still come."""
        return bool(self._half_matches) or self._last_sent[party] > self._last_answered.get(party, 0)

    def missing(self, seconds: float) -> str:
        """A sentence on what has not come."""
        text = f"the venue sent no report for {seconds:.0f} s; {self.outstanding} commands are not answered"
        if self._half_matches:
            text += f", {len(self._half_matches)} matches were with somebody else: replay needs the instrument alone"
        return text

    # ------------------------------------------------------------ what came back

    def take(self, party: Party, reports: npt.NDArray[np.void]) -> None:
        """Take reports of one session, in their order, and work off what is complete."""
        if len(reports) and party in self._last_answered:  # what came before our first command is not ours
            for report in rows_of(reports):
                self._arrive(party, report)
        if (
            sum(bool(inbox) for inbox in self._inbox.values()) == 1 and not self._half_matches
        ) or self.settled:
            self._work_off()

    def finish(self) -> None:
        """Close every row: nothing more will come."""
        assert self.settled, "a replay ends when everything is answered"
        self._work_off()
        self._rest_incoming()
        self._close_rows(None)

    def _arrive(self, party: Party, report: Report) -> None:
        self._inbox[party].append(report)
        self._last_answered[party] = max(self._last_answered[party], report.client_seq)
        kind = report.report_type
        if kind == ReportType.EXECUTED:
            self._half_matches ^= {report.event_seq}
        ended = kind in (ReportType.CANCELED, ReportType.REJECTED, ReportType.MASS_CANCELED) or (
            kind == ReportType.EXECUTED and report.liquidity == Liquidity.REMOVED and not report.leaves_lots
        )
        if ended:
            self._unfinished.discard((party, report.client_ref))

    def _work_off(self) -> None:
        """Apply what has arrived in the order of the event log."""
        arrived = [
            (report.event_seq, report.liquidity, party, report)
            for party in Party
            for report in self._inbox[party]
        ]
        for inbox in self._inbox.values():
            inbox.clear()
        arrived.sort(key=lambda item: item[:3])  # of a match the resting party's report first
        for _, _, party, report in arrived:
            self._apply(party, report)

    def _apply(self, party: Party, report: Report) -> None:
        if self._sent and report.client_seq and self._sent[0][:2] == (party, report.client_seq):
            sent = self._sent.popleft()
            self._rest_incoming()
            self._close_rows(sent.row)
        book = self.books.setdefault(report.instrument_id, RestingOrders())
        kind = report.report_type
        if kind in (ReportType.ACCEPTED, ReportType.REPLACED):
            self._enter(book, report, replaced=kind == ReportType.REPLACED)
        elif kind == ReportType.EXECUTED:
            self._match(book, report)
        elif kind in (ReportType.CANCELED, ReportType.REDUCED):
            if report.client_ref in book:
                book.reduce(report.client_ref, report.qty_lots)
            self._end_aggressor(report)
        elif kind == ReportType.REJECTED:
            self.report.rejected[RejectReason(report.reject_reason).name] += 1
            self._end_aggressor(report)

    def _enter(self, book: RestingOrders, report: Report, *, replaced: bool) -> None:
        if replaced and report.orig_client_ref in book:
            book.reduce(report.orig_client_ref, book.leaves(report.orig_client_ref))
        if report.event_flags & EventFlags.RESTS:
            side = BID if report.side == Side.BUY else ASK
            book.add(report.client_ref, side, report.price_ticks, report.leaves_lots)
        elif report.time_in_force not in (TimeInForce.IOC, TimeInForce.FOK):
            self._incoming = report

    def _match(self, book: RestingOrders, report: Report) -> None:
        if report.liquidity == Liquidity.ADDED:
            self.report.matches += 1
            self._resting_ref = report.client_ref
            book.reduce(report.client_ref, report.qty_lots)
            return
        if self._incoming is not None and report.client_ref == self._incoming.client_ref:
            self._incoming = self._incoming._replace(leaves_lots=report.leaves_lots)
        aggressor = self._aggressors.get(report.client_ref)
        if aggressor is not None:
            aggressor.hit = aggressor.hit and self._resting_ref == aggressor.expected_ref
            aggressor.left_lots -= report.qty_lots
            if not report.leaves_lots:
                self._end_aggressor(report)

    def _end_aggressor(self, report: Report) -> None:
        aggressor = self._aggressors.pop(report.client_ref, None)
        if aggressor is not None:
            self.report.executions_unfilled += aggressor.left_lots > 0
            self.report.executions_hit += aggressor.hit and aggressor.left_lots == 0

    def _rest_incoming(self) -> None:
        """The command after it has begun: what is left of an order that matched on entry rests now."""
        report, self._incoming = self._incoming, None
        if report is not None and report.leaves_lots:
            side = BID if report.side == Side.BUY else ASK
            self.books[report.instrument_id].add(
                report.client_ref, side, report.price_ticks, report.leaves_lots
            )

    def _close_rows(self, row: int | None) -> None:
        """Compare the rows before ``row`` (all when None) with the book as it is now."""
        while self._steps and (row is None or self._steps[0].row < row):
            step = self._steps.popleft()
            prices, both = self._compare(step)
            self.report.rows_compared += 1
            self.report.rows_top_price_equal += prices
            self.report.rows_top_equal += both
            if not both and self.report.first_unequal_row is None:
                self.report.first_unequal_row = step.row

    def _compare(self, step: Step) -> tuple[bool, bool]:
        """Tell whether the best prices are equal, and whether prices and quantities are."""
        assert step.top is not None
        prices = both = True
        for side, price, qty in ((ASK, *step.top[:2]), (BID, *step.top[2:])):
            best = None
            for instrument_id, book in self.books.items():
                best = book.best(side)
                numerator, denominator = self.price_ratios[instrument_id]
            if best is None or abs(price) == NO_PRICE:
                equal = best is None and abs(price) == NO_PRICE
                prices, both = prices and equal, both and equal
            else:
                prices = prices and best[0] * denominator == price * numerator
                both = both and prices and best[1] == qty
        return prices, both
