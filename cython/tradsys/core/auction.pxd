"""The auction: what an uncross would come to, and the uncross (rules 11.6 to 11.8)."""
from libc.stdint cimport INT64_MIN, int64_t, uint32_t

from tradsys.core.events cimport Command
from tradsys.core.state cimport State

cdef struct Outcome:                    # what an uncross comes to
    int64_t price_ticks                 # INT64_MIN: nothing matches
    int64_t volume_lots
    int64_t surplus_lots                # buys above sells; negative: sells above buys

# Neither changes anything. O(levels from the best to the price found).
cdef void find_outcome(State* s, uint32_t instrument_id, int64_t reference_ticks, Outcome* found) noexcept nogil
cdef void outcome_at(State* s, uint32_t instrument_id, int64_t price_ticks, Outcome* found) noexcept nogil

# The uncross with its events; `phase` is what AuctionUncrossed says has ended. Room has been checked: an event an order
# and one more.
cdef int uncross(State* s, const Command* c, uint32_t instrument_id, const Outcome* found,
                 uint32_t phase) except -1 nogil

# Cancels the instrument's orders whose time in force is in `times` (bit by TimeInForce), and market orders if asked for:
# buys, then sells, in priority, unsolicited.
cdef int cancel_in_priority(State* s, const Command* c, uint32_t instrument_id, uint32_t times, bint markets,
                            uint32_t cancel_reason) except -1 nogil


cdef inline int64_t lots_of(int64_t surplus_lots) noexcept nogil:
    """A surplus without its sign, lots."""
    return surplus_lots if surplus_lots > 0 else -surplus_lots


cdef inline uint32_t side_of_surplus(int64_t surplus_lots) noexcept nogil:
    """1: buys are left over, 2: sells, 0: neither."""
    return 1 if surplus_lots > 0 else 2 if surplus_lots < 0 else 0
