"""Bodies of ExecutionReport, OrderCancelReject and OrderMassCancelReport, written from events and the order table."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tradsys.core.state cimport Instrument
from tradsys.gateways.fix_orders cimport FixOrder, FixOrders
from tradsys.gateways.fix_request cimport FixRequest
from tradsys.gateways.fix_text cimport FixText
from tradsys.wire.records cimport (
    ExecutionReport, REPORT_TYPE_ACCEPTED, REPORT_TYPE_CORRECTED, REPORT_TYPE_FEE, REPORT_TYPE_REPLACED,
    REPORT_TYPE_TRANSFERRED, REPORT_TYPE_TRIGGERED, TEMPLATE_NEW_COMPLEX_ORDER, TEMPLATE_NEW_ORDER,
)

cdef enum:
    BODY_BYTES_MAX = 2048       # of any of them
    TYPE_EXECUTION_REPORT = 56  # 8
    TYPE_CANCEL_REJECT = 57     # 9
    TYPE_MASS_CANCEL_REPORT = 114  # r
    TYPE_BUSINESS_REJECT = 106  # j


# Whether a report tells of one order.
cdef inline bint is_about_order(int report_type) noexcept nogil:
    return (REPORT_TYPE_ACCEPTED <= report_type <= REPORT_TYPE_REPLACED or report_type == REPORT_TYPE_TRIGGERED
            or report_type == REPORT_TYPE_TRANSFERRED)


# Whether it tells what came of a match later: its fee, that it was undone, that it has another price.
cdef inline bint is_about_match(int report_type) noexcept nogil:
    return REPORT_TYPE_FEE <= report_type <= REPORT_TYPE_CORRECTED


# Whether a command enters an order.
cdef inline bint is_new_order(int template_id) noexcept nogil:
    return template_id == TEMPLATE_NEW_ORDER or template_id == TEMPLATE_NEW_COMPLEX_ORDER


# The body that tells a report of the engine; its length, 0: it has none. `root` is the order's, already up to date, or NULL.
cdef int32_t write_report(uint8_t* out, const ExecutionReport* report, int party, FixOrders orders, FixOrder* root,
                          const Instrument* instrument, int digits, uint32_t* msg_type) noexcept nogil
# What came of a match (150=B, G, H). `root` NULL: the order is no longer remembered, and `name` is what its request was called.
cdef int32_t write_match_change(uint8_t* out, const ExecutionReport* report, int party, FixOrders orders,
                                const FixOrder* root, FixText name, const Instrument* instrument,
                                int digits) noexcept nogil
# Where an order stands (150=I), for a status request; behind it what `suffix` holds (584, 911, 912, 790).
cdef int32_t write_status(uint8_t* out, FixOrders orders, const FixOrder* root, const Instrument* instrument,
                          int digits, uint64_t out_seq, const uint8_t* suffix, int32_t suffix_bytes) noexcept nogil
# The door's own refusal of a new order (8), cancel or replace (9), mass cancel (r); root: the order meant, or NULL.
cdef int32_t write_refusal(uint8_t* out, const FixRequest* request, FixOrders orders, const FixOrder* root, int reason,
                           FixText sentence, int64_t ts_ns, int digits, uint64_t out_seq,
                           uint32_t* msg_type) noexcept nogil
