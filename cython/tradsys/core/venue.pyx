"""What becomes of matches: positions, fees, keeping them, circuit breakers, conduct (sections 13 to 15 of the rule book)."""
from libc.stdint cimport int64_t

from tradsys.core.breakers cimport look_at_match, stop_events_max, stop_trading
from tradsys.core.conduct cimport follow_conduct, settle_tripwires
from tradsys.core.events cimport EVENT_BYTES, EventHead, event_header
from tradsys.core.fees cimport Charge, charge_match
from tradsys.core.lists cimport note_lists
from tradsys.core.positions cimport follow_events
from tradsys.core.state cimport events_left
from tradsys.core.trades cimport keep_trade
from tradsys.core.venue_state cimport FOLLOW_BREAKERS, FOLLOW_CONDUCT, FOLLOW_FEES, FOLLOW_TRADES
from tradsys.wire.records cimport TEMPLATE_ORDER_EXECUTED, OrderExecuted


cdef inline bint is_match(const uint8_t* event) noexcept nogil:
    return (<const EventHead*> event).header == event_header(TEMPLATE_ORDER_EXECUTED)


cdef int settle(State* s, const uint8_t* event) except -1 nogil:
    """Book what has happened, look at the matches one by one, then stop what their prices have tripped."""
    cdef const uint8_t* first_event = event
    cdef const uint8_t* end = s.cursor
    if s.risk.is_used:
        follow_events(s, event)
    if s.venue.follows == 0:
        return 1
    if s.venue.follows & FOLLOW_CONDUCT:
        follow_conduct(s, event)
    while event < end:
        if is_match(event) and not settle_match(s, <const OrderExecuted*> event):
            put_off(s, event, end)
            return 0
        event += EVENT_BYTES
    return settle_stops(s, (<const EventHead*> first_event).ts_ns)


cdef int settle_on(State* s) except -1 nogil:
    """Look at the matches that had to wait, and go on from there."""
    while s.venue.waiting_first < s.venue.waiting_count:
        if not settle_match(s, &s.venue.waiting[s.venue.waiting_first]):
            return 0
        s.venue.waiting_first += 1
    s.venue.waiting_first = s.venue.waiting_count = 0
    return settle_stops(s, s.unfinished_ts_ns)


cdef int settle_match(State* s, const OrderExecuted* match) except -1 nogil:
    """Charge a match, keep it, look at its price; 0: there is no room for the event."""
    cdef Charge charge
    if s.venue.follows & FOLLOW_FEES and events_left(s) < 1:
        return 0
    charge_match(s, match, &charge)
    if s.venue.follows & FOLLOW_TRADES:
        keep_trade(s, match, &charge)
    if s.venue.follows & FOLLOW_BREAKERS:
        look_at_match(s, match, &s.venue.trip)
    return 1


cdef int settle_stops(State* s, int64_t ts_ns) except -1 nogil:
    """Stop what breakers and tripwires ask for; 0: there is no room for the events."""
    if s.venue.trip.level and not settle_trip(s, ts_ns):
        return 0
    return 1 if s.venue.tripwires_due == 0 else settle_tripwires(s, ts_ns)


cdef int settle_trip(State* s, int64_t ts_ns) except -1 nogil:
    """Stop what has been tripped; 0: there is no room for the events."""
    cdef const uint8_t* first_event = s.cursor
    if events_left(s) < stop_events_max(s, &s.venue.trip):
        s.unfinished = 1
        s.unfinished_ts_ns = ts_ns
        return 0
    stop_trading(s, &s.venue.trip, ts_ns)
    s.venue.trip.level = 0
    s.stirs = 1
    if s.risk.is_used:                  # orders that a call has cancelled
        follow_events(s, first_event)
    if s.list_count:
        note_lists(s, first_event)
    return 1


cdef int put_off(State* s, const uint8_t* event, const uint8_t* end) except -1 nogil:
    """Keep the matches from `event` on: their events may be gone when there is room again."""
    assert s.venue.waiting_count == 0
    s.unfinished = 1
    s.unfinished_ts_ns = (<const EventHead*> event).ts_ns
    while event < end:
        if is_match(event):
            assert s.venue.waiting_count < s.venue.waiting_max
            s.venue.waiting[s.venue.waiting_count] = (<const OrderExecuted*> event)[0]
            s.venue.waiting_count += 1
        event += EVENT_BYTES
    return 0
