"""A packet of the feed as a user sees it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tradsys.wire.enums import Channel
from tradsys.wire.records import DTYPES, MD_ORDER_ADD, PACKET

TOPIC_BYTES = 8
FRAME_HEAD_BYTES = 56


@dataclass(frozen=True)
class FeedPacket:
    """One packet, in order; its first `skip` messages were delivered before.

    Parameters
    ----------
    frame : bytes
        The checked frame: topic, Packet record, messages.
    skip : int
        Messages at its start that are not new.
    """

    frame: bytes
    skip: int = 0

    @cached_property
    def head(self) -> np.void:
        """The Packet record."""
        return np.frombuffer(self.frame, dtype=PACKET, count=1, offset=TOPIC_BYTES)[0]

    @property
    def channel(self) -> Channel:
        """Channel it came on."""
        return Channel(int(self.head["channel"]))

    @property
    def first_seq(self) -> int:
        """Number of the first new message."""
        return int(self.head["first_seq"]) + self.skip

    @property
    def message_count(self) -> int:
        """New messages."""
        return int(self.head["message_count"]) - self.skip

    @property
    def event_seq(self) -> int:
        """Last event of the venue's log that is included."""
        return int(self.head["event_seq"])

    @property
    def send_ts_ns(self) -> int:
        """Wall clock of the venue at publication, ns."""
        return int(self.head["send_ts_ns"])

    @property
    def orders(self) -> np.ndarray:
        """Of an L3 packet: the new messages as one array of 48-byte records (fields of MdOrderAdd)."""
        if self.channel is not Channel.L3:
            raise ValueError(f"only L3 packets are arrays of orders, this is {self.channel.name}")
        return np.frombuffer(self.frame, dtype=MD_ORDER_ADD, offset=FRAME_HEAD_BYTES)[self.skip :]

    def __iter__(self) -> Iterator[np.void]:
        """The new messages, each a record of its own type."""
        at = FRAME_HEAD_BYTES
        for index in range(int(self.head["message_count"])):
            block_length, template = np.frombuffer(self.frame, dtype="<u2", count=2, offset=at).tolist()
            if index >= self.skip:
                yield np.frombuffer(self.frame, dtype=DTYPES[template], count=1, offset=at)[0]
            at += 8 + block_length

    def __len__(self) -> int:
        return self.message_count
