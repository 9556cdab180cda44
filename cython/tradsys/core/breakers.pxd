"""Circuit breakers: prices that stop trading in an instrument or in a group of them (rules 13.9 to 13.14)."""
from libc.stdint cimport int64_t

from tradsys.core.state cimport State
from tradsys.core.venue_state cimport Trip
from tradsys.wire.records cimport OrderExecuted, PublishIndex, SetBreaker, SetBreakerLevel, StartBreakerDay

# Looks at a match; `trip` takes what it trips. Then, behind the command's events, stops what that stops.
cdef void look_at_match(State* s, const OrderExecuted* match, Trip* trip) noexcept nogil
cdef int64_t stop_events_max(const State* s, const Trip* trip) noexcept nogil    # events that stopping may cause
cdef int stop_trading(State* s, const Trip* trip, int64_t ts_ns) except -1 nogil

# Commands; 1: decided, 0: their events might not fit.
cdef int set_breaker_level(State* s, const SetBreakerLevel* c) except -1 nogil
cdef int set_breaker(State* s, const SetBreaker* c) except -1 nogil
cdef int start_breaker_day(State* s, const StartBreakerDay* c) except -1 nogil
cdef int publish_index(State* s, const PublishIndex* c) except -1 nogil
