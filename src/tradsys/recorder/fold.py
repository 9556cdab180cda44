"""Books out of rows: a snapshot and the L3 rows after it, folded to the snapshot at a later message.

Works on whole arrays, so that a closed file of millions of rows takes a second, not a minute, and never
touches the receiving thread. It is also the recorder's own check: a row that does not fit the book is
counted, never guessed away.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tradsys.wire.enums import Side, Template

_ORDER_FIELDS = ("order_id", "price_ticks", "qty_lots", "ts_ns", "instrument_id", "side")
#: a resting order: the fields of MdOrderAdd, and its place in time among all orders held
ORDER = np.dtype(
    [
        ("order_id", "<u8"),
        ("price_ticks", "<i8"),
        ("qty_lots", "<i8"),
        ("ts_ns", "<i8"),
        ("instrument_id", "<u4"),
        ("side", "<u1"),
        ("priority", "<i8"),
    ]
)
_ROW = np.dtype([*ORDER.descr, ("template_id", "<u2"), ("channel_seq", "<u8")])


@dataclass
class Books:
    """The resting orders of any number of instruments after some message.

    Attributes
    ----------
    orders : np.ndarray
        Shape (n,), dtype ORDER, ascending priority. Each order once; every quantity is at least 1.
    misfits : int
        Rows that did not fit: unknown order, more taken off than was left, an add of an order that rests
        already.
    """

    orders: np.ndarray
    misfits: int = 0

    def snapshot(self, instrument_id: int) -> np.ndarray:
        """Return one book in snapshot order: bids then asks, best level first, each level by priority."""
        return snapshot_order(self.orders[self.orders["instrument_id"] == instrument_id])

    def check(self) -> None:
        """Raise AssertionError unless the class's invariant holds."""
        assert len(np.unique(self.orders["order_id"])) == len(self.orders), "an order rests twice"
        assert (self.orders["qty_lots"] >= 1).all(), "an order of no quantity rests"
        assert (np.diff(self.orders["priority"]) > 0).all(), "priorities do not ascend"


def orders_from_snapshot(batch: pa.RecordBatch | pa.Table) -> np.ndarray:
    """Make orders of rows of ``snapshot_orders``, given in the order of `rank`; priorities are 0, 1, 2 ..."""
    orders = np.zeros(batch.num_rows, ORDER)
    for name in _ORDER_FIELDS:
        orders[name] = batch.column(name).to_numpy()
    orders["priority"] = np.arange(len(orders))
    return orders


def rows_from_l3(batch: pa.RecordBatch) -> np.ndarray:
    """Make an array of the columns that `fold` reads from rows of ``l3``."""
    rows = np.zeros(batch.num_rows, _ROW)
    for name in (*_ORDER_FIELDS, "template_id", "channel_seq"):
        rows[name] = batch.column(name).to_numpy()
    return rows


def fold(books: Books, rows: np.ndarray) -> Books:
    """Apply L3 rows to books.

    Parameters
    ----------
    books : Books
        Left as it is.
    rows : np.ndarray
        From `rows_from_l3`, in the order of `channel_seq`.

    Returns
    -------
    Books
        With priorities 0, 1, 2 ...; the misfits of before and of these rows.

    Notes
    -----
    An order's life is its last add and what was taken off after it: adding, reducing and executing commute
    within one order, so a stable sort by order id and sums are exact. O(n log n) for n orders and rows.
    """
    if not len(rows):
        return books
    everything = np.zeros(len(books.orders) + len(rows), _ROW)
    held = everything[: len(books.orders)]
    for name in ORDER.names or ():
        held[name] = books.orders[name]
    held["template_id"] = Template.MD_ORDER_ADD
    everything[len(held) :] = rows
    everything["priority"] = np.arange(len(everything))
    by_order = everything[np.argsort(everything["order_id"], kind="stable")]
    orders, misfits = _live(by_order)
    orders.sort(order="priority")
    orders["priority"] = np.arange(len(orders))
    return Books(orders, books.misfits + misfits)


def _live(rows: np.ndarray) -> tuple[np.ndarray, int]:
    """Find what rests of rows sorted by order, each order's in time order; and count what did not fit."""
    is_add = rows["template_id"] == Template.MD_ORDER_ADD
    starts_order = np.ones(len(rows), bool)
    starts_order[1:] = rows["order_id"][1:] != rows["order_id"][:-1]
    # a life begins with an add, or with an order's first row: then of an order not known
    begins = np.flatnonzero(is_add | starts_order)
    taken = np.where(is_add, 0, rows["qty_lots"])
    leaves = np.where(is_add[begins], rows["qty_lots"][begins], 0) - np.add.reduceat(taken, begins)
    deleted = np.add.reduceat(rows["template_id"] == Template.MD_ORDER_DELETE, begins, dtype=np.int64) > 0
    known = is_add[begins]
    last_life = np.ones(len(begins), bool)
    last_life[:-1] = starts_order[begins[1:]]
    fits = known & (leaves >= 0) & ((leaves == 0) | (last_life & ~deleted))
    misfits = int((~fits).sum())
    rests = known & last_life & ~deleted & (leaves > 0)
    orders = np.zeros(int(rests.sum()), ORDER)
    for name in ORDER.names or ():
        orders[name] = rows[name][begins[rests]]
    orders["qty_lots"] = leaves[rests]
    return orders, misfits


def snapshot_order(orders: np.ndarray) -> np.ndarray:
    """Sort one book's orders: bids then asks, best level first, each level by priority."""
    best_first = np.where(orders["side"] == Side.BUY, -orders["price_ticks"], orders["price_ticks"])
    return orders[np.lexsort((orders["priority"], best_first, orders["side"]))]
