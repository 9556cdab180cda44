"""What an instrument's states take and what may follow them: the tables of rules 11.1 and 11.2."""
from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradsys.core.ladder cimport Ladder
from tradsys.core.state cimport Instrument, State
from tradsys.wire.records cimport (
    INSTRUMENT_STATE_CANCEL_ONLY, INSTRUMENT_STATE_CLOSED, INSTRUMENT_STATE_CLOSING_AUCTION, INSTRUMENT_STATE_HALTED,
    INSTRUMENT_STATE_NAV_COLLECTION, INSTRUMENT_STATE_OPEN, INSTRUMENT_STATE_OPENING_AUCTION,
    INSTRUMENT_STATE_POST_ONLY, INSTRUMENT_STATE_PRE_OPEN, INSTRUMENT_STATE_TRADE_AT_CLOSE,
    INSTRUMENT_STATE_VOLATILITY_AUCTION, ORDER_FLAGS_POST_ONLY, TIME_IN_FORCE_FOK, TIME_IN_FORCE_IOC)


cdef inline bint is_shut(uint32_t state) noexcept nogil:
    """Whether the state takes no orders and no replaces."""
    return (state == INSTRUMENT_STATE_CLOSED or state == INSTRUMENT_STATE_HALTED
            or state == INSTRUMENT_STATE_CANCEL_ONLY)


cdef inline bint is_auction(uint32_t state) noexcept nogil:
    """Whether the state is the call of an auction that a timer can end."""
    return (state == INSTRUMENT_STATE_OPENING_AUCTION or state == INSTRUMENT_STATE_VOLATILITY_AUCTION
            or state == INSTRUMENT_STATE_CLOSING_AUCTION)


cdef inline bint is_call(uint32_t state) noexcept nogil:
    """Whether orders collect in the state, without matching."""
    return is_auction(state) or state == INSTRUMENT_STATE_PRE_OPEN or state == INSTRUMENT_STATE_NAV_COLLECTION


cdef inline bint is_uncrossed(uint32_t state) noexcept nogil:
    """Whether a called book is uncrossed before the state begins."""
    return (state == INSTRUMENT_STATE_OPEN or state == INSTRUMENT_STATE_POST_ONLY
            or state == INSTRUMENT_STATE_TRADE_AT_CLOSE)


cdef inline bint posts_only(const Instrument* instrument, uint32_t order_flags) noexcept nogil:
    """Whether an order or a replace may not match."""
    return order_flags & ORDER_FLAGS_POST_ONLY or instrument.state == INSTRUMENT_STATE_POST_ONLY


cdef inline bint may_rest(uint32_t time_in_force) noexcept nogil:
    """Whether a limit order of that time in force goes on the book."""
    return time_in_force != TIME_IN_FORCE_IOC and time_in_force != TIME_IN_FORCE_FOK


# RejectReason of an order the state does not take for its type, time in force or flags (11.3); the state is not shut.
cdef uint8_t phase_reason(const Instrument* instrument, uint32_t order_type, uint32_t time_in_force,
                          uint32_t order_flags) noexcept nogil
cdef bint time_in_force_known(uint32_t time_in_force) noexcept nogil
cdef bint misses_the_close(const State* s, uint32_t instrument_id, int64_t price_ticks) noexcept nogil
# Key of the worst price a market order may match at.
cdef int64_t market_key(const State* s, uint32_t instrument_id, const Ladder* other) noexcept nogil
# Whether a state may follow another (11.2), a closing price aside.
cdef bint may_come_after(uint32_t before, uint32_t state) noexcept nogil
