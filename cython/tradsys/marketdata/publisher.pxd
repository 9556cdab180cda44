"""From the event log to the feed: the publisher follows released events by position and tells everyone."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.book_view cimport BookSet
from tradsys.core.engine cimport Engine
from tradsys.engine.sequencer cimport Sequencer
from tradsys.marketdata.channel cimport Channel, Lines
from tradsys.wire.records cimport (
    InstrumentDefined,
    MdInstrument,
    MdOrderAdd,
    MdStatistics,
    MdTop,
    OrderCanceled,
    OrderExecuted,
    OrderReduced,
    OrderReplaced,
    SnapshotBegin,
    TradeCorrected,
)


cdef enum:
    TOUCHED_MAX = 16384                    # levels that wait for a flush at most


cdef struct TouchedLevel:                  # 16 bytes
    int64_t price_ticks
    uint32_t book_side                     # instrument_id << 1 | side index
    uint32_t level                         # where it was on the ladder; it may have gone since


cdef class Publisher:
    # parts
    cdef readonly BookSet books            # the shadow books: equal to the engine's after event_seq
    cdef readonly Channel l3, l2, l1, trades, status, snapshots
    cdef readonly Lines lines
    # where we are
    cdef readonly uint64_t stream_id
    cdef readonly uint64_t event_seq       # last event published
    cdef readonly int64_t event_ts_ns      # its time
    cdef int64_t now_ns                    # wall clock of this turn
    cdef uint64_t turn                     # counts turns, from 1
    # by instrument
    cdef MdInstrument* definitions         # instrument_id 0: not defined
    cdef MdTop* tops                       # as last published
    cdef MdStatistics* statistics          # trade_count 0: none yet today
    cdef int64_t* statistics_day           # UTC day of statistics
    cdef uint64_t* statistics_seq          # first match of that day
    cdef uint64_t* traded_turn             # turn an instrument last traded in
    # touched since the last flush
    cdef TouchedLevel* touched             # in order of touching; a level's mark is its index here
    cdef int64_t touched_count
    cdef uint32_t* touched_books           # instruments whose book changed
    cdef int64_t touched_book_count
    cdef uint32_t* traded                  # instruments that traded
    cdef int64_t traded_count
    # settings
    cdef readonly int64_t turn_events_max
    cdef readonly int64_t heartbeat_ns
    # figures
    cdef readonly int64_t events           # taken
    cdef readonly int64_t turns            # that had events

    cdef int64_t publish_run(self, const uint8_t* events, int64_t count) except -1 nogil
    cdef int end_turn(self) except -1 nogil
    cdef void fill_head(self, SnapshotBegin* head, uint32_t instrument_id, uint64_t request_id) noexcept nogil
    cdef int _publish_one(self, const uint8_t* event) except -1 nogil
    cdef int _canceled(self, const OrderCanceled* event) except -1 nogil
    cdef int _reduced(self, const OrderReduced* event) except -1 nogil
    cdef int _transferred(self, const OrderExecuted* event) except -1 nogil
    cdef int64_t _shown(self, uint64_t order_id, uint32_t order_flags, int64_t leaves_lots) noexcept nogil
    cdef int _replaced(self, const OrderReplaced* event) except -1 nogil
    cdef int _executed(self, const OrderExecuted* event) except -1 nogil
    cdef int _executed_in_auction(self, const OrderExecuted* event, uint64_t order_id, uint32_t side,
                                  int64_t leaves_lots) except -1 nogil
    cdef int _defined(self, const InstrumentDefined* event) except -1 nogil
    cdef int _state(self, uint32_t instrument_id, int64_t ts_ns, uint8_t state,
                    uint8_t state_before) except -1 nogil
    cdef int _l3(self, uint32_t template_id, uint64_t order_id, int64_t price_ticks, int64_t qty_lots,
                 int64_t ts_ns,
                 uint32_t instrument_id, uint32_t side) except -1 nogil
    cdef int _wrong(self, uint32_t instrument_id) except -1 nogil
    cdef void _touch(self, uint32_t instrument_id, uint32_t side_index, int64_t price_ticks, uint32_t level) noexcept nogil
    cdef uint32_t _level_now(self, const TouchedLevel* entry) noexcept nogil
    cdef int _count_trade(self, const OrderExecuted* event) except -1 nogil
    cdef int _tell_statistics(self, uint32_t instrument_id, int64_t ts_ns) noexcept nogil
    cdef int _trade_changed(self, const TradeCorrected* event) except -1 nogil
    cdef int _flush_statistics(self) except -1 nogil
    cdef int _flush_levels(self) except -1 nogil
    cdef int _flush_tops(self) except -1 nogil
    cdef void _fill_top(self, MdTop* top, uint32_t instrument_id) noexcept nogil
    cdef int _heartbeats(self) except -1 nogil
    cdef int _heartbeat(self, Channel channel) except -1 nogil
    cdef int64_t follow(self, Sequencer sequencer, int64_t now_ns) except -1 nogil
    cdef int _restore_definition(self, Engine engine, uint32_t instrument_id) except -1
    cdef int _restore_side(self, Engine engine, uint32_t instrument_id, int side_index) except -1


cdef void publish_order(MdOrderAdd* message, uint32_t template_id, uint64_t order_id, int64_t price_ticks,
                        int64_t qty_lots,
                        int64_t ts_ns, uint32_t instrument_id, uint32_t side) noexcept nogil
