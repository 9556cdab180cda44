"""Checks of commands in the order of the rule book (section 3): the first that fails is the answer."""
cimport cython
from libc.stdint cimport uint64_t

from tradsys.core.phase_table cimport is_shut, may_rest, misses_the_close, phase_reason, time_in_force_known
from tradsys.core.state cimport (
    GATE_DEFINED, GATE_PARTICIPANT, GATE_SESSION, Account, Instrument, allowed_entitlement,
    explicit_entitlement)
from tradsys.core.terms cimport is_triggered, kind_behind
from tradsys.wire.records cimport (
    INSTRUMENT_STATE_OPEN, ORDER_FLAGS_ALL_OR_NONE, ORDER_FLAGS_HIDDEN, ORDER_FLAGS_KEEP_ON_DISCONNECT,
    ORDER_FLAGS_POST_ONLY, ORDER_FLAGS_REDUCE_ONLY, ORDER_TYPE_LIMIT, ORDER_TYPE_MARKET, ORDER_TYPE_MARKET_TO_LIMIT,
    PERMISSION_TRADE, REJECT_REASON_BAD_FLAGS, REJECT_REASON_BAD_ORDER_TYPE, REJECT_REASON_BAD_PRICE,
    REJECT_REASON_BAD_PRICE_INCREMENT, REJECT_REASON_BAD_QUANTITY, REJECT_REASON_BAD_QUANTITY_INCREMENT,
    REJECT_REASON_BAD_SIDE, REJECT_REASON_BAD_STP_MODE, REJECT_REASON_BAD_TIME_IN_FORCE,
    REJECT_REASON_INSTRUMENT_NOT_OPEN, REJECT_REASON_NONE, REJECT_REASON_NOT_CLOSING_PRICE, REJECT_REASON_NOT_ENTITLED,
    REJECT_REASON_PARTICIPANT_DISABLED, REJECT_REASON_SESSION_DISABLED, REJECT_REASON_UNKNOWN_ACCOUNT,
    REJECT_REASON_UNKNOWN_INSTRUMENT, REJECT_REASON_UNKNOWN_SESSION, REJECT_REASON_WRONG_PHASE, SIDE_BUY, SIDE_SELL,
    STP_MODE_TRANSFER, TIME_IN_FORCE_DAY, TIME_IN_FORCE_GTD, TIME_IN_FORCE_IOC)


cdef uint8_t new_order_reason(const State* s, const NewOrder* c, const NewComplexOrder* complex_) noexcept nogil:
    """Rule 3.2 up to the price increment."""
    cdef uint8_t reason = trading_sender_reason(s, c.session_id, c.instrument_id)
    if reason:
        return reason
    cdef const Instrument* instrument = &s.instruments[c.instrument_id]
    if not account_usable(s, s.sessions[c.session_id].participant_id, c.account_id):
        return REJECT_REASON_UNKNOWN_ACCOUNT
    if is_shut(instrument.state):
        return REJECT_REASON_INSTRUMENT_NOT_OPEN
    if c.side != SIDE_BUY and c.side != SIDE_SELL:
        return REJECT_REASON_BAD_SIDE
    if (c.order_type < ORDER_TYPE_LIMIT or c.order_type > ORDER_TYPE_MARKET_TO_LIMIT) and not (
            complex_ != NULL and is_triggered(c.order_type)):
        return REJECT_REASON_BAD_ORDER_TYPE
    if not time_in_force_known(c.time_in_force) or (
            is_triggered(c.order_type) and c.time_in_force > TIME_IN_FORCE_GTD):     # 10.14
        return REJECT_REASON_BAD_TIME_IN_FORCE
    if c.stp_mode > STP_MODE_TRANSFER:
        return REJECT_REASON_BAD_STP_MODE
    if order_flags_are_bad(c) or not all_zero(c.pad, sizeof(c.pad)):
        return REJECT_REASON_BAD_FLAGS
    if complex_ != NULL and not all_zero(complex_.pad2, sizeof(complex_.pad2)):
        return REJECT_REASON_BAD_FLAGS
    reason = phase_reason(instrument, c.order_type, c.time_in_force, c.order_flags)
    if reason == 0 and instrument.state != INSTRUMENT_STATE_OPEN and needs_an_open_book(c, complex_):
        reason = REJECT_REASON_WRONG_PHASE
    if reason:
        return reason
    if complex_ != NULL and c.order_type == ORDER_TYPE_MARKET and complex_.amount_ticks_lots:
        reason = REJECT_REASON_BAD_QUANTITY if c.qty_lots else REJECT_REASON_NONE
    else:
        reason = quantity_reason(instrument, c.qty_lots)
    if reason:
        return reason
    if kind_behind(c.order_type) != ORDER_TYPE_LIMIT:
        return REJECT_REASON_BAD_PRICE if c.price_ticks != 0 else REJECT_REASON_NONE
    return limit_reason(s, c.instrument_id, c.price_ticks)


cdef inline bint needs_an_open_book(const NewOrder* c, const NewComplexOrder* complex_) noexcept nogil:
    """Rule 9.24: kinds of orders that only continuous trading takes."""
    if c.order_type == ORDER_TYPE_MARKET_TO_LIMIT or is_triggered(c.order_type):
        return True
    return complex_ != NULL and (complex_.min_qty_lots | complex_.protection_ticks | complex_.amount_ticks_lots
                                 | complex_.post_only_mode) != 0


cdef bint order_flags_are_bad(const NewOrder* c) noexcept nogil:
    """Rule 3.3, without padding."""
    cdef uint32_t flags = c.order_flags
    cdef bint passing = not may_rest(c.time_in_force)
    if flags & ~(<uint32_t> (ORDER_FLAGS_POST_ONLY | ORDER_FLAGS_KEEP_ON_DISCONNECT | ORDER_FLAGS_HIDDEN
                             | ORDER_FLAGS_ALL_OR_NONE | ORDER_FLAGS_REDUCE_ONLY)):
        return True
    if flags & ORDER_FLAGS_REDUCE_ONLY and not passing:
        return True
    if flags & (ORDER_FLAGS_POST_ONLY | ORDER_FLAGS_ALL_OR_NONE | ORDER_FLAGS_REDUCE_ONLY) and is_triggered(c.order_type):
        return True
    if flags & (ORDER_FLAGS_POST_ONLY | ORDER_FLAGS_HIDDEN) and (
            kind_behind(c.order_type) != ORDER_TYPE_LIMIT or passing):
        return True
    if flags & ORDER_FLAGS_ALL_OR_NONE and c.time_in_force != TIME_IN_FORCE_IOC:
        return True
    return c.expire_ts_ns != 0 and c.time_in_force != TIME_IN_FORCE_GTD


cdef uint8_t replace_order_reason(const State* s, const ReplaceOrder* c) noexcept nogil:
    """Rule 3.5 up to the price increment."""
    cdef uint8_t reason = trading_sender_reason(s, c.session_id, c.instrument_id)
    if reason:
        return reason
    cdef const Instrument* instrument = &s.instruments[c.instrument_id]
    if is_shut(instrument.state):
        return REJECT_REASON_INSTRUMENT_NOT_OPEN
    if c.order_flags & ~(<uint32_t> ORDER_FLAGS_POST_ONLY) or not all_zero(c.pad, sizeof(c.pad)):
        return REJECT_REASON_BAD_FLAGS
    reason = phase_reason(instrument, ORDER_TYPE_LIMIT, TIME_IN_FORCE_DAY, c.order_flags)
    if reason:
        return reason
    reason = quantity_reason(instrument, c.qty_lots)
    return reason if reason else limit_reason(s, c.instrument_id, c.price_ticks)


cdef uint8_t reduce_order_reason(const State* s, const ReduceOrder* c) noexcept nogil:
    """Rule 3.6 up to the quantity increment."""
    cdef uint8_t reason = REJECT_REASON_UNKNOWN_SESSION
    if c.session_id != 0:
        reason = enabled_sender_reason(s, c.session_id)
    if reason:
        return reason
    if not instrument_defined(s, c.instrument_id):
        return REJECT_REASON_UNKNOWN_INSTRUMENT
    if not all_zero(c.pad, sizeof(c.pad)) or not all_zero(c.pad2, sizeof(c.pad2)):
        return REJECT_REASON_BAD_FLAGS
    if c.qty_lots < 1:
        return REJECT_REASON_BAD_QUANTITY
    if c.qty_lots % s.instruments[c.instrument_id].qty_increment_lots:
        return REJECT_REASON_BAD_QUANTITY_INCREMENT
    return REJECT_REASON_NONE


cdef uint8_t cancel_order_reason(const State* s, const CancelOrder* c) noexcept nogil:
    """Rule 3.6; cancels of disabled senders are carried out (2.2)."""
    cdef uint8_t reason = known_sender_reason(s, c.session_id)
    if reason:
        return reason
    if not instrument_defined(s, c.instrument_id):
        return REJECT_REASON_UNKNOWN_INSTRUMENT
    if not all_zero(c.pad, sizeof(c.pad)) or not all_zero(c.pad2, sizeof(c.pad2)):
        return REJECT_REASON_BAD_FLAGS
    return REJECT_REASON_NONE


# --------------------------------------------------------------------------------------------------- parts

cdef uint8_t known_sender_reason(const State* s, uint32_t session_id) noexcept nogil:
    """UNKNOWN_SESSION unless the sender is the venue or a session defined."""
    if session_id == 0:
        return REJECT_REASON_NONE
    if session_id >= s.sessions_max or not s.sessions[session_id].gate & GATE_DEFINED:
        return REJECT_REASON_UNKNOWN_SESSION
    return REJECT_REASON_NONE


cdef uint8_t enabled_sender_reason(const State* s, uint32_t session_id) noexcept nogil:
    """Rule 2.2: the sender is the venue, or defined and enabled with its participant."""
    cdef uint8_t reason = known_sender_reason(s, session_id)
    if reason or session_id == 0:
        return reason
    cdef uint32_t gate = s.sessions[session_id].gate
    if not gate & GATE_SESSION:
        return REJECT_REASON_SESSION_DISABLED
    if not gate & GATE_PARTICIPANT:
        return REJECT_REASON_PARTICIPANT_DISABLED
    return REJECT_REASON_NONE


cdef uint8_t trading_sender_reason(const State* s, uint32_t session_id, uint32_t instrument_id) noexcept nogil:
    """Rules 2.1 to 2.3: who may enter and replace orders of the instrument."""
    cdef uint8_t reason = REJECT_REASON_UNKNOWN_SESSION
    if session_id != 0:
        reason = enabled_sender_reason(s, session_id)
    if reason:
        return reason
    if not instrument_defined(s, instrument_id):
        return REJECT_REASON_UNKNOWN_INSTRUMENT
    if not entitled_to_trade(s, s.sessions[session_id].participant_id, instrument_id):
        return REJECT_REASON_NOT_ENTITLED
    return REJECT_REASON_NONE


cdef bint entitled_to_trade(const State* s, uint32_t participant_id, uint32_t instrument_id) noexcept nogil:
    """Rule 2.3."""
    if explicit_entitlement(s, participant_id, instrument_id):
        return allowed_entitlement(s, participant_id, instrument_id)
    return s.participants[participant_id].permissions & PERMISSION_TRADE != 0


cdef bint account_usable(const State* s, uint32_t participant_id, uint32_t account_id) noexcept nogil:
    """Rule 2.4."""
    cdef const Account* account
    if account_id == 0:
        return True
    if account_id >= s.accounts_max:
        return False
    account = &s.accounts[account_id]
    return account.participant_id == participant_id and account.enabled


@cython.overflowcheck(False)
cdef uint8_t quantity_reason(const Instrument* instrument, int64_t qty_lots) noexcept nogil:
    if <uint64_t> qty_lots - <uint64_t> instrument.qty_min_lots > instrument.qty_range:
        return REJECT_REASON_BAD_QUANTITY
    if qty_lots % instrument.qty_increment_lots:
        return REJECT_REASON_BAD_QUANTITY_INCREMENT
    return REJECT_REASON_NONE


@cython.overflowcheck(False)
cdef uint8_t price_reason(const Instrument* instrument, int64_t price_ticks) noexcept nogil:
    if <uint64_t> price_ticks - <uint64_t> instrument.price_min_ticks > instrument.price_range:
        return REJECT_REASON_BAD_PRICE
    if price_ticks % instrument.price_increment_ticks:
        return REJECT_REASON_BAD_PRICE_INCREMENT
    return REJECT_REASON_NONE


cdef uint8_t limit_reason(const State* s, uint32_t instrument_id, int64_t price_ticks) noexcept nogil:
    """Range, increment, then what the phase asks of a limit."""
    cdef uint8_t reason = price_reason(&s.instruments[instrument_id], price_ticks)
    if reason == 0 and misses_the_close(s, instrument_id, price_ticks):
        reason = REJECT_REASON_NOT_CLOSING_PRICE
    return reason


cdef bint instrument_defined(const State* s, uint32_t instrument_id) noexcept nogil:
    return 0 < instrument_id < s.instruments_max and s.instruments[instrument_id].state != 0


cdef bint participant_defined(const State* s, uint32_t participant_id) noexcept nogil:
    return 0 < participant_id < s.participants_max and s.participants[participant_id].defined


cdef bint all_zero(const uint8_t* bytes_, int64_t count) noexcept nogil:
    """Whether padding is zero."""
    cdef int64_t i
    cdef uint8_t seen = 0
    for i in range(count):
        seen |= bytes_[i]
    return seen == 0
