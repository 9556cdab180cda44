"""What stands against an order: sections 13 and 14 of the rule book."""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

from tradsys.core.conduct_check cimport conduct_reason
from tradsys.core.ladder cimport Ladder, ladder_next_level, level_at, level_key
from tradsys.core.order cimport SLOT_NONE
from tradsys.core.phase_table cimport is_call
from tradsys.core.positions cimport LEVELS, find_position, holder_by, levels_of, make_position
from tradsys.core.resting cimport key_market, open_price, side_of_order
from tradsys.core.risk_state cimport WATCHED, Bands, Check, EvaluateFunction, Holder, Limits, Position, wide
from tradsys.core.state cimport GATE_RISK, SPECIAL_RISK, Instrument, Session, other_side_of
from tradsys.core.terms cimport is_dormant
from tradsys.wire.records cimport (
    ORDER_TYPE_MARKET, REJECT_REASON_KILLED, REJECT_REASON_ORDER_TO_TRADE_LIMIT, REJECT_REASON_NO_REFERENCE_PRICE,
    REJECT_REASON_POSITIONS_FULL, RISK_SCOPE_ASSET_CLASS, RISK_SCOPE_INSTRUMENT, RISK_SCOPE_SESSION,
    RISK_SCOPE_VENUE, SIDE_BUY, STP_MODE_CANCEL_OLDEST, STP_MODE_DECREMENT_AND_CANCEL, STP_MODE_NONE,
    STP_MODE_PARTICIPANT_DEFAULT, STP_MODE_TRANSFER, STP_SCOPE_TRADE_GROUP)

cdef extern from * nogil:
    long __builtin_expect(long, long)

cdef extern from * nogil:
    """
    /* Two words stored one by one and loaded as one vector: the load waits until both have left the store queue. */
    #pragma GCC optimize ("no-tree-slp-vectorize")
    #define TRADSYS_VALUE_MAX ((int64_t) 1 << 60)
    /* a value within +-2^60 */
    static inline int64_t tradsys_cut(__int128 value)
    {
        if (value > TRADSYS_VALUE_MAX) return TRADSYS_VALUE_MAX;
        return value < -TRADSYS_VALUE_MAX ? -TRADSYS_VALUE_MAX : (int64_t) value;
    }
    static inline int64_t tradsys_magnitude(int64_t value) { return value < 0 ? -value : value; }
    /* |price| x lots, at most 2^60 */
    static inline int64_t tradsys_value_of(int64_t price, int64_t lots)
    {
        return tradsys_cut((__int128) tradsys_magnitude(price) * lots);
    }
    /* |base| x ppm / 10^6, rounded down; -1 where it would pass 62 bits */
    static inline int64_t tradsys_distance(int64_t price, int64_t ppm)
    {
        int64_t base = tradsys_magnitude(price);
        if (base / 1000000 >= ((int64_t) 1 << 62) / ppm) return -1;
        return base / 1000000 * ppm + base % 1000000 * ppm / 1000000;
    }
    """
    int64_t tradsys_cut(wide value)
    int64_t tradsys_magnitude(int64_t value)
    int64_t tradsys_value_of(int64_t price, int64_t lots)
    int64_t tradsys_distance(int64_t price, int64_t ppm)

cdef enum:
    ACCEPT = 1                          # pretrade.ACCEPT
    CHECK_WORDS = 44
    TS_MAX = 0x4000000000000000

assert sizeof(Check) == CHECK_WORDS * 8, "Check must be pretrade.CHECK"
assert sizeof(Holder) == 224, "Holder must be three and a half cache lines"
assert sizeof(Bands) == 48, "Bands must be 48 bytes"

cdef struct Asked:                      # an order as section 14 looks at it
    uint32_t session_id                 # the owner's
    uint32_t participant_id
    uint32_t account_id
    uint32_t instrument_id
    uint32_t side
    uint32_t stp_mode
    uint32_t is_market
    uint32_t is_new
    uint32_t waits                      # it has a trigger that has not been reached (10.15)
    uint32_t is_unrated                 # it takes nothing from buckets, however full
    uint32_t is_dry                     # it is asked about and not counted
    int64_t qty_lots                    # the order's, of a replace its new leaves
    int64_t told_qty_lots               # its total, as its events say it
    int64_t price_ticks                 # its limit, if it has one
    int64_t told_price_ticks            # as its events say it until it rests
    int64_t amount_ticks_lots           # what a market order by notional costs at most; 0: it is none
    int64_t limit_key
    int64_t released_lots               # leaves of the order replaced
    int64_t released_price_ticks
    int64_t with_lots[2]                # legs of its list counted as open already: buys, sells
    wide with_value[2]


# --------------------------------------------------------------------------------------------------- the one function

cdef int load_evaluate(State* s) except -1:
    """Have the one function compiled; pretrade keeps what its address belongs to alive."""
    if s.risk.evaluate == NULL:
        from tradsys.core import pretrade
        assert pretrade.CHECK.itemsize == sizeof(Check) and pretrade.ACCEPT == ACCEPT
        s.risk.evaluate = <EvaluateFunction> <uintptr_t> pretrade.address()
    return 0


# --------------------------------------------------------------------------------------------------- may it be accepted

cdef inline bint is_asked(const State* s, uint32_t session_id, uint32_t instrument_id) noexcept nogil:
    return s.sessions[session_id].gate & GATE_RISK or s.instruments[instrument_id].special & SPECIAL_RISK


cdef int new_order_risk(State* s, const NewOrder* c, int64_t limit_key) except -1 nogil:
    cdef Asked asked
    cdef const Session* session = &s.sessions[c.session_id]
    if not is_asked(s, c.session_id, c.instrument_id):
        return 0
    memset(&asked, 0, sizeof(Asked))
    asked.session_id = c.session_id
    asked.participant_id = session.participant_id
    asked.account_id = c.account_id
    asked.instrument_id = c.instrument_id
    asked.side = c.side
    asked.stp_mode = session.stp_mode if c.stp_mode == STP_MODE_PARTICIPANT_DEFAULT else c.stp_mode
    asked.is_market = c.order_type == ORDER_TYPE_MARKET
    asked.is_new = 1
    asked.qty_lots = asked.told_qty_lots = c.qty_lots
    asked.price_ticks = asked.told_price_ticks = c.price_ticks
    asked.limit_key = limit_key
    return order_risk(s, &asked, c.session_id, c.ts_ns)


cdef int priced_order_risk(State* s, const Order* draft, const Priced* priced, int64_t ts_ns) except -1 nogil:
    cdef Asked asked
    if not is_asked(s, draft.session_id, draft.instrument_id):
        return 0
    ask_about(s, draft, priced.price_ticks, priced.told_price_ticks, &asked)
    asked.is_market = not priced.has_limit
    asked.is_new = 1
    asked.amount_ticks_lots = priced.amount_ticks_lots
    asked.limit_key = priced.limit_key
    return order_risk(s, &asked, draft.session_id, ts_ns)


cdef int replace_order_risk(State* s, const ReplaceOrder* c, const Order* order, int64_t price_ticks) except -1 nogil:
    cdef Asked asked
    if not is_asked(s, order.session_id, c.instrument_id):
        return 0
    memset(&asked, 0, sizeof(Asked))
    asked.session_id = order.session_id
    asked.participant_id = s.sessions[order.session_id].participant_id
    asked.account_id = order.account_id
    asked.instrument_id = c.instrument_id
    asked.side = side_of_order(order)
    asked.qty_lots = c.qty_lots - (order.qty_lots - order.leaves_lots)
    asked.told_qty_lots = c.qty_lots
    asked.price_ticks = asked.told_price_ticks = price_ticks
    asked.waits = is_dormant(order)
    asked.released_lots = order.leaves_lots
    asked.released_price_ticks = open_price(s, order)
    return order_risk(s, &asked, c.session_id, c.ts_ns)


cdef int dormant_order_risk(State* s, const Order* draft, int64_t price_ticks, int64_t ts_ns) except -1 nogil:
    """Section 14 of a new order with a trigger: a limit order at `price_ticks`."""
    cdef Asked asked
    if not is_asked(s, draft.session_id, draft.instrument_id):
        return 0
    ask_about(s, draft, price_ticks, price_ticks, &asked)
    asked.is_new = 1
    asked.waits = 1
    return order_risk(s, &asked, draft.session_id, ts_ns)


cdef int triggered_order_risk(State* s, const Order* order, const Priced* priced, int64_t ts_ns) except -1 nogil:
    """The same of a dormant order as the order it becomes, its own part left out."""
    cdef Asked asked
    if not is_asked(s, order.session_id, order.instrument_id):
        return 0
    ask_about(s, order, priced.price_ticks, priced.told_price_ticks, &asked)
    asked.is_unrated = asked.is_dry = 1
    asked.qty_lots = asked.told_qty_lots = order.leaves_lots
    asked.is_market = not priced.has_limit
    asked.limit_key = priced.limit_key
    asked.released_lots = order.leaves_lots
    asked.released_price_ticks = open_price(s, order)
    return order_risk(s, &asked, order.session_id, ts_ns)


@cython.overflowcheck(False)
cdef int leg_risk(State* s, const Order* drafts, const Priced* priced, uint32_t leg, bint dry, int64_t ts_ns) except -1 nogil:
    """Section 14 of a leg of an order list."""
    cdef Asked asked
    cdef uint32_t i, side
    if not is_asked(s, drafts[0].session_id, drafts[0].instrument_id):
        return 0
    ask_about(s, &drafts[leg], priced[leg].price_ticks, priced[leg].told_price_ticks, &asked)
    asked.is_new = leg == 0
    asked.is_unrated = leg > 0
    asked.is_dry = dry
    asked.waits = priced[leg].waits
    asked.is_market = not priced[leg].has_limit
    asked.limit_key = priced[leg].limit_key
    for i in range(leg):
        side = side_of_order(&drafts[i]) - 1
        asked.with_lots[side] += drafts[i].leaves_lots
        asked.with_value[side] += <wide> tradsys_magnitude(priced[i].open_price_ticks) * drafts[i].leaves_lots
    return order_risk(s, &asked, drafts[leg].session_id, ts_ns)


cdef void ask_about(const State* s, const Order* order, int64_t price_ticks, int64_t told_price_ticks,
                    Asked* asked) noexcept nogil:
    """What section 14 asks of an order by itself."""
    memset(asked, 0, sizeof(Asked))
    asked.session_id = order.session_id
    asked.participant_id = s.sessions[order.session_id].participant_id
    asked.account_id = order.account_id
    asked.instrument_id = order.instrument_id
    asked.side = side_of_order(order)
    asked.stp_mode = order.traits >> 24
    asked.qty_lots = asked.told_qty_lots = order.qty_lots
    asked.price_ticks = price_ticks
    asked.told_price_ticks = told_price_ticks


cdef int order_risk(State* s, const Asked* asked, uint32_t sender_id, int64_t ts_ns) except -1 nogil:
    """Rule 14.5: the lowest reason of all that are asked, 0 when there is none and the order has been counted."""
    cdef uint64_t keys[LEVELS]
    cdef Position* records[LEVELS]
    cdef uint32_t count = levels_of(s, asked.participant_id, asked.account_id, keys), missing = 0, i
    cdef Instrument* instrument = &s.instruments[asked.instrument_id]
    cdef bint watched = s.risk.watch[asked.participant_id] & WATCHED
    cdef uint32_t limited = 0
    cdef bint special = instrument.special & SPECIAL_RISK
    cdef Holder* of_instrument = &s.risk.holders[<int> RISK_SCOPE_INSTRUMENT][asked.instrument_id]
    cdef Holder* of_class = &s.risk.holders[<int> RISK_SCOPE_ASSET_CLASS][instrument.asset_class]
    cdef Holder* holder
    cdef Check check
    cdef int64_t reason = 0, found
    if s.risk.kills and is_killed(s, keys, count, asked, sender_id):
        return REJECT_REASON_KILLED
    reason = conduct_reason(s, asked.participant_id)
    if reason and not (asked.is_unrated and reason == REJECT_REASON_ORDER_TO_TRADE_LIMIT):
        return <int> reason
    reason = 0
    if not watched and not special:
        return 0
    if asked.is_market and is_call(instrument.state):
        return REJECT_REASON_NO_REFERENCE_PRICE
    if watched:
        for i in range(count):
            records[i] = find_position(s, keys[i] | asked.instrument_id)
            missing += records[i] == NULL
            limited |= holder_by(s, keys[i]).has_limits
            if records[i] != NULL:
                limited |= records[i].restriction
        if not missing:
            s.risk.found[0] = records[0].serial
            s.risk.found[1] = records[1].serial
    if limited or special:
        fill_order(s, asked, ts_ns, &check)
        check.is_approved = approvals_of(s, keys, count) >> instrument.asset_class & 1
    if watched and (limited or special):
        for i in range(count):
            holder = holder_by(s, keys[i])
            if holder.has_limits or special or (records[i] != NULL and records[i].restriction):
                fill_held(&check, asked, holder, records[i], records[0])
                found = ask(s, &check, holder, asked)
                reason = lower(reason, found)
    if special:
        fill_held(&check, asked, of_instrument, NULL, NULL)
        reason = lower(reason, ask(s, &check, of_instrument, asked))
        if of_class.has_limits:
            reason = lower(reason, ask(s, &check, of_class, asked))
    if reason == 0 and missing:
        if (missing > s.risk.positions_max - s.risk.position_count if asked.is_dry
                else not make_records(s, keys, count, asked.instrument_id)):
            reason = REJECT_REASON_POSITIONS_FULL
    if reason:
        return <int> reason
    if asked.is_dry:
        return 0
    if watched and limited:
        for i in range(count):
            take(holder_by(s, keys[i]), asked, check.ts_ns)
    if special:
        take(of_instrument, asked, check.ts_ns)
        take(of_class, asked, check.ts_ns)
    return 0


cdef inline int64_t lower(int64_t reason, int64_t found) noexcept nogil:
    """The lower of two reasons, 0 being none."""
    if found == 0 or (reason != 0 and reason < found):
        return reason
    return found


cdef bint is_killed(State* s, const uint64_t* keys, uint32_t count, const Asked* asked, uint32_t sender_id) noexcept nogil:
    """Rule 13.2."""
    cdef uint32_t i
    cdef Holder* sessions = s.risk.holders[<int> RISK_SCOPE_SESSION]
    cdef uint32_t killed = s.risk.holders[<int> RISK_SCOPE_VENUE][0].is_killed
    for i in range(count):
        killed |= holder_by(s, keys[i]).is_killed
    killed |= s.risk.holders[<int> RISK_SCOPE_INSTRUMENT][asked.instrument_id].is_killed
    return killed | sessions[asked.session_id].is_killed | sessions[sender_id].is_killed


cdef uint32_t approvals_of(State* s, const uint64_t* keys, uint32_t count) noexcept nogil:
    cdef uint32_t i, approvals = 0
    for i in range(count):
        approvals |= holder_by(s, keys[i]).approvals
    return approvals


@cython.overflowcheck(False)
cdef void fill_order(State* s, const Asked* asked, int64_t ts_ns, Check* check) noexcept nogil:
    """What is of the order and its instrument, and nothing held."""
    cdef Ladder* other = other_side_of(&s.instruments[asked.instrument_id], asked.side)
    cdef const Bands* bands = &s.risk.bands[asked.instrument_id]
    cdef int64_t value_price = asked.price_ticks
    cdef int64_t best = other.best_key ^ other.key_mask
    cdef bint has_best = other.best_level != 0
    if __builtin_expect(other.best_key == key_market(), 0):
        best = 0
        has_best = best_limit_price(s, other, &best)
    memset(check, 0, sizeof(Check))
    check.qty_lots = asked.qty_lots
    check.price_ticks = asked.price_ticks
    check.is_buy = asked.side == SIDE_BUY
    check.has_price = 1
    if asked.is_market:
        check.has_price = sweep_price(s, asked, other, &check.price_ticks)
        value_price = check.price_ticks if check.is_buy or not check.has_price else best
    else:                               # no branch on the side, which is as good as random
        value_price = max(value_price, value_price if check.is_buy | <int64_t> (not has_best) else best)
    check.order_value = tradsys_value_of(value_price, asked.qty_lots)
    if asked.amount_ticks_lots:
        check.order_value = tradsys_cut(asked.amount_ticks_lots)
    check.ts_ns = 0 if ts_ns < 0 else min(ts_ns, <int64_t> TS_MAX)
    check.has_reference = bands.has_last
    check.reference_price_ticks = bands.last_price_ticks
    band_of(bands, &check.price_low_ticks, &check.price_high_ticks)
    if asked.waits:
        check.price_low_ticks = INT64_MIN
        check.price_high_ticks = INT64_MAX


cdef bint best_limit_price(State* s, Ladder* other, int64_t* price_ticks) noexcept nogil:
    """The best price of a side but for market orders of a call; False: it has none."""
    cdef uint32_t level = other.best_level
    if level and level_key(&s.levels, level) == key_market():
        level = ladder_next_level(&s.levels, level)
    if level:
        price_ticks[0] = level_key(&s.levels, level) ^ other.key_mask
    return level != 0


cdef bint sweep_price(State* s, const Asked* asked, Ladder* other, int64_t* price_ticks) noexcept nogil:
    """The worst price a market order would match at; False: it would match nothing."""
    cdef uint32_t level = other.best_level, slot
    cdef int64_t lots = 0
    cdef bint found = False
    cdef const Order* resting
    price_ticks[0] = 0
    while level and level_key(&s.levels, level) <= asked.limit_key:
        slot = level_at(&s.levels, level).head_slot
        while slot != SLOT_NONE:
            if lots >= asked.qty_lots:
                return found
            resting = &s.orders[slot]
            slot = resting.next_slot
            if not is_met(s, asked, resting):
                if asked.stp_mode == STP_MODE_CANCEL_OLDEST:
                    continue
                if asked.stp_mode <= STP_MODE_DECREMENT_AND_CANCEL:
                    return found
            else:
                price_ticks[0] = level_key(&s.levels, level) ^ other.key_mask
                found = True
            lots += resting.leaves_lots     # of one's own by a decrement
        level = ladder_next_level(&s.levels, level)
    return found


cdef inline bint is_met(const State* s, const Asked* asked, const Order* resting) noexcept nogil:
    """Whether the order would match a resting one, or have lots of it transferred: 4.8, 9.17, 9.21."""
    cdef uint32_t theirs
    cdef uint32_t group_id = s.risk.groups[asked.participant_id]
    if asked.stp_mode == STP_MODE_NONE:
        return True
    theirs = s.sessions[resting.session_id].participant_id
    if theirs == asked.participant_id:
        return False
    return (asked.stp_mode == STP_MODE_TRANSFER or group_id == 0 or s.risk.groups[theirs] != group_id
            or s.participants[asked.participant_id].stp_scope != STP_SCOPE_TRADE_GROUP)


@cython.overflowcheck(False)
cdef void fill_held(Check* check, const Asked* asked, Holder* holder, const Position* mine,
                    const Position* account) noexcept nogil:
    """What a holder has in the instrument, the replaced order's part left out, and altogether."""
    cdef int64_t buy = asked.released_lots if check.is_buy else 0
    cdef int64_t sell = asked.released_lots - buy
    cdef wide released = <wide> tradsys_magnitude(asked.released_price_ticks) * asked.released_lots
    cdef wide buy_value = 0, sell_value = 0
    memset(&check.position_lots, 0, sizeof(int64_t) * 11)
    cdef const Limits* limits = &holder.limits
    cdef bint of_value = (limits.gross_max_value | limits.credit_value | limits.daily_loss_max
                          | limits.concentration_ppm | limits.leverage_ppm) != 0
    check.restriction = 0
    if mine != NULL:
        check.restriction = mine.restriction
        check.position_lots = tradsys_cut(mine.position_lots)
        buy -= mine.open_lots[0]
        sell -= mine.open_lots[1]
    check.open_buy_lots = tradsys_cut(<wide> asked.with_lots[0] - buy)
    check.open_sell_lots = tradsys_cut(<wide> asked.with_lots[1] - sell)
    if not of_value:                    # nobody looks at values then
        return
    check.gross_value = tradsys_cut(holder.gross_value)
    check.realised_value = tradsys_cut(holder.realised_value)
    if mine != NULL:
        check.worst_value = tradsys_cut(mine.worst_value)
    if account != NULL:
        check.account_position_lots = tradsys_cut(account.position_lots)
        check.account_cost_value = tradsys_cut(account.cost_value if account.cost_value >= 0 else -account.cost_value)
        check.account_worst_value = tradsys_cut(account.worst_value)
        buy_value = account.open_value[0]
        sell_value = account.open_value[1]
    check.account_buy_value = tradsys_cut(asked.with_value[0] + buy_value - (released if check.is_buy else 0))
    check.account_sell_value = tradsys_cut(asked.with_value[1] + sell_value - (0 if check.is_buy else released))


cdef int64_t ask(State* s, Check* check, const Holder* holder, const Asked* asked) except -1 nogil:
    """Ask the one function; a RejectReason or 0."""
    cdef int64_t answer
    memcpy(&check.limits, &holder.limits, sizeof(Limits))
    if asked.waits:
        check.limits.price_distance_ppm = 0
    if asked.is_unrated:
        check.limits.rate_cost_ns = 0
    check.bucket_ns = holder.bucket_ns
    check.bucket_ts_ns = holder.bucket_ts_ns
    check.repeated_ts_ns = holder.last_ts_ns
    check.is_repeated = (holder.limits.duplicate_window_ns and asked.is_new and holder.last_side == asked.side
                         and holder.last_instrument_id == asked.instrument_id
                         and holder.last_price_ticks == asked.told_price_ticks
                         and holder.last_qty_lots == asked.told_qty_lots)
    answer = s.risk.evaluate(check)
    if answer < ACCEPT:
        with gil:
            raise AssertionError("the function of pre-trade risk failed")
    return 0 if answer == ACCEPT else answer


@cython.overflowcheck(False)
cdef int64_t reducible_lots(State* s, const Order* draft) noexcept nogil:
    cdef uint64_t keys[LEVELS]
    cdef uint32_t participant_id = s.sessions[draft.session_id].participant_id
    cdef const Position* record
    cdef int64_t held
    if not s.risk.watch[participant_id] & WATCHED:
        return 0
    levels_of(s, participant_id, draft.account_id, keys)
    record = find_position(s, keys[0] | draft.instrument_id)
    if record == NULL:
        return 0
    held = -record.position_lots if side_of_order(draft) == SIDE_BUY else record.position_lots
    return held if held > 0 else 0


cdef bint room_for_positions(State* s, uint32_t session_id, uint32_t account_id, uint32_t instrument_id) except -1 nogil:
    """Make the records an order that nobody asks about will need; False: there is no room for them (14.13)."""
    cdef uint64_t keys[LEVELS]
    cdef uint32_t participant_id = s.sessions[session_id].participant_id
    if not s.risk.watch[participant_id] & WATCHED:
        return True
    return make_records(s, keys, levels_of(s, participant_id, account_id, keys), instrument_id)


cdef bint make_records(State* s, const uint64_t* keys, uint32_t count, uint32_t instrument_id) except -1 nogil:
    """Rule 14.13: the records an order needs, or False."""
    cdef uint32_t i, missing = 0
    for i in range(count):
        missing += find_position(s, keys[i] | instrument_id) == NULL
    if missing > s.risk.positions_max - s.risk.position_count:
        return False
    if missing:
        for i in range(count):
            make_position(s, keys[i] | instrument_id)
    return True


@cython.overflowcheck(False)
cdef inline void take(Holder* holder, const Asked* asked, int64_t ts_ns) noexcept nogil:
    """Rules 14.9 and 14.10: count an order that is accepted."""
    cdef int64_t filled
    if holder.limits.rate_cost_ns:
        filled = holder.bucket_ns + (ts_ns - holder.bucket_ts_ns if ts_ns > holder.bucket_ts_ns else 0)
        if filled > holder.limits.rate_window_ns:
            filled = holder.limits.rate_window_ns
        holder.bucket_ns = filled - holder.limits.rate_cost_ns
        holder.bucket_ts_ns = ts_ns
    if holder.limits.duplicate_window_ns and asked.is_new:
        holder.last_instrument_id = asked.instrument_id
        holder.last_side = asked.side
        holder.last_price_ticks = asked.told_price_ticks
        holder.last_qty_lots = asked.told_qty_lots
        holder.last_ts_ns = ts_ns


# --------------------------------------------------------------------------------------------------- price bands

@cython.overflowcheck(False)
cdef void band_of(const Bands* bands, int64_t* low_ticks, int64_t* high_ticks) noexcept nogil:
    """Rule 13.4."""
    cdef int64_t distance
    low_ticks[0] = bands.low_ticks if bands.is_set else INT64_MIN
    high_ticks[0] = bands.high_ticks if bands.is_set else INT64_MAX
    if bands.dynamic_ppm and bands.has_last:
        distance = tradsys_distance(bands.last_price_ticks, bands.dynamic_ppm)
        if distance >= 0:
            low_ticks[0] = max(low_ticks[0], bands.last_price_ticks - distance)
            high_ticks[0] = min(high_ticks[0], bands.last_price_ticks + distance)


@cython.overflowcheck(False)
cdef int64_t market_limit_key(State* s, uint32_t instrument_id, uint32_t side, int64_t limit_key) noexcept nogil:
    cdef const Bands* bands = &s.risk.bands[instrument_id]
    cdef Ladder* other = other_side_of(&s.instruments[instrument_id], side)
    cdef int64_t best = other.best_key ^ other.key_mask
    cdef int64_t low, high
    band_of(bands, &low, &high)
    if bands.collar_ticks and other.order_count:
        high = min(high, best + bands.collar_ticks)
        low = max(low, best - bands.collar_ticks)
    if side == SIDE_BUY:
        return limit_key if high == INT64_MAX else high ^ other.key_mask
    return limit_key if low == INT64_MIN else low ^ other.key_mask
