"""``tradsys venue``: the process with the doors, the engine and the publisher.

One thread takes turns: frames in, commit, reports and market data out, housekeeping. It is wired here and only here.
"""

from __future__ import annotations

import gc
import json
import signal
import socket
import time
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import msgspec
import zmq
from cyclopts import Parameter

from tradsys import config
from tradsys.app.arguments import OutputDirectory
from tradsys.app.bootstrap import credentials_of, define_what_is_missing, fix_sessions_of
from tradsys.app.phases import PhaseClock
from tradsys.client.operator_client import OPERATOR_ADDRESS
from tradsys.engine.sequencer import Sequencer
from tradsys.errors import EngineStoppedError, listen_error
from tradsys.gateways.door import CurveKeys, admit_curve_clients, open_order_socket
from tradsys.gateways.fix_gateway import FixGateway
from tradsys.gateways.fix_limits import FixLimits
from tradsys.gateways.fix_tls import server_context
from tradsys.gateways.limits import DoorLimits
from tradsys.gateways.logon import LogonCheck, LogonLimits
from tradsys.gateways.operator_door import OperatorDoor, open_operator_socket
from tradsys.gateways.order_gateway import OrderGateway
from tradsys.marketdata.channel import Lines
from tradsys.marketdata.feed import DOOR_HWM_FRAMES, make_door, make_publisher
from tradsys.wire.enums import CloseReason

SLEEP_MS = 10  # of an idle turn: heartbeats and timers are looked at this often
HOUSEKEEPING_NS = 100_000_000
GOODBYE_S = 3.0  # for the sessions' last reports when the venue stops
LINGER_MS = 500


def venue(
    *,
    settings: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    data_dir: OutputDirectory | None = None,
    durability: Literal["none", "batch", "fsync"] | None = None,
    poll: Literal["spin", "sleep"] | None = None,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Run the venue until Ctrl-C: order door, sequencer, engine, public feed, snapshots and gap fill.

    Prints the settings and what recovery found, then one line that begins with READY and names the doors. Every
    setting is also an environment variable, e.g. TRADSYS_VENUE__ORDERS_PORT=0.

    Exit status 0: stopped cleanly. 1: the journal cannot be written, the directory or a port is in use.

    Example: tradsys venue --data-dir /var/lib/tradsys --durability fsync

    Parameters
    ----------
    settings
        Settings file; else $TRADSYS_CONFIG or ./tradsys.yaml.
    data_dir, durability, poll
        Instead of the settings' values.
    quiet
        Do not print the settings.
    as_json
        The summary as one JSON object on the last line.
    """
    given = {"data_dir": data_dir, "durability": durability, "poll": poll}
    overrides = {f"venue.{name}": str(value) for name, value in given.items() if value is not None}
    loaded = config.load(settings, overrides=overrides)
    if not quiet:
        print(config.describe(loaded), end="", flush=True)
    process = VenueProcess(loaded)
    stop_on_signals(process)
    try:
        print(process.recovered, flush=True)
        print(process.ready_line(), flush=True)
        process.run()
    finally:
        summary = process.close()
    print(json.dumps(summary) if as_json else in_words(summary), flush=True)
    return 0 if summary["holds"] else 1


def stop_on_signals(process: VenueProcess) -> None:
    """SIGINT and SIGTERM end the run after the turn at hand; a second one ends the process at once."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        if process.stopping:
            raise KeyboardInterrupt
        process.stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)


def in_words(summary: dict[str, Any]) -> str:
    """Say where everything lies."""
    state = "stopped" if summary["holds"] else f"FAILED: {summary['error']}"
    return (
        f"{state} after {summary['turns']} turns: command {summary['last_seq']}, event {summary['last_event_seq']}\n"
        f"  journal  {summary['journal']}   tradsys journal verify {summary['data_dir']}"
    )


class VenueProcess:
    """Everything of one venue, opened in the order of their needs and closed in the reverse order.

    Parameters
    ----------
    settings : Config
        Port 0 takes any free port; see `addresses`.

    Raises
    ------
    InUseError
        Another process has the data directory or a port.
    ConfigError, CorruptionError, JournalError
        See `Sequencer.open` and `define_what_is_missing`.
    """

    def __init__(self, settings: config.Config) -> None:
        self.settings = settings
        self.stopping = False
        self.turns = 0
        self._error = ""
        self._housekept_ns = 0
        self._stack = ExitStack()
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise

    def _open(self) -> None:
        settings, wired = self.settings, self._stack
        chosen = msgspec.structs.asdict(settings.capacities)
        self.sequencer = Sequencer.open(
            settings.venue.data_dir,
            durability=settings.venue.durability,
            snapshot_commands=settings.venue.snapshot_commands,
            **msgspec.structs.asdict(settings.journal),
            **chosen,
        )
        wired.callback(self.sequencer.close)
        self.recovered = self.sequencer.recovery.sentence()
        last_ns = self.sequencer.last_ts_ns
        self.defined_count = define_what_is_missing(self.sequencer, settings)
        self.phases = PhaseClock(settings.schedule, settings.instruments, last_ns)
        self.context = zmq.Context()
        wired.callback(self.context.term)
        self._open_feed()
        self._open_orders()
        self._open_fix()
        self._open_operator_door()

    def _open_operator_door(self) -> None:
        """The operator door, when there is a FIX door to operate; its address is left where its tools look."""
        self.operators: OperatorDoor | None = None
        if self.fix is None:
            return
        ports = self.settings.venue
        door = open_operator_socket(
            self.context, f"tcp://{ports.operator_bind}:{ports.operator_port or '*'}", self._curve_keys()
        )
        self._stack.callback(door.close, LINGER_MS)
        data_dir = Path(ports.data_dir)
        self.operators = OperatorDoor(
            door, credentials_of(self.settings), self.fix, data_dir / "fix" / "operator.log"
        )
        self._stack.callback(self.operators.close)
        self._wake_handles += (int(door.underlying),)
        self.addresses["operator"] = door.get_string(zmq.LAST_ENDPOINT)
        address = data_dir / OPERATOR_ADDRESS
        address.write_text(self.addresses["operator"] + "\n")
        self._stack.callback(address.unlink, missing_ok=True)

    def _curve_keys(self) -> CurveKeys | None:
        curve = self.settings.venue.curve
        if not curve.enabled:
            return None
        return CurveKeys(curve.public_key.encode("ascii"), curve.secret_key.encode("ascii"))

    def _open_fix(self) -> None:
        """The FIX door, when any session speaks it."""
        self.fix: FixGateway | None = None
        self._wake_fds: tuple[int, ...] = ()
        sessions = fix_sessions_of(self.settings)
        if not sessions:
            return
        fix = self.settings.fix
        names = {field.name for field in fields(FixLimits)}
        given = msgspec.structs.asdict(fix)
        limits = FixLimits(**{name: value for name, value in given.items() if name in names})
        listener = self._listen("fix_port") if fix.plain else None
        tls_listener, context = None, None
        if fix.tls.certificate:
            context = server_context(fix.tls.certificate, fix.tls.key, fix.tls.client_ca)
            tls_listener = self._listen("fix_tls_port")
        self.fix = FixGateway(self.sequencer, listener, sessions, limits, tls_listener, context)
        self._stack.callback(self.fix.close)
        self._wake_fds = (self.fix.fileno(),)
        for name, scheme, one in (("fix", "tcp", listener), ("fix_tls", "tls", tls_listener)):
            if one is not None:
                self.addresses[name] = "{}://{}:{}".format(scheme, *one.getsockname()[:2])

    def _listen(self, port_name: str) -> socket.socket:
        place = (self.settings.venue.bind, getattr(self.settings.venue, port_name))
        try:
            listener = socket.create_server(place, backlog=256)
        except OSError as error:
            raise listen_error(f"{place[0]}:{place[1]} ({port_name})", error.errno, error.strerror) from error
        self._stack.callback(listener.close)
        return listener

    def _open_orders(self) -> None:
        orders, curve = self.settings.orders, self.settings.venue.curve
        names = {field.name for field in fields(DoorLimits)}
        given = msgspec.structs.asdict(orders)
        self.limits = DoorLimits(**{name: value for name, value in given.items() if name in names})
        if curve.enabled and curve.client_keys:
            admitted = [key.encode("ascii") for key in curve.client_keys]
            self._stack.callback(admit_curve_clients(self.context, admitted).stop)
        socket = open_order_socket(self.context, self._address("orders_port"), self.limits, self._curve_keys())
        self._stack.callback(socket.close, LINGER_MS)
        check = LogonCheck(
            credentials_of(self.settings),
            LogonLimits(
                window_ms=orders.logon_window_ms,
                failures_max=orders.logon_failures_max,
                failure_window_ms=orders.logon_failure_window_ms,
                nonces_max=orders.nonces_max,
            ),
        )
        self.gateway = OrderGateway(self.sequencer, socket, check, self.limits)
        self.addresses["orders"] = socket.get_string(zmq.LAST_ENDPOINT)

    def _open_feed(self) -> None:
        feed = self.settings.feed
        line_a = self._bind(zmq.PUB, "feed_a_port")
        line_b = self._bind(zmq.PUB, "feed_b_port") if feed.line_b else None
        router = self._bind(zmq.ROUTER, "snapshot_port")
        self.publisher = make_publisher(self.sequencer.engine, time.time_ns(), feed, Lines(line_a, line_b))
        self.recovery_door = make_door(self.publisher, router, feed)
        self._wake_handles: tuple[int, ...] = (int(router.underlying),)
        self.addresses = {
            name: socket.get_string(zmq.LAST_ENDPOINT)
            for name, socket in (("feed_a", line_a), ("feed_b", line_b), ("snapshots", router))
            if socket is not None
        }

    def _bind(self, kind: int, port_name: str) -> zmq.Socket:
        socket = self.context.socket(kind)
        self._stack.callback(socket.close, LINGER_MS)
        socket.setsockopt(zmq.SNDHWM, self.settings.feed.send_hwm if kind == zmq.PUB else DOOR_HWM_FRAMES)
        if kind == zmq.ROUTER:
            socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
            socket.setsockopt(zmq.MAXMSGSIZE, 4_096)
        address = self._address(port_name)
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            raise listen_error(f"{address} ({port_name})", error.errno, error.strerror) from error
        return socket

    def _address(self, port_name: str) -> str:
        port = getattr(self.settings.venue, port_name)
        return f"tcp://{self.settings.venue.bind}:{port or '*'}"

    # ------------------------------------------------------------------ running

    def ready_line(self) -> str:
        """The line scripts wait for: READY and the doors' addresses."""
        order = ("orders", "feed_a", "feed_b", "snapshots", "fix", "fix_tls", "operator")
        return "READY " + " ".join(
            f"{name}={self.addresses[name]}" for name in order if name in self.addresses
        )

    def run(self) -> None:
        """Take turns until `stopping`, or until the journal cannot be written."""
        sleeps = self.settings.venue.poll == "sleep"
        gc.collect()
        gc.freeze()
        try:
            while not self.stopping:
                if not self.turn() and sleeps:
                    self.gateway.wait(SLEEP_MS, self._wake_handles, self._wake_fds)
        except EngineStoppedError as error:
            self._error = str(error)

    def turn(self) -> bool:
        """One turn of everything; whether there was anything to do."""
        now_ns = time.time_ns()
        taken = self.gateway.poll(self.limits.frames_per_turn)
        if self.fix is not None:
            taken += self.fix.poll(now_ns)
        decided = self.sequencer.commit(now_ns)
        self.gateway.egress()
        if self.fix is not None:
            taken += self.fix.egress()
        if self.operators is not None:
            taken += self.operators.service(now_ns)
        published = self.publisher.publish(self.sequencer, now_ns)
        served = self.recovery_door.service(now_ns)
        self.turns += 1
        if now_ns - self._housekept_ns > HOUSEKEEPING_NS or now_ns < self._housekept_ns:
            self._housekept_ns = now_ns
            self.sequencer.housekeeping()
            for command in self.phases.due(self.sequencer.engine, now_ns):
                self.sequencer.run(command, now_ns)
        return bool(taken or decided or published or served or self.gateway.is_full)

    def close(self) -> dict[str, Any]:
        """Say goodbye to every session, close everything, and say where it lies."""
        try:
            if not self._error:
                self._say_goodbye()
        except EngineStoppedError as error:
            self._error = str(error)
        summary = self.figures()
        try:
            self._stack.close()
        except EngineStoppedError as error:
            self._error = self._error or str(error)
        return summary | {"holds": not self._error, "error": self._error}

    def _say_goodbye(self) -> None:
        self.gateway.close_all(CloseReason.VENUE_RESTART)
        if self.fix is not None:
            self.fix.close_all()
        deadline = time.monotonic() + GOODBYE_S
        while self._open_sessions() and time.monotonic() < deadline:
            self.gateway.poll(0)
            if self.fix is not None:
                self.fix.poll(time.time_ns())
            self.sequencer.commit(time.time_ns())
            self.sequencer.wait_released()
            self.gateway.egress()
            if self.fix is not None:
                self.fix.egress()
            self.publisher.publish(self.sequencer, time.time_ns())

    def _open_sessions(self) -> int:
        return self.gateway.open_sessions + (self.fix.open_sessions if self.fix is not None else 0)

    def figures(self) -> dict[str, Any]:
        """What the process has done, for `--json`."""
        data_dir = Path(self.settings.venue.data_dir)
        return {
            "command": "venue",
            "data_dir": str(data_dir),
            "journal": str(data_dir / "journal"),
            "recovered": self.recovered,
            "defined": self.defined_count,
            "addresses": self.addresses,
            "turns": self.turns,
            "last_seq": self.sequencer.last_seq,
            "last_event_seq": self.sequencer.last_event_seq,
            "state_hash": f"{self.sequencer.engine.state_hash():016x}",
            "orders": self.gateway.stats(),
            "fix": self.fix.stats() if self.fix is not None else None,
            "feed": self.publisher.figures(),
        }
