"""Deciding commands 46 to 54: fees, matches that are kept, circuit breakers."""
from libc.stdint cimport uint8_t

from tradsys.core.state cimport State

# 1: decided, 0: its events might not fit.
cdef int decide_venue_command(State* s, const uint8_t* record) except -1 nogil
