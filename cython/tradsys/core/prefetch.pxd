"""Asking for a cache line ahead of its use.

gcc takes a function that only prefetches for one without effect and drops calls of it; the empty assembler statement is
an effect, so that they stay.
"""

cimport cython
from libc.stdint cimport uint32_t

cdef extern from * nogil:
    """
    static inline void tradsys_prefetch(const void *line)
    {
        __builtin_prefetch(line, 0);
        __asm__ volatile ("");
    }
    static inline void tradsys_prefetch_once(const void *line)
    {
        __builtin_prefetch(line, 0, 0);
        __asm__ volatile ("");
    }
    static inline void tradsys_prefetch_to_write(const void *line)
    {
        __builtin_prefetch(line, 1);
        __asm__ volatile ("");
    }
    """
    void prefetch "tradsys_prefetch" (const void* line)                     # to be read
    void prefetch_once "tradsys_prefetch_once" (const void* line)           # to be read once
    void prefetch_to_write "tradsys_prefetch_to_write" (const void* line)   # to be written


@cython.overflowcheck(False)
cdef inline uint32_t chosen(bint condition, uint32_t first, uint32_t second) noexcept nogil:
    """`first` if the condition holds, else `second`, without a branch."""
    return second ^ ((first ^ second) & (0 - <uint32_t> condition))
