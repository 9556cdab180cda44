"""``tradsys up``: a venue, a recorder, FIX market data and a demo market on this machine, shown live.

The venue, the recorder, the FIX market data and the demo's participants are processes of their own and meet only at the
venue's doors; this process starts them in order, follows the public feed like anybody else, and stops them in order.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import threading
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from tradsys.app.arguments import ListenPort, OutputDirectory, OwnAddress, Rate, Seconds, Seed
from tradsys.app.children import Child, last_words, memory_bytes
from tradsys.app.demo_world import write_settings
from tradsys.app.doors import DEFAULT_DATA_DIR, LISTENING
from tradsys.app.live_view import LiveView, figures
from tradsys.app.market_follower import MarketFollower
from tradsys.app.market_state import Latency, MarketState
from tradsys.app.stopping import stopping
from tradsys.config import Config, Venue, load
from tradsys.errors import ConfigError

READY_SECONDS = 120.0  # a venue may have a long journal to recover from
STOP_SECONDS = 30.0
SETTLE_SECONDS = 0.3  # the recorder hears the last of the demo before it stops
Flag = Parameter(negative="")
PortOption = Annotated[ListenPort, Parameter(help="0 takes any free port.")]


def up(
    *,
    data_dir: OutputDirectory = Path(DEFAULT_DATA_DIR),
    headless: Annotated[bool, Flag] = False,
    demo: bool = True,
    record: bool = True,
    rate: Rate = 1000.0,
    seed: Seed = 844,
    seconds: Seconds = 0.0,
    bind: OwnAddress = "127.0.0.1",
    orders_port: PortOption = 5555,
    feed_a_port: PortOption = 5556,
    feed_b_port: PortOption = 5557,
    snapshot_port: PortOption = 5558,
    fix_port: PortOption = 9878,
    fix_market_data_port: PortOption = 9880,
    durability: Literal["none", "batch", "fsync"] = "batch",
    poll: Literal["spin", "sleep"] = "sleep",
    config: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Start a venue, a recorder and a demo market, and show them live until Ctrl-C.

    Simulated market makers, noise and momentum traders and a whale trade ten instruments of all asset classes through
    the ZeroMQ order door. On a terminal a screen shows books, trades, rates, latency, gaps and what is recorded
    (arrow keys choose the instrument, q quits); elsewhere a status line a second.

    Exit status 0: stopped cleanly. 1: a process ended on its own or a port is taken. 2: a process refused the settings.

    Example: tradsys up --headless --seconds 30 --json

    Parameters
    ----------
    data_dir
        Journal, event log, snapshots, recording and settings.
    headless
        Status lines even on a terminal.
    demo
        Let the simulated participants trade.
    record
        Record the feed.
    rate
        Orders and changes a second of the demo, about.
    seed
        Of the demo's random numbers.
    seconds
        Stop after this time; 0: not before Ctrl-C.
    bind
        Address of all doors.
    durability
        When a report may leave: none (at once), batch (journal written), fsync (journal on disk).
    poll
        How the venue waits: sleep, or spin for lower latency and a whole processor.
    config
        Settings of your own instead of the demo's; then the options about the venue are not used.
    as_json
        Status lines as JSON; the last one is the summary.
    """
    venue = {
        "data_dir": str(data_dir),
        "bind": bind,
        "orders_port": orders_port,
        "feed_a_port": feed_a_port,
        "feed_b_port": feed_b_port,
        "snapshot_port": snapshot_port,
        "fix_port": fix_port,
        "durability": durability,
        "poll": poll,
    }
    settings_path = config or write_settings(data_dir, venue, fix_market_data_port)
    settings = load(settings_path)
    if demo and not settings.participants:
        raise ConfigError(f"{settings_path} has no participants for the demo; give them, or --no-demo")
    house = House(settings, settings_path)
    with stopping(seconds) as stop:
        try:
            house.start(demo=demo, record=record, rate=rate, seed=seed)
            house.show(stop, as_json=as_json, lines=headless)
        finally:
            house.stop()
    house.say_goodbye(as_json=as_json)
    return 0 if house.failed is None else 1


class House:
    """The processes and what they say of themselves."""

    def __init__(self, settings: Config, settings_path: Path) -> None:
        self.settings = settings
        self.settings_path = settings_path
        self.state = MarketState(started_s=time.monotonic())
        self.failed: str | None = None  # which process ended on its own
        self.addresses: dict[str, str] = {}
        self._venue: Child | None = None
        self._recorder: Child | None = None
        self._market_data: Child | None = None
        self._demo: Child | None = None
        self._follower: MarketFollower | None = None
        self._demo_before: tuple[float, int, int] = (0.0, 0, 0)  # when, orders, reports

    # ------------------------------------------------------------ life

    def start(self, *, demo: bool, record: bool, rate: float, seed: int) -> None:
        """Start everything, each when what it needs is ready."""
        given = ["--config", str(self.settings_path)]
        self._venue = Child("venue", ["venue", *given, "--quiet"])
        ready = self._venue.wait_line(lambda line: line.startswith("READY"), READY_SECONDS)
        self.addresses = self.state.doors = ready_addresses(ready, self.settings.venue)
        lines = [self.addresses["feed_a"], self.addresses["feed_b"] or "none", self.addresses["snapshots"]]
        if record:
            feed = [
                f"--{name}={address}"
                for name, address in zip(("line-a", "line-b", "recovery"), lines, strict=True)
            ]
            self._recorder = Child("recorder", ["record", *given, *feed, "--json"], self._hear_recorder)
        if self.settings.fix_market_data.sessions:
            self._start_market_data(given, lines)
        if demo:
            words = [
                "demo",
                *given,
                "--into",
                self.addresses["orders"],
                "--rate",
                str(rate),
                "--seed",
                str(seed),
            ]
            self._demo = Child("demo market", words, self._hear_demo)
        where = f"orders {self.addresses['orders']}  feed {self.addresses['feed_a']}"
        if "fix" in self.addresses:
            where += f"  fix {self.addresses['fix']}"
        if "fix_market_data" in self.addresses:
            where += f"  fix market data {self.addresses['fix_market_data']}"
        self.state.where = f"{where}  durability {self.settings.venue.durability}"
        self.state.processes = {child.name: child.pid for child in self._children()}
        self._follower = MarketFollower(
            self.state,
            self.addresses["feed_a"],
            self.addresses["feed_b"] or None,
            self.addresses["snapshots"],
        )

    def _start_market_data(self, given: list[str], lines: list[str]) -> None:
        """Start the FIX market data and learn where it listens."""
        feed = [f"--{name}={address}" for name, address in zip(("line-a", "line-b", "recovery"), lines, strict=True)]
        self._market_data = Child("fix market data", ["fix-market-data", *given, *feed])
        ready = self._market_data.wait_line(lambda line: line.startswith(LISTENING), READY_SECONDS)
        self.addresses["fix_market_data"] = ready.removeprefix(LISTENING).strip()

    def _children(self) -> list[Child]:
        """The processes started, in the order in which they are stopped: who sends, who listens, the venue."""
        children = (self._demo, self._market_data, self._recorder, self._venue)
        return [child for child in children if child is not None]

    def show(self, stop: threading.Event, *, as_json: bool, lines: bool) -> None:
        """Show it until told to stop or until a process ends on its own."""
        assert self._follower is not None
        view = LiveView(self._follower, lambda: stop.is_set() or self._has_failed(), self._measure)
        view.run(as_json=as_json, lines=lines)

    def stop(self) -> None:
        """Stop in order: first who sends, then who listens, the venue last."""
        self._measure_memory()
        for child in self._children():
            if child is self._recorder and self._venue is not None and self._venue.running():
                time.sleep(SETTLE_SECONDS)
            status = child.stop(STOP_SECONDS)
            if status not in (0, -signal.SIGTERM) and self.failed is None:
                self.failed = f"the {child.name} ended with status {status}: {last_words(child.lines)}"
        if self._follower is not None:
            self._measure_disk()
            self._follower.close()

    def say_goodbye(self, *, as_json: bool) -> None:
        """Say what was done and where it lies."""
        data_dir = Path(self.settings.venue.data_dir)
        recording = self.settings.recorder.directory or str(data_dir / "recording")
        if as_json:
            summary = figures(self.state) | {
                "command": "up",
                "holds": self.failed is None,
                "failed": self.failed,
                "data_dir": str(data_dir),
                "journal": str(data_dir / "journal"),
                "recording": recording,
                "settings": str(self.settings_path),
            }
            print(json.dumps(summary), flush=True)
            return
        print("stopped" if self.failed is None else f"failed: {self.failed}")
        print(f"  recording  {recording}")
        print(f'             tradsys query "select * from trades limit 5" --dir {recording}')
        print(f"  journal    {data_dir / 'journal'}")
        print(f"             tradsys journal verify {data_dir}")
        print(f"  settings   {self.settings_path}", flush=True)

    # ------------------------------------------------------------ what the processes say

    def _has_failed(self) -> bool:
        for child in reversed(self._children()):
            if not child.running():
                status = child.wait(1.0)
                self.failed = f"the {child.name} ended on its own with status {status}: {last_words(child.lines)}"
                return True
        return False

    def _measure(self) -> None:
        """Sizes on disk and in memory."""
        self._measure_disk()
        self._measure_memory()

    def _measure_memory(self) -> None:
        """Memory of the processes; one that has ended keeps what it had."""
        for name, pid in {"up": os.getpid(), **self.state.processes}.items():
            self.state.memory_by_process[name] = memory_bytes(pid) or self.state.memory_by_process.get(name, 0)
        self.state.memory_bytes = sum(self.state.memory_by_process.values())

    def _measure_disk(self) -> None:
        data_dir = Path(self.settings.venue.data_dir)
        self.state.journal_bytes = tree_bytes(data_dir / "journal")
        self.state.events_bytes = tree_bytes(data_dir / "events")

    def _hear_recorder(self, line: str) -> None:
        """A status line of the recorder, or its report at the end."""
        if line.startswith('{"command": "record"'):
            report = json.loads(line)
            self.state.recorded_rows = sum(channel["messages"] for channel in report["channels"])
            self.state.recorded_bytes = report["bytes_written"]
            return
        found = RECORDER_LINE.search(line)
        if found:
            self.state.recorded_rows = int(found[1].replace(",", ""))
            self.state.recorded_bytes = int(float(found[2].replace(",", "")) * 2**20)

    def _hear_demo(self, line: str) -> None:
        """A line of JSON of the demo market."""
        if not line.startswith('{"demo"'):
            return
        told: dict[str, Any] = json.loads(line)
        state, now = self.state, time.monotonic()
        before, orders, reports = self._demo_before
        if before and now > before:
            state.rates.orders = (told["orders"] - orders) / (now - before)
            state.rates.reports = (told["reports"] - reports) / (now - before)
            state.rates.history.append(state.rates.orders)
        self._demo_before = now, told["orders"], told["reports"]
        state.orders_sent, state.rejected = told["orders"], told["refused"]
        state.sessions = told["sessions"]
        latency = told["latency_us"]
        state.latency = Latency(
            latency["count"], latency["p50"], latency["p99"], latency["p999"], latency["max"]
        )


RECORDER_LINE = re.compile(r"([\d,]+) messages, .*?([\d,.]+) MiB")


def ready_addresses(line: str, venue: Venue) -> dict[str, str]:
    """Addresses of the doors from the venue's READY line, ``READY orders=tcp://... feed_a=...``.

    What it does not name is as the settings say; line B may be off, then it is empty. The FIX door is there only when
    it is named.
    """
    found = dict(re.findall(r"(\w+)=(\w+://\S+)", line))
    ports = {
        "orders": venue.orders_port,
        "feed_a": venue.feed_a_port,
        "feed_b": venue.feed_b_port,
        "snapshots": venue.snapshot_port,
    }
    doors = {name: found.get(name, f"tcp://{venue.bind}:{port}") for name, port in ports.items()}
    return doors | ({"fix": found["fix"]} if "fix" in found else {})


def tree_bytes(folder: Path) -> int:
    """Bytes of all files in a folder, as far as they are there."""
    total = 0
    for path in folder.rglob("*") if folder.is_dir() else ():
        try:
            found = path.stat()
            total += found.st_size if stat.S_ISREG(found.st_mode) else 0
        except OSError:  # removed meanwhile
            continue
    return total
