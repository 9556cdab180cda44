"""The market data server: follows the feed like anybody, and serves FIX sessions on a port of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from tradsys import config
from tradsys.client.feed_client import AsyncFeedClient
from tradsys.client.fix_listener import Listener
from tradsys.client.packets import FeedPacket
from tradsys.fix.settings import SessionSettings
from tradsys.fix_market_data.instruments import Instrument
from tradsys.fix_market_data.market import Market
from tradsys.fix_market_data.requests import RequestLimits
from tradsys.fix_market_data.session import MS, Bounds, MarketSession
from tradsys.fix_market_data.tracked_levels import TrackedLevels
from tradsys.gateways.fix_logon import FixLogonCheck
from tradsys.gateways.fix_sessions import FixSessionConfig
from tradsys.gateways.fix_settings import session_of
from tradsys.gateways.fix_tls import server_context
from tradsys.wire.enums import Channel, InstrumentState

FIRST_WAIT_S = 3.0


class MarketDataServer:
    """A feed, a market and the sessions that are told of it.

    Parameters
    ----------
    settings : config.FixMarketData
    line_a, line_b, recovery : str or None
        Addresses of the feed; None: there is none.
    clock : callable
        Wall clock in ns.
    """

    def __init__(
        self,
        settings: config.FixMarketData,
        line_a: str | None,
        line_b: str | None,
        recovery: str | None,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.clock = clock
        self.levels = TrackedLevels()
        self.feed = AsyncFeedClient(
            line_a,
            line_b,
            recovery,
            channels=(Channel.TRADES, Channel.STATUS),
            books=False,
            levels=self.levels,
            receive_hwm=settings.receive_hwm,
        )
        self.market = Market(
            self.levels,
            self.feed.definitions,
            levels_max=settings.levels_max,
            stale_ns=settings.stale_ms * MS,
        )
        self.market.on_state = self._tell_state
        self.market.on_extended = self._tell_extended
        self.market.on_defined = self._tell_defined
        logons = FixLogonCheck(settings.logon_failures_max, settings.logon_failure_window_ms)
        self.sessions = {
            (one.sender_comp_id, one.target_comp_id): MarketSession(
                market_session(settings, one, number),
                self.market,
                logons,
                bounds_of(settings),
                has_rpt_seq=one.rpt_seq,
            )
            for number, one in enumerate(settings.sessions, 1)
        }
        base = SessionSettings(
            sender_comp_id="ANY", target_comp_id="ANY", logon_timeout_ns=settings.logon_timeout_ms * MS
        )
        self.listener = Listener(
            base,
            self.sessions,
            connections_max=settings.connections_max,
            unsent_bytes_max=settings.out_bytes_max,
            paused_bytes=settings.conflate_bytes,
        )
        tls = settings.tls
        self._tls = server_context(tls.certificate, tls.key, tls.client_ca) if tls.certificate else None
        self._lost_trades = 0
        self._session_state = InstrumentState.CLOSED

    async def run(
        self, host: str, port: int, on_ready: Callable[[int], None], is_over: Callable[[], bool]
    ) -> None:
        """Serve until it is over; ``on_ready`` is told the port.

        Nobody is let in before the instruments are known, unless the feed says nothing for `FIRST_WAIT_S`.
        """
        try:
            patience = time.monotonic() + FIRST_WAIT_S
            while not self.market.told and time.monotonic() < patience and not is_over():
                await self._turn()
            on_ready(await self.listener.start(host, port, self._tls))
            while not is_over():
                await self._turn()
        finally:
            await self.listener.stop()
            self.feed.close()

    async def _turn(self) -> None:
        packets = await self.feed.next_packets()
        self.take(packets)
        await asyncio.sleep(0)  # the sessions have their turn however busy the feed is

    def take(self, packets: list[FeedPacket]) -> None:
        """Take what the feed has brought and tell it."""
        now_ns = self.clock()
        active = [session for session in self.sessions.values() if session.link.numbers.active]
        for session in active:
            session.look_at_pace(now_ns)
        self._look_at_losses(now_ns)
        self.market.turn(packets, now_ns)
        for session in active:
            session.flush(now_ns)

    def _tell_state(self, instrument: Instrument, before: int) -> None:
        for session in self.sessions.values():
            session.tell_state(instrument, before, self.clock())
        self._tell_session_state()

    def _tell_extended(self, instrument: Instrument, end_ns: int) -> None:
        for session in self.sessions.values():
            session.tell_state(instrument, instrument.state, self.clock(), end_ns=end_ns)

    def _tell_defined(self, instrument_ids: list[int]) -> None:
        for session in self.sessions.values():
            session.tell_defined(instrument_ids, self.clock())
        self._tell_session_state()

    def _tell_session_state(self) -> None:
        """Tell who wants to know when the trading session has another state."""
        state = self.market.session_state()
        if state != self._session_state:
            self._session_state = state
            for session in self.sessions.values():
                session.tell_session_state(state, self.clock())

    def _look_at_losses(self, now_ns: int) -> None:
        """Tell of trades that the feed could not heal."""
        if not any(name == "lost" for name, _ in self.feed.take_events()):
            return
        lost = self.feed.core.statistics()[Channel.TRADES]["lost"]
        if lost > self._lost_trades:
            text = f"{lost - self._lost_trades} messages about trades were lost and are not sent"
            for session in self.sessions.values():
                session.tell_news("trades lost", text, now_ns)
        self._lost_trades = lost


def market_session(
    settings: config.FixMarketData, one: config.FixMarketDataSession, number: int
) -> FixSessionConfig:
    """Make the names, rules and credentials of a session, which trades nothing; every Logon begins at 1.

    Raises
    ------
    ConfigError
        Its hours or its key are none.
    """
    rules = {
        "reset_on_logon": True,
        "logon_timeout_ns": settings.logon_timeout_ms * MS,
        "refusal_delay_ns": settings.refusal_delay_ms * MS,
    }
    who = f"fix_market_data session {one.sender_comp_id}"
    secret = one.secret.encode("utf-8")
    nowhere = Path()  # nothing is kept
    return session_of(one, who, rules, session_id=number, participant_id=0, directory=nowhere, secret=secret)


def bounds_of(settings: config.FixMarketData) -> Bounds:
    """Make the bounds of a session."""
    return Bounds(
        RequestLimits(settings.requests_max, settings.symbols_max, settings.books_max),
        conflate_bytes=settings.conflate_bytes,
        trades_max=settings.trades_max,
        slow_ms=settings.slow_ms,
        throttle_messages=settings.throttle_messages,
        throttle_window_ms=settings.throttle_window_ms,
        flood_messages=settings.flood_messages,
    )
