"""Does every one of 500 FIX sessions get its turn? 200 orders a second each, open loop: sent when due, whatever is answered.

One venue process (`poll: sleep`, journal `batch`), one client process that sends and times for all (`fix_load`). Every report
of every session is read afterwards: number, ClOrdID, ExecType. A session starves when its p50 or p99 is far from the others':
the worst session's are shown beside those of all orders.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from fix_client import FixClient, percentiles_us, times_open_loop
from gateway_venue import VenueChild
from measure import arguments, median, show, spread

SESSIONS = 500
PER_SECOND = 200
SECONDS = 2


def one_round(sessions: int, count: int) -> dict[str, float]:
    """Figures of one venue and all its sessions, us."""
    with VenueChild(poll="sleep", fix_sessions=sessions, fix_orders=1 << 12) as venue:
        clients = [FixClient(venue.fix_address, number) for number in range(sessions)]
        times_open_loop(clients, [b"w-%d" % number for number in range(5)], sessions * 50.0)
        begin = venue.cpu_seconds()
        times = times_open_loop(clients, [b"o-%d" % n for n in range(count)], float(sessions * PER_SECOND))
        cpu = (venue.cpu_seconds() - begin) / times.size * 1e6
        for client in clients:
            client.socket.close()
    p50, p99, p999, largest = percentiles_us(times)
    per_session = np.percentile(times, (50, 99), axis=1) / 1e3
    return {
        "p50": p50,
        "p99": p99,
        "p99.9": p999,
        "max": largest,
        "worst session's p50": float(per_session[0].max()),
        "worst session's p99": float(per_session[1].max()),
        "best session's p99": float(per_session[1].min()),
        "processor time of the venue an order": cpu,
    }


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(__doc__, argv, rounds=3)
    sessions = SESSIONS // 5 if options.quick else SESSIONS
    rounds = [one_round(sessions, PER_SECOND * SECONDS) for _ in range(options.rounds)]
    rows = [
        [name, f"{median([one[name] for one in rounds]):,.1f}", spread([one[name] for one in rounds])]
        for name in rounds[0]
    ]
    data = {name: median([one[name] for one in rounds]) for name in rounds[0]}
    notes = f"us from when each was due; {sessions} sessions at {PER_SECOND}/s each; medians of {options.rounds} rounds"
    show(
        "FIX: many sessions",
        ["what", "us", "spread"],
        rows,
        notes,
        options.json,
        {"sessions": sessions, **data},
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
