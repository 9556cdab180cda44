"""From frames to rows: the receiving side copies, the writing side splits by template and makes columns.

A frame's messages are copied once, into a buffer of their channel; sequence numbers and receive times are
kept once a packet and spread over the rows when the buffer is written.
"""

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tradsys.recorder.tables import CHANNEL_TABLES, TABLES, Table, rows_of
from tradsys.wire.records import DTYPES, HEADER_BYTES

#: topic, SBE header, then the fields of Packet
_HEAD = struct.Struct("<8xHHHHHHIQQqQ")
HEAD_BYTES = 56
PACKET_ROW = np.dtype(
    [
        ("channel", "<u2"),
        ("stream_id", "<u8"),
        ("recv_ts_ns", "<i8"),
        ("first_seq", "<u8"),
        ("message_count", "<u2"),
        ("packet_bytes", "<u4"),
        ("send_ts_ns", "<i8"),
        ("event_seq", "<u8"),
        ("line", "u1"),
    ]
)
#: size [bytes] of a channel's messages where all are of one size
_UNIFORM_BYTES = {
    channel: tables[0].dtype.itemsize
    for channel, tables in CHANNEL_TABLES.items()
    if len({table.dtype.itemsize for table in tables}) == 1
}
_TABLE_OF = {template: table for table in TABLES.values() if table.channel for template in table.templates}


class PacketHead(NamedTuple):
    """The head of a frame."""

    channel: int
    message_count: int
    packet_bytes: int
    stream_id: int
    first_seq: int
    send_ts_ns: int
    event_seq: int


def packet_head(frame: bytes | memoryview) -> PacketHead | None:
    """Read a frame's head; None if the frame is too short or its size is not what it says."""
    if len(frame) < HEAD_BYTES:
        return None
    head = PacketHead._make(_HEAD.unpack_from(frame)[4:])
    return head if head.packet_bytes == len(frame) - 8 else None


@dataclass
class Buffer:
    """Messages of one channel, one stream and one UTC day, back to back, and the packets they came in."""

    memory: np.ndarray  # uint8, shape (capacity in bytes,)
    rows_max: int  # messages; one packet alone may have more
    view: memoryview = field(init=False)
    used: int = 0  # bytes
    messages: int = 0
    channel: int = 0
    stream_id: int = 0
    day: int = 0  # days since the epoch of every recv_ts_ns
    opened_ns: int = 0  # recv_ts_ns of the first packet
    last_ns: int = 0  # recv_ts_ns of the last packet
    packets: list[tuple[int, ...]] = field(default_factory=list)  # rows of PACKET_ROW

    def __post_init__(self) -> None:
        self.view = memoryview(self.memory)  # type: ignore[arg-type]

    def clear(self) -> None:
        """Make it ready to be filled again."""
        self.used = self.messages = 0
        self.packets = []

    def takes(self, head: PacketHead, day: int) -> bool:
        """Say whether a packet of its channel fits what it holds and the room it has."""
        return not self.packets or (
            self.used + head.packet_bytes - 48 <= len(self.memory)
            and self.messages + head.message_count <= self.rows_max
            and self.stream_id == head.stream_id
            and self.day == day
            and len(self.packets) < 1 << 16
        )

    def add(self, head: PacketHead, frame: bytes | memoryview, recv_ts_ns: int, day: int, line: int) -> None:
        """Copy a packet in; `takes` must have said yes."""
        if not self.packets:
            self.channel, self.stream_id, self.day = head.channel, head.stream_id, day
            self.opened_ns = recv_ts_ns
        size = len(frame) - HEAD_BYTES
        self.view[self.used : self.used + size] = memoryview(frame)[HEAD_BYTES:]
        self.used += size
        self.messages += head.message_count
        self.last_ns = recv_ts_ns
        self.packets.append(
            (
                head.channel,
                head.stream_id,
                recv_ts_ns,
                head.first_seq,
                head.message_count,
                head.packet_bytes,
                head.send_ts_ns,
                head.event_seq,
                line,
            )
        )


def messages_agree(head: PacketHead, frame: bytes | memoryview) -> bool:
    """Say whether a packet's messages are as many and as large as its head says, and of its channel.

    Templates of channels whose messages have one size are checked when rows are made, not here.
    """
    size = _UNIFORM_BYTES.get(head.channel)
    if size is not None:
        return head.packet_bytes - 48 == size * head.message_count
    if head.channel not in CHANNEL_TABLES:
        return False
    records = np.frombuffer(frame, np.uint8, offset=HEAD_BYTES)
    runs = runs_of(records)
    return (
        runs is not None
        and sum(count for _, _, count in runs) == head.message_count
        and all(_TABLE_OF[template].channel == head.channel for template, _, _ in runs)
    )


def runs_of(memory: np.ndarray) -> list[tuple[int, int, int]] | None:
    """Cut records lying back to back into runs of one template.

    Parameters
    ----------
    memory : np.ndarray
        uint8, shape (n,).

    Returns
    -------
    list of (template, offset, count) or None
        Offset of the run's first record [bytes]; None where a record is unknown, cut off or of another
        length.
    """
    runs: list[tuple[int, int, int]] = []
    offset, window = 0, 64
    while offset < len(memory):
        if len(memory) - offset < HEADER_BYTES:
            return None
        block_length, template = memory[offset : offset + 4].view("<u2").tolist()
        size = block_length + HEADER_BYTES
        if template not in _TABLE_OF or DTYPES[template].itemsize != size or offset + size > len(memory):
            return None
        most = min((len(memory) - offset) // size, window)
        block = memory[offset : offset + most * size].reshape(most, size)
        same = (block[:, 0:4] == block[0, 0:4]).all(axis=1)
        count = most if same.all() else int(same.argmin())
        # a run that fills its window goes on in the next turn, with a wider one
        window = min(window * 4, 1 << 20) if count == most else 64
        if runs and runs[-1][0] == template:
            runs[-1] = (template, runs[-1][1], runs[-1][2] + count)
        else:
            runs.append((template, offset, count))
        offset += count * size
    return runs


@dataclass(frozen=True)
class Rows:
    """What a buffer becomes: rows by table, the packets' last."""

    batches: list[tuple[str, pa.RecordBatch]]
    unknown: int = 0  # messages of no table


def rows_from_buffer(buffer: Buffer, written: dict[str, int] | None = None) -> Rows:
    """Make the rows of all tables that a buffer's messages belong to.

    Parameters
    ----------
    buffer : Buffer
        Its memory is not needed afterwards.
    written : dict, optional
        Table name to a sequence number up to which rows are on disk already: they are left out.

    Returns
    -------
    Rows
    """
    packets = np.array(buffer.packets, PACKET_ROW)
    counts = packets["message_count"].astype(np.int64)
    starts = np.cumsum(counts) - counts
    channel_seq = np.arange(int(counts.sum()), dtype=np.uint64)
    channel_seq += np.repeat(packets["first_seq"] - starts.astype(np.uint64), counts)
    recv_ts_ns = np.repeat(packets["recv_ts_ns"], counts)
    batches, unknown = [], 0
    for table, where, records in _by_table(buffer):
        extra = {
            "channel_seq": channel_seq[where],
            "recv_ts_ns": recv_ts_ns[where],
            "stream_id": buffer.stream_id,
        }
        keep = np.isin(records["template_id"], table.templates)
        unknown += int((~keep).sum())
        after = (written or {}).get(table.name)
        if after is not None:
            keep &= extra["channel_seq"] > after
        if not keep.all():
            records = records[keep]
            extra["channel_seq"], extra["recv_ts_ns"] = extra["channel_seq"][keep], extra["recv_ts_ns"][keep]
        batches.append((table.name, rows_of(table, records, extra)))
    batches.append(("packets", rows_of(TABLES["packets"], packets, {})))
    return Rows(batches, unknown)


def _by_table(buffer: Buffer) -> list[tuple[Table, np.ndarray | slice, np.ndarray]]:
    """Split a buffer's messages by table: the table, which messages of the buffer, and their records."""
    memory = buffer.memory[: buffer.used]
    tables = CHANNEL_TABLES[buffer.channel]
    if len(tables) == 1:
        return [(tables[0], slice(None), memory.view(tables[0].dtype))]
    runs = runs_of(memory)
    assert runs is not None, "packets were checked before they were copied"
    parts: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    message = 0
    for template, offset, count in runs:
        table = _TABLE_OF[template]
        where, records = parts.setdefault(table.name, ([], []))
        where.append(np.arange(message, message + count))
        records.append(memory[offset : offset + count * table.dtype.itemsize].view(table.dtype))
        message += count
    return [
        (TABLES[name], np.concatenate(where), np.concatenate(records))
        for name, (where, records) in parts.items()
    ]
