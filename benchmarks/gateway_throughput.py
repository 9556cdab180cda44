"""How many orders a second go through the ZeroMQ door, from array to report, journaled.

A venue process (everything on: journal `batch`, events, reports, feed) and a client process. Half of the commands are
new orders, half cancels; each has one report. Counts, numbers and types of all reports are verified before any figure is
printed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from gateway_venue import VenueChild, check_answers, clear_book, orders_and_cancels
from measure import arguments, machine, median, show, spread

from tradsys.client import OrderClient

CASES = (
    ("packed, 512 a frame", 512, 1_000_000),
    ("packed, 64 a frame", 64, 500_000),
    ("one order a frame", 1, 200_000),
)
WINDOW = 32_768  # commands without answer, at most


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(__doc__, argv, rounds=5)
    rates: dict[str, list[float]] = {name: [] for name, _, _ in CASES}
    with VenueChild(poll="sleep") as venue:
        client = venue.client(unacknowledged_max=WINDOW, cancel_on_disconnect=False, heartbeat_ms=20_000)
        for round_ in range(options.rounds + 1):
            for name, per_frame, count in CASES:
                count = count // 10 if options.quick or round_ == 0 else count
                rate = run(client, count, per_frame)
                if round_ > 0:  # the first warms up
                    rates[name].append(rate)
        client.close()
    rows = [[name, spread([r / 1e6 for r in rates[name]])] for name in rates]
    notes = f"{machine()['cpu']}; at most {WINDOW} commands without answer; venue sleeps when idle"
    show(
        "orders through the door, M/s",
        ["case", "M orders/s"],
        rows,
        notes,
        options.json,
        {name: median(values) for name, values in rates.items()},
    )
    return 0


def run(client: OrderClient, count: int, per_frame: int) -> float:
    """Send, receive, verify; orders a second. What is left on the book is cancelled afterwards, untimed."""
    first_seq = client.session.next_client_seq
    commands = orders_and_cancels(count, first_ref=first_seq * 4)
    got: list[np.ndarray] = []
    begin = time.perf_counter()
    sent = 0
    while sent < count:
        room = min(client.session.room, 8_192)
        if room >= min(4_096, count - sent):
            client.send(commands[sent : sent + room], per_frame=per_frame)
            sent = min(count, sent + room)
        got.append(client.receive(0.001))
    while client.session.acknowledged_seq < first_seq + count - 1:
        got.append(client.receive(1.0))
    got.append(client.receive())
    elapsed = time.perf_counter() - begin
    check_answers(commands, np.concatenate(got), first_seq)
    clear_book(client)
    return count / elapsed


if __name__ == "__main__":
    raise SystemExit(main())
