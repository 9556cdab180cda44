"""From buffers to rows: the writing side splits messages by template and makes columns.

The receiving side (`tradsys.recorder.collector`) has copied the messages of a channel into a buffer and noted each
packet; sequence numbers and receive times are spread over the rows here.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tradsys.recorder import collector
from tradsys.recorder.tables import CHANNEL_TABLES, TABLES, Table, rows_of
from tradsys.wire.records import DTYPES, HEADER_BYTES

#: one packet as it was used: PacketRow of collector.pxd
PACKET_ROW = np.dtype(
    [
        ("stream_id", "<u8"),
        ("recv_ts_ns", "<i8"),
        ("first_seq", "<u8"),
        ("send_ts_ns", "<i8"),
        ("event_seq", "<u8"),
        ("packet_bytes", "<u4"),
        ("channel", "<u2"),
        ("message_count", "<u2"),
        ("line", "u1"),
        ("pad", "u1", (7,)),
    ]
)
assert PACKET_ROW.itemsize == collector.PACKET_ROW_BYTES, (
    "the compiled collector and NumPy see different rows"
)
#: packets a buffer takes; 56 bytes each
PACKETS_MAX = 1 << 14
_TABLE_OF = {template: table for table in TABLES.values() if table.channel for template in table.templates}


@dataclass
class Buffer:
    """Messages of one channel, one stream and one UTC day, back to back, and the packets they came in.

    Filled by the collector while it holds it, read by the writing thread afterwards.
    """

    memory: np.ndarray  # uint8, shape (capacity in bytes,)
    rows_max: int  # messages; one packet alone may have more
    used: int = 0  # bytes
    packet_count: int = 0
    channel: int = 0
    stream_id: int = 0
    packet_bytes: np.ndarray = field(init=False)  # uint8: the memory of packets

    def __post_init__(self) -> None:
        self.packet_bytes = np.zeros(PACKETS_MAX * PACKET_ROW.itemsize, np.uint8)

    @property
    def packets(self) -> np.ndarray:
        """The packets, shape (packet_count,), dtype PACKET_ROW; a view, valid until the buffer is filled again."""
        return self.packet_bytes[: self.packet_count * PACKET_ROW.itemsize].view(PACKET_ROW)

    def clear(self) -> None:
        """Make it ready to be filled again."""
        self.used = self.packet_count = 0


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
    packets = buffer.packets
    counts = packets["message_count"].astype(np.int64)
    starts = np.cumsum(counts) - counts
    channel_seq = np.arange(int(counts.sum()), dtype=np.uint64)
    channel_seq += np.repeat(packets["first_seq"] - starts.astype(np.uint64), counts)
    recv_ts_ns = np.repeat(packets["recv_ts_ns"], counts)
    batches: list[tuple[str, pa.RecordBatch]] = []
    unknown = 0
    for table, where, records in _by_table(buffer):
        extra: dict[str, np.ndarray | int] = {
            "channel_seq": channel_seq[where],
            "recv_ts_ns": recv_ts_ns[where],
            "stream_id": buffer.stream_id,
        }
        keep = np.isin(records["template_id"], table.templates)
        unknown += int((~keep).sum())
        after = (written or {}).get(table.name)
        if after is not None:
            keep &= channel_seq[where] > after
        if not keep.all():
            records = records[keep]
            extra["channel_seq"], extra["recv_ts_ns"] = channel_seq[where][keep], recv_ts_ns[where][keep]
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
