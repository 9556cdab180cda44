"""Reading a client's messages without Python objects. Every read is bounded by the message."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memchr, memcmp, memset

cimport cython

from tradsys.fix.digits cimport date_of, fraction_of, second_of_day
from tradsys.fix.fields cimport FIELDS_MAX, GARBLED, FixField, read_fields
from tradsys.gateways.fix_text cimport SOH, FixText

from tradsys.fix.message import SECRET_TAGS

cdef extern from *:
    """
    #include <string.h>
    extern void *memmem(const void *, size_t, const void *, size_t);
    """
    void* memmem(const void* haystack, size_t size, const void* needle, size_t needle_size) noexcept nogil

cdef extern from "tradsys/fix/blocks.h" nogil:
    uint32_t fix_sum(const uint8_t* data, int64_t size) noexcept nogil

cdef enum:
    BEGIN_STRING_MAX = 17   # 8=FIX and 12 characters
    NEAR_TAGS = 1408        # of others nothing is done with the value
    HEADER_KINDS = 3        # sender, target, sending_time
    KIND_OTHER = 64         # below: the place of the value behind FixRequest.sender
    KIND_SEQ = 65
    KIND_NOT_PLAIN = 66
    KIND_UNSUPPORTED = 67
    KIND_TERM = 128         # and above: a field of special orders, by TERM_

# tags of FixRequest.terms, by TERM_
TERM_TAGS = (99, 110, 111, 126, 152, 211, 432, 836, 1085, 1107, 5110, 5111, 5112, 7928)
# what other venues know and this one does not: discretion, other pegs, other ways to show a part, sessions, lists of triggers,
# lists of orders (they are entered at the binary door only)
UNSUPPORTED_TAGS = (66, 67, 68, 386, 388, 389, 583, 835, 837, 838, 1080, 1081, 1084, 1086, 1088, 1100, 1109, 1138, 1385)

cdef int64_t TIME_MAX = 9223372036854775807  # stands for all that do not fit: from 2262 on
cdef uint8_t kinds[NEAR_TAGS]


cdef inline int64_t _find(const uint8_t* data, int64_t begin, int64_t end, const char* needle, int size) noexcept nogil:
    cdef const uint8_t* found
    if begin < 0 or begin >= end:
        return -1
    found = <const uint8_t*> memmem(data + begin, end - begin, needle, size)
    return -1 if found == NULL else found - data


cdef int find_message(const uint8_t* data, int64_t available, int64_t* begin, int64_t* size) noexcept nogil:
    cdef int64_t start = 0 if available >= 5 and memcmp(data, b"8=FIX", 5) == 0 else _find(data, 0, available, b"8=FIX", 5)
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
    if available >= body_end + 7 and memcmp(data + body_end - 1, b"\x0110=", 4) == 0 and memchr(
            data + body_end + 3, SOH, 4) == data + body_end + 6:
        begin[0] = 0
        size[0] = body_end + 7
        return FRAME_WHOLE
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
    return <int32_t> (fix_sum(data, size) & 255)


cdef inline int64_t _digits(const uint8_t* text, int32_t count) noexcept nogil:
    cdef int64_t value = 0
    cdef int32_t i
    for i in range(count):
        if text[i] < c"0" or text[i] > c"9":
            return -1
        value = value * 10 + text[i] - c"0"
    return value


cdef int64_t parse_time(FixText text) noexcept nogil:
    cdef int64_t fraction, seconds
    cdef int32_t digits = text.size - 18
    cdef uint32_t date
    if text.size != 17 and not (digits == 3 or digits == 6 or digits == 9):
        return -1
    date, seconds = date_of(text.data), second_of_day(text.data + 9)
    if date < 19700101 or seconds < 0 or text.data[8] != c"-":
        return -1
    fraction = 0 if digits < 0 else fraction_of(text.data + 17, digits)
    if fraction < 0:
        return -1
    if date >= 22620101:
        return TIME_MAX
    return _day_number(date) * 86400 * 1_000_000_000 + seconds * 1_000_000_000 + fraction


cdef int64_t parse_day_end(FixText text) noexcept nogil:
    cdef uint32_t date = date_of(text.data) if text.size == 8 else 0
    if date < 19700101:
        return -1
    return TIME_MAX if date >= 22620101 else (_day_number(date) + 1) * 86400 * 1_000_000_000


cdef inline int64_t _day_number(uint32_t date) noexcept nogil:
    """Days from the epoch to a date that is right, as YYYYMMDD."""
    cdef int64_t year = date // 10000, month = date // 100 % 100, day = date % 100, era
    if month <= 2:
        year -= 1
    era = year // 400
    month = month - 3 if month > 2 else month + 9
    year -= era * 400
    return day + era * 146097 + year * 365 + year // 4 - year // 100 + (153 * month + 2) // 5 - 1 - 719468


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


cdef void read_request(const uint8_t* message, int64_t size, FixRequest* out) noexcept nogil:
    cdef FixField fields[FIELDS_MAX]
    request_of(message, fields, read_fields(message, size, fields), out)


cdef void request_of(const uint8_t* message, const FixField* fields, int32_t count, FixRequest* out) noexcept nogil:
    cdef int32_t index, tag
    cdef uint8_t kind
    cdef bint has_seq = False
    cdef const FixField* field
    cdef FixText* place
    memset(out, 0, sizeof(FixRequest) - sizeof(out.terms))
    out.seq = out.transact_ns = -1
    out.fault = FAULT_NONE
    out.is_plain = 1
    if count == GARBLED:
        _set_fault(out, FAULT_GARBLED, 10)
        return
    if fields[2].size == 1:
        out.msg_type = message[fields[2].offset]
    elif fields[2].size == 2:
        out.msg_type = (message[fields[2].offset] << 8) | message[fields[2].offset + 1]
    for index in range(count):
        field = &fields[index]
        tag = field.tag
        if tag < 1:
            out.is_plain = 0
            _set_fault(out, FAULT_BAD_TAG, tag)
            continue
        if field.size == 0:
            _set_fault(out, FAULT_NO_VALUE, tag)
        kind = kinds[tag] if tag < NEAR_TAGS else _far_kind(tag)
        if kind < KIND_OTHER:
            place = &out.sender + kind
            if place.data != NULL and (kind < HEADER_KINDS or is_order_message(out.msg_type)):
                _set_fault(out, FAULT_TWICE, tag)  # of other messages it may be in a group
            place.data, place.size = message + field.offset, field.size
        elif kind == KIND_SEQ:
            if has_seq:
                _set_fault(out, FAULT_TWICE, tag)   # the first one counts, as it does for the session
                continue
            has_seq = True
            out.seq = _digits(message + field.offset, field.size) if 1 <= field.size <= 18 else -1
        elif kind == KIND_NOT_PLAIN:
            out.is_plain = 0
        elif kind == KIND_UNSUPPORTED:
            out.unsupported_tag = tag
        elif kind >= KIND_TERM:
            _note_term(out, kind - KIND_TERM, tag, message + field.offset, field.size)
    _check_required(out)


@cython.overflowcheck(False)  # differences of pointers
cdef void _fill_kinds() noexcept:
    """What is done with the tags: the values of `_place_of` and `_header_place` lie one behind the other."""
    cdef FixRequest probe
    cdef FixText* place
    cdef int32_t tag
    for tag in range(NEAR_TAGS):
        place = _header_place(&probe, tag)
        if place == NULL:
            place = _place_of(&probe, tag)
        if place != NULL:
            kinds[tag] = <uint8_t> (place - &probe.sender)
        elif tag == 34:
            kinds[tag] = KIND_SEQ
        elif tag in (43, 97, 122, 115, 116, 128, 129, 144, 145):
            kinds[tag] = KIND_NOT_PLAIN
        elif tag in (90, 91, 95, 96) or 347 <= tag <= 365:
            kinds[tag] = KIND_NOT_PLAIN  # data may hold SOH: the plain parser knows how
        elif tag in SECRET_TAGS:
            kinds[tag] = KIND_NOT_PLAIN  # is stored otherwise than it came
        elif tag in TERM_TAGS:
            kinds[tag] = <uint8_t> (KIND_TERM + TERM_TAGS.index(tag))
        elif tag in UNSUPPORTED_TAGS:
            kinds[tag] = KIND_UNSUPPORTED
        else:
            kinds[tag] = KIND_OTHER


_fill_kinds()


cdef inline bint _one_of(FixText text, const char* allowed) noexcept nogil:
    cdef int i = 0
    if text.size != 1:
        return False
    while allowed[i] != 0:
        if text.data[0] == <uint8_t> allowed[i]:
            return True
        i += 1
    return False


cdef inline uint8_t _far_kind(int32_t tag) noexcept nogil:
    """What `kinds` would say of a tag beyond it."""
    if 5110 <= tag <= 5112:
        return <uint8_t> (KIND_TERM + TERM_POST_ONLY_MODE + tag - 5110)
    return KIND_TERM + TERM_SELF_TRADE if tag == 7928 else KIND_OTHER


cdef void _note_term(FixRequest* out, int term, int32_t tag, const uint8_t* value, int32_t size) noexcept nogil:
    """Take a field of special orders; of closed lists and times also whether it is one."""
    cdef FixText text
    if out.msg_type != TYPE_NEW_ORDER and out.msg_type != TYPE_REPLACE:
        return
    if has_term(out, term):
        _set_fault(out, FAULT_TWICE, tag)
    text.data, text.size = value, size
    out.terms[term] = text
    out.asked |= <uint32_t> 1 << term
    if ((term == TERM_OFFSET_TYPE and not _one_of(text, b"0123"))
            or (term == TERM_TRIGGER_TYPE and not _one_of(text, b"123456M"))
            or (term == TERM_POST_ONLY_MODE and not _one_of(text, b"RSP"))
            or (term == TERM_SELF_TRADE and not _one_of(text, b"ANOBDRT"))):
        _set_fault(out, FAULT_BAD_VALUE, tag)
    if ((term == TERM_EXPIRE_TIME and parse_time(text) < 0)
            or (term == TERM_EXPIRE_DATE and parse_day_end(text) < 0)):
        _set_fault(out, FAULT_BAD_FORMAT, tag)


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
    if out.time_in_force.data != NULL and not _one_of(out.time_in_force, b"01234567B"):
        _set_fault(out, FAULT_BAD_VALUE, 59)
    if out.mass_cancel.data != NULL and not _one_of(out.mass_cancel, b"1234567"):
        _set_fault(out, FAULT_BAD_VALUE, 530)
    if out.transact_time.data != NULL:
        out.transact_ns = parse_time(out.transact_time)
        if out.transact_ns < 0:
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
            "terms": {TERM_TAGS[i]: _text(out.terms[i]) for i in range(TERMS) if has_term(&out, i)},
            "sending_time_ns": parse_time(out.sending_time) if out.sending_time.data != NULL else -1}


cdef bytes _text(FixText text):
    return None if text.data == NULL else (<const char*> text.data)[:text.size]
