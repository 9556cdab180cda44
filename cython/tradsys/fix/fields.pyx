"""The scan: SOHs and checksum by blocks of 64 bytes, tags digit by digit (values average six bytes).

A tag is read up to its first byte that is no digit. A SOH is none, and the last byte of a message is SOH before anything
is read: no read passes the end, whatever the bytes are.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

cimport cython

cdef extern from "tradsys/fix/blocks.h" nogil:
    ctypedef uint32_t (*fix_blocks_t)(const uint8_t* data, int64_t size, uint64_t* masks) noexcept nogil
    fix_blocks_t fix_choose_blocks(int kind) noexcept nogil

cdef extern from * nogil:
    int trailing_zeros "__builtin_ctzll"(uint64_t word) noexcept nogil

cdef enum:
    SOH = 1
    TRAILER_BYTES = 7       # 10=nnn and SOH
    VERSION_BYTES_MAX = 17  # 8=FIX and 12 characters
    TAG_MAX = 2147483647
    TAG_DIGITS_MAX = 10
    MASKS = 256             # MESSAGE_BYTES_MAX / 64

cdef fix_blocks_t blocks = fix_choose_blocks(0)


cdef int64_t _head_end(const uint8_t* message, int64_t size) noexcept nogil:
    """Bytes of BeginString and BodyLength when they are there and right; 0: they are not. The message ends with SOH."""
    cdef int64_t at = 5, begin, body = 0
    if size <= TRAILER_BYTES or memcmp(message, b"8=FIX", 5) != 0:
        return 0
    while message[at] != SOH:
        at += 1
    if at > VERSION_BYTES_MAX or size - at < 4 or message[at + 1] != c"9" or message[at + 2] != c"=":
        return 0
    at += 3
    begin = at
    while at - begin < 6 and c"0" <= message[at] <= c"9":
        body = body * 10 + (message[at] - c"0")
        at += 1
    if at == begin or message[at] != SOH or at + 1 + body + TRAILER_BYTES != size:
        return 0
    return at + 1


cdef bint _has_trailer(const uint8_t* message, int64_t size) noexcept nogil:
    cdef int64_t at
    if size <= TRAILER_BYTES or memcmp(message + size - 8, b"\x0110=", 4) != 0 or message[size - 1] != SOH:
        return False
    for at in range(size - 4, size - 1):
        if not c"0" <= message[at] <= c"9":
            return False
    return True


cdef inline int32_t _data_behind(int32_t tag) noexcept nogil:
    """The DATA field that a field of type LENGTH stands before; 0: none."""
    if 348 <= tag <= 364:
        return tag + 1 if tag & 1 == 0 else 0
    if tag == 90 or tag == 95 or tag == 212 or tag == 618 or tag == 621:
        return tag + 1
    return 89 if tag == 93 else 446 if tag == 445 else 0


cdef inline int64_t _length(const uint8_t* text, int32_t size) noexcept nogil:
    """A whole number of 1 to 18 digits; -1: it is none."""
    cdef int64_t value = 0
    cdef int32_t i
    if not 1 <= size <= 18:
        return -1
    for i in range(size):
        if not c"0" <= text[i] <= c"9":
            return -1
        value = value * 10 + (text[i] - c"0")
    return value


@cython.overflowcheck(False)  # eleven digits are refused before the number is used
cdef int read_fields(const uint8_t* message, int64_t size, FixField* out) noexcept nogil:
    cdef uint64_t masks[MASKS]
    cdef uint64_t bits
    cdef int32_t count = 0, at = 0, begin, soh, word = 0, data_tag = 0
    cdef int64_t tag, data_bytes
    cdef uint32_t sum, digit
    cdef bint is_negative
    if size > MESSAGE_BYTES_MAX or not _has_trailer(message, size) or _head_end(message, size) == 0:
        return GARBLED
    sum = blocks(message, size, masks)
    for at in range(<int32_t> size - TRAILER_BYTES, <int32_t> size):
        sum -= message[at]
    if (sum & 255) != _length(message + size - 4, 3):
        return GARBLED
    bits = masks[0]
    at = 0
    while at < size:
        while bits == 0:  # there is one: the last byte is SOH
            word += 1
            bits = masks[word]
        soh = (word << 6) + trailing_zeros(bits)
        bits &= bits - 1
        is_negative = message[at] == c"-"
        at += is_negative
        begin = at
        tag = 0
        digit = <uint32_t> message[at] - c"0"
        while digit <= 9:
            tag = tag * 10 + digit
            at += 1
            digit = <uint32_t> message[at] - c"0"
        if message[at] != c"=" or at == begin or at - begin > TAG_DIGITS_MAX or tag > TAG_MAX:
            return GARBLED
        at += 1
        tag = -tag if is_negative else tag
        if data_tag and tag == data_tag:
            data_bytes = _length(message + out[count - 1].offset, out[count - 1].size)
            if data_bytes >= 0:
                if data_bytes >= size - at or message[at + data_bytes] != SOH:
                    return GARBLED
                soh = at + <int32_t> data_bytes
                word = soh >> 6
                bits = masks[word] & ~(((<uint64_t> 2) << (soh & 63)) - 1)
        out[count].tag = <int32_t> tag
        out[count].offset = at
        out[count].size = soh - at
        count += 1
        at = soh + 1
        data_tag = _data_behind(<int32_t> tag)
        if tag == 10 and at < size:
            return GARBLED
    if count < 3 or out[2].tag != 35:  # the head has shown the first two
        return GARBLED
    return count


# ------------------------------------------------------------------------------------------ faces

def use_blocks(int kind) -> bool:
    """Look at blocks with 0 the best there is, 1 plain C, 2 SSE2, 3 AVX2; False: not on this processor."""
    global blocks
    cdef fix_blocks_t chosen = fix_choose_blocks(kind)
    if chosen != NULL:
        blocks = chosen
    return chosen != NULL


def fields_of(bytes message not None):
    """Cut a message into (tag, value); None: it is garbled."""
    cdef FixField fields[FIELDS_MAX]
    cdef int index, count = read_fields(message, len(message), fields)
    if count == GARBLED:
        return None
    return [(fields[index].tag, message[fields[index].offset:fields[index].offset + fields[index].size])
            for index in range(count)]
