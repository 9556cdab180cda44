"""One FIX session at the door: its store, order table, numbers, and what its messages become."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tradsys.engine.sequencer cimport Sequencer
from tradsys.fix.numbers cimport SessionNumbers
from tradsys.gateways.fix_connection cimport FixConnection
from tradsys.gateways.fix_orders cimport FixOrder, FixOrders
from tradsys.gateways.fix_request cimport FixRequest
from tradsys.gateways.fix_store cimport FixStore
from tradsys.gateways.fix_symbols cimport FixSymbols
from tradsys.gateways.fix_text cimport FixText
from tradsys.gateways.sessions cimport Session

cdef enum:
    NO_ROOM = 0            # the sequencer takes no more now: come again with the same message
    TAKEN = 1


cdef class FixPeer:
    # identity
    cdef readonly object config        # tradsys.gateways.fix_sessions.FixSessionConfig
    cdef readonly uint32_t session_id
    cdef bytes ours                    # our CompID
    cdef bytes theirs
    # what it stands between
    cdef Sequencer sequencer
    cdef FixSymbols symbols
    cdef object door                   # the FixGateway
    cdef readonly SessionNumbers numbers
    cdef readonly object session       # tradsys.fix.session.FixSession
    cdef readonly FixStore store
    cdef readonly FixOrders orders
    cdef public FixConnection connection
    # at the engine
    cdef public bint engine_open       # OPEN_SESSION was pushed last
    cdef public int opens_pending      # OPEN_SESSION commands on their way
    cdef public int64_t end_at_ns      # when the engine's session is closed after a loss (grace), monotonic; 0: not
    # reports
    cdef readonly bint live            # logged on: reports may leave
    cdef public bint behind            # reports come from the event log
    cdef readonly uint64_t told_report_seq
    # turn
    cdef public int64_t now_ns         # wall clock
    cdef public int64_t mono_ns
    cdef int64_t stored_next_in        # as the store has it
    cdef Session throttle
    cdef readonly int64_t banned_until_ns  # monotonic
    # waiting work
    cdef readonly object delayed       # messages that found no room in the batch
    cdef readonly object questions     # status requests, answered behind this turn's events
    cdef readonly object answers       # a mass status request being answered
    cdef readonly object resends       # ranges asked for
    cdef uint64_t resend_seq           # next number to cover of the first of them
    cdef int64_t resend_offset         # where the store is read on; -1: not begun
    # scratch
    cdef uint8_t* scratch              # a message being written
    cdef uint8_t* body
    cdef int64_t frame_end             # behind the message in scratch
    cdef int digits                    # behind the second of times sent
    # counters
    cdef readonly int64_t orders_in
    cdef readonly int64_t refused
    cdef readonly int64_t throttled
    cdef readonly int64_t reports_out
    cdef readonly int64_t messages_resent

    cdef int take(self, const uint8_t* message, int64_t size) except -1
    cdef int tell(self, const uint8_t* event, int party, uint64_t report_seq) except -1
    cdef int flush(self, bint sync) except -1
    cdef int take_order(self, FixRequest* request, const uint8_t* message, int64_t size) except -1
    cdef bint is_next(self, const FixRequest* request) noexcept
    cdef int new_order(self, FixRequest* request, uint8_t* target) except -1
    cdef int change_order(self, FixRequest* request, uint8_t* target) except -1
    cdef int mass_cancel(self, FixRequest* request, uint8_t* target) except -1
    cdef int terms_of(self, FixOrder* terms, const FixRequest* request, const char** sentence) except -1
    cdef FixOrder* enter(self, FixRequest* request, uint64_t seq, uint64_t client_ref) except? NULL
    cdef FixOrder* meant(self, const FixRequest* request) noexcept
    cdef int refuse(self, const FixRequest* request, int reason, const char* sentence) except -1
    cdef int refuse_rate(self, const FixRequest* request) except -1
    cdef int send(self, uint32_t msg_type, const uint8_t* body, int32_t size, int flags, uint32_t report_seq) except -1
    cdef int send_routed(self, uint32_t msg_type, const uint8_t* routing, int32_t routing_bytes, const uint8_t* body,
                         int32_t size, int flags, uint32_t report_seq) except -1
    cdef int64_t frame(self, uint32_t msg_type, uint64_t seq, const uint8_t* routing, int32_t routing_bytes,
                       int64_t orig_ns, const uint8_t* body, int32_t size, int* body_offset) except -1
    cdef int note_in(self, const uint8_t* message, int64_t size, uint64_t seq, uint64_t client_ref, int flags) except -1
    cdef int resend_record(self, const uint8_t* record, uint64_t end) except -1
    cdef int gap_fill(self, uint64_t new_seq) except -1
    cdef bint has_space(self) noexcept
