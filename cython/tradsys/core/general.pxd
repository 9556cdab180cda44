"""The general path: orders and instruments that the plain path of decide.pyx does not serve (section 9 of the rule book)."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from tradsys.core.events cimport Command
from tradsys.core.ladder cimport Ladder
from tradsys.core.order cimport Order
from tradsys.core.state cimport GATE_STP, SPECIAL_ORDERS, Instrument, State
from tradsys.core.terms cimport SPECIAL_FLAGS, Terms
from tradsys.wire.records cimport (
    NewComplexOrder, NewOrder, ORDER_FLAGS_KEEP_ON_DISCONNECT, ORDER_FLAGS_POST_ONLY, ORDER_TYPE_MARKET, ReplaceOrder,
    STP_MODE_CANCEL_BOTH, TIME_IN_FORCE_GTD)

cdef enum:
    LOOKED_AT_AND_FINE = 2
    ANY_PRICE_KEY = 0x7FFFFFFFFFFFFFFE  # no resting order is beyond: the limit of an order without one
    MATCH_EVENTS_SPARE = 40             # rule 9.22

cdef struct Entry:                      # an order on its way in
    int64_t told_price_ticks            # what its events say until it rests; 0 of a market order
    int64_t limit_price_ticks           # how far it may go and where it rests, if `has_limit`
    int64_t limit_key                   # the same as a key of the other side
    int64_t reach_key                   # how far it may match: price ranges are in it (11.15)
    bint has_limit
    bint may_rest
    bint crosses                        # it matches on entry: the other side has an order at its limit or better

# 1: decided, 0: its events might not fit the buffer. `complex_` is the record `c` when it has terms, else NULL.
cdef int decide_general_order(State* s, const NewOrder* c, const NewComplexOrder* complex_, uint32_t tag) except -1 nogil
# A new order without terms that is not plain: decided (as above) if it is one of the general path, else what 3.2 has against it
# up to NOT_CLOSING_PRICE, above LOOKED_AT_AND_FINE; that alone: nothing.
cdef int look_closer(State* s, const NewOrder* c, uint32_t tag) except -1 nogil
# A replace that has passed the checks of rule 3.5 up to QTY_BELOW_FILLED.
cdef int decide_general_replace(State* s, const ReplaceOrder* c, Order* order) except -1 nogil


# For order lists: rule 3.2 up to DUPLICATE_CLIENT_REF (notes the expiry time); the order of a command; how far a new order may
# go; OrderAccepted with its terms.
cdef uint8_t checked_reason(const State* s, const NewOrder* c, const NewComplexOrder* complex_, Terms* terms,
                            uint32_t tag) noexcept nogil
cdef void make_draft(const State* s, const NewOrder* c, Order* draft, bint is_complex, uint32_t tag) noexcept nogil
cdef void find_way_in(State* s, const Order* order, const Terms* terms, uint32_t kind, int64_t price_ticks,
                      Entry* entry) noexcept nogil
cdef void tell_accepted(State* s, const Command* c, const Order* order, const Entry* entry) noexcept nogil

# An order that has been accepted, replaced or triggered: why it is cancelled before it matches (0: it is not); its way in.
cdef uint8_t unreached_reason(State* s, const Order* order, const Entry* entry) noexcept nogil
cdef void find_reach(const State* s, uint32_t instrument_id, const Ladder* other, Entry* entry) noexcept nogil
cdef int enter(State* s, const Command* c, Order* order, const Entry* entry) except -1 nogil


cdef inline uint32_t time_in_force_of(const Order* order) noexcept nogil:
    return order.traits >> 16 & 0xFF


cdef inline int64_t match_events_max(const State* s) noexcept nogil:
    """Events that matching one order may cause (9.22)."""
    return s.orders_max + <int64_t> MATCH_EVENTS_SPARE


cdef inline bint needs_general_path(const State* s, const NewOrder* c) noexcept nogil:
    """Whether a new order that is not plain is more than the plain path knows, apart from what refuses it."""
    if c.order_type > ORDER_TYPE_MARKET or c.time_in_force == TIME_IN_FORCE_GTD or c.stp_mode > STP_MODE_CANCEL_BOTH:
        return True
    if c.order_flags > (ORDER_FLAGS_POST_ONLY | ORDER_FLAGS_KEEP_ON_DISCONNECT):
        return True
    if c.session_id < s.sessions_max and not s.sessions[c.session_id].gate & GATE_STP:
        return True
    return c.instrument_id < s.instruments_max and s.instruments[c.instrument_id].special & SPECIAL_ORDERS != 0


cdef inline bint replace_needs_general_path(const State* s, const Order* order) noexcept nogil:
    """Whether the replace of an order is more than the plain path knows."""
    return (order.order_flags & SPECIAL_FLAGS or order.traits >> 24 > STP_MODE_CANCEL_BOTH
            or not s.sessions[order.session_id].gate & GATE_STP
            or s.instruments[order.instrument_id].special & SPECIAL_ORDERS != 0)
