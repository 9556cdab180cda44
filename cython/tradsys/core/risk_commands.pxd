"""Deciding commands 40 to 45: limits, trade groups, kill switches, restricted lists, price bands."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from tradsys.core.events cimport Command
from tradsys.core.state cimport State
from tradsys.wire.records cimport RiskChanged

# 1: decided, 0: its events might not fit.
cdef int decide_risk_command(State* s, const uint8_t* record) except -1 nogil

# For SET_CONDUCT_LIMITS: what stands against its sender and whom it names; sessions whose orders are looked at; its answer.
cdef uint8_t sender_reason(const State* s, uint32_t session_id, uint8_t unknown) noexcept nogil
cdef uint8_t unknown_holder(const State* s, uint32_t scope, uint32_t scope_id) noexcept nogil
cdef void mark_sessions(State* s, uint32_t participant_id) noexcept nogil
cdef RiskChanged* risk_changed(State* s, const Command* c, uint16_t template_id, uint64_t client_ref) noexcept nogil
