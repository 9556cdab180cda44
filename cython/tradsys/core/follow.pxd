"""What comes behind a command: its matches settled, its due orders triggered (rules 10.6, 15.3)."""
from libc.stdint cimport uint8_t

from tradsys.core.state cimport State
from tradsys.wire.records cimport NewOrder

# `first_event` is the command's first one. Each returns 1 when all is done, 0 when the rest waits for room in the event
# buffer: `finish_last` must come before the next command then.
cdef int follow_order(State* s, const NewOrder* c, const uint8_t* first_event) except -1 nogil      # of 1 to 4, 7 and 61
cdef int follow_other(State* s, const uint8_t* record, const uint8_t* first_event) except -1 nogil
cdef int finish_last(State* s) except -1 nogil
