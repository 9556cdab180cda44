"""Deciding commands 46 to 55: fees, matches that are kept, circuit breakers, conduct."""
from libc.stdint cimport uint16_t

from tradsys.core.breakers cimport publish_index, set_breaker, set_breaker_level, start_breaker_day
from tradsys.core.conduct cimport set_conduct_limits
from tradsys.core.fees cimport set_fee_class, set_fee_schedule
from tradsys.core.trades cimport bust_trade, correct_trade, keep_trades
from tradsys.wire.records cimport (
    TEMPLATE_BUST_TRADE, TEMPLATE_CORRECT_TRADE, TEMPLATE_KEEP_TRADES, TEMPLATE_PUBLISH_INDEX, TEMPLATE_SET_BREAKER,
    TEMPLATE_SET_BREAKER_LEVEL, TEMPLATE_SET_CONDUCT_LIMITS, TEMPLATE_SET_FEE_CLASS, TEMPLATE_SET_FEE_SCHEDULE,
    TEMPLATE_START_BREAKER_DAY, BustTrade, CorrectTrade, KeepTrades, MessageHeader, PublishIndex, SetBreaker,
    SetBreakerLevel, SetConductLimits, SetFeeClass, SetFeeSchedule, StartBreakerDay)


cdef int decide_venue_command(State* s, const uint8_t* record) except -1 nogil:
    """Each has its rule in section 13 or 15."""
    cdef uint16_t template_id = (<const MessageHeader*> record).template_id
    if template_id == TEMPLATE_SET_FEE_SCHEDULE:
        return set_fee_schedule(s, <const SetFeeSchedule*> record)
    if template_id == TEMPLATE_SET_FEE_CLASS:
        return set_fee_class(s, <const SetFeeClass*> record)
    if template_id == TEMPLATE_KEEP_TRADES:
        return keep_trades(s, <const KeepTrades*> record)
    if template_id == TEMPLATE_BUST_TRADE:
        return bust_trade(s, <const BustTrade*> record)
    if template_id == TEMPLATE_CORRECT_TRADE:
        return correct_trade(s, <const CorrectTrade*> record)
    if template_id == TEMPLATE_SET_BREAKER_LEVEL:
        return set_breaker_level(s, <const SetBreakerLevel*> record)
    if template_id == TEMPLATE_SET_BREAKER:
        return set_breaker(s, <const SetBreaker*> record)
    if template_id == TEMPLATE_START_BREAKER_DAY:
        return start_breaker_day(s, <const StartBreakerDay*> record)
    if template_id == TEMPLATE_SET_CONDUCT_LIMITS:
        return set_conduct_limits(s, <const SetConductLimits*> record)
    assert template_id == TEMPLATE_PUBLISH_INDEX, "the batch loop lets no other template through"
    return publish_index(s, <const PublishIndex*> record)
