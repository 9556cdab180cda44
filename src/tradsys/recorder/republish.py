"""A recording on the wire again: the packets as they were, in the order and at the pace they were sent.

`packets` makes the frames, `Republisher` moves them to sockets; `tradsys.recorder.server` answers gap fills and
snapshots from the same files. See protocols/recording.md 6.3.
"""

import heapq
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import zmq

from tradsys.errors import listen_error
from tradsys.recorder.catalog import segments
from tradsys.recorder.reader import RowStream, Selection, read
from tradsys.recorder.tables import CHANNEL_TABLES, Table, records_of
from tradsys.wire.enums import Channel, Template
from tradsys.wire.records import empty

#: order of a turn's packets on the wire (protocols/market_data.md 2.1)
_TURN_ORDER = {
    int(c): i for i, c in enumerate((Channel.STATUS, Channel.L3, Channel.TRADES, Channel.L2, Channel.L1))
}
_PACKET_COLUMNS = ["channel", "first_seq", "message_count", "send_ts_ns", "event_seq"]


@dataclass(frozen=True, order=True)
class Frame:
    """A frame and when it was sent."""

    send_ts_ns: int
    turn_order: int
    first_seq: int
    message_count: int = field(compare=False)
    channel: int = field(compare=False)
    content: bytes = field(compare=False)


def make_frame(
    channel: int,
    stream_id: int,
    first_seq: int,
    message_count: int,
    messages: bytes,
    send_ts_ns: int = 0,
    event_seq: int = 0,
) -> bytes:
    """Make a frame of protocols/market_data.md 1.1 of whole records back to back."""
    head = empty(Template.PACKET, 1)
    head["channel"], head["message_count"] = channel, message_count
    head["packet_bytes"] = head.itemsize + len(messages)
    head["stream_id"], head["first_seq"] = stream_id, first_seq
    head["send_ts_ns"], head["event_seq"] = send_ts_ns, event_seq
    return channel.to_bytes(2, "little") + bytes(6) + head.tobytes() + messages


class ChannelMessages:
    """The recorded messages of one channel and stream by number, whatever tables and groups hold them.

    Memory held: one batch a table and group.
    """

    def __init__(self, directory: Path, stream_id: int, channel: int, first_seq: int | None = None):
        selection = Selection(stream_id=stream_id, first_seq=first_seq if first_seq is not None else 1)
        self._sources = []
        for table in CHANNEL_TABLES[channel]:
            files = segments(directory, table.name)
            for group in sorted({file.group for file in files}):
                mine = [file for file in files if file.group == group]
                self._sources.append(_Source(table, RowStream(table.name, mine, selection)))

    def take(self, first_seq: int, last_seq: int) -> list[tuple[int, int, bytes]]:
        """Return the messages of a range in runs without holes: number of the first, count, records back to back.

        Ranges must ascend from call to call.
        """
        parts = [source.take(first_seq, last_seq) for source in self._sources]
        parts = [(seqs, records) for seqs, records in parts if len(seqs)]
        count = last_seq - first_seq + 1
        if len(parts) == 1 and len(parts[0][0]) == count:
            return [(first_seq, count, parts[0][1].tobytes())]
        singles = [
            (int(seq), records[index : index + 1].tobytes())
            for seqs, records in parts
            for index, seq in enumerate(seqs)
        ]
        runs: list[tuple[int, list[bytes]]] = []
        expected = -1
        for seq, record in sorted(singles):
            if seq != expected:
                runs.append((seq, []))
            runs[-1][1].append(record)
            expected = seq + 1
        return [(seq, len(records), b"".join(records)) for seq, records in runs]


class _Source:
    """Rows of one table and group, taken by number."""

    def __init__(self, table: Table, rows: RowStream):
        self._table = table
        self._batches = iter(rows)
        self._seqs = np.zeros(0, np.uint64)
        self._records = np.zeros(0, table.dtype)

    def take(self, first_seq: int, last_seq: int) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers and records of a range; what is before it is passed over."""
        seqs, records = [], []
        while True:
            start, end = np.searchsorted(self._seqs, [first_seq, last_seq + 1])
            seqs.append(self._seqs[start:end])
            records.append(self._records[start:end])
            self._seqs, self._records = self._seqs[end:], self._records[end:]
            if len(self._seqs) or not self._next():
                break
        return np.concatenate(seqs), np.concatenate(records)

    def _next(self) -> bool:
        batch: pa.RecordBatch | None = next(self._batches, None)
        if batch is None:
            return False
        self._seqs = batch.column("channel_seq").to_numpy()
        self._records = records_of(self._table, batch)
        return True


def packets(directory: Path, stream_id: int) -> Iterator[Frame]:
    """Make the frames of a stream again, in the order they were sent; bounded memory."""
    return heapq.merge(*(_channel_packets(directory, stream_id, channel) for channel in CHANNEL_TABLES))


def _channel_packets(directory: Path, stream_id: int, channel: int) -> Iterator[Frame]:
    messages = ChannelMessages(directory, stream_id, channel)
    sent_ns = 0
    for batch in read(directory, "packets", stream_id=stream_id, columns=_PACKET_COLUMNS):
        mine = batch.filter(pa.array(batch.column("channel").to_numpy() == channel))
        for row in zip(*(mine.column(name).to_pylist() for name in _PACKET_COLUMNS), strict=True):
            _, first_seq, count, send_ts_ns, event_seq = row
            # a packet that was healed later was sent earlier: it keeps its place in its channel
            sent_ns = max(sent_ns, send_ts_ns)
            last_seq = first_seq + count - 1
            runs = messages.take(first_seq, last_seq) if count else [(first_seq, 0, b"")]
            for seq, held, content in runs:
                frame = make_frame(channel, stream_id, seq, held, content, send_ts_ns, event_seq)
                yield Frame(sent_ns, _TURN_ORDER[channel], seq, held, channel, frame)


@dataclass
class Progress:
    """How far a replay is."""

    packets: int = 0
    messages: int = 0
    bytes: int = 0
    stream_id: int = 0
    next_seq: dict[int, int] = field(default_factory=dict)  # by channel, of the stream being sent
    waited_ns: int = 0  # for readers that were behind


class Republisher:
    """Sends frames to one or two lines; a full queue waits, so nothing is dropped here.

    Parameters
    ----------
    lines : list of str
        Addresses to bind, of line A and, if there is one, B.
    context : zmq.Context
    send_hwm : int
        Frames queued for each reader.
    """

    def __init__(self, lines: list[str], context: zmq.Context, send_hwm: int = 1000):
        self.progress = Progress()
        self._sockets = []
        for address in lines:
            socket = context.socket(zmq.XPUB)
            socket.setsockopt(zmq.XPUB_NODROP, 1)
            socket.setsockopt(zmq.XPUB_VERBOSE, 1)
            socket.setsockopt(zmq.SNDHWM, send_hwm)
            socket.setsockopt(zmq.SNDTIMEO, 100)
            socket.setsockopt(zmq.LINGER, 5000)
            self._sockets.append(socket)
            try:
                socket.bind(address)
            except zmq.ZMQError as error:
                self.close()
                raise listen_error(address, error.errno, error.strerror) from error

    @property
    def addresses(self) -> list[str]:
        """Where the lines are bound."""
        return [socket.getsockopt(zmq.LAST_ENDPOINT).decode() for socket in self._sockets]

    def wait_for_readers(self, stop: Callable[[], bool]) -> None:
        """Wait until every line has a reader and no more subscriptions come for a tenth of a second."""
        for socket in self._sockets:
            while not socket.poll(100) and not stop():
                pass
            while socket.poll(100) and not stop():
                socket.recv()

    def run(
        self,
        directory: Path,
        stream_ids: list[int],
        speed: float,
        stop: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Progress:
        """Send streams one after the other.

        Parameters
        ----------
        directory : Path
            The recording.
        stream_ids : list of int
        speed : float
            1 is the pace of the recording, 10 ten times that, 0 as fast as the readers take it.
        stop : callable
            Asked before each frame and at least ten times a second.
        on_progress : callable, optional
            Called after each frame.
        """
        for stream_id in stream_ids:
            self.progress.stream_id, self.progress.next_seq = stream_id, {}
            pace = _Pace(speed)
            for frame in packets(directory, stream_id):
                if not pace.wait(frame.send_ts_ns, stop):
                    return self.progress
                # before it is sent: whoever has it may ask for what was before it
                self.progress.next_seq[frame.channel] = frame.first_seq + frame.message_count
                if not self._send(frame.content, stop):
                    return self.progress
                self.progress.packets += 1
                self.progress.messages += frame.message_count
                self.progress.bytes += len(frame.content)
                if on_progress is not None:
                    on_progress(self.progress)
            # so that a reader sees whether it has everything
            for channel, next_seq in self.progress.next_seq.items():
                self._send(make_frame(channel, stream_id, next_seq, 0, b""), stop)
        return self.progress

    def close(self) -> None:
        """Close the lines; what is queued is given five seconds."""
        for socket in self._sockets:
            socket.close()

    def _send(self, content: bytes, stop: Callable[[], bool]) -> bool:
        for socket in self._sockets:
            began = None
            while not stop():
                try:
                    socket.send(content)
                    break
                except zmq.Again:
                    began = began or time.perf_counter_ns()
            else:
                return False
            if began is not None:
                self.progress.waited_ns += time.perf_counter_ns() - began
        return True


class _Pace:
    """Waits until a frame's time has come, counted from the first frame's."""

    def __init__(self, speed: float):
        self._speed = speed
        self._first_ns: int | None = None
        self._began_ns = time.monotonic_ns()

    def wait(self, send_ts_ns: int, stop: Callable[[], bool]) -> bool:
        """Return whether to go on."""
        if self._first_ns is None:
            self._first_ns = send_ts_ns
        while self._speed and not stop():
            due_ns = self._began_ns + int((send_ts_ns - self._first_ns) / self._speed)
            left_ns = due_ns - time.monotonic_ns()
            if left_ns <= 0:
                break
            time.sleep(min(left_ns / 1e9, 0.1))
        return not stop()
