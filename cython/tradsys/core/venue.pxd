"""What becomes of matches: positions, fees, keeping them, circuit breakers (sections 13 to 15 of the rule book)."""
from libc.stdint cimport uint8_t

from tradsys.core.state cimport State

# Behind a command, and behind each order that is triggered. Each returns 1 when all is done, 0 when the event buffer has no
# room for the rest: State.unfinished is set then, the matches not looked at are kept, and `settle_on` must come before the
# next command.
cdef int settle(State* s, const uint8_t* event) except -1 nogil         # the events from `event` to the cursor
cdef int settle_on(State* s) except -1 nogil
