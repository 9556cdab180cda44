"""What fees, kept matches, circuit breakers and conduct are kept in: plain C records, sections 13 and 15 of the rule book."""
from libc.stdint cimport INT64_MAX, INT64_MIN, int8_t, int64_t, uint8_t, uint32_t, uint64_t

from tradsys.wire.records cimport OrderExecuted

cdef enum:
    # Bits of Venue.follows: why the events of a command are looked at once it is decided
    FOLLOW_FEES = 1                     # some instrument has a fee schedule
    FOLLOW_TRADES = 2                   # the last matches are kept
    FOLLOW_BREAKERS = 4                 # some instrument has a circuit breaker
    FOLLOW_CONDUCT = 8                  # some participant or instrument has limits of conduct
    WINDOW_SLICES = 8
    FEE_CLASSES = 16
    TRADES_MAX = 1048576                # matches that can be kept
    # Bits of KeptTrade.flags
    KEPT_BUSTED = 1
    KEPT_CHARGED = 2                    # it was followed by FeeCharged
    KEPT_COUNTED_RESTING = 4            # positions of the party count it
    KEPT_COUNTED_INCOMING = 8

cdef struct FeeSchedule:                # 72 bytes: what a fee class pays in an instrument
    int64_t maker_rate_e7
    int64_t taker_rate_e7
    int64_t auction_rate_e7
    int64_t maker_per_lot               # amounts are in the instrument's fee units
    int64_t taker_per_lot
    int64_t auction_per_lot
    int64_t order_fee_min
    int64_t order_fee_max               # 0: none
    uint64_t is_on

cdef struct InstrumentFees:             # 16 bytes
    int64_t numerator                   # fee units in a tick x lot, times 10^zeros
    uint8_t is_set                      # a schedule was set: the exponent stays
    int8_t exponent                     # a fee unit is 10^exponent of the currency
    uint8_t zeros
    uint8_t schedules                   # schedules that are on
    uint32_t spare

cdef struct OrderFees:                  # 24 bytes: what an order owes and was charged
    uint64_t order_id                   # another one than the slot's order: nothing yet
    int64_t owed
    int64_t charged

cdef struct KeptTrade:                  # 160 bytes: a match that can be busted and corrected
    OrderExecuted match
    int64_t price_ticks                 # at which it stands
    int64_t resting_fee                 # charged so far
    int64_t incoming_fee
    uint32_t flags                      # KEPT_*
    uint32_t spare

cdef struct BreakerRule:                # 32 bytes: what trips, and what happens then
    uint32_t distance_ppm               # LEVEL_1 to LEVEL_3; 0: never
    uint8_t action                      # BreakerAction
    uint8_t side                        # BreakerSide
    uint8_t spare[2]
    int64_t distance_ticks              # VELOCITY; 0: never
    int64_t pause_ns
    int64_t window_ns

cdef struct Breaker:                    # 320 bytes: an instrument's circuit breaker
    int64_t reference_ticks             # INT64_MIN: none, of both prices
    int64_t last_ticks
    int64_t quiet_from_ns               # 0: never
    int64_t reopen_call_ns
    uint32_t group_id                   # 0: it stops itself
    uint32_t member_group_id            # 0: none
    uint8_t is_set
    uint8_t takes_auctions
    uint8_t tripped                     # highest level since the reference price was set
    uint8_t spare[5]
    BreakerRule rules[4]                # by BreakerLevel - 1
    int64_t slice_number                # of the newest price in the window; -1: it is empty
    int64_t low_ticks[WINDOW_SLICES]    # by number of the slice; INT64_MAX where it has no price
    int64_t high_ticks[WINDOW_SLICES]   # INT64_MIN where it has no price
    int64_t spare2

cdef struct Trip:                       # 24 bytes: what prices have tripped
    uint32_t level                      # BreakerLevel; 0: nothing
    uint32_t instrument_id
    int64_t price_ticks
    int64_t reference_ticks

cdef struct Conduct:                    # 80 bytes: how a participant may trade
    uint32_t order_to_trade_max         # messages a match; 0: no limit
    uint32_t order_to_trade_free        # messages that need no match
    uint64_t messages                   # of the risk day
    uint64_t matches                    # of the risk day
    int64_t output_max_value            # ticks x lots; 0: no tripwire
    int64_t output_window_ns            # the bucket is full with it
    int64_t bucket_ns
    int64_t bucket_ts_ns
    uint64_t trip_match_seq             # what has emptied the bucket, while is_due
    uint32_t trip_instrument_id
    uint8_t is_set
    uint8_t is_tripped                  # new orders are refused
    uint8_t is_due                      # its orders are still to be cancelled
    uint8_t spare
    uint64_t spare2

cdef struct Venue:
    uint32_t follows                    # FOLLOW_*
    uint32_t fees_charged               # 1: an order was charged something
    FeeSchedule* schedules              # by instrument, then by class
    InstrumentFees* instrument_fees     # by instrument
    OrderFees* order_fees               # by slot
    KeptTrade* trades                   # a ring of trades_kept places
    uint32_t trades_kept                # matches that are kept at most
    uint32_t trades_count
    uint32_t trades_first               # place of the oldest; 0 until the ring is full
    uint32_t breaker_count
    Breaker* breakers                   # by instrument
    Trip trip                           # what the matches looked at have tripped; level 0: nothing, or it is done
    OrderExecuted* waiting              # matches of the last command, kept while the event buffer has no room
    uint32_t waiting_max
    uint32_t waiting_count
    uint32_t waiting_first              # not looked at yet: this one and those behind it
    uint32_t tripwires_due              # participants whose orders are still to be cancelled
    Conduct* conducts                   # by participant
    int64_t* resting_min_ns             # by instrument; 0: none
    int64_t* rested_ns                  # by slot: since when the order rests, where its instrument has the rule
    uint32_t conduct_count              # participants with limits of conduct
    uint32_t resting_count              # instruments with a minimum resting time

cdef int venue_take(Venue* venue, int64_t orders_max, int64_t instruments_max, int64_t participants_max) except -1
cdef void venue_give(Venue* venue, int64_t orders_max, int64_t instruments_max, int64_t participants_max) noexcept nogil


cdef inline void empty_window(Breaker* breaker) noexcept nogil:
    """Forget the prices of a breaker's window."""
    cdef int i
    breaker.slice_number = -1
    for i in range(<int> WINDOW_SLICES):
        breaker.low_ticks[i] = INT64_MAX
        breaker.high_ticks[i] = INT64_MIN


cdef inline Breaker* make_breaker(Venue* venue, uint32_t instrument_id) noexcept nogil:
    """The breaker of an instrument, made when it is first named."""
    cdef Breaker* breaker = &venue.breakers[instrument_id]
    if not breaker.is_set:
        breaker.is_set = 1
        breaker.reference_ticks = breaker.last_ticks = INT64_MIN
        empty_window(breaker)
        venue.breaker_count += 1
        venue.follows |= FOLLOW_BREAKERS
    return breaker
