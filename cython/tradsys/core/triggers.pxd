"""What a command sets off: prices looked at, due orders coming in (rules 10.4 to 10.7, 10.12)."""
from libc.stdint cimport INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.events cimport EVENT_BYTES, EventHead, event_header
from tradsys.core.ladder cimport ladder_best_price
from tradsys.core.lists cimport touches_lists
from tradsys.core.order cimport SLOT_NONE
from tradsys.core.state cimport SPECIAL_TRIGGERS, Instrument, State
from tradsys.core.trigger_state cimport SOURCE_ASK, SOURCE_BID, SOURCE_LAST, SOURCE_MARK, Triggers
from tradsys.wire.records cimport INSTRUMENT_STATE_OPEN, OrderExecuted, SetMarkPrice, TEMPLATE_ORDER_EXECUTED

# Looks at the matches among the events from `first_event` on, one by one.
cdef int see_matches(State* s, const uint8_t* first_event) except -1 nogil

# Trigger the due orders of an instrument, of all, and those that become due by it. 1: all is done, 0: the event buffer has
# no room for what comes next: State.unfinished is set then.
cdef int run(State* s, uint32_t instrument_id, int64_t ts_ns) except -1 nogil
cdef int run_all(State* s, int64_t ts_ns) except -1 nogil
cdef int leave_unfinished(State* s, int64_t ts_ns) noexcept nogil
cdef int set_mark_price(State* s, const SetMarkPrice* c) except -1 nogil


cdef inline bint is_outside(const Triggers* triggers, uint32_t source, int64_t price_ticks) noexcept nogil:
    """Whether a price stirs something."""
    return price_ticks <= triggers.low_ticks[source] or price_ticks >= triggers.high_ticks[source]


cdef inline bint is_stirred(State* s, uint32_t instrument_id, const uint8_t* first_event) noexcept nogil:
    """Whether a command whose events begin at `first_event` sets anything off in an instrument it named."""
    cdef Instrument* instrument
    cdef const Triggers* triggers
    cdef const uint8_t* event = first_event
    if s.list_count and touches_lists(s, first_event):
        return True
    if instrument_id >= s.instruments_max or not s.instruments[instrument_id].special & SPECIAL_TRIGGERS:
        return False
    instrument = &s.instruments[instrument_id]
    triggers = &s.triggers[instrument_id]
    while event < s.cursor:
        if ((<const EventHead*> event).header == event_header(TEMPLATE_ORDER_EXECUTED)
                and is_outside(triggers, SOURCE_LAST, (<const OrderExecuted*> event).price_ticks)):
            return True
        event += EVENT_BYTES
    if triggers.mark_ticks != INT64_MIN and is_outside(triggers, SOURCE_MARK, triggers.mark_ticks):
        return True
    if instrument.state != INSTRUMENT_STATE_OPEN:
        return False
    if instrument.sides[0].order_count and is_outside(triggers, SOURCE_BID, ladder_best_price(&instrument.sides[0])):
        return True
    if instrument.sides[1].order_count and is_outside(triggers, SOURCE_ASK, ladder_best_price(&instrument.sides[1])):
        return True
    return triggers.due_head != SLOT_NONE
