"""Deciding the rare commands: cancels of many, sessions, definitions, states (sections 6 and 7 of the rule book)."""
from libc.stdint cimport uint8_t

from tradsys.core.state cimport State

# Decides a command that is none of NEW, CANCEL, REDUCE and REPLACE_ORDER. 1: decided, 0: its events might not fit.
cdef int decide_admin(State* s, const uint8_t* record) except -1 nogil
