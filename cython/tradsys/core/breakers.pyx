"""Circuit breakers: prices that stop trading in an instrument or in a group of them (rules 13.9 to 13.14)."""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, uint8_t, uint32_t
from libc.string cimport memset

from tradsys.core.answers cimport command_done, operator_reason, refuse
from tradsys.core.events cimport Command, event_begin, number_command
from tradsys.core.phase_table cimport is_call
from tradsys.core.phases cimport begin_call, drop_plan, write_phase_changed
from tradsys.core.state cimport Auction
from tradsys.core.validation cimport all_zero, enabled_sender_reason, instrument_defined
from tradsys.core.venue_state cimport WINDOW_SLICES, Breaker, BreakerRule, empty_window, make_breaker
from tradsys.wire.records cimport (
    BREAKER_ACTION_CLOSE, BREAKER_ACTION_HALT, BREAKER_ACTION_VOLATILITY_AUCTION, BREAKER_LEVEL_LEVEL_1,
    BREAKER_LEVEL_LEVEL_3, BREAKER_LEVEL_VELOCITY, BREAKER_SIDE_BOTH, BREAKER_SIDE_DOWN, BREAKER_SIDE_UP,
    EVENT_FLAGS_AUCTION, INSTRUMENT_STATE_CLOSED, INSTRUMENT_STATE_HALTED, INSTRUMENT_STATE_OPEN,
    INSTRUMENT_STATE_POST_ONLY, INSTRUMENT_STATE_TRADE_AT_CLOSE, INSTRUMENT_STATE_VOLATILITY_AUCTION,
    REJECT_REASON_BAD_DEFINITION, REJECT_REASON_UNKNOWN_INSTRUMENT, TEMPLATE_BREAKER_TRIPPED, TEMPLATE_PUBLISH_INDEX,
    TEMPLATE_SET_BREAKER, TEMPLATE_SET_BREAKER_LEVEL, TEMPLATE_START_BREAKER_DAY, BreakerTripped)

cdef extern from * nogil:
    """
    /* |price - reference| is at least ppm millionths of |reference|, exactly */
    static inline int tradsys_has_moved(int64_t price, int64_t reference, uint32_t ppm)
    {
        __int128 moved = (__int128) price - reference, size = reference;
        if (moved < 0) moved = -moved;
        if (size < 0) size = -size;
        return moved * 1000000 >= size * ppm;
    }
    /* a time computed stays in [1, 2^63 - 1] */
    static inline int64_t tradsys_stop_end(int64_t time, int64_t duration)
    {
        __int128 sum = (__int128) time + duration;
        return sum < 1 ? 1 : sum > INT64_MAX ? INT64_MAX : (int64_t) sum;
    }
    """
    int64_t tradsys_stop_end(int64_t time, int64_t duration)
    bint tradsys_has_moved(int64_t price, int64_t reference, uint32_t ppm)

cdef enum:
    GROUPS = 64
    DURATION_MAX = 1_000_000_000_000_000_000
    SIZE_LIMIT = 0x1000000000000000
    PRICE_TICKS_MAX = 0x1000000000000000
    CLOSED = INSTRUMENT_STATE_CLOSED
    OPEN = INSTRUMENT_STATE_OPEN
    HALTED = INSTRUMENT_STATE_HALTED
    VELOCITY = BREAKER_LEVEL_VELOCITY


# --------------------------------------------------------------------------------------------------- prices

cdef inline bint is_quiet(const Breaker* breaker, const BreakerRule* rule, int64_t ts_ns) noexcept nogil:
    """Whether it is too late in the day for the rule to trip."""
    return rule.action != BREAKER_ACTION_CLOSE and breaker.quiet_from_ns != 0 and ts_ns >= breaker.quiet_from_ns


cdef uint32_t level_reached(const Breaker* breaker, int64_t price_ticks, int64_t ts_ns) noexcept nogil:
    """The highest level a price trips, or 0 (13.12)."""
    cdef const BreakerRule* rule
    cdef uint32_t level = BREAKER_LEVEL_LEVEL_3
    if breaker.reference_ticks == INT64_MIN:
        return 0
    while level > breaker.tripped:
        rule = &breaker.rules[level - 1]
        if rule.distance_ppm and not is_quiet(breaker, rule, ts_ns) and (
                tradsys_has_moved(price_ticks, breaker.reference_ticks, rule.distance_ppm)):
            if (price_ticks < breaker.reference_ticks and rule.side & BREAKER_SIDE_DOWN) or (
                    price_ticks > breaker.reference_ticks and rule.side & BREAKER_SIDE_UP):
                return level
        level -= 1
    return 0


@cython.overflowcheck(False)
cdef int64_t furthest_in_window(Breaker* breaker, int64_t price_ticks, int64_t ts_ns) noexcept nogil:
    """Take a price into the window; the price it is too far from, INT64_MIN: there is none (13.12)."""
    cdef const BreakerRule* rule = &breaker.rules[<int> VELOCITY - 1]
    cdef int64_t slice_ns, number, low = INT64_MAX, high = INT64_MIN
    cdef int i
    if rule.distance_ticks == 0:
        return INT64_MIN
    slice_ns = (rule.window_ns + WINDOW_SLICES - 1) // WINDOW_SLICES
    number = (ts_ns if ts_ns > 0 else 0) // slice_ns
    if breaker.slice_number < 0 or number - breaker.slice_number >= WINDOW_SLICES:
        empty_window(breaker)
        breaker.slice_number = number
    while breaker.slice_number < number:
        breaker.slice_number += 1
        breaker.low_ticks[breaker.slice_number % WINDOW_SLICES] = INT64_MAX
        breaker.high_ticks[breaker.slice_number % WINDOW_SLICES] = INT64_MIN
    i = <int> (breaker.slice_number % WINDOW_SLICES)
    breaker.low_ticks[i] = min(breaker.low_ticks[i], price_ticks)
    breaker.high_ticks[i] = max(breaker.high_ticks[i], price_ticks)
    if is_quiet(breaker, rule, ts_ns):
        return INT64_MIN
    for i in range(<int> WINDOW_SLICES):
        low = min(low, breaker.low_ticks[i])
        high = max(high, breaker.high_ticks[i])
    if rule.side & BREAKER_SIDE_DOWN and high - price_ticks >= rule.distance_ticks:
        return high
    return low if rule.side & BREAKER_SIDE_UP and price_ticks - low >= rule.distance_ticks else INT64_MIN


cdef void look_at_price(State* s, uint32_t instrument_id, int64_t price_ticks, int64_t ts_ns, bint is_reference,
                        Trip* trip) noexcept nogil:
    """Rules 13.11 and 13.12."""
    cdef Breaker* breaker = &s.venue.breakers[instrument_id]
    cdef int64_t furthest
    cdef uint32_t level
    breaker.last_ticks = price_ticks
    if is_reference:
        breaker.reference_ticks = price_ticks
        breaker.tripped = 0
        empty_window(breaker)
    furthest = furthest_in_window(breaker, price_ticks, ts_ns)
    level = level_reached(breaker, price_ticks, ts_ns)
    if level and (trip.level == 0 or trip.level == VELOCITY or level > trip.level):
        trip.reference_ticks = breaker.reference_ticks
    elif furthest != INT64_MIN and trip.level == 0:
        level = VELOCITY
        trip.reference_ticks = furthest
    else:
        return
    trip.level = level
    trip.instrument_id = instrument_id
    trip.price_ticks = price_ticks


cdef void look_at_match(State* s, const OrderExecuted* match, Trip* trip) noexcept nogil:
    cdef const Breaker* breaker = &s.venue.breakers[match.instrument_id]
    if breaker.is_set:
        look_at_price(s, match.instrument_id, match.price_ticks, match.ts_ns,
                      breaker.takes_auctions and match.event_flags & EVENT_FLAGS_AUCTION, trip)


# --------------------------------------------------------------------------------------------------- stops

cdef int64_t stop_events_max(const State* s, const Trip* trip) noexcept nogil:
    cdef const Breaker* breaker = &s.venue.breakers[trip.instrument_id]
    cdef int64_t events = 2                                     # what has tripped, a change of phase
    if breaker.group_id:
        events += s.venue.breaker_count
    elif breaker.rules[trip.level - 1].action == BREAKER_ACTION_VOLATILITY_AUCTION:     # its call may cancel orders
        events += s.instruments[trip.instrument_id].sides[0].order_count
        events += s.instruments[trip.instrument_id].sides[1].order_count
    return events


cdef int stop_trading(State* s, const Trip* trip, int64_t ts_ns) except -1 nogil:
    """Rule 13.13."""
    cdef Breaker* breaker = &s.venue.breakers[trip.instrument_id]
    cdef const BreakerRule* rule
    cdef int64_t end_ns = 0
    cdef uint32_t i
    rule = &breaker.rules[trip.level - 1]
    if rule.pause_ns:
        end_ns = tradsys_stop_end(ts_ns, rule.pause_ns)
    if trip.level == VELOCITY:
        empty_window(breaker)
    else:
        breaker.tripped = <uint8_t> trip.level
    write_breaker_tripped(s, trip, breaker.group_id, rule.action, end_ns, ts_ns)
    if breaker.group_id == 0:
        return stop(s, trip.instrument_id, rule.action, end_ns, ts_ns)
    for i in range(1, s.instruments_max):
        if s.venue.breakers[i].is_set and s.venue.breakers[i].member_group_id == breaker.group_id:
            stop(s, i, rule.action, end_ns, ts_ns)
    return 0


cdef inline bint is_trading(uint32_t state) noexcept nogil:
    return (state == OPEN or state == INSTRUMENT_STATE_POST_ONLY or state == INSTRUMENT_STATE_TRADE_AT_CLOSE)


cdef int stop(State* s, uint32_t instrument_id, uint32_t action, int64_t end_ns, int64_t ts_ns) except -1 nogil:
    """Stop one instrument, as far as it trades."""
    cdef Auction* auction = &s.auctions[instrument_id]
    cdef uint32_t before = s.instruments[instrument_id].state
    cdef Command command
    if action == BREAKER_ACTION_VOLATILITY_AUCTION:
        if before != OPEN:
            return 0
        drop_plan(auction)
        auction.state_after = OPEN
        auction.end_ns = end_ns
        s.instruments[instrument_id].state = INSTRUMENT_STATE_VOLATILITY_AUCTION
    elif before == HALTED:
        if auction.end_ns == 0:
            return 0
        auction.end_ns = max(auction.end_ns, end_ns) if action == BREAKER_ACTION_HALT and end_ns else 0
        if auction.end_ns == 0:
            auction.state_after = 0
    elif is_trading(before) or is_call(before):
        drop_plan(auction)
        s.instruments[instrument_id].state = HALTED
        if action == BREAKER_ACTION_CLOSE and is_trading(before):
            s.instruments[instrument_id].state = CLOSED
        if action == BREAKER_ACTION_HALT and end_ns and before != INSTRUMENT_STATE_TRADE_AT_CLOSE:
            auction.end_ns = end_ns
            auction.state_after = <uint8_t> before
    else:
        return 0
    memset(&command, 0, sizeof(Command))
    command.ts_ns = ts_ns
    write_phase_changed(s, &command, instrument_id, before, INT64_MIN)
    return begin_call(s, &command, instrument_id, before)


cdef void write_breaker_tripped(State* s, const Trip* trip, uint32_t group_id, uint32_t action, int64_t end_ns,
                                int64_t ts_ns) noexcept nogil:
    cdef BreakerTripped* e = <BreakerTripped*> event_begin(s, TEMPLATE_BREAKER_TRIPPED, ts_ns)
    memset(&e.price_ticks, 0, sizeof(BreakerTripped) - 32)
    e.price_ticks = trip.price_ticks
    e.reference_price_ticks = trip.reference_ticks
    e.end_ts_ns = end_ns
    e.instrument_id = trip.instrument_id
    e.group_id = group_id
    e.breaker_level = <uint8_t> trip.level
    e.breaker_action = <uint8_t> action


# --------------------------------------------------------------------------------------------------- commands

cdef uint8_t breaker_reason(const State* s, uint32_t session_id, uint32_t instrument_id,
                            bint padding_zero) noexcept nogil:
    """Sender, instrument, padding and permission, in this order."""
    cdef uint8_t reason = enabled_sender_reason(s, session_id)
    if reason == 0 and not instrument_defined(s, instrument_id):
        reason = REJECT_REASON_UNKNOWN_INSTRUMENT
    return reason if reason else operator_reason(s, session_id, padding_zero)


cdef int set_breaker_level(State* s, const SetBreakerLevel* c) except -1 nogil:
    """Rule 13.9."""
    cdef const Command* command = <const Command*> c
    cdef BreakerRule* rule
    cdef uint8_t reason = breaker_reason(s, c.session_id, c.instrument_id,
                                         c.pad == 0 and all_zero(c.pad2, sizeof(c.pad2)))
    if reason == 0 and not level_holds(&s.venue.breakers[c.instrument_id], c):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_SET_BREAKER_LEVEL, reason, c.instrument_id, c.client_ref)
    number_command(s, command)
    make_breaker(&s.venue, c.instrument_id)
    rule = &s.venue.breakers[c.instrument_id].rules[c.breaker_level - 1]
    rule.distance_ppm = c.distance_ppm
    rule.action = c.breaker_action
    rule.side = c.breaker_side
    rule.distance_ticks = c.distance_ticks
    rule.pause_ns = c.pause_ns
    rule.window_ns = c.window_ns
    if c.breaker_level == VELOCITY:
        empty_window(&s.venue.breakers[c.instrument_id])
    command_done(s, command, TEMPLATE_SET_BREAKER_LEVEL, c.client_ref).instrument_id = c.instrument_id
    return 1


cdef bint level_holds(const Breaker* breaker, const SetBreakerLevel* c) noexcept nogil:
    """The numbers of rule 13.9."""
    if c.breaker_level < BREAKER_LEVEL_LEVEL_1 or c.breaker_level > VELOCITY:
        return False
    if c.breaker_action < BREAKER_ACTION_HALT or c.breaker_action > BREAKER_ACTION_CLOSE:
        return False
    if c.breaker_action == BREAKER_ACTION_VOLATILITY_AUCTION and breaker.group_id:
        return False
    if c.breaker_side < BREAKER_SIDE_DOWN or c.breaker_side > BREAKER_SIDE_BOTH:
        return False
    if c.pause_ns < 0 or c.pause_ns > <int64_t> DURATION_MAX or (
            c.breaker_action == BREAKER_ACTION_CLOSE and c.pause_ns):
        return False
    if c.breaker_level != VELOCITY:
        return c.distance_ticks == 0 and c.window_ns == 0
    if c.distance_ppm or c.distance_ticks < 0 or c.distance_ticks >= <int64_t> SIZE_LIMIT:
        return False
    return (1 if c.distance_ticks else 0) <= c.window_ns <= <int64_t> DURATION_MAX


cdef int set_breaker(State* s, const SetBreaker* c) except -1 nogil:
    """Rule 13.10."""
    cdef const Command* command = <const Command*> c
    cdef Breaker* breaker
    cdef uint8_t reason = breaker_reason(s, c.session_id, c.instrument_id, all_zero(c.pad, sizeof(c.pad)))
    if reason == 0 and not breaker_holds(&s.venue.breakers[c.instrument_id], c):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_SET_BREAKER, reason, c.instrument_id, c.client_ref)
    number_command(s, command)
    breaker = make_breaker(&s.venue, c.instrument_id)
    breaker.group_id = c.group_id
    breaker.member_group_id = c.member_group_id
    breaker.quiet_from_ns = c.quiet_from_ts_ns
    breaker.reopen_call_ns = c.reopen_call_ns
    breaker.takes_auctions = c.takes_auctions
    if c.reference_price_ticks != INT64_MIN:
        breaker.reference_ticks = c.reference_price_ticks
        breaker.tripped = 0
    command_done(s, command, TEMPLATE_SET_BREAKER, c.client_ref).instrument_id = c.instrument_id
    return 1


cdef bint breaker_holds(const Breaker* breaker, const SetBreaker* c) noexcept nogil:
    """The numbers of rule 13.10."""
    cdef int i
    if c.group_id >= GROUPS or c.member_group_id >= GROUPS or c.takes_auctions > 1:
        return False
    if c.quiet_from_ts_ns < 0 or c.reopen_call_ns < 0 or c.reopen_call_ns > <int64_t> DURATION_MAX:
        return False
    if c.reference_price_ticks != INT64_MIN and not (
            -<int64_t> PRICE_TICKS_MAX <= c.reference_price_ticks <= <int64_t> PRICE_TICKS_MAX):
        return False
    for i in range(4):
        if c.group_id and breaker.rules[i].action == BREAKER_ACTION_VOLATILITY_AUCTION:
            return False
    return True


cdef int start_breaker_day(State* s, const StartBreakerDay* c) except -1 nogil:
    """Rule 13.15."""
    cdef const Command* command = <const Command*> c
    cdef Breaker* breaker
    cdef uint32_t i
    cdef uint8_t reason = enabled_sender_reason(s, c.session_id)
    if reason == 0 and c.instrument_id and not instrument_defined(s, c.instrument_id):
        reason = REJECT_REASON_UNKNOWN_INSTRUMENT
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)))
    if reason == 0 and c.instrument_id and not s.venue.breakers[c.instrument_id].is_set:
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_START_BREAKER_DAY, reason, c.instrument_id, c.client_ref)
    number_command(s, command)
    for i in range(1, s.instruments_max):
        breaker = &s.venue.breakers[i]
        if breaker.is_set and (c.instrument_id == 0 or c.instrument_id == i):
            if breaker.last_ticks != INT64_MIN:
                breaker.reference_ticks = breaker.last_ticks
            breaker.tripped = 0
            breaker.quiet_from_ns = 0
            empty_window(breaker)
    command_done(s, command, TEMPLATE_START_BREAKER_DAY, c.client_ref).instrument_id = c.instrument_id
    return 1


cdef int publish_index(State* s, const PublishIndex* c) except -1 nogil:
    """Rule 13.16, without the stop."""
    cdef const Command* command = <const Command*> c
    cdef uint8_t reason = breaker_reason(s, c.session_id, c.instrument_id, all_zero(c.pad, sizeof(c.pad)))
    if reason == 0 and not (s.venue.breakers[c.instrument_id].is_set and (
            -<int64_t> PRICE_TICKS_MAX <= c.price_ticks <= <int64_t> PRICE_TICKS_MAX)):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_PUBLISH_INDEX, reason, c.instrument_id, c.client_ref)
    number_command(s, command)
    command_done(s, command, TEMPLATE_PUBLISH_INDEX, c.client_ref).instrument_id = c.instrument_id
    look_at_price(s, c.instrument_id, c.price_ticks, c.ts_ns, False, &s.venue.trip)
    return 1
