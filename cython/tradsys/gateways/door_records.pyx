"""Records the order door makes itself."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from tradsys.gateways.frames cimport load_u32, load_u64, record_template, write_header
from tradsys.gateways.sessions cimport Session
from tradsys.wire.records cimport (
    BLOCK_CLOSE_SESSION, BLOCK_DEFINE_SESSION, BLOCK_HEARTBEAT, BLOCK_LOGON_ACCEPTED, BLOCK_MASS_CANCEL,
    BLOCK_OPEN_SESSION, BLOCK_REFUSE_COMMAND, CloseSession, DefineSession, Heartbeat, LogonAccepted, MassCancel,
    OpenSession, RefuseCommand, SIZE_CLOSE_SESSION, SIZE_DEFINE_SESSION, SIZE_HEARTBEAT, SIZE_LOGON_ACCEPTED,
    SIZE_MASS_CANCEL, SIZE_OPEN_SESSION, SIZE_REFUSE_COMMAND, TEMPLATE_CANCEL_ORDER, TEMPLATE_CLOSE_SESSION,
    TEMPLATE_DEFINE_SESSION, TEMPLATE_HEARTBEAT, TEMPLATE_LOGON_ACCEPTED, TEMPLATE_MASS_CANCEL,
    TEMPLATE_NEW_COMPLEX_ORDER, TEMPLATE_NEW_ORDER_LIST, TEMPLATE_OPEN_SESSION,
    TEMPLATE_REFUSE_COMMAND, TEMPLATE_REPLACE_ORDER,
)

cdef enum:
    MS = 1_000_000


cdef void fill_open_session(OpenSession* command, uint32_t session_id, int reset_client_seq,
                            int cancel_on_disconnect) noexcept nogil:
    memset(command, 0, SIZE_OPEN_SESSION)
    write_header(command, BLOCK_OPEN_SESSION, TEMPLATE_OPEN_SESSION)
    command.session_id = session_id
    command.reset_client_seq = <uint8_t> reset_client_seq
    command.cancel_on_disconnect = <uint8_t> cancel_on_disconnect


cdef void fill_close_session(CloseSession* command, uint32_t session_id, int close_reason) noexcept nogil:
    memset(command, 0, SIZE_CLOSE_SESSION)
    write_header(command, BLOCK_CLOSE_SESSION, TEMPLATE_CLOSE_SESSION)
    command.session_id = session_id
    command.close_reason = <uint8_t> close_reason


cdef void fill_define_session(DefineSession* command, uint32_t session_id, uint32_t participant_id, bint enabled,
                              uint32_t operator_id, bytes name) noexcept:
    memset(command, 0, SIZE_DEFINE_SESSION)
    write_header(command, BLOCK_DEFINE_SESSION, TEMPLATE_DEFINE_SESSION)
    command.client_ref = operator_id
    command.defined_session_id = session_id
    command.participant_id = participant_id
    command.enabled = enabled
    memcpy(command.name, <const char*> name, min(<size_t> len(name), sizeof(command.name)))


cdef void fill_mass_cancel(MassCancel* command, uint32_t session_id) noexcept nogil:
    memset(command, 0, SIZE_MASS_CANCEL)
    write_header(command, BLOCK_MASS_CANCEL, TEMPLATE_MASS_CANCEL)
    command.target_session_id = session_id


cdef void fill_refusal(RefuseCommand* refusal, const Session* session, const uint8_t* record,
                       int reject_reason) noexcept nogil:
    cdef int template_id = record_template(record)
    memset(refusal, 0, SIZE_REFUSE_COMMAND)
    write_header(refusal, BLOCK_REFUSE_COMMAND, TEMPLATE_REFUSE_COMMAND)
    refusal.session_id = session.session_id
    refusal.client_seq = <uint32_t> session.next_client_seq
    refusal.client_ref = load_u64(record + 32)
    refusal.refused_template = <uint16_t> template_id
    refusal.reject_reason = <uint8_t> reject_reason
    # order commands have instrument, reference and id at one place
    if template_id <= TEMPLATE_MASS_CANCEL or template_id == TEMPLATE_NEW_COMPLEX_ORDER or (
            template_id == TEMPLATE_NEW_ORDER_LIST):
        refusal.instrument_id = load_u32(record + 56)
    if TEMPLATE_CANCEL_ORDER <= template_id <= TEMPLATE_REPLACE_ORDER:
        refusal.orig_client_ref = load_u64(record + 64)
        refusal.order_id = load_u64(record + 72)


cdef void fill_logon_accepted(LogonAccepted* accepted, const Session* session, int32_t frame_messages_max,
                              int64_t ts_ns) noexcept nogil:
    memset(accepted, 0, SIZE_LOGON_ACCEPTED)
    write_header(accepted, BLOCK_LOGON_ACCEPTED, TEMPLATE_LOGON_ACCEPTED)
    accepted.session_id = session.session_id
    accepted.participant_id = session.participant_id
    accepted.next_client_seq = <uint32_t> session.next_client_seq
    accepted.last_report_seq = <uint32_t> session.head_report_seq
    accepted.heartbeat_ms = <uint32_t> (session.heartbeat_ns // MS)
    accepted.throttle_messages = <uint32_t> session.throttle_messages
    accepted.throttle_window_ms = <uint32_t> (session.throttle_window_ns // MS)
    accepted.frame_messages_max = <uint32_t> frame_messages_max
    accepted.ts_ns = ts_ns


cdef void fill_heartbeat(Heartbeat* beat, const Session* session, int64_t ts_ns) noexcept nogil:
    memset(beat, 0, SIZE_HEARTBEAT)
    write_header(beat, BLOCK_HEARTBEAT, TEMPLATE_HEARTBEAT)
    beat.ts_ns = ts_ns
    beat.next_seq = <uint32_t> session.next_report_seq
