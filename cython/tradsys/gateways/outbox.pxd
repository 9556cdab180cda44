"""The sending half of the order door's ROUTER: frames to connections, and the answers that need no session."""
from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef enum:
    ROUTE_BYTES = 5    # routing ids that libzmq gives: a zero byte and a number


cdef class Outbox:
    cdef void* handle             # the ROUTER, borrowed from `socket`
    cdef readonly object socket
    cdef int64_t frames_out       # frames sent

    # Send a frame; 0, EAGAIN (its queue is full), EHOSTUNREACH (it has gone) or what else libzmq says.
    cdef int send(self, const void* name, size_t name_bytes, const uint8_t* frame, int64_t size_bytes) noexcept nogil
    # The same to one of libzmq's own routing ids, by its last four bytes.
    cdef int send_route(self, uint32_t route, const uint8_t* frame, int64_t size_bytes) noexcept nogil
    # A frame of one record, at most 200 bytes.
    cdef int send_record(self, uint32_t route, const void* record, int64_t size_bytes) noexcept nogil
    # Answers; as far as the connection takes them.
    cdef void refuse_frame(self, const void* name, size_t name_bytes, uint32_t first_seq, uint32_t next_client_seq,
                           int reject_reason) noexcept nogil
    cdef void refuse_logon(self, uint32_t route, int reject_reason, const char* text) noexcept nogil
    cdef void log_out(self, uint32_t route, int close_reason) noexcept nogil

# Ns since the epoch, UTC, and ns of the clock that never steps back.
cdef int64_t wall_ns() noexcept nogil
cdef int64_t monotonic_ns() noexcept nogil
