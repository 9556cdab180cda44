"""The general path: orders and instruments that the plain path of decide.pyx does not serve.

The way of a new order: the checks of rule 3.2 that need no book; what the book says of its quantity and price; room for
its events; what its holders' limits say; slot, acceptance and terms; what must be reachable; matching within price ranges;
a call that a range begins; the book or the end. A replaced order joins it at matching.
"""
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

from tradsys.core.dormant cimport lay_down, room_for_trail
from tradsys.core.entry cimport (
    MEETS_GROUP, MEETS_OTHER, Meeting, available_lots, entry_limit, lots_within_reach, meeting, next_part, post_only_price,
    room_for_matches, terms_are_bad, trigger_is_bad)
from tradsys.core.events cimport (
    EVENT_BYTES, event_begin, number_command, unsolicited, write_accepted, write_canceled, write_executed,
    write_reduced, write_rejected, write_replaced, write_rested)
from tradsys.core.ladder cimport Ladder, Level, ladder_best_price, level_at
from tradsys.core.order cimport SLOT_BITS, SLOT_NONE, slot_of
from tradsys.core.phase_table cimport is_call, market_key, may_rest, posts_only
from tradsys.core.phases cimport interrupt, key_in_range, note_last_price
from tradsys.core.references cimport refs_add, refs_find, refs_remove, refs_tag
from tradsys.core.resting cimport cancel_resting, rest_order, resting_price, side_of_order, unrest_order
from tradsys.core.risk cimport (
    Priced, dormant_order_risk, market_limit_key, priced_order_risk, reducible_lots, replace_order_risk)
from tradsys.core.state cimport (
    SPECIAL_ALLOCATION, SPECIAL_ORDERS, SPECIAL_RISK, SPECIAL_RULES, events_left, give_slot, other_side_of, side_of,
    take_slot)
from tradsys.core.terms cimport TERMS_BYTES, Terms, is_dormant, is_iceberg, is_triggered, kind_behind
from tradsys.core.validation cimport new_order_reason
from tradsys.wire.records cimport (
    CANCEL_REASON_FOK_UNFILLABLE, CANCEL_REASON_IOC_REMAINDER, CANCEL_REASON_MIN_QTY_UNREACHED,
    CANCEL_REASON_NO_LIQUIDITY, CANCEL_REASON_PRICE_PROTECTION, CANCEL_REASON_PRICE_RANGE, CANCEL_REASON_SELF_TRADE,
    CANCEL_REASON_TOO_MANY_MATCHES, EVENT_FLAGS_PRIORITY_KEPT, EVENT_FLAGS_RESTS, EVENT_FLAGS_UNSOLICITED,
    ORDER_FLAGS_ALL_OR_NONE, ORDER_FLAGS_COMPLEX, ORDER_FLAGS_HIDDEN, ORDER_FLAGS_KEEP_ON_DISCONNECT,
    ORDER_FLAGS_REDUCE_ONLY, ORDER_TYPE_LIMIT, OrderAccepted, OrderExecuted, OrderReduced, OrderRested, OrderTermsSet,
    REJECT_REASON_AMOUNT_TOO_SMALL, REJECT_REASON_BAD_TERMS, REJECT_REASON_BOOK_FULL,
    REJECT_REASON_DUPLICATE_CLIENT_REF, REJECT_REASON_EXPIRED_ON_ENTRY, REJECT_REASON_NONE,
    REJECT_REASON_NOTHING_TO_REDUCE, REJECT_REASON_NOT_WITH_ALLOCATION, REJECT_REASON_POST_ONLY_WOULD_MATCH,
    STP_MODE_CANCEL_BOTH, STP_MODE_CANCEL_NEWEST, STP_MODE_DECREMENT_AND_CANCEL, STP_MODE_PARTICIPANT_DEFAULT,
    TEMPLATE_NEW_COMPLEX_ORDER, TEMPLATE_NEW_ORDER, TEMPLATE_ORDER_EXECUTED, TEMPLATE_ORDER_REFILLED,
    TEMPLATE_ORDER_TERMS_SET, TEMPLATE_ORDER_TRANSFERRED, TEMPLATE_REPLACE_ORDER, TIME_IN_FORCE_FOK,
    TIME_IN_FORCE_GTD, TIME_IN_FORCE_GTX, TIME_IN_FORCE_IOC, EVENT_FLAGS_DORMANT, REJECT_REASON_BAD_TRIGGER,
    REJECT_REASON_TOO_MANY_TRAILS)


# --------------------------------------------------------------------------------------------------- new order

cdef int look_closer(State* s, const NewOrder* c, uint32_t tag) except -1 nogil:
    if needs_general_path(s, c):
        return decide_general_order(s, c, NULL, tag)
    return LOOKED_AT_AND_FINE + new_order_reason(s, c, NULL)


cdef int decide_general_order(State* s, const NewOrder* c, const NewComplexOrder* complex_, uint32_t tag) except -1 nogil:
    """Rules 3.2, 4 and 9; 1: decided, 0: its events might not fit the buffer."""
    cdef const Command* command = <const Command*> c
    cdef Order draft
    cdef Terms terms
    cdef Entry entry
    cdef Order* order
    cdef uint32_t slot
    cdef uint8_t reason
    memset(&terms, 0, sizeof(Terms))
    if complex_ != NULL:
        memcpy(&terms, &complex_.trigger_price_ticks, TERMS_BYTES)
    reason = checked_reason(s, c, complex_, &terms, tag)
    if reason == 0:
        make_draft(s, c, &draft, complex_ != NULL, tag)
        reason = book_reason(s, c, &draft, &terms, &entry)
    if reason:
        return refuse_new(s, c, complex_ != NULL, reason)
    if is_triggered(c.order_type):
        return accept_dormant(s, c, complex_, &draft, &terms)
    if not room_for_matches(s, &s.instruments[c.instrument_id], other_side_of(&s.instruments[c.instrument_id], c.side),
                            entry.limit_key, &draft, match_events_max(s)):
        return 0
    reason = <uint8_t> ask_risk(s, c, &draft, &terms, &entry)
    if reason:
        return refuse_new(s, c, complex_ != NULL, reason)
    number_command(s, command)
    slot = take_slot(s)
    s.order_serial += 1
    order = &s.orders[slot]
    order[0] = draft
    order.order_id = s.order_serial << SLOT_BITS | slot
    s.terms[slot] = terms
    tell_accepted(s, command, order, &entry)
    reason = unreached_reason(s, order, &entry)
    if reason:
        write_canceled(s, command, order, entry.told_price_ticks, reason, unsolicited(command, order))
        give_slot(s, order, slot)
        return 1
    return enter(s, command, order, &entry)


cdef int refuse_new(State* s, const NewOrder* c, bint is_complex, uint8_t reason) except -1 nogil:
    number_command(s, <const Command*> c)
    write_rejected(s, <const Command*> c, TEMPLATE_NEW_COMPLEX_ORDER if is_complex else TEMPLATE_NEW_ORDER, reason,
                   c.instrument_id, c.price_ticks, c.qty_lots, c.side, c.account_id, 0, 0)
    return 1


cdef int ask_risk(State* s, const NewOrder* c, const Order* draft, const Terms* terms, const Entry* entry) except -1 nogil:
    """Section 14, with quantity and prices as they are known by now (9.25)."""
    cdef Priced priced
    priced.has_limit = entry.has_limit
    priced.price_ticks = entry.limit_price_ticks
    priced.told_price_ticks = entry.told_price_ticks
    priced.limit_key = entry.limit_key
    priced.amount_ticks_lots = terms.amount_ticks_lots
    return priced_order_risk(s, draft, &priced, c.ts_ns)


cdef int accept_dormant(State* s, const NewOrder* c, const NewComplexOrder* complex_, const Order* draft,
                        const Terms* terms) except -1 nogil:
    """An order with a trigger lies down (10.1); 1: decided, 0: its events might not fit the buffer."""
    cdef const Command* command = <const Command*> c
    cdef Order* order
    cdef Entry entry
    cdef uint32_t slot
    cdef bint has_limit = kind_behind(c.order_type) == ORDER_TYPE_LIMIT
    cdef uint8_t reason
    if events_left(s) < 2:
        return 0
    reason = <uint8_t> dormant_order_risk(s, draft, c.price_ticks if has_limit else terms.trigger_price_ticks, c.ts_ns)
    if reason:
        return refuse_new(s, c, complex_ != NULL, reason)
    number_command(s, command)
    slot = take_slot(s)
    s.order_serial += 1
    order = &s.orders[slot]
    order[0] = draft[0]
    order.order_id = s.order_serial << SLOT_BITS | slot
    s.terms[slot] = terms[0]
    s.terms[slot].limit_price_ticks = c.price_ticks
    memset(&entry, 0, sizeof(Entry))
    entry.told_price_ticks = c.price_ticks
    tell_accepted(s, command, order, &entry)
    lay_down(s, order)
    return 1


cdef uint8_t checked_reason(const State* s, const NewOrder* c, const NewComplexOrder* complex_, Terms* terms,
                            uint32_t tag) noexcept nogil:
    """Rule 3.2 up to DUPLICATE_CLIENT_REF; notes the expiry time."""
    cdef uint8_t reason = new_order_reason(s, c, complex_)
    if reason:
        return reason
    if terms_are_bad(c, terms, &s.instruments[c.instrument_id]):
        return REJECT_REASON_BAD_TERMS
    if is_triggered(c.order_type) and trigger_is_bad(c, terms, &s.instruments[c.instrument_id]):
        return REJECT_REASON_BAD_TRIGGER
    if c.time_in_force == TIME_IN_FORCE_GTD:
        if c.expire_ts_ns <= c.ts_ns:
            return REJECT_REASON_EXPIRED_ON_ENTRY
        terms.expire_ts_ns = c.expire_ts_ns
    if s.instruments[c.instrument_id].special & SPECIAL_ALLOCATION:
        return REJECT_REASON_NOT_WITH_ALLOCATION
    if refs_find(&s.refs, s.orders, tag, c.session_id, c.client_ref) != 0:
        return REJECT_REASON_DUPLICATE_CLIENT_REF
    return REJECT_REASON_NONE


cdef void make_draft(const State* s, const NewOrder* c, Order* draft, bint is_complex, uint32_t tag) noexcept nogil:
    """The order of a command, before it has an id."""
    cdef uint32_t stp_mode = c.stp_mode
    if stp_mode == STP_MODE_PARTICIPANT_DEFAULT:
        stp_mode = s.sessions[c.session_id].stp_mode
    memset(draft, 0, sizeof(Order))
    draft.leaves_lots = c.qty_lots
    draft.session_id = c.session_id
    draft.client_ref = c.client_ref
    draft.qty_lots = c.qty_lots
    draft.account_id = c.account_id
    draft.ref_tag = tag
    draft.instrument_id = <uint16_t> c.instrument_id
    draft.traits = ((<const uint32_t*> &c.side)[0] & 0xFFFFFF) | stp_mode << 24
    draft.order_flags = c.order_flags
    if is_complex:
        draft.order_flags |= ORDER_FLAGS_COMPLEX


cdef uint8_t book_reason(State* s, const NewOrder* c, Order* draft, const Terms* terms, Entry* entry) noexcept nogil:
    """What the book says of a new order's quantity and price (9.9 to 9.12), and room for it; sets them."""
    cdef const Instrument* instrument = &s.instruments[c.instrument_id]
    cdef Ladder* other = other_side_of(&s.instruments[c.instrument_id], c.side)
    cdef bint collects = is_call(instrument.state)
    cdef int64_t lots, increment = instrument.qty_increment_lots
    cdef int64_t any_key = market_key(s, c.instrument_id, other)
    if instrument.special & SPECIAL_RISK and not collects:
        any_key = min(any_key, market_limit_key(s, c.instrument_id, c.side, any_key))
    if not room_for_trail(s, c.instrument_id, draft, terms):
        return REJECT_REASON_TOO_MANY_TRAILS
    if terms.amount_ticks_lots:
        lots = lots_within_reach(s, other, any_key, draft, instrument.qty_max_lots // increment * increment,
                                 increment, terms.amount_ticks_lots)
        if lots < instrument.qty_min_lots:
            return REJECT_REASON_AMOUNT_TOO_SMALL
        draft.qty_lots = draft.leaves_lots = lots
    if c.order_flags & ORDER_FLAGS_REDUCE_ONLY:
        lots = reducible_lots(s, draft)
        if lots == 0:
            return REJECT_REASON_NOTHING_TO_REDUCE
        if lots < draft.qty_lots:
            draft.qty_lots = draft.leaves_lots = lots
    entry.limit_price_ticks = c.price_ticks
    if posts_only(instrument, c.order_flags) and not collects and not post_only_price(
            c.side, terms, other, instrument, &entry.limit_price_ticks):
        return REJECT_REASON_POST_ONLY_WOULD_MATCH
    if s.free_slot == SLOT_NONE and s.slots_used == s.orders_max:
        return REJECT_REASON_BOOK_FULL
    entry.told_price_ticks = entry.limit_price_ticks
    entry.has_limit = entry_limit(c.order_type, c.side, terms, other, instrument,
                                  s.risk.bands[c.instrument_id].collar_ticks, &entry.limit_price_ticks)
    entry.limit_key = entry.limit_price_ticks ^ other.key_mask if entry.has_limit else any_key
    find_reach(s, c.instrument_id, other, entry)
    entry.may_rest = collects or (entry.has_limit and may_rest(c.time_in_force))
    return REJECT_REASON_NONE


cdef void find_way_in(State* s, const Order* order, const Terms* terms, uint32_t kind, int64_t price_ticks,
                      Entry* entry) noexcept nogil:
    """How far an order may go that comes in as a LIMIT or MARKET order in continuous trading, and where it rests."""
    cdef Instrument* instrument = &s.instruments[order.instrument_id]
    cdef uint32_t side = side_of_order(order)
    cdef Ladder* other = other_side_of(instrument, side)
    entry.told_price_ticks = entry.limit_price_ticks = price_ticks
    entry.has_limit = entry_limit(kind, side, terms, other, instrument, s.risk.bands[order.instrument_id].collar_ticks,
                                  &entry.limit_price_ticks)
    entry.limit_key = ANY_PRICE_KEY
    if entry.has_limit:
        entry.limit_key = entry.limit_price_ticks ^ other.key_mask
    elif instrument.special & SPECIAL_RISK:
        entry.limit_key = min(entry.limit_key, market_limit_key(s, order.instrument_id, side, entry.limit_key))
    find_reach(s, order.instrument_id, other, entry)
    entry.may_rest = entry.has_limit and may_rest(time_in_force_of(order))


cdef void find_reach(const State* s, uint32_t instrument_id, const Ladder* other, Entry* entry) noexcept nogil:
    """How far an order with a limit matches on entry, if it does."""
    entry.crosses = other.best_key <= entry.limit_key and not is_call(s.instruments[instrument_id].state)
    entry.reach_key = entry.limit_key
    if s.instruments[instrument_id].special & SPECIAL_RULES:
        entry.reach_key = key_in_range(s, instrument_id, other, entry.limit_key)


cdef void tell_accepted(State* s, const Command* c, const Order* order, const Entry* entry) noexcept nogil:
    """OrderAccepted, and OrderTermsSet behind it (9.3)."""
    cdef bint rests = entry.may_rest and not entry.crosses and not order.order_flags & ORDER_FLAGS_COMPLEX
    cdef const Terms* terms = &s.terms[slot_of(order.order_id)]
    cdef OrderTermsSet* told
    cdef uint32_t where = EVENT_FLAGS_DORMANT if is_dormant(order) else EVENT_FLAGS_RESTS if rests else 0
    write_accepted(s, c, order, entry.told_price_ticks, where)
    (<OrderAccepted*> last_event(s)).expire_ts_ns = terms.expire_ts_ns
    if time_in_force_of(order) == TIME_IN_FORCE_GTD and terms.expire_ts_ns < s.first_expiry_ts_ns:
        s.first_expiry_ts_ns = terms.expire_ts_ns
    if order.order_flags & ORDER_FLAGS_COMPLEX:
        told = <OrderTermsSet*> event_begin(s, TEMPLATE_ORDER_TERMS_SET, c.ts_ns)
        told.order_id = order.order_id
        memcpy(&told.trigger_price_ticks, terms, TERMS_BYTES)


cdef uint8_t unreached_reason(State* s, const Order* order, const Entry* entry) noexcept nogil:
    """Why an order is cancelled before it matches, if it is (4.5, 9.13, 9.14)."""
    cdef Ladder* other = other_side_of(&s.instruments[order.instrument_id], side_of_order(order))
    cdef uint8_t reason = CANCEL_REASON_MIN_QTY_UNREACHED
    cdef int64_t wanted = 0
    if time_in_force_of(order) == TIME_IN_FORCE_FOK:
        wanted = order.leaves_lots
        reason = CANCEL_REASON_FOK_UNFILLABLE
    elif order.order_flags & ORDER_FLAGS_ALL_OR_NONE:
        wanted = order.leaves_lots
    elif entry.crosses:
        wanted = s.terms[slot_of(order.order_id)].min_qty_lots
    if wanted == 0 or lots_within_reach(s, other, entry.reach_key, order, wanted, 1, -1) >= wanted:
        return 0
    return reason


cdef inline void* last_event(const State* s) noexcept nogil:
    """The event written last: for fields that its writer leaves 0."""
    return s.cursor - EVENT_BYTES


# --------------------------------------------------------------------------------------------------- matching

cdef int enter(State* s, const Command* c, Order* order, const Entry* entry) except -1 nogil:
    """Match an order that has been accepted or replaced, then rest it or cancel what is left."""
    cdef Instrument* instrument = &s.instruments[order.instrument_id]
    cdef Ladder* other = other_side_of(instrument, side_of_order(order))
    cdef const uint8_t* first_event = s.cursor
    cdef uint32_t reason = 0
    cdef bint interrupted = False
    if entry.crosses:
        reason = match_general(s, c, order, entry)
        if instrument.special & SPECIAL_RULES:
            note_last_price(s, order.instrument_id, first_event)
            interrupted = reason == 0 and order.leaves_lots > 0 and other.best_key <= entry.limit_key
        if reason == 0 and order.leaves_lots == 0:
            give_slot(s, order, slot_of(order.order_id))
            return 1
    if interrupted:                     # 11.15: the range ended it, not the limit
        interrupt(s, c, order.instrument_id, other.best_key ^ other.key_mask)
        reason = interrupted_reason(s, order)
    elif reason == 0 and not entry.may_rest:
        reason = remainder_reason(order, other)
    if reason:
        assert order.leaves_lots > 0
        write_canceled(s, c, order, entry.told_price_ticks, reason, unsolicited(c, order))
        give_slot(s, order, slot_of(order.order_id))
        return 1
    refs_add(&s.refs, order.ref_tag, slot_of(order.order_id))
    if entry.crosses or order.order_flags & ORDER_FLAGS_COMPLEX:
        tell_rested(s, c, order, entry)
    return rest_in_rank(s, order, entry.limit_price_ticks)


cdef inline uint32_t interrupted_reason(const State* s, const Order* order) noexcept nogil:
    """Why what a price range has left of an order is cancelled, if it is (11.15, 9.24)."""
    cdef uint32_t time_in_force = time_in_force_of(order)
    cdef bint by_amount = (order.order_flags & ORDER_FLAGS_COMPLEX
                           and s.terms[slot_of(order.order_id)].amount_ticks_lots != 0)
    if by_amount or time_in_force == TIME_IN_FORCE_IOC or time_in_force == TIME_IN_FORCE_GTX:
        return CANCEL_REASON_PRICE_RANGE
    return 0


cdef inline uint32_t remainder_reason(const Order* order, const Ladder* other) noexcept nogil:
    """Why what is left of an order that may not rest is cancelled (4.4, 13.3)."""
    if time_in_force_of(order) == TIME_IN_FORCE_IOC:
        return CANCEL_REASON_IOC_REMAINDER
    return CANCEL_REASON_PRICE_PROTECTION if other.order_count else CANCEL_REASON_NO_LIQUIDITY


cdef void tell_rested(State* s, const Command* c, Order* order, const Entry* entry) noexcept nogil:
    """OrderRested: what is left goes on the book, as a limit order if it has a limit (4.3, 9.3, 9.9, 9.10, 11.15)."""
    cdef Terms* terms = &s.terms[slot_of(order.order_id)]
    if entry.has_limit:
        order.traits = (order.traits & <uint32_t> 0xFFFF00FF) | ORDER_TYPE_LIMIT << 8
    if is_iceberg(order, terms):
        terms.shown_lots = next_part(order, terms, s.instruments[order.instrument_id].qty_increment_lots)
    write_rested(s, c, order, entry.limit_price_ticks)
    if is_iceberg(order, terms):
        (<OrderRested*> last_event(s)).shown_lots = terms.shown_lots


cdef int match_general(State* s, const Command* c, Order* order, const Entry* entry) except -1 nogil:
    """Match an order as far as its limit and the rules allow; returns the reason that ends it before, or 0."""
    cdef Instrument* instrument = &s.instruments[order.instrument_id]
    cdef Ladder* other = other_side_of(instrument, side_of_order(order))
    cdef uint64_t events_end = s.last_event_seq + <uint64_t> match_events_max(s) - 3
    cdef uint64_t spared = 0
    cdef Order* resting
    cdef Meeting meets
    while order.leaves_lots > 0 and other.best_key <= entry.reach_key:
        if instrument.special & SPECIAL_RULES:      # the call that may follow can cancel them
            spared = <uint64_t> instrument.sides[0].order_count + instrument.sides[1].order_count
        if s.last_event_seq + spared > events_end:
            return CANCEL_REASON_TOO_MANY_MATCHES
        resting = &s.orders[level_at(&s.levels, other.best_level).head_slot]
        meets = meeting(s, order, resting)
        if meets == MEETS_OTHER or meets == MEETS_GROUP:
            execute(s, c, order, resting, meets == MEETS_GROUP)
        elif prevent(s, c, order, resting, entry.told_price_ticks):
            return CANCEL_REASON_SELF_TRADE
    return 0


cdef int execute(State* s, const Command* c, Order* order, Order* resting, bint is_transfer) except -1 nogil:
    """One match at the resting order's price, or the transfer in its place (9.17)."""
    cdef uint32_t slot = slot_of(resting.order_id)
    cdef Terms* terms = &s.terms[slot]
    cdef Ladder* other = side_of(&s.instruments[resting.instrument_id], side_of_order(resting))
    cdef OrderExecuted* event
    cdef int64_t lots = available_lots(s, resting)
    assert resting.level == other.best_level
    if lots > order.leaves_lots:
        lots = order.leaves_lots
    assert lots > 0
    order.leaves_lots -= lots
    take_lots(s, resting, lots)
    write_executed(s, c, resting, order, ladder_best_price(other), lots)
    event = <OrderExecuted*> last_event(s)
    event.template_id = TEMPLATE_ORDER_TRANSFERRED if is_transfer else TEMPLATE_ORDER_EXECUTED
    event.resting_hidden = resting.order_flags & ORDER_FLAGS_HIDDEN != 0
    if resting.leaves_lots == 0:
        unrest_order(s, resting)
        give_slot(s, resting, slot)
    elif is_iceberg(resting, terms) and terms.shown_lots == 0:
        refill(s, c, resting)
    return 0


cdef inline void take_lots(State* s, Order* resting, int64_t lots) noexcept nogil:
    """Take lots off an order on the book, of an iceberg off the part it shows."""
    cdef Terms* terms = &s.terms[slot_of(resting.order_id)]
    resting.leaves_lots -= lots
    level_at(&s.levels, resting.level).qty_lots -= lots
    if is_iceberg(resting, terms):
        terms.shown_lots -= lots


cdef int prevent(State* s, const Command* c, Order* order, Order* resting, int64_t told_price_ticks) except -1 nogil:
    """Self-trade prevention (4.8, 9.15, 9.16); 1: it ends the incoming order."""
    cdef uint32_t stp_mode = order.traits >> 24
    cdef Terms* terms = &s.terms[slot_of(resting.order_id)]
    cdef int64_t lots
    if stp_mode == STP_MODE_CANCEL_NEWEST:
        return 1
    if stp_mode <= STP_MODE_CANCEL_BOTH:
        cancel_resting(s, c, resting, CANCEL_REASON_SELF_TRADE, EVENT_FLAGS_UNSOLICITED)
        return stp_mode == STP_MODE_CANCEL_BOTH
    lots = available_lots(s, resting)
    if lots > order.leaves_lots:
        lots = order.leaves_lots
    if lots == resting.leaves_lots:
        cancel_resting(s, c, resting, CANCEL_REASON_SELF_TRADE, EVENT_FLAGS_UNSOLICITED)
    else:
        resting.qty_lots -= lots
        take_lots(s, resting, lots)
        tell_decrement(s, c, resting, resting_price(s, resting), lots,
                       EVENT_FLAGS_RESTS | EVENT_FLAGS_PRIORITY_KEPT | EVENT_FLAGS_UNSOLICITED)
        if is_iceberg(resting, terms) and terms.shown_lots == 0:
            refill(s, c, resting)
    if lots == order.leaves_lots or stp_mode == STP_MODE_DECREMENT_AND_CANCEL:
        return 1
    order.leaves_lots -= lots
    order.qty_lots -= lots
    tell_decrement(s, c, order, told_price_ticks, lots, unsolicited(c, order))
    return 0


cdef void tell_decrement(State* s, const Command* c, const Order* order, int64_t price_ticks, int64_t lots,
                         uint32_t event_flags) noexcept nogil:
    """OrderReduced by self-trade prevention."""
    write_reduced(s, c, order, price_ticks, lots, event_flags)
    (<OrderReduced*> last_event(s)).cancel_reason = CANCEL_REASON_SELF_TRADE


# --------------------------------------------------------------------------------------------------- rank

cdef int rest_in_rank(State* s, Order* order, int64_t price_ticks) except -1 nogil:
    """Put an order on the book: one that is shown before the hidden ones of its level (9.7)."""
    cdef uint32_t slot = slot_of(order.order_id)
    cdef Instrument* instrument = &s.instruments[order.instrument_id]
    cdef Level* level
    rest_order(s, order, price_ticks)
    level = level_at(&s.levels, order.level)
    if order.order_flags & ORDER_FLAGS_HIDDEN:
        if level.hidden == 0:
            level.hidden = slot + 1
    elif level.hidden:
        unlink(s, level, order)
        link_before(s, level, order, level.hidden - 1)
    if order.order_flags & ORDER_FLAGS_HIDDEN or is_iceberg(order, &s.terms[slot]):
        instrument.special_orders += 1
        instrument.special |= SPECIAL_ORDERS
    return 1


cdef void refill(State* s, const Command* c, Order* order) noexcept nogil:
    """An iceberg shows its next part, at the back of what is shown at its price (9.5)."""
    cdef Terms* terms = &s.terms[slot_of(order.order_id)]
    cdef Level* level = level_at(&s.levels, order.level)
    cdef OrderRested* event
    terms.shown_lots = next_part(order, terms, s.instruments[order.instrument_id].qty_increment_lots)
    unlink(s, level, order)
    link_before(s, level, order, level.hidden - 1 if level.hidden else <uint32_t> SLOT_NONE)
    write_rested(s, c, order, resting_price(s, order))
    event = <OrderRested*> last_event(s)
    event.template_id = TEMPLATE_ORDER_REFILLED
    event.client_seq = 0
    event.shown_lots = terms.shown_lots


cdef void unlink(State* s, Level* level, Order* order) noexcept nogil:
    """Take an order out of its level's queue; the level keeps counting it."""
    if order.prev_slot != SLOT_NONE:
        s.orders[order.prev_slot].next_slot = order.next_slot
    else:
        level.head_slot = order.next_slot
    if order.next_slot != SLOT_NONE:
        s.orders[order.next_slot].prev_slot = order.prev_slot
    else:
        level.tail_slot = order.prev_slot


cdef void link_before(State* s, Level* level, Order* order, uint32_t after) noexcept nogil:
    """Put an order taken out by `unlink` before the one in slot `after`; SLOT_NONE: at the end."""
    cdef uint32_t slot = slot_of(order.order_id)
    order.next_slot = after
    if after != SLOT_NONE:
        order.prev_slot = s.orders[after].prev_slot
        s.orders[after].prev_slot = slot
    else:
        order.prev_slot = level.tail_slot
        level.tail_slot = slot
    if order.prev_slot != SLOT_NONE:
        s.orders[order.prev_slot].next_slot = slot
    else:
        level.head_slot = slot


# --------------------------------------------------------------------------------------------------- replace

cdef int decide_general_replace(State* s, const ReplaceOrder* c, Order* order) except -1 nogil:
    """Rules 5.3, 5.4 and 9.4 for an order reached; 1: decided, 0: its events might not fit the buffer."""
    cdef const Command* command = <const Command*> c
    cdef Instrument* instrument = &s.instruments[c.instrument_id]
    cdef Ladder* other = other_side_of(instrument, side_of_order(order))
    cdef Terms* terms = &s.terms[slot_of(order.order_id)]
    cdef Terms none
    cdef Entry entry
    cdef Order draft
    cdef uint8_t reason = 0
    memset(&none, 0, sizeof(Terms))
    entry.limit_price_ticks = c.price_ticks
    if instrument.special & SPECIAL_ALLOCATION:
        reason = REJECT_REASON_NOT_WITH_ALLOCATION
    elif posts_only(instrument, c.order_flags) and not post_only_price(
            side_of_order(order), terms if order.order_flags & ORDER_FLAGS_COMPLEX else &none, other, instrument,
            &entry.limit_price_ticks):
        reason = REJECT_REASON_POST_ONLY_WOULD_MATCH
    if reason:
        return refuse_replace(s, c, reason)
    entry.told_price_ticks = entry.limit_price_ticks
    entry.limit_key = entry.limit_price_ticks ^ other.key_mask
    entry.has_limit = entry.may_rest = True
    find_reach(s, c.instrument_id, other, &entry)
    draft = order[0]
    draft.leaves_lots = c.qty_lots - (order.qty_lots - order.leaves_lots)
    if not room_for_matches(s, instrument, other, entry.limit_key, &draft, match_events_max(s)):
        return 0
    reason = <uint8_t> replace_order_risk(s, c, order, entry.limit_price_ticks)
    if reason:
        return refuse_replace(s, c, reason)
    number_command(s, command)
    return replace_general(s, c, order, &entry, &draft)


cdef int refuse_replace(State* s, const ReplaceOrder* c, uint8_t reason) except -1 nogil:
    number_command(s, <const Command*> c)
    write_rejected(s, <const Command*> c, TEMPLATE_REPLACE_ORDER, reason, c.instrument_id, c.price_ticks, c.qty_lots, 0, 0,
                   c.orig_client_ref, c.order_id)
    return 1


cdef int replace_general(State* s, const ReplaceOrder* c, Order* order, const Entry* entry, Order* draft) except -1 nogil:
    """Carry a replace out."""
    cdef const Command* command = <const Command*> c
    cdef uint32_t slot = slot_of(order.order_id)
    cdef Terms* terms = &s.terms[slot]
    cdef uint64_t ref_before = order.client_ref
    cdef int64_t leaves_before = order.leaves_lots
    cdef int64_t price_before = resting_price(s, order)
    cdef bint keeps_place = entry.limit_price_ticks == price_before and c.qty_lots <= order.qty_lots
    cdef bint rests = keeps_place or (not entry.crosses and not order.order_flags & ORDER_FLAGS_COMPLEX)
    if keeps_place:
        refs_remove(&s.refs, order.ref_tag, slot)
        level_at(&s.levels, order.level).qty_lots -= leaves_before - draft.leaves_lots
        if is_iceberg(order, terms) and terms.shown_lots > draft.leaves_lots:
            terms.shown_lots = draft.leaves_lots
    else:
        unrest_order(s, order)
    order.leaves_lots = draft.leaves_lots
    order.qty_lots = c.qty_lots
    order.client_ref = c.client_ref
    order.ref_tag = refs_tag(&s.refs, order.session_id, c.client_ref)
    order.order_flags = <uint16_t> (
        (order.order_flags & (ORDER_FLAGS_KEEP_ON_DISCONNECT | ORDER_FLAGS_HIDDEN | ORDER_FLAGS_COMPLEX)) | c.order_flags)
    assert order.leaves_lots > 0
    write_replaced(s, command, order, entry.limit_price_ticks,
                   (EVENT_FLAGS_RESTS if rests else 0) | (EVENT_FLAGS_PRIORITY_KEPT if keeps_place else 0), ref_before,
                   price_before, leaves_before)
    if keeps_place:
        refs_add(&s.refs, order.ref_tag, slot)
        return 1
    return enter(s, command, order, entry)
