"""One FIX session at the door. A message in becomes a command or a refusal; an event becomes a message out.

Order of things on disk: a request's message is stored before its command is journaled; a report is stored before its
bytes leave; the number expected next is stored only behind the commands it covers.
"""
from collections import deque

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

cimport cython

from tradsys.core.state cimport Instrument
from tradsys.fix.validation cimport NO_MESSAGE, VALID
from tradsys.gateways.fix_copies cimport FixCopies
from tradsys.gateways.fix_entry cimport FixEntry
from tradsys.gateways.fix_orders cimport FixOrder, FixOrders, is_stored_order
from tradsys.gateways.fix_reports cimport (
    TYPE_EXECUTION_REPORT, is_about_match, write_match_change, write_report, write_status,
)
from tradsys.gateways.fix_request cimport (
    FAULT_GARBLED, FAULT_NONE, TYPE_CANCEL, TYPE_MASS_CANCEL, TYPE_MASS_STATUS, TYPE_NEW_ORDER, TYPE_REPLACE,
    TYPE_STATUS, FixRequest, is_order_message, parse_time, read_request,
)
from tradsys.gateways.fix_store cimport (
    FLAG_ADMIN, RECORD_BASE, RECORD_IN, RECORD_NUMBERS, RECORD_ORDER, RECORD_OUT, FixStore, StoreHead,
)
from tradsys.gateways.fix_text cimport FixText, is_text
from tradsys.gateways.reports cimport Recipient, recipients, render
from tradsys.gateways.sessions cimport count_useless, reset_throttle, take_token
from tradsys.wire.records cimport (
    ExecutionReport, NewOrder, REJECT_REASON_THROTTLED, REJECT_REASON_UNKNOWN_ORDER, SIZE_NEW_COMPLEX_ORDER,
)

from tradsys.fix.actions import (
    Authenticate, Deliver, Disconnect, Ended, Established, Fault, Resend, ResetNumbers, Send,
)
from tradsys.fix.message import GarbledError, parse
from tradsys.fix.session import FixSession
from tradsys.gateways.fix_answers import (
    ADMIN_TYPES, NOT_AUTHORIZED, logged, mass_status_filter, no_orders, refuse, rewritten,
)
from tradsys.gateways.fix_sessions import DROP_COPY, next_store_path, store_path

TOO_SOON = "the numbers began again a moment ago; try again later"

cdef enum:
    EVENT_BYTES = 128
    INVALID_MSG_TYPE = 11
    QUESTIONS_MAX = 4096
    QUESTIONS_A_TURN = 64       # answered, of one session
    LOOKED_A_TURN = 4096        # entries of the order table, for a mass status request
    SLOW_COST = 256             # of a message for the session, beside its bytes
    RESET_COST = 65536          # of a reset: a file is made
    RESET_NS = 100_000          # until the next reset, for each order that is carried over
    RESET_FREE = 256            # of them cost nothing
    RESENDS_MAX = 16            # ranges asked for that wait, of one session
    RECOVERED_REPORTS = 4096    # read at a time
    FLOOD_MULTIPLE = 1          # refused messages a window, as a multiple of the throttle
    BAN_S = 15


@cython.final
cdef class FixPeer(FixEntry):
    """A FIX session between its connection and the sequencer.

    Reports are told once each, in the order of report_seq; each takes the next MsgSeqNum and is stored with both.
    While no client is logged on nothing is told: what happened meanwhile follows the logon from the event log.

    Parameters
    ----------
    config : FixSessionConfig
    symbols : FixSymbols
    door : FixGateway
        Asked to authenticate, told of the end.
    sequencer : Sequencer
    """

    def __cinit__(self, config, symbols, door, sequencer):
        self.door = door
        self.sequencer = sequencer
        self.delayed = deque()
        self.opens = deque()
        self.rules = config.rules
        self.questions = deque()
        if config.kind == DROP_COPY:
            self.copies = FixCopies(config, door, sequencer)

    def __init__(self, config, symbols, door, sequencer):
        period_ns = self._recover() if self.copies is None else self.copies.recover(self)
        self.session = FixSession(config.settings, self.numbers, period_ns=period_ns)
        self.stored_next_in = self.numbers.next_in

    # ------------------------------------------------------------------------------------------ recovery

    def _recover(self):
        """Read the store; the order table follows its requests and the event log. Returns the schedule's period."""
        self.store = FixStore(store_path(self.config))
        cdef uint32_t last_client_seq = self.sequencer.engine.state.sessions[self.session_id].last_client_seq
        state = {"base": None, "period": 0, "events": (), "at": 0, "last_seq": last_client_seq, "last_ref": 0,
                 "carried_ref": 0}
        cdef uint32_t carried_seq = 0xFFFFFFFF  # of requests before the last reset the engine has seen all ...
        self.store.load(lambda *record: self._take_record(state, *record))
        if state["base"] is None:
            self.told_report_seq = self.sequencer.engine.state.sessions[self.session_id].last_report_seq
            self._write_base(0)
            last_client_seq = 0
        elif (last_client_seq == state["base"][0] or last_client_seq <= state["base"][1]) and not self._was_executed(state):
            carried_seq = last_client_seq  # ... or not even those, and nothing since
            last_client_seq = 0
        self.orders.forget_undecided(last_client_seq, state["carried_ref"], carried_seq)
        if <int64_t> last_client_seq + 1 > self.numbers.next_in:
            self.numbers.next_in = <int64_t> last_client_seq + 1
        return state["period"]

    def _take_record(self, state, int kind, int flags, uint64_t report_seq, uint64_t seq, uint64_t client_ref,
                     int64_t ts_ns, uint64_t next_in, bytes data):
        cdef FixRequest request
        if kind == RECORD_IN:
            if client_ref:
                read_request(data, len(data), &request)
                self.enter(&request, seq, client_ref)
                if seq == state["last_seq"]:
                    state["last_ref"] = client_ref
        elif kind == RECORD_OUT:
            self.numbers.next_out = seq + 1
            if report_seq > self.told_report_seq:
                self._follow_to(state, report_seq)
        elif kind == RECORD_NUMBERS:
            self.numbers.next_in = next_in
        elif kind == RECORD_ORDER and is_stored_order(data):
            state["carried_ref"] = max(state["carried_ref"], self.orders.restore(data))
        elif kind == RECORD_BASE:
            self.told_report_seq, state["period"] = report_seq, ts_ns
            state["base"] = client_ref, seq, report_seq
            self.numbers.next_out = max(next_in, 1)

    def _was_executed(self, state):
        """Whether the engine's last number is of this store: it has executed the request stored here with it.

        Asked only where it may also be of the numbers before the last reset. Looks back through the reports.
        """
        cdef const uint8_t[::1] stored
        cdef ExecutionReport report
        cdef int64_t i
        cdef uint64_t first, last = self.sequencer.engine.state.sessions[self.session_id].last_report_seq
        while state["last_ref"] and last > state["base"][2]:
            first = max(<int64_t> state["base"][2], <int64_t> last - RECOVERED_REPORTS) + 1
            events = self.sequencer.reports(self.session_id, first, last - first + 1)
            if len(events):
                stored = events.view("u1").reshape(-1)
            for i in range(len(events)):
                # every request has a report that names it, and only executions have two parties
                if (render(&stored[i * EVENT_BYTES], 0, 0, &report) and report.client_seq == state["last_seq"]
                        and report.client_ref == state["last_ref"]):
                    return True
            last = first - 1
        return False

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
        """Begin a store: where the reports and the engine's numbers stood, executed and on their way to it."""
        cdef StoreHead head
        memset(&head, 0, sizeof(head))
        head.kind = RECORD_BASE
        head.report_seq = <uint32_t> self.told_report_seq
        head.client_ref = self.sequencer.engine.state.sessions[self.session_id].last_client_seq
        if self.sequencer.batch_count == 0:
            self.pushed_seq = 0
        head.seq = self.pushed_seq
        head.ts_ns = period_ns
        head.next_in = self.numbers.next_out
        self.store.append(&head, NULL, 0)

    def _begin_store(self, int64_t period_ns):
        """The numbers were reset: go on in a new file, which begins with the orders still live."""
        cdef StoreHead head
        cdef FixOrder* entry
        cdef FixOrders before = self.orders
        cdef int64_t carried = 0
        if self.copies is not None:
            self.copies.begin_store(self, period_ns)
            self.forget_resends()
            self.stored_next_in = 0
            return
        self.store.flush(self.is_durable)
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
                    carried += 1
                    self.orders.carry(entry, before.terms_of(entry))
                    data = before.stored(entry)
                    self.store.append(&head, <const uint8_t*> <const char*> data, len(data))
        self.orders.foreign = before.foreign
        self.slow_cost += RESET_COST
        self.reset_after_ns = self.mono_ns + RESET_NS * carried if carried > RESET_FREE else 0
        self.forget_resends()
        self.stored_next_in = 0

    # ------------------------------------------------------------------------------------------ in

    cdef int take(self, const uint8_t* message, int64_t size) except -1:
        """Take one message off the stream; NO_ROOM: not now."""
        cdef FixRequest request
        cdef object fault = None
        cdef int reason, fault_tag = 0
        read_request(message, size, &request)
        if self.rules is not None and request.fault != FAULT_GARBLED:
            reason = self.rules.validate(message, size, &fault_tag)
            if reason != VALID and reason != NO_MESSAGE:
                fault = Fault(reason, None if reason == INVALID_MSG_TYPE else fault_tag)
        if fault is None and self.numbers.fast and self.is_next(&request):
            if self.take_order(&request, message, size) == NO_ROOM:
                return NO_ROOM
            self.numbers.next_in += 1
            self.numbers.heard_ns = self.now_ns
            return TAKEN
        if fault is None and request.fault != FAULT_NONE and request.fault != FAULT_GARBLED:
            fault = Fault(request.fault, request.fault_tag)
        self._take_slowly((<const char*> message)[:size], request.fault == FAULT_GARBLED, fault)
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

    def _take_slowly(self, bytes message, bint is_garbled, fault):
        """Whatever the session has to look at."""
        self.slow_cost += SLOW_COST + len(message)
        try:
            parsed = None if is_garbled else parse(message)
        except GarbledError:
            parsed = None
        if parsed is None:  # both readers have to hold it for a message: the order path reads with the other
            self.session.on_garbled(self.now_ns)
            self.drain()
            return
        is_logon = parsed.msg_type == "A" and not self.live
        begin = self.store.end()
        if parsed.msg_type in ADMIN_TYPES:
            kept = logged(parsed, message)
            self.note_in(kept, len(kept), max(parsed.seq, 0), 0, FLAG_ADMIN)
            if self.live and not take_token(&self.admin_throttle, self.mono_ns):
                self.count_flood()
        if self.live and parsed.msg_type == "A" and parsed.flag(141) and self.mono_ns < self.reset_after_ns:
            self.session.logout(TOO_SOON, self.now_ns)
        elif fault is not None:
            self.session.on_fault(parsed, fault, self.now_ns)
        else:
            self.session.on_message(parsed, self.now_ns)
        self.drain()
        if is_logon and not self.live and self.opens_pending == 0:
            self.store.note_refusal(begin)

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
        kept = logged(parse(message), message)  # a UserRequest has passwords, too
        self.note_in(kept, len(kept), max(request.seq, 0), 0, 0)
        if not take_token(&self.throttle, self.mono_ns):
            self.refuse_rate(&request)
            return True
        self.door.desk.take(self, parse(message))
        return True

    cdef int take_order(self, FixRequest* request, const uint8_t* message, int64_t size) except -1:
        """An order message whose turn it is becomes a command, a question or a refusal. NO_ROOM: nothing has changed."""
        cdef uint8_t* target = self.sequencer.reserve(SIZE_NEW_COMPLEX_ORDER)
        cdef uint64_t client_ref = self.orders.next_ref
        cdef int size_pushed = 0
        cdef bint is_cancel
        if target == NULL:
            return NO_ROOM
        is_cancel = request.msg_type == TYPE_CANCEL or request.msg_type == TYPE_MASS_CANCEL
        if not take_token(&self.cancel_throttle if is_cancel else &self.throttle, self.mono_ns):
            self.note_request(request, message, size, 0)
            self.refuse_rate(request)
            return TAKEN
        if self.copies is not None:
            self.note_request(request, message, size, 0)
            self._refuse_order(parse((<const char*> message)[:size]))
            return TAKEN
        if request.msg_type == TYPE_STATUS or request.msg_type == TYPE_MASS_STATUS:
            self.note_request(request, message, size, 0)
            if len(self.questions) < QUESTIONS_MAX:
                self.questions.append((<const char*> message)[:size])
                self.has_tasks = True
            else:
                self.refuse(request, REJECT_REASON_THROTTLED, b"too many status requests wait")
            return TAKEN
        if request.msg_type == TYPE_NEW_ORDER:
            size_pushed = self.new_order(request, target)
        elif request.msg_type == TYPE_MASS_CANCEL:
            size_pushed = self.mass_cancel(request, target)
        else:
            size_pushed = self.change_order(request, target)
        if size_pushed:
            client_ref = (<NewOrder*> target).client_ref
            (<NewOrder*> target).session_id = self.session_id
            (<NewOrder*> target).client_seq = <uint32_t> request.seq
            self.sequencer.push(size_pushed)
            self.pushed_seq = max(self.pushed_seq, <uint32_t> request.seq)
            self.orders_in += 1
        self.note_request(request, message, size, client_ref if size_pushed else 0)
        return TAKEN

    cdef int note_request(self, const FixRequest* request, const uint8_t* message, int64_t size, uint64_t client_ref) except -1:
        """Store an order message, as it came but for credentials, which have no business there."""
        if request.is_plain:
            return self.note_in(message, size, request.seq, client_ref, 0)
        frame = (<const char*> message)[:size]
        kept = logged(parse(frame), frame)
        return self.note_in(kept, len(kept), request.seq, client_ref, 0)

    def _refuse_order(self, message):
        """Refuse an order message: this session is a drop copy."""
        msg_type, fields = refuse(message, NOT_AUTHORIZED, b"a drop copy session enters no orders and asks for none")
        cl_ord_id = message.get(11)
        if cl_ord_id is not None:
            fields.insert(2, (379, cl_ord_id[:64]))
        self.refused += 1
        self.send_fields(msg_type, fields)

    cdef int refuse_rate(self, const FixRequest* request) except -1:
        """Refuse what is over the session's rate; too much of it ends the session."""
        if self.copies is None and request.msg_type in (TYPE_NEW_ORDER, TYPE_CANCEL, TYPE_REPLACE, TYPE_MASS_CANCEL):
            self.refuse(request, REJECT_REASON_THROTTLED, b"THROTTLED: more messages than this session's rate allows")
        else:
            refused = (<object> request.msg_type).to_bytes(1 + (request.msg_type > 255), "big")
            self.send_fields("j", ((45, b"%d" % request.seq), (372, refused), (380, b"0"),
                                   (58, b"THROTTLED: more messages than this session's rate allows")))
        return self.count_flood()

    cdef int count_flood(self) except -1:
        """Count a message over the session's rate."""
        self.throttled += 1
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
            if is_about_match(report.report_type):
                self.tell_match_change(&report, party, root)
                self.told_report_seq = report_seq
                return 0
            size = write_report(self.body, &report, party, self.orders, root,
                                self.symbols.at(report.instrument_id), self.digits, &msg_type)
            if size:
                self.send(msg_type, self.body, size, 0, <uint32_t> report_seq)
                self.reports_out += 1
        self.told_report_seq = report_seq
        return 0

    cdef int tell_match_change(self, const ExecutionReport* report, int party, const FixOrder* root) except -1:
        """Send what came of a match; of an order that is forgotten, what the event has."""
        cdef bytes name = self.door.name_of(self.session_id, report.client_ref) if root == NULL else b""
        cdef FixText view
        cdef int32_t size
        view.data, view.size = name, <int32_t> len(name)
        size = write_match_change(self.body, report, party, self.orders, root, view,
                                  self.symbols.at(report.instrument_id), self.digits)
        if size:
            self.send(TYPE_EXECUTION_REPORT, self.body, size, 0, <uint32_t> report.report_seq)
            self.reports_out += 1
        return 0

    cdef bint can_catch_up(self) noexcept:
        return self.live and self.behind and not self.is_resending and self.connection is not None and (
            self.connection.waiting_bytes() < LIVE_BYTES)

    cdef int work(self) except -1:
        """Do what waits behind the reports told: questions asked. A resend, and reports that are lacking, are the door's."""
        if self.live and not self.is_resending and not self.behind:
            if self.copies is not None:
                self.copies.looked_seq = self.door.egress_seq
            if self.questions or self.answers is not None or self.search is not None:
                self.answer_questions()
        self.has_tasks = bool(self.is_resending or self.behind or self.questions or self.answers is not None
                              or self.search is not None or self.copies is not None)
        return 0

    cdef int fall_behind(self) except -1:
        """Take reports from the event log from now on."""
        self.behind = self.has_tasks = True
        return 0

    cdef int64_t catch_up(self, int64_t reports_max) except -1:
        cdef const uint8_t[::1] stored
        cdef Recipient told[2]
        cdef int64_t i
        cdef int party, count
        if self.copies is not None:
            self.behind = not self.copies.catch_up(self, reports_max, self.door.egress_seq)
            return reports_max if self.behind else 1
        if self.told_report_seq == self.sequencer.engine.state.sessions[self.session_id].last_report_seq:
            self.behind = False  # the log need not be read to know it
            return 1
        events = self.sequencer.reports(self.session_id, self.told_report_seq + 1, reports_max)
        if len(events):
            stored = events.view("u1").reshape(-1)
        for i in range(len(events)):
            count = recipients(&stored[i * EVENT_BYTES], told)
            for party in range(count):
                if told[party].session_id == self.session_id and told[party].report_seq == self.told_report_seq + 1:
                    self.tell(&stored[i * EVENT_BYTES], party, told[party].report_seq)
        self.behind = len(events) >= reports_max
        return len(events) + 1

    def answer_questions(self):
        """Answer status requests, as far as the client takes them."""
        cdef FixRequest request
        cdef FixOrder* root
        cdef bytes message
        cdef bint has_looked = False
        for _ in range(QUESTIONS_A_TURN):
            if self.search is not None:
                if has_looked:
                    return
                has_looked = True
                self.look_on()
            if self.search is not None or (self.answers is not None and not self._go_on_answering()):
                return
            if not self.questions or not self.has_space():
                return
            message = self.questions.popleft()
            read_request(message, len(message), &request)
            if request.msg_type == TYPE_MASS_STATUS:
                self._begin_answers(parse(message))
                continue
            root = self.meant(&request)
            if root == NULL or self.symbols.at(root.instrument_id) == NULL:
                self.refuse(&request, REJECT_REASON_UNKNOWN_ORDER, b"no such order")
                continue
            suffix = b"" if request.status_req_id.data == NULL else b"790=%b\x01" % (
                (<const char*> request.status_req_id.data)[:request.status_req_id.size])
            self._send_status(root.client_ref, suffix[:256])

    def _begin_answers(self, message):
        """Answer an AF: orders entered from now on are not meant. A large table is looked through in pieces."""
        wanted, problem = mass_status_filter(message, self.symbols)
        if wanted is None:
            self.send_fields("8", no_orders(message, problem, self.numbers.next_out))
        else:
            self.search = message, wanted, [], 0, self.orders.next_ref, self.orders.capacity

    cdef int look_on(self) except -1:
        """Look at a piece of the order table for those a mass status request means; behind the last one they are told."""
        cdef uint32_t index, capacity, instrument_id, side
        cdef uint64_t end_ref
        cdef FixOrder* root
        message, wanted, found, index, end_ref, capacity = self.search
        if capacity != self.orders.capacity:  # it grew: every order has moved
            found, index = [], 0
        instrument_id, side = wanted
        for index in range(index, min(index + LOOKED_A_TURN, self.orders.capacity)):
            root = &self.orders.entries[index]
            if (root.client_ref and root.client_ref < end_ref and root.kind == c"D" and root.leaves_lots > 0
                    and instrument_id in (0, root.instrument_id) and side in (0, root.side)):
                found.append(root.client_ref)
        index += 1
        if index < self.orders.capacity:
            self.search = message, wanted, found, index, end_ref, self.orders.capacity
            return 0
        self.search = None
        if found:
            self.answers = [message.get(584, b"")[:64], sorted(found), 0]
        else:
            self.send_fields("8", no_orders(message, b"", self.numbers.next_out))
        return 0

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

    cdef int flush(self, bint sync) except -1:
        """Write what this turn has to keep, and the number expected next once its commands are in the journal."""
        cdef StoreHead head
        cdef bint is_settled = (self.sequencer.batch_count == 0
                                and self.sequencer.released_event_seq() == self.sequencer.engine.last_event_seq)
        if is_settled and self.numbers.next_in != self.stored_next_in and not self.delayed:
            memset(&head, 0, sizeof(head))
            head.kind, head.next_in, head.ts_ns = RECORD_NUMBERS, self.numbers.next_in, self.now_ns
            if self.copies is not None:
                head.client_ref = 2 * self.copies.looked_seq + 1
            self.store.append(&head, NULL, 0)
            self.stored_next_in = self.numbers.next_in
        return self.store.flush(sync)

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
                self.is_resending = self.has_tasks = True
            else:
                self.door.overrun(self, "too many ResendRequests wait")
        elif isinstance(action, Authenticate):
            self.door.authenticate(self, action.message)
        elif isinstance(action, ResetNumbers):
            self._begin_store(action.period_ns)
        elif isinstance(action, Established):
            self.live = self.behind = self.has_tasks = True
        elif isinstance(action, Ended):
            self.live = False
            self.questions.clear()
            self.answers = self.search = None
            self.door.desk.ended(self)
            self.door.ended(self, action.reason)
        elif isinstance(action, Disconnect):
            self.door.disconnect(self, action.delay_ns)

    def begin(self, now_ns, mono_ns):
        """A client connects."""
        self.now_ns, self.mono_ns = now_ns, mono_ns
        self.forget_resends()
        if self.throttle.throttle_window_ns == 0:  # filled once: a new connection is no new allowance
            self._fill_throttles()
        self.session.on_connect(now_ns)
        self.drain()

    def _fill_throttles(self):
        cdef int64_t window_ns = self.config.throttle_window_ms * 1_000_000
        cdef int64_t messages = self.config.throttle_messages
        reset_throttle(&self.throttle, messages, window_ns, self.mono_ns)
        reset_throttle(&self.cancel_throttle, messages * self.config.cancel_multiple, window_ns, self.mono_ns)
        reset_throttle(&self.admin_throttle, messages * self.config.cancel_multiple, window_ns, self.mono_ns)

    def can_send(self):
        """Whether an answer may leave now: logged on, nothing being resent, and the client takes what it is sent."""
        return self.live and not self.is_resending and self.has_space()

    def may_see(self, uint32_t session_id, uint32_t account_id):
        """Whether a trade of that session and account is this session's to know."""
        return session_id == self.session_id if self.copies is None else self.copies.may_see(session_id, account_id)

    @property
    def is_drop_copy(self):
        """Whether it is told of other sessions' orders, and enters none."""
        return self.copies is not None

    def name_of(self, uint64_t client_ref):
        """The ClOrdID of a request; None when neither the order table nor the store remembers it."""
        cdef FixOrder* entry = self.orders.by_ref(client_ref)
        if entry != NULL:
            return (<const char*> entry.text)[:entry.text_size]
        request = self.store.request_of(client_ref)
        return None if request is None else parse(request).get(11)

    def limits(self):
        """What the session's rates have let through in their window and how much they let, for LimitStatus."""
        cdef int64_t window_ms = self.config.throttle_window_ms
        cdef int64_t refused = self.throttle.useless_count
        if self.mono_ns - self.throttle.window_began_ns >= self.throttle.throttle_window_ns:
            refused = 0
        return [
            (b"MESSAGES", tokens_used(&self.throttle, self.mono_ns), self.throttle.throttle_messages, window_ms),
            (b"CANCELS", tokens_used(&self.cancel_throttle, self.mono_ns), self.cancel_throttle.throttle_messages, window_ms),
            (b"ADMIN", tokens_used(&self.admin_throttle, self.mono_ns), self.admin_throttle.throttle_messages, window_ms),
            (b"REFUSED", refused, FLOOD_MULTIPLE * self.throttle.throttle_messages, window_ms),
        ]

    cdef void sample(self, int64_t mono_ns) noexcept:
        """Work out the rates since it was called last."""
        cdef double seconds = (mono_ns - self.sampled_ns) / 1e9
        if self.sampled_ns and seconds > 0:
            self.orders_per_s = (self.orders_in - self.sampled_orders) / seconds
            self.reports_per_s = (self.reports_out - self.sampled_reports) / seconds
        self.sampled_ns, self.sampled_orders, self.sampled_reports = mono_ns, self.orders_in, self.reports_out

    def figures(self):
        """Numbers and counters, as a dict."""
        state = &self.sequencer.engine.state.sessions[self.session_id]
        connection = self.connection
        return {"session_id": self.session_id, "name": self.config.name, "comp_id": self.theirs.decode(),
                "enabled": bool(state.enabled), "live": bool(self.live),
                "address": connection.address if connection is not None else "",
                "next_in": self.numbers.next_in, "next_out": self.numbers.next_out,
                "told_report_seq": self.told_report_seq, "orders": self.orders_in, "refused": self.refused,
                "throttled": self.throttled, "reports": self.reports_out, "resent": self.messages_resent,
                "orders_per_s": round(self.orders_per_s, 1), "reports_per_s": round(self.reports_per_s, 1),
                "reports_behind": max(<int64_t> state.last_report_seq - <int64_t> self.told_report_seq, 0),
                "bytes_waiting": connection.waiting_bytes() if connection is not None else 0}


cdef int64_t tokens_used(const Session* throttle, int64_t now_ns) noexcept nogil:
    """Messages a token bucket has let through and not got back yet."""
    cdef Session now = throttle[0]
    if now.throttle_messages == 0:
        return 0
    if take_token(&now, now_ns):
        now.tokens += now.throttle_window_ns
    return now.throttle_messages - now.tokens // now.throttle_window_ns
