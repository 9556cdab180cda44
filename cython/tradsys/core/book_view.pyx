"""Books rebuilt from L3 messages, checked message by message."""
from collections import namedtuple

import numpy as np

cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from tradsys.core.ladder cimport (
    CACHE_PAGES,
    LEVEL_NONE,
    PAGE_BITS,
    PAGE_LEVELS,
    Ladder,
    Level,
    Page,
    ladder_append,
    ladder_best_price,
    ladder_check,
    ladder_init,
    ladder_level_at,
    ladder_next_level,
    ladder_remove,
    level_at,
    level_pool_give,
    level_pool_take,
    level_price,
)
from tradsys.core.memory cimport arena_give, arena_take
from tradsys.core.order cimport ORDERS_LIMIT, SLOT_NONE, Order, slot_of
from tradsys.wire.records cimport (
    SIDE_BUY,
    SIDE_SELL,
    SIZE_MD_ORDER_ADD,
    TEMPLATE_MD_ORDER_ADD,
    TEMPLATE_MD_ORDER_DELETE,
    TEMPLATE_MD_ORDER_EXECUTE,
    TEMPLATE_MD_ORDER_REDUCE,
    MdOrderAdd,
)

cdef enum:
    LOOK_FAR_ORDERS = 65536            # fewer orders lie in the caches

Top = namedtuple("Top", "bid_price_ticks bid_qty_lots bid_order_count ask_price_ticks ask_qty_lots ask_order_count")

LEVEL = np.dtype([("price_ticks", "<i8"), ("qty_lots", "<i8"), ("order_count", "<u4"), ("pad", "<u4")])
ORDER = np.dtype([("order_id", "<u8"), ("price_ticks", "<i8"), ("leaves_lots", "<i8")])

SENTENCES = {
    FAULT_UNKNOWN_ORDER: "order {order} is not on the book",
    FAULT_WRONG_INSTRUMENT: "order {order} is of instrument {found}, the message says {expected}",
    FAULT_WRONG_SIDE: "order {order} is on side {found}, the message says {expected}",
    FAULT_WRONG_PRICE: "order {order} rests at {found} ticks, the message says {expected}",
    FAULT_WRONG_QUANTITY: "order {order} has {found} lots left, the message says {expected}",
    FAULT_SLOT_TAKEN: "order {order} comes on the slot of order {found}, which is still on the book",
    FAULT_OUT_OF_RANGE: "order {order} has a slot, price, quantity or side that cannot be ({expected})",
    FAULT_FULL: "no room for order {order}",
    FAULT_BAD_MESSAGE: "template {found} is not an L3 message",
}


class StaleBookError(RuntimeError):
    """A book was asked while it is not known to equal the venue's; the message says why."""


@cython.final
cdef class BookSet:
    """The books of a feed.

    Invariant: a live book holds exactly the orders that its messages up to `l3_seq` leave resting, each level
    in priority order; a book that is not live holds none.

    Parameters
    ----------
    orders_max : int
        Slots: one more than the greatest slot an order id may have, at most 2**24. The venue's own orders_max fits.
    instruments_max : int
        One more than the greatest instrument id.

    Notes
    -----
    Memory is reserved here and becomes real as slots are used: 64 bytes an order and 28 a tick of the price
    pages in use. Orders of different books can claim one slot only while books stand at different points of the
    feed (while snapshots come in); the later one then lives outside its slot and is found by its whole id.
    """

    def __cinit__(self, int64_t orders_max=1 << 20, int64_t instruments_max=1024):
        cdef int64_t instrument, places
        if not 1 <= orders_max <= ORDERS_LIMIT:
            raise ValueError(f"orders_max must be in [1, {ORDERS_LIMIT}], was {orders_max}")
        if not 2 <= instruments_max <= 1 << 20:
            raise ValueError(f"instruments_max must be in [2, {1 << 20}], was {instruments_max}")
        self.orders_max = orders_max
        self.instruments_max = instruments_max
        self.overflow_max = orders_max
        places = orders_max + self.overflow_max
        self.orders = <Order*>arena_take(places * <int64_t>sizeof(Order))
        self.books = <Book*>arena_take(instruments_max * <int64_t>sizeof(Book))
        level_pool_take(&self.levels, places)
        for instrument in range(instruments_max):
            ladder_init(&self.books[instrument].sides[0], <uint32_t>(2 * instrument + 1), True)
            ladder_init(&self.books[instrument].sides[1], <uint32_t>(2 * instrument + 2), False)
        self.overflow = {}
        self.overflow_free = []

    def __dealloc__(self):
        cdef int64_t places = self.orders_max + self.overflow_max
        arena_give(self.orders, places * <int64_t>sizeof(Order))
        arena_give(self.books, self.instruments_max * <int64_t>sizeof(Book))
        if self.levels.pages != NULL:
            level_pool_give(&self.levels)
        arena_give(self.frozen, self.orders_max * <int64_t>sizeof(Order))
        arena_give(self.frozen_epoch, self._blocks() * <int64_t>sizeof(int64_t))

    # ---- messages ----

    def apply(self, messages not None, uint64_t first_seq=0):
        """Apply L3 messages in order.

        Parameters
        ----------
        messages : ndarray or bytes-like
            48-byte records back to back.
        first_seq : int
            Channel number of the first; 0: not numbered (each book then counts its own). Messages whose number
            is not above a book's `l3_seq` are passed over.

        Returns
        -------
        int
            Messages that changed a book.

        Raises
        ------
        ValueError
            The buffer is not whole records. A message that does not fit raises nothing: it breaks its book.
        """
        cdef const uint8_t[::1] raw = _bytes_of(messages)
        cdef int64_t count = raw.shape[0] // SIZE_MD_ORDER_ADD
        cdef int64_t changed
        if raw.shape[0] % SIZE_MD_ORDER_ADD:
            raise ValueError(f"L3 messages are {SIZE_MD_ORDER_ADD} bytes each, got {raw.shape[0]} bytes")
        if count == 0:
            return 0
        with nogil:
            changed = self.apply_messages(<const MdOrderAdd*>&raw[0], count, first_seq)
        return changed

    cdef int64_t apply_messages(self, const MdOrderAdd* messages, int64_t count,
                                uint64_t first_seq) except -1 nogil:
        cdef int64_t i, before = self.applied
        cdef bint far = self.order_count > LOOK_FAR_ORDERS
        cdef uint32_t levels[LOOK_RING]
        cdef const MdOrderAdd* ahead
        cdef uint32_t instrument_id
        cdef uint64_t seq
        cdef Book* book
        memset(levels, 0, sizeof(levels))
        for i in range(count):
            if i + LOOK_ORDER < count:
                look_order(self, messages[i + LOOK_ORDER].order_id)
                if far:
                    ahead = &messages[i + LOOK_LEVEL]
                    levels[(i + LOOK_LEVEL) & (LOOK_RING - 1)] = look_level(self, ahead.order_id, ahead.instrument_id,
                                                                            ahead.side, ahead.price_ticks)
                    look_queue(self, messages[i + LOOK_QUEUE].order_id, levels[(i + LOOK_QUEUE) & (LOOK_RING - 1)])
            instrument_id = messages[i].instrument_id
            if instrument_id >= self.instruments_max:
                self.passed_over += 1
                continue
            book = &self.books[instrument_id]
            seq = first_seq + <uint64_t>i if first_seq else book.l3_seq + 1
            if book.state != BOOK_LIVE or seq <= book.l3_seq:
                self.passed_over += 1
                continue
            book.l3_seq = seq
            self.apply_one(&messages[i])
        return self.applied - before

    cdef int apply_one(self, const MdOrderAdd* message) except -1 nogil:
        """Apply a message to its book, which is live. 1: it fitted; 0: it broke the book."""
        cdef Book* book = &self.books[message.instrument_id]
        cdef uint32_t slot = slot_of(message.order_id)
        if (message.side != SIDE_BUY and message.side != SIDE_SELL) or message.qty_lots < 1 or \
                slot >= self.orders_max or message.order_id == 0 or \
                message.price_ticks == (INT64_MIN if message.side == SIDE_BUY else INT64_MAX):  # "no price" of its side
            return self.break_book(book, FAULT_OUT_OF_RANGE, message.order_id, 0, message.qty_lots)
        if message.template_id == TEMPLATE_MD_ORDER_ADD:
            return self._add(book, message, slot)
        if message.template_id < TEMPLATE_MD_ORDER_ADD or message.template_id > TEMPLATE_MD_ORDER_EXECUTE:
            return self.break_book(book, FAULT_BAD_MESSAGE, message.order_id, message.template_id, 0)
        return self._take_off(book, message, slot)

    cdef int _add(self, Book* book, const MdOrderAdd* message, uint32_t slot) except -1 nogil:
        cdef Order* order = &self.orders[slot]
        cdef int side_index = message.side - 1
        cdef Ladder* ladder = &book.sides[side_index]
        if order.order_id != 0 or self.overflow_count:
            if order.order_id == message.order_id or (order.order_id != 0
                                                      and order.instrument_id == message.instrument_id) or \
                    self._elsewhere(message.order_id) != SLOT_NONE:
                return self.break_book(book, FAULT_SLOT_TAKEN, message.order_id, <int64_t>order.order_id, 0)
            if order.order_id != 0:
                slot = self._take_overflow(message.order_id)
                if slot == SLOT_NONE:
                    return self.break_book(book, FAULT_FULL, message.order_id, 0, 0)
                order = &self.orders[slot]
        if self.freeze_epoch:
            self._save_neighbours(book, slot, side_index, message.price_ticks)
        order.order_id = message.order_id
        order.leaves_lots = message.qty_lots
        order.instrument_id = message.instrument_id
        order.traits = message.side
        ladder_append(&self.levels, ladder, self.orders, slot, message.price_ticks ^ ladder.key_mask)
        self.order_count += 1
        self.applied += 1
        return 1

    cdef int _take_off(self, Book* book, const MdOrderAdd* message, uint32_t slot) except -1 nogil:
        """Reduce, delete and execute: the order must be there, as the message says, with enough left."""
        cdef Order* order = &self.orders[slot]
        cdef Ladder* ladder
        cdef int64_t price_ticks
        if order.order_id != message.order_id:
            slot = self._elsewhere(message.order_id)
            if slot == SLOT_NONE:
                return self.break_book(book, FAULT_UNKNOWN_ORDER, message.order_id, 0, 0)
            order = &self.orders[slot]
        if order.instrument_id != message.instrument_id:
            return self.break_book(book, FAULT_WRONG_INSTRUMENT, message.order_id, order.instrument_id,
                                   message.instrument_id)
        if order.traits != message.side:
            return self.break_book(book, FAULT_WRONG_SIDE, message.order_id, order.traits, message.side)
        ladder = &book.sides[message.side - 1]
        price_ticks = level_price(&self.levels, ladder, order.level)
        if price_ticks != message.price_ticks:
            return self.break_book(book, FAULT_WRONG_PRICE, message.order_id, price_ticks, message.price_ticks)
        if message.qty_lots > order.leaves_lots or \
                (message.qty_lots == order.leaves_lots) < (message.template_id == TEMPLATE_MD_ORDER_DELETE) or \
                (message.qty_lots == order.leaves_lots) > (message.template_id != TEMPLATE_MD_ORDER_REDUCE):
            return self.break_book(book, FAULT_WRONG_QUANTITY, message.order_id, order.leaves_lots,
                                   message.qty_lots)
        if self.freeze_epoch:
            self._save_neighbours(book, slot, message.side - 1, price_ticks)
        self.applied += 1
        if message.qty_lots < order.leaves_lots:
            level_at(&self.levels, order.level).qty_lots -= message.qty_lots
            order.leaves_lots -= message.qty_lots
            return 1
        ladder_remove(&self.levels, ladder, self.orders, order)
        self._give_slot(slot)
        return 1

    # ---- places outside the slots ----

    cdef uint32_t _elsewhere(self, uint64_t order_id) noexcept nogil:
        """Position of an order that lives outside its slot, else SLOT_NONE."""
        if self.overflow_count == 0:
            return SLOT_NONE
        with gil:
            return <uint32_t>self.overflow.get(order_id, <uint32_t>SLOT_NONE)

    cdef uint32_t _take_overflow(self, uint64_t order_id) noexcept nogil:
        cdef uint32_t position
        if self.overflow_count == self.overflow_max:
            return <uint32_t>SLOT_NONE
        with gil:
            position = self.overflow_free.pop() if self.overflow_free else self.orders_max + self.overflow_count
            self.overflow[order_id] = position
            self.overflow_count += 1
            return position

    cdef int _give_slot(self, uint32_t position) except -1 nogil:
        cdef Order* order = &self.orders[position]
        self.order_count -= 1
        if position >= self.orders_max:
            with gil:
                del self.overflow[order.order_id]
                self.overflow_free.append(position)
                self.overflow_count -= 1
        order.order_id = 0
        return 0

    # ---- states of a book ----

    cdef int break_book(self, Book* book, BookFault fault, uint64_t order_id, int64_t found,
                        int64_t expected) except -1 nogil:
        """Empty a book that is wrong and remember why; returns 0."""
        book.fault = fault
        book.fault_seq = book.l3_seq
        book.fault_order_id = order_id
        book.fault_found = found
        book.fault_expected = expected
        self.breaks += 1
        self.empty_book(self._instrument_of(book))
        book.state = BOOK_BROKEN
        return 0

    cdef int empty_book(self, uint32_t instrument_id) except -1 nogil:
        """Take every order off a book; it is then unknown."""
        cdef Book* book = &self.books[instrument_id]
        cdef uint32_t slot
        cdef int side_index
        for side_index in range(2):
            while book.sides[side_index].best_level != LEVEL_NONE:
                slot = level_at(&self.levels, book.sides[side_index].best_level).head_slot
                if self.freeze_epoch:
                    self._save(slot)
                    if self.orders[slot].next_slot != SLOT_NONE:
                        self._save(self.orders[slot].next_slot)
                ladder_remove(&self.levels, &book.sides[side_index], self.orders, &self.orders[slot])
                self._give_slot(slot)
        book.state = BOOK_UNKNOWN
        return 0

    cdef int load_orders(self, uint32_t instrument_id, const MdOrderAdd* messages, int64_t count,
                         uint64_t l3_seq) except -1 nogil:
        """Replace a book by a snapshot's orders. 1: it is live; 0: the snapshot does not fit and the book is
        broken.
        """
        cdef Book* book = &self.books[instrument_id]
        cdef int64_t i
        self.empty_book(instrument_id)
        book.state = BOOK_LIVE
        book.fault = FAULT_NONE
        book.l3_seq = l3_seq
        for i in range(count):
            if messages[i].instrument_id != instrument_id:
                return self.break_book(book, FAULT_WRONG_INSTRUMENT, messages[i].order_id,
                                       messages[i].instrument_id, instrument_id)
            if messages[i].template_id != TEMPLATE_MD_ORDER_ADD:
                return self.break_book(book, FAULT_BAD_MESSAGE, messages[i].order_id, messages[i].template_id, 0)
            if not self.apply_one(&messages[i]):
                return 0
        self.applied -= count
        return 1

    def load(self, instrument_id, messages not None, uint64_t l3_seq):
        """Replace a book by a snapshot: MdOrderAdds, best level first, each in priority order; live
        afterwards, or broken.

        Returns whether the snapshot fitted.
        """
        cdef const uint8_t[::1] raw = _bytes_of(messages)
        self._book(instrument_id)
        if raw.shape[0] % SIZE_MD_ORDER_ADD:
            raise ValueError(f"L3 messages are {SIZE_MD_ORDER_ADD} bytes each, got {raw.shape[0]} bytes")
        return bool(self.load_orders(instrument_id, <const MdOrderAdd*>&raw[0] if raw.shape[0] else NULL,
                                     raw.shape[0] // SIZE_MD_ORDER_ADD, l3_seq))

    def mark_live(self, instrument_id, uint64_t l3_seq=0):
        """Say that a book is known to be empty after message `l3_seq`."""
        self._book(instrument_id)
        self.load_orders(instrument_id, NULL, 0, l3_seq)

    def mark_unknown(self, instrument_id=None):
        """Forget one book, or all: they wait for snapshots."""
        if instrument_id is not None:
            self._book(instrument_id)
            self.empty_book(instrument_id)
            return
        cdef int64_t each
        for each in range(self.instruments_max):
            if self.books[each].state != BOOK_UNKNOWN:
                self.empty_book(<uint32_t>each)

    def mark_behind(self, why):
        """Say why all books lag the feed (a hole, a silent line), or None when they no longer do."""
        self.behind = why

    cdef uint32_t _instrument_of(self, const Book* book) noexcept nogil:
        return <uint32_t>((<int64_t>book - <int64_t>self.books) // <int64_t>sizeof(Book))

    cdef Book* _book(self, instrument_id) except NULL:
        if not 0 <= instrument_id < self.instruments_max:
            raise ValueError(f"instrument_id must be in [0, {self.instruments_max - 1}], was {instrument_id}")
        return &self.books[<int64_t>instrument_id]

    def stale_reason(self, instrument_id):
        """Why a book must not be believed, as a sentence; None when it may be."""
        cdef Book* book = self._book(instrument_id)
        if book.state == BOOK_UNKNOWN:
            return "no snapshot of the book has been applied yet"
        if book.state == BOOK_BROKEN:
            return f"L3 message {book.fault_seq} does not fit: " + SENTENCES[book.fault].format(
                order=book.fault_order_id, found=book.fault_found, expected=book.fault_expected)
        return self.behind

    def fault(self, instrument_id):
        """The `BookFault` number that broke a book, 0 when it is not broken."""
        cdef Book* book = self._book(instrument_id)
        return book.fault if book.state == BOOK_BROKEN else 0

    def is_live(self, instrument_id):
        """Whether the book equals the venue's after `l3_seq` (it may still lag, see `stale_reason`)."""
        return self._book(instrument_id).state == BOOK_LIVE

    def l3_seq(self, instrument_id):
        """Last L3 message the book includes."""
        return self._book(instrument_id).l3_seq

    def live_instruments(self):
        """Ids of the live books, ascending."""
        return [each for each in range(self.instruments_max) if self.books[<int64_t>each].state == BOOK_LIVE]

    def view(self, instrument_id):
        """A `BookView` of one instrument; it follows the book."""
        return BookView(instrument_id, self)

    # ---- levels ----

    cdef uint32_t level_of(self, uint32_t instrument_id, int side_index, int64_t price_ticks) noexcept nogil:
        """Level of a price, LEVEL_NONE when nothing rests there. O(1) near the prices used lately."""
        cdef Ladder* ladder = &self.books[instrument_id].sides[side_index]
        cdef int64_t key = price_ticks ^ ladder.key_mask
        cdef uint32_t page = ladder.cache[(key >> PAGE_BITS) & (CACHE_PAGES - 1)]
        cdef Page* record = &self.levels.pages[page]
        cdef uint32_t index = <uint32_t>(key & (PAGE_LEVELS - 1))
        if record.page_key == key >> PAGE_BITS and record.owner == ladder.owner:
            return page * PAGE_LEVELS + index if record.occupied & (<uint32_t>1 << index) else <uint32_t>LEVEL_NONE
        return ladder_level_at(&self.levels, ladder, price_ticks)

    # ---- a frozen view, for snapshots that take many turns ----

    cdef int64_t freeze(self) except -1:
        """From now on keep each block of orders as it is before it first changes; read them with `frozen_order`."""
        assert self.freeze_epoch == 0
        if self.frozen == NULL:
            self.frozen = <Order*>arena_take((self._blocks() << FREEZE_BITS) * <int64_t>sizeof(Order))
            self.frozen_epoch = <int64_t*>arena_take(self._blocks() * <int64_t>sizeof(int64_t))
        self.last_epoch += 1
        self.freeze_epoch = self.last_epoch
        return self.freeze_epoch

    cdef void thaw(self) noexcept nogil:
        """End the freeze."""
        self.freeze_epoch = 0

    cdef int64_t _blocks(self) noexcept nogil:
        return (self.orders_max >> FREEZE_BITS) + 1

    cdef void _save(self, uint32_t slot) noexcept nogil:
        """Keep the block of an order that is about to change, once a freeze."""
        cdef int64_t block = slot >> FREEZE_BITS
        cdef int64_t first = block << FREEZE_BITS
        cdef int64_t count = 1 << FREEZE_BITS
        if slot >= self.orders_max or self.frozen_epoch[block] == self.freeze_epoch:
            return
        if first + count > self.orders_max:
            count = self.orders_max - first
        memcpy(&self.frozen[first], &self.orders[first], <size_t>count * sizeof(Order))
        self.frozen_epoch[block] = self.freeze_epoch

    cdef void _save_neighbours(self, Book* book, uint32_t slot, int side_index, int64_t price_ticks) noexcept nogil:
        """Keep an order about to come or change and those whose links change with it."""
        cdef Order* order = &self.orders[slot]
        cdef uint32_t level
        self._save(slot)
        if order.order_id != 0:
            if order.prev_slot != SLOT_NONE:
                self._save(order.prev_slot)
            if order.next_slot != SLOT_NONE:
                self._save(order.next_slot)
            return
        level = self.level_of(self._instrument_of(book), side_index, price_ticks)
        if level != LEVEL_NONE:
            self._save(level_at(&self.levels, level).tail_slot)

    # ---- check ----

    def check(self):
        """Walk every ladder: links, sums, bitmaps; orders on the ladders are those held."""
        cdef int64_t each, counted = 0
        cdef int side_index
        for each in range(self.instruments_max):
            for side_index in range(2):
                count = ladder_check(&self.levels, &self.books[each].sides[side_index], self.orders)
                counted += count
                if count and self.books[each].state != BOOK_LIVE:
                    raise AssertionError(f"book {each} is not live and holds {count} orders")
        if counted != self.order_count:
            raise AssertionError(f"{self.order_count} orders are held, {counted} are on the ladders")
        if self.overflow_count != len(self.overflow):
            raise AssertionError(f"{len(self.overflow)} orders are outside their slots, {self.overflow_count} counted")


@cython.final
cdef class BookView:
    """One instrument's book.

    Parameters
    ----------
    instrument_id : int
    books : BookSet, optional
        The set it is part of; without one the view has its own, empty and live.

    Notes
    -----
    A query on a book that is not known to be right raises `StaleBookError`; with ``stale_ok=True`` it tells
    what was known last (nothing, when the book is broken or unknown).
    """

    def __cinit__(self, instrument_id, BookSet books=None, *, orders_max=1 << 20):
        if books is None:
            books = BookSet(orders_max=orders_max, instruments_max=max(2, instrument_id + 1))
            books.mark_live(instrument_id)
        self.books = books
        self.book = books._book(instrument_id)
        self.instrument_id = instrument_id

    def apply(self, messages, first_seq=0):
        """Apply L3 messages (to the whole set the view is part of); see `BookSet.apply`."""
        return self.books.apply(messages, first_seq)

    def apply_snapshot(self, messages, l3_seq=0):
        """Replace the book by a snapshot's MdOrderAdds."""
        return self.books.load(self.instrument_id, messages, l3_seq)

    cdef int _ready(self, bint stale_ok) except -1:
        if not stale_ok:
            reason = self.books.stale_reason(self.instrument_id)
            if reason is not None:
                raise StaleBookError(f"instrument {self.instrument_id}: {reason}")
        return 0

    @property
    def stale(self):
        """Whether the book must not be believed."""
        return self.books.stale_reason(self.instrument_id) is not None

    @property
    def stale_reason(self):
        """Why it must not be believed, or None."""
        return self.books.stale_reason(self.instrument_id)

    @property
    def l3_seq(self):
        """Last L3 message included."""
        return self.book.l3_seq

    @property
    def order_count(self):
        """Orders on both sides."""
        return self.book.sides[0].order_count + self.book.sides[1].order_count

    def best(self, *, stale_ok=False):
        """Best prices with quantity and order count as a `Top`; None where a side is empty."""
        self._ready(stale_ok)
        return Top(*_best(self, 0), *_best(self, 1))

    def qty_at(self, int side, int64_t price_ticks, *, stale_ok=False):
        """Lots resting at a price."""
        self._ready(stale_ok)
        cdef uint32_t level = self.books.level_of(self.instrument_id, _side_index(side), price_ticks)
        return level_at(&self.books.levels, level).qty_lots if level != LEVEL_NONE else 0

    def depth(self, int side, int64_t levels=10, *, stale_ok=False):
        """The best levels of a side as an array of `LEVEL` (price_ticks, qty_lots, order_count), best first."""
        self._ready(stale_ok)
        cdef Ladder* ladder = &self.book.sides[_side_index(side)]
        cdef uint32_t ref = ladder.best_level
        cdef Level* level
        cdef int64_t row = 0
        found = np.zeros(min(levels, ladder.level_count), dtype=LEVEL)
        cdef int64_t[:, ::1] words = found.view(np.int64).reshape(len(found), 3)
        while ref != LEVEL_NONE and row < words.shape[0]:
            level = level_at(&self.books.levels, ref)
            words[row, 0] = level_price(&self.books.levels, ladder, ref)
            words[row, 1] = level.qty_lots
            words[row, 2] = level.order_count
            row += 1
            ref = ladder_next_level(&self.books.levels, ref)
        return found

    def orders(self, int side, *, stale_ok=False):
        """All orders of a side as an array of `ORDER`, best level first, each level in priority order."""
        self._ready(stale_ok)
        cdef Ladder* ladder = &self.book.sides[_side_index(side)]
        cdef uint32_t ref = ladder.best_level, slot
        cdef int64_t row = 0
        found = np.zeros(ladder.order_count, dtype=ORDER)
        cdef int64_t[:, ::1] words = found.view(np.int64).reshape(len(found), 3)
        while ref != LEVEL_NONE:
            slot = level_at(&self.books.levels, ref).head_slot
            while slot != SLOT_NONE:
                words[row, 0] = <int64_t>self.books.orders[slot].order_id
                words[row, 1] = level_price(&self.books.levels, ladder, ref)
                words[row, 2] = self.books.orders[slot].leaves_lots
                row += 1
                slot = self.books.orders[slot].next_slot
            ref = ladder_next_level(&self.books.levels, ref)
        return found

    @property
    def crossed(self):
        """Whether the best bid is at or above the best ask."""
        return self.book.sides[0].best_level != LEVEL_NONE and self.book.sides[1].best_level != LEVEL_NONE and \
            ladder_best_price(&self.book.sides[0]) >= ladder_best_price(&self.book.sides[1])

    def check(self):
        """Walk the book's two ladders."""
        ladder_check(&self.books.levels, &self.book.sides[0], self.books.orders)
        ladder_check(&self.books.levels, &self.book.sides[1], self.books.orders)


cdef int _side_index(int side) except -1:
    if side != SIDE_BUY and side != SIDE_SELL:
        raise ValueError(f"side must be {SIDE_BUY} (buy) or {SIDE_SELL} (sell), was {side}")
    return side - 1


cdef tuple _best(BookView view, int side_index):
    cdef Ladder* ladder = &view.book.sides[side_index]
    cdef Level* level
    if ladder.best_level == LEVEL_NONE:
        return None, 0, 0
    level = level_at(&view.books.levels, ladder.best_level)
    return ladder_best_price(ladder), level.qty_lots, level.order_count


cdef _bytes_of(messages):
    """The bytes of an array or buffer, without a copy."""
    if isinstance(messages, np.ndarray):
        return np.ascontiguousarray(messages).view(np.uint8).reshape(-1)
    return np.frombuffer(messages, dtype=np.uint8)
