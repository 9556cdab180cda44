"""What conduct has against an order or its withdrawal (rules 13.21 to 13.23)."""
from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradsys.core.order cimport Order, slot_of
from tradsys.core.risk_state cimport HAS_CONDUCT
from tradsys.core.state cimport State
from tradsys.core.terms cimport is_dormant
from tradsys.core.venue_state cimport Conduct
from tradsys.wire.records cimport REJECT_REASON_KILLED, REJECT_REASON_ORDER_TO_TRADE_LIMIT

cdef enum:
    CONDUCT_TS_MAX = 0x4000000000000000


cdef inline uint8_t conduct_reason(const State* s, uint32_t participant_id) noexcept nogil:
    """What its conduct has against a new order or a replace of a participant: a RejectReason or 0."""
    cdef const Conduct* conduct = &s.venue.conducts[participant_id]
    if not s.risk.watch[participant_id] & HAS_CONDUCT:
        return 0
    if conduct.is_tripped:
        return REJECT_REASON_KILLED
    if conduct.order_to_trade_max and (
            conduct.messages >= conduct.order_to_trade_free + conduct.matches * conduct.order_to_trade_max):
        return REJECT_REASON_ORDER_TO_TRADE_LIMIT
    return 0


cdef inline int64_t conduct_time(int64_t ts_ns) noexcept nogil:
    return 0 if ts_ns < 0 else min(ts_ns, <int64_t> CONDUCT_TS_MAX)


cdef inline bint rests_too_short(const State* s, const Order* order, int64_t ts_ns) noexcept nogil:
    """Whether an order is to rest longer before its owner may withdraw it (13.22)."""
    if s.venue.resting_count == 0 or s.venue.resting_min_ns[order.instrument_id] == 0 or is_dormant(order):
        return False
    return conduct_time(ts_ns) - s.venue.rested_ns[slot_of(order.order_id)] < s.venue.resting_min_ns[order.instrument_id]
