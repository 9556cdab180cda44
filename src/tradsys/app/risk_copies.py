"""The trades of a participant, followed at its FIX drop copy: all there have been, then those to come, each once, in order."""

from __future__ import annotations

import ssl
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tradsys.client.fix_client import FixClient
from tradsys.config import Config, FixSession
from tradsys.errors import FeedError, InputError, SessionError, UnitError
from tradsys.fix.message import Message, format_time, parse_time
from tradsys.risk.holdings import Trade
from tradsys.units import InstrumentUnits

AWAY, READING, FOLLOWING = "away", "reading", "following"
LAST_DAY: Final = b"22000101"
CONNECT_SECONDS = 2.0
RETRY_SECONDS = 1.0
BEHIND_NS = 2 * 10**9
BUY = b"1"
UNDONE, CORRECTED = b"1", b"2"  # TradeReportTransType
PRICES_MAX = 1 << 21  # sides of the 2^20 matches a venue can correct (rule book 13.5)

ExecId = tuple[int, int]
Units = Callable[[str], InstrumentUnits | None]


@dataclass(frozen=True)
class CopySession:
    """A drop copy of the settings."""

    participant_id: int
    participant: str
    fix: FixSession


def copies_of(settings: Config) -> tuple[list[CopySession], list[str]]:
    """Find one drop copy for each participant, and those participants that may trade and are not followed, with why."""
    found, missing = [], []
    for participant in settings.participants:
        copies = [s.fix for s in participant.sessions if s.fix is not None and s.fix.kind == "drop_copy"]
        whole = next((fix for fix in copies if not fix.accounts and fix.password), None)
        if whole is not None:
            found.append(CopySession(participant.participant_id, participant.name, whole))
        elif "TRADE" in participant.permissions:
            why = "no drop copy of all its accounts, with a password" if copies else "no drop copy"
            missing.append(f"{participant.name} ({why})")
    return found, missing


class Prices:
    """At what the newest trades stand, by ExecID; a correction of one is told by its new price alone."""

    def __init__(self) -> None:
        self._keys = array("q")  # event x 2 + party, rising
        self._ticks = array("q")

    def add(self, exec_id: ExecId, ticks: int) -> None:
        """Take in a trade, the newest one."""
        if len(self._keys) == 2 * PRICES_MAX:
            del self._keys[:PRICES_MAX], self._ticks[:PRICES_MAX]
        self._keys.append(2 * exec_id[0] + exec_id[1])
        self._ticks.append(ticks)

    def correct(self, exec_id: ExecId, ticks: int) -> int:
        """Give a trade another price; the one before.

        Raises
        ------
        FeedError
            It is not known.
        """
        key = 2 * exec_id[0] + exec_id[1]
        place = bisect_left(self._keys, key)
        if place == len(self._keys) or self._keys[place] != key:
            raise FeedError(f"trade {exec_id} is corrected and was not told")
        before, self._ticks[place] = self._ticks[place], ticks
        return before


class CopyFollower:
    """One drop copy.

    Invariant: what ``poll`` has given since the last `restarted` are all trades of the participant up to ``last``, each once,
    in the order of ExecIDs; one that was undone is followed by its opposite, one that was corrected by its opposite and itself
    at the new price.

    Parameters
    ----------
    session : CopySession
    host, port
        Of the FIX door.
    units : callable
        Tick and lot of a symbol; None: it is not known yet.
    tls : ssl.SSLContext, optional
    """

    def __init__(
        self, session: CopySession, host: str, port: int, units: Units, tls: ssl.SSLContext | None = None
    ) -> None:
        self.session = session
        self.state = AWAY
        self.problem = "not connected yet"
        self.is_known = False  # whether the log has been read once
        self.restarted = False  # what was given before is to be forgotten; set by poll, cleared by its caller
        self.last: Trade | None = None
        self.trades = 0
        self._host, self._port, self._units, self._tls = host, port, units, tls
        self._client: FixClient | None = None
        self._prices = Prices()
        self._requests = 0
        self._came = 0  # trades of the request being answered
        self._is_proved = True  # the last trade known is in the answer, as it was
        self._retry_s = 0.0
        self._told: ExecId = (0, 0)  # newest execution an ExecutionReport told
        self._told_ns = 0  # since when it is ahead of the trades, on the monotonic clock

    @property
    def last_exec(self) -> str:
        """ExecID of the last trade."""
        return "" if self.last is None else f"{self.last.exec_id[0]}.{self.last.exec_id[1]}"

    def doubt(self) -> str:
        """Why the trades are not all there; empty: they are."""
        if self.state == AWAY:
            return f"the drop copy is away: {self.problem}"
        if self.state == READING:
            return "trades are being read"
        is_behind = self._told_ns and time.monotonic_ns() - self._told_ns > BEHIND_NS
        return (
            f"trades are behind: execution {self._told[0]}.{self._told[1]} is told and not among them"
            if is_behind
            else ""
        )

    def fileno(self) -> int:
        """Number of the socket, to wait for it; -1: there is none."""
        return -1 if self._client is None else self._client.fileno()

    def poll(self) -> Iterator[Trade]:
        """Take what has come; connect when it is time to."""
        try:
            if self._client is None:
                if time.monotonic() < self._retry_s:
                    return
                self._connect()
            assert self._client is not None
            for message in self._client.receive(0.0):
                yield from self._take(message)
        except (SessionError, FeedError, InputError, UnitError) as error:
            self._lose(str(error))

    def close(self) -> None:
        """Log out."""
        if self._client is not None:
            try:
                self._client.close(1.0)
            except (SessionError, OSError):
                self._client.cut()
            self._client = None
        self.state, self.problem = AWAY, "closed"

    # ------------------------------------------------------------------------------------------ the connection

    def _connect(self) -> None:
        fix = self.session.fix
        client = FixClient(
            self._host, self._port, fix.sender_comp_id, fix.target_comp_id, username=fix.username, password=fix.password,
            ask_reset=True, tls=self._tls, reconnect_s=0.0,
        )  # fmt: skip
        try:
            client.connect(CONNECT_SECONDS)
            self._client = client
            self._ask()
        except BaseException:
            client.cut()
            self._client = None
            raise

    def _ask(self) -> None:
        """Ask for the trades from the last one known on, and for those to come."""
        assert self._client is not None
        self._requests += 1
        fields: list[tuple[int, bytes]] = [(568, self._request_id()), (569, b"0"), (263, b"1")]
        if self.last is not None:
            moment = format_time(self.last.ts_ns, "ns")
            fields += [(580, b"2"), (75, moment[:8]), (60, moment), (75, LAST_DAY)]
        self._client.send("AD", fields)
        self.state, self.problem = READING, ""
        self._came, self._is_proved = 0, self.last is None

    def _request_id(self) -> bytes:
        return b"risk-%d" % self._requests

    def _lose(self, why: str) -> None:
        if self._client is not None:
            self._client.cut()
            self._client = None
        self.state, self.problem = AWAY, why
        self._retry_s = time.monotonic() + RETRY_SECONDS

    # ------------------------------------------------------------------------------------------ what comes

    def _take(self, message: Message) -> Iterator[Trade]:
        kind = message.msg_type
        if kind == "AE" and message.get(568) == self._request_id():
            yield from self._trade(message)
        elif kind == "AQ" and message.get(568) == self._request_id():
            self._acknowledged(message)
        elif kind == "8" and message.get(150) == b"F":
            self._executed(message)
        elif kind == "j":
            raise FeedError(f"the venue does not tell trades: {message.text(58)}")

    def _trade(self, message: Message) -> Iterator[Trade]:
        trade = self._read(message)
        self._came += 1
        if self.last is not None and trade.exec_id <= self.last.exec_id:
            if trade.exec_id == self.last.exec_id:
                self._prove(trade)
            elif self.state == FOLLOWING:
                raise FeedError(f"trade {trade.exec_id} came behind {self.last.exec_id}")
            return
        if not self._is_proved:
            self._begin_anew("the last trade known is not in its log")
            return
        self.last = trade
        self.trades += 1
        if self._told <= trade.exec_id:
            self._told_ns = 0
        kind = message.get(487)
        if kind == CORRECTED:
            before = self._prices.correct(exec_id_of(message, 572), trade.ticks)
            yield trade._replace(lots=-trade.lots, ticks=before)
        elif kind != UNDONE:
            self._prices.add(trade.exec_id, trade.ticks)
        yield trade

    def _prove(self, trade: Trade) -> None:
        if trade == self.last:
            self._is_proved = True
        elif self.state == READING:
            self._begin_anew(f"trade {trade.exec_id} is another one than it was")

    def _begin_anew(self, why: str) -> None:
        """The venue has another log than before: forget, and read it from its first trade."""
        self.last, self.trades, self.is_known, self.restarted = None, 0, False, True
        self._told, self._told_ns = (0, 0), 0
        self._prices = Prices()
        raise FeedError(f"the venue's log is another one: {why}")

    def _acknowledged(self, message: Message) -> None:
        if message.get(750) == b"2":
            raise FeedError(f"the venue does not tell trades: {message.text(58)}")
        if message.get(750) != b"1":
            return
        if message.number(748) != self._came:
            raise FeedError(f"the venue has told {message.number(748)} trades, {self._came} came")
        if not self._is_proved:
            self._begin_anew("the last trade known is not in its log")
        self.state, self.is_known = FOLLOWING, True

    def _executed(self, message: Message) -> None:
        exec_id = exec_id_of(message)
        if exec_id > self._told:
            self._told = exec_id
            if self.last is None or exec_id > self.last.exec_id:
                self._told_ns = self._told_ns or time.monotonic_ns()

    def _read(self, message: Message) -> Trade:
        symbol = message.text(55)
        units = self._units(symbol)
        if units is None:
            raise FeedError(f"the feed has not defined {symbol} yet")
        lots = units.qty_lots(message.text(32))
        is_bought = (message.get(54) == BUY) != (message.get(487) == UNDONE)
        return Trade(
            exec_id_of(message), self.session.participant_id, max(message.number(1), 0), symbol,
            lots if is_bought else -lots, units.price_ticks(message.text(31)), parse_time(message.get(60) or b""),
        )  # fmt: skip


def exec_id_of(message: Message, tag: int = 17) -> ExecId:
    """Read ExecID, or another field that has one: number of the event, and which of its parties.

    Raises
    ------
    InputError
        It is none of the venue's executions.
    """
    event, _, party = message.text(tag).partition(".")
    if not (event.isdigit() and party.isdigit()):
        raise InputError(f"ExecID must be like 123.0, was {message.text(tag)!r}")
    return int(event), int(party)
