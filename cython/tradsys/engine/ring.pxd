"""Memory mapped twice in a row: what runs over the end of a ring goes on at its beginning without anybody noticing."""
from libc.stdint cimport int64_t, uint8_t

# `size` bytes (a power of two, at least a page), readable and writable at base .. base + 2 x size; all touched beforehand.
cdef uint8_t* map_ring(int64_t size) except NULL
# Give it back; NULL is nothing to give back.
cdef void unmap_ring(uint8_t* base, int64_t size) noexcept nogil
