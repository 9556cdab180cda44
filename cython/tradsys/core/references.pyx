"""Memory of the client-reference table."""
from tradsys.core.memory cimport arena_give, arena_take


cdef int refs_take(References* refs, int64_t orders_max, uint64_t key) except -1:
    """Reserve a table at most half full with `orders_max` references; `key` is the secret of its hash."""
    assert orders_max > 0
    refs.lines = <uint32_t> ((2 * orders_max + REFS_LINE - 1) // REFS_LINE + 1)
    refs.entries_max = refs.lines * REFS_LINE
    refs.key = key
    refs.entries = <uint64_t*> arena_take(<int64_t> refs.entries_max * sizeof(uint64_t))
    return 0


cdef void refs_give(References* refs) noexcept nogil:
    """Return the table's memory."""
    arena_give(refs.entries, <int64_t> refs.entries_max * sizeof(uint64_t))
    refs.entries = NULL
