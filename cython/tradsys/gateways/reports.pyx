"""ExecutionReports rendered from events (protocols/order_entry.md section 5)."""
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

import numpy as np

from tradsys.core.events cimport has_two_parties
from tradsys.gateways.frames cimport write_header
from tradsys.wire import records as wire_records
from tradsys.wire.records cimport (
    BLOCK_EXECUTION_REPORT, EVENT_FLAGS_AUCTION, LIQUIDITY_ADDED, LIQUIDITY_NONE, LIQUIDITY_REMOVED,
    REPORT_TYPE_ACCEPTED, REPORT_TYPE_BUSTED, REPORT_TYPE_CANCELED, REPORT_TYPE_COMMAND_DONE, REPORT_TYPE_CORRECTED,
    REPORT_TYPE_EXECUTED, REPORT_TYPE_FEE, REPORT_TYPE_MASS_CANCELED, REPORT_TYPE_REDUCED, REPORT_TYPE_REJECTED,
    REPORT_TYPE_REPLACED, REPORT_TYPE_TRANSFERRED, REPORT_TYPE_TRIGGERED, SIDE_BUY, SIDE_SELL, TEMPLATE_CHECKPOINT,
    TEMPLATE_CHECKPOINT_TAKEN, TEMPLATE_COMMAND_DONE, TEMPLATE_COMMAND_REJECTED, TEMPLATE_EXECUTION_REPORT,
    TEMPLATE_FEE_CHARGED, TEMPLATE_MASS_CANCELED, TEMPLATE_ORDER_ACCEPTED, TEMPLATE_ORDER_CANCELED,
    TEMPLATE_ORDER_EXECUTED, TEMPLATE_ORDER_REDUCED, TEMPLATE_ORDER_REJECTED, TEMPLATE_ORDER_RELEASED,
    TEMPLATE_ORDER_REPLACED, TEMPLATE_ORDER_TRANSFERRED, TEMPLATE_ORDER_TRIGGERED, TEMPLATE_RISK_CHANGED,
    TEMPLATE_TRADE_BUSTED, TEMPLATE_TRADE_CORRECTED, CheckpointTaken, CommandDone, CommandRejected, ExecutionReport,
    FeeCharged, MassCanceled, MessageHeader, OrderAccepted, OrderCanceled, OrderExecuted, OrderReduced, OrderRejected,
    OrderReplaced, OrderTriggered, RiskChanged, TradeCorrected)

cdef enum:
    EVENT_BYTES = 128


cdef int recipients(const uint8_t* event, Recipient* out) noexcept nogil:
    cdef int template_id = (<const MessageHeader*> event).template_id
    cdef int count = 0
    if has_two_parties(template_id):
        if (<const OrderExecuted*> event).resting_report_seq != 0:
            out[0].session_id = (<const OrderExecuted*> event).resting_session_id
            out[0].report_seq = (<const OrderExecuted*> event).resting_report_seq
            count = 1
        if (<const OrderExecuted*> event).incoming_report_seq != 0:
            out[count].session_id = (<const OrderExecuted*> event).incoming_session_id
            out[count].report_seq = (<const OrderExecuted*> event).incoming_report_seq
            count += 1
        return count
    if not _is_reported(template_id):
        return 0
    # session_id and report_seq lie at the same place in every event that has a report
    out[0].session_id = (<const OrderAccepted*> event).session_id
    out[0].report_seq = (<const OrderAccepted*> event).report_seq
    return 1 if out[0].report_seq != 0 and out[0].session_id != 0 else 0


cdef inline bint _is_reported(int template_id) noexcept nogil:
    if template_id >= TEMPLATE_ORDER_ACCEPTED and template_id <= TEMPLATE_ORDER_REPLACED:
        return True
    return (template_id == TEMPLATE_ORDER_TRIGGERED or template_id == TEMPLATE_ORDER_RELEASED
            or template_id == TEMPLATE_MASS_CANCELED
            or template_id == TEMPLATE_COMMAND_DONE or template_id == TEMPLATE_COMMAND_REJECTED
            or template_id == TEMPLATE_CHECKPOINT_TAKEN or template_id == TEMPLATE_RISK_CHANGED)


cdef int render(const uint8_t* event, int party, int resent, ExecutionReport* out) noexcept nogil:
    cdef int template_id = (<const MessageHeader*> event).template_id
    memset(out, 0, sizeof(ExecutionReport))
    write_header(out, BLOCK_EXECUTION_REPORT, TEMPLATE_EXECUTION_REPORT)
    out.event_seq = (<const OrderAccepted*> event).seq
    out.ts_ns = (<const OrderAccepted*> event).ts_ns
    out.resent = <uint8_t> resent
    if template_id == TEMPLATE_ORDER_ACCEPTED:
        _order_accepted(<const OrderAccepted*> event, out)
    elif template_id == TEMPLATE_ORDER_EXECUTED:
        _order_executed(<const OrderExecuted*> event, party, out)
    elif template_id == TEMPLATE_ORDER_TRANSFERRED:
        _order_executed(<const OrderExecuted*> event, party, out)
        out.report_type = REPORT_TYPE_TRANSFERRED
    elif template_id == TEMPLATE_ORDER_CANCELED:
        _order_canceled(<const OrderCanceled*> event, out)
    elif template_id == TEMPLATE_ORDER_REJECTED:
        _order_rejected(<const OrderRejected*> event, out)
    elif template_id == TEMPLATE_ORDER_REPLACED:
        _order_replaced(<const OrderReplaced*> event, out)
    elif template_id == TEMPLATE_ORDER_REDUCED:
        _order_reduced(<const OrderReduced*> event, out)
    elif template_id == TEMPLATE_ORDER_TRIGGERED or template_id == TEMPLATE_ORDER_RELEASED:     # laid out alike
        _order_triggered(<const OrderTriggered*> event, out)
    elif template_id == TEMPLATE_MASS_CANCELED:
        _mass_canceled(<const MassCanceled*> event, out)
    elif template_id == TEMPLATE_COMMAND_DONE:
        _command_done(<const CommandDone*> event, out)
    elif template_id == TEMPLATE_COMMAND_REJECTED:
        _command_rejected(<const CommandRejected*> event, out)
    elif template_id == TEMPLATE_CHECKPOINT_TAKEN:
        _checkpoint_taken(<const CheckpointTaken*> event, out)
    elif template_id == TEMPLATE_RISK_CHANGED:
        _risk_changed(<const RiskChanged*> event, out)
    elif template_id == TEMPLATE_FEE_CHARGED:
        _fee_charged(<const FeeCharged*> event, party, out)
    elif template_id == TEMPLATE_TRADE_BUSTED or template_id == TEMPLATE_TRADE_CORRECTED:
        _trade_changed(<const TradeCorrected*> event, party, out)
    else:
        return 0
    return 1


# What the events of one order have at the same place: identity, price, quantity, owner.
cdef inline void _order_fields(const OrderAccepted* event, ExecutionReport* out) noexcept nogil:
    out.order_id = event.order_id
    out.client_ref = event.client_ref
    out.price_ticks = event.price_ticks
    out.qty_lots = event.qty_lots
    out.leaves_lots = event.leaves_lots
    out.instrument_id = event.instrument_id
    out.account_id = event.account_id
    out.report_seq = event.report_seq
    out.client_seq = event.client_seq


cdef inline void _order_accepted(const OrderAccepted* event, ExecutionReport* out) noexcept nogil:
    _order_fields(event, out)
    out.report_type = REPORT_TYPE_ACCEPTED
    out.side = event.side
    out.order_type = event.order_type
    out.time_in_force = event.time_in_force
    out.order_flags = event.order_flags
    out.event_flags = event.event_flags


cdef inline void _order_executed(const OrderExecuted* event, int party, ExecutionReport* out) noexcept nogil:
    out.report_type = REPORT_TYPE_EXECUTED
    out.price_ticks = event.price_ticks
    out.qty_lots = event.qty_lots
    if _party_fields(event, party, out):
        out.leaves_lots = event.resting_leaves_lots
    else:
        out.leaves_lots = event.incoming_leaves_lots


# What events of two parties have at the same place; 1: the report is for the resting one.
cdef inline bint _party_fields(const OrderExecuted* event, int party, ExecutionReport* out) noexcept nogil:
    out.instrument_id = event.instrument_id
    out.event_flags = event.event_flags
    if party == 0 and event.resting_report_seq != 0:
        out.order_id = event.resting_order_id
        out.client_ref = event.resting_client_ref
        out.account_id = event.resting_account_id
        out.report_seq = event.resting_report_seq
        out.side = SIDE_SELL if event.incoming_side == SIDE_BUY else SIDE_BUY
        out.liquidity = LIQUIDITY_NONE if event.event_flags & EVENT_FLAGS_AUCTION else LIQUIDITY_ADDED
        return True
    out.order_id = event.incoming_order_id
    out.client_ref = event.incoming_client_ref
    out.account_id = event.incoming_account_id
    out.report_seq = event.incoming_report_seq
    out.side = event.incoming_side
    out.liquidity = LIQUIDITY_NONE if event.event_flags & EVENT_FLAGS_AUCTION else LIQUIDITY_REMOVED
    return False


cdef inline void _fee_charged(const FeeCharged* event, int party, ExecutionReport* out) noexcept nogil:
    out.report_type = REPORT_TYPE_FEE
    out.match_seq = event.match_seq
    out.fee_exponent = event.fee_exponent
    out.fee = event.resting_fee if _party_fields(<const OrderExecuted*> event, party, out) else event.incoming_fee


cdef inline void _trade_changed(const TradeCorrected* event, int party, ExecutionReport* out) noexcept nogil:
    out.report_type = REPORT_TYPE_BUSTED if event.template_id == TEMPLATE_TRADE_BUSTED else REPORT_TYPE_CORRECTED
    out.match_seq = event.match_seq
    out.price_ticks = event.price_ticks
    out.qty_lots = event.qty_lots
    _party_fields(<const OrderExecuted*> event, party, out)


cdef inline void _order_canceled(const OrderCanceled* event, ExecutionReport* out) noexcept nogil:
    _order_fields(<const OrderAccepted*> event, out)
    out.report_type = REPORT_TYPE_CANCELED
    out.orig_client_ref = event.request_client_ref
    out.cancel_reason = event.cancel_reason
    out.side = event.side
    out.order_type = event.order_type
    out.time_in_force = event.time_in_force
    out.order_flags = event.order_flags
    out.event_flags = event.event_flags


cdef inline void _order_rejected(const OrderRejected* event, ExecutionReport* out) noexcept nogil:
    _order_fields(<const OrderAccepted*> event, out)
    out.report_type = REPORT_TYPE_REJECTED
    out.orig_client_ref = event.orig_client_ref
    out.reject_reason = event.reject_reason
    out.side = event.side
    out.refused_template = event.refused_template


cdef inline void _order_reduced(const OrderReduced* event, ExecutionReport* out) noexcept nogil:
    _order_fields(<const OrderAccepted*> event, out)
    out.report_type = REPORT_TYPE_REDUCED
    out.orig_client_ref = event.request_client_ref
    out.cancel_reason = event.cancel_reason
    out.side = event.side
    out.order_type = event.order_type
    out.time_in_force = event.time_in_force
    out.order_flags = event.order_flags
    out.event_flags = event.event_flags


cdef inline void _order_replaced(const OrderReplaced* event, ExecutionReport* out) noexcept nogil:
    _order_accepted(<const OrderAccepted*> event, out)
    out.report_type = REPORT_TYPE_REPLACED
    out.orig_client_ref = event.orig_client_ref


cdef inline void _order_triggered(const OrderTriggered* event, ExecutionReport* out) noexcept nogil:
    _order_fields(<const OrderAccepted*> event, out)
    out.report_type = REPORT_TYPE_TRIGGERED
    out.side = event.side
    out.order_type = event.order_type
    out.time_in_force = event.time_in_force
    out.order_flags = event.order_flags
    out.event_flags = event.event_flags


cdef inline void _mass_canceled(const MassCanceled* event, ExecutionReport* out) noexcept nogil:
    out.report_type = REPORT_TYPE_MASS_CANCELED
    out.client_ref = event.client_ref
    out.qty_lots = <int64_t> event.order_count
    out.instrument_id = event.instrument_id
    out.report_seq = event.report_seq
    out.client_seq = event.client_seq
    out.side = event.side
    out.cancel_reason = event.cancel_reason


cdef inline void _command_done(const CommandDone* event, ExecutionReport* out) noexcept nogil:
    out.report_type = REPORT_TYPE_COMMAND_DONE
    out.client_ref = event.client_ref
    out.instrument_id = event.instrument_id
    out.account_id = event.account_id
    out.report_seq = event.report_seq
    out.client_seq = event.client_seq
    out.refused_template = event.done_template


cdef inline void _command_rejected(const CommandRejected* event, ExecutionReport* out) noexcept nogil:
    out.report_type = REPORT_TYPE_REJECTED
    out.client_ref = event.client_ref
    out.instrument_id = event.instrument_id
    out.report_seq = event.report_seq
    out.client_seq = event.client_seq
    out.reject_reason = event.reject_reason
    out.refused_template = event.refused_template


cdef inline void _checkpoint_taken(const CheckpointTaken* event, ExecutionReport* out) noexcept nogil:
    out.report_type = REPORT_TYPE_COMMAND_DONE
    out.client_ref = event.client_ref
    out.report_seq = event.report_seq
    out.client_seq = event.client_seq
    out.refused_template = TEMPLATE_CHECKPOINT


cdef inline void _risk_changed(const RiskChanged* event, ExecutionReport* out) noexcept nogil:
    out.report_type = REPORT_TYPE_COMMAND_DONE
    out.client_ref = event.client_ref
    out.instrument_id = event.instrument_id
    out.report_seq = event.report_seq
    out.client_seq = event.client_seq
    out.refused_template = event.done_template


def render_reports(events not None, uint32_t session_id):
    """Render the reports a session gets of a run of events.

    Parameters
    ----------
    events : numpy.ndarray, itemsize 128, one-dimensional and contiguous
        Events in log order.
    session_id : int
        Whose reports; nobody else's side of a match is in them.

    Returns
    -------
    numpy.ndarray, dtype EXECUTION_REPORT
        In order of report_seq, `resent` 0. A new array.
    """
    cdef const uint8_t[::1] data = np.ascontiguousarray(events).view(np.uint8).reshape(-1)
    cdef int64_t event_count = data.shape[0] // EVENT_BYTES
    if data.shape[0] % EVENT_BYTES:
        raise ValueError(f"events must be a multiple of {EVENT_BYTES} bytes, was {data.shape[0]}")
    reports = np.empty(2 * event_count, wire_records.EXECUTION_REPORT)
    if event_count == 0:
        return reports
    cdef uint8_t[::1] target = reports.view(np.uint8).reshape(-1)
    cdef int64_t written
    with nogil:
        written = _render_all(&data[0], event_count, session_id, <ExecutionReport*> &target[0])
    return reports[:written].copy()


cdef int64_t _render_all(const uint8_t* events, int64_t event_count, uint32_t session_id,
                         ExecutionReport* out) noexcept nogil:
    cdef Recipient told[2]
    cdef int64_t i, written = 0
    cdef int party, count
    for i in range(event_count):
        count = recipients(events + i * EVENT_BYTES, told)
        for party in range(count):
            if told[party].session_id == session_id:
                written += render(events + i * EVENT_BYTES, party, 0, out + written)
    return written
