/* The engine's functions for C: import them once, then decide commands without a Python object on the path.
 *
 *     #include "tradsys/core/engine_api.h"
 *     tradsys_engine_api api;
 *     if (tradsys_import_engine(&api) < 0) ...            // with the GIL; a Python exception is set
 *     api.new_order(engine, ts_ns, session, ref, instrument, side, price, qty, 1, 1, 0, 0, 0);
 *
 * `engine` is a tradsys.core.Engine that the caller keeps alive. After the import no call needs the GIL; one thread at a
 * time may call. The functions are those of engine.pxd, where their results are described; -1 means that a Python
 * exception is set (take the GIL before looking at it).
 */
#ifndef TRADSYS_CORE_ENGINE_API_H
#define TRADSYS_CORE_ENGINE_API_H

#include <Python.h>
#include <stdint.h>

typedef struct {
    int (*new_order)(PyObject *engine, int64_t ts_ns, uint32_t session_id, uint64_t client_ref, uint32_t instrument_id,
                     uint8_t side, int64_t price_ticks, int64_t qty_lots, uint8_t order_type, uint8_t time_in_force,
                     uint8_t stp_mode, uint16_t order_flags, uint32_t account_id);
    int (*cancel_order)(PyObject *engine, int64_t ts_ns, uint32_t session_id, uint64_t client_ref,
                        uint32_t instrument_id, uint64_t orig_client_ref, uint64_t order_id);
    int (*reduce_order)(PyObject *engine, int64_t ts_ns, uint32_t session_id, uint64_t client_ref,
                        uint32_t instrument_id, int64_t qty_lots, uint64_t orig_client_ref, uint64_t order_id);
    int (*replace_order)(PyObject *engine, int64_t ts_ns, uint32_t session_id, uint64_t client_ref,
                         uint32_t instrument_id, int64_t price_ticks, int64_t qty_lots, uint16_t order_flags,
                         uint64_t orig_client_ref, uint64_t order_id);
    int64_t (*apply)(PyObject *engine, const uint8_t *records, int64_t size_bytes);
    int (*set_event_buffer)(PyObject *engine, uint8_t *base, int64_t capacity_events);
    const uint8_t *(*events)(PyObject *engine, int64_t *event_count);
    void (*clear_events)(PyObject *engine);
    int64_t (*best_bid)(PyObject *engine, uint32_t instrument_id);
    int64_t (*best_ask)(PyObject *engine, uint32_t instrument_id);
    int64_t (*qty_at)(PyObject *engine, uint32_t instrument_id, uint8_t side, int64_t price_ticks);
    uint64_t (*state_hash)(PyObject *engine);
} tradsys_engine_api;

static inline void *tradsys_capsule_of(PyObject *capsules, const char *name)
{
    PyObject *capsule = PyDict_GetItemString(capsules, name);
    if (!capsule) {
        PyErr_Format(PyExc_ImportError, "tradsys.core.engine does not export %s", name);
        return NULL;
    }
    return PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule));
}

/* 0: done, -1: a Python exception is set. */
static inline int tradsys_import_engine(tradsys_engine_api *api)
{
    static const char *const names[] = {
        "engine_new_order", "engine_cancel_order", "engine_reduce_order", "engine_replace_order", "engine_apply",
        "engine_set_event_buffer", "engine_events", "engine_clear_events", "engine_best_bid", "engine_best_ask",
        "engine_qty_at", "engine_state_hash"};
    PyObject *module = PyImport_ImportModule("tradsys.core.engine");
    PyObject *capsules = module ? PyObject_GetAttrString(module, "__pyx_capi__") : NULL;
    void **functions = (void **) api;
    size_t i, count = sizeof(names) / sizeof(names[0]);
    for (i = 0; capsules && i < count; i++)
        if (!(functions[i] = tradsys_capsule_of(capsules, names[i])))
            break;
    Py_XDECREF(capsules);
    Py_XDECREF(module);
    return capsules && i == count ? 0 : -1;
}

#endif
