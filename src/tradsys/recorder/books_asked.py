"""Which books the recorder still has to ask for, and the answers put together; without sockets and clocks.

See protocols/recording.md 4.1 and protocols/market_data.md 4.3, 4.4.
"""

from dataclasses import dataclass, field

import numpy as np

from tradsys.wire.enums import Template
from tradsys.wire.records import DTYPES, empty

_HEAD_BYTES = 56
_RETRY_NS = 2_000_000_000
_BEGIN, _END = DTYPES[Template.SNAPSHOT_BEGIN], DTYPES[Template.SNAPSHOT_END]
_BODY = {int(Template.MD_ORDER_ADD), int(Template.MD_INSTRUMENT)}


@dataclass
class Answer:
    """A snapshot as it comes in, frame by frame."""

    head: np.ndarray  # shape (1,), SnapshotBegin
    parts: list[np.ndarray] = field(default_factory=list)  # MdOrderAdd, or MdInstrument
    complete: bool = False

    @property
    def records(self) -> np.ndarray:
        """Everything between begin and end."""
        template = Template.MD_ORDER_ADD if self.head["instrument_id"][0] else Template.MD_INSTRUMENT
        return np.concatenate(self.parts) if self.parts else np.zeros(0, DTYPES[template])


class BooksAsked:
    """Asks for the definitions, then for each instrument's book, one request at a time.

    Request ids have the upper bit set, so they never meet those of gap fills.
    """

    def __init__(self) -> None:
        self._request_id = 1 << 63
        self._known: set[int] = set()
        self._wanted: list[int] = []  # 0 asks for the definitions
        self._asked_ns: int | None = None
        self._answer: Answer | None = None

    @property
    def waiting(self) -> int:
        """Answers still to come."""
        return len(self._wanted)

    def begin(self) -> None:
        """Forget everything and ask for all: a stream has begun, or L3 messages were lost."""
        self._known.clear()
        self._wanted = [0]
        self._asked_ns = self._answer = None

    def look_for_more(self) -> None:
        """Ask for the definitions, to find instruments that are not known yet."""
        if 0 not in self._wanted:
            self._wanted.append(0)

    def due(self, now_ns: int) -> list[bytes]:
        """Return the request to send now, if any.

        Parameters
        ----------
        now_ns : int
            Of a clock that does not step back.
        """
        if not self._wanted or (self._asked_ns is not None and now_ns - self._asked_ns < _RETRY_NS):
            return []
        self._request_id += 1
        self._asked_ns, self._answer = now_ns, None
        request = empty(Template.SNAPSHOT_REQUEST, 1)
        request["request_id"], request["instrument_id"] = self._request_id, self._wanted[0]
        return [request.tobytes()]

    def take(self, frame: bytes) -> Answer | None:
        """Take a frame of channel SNAPSHOT from the recovery door; return the answer when it is complete."""
        messages = np.frombuffer(frame, np.uint8, offset=_HEAD_BYTES)
        while len(messages):
            size = int(messages[:2].view("<u2")[0]) + 8
            template = int(messages[2:4].view("<u2")[0])
            if template == Template.SNAPSHOT_BEGIN:
                head = messages[:size].view(_BEGIN).copy()
                self._answer = Answer(head) if head["request_id"][0] == self._request_id else None
            elif template == Template.SNAPSHOT_END:
                return self._finish()
            elif template in _BODY and self._answer is not None:
                size = self._take_body(messages, template, size)
            messages = messages[size:]
        return None

    def _take_body(self, messages: np.ndarray, template: int, size: int) -> int:
        """Keep the records up to the end marker or the end of the frame; return their size [bytes]."""
        assert self._answer is not None, "a body follows a begin"
        count = len(messages) // size
        body = messages[: count * size].reshape(count, size)
        other = (body[:, 2:4].copy().view("<u2")[:, 0] != template).nonzero()[0]
        count = int(other[0]) if len(other) else count
        self._answer.parts.append(messages[: count * size].view(DTYPES[template]).copy())
        return count * size

    def _finish(self) -> Answer | None:
        answer, self._answer = self._answer, None
        if answer is None or not self._wanted:
            return None
        counted = "order_count" if answer.head["instrument_id"][0] else "instrument_count"
        if len(answer.records) != int(answer.head[counted][0]):
            return None
        self._wanted.pop(0)
        self._asked_ns = None
        if not answer.head["instrument_id"][0]:
            found = [int(instrument) for instrument in answer.records["instrument_id"]]
            self._wanted += [instrument for instrument in found if instrument not in self._known]
            self._known.update(found)
        answer.complete = True
        return answer

    def again(self, instrument_id: int) -> None:
        """Ask for a book once more, after the others: the answer was older than the first message recorded."""
        self._wanted.append(instrument_id)

    def refused(self, request_id: int) -> None:
        """Take a refusal: the book asked for is left out (its instrument is gone), the rest goes on."""
        if request_id == self._request_id and self._wanted:
            self._wanted.pop(0)
            self._asked_ns = None
