"""Order lists: their entry, what the events of their orders make due, and doing it (rules 10.20 to 10.27).

The orders of a list are dormant until they have their turn; then they stand among the due orders of their instrument.
What one order's end or match means for another is read from the events behind the command, noted in the list's record,
and done list by list: two events at most each, so that a command that touches many lists goes on where the event buffer
ended.
"""
from libc.string cimport memcpy, memset

from tradsys.core.dormant cimport have_turn, hold, reduce_dormant
from tradsys.core.events cimport number_command, write_rejected
from tradsys.core.general cimport Entry, checked_reason, find_way_in, make_draft, tell_accepted
from tradsys.core.list_state cimport OrderList
from tradsys.core.order cimport SLOT_BITS, SLOT_NONE
from tradsys.core.references cimport refs_tag
from tradsys.core.resting cimport cancel_resting
from tradsys.core.positions cimport follow_events
from tradsys.core.risk cimport Priced, leg_risk
from tradsys.core.state cimport events_left, take_slot
from tradsys.core.terms cimport TERMS_BYTES, Terms, is_triggered, kind_behind, trails_behind
from tradsys.wire.records cimport (
    CANCEL_REASON_LIST_LEG_ENDED, CANCEL_REASON_LIST_LEG_EXECUTED, CANCEL_REASON_LIST_PARENT_ENDED, EVENT_FLAGS_DORMANT,
    EVENT_FLAGS_HELD, EVENT_FLAGS_UNSOLICITED, GROUP_ROLE_CHILD, GROUP_ROLE_OCO_LEG, GROUP_ROLE_PARENT,
    INSTRUMENT_STATE_OPEN, LIST_TYPE_OCO, LIST_TYPE_OTO, LIST_TYPE_OTOCO, NewComplexOrder, NewOrder, ORDER_FLAGS_HIDDEN,
    ORDER_FLAGS_KEEP_ON_DISCONNECT, ORDER_TYPE_LIMIT, ORDER_TYPE_MARKET, OrderAccepted, OrderReduced, OrderRejected,
    REJECT_REASON_BAD_LIST, REJECT_REASON_BOOK_FULL, REJECT_REASON_DUPLICATE_CLIENT_REF, REJECT_REASON_NONE,
    REJECT_REASON_TOO_MANY_LISTS, REJECT_REASON_WRONG_PHASE, TEMPLATE_NEW_ORDER_LIST, TIME_IN_FORCE_GTD)

assert sizeof(OrderList) == 56, "OrderList must be 56 bytes"

cdef struct Leg:                        # a leg on its way in
    NewComplexOrder command             # the order it is
    Terms terms
    Order draft


# --------------------------------------------------------------------------------------------------- entry

cdef int decide_order_list(State* s, const NewOrderList* c) except -1 nogil:
    """Rules 10.20 to 10.23."""
    cdef Leg legs[3]
    cdef uint32_t count = 3 if c.list_type == LIST_TYPE_OTOCO else 2, i, refused = 0
    cdef uint8_t reason
    split_legs(c, legs)
    reason = legs_reason(s, legs, count, &refused)
    if reason == 0:
        reason = list_reason(s, c, legs, count)
    if reason == 0:
        for i in range(count):
            make_draft(s, <const NewOrder*> &legs[i].command, &legs[i].draft, True,
                       refs_tag(&s.refs, c.session_id, legs[i].command.client_ref))
        if events_left(s) < 2 * <int64_t> count:
            return 0
        reason = <uint8_t> ask_risk(s, c, legs, count, &refused)
    number_command(s, <const Command*> c)
    if reason:
        return refuse_leg(s, c, &legs[refused].command, refused + 1, reason)
    return enter_list(s, c, legs, count)


cdef void split_legs(const NewOrderList* c, Leg* legs) noexcept nogil:
    """The legs as the orders they are."""
    cdef NewComplexOrder* leg
    cdef uint32_t i
    memset(legs, 0, 3 * sizeof(Leg))
    for i in range(3):
        leg = &legs[i].command
        memcpy(&leg.seq, &c.seq, 24)        # seq, ts_ns, session_id, client_seq
        leg.qty_lots = c.qty_lots
        leg.instrument_id = c.instrument_id
        leg.account_id = c.account_id
        leg.stp_mode = c.stp_mode
    fill_leg(&legs[0].command, c.client_ref, c.price_ticks, c.trigger_price_ticks, c.side, c.order_type, c.time_in_force,
             c.order_flags)
    fill_leg(&legs[1].command, c.client_ref_2, c.price_ticks_2, c.trigger_price_ticks_2, c.side_2, c.order_type_2,
             c.time_in_force_2, c.order_flags_2)
    fill_leg(&legs[2].command, c.client_ref_3, c.price_ticks_3, c.trigger_price_ticks_3, c.side_3, c.order_type_3,
             c.time_in_force_3, c.order_flags_3)
    legs[0].command.pad[0] = c.pad | c.pad2[0] | c.pad2[1] | c.pad2[2] | c.pad2[3]
    for i in range(8):
        legs[0].command.pad[0] |= c.pad3[i]     # refused with the first leg
    for i in range(3):
        leg = &legs[i].command
        if is_triggered(leg.order_type):
            leg.trigger_source = c.trigger_source
        if trails_behind(leg.order_type):
            leg.trail_offset = c.trail_offset
            leg.trail_unit = c.trail_unit
        if leg.time_in_force == TIME_IN_FORCE_GTD:
            leg.expire_ts_ns = c.expire_ts_ns
        memcpy(&legs[i].terms, &leg.trigger_price_ticks, TERMS_BYTES)


cdef void fill_leg(NewComplexOrder* leg, uint64_t client_ref, int64_t price_ticks, int64_t trigger_price_ticks, uint8_t side,
                   uint8_t order_type, uint8_t time_in_force, uint16_t order_flags) noexcept nogil:
    leg.client_ref = client_ref
    leg.price_ticks = price_ticks
    leg.trigger_price_ticks = trigger_price_ticks
    leg.side = side
    leg.order_type = order_type
    leg.time_in_force = time_in_force
    leg.order_flags = order_flags


cdef uint8_t legs_reason(const State* s, Leg* legs, uint32_t count, uint32_t* refused) noexcept nogil:
    """Rule 3.2 of each leg, up to DUPLICATE_CLIENT_REF."""
    cdef const NewComplexOrder* leg
    cdef uint32_t i, k
    cdef uint8_t reason
    for i in range(count):
        leg = &legs[i].command
        refused[0] = i
        reason = checked_reason(s, <const NewOrder*> leg, leg, &legs[i].terms,
                                refs_tag(&s.refs, leg.session_id, leg.client_ref))
        if reason:
            return reason
        for k in range(i):
            if legs[k].command.client_ref == leg.client_ref:
                return REJECT_REASON_DUPLICATE_CLIENT_REF
    refused[0] = 0
    return REJECT_REASON_NONE


cdef uint8_t list_reason(const State* s, const NewOrderList* c, const Leg* legs, uint32_t count) noexcept nogil:
    """WRONG_PHASE, BAD_LIST (10.21), BOOK_FULL, TOO_MANY_LISTS (10.22) or nothing."""
    cdef uint32_t slot = s.free_slot, free = s.orders_max - s.slots_used
    if s.instruments[c.instrument_id].state != INSTRUMENT_STATE_OPEN:
        return REJECT_REASON_WRONG_PHASE
    if list_is_bad(c, legs, count):
        return REJECT_REASON_BAD_LIST
    while free < count and slot != SLOT_NONE:
        free += 1
        slot = s.orders[slot].next_slot
    if free < count:
        return REJECT_REASON_BOOK_FULL
    return REJECT_REASON_TOO_MANY_LISTS if s.list_count == s.lists_max else REJECT_REASON_NONE


cdef bint list_is_bad(const NewOrderList* c, const Leg* legs, uint32_t count) noexcept nogil:
    """Rule 10.21."""
    cdef const NewComplexOrder* leg
    cdef uint32_t i, triggered = 0, trailing = 0, expiring = 0, waiting = 0, first = c.list_type != LIST_TYPE_OCO
    if not LIST_TYPE_OCO <= c.list_type <= LIST_TYPE_OTOCO:
        return True
    leg = &legs[2].command
    if count == 2 and (leg.client_ref | <uint64_t> leg.price_ticks | <uint64_t> leg.trigger_price_ticks | leg.side
                       | leg.order_type | leg.time_in_force | leg.order_flags) != 0:
        return True
    for i in range(count):
        leg = &legs[i].command
        if leg.order_type != ORDER_TYPE_LIMIT and leg.order_type != ORDER_TYPE_MARKET and not is_triggered(leg.order_type):
            return True
        if (leg.order_flags & ~(<uint32_t> (ORDER_FLAGS_KEEP_ON_DISCONNECT | ORDER_FLAGS_HIDDEN))
                or leg.time_in_force > TIME_IN_FORCE_GTD):
            return True
        if leg.order_type == ORDER_TYPE_MARKET and (i > 0 or c.list_type == LIST_TYPE_OCO):
            return True
        triggered += is_triggered(leg.order_type)
        trailing += trails_behind(leg.order_type)
        expiring += leg.time_in_force == TIME_IN_FORCE_GTD
        waiting += i >= first and is_triggered(leg.order_type)
    if (c.trigger_source and not triggered) or ((c.trail_offset or c.trail_unit) and not trailing):
        return True
    return (c.expire_ts_ns and not expiring) or (c.list_type != LIST_TYPE_OTO and not waiting)


cdef int ask_risk(State* s, const NewOrderList* c, Leg* legs, uint32_t count, uint32_t* refused) except -1 nogil:
    """Section 14 of leg after leg, those before it counted as open (10.22)."""
    cdef Priced priced[3]
    cdef Order drafts[3]
    cdef Entry entry
    cdef uint32_t i
    cdef int reason
    memset(priced, 0, sizeof(priced))
    for i in range(count):
        drafts[i] = legs[i].draft
        priced[i].has_limit = priced[i].waits = is_triggered(legs[i].command.order_type) or (
            i > 0 and c.list_type != LIST_TYPE_OCO)
        priced[i].price_ticks = legs[i].command.price_ticks
        if kind_behind(legs[i].command.order_type) == ORDER_TYPE_MARKET:
            priced[i].price_ticks = legs[i].terms.trigger_price_ticks
        priced[i].open_price_ticks = priced[i].told_price_ticks = priced[i].price_ticks
        if not priced[i].waits:
            find_way_in(s, &drafts[i], &legs[i].terms, legs[i].command.order_type, legs[i].command.price_ticks, &entry)
            priced[i].has_limit = entry.has_limit
            priced[i].price_ticks = entry.limit_price_ticks
            priced[i].limit_key = entry.limit_key
    for i in range(count):
        refused[0] = i
        reason = leg_risk(s, drafts, priced, i, True, c.ts_ns)
        if reason:
            return reason
    refused[0] = 0
    return leg_risk(s, drafts, priced, 0, False, c.ts_ns)


cdef int refuse_leg(State* s, const NewOrderList* c, const NewComplexOrder* leg, uint32_t list_leg,
                    uint8_t reason) except -1 nogil:
    write_rejected(s, <const Command*> c, TEMPLATE_NEW_ORDER_LIST, reason, c.instrument_id, leg.price_ticks, c.qty_lots,
                   leg.side, c.account_id, 0, 0)
    (<OrderRejected*> (s.cursor - EVENT_BYTES)).client_ref = leg.client_ref
    (<OrderRejected*> (s.cursor - EVENT_BYTES)).list_leg = <uint8_t> list_leg
    return 1


cdef int enter_list(State* s, const NewOrderList* c, const Leg* legs, uint32_t count) except -1 nogil:
    """Accept the legs, which wait for their turn; those that nothing is due before have it at once."""
    cdef uint32_t index = take_list(s), i, slot
    cdef OrderList* found = &s.lists[index]
    cdef Order* order
    cdef Entry entry
    s.list_serial += 1
    found.serial = s.list_serial
    found.list_type = c.list_type
    memset(&entry, 0, sizeof(Entry))
    for i in range(count):
        slot = take_slot(s)
        s.order_serial += 1
        order = &s.orders[slot]
        order[0] = legs[i].draft
        order.order_id = s.order_serial << SLOT_BITS | slot
        s.terms[slot] = legs[i].terms
        s.terms[slot].limit_price_ticks = legs[i].command.price_ticks
        s.terms[slot].group_id = found.serial
        s.terms[slot].group_role = (GROUP_ROLE_OCO_LEG if c.list_type == LIST_TYPE_OCO
                                    else GROUP_ROLE_CHILD if i else GROUP_ROLE_PARENT)
        entry.told_price_ticks = legs[i].command.price_ticks
        tell_accepted(s, <const Command*> c, order, &entry)
        (<OrderAccepted*> (s.cursor - 2 * EVENT_BYTES)).event_flags = EVENT_FLAGS_DORMANT | EVENT_FLAGS_HELD
        hold(s, order)
        found.order_ids[i] = order.order_id
        s.list_of[slot] = index + 1
    for i in range(count if c.list_type == LIST_TYPE_OCO else 1):
        have_turn(s, order_of(s, found.order_ids[i]))
    return 1


# --------------------------------------------------------------------------------------------------- lists

cdef inline Order* order_of(State* s, uint64_t order_id) noexcept nogil:
    return &s.orders[slot_of(order_id)]


cdef uint32_t take_list(State* s) noexcept nogil:
    """The index of a free record, emptied; room has been checked."""
    cdef uint32_t index
    if s.free_list:
        index = s.free_list - 1
        s.free_list = s.lists[index].next
    else:
        index = s.lists_used
        s.lists_used += 1
    memset(&s.lists[index], 0, sizeof(OrderList))
    s.list_count += 1
    return index


cdef void forget_list(State* s, uint32_t index) noexcept nogil:
    """The orders that are left of a list depend on nothing any more."""
    cdef OrderList* found = &s.lists[index]
    cdef uint32_t i
    for i in range(3):
        if found.order_ids[i]:
            s.list_of[slot_of(found.order_ids[i])] = 0
    found.serial = 0
    found.next = s.free_list
    s.free_list = index + 1
    s.list_count -= 1


cdef inline bint is_of_pair(const OrderList* found, uint32_t n) noexcept nogil:
    """Whether an order of a list is one of two that cancel each other."""
    return found.list_type != LIST_TYPE_OTO and (found.list_type == LIST_TYPE_OCO or n > 0)


cdef inline uint32_t other_of_pair(const OrderList* found, uint32_t n) noexcept nogil:
    return (1 if found.list_type == LIST_TYPE_OCO else 3) - n


cdef inline bint has_pair(const OrderList* found) noexcept nogil:
    """Whether both of the pair live."""
    cdef uint32_t first = 1 if found.list_type == LIST_TYPE_OTOCO else 0
    return found.list_type != LIST_TYPE_OTO and found.order_ids[first] != 0 and found.order_ids[first + 1] != 0


cdef bint is_effective(const OrderList* found) noexcept nogil:
    """Whether one of the orders of a list can still cause something to another."""
    if has_pair(found):
        return True
    return found.list_type != LIST_TYPE_OCO and found.order_ids[0] != 0 and (found.order_ids[1] | found.order_ids[2]) != 0


# --------------------------------------------------------------------------------------------------- what events say

cdef int note_lists(State* s, const uint8_t* first_event) except -1 nogil:
    """Rules 10.24 to 10.26: what matches and cancels make due."""
    cdef const uint8_t* event = first_event
    cdef const OrderExecuted* match
    cdef uint64_t header
    while event < s.cursor:
        header = (<const EventHead*> event).header
        match = <const OrderExecuted*> event
        if header == event_header(TEMPLATE_ORDER_EXECUTED) or header == event_header(TEMPLATE_ORDER_TRANSFERRED):
            note_match(s, match.resting_order_id, match.qty_lots, match.resting_leaves_lots)
            note_match(s, match.incoming_order_id, match.qty_lots, match.incoming_leaves_lots)
        elif header == event_header(TEMPLATE_ORDER_CANCELED):
            note_cancel(s, (<const OrderCanceled*> event).order_id)
        event += EVENT_BYTES
    return 0


cdef bint find_place(const State* s, uint64_t order_id, uint32_t* index, uint32_t* n) noexcept nogil:
    """The list an order is in, and its place there; False: it is in none."""
    if not is_listed(s, order_id):
        return False
    index[0] = s.list_of[slot_of(order_id)] - 1
    for n[0] in range(3):
        if s.lists[index[0]].order_ids[n[0]] == order_id:
            return True
    return False


cdef void note_match(State* s, uint64_t order_id, int64_t qty_lots, int64_t leaves_lots) noexcept nogil:
    cdef uint32_t index, n
    cdef OrderList* found
    if not find_place(s, order_id, &index, &n):
        return
    found = &s.lists[index]
    if is_of_pair(found, n) and has_pair(found):
        found.lots += qty_lots
        if leaves_lots == 0:
            found.reason = CANCEL_REASON_LIST_LEG_EXECUTED
    if leaves_lots == 0:
        if n == 0 and found.list_type != LIST_TYPE_OCO:
            found.releases = 1
        note_end(s, index, n)
    else:
        queue_list(s, index)


cdef void note_cancel(State* s, uint64_t order_id) noexcept nogil:
    cdef uint32_t index, n
    cdef OrderList* found
    if not find_place(s, order_id, &index, &n):
        return
    found = &s.lists[index]
    if is_of_pair(found, n) and has_pair(found) and found.reason == 0:
        found.reason = CANCEL_REASON_LIST_LEG_ENDED
    if n == 0 and found.list_type != LIST_TYPE_OCO:
        found.drops = 1
    note_end(s, index, n)


cdef void note_end(State* s, uint32_t index, uint32_t n) noexcept nogil:
    """An order of a list has ended."""
    cdef OrderList* found = &s.lists[index]
    s.list_of[slot_of(found.order_ids[n])] = 0
    found.order_ids[n] = 0
    queue_list(s, index)
    if not found.queued and not is_effective(found):
        forget_list(s, index)


cdef void queue_list(State* s, uint32_t index) noexcept nogil:
    """Something may be due in a list: it stands in the queue once."""
    cdef OrderList* found = &s.lists[index]
    if found.queued or not (found.drops or found.releases or found.lots or found.reason):
        return
    found.queued = 1
    found.next = 0
    if s.queue_tail:
        s.lists[s.queue_tail - 1].next = index + 1
    else:
        s.queue_head = index + 1
    s.queue_tail = index + 1


# --------------------------------------------------------------------------------------------------- what follows

cdef int settle_lists(State* s, int64_t ts_ns) except -1 nogil:
    """Rules 10.24 to 10.27, list by list."""
    cdef Command venue
    cdef const uint8_t* first_event
    cdef OrderList* found
    cdef uint32_t index
    memset(&venue, 0, sizeof(Command))
    venue.ts_ns = ts_ns
    while s.queue_head:
        if events_left(s) < 2:
            return 0
        index = s.queue_head - 1
        found = &s.lists[index]
        s.queue_head = found.next
        if s.queue_head == 0:
            s.queue_tail = 0
        first_event = s.cursor
        s.stirs = 1
        act(s, &venue, index)
        found.drops = found.releases = found.queued = found.reason = 0
        found.lots = 0
        if s.risk.is_used:
            follow_events(s, first_event)
        note_lists(s, first_event)
        if found.serial and not found.queued and not is_effective(found):
            forget_list(s, index)
    return 1


cdef int act(State* s, const Command* venue, uint32_t index) except -1 nogil:
    """Do what is due between the orders of a list: two events at most."""
    cdef const OrderList* found = &s.lists[index]
    cdef uint32_t i, first = 0 if found.list_type == LIST_TYPE_OCO else 1
    cdef bint pair = has_pair(found)
    for i in range(first, 3):
        if found.order_ids[i] == 0:
            continue
        if found.drops:
            cancel(s, venue, found.order_ids[i], CANCEL_REASON_LIST_PARENT_ENDED)
        elif found.releases:
            have_turn(s, order_of(s, found.order_ids[i]))
        elif found.reason:
            cancel(s, venue, found.order_ids[i], found.reason)
        elif pair and s.terms[slot_of(found.order_ids[i])].place:
            return take_off(s, venue, index, found.order_ids[i], found.lots)
    return 0


cdef inline int cancel(State* s, const Command* venue, uint64_t order_id, uint32_t cancel_reason) except -1 nogil:
    return cancel_resting(s, venue, order_of(s, order_id), cancel_reason, EVENT_FLAGS_UNSOLICITED)


cdef int take_off(State* s, const Command* venue, uint32_t index, uint64_t order_id, int64_t lots) except -1 nogil:
    """Lots that one of a pair executed are taken off the other, which is dormant (10.24)."""
    cdef Order* order = order_of(s, order_id)
    if lots >= order.leaves_lots:
        forget_list(s, index)               # the first one stays, and depends on nothing
        return cancel(s, venue, order_id, CANCEL_REASON_LIST_LEG_EXECUTED)
    reduce_dormant(s, venue, order, lots)
    (<OrderReduced*> (s.cursor - EVENT_BYTES)).cancel_reason = CANCEL_REASON_LIST_LEG_EXECUTED
    return 0


cdef int note_triggered(State* s, const Command* venue, const Order* order) except -1 nogil:
    """Rule 10.25."""
    cdef uint32_t index, n
    cdef uint64_t other_id
    if s.list_count == 0 or not find_place(s, order.order_id, &index, &n):
        return 0
    if not is_of_pair(&s.lists[index], n) or not has_pair(&s.lists[index]):
        return 0
    other_id = s.lists[index].order_ids[other_of_pair(&s.lists[index], n)]
    forget_list(s, index)
    return cancel(s, venue, other_id, CANCEL_REASON_LIST_LEG_EXECUTED)
