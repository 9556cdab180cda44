"""One FIX session at the door. A message in becomes a command or a refusal; an event becomes a message out.

Order of things on disk: a request's message is stored before its command is journaled; a report is stored before its
bytes leave; the number expected next is stored only behind the commands it covers.
"""
from collections import deque

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset, strlen

cimport cython

from tradsys.core.state cimport Instrument
from tradsys.fix.numbers cimport SessionNumbers
from tradsys.gateways.fix_orders cimport CL_ORD_ID_BYTES_MAX, STATUS_PENDING_NEW, FixOrder, FixOrders
from tradsys.gateways.fix_reports cimport write_refusal, write_report, write_status
from tradsys.gateways.fix_request cimport (
    FAULT_GARBLED, FAULT_NONE, TYPE_CANCEL, TYPE_MASS_CANCEL, TYPE_MASS_STATUS, TYPE_NEW_ORDER, TYPE_REPLACE,
    TYPE_STATUS, FixRequest, is_order_message, parse_time, read_request,
)
from tradsys.gateways.fix_store cimport (
    FLAG_ADMIN, HEAD_BYTES, RECORD_BASE, RECORD_IN, RECORD_NUMBERS, RECORD_ORDER, RECORD_OUT, FixStore, StoreHead,
)
from tradsys.gateways.fix_text cimport SOH, FixText, is_text, parse_whole, put_char_field, put_whole_field
from tradsys.gateways.fix_write cimport FixHeader, read_terms, write_message
from tradsys.gateways.frames cimport write_header
from tradsys.gateways.reports cimport Recipient, recipients, render
from tradsys.gateways.sessions cimport count_useless, reset_throttle, take_token
from tradsys.wire.records cimport (
    BLOCK_CANCEL_ORDER, BLOCK_MASS_CANCEL, BLOCK_NEW_ORDER, BLOCK_REPLACE_ORDER, CancelOrder, ExecutionReport,
    MassCancel, NewOrder, ORDER_TYPE_LIMIT, ReplaceOrder, SIDE_BUY, SIDE_SELL, SIZE_NEW_ORDER, TEMPLATE_CANCEL_ORDER,
    TEMPLATE_MASS_CANCEL, TEMPLATE_NEW_ORDER, TEMPLATE_REPLACE_ORDER,
)

from tradsys.fix.actions import (
    Authenticate, Deliver, Disconnect, Ended, Established, Fault, Resend, ResetNumbers, Send,
)
from tradsys.fix.message import FRACTION_DIGITS, GarbledError, parse
from tradsys.fix.session import FixSession
from tradsys.gateways.fix_answers import ADMIN_TYPES, answer, masked, mass_status_filter, no_orders, rewritten
from tradsys.gateways.fix_sessions import next_store_path, store_path

cdef enum:
    EVENT_BYTES = 128
    MESSAGE_ROOM = 40960        # a message being written
    OUT_BODY_MAX = 32768
    RESEND_BYTES = 65536        # read of the store in a turn, for one session
    STATUS_BYTES = 262144       # waiting for a client before statuses pause
    QUESTIONS_MAX = 4096
    RESENDS_MAX = 16            # ranges asked for that wait, of one session
    RECOVERED_REPORTS = 4096    # read at a time
    FLOOD_MULTIPLE = 1          # refused messages a window, as a multiple of the throttle
    # reasons of the door, tags 103 and 102
    ORD_UNKNOWN_SYMBOL = 1
    ORD_UNKNOWN_ORDER = 5
    ORD_DUPLICATE = 6
    ORD_UNSUPPORTED = 11
    ORD_UNKNOWN_ACCOUNT = 15
    OTHER = 99
    CXL_DUPLICATE = 6
    BAN_S = 15


@cython.final
cdef class FixPeer:
    """A FIX session between its connection and the sequencer.

    Reports are told once each, in the order of report_seq; each takes the next MsgSeqNum and is stored with both.
    While no client is logged on nothing is told: what happened meanwhile follows the logon from the event log.

    Parameters
    ----------
    door : FixGateway
        Asked to authenticate, told of the end.
    config : FixSessionConfig
    sequencer : Sequencer
    symbols : FixSymbols
    """

    def __cinit__(self, door, config, sequencer, symbols):
        self.scratch = <uint8_t*> malloc(MESSAGE_ROOM)
        self.body = <uint8_t*> malloc(OUT_BODY_MAX)
        if not (self.scratch and self.body):
            raise MemoryError("no memory for a FIX session")
        self.door = door
        self.config = config
        self.session_id = config.session_id
        self.sequencer = sequencer
        self.symbols = symbols
        self.ours = config.settings.sender_comp_id.encode("ascii")
        self.theirs = config.settings.target_comp_id.encode("ascii")
        self.digits = FRACTION_DIGITS[config.settings.precision]
        self.delayed = deque()
        self.questions = deque()
        self.resends = deque()
        self.resend_offset = -1
        self.numbers = SessionNumbers()
        self.orders = FixOrders(config.orders_max)

    def __init__(self, door, config, sequencer, symbols):
        period_ns = self._recover()
        self.session = FixSession(config.settings, self.numbers, period_ns=period_ns)
        self.stored_next_in = self.numbers.next_in

    def __dealloc__(self):
        free(self.scratch)
        free(self.body)

    # ------------------------------------------------------------------------------------------ recovery

    def _recover(self):
        """Read the store; the order table follows its requests and the event log. Returns the schedule's period."""
        self.store = FixStore(store_path(self.config))
        state = {"base": None, "period": 0, "events": (), "at": 0}
        self.store.load(lambda *record: self._take_record(state, *record))
        cdef uint32_t last_client_seq = self.sequencer.engine.state.sessions[self.session_id].last_client_seq
        if state["base"] is None:
            self.told_report_seq = self.sequencer.engine.state.sessions[self.session_id].last_report_seq
            self._write_base(0)
            last_client_seq = 0
        elif last_client_seq == state["base"]:
            last_client_seq = 0   # nothing was executed since the numbers were reset
        self.orders.forget_undecided(last_client_seq)
        if <int64_t> last_client_seq + 1 > self.numbers.next_in:
            self.numbers.next_in = <int64_t> last_client_seq + 1
        return state["period"]

    def _take_record(self, state, int kind, int flags, uint64_t report_seq, uint64_t seq, uint64_t client_ref,
                     int64_t ts_ns, uint64_t next_in, bytes data):
        cdef FixRequest request
        cdef FixOrder* entry
        cdef FixOrder carried
        cdef FixText text
        if kind == RECORD_IN:
            if client_ref:
                read_request(data, len(data), &request)
                self.enter(&request, seq, client_ref)
        elif kind == RECORD_OUT:
            self.numbers.next_out = seq + 1
            if report_seq > self.told_report_seq:
                self._follow_to(state, report_seq)
        elif kind == RECORD_NUMBERS:
            self.numbers.next_in = next_in
        elif kind == RECORD_ORDER and len(data) == sizeof(FixOrder):
            memcpy(&carried, <const char*> data, sizeof(FixOrder))
            text.data, text.size = carried.text, carried.text_size
            entry = self.orders.add(text, carried.client_ref)
            entry[0] = carried
        elif kind == RECORD_BASE:
            self.told_report_seq, state["base"], state["period"] = report_seq, client_ref, ts_ns

    def _follow_to(self, state, uint64_t report_seq):
        """Let the order table follow the events of the reports told up to there, read in pieces."""
        cdef Recipient told[2]
        cdef const uint8_t[::1] stored
        cdef int64_t i
        cdef int party, count
        while self.told_report_seq < report_seq:
            if state["at"] >= len(state["events"]):
                state["events"] = self.sequencer.reports(self.session_id, self.told_report_seq + 1, RECOVERED_REPORTS)
                state["at"] = 0
                if len(state["events"]) == 0:
                    break
            stored = state["events"].view("u1").reshape(-1)
            i = state["at"] * EVENT_BYTES
            count = recipients(&stored[i], told)
            for party in range(count):
                if (told[party].session_id == self.session_id and told[party].report_seq == self.told_report_seq + 1
                        and self.told_report_seq < report_seq):
                    self.orders.apply(&stored[i], party)
                    self.told_report_seq += 1
            if self.told_report_seq < report_seq:
                state["at"] += 1
        self.told_report_seq = report_seq

    def _write_base(self, int64_t period_ns):
        cdef StoreHead head
        memset(&head, 0, sizeof(head))
        head.kind = RECORD_BASE
        head.report_seq = <uint32_t> self.told_report_seq
        head.client_ref = self.sequencer.engine.state.sessions[self.session_id].last_client_seq
        head.ts_ns = period_ns
        self.store.append(&head, NULL, 0)

    def _begin_store(self, int64_t period_ns):
        """The numbers were reset: go on in a new file, which begins with the orders still live."""
        cdef StoreHead head
        cdef FixOrder* entry
        cdef FixOrders before = self.orders
        cdef FixText text
        self.store.flush(self.config.is_durable)
        self.store = FixStore(next_store_path(self.config))
        self._write_base(period_ns)
        self.orders = FixOrders(self.config.orders_max)
        self.orders.next_ref = before.next_ref
        memset(&head, 0, sizeof(head))
        head.kind = RECORD_ORDER
        for client_ref in before.live():
            entry = before.by_ref(client_ref)
            for name in sorted({client_ref, entry.current_ref}):
                entry = before.by_ref(name)
                if entry != NULL:
                    text.data, text.size = entry.text, entry.text_size
                    self.orders.add(text, entry.client_ref)[0] = entry[0]
                    self.store.append(&head, <const uint8_t*> entry, sizeof(FixOrder))
        self.orders.foreign = before.foreign
        self.resends.clear()
        self.resend_offset = -1
        self.stored_next_in = 0

    # ------------------------------------------------------------------------------------------ in

    cdef int take(self, const uint8_t* message, int64_t size) except -1:
        """Take one message off the stream; NO_ROOM: not now."""
        cdef FixRequest request
        read_request(message, size, &request)
        if self.numbers.fast and self.is_next(&request):
            if self.take_order(&request, message, size) == NO_ROOM:
                return NO_ROOM
            self.numbers.next_in += 1
            self.numbers.heard_ns = self.now_ns
            return TAKEN
        self._take_slowly((<const char*> message)[:size], request.fault, request.fault_tag)
        return TAKEN

    cdef bint is_next(self, const FixRequest* request) noexcept:
        """Whether it is an order message that may be used without asking the session."""
        cdef int64_t sent_ns
        if request.fault != FAULT_NONE or not request.is_plain or request.seq != self.numbers.next_in:
            return False
        if not is_order_message(request.msg_type) or request.sending_time.data == NULL:
            return False
        if not (is_text(request.sender, self.theirs) and is_text(request.target, self.ours)):
            return False
        sent_ns = parse_time(request.sending_time)
        if sent_ns < 0:
            return False
        return self.numbers.latency_ns == 0 or (
            -self.numbers.latency_ns <= sent_ns - self.now_ns <= self.numbers.latency_ns)

    def _take_slowly(self, bytes message, int fault, int fault_tag):
        """Whatever the session has to look at."""
        try:
            parsed = None if fault == FAULT_GARBLED else parse(message)
        except GarbledError:
            parsed = None
        if parsed is None:  # both readers have to hold it for a message: the order path reads with the other
            self.session.on_garbled(self.now_ns)
            self.drain()
            return
        if parsed.msg_type in ADMIN_TYPES:
            logged = masked(parsed) if parsed.msg_type == "A" else message
            self.note_in(logged, len(logged), max(parsed.seq, 0), 0, FLAG_ADMIN)
        if fault != FAULT_NONE:
            self.session.on_fault(parsed, Fault(fault, fault_tag), self.now_ns)
        else:
            self.session.on_message(parsed, self.now_ns)
        self.drain()

    def take_delayed(self):
        """Try again what found no room; whether nothing is left."""
        while self.delayed:
            if not self._deliver_bytes(self.delayed[0]):
                return False
            self.delayed.popleft()
        return True

    def _deliver(self, message, bint is_poss_resend):
        frame = rewritten(message)
        if is_poss_resend and self._knows(message.get(11, b"")):
            return
        if self.delayed or not self._deliver_bytes(frame):
            self.delayed.append(frame)

    def _knows(self, bytes cl_ord_id):
        cdef FixText text
        text.data, text.size = cl_ord_id, len(cl_ord_id)
        return bool(cl_ord_id) and self.orders.by_text(text) != NULL

    def _deliver_bytes(self, bytes message):
        cdef FixRequest request
        read_request(message, len(message), &request)
        if is_order_message(request.msg_type):
            return self.take_order(&request, message, len(message)) == TAKEN
        logged = masked(parse(message))  # a UserRequest has passwords, too
        self.note_in(logged, len(logged), max(request.seq, 0), 0, 0)
        if not take_token(&self.throttle, self.mono_ns):
            self.refuse_rate(&request)
            return True
        for msg_type, fields in answer(parse(message), self.symbols):
            self.send_fields(msg_type, fields)
        return True

    cdef int take_order(self, FixRequest* request, const uint8_t* message, int64_t size) except -1:
        """An order message whose turn it is becomes a command, a question or a refusal. NO_ROOM: nothing has changed."""
        cdef uint8_t* target = self.sequencer.reserve(SIZE_NEW_ORDER)
        cdef uint64_t client_ref = self.orders.next_ref
        cdef int is_pushed = 0
        if target == NULL:
            return NO_ROOM
        if not take_token(&self.throttle, self.mono_ns):
            self.note_in(message, size, request.seq, 0, 0)
            self.refuse_rate(request)
            return TAKEN
        if request.msg_type == TYPE_STATUS or request.msg_type == TYPE_MASS_STATUS:
            self.note_in(message, size, request.seq, 0, 0)
            if len(self.questions) < QUESTIONS_MAX:
                self.questions.append((<const char*> message)[:size])
            else:
                self.refuse(request, OTHER, b"too many status requests wait")
            return TAKEN
        if request.msg_type == TYPE_NEW_ORDER:
            is_pushed = self.new_order(request, target)
        elif request.msg_type == TYPE_MASS_CANCEL:
            is_pushed = self.mass_cancel(request, target)
        else:
            is_pushed = self.change_order(request, target)
        if is_pushed:
            client_ref = (<NewOrder*> target).client_ref
            (<NewOrder*> target).session_id = self.session_id
            (<NewOrder*> target).client_seq = <uint32_t> request.seq
            self.sequencer.push(SIZE_NEW_ORDER)
            self.orders_in += 1
        self.note_in(message, size, request.seq, client_ref if is_pushed else 0, 0)
        return TAKEN

    cdef int terms_of(self, FixOrder* terms, const FixRequest* request, const char** sentence) except -1:
        """What a D or G asks for, in the engine's units. 0, or OrdRejReason and the sentence why not."""
        cdef int reason = read_terms(terms, request, self.symbols.at(terms.instrument_id), sentence)
        cdef int64_t account
        if reason:
            return reason
        if request.account.data != NULL:
            account = parse_whole(request.account)
            if account < 1 or account > 4294967295 or (self.config.accounts and account not in self.config.accounts):
                sentence[0] = b"the account is not one of this session's"
                return ORD_UNKNOWN_ACCOUNT
            terms.account_id = <uint32_t> account
        else:
            terms.account_id = self.config.default_account
        return 0

    cdef FixOrder* enter(self, FixRequest* request, uint64_t seq, uint64_t client_ref) except? NULL:
        """Put a request into the table; NULL: the table is full of live orders."""
        cdef FixOrder terms
        cdef const char* sentence
        cdef FixOrder* root
        cdef FixOrder* entry
        memset(&terms, 0, sizeof(terms))
        terms.instrument_id = self.symbols.find(request.symbol)
        root = self.meant(request) if request.msg_type == TYPE_CANCEL or request.msg_type == TYPE_REPLACE else NULL
        terms.root_ref = root.client_ref if root != NULL else 0
        if request.msg_type == TYPE_NEW_ORDER and terms.instrument_id:
            self.terms_of(&terms, request, &sentence)
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
        cdef NewOrder* command = <NewOrder*> target
        cdef FixOrder terms
        cdef const char* sentence = NULL
        cdef FixOrder* entry
        cdef int reason
        memset(&terms, 0, sizeof(terms))
        terms.instrument_id = self.symbols.find(request.symbol)
        if terms.instrument_id == 0:
            self.symbols.load()
            terms.instrument_id = self.symbols.find(request.symbol)
        if terms.instrument_id == 0:
            return self.refuse(request, ORD_UNKNOWN_SYMBOL, b"no such Symbol")
        if request.cl_ord_id.size > CL_ORD_ID_BYTES_MAX:
            return self.refuse(request, OTHER, b"ClOrdID has more than 36 characters")
        if self.orders.by_text(request.cl_ord_id) != NULL:
            return self.refuse(request, ORD_DUPLICATE, b"ClOrdID has been used")
        if request.side.data[0] != c"1" and request.side.data[0] != c"2":
            return self.refuse(request, ORD_UNSUPPORTED, b"Side must be 1 or 2")
        reason = self.terms_of(&terms, request, &sentence)
        if reason:
            return self.refuse(request, reason, sentence)
        entry = self.enter(request, request.seq, 0)
        if entry == NULL:
            return self.refuse(request, 0, b"too many live orders in this session")
        memset(target, 0, SIZE_NEW_ORDER)
        write_header(target, BLOCK_NEW_ORDER, TEMPLATE_NEW_ORDER)
        command.client_ref = entry.client_ref
        command.price_ticks, command.qty_lots = entry.price_ticks, entry.qty_lots
        command.instrument_id, command.account_id = entry.instrument_id, entry.account_id
        command.side, command.order_type, command.time_in_force = entry.side, entry.order_type, entry.time_in_force
        command.order_flags = entry.order_flags
        return 1

    cdef int change_order(self, FixRequest* request, uint8_t* target) except -1:
        """Write the command of an F or G; 0: refused."""
        cdef ReplaceOrder* replace = <ReplaceOrder*> target
        cdef CancelOrder* cancel = <CancelOrder*> target
        cdef bint is_replace = request.msg_type == TYPE_REPLACE
        cdef FixOrder terms
        cdef const char* sentence = NULL
        cdef FixOrder* root = self.meant(request)
        cdef FixOrder* entry
        cdef uint64_t orig_ref = 0
        cdef int64_t order_id = 0
        memset(&terms, 0, sizeof(terms))
        if request.cl_ord_id.size > CL_ORD_ID_BYTES_MAX:
            return self.refuse(request, OTHER, b"ClOrdID has more than 36 characters")
        if self.orders.by_text(request.cl_ord_id) != NULL:
            return self.refuse(request, CXL_DUPLICATE, b"ClOrdID has been used")
        terms.instrument_id = self.symbols.find(request.symbol)
        if terms.instrument_id == 0:
            return self.refuse(request, OTHER, b"no such Symbol")
        if root != NULL and request.side.data[0] != (c"1" if root.side == SIDE_BUY else c"2"):
            return self.refuse(request, OTHER, b"Side is not the order's")
        if is_replace and self.terms_of(&terms, request, &sentence):
            return self.refuse(request, OTHER, sentence)
        if is_replace and terms.order_type != ORDER_TYPE_LIMIT:
            return self.refuse(request, OTHER, b"OrdType must be 2 in a replace")
        if request.orig_cl_ord_id.data != NULL:
            entry = self.orders.by_text(request.orig_cl_ord_id)
            orig_ref = entry.client_ref if entry != NULL else 0
        else:
            order_id = max(parse_whole(request.order_id), 0)
        entry = self.enter(request, request.seq, 0)
        if entry == NULL:
            return self.refuse(request, OTHER, b"too many live orders in this session")
        memset(target, 0, SIZE_NEW_ORDER)
        if is_replace:
            write_header(target, BLOCK_REPLACE_ORDER, TEMPLATE_REPLACE_ORDER)
            replace.price_ticks, replace.qty_lots, replace.order_flags = terms.price_ticks, terms.qty_lots, terms.order_flags
        else:
            write_header(target, BLOCK_CANCEL_ORDER, TEMPLATE_CANCEL_ORDER)
        # reference, instrument and ids lie at the same place in both
        cancel.client_ref = entry.client_ref
        cancel.instrument_id = terms.instrument_id
        cancel.orig_client_ref, cancel.order_id = orig_ref, <uint64_t> order_id
        return 1

    cdef int mass_cancel(self, FixRequest* request, uint8_t* target) except -1:
        """Write the command of a q; 0: refused."""
        cdef MassCancel* command = <MassCancel*> target
        cdef FixOrder* entry
        cdef uint32_t instrument_id = 0
        cdef uint8_t kind = request.mass_cancel.data[0]
        if kind != c"1" and kind != c"7":
            return self.refuse(request, OTHER, b"MassCancelRequestType must be 1 or 7")
        if request.side.data != NULL and request.side.data[0] != c"1" and request.side.data[0] != c"2":
            return self.refuse(request, OTHER, b"Side must be 1 or 2")
        if kind == c"1":
            instrument_id = self.symbols.find(request.symbol)
            if instrument_id == 0:
                return self.refuse(request, OTHER, b"no such Symbol")
        if request.cl_ord_id.size > CL_ORD_ID_BYTES_MAX or self.orders.by_text(request.cl_ord_id) != NULL:
            return self.refuse(request, OTHER, b"ClOrdID has been used, or has more than 36 characters")
        entry = self.enter(request, request.seq, 0)
        if entry == NULL:
            return self.refuse(request, OTHER, b"too many live orders in this session")
        memset(target, 0, SIZE_NEW_ORDER)
        write_header(target, BLOCK_MASS_CANCEL, TEMPLATE_MASS_CANCEL)
        command.client_ref = entry.client_ref
        command.instrument_id = instrument_id
        command.target_session_id = self.session_id
        if request.side.data != NULL:
            command.side = SIDE_BUY if request.side.data[0] == c"1" else SIDE_SELL
        return 1

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

    cdef int refuse_rate(self, const FixRequest* request) except -1:
        """Refuse what is over the session's rate; too much of it ends the session."""
        self.throttled += 1
        if request.msg_type in (TYPE_NEW_ORDER, TYPE_CANCEL, TYPE_REPLACE, TYPE_MASS_CANCEL):
            self.refuse(request, OTHER, b"THROTTLED: more messages than this session's rate allows")
        else:
            refused = (<object> request.msg_type).to_bytes(1 + (request.msg_type > 255), "big")
            self.send_fields("j", ((45, b"%d" % request.seq), (372, refused), (380, b"0"),
                                   (58, b"THROTTLED: more messages than this session's rate allows")))
        if count_useless(&self.throttle, 1, FLOOD_MULTIPLE, self.mono_ns) and self.numbers.active:
            self.banned_until_ns = self.mono_ns + <int64_t> BAN_S * 1_000_000_000
            self.session.logout("FLOOD: twice the session's rate was exceeded", self.now_ns)
            self.drain()
        return 0

    # ------------------------------------------------------------------------------------------ reports

    cdef int tell(self, const uint8_t* event, int party, uint64_t report_seq) except -1:
        """Send a report of the engine, the next one."""
        cdef ExecutionReport report
        cdef uint32_t msg_type = 0
        cdef FixOrder* root = self.orders.apply(event, party)
        cdef int32_t size
        if render(event, party, 0, &report):
            size = write_report(self.body, &report, party, self.orders, root,
                                self.symbols.at(report.instrument_id), self.digits, &msg_type)
            if size:
                self.send(msg_type, self.body, size, 0, <uint32_t> report_seq)
                self.reports_out += 1
        self.told_report_seq = report_seq
        return 0

    def catch_up(self, int64_t reports_max):
        """Tell a piece of what is lacking, from the event log."""
        cdef const uint8_t[::1] stored
        cdef Recipient told[2]
        cdef int64_t i
        cdef int party, count
        events = self.sequencer.reports(self.session_id, self.told_report_seq + 1, reports_max)
        if len(events):
            stored = events.view("u1").reshape(-1)
        for i in range(len(events)):
            count = recipients(&stored[i * EVENT_BYTES], told)
            for party in range(count):
                if told[party].session_id == self.session_id and told[party].report_seq == self.told_report_seq + 1:
                    self.tell(&stored[i * EVENT_BYTES], party, told[party].report_seq)
        self.behind = len(events) >= reports_max

    def answer_questions(self):
        """Answer status requests, as far as the client takes them."""
        cdef FixRequest request
        cdef FixOrder* root
        cdef bytes message
        while self.questions and self.has_space():
            if self.answers is not None and not self._go_on_answering():
                return
            message = self.questions.popleft()
            read_request(message, len(message), &request)
            if request.msg_type == TYPE_MASS_STATUS:
                self._begin_answers(parse(message))
                continue
            root = self.meant(&request)
            if root == NULL or self.symbols.at(root.instrument_id) == NULL:
                self.refuse(&request, ORD_UNKNOWN_ORDER, b"no such order")
                continue
            suffix = b"" if request.status_req_id.data == NULL else b"790=%b\x01" % (
                (<const char*> request.status_req_id.data)[:request.status_req_id.size])
            self._send_status(root.client_ref, suffix[:256])
        if self.answers is not None:
            self._go_on_answering()

    cdef bint has_space(self) noexcept:
        return self.connection is not None and self.connection.waiting_bytes() < STATUS_BYTES

    def _begin_answers(self, message):
        """Answer an AF: which orders it means is fixed now."""
        cdef FixOrder* root
        wanted, problem = mass_status_filter(message, self.symbols)
        found = []
        if wanted is not None:
            for client_ref in self.orders.live():
                root = self.orders.by_ref(client_ref)
                if (wanted[0] in (0, root.instrument_id)) and (wanted[1] in (0, root.side)):
                    found.append(client_ref)
        request_id = message.get(584, b"")[:64]
        if found:
            self.answers = [request_id, found, 0]
            return
        self.send_fields("8", no_orders(message, problem, self.numbers.next_out))

    def _go_on_answering(self):
        """Send statuses of a mass request until the client's buffer is well filled; whether it is done."""
        request_id, found, index = self.answers
        while index < len(found) and self.has_space():
            last = b"912=Y\x01" if index == len(found) - 1 else b"912=N\x01"
            self._send_status(found[index], b"584=%b\x01911=%d\x01%b" % (request_id, len(found), last))
            index += 1
        self.answers = None if index == len(found) else [request_id, found, index]
        return self.answers is None

    def _send_status(self, uint64_t client_ref, bytes suffix):
        cdef FixOrder* root = self.orders.by_ref(client_ref)
        cdef const Instrument* instrument = NULL if root == NULL else self.symbols.at(root.instrument_id)
        if instrument == NULL:
            return
        cdef int32_t size = write_status(self.body, self.orders, root, instrument, self.digits,
                                         self.numbers.next_out, suffix, len(suffix))
        self.send(56, self.body, size, 0, 0)

    # ------------------------------------------------------------------------------------------ out

    cdef int send(self, uint32_t msg_type, const uint8_t* body, int32_t size, int flags, uint32_t report_seq) except -1:
        """Send a message with the next number: it joins the store and the connection's queue."""
        return self.send_routed(msg_type, NULL, 0, body, size, flags, report_seq)

    cdef int send_routed(self, uint32_t msg_type, const uint8_t* routing, int32_t routing_bytes, const uint8_t* body,
                         int32_t size, int flags, uint32_t report_seq) except -1:
        cdef StoreHead head
        cdef int body_offset = 0
        cdef int64_t begin = self.frame(msg_type, self.numbers.next_out, routing, routing_bytes, 0, body, size, &body_offset)
        cdef int64_t bytes_count = self.frame_end - begin
        memset(&head, 0, sizeof(head))
        head.kind, head.flags, head.body_offset = RECORD_OUT, flags, body_offset
        head.report_seq, head.seq, head.ts_ns = report_seq, self.numbers.next_out, self.now_ns
        self.store.append(&head, self.scratch + begin, bytes_count)
        self.numbers.next_out += 1
        self.numbers.sent_ns = self.now_ns
        if self.connection is not None:
            self.connection.put(self.scratch + begin, bytes_count)
        return 0

    cdef int64_t frame(self, uint32_t msg_type, uint64_t seq, const uint8_t* routing, int32_t routing_bytes,
                       int64_t orig_ns, const uint8_t* body, int32_t size, int* body_offset) except -1:
        """Write a message into the scratch buffer; where it begins there. It ends at frame_end."""
        cdef FixHeader header
        if size + routing_bytes > OUT_BODY_MAX:
            raise ValueError(f"a message of {size} bytes is too long to be sent")
        header.msg_type, header.seq, header.ts_ns, header.orig_ns = msg_type, seq, self.now_ns, orig_ns
        header.ours.data, header.ours.size = self.ours, <int32_t> len(self.ours)
        header.theirs.data, header.theirs.size = self.theirs, <int32_t> len(self.theirs)
        header.routing.data, header.routing.size = routing, routing_bytes
        header.digits = self.digits
        return write_message(self.scratch, &header, body, size, body_offset, &self.frame_end)

    def send_fields(self, str msg_type, fields, routing=()):
        """Send a message given as fields."""
        cdef bytes body = b"".join([b"%d=%b\x01" % field for field in fields])
        cdef bytes route = b"".join([b"%d=%b\x01" % field for field in routing])
        code = int.from_bytes(msg_type.encode("ascii"), "big")
        self.send_routed(code, route, len(route), body, len(body), FLAG_ADMIN if msg_type in ADMIN_TYPES else 0, 0)

    cdef int note_in(self, const uint8_t* message, int64_t size, uint64_t seq, uint64_t client_ref, int flags) except -1:
        """Store a message received."""
        cdef StoreHead head
        memset(&head, 0, sizeof(head))
        head.kind, head.flags, head.seq, head.client_ref = RECORD_IN, flags, seq, client_ref
        head.ts_ns = self.now_ns
        self.store.append(&head, message, size)
        return 0

    cdef int flush(self, bint sync) except -1:
        """Write what this turn has to keep, and the number expected next once its commands are in the journal."""
        cdef StoreHead head
        cdef bint is_settled = (self.sequencer.batch_count == 0
                                and self.sequencer.released_event_seq() == self.sequencer.engine.last_event_seq)
        if is_settled and self.numbers.next_in != self.stored_next_in and not self.delayed:
            memset(&head, 0, sizeof(head))
            head.kind, head.next_in, head.ts_ns = RECORD_NUMBERS, self.numbers.next_in, self.now_ns
            self.store.append(&head, NULL, 0)
            self.stored_next_in = self.numbers.next_in
        return self.store.flush(sync)

    def resend(self):
        """Send a piece of what was asked for again, in order; live reports wait meanwhile."""
        cdef uint64_t begin, end
        cdef int64_t count, position = 0
        cdef const uint8_t* data
        cdef StoreHead head
        if not self.resends or not self.has_space():
            return
        self.store.flush(self.config.is_durable)  # what waits here leaves in this turn
        begin, end = self.resends[0]
        if self.resend_offset < 0:
            self.resend_seq = begin
            self.resend_offset = self.store.offset_of(begin)
        room = bytearray(RESEND_BYTES)
        count = self.store.read_at(self.resend_offset, <uint8_t*> <char*> room, RESEND_BYTES)
        data = <const uint8_t*> <char*> room
        while count - position >= HEAD_BYTES and self.resend_seq <= end:
            memcpy(&head, data + position, HEAD_BYTES)
            if head.size > count - position:
                break
            if head.kind == RECORD_OUT and head.seq > end:
                self.resend_offset = self.store.size
                break
            if head.kind == RECORD_OUT and not head.flags & FLAG_ADMIN and head.seq >= self.resend_seq:
                self.resend_record(data + position, end)
            position += head.size
            self.resend_offset += head.size
        if self.resend_seq > end or self.resend_offset >= self.store.size:
            if self.resend_seq <= end:
                self.gap_fill(end + 1)
            self.resends.popleft()
            self.resend_offset = -1

    cdef int resend_record(self, const uint8_t* record, uint64_t end) except -1:
        cdef const StoreHead* head = <const StoreHead*> record
        cdef const uint8_t* message = record + HEAD_BYTES
        cdef int64_t size = head.size - HEAD_BYTES
        cdef int64_t at = 12
        cdef uint32_t msg_type
        cdef int body_offset = 0
        cdef int64_t begin
        if head.seq > self.resend_seq:
            self.gap_fill(head.seq)
        while message[at] != SOH:
            at += 1
        at += 4  # SOH, 35=
        msg_type = message[at] if message[at + 1] == SOH else (message[at] << 8) | message[at + 1]
        begin = self.frame(msg_type, head.seq, NULL, 0, head.ts_ns, message + head.body_offset,
                           <int32_t> (size - head.body_offset - 7), &body_offset)
        self.connection.put(self.scratch + begin, self.frame_end - begin)
        self.numbers.sent_ns = self.now_ns
        self.messages_resent += 1
        self.resend_seq = head.seq + 1
        return 0

    cdef int gap_fill(self, uint64_t new_seq) except -1:
        """Say that nothing is to be resent from resend_seq up to new_seq."""
        cdef uint8_t body[64]
        cdef int body_offset = 0
        cdef uint8_t* out = put_char_field(put_whole_field(body, 36, new_seq), 123, c"Y")
        cdef int64_t begin = self.frame(c"4", self.resend_seq, NULL, 0, -1, body, <int32_t> (out - body), &body_offset)
        if self.connection is not None:
            self.connection.put(self.scratch + begin, self.frame_end - begin)
        self.numbers.sent_ns = self.now_ns
        self.resend_seq = new_seq
        return 0

    # ------------------------------------------------------------------------------------------ the session

    def drain(self):
        """Do what the session asks for."""
        while self.session.actions:
            actions = list(self.session.actions)
            self.session.actions.clear()
            for action in actions:
                self._do(action)

    def _do(self, action):
        if isinstance(action, Send):
            self.send_fields(action.msg_type, action.fields, action.routing)
        elif isinstance(action, Deliver):
            self._deliver(action.message, action.is_poss_resend)
        elif isinstance(action, Resend):
            if len(self.resends) < RESENDS_MAX:
                self.resends.append((action.begin, action.end))
            else:
                self.door.overrun(self, "too many ResendRequests wait")
        elif isinstance(action, Authenticate):
            self.door.authenticate(self, action.message)
        elif isinstance(action, ResetNumbers):
            self._begin_store(action.period_ns)
        elif isinstance(action, Established):
            self.live = self.behind = True
        elif isinstance(action, Ended):
            self.live = False
            self.questions.clear()
            self.answers = None
            self.door.ended(self, action.reason)
        elif isinstance(action, Disconnect):
            self.door.disconnect(self, action.delay_ns)

    def begin(self, now_ns, mono_ns):
        """A client connects."""
        self.now_ns, self.mono_ns = now_ns, mono_ns
        self.resends.clear()
        self.resend_offset = -1
        if self.throttle.throttle_window_ns == 0:  # filled once: a new connection is no new allowance
            reset_throttle(&self.throttle, self.config.throttle_messages, self.config.throttle_window_ms * 1_000_000, mono_ns)
        self.session.on_connect(now_ns)
        self.drain()

    def figures(self):
        """Numbers and counters, as a dict."""
        return {"session_id": self.session_id, "comp_id": self.theirs.decode(), "live": bool(self.live),
                "next_in": self.numbers.next_in, "next_out": self.numbers.next_out,
                "told_report_seq": self.told_report_seq, "orders": self.orders_in, "refused": self.refused,
                "throttled": self.throttled, "reports": self.reports_out, "resent": self.messages_resent}
