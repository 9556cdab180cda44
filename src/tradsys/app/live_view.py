"""Runs the live view: a screen on a terminal, a status line a second elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.live import Live

from tradsys.app.keys import Keys
from tradsys.app.market_follower import MarketFollower
from tradsys.app.market_state import MarketState
from tradsys.app.screen import draw, status_line

SCREEN_SECONDS = 0.25  # between two drawings
LINE_SECONDS = 1.0  # between two status lines
STEP_SECONDS = 0.02  # longest sleep: keys are answered at once


class LiveView:
    """Shows a market until told to stop.

    Parameters
    ----------
    follower : MarketFollower
        Reads the feed into the state that is shown.
    stop : callable
        Asked all the time; True ends the view.
    on_turn : callable
        Called before each drawing, to bring in what does not come from the feed.
    """

    def __init__(
        self, follower: MarketFollower, stop: Callable[[], bool], on_turn: Callable[[], None] = lambda: None
    ) -> None:
        self._follower = follower
        self._stop = stop
        self._on_turn = on_turn
        self._paused = False
        self._quit = False

    @property
    def state(self) -> MarketState:
        """What is shown."""
        return self._follower.state

    def run(self, *, as_json: bool = False, lines: bool = False) -> None:
        """Show it: a screen where standard output is a terminal and lines are not wanted, else lines."""
        if has_screen() and not (as_json or lines):
            self._screen()
        else:
            self._lines(as_json=as_json)

    def _screen(self) -> None:
        console = Console()
        due = 0.0
        with Keys() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
            while not self._stop() and not self._quit:
                self._follower.poll(STEP_SECONDS)
                pressed = self._press(keys.poll(0.0))
                now = time.monotonic()
                if now < due and not pressed:
                    continue
                due = now + SCREEN_SECONDS
                if not self._paused or pressed:
                    self._turn()
                    live.update(draw(self.state, console.width, console.height), refresh=True)

    def _press(self, key: str) -> bool:
        """Do what a key asks; True when the screen changes with it."""
        if key in ("down", "j", "\t"):
            self.state.select_next(1)
        elif key in ("up", "k"):
            self.state.select_next(-1)
        elif key == " ":
            self._paused = not self._paused
        elif key in ("q", "Q"):
            self._quit = True
        else:
            return False
        return True

    def _lines(self, *, as_json: bool) -> None:
        due = time.monotonic() + LINE_SECONDS
        while not self._stop():
            self._follower.poll(STEP_SECONDS)
            if time.monotonic() < due:
                continue
            due += LINE_SECONDS
            self._turn()
            print(json.dumps(figures(self.state)) if as_json else status_line(self.state), flush=True)

    def _turn(self) -> None:
        self._on_turn()
        self._follower.refresh()


def has_screen() -> bool:
    """Whether there is a terminal to draw on and to take keys from."""
    files = (sys.stdin, sys.stdout)
    return all(file is not None and file.isatty() for file in files)


def figures(state: MarketState) -> dict[str, Any]:
    """The state's figures for programs."""
    latency = state.latency
    return {
        "seconds": round(time.monotonic() - state.started_s, 1),
        "doors": state.doors,
        "processes": state.processes,
        "instruments": len(state.instruments),
        "orders": state.orders_sent,
        "refused": state.rejected,
        "orders_per_s": round(state.rates.orders),
        "reports_per_s": round(state.rates.reports),
        "feed_messages_per_s": round(state.rates.feed_messages),
        "trades_per_s": round(state.rates.trades),
        "trades": sum(instrument.trade_count for instrument in state.instruments.values()),
        "latency_us": {
            "p50": latency.p50_us,
            "p99": latency.p99_us,
            "p99.9": latency.p999_us,
            "max": latency.max_us,
        },
        "feed": {"gaps": state.feed_gaps, "healed": state.feed_healed, "lost": state.feed_lost},
        "book_stale": state.book_stale,
        "silent": bool(state.silent),
        "recorded_rows": state.recorded_rows,
        "recorded_bytes": state.recorded_bytes,
        "journal_bytes": state.journal_bytes,
        "events_bytes": state.events_bytes,
        "sessions": state.sessions,
        "memory_bytes": state.memory_bytes,
        "memory_by_process": state.memory_by_process,
    }
