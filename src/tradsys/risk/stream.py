"""The frames of the risk stream (protocols/risk_stream.md): numbered at the one end, put together again at the other.

No sockets: ``Publication`` makes frames and keeps the newest of each topic for snapshots; ``Subscription`` takes frames and
snapshots, in any order and with any of them lost, and says whether what it knows is whole.
"""

from typing import Any

import msgspec

from tradsys.errors import InputError

ACCOUNT, PARTICIPANT, ALERT, STATUS = "risk.account.", "risk.participant.", "risk.alert.", "risk.status"
REQUEST_BYTES_MAX = 4096

_encode = msgspec.json.Encoder().encode


class Snapshot(msgspec.Struct, frozen=True):
    """The newest body of every topic asked for, as of ``seq``."""

    stream_id: str
    seq: int
    ts_us: int
    topics: tuple[dict[str, Any], ...]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a subscriber asks for: topics that begin so."""

    topic: str = ""


class Publication:
    """Numbers frames and keeps the newest of each topic.

    Invariant: ``seq`` is the sum of the frames of all topics.

    Parameters
    ----------
    stream_id : str
        16 hex digits, another one at each start.
    """

    def __init__(self, stream_id: str) -> None:
        self.stream_id = stream_id
        self.seq = 0
        self._newest: dict[str, msgspec.Raw] = {}
        self._counts: dict[str, int] = {}  # frames of each topic

    def frame(self, topic: str, fields: dict[str, Any], ts_us: int) -> tuple[bytes, bytes]:
        """Make the next frame: its two parts."""
        self.seq += 1
        self._counts[topic] = self._counts.get(topic, 0) + 1
        head = {
            "stream_id": self.stream_id,
            "seq": self.seq,
            "topic_seq": self._counts[topic],
            "ts_us": ts_us,
            "topic": topic,
        }
        body = _encode({**head, **fields})
        self._newest[topic] = msgspec.Raw(body)
        return topic.encode(), body

    def answer(self, request: bytes, ts_us: int) -> bytes:
        """Answer a request for a snapshot, or say what is wrong with it."""
        if len(request) > REQUEST_BYTES_MAX:
            return _encode(
                {"error": f"a request has at most {REQUEST_BYTES_MAX} bytes, this one {len(request)}"}
            )
        try:
            asked = msgspec.json.decode(request, type=Request)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return _encode({"error": f'a request is like {{"topic": "risk."}}: {error}'})
        topics = [body for topic, body in self._newest.items() if topic.startswith(asked.topic)]
        return _encode({"stream_id": self.stream_id, "seq": self.seq, "ts_us": ts_us, "topics": topics})


class Subscription:
    """What a subscriber knows: the newest body of every topic.

    Invariant: while ``is_whole``, ``bodies`` is what the publisher had at ``seq``.

    Parameters
    ----------
    prefix : str
        Topics followed. Gaps are told by the number over all topics, so with a prefix only a start asks for a snapshot.
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.stream_id = ""
        self.seq = 0  # newest frame known of
        self.bodies: dict[str, dict[str, Any]] = {}
        self.gaps = 0
        self.restarts = 0
        self._snapshot_seq = 0  # of the newest snapshot taken; 0: none
        self._missing_seq = 0  # newest frame known to be missing

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self._snapshot_seq > 0 and self._snapshot_seq >= self._missing_seq

    def take(self, topic: bytes, body: bytes) -> dict[str, Any] | None:
        """Take a frame; its body where it is new and of a topic followed.

        Raises
        ------
        InputError
            It is no frame of a risk stream.
        """
        try:
            fields = msgspec.json.decode(body)
            seq, stream_id, name = int(fields["seq"]), str(fields["stream_id"]), str(fields["topic"])
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"not a frame of a risk stream: {error}") from None
        if name.encode() != topic:
            raise InputError(f"a frame of the topic {topic!r} says it is of {name!r}")
        if stream_id != self.stream_id:
            self._restart(stream_id)
        if seq > self.seq + 1 and not self.prefix:
            self._missing_seq = seq - 1
            self.gaps += self._snapshot_seq > 0
        self.seq = max(self.seq, seq)
        before = self.bodies.get(name)
        if not name.startswith(self.prefix) or (before is not None and before["seq"] >= seq):
            return None
        self.bodies[name] = fields
        return fields

    def take_snapshot(self, answer: bytes) -> list[dict[str, Any]]:
        """Take an answer of the publisher; the bodies that are newer than what was known.

        Raises
        ------
        InputError
            It is a refusal, or no snapshot.
        """
        try:
            fields = msgspec.json.decode(answer)
            if isinstance(fields, dict) and "error" in fields:
                raise InputError(f"the snapshot was refused: {fields['error']}")
            snapshot = msgspec.convert(fields, Snapshot)
            bodies = {str(body["topic"]): body for body in snapshot.topics}
            seqs = {topic: int(body["seq"]) for topic, body in bodies.items()}
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise (
                error
                if isinstance(error, InputError)
                else InputError(f"not a snapshot of a risk stream: {error}")
            ) from None
        if snapshot.stream_id != self.stream_id:
            if self._snapshot_seq or self.bodies:
                return []  # of before a restart; it is asked for again
            self._restart(snapshot.stream_id)
        fresh = []
        for topic, body in bodies.items():
            if topic not in self.bodies or self.bodies[topic]["seq"] < seqs[topic]:
                self.bodies[topic] = body
                fresh.append(body)
        self._snapshot_seq = max(self._snapshot_seq, snapshot.seq)
        self.seq = max(self.seq, snapshot.seq)
        return fresh

    def _restart(self, stream_id: str) -> None:
        self.restarts += bool(self.stream_id)
        self.stream_id, self.seq = stream_id, 0
        self.bodies.clear()
        self._snapshot_seq = self._missing_seq = 0
