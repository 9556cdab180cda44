"""Order lists: their entry, what the events of their orders make due, and doing it (rules 10.20 to 10.27)."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradsys.core.events cimport EVENT_BYTES, Command, EventHead, event_header
from tradsys.core.order cimport Order, slot_of
from tradsys.core.state cimport State
from tradsys.wire.records cimport (
    NewOrderList, OrderCanceled, OrderExecuted, TEMPLATE_ORDER_CANCELED, TEMPLATE_ORDER_EXECUTED,
    TEMPLATE_ORDER_TRANSFERRED)

# 1: decided, 0: its events might not fit the buffer
cdef int decide_order_list(State* s, const NewOrderList* c) except -1 nogil
# Reads the events from `first_event` on.
cdef int note_lists(State* s, const uint8_t* first_event) except -1 nogil
# Does what is due; 0: the event buffer has no room for the next list.
cdef int settle_lists(State* s, int64_t ts_ns) except -1 nogil
# An order's trigger has been reached and told: the other one of its pair ends.
cdef int note_triggered(State* s, const Command* venue, const Order* order) except -1 nogil


cdef inline bint is_listed(const State* s, uint64_t order_id) noexcept nogil:
    """Whether an order, live or just ended, has a part in a list; the slot of an order without terms may say so too."""
    return s.list_of[slot_of(order_id)] != 0


cdef inline bint touches_lists(const State* s, const uint8_t* first_event) noexcept nogil:
    """Whether the events from `first_event` on may concern a list."""
    cdef const uint8_t* event = first_event
    cdef uint64_t header
    while event < s.cursor:
        header = (<const EventHead*> event).header
        if header == event_header(TEMPLATE_ORDER_EXECUTED) or header == event_header(TEMPLATE_ORDER_TRANSFERRED):
            if is_listed(s, (<const OrderExecuted*> event).resting_order_id) or is_listed(
                    s, (<const OrderExecuted*> event).incoming_order_id):
                return True
        elif header == event_header(TEMPLATE_ORDER_CANCELED) and is_listed(s, (<const OrderCanceled*> event).order_id):
            return True
        event += EVENT_BYTES
    return False
