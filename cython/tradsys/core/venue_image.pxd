"""Fees, kept matches, circuit breakers looked at as a whole: their part of the state hash, of invariants and of a snapshot."""
from libc.stdint cimport int64_t, uint8_t, uint64_t

from tradsys.core.state cimport State

cdef uint64_t hash_venue(const State* s, uint64_t h) noexcept nogil
cdef int check_venue(State* s) except -1
cdef int64_t venue_bytes(const State* s) noexcept nogil
cdef int64_t save_venue(const State* s, uint8_t* target) noexcept nogil                     # returns the bytes written
cdef int load_venue(State* s, const uint8_t* source, int64_t size_bytes) except -1
