"""The mixing step of the state hash (section 8 of the rule book)."""
cimport cython
from libc.stdint cimport uint64_t


cdef inline uint64_t hash_start() noexcept nogil:
    return <uint64_t> 0x9E3779B97F4A7C15


@cython.overflowcheck(False)
cdef inline uint64_t mix(uint64_t h, uint64_t word) noexcept nogil:
    h = (h ^ word) * <uint64_t> 0xBF58476D1CE4E5B9
    return h ^ (h >> 29)
