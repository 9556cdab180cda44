"""FIX clients that send prepared orders and time the reports, without a Python object on the path.

What a socket answered lies in a room of the caller's afterwards, whole and in order: the caller reads it and says whether
it was right. Sockets are connected, logged on and blocking for `round_trips`, non-blocking for the others.
"""
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

cimport cython

from tradsys.errors import SessionError

cdef extern from "sys/socket.h" nogil:
    ssize_t send(int fd, const void* data, size_t size, int flags)
    ssize_t recv(int fd, void* data, size_t size, int flags)
    int MSG_NOSIGNAL, MSG_DONTWAIT

cdef extern from "sys/epoll.h" nogil:
    """
    #include <unistd.h>
    static int tradsys_watch(int epoll, int fd, uint32_t index) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = index}};
        return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
    """
    ctypedef union epoll_data_t:
        uint32_t u32
    cdef struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_wait(int epoll, epoll_event* events, int count, int timeout_ms)
    int watch "tradsys_watch"(int epoll, int fd, uint32_t index)
    int close(int fd)

cdef enum:
    SOH = 1
    EVENTS = 64
    PIECE_BYTES = 262144

cdef extern from * nogil:
    int64_t PATIENCE_NS "INT64_C(30000000000)"   # without any answer

cdef struct Answers:
    uint8_t* room
    int64_t size      # bytes of the room
    int64_t used
    int64_t looked    # bytes in which messages have been counted
    int64_t count     # whole messages


cdef inline int64_t _now_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t> now.tv_sec * 1_000_000_000 + now.tv_nsec


@cython.overflowcheck(False)  # differences of pointers
cdef int64_t _count(Answers* answers) noexcept nogil:
    """Messages that have come whole since it was asked last: each ends with SOH, 10=nnn and SOH."""
    cdef const uint8_t* end = answers.room + answers.used
    cdef const uint8_t* at = answers.room + answers.looked
    cdef int64_t before = answers.count
    while at < end:
        at = <const uint8_t*> memchr(at, SOH, end - at)
        if at == NULL:
            at = end
            break
        if end - at < 8:
            break
        if memcmp(at + 1, b"10=", 3) == 0:
            answers.count += 1
            at += 7
        at += 1
    answers.looked = at - answers.room
    return answers.count - before


cdef int _receive(int fd, Answers* answers, int flags) noexcept nogil:
    """Receive what is there; 0, or minus errno (no room left and the end of the stream, too)."""
    cdef ssize_t size = recv(fd, answers.room + answers.used, answers.size - answers.used, flags)
    if size > 0:
        answers.used += size
        return 0
    return 0 if size < 0 and (errno == EAGAIN or errno == EINTR) else -(errno if size < 0 else 104)


def round_trips(int fd, const uint8_t[::1] stream not None, const int64_t[::1] bounds not None, int64_t[::1] out_ns not None,
                uint8_t[::1] room not None):
    """Send one message after the other, each when the one before is answered; bytes received.

    Parameters
    ----------
    fd : int
        A blocking socket.
    stream : bytes
        The messages.
    bounds : array of int64, shape (n + 1,)
        Where each begins, and where the last ends.
    out_ns : array of int64, shape (n,)
        Filled with the times from before the send to after the receive.
    room : array of uint8
        Filled with the answers.

    Raises
    ------
    SessionError
        The other side closed, or the room is full.
    """
    cdef Answers answers
    cdef int64_t i, begin
    cdef int outcome = 0
    answers.room, answers.size = &room[0], room.shape[0]
    answers.used = answers.looked = answers.count = 0
    with nogil:
        for i in range(out_ns.shape[0]):
            begin = _now_ns()
            if send(fd, &stream[bounds[i]], bounds[i + 1] - bounds[i], MSG_NOSIGNAL) != bounds[i + 1] - bounds[i]:
                outcome = -errno
            while outcome == 0:
                outcome = _receive(fd, &answers, 0)
                if outcome == 0 and _count(&answers):
                    break
            if outcome:
                break
            out_ns[i] = _now_ns() - begin
    if outcome:
        raise SessionError(f"message {i} had no answer (errno {-outcome})")
    return answers.used


def pipelined(int fd, const uint8_t[::1] stream not None, int64_t wanted, uint8_t[::1] room not None):
    """Write the messages as fast as the socket takes them while reading; nanoseconds until `wanted` answers were there,
    and bytes received.
    """
    cdef Answers answers
    cdef int64_t sent = 0, begin, heard, now
    cdef ssize_t size
    cdef int outcome = 0
    answers.room, answers.size = &room[0], room.shape[0]
    answers.used = answers.looked = answers.count = 0
    with nogil:
        begin = heard = _now_ns()
        while answers.count < wanted and outcome == 0:
            if sent < stream.shape[0]:
                size = send(fd, &stream[sent], min(stream.shape[0] - sent, PIECE_BYTES), MSG_NOSIGNAL | MSG_DONTWAIT)
                if size > 0:
                    sent += size
                elif errno != EAGAIN and errno != EINTR:
                    outcome = -errno
            outcome = outcome or _receive(fd, &answers, MSG_DONTWAIT)
            now = _now_ns()
            if _count(&answers):
                heard = now
            elif now - heard > PATIENCE_NS:
                outcome = -EAGAIN
    if outcome:
        raise SessionError(f"{answers.count} of {wanted} messages were answered (errno {-outcome})")
    return _now_ns() - begin, answers.used


def open_loop(const int32_t[::1] fds not None, const uint8_t[::1] stream not None, const int64_t[:, ::1] bounds not None,
              double rate, int64_t[:, ::1] out_ns not None, uint8_t[:, ::1] rooms not None, int64_t[::1] used not None):
    """Send messages at their times on many sockets in turn, whatever is answered; time each from when it was due.

    Parameters
    ----------
    fds : array of int32, shape (sessions,)
    stream, bounds : as for `round_trips`; bounds has a row for each session
    rate : float
        Messages a second of all sessions together.
    out_ns : array of int64, shape (sessions, n)
        Filled with the times from when a message was due to when its answer had come.
    rooms : array of uint8, shape (sessions, bytes)
        Filled with each session's answers, `used` bytes of them.
    used : array of int64, shape (sessions,)

    Raises
    ------
    SessionError
        A session was closed, its room is full, or for 30 s nothing was answered.
    """
    cdef int64_t sessions = fds.shape[0], s
    cdef Answers* answers
    cdef int epoll, outcome
    if bounds.shape[0] != sessions or bounds.shape[1] != out_ns.shape[1] + 1 or out_ns.shape[0] != sessions:
        raise ValueError(f"bounds and out_ns must be of {sessions} sessions")
    answers = <Answers*> calloc(sessions, sizeof(Answers))
    epoll = epoll_create1(0)
    if answers == NULL or epoll < 0:
        raise MemoryError(f"no room for {sessions} sessions")
    for s in range(sessions):
        answers[s].room, answers[s].size = &rooms[s, 0], rooms.shape[1]
        watch(epoll, fds[s], <uint32_t> s)
    with nogil:
        outcome = _drive(epoll, fds, stream, bounds, 1e9 / rate, out_ns, answers)
    for s in range(sessions):
        used[s] = answers[s].used
    close(epoll)
    free(answers)
    if outcome:
        raise SessionError(f"not every message was answered (errno {-outcome})")


cdef int _drive(int epoll, const int32_t[::1] fds, const uint8_t[::1] stream, const int64_t[:, ::1] bounds, double gap_ns,
                int64_t[:, ::1] out_ns, Answers* answers) noexcept nogil:
    """The loop: what is due is sent, what is there received. 0, or minus errno."""
    cdef int64_t sessions = fds.shape[0], wanted = sessions * out_ns.shape[1], sent = 0, answered = 0
    cdef int64_t begin = _now_ns(), heard = begin, now = begin
    cdef int outcome = 0
    while answered < wanted and outcome == 0:
        now = _now_ns()
        while sent < wanted and outcome == 0 and now >= begin + <int64_t> (sent * gap_ns):
            outcome = _send_due(fds[sent % sessions], stream, bounds[sent % sessions, sent // sessions],
                                bounds[sent % sessions, sent // sessions + 1])
            sent += 1
        if outcome == 0:
            outcome = _take_ready(epoll, fds, begin, gap_ns, out_ns, answers, &answered, &heard)
        if now - heard > PATIENCE_NS:
            outcome = -EAGAIN
    return outcome


cdef int _send_due(int fd, const uint8_t[::1] stream, int64_t begin, int64_t end) noexcept nogil:
    """Send one message whole: where the other side does not read, the others wait, and their times tell it."""
    cdef ssize_t size
    while begin < end:
        size = send(fd, &stream[begin], end - begin, MSG_NOSIGNAL)
        if size > 0:
            begin += size
        elif errno != EAGAIN and errno != EINTR:
            return -errno
    return 0


cdef int _take_ready(int epoll, const int32_t[::1] fds, int64_t begin, double gap_ns, int64_t[:, ::1] out_ns,
                     Answers* answers, int64_t* answered, int64_t* heard) noexcept nogil:
    """Receive from the sockets that have something, and time what came whole."""
    cdef epoll_event events[EVENTS]
    cdef int64_t k, s, first, now
    cdef int e, outcome = 0
    for e in range(epoll_wait(epoll, events, EVENTS, 0)):
        s = events[e].data.u32
        outcome = outcome or _receive(fds[s], &answers[s], MSG_DONTWAIT)
        first = answers[s].count
        if _count(&answers[s]):
            now = heard[0] = _now_ns()
            for k in range(first, min(answers[s].count, out_ns.shape[1])):
                out_ns[s, k] = now - begin - <int64_t> ((k * fds.shape[0] + s) * gap_ns)
                answered[0] += 1
    return outcome
