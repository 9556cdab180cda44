"""Client references of live orders: (session_id, client_ref) -> slot, in lines of seven.

A line is one cache line: seven 32-bit tags, seven slots, and the number of references that belong to this line or to one
before it but had to go on to a later one. A tag is a keyed product folded to 32 bits and gives the reference's home
line; it is compared with all seven at once, and a search ends at the first line that nothing has passed. Deletion
empties a place and counts the passages back, so there are no tombstones and the table never drifts. No pattern of
references (multiples of 2^k, equal low halves, ...) crowds a line more than chance does.
"""
cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from tradsys.core.order cimport Order

cdef extern from * nogil:
    """
    #include <stdint.h>
    #if defined(__AVX2__)
    #include <immintrin.h>
    #elif defined(__SSE2__)
    #include <emmintrin.h>
    #endif
    static inline uint64_t tradsys_fold_product(uint64_t a, uint64_t b)
    {
        unsigned __int128 product = (unsigned __int128) a * b;
        return (uint64_t) product ^ (uint64_t) (product >> 64);
    }
    /* bit i: place i of seven holds the tag */
    static inline uint32_t tradsys_tags_equal(const uint32_t *tags, uint32_t tag)
    {
    #if defined(__AVX2__)
        const __m256i line = _mm256_loadu_si256((const __m256i *) tags);     /* the eighth word is compared in vain */
        const __m256i equal = _mm256_cmpeq_epi32(line, _mm256_set1_epi32((int) tag));
        return (uint32_t) _mm256_movemask_ps(_mm256_castsi256_ps(equal)) & 0x7F;
    #elif defined(__SSE2__)
        const __m128i wanted = _mm_set1_epi32((int) tag);
        const __m128i low = _mm_cmpeq_epi32(_mm_loadu_si128((const __m128i *) tags), wanted);
        const __m128i high = _mm_cmpeq_epi32(_mm_loadu_si128((const __m128i *) (tags + 4)), wanted);
        const __m128i both = _mm_packs_epi32(low, high);
        return (uint32_t) _mm_movemask_epi8(_mm_packs_epi16(both, both)) & 0x7F;
    #else
        uint32_t equal = 0;
        for (int i = 0; i < 7; i++)
            equal |= (uint32_t) (tags[i] == tag) << i;
        return equal;
    #endif
    }
    """
    uint64_t tradsys_fold_product(uint64_t a, uint64_t b)
    uint32_t tradsys_tags_equal(const uint32_t* tags, uint32_t tag)
    int __builtin_ctz(unsigned int)
    long __builtin_expect(long, long)

cdef enum:
    REFS_PLACES = 7                     # references in a line
    REFS_FREE = 0                       # tag of a place that is free

cdef struct RefsLine:                   # 64 bytes
    uint32_t tags[REFS_PLACES]          # REFS_FREE: nothing there
    uint32_t passed                     # references stored behind this line whose search passes it
    uint32_t slots[8]                   # the eighth is no place and stays 0

cdef struct References:
    RefsLine* lines
    uint32_t line_count
    uint64_t key                        # secret of the hash; decides speed, never an answer


@cython.overflowcheck(False)
cdef inline uint32_t refs_tag(const References* refs, uint32_t session_id, uint64_t client_ref) noexcept nogil:
    """Tag of a reference, never REFS_FREE."""
    cdef uint64_t mixed = tradsys_fold_product(
        client_ref ^ refs.key, (session_id * <uint64_t> 0x9E3779B97F4A7C15) ^ refs.key ^ <uint64_t> 0xD6E8FEB86659FD93)
    return <uint32_t> mixed | 1


cdef inline uint32_t refs_home(const References* refs, uint32_t tag) noexcept nogil:
    """Line where the search for a tag begins."""
    return <uint32_t> (<uint64_t> tag * refs.line_count >> 32)


cdef inline uint32_t refs_find(const References* refs, const Order* orders, uint32_t tag, uint32_t session_id,
                               uint64_t client_ref) noexcept nogil:
    """Slot + 1 of a reference, 0 when it is free."""
    cdef uint32_t at = refs_home(refs, tag), equal
    cdef const RefsLine* line
    cdef const Order* order
    while True:
        line = &refs.lines[at]
        equal = tradsys_tags_equal(line.tags, tag)
        while equal:
            order = &orders[line.slots[__builtin_ctz(equal)]]
            if order.client_ref == client_ref and order.session_id == session_id:
                return line.slots[__builtin_ctz(equal)] + 1
            equal &= equal - 1
        if __builtin_expect(line.passed == 0, 1):
            return 0
        at = at + 1 if at + 1 < refs.line_count else 0


cdef inline void refs_add(References* refs, uint32_t tag, uint32_t slot) noexcept nogil:
    """Enter a reference known to be free."""
    cdef uint32_t at = refs_home(refs, tag)
    cdef RefsLine* line = &refs.lines[at]
    cdef uint32_t free_places = tradsys_tags_equal(line.tags, REFS_FREE)
    while __builtin_expect(free_places == 0, 0):
        line.passed += 1
        at = at + 1 if at + 1 < refs.line_count else 0
        line = &refs.lines[at]
        free_places = tradsys_tags_equal(line.tags, REFS_FREE)
    line.tags[__builtin_ctz(free_places)] = tag
    line.slots[__builtin_ctz(free_places)] = slot


cdef inline void refs_remove(References* refs, uint32_t tag, uint32_t slot) noexcept nogil:
    """Take out the reference of a live order."""
    cdef uint32_t at = refs_home(refs, tag), equal
    cdef RefsLine* line
    while True:
        line = &refs.lines[at]
        equal = tradsys_tags_equal(line.tags, tag)
        while equal:
            if __builtin_expect(line.slots[__builtin_ctz(equal)] == slot, 1):
                line.tags[__builtin_ctz(equal)] = REFS_FREE
                return
            equal &= equal - 1
        line.passed -= 1
        at = at + 1 if at + 1 < refs.line_count else 0


cdef int refs_take(References* refs, int64_t orders_max, uint64_t key) except -1
cdef void refs_give(References* refs) noexcept nogil
