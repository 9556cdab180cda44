"""Messages written whole."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from tradsys.gateways.fix_request cimport checksum_of
from tradsys.gateways.fix_text cimport (
    SOH, put_bytes, put_char_field, put_tag, put_text_field, put_time, put_whole, put_whole_field,
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
