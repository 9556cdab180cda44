"""Messages of the feed that tell of no order: auctions, circuit breakers, matches that are undone, the day's turnover."""
from libc.stdint cimport int64_t, uint64_t

from tradsys.marketdata.channel cimport Channel
from tradsys.wire.records cimport AuctionIndicative, BreakerTripped, MdStatistics, TradeCorrected

# Each packs one message into the channel.
cdef int tell_auction(Channel status, const AuctionIndicative* event, int64_t now_ns, uint64_t event_seq) except -1 nogil
cdef int tell_breaker(Channel status, const BreakerTripped* event, int64_t now_ns, uint64_t event_seq) except -1 nogil
cdef int tell_trade_change(Channel trades, const TradeCorrected* event, int64_t now_ns, uint64_t event_seq) except -1 nogil

# Add price x lots to a day's turnover, which stops at the edges of its type.
cdef void add_turnover(MdStatistics* day, int64_t price_ticks, int64_t lots) noexcept nogil
