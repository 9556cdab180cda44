"""What comes behind a command: its matches settled, its due orders triggered (rules 10.6, 15.3)."""
from tradsys.core.conduct cimport count_messages
from tradsys.core.triggers cimport is_stirred, run, run_all, see_matches
from tradsys.core.venue cimport settle, settle_on
from tradsys.core.venue_state cimport FOLLOW_CONDUCT
from tradsys.wire.records cimport TEMPLATE_NEW_COMPLEX_ORDER


cdef int follow_order(State* s, const NewOrder* c, const uint8_t* first_event) except -1 nogil:
    """Commands 1 to 4 and NEW_COMPLEX_ORDER have their instrument_id at one place, and stir no other instrument."""
    cdef bint stirred = s.dormant_orders and is_stirred(s, c.instrument_id, first_event)
    if stirred:
        see_matches(s, first_event)
    if s.venue.follows & FOLLOW_CONDUCT:
        count_messages(s, c.session_id, first_event)
    if not settle(s, first_event):
        return 0
    return run(s, c.instrument_id, c.ts_ns) if stirred else 1


cdef int follow_other(State* s, const uint8_t* record, const uint8_t* first_event) except -1 nogil:
    """The same of any command but 1 to 4."""
    cdef const NewOrder* order = <const NewOrder*> record
    if order.template_id == TEMPLATE_NEW_COMPLEX_ORDER:
        return follow_order(s, order, first_event)
    if s.dormant_orders:
        see_matches(s, first_event)
    if s.venue.follows & FOLLOW_CONDUCT:
        count_messages(s, order.session_id, first_event)
    if not settle(s, first_event):
        return 0
    return run_all(s, order.ts_ns) if s.dormant_orders else 1


cdef int finish_last(State* s) except -1 nogil:
    """What the last command set off and had no room."""
    assert s.unfinished
    if not settle_on(s):
        return 0
    s.unfinished = 0
    return run_all(s, s.unfinished_ts_ns)
