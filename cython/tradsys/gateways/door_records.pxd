"""Records the order door makes itself: session commands and refusals for the sequencer, answers to a session."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from tradsys.gateways.sessions cimport Session
from tradsys.wire.records cimport (
    CloseSession, DefineSession, Heartbeat, LogonAccepted, MassCancel, OpenSession, RefuseCommand,
)

cdef void fill_open_session(OpenSession* command, uint32_t session_id, int reset_client_seq,
                            int cancel_on_disconnect) noexcept nogil
cdef void fill_close_session(CloseSession* command, uint32_t session_id, int close_reason) noexcept nogil
# What an operator (a session) wants of a session: the command is the venue's own, client_ref says who asked.
cdef void fill_define_session(DefineSession* command, uint32_t session_id, uint32_t participant_id, bint enabled,
                              uint32_t operator_id, bytes name) noexcept
# The venue's own cancel of all orders of a session.
cdef void fill_mass_cancel(MassCancel* command, uint32_t session_id) noexcept nogil
# The refusal of a client's command, as it lies in its frame, that has the session's next client_seq.
cdef void fill_refusal(RefuseCommand* refusal, const Session* session, const uint8_t* record,
                       int reject_reason) noexcept nogil
cdef void fill_logon_accepted(LogonAccepted* accepted, const Session* session, int32_t frame_messages_max,
                              int64_t ts_ns) noexcept nogil
cdef void fill_heartbeat(Heartbeat* beat, const Session* session, int64_t ts_ns) noexcept nogil
