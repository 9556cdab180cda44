"""Cancelling many orders at once (section 6 of the rule book)."""
from tradsys.core.conduct_check cimport rests_too_short
from tradsys.core.events cimport unsolicited
from tradsys.core.order cimport Order, slot_of
from tradsys.core.resting cimport cancel_resting, side_of_order
from tradsys.core.state cimport events_left
from tradsys.wire.records cimport TIME_IN_FORCE_GTD


cdef bint fits(const State* s, const OrderFilter* wanted, const Order* order) noexcept nogil:
    """Whether the order in a slot is live and wanted."""
    if order.order_id == 0:
        return False
    if wanted.instrument_id and order.instrument_id != wanted.instrument_id:
        return False
    if wanted.session_id and order.session_id != wanted.session_id:
        return False
    if wanted.participant_id and s.sessions[order.session_id].participant_id != wanted.participant_id:
        return False
    if wanted.account_id and order.account_id != wanted.account_id:
        return False
    if wanted.group_id and s.risk.groups[s.sessions[order.session_id].participant_id] != wanted.group_id:
        return False
    if wanted.of_house and order.account_id:
        return False
    if wanted.side and side_of_order(order) != wanted.side:
        return False
    if wanted.time_in_force and (order.traits >> 16 & 0xFF) != wanted.time_in_force:
        return False
    if (wanted.time_in_force == TIME_IN_FORCE_GTD
            and s.terms[slot_of(order.order_id)].expire_ts_ns > wanted.now_ns):
        return False
    if wanted.of_owner and rests_too_short(s, order, wanted.now_ns):
        return False
    return not order.order_flags & wanted.but_flags


cdef uint32_t candidates(const State* s, const OrderFilter* wanted) noexcept nogil:
    """Live orders of the sessions wanted: the walk over the slots ends when it has seen so many."""
    cdef uint32_t i, count = 0
    if wanted.session_id:
        return s.sessions[wanted.session_id].live_orders if wanted.session_id < s.sessions_max else 0
    if wanted.participant_id == 0:
        return s.live_orders
    for i in range(1, s.sessions_max):
        if s.sessions[i].gate and s.sessions[i].participant_id == wanted.participant_id:
            count += s.sessions[i].live_orders
    return count


cdef bint is_candidate(const State* s, const OrderFilter* wanted, const Order* order) noexcept nogil:
    """Whether the order in a slot is one of those `candidates` counts."""
    if order.order_id == 0:
        return False
    if wanted.session_id:
        return order.session_id == wanted.session_id
    return wanted.participant_id == 0 or s.sessions[order.session_id].participant_id == wanted.participant_id


cdef bint room_to_cancel(const State* s, const OrderFilter* wanted) noexcept nogil:
    """Whether the buffer takes a cancel of every order wanted and two events more."""
    cdef int64_t room = events_left(s) - 2
    cdef int64_t count = 0
    cdef uint32_t slot
    if <int64_t> candidates(s, wanted) <= room:
        return room >= 0
    for slot in range(s.slots_used):
        count += fits(s, wanted, &s.orders[slot])
    return count <= room


cdef int64_t cancel_many(State* s, const Command* c, const OrderFilter* wanted, uint32_t cancel_reason,
                         uint32_t event_flags) except -1 nogil:
    """Cancel the orders wanted in ascending slot; returns how many."""
    cdef uint32_t left = candidates(s, wanted), slot = 0
    cdef int64_t count = 0
    cdef Order* order
    while left:
        assert slot < s.slots_used, "sessions count their live orders"
        order = &s.orders[slot]
        slot += 1
        if not is_candidate(s, wanted, order):
            continue
        left -= 1
        if fits(s, wanted, order):
            cancel_resting(s, c, order, cancel_reason, event_flags | unsolicited(c, order))
            count += 1
    return count
