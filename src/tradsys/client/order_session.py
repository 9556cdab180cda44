"""A client's side of an order session, without sockets or clocks (protocols/order_entry.md).

`OrderSession` numbers commands, keeps those the venue has not answered, makes and reads frames, and notices missing
reports. `OrderClient` and `AsyncOrderClient` move its bytes.
"""

import hashlib
import hmac
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import numpy as np

from tradsys.errors import SessionError
from tradsys.wire import records
from tradsys.wire.enums import CloseReason, Liquidity, RejectReason, ReportType, Template

SIGNATURE_BYTES = 32
FRAME_BYTES = records.FRAME.itemsize
RESUME_NEWEST = 2**32 - 1  # last_report_seq of a logon that wants none of the past
SILENT_INTERVALS = 3
CLIENT_SEQ_MAX = 2**32 - 2


class LogonRefusedError(SessionError):
    """The venue did not open the session; ``reason`` and ``text`` say why."""

    def __init__(self, reason: RejectReason, text: str) -> None:
        super().__init__(f"logon refused with {reason.name}: {text}")
        self.reason = reason
        self.text = text


class LoggedOutError(SessionError):
    """The venue closed the session; ``reason`` and ``text`` say why."""

    def __init__(self, reason: CloseReason, text: str) -> None:
        super().__init__(f"session closed with {reason.name}: {text}")
        self.reason = reason
        self.text = text


class FrameRefusedError(SessionError):
    """The venue could not use a frame of ours; ``reason`` and ``text`` say why."""

    def __init__(self, reason: RejectReason, text: str) -> None:
        super().__init__(f"frame refused with {reason.name}: {text}")
        self.reason = reason
        self.text = text


class State(Enum):
    """Where the session stands."""

    OFFLINE = auto()
    LOGGING_ON = auto()
    ONLINE = auto()


@dataclass(frozen=True, slots=True)
class Report:
    """One ExecutionReport for people: enums instead of numbers. Fields as in protocols/tradsys.xml."""

    report_seq: int
    report_type: ReportType
    client_seq: int
    client_ref: int
    orig_client_ref: int
    order_id: int
    instrument_id: int
    account_id: int
    side: int
    price_ticks: int
    qty_lots: int
    leaves_lots: int
    reject_reason: RejectReason
    cancel_reason: int
    liquidity: Liquidity
    refused_template: int
    event_seq: int
    ts_ns: int
    resent: bool

    @classmethod
    def of(cls, record: np.void) -> "Report":
        """Read one element of an EXECUTION_REPORT array."""
        number: dict[str, Any] = {name: int(record[name]) for name in cls.__slots__}
        number["report_type"] = ReportType(number["report_type"])
        number["reject_reason"] = RejectReason(number["reject_reason"])
        number["liquidity"] = Liquidity(number["liquidity"])
        number["resent"] = bool(number["resent"])
        return cls(**number)


@dataclass(slots=True)
class Chunk:
    """Commands of one size that have their numbers and are not known to be executed."""

    first_seq: int
    data: np.ndarray  # contiguous, one element a record
    per_frame: int

    @property
    def last_seq(self) -> int:
        """client_seq of the last record."""
        return self.first_seq + len(self.data) - 1


class OrderSession:
    """State of one session at the client.

    Reports come out once each, in the order of report_seq. A command is kept until a report with its client_seq or a
    later one has come, or the venue says at a logon that it has executed it.

    Parameters
    ----------
    api_key : str
    secret : bytes
    heartbeat_ms : int
        Interval both sides keep, 100 .. 60000.
    cancel_on_disconnect : bool
        Whether the venue cancels the session's orders when it is closed, whatever the cause.
    reset_client_seq : bool
        Begin with client_seq 1 at the first logon.
    last_report_seq : int, optional
        Newest report already known; the later ones are resent. None: none of the past is wanted.
    unacknowledged_max : int
        Commands that may be without answer.
    """

    def __init__(
        self,
        api_key: str,
        secret: bytes,
        *,
        heartbeat_ms: int = 5_000,
        cancel_on_disconnect: bool = True,
        reset_client_seq: bool = False,
        last_report_seq: int | None = None,
        unacknowledged_max: int = 1 << 20,
    ) -> None:
        self.state = State.OFFLINE
        self.session_id = 0
        self.participant_id = 0
        self.next_client_seq = 1
        self.acknowledged_seq = 0
        self.last_report_seq = last_report_seq
        self.heartbeat_ms = heartbeat_ms
        self.frame_messages_max = 1
        self.throttle_messages = 0
        self.throttle_window_ms = 0
        self.unacknowledged_max = unacknowledged_max
        self.unacknowledged: deque[Chunk] = deque()
        self.replies: deque[bytes] = deque()  # frames the other side is waiting for
        self.answers_after = 0
        self._api_key = api_key
        self._secret = secret
        self._cancel_on_disconnect = cancel_on_disconnect
        self._reset_client_seq = reset_client_seq
        self._resend_asked = 0

    # ------------------------------------------------------------------ what to send

    def logon(self, wall_ns: int, nonce: int) -> bytes:
        """Make the logon frame; commands may be sent when the answer has made the session ONLINE."""
        self.state = State.LOGGING_ON
        self._resend_asked = 0
        self.replies.clear()
        record = sign_logon(
            self._api_key,
            self._secret,
            wall_ns,
            nonce,
            last_report_seq=RESUME_NEWEST if self.last_report_seq is None else self.last_report_seq,
            heartbeat_ms=self.heartbeat_ms,
            reset_client_seq=self._reset_client_seq,
            cancel_on_disconnect=self._cancel_on_disconnect,
        )
        return frame_of(record)

    def logout(self) -> bytes:
        """Make the logout frame; the venue answers LoggedOut."""
        return frame_of(records.empty(Template.LOGOUT).tobytes())

    def heartbeat(self, wall_ns: int) -> bytes:
        """Make a heartbeat frame."""
        beat = records.empty(Template.HEARTBEAT)
        beat["ts_ns"] = wall_ns
        beat["next_seq"] = self.next_client_seq
        return frame_of(beat.tobytes())

    def number(self, commands: np.ndarray, per_frame: int | None = None) -> Chunk:
        """Give commands their numbers and keep them until they are answered.

        Parameters
        ----------
        commands : np.ndarray
            Structured, one-dimensional: records of one template, or of several of the same size viewed as one.
            Copied.
        per_frame : int, optional
            Records in a frame; as many as the venue takes when not given.

        Raises
        ------
        SessionError
            There are more unanswered commands than unacknowledged_max allows.
        """
        if self.room < len(commands):
            raise SessionError(
                f"{len(commands)} commands, room for {self.room}: {self.unacknowledged_max} may be without answer"
            )
        if self.next_client_seq + len(commands) > CLIENT_SEQ_MAX:
            raise SessionError("client_seq is used up; log on anew with reset_client_seq")
        data = np.ascontiguousarray(commands).copy().reshape(-1)
        door_fields = data.view(np.uint8).reshape(len(data), data.dtype.itemsize)[:, 8:32]
        door_fields[:] = 0
        per_frame = min(per_frame or self.frame_messages_max, self.frame_messages_max)
        chunk = Chunk(self.next_client_seq, data, per_frame)
        self.unacknowledged.append(chunk)
        self.next_client_seq += len(data)
        return chunk

    @property
    def room(self) -> int:
        """Commands that may still be numbered before an answer must come."""
        return self.unacknowledged_max - (self.next_client_seq - 1 - self.acknowledged_seq)

    def withdraw(self, chunk: Chunk) -> None:
        """Take back the newest chunk, of which nothing has been sent."""
        if not self.unacknowledged or self.unacknowledged[-1] is not chunk:
            raise ValueError("only the newest chunk can be withdrawn")
        self.unacknowledged.pop()
        self.next_client_seq = chunk.first_seq

    # ------------------------------------------------------------------ what came in

    def receive(self, frame: bytes) -> np.ndarray:
        """Use one frame of the venue.

        Parameters
        ----------
        frame : bytes

        Returns
        -------
        np.ndarray, dtype EXECUTION_REPORT
            Reports that come next, read-only and borrowed from `frame`; empty for every other frame. Frames to be
            sent in turn are in `replies`.

        Raises
        ------
        LogonRefusedError, LoggedOutError, FrameRefusedError
        SessionError
            The frame is not in the form the protocol says.
        """
        template, body = open_frame(frame)
        if template == Template.EXECUTION_REPORT:
            return self._take_reports(np.frombuffer(body, records.EXECUTION_REPORT))
        message = np.frombuffer(body, records.DTYPES[template])[0]
        if template == Template.HEARTBEAT:
            self.note_gap(int(message["next_seq"]))
        elif template == Template.LOGON_ACCEPTED:
            self._logged_on(message)
        elif template == Template.LOGON_REFUSED:
            self.state = State.OFFLINE
            raise LogonRefusedError(RejectReason(int(message["reject_reason"])), text_of(message))
        elif template == Template.LOGGED_OUT:
            self.state = State.OFFLINE
            raise LoggedOutError(CloseReason(int(message["close_reason"])), text_of(message))
        else:
            self._frame_refused(message)
        return np.empty(0, records.EXECUTION_REPORT)

    def note_gap(self, next_report_seq: int) -> None:
        """The venue's next report is this one: ask for those between, unless they have been asked for."""
        missing = (self.last_report_seq or 0) + 1
        if next_report_seq > missing and self._resend_asked != missing and self.state is State.ONLINE:
            request = records.empty(Template.RESEND_REQUEST)
            request["first_report_seq"] = missing
            self.replies.append(frame_of(request.tobytes()))
            self._resend_asked = missing

    def note_progress(self, last_report_seq: int, last_client_seq: int) -> None:
        """Reports up to this one have been taken, and they answer commands up to that one."""
        self.last_report_seq = last_report_seq
        self.acknowledged_seq = max(self.acknowledged_seq, last_client_seq)
        while self.unacknowledged and self.unacknowledged[0].last_seq <= self.acknowledged_seq:
            self.unacknowledged.popleft()

    def _take_reports(self, reports: np.ndarray) -> np.ndarray:
        expected = (self.last_report_seq or 0) + 1
        numbers = reports["report_seq"]
        first, last = int(numbers[0]), int(numbers[-1])
        if last - first + 1 != len(reports):
            raise SessionError(f"a frame's reports must be numbered without gaps, were {first} .. {last}")
        if last < expected:
            return reports[:0]
        if first > expected:
            self.note_gap(first)
            return reports[:0]
        taken = reports[expected - first :]
        answering = taken[taken["report_seq"] > self.answers_after]
        self.note_progress(last, int(answering["client_seq"].max(initial=0)))
        return taken

    def _logged_on(self, accepted: np.void) -> None:
        next_client_seq = int(accepted["next_client_seq"])
        self.session_id = int(accepted["session_id"])
        self.participant_id = int(accepted["participant_id"])
        self.frame_messages_max = int(accepted["frame_messages_max"])
        self.heartbeat_ms = int(accepted["heartbeat_ms"])
        self.throttle_messages = int(accepted["throttle_messages"])
        self.throttle_window_ms = int(accepted["throttle_window_ms"])
        self.answers_after = int(accepted["last_report_seq"])
        if self.last_report_seq is None:
            self.last_report_seq = self.answers_after
        self._reset_client_seq = False
        if next_client_seq <= self.acknowledged_seq:
            raise SessionError(
                f"the venue expects client_seq {next_client_seq} next, but has answered {self.acknowledged_seq}"
            )
        self.note_progress(self.last_report_seq, next_client_seq - 1)
        self.next_client_seq = max(self.next_client_seq, next_client_seq)
        self.state = State.ONLINE

    def _frame_refused(self, refused: np.void) -> None:
        reason = RejectReason(int(refused["reject_reason"]))
        if reason is RejectReason.NOT_LOGGED_ON:
            # libzmq lost the connection and made it anew: log on again; while logging on it is old news
            if self.state is State.ONLINE:
                self.state = State.OFFLINE
            return
        raise FrameRefusedError(reason, text_of(refused))


def sign_logon(
    api_key: str,
    secret: bytes,
    ts_ns: int,
    nonce: int,
    *,
    last_report_seq: int = 0,
    heartbeat_ms: int = 1_000,
    reset_client_seq: bool = False,
    cancel_on_disconnect: bool = False,
) -> bytes:
    """Make a signed Logon record.

    Parameters
    ----------
    api_key : str
        At most 32 ASCII characters.
    secret : bytes
    ts_ns : int
        Wall clock, ns since the epoch.
    nonce : int
        64 bits, random.
    last_report_seq : int
        Newest report the client has; RESUME_NEWEST: it wants none of the past.
    heartbeat_ms : int
        100 .. 60000.
    reset_client_seq, cancel_on_disconnect : bool

    Returns
    -------
    bytes
        The record, header and signature included.
    """
    logon = records.empty(Template.LOGON)
    logon["api_key"] = api_key.encode("ascii")
    logon["ts_ns"] = ts_ns
    logon["nonce"] = nonce
    logon["last_report_seq"] = last_report_seq
    logon["heartbeat_ms"] = heartbeat_ms
    logon["reset_client_seq"] = reset_client_seq
    logon["cancel_on_disconnect"] = cancel_on_disconnect
    head = logon.tobytes()[:-SIGNATURE_BYTES]
    return head + hmac.new(secret, head, hashlib.sha256).digest()


def frame_of(body: bytes, first_seq: int = 0, count: int = 1) -> bytes:
    """Put records into a frame."""
    head = records.empty(Template.FRAME)
    head["first_seq"] = first_seq
    head["message_count"] = count
    head["frame_bytes"] = FRAME_BYTES + len(body)
    return head.tobytes() + body


def frames_of(chunk: Chunk, after_seq: int = 0) -> Iterator[bytes]:
    """Frames of a chunk's commands; the frames wholly at or below `after_seq` are left out."""
    for begin in range(0, len(chunk.data), chunk.per_frame):
        part = chunk.data[begin : begin + chunk.per_frame]
        if chunk.first_seq + begin + len(part) - 1 > after_seq:
            yield frame_of(part.tobytes(), chunk.first_seq + begin, len(part))


def open_frame(frame: bytes) -> tuple[int, memoryview]:
    """Check a frame of the venue; the template of its records (all the same) and their bytes.

    Raises
    ------
    SessionError
        It is not well formed, or holds what a venue does not send.
    """
    if len(frame) < FRAME_BYTES + records.HEADER_BYTES:
        raise SessionError(
            f"a frame must have at least {FRAME_BYTES + records.HEADER_BYTES} bytes, had {len(frame)}"
        )
    head = np.frombuffer(frame, records.FRAME, count=1)[0]
    if (head["schema_id"], head["version"]) != (records.SCHEMA_ID, records.SCHEMA_VERSION):
        raise SessionError(f"schema {head['schema_id']} version {head['version']} is not spoken here")
    body = memoryview(frame)[FRAME_BYTES:]
    template = int.from_bytes(body[2:4], "little")
    count, size = int(head["message_count"]), int(head["frame_bytes"])
    if head["template_id"] != Template.FRAME or size != len(frame) or count < 1:
        raise SessionError(f"a frame of {len(frame)} bytes says it has {size} bytes and {count} records")
    if template not in FROM_VENUE or (count > 1 and template != Template.EXECUTION_REPORT):
        raise SessionError(f"a venue does not send {count} records of template {template} in a frame")
    dtype = records.DTYPES[template]
    if len(body) != count * dtype.itemsize:
        raise SessionError(f"{count} records of template {template} have not {len(body)} bytes")
    headers = np.frombuffer(body, np.uint8).reshape(count, dtype.itemsize)[:, : records.HEADER_BYTES]
    if (headers != np.frombuffer(records.empty(template).tobytes()[: records.HEADER_BYTES], np.uint8)).any():
        raise SessionError(f"a record's header is not that of template {template}")
    return template, body


def text_of(message: np.void) -> str:
    """The sentence in a refusal."""
    return bytes(message["text"]).decode("ascii", "replace")


FROM_VENUE = frozenset(
    (
        Template.EXECUTION_REPORT,
        Template.HEARTBEAT,
        Template.LOGON_ACCEPTED,
        Template.LOGON_REFUSED,
        Template.LOGGED_OUT,
        Template.FRAME_REFUSED,
    )
)
