"""The auction of one instrument: its price, its matches and what is cancelled behind them.

The greatest volume is found by pairing the levels of both sides from the best on. The prices at which it can be had are
those from the sell level where it was reached to the buy level where it was reached; of the limits between them only a
few can have the smallest surplus, and they are compared by counting demand and supply at each.
"""
from libc.stdint cimport INT64_MAX, uint8_t
from libc.string cimport memset

from tradsys.core.events cimport event_begin
from tradsys.core.ladder cimport Ladder, ladder_next_level, level_at, level_price
from tradsys.core.order cimport SLOT_NONE, Order, slot_of
from tradsys.core.prefetch cimport prefetch
from tradsys.core.references cimport refs_home
from tradsys.core.resting cimport cancel_resting, unrest_order
from tradsys.core.state cimport Auction, Instrument, give_slot, next_report_seq
from tradsys.core.terms cimport Terms
from tradsys.wire.records cimport (
    CANCEL_REASON_AUCTION_REMAINDER, EVENT_FLAGS_AUCTION, EVENT_FLAGS_INCOMING_HIDDEN, EVENT_FLAGS_UNSOLICITED,
    ORDER_FLAGS_COMPLEX, ORDER_FLAGS_HIDDEN, ORDER_TYPE_MARKET, SIDE_BUY,
    TEMPLATE_AUCTION_UNCROSSED, TEMPLATE_ORDER_EXECUTED, TIME_IN_FORCE_AT_CLOSE, TIME_IN_FORCE_AT_OPEN,
    TIME_IN_FORCE_GOOD_FOR_AUCTION, AuctionUncrossed, OrderExecuted)

cdef enum:
    FINALISTS_MAX = 7

cdef struct Finalists:                  # prices that may be the auction's
    int count
    int64_t price_ticks[FINALISTS_MAX]
    int64_t demand_lots[FINALISTS_MAX]
    int64_t supply_lots[FINALISTS_MAX]


# --------------------------------------------------------------------------------------------------- the price

cdef inline bint is_limit(int64_t price_ticks) noexcept nogil:
    """Whether a level's price is a limit, not the place of market orders."""
    return price_ticks != INT64_MIN and price_ticks != INT64_MAX


cdef inline void add_finalist(Finalists* finalists, int64_t price_ticks) noexcept nogil:
    if is_limit(price_ticks):
        finalists.price_ticks[finalists.count] = price_ticks
        finalists.count += 1


cdef void add_level(State* s, Ladder* ladder, uint32_t level, Finalists* finalists) noexcept nogil:
    if level:
        add_finalist(finalists, level_price(&s.levels, ladder, level))


cdef uint32_t first_limit(State* s, Ladder* ladder) noexcept nogil:
    """Best level with a limit, 0: none."""
    cdef uint32_t level = ladder.best_level
    if level and not is_limit(level_price(&s.levels, ladder, level)):
        level = ladder_next_level(&s.levels, level)
    return level


cdef bint meet(State* s, Instrument* instrument, Finalists* finalists) noexcept nogil:
    """Pair both sides from the best on and name the levels where they part; False: nothing matches."""
    cdef Ladder* bids = &instrument.sides[0]
    cdef Ladder* asks = &instrument.sides[1]
    cdef uint32_t bid = bids.best_level, ask = asks.best_level, last_bid = 0, last_ask = 0
    cdef int64_t bid_lots = level_at(&s.levels, bid).qty_lots if bid else 0
    cdef int64_t ask_lots = level_at(&s.levels, ask).qty_lots if ask else 0
    cdef int64_t lots
    while bid and ask and level_price(&s.levels, bids, bid) >= level_price(&s.levels, asks, ask):
        lots = bid_lots if bid_lots < ask_lots else ask_lots
        bid_lots -= lots
        ask_lots -= lots
        last_bid = bid
        last_ask = ask
        if bid_lots == 0:
            bid = ladder_next_level(&s.levels, bid)
            bid_lots = level_at(&s.levels, bid).qty_lots if bid else 0
        if ask_lots == 0:
            ask = ladder_next_level(&s.levels, ask)
            ask_lots = level_at(&s.levels, ask).qty_lots if ask else 0
    if last_bid == 0:
        return False
    add_level(s, bids, last_bid, finalists)
    add_level(s, asks, last_ask, finalists)
    add_level(s, bids, ladder_next_level(&s.levels, last_bid), finalists)
    add_level(s, asks, ladder_next_level(&s.levels, last_ask), finalists)
    add_level(s, bids, first_limit(s, bids), finalists)
    add_level(s, asks, first_limit(s, asks), finalists)
    return True


cdef void count_lots(State* s, Instrument* instrument, Finalists* finalists) noexcept nogil:
    """Demand and supply at each finalist."""
    cdef int i
    cdef int64_t price, lowest = INT64_MAX, highest = INT64_MIN
    cdef uint32_t level = instrument.sides[0].best_level
    for i in range(finalists.count):
        finalists.demand_lots[i] = finalists.supply_lots[i] = 0
        lowest = min(lowest, finalists.price_ticks[i])
        highest = max(highest, finalists.price_ticks[i])
    while level:
        price = level_price(&s.levels, &instrument.sides[0], level)
        if price < lowest:
            break
        for i in range(finalists.count):
            if price >= finalists.price_ticks[i]:
                finalists.demand_lots[i] += level_at(&s.levels, level).qty_lots
        level = ladder_next_level(&s.levels, level)
    level = instrument.sides[1].best_level
    while level:
        price = level_price(&s.levels, &instrument.sides[1], level)
        if price > highest:
            break
        for i in range(finalists.count):
            if price <= finalists.price_ticks[i]:
                finalists.supply_lots[i] += level_at(&s.levels, level).qty_lots
        level = ladder_next_level(&s.levels, level)


cdef inline int64_t volume_of(const Finalists* finalists, int i) noexcept nogil:
    return min(finalists.demand_lots[i], finalists.supply_lots[i])


cdef int64_t choose_price(const Finalists* finalists, int64_t reference_ticks) noexcept nogil:
    """Greatest volume, smallest surplus, side of the surplus, reference price; INT64_MIN: nothing matches."""
    cdef int64_t volume = 0, surplus = INT64_MAX, lowest = INT64_MAX, highest = INT64_MIN
    cdef int64_t low = INT64_MIN, high = INT64_MAX, price
    cdef int i
    for i in range(finalists.count):
        volume = max(volume, volume_of(finalists, i))
    if volume == 0:
        return INT64_MIN
    for i in range(finalists.count):
        if volume_of(finalists, i) == volume:
            surplus = min(surplus, lots_of(finalists.demand_lots[i] - finalists.supply_lots[i]))
    for i in range(finalists.count):
        if volume_of(finalists, i) != volume or (
                lots_of(finalists.demand_lots[i] - finalists.supply_lots[i]) != surplus):
            continue
        price = finalists.price_ticks[i]
        lowest = min(lowest, price)
        highest = max(highest, price)
        if finalists.demand_lots[i] > finalists.supply_lots[i]:
            low = max(low, price)
        elif finalists.demand_lots[i] < finalists.supply_lots[i]:
            high = min(high, price)
    # with a surplus of buys at all of them `low` is the highest, with one of sells `high` the lowest, and nothing lies
    # between; else the reference price does, moved inside
    if low == INT64_MIN:
        low = lowest
    if high == INT64_MAX:
        high = highest
    return min(max(reference_ticks, low), high)


cdef void find_outcome(State* s, uint32_t instrument_id, int64_t reference_ticks, Outcome* found) noexcept nogil:
    """Rule 11.6."""
    cdef Instrument* instrument = &s.instruments[instrument_id]
    cdef Finalists finalists
    finalists.count = 0
    found.price_ticks = INT64_MIN
    found.volume_lots = found.surplus_lots = 0
    if not meet(s, instrument, &finalists):
        return
    add_finalist(&finalists, reference_ticks)
    count_lots(s, instrument, &finalists)
    found.price_ticks = choose_price(&finalists, reference_ticks)
    if found.price_ticks != INT64_MIN:
        outcome_at(s, instrument_id, found.price_ticks, found)


cdef void outcome_at(State* s, uint32_t instrument_id, int64_t price_ticks, Outcome* found) noexcept nogil:
    """What an uncross at a price comes to."""
    cdef Finalists finalists
    finalists.count = 1
    finalists.price_ticks[0] = price_ticks
    count_lots(s, &s.instruments[instrument_id], &finalists)
    found.price_ticks = price_ticks
    found.volume_lots = volume_of(&finalists, 0)
    found.surplus_lots = finalists.demand_lots[0] - finalists.supply_lots[0]


# --------------------------------------------------------------------------------------------------- the uncross

cdef int uncross(State* s, const Command* c, uint32_t instrument_id, const Outcome* found,
                 uint32_t phase) except -1 nogil:
    """Rules 11.7 and 11.8."""
    cdef Auction* auction = &s.auctions[instrument_id]
    cdef uint32_t for_it_alone = (1 << TIME_IN_FORCE_AT_OPEN | 1 << TIME_IN_FORCE_AT_CLOSE
                                  | 1 << TIME_IN_FORCE_GOOD_FOR_AUCTION)
    write_uncrossed(s, c, instrument_id, found, phase)
    auction.called = 0
    match_all(s, c, &s.instruments[instrument_id], found.price_ticks, found.volume_lots)
    if found.volume_lots:
        auction.last_ticks = found.price_ticks
        auction.auction_ticks = found.price_ticks
    return cancel_in_priority(s, c, instrument_id, for_it_alone, True, CANCEL_REASON_AUCTION_REMAINDER)


cdef inline Order* first_order(State* s, Ladder* ladder) noexcept nogil:
    """The order that matches next; asks for the one behind it and what ending it will touch."""
    cdef uint32_t slot = level_at(&s.levels, ladder.best_level).head_slot
    cdef Order* order = &s.orders[slot]
    cdef const Order* behind = &s.orders[order.next_slot if order.next_slot != SLOT_NONE else slot]
    prefetch(&s.refs.lines[refs_home(&s.refs, behind.ref_tag)])
    prefetch(&s.orders[behind.next_slot if behind.next_slot != SLOT_NONE else slot])
    return order


cdef int match_all(State* s, const Command* c, Instrument* instrument, int64_t price_ticks,
                   int64_t volume_lots) except -1 nogil:
    """Match `volume_lots` lots at one price, the first of each side with each other."""
    cdef Ladder* bids = &instrument.sides[0]
    cdef Ladder* asks = &instrument.sides[1]
    cdef int64_t left = volume_lots, lots
    cdef Order* buy
    cdef Order* sell
    while left > 0:
        buy = first_order(s, bids)
        sell = first_order(s, asks)
        lots = min(buy.leaves_lots, sell.leaves_lots)
        assert 0 < lots <= left
        left -= lots
        buy.leaves_lots -= lots
        sell.leaves_lots -= lots
        level_at(&s.levels, bids.best_level).qty_lots -= lots
        level_at(&s.levels, asks.best_level).qty_lots -= lots
        show_less(s, buy)
        show_less(s, sell)
        write_auction_match(s, c, sell, buy, price_ticks, lots)
        if sell.leaves_lots == 0:
            unrest_order(s, sell)
            give_slot(s, sell, slot_of(sell.order_id))
        if buy.leaves_lots == 0:
            unrest_order(s, buy)
            give_slot(s, buy, slot_of(buy.order_id))
    return 0


cdef inline void show_less(State* s, const Order* order) noexcept nogil:
    """What an iceberg shows is at most what is left (9.26)."""
    cdef Terms* terms
    if order.order_flags & ORDER_FLAGS_COMPLEX:
        terms = &s.terms[slot_of(order.order_id)]
        terms.shown_lots = min(terms.shown_lots, order.leaves_lots)     # 0 stays 0: no iceberg


cdef int cancel_in_priority(State* s, const Command* c, uint32_t instrument_id, uint32_t times, bint markets,
                            uint32_t cancel_reason) except -1 nogil:
    """Cancel what has one of the times in force, and market orders if asked for."""
    cdef uint32_t side, level, next_level, slot, next_slot
    cdef Order* order
    for side in range(2):
        level = s.instruments[instrument_id].sides[side].best_level
        while level:
            next_level = ladder_next_level(&s.levels, level)
            slot = level_at(&s.levels, level).head_slot
            while slot != SLOT_NONE:
                order = &s.orders[slot]
                next_slot = order.next_slot
                prefetch(&s.orders[next_slot if next_slot != SLOT_NONE else slot])
                if times >> (order.traits >> 16 & 0xFF) & 1 or (
                        markets and (order.traits >> 8 & 0xFF) == ORDER_TYPE_MARKET):
                    cancel_resting(s, c, order, cancel_reason, EVENT_FLAGS_UNSOLICITED)
                slot = next_slot
            level = next_level
    return 0


# --------------------------------------------------------------------------------------------------- events

cdef void write_uncrossed(State* s, const Command* c, uint32_t instrument_id, const Outcome* found,
                          uint32_t phase) noexcept nogil:
    cdef AuctionUncrossed* e = <AuctionUncrossed*> event_begin(s, TEMPLATE_AUCTION_UNCROSSED, c.ts_ns)
    memset(&e.price_ticks, 0, sizeof(AuctionUncrossed) - 32)
    e.price_ticks = found.price_ticks
    e.qty_lots = found.volume_lots
    e.surplus_lots = lots_of(found.surplus_lots)
    e.reference_price_ticks = s.auctions[instrument_id].last_ticks
    e.instrument_id = instrument_id
    e.state = <uint8_t> phase
    e.surplus_side = <uint8_t> side_of_surplus(found.surplus_lots)


cdef inline void write_auction_match(State* s, const Command* c, const Order* sell, const Order* buy, int64_t price_ticks,
                                     int64_t qty_lots) noexcept nogil:
    """A match of an uncross; both orders' leaves are already those behind it."""
    cdef OrderExecuted* e = <OrderExecuted*> event_begin(s, TEMPLATE_ORDER_EXECUTED, c.ts_ns)
    e.resting_order_id = sell.order_id
    e.resting_client_ref = sell.client_ref
    e.price_ticks = price_ticks
    e.qty_lots = qty_lots
    e.resting_leaves_lots = sell.leaves_lots
    e.instrument_id = sell.instrument_id
    e.resting_session_id = sell.session_id
    e.resting_account_id = sell.account_id
    e.resting_report_seq = next_report_seq(s, sell.session_id)
    e.incoming_order_id = buy.order_id
    e.incoming_client_ref = buy.client_ref
    e.incoming_leaves_lots = buy.leaves_lots
    e.incoming_session_id = buy.session_id
    e.incoming_account_id = buy.account_id
    e.incoming_report_seq = next_report_seq(s, buy.session_id)
    e.incoming_side = SIDE_BUY
    e.resting_hidden = sell.order_flags & ORDER_FLAGS_HIDDEN != 0
    e.event_flags = EVENT_FLAGS_AUCTION
    if buy.order_flags & ORDER_FLAGS_HIDDEN:
        e.event_flags |= EVENT_FLAGS_INCOMING_HIDDEN
