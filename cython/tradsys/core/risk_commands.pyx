"""Deciding commands 40 to 45: limits, trade groups, kill switches, restricted lists, price bands."""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from tradsys.core.admin cimport write_mass_canceled
from tradsys.core.answers cimport operator_reason, refuse, risk_changed, sender_reason, unknown_holder
from tradsys.core.cancels cimport OrderFilter, cancel_many, room_to_cancel
from tradsys.core.conduct cimport mend_tripwire, start_conduct_day
from tradsys.core.events cimport Command, number_command
from tradsys.core.order cimport Order
from tradsys.core.positions cimport (
    add_position, count_open, find_position, forget_last_position, holder_of, levels_of, make_position, position_key)
from tradsys.core.resting cimport open_price
from tradsys.core.risk cimport load_evaluate
from tradsys.core.risk_state cimport LOOKED_AT, WATCHED, Bands, Holder, Position
from tradsys.core.state cimport GATE_RISK, SPECIAL_RISK, mark_sessions, next_report_seq
from tradsys.core.validation cimport all_zero, instrument_defined, participant_defined
from tradsys.wire.records cimport (
    ASSET_CLASS_COMMODITY, ASSET_CLASS_STOCK, CANCEL_REASON_KILL_SWITCH, EVENT_FLAGS_UNSOLICITED, KillSwitch,
    MessageHeader, REJECT_REASON_BAD_DEFINITION, REJECT_REASON_NONE, REJECT_REASON_POSITIONS_FULL,
    REJECT_REASON_UNKNOWN_INSTRUMENT, REJECT_REASON_UNKNOWN_PARTICIPANT, RESTRICTION_NO_ORDERS,
    RISK_FLAGS_NEEDS_APPROVAL, RISK_FLAGS_NO_SHORT, RISK_SCOPE_ACCOUNT, RISK_SCOPE_ASSET_CLASS, RISK_SCOPE_GROUP,
    RISK_SCOPE_HOUSE, RISK_SCOPE_INSTRUMENT, RISK_SCOPE_PARTICIPANT, RISK_SCOPE_SESSION, RISK_SCOPE_VENUE, RiskChanged,
    SetPriceBands, SetRestriction, SetRiskLimits, SetTradeGroup, StartRiskDay, TEMPLATE_KILL_SWITCH,
    TEMPLATE_SET_PRICE_BANDS, TEMPLATE_SET_RESTRICTION, TEMPLATE_SET_RISK_LIMITS, TEMPLATE_SET_TRADE_GROUP,
    TEMPLATE_START_RISK_DAY)

cdef enum:
    SIZE_LIMIT = 0x1000000000000000     # pretrade.VALUE_MAX: sizes are below
    PRICE_TICKS_MAX = 0x1000000000000000
    APPROVALS = 0x1FF                   # bits that may be set


cdef int decide_risk_command(State* s, const uint8_t* record) except -1 nogil:
    cdef uint16_t template_id = (<const MessageHeader*> record).template_id
    if template_id == TEMPLATE_SET_RISK_LIMITS:
        return set_risk_limits(s, <const SetRiskLimits*> record)
    if template_id == TEMPLATE_SET_TRADE_GROUP:
        return set_trade_group(s, <const SetTradeGroup*> record)
    if template_id == TEMPLATE_KILL_SWITCH:
        return kill_switch(s, <const KillSwitch*> record)
    if template_id == TEMPLATE_SET_RESTRICTION:
        return set_restriction(s, <const SetRestriction*> record)
    if template_id == TEMPLATE_START_RISK_DAY:
        return start_risk_day(s, <const StartRiskDay*> record)
    assert template_id == TEMPLATE_SET_PRICE_BANDS, "the batch loop lets no other template through"
    return set_price_bands(s, <const SetPriceBands*> record)


# --------------------------------------------------------------------------------------------------- limits

cdef int set_risk_limits(State* s, const SetRiskLimits* c) except -1 nogil:
    """Rule 14.2."""
    cdef const Command* command = <const Command*> c
    cdef Holder* holder
    cdef RiskChanged* e
    cdef uint32_t i, watched = 0
    cdef uint8_t reason = sender_reason(s, c.session_id, unknown_holder(s, c.scope, c.scope_id))
    if reason == 0:
        reason = operator_reason(s, c.session_id, c.pad == 0)
    if reason == 0 and not (c.scope >= RISK_SCOPE_ACCOUNT and c.scope <= RISK_SCOPE_ASSET_CLASS
                            and holder_holds(s, c.scope, c.scope_id) and limits_hold(c)):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason == 0:
        watched = watched_by(s, c.scope, c.scope_id)
        if watched and not reserve_to_watch(s, watched, 0, s.risk.position_count):
            reason = REJECT_REASON_POSITIONS_FULL
    if reason:
        return refuse(s, command, TEMPLATE_SET_RISK_LIMITS, reason, 0, c.client_ref)
    with gil:
        load_evaluate(s)
    number_command(s, command)
    if watched:
        watch(s, watched)
    holder = holder_of(s, c.scope, c.scope_id)
    take_limits(holder, c)
    if c.scope == RISK_SCOPE_INSTRUMENT:
        s.instruments[c.scope_id].special |= SPECIAL_RISK
    if c.scope == RISK_SCOPE_ASSET_CLASS:
        for i in range(1, s.instruments_max):
            if s.instruments[i].state and s.instruments[i].asset_class == c.scope_id:
                s.instruments[i].special |= SPECIAL_RISK
    e = changed(s, command, TEMPLATE_SET_RISK_LIMITS, c.client_ref)
    e.scope = c.scope
    e.scope_id = c.scope_id
    return 1


cdef void take_limits(Holder* holder, const SetRiskLimits* c) noexcept nogil:
    cdef const int64_t* words = <const int64_t*> &holder.limits
    cdef uint64_t seen = 0
    cdef size_t i
    holder.limits.order_qty_max_lots = c.order_qty_max_lots
    holder.limits.order_value_max = c.order_value_max
    holder.limits.order_value_min = c.order_value_min
    holder.limits.qty_step_lots = c.qty_step_lots
    holder.limits.position_max_lots = c.position_max_lots
    holder.limits.open_max_lots = c.open_max_lots
    holder.limits.gross_max_value = c.gross_max_value
    holder.limits.credit_value = c.credit_value
    holder.limits.daily_loss_max = c.daily_loss_max
    holder.limits.rate_window_ns = c.rate_window_ns
    holder.limits.duplicate_window_ns = c.duplicate_window_ns
    holder.limits.price_distance_ppm = c.price_distance_ppm
    holder.limits.concentration_ppm = c.concentration_ppm
    holder.limits.leverage_ppm = c.leverage_ppm
    holder.limits.margin_ppm = c.margin_ppm
    holder.limits.rate_cost_ns = c.rate_window_ns // c.rate_count if c.rate_count else 0
    holder.limits.risk_flags = c.risk_flags
    for i in range(sizeof(holder.limits) // sizeof(int64_t)):
        seen |= <uint64_t> words[i]
    holder.has_limits = seen != 0
    holder.approvals = c.approvals
    holder.bucket_ns = c.rate_window_ns
    holder.bucket_ts_ns = 0
    holder.last_instrument_id = holder.last_side = 0
    holder.last_price_ticks = holder.last_qty_lots = holder.last_ts_ns = 0


cdef bint limits_hold(const SetRiskLimits* c) noexcept nogil:
    """The numbers of rule 14.2."""
    cdef const int64_t* sizes = &c.order_qty_max_lots
    cdef uint32_t allowed = 0
    cdef int i
    for i in range(11):
        if sizes[i] < 0 or sizes[i] >= <int64_t> SIZE_LIMIT:
            return False
    if c.approvals & ~(<uint32_t> APPROVALS):
        return False
    if (c.rate_count != 0) != (c.rate_window_ns != 0) or c.rate_count > c.rate_window_ns:
        return False
    if c.credit_value == 0 and (c.concentration_ppm | c.leverage_ppm | c.margin_ppm):
        return False
    if c.scope == RISK_SCOPE_ASSET_CLASS:
        allowed = RISK_FLAGS_NEEDS_APPROVAL
    elif c.scope != RISK_SCOPE_INSTRUMENT:
        allowed = RISK_FLAGS_NO_SHORT
    if c.risk_flags & ~allowed:
        return False
    if c.scope == RISK_SCOPE_INSTRUMENT or c.scope == RISK_SCOPE_ASSET_CLASS:
        return (c.position_max_lots | c.open_max_lots | c.gross_max_value | c.credit_value | c.daily_loss_max
                | c.concentration_ppm | c.leverage_ppm | c.margin_ppm | c.approvals) == 0
    return True


# --------------------------------------------------------------------------------------------------- kill switch

@cython.overflowcheck(False)
cdef int kill_switch(State* s, const KillSwitch* c) except -1 nogil:
    """Rule 13.1."""
    cdef const Command* command = <const Command*> c
    cdef OrderFilter wanted
    cdef RiskChanged* e
    cdef int64_t count
    cdef uint8_t reason = sender_reason(s, c.session_id, unknown_holder(s, c.scope, c.scope_id))
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)))
    if reason == 0 and (not holder_holds(s, c.scope, c.scope_id) or c.scope == RISK_SCOPE_ASSET_CLASS or c.is_on > 1):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_KILL_SWITCH, reason, 0, c.client_ref)
    with gil:
        load_evaluate(s)
    fill_filter(s, c, &wanted)
    if c.is_on and not room_to_cancel(s, &wanted):
        return 0
    number_command(s, command)
    s.risk.kills += c.is_on - holder_of(s, c.scope, c.scope_id).is_killed
    holder_of(s, c.scope, c.scope_id).is_killed = c.is_on
    look_at(s, c)
    if c.scope == RISK_SCOPE_PARTICIPANT and not c.is_on:
        mend_tripwire(s, c.scope_id)
    e = changed(s, command, TEMPLATE_KILL_SWITCH, c.client_ref)
    e.scope = c.scope
    e.scope_id = c.scope_id
    e.is_on = c.is_on
    if not c.is_on:
        return 1
    count = cancel_many(s, command, &wanted, CANCEL_REASON_KILL_SWITCH, EVENT_FLAGS_UNSOLICITED)
    wanted.session_id = 0
    write_mass_canceled(s, command, count, c.client_ref, &wanted, wanted.participant_id, CANCEL_REASON_KILL_SWITCH,
                        c.client_seq, next_report_seq(s, c.session_id))
    return 1


cdef void fill_filter(const State* s, const KillSwitch* c, OrderFilter* wanted) noexcept nogil:
    """Which orders a switch concerns."""
    memset(wanted, 0, sizeof(OrderFilter))
    if c.scope == RISK_SCOPE_ACCOUNT:
        wanted.account_id = c.scope_id
    elif c.scope == RISK_SCOPE_HOUSE:
        wanted.participant_id = c.scope_id
        wanted.of_house = 1
    elif c.scope == RISK_SCOPE_PARTICIPANT:
        wanted.participant_id = c.scope_id
    elif c.scope == RISK_SCOPE_GROUP:
        wanted.group_id = c.scope_id
    elif c.scope == RISK_SCOPE_INSTRUMENT:
        wanted.instrument_id = c.scope_id
    elif c.scope == RISK_SCOPE_SESSION:
        wanted.session_id = c.scope_id


cdef void look_at(State* s, const KillSwitch* c) noexcept nogil:
    """Have the orders that a switch may concern looked at from now on."""
    cdef uint32_t participant_id = watched_by(s, c.scope, c.scope_id), i
    if c.scope == RISK_SCOPE_SESSION:
        participant_id = s.sessions[c.scope_id].participant_id
    if c.scope == RISK_SCOPE_INSTRUMENT:
        s.instruments[c.scope_id].special |= SPECIAL_RISK
    elif participant_id:
        s.risk.watch[participant_id] |= LOOKED_AT
        mark_sessions(s, participant_id)
    elif c.scope == RISK_SCOPE_VENUE:
        for i in range(1, s.sessions_max):
            if s.sessions[i].gate:
                s.sessions[i].gate |= GATE_RISK


# --------------------------------------------------------------------------------------------------- restricted list

cdef int set_restriction(State* s, const SetRestriction* c) except -1 nogil:
    """Rule 14.11."""
    cdef const Command* command = <const Command*> c
    cdef RiskChanged* e
    cdef uint64_t key
    cdef uint32_t watched = 0
    cdef uint8_t unknown = unknown_holder(s, c.scope, c.scope_id)
    cdef uint8_t reason
    if unknown != REJECT_REASON_UNKNOWN_PARTICIPANT and not instrument_defined(s, c.instrument_id):
        unknown = REJECT_REASON_UNKNOWN_INSTRUMENT
    reason = sender_reason(s, c.session_id, unknown)
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)) and all_zero(c.pad2, sizeof(c.pad2)))
    if reason == 0 and (c.scope < RISK_SCOPE_ACCOUNT or c.scope > RISK_SCOPE_GROUP
                        or not holder_holds(s, c.scope, c.scope_id) or c.restriction > RESTRICTION_NO_ORDERS):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason == 0:
        key = position_key(c.scope, c.scope_id, c.instrument_id)
        watched = watched_by(s, c.scope, c.scope_id)
        if not reserve_to_watch(s, watched, key, s.risk.position_count):
            reason = REJECT_REASON_POSITIONS_FULL
    if reason:
        return refuse(s, command, TEMPLATE_SET_RESTRICTION, reason, c.instrument_id, c.client_ref)
    with gil:
        load_evaluate(s)
    number_command(s, command)
    if watched:
        watch(s, watched)
    make_position(s, key).restriction = c.restriction
    e = changed(s, command, TEMPLATE_SET_RESTRICTION, c.client_ref)
    e.scope = c.scope
    e.scope_id = c.scope_id
    e.instrument_id = c.instrument_id
    e.restriction = c.restriction
    return 1


# --------------------------------------------------------------------------------------------------- groups, days, bands

cdef int set_trade_group(State* s, const SetTradeGroup* c) except -1 nogil:
    """Rule 14.12."""
    cdef const Command* command = <const Command*> c
    cdef RiskChanged* e
    cdef uint8_t reason = REJECT_REASON_NONE
    if not participant_defined(s, c.participant_id):
        reason = REJECT_REASON_UNKNOWN_PARTICIPANT
    reason = sender_reason(s, c.session_id, reason)
    if reason == 0:
        reason = operator_reason(s, c.session_id, True)
    if reason == 0 and c.group_id >= s.participants_max:
        reason = REJECT_REASON_BAD_DEFINITION
    if reason == 0 and not reserve_to_move(s, c.participant_id, c.group_id):
        reason = REJECT_REASON_POSITIONS_FULL
    if reason:
        return refuse(s, command, TEMPLATE_SET_TRADE_GROUP, reason, 0, c.client_ref)
    with gil:
        load_evaluate(s)
    number_command(s, command)
    watch(s, c.participant_id)
    move_to_group(s, c.participant_id, c.group_id)
    e = changed(s, command, TEMPLATE_SET_TRADE_GROUP, c.client_ref)
    e.participant_id = c.participant_id
    e.group_id = c.group_id
    return 1


@cython.overflowcheck(False)
cdef int move_to_group(State* s, uint32_t participant_id, uint32_t group_id) except -1 nogil:
    cdef Holder* mine = holder_of(s, RISK_SCOPE_PARTICIPANT, participant_id)
    cdef uint64_t key = position_key(RISK_SCOPE_PARTICIPANT, participant_id, 0)
    cdef uint32_t into = s.risk.groups[participant_id], i
    cdef int sign = -1
    cdef Position* record
    cdef Holder* holder
    while True:
        if into:
            for i in range(s.risk.position_count):
                record = &s.risk.records[i]
                if record.key >> 16 == key >> 16:
                    add_position(make_position(s, position_key(RISK_SCOPE_GROUP, into, record.key & 0xFFFF)), record, sign)
            holder = holder_of(s, RISK_SCOPE_GROUP, into)
            holder.gross_value += sign * mine.gross_value
            holder.realised_value += sign * mine.realised_value
        if sign == 1:
            break
        sign = 1
        into = group_id
    s.risk.groups[participant_id] = group_id
    return 0


cdef int start_risk_day(State* s, const StartRiskDay* c) except -1 nogil:
    """Rule 14.8."""
    cdef const Command* command = <const Command*> c
    cdef uint32_t scope, i
    cdef uint8_t reason = sender_reason(s, c.session_id, REJECT_REASON_NONE)
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)))
    if reason:
        return refuse(s, command, TEMPLATE_START_RISK_DAY, reason, 0, c.client_ref)
    number_command(s, command)
    for scope in range(<uint32_t> RISK_SCOPE_ACCOUNT, <uint32_t> RISK_SCOPE_GROUP + 1):
        for i in range(s.risk.holders_max[scope]):
            if s.risk.holders[scope][i].realised_value:
                s.risk.holders[scope][i].realised_value = 0
    start_conduct_day(s)
    changed(s, command, TEMPLATE_START_RISK_DAY, c.client_ref)
    return 1


cdef int set_price_bands(State* s, const SetPriceBands* c) except -1 nogil:
    """Rule 13.4."""
    cdef const Command* command = <const Command*> c
    cdef Bands* bands
    cdef RiskChanged* e
    cdef uint8_t reason = REJECT_REASON_NONE
    if not instrument_defined(s, c.instrument_id):
        reason = REJECT_REASON_UNKNOWN_INSTRUMENT
    reason = sender_reason(s, c.session_id, reason)
    if reason == 0:
        reason = operator_reason(s, c.session_id, True)
    if reason == 0 and not bands_hold(c):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_SET_PRICE_BANDS, reason, c.instrument_id, c.client_ref)
    with gil:
        load_evaluate(s)
    number_command(s, command)
    bands = &s.risk.bands[c.instrument_id]
    bands.is_set = 1
    bands.low_ticks = c.band_low_ticks
    bands.high_ticks = c.band_high_ticks
    bands.dynamic_ppm = c.dynamic_ppm
    bands.collar_ticks = c.collar_ticks
    if c.reference_price_ticks != INT64_MIN:
        bands.last_price_ticks = c.reference_price_ticks
        bands.has_last = 1
    s.instruments[c.instrument_id].special |= SPECIAL_RISK
    e = changed(s, command, TEMPLATE_SET_PRICE_BANDS, c.client_ref)
    e.instrument_id = c.instrument_id
    return 1


cdef bint bands_hold(const SetPriceBands* c) noexcept nogil:
    """A price beyond 2^60 is allowed where it says that there is none."""
    if c.band_low_ticks > c.band_high_ticks or c.collar_ticks < 0 or c.collar_ticks >= <int64_t> SIZE_LIMIT:
        return False
    return ((c.reference_price_ticks == INT64_MIN or is_price(c.reference_price_ticks))
            and (c.band_low_ticks == INT64_MIN or is_price(c.band_low_ticks))
            and (c.band_high_ticks == INT64_MAX or is_price(c.band_high_ticks)))


cdef bint is_price(int64_t price_ticks) noexcept nogil:
    return -<int64_t> PRICE_TICKS_MAX <= price_ticks <= <int64_t> PRICE_TICKS_MAX


# --------------------------------------------------------------------------------------------------- who

cdef bint holder_holds(const State* s, uint32_t scope, uint32_t scope_id) noexcept nogil:
    """Whether scope and id name somebody, where unknown_holder has no word for it."""
    if scope == RISK_SCOPE_GROUP:
        return 1 <= scope_id < s.participants_max
    if scope == RISK_SCOPE_ASSET_CLASS:
        return ASSET_CLASS_STOCK <= scope_id <= ASSET_CLASS_COMMODITY
    if scope == RISK_SCOPE_SESSION:
        return 1 <= scope_id < s.sessions_max and s.sessions[scope_id].gate != 0
    if scope == RISK_SCOPE_VENUE:
        return scope_id == 0
    return RISK_SCOPE_ACCOUNT <= scope <= RISK_SCOPE_INSTRUMENT


cdef uint32_t watched_by(const State* s, uint32_t scope, uint32_t scope_id) noexcept nogil:
    """The participant that an account, a house account or itself stands for, else 0."""
    if scope == RISK_SCOPE_ACCOUNT:
        return s.accounts[scope_id].participant_id
    return scope_id if scope == RISK_SCOPE_HOUSE or scope == RISK_SCOPE_PARTICIPANT else 0


# --------------------------------------------------------------------------------------------------- watching

cdef int watch(State* s, uint32_t participant_id) except -1 nogil:
    """Keep positions of a participant from now on; its live orders count (14.1)."""
    cdef uint32_t slot
    cdef const Order* order
    if s.risk.watch[participant_id] & WATCHED:
        return 0
    s.risk.watch[participant_id] |= WATCHED
    mark_sessions(s, participant_id)
    for slot in range(s.slots_used):
        order = &s.orders[slot]
        if order.order_id and s.sessions[order.session_id].participant_id == participant_id:
            count_open(s, order, open_price(s, order))
    return 0


cdef bint reserve(State* s, uint64_t key) except -1 nogil:
    """Make a record that may be there already; False: there is no room."""
    if find_position(s, key) == NULL:
        if s.risk.position_count == s.risk.positions_max:
            return False
        make_position(s, key)
    return True


cdef bint reserve_to_watch(State* s, uint32_t participant_id, uint64_t wanted_key, uint32_t before) except -1 nogil:
    """Make the records of a participant's live orders (0: nobody's) and of another key (0: none), or none of them."""
    cdef uint64_t keys[3]
    cdef uint32_t slot, i, count
    cdef const Order* order
    cdef bint fits = wanted_key == 0 or reserve(s, wanted_key)
    if participant_id and not s.risk.watch[participant_id] & WATCHED:
        for slot in range(s.slots_used):
            order = &s.orders[slot]
            if not fits or not order.order_id or s.sessions[order.session_id].participant_id != participant_id:
                continue
            count = levels_of(s, participant_id, order.account_id, keys)
            for i in range(count):
                fits = fits and reserve(s, keys[i] | order.instrument_id)
    if not fits:
        forget_records(s, before)
    return fits


cdef bint reserve_to_move(State* s, uint32_t participant_id, uint32_t group_id) except -1 nogil:
    """Make the records of a participant in its group and in another, those to watch it among them, or none of them.

    The group it leaves may lack one: that of a restriction, which moves no group.
    """
    cdef uint32_t before = s.risk.position_count, left = s.risk.groups[participant_id], i
    cdef uint64_t key
    if not reserve_to_watch(s, participant_id, 0, before):
        return False
    for i in range(s.risk.position_count):          # those made here are groups'
        key = s.risk.records[i].key
        if key >> 16 == position_key(RISK_SCOPE_PARTICIPANT, participant_id, 0) >> 16:
            if not ((left == 0 or reserve(s, position_key(RISK_SCOPE_GROUP, left, key & 0xFFFF)))
                    and (group_id == 0 or reserve(s, position_key(RISK_SCOPE_GROUP, group_id, key & 0xFFFF)))):
                forget_records(s, before)
                return False
    return True


cdef void forget_records(State* s, uint32_t count) noexcept nogil:
    """Take out the records made last, down to `count`, the last one first: its place in the index passes no other's search."""
    while s.risk.position_count > count:
        forget_last_position(s)


cdef RiskChanged* changed(State* s, const Command* c, uint16_t template_id, uint64_t client_ref) noexcept nogil:
    """Answer one of 40 to 45 with RiskChanged; the caller fills in what its command has."""
    s.risk.is_used = 1
    return risk_changed(s, c, template_id, client_ref)
