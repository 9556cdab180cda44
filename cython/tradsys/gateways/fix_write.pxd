"""Messages written whole, and the terms of an order read: what lies between FIX text and the engine's units."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.state cimport Instrument
from tradsys.gateways.fix_orders cimport FixOrder
from tradsys.gateways.fix_request cimport FixRequest
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
# TimeInForce of a value of tag 59; 0: the venue has none for it.
cdef uint8_t time_in_force_of(uint8_t letter) noexcept nogil
# What a D or G asks for, in the instrument's units. 0, or RejectReason and the sentence why not.
cdef int read_terms(FixOrder* terms, const FixRequest* request, const Instrument* instrument,
                    const char** sentence) noexcept nogil
