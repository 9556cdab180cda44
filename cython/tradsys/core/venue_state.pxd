"""What fees are kept in: plain C records, section 15 of the rule book."""
from libc.stdint cimport int8_t, int64_t, uint8_t, uint32_t, uint64_t

from tradsys.wire.records cimport OrderExecuted

cdef enum:
    # Bits of Venue.follows: why the events of a command are looked at once it is decided
    FOLLOW_FEES = 1                     # some instrument has a fee schedule
    FEE_CLASSES = 16

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

cdef struct Venue:
    uint32_t follows                    # FOLLOW_*
    uint32_t fees_charged               # 1: an order was charged something
    FeeSchedule* schedules              # by instrument, then by class
    InstrumentFees* instrument_fees     # by instrument
    OrderFees* order_fees               # by slot
    OrderExecuted* waiting              # matches of the last command, kept while the event buffer has no room
    uint32_t waiting_max
    uint32_t waiting_count
    uint32_t waiting_first              # not looked at yet: this one and those behind it
    uint32_t spare

cdef int venue_take(Venue* venue, int64_t orders_max, int64_t instruments_max) except -1
cdef void venue_give(Venue* venue, int64_t orders_max, int64_t instruments_max) noexcept nogil
