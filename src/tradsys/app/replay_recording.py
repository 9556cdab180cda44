"""``tradsys replay recording DIR``: the recorded feed on the wire again."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Annotated

import zmq
from cyclopts import Parameter

from tradsys.app.arguments import Address, AddressOrNone, RecordingDirectory, Speed, StreamId, speed_of
from tradsys.app.doors import full_address
from tradsys.app.record import stop_on_signals
from tradsys.errors import UsageError
from tradsys.recorder import read, streams
from tradsys.recorder.errors import RecordingError
from tradsys.recorder.republish import Progress, Republisher
from tradsys.recorder.server import RecordingServer

LINES_MAX = 2


def recording(
    directory: RecordingDirectory,
    *,
    bind: Annotated[tuple[Address, ...], Parameter(negative="")] = (
        "tcp://127.0.0.1:5556",
        "tcp://127.0.0.1:5557",
    ),
    recovery: AddressOrNone = "tcp://127.0.0.1:5558",
    speed: Speed = "1",
    stream: StreamId | None = None,
    wait: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Publish a recording's packets again: channels, sequence numbers, stream ids and boundaries as they were.

    Nothing is dropped here: where a reader is behind, sending waits for it. Gap fills and snapshots are answered
    from the files.

    Example: tradsys replay recording DIR --speed 10 --bind tcp://127.0.0.1:7001 --recovery tcp://127.0.0.1:7003

    Parameters
    ----------
    directory
        The recording.
    bind
        Address of line A; given twice, of line B too.
    recovery
        Address of the gap-fill and snapshot door; "none": there is none.
    speed
        1, 10 or any factor of the recorded pace, or max.
    stream
        One run of the venue only; all, one after the other, if not given.
    wait
        Begin when each line has a reader.
    as_json
        One JSON object on the last line.
    """
    factor = speed_of(speed) or 0.0  # 0: as fast as readers take it
    if len(bind) > LINES_MAX:
        raise UsageError(f"--bind must be given at most {LINES_MAX} times, for lines A and B, was {len(bind)} times")
    found = streams(directory)
    chosen = found if stream is None else [stream]
    if not chosen or not set(chosen) <= set(found):
        raise RecordingError("NO_RECORDING", f"{directory} holds no stream {stream or ''}".rstrip())
    stop = threading.Event()
    stop_on_signals(stop)
    began = time.perf_counter()
    progress = replay(directory, [full_address(line) for line in bind], recovery, factor, chosen, wait, stop, quiet=as_json)
    seconds = time.perf_counter() - began
    result = {
        "command": "replay recording",
        "streams": chosen,
        "packets": progress.packets,
        "messages": progress.messages,
        "bytes": progress.bytes,
        "seconds": round(seconds, 3),
        "waited_ms": progress.waited_ns // 10**6,
        "whole": not stop.is_set(),
    }
    if as_json:
        print(json.dumps(result))
    else:
        print(f"{progress.packets:,} packets, {progress.messages:,} messages in {seconds:.1f} s")
    return 0 if result["whole"] else 1


def replay(
    directory: Path,
    lines: list[str],
    recovery: str,
    factor: float,
    stream_ids: list[int],
    wait: bool,
    stop: threading.Event,
    quiet: bool,
) -> Progress:
    """Bind the sockets, send everything, close."""
    with zmq.Context() as context:
        publisher = Republisher(lines, context)
        server = None
        try:
            if recovery != "none":
                server = RecordingServer(directory, full_address(recovery), context, publisher.progress)
            if not quiet:
                print(f"replaying on {', '.join(publisher.addresses)}; Ctrl-C stops", file=sys.stderr)
            if wait:
                publisher.wait_for_readers(stop.is_set)
            show = None if quiet else _Bar(directory, stream_ids)
            publisher.run(directory, stream_ids, factor, stop.is_set, show)
            if show is not None:
                show.close()
        finally:
            if server is not None:
                server.close()
            publisher.close()
        return publisher.progress


class _Bar:
    """Progress by packets, on standard error."""

    def __init__(self, directory: Path, stream_ids: list[int]):
        from rich.console import Console
        from rich.progress import Progress as RichProgress

        total = sum(read(directory, "packets", stream_id=stream_id).count() for stream_id in stream_ids)
        self._bar = RichProgress(console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("replaying", total=total)
        self._shown_ns = 0
        self._bar.start()

    def __call__(self, progress: Progress) -> None:
        now_ns = time.monotonic_ns()
        if now_ns - self._shown_ns > 100_000_000:
            self._shown_ns = now_ns
            self._bar.update(self._task, completed=progress.packets)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()
