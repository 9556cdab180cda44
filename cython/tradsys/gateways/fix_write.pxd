"""Messages written whole."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tradsys.gateways.fix_text cimport FixText

cdef struct FixHeader:
    uint32_t msg_type     # characters, the last in the lowest byte
    uint64_t seq          # MsgSeqNum
    int64_t ts_ns         # SendingTime, ns since the epoch
    int64_t orig_ns       # OrigSendingTime of a resend; -1: as SendingTime; 0: not a resend
    FixText ours
    FixText theirs
    FixText routing       # fields 115, 116, 128, 129, 144, 145 as they are
    int32_t digits        # behind the second

# Write a message around a body; where it begins in `target`, which has room for 1024 bytes more than the body.
cdef int64_t write_message(uint8_t* target, const FixHeader* header, const uint8_t* body, int32_t size,
                           int* body_offset, int64_t* end) noexcept nogil
