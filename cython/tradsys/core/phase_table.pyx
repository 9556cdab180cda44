"""Tables of the phases, and what they say of one order."""
from libc.stdint cimport INT64_MAX
from libc.string cimport memset

from tradsys.wire.records cimport (
    ORDER_FLAGS_POST_ONLY, ORDER_TYPE_LIMIT, REJECT_REASON_NONE, REJECT_REASON_WRONG_PHASE, TIME_IN_FORCE_AT_CLOSE,
    TIME_IN_FORCE_AT_OPEN, TIME_IN_FORCE_DAY, TIME_IN_FORCE_GOOD_FOR_AUCTION, TIME_IN_FORCE_GTC, TIME_IN_FORCE_GTD,
    TIME_IN_FORCE_GTX)

cdef enum:
    STATE_COUNT = 12
    CLOSED = INSTRUMENT_STATE_CLOSED
    OPEN = INSTRUMENT_STATE_OPEN
    HALTED = INSTRUMENT_STATE_HALTED
    PRE_OPEN = INSTRUMENT_STATE_PRE_OPEN
    OPENING = INSTRUMENT_STATE_OPENING_AUCTION
    VOLATILITY = INSTRUMENT_STATE_VOLATILITY_AUCTION
    CLOSING = INSTRUMENT_STATE_CLOSING_AUCTION
    AT_CLOSE = INSTRUMENT_STATE_TRADE_AT_CLOSE
    NAV = INSTRUMENT_STATE_NAV_COLLECTION
    CANCEL_ONLY = INSTRUMENT_STATE_CANCEL_ONLY
    POSTING = INSTRUMENT_STATE_POST_ONLY

cdef uint32_t times_taken[STATE_COUNT]      # rule 11.1: times in force, a bit each
cdef uint32_t followers[STATE_COUNT]        # rule 11.2: states, a bit each
cdef uint32_t times_known                   # times in force that any state takes


cdef void fill_tables() noexcept:
    """Rules 11.1 and 11.2."""
    global times_known
    cdef uint32_t lasting = 1 << TIME_IN_FORCE_DAY | 1 << TIME_IN_FORCE_GTC | 1 << TIME_IN_FORCE_GTD
    cdef uint32_t at_once = 1 << TIME_IN_FORCE_IOC | 1 << TIME_IN_FORCE_FOK
    cdef uint32_t anything = ((1 << STATE_COUNT) - 2) & ~(1 << AT_CLOSE)
    cdef uint32_t stops = 1 << CLOSED | 1 << HALTED | 1 << CANCEL_ONLY
    cdef int state
    cdef uint32_t running = stops | 1 << OPEN | 1 << VOLATILITY | 1 << CLOSING | 1 << POSTING
    memset(times_taken, 0, sizeof(times_taken))
    memset(followers, 0, sizeof(followers))
    times_taken[<int> OPEN] = lasting | at_once | 1 << TIME_IN_FORCE_GTX
    times_taken[<int> POSTING] = lasting | 1 << TIME_IN_FORCE_GTX
    times_taken[<int> PRE_OPEN] = lasting | 1 << TIME_IN_FORCE_AT_OPEN | 1 << TIME_IN_FORCE_GOOD_FOR_AUCTION
    times_taken[<int> OPENING] = lasting | 1 << TIME_IN_FORCE_AT_OPEN | 1 << TIME_IN_FORCE_GOOD_FOR_AUCTION
    times_taken[<int> VOLATILITY] = lasting | 1 << TIME_IN_FORCE_GOOD_FOR_AUCTION
    times_taken[<int> CLOSING] = lasting | 1 << TIME_IN_FORCE_AT_CLOSE | 1 << TIME_IN_FORCE_GOOD_FOR_AUCTION
    times_taken[<int> AT_CLOSE] = lasting | at_once
    times_taken[<int> NAV] = lasting
    followers[<int> CLOSED] = followers[<int> HALTED] = followers[<int> CANCEL_ONLY] = anything
    followers[<int> OPEN] = followers[<int> POSTING] = running
    followers[<int> PRE_OPEN] = stops | 1 << OPEN | 1 << PRE_OPEN | 1 << OPENING
    followers[<int> OPENING] = stops | 1 << OPEN | 1 << OPENING | 1 << POSTING
    followers[<int> VOLATILITY] = stops | 1 << OPEN | 1 << VOLATILITY | 1 << CLOSING | 1 << POSTING
    followers[<int> CLOSING] = stops | 1 << OPEN | 1 << CLOSING | 1 << AT_CLOSE
    followers[<int> AT_CLOSE] = stops | 1 << AT_CLOSE
    followers[<int> NAV] = stops | 1 << NAV
    times_known = 0
    for state in range(<int> STATE_COUNT):
        times_known |= times_taken[state]


fill_tables()


# --------------------------------------------------------------------------------------------------- what a phase takes

cdef uint8_t phase_reason(const Instrument* instrument, uint32_t order_type, uint32_t time_in_force,
                          uint32_t order_flags) noexcept nogil:
    """WRONG_PHASE or nothing (11.3)."""
    if not times_taken[instrument.state] >> time_in_force & 1:
        return REJECT_REASON_WRONG_PHASE
    if instrument.state == POSTING and order_type != ORDER_TYPE_LIMIT:
        return REJECT_REASON_WRONG_PHASE
    if is_call(instrument.state) and order_flags & ORDER_FLAGS_POST_ONLY:
        return REJECT_REASON_WRONG_PHASE
    return REJECT_REASON_NONE


cdef bint may_come_after(uint32_t before, uint32_t state) noexcept nogil:
    return state < STATE_COUNT and followers[before] >> state & 1


cdef bint time_in_force_known(uint32_t time_in_force) noexcept nogil:
    return time_in_force < 32 and times_known >> time_in_force & 1


cdef bint misses_the_close(const State* s, uint32_t instrument_id, int64_t price_ticks) noexcept nogil:
    """Whether a limit is not the price TRADE_AT_CLOSE trades at (11.12)."""
    return s.instruments[instrument_id].state == AT_CLOSE and price_ticks != s.auctions[instrument_id].closing_ticks


cdef int64_t market_key(const State* s, uint32_t instrument_id, const Ladder* other) noexcept nogil:
    """Any price in continuous trading, the closing price behind it (11.12)."""
    if s.instruments[instrument_id].state == AT_CLOSE:
        return s.auctions[instrument_id].closing_ticks ^ other.key_mask
    return INT64_MAX - 1                # no resting order is beyond
