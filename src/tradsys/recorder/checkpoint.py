"""Books of a recording: rebuilt as of any message, and written at the end of each closed L3 file.

See protocols/recording.md, section 4.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tradsys.recorder.catalog import COMPACTED, Segment, segment_at, segments
from tradsys.recorder.compaction import Recovery, compact
from tradsys.recorder.errors import RecordingError
from tradsys.recorder.orders_held import ORDER, OrdersHeld
from tradsys.recorder.reader import read, streams
from tradsys.recorder.store import Closed, Store, day_of
from tradsys.recorder.tables import FOLDED, LOST, TABLES, records_of, rows_of
from tradsys.wire.enums import Channel, Side

_FOLD_ROWS = 1 << 16
#: what `OrdersHeld.apply` takes
_FOLD_COLUMNS = ("template_id", "order_id", "price_ticks", "qty_lots", "ts_ns", "instrument_id", "side")


@dataclass(frozen=True)
class Rebuilt:
    """Books as of one L3 message.

    Attributes
    ----------
    l3_seq : int
        Last message included.
    orders : np.ndarray
        Shape (n,), dtype ORDER, ascending priority: the resting orders of all instruments.
    misfits : int
        Rows that did not fit: unknown order, more taken off than was left, an add of an order that rests. If there
        are any, the orders are wrong.
    heads : np.ndarray
        Shape (n,), dtype of SnapshotBegin: one for each instrument whose book is known, as in the snapshot
        it was folded from, with `l3_seq` and `order_count` of now.
    """

    l3_seq: int
    orders: np.ndarray
    misfits: int
    heads: np.ndarray

    def book(self, instrument_id: int) -> np.ndarray:
        """Return one book in snapshot order: bids then asks, best level first, each level by priority."""
        orders = self.orders[self.orders["instrument_id"] == instrument_id]
        best_first = np.where(orders["side"] == Side.BUY, -orders["price_ticks"], orders["price_ticks"])
        return orders[np.lexsort((orders["priority"], best_first, orders["side"]))]

    def records(self, instrument_id: int) -> np.ndarray:
        """Return one book as records of MdOrderAdd, in snapshot order."""
        orders = self.book(instrument_id)
        columns = {name: orders[name] for name in (ORDER.names or ()) if name not in ("priority", "pad")}
        return records_of(TABLES["snapshot_orders"], pa.RecordBatch.from_pydict(columns))


def rebuild_book(
    directory: str | Path, instrument_id: int, l3_seq: int | None = None, stream_id: int | None = None
) -> np.ndarray:
    """Rebuild one book from a recording.

    Parameters
    ----------
    directory : path
        The recording.
    instrument_id : int
    l3_seq : int, optional
        Last L3 message to include; the last one recorded if not given.
    stream_id : int, optional
        Run of the venue; the newest if not given.

    Returns
    -------
    np.ndarray
        The resting orders, shape (n,), dtype of MdOrderAdd, in snapshot order: bids then asks, best level
        first, each level in priority order.

    Raises
    ------
    RecordingError
        BOOK_UNKNOWN: no complete snapshot at or before that message, or messages after it were lost.
    """
    if stream_id is None:
        found = streams(directory)
        if not found:
            raise RecordingError("NO_RECORDING", f"{directory} holds no recording")
        stream_id = found[-1]
    if l3_seq is None:
        l3_seq = _last_l3_seq(Path(directory), stream_id)
    rebuilt = rebuild(Path(directory), stream_id, l3_seq, instrument_id=instrument_id)
    if not len(rebuilt.heads):
        raise RecordingError(
            "BOOK_UNKNOWN",
            f"no snapshot of instrument {instrument_id} leads to L3 message {l3_seq} without a loss",
        )
    if rebuilt.misfits:
        raise RecordingError("BOOK_UNKNOWN", f"{rebuilt.misfits} rows do not fit the book of {instrument_id}")
    return rebuilt.records(instrument_id)


def rebuild(
    directory: Path, stream_id: int, l3_seq: int, group: str | None = None, instrument_id: int | None = None
) -> Rebuilt:
    """Rebuild the books of a group, or of one instrument, as far as they are known."""
    heads = newest_heads(directory, stream_id, l3_seq, group, instrument_id)
    held = OrdersHeld()
    if len(heads):
        held.load(_snapshot_orders(directory, stream_id, heads, group, instrument_id))
        for columns in _rows_after(directory, stream_id, heads, l3_seq, group, instrument_id):
            held.apply(*columns)
    orders = held.orders()
    ids, counts = np.unique(orders["instrument_id"], return_counts=True)
    resting = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    heads["l3_seq"] = l3_seq
    heads["order_count"] = [resting.get(instrument, 0) for instrument in heads["instrument_id"].tolist()]
    return Rebuilt(l3_seq, orders, held.misfits, heads)


def newest_heads(
    directory: Path, stream_id: int, l3_seq: int, group: str | None = None, instrument_id: int | None = None
) -> np.ndarray:
    """Find each instrument's newest complete snapshot that leads to a message without a loss between.

    Returns
    -------
    np.ndarray
        Shape (n,), dtype of SnapshotBegin, ascending instrument_id.
    """
    table = TABLES["snapshots"]
    least = _last_lost(directory, stream_id, l3_seq)
    rows = read(
        directory,
        "snapshots",
        stream_id=stream_id,
        first_seq=least,
        last_seq=l3_seq,
        group=group,
        instrument_id=instrument_id,
    )
    parts = [records_of(table, batch) for batch in rows]
    heads = np.concatenate(parts) if parts else np.zeros(0, table.dtype)
    counts = _order_counts(directory, stream_id, least, l3_seq, group, instrument_id)
    whole = [
        counts.get((int(head["instrument_id"]), int(head["l3_seq"])), 0) >= int(head["order_count"])
        for head in heads
    ]
    heads = heads[np.array(whole, bool)]
    heads = heads[np.lexsort((heads["l3_seq"], heads["instrument_id"]))]
    last = np.ones(len(heads), bool)
    last[:-1] = heads["instrument_id"][1:] != heads["instrument_id"][:-1]
    return heads[last]


def _last_lost(directory: Path, stream_id: int, l3_seq: int) -> int:
    """Return the last L3 message lost up to l3_seq; a snapshot must not be older. 0: none was lost."""
    lost = 0
    for batch in read(directory, "gaps", stream_id=stream_id, last_seq=l3_seq):
        for row in batch.to_pylist():
            if row["channel"] == Channel.L3 and row["outcome"] == LOST:
                lost = max(lost, row["last_seq"])
    return lost


def _order_counts(
    directory: Path, stream_id: int, first: int, last: int, group: str | None, instrument_id: int | None
) -> dict[tuple[int, int], int]:
    """Count the orders on disk of each snapshot, by instrument and l3_seq."""
    counts: dict[tuple[int, int], int] = {}
    for batch in read(
        directory,
        "snapshot_orders",
        stream_id=stream_id,
        first_seq=first,
        last_seq=last,
        group=group,
        instrument_id=instrument_id,
        columns=["instrument_id", "l3_seq"],
    ):
        table = (
            pa.Table.from_batches([batch])
            .group_by(["instrument_id", "l3_seq"])
            .aggregate([([], "count_all")])
        )
        for row in table.to_pylist():
            key = row["instrument_id"], row["l3_seq"]
            counts[key] = counts.get(key, 0) + row["count_all"]
    return counts


def _snapshot_orders(
    directory: Path, stream_id: int, heads: np.ndarray, group: str | None, instrument_id: int | None
) -> np.ndarray:
    """Read the orders of the snapshots given, each instrument's in their order; priorities ascend."""
    wanted = np.stack([heads["instrument_id"].astype(np.uint64), heads["l3_seq"]])
    parts = []
    for batch in read(
        directory,
        "snapshot_orders",
        stream_id=stream_id,
        first_seq=int(wanted[1].min()),
        last_seq=int(wanted[1].max()),
        group=group,
        instrument_id=instrument_id,
    ):
        ids = batch.column("instrument_id").to_numpy().astype(np.uint64)
        place = np.minimum(np.searchsorted(wanted[0], ids), len(heads) - 1)
        keep = (wanted[0][place] == ids) & (wanted[1][place] == batch.column("l3_seq").to_numpy())
        parts.append(batch.filter(pa.array(keep)))
    table = pa.Table.from_batches(parts, TABLES["snapshot_orders"].schema)
    table = table.sort_by([("instrument_id", "ascending"), ("rank", "ascending")]).combine_chunks()
    orders = np.zeros(table.num_rows, ORDER)
    for name in _FOLD_COLUMNS[1:]:
        orders[name] = table.column(name).to_numpy()
    # the same snapshot may have been asked for twice: one copy of each order
    _, first = np.unique(orders["order_id"], return_index=True)
    return orders[np.sort(first)]


def _rows_after(
    directory: Path,
    stream_id: int,
    heads: np.ndarray,
    l3_seq: int,
    group: str | None,
    instrument_id: int | None,
) -> Iterator[list[np.ndarray]]:
    """Read the L3 rows that come after each instrument's snapshot, up to a message, as columns to apply."""
    ids, after = heads["instrument_id"].copy(), heads["l3_seq"].copy()
    for batch in read(
        directory,
        "l3",
        stream_id=stream_id,
        first_seq=int(after.min()) + 1,
        last_seq=l3_seq,
        group=group,
        instrument_id=instrument_id,
        columns=["channel_seq", *_FOLD_COLUMNS],
        batch_rows=_FOLD_ROWS,
    ):
        columns = [batch.column(name).to_numpy() for name in _FOLD_COLUMNS]
        instruments = batch.column("instrument_id").to_numpy()
        place = np.minimum(np.searchsorted(ids, instruments), len(ids) - 1)
        keep = (ids[place] == instruments) & (batch.column("channel_seq").to_numpy() > after[place])
        yield columns if keep.all() else [column[keep] for column in columns]


def _last_l3_seq(directory: Path, stream_id: int) -> int:
    last = 0
    for batch in read(directory, "l3", stream_id=stream_id, columns=["channel_seq"]):
        last = max(last, int(batch.column(0).to_numpy().max()))
    for batch in read(directory, "snapshots", stream_id=stream_id, columns=["l3_seq"]):
        last = max(last, int(batch.column(0).to_numpy().max()))
    return last


# -- at the end of a closed file


def fold_closed(directory: Path, closed: Closed, store: Store) -> tuple[int, int]:
    """Write the books as of the end of a closed and compacted L3 file.

    Parameters
    ----------
    directory : Path
    closed : Closed
        Of any table; only those of l3 are acted on.
    store : Store
        Gives names to the files.

    Returns
    -------
    books, misfits : int
        Books written; rows that did not fit theirs. A book with misfits is wrong, so then none is written.
    """
    segment = closed.segment
    if segment.table != "l3" or not segment.compacted_path.exists():
        return 0, 0
    last_seq = _last_seq_of(segment)
    rebuilt = rebuild(directory, closed.stream_id, last_seq, group=segment.group)
    if rebuilt.misfits or not len(rebuilt.heads):
        return 0, rebuilt.misfits
    _write(rebuilt, closed, store)
    return len(rebuilt.heads), 0


def fold_recovered(directory: Path, recovery: Recovery, store: Store, now_ns: int) -> int:
    """Write the books that a crash kept from being written; return how many.

    They are those at the end of each L3 file just recovered and of the newest one of each group.
    """
    newest = {segment.group: segment for segment in segments(directory, "l3") if segment.compacted}
    found = {segment.path.name for segment in newest.values()}
    found |= {name.removesuffix(".arrows") + COMPACTED for name in recovery.compacted}
    books = 0
    for segment in segments(directory, "l3"):
        if segment.path.name in found and segment.compacted:
            metadata = pq.read_schema(segment.path).metadata or {}
            stream_id, last_seq = int(metadata[b"tradsys.stream_id"]), _last_seq_of(segment)
            if not _is_written(directory, segment, stream_id, last_seq):
                books += fold_closed(directory, Closed(segment, stream_id, now_ns), store)[0]
    return books


def _is_written(directory: Path, segment: Segment, stream_id: int, last_seq: int) -> bool:
    rows = read(
        directory,
        "snapshots",
        stream_id=stream_id,
        first_seq=last_seq,
        last_seq=last_seq,
        group=segment.group,
    )
    return any(FOLDED in batch.column("origin").to_numpy() for batch in rows)


def _last_seq_of(segment: Segment) -> int:
    with pq.ParquetFile(segment.compacted_path) as file:
        last = file.read_row_group(file.num_row_groups - 1, columns=["channel_seq"]).column(0)
        return int(last[-1].as_py())


def _write(rebuilt: Rebuilt, closed: Closed, store: Store) -> None:
    extra = {"l3_seq": rebuilt.l3_seq, "stream_id": closed.stream_id, "recv_ts_ns": closed.closed_ns}
    books = [rebuilt.book(instrument) for instrument in rebuilt.heads["instrument_id"].tolist()]
    orders = np.concatenate([*books, np.zeros(0, ORDER)])
    ranks = np.concatenate([*(np.arange(len(book)) for book in books), np.zeros(0, np.int64)])
    order_rows = rows_of(TABLES["snapshot_orders"], orders, {**extra, "rank": ranks})
    head_rows = rows_of(TABLES["snapshots"], rebuilt.heads, {**extra, "origin": FOLDED})
    # orders before heads: a head whose orders are not all there counts as absent
    for name, batch in (("snapshot_orders", order_rows), ("snapshots", head_rows)):
        if batch.num_rows:
            day = day_of(closed.closed_ns)
            writer = store.create(
                day, closed.segment.group, name, closed.stream_id, rebuilt.l3_seq, closed.closed_ns
            )
            try:
                writer.write(batch)
            finally:
                writer.close()
            segment = segment_at(writer.path)
            assert segment is not None, "a file of ours has a name of ours"
            compact(segment)
