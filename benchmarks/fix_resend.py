"""Whether a resend of a million messages disturbs anybody, and what memory it takes.

One session has a million stored messages (orders entered and cancelled again); it asks for all of them and reads as fast as
it can. Meanwhile another session trades, one order at a time, as it did before: its times beside, its reports all read. The
resent messages are counted one by one: every number once, in order, 43=Y. Memory is the venue's own (RssAnon), sampled.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence

import numpy as np
from fix_client import FixClient, percentiles_us, pipelined_rate, times_one_by_one
from gateway_venue import VenueChild
from measure import arguments, show

MESSAGES = 1_000_000
BATCH = 50_000  # orders of a round; each is a message when entered and one when cancelled
TURNS = 1_000
NUMBERS = re.compile(rb"\x0134=(\d+)\x0143=Y\x01")


class Reader(threading.Thread):
    """Asks for all messages again and reads them."""

    def __init__(self, client: FixClient, last: int) -> None:
        super().__init__(daemon=True)
        self.client, self.last = client, last
        self.pieces: list[bytes] = []
        self.seconds = 0.0

    def run(self) -> None:
        """Until the last one has come."""
        begin = time.perf_counter()
        request = self.client.message("2", [(7, b"1"), (16, b"0")])
        self.client.socket.sendall(request)
        end = b"\x0134=%d\x0143=Y\x01" % self.last
        tail = b""
        while end not in tail:
            piece = self.client.socket.recv(1 << 20)
            assert piece, "the session was closed during its resend"
            self.pieces.append(piece)
            tail = tail[-400:] + piece
        self.seconds = time.perf_counter() - begin

    def check(self) -> int:
        """Every number once, in order (the logon's is in a gap fill); how many."""
        found = np.array([int(number) for number in NUMBERS.findall(b"".join(self.pieces))])
        assert found[-1] == self.last
        assert np.array_equal(found, np.arange(found[0], self.last + 1)), "numbers are missing or doubled"
        return len(found)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(__doc__, argv, rounds=1)
    batches = MESSAGES // (2 * BATCH) // (10 if options.quick else 1)
    with VenueChild(poll="sleep", fix_sessions=2) as venue:
        behind = FixClient(venue.fix_address, 0)
        for round_ in range(batches):
            pipelined_rate(behind, [b"%d-%d" % (round_, number) for number in range(BATCH)])
            behind.cancel_all(BATCH)
        live = FixClient(venue.fix_address, 1)  # only now: a client that is quiet for a minute is sent a heartbeat
        times_one_by_one(live, [b"w-%d" % n for n in range(TURNS)])
        alone = np.concatenate(
            [times_one_by_one(live, [b"a%d-%d" % (k, n) for n in range(TURNS)]) for k in range(5)]
        )
        before = venue.resident_bytes()
        reader = Reader(behind, behind.next_in - 1)
        reader.start()
        beside, memory = [], [before]
        while reader.is_alive() or not beside:
            beside.append(times_one_by_one(live, [b"b%d-%d" % (len(beside), n) for n in range(TURNS // 10)]))
            memory.append(venue.resident_bytes())
        reader.join()
        count = reader.check()
    quiet, busy = percentiles_us(alone), percentiles_us(np.concatenate(beside))
    rows = [
        ["another session, no resend, us", *(f"{value:.0f}" for value in quiet)],
        ["during the resend, us", *(f"{value:.0f}" for value in busy)],
        ["ratio", *(f"{b / a:.2f}x" for a, b in zip(quiet, busy, strict=True))],
    ]
    data = {"messages": count, "seconds": reader.seconds, "p99_alone_us": quiet[1], "p99_resend_us": busy[1]}
    data |= {"memory_before": before, "memory_largest": max(memory)}
    notes = (
        f"{count:,} messages resent in {reader.seconds:.2f} s ({count / reader.seconds:,.0f}/s); memory of the venue "
        f"{before / 2**20:.1f} MiB before, {max(memory) / 2**20:.1f} MiB at most during it"
    )
    show("FIX: a long resend", ["what", "p50", "p99", "p99.9", "max"], rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
