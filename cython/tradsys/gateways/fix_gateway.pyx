"""The FIX door. One thread calls poll, the sequencer's commit, and egress, in turns."""
import os
import resource
from collections import deque

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cimport cython

from tradsys.engine.sequencer cimport Sequencer
from tradsys.core.state cimport GATE_DEFINED, GATE_PARTICIPANT, GATE_SESSION, Session as EngineSession
from tradsys.gateways.door_records cimport (
    fill_close_session, fill_define_session, fill_mass_cancel, fill_open_session,
)
from tradsys.gateways.epoll cimport (
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT, epoll_create1, epoll_ctl, epoll_event, epoll_wait,
)
from tradsys.gateways.fix_connection cimport FixConnection
from tradsys.gateways.fix_peer cimport LIVE_BYTES, NO_ROOM, FixPeer
from tradsys.gateways.fix_request cimport (
    FRAME_GARBLED, FRAME_NEEDS_MORE, find_message,
)
from tradsys.gateways.fix_symbols cimport FixSymbols
from tradsys.gateways.outbox cimport monotonic_ns as machine_ns
from tradsys.gateways.reports cimport Recipient, recipients
from tradsys.wire.records cimport (
    CLOSE_REASON_HEARTBEAT_TIMEOUT, CLOSE_REASON_LOGOUT, CLOSE_REASON_VENUE_RESTART, CallExtended, CloseSession,
    CommandDone, CommandRejected, DefineSession, InstrumentDefined, MassCancel, MessageHeader, OpenSession,
    PERMISSION_OPERATE, PhaseChanged, SIZE_CLOSE_SESSION, SIZE_DEFINE_SESSION, SIZE_MASS_CANCEL, SIZE_OPEN_SESSION,
    TEMPLATE_CALL_EXTENDED, TEMPLATE_CLOSE_SESSION, TEMPLATE_COMMAND_DONE, TEMPLATE_COMMAND_REJECTED,
    TEMPLATE_DEFINE_PARTICIPANT, TEMPLATE_DEFINE_SESSION, TEMPLATE_INSTRUMENT_DEFINED, TEMPLATE_MASS_CANCEL,
    TEMPLATE_OPEN_SESSION, TEMPLATE_PHASE_CHANGED, TEMPLATE_SET_INSTRUMENT_STATE, TEMPLATE_START_CALL,
)

from tradsys.errors import reject_text
from tradsys.fix.actions import EndReason
from tradsys.fix.message import GarbledError, Header, build, format_time, parse
from tradsys.fix.session import State
from tradsys.gateways.fix_answers import news
from tradsys.gateways.fix_desk import FixDesk
from tradsys.gateways.fix_limits import FixLimits
from tradsys.gateways.fix_peer import TOO_SOON
from tradsys.gateways.fix_logon import FixLogonCheck, kind_refusal
from tradsys.gateways.fix_sessions import DROP_COPY
from tradsys.gateways.fix_users import FixPasswords, FixUsers

cdef enum:
    EVENT_BYTES = 128
    EVENTS_A_READ = 65536
    EVENTS_A_WAIT = 256
    MESSAGES_A_TURN = 4096         # of one connection
    SLOW_COST_A_TURN = 32768       # bytes of one connection its session has to look at: others are not to wait for them
    LISTEN_NS = 1_000_000          # the sockets are looked at this often while nobody is connected
    SWEEP_NS = 50_000_000          # timers
    SAMPLE_NS = 1_000_000_000      # rates
    LISTENER = 2147483647
    TLS_LISTENER = 2147483646
    HANDSHAKES_A_TURN = 1          # steps of them: each may take a millisecond from everybody logged on
    DESCRIPTORS_KEPT = 256         # of the process's, for everything but connections
    GATE_ENABLED = GATE_DEFINED | GATE_SESSION | GATE_PARTICIPANT
    RESEND_GAP_NS = 100_000        # a piece of a resend is sent this often while others trade; else each turn
    LIVE_SHARE = 8               # part of a quiet turn's reports told from the log while others trade
    QUIET_NS = 10_000_000          # nobody trades when nothing came for so long


@cython.final
cdef class FixGateway:
    """FIX sessions over TCP in front of a sequencer.

    Nothing leaves a socket before it is in its session's store, and nothing is committed before its request is.

    Parameters
    ----------
    sequencer : Sequencer
    listener : socket.socket
        Listening; the caller closes it.
    configs : iterable of FixSessionConfig
    limits : FixLimits, optional
    tls_listener : socket.socket, optional
        A second one, whose connections begin with a TLS handshake.
    tls_context : ssl.SSLContext, optional
    """

    def __cinit__(self, Sequencer sequencer not None, listener, configs, limits=None, tls_listener=None, tls_context=None):
        configs = list(configs)
        self.limits = limits or FixLimits()
        self.sequencer = sequencer
        self.listener, self.tls_listener, self.tls_context = listener, tls_listener, tls_context
        # the rest is for journal and stores: without a descriptor for them the venue has to stop
        self.connections_max = min(self.limits.connections_max, max(
            resource.getrlimit(resource.RLIMIT_NOFILE)[0] - DESCRIPTORS_KEPT - 2 * len(configs), 1))
        self.symbols = FixSymbols(sequencer.engine)
        passwords = FixPasswords()
        self.logon_check = FixLogonCheck(
            self.limits.logon_failures_max, self.limits.logon_failure_window_ms, passwords, keeps_signatures=True)
        self.desk = FixDesk(self, self.symbols, sequencer, self.limits, FixUsers(passwords))
        self.epoll = epoll_create1(0)
        self.connections, self.free_slots, self.unread, self.strangers = [], [], [], {}
        self.session_commands = deque()
        self.by_names, self.peers = {}, []
        self.by_session = [None] * sequencer.engine.state.sessions_max
        self.egress_seq = sequencer.engine.last_event_seq
        self.mono_ns = machine_ns()
        self.copies_of = [None] * sequencer.engine.state.participants_max
        for config in sorted(configs, key=lambda config: config.kind == DROP_COPY):  # a copy asks the others for names
            self._add_peer(config)
        for one, slot in ((listener, LISTENER), (tls_listener, TLS_LISTENER)):
            if one is not None:
                one.setblocking(False)
                self._watch(one.fileno(), EPOLL_CTL_ADD, EPOLLIN, slot)

    def __dealloc__(self):
        if self.epoll >= 0:
            os.close(self.epoll)

    def _add_peer(self, config):
        cdef FixPeer peer = FixPeer(config, self.symbols, self, self.sequencer)
        self.by_names[peer.theirs, peer.ours] = peer
        self.by_session[peer.session_id] = peer
        self.peers.append(peer)
        if peer.copies is not None:
            self.copies_of[config.participant_id] = [*(self.copies_of[config.participant_id] or ()), peer]
            self.has_copies = True
        peer.flush(False)
        if self.sequencer.engine.state.sessions[peer.session_id].is_open:
            # left open by a venue that stopped in a hurry: its client has lost the connection
            self._end_at_engine(peer, CLOSE_REASON_VENUE_RESTART)

    def _watch(self, int fd, int operation, unsigned int events, unsigned int slot):
        cdef epoll_event event
        event.events = events
        event.data.u32 = slot
        epoll_ctl(self.epoll, operation, fd, &event)

    def fileno(self):
        """Readable when there is something to do for `poll`."""
        return self.epoll

    # ------------------------------------------------------------------------------------------ in

    def poll(self, int64_t now_ns):
        """Take messages from the sockets into the sequencer's batch. Returns how many."""
        cdef epoll_event ready[EVENTS_A_WAIT]
        cdef int count, i
        cdef int handshakes = HANDSHAKES_A_TURN
        cdef int64_t before = self.messages_in
        cdef FixConnection connection
        cdef FixPeer peer
        self.now_ns = now_ns
        self.mono_ns = machine_ns()
        if self.connection_count == 0 and self.mono_ns - self.listened_ns < LISTEN_NS and not self.session_commands:
            return 0
        self.listened_ns = self.mono_ns
        self._push_session_commands()
        left_over, self.unread = self.unread, []
        for connection in left_over:
            connection.is_unread = False
            if connection.has_more:
                connection.receive()
            self.read(connection)
        count = epoll_wait(self.epoll, ready, EVENTS_A_WAIT, 0)
        for i in range(count):
            if ready[i].data.u32 == LISTENER:
                self._accept(self.listener, None)
                continue
            if ready[i].data.u32 == TLS_LISTENER:
                self._accept(self.tls_listener, self.tls_context)
                continue
            connection = self.connections[ready[i].data.u32]
            if connection is None:
                continue
            if ready[i].events & EPOLLOUT:
                connection.is_blocked = False
                self._watch(connection.fd, EPOLL_CTL_MOD, EPOLLIN, connection.slot)
            if not connection.is_secured:
                if handshakes == 0:
                    continue  # the socket stays readable
                handshakes -= 1
            connection.receive()
            if not connection.is_unread:
                self.read(connection)
        for peer in self.peers:
            if peer.store.pending_bytes:
                peer.store.flush(peer.is_durable)
        if self.messages_in != before:
            self.taken_ns = self.mono_ns
        return self.messages_in - before

    cdef int read(self, FixConnection connection) except -1:
        """Use the whole messages in a connection's inbox, in order, until one finds no room."""
        cdef int64_t begin = 0, size = 0
        cdef int outcome, _i
        cdef FixPeer peer = connection.peer
        if peer is not None:
            peer.now_ns, peer.mono_ns = self.now_ns, self.mono_ns
            peer.slow_cost = 0
            if peer.delayed and not peer.take_delayed():
                self._leave_unread(connection)
                return 0
        for _i in range(MESSAGES_A_TURN):
            if connection.is_lost or connection.close_at_ns:
                connection.in_begin = connection.in_end
                return 0
            outcome = find_message(
                connection.inbox + connection.in_begin, connection.in_end - connection.in_begin, &begin, &size)
            if outcome == FRAME_NEEDS_MORE:
                if connection.has_more:
                    break
                return 0
            if outcome == FRAME_GARBLED:
                connection.in_begin += begin
                self.garbled_bytes += begin
                if connection.peer is not None:
                    (<FixPeer> connection.peer).session.on_garbled(self.now_ns)
                    (<FixPeer> connection.peer).drain()
                else:
                    self.close_connection(connection)
                continue
            peer = connection.peer
            if peer is None:
                if not self._identify(connection, connection.inbox[connection.in_begin:connection.in_begin + size]):
                    self._leave_unread(connection)
                    return 0
            elif peer.delayed or peer.take(connection.inbox + connection.in_begin, size) == NO_ROOM:
                self._leave_unread(connection)
                return 0
            self.messages_in += 1
            connection.in_begin += size
            if peer is not None and peer.slow_cost > SLOW_COST_A_TURN:
                break
        self._leave_unread(connection)
        return 0

    cdef int _leave_unread(self, FixConnection connection) except -1:
        connection.is_unread = True
        self.unread.append(connection)
        return 0

    def _accept(self, listener, context):
        """Take connections; when there is no room for one, the oldest that has not logged on makes way."""
        cdef FixConnection connection
        for _ in range(64):
            try:
                socket, address = listener.accept()
            except OSError:
                return
            if self.connection_count >= self.connections_max and self.strangers:
                self.connections_displaced += 1
                self.close_connection(next(iter(self.strangers)))
            if self.closing or self.connection_count >= self.connections_max:
                self.connections_refused += 1
                socket.close()
                continue
            connection = FixConnection(socket, address[0], self.limits.out_bytes_max, self.mono_ns, context)
            self.strangers[connection] = True
            if self.free_slots:
                connection.slot = self.free_slots.pop()
                self.connections[connection.slot] = connection
            else:
                connection.slot = len(self.connections)
                self.connections.append(connection)
            self.connection_count += 1
            self.connections_made += 1
            self._watch(connection.fd, EPOLL_CTL_ADD, EPOLLIN, connection.slot)

    def _identify(self, FixConnection connection, bytes message):
        """The first message of a connection says who it is. False: not now, come again with it."""
        cdef FixPeer peer
        try:
            logon = parse(message)
        except GarbledError:
            self.close_connection(connection)
            return True
        peer = self.by_names.get((logon.get(49), logon.get(56)))
        if logon.msg_type != "A":
            self.close_connection(connection)
        elif peer is None:
            self._turn_away(connection, logon, "no such session")
        elif peer.connection is not None:
            self._turn_away(connection, logon, "the session is in use")
        elif peer.banned_until_ns > self.mono_ns:
            self._turn_away(connection, logon, "the session is closed for a while")
        elif peer.delayed and not peer.take_delayed():
            return False  # what the last connection brought comes first
        else:
            self.strangers.pop(connection, None)
            connection.peer = peer
            peer.connection = connection
            peer.begin(self.now_ns, self.mono_ns)
            peer.take(<const uint8_t*> <const char*> message, len(message))
        return True

    def _turn_away(self, FixConnection connection, logon, str text):
        """Answer a Logon that belongs to no session of ours; it changes nothing."""
        header = Header(sender_comp_id=logon.get(56, b"")[:64], target_comp_id=logon.get(49, b"")[:64], seq=1,
                        sending_time=format_time(self.now_ns, "ms"))
        cdef bytes message = build("5", [(58, text.encode("ascii"))], header)
        self.logons_refused += 1
        connection.put(message, len(message))
        connection.close_at_ns = self.mono_ns + self.limits.refusal_delay_ms * 1_000_000

    # ------------------------------------------------------------------------------------------ what peers ask for

    def authenticate(self, FixPeer peer, logon):
        """Decide a Logon; a good one goes through the sequencer as OPEN_SESSION."""
        resets = logon.flag(141) or peer.config.settings.reset_on_logon
        text = "the venue is closing" if self.closing else self.logon_check.refusal(
            peer.config, logon, peer.connection.address, self.mono_ns) or kind_refusal(peer.config, logon)
        if not text and resets and self.mono_ns < peer.reset_after_ns:
            text = TOO_SOON
        if text:
            self.logons_refused += 1
            peer.session.logon_refused(text, self.now_ns)
        elif peer.engine_open and peer.opens_pending == 0:
            peer.end_at_ns = 0  # back within the grace
            peer.session.logon_accepted(self.now_ns)
        else:
            self._open_at_engine(peer, resets or peer.numbers.next_in <= 1)

    def ended(self, FixPeer peer, reason):
        """A session is no longer logged on: what has to happen at the engine, now or after the grace."""
        by_logout = reason in (EndReason.LOGOUT_RECEIVED, EndReason.LOGOUT_ANSWERED)
        close_reason = CLOSE_REASON_LOGOUT if by_logout else CLOSE_REASON_HEARTBEAT_TIMEOUT
        grace_ns = peer.config.cod_grace_ms * 1_000_000
        if grace_ns and peer.config.cancels(close_reason) and not by_logout and not self.closing:
            peer.end_at_ns = self.mono_ns + grace_ns
        else:
            self._end_at_engine(peer, close_reason)

    def disconnect(self, FixPeer peer, int64_t delay_ns):
        """Close a connection when what waits is out, after a while."""
        cdef FixConnection connection = peer.connection
        if connection is None:
            return
        connection.close_at_ns = self.mono_ns + delay_ns + 1
        if delay_ns:
            # a refused Logon: its session is free for its owner while the Logout is on its way
            connection.peer = peer.connection = None
            self.strangers[connection] = True
            peer.session.on_disconnect(self.now_ns)
            peer.drain()

    def overrun(self, FixPeer peer, str text):
        """End the connection of a client that asks for more than it takes."""
        peer.session.logout(text, self.now_ns)
        peer.drain()
        peer.forget_resends()
        self.disconnect(peer, 0)

    def close_connection(self, FixConnection connection):
        """Let go of a connection; its session learns of it."""
        cdef FixPeer peer = connection.peer
        if connection.slot < 0:
            return
        self._watch(connection.fd, EPOLL_CTL_DEL, 0, 0)
        connection.close()
        self.strangers.pop(connection, None)
        self.connections[connection.slot] = None
        self.free_slots.append(connection.slot)
        connection.slot = -1
        self.connection_count -= 1
        if peer is not None:
            connection.peer = peer.connection = None
            peer.now_ns, peer.mono_ns = self.now_ns, self.mono_ns
            peer.session.on_disconnect(self.now_ns)
            peer.drain()

    # ------------------------------------------------------------------------------------------ at the engine

    def _open_at_engine(self, FixPeer peer, bint reset_client_seq):
        peer.engine_open = True
        peer.opens_pending += 1
        peer.opens.append(True)
        self.session_commands.append((peer, TEMPLATE_OPEN_SESSION, reset_client_seq, 0))
        self._push_session_commands()

    def _end_at_engine(self, FixPeer peer, int close_reason):
        """CLOSE_SESSION; where orders are to be cancelled the session is first opened again with that choice.

        Whether they are depends on how the connection ends, which is not known when it begins. A session that is
        disabled cannot be opened again: its orders are cancelled by the venue.
        """
        peer.engine_open = False
        peer.end_at_ns = 0
        self.session_commands.append((peer, TEMPLATE_CLOSE_SESSION, close_reason, 0))
        if peer.config.cancels(close_reason) and not self.is_enabled(peer.session_id):
            self.session_commands.append((peer, TEMPLATE_MASS_CANCEL, 0, 0))
        elif peer.config.cancels(close_reason):
            peer.opens.append(False)
            self.session_commands.append((peer, TEMPLATE_OPEN_SESSION, 0, 1))
            self.session_commands.append((peer, TEMPLATE_CLOSE_SESSION, close_reason, 0))
        self._push_session_commands()

    def _push_session_commands(self):
        """Hand over commands about sessions, in order, as far as there is room."""
        cdef uint8_t* target
        cdef FixPeer peer
        while self.session_commands:
            peer, kind, argument, cancel = self.session_commands[0]
            target = self.sequencer.reserve(SIZE_MASS_CANCEL)
            if target == NULL:
                return
            if kind == TEMPLATE_MASS_CANCEL:
                fill_mass_cancel(<MassCancel*> target, peer.session_id)
                self.sequencer.push(SIZE_MASS_CANCEL)
            elif kind == TEMPLATE_DEFINE_SESSION:
                fill_define_session(<DefineSession*> target, peer.session_id, peer.config.participant_id, argument, cancel,
                                    peer.config.name.encode("ascii"))
                self.sequencer.push(SIZE_DEFINE_SESSION)
            elif kind == TEMPLATE_OPEN_SESSION:
                fill_open_session(<OpenSession*> target, peer.session_id, argument, cancel)
                self.sequencer.push(SIZE_OPEN_SESSION)
            else:
                fill_close_session(<CloseSession*> target, peer.session_id, argument)
                self.sequencer.push(SIZE_CLOSE_SESSION)
            self.session_commands.popleft()

    cdef int session_event(self, const uint8_t* event) except -1:
        """Follow OPEN_SESSION, done or refused, and what an operator disables."""
        cdef const CommandDone* done = <const CommandDone*> event
        cdef bint is_done = done.template_id == TEMPLATE_COMMAND_DONE
        cdef int template_id = done.done_template if is_done else (<const CommandRejected*> event).refused_template
        cdef FixPeer peer
        if is_done and not done.enabled and template_id in (TEMPLATE_DEFINE_SESSION, TEMPLATE_DEFINE_PARTICIPANT):
            for peer in self.peers:
                if (peer.session_id != done.defined_session_id if template_id == TEMPLATE_DEFINE_SESSION
                        else peer.config.participant_id != done.participant_id):
                    continue
                peer.now_ns, peer.mono_ns = self.now_ns, self.mono_ns
                if peer.live:
                    peer.session.logout("disabled by an operator", self.now_ns)
                    peer.drain()
                elif peer.end_at_ns:
                    self._end_at_engine(peer, CLOSE_REASON_HEARTBEAT_TIMEOUT)  # it does not come back
            return 0
        if template_id != TEMPLATE_OPEN_SESSION or done.session_id >= len(self.by_session):
            return 0
        peer = self.by_session[done.session_id]
        # events come in the order of the commands: the oldest OPEN_SESSION on its way is the one told of
        if peer is None or not peer.opens:
            return 0
        if not peer.opens.popleft():
            if not is_done:  # disabled while its end was on its way: nothing else cancels its orders
                self.session_commands.append((peer, TEMPLATE_MASS_CANCEL, 0, 0))
            return 0
        peer.opens_pending -= 1
        if peer.opens_pending:
            return 0
        peer.now_ns, peer.mono_ns = self.now_ns, self.mono_ns
        if is_done:
            peer.session.logon_accepted(self.now_ns)
        else:
            peer.engine_open = False
            peer.session.logon_refused(reject_text((<const CommandRejected*> event).reject_reason), self.now_ns)
        peer.drain()
        if is_done and not peer.live and peer.engine_open:
            self._end_at_engine(peer, CLOSE_REASON_LOGOUT)  # the session itself turned the Logon down
        return 0

    # ------------------------------------------------------------------------------------------ out

    def egress(self):
        """Send what released events say, resends, answers and heartbeats. Returns bytes sent or waiting."""
        cdef FixConnection connection
        cdef FixPeer peer
        cdef int64_t before = 0
        cdef Py_ssize_t i
        cdef bint is_resending = False, is_behind = False
        if self.connection_count == 0 and not self.session_commands and not self._is_anything_open():
            if self.egress_seq != self.sequencer.released_event_seq():
                self.egress_seq = self.sequencer.released_event_seq()
                self.desk.defined()
            return 0
        self._follow_events()
        for connection in self.connections:
            peer = connection.peer if connection is not None else None
            if peer is None:
                continue
            peer.now_ns, peer.mono_ns = self.now_ns, self.mono_ns
            if peer.has_tasks:
                peer.work()
                is_resending |= peer.is_resending
                is_behind |= peer.can_catch_up()
        if is_behind:
            before += self._catch_up()
        if self.desk.is_busy:
            before += self.desk.pump()
        if self.mono_ns - self.swept_ns >= SWEEP_NS:
            self._sweep()
        for peer in self.peers:
            if peer.store.pending_bytes or peer.numbers.next_in != peer.stored_next_in:
                peer.flush(peer.is_durable)
        for i in range(len(self.connections)):
            connection = self.connections[i]
            if connection is not None:
                before += connection.waiting_bytes()
                self._send(connection)
        if is_resending and (self.mono_ns - self.resent_ns >= RESEND_GAP_NS or self.mono_ns - self.taken_ns >= QUIET_NS):
            before += self._resend_piece()
        return before + is_resending

    cdef int _catch_up(self) except -1:
        """Tell sessions that are behind what they lack, in turns, so much in one turn of the venue; 1: there is more to do.

        While others trade it is less, and of one session.
        """
        cdef FixConnection connection
        cdef FixPeer peer
        cdef bint is_quiet = self.mono_ns - self.taken_ns >= QUIET_NS
        cdef int64_t left = self.limits.catch_up_reports_per_turn
        cdef int count = <int> len(self.connections), first = self.caught_slot + 1, i, slot
        if not is_quiet:
            if self.mono_ns - self.caught_ns < RESEND_GAP_NS:
                return 1
            left = max(left // LIVE_SHARE, 1)
        for i in range(count):
            slot = (first + i) % count
            connection = self.connections[slot]
            peer = connection.peer if connection is not None else None
            if peer is None or not peer.can_catch_up():
                continue
            if left <= 0:
                return 1
            left -= peer.catch_up(left)
            self.caught_slot, self.caught_ns = slot, self.mono_ns
        return 1

    cdef int64_t _resend_piece(self) except -1:
        """Send a piece of one resend, behind everything live; sessions take turns. Returns bytes sent or waiting."""
        cdef FixConnection connection
        cdef FixPeer peer
        cdef int64_t waiting
        cdef int count = <int> len(self.connections), i, slot
        for i in range(1, count + 1):
            slot = (self.resent_slot + i) % count
            connection = self.connections[slot]
            peer = connection.peer if connection is not None else None
            if peer is not None and peer.can_resend():
                self.resent_slot, self.resent_ns = slot, self.mono_ns
                peer.resend()
                waiting = connection.waiting_bytes()
                self._send(connection)
                return waiting
        return 0

    def _is_anything_open(self):
        cdef FixPeer peer
        for peer in self.peers:
            if peer.engine_open or peer.opens:
                return True
        return False

    cdef int _send(self, FixConnection connection) except -1:
        if connection.waiting_bytes() and not connection.is_blocked:
            connection.send(self.mono_ns)
            if connection.is_blocked:
                self._watch(connection.fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT, connection.slot)
        if connection.is_lost or (connection.close_at_ns and self.mono_ns >= connection.close_at_ns):
            self.close_connection(connection)
        return 0

    def _sweep(self):
        """Timers of every connection, and the ends of grace periods."""
        cdef FixConnection connection
        cdef FixPeer peer
        cdef bint is_set_back = self.now_ns < self.swept_at_ns
        cdef Py_ssize_t i
        self.swept_ns, self.swept_at_ns = self.mono_ns, self.now_ns
        for i in range(len(self.connections)):
            connection = self.connections[i]
            if connection is None:
                continue
            peer = connection.peer
            if peer is not None:
                if is_set_back or not peer.numbers.fast or self.now_ns >= peer.numbers.due_ns:
                    peer.session.on_time(self.now_ns)
                    peer.drain()
            elif self.mono_ns - connection.since_ns > self.limits.logon_timeout_ms * 1_000_000:
                self.close_connection(connection)
                continue
            if connection.waiting_bytes() == 0:
                connection.progress_ns = self.mono_ns
            elif self.mono_ns - connection.progress_ns > self.limits.slow_ms * 1_000_000:
                connection.is_lost = True
        is_due = self.mono_ns - self.sampled_ns >= SAMPLE_NS
        if is_due:
            self.sampled_ns = self.mono_ns
        for peer in self.peers:
            if peer.delayed and peer.connection is None:
                peer.take_delayed()
            if is_due:
                peer.sample(self.mono_ns)
            if peer.end_at_ns and self.mono_ns >= peer.end_at_ns:
                self._end_at_engine(peer, CLOSE_REASON_HEARTBEAT_TIMEOUT)

    def _follow_events(self):
        """Route every released event once, from memory or, when it has left the ring, from disk."""
        cdef uint64_t released = self.sequencer.released_event_seq()
        cdef int64_t count
        cdef const uint8_t[::1] stored
        while self.egress_seq < released:
            count = self.sequencer.events_contiguous(self.egress_seq + 1, released)
            if count > 0:
                self.route(self.sequencer.event_at(self.egress_seq + 1), count)
                continue
            events = self.sequencer.read_events(self.egress_seq + 1, min(released - self.egress_seq, EVENTS_A_READ))
            stored = events.view("u1").reshape(-1)
            self.route(&stored[0], len(events))

    cdef int route(self, const uint8_t* events, int64_t event_count) except -1:
        """Tell each event to whom it concerns; who cannot take it now finds it in the event log."""
        cdef Recipient told[2]
        cdef const uint8_t* event = events
        cdef int64_t _i
        cdef int party, count, template_id
        cdef FixPeer peer
        for _i in range(event_count):
            count = recipients(event, told)
            if self.has_copies:
                self.copy_event(event, told, count)
            for party in range(count):
                peer = self.by_session[told[party].session_id]
                if peer is None or not peer.live or told[party].report_seq <= peer.told_report_seq:
                    continue
                if peer.behind or peer.is_resending or told[party].report_seq != peer.told_report_seq + 1 or (
                        peer.connection is not None and peer.connection.waiting_bytes() > LIVE_BYTES):
                    peer.fall_behind()
                    continue
                peer.now_ns, peer.mono_ns = self.now_ns, self.mono_ns
                peer.tell(event, party, told[party].report_seq)
            template_id = (<const MessageHeader*> event).template_id
            if template_id == TEMPLATE_COMMAND_DONE or template_id == TEMPLATE_COMMAND_REJECTED:
                self.session_event(event)
            if (template_id == TEMPLATE_COMMAND_DONE or template_id == TEMPLATE_INSTRUMENT_DEFINED
                    or template_id == TEMPLATE_PHASE_CHANGED or template_id == TEMPLATE_CALL_EXTENDED):
                self.desk_event(event, template_id)
            event += EVENT_BYTES
            self.egress_seq += 1
        return 0

    cdef int copy_event(self, const uint8_t* event, const Recipient* told, int count) except -1:
        """Tell drop copies what others are told; those that cannot take it now find it in the log."""
        cdef int party
        cdef FixPeer peer
        for party in range(count):
            watching = self.copies_of[self.sequencer.engine.state.sessions[told[party].session_id].participant_id]
            if watching is None:
                continue
            for peer in watching:
                if not peer.live or peer.behind:
                    continue
                if peer.is_resending or peer.connection is None or peer.connection.waiting_bytes() > LIVE_BYTES:
                    peer.fall_behind()
                    continue
                peer.now_ns, peer.mono_ns = self.now_ns, self.mono_ns
                peer.reports_out += peer.copies.tell(peer, event, party, told[party].session_id, True)
        return 0

    cdef int desk_event(self, const uint8_t* event, int template_id) except -1:
        """Tell the desk what was defined or changes state, or that a call goes on."""
        cdef const CommandDone* done = <const CommandDone*> event
        cdef const PhaseChanged* changed = <const PhaseChanged*> event
        if template_id == TEMPLATE_INSTRUMENT_DEFINED:
            self.desk.defined((<const InstrumentDefined*> event).instrument_id)
        elif template_id == TEMPLATE_PHASE_CHANGED:
            self.desk.state_changed(
                changed.instrument_id, changed.state, changed.state_before, changed.ts_ns, changed.end_ts_ns)
        elif template_id == TEMPLATE_CALL_EXTENDED:
            self.desk.call_extended(
                changed.instrument_id, changed.state, (<const CallExtended*> event).end_ts_ns, changed.ts_ns)
        elif done.done_template == TEMPLATE_SET_INSTRUMENT_STATE or done.done_template == TEMPLATE_START_CALL:
            self.desk.state_changed(done.instrument_id, done.state, done.state_before, done.ts_ns)
        return 0

    # ------------------------------------------------------------------------------------------ operators

    def may_operate(self, uint32_t session_id):
        """Tell whether a session and its participant are enabled and have OPERATE."""
        cdef const EngineSession* session
        if session_id == 0 or session_id >= self.sequencer.engine.state.sessions_max:
            return False
        session = &self.sequencer.engine.state.sessions[session_id]
        return self.is_enabled(session_id) and bool(
            self.sequencer.engine.state.participants[session.participant_id].permissions & PERMISSION_OPERATE)

    def is_enabled(self, uint32_t session_id):
        """Tell whether a session and its participant are defined and enabled."""
        cdef uint32_t gate = self.sequencer.engine.state.sessions[session_id].gate
        return gate & GATE_ENABLED == GATE_ENABLED

    def sessions(self):
        """Numbers, counters and rates of every session, as dicts."""
        return [(<FixPeer> peer).figures() for peer in self.peers]

    def is_connected(self, int session_id):
        """Tell whether a client is connected as that session."""
        return (<FixPeer> self.by_session[session_id]).session.state is not State.CLOSED

    def log_out(self, int session_id, str text):
        """Log a session out; its connection is closed at the answer, or two seconds later."""
        cdef FixPeer peer = self._operated(session_id)
        peer.session.logout(text, self.now_ns)
        peer.drain()

    def reset_numbers(self, int session_id, int64_t next_in, int64_t next_out):
        """Set both numbers of a session: at once, or when one that is logged on has been logged out."""
        cdef FixPeer peer = self._operated(session_id)
        peer.session.reset_numbers(self.now_ns, next_in, next_out)
        peer.drain()
        peer.flush(peer.is_durable)

    def set_enabled(self, int session_id, bint enabled, uint32_t operator_id, bint cancel=False):
        """Enable or disable a session through the journal; `operator_id` is the session of who asked.

        With `cancel` its orders are cancelled.
        """
        self.session_commands.append((self._operated(session_id), TEMPLATE_DEFINE_SESSION, enabled, operator_id))
        if cancel:
            self.session_commands.append((self.by_session[session_id], TEMPLATE_MASS_CANCEL, 0, 0))
        self._push_session_commands()

    def is_settled(self):
        """Tell whether every command of an operator has been decided and may be told."""
        return (not self.session_commands and self.sequencer.batch_count == 0
                and self.egress_seq == self.sequencer.engine.last_event_seq)

    def _operated(self, int session_id):
        cdef FixPeer peer = self.by_session[session_id]
        self.now_ns = max(self.now_ns, peer.now_ns)
        peer.now_ns, peer.mono_ns = self.now_ns, self.mono_ns
        return peer

    # ------------------------------------------------------------------------------------------ the end, and looking in

    def news(self, str headline, lines=(), str urgency="0", session_ids=None):
        """Send News (B) to the sessions logged on, or to those named. Returns how many."""
        cdef FixPeer peer
        told = [peer for peer in self.peers if peer.live and (session_ids is None or peer.session_id in session_ids)]
        for peer in told:
            self.desk.post(peer, news(headline, lines, urgency))
        return len(told)

    def name_of(self, uint32_t session_id, uint64_t client_ref):
        """The ClOrdID of a session's request; its reference where it has none or it is forgotten."""
        cdef FixPeer peer = self.peer_at(session_id)
        name = peer.name_of(client_ref) if peer is not None else None
        return b"%d" % client_ref if name is None else name

    def peer_at(self, uint32_t session_id):
        """The peer of a session; None: it does not speak FIX."""
        return self.by_session[session_id] if session_id < len(self.by_session) else None

    def comp_id_of(self, uint32_t session_id):
        """What a session is called where others read of it: its SenderCompID, else its number."""
        cdef FixPeer peer = self.peer_at(session_id)
        return b"%d" % session_id if peer is None else peer.theirs

    def close_all(self, str text="the venue is closing"):
        """Log every session out and take no more; go on with poll, commit and egress until `open_sessions` is 0."""
        cdef FixPeer peer
        cdef FixConnection connection
        self.closing = True
        for peer in self.peers:
            peer.now_ns, peer.mono_ns = self.now_ns, self.mono_ns
            if peer.live:
                peer.send_fields(*news(text, (), "1"))
            peer.session.logout(text, self.now_ns)
            peer.drain()
            if peer.end_at_ns:
                self._end_at_engine(peer, CLOSE_REASON_HEARTBEAT_TIMEOUT)
        for connection in list(self.connections):
            if connection is not None and connection.peer is None:
                self.close_connection(connection)

    def close(self):
        """Write what the stores have to keep and close every connection."""
        cdef FixPeer peer
        cdef FixConnection connection
        for connection in list(self.connections):
            if connection is not None:
                connection.send(self.mono_ns)
                connection.close()
        for peer in self.peers:
            peer.flush(peer.is_durable)

    @property
    def open_sessions(self):
        """Sessions open at the engine, or with commands on their way."""
        cdef FixPeer peer
        return sum(bool(peer.engine_open or peer.connection is not None) for peer in self.peers) + len(self.session_commands)

    def stats(self):
        """Counters since the start, as a dict."""
        return {"connections": self.connection_count, "connections_made": self.connections_made,
                "messages_in": self.messages_in, "garbled_bytes": self.garbled_bytes,
                "logons_refused": self.logons_refused, "connections_refused": self.connections_refused,
                "connections_displaced": self.connections_displaced,
                "sessions": self.sessions()}
