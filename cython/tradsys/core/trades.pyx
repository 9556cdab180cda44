"""Matches that are kept, to be busted and corrected (rules 13.5 to 13.8)."""
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memset

from tradsys.core.answers cimport command_done, operator_reason, refuse
from tradsys.core.events cimport Command, event_begin, number_command
from tradsys.core.fees cimport charge_anew, write_charge
from tradsys.core.positions cimport reverse_match, rebook_match
from tradsys.core.risk_state cimport WATCHED
from tradsys.core.state cimport events_left, next_report_seq
from tradsys.core.validation cimport enabled_sender_reason, instrument_defined, price_reason
from tradsys.core.venue_state cimport (
    FOLLOW_TRADES, KEPT_BUSTED, KEPT_CHARGED, KEPT_COUNTED_INCOMING, KEPT_COUNTED_RESTING, TRADES_MAX)
from tradsys.wire.records cimport (
    EVENT_FLAGS_REVERSED, REJECT_REASON_BAD_DEFINITION, REJECT_REASON_TRADE_BUSTED, REJECT_REASON_UNKNOWN_INSTRUMENT,
    REJECT_REASON_UNKNOWN_TRADE, TEMPLATE_BUST_TRADE, TEMPLATE_CORRECT_TRADE, TEMPLATE_KEEP_TRADES,
    TEMPLATE_TRADE_BUSTED, TEMPLATE_TRADE_CORRECTED, TradeCorrected)

cdef enum:
    BUST_EVENTS = 3                     # CommandDone, what became of the match, its fees


# --------------------------------------------------------------------------------------------------- keeping

cdef KeptTrade* kept_trade(const State* s, uint32_t age) noexcept nogil:
    return &s.venue.trades[(s.venue.trades_first + age) % s.venue.trades_kept]


cdef void keep_trade(State* s, const OrderExecuted* match, const Charge* charge) noexcept nogil:
    cdef KeptTrade* kept
    if s.venue.trades_count == s.venue.trades_kept:
        s.venue.trades_first = (s.venue.trades_first + 1) % s.venue.trades_kept
        s.venue.trades_count -= 1
    kept = kept_trade(s, s.venue.trades_count)
    s.venue.trades_count += 1
    kept.match = match[0]
    kept.price_ticks = match.price_ticks
    kept.resting_fee = charge.resting_fee
    kept.incoming_fee = charge.incoming_fee
    kept.flags = KEPT_CHARGED if charge.is_due else 0
    kept.spare = 0
    if s.risk.watch[s.sessions[match.resting_session_id].participant_id] & WATCHED:
        kept.flags |= KEPT_COUNTED_RESTING
    if s.risk.watch[s.sessions[match.incoming_session_id].participant_id] & WATCHED:
        kept.flags |= KEPT_COUNTED_INCOMING


cdef KeptTrade* find_trade(const State* s, uint64_t match_seq) noexcept nogil:
    """The kept match of a number, or NULL: their numbers rise."""
    cdef uint32_t low = 0, high = s.venue.trades_count, middle
    while low < high:
        middle = low + (high - low) // 2
        if kept_trade(s, middle).match.seq < match_seq:
            low = middle + 1
        else:
            high = middle
    if low == s.venue.trades_count or kept_trade(s, low).match.seq != match_seq:
        return NULL
    return kept_trade(s, low)


cdef void reverse_trades(State* s, uint32_t begin, uint32_t end) noexcept nogil:
    """Turn a run of places round."""
    cdef KeptTrade other
    while begin + 1 < end:
        end -= 1
        other = s.venue.trades[begin]
        s.venue.trades[begin] = s.venue.trades[end]
        s.venue.trades[end] = other
        begin += 1


cdef int keep_trades(State* s, const KeepTrades* c) except -1 nogil:
    """Rule 13.5: the newest of those kept stay, from the first place on."""
    cdef const Command* command = <const Command*> c
    cdef uint32_t i, gone = 0
    cdef uint8_t reason = enabled_sender_reason(s, c.session_id)
    if reason == 0:
        reason = operator_reason(s, c.session_id, (<const uint32_t*> c.pad)[0] == 0)
    if reason == 0 and c.kept_count > <uint32_t> TRADES_MAX:
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_KEEP_TRADES, reason, 0, c.client_ref)
    number_command(s, command)
    if s.venue.trades_first:            # then the places are full
        reverse_trades(s, 0, s.venue.trades_first)
        reverse_trades(s, s.venue.trades_first, s.venue.trades_kept)
        reverse_trades(s, 0, s.venue.trades_kept)
    if s.venue.trades_count > c.kept_count:
        gone = s.venue.trades_count - c.kept_count
        s.venue.trades_count = c.kept_count
        for i in range(s.venue.trades_count):
            s.venue.trades[i] = s.venue.trades[i + gone]
    s.venue.trades_first = 0
    s.venue.trades_kept = c.kept_count
    if c.kept_count:
        s.venue.follows |= FOLLOW_TRADES
    else:
        s.venue.follows &= ~(<uint32_t> FOLLOW_TRADES)
    command_done(s, command, TEMPLATE_KEEP_TRADES, c.client_ref)
    return 1


# --------------------------------------------------------------------------------------------------- bust, correct

cdef uint8_t trade_reason(const State* s, uint32_t session_id, uint32_t instrument_id, bint padding_zero,
                          const KeptTrade* kept) noexcept nogil:
    """Rule 13.6."""
    cdef uint8_t reason = enabled_sender_reason(s, session_id)
    if reason == 0 and not instrument_defined(s, instrument_id):
        reason = REJECT_REASON_UNKNOWN_INSTRUMENT
    if reason == 0:
        reason = operator_reason(s, session_id, padding_zero)
    if reason:
        return reason
    if kept == NULL or kept.match.instrument_id != instrument_id:
        return REJECT_REASON_UNKNOWN_TRADE
    return REJECT_REASON_TRADE_BUSTED if kept.flags & KEPT_BUSTED else 0


cdef int bust_trade(State* s, const BustTrade* c) except -1 nogil:
    """Rules 13.6 and 13.7."""
    cdef const Command* command = <const Command*> c
    cdef KeptTrade* kept = find_trade(s, c.match_seq)
    cdef Charge nothing
    cdef uint8_t reason = trade_reason(s, c.session_id, c.instrument_id, (<const uint32_t*> c.pad)[0] == 0, kept)
    if reason:
        return refuse(s, command, TEMPLATE_BUST_TRADE, reason, c.instrument_id, c.client_ref)
    if events_left(s) < BUST_EVENTS:
        return 0
    number_command(s, command)
    command_done(s, command, TEMPLATE_BUST_TRADE, c.client_ref).instrument_id = c.instrument_id
    write_trade_changed(s, command, TEMPLATE_TRADE_BUSTED, kept, kept.price_ticks)
    book(s, kept, kept.price_ticks, True)
    nothing.resting_fee = nothing.incoming_fee = 0
    charge_again(s, command, kept, &nothing)
    kept.flags |= KEPT_BUSTED
    return 1


cdef int correct_trade(State* s, const CorrectTrade* c) except -1 nogil:
    """Rules 13.6 and 13.8."""
    cdef const Command* command = <const Command*> c
    cdef KeptTrade* kept = find_trade(s, c.match_seq)
    cdef Charge charge
    cdef uint8_t reason = trade_reason(s, c.session_id, c.instrument_id, (<const uint32_t*> c.pad)[0] == 0, kept)
    if reason == 0:
        reason = price_reason(&s.instruments[c.instrument_id], c.price_ticks)
    if reason:
        return refuse(s, command, TEMPLATE_CORRECT_TRADE, reason, c.instrument_id, c.client_ref)
    if events_left(s) < BUST_EVENTS:
        return 0
    number_command(s, command)
    command_done(s, command, TEMPLATE_CORRECT_TRADE, c.client_ref).instrument_id = c.instrument_id
    write_trade_changed(s, command, TEMPLATE_TRADE_CORRECTED, kept, c.price_ticks)
    book(s, kept, kept.price_ticks, True)
    book(s, kept, c.price_ticks, False)
    kept.price_ticks = c.price_ticks
    charge_anew(s, &kept.match, c.price_ticks, &charge)
    return charge_again(s, command, kept, &charge)


cdef int book(State* s, const KeptTrade* kept, int64_t price_ticks, bint reversed_) except -1 nogil:
    """Book the match in the positions that count it, or take it out of them."""
    cdef const OrderExecuted* match = &kept.match
    cdef uint32_t resting_id = s.sessions[match.resting_session_id].participant_id
    cdef uint32_t incoming_id = s.sessions[match.incoming_session_id].participant_id
    if kept.flags & KEPT_COUNTED_RESTING:
        if reversed_:
            reverse_match(s, resting_id, match.resting_account_id, match.instrument_id, 3 - match.incoming_side,
                          match.qty_lots, price_ticks)
        else:
            rebook_match(s, resting_id, match.resting_account_id, match.instrument_id, 3 - match.incoming_side,
                         match.qty_lots, price_ticks)
    if kept.flags & KEPT_COUNTED_INCOMING:
        if reversed_:
            reverse_match(s, incoming_id, match.incoming_account_id, match.instrument_id, match.incoming_side,
                          match.qty_lots, price_ticks)
        else:
            rebook_match(s, incoming_id, match.incoming_account_id, match.instrument_id, match.incoming_side,
                         match.qty_lots, price_ticks)
    return 0


cdef int charge_again(State* s, const Command* c, KeptTrade* kept, const Charge* charge) except -1 nogil:
    """Charge the difference to other fees (15.8)."""
    cdef Charge difference
    if not kept.flags & KEPT_CHARGED:
        return 1
    difference.resting_fee = charge.resting_fee - kept.resting_fee
    difference.incoming_fee = charge.incoming_fee - kept.incoming_fee
    difference.is_due = True
    kept.resting_fee = charge.resting_fee
    kept.incoming_fee = charge.incoming_fee
    if difference.resting_fee or difference.incoming_fee:
        write_charge(s, &kept.match, &difference, c.ts_ns, kept.match.event_flags | <uint32_t> EVENT_FLAGS_REVERSED,
                     kept.flags & KEPT_COUNTED_RESTING, kept.flags & KEPT_COUNTED_INCOMING)
    return 1


cdef void write_trade_changed(State* s, const Command* c, uint32_t template_id, const KeptTrade* kept,
                              int64_t price_ticks) noexcept nogil:
    """TradeBusted or TradeCorrected; both have the same fields."""
    cdef TradeCorrected* e = <TradeCorrected*> event_begin(s, template_id, c.ts_ns)
    cdef const OrderExecuted* match = &kept.match
    memset(&e.resting_order_id, 0, sizeof(TradeCorrected) - 32)
    e.resting_order_id = match.resting_order_id
    e.resting_client_ref = match.resting_client_ref
    e.price_ticks = price_ticks
    e.qty_lots = match.qty_lots
    e.match_seq = match.seq
    e.instrument_id = match.instrument_id
    e.resting_session_id = match.resting_session_id
    e.resting_account_id = match.resting_account_id
    e.resting_report_seq = next_report_seq(s, match.resting_session_id)
    e.incoming_order_id = match.incoming_order_id
    e.incoming_client_ref = match.incoming_client_ref
    e.price_before_ticks = kept.price_ticks
    e.incoming_session_id = match.incoming_session_id
    e.incoming_account_id = match.incoming_account_id
    e.incoming_report_seq = next_report_seq(s, match.incoming_session_id)
    e.incoming_side = match.incoming_side
    e.event_flags = match.event_flags
