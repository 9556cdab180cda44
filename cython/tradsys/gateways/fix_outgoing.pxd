"""The sending half of a FIX session: its numbers, its store, and the messages that leave."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tradsys.fix.numbers cimport SessionNumbers
from tradsys.gateways.fix_connection cimport FixConnection
from tradsys.gateways.fix_store cimport FixStore


cdef class FixOutgoing:
    # identity
    cdef readonly object config        # tradsys.gateways.fix_sessions.FixSessionConfig
    cdef readonly uint32_t session_id
    cdef bytes ours                    # our CompID
    cdef bytes theirs
    # what it stands between
    cdef readonly SessionNumbers numbers
    cdef readonly FixStore store
    cdef uint64_t position             # of a drop copy: the place in the log its messages are of; else 0
    cdef public FixConnection connection
    cdef readonly bint is_durable      # its store is synced before what depends on it
    # turn
    cdef public int64_t now_ns         # wall clock
    cdef public int64_t mono_ns
    # waiting work
    cdef readonly object resends       # ranges asked for
    cdef readonly bint is_resending    # there are any
    cdef uint64_t resend_seq           # next number to cover of the first of them
    cdef int64_t resend_offset         # where the store is read on; -1: not begun
    # scratch
    cdef uint8_t* scratch              # a message being written
    cdef uint8_t* body
    cdef int64_t frame_end             # behind the message in scratch
    cdef readonly int digits           # behind the second of times sent
    # counters
    cdef readonly int64_t messages_resent

    cdef bint has_space(self) noexcept
    cdef int send(self, uint32_t msg_type, const uint8_t* body, int32_t size, int flags, uint32_t report_seq) except -1
    cdef int send_routed(self, uint32_t msg_type, const uint8_t* routing, int32_t routing_bytes, const uint8_t* body,
                         int32_t size, int flags, uint32_t report_seq) except -1
    cdef int64_t frame(self, uint32_t msg_type, uint64_t seq, const uint8_t* routing, int32_t routing_bytes,
                       int64_t orig_ns, const uint8_t* body, int32_t size, int* body_offset) except -1
    cdef int note_in(self, const uint8_t* message, int64_t size, uint64_t seq, uint64_t client_ref, int flags) except -1
    cdef bint can_resend(self) noexcept
    cdef int forget_resends(self) except -1
    cdef bytes _read_piece(self, int64_t size)
    cdef int resend_record(self, const uint8_t* record, uint64_t end) except -1
    cdef int gap_fill(self, uint64_t new_seq) except -1
