"""Deciding the rare commands: cancels of many, sessions, definitions, states (sections 6 and 7 of the rule book)."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.cancels cimport OrderFilter
from tradsys.core.events cimport Command
from tradsys.core.state cimport State

# Decides a command that is none of NEW, CANCEL, REDUCE and REPLACE_ORDER. 1: decided, 0: its events might not fit.
cdef int decide_admin(State* s, const uint8_t* record) except -1 nogil

# For the commands in risk_commands
cdef void write_mass_canceled(State* s, const Command* c, int64_t order_count, uint64_t client_ref,
                              const OrderFilter* wanted, uint32_t participant_id, uint32_t cancel_reason,
                              uint32_t client_seq, uint32_t report_seq) noexcept nogil
