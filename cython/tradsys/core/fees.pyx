"""Fees: schedules, and what each match costs its parties (section 15 of the rule book)."""
cimport cython
from libc.stdint cimport int8_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from tradsys.core.answers cimport command_done, operator_reason, refuse, sender_and_participant_reason
from tradsys.core.events cimport Command, event_begin, number_command
from tradsys.core.order cimport slot_of
from tradsys.core.positions cimport find_position, holder_of, levels_of
from tradsys.core.risk_state cimport WATCHED, Position, wide
from tradsys.core.state cimport Instrument, next_report_seq
from tradsys.core.validation cimport all_zero, enabled_sender_reason, instrument_defined
from tradsys.core.venue_state cimport FEE_CLASSES, FOLLOW_FEES, FeeSchedule, InstrumentFees, OrderFees
from tradsys.wire.records cimport (
    EVENT_FLAGS_AUCTION, REJECT_REASON_ALREADY_DEFINED, REJECT_REASON_BAD_DEFINITION,
    REJECT_REASON_UNKNOWN_INSTRUMENT, TEMPLATE_FEE_CHARGED, TEMPLATE_SET_FEE_CLASS, TEMPLATE_SET_FEE_SCHEDULE,
    CommandDone, FeeCharged)

cdef extern from * nogil:
    """
    #define TRADSYS_FEE_MAX ((int64_t) 1 << 60)
    #define TRADSYS_OWED_MAX ((int64_t) 1 << 61)
    static inline __int128 tradsys_ten_to(uint32_t zeros)
    {
        __int128 power = 1;
        while (zeros--) power *= 10;
        return power;
    }
    /* rate, in 10^-7 of |price| x lots, to the nearest unit, halves away from 0; plus per_lot x lots; within +-2^60 */
    static inline int64_t tradsys_fee(int64_t price, int64_t lots, int64_t rate, int64_t per_lot, int64_t numerator,
                                      uint32_t zeros)
    {
        unsigned __int128 value = (unsigned __int128) (price < 0 ? -price : price) * (uint64_t) lots, whole;
        __int128 parts;
        if (value > INT64_MAX) value = INT64_MAX;
        whole = value * (uint64_t) (rate < 0 ? -rate : rate) * (uint64_t) numerator;
        if (whole < (unsigned __int128) 1 << 62 && zeros < 11) {    /* as a rule: the long division is slow */
            uint64_t ten = (uint64_t) tradsys_ten_to(7 + zeros);
            whole = ((uint64_t) whole + ten / 2) / ten;
        } else {
            unsigned __int128 ten = tradsys_ten_to(7 + zeros);
            whole = (whole + ten / 2) / ten;
        }
        parts = rate < 0 ? -(__int128) whole : (__int128) whole;
        parts += (__int128) per_lot * lots;
        if (parts > TRADSYS_FEE_MAX) return TRADSYS_FEE_MAX;
        return parts < -TRADSYS_FEE_MAX ? -TRADSYS_FEE_MAX : (int64_t) parts;
    }
    static inline int64_t tradsys_owed(int64_t owed, int64_t amount)
    {
        int64_t sum = owed + amount;
        return sum > TRADSYS_OWED_MAX ? TRADSYS_OWED_MAX : sum < -TRADSYS_OWED_MAX ? -TRADSYS_OWED_MAX : sum;
    }
    /* tick_mantissa x lot_mantissa x 10^shift below 2^39, or 0 */
    static inline int64_t tradsys_numerator(int64_t tick, int64_t lot, int shift)
    {
        __int128 product = (__int128) tick * lot;
        for (; shift > 0 && product < ((__int128) 1 << 39); shift--) product *= 10;
        return product < ((__int128) 1 << 39) ? (int64_t) product : 0;
    }
    /* value of fees in ticks x lots, rounded up; a sum beyond +-2^60 counts as that */
    static inline __int128 tradsys_fee_value(__int128 units, int64_t numerator, uint32_t zeros)
    {
        __int128 whole, rest;
        if (units > TRADSYS_FEE_MAX) units = TRADSYS_FEE_MAX;
        if (units < -TRADSYS_FEE_MAX) units = -TRADSYS_FEE_MAX;
        units *= tradsys_ten_to(zeros);
        whole = units / numerator;
        rest = units % numerator;
        return rest > 0 ? whole + 1 : whole;
    }
    """
    int64_t tradsys_fee(int64_t price, int64_t lots, int64_t rate, int64_t per_lot, int64_t numerator, uint32_t zeros)
    int64_t tradsys_owed(int64_t owed, int64_t amount)
    int64_t tradsys_numerator(int64_t tick, int64_t lot, int shift)
    wide tradsys_fee_value(wide units, int64_t numerator, uint32_t zeros)

cdef enum:
    RATE_MAX = 10_000_000               # the whole value
    SIZE_LIMIT = 0x1000000000000000     # amounts are below, 2^60
    ZEROS_MAX = 18


# --------------------------------------------------------------------------------------------------- commands

cdef int set_fee_schedule(State* s, const SetFeeSchedule* c) except -1 nogil:
    """Rule 15.1."""
    cdef const Command* command = <const Command*> c
    cdef InstrumentFees* fees
    cdef FeeSchedule* schedule
    cdef uint8_t reason = enabled_sender_reason(s, c.session_id)
    if reason == 0 and not instrument_defined(s, c.instrument_id):
        reason = REJECT_REASON_UNKNOWN_INSTRUMENT
    if reason == 0:
        reason = operator_reason(s, c.session_id, c.pad == 0)
    if reason == 0 and not (numbers_hold(c) and unit_of(&s.instruments[c.instrument_id], c.fee_exponent, NULL)):
        reason = REJECT_REASON_BAD_DEFINITION
    if reason == 0:
        fees = &s.venue.instrument_fees[c.instrument_id]
        if fees.is_set and fees.exponent != c.fee_exponent:
            reason = REJECT_REASON_ALREADY_DEFINED
    if reason:
        return refuse(s, command, TEMPLATE_SET_FEE_SCHEDULE, reason, c.instrument_id, c.client_ref)
    number_command(s, command)
    unit_of(&s.instruments[c.instrument_id], c.fee_exponent, fees)
    schedule = &s.venue.schedules[c.instrument_id * FEE_CLASSES + c.fee_class]
    if schedule.is_on:
        fees.schedules -= 1
    if c.is_on:
        fees.schedules += 1
    memset(schedule, 0, sizeof(FeeSchedule))
    if c.is_on:
        take_schedule(schedule, c)
    derive_fees(s)
    command_done(s, command, TEMPLATE_SET_FEE_SCHEDULE, c.client_ref).instrument_id = c.instrument_id
    return 1


cdef bint numbers_hold(const SetFeeSchedule* c) noexcept nogil:
    """The numbers of rule 15.1, the unit aside."""
    cdef const int64_t* rates = &c.maker_rate_e7
    cdef const int64_t* amounts = &c.maker_per_lot
    cdef int i
    if c.fee_class >= FEE_CLASSES or c.is_on > 1:
        return False
    for i in range(3):
        if rates[i] < -<int64_t> RATE_MAX or rates[i] > <int64_t> RATE_MAX:
            return False
        if amounts[i] <= -<int64_t> SIZE_LIMIT or amounts[i] >= <int64_t> SIZE_LIMIT:
            return False
    if c.order_fee_min < 0 or c.order_fee_min >= <int64_t> SIZE_LIMIT or c.order_fee_max >= <int64_t> SIZE_LIMIT:
        return False
    return c.order_fee_max == 0 or c.order_fee_max >= c.order_fee_min


cdef bint unit_of(const Instrument* instrument, int8_t exponent, InstrumentFees* fees) noexcept nogil:
    """Whether a tick x lot can be told in units of 10^exponent of the currency; `fees` receives how, if given."""
    cdef int shift = <int> instrument.tick_exponent + instrument.lot_exponent - exponent
    cdef int64_t numerator = tradsys_numerator(instrument.tick_mantissa, instrument.lot_mantissa, shift)
    if exponent < -ZEROS_MAX or exponent > 0 or shift < -ZEROS_MAX or numerator == 0:
        return False
    if fees != NULL:
        fees.is_set = 1
        fees.exponent = exponent
        fees.numerator = numerator
        fees.zeros = <uint8_t> (-shift if shift < 0 else 0)
    return True


cdef void take_schedule(FeeSchedule* schedule, const SetFeeSchedule* c) noexcept nogil:
    schedule.is_on = 1
    schedule.maker_rate_e7 = c.maker_rate_e7
    schedule.taker_rate_e7 = c.taker_rate_e7
    schedule.auction_rate_e7 = c.auction_rate_e7
    schedule.maker_per_lot = c.maker_per_lot
    schedule.taker_per_lot = c.taker_per_lot
    schedule.auction_per_lot = c.auction_per_lot
    schedule.order_fee_min = c.order_fee_min
    schedule.order_fee_max = c.order_fee_max


cdef void derive_fees(State* s) noexcept nogil:
    """Whether matches have to be looked at for fees."""
    cdef uint32_t i
    cdef uint64_t schedules = 0
    for i in range(1, s.instruments_max):
        schedules += s.venue.instrument_fees[i].schedules
    s.venue.follows = s.venue.follows & ~(<uint32_t> FOLLOW_FEES) | (FOLLOW_FEES if schedules else 0)


cdef int set_fee_class(State* s, const SetFeeClass* c) except -1 nogil:
    """Rule 15.2."""
    cdef const Command* command = <const Command*> c
    cdef CommandDone* done
    cdef uint8_t reason = sender_and_participant_reason(s, c.session_id, c.participant_id)
    if reason == 0:
        reason = operator_reason(s, c.session_id, all_zero(c.pad, sizeof(c.pad)))
    if reason == 0 and c.fee_class >= FEE_CLASSES:
        reason = REJECT_REASON_BAD_DEFINITION
    if reason:
        return refuse(s, command, TEMPLATE_SET_FEE_CLASS, reason, 0, c.client_ref)
    number_command(s, command)
    s.participants[c.participant_id].fee_class = c.fee_class
    done = command_done(s, command, TEMPLATE_SET_FEE_CLASS, c.client_ref)
    done.participant_id = c.participant_id
    return 1


# --------------------------------------------------------------------------------------------------- matches

cdef inline const FeeSchedule* schedule_of(const State* s, uint32_t instrument_id, uint32_t session_id) noexcept nogil:
    """The schedule a session's party pays by (15.3), or NULL."""
    cdef const FeeSchedule* all_classes = &s.venue.schedules[instrument_id * FEE_CLASSES]
    cdef uint32_t fee_class = s.participants[s.sessions[session_id].participant_id].fee_class
    if all_classes[fee_class].is_on:
        return &all_classes[fee_class]
    return all_classes if all_classes[0].is_on else NULL


cdef inline int64_t amount_of(const State* s, const FeeSchedule* schedule, const OrderExecuted* match, bint is_resting,
                              int64_t price_ticks) noexcept nogil:
    """What a party's schedule asks for a match (15.4)."""
    cdef const InstrumentFees* fees = &s.venue.instrument_fees[match.instrument_id]
    cdef int64_t rate, per_lot
    if match.event_flags & EVENT_FLAGS_AUCTION:
        rate = schedule.auction_rate_e7
        per_lot = schedule.auction_per_lot
    elif is_resting:
        rate = schedule.maker_rate_e7
        per_lot = schedule.maker_per_lot
    else:
        rate = schedule.taker_rate_e7
        per_lot = schedule.taker_per_lot
    return tradsys_fee(price_ticks, match.qty_lots, rate, per_lot, fees.numerator, fees.zeros)


cdef int64_t charge_order(State* s, const FeeSchedule* schedule, uint64_t order_id, int64_t amount) noexcept nogil:
    """What a match brings an order's charge to (15.5): the difference."""
    cdef OrderFees* order = &s.venue.order_fees[slot_of(order_id)]
    cdef int64_t charged = 0
    if order.order_id != order_id:
        order.order_id = order_id
        order.owed = order.charged = 0
    charged = order.charged
    order.owed = tradsys_owed(order.owed, amount)
    order.charged = order.owed
    if order.owed > 0:
        if order.charged < schedule.order_fee_min:
            order.charged = schedule.order_fee_min
        if schedule.order_fee_max and order.charged > schedule.order_fee_max:
            order.charged = schedule.order_fee_max
    s.venue.fees_charged = 1
    return order.charged - charged


cdef int charge_match(State* s, const OrderExecuted* match, Charge* charge) except -1 nogil:
    """Rules 15.3 to 15.6."""
    cdef const FeeSchedule* schedule
    charge.resting_fee = charge.incoming_fee = 0
    charge.is_due = False
    if s.venue.instrument_fees[match.instrument_id].schedules == 0:
        return 0
    schedule = schedule_of(s, match.instrument_id, match.resting_session_id)
    if schedule != NULL:
        charge.is_due = True
        charge.resting_fee = charge_order(s, schedule, match.resting_order_id,
                                          amount_of(s, schedule, match, True, match.price_ticks))
    schedule = schedule_of(s, match.instrument_id, match.incoming_session_id)
    if schedule != NULL:
        charge.is_due = True
        charge.incoming_fee = charge_order(s, schedule, match.incoming_order_id,
                                           amount_of(s, schedule, match, False, match.price_ticks))
    if charge.is_due:
        write_charge(s, match, charge, match.ts_ns, match.event_flags, True, True)
    return 0


cdef void charge_anew(const State* s, const OrderExecuted* match, int64_t price_ticks, Charge* charge) noexcept nogil:
    cdef const FeeSchedule* schedule = schedule_of(s, match.instrument_id, match.resting_session_id)
    charge.is_due = True
    charge.resting_fee = charge.incoming_fee = 0
    if schedule != NULL:
        charge.resting_fee = amount_of(s, schedule, match, True, price_ticks)
    schedule = schedule_of(s, match.instrument_id, match.incoming_session_id)
    if schedule != NULL:
        charge.incoming_fee = amount_of(s, schedule, match, False, price_ticks)


cdef int write_charge(State* s, const OrderExecuted* match, const Charge* charge, int64_t ts_ns, uint32_t event_flags,
                      bint counts_resting, bint counts_incoming) except -1 nogil:
    if counts_resting:
        book_fee(s, match.resting_session_id, match.resting_account_id, match.instrument_id, charge.resting_fee)
    if counts_incoming:
        book_fee(s, match.incoming_session_id, match.incoming_account_id, match.instrument_id, charge.incoming_fee)
    write_fee_charged(s, match, charge, ts_ns, event_flags)
    return 0


@cython.overflowcheck(False)
cdef int book_fee(State* s, uint32_t session_id, uint32_t account_id, uint32_t instrument_id, int64_t fee) except -1 nogil:
    """Count a fee of a watched participant (15.7)."""
    cdef uint64_t keys[3]
    cdef uint32_t participant_id = s.sessions[session_id].participant_id
    cdef const InstrumentFees* fees = &s.venue.instrument_fees[instrument_id]
    cdef Position* record
    cdef wide value
    cdef uint32_t count, i
    if fee == 0 or not s.risk.watch[participant_id] & WATCHED:
        return 0
    count = levels_of(s, participant_id, account_id, keys)
    record = find_position(s, keys[0] | instrument_id)
    assert record != NULL, "whoever has matched has a record"
    value = tradsys_fee_value(record.fees, fees.numerator, fees.zeros)
    value = tradsys_fee_value(record.fees + fee, fees.numerator, fees.zeros) - value
    for i in range(count):
        record = find_position(s, keys[i] | instrument_id)
        assert record != NULL
        record.fees += fee
        holder_of(s, <uint32_t> (keys[i] >> 40), <uint32_t> (keys[i] >> 16 & 0xFFFFFF)).realised_value -= value
    return 0


cdef void write_fee_charged(State* s, const OrderExecuted* match, const Charge* charge, int64_t ts_ns,
                            uint32_t event_flags) noexcept nogil:
    cdef FeeCharged* e = <FeeCharged*> event_begin(s, TEMPLATE_FEE_CHARGED, ts_ns)
    memset(&e.resting_order_id, 0, sizeof(FeeCharged) - 32)
    e.resting_order_id = match.resting_order_id
    e.resting_client_ref = match.resting_client_ref
    e.match_seq = match.seq
    e.fee_exponent = s.venue.instrument_fees[match.instrument_id].exponent
    e.resting_fee_class = s.participants[s.sessions[match.resting_session_id].participant_id].fee_class
    e.incoming_fee_class = s.participants[s.sessions[match.incoming_session_id].participant_id].fee_class
    e.resting_fee = charge.resting_fee
    e.instrument_id = match.instrument_id
    e.resting_session_id = match.resting_session_id
    e.resting_account_id = match.resting_account_id
    e.resting_report_seq = next_report_seq(s, match.resting_session_id)
    e.incoming_order_id = match.incoming_order_id
    e.incoming_client_ref = match.incoming_client_ref
    e.incoming_fee = charge.incoming_fee
    e.incoming_session_id = match.incoming_session_id
    e.incoming_account_id = match.incoming_account_id
    e.incoming_report_seq = next_report_seq(s, match.incoming_session_id)
    e.incoming_side = match.incoming_side
    e.event_flags = <uint16_t> event_flags
