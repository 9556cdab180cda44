"""``tradsys record``: a process that listens to the feed and keeps it on disk."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import zmq
from cyclopts import Parameter

from tradsys import config
from tradsys.app.arguments import AddressOrNone, OutputDirectory, Seconds
from tradsys.app.doors import full_address
from tradsys.app.query import recording_directory
from tradsys.errors import ConfigError, RecordingError, UsageError
from tradsys.recorder.recorder import Recorder
from tradsys.recorder.session import Addresses, FeedSession

_STATUS_NS = 1_000_000_000
_PIPE_COLUMNS = 200  # most columns of a table that no terminal shows


def record(
    *,
    settings: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    directory: Annotated[OutputDirectory | None, Parameter(name=["--dir", "-d"])] = None,
    line_a: AddressOrNone | None = None,
    line_b: AddressOrNone | None = None,
    recovery: AddressOrNone | None = None,
    seconds: Seconds | None = None,
    recover_only: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")] = False,
) -> int:
    """Record the feed until Ctrl-C, then print the gap report. Exit status 1: messages were lost or the disk failed.

    Example: tradsys record --dir recording --line-a tcp://127.0.0.1:5556 --line-b none

    Parameters
    ----------
    settings
        Settings file; else $TRADSYS_CONFIG or ./tradsys.yaml.
    directory
        Where to write; the settings' if not given.
    line_a, line_b, recovery
        ZeroMQ addresses of the feed; the settings' if not given; "none": there is none.
    seconds
        Stop after this time.
    recover_only
        Salvage and compact what a crash left behind, and stop.
    as_json
        The report as one JSON object on the last line.
    quiet
        No status line.
    """
    loaded = config.load(settings)
    where = directory or recording_directory(loaded)
    addresses = feed_addresses(loaded, line_a, line_b, recovery)
    if not (addresses.line_a or addresses.line_b or recover_only):
        raise UsageError("one of line A and line B must have an address, are both none")
    stop = threading.Event()
    stop_on_signals(stop)
    recorder = Recorder(where, loaded.recorder)
    if recover_only:
        report = recorder.close()
        report["recovered"] = vars(recorder.recovery)
    else:
        if not (as_json or quiet):
            print(
                f"recording {addresses.line_a} {addresses.line_b} to {where}; Ctrl-C stops", file=sys.stderr
            )
        status = None if quiet else StatusLine(recorder)
        report = run(recorder, addresses, loaded.recorder.receive_hwm, until(stop, seconds), status)
    if as_json:
        print(json.dumps({"command": "record", **report}))
    else:
        print_report(report)
    return 1 if report["lost"] or "error" in report else 0


def run(
    recorder: Recorder,
    addresses: Addresses,
    receive_hwm: int,
    stop: Callable[[], bool],
    on_turn: Callable[[], Any] | None = None,
) -> dict[str, Any]:
    """Record until told to stop, close the recorder, and return its report; with ``error`` if the disk failed."""
    try:
        session = FeedSession(recorder, addresses, receive_hwm=receive_hwm)
    except zmq.ZMQError as error:  # the recorder's threads would keep the process for ever
        recorder.close()
        raise ConfigError(f"expected ZeroMQ addresses like tcp://127.0.0.1:5556, were {addresses}: {error}") from error
    try:
        session.run(stop, on_turn)
    except RecordingError as error:
        print(f"tradsys record: {error}", file=sys.stderr)
    finally:
        session.close()
    try:
        return recorder.close()
    except RecordingError as error:
        return {**recorder.report(), "error": str(error)}


def feed_addresses(
    settings: config.Config, line_a: str | None = None, line_b: str | None = None, recovery: str | None = None
) -> Addresses:
    """Say where the feed is: what is given, else the recorder's settings, else the venue's doors; "none" is none."""
    venue, mine = settings.venue, settings.recorder

    def pick(given: str | None, set_: str, port: int) -> str:
        address = given or set_ or f"tcp://{venue.bind}:{port}"
        return "" if address == "none" else full_address(address)

    return Addresses(
        line_a=pick(line_a, mine.line_a, venue.feed_a_port),
        line_b=pick(line_b, mine.line_b, venue.feed_b_port),
        recovery=pick(recovery, mine.recovery, venue.snapshot_port),
    )


def stop_on_signals(stop: threading.Event) -> None:
    """Let SIGINT and SIGTERM set the event."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())


def until(stop: threading.Event, seconds: float | None) -> Callable[[], bool]:
    """Return the question whether it is time to stop."""
    end_ns = None if seconds is None else time.monotonic_ns() + int(seconds * 1e9)
    return lambda: stop.is_set() or (end_ns is not None and time.monotonic_ns() >= end_ns)


class StatusLine:
    """One line on standard error, once a second: rows, rate, gaps, queue."""

    def __init__(self, recorder: Recorder):
        self._recorder = recorder
        self._shown_ns = time.monotonic_ns()
        self._messages = 0

    def __call__(self) -> None:
        """Show the line if its time has come."""
        now_ns = time.monotonic_ns()
        if now_ns - self._shown_ns < _STATUS_NS:
            return
        report = self._recorder.report()
        messages = sum(channel["messages"] for channel in report["channels"])
        rate = (messages - self._messages) * 1e9 / (now_ns - self._shown_ns)
        self._shown_ns, self._messages = now_ns, messages
        gaps = sum(channel["gaps"] for channel in report["channels"])
        line = (
            f"{messages:,} messages, {rate:,.0f}/s, {report['bytes_written'] / 2**20:,.1f} MiB, gaps {gaps}, "
            f"lost {report['lost']}, queue max {report['queue_depth_max']}, stalls {report['stalls']}"
        )
        if sys.stderr.isatty():
            print(f"\r\x1b[2K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def print_report(report: dict[str, Any]) -> None:
    """Print the gap report for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"recorded in {report['directory']}")
    for head in ("stream", "channel", "first", "last", "packets", "messages", "duplicates", "gaps", "healed", "lost"):
        table.add_column(head, overflow="fold")  # on a narrow terminal a number takes two lines, and stays whole
    for row in report["channels"]:
        table.add_row(*(str(value) for value in row.values()))
    console = Console(stderr=False)
    if not console.is_terminal:
        console.width = _PIPE_COLUMNS
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if report["channels"]:
        console.print(table)
    if recovered := report.get("recovered"):
        console.print(
            f"recovered: {recovered['rows']:,} rows in {len(recovered['compacted'])} files, {len(recovered['salvaged'])} of "
            f"them torn; {len(recovered['removed'])} files without rows removed"
        )
    rows = ", ".join(f"{name} {count:,}" for name, count in report["rows"].items()) or "none"
    console.print(f"rows: {rows}")
    console.print(
        f"{report['bytes_written']:,} bytes in {report['batches']} batches, write {report['write_ms_mean']} ms mean "
        f"{report['write_ms_max']} ms max, queue max {report['queue_depth_max']}, stalls {report['stalls']}"
    )
    if report.get("error"):
        console.print(f"stopped: {report['error']}", style="bold red")
