"""Checks and heads of order entry frames."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from tradsys.wire.records cimport (
    BLOCK_FRAME, BLOCK_HEARTBEAT, BLOCK_LOGON, BLOCK_LOGOUT, BLOCK_RESEND_REQUEST, COMMAND_BLOCK_LENGTHS,
    COMMAND_TEMPLATES, Frame, REJECT_REASON_BAD_BLOCK_LENGTH, REJECT_REASON_MALFORMED_FRAME, REJECT_REASON_NONE,
    REJECT_REASON_NOT_AVAILABLE, REJECT_REASON_NOT_LOGGED_ON, REJECT_REASON_SEQUENCE_GAP,
    REJECT_REASON_UNKNOWN_TEMPLATE, REJECT_REASON_UNSUPPORTED_VERSION, SCHEMA_ID, SCHEMA_VERSION, SIZE_FRAME,
    TEMPLATE_CLOSE_SESSION, TEMPLATE_FRAME, TEMPLATE_HEARTBEAT, TEMPLATE_LOGON, TEMPLATE_LOGOUT, TEMPLATE_OPEN_SESSION,
    TEMPLATE_REFUSE_COMMAND, TEMPLATE_RESEND_REQUEST,
)

# Templates of this door are all below 256.
cdef enum:
    TEMPLATES = 256
    FIRST_SESSION_TEMPLATE = 192

# The one right header of each template a client may send, as a word; 0: not allowed at this door.
cdef uint64_t HEADERS[TEMPLATES]


cdef inline uint64_t header_word(int template_id, int block_length) noexcept nogil:
    return (<uint64_t> block_length | <uint64_t> template_id << 16 | <uint64_t> SCHEMA_ID << 32
            | <uint64_t> SCHEMA_VERSION << 48)


cdef void _allow(int template_id, int block_length) noexcept:
    HEADERS[template_id] = header_word(template_id, block_length)


cdef void _allow_all() noexcept:
    """Every command but those the venue itself makes, and what a client says of its session."""
    cdef int template_id
    memset(HEADERS, 0, sizeof(HEADERS))
    for template_id in range(<int> COMMAND_TEMPLATES):
        if COMMAND_BLOCK_LENGTHS[template_id]:
            _allow(template_id, COMMAND_BLOCK_LENGTHS[template_id])
    HEADERS[<int> TEMPLATE_REFUSE_COMMAND] = 0
    HEADERS[<int> TEMPLATE_OPEN_SESSION] = 0
    HEADERS[<int> TEMPLATE_CLOSE_SESSION] = 0
    _allow(TEMPLATE_LOGON, BLOCK_LOGON)
    _allow(TEMPLATE_LOGOUT, BLOCK_LOGOUT)
    _allow(TEMPLATE_HEARTBEAT, BLOCK_HEARTBEAT)
    _allow(TEMPLATE_RESEND_REQUEST, BLOCK_RESEND_REQUEST)


_allow_all()


cdef int check_frame(const uint8_t* data, int64_t size_bytes, int32_t messages_max, FrameView* view) noexcept nogil:
    cdef int reason = _check_head(data, size_bytes, messages_max, view)
    if reason != REJECT_REASON_NONE:
        return reason
    if record_template(data + SIZE_FRAME) >= FIRST_SESSION_TEMPLATE:
        return _check_session_message(data + SIZE_FRAME, size_bytes - SIZE_FRAME, view)
    return _check_commands(data + SIZE_FRAME, size_bytes - SIZE_FRAME, view)


cdef int _check_head(const uint8_t* data, int64_t size_bytes, int32_t messages_max, FrameView* view) noexcept nogil:
    cdef Frame head
    memset(view, 0, sizeof(FrameView))
    view.bad_index = -1
    if size_bytes < SIZE_FRAME + 8 or size_bytes % 8 != 0:
        return REJECT_REASON_MALFORMED_FRAME
    memcpy(&head, data, SIZE_FRAME)
    if head.schema_id != SCHEMA_ID or head.version != SCHEMA_VERSION:
        return REJECT_REASON_UNSUPPORTED_VERSION
    if head.template_id != TEMPLATE_FRAME or head.block_length != BLOCK_FRAME:
        return REJECT_REASON_MALFORMED_FRAME
    if head.frame_bytes != size_bytes or load_u64(data + 16) >> 32 != 0 or load_u32(data + 12) >> 16 != 0:
        return REJECT_REASON_MALFORMED_FRAME
    if head.message_count < 1 or head.message_count > messages_max:
        return REJECT_REASON_MALFORMED_FRAME
    view.first_seq = head.first_seq
    view.message_count = head.message_count
    return REJECT_REASON_NONE


cdef int _check_session_message(const uint8_t* record, int64_t size_bytes, FrameView* view) noexcept nogil:
    cdef int reason = _check_header(record)
    if reason != REJECT_REASON_NONE:
        view.bad_index = 0
        return reason
    if view.message_count != 1 or record_bytes(record) != size_bytes or view.first_seq != 0:
        return REJECT_REASON_MALFORMED_FRAME
    view.session_template = record_template(record)
    return REJECT_REASON_NONE


cdef int _check_commands(const uint8_t* record, int64_t size_bytes, FrameView* view) noexcept nogil:
    cdef int64_t left = size_bytes
    cdef int32_t i, size
    cdef int reason
    if view.first_seq == 0 or <uint64_t> view.first_seq + view.message_count > <uint64_t> 0xFFFFFFFF:
        return REJECT_REASON_MALFORMED_FRAME
    for i in range(view.message_count):
        view.bad_index = i
        if left < 8:
            return REJECT_REASON_MALFORMED_FRAME
        reason = _check_header(record)
        if reason != REJECT_REASON_NONE:
            return reason
        size = record_bytes(record)
        if left < size or record_template(record) >= FIRST_SESSION_TEMPLATE:
            return REJECT_REASON_MALFORMED_FRAME
        # seq, ts_ns, session_id and client_seq are the venue's to write
        if load_u64(record + 8) | load_u64(record + 16) | load_u64(record + 24):
            return REJECT_REASON_MALFORMED_FRAME
        record += size
        left -= size
    view.bad_index = -1
    return REJECT_REASON_NONE if left == 0 else REJECT_REASON_MALFORMED_FRAME


cdef inline int _check_header(const uint8_t* record) noexcept nogil:
    cdef uint64_t word = load_u64(record)
    cdef uint32_t template_id = (word >> 16) & 0xFFFF
    if template_id < TEMPLATES and HEADERS[template_id] == word:
        return REJECT_REASON_NONE
    if word >> 32 != (<uint64_t> SCHEMA_ID | <uint64_t> SCHEMA_VERSION << 16):
        return REJECT_REASON_UNSUPPORTED_VERSION
    if template_id >= TEMPLATES or HEADERS[template_id] == 0:
        return REJECT_REASON_UNKNOWN_TEMPLATE
    return REJECT_REASON_BAD_BLOCK_LENGTH


cdef const char* refusal_text(int reject_reason) noexcept nogil:
    if reject_reason == REJECT_REASON_MALFORMED_FRAME:
        return b"Frame length, counts, padding or zero fields do not add up"
    if reject_reason == REJECT_REASON_UNSUPPORTED_VERSION:
        return b"Schema id or version is not spoken here"
    if reject_reason == REJECT_REASON_UNKNOWN_TEMPLATE:
        return b"Template id is not known or not allowed at this door"
    if reject_reason == REJECT_REASON_BAD_BLOCK_LENGTH:
        return b"Block length differs from the schema's"
    if reject_reason == REJECT_REASON_NOT_LOGGED_ON:
        return b"This connection has no session; log on first"
    if reject_reason == REJECT_REASON_SEQUENCE_GAP:
        return b"first_seq is above the next client_seq expected"
    if reject_reason == REJECT_REASON_NOT_AVAILABLE:
        return b"No such report yet; ask from 1 to the next report_seq"
    return b"Refused"


cdef void write_header(void* record, int block_length, int template_id) noexcept nogil:
    cdef uint64_t word = header_word(template_id, block_length)
    memcpy(record, &word, 8)


cdef void write_frame_head(uint8_t* target, uint32_t first_seq, int32_t message_count,
                           int64_t size_bytes) noexcept nogil:
    cdef Frame head
    memset(&head, 0, SIZE_FRAME)
    write_header(&head, BLOCK_FRAME, TEMPLATE_FRAME)
    head.first_seq = first_seq
    head.message_count = <uint16_t> message_count
    head.frame_bytes = <uint32_t> size_bytes
    memcpy(target, &head, SIZE_FRAME)


def check(const uint8_t[::1] data not None, int messages_max=1024):
    """Check one frame from a client as the gateway does.

    Parameters
    ----------
    data : buffer of bytes
        The frame, at any alignment.
    messages_max : int
        Most records a frame may hold.

    Returns
    -------
    tuple of (int, int, int, int, int)
        RejectReason (0: usable), first_seq, message_count, template id of the session message or 0, and the index of
        the record at fault or -1.
    """
    cdef FrameView view
    cdef int reason
    cdef const uint8_t* base = &data[0] if data.shape[0] > 0 else NULL
    with nogil:
        reason = check_frame(base, data.shape[0], messages_max, &view)
    return reason, view.first_seq, view.message_count, view.session_template, view.bad_index


def refusal_sentence(int reject_reason):
    """Sentence the door gives with a RejectReason."""
    return (<bytes> refusal_text(reject_reason)).decode("ascii")
