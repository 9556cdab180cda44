"""Dormant orders lying down, moving with the price, becoming due and leaving (rules 10.4 to 10.11).

An order that does not trail waits in a ladder of triggers, one for each source and direction. Orders that trail belong to
a trail: one source, side and offset. There they wait in a ladder until the price pulls their trigger along for the first
time; then they stand in the trail's row, nearest trigger first. Orders of a row that lie side by side with one trigger
are a bunch, which knows its ends only: a price that moves the last bunches makes one of them, whatever the number of
their orders. In ladders and rows a trigger is a key, as prices are in books: the nearest has the lowest.

    price that stirs nothing    two comparisons with the instrument's window
    order becomes due           O(trails of the instrument)
    order moves first           O(log prices), once in its life
    bunches move                O(bunches that become one)
"""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, uint64_t
from libc.string cimport memset

from tradsys.core.events cimport number_command, unsolicited, write_canceled, write_reduced, write_rejected, write_replaced
from tradsys.core.ladder cimport (
    Ladder, ladder_append, ladder_init, ladder_last_level, ladder_remove, level_at, level_key)
from tradsys.core.order cimport SLOT_NONE, slot_of
from tradsys.core.references cimport refs_add, refs_remove, refs_tag
from tradsys.core.risk cimport replace_order_risk
from tradsys.core.state cimport SPECIAL_TRIGGERS, give_slot
from tradsys.core.terms cimport HELD_TRAIT, is_held, kind_behind, trails_behind
from tradsys.core.trigger_state cimport (
    LADDER_OWNER, SOURCE_ASK, SOURCE_BID, SOURCE_LAST, SOURCE_MARK, SOURCES, TRAIL_LADDER, TRAILS_MAX)
from tradsys.wire.records cimport (
    EVENT_FLAGS_DORMANT, EVENT_FLAGS_HELD, EVENT_FLAGS_PRIORITY_KEPT, ORDER_TYPE_LIMIT, ORDER_TYPE_LIMIT_IF_TOUCHED,
    ORDER_TYPE_MARKET_IF_TOUCHED, REJECT_REASON_BAD_FLAGS, REJECT_REASON_BAD_ORDER_TYPE,
    SIDE_BUY, TEMPLATE_REPLACE_ORDER, TRAIL_UNIT_BASIS_POINTS, TRIGGER_SOURCE_LAST, TRIGGER_SOURCE_MARK)

cdef extern from * nogil:
    """
    /* where a price puts a trailing trigger (10.8) */
    static inline int64_t tradsys_trailing(int64_t price, int64_t offset, int basis_points, int buy)
    {
        if (basis_points) {
            __int128 size = price < 0 ? -(__int128) price : price;
            offset = (int64_t) (size * offset / 10000);
            if (offset < 1)
                offset = 1;
        }
        return buy ? price + offset : price - offset;
    }
    """
    int64_t tradsys_trailing(int64_t price, int64_t offset, int basis_points, int buy)

assert sizeof(Trail) == 384, "Trail must be six cache lines"
assert sizeof(Triggers) == 2744, "Triggers must be 343 words"

cdef enum:
    PRICE_TICKS_MAX = 0x1000000000000000    # limits.PRICE_TICKS_MAX, 2^60


# --------------------------------------------------------------------------------------------------- lying down

cdef void open_triggers(State* s, uint32_t instrument_id) noexcept nogil:
    """Make the instrument's ladders, once."""
    cdef Triggers* triggers = &s.triggers[instrument_id]
    cdef uint32_t i
    if triggers.instrument_id:
        return
    triggers.instrument_id = instrument_id
    triggers.mark_ticks = INT64_MIN
    triggers.due_head = triggers.due_tail = SLOT_NONE
    for i in range(SOURCES):
        triggers.low_ticks[i] = INT64_MIN
        triggers.high_ticks[i] = INT64_MAX
    for i in range(TRAIL_LADDER):
        ladder_init(&triggers.ladders[i], LADDER_OWNER + instrument_id * 128 + i, i & 1)
    if s.watched_count <= instrument_id:
        s.watched_count = instrument_id + 1


cdef uint32_t source_of(const Order* order, const Terms* terms) noexcept nogil:
    """Which price the order looks at (10.4)."""
    if terms.trigger_source == TRIGGER_SOURCE_LAST:
        return SOURCE_LAST
    if terms.trigger_source == TRIGGER_SOURCE_MARK:
        return SOURCE_MARK
    return SOURCE_ASK if (order.traits & 0xFF) == SIDE_BUY else SOURCE_BID


cdef inline uint32_t order_type_of(const Order* order) noexcept nogil:
    return order.traits >> 8 & 0xFF


cdef bint is_upward(const Order* order) noexcept nogil:
    """Rule 10.3."""
    cdef bint touched = (order_type_of(order) == ORDER_TYPE_MARKET_IF_TOUCHED
                         or order_type_of(order) == ORDER_TYPE_LIMIT_IF_TOUCHED)
    return ((order.traits & 0xFF) == SIDE_BUY) != touched


cdef uint32_t find_trail(const State* s, const Triggers* triggers, uint32_t source, uint32_t side, uint32_t unit,
                         int64_t offset, uint32_t* rank) noexcept nogil:
    """Index of a trail, TRAILS_MAX if there is none; `rank`: where it is or belongs in trail_order."""
    cdef const Trail* trail
    cdef uint32_t index, wanted = source << 16 | side << 8 | unit, found
    rank[0] = 0
    while rank[0] < triggers.trail_count:
        index = triggers.trail_order[rank[0]]
        trail = &s.trails[triggers.instrument_id * TRAILS_MAX + index]
        found = <uint32_t> trail.source << 16 | <uint32_t> trail.side << 8 | trail.unit
        if found == wanted and trail.offset == offset:
            return index
        if found > wanted or (found == wanted and trail.offset > offset):
            break
        rank[0] += 1
    return TRAILS_MAX


cdef bint room_for_trail(const State* s, uint32_t instrument_id, const Order* order, const Terms* terms) noexcept nogil:
    """Whether the instrument can have one more order of this offset (10.8)."""
    cdef const Triggers* triggers = &s.triggers[instrument_id]
    cdef uint32_t rank
    if not trails_behind(order_type_of(order)) or triggers.trail_count < TRAILS_MAX:
        return True
    return find_trail(s, triggers, source_of(order, terms), order.traits & 0xFF, terms.trail_unit, terms.trail_offset,
                      &rank) < TRAILS_MAX


cdef uint32_t join_trail(State* s, Triggers* triggers, const Order* order, const Terms* terms) noexcept nogil:
    """Count the order in its trail, made if need be; returns the trail's index."""
    cdef uint32_t rank, index, i
    cdef uint32_t source = source_of(order, terms), side = order.traits & 0xFF
    cdef Trail* trail
    index = find_trail(s, triggers, source, side, terms.trail_unit, terms.trail_offset, &rank)
    if index == TRAILS_MAX:
        index = 0
        while trail_at(s, triggers, index).order_count:
            index += 1
        trail = trail_at(s, triggers, index)
        memset(trail, 0, sizeof(Trail))
        trail.head_slot = trail.tail_slot = SLOT_NONE
        trail.offset = terms.trail_offset
        trail.source = <uint8_t> source
        trail.side = <uint8_t> side
        trail.unit = terms.trail_unit
        ladder_init(&trail.waiting, LADDER_OWNER + triggers.instrument_id * 128 + TRAIL_LADDER + index, side != SIDE_BUY)
        for i in range(triggers.trail_count, rank, -1):
            triggers.trail_order[i] = triggers.trail_order[i - 1]
        triggers.trail_order[rank] = <uint8_t> index
        triggers.trail_count += 1
    trail_at(s, triggers, index).order_count += 1
    return index


cdef void leave_trail(State* s, Triggers* triggers, uint32_t index) noexcept nogil:
    """Count an order out of its trail, which is free without orders."""
    cdef Trail* trail = trail_at(s, triggers, index)
    cdef uint32_t rank = 0, i
    trail.order_count -= 1
    if trail.order_count:
        return
    while triggers.trail_order[rank] != index:
        rank += 1
    triggers.trail_count -= 1
    for i in range(rank, triggers.trail_count):
        triggers.trail_order[i] = triggers.trail_order[i + 1]


cdef inline Ladder* ladder_of(State* s, Triggers* triggers, uint32_t index) noexcept nogil:
    """The ladder a ladder or trail index stands for."""
    return &triggers.ladders[index] if index < TRAIL_LADDER else &trail_at(s, triggers, index - TRAIL_LADDER).waiting


cdef int lay_down(State* s, Order* order) except -1 nogil:
    """An order with a trigger, whose terms and slot are there, has been accepted: it is dormant from now on."""
    cdef uint32_t slot = slot_of(order.order_id), index
    cdef Terms* terms = &s.terms[slot]
    cdef Triggers* triggers = &s.triggers[order.instrument_id]
    cdef uint32_t source = source_of(order, terms)
    cdef Ladder* ladder
    open_triggers(s, order.instrument_id)
    if trails_behind(order_type_of(order)):
        index = TRAIL_LADDER + join_trail(s, triggers, order, terms)
    else:
        index = 2 * source + (0 if is_upward(order) else 1)
    terms.place = PLACE_WAITING | index << 8
    ladder = ladder_of(s, triggers, index)
    ladder_append(&s.levels, ladder, s.orders, slot, terms.trigger_price_ticks ^ ladder.key_mask)
    refs_add(&s.refs, order.ref_tag, slot)
    s.live_orders += 1
    s.sessions[order.session_id].live_orders += 1
    s.dormant_orders += 1
    triggers.order_count += 1
    s.instruments[order.instrument_id].special |= SPECIAL_TRIGGERS
    refresh_window(s, triggers, source)
    return 0


cdef int hold(State* s, Order* order) except -1 nogil:
    """An order of a list has been accepted: it waits for its turn (10.23)."""
    cdef uint32_t slot = slot_of(order.order_id)
    open_triggers(s, order.instrument_id)
    order.traits |= HELD_TRAIT
    order.level = 0
    s.terms[slot].place = PLACE_HELD
    refs_add(&s.refs, order.ref_tag, slot)
    s.live_orders += 1
    s.sessions[order.session_id].live_orders += 1
    s.dormant_orders += 1
    s.triggers[order.instrument_id].order_count += 1
    s.instruments[order.instrument_id].special |= SPECIAL_TRIGGERS
    return 0


cdef int have_turn(State* s, Order* order) except -1 nogil:
    """A held order is due."""
    assert s.terms[slot_of(order.order_id)].place == PLACE_HELD
    become_due(s, &s.triggers[order.instrument_id], order, 0, 0)
    return 0


cdef int leave_dormancy(State* s, Order* order) except -1 nogil:
    """Take a dormant order out of everything that knows it but its slot."""
    cdef uint32_t slot = slot_of(order.order_id)
    cdef Terms* terms = &s.terms[slot]
    cdef Triggers* triggers = &s.triggers[order.instrument_id]
    cdef uint32_t kind = terms.place & PLACE_KIND, index = terms.place >> 8
    if kind == PLACE_WAITING:
        ladder_remove(&s.levels, ladder_of(s, triggers, index), s.orders, order)
    elif kind == PLACE_MOVED:
        leave_row(s, trail_at(s, triggers, index - TRAIL_LADDER), order)
    elif kind == PLACE_DUE:
        leave_due(s, triggers, order)
    else:
        assert kind == PLACE_HELD
    order.traits &= ~<uint32_t> HELD_TRAIT
    if index >= TRAIL_LADDER:
        leave_trail(s, triggers, index - TRAIL_LADDER)
    order.level = 0
    terms.place = 0
    terms.trail_key = 0
    refs_remove(&s.refs, order.ref_tag, slot)
    s.live_orders -= 1
    s.sessions[order.session_id].live_orders -= 1
    s.dormant_orders -= 1
    triggers.order_count -= 1
    if triggers.order_count == 0:
        s.instruments[order.instrument_id].special &= ~<uint64_t> SPECIAL_TRIGGERS
    return 0


# --------------------------------------------------------------------------------------------------- rows

# A bunch knows its ends: the key stands in the terms of its first and last order, and each has the other's slot where
# orders on a ladder have their level.

cdef inline bint is_first(const State* s, uint32_t slot) noexcept nogil:
    return s.terms[slot].place & PLACE_FIRST != 0


cdef int join_row(State* s, Trail* trail, uint32_t slot, uint32_t index, int64_t key) except -1 nogil:
    """Put an order at the end of the row; its key is not below the last one's."""
    cdef Order* order = &s.orders[slot]
    cdef uint32_t tail = trail.tail_slot, first
    assert tail == SLOT_NONE or trail.tail_key <= key
    order.next_slot = SLOT_NONE
    order.prev_slot = tail
    s.terms[slot].trail_key = key
    s.terms[slot].place = PLACE_MOVED | index << 8
    order.level = slot
    if tail == SLOT_NONE:
        trail.head_slot = slot
        trail.head_key = key
    else:
        s.orders[tail].next_slot = slot
    if tail != SLOT_NONE and trail.tail_key == key:
        first = s.orders[tail].level
        s.orders[first].level = slot
        order.level = first
    else:
        s.terms[slot].place |= PLACE_FIRST
    trail.tail_slot = slot
    trail.tail_key = key
    return 0


cdef int leave_row(State* s, Trail* trail, Order* order) except -1 nogil:
    """Take an order out of the row; its bunch gets another end if it was one."""
    cdef uint32_t slot = slot_of(order.order_id), after = order.next_slot, before = order.prev_slot, other
    cdef bint first = is_first(s, slot)
    cdef bint last = after == SLOT_NONE or is_first(s, after)
    if first and not last:
        other = order.level
        s.terms[after].place |= PLACE_FIRST
        s.terms[after].trail_key = s.terms[slot].trail_key
        s.orders[after].level = other
        s.orders[other].level = after
    elif last and not first:
        other = order.level
        s.terms[before].trail_key = s.terms[slot].trail_key
        s.orders[before].level = other
        s.orders[other].level = before
    if before != SLOT_NONE:
        s.orders[before].next_slot = after
    else:
        trail.head_slot = after
    if after != SLOT_NONE:
        s.orders[after].prev_slot = before
    else:
        trail.tail_slot = before
    if trail.head_slot != SLOT_NONE:
        trail.head_key = s.terms[trail.head_slot].trail_key
        trail.tail_key = s.terms[trail.tail_slot].trail_key
    return 0


cdef int move_trail(State* s, Triggers* triggers, uint32_t index, int64_t price_ticks) except -1 nogil:
    """Rules 10.8 and 10.9 at a price."""
    cdef Trail* trail = trail_at(s, triggers, index)
    cdef bint buy = trail.side == SIDE_BUY
    cdef int64_t key = tradsys_trailing(price_ticks, trail.offset, trail.unit == TRAIL_UNIT_BASIS_POINTS, buy)
    cdef uint32_t first, before, level, slot
    key ^= trail.waiting.key_mask
    if trail.tail_slot != SLOT_NONE and trail.tail_key > key:
        first = s.orders[trail.tail_slot].level
        while True:
            before = s.orders[first].prev_slot
            if before == SLOT_NONE or s.terms[before].trail_key <= key:
                break
            s.terms[first].place &= ~<uint32_t> PLACE_FIRST
            first = s.orders[before].level
        s.terms[first].trail_key = key
        s.terms[trail.tail_slot].trail_key = key
        s.orders[first].level = trail.tail_slot
        s.orders[trail.tail_slot].level = first
        trail.tail_key = key
        if first == trail.head_slot:
            trail.head_key = key
    level = ladder_last_level(&s.levels, &trail.waiting)
    while level and level_key(&s.levels, level) > key:
        slot = level_at(&s.levels, level).head_slot
        ladder_remove(&s.levels, &trail.waiting, s.orders, &s.orders[slot])
        join_row(s, trail, slot, TRAIL_LADDER + index, key)
        level = ladder_last_level(&s.levels, &trail.waiting)
    return 0


cdef int64_t key_of_dormant(State* s, const Order* order) noexcept nogil:
    """The order's trigger as a key; of one in the middle of a bunch found at its first order."""
    cdef uint32_t slot = slot_of(order.order_id)
    cdef uint32_t kind = s.terms[slot].place & PLACE_KIND
    if kind == PLACE_WAITING:
        return level_key(&s.levels, order.level)
    if kind == PLACE_MOVED:
        while not is_first(s, slot):
            slot = s.orders[slot].prev_slot
    return s.terms[slot].trail_key


# --------------------------------------------------------------------------------------------------- becoming due

cdef void become_due(State* s, Triggers* triggers, Order* order, uint32_t index, int64_t key) noexcept nogil:
    """Append an order, which has left its ladder or row, to those that are due."""
    cdef uint32_t slot = slot_of(order.order_id)
    s.terms[slot].place = PLACE_DUE | index << 8
    s.terms[slot].trail_key = key
    order.level = 0
    order.next_slot = SLOT_NONE
    order.prev_slot = triggers.due_tail
    if triggers.due_tail != SLOT_NONE:
        s.orders[triggers.due_tail].next_slot = slot
    else:
        triggers.due_head = slot
    triggers.due_tail = slot
    triggers.due_count += 1


cdef void leave_due(State* s, Triggers* triggers, Order* order) noexcept nogil:
    if order.prev_slot != SLOT_NONE:
        s.orders[order.prev_slot].next_slot = order.next_slot
    else:
        triggers.due_head = order.next_slot
    if order.next_slot != SLOT_NONE:
        s.orders[order.next_slot].prev_slot = order.prev_slot
    else:
        triggers.due_tail = order.prev_slot
    triggers.due_count -= 1


cdef int see(State* s, uint32_t instrument_id, uint32_t source, int64_t price_ticks) except -1 nogil:
    """Look at a price that lies outside of the source's window: what it reaches is due, trails move (10.5, 10.8)."""
    cdef Triggers* triggers = &s.triggers[instrument_id]
    cdef uint32_t downward, i
    for downward in range(2):
        make_due(s, triggers, source, downward, ~price_ticks if downward else price_ticks)
    for i in range(triggers.trail_count):
        if trail_at(s, triggers, triggers.trail_order[i]).source == source:
            move_trail(s, triggers, triggers.trail_order[i], price_ticks)
    refresh_window(s, triggers, source)
    return 0


cdef int make_due(State* s, Triggers* triggers, uint32_t source, uint32_t downward, int64_t limit_key) except -1 nogil:
    """All triggers of a source and direction up to a key, in the order of rule 10.5."""
    cdef uint32_t i, index, found = 0
    cdef int64_t key
    cdef Trail* trail
    cdef Order* order
    cdef bint moved
    while True:
        index = 2 * source + downward
        key = triggers.ladders[index].best_key
        moved = False
        for i in range(triggers.trail_count):
            trail = trail_at(s, triggers, triggers.trail_order[i])
            if trail.source != source or (trail.side == SIDE_BUY) == downward:
                continue
            if trail.head_slot != SLOT_NONE and trail.head_key < key:
                key = trail.head_key
                index = TRAIL_LADDER + triggers.trail_order[i]
                moved = True
            if trail.waiting.best_key < key:
                key = trail.waiting.best_key
                index = TRAIL_LADDER + triggers.trail_order[i]
                moved = False
        if key > limit_key:
            return found
        if moved:
            trail = trail_at(s, triggers, index - TRAIL_LADDER)
            order = &s.orders[trail.head_slot]
            leave_row(s, trail, order)
        else:
            order = &s.orders[level_at(&s.levels, ladder_of(s, triggers, index).best_level).head_slot]
            ladder_remove(&s.levels, ladder_of(s, triggers, index), s.orders, order)
        become_due(s, triggers, order, index, key)
        found = 1


# --------------------------------------------------------------------------------------------------- windows

cdef void refresh_window(State* s, Triggers* triggers, uint32_t source) noexcept nogil:
    """Find the prices between which nothing becomes due or moves. O(trails x log prices)."""
    cdef int64_t low = INT64_MIN, high = triggers.ladders[2 * source].best_key, worst, nearest
    cdef uint32_t i, level
    cdef Trail* trail
    if triggers.ladders[2 * source + 1].best_level:
        low = ~triggers.ladders[2 * source + 1].best_key
    for i in range(triggers.trail_count):
        trail = trail_at(s, triggers, triggers.trail_order[i])
        level = ladder_last_level(&s.levels, &trail.waiting)
        if trail.source != source or (level == 0 and trail.head_slot == SLOT_NONE):
            continue
        nearest = trail.waiting.best_key
        worst = level_key(&s.levels, level) if level else INT64_MIN
        if trail.head_slot != SLOT_NONE:
            nearest = min(nearest, trail.head_key)
            worst = max(worst, trail.tail_key)
        if trail.side == SIDE_BUY:
            high = min(high, nearest)
            low = max(low, furthest_still(trail, worst) - 1)
        else:
            low = max(low, ~nearest)
            high = min(high, furthest_still(trail, ~worst) + 1)
    triggers.low_ticks[source] = low
    triggers.high_ticks[source] = high


@cython.overflowcheck(False)
cdef int64_t furthest_still(const Trail* trail, int64_t trigger_ticks) noexcept nogil:
    """The last price on the way from the trigger that does not move it: one tick further does."""
    cdef bint buy = trail.side == SIDE_BUY
    cdef bint basis_points = trail.unit == TRAIL_UNIT_BASIS_POINTS
    cdef int64_t still = trigger_ticks, moves, middle
    if not basis_points:
        return trigger_ticks - trail.offset if buy else trigger_ticks + trail.offset
    moves = -<int64_t> PRICE_TICKS_MAX - 1 if buy else <int64_t> PRICE_TICKS_MAX + 1
    while moves - still > 1 or still - moves > 1:
        middle = still + (moves - still) // 2
        if (tradsys_trailing(middle, trail.offset, True, buy) < trigger_ticks if buy
                else tradsys_trailing(middle, trail.offset, True, buy) > trigger_ticks):
            moves = middle
        else:
            still = middle
    return still


# --------------------------------------------------------------------------------------------------- commands that name one

cdef int cancel_dormant(State* s, const Command* c, Order* order, uint32_t cancel_reason, uint32_t event_flags) except -1 nogil:
    """Rule 10.10."""
    cdef uint32_t slot = slot_of(order.order_id)
    event_flags |= held_flag(order) | EVENT_FLAGS_DORMANT
    order.traits &= ~<uint32_t> HELD_TRAIT
    write_canceled(s, c, order, s.terms[slot].limit_price_ticks, cancel_reason, event_flags)
    leave_dormancy(s, order)
    give_slot(s, order, slot)
    return 0


cdef inline uint32_t held_flag(const Order* order) noexcept nogil:
    return EVENT_FLAGS_HELD if is_held(order) else 0


cdef void change_leaves(State* s, Order* order, int64_t leaves_lots) noexcept nogil:
    """Give a dormant order another quantity; a ladder adds up those of its levels."""
    if s.terms[slot_of(order.order_id)].place & PLACE_KIND == PLACE_WAITING:
        level_at(&s.levels, order.level).qty_lots += leaves_lots - order.leaves_lots
    order.leaves_lots = leaves_lots


cdef int reduce_dormant(State* s, const Command* c, Order* order, int64_t qty_lots) except -1 nogil:
    """Rule 10.10, for less than all that is left."""
    cdef uint32_t held = order.traits & HELD_TRAIT
    cdef uint32_t event_flags = held_flag(order) | EVENT_FLAGS_DORMANT | EVENT_FLAGS_PRIORITY_KEPT | unsolicited(c, order)
    order.qty_lots -= qty_lots
    change_leaves(s, order, order.leaves_lots - qty_lots)
    order.traits &= ~<uint32_t> HELD_TRAIT          # which is no part of what is told
    write_reduced(s, c, order, s.terms[slot_of(order.order_id)].limit_price_ticks, qty_lots, event_flags)
    order.traits |= held
    return 1


cdef int replace_dormant(State* s, const ReplaceOrder* c, Order* order) except -1 nogil:
    """Rule 10.11, for an order reached and a reference that is free; 1: decided."""
    cdef const Command* command = <const Command*> c
    cdef uint32_t slot = slot_of(order.order_id)
    cdef Terms* terms = &s.terms[slot]
    cdef uint64_t ref_before = order.client_ref
    cdef int64_t leaves_before = order.leaves_lots, price_before = terms.limit_price_ticks
    cdef uint8_t reason = 0
    if c.order_flags:
        reason = REJECT_REASON_BAD_FLAGS
    elif kind_behind(order_type_of(order)) != ORDER_TYPE_LIMIT:
        reason = REJECT_REASON_BAD_ORDER_TYPE
    else:
        reason = <uint8_t> replace_order_risk(s, c, order, c.price_ticks)
    number_command(s, command)
    if reason:
        write_rejected(s, command, TEMPLATE_REPLACE_ORDER, reason, c.instrument_id, c.price_ticks, c.qty_lots, 0, 0,
                       c.orig_client_ref, c.order_id)
        return 1
    refs_remove(&s.refs, order.ref_tag, slot)
    order.client_ref = c.client_ref
    order.ref_tag = refs_tag(&s.refs, order.session_id, c.client_ref)
    refs_add(&s.refs, order.ref_tag, slot)
    change_leaves(s, order, c.qty_lots - (order.qty_lots - order.leaves_lots))
    order.qty_lots = c.qty_lots
    terms.limit_price_ticks = c.price_ticks
    write_replaced(s, command, order, c.price_ticks, EVENT_FLAGS_DORMANT | EVENT_FLAGS_PRIORITY_KEPT, ref_before,
                   price_before, leaves_before)
    return 1
