"""One TCP connection of the FIX door: a socket that never blocks and two bounded buffers, with TLS if wished."""
from libc.stdint cimport int64_t, uint8_t


cdef class FixConnection:
    # identity
    cdef readonly object socket         # kept alive here
    cdef readonly str address           # the other side's
    cdef int fd
    cdef public int slot                # its place in the door's list
    cdef public object peer             # the FixPeer it is logged on as, or None
    # in: bytes [in_begin, in_end) wait to be read
    cdef uint8_t* inbox
    cdef int64_t in_begin
    cdef int64_t in_end
    # out: bytes [out_begin, out_end) wait to be sent
    cdef uint8_t* outbox
    cdef int64_t out_begin
    cdef int64_t out_end
    cdef int64_t out_capacity
    cdef int64_t out_bytes_max
    # TLS: what is sent waits encrypted in [sealed_begin, sealed_end) of sealed, one piece of the outbox at a time
    cdef object tls                     # ssl.SSLObject; None: plain
    cdef object tls_in                  # ssl.MemoryBIO
    cdef object tls_out
    cdef bytes sealed
    cdef int64_t sealed_begin
    cdef int64_t sealed_end
    cdef readonly bint is_secured       # its handshake is done, or there is none
    cdef bint has_more                  # decrypted bytes wait for room in the inbox
    cdef bint is_unread                 # whole messages are left over: the door comes back to it
    # state
    cdef public int64_t since_ns        # when it was made, monotonic
    cdef public int64_t close_at_ns     # monotonic; 0: it stays
    cdef int64_t progress_ns            # when bytes were last taken by the other side, monotonic
    cdef public bint is_lost            # closed by the other side, or it did not take what was sent
    cdef bint is_blocked                # the kernel takes no more now
    cdef readonly int64_t bytes_in
    cdef readonly int64_t bytes_out

    # Bytes received now; 0: none. The inbox has room for a whole message when it is called.
    cdef int64_t receive(self) except -1
    # Queue bytes; a full outbox loses the connection.
    cdef int put(self, const uint8_t* data, int64_t size) except -1
    cdef int send(self, int64_t now_ns) except -1
    cdef int64_t waiting_bytes(self) noexcept nogil

    cdef int make_room(self) noexcept nogil
    cdef int64_t receive_sealed(self) except -1
    cdef int shake_hands(self) except -1
    cdef int take_sealed(self) except -1
    cdef int64_t push(self, const uint8_t* data, int64_t size, int64_t now_ns) except -2
