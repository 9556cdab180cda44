"""The recorder's sockets: two lines in, requests out, and a book for every instrument."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import zmq

from tradsys.recorder.books_asked import Answer, BooksAsked
from tradsys.recorder.recorder import Recorder
from tradsys.wire.enums import Channel, Template
from tradsys.wire.records import DTYPES

_LINE_A, _LINE_B, _RECOVERY = 0, 1, 2
_FRAMES_A_TURN = 256
_POLL_MS = 20
_HOUSEKEEPING_NS = 10_000_000
_REFUSED = DTYPES[Template.REQUEST_REFUSED]


@dataclass(frozen=True)
class Addresses:
    """Where the feed is; an empty one is not used."""

    line_a: str
    line_b: str = ""
    recovery: str = ""


class FeedSession:
    """Moves frames from the feed to a recorder until told to stop. Everything on one thread.

    Parameters
    ----------
    recorder : Recorder
        Owned by the caller, who closes it.
    addresses : Addresses
    context : zmq.Context, optional
        Shared with others, e.g. for inproc; one of its own if not given.
    receive_hwm : int
        Frames that each socket keeps while the recorder is busy; beyond that the feed drops for it.
    """

    def __init__(
        self,
        recorder: Recorder,
        addresses: Addresses,
        context: zmq.Context | None = None,
        receive_hwm: int = 4096,
    ):
        self.recorder = recorder
        self.books = BooksAsked()
        self._context = context or zmq.Context()
        self._owns_context = context is None
        self._hwm = receive_hwm
        self._lines = [
            (line, self._open(zmq.SUB, address))
            for line, address in ((_LINE_A, addresses.line_a), (_LINE_B, addresses.line_b))
            if address
        ]
        self._recovery = self._open(zmq.DEALER, addresses.recovery) if addresses.recovery else None
        self._poller = zmq.Poller()
        for _, socket in self._lines:
            self._poller.register(socket, zmq.POLLIN)
        if self._recovery is not None:
            self._poller.register(self._recovery, zmq.POLLIN)
        self._housekeeping_ns = 0
        self._stream_id = 0
        self._gaps_lost = 0
        self._status_messages = 0

    def _open(self, kind: int, address: str) -> zmq.Socket:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, self._hwm)
        if kind == zmq.SUB:
            for channel in (Channel.L3, Channel.L2, Channel.L1, Channel.TRADES, Channel.STATUS):
                socket.setsockopt(zmq.SUBSCRIBE, int(channel).to_bytes(2, "little"))
        socket.connect(address)
        return socket

    def run(self, stop: Callable[[], bool], on_turn: Callable[[], Any] | None = None) -> None:
        """Record until `stop` says so; then take what has arrived already.

        Parameters
        ----------
        stop : callable
            Asked once a turn, at least every 20 ms.
        on_turn : callable, optional
            Called after each turn, e.g. to show figures.

        Raises
        ------
        RecordingError
            Writing has failed.
        """
        while not stop():
            self.turn(_POLL_MS)
            if on_turn is not None:
                on_turn()
        while self._receive():
            pass

    def turn(self, timeout_ms: int) -> int:
        """Wait for frames at most `timeout_ms`, take some, do what is due; return the frames taken."""
        taken = self._receive()
        if not taken:
            self._poller.poll(timeout_ms)
            taken = self._receive()
        now_ns = time.monotonic_ns()
        if now_ns - self._housekeeping_ns >= _HOUSEKEEPING_NS:
            self._housekeeping_ns = now_ns
            self._housekeeping(now_ns)
        return taken

    def close(self) -> None:
        """Close the sockets."""
        for _, socket in self._lines:
            socket.close()
        if self._recovery is not None:
            self._recovery.close()
        if self._owns_context:
            self._context.term()

    def _receive(self) -> int:
        """Take what the sockets hold, the lines in turns."""
        taken = 0
        for line, socket in self._lines:
            taken += self.recorder.collector.receive(int(socket.underlying), line, _FRAMES_A_TURN)
        if self._recovery is not None:
            for _ in range(_FRAMES_A_TURN):
                try:
                    parts = self._recovery.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                taken += 1
                self._answer(parts[-1])
        return taken

    def _housekeeping(self, now_ns: int) -> None:
        requests = self.recorder.on_time()
        self._watch_books()
        self._send(requests)
        self._ask_for_books(now_ns)

    def _ask_for_books(self, now_ns: int) -> None:
        """Ask for the next book, once it is known from where on L3 is recorded."""
        if self.recorder.collector.next_seq(Channel.L3):
            self._send(self.books.due(now_ns))

    def _send(self, requests: list[bytes]) -> None:
        if self._recovery is None:
            return
        for request in requests:
            try:
                self._recovery.send(request, zmq.NOBLOCK)
            except zmq.Again:
                # the door is away: what is asked for is asked for again
                return

    def _watch_books(self) -> None:
        """Ask for books when a stream has begun, when L3 messages were lost, and for instruments that are new."""
        recorder = self.recorder
        status_messages = recorder.collector.totals(Channel.STATUS)[3]
        if recorder.stream_id != self._stream_id or recorder.gaps_lost != self._gaps_lost:
            self._stream_id, self._gaps_lost = recorder.stream_id, recorder.gaps_lost
            self._status_messages = status_messages
            self.books.begin()
        elif status_messages != self._status_messages:
            self._status_messages = status_messages
            self.books.look_for_more()

    def _answer(self, message: bytes) -> None:
        if len(message) == _REFUSED.itemsize and message[2:4] == int(Template.REQUEST_REFUSED).to_bytes(
            2, "little"
        ):
            self.recorder.refused(message)
            self.books.refused(int(np.frombuffer(message, _REFUSED)["request_id"][0]))
        elif message[:2] == int(Channel.SNAPSHOT).to_bytes(2, "little"):
            answer = self.books.take(message)
            if answer is not None:
                self._record(answer)
                self._ask_for_books(time.monotonic_ns())
        else:
            self.recorder.packet(message, line=_RECOVERY)

    def _record(self, answer: Answer) -> None:
        instrument_id = int(answer.head["instrument_id"][0])
        stream_id, l3_seq = int(answer.head["stream_id"][0]), int(answer.head["l3_seq"][0])
        if stream_id != self.recorder.stream_id:
            return
        if not instrument_id:
            self.recorder.definitions(stream_id, answer.records)
        elif l3_seq + 1 < (self.recorder.collector.totals(Channel.L3)[0] or 0):
            self.books.again(instrument_id)
        else:
            self.recorder.snapshot(answer.head, answer.records)
