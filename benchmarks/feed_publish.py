"""The feed published: events into L3, L2, L1, trades; over TCP to a process that counts and must miss nothing.

`publisher alone` packs, keeps the shadow books, conflates and retains, without sockets (processor time). `to a reader`
publishes on PUB sockets to a subscriber process that arbitrates and counts every message of every channel: the time runs
from the first event to the subscriber's last message. A subscriber waits in poll when nothing is there, as a client
does. With both lines it reads every byte twice; `A and B, a reader of A` publishes on both and nobody reads B. `bare
libzmq` sends the same line A frames from memory to the same subscriber, which only receives them. An update is one L3
message; the other channels come on top. Turns, frames and queues are the venue's defaults. PUB drops what a full queue
does not take, so the publisher waits for a subscriber that is LAG_FRAMES_MAX frames behind: the rate is one that all of
them sustain, however long the run, with nothing lost. Waiting costs the publishing thread no processor time of its own.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized

import feed_flow
import zmq
from feed_flow import TURN_EVENTS
from measure import arguments, median, show, spread

from tradsys.client.feed_core import FeedCore
from tradsys.config import Feed as FeedSettings
from tradsys.marketdata.channel import Lines
from tradsys.marketdata.publisher import Publisher

FLOWS: dict[str, int] = {"single": 1_000_000, "multi100": 1_000_000}
CHANNELS = (1, 2, 3, 4, 5)
END = b"\xff\xff end"
RECEIVE_HWM = 10_000
LAG_FRAMES_MAX = 1_000  # half of the venue's send queue
PAUSE_S = 50e-6


def subscribe(pipe: Connection, addresses: list[str], count_only: bool, progress: Synchronized) -> None:
    """The subscriber process: count until the end mark has come on every line, then report.

    `progress` tells the publisher how many frames have been taken.
    """
    context = zmq.Context()
    lines = []
    for address in addresses:
        socket = context.socket(zmq.SUB)
        socket.rcvhwm = RECEIVE_HWM
        socket.subscribe(b"")
        socket.connect(address)
        lines.append(socket)
    pipe.send("connected")
    core = FeedCore(CHANNELS, recovery=False)
    poller = zmq.Poller()
    for socket in lines:
        poller.register(socket, zmq.POLLIN)
    frames = ended = last_ns = 0
    while ended < len(lines):
        idle = True
        for line, socket in enumerate(lines):
            if count_only:
                while socket.poll(0):
                    frames, idle = frames + 1, False
                    ended += socket.recv(copy=False).bytes[:2] == END[:2]
            else:
                taken = core.receive(socket, line, 64, 1)
                idle = idle and not taken
                frames += taken
        progress.value = frames
        if not count_only:
            ended = core.malformed  # the end marks are no frames
        if not idle:
            last_ns = time.monotonic_ns()
        elif ended < len(lines):
            poller.poll()  # as a client waits: spinning would take a processor from the four threads that carry frames
    pipe.send((last_ns, frames - ended, core.statistics()))
    context.destroy(linger=0)


class Wire:
    """PUB sockets and a subscriber process that has joined."""

    def __init__(self, line_count: int, count_only: bool, lines_read: int | None = None) -> None:
        self.context = zmq.Context()
        self.sockets = []
        for _ in range(line_count):
            socket = self.context.socket(zmq.XPUB)
            socket.sndhwm = FeedSettings().send_hwm
            socket.bind("tcp://127.0.0.1:*")
            self.sockets.append(socket)
        self.pipe, far = multiprocessing.Pipe()
        self.read = self.sockets[:lines_read]
        addresses = [socket.get_string(zmq.LAST_ENDPOINT) for socket in self.read]
        spawn = multiprocessing.get_context("spawn")
        self.taken = spawn.Value("q", 0, lock=False)
        self.process = spawn.Process(
            target=subscribe, args=(far, addresses, count_only, self.taken), daemon=True
        )
        self.process.start()
        self.pipe.recv()
        for socket in self.read:
            socket.recv()  # the subscription

    def wait_for_room(self, sent_frames: int) -> None:
        """Wait until the subscriber is at most LAG_FRAMES_MAX frames of all lines behind."""
        patience = time.monotonic() + 60
        while sent_frames - self.taken.value > LAG_FRAMES_MAX:
            if time.monotonic() > patience:
                raise SystemExit("the subscriber takes no more frames: some were lost")
            time.sleep(PAUSE_S)

    def finish(self) -> tuple[int, int, dict]:
        """Send the end mark, wait for the subscriber's report: (time of its last frame, frames, figures)."""
        for socket in self.read:
            socket.send(END)
        if not self.pipe.poll(60):
            raise SystemExit("the subscriber did not get the end mark: frames were lost")
        report = self.pipe.recv()
        self.process.join()
        self.context.destroy(linger=0)
        return report


def alone(flow: feed_flow.FeedFlow) -> float:
    """M updates/s of processor time, without sockets."""
    publisher = flow.publisher()
    before = publisher.l3.next_seq
    start = time.thread_time()
    publisher.publish_events(flow.events, now_ns=2)
    seconds = time.thread_time() - start
    return (publisher.l3.next_seq - before) / seconds / 1e6


def to_reader(
    flow: feed_flow.FeedFlow, line_count: int, lines_read: int | None = None
) -> tuple[float, float, float]:
    """Publish to a subscriber process and wait until it has all.

    Returns
    -------
    tuple
        M/s: updates from the first event to the last message received, messages of all channels likewise, and updates
        a second of the publishing thread's processor time.
    """
    wire = Wire(line_count, count_only=False, lines_read=lines_read)
    live = flow.publisher(Lines(*wire.sockets))
    first = [live.channel(channel).next_seq for channel in CHANNELS]
    time.sleep(0.5)  # the prefill's frames leave
    start_ns, start = time.monotonic_ns(), time.thread_time()
    for at in range(0, len(flow.events), TURN_EVENTS):
        live.publish_events(flow.events[at : at + TURN_EVENTS], now_ns=2)
        wire.wait_for_room(frames_sent(live) * len(wire.read))
    thread_seconds = time.thread_time() - start
    last_ns, _, figures = wire.finish()
    end = [live.channel(channel).next_seq for channel in CHANNELS]
    for channel, expected in zip(CHANNELS, end, strict=True):
        found = figures[channel]
        if found["lost"] or found["next_seq"] not in (expected, 0) or found["pending_bytes"]:
            raise SystemExit(f"channel {channel}: expected to end at {expected}, the subscriber has {found}")
    seconds = (last_ns - start_ns) / 1e9
    updates, messages = end[0] - first[0], sum(b - a for a, b in zip(first, end, strict=True))
    return updates / seconds / 1e6, messages / seconds / 1e6, updates / thread_seconds / 1e6


def frames_sent(publisher: Publisher) -> int:
    """Frames of all channels sent on one line since the publisher was made."""
    return sum(publisher.channel(channel).packets_sent for channel in CHANNELS)


def frames_of(flow: feed_flow.FeedFlow) -> tuple[list[bytes], int]:
    """The frames of all channels of the measured part, and their L3 updates."""
    publisher = flow.publisher(retention_bytes=8 * 48 * len(flow.events) + (64 << 20))
    first = {channel: publisher.channel(channel).next_seq for channel in CHANNELS}
    publisher.publish_events(flow.events, now_ns=2)
    frames = [
        frame
        for channel in CHANNELS
        for frame in publisher.channel(channel).retained_frames()
        if int.from_bytes(frame[32:40], "little") >= first[channel]
    ]
    return frames, publisher.l3.next_seq - first[1]


def bare(frames: list[bytes], updates: int) -> float:
    """M updates/s of the same frames, sent and received and nothing else."""
    wire = Wire(1, count_only=True)
    start_ns = time.monotonic_ns()
    for number, frame in enumerate(frames):
        wire.sockets[0].send(frame)
        if number % 64 == 0:
            wire.wait_for_room(number)
    last_ns, received, _ = wire.finish()
    if received != len(frames):
        raise SystemExit(f"bare libzmq lost frames: {received} of {len(frames)}")
    return updates / ((last_ns - start_ns) / 1e9) / 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, argv, rounds=3, flow=sorted(FLOWS))
    rows, data = [], []
    for name, count in FLOWS.items():
        if options.flow and name not in options.flow:
            continue
        flow = feed_flow.make(name, count // 10 if options.quick else count)
        frames, updates = frames_of(flow)
        rates: dict[str, list[float]] = {
            "publisher alone": [],
            "to a reader, line A": [],
            "the same, processor time of the publishing thread": [],
            "to a reader, A and B": [],
            "A and B, processor time of the publishing thread": [],
            "A and B, a reader of A": [],
            "bare libzmq, line A's frames": [],
        }
        every: list[float] = []
        for _ in range(options.rounds):
            rates["publisher alone"].append(alone(flow))
            one, all_channels, thread = to_reader(flow, 1)
            rates["to a reader, line A"].append(one)
            rates["the same, processor time of the publishing thread"].append(thread)
            every.append(all_channels)
            both, _, thread = to_reader(flow, 2)
            rates["to a reader, A and B"].append(both)
            rates["A and B, processor time of the publishing thread"].append(thread)
            rates["A and B, a reader of A"].append(to_reader(flow, 2, lines_read=1)[0])
            rates["bare libzmq, line A's frames"].append(bare(frames, updates))
        ceiling = median(rates["bare libzmq, line A's frames"])
        rows += [
            (f"{name}: {key}", spread(values), f"{median(values) / ceiling:.2f}")
            for key, values in rates.items()
        ]
        rows.append((f"{name}: all channels' messages, line A", spread(every), ""))
        data.append({"flow": name, "updates": updates, "rates": rates, "messages": every, "lost": 0})
    notes = f"M L3 updates/s, median (range) of {options.rounds} rounds; ratio to bare libzmq; 0 lost"
    show("the feed published", ("flow", "M/s", "ratio"), rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
