"""The resting orders of any number of books, found by id: what L3 rows are folded into."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef struct HeldOrder:         # NumPy's ORDER; qty_lots 0: the slot is free
    uint64_t order_id
    int64_t price_ticks
    int64_t qty_lots           # what is left
    int64_t ts_ns              # of the add
    int64_t priority           # counts adds; smaller is earlier
    uint32_t instrument_id
    uint8_t side
    uint8_t pad[3]


cdef class OrdersHeld:
    cdef HeldOrder* pool       # borrowed from `memory`
    cdef int32_t* slots        # hash table of pool slots, -1: empty; borrowed from `table`
    cdef uint64_t mask         # size of the table - 1; the size is a power of two and at least twice `room`
    cdef int64_t room          # orders the pool holds
    cdef int64_t used          # slots of the pool ever used
    cdef int64_t free_slot     # head of the list of freed slots, through their priority; -1: none
    cdef int64_t next_priority
    cdef readonly int64_t count    # orders held
    cdef readonly int64_t misfits  # rows that did not fit
    cdef object memory
    cdef object table

    cdef int _grow(self, int64_t more) except -1
    cdef uint64_t _home(self, uint64_t order_id) noexcept nogil
    cdef int64_t _find(self, uint64_t order_id) noexcept nogil
    cdef int _add(self, uint64_t order_id, int64_t price_ticks, int64_t qty_lots, int64_t ts_ns, uint32_t instrument_id,
                  uint8_t side) except -1 nogil
    cdef void _remove(self, uint64_t place) noexcept nogil
