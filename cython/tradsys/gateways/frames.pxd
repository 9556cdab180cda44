"""Order entry frames, checked as a whole before any record is used (protocols/order_entry.md section 2).

A frame is a `Frame` record and message_count records lying back to back. What comes from a socket may lie at any
address, so bytes are read by copy, never through a struct pointer.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef struct FrameView:
    uint32_t first_seq          # client_seq of the first record, 0 for session messages and unreadable frames
    int32_t message_count       # records in the frame
    int32_t session_template    # template id of the one session message, 0: the frame holds commands
    int32_t bad_index           # record at fault, -1: the frame itself

# RejectReason of the first thing found wrong, REJECT_REASON_NONE when the frame may be used.
cdef int check_frame(const uint8_t* data, int64_t size_bytes, int32_t messages_max, FrameView* view) noexcept nogil

# Sentence that goes with a RejectReason of the door.
cdef const char* refusal_text(int reject_reason) noexcept nogil

# Write the head of a frame; size_bytes counts the head.
cdef void write_frame_head(uint8_t* target, uint32_t first_seq, int32_t message_count,
                           int64_t size_bytes) noexcept nogil

# Write a record's SBE header.
cdef void write_header(void* record, int block_length, int template_id) noexcept nogil


cdef inline uint64_t load_u64(const uint8_t* data) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, data, 8)
    return word


cdef inline uint32_t load_u32(const uint8_t* data) noexcept nogil:
    cdef uint32_t word
    memcpy(&word, data, 4)
    return word


cdef inline int32_t record_template(const uint8_t* record) noexcept nogil:
    return <int32_t> ((load_u64(record) >> 16) & 0xFFFF)


cdef inline int32_t record_bytes(const uint8_t* record) noexcept nogil:
    """Size of a record with its header."""
    return <int32_t> (load_u64(record) & 0xFFFF) + 8
