"""The deterministic matching engine: order commands in, 128-byte events out, nothing else.

Every function of this header may be called without the GIL, by one thread at a time. Nothing is allocated after
construction. `apply` decides batches; the functions below the class decide one order command each, from Cython
(`from tradsys.core.engine cimport Engine, engine_new_order`) or from C (through the capsules in
`tradsys.core.engine.__pyx_capi__`), without a Python object on the path.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradsys.core.ladder cimport Ladder
from tradsys.core.state cimport State


cdef class Engine:
    # results of the batch, for the caller
    cdef uint8_t* events                        # event buffer in use: the engine's own or the caller's
    cdef readonly int64_t event_capacity        # events it holds
    cdef readonly int64_t event_count           # events in it since clear_events()
    cdef readonly uint64_t last_seq             # seq of the last command decided
    cdef readonly uint64_t last_event_seq       # seq of the last event
    # all that is known
    cdef State state
    # Python face
    cdef uint8_t* own_base                      # the engine's own event buffer
    cdef int64_t own_capacity                   # events it holds
    cdef object own_events                      # ndarray that owns it
    cdef object shown_events                    # ndarray over the buffer in use
    cdef object given_out                       # the caller's array it is a view of, None: the engine's own
    cdef bint busy                              # a thread is in submit()

    # `base` is aligned to 8 bytes, borrowed, and used until the next call; NULL: back to the engine's own buffer.
    cdef int set_event_buffer(self, uint8_t* base, int64_t capacity_events) except -1 nogil
    cdef void clear_events(self) noexcept nogil
    # Decides records in order, appending events; returns bytes consumed. Stops before a command whose events might
    # not fit the buffer. A record's seq is 0 or last_seq + 1. Raises ValueError at a record that is no command; what
    # came before it has been decided (last_seq tells).
    cdef int64_t apply(self, const uint8_t* records, int64_t size_bytes) except -1 nogil
    # Whether the last command set off more than the event buffer had room for: the next apply, of no bytes too, goes on.
    cpdef bint is_unfinished(self) noexcept nogil
    cpdef uint64_t state_hash(self) noexcept nogil
    cpdef int64_t snapshot_size(self) noexcept nogil
    cdef int64_t save(self, uint8_t* target) except -1 nogil            # bytes written: snapshot_size()
    cdef int64_t save_quickly(self, uint8_t* target) except -1 nogil    # the same without the state hash in it
    cdef int load(self, const uint8_t* source, int64_t size_bytes) except -1   # into a fresh engine
    # Queries. A side that is empty has best_bid INT64_MIN, best_ask INT64_MAX.
    cpdef int64_t best_bid(self, uint32_t instrument_id) noexcept nogil
    cpdef int64_t best_ask(self, uint32_t instrument_id) noexcept nogil
    cpdef int64_t qty_at(self, uint32_t instrument_id, uint8_t side, int64_t price_ticks) noexcept nogil
    cpdef int64_t live_order_count(self) noexcept nogil
    cpdef int64_t next_expiry_ns(self) noexcept nogil       # no GTD order expires before; INT64_MAX: there is none
    cpdef uint8_t instrument_state(self, uint32_t instrument_id) noexcept nogil      # 0: not defined
    cpdef int64_t planned_end(self, uint32_t instrument_id) noexcept nogil           # of a call or a halt; 0: none

    cdef Ladder* ladder_of(self, uint32_t instrument_id, uint8_t side) noexcept nogil
    cdef int _enter(self) except -1
    cdef int _begin_call(self) except -1
    cdef int _own_buffer(self, int64_t capacity_events) except -1
    cdef int _use_buffer(self, out) except -1
    cdef int _enlarge_buffer(self) except -1
    cdef int _finish(self) except -1
    cdef int _raise_at(self, const uint8_t* records, int64_t size_bytes, int64_t offset, int code) except -1


# One order command each; the return value is the number of events written behind those already in the buffer (call
# engine_clear_events to start over), -1 with an exception set. ts_ns is the command's time.
cdef int engine_new_order(Engine e, int64_t ts_ns, uint32_t session_id, uint64_t client_ref,
                              uint32_t instrument_id, uint8_t side, int64_t price_ticks, int64_t qty_lots,
                              uint8_t order_type, uint8_t time_in_force, uint8_t stp_mode, uint16_t order_flags,
                              uint32_t account_id) except -1 nogil
cdef int engine_cancel_order(Engine e, int64_t ts_ns, uint32_t session_id, uint64_t client_ref,
                                 uint32_t instrument_id, uint64_t orig_client_ref, uint64_t order_id) except -1 nogil
cdef int engine_reduce_order(Engine e, int64_t ts_ns, uint32_t session_id, uint64_t client_ref,
                                 uint32_t instrument_id, int64_t qty_lots, uint64_t orig_client_ref,
                                 uint64_t order_id) except -1 nogil
cdef int engine_replace_order(Engine e, int64_t ts_ns, uint32_t session_id, uint64_t client_ref,
                                  uint32_t instrument_id, int64_t price_ticks, int64_t qty_lots, uint16_t order_flags,
                                  uint64_t orig_client_ref, uint64_t order_id) except -1 nogil
cdef int64_t engine_apply(Engine e, const uint8_t* records, int64_t size_bytes) except -1 nogil
cdef int engine_set_event_buffer(Engine e, uint8_t* base, int64_t capacity_events) except -1 nogil
cdef const uint8_t* engine_events(Engine e, int64_t* event_count) noexcept nogil
cdef void engine_clear_events(Engine e) noexcept nogil
cdef int64_t engine_best_bid(Engine e, uint32_t instrument_id) noexcept nogil
cdef int64_t engine_best_ask(Engine e, uint32_t instrument_id) noexcept nogil
cdef int64_t engine_qty_at(Engine e, uint32_t instrument_id, uint8_t side, int64_t price_ticks) noexcept nogil
cdef uint64_t engine_state_hash(Engine e) noexcept nogil
