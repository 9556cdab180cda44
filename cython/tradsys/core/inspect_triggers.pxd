"""Looking at all dormant orders: their part of the state hash (8.5), their invariants."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

from tradsys.core.hash cimport mix
from tradsys.core.order cimport Order
from tradsys.core.state cimport State

cdef uint64_t hash_triggers(State* s, uint64_t h) noexcept nogil
cdef int64_t check_triggers(State* s, int64_t* pages) except -1    # returns their number, adds up their pages


cdef inline uint64_t hash_order(uint64_t h, const Order* order, uint64_t price) noexcept nogil:
    """The nine words of an order (8.3)."""
    cdef uint32_t traits = order.traits
    h = mix(h, order.order_id)
    h = mix(h, order.client_ref)
    h = mix(h, price)
    h = mix(h, <uint64_t> order.qty_lots)
    h = mix(h, <uint64_t> order.leaves_lots)
    h = mix(h, order.session_id)
    h = mix(h, order.account_id)
    # order_type << 24 | time_in_force << 16 | stp_mode << 8 | side
    h = mix(h, (traits >> 8 & 0xFF) << 24 | (traits >> 16 & 0xFF) << 16 | (traits >> 24) << 8 | (traits & 0xFF))
    return mix(h, order.order_flags)
