"""What to send when messages are asked for again: the stored ones with PossDupFlag, the rest as gap fills."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from tradsys.fix.message import Field


class Stored(Struct, frozen=True):
    """One application message as it was sent."""

    seq: int
    msg_type: str
    fields: tuple[Field, ...]  # of the body
    sending_time: bytes  # 52 it was sent with; becomes 122
    routing: tuple[Field, ...] = ()


class GapFill(Struct, frozen=True):
    """SequenceReset with MsgSeqNum ``seq`` that says: nothing to resend before ``new_seq``."""

    seq: int
    new_seq: int

    @property
    def fields(self) -> tuple[Field, ...]:
        """Body of the message; its header says 43=Y, and 122 is its own 52."""
        return ((36, b"%d" % self.new_seq), (123, b"Y"))


def replay(begin: int, end: int, stored: Iterable[Stored]) -> Iterator[Stored | GapFill]:
    """Walk over what answers a request for the numbers ``begin`` to ``end``.

    Parameters
    ----------
    begin, end : int
        First and last number asked for, both included, both sent once.
    stored : iterable of Stored
        Application messages with numbers in that range, rising. Numbers missing were administrative messages, or are
        kept no longer.

    Yields
    ------
    Stored or GapFill
        Together they cover every number once; the last gap fill ends at ``end + 1``.
    """
    next_seq = begin
    for message in stored:
        assert next_seq <= message.seq <= end, f"{message.seq} is not in [{next_seq}, {end}]"
        if message.seq > next_seq:
            yield GapFill(next_seq, message.seq)
        yield message
        next_seq = message.seq + 1
    if next_seq <= end:
        yield GapFill(next_seq, end + 1)
