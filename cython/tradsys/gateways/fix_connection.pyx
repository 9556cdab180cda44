"""Connections of the FIX door."""
import socket as sockets

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove

cimport cython

cdef extern from "sys/socket.h" nogil:
    enum:
        MSG_NOSIGNAL
        MSG_DONTWAIT
    ssize_t c_send "send"(int fd, const void* data, size_t size, int flags)
    ssize_t c_recv "recv"(int fd, void* data, size_t size, int flags)

cdef enum:
    IN_BYTES = 131072
    OUT_BEGIN = 65536


@cython.final
cdef class FixConnection:
    """A socket and its buffers.

    Parameters
    ----------
    socket : socket.socket
        Connected; closed by `close`.
    address : str
        The other side's address.
    out_bytes_max : int
        Bytes that may wait for a slow reader.
    now_ns : int
        Monotonic time.
    """

    def __cinit__(self, socket, str address, int64_t out_bytes_max, int64_t now_ns):
        self.inbox = <uint8_t*> malloc(IN_BYTES)
        self.outbox = <uint8_t*> malloc(OUT_BEGIN)
        if not (self.inbox and self.outbox):
            raise MemoryError("no memory for a FIX connection")
        self.out_capacity = OUT_BEGIN
        self.out_bytes_max = out_bytes_max
        self.socket = socket
        self.address = address
        self.since_ns = self.progress_ns = now_ns
        self.slot = -1
        socket.setblocking(False)
        socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        self.fd = socket.fileno()

    def __dealloc__(self):
        free(self.inbox)
        free(self.outbox)

    def close(self):
        """Close the socket; nothing is sent any more."""
        self.is_lost = True
        self.socket.close()

    cdef int64_t receive(self) except -1:
        cdef ssize_t count
        if self.is_lost:
            return 0
        if self.in_begin == self.in_end:
            self.in_begin = self.in_end = 0
        elif self.in_begin > 0 and self.in_end > IN_BYTES // 2:
            memmove(self.inbox, self.inbox + self.in_begin, self.in_end - self.in_begin)
            self.in_end -= self.in_begin
            self.in_begin = 0
        if self.in_end == IN_BYTES:
            return 0
        with nogil:
            count = c_recv(self.fd, self.inbox + self.in_end, IN_BYTES - self.in_end, MSG_DONTWAIT)
        if count > 0:
            self.in_end += count
            self.bytes_in += count
            return count
        if count == 0 or (errno != EAGAIN and errno != EINTR):
            self.is_lost = True
        return 0

    cdef int64_t waiting_bytes(self) noexcept nogil:
        return self.out_end - self.out_begin

    cdef int put(self, const uint8_t* data, int64_t size) except -1:
        cdef int64_t capacity
        cdef uint8_t* room
        if self.is_lost:
            return 0
        if self.out_end - self.out_begin + size > self.out_bytes_max:
            self.is_lost = True
            return 0
        if self.out_end + size > self.out_capacity and self.out_begin > 0:
            memmove(self.outbox, self.outbox + self.out_begin, self.out_end - self.out_begin)
            self.out_end -= self.out_begin
            self.out_begin = 0
        if self.out_end + size > self.out_capacity:
            capacity = 2 * (self.out_end + size)
            room = <uint8_t*> realloc(self.outbox, capacity)
            if room == NULL:
                raise MemoryError("no memory for what is sent to a FIX client")
            self.outbox, self.out_capacity = room, capacity
        memcpy(self.outbox + self.out_end, data, size)
        self.out_end += size
        return 0

    cdef int send(self, int64_t now_ns) except -1:
        cdef ssize_t count
        while self.out_begin < self.out_end and not self.is_lost:
            with nogil:
                count = c_send(self.fd, self.outbox + self.out_begin, self.out_end - self.out_begin,
                               MSG_NOSIGNAL | MSG_DONTWAIT)
            if count < 0:
                if errno == EINTR:
                    continue
                self.is_blocked = errno == EAGAIN
                self.is_lost = not self.is_blocked
                return 0
            self.out_begin += count
            self.bytes_out += count
            self.progress_ns = now_ns
        self.out_begin = self.out_end = 0
        self.is_blocked = False
        return 0
