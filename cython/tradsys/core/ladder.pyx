"""Slow paths of the ladder: its tree of pages, and the walk that checks it."""
from libc.stdint cimport INT64_MAX
from libc.string cimport memmove, memset

from tradsys.core.memory cimport arena_give, arena_take

assert sizeof(Level) == 32, "Level must be half a cache line"
assert sizeof(Page) == 576, "Page must be nine cache lines"
assert sizeof(Node) == 512, "Node must be eight cache lines"
assert sizeof(Ladder) == 320, "Ladder must be five cache lines"
assert sizeof(Order) == 64, "Order must be one cache line"

# Two neighbours of one parent are merged when together they hold no more than this.
cdef enum:
    NODE_MERGE = 25                     # of NODE_ENTRIES


cdef int level_pool_take(LevelPool* pool, int64_t orders_max) except -1:
    """Reserve room for as many pages as `orders_max` orders can need, one each at worst."""
    memset(pool, 0, sizeof(LevelPool))
    pool.pages_max = <uint32_t> (orders_max + 2)
    # A ladder of n pages has at most 1 + n / 8 nodes, for neighbours under one parent hold more than NODE_MERGE
    # entries together; the most ladders there can be is one for each page.
    pool.nodes_max = <uint32_t> (orders_max + orders_max // 8 + 64)
    pool.pages = <Page*> arena_take(<int64_t> pool.pages_max * sizeof(Page))
    pool.nodes = <Node*> arena_take(<int64_t> pool.nodes_max * sizeof(Node))
    pool.pages_used = 1
    pool.nodes_used = 1
    return 0


cdef void level_pool_give(LevelPool* pool) noexcept nogil:
    """Return the pool's memory."""
    arena_give(pool.pages, <int64_t> pool.pages_max * sizeof(Page))
    arena_give(pool.nodes, <int64_t> pool.nodes_max * sizeof(Node))
    pool.pages = NULL
    pool.nodes = NULL


cdef void ladder_init(Ladder* ladder, uint32_t owner, bint bids) noexcept nogil:
    """Make an empty side; `owner` marks its pages and is not 0."""
    memset(ladder, 0, sizeof(Ladder))
    ladder.best_key = INT64_MAX
    ladder.key_mask = -1 if bids else 0
    ladder.owner = owner


# --------------------------------------------------------------------------------------------------- pages and nodes

cdef uint32_t take_page(LevelPool* pool) except 0 nogil:
    cdef uint32_t page = pool.free_page
    if page != 0:
        pool.free_page = pool.pages[page].next_page
    else:
        if pool.pages_used >= pool.pages_max:
            with gil:
                raise MemoryError(f"all {pool.pages_max} pages are in use: more orders than orders_max")
        page = pool.pages_used
        pool.pages_used += 1
    pool.page_count += 1
    return page


cdef void give_page(LevelPool* pool, uint32_t page) noexcept nogil:
    pool.pages[page].owner = 0
    pool.pages[page].next_page = pool.free_page
    pool.free_page = page
    pool.page_count -= 1


cdef uint32_t take_node(LevelPool* pool) except 0 nogil:
    cdef uint32_t node = pool.free_node
    if node != 0:
        pool.free_node = pool.nodes[node].next_free
    else:
        if pool.nodes_used >= pool.nodes_max:
            with gil:
                raise MemoryError(f"all {pool.nodes_max} nodes are in use: more orders than orders_max")
        node = pool.nodes_used
        pool.nodes_used += 1
    pool.nodes[node].count = 0
    pool.node_count += 1
    return node


cdef void give_node(LevelPool* pool, uint32_t node) noexcept nogil:
    pool.nodes[node].count = 0
    pool.nodes[node].next_free = pool.free_node
    pool.free_node = node
    pool.node_count -= 1


# --------------------------------------------------------------------------------------------------- tree of pages

cdef uint32_t node_rank(const Node* node, int64_t key) noexcept nogil:
    """How many of the node's keys are not above `key`."""
    cdef uint32_t i, rank = 0
    for i in range(node.count):
        rank += <uint32_t> (node.keys[i] <= key)
    return rank


cdef void node_insert(Node* node, uint32_t at, int64_t key, uint32_t ref) noexcept nogil:
    memmove(&node.keys[at + 1], &node.keys[at], (node.count - at) * sizeof(int64_t))
    memmove(&node.refs[at + 1], &node.refs[at], (node.count - at) * sizeof(uint32_t))
    node.keys[at] = key
    node.refs[at] = ref
    node.count += 1


cdef void node_remove(Node* node, uint32_t at) noexcept nogil:
    memmove(&node.keys[at], &node.keys[at + 1], (node.count - at - 1) * sizeof(int64_t))
    memmove(&node.refs[at], &node.refs[at + 1], (node.count - at - 1) * sizeof(uint32_t))
    node.count -= 1


cdef void node_move(Node* target, Node* source, uint32_t first) noexcept nogil:
    """Append the source's entries from `first` on to the target and cut them off the source."""
    cdef uint32_t count = source.count - first
    memmove(&target.keys[target.count], &source.keys[first], count * sizeof(int64_t))
    memmove(&target.refs[target.count], &source.refs[first], count * sizeof(uint32_t))
    target.count += count
    source.count = first


cdef int split_child(LevelPool* pool, Node* parent, uint32_t at) except -1 nogil:
    """Halve the full child at index `at`; the right half becomes the entry after it. The parent has room."""
    cdef uint32_t left = parent.refs[at], right = take_node(pool)
    assert parent.count < NODE_ENTRIES
    assert pool.nodes[left].count == NODE_ENTRIES
    node_move(&pool.nodes[right], &pool.nodes[left], NODE_ENTRIES // 2)
    if at == 0:
        # lower keys than the first bound may have gone into the first child: without this the new bound could lie below it
        parent.keys[0] = pool.nodes[left].keys[0]
    node_insert(parent, at + 1, pool.nodes[right].keys[0], right)
    return 0


cdef uint32_t leaf_with_room(LevelPool* pool, Ladder* ladder, int64_t key) except 0 nogil:
    """Leaf that `key` goes into, with room for it: full nodes on the way down are halved before they are entered."""
    cdef uint32_t node, at, _depth
    if ladder.root == 0:
        ladder.root = take_node(pool)
        return ladder.root
    if pool.nodes[ladder.root].count == NODE_ENTRIES:
        node = take_node(pool)
        node_insert(&pool.nodes[node], 0, pool.nodes[ladder.root].keys[0], ladder.root)
        ladder.root = node
        ladder.height += 1
        split_child(pool, &pool.nodes[node], 0)
    node = ladder.root
    for _depth in range(ladder.height):
        at = child_index(&pool.nodes[node], key)
        if pool.nodes[pool.nodes[node].refs[at]].count == NODE_ENTRIES:
            split_child(pool, &pool.nodes[node], at)
            at = child_index(&pool.nodes[node], key)
        node = pool.nodes[node].refs[at]
    return node


cdef uint32_t child_index(const Node* node, int64_t key) noexcept nogil:
    """Index of the child that `key` belongs to: the first takes what is below all others, so its own key says nothing."""
    cdef uint32_t i, index = 0
    for i in range(1, node.count):
        index += <uint32_t> (node.keys[i] <= key)
    return index


cdef int tree_remove(LevelPool* pool, Ladder* ladder, int64_t key) except -1 nogil:
    """Take a page key out of the tree; empty nodes go, thin neighbours are merged, a root with one child too."""
    cdef uint32_t path[NODE_DEPTH]
    cdef uint32_t index[NODE_DEPTH]
    cdef uint32_t node = ladder.root, depth
    assert ladder.height < NODE_DEPTH
    for depth in range(ladder.height):
        path[depth] = node
        index[depth] = child_index(&pool.nodes[node], key)
        node = pool.nodes[node].refs[index[depth]]
    depth = node_rank(&pool.nodes[node], key)
    assert depth > 0 and pool.nodes[node].keys[depth - 1] == key, "a page is in its ladder's tree"
    node_remove(&pool.nodes[node], depth - 1)
    depth = ladder.height
    while depth > 0:
        depth -= 1
        if not merge_child(pool, &pool.nodes[path[depth]], index[depth], depth + 1 < ladder.height):
            break
    while ladder.height > 0 and pool.nodes[ladder.root].count == 1:
        node = ladder.root
        ladder.root = pool.nodes[node].refs[0]
        ladder.height -= 1
        give_node(pool, node)
    if pool.nodes[ladder.root].count == 0:
        give_node(pool, ladder.root)
        ladder.root = 0
        ladder.height = 0
    return 0


cdef bint merge_child(LevelPool* pool, Node* parent, uint32_t at, bint inner) noexcept nogil:
    """Drop an empty child, merge a thin one with a thin neighbour; True when the parent lost an entry."""
    cdef Node* child = &pool.nodes[parent.refs[at]]
    cdef uint32_t left = at
    if child.count == 0:
        give_node(pool, parent.refs[at])
        node_remove(parent, at)
        return True
    if at + 1 < parent.count and child.count + pool.nodes[parent.refs[at + 1]].count <= NODE_MERGE:
        left = at
    elif at > 0 and child.count + pool.nodes[parent.refs[at - 1]].count <= NODE_MERGE:
        left = at - 1
    else:
        return False
    if inner:
        # the first key of an inner node bounds nothing; in the middle of one it must
        pool.nodes[parent.refs[left + 1]].keys[0] = parent.keys[left + 1]
    node_move(&pool.nodes[parent.refs[left]], &pool.nodes[parent.refs[left + 1]], 0)
    give_node(pool, parent.refs[left + 1])
    node_remove(parent, left + 1)
    return True


# --------------------------------------------------------------------------------------------------- slow paths

cdef uint32_t ladder_search(LevelPool* pool, Ladder* ladder, int64_t page_key) noexcept nogil:
    """Page of a page key, 0 when there is none."""
    cdef uint32_t node = ladder.root, _depth, rank
    if node == 0:
        return 0
    for _depth in range(ladder.height):
        node = pool.nodes[node].refs[child_index(&pool.nodes[node], page_key)]
    rank = node_rank(&pool.nodes[node], page_key)
    if rank == 0 or pool.nodes[node].keys[rank - 1] != page_key:
        return 0
    return pool.nodes[node].refs[rank - 1]


cdef uint32_t ladder_open_page(LevelPool* pool, Ladder* ladder, int64_t page_key) except 0 nogil:
    """Page of a page key that the cache does not know: found in the tree, or made and linked between its neighbours."""
    cdef uint32_t page = ladder_search(pool, ladder, page_key)
    cdef uint32_t leaf, at, after, before
    if page == 0:
        page = take_page(pool)
        leaf = leaf_with_room(pool, ladder, page_key)
        at = node_rank(&pool.nodes[leaf], page_key)
        if at > 0:
            before = pool.nodes[leaf].refs[at - 1]
            after = pool.pages[before].next_page
        elif pool.nodes[leaf].count > 0:
            after = pool.nodes[leaf].refs[0]
            before = pool.pages[after].prev_page
        else:
            after = before = 0
        node_insert(&pool.nodes[leaf], at, page_key, page)
        pool.pages[page].page_key = page_key
        pool.pages[page].owner = ladder.owner
        pool.pages[page].occupied = 0
        pool.pages[page].next_page = after
        pool.pages[page].prev_page = before
        if after:
            pool.pages[after].prev_page = page
        if before:
            pool.pages[before].next_page = page
        else:
            ladder.first_page = page
    ladder.cache[page_key & (CACHE_PAGES - 1)] = page
    return page


cdef int ladder_close_page(LevelPool* pool, Ladder* ladder, uint32_t page) except -1 nogil:
    """Give back a page that holds no order."""
    cdef Page* record = &pool.pages[page]
    assert record.occupied == 0
    assert record.owner == ladder.owner
    tree_remove(pool, ladder, record.page_key)
    if record.next_page:
        pool.pages[record.next_page].prev_page = record.prev_page
    if record.prev_page:
        pool.pages[record.prev_page].next_page = record.next_page
    else:
        ladder.first_page = record.next_page
    give_page(pool, page)
    return 0


# --------------------------------------------------------------------------------------------------- walks

cdef uint32_t ladder_next_level(LevelPool* pool, uint32_t level) noexcept nogil:
    """The level behind `level`, worse in price; LEVEL_NONE: it is the last."""
    cdef uint32_t page = level >> PAGE_BITS
    cdef uint32_t index = level & (PAGE_LEVELS - 1)
    cdef uint32_t above = pool.pages[page].occupied & ~(((<uint32_t> 2) << index) - 1)
    if above:
        return page * PAGE_LEVELS + <uint32_t> __builtin_ctz(above)
    page = pool.pages[page].next_page
    if page == 0:
        return LEVEL_NONE
    return page * PAGE_LEVELS + <uint32_t> __builtin_ctz(pool.pages[page].occupied)


cdef uint32_t ladder_last_level(LevelPool* pool, const Ladder* ladder) noexcept nogil:
    """The worst level; LEVEL_NONE: the side is empty. O(log pages)."""
    cdef uint32_t node = ladder.root, _depth, page
    if node == 0:
        return LEVEL_NONE
    for _depth in range(ladder.height):
        node = pool.nodes[node].refs[pool.nodes[node].count - 1]
    page = pool.nodes[node].refs[pool.nodes[node].count - 1]
    return page * PAGE_LEVELS + 31 - <uint32_t> __builtin_clz(pool.pages[page].occupied)


cdef uint32_t ladder_level_at(LevelPool* pool, Ladder* ladder, int64_t price_ticks) noexcept nogil:
    """Level of a price, LEVEL_NONE when no order rests there. Changes nothing."""
    cdef int64_t key = price_ticks ^ ladder.key_mask
    cdef uint32_t page = ladder_search(pool, ladder, key >> PAGE_BITS)
    cdef uint32_t index = <uint32_t> (key & (PAGE_LEVELS - 1))
    if page == 0 or not pool.pages[page].occupied & ((<uint32_t> 1) << index):
        return LEVEL_NONE
    return page * PAGE_LEVELS + index


cdef int64_t check_level(LevelPool* pool, uint32_t ref, Order* orders) except -1:
    """Walk one level's queue: links both ways, leaves and counts; returns its orders."""
    cdef Level* level = level_at(pool, ref)
    cdef uint32_t slot = level.head_slot, before = SLOT_NONE, count = 0
    cdef uint64_t qty = 0
    while slot != SLOT_NONE:
        if orders[slot].level != ref or orders[slot].prev_slot != before:
            raise AssertionError(f"order in slot {slot} is not linked to its level {ref}")
        if orders[slot].leaves_lots < 1:
            raise AssertionError(f"order in slot {slot} rests with {orders[slot].leaves_lots} lots")
        qty = qty + <uint64_t> orders[slot].leaves_lots
        count += 1
        before = slot
        slot = orders[slot].next_slot
    if count == 0 or before != level.tail_slot or count != level.order_count or <int64_t> qty != level.qty_lots:
        raise AssertionError(f"level {ref} says {level.order_count} orders, {level.qty_lots} lots; has {count}, {qty}")
    return count


cdef int64_t check_node(LevelPool* pool, Ladder* ladder, uint32_t ref, uint32_t height, int64_t low_key,
                        int64_t* last_key, uint32_t* page) except -1:
    """Walk a subtree in key order along the page list; returns its nodes."""
    cdef Node* node = &pool.nodes[ref]
    cdef int64_t nodes = 1
    cdef uint32_t i
    if node.count == 0 or node.count > NODE_ENTRIES:
        raise AssertionError(f"node {ref} has {node.count} entries")
    for i in range(node.count):
        if i > (1 if height else 0) and node.keys[i] <= node.keys[i - 1]:
            raise AssertionError(f"keys of node {ref} do not ascend")
        if height:
            if i and node.keys[i] <= last_key[0]:
                raise AssertionError(f"node {ref} leads key {last_key[0]} to the wrong child")
            nodes += check_node(pool, ladder, node.refs[i], height - 1, node.keys[i] if i else low_key, last_key, page)
            continue
        if node.keys[i] < low_key:
            raise AssertionError(f"node {ref} holds key {node.keys[i]}, below its bound {low_key}")
        if node.refs[i] != page[0] or pool.pages[page[0]].page_key != node.keys[i]:
            raise AssertionError(f"the tree names page {node.refs[i]}, the list page {page[0]}")
        last_key[0] = node.keys[i]
        page[0] = pool.pages[page[0]].next_page
    return nodes


cdef int64_t ladder_check(LevelPool* pool, Ladder* ladder, Order* orders) except -1:
    """Walk all of a side: tree and page list agree, bitmaps and queues too, the best is the first; returns its orders.

    Raises
    ------
    AssertionError
        With a sentence on the first thing that does not hold.
    """
    cdef uint32_t page = ladder.first_page, before = 0, level, levels = 0
    cdef int64_t last_key = -INT64_MAX - 1
    cdef int64_t count = 0
    while page:
        if pool.pages[page].owner != ladder.owner or pool.pages[page].prev_page != before:
            raise AssertionError(f"page {page} is not linked to ladder {ladder.owner}")
        if pool.pages[page].occupied == 0 or pool.pages[page].occupied >> PAGE_LEVELS:
            raise AssertionError(f"page {page} has the bitmap {pool.pages[page].occupied}")
        before = page
        page = pool.pages[page].next_page
    page = ladder.first_page
    if ladder.root:
        check_node(pool, ladder, ladder.root, ladder.height, last_key, &last_key, &page)
    if page:
        raise AssertionError(f"page {page} is not in the tree of ladder {ladder.owner}")
    level = LEVEL_NONE
    if ladder.first_page:
        level = ladder.first_page * PAGE_LEVELS + <uint32_t> __builtin_ctz(pool.pages[ladder.first_page].occupied)
    if level != ladder.best_level or ladder.best_key != (level_key(pool, level) if level else INT64_MAX):
        raise AssertionError(f"best level of ladder {ladder.owner} is {level}, not {ladder.best_level}")
    while level:
        count += check_level(pool, level, orders)
        levels += 1
        level = ladder_next_level(pool, level)
    if levels != ladder.level_count or count != <int64_t> ladder.order_count:
        raise AssertionError(f"ladder {ladder.owner} counts {ladder.level_count} levels, {ladder.order_count} orders; "
                             f"has {levels}, {count}")
    return count
