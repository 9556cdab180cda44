/* The engine driven from C: one command at a time, no Python object on the path, no GIL. */
#include "tradsys/core/engine_api.h"

#include <stdint.h>
#include <time.h>

enum { LIMIT = 1, DAY = 1, BUY = 1, SELL = 2, RESTING = 1024 };

/* Enter `count` orders that rest near the touch, cancelling each when 1024 later ones have come, and sweep a lot of the
 * best level now and then; returns nanoseconds of processor time, -1 with an exception. Called with the GIL. */
int64_t embed_run(PyObject *engine, int64_t count)
{
    tradsys_engine_api api;
    struct timespec from, to;
    int64_t i, events = 0;
    int result = 0;
    if (tradsys_import_engine(&api) < 0)
        return -1;
    Py_BEGIN_ALLOW_THREADS
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (i = 0; i < count && result >= 0; i++) {
        uint64_t ref = (uint64_t) i + 1;
        uint8_t side = i & 1 ? SELL : BUY;
        int64_t price = side == BUY ? 10000 - (i * 7) % 50 : 10001 + (i * 7) % 50;
        api.clear_events(engine);
        result = api.new_order(engine, i, 1, ref, 1, side, price, 10, LIMIT, DAY, 0, 0, 0);
        if (i >= RESTING && result >= 0)
            result = api.cancel_order(engine, i, 1, 0, 1, ref - RESTING, 0);
        if (i % 64 == 63 && result >= 0)
            result = api.new_order(engine, i, 2, ref, 1, BUY, api.best_ask(engine, 1), 1, LIMIT, DAY, 0, 0, 0);
        events += result;
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    Py_END_ALLOW_THREADS
    if (result < 0)
        return -1;
    return (to.tv_sec - from.tv_sec) * 1000000000ll + to.tv_nsec - from.tv_nsec;
}
