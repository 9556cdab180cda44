"""How a price level is shared out among its orders (section 12 of the rule book)."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from tradsys.core.events cimport Command
from tradsys.core.ladder cimport LEVEL_NONE, Ladder, Level, level_at
from tradsys.core.order cimport Order, slot_of
from tradsys.core.state cimport Allocation, State
from tradsys.wire.records cimport SetAllocation, SetAllocationShare

# Matches an incoming order level by level as far as its limit and self-trade prevention allow; 1: that ends it.
cdef int match_allocated(State* s, const Command* c, Order* order, Ladder* other, int64_t limit_key) except -1 nogil

# Lots up to `qty_lots` that would match; `events` receives the matches and cancels of resting orders at most.
cdef int64_t reachable_allocated(State* s, Ladder* other, int64_t limit_key, uint32_t stp_mode, uint32_t session_id,
                                 int64_t qty_lots, int64_t* events) noexcept nogil

cdef int set_allocation(State* s, const SetAllocation* c) except -1 nogil
cdef int set_allocation_share(State* s, const SetAllocationShare* c) except -1 nogil
cdef uint64_t hash_allocations(State* s, uint64_t h) noexcept nogil
cdef int check_allocations(State* s) except -1


cdef inline void note_top_order(State* s, Ladder* ladder, const Order* order, uint32_t side) noexcept nogil:
    """Rule 12.5: an order that has just come to rest, alone on the best level, becomes its side's top order."""
    cdef Allocation* allocation = &s.allocations[order.instrument_id]
    if allocation.top and order.level == ladder.best_level and level_at(&s.levels, order.level).order_count == 1:
        if order.leaves_lots >= allocation.top_min_lots:
            allocation.top_order_id[side - 1] = order.order_id


cdef inline void forget_top_order(State* s, const Order* order, uint32_t side) noexcept nogil:
    """Rule 12.5: an order that leaves its place is no top order any more."""
    cdef Allocation* allocation = &s.allocations[order.instrument_id]
    if allocation.top_order_id[side - 1] == order.order_id:
        allocation.top_order_id[side - 1] = 0
