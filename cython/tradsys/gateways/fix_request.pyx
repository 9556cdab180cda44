"""Reading a client's messages without Python objects. Every read is bounded by the message."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memchr, memcmp, memset

from tradsys.gateways.fix_text cimport SOH, FixText

cdef extern from *:
    """
    #include <string.h>
    extern void *memmem(const void *, size_t, const void *, size_t);
    """
    void* memmem(const void* haystack, size_t size, const void* needle, size_t needle_size) noexcept nogil

cdef enum:
    BEGIN_STRING_MAX = 17   # 8=FIX and 12 characters


cdef inline int64_t _find(const uint8_t* data, int64_t begin, int64_t end, const char* needle, int size) noexcept nogil:
    cdef const uint8_t* found
    if begin < 0 or begin >= end:
        return -1
    found = <const uint8_t*> memmem(data + begin, end - begin, needle, size)
    return -1 if found == NULL else found - data


cdef int find_message(const uint8_t* data, int64_t available, int64_t* begin, int64_t* size) noexcept nogil:
    cdef int64_t start = _find(data, 0, available, b"8=FIX", 5)
    cdef int64_t kept = 0, at, body, body_end, trailer, end
    if start != 0:
        if start > 0:
            begin[0] = start
            return FRAME_GARBLED
        for kept in range(4 if available >= 4 else available, -1, -1):
            if memcmp(data + available - kept, b"8=FIX", kept) == 0:
                break
        begin[0] = available - kept
        return FRAME_GARBLED if available > kept else FRAME_NEEDS_MORE
    # the head: BeginString, then BodyLength of at most six digits
    at = 5
    while at < available and data[at] != SOH:
        at += 1
        if at > BEGIN_STRING_MAX:
            begin[0] = 5
            return FRAME_GARBLED
    body = 0
    for kept in range(3):
        if at + kept >= available:
            return FRAME_NEEDS_MORE
        if data[at + kept] != (SOH if kept == 0 else c"9" if kept == 1 else c"="):
            begin[0] = 5
            return FRAME_GARBLED
    at += 3
    kept = at
    while at < available and c"0" <= data[at] <= c"9" and at - kept <= 6:
        body = body * 10 + data[at] - c"0"
        at += 1
    if at == available and at - kept <= 6:
        return FRAME_NEEDS_MORE
    if at == kept or at - kept > 6 or data[at] != SOH:
        begin[0] = 5
        return FRAME_GARBLED
    at += 1
    body_end = at + body
    begin[0] = at
    if body_end + 7 > MESSAGE_BYTES_MAX:
        return FRAME_GARBLED
    trailer = _find(data, body_end - 1, available, b"\x0110=", 4)
    end = 0
    if trailer >= 0:
        end = _find(data, trailer + 4, available, b"\x01", 1) + 1
    if 0 < end <= MESSAGE_BYTES_MAX:
        begin[0] = 0 if trailer == body_end - 1 else end
        size[0] = end
        return FRAME_WHOLE if trailer == body_end - 1 else FRAME_GARBLED
    return FRAME_GARBLED if max(end, available) > MESSAGE_BYTES_MAX else FRAME_NEEDS_MORE


cdef int32_t checksum_of(const uint8_t* data, int64_t size) noexcept nogil:
    cdef uint32_t total = 0
    cdef int64_t i
    for i in range(size):
        total += data[i]
    return <int32_t> (total & 255)


cdef inline int64_t _digits(const uint8_t* text, int32_t count) noexcept nogil:
    cdef int64_t value = 0
    cdef int32_t i
    for i in range(count):
        if text[i] < c"0" or text[i] > c"9":
            return -1
        value = value * 10 + text[i] - c"0"
    return value


cdef int64_t parse_time(FixText text) noexcept nogil:
    cdef int64_t year, month, day, hour, minute, second, era, fraction = 0
    cdef int32_t _i, digits = text.size - 18
    if text.size != 17 and not (digits == 3 or digits == 6 or digits == 9):
        return -1
    year, month, day = _digits(text.data, 4), _digits(text.data + 4, 2), _digits(text.data + 6, 2)
    hour, minute, second = _digits(text.data + 9, 2), _digits(text.data + 12, 2), _digits(text.data + 15, 2)
    if text.data[8] != c"-" or text.data[11] != c":" or text.data[14] != c":":
        return -1
    if year < 1970 or not 1 <= month <= 12 or not 1 <= day <= 31 or not 0 <= hour <= 23 or not 0 <= minute <= 59:
        return -1
    if not 0 <= second <= 60:
        return -1
    if text.size > 17:
        fraction = _digits(text.data + 18, digits)
        if text.data[17] != c"." or fraction < 0:
            return -1
        for _i in range(9 - digits):
            fraction *= 10
    if month <= 2:
        year -= 1
    era = year // 400
    fraction += 1_000_000_000 * (hour * 3600 + minute * 60 + second)
    month = month - 3 if month > 2 else month + 9
    year -= era * 400
    day += era * 146097 + year * 365 + year // 4 - year // 100 + (153 * month + 2) // 5 - 1 - 719468
    return day * <int64_t> 86400 * 1_000_000_000 + fraction


cdef FixText* _place_of(FixRequest* out, int64_t tag) noexcept nogil:
    """Where the value of a tag goes; NULL: nowhere."""
    if tag == 11:
        return &out.cl_ord_id
    if tag == 55:
        return &out.symbol
    if tag == 54:
        return &out.side
    if tag == 38:
        return &out.qty
    if tag == 40:
        return &out.ord_type
    if tag == 44:
        return &out.price
    if tag == 59:
        return &out.time_in_force
    if tag == 60:
        return &out.transact_time
    if tag == 1:
        return &out.account
    if tag == 18:
        return &out.exec_inst
    if tag == 41:
        return &out.orig_cl_ord_id
    if tag == 37:
        return &out.order_id
    if tag == 530:
        return &out.mass_cancel
    if tag == 584:
        return &out.status_id
    if tag == 585:
        return &out.status_type
    if tag == 790:
        return &out.status_req_id
    return NULL


cdef FixText* _header_place(FixRequest* out, int64_t tag) noexcept nogil:
    if tag == 49:
        return &out.sender
    if tag == 56:
        return &out.target
    if tag == 52:
        return &out.sending_time
    return NULL


cdef inline void _set_fault(FixRequest* out, int32_t reason, int64_t tag) noexcept nogil:
    if out.fault == FAULT_NONE or (reason == FAULT_GARBLED):
        out.fault = reason
        out.fault_tag = <int32_t> tag


cdef inline int64_t _data_behind(int64_t tag) noexcept nogil:
    """The DATA field that a field of type LENGTH stands before; 0: none."""
    if 348 <= tag <= 364 and tag % 2 == 0:
        return tag + 1
    if tag == 90 or tag == 95 or tag == 212 or tag == 618 or tag == 621:
        return tag + 1
    return 89 if tag == 93 else 446 if tag == 445 else 0


cdef inline int64_t _digits_of(const uint8_t* text, const uint8_t* end) noexcept nogil:
    """The digits there as a number, ten at most."""
    cdef int64_t value = 0
    cdef int32_t _i
    for _i in range(10):
        if end == NULL or text >= end or not c"0" <= text[0] <= c"9":
            break
        value = value * 10 + text[0] - c"0"
        text += 1
    return value


cdef void read_request(const uint8_t* message, int64_t size, FixRequest* out) noexcept nogil:
    cdef int64_t at = 0, tag, begin, count = 0
    cdef int64_t data_tag = 0, data_bytes = -1  # the DATA field that may come next, and its length
    cdef FixText value
    cdef const uint8_t* end
    memset(out, 0, sizeof(FixRequest))
    out.seq = -1
    out.fault = FAULT_NONE
    out.is_plain = 1
    if size < 7 or _digits(message + size - 4, 3) != checksum_of(message, size - 7):
        _set_fault(out, FAULT_GARBLED, 10)
        return
    while at < size:
        tag = 0
        begin = at
        while at < size and c"0" <= message[at] <= c"9" and at - begin < 10:
            tag = tag * 10 + message[at] - c"0"
            at += 1
        end = <const uint8_t*> memchr(message + at, SOH, size - at)
        if end == NULL or at == begin or message[at] != c"=" or tag > 2147483647:
            # a negative tag, or none at all: what lies behind is not read, so the message is not used
            out.is_plain = 0
            _set_fault(out, FAULT_BAD_TAG, -_digits_of(message + at + 1, end) if message[at] == c"-" else 0)
            return
        at += 1
        if data_bytes >= 0 and data_tag == tag:
            if data_bytes >= size - at or message[at + data_bytes] != SOH:
                _set_fault(out, FAULT_GARBLED, tag)
                return
            end = message + at + data_bytes
        value.data = message + at
        value.size = <int32_t> (end - value.data)
        at = end - message + 1
        count += 1
        data_tag = _data_behind(tag)
        data_bytes = _digits(value.data, value.size) if data_tag and 1 <= value.size <= 18 else -1
        if tag == 0:
            _set_fault(out, FAULT_BAD_TAG, tag)
        elif value.size == 0:
            _set_fault(out, FAULT_NO_VALUE, tag)
        if count == 3:
            if tag != 35:
                _set_fault(out, FAULT_GARBLED, 35)
            if 1 <= value.size <= 2:
                out.msg_type = value.data[0] if value.size == 1 else (value.data[0] << 8) | value.data[1]
            continue
        _take_field(out, tag, value)
    _check_required(out)


cdef void _take_field(FixRequest* out, int64_t tag, FixText value) noexcept nogil:
    cdef FixText* place = _header_place(out, tag)
    if place == NULL:
        place = _place_of(out, tag)
    if place != NULL:
        if place.data != NULL:
            _set_fault(out, FAULT_TWICE, tag)
        place[0] = value
    elif tag == 34:
        out.seq = _digits(value.data, value.size) if 1 <= value.size <= 18 else -1
    elif tag == 43 or tag == 97 or tag == 122 or 115 <= tag <= 116 or 128 <= tag <= 129 or 144 <= tag <= 145:
        out.is_plain = 0
    elif tag == 90 or tag == 91 or tag == 95 or tag == 96 or 347 <= tag <= 365:
        out.is_plain = 0  # data may hold SOH: the plain parser knows how
    elif tag == 99 or tag == 110 or tag == 111 or tag == 126 or tag == 432 or tag == 152 or tag == 386:
        out.unsupported_tag = <int32_t> tag


cdef inline bint _one_of(FixText text, const char* allowed) noexcept nogil:
    cdef int i = 0
    if text.size != 1:
        return False
    while allowed[i] != 0:
        if text.data[0] == <uint8_t> allowed[i]:
            return True
        i += 1
    return False


cdef inline void _require(FixRequest* out, FixText value, int tag) noexcept nogil:
    if value.data == NULL:
        _set_fault(out, FAULT_REQUIRED, tag)


cdef void _check_required(FixRequest* out) noexcept nogil:
    """What must be there, and values of closed lists, for the order messages."""
    cdef uint32_t kind = out.msg_type
    if kind == TYPE_MASS_STATUS:
        _require(out, out.status_id, 584)
        _require(out, out.status_type, 585)
    elif kind == TYPE_NEW_ORDER or kind == TYPE_CANCEL or kind == TYPE_REPLACE or kind == TYPE_STATUS:
        if kind != TYPE_STATUS:
            _require(out, out.cl_ord_id, 11)
            _require(out, out.transact_time, 60)
        elif out.order_id.data == NULL:
            _require(out, out.cl_ord_id, 11)
        _require(out, out.symbol, 55)
        _require(out, out.side, 54)
        if kind == TYPE_NEW_ORDER or kind == TYPE_REPLACE:
            _require(out, out.ord_type, 40)
        if (kind == TYPE_CANCEL or kind == TYPE_REPLACE) and out.order_id.data == NULL:
            _require(out, out.orig_cl_ord_id, 41)
    elif kind == TYPE_MASS_CANCEL:
        _require(out, out.cl_ord_id, 11)
        _require(out, out.mass_cancel, 530)
        _require(out, out.transact_time, 60)
    else:
        return
    if out.side.data != NULL and not _one_of(out.side, b"123456789ABCDEFG"):
        _set_fault(out, FAULT_BAD_VALUE, 54)
    if out.ord_type.data != NULL and not _one_of(out.ord_type, b"123456789DEGIJKLMP"):
        _set_fault(out, FAULT_BAD_VALUE, 40)
    if out.time_in_force.data != NULL and not _one_of(out.time_in_force, b"01234567"):
        _set_fault(out, FAULT_BAD_VALUE, 59)
    if out.mass_cancel.data != NULL and not _one_of(out.mass_cancel, b"1234567"):
        _set_fault(out, FAULT_BAD_VALUE, 530)
    if out.transact_time.data != NULL and parse_time(out.transact_time) < 0:
        _set_fault(out, FAULT_BAD_FORMAT, 60)


# ------------------------------------------------------------------------------------------ faces

def split(bytes stream not None):
    """Cut a stream into messages: list of them, bytes passed over, and what is left. The same as tradsys.fix.message."""
    cdef const uint8_t* data = stream
    cdef int64_t at = 0, begin = 0, size = 0, garbled = 0
    cdef int outcome
    found = []
    while at < len(stream):
        outcome = find_message(data + at, len(stream) - at, &begin, &size)
        if outcome == FRAME_NEEDS_MORE:
            break
        if outcome == FRAME_GARBLED:
            garbled += begin
            at += begin
        else:
            found.append(stream[at:at + size])
            at += size
    return found, garbled, stream[at:]


def read(bytes message not None):
    """What the order path reads of a message, as a dict; for tests."""
    cdef FixRequest out
    read_request(message, len(message), &out)
    return {"msg_type": out.msg_type, "seq": out.seq, "is_plain": bool(out.is_plain), "fault": out.fault,
            "fault_tag": out.fault_tag, "cl_ord_id": _text(out.cl_ord_id), "symbol": _text(out.symbol),
            "qty": _text(out.qty), "price": _text(out.price), "unsupported_tag": out.unsupported_tag,
            "sending_time_ns": parse_time(out.sending_time) if out.sending_time.data != NULL else -1}


cdef bytes _text(FixText text):
    return None if text.data == NULL else (<const char*> text.data)[:text.size]
