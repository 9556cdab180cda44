"""Values of FIX fields. 128-bit numbers keep every conversion exact."""
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cimport cython

cdef extern from * nogil:
    """
    typedef __int128 tradsys_int128;
    """
    ctypedef long long int128 "tradsys_int128"

cdef extern from * nogil:
    """
    #include <stdint.h>
    static const char tradsys_pairs[201] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
        "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
        "9899";
    """
    const uint8_t* DIGIT_PAIRS "((const uint8_t*)tradsys_pairs)"   # 00 to 99
    int64_t NEAR_LIMIT "INT64_C(90000000000)"                      # times AVERAGE_SCALE it fits into 63 bits
    int64_t TOTAL_LIMIT "INT64_C(9000000000000000000)"

cdef enum:
    AVERAGE_DIGITS = 8     # behind the unit's
    AVERAGE_SCALE = 100_000_000


@cython.overflowcheck(False)  # at most 38 digits
cdef inline int128 _power_of_ten(int digits) noexcept nogil:
    cdef int128 power = 1
    cdef int _i
    for _i in range(digits):
        power = power * 10
    return power


@cython.overflowcheck(False)  # bounded by digit counts
cdef int parse_units(FixText text, int64_t mantissa, int8_t exponent, int64_t* out) noexcept nogil:
    cdef int128 value = 0, count
    cdef int32_t position = 0, digits = 0, behind = -1
    cdef int scale = -exponent  # digits behind the point that the unit has
    cdef uint8_t letter
    cdef bint negative = text.size > 0 and text.data[0] == c"-"
    if text.data == NULL or text.size > 40:
        return NOT_A_NUMBER
    if negative:
        position = 1
    while position < text.size:
        letter = text.data[position]
        position += 1
        if letter == c".":
            if behind >= 0:
                return NOT_A_NUMBER
            behind = 0
        elif letter < c"0" or letter > c"9":
            return NOT_A_NUMBER
        else:
            digits += 1
            if behind >= scale:
                if letter != c"0":
                    return NOT_A_MULTIPLE
                continue
            if value > <int128> 9223372036854775807:
                return TOO_LARGE
            value = value * 10 + (letter - c"0")
            if behind >= 0:
                behind += 1
    if digits == 0:
        return NOT_A_NUMBER
    value = value * _power_of_ten(scale - (behind if behind > 0 else 0))
    count = value // mantissa
    if count * mantissa != value:
        return NOT_A_MULTIPLE
    if count > <int128> 9223372036854775807:
        return TOO_LARGE
    out[0] = <int64_t> (-count if negative else count)
    return 0


@cython.overflowcheck(False)  # at most 18 digits
cdef int64_t parse_whole(FixText text) noexcept nogil:
    cdef int64_t value = 0
    cdef int32_t i
    if text.data == NULL or not 1 <= text.size <= 18:
        return -1
    for i in range(text.size):
        if text.data[i] < c"0" or text.data[i] > c"9":
            return -1
        value = value * 10 + (text.data[i] - c"0")
    return value


@cython.overflowcheck(False)  # 128 bits hold 63 + 63 bits and eight digits
cdef uint8_t* put_units(uint8_t* out, int64_t count, int64_t mantissa, int8_t exponent) noexcept nogil:
    if -EXPONENT_MIN >= -exponent >= 0 and -1_000_000_000 < count < 1_000_000_000 and 0 < mantissa < 1_000_000_000:
        return _put_near(out, count * mantissa, -exponent)
    return _put_scaled(out, <int128> count * mantissa, -exponent)


@cython.overflowcheck(False)
cdef uint8_t* put_average(uint8_t* out, int64_t total, int64_t count, int64_t mantissa, int8_t exponent) noexcept nogil:
    cdef int128 dividend, quotient, rest
    cdef bint negative = total < 0
    if count <= 0:
        out[0] = c"0"
        return out + 1
    if -EXPONENT_MIN - AVERAGE_DIGITS >= -exponent >= 0 and count < NEAR_LIMIT and 1 <= mantissa < NEAR_LIMIT:
        if -(TOTAL_LIMIT // mantissa) < total < TOTAL_LIMIT // mantissa:
            if -NEAR_LIMIT < total * mantissa // count < NEAR_LIMIT:
                return _put_near_average(out, total * mantissa, count, -exponent)
    # whole units first: the product of all three would not fit
    quotient = (-<int128> total if negative else <int128> total)
    dividend = quotient // count * mantissa * AVERAGE_SCALE
    rest = (quotient - quotient // count * count) * mantissa
    quotient = dividend + rest // count * AVERAGE_SCALE
    rest = (rest - rest // count * count) * AVERAGE_SCALE
    quotient += rest // count
    rest = (rest - rest // count * count) * 2
    if rest > count or (rest == count and (quotient & 1)):
        quotient += 1
    return _put_scaled(out, -quotient if negative else quotient, -exponent + AVERAGE_DIGITS)


@cython.overflowcheck(False)
cdef uint8_t* _put_near_average(uint8_t* out, int64_t total, int64_t count, int scale) noexcept nogil:
    """The same in 64 bits: most averages are no longer."""
    cdef uint64_t size = -<uint64_t> total if total < 0 else <uint64_t> total
    cdef uint64_t whole = size // <uint64_t> count
    cdef uint64_t rest = size - whole * <uint64_t> count
    cdef int64_t behind
    if rest == 0:
        return _put_near(out, -<int64_t> whole if total < 0 else <int64_t> whole, scale)
    rest *= AVERAGE_SCALE
    behind = <int64_t> (rest // <uint64_t> count)
    rest = (rest - <uint64_t> behind * <uint64_t> count) * 2
    behind += <int64_t> whole * AVERAGE_SCALE
    if rest > <uint64_t> count or (rest == <uint64_t> count and behind & 1):
        behind += 1
    return _put_near(out, -behind if total < 0 else behind, scale + AVERAGE_DIGITS)


@cython.overflowcheck(False)
cdef uint8_t* _put_near(uint8_t* out, int64_t signed_value, int scale) noexcept nogil:
    """value x 10^-scale without needless zeros; scale is 0 to 18."""
    cdef uint8_t digits[40]
    cdef uint8_t* first = digits + 40
    cdef uint8_t* point
    cdef uint64_t value = -<uint64_t> signed_value if signed_value < 0 else <uint64_t> signed_value
    cdef int size
    if signed_value < 0:
        out[0] = c"-"
        out += 1
    if value == 0:
        scale = 0
    while scale > 0 and value % 10 == 0:
        value //= 10
        scale -= 1
    point = first - scale
    while value >= 100:
        first -= 2
        memcpy(first, DIGIT_PAIRS + value % 100 * 2, 2)
        value //= 100
    if value >= 10:
        first -= 2
        memcpy(first, DIGIT_PAIRS + value * 2, 2)
    else:
        first -= 1
        first[0] = <uint8_t> (c"0" + value)
    while first >= point and scale > 0:  # 0.05: one zero before the point, others behind it
        first -= 1
        first[0] = c"0"
    size = <int> (point - first)
    memcpy(out, first, size)
    if scale == 0:
        return out + size
    out[size] = c"."
    memcpy(out + size + 1, point, scale)
    return out + size + 1 + scale


@cython.overflowcheck(False)
cdef uint8_t* _put_scaled(uint8_t* out, int128 value, int scale) noexcept nogil:
    """The same of any value and scale."""
    cdef uint8_t digits[DECIMAL_BYTES_MAX]
    cdef int count = 0, i
    if value < 0:
        out[0] = c"-"
        out += 1
        value = -value
    while scale > 0 and (value % 10) == 0:
        value = value // 10
        scale -= 1
        if value == 0:
            scale = 0
    while count <= scale or value > 0:
        digits[count] = <uint8_t> (c"0" + <int> (value % 10))
        value = value // 10
        count += 1
    for i in range(count - 1, -1, -1):
        if i == scale - 1:
            out[0] = c"."
            out += 1
        out[0] = digits[i]
        out += 1
    return out


@cython.overflowcheck(False)
cdef uint8_t* put_whole(uint8_t* out, uint64_t value) noexcept nogil:
    cdef uint8_t digits[20]
    cdef uint8_t* first = digits + 20
    while value >= 100:
        first -= 2
        memcpy(first, DIGIT_PAIRS + value % 100 * 2, 2)
        value //= 100
    if value >= 10:
        first -= 2
        memcpy(first, DIGIT_PAIRS + value * 2, 2)
    else:
        first -= 1
        first[0] = <uint8_t> (c"0" + value)
    memcpy(out, first, digits + 20 - first)
    return out + (digits + 20 - first)


cdef uint8_t* put_bytes(uint8_t* out, const uint8_t* data, int32_t size) noexcept nogil:
    memcpy(out, data, size)
    return out + size


cdef inline void _put_padded(uint8_t* out, int64_t value, int digits) noexcept nogil:
    cdef int i
    for i in range(digits - 1, -1, -1):
        out[i] = <uint8_t> (c"0" + value % 10)
        value //= 10


cdef int64_t clock_second = -1          # the second the text is of
cdef uint8_t clock_text[17]             # YYYYMMDD-HH:MM:SS


cdef void _write_second(int64_t second) noexcept nogil:
    """Days to a date as in Howard Hinnant's civil_from_days, for days from 1970 on."""
    cdef int64_t days = second // 86400 + 719468
    cdef int64_t era = days // 146097
    cdef int64_t day_of_era = days - era * 146097
    cdef int64_t year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    cdef int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    cdef int64_t month = (5 * day_of_year + 2) // 153
    cdef int64_t day = day_of_year - (153 * month + 2) // 5 + 1
    cdef int64_t time = second % 86400
    month = month + 3 if month < 10 else month - 9
    _put_padded(clock_text, year_of_era + era * 400 + (1 if month <= 2 else 0), 4)
    _put_padded(clock_text + 4, month, 2)
    _put_padded(clock_text + 6, day, 2)
    clock_text[8] = c"-"
    _put_padded(clock_text + 9, time // 3600, 2)
    clock_text[11] = c":"
    _put_padded(clock_text + 12, time // 60 % 60, 2)
    clock_text[14] = c":"
    _put_padded(clock_text + 15, time % 60, 2)


cdef uint8_t* put_time(uint8_t* out, int64_t ts_ns, int digits) noexcept nogil:
    global clock_second
    cdef int64_t second = ts_ns // 1_000_000_000
    cdef int64_t nanos = ts_ns - second * 1_000_000_000
    cdef int _i
    if second != clock_second:
        _write_second(second)
        clock_second = second
    memcpy(out, clock_text, 17)
    out += 17
    if digits == 0:
        return out
    for _i in range(9 - digits):
        nanos //= 10
    out[0] = c"."
    _put_padded(out + 1, nanos, digits)
    return out + 1 + digits


cdef uint8_t* put_whole_field(uint8_t* out, uint32_t tag, uint64_t value) noexcept nogil:
    out = put_whole(put_tag(out, tag), value)
    out[0] = SOH
    return out + 1


cdef uint8_t* put_text_field(uint8_t* out, uint32_t tag, const uint8_t* data, int32_t size) noexcept nogil:
    out = put_bytes(put_tag(out, tag), data, size)
    out[0] = SOH
    return out + 1


# ------------------------------------------------------------------------------------------ faces

def to_units(bytes text not None, int64_t mantissa, int8_t exponent):
    """Read a decimal as whole units of mantissa x 10^exponent; None when it is none, or no whole number of them."""
    cdef FixText view
    cdef int64_t count = 0
    view.data = text
    view.size = len(text)
    return None if parse_units(view, mantissa, exponent, &count) else count


def units_text(int64_t count, int64_t mantissa, int8_t exponent):
    """Write count x mantissa x 10^exponent as the shortest decimal."""
    cdef uint8_t room[2 * DECIMAL_BYTES_MAX]
    return (<const char*> room)[:put_units(room, count, mantissa, exponent) - room]


def average_text(int64_t total, int64_t count, int64_t mantissa, int8_t exponent):
    """Write total / count units: exact within 8 digits behind the unit's, else rounded half to even."""
    cdef uint8_t room[2 * DECIMAL_BYTES_MAX]
    return (<const char*> room)[:put_average(room, total, count, mantissa, exponent) - room]


def time_text(int64_t ts_ns, int digits):
    """Write a UTCTimestamp with 0, 3, 6 or 9 digits behind the second; ns since the epoch, from 0."""
    cdef uint8_t room[32]
    return (<const char*> room)[:put_time(room, ts_ns, digits) - room]
