"""The recovery door of a replay: gap fills, definitions and snapshots out of the recording's files.

Speaks protocols/market_data.md, section 4. What has not been replayed yet is not given away.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zmq

from tradsys.errors import listen_error
from tradsys.recorder.checkpoint import rebuild
from tradsys.recorder.reader import read
from tradsys.recorder.republish import ChannelMessages, Progress, make_frame
from tradsys.recorder.tables import CHANNEL_TABLES, TABLES, records_of
from tradsys.wire.enums import Channel, RejectReason, Template
from tradsys.wire.records import DTYPES, SCHEMA_ID, SCHEMA_VERSION, empty

_GAP_FILL, _SNAPSHOT = DTYPES[Template.GAP_FILL_REQUEST], DTYPES[Template.SNAPSHOT_REQUEST]
_FRAME_MESSAGES = 512
_POLL_MS = 50


class RecordingServer:
    """Answers requests on a thread of its own.

    Parameters
    ----------
    directory : Path
        The recording.
    address : str
        To bind.
    context : zmq.Context
    progress : Progress
        Of the replay: which stream, and up to where.
    """

    def __init__(self, directory: Path, address: str, context: zmq.Context, progress: Progress):
        self._directory = directory
        self._progress = progress
        self._socket = context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            self._socket.close()
            raise listen_error(address, error.errno, error.strerror) from error
        self.address = self._socket.getsockopt(zmq.LAST_ENDPOINT).decode()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="recording-server")
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            if self._socket.poll(_POLL_MS):
                peer, *parts = self._socket.recv_multipart()
                if len(parts) == 1:
                    for answer in self.answers(parts[0]):
                        self._socket.send_multipart([peer, answer])

    def answers(self, request: bytes) -> Iterator[bytes]:
        """Make the answer to one request, frame by frame."""
        kinds = {int(Template.GAP_FILL_REQUEST): _GAP_FILL, int(Template.SNAPSHOT_REQUEST): _SNAPSHOT}
        dtype = kinds.get(int.from_bytes(request[2:4], "little"))
        if dtype is None:
            yield self._refusal(0, RejectReason.UNKNOWN_TEMPLATE)
        elif len(request) != dtype.itemsize:
            yield self._refusal(0, RejectReason.MALFORMED_FRAME)
        else:
            record = np.frombuffer(request, dtype)[0]
            if (record["schema_id"], record["version"]) != (SCHEMA_ID, SCHEMA_VERSION):
                yield self._refusal(int(record["request_id"]), RejectReason.UNSUPPORTED_VERSION)
            elif dtype is _GAP_FILL:
                yield from self._gap_fill(record)
            else:
                yield from self._snapshot(int(record["request_id"]), int(record["instrument_id"]))

    def _gap_fill(self, record: np.void) -> Iterator[bytes]:
        request_id, channel, first_seq = (
            int(record[name]) for name in ("request_id", "channel", "first_seq")
        )
        stream_id = int(record["stream_id"])
        next_seq = self._progress.next_seq.get(channel, 1)
        last_seq = min(first_seq + int(record["count"]), next_seq) - 1
        if (
            channel not in CHANNEL_TABLES
            or stream_id != self._progress.stream_id
            or not 0 < first_seq <= last_seq
        ):
            yield self._refusal(request_id, RejectReason.NOT_AVAILABLE, next_seq)
            return
        messages = ChannelMessages(self._directory, stream_id, channel, first_seq)
        while first_seq <= last_seq:
            end = min(first_seq + _FRAME_MESSAGES, last_seq + 1)
            runs = messages.take(first_seq, end - 1)
            if [(seq, count) for seq, count, _ in runs] != [(first_seq, end - first_seq)]:
                yield self._refusal(request_id, RejectReason.NOT_AVAILABLE, next_seq)
                return
            yield make_frame(channel, stream_id, first_seq, end - first_seq, runs[0][2])
            first_seq = end

    def _snapshot(self, request_id: int, instrument_id: int) -> Iterator[bytes]:
        stream_id, l3_seq = self._progress.stream_id, self._progress.next_seq.get(int(Channel.L3), 1) - 1
        head = empty(Template.SNAPSHOT_BEGIN, 1)
        if instrument_id == 0:
            body = self._definitions(stream_id)
            head["instrument_count"] = len(body)
            head["status_seq"] = self._progress.next_seq.get(int(Channel.STATUS), 1) - 1
        else:
            rebuilt = rebuild(self._directory, stream_id, l3_seq, instrument_id=instrument_id)
            if not len(rebuilt.heads) or rebuilt.misfits:
                yield self._refusal(request_id, RejectReason.NOT_AVAILABLE, l3_seq + 1)
                return
            head, body = rebuilt.heads[:1].copy(), rebuilt.records(instrument_id)
            head["l2_seq"] = self._progress.next_seq.get(int(Channel.L2), 1) - 1
            head["l1_seq"] = self._progress.next_seq.get(int(Channel.L1), 1) - 1
        head["request_id"], head["stream_id"] = request_id, stream_id
        end = empty(Template.SNAPSHOT_END, 1)
        for name in set(end.dtype.names or ()) & set(head.dtype.names or ()) - {
            "block_length",
            "template_id",
            "pad",
        }:
            end[name] = head[name]
        yield from _snapshot_frames(stream_id, head, body, end)

    def _definitions(self, stream_id: int) -> np.ndarray:
        """Return the newest definition of each instrument."""
        table = TABLES["instruments"]
        newest: dict[int, np.ndarray] = {}
        for batch in read(self._directory, "instruments", stream_id=stream_id):
            records = records_of(table, batch)
            newest.update(
                (int(record["instrument_id"]), records[i : i + 1]) for i, record in enumerate(records)
            )
        parts = [newest[instrument_id] for instrument_id in sorted(newest)]
        return np.concatenate(parts) if parts else np.zeros(0, table.dtype)

    def _refusal(self, request_id: int, reason: RejectReason, next_seq: int = 0) -> bytes:
        refusal = empty(Template.REQUEST_REFUSED, 1)
        refusal["request_id"], refusal["stream_id"] = request_id, self._progress.stream_id
        refusal["next_seq"], refusal["reject_reason"] = next_seq, reason
        return refusal.tobytes()


def _snapshot_frames(stream_id: int, head: np.ndarray, body: np.ndarray, end: np.ndarray) -> Iterator[bytes]:
    seq = 1
    for content, count in (
        (head.tobytes(), 1),
        *(
            (body[start : start + _FRAME_MESSAGES].tobytes(), len(body[start : start + _FRAME_MESSAGES]))
            for start in range(0, len(body), _FRAME_MESSAGES)
        ),
        (end.tobytes(), 1),
    ):
        yield make_frame(int(Channel.SNAPSHOT), stream_id, seq, count, content)
        seq += count
