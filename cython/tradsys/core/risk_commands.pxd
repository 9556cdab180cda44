"""Deciding commands 40 to 45: limits, trade groups, kill switches, restricted lists, price bands."""
from libc.stdint cimport uint8_t

from tradsys.core.state cimport State

# 1: decided, 0: its events might not fit.
cdef int decide_risk_command(State* s, const uint8_t* record) except -1 nogil
