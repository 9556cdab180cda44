"""Looking at all dormant orders: their part of the state hash (8.5), their invariants."""
from libc.stdint cimport INT64_MIN, uint32_t

from tradsys.core.dormant cimport (
    PLACE_DUE, PLACE_FIRST, PLACE_HELD, PLACE_KIND, PLACE_MOVED, PLACE_WAITING, key_of_dormant, refresh_window, trail_at,
    trigger_of)
from tradsys.core.hash cimport mix
from tradsys.core.ladder cimport Ladder, ladder_check, ladder_next_level, level_at, level_key
from tradsys.core.order cimport SLOT_NONE, Order
from tradsys.core.state cimport SPECIAL_TRIGGERS
from tradsys.core.terms cimport is_dormant, is_held
from tradsys.core.trigger_state cimport LADDER_OWNER, SOURCES, TRAIL_LADDER, TRAILS_MAX, Trail, Triggers
from tradsys.wire.records cimport SIDE_BUY


# --------------------------------------------------------------------------------------------------- hash

cdef uint64_t hash_triggers(State* s, uint64_t h) noexcept nogil:
    """Rule 8.5."""
    cdef const Triggers* triggers
    cdef uint32_t i, slot, source, downward
    for i in range(1, s.watched_count):
        triggers = &s.triggers[i]
        if triggers.order_count == 0 and (triggers.instrument_id == 0 or triggers.mark_ticks == INT64_MIN):
            continue
        h = mix(h, i)
        h = mix(h, <uint64_t> triggers.mark_ticks)
        slot = triggers.due_head
        while slot != SLOT_NONE:
            h = hash_dormant(s, h, slot, s.terms[slot].trail_key)
            slot = s.orders[slot].next_slot
        for source in range(SOURCES):
            for downward in range(2):
                h = hash_source(s, h, &s.triggers[i], source, downward)
    return h


cdef uint64_t hash_source(State* s, uint64_t h, Triggers* triggers, uint32_t source, uint32_t downward) noexcept nogil:
    """Orders of one source and direction: the ladder, then trail by trail."""
    cdef Trail* trail
    cdef uint32_t i, slot
    cdef int64_t key = 0
    h = hash_ladder(s, h, &triggers.ladders[2 * source + downward])
    for i in range(triggers.trail_count):
        trail = trail_at(s, triggers, triggers.trail_order[i])
        if trail.source != source or (trail.side == SIDE_BUY) == downward:
            continue
        slot = trail.head_slot
        while slot != SLOT_NONE:
            if s.terms[slot].place & PLACE_FIRST:
                key = s.terms[slot].trail_key
            h = hash_dormant(s, h, slot, key)
            slot = s.orders[slot].next_slot
        h = hash_ladder(s, h, &trail.waiting)
    return h


cdef uint64_t hash_ladder(State* s, uint64_t h, Ladder* ladder) noexcept nogil:
    cdef uint32_t level = ladder.best_level, slot
    while level:
        slot = level_at(&s.levels, level).head_slot
        while slot != SLOT_NONE:
            h = hash_dormant(s, h, slot, level_key(&s.levels, level))
            slot = s.orders[slot].next_slot
        level = ladder_next_level(&s.levels, level)
    return h


cdef uint64_t hash_dormant(State* s, uint64_t h, uint32_t slot, int64_t key) noexcept nogil:
    h = hash_order(h, &s.orders[slot], <uint64_t> s.terms[slot].limit_price_ticks)
    h = mix(h, <uint64_t> trigger_of(s, &s.orders[slot], key))
    return mix(h, s.terms[slot].place & PLACE_KIND)


# --------------------------------------------------------------------------------------------------- invariants

cdef int64_t check_triggers(State* s, int64_t* pages) except -1:
    """Every dormant order is in one place, which knows it; bunches know their ends; windows are not too wide."""
    cdef uint32_t i, slot, walked
    cdef int64_t found = 0, dormant = 0
    for i in range(s.instruments_max):
        walked = 0
        if s.triggers[i].instrument_id:
            walked = <uint32_t> check_instrument(s, i, pages) + count_held(s, i)
        if walked != s.triggers[i].order_count or (s.instruments[i].special & SPECIAL_TRIGGERS != 0) != (walked != 0):
            raise AssertionError(f"instrument {i} counts {s.triggers[i].order_count} dormant orders, has {walked}")
        found += walked
    for slot in range(s.slots_used):
        if s.orders[slot].order_id and is_dormant(&s.orders[slot]):
            dormant += 1
            if not 0 < s.orders[slot].leaves_lots <= s.orders[slot].qty_lots:
                raise AssertionError(f"dormant order {s.orders[slot].order_id} has {s.orders[slot].leaves_lots} lots")
    if dormant != found or dormant != <int64_t> s.dormant_orders:
        raise AssertionError(f"{dormant} orders are dormant, {found} have a place, {s.dormant_orders} are counted")
    return found


cdef uint32_t count_held(const State* s, uint32_t instrument_id) noexcept nogil:
    """Orders that wait for their turn in a list."""
    cdef uint32_t slot, count = 0
    if s.list_serial == 0:
        return 0
    for slot in range(s.slots_used):
        if (s.orders[slot].order_id and s.orders[slot].instrument_id == instrument_id and is_held(&s.orders[slot])
                and s.terms[slot].place == PLACE_HELD):
            count += 1
    return count


cdef int64_t check_instrument(State* s, uint32_t instrument_id, int64_t* pages) except -1:
    cdef Triggers* triggers = &s.triggers[instrument_id]
    cdef uint32_t i, index
    cdef int64_t found = check_due(s, triggers)
    if triggers.instrument_id != instrument_id or triggers.trail_count > TRAILS_MAX:
        raise AssertionError(f"instrument {instrument_id} has the triggers of {triggers.instrument_id}")
    for i in range(TRAIL_LADDER):
        found += check_ladder(s, triggers, &triggers.ladders[i], i, pages)
    in_use = set()
    for i in range(triggers.trail_count):
        index = triggers.trail_order[i]
        in_use.add(index)
        found += check_trail(s, triggers, index, pages)
    if len(in_use) != triggers.trail_count:
        raise AssertionError(f"instrument {instrument_id} names a trail twice")
    for i in range(TRAILS_MAX):
        if (trail_at(s, triggers, i).order_count != 0) != (i in in_use):
            raise AssertionError(f"trail {i} of instrument {instrument_id} has {trail_at(s, triggers, i).order_count} orders")
    check_windows(s, triggers)
    return found


cdef int64_t check_due(State* s, Triggers* triggers) except -1:
    cdef uint32_t slot = triggers.due_head, before = SLOT_NONE
    cdef int64_t count = 0
    while slot != SLOT_NONE:
        if s.terms[slot].place & PLACE_KIND != PLACE_DUE or s.orders[slot].prev_slot != before or s.orders[slot].level:
            raise AssertionError(f"the order in slot {slot} is not linked to those that are due")
        count += 1
        before = slot
        slot = s.orders[slot].next_slot
    if before != triggers.due_tail or count != triggers.due_count:
        raise AssertionError(f"{count} orders are due, {triggers.due_count} are counted")
    return count


cdef int64_t check_ladder(State* s, Triggers* triggers, Ladder* ladder, uint32_t index, int64_t* pages) except -1:
    cdef uint32_t level = ladder.best_level, slot, page = ladder.first_page
    if ladder.owner != LADDER_OWNER + triggers.instrument_id * 128 + index:
        raise AssertionError(f"ladder {index} of triggers of instrument {triggers.instrument_id} has lost its mark")
    while page:
        pages[0] += 1
        page = s.levels.pages[page].next_page
    while level:
        slot = level_at(&s.levels, level).head_slot
        while slot != SLOT_NONE:
            if s.terms[slot].place != (PLACE_WAITING | index << 8):
                raise AssertionError(f"the order in slot {slot} does not know that it waits in ladder {index}")
            slot = s.orders[slot].next_slot
        level = ladder_next_level(&s.levels, level)
    return ladder_check(&s.levels, ladder, s.orders)


cdef int64_t check_trail(State* s, Triggers* triggers, uint32_t index, int64_t* pages) except -1:
    """The row's bunches, the ladder of those that wait, and how many orders are due."""
    cdef Trail* trail = trail_at(s, triggers, index)
    cdef uint32_t slot = trail.head_slot, before = SLOT_NONE, first = SLOT_NONE
    cdef int64_t count = 0, waiting, key = INT64_MIN, due = 0
    cdef const Order* order
    while slot != SLOT_NONE:
        order = &s.orders[slot]
        if s.terms[slot].place & ~<uint32_t> PLACE_FIRST != (PLACE_MOVED | (TRAIL_LADDER + index) << 8):
            raise AssertionError(f"the order in slot {slot} does not know that it is in row {index}")
        if s.terms[slot].place & PLACE_FIRST:
            if s.terms[slot].trail_key < key:
                raise AssertionError(f"row {index} is not in order at slot {slot}")
            first = slot
            key = s.terms[slot].trail_key
        if first == SLOT_NONE or order.prev_slot != before or key_of_dormant(s, order) != key:
            raise AssertionError(f"the order in slot {slot} is not linked to its row")
        if order.next_slot == SLOT_NONE or s.terms[order.next_slot].place & PLACE_FIRST:
            if s.terms[slot].trail_key != key or order.level != first or s.orders[first].level != slot:
                raise AssertionError(f"the bunch from slot {first} to {slot} does not know its ends")
        count += 1
        before = slot
        slot = order.next_slot
    if before != trail.tail_slot or (count and (trail.tail_key != key
                                                or trail.head_key != s.terms[trail.head_slot].trail_key)):
        raise AssertionError(f"row {index} does not know its ends")
    waiting = check_ladder(s, triggers, &trail.waiting, TRAIL_LADDER + index, pages)
    slot = triggers.due_head
    while slot != SLOT_NONE:
        due += s.terms[slot].place >> 8 == TRAIL_LADDER + index
        slot = s.orders[slot].next_slot
    if count + waiting + due != trail.order_count:
        raise AssertionError(f"trail {index} counts {trail.order_count} orders: {count} moved, {waiting} wait, {due} are due")
    return count + waiting


cdef int check_windows(State* s, Triggers* triggers) except -1:
    """No price inside a window stirs anything; an order that left may have made it narrower than need be."""
    cdef Triggers fresh = triggers[0]
    cdef uint32_t source
    for source in range(SOURCES):
        refresh_window(s, &fresh, source)
        if fresh.low_ticks[source] > triggers.low_ticks[source] or fresh.high_ticks[source] < triggers.high_ticks[source]:
            raise AssertionError(f"the window of source {source} of instrument {triggers.instrument_id} is too wide")
    return 0
