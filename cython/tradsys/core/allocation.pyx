"""How a price level is shared out among its orders (section 12 of the rule book)."""
cimport cython
from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memset

from tradsys.core.answers cimport command_done, operator_reason, refuse, sender_and_participant_reason
from tradsys.core.events cimport event_begin, number_command, write_executed
from tradsys.core.hash cimport mix
from tradsys.core.ladder cimport ladder_next_level, level_key
from tradsys.core.order cimport SLOT_NONE
from tradsys.core.resting cimport cancel_resting, side_of_order, unrest_order
from tradsys.core.state cimport (
    SHARES_MAX, SPECIAL_ALLOCATION, SPECIAL_ORDERS, SPECIAL_TRIGGERS, Instrument, events_left, give_slot,
    instrument_is_fifo)
from tradsys.core.validation cimport all_zero, enabled_sender_reason, instrument_defined
from tradsys.wire.records cimport (
    ALLOCATION_ROUNDING_DOWN, ALLOCATION_ROUNDING_NEAREST, CANCEL_REASON_SELF_TRADE, EVENT_FLAGS_UNSOLICITED,
    REJECT_REASON_BAD_DEFINITION, REJECT_REASON_NONE, REJECT_REASON_UNKNOWN_INSTRUMENT, STP_MODE_CANCEL_BOTH,
    STP_MODE_CANCEL_NEWEST, STP_MODE_CANCEL_OLDEST, STP_MODE_NONE, TEMPLATE_ALLOCATION_SET, TEMPLATE_SET_ALLOCATION,
    TEMPLATE_SET_ALLOCATION_SHARE, AllocationSet, CommandDone)

cdef extern from * nogil:
    """
    /* floor(lots * part / whole), to a multiple of step; with `nearest` rounded to one, a half upwards.
       lots, part < 2^40, part <= whole < 2^63, whole > 0 */
    static inline int64_t tradsys_part_of(int64_t lots, int64_t part, int64_t whole, int64_t step, int nearest)
    {
        unsigned __int128 product = (unsigned __int128) lots * (unsigned __int128) part;
        unsigned __int128 unit = (unsigned __int128) whole * (unsigned __int128) step;
        if (nearest)
            return (int64_t) ((2 * product + unit) / (2 * unit)) * step;
        return (int64_t) (product / unit) * step;
    }
    """
    int64_t tradsys_part_of(int64_t lots, int64_t part, int64_t whole, int64_t step, int nearest)

cdef enum:
    ALL_BP = 10_000


# --------------------------------------------------------------------------------------------------- matching

cdef int match_allocated(State* s, const Command* c, Order* order, Ladder* other, int64_t limit_key) except -1 nogil:
    """Rules 12.3 and 12.4; 1: self-trade prevention ends it."""
    cdef uint32_t ref
    cdef int64_t taken
    while order.leaves_lots > 0 and other.best_key <= limit_key:
        ref = other.best_level
        if prevent_self_trades(s, c, order, level_at(&s.levels, ref)):
            return 1
        if other.best_level != ref:
            continue
        if order.leaves_lots < level_at(&s.levels, ref).qty_lots:
            taken = share_out(s, order, level_at(&s.levels, ref))
            assert taken == order.leaves_lots, "what is matched of a level is all shared out"
            execute_level(s, c, order, other, ref, True)
            return 0
        execute_level(s, c, order, other, ref, False)
    return 0


cdef inline bint is_own(const State* s, uint32_t participant_id, const Order* resting) noexcept nogil:
    return s.sessions[resting.session_id].participant_id == participant_id


cdef int prevent_self_trades(State* s, const Command* c, const Order* order, const Level* level) except -1 nogil:
    """Rule 12.4, before a level is shared out; 1: matching ends. The level is gone when all its orders were."""
    cdef uint32_t stp_mode = order.traits >> 24, slot = level.head_slot, following
    cdef uint32_t participant_id = s.sessions[order.session_id].participant_id
    if stp_mode == STP_MODE_NONE:
        return 0
    while slot != SLOT_NONE:
        following = s.orders[slot].next_slot
        if is_own(s, participant_id, &s.orders[slot]):
            if stp_mode == STP_MODE_CANCEL_NEWEST:
                return 1
            cancel_resting(s, c, &s.orders[slot], CANCEL_REASON_SELF_TRADE, EVENT_FLAGS_UNSOLICITED)
            if stp_mode == STP_MODE_CANCEL_BOTH:
                return 1
        slot = following
    return 0


cdef int execute_level(State* s, const Command* c, Order* order, Ladder* other, uint32_t ref,
                       bint shared) except -1 nogil:
    """Match the orders of a level in order of arrival: all of each, or what `share_out` gave it."""
    cdef Level* level = level_at(&s.levels, ref)
    cdef int64_t price_ticks = other.best_key ^ other.key_mask, qty_lots
    cdef uint32_t slot = level.head_slot, following
    cdef Order* resting
    while slot != SLOT_NONE:
        resting = &s.orders[slot]
        following = resting.next_slot
        qty_lots = s.allotted[slot] if shared else resting.leaves_lots
        if qty_lots:
            order.leaves_lots -= qty_lots
            resting.leaves_lots -= qty_lots
            level.qty_lots -= qty_lots
            write_executed(s, c, resting, order, price_ticks, qty_lots)
            if resting.leaves_lots == 0:
                unrest_order(s, resting)
                give_slot(s, resting, slot)
        slot = following
    return 0


cdef int64_t reachable_allocated(State* s, Ladder* other, int64_t limit_key, uint32_t stp_mode, uint32_t session_id,
                                 int64_t qty_lots, int64_t* events) noexcept nogil:
    """Lots up to `qty_lots` that would match (rules 4.7, 12.4), level by level."""
    cdef uint32_t participant_id = s.sessions[session_id].participant_id
    cdef uint32_t level = other.best_level, slot
    cdef int64_t reached = 0, own, lots
    events[0] = 0
    while level and level_key(&s.levels, level) <= limit_key:
        own = lots = 0
        slot = level_at(&s.levels, level).head_slot
        while slot != SLOT_NONE:
            events[0] += 1
            if stp_mode != STP_MODE_NONE and is_own(s, participant_id, &s.orders[slot]):
                own += 1
            else:
                lots += s.orders[slot].leaves_lots
            slot = s.orders[slot].next_slot
        if own and stp_mode != STP_MODE_CANCEL_OLDEST:
            return reached
        if lots >= qty_lots - reached:
            return qty_lots
        reached += lots
        level = ladder_next_level(&s.levels, level)
    return reached


# --------------------------------------------------------------------------------------------------- sharing out

cdef int64_t share_out(State* s, const Order* order, const Level* level) noexcept nogil:
    """Rule 12.3: give each order of the level its lots, in `allotted`; the incoming order is smaller than the level."""
    cdef const Allocation* allocation = &s.allocations[order.instrument_id]
    cdef int64_t step = s.instruments[order.instrument_id].qty_increment_lots
    cdef int64_t left = order.leaves_lots, base
    cdef uint32_t slot = level.head_slot, i
    while slot != SLOT_NONE:
        s.allotted[slot] = 0
        slot = s.orders[slot].next_slot
    if allocation.top:
        left -= give_top(s, allocation, level, left)
    base = left
    for i in range(allocation.share_count):
        left -= give_in_order(s, level, min(left, tradsys_part_of(base, allocation.share_bp[i], ALL_BP, step, 0)),
                              allocation.share_participant_id[i])
    left -= give_in_order(s, level, tradsys_part_of(left, allocation.fifo_bp, ALL_BP, step, 0), 0)
    left -= give_pro_rata(s, allocation, level, left, order.leaves_lots - left, step)
    left -= give_in_order(s, level, left, 0)
    return order.leaves_lots - left


cdef int64_t give_top(State* s, const Allocation* allocation, const Level* level, int64_t lots) noexcept nogil:
    """The level's top order comes first; returns what it was given."""
    cdef uint64_t order_id = allocation.top_order_id[side_of_order(&s.orders[level.head_slot]) - 1]
    cdef const Order* top = &s.orders[slot_of(order_id)]
    if order_id == 0 or top.order_id != order_id or top.level != s.orders[level.head_slot].level:
        return 0
    lots = min(lots, top.leaves_lots)
    if allocation.top_max_lots:
        lots = min(lots, allocation.top_max_lots)
    s.allotted[slot_of(order_id)] = lots
    return lots


cdef int64_t give_in_order(State* s, const Level* level, int64_t lots, uint32_t participant_id) noexcept nogil:
    """Give lots in order of arrival, to one participant's orders or (0) to all; returns what was given."""
    cdef int64_t left = lots, part
    cdef uint32_t slot = level.head_slot
    while slot != SLOT_NONE and left > 0:
        if participant_id == 0 or is_own(s, participant_id, &s.orders[slot]):
            part = min(left, s.orders[slot].leaves_lots - s.allotted[slot])
            s.allotted[slot] += part
            left -= part
        slot = s.orders[slot].next_slot
    return lots - left


cdef int64_t give_pro_rata(State* s, const Allocation* allocation, const Level* level, int64_t lots, int64_t given,
                           int64_t step) noexcept nogil:
    """Give each order its part of `lots` by what is left of it; `given` of the level is given already."""
    cdef int64_t whole = level.qty_lots - given, left = lots, part, open_lots
    cdef int nearest = allocation.rounding == ALLOCATION_ROUNDING_NEAREST
    cdef uint32_t slot = level.head_slot
    while slot != SLOT_NONE and left > 0:
        open_lots = s.orders[slot].leaves_lots - s.allotted[slot]
        part = min(min(tradsys_part_of(lots, open_lots, whole, step, nearest), open_lots), left)
        if part >= allocation.pro_rata_min_lots:
            s.allotted[slot] += part
            left -= part
        slot = s.orders[slot].next_slot
    return lots - left


# --------------------------------------------------------------------------------------------------- settings

cdef int set_allocation(State* s, const SetAllocation* c) except -1 nogil:
    """Rule 12.1."""
    cdef const Command* command = <const Command*> c
    cdef Allocation* allocation
    cdef CommandDone* done
    cdef uint8_t reason = enabled_sender_reason(s, c.session_id)
    if reason == 0 and not instrument_defined(s, c.instrument_id):
        reason = REJECT_REASON_UNKNOWN_INSTRUMENT
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)))
    if reason == 0 and (not allocation_holds(c) or has_special_orders(s, c.instrument_id)):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_SET_ALLOCATION, reason, c.instrument_id, c.client_ref)
    if events_left(s) < 2:
        return 0
    number_command(s, command)
    allocation = begun_allocation(s, c.instrument_id)
    allocation.fifo_bp = c.fifo_bp
    allocation.top = c.top
    allocation.rounding = c.rounding
    allocation.pro_rata_min_lots = c.pro_rata_min_lots
    allocation.top_min_lots = c.top_min_lots
    allocation.top_max_lots = c.top_max_lots
    memset(allocation.top_order_id, 0, sizeof(allocation.top_order_id))
    note_special(s, allocation)
    done = command_done(s, command, TEMPLATE_SET_ALLOCATION, c.client_ref)
    done.instrument_id = c.instrument_id
    write_allocation_set(s, command, allocation, 0, 0)
    return 1


cdef inline bint has_special_orders(const State* s, uint32_t instrument_id) noexcept nogil:
    """Whether hidden orders or icebergs rest on the book (9.23)."""
    return s.instruments[instrument_id].special & (SPECIAL_ORDERS | SPECIAL_TRIGGERS) != 0


cdef bint allocation_holds(const SetAllocation* c) noexcept nogil:
    return (c.fifo_bp <= ALL_BP and c.top <= 1 and c.rounding >= ALLOCATION_ROUNDING_DOWN
            and c.rounding <= ALLOCATION_ROUNDING_NEAREST and c.pro_rata_min_lots >= 1 and c.top_min_lots >= 1
            and c.top_max_lots >= 0)


cdef int set_allocation_share(State* s, const SetAllocationShare* c) except -1 nogil:
    """Rule 12.2."""
    cdef const Command* command = <const Command*> c
    cdef Allocation* allocation
    cdef CommandDone* done
    cdef uint8_t reason = sender_and_participant_reason(s, c.session_id, c.participant_id)
    if reason == 0 and not instrument_defined(s, c.instrument_id):
        reason = REJECT_REASON_UNKNOWN_INSTRUMENT
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)))
    if reason == 0:
        reason = share_reason(&s.allocations[c.instrument_id], c)
    if reason == 0 and has_special_orders(s, c.instrument_id):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_SET_ALLOCATION_SHARE, reason, c.instrument_id, c.client_ref)
    if events_left(s) < 2:
        return 0
    number_command(s, command)
    allocation = begun_allocation(s, c.instrument_id)
    take_share(allocation, c.participant_id, c.share_bp)
    note_special(s, allocation)
    done = command_done(s, command, TEMPLATE_SET_ALLOCATION_SHARE, c.client_ref)
    done.participant_id = c.participant_id
    done.instrument_id = c.instrument_id
    write_allocation_set(s, command, allocation, c.participant_id, c.share_bp)
    return 1


cdef uint8_t share_reason(const Allocation* allocation, const SetAllocationShare* c) noexcept nogil:
    """The shares of an instrument are at most SHARES_MAX and make at most the whole."""
    cdef uint32_t total = c.share_bp, others = 0, i
    for i in range(allocation.share_count):
        if allocation.share_participant_id[i] != c.participant_id:
            total += allocation.share_bp[i]
            others += 1
    if total > ALL_BP or (c.share_bp and others == SHARES_MAX):
        return REJECT_REASON_BAD_DEFINITION
    return REJECT_REASON_NONE


cdef void take_share(Allocation* allocation, uint32_t participant_id, uint32_t share_bp) noexcept nogil:
    """Set, change or take away a share; shares stay in ascending participant id."""
    cdef uint32_t i, kept = 0
    cdef uint32_t ids[SHARES_MAX + 1]
    cdef uint32_t parts[SHARES_MAX + 1]
    cdef bint placed = share_bp == 0
    for i in range(allocation.share_count):
        if allocation.share_participant_id[i] == participant_id:
            continue
        if not placed and allocation.share_participant_id[i] > participant_id:
            ids[kept], parts[kept] = participant_id, share_bp
            kept += 1
            placed = True
        ids[kept], parts[kept] = allocation.share_participant_id[i], allocation.share_bp[i]
        kept += 1
    if not placed:
        ids[kept], parts[kept] = participant_id, share_bp
        kept += 1
    memset(allocation.share_participant_id, 0, sizeof(allocation.share_participant_id))
    memset(allocation.share_bp, 0, sizeof(allocation.share_bp))
    for i in range(kept):
        allocation.share_participant_id[i], allocation.share_bp[i] = ids[i], parts[i]
    allocation.share_count = kept


cdef Allocation* begun_allocation(State* s, uint32_t instrument_id) noexcept nogil:
    """The instrument's settings, with those it began with when none have been given."""
    cdef Allocation* allocation = &s.allocations[instrument_id]
    if allocation.instrument_id == 0:
        allocation.instrument_id = instrument_id
        allocation.fifo_bp = ALL_BP
        allocation.rounding = ALLOCATION_ROUNDING_DOWN
        allocation.pro_rata_min_lots = 1
        allocation.top_min_lots = 1
    return allocation


cdef void note_special(State* s, const Allocation* allocation) noexcept nogil:
    cdef Instrument* instrument = &s.instruments[allocation.instrument_id]
    instrument.special &= ~(<uint64_t> SPECIAL_ALLOCATION)
    if not instrument_is_fifo(allocation):
        instrument.special |= SPECIAL_ALLOCATION


cdef void write_allocation_set(State* s, const Command* c, const Allocation* allocation, uint32_t participant_id,
                               uint32_t share_bp) noexcept nogil:
    cdef AllocationSet* e = <AllocationSet*> event_begin(s, TEMPLATE_ALLOCATION_SET, c.ts_ns)
    memset(&e.pro_rata_min_lots, 0, sizeof(AllocationSet) - 32)
    e.pro_rata_min_lots = allocation.pro_rata_min_lots
    e.top_min_lots = allocation.top_min_lots
    e.top_max_lots = allocation.top_max_lots
    e.instrument_id = allocation.instrument_id
    e.session_id = c.session_id
    e.participant_id = participant_id
    e.share_count = allocation.share_count
    e.fifo_bp = allocation.fifo_bp
    e.share_bp = <uint16_t> share_bp
    e.top = allocation.top
    e.rounding = allocation.rounding


# --------------------------------------------------------------------------------------------------- hash, invariants

cdef uint64_t live_top_order(const State* s, const Allocation* allocation, uint32_t side_index) noexcept nogil:
    """Id of a side's top order, 0 when there is none (any more)."""
    cdef uint64_t order_id = allocation.top_order_id[side_index]
    return order_id if order_id and s.orders[slot_of(order_id)].order_id == order_id else 0


cdef bint is_as_begun(const Allocation* allocation) noexcept nogil:
    return (instrument_is_fifo(allocation) and allocation.rounding <= ALLOCATION_ROUNDING_DOWN
            and allocation.pro_rata_min_lots <= 1 and allocation.top_min_lots <= 1 and allocation.top_max_lots == 0)


@cython.overflowcheck(False)
cdef uint64_t hash_allocations(State* s, uint64_t h) noexcept nogil:
    """Rule 8.7: what is not as every instrument begins."""
    cdef const Allocation* allocation
    cdef uint32_t i, k
    for i in range(1, s.instruments_max):
        allocation = &s.allocations[i]
        if is_as_begun(allocation):
            continue
        h = mix(h, i)
        h = mix(h, allocation.fifo_bp)
        h = mix(h, allocation.top)
        h = mix(h, allocation.rounding)
        h = mix(h, <uint64_t> allocation.pro_rata_min_lots)
        h = mix(h, <uint64_t> allocation.top_min_lots)
        h = mix(h, <uint64_t> allocation.top_max_lots)
        for k in range(allocation.share_count):
            h = mix(h, allocation.share_participant_id[k])
            h = mix(h, allocation.share_bp[k])
        h = mix(h, live_top_order(s, allocation, 0))
        h = mix(h, live_top_order(s, allocation, 1))
    return h


cdef int check_allocations(State* s) except -1:
    """Top orders rest on their side, shares are in order and make at most the whole.

    Raises
    ------
    AssertionError
        With a sentence on the first thing that does not hold.
    """
    cdef const Allocation* allocation
    cdef uint64_t order_id
    cdef uint32_t i, k, total
    for i in range(1, s.instruments_max):
        allocation = &s.allocations[i]
        if bool(s.instruments[i].special & SPECIAL_ALLOCATION) == instrument_is_fifo(allocation):
            raise AssertionError(f"instrument {i} is marked {s.instruments[i].special:#x}, which its allocation is not")
        if allocation.instrument_id not in (0, i):
            raise AssertionError(f"the allocation of instrument {i} says {allocation.instrument_id}")
        total = 0
        for k in range(allocation.share_count):
            total += allocation.share_bp[k]
            if k and allocation.share_participant_id[k - 1] >= allocation.share_participant_id[k]:
                raise AssertionError(f"the shares of instrument {i} are out of order")
        if total > ALL_BP:
            raise AssertionError(f"the shares of instrument {i} make {total} of {ALL_BP} basis points")
        for k in range(2):
            order_id = live_top_order(s, allocation, k)
            if order_id and (s.orders[slot_of(order_id)].instrument_id != i
                             or side_of_order(&s.orders[slot_of(order_id)]) != k + 1):
                raise AssertionError(f"top order {order_id} rests elsewhere than on side {k + 1} of instrument {i}")
    return 0
