"""Order requests of a FIX session: what each becomes, a command or a refusal, and its place in the order table."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset, strlen

from tradsys.gateways.fix_orders cimport CL_ORD_ID_BYTES_MAX, STATUS_PENDING_NEW, FixOrder, FixTerms
from tradsys.gateways.fix_reports cimport write_refusal
from tradsys.gateways.fix_request cimport TYPE_CANCEL, TYPE_MASS_CANCEL, TYPE_NEW_ORDER, TYPE_REPLACE, TYPE_STATUS, FixRequest
from tradsys.gateways.fix_terms cimport changed_terms, is_kind_of, read_terms, write_new_order
from tradsys.gateways.fix_text cimport FixText, parse_whole
from tradsys.gateways.frames cimport write_header
from tradsys.wire.records cimport (
    BLOCK_CANCEL_ORDER, BLOCK_MASS_CANCEL, BLOCK_REPLACE_ORDER, CancelOrder, MassCancel, ORDER_FLAGS_POST_ONLY,
    ORDER_TYPE_LIMIT, REJECT_REASON_BAD_ORDER_TYPE, REJECT_REASON_BAD_SIDE, REJECT_REASON_BAD_TERMS,
    REJECT_REASON_BAD_TIME_IN_FORCE, REJECT_REASON_BOOK_FULL, REJECT_REASON_DUPLICATE_CLIENT_REF,
    REJECT_REASON_MALFORMED_FRAME, REJECT_REASON_NOT_ENTITLED, REJECT_REASON_UNKNOWN_ACCOUNT,
    REJECT_REASON_UNKNOWN_INSTRUMENT, REJECT_REASON_UNKNOWN_TEMPLATE, ReplaceOrder, SIDE_BUY, SIDE_SELL, SIZE_CANCEL_ORDER,
    SIZE_MASS_CANCEL, SIZE_REPLACE_ORDER, TEMPLATE_CANCEL_ORDER, TEMPLATE_MASS_CANCEL, TEMPLATE_REPLACE_ORDER,
)

cdef const char* NO_SUCH_ACCOUNT = b"the account is not one of this session's"


cdef class FixEntry(FixOutgoing):
    """The order entry of a FIX session: requests are checked here as far as no engine state is needed.

    Parameters
    ----------
    config : FixSessionConfig
    symbols : FixSymbols
    """

    def __cinit__(self, config, symbols, *_others):
        self.symbols = symbols
        self.orders = FixOrders(config.orders_max)
        self.permitted = frozenset(symbol.encode("ascii") for symbol in config.instruments)

    cdef int terms_of(self, FixOrder* terms, FixTerms* special, const FixRequest* request, const char** sentence) except -1:
        """What a D or G asks for, in the engine's units. 0, or RejectReason and the sentence why not."""
        cdef int reason = read_terms(terms, special, request, self.symbols.at(terms.instrument_id), sentence)
        if reason:
            return reason
        if request.account.data != NULL:
            terms.account_id = self.account_of(request)
            if terms.account_id == 0:
                sentence[0] = NO_SUCH_ACCOUNT
                return REJECT_REASON_UNKNOWN_ACCOUNT
        else:
            terms.account_id = self.config.default_account
        if self.permitted and (<const char*> request.symbol.data)[:request.symbol.size] not in self.permitted:
            sentence[0] = b"this session may not trade the instrument"
            return REJECT_REASON_NOT_ENTITLED
        return 0

    cdef uint32_t account_of(self, const FixRequest* request) except? 0:
        """The account a request names; 0: it is not one of this session's."""
        cdef int64_t account = parse_whole(request.account)
        if account < 1 or account > 4294967295 or (self.config.accounts and account not in self.config.accounts):
            return 0
        return <uint32_t> account

    cdef FixOrder* enter(self, FixRequest* request, uint64_t seq, uint64_t client_ref) except? NULL:
        """Put a request into the table; NULL: the table is full of live orders."""
        cdef FixOrder terms
        cdef FixTerms special
        cdef const char* sentence
        cdef FixOrder* root
        cdef FixOrder* entry
        memset(&terms, 0, sizeof(terms))
        terms.instrument_id = self.symbols.find(request.symbol)
        root = self.meant(request) if request.msg_type == TYPE_CANCEL or request.msg_type == TYPE_REPLACE else NULL
        terms.root_ref = root.client_ref if root != NULL else 0
        if request.msg_type == TYPE_NEW_ORDER and terms.instrument_id:
            self.terms_of(&terms, &special, request, &sentence)
        entry = self.orders.add(request.cl_ord_id, client_ref)
        if entry == NULL:
            return NULL
        entry.kind = <uint8_t> request.msg_type
        entry.client_seq = <uint32_t> seq
        entry.instrument_id = terms.instrument_id
        if request.msg_type == TYPE_NEW_ORDER:
            entry.account_id, entry.order_flags = terms.account_id, terms.order_flags
            entry.order_type, entry.time_in_force = terms.order_type, terms.time_in_force
            entry.qty_lots = entry.leaves_lots = terms.qty_lots
            entry.price_ticks = terms.price_ticks
            entry.side = SIDE_BUY if request.side.data[0] == c"1" else SIDE_SELL
            entry.status = STATUS_PENDING_NEW
            if terms.has_terms:
                special.stock_only = self.config.stock_only
                self.orders.keep_terms(entry, &special)
                entry.leaves_lots = max(entry.leaves_lots, 1)  # of an amount unknown until accepted: it is held until then
        elif request.msg_type == TYPE_MASS_CANCEL:
            entry.request_type = request.mass_cancel.data[0]
        elif terms.root_ref:
            entry.root_ref = terms.root_ref
        elif request.orig_cl_ord_id.data != NULL:
            entry.orig_size = <uint8_t> min(request.orig_cl_ord_id.size, CL_ORD_ID_BYTES_MAX)
            memcpy(entry.orig_text, request.orig_cl_ord_id.data, entry.orig_size)
        return entry

    cdef FixOrder* meant(self, const FixRequest* request) noexcept:
        """The root of the order an F, G or H means, or NULL."""
        cdef FixOrder* entry
        cdef FixText name = request.cl_ord_id if request.msg_type == TYPE_STATUS else request.orig_cl_ord_id
        if name.data != NULL:
            entry = self.orders.by_text(name)
            return self.orders.root_of(entry) if entry != NULL else NULL
        return self.orders.by_order_id(parse_whole(request.order_id))

    cdef int new_order(self, FixRequest* request, uint8_t* target) except -1:
        """Write the command of a D; 0: refused."""
        cdef FixOrder terms
        cdef FixTerms special
        cdef const char* sentence = NULL
        cdef FixOrder* entry
        cdef int reason
        memset(&terms, 0, sizeof(terms))
        terms.instrument_id = self.symbols.find(request.symbol)
        if terms.instrument_id == 0:
            self.symbols.load()
            terms.instrument_id = self.symbols.find(request.symbol)
        if terms.instrument_id == 0:
            return self.refuse(request, REJECT_REASON_UNKNOWN_INSTRUMENT, b"no such Symbol")
        if request.cl_ord_id.size > CL_ORD_ID_BYTES_MAX:
            return self.refuse(request, REJECT_REASON_MALFORMED_FRAME, b"ClOrdID has more than 36 characters")
        if self.orders.by_text(request.cl_ord_id) != NULL:
            return self.refuse(request, REJECT_REASON_DUPLICATE_CLIENT_REF, b"ClOrdID has been used")
        if request.side.data[0] != c"1" and request.side.data[0] != c"2":
            return self.refuse(request, REJECT_REASON_BAD_SIDE, b"Side must be 1 or 2")
        reason = self.terms_of(&terms, &special, request, &sentence)
        if reason:
            return self.refuse(request, reason, sentence)
        entry = self.enter(request, request.seq, 0)
        if entry == NULL:
            return self.refuse(request, REJECT_REASON_BOOK_FULL, b"too many live orders in this session")
        return write_new_order(target, entry, self.orders.terms_of(entry))

    cdef int change_order(self, FixRequest* request, uint8_t* target) except -1:
        """Write the command of an F or G; 0: refused."""
        cdef ReplaceOrder* replace = <ReplaceOrder*> target
        cdef CancelOrder* cancel = <CancelOrder*> target
        cdef bint is_replace = request.msg_type == TYPE_REPLACE
        cdef FixOrder terms
        cdef FixTerms special
        cdef const char* sentence = NULL
        cdef FixOrder* root = self.meant(request)
        cdef FixOrder* entry
        cdef uint64_t orig_ref = 0
        cdef int64_t order_id = 0
        cdef int reason
        memset(&terms, 0, sizeof(terms))
        if request.cl_ord_id.size > CL_ORD_ID_BYTES_MAX:
            return self.refuse(request, REJECT_REASON_MALFORMED_FRAME, b"ClOrdID has more than 36 characters")
        if self.orders.by_text(request.cl_ord_id) != NULL:
            return self.refuse(request, REJECT_REASON_DUPLICATE_CLIENT_REF, b"ClOrdID has been used")
        terms.instrument_id = self.symbols.find(request.symbol)
        if terms.instrument_id == 0:
            return self.refuse(request, REJECT_REASON_UNKNOWN_INSTRUMENT, b"no such Symbol")
        if root != NULL and request.side.data[0] != (c"1" if root.side == SIDE_BUY else c"2"):
            return self.refuse(request, REJECT_REASON_BAD_SIDE, b"Side is not the order's")
        if is_replace:
            reason = self.terms_of(&terms, &special, request, &sentence)
            if reason == 0:
                reason = self.keeps(root, &terms, &special, request, &sentence)
            if reason:
                return self.refuse(request, reason, sentence)
        if request.orig_cl_ord_id.data != NULL:
            entry = self.orders.by_text(request.orig_cl_ord_id)
            orig_ref = entry.client_ref if entry != NULL else 0
        else:
            order_id = max(parse_whole(request.order_id), 0)
        entry = self.enter(request, request.seq, 0)
        if entry == NULL:
            return self.refuse(request, REJECT_REASON_BOOK_FULL, b"too many live orders in this session")
        memset(target, 0, SIZE_REPLACE_ORDER)
        if is_replace:
            write_header(target, BLOCK_REPLACE_ORDER, TEMPLATE_REPLACE_ORDER)
            replace.price_ticks, replace.qty_lots = terms.price_ticks, terms.qty_lots
            replace.order_flags = terms.order_flags & ORDER_FLAGS_POST_ONLY
        else:
            write_header(target, BLOCK_CANCEL_ORDER, TEMPLATE_CANCEL_ORDER)
        # reference, instrument and ids lie at the same place in both
        cancel.client_ref = entry.client_ref
        cancel.instrument_id = terms.instrument_id
        cancel.orig_client_ref, cancel.order_id = orig_ref, <uint64_t> order_id
        return SIZE_REPLACE_ORDER if is_replace else SIZE_CANCEL_ORDER

    cdef int keeps(self, const FixOrder* root, const FixOrder* terms, const FixTerms* special, const FixRequest* request,
                   const char** sentence) noexcept:
        """Whether a G leaves of its order, if it is known, what cannot be changed: 0, or RejectReason and the sentence."""
        if request.price.data == NULL:
            sentence[0] = b"only an order with a Price can be replaced"
            return REJECT_REASON_BAD_ORDER_TYPE
        if root == NULL:
            return 0
        if terms.order_type != ORDER_TYPE_LIMIT and not is_kind_of(root, terms.order_type):
            sentence[0] = b"OrdType must be 2 or the order's in a replace"
            return REJECT_REASON_BAD_ORDER_TYPE
        if request.time_in_force.data != NULL and terms.time_in_force != root.time_in_force:
            sentence[0] = b"TimeInForce is not the order's"
            return REJECT_REASON_BAD_TIME_IN_FORCE
        sentence[0] = changed_terms(root, self.orders.terms_of(root), terms, special, request)
        return REJECT_REASON_BAD_TERMS if sentence[0] != NULL else 0

    cdef int mass_cancel(self, FixRequest* request, uint8_t* target) except -1:
        """Write the command of a q; 0: refused."""
        cdef MassCancel* command = <MassCancel*> target
        cdef FixOrder* entry
        cdef uint32_t instrument_id = 0, account_id = 0
        cdef uint8_t kind = request.mass_cancel.data[0]
        if kind != c"1" and kind != c"7":
            return self.refuse(request, REJECT_REASON_UNKNOWN_TEMPLATE, b"MassCancelRequestType must be 1 or 7")
        if request.side.data != NULL and request.side.data[0] != c"1" and request.side.data[0] != c"2":
            return self.refuse(request, REJECT_REASON_BAD_SIDE, b"Side must be 1 or 2")
        if kind == c"1":
            instrument_id = self.symbols.find(request.symbol)
            if instrument_id == 0:
                return self.refuse(request, REJECT_REASON_UNKNOWN_INSTRUMENT, b"no such Symbol")
        if request.account.data != NULL:
            account_id = self.account_of(request)
            if account_id == 0:
                return self.refuse(request, REJECT_REASON_UNKNOWN_ACCOUNT, NO_SUCH_ACCOUNT)
        if request.cl_ord_id.size > CL_ORD_ID_BYTES_MAX:
            return self.refuse(request, REJECT_REASON_MALFORMED_FRAME, b"ClOrdID has more than 36 characters")
        if self.orders.by_text(request.cl_ord_id) != NULL:
            return self.refuse(request, REJECT_REASON_DUPLICATE_CLIENT_REF, b"ClOrdID has been used")
        entry = self.enter(request, request.seq, 0)
        if entry == NULL:
            return self.refuse(request, REJECT_REASON_BOOK_FULL, b"too many live orders in this session")
        memset(target, 0, SIZE_MASS_CANCEL)
        write_header(target, BLOCK_MASS_CANCEL, TEMPLATE_MASS_CANCEL)
        command.client_ref = entry.client_ref
        command.instrument_id = instrument_id
        command.target_session_id = self.session_id
        command.target_account_id = account_id
        if account_id:
            command.target_participant_id = self.config.participant_id  # whoever the account belongs to
        if request.side.data != NULL:
            command.side = SIDE_BUY if request.side.data[0] == c"1" else SIDE_SELL
        return SIZE_MASS_CANCEL

    cdef int refuse(self, const FixRequest* request, int reason, const char* sentence) except -1:
        """Answer a request the door refuses; returns 0."""
        cdef uint32_t msg_type = 0
        cdef FixText text
        cdef FixOrder* root = NULL
        cdef int32_t size
        if request.msg_type != TYPE_NEW_ORDER and request.msg_type != TYPE_MASS_CANCEL:
            root = self.meant(request)
        text.data, text.size = <const uint8_t*> sentence, <int32_t> strlen(sentence)
        size = write_refusal(self.body, request, self.orders, root, reason, text, self.now_ns, self.digits,
                             self.numbers.next_out, &msg_type)
        self.refused += 1
        self.send(msg_type, self.body, size, 0, 0)
        return 0
