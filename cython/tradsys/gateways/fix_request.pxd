"""Messages of a client as views: where each begins in the stream, and what an order message says.

Views point into the buffer the message lies in and live as long as it is not moved.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from tradsys.fix.fields cimport FixField
from tradsys.gateways.fix_text cimport FixText

cdef enum:
    FRAME_WHOLE = 0
    FRAME_NEEDS_MORE = 1
    FRAME_GARBLED = 2       # `begin` bytes are no message: pass over them
    MESSAGE_BYTES_MAX = 16384
    # msg_type
    TYPE_NEW_ORDER = 68     # D
    TYPE_CANCEL = 70        # F
    TYPE_REPLACE = 71       # G
    TYPE_STATUS = 72        # H
    TYPE_MASS_CANCEL = 113  # q
    TYPE_MASS_STATUS = 16710  # AF
    # fault: SessionRejectReason, tag 373
    FAULT_NONE = -1
    FAULT_BAD_TAG = 0
    FAULT_REQUIRED = 1
    FAULT_NO_VALUE = 4
    FAULT_BAD_VALUE = 5
    FAULT_BAD_FORMAT = 6
    FAULT_TWICE = 13
    FAULT_GARBLED = 100     # not a message at all: ignored and counted
    # fields of special orders, by their place in FixRequest.terms
    TERM_STOP = 0               # 99
    TERM_MIN_QTY = 1            # 110
    TERM_DISPLAY = 2            # 111
    TERM_EXPIRE_TIME = 3        # 126
    TERM_CASH = 4               # 152
    TERM_OFFSET = 5             # 211
    TERM_EXPIRE_DATE = 6        # 432
    TERM_OFFSET_TYPE = 7        # 836
    TERM_DISPLAY_LOW = 8        # 1085
    TERM_TRIGGER_TYPE = 9       # 1107
    TERM_POST_ONLY_MODE = 10    # 5110
    TERM_POST_ONLY_TICKS = 11   # 5111
    TERM_PROTECTION = 12        # 5112
    TERM_SELF_TRADE = 13        # 7928
    TERMS = 14

cdef struct FixRequest:
    uint32_t msg_type       # of one or two characters, the first in the higher byte; 0: another
    int64_t seq             # MsgSeqNum; -1: absent or no number
    int64_t transact_ns     # TransactTime of an order message, ns since the epoch; -1: absent or none
    int32_t is_plain        # 1: no PossDupFlag, PossResend, routing fields, data or credentials
    int32_t fault           # FAULT_
    int32_t fault_tag
    int32_t unsupported_tag # a known tag that asks for what the venue does not have; 0: none
    uint32_t asked          # bit TERM_: the message has this field; 0 of every plain order
    # header
    FixText sender          # 49
    FixText target          # 56
    FixText sending_time    # 52
    # body
    FixText account         # 1
    FixText cl_ord_id       # 11
    FixText exec_inst       # 18
    FixText order_id        # 37
    FixText qty             # 38
    FixText ord_type        # 40
    FixText orig_cl_ord_id  # 41
    FixText price           # 44
    FixText side            # 54
    FixText symbol          # 55
    FixText time_in_force   # 59
    FixText transact_time   # 60
    FixText mass_cancel     # 530
    FixText status_id       # 584
    FixText status_type     # 585
    FixText status_req_id   # 790
    # what special orders have (TERM_): only those with their bit in `asked` hold anything
    FixText terms[TERMS]

# The next message of a stream: at `begin`, `size` bytes.
cdef int find_message(const uint8_t* data, int64_t available, int64_t* begin, int64_t* size) noexcept nogil
# Read a whole message; its faults are in `out`.
cdef void read_request(const uint8_t* message, int64_t size, FixRequest* out) noexcept nogil
# The same of a message already cut into fields (a validator's): `count` of them, or GARBLED.
cdef void request_of(const uint8_t* message, const FixField* fields, int32_t count, FixRequest* out) noexcept nogil
# UTCTimestamp as ns since the epoch; -1 when it is none, or lies before it; the largest number from 2262 on.
cdef int64_t parse_time(FixText text) noexcept nogil
# LocalMktDate as the ns since the epoch at which that day (UTC) is over; -1 when it is none.
cdef int64_t parse_day_end(FixText text) noexcept nogil
cdef int32_t checksum_of(const uint8_t* data, int64_t size) noexcept nogil


cdef inline bint has_term(const FixRequest* request, int term) noexcept nogil:
    return request.asked >> term & 1


cdef inline bint is_order_message(uint32_t msg_type) noexcept nogil:
    return (msg_type == TYPE_NEW_ORDER or msg_type == TYPE_CANCEL or msg_type == TYPE_REPLACE or msg_type == TYPE_STATUS
            or msg_type == TYPE_MASS_CANCEL or msg_type == TYPE_MASS_STATUS)
