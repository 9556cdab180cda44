"""Write a snapshot message by message while its book goes on changing."""
cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from tradsys.core.book_view cimport BookSet, frozen_order
from tradsys.core.ladder cimport LEVEL_NONE, Ladder, ladder_next_level, level_at, level_price
from tradsys.core.memory cimport arena_give, arena_take
from tradsys.core.order cimport SLOT_NONE, Order
from tradsys.wire.records cimport (
    BLOCK_MD_ORDER_ADD,
    BLOCK_SNAPSHOT_BEGIN,
    BLOCK_SNAPSHOT_END,
    SCHEMA_ID,
    SCHEMA_VERSION,
    SIZE_MD_INSTRUMENT,
    SIZE_MD_ORDER_ADD,
    SIZE_SNAPSHOT_BEGIN,
    SIZE_SNAPSHOT_END,
    TEMPLATE_MD_ORDER_ADD,
    TEMPLATE_SNAPSHOT_BEGIN,
    TEMPLATE_SNAPSHOT_END,
    MdInstrument,
    MdOrderAdd,
    SnapshotBegin,
    SnapshotEnd,
)


@cython.final
cdef class SnapshotWalk:
    """A snapshot under way.

    While it walks a book the set of books is frozen: each block of orders is kept as it was before its first
    change, so what is written is the book at the start, however many turns the writing takes. Starting costs a
    walk over the book's levels; each message costs a few loads.

    Parameters
    ----------
    books : BookSet
        The publisher's shadow books.
    """

    def __cinit__(self, BookSet books not None):
        self.books = books
        self.levels = <FrozenLevel*>arena_take(books.orders_max * <int64_t>sizeof(FrozenLevel))
        self.definitions = <MdInstrument*>arena_take(books.instruments_max * <int64_t>sizeof(MdInstrument))

    def __dealloc__(self):
        if self.books is not None:
            arena_give(self.levels, self.books.orders_max * <int64_t>sizeof(FrozenLevel))
            arena_give(self.definitions, self.books.instruments_max * <int64_t>sizeof(MdInstrument))

    cdef int begin_book(self, const SnapshotBegin* head) except -1:
        """Start on the book of ``head.instrument_id`` as it is now; `head` says which messages that includes."""
        cdef uint32_t ref
        cdef int side_index
        cdef Ladder* ladder
        assert self.stage == SNAPSHOT_IDLE
        self.begin = head[0]
        self.level_count = 0
        self.definition_count = 0
        self.orders_left = 0
        for side_index in range(2):
            ladder = &self.books.books[head.instrument_id].sides[side_index]
            self.orders_left += ladder.order_count
            ref = ladder.best_level
            while ref != LEVEL_NONE:
                self.levels[self.level_count].price_ticks = level_price(&self.books.levels, ladder, ref)
                self.levels[self.level_count].head_slot = level_at(&self.books.levels, ref).head_slot
                self.levels[self.level_count].side = <uint32_t>(side_index + 1)
                self.level_count += 1
                ref = ladder_next_level(&self.books.levels, ref)
        self.begin.order_count = self.orders_left
        self.begin.instrument_count = 0
        self.level_index = 0
        self.slot = self.levels[0].head_slot if self.level_count else <uint32_t>SLOT_NONE
        self.books.freeze()
        self.stage = SNAPSHOT_HEAD
        return 0

    cdef int begin_definitions(self, const SnapshotBegin* head, const MdInstrument* all_definitions) except -1:
        """Start on all definitions as they are now; those with `instrument_id` 0 are not there."""
        cdef int64_t i
        assert self.stage == SNAPSHOT_IDLE
        self.begin = head[0]
        self.definition_count = 0
        self.definition_index = 0
        self.orders_left = 0
        for i in range(self.books.instruments_max):
            if all_definitions[i].instrument_id != 0:
                self.definitions[self.definition_count] = all_definitions[i]
                self.definition_count += 1
        self.begin.order_count = 0
        self.begin.instrument_count = <uint32_t>self.definition_count
        self.stage = SNAPSHOT_HEAD
        return 0

    cdef int64_t peek_bytes(self) noexcept nogil:
        """Size of the message that comes next, 0 when the snapshot is complete."""
        if self.stage == SNAPSHOT_HEAD:
            return SIZE_SNAPSHOT_BEGIN
        if self.stage == SNAPSHOT_BODY:
            return SIZE_MD_ORDER_ADD if self.begin.instrument_id else SIZE_MD_INSTRUMENT
        if self.stage == SNAPSHOT_TAIL:
            return SIZE_SNAPSHOT_END
        return 0

    cdef int write(self, uint8_t* message) except -1 nogil:
        """Write the message that comes next; there is room for `peek_bytes`."""
        cdef SnapshotBegin* head
        if self.stage == SNAPSHOT_HEAD:
            head = <SnapshotBegin*>message
            head[0] = self.begin
            head.block_length = BLOCK_SNAPSHOT_BEGIN
            head.template_id = TEMPLATE_SNAPSHOT_BEGIN
            head.schema_id = SCHEMA_ID
            head.version = SCHEMA_VERSION
            self.stage = SNAPSHOT_BODY if self.orders_left or self.definition_count else SNAPSHOT_TAIL
        elif self.stage == SNAPSHOT_TAIL:
            self._write_end(<SnapshotEnd*>message)
            self.stop()
        elif self.begin.instrument_id:
            self._write_order(<MdOrderAdd*>message)
        else:
            memcpy(message, &self.definitions[self.definition_index], SIZE_MD_INSTRUMENT)
            self.definition_index += 1
            if self.definition_index == self.definition_count:
                self.stage = SNAPSHOT_TAIL
        return 0

    cdef int _write_order(self, MdOrderAdd* message) except -1 nogil:
        cdef Order* order = frozen_order(self.books, self.slot)
        cdef FrozenLevel* level = &self.levels[self.level_index]
        assert order.order_id != 0
        assert order.instrument_id == self.begin.instrument_id
        memset(message, 0, sizeof(MdOrderAdd))
        message.block_length = BLOCK_MD_ORDER_ADD
        message.template_id = TEMPLATE_MD_ORDER_ADD
        message.schema_id = SCHEMA_ID
        message.version = SCHEMA_VERSION
        message.order_id = order.order_id
        message.price_ticks = level.price_ticks
        message.qty_lots = order.leaves_lots
        message.ts_ns = self.begin.ts_ns
        message.instrument_id = self.begin.instrument_id
        message.side = <uint8_t>level.side
        self.slot = order.next_slot
        self.orders_left -= 1
        if self.slot == SLOT_NONE:
            self.level_index += 1
            if self.level_index == self.level_count:
                assert self.orders_left == 0
                self.stage = SNAPSHOT_TAIL
            else:
                self.slot = self.levels[self.level_index].head_slot
        return 0

    cdef void _write_end(self, SnapshotEnd* message) noexcept nogil:
        memset(message, 0, sizeof(SnapshotEnd))
        message.block_length = BLOCK_SNAPSHOT_END
        message.template_id = TEMPLATE_SNAPSHOT_END
        message.schema_id = SCHEMA_ID
        message.version = SCHEMA_VERSION
        message.request_id = self.begin.request_id
        message.l3_seq = self.begin.l3_seq
        message.order_count = self.begin.order_count
        message.instrument_id = self.begin.instrument_id

    cdef void stop(self) noexcept nogil:
        """End the walk, complete or not."""
        if self.begin.instrument_id and self.stage != SNAPSHOT_IDLE:
            self.books.thaw()
        self.stage = SNAPSHOT_IDLE
