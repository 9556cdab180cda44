"""The order door (protocols/order_entry.md). One thread calls poll, the sequencer's commit, and egress, in turns."""
from collections import deque

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

cimport cython

from tradsys.engine.sequencer cimport Sequencer
from tradsys.gateways.door_records cimport (
    fill_close_session, fill_heartbeat, fill_logon_accepted, fill_open_session, fill_refusal,
)
from tradsys.gateways.frames cimport check_frame, load_u32, record_bytes, write_frame_head
from tradsys.gateways.outbox cimport ROUTE_BYTES, Outbox, monotonic_ns as machine_ns, wall_ns
from tradsys.gateways.reports cimport Recipient, recipients, render
from tradsys.gateways.sessions cimport (
    DOOR_ACTIVE, DOOR_CLOSING, DOOR_IDLE, DOOR_OPENING, RESUME_NEWEST, Session, SessionTable, count_useless,
    reset_throttle, take_token,
)
from tradsys.wire.libzmq cimport (
    EAGAIN, EHOSTUNREACH, EINTR, ZMQ_DONTWAIT, ZMQ_POLLIN, zmq_error, zmq_msg_close, zmq_msg_data, zmq_msg_init,
    zmq_msg_more, zmq_msg_recv, zmq_msg_size, zmq_poll, zmq_pollitem_t,
)
from tradsys.wire.records cimport (
    CLOSE_REASON_FLOOD, CLOSE_REASON_HEARTBEAT_TIMEOUT, CLOSE_REASON_LOGOUT, CLOSE_REASON_OPERATOR,
    CLOSE_REASON_PROTOCOL_ERROR, CLOSE_REASON_REPLACED_BY_NEW_LOGON, CLOSE_REASON_SLOW_CONSUMER,
    CLOSE_REASON_VENUE_RESTART, CloseSession, CommandDone, CommandRejected, ExecutionReport, Heartbeat,
    LogonAccepted, MessageHeader, OpenSession, REJECT_REASON_BAD_BLOCK_LENGTH, REJECT_REASON_MALFORMED_FRAME,
    REJECT_REASON_NONE, REJECT_REASON_NOT_AVAILABLE, REJECT_REASON_NOT_LOGGED_ON, REJECT_REASON_SEQUENCE_GAP,
    REJECT_REASON_THROTTLED, RefuseCommand, SIZE_CLOSE_SESSION, SIZE_EXECUTION_REPORT, SIZE_FRAME,
    SIZE_OPEN_SESSION, SIZE_REFUSE_COMMAND, TEMPLATE_CLOSE_SESSION, TEMPLATE_COMMAND_DONE,
    TEMPLATE_COMMAND_REJECTED, TEMPLATE_DEFINE_PARTICIPANT, TEMPLATE_DEFINE_SESSION, TEMPLATE_HEARTBEAT,
    TEMPLATE_LOGON, TEMPLATE_LOGOUT, TEMPLATE_OPEN_SESSION,
)

from tradsys.clock import SystemClock
from tradsys.errors import SessionError
from tradsys.gateways.limits import DoorLimits
from tradsys.gateways.logon import LogonRefusal
from tradsys.wire.enums import RejectReason

cdef enum:
    EVENT_BYTES = 128
    RECORD_BYTES_MAX = 168      # largest command
    SWEEP_NS = 10_000_000       # heartbeats are looked at this often
    STALL_NS = 50_000_000       # a longer break between two turns does not count as anybody's silence
    RETRY_NS = 1_000_000        # after a full queue
    RELEASE_WAIT_US = 200       # for the disk, before the sockets are looked at again
    SILENT_INTERVALS = 3        # heartbeats a peer may miss
    HANDLES_MAX = 8             # sockets `wait` looks at
    EVENTS_A_READ = 65536       # when events must be read from disk


@cython.final
cdef class OrderGateway:
    """Sessions over a ROUTER socket in front of a sequencer.

    A session's reports leave in the order of report_seq without gaps: either each one as its event is released, or
    (catching up) from the event log until the newest has been sent. Nothing of a frame is used unless all of it is
    well formed. Not thread-safe: the thread that owns the socket calls everything.

    Parameters
    ----------
    sequencer : Sequencer
        Open; the gateway starts telling behind its last event.
    socket : zmq.Socket
        ROUTER as made by `tradsys.gateways.door.open_order_socket`; the caller closes it, after the gateway's last use.
    logon_check : LogonCheck
        Decides logons.
    limits : DoorLimits, optional
    clock : Clock, optional
        Wall clock for logons.
    """

    def __cinit__(self, Sequencer sequencer not None, socket, logon_check, limits=None, clock=None):
        limits = limits or DoorLimits()
        self.sequencer = sequencer
        self.outbox = Outbox(socket)
        self.handle = self.outbox.handle
        self.logon_check = logon_check
        self.clock = clock or SystemClock()
        self.waiting = deque()
        zmq_msg_init(&self.identity)
        zmq_msg_init(&self.payload)
        self._take_limits(limits)
        self._load_sessions()
        self.staging_bytes = SIZE_FRAME + self.report_frame_messages * SIZE_EXECUTION_REPORT
        self.staging = <uint8_t*> calloc(self.table.capacity, self.staging_bytes)
        self.dirty = <int32_t*> calloc(self.table.capacity, sizeof(int32_t))
        if not (self.staging and self.dirty):
            raise MemoryError(f"no memory for the report frames of {self.table.capacity} sessions")
        self.now_ns = self.drained_ns = self.swept_ns = self.refusal_filled_ns = machine_ns()
        self.refusal_tokens = self.refusals_per_second

    def __dealloc__(self):
        zmq_msg_close(&self.identity)
        zmq_msg_close(&self.payload)
        free(self.staging)
        free(self.dirty)

    def _take_limits(self, limits):
        self.frame_messages_max = limits.frame_messages_max
        self.report_frame_messages = limits.report_frame_messages
        self.protocol_errors_max = limits.protocol_errors_max
        self.logons_pending_max = limits.logons_pending_max
        self.flood_multiple = limits.flood_multiple
        self.resend_reports_per_turn = limits.resend_reports_per_turn
        self.slow_reports_max = limits.slow_reports_max
        self.refusals_per_second = limits.refusals_per_second

    def _load_sessions(self):
        """Take over what the engine knows; from here on the door follows by itself."""
        cdef Session* session
        cdef int32_t i
        self.table = SessionTable(self.sequencer.engine.state.sessions_max)
        for i in range(1, self.table.capacity):
            session = &self.table.sessions[i]
            session.next_client_seq = <uint64_t> self.sequencer.engine.state.sessions[i].last_client_seq + 1
            session.head_report_seq = self.sequencer.engine.state.sessions[i].last_report_seq
            session.sent_report_seq = session.head_report_seq
            session.participant_id = self.sequencer.engine.state.sessions[i].participant_id
            if self.sequencer.engine.state.sessions[i].is_open:
                # left open by a venue that stopped in a hurry; the first poll closes it
                self.table.mark_open(session)
                session.door = DOOR_ACTIVE
                self.want_close(session, CLOSE_REASON_VENUE_RESTART)
        self.egress_seq = self.sequencer.engine.last_event_seq

    # ------------------------------------------------------------------------------------------ faces

    def poll(self, int64_t frames=256, int64_t monotonic_ns=0):
        """Take frames from the socket into the sequencer's batch.

        Parameters
        ----------
        frames : int
            Most frames to take; 0 pushes only what waits.
        monotonic_ns : int
            Time of this turn; 0 reads the machine's monotonic clock.

        Returns
        -------
        int
            Frames taken. When it is below `frames`, the socket is empty or the sequencer full (`is_full`).
        """
        cdef int64_t left = frames
        cdef int outcome
        self._begin_turn(monotonic_ns)
        if self.closes_wanted:
            self.push_closes()
        self._open_waiting()
        while True:
            with nogil:
                outcome = self.receive(&left)
            if outcome != TURN_COLD:
                return frames - left
            self._take_session_message()

    def egress(self):
        """Send what released events say to their sessions, resends and heartbeats.

        Returns
        -------
        int
            Reports sent.
        """
        cdef int64_t before = self.counters.reports_out
        self._follow_events()
        if self.behind_count:
            self._catch_up()
        with nogil:
            self.flush_all()
            if self.now_ns - self.swept_ns >= SWEEP_NS:
                self.sweep()
        return self.counters.reports_out - before

    def wait(self, long timeout_ms, handles=(), fds=()):
        """Sleep until a frame comes in, one of the other sockets (`int(socket.underlying)`) or file descriptors has
        something to read, or the time is up. While events wait for the disk, sleep until it has them instead, briefly.

        Returns
        -------
        bool
            Whether there is something to read.
        """
        cdef zmq_pollitem_t items[HANDLES_MAX]
        cdef int found, count = 1
        if self.sequencer.released_event_seq() < self.sequencer.engine.last_event_seq:
            with nogil:
                self.sequencer.writer.wait_moved(RELEASE_WAIT_US)
            return False
        memset(items, 0, sizeof(items))
        items[0].socket = self.handle
        items[0].events = ZMQ_POLLIN
        for handle in handles:
            if count == HANDLES_MAX:
                raise ValueError(f"at most {HANDLES_MAX - 1} other sockets, were {len(handles)}")
            items[count].socket = <void*> <size_t> handle
            items[count].events = ZMQ_POLLIN
            count += 1
        for fd in fds:
            if count == HANDLES_MAX:
                raise ValueError(f"at most {HANDLES_MAX - 1} other sockets, were {len(handles) + len(fds)}")
            items[count].fd = fd
            items[count].events = ZMQ_POLLIN
            count += 1
        with nogil:
            found = zmq_poll(items, count, timeout_ms)
        if found < 0 and zmq_error() != EINTR:
            raise SessionError(f"zmq_poll on the order door failed with errno {zmq_error()}")
        return found > 0

    def close_all(self, int close_reason=CLOSE_REASON_VENUE_RESTART):
        """Close every session and open no more. Go on with poll(0), commit and egress until `open_sessions` is 0."""
        cdef int32_t i
        self.closing = True
        self.waiting.clear()
        for i in range(self.table.open_count):
            self.want_close(&self.table.sessions[self.table.open_ids[i]], close_reason)

    @property
    def open_sessions(self):
        """Sessions that are not idle."""
        return self.table.open_count

    @property
    def is_full(self):
        """Whether the last turn ended because the sequencer takes no more."""
        return bool(self.holding)

    @property
    def told_event_seq(self):
        """Last event whose reports have been sent or kept for a resend."""
        return self.egress_seq

    def stats(self):
        """Counters since the start, as a dict."""
        return dict(
            self.counters, frames_out=self.outbox.frames_out, sessions_open=self.table.open_count,
            sessions_catching_up=self.behind_count)

    # ------------------------------------------------------------------------------------------ in

    def _begin_turn(self, int64_t monotonic_ns):
        cdef int64_t now_ns = monotonic_ns or machine_ns()
        cdef int64_t pause_ns = now_ns - self.now_ns
        cdef int32_t i
        if pause_ns > STALL_NS:
            # what came in meanwhile has not been read yet: our own absence is nobody's silence
            for i in range(self.table.open_count):
                self.table.sessions[self.table.open_ids[i]].heard_ns += pause_ns
        self.now_ns = now_ns

    cdef int receive(self, int64_t* budget) except -1 nogil:
        """Take frames until the socket is empty, the budget is used up, the sequencer is full or a message is cold."""
        cdef int outcome
        if self.holding and self.push_records() == TURN_FULL:
            return TURN_FULL
        while budget[0] > 0:
            if zmq_msg_recv(&self.identity, self.handle, ZMQ_DONTWAIT) < 0:
                if zmq_error() == EAGAIN:
                    self.drained_ns = self.now_ns
                    return TURN_DRAINED
                if zmq_error() != EINTR:
                    _raise_socket_error("receive from")
                continue
            budget[0] -= 1
            self.counters.frames_in += 1
            if self.drop_parts():
                self.view.first_seq = 0
                self.refuse_frame(self.sender(), REJECT_REASON_MALFORMED_FRAME)
                continue
            outcome = self.take_frame()
            if outcome != TURN_DRAINED:
                return outcome
        return TURN_BUDGET

    cdef int drop_parts(self) noexcept nogil:
        """Receive the payload; 1 when the message does not have exactly one part (all are taken off the socket)."""
        cdef int parts = 0
        while zmq_msg_more(&self.identity if parts == 0 else &self.payload):
            if zmq_msg_recv(&self.payload, self.handle, ZMQ_DONTWAIT) < 0:
                break
            parts += 1
        return 0 if parts == 1 else 1

    cdef inline Session* sender(self) noexcept nogil:
        """The session whose connection the message at hand came from, or NULL."""
        cdef const uint8_t* name = <const uint8_t*> zmq_msg_data(&self.identity)
        cdef Session* session
        if zmq_msg_size(&self.identity) != ROUTE_BYTES or name[0] != 0:
            return NULL
        session = self.table.find(load_u32(name + 1))
        if session != NULL:
            session.heard_ns = self.now_ns
        return session

    cdef int take_frame(self) except -1 nogil:
        """Check the frame at hand and use it. TURN_DRAINED: done with it."""
        cdef const uint8_t* data = <const uint8_t*> zmq_msg_data(&self.payload)
        cdef Session* session = self.sender()
        cdef int reason = check_frame(data, zmq_msg_size(&self.payload), self.frame_messages_max, &self.view)
        if session != NULL and session.door == DOOR_CLOSING and self.view.session_template != TEMPLATE_LOGON:
            return TURN_DRAINED  # LoggedOut is on its way and says more than a refusal could
        if reason != REJECT_REASON_NONE:
            return self.refuse_frame(session, reason)
        if self.view.session_template == TEMPLATE_LOGON:
            return TURN_COLD
        if session == NULL or session.door != DOOR_ACTIVE:
            return self.refuse_frame(session, REJECT_REASON_NOT_LOGGED_ON)
        if self.view.session_template == TEMPLATE_HEARTBEAT:
            return TURN_DRAINED
        if self.view.session_template != 0:
            return TURN_COLD
        return self.take_commands(session)

    cdef int take_commands(self, Session* session) except -1 nogil:
        cdef int64_t repeated
        if self.view.first_seq > session.next_client_seq:
            return self.refuse_frame(session, REJECT_REASON_SEQUENCE_GAP)
        repeated = <int64_t> (session.next_client_seq - self.view.first_seq)
        if repeated > self.view.message_count:
            repeated = self.view.message_count
        self.counters.repeated += repeated
        self.holding = True
        self.held_offset = SIZE_FRAME
        self.held_left = self.view.message_count
        self.held_seq = self.view.first_seq
        self.held_session = session.session_id
        self.held_logon = session.logon_count
        if repeated and count_useless(session, repeated, self.flood_multiple, self.now_ns):
            self.want_close(session, CLOSE_REASON_FLOOD)
        return self.push_records()

    cdef int push_records(self) except -1 nogil:
        """Hand the records of the frame at hand to the sequencer; TURN_FULL keeps the rest for later."""
        cdef Session* session = self.table.at(self.held_session)
        cdef const uint8_t* record
        cdef int32_t size
        while self.held_left > 0 and session.door == DOOR_ACTIVE and session.logon_count == self.held_logon:
            record = <const uint8_t*> zmq_msg_data(&self.payload) + self.held_offset
            size = record_bytes(record)
            if self.held_seq == session.next_client_seq and not self.push_record(session, record, size):
                return TURN_FULL
            self.held_seq += 1
            self.held_offset += size
            self.held_left -= 1
        self.holding = False
        return TURN_DRAINED

    cdef bint push_record(self, Session* session, const uint8_t* record, int32_t size) except -1 nogil:
        """Number one command and hand it over, or its refusal for the rate; False: no room."""
        cdef uint8_t* target = self.sequencer.reserve(RECORD_BYTES_MAX)
        if target == NULL:
            return False
        if take_token(session, self.now_ns):
            memcpy(target, record, size)
            # session_id and client_seq lie at the same place in every command
            (<OpenSession*> target).session_id = session.session_id
            (<OpenSession*> target).client_seq = <uint32_t> session.next_client_seq
            self.sequencer.push(size)
        else:
            fill_refusal(<RefuseCommand*> target, session, record, REJECT_REASON_THROTTLED)
            self.sequencer.push(SIZE_REFUSE_COMMAND)
            self.counters.throttled += 1
            if count_useless(session, 1, self.flood_multiple, self.now_ns):
                self.want_close(session, CLOSE_REASON_FLOOD)
        session.next_client_seq += 1
        self.counters.commands_in += 1
        return True

    cdef int refuse_frame(self, Session* session, int reject_reason) except -1 nogil:
        """Answer the frame at hand with FrameRefused. Returns TURN_DRAINED: done with it."""
        self.counters.frames_refused += 1
        if session == NULL and not self.may_refuse():
            self.counters.refusals_dropped += 1
            return TURN_DRAINED
        self.outbox.refuse_frame(
            zmq_msg_data(&self.identity), zmq_msg_size(&self.identity), self.view.first_seq,
            0 if session == NULL else <uint32_t> session.next_client_seq, reject_reason)
        if session != NULL:
            self.count_refused(session, reject_reason)
        return TURN_DRAINED

    cdef int count_refused(self, Session* session, int reject_reason) except -1 nogil:
        """Protocol errors close a session when there are too many; so do useless messages, a flood of them."""
        cdef int64_t messages = self.view.message_count if self.view.message_count > 0 else 1
        if reject_reason <= REJECT_REASON_BAD_BLOCK_LENGTH:
            session.protocol_errors += 1
            if session.protocol_errors >= self.protocol_errors_max:
                self.want_close(session, CLOSE_REASON_PROTOCOL_ERROR)
        if count_useless(session, messages, self.flood_multiple, self.now_ns):
            self.want_close(session, CLOSE_REASON_FLOOD)
        return 0

    cdef bint may_refuse(self) noexcept nogil:
        """Whether one more answer to a peer without a session is due this second."""
        if self.now_ns - self.refusal_filled_ns >= 1_000_000_000:
            self.refusal_filled_ns = self.now_ns
            self.refusal_tokens = self.refusals_per_second
        if self.refusal_tokens <= 0:
            return False
        self.refusal_tokens -= 1
        return True

    # ------------------------------------------------------------------------------------------ session messages

    def _take_session_message(self):
        """Logon, Logout or ResendRequest: the slow path."""
        cdef const uint8_t* record = <const uint8_t*> zmq_msg_data(&self.payload) + SIZE_FRAME
        cdef Session* session = self.sender()
        cdef uint32_t first
        name = (<const char*> zmq_msg_data(&self.identity))[:zmq_msg_size(&self.identity)]
        if self.view.session_template == TEMPLATE_LOGON:
            self._take_logon(name, (<const char*> record)[:record_bytes(record)])
        elif self.view.session_template == TEMPLATE_LOGOUT:
            self.want_close(session, CLOSE_REASON_LOGOUT)
        else:
            first = load_u32(record + 8)
            if first == 0 or first > session.next_report_seq or load_u32(record + 12) != 0:
                self.refuse_frame(session, REJECT_REASON_NOT_AVAILABLE)
            else:
                self.go_back(session, first)

    def _take_logon(self, bytes name, bytes record):
        cdef uint32_t route
        if len(name) != ROUTE_BYTES or name[0] != 0:
            self.refuse_frame(NULL, REJECT_REASON_NOT_LOGGED_ON)
            return
        memcpy(&route, <const char*> name + 1, 4)
        if self.closing:
            self._refuse_logon(route, RejectReason.NOT_AVAILABLE, "The venue is closing")
        elif self.table.find(route) != NULL:
            self._refuse_logon(route, RejectReason.ALREADY_DEFINED, "This connection has a session; log out first")
        elif len(self.waiting) >= self.logons_pending_max:
            self._refuse_logon(route, RejectReason.THROTTLED, "Too many logons; try again later")
        else:
            self._decide_logon(route, record)

    def _decide_logon(self, uint32_t route, bytes record):
        decision = self.logon_check.decide(record, self.clock.now_ns())
        if isinstance(decision, LogonRefusal):
            self._refuse_logon(route, decision.reason, decision.text)
            return
        cdef Session* session = self.table.at(decision.credential.session_id)
        cdef uint32_t last_report_seq = decision.last_report_seq
        if session == NULL:
            self._refuse_logon(route, RejectReason.UNKNOWN_SESSION, "This session is not defined")
        elif last_report_seq != RESUME_NEWEST and last_report_seq > session.head_report_seq:
            self._refuse_logon(route, RejectReason.NOT_AVAILABLE,
                               f"last_report_seq is {last_report_seq}, newest is {session.head_report_seq}")
        elif self.waiting or not self._open(route, decision):
            self.waiting.append((route, decision))

    def _open_waiting(self):
        while self.waiting and self._open(*self.waiting[0]):
            self.waiting.popleft()

    def _open(self, uint32_t route, request):
        """Close what the session was doing and open it here; False: no room in the batch, try again."""
        credential = request.credential
        cdef Session* session = self.table.at(credential.session_id)
        if self.table.find(route) != NULL:
            self._refuse_logon(route, RejectReason.ALREADY_DEFINED, "This connection has a session; log out first")
            return True
        if session.door == DOOR_ACTIVE or session.door == DOOR_OPENING:
            self.want_close(session, CLOSE_REASON_REPLACED_BY_NEW_LOGON)
        if session.close_wanted and not self.push_close(session, session.close_reason):
            return False
        if session.bound:
            self.outbox.log_out(session.route, session.close_reason)
            self.table.unbind(session)
        if not self.push_open(session, request.reset_client_seq, request.cancel_on_disconnect):
            return False
        self.table.bind(session, route)
        self.table.mark_open(session)
        session.participant_id = credential.participant_id
        session.heartbeat_ns = request.heartbeat_ms * 1_000_000
        session.resume_report_seq = request.last_report_seq
        session.heard_ns = session.sent_ns = self.now_ns
        session.staged_count = session.protocol_errors = session.blocked = 0
        self.set_behind(session, 0)
        reset_throttle(session, credential.throttle_messages, credential.throttle_window_ms * 1_000_000, self.now_ns)
        return True

    def _refuse_logon(self, uint32_t route, reason, str text):
        cdef bytes sentence = text.encode("ascii")
        self.counters.logons_refused += 1
        if self.may_refuse():
            self.outbox.refuse_logon(route, int(reason), sentence)
        else:
            self.counters.refusals_dropped += 1

    cdef void go_back(self, Session* session, uint32_t first_report_seq) noexcept nogil:
        """Send again from there: what is staged was to come after it."""
        session.next_report_seq = first_report_seq
        session.staged_count = 0
        session.retry_ns = 0
        self.set_behind(session, 1 if first_report_seq <= session.head_report_seq else 0)

    cdef void set_behind(self, Session* session, int catching_up) noexcept nogil:
        self.behind_count += catching_up - session.catching_up
        session.catching_up = catching_up

    # ------------------------------------------------------------------------------------------ session commands

    cdef bint push_open(self, Session* session, int reset_client_seq, int cancel_on_disconnect) except -1 nogil:
        """Hand over OPEN_SESSION; False: no room."""
        cdef OpenSession* command = <OpenSession*> self.sequencer.reserve(SIZE_OPEN_SESSION)
        if command == NULL:
            return False
        fill_open_session(command, session.session_id, reset_client_seq, cancel_on_disconnect)
        self.sequencer.push(SIZE_OPEN_SESSION)
        session.door = DOOR_OPENING
        session.opens_pending += 1
        session.logon_count += 1
        return True

    cdef bint push_close(self, Session* session, int close_reason) except -1 nogil:
        """Hand over CLOSE_SESSION; False: no room."""
        cdef CloseSession* command = <CloseSession*> self.sequencer.reserve(SIZE_CLOSE_SESSION)
        if command == NULL:
            return False
        fill_close_session(command, session.session_id, close_reason)
        self.sequencer.push(SIZE_CLOSE_SESSION)
        session.close_wanted = 0
        self.closes_wanted -= 1
        self.counters.closes += 1
        return True

    cdef int push_closes(self) except -1 nogil:
        """Hand over the CLOSE_SESSIONs that are wanted, as far as there is room."""
        cdef int32_t i
        cdef Session* session
        for i in range(self.table.open_count):
            session = &self.table.sessions[self.table.open_ids[i]]
            if session.close_wanted and not self.push_close(session, session.close_reason):
                break
        return 0

    cdef int want_close(self, Session* session, int close_reason) except -1 nogil:
        """Begin to close a session; the first reason stays. Its frames are refused from now on."""
        if session.door != DOOR_ACTIVE and session.door != DOOR_OPENING:
            return 0
        session.door = DOOR_CLOSING
        session.close_reason = close_reason
        session.close_wanted = 1
        self.closes_wanted += 1
        return 0

    cdef int session_event(self, const uint8_t* event) except -1 nogil:
        """Follow OPEN_SESSION and CLOSE_SESSION, done or refused."""
        cdef const CommandDone* done = <const CommandDone*> event
        cdef const CommandRejected* rejected = <const CommandRejected*> event
        cdef bint is_done = done.template_id == TEMPLATE_COMMAND_DONE
        cdef int template_id = done.done_template if is_done else rejected.refused_template
        cdef Session* session = self.table.at(done.session_id)
        if template_id == TEMPLATE_DEFINE_SESSION or template_id == TEMPLATE_DEFINE_PARTICIPANT:
            return self.close_disabled(event) if is_done and not done.enabled else 0
        if session == NULL:
            return 0
        if template_id == TEMPLATE_OPEN_SESSION and session.opens_pending > 0:
            session.opens_pending -= 1
            if session.opens_pending == 0 and session.door == DOOR_OPENING:
                if is_done:
                    return self.accept_logon(session, done.reset_client_seq)
                return self.reject_logon(session, rejected.reject_reason)
        elif template_id == TEMPLATE_CLOSE_SESSION and session.opens_pending == 0:
            if session.door == DOOR_CLOSING and not session.close_wanted:
                return self.finish_close(session)
        return 0

    cdef int close_disabled(self, const uint8_t* event) except -1 nogil:
        """An operator disabled a session or a participant: close what it has open."""
        cdef const CommandDone* done = <const CommandDone*> event
        cdef Session* session
        cdef int32_t i
        for i in range(self.table.open_count):
            session = &self.table.sessions[self.table.open_ids[i]]
            if (session.session_id == done.defined_session_id if done.done_template == TEMPLATE_DEFINE_SESSION
                    else session.participant_id == done.participant_id):
                self.want_close(session, CLOSE_REASON_OPERATOR)
        return 0

    cdef int accept_logon(self, Session* session, int reset_client_seq) except -1 nogil:
        """The session is open: tell its client where both sides stand, then what it has missed."""
        cdef LogonAccepted accepted
        if reset_client_seq:
            session.next_client_seq = 1
        session.next_report_seq = <uint64_t> session.resume_report_seq + 1
        if session.resume_report_seq == RESUME_NEWEST:
            session.next_report_seq = session.head_report_seq + 1
        session.door = DOOR_ACTIVE
        self.set_behind(session, 1 if session.next_report_seq <= session.head_report_seq else 0)
        session.retry_ns = 0
        self.counters.logons += 1
        fill_logon_accepted(&accepted, session, self.frame_messages_max, wall_ns())
        return self.send_record(session, &accepted, sizeof(accepted))

    cdef int reject_logon(self, Session* session, int reject_reason) except -1 nogil:
        """The engine does not open the session."""
        self.counters.logons_refused += 1
        self.outbox.refuse_logon(session.route, reject_reason, b"The engine does not open this session")
        return self.forget(session)

    cdef int finish_close(self, Session* session) except -1 nogil:
        """CLOSE_SESSION has been decided: send what is staged, say goodbye, let go of the connection."""
        if session.bound:
            self.flush(session)
            self.outbox.log_out(session.route, session.close_reason)
        return self.forget(session)

    cdef int forget(self, Session* session) except -1 nogil:
        self.table.unbind(session)
        self.table.mark_idle(session)
        self.set_behind(session, 0)
        session.staged_count = 0
        session.door = DOOR_IDLE
        return 0

    # ------------------------------------------------------------------------------------------ out

    def _follow_events(self):
        """Route every released event once, from memory or, when it has left the ring, from disk."""
        cdef uint64_t released = self.sequencer.released_event_seq()
        cdef int64_t count
        cdef const uint8_t[::1] stored
        while self.egress_seq < released:
            count = self.sequencer.events_contiguous(self.egress_seq + 1, released)
            if count > 0:
                with nogil:
                    self.route_events(self.sequencer.event_at(self.egress_seq + 1), count)
                continue
            events = self.sequencer.read_events(self.egress_seq + 1, min(released - self.egress_seq, EVENTS_A_READ))
            stored = events.view("u1").reshape(-1)
            self.route_events(&stored[0], len(events))

    cdef int route_events(self, const uint8_t* events, int64_t event_count) except -1 nogil:
        """Tell each event to whom it concerns."""
        cdef Recipient told[2]
        cdef const uint8_t* event = events
        cdef int64_t _i
        cdef int party, count, template_id
        cdef Session* session
        for _i in range(event_count):
            count = recipients(event, told)
            for party in range(count):
                session = self.table.at(told[party].session_id)
                if session != NULL:
                    self.tell(session, event, party, told[party].report_seq)
            template_id = (<const MessageHeader*> event).template_id
            if template_id == TEMPLATE_COMMAND_DONE or template_id == TEMPLATE_COMMAND_REJECTED:
                self.session_event(event)
            event += EVENT_BYTES
        self.egress_seq += event_count
        return 0

    cdef int tell(self, Session* session, const uint8_t* event, int party, uint64_t report_seq) except -1 nogil:
        """Stage a live report; a session without connection, or catching up, takes it from the event log later."""
        assert report_seq == session.head_report_seq + 1
        session.head_report_seq = report_seq
        if session.door < DOOR_ACTIVE or session.catching_up or not session.bound:
            return 0
        assert report_seq == session.next_report_seq
        return self.stage(session, event, party)

    cdef int stage(self, Session* session, const uint8_t* event, int party) except -1 nogil:
        """Render the session's next report into its frame, sending the frame when it is full."""
        cdef uint8_t* frame = self.staging + session.session_id * self.staging_bytes
        cdef int resent = session.next_report_seq <= session.sent_report_seq
        render(event, party, resent,
               <ExecutionReport*> (frame + SIZE_FRAME + session.staged_count * SIZE_EXECUTION_REPORT))
        session.staged_count += 1
        session.next_report_seq += 1
        self.counters.reports_resent += resent
        if not session.dirty:
            session.dirty = 1
            self.dirty[self.dirty_count] = session.session_id
            self.dirty_count += 1
        if session.staged_count == self.report_frame_messages:
            return self.flush(session)
        return 0

    cdef int flush(self, Session* session) except -1 nogil:
        """Send the staged reports as one frame. A full queue leaves them to the event log."""
        cdef uint8_t* frame = self.staging + session.session_id * self.staging_bytes
        cdef int64_t size = SIZE_FRAME + session.staged_count * SIZE_EXECUTION_REPORT
        cdef int32_t count = session.staged_count
        if count == 0:
            return 0
        write_frame_head(frame, 0, count, size)
        session.staged_count = 0
        if self.send_session(session, frame, size) == 0:
            self.counters.reports_out += count
            if session.next_report_seq > session.sent_report_seq + 1:
                session.sent_report_seq = session.next_report_seq - 1
            return 0
        session.next_report_seq -= count
        session.retry_ns = self.now_ns + RETRY_NS
        self.set_behind(session, 1)
        return 0

    cdef int flush_all(self) except -1 nogil:
        """Send what this turn has staged."""
        cdef int32_t i
        cdef Session* session
        for i in range(self.dirty_count):
            session = &self.table.sessions[self.dirty[i]]
            session.dirty = 0
            self.flush(session)
        self.dirty_count = 0
        return 0

    def _catch_up(self):
        """Send sessions that are behind a piece of what they lack, from the event log."""
        cdef Session* session
        cdef int32_t i
        for i in range(self.table.open_count - 1, -1, -1):
            session = &self.table.sessions[self.table.open_ids[i]]
            if session.catching_up and session.door == DOOR_ACTIVE and self.now_ns >= session.retry_ns:
                self._resend(session.session_id)

    def _resend(self, uint32_t session_id):
        cdef Session* session = self.table.at(session_id)
        cdef uint64_t lacking = session.head_report_seq + 1 - session.next_report_seq
        cdef const uint8_t[::1] stored
        cdef Recipient told[2]
        cdef int64_t i, event_count
        cdef int party, count
        events = self.sequencer.reports(
            session_id, session.next_report_seq, min(lacking, <uint64_t> self.resend_reports_per_turn))
        stored = events.view("u1").reshape(-1)
        event_count = len(events)
        # flush() marks a session whose queue is full by a later retry time
        session.retry_ns = 0
        with nogil:
            for i in range(event_count):
                count = recipients(&stored[i * EVENT_BYTES], told)
                for party in range(count):
                    if (told[party].session_id == session_id and told[party].report_seq == session.next_report_seq
                            and session.retry_ns == 0):
                        self.stage(session, &stored[i * EVENT_BYTES], party)
            self.flush(session)
        if session.next_report_seq > session.head_report_seq:
            self.set_behind(session, 0)

    cdef int sweep(self) except -1 nogil:
        """Look at every open session's heartbeats, both ways, and at how far behind it is."""
        cdef int32_t i
        cdef Session* session
        cdef Heartbeat beat
        self.swept_ns = self.now_ns
        for i in range(self.table.open_count):
            session = &self.table.sessions[self.table.open_ids[i]]
            if session.door != DOOR_ACTIVE:
                continue
            # judged by when the socket was last empty: what lies unread may be its heartbeat
            if self.drained_ns - session.heard_ns > SILENT_INTERVALS * session.heartbeat_ns:
                self.want_close(session, CLOSE_REASON_HEARTBEAT_TIMEOUT)
                continue
            if (session.blocked and self.now_ns - session.sent_ns >= session.heartbeat_ns
                    and session.head_report_seq >= session.next_report_seq + <uint64_t> self.slow_reports_max):
                self.want_close(session, CLOSE_REASON_SLOW_CONSUMER)
                continue
            if self.now_ns - session.sent_ns >= session.heartbeat_ns:
                fill_heartbeat(&beat, session, wall_ns())
                self.send_record(session, &beat, sizeof(beat))
        return 0

    # ------------------------------------------------------------------------------------------ sending

    cdef int send_session(self, Session* session, const uint8_t* frame, int64_t size_bytes) except -1 nogil:
        """Send a frame to a session's connection. 0: sent; else the errno, and the session knows what that means."""
        cdef int error = self.outbox.send_route(session.route, frame, size_bytes)
        return self.note_sent(session, error)

    cdef int send_record(self, Session* session, const void* record, int size_bytes) except -1 nogil:
        """Send a frame of one record to a session. Returns 0 whether its queue took it or not."""
        self.note_sent(session, self.outbox.send_record(session.route, record, size_bytes))
        return 0

    cdef int note_sent(self, Session* session, int error) except -1 nogil:
        """Draw the conclusions of a frame sent or not. Returns the errno."""
        session.blocked = 1 if error == EAGAIN else 0
        if error == 0:
            session.sent_ns = self.now_ns
        elif error == EHOSTUNREACH:
            self.want_close(session, CLOSE_REASON_HEARTBEAT_TIMEOUT)
        elif error != EAGAIN:
            _raise_socket_error("send to")
        return error


cdef int _raise_socket_error(const char* doing) except -1 with gil:
    raise SessionError(f"cannot {doing.decode('ascii')} the order door's socket: errno {zmq_error()}")
