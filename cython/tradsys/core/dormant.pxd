"""Dormant orders lying down, moving with the price, becoming due and leaving (rules 10.4 to 10.11)."""
from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradsys.core.events cimport Command
from tradsys.core.order cimport Order
from tradsys.core.state cimport State
from tradsys.core.terms cimport Terms
from tradsys.core.trigger_state cimport Trail, Triggers
from tradsys.wire.records cimport ReplaceOrder

cdef enum:
    # Terms.place: where a dormant order is, ladder or trail index << 8; 0: not dormant
    PLACE_WAITING = 1
    PLACE_MOVED = 2
    PLACE_DUE = 3
    PLACE_HELD = 4                      # waits for its turn in a list
    PLACE_KIND = 7
    PLACE_FIRST = 8                     # first of its bunch: orders next to each other in a row with one trigger

cdef void open_triggers(State* s, uint32_t instrument_id) noexcept nogil
cdef bint room_for_trail(const State* s, uint32_t instrument_id, const Order* order, const Terms* terms) noexcept nogil
cdef int lay_down(State* s, Order* order) except -1 nogil
cdef int hold(State* s, Order* order) except -1 nogil
cdef int have_turn(State* s, Order* order) except -1 nogil
cdef int leave_dormancy(State* s, Order* order) except -1 nogil
cdef int cancel_dormant(State* s, const Command* c, Order* order, uint32_t cancel_reason, uint32_t event_flags) except -1 nogil
cdef int reduce_dormant(State* s, const Command* c, Order* order, int64_t qty_lots) except -1 nogil
cdef int replace_dormant(State* s, const ReplaceOrder* c, Order* order) except -1 nogil
cdef int see(State* s, uint32_t instrument_id, uint32_t source, int64_t price_ticks) except -1 nogil
cdef void refresh_window(State* s, Triggers* triggers, uint32_t source) noexcept nogil
cdef int64_t key_of_dormant(State* s, const Order* order) noexcept nogil   # its trigger; O(orders before it) in a row


cdef inline Trail* trail_at(State* s, const Triggers* triggers, uint32_t index) noexcept nogil:
    """One of the instrument's trails."""
    return &s.trails[triggers.instrument_id * 64 + index]


cdef inline bint is_upward_ladder(const State* s, const Triggers* triggers, uint32_t index) noexcept nogil:
    """Whether the orders of a ladder or trail index have upward triggers (10.3)."""
    if index < 8:
        return not index & 1
    return s.trails[triggers.instrument_id * 64 + index - 8].side == 1


cdef inline int64_t trigger_of(State* s, const Order* order, int64_t key) noexcept nogil:
    """The trigger, ticks, that a key in the order's ladder or trail stands for."""
    cdef const Triggers* triggers = &s.triggers[order.instrument_id]
    cdef uint32_t index = s.terms[order.order_id & 0xFFFFFF].place >> 8
    return key if is_upward_ladder(s, triggers, index) else ~key
