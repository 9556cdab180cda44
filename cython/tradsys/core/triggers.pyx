"""What a command sets off: prices looked at, due orders coming in (rules 10.4 to 10.7, 10.12)."""
from libc.stdint cimport uint16_t
from libc.string cimport memset

from tradsys.core.answers cimport command_done, operator_reason, refuse
from tradsys.core.dormant cimport (
    cancel_dormant, lay_down, leave_dormancy, open_triggers, room_for_trail, see, trigger_of)
from tradsys.core.entry cimport room_for_matches
from tradsys.core.events cimport Command, event_begin, number_command, unsolicited, write_canceled
from tradsys.core.general cimport ANY_PRICE_KEY, Entry, enter, find_way_in, match_events_max, unreached_reason
from tradsys.core.ladder cimport Ladder
from tradsys.core.lists cimport is_listed, note_lists, note_triggered, settle_lists
from tradsys.core.order cimport Order, slot_of
from tradsys.core.resting cimport side_of_order
from tradsys.core.risk cimport Priced, triggered_order_risk
from tradsys.core.state cimport (
    GATE_PARTICIPANT, GATE_SESSION, events_left, give_slot, next_report_seq, other_side_of)
from tradsys.core.terms cimport HELD_TRAIT, Terms, is_held, is_triggered, kind_behind
from tradsys.core.validation cimport all_zero, enabled_sender_reason, entitled_to_trade, instrument_defined
from tradsys.core.venue cimport settle
from tradsys.wire.records cimport (
    CANCEL_REASON_TRIGGER_REFUSED, EVENT_FLAGS_DORMANT, EVENT_FLAGS_HELD, EVENT_FLAGS_UNSOLICITED, MarkPriceSet,
    OrderReleased, OrderTriggered, TEMPLATE_ORDER_RELEASED, REJECT_REASON_BAD_DEFINITION,
    REJECT_REASON_UNKNOWN_INSTRUMENT, TEMPLATE_MARK_PRICE_SET, TEMPLATE_ORDER_TRIGGERED, TEMPLATE_SET_MARK_PRICE)

cdef enum:
    PRICE_TICKS_MAX = 0x1000000000000000    # limits.PRICE_TICKS_MAX, 2^60


# --------------------------------------------------------------------------------------------------- looking

cdef int see_matches(State* s, const uint8_t* first_event) except -1 nogil:
    """Look at the matches among the events from `first_event` on, one by one."""
    cdef const uint8_t* event = first_event
    cdef const OrderExecuted* match
    while event < s.cursor:
        if (<const EventHead*> event).header == event_header(TEMPLATE_ORDER_EXECUTED):
            match = <const OrderExecuted*> event
            if s.instruments[match.instrument_id].special & SPECIAL_TRIGGERS:
                look(s, match.instrument_id, SOURCE_LAST, match.price_ticks)
        event += EVENT_BYTES
    return 0


cdef inline int look(State* s, uint32_t instrument_id, uint32_t source, int64_t price_ticks) except -1 nogil:
    if is_outside(&s.triggers[instrument_id], source, price_ticks):
        see(s, instrument_id, source, price_ticks)
    return 0


cdef int look_now(State* s, uint32_t instrument_id) except -1 nogil:
    """Look at best bid, best ask and mark price as they are."""
    cdef Instrument* instrument = &s.instruments[instrument_id]
    cdef Triggers* triggers = &s.triggers[instrument_id]
    if instrument.state == INSTRUMENT_STATE_OPEN:
        if instrument.sides[0].order_count:
            look(s, instrument_id, SOURCE_BID, ladder_best_price(&instrument.sides[0]))
        if instrument.sides[1].order_count:
            look(s, instrument_id, SOURCE_ASK, ladder_best_price(&instrument.sides[1]))
    if triggers.mark_ticks != INT64_MIN:
        look(s, instrument_id, SOURCE_MARK, triggers.mark_ticks)
    return 0


# --------------------------------------------------------------------------------------------------- triggering

cdef int run_all(State* s, int64_t ts_ns) except -1 nogil:
    """The lowest instrument goes first, also after what may concern any."""
    cdef uint32_t i = 1
    while i < s.watched_count:
        s.stirs = 0
        if s.instruments[i].special & SPECIAL_TRIGGERS and not run(s, i, ts_ns):
            return 0
        i = 1 if s.stirs else i + 1
    return 1


cdef int run(State* s, uint32_t instrument_id, int64_t ts_ns) except -1 nogil:
    """Trigger the due orders of an instrument, and those that become due by it."""
    cdef Triggers* triggers = &s.triggers[instrument_id]
    cdef const uint8_t* first_event
    cdef Order* order
    cdef Command venue
    memset(&venue, 0, sizeof(Command))
    venue.ts_ns = ts_ns
    look_now(s, instrument_id)
    while triggers.due_head != SLOT_NONE and s.instruments[instrument_id].state == INSTRUMENT_STATE_OPEN:
        first_event = s.cursor
        order = &s.orders[triggers.due_head]
        if not (release(s, &venue, order) if is_held(order) else trigger(s, &venue, order)):
            return leave_unfinished(s, ts_ns)
        see_matches(s, first_event)
        if s.list_count:
            note_lists(s, first_event)
        if not settle(s, first_event):
            return 0
        if not settle_lists(s, ts_ns):
            return leave_unfinished(s, ts_ns)
        if s.stirs:
            break
        look_now(s, instrument_id)
    return 1


cdef int leave_unfinished(State* s, int64_t ts_ns) noexcept nogil:
    """The event buffer has no room for more of what a command sets off."""
    s.unfinished = 1
    s.unfinished_ts_ns = ts_ns
    return 0


cdef int trigger(State* s, const Command* venue, Order* order) except -1 nogil:
    """A due order comes in (10.7); 1: done, 0: its events might not fit the buffer."""
    cdef uint32_t slot = slot_of(order.order_id)
    cdef const Terms* terms = &s.terms[slot]
    cdef Instrument* instrument = &s.instruments[order.instrument_id]
    cdef Ladder* other = other_side_of(instrument, side_of_order(order))
    cdef uint32_t kind = kind_behind(order.traits >> 8 & 0xFF)
    cdef int64_t trigger_ticks = trigger_of(s, order, terms.trail_key)
    cdef Entry entry
    find_way_in(s, order, terms, kind, terms.limit_price_ticks, &entry)
    if not may_enter(s, order) or is_refused(s, order, &entry, venue.ts_ns):
        if events_left(s) < 1:
            return 0
        cancel_dormant(s, venue, order, CANCEL_REASON_TRIGGER_REFUSED, EVENT_FLAGS_UNSOLICITED)
        return 1
    # with the other one of its pair a best price may go that its limit is measured from (13.3)
    if not room_for_matches(s, instrument, other, ANY_PRICE_KEY if is_listed(s, order.order_id) else entry.limit_key, order,
                            match_events_max(s)):
        return 0
    leave_dormancy(s, order)
    order.traits = (order.traits & <uint32_t> 0xFFFF00FF) | kind << 8
    write_triggered(s, venue, order, terms, trigger_ticks)
    note_triggered(s, venue, order)
    find_way_in(s, order, terms, kind, terms.limit_price_ticks, &entry)
    return come_in(s, venue, order, &entry)


cdef int come_in(State* s, const Command* venue, Order* order, const Entry* entry) except -1 nogil:
    """An order that was dormant, and has been told as triggered or released, matches and rests or ends."""
    cdef uint8_t reason = unreached_reason(s, order, entry)
    if reason:
        write_canceled(s, venue, order, entry.told_price_ticks, reason, unsolicited(venue, order))
        give_slot(s, order, slot_of(order.order_id))
        return 1
    enter(s, venue, order, entry)
    return 1


cdef int release(State* s, const Command* venue, Order* order) except -1 nogil:
    """An order of a list has its turn (10.23); 1: done, 0: its events might not fit the buffer."""
    cdef Instrument* instrument = &s.instruments[order.instrument_id]
    cdef Terms* terms = &s.terms[slot_of(order.order_id)]
    cdef uint32_t kind = order.traits >> 8 & 0x3F
    cdef bint waits = is_triggered(kind), refused
    cdef Entry entry
    if waits:
        order.traits &= ~<uint32_t> HELD_TRAIT
        refused = not room_for_trail(s, order.instrument_id, order, terms)
        order.traits |= HELD_TRAIT
    else:
        find_way_in(s, order, terms, kind, terms.limit_price_ticks, &entry)
        refused = is_refused(s, order, &entry, venue.ts_ns)
    if refused or not may_enter(s, order):
        if events_left(s) < 1:
            return 0
        cancel_dormant(s, venue, order, CANCEL_REASON_TRIGGER_REFUSED, EVENT_FLAGS_UNSOLICITED)
        return 1
    if events_left(s) < 1 or (not waits and not room_for_matches(
            s, instrument, other_side_of(instrument, side_of_order(order)), entry.limit_key, order, match_events_max(s))):
        return 0
    leave_dormancy(s, order)
    write_released(s, venue, order, terms, EVENT_FLAGS_DORMANT if waits else 0)
    if waits:
        lay_down(s, order)
        return 1
    return come_in(s, venue, order, &entry)


cdef bint is_refused(State* s, const Order* order, const Entry* entry, int64_t ts_ns) except -1 nogil:
    """Whether section 14 stands against a due order (10.15)."""
    cdef Priced priced
    memset(&priced, 0, sizeof(Priced))
    priced.has_limit = entry.has_limit
    priced.price_ticks = entry.limit_price_ticks
    priced.told_price_ticks = entry.told_price_ticks
    priced.limit_key = entry.limit_key
    return triggered_order_risk(s, order, &priced, ts_ns) != 0


cdef bint may_enter(const State* s, const Order* order) noexcept nogil:
    """Whether the owner of an order could enter one now (2.2, 2.3)."""
    cdef uint32_t gate = s.sessions[order.session_id].gate
    if not gate & GATE_SESSION or not gate & GATE_PARTICIPANT:
        return False
    return entitled_to_trade(s, s.sessions[order.session_id].participant_id, order.instrument_id)


cdef void write_triggered(State* s, const Command* c, const Order* order, const Terms* terms,
                          int64_t trigger_ticks) noexcept nogil:
    cdef OrderTriggered* e = <OrderTriggered*> event_begin(s, TEMPLATE_ORDER_TRIGGERED, c.ts_ns)
    e.order_id = order.order_id
    e.client_ref = order.client_ref
    e.price_ticks = terms.limit_price_ticks
    e.qty_lots = order.qty_lots
    e.leaves_lots = order.leaves_lots
    e.instrument_id = order.instrument_id
    e.session_id = order.session_id
    e.account_id = order.account_id
    e.report_seq = next_report_seq(s, order.session_id)
    e.participant_id = s.sessions[order.session_id].participant_id
    e.client_seq = 0
    (<uint32_t*> &e.side)[0] = (order.traits & 0xFFFFFF) | <uint32_t> terms.trigger_source << 24
    e.order_flags = order.order_flags
    e.event_flags = EVENT_FLAGS_UNSOLICITED
    e.trigger_price_ticks = trigger_ticks
    memset(e.pad, 0, sizeof(e.pad))


cdef void write_released(State* s, const Command* c, const Order* order, const Terms* terms,
                         uint32_t event_flags) noexcept nogil:
    cdef OrderReleased* e
    write_triggered(s, c, order, terms, terms.trigger_price_ticks)      # which has the same fields and no list
    e = <OrderReleased*> (s.cursor - EVENT_BYTES)
    e.template_id = TEMPLATE_ORDER_RELEASED
    e.event_flags = <uint16_t> (EVENT_FLAGS_UNSOLICITED | EVENT_FLAGS_HELD | event_flags)
    e.group_id = terms.group_id


# --------------------------------------------------------------------------------------------------- mark price

cdef int set_mark_price(State* s, const SetMarkPrice* c) except -1 nogil:
    """Rule 10.12, without what it triggers."""
    cdef const Command* command = <const Command*> c
    cdef MarkPriceSet* e
    cdef uint8_t reason = enabled_sender_reason(s, c.session_id)
    if reason == 0 and not instrument_defined(s, c.instrument_id):
        reason = REJECT_REASON_UNKNOWN_INSTRUMENT
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)))
    if reason == 0 and (c.mark_price_ticks < -<int64_t> PRICE_TICKS_MAX or c.mark_price_ticks > <int64_t> PRICE_TICKS_MAX):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_SET_MARK_PRICE, reason, c.instrument_id, c.client_ref)
    if events_left(s) < 2:
        return 0
    number_command(s, command)
    open_triggers(s, c.instrument_id)
    s.triggers[c.instrument_id].mark_ticks = c.mark_price_ticks
    command_done(s, command, TEMPLATE_SET_MARK_PRICE, c.client_ref).instrument_id = c.instrument_id
    e = <MarkPriceSet*> event_begin(s, TEMPLATE_MARK_PRICE_SET, c.ts_ns)
    memset(&e.mark_price_ticks, 0, sizeof(MarkPriceSet) - 32)
    e.mark_price_ticks = c.mark_price_ticks
    e.instrument_id = c.instrument_id
    return 1
