"""What becomes of the matches of a command or of a triggered order: positions, fees, keeping them (sections 13 and 15)."""
from libc.stdint cimport uint8_t

from tradsys.core.state cimport State

# Each returns 1 when all is done, 0 when the event buffer has no room for the rest: State.unfinished is set then, the
# matches not looked at are kept, and `settle_on` must come before the next command.
cdef int settle(State* s, const uint8_t* event) except -1 nogil         # the events from `event` to the cursor
cdef int settle_on(State* s) except -1 nogil
