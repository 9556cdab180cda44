"""Positions kept from events: rules 14.1 to 14.4."""
cimport cython
from libc.stdint cimport uint16_t
from libc.string cimport memset

from tradsys.core.order cimport slot_of
from tradsys.core.resting cimport side_of_order
from tradsys.core.risk_state cimport WATCHED, Stake, wide
from tradsys.core.terms cimport kind_behind
from tradsys.wire.records cimport (
    EVENT_FLAGS_DORMANT, MessageHeader, ORDER_TYPE_MARKET, OrderAccepted, OrderCanceled, OrderExecuted, OrderReplaced,
    OrderTermsSet, SIDE_BUY, TEMPLATE_ORDER_ACCEPTED, TEMPLATE_ORDER_CANCELED, TEMPLATE_ORDER_EXECUTED,
    TEMPLATE_ORDER_REDUCED, TEMPLATE_ORDER_REPLACED, TEMPLATE_ORDER_RESTED, TEMPLATE_ORDER_TRANSFERRED)

cdef extern from * nogil:
    long __builtin_expect(long, long)

cdef extern from * nogil:
    """
    /* Two words stored one by one and loaded as one vector: the load waits until both have left the store queue. */
    #pragma GCC optimize ("no-tree-slp-vectorize")
    static inline int64_t tradsys_magnitude(int64_t value) { return value < 0 ? -value : value; }
    typedef uint64_t __attribute__((may_alias)) tradsys_word;
    /* into += value, in two words: gcc would pass 128 bits on through memory, as two stores and one load that waits for them */
    static inline void tradsys_add(__int128 *into, uint64_t low, uint64_t high)
    {
        tradsys_word *words = (tradsys_word *) into;
        words[0] += low;
        words[1] += high + (words[0] < low);
    }
    /* a value in two words that stay in registers */
    static inline void tradsys_split(__int128 value, uint64_t *low, uint64_t *high)
    {
        uint64_t a = (uint64_t) value, b = (uint64_t) (value >> 64);
        __asm__ ("" : "+r" (a), "+r" (b));
        *low = a;
        *high = b;
    }
    /* rule 14.4; no branches, for the sign of a position and the heavier side are as good as random */
    static inline __int128 tradsys_worst(int64_t position, __int128 cost, __int128 buys, __int128 sells)
    {
        __int128 held = cost < 0 ? -cost : cost;
        buys += held & -(__int128) (position > 0);
        sells += held & -(__int128) (position < 0);
        return buys > sells ? buys : sells;
    }
    /* floor(cost x closed / held) without a product that could pass 127 bits; held > 0, 0 < closed <= held */
    static inline __int128 tradsys_share(__int128 cost, int64_t closed, int64_t held)
    {
        if (cost == (int64_t) cost) {                   /* as a rule: the long division takes five times as long */
            int64_t short_average = (int64_t) cost / held, short_rest = (int64_t) cost % held, product;
            if (short_rest < 0) { short_average -= 1; short_rest += held; }
            if (!__builtin_mul_overflow(short_rest, closed, &product))
                return (__int128) short_average * closed + product / held;
        }
        __int128 average = cost / held, rest = cost % held;
        if (rest < 0) { average -= 1; rest += held; }
        return average * closed + rest * closed / held;
    }
    """
    int64_t tradsys_magnitude(int64_t value)
    void tradsys_add(wide* into, uint64_t low, uint64_t high)
    void tradsys_split(wide value, uint64_t* low, uint64_t* high)
    wide tradsys_worst(int64_t position, wide cost, wide buys, wide sells)
    wide tradsys_share(wide cost, int64_t closed, int64_t held)

cdef enum:
    EVENT_BYTES = 128

assert sizeof(Position) == 160, "Position must have no holes"

cdef struct Change:                     # of an account's record, for the sums above it
    uint32_t side
    int64_t open_lots
    int64_t position_lots
    uint64_t open_value[2]              # low and high word, as all values
    uint64_t worst_value[2]
    uint64_t cost_value[2]
    uint64_t realised_value[2]
    uint64_t traded_value[2]


# --------------------------------------------------------------------------------------------------- records

cdef Position* make_position(State* s, uint64_t key) noexcept nogil:
    """The record of a key, made when there is none; room has been checked."""
    cdef uint32_t* place = place_of(s, key)
    if place[0] == 0:
        s.risk.records[s.risk.position_count].key = key
        s.risk.records[s.risk.position_count].serial = s.risk.position_count
        s.risk.position_count += 1
        place[0] = s.risk.position_count
    return &s.risk.records[place[0] - 1]


cdef bint place_position(State* s, const Position* record) noexcept nogil:
    """Put a record of a snapshot where its serial says; False: its serial or its key is there already."""
    cdef uint32_t* place = place_of(s, record.key)
    if place[0] or s.risk.records[record.serial].key:
        return False
    s.risk.records[record.serial] = record[0]
    place[0] = record.serial + 1
    return True


cdef void forget_last_position(State* s) noexcept nogil:
    """Take out the record made last."""
    s.risk.position_count -= 1
    place_of(s, s.risk.records[s.risk.position_count].key)[0] = 0
    memset(&s.risk.records[s.risk.position_count], 0, sizeof(Position))


cdef inline Position* record_at(State* s, uint64_t key, uint32_t* number) noexcept nogil:
    """The record of a key, looked for where it was found last; made when there is none, room has been checked."""
    cdef Position* found = &s.risk.records[number[0]]
    if __builtin_expect(found.key != key, 0):
        found = make_position(s, key)
        number[0] = found.serial
    return found


# --------------------------------------------------------------------------------------------------- following events

cdef int follow_events(State* s, const uint8_t* event) except -1 nogil:
    """Rules 14.1 to 14.4: what each event changes of the watched."""
    cdef uint16_t template_id
    cdef const OrderReplaced* e
    while event < s.cursor:
        template_id = (<const MessageHeader*> event).template_id
        e = <const OrderReplaced*> event
        event += EVENT_BYTES
        if template_id == TEMPLATE_ORDER_EXECUTED:
            note_band_price(s, <const OrderExecuted*> e)
            follow_match(s, <const OrderExecuted*> e)
        elif template_id == TEMPLATE_ORDER_TRANSFERRED:         # laid out as a match, and no price of the market
            follow_match(s, <const OrderExecuted*> e)
        elif template_id < TEMPLATE_ORDER_ACCEPTED or template_id > TEMPLATE_ORDER_RESTED:
            continue
        elif not s.risk.watch[e.participant_id] & WATCHED:      # at the same place in all of them
            continue
        elif template_id == TEMPLATE_ORDER_ACCEPTED:
            begin_stake(s, slot_of(e.order_id), accepted_price(<const OrderAccepted*> e, event))
            change_open(s, e.participant_id, e.account_id, e.instrument_id, (<const OrderAccepted*> e).side, e.order_id,
                        e.leaves_lots)
        elif template_id == TEMPLATE_ORDER_CANCELED:
            change_open(s, e.participant_id, e.account_id, e.instrument_id, (<const OrderCanceled*> e).side, e.order_id,
                        -e.qty_lots)
        elif template_id == TEMPLATE_ORDER_REDUCED:
            change_open(s, e.participant_id, e.account_id, e.instrument_id, e.side, e.order_id, -e.qty_lots)
        elif template_id == TEMPLATE_ORDER_REPLACED:
            reprice_open(s, e, e.leaves_before_lots)
        elif template_id == TEMPLATE_ORDER_RESTED:              # a market order as a limit order (9.9, 9.10)
            if s.risk.stakes[slot_of(e.order_id)].price_ticks != tradsys_magnitude(e.price_ticks):
                reprice_open(s, e, e.leaves_lots)
    return 0


cdef inline int64_t accepted_price(const OrderAccepted* accepted, const uint8_t* next_event) noexcept nogil:
    """Price an accepted order is open at: of one with a trigger and no limit that of its OrderTermsSet (10.15)."""
    if accepted.event_flags & EVENT_FLAGS_DORMANT and kind_behind(accepted.order_type) == ORDER_TYPE_MARKET:
        return (<const OrderTermsSet*> next_event).trigger_price_ticks
    return accepted.price_ticks


cdef inline int reprice_open(State* s, const OrderReplaced* e, int64_t leaves_before_lots) except -1 nogil:
    """Count what is open of an order at another price; OrderRested has all this at the same places."""
    change_open(s, e.participant_id, e.account_id, e.instrument_id, e.side, e.order_id, -leaves_before_lots)
    s.risk.stakes[slot_of(e.order_id)].price_ticks = tradsys_magnitude(e.price_ticks)
    return change_open(s, e.participant_id, e.account_id, e.instrument_id, e.side, e.order_id, e.leaves_lots)


cdef inline void note_band_price(State* s, const OrderExecuted* match) noexcept nogil:
    s.risk.bands[match.instrument_id].last_price_ticks = match.price_ticks
    s.risk.bands[match.instrument_id].has_last = 1


cdef int follow_match(State* s, const OrderExecuted* match) except -1 nogil:
    cdef uint32_t resting_id = s.sessions[match.resting_session_id].participant_id
    cdef uint32_t incoming_id = s.sessions[match.incoming_session_id].participant_id
    if s.risk.watch[resting_id] & WATCHED:
        book_match(s, resting_id, match.resting_account_id, match.instrument_id, 3 - match.incoming_side,
                   match.resting_order_id, match.qty_lots, match.price_ticks)
    if s.risk.watch[incoming_id] & WATCHED:
        book_match(s, incoming_id, match.incoming_account_id, match.instrument_id, match.incoming_side,
                   match.incoming_order_id, match.qty_lots, match.price_ticks)
    return 0


cdef int count_open(State* s, const Order* order, int64_t price_ticks) except -1 nogil:
    """Count a live order of a participant that is watched from now on."""
    begin_stake(s, slot_of(order.order_id), price_ticks)
    return change_open(s, s.sessions[order.session_id].participant_id, order.account_id, order.instrument_id,
                       side_of_order(order), order.order_id, order.leaves_lots)


@cython.overflowcheck(False)
cdef inline void begin_stake(State* s, uint32_t slot, int64_t price_ticks) noexcept nogil:
    """An order counts from now on, as a rule the one asked about last."""
    s.risk.stakes[slot].price_ticks = tradsys_magnitude(price_ticks)
    s.risk.stakes[slot].account_record = s.risk.found[0]
    s.risk.stakes[slot].participant_record = s.risk.found[1]


cdef int change_open(State* s, uint32_t participant_id, uint32_t account_id, uint32_t instrument_id, uint32_t side,
                     uint64_t order_id, int64_t open_lots) except -1 nogil:
    """Change an order's open lots."""
    return change_stake(s, participant_id, account_id, instrument_id, side, &s.risk.stakes[slot_of(order_id)], open_lots,
                        0, False, 0)


cdef int book_match(State* s, uint32_t participant_id, uint32_t account_id, uint32_t instrument_id, uint32_t side,
                    uint64_t order_id, int64_t qty_lots, int64_t price_ticks) except -1 nogil:
    """Lots of an order that are open no more but traded."""
    return change_stake(s, participant_id, account_id, instrument_id, side, &s.risk.stakes[slot_of(order_id)], -qty_lots,
                        qty_lots, True, price_ticks)


@cython.overflowcheck(False)
cdef inline int change_stake(State* s, uint32_t participant_id, uint32_t account_id, uint32_t instrument_id,
                             uint32_t side, Stake* stake, int64_t open_lots, int64_t traded_lots, bint is_match,
                             int64_t price_ticks) except -1 nogil:
    """Change an order's open lots, and book its match, in its account's record, then in the sums above it."""
    cdef uint32_t group_id = s.risk.groups[participant_id]
    cdef uint64_t key = account_key(participant_id, account_id)
    cdef Position* account = record_at(s, key | instrument_id, &stake.account_record)
    cdef Change change
    change.side = side
    change.open_lots = open_lots
    change.worst_value[0] = change.worst_value[1] = 0
    tradsys_split(<wide> stake.price_ticks * open_lots, &change.open_value[0], &change.open_value[1])
    if is_match:
        trade(account, traded_lots if side == SIDE_BUY else -traded_lots, price_ticks, &change)
    change_sums(account, &change, is_match)
    assert account.open_lots[side - 1] >= 0
    tradsys_split(tradsys_worst(account.position_lots, account.cost_value, account.open_value[0], account.open_value[1])
                  - account.worst_value, &change.worst_value[0], &change.worst_value[1])
    tradsys_add(&account.worst_value, change.worst_value[0], change.worst_value[1])
    change_holder(holder_by(s, key), &change, is_match)
    key = position_key(RISK_SCOPE_PARTICIPANT, participant_id, 0)
    change_sums(record_at(s, key | instrument_id, &stake.participant_record), &change, is_match)
    change_holder(holder_by(s, key), &change, is_match)
    if __builtin_expect(group_id, 0):
        key = position_key(RISK_SCOPE_GROUP, group_id, 0)
        change_sums(make_position(s, key | instrument_id), &change, is_match)
        change_holder(holder_by(s, key), &change, is_match)
    return 0


cdef int rebook_match(State* s, uint32_t participant_id, uint32_t account_id, uint32_t instrument_id, uint32_t side,
                      int64_t qty_lots, int64_t price_ticks) except -1 nogil:
    """The orders may be gone: nothing of them is open, and the records are looked for."""
    cdef Stake nothing
    memset(&nothing, 0, sizeof(Stake))
    return change_stake(s, participant_id, account_id, instrument_id, side, &nothing, 0, qty_lots, True, price_ticks)


@cython.overflowcheck(False)
cdef int reverse_match(State* s, uint32_t participant_id, uint32_t account_id, uint32_t instrument_id, uint32_t side,
                       int64_t qty_lots, int64_t price_ticks) except -1 nogil:
    """The same the other way round, and neither counts as traded."""
    cdef uint64_t keys[LEVELS]
    cdef uint32_t count = levels_of(s, participant_id, account_id, keys), i
    rebook_match(s, participant_id, account_id, instrument_id, 3 - side, qty_lots, price_ticks)
    for i in range(count):
        find_position(s, keys[i] | instrument_id).traded_value -= 2 * <wide> qty_lots * tradsys_magnitude(price_ticks)
    return 0


@cython.overflowcheck(False)
cdef inline void change_sums(Position* record, const Change* change, bint is_match) noexcept nogil:
    """A change of an account's record in one above it."""
    record.open_lots[change.side - 1] += change.open_lots
    tradsys_add(&record.open_value[change.side - 1], change.open_value[0], change.open_value[1])
    tradsys_add(&record.worst_value, change.worst_value[0], change.worst_value[1])
    if is_match:
        record.position_lots += change.position_lots
        tradsys_add(&record.cost_value, change.cost_value[0], change.cost_value[1])
        tradsys_add(&record.realised_value, change.realised_value[0], change.realised_value[1])
        tradsys_add(&record.traded_value, change.traded_value[0], change.traded_value[1])


@cython.overflowcheck(False)
cdef inline void change_holder(Holder* holder, const Change* change, bint is_match) noexcept nogil:
    tradsys_add(&holder.gross_value, change.worst_value[0], change.worst_value[1])
    if is_match:
        tradsys_add(&holder.realised_value, change.realised_value[0], change.realised_value[1])


@cython.overflowcheck(False)
cdef inline void trade(const Position* record, int64_t lots, int64_t price_ticks, Change* change) noexcept nogil:
    """Rule 14.3: what a match of `lots` (negative: sold) changes of an account's position."""
    cdef int64_t held = record.position_lots
    cdef int64_t sign = 1 if held > 0 else -1
    cdef int64_t closed = tradsys_magnitude(lots)
    cdef int64_t left
    cdef wide part
    change.position_lots = lots
    tradsys_split(<wide> closed * tradsys_magnitude(price_ticks), &change.traded_value[0], &change.traded_value[1])
    if held == 0 or (held > 0) == (lots > 0):
        tradsys_split(<wide> lots * price_ticks, &change.cost_value[0], &change.cost_value[1])
        change.realised_value[0] = change.realised_value[1] = 0
        return
    left = closed - tradsys_magnitude(held)
    if left > 0:
        closed -= left
    else:
        left = 0
    part = tradsys_share(record.cost_value, closed, tradsys_magnitude(held))
    tradsys_split(<wide> (sign * closed) * price_ticks - part, &change.realised_value[0], &change.realised_value[1])
    tradsys_split(<wide> (-sign * left) * price_ticks - part, &change.cost_value[0], &change.cost_value[1])


@cython.overflowcheck(False)
cdef void add_position(Position* into, const Position* part, int sign) noexcept nogil:
    """Add, or take away with sign -1, all that adds up."""
    into.position_lots += sign * part.position_lots
    into.open_lots[0] += sign * part.open_lots[0]
    into.open_lots[1] += sign * part.open_lots[1]
    into.cost_value += sign * part.cost_value
    into.open_value[0] += sign * part.open_value[0]
    into.open_value[1] += sign * part.open_value[1]
    into.realised_value += sign * part.realised_value
    into.traded_value += sign * part.traded_value
    into.worst_value += sign * part.worst_value
    into.fees += sign * part.fees
