"""Positions and limits looked at as a whole: their part of the state hash, of the invariants and of a snapshot."""
from libc.stdint cimport int64_t, uint8_t, uint64_t

from tradsys.core.state cimport State

cdef uint64_t hash_risk(const State* s, uint64_t h) noexcept nogil
cdef int check_risk(State* s) except -1
cdef object position_rows(State* s)
cdef int64_t risk_bytes(const State* s) noexcept nogil
cdef int64_t save_risk(const State* s, uint8_t* target) noexcept nogil
cdef int load_risk(State* s, const uint8_t* source, int64_t size_bytes) except -1
