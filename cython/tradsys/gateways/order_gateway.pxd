"""The order door: a ROUTER's frames into the sequencer, released events out as ExecutionReports."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tradsys.engine.sequencer cimport Sequencer
from tradsys.gateways.frames cimport FrameView
from tradsys.gateways.outbox cimport Outbox
from tradsys.gateways.sessions cimport Session, SessionTable
from tradsys.wire.libzmq cimport zmq_msg_t


# Why a turn of receiving ended.
cdef enum:
    TURN_DRAINED = 0    # the socket is empty
    TURN_BUDGET = 1     # as many frames as allowed were taken
    TURN_FULL = 2       # the sequencer takes no more now
    TURN_COLD = 3       # the message at hand is one for the slow path

cdef struct Counters:
    int64_t frames_in          # frames received
    int64_t commands_in        # commands handed to the sequencer
    int64_t throttled          # of them refused for the rate
    int64_t repeated           # records skipped because they were executed before
    int64_t frames_refused     # FrameRefused answers and refusals not answered
    int64_t refusals_dropped   # of them not answered
    int64_t reports_out        # reports sent
    int64_t reports_resent     # of them taken from the event log
    int64_t logons             # sessions opened
    int64_t logons_refused
    int64_t closes             # sessions closed


cdef class OrderGateway:
    # what it stands between
    cdef Sequencer sequencer
    cdef readonly Outbox outbox
    cdef void* handle             # the ROUTER, borrowed from the outbox
    cdef readonly object logon_check
    cdef object clock             # wall clock of logons
    cdef object waiting           # deque of logons that found no room in the batch
    cdef SessionTable table
    # hot: the message at hand
    cdef zmq_msg_t identity
    cdef zmq_msg_t payload
    cdef FrameView view           # of the message at hand
    cdef bint holding             # a frame was used up to held_offset only: the batch was full
    cdef int64_t held_offset      # bytes from the frame's start
    cdef int32_t held_left        # records to go
    cdef uint64_t held_seq        # client_seq of the next one
    cdef uint32_t held_session    # whose they are
    cdef uint32_t held_logon      # that session's logon_count when the frame came
    # hot: reports on their way out
    cdef uint64_t egress_seq      # last event told
    cdef uint8_t* staging         # sessions_max frames of report_frame_messages reports each
    cdef int64_t staging_bytes    # of one of them
    cdef int32_t* dirty           # sessions with staged reports
    cdef int32_t dirty_count
    cdef int32_t behind_count     # sessions catching up
    cdef int32_t closes_wanted    # sessions whose CLOSE_SESSION has still to be pushed
    # time, monotonic ns
    cdef int64_t now_ns           # of this turn
    cdef int64_t drained_ns       # when the socket was last found empty
    cdef int64_t swept_ns         # when heartbeats were last looked at
    cdef int64_t refusal_tokens   # of answers to peers that are not logged on
    cdef int64_t refusal_filled_ns
    # limits
    cdef int32_t frame_messages_max
    cdef int32_t report_frame_messages
    cdef int32_t protocol_errors_max
    cdef int32_t logons_pending_max
    cdef int64_t flood_multiple
    cdef int64_t resend_reports_per_turn
    cdef int64_t slow_reports_max
    cdef int64_t refusals_per_second
    cdef Counters counters
    cdef bint closing             # no more logons

    # in
    cdef int receive(self, int64_t* budget) except -1 nogil
    cdef int drop_parts(self) noexcept nogil
    cdef Session* sender(self) noexcept nogil
    cdef int take_frame(self) except -1 nogil
    cdef int take_commands(self, Session* session) except -1 nogil
    cdef int push_records(self) except -1 nogil
    cdef bint push_record(self, Session* session, const uint8_t* record, int32_t size) except -1 nogil
    cdef int refuse_frame(self, Session* session, int reject_reason) except -1 nogil
    cdef int count_refused(self, Session* session, int reject_reason) except -1 nogil
    cdef bint may_refuse(self) noexcept nogil
    # sessions
    cdef void go_back(self, Session* session, uint32_t first_report_seq) noexcept nogil
    cdef void set_behind(self, Session* session, int catching_up) noexcept nogil
    cdef bint push_open(self, Session* session, int reset_client_seq, int cancel_on_disconnect) except -1 nogil
    cdef bint push_close(self, Session* session, int close_reason) except -1 nogil
    cdef int push_closes(self) except -1 nogil
    cdef int want_close(self, Session* session, int close_reason) except -1 nogil
    cdef int session_event(self, const uint8_t* event) except -1 nogil
    cdef int close_disabled(self, const uint8_t* event) except -1 nogil
    cdef int accept_logon(self, Session* session, int reset_client_seq) except -1 nogil
    cdef int reject_logon(self, Session* session, int reject_reason) except -1 nogil
    cdef int finish_close(self, Session* session) except -1 nogil
    cdef int forget(self, Session* session) except -1 nogil
    # out
    cdef int route_events(self, const uint8_t* events, int64_t event_count) except -1 nogil
    cdef int tell(self, Session* session, const uint8_t* event, int party, uint64_t report_seq) except -1 nogil
    cdef int stage(self, Session* session, const uint8_t* event, int party) except -1 nogil
    cdef int flush(self, Session* session) except -1 nogil
    cdef int flush_all(self) except -1 nogil
    cdef int sweep(self) except -1 nogil
    # sending
    cdef int send_session(self, Session* session, const uint8_t* frame, int64_t size_bytes) except -1 nogil
    cdef int send_record(self, Session* session, const void* record, int size_bytes) except -1 nogil
    cdef int note_sent(self, Session* session, int error) except -1 nogil
