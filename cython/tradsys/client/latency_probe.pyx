"""Round trips timed without a Python object on the path: of an order through a venue, of a frame through a bare echo."""
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from tradsys.wire.libzmq cimport (
    EAGAIN, EINTR, ZMQ_DONTWAIT, ZMQ_POLLIN, ZMQ_SNDMORE, zmq_error, zmq_msg_close, zmq_msg_data, zmq_msg_init,
    zmq_msg_recv, zmq_msg_send, zmq_msg_size, zmq_msg_t, zmq_poll, zmq_pollitem_t, zmq_send,
)
from tradsys.wire.records cimport ExecutionReport, SIZE_EXECUTION_REPORT, SIZE_FRAME, TEMPLATE_EXECUTION_REPORT

from tradsys.errors import SessionError

cdef enum:
    PATIENCE_NS = 10_000_000_000    # without any answer
    POLL_MS = 100                   # of a sleeping echo, between two looks at the time


cdef inline int64_t _now_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t> now.tv_sec * 1_000_000_000 + now.tv_nsec


def round_trips(size_t handle, const uint8_t[:, ::1] frames not None, int64_t[::1] out_ns not None,
                uint32_t first_seq=0, bint spin=True):
    """Send one frame after the other, each when the one before is answered, and time it.

    Parameters
    ----------
    handle : int
        `int(socket.underlying)` of a connected DEALER.
    frames : array of bytes, shape (n, frame bytes)
    out_ns : array of int64, shape (n,)
        Filled with the time from before the send to after the receive.
    first_seq : int
        client_seq of the first frame's only command; an answer is a frame whose last report has its client_seq.
        0: any frame is an answer (an echo).
    spin : bool
        Poll for the answer instead of sleeping.

    Raises
    ------
    SessionError
        No answer for ten seconds.
    """
    cdef void* socket = <void*> handle
    cdef zmq_msg_t message
    cdef int64_t i, begin
    cdef int outcome = 0
    if out_ns.shape[0] != frames.shape[0]:
        raise ValueError(f"out_ns must have {frames.shape[0]} elements, had {out_ns.shape[0]}")
    zmq_msg_init(&message)
    with nogil:
        for i in range(frames.shape[0]):
            begin = _now_ns()
            outcome = _send(socket, &frames[i, 0], frames.shape[1])
            while outcome == 0:
                outcome = _receive(socket, &message, spin, begin)
                if outcome == 1 and first_seq != 0 and _answered(&message) != first_seq + <uint32_t> i:
                    outcome = 0
            if outcome != 1:
                break
            out_ns[i] = _now_ns() - begin
    zmq_msg_close(&message)
    if outcome != 1 and frames.shape[0] > 0:
        raise SessionError(f"round trip {i} had no answer (errno {-outcome})")


def open_loop(size_t handle, const uint8_t[:, ::1] frames not None, int64_t[::1] out_ns not None,
              uint32_t first_seq, double rate):
    """Send frames at their times, whatever is answered, and time each answer from when its frame was due.

    Parameters
    ----------
    handle, frames, out_ns
        As for `round_trips`; every frame holds one command with one report.
    first_seq : int
        client_seq of the first frame's command.
    rate : float
        Frames a second.
    """
    cdef void* socket = <void*> handle
    cdef zmq_msg_t message
    cdef int64_t count = frames.shape[0], sent = 0, answered = 0, index, now, heard, begin
    cdef double gap_ns = 1e9 / rate
    cdef int outcome = 0, k, reports
    cdef ExecutionReport* report
    zmq_msg_init(&message)
    with nogil:
        begin = heard = _now_ns()
        while answered < count and outcome >= 0:
            now = _now_ns()
            if sent < count and now >= begin + <int64_t> (sent * gap_ns):
                outcome = _send(socket, &frames[sent, 0], frames.shape[1])
                sent += 1
            if zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) < 0:
                if now - heard > PATIENCE_NS:
                    outcome = -EAGAIN
                continue
            heard = now
            reports = _report_count(&message)
            now = _now_ns()
            for k in range(reports):
                report = <ExecutionReport*> (<uint8_t*> zmq_msg_data(&message) + SIZE_FRAME
                                             + k * SIZE_EXECUTION_REPORT)
                index = <int64_t> report.client_seq - first_seq
                if 0 <= index < count:
                    out_ns[index] = now - begin - <int64_t> (index * gap_ns)
                    answered += 1
    zmq_msg_close(&message)
    if outcome < 0:
        raise SessionError(f"{answered} of {count} frames were answered (errno {-outcome})")


def serve_echo(size_t handle, double seconds, bint spin):
    """Send every message of a ROUTER back to where it came from, until nothing has come for `seconds`."""
    cdef void* socket = <void*> handle
    cdef zmq_msg_t name
    cdef zmq_msg_t payload
    cdef zmq_pollitem_t item
    cdef int64_t heard, patience_ns = <int64_t> (seconds * 1e9)
    zmq_msg_init(&name)
    zmq_msg_init(&payload)
    item.socket = socket
    item.events = ZMQ_POLLIN
    with nogil:
        heard = _now_ns()
        while _now_ns() - heard < patience_ns:
            if not spin:
                zmq_poll(&item, 1, POLL_MS)
            while zmq_msg_recv(&name, socket, ZMQ_DONTWAIT) >= 0:
                zmq_msg_recv(&payload, socket, ZMQ_DONTWAIT)
                zmq_msg_send(&name, socket, ZMQ_SNDMORE)
                zmq_msg_send(&payload, socket, 0)
                heard = _now_ns()
    zmq_msg_close(&name)
    zmq_msg_close(&payload)


cdef int _send(void* socket, const uint8_t* frame, int64_t size) noexcept nogil:
    while zmq_send(socket, frame, size, 0) < 0:
        if zmq_error() != EINTR:
            return -zmq_error()
    return 0


cdef int _receive(void* socket, zmq_msg_t* message, bint spin, int64_t begin) noexcept nogil:
    """1: a frame; else minus errno, of nothing for too long too."""
    cdef zmq_pollitem_t item
    while zmq_msg_recv(message, socket, ZMQ_DONTWAIT) < 0:
        if zmq_error() != EAGAIN and zmq_error() != EINTR:
            return -zmq_error()
        if _now_ns() - begin > PATIENCE_NS:
            return -EAGAIN
        if not spin:
            item.socket = socket
            item.events = ZMQ_POLLIN
            zmq_poll(&item, 1, POLL_MS)
    return 1


cdef int _report_count(zmq_msg_t* message) noexcept nogil:
    """Reports in a frame of the venue; 0 when it holds something else."""
    cdef const uint8_t* data = <const uint8_t*> zmq_msg_data(message)
    cdef int64_t size = zmq_msg_size(message)
    if size < SIZE_FRAME + SIZE_EXECUTION_REPORT:
        return 0
    if (<const ExecutionReport*> (data + SIZE_FRAME)).template_id != TEMPLATE_EXECUTION_REPORT:
        return 0
    return <int> ((size - SIZE_FRAME) // SIZE_EXECUTION_REPORT)


cdef uint32_t _answered(zmq_msg_t* message) noexcept nogil:
    """client_seq of the last report in a frame, 0 when it holds none."""
    cdef int count = _report_count(message)
    cdef ExecutionReport report
    if count == 0:
        return 0
    memcpy(&report, <const uint8_t*> zmq_msg_data(message) + SIZE_FRAME + (count - 1) * SIZE_EXECUTION_REPORT,
           sizeof(report))
    return report.client_seq
