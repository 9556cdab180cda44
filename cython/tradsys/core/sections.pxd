"""Parts of a snapshot that a venue need not have: each a head and equal records, behind the entitlements."""
from libc.stdint cimport uint8_t, uint64_t

from tradsys.core.state cimport State

cdef uint64_t sections_size(State* s) noexcept nogil
cdef uint8_t* save_sections(State* s, uint8_t* target) noexcept nogil                       # returns the end
cdef int load_sections(State* s, const uint8_t* source, uint64_t size_bytes) except -1
