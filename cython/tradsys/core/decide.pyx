"""Deciding commands: the rules for orders (sections 3 to 5 of the rule book) and the loop over a batch."""
cimport cython
from libc.stdint cimport uint16_t, uint32_t, uint64_t

from tradsys.core.admin cimport decide_admin
from tradsys.core.allocation cimport forget_top_order, match_allocated, reachable_allocated
from tradsys.core.conduct_check cimport rests_too_short
from tradsys.core.dormant cimport reduce_dormant, replace_dormant
from tradsys.core.events cimport (
    Command, number_command, unsolicited, write_accepted, write_canceled, write_executed, write_reduced,
    write_rejected, write_replaced, write_rested)
from tradsys.core.follow cimport finish_last, follow_order, follow_other
from tradsys.core.general cimport (
    LOOKED_AT_AND_FINE, decide_general_order, decide_general_replace, look_closer, replace_needs_general_path)
from tradsys.core.ladder cimport (
    CACHE_PAGES, PAGE_BITS, PAGE_LEVELS, Ladder, Level, Page, ladder_next_level, level_at, level_key)
from tradsys.core.lists cimport decide_order_list
from tradsys.core.order cimport ORDERS_LIMIT, SLOT_BITS, SLOT_NONE, Order, slot_of
from tradsys.core.phase_table cimport is_call, market_key, may_rest, posts_only
from tradsys.core.phases cimport interrupt, key_in_range, note_last_price, room_for_a_call
from tradsys.core.prefetch cimport chosen, prefetch, prefetch_once
from tradsys.core.references cimport (
    REFS_PLACES, RefsLine, refs_add, refs_find, refs_home, refs_remove, refs_tag, tradsys_tags_equal)
from tradsys.core.resting cimport (
    cancel_resting, is_market, rest_order, resting_price, side_of_order, unrest_order)
from tradsys.core.risk cimport market_limit_key, new_order_risk, replace_order_risk
from tradsys.core.risk_commands cimport decide_risk_command
from tradsys.core.state cimport (
    GATE_OPEN, GATE_RISK, SPECIAL_ALLOCATION, SPECIAL_RESTING, SPECIAL_RISK, SPECIAL_RULES, SPECIAL_TRIGGERS, Instrument,
    Session, events_left, give_slot, other_side_of, take_slot)
from tradsys.core.terms cimport Terms, is_dormant
from tradsys.core.validation cimport (
    cancel_order_reason, reduce_order_reason, replace_order_reason)
from tradsys.core.venue_commands cimport decide_venue_command
from tradsys.wire.records cimport (
    BLOCK_CANCEL_ORDER, CANCEL_REASON_BY_OWNER, CANCEL_REASON_FOK_UNFILLABLE, CANCEL_REASON_IOC_REMAINDER,
    CANCEL_REASON_NO_LIQUIDITY, CANCEL_REASON_PRICE_PROTECTION, CANCEL_REASON_PRICE_RANGE, CANCEL_REASON_SELF_TRADE,
    COMMAND_BLOCK_LENGTHS, COMMAND_TEMPLATES, EVENT_FLAGS_PRIORITY_KEPT, EVENT_FLAGS_RESTS, EVENT_FLAGS_UNSOLICITED,
    INSTRUMENT_STATE_OPEN, ORDER_FLAGS_COMPLEX, ORDER_FLAGS_KEEP_ON_DISCONNECT, ORDER_TYPE_MARKET,
    REJECT_REASON_BAD_ORDER_TYPE, REJECT_REASON_BOOK_FULL, REJECT_REASON_DUPLICATE_CLIENT_REF,
    REJECT_REASON_POST_ONLY_WOULD_MATCH, REJECT_REASON_QTY_BELOW_FILLED, REJECT_REASON_RESTED_TOO_SHORT,
    REJECT_REASON_UNKNOWN_ORDER, SCHEMA_ID, SCHEMA_VERSION, SIZE_CANCEL_ORDER, STP_MODE_CANCEL_BOTH,
    STP_MODE_CANCEL_NEWEST, STP_MODE_CANCEL_OLDEST, STP_MODE_NONE, STP_MODE_PARTICIPANT_DEFAULT, TEMPLATE_CANCEL_ORDER,
    TEMPLATE_NEW_COMPLEX_ORDER, TEMPLATE_NEW_ORDER, TEMPLATE_NEW_ORDER_LIST, TEMPLATE_REDUCE_ORDER,
    TEMPLATE_REPLACE_ORDER, TEMPLATE_SET_CONDUCT_LIMITS, TEMPLATE_SET_FEE_SCHEDULE, TEMPLATE_SET_PRICE_BANDS,
    TEMPLATE_SET_RISK_LIMITS,
    TIME_IN_FORCE_FOK, TIME_IN_FORCE_GTX, TIME_IN_FORCE_IOC, CancelOrder, MessageHeader, NewComplexOrder, NewOrder,
    NewOrderList, ReduceOrder, ReplaceOrder)

cdef extern from * nogil:
    int __builtin_ctz(unsigned int)
    long __builtin_expect(long, long)

# --------------------------------------------------------------------------------------------------- new order

cdef inline int decide_new_order(State* s, const NewOrder* c, uint32_t tag) except -1 nogil:
    """Rules 3.2 and 4; 1: decided, 0: its events might not fit the buffer."""
    cdef const Command* command = <const Command*> c
    cdef uint8_t reason = 0
    cdef uint32_t slot
    cdef Order* order
    cdef bint collects = False
    cdef bint is_plain = is_plain_limit(s, c)
    cdef int found
    if __builtin_expect(not is_plain, 0):
        found = look_closer(s, c, tag)
        if found <= 1:
            return found
        if found > LOOKED_AT_AND_FINE:
            return refuse_new_order(s, c, <uint8_t> (found - LOOKED_AT_AND_FINE))
        collects = is_call(s.instruments[c.instrument_id].state)
    cdef Instrument* instrument = &s.instruments[c.instrument_id]
    cdef Ladder* other = other_side_of(instrument, c.side)
    cdef bint market = c.order_type == ORDER_TYPE_MARKET
    cdef int64_t limit_key = market_key(s, c.instrument_id, other) if market else c.price_ticks ^ other.key_mask
    if __builtin_expect(market and not collects and instrument.special & SPECIAL_RISK, 0):
        limit_key = min(limit_key, market_limit_key(s, c.instrument_id, c.side, limit_key))
    cdef bint crosses = other.best_key <= limit_key and not collects
    cdef bint rests = collects or (not market and may_rest(c.time_in_force))
    if __builtin_expect(refs_find(&s.refs, s.orders, tag, c.session_id, c.client_ref) != 0, 0):
        return refuse_new_order(s, c, REJECT_REASON_DUPLICATE_CLIENT_REF)
    if __builtin_expect(crosses and posts_only(instrument, c.order_flags), 0):
        return refuse_new_order(s, c, REJECT_REASON_POST_ONLY_WOULD_MATCH)
    if __builtin_expect(s.free_slot == SLOT_NONE and s.slots_used == s.orders_max, 0):
        return refuse_new_order(s, c, REJECT_REASON_BOOK_FULL)
    if crosses and not room_to_match(s, c.instrument_id, other, limit_key, stp_mode_of(s, c), c.session_id,
                                     c.qty_lots):
        return 0
    if __builtin_expect(instrument.special & SPECIAL_RULES, 0) and not room_for_a_call(s, c.instrument_id):
        return 0
    if not rests and events_left(s) < 2:
        return 0
    if __builtin_expect(not is_plain or s.sessions[c.session_id].gate & GATE_RISK, 0):
        reason = <uint8_t> new_order_risk(s, c, limit_key)
        if reason:
            return refuse_new_order(s, c, reason)
    number_command(s, command)
    slot = take_slot(s)
    order = &s.orders[slot]
    fill_order(s, c, order, slot, tag)
    if crosses or not rests:
        write_accepted(s, command, order, c.price_ticks, 0)
        return match_and_finish(s, command, order, c.price_ticks, limit_key)
    refs_add(&s.refs, tag, slot)
    write_accepted(s, command, order, c.price_ticks, EVENT_FLAGS_RESTS)
    rest_order(s, order, c.price_ticks)
    return 1


@cython.overflowcheck(False)
cdef inline bint is_plain_limit(const State* s, const NewOrder* c) noexcept nogil:
    """Whether nothing of rule 3.2 before DUPLICATE_CLIENT_REF can fail, for the common kind of order.

    One pass, no early exits; False means that new_order_reason() has to look.
    """
    cdef const Session* session = &s.sessions[c.session_id if c.session_id < s.sessions_max else 0]
    cdef const Instrument* instrument = &s.instruments[c.instrument_id if c.instrument_id < s.instruments_max else 0]
    cdef uint32_t kinds = (<const uint32_t*> &c.side)[0] - <uint32_t> 0x00010101     # side, type, time in force from 0
    cdef uint32_t flags = c.order_flags | <uint32_t> (<const uint16_t*> c.pad)[0] << 16    # and padding
    cdef uint64_t odd = (session.gate | <uint32_t> GATE_RISK) ^ (GATE_OPEN | GATE_RISK)
    odd |= instrument.state ^ INSTRUMENT_STATE_OPEN
    odd |= instrument.special & ~<uint64_t> SPECIAL_TRIGGERS
    odd |= c.account_id
    odd |= (kinds & <uint32_t> 0xF8FCFFFE) | <uint32_t> (kinds >> 24 > STP_MODE_CANCEL_BOTH)
    odd |= (flags & ~(<uint32_t> 3)) | (flags & (kinds >> 17) & 1)                   # POST_ONLY with IOC or FOK
    odd |= <uint64_t> c.expire_ts_ns
    odd |= <uint64_t> (<uint64_t> c.qty_lots - <uint64_t> instrument.qty_min_lots > instrument.qty_range)
    odd |= <uint64_t> (<uint64_t> c.price_ticks - <uint64_t> instrument.price_min_ticks > instrument.price_range)
    if instrument.increments:
        odd |= <uint64_t> (c.qty_lots % instrument.qty_increment_lots)
        odd |= <uint64_t> (c.price_ticks % instrument.price_increment_ticks)
    return odd == 0


cdef inline uint32_t stp_mode_of(const State* s, const NewOrder* c) noexcept nogil:
    """The order's STP mode, its participant's default where it names none."""
    return s.sessions[c.session_id].stp_mode if c.stp_mode == STP_MODE_PARTICIPANT_DEFAULT else c.stp_mode


cdef inline void fill_order(State* s, const NewOrder* c, Order* order, uint32_t slot, uint32_t tag) noexcept nogil:
    """Make the order of a command that has been accepted."""
    s.order_serial += 1
    order.order_id = s.order_serial << SLOT_BITS | slot
    order.leaves_lots = c.qty_lots
    order.level = 0
    order.session_id = c.session_id
    order.client_ref = c.client_ref
    order.qty_lots = c.qty_lots
    order.account_id = c.account_id
    order.ref_tag = tag
    order.instrument_id = <uint16_t> c.instrument_id
    order.traits = ((<const uint32_t*> &c.side)[0] & 0xFFFFFF) | stp_mode_of(s, c) << 24
    order.order_flags = c.order_flags


cdef int refuse_new_order(State* s, const NewOrder* c, uint8_t reason) except -1 nogil:
    number_command(s, <const Command*> c)
    write_rejected(s, <const Command*> c, TEMPLATE_NEW_ORDER, reason, c.instrument_id, c.price_ticks, c.qty_lots, c.side,
                   c.account_id, 0, 0)
    return 1


# --------------------------------------------------------------------------------------------------- matching

cdef bint room_to_match(State* s, uint32_t instrument_id, Ladder* other, int64_t limit_key, uint32_t stp_mode,
                        uint32_t session_id, int64_t qty_lots) noexcept nogil:
    """Whether the buffer takes all events of an order that can match: counted out only when a bound does not do."""
    cdef int64_t room = events_left(s) - 3
    cdef int64_t events
    if room < 0:
        return False
    if <int64_t> other.order_count <= room or (stp_mode == STP_MODE_NONE and qty_lots <= room):
        return True
    reachable_lots(s, instrument_id, other, limit_key, stp_mode, session_id, qty_lots, &events)
    return events <= room


cdef int64_t reachable_lots(State* s, uint32_t instrument_id, Ladder* other, int64_t limit_key, uint32_t stp_mode,
                            uint32_t session_id, int64_t qty_lots, int64_t* events) noexcept nogil:
    """Lots up to `qty_lots` that would match (rule 4.7); `events` receives the matches and cancels of resting orders."""
    if s.instruments[instrument_id].special & SPECIAL_ALLOCATION:
        return reachable_allocated(s, other, limit_key, stp_mode, session_id, qty_lots, events)
    cdef uint32_t participant_id = s.sessions[session_id].participant_id
    cdef uint32_t level = other.best_level, slot
    cdef int64_t reached = 0
    cdef const Order* resting
    events[0] = 0
    while level and level_key(&s.levels, level) <= limit_key:
        slot = level_at(&s.levels, level).head_slot
        while slot != SLOT_NONE:
            resting = &s.orders[slot]
            events[0] += 1
            if stp_mode == STP_MODE_NONE or s.sessions[resting.session_id].participant_id != participant_id:
                if resting.leaves_lots >= qty_lots - reached:
                    return qty_lots
                reached += resting.leaves_lots
            elif stp_mode != STP_MODE_CANCEL_OLDEST:
                return reached
            slot = resting.next_slot
        level = ladder_next_level(&s.levels, level)
    return reached


cdef int match_and_finish(State* s, const Command* c, Order* order, int64_t price_ticks,
                          int64_t limit_key) except -1 nogil:
    """Match an order that has just been accepted or replaced, then rest or cancel what is left of it."""
    cdef Ladder* other = other_side_of(&s.instruments[order.instrument_id], side_of_order(order))
    cdef uint32_t time_in_force = order.traits >> 16 & 0xFF
    cdef uint32_t reason = 0
    cdef int64_t events, reach_key = limit_key
    cdef bint ruled = s.instruments[order.instrument_id].special & SPECIAL_RULES
    if __builtin_expect(ruled, 0):
        reach_key = key_in_range(s, order.instrument_id, other, limit_key)
    if time_in_force == TIME_IN_FORCE_FOK and reachable_lots(
            s, order.instrument_id, other, reach_key, order.traits >> 24, order.session_id, order.leaves_lots,
            &events) < order.leaves_lots:
        reason = CANCEL_REASON_FOK_UNFILLABLE
    elif match_ruled(s, c, order, other, reach_key) if ruled else match_incoming(s, c, order, other, reach_key):
        reason = CANCEL_REASON_SELF_TRADE
    elif order.leaves_lots == 0:
        give_slot(s, order, slot_of(order.order_id))
        return 1
    elif __builtin_expect(ruled, 0) and other.best_key <= limit_key:
        interrupt(s, c, order.instrument_id, other.best_key ^ other.key_mask)
        if time_in_force == TIME_IN_FORCE_IOC or time_in_force == TIME_IN_FORCE_GTX:
            reason = CANCEL_REASON_PRICE_RANGE
    elif time_in_force == TIME_IN_FORCE_IOC:
        reason = CANCEL_REASON_IOC_REMAINDER
    elif (order.traits >> 8 & 0xFF) == ORDER_TYPE_MARKET:
        reason = CANCEL_REASON_PRICE_PROTECTION if other.order_count else CANCEL_REASON_NO_LIQUIDITY
    if reason:
        assert order.leaves_lots > 0
        write_canceled(s, c, order, price_ticks, reason, unsolicited(c, order))
        give_slot(s, order, slot_of(order.order_id))
        return 1
    assert may_rest(time_in_force)
    refs_add(&s.refs, order.ref_tag, slot_of(order.order_id))
    write_rested(s, c, order, price_ticks)
    rest_order(s, order, price_ticks)
    return 1


cdef int match_ruled(State* s, const Command* c, Order* order, Ladder* other, int64_t limit_key) except -1 nogil:
    """`match_incoming` on an instrument that keeps its last price."""
    cdef const uint8_t* first_event = s.cursor
    cdef int ended = match_incoming(s, c, order, other, limit_key)
    note_last_price(s, order.instrument_id, first_event)
    return ended


cdef int match_incoming(State* s, const Command* c, Order* order, Ladder* other, int64_t limit_key) except -1 nogil:
    """Match an order as far as its limit and rule 4.8 allow; 1: self-trade prevention ends it."""
    cdef uint32_t stp_mode = order.traits >> 24
    cdef uint32_t participant_id = s.sessions[order.session_id].participant_id
    cdef Order* resting
    cdef Level* level
    cdef int64_t qty_lots
    cdef uint32_t slot
    if __builtin_expect(s.instruments[order.instrument_id].special & SPECIAL_ALLOCATION, 0):
        return match_allocated(s, c, order, other, limit_key)
    while order.leaves_lots > 0 and other.best_key <= limit_key:
        level = level_at(&s.levels, other.best_level)
        slot = level.head_slot
        resting = &s.orders[slot]
        prefetch(&s.orders[resting.next_slot if resting.next_slot != SLOT_NONE else slot])
        assert resting.level == other.best_level
        if stp_mode != STP_MODE_NONE and s.sessions[resting.session_id].participant_id == participant_id:
            if stp_mode == STP_MODE_CANCEL_NEWEST:
                return 1
            cancel_resting(s, c, resting, CANCEL_REASON_SELF_TRADE, EVENT_FLAGS_UNSOLICITED)
            if stp_mode == STP_MODE_CANCEL_BOTH:
                return 1
            continue
        qty_lots = resting.leaves_lots if resting.leaves_lots < order.leaves_lots else order.leaves_lots
        assert qty_lots > 0
        order.leaves_lots -= qty_lots
        resting.leaves_lots -= qty_lots
        level.qty_lots -= qty_lots
        write_executed(s, c, resting, order, other.best_key ^ other.key_mask, qty_lots)
        if resting.leaves_lots == 0:
            unrest_order(s, resting)
            give_slot(s, resting, slot)
    return 0


# --------------------------------------------------------------------------------------------------- cancel, reduce

cdef inline Order* find_order(State* s, uint32_t session_id, uint32_t instrument_id, uint64_t orig_client_ref,
                              uint32_t orig_tag, uint64_t order_id) noexcept nogil:
    """The live order a sender names and may reach (rule 2.6), else NULL. The sender is defined or the venue.

    `orig_tag` is the tag of (session_id, orig_client_ref).
    """
    cdef Order* order
    cdef uint32_t slot
    if order_id != 0:
        slot = slot_of(order_id)
        if slot >= s.slots_used:
            return NULL
        order = &s.orders[slot]
        if order.order_id != order_id:
            return NULL
        if order.session_id != session_id and session_id != 0 and (
                s.sessions[order.session_id].participant_id != s.sessions[session_id].participant_id):
            return NULL
    else:
        slot = refs_find(&s.refs, s.orders, orig_tag, session_id, orig_client_ref)
        if slot == 0:
            return NULL
        order = &s.orders[slot - 1]
    return order if order.instrument_id == instrument_id else NULL


cdef inline int decide_cancel_order(State* s, const CancelOrder* c, uint32_t orig_tag) except -1 nogil:
    """Rules 3.6 and 5.1; 1: decided."""
    cdef const Command* command = <const Command*> c
    cdef uint8_t reason = 0
    cdef Order* order = NULL
    cdef bint is_plain = is_plain_cancel(s, c)
    if __builtin_expect(not is_plain, 0):
        reason = cancel_order_reason(s, c)
    if __builtin_expect(reason == 0, 1):
        order = find_order(s, c.session_id, c.instrument_id, c.orig_client_ref, orig_tag, c.order_id)
    if __builtin_expect(not is_plain, 0) and order != NULL and c.session_id and rests_too_short(s, order, c.ts_ns):
        reason = REJECT_REASON_RESTED_TOO_SHORT
        order = NULL
    number_command(s, command)
    if __builtin_expect(order == NULL, 0):
        write_rejected(s, command, TEMPLATE_CANCEL_ORDER, reason if reason else <uint8_t> REJECT_REASON_UNKNOWN_ORDER,
                       c.instrument_id, 0, 0, 0, 0, c.orig_client_ref, c.order_id)
        return 1
    cancel_resting(s, command, order, CANCEL_REASON_BY_OWNER, unsolicited(command, order))
    return 1


cdef inline bint is_plain_cancel(const State* s, const CancelOrder* c) noexcept nogil:
    """Whether nothing of rule 3.6 but UNKNOWN_ORDER can fail, for the common kind of sender and instrument."""
    cdef const Session* session = &s.sessions[c.session_id if c.session_id < s.sessions_max else 0]
    cdef const Instrument* instrument = &s.instruments[c.instrument_id if c.instrument_id < s.instruments_max else 0]
    cdef const uint64_t* pad = <const uint64_t*> c.pad
    return session.gate != 0 and instrument.state != 0 and (
        pad[0] | pad[1] | (<const uint32_t*> c.pad2)[0] | (instrument.special & SPECIAL_RESTING)) == 0


cdef int decide_reduce_order(State* s, const ReduceOrder* c) except -1 nogil:
    """Rules 3.6 and 5.2; 1: decided."""
    cdef const Command* command = <const Command*> c
    cdef uint8_t reason = reduce_order_reason(s, c)
    cdef Order* order = NULL
    cdef Terms* terms
    if reason == 0:
        order = find_order(s, c.session_id, c.instrument_id, c.orig_client_ref,
                           refs_tag(&s.refs, c.session_id, c.orig_client_ref), c.order_id)
        if order != NULL and rests_too_short(s, order, c.ts_ns):
            reason = REJECT_REASON_RESTED_TOO_SHORT
            order = NULL
    number_command(s, command)
    if order == NULL:
        write_rejected(s, command, TEMPLATE_REDUCE_ORDER, reason if reason else <uint8_t> REJECT_REASON_UNKNOWN_ORDER,
                       c.instrument_id, 0, c.qty_lots, 0, 0, c.orig_client_ref, c.order_id)
        return 1
    if c.qty_lots >= order.leaves_lots:
        cancel_resting(s, command, order, CANCEL_REASON_BY_OWNER, unsolicited(command, order))
        return 1
    if __builtin_expect(is_dormant(order), 0):
        return reduce_dormant(s, command, order, c.qty_lots)
    order.leaves_lots -= c.qty_lots
    order.qty_lots -= c.qty_lots
    level_at(&s.levels, order.level).qty_lots -= c.qty_lots
    if __builtin_expect(order.order_flags & ORDER_FLAGS_COMPLEX, 0):
        terms = &s.terms[slot_of(order.order_id)]
        terms.shown_lots = min(terms.shown_lots, order.leaves_lots)     # 0 stays 0: no iceberg
    write_reduced(s, command, order, resting_price(s, order), c.qty_lots,
                  EVENT_FLAGS_RESTS | EVENT_FLAGS_PRIORITY_KEPT | unsolicited(command, order))
    return 1


# --------------------------------------------------------------------------------------------------- replace

cdef int decide_replace_order(State* s, const ReplaceOrder* c) except -1 nogil:
    """Rules 3.5, 5.3 to 5.5; 1: decided, 0: its events might not fit the buffer."""
    cdef const Command* command = <const Command*> c
    cdef uint8_t reason = replace_order_reason(s, c)
    cdef Order* order = NULL
    cdef Ladder* other
    cdef int64_t limit_key
    cdef bint crosses
    if reason == 0:
        order = find_order(s, c.session_id, c.instrument_id, c.orig_client_ref,
                           refs_tag(&s.refs, c.session_id, c.orig_client_ref), c.order_id)
        reason = replaced_order_reason(s, c, order)
        if order != NULL and reason != REJECT_REASON_DUPLICATE_CLIENT_REF and is_dormant(order):
            return replace_dormant(s, c, order)
        if (order != NULL and (reason == 0 or reason == REJECT_REASON_POST_ONLY_WOULD_MATCH)
                and replace_needs_general_path(s, order)):
            return decide_general_replace(s, c, order)
    if reason == 0 and not room_to_replace(s, c, order):
        return 0
    if reason == 0:
        reason = <uint8_t> replace_order_risk(s, c, order, c.price_ticks)
    if reason:
        number_command(s, command)
        write_rejected(s, command, TEMPLATE_REPLACE_ORDER, reason, c.instrument_id, c.price_ticks, c.qty_lots, 0, 0,
                       c.orig_client_ref, c.order_id)
        return 1
    if c.qty_lots <= order.qty_lots and c.price_ticks == resting_price(s, order):
        number_command(s, command)
        return replace_in_place(s, c, order)
    other = other_side_of(&s.instruments[c.instrument_id], side_of_order(order))
    limit_key = c.price_ticks ^ other.key_mask
    crosses = other.best_key <= limit_key and not is_call(s.instruments[c.instrument_id].state)
    number_command(s, command)
    return replace_from_anew(s, c, order, limit_key, crosses)


cdef bint room_to_replace(State* s, const ReplaceOrder* c, const Order* order) noexcept nogil:
    """Whether the buffer takes all events of a replace that nothing stands against."""
    cdef Instrument* instrument = &s.instruments[c.instrument_id]
    cdef Ladder* other = other_side_of(instrument, side_of_order(order))
    cdef int64_t limit_key = c.price_ticks ^ other.key_mask
    if instrument.special & SPECIAL_RULES and not room_for_a_call(s, c.instrument_id):
        return False
    return other.best_key > limit_key or is_call(instrument.state) or room_to_match(
        s, c.instrument_id, other, limit_key, order.traits >> 24, order.session_id,
        c.qty_lots - (order.qty_lots - order.leaves_lots))


cdef uint8_t replaced_order_reason(State* s, const ReplaceOrder* c, const Order* order) noexcept nogil:
    """The checks of rule 3.5 that look at live orders; `order` is the one reached, or NULL."""
    cdef uint32_t owner = c.session_id if order == NULL else order.session_id
    cdef uint32_t holder = refs_find(&s.refs, s.orders, refs_tag(&s.refs, owner, c.client_ref), owner, c.client_ref)
    cdef Ladder* other
    if holder != 0 and (order == NULL or holder - 1 != slot_of(order.order_id)):
        return REJECT_REASON_DUPLICATE_CLIENT_REF
    if order == NULL:
        return REJECT_REASON_UNKNOWN_ORDER
    if rests_too_short(s, order, c.ts_ns):
        return REJECT_REASON_RESTED_TOO_SHORT
    if is_market(order):
        return REJECT_REASON_BAD_ORDER_TYPE
    if c.qty_lots <= order.qty_lots - order.leaves_lots:
        return REJECT_REASON_QTY_BELOW_FILLED
    other = other_side_of(&s.instruments[c.instrument_id], side_of_order(order))
    if posts_only(&s.instruments[c.instrument_id], c.order_flags) and other.best_key <= c.price_ticks ^ other.key_mask:
        return REJECT_REASON_POST_ONLY_WOULD_MATCH
    return 0


cdef inline void take_replacement(State* s, Order* order, const ReplaceOrder* c) noexcept nogil:
    """What a replace changes of an order but its price and place."""
    order.leaves_lots = c.qty_lots - (order.qty_lots - order.leaves_lots)
    order.qty_lots = c.qty_lots
    order.client_ref = c.client_ref
    order.ref_tag = refs_tag(&s.refs, order.session_id, c.client_ref)
    order.order_flags = <uint16_t> ((order.order_flags & ORDER_FLAGS_KEEP_ON_DISCONNECT) | c.order_flags)


cdef int replace_in_place(State* s, const ReplaceOrder* c, Order* order) except -1 nogil:
    """A replace that keeps its place: same price, total not higher."""
    cdef uint64_t ref_before = order.client_ref
    cdef int64_t leaves_before = order.leaves_lots
    cdef uint32_t slot = slot_of(order.order_id)
    if ref_before != c.client_ref:
        refs_remove(&s.refs, order.ref_tag, slot)
        refs_add(&s.refs, refs_tag(&s.refs, order.session_id, c.client_ref), slot)
    take_replacement(s, order, c)
    assert 0 < order.leaves_lots <= leaves_before
    level_at(&s.levels, order.level).qty_lots -= leaves_before - order.leaves_lots
    write_replaced(s, <const Command*> c, order, c.price_ticks, EVENT_FLAGS_RESTS | EVENT_FLAGS_PRIORITY_KEPT,
                   ref_before, c.price_ticks, leaves_before)
    return 1


cdef int replace_from_anew(State* s, const ReplaceOrder* c, Order* order, int64_t limit_key,
                           bint crosses) except -1 nogil:
    """A replace that leaves its place and comes in like an incoming order."""
    cdef const Command* command = <const Command*> c
    cdef uint64_t ref_before = order.client_ref
    cdef int64_t leaves_before = order.leaves_lots
    cdef int64_t price_before = resting_price(s, order)
    unrest_order(s, order)
    forget_top_order(s, order, side_of_order(order))
    take_replacement(s, order, c)
    assert order.leaves_lots > 0
    if crosses:
        write_replaced(s, command, order, c.price_ticks, 0, ref_before, price_before, leaves_before)
        return match_and_finish(s, command, order, c.price_ticks, limit_key)
    refs_add(&s.refs, order.ref_tag, slot_of(order.order_id))
    write_replaced(s, command, order, c.price_ticks, EVENT_FLAGS_RESTS, ref_before, price_before, leaves_before)
    rest_order(s, order, c.price_ticks)
    return 1


# --------------------------------------------------------------------------------------------------- looking ahead

cdef enum:
    AHEAD_RING = 16                     # a power of two above AHEAD_FIRST
    AHEAD_FIRST = 12                    # commands between the look and the decision
    AHEAD_SECOND = 8
    AHEAD_THIRD = 4
    AHEAD_FAR_SLOTS = 32768             # up to here orders lie near: looks that read less bring more
    AHEAD_RECORDS = 2560                # bytes between a first look and the records it fetches

cdef struct Ahead:                      # what is known of a command to come
    uint32_t tag                        # of the reference it enters or names; the only thing a decision relies on
    uint32_t line                       # home of the tag in the table of references
    uint32_t slot                       # slot it seems to name, else 0
    uint32_t level                      # level a new order seems to go to, else 0


# The three looks read records that may be of any kind, or no records at all, and state that commands in between will
# change: what they find decides nothing but what is fetched into the cache. They do not branch on the kind of a
# command, which is as good as random; a fetch too many is cheaper than a mispredicted branch.

cdef inline uint64_t order_command_header(uint64_t template_id) noexcept nogil:
    """The 8-byte header of commands 1 to 6 as one word."""
    return BLOCK_CANCEL_ORDER | template_id << 16 | <uint64_t> SCHEMA_ID << 32 | <uint64_t> SCHEMA_VERSION << 48


cdef inline uint32_t tag_of_command(const State* s, const Command* c) noexcept nogil:
    """Tag of the reference a command enters or names."""
    cdef uint64_t is_new = c.header == order_command_header(TEMPLATE_NEW_ORDER)
    return refs_tag(&s.refs, c.session_id, (<const uint64_t*> c)[8 - 4 * is_new])    # orig_client_ref or client_ref


cdef inline void look_first(State* s, const Command* c, Ahead* ahead) noexcept nogil:
    """The line of the reference, and the order when it is named by id."""
    cdef const uint64_t* words = <const uint64_t*> c
    prefetch_once(<const uint8_t*> c + AHEAD_RECORDS)
    ahead.tag = tag_of_command(s, c)
    ahead.line = refs_home(&s.refs, ahead.tag)
    prefetch(&s.refs.lines[ahead.line])
    prefetch(&s.orders[words[9] & (ORDERS_LIMIT - 1)])              # order_id; 0 in a new order


@cython.overflowcheck(False)
cdef inline void look_second(State* s, const Command* c, Ahead* ahead) noexcept nogil:
    """The order when it is named by reference, the level a new order goes to."""
    cdef const uint64_t* words = <const uint64_t*> c
    cdef const NewOrder* order = <const NewOrder*> c
    cdef const RefsLine* line = &s.refs.lines[ahead.line]
    # a new order's tag is in no place, as a rule: then the bit behind the last place names the eighth slot, 0
    cdef uint32_t named = line.slots[__builtin_ctz(tradsys_tags_equal(line.tags, ahead.tag) | 1 << REFS_PLACES)]
    cdef uint32_t slot = chosen(words[9] != 0, <uint32_t> (words[9] & (ORDERS_LIMIT - 1)), named)
    cdef uint32_t instrument_id = order.instrument_id if order.instrument_id < s.instruments_max else 0
    cdef const Ladder* ladder = &s.instruments[instrument_id].sides[(order.side + 1) & 1]
    cdef int64_t key = order.price_ticks ^ ladder.key_mask
    cdef uint32_t page = ladder.cache[(key >> PAGE_BITS) & (CACHE_PAGES - 1)]
    ahead.slot = chosen(slot < s.slots_used, slot, 0)
    ahead.level = page * PAGE_LEVELS + <uint32_t> (key & (PAGE_LEVELS - 1))
    prefetch(&s.orders[ahead.slot])
    prefetch(&s.levels.pages[page])
    prefetch(&s.levels.pages[page].levels[key & (PAGE_LEVELS - 1)])


cdef inline void look_third(State* s, const Ahead* ahead) noexcept nogil:
    """The order's neighbours, level and reference; the order a new one stands behind."""
    cdef const Order* order = &s.orders[ahead.slot]
    cdef uint32_t after = chosen(order.next_slot < s.slots_used, order.next_slot, ahead.slot)
    cdef uint32_t before = chosen(order.prev_slot < s.slots_used, order.prev_slot, ahead.slot)
    cdef const Page* page = &s.levels.pages[order.level >> PAGE_BITS]
    cdef uint32_t tail = s.levels.pages[ahead.level >> PAGE_BITS].levels[ahead.level & (PAGE_LEVELS - 1)].tail_slot
    prefetch(&s.orders[after])
    prefetch(&s.orders[before])
    prefetch(page)
    prefetch(&page.levels[order.level & (PAGE_LEVELS - 1)])
    prefetch(&s.refs.lines[refs_home(&s.refs, order.ref_tag)])
    prefetch(&s.orders[chosen(tail < s.slots_used, tail, 0)])


cdef inline void look_near_reference(const State* s, Ahead* ahead) noexcept nogil:
    """In place of the second look where orders lie near: the order when it is named by reference."""
    cdef const RefsLine* line = &s.refs.lines[ahead.line]
    ahead.slot = line.slots[__builtin_ctz(tradsys_tags_equal(line.tags, ahead.tag) | 1 << REFS_PLACES)]
    prefetch(&s.orders[ahead.slot])


cdef inline void look_near_id(const State* s, const Command* c) noexcept nogil:
    """In place of the third look where orders lie near: neighbours and reference of an order named by id."""
    cdef uint32_t slot = slot_of((<const uint64_t*> c)[9])
    cdef const Order* order = &s.orders[chosen(slot < s.slots_used, slot, 0)]
    prefetch(&s.refs.lines[refs_home(&s.refs, order.ref_tag)])
    look_neighbours(s, order)


cdef inline void look_neighbours(const State* s, const Order* order) noexcept nogil:
    """The orders before and behind one in its level."""
    prefetch(&s.orders[chosen(order.next_slot < s.slots_used, order.next_slot, 0)])
    prefetch(&s.orders[chosen(order.prev_slot < s.slots_used, order.prev_slot, 0)])


cdef inline void look_at_stake(const State* s, const Command* c, const Ahead* ahead) noexcept nogil:
    """What positions keep of the order that a command seems to name."""
    prefetch(&s.risk.stakes[(<const uint64_t*> c)[9] & (ORDERS_LIMIT - 1) | ahead.slot])


# --------------------------------------------------------------------------------------------------- batch

cdef int decide_batch(State* s, const uint8_t* records, int64_t size_bytes, int64_t* consumed) except -1 nogil:
    """Decide records until the batch ends; `consumed` receives the bytes decided. Returns a BATCH_* code."""
    cdef const uint8_t* record = records
    cdef const uint8_t* end = records + size_bytes
    cdef const uint8_t* before
    cdef int64_t run_bytes
    cdef int decided, code = BATCH_DONE
    consumed[0] = 0
    if s.unfinished and not finish_last(s):
        return BATCH_SHORT_OF_ROOM
    while record < end:
        code = record_trouble(s, record, end - record)
        if code != BATCH_DONE:
            break
        if (<const MessageHeader*> record).template_id <= TEMPLATE_REPLACE_ORDER:
            code = decide_run(s, record, end - record, &run_bytes)
            record += run_bytes
            if code != BATCH_DONE:
                break
            continue
        before = s.cursor
        if (<const MessageHeader*> record).template_id == TEMPLATE_NEW_COMPLEX_ORDER:
            decided = decide_complex_order(s, <const NewComplexOrder*> record)
        elif (<const MessageHeader*> record).template_id == TEMPLATE_NEW_ORDER_LIST:
            decided = decide_order_list(s, <const NewOrderList*> record)
        elif TEMPLATE_SET_RISK_LIMITS <= (<const MessageHeader*> record).template_id <= TEMPLATE_SET_PRICE_BANDS:
            decided = decide_risk_command(s, record)
        elif TEMPLATE_SET_FEE_SCHEDULE <= (<const MessageHeader*> record).template_id <= TEMPLATE_SET_CONDUCT_LIMITS:
            decided = decide_venue_command(s, record)
        else:
            decided = decide_admin(s, record)
        if decided == 0:
            code = BATCH_SHORT_OF_ROOM
            break
        decided = follow_other(s, record, before)
        record += (<const MessageHeader*> record).block_length + <int64_t> sizeof(MessageHeader)
        if decided == 0:
            code = BATCH_SHORT_OF_ROOM
            break
    consumed[0] = record - records
    return code


cdef int decide_complex_order(State* s, const NewComplexOrder* c) except -1 nogil:
    """NEW_COMPLEX_ORDER begins as NEW_ORDER does (9.1)."""
    return decide_general_order(s, <const NewOrder*> c, c, refs_tag(&s.refs, c.session_id, c.client_ref))


cdef int decide_run(State* s, const uint8_t* records, int64_t size_bytes, int64_t* consumed) except -1 nogil:
    """Decide the commands 1 to 4 that come next, all of one size, fetching what the ones ahead will touch."""
    cdef Ahead ahead[AHEAD_RING]
    cdef int64_t count = size_bytes // SIZE_CANCEL_ORDER
    cdef int64_t i, k
    cdef bint far = s.slots_used - s.dormant_orders > AHEAD_FAR_SLOTS     # nobody looks at dormant ones
    cdef int64_t second = AHEAD_SECOND if far else count
    cdef int64_t third = AHEAD_THIRD if far else count
    cdef int64_t near = count if far else AHEAD_SECOND
    cdef uint64_t by_id = 0             # whether commands of the run name orders by id, as far as the first ones tell
    cdef const Command* c
    cdef Ahead* known
    cdef const uint8_t* before
    cdef int decided = 1, code = BATCH_DONE
    if count == 1:
        ahead[0].tag = tag_of_command(s, command_at(records, 0))
    else:
        for k in range(min(count, <int64_t> AHEAD_FIRST)):
            look_first(s, command_at(records, k), &ahead[k & (AHEAD_RING - 1)])
            ahead[k & (AHEAD_RING - 1)].slot = 0
            by_id |= (<const uint64_t*> command_at(records, k))[9]
        if second < count:
            for k in range(second):
                look_second(s, command_at(records, k), &ahead[k & (AHEAD_RING - 1)])
            for k in range(third):
                look_third(s, &ahead[k & (AHEAD_RING - 1)])
    for i in range(count):
        if i + AHEAD_FIRST < count:
            k = i + AHEAD_FIRST
            look_first(s, command_at(records, k), &ahead[k & (AHEAD_RING - 1)])
        if i + second < count:
            k = i + second
            look_second(s, command_at(records, k), &ahead[k & (AHEAD_RING - 1)])
        if i + third < count:
            look_third(s, &ahead[(i + third) & (AHEAD_RING - 1)])
        elif i + near < count:
            if by_id:
                look_near_id(s, command_at(records, i + AHEAD_THIRD))
            else:
                look_near_reference(s, &ahead[(i + AHEAD_SECOND) & (AHEAD_RING - 1)])
                look_neighbours(s, &s.orders[ahead[(i + AHEAD_THIRD) & (AHEAD_RING - 1)].slot])
        if s.risk.is_used and i + AHEAD_THIRD < count:
            look_at_stake(s, command_at(records, i + AHEAD_THIRD), &ahead[(i + AHEAD_THIRD) & (AHEAD_RING - 1)])
        c = command_at(records, i)
        known = &ahead[i & (AHEAD_RING - 1)]
        if __builtin_expect((c.seq != 0 and c.seq != s.last_seq + 1) or s.cursor >= s.events_end, 0):
            code = BATCH_SHORT_OF_ROOM if s.cursor >= s.events_end else BATCH_BAD_SEQ
            break
        before = s.cursor
        if c.header == order_command_header(TEMPLATE_NEW_ORDER):
            decided = decide_new_order(s, <const NewOrder*> c, known.tag)
        elif c.header == order_command_header(TEMPLATE_CANCEL_ORDER):
            decided = decide_cancel_order(s, <const CancelOrder*> c, known.tag)
        elif c.header == order_command_header(TEMPLATE_REDUCE_ORDER):
            decided = decide_reduce_order(s, <const ReduceOrder*> c)
        elif c.header == order_command_header(TEMPLATE_REPLACE_ORDER):
            decided = decide_replace_order(s, <const ReplaceOrder*> c)
        else:
            break
        if decided == 0:
            code = BATCH_SHORT_OF_ROOM
            break
        if (__builtin_expect(s.dormant_orders | s.list_count | s.risk.is_used | s.venue.follows, 0)
                and not follow_order(s, <const NewOrder*> c, before)):
            code = BATCH_SHORT_OF_ROOM
            i += 1
            break
    else:
        i = count
    consumed[0] = i * SIZE_CANCEL_ORDER
    return code


cdef inline const Command* command_at(const uint8_t* records, int64_t index) noexcept nogil:
    return <const Command*> (records + index * SIZE_CANCEL_ORDER)


# --------------------------------------------------------------------------------------------------- records

cdef int record_trouble(const State* s, const uint8_t* record, int64_t left_bytes) noexcept nogil:
    """BATCH_DONE when the record is a command of ours, all there and next in sequence, else what is wrong with it."""
    cdef const MessageHeader* header = <const MessageHeader*> record
    cdef int64_t block_length
    if left_bytes < <int64_t> sizeof(MessageHeader):
        return BATCH_TRUNCATED
    block_length = block_length_of(header.template_id)
    if block_length == 0:
        return BATCH_UNKNOWN_TEMPLATE
    if header.block_length != block_length or header.schema_id != SCHEMA_ID or header.version != SCHEMA_VERSION:
        return BATCH_BAD_HEADER
    if left_bytes < block_length + <int64_t> sizeof(MessageHeader):
        return BATCH_TRUNCATED
    if (<const Command*> record).seq != 0 and (<const Command*> record).seq != s.last_seq + 1:
        return BATCH_BAD_SEQ
    if s.cursor >= s.events_end:
        return BATCH_SHORT_OF_ROOM
    return BATCH_DONE


cdef int64_t block_length_of(uint16_t template_id) noexcept nogil:
    """Block length of a command, 0 when the template is none."""
    return COMMAND_BLOCK_LENGTHS[template_id] if template_id < COMMAND_TEMPLATES else 0
