"""Who may send an operator command, and the answers to it: CommandDone, RiskChanged and CommandRejected."""
from libc.string cimport memset

from tradsys.core.events cimport event_begin, number_command
from tradsys.core.state cimport next_report_seq
from tradsys.core.validation cimport enabled_sender_reason, instrument_defined, participant_defined
from tradsys.wire.records cimport (
    PERMISSION_OPERATE, REJECT_REASON_BAD_FLAGS, REJECT_REASON_NONE, REJECT_REASON_NOT_ALLOWED,
    REJECT_REASON_PARTICIPANT_DISABLED, REJECT_REASON_UNKNOWN_ACCOUNT, REJECT_REASON_UNKNOWN_INSTRUMENT,
    REJECT_REASON_UNKNOWN_PARTICIPANT, RISK_SCOPE_ACCOUNT, RISK_SCOPE_HOUSE, RISK_SCOPE_INSTRUMENT, RISK_SCOPE_PARTICIPANT,
    TEMPLATE_CLOSE_SESSION, TEMPLATE_COMMAND_DONE, TEMPLATE_COMMAND_REJECTED, TEMPLATE_OPEN_SESSION, TEMPLATE_RISK_CHANGED,
    CommandRejected)


cdef uint8_t operator_reason(const State* s, uint32_t session_id, bint padding_zero) noexcept nogil:
    """BAD_FLAGS, NOT_ALLOWED (2.5) or nothing, for a sender that is known and enabled."""
    if not padding_zero:
        return REJECT_REASON_BAD_FLAGS
    return REJECT_REASON_NONE if may_operate(s, session_id) else REJECT_REASON_NOT_ALLOWED


cdef uint8_t sender_and_participant_reason(const State* s, uint32_t session_id, uint32_t participant_id) noexcept nogil:
    """Sender known and enabled, participant named defined; UNKNOWN_PARTICIPANT goes before PARTICIPANT_DISABLED."""
    cdef uint8_t reason = enabled_sender_reason(s, session_id)
    if (reason == 0 or reason == REJECT_REASON_PARTICIPANT_DISABLED) and not participant_defined(s, participant_id):
        return REJECT_REASON_UNKNOWN_PARTICIPANT
    return reason


cdef uint8_t sender_reason(const State* s, uint32_t session_id, uint8_t unknown) noexcept nogil:
    """Sender known and enabled, then what is not known; UNKNOWN_PARTICIPANT goes before PARTICIPANT_DISABLED."""
    cdef uint8_t reason = enabled_sender_reason(s, session_id)
    if reason == REJECT_REASON_PARTICIPANT_DISABLED and unknown == REJECT_REASON_UNKNOWN_PARTICIPANT:
        return unknown
    return reason if reason else unknown


cdef uint8_t unknown_holder(const State* s, uint32_t scope, uint32_t scope_id) noexcept nogil:
    """UNKNOWN_* of a participant, instrument or account not defined."""
    if (scope == RISK_SCOPE_HOUSE or scope == RISK_SCOPE_PARTICIPANT) and not participant_defined(s, scope_id):
        return REJECT_REASON_UNKNOWN_PARTICIPANT
    if scope == RISK_SCOPE_INSTRUMENT and not instrument_defined(s, scope_id):
        return REJECT_REASON_UNKNOWN_INSTRUMENT
    if scope == RISK_SCOPE_ACCOUNT and not (scope_id < s.accounts_max and s.accounts[scope_id].participant_id):
        return REJECT_REASON_UNKNOWN_ACCOUNT
    return REJECT_REASON_NONE


cdef bint may_operate(const State* s, uint32_t session_id) noexcept nogil:
    """Whether the sender is the venue, or its participant has OPERATE."""
    return session_id == 0 or (
        s.participants[s.sessions[session_id].participant_id].permissions & PERMISSION_OPERATE) != 0


cdef bint is_session_command(uint16_t template_id) noexcept nogil:
    return template_id == TEMPLATE_OPEN_SESSION or template_id == TEMPLATE_CLOSE_SESSION


cdef int refuse(State* s, const Command* c, uint16_t template_id, uint8_t reject_reason, uint32_t instrument_id,
                uint64_t client_ref) except -1 nogil:
    """Answer with CommandRejected."""
    cdef CommandRejected* e
    number_command(s, c)
    e = <CommandRejected*> event_begin(s, TEMPLATE_COMMAND_REJECTED, c.ts_ns)
    memset(e.pad, 0, sizeof(CommandRejected) - 32)
    e.client_ref = client_ref
    e.instrument_id = instrument_id
    e.session_id = c.session_id
    e.refused_template = template_id
    e.reject_reason = reject_reason
    e.report_seq = 0 if is_session_command(template_id) else next_report_seq(s, c.session_id)
    e.client_seq = c.client_seq
    return 1


cdef CommandDone* command_done(State* s, const Command* c, uint16_t template_id, uint64_t client_ref) noexcept nogil:
    """Answer with CommandDone; the caller fills in what its command has (rule 1.9)."""
    cdef CommandDone* e = <CommandDone*> event_begin(s, TEMPLATE_COMMAND_DONE, c.ts_ns)
    memset(&e.permissions, 0, sizeof(CommandDone) - 32)
    e.client_ref = client_ref
    e.session_id = c.session_id
    e.done_template = template_id
    e.report_seq = 0 if is_session_command(template_id) else next_report_seq(s, c.session_id)
    e.client_seq = c.client_seq
    return e


cdef RiskChanged* risk_changed(State* s, const Command* c, uint16_t template_id, uint64_t client_ref) noexcept nogil:
    cdef RiskChanged* e = <RiskChanged*> event_begin(s, TEMPLATE_RISK_CHANGED, c.ts_ns)
    memset(&e.scope_id, 0, sizeof(RiskChanged) - 32)
    e.client_ref = client_ref
    e.session_id = c.session_id
    e.done_template = template_id
    e.report_seq = next_report_seq(s, c.session_id)
    e.client_seq = c.client_seq
    return e
