"""Conduct: messages against matches, minimum resting times, tripwires of matched value (rules 13.20 to 13.23)."""
from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradsys.core.state cimport State
from tradsys.wire.records cimport SetConductLimits

cdef int set_conduct_limits(State* s, const SetConductLimits* c) except -1 nogil    # command 55; 1: decided

# For START_RISK_DAY and KILL_SWITCH
cdef void start_conduct_day(State* s) noexcept nogil
cdef void mend_tripwire(State* s, uint32_t participant_id) noexcept nogil

# Behind a command: the messages of its sender; behind that or a triggered order: its matches, orders that have come to rest.
cdef void count_messages(State* s, uint32_t sender_id, const uint8_t* event) noexcept nogil
cdef void follow_conduct(State* s, const uint8_t* event) noexcept nogil
# Cancels the orders of those whose tripwire has been torn; 1: all is done, 0: the event buffer has no room for the rest, and
# State.unfinished is set.
cdef int settle_tripwires(State* s, int64_t ts_ns) except -1 nogil
