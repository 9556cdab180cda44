"""Looking at the whole state: its hash (section 8 of the rule book), its invariants, its snapshot."""
from libc.stdint cimport int64_t, uint8_t, uint64_t

from tradsys.core.state cimport State

cdef uint64_t hash_state(State* s) noexcept nogil
# The first time at which a live GTD order expires; INT64_MAX when there is none. O(slots)
cdef int64_t first_expiry(const State* s) noexcept nogil
cdef int check_state(State* s) except -1
cdef int64_t snapshot_bytes(State* s) noexcept nogil
cdef int64_t save_state(State* s, uint8_t* target, bint hashed) except -1 nogil
cdef int load_state(State* s, const uint8_t* source, int64_t size_bytes) except -1
