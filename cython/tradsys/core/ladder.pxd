"""Price levels of one side of a book, dense or sparse, without a bound on the price range.

A ladder orders its levels by *key*: the price on the ask side, the price's complement on the bid side, so that on
both sides the best level has the lowest key and one code path serves both. Sixteen neighbouring keys share a page;
pages of a ladder are linked in key order and found through a small direct-mapped cache or, behind it, a B+ tree of
page numbers. A page lives as long as one of its levels holds an order. Pages and tree nodes of all ladders come from
one pool, taken at construction.

    best          first level that holds an order: always known, found again without searching when it empties
    append        O(1) near pages used lately, O(log pages) elsewhere
    remove        O(1); O(log pages) when it empties a page
    memory        36 bytes a tick of a page in use, at most one page an order
"""
from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t

from tradsys.core.order cimport SLOT_NONE, Order

cdef extern from * nogil:
    int __builtin_ctz(unsigned int)
    int __builtin_clz(unsigned int)
    long __builtin_expect(long, long)

cdef enum:
    PAGE_BITS = 4
    PAGE_LEVELS = 16                    # 1 << PAGE_BITS: keys a page covers
    NODE_ENTRIES = 40                   # page numbers a tree node holds
    NODE_DEPTH = 8                      # 20^8 pages: never reached
    CACHE_PAGES = 64                    # pages a ladder finds without its tree: 1,024 neighbouring ticks
    LEVEL_NONE = 0                      # no level; page 0 is never given out

cdef struct Level:                      # 32 bytes; meaningless while its bit in Page.occupied is 0
    uint32_t head_slot                  # first to match
    uint32_t tail_slot                  # last to match
    int64_t qty_lots                    # sum of leaves_lots
    uint32_t order_count
    uint32_t mark                       # for the owner's use: publisher's list of touched levels; outlives the orders
    uint32_t hidden                     # slot + 1 of its first hidden order; 0: none. The hidden ones come last
    uint32_t spare

cdef struct Page:                       # 576 bytes
    int64_t page_key                    # key of its first level >> PAGE_BITS
    uint32_t owner                      # ladder it belongs to; 0: free
    uint32_t occupied                   # bit i: level i holds orders
    uint32_t next_page                  # next higher page of the ladder, or next free page; 0: none
    uint32_t prev_page                  # next lower page of the ladder; 0: none
    uint32_t spare[10]
    Level levels[PAGE_LEVELS]

cdef struct Node:                       # 512 bytes: a leaf names pages, an inner node names nodes
    uint32_t count                      # entries in use
    uint32_t next_free                  # free list
    int64_t keys[NODE_ENTRIES]          # leaf: page keys; inner: not above any key of the child; keys[0] unused
    uint32_t refs[NODE_ENTRIES]
    uint32_t spare[6]

cdef struct LevelPool:                  # pages and nodes of all ladders
    Page* pages
    Node* nodes
    uint32_t pages_max                  # page 0 counted
    uint32_t nodes_max                  # node 0 counted
    uint32_t pages_used                 # ever given out, page 0 counted
    uint32_t nodes_used
    uint32_t free_page                  # free list; 0: empty
    uint32_t free_node
    uint32_t page_count                 # in use
    uint32_t node_count

cdef struct Ladder:                     # 320 bytes
    int64_t best_key                    # KEY_NONE: the side is empty
    int64_t key_mask                    # 0: asks, -1: bids; key = price ^ mask
    uint32_t best_level                 # LEVEL_NONE: the side is empty
    uint32_t owner                      # mark of its pages, not 0
    uint32_t root                       # tree of pages; 0: none
    uint32_t height                     # levels of inner nodes above the leaves
    uint32_t first_page                 # page of the best level; 0: none
    uint32_t level_count                # levels that hold orders
    uint64_t order_count                # orders on the side
    uint64_t spare[2]
    uint32_t cache[CACHE_PAGES]         # page last seen for page_key % CACHE_PAGES; may be out of date

cdef int level_pool_take(LevelPool* pool, int64_t orders_max) except -1
cdef void level_pool_give(LevelPool* pool) noexcept nogil
cdef void ladder_init(Ladder* ladder, uint32_t owner, bint bids) noexcept nogil

# Slow paths of the inline functions below.
cdef uint32_t ladder_search(LevelPool* pool, Ladder* ladder, int64_t page_key) noexcept nogil
cdef uint32_t ladder_open_page(LevelPool* pool, Ladder* ladder, int64_t page_key) except 0 nogil
cdef int ladder_close_page(LevelPool* pool, Ladder* ladder, uint32_t page) except -1 nogil

# Walks: every level of a side from the best on; LEVEL_NONE ends them.
cdef uint32_t ladder_next_level(LevelPool* pool, uint32_t level) noexcept nogil
cdef uint32_t ladder_last_level(LevelPool* pool, const Ladder* ladder) noexcept nogil
cdef uint32_t ladder_level_at(LevelPool* pool, Ladder* ladder, int64_t price_ticks) noexcept nogil
cdef int64_t ladder_check(LevelPool* pool, Ladder* ladder, Order* orders) except -1


cdef inline int64_t key_none() noexcept nogil:
    """Key of an empty side: above every key."""
    return INT64_MAX


cdef inline Level* level_at(LevelPool* pool, uint32_t level) noexcept nogil:
    """The level's record."""
    return &pool.pages[level >> PAGE_BITS].levels[level & (PAGE_LEVELS - 1)]


cdef inline int64_t level_key(LevelPool* pool, uint32_t level) noexcept nogil:
    """Key of a level."""
    return pool.pages[level >> PAGE_BITS].page_key * PAGE_LEVELS + <int64_t> (level & (PAGE_LEVELS - 1))


cdef inline int64_t level_price(LevelPool* pool, Ladder* ladder, uint32_t level) noexcept nogil:
    """Price of a level in ticks."""
    return level_key(pool, level) ^ ladder.key_mask


cdef inline int64_t ladder_best_price(Ladder* ladder) noexcept nogil:
    """Best price in ticks; INT64_MAX (asks) or INT64_MIN (bids) when the side is empty."""
    return ladder.best_key ^ ladder.key_mask


cdef inline uint32_t ladder_page(LevelPool* pool, Ladder* ladder, int64_t page_key) except 0 nogil:
    """Page of a page key, opened when it is not there."""
    cdef uint32_t page = ladder.cache[page_key & (CACHE_PAGES - 1)]
    cdef Page* record = &pool.pages[page]
    if __builtin_expect(record.page_key == page_key and record.owner == ladder.owner, 1):
        return page
    return ladder_open_page(pool, ladder, page_key)


cdef inline int ladder_append(LevelPool* pool, Ladder* ladder, Order* orders, uint32_t slot,
                              int64_t key) except -1 nogil:
    """Put an order at the back of the level of `key`; sets the order's level and links."""
    cdef Order* order = &orders[slot]
    cdef uint32_t page = ladder_page(pool, ladder, key >> PAGE_BITS)
    cdef uint32_t index = <uint32_t> (key & (PAGE_LEVELS - 1))
    cdef uint32_t bit = (<uint32_t> 1) << index
    cdef uint32_t ref = page * PAGE_LEVELS + index
    cdef Level* level = &pool.pages[page].levels[index]
    assert order.leaves_lots > 0
    order.level = ref
    order.next_slot = SLOT_NONE
    ladder.order_count += 1
    if pool.pages[page].occupied & bit:
        order.prev_slot = level.tail_slot
        orders[level.tail_slot].next_slot = slot
        level.tail_slot = slot
        level.qty_lots += order.leaves_lots
        level.order_count += 1
        return 0
    pool.pages[page].occupied |= bit
    order.prev_slot = SLOT_NONE
    level.head_slot = slot
    level.tail_slot = slot
    level.qty_lots = order.leaves_lots
    level.order_count = 1
    ladder.level_count += 1
    if key < ladder.best_key:
        ladder.best_key = key
        ladder.best_level = ref
    return 0


cdef inline int ladder_close_level(LevelPool* pool, Ladder* ladder, uint32_t ref) except -1 nogil:
    """Take a level that lost its last order off the ladder; finds the next best one."""
    cdef uint32_t page = ref >> PAGE_BITS
    cdef Page* record = &pool.pages[page]
    record.occupied &= ~((<uint32_t> 1) << (ref & (PAGE_LEVELS - 1)))
    ladder.level_count -= 1
    cdef uint32_t best = page
    if record.occupied == 0:
        best = record.next_page
    if ref == ladder.best_level:
        if best == 0:
            ladder.best_level = LEVEL_NONE
            ladder.best_key = INT64_MAX
        else:
            ladder.best_level = best * PAGE_LEVELS + <uint32_t> __builtin_ctz(pool.pages[best].occupied)
            ladder.best_key = level_key(pool, ladder.best_level)
    if record.occupied == 0:
        ladder_close_page(pool, ladder, page)
    return 0


cdef inline int ladder_remove(LevelPool* pool, Ladder* ladder, Order* orders, Order* order) except -1 nogil:
    """Take an order off its level, with all its leaves_lots; sets its level to LEVEL_NONE."""
    cdef uint32_t ref = order.level
    cdef Level* level = level_at(pool, ref)
    assert ref != LEVEL_NONE
    assert pool.pages[ref >> PAGE_BITS].owner == ladder.owner
    ladder.order_count -= 1
    order.level = LEVEL_NONE
    if order.prev_slot == SLOT_NONE and order.next_slot == SLOT_NONE:
        return ladder_close_level(pool, ladder, ref)
    level.qty_lots -= order.leaves_lots
    level.order_count -= 1
    if order.prev_slot != SLOT_NONE:
        orders[order.prev_slot].next_slot = order.next_slot
    else:
        level.head_slot = order.next_slot
    if order.next_slot != SLOT_NONE:
        orders[order.next_slot].prev_slot = order.prev_slot
    else:
        level.tail_slot = order.prev_slot
    return 0
