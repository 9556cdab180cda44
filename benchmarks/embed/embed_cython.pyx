"""The engine driven from Cython: one command at a time, no Python object on the path, no GIL."""
from libc.stdint cimport int64_t, uint8_t, uint64_t
from posix.time cimport clock_gettime, timespec

from tradsys.core.engine cimport (
    Engine, engine_best_ask, engine_cancel_order, engine_clear_events, engine_new_order)

cdef extern from "<time.h>" nogil:
    int CLOCK_THREAD_CPUTIME_ID

cdef enum:
    LIMIT = 1
    DAY = 1
    BUY = 1
    SELL = 2
    RESTING = 1024


cdef int64_t run(Engine engine, int64_t count) except -1 nogil:
    """The same commands as embed.c; nanoseconds of processor time."""
    cdef timespec begin, end
    cdef int64_t i, price
    cdef uint64_t ref
    cdef uint8_t side
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin)
    for i in range(count):
        ref = <uint64_t> i + 1
        side = SELL if i & 1 else BUY
        price = 10000 - (i * 7) % 50 if side == BUY else 10001 + (i * 7) % 50
        engine_clear_events(engine)
        engine_new_order(engine, i, 1, ref, 1, side, price, 10, LIMIT, DAY, 0, 0, 0)
        if i >= RESTING:
            engine_cancel_order(engine, i, 1, 0, 1, ref - RESTING, 0)
        if i % 64 == 63:
            engine_new_order(engine, i, 2, ref, 1, BUY, engine_best_ask(engine, 1), 1, LIMIT, DAY, 0, 0, 0)
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end)
    return (end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec


def embed_run(Engine engine not None, int64_t count):
    """Run it without the GIL."""
    cdef int64_t nanoseconds
    with nogil:
        nanoseconds = run(engine, count)
    return nanoseconds
