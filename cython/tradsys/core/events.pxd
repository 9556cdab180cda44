"""Writers of the events that order commands cause: each fills one 128-byte record at the cursor, padding included.

Room has been checked before; the cursor moves on by one record.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from tradsys.core.order cimport Order
from tradsys.core.prefetch cimport prefetch_to_write
from tradsys.core.state cimport Session, State, next_report_seq
from tradsys.wire.records cimport (
    BLOCK_ORDER_ACCEPTED, EVENT_FLAGS_RESTS, EVENT_FLAGS_UNSOLICITED, OrderAccepted, OrderCanceled, OrderExecuted,
    OrderReduced, OrderRejected, OrderReplaced, OrderRested, SCHEMA_ID, SCHEMA_VERSION, TEMPLATE_FEE_CHARGED,
    TEMPLATE_ORDER_ACCEPTED, TEMPLATE_ORDER_CANCELED, TEMPLATE_ORDER_EXECUTED, TEMPLATE_ORDER_REDUCED,
    TEMPLATE_ORDER_REJECTED, TEMPLATE_ORDER_REPLACED, TEMPLATE_ORDER_RESTED, TEMPLATE_ORDER_TRANSFERRED,
    TEMPLATE_TRADE_CORRECTED)

cdef enum:
    EVENT_BYTES = 128

cdef struct Command:                    # what commands 1-6 begin with
    uint64_t header
    uint64_t seq
    int64_t ts_ns
    uint32_t session_id
    uint32_t client_seq
    uint64_t client_ref

cdef struct EventHead:                  # what every event begins with
    uint64_t header
    uint64_t seq
    int64_t ts_ns
    uint64_t cause_seq


cdef inline bint has_two_parties(uint32_t template_id) noexcept nogil:
    """Whether an event is reported to both parties of a match; these lie where OrderExecuted has them."""
    return (template_id == TEMPLATE_ORDER_EXECUTED or template_id == TEMPLATE_ORDER_TRANSFERRED
            or TEMPLATE_FEE_CHARGED <= template_id <= TEMPLATE_TRADE_CORRECTED)


cdef inline uint64_t event_header(uint64_t template_id) noexcept nogil:
    """The 8-byte header of an event as one word."""
    return (BLOCK_ORDER_ACCEPTED | template_id << 16 | <uint64_t> SCHEMA_ID << 32 | <uint64_t> SCHEMA_VERSION << 48)


cdef inline void* event_begin(State* s, uint64_t template_id, int64_t ts_ns) noexcept nogil:
    """Number the next event and fill its head."""
    cdef EventHead* event = <EventHead*> s.cursor
    # lines to be written soon: the store queue does not wait for them (a prefetch past the buffer's end harms nothing)
    prefetch_to_write(s.cursor + 6 * EVENT_BYTES)
    prefetch_to_write(s.cursor + 6 * EVENT_BYTES + 64)
    s.cursor += EVENT_BYTES
    s.last_event_seq += 1
    event.header = event_header(template_id)
    event.seq = s.last_event_seq
    event.ts_ns = ts_ns
    event.cause_seq = s.last_seq
    return event


cdef inline void number_command(State* s, const Command* c) noexcept nogil:
    """The command takes the next seq, and its client_seq counts (rule 1.4)."""
    cdef Session* session
    s.last_seq += 1
    if c.client_seq != 0 and c.session_id < s.sessions_max:
        session = &s.sessions[c.session_id]
        if session.gate:
            session.last_client_seq = c.client_seq


cdef inline uint32_t unsolicited(const Command* c, const Order* order) noexcept nogil:
    """UNSOLICITED when the command came from another session than the order's (rule 1.8)."""
    return 0 if c.session_id == order.session_id else EVENT_FLAGS_UNSOLICITED


cdef inline void write_accepted(State* s, const Command* c, const Order* order, int64_t price_ticks,
                                uint32_t event_flags) noexcept nogil:
    cdef OrderAccepted* e = <OrderAccepted*> event_begin(s, TEMPLATE_ORDER_ACCEPTED, c.ts_ns)
    e.order_id = order.order_id
    e.client_ref = order.client_ref
    e.price_ticks = price_ticks
    e.qty_lots = order.qty_lots
    e.leaves_lots = order.qty_lots
    e.instrument_id = order.instrument_id
    e.session_id = order.session_id
    e.account_id = order.account_id
    e.report_seq = next_report_seq(s, order.session_id)
    e.participant_id = s.sessions[order.session_id].participant_id
    e.client_seq = c.client_seq
    (<uint32_t*> &e.side)[0] = order.traits
    e.order_flags = order.order_flags
    e.event_flags = <uint16_t> event_flags
    e.expire_ts_ns = 0
    memset(e.pad, 0, sizeof(e.pad))


cdef inline void write_replaced(State* s, const Command* c, const Order* order, int64_t price_ticks,
                                uint32_t event_flags, uint64_t orig_client_ref, int64_t price_before_ticks,
                                int64_t leaves_before_lots) noexcept nogil:
    cdef OrderReplaced* e = <OrderReplaced*> event_begin(s, TEMPLATE_ORDER_REPLACED, c.ts_ns)
    cdef uint32_t foreign = unsolicited(c, order)
    e.order_id = order.order_id
    e.client_ref = order.client_ref
    e.price_ticks = price_ticks
    e.qty_lots = order.qty_lots
    e.leaves_lots = order.leaves_lots
    e.instrument_id = order.instrument_id
    e.session_id = order.session_id
    e.account_id = order.account_id
    e.report_seq = next_report_seq(s, order.session_id)
    e.participant_id = s.sessions[order.session_id].participant_id
    e.client_seq = 0 if foreign else c.client_seq
    (<uint32_t*> &e.side)[0] = order.traits
    e.order_flags = order.order_flags
    e.event_flags = <uint16_t> (event_flags | foreign)
    e.orig_client_ref = orig_client_ref
    e.price_before_ticks = price_before_ticks
    e.leaves_before_lots = leaves_before_lots


cdef inline void write_rested(State* s, const Command* c, const Order* order, int64_t price_ticks) noexcept nogil:
    cdef OrderRested* e = <OrderRested*> event_begin(s, TEMPLATE_ORDER_RESTED, c.ts_ns)
    e.order_id = order.order_id
    e.client_ref = order.client_ref
    e.price_ticks = price_ticks
    e.qty_lots = order.qty_lots
    e.leaves_lots = order.leaves_lots
    e.instrument_id = order.instrument_id
    e.session_id = order.session_id
    e.account_id = order.account_id
    e.report_seq = 0
    e.participant_id = s.sessions[order.session_id].participant_id
    e.client_seq = 0 if unsolicited(c, order) else c.client_seq
    (<uint32_t*> &e.side)[0] = order.traits & 0xFFFFFF
    e.order_flags = order.order_flags
    e.event_flags = EVENT_FLAGS_RESTS
    e.shown_lots = 0
    memset(e.pad2, 0, sizeof(e.pad2))


cdef inline void write_executed(State* s, const Command* c, const Order* resting, const Order* incoming,
                                int64_t price_ticks, int64_t qty_lots) noexcept nogil:
    """A match; both orders' leaves are already those behind it."""
    cdef OrderExecuted* e = <OrderExecuted*> event_begin(s, TEMPLATE_ORDER_EXECUTED, c.ts_ns)
    e.resting_order_id = resting.order_id
    e.resting_client_ref = resting.client_ref
    e.price_ticks = price_ticks
    e.qty_lots = qty_lots
    e.resting_leaves_lots = resting.leaves_lots
    e.instrument_id = resting.instrument_id
    e.resting_session_id = resting.session_id
    e.resting_account_id = resting.account_id
    e.resting_report_seq = next_report_seq(s, resting.session_id)
    e.incoming_order_id = incoming.order_id
    e.incoming_client_ref = incoming.client_ref
    e.incoming_leaves_lots = incoming.leaves_lots
    e.incoming_session_id = incoming.session_id
    e.incoming_account_id = incoming.account_id
    e.incoming_report_seq = next_report_seq(s, incoming.session_id)
    (<uint32_t*> &e.incoming_side)[0] = incoming.traits & 0xFF


cdef inline void write_canceled(State* s, const Command* c, const Order* order, int64_t price_ticks,
                                uint32_t cancel_reason, uint32_t event_flags) noexcept nogil:
    """The end of an order with all its leaves; `event_flags` has UNSOLICITED when the request is not to be named."""
    cdef OrderCanceled* e = <OrderCanceled*> event_begin(s, TEMPLATE_ORDER_CANCELED, c.ts_ns)
    cdef bint solicited = not event_flags & EVENT_FLAGS_UNSOLICITED
    e.order_id = order.order_id
    e.client_ref = order.client_ref
    e.price_ticks = price_ticks
    e.qty_lots = order.leaves_lots
    e.leaves_lots = 0
    e.instrument_id = order.instrument_id
    e.session_id = order.session_id
    e.account_id = order.account_id
    e.report_seq = next_report_seq(s, order.session_id)
    e.participant_id = s.sessions[order.session_id].participant_id
    e.client_seq = c.client_seq if solicited else 0
    (<uint32_t*> &e.cancel_reason)[0] = cancel_reason | (order.traits & 0xFFFFFF) << 8
    e.order_flags = order.order_flags
    e.event_flags = <uint16_t> event_flags
    e.request_client_ref = c.client_ref if solicited else 0
    memset(e.pad, 0, sizeof(e.pad))


cdef inline void write_reduced(State* s, const Command* c, const Order* order, int64_t price_ticks, int64_t qty_lots,
                               uint32_t event_flags) noexcept nogil:
    """Lots taken off an order; its leaves are already those behind it."""
    cdef OrderReduced* e = <OrderReduced*> event_begin(s, TEMPLATE_ORDER_REDUCED, c.ts_ns)
    cdef bint solicited = not event_flags & EVENT_FLAGS_UNSOLICITED
    e.order_id = order.order_id
    e.client_ref = order.client_ref
    e.price_ticks = price_ticks
    e.qty_lots = qty_lots
    e.leaves_lots = order.leaves_lots
    e.instrument_id = order.instrument_id
    e.session_id = order.session_id
    e.account_id = order.account_id
    e.report_seq = next_report_seq(s, order.session_id)
    e.participant_id = s.sessions[order.session_id].participant_id
    e.client_seq = c.client_seq if solicited else 0
    (<uint32_t*> &e.side)[0] = order.traits & 0xFFFFFF
    e.order_flags = order.order_flags
    e.event_flags = <uint16_t> event_flags
    e.request_client_ref = c.client_ref if solicited else 0
    memset(e.pad2, 0, sizeof(e.pad2))


cdef inline void write_rejected(State* s, const Command* c, uint16_t template_id, uint8_t reject_reason,
                                uint32_t instrument_id, int64_t price_ticks, int64_t qty_lots, uint8_t side,
                                uint32_t account_id, uint64_t orig_client_ref, uint64_t order_id) noexcept nogil:
    """A refusal; price, quantity, side and references as the client gave them."""
    cdef OrderRejected* e = <OrderRejected*> event_begin(s, TEMPLATE_ORDER_REJECTED, c.ts_ns)
    e.order_id = order_id
    e.client_ref = c.client_ref
    e.price_ticks = price_ticks
    e.qty_lots = qty_lots
    e.leaves_lots = 0
    e.instrument_id = instrument_id
    e.session_id = c.session_id
    e.account_id = account_id
    e.report_seq = next_report_seq(s, c.session_id)
    e.participant_id = s.sessions[c.session_id].participant_id if c.session_id < s.sessions_max else 0
    e.client_seq = c.client_seq
    e.reject_reason = reject_reason
    e.side = side
    e.refused_template = template_id
    e.list_leg = 0
    memset(e.pad, 0, sizeof(e.pad))
    e.orig_client_ref = orig_client_ref
    memset(e.pad2, 0, sizeof(e.pad2))
