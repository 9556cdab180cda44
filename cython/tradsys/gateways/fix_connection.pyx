"""Connections of the FIX door."""
import socket as sockets
import ssl

from cpython.buffer cimport PyBUF_READ, PyBUF_WRITE
from cpython.memoryview cimport PyMemoryView_FromMemory
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
    PIECE_BYTES = 32768      # encrypted or decrypted in one go
    SEALED_BYTES_MAX = 262144


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
    context : ssl.SSLContext, optional
        With it the connection begins with a TLS handshake.
    """

    def __cinit__(self, socket, str address, int64_t out_bytes_max, int64_t now_ns, context=None):
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
        self.is_secured = context is None
        self.sealed = b""
        if context is not None:
            self.tls_in, self.tls_out = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self.tls_in, self.tls_out, server_side=True)

    def __dealloc__(self):
        free(self.inbox)
        free(self.outbox)

    def close(self):
        """Close the socket; nothing is sent any more but a goodbye of TLS."""
        if self.tls is not None and self.is_secured and not self.is_lost and self.out_begin == self.out_end:
            try:
                self.tls.unwrap()
            except (ssl.SSLError, OSError):
                pass  # the other side's goodbye is not waited for
            self.take_sealed()
            self.push(<const uint8_t*> <const char*> self.sealed + self.sealed_begin, self.sealed_end - self.sealed_begin, 0)
        self.is_lost = True
        self.socket.close()

    cdef int make_room(self) noexcept nogil:
        """Move what waits in the inbox to its begin when the room behind it gets short; whether there is any."""
        if self.in_begin == self.in_end:
            self.in_begin = self.in_end = 0
        elif self.in_begin > 0 and self.in_end > IN_BYTES // 2:
            memmove(self.inbox, self.inbox + self.in_begin, self.in_end - self.in_begin)
            self.in_end -= self.in_begin
            self.in_begin = 0
        return self.in_end < IN_BYTES

    cdef int64_t receive(self) except -1:
        cdef ssize_t count
        if self.is_lost or not self.make_room():
            return 0
        if self.tls is not None:
            return self.receive_sealed()
        with nogil:
            count = c_recv(self.fd, self.inbox + self.in_end, IN_BYTES - self.in_end, MSG_DONTWAIT)
        if count > 0:
            self.in_end += count
            self.bytes_in += count
            return count
        if count == 0 or (errno != EAGAIN and errno != EINTR):
            self.is_lost = True
        return 0

    cdef int64_t receive_sealed(self) except -1:
        """Receive encrypted bytes, unless decrypted ones still wait, and decrypt as much as the inbox takes."""
        cdef uint8_t piece[PIECE_BYTES]
        cdef ssize_t count
        cdef int64_t begin = self.in_end
        if not self.has_more:
            with nogil:
                count = c_recv(self.fd, piece, PIECE_BYTES, MSG_DONTWAIT)
            if count <= 0:
                self.is_lost = count == 0 or (errno != EAGAIN and errno != EINTR)
                return 0
            self.bytes_in += count
            self.tls_in.write(PyMemoryView_FromMemory(<char*> piece, count, PyBUF_READ))
        if not self.is_secured:
            self.shake_hands()
        self.has_more = False
        while self.is_secured and not self.is_lost:
            if self.in_end == IN_BYTES:
                self.has_more = True
                break
            try:
                count = self.tls.read(IN_BYTES - self.in_end, PyMemoryView_FromMemory(
                    <char*> self.inbox + self.in_end, IN_BYTES - self.in_end, PyBUF_WRITE))
            except ssl.SSLWantReadError:
                break
            except (ssl.SSLError, OSError):
                count = 0
            if count == 0:  # what came before the end is used first
                self.has_more = self.in_end > begin
                self.is_lost = not self.has_more
                break
            self.in_end += count
        self.take_sealed()
        return self.in_end - begin

    cdef int shake_hands(self) except -1:
        """Take a step of the handshake; one that fails loses the connection, which is told why."""
        try:
            self.tls.do_handshake()
            self.is_secured = True
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLError, OSError):
            self.take_sealed()
            self.push(<const uint8_t*> <const char*> self.sealed + self.sealed_begin, self.sealed_end - self.sealed_begin, 0)
            self.is_lost = True
        return 0

    cdef int take_sealed(self) except -1:
        """Queue what TLS wants to send by itself; one that asks for it and does not read is lost."""
        if self.tls_out.pending:
            self.sealed = self.sealed[self.sealed_begin:self.sealed_end] + self.tls_out.read()
            self.sealed_begin, self.sealed_end = 0, len(self.sealed)
            if self.sealed_end > SEALED_BYTES_MAX:
                self.is_lost = True
        return 0

    cdef int64_t waiting_bytes(self) noexcept nogil:
        return self.out_end - self.out_begin + self.sealed_end - self.sealed_begin

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

    cdef int64_t push(self, const uint8_t* data, int64_t size, int64_t now_ns) except -2:
        """Give bytes to the kernel: how many it took, -1 when it takes none now or never again."""
        cdef ssize_t count
        while True:
            with nogil:
                count = c_send(self.fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT)
            if count >= 0:
                self.bytes_out += count
                self.progress_ns = now_ns
                return count
            if errno != EINTR:
                self.is_blocked = errno == EAGAIN
                self.is_lost = not self.is_blocked
                return -1

    cdef int send(self, int64_t now_ns) except -1:
        cdef int64_t count, size
        cdef bint is_plain = self.tls is None
        while not self.is_lost:
            if self.sealed_begin < self.sealed_end:
                count = self.push(<const uint8_t*> <const char*> self.sealed + self.sealed_begin,
                                  self.sealed_end - self.sealed_begin, now_ns)
                if count < 0:
                    return 0
                self.sealed_begin += count
                continue
            size = self.out_end - self.out_begin
            if size == 0 or not self.is_secured:
                break
            if is_plain:
                count = self.push(self.outbox + self.out_begin, size, now_ns)
            else:
                count = self.seal(min(size, PIECE_BYTES))
            if count < 0:
                return 0
            self.out_begin += count
        if self.out_begin == self.out_end:
            self.out_begin = self.out_end = 0
        self.is_blocked = False
        return 0

    def seal(self, int64_t size):
        """Encrypt the next bytes of the outbox; how many, -1 when TLS takes no more."""
        try:
            count = self.tls.write(PyMemoryView_FromMemory(<char*> self.outbox + self.out_begin, size, PyBUF_READ))
        except (ssl.SSLError, OSError):
            self.is_lost = True
            return -1
        self.take_sealed()
        return count
