"""``tradsys demo``: simulated participants trade a venue's instruments through its order door.

Each participant is a session of its own. Every second (``--interval``) a line of JSON says what happened: orders sent,
reports taken, latency from sending a command to its first report at the client.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from tradsys.app.arguments import Address, Interval, Rate, Seconds, Seed
from tradsys.app.demo_traders import Fundamental, MarketMaker, MomentumTrader, NoiseTrader, Trader, Whale
from tradsys.app.demo_world import INSTRUMENTS, TRADERS
from tradsys.app.doors import address_of, find_settings
from tradsys.app.sessions import OrderLinks
from tradsys.app.stopping import stopping
from tradsys.config import Config, load
from tradsys.connectors.replay_report import rows_of
from tradsys.errors import ConfigError
from tradsys.wire.commands import pack

STEP_SECONDS = 0.005  # how often traders are asked
LATENCIES_KEPT = 5_000
SENT_KEPT = 1 << 16  # commands whose time of sending is remembered, a power of two
# decisions a second of each kind at a rate of 1; a maker's decision is up to four commands
SHARES = {"maker": 0.16, "noise": 0.10, "momentum": 0.02, "whale": 0.0004}
KINDS: dict[str, type[Trader]] = {
    "maker": MarketMaker,
    "noise": NoiseTrader,
    "momentum": MomentumTrader,
    "whale": Whale,
}


def demo(
    *,
    into: Address | None = None,
    config: Path | None = None,
    rate: Annotated[Rate, Parameter(name=["--rate", "-r"])] = 1000.0,
    seed: Seed = 844,
    seconds: Seconds = 0.0,
    interval: Interval = 1.0,
) -> int:
    """Trade the demo's instruments with simulated participants until Ctrl-C.

    Example: tradsys demo --config tradsys-data/tradsys.yaml --rate 2000

    Parameters
    ----------
    into
        Order door, e.g. tcp://127.0.0.1:5555; the settings say it otherwise.
    config
        Settings with the demo's sessions and keys.
    rate
        Orders and changes a second, about.
    seed
        Of the traders' random numbers.
    seconds
        Stop after this many seconds; 0: not before Ctrl-C.
    interval
        Seconds between two lines.
    """
    settings = load(find_settings(config))
    names = [name for name, _ in TRADERS]
    with stopping(seconds) as stop, OrderLinks(address_of(settings, into or ""), settings, names) as links:
        market = DemoMarket(settings, links, rate, seed)
        due = time.monotonic()
        while not stop.is_set():
            market.step()
            if time.monotonic() >= due:
                due += interval
                print(json.dumps(market.figures()), flush=True)
        market.close()
        print(json.dumps(market.figures()), flush=True)
    return 0


@dataclass(slots=True)
class LatencyWindow:
    """The newest latencies of all sessions, in ns."""

    values: np.ndarray = field(default_factory=lambda: np.zeros(LATENCIES_KEPT, dtype=np.int64))
    count: int = 0  # ever taken

    def add(self, latency_ns: int) -> None:
        """Take one."""
        self.values[self.count % LATENCIES_KEPT] = latency_ns
        self.count += 1

    def percentiles(self) -> dict[str, float | int | None]:
        """p50, p99, p99.9 and the largest, in microseconds."""
        seen = self.values[: min(self.count, LATENCIES_KEPT)]
        if not len(seen):
            return {"count": 0, "p50": None, "p99": None, "p999": None, "max": None}
        p50, p99, p999 = (round(float(value) / 1e3, 1) for value in np.percentile(seen, (50, 99, 99.9)))
        return {
            "count": self.count,
            "p50": p50,
            "p99": p99,
            "p999": p999,
            "max": round(int(seen.max()) / 1e3, 1),
        }


class DemoMarket:
    """The traders, their sessions and what they measure."""

    def __init__(self, settings: Config, links: OrderLinks, rate: float, seed: int) -> None:
        rng = random.Random(seed)
        ids = {instrument.symbol: instrument.instrument_id for instrument in settings.instruments}
        missing = [item.symbol for item in INSTRUMENTS if item.symbol not in ids]
        if missing:
            raise ConfigError(f"the settings lack the demo's instruments {', '.join(missing)}")
        self.markets = [
            Fundamental(item, ids[item.symbol], random.Random(rng.getrandbits(64))) for item in INSTRUMENTS
        ]
        self.traders = [
            KINDS[kind](name, rate * SHARES[kind], self.markets, random.Random(rng.getrandbits(64)))
            for name, kind in TRADERS
        ]
        self.orders = self.reports = 0
        self.latency = LatencyWindow()
        self._links = links
        self._sent_ns = {trader.name: np.zeros(SENT_KEPT, dtype=np.int64) for trader in self.traders}
        self._answered = {trader.name: 0 for trader in self.traders}  # newest client_seq with a report
        self._now_s = time.monotonic()

    def step(self) -> None:
        """Walk the fundamentals on, let every trader act, take reports until the next step."""
        now_s = time.monotonic()
        for market in self.markets:
            market.advance(now_s, min(1.0, now_s - self._now_s))
        self._now_s = now_s
        for trader in self.traders:
            commands = trader.act(now_s)
            if commands:
                self._send(trader, commands)
                self._take(0.0)
        deadline = now_s + STEP_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            self._take(left)

    def close(self) -> None:
        """Take what is still on its way."""
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline and self._take(0.05):
            pass

    def figures(self) -> dict[str, object]:
        """What has happened since the start."""
        return {
            "demo": True,
            "orders": self.orders,
            "reports": self.reports,
            "matches": sum(trader.matches for trader in self.traders) // 2,
            "refused": sum(trader.refused for trader in self.traders),
            "sessions": len(self.traders),
            "latency_us": self.latency.percentiles(),
        }

    def _send(self, trader: Trader, commands: list[np.ndarray]) -> None:
        link = self._links[trader.name]
        now_ns = time.perf_counter_ns()
        first = link.send(pack(commands))
        self.orders += len(commands)
        sent = self._sent_ns[trader.name]
        for seq in range(first, first + len(commands)):
            sent[seq % SENT_KEPT] = now_ns

    def _take(self, timeout_s: float) -> int:
        """Reports of every session that has some, waiting for the first; returns how many."""
        taken = 0
        ready = self._links.wait(timeout_s)
        for trader in self.traders:
            if trader.name not in ready:
                continue
            reports = self._links[trader.name].receive(0.0)
            now_ns = time.perf_counter_ns()
            taken += len(reports)
            sent, answered = self._sent_ns[trader.name], self._answered[trader.name]
            for report in rows_of(reports):
                seq = report.client_seq
                if seq > answered:
                    answered = seq
                    self.latency.add(now_ns - int(sent[seq % SENT_KEPT]))
                trader.hear(report)
            self._answered[trader.name] = answered
        self.reports += taken
        return taken
