"""Trades kept to be busted and corrected in the reference engine: rules 13.5 to 13.8."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tradsys.sim import reference_events as events
from tradsys.sim.reference_book import BUY
from tradsys.sim.reference_definitions import NOT_REFUSED, Definitions
from tradsys.sim.reference_records import read_events
from tradsys.sim.reference_risk import SUMS, trade
from tradsys.wire.enums import EventFlags, RejectReason, Template

if TYPE_CHECKING:
    from tradsys.sim.reference_engine import ReferenceEngine

KEPT_MAX = 1 << 20
REVERSED = int(EventFlags.REVERSED)
PARTIES = ("resting", "incoming")


@dataclass
class Trade:
    """A match that can be busted and corrected."""

    match: Any  # OrderExecuted
    record: bytes  # its event
    price: int  # at which it stands [ticks]
    watched: dict[str, bool]  # by party: whether its position counts the match
    busted: bool = False
    fees: dict[str, int] | None = None  # by party, as charged so far; None: nothing was charged

    def words(self) -> Iterator[int]:
        """Words of rule 8.10."""
        for at in range(0, len(self.record), 8):
            yield int.from_bytes(self.record[at : at + 8], "little")
        fees = self.fees or dict.fromkeys(PARTIES, 0)
        yield from (self.price, fees["resting"], fees["incoming"])
        yield (
            int(self.busted)
            | int(self.fees is not None) << 1
            | int(self.watched["resting"]) << 2
            | int(self.watched["incoming"]) << 3
        )


class ReferenceTrades:
    """The last matches.

    Invariant: at most `kept_max` of them, in the order of their numbers.
    """

    def __init__(self, engine: ReferenceEngine) -> None:
        self.engine = engine
        self.kept_max = 0
        self.kept: OrderedDict[int, Trade] = OrderedDict()  # match seq -> trade

    def follow(self, made: list[bytes], charged: dict[int, dict[str, int]]) -> None:
        """Keep the matches among the events of one command; `charged` are their fees by match."""
        if not self.kept_max:
            return
        for record in made:
            ((template, match),) = read_events(record)
            if template != Template.ORDER_EXECUTED:
                continue
            watched = {
                party: self.engine.risk._is_watched(getattr(match, f"{party}_session_id"))
                for party in PARTIES
            }
            self.kept[match.seq] = Trade(
                match, record, match.price_ticks, watched, fees=charged.get(match.seq)
            )
        self.forget()

    def forget(self) -> None:
        """Let go of what is more than can be kept."""
        while len(self.kept) > self.kept_max:
            self.kept.popitem(last=False)

    def book(self, kept: Trade, price: int, sign: int) -> None:
        """Book a kept match, or with sign -1 the same the other way round, at a price (13.7)."""
        match, risk = kept.match, self.engine.risk
        for party, side in (("resting", 3 - match.incoming_side), ("incoming", match.incoming_side)):
            if not kept.watched[party]:
                continue
            session = self.engine.sessions[getattr(match, f"{party}_session_id")]
            account_id = getattr(match, f"{party}_account_id")
            keys = risk.levels(session.participant.participant_id, account_id)
            record = risk.position(keys[0], match.instrument_id)
            before = {name: getattr(record, name) for name in SUMS}
            trade(record, sign * (match.qty_lots if side == BUY else -match.qty_lots), price)
            if sign < 0:
                record.traded -= 2 * match.qty_lots * abs(price)
            record.worst = record.account_worst()
            deltas = {name: getattr(record, name) - before[name] for name in SUMS}
            for key in keys:
                if key != keys[0]:
                    risk._add(key, match.instrument_id, deltas, 1)
                risk.holder(key).gross += deltas["worst"]
                risk.holder(key).realised += deltas["realised"]

    def refee(self, kept: Trade, fees: dict[str, int]) -> None:
        """Charge the difference to other fees (15.8)."""
        if kept.fees is None:
            return
        resting, incoming = (fees[party] - kept.fees[party] for party in PARTIES)
        if resting or incoming:
            flags = kept.match.event_flags | REVERSED
            self.engine.fees.tell(kept.match, resting, incoming, flags, counted=kept.watched)
        kept.fees = fees

    def words(self) -> Iterator[int]:
        """Words of rule 8.10."""
        if self.kept_max or self.kept:
            yield from (0x16, self.kept_max, len(self.kept))
            for kept in self.kept.values():
                yield from kept.words()


class TradeCommands(Definitions):
    """KEEP_TRADES, BUST_TRADE and CORRECT_TRADE."""

    trades: ReferenceTrades

    def _trade_commands(self) -> dict[int, Callable[[Any], None]]:
        """The commands of rules 13.5 to 13.8 by template."""
        return {
            int(Template.KEEP_TRADES): self._keep_trades,
            int(Template.BUST_TRADE): self._bust_trade,
            int(Template.CORRECT_TRADE): self._correct_trade,
        }

    def _keep_trades(self, command: Any) -> None:
        reason = self._operator_refusal()
        if not reason and command.kept_count > KEPT_MAX:
            reason = RejectReason.BAD_DEFINITION
        if reason:
            self._reject_command(command, reason)
            return
        self.trades.kept_max = command.kept_count
        self.trades.forget()
        self._command_done(command)

    def _bust_trade(self, command: Any) -> None:
        reason, kept = self._trade_refusal(command)
        if reason:
            self._reject_command(command, reason)
            return
        assert kept is not None
        self._command_done(command)
        self._tell_trade(kept, events.write_trade_busted, kept.price, kept.price)
        self.trades.book(kept, kept.price, -1)
        self.trades.refee(kept, dict.fromkeys(PARTIES, 0))
        kept.busted = True

    def _correct_trade(self, command: Any) -> None:
        reason, kept = self._trade_refusal(command)
        if not reason:
            reason = self.instruments[command.instrument_id].price_refusal(command.price_ticks)
        if reason:
            self._reject_command(command, reason)
            return
        assert kept is not None
        self._command_done(command)
        self._tell_trade(kept, events.write_trade_corrected, command.price_ticks, kept.price)
        self.trades.book(kept, kept.price, -1)
        self.trades.book(kept, command.price_ticks, 1)
        kept.price = command.price_ticks
        self.trades.refee(kept, self.trades.engine.fees.anew(kept.match, kept.price))

    def _trade_refusal(self, command: Any) -> tuple[int, Trade | None]:
        """What stands against a bust or a correction, and the match it names."""
        known = command.instrument_id in self.instruments
        reason = self._operator_refusal(NOT_REFUSED if known else RejectReason.UNKNOWN_INSTRUMENT)
        kept = self.trades.kept.get(command.match_seq)
        if not reason and (kept is None or kept.match.instrument_id != command.instrument_id):
            reason = RejectReason.UNKNOWN_TRADE
        if not reason and kept is not None and kept.busted:
            reason = RejectReason.TRADE_BUSTED
        return reason, kept

    def _tell_trade(self, kept: Trade, write: Any, price: int, price_before: int) -> None:
        match = kept.match
        resting_report = self._report(self.sessions[match.resting_session_id])
        incoming_report = self._report(self.sessions[match.incoming_session_id])
        self._emit(
            write(
                *self._event_head(),
                match.resting_order_id,
                match.resting_client_ref,
                price,
                match.qty_lots,
                match.seq,
                match.instrument_id,
                match.resting_session_id,
                match.resting_account_id,
                resting_report,
                match.incoming_order_id,
                match.incoming_client_ref,
                price_before,
                match.incoming_session_id,
                match.incoming_account_id,
                incoming_report,
                match.incoming_side,
                match.event_flags,
            )
        )
