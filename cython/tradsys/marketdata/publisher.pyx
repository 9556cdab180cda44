"""Turn events into L3, L2, L1, trades and status packets."""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import numpy as np

from tradsys.core.book_view cimport (
    BOOK_LIVE,
    LOOK_LEVEL,
    LOOK_ORDER,
    LOOK_QUEUE,
    LOOK_RING,
    BookSet,
    look_level,
    look_order,
    look_queue,
)
from tradsys.core.engine cimport Engine
from tradsys.core.entry cimport available_lots
from tradsys.core.ladder cimport (
    LEVEL_NONE,
    PAGE_BITS,
    PAGE_LEVELS,
    Ladder,
    Level,
    Page,
    ladder_best_price,
    ladder_next_level,
    level_at,
    level_price,
)
from tradsys.core.order cimport SLOT_NONE, Order, slot_of
from tradsys.core.prefetch cimport prefetch
from tradsys.core.state cimport Instrument
from tradsys.engine.sequencer cimport Sequencer
from tradsys.marketdata.channel cimport Channel, Lines, claim
from tradsys.marketdata.news cimport add_turnover, tell_auction, tell_breaker, tell_trade_change
from tradsys.wire.records cimport (
    BLOCK_MD_INSTRUMENT,
    BLOCK_MD_LEVEL, BLOCK_MD_ORDER_ADD, BLOCK_MD_STATISTICS, BLOCK_MD_STATUS, BLOCK_MD_TOP, BLOCK_MD_TRADE,
    CHANNEL_L1, CHANNEL_L2, CHANNEL_L3, CHANNEL_SNAPSHOT, CHANNEL_STATUS, CHANNEL_TRADES, EVENT_FLAGS_AUCTION,
    EVENT_FLAGS_DORMANT, EVENT_FLAGS_INCOMING_HIDDEN, EVENT_FLAGS_PRIORITY_KEPT, EVENT_FLAGS_RESTS, ORDER_TYPE_MARKET,
    SCHEMA_ID, SCHEMA_VERSION, SIDE_BUY, SIZE_MD_INSTRUMENT, SIZE_MD_LEVEL, SIZE_MD_ORDER_ADD,
    SIZE_MD_STATISTICS, SIZE_MD_STATUS, SIZE_MD_TOP, SIZE_MD_TRADE, SIZE_ORDER_ACCEPTED, TEMPLATE_AUCTION_INDICATIVE,
    TEMPLATE_BREAKER_TRIPPED,
    TEMPLATE_CALL_EXTENDED, TEMPLATE_COMMAND_DONE, TEMPLATE_INSTRUMENT_DEFINED,
    TEMPLATE_MD_INSTRUMENT, TEMPLATE_MD_LEVEL, TEMPLATE_MD_ORDER_ADD, TEMPLATE_MD_ORDER_DELETE,
    TEMPLATE_MD_ORDER_EXECUTE, TEMPLATE_MD_ORDER_REDUCE, TEMPLATE_MD_STATISTICS, TEMPLATE_MD_STATUS, TEMPLATE_MD_TOP,
    TEMPLATE_MD_TRADE, TEMPLATE_ORDER_ACCEPTED, TEMPLATE_ORDER_CANCELED, TEMPLATE_ORDER_EXECUTED,
    TEMPLATE_ORDER_REDUCED, TEMPLATE_ORDER_REFILLED, TEMPLATE_ORDER_REPLACED, TEMPLATE_ORDER_RESTED,
    TEMPLATE_ORDER_TRANSFERRED, TEMPLATE_PHASE_CHANGED, TEMPLATE_SET_INSTRUMENT_STATE, TEMPLATE_START_CALL,
    TEMPLATE_TRADE_BUSTED, TEMPLATE_TRADE_CORRECTED,
    AuctionIndicative, BreakerTripped, CommandDone, InstrumentDefined, MdInstrument, MdLevel, MdOrderAdd,
    MdStatistics, MdStatus, MdTop, MdTrade, OrderAccepted, OrderCanceled, ORDER_FLAGS_COMPLEX, ORDER_FLAGS_HIDDEN,
    OrderExecuted, OrderReduced, OrderReplaced, OrderRested, PhaseChanged, SnapshotBegin, TradeCorrected)

cdef enum:
    EVENT_BYTES = SIZE_ORDER_ACCEPTED  # every event
    LOOK_FAR_ORDERS = 32768            # fewer orders lie in the caches
    PREFETCH_LEVELS = 8                # touched levels ahead a level is asked for

DAY_NS = 86_400 * 10**9
cdef int64_t day_ns = DAY_NS


@cython.final
cdef class Publisher:
    """The public feed of one venue run.

    Invariant: after a turn the shadow books equal the engine's after `event_seq`, and what L3, L2 and L1 have
    said describes them.

    Parameters
    ----------
    stream_id : int
        This run, ns since the epoch; greater than any before.
    lines : Lines, optional
        Where packets go; without it they are only retained.
    orders_max, instruments_max : int
        The engine's capacities.
    packet_bytes_max : int
        Largest frame, bytes.
    retention_bytes : int
        Bytes of L3 kept for gap fills; L2 and TRADES keep a quarter, L1 and STATUS an eighth (at least four
        frames).
    turn_events_max : int
        Events a turn takes at most.
    heartbeat_ms : int
        Interval of heartbeats on idle channels.

    Notes
    -----
    One thread. Times come from the caller. A shadow book that does not take an event is a bug of the venue and
    raises.
    """

    def __cinit__(self, uint64_t stream_id, Lines lines=None, *, int64_t orders_max=1 << 20,
                  int64_t instruments_max=4096,
                  int64_t packet_bytes_max=1 << 16, int64_t retention_bytes=64 << 20, int64_t turn_events_max=1 << 14,
                  int64_t heartbeat_ms=250):
        cdef int64_t i, least = 4 * packet_bytes_max
        if stream_id == 0:
            raise ValueError("stream_id must not be 0")
        if turn_events_max < 1 or turn_events_max > 1 << 20:
            raise ValueError(f"turn_events_max must be in [1, {1 << 20}], was {turn_events_max}")
        self.stream_id = stream_id
        self.lines = lines if lines is not None else Lines()
        self.books = BookSet(orders_max=orders_max, instruments_max=instruments_max)
        self.turn_events_max = turn_events_max
        self.heartbeat_ns = heartbeat_ms * 1_000_000
        self.l3 = Channel(CHANNEL_L3, stream_id, self.lines, packet_bytes_max, max(retention_bytes, least))
        self.l2 = Channel(CHANNEL_L2, stream_id, self.lines, packet_bytes_max, max(retention_bytes // 4, least))
        self.l1 = Channel(CHANNEL_L1, stream_id, self.lines, packet_bytes_max, max(retention_bytes // 8, least))
        self.trades = Channel(CHANNEL_TRADES, stream_id, self.lines, packet_bytes_max,
                              max(retention_bytes // 4, least))
        self.status = Channel(CHANNEL_STATUS, stream_id, self.lines, packet_bytes_max,
                              max(retention_bytes // 8, least))
        self.snapshots = Channel(CHANNEL_SNAPSHOT, stream_id, self.lines, packet_bytes_max, least)
        self._take_memory(instruments_max)
        for i in range(instruments_max):
            self.books.books[i].state = BOOK_LIVE
            self.tops[i].bid_price_ticks = INT64_MIN
            self.tops[i].ask_price_ticks = INT64_MAX
        self.turn = 1

    def _take_memory(self, int64_t instruments_max):
        self.definitions = <MdInstrument*>zeroed(instruments_max, sizeof(MdInstrument))
        self.tops = <MdTop*>zeroed(instruments_max, sizeof(MdTop))
        self.statistics = <MdStatistics*>zeroed(instruments_max, sizeof(MdStatistics))
        self.statistics_day = <int64_t*>zeroed(instruments_max, sizeof(int64_t))
        self.statistics_seq = <uint64_t*>zeroed(instruments_max, sizeof(uint64_t))
        self.traded_turn = <uint64_t*>zeroed(instruments_max, sizeof(uint64_t))
        self.traded = <uint32_t*>zeroed(instruments_max, sizeof(uint32_t))
        self.touched_books = <uint32_t*>zeroed(instruments_max, sizeof(uint32_t))
        self.touched = <TouchedLevel*>zeroed(TOUCHED_MAX, sizeof(TouchedLevel))

    def __dealloc__(self):
        free(self.definitions)
        free(self.tops)
        free(self.statistics)
        free(self.statistics_day)
        free(self.statistics_seq)
        free(self.traded_turn)
        free(self.traded)
        free(self.touched_books)
        free(self.touched)

    # ---- turns ----

    def publish(self, Sequencer sequencer not None, int64_t now_ns):
        """Publish what has been released since the last turn, at most `turn_events_max` events; returns how many.

        Call once a loop turn, with the wall clock; it sends heartbeats when there is nothing to say.
        """
        return self.follow(sequencer, now_ns)

    cdef int64_t follow(self, Sequencer sequencer, int64_t now_ns) except -1 nogil:
        """`publish` for Cython callers."""
        cdef uint64_t released = sequencer.released_event_seq()
        cdef int64_t left = self.turn_events_max, count
        cdef const uint8_t* events
        self.now_ns = now_ns
        if released > self.event_seq + <uint64_t>left:
            released = self.event_seq + <uint64_t>left
        while self.event_seq < released:
            events = sequencer.event_at(self.event_seq + 1)
            if events == NULL:
                with gil:
                    self._publish_stored(sequencer, released)
                continue
            count = sequencer.events_contiguous(self.event_seq + 1, released)
            assert count > 0
            self.publish_run(events, count)
            left -= count
        self.end_turn()
        return self.turn_events_max - left

    def _publish_stored(self, Sequencer sequencer, uint64_t released):
        """Publish events that are no longer in memory, from disk."""
        stored = sequencer.read_events(self.event_seq + 1, released - self.event_seq)
        cdef const uint8_t[::1] raw = np.ascontiguousarray(stored).view(np.uint8).reshape(-1)
        if raw.shape[0] == 0:
            raise RuntimeError(f"event {self.event_seq + 1} is released and not to be had")
        self.publish_run(&raw[0], raw.shape[0] // EVENT_BYTES)

    def publish_events(self, events not None, int64_t now_ns=0):
        """Publish an array of 128-byte events as one turn (tests, replays); returns how many."""
        cdef const uint8_t[::1] raw = np.ascontiguousarray(events).view(np.uint8).reshape(-1)
        cdef int64_t at = 0, count, total = raw.shape[0] // EVENT_BYTES
        if raw.shape[0] % EVENT_BYTES:
            raise ValueError(f"events are {EVENT_BYTES} bytes each, got {raw.shape[0]} bytes")
        self.now_ns = now_ns
        with nogil:
            while at < total:
                count = min(total - at, self.turn_events_max)
                self.publish_run(&raw[at * EVENT_BYTES], count)
                self.end_turn()
                at += count
            if total == 0:
                self.end_turn()
        return total

    cdef int64_t publish_run(self, const uint8_t* events, int64_t count) except -1 nogil:
        """Take events that lie back to back and follow `event_seq`."""
        cdef int64_t i
        cdef bint far = self.books.order_count > LOOK_FAR_ORDERS
        cdef uint32_t levels[LOOK_RING]
        cdef const OrderAccepted* ahead
        memset(levels, 0, sizeof(levels))
        for i in range(count):
            if i + LOOK_ORDER < count:
                look_order(self.books, accepted_at(events, i + LOOK_ORDER).order_id)
                if far:
                    ahead = accepted_at(events, i + LOOK_LEVEL)
                    levels[(i + LOOK_LEVEL) & (LOOK_RING - 1)] = look_level(
                        self.books, ahead.order_id, ahead.instrument_id, ahead.side, ahead.price_ticks)
                    look_queue(self.books, accepted_at(events, i + LOOK_QUEUE).order_id,
                               levels[(i + LOOK_QUEUE) & (LOOK_RING - 1)])
            self._publish_one(events + i * EVENT_BYTES)
        self.events += count
        return count

    cdef int end_turn(self) except -1 nogil:
        """Say what the turn came to and send what is packed."""
        if self.touched_book_count or self.traded_count:
            self.turns += 1
        self._flush_statistics()
        self._flush_levels()
        self._flush_tops()
        self.status.flush(self.now_ns, self.event_seq)
        self.l3.flush(self.now_ns, self.event_seq)
        self.trades.flush(self.now_ns, self.event_seq)
        self.l2.flush(self.now_ns, self.event_seq)
        self.l1.flush(self.now_ns, self.event_seq)
        self._heartbeats()
        self.turn += 1
        return 0

    # ---- events ----

    cdef int _publish_one(self, const uint8_t* event) except -1 nogil:
        cdef const OrderAccepted* accepted = <const OrderAccepted*>event   # the prefix they have in common
        cdef const CommandDone* done
        cdef uint16_t template_id = accepted.template_id
        cdef int64_t shown_lots
        assert accepted.seq == self.event_seq + 1 or self.event_seq == 0
        if template_id == TEMPLATE_ORDER_ACCEPTED or template_id == TEMPLATE_ORDER_RESTED:
            if accepted.event_flags & EVENT_FLAGS_RESTS and not accepted.order_flags & ORDER_FLAGS_HIDDEN:
                shown_lots = 0
                if template_id == TEMPLATE_ORDER_RESTED:
                    shown_lots = (<const OrderRested*>event).shown_lots
                self._l3(TEMPLATE_MD_ORDER_ADD, accepted.order_id,
                         book_price(accepted.price_ticks, accepted.order_type, accepted.side),
                         shown_lots if shown_lots else accepted.leaves_lots, accepted.ts_ns,
                         accepted.instrument_id, accepted.side)
        elif template_id == TEMPLATE_ORDER_CANCELED:
            self._canceled(<const OrderCanceled*>event)
        elif template_id == TEMPLATE_ORDER_EXECUTED:
            self._executed(<const OrderExecuted*>event)
        elif template_id == TEMPLATE_ORDER_REPLACED:
            self._replaced(<const OrderReplaced*>event)
        elif template_id == TEMPLATE_ORDER_REDUCED:
            self._reduced(<const OrderReduced*>event)
        elif template_id == TEMPLATE_ORDER_REFILLED:
            self._l3(TEMPLATE_MD_ORDER_ADD, accepted.order_id, accepted.price_ticks,
                     (<const OrderRested*>event).shown_lots, accepted.ts_ns, accepted.instrument_id, accepted.side)
        elif template_id == TEMPLATE_ORDER_TRANSFERRED:
            self._transferred(<const OrderExecuted*>event)
        elif template_id == TEMPLATE_INSTRUMENT_DEFINED:
            self._defined(<const InstrumentDefined*>event)
        elif template_id == TEMPLATE_COMMAND_DONE:
            done = <const CommandDone*>event
            if (done.done_template == TEMPLATE_SET_INSTRUMENT_STATE or done.done_template == TEMPLATE_START_CALL) and \
                    done.state != done.state_before:
                self._state(done.instrument_id, done.ts_ns, done.state, done.state_before)
        elif template_id == TEMPLATE_PHASE_CHANGED:
            self._state((<const PhaseChanged*>event).instrument_id, accepted.ts_ns, (<const PhaseChanged*>event).state,
                        (<const PhaseChanged*>event).state_before)
        elif template_id >= TEMPLATE_AUCTION_INDICATIVE and template_id <= TEMPLATE_CALL_EXTENDED:
            tell_auction(self.status, <const AuctionIndicative*>event, self.now_ns, self.event_seq)
        elif template_id == TEMPLATE_BREAKER_TRIPPED:
            tell_breaker(self.status, <const BreakerTripped*>event, self.now_ns, self.event_seq)
        elif template_id == TEMPLATE_TRADE_BUSTED or template_id == TEMPLATE_TRADE_CORRECTED:
            self._trade_changed(<const TradeCorrected*>event)
        self.event_seq = accepted.seq
        self.event_ts_ns = accepted.ts_ns
        return 0

    cdef int _canceled(self, const OrderCanceled* event) except -1 nogil:
        if event.event_flags & EVENT_FLAGS_RESTS and not event.order_flags & ORDER_FLAGS_HIDDEN:
            self._l3(TEMPLATE_MD_ORDER_DELETE, event.order_id,
                     book_price(event.price_ticks, event.order_type, event.side),
                     self._shown(event.order_id, event.order_flags, event.qty_lots), event.ts_ns, event.instrument_id,
                     event.side)
        return 0

    cdef int _reduced(self, const OrderReduced* event) except -1 nogil:
        """Self-trade prevention takes from what an iceberg shows, its owner from what it does not show first (9.4)."""
        cdef int64_t shown = self._shown(event.order_id, event.order_flags, event.leaves_lots + event.qty_lots)
        cdef int64_t less = event.qty_lots
        if not event.event_flags & EVENT_FLAGS_RESTS or event.order_flags & ORDER_FLAGS_HIDDEN:
            return 0
        if not event.cancel_reason:
            less = shown - min(shown, event.leaves_lots)
        if less:
            self._l3(TEMPLATE_MD_ORDER_DELETE if less == shown else TEMPLATE_MD_ORDER_REDUCE, event.order_id,
                     book_price(event.price_ticks, event.order_type, event.side), less, event.ts_ns,
                     event.instrument_id, event.side)
        return 0

    cdef int _transferred(self, const OrderExecuted* event) except -1 nogil:
        """Lots that pass inside a trade group leave the book and are no trade (9.17)."""
        cdef int64_t shown
        if event.resting_hidden:
            return 0
        shown = self._shown(event.resting_order_id, ORDER_FLAGS_COMPLEX, event.qty_lots + event.resting_leaves_lots)
        self._l3(TEMPLATE_MD_ORDER_DELETE if event.qty_lots == shown else TEMPLATE_MD_ORDER_REDUCE,
                 event.resting_order_id, event.price_ticks, event.qty_lots, event.ts_ns, event.instrument_id,
                 3 - event.incoming_side)
        return 0

    cdef int64_t _shown(self, uint64_t order_id, uint32_t order_flags, int64_t leaves_lots) noexcept nogil:
        """Lots the public sees of an order on the book: of an iceberg what the shadow book has, else what is left."""
        cdef uint32_t slot = slot_of(order_id)
        if not order_flags & ORDER_FLAGS_COMPLEX or slot >= self.books.orders_max:
            return leaves_lots
        return self.books.orders[slot].leaves_lots if self.books.orders[slot].order_id == order_id else leaves_lots

    cdef int _replaced(self, const OrderReplaced* event) except -1 nogil:
        cdef int64_t shown = self._shown(event.order_id, event.order_flags, event.leaves_before_lots)
        cdef int64_t less = shown - min(shown, event.leaves_lots)
        if event.order_flags & ORDER_FLAGS_HIDDEN or event.event_flags & EVENT_FLAGS_DORMANT:
            return 0
        if event.event_flags & EVENT_FLAGS_PRIORITY_KEPT:
            if less:
                self._l3(TEMPLATE_MD_ORDER_REDUCE, event.order_id, event.price_ticks, less, event.ts_ns,
                         event.instrument_id, event.side)
            return 0
        self._l3(TEMPLATE_MD_ORDER_DELETE, event.order_id, event.price_before_ticks, shown, event.ts_ns,
                 event.instrument_id, event.side)
        if event.event_flags & EVENT_FLAGS_RESTS:
            self._l3(TEMPLATE_MD_ORDER_ADD, event.order_id, event.price_ticks, event.leaves_lots, event.ts_ns,
                     event.instrument_id, event.side)
        return 0

    cdef int _executed(self, const OrderExecuted* event) except -1 nogil:
        cdef uint8_t* room
        cdef MdTrade* trade
        cdef bint in_auction = event.event_flags & EVENT_FLAGS_AUCTION
        if in_auction:  # both rested, at prices of their own
            if not event.resting_hidden:
                self._executed_in_auction(event, event.resting_order_id, 3 - event.incoming_side,
                                          event.resting_leaves_lots)
            if not event.event_flags & EVENT_FLAGS_INCOMING_HIDDEN:
                self._executed_in_auction(event, event.incoming_order_id, event.incoming_side,
                                          event.incoming_leaves_lots)
        elif not event.resting_hidden:
            self._l3(TEMPLATE_MD_ORDER_EXECUTE, event.resting_order_id, event.price_ticks, event.qty_lots, event.ts_ns,
                     event.instrument_id, 3 - event.incoming_side)
        claim(self.trades, SIZE_MD_TRADE, self.now_ns, self.event_seq, &room)
        trade = <MdTrade*>room
        trade.block_length = BLOCK_MD_TRADE
        trade.template_id = TEMPLATE_MD_TRADE
        trade.schema_id = SCHEMA_ID
        trade.version = SCHEMA_VERSION
        trade.match_id = event.seq
        trade.price_ticks = event.price_ticks
        trade.qty_lots = event.qty_lots
        trade.ts_ns = event.ts_ns
        trade.resting_order_id = 0 if event.resting_hidden else event.resting_order_id
        trade.instrument_id = event.instrument_id
        trade.aggressor_side = 0 if in_auction else event.incoming_side
        memset(trade.pad, 0, sizeof(trade.pad))
        return self._count_trade(event)

    cdef int _executed_in_auction(self, const OrderExecuted* event, uint64_t order_id, uint32_t side,
                                  int64_t leaves_lots) except -1 nogil:
        """One party of an auction's match, at the price it rests at; of an iceberg what it shows less (9.26)."""
        cdef const Order* order = &self.books.orders[slot_of(order_id)]
        cdef Ladder* ladder = &self.books.books[event.instrument_id].sides[side - 1]
        cdef int64_t less
        if slot_of(order_id) >= self.books.orders_max or order.order_id != order_id:
            self._wrong(event.instrument_id)
        less = order.leaves_lots - min(order.leaves_lots, leaves_lots)
        if less == 0:
            return 0
        return self._l3(TEMPLATE_MD_ORDER_EXECUTE, order_id, level_price(&self.books.levels, ladder, order.level),
                        less, event.ts_ns, event.instrument_id, side)

    cdef int _defined(self, const InstrumentDefined* event) except -1 nogil:
        cdef MdInstrument* known
        cdef uint8_t* room
        assert 0 < event.instrument_id < self.books.instruments_max
        known = &self.definitions[event.instrument_id]
        known.block_length = BLOCK_MD_INSTRUMENT
        known.template_id = TEMPLATE_MD_INSTRUMENT
        known.schema_id = SCHEMA_ID
        known.version = SCHEMA_VERSION
        known.ts_ns = event.ts_ns
        known.instrument_id = event.instrument_id
        known.asset_class = event.asset_class
        known.tick_exponent = event.tick_exponent
        known.lot_exponent = event.lot_exponent
        known.state = event.state
        memcpy(known.symbol, event.symbol, sizeof(known.symbol))
        memcpy(known.currency, event.currency, sizeof(known.currency))
        known.tick_mantissa = event.tick_mantissa
        known.lot_mantissa = event.lot_mantissa
        known.price_increment_ticks = event.price_increment_ticks
        known.price_min_ticks = event.price_min_ticks
        known.price_max_ticks = event.price_max_ticks
        known.qty_increment_lots = event.qty_increment_lots
        known.qty_min_lots = event.qty_min_lots
        known.qty_max_lots = event.qty_max_lots
        claim(self.status, SIZE_MD_INSTRUMENT, self.now_ns, self.event_seq, &room)
        memcpy(room, known, SIZE_MD_INSTRUMENT)
        return 0

    cdef int _state(self, uint32_t instrument_id, int64_t ts_ns, uint8_t state,
                    uint8_t state_before) except -1 nogil:
        cdef MdStatus* message
        cdef uint8_t* room
        assert 0 < instrument_id < self.books.instruments_max
        self.definitions[instrument_id].state = state
        claim(self.status, SIZE_MD_STATUS, self.now_ns, self.event_seq, &room)
        message = <MdStatus*>room
        message.block_length = BLOCK_MD_STATUS
        message.template_id = TEMPLATE_MD_STATUS
        message.schema_id = SCHEMA_ID
        message.version = SCHEMA_VERSION
        message.ts_ns = ts_ns
        message.instrument_id = instrument_id
        message.state = state
        message.state_before = state_before
        memset(message.pad, 0, sizeof(message.pad))
        return 0

    # ---- L3 and what follows from it ----

    cdef int _l3(self, uint32_t template_id, uint64_t order_id, int64_t price_ticks, int64_t qty_lots,
                 int64_t ts_ns,
                 uint32_t instrument_id, uint32_t side) except -1 nogil:
        """Say it on L3, do it on the shadow book, remember the level for L2 and the book for L1."""
        cdef uint8_t* room
        cdef uint32_t slot = slot_of(order_id), level = LEVEL_NONE
        claim(self.l3, SIZE_MD_ORDER_ADD, self.now_ns, self.event_seq, &room)
        publish_order(<MdOrderAdd*>room, template_id, order_id, price_ticks, qty_lots, ts_ns, instrument_id, side)
        assert 0 < instrument_id < self.books.instruments_max
        if template_id != TEMPLATE_MD_ORDER_ADD and slot < self.books.orders_max:
            level = self.books.orders[slot].level
        if not self.books.apply_one(<const MdOrderAdd*>room):
            self._wrong(instrument_id)
        if template_id == TEMPLATE_MD_ORDER_ADD:
            level = self.books.orders[slot].level
        self._touch(instrument_id, side - 1, price_ticks, level)
        if self.touched_count == TOUCHED_MAX:
            self._flush_levels()
        return 0

    cdef int _wrong(self, uint32_t instrument_id) except -1 nogil:
        with gil:
            raise RuntimeError(f"event {self.event_seq + 1} does not fit the shadow book of instrument "
                               f"{instrument_id}: {self.books.stale_reason(instrument_id)}")

    cdef void _touch(self, uint32_t instrument_id, uint32_t side_index, int64_t price_ticks,
                     uint32_t level) noexcept nogil:
        """Remember a level and its book, once a turn. The level's mark is trusted only as far as its entry bears it out."""
        cdef uint32_t book_side = instrument_id << 1 | side_index
        cdef Level* record = level_at(&self.books.levels, level)
        cdef TouchedLevel* entry = &self.touched[record.mark]
        if record.mark < self.touched_count and entry.level == level and entry.price_ticks == price_ticks and \
                entry.book_side == book_side:
            return
        record.mark = <uint32_t>self.touched_count
        entry = &self.touched[self.touched_count]
        entry.level = level
        entry.price_ticks = price_ticks
        entry.book_side = book_side
        self.touched_count += 1
        if self.books.books[instrument_id].touched != self.turn:
            self.books.books[instrument_id].touched = self.turn
            self.touched_books[self.touched_book_count] = instrument_id
            self.touched_book_count += 1

    cdef int _count_trade(self, const OrderExecuted* event) except -1 nogil:
        """Bring the day's figures of the instrument up to date."""
        cdef MdStatistics* day = &self.statistics[event.instrument_id]
        cdef int64_t utc_day = event.ts_ns // day_ns
        if day.trade_count == 0 or self.statistics_day[event.instrument_id] != utc_day:
            memset(day, 0, sizeof(MdStatistics))
            self.statistics_day[event.instrument_id] = utc_day
            self.statistics_seq[event.instrument_id] = event.seq
            day.block_length = BLOCK_MD_STATISTICS
            day.template_id = TEMPLATE_MD_STATISTICS
            day.schema_id = SCHEMA_ID
            day.version = SCHEMA_VERSION
            day.instrument_id = event.instrument_id
            day.open_price_ticks = day.high_price_ticks = day.low_price_ticks = event.price_ticks
        if event.price_ticks > day.high_price_ticks:
            day.high_price_ticks = event.price_ticks
        if event.price_ticks < day.low_price_ticks:
            day.low_price_ticks = event.price_ticks
        day.last_price_ticks = event.price_ticks
        day.volume_lots += event.qty_lots
        add_turnover(day, event.price_ticks, event.qty_lots)
        day.trade_count += 1
        return self._tell_statistics(event.instrument_id, event.ts_ns)

    cdef int _tell_statistics(self, uint32_t instrument_id, int64_t ts_ns) noexcept nogil:
        """Have the day's figures told at the end of the turn."""
        self.statistics[instrument_id].ts_ns = ts_ns
        if self.traded_turn[instrument_id] != self.turn:
            self.traded_turn[instrument_id] = self.turn
            self.traded[self.traded_count] = instrument_id
            self.traded_count += 1
        return 0

    cdef int _trade_changed(self, const TradeCorrected* event) except -1 nogil:
        """A match that was undone or has another price; both events have the same fields."""
        cdef MdStatistics* day = &self.statistics[event.instrument_id]
        cdef bint busted = event.template_id == TEMPLATE_TRADE_BUSTED
        tell_trade_change(self.trades, event, self.now_ns, self.event_seq)
        if (day.trade_count == 0 or self.statistics_day[event.instrument_id] != event.ts_ns // day_ns
                or event.match_seq < self.statistics_seq[event.instrument_id]):
            return 0                    # it is not in the day's figures
        add_turnover(day, event.price_before_ticks, -event.qty_lots)
        if busted:
            day.volume_lots -= event.qty_lots
            day.trade_count -= 1
        else:
            add_turnover(day, event.price_ticks, event.qty_lots)
        return self._tell_statistics(event.instrument_id, event.ts_ns)

    cdef int _flush_statistics(self) except -1 nogil:
        cdef int64_t i
        cdef uint8_t* room
        for i in range(self.traded_count):
            claim(self.trades, SIZE_MD_STATISTICS, self.now_ns, self.event_seq, &room)
            memcpy(room, &self.statistics[self.traded[i]], SIZE_MD_STATISTICS)
        self.traded_count = 0
        return 0

    cdef int _flush_levels(self) except -1 nogil:
        """One MdLevel for each level touched, as it is now."""
        cdef int64_t i
        cdef uint8_t* room
        cdef MdLevel* message
        cdef TouchedLevel* entry
        cdef uint32_t ref
        cdef Level* level
        for i in range(self.touched_count):
            if i + PREFETCH_LEVELS < self.touched_count:
                ref = self.touched[i + PREFETCH_LEVELS].level
                prefetch(&self.books.levels.pages[ref >> PAGE_BITS])
                prefetch(level_at(&self.books.levels, ref))
            entry = &self.touched[i]
            claim(self.l2, SIZE_MD_LEVEL, self.now_ns, self.event_seq, &room)
            message = <MdLevel*>room
            memset(message, 0, sizeof(MdLevel))
            message.block_length = BLOCK_MD_LEVEL
            message.template_id = TEMPLATE_MD_LEVEL
            message.schema_id = SCHEMA_ID
            message.version = SCHEMA_VERSION
            message.price_ticks = entry.price_ticks
            message.ts_ns = self.event_ts_ns
            message.instrument_id = entry.book_side >> 1
            message.side = <uint8_t>((entry.book_side & 1) + 1)
            ref = self._level_now(entry)
            if ref != LEVEL_NONE:
                level = level_at(&self.books.levels, ref)
                message.qty_lots = level.qty_lots
                message.order_count = level.order_count
        self.touched_count = 0
        return 0

    cdef uint32_t _level_now(self, const TouchedLevel* entry) noexcept nogil:
        """The level where it was, if its page is still its ladder's, else where it is; LEVEL_NONE: it is gone."""
        cdef Ladder* ladder = &self.books.books[entry.book_side >> 1].sides[entry.book_side & 1]
        cdef Page* page = &self.books.levels.pages[entry.level >> PAGE_BITS]
        if entry.level != LEVEL_NONE and page.owner == ladder.owner and \
                level_price(&self.books.levels, ladder, entry.level) == entry.price_ticks:
            return entry.level if page.occupied >> (entry.level & (PAGE_LEVELS - 1)) & 1 else <uint32_t>LEVEL_NONE
        return self.books.level_of(entry.book_side >> 1, <int>(entry.book_side & 1), entry.price_ticks)

    cdef int _flush_tops(self) except -1 nogil:
        """One MdTop for each instrument whose best prices or what rests there have changed."""
        cdef int64_t i
        cdef MdTop now
        cdef MdTop* told
        cdef uint8_t* room
        cdef uint32_t instrument_id
        for i in range(self.touched_book_count):
            instrument_id = self.touched_books[i]
            told = &self.tops[instrument_id]
            self._fill_top(&now, instrument_id)
            if now.bid_price_ticks == told.bid_price_ticks and now.bid_qty_lots == told.bid_qty_lots and \
                    now.bid_order_count == told.bid_order_count and now.ask_price_ticks == told.ask_price_ticks and \
                    now.ask_qty_lots == told.ask_qty_lots and now.ask_order_count == told.ask_order_count:
                continue
            told[0] = now
            claim(self.l1, SIZE_MD_TOP, self.now_ns, self.event_seq, &room)
            memcpy(room, &now, SIZE_MD_TOP)
        self.touched_book_count = 0
        return 0

    cdef void _fill_top(self, MdTop* top, uint32_t instrument_id) noexcept nogil:
        cdef Ladder* bids = &self.books.books[instrument_id].sides[0]
        cdef Ladder* asks = &self.books.books[instrument_id].sides[1]
        memset(top, 0, sizeof(MdTop))
        top.block_length = BLOCK_MD_TOP
        top.template_id = TEMPLATE_MD_TOP
        top.schema_id = SCHEMA_ID
        top.version = SCHEMA_VERSION
        top.ts_ns = self.event_ts_ns
        top.instrument_id = instrument_id
        top.bid_price_ticks = ladder_best_price(bids)
        top.ask_price_ticks = ladder_best_price(asks)
        if bids.best_level != LEVEL_NONE:
            top.bid_qty_lots = level_at(&self.books.levels, bids.best_level).qty_lots
            top.bid_order_count = level_at(&self.books.levels, bids.best_level).order_count
        if asks.best_level != LEVEL_NONE:
            top.ask_qty_lots = level_at(&self.books.levels, asks.best_level).qty_lots
            top.ask_order_count = level_at(&self.books.levels, asks.best_level).order_count

    cdef int _heartbeats(self) except -1 nogil:
        """Name the next number on channels that have been silent; the snapshot channel's is the recovery door's."""
        self._heartbeat(self.l3)
        self._heartbeat(self.l2)
        self._heartbeat(self.l1)
        self._heartbeat(self.trades)
        self._heartbeat(self.status)
        return 0

    cdef int _heartbeat(self, Channel channel) except -1 nogil:
        if self.now_ns - channel.last_send_ns >= self.heartbeat_ns:
            channel.heartbeat(self.now_ns, self.event_seq)
        return 0

    # ---- for the recovery door ----

    cdef void fill_head(self, SnapshotBegin* head, uint32_t instrument_id, uint64_t request_id) noexcept nogil:
        """Say which messages a snapshot taken now includes."""
        memset(head, 0, sizeof(SnapshotBegin))
        head.stream_id = self.stream_id
        head.request_id = request_id
        head.l3_seq = self.l3.next_seq - 1
        head.event_seq = self.event_seq
        head.ts_ns = self.event_ts_ns
        head.l2_seq = self.l2.next_seq - 1
        head.l1_seq = self.l1.next_seq - 1
        head.status_seq = self.status.next_seq - 1
        head.instrument_id = instrument_id
        if instrument_id:
            head.state = self.definitions[instrument_id].state

    # ---- start ----

    def restore(self, Engine engine not None):
        """Take over definitions and books of a recovered engine; nothing has been published yet.

        Raises
        ------
        RuntimeError
            Messages have been published.
        ValueError
            The engine has more orders or instruments than the publisher has room for.
        """
        cdef uint32_t instrument_id
        if self.event_seq or self.l3.next_seq != 1 or self.status.next_seq != 1:
            raise RuntimeError("restore comes before the first event")
        if engine.state.instruments_max > self.books.instruments_max or engine.state.orders_max > self.books.orders_max:
            raise ValueError(f"the engine has room for {engine.state.orders_max} orders and "
                             f"{engine.state.instruments_max} instruments; "
                             f"the publisher for {self.books.orders_max}, {self.books.instruments_max}")
        self.event_seq = engine.last_event_seq
        for instrument_id in range(1, engine.state.instruments_max):
            if engine.state.instruments[instrument_id].state:
                self._restore_definition(engine, instrument_id)
                self._restore_side(engine, instrument_id, 0)
                self._restore_side(engine, instrument_id, 1)
                self._fill_top(&self.tops[instrument_id], instrument_id)

    cdef int _restore_definition(self, Engine engine, uint32_t instrument_id) except -1:
        cdef const Instrument* source = &engine.state.instruments[instrument_id]
        cdef InstrumentDefined event
        memset(&event, 0, sizeof(event))
        event.instrument_id = instrument_id
        event.asset_class = source.asset_class
        event.tick_exponent = source.tick_exponent
        event.lot_exponent = source.lot_exponent
        event.state = source.state
        memcpy(event.symbol, source.symbol, sizeof(event.symbol))
        memcpy(event.currency, &source.currency, sizeof(event.currency))
        event.tick_mantissa = source.tick_mantissa
        event.lot_mantissa = source.lot_mantissa
        event.price_increment_ticks = source.price_increment_ticks
        event.price_min_ticks = source.price_min_ticks
        event.price_max_ticks = source.price_max_ticks
        event.qty_increment_lots = source.qty_increment_lots
        event.qty_min_lots = source.qty_min_lots
        event.qty_max_lots = source.qty_max_lots
        return self._defined(&event)

    cdef int _restore_side(self, Engine engine, uint32_t instrument_id, int side_index) except -1:
        """Copy the engine's orders of one side in priority order."""
        cdef Ladder* ladder = &engine.state.instruments[instrument_id].sides[side_index]
        cdef uint32_t ref = ladder.best_level, slot
        cdef const Order* order
        cdef MdOrderAdd message
        while ref != LEVEL_NONE:
            slot = level_at(&engine.state.levels, ref).head_slot
            while slot != SLOT_NONE:
                order = &engine.state.orders[slot]
                slot = order.next_slot
                if order.order_flags & ORDER_FLAGS_HIDDEN:
                    continue
                publish_order(&message, TEMPLATE_MD_ORDER_ADD, order.order_id,
                              level_price(&engine.state.levels, ladder, ref),
                              available_lots(&engine.state, order), 0, instrument_id, <uint32_t>(side_index + 1))
                if not self.books.apply_one(&message):
                    self._wrong(instrument_id)
            ref = ladder_next_level(&engine.state.levels, ref)
        return 0

    def channel(self, int number):
        """The `Channel` of a channel number."""
        return {CHANNEL_L3: self.l3, CHANNEL_L2: self.l2, CHANNEL_L1: self.l1, CHANNEL_TRADES: self.trades,
                CHANNEL_STATUS: self.status, CHANNEL_SNAPSHOT: self.snapshots}[number]

    def figures(self):
        """What has been published: a dict of counts."""
        return {
            "events": self.events, "event_seq": self.event_seq, "turns": self.turns, "stream_id": self.stream_id,
            "messages": {name: channel.next_seq - 1 for name, channel in (
                ("l3", self.l3), ("l2", self.l2), ("l1", self.l1), ("trades", self.trades), ("status", self.status),
                ("snapshot", self.snapshots))},
            "frames_sent": self.lines.frames_sent, "bytes_sent": self.lines.bytes_sent,
            "send_failures": self.lines.send_failures, "orders": self.books.order_count,
        }


cdef inline const OrderAccepted* accepted_at(const uint8_t* events, int64_t index) noexcept nogil:
    """An event as what all order events have in common; what a match says of itself lies at other places."""
    return <const OrderAccepted*>(events + index * EVENT_BYTES)


cdef inline int64_t book_price(int64_t price_ticks, uint32_t order_type, uint32_t side) noexcept nogil:
    """The price an order rests at: market orders before every limit of their side."""
    if order_type != ORDER_TYPE_MARKET:
        return price_ticks
    return INT64_MAX if side == SIDE_BUY else INT64_MIN


cdef void* zeroed(int64_t count, size_t size_bytes) except NULL:
    cdef void* memory = calloc(<size_t>count, size_bytes)
    if memory == NULL:
        raise MemoryError(f"no memory for {count} records of {size_bytes} bytes")
    return memory


cdef void publish_order(MdOrderAdd* message, uint32_t template_id, uint64_t order_id, int64_t price_ticks,
                        int64_t qty_lots,
                        int64_t ts_ns, uint32_t instrument_id, uint32_t side) noexcept nogil:
    """Write one of the four L3 messages; they have one layout."""
    message.block_length = BLOCK_MD_ORDER_ADD
    message.template_id = <uint16_t>template_id
    message.schema_id = SCHEMA_ID
    message.version = SCHEMA_VERSION
    message.order_id = order_id
    message.price_ticks = price_ticks
    message.qty_lots = qty_lots
    message.ts_ns = ts_ns
    message.instrument_id = instrument_id
    message.side = <uint8_t>side
    memset(message.pad, 0, sizeof(message.pad))
