"""Messages written whole, terms of orders read."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from tradsys.core.state cimport Instrument
from tradsys.gateways.fix_orders cimport FixOrder
from tradsys.gateways.fix_request cimport FixRequest, checksum_of
from tradsys.gateways.fix_text cimport (
    SOH, parse_units, put_bytes, put_char_field, put_tag, put_text_field, put_time, put_whole,
    put_whole_field,
)
from tradsys.wire.records cimport (
    ORDER_FLAGS_POST_ONLY, ORDER_TYPE_LIMIT, ORDER_TYPE_MARKET, REJECT_REASON_BAD_FLAGS, REJECT_REASON_BAD_ORDER_TYPE,
    REJECT_REASON_BAD_PRICE, REJECT_REASON_BAD_PRICE_INCREMENT, REJECT_REASON_BAD_QUANTITY,
    REJECT_REASON_BAD_TIME_IN_FORCE, TIME_IN_FORCE_AT_CLOSE, TIME_IN_FORCE_AT_OPEN, TIME_IN_FORCE_DAY,
    TIME_IN_FORCE_FOK, TIME_IN_FORCE_GOOD_FOR_AUCTION, TIME_IN_FORCE_GTC, TIME_IN_FORCE_GTX, TIME_IN_FORCE_IOC,
)

cdef enum:
    HEAD_ROOM = 64           # before 35: BeginString and BodyLength


cdef int64_t write_message(uint8_t* target, const FixHeader* header, const uint8_t* body, int32_t size,
                           int* body_offset, int64_t* end) noexcept nogil:
    cdef uint8_t* begin = target + HEAD_ROOM
    cdef uint8_t* out = put_tag(begin, 35)
    cdef uint8_t* front
    cdef uint8_t digits[20]
    cdef int32_t total
    if header.msg_type > 255:
        out[0] = <uint8_t> (header.msg_type >> 8)
        out += 1
    out[0], out[1] = <uint8_t> (header.msg_type & 255), SOH
    out = put_whole_field(out + 2, 34, header.seq)
    if header.orig_ns:
        out = put_char_field(out, 43, c"Y")
    out = put_text_field(out, 49, header.ours.data, header.ours.size)
    out = put_time(put_tag(out, 52), header.ts_ns, header.digits)
    out[0] = SOH
    out = put_text_field(out + 1, 56, header.theirs.data, header.theirs.size)
    if header.routing.size:
        out = put_bytes(out, header.routing.data, header.routing.size)
    if header.orig_ns:
        out = put_time(put_tag(out, 122), header.orig_ns if header.orig_ns > 0 else header.ts_ns, header.digits)
        out[0] = SOH
        out += 1
    body_offset[0] = <int> (out - begin)
    out = put_bytes(out, body, size)
    front = begin - 13 - (put_whole(digits, <uint64_t> (out - begin)) - digits)
    put_bytes(put_bytes(front, b"8=FIX.4.4\x019=", 12), digits, <int32_t> (begin - 1 - front - 12))
    (begin - 1)[0] = SOH
    body_offset[0] += <int> (begin - front)
    total = checksum_of(front, out - front)
    out = put_bytes(out, b"10=", 3)
    out[0], out[1] = <uint8_t> (c"0" + total // 100), <uint8_t> (c"0" + total // 10 % 10)
    out[2], out[3] = <uint8_t> (c"0" + total % 10), SOH
    end[0] = out + 4 - target
    return front - target


cdef uint8_t time_in_force_of(uint8_t letter) noexcept nogil:
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


cdef int read_terms(FixOrder* terms, const FixRequest* request, const Instrument* instrument,
                    const char** sentence) noexcept nogil:
    cdef uint8_t letter = request.ord_type.data[0] if request.ord_type.data != NULL else 0
    terms.order_type = ORDER_TYPE_LIMIT if letter == c"2" else ORDER_TYPE_MARKET if letter == c"1" else 0
    if request.unsupported_tag or terms.order_type == 0:
        sentence[0] = b"this order type or instruction is not supported"
        return REJECT_REASON_BAD_ORDER_TYPE
    terms.time_in_force = time_in_force_of(request.time_in_force.data[0] if request.time_in_force.data != NULL else c"0")
    if terms.time_in_force == 0:
        sentence[0] = b"TimeInForce must be 0, 1, 2, 3, 4, 5, 7 or B"
        return REJECT_REASON_BAD_TIME_IN_FORCE
    if request.exec_inst.data != NULL:
        if request.exec_inst.size != 1 or request.exec_inst.data[0] != c"6":
            sentence[0] = b"ExecInst must be 6 (post-only)"
            return REJECT_REASON_BAD_FLAGS
        terms.order_flags = ORDER_FLAGS_POST_ONLY
    if parse_units(request.qty, instrument.lot_mantissa, instrument.lot_exponent, &terms.qty_lots):
        sentence[0] = b"OrderQty is missing or not a whole number of lots"
        return REJECT_REASON_BAD_QUANTITY
    if (request.price.data != NULL) != (terms.order_type == ORDER_TYPE_LIMIT):
        sentence[0] = b"a limit order has a Price, a market order has none"
        return REJECT_REASON_BAD_PRICE
    if request.price.data != NULL and parse_units(
            request.price, instrument.tick_mantissa, instrument.tick_exponent, &terms.price_ticks):
        sentence[0] = b"Price is not a whole number of ticks"
        return REJECT_REASON_BAD_PRICE_INCREMENT
    return 0
