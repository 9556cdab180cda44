"""Orders going on and off the books: the level, the reference and the counters change together."""
from libc.stdint cimport INT64_MIN, int64_t, uint32_t

from tradsys.core.allocation cimport note_top_order
from tradsys.core.dormant cimport cancel_dormant
from tradsys.core.entry cimport leave_specials
from tradsys.core.events cimport Command, write_canceled
from tradsys.core.ladder cimport Ladder, ladder_append, ladder_remove, level_price
from tradsys.core.order cimport Order, slot_of
from tradsys.core.references cimport refs_remove
from tradsys.core.state cimport SPECIAL_ALLOCATION, Instrument, State, give_slot, side_of
from tradsys.core.terms cimport SPECIAL_FLAGS, is_dormant, kind_behind
from tradsys.wire.records cimport EVENT_FLAGS_RESTS, ORDER_TYPE_MARKET

cdef extern from * nogil:
    long __builtin_expect(long, long)


cdef inline int64_t key_market() noexcept nogil:
    """Key of the level of market orders, below that of every limit (rule 11.4)."""
    return INT64_MIN


cdef inline bint is_market(const Order* order) noexcept nogil:
    return (order.traits >> 8 & 0xFF) == ORDER_TYPE_MARKET

cdef inline uint32_t side_of_order(const Order* order) noexcept nogil:
    """1: buy, 2: sell."""
    return order.traits & 0xFF


cdef inline int64_t resting_price(State* s, const Order* order) noexcept nogil:
    """Price of an order on the book, ticks; 0 of a market order."""
    cdef Instrument* instrument = &s.instruments[order.instrument_id]
    if is_market(order):
        return 0
    return level_price(&s.levels, side_of(instrument, side_of_order(order)), order.level)


cdef inline int64_t live_price(State* s, const Order* order) noexcept nogil:
    """Price of a live order as its events tell it, ticks: of a dormant one its limit, 0 if it has none."""
    if is_dormant(order):
        return s.terms[slot_of(order.order_id)].limit_price_ticks
    return resting_price(s, order)


cdef inline int64_t open_price(State* s, const Order* order) noexcept nogil:
    """Price, ticks, that what is open of a live order is counted at (10.15)."""
    if is_dormant(order) and kind_behind(order.traits >> 8 & 0x3F) == ORDER_TYPE_MARKET:
        return s.terms[slot_of(order.order_id)].trigger_price_ticks
    return live_price(s, order)


cdef inline int rest_order(State* s, Order* order, int64_t price_ticks) except -1 nogil:
    """Put an order at the back of its level; its reference has been entered."""
    cdef Instrument* instrument = &s.instruments[order.instrument_id]
    cdef uint32_t side = side_of_order(order)
    cdef Ladder* ladder = side_of(instrument, side)
    cdef int64_t key = price_ticks ^ ladder.key_mask
    s.live_orders += 1
    s.sessions[order.session_id].live_orders += 1
    ladder_append(&s.levels, ladder, s.orders, slot_of(order.order_id), key_market() if is_market(order) else key)
    if instrument.special & SPECIAL_ALLOCATION:
        note_top_order(s, ladder, order, side)
    return 0


cdef inline int unrest_order(State* s, Order* order) except -1 nogil:
    """Take an order off its level and its reference out of the table; its leaves are as the level counts them."""
    cdef Instrument* instrument = &s.instruments[order.instrument_id]
    s.live_orders -= 1
    s.sessions[order.session_id].live_orders -= 1
    if __builtin_expect(order.order_flags & SPECIAL_FLAGS, 0):
        leave_specials(s, instrument, order)
    refs_remove(&s.refs, order.ref_tag, slot_of(order.order_id))
    return ladder_remove(&s.levels, side_of(instrument, side_of_order(order)), s.orders, order)


cdef inline int cancel_resting(State* s, const Command* c, Order* order, uint32_t cancel_reason,
                               uint32_t event_flags) except -1 nogil:
    """Cancel an order on the book, or a dormant one, and free its slot."""
    if __builtin_expect(is_dormant(order), 0):
        return cancel_dormant(s, c, order, cancel_reason, event_flags)
    cdef uint32_t slot = slot_of(order.order_id)
    write_canceled(s, c, order, resting_price(s, order), cancel_reason, event_flags | EVENT_FLAGS_RESTS)
    unrest_order(s, order)
    give_slot(s, order, slot)
    return 0
