"""What terms and book say of an order that comes in: terms that cannot hold, prices, lots within reach, own orders."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.ladder cimport Ladder
from tradsys.core.order cimport Order, slot_of
from tradsys.core.state cimport Instrument, State
from tradsys.core.terms cimport Terms, is_iceberg
from tradsys.wire.records cimport (
    NewOrder, STP_MODE_CANCEL_OLDEST, STP_MODE_NONE, STP_MODE_TRANSFER, STP_SCOPE_TRADE_GROUP)

cdef enum Meeting:                      # what an order is to a resting one
    MEETS_OTHER                         # it matches
    MEETS_OWN                           # self-trade prevention decides
    MEETS_GROUP                         # a transfer takes the place of the match

cdef bint terms_are_bad(const NewOrder* c, const Terms* terms, const Instrument* instrument) noexcept nogil
cdef bint trigger_is_bad(const NewOrder* c, const Terms* terms, const Instrument* instrument) noexcept nogil
cdef bint entry_limit(uint32_t order_type, uint32_t side, const Terms* terms, Ladder* other, const Instrument* instrument,
                      int64_t collar_ticks, int64_t* price_ticks) noexcept nogil
cdef bint post_only_price(uint32_t side, const Terms* terms, Ladder* other, const Instrument* instrument,
                          int64_t* price_ticks) noexcept nogil
cdef int64_t next_part(const Order* order, Terms* terms, int64_t increment_lots) noexcept nogil
cdef int64_t lots_within_reach(State* s, Ladder* other, int64_t limit_key, const Order* order, int64_t wanted_lots,
                               int64_t increment_lots, int64_t amount_ticks_lots) noexcept nogil
cdef bint room_for_matches(State* s, const Instrument* instrument, Ladder* other, int64_t limit_key, const Order* order,
                           int64_t events_max) noexcept nogil
cdef void leave_specials(State* s, Instrument* instrument, const Order* order) noexcept nogil


cdef inline Meeting meeting(const State* s, const Order* order, const Order* resting) noexcept nogil:
    """Rules 4.8, 9.17 and 9.21."""
    cdef uint32_t stp_mode = order.traits >> 24
    cdef uint32_t mine, theirs
    if stp_mode == STP_MODE_NONE:
        return MEETS_OTHER
    mine = s.sessions[order.session_id].participant_id
    theirs = s.sessions[resting.session_id].participant_id
    if mine == theirs:
        return MEETS_OWN
    if (s.participants[mine].stp_scope != STP_SCOPE_TRADE_GROUP or s.risk.groups[mine] == 0
            or s.risk.groups[mine] != s.risk.groups[theirs]):
        return MEETS_OTHER
    return MEETS_GROUP if stp_mode == STP_MODE_TRANSFER else MEETS_OWN


cdef inline int64_t available_lots(const State* s, const Order* resting) noexcept nogil:
    """Lots that stand at the order's place: the shown part of an iceberg, else all that is left."""
    cdef const Terms* terms = &s.terms[slot_of(resting.order_id)]
    return terms.shown_lots if is_iceberg(resting, terms) else resting.leaves_lots
