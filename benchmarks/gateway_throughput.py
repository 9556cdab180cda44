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
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name, _, _ in CASES}
    with VenueChild(poll="sleep") as venue:
        client = venue.client(unacknowledged_max=WINDOW, cancel_on_disconnect=False, heartbeat_ms=20_000)
        for round_ in range(options.rounds + 1):
            for name, per_frame, count in CASES:
                count = count // 10 if options.quick or round_ == 0 else count
                measured = run(venue, client, count, per_frame)
                if round_ > 0:  # the first warms up
                    found[name].append(measured)
        client.close()
    rows, data = [], {}
    for name, rounds in found.items():
        rates, venue_us, client_us = zip(*rounds, strict=True)
        rows.append(
            [name, spread([r / 1e6 for r in rates]), f"{median(venue_us):.2f}", f"{median(client_us):.2f}"]
        )
        data[name] = {
            "orders_per_s": median(rates),
            "venue_cpu_us": median(venue_us),
            "client_cpu_us": median(client_us),
        }
    notes = (
        f"{machine()['cpu']}; at most {WINDOW} commands without answer; venue sleeps when idle; "
        "processor time of all threads, libzmq's too, per order"
    )
    heads = ["case", "M orders/s", "venue us", "client us"]
    show("orders through the door", heads, rows, notes, options.json, data)
    return 0


def run(venue: VenueChild, client: OrderClient, count: int, per_frame: int) -> tuple[float, float, float]:
    """Send, receive, verify; orders a second, processor time of venue and of client per order in us.

    What is left on the book is cancelled afterwards, untimed.
    """
    first_seq = client.session.next_client_seq
    commands = orders_and_cancels(count, first_ref=first_seq * 4)
    got: list[np.ndarray] = []
    venue_begin, client_begin, begin = venue.cpu_seconds(), time.process_time(), time.perf_counter()
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
    client_us = (time.process_time() - client_begin) / count * 1e6
    venue_us = (venue.cpu_seconds() - venue_begin) / count * 1e6
    check_answers(commands, np.concatenate(got), first_seq)
    clear_book(client)
    return count / elapsed, venue_us, client_us


if __name__ == "__main__":
    raise SystemExit(main())
