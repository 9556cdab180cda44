"""How long does one order take through the ZeroMQ door and back, beside a bare ZeroMQ echo of the same mode.

Order and echo alternate in rounds on the same machine: a DEALER sends one frame and waits for its answer, timed in
Cython with the same libzmq calls on both sides. The venue is complete: journal `batch`, events, report, feed. Then,
open loop: frames leave at their times whatever is answered, and each is timed from when it was due.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import zmq
from gateway_venue import VenueChild, clear_book, orders_and_cancels
from hdrh.histogram import HdrHistogram
from measure import arguments, machine, median, show

from tradsys.client import OrderClient
from tradsys.client.latency_probe import open_loop, round_trips, serve_echo
from tradsys.client.order_session import frames_of
from tradsys.wire import records

TRIPS = 10_000
RATE = 10_000.0
PERCENTILES = (50.0, 99.0, 99.9)


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--serve-echo"]:
        return echo(words[1])
    options = arguments(__doc__, argv, rounds=7)
    trips = TRIPS // 10 if options.quick else TRIPS
    data: dict[str, dict[str, float]] = {}
    rows = []
    for poll in ("spin", "sleep"):
        measured = measure(poll, trips, options.rounds)
        for name, rounds in measured.items():
            data[f"{poll} {name}"] = figures = summary(rounds)
            rows.append([f"{poll}  {name}", *(f"{value:.1f}" for value in figures.values())])
        order, bare = data[f"{poll} order"], data[f"{poll} echo"]
        ratios = [order[key] / bare[key] for key in order]
        rows.append([f"{poll}  order / echo", *(f"{ratio:.2f}x" for ratio in ratios)])
        data[f"{poll} ratio"] = dict(zip(order, ratios, strict=True))
    heads = ["", *(f"p{p:g}" for p in PERCENTILES), "max", "best p50", "best p99"]
    notes = (
        f"us, medians of {options.rounds} rounds of {trips}, and the best round; "
        f"{machine()['cpu']}; open loop at {RATE:,.0f} orders/s, "
        "timed from when each was due"
    )
    show("round trip of one order, us", heads, rows, notes, options.json, data)
    return 0


def measure(poll: str, trips: int, rounds: int) -> dict[str, list[np.ndarray]]:
    """Times in ns of `rounds` rounds each: through the venue, through the echo, open loop through the venue."""
    measured: dict[str, list[np.ndarray]] = {"echo": [], "order": [], "order, open loop": []}
    spin = poll == "spin"
    for round_ in range(rounds + 1):
        found = {"echo": time_echo(poll, trips, spin)}
        # only one server at a time: a spinning one takes a whole processor
        with VenueChild(poll) as venue:
            client = venue.client(cancel_on_disconnect=False, heartbeat_ms=60_000)
            found["order"] = time_orders(client, trips, spin, None)
            found["order, open loop"] = time_orders(client, trips, spin, RATE)
            client.close()
        if round_ > 0:  # the first warms up
            for name, times in found.items():
                measured[name].append(times)
    return measured


def time_orders(client: OrderClient, trips: int, spin: bool, rate: float | None) -> np.ndarray:
    """Through the venue; then the client reads the reports itself, which proves that each order has exactly one."""
    times = np.zeros(trips, np.int64)
    session = client.session
    first_seq = session.next_client_seq
    commands = orders_and_cancels(trips, first_ref=first_seq * 4, live=100)
    frames = b"".join(frames_of(session.number(commands, per_frame=1)))
    table = np.frombuffer(frames, np.uint8).reshape(
        trips, records.FRAME.itemsize + records.NEW_ORDER.itemsize
    )
    handle = int(client._pump.socket.underlying)
    if rate is None:
        round_trips(handle, table, times, first_seq, spin)
    else:
        open_loop(handle, table, times, first_seq, rate)
    # what the probe took off the socket is missing: the next report opens a gap, and the client heals it
    got = clear_book(client)
    answered = got["client_seq"][:trips]
    if not np.array_equal(answered, np.arange(first_seq, first_seq + trips)):
        raise RuntimeError("the reports do not answer the orders one by one")
    return times


def time_echo(poll: str, trips: int, spin: bool) -> np.ndarray:
    """The same frames through a ROUTER that sends them back."""
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve-echo", poll],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert server.stdout is not None
    times = np.zeros(trips, np.int64)
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(server.stdout.readline().strip())
    frames = np.zeros((trips, records.FRAME.itemsize + records.NEW_ORDER.itemsize), np.uint8)
    round_trips(int(socket.underlying), frames, times, 0, spin)
    context.destroy(linger=0)
    server.wait(30)
    return times


def echo(poll: str) -> int:
    """The server side of `time_echo`; ends when nothing has come for a second."""
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.bind("tcp://127.0.0.1:*")
    print(socket.get_string(zmq.LAST_ENDPOINT), flush=True)
    socket.poll(10_000)
    serve_echo(int(socket.underlying), 0.5, poll == "spin")
    context.destroy(linger=0)
    return 0


def summary(rounds: list[np.ndarray]) -> dict[str, float]:
    """Median over the rounds of each percentile, and the best round's, us."""
    per_round = []
    for times in rounds:
        histogram = HdrHistogram(1, 60_000_000_000, 3)
        for value in times.tolist():
            histogram.record_value(max(1, value))
        found = [histogram.get_value_at_percentile(p) / 1e3 for p in PERCENTILES]
        per_round.append([*found, histogram.get_max_value() / 1e3])
    names = [*(f"p{p:g}" for p in PERCENTILES), "max"]
    figures = {name: median([one[i] for one in per_round]) for i, name in enumerate(names)}
    # the round that was disturbed least: what a busy machine changes least
    return figures | {
        "best p50": min(one[0] for one in per_round),
        "best p99": min(one[1] for one in per_round),
    }


if __name__ == "__main__":
    raise SystemExit(main())
