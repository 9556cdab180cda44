"""What terms and book say of an order that comes in (rules 4.5 to 4.8 and section 9)."""
from tradsys.core.hash cimport hash_start, mix
from tradsys.core.ladder cimport Level, ladder_best_price, ladder_next_level, level_at, level_key, level_price
from tradsys.core.order cimport SLOT_NONE
from tradsys.core.phase_table cimport may_rest
from tradsys.core.state cimport SPECIAL_ORDERS, SPECIAL_RULES, events_left
from tradsys.core.terms cimport ICEBERG_PARTS_MAX, is_triggered, kind_behind, trails_behind
from tradsys.core.validation cimport price_reason
from tradsys.wire.records cimport (
    INSTRUMENT_STATE_OPEN, ORDER_FLAGS_ALL_OR_NONE, ORDER_FLAGS_HIDDEN, ORDER_FLAGS_POST_ONLY, ORDER_TYPE_LIMIT,
    ORDER_TYPE_MARKET, ORDER_TYPE_MARKET_TO_LIMIT, POST_ONLY_MODE_PASSIVE_TICKS, POST_ONLY_MODE_REJECT, SIDE_BUY,
    TIME_IN_FORCE_FOK, TRAIL_UNIT_BASIS_POINTS, TRAIL_UNIT_TICKS, TRIGGER_SOURCE_LAST, TRIGGER_SOURCE_MARK)

cdef enum:
    PRICE_TICKS_MAX = 0x1000000000000000    # limits.PRICE_TICKS_MAX, 2^60


# --------------------------------------------------------------------------------------------------- terms

cdef bint terms_are_bad(const NewOrder* c, const Terms* terms, const Instrument* instrument) noexcept nogil:
    """Rule 9.2."""
    cdef bint market = kind_behind(c.order_type) == ORDER_TYPE_MARKET
    if not is_triggered(c.order_type) and (terms.trigger_price_ticks or terms.trail_offset or terms.trigger_source
                                           or terms.trail_unit):
        return True
    if terms.group_id or terms.group_role or terms.peg_type or terms.peg_offset_ticks:
        return True
    if terms.display_lots == 0:
        if terms.display_spread_lots:
            return True
    elif display_is_bad(c, terms, instrument):
        return True
    if terms.min_qty_lots and (
            terms.min_qty_lots < 0 or terms.min_qty_lots > c.qty_lots or c.time_in_force == TIME_IN_FORCE_FOK
            or c.order_flags & (ORDER_FLAGS_POST_ONLY | ORDER_FLAGS_ALL_OR_NONE)):
        return True
    if terms.protection_ticks and (not market or terms.amount_ticks_lots
                                   or not is_distance(terms.protection_ticks, instrument)):
        return True
    if terms.amount_ticks_lots and (c.order_type != ORDER_TYPE_MARKET or terms.amount_ticks_lots < 0):
        return True
    if terms.post_only_mode != POST_ONLY_MODE_REJECT and not c.order_flags & ORDER_FLAGS_POST_ONLY:
        return True
    if terms.post_only_mode == POST_ONLY_MODE_PASSIVE_TICKS:
        return not is_distance(terms.post_only_ticks, instrument)
    return terms.post_only_mode > POST_ONLY_MODE_PASSIVE_TICKS or terms.post_only_ticks != 0


cdef bint display_is_bad(const NewOrder* c, const Terms* terms, const Instrument* instrument) noexcept nogil:
    cdef int64_t lots = terms.display_lots, spread = terms.display_spread_lots
    if kind_behind(c.order_type) != ORDER_TYPE_LIMIT or c.order_flags & ORDER_FLAGS_HIDDEN:
        return True
    if not may_rest(c.time_in_force):
        return True
    if lots < 1 or lots > instrument.qty_max_lots or spread < 0 or spread >= lots:
        return True
    if lots % instrument.qty_increment_lots or spread % instrument.qty_increment_lots:
        return True
    return c.qty_lots > (lots - spread) * ICEBERG_PARTS_MAX


cdef bint trigger_is_bad(const NewOrder* c, const Terms* terms, const Instrument* instrument) noexcept nogil:
    """Rule 10.2, for an order with a trigger."""
    if terms.trigger_source < TRIGGER_SOURCE_LAST or terms.trigger_source > TRIGGER_SOURCE_MARK:
        return True
    if price_reason(instrument, terms.trigger_price_ticks):
        return True
    if not trails_behind(c.order_type):
        return terms.trail_unit != 0 or terms.trail_offset != 0
    if terms.trail_unit == TRAIL_UNIT_TICKS:
        return terms.trail_offset < 1 or terms.trail_offset > <int64_t> PRICE_TICKS_MAX
    return terms.trail_unit != TRAIL_UNIT_BASIS_POINTS or terms.trail_offset < 1 or terms.trail_offset >= 10_000


cdef inline bint is_distance(int64_t ticks, const Instrument* instrument) noexcept nogil:
    return 0 < ticks <= <int64_t> PRICE_TICKS_MAX and ticks % instrument.price_increment_ticks == 0


# --------------------------------------------------------------------------------------------------- prices

cdef bint entry_limit(uint32_t order_type, uint32_t side, const Terms* terms, Ladder* other, const Instrument* instrument,
                      int64_t collar_ticks, int64_t* price_ticks) noexcept nogil:
    """Price an order may go to and rest at (9.9, 9.10); False: it has none. A limit order's stands in `price_ticks`."""
    cdef int64_t step = instrument.price_increment_ticks
    cdef int64_t protection = terms.protection_ticks
    cdef int64_t bound
    if order_type == ORDER_TYPE_LIMIT:
        return True
    if other.order_count == 0 or (order_type == ORDER_TYPE_MARKET and terms.protection_ticks == 0):
        return False
    price_ticks[0] = ladder_best_price(other)
    if order_type == ORDER_TYPE_MARKET_TO_LIMIT:
        return True
    if 0 < collar_ticks < protection:
        protection = collar_ticks - collar_ticks % step
    if side == SIDE_BUY:
        price_ticks[0] += protection
        bound = div_floor(instrument.price_max_ticks, step) * step
        if price_ticks[0] > bound:
            price_ticks[0] = bound
    else:
        price_ticks[0] -= protection
        bound = -div_floor(-instrument.price_min_ticks, step) * step
        if price_ticks[0] < bound:
            price_ticks[0] = bound
    return True


cdef inline int64_t div_floor(int64_t a, int64_t b) noexcept nogil:
    """a / b towards minus infinity; b > 0."""
    return a // b - (1 if a % b < 0 else 0)


cdef bint post_only_price(uint32_t side, const Terms* terms, Ladder* other, const Instrument* instrument,
                          int64_t* price_ticks) noexcept nogil:
    """Move the price of an order that may not match but would as 4.6 and 9.12 say; False: it is refused."""
    cdef int64_t ticks = instrument.price_increment_ticks
    if other.best_key > price_ticks[0] ^ other.key_mask:
        return True
    if terms.post_only_mode == POST_ONLY_MODE_REJECT or instrument.state != INSTRUMENT_STATE_OPEN:
        return False
    if terms.post_only_mode == POST_ONLY_MODE_PASSIVE_TICKS:
        ticks = terms.post_only_ticks
    price_ticks[0] = ladder_best_price(other) + (-ticks if side == SIDE_BUY else ticks)
    return price_reason(instrument, price_ticks[0]) == 0


cdef int64_t next_part(const Order* order, Terms* terms, int64_t increment_lots) noexcept nogil:
    """Lots an iceberg shows next (9.6); counts the parts."""
    cdef int64_t lots = terms.display_lots
    cdef uint64_t h
    terms.parts += 1
    if terms.display_spread_lots:
        h = mix(mix(mix(hash_start(), order.order_id), order.client_ref), terms.parts)
        lots += <int64_t> (h % <uint64_t> (2 * (terms.display_spread_lots // increment_lots) + 1)) * increment_lots
        lots -= terms.display_spread_lots
    return lots if lots < order.leaves_lots else order.leaves_lots


# --------------------------------------------------------------------------------------------------- reach

cdef int64_t lots_in_front(State* s, const Level* level, const Order* order, bint* ended) noexcept nogil:
    """Lots of a level before the first order that ends the count (4.7, 9.20); `ended`: there is one."""
    cdef uint32_t slot = level.head_slot
    cdef bint skips = order.traits >> 24 == STP_MODE_CANCEL_OLDEST
    cdef int64_t shown = 0, lots = 0
    cdef const Order* resting
    ended[0] = False
    while slot != SLOT_NONE:
        resting = &s.orders[slot]
        if meeting(s, order, resting) != MEETS_OWN:
            shown += available_lots(s, resting)
            lots += resting.leaves_lots
        elif not skips:
            ended[0] = True
            return lots if resting.order_flags & ORDER_FLAGS_HIDDEN else shown
        slot = resting.next_slot
    return lots


cdef int64_t lots_within_reach(State* s, Ladder* other, int64_t limit_key, const Order* order, int64_t wanted_lots,
                               int64_t increment_lots, int64_t amount_ticks_lots) noexcept nogil:
    """Lots up to `wanted_lots` that an order can match (rule 4.7), for at most an amount (9.11); below 0: any."""
    cdef uint32_t ref = other.best_level
    cdef int64_t lots = 0, here, paid, price
    cdef bint ended = False
    while ref and lots < wanted_lots and not ended and level_key(&s.levels, ref) <= limit_key:
        price = level_price(&s.levels, other, ref)
        if amount_ticks_lots >= 0 and price <= 0:
            break
        here = lots_in_front(s, level_at(&s.levels, ref), order, &ended)
        if amount_ticks_lots >= 0:
            paid = amount_ticks_lots // price // increment_lots * increment_lots
            ended = ended or paid <= here
            here = min(here, paid, wanted_lots - lots)
            amount_ticks_lots -= here * price
        lots += here
        ref = ladder_next_level(&s.levels, ref)
    return lots if lots < wanted_lots else wanted_lots


cdef bint room_for_matches(State* s, const Instrument* instrument, Ladder* other, int64_t limit_key, const Order* order,
                           int64_t events_max) noexcept nogil:
    """Whether the buffer takes all events of an order that can match; what bounds do not say is counted.

    The call that a price range begins can cancel what rests on the book: `events_max` has those events in it (9.22).
    """
    cdef int64_t room = events_left(s) - 5
    cdef int64_t events = 0, lots = 0, parts
    cdef uint32_t ref = other.best_level, slot
    cdef const Order* resting
    cdef const Terms* terms
    if room < 0:
        return False
    if events_max <= room:
        return True
    if instrument.special & SPECIAL_RULES:
        room -= <int64_t> (instrument.sides[0].order_count + instrument.sides[1].order_count)
        if room < 0:
            return False
    if instrument.special_orders == 0 and 2 * <int64_t> other.order_count <= room:
        return True
    if order.traits >> 24 != STP_MODE_CANCEL_OLDEST and order.leaves_lots <= room // 3:
        return True                     # every three events take a lot at least
    while ref and lots < order.leaves_lots and level_key(&s.levels, ref) <= limit_key:
        slot = level_at(&s.levels, ref).head_slot
        while slot != SLOT_NONE:
            resting = &s.orders[slot]
            terms = &s.terms[slot]
            parts = 1
            if is_iceberg(resting, terms):
                parts += resting.leaves_lots // (terms.display_lots - terms.display_spread_lots) + 1
            events += 3 * parts
            if meeting(s, order, resting) != MEETS_OWN or order.traits >> 24 != STP_MODE_CANCEL_OLDEST:
                lots += resting.leaves_lots
            slot = resting.next_slot
        ref = ladder_next_level(&s.levels, ref)
    return events <= room


cdef void leave_specials(State* s, Instrument* instrument, const Order* order) noexcept nogil:
    """An order with special flags is about to leave the book: keep the marks of its level and instrument right."""
    cdef uint32_t slot = slot_of(order.order_id)
    cdef Level* level = level_at(&s.levels, order.level)
    if order.order_flags & ORDER_FLAGS_HIDDEN:
        if level.hidden == slot + 1:
            level.hidden = order.next_slot + 1 if order.next_slot != SLOT_NONE else 0
    elif not is_iceberg(order, &s.terms[slot]):
        return
    instrument.special_orders -= 1
    if instrument.special_orders == 0:
        instrument.special &= ~<uint64_t> SPECIAL_ORDERS
