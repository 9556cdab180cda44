"""Memory of the client-reference table."""
from tradsys.core.memory cimport arena_give, arena_take

assert sizeof(RefsLine) == 64, "a line of references must be one cache line"


cdef int refs_take(References* refs, int64_t orders_max, uint64_t key) except -1:
    """Reserve a table with four references a line when it holds `orders_max`; `key` is the secret of its hash."""
    assert orders_max > 0
    refs.line_count = <uint32_t> (orders_max // 4 + 2)
    refs.key = key
    refs.lines = <RefsLine*> arena_take(<int64_t> refs.line_count * sizeof(RefsLine))
    return 0


cdef void refs_give(References* refs) noexcept nogil:
    """Return the table's memory."""
    arena_give(refs.lines, <int64_t> refs.line_count * sizeof(RefsLine))
    refs.lines = NULL
