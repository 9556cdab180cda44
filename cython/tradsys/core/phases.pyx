"""Phases: the commands that move an instrument through them, calls and their ends, price ranges (section 11)."""
cimport cython
from libc.stdint cimport INT64_MIN, uint16_t
from libc.string cimport memset

from tradsys.core.answers cimport command_done, operator_reason, refuse
from tradsys.core.auction cimport (
    Outcome, cancel_in_priority, find_outcome, lots_of, outcome_at, side_of_surplus, uncross)
from tradsys.core.events cimport EVENT_BYTES, EventHead, event_begin, event_header, number_command, write_accepted
from tradsys.core.hash cimport mix
from tradsys.core.ladder cimport ladder_best_price
from tradsys.core.order cimport SLOT_BITS, SLOT_NONE, Order
from tradsys.core.phase_table cimport is_auction, is_call, is_uncrossed, may_come_after
from tradsys.core.references cimport refs_add, refs_find, refs_tag
from tradsys.core.resting cimport key_market, rest_order
from tradsys.core.risk cimport room_for_positions
from tradsys.core.state cimport SPECIAL_RULES, Instrument, events_left, take_slot
from tradsys.core.validation cimport all_zero, enabled_sender_reason, instrument_defined, price_reason
from tradsys.wire.records cimport (
    CANCEL_REASON_CALL_BEGAN, EVENT_FLAGS_RESTS, INSTRUMENT_STATE_CANCEL_ONLY, INSTRUMENT_STATE_CLOSED,
    INSTRUMENT_STATE_CLOSING_AUCTION, INSTRUMENT_STATE_HALTED, INSTRUMENT_STATE_NAV_COLLECTION, INSTRUMENT_STATE_OPEN,
    INSTRUMENT_STATE_TRADE_AT_CLOSE, INSTRUMENT_STATE_VOLATILITY_AUCTION, ORDER_TYPE_MARKET,
    REJECT_REASON_BAD_DEFINITION, REJECT_REASON_BAD_QUANTITY, REJECT_REASON_BOOK_FULL,
    REJECT_REASON_DUPLICATE_CLIENT_REF, REJECT_REASON_NONE, REJECT_REASON_POSITIONS_FULL,
    REJECT_REASON_UNKNOWN_INSTRUMENT, SIDE_BUY, SIDE_SELL, TEMPLATE_AUCTION_INDICATIVE, TEMPLATE_AUCTION_TIMER,
    TEMPLATE_CALL_EXTENDED, TEMPLATE_ORDER_EXECUTED, TEMPLATE_PHASE_CHANGED, TEMPLATE_PUBLISH_NAV,
    TEMPLATE_SET_AUCTION_RULES, TEMPLATE_SET_INSTRUMENT_STATE, TEMPLATE_START_CALL, TIME_IN_FORCE_DAY,
    TIME_IN_FORCE_GTX, AuctionIndicative, CallExtended, CommandDone, OrderAccepted, OrderExecuted, PhaseChanged)

cdef extern from * nogil:
    """
    /* |price - reference| > floor(|reference| x range / 10000), exactly */
    static inline int tradsys_is_outside(int64_t price, int64_t reference, uint32_t range_bp)
    {
        __int128 distance = (__int128) price - reference, size = reference;
        if (distance < 0) distance = -distance;
        if (size < 0) size = -size;
        return distance > size * range_bp / 10000;
    }
    /* the price furthest from the reference that is not outside, in the direction of sign */
    static inline int64_t tradsys_edge(int64_t reference, uint32_t range_bp, int sign)
    {
        __int128 size = reference, edge;
        if (size < 0) size = -size;
        edge = reference + sign * (size * range_bp / 10000);
        return edge > INT64_MAX ? INT64_MAX : edge < INT64_MIN ? INT64_MIN : (int64_t) edge;
    }
    /* a time computed stays in [1, 2^63 - 1] */
    static inline int64_t tradsys_later(int64_t time, uint64_t duration)
    {
        __int128 sum = (__int128) time + duration;
        return sum < 1 ? 1 : sum > INT64_MAX ? INT64_MAX : (int64_t) sum;
    }
    """
    bint tradsys_is_outside(int64_t price, int64_t reference, uint32_t range_bp)
    int64_t tradsys_edge(int64_t reference, uint32_t range_bp, int sign)
    int64_t tradsys_later(int64_t time, uint64_t duration)

cdef enum:
    ROOM_SPARE = 8                      # events of a command beyond one an order
    RANGE_MAX = 10_000                  # basis points
    DURATION_MAX = 1_000_000_000_000_000_000
    CLOSED = INSTRUMENT_STATE_CLOSED
    OPEN = INSTRUMENT_STATE_OPEN
    VOLATILITY = INSTRUMENT_STATE_VOLATILITY_AUCTION
    CLOSING = INSTRUMENT_STATE_CLOSING_AUCTION
    AT_CLOSE = INSTRUMENT_STATE_TRADE_AT_CLOSE
    NAV = INSTRUMENT_STATE_NAV_COLLECTION


# --------------------------------------------------------------------------------------------------- price ranges

cdef int64_t key_in_range(const State* s, uint32_t instrument_id, const Ladder* other, int64_t limit_key) noexcept nogil:
    """The worst key up to `limit_key` whose price is in both ranges; below the best key when the best price is not."""
    cdef const Auction* auction = &s.auctions[instrument_id]
    cdef int64_t best_ticks = other.best_key ^ other.key_mask
    cdef int sign = -1 if other.key_mask else 1         # towards worse prices
    cdef int64_t key = limit_key
    if s.instruments[instrument_id].state != OPEN or other.best_key > limit_key:
        return limit_key
    if auction.dynamic_range_bp and auction.last_ticks != INT64_MIN:
        if tradsys_is_outside(best_ticks, auction.last_ticks, auction.dynamic_range_bp):
            return other.best_key - 1
        key = min(key, tradsys_edge(auction.last_ticks, auction.dynamic_range_bp, sign) ^ other.key_mask)
    if auction.static_range_bp and auction.auction_ticks != INT64_MIN:
        if tradsys_is_outside(best_ticks, auction.auction_ticks, auction.static_range_bp):
            return other.best_key - 1
        key = min(key, tradsys_edge(auction.auction_ticks, auction.static_range_bp, sign) ^ other.key_mask)
    return key


cdef bint room_for_a_call(State* s, uint32_t instrument_id) noexcept nogil:
    """Whether the buffer takes an event for each order of the instrument and a few more (11.17)."""
    cdef const Instrument* instrument = &s.instruments[instrument_id]
    return events_left(s) >= <int64_t> (instrument.sides[0].order_count + instrument.sides[1].order_count) + ROOM_SPARE


cdef int interrupt(State* s, const Command* c, uint32_t instrument_id, int64_t price_ticks) except -1 nogil:
    """Begin the volatility auction because a match at `price_ticks` was not made (11.15)."""
    cdef Auction* auction = &s.auctions[instrument_id]
    drop_plan(auction)
    auction.state_after = OPEN
    if auction.volatility_call_ns:
        auction.end_ns = tradsys_later(c.ts_ns, <uint64_t> auction.volatility_call_ns)
    s.instruments[instrument_id].state = VOLATILITY
    write_phase_changed(s, c, instrument_id, OPEN, price_ticks)
    return begin_call(s, c, instrument_id, OPEN)


cdef void note_last_price(State* s, uint32_t instrument_id, const uint8_t* first_event) noexcept nogil:
    """The price of the last match among the events from `first_event` on (11.13)."""
    cdef const uint8_t* event = s.cursor
    while event > first_event:
        event -= EVENT_BYTES
        if (<const EventHead*> event).header == event_header(TEMPLATE_ORDER_EXECUTED):
            s.auctions[instrument_id].last_ticks = (<const OrderExecuted*> event).price_ticks
            return


# --------------------------------------------------------------------------------------------------- commands

cdef uint8_t phase_command_reason(const State* s, uint32_t session_id, uint32_t instrument_id,
                                  bint padding_zero) noexcept nogil:
    """Sender, instrument, padding and permission, in this order."""
    cdef uint8_t reason = enabled_sender_reason(s, session_id)
    if reason == 0 and not instrument_defined(s, instrument_id):
        reason = REJECT_REASON_UNKNOWN_INSTRUMENT
    return reason if reason else operator_reason(s, session_id, padding_zero)


cdef int set_instrument_state(State* s, const SetInstrumentState* c) except -1 nogil:
    """Rules 7.3 and 11.2."""
    cdef const Command* command = <const Command*> c
    cdef CommandDone* done
    cdef uint32_t before
    cdef uint8_t reason = phase_command_reason(s, c.session_id, c.instrument_id, all_zero(c.pad, sizeof(c.pad)))
    if reason == 0 and not may_follow(s, c.instrument_id, c.state):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_SET_INSTRUMENT_STATE, reason, c.instrument_id, c.client_ref)
    if (s.auctions[c.instrument_id].called or is_call(c.state)) and not room_for_a_call(s, c.instrument_id):
        return 0
    number_command(s, command)
    before = s.instruments[c.instrument_id].state
    leave(s, command, c.instrument_id, c.state)
    if c.state != before or c.state == INSTRUMENT_STATE_HALTED:
        drop_plan(&s.auctions[c.instrument_id])
    done = command_done(s, command, TEMPLATE_SET_INSTRUMENT_STATE, c.client_ref)
    done.instrument_id = c.instrument_id
    done.state = c.state
    done.state_before = <uint8_t> before
    begin_call(s, command, c.instrument_id, before)
    return 1


cdef int set_auction_rules(State* s, const SetAuctionRules* c) except -1 nogil:
    """Rule 11.13."""
    cdef const Command* command = <const Command*> c
    cdef Auction* auction
    cdef uint8_t reason = phase_command_reason(
        s, c.session_id, c.instrument_id, all_zero(c.pad, sizeof(c.pad)) and all_zero(c.pad2, sizeof(c.pad2)))
    if reason == 0 and not rules_hold(&s.instruments[c.instrument_id], c):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_SET_AUCTION_RULES, reason, c.instrument_id, c.client_ref)
    number_command(s, command)
    auction = &s.auctions[c.instrument_id]
    auction.ruled = 1
    auction.dynamic_range_bp = c.dynamic_range_bp
    auction.static_range_bp = c.static_range_bp
    auction.extension_range_bp = c.extension_range_bp
    auction.volatility_call_ns = c.volatility_call_ns
    auction.random_ns = c.random_ns
    auction.extension_ns = c.extension_ns
    auction.extensions_max = c.extensions_max
    if c.reference_price_ticks != INT64_MIN:
        auction.last_ticks = c.reference_price_ticks
        auction.auction_ticks = c.reference_price_ticks
    s.instruments[c.instrument_id].special |= SPECIAL_RULES
    command_done(s, command, TEMPLATE_SET_AUCTION_RULES, c.client_ref).instrument_id = c.instrument_id
    return 1


cdef bint rules_hold(const Instrument* instrument, const SetAuctionRules* c) noexcept nogil:
    """The numbers of rule 11.13."""
    if max(max(c.dynamic_range_bp, c.static_range_bp), c.extension_range_bp) > <uint32_t> RANGE_MAX:
        return False
    if min(min(c.volatility_call_ns, c.random_ns), c.extension_ns) < 0:
        return False
    if max(max(c.volatility_call_ns, c.random_ns), c.extension_ns) > <int64_t> DURATION_MAX:
        return False
    return c.reference_price_ticks == INT64_MIN or price_reason(instrument, c.reference_price_ticks) == 0


cdef int start_call(State* s, const StartCall* c) except -1 nogil:
    """Rule 11.10."""
    cdef const Command* command = <const Command*> c
    cdef Auction* auction
    cdef CommandDone* done
    cdef uint32_t before
    cdef uint8_t reason = phase_command_reason(s, c.session_id, c.instrument_id, all_zero(c.pad, sizeof(c.pad)))
    if reason == 0 and not call_holds(&s.instruments[c.instrument_id], c):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_START_CALL, reason, c.instrument_id, c.client_ref)
    if not room_for_a_call(s, c.instrument_id):
        return 0
    number_command(s, command)
    before = s.instruments[c.instrument_id].state
    s.instruments[c.instrument_id].state = c.state
    auction = &s.auctions[c.instrument_id]
    drop_plan(auction)
    auction.end_ns = c.end_ts_ns
    auction.state_after = c.state_after
    done = command_done(s, command, TEMPLATE_START_CALL, c.client_ref)
    done.instrument_id = c.instrument_id
    done.state = c.state
    done.state_before = <uint8_t> before
    begin_call(s, command, c.instrument_id, before)
    return 1


cdef bint call_holds(const Instrument* instrument, const StartCall* c) noexcept nogil:
    if not may_come_after(instrument.state, c.state) or not is_auction(c.state) or c.end_ts_ns < 1:
        return False
    return may_come_after(c.state, c.state_after) and (is_uncrossed(c.state_after) or c.state_after == CLOSED)


cdef int auction_timer(State* s, const AuctionTimer* c) except -1 nogil:
    """Rule 11.11."""
    cdef const Command* command = <const Command*> c
    cdef uint8_t reason = phase_command_reason(s, c.session_id, c.instrument_id, all_zero(c.pad, sizeof(c.pad)))
    if reason:
        return refuse(s, command, TEMPLATE_AUCTION_TIMER, reason, c.instrument_id, c.client_ref)
    if not room_for_a_call(s, c.instrument_id):
        return 0
    number_command(s, command)
    if is_auction(s.instruments[c.instrument_id].state):
        tick(s, command, c.instrument_id)
    elif s.instruments[c.instrument_id].state == INSTRUMENT_STATE_HALTED:
        end_halt(s, command, c.instrument_id)
    command_done(s, command, TEMPLATE_AUCTION_TIMER, c.client_ref).instrument_id = c.instrument_id
    return 1


cdef int end_halt(State* s, const Command* c, uint32_t instrument_id) except -1 nogil:
    """What a timer does to a halt with a planned end (13.14)."""
    cdef Auction* auction = &s.auctions[instrument_id]
    cdef uint32_t after = auction.state_after
    cdef int64_t reopen_ns = s.venue.breakers[instrument_id].reopen_call_ns
    if auction.end_ns == 0 or c.ts_ns < auction.end_ns:
        return 0
    drop_plan(auction)
    if reopen_ns and is_uncrossed(after):
        leave(s, c, instrument_id, VOLATILITY)
        auction.state_after = <uint8_t> after
        auction.end_ns = tradsys_later(c.ts_ns, <uint64_t> reopen_ns)
    else:
        leave(s, c, instrument_id, after)
        if reopen_ns and is_auction(after):
            auction.state_after = CLOSED if after == CLOSING else OPEN
            auction.end_ns = tradsys_later(c.ts_ns, <uint64_t> reopen_ns)
    write_phase_changed(s, c, instrument_id, INSTRUMENT_STATE_HALTED, INT64_MIN)
    return begin_call(s, c, instrument_id, INSTRUMENT_STATE_HALTED)


cdef int tick(State* s, const Command* c, uint32_t instrument_id) except -1 nogil:
    """Tell what the auction would come to, extend its call or end it."""
    cdef Auction* auction = &s.auctions[instrument_id]
    cdef Outcome found
    cdef uint32_t before
    if auction.end_ns and auction.due_ns == 0 and c.ts_ns >= auction.end_ns:
        auction.due_ns = tradsys_later(auction.end_ns, delay(s, instrument_id))
    find_outcome(s, instrument_id, auction.last_ticks, &found)
    if auction.due_ns == 0 or c.ts_ns < auction.due_ns:
        write_indicative(s, c, instrument_id, &found)
        return 0
    if is_to_be_extended(auction, &found):
        auction.end_ns = tradsys_later(auction.due_ns, <uint64_t> auction.extension_ns)
        auction.due_ns = 0
        auction.extensions += 1
        write_extended(s, c, instrument_id, &found)
        return 0
    before = s.instruments[instrument_id].state
    leave(s, c, instrument_id, auction.state_after)
    drop_plan(auction)
    write_phase_changed(s, c, instrument_id, before, INT64_MIN)
    return 0


@cython.overflowcheck(False)
cdef uint64_t delay(const State* s, uint32_t instrument_id) noexcept nogil:
    """How much later than planned a call ends, ns: a hash of journaled state that nobody knows before the end."""
    cdef uint64_t h = <uint64_t> 0x9E3779B97F4A7C15
    h = mix(h, s.last_event_seq)
    h = mix(h, instrument_id)
    h = mix(h, <uint64_t> s.auctions[instrument_id].end_ns)
    return h % (<uint64_t> s.auctions[instrument_id].random_ns + 1)


cdef bint is_to_be_extended(const Auction* auction, const Outcome* found) noexcept nogil:
    """Rule 11.14."""
    if found.price_ticks == INT64_MIN or auction.extensions >= auction.extensions_max:
        return False
    if auction.extension_range_bp == 0 or auction.auction_ticks == INT64_MIN:
        return False
    return tradsys_is_outside(found.price_ticks, auction.auction_ticks, auction.extension_range_bp)


cdef int publish_nav(State* s, const PublishNav* c) except -1 nogil:
    """Rule 11.16."""
    cdef const Command* command = <const Command*> c
    cdef Outcome found
    cdef uint8_t reason = phase_command_reason(s, c.session_id, c.instrument_id, True)
    if reason == 0:
        reason = nav_reason(s, c)
    if reason:
        return refuse(s, command, TEMPLATE_PUBLISH_NAV, reason, c.instrument_id, c.client_ref)
    if not room_for_a_call(s, c.instrument_id):
        return 0
    outcome_at(s, c.instrument_id, c.price_ticks, &found)
    if found.surplus_lots and not room_for_positions(s, c.issuer_session_id, 0, c.instrument_id):
        return refuse(s, command, TEMPLATE_PUBLISH_NAV, REJECT_REASON_POSITIONS_FULL, c.instrument_id, c.client_ref)
    number_command(s, command)
    command_done(s, command, TEMPLATE_PUBLISH_NAV, c.client_ref).instrument_id = c.instrument_id
    if found.surplus_lots:
        enter_for_issuer(s, c, found.surplus_lots)
        outcome_at(s, c.instrument_id, c.price_ticks, &found)
    uncross(s, command, c.instrument_id, &found, NAV)
    s.auctions[c.instrument_id].called = s.instruments[c.instrument_id].state == NAV
    return 1


cdef uint8_t nav_reason(const State* s, const PublishNav* c) noexcept nogil:
    cdef const Instrument* instrument = &s.instruments[c.instrument_id]
    cdef Outcome found
    if instrument.state != NAV and instrument.state != CLOSED and instrument.state != INSTRUMENT_STATE_CANCEL_ONLY:
        return REJECT_REASON_BAD_DEFINITION
    if (not s.auctions[c.instrument_id].called or price_reason(instrument, c.price_ticks)):
        return REJECT_REASON_BAD_DEFINITION
    if c.issuer_session_id < 1 or c.issuer_session_id >= s.sessions_max or s.sessions[c.issuer_session_id].gate == 0:
        return REJECT_REASON_BAD_DEFINITION
    outcome_at(<State*> s, c.instrument_id, c.price_ticks, &found)
    if found.surplus_lots == 0:
        return REJECT_REASON_NONE
    if lots_of(found.surplus_lots) > instrument.qty_max_lots:
        return REJECT_REASON_BAD_QUANTITY
    if refs_find(&s.refs, s.orders, refs_tag(&s.refs, c.issuer_session_id, c.client_ref), c.issuer_session_id,
                 c.client_ref):
        return REJECT_REASON_DUPLICATE_CLIENT_REF
    if s.free_slot == SLOT_NONE and s.slots_used == s.orders_max:
        return REJECT_REASON_BOOK_FULL
    return REJECT_REASON_NONE


cdef int enter_for_issuer(State* s, const PublishNav* c, int64_t surplus_lots) except -1 nogil:
    """The market order that takes what buyers and sellers of a fund do not take of each other."""
    cdef const Command* command = <const Command*> c
    cdef uint32_t slot = take_slot(s), side = SIDE_SELL if surplus_lots > 0 else SIDE_BUY
    cdef Order* order = &s.orders[slot]
    s.order_serial += 1
    memset(order, 0, sizeof(Order))
    order.order_id = s.order_serial << SLOT_BITS | slot
    order.leaves_lots = lots_of(surplus_lots)
    order.session_id = c.issuer_session_id
    order.client_ref = c.client_ref
    order.qty_lots = order.leaves_lots
    order.ref_tag = refs_tag(&s.refs, c.issuer_session_id, c.client_ref)
    order.instrument_id = <uint16_t> c.instrument_id
    order.traits = (<uint32_t> s.sessions[c.issuer_session_id].stp_mode << 24 | <uint32_t> TIME_IN_FORCE_DAY << 16
                    | <uint32_t> ORDER_TYPE_MARKET << 8 | side)
    refs_add(&s.refs, order.ref_tag, slot)
    write_accepted(s, command, order, 0, EVENT_FLAGS_RESTS)
    if c.session_id != c.issuer_session_id:
        (<OrderAccepted*> (s.cursor - EVENT_BYTES)).client_seq = 0
    return rest_order(s, order, 0)


# --------------------------------------------------------------------------------------------------- from phase to phase

cdef bint may_follow(State* s, uint32_t instrument_id, uint32_t state) noexcept nogil:
    """Rule 11.2."""
    cdef uint32_t before = s.instruments[instrument_id].state
    cdef Outcome found
    if not may_come_after(before, state):
        return False
    if state != AT_CLOSE:
        return True
    if before != CLOSING:
        return s.auctions[instrument_id].closing_ticks != INT64_MIN
    find_outcome(s, instrument_id, s.auctions[instrument_id].last_ticks, &found)
    return found.price_ticks != INT64_MIN or s.auctions[instrument_id].last_ticks != INT64_MIN


cdef void drop_plan(Auction* auction) noexcept nogil:
    """The call has no planned end any more."""
    auction.end_ns = auction.due_ns = 0
    auction.state_after = auction.extensions = 0


cdef int leave(State* s, const Command* c, uint32_t instrument_id, uint32_t state) except -1 nogil:
    """Uncross where 11.5 says so and take the state; CLOSED for TRADE_AT_CLOSE without a closing price (11.12)."""
    cdef Instrument* instrument = &s.instruments[instrument_id]
    cdef Auction* auction = &s.auctions[instrument_id]
    cdef uint32_t before = instrument.state
    cdef Outcome found
    cdef bint ends = is_uncrossed(state) or (state == CLOSED and is_auction(before))
    if not auction.called or not ends:
        instrument.state = <uint8_t> state
        return 0
    find_outcome(s, instrument_id, auction.last_ticks, &found)
    if before == CLOSING:
        auction.closing_ticks = found.price_ticks if found.price_ticks != INT64_MIN else auction.last_ticks
        if state == AT_CLOSE and auction.closing_ticks == INT64_MIN:
            state = CLOSED
    uncross(s, c, instrument_id, &found, before)
    instrument.state = <uint8_t> state
    return 0


cdef int begin_call(State* s, const Command* c, uint32_t instrument_id, uint32_t before) except -1 nogil:
    """What a call state brings (11.5, 11.9)."""
    if not is_call(s.instruments[instrument_id].state):
        return 0
    s.auctions[instrument_id].called = 1
    if is_call(before):
        return 0
    return cancel_in_priority(s, c, instrument_id, 1 << TIME_IN_FORCE_GTX, False, CANCEL_REASON_CALL_BEGAN)


# --------------------------------------------------------------------------------------------------- events

cdef void write_phase_changed(State* s, const Command* c, uint32_t instrument_id, uint32_t before,
                              int64_t price_ticks) noexcept nogil:
    cdef PhaseChanged* e = <PhaseChanged*> event_begin(s, TEMPLATE_PHASE_CHANGED, c.ts_ns)
    memset(&e.price_ticks, 0, sizeof(PhaseChanged) - 32)
    e.price_ticks = price_ticks
    e.end_ts_ns = s.auctions[instrument_id].end_ns
    e.instrument_id = instrument_id
    e.state = s.instruments[instrument_id].state
    e.state_before = <uint8_t> before


cdef void write_indicative(State* s, const Command* c, uint32_t instrument_id, const Outcome* found) noexcept nogil:
    cdef AuctionIndicative* e = <AuctionIndicative*> event_begin(s, TEMPLATE_AUCTION_INDICATIVE, c.ts_ns)
    memset(&e.price_ticks, 0, sizeof(AuctionIndicative) - 32)
    e.price_ticks = found.price_ticks
    e.qty_lots = found.volume_lots
    e.surplus_lots = lots_of(found.surplus_lots)
    e.reference_price_ticks = s.auctions[instrument_id].last_ticks
    e.end_ts_ns = s.auctions[instrument_id].end_ns
    e.instrument_id = instrument_id
    e.state = s.instruments[instrument_id].state
    e.surplus_side = <uint8_t> side_of_surplus(found.surplus_lots)


cdef void write_extended(State* s, const Command* c, uint32_t instrument_id, const Outcome* found) noexcept nogil:
    cdef CallExtended* e = <CallExtended*> event_begin(s, TEMPLATE_CALL_EXTENDED, c.ts_ns)
    memset(&e.price_ticks, 0, sizeof(CallExtended) - 32)
    e.price_ticks = found.price_ticks
    e.reference_price_ticks = s.auctions[instrument_id].auction_ticks
    e.end_ts_ns = s.auctions[instrument_id].end_ns
    e.instrument_id = instrument_id
    e.state = s.instruments[instrument_id].state
    e.extension_count = s.auctions[instrument_id].extensions


# --------------------------------------------------------------------------------------------------- state

cdef void auction_init(Auction* auction, uint32_t instrument_id) noexcept nogil:
    memset(auction, 0, sizeof(Auction))
    auction.instrument_id = instrument_id
    auction.last_ticks = auction.auction_ticks = auction.closing_ticks = INT64_MIN


cdef bint auction_is_bare(const Auction* auction) noexcept nogil:
    """Whether an instrument's record is as `auction_init` leaves it."""
    return (auction.last_ticks & auction.auction_ticks & auction.closing_ticks) == INT64_MIN and (
        auction.last_ticks | auction.auction_ticks | auction.closing_ticks) == INT64_MIN and (
        auction.end_ns | auction.due_ns | auction.volatility_call_ns | auction.random_ns | auction.extension_ns
        | auction.dynamic_range_bp | auction.static_range_bp | auction.extension_range_bp | auction.called
        | auction.ruled | auction.state_after | auction.extensions | auction.extensions_max) == 0


cdef uint64_t hash_auction(const State* s, uint64_t h, uint32_t instrument_id) noexcept nogil:
    """Rule 8.6."""
    cdef const Auction* auction = &s.auctions[instrument_id]
    if auction_is_bare(auction):
        return h
    h = mix(h, 0x11)
    h = mix(h, auction.called)
    h = mix(h, auction.ruled)
    h = mix(h, <uint64_t> auction.last_ticks)
    h = mix(h, <uint64_t> auction.auction_ticks)
    h = mix(h, <uint64_t> auction.closing_ticks)
    h = mix(h, <uint64_t> auction.end_ns)
    h = mix(h, <uint64_t> auction.due_ns)
    h = mix(h, auction.state_after)
    h = mix(h, auction.extensions)
    h = mix(h, auction.extensions_max)
    h = mix(h, auction.dynamic_range_bp)
    h = mix(h, auction.static_range_bp)
    h = mix(h, auction.extension_range_bp)
    h = mix(h, <uint64_t> auction.volatility_call_ns)
    h = mix(h, <uint64_t> auction.random_ns)
    return mix(h, <uint64_t> auction.extension_ns)


cdef int check_auction(State* s, uint32_t instrument_id) except -1:
    """A book that is not called is not crossed and holds no market order; a book in a call state is called."""
    cdef Instrument* instrument = &s.instruments[instrument_id]
    cdef const Auction* auction = &s.auctions[instrument_id]
    if auction.instrument_id != instrument_id:
        raise AssertionError(f"instrument {instrument_id} has the phases of instrument {auction.instrument_id}")
    if (instrument.special & SPECIAL_RULES != 0) != auction.ruled:
        raise AssertionError(f"instrument {instrument_id} does not know whether its rules were set")
    if auction.called:
        if is_uncrossed(instrument.state):
            raise AssertionError(f"the book of instrument {instrument_id} is called in state {instrument.state}")
        return 0
    if is_call(instrument.state):
        raise AssertionError(f"the book of instrument {instrument_id} is not called in state {instrument.state}")
    if instrument.sides[0].order_count and instrument.sides[1].order_count:
        if ladder_best_price(&instrument.sides[0]) >= ladder_best_price(&instrument.sides[1]):
            raise AssertionError(f"the book of instrument {instrument_id} is crossed")
    for side in range(2):
        if instrument.sides[side].best_key == key_market():
            raise AssertionError(f"a market order rests on the book of instrument {instrument_id}")
    return 0
