"""Addresses of libzmq's C functions, taken from the library pyzmq itself has loaded.

dlsym on pyzmq's own extension module searches that module and everything it was linked against: the libzmq bundled
in pyzmq's wheel, a system libzmq pyzmq was built on, or one linked into it statically. There can be no second copy.
"""
from libc.stdint cimport uint8_t

import ctypes

import zmq


cdef size_t _address(object library, str name) except 0:
    try:
        symbol = getattr(library, name)
    except AttributeError:
        raise ImportError(
            f"libzmq function {name} not found through pyzmq {zmq.__version__} ({library._name}); "
            "expected a CPython build of pyzmq with libzmq 4.x as a shared library"
        ) from None
    return ctypes.cast(symbol, ctypes.c_void_p).value


def _pyzmq_library():
    """pyzmq's extension module, opened again as a shared library (this maps nothing anew)."""
    try:
        from zmq.backend.cython import _zmq
    except ImportError as error:
        raise ImportError(
            f"pyzmq {zmq.__version__} runs on another backend than its compiled one; the hot loops need CPython's"
        ) from error
    return ctypes.CDLL(_zmq.__file__)


def _take_addresses():
    library = _pyzmq_library()
    functions.msg_init = <int (*)(zmq_msg_t*) noexcept nogil> _address(library, "zmq_msg_init")
    functions.msg_init_size = <int (*)(zmq_msg_t*, size_t) noexcept nogil> _address(library, "zmq_msg_init_size")
    functions.msg_close = <int (*)(zmq_msg_t*) noexcept nogil> _address(library, "zmq_msg_close")
    functions.msg_move = <int (*)(zmq_msg_t*, zmq_msg_t*) noexcept nogil> _address(library, "zmq_msg_move")
    functions.msg_copy = <int (*)(zmq_msg_t*, zmq_msg_t*) noexcept nogil> _address(library, "zmq_msg_copy")
    functions.msg_data = <void* (*)(zmq_msg_t*) noexcept nogil> _address(library, "zmq_msg_data")
    functions.msg_size = <size_t (*)(const zmq_msg_t*) noexcept nogil> _address(library, "zmq_msg_size")
    functions.msg_more = <int (*)(const zmq_msg_t*) noexcept nogil> _address(library, "zmq_msg_more")
    functions.msg_send = <int (*)(zmq_msg_t*, void*, int) noexcept nogil> _address(library, "zmq_msg_send")
    functions.msg_recv = <int (*)(zmq_msg_t*, void*, int) noexcept nogil> _address(library, "zmq_msg_recv")
    functions.send = <int (*)(void*, const void*, size_t, int) noexcept nogil> _address(library, "zmq_send")
    functions.recv = <int (*)(void*, void*, size_t, int) noexcept nogil> _address(library, "zmq_recv")
    functions.poll = <int (*)(zmq_pollitem_t*, int, long) noexcept nogil> _address(library, "zmq_poll")
    functions.getsockopt = <int (*)(void*, int, void*, size_t*) noexcept nogil> _address(library, "zmq_getsockopt")
    functions.setsockopt = <int (*)(void*, int, const void*, size_t) noexcept nogil> _address(library, "zmq_setsockopt")
    functions.last_error = <int (*)() noexcept nogil> _address(library, "zmq_errno")


def _check_constants():
    """The numbers in libzmq.pxd are those of the libzmq at hand."""
    import errno

    expected = (
        ("EAGAIN", EAGAIN, errno.EAGAIN), ("EINTR", EINTR, errno.EINTR), ("ENOTSOCK", ENOTSOCK, errno.ENOTSOCK),
        ("EHOSTUNREACH", EHOSTUNREACH, errno.EHOSTUNREACH), ("ETERM", ETERM, int(zmq.ETERM)),
        ("DONTWAIT", ZMQ_DONTWAIT, int(zmq.DONTWAIT)), ("SNDMORE", ZMQ_SNDMORE, int(zmq.SNDMORE)),
        ("POLLIN", ZMQ_POLLIN, int(zmq.POLLIN)), ("POLLOUT", ZMQ_POLLOUT, int(zmq.POLLOUT)),
        ("ROUTING_ID", ZMQ_ROUTING_ID, int(zmq.ROUTING_ID)), ("RCVMORE", ZMQ_RCVMORE, int(zmq.RCVMORE)),
        ("FD", ZMQ_FD, int(zmq.FD)), ("EVENTS", ZMQ_EVENTS, int(zmq.EVENTS)),
    )
    for name, ours, theirs in expected:
        if ours != theirs:
            raise ImportError(f"libzmq constant {name} is {theirs} here, libzmq.pxd expects {ours}")
    if sizeof(zmq_msg_t) != 64:
        raise ImportError(f"zmq_msg_t must be 64 bytes, is {sizeof(zmq_msg_t)}")


_take_addresses()
_check_constants()


def send(size_t handle, const uint8_t[::1] data not None, int flags=0):
    """Send one message part through libzmq's C function; for tests and one-off uses.

    Parameters
    ----------
    handle : int
        `int(socket.underlying)` of an open pyzmq socket of this thread.
    data : buffer of bytes
    flags : int
        `zmq.DONTWAIT | zmq.SNDMORE`.

    Returns
    -------
    int
        Bytes sent, or minus the errno of libzmq.
    """
    cdef const void* base = &data[0] if data.shape[0] > 0 else NULL
    cdef int sent
    with nogil:
        sent = zmq_send(<void*> handle, base, data.shape[0], flags)
    return sent if sent >= 0 else -zmq_error()


def receive(size_t handle, int flags=0):
    """Receive one message part through libzmq's C functions; for tests and one-off uses.

    Returns
    -------
    tuple of (bytes, bool) or int
        The part and whether more parts follow, or minus the errno of libzmq.
    """
    cdef zmq_msg_t message
    cdef int size
    zmq_msg_init(&message)
    with nogil:
        size = zmq_msg_recv(&message, <void*> handle, flags)
    if size < 0:
        error = zmq_error()
        zmq_msg_close(&message)
        return -error
    part = (<const char*> zmq_msg_data(&message))[:size]
    more = zmq_msg_more(&message) == 1
    zmq_msg_close(&message)
    return part, more


def events(size_t handle):
    """`zmq.POLLIN | zmq.POLLOUT` of a socket as they are now, or minus the errno of libzmq."""
    cdef int found = zmq_events(<void*> handle)
    return found if found >= 0 else -zmq_error()
