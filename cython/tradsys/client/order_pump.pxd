"""The client's hot loop: many commands out, many reports in, without a Python object each."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from tradsys.wire.libzmq cimport zmq_msg_t


cdef class OrderPump:
    cdef void* handle                   # DEALER, borrowed from `socket`
    cdef readonly object socket
    cdef zmq_msg_t message              # the frame at hand
    cdef bint holding                   # it has reports that found no room yet
    cdef int64_t offset                 # of the next one, bytes from the frame's start
    cdef readonly uint64_t last_report_seq   # newest report taken, in order
    cdef readonly uint64_t last_client_seq   # highest client_seq any report taken has answered
    cdef readonly uint64_t answers_after     # reports up to here answer nothing that is still open
    cdef readonly int64_t repeated_count     # reports dropped because they were taken before
    cdef readonly uint64_t gap_from          # first report missing, 0: none; later ones are dropped until it comes

    cdef int64_t send_frames(self, const unsigned char* records, int64_t count, int32_t record_size,
                             uint32_t first_seq, int32_t per_frame) except -1 nogil
    cdef int64_t take_reports(self, unsigned char* out, int64_t room, int64_t size) noexcept nogil
    cdef int next_frame(self) noexcept nogil
    cdef int is_report_frame(self) noexcept nogil
