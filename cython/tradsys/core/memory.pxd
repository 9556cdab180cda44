"""Memory taken once, at construction: zeroed, page-aligned, real only where it has been touched."""
from libc.stdint cimport int64_t


cdef void* arena_take(int64_t size_bytes) except NULL
cdef void arena_give(void* arena, int64_t size_bytes) noexcept nogil
