"""Terms of orders, read and written (fix_specs/RULES_OF_ENGAGEMENT.md sections 5.4 to 5.12)."""
from libc.stdint cimport INT64_MAX, int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from tradsys.core.state cimport Instrument
from tradsys.gateways.fix_orders cimport FixOrder, FixTerms
from tradsys.gateways.fix_request cimport (
    TERM_CASH, TERM_DISPLAY, TERM_DISPLAY_LOW, TERM_EXPIRE_DATE, TERM_EXPIRE_TIME, TERM_MIN_QTY, TERM_OFFSET,
    TERM_OFFSET_TYPE, TERM_POST_ONLY_MODE, TERM_POST_ONLY_TICKS, TERM_PROTECTION, TERM_SELF_TRADE, TERM_STOP,
    TERM_TRIGGER_TYPE, TYPE_REPLACE, FixRequest, has_term, parse_day_end, parse_time,
)
from tradsys.gateways.fix_text cimport (
    EXPONENT_MIN, SOH, parse_units, parse_whole, put_char_field, put_tag, put_time, put_units, put_whole_field,
)
from tradsys.gateways.frames cimport write_header
from tradsys.wire.records cimport (
    BLOCK_NEW_COMPLEX_ORDER, BLOCK_NEW_ORDER, NewComplexOrder, ORDER_FLAGS_ALL_OR_NONE, ORDER_FLAGS_COMPLEX,
    ORDER_FLAGS_HIDDEN, ORDER_FLAGS_KEEP_ON_DISCONNECT, ORDER_FLAGS_POST_ONLY, ORDER_FLAGS_REDUCE_ONLY, ORDER_TYPE_LIMIT,
    ORDER_TYPE_LIMIT_IF_TOUCHED, ORDER_TYPE_MARKET, ORDER_TYPE_MARKET_IF_TOUCHED, ORDER_TYPE_MARKET_TO_LIMIT,
    ORDER_TYPE_STOP, ORDER_TYPE_STOP_LIMIT, ORDER_TYPE_TRAILING_STOP, ORDER_TYPE_TRAILING_STOP_LIMIT, OrderAccepted,
    OrderTermsSet, POST_ONLY_MODE_PASSIVE_TICKS, POST_ONLY_MODE_SLIDE, REJECT_REASON_BAD_FLAGS,
    REJECT_REASON_BAD_ORDER_TYPE, REJECT_REASON_BAD_PRICE, REJECT_REASON_BAD_PRICE_INCREMENT,
    REJECT_REASON_BAD_QUANTITY, REJECT_REASON_BAD_TERMS, REJECT_REASON_BAD_TIME_IN_FORCE, REJECT_REASON_BAD_TRIGGER,
    SIDE_BUY, SIZE_NEW_COMPLEX_ORDER, SIZE_NEW_ORDER, TEMPLATE_NEW_COMPLEX_ORDER, TEMPLATE_NEW_ORDER,
    TIME_IN_FORCE_AT_CLOSE, TIME_IN_FORCE_AT_OPEN, TIME_IN_FORCE_DAY, TIME_IN_FORCE_FOK,
    TIME_IN_FORCE_GOOD_FOR_AUCTION, TIME_IN_FORCE_GTC, TIME_IN_FORCE_GTD, TIME_IN_FORCE_GTX, TIME_IN_FORCE_IOC,
    TRAIL_UNIT_BASIS_POINTS, TRAIL_UNIT_TICKS, TRIGGER_SOURCE_BID_ASK, TRIGGER_SOURCE_LAST, TRIGGER_SOURCE_MARK,
)

cdef enum:
    TIMES_IN_FORCE = 10
    KINDS = 11
    MODES = 8
    UNIT_MAX = 1_000_000_000    # of the amount of a lot at a price of a tick, in its last digit

cdef const char* times_in_force = b"?0134627B5"   # 59 of each TimeInForce
cdef const char* order_types = b"?21K34PPJJ?"     # 40 of each OrderType
cdef const char* self_trades = b"?ANOBDRT"        # 7928 of each StpMode


cdef uint8_t time_in_force_of(uint8_t letter) noexcept nogil:
    """TimeInForce of a value of tag 59 that a plain order may have; 0: none."""
    if letter == c"0":
        return TIME_IN_FORCE_DAY
    if letter == c"1":
        return TIME_IN_FORCE_GTC
    if letter == c"2":
        return TIME_IN_FORCE_AT_OPEN
    if letter == c"3":
        return TIME_IN_FORCE_IOC
    if letter == c"4":
        return TIME_IN_FORCE_FOK
    if letter == c"5":
        return TIME_IN_FORCE_GTX
    if letter == c"7":
        return TIME_IN_FORCE_AT_CLOSE
    return TIME_IN_FORCE_GOOD_FOR_AUCTION if letter == c"B" else 0


cdef int read_terms(FixOrder* terms, FixTerms* special, const FixRequest* request, const Instrument* instrument,
                    const char** sentence) noexcept nogil:
    cdef uint8_t letter = request.ord_type.data[0] if request.ord_type.data != NULL else 0
    terms.order_type = ORDER_TYPE_LIMIT if letter == c"2" else ORDER_TYPE_MARKET if letter == c"1" else 0
    terms.time_in_force = time_in_force_of(request.time_in_force.data[0] if request.time_in_force.data != NULL else c"0")
    if request.asked or request.unsupported_tag or terms.order_type == 0 or terms.time_in_force == 0:
        return read_special(terms, special, request, instrument, sentence)
    if request.exec_inst.data != NULL:
        if request.exec_inst.size != 1 or request.exec_inst.data[0] != c"6":
            return read_special(terms, special, request, instrument, sentence)
        terms.order_flags = ORDER_FLAGS_POST_ONLY
    return _read_amounts(terms, request, instrument, sentence)


cdef int _read_amounts(FixOrder* terms, const FixRequest* request, const Instrument* instrument,
                       const char** sentence) noexcept nogil:
    """OrderQty and Price. A replace may give any order a limit: what kind it is now the engine knows."""
    if parse_units(request.qty, instrument.lot_mantissa, instrument.lot_exponent, &terms.qty_lots):
        sentence[0] = b"OrderQty is missing or not a whole number of lots"
        return REJECT_REASON_BAD_QUANTITY
    if (request.price.data != NULL) != _has_limit(terms.order_type) and not (
            request.price.data != NULL and request.msg_type == TYPE_REPLACE):
        sentence[0] = b"a limit order has a Price, a market order has none"
        return REJECT_REASON_BAD_PRICE
    return _read_price(terms, request, instrument, sentence)


cdef inline int _read_price(FixOrder* terms, const FixRequest* request, const Instrument* instrument,
                            const char** sentence) noexcept nogil:
    if request.price.data != NULL and parse_units(
            request.price, instrument.tick_mantissa, instrument.tick_exponent, &terms.price_ticks):
        sentence[0] = b"Price is not a whole number of ticks"
        return REJECT_REASON_BAD_PRICE_INCREMENT
    return 0


cdef inline bint _has_limit(uint8_t kind) noexcept nogil:
    return (kind == ORDER_TYPE_LIMIT or kind == ORDER_TYPE_STOP_LIMIT or kind == ORDER_TYPE_TRAILING_STOP_LIMIT
            or kind == ORDER_TYPE_LIMIT_IF_TOUCHED)


# ------------------------------------------------------------------------------------------ reading special orders

cdef int read_special(FixOrder* terms, FixTerms* special, const FixRequest* request, const Instrument* instrument,
                      const char** sentence) noexcept nogil:
    """Whatever is not a plain order; filled as far as it went when there is a refusal."""
    cdef bint trails = False
    cdef int reason
    memset(special, 0, sizeof(FixTerms))
    terms.has_terms = 1
    reason = _read_instructions(terms, special, request, &trails, sentence)
    if reason == 0:
        reason = _read_kind(terms, request, trails, sentence)
    if reason == 0:
        reason = _read_end(terms, special, request, sentence)
    if reason == 0:
        reason = _read_quantities(terms, special, request, instrument, sentence)
    if reason == 0:
        reason = _read_trigger(terms, special, request, instrument, sentence)
    if reason == 0:
        reason = _read_ticks(special, request, sentence)
    return reason


cdef int _read_instructions(FixOrder* terms, FixTerms* special, const FixRequest* request, bint* trails,
                            const char** sentence) noexcept nogil:
    """ExecInst: words of one character with one space between; SelfTradeType and PostOnlyMode."""
    cdef int32_t i
    cdef int flag, mode
    cdef uint8_t letter
    terms.order_flags = 0
    for i in range(request.exec_inst.size if request.exec_inst.data != NULL else 0):
        letter = request.exec_inst.data[i]
        if i % 2:
            flag = 1 if letter == c" " and i + 1 < request.exec_inst.size else 0
        elif letter == c"a":
            flag = not trails[0]
            trails[0] = True
        else:
            flag = (ORDER_FLAGS_POST_ONLY if letter == c"6" else ORDER_FLAGS_ALL_OR_NONE if letter == c"G"
                    else ORDER_FLAGS_REDUCE_ONLY if letter == c"E" else ORDER_FLAGS_KEEP_ON_DISCONNECT if letter == c"H"
                    else 0)
            if terms.order_flags & flag:
                flag = 0
            terms.order_flags |= flag
        if flag == 0:
            sentence[0] = b"ExecInst must be of 6, G, E, H and a, each once, with one space between"
            return REJECT_REASON_BAD_FLAGS
    if has_term(request, TERM_SELF_TRADE):
        for mode in range(1, MODES):
            if request.terms[TERM_SELF_TRADE].data[0] == <uint8_t> self_trades[mode]:
                special.stp_mode = <uint8_t> mode
    if has_term(request, TERM_POST_ONLY_MODE):
        letter = request.terms[TERM_POST_ONLY_MODE].data[0]
        special.post_only_mode = (POST_ONLY_MODE_SLIDE if letter == c"S" else POST_ONLY_MODE_PASSIVE_TICKS if letter == c"P"
                                  else 0)
        if special.post_only_mode and not terms.order_flags & ORDER_FLAGS_POST_ONLY:
            sentence[0] = b"PostOnlyMode is for ExecInst 6"
            return REJECT_REASON_BAD_TERMS
    return 0


cdef int _read_kind(FixOrder* terms, const FixRequest* request, bint trails, const char** sentence) noexcept nogil:
    """OrderType of OrdType, of J and P also by whether there is a Price."""
    cdef uint8_t letter = request.ord_type.data[0] if request.ord_type.data != NULL else 0
    cdef bint has_price = request.price.data != NULL
    terms.order_type = (
        ORDER_TYPE_MARKET if letter == c"1" else ORDER_TYPE_LIMIT if letter == c"2" else ORDER_TYPE_STOP if letter == c"3"
        else ORDER_TYPE_STOP_LIMIT if letter == c"4" else ORDER_TYPE_MARKET_TO_LIMIT if letter == c"K" else 0)
    if letter == c"J":
        terms.order_type = ORDER_TYPE_LIMIT_IF_TOUCHED if has_price else ORDER_TYPE_MARKET_IF_TOUCHED
    elif letter == c"P" and trails:
        terms.order_type = ORDER_TYPE_TRAILING_STOP_LIMIT if has_price else ORDER_TYPE_TRAILING_STOP
    if terms.order_type == 0 or request.unsupported_tag or (trails and letter != c"P"):
        sentence[0] = b"this order type or instruction is not supported"
        return REJECT_REASON_BAD_ORDER_TYPE
    return 0


cdef int _read_end(FixOrder* terms, FixTerms* special, const FixRequest* request, const char** sentence) noexcept nogil:
    """TimeInForce, ExpireTime, ExpireDate. A replace need not repeat when the order ends."""
    cdef uint8_t letter = request.time_in_force.data[0] if request.time_in_force.data != NULL else c"0"
    cdef int ends = has_term(request, TERM_EXPIRE_TIME) + has_term(request, TERM_EXPIRE_DATE)
    terms.time_in_force = TIME_IN_FORCE_GTD if letter == c"6" else time_in_force_of(letter)
    if ends == 2 or ((ends == 1) != (letter == c"6") and request.msg_type != TYPE_REPLACE):
        sentence[0] = b"TimeInForce 6 has ExpireTime or ExpireDate, one of them, and no other has either"
        return REJECT_REASON_BAD_TIME_IN_FORCE
    if has_term(request, TERM_EXPIRE_TIME):
        special.expire_ts_ns = parse_time(request.terms[TERM_EXPIRE_TIME])
    elif ends:
        special.expire_ts_ns = parse_day_end(request.terms[TERM_EXPIRE_DATE])
        special.by_date = 1
    if special.expire_ts_ns == INT64_MAX:
        sentence[0] = b"ExpireTime and ExpireDate lie before the year 2262"
        return REJECT_REASON_BAD_TIME_IN_FORCE
    return 0


cdef inline int _units(const FixRequest* request, int term, int64_t mantissa, int exponent, int64_t* out) noexcept nogil:
    """A field of special orders as a number of units; 0: right, or not there."""
    return parse_units(request.terms[term], mantissa, <int8_t> exponent, out) if has_term(request, term) else 0


cdef int _read_quantities(FixOrder* terms, FixTerms* special, const FixRequest* request, const Instrument* instrument,
                          const char** sentence) noexcept nogil:
    """OrderQty or CashOrderQty, Price, MinQty, MaxFloor, DisplayLowQty."""
    cdef int64_t mantissa = instrument.lot_mantissa, low_lots = 0
    cdef int exponent = instrument.lot_exponent
    cdef int reason
    if has_term(request, TERM_CASH):
        if request.qty.data != NULL or terms.order_type != ORDER_TYPE_MARKET or request.msg_type == TYPE_REPLACE:
            sentence[0] = b"CashOrderQty is for a new market order, in place of OrderQty"
            return REJECT_REASON_BAD_TERMS
        if instrument.tick_mantissa > UNIT_MAX // mantissa or exponent + instrument.tick_exponent < EXPONENT_MIN:
            sentence[0] = b"ticks and lots of this instrument are too fine for orders by CashOrderQty"
            return REJECT_REASON_BAD_TERMS
        if parse_units(request.terms[TERM_CASH], mantissa * instrument.tick_mantissa,
                       <int8_t> (exponent + instrument.tick_exponent), &special.amount_ticks_lots) or (
                special.amount_ticks_lots < 1):
            sentence[0] = b"CashOrderQty is not a whole number, from 1, of what a lot costs at a price of a tick"
            return REJECT_REASON_BAD_QUANTITY
        reason = 0
        if request.price.data != NULL:
            sentence[0] = b"a limit order has a Price, a market order has none"
            reason = REJECT_REASON_BAD_PRICE
    else:
        reason = _read_amounts(terms, request, instrument, sentence)
    if reason:
        return reason
    if (_units(request, TERM_MIN_QTY, mantissa, exponent, &special.min_qty_lots)
            or _units(request, TERM_DISPLAY, mantissa, exponent, &special.display_lots)
            or _units(request, TERM_DISPLAY_LOW, mantissa, exponent, &low_lots)):
        sentence[0] = b"MinQty, MaxFloor or DisplayLowQty is not a whole number of lots"
        return REJECT_REASON_BAD_QUANTITY
    if has_term(request, TERM_DISPLAY_LOW):
        if not 0 < low_lots <= special.display_lots:
            sentence[0] = b"DisplayLowQty is above 0 and not above MaxFloor"
            return REJECT_REASON_BAD_TERMS
        special.display_spread_lots = special.display_lots - low_lots
    if has_term(request, TERM_DISPLAY) and special.display_lots == 0:
        terms.order_flags |= ORDER_FLAGS_HIDDEN
    return 0


cdef int _read_trigger(FixOrder* terms, FixTerms* special, const FixRequest* request, const Instrument* instrument,
                       const char** sentence) noexcept nogil:
    """StopPx, TriggerPriceType, PegOffsetValue, PegOffsetType."""
    cdef bint has_trigger = ORDER_TYPE_STOP <= terms.order_type <= ORDER_TYPE_LIMIT_IF_TOUCHED
    cdef bint trails = terms.order_type == ORDER_TYPE_TRAILING_STOP or terms.order_type == ORDER_TYPE_TRAILING_STOP_LIMIT
    cdef bint is_new = request.msg_type != TYPE_REPLACE
    cdef uint8_t unit = request.terms[TERM_OFFSET_TYPE].data[0] if has_term(request, TERM_OFFSET_TYPE) else c"0"
    cdef uint8_t source = request.terms[TERM_TRIGGER_TYPE].data[0] if has_term(request, TERM_TRIGGER_TYPE) else c"2"
    if has_term(request, TERM_STOP) != has_trigger and (is_new or not has_trigger):
        sentence[0] = b"an order with a trigger has a StopPx, another has none"
        return REJECT_REASON_BAD_TRIGGER
    if has_term(request, TERM_TRIGGER_TYPE) and not has_trigger:
        sentence[0] = b"TriggerPriceType is for orders with a trigger"
        return REJECT_REASON_BAD_TRIGGER
    if (has_term(request, TERM_OFFSET) != trails and (is_new or not trails)) or (
            has_term(request, TERM_OFFSET_TYPE) and not has_term(request, TERM_OFFSET)):
        sentence[0] = b"a trailing stop has a PegOffsetValue, another order has none"
        return REJECT_REASON_BAD_TRIGGER
    if has_trigger:
        special.trigger_source = (
            TRIGGER_SOURCE_LAST if source == c"2" else TRIGGER_SOURCE_MARK if source == c"M"
            else TRIGGER_SOURCE_BID_ASK if source == (c"1" if request.side.data[0] == c"1" else c"3") else 0)
        special.has_source = has_term(request, TERM_TRIGGER_TYPE)
    if has_trigger and special.trigger_source == 0:
        sentence[0] = b"TriggerPriceType must be 2, M, of a buy 1 or of a sell 3"
        return REJECT_REASON_BAD_TRIGGER
    if has_term(request, TERM_OFFSET):
        special.offset_type = unit
        special.trail_unit = TRAIL_UNIT_BASIS_POINTS if unit == c"1" else TRAIL_UNIT_TICKS
    if unit == c"3":
        sentence[0] = b"PegOffsetType must be 0, 1 or 2"
        return REJECT_REASON_BAD_TRIGGER
    if _units(request, TERM_STOP, instrument.tick_mantissa, instrument.tick_exponent, &special.trigger_price_ticks):
        sentence[0] = b"StopPx is not a whole number of ticks"
        return REJECT_REASON_BAD_PRICE_INCREMENT
    if (_units(request, TERM_OFFSET, instrument.tick_mantissa, instrument.tick_exponent, &special.trail_offset)
            if unit == c"0" else _units(request, TERM_OFFSET, 1, 0, &special.trail_offset)):
        sentence[0] = b"PegOffsetValue is not a whole number of ticks, or of its PegOffsetType"
        return REJECT_REASON_BAD_TRIGGER
    return 0


cdef int _read_ticks(FixTerms* special, const FixRequest* request, const char** sentence) noexcept nogil:
    """PostOnlyTicks and ProtectionTicks."""
    if has_term(request, TERM_POST_ONLY_TICKS):
        special.post_only_ticks = parse_whole(request.terms[TERM_POST_ONLY_TICKS])
    if has_term(request, TERM_PROTECTION):
        special.protection_ticks = parse_whole(request.terms[TERM_PROTECTION])
    if special.post_only_ticks < 0 or special.protection_ticks < 0:
        sentence[0] = b"PostOnlyTicks and ProtectionTicks are whole numbers"
        return REJECT_REASON_BAD_TERMS
    return 0


# ------------------------------------------------------------------------------------------ commands

cdef inline bint _needs_terms(const FixTerms* special) noexcept nogil:
    """Whether NEW_ORDER has no room for them (rule 9.1)."""
    return special != NULL and (
        special.trigger_source != 0 or special.display_lots != 0 or special.min_qty_lots != 0
        or special.protection_ticks != 0 or special.amount_ticks_lots != 0 or special.post_only_mode != 0
        or special.post_only_ticks != 0)


cdef int32_t write_new_order(uint8_t* target, const FixOrder* entry, const FixTerms* special) noexcept nogil:
    cdef NewComplexOrder* command = <NewComplexOrder*> target  # begins as NewOrder does
    cdef bint is_complex = _needs_terms(special)
    cdef int32_t size = SIZE_NEW_COMPLEX_ORDER if is_complex else SIZE_NEW_ORDER
    memset(target, 0, size)
    if is_complex:
        write_header(target, BLOCK_NEW_COMPLEX_ORDER, TEMPLATE_NEW_COMPLEX_ORDER)
    else:
        write_header(target, BLOCK_NEW_ORDER, TEMPLATE_NEW_ORDER)
    command.client_ref = entry.client_ref
    command.price_ticks, command.qty_lots = entry.price_ticks, entry.qty_lots
    command.instrument_id, command.account_id = entry.instrument_id, entry.account_id
    command.side, command.order_type, command.time_in_force = entry.side, entry.order_type, entry.time_in_force
    command.order_flags = entry.order_flags
    if special != NULL:
        command.stp_mode, command.expire_ts_ns = special.stp_mode, special.expire_ts_ns
    if is_complex:
        command.trigger_price_ticks, command.trail_offset = special.trigger_price_ticks, special.trail_offset
        command.trigger_source, command.trail_unit = special.trigger_source, special.trail_unit
        command.display_lots, command.display_spread_lots = special.display_lots, special.display_spread_lots
        command.min_qty_lots, command.protection_ticks = special.min_qty_lots, special.protection_ticks
        command.amount_ticks_lots = special.amount_ticks_lots
        command.post_only_mode, command.post_only_ticks = special.post_only_mode, special.post_only_ticks
    return size


cdef bint is_kind_of(const FixOrder* root, int kind) noexcept nogil:
    return (kind == root.order_type
            or (kind == ORDER_TYPE_LIMIT_IF_TOUCHED and root.order_type == ORDER_TYPE_MARKET_IF_TOUCHED)
            or (kind == ORDER_TYPE_TRAILING_STOP_LIMIT and root.order_type == ORDER_TYPE_TRAILING_STOP))


cdef const char* changed_terms(const FixOrder* root, const FixTerms* before, const FixOrder* terms, const FixTerms* asked,
                               const FixRequest* request) noexcept nogil:
    cdef FixTerms none
    if not terms.has_terms:
        return NULL
    if before == NULL:
        memset(&none, 0, sizeof(none))
        before = &none
    if terms.order_flags & ~root.order_flags & ~(<int> ORDER_FLAGS_POST_ONLY):
        return b"ExecInst G, E, H and MaxFloor 0 are not the order's"
    if ((has_term(request, TERM_EXPIRE_TIME) or has_term(request, TERM_EXPIRE_DATE))
            and asked.expire_ts_ns != before.expire_ts_ns):
        return b"ExpireTime or ExpireDate is not the order's"
    if has_term(request, TERM_STOP) and asked.trigger_price_ticks != before.trigger_price_ticks:
        return b"StopPx is not the order's"
    if has_term(request, TERM_TRIGGER_TYPE) and asked.trigger_source != before.trigger_source:
        return b"TriggerPriceType is not the order's"
    if has_term(request, TERM_OFFSET) and (
            asked.trail_offset != before.trail_offset or asked.trail_unit != before.trail_unit):
        return b"PegOffsetValue is not the order's"
    if has_term(request, TERM_DISPLAY) and asked.display_lots != before.display_lots:
        return b"MaxFloor is not the order's"
    if has_term(request, TERM_DISPLAY_LOW) and asked.display_spread_lots != before.display_spread_lots:
        return b"DisplayLowQty is not the order's"
    if has_term(request, TERM_MIN_QTY) and asked.min_qty_lots != before.min_qty_lots:
        return b"MinQty is not the order's"
    if has_term(request, TERM_PROTECTION) and asked.protection_ticks != before.protection_ticks:
        return b"ProtectionTicks is not the order's"
    if (has_term(request, TERM_POST_ONLY_MODE) and asked.post_only_mode != before.post_only_mode) or (
            has_term(request, TERM_POST_ONLY_TICKS) and asked.post_only_ticks != before.post_only_ticks):
        return b"PostOnlyMode or PostOnlyTicks is not the order's"
    if has_term(request, TERM_SELF_TRADE) and asked.stp_mode != before.stp_mode:
        return b"SelfTradeType is not the order's"
    return NULL


# ------------------------------------------------------------------------------------------ reports

cdef inline uint8_t* _put_lots(uint8_t* out, uint32_t tag, int64_t lots, const Instrument* instrument) noexcept nogil:
    out = put_units(put_tag(out, tag), lots, instrument.lot_mantissa, instrument.lot_exponent)
    out[0] = SOH
    return out + 1


cdef inline uint8_t* _put_ticks(uint8_t* out, uint32_t tag, int64_t ticks, const Instrument* instrument) noexcept nogil:
    out = put_units(put_tag(out, tag), ticks, instrument.tick_mantissa, instrument.tick_exponent)
    out[0] = SOH
    return out + 1


cdef uint8_t* put_terms(uint8_t* out, const FixOrder* root, const FixTerms* special,
                        const Instrument* instrument) noexcept nogil:
    if special != NULL:
        return _put_special(out, root, special, instrument)
    out = _put_lots(out, 38, root.qty_lots, instrument)
    if root.order_type == ORDER_TYPE_MARKET:
        out = put_char_field(out, 40, c"1")
    elif root.order_type:
        out = put_char_field(out, 40, c"2")
        out = _put_ticks(out, 44, root.price_ticks, instrument)
    if 1 <= root.time_in_force < TIMES_IN_FORCE:
        out = put_char_field(out, 59, <uint8_t> times_in_force[root.time_in_force])
    if root.order_flags & ORDER_FLAGS_POST_ONLY:
        out = put_char_field(out, 18, c"6")
    return out


cdef uint8_t* _put_special(uint8_t* out, const FixOrder* root, const FixTerms* special,
                           const Instrument* instrument) noexcept nogil:
    """What a special order was entered with, as far as it was given."""
    if special.amount_ticks_lots:
        out = put_units(put_tag(out, 152), special.amount_ticks_lots, instrument.tick_mantissa * instrument.lot_mantissa,
                        <int8_t> (instrument.tick_exponent + instrument.lot_exponent))
        out[0] = SOH
        out += 1
    if root.qty_lots or not special.amount_ticks_lots:
        out = _put_lots(out, 38, root.qty_lots, instrument)
    if 1 <= root.order_type < KINDS and order_types[root.order_type] != c"?":
        out = put_char_field(out, 40, <uint8_t> order_types[root.order_type])
    if _has_limit(root.order_type) or root.price_ticks:  # of a market order: where it rests, as far as that is told
        out = _put_ticks(out, 44, root.price_ticks, instrument)
    if 1 <= root.time_in_force < TIMES_IN_FORCE:
        out = put_char_field(out, 59, <uint8_t> times_in_force[root.time_in_force])
    out = _put_end(_put_instructions(out, root), special)
    if special.min_qty_lots:
        out = _put_lots(out, 110, special.min_qty_lots, instrument)
    if special.display_lots or root.order_flags & ORDER_FLAGS_HIDDEN:
        out = _put_lots(out, 111, special.display_lots, instrument)
    if special.trigger_source:
        out = _put_ticks(out, 99, special.trigger_price_ticks, instrument)
    if special.trail_unit == TRAIL_UNIT_TICKS and special.offset_type == c"0":
        out = put_char_field(_put_ticks(out, 211, special.trail_offset, instrument), 836, c"0")
    elif special.trail_unit:
        out = put_whole_field(out, 211, <uint64_t> special.trail_offset)
        out = put_char_field(out, 836, c"1" if special.trail_unit == TRAIL_UNIT_BASIS_POINTS else c"2")
    return out if special.stock_only else _put_ours(out, root, special, instrument)


cdef uint8_t* _put_instructions(uint8_t* out, const FixOrder* root) noexcept nogil:
    """ExecInst, one character for each instruction."""
    cdef char[5] words
    cdef int count = 0, i
    if root.order_flags & ORDER_FLAGS_POST_ONLY:
        words[count] = c"6"
        count += 1
    if root.order_flags & ORDER_FLAGS_ALL_OR_NONE:
        words[count] = c"G"
        count += 1
    if root.order_flags & ORDER_FLAGS_REDUCE_ONLY:
        words[count] = c"E"
        count += 1
    if root.order_flags & ORDER_FLAGS_KEEP_ON_DISCONNECT:
        words[count] = c"H"
        count += 1
    if root.order_type == ORDER_TYPE_TRAILING_STOP or root.order_type == ORDER_TYPE_TRAILING_STOP_LIMIT:
        words[count] = c"a"
        count += 1
    if count == 0:
        return out
    out = put_tag(out, 18)
    for i in range(count):
        out[0], out[1] = <uint8_t> words[i], c" "
        out += 2
    (out - 1)[0] = SOH
    return out


cdef uint8_t* _put_end(uint8_t* out, const FixTerms* special) noexcept nogil:
    """ExpireTime in nanoseconds where it has them, or the ExpireDate of the day that ends then."""
    cdef int64_t last_ns = special.expire_ts_ns - 1
    cdef int digits = 0 if special.expire_ts_ns % 1_000_000_000 == 0 else 3 if special.expire_ts_ns % 1_000_000 == 0 else 6
    if special.expire_ts_ns == 0:
        return out
    if special.by_date:
        out = put_time(put_tag(out, 432), last_ns, 0) - 9  # its first eight characters
    else:
        out = put_time(put_tag(out, 126), special.expire_ts_ns, digits if special.expire_ts_ns % 1000 == 0 else 9)
    out[0] = SOH
    return out + 1


cdef uint8_t* _put_ours(uint8_t* out, const FixOrder* root, const FixTerms* special,
                        const Instrument* instrument) noexcept nogil:
    """Fields that stock FIX 4.4 does not have, to a client that asked for them."""
    if special.display_spread_lots:
        out = _put_lots(out, 1085, special.display_lots - special.display_spread_lots, instrument)
    if special.has_source:
        out = put_char_field(out, 1107, (
            c"2" if special.trigger_source == TRIGGER_SOURCE_LAST else c"M" if special.trigger_source == TRIGGER_SOURCE_MARK
            else c"1" if root.side == SIDE_BUY else c"3"))
    if special.post_only_mode:
        out = put_char_field(out, 5110, c"S" if special.post_only_mode == POST_ONLY_MODE_SLIDE else c"P")
    if special.post_only_ticks:
        out = put_whole_field(out, 5111, <uint64_t> special.post_only_ticks)
    if special.protection_ticks:
        out = put_whole_field(out, 5112, <uint64_t> special.protection_ticks)
    if special.stp_mode:
        out = put_char_field(out, 7928, <uint8_t> self_trades[special.stp_mode])
    return out


cdef bint terms_told(FixTerms* out, const OrderAccepted* accepted, const OrderTermsSet* told) noexcept nogil:
    memset(out, 0, sizeof(FixTerms))
    out.expire_ts_ns = accepted.expire_ts_ns
    if accepted.order_flags & ORDER_FLAGS_COMPLEX and told != NULL and told.order_id == accepted.order_id:
        out.trigger_price_ticks, out.trail_offset = told.trigger_price_ticks, told.trail_offset
        out.trigger_source, out.trail_unit = told.trigger_source, told.trail_unit
        out.display_lots, out.display_spread_lots = told.display_lots, told.display_spread_lots
        out.min_qty_lots, out.protection_ticks = told.min_qty_lots, told.protection_ticks
        out.amount_ticks_lots = told.amount_ticks_lots
        out.post_only_mode, out.post_only_ticks = told.post_only_mode, told.post_only_ticks
    return (accepted.order_flags & ~(<int> ORDER_FLAGS_POST_ONLY) or accepted.time_in_force == TIME_IN_FORCE_GTD
            or accepted.order_type > ORDER_TYPE_MARKET)
