"""Books rebuilt from L3 messages: what a reader of the feed knows, and the publisher's own shadow of the
engine's books.

One `BookSet` holds the books of a whole feed: orders in one pool addressed by the slot in their id, price
levels in the same ladders the engine uses. A message that does not fit breaks the book it names: the book is
emptied, says why, and waits for a snapshot; the others go on.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.ladder cimport CACHE_PAGES, PAGE_BITS, PAGE_LEVELS, Ladder, LevelPool, level_at
from tradsys.core.order cimport Order, slot_of
from tradsys.core.prefetch cimport chosen, prefetch_to_write
from tradsys.wire.records cimport MdOrderAdd

cdef enum:
    FREEZE_BITS = 6                    # orders of a block that is saved as one: 64

cdef enum:                             # messages between a look and the message itself
    LOOK_ORDER = 20
    LOOK_LEVEL = 12
    LOOK_QUEUE = 6
    LOOK_RING = 16                     # a power of two above LOOK_LEVEL


cdef enum BookState:
    BOOK_UNKNOWN = 0                   # nothing known yet: messages are passed over
    BOOK_LIVE = 1                      # equal to the venue's book after l3_seq
    BOOK_BROKEN = 2                    # a message did not fit: messages are passed over


cdef enum BookFault:
    FAULT_NONE = 0
    FAULT_UNKNOWN_ORDER = 1            # no order of that id
    FAULT_WRONG_INSTRUMENT = 2         # the order is of another instrument; found: its instrument
    FAULT_WRONG_SIDE = 3               # found: the order's side
    FAULT_WRONG_PRICE = 4              # found: the order's price
    FAULT_WRONG_QUANTITY = 5           # found: the order's leaves
    FAULT_SLOT_TAKEN = 6               # an order of the same book has the slot; found: its id
    FAULT_OUT_OF_RANGE = 7             # slot, price or quantity cannot be
    FAULT_FULL = 8                     # no room for the order
    FAULT_BAD_MESSAGE = 9              # not one of the four L3 messages


cdef struct Book:                      # one instrument
    Ladder sides[2]                    # bids, asks
    uint64_t l3_seq                    # last L3 message included
    int32_t state                      # BookState
    int32_t fault                      # BookFault that broke it
    uint64_t fault_seq                 # L3 message that did not fit
    uint64_t fault_order_id            # order it named
    int64_t fault_found                # what was found, by fault
    int64_t fault_expected             # what the message said
    uint64_t touched                   # for the owner's use: publisher's turn


cdef class BookSet:
    # hot
    cdef Order* orders                 # slots, then overflow
    cdef LevelPool levels
    cdef Book* books                   # by instrument
    cdef readonly int64_t orders_max
    cdef readonly int64_t instruments_max
    cdef int64_t overflow_count        # orders that live outside their slot
    cdef int64_t freeze_epoch          # of the running freeze; 0: none
    # figures
    cdef readonly int64_t applied      # messages that changed a book
    cdef readonly int64_t passed_over  # messages of books not live, or included in a snapshot already
    cdef readonly int64_t breaks       # times a book broke
    cdef readonly int64_t order_count  # orders held
    # cold
    cdef dict overflow                 # order_id -> position behind the slots
    cdef list overflow_free
    cdef int64_t overflow_max
    cdef readonly object behind        # why all books lag the feed, or None
    cdef Order* frozen                 # saved blocks, by slot
    cdef int64_t* frozen_epoch         # freeze a block was last saved in
    cdef int64_t last_epoch

    cdef int64_t apply_messages(self, const MdOrderAdd* messages, int64_t count, uint64_t first_seq) except -1 nogil
    cdef int apply_one(self, const MdOrderAdd* message) except -1 nogil
    cdef int _add(self, Book* book, const MdOrderAdd* message, uint32_t slot) except -1 nogil
    cdef int _take_off(self, Book* book, const MdOrderAdd* message, uint32_t slot) except -1 nogil
    cdef uint32_t _elsewhere(self, uint64_t order_id) noexcept nogil
    cdef int _give_slot(self, uint32_t position) except -1 nogil
    cdef uint32_t _take_overflow(self, uint64_t order_id) noexcept nogil
    cdef int break_book(self, Book* book, BookFault fault, uint64_t order_id, int64_t found,
                        int64_t expected) except -1 nogil
    cdef int empty_book(self, uint32_t instrument_id) except -1 nogil
    cdef int load_orders(self, uint32_t instrument_id, const MdOrderAdd* messages, int64_t count,
                         uint64_t l3_seq) except -1 nogil
    cdef uint32_t level_of(self, uint32_t instrument_id, int side_index, int64_t price_ticks) noexcept nogil
    cdef int64_t freeze(self) except -1
    cdef void thaw(self) noexcept nogil
    cdef int64_t _blocks(self) noexcept nogil
    cdef void _save(self, uint32_t slot) noexcept nogil
    cdef void _save_neighbours(self, Book* book, uint32_t slot, int side_index, int64_t price_ticks) noexcept nogil
    cdef uint32_t _instrument_of(self, const Book* book) noexcept nogil
    cdef Book* _book(self, instrument_id) except NULL


# Looks at messages to come. They read state that messages in between will change and decide nothing but what is fetched
# into the cache. While the orders lie in the caches only the first pays: the processor, which works on several messages
# at once, comes to the rest early enough by itself.

cdef inline void look_order(BookSet books, uint64_t order_id) noexcept nogil:
    """Ask for the cache line of an order."""
    cdef uint32_t slot = slot_of(order_id)
    if slot < books.orders_max:
        prefetch_to_write(&books.orders[slot])


cdef inline uint32_t look_level(BookSet books, uint64_t order_id, uint32_t instrument_id, uint32_t side,
                                int64_t price_ticks) noexcept nogil:
    """Ask for the level an order rests on or seems to go to, and return it. The order's own line has come."""
    cdef uint32_t slot = slot_of(order_id)
    cdef const Order* order = &books.orders[chosen(slot < books.orders_max, slot, 0)]
    cdef const Ladder* ladder = &books.books[instrument_id if instrument_id < books.instruments_max else 0].sides[
        (side + 1) & 1]
    cdef int64_t key = price_ticks ^ ladder.key_mask
    cdef uint32_t goes_to = ladder.cache[(key >> PAGE_BITS) & (CACHE_PAGES - 1)] * PAGE_LEVELS + <uint32_t>(
        key & (PAGE_LEVELS - 1))
    cdef uint32_t level = chosen(order.order_id == order_id, order.level, goes_to)
    prefetch_to_write(&books.levels.pages[level >> PAGE_BITS])
    prefetch_to_write(level_at(&books.levels, level))
    return level


cdef inline void look_queue(BookSet books, uint64_t order_id, uint32_t level) noexcept nogil:
    """Ask for the neighbours of an order that rests, or for the last order of the level a new one goes to."""
    cdef uint32_t slot = slot_of(order_id)
    cdef const Order* order = &books.orders[chosen(slot < books.orders_max, slot, 0)]
    cdef bint rests = order.order_id == order_id
    cdef uint32_t before = chosen(rests, order.prev_slot, level_at(&books.levels, level).tail_slot)
    cdef uint32_t after = chosen(rests, order.next_slot, before)
    prefetch_to_write(&books.orders[chosen(before < books.orders_max, before, slot)])
    prefetch_to_write(&books.orders[chosen(after < books.orders_max, after, slot)])


cdef inline Order* frozen_order(BookSet books, uint32_t slot) noexcept nogil:
    """An order as it was when the running freeze began."""
    if books.frozen_epoch[slot >> FREEZE_BITS] == books.freeze_epoch:
        return &books.frozen[slot]
    return &books.orders[slot]


cdef class BookView:
    cdef readonly BookSet books
    cdef readonly uint32_t instrument_id
    cdef Book* book
    cdef int _ready(self, bint stale_ok) except -1
