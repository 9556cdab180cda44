"""One FIX session at the door: what the session layer asks for, what its messages become, what it is told."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.engine.sequencer cimport Sequencer
from tradsys.fix.validation cimport Validator
from tradsys.gateways.fix_copies cimport FixCopies
from tradsys.gateways.fix_entry cimport FixEntry
from tradsys.gateways.fix_orders cimport FixOrder
from tradsys.gateways.fix_request cimport FixRequest
from tradsys.gateways.sessions cimport Session
from tradsys.wire.records cimport ExecutionReport

cdef enum:
    LIVE_BYTES = 1048576           # waiting for a client before its reports stay in the event log
    NO_ROOM = 0            # the sequencer takes no more now: come again with the same message
    TAKEN = 1


cdef class FixPeer(FixEntry):
    # what it stands between
    cdef Sequencer sequencer
    cdef Validator rules               # what messages in are held against beside what we need, or None
    cdef object door                   # the FixGateway
    cdef readonly object session       # tradsys.fix.session.FixSession
    # at the engine
    cdef public bint engine_open       # OPEN_SESSION was pushed last
    cdef public int opens_pending      # OPEN_SESSION commands of a Logon on their way
    cdef readonly object opens         # of every OPEN_SESSION on its way, oldest first: whether it is a Logon's
    cdef public int64_t end_at_ns      # when the engine's session is closed after a loss (grace), monotonic; 0: not
    cdef uint32_t pushed_seq           # highest MsgSeqNum handed over to the engine's batch
    # reports
    cdef readonly bint live            # logged on: reports may leave
    cdef readonly bint behind          # reports come from the event log
    cdef readonly uint64_t told_report_seq
    # turn
    cdef int64_t stored_next_in        # as the store has it
    cdef Session throttle
    cdef Session cancel_throttle       # of F and q
    cdef Session admin_throttle        # of administrative messages
    cdef readonly int64_t banned_until_ns  # monotonic
    # waiting work
    cdef int64_t slow_cost             # of what the session had to look at this turn, bytes
    cdef bint has_tasks                # there is some: `work` is called each turn
    cdef readonly object delayed       # messages that found no room in the batch
    cdef readonly object questions     # status requests, answered behind this turn's events
    cdef readonly object answers       # a mass status request being answered
    cdef readonly object search        # a mass status request whose orders are being looked for
    cdef int64_t reset_after_ns        # the numbers do not begin again before, monotonic
    cdef readonly FixCopies copies     # of a drop copy: what the participant's sessions are told; else None
    # counters
    cdef readonly int64_t orders_in
    cdef readonly int64_t throttled
    cdef readonly int64_t reports_out
    # rates
    cdef int64_t sampled_ns            # monotonic time of the counters below
    cdef int64_t sampled_orders
    cdef int64_t sampled_reports
    cdef readonly double orders_per_s
    cdef readonly double reports_per_s

    cdef void sample(self, int64_t mono_ns) noexcept
    cdef int take(self, const uint8_t* message, int64_t size) except -1
    cdef int tell(self, const uint8_t* event, int party, uint64_t report_seq) except -1
    cdef int tell_match_change(self, const ExecutionReport* report, int party, const FixOrder* root) except -1
    cdef int flush(self, bint sync) except -1
    # Whether it lacks reports and its client takes them.
    cdef bint can_catch_up(self) noexcept
    # Tell a piece of what is lacking, from the event log; what it cost, in reports.
    cdef int64_t catch_up(self, int64_t reports_max) except -1
    cdef int work(self) except -1
    cdef int fall_behind(self) except -1
    cdef int look_on(self) except -1
    cdef int take_order(self, FixRequest* request, const uint8_t* message, int64_t size) except -1
    cdef int note_request(self, const FixRequest* request, const uint8_t* message, int64_t size, uint64_t client_ref) except -1
    cdef bint is_next(self, const FixRequest* request) noexcept
    cdef int refuse_rate(self, const FixRequest* request) except -1
    cdef int count_flood(self) except -1
