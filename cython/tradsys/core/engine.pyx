"""The deterministic matching engine: its class, its Python face and its C API."""
cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, INT64_MIN, uintptr_t
from libc.string cimport memset

from tradsys.core.decide cimport (
    BATCH_BAD_HEADER, BATCH_BAD_SEQ, BATCH_SHORT_OF_ROOM, BATCH_TRUNCATED, BATCH_UNKNOWN_TEMPLATE,
    decide_batch)
from tradsys.core.inspect cimport check_state, hash_state, load_state, save_state, snapshot_bytes
from tradsys.core.risk_image cimport position_rows
from tradsys.core.ladder cimport (
    Ladder, Level, ladder_best_price, ladder_level_at, ladder_next_level, level_at, level_price)
from tradsys.core.order cimport SLOT_NONE, Order
from tradsys.core.state cimport state_give, state_take
from tradsys.wire.records cimport (
    BLOCK_CANCEL_ORDER, BLOCK_NEW_ORDER, BLOCK_REDUCE_ORDER, BLOCK_REPLACE_ORDER, ORDER_TYPE_LIMIT, SCHEMA_ID,
    SCHEMA_VERSION, SIDE_BUY, SIDE_SELL, SIZE_NEW_ORDER, STP_MODE_PARTICIPANT_DEFAULT, TEMPLATE_CANCEL_ORDER,
    TEMPLATE_NEW_ORDER, TEMPLATE_REDUCE_ORDER, TEMPLATE_REPLACE_ORDER, TIME_IN_FORCE_DAY, CancelOrder, MessageHeader,
    NewOrder, ReduceOrder, ReplaceOrder)

import os
from collections import namedtuple

import numpy as np

from tradsys import limits
from tradsys.wire.records import EVENT_COMMON

cdef enum:
    EVENT_BYTES = 128
    LINE_BYTES = 64

LEVEL_DTYPE = np.dtype([("price_ticks", "<i8"), ("qty_lots", "<i8"), ("order_count", "<i8")])
PositionRow = namedtuple("PositionRow", "scope scope_id instrument_id position_lots open_buy_lots open_sell_lots "
                                        "cost_value realised_value traded_value worst_value fees")
ORDER_DTYPE = np.dtype([("order_id", "<u8"), ("client_ref", "<u8"), ("price_ticks", "<i8"), ("qty_lots", "<i8"),
                        ("leaves_lots", "<i8"), ("session_id", "<u4"), ("account_id", "<u4")])


@cython.final
cdef class Engine:
    """The venue's matching engine: decides order commands by protocols/RULEBOOK.md and writes events.

    Parameters
    ----------
    orders_max : int
        Live orders it can hold, 1 to 2^24. All memory is reserved now and becomes real as it is used.
    instruments_max, participants_max, sessions_max, accounts_max : int
        Ids run from 1 to one less.
    positions_max : int
        Records of positions: one for each account, participant and group that is watched, and instrument.
    events_max : int
        Events the engine's own buffer holds at first; `submit` without `out` enlarges it when one call needs more.
    index_key : int, optional
        Secret of the hash of client references. It decides speed, never an answer; drawn by default so that
        nobody can prepare references that collide.

    Notes
    -----
    Invariants, which `check` walks: every level's queue is linked both ways and its quantity and count are the sums of
    its orders; every occupied page is in its ladder's list and tree, in order, and no other; the best level is the
    first; a book in state OPEN is not crossed; every slot ever used is live or in the free list, once; every live
    order is found by its client reference and the table holds nothing else; sessions count their live orders; positions
    of participants and groups are the sums of their accounts', their open lots those of the live orders.
    One thread at a time may call. Nothing is allocated on the path of a command.
    """

    def __cinit__(self, *, int64_t orders_max=limits.ORDERS_DEFAULT, int64_t instruments_max=limits.INSTRUMENTS_DEFAULT,
                  int64_t participants_max=limits.PARTICIPANTS_DEFAULT, int64_t sessions_max=limits.SESSIONS_DEFAULT,
                  int64_t accounts_max=limits.ACCOUNTS_DEFAULT,
                  int64_t positions_max=limits.POSITIONS_DEFAULT, int64_t events_max=1 << 16, index_key=None):
        for what, given, low, high in (
                ("orders_max", orders_max, 1, limits.ORDERS_MAX),
                ("instruments_max", instruments_max, 2, limits.INSTRUMENTS_MAX),
                ("participants_max", participants_max, 2, limits.PARTICIPANTS_MAX),
                ("sessions_max", sessions_max, 2, limits.SESSIONS_MAX),
                ("accounts_max", accounts_max, 1, limits.ACCOUNTS_MAX),
                ("positions_max", positions_max, 1, limits.POSITIONS_MAX),
                ("events_max", events_max, 4, 1 << 32)):
            if not low <= given <= high:
                raise ValueError(f"{what} must be in [{low}, {high}], was {given}")
        if index_key is None:
            index_key = int.from_bytes(os.urandom(8), "little")
        state_take(&self.state, orders_max, instruments_max, participants_max, sessions_max, accounts_max,
                   positions_max, index_key)
        self.busy = False
        self._own_buffer(events_max)

    def __dealloc__(self):
        state_give(&self.state)

    # ----------------------------------------------------------------------------------------------- for Cython

    cdef int set_event_buffer(self, uint8_t* base, int64_t capacity_events) except -1 nogil:
        """Write events to `base` from now on (aligned to 8 bytes, borrowed); NULL: to the engine's own buffer."""
        if base == NULL:
            base = self.own_base
            capacity_events = self.own_capacity
        assert <uintptr_t> base % 8 == 0
        assert capacity_events >= 0
        self.events = base
        self.event_capacity = capacity_events
        self.clear_events()
        return 0

    cdef void clear_events(self) noexcept nogil:
        """Forget the events written; the next one goes to the start of the buffer."""
        self.event_count = 0
        self.state.cursor = self.events
        self.state.events_end = self.events + self.event_capacity * EVENT_BYTES

    cdef int64_t apply(self, const uint8_t* records, int64_t size_bytes) except -1 nogil:
        """Decide records in order; returns the bytes consumed, fewer when the event buffer runs short.

        Raises
        ------
        ValueError
            At a record that is no command, is cut off or is out of sequence. Those before it have been decided.
        """
        cdef int64_t consumed = 0
        cdef int code = decide_batch(&self.state, records, size_bytes, &consumed)
        self.event_count = (self.state.cursor - self.events) // EVENT_BYTES
        self.last_seq = self.state.last_seq
        self.last_event_seq = self.state.last_event_seq
        if code > BATCH_SHORT_OF_ROOM:
            with gil:
                self._raise_at(records, size_bytes, consumed, code)
        return consumed

    cpdef bint is_unfinished(self) noexcept nogil:
        """Whether events of the last command wait for room in the event buffer (rule 10.6)."""
        return self.state.unfinished != 0

    cpdef uint64_t state_hash(self) noexcept nogil:
        """Hash of all that decides what comes next (rule book, section 8). O(state)."""
        return hash_state(&self.state)

    cpdef int64_t snapshot_size(self) noexcept nogil:
        """Bytes `save` writes now."""
        return snapshot_bytes(&self.state)

    cdef int64_t save(self, uint8_t* target) except -1 nogil:
        """Copy the state to `target`, which takes `snapshot_size` bytes; returns the bytes written."""
        return save_state(&self.state, target, True)

    cdef int64_t save_quickly(self, uint8_t* target) except -1 nogil:
        return save_state(&self.state, target, False)

    cdef int load(self, const uint8_t* source, int64_t size_bytes) except -1:
        """Fill this fresh engine from a snapshot; its capacities may be larger than the saver's."""
        load_state(&self.state, source, size_bytes)
        self.last_seq = self.state.last_seq
        self.last_event_seq = self.state.last_event_seq
        return 0

    cpdef int64_t best_bid(self, uint32_t instrument_id) noexcept nogil:
        """Best bid price in ticks, INT64_MIN when there is none."""
        if instrument_id >= self.state.instruments_max or self.state.instruments[instrument_id].state == 0:
            return INT64_MIN
        return ladder_best_price(&self.state.instruments[instrument_id].sides[0])

    cpdef int64_t best_ask(self, uint32_t instrument_id) noexcept nogil:
        """Best ask price in ticks, INT64_MAX when there is none."""
        if instrument_id >= self.state.instruments_max or self.state.instruments[instrument_id].state == 0:
            return INT64_MAX
        return ladder_best_price(&self.state.instruments[instrument_id].sides[1])

    cpdef int64_t qty_at(self, uint32_t instrument_id, uint8_t side, int64_t price_ticks) noexcept nogil:
        """Lots resting at a price, 0 when there are none."""
        cdef uint32_t level
        cdef Ladder* ladder = self.ladder_of(instrument_id, side)
        if ladder == NULL:
            return 0
        level = ladder_level_at(&self.state.levels, ladder, price_ticks)
        return level_at(&self.state.levels, level).qty_lots if level else 0

    cpdef int64_t live_order_count(self) noexcept nogil:
        """Orders on the books."""
        return self.state.live_orders

    cpdef int64_t next_expiry_ns(self) noexcept nogil:
        """No GTD order expires before this time, ns since the epoch; INT64_MAX when there is none."""
        return self.state.first_expiry_ts_ns

    cpdef uint8_t instrument_state(self, uint32_t instrument_id) noexcept nogil:
        """InstrumentState; 0: not defined."""
        return self.state.instruments[instrument_id].state if instrument_id < self.state.instruments_max else 0

    def defined_instruments(self):
        """Ids of all instruments that are defined, ascending."""
        return [i for i in range(self.state.instruments_max) if self.state.instruments[i].state != 0]

    cpdef int64_t planned_end(self, uint32_t instrument_id) noexcept nogil:
        """Planned end of a call or a halt, ns since the epoch; 0: there is none."""
        return self.state.auctions[instrument_id].end_ns if instrument_id < self.state.instruments_max else 0

    cdef Ladder* ladder_of(self, uint32_t instrument_id, uint8_t side) noexcept nogil:
        """One side of a book; NULL when there is no such instrument or side."""
        if instrument_id >= self.state.instruments_max or self.state.instruments[instrument_id].state == 0:
            return NULL
        if side != SIDE_BUY and side != SIDE_SELL:
            return NULL
        return &self.state.instruments[instrument_id].sides[side - 1]

    # ----------------------------------------------------------------------------------------------- for Python

    def submit(self, commands, out=None):
        """Decide a batch of commands.

        Parameters
        ----------
        commands : buffer
            Command records back to back: a C-contiguous structured array (see ``tradsys.wire.records.empty``), or
            bytes. Read in place; the GIL is released meanwhile.
        out : ndarray, optional
            Where the events go: C-contiguous, writable, a multiple of 128 bytes. The engine's own buffer by default.

        Returns
        -------
        ndarray
            The events, dtype ``EVENT_COMMON``, a view valid until the next call (of `out`: as long as you like).

        Raises
        ------
        ValueError
            At a record that is no command; those before it have been decided, `read_events` has their events.
        BufferError
            When `out` is too small; what fitted has been decided, `last_seq` tells how far.
        """
        cdef Py_buffer view
        cdef int64_t consumed = 0
        self._enter()
        try:
            PyObject_GetBuffer(commands, &view, PyBUF_SIMPLE)
            try:
                self._use_buffer(out)
                while True:
                    with nogil:
                        consumed += self.apply(<const uint8_t*> view.buf + consumed, view.len - consumed)
                    if consumed == view.len and not self.state.unfinished:
                        break
                    if out is not None:
                        raise BufferError(f"out holds {self.event_capacity} events: {consumed} of {view.len} bytes of "
                                          f"commands were decided, up to seq {self.last_seq}")
                    self._enlarge_buffer()
            finally:
                PyBuffer_Release(&view)
        finally:
            self.busy = False
        return self.shown_events[:self.event_count]

    def read_events(self):
        """Events of the last call, an ``EVENT_COMMON`` array that is valid until the next one."""
        return self.shown_events[:self.event_count]

    def new_order(self, uint32_t session_id, uint64_t client_ref, uint32_t instrument_id, uint8_t side,
                  int64_t price_ticks, int64_t qty_lots, uint8_t order_type=ORDER_TYPE_LIMIT,
                  uint8_t time_in_force=TIME_IN_FORCE_DAY, uint8_t stp_mode=STP_MODE_PARTICIPANT_DEFAULT,
                  uint16_t order_flags=0, uint32_t account_id=0, int64_t ts_ns=0):
        """Enter an order; returns the number of its events, which `read_events` shows."""
        self._begin_call()
        return engine_new_order(self, ts_ns, session_id, client_ref, instrument_id, side, price_ticks, qty_lots,
                                order_type, time_in_force, stp_mode, order_flags, account_id)

    def cancel_order(self, uint32_t session_id, uint64_t client_ref, uint32_t instrument_id,
                     uint64_t orig_client_ref=0, uint64_t order_id=0, int64_t ts_ns=0):
        """Cancel what is left of an order; returns the number of events."""
        self._begin_call()
        return engine_cancel_order(self, ts_ns, session_id, client_ref, instrument_id, orig_client_ref, order_id)

    def reduce_order(self, uint32_t session_id, uint64_t client_ref, uint32_t instrument_id, int64_t qty_lots,
                     uint64_t orig_client_ref=0, uint64_t order_id=0, int64_t ts_ns=0):
        """Take `qty_lots` off an order, which keeps its priority; returns the number of events."""
        self._begin_call()
        return engine_reduce_order(self, ts_ns, session_id, client_ref, instrument_id, qty_lots, orig_client_ref,
                                   order_id)

    def replace_order(self, uint32_t session_id, uint64_t client_ref, uint32_t instrument_id, int64_t price_ticks,
                      int64_t qty_lots, uint64_t orig_client_ref=0, uint64_t order_id=0, uint16_t order_flags=0,
                      int64_t ts_ns=0):
        """Give an order a new reference, price and total quantity; returns the number of events."""
        self._begin_call()
        return engine_replace_order(self, ts_ns, session_id, client_ref, instrument_id, price_ticks, qty_lots,
                                    order_flags, orig_client_ref, order_id)

    @property
    def capacities(self):
        """What the engine was made for: arguments of another one with the same room."""
        return {"orders_max": self.state.orders_max, "instruments_max": self.state.instruments_max,
                "participants_max": self.state.participants_max, "sessions_max": self.state.sessions_max,
                "accounts_max": self.state.accounts_max, "positions_max": self.state.risk.positions_max}


    def depth(self, uint32_t instrument_id, uint8_t side, int64_t levels=10):
        """Best `levels` levels of a side: an array of price_ticks, qty_lots and order_count, best first."""
        cdef Ladder* ladder = self.ladder_of(instrument_id, side)
        cdef uint32_t ref
        cdef Level* level
        rows = []
        ref = ladder.best_level if ladder != NULL else 0
        while ref and len(rows) < levels:
            level = level_at(&self.state.levels, ref)
            rows.append((level_price(&self.state.levels, ladder, ref), level.qty_lots, level.order_count))
            ref = ladder_next_level(&self.state.levels, ref)
        return np.array(rows, LEVEL_DTYPE)

    def resting_orders(self, uint32_t instrument_id, uint8_t side):
        """Orders of a side in the order they would match: an array of ids, references, prices, quantities, owners."""
        cdef Ladder* ladder = self.ladder_of(instrument_id, side)
        cdef uint32_t ref, slot
        cdef Order* order
        rows = []
        ref = ladder.best_level if ladder != NULL else 0
        while ref:
            slot = level_at(&self.state.levels, ref).head_slot
            while slot != SLOT_NONE:
                order = &self.state.orders[slot]
                rows.append((order.order_id, order.client_ref, level_price(&self.state.levels, ladder, ref),
                             order.qty_lots, order.leaves_lots, order.session_id, order.account_id))
                slot = order.next_slot
            ref = ladder_next_level(&self.state.levels, ref)
        return np.array(rows, ORDER_DTYPE)

    def positions(self):
        """What the watched have (rule book, section 14), a `PositionRow` a holder and instrument.

        Values are in ticks x lots, Python integers of up to 128 bits. `cost_value` is signed as the position. `fees` are what
        was charged, in the instrument's fee units.
        """
        return [PositionRow(*row) for row in position_rows(&self.state)]

    def snapshot(self):
        """The whole state as bytes, for `restore`."""
        cdef int64_t size_bytes = self.snapshot_size()
        cdef bytes copy = PyBytes_FromStringAndSize(NULL, size_bytes)
        self.save(<uint8_t*> PyBytes_AS_STRING(copy))
        return copy

    @staticmethod
    def restore(const uint8_t[::1] snapshot not None, **capacities):
        """Make an engine from `snapshot` bytes; capacities as for ``Engine``, at least what the snapshot needs.

        Raises
        ------
        ValueError
            When the bytes are no snapshot, do not fit the capacities, or are damaged.
        """
        cdef Engine engine = Engine(**capacities)
        if snapshot.shape[0] == 0:
            raise ValueError("a snapshot is not empty")
        engine.load(&snapshot[0], snapshot.shape[0])
        return engine

    def check(self):
        """Walk every structure; raises AssertionError with a sentence on the first invariant that does not hold."""
        check_state(&self.state)

    # ----------------------------------------------------------------------------------------------- buffers

    cdef int _enter(self) except -1:
        """One caller at a time: `submit` releases the GIL, so another thread could come in."""
        if self.busy:
            raise RuntimeError("this engine is deciding a batch of another thread")
        self.busy = True
        return 0

    cdef int _begin_call(self) except -1:
        """A single command of Python: its events go to the start of the engine's own buffer."""
        if self.busy:
            raise RuntimeError("this engine is deciding a batch of another thread")
        if self.events != self.own_base:
            self._use_buffer(None)
        self.clear_events()
        return 0

    cdef int _own_buffer(self, int64_t capacity_events) except -1:
        """Make the engine's own event buffer, aligned to cache lines."""
        raw = np.empty(capacity_events * EVENT_BYTES + LINE_BYTES, np.uint8)
        cdef int64_t shift = -<int64_t> raw.ctypes.data % LINE_BYTES
        shift = shift + LINE_BYTES if shift < 0 else shift
        self.own_events = raw[shift:shift + capacity_events * EVENT_BYTES].view(EVENT_COMMON)
        self.own_base = <uint8_t*> <uintptr_t> self.own_events.ctypes.data
        self.own_capacity = capacity_events
        self.shown_events = self.own_events
        self.set_event_buffer(NULL, 0)
        return 0

    cdef int _use_buffer(self, out) except -1:
        """Direct events to `out`, or to the engine's own buffer."""
        cdef Py_buffer view
        if out is None:
            self.given_out = None
            self.shown_events = self.own_events
            self.set_event_buffer(NULL, 0)
            return 0
        if out is self.given_out:
            self.clear_events()
            return 0
        if not isinstance(out, np.ndarray) or out.nbytes % EVENT_BYTES or out.ctypes.data % 8:
            raise ValueError(f"out must be an aligned array of {EVENT_BYTES}-byte events")
        PyObject_GetBuffer(out, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        # the array, kept in shown_events, owns the memory; the buffer view has only checked that it is contiguous
        self.shown_events = out.reshape(-1).view(np.uint8).view(EVENT_COMMON)
        self.set_event_buffer(<uint8_t*> view.buf, view.len // EVENT_BYTES)
        PyBuffer_Release(&view)
        self.given_out = out
        return 0

    cdef int _enlarge_buffer(self) except -1:
        """Double the engine's own buffer, keeping the events in it."""
        cdef int64_t count = self.event_count
        before = self.own_events[:count]
        self._own_buffer(2 * self.own_capacity)
        self.own_events[:count] = before
        self.event_count = count
        self.state.cursor = self.events + count * EVENT_BYTES
        return 0

    cdef int _finish(self) except -1:
        """Make room for what a single command has set off, as often as it takes."""
        while self.state.unfinished:
            if self.events != self.own_base:
                raise BufferError(f"the event buffer of {self.event_capacity} events has no room for all events of a command")
            self._enlarge_buffer()
            self.apply(self.own_base, 0)
        return 0

    cdef int _raise_at(self, const uint8_t* records, int64_t size_bytes, int64_t offset, int code) except -1:
        """Say what is wrong with the record at `offset`."""
        cdef const MessageHeader* header = <const MessageHeader*> (records + offset)
        if code == BATCH_TRUNCATED:
            raise ValueError(f"the record at offset {offset} is cut off: {size_bytes - offset} bytes are left")
        if code == BATCH_UNKNOWN_TEMPLATE:
            raise ValueError(f"the record at offset {offset} has template {header.template_id}, which is no command")
        if code == BATCH_BAD_HEADER:
            raise ValueError(f"the record at offset {offset} must be of schema {SCHEMA_ID} version {SCHEMA_VERSION}, "
                             f"was {header.schema_id} version {header.version}, block length {header.block_length}")
        assert code == BATCH_BAD_SEQ
        raise ValueError(f"the record at offset {offset} must have seq 0 or {self.last_seq + 1}, "
                         f"was {(<const uint64_t*> (records + offset))[1]}")


# --------------------------------------------------------------------------------------------------- C API

cdef inline void fill_header(void* record, uint16_t template_id, uint16_t block_length) noexcept nogil:
    cdef MessageHeader* header = <MessageHeader*> record
    header.block_length = block_length
    header.template_id = template_id
    header.schema_id = SCHEMA_ID
    header.version = SCHEMA_VERSION


cdef int decide_one(Engine e, const void* record) except -1 nogil:
    """Decide one order command; the number of its events."""
    cdef int64_t before = e.event_count
    if e.apply(<const uint8_t*> record, SIZE_NEW_ORDER) == 0:
        with gil:
            raise BufferError(f"the event buffer of {e.event_capacity} events has no room for another command")
    if e.state.unfinished:
        with gil:
            e._finish()
    return <int> (e.event_count - before)


cdef int engine_new_order(Engine e, int64_t ts_ns, uint32_t session_id, uint64_t client_ref,
                              uint32_t instrument_id, uint8_t side, int64_t price_ticks, int64_t qty_lots,
                              uint8_t order_type, uint8_t time_in_force, uint8_t stp_mode, uint16_t order_flags,
                              uint32_t account_id) except -1 nogil:
    """NEW_ORDER."""
    cdef NewOrder c
    memset(&c, 0, sizeof(NewOrder))
    fill_header(&c, TEMPLATE_NEW_ORDER, BLOCK_NEW_ORDER)
    c.ts_ns = ts_ns
    c.session_id = session_id
    c.client_ref = client_ref
    c.price_ticks = price_ticks
    c.qty_lots = qty_lots
    c.instrument_id = instrument_id
    c.account_id = account_id
    c.side = side
    c.order_type = order_type
    c.time_in_force = time_in_force
    c.stp_mode = stp_mode
    c.order_flags = order_flags
    return decide_one(e, &c)


cdef int engine_cancel_order(Engine e, int64_t ts_ns, uint32_t session_id, uint64_t client_ref,
                                 uint32_t instrument_id, uint64_t orig_client_ref, uint64_t order_id) except -1 nogil:
    """CANCEL_ORDER."""
    cdef CancelOrder c
    memset(&c, 0, sizeof(CancelOrder))
    fill_header(&c, TEMPLATE_CANCEL_ORDER, BLOCK_CANCEL_ORDER)
    c.ts_ns = ts_ns
    c.session_id = session_id
    c.client_ref = client_ref
    c.instrument_id = instrument_id
    c.orig_client_ref = orig_client_ref
    c.order_id = order_id
    return decide_one(e, &c)


cdef int engine_reduce_order(Engine e, int64_t ts_ns, uint32_t session_id, uint64_t client_ref,
                                 uint32_t instrument_id, int64_t qty_lots, uint64_t orig_client_ref,
                                 uint64_t order_id) except -1 nogil:
    """REDUCE_ORDER."""
    cdef ReduceOrder c
    memset(&c, 0, sizeof(ReduceOrder))
    fill_header(&c, TEMPLATE_REDUCE_ORDER, BLOCK_REDUCE_ORDER)
    c.ts_ns = ts_ns
    c.session_id = session_id
    c.client_ref = client_ref
    c.qty_lots = qty_lots
    c.instrument_id = instrument_id
    c.orig_client_ref = orig_client_ref
    c.order_id = order_id
    return decide_one(e, &c)


cdef int engine_replace_order(Engine e, int64_t ts_ns, uint32_t session_id, uint64_t client_ref,
                                  uint32_t instrument_id, int64_t price_ticks, int64_t qty_lots, uint16_t order_flags,
                                  uint64_t orig_client_ref, uint64_t order_id) except -1 nogil:
    """REPLACE_ORDER."""
    cdef ReplaceOrder c
    memset(&c, 0, sizeof(ReplaceOrder))
    fill_header(&c, TEMPLATE_REPLACE_ORDER, BLOCK_REPLACE_ORDER)
    c.ts_ns = ts_ns
    c.session_id = session_id
    c.client_ref = client_ref
    c.price_ticks = price_ticks
    c.qty_lots = qty_lots
    c.instrument_id = instrument_id
    c.order_flags = order_flags
    c.orig_client_ref = orig_client_ref
    c.order_id = order_id
    return decide_one(e, &c)


cdef int64_t engine_apply(Engine e, const uint8_t* records, int64_t size_bytes) except -1 nogil:
    """Engine.apply."""
    return e.apply(records, size_bytes)


cdef int engine_set_event_buffer(Engine e, uint8_t* base, int64_t capacity_events) except -1 nogil:
    """Engine.set_event_buffer."""
    return e.set_event_buffer(base, capacity_events)


cdef const uint8_t* engine_events(Engine e, int64_t* event_count) noexcept nogil:
    """The events written since engine_clear_events, and their number."""
    event_count[0] = e.event_count
    return e.events


cdef void engine_clear_events(Engine e) noexcept nogil:
    """Engine.clear_events."""
    e.clear_events()


cdef int64_t engine_best_bid(Engine e, uint32_t instrument_id) noexcept nogil:
    """Engine.best_bid."""
    return e.best_bid(instrument_id)


cdef int64_t engine_best_ask(Engine e, uint32_t instrument_id) noexcept nogil:
    """Engine.best_ask."""
    return e.best_ask(instrument_id)


cdef int64_t engine_qty_at(Engine e, uint32_t instrument_id, uint8_t side, int64_t price_ticks) noexcept nogil:
    """Engine.qty_at."""
    return e.qty_at(instrument_id, side, price_ticks)


cdef uint64_t engine_state_hash(Engine e) noexcept nogil:
    """Engine.state_hash."""
    return e.state_hash()
