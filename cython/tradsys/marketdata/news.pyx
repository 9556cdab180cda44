"""Messages of the feed that tell of no order: auctions, circuit breakers, matches that are undone, the day's turnover."""
from libc.stdint cimport uint8_t
from libc.string cimport memset

from tradsys.marketdata.channel cimport claim
from tradsys.wire.records cimport (
    AUCTION_NEWS_EXTENDED,
    AUCTION_NEWS_INDICATIVE,
    AUCTION_NEWS_UNCROSSED,
    BLOCK_MD_AUCTION,
    BLOCK_MD_BREAKER,
    BLOCK_MD_TRADE_CHANGE,
    SCHEMA_ID,
    SCHEMA_VERSION,
    SIZE_MD_AUCTION,
    SIZE_MD_BREAKER,
    SIZE_MD_TRADE_CHANGE,
    TEMPLATE_AUCTION_UNCROSSED,
    TEMPLATE_CALL_EXTENDED,
    TEMPLATE_MD_AUCTION,
    TEMPLATE_MD_BREAKER,
    TEMPLATE_MD_TRADE_CHANGE,
    TEMPLATE_TRADE_CORRECTED,
    TRADE_CHANGE_BUSTED,
    TRADE_CHANGE_CORRECTED,
    CallExtended,
    MdAuction,
    MdBreaker,
    MdTradeChange,
)

cdef extern from * nogil:
    """
    /* sum + price x lots, within the type */
    static inline int64_t tradsys_sum(int64_t sum, int64_t price, int64_t lots)
    {
        __int128 whole = (__int128) price * lots + sum;
        return whole > INT64_MAX ? INT64_MAX : whole < INT64_MIN ? INT64_MIN : (int64_t) whole;
    }
    """
    int64_t tradsys_sum(int64_t sum, int64_t price, int64_t lots)


cdef int tell_auction(Channel status, const AuctionIndicative* event, int64_t now_ns, uint64_t event_seq) except -1 nogil:
    """What an auction would come to, came to, or why its call goes on; the three events begin alike."""
    cdef const CallExtended* extended = <const CallExtended*>event
    cdef MdAuction* message
    cdef uint8_t* room
    claim(status, SIZE_MD_AUCTION, now_ns, event_seq, &room)
    message = <MdAuction*>room
    memset(message, 0, sizeof(MdAuction))
    message.block_length = BLOCK_MD_AUCTION
    message.template_id = TEMPLATE_MD_AUCTION
    message.schema_id = SCHEMA_ID
    message.version = SCHEMA_VERSION
    message.ts_ns = event.ts_ns
    message.price_ticks = event.price_ticks
    message.instrument_id = event.instrument_id
    message.state = event.state
    if event.template_id == TEMPLATE_CALL_EXTENDED:
        message.auction_news = AUCTION_NEWS_EXTENDED
        message.reference_price_ticks = extended.reference_price_ticks
        message.end_ts_ns = extended.end_ts_ns
        return 0
    message.auction_news = AUCTION_NEWS_INDICATIVE
    message.qty_lots = event.qty_lots
    message.surplus_lots = event.surplus_lots
    message.surplus_side = event.surplus_side
    message.reference_price_ticks = event.reference_price_ticks
    message.end_ts_ns = event.end_ts_ns
    if event.template_id == TEMPLATE_AUCTION_UNCROSSED:
        message.auction_news = AUCTION_NEWS_UNCROSSED
        message.end_ts_ns = 0
    return 0


cdef int tell_breaker(Channel status, const BreakerTripped* event, int64_t now_ns, uint64_t event_seq) except -1 nogil:
    """A circuit breaker has tripped."""
    cdef MdBreaker* message
    cdef uint8_t* room
    claim(status, SIZE_MD_BREAKER, now_ns, event_seq, &room)
    message = <MdBreaker*>room
    memset(message, 0, sizeof(MdBreaker))
    message.block_length = BLOCK_MD_BREAKER
    message.template_id = TEMPLATE_MD_BREAKER
    message.schema_id = SCHEMA_ID
    message.version = SCHEMA_VERSION
    message.ts_ns = event.ts_ns
    message.price_ticks = event.price_ticks
    message.reference_price_ticks = event.reference_price_ticks
    message.end_ts_ns = event.end_ts_ns
    message.instrument_id = event.instrument_id
    message.group_id = event.group_id
    message.breaker_level = event.breaker_level
    message.breaker_action = event.breaker_action
    return 0


cdef int tell_trade_change(Channel trades, const TradeCorrected* event, int64_t now_ns, uint64_t event_seq) except -1 nogil:
    """A match that was undone or has another price; both events have the same fields."""
    cdef MdTradeChange* message
    cdef uint8_t* room
    claim(trades, SIZE_MD_TRADE_CHANGE, now_ns, event_seq, &room)
    message = <MdTradeChange*>room
    memset(message, 0, sizeof(MdTradeChange))
    message.block_length = BLOCK_MD_TRADE_CHANGE
    message.template_id = TEMPLATE_MD_TRADE_CHANGE
    message.schema_id = SCHEMA_ID
    message.version = SCHEMA_VERSION
    message.match_id = event.match_seq
    message.price_ticks = event.price_ticks
    message.qty_lots = event.qty_lots
    message.ts_ns = event.ts_ns
    message.price_before_ticks = event.price_before_ticks
    message.instrument_id = event.instrument_id
    message.trade_change = TRADE_CHANGE_BUSTED
    if event.template_id == TEMPLATE_TRADE_CORRECTED:
        message.trade_change = TRADE_CHANGE_CORRECTED
    return 0


cdef void add_turnover(MdStatistics* day, int64_t price_ticks, int64_t lots) noexcept nogil:
    """Add price x lots to a day's turnover, which stops at the edges of its type."""
    day.turnover_ticks_lots = tradsys_sum(day.turnover_ticks_lots, price_ticks, lots)
