"""The tables of a recording: which records they hold, their Arrow schemas, and rows from records.

See protocols/recording.md, section 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tradsys.wire.arrow import SCHEMAS
from tradsys.wire.enums import Channel, Template
from tradsys.wire.records import DTYPES, SCHEMA_ID, SCHEMA_VERSION

#: instrument group of the tables that belong to no instrument
FEED_GROUP = "feed"
#: instrument group of the instruments named in no group
MAIN_GROUP = "main"

LINE_A, LINE_B, LINE_GAP_FILL = 0, 1, 2
HEALED, LOST = 1, 2
FROM_SERVER, FOLDED = 1, 2


@dataclass(frozen=True)
class Table:
    """One table of a recording.

    Attributes
    ----------
    name : str
        As in file names and SQL.
    schema : pa.Schema
        Columns in order; integers as in the records, none of them null.
    channel : int
        Channel whose messages are its rows, 0 where there is none.
    templates : tuple of int
        Templates whose records are its rows; all of one dtype.
    """

    name: str
    schema: pa.Schema
    channel: int = 0
    templates: tuple[int, ...] = ()

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the records that are its rows."""
        return DTYPES[self.templates[0]]

    @property
    def grouped(self) -> bool:
        """Whether rows belong to an instrument, so to an instrument group."""
        return "instrument_id" in self.schema.names


def _field(name: str, kind: pa.DataType, description: str, unit: str = "", enum: str = "") -> pa.Field:
    metadata = {"description": description, "unit": unit, "enum": enum}
    return pa.field(name, kind, nullable=False, metadata={k: v for k, v in metadata.items() if v})


_NS = "ns since the epoch, UTC"
_STREAM = _field("stream_id", pa.uint64(), "run of the venue", unit="ns since the epoch, UTC, of its start")
_RECV = _field("recv_ts_ns", pa.int64(), "when it was taken from the socket", unit=_NS)
_MESSAGE_COLUMNS = [
    _field("channel_seq", pa.uint64(), "number of the message in its channel", unit="sequence number"),
    _STREAM,
    _RECV,
]
_TEMPLATE_ID = _field("template_id", pa.uint16(), "which record", enum="Template")
_CHANNEL = _field("channel", pa.uint16(), "market data channel", enum="Channel")
_L3_SEQ = _field("l3_seq", pa.uint64(), "last L3 message included", unit="sequence number")


def _schema(
    columns: list[pa.Field], template: int | None = None, leave_out: tuple[str, ...] = ()
) -> pa.Schema:
    """Make a schema of our columns, then the record's."""
    names = {column.name for column in columns} | set(leave_out)
    record = [field for field in SCHEMAS[template] if field.name not in names] if template else []
    return pa.schema([*columns, *record])


_PACKETS = [
    _CHANNEL,
    _STREAM,
    _RECV,
    _field("first_seq", pa.uint64(), "number of the packet's first message", unit="sequence number"),
    _field("message_count", pa.uint16(), "messages in the packet", unit="messages"),
    _field("packet_bytes", pa.uint32(), "header, block and messages", unit="bytes"),
    _field("send_ts_ns", pa.int64(), "wall clock at publication", unit=_NS),
    _field(
        "event_seq", pa.uint64(), "last event of the log that the packet includes", unit="sequence number"
    ),
    _field("line", pa.uint8(), "0 line A, 1 line B, 2 gap fill"),
]
_GAPS = [
    _CHANNEL,
    _STREAM,
    _field("first_seq", pa.uint64(), "first message missing", unit="sequence number"),
    _field("last_seq", pa.uint64(), "last message missing", unit="sequence number"),
    _field("detected_ts_ns", pa.int64(), "when the hole was seen", unit=_NS),
    _field("resolved_ts_ns", pa.int64(), "when it was filled or given up", unit=_NS),
    _field("outcome", pa.uint8(), "1 healed, 2 lost"),
]
_ORIGIN = _field("origin", pa.uint8(), "1 from the snapshot server, 2 folded from the recording")
_RANK = _field("rank", pa.uint32(), "place in the snapshot, from 0", unit="orders")

_L3 = (Template.MD_ORDER_ADD, Template.MD_ORDER_REDUCE, Template.MD_ORDER_DELETE, Template.MD_ORDER_EXECUTE)


def _messages(name: str, channel: int, *templates: int) -> Table:
    columns = [*_MESSAGE_COLUMNS, _TEMPLATE_ID] if len(templates) > 1 else _MESSAGE_COLUMNS
    return Table(name, _schema(columns, templates[0]), int(channel), tuple(map(int, templates)))


#: table by name, in the order of protocols/recording.md
TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        _messages("l3", Channel.L3, *_L3),
        _messages("l2", Channel.L2, Template.MD_LEVEL),
        _messages("l1", Channel.L1, Template.MD_TOP),
        _messages("trades", Channel.TRADES, Template.MD_TRADE),
        _messages("trade_changes", Channel.TRADES, Template.MD_TRADE_CHANGE),
        _messages("statistics", Channel.TRADES, Template.MD_STATISTICS),
        _messages("status", Channel.STATUS, Template.MD_STATUS),
        _messages("auctions", Channel.STATUS, Template.MD_AUCTION),
        _messages("breakers", Channel.STATUS, Template.MD_BREAKER),
        _messages("instruments", Channel.STATUS, Template.MD_INSTRUMENT),
        Table(
            "snapshots",
            _schema([_L3_SEQ, _STREAM, _RECV, _ORIGIN], Template.SNAPSHOT_BEGIN, leave_out=("request_id",)),
            templates=(int(Template.SNAPSHOT_BEGIN),),
        ),
        Table(
            "snapshot_orders",
            _schema([_L3_SEQ, _STREAM, _RECV, _RANK], Template.MD_ORDER_ADD),
            templates=(int(Template.MD_ORDER_ADD),),
        ),
        Table("packets", _schema(_PACKETS)),
        Table("gaps", _schema(_GAPS)),
    )
}
#: tables whose rows are a channel's messages, by channel
CHANNEL_TABLES: Mapping[int, tuple[Table, ...]] = {
    int(channel): tuple(table for table in TABLES.values() if table.channel == channel)
    for channel in (Channel.L3, Channel.L2, Channel.L1, Channel.TRADES, Channel.STATUS)
}
#: name of the column that numbers a table's rows
SEQ_COLUMN: Mapping[str, str] = {
    name: next(column for column in ("channel_seq", "l3_seq", "first_seq") if column in table.schema.names)
    for name, table in TABLES.items()
}


def file_schema(table: Table, stream_id: int, group: str, day: str) -> pa.Schema:
    """Return the table's schema with the metadata of one file (protocols/recording.md 2.2)."""
    return table.schema.with_metadata(
        {
            "tradsys.table": table.name,
            "tradsys.schema_id": str(SCHEMA_ID),
            "tradsys.schema_version": str(SCHEMA_VERSION),
            "tradsys.stream_id": str(stream_id),
            "tradsys.group": group,
            "tradsys.day": day,
        }
    )


def rows_of(table: Table, records: np.ndarray, extra: Mapping[str, np.ndarray | int]) -> pa.RecordBatch:
    """Make rows from records and the columns that are not in them.

    Parameters
    ----------
    table : Table
    records : np.ndarray
        Shape (n,), a structured array whose fields are columns; its other columns come from `extra`.
    extra : mapping
        Column name to an array of shape (n,) or to one integer for all rows. Wins over the record's field.

    Returns
    -------
    pa.RecordBatch
        n rows; owns its memory.
    """
    columns = [_column(field, extra.get(field.name), records) for field in table.schema]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)


def _column(field: pa.Field, value: np.ndarray | int | None, records: np.ndarray) -> pa.Array:
    if field.type == pa.string():
        texts = records[field.name]
        return pa.array([text.decode("ascii", "replace") for text in texts.tolist()], pa.string())
    dtype = field.type.to_pandas_dtype()
    if value is None:
        value = records[field.name]
    if isinstance(value, int):
        return pa.array(np.full(len(records), value, dtype))
    # a copy: the records' memory is a buffer that will be filled again
    return pa.array(np.array(value, dtype=dtype, copy=True))


def records_of(table: Table, batch: pa.RecordBatch) -> np.ndarray:
    """Make records again from rows: the inverse of `rows_of` for the tables that hold messages.

    Parameters
    ----------
    table : Table
        One with templates.
    batch : pa.RecordBatch
        n rows with at least the columns of the record.

    Returns
    -------
    np.ndarray
        Shape (n,), dtype `table.dtype`, byte for byte the records received.
    """
    records = np.zeros(batch.num_rows, table.dtype)
    records["block_length"] = table.dtype.itemsize - 8
    records["template_id"] = table.templates[0]
    records["schema_id"] = SCHEMA_ID
    records["version"] = SCHEMA_VERSION
    for name in set(batch.schema.names) & set(table.dtype.names or ()):
        column = batch.column(name)
        if column.type == pa.string():
            records[name] = [text.encode("ascii", "replace") for text in column.to_pylist()]
        else:
            records[name] = column.to_numpy(zero_copy_only=False)
    return records
