"""Recorder throughput: L3 updates a second from the wire into files, none lost.

A process of its own sends a valid flow (each order is added and later deleted) in frames over ipc; the recorder takes
them, writes Arrow streams, and while it does so compacts closed files to Parquet and folds books. `capacity`: the sender
waits for the recorder. `paced`: the sender keeps a rate and drops what the recorder does not take, as the venue does.
Afterwards every row is counted, sequence numbers are 1 .. n and the books are empty where they must be, or no time is
printed.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zmq
from measure import arguments, median, show, spread

from tradsys.config import Recorder as RecorderSettings
from tradsys.recorder import Recorder, read
from tradsys.recorder.checkpoint import rebuild
from tradsys.recorder.republish import make_frame
from tradsys.recorder.session import Addresses, FeedSession
from tradsys.wire.enums import Channel, Template
from tradsys.wire.records import empty

STREAM = 1_790_000_000_000_000_000
ROUND = 64  # frames after which an order is deleted
FIRST_SEQ = slice(32, 40)  # of a frame


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    name: str
    messages: int  # of a frame
    lines: int
    rate: float  # messages a second; 0: as fast as the recorder takes them


CASES = (
    Case("capacity, 16 KiB frames, line A", 340, 1, 0),
    Case("capacity, 16 KiB frames, A and B", 340, 2, 0),
    Case("capacity, 1.5 KiB frames, line A", 32, 1, 0),
    Case("paced 2 M/s, 16 KiB frames, A and B", 340, 2, 2e6),
)


def frames_of(messages: int) -> list[bytearray]:
    """Make one round of frames: half adds, half deletes of the round before."""
    random = np.random.default_rng(7)
    frames = []
    for _ in range(ROUND):
        records = empty(Template.MD_ORDER_ADD, messages)
        half = messages // 2
        records["template_id"][half:] = Template.MD_ORDER_DELETE
        for name, values in (
            ("price_ticks", random.integers(9_900, 10_100, half)),
            ("qty_lots", random.integers(1, 500, half)),
            ("side", random.integers(1, 3, half)),
            ("instrument_id", random.integers(1, 5, half)),
        ):
            records[name][:half] = records[name][half:] = values
        frames.append(bytearray(make_frame(int(Channel.L3), STREAM, 1, messages, records.tobytes())))
    return frames


def send(addresses: list[str], case: Case, count: int, ready: Any) -> None:
    """Send `count` frames, in a process of its own; the first round adds only."""
    context = zmq.Context()
    sockets = []
    for address in addresses:
        socket = context.socket(zmq.XPUB)
        socket.setsockopt(zmq.SNDHWM, 4000)
        socket.setsockopt(zmq.XPUB_NODROP, int(case.rate == 0))
        socket.bind(address)
        sockets.append(socket)
    ready.set()
    for socket in sockets:
        for _ in range(5):
            socket.recv()
    frames, half = frames_of(case.messages), case.messages // 2
    records = [np.frombuffer(frame, empty(Template.MD_ORDER_ADD).dtype, offset=56) for frame in frames]
    began, seq = time.perf_counter(), 1
    for number in range(count):
        frame, rows = frames[number % ROUND], records[number % ROUND]
        rows["order_id"][:half] = np.arange(number * half, (number + 1) * half) + 1
        rows["order_id"][half:] = np.arange((number - ROUND) * half, (number - ROUND + 1) * half) + 1
        rows["ts_ns"] = time.time_ns()
        content = bytes(frame)
        if number < ROUND:
            content = make_frame(int(Channel.L3), STREAM, seq, half, content[56 : 56 + 48 * half])
        else:
            content = content[:32] + seq.to_bytes(8, "little") + content[40:]
        seq += half if number < ROUND else case.messages
        for socket in sockets:
            socket.send(content)
        while case.rate and (seq - 1) / case.rate > time.perf_counter() - began:
            time.sleep(0.0002)
    last = make_frame(int(Channel.L3), STREAM, seq, 0, b"")
    for socket in sockets:
        socket.send(last)
    context.destroy(linger=10_000)


def run(case: Case, total: int) -> dict[str, Any]:
    """Record one flow; return figures; raise if anything is missing."""
    count = total // case.messages
    messages = ROUND * (case.messages // 2) + (count - ROUND) * case.messages
    with tempfile.TemporaryDirectory() as folder:
        addresses = [f"ipc://{folder}/line{line}.ipc" for line in range(case.lines)]
        spawn = multiprocessing.get_context("spawn")
        ready = spawn.Event()
        sender = spawn.Process(target=send, args=(addresses, case, count, ready))
        sender.start()
        ready.wait()
        recorder = Recorder(Path(folder, "recording"), RecorderSettings(fill_tries_max=0, gap_wait_ms=200))
        session = FeedSession(recorder, Addresses(*addresses))
        while not recorder.stream_id:
            session.turn(10)
        began, processor = time.perf_counter(), time.process_time()
        for instrument in range(1, 5):
            head = empty(Template.SNAPSHOT_BEGIN, 1)
            head["stream_id"], head["instrument_id"] = STREAM, instrument
            recorder.snapshot(head, empty(Template.MD_ORDER_ADD, 0))
        while recorder.collector.next_seq(Channel.L3) <= messages:
            session.turn(10)
        recorder.flush()
        seconds = time.perf_counter() - began
        session.close()
        report = recorder.close()
        closed = time.perf_counter() - began - seconds
        processor = time.process_time() - processor
        sender.join()
        lost = report["lost"]
        verify(Path(folder, "recording"), messages, lost, ROUND * (case.messages // 2))
        return {
            "rate": (messages - lost) / seconds,
            "lost": lost,
            "messages": messages,
            "close_seconds": closed,
            "processor_seconds_a_million": processor / messages * 1e6,
            "queue_depth_max": report["queue_depth_max"],
            "stalls": report["stalls"],
            "write_ms_max": report["write_ms_max"],
            "folded_books": report["folded_books"],
        }


def verify(recording: Path, messages: int, lost: int, live: int) -> None:
    """Every message is there once, and the books hold exactly the orders not deleted."""
    expected, rows = 1, 0
    for batch in read(recording, "l3", columns=["channel_seq"]):
        seqs = batch.column(0).to_numpy()
        if lost == 0 and not np.array_equal(seqs, np.arange(expected, expected + len(seqs), dtype=np.uint64)):
            raise SystemExit(f"rows after {expected} are not those sent")
        expected, rows = expected + len(seqs), rows + len(seqs)
    if rows + lost != messages:
        raise SystemExit(f"{rows} rows and {lost} lost of {messages} messages")
    if lost == 0:
        books = rebuild(recording, STREAM, messages)
        if books.misfits or len(books.orders) != live:
            raise SystemExit(
                f"{len(books.orders)} orders rest, {live} should; {books.misfits} rows do not fit"
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every case and print the table."""
    options = arguments(__doc__, argv, rounds=3)
    total = 2_000_000 if options.quick else 20_000_000
    rows, data = [], []
    for case in CASES:
        results = [run(case, total) for _ in range(1 if options.quick else options.rounds)]
        rates = [result["rate"] / 1e6 for result in results]
        worst = max(result["lost"] for result in results)
        rows.append(
            [
                case.name,
                spread(rates),
                str(worst),
                str(max(result["queue_depth_max"] for result in results)),
                f"{max(result['write_ms_max'] for result in results):.0f}",
                f"{median([result['close_seconds'] for result in results]):.1f}",
                f"{median([result['processor_seconds_a_million'] for result in results]):.3f}",
            ]
        )
        data.append({"case": case.name, "rounds": results})
    heads = ["case", "M updates/s", "lost", "queue max", "write ms max", "close s", "CPU s/M"]
    notes = (
        f"{total:,} updates a round; `close s`: from the last row in a file to everything in Parquet; `CPU s/M`: "
        "processor time of the recorder a million updates, compaction, verification and books included"
    )
    show("recorder throughput", heads, rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
