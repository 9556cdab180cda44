"""What comes behind a command: its matches settled, its lists gone on with, its due orders triggered (rules 10.6, 15.3)."""
from libc.stdint cimport int64_t, uint32_t

from tradsys.core.conduct cimport count_messages
from tradsys.core.lists cimport note_lists, settle_lists
from tradsys.core.triggers cimport is_stirred, leave_unfinished, run, run_all, see_matches
from tradsys.core.venue cimport settle, settle_on
from tradsys.core.venue_state cimport FOLLOW_CONDUCT
from tradsys.wire.records cimport TEMPLATE_NEW_COMPLEX_ORDER, TEMPLATE_NEW_ORDER_LIST


cdef int follow_order(State* s, const NewOrder* c, const uint8_t* first_event) except -1 nogil:
    """Commands 1 to 4, NEW_COMPLEX_ORDER and NEW_ORDER_LIST have their instrument_id at one place."""
    cdef bint stirred = (s.dormant_orders or s.list_count) and is_stirred(s, c.instrument_id, first_event)
    if stirred:
        see_matches(s, first_event)
    s.stirs = 0
    if not settle_all(s, c.session_id, c.ts_ns, first_event):
        return 0
    if stirred and not s.stirs and not run(s, c.instrument_id, c.ts_ns):
        return 0
    return run_all(s, c.ts_ns) if s.stirs else 1


cdef int follow_other(State* s, const uint8_t* record, const uint8_t* first_event) except -1 nogil:
    """The same of any command but 1 to 4."""
    cdef const NewOrder* order = <const NewOrder*> record
    if order.template_id == TEMPLATE_NEW_COMPLEX_ORDER or order.template_id == TEMPLATE_NEW_ORDER_LIST:
        return follow_order(s, order, first_event)
    if s.dormant_orders:
        see_matches(s, first_event)
    if not settle_all(s, order.session_id, order.ts_ns, first_event):
        return 0
    return run_all(s, order.ts_ns) if s.dormant_orders else 1


cdef int settle_all(State* s, uint32_t sender_id, int64_t ts_ns, const uint8_t* first_event) except -1 nogil:
    """What the events of a command mean for lists, conduct, positions, fees and breakers; 0: not all of it has room."""
    if s.list_count:
        note_lists(s, first_event)
    if s.venue.follows & FOLLOW_CONDUCT:
        count_messages(s, sender_id, first_event)
    if not settle(s, first_event):
        return 0
    return 1 if settle_lists(s, ts_ns) else leave_unfinished(s, ts_ns)


cdef int finish_last(State* s) except -1 nogil:
    """What the last command set off and had no room."""
    assert s.unfinished
    if not settle_on(s):
        return 0
    s.unfinished = 0
    if not settle_lists(s, s.unfinished_ts_ns):
        return leave_unfinished(s, s.unfinished_ts_ns)
    return run_all(s, s.unfinished_ts_ns)
