"""Values of FIX fields as the order path reads and writes them: exact decimals, whole numbers, times, texts.

A `put_` function writes at `out` and gives the place behind; the caller has room for it: 20 bytes and the text for a
field, `DECIMAL_BYTES_MAX` for a decimal.
"""
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

cdef enum:
    SOH = 1
    EXPONENT_MIN = -18
    DECIMAL_BYTES_MAX = 48
    NOT_A_NUMBER = 1       # parse_units: no decimal
    NOT_A_MULTIPLE = 2     # of the unit
    TOO_LARGE = 3          # beyond 63 bits

cdef struct FixText:
    const uint8_t* data    # NULL: the field is absent
    int32_t size           # bytes

# A decimal as a whole number of units of mantissa x 10^exponent, exactly. 0, or why not.
cdef int parse_units(FixText text, int64_t mantissa, int8_t exponent, int64_t* out) noexcept nogil
# A whole number from 0 of at most 19 digits; -1 when it is none.
cdef int64_t parse_whole(FixText text) noexcept nogil
# count x mantissa x 10^exponent as the shortest decimal.
cdef uint8_t* put_units(uint8_t* out, int64_t count, int64_t mantissa, int8_t exponent) noexcept nogil
# total / count units: exact where the decimal ends within 8 digits behind the unit's, else half-even there.
cdef uint8_t* put_average(uint8_t* out, int64_t total, int64_t count, int64_t mantissa, int8_t exponent) noexcept nogil
cdef uint8_t* put_whole(uint8_t* out, uint64_t value) noexcept nogil
cdef uint8_t* put_bytes(uint8_t* out, const uint8_t* data, int32_t size) noexcept nogil
# UTCTimestamp with 0, 3, 6 or 9 digits behind the second.
cdef uint8_t* put_time(uint8_t* out, int64_t ts_ns, int digits) noexcept nogil
# Fields: tag, =, value, SOH.
cdef uint8_t* put_whole_field(uint8_t* out, uint32_t tag, uint64_t value) noexcept nogil
cdef uint8_t* put_text_field(uint8_t* out, uint32_t tag, const uint8_t* data, int32_t size) noexcept nogil


cdef inline uint8_t* put_tag(uint8_t* out, uint32_t tag) noexcept nogil:
    """Tag and =; of a constant tag the compiler makes one store."""
    if tag > 999:
        out = put_whole(out, tag)
    else:
        if tag > 99:
            out[0] = <uint8_t> (c"0" + tag // 100)
            out += 1
        if tag > 9:
            out[0] = <uint8_t> (c"0" + tag // 10 % 10)
            out += 1
        out[0] = <uint8_t> (c"0" + tag % 10)
        out += 1
    out[0] = c"="
    return out + 1


cdef inline uint8_t* put_char_field(uint8_t* out, uint32_t tag, uint8_t value) noexcept nogil:
    out = put_tag(out, tag)
    out[0] = value
    out[1] = SOH
    return out + 2


cdef inline bint is_text(FixText text, bytes expected) noexcept:
    return text.size == len(expected) and text.data != NULL and memcmp(
        text.data, <const char*> expected, text.size) == 0
