"""Trades out of the event log for a FIX session (AD, AQ, AE), a piece of the log at a time."""

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tradsys.errors import InputError
from tradsys.fix.message import SOH, Field, Message, parse_time, whole_number
from tradsys.gateways.fix_answers import AUCTION, ECHO_BYTES_MAX, Answer
from tradsys.gateways.fix_catalog import FixCatalog
from tradsys.gateways.fix_text import time_text
from tradsys.wire.enums import EventFlags, Side, Template
from tradsys.wire.records import ORDER_EXECUTED, TRADE_CORRECTED

if TYPE_CHECKING:
    from tradsys.engine.sequencer import Sequencer
    from tradsys.gateways.fix_gateway import FixGateway
    from tradsys.gateways.fix_peer import FixPeer

DAY_NS = 86_400 * 10**9
ALL_TRADES, MATCHED_TRADES = b"0", b"1"
NO_SYMBOL = b"[N/A]"
UNKNOWN_INSTRUMENT, WRONG_TYPE, OTHER = b"1", b"8", b"99"  # TradeRequestResult
ACCEPTED, COMPLETED, REJECTED = b"0", b"1", b"2"  # TradeRequestStatus
FOREVER_NS = 2**63 - 1
# TradeReportTransType of what happens to a match: made, undone, given another price
TRANSACTIONS = {Template.ORDER_EXECUTED: b"0", Template.TRADE_BUSTED: b"1", Template.TRADE_CORRECTED: b"2"}


class Wanted(NamedTuple):
    """What a request asks for."""

    request_id: bytes
    instrument_id: int  # 0: every one
    exec_id: tuple[int, int] | None  # event and party
    from_ns: int
    to_ns: int  # the first moment that is too late


class Trade(NamedTuple):
    """One side of a match, or of what became of it."""

    event: np.void  # ORDER_EXECUTED; of a match undone or corrected, what both kinds have at the same place
    party: int  # as in ExecIDs: 0 the resting order where it is reported, else the incoming one

    @property
    def is_resting(self) -> bool:
        """Whether this side was on the book."""
        return self.party == 0 and bool(self.event["resting_report_seq"])

    @property
    def match_seq(self) -> int:
        """Number of the match."""
        if self.event["template_id"] == Template.ORDER_EXECUTED:
            return int(self.event["seq"])
        return int(self.event.reshape(1).view(TRADE_CORRECTED)["match_seq"][0])


class Run(NamedTuple):
    """A run of events that was read, for everybody who follows the log at the same place."""

    begin: int
    asked: int
    size: int
    end_ns: int
    matches: np.ndarray  # ORDER_EXECUTED


class BadRequestError(InputError):
    """A request for trades that cannot be answered.

    Parameters
    ----------
    result : bytes
        TradeRequestResult, tag 749.
    text : str
    """

    def __init__(self, result: bytes, text: str) -> None:
        super().__init__(text)
        self.result = result


class FixTrades:
    """Answers requests for trades.

    A session that enters orders gets its own trades; a drop copy those of every session of its participant, of its accounts
    where it has some. Never another participant's.

    Parameters
    ----------
    door : FixGateway
        Knows names of orders, and the last event that has left.
    sequencer : Sequencer
        Has the event log.
    catalog : FixCatalog
    events_per_turn : int
        Looked at in one turn for everybody.
    """

    def __init__(
        self, door: "FixGateway", sequencer: "Sequencer", catalog: FixCatalog, events_per_turn: int
    ) -> None:
        self._door, self._sequencer, self._catalog = door, sequencer, catalog
        self._events_per_turn = events_per_turn
        self._events_left = events_per_turn
        self._run = Run(0, 0, 0, 0, np.empty(0, ORDER_EXECUTED))

    def begin_turn(self) -> None:
        """Allow a turn's events to be looked at."""
        self._events_left = self._events_per_turn

    @property
    def has_room(self) -> bool:
        """Whether more events may be looked at in this turn."""
        return self._events_left > 0

    def answer(
        self, peer: "FixPeer", message: Message
    ) -> Generator[Answer | None, None, Iterator[Answer | None] | None]:
        """Answer a request: AQ, the trades there are, AQ. None: to go on next turn.

        Returns
        -------
        iterator or None
            The trades that come after; None when the request was refused.
        """
        try:
            wanted = self.read(message)
        except BadRequestError as error:
            yield self.acknowledge(message, error.result, REJECTED, str(error).encode())
            return None
        yield self.acknowledge(message, b"0", ACCEPTED)
        last_seq = self._door.egress_seq
        found: Iterator[Trade | None]
        if wanted.exec_id is not None:
            begin, last_seq = wanted.exec_id[0], min(wanted.exec_id[0], last_seq)
        else:
            begin = self._first_event(peer, wanted, last_seq)
        found = self._between(peer, wanted, begin, last_seq)
        count, held = 0, None  # one is held back, so that the last one is known
        for trade in found:
            if trade is None:
                yield None
                continue
            if held is not None:
                yield self.report(peer, wanted.request_id, held, b"N")
            held, count = trade, count + 1
        if held is not None:
            yield self.report(peer, wanted.request_id, held, b"Y")
        yield self.acknowledge(message, b"0", COMPLETED, count=count)
        return self._follow(peer, wanted, last_seq + 1)

    def _follow(self, peer: "FixPeer", wanted: Wanted, begin: int) -> Iterator[Answer | None]:
        """Trades as they come, without end; None: nothing (more) this turn."""
        while True:
            last_seq = min(self._door.egress_seq, begin + self._events_left - 1)
            for trade in self._between(peer, wanted, begin, last_seq):
                yield None if trade is None else self.report(peer, wanted.request_id, trade, None)
            begin = max(last_seq + 1, begin)
            yield None

    def acknowledge(
        self, message: Message, result: bytes, status: bytes, text: bytes = b"", count: int = -1
    ) -> Answer:
        """Write a TradeCaptureReportRequestAck."""
        fields: list[Field] = [(568, message.get(568) or b"")]
        if count >= 0:
            fields.append((748, b"%d" % count))
        fields += [(749, result), (750, status), (569, message.get(569) or b"")]
        fields.append((55, (message.get(55) or NO_SYMBOL)[:ECHO_BYTES_MAX]))
        return "AQ", [*fields, (58, text)] if text else fields

    # ------------------------------------------------------------------------------------------ what is asked for

    def read(self, message: Message) -> Wanted:
        """Read a request.

        Raises
        ------
        BadRequestError
            It names what there is not, or times that are none.
        """
        if message.get(569) not in (ALL_TRADES, MATCHED_TRADES):
            raise BadRequestError(WRONG_TYPE, "TradeRequestType must be 0 or 1")
        instrument_id = 0
        if message.has(55) and message.get(55) != NO_SYMBOL:
            listed = self._catalog.find(message.get(55))
            if listed is None:
                raise BadRequestError(UNKNOWN_INSTRUMENT, "no such Symbol")
            instrument_id = listed.instrument_id
        from_ns, to_ns = dates_of(message)
        return Wanted(message.get(568) or b"", instrument_id, exec_id_of(message), from_ns, to_ns)

    def _first_event(self, peer: "FixPeer", wanted: Wanted, last_seq: int) -> int:
        """Find where in the log to begin: times in it never go back."""
        low, high = 1, last_seq + 1
        if not peer.is_drop_copy:
            own = self._sequencer.reports(peer.session_id, 1, 1)
            low = min(int(own["seq"][0]) if len(own) else high, high)
        while wanted.from_ns > 0 and low < high:
            middle = (low + high) // 2
            if int(self._sequencer.read_events(middle, 1)["ts_ns"][0]) < wanted.from_ns:
                low = middle + 1
            else:
                high = middle
        return low

    # ------------------------------------------------------------------------------------------ trades

    def _between(self, peer: "FixPeer", wanted: Wanted, begin: int, last_seq: int) -> Iterator[Trade | None]:
        """Trades of a part of the log. None: this turn's events are used up."""
        while begin <= last_seq:
            if self._events_left <= 0:
                yield None
                continue
            run = self._read(begin, min(last_seq - begin + 1, self._events_left))
            self._events_left -= run.size
            begin += run.size
            if len(run.matches):
                yield from self._picked(peer, wanted, run.matches)
            if run.size == 0 or run.end_ns >= wanted.to_ns:
                return

    def _read(self, begin: int, count: int) -> Run:
        """Read events, once for all who ask for the same ones in turn: what has been released does not change."""
        if (begin, count) != self._run[:2]:
            events = self._sequencer.read_events(begin, count)
            matches = events[np.isin(events["template_id"], tuple(TRANSACTIONS))].view(ORDER_EXECUTED)
            self._run = Run(begin, count, len(events), int(events["ts_ns"][-1]) if len(events) else 0, matches)
        return self._run

    def _picked(self, peer: "FixPeer", wanted: Wanted, matches: np.ndarray) -> Iterator[Trade]:
        """Choose the trades of a run of events that are the session's to see and were asked for."""
        fits = (matches["ts_ns"] >= wanted.from_ns) & (matches["ts_ns"] < wanted.to_ns)
        fits &= is_seen_by(peer, matches)
        if wanted.instrument_id:
            fits &= matches["instrument_id"] == wanted.instrument_id
        if wanted.exec_id is not None:
            fits &= matches["seq"] == wanted.exec_id[0]
        for match in matches[fits]:
            for party, side in enumerate(parties_of(match)):
                is_wanted = wanted.exec_id is None or wanted.exec_id[1] == party
                if is_wanted and peer.may_see(int(match[f"{side}_session_id"]), int(match[f"{side}_account_id"])):
                    yield Trade(match, party)

    def report(self, peer: "FixPeer", request_id: bytes, trade: Trade, last: bytes | None) -> Answer:
        """Write a TradeCaptureReport; ``last`` is LastRptRequested, None: none is asked for."""
        event, side = trade.event, parties_of(trade.event)[trade.party]
        listed = self._catalog.at(int(event["instrument_id"]))
        assert listed is not None, "what was traded is defined"
        exec_id = b"%d.%d" % (event["seq"], trade.party)
        moment = time_text(int(event["ts_ns"]), peer.digits)
        transaction, match_id, day = TRANSACTIONS[event["template_id"]], b"%d" % trade.match_seq, moment[:8]
        if transaction != b"0":
            made_ns = int(self._sequencer.read_events(trade.match_seq, 1)["ts_ns"][0])
            day = time_text(made_ns, peer.digits)[:8]
        name = self._door.name_of(int(event[f"{side}_session_id"]), int(event[f"{side}_client_ref"]))
        incoming = int(event["incoming_side"])
        is_buy = (incoming == Side.BUY) != trade.is_resting
        fields: list[Field] = [(571, exec_id), (487, transaction), (568, request_id)]
        if last is not None:
            fields.append((912, last))
        fields += [
            *([(572, b"%b.%d" % (match_id, trade.party))] if transaction != b"0" else []),
            (880, match_id), (17, exec_id), (570, b"N"),
            (55, listed.symbol), (32, listed.qty(int(event["qty_lots"]))),
            (31, listed.price(int(event["price_ticks"]))), (75, day), (60, moment), (552, b"1"),
            (54, b"1" if is_buy else b"2"), (37, b"%d" % event[f"{side}_order_id"]), (11, name),
        ]  # fmt: skip
        account = int(event[f"{side}_account_id"])
        if account:
            fields.append((1, b"%d" % account))
        if event["event_flags"] & EventFlags.AUCTION:
            fields.append((625, AUCTION))
        return "AE", fields


def is_seen_by(peer: "FixPeer", matches: np.ndarray) -> np.ndarray:
    """Tell of each match whether a session may see any side of it; its accounts are not looked at one by one."""
    resting, incoming = matches["resting_session_id"], matches["incoming_session_id"]
    if not peer.is_drop_copy:
        return (resting == peer.session_id) | (incoming == peer.session_id)
    account_id = peer.config.accounts[0] if peer.config.accounts else 0
    seen = [one for one in np.unique([resting, incoming]) if peer.may_see(int(one), account_id)]
    return np.isin(resting, seen) | np.isin(incoming, seen)


def parties_of(match: np.void) -> Sequence[str]:
    """Name the sides of a match that are reported, in the order of their numbers in ExecIDs."""
    sides = (("resting", match["resting_report_seq"]), ("incoming", match["incoming_report_seq"]))
    return [side for side, report_seq in sides if report_seq]


def exec_id_of(message: Message) -> tuple[int, int] | None:
    """Read ExecID as event and party; one that was never given fits nothing."""
    if not message.has(17):
        return None
    event, _, party = (message.get(17) or b"").partition(b".")
    number = whole_number(event)
    return (number, whole_number(party)) if 0 < number < 2**62 else (2**62, 0)


def dates_of(message: Message) -> tuple[int, int]:
    """Read group 580: the day given, or the time from the first entry to the second.

    Raises
    ------
    BadRequestError
        The entries are none, or more than two.
    """
    entries: list[list[bytes]] = []
    names = [tag for tag, _ in message.fields]
    begin = names.index(580) + 1 if 580 in names else len(names)
    for tag, value in message.fields[begin:]:
        if tag == 75:
            entries.append([value])
        elif tag == 60 and entries and len(entries[-1]) == 1:
            entries[-1].append(value)
        else:
            break
    if len(entries) > 2 or (580 in names and message.number(580) != len(entries)):
        raise BadRequestError(OTHER, "NoDates must be 1 or 2, and the number of its entries")
    if not entries:
        return 0, FOREVER_NS
    from_ns, _ = span_of(entries[0])
    to_ns = span_of(entries[1])[1] if len(entries) == 2 else span_of(entries[0][:1])[1]
    return from_ns, to_ns


def span_of(entry: list[bytes]) -> tuple[int, int]:
    """First moment of an entry of group 580, and the first one behind it, ns since the epoch."""
    try:
        day_ns = parse_time(entry[0] + b"-00:00:00")
        if len(entry) == 1:
            return day_ns, day_ns + DAY_NS
        moment_ns = parse_time(entry[1])
    except InputError as error:
        text = str(error).replace(SOH.decode("latin-1"), " ")
        raise BadRequestError(OTHER, text) from error
    return moment_ns, moment_ns + 1
