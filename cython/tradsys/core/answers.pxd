"""Who may send an operator command, and the answers to it: CommandDone, RiskChanged and CommandRejected."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from tradsys.core.events cimport Command
from tradsys.core.state cimport State
from tradsys.wire.records cimport CommandDone, RiskChanged

cdef uint8_t operator_reason(const State* s, uint32_t session_id, bint padding_zero) noexcept nogil
cdef uint8_t sender_and_participant_reason(const State* s, uint32_t session_id, uint32_t participant_id) noexcept nogil
# Sender known and enabled, then `unknown`, what is not known of those it names; UNKNOWN_* of a holder
cdef uint8_t sender_reason(const State* s, uint32_t session_id, uint8_t unknown) noexcept nogil
cdef uint8_t unknown_holder(const State* s, uint32_t scope, uint32_t scope_id) noexcept nogil
cdef bint may_operate(const State* s, uint32_t session_id) noexcept nogil
cdef int refuse(State* s, const Command* c, uint16_t template_id, uint8_t reject_reason, uint32_t instrument_id,
                uint64_t client_ref) except -1 nogil
cdef CommandDone* command_done(State* s, const Command* c, uint16_t template_id, uint64_t client_ref) noexcept nogil
cdef RiskChanged* risk_changed(State* s, const Command* c, uint16_t template_id, uint64_t client_ref) noexcept nogil
