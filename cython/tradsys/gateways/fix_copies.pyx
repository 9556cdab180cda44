"""Drop copies: reports of other sessions, told again to one that enters no orders."""
import os
from collections import deque

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cimport cython

from tradsys.fix.numbers cimport SessionNumbers
from tradsys.gateways.fix_entry cimport FixEntry
from tradsys.gateways.fix_orders cimport (
    STATUS_PENDING_NEW, STATUS_REJECTED, FixOrder, FixOrders, FixTerms, is_stored_order,
)
from tradsys.gateways.fix_reports cimport (
    TYPE_EXECUTION_REPORT, is_about_match, is_about_order, is_new_order, write_match_change, write_report,
)
from tradsys.gateways.fix_store cimport RECORD_BASE, RECORD_NUMBERS, RECORD_ORDER, RECORD_OUT, FixStore, StoreHead
from tradsys.gateways.fix_terms cimport terms_told
from tradsys.gateways.fix_text cimport FixText
from tradsys.gateways.reports cimport Recipient, recipients, render
from tradsys.wire.records cimport (
    CANCEL_REASON_BY_OWNER, EVENT_FLAGS_UNSOLICITED, ExecutionReport, MessageHeader, ORDER_FLAGS_COMPLEX, OrderAccepted,
    OrderCanceled, OrderExecuted, OrderReduced, OrderReplaced, OrderTermsSet, OrderTriggered, REPORT_TYPE_ACCEPTED,
    REPORT_TYPE_CANCELED, REPORT_TYPE_EXECUTED, REPORT_TYPE_REDUCED, REPORT_TYPE_REJECTED, REPORT_TYPE_REPLACED,
    REPORT_TYPE_TRANSFERRED, REPORT_TYPE_TRIGGERED, TEMPLATE_ORDER_TERMS_SET, TIME_IN_FORCE_GOOD_FOR_AUCTION,
)

from tradsys.gateways.fix_sessions import next_store_path, store_path

cdef enum:
    EVENT_BYTES = 128
    EVENTS_A_READ = 8192
    ENDED_PART = 4             # of orders_max: orders that have ended and are still known
    EVENTS_A_REPORT = 16       # looked at for each report a session that is behind may be told in a turn
    COPY_BYTES = 1048576       # waiting for a client before its copies stay in the log


@cython.final
cdef class FixCopies:
    """The reports of a participant's sessions as a drop copy tells them.

    Every report of the sessions and accounts followed is told once, in the order of the log; its order's state is kept in the
    store with it, in front of the message, so that a restart finds both or neither.

    Parameters
    ----------
    config : FixSessionConfig
        Whose participant, and which accounts.
    door : FixGateway
    sequencer : Sequencer
    """

    def __cinit__(self, config, door, sequencer):
        self.participant_id = config.participant_id
        self.accounts = frozenset(config.accounts)
        self.door, self.sequencer = door, sequencer
        self.engine = sequencer.engine
        self.ended_max = max(config.orders_max // ENDED_PART, 1)
        self._forget(config.orders_max)

    def _forget(self, uint32_t orders_max):
        cdef uint64_t capacity = orders_max
        while capacity < 4 * <uint64_t> self.engine.state.orders_max:
            capacity *= 2  # the live orders of all sessions fit, each with the name in force; the table grows as it fills
        self.orders = FixOrders(capacity)
        self.ended = deque()

    cdef bint follows(self, uint32_t session_id) noexcept:
        return self.engine.state.sessions[session_id].participant_id == self.participant_id

    def may_see(self, uint32_t session_id, uint32_t account_id):
        """Whether reports of that session and account are copied."""
        return self.follows(session_id) and (not self.accounts or account_id in self.accounts)

    # ------------------------------------------------------------------------------------------ telling

    cdef int tell(self, FixEntry peer, const uint8_t* event, int party, uint32_t session_id, bint is_sent) except -1:
        cdef ExecutionReport report
        cdef uint8_t own[EVENT_BYTES]
        cdef uint64_t position = 2 * (<const OrderAccepted*> event).seq + party
        cdef uint64_t root_ref, name_ref = 0, previous_ref = 0
        cdef FixOrder* root
        if position <= self.position:
            return 0
        self.position = position
        if not render(event, party, 0, &report):
            return 0
        if not is_about_order(report.report_type) and not is_about_match(report.report_type):
            return 0
        if report.report_type == REPORT_TYPE_REJECTED and not is_new_order(report.refused_template):
            return 0
        if self.accounts and report.account_id not in self.accounts:
            return 0
        memcpy(own, event, EVENT_BYTES)
        root_ref = self.rename(own, &report, session_id, party, &name_ref)
        root = self.orders.by_ref(root_ref)
        if root != NULL:
            previous_ref = root.current_ref
            root = self.orders.apply(own, party)
        if is_sent:
            self.write(peer, own, party, session_id, root)
        if root != NULL and not is_about_match(report.report_type):
            self.forget(root_ref, name_ref, previous_ref)
        return is_sent

    cdef int forget(self, uint64_t root_ref, uint64_t name_ref, uint64_t previous_ref) except -1:
        """Let go of what no later report needs: names no longer in force, orders that ended before the newest that did."""
        cdef FixOrder* root = self.orders.by_ref(root_ref)
        for ref in (name_ref, previous_ref):
            if ref != root_ref and ref != root.current_ref:
                self.drop(ref)
        if root.leaves_lots == 0:
            if root.status == STATUS_REJECTED or self.unnamed is not None:
                self.drop_order(root_ref)
            else:
                self.end(root_ref)
        return 0

    cdef int end(self, uint64_t root_ref) except -1:
        """Keep an order that has ended for what may come of its matches, in place of the one that ended longest ago."""
        self.ended.append(root_ref)
        if <uint64_t> len(self.ended) > self.ended_max:
            self.drop_order(self.ended.popleft())
        return 0

    cdef int drop_order(self, uint64_t root_ref) except -1:
        """Forget an order and the name in force."""
        cdef FixOrder* root = self.orders.by_ref(root_ref)
        if root == NULL:
            return 0  # a fresh one took its place
        if root.current_ref != root_ref:
            self.drop(root.current_ref)
        return self.drop(root_ref)

    cdef int drop(self, uint64_t client_ref) except -1:
        """Forget one entry."""
        cdef FixOrder* entry = self.orders.by_ref(client_ref)
        if entry != NULL:
            self.orders.drop(entry)
        if self.unnamed is not None:
            self.unnamed.pop(client_ref, None)
        return 0

    cdef uint64_t rename(self, uint8_t* event, const ExecutionReport* report, uint32_t session_id, int party,
                         uint64_t* name_ref) except? 0:
        """Put the copy's own references into an event; the reference of its order's root, 0: the order is not known."""
        cdef FixOrder* root
        cdef uint64_t root_ref, current_ref
        cdef bint is_ours = not report.event_flags & EVENT_FLAGS_UNSOLICITED
        if report.report_type == REPORT_TYPE_ACCEPTED or report.report_type == REPORT_TYPE_REJECTED:
            root = self.enter(event, report, session_id)
            root_ref = root.client_ref if root != NULL else 0
            # references lie at the same place in both
            (<OrderAccepted*> event).client_ref = root_ref
            return root_ref
        root = self.orders.by_order_id(<int64_t> report.order_id)
        root_ref = root.client_ref if root != NULL else 0
        current_ref = root.current_ref if root != NULL else 0
        if is_about_match(report.report_type):
            return root_ref  # it names its order by OrderID
        if report.report_type == REPORT_TYPE_EXECUTED or report.report_type == REPORT_TYPE_TRANSFERRED:
            if party == 0 and (<OrderExecuted*> event).resting_report_seq != 0:
                (<OrderExecuted*> event).resting_client_ref = current_ref
            else:
                (<OrderExecuted*> event).incoming_client_ref = current_ref
            return root_ref
        if root_ref and report.report_type == REPORT_TYPE_CANCELED and report.cancel_reason == CANCEL_REASON_BY_OWNER:
            if is_ours and report.orig_client_ref:
                name_ref[0] = self.name(root_ref, session_id, report.orig_client_ref, c"F")
        elif root_ref and report.report_type == REPORT_TYPE_REPLACED and is_ours:
            if report.client_ref != report.orig_client_ref:
                name_ref[0] = self.name(root_ref, session_id, report.client_ref, c"G")
        if report.report_type == REPORT_TYPE_REPLACED:
            (<OrderReplaced*> event).orig_client_ref = current_ref
            (<OrderReplaced*> event).client_ref = name_ref[0] if name_ref[0] else current_ref
        elif report.report_type == REPORT_TYPE_TRIGGERED:
            (<OrderTriggered*> event).client_ref = current_ref
        elif report.report_type == REPORT_TYPE_CANCELED:
            (<OrderCanceled*> event).client_ref = current_ref
            (<OrderCanceled*> event).request_client_ref = name_ref[0]
        elif report.report_type == REPORT_TYPE_REDUCED:
            (<OrderReduced*> event).client_ref = current_ref
            (<OrderReduced*> event).request_client_ref = 0
        return root_ref

    cdef FixOrder* enter(self, const uint8_t* event, const ExecutionReport* report, uint32_t session_id) except? NULL:
        """Take in an order that was accepted or refused."""
        cdef bytes text = self.text_of(session_id, report.client_ref)
        cdef FixText view
        cdef FixOrder* entry
        cdef FixEntry source = self.door.peer_at(session_id)
        cdef const FixOrder* request = source.orders.by_ref(report.client_ref) if source is not None else NULL
        view.data, view.size = text, <int32_t> len(text)
        entry = self.orders.add(view, 0)
        if entry == NULL:
            return NULL
        entry.kind, entry.status = c"D", STATUS_PENDING_NEW
        entry.instrument_id, entry.account_id = report.instrument_id, report.account_id
        entry.side, entry.price_ticks = report.side, report.price_ticks
        entry.qty_lots = entry.leaves_lots = report.qty_lots
        if report.report_type == REPORT_TYPE_ACCEPTED:
            entry.order_type, entry.time_in_force = report.order_type, report.time_in_force
            entry.order_flags = report.order_flags
        elif request != NULL:
            entry.order_type, entry.time_in_force = request.order_type, request.time_in_force
            entry.order_flags = request.order_flags
        self.enter_terms(entry, event, report, source.orders if source is not None else None, request)
        if entry.time_in_force == TIME_IN_FORCE_GOOD_FOR_AUCTION:
            entry.time_in_force = 0  # has no value in stock FIX 4.4, and a copy's client has not asked for another
        if self.unnamed is not None:
            self.unnamed[entry.client_ref] = session_id, report.client_ref
        return entry

    cdef int enter_terms(self, FixOrder* entry, const uint8_t* event, const ExecutionReport* report, FixOrders others,
                         const FixOrder* request) except -1:
        """Take in the terms of an order: those of its request where that is remembered, else as the log has them."""
        cdef FixTerms terms
        cdef const FixTerms* known = others.terms_of(request) if request != NULL else NULL
        cdef const OrderAccepted* accepted = <const OrderAccepted*> event
        cdef const uint8_t[::1] stored
        cdef const OrderTermsSet* told = NULL
        if known != NULL:
            terms = known[0]
        elif report.report_type != REPORT_TYPE_ACCEPTED:
            return 0
        else:
            if accepted.order_flags & ORDER_FLAGS_COMPLEX:
                events = self.sequencer.read_events(accepted.seq + 1, 1)
                if len(events):
                    stored = events.view("u1").reshape(-1)
                    if (<const MessageHeader*> &stored[0]).template_id == TEMPLATE_ORDER_TERMS_SET:
                        told = <const OrderTermsSet*> &stored[0]
            if not terms_told(&terms, accepted, told):
                return 0
        terms.stock_only = 1
        return self.orders.keep_terms(entry, &terms)

    cdef uint64_t name(self, uint64_t root_ref, uint32_t session_id, uint64_t client_ref, uint8_t kind) except? 0:
        """Take in what a request about an order was called; its reference here."""
        cdef bytes text = self.text_of(session_id, client_ref)
        cdef FixText view
        cdef FixOrder* entry
        view.data, view.size = text, <int32_t> len(text)
        entry = self.orders.add(view, 0)
        if entry == NULL:
            return 0
        entry.kind, entry.root_ref = kind, root_ref
        if self.unnamed is not None:
            self.unnamed[entry.client_ref] = session_id, client_ref
        return entry.client_ref

    cdef bytes text_of(self, uint32_t session_id, uint64_t client_ref):
        """What a request is called; while the whole log is followed its reference stands for that."""
        return self.door.name_of(session_id, client_ref) if self.unnamed is None else b"%d" % client_ref

    cdef int write(self, FixEntry peer, const uint8_t* event, int party, uint32_t session_id, FixOrder* root) except -1:
        """Send the report of an event that has the copy's references: the order's state goes into the store before it."""
        cdef ExecutionReport report
        cdef FixOrder* current
        cdef uint32_t msg_type = 0
        cdef int32_t size
        cdef bytes suffix, name
        cdef FixText view
        render(event, party, 0, &report)
        if is_about_match(report.report_type):
            name = self.door.name_of(session_id, report.client_ref) if root == NULL else b""
            view.data, view.size = name, <int32_t> len(name)
            msg_type = TYPE_EXECUTION_REPORT
            size = write_match_change(peer.body, &report, party, self.orders, root, view,
                                      peer.symbols.at(report.instrument_id), peer.digits)
        else:
            size = write_report(peer.body, &report, party, self.orders, root, peer.symbols.at(report.instrument_id),
                                peer.digits, &msg_type)
        if size == 0 or msg_type != TYPE_EXECUTION_REPORT:
            return 0
        if root != NULL and report.report_type != REPORT_TYPE_REJECTED and not is_about_match(report.report_type):
            self.keep(peer, root, 1)
            current = self.orders.by_ref(root.current_ref)
            if report.report_type == REPORT_TYPE_REPLACED and current != NULL and current != root:
                self.keep(peer, current, 1)
        suffix = b"453=1\x01448=%b\x01447=D\x01452=36\x01" % self.door.comp_id_of(session_id)
        memcpy(peer.body + size, <const char*> suffix, len(suffix))
        peer.position = self.position
        peer.send(msg_type, peer.body, size + <int32_t> len(suffix), 0, 0)
        return 0

    cdef int keep(self, FixEntry peer, const FixOrder* entry, uint32_t is_new) except -1:
        """Store an order's state; is_new: it holds with the message behind it."""
        cdef StoreHead head
        memset(&head, 0, sizeof(head))
        cdef bytes data = self.orders.stored(entry)
        head.kind, head.report_seq, head.ts_ns = RECORD_ORDER, is_new, peer.now_ns
        return peer.store.append(&head, <const uint8_t*> <const char*> data, len(data))

    def catch_up(self, FixEntry peer, int64_t reports_max, uint64_t last_seq):
        """Tell a piece of what lacks up to an event; whether nothing lacks any more."""
        cdef const uint8_t[::1] stored
        cdef int64_t sent = 0, events_left = EVENTS_A_REPORT * reports_max
        cdef int64_t i, count
        while self.looked_seq < last_seq and events_left > 0:
            count = min(<int64_t> (last_seq - self.looked_seq), events_left, <int64_t> EVENTS_A_READ)
            events = self.sequencer.read_events(self.looked_seq + 1, count)
            if len(events) == 0:
                return False
            stored = events.view("u1").reshape(-1)
            events_left -= len(events)
            for i in range(len(events)):
                sent += self.look(peer, &stored[i * EVENT_BYTES], True)
                self.looked_seq += 1
                if sent >= reports_max or peer.connection is None or peer.connection.waiting_bytes() > COPY_BYTES:
                    return False
        return self.looked_seq >= last_seq

    cdef int look(self, FixEntry peer, const uint8_t* event, bint is_sent) except -1:
        """Tell what an event has for the sessions followed; messages sent."""
        cdef Recipient told[2]
        cdef int count = recipients(event, told)
        cdef int party, sent = 0
        for party in range(count):
            if self.follows(told[party].session_id):
                sent += self.tell(peer, event, party, told[party].session_id, is_sent)
        return sent

    # ------------------------------------------------------------------------------------------ the store

    def recover(self, FixEntry peer):
        """Read the store: numbers, orders, place in the log. Returns the schedule's period.

        A session without a store begins at the end of the log, knowing the orders that are live there.
        """
        state = {"base": False, "period": 0, "orders": []}
        peer.store = FixStore(store_path(peer.config))
        peer.store.load(lambda *record: self._take_record(peer.numbers, state, *record))
        if not state["base"]:
            self._follow_log(peer)
            self.begin_store(peer, 0)
        self.looked_seq = self.position // 2 - 1 if self.position >= 2 else 0
        return state["period"]

    def _take_record(self, SessionNumbers numbers, state, int kind, int flags, uint64_t report_seq, uint64_t seq,
                     uint64_t client_ref, int64_t ts_ns, uint64_t next_in, bytes data):
        if kind == RECORD_OUT:
            numbers.next_out = seq + 1
            for order in state["orders"]:
                self._restore(order)
            state["orders"].clear()
            self.position = max(self.position, client_ref)
        elif kind == RECORD_NUMBERS:
            numbers.next_in = next_in
            self.position = max(self.position, client_ref)
        elif kind == RECORD_ORDER and is_stored_order(data):
            if report_seq:
                state["orders"].append(data)  # of the message behind it
            else:
                self._restore(data)
        elif kind == RECORD_BASE:
            self.position, state["base"], state["period"] = client_ref, True, ts_ns

    def _restore(self, bytes data):
        """Put an order's state back, or a name."""
        cdef FixOrder carried
        cdef FixOrder* entry
        cdef uint64_t before_ref = 0
        cdef bint had_ended
        memcpy(&carried, <const char*> data, sizeof(FixOrder))
        entry = self.orders.by_ref(carried.client_ref)
        had_ended = entry != NULL and entry.leaves_lots == 0
        if entry != NULL:
            before_ref = entry.current_ref
        self.orders.restore(data)
        if carried.kind == c"D" and not had_ended:
            self.forget(carried.client_ref, before_ref, before_ref)

    def _follow_log(self, FixEntry peer):
        """Follow the whole log without telling: a session that is new knows what is live."""
        cdef const uint8_t[::1] stored
        cdef uint64_t last_seq = self.engine.last_event_seq, seq = 0
        cdef int64_t i
        self._forget(self.orders.capacity_max)
        self.position = 0
        self.unnamed = {}
        while seq < last_seq:
            events = self.sequencer.read_events(seq + 1, min(last_seq - seq, EVENTS_A_READ))
            stored = events.view("u1").reshape(-1)
            for i in range(len(events)):
                self.look(peer, &stored[i * EVENT_BYTES], False)
            seq += len(events)
        self.position = 2 * last_seq + 1
        self._name_live()

    def _name_live(self):
        """Find what the clients called the orders that live."""
        cdef FixOrder carried
        cdef FixTerms terms
        cdef FixOrder* entry
        cdef bytes text
        unnamed, self.unnamed = self.unnamed, None
        for ref, (session_id, client_ref) in unnamed.items():
            entry = self.orders.by_ref(ref)
            carried = entry[0]
            if carried.has_terms:
                terms = self.orders.terms_of(entry)[0]
            text = self.door.name_of(session_id, client_ref)
            memcpy(carried.text, <const char*> text, len(text))
            carried.text_size = <uint8_t> len(text)
            self.orders.drop(entry)
            self.orders.carry(&carried, &terms if carried.has_terms else NULL)

    def begin_store(self, FixEntry peer, int64_t period_ns):
        """Go on in a new file, which begins with the orders still live and the place in the log; it is there whole or not."""
        cdef StoreHead head
        cdef FixOrder* root
        cdef FixOrder* current
        path = next_store_path(peer.config)
        making = path.with_suffix(".new")
        making.unlink(missing_ok=True)
        peer.store.flush(peer.is_durable)
        peer.store = FixStore(making)
        for client_ref in self.orders.live():
            root = self.orders.by_ref(client_ref)
            current = self.orders.by_ref(root.current_ref)
            self.keep(peer, root, 0)
            if current != NULL and current != root:
                self.keep(peer, current, 0)
        memset(&head, 0, sizeof(head))
        head.kind, head.client_ref, head.ts_ns = RECORD_BASE, self.position, period_ns
        peer.store.append(&head, NULL, 0)
        peer.store.flush(True)
        os.replace(making, path)

    def check(self):
        """Walk the orders and assert that each one live is followed and has its name, and that nothing else is kept long."""
        cdef FixOrder* root
        live = self.orders.live()
        for client_ref in live:
            root = self.orders.by_ref(client_ref)
            assert self.orders.by_order_id(<int64_t> root.order_id) == root
            assert self.orders.by_ref(root.current_ref) != NULL
        assert <uint64_t> len(self.ended) <= self.ended_max
        for client_ref in self.ended:
            root = self.orders.by_ref(client_ref)
            assert root == NULL or root.leaves_lots == 0
        assert self.orders.count <= 2 * (len(live) + len(self.ended))
