"""libzmq's own C functions for `cimport`: the hot loops send and receive without a Python object.

pyzmq owns every context and socket. A socket's C handle is `<void*> <size_t> int(socket.underlying)`; it is borrowed,
must not outlive the Python socket, and like the socket belongs to one thread at a time. Nothing here creates,
closes or binds. The addresses are taken at import from the very library pyzmq has loaded (see libzmq.pyx), so both
sides always speak to one libzmq.

Every function returns what libzmq returns: -1 on failure, with the cause in `zmq_error()`.
"""
from libc.stdint cimport uint64_t


cdef enum:
    EAGAIN = 11          # nothing to receive, or the peer's queue is full
    EINTR = 4            # a signal came in; try again
    EHOSTUNREACH = 113   # ROUTER with ROUTER_MANDATORY: no such peer
    ETERM = 156384765    # the context was terminated
    ENOTSOCK = 88        # the handle is not a socket (any more)

cdef enum:
    ZMQ_DONTWAIT = 1
    ZMQ_SNDMORE = 2
    ZMQ_POLLIN = 1
    ZMQ_POLLOUT = 2
    ZMQ_ROUTING_ID = 5
    ZMQ_RCVMORE = 13
    ZMQ_FD = 14
    ZMQ_EVENTS = 15

# libzmq declares zmq_msg_t as 64 opaque bytes with the alignment of a pointer.
cdef struct zmq_msg_t:
    uint64_t opaque[8]

cdef struct zmq_pollitem_t:
    void* socket     # zmq socket, or NULL to poll fd
    int fd           # file descriptor, read when socket is NULL
    short events     # ZMQ_POLLIN | ZMQ_POLLOUT wanted
    short revents    # what came up

cdef struct Functions:
    int (*msg_init)(zmq_msg_t*) noexcept nogil
    int (*msg_init_size)(zmq_msg_t*, size_t) noexcept nogil
    int (*msg_close)(zmq_msg_t*) noexcept nogil
    int (*msg_move)(zmq_msg_t*, zmq_msg_t*) noexcept nogil
    int (*msg_copy)(zmq_msg_t*, zmq_msg_t*) noexcept nogil
    void* (*msg_data)(zmq_msg_t*) noexcept nogil
    size_t (*msg_size)(const zmq_msg_t*) noexcept nogil
    int (*msg_more)(const zmq_msg_t*) noexcept nogil
    int (*msg_send)(zmq_msg_t*, void*, int) noexcept nogil
    int (*msg_recv)(zmq_msg_t*, void*, int) noexcept nogil
    int (*send)(void*, const void*, size_t, int) noexcept nogil
    int (*recv)(void*, void*, size_t, int) noexcept nogil
    int (*poll)(zmq_pollitem_t*, int, long) noexcept nogil
    int (*getsockopt)(void*, int, void*, size_t*) noexcept nogil
    int (*setsockopt)(void*, int, const void*, size_t) noexcept nogil
    int (*last_error)() noexcept nogil

cdef Functions functions

cdef extern from * nogil:
    """
    #include <stdlib.h>
    #if defined(__GLIBC__)
    #include <malloc.h>
    #endif
    /* What libzmq frees stays in the process, up to 64 MiB, for the messages that come next. By default glibc returns
       it to the kernel each time a queue of large frames has emptied, and every page is faulted in and cleared again.
       These are the thresholds glibc comes to by itself in a process that has freed a block of 32 MiB. */
    static void tradsys_keep_message_memory(void)
    {
    #if defined(__GLIBC__)
        mallopt(M_MMAP_THRESHOLD, 32 << 20);
        mallopt(M_TRIM_THRESHOLD, 64 << 20);
    #endif
    }
    """
    void keep_message_memory "tradsys_keep_message_memory" ()   # for all of the process; once or often is the same


cdef inline int zmq_error() noexcept nogil:
    """Cause of the last failure on this thread."""
    return functions.last_error()


cdef inline int zmq_msg_init(zmq_msg_t* message) noexcept nogil:
    return functions.msg_init(message)


cdef inline int zmq_msg_init_size(zmq_msg_t* message, size_t size_bytes) noexcept nogil:
    return functions.msg_init_size(message, size_bytes)


cdef inline int zmq_msg_close(zmq_msg_t* message) noexcept nogil:
    return functions.msg_close(message)


cdef inline int zmq_msg_move(zmq_msg_t* destination, zmq_msg_t* source) noexcept nogil:
    return functions.msg_move(destination, source)


cdef inline int zmq_msg_copy(zmq_msg_t* destination, zmq_msg_t* source) noexcept nogil:
    """The destination shares the source's bytes by reference count (both must be initialised)."""
    return functions.msg_copy(destination, source)


cdef inline void* zmq_msg_data(zmq_msg_t* message) noexcept nogil:
    """The message's bytes; they live until it is closed, sent, moved from or received into."""
    return functions.msg_data(message)


cdef inline size_t zmq_msg_size(const zmq_msg_t* message) noexcept nogil:
    return functions.msg_size(message)


cdef inline int zmq_msg_more(const zmq_msg_t* message) noexcept nogil:
    """1 when another part of the same message follows."""
    return functions.msg_more(message)


cdef inline int zmq_msg_send(zmq_msg_t* message, void* socket, int flags) noexcept nogil:
    """Send and give the message away; on failure (-1) it stays the caller's."""
    return functions.msg_send(message, socket, flags)


cdef inline int zmq_msg_recv(zmq_msg_t* message, void* socket, int flags) noexcept nogil:
    """Receive into an initialised message, releasing what it held; size in bytes, or -1."""
    return functions.msg_recv(message, socket, flags)


cdef inline int zmq_send(void* socket, const void* data, size_t size_bytes, int flags) noexcept nogil:
    """Send a copy of the bytes."""
    return functions.send(socket, data, size_bytes, flags)


cdef inline int zmq_recv(void* socket, void* data, size_t size_bytes, int flags) noexcept nogil:
    """Receive into a buffer; returns the message's full size, more than size_bytes when it was cut."""
    return functions.recv(socket, data, size_bytes, flags)


cdef inline int zmq_poll(zmq_pollitem_t* items, int item_count, long timeout_ms) noexcept nogil:
    return functions.poll(items, item_count, timeout_ms)


cdef inline int zmq_getsockopt(void* socket, int option, void* value, size_t* size_bytes) noexcept nogil:
    return functions.getsockopt(socket, option, value, size_bytes)


cdef inline int zmq_setsockopt(void* socket, int option, const void* value, size_t size_bytes) noexcept nogil:
    return functions.setsockopt(socket, option, value, size_bytes)


cdef inline int zmq_events(void* socket) noexcept nogil:
    """ZMQ_POLLIN | ZMQ_POLLOUT as they are now; -1 on failure. Costs no system call on a quiet socket."""
    cdef int events = 0
    cdef size_t size_bytes = sizeof(int)
    if functions.getsockopt(socket, ZMQ_EVENTS, &events, &size_bytes) != 0:
        return -1
    return events
