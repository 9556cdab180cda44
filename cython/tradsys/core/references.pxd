"""Client references of live orders: (session_id, client_ref) -> slot, by open addressing.

An entry is a 32-bit tag and slot + 1 in one word; the tag alone gives the entry's home, so deletion shifts entries
back without reading an order, leaves no tombstones and the table never drifts. Eight consecutive references of a
session share a cache line; otherwise the place is a keyed product folded to 32 bits, so that no pattern of references
(multiples of 2^k, equal low halves, ...) crowds a region.
"""
cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from tradsys.core.order cimport Order

cdef extern from * nogil:
    """
    static inline uint64_t tradsys_fold_product(uint64_t a, uint64_t b)
    {
        unsigned __int128 product = (unsigned __int128) a * b;
        return (uint64_t) product ^ (uint64_t) (product >> 64);
    }
    """
    uint64_t tradsys_fold_product(uint64_t a, uint64_t b)

cdef enum:
    REFS_LINE = 8                       # entries of a cache line

cdef struct References:
    uint64_t* entries                   # tag << 32 | slot + 1; 0: free
    uint32_t entries_max                # a multiple of REFS_LINE
    uint32_t lines                      # entries_max / REFS_LINE
    uint64_t key                        # secret of the hash; decides speed, never an answer


@cython.overflowcheck(False)
cdef inline uint32_t refs_tag(const References* refs, uint32_t session_id, uint64_t client_ref) noexcept nogil:
    """Tag of a reference: place of its line in the upper 29 bits, place in the line below."""
    cdef uint64_t mixed = tradsys_fold_product((client_ref >> 3) ^ refs.key, (session_id * <uint64_t> 0x9E3779B97F4A7C15)
                                               ^ refs.key ^ <uint64_t> 0xD6E8FEB86659FD93)
    return (<uint32_t> mixed & <uint32_t> 0xFFFFFFF8) | <uint32_t> (client_ref & 7)


cdef inline uint32_t refs_home(const References* refs, uint32_t tag) noexcept nogil:
    """Entry where the search for a tag begins."""
    return <uint32_t> ((<uint64_t> (tag >> 3) * refs.lines) >> 29) * REFS_LINE + (tag & 7)


cdef inline uint32_t refs_find(const References* refs, const Order* orders, uint32_t tag, uint32_t session_id,
                               uint64_t client_ref, uint32_t* at) noexcept nogil:
    """Slot + 1 of a reference, 0 when it is free; `at` receives the entry where the search ended."""
    cdef uint32_t i = refs_home(refs, tag)
    cdef uint64_t entry
    cdef const Order* order
    while True:
        entry = refs.entries[i]
        if entry == 0:
            break
        if <uint32_t> (entry >> 32) == tag:
            order = &orders[<uint32_t> entry - 1]
            if order.client_ref == client_ref and order.session_id == session_id:
                break
        i += 1
        if i == refs.entries_max:
            i = 0
    at[0] = i
    return <uint32_t> entry


cdef inline void refs_put(References* refs, uint32_t at, uint32_t tag, uint32_t slot) noexcept nogil:
    """Fill the free entry that `refs_find` ended at."""
    refs.entries[at] = (<uint64_t> tag << 32) | (slot + 1)


cdef inline void refs_add(References* refs, uint32_t tag, uint32_t slot) noexcept nogil:
    """Enter a reference known to be free."""
    cdef uint32_t i = refs_home(refs, tag)
    while refs.entries[i] != 0:
        i += 1
        if i == refs.entries_max:
            i = 0
    refs_put(refs, i, tag, slot)


cdef inline void refs_remove(References* refs, uint32_t tag, uint32_t slot) noexcept nogil:
    """Take out the reference of a live order; entries behind it move up."""
    cdef uint32_t i = refs_home(refs, tag)
    cdef uint32_t j, home
    cdef uint64_t entry
    while <uint32_t> refs.entries[i] != slot + 1:
        i += 1
        if i == refs.entries_max:
            i = 0
    j = i
    while True:
        j += 1
        if j == refs.entries_max:
            j = 0
        entry = refs.entries[j]
        if entry == 0:
            break
        home = refs_home(refs, <uint32_t> (entry >> 32))
        # the entry may move up to i unless its home lies behind i, on the way (cyclically) from i to j
        if (home <= i or home > j) if i < j else (home <= i and home > j):
            refs.entries[i] = entry
            i = j
    refs.entries[i] = 0


cdef int refs_take(References* refs, int64_t orders_max, uint64_t key) except -1
cdef void refs_give(References* refs) noexcept nogil
