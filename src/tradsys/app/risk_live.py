"""The process behind ``tradsys risk live`` (protocols/risk_stream.md): follows the venue, publishes risk, acts at limits."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import zmq

from tradsys.app.risk_control import Actions, Order, VenueControl, known_limits, limit_commands
from tradsys.app.risk_copies import FOLLOWING, CopyFollower
from tradsys.app.risk_files import History, Position, book_of
from tradsys.app.risk_marks import FeedMarks, Listed
from tradsys.app.risk_standing import StandingFile
from tradsys.app.risk_stream import FOLDER, TURN_FRAMES, RiskPublisher
from tradsys.app.risk_var import Question, covariance_of
from tradsys.config import Config
from tradsys.errors import ConfigError, TradSysError
from tradsys.risk.account_limits import BREACH, OK, LimitFile, Standing, Watch, as_fields, read_limits
from tradsys.risk.historical import historical_var_es
from tradsys.risk.holdings import Trade
from tradsys.risk.incremental import HistoricalRisk, NormalRisk
from tradsys.risk.live import MID, OWN, Figures, Key, LiveRisk, PositionFigures, Terms
from tradsys.risk.returns import Missing
from tradsys.risk.stream import ACCOUNT, ALERT, PARTICIPANT, STATUS

POLL_MS: Final = 20
STATUS_SECONDS: Final = 1.0
FILLS_KEPT: Final = 10_000  # times of the last second
VENUE: Final = "VENUE"


@dataclass(frozen=True)
class Setup:
    """How risk is measured."""

    base: str
    method: str  # normal or historical
    level: float
    days: int
    covariance: str
    decay: float
    missing: Missing
    window: int | None
    interval_s: float  # between two looks at the marks
    refresh_s: float  # every topic is told again at least so often
    mark_age_s: float  # an older mark is doubtful


class Model:
    """What history says: which column each symbol has, and a portfolio of nothing.

    Parameters
    ----------
    history : History
    setup : Setup
    currencies : mapping
        Of the instruments of the venue, by symbol.
    """

    def __init__(self, history: History, setup: Setup, currencies: dict[str, str]) -> None:
        has_rate = {
            c: c == setup.base or f"{c}/{setup.base}" in history.symbols for c in set(currencies.values())
        }
        known = [s for s, c in sorted(currencies.items()) if s in history.symbols and has_rate[c]]
        if not known:
            raise ConfigError(
                f"the history has none of the venue's instruments ({', '.join(sorted(currencies)) or 'there are none'}): "
                f"no risk can be told"
            )
        book = book_of(
            [Position(symbol, 1.0, None, {"currency": currencies[symbol]}) for symbol in known],
            history, setup.base, setup.missing, setup.window,
        )  # fmt: skip
        self.assets = {symbol: int(asset) for symbol, asset in zip(known, book.assets, strict=True)}
        self.rates = {setup.base: 1.0}
        for currency in (c for c, ok in has_rate.items() if ok and c != setup.base):
            told = history.column(f"{currency}/{setup.base}")
            if np.isfinite(told).any():  # the newest there is; else the feed may tell one
                self.rates[currency] = float(told[np.isfinite(told)][-1])
        self.empty: NormalRisk | HistoricalRisk
        if setup.method == "historical":
            self.empty = HistoricalRisk(book.returns.values * setup.days**0.5, setup.level)
            historical_var_es(self.empty.pnl, setup.level)  # the kernel is compiled before the first trade
        else:
            question = Question("normal", setup.level, setup.days, setup.covariance, setup.decay)
            self.empty = NormalRisk(covariance_of(question, book.returns.values) * setup.days, setup.level)


class RiskProcess:
    """Follows drop copies and feed, keeps the figures, publishes them, acts at limits.

    Parameters
    ----------
    settings : Config
        Of the venue.
    setup : Setup
    history : History
    copies : sequence of CopyFollower
        Their units are those of the marks.
    not_followed : sequence of str
        Participants without a copy.
    marks : FeedMarks
        Has heard the venue's definitions.
    publisher : RiskPublisher
    link : VenueControl or None
        None: alerts only, because there is no operator's session.
    limits_path : Path, optional
    """

    def __init__(
        self,
        settings: Config,
        setup: Setup,
        history: History,
        copies: Sequence[CopyFollower],
        not_followed: Sequence[str],
        marks: FeedMarks,
        publisher: RiskPublisher,
        link: VenueControl | None,
        limits_path: Path | None = None,
    ) -> None:
        self.settings, self.setup = settings, setup
        self.copies = {copy.session.participant_id: copy for copy in copies}
        self.marks, self.publisher, self.link = marks, publisher, link
        self._standing = StandingFile(Path(settings.venue.data_dir) / FOLDER)
        self.watch = Watch(self._standing.standings)
        self._not_followed = list(not_followed)
        self._names = {p.participant_id: p.name for p in settings.participants}
        self._actions = Actions(link, self._standing.outcomes) if link is not None else None
        listed = list(marks.listed.values())
        self._model = Model(history, setup, {item.symbol: item.currency for item in listed})
        self.risk = LiveRisk(self._model.empty, setup.base, self._model.rates)
        self._define(listed)
        self._limits_path, self._limits = limits_path, LimitFile()
        self._limits_stamp, self._limits_us, self._limits_problem = (0, 0), 0, ""
        self._told_limits: LimitFile | None = None  # what the venue has been sent
        self._limits_retry_s = 0.0
        self.standing_problem = self._standing.problem
        if limits_path is not None:
            self._read_limits(limits_path)
        self._sent_s: dict[Key, float] = {}
        self._fills_us: list[float] = []
        self._doubts: dict[int, str] = {}  # of each copy, as told last
        self._marks_s = self._status_s = 0.0
        self.frames = 0

    # ------------------------------------------------------------------------------------------ turns

    def turn(self, timeout_ms: int = POLL_MS) -> None:
        """Wait for something, take it, tell what has changed."""
        self._wait(timeout_ms)
        self._define(self.marks.poll())
        for copy in self.copies.values():
            self._follow(copy)
        now_s = time.monotonic()
        if now_s - self._marks_s >= self.setup.interval_s:
            self._marks_s = now_s
            self._mark()
        self._publish(now_s)
        if self._actions is not None:
            for key in self._actions.pump(self.marks.listed):
                self._alert(self.watch.standings[key])
        if now_s - self._status_s >= STATUS_SECONDS:
            self._status_s = now_s
            self._look_at_limits(now_s)
            self._tell_status()
        if self.link is not None:
            self.link.poll()
        self.publisher.serve(time.time_ns() // 1000)

    @property
    def is_following(self) -> bool:
        """Whether every copy has told all there has been."""
        return all(copy.state == FOLLOWING for copy in self.copies.values())

    def _wait(self, timeout_ms: int) -> None:
        poller = zmq.Poller()
        for socket in (*self.marks.client.lines.values(), self.publisher.snapshots):
            poller.register(socket, zmq.POLLIN)
        for copy in self.copies.values():
            if copy.fileno() >= 0:
                poller.register(copy.fileno(), zmq.POLLIN)
        poller.poll(timeout_ms)

    def _follow(self, copy: CopyFollower) -> None:
        """Take what a copy tells."""
        for trade in copy.poll():
            self._forget_if_restarted(copy)
            self._take(trade)
        self._forget_if_restarted(copy)
        doubt = copy.doubt()
        number = copy.session.participant_id
        if doubt != self._doubts.get(number):
            self._doubts[number] = doubt
            self.risk.changed.update((key, None) for key in self.risk.portfolios if key[0] == number)

    def _forget_if_restarted(self, copy: CopyFollower) -> None:
        if copy.restarted:
            copy.restarted = False
            self.risk.forget(copy.session.participant_id)

    def _take(self, trade: Trade) -> None:
        begin_ns = time.perf_counter_ns()
        self.risk.take(trade)
        self.risk.portfolios[trade.participant_id, trade.account_id].risk.figures()
        if len(self._fills_us) < FILLS_KEPT:
            self._fills_us.append((time.perf_counter_ns() - begin_ns) / 1e3)

    def _mark(self) -> None:
        """Bring marks and rates up to date, of what is held."""
        now_ns = time.time_ns()
        held = {instrument_id for p in self.risk.portfolios.values() for instrument_id in p.holdings}
        for instrument_id in held:
            mark = self.marks.mark(instrument_id, now_ns)
            before = self.risk.marks[instrument_id]
            if mark is not None and (
                mark.source == MID or before.source != OWN or mark.ts_ns >= before.ts_ns
            ):
                self.risk.mark(instrument_id, mark)
        for currency in list(self.risk.rates):
            listed = self.marks.by_symbol.get(f"{currency}/{self.setup.base}")
            rate = self.marks.mark(listed.instrument_id, now_ns) if listed is not None else None
            if listed is not None and rate is not None:
                self.risk.set_rate(currency, rate.half_ticks * float(listed.units.tick.value(1)) / 2)

    def _define(self, listed: Sequence[Listed]) -> None:
        for item in listed:
            asset = self._model.assets.get(item.symbol)
            units = item.units
            self.risk.define(
                Terms(
                    item.instrument_id, item.symbol, item.currency, float(units.tick.value(1)), float(units.lot.value(1)), asset
                )
            )  # fmt: skip

    # ------------------------------------------------------------------------------------------ telling

    def _publish(self, now_s: float) -> None:
        """Tell the portfolios that have changed or not been told for long, a turn's share."""
        old_s = now_s - self.setup.refresh_s
        for key in [key for key, sent_s in self._sent_s.items() if sent_s <= old_s]:
            self.risk.changed[key] = None
        for key in list(self.risk.changed)[:TURN_FRAMES]:
            del self.risk.changed[key]
            figures = self.risk.figures(key)
            name = self.name_of(key)
            topic = (PARTICIPANT if key[1] is None else ACCOUNT) + name
            self._send(topic, self.fields(key, figures))
            self._sent_s[key] = now_s
            if self.copies[key[0]].is_known:
                self._judge(key, name, figures)

    def name_of(self, key: Key) -> str:
        """NAME of a participant, NAME/N of its account."""
        return self._names[key[0]] + ("" if key[1] is None else f"/{key[1]}")

    def fields(self, key: Key, figures: Figures) -> dict[str, Any]:
        """The fields of a portfolio's frame."""
        copy = self.copies[key[0]]
        made = figures._asdict()
        del made["without_history"], made["without_rate"]
        return {
            "name": self.name_of(key), "participant": self._names[key[0]], "account": key[1], "currency": self.setup.base,
            "level": self.setup.level, "horizon_days": self.setup.days, "last_exec": copy.last_exec, **made,
            "positions": [self._position(position) for position in figures.positions], "doubts": self._doubts_of(copy, figures),
        }  # fmt: skip

    def _position(self, position: PositionFigures) -> dict[str, Any]:
        return {
            "symbol": position.symbol, "quantity": self._quantity(position), "average": position.average,
            "mark": position.mark, "mark_source": position.source, "mark_ts_us": position.mark_ts_ns // 1000,
            "exposure": position.exposure, "pnl": position.pnl, "component_var": position.component_var,
        }  # fmt: skip

    def _quantity(self, position: PositionFigures) -> str:
        return self.marks.listed[position.instrument_id].units.lot.text(position.lots)

    def _doubts_of(self, copy: CopyFollower, figures: Figures) -> list[str]:
        found = [copy.doubt()] if copy.doubt() else []
        if self.marks.is_silent:
            found.append("the feed is silent: marks are old")
        found += [f"{symbol} has no history: VaR and ES are without it" for symbol in figures.without_history]
        found += [
            f"there is no rate of {currency}/{self.setup.base}: its amounts are left out"
            for currency in figures.without_rate
        ]
        now_ns = time.time_ns()
        for position in figures.positions:
            age_s = (now_ns - position.mark_ts_ns) / 1e9
            if position.lots and position.source != MID and age_s > self.setup.mark_age_s:
                found.append(f"the mark of {position.symbol} is more than {self.setup.mark_age_s:g} s old")
        return found

    def _send(self, topic: str, fields: dict[str, Any]) -> None:
        self.frames += 1
        self.publisher.send(topic, fields, time.time_ns() // 1000)

    def _tell_status(self) -> None:
        setup, fills = self.setup, self._fills_us
        without = sorted(
            item.symbol for item in self.marks.listed.values() if item.symbol not in self._model.assets
        )
        lost = sum(channel["lost"] for channel in self.marks.client.core.statistics().values())
        control = None if self.link is None else {
            "session": self.link.session.name, "connected": self.link.is_connected, "problem": self.link.problem
        }  # fmt: skip
        self._send(STATUS, {
            "venue": self.settings.venue.data_dir, "level": setup.level, "horizon_days": setup.days, "method": setup.method,
            "copies": [
                {
                    "name": c.session.participant, "state": c.state, "problem": c.problem, "trades": c.trades,
                    "last_exec": c.last_exec,
                }
                for c in self.copies.values()
            ],
            "not_followed": self._not_followed, "instruments": len(self.marks.listed), "without_history": without,
            "feed": {"heard": not self.marks.is_silent, "lost": lost},
            "limits": {"path": str(self._limits_path or ""), "loaded_us": self._limits_us,
                       "problem": self._limits_problem or self.standing_problem},
            "control": control, "alerts": len(self.watch.breaches()), "frames": self.frames,
            "fill_us": {"count": len(fills), "p50": statistics.median(fills), "max": max(fills)} if fills else None,
            "refresh_s": setup.refresh_s,
        })  # fmt: skip
        self._fills_us = []

    # ------------------------------------------------------------------------------------------ limits

    def _judge(self, key: Key, name: str, figures: Figures) -> None:
        """Hold figures against limits, tell what stands otherwise, act where something is breached."""
        quantities = {p.symbol: float(self._quantity(p)) for p in figures.positions}
        for standing in self.watch.judge(
            name, self._limits.of(name), figures, quantities, time.time_ns() // 1000
        ):
            limit = standing.whom, standing.judged.limit
            if self._actions is not None and standing.state != BREACH:
                self._actions.drop(limit)
            elif self._actions is not None and standing.action != "alert":
                symbol = limit[1].removeprefix("position ")
                listed = self.marks.by_symbol.get(symbol) if symbol != limit[1] else None
                self._actions.want(
                    limit, Order(standing.action, key[0], listed.instrument_id if listed else 0)
                )
            self._alert(standing)

    def _alert(self, standing: Standing) -> None:
        self._keep_standing()  # first: what is told to be done is not done again by whoever takes over
        limit = standing.whom, standing.judged.limit
        outcome = "" if self._actions is None else self._actions.outcomes.get(limit, "")
        wants = standing.state == BREACH and standing.action != "alert"
        if wants and self._actions is None:
            outcome = "failed: there is no operator's session"
        action = standing.action if standing.state != OK else ""
        self._send(
            f"{ALERT}{limit[0]}.{limit[1]}",
            as_fields(standing) | {"action": action, "outcome": outcome if wants else ""},
        )

    def _keep_standing(self) -> None:
        """Leave on disk where limits stand, for the process that takes over when this one is gone."""
        outcomes = (self._actions or self._standing).outcomes
        try:
            self._standing.keep(self.watch.standings, outcomes)
            self.standing_problem = ""
        except OSError as error:
            self.standing_problem = f"where limits stand cannot be kept: {error.strerror}"

    def _look_at_limits(self, now_s: float) -> None:
        """Read the file again when it is another one; tell the venue what it holds itself."""
        if self._limits_path is not None:
            try:
                self._read_limits(self._limits_path)
            except TradSysError as error:
                self._limits_problem = str(error)
        if self.link is None or self._told_limits is self._limits or now_s < self._limits_retry_s:
            return
        names = {name: number for number, name in self._names.items()}
        symbols = {item.symbol: item.instrument_id for item in self.marks.listed.values()}
        outcome = self.link.send(limit_commands(self._limits, names, symbols))
        if outcome.startswith("failed"):
            self._limits_retry_s = now_s + 1.0
        else:
            self._told_limits = self._limits
        self._limits_problem = "" if outcome == "done" else f"the venue was to take entitlements: {outcome}"

    def _read_limits(self, path: Path) -> None:
        try:
            found = path.stat()
            stamp = found.st_mtime_ns, found.st_ino
        except OSError as error:
            raise ConfigError(f"{path} must be a file of limits, cannot be read: {error.strerror}") from None
        if stamp == self._limits_stamp:
            return
        self._limits_stamp = stamp
        limits = read_limits(path)
        known_limits(limits, self.settings)
        self._limits, self._limits_problem, self._limits_us = limits, "", time.time_ns() // 1000
        self.risk.changed.update((key, None) for key in self.risk.portfolios)

    def close(self) -> None:
        """Log out everywhere."""
        for copy in self.copies.values():
            copy.close()
        if self.link is not None:
            self.link.close()
        self.marks.close()
        self.publisher.close()
