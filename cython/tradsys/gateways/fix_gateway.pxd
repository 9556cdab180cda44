"""The FIX door: connections, who they are, and what leaves for them each turn (fix_specs/RULES_OF_ENGAGEMENT.md)."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from tradsys.engine.sequencer cimport Sequencer
from tradsys.gateways.fix_connection cimport FixConnection
from tradsys.gateways.fix_peer cimport FixPeer
from tradsys.gateways.fix_symbols cimport FixSymbols
from tradsys.gateways.reports cimport Recipient


cdef class FixGateway:
    # what it stands between
    cdef Sequencer sequencer
    cdef FixSymbols symbols
    cdef object listener               # socket.socket
    cdef object tls_listener           # likewise, or None
    cdef object tls_context            # ssl.SSLContext
    cdef readonly object limits        # tradsys.gateways.fix_limits.FixLimits
    cdef object logon_check
    cdef readonly object desk          # tradsys.gateways.fix_desk.FixDesk
    cdef dict by_names                 # (SenderCompID, TargetCompID) of the client -> FixPeer
    cdef list by_session               # session_id -> FixPeer or None
    cdef list peers
    cdef list copies_of                # participant_id -> drop copies of its sessions, or None
    cdef bint has_copies
    # connections
    cdef int epoll
    cdef list connections              # slot -> FixConnection or None
    cdef list free_slots
    cdef readonly int64_t connections_max
    cdef readonly int connection_count
    cdef list unread                   # connections with whole messages left over
    cdef dict strangers                # connections not logged on, the oldest first
    cdef object session_commands       # deque of (FixPeer, kind, argument) waiting for room
    # time
    cdef int64_t now_ns                # wall clock of this turn
    cdef int64_t mono_ns
    cdef int64_t listened_ns           # when the listener was looked at last
    cdef int64_t swept_ns
    cdef int64_t swept_at_ns           # the wall clock then
    cdef int64_t sampled_ns
    cdef int64_t taken_ns              # when messages were taken last, monotonic
    cdef int64_t resent_ns             # when a piece of a resend was sent last
    # out
    cdef int resent_slot               # of the connection that got it: the others are looked at first
    cdef int64_t caught_ns             # the same of what is told from the log
    cdef int caught_slot
    cdef readonly uint64_t egress_seq  # last event looked at
    cdef int open_count                # sessions open or opening at the engine
    cdef bint closing
    # counters
    cdef readonly int64_t messages_in
    cdef readonly int64_t connections_made
    cdef readonly int64_t connections_refused
    cdef readonly int64_t connections_displaced
    cdef readonly int64_t garbled_bytes
    cdef readonly int64_t logons_refused

    cdef int read(self, FixConnection connection) except -1
    cdef int route(self, const uint8_t* events, int64_t event_count) except -1
    cdef int _catch_up(self) except -1
    cdef int64_t _resend_piece(self) except -1
    cdef int _leave_unread(self, FixConnection connection) except -1
    cdef int _send(self, FixConnection connection) except -1
    cdef int copy_event(self, const uint8_t* event, const Recipient* told, int count) except -1
    cdef int desk_event(self, const uint8_t* event, int template_id) except -1
    cdef int session_event(self, const uint8_t* event) except -1
