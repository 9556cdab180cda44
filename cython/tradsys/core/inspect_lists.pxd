"""Looking at all order lists: their part of the state hash (8.5), their invariants, their part of a snapshot."""
from libc.stdint cimport uint32_t, uint64_t

from tradsys.core.list_state cimport OrderList
from tradsys.core.state cimport State

cdef uint64_t hash_lists(State* s, uint64_t h) noexcept nogil
cdef int check_lists(State* s) except -1
cdef void gather_lists(const State* s, OrderList* target) noexcept nogil    # list_count records, those in the queue first
cdef int put_list(State* s, const OrderList* record) except -1              # one of them, into a fresh state
