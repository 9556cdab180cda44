"""Memory of fees, kept matches, circuit breakers and conduct."""
from libc.stdint cimport uint32_t
from libc.string cimport memset

from tradsys.core.memory cimport arena_give, arena_take

assert sizeof(FeeSchedule) == 72, "FeeSchedule must be 72 bytes"
assert sizeof(InstrumentFees) == 16, "InstrumentFees must be 16 bytes"
assert sizeof(OrderFees) == 24, "OrderFees must be 24 bytes"
assert sizeof(Conduct) == 80, "Conduct must be 80 bytes"
assert sizeof(Breaker) == 320, "Breaker must be five cache lines"
assert sizeof(KeptTrade) == 160, "KeptTrade must be two cache lines and a half"
assert sizeof(OrderExecuted) == 128, "matches are kept as they are told"

cdef enum:
    WAITING_SPARE = 64                  # above what a command has beyond one match an order (9.22)


cdef int venue_take(Venue* venue, int64_t orders_max, int64_t instruments_max, int64_t participants_max) except -1:
    """Reserve what the capacities can need; real only where it is used."""
    venue.schedules = <FeeSchedule*> arena_take(instruments_max * FEE_CLASSES * <int64_t> sizeof(FeeSchedule))
    venue.instrument_fees = <InstrumentFees*> arena_take(instruments_max * <int64_t> sizeof(InstrumentFees))
    venue.order_fees = <OrderFees*> arena_take(orders_max * <int64_t> sizeof(OrderFees))
    venue.trades = <KeptTrade*> arena_take(<int64_t> TRADES_MAX * <int64_t> sizeof(KeptTrade))
    venue.breakers = <Breaker*> arena_take(instruments_max * <int64_t> sizeof(Breaker))
    venue.waiting_max = <uint32_t> orders_max + WAITING_SPARE
    venue.waiting = <OrderExecuted*> arena_take(venue.waiting_max * <int64_t> sizeof(OrderExecuted))
    venue.conducts = <Conduct*> arena_take(participants_max * <int64_t> sizeof(Conduct))
    venue.resting_min_ns = <int64_t*> arena_take(instruments_max * <int64_t> sizeof(int64_t))
    venue.rested_ns = <int64_t*> arena_take(orders_max * <int64_t> sizeof(int64_t))
    return 0


cdef void venue_give(Venue* venue, int64_t orders_max, int64_t instruments_max, int64_t participants_max) noexcept nogil:
    """Return all memory."""
    arena_give(venue.schedules, instruments_max * FEE_CLASSES * <int64_t> sizeof(FeeSchedule))
    arena_give(venue.instrument_fees, instruments_max * <int64_t> sizeof(InstrumentFees))
    arena_give(venue.order_fees, orders_max * <int64_t> sizeof(OrderFees))
    arena_give(venue.trades, <int64_t> TRADES_MAX * <int64_t> sizeof(KeptTrade))
    arena_give(venue.breakers, instruments_max * <int64_t> sizeof(Breaker))
    arena_give(venue.waiting, venue.waiting_max * <int64_t> sizeof(OrderExecuted))
    arena_give(venue.conducts, participants_max * <int64_t> sizeof(Conduct))
    arena_give(venue.resting_min_ns, instruments_max * <int64_t> sizeof(int64_t))
    arena_give(venue.rested_ns, orders_max * <int64_t> sizeof(int64_t))
    memset(venue, 0, sizeof(Venue))
