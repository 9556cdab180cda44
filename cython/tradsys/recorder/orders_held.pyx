"""Fold L3 rows into the orders that rest."""
import numpy as np

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradsys.wire.records cimport (
    TEMPLATE_MD_ORDER_ADD,
    TEMPLATE_MD_ORDER_DELETE,
    TEMPLATE_MD_ORDER_EXECUTE,
    TEMPLATE_MD_ORDER_REDUCE,
)

#: a resting order: the fields of MdOrderAdd, and its place in time among all orders held
ORDER = np.dtype(
    [
        ("order_id", "<u8"),
        ("price_ticks", "<i8"),
        ("qty_lots", "<i8"),
        ("ts_ns", "<i8"),
        ("priority", "<i8"),
        ("instrument_id", "<u4"),
        ("side", "<u1"),
        ("pad", "<u1", (3,)),
    ]
)
assert ORDER.itemsize == sizeof(HeldOrder), "the compiled fold and NumPy see different orders"


cdef class OrdersHeld:
    """Orders by id, of any number of books.

    Invariant: `count` slots of the pool have a quantity of at least 1, each is found under its id and under no other, and
    the freed slots are in the list.

    Notes
    -----
    Open addressing with linear probing; a removal closes its gap, so nothing but live orders is probed. Memory grows
    with the orders held, never with the rows applied. One thread at a time.
    """

    def __cinit__(self):
        self.free_slot = -1
        self._grow(1024)

    def apply(self, const uint16_t[::1] template_id not None, const uint64_t[::1] order_id not None,
              const int64_t[::1] price_ticks not None, const int64_t[::1] qty_lots not None,
              const int64_t[::1] ts_ns not None, const uint32_t[::1] instrument_id not None,
              const uint8_t[::1] side not None):
        """Apply L3 rows given as columns of one length, in the order of their numbers.

        A row that does not fit (unknown order, more taken off than is left, a delete of another quantity, an add of an
        order that rests) is counted in `misfits`; then the books are wrong.
        """
        cdef int64_t i, place, n = template_id.shape[0]
        cdef HeldOrder* order
        if not (order_id.shape[0] == price_ticks.shape[0] == qty_lots.shape[0] == ts_ns.shape[0] ==
                instrument_id.shape[0] == side.shape[0] == n):
            raise ValueError(f"every column must have {n} rows")
        self._grow(n)
        with nogil:
            for i in range(n):
                place = self._find(order_id[i])
                if template_id[i] == TEMPLATE_MD_ORDER_ADD:
                    if place >= 0 or qty_lots[i] < 1:
                        self.misfits += 1
                    else:
                        self._add(order_id[i], price_ticks[i], qty_lots[i], ts_ns[i], instrument_id[i], side[i])
                    continue
                if place < 0 or template_id[i] not in (TEMPLATE_MD_ORDER_REDUCE, TEMPLATE_MD_ORDER_DELETE,
                                                       TEMPLATE_MD_ORDER_EXECUTE):
                    self.misfits += 1
                    continue
                order = &self.pool[self.slots[place]]
                if qty_lots[i] > order.qty_lots or qty_lots[i] < 1 or price_ticks[i] != order.price_ticks or \
                        (template_id[i] == TEMPLATE_MD_ORDER_DELETE and qty_lots[i] != order.qty_lots):
                    self.misfits += 1
                    continue
                order.qty_lots -= qty_lots[i]
                if order.qty_lots == 0:
                    self._remove(<uint64_t>place)

    def load(self, orders not None):
        """Add the orders of snapshots, given in the order of their priority.

        Parameters
        ----------
        orders : np.ndarray
            Shape (n,), with the fields of MdOrderAdd.
        """
        n = len(orders)
        columns = [np.ascontiguousarray(orders[name]) for name in
                   ("order_id", "price_ticks", "qty_lots", "ts_ns", "instrument_id", "side")]
        self.apply(np.full(n, TEMPLATE_MD_ORDER_ADD, np.uint16), *columns)

    def orders(self):
        """Return the orders held, shape (count,), dtype ORDER, by ascending priority; a copy."""
        held = self.memory[: self.used]
        held = held[held["qty_lots"] > 0]
        return held[np.argsort(held["priority"])]

    def check(self):
        """Raise AssertionError unless the class's invariant holds."""
        cdef int64_t place
        held = self.orders()
        free, slot = 0, self.free_slot
        while slot >= 0:
            free, slot = free + 1, self.pool[slot].priority
        if len(held) != self.count or self.used != self.count + free:
            raise AssertionError(f"{len(held)} orders in the pool, {self.count} counted, {free} slots free of {self.used}")
        for order_id in held["order_id"].tolist():
            place = self._find(order_id)
            if place < 0 or self.pool[self.slots[place]].order_id != <uint64_t>order_id:
                raise AssertionError(f"order {order_id} is not found under its id")
        if (np.asarray(self.table) >= 0).sum() != self.count:
            raise AssertionError("the table holds other than the orders held")

    cdef int _grow(self, int64_t more) except -1:
        """Make room for that many orders more."""
        cdef uint8_t[::1] memory
        cdef int32_t[::1] table
        cdef int64_t i, size
        cdef uint64_t place
        if self.room - self.count >= more:
            return 0
        size = 1024
        while size < self.count + more:
            size *= 2
        larger = np.zeros(size, ORDER)
        if self.memory is not None:
            larger[: self.used] = self.memory[: self.used]
        self.memory, self.table = larger, np.full(2 * size, -1, np.int32)
        memory, table = larger.view(np.uint8), self.table
        self.pool, self.slots = <HeldOrder*>&memory[0], &table[0]
        self.room, self.mask = size, <uint64_t>(2 * size - 1)
        for i in range(self.used):
            if self.pool[i].qty_lots > 0:
                place = self._home(self.pool[i].order_id)
                while self.slots[place] >= 0:
                    place = (place + 1) & self.mask
                self.slots[place] = <int32_t>i
        return 0

    @cython.overflowcheck(False)  # a hash wraps
    cdef uint64_t _home(self, uint64_t order_id) noexcept nogil:
        """Where an id is looked for first."""
        return ((order_id * <uint64_t>0x9E3779B97F4A7C15) >> 32) & self.mask

    cdef int64_t _find(self, uint64_t order_id) noexcept nogil:
        """Place of an id in the table; -1: not held."""
        cdef uint64_t place = self._home(order_id)
        while self.slots[place] >= 0:
            if self.pool[self.slots[place]].order_id == order_id:
                return <int64_t>place
            place = (place + 1) & self.mask
        return -1

    cdef int _add(self, uint64_t order_id, int64_t price_ticks, int64_t qty_lots, int64_t ts_ns, uint32_t instrument_id,
                  uint8_t side) except -1 nogil:
        cdef uint64_t place = self._home(order_id)
        cdef int64_t slot = self.free_slot
        cdef HeldOrder* order
        assert self.count < self.room
        if slot >= 0:
            self.free_slot = self.pool[slot].priority
        else:
            slot = self.used
            self.used += 1
        order = &self.pool[slot]
        order.order_id, order.price_ticks, order.qty_lots, order.ts_ns = order_id, price_ticks, qty_lots, ts_ns
        order.instrument_id, order.side, order.priority = instrument_id, side, self.next_priority
        self.next_priority += 1
        self.count += 1
        while self.slots[place] >= 0:
            place = (place + 1) & self.mask
        self.slots[place] = <int32_t>slot
        return 0

    @cython.overflowcheck(False)  # distances around the table wrap
    cdef void _remove(self, uint64_t place) noexcept nogil:
        """Free the order at a place whose quantity is 0, and close the gap in the table."""
        cdef int32_t slot = self.slots[place]
        cdef uint64_t following = place, home
        self.pool[slot].priority = self.free_slot
        self.free_slot = slot
        self.count -= 1
        while True:
            following = (following + 1) & self.mask
            if self.slots[following] < 0:
                break
            home = self._home(self.pool[self.slots[following]].order_id)
            # it may move up unless its home lies behind the gap
            if ((following - home) & self.mask) >= ((following - place) & self.mask):
                self.slots[place] = self.slots[following]
                place = following
        self.slots[place] = -1
