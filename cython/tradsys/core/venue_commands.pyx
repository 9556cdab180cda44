"""Deciding commands 46 to 50: fees, matches that are kept."""
from libc.stdint cimport uint16_t

from tradsys.core.fees cimport set_fee_class, set_fee_schedule
from tradsys.core.trades cimport bust_trade, correct_trade, keep_trades
from tradsys.wire.records cimport (
    TEMPLATE_BUST_TRADE, TEMPLATE_CORRECT_TRADE, TEMPLATE_KEEP_TRADES, TEMPLATE_SET_FEE_CLASS, TEMPLATE_SET_FEE_SCHEDULE,
    BustTrade, CorrectTrade, KeepTrades, MessageHeader, SetFeeClass, SetFeeSchedule)


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
    assert template_id == TEMPLATE_CORRECT_TRADE, "the batch loop lets no other template through"
    return correct_trade(s, <const CorrectTrade*> record)
