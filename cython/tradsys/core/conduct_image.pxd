"""Conduct looked at as a whole: its part of the state hash, of invariants and of a snapshot."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.state cimport State

cdef uint64_t hash_conduct(const State* s, uint64_t h) noexcept nogil
cdef int check_conduct(State* s) except -1

# Sections of a snapshot, see sections.pyx
cdef uint64_t conduct_sections_size(const State* s) noexcept nogil
cdef uint8_t* save_conduct(const State* s, uint8_t* target) noexcept nogil                  # returns the end
cdef uint64_t conduct_record_bytes(uint32_t tag) noexcept nogil                             # 0: not a section of ours
cdef int load_conduct(State* s, uint32_t tag, const uint8_t* record) except -1
