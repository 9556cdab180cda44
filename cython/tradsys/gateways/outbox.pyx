"""Frames to connections of the order door."""
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset, strlen
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

cimport cython

from tradsys.gateways.frames cimport refusal_text, write_frame_head, write_header
from tradsys.wire.libzmq cimport EINTR, ZMQ_DONTWAIT, ZMQ_SNDMORE, zmq_error, zmq_send
from tradsys.wire.records cimport (
    BLOCK_FRAME_REFUSED, BLOCK_LOGGED_OUT, BLOCK_LOGON_REFUSED, CLOSE_REASON_FLOOD, CLOSE_REASON_HEARTBEAT_TIMEOUT,
    CLOSE_REASON_LOGOUT, CLOSE_REASON_PROTOCOL_ERROR, CLOSE_REASON_REPLACED_BY_NEW_LOGON, CLOSE_REASON_SLOW_CONSUMER,
    CLOSE_REASON_VENUE_RESTART, FrameRefused, LoggedOut, LogonRefused, SIZE_FRAME, TEMPLATE_FRAME_REFUSED,
    TEMPLATE_LOGGED_OUT, TEMPLATE_LOGON_REFUSED,
)

cdef enum:
    TEXT_BYTES = 64             # of a sentence in an answer
    ONE_RECORD_BYTES = 256      # a frame of one record to a client is never larger


cdef int64_t wall_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return <int64_t> now.tv_sec * 1_000_000_000 + now.tv_nsec


cdef int64_t monotonic_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t> now.tv_sec * 1_000_000_000 + now.tv_nsec


@cython.final
cdef class Outbox:
    """Sends frames through a ROUTER with ROUTER_MANDATORY. Only the thread that owns the socket may call.

    Parameters
    ----------
    socket : zmq.Socket
        The caller closes it, after the last use.
    """

    def __cinit__(self, socket):
        self.socket = socket
        self.handle = <void*> <size_t> int(socket.underlying)

    cdef int send(self, const void* name, size_t name_bytes, const uint8_t* frame, int64_t size_bytes) noexcept nogil:
        cdef int error
        while zmq_send(self.handle, name, name_bytes, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0:
            error = zmq_error()
            if error != EINTR:
                return error
        # the queue has been looked at with the name: the rest is taken, or dropped with its connection
        while zmq_send(self.handle, frame, size_bytes, ZMQ_DONTWAIT) < 0:
            error = zmq_error()
            if error != EINTR:
                return error
        self.frames_out += 1
        return 0

    cdef int send_route(self, uint32_t route, const uint8_t* frame, int64_t size_bytes) noexcept nogil:
        cdef uint8_t name[ROUTE_BYTES]
        name[0] = 0
        memcpy(name + 1, &route, 4)
        return self.send(name, ROUTE_BYTES, frame, size_bytes)

    cdef int send_record(self, uint32_t route, const void* record, int64_t size_bytes) noexcept nogil:
        cdef uint8_t frame[ONE_RECORD_BYTES]
        write_frame_head(frame, 0, 1, SIZE_FRAME + size_bytes)
        memcpy(frame + SIZE_FRAME, record, size_bytes)
        return self.send_route(route, frame, SIZE_FRAME + size_bytes)

    cdef void refuse_frame(self, const void* name, size_t name_bytes, uint32_t first_seq, uint32_t next_client_seq,
                           int reject_reason) noexcept nogil:
        cdef uint8_t frame[ONE_RECORD_BYTES]
        cdef FrameRefused refused
        memset(&refused, 0, sizeof(refused))
        write_header(&refused, BLOCK_FRAME_REFUSED, TEMPLATE_FRAME_REFUSED)
        refused.ts_ns = wall_ns()
        refused.first_seq = first_seq
        refused.next_client_seq = next_client_seq
        refused.reject_reason = <uint8_t> reject_reason
        _copy_text(refused.text, refusal_text(reject_reason))
        write_frame_head(frame, 0, 1, SIZE_FRAME + sizeof(refused))
        memcpy(frame + SIZE_FRAME, &refused, sizeof(refused))
        self.send(name, name_bytes, frame, SIZE_FRAME + sizeof(refused))

    cdef void refuse_logon(self, uint32_t route, int reject_reason, const char* text) noexcept nogil:
        cdef LogonRefused refused
        memset(&refused, 0, sizeof(refused))
        write_header(&refused, BLOCK_LOGON_REFUSED, TEMPLATE_LOGON_REFUSED)
        refused.ts_ns = wall_ns()
        refused.reject_reason = <uint8_t> reject_reason
        _copy_text(refused.text, text)
        self.send_record(route, &refused, sizeof(refused))

    cdef void log_out(self, uint32_t route, int close_reason) noexcept nogil:
        cdef LoggedOut out
        memset(&out, 0, sizeof(out))
        write_header(&out, BLOCK_LOGGED_OUT, TEMPLATE_LOGGED_OUT)
        out.ts_ns = wall_ns()
        out.close_reason = <uint8_t> close_reason
        _copy_text(out.text, _close_text(close_reason))
        self.send_record(route, &out, sizeof(out))


cdef void _copy_text(char* target, const char* text) noexcept nogil:
    cdef size_t size = strlen(text)
    memcpy(target, text, size if size < TEXT_BYTES else TEXT_BYTES)


cdef const char* _close_text(int close_reason) noexcept nogil:
    if close_reason == CLOSE_REASON_LOGOUT:
        return b"Logged out"
    if close_reason == CLOSE_REASON_HEARTBEAT_TIMEOUT:
        return b"Nothing was heard for 3 heartbeat intervals"
    if close_reason == CLOSE_REASON_SLOW_CONSUMER:
        return b"Reports were not read fast enough"
    if close_reason == CLOSE_REASON_FLOOD:
        return b"Far more messages than the session's rate allows"
    if close_reason == CLOSE_REASON_PROTOCOL_ERROR:
        return b"Too many frames that were not well formed"
    if close_reason == CLOSE_REASON_REPLACED_BY_NEW_LOGON:
        return b"The session logged on again from another connection"
    if close_reason == CLOSE_REASON_VENUE_RESTART:
        return b"The venue is closing"
    return b"Closed by an operator"
