"""One book, or all definitions, as a snapshot's messages: consistent at one moment, written over many turns."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.book_view cimport BookSet
from tradsys.wire.records cimport MdInstrument, MdOrderAdd, SnapshotBegin, SnapshotEnd

cdef enum SnapshotStage:
    SNAPSHOT_IDLE = 0
    SNAPSHOT_HEAD = 1              # SnapshotBegin comes next
    SNAPSHOT_BODY = 2
    SNAPSHOT_TAIL = 3              # SnapshotEnd comes next


cdef struct FrozenLevel:
    int64_t price_ticks
    uint32_t head_slot
    uint32_t side


cdef class SnapshotWalk:
    cdef BookSet books
    cdef readonly int32_t stage            # SnapshotStage
    cdef SnapshotBegin begin
    # a book
    cdef FrozenLevel* levels               # as they were at the start
    cdef int64_t level_count
    cdef int64_t level_index
    cdef uint32_t slot                     # next order to write
    cdef uint64_t orders_left
    # definitions
    cdef MdInstrument* definitions         # as they were at the start
    cdef int64_t definition_count
    cdef int64_t definition_index

    cdef int begin_book(self, const SnapshotBegin* head) except -1
    cdef int begin_definitions(self, const SnapshotBegin* head, const MdInstrument* all_definitions) except -1
    cdef int64_t peek_bytes(self) noexcept nogil
    cdef int write(self, uint8_t* message) except -1 nogil
    cdef int _write_order(self, MdOrderAdd* message) except -1 nogil
    cdef void _write_end(self, SnapshotEnd* message) noexcept nogil
    cdef void stop(self) noexcept nogil
