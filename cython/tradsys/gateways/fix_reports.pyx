"""What the engine decided, in FIX (fix_specs/RULES_OF_ENGAGEMENT.md section 6)."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport strlen

from tradsys.core.state cimport Instrument
from tradsys.gateways.fix_orders cimport (
    STATUS_DONE, STATUS_NEW, STATUS_REJECTED, FixOrder, FixOrders, FixTerms, is_expired,
)
from tradsys.gateways.fix_request cimport (
    TYPE_CANCEL, TYPE_MASS_CANCEL, TYPE_NEW_ORDER, TYPE_REPLACE, FixRequest,
)
from tradsys.gateways.fix_terms cimport put_terms
from tradsys.gateways.fix_text cimport (
    SOH, FixText, put_average, put_bytes, put_char_field, put_tag, put_text_field, put_time, put_units, put_whole,
    put_whole_field,
)
from tradsys.wire.records cimport (
    CANCEL_REASON_AUCTION_REMAINDER, CANCEL_REASON_CALL_BEGAN, CANCEL_REASON_DISCONNECT, CANCEL_REASON_EXPIRED,
    CANCEL_REASON_FOK_UNFILLABLE, CANCEL_REASON_IOC_REMAINDER, CANCEL_REASON_KILL_SWITCH, CANCEL_REASON_LIST_LEG_ENDED,
    CANCEL_REASON_LIST_LEG_EXECUTED, CANCEL_REASON_LIST_PARENT_ENDED, CANCEL_REASON_MASS_CANCEL,
    CANCEL_REASON_MIN_QTY_UNREACHED, CANCEL_REASON_NO_LIQUIDITY, CANCEL_REASON_PRICE_PROTECTION,
    CANCEL_REASON_PRICE_RANGE, CANCEL_REASON_SELF_TRADE, CANCEL_REASON_TOO_MANY_MATCHES, CANCEL_REASON_TRIGGER_REFUSED,
    EVENT_FLAGS_AUCTION, EVENT_FLAGS_HELD, EVENT_FLAGS_REVERSED, EVENT_FLAGS_UNSOLICITED, ExecutionReport, LIQUIDITY_NONE,
    REPORT_TYPE_ACCEPTED, REPORT_TYPE_BUSTED, REPORT_TYPE_CANCELED, REPORT_TYPE_EXECUTED, REPORT_TYPE_FEE,
    REPORT_TYPE_MASS_CANCELED, REPORT_TYPE_REDUCED, REPORT_TYPE_REJECTED, REPORT_TYPE_REPLACED,
    REPORT_TYPE_TRANSFERRED, REPORT_TYPE_TRIGGERED, SIDE_BUY, TEMPLATE_CANCEL_ORDER, TEMPLATE_MASS_CANCEL,
    TEMPLATE_REPLACE_ORDER, TIME_IN_FORCE_GTD,
)

from tradsys.errors import REJECTS

cdef enum:
    REASONS_MAX = 256               # a RejectReason is a byte
    OTHER = 99
    CANCEL_REASONS = 24

# the rows of REJECTS, by RejectReason
cdef int ord_rej_reasons[REASONS_MAX]
cdef int cxl_rej_reasons[REASONS_MAX]
cdef const char* sentences[REASONS_MAX]
_SENTENCES = []                         # keeps the bytes alive


def _load_rejects():
    cdef int i
    for i in range(REASONS_MAX):
        sentences[i] = b""
    for reason, row in REJECTS.items():
        text = row.text.encode("ascii")
        _SENTENCES.append(text)
        sentences[reason] = text
        ord_rej_reasons[reason] = row.ord_rej_reason
        cxl_rej_reasons[reason] = row.cxl_rej_reason


_load_rejects()


# ------------------------------------------------------------------------------------------ pieces

cdef inline uint8_t* _put_cl_ord_id(uint8_t* out, uint32_t tag, const FixOrder* entry) noexcept nogil:
    return put_text_field(out, tag, entry.text, entry.text_size) if entry != NULL else out


cdef inline uint8_t* _put_symbol(uint8_t* out, const Instrument* instrument) noexcept nogil:
    cdef const uint8_t* symbol = <const uint8_t*> instrument.symbol
    cdef int32_t size = 0
    while size < 16 and symbol[size] != 0:
        size += 1
    return put_text_field(out, 55, symbol, size)


cdef inline uint8_t* _put_price(uint8_t* out, uint32_t tag, int64_t ticks, const Instrument* instrument) noexcept nogil:
    out = put_units(put_tag(out, tag), ticks, instrument.tick_mantissa, instrument.tick_exponent)
    out[0] = SOH
    return out + 1


cdef inline uint8_t* _put_qty(uint8_t* out, uint32_t tag, int64_t lots, const Instrument* instrument) noexcept nogil:
    out = put_units(put_tag(out, tag), lots, instrument.lot_mantissa, instrument.lot_exponent)
    out[0] = SOH
    return out + 1


cdef inline uint8_t* _put_exec_id(uint8_t* out, uint64_t event_seq, int party) noexcept nogil:
    out = put_whole(put_tag(out, 17), event_seq)
    out[0] = c"."
    out[1] = <uint8_t> (c"0" + party)
    out[2] = SOH
    return out + 3


cdef inline uint8_t* _put_own_exec_id(uint8_t* out, uint64_t seq) noexcept nogil:
    """ExecID of a report that tells of no event: the number of the message that first carried it."""
    out = put_tag(out, 17)
    out[0] = c"M"
    out = put_whole(out + 1, seq)
    out[0] = SOH
    return out + 1


cdef inline uint8_t* _put_moment(uint8_t* out, uint32_t tag, int64_t ts_ns, int digits) noexcept nogil:
    out = put_time(put_tag(out, tag), ts_ns, digits)
    out[0] = SOH
    return out + 1


cdef inline uint8_t* _put_sentence(uint8_t* out, const char* text) noexcept nogil:
    return put_text_field(out, 58, <const uint8_t*> text, <int32_t> strlen(text)) if text != NULL else out


cdef uint8_t* _put_sums(uint8_t* out, int64_t leaves_lots, int64_t cum_lots, int64_t notional,
                        const Instrument* instrument) noexcept nogil:
    """LeavesQty, CumQty, AvgPx."""
    out = _put_qty(out, 151, leaves_lots, instrument)
    out = _put_qty(out, 14, cum_lots, instrument)
    out = put_average(put_tag(out, 6), notional, cum_lots, instrument.tick_mantissa, instrument.tick_exponent)
    out[0] = SOH
    return out + 1


cdef const char* cancel_sentences[CANCEL_REASONS]   # NULL: the client asked for it


def _load_cancels():
    cdef int i
    for i in range(CANCEL_REASONS):
        cancel_sentences[i] = NULL
    cancel_sentences[<int> CANCEL_REASON_IOC_REMAINDER] = b"the rest could not be matched at once"
    cancel_sentences[<int> CANCEL_REASON_FOK_UNFILLABLE] = b"the whole quantity could not be matched at once"
    cancel_sentences[<int> CANCEL_REASON_NO_LIQUIDITY] = b"no liquidity left for the market order"
    cancel_sentences[<int> CANCEL_REASON_SELF_TRADE] = b"self-trade prevention"
    cancel_sentences[<int> CANCEL_REASON_MASS_CANCEL] = b"mass cancel"
    cancel_sentences[<int> CANCEL_REASON_DISCONNECT] = b"cancel on disconnect"
    cancel_sentences[<int> CANCEL_REASON_EXPIRED] = b"end of day"
    cancel_sentences[<int> CANCEL_REASON_TRIGGER_REFUSED] = b"its price was reached when it could not be entered"
    cancel_sentences[<int> CANCEL_REASON_LIST_LEG_EXECUTED] = b"another order of its list was filled or triggered"
    cancel_sentences[<int> CANCEL_REASON_LIST_LEG_ENDED] = b"another order of its list was cancelled"
    cancel_sentences[<int> CANCEL_REASON_LIST_PARENT_ENDED] = b"its parent was cancelled before it was filled"
    cancel_sentences[<int> CANCEL_REASON_MIN_QTY_UNREACHED] = b"less than its minimum quantity could be matched at once"
    cancel_sentences[<int> CANCEL_REASON_TOO_MANY_MATCHES] = b"one order cannot have more matches at once"
    cancel_sentences[<int> CANCEL_REASON_AUCTION_REMAINDER] = b"the auction is over"
    cancel_sentences[<int> CANCEL_REASON_CALL_BEGAN] = b"the call of an auction began"
    cancel_sentences[<int> CANCEL_REASON_PRICE_RANGE] = b"the next match would have left the price range"
    cancel_sentences[<int> CANCEL_REASON_KILL_SWITCH] = b"kill switch"
    cancel_sentences[<int> CANCEL_REASON_PRICE_PROTECTION] = b"the next match would have left the price band of market orders"


_load_cancels()


cdef inline const char* _cancel_sentence(const ExecutionReport* report) noexcept nogil:
    if report.cancel_reason == CANCEL_REASON_EXPIRED and report.time_in_force == TIME_IN_FORCE_GTD:
        return b"the time it was good till is over"
    return cancel_sentences[report.cancel_reason] if report.cancel_reason < CANCEL_REASONS else NULL


# ------------------------------------------------------------------------------------------ reports of the engine

cdef int32_t write_report(uint8_t* out, const ExecutionReport* report, int party, FixOrders orders, FixOrder* root,
                          const Instrument* instrument, int digits, uint32_t* msg_type) noexcept nogil:
    msg_type[0] = TYPE_EXECUTION_REPORT
    if report.report_type == REPORT_TYPE_MASS_CANCELED or (
            report.report_type == REPORT_TYPE_REJECTED and report.refused_template == TEMPLATE_MASS_CANCEL):
        msg_type[0] = TYPE_MASS_CANCEL_REPORT
        return <int32_t> (_put_mass_cancel(out, report, orders, instrument, digits) - out)
    if report.report_type == REPORT_TYPE_REJECTED and not is_new_order(report.refused_template):
        if report.refused_template > TEMPLATE_REPLACE_ORDER:
            return 0
        msg_type[0] = TYPE_CANCEL_REJECT
        return <int32_t> (_put_cancel_reject(out, report, orders, root, digits) - out)
    if instrument == NULL or not is_about_order(report.report_type):
        return 0
    return <int32_t> (_put_execution(out, report, party, orders, root, instrument, digits) - out)


cdef uint8_t _exec_type(const ExecutionReport* report, const FixTerms* special) noexcept nogil:
    cdef bint is_ours = not report.event_flags & EVENT_FLAGS_UNSOLICITED
    if report.report_type == REPORT_TYPE_ACCEPTED:
        return c"0"
    if report.report_type == REPORT_TYPE_EXECUTED or report.report_type == REPORT_TYPE_TRANSFERRED:
        return c"F"
    if report.report_type == REPORT_TYPE_CANCELED:
        return c"C" if is_expired(report.cancel_reason) else c"4"
    if report.report_type == REPORT_TYPE_REPLACED:
        return c"5" if is_ours else c"D"
    if report.report_type == REPORT_TYPE_REDUCED:
        return c"5" if is_ours and report.cancel_reason == 0 else c"D"
    if report.report_type == REPORT_TYPE_TRIGGERED:
        if report.event_flags & EVENT_FLAGS_HELD:
            return c"D"  # of a list: its turn has come, its trigger, if it has one, is still to be reached
        return c"D" if special != NULL and special.stock_only else c"L"  # which stock FIX 4.4 does not have
    return c"8"


cdef inline int _restatement(const ExecutionReport* report) noexcept nogil:
    """ExecRestatementReason: lots taken off to prevent a self-trade, a trigger or turn, a change by another session."""
    if report.cancel_reason == CANCEL_REASON_SELF_TRADE:
        return 5
    return OTHER if report.report_type == REPORT_TYPE_TRIGGERED else 4


cdef uint8_t* _put_names(uint8_t* out, const ExecutionReport* report, FixOrders orders,
                         const FixOrder* root) noexcept nogil:
    """ClOrdID and OrigClOrdID: of the request where the client asked for what happened, else of the order."""
    cdef const FixOrder* current = orders.by_ref(report.client_ref)
    cdef const FixOrder* other = orders.by_ref(report.orig_client_ref)
    if current == NULL and root != NULL:
        current = root
    if report.report_type == REPORT_TYPE_REPLACED and other != NULL:
        return _put_cl_ord_id(_put_cl_ord_id(out, 11, current), 41, other)
    if report.report_type == REPORT_TYPE_CANCELED and other != NULL and other.kind == TYPE_CANCEL:
        return _put_cl_ord_id(_put_cl_ord_id(out, 11, other), 41, current)
    return _put_cl_ord_id(out, 11, current)


cdef uint8_t* _put_execution(uint8_t* out, const ExecutionReport* report, int party, FixOrders orders,
                             const FixOrder* root, const Instrument* instrument, int digits) noexcept nogil:
    cdef const FixTerms* special = orders.terms_of(root) if root != NULL else NULL
    cdef uint8_t exec_type = _exec_type(report, special)
    cdef uint8_t status = root.status if root != NULL else STATUS_REJECTED if exec_type == c"8" else STATUS_NEW
    cdef int reason = report.reject_reason
    if exec_type == c"8":
        status = STATUS_REJECTED
    if report.order_id:
        out = put_whole_field(out, 37, report.order_id)
    else:
        out = put_text_field(out, 37, b"NONE", 4)
    out = _put_names(out, report, orders, root)
    out = _put_exec_id(out, report.event_seq, party)
    out = put_char_field(put_char_field(out, 150, exec_type), 39, status)
    if exec_type == c"8" and reason < REASONS_MAX:
        out = put_whole_field(out, 103, ord_rej_reasons[reason])
    if exec_type == c"D":
        out = put_whole_field(out, 378, _restatement(report))
    if report.account_id:
        out = put_whole_field(out, 1, report.account_id)
    out = put_char_field(_put_symbol(out, instrument), 54, c"1" if report.side == SIDE_BUY else c"2")
    if root != NULL:
        out = put_terms(out, root, special, instrument)
    if report.report_type == REPORT_TYPE_EXECUTED or report.report_type == REPORT_TYPE_TRANSFERRED:
        out = _put_price(_put_qty(out, 32, report.qty_lots, instrument), 31, report.price_ticks, instrument)
        if report.event_flags & EVENT_FLAGS_AUCTION:
            out = put_text_field(out, 625, b"AUCTION", 7)
    if root != NULL:
        out = _put_sums(out, root.leaves_lots, root.cum_lots, root.notional, instrument)
    else:
        out = _put_sums(out, report.leaves_lots, 0, 0, instrument)
    out = _put_moment(out, 60, report.ts_ns, digits)
    if exec_type == c"8" and reason < REASONS_MAX:
        out = _put_sentence(out, sentences[reason])
    elif report.report_type == REPORT_TYPE_CANCELED:
        out = _put_sentence(out, _cancel_sentence(report))
    elif report.report_type == REPORT_TYPE_REDUCED and report.cancel_reason:
        out = _put_sentence(out, _cancel_sentence(report))
    elif report.report_type == REPORT_TYPE_TRIGGERED:
        out = _put_sentence(
            out, b"its turn in the list has come" if report.event_flags & EVENT_FLAGS_HELD else b"triggered")
    elif report.report_type == REPORT_TYPE_TRANSFERRED:
        out = _put_sentence(out, b"self-trade prevention: transferred within the trade group")
    if report.liquidity != LIQUIDITY_NONE and report.report_type != REPORT_TYPE_TRANSFERRED:
        out = put_char_field(out, 851, <uint8_t> (c"0" + report.liquidity))
    return out


cdef uint8_t* _put_cancel_reject(uint8_t* out, const ExecutionReport* report, FixOrders orders, const FixOrder* root,
                                 int digits) noexcept nogil:
    cdef const FixOrder* request = orders.by_ref(report.client_ref)
    cdef const FixOrder* meant = orders.by_ref(report.orig_client_ref)
    cdef int reason = report.reject_reason
    if root == NULL and request != NULL and request.root_ref != request.client_ref:
        root = orders.root_of(request)
    if root != NULL and root.order_id:
        out = put_whole_field(out, 37, root.order_id)
    else:
        out = put_text_field(out, 37, b"NONE", 4)
    out = _put_cl_ord_id(out, 11, request)
    if meant == NULL and root != NULL:
        meant = orders.by_ref(root.current_ref)
    if meant != NULL:
        out = _put_cl_ord_id(out, 41, meant)
    elif request != NULL and request.orig_size:
        out = put_text_field(out, 41, request.orig_text, request.orig_size)
    else:
        out = put_text_field(out, 41, b"NONE", 4)
    out = put_char_field(out, 39, root.status if root != NULL else STATUS_REJECTED)
    out = put_char_field(out, 434, c"1" if report.refused_template == TEMPLATE_CANCEL_ORDER else c"2")
    if reason < REASONS_MAX:
        # too late to cancel (0) where the order is known and has ended
        out = put_whole_field(out, 102, 0 if root != NULL and root.leaves_lots == 0 and cxl_rej_reasons[reason] == 1
                              else cxl_rej_reasons[reason])
        out = _put_sentence(_put_moment(out, 60, report.ts_ns, digits), sentences[reason])
    return out


cdef uint8_t* _put_mass_cancel(uint8_t* out, const ExecutionReport* report, FixOrders orders,
                               const Instrument* instrument, int digits) noexcept nogil:
    cdef const FixOrder* request = orders.by_ref(report.client_ref)
    cdef uint8_t kind = request.request_type if request != NULL else c"7"
    if request != NULL:
        out = _put_cl_ord_id(_put_cl_ord_id(out, 11, request), 37, request)
    else:
        out = put_text_field(out, 37, b"NONE", 4)
    out = put_char_field(out, 530, kind)
    if report.report_type == REPORT_TYPE_MASS_CANCELED:
        out = put_char_field(out, 531, kind)
        out = put_whole_field(out, 533, <uint64_t> report.qty_lots)
    else:
        out = put_char_field(out, 531, c"0")
        out = put_whole_field(out, 532, OTHER)
    if instrument != NULL and kind == c"1":
        out = _put_symbol(out, instrument)
    if report.side:
        out = put_char_field(out, 54, c"1" if report.side == SIDE_BUY else c"2")
    out = _put_moment(out, 60, report.ts_ns, digits)
    if report.reject_reason:
        out = _put_sentence(out, sentences[report.reject_reason])
    return out


# ------------------------------------------------------------------------------------------ what came of a match

cdef inline uint8_t* _put_ref_id(uint8_t* out, uint64_t match_seq, int party) noexcept nogil:
    """ExecRefID: the ExecID that the match had for this party."""
    out = put_whole(put_tag(out, 19), match_seq)
    out[0] = c"."
    out[1] = <uint8_t> (c"0" + party)
    out[2] = SOH
    return out + 3


cdef uint8_t* _put_fee(uint8_t* out, const ExecutionReport* report, const Instrument* instrument) noexcept nogil:
    """One fee in the instrument's currency; below 0 it is a rebate."""
    cdef const uint8_t* currency = <const uint8_t*> &instrument.currency
    cdef int32_t size = 0
    while size < <int32_t> sizeof(instrument.currency) and currency[size] != 0:
        size += 1
    out = put_char_field(out, 136, c"1")
    out = put_units(put_tag(out, 137), report.fee, 1, report.fee_exponent)
    out[0] = SOH
    out += 1
    if size:
        out = put_text_field(out, 138, currency, size)
    return put_char_field(out, 139, c"4")


cdef inline const char* _change_sentence(const ExecutionReport* report, const FixOrder* root) noexcept nogil:
    if root == NULL:
        return b"the order is no longer remembered"
    if report.report_type == REPORT_TYPE_FEE and report.event_flags & EVENT_FLAGS_REVERSED:
        return b"difference to the fee charged before"
    return NULL


cdef int32_t write_match_change(uint8_t* out, const ExecutionReport* report, int party, FixOrders orders,
                                const FixOrder* root, FixText name, const Instrument* instrument,
                                int digits) noexcept nogil:
    cdef uint8_t* begin = out
    cdef bint is_fee = report.report_type == REPORT_TYPE_FEE
    cdef const FixOrder* current = orders.by_ref(root.current_ref) if root != NULL else NULL
    if instrument == NULL:
        return 0
    out = put_whole_field(out, 37, report.order_id)
    if root == NULL:
        out = put_text_field(out, 11, name.data, name.size)
    else:
        out = _put_cl_ord_id(out, 11, current if current != NULL else root)
    out = _put_ref_id(_put_exec_id(out, report.event_seq, party), report.match_seq, party)
    out = put_char_field(out, 150, c"B" if is_fee else c"H" if report.report_type == REPORT_TYPE_BUSTED else c"G")
    out = put_char_field(out, 39, root.status if root != NULL else STATUS_DONE)
    if report.account_id:
        out = put_whole_field(out, 1, report.account_id)
    out = put_char_field(_put_symbol(out, instrument), 54, c"1" if report.side == SIDE_BUY else c"2")
    if root != NULL:
        out = put_terms(out, root, orders.terms_of(root), instrument)
    if not is_fee:
        out = _put_price(_put_qty(out, 32, report.qty_lots, instrument), 31, report.price_ticks, instrument)
    if report.event_flags & EVENT_FLAGS_AUCTION:
        out = put_text_field(out, 625, b"AUCTION", 7)
    if root != NULL:
        out = _put_sums(out, root.leaves_lots, root.cum_lots, root.notional, instrument)
    else:
        out = _put_sums(out, 0, 0, 0, instrument)
    out = _put_sentence(_put_moment(out, 60, report.ts_ns, digits), _change_sentence(report, root))
    if report.liquidity != LIQUIDITY_NONE:
        out = put_char_field(out, 851, <uint8_t> (c"0" + report.liquidity))
    return <int32_t> ((_put_fee(out, report, instrument) if is_fee else out) - begin)


# ------------------------------------------------------------------------------------------ the door's own

cdef int32_t write_status(uint8_t* out, FixOrders orders, const FixOrder* root, const Instrument* instrument,
                          int digits, uint64_t out_seq, const uint8_t* suffix, int32_t suffix_bytes) noexcept nogil:
    cdef uint8_t* begin = out
    if root.order_id:
        out = put_whole_field(out, 37, root.order_id)
    else:
        out = put_text_field(out, 37, b"NONE", 4)
    cdef const FixOrder* current = orders.by_ref(root.current_ref)
    out = _put_own_exec_id(_put_cl_ord_id(out, 11, current if current != NULL else root), out_seq)
    out = put_char_field(put_char_field(out, 150, c"I"), 39, root.status)
    if root.account_id:
        out = put_whole_field(out, 1, root.account_id)
    out = put_char_field(_put_symbol(out, instrument), 54, c"1" if root.side == SIDE_BUY else c"2")
    out = put_terms(out, root, orders.terms_of(root), instrument)
    # an order by amount that is not accepted yet has no quantity
    out = _put_sums(out, root.leaves_lots if root.qty_lots else 0, root.cum_lots, root.notional, instrument)
    if root.ts_ns:
        out = _put_moment(out, 60, root.ts_ns, digits)
    return <int32_t> (put_bytes(out, suffix, suffix_bytes) - begin)


cdef uint8_t* _put_echo(uint8_t* out, uint32_t tag, FixText text) noexcept nogil:
    return put_text_field(out, tag, text.data, text.size if text.size < 64 else 64) if text.data != NULL else out


cdef int32_t write_refusal(uint8_t* out, const FixRequest* request, FixOrders orders, const FixOrder* root, int reason,
                           FixText sentence, int64_t ts_ns, int digits, uint64_t out_seq,
                           uint32_t* msg_type) noexcept nogil:
    cdef uint8_t* begin = out
    cdef uint8_t side = request.side.data[0] if request.side.data != NULL else c"1"
    cdef const FixOrder* current
    if root != NULL and root.order_id and request.msg_type != TYPE_NEW_ORDER:
        out = put_whole_field(out, 37, root.order_id)
    else:
        out = put_text_field(out, 37, b"NONE", 4)
    out = _put_echo(out, 11, request.cl_ord_id)
    if request.msg_type == TYPE_MASS_CANCEL:
        msg_type[0] = TYPE_MASS_CANCEL_REPORT
        out = put_char_field(out, 530, request.mass_cancel.data[0])
        out = put_whole_field(put_char_field(out, 531, c"0"), 532, OTHER)
        out = _put_echo(out, 55, request.symbol)
    elif request.msg_type == TYPE_NEW_ORDER:
        msg_type[0] = TYPE_EXECUTION_REPORT
        out = put_char_field(put_char_field(_put_own_exec_id(out, out_seq), 150, c"8"), 39, c"8")
        out = put_whole_field(out, 103, ord_rej_reasons[reason])
        out = put_char_field(_put_echo(out, 55, request.symbol), 54, side)
        out = _put_echo(_put_echo(_put_echo(out, 38, request.qty), 40, request.ord_type), 44, request.price)
        out = put_char_field(put_char_field(put_char_field(out, 151, c"0"), 14, c"0"), 6, c"0")
    elif request.msg_type == TYPE_CANCEL or request.msg_type == TYPE_REPLACE:
        msg_type[0] = TYPE_CANCEL_REJECT
        current = orders.by_ref(root.current_ref) if root != NULL else NULL
        if request.orig_cl_ord_id.data != NULL:
            out = _put_echo(out, 41, request.orig_cl_ord_id)
        elif current != NULL:
            out = _put_cl_ord_id(out, 41, current)
        else:
            out = put_text_field(out, 41, b"NONE", 4)
        out = put_char_field(out, 39, root.status if root != NULL else STATUS_REJECTED)
        out = put_char_field(out, 434, c"1" if request.msg_type == TYPE_CANCEL else c"2")
        out = put_whole_field(out, 102, cxl_rej_reasons[reason])
    else:
        # a status request for what is not known
        msg_type[0] = TYPE_EXECUTION_REPORT
        out = put_char_field(put_char_field(_put_own_exec_id(out, out_seq), 150, c"I"), 39, c"8")
        out = put_whole_field(out, 103, ord_rej_reasons[reason])
        out = put_char_field(_put_echo(out, 55, request.symbol), 54, side)
        out = put_char_field(put_char_field(put_char_field(out, 151, c"0"), 14, c"0"), 6, c"0")
        out = _put_echo(out, 790, request.status_req_id)
    out = _put_moment(out, 60, ts_ns, digits)
    return <int32_t> (_put_echo(out, 58, sentence) - begin)
