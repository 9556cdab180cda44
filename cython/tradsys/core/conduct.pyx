"""Conduct: messages against matches, minimum resting times, tripwires of matched value (rules 13.20 to 13.23)."""
cimport cython
from libc.stdint cimport uint16_t, uint64_t
from libc.string cimport memset

from tradsys.core.answers cimport operator_reason, refuse, risk_changed, sender_reason, unknown_holder
from tradsys.core.cancels cimport OrderFilter, cancel_many, room_to_cancel
from tradsys.core.conduct_check cimport conduct_time
from tradsys.core.events cimport EVENT_BYTES, Command, EventHead, event_begin, number_command
from tradsys.core.lists cimport note_lists
from tradsys.core.order cimport slot_of
from tradsys.core.positions cimport follow_events
from tradsys.core.risk_state cimport HAS_CONDUCT
from tradsys.core.state cimport SPECIAL_RESTING, mark_sessions
from tradsys.core.validation cimport all_zero
from tradsys.core.venue_state cimport FOLLOW_CONDUCT, Conduct
from tradsys.wire.records cimport (
    CANCEL_REASON_BY_OWNER, CANCEL_REASON_KILL_SWITCH, CANCEL_REASON_MASS_CANCEL, EVENT_FLAGS_PRIORITY_KEPT,
    EVENT_FLAGS_RESTS, EVENT_FLAGS_UNSOLICITED, MessageHeader, OrderAccepted, OrderCanceled, OrderExecuted, OrderReduced,
    OrderReplaced, OutputTripped, REJECT_REASON_BAD_DEFINITION, RISK_SCOPE_INSTRUMENT, RISK_SCOPE_PARTICIPANT, RiskChanged,
    TEMPLATE_ORDER_ACCEPTED, TEMPLATE_ORDER_CANCELED, TEMPLATE_ORDER_EXECUTED, TEMPLATE_ORDER_REDUCED,
    TEMPLATE_ORDER_REPLACED, TEMPLATE_ORDER_RESTED, TEMPLATE_OUTPUT_TRIPPED, TEMPLATE_SET_CONDUCT_LIMITS)

cdef extern from * nogil:
    """
    /* what a match takes from a bucket of `window` ns that lasts for `value_max`: rounded up, at most 2^62; the products of a
       value below 2^64 and a window up to 10^18 fit */
    static inline int64_t tradsys_output_cost(int64_t price, int64_t lots, int64_t window, int64_t value_max)
    {
        __int128 value = (__int128) (price < 0 ? -price : price) * lots;
        __int128 cost;
        if (value > INT64_MAX) value = INT64_MAX;
        cost = (value * window + value_max - 1) / value_max;
        return cost > ((int64_t) 1 << 62) ? (int64_t) 1 << 62 : (int64_t) cost;
    }
    """
    int64_t tradsys_output_cost(int64_t price, int64_t lots, int64_t window, int64_t value_max)

cdef enum:
    SIZE_LIMIT = 0x1000000000000000
    DURATION_MAX = 1_000_000_000_000_000_000


# --------------------------------------------------------------------------------------------------- following events

cdef inline bint is_message(const uint8_t* event) noexcept nogil:
    """Whether an event tells what its participant, if that has sent the command, has asked for (13.21)."""
    cdef uint16_t template_id = (<const MessageHeader*> event).template_id
    if template_id == TEMPLATE_ORDER_CANCELED:
        return ((<const OrderCanceled*> event).cancel_reason == CANCEL_REASON_BY_OWNER
                or (<const OrderCanceled*> event).cancel_reason == CANCEL_REASON_MASS_CANCEL)
    if template_id == TEMPLATE_ORDER_REDUCED:
        return (<const OrderReduced*> event).cancel_reason == 0
    return template_id == TEMPLATE_ORDER_ACCEPTED or template_id == TEMPLATE_ORDER_REPLACED


cdef void count_messages(State* s, uint32_t sender_id, const uint8_t* event) noexcept nogil:
    """Rule 13.21."""
    cdef uint32_t participant_id = s.sessions[sender_id].participant_id if sender_id < s.sessions_max else 0
    cdef Conduct* conduct = &s.venue.conducts[participant_id]
    if not conduct.is_set:
        return
    while event < s.cursor:
        if is_message(event) and (<const OrderAccepted*> event).participant_id == participant_id:   # at one place in all
            conduct.messages += 1
        event += EVENT_BYTES


cdef void follow_conduct(State* s, const uint8_t* event) noexcept nogil:
    """Rules 13.21 to 13.23: matches, and orders that have come to rest."""
    cdef uint16_t template_id
    while event < s.cursor:
        template_id = (<const MessageHeader*> event).template_id
        if template_id == TEMPLATE_ORDER_EXECUTED:
            note_match(s, <const OrderExecuted*> event)
        elif s.venue.resting_count and (template_id == TEMPLATE_ORDER_ACCEPTED or template_id == TEMPLATE_ORDER_REPLACED
                                        or template_id == TEMPLATE_ORDER_RESTED):
            note_rest(s, <const OrderReplaced*> event)
        event += EVENT_BYTES


cdef inline void note_rest(State* s, const OrderReplaced* e) noexcept nogil:
    """An order may have come to rest; all that is looked at lies at one place in the three events."""
    if e.event_flags & (EVENT_FLAGS_RESTS | EVENT_FLAGS_PRIORITY_KEPT) == EVENT_FLAGS_RESTS:
        if s.venue.resting_min_ns[e.instrument_id]:
            s.venue.rested_ns[slot_of(e.order_id)] = conduct_time(e.ts_ns)


cdef void note_match(State* s, const OrderExecuted* match) noexcept nogil:
    cdef uint32_t resting_id = s.sessions[match.resting_session_id].participant_id
    cdef uint32_t incoming_id = s.sessions[match.incoming_session_id].participant_id
    if resting_id != incoming_id:
        s.venue.conducts[resting_id].matches += s.venue.conducts[resting_id].is_set
        s.venue.conducts[incoming_id].matches += s.venue.conducts[incoming_id].is_set
        count_output(s, resting_id, match)
    count_output(s, incoming_id, match)


@cython.overflowcheck(False)
cdef void count_output(State* s, uint32_t participant_id, const OrderExecuted* match) noexcept nogil:
    """Rule 13.23: take a match from a participant's bucket."""
    cdef Conduct* conduct = &s.venue.conducts[participant_id]
    cdef int64_t ts_ns = conduct_time(match.ts_ns)
    if conduct.output_max_value == 0 or conduct.is_tripped:
        return
    if ts_ns > conduct.bucket_ts_ns:
        conduct.bucket_ns = min(conduct.bucket_ns + (ts_ns - conduct.bucket_ts_ns), conduct.output_window_ns)
        conduct.bucket_ts_ns = ts_ns
    conduct.bucket_ns -= tradsys_output_cost(match.price_ticks, match.qty_lots, conduct.output_window_ns,
                                             conduct.output_max_value)
    if conduct.bucket_ns < 0:
        conduct.bucket_ns = conduct.output_window_ns
        conduct.is_tripped = conduct.is_due = 1
        conduct.trip_match_seq = match.seq
        conduct.trip_instrument_id = match.instrument_id
        s.venue.tripwires_due += 1


# --------------------------------------------------------------------------------------------------- tripwires

cdef int settle_tripwires(State* s, int64_t ts_ns) except -1 nogil:
    """Rule 13.23: tell and cancel, participant by participant."""
    cdef const uint8_t* first_event = s.cursor
    cdef OrderFilter wanted
    cdef Command venue
    cdef uint32_t i
    memset(&venue, 0, sizeof(Command))
    venue.ts_ns = ts_ns
    memset(&wanted, 0, sizeof(OrderFilter))
    for i in range(1, s.participants_max):
        if s.venue.tripwires_due == 0:
            break
        if not s.venue.conducts[i].is_due:
            continue
        wanted.participant_id = i
        if not room_to_cancel(s, &wanted):
            s.unfinished = 1
            s.unfinished_ts_ns = ts_ns
            break
        write_output_tripped(s, i, ts_ns)
        s.venue.conducts[i].is_due = 0
        s.venue.tripwires_due -= 1
        cancel_many(s, &venue, &wanted, CANCEL_REASON_KILL_SWITCH, EVENT_FLAGS_UNSOLICITED)
    s.stirs = 1
    if s.risk.is_used:
        follow_events(s, first_event)
    if s.list_count:
        note_lists(s, first_event)
    return s.venue.tripwires_due == 0


cdef void write_output_tripped(State* s, uint32_t participant_id, int64_t ts_ns) noexcept nogil:
    cdef Conduct* conduct = &s.venue.conducts[participant_id]
    cdef OutputTripped* e = <OutputTripped*> event_begin(s, TEMPLATE_OUTPUT_TRIPPED, ts_ns)
    memset(&e.match_seq, 0, sizeof(OutputTripped) - sizeof(EventHead))
    e.match_seq = conduct.trip_match_seq
    e.output_max_value = conduct.output_max_value
    e.output_window_ns = conduct.output_window_ns
    e.instrument_id = conduct.trip_instrument_id
    e.participant_id = participant_id
    conduct.trip_match_seq = conduct.trip_instrument_id = 0


cdef void mend_tripwire(State* s, uint32_t participant_id) noexcept nogil:
    """KILL_SWITCH is turned off: the bucket is full again."""
    cdef Conduct* conduct = &s.venue.conducts[participant_id]
    if conduct.is_tripped:
        conduct.is_tripped = 0
        conduct.bucket_ns = conduct.output_window_ns


cdef void start_conduct_day(State* s) noexcept nogil:
    """START_RISK_DAY: messages and matches count from 0 again."""
    cdef uint32_t i
    if s.venue.conduct_count == 0:
        return
    for i in range(1, s.participants_max):
        if s.venue.conducts[i].is_set:
            s.venue.conducts[i].messages = s.venue.conducts[i].matches = 0


# --------------------------------------------------------------------------------------------------- the command

cdef int set_conduct_limits(State* s, const SetConductLimits* c) except -1 nogil:
    """Rule 13.20."""
    cdef const Command* command = <const Command*> c
    cdef RiskChanged* e
    cdef uint8_t reason = sender_reason(s, c.session_id, unknown_holder(s, c.scope, c.scope_id))
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)))
    if reason == 0 and not conduct_holds(c):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_SET_CONDUCT_LIMITS, reason, 0, c.client_ref)
    number_command(s, command)
    if c.scope == RISK_SCOPE_PARTICIPANT:
        set_conduct(s, c)
    else:
        set_resting_time(s, c)
    if s.venue.conduct_count or s.venue.resting_count:
        s.venue.follows |= FOLLOW_CONDUCT
    else:
        s.venue.follows &= ~<uint32_t> FOLLOW_CONDUCT
    e = risk_changed(s, command, TEMPLATE_SET_CONDUCT_LIMITS, c.client_ref)
    e.scope = c.scope
    e.scope_id = c.scope_id
    return 1


cdef bint conduct_holds(const SetConductLimits* c) noexcept nogil:
    """The numbers of rule 13.20."""
    if c.scope == RISK_SCOPE_INSTRUMENT:
        return (0 <= c.resting_min_ns <= <int64_t> DURATION_MAX and c.order_to_trade_max == 0
                and c.order_to_trade_free == 0 and c.output_max_value == 0 and c.output_window_ns == 0)
    if c.scope != RISK_SCOPE_PARTICIPANT or c.resting_min_ns or (c.order_to_trade_free and not c.order_to_trade_max):
        return False
    if not (0 <= c.output_max_value < <int64_t> SIZE_LIMIT and 0 <= c.output_window_ns <= <int64_t> DURATION_MAX):
        return False
    return (c.output_max_value != 0) == (c.output_window_ns != 0)


cdef void set_conduct(State* s, const SetConductLimits* c) noexcept nogil:
    cdef Conduct* conduct = &s.venue.conducts[c.scope_id]
    s.venue.conduct_count -= conduct.is_set
    if c.order_to_trade_max == 0 and c.output_max_value == 0:
        memset(conduct, 0, sizeof(Conduct))
        s.risk.watch[c.scope_id] &= ~HAS_CONDUCT
        return
    s.venue.conduct_count += 1
    conduct.is_set = 1
    conduct.order_to_trade_max = c.order_to_trade_max
    conduct.order_to_trade_free = c.order_to_trade_free
    conduct.output_max_value = c.output_max_value
    conduct.output_window_ns = conduct.bucket_ns = c.output_window_ns
    conduct.bucket_ts_ns = 0
    conduct.is_tripped = 0
    s.risk.watch[c.scope_id] |= HAS_CONDUCT
    mark_sessions(s, c.scope_id)


cdef void set_resting_time(State* s, const SetConductLimits* c) noexcept nogil:
    """Orders that rest already count from now."""
    cdef int64_t before_ns = s.venue.resting_min_ns[c.scope_id]
    cdef uint32_t slot
    s.venue.resting_min_ns[c.scope_id] = c.resting_min_ns
    if before_ns == 0 and c.resting_min_ns:
        s.venue.resting_count += 1
        s.instruments[c.scope_id].special |= SPECIAL_RESTING
        for slot in range(s.slots_used):
            if s.orders[slot].order_id and s.orders[slot].instrument_id == c.scope_id:
                s.venue.rested_ns[slot] = conduct_time(c.ts_ns)
    elif before_ns and c.resting_min_ns == 0:
        s.venue.resting_count -= 1
        s.instruments[c.scope_id].special &= ~<uint64_t> SPECIAL_RESTING
