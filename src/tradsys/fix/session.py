"""One FIX session as a state machine without sockets and clocks: messages and time in, actions out.

It is the same for acceptor and initiator. The owner calls one of the public methods, then drains ``actions`` and
executes them in order; ``on_time`` at least ten times a second. ``now_ns`` is the wall clock, ns since the epoch. A
gateway's hot path may act without the session while ``numbers.fast`` is set (see numbers.pxd).
"""

from enum import Enum

from tradsys.errors import InputError
from tradsys.fix.actions import (
    Action,
    Authenticate,
    Deliver,
    Disconnect,
    Ended,
    EndReason,
    Established,
    Fault,
    Resend,
    ResetNumbers,
    Send,
)
from tradsys.fix.gap import Early, Gap
from tradsys.fix.message import Field, Message, parse_time
from tradsys.fix.numbers import SessionNumbers
from tradsys.fix.schedule import Hours
from tradsys.fix.settings import SECOND_NS, SessionSettings

HEARTBEAT, TEST_REQUEST, RESEND_REQUEST, REJECT, SEQUENCE_RESET, LOGOUT, LOGON = (
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "A",
)

REQUIRED_TAG_MISSING = 1
VALUE_INCORRECT = 5
BAD_FORMAT = 6
COMP_ID_PROBLEM = 9
SENDING_TIME_PROBLEM = 10
OTHER = 99
# sentences of SessionRejectReason (373), FIX 4.4 volume 6
REASONS = {
    0: "Invalid tag number",
    1: "Required tag missing",
    2: "Tag not defined for this message type",
    3: "Undefined Tag",
    4: "Tag specified without a value",
    5: "Value is incorrect (out of range) for this tag",
    6: "Incorrect data format for value",
    7: "Decryption problem",
    8: "Signature problem",
    9: "CompID problem",
    10: "SendingTime accuracy problem",
    11: "Invalid MsgType",
    12: "XML Validation error",
    13: "Tag appears more than once",
    14: "Tag specified out of required order",
    15: "Repeating group fields out of order",
    16: "Incorrect NumInGroup count for repeating group",
    17: "Non-data value includes field delimiter",
}
# where the routing fields of a message stand in its Reject, in the order written
REVERSE_ROUTE = ((115, 128), (116, 129), (128, 115), (129, 116), (144, 145), (145, 144))
ECHO_BYTES_MAX = 64  # of what a client wrote, in a Reject: longer routing is left out, so that the Reject fits a message
ALWAYS_NS = 2**63 - 1
WAITING_MAX = 1_000  # messages kept that come while the credentials are looked at


class State(Enum):
    """Where a connection stands."""

    CLOSED = "closed"
    LOGON_AWAITED = "logon awaited"  # acceptor
    AUTHENTICATING = "authenticating"  # acceptor: the owner looks at the credentials
    LOGON_SENT = "logon sent"  # initiator
    ACTIVE = "active"
    LOGOUT_SENT = "logout sent"  # what comes is still taken
    FAULTED = "faulted"  # Logout sent because of a fault: only a Logout is still taken
    CLOSING = "closing"  # the owner was asked to close the connection


class FixSession:
    """The rules of one FIX 4.4 session.

    Every number is taken once and in order: `next_in` goes up by what was delivered, rejected or filled, and what
    came early waits in `gap` for its turn. Nothing changes for a Logon that is not authenticated, but that its refusal
    takes a number: a peer that counts our Logout would otherwise wait for one too high.

    Parameters
    ----------
    settings : SessionSettings
    numbers : SessionNumbers
        Shared with the hot path; the session reads and writes it.
    initiator : bool
        Whether we log on.
    period_ns : int
        Begin of the schedule's period the numbers belong to, as the last `ResetNumbers` said; 0 at first.
    """

    def __init__(
        self, settings: SessionSettings, numbers: SessionNumbers, initiator: bool = False, period_ns: int = 0
    ) -> None:
        self.settings = settings
        self.numbers = numbers
        self.initiator = initiator
        self.period_ns = period_ns
        self.actions: list[Action] = []
        self.state = State.CLOSED
        self.gap = Gap(settings.queue_max)
        self.garbled_count = 0
        self._is_established = False
        self._was_established = False  # on this connection
        self._asked_reset = False
        self._logon: Message | None = None  # being authenticated
        self._waiting: list[Early] = []  # came while it was
        self._since_ns = 0  # begin of the state a timeout is on
        self._test_ns = 0  # when the TestRequest unanswered yet was sent; 0: none
        self._end_reason = EndReason.CONNECTION_LOST
        self._reset_when_closed: tuple[int, int] | None = None
        self._hours: Hours | None = None  # the schedule's period looked at last

    # --------------------------------------------------------------------------------------- the connection

    def on_connect(self, now_ns: int) -> None:
        """Begin with a connection: an initiator logs on, an acceptor waits for a Logon."""
        assert self.state is State.CLOSED, f"a session has one connection, was {self.state}"
        self._since_ns = now_ns
        self._was_established = False
        self.numbers.heard_ns = self.numbers.sent_ns = now_ns
        self.numbers.latency_ns = self.settings.latency_ns
        self.state = State.LOGON_SENT if self.initiator else State.LOGON_AWAITED
        if self.initiator:
            self._log_on(now_ns)

    def on_disconnect(self, now_ns: int) -> None:
        """End with the connection."""
        if self.state is State.CLOSED:
            return
        if self.state is not State.CLOSING:
            self._end(EndReason.CONNECTION_LOST)
        self.state = State.CLOSED
        self.gap.clear()
        self._waiting.clear()
        self._logon = None
        self._test_ns = 0
        was_logout = self._end_reason in (EndReason.LOGOUT_RECEIVED, EndReason.LOGOUT_ANSWERED)
        asks_reset = self.settings.reset_on_disconnect or (self.settings.reset_on_logout and was_logout)
        if asks_reset and self._was_established:
            self._reset(1, 1, now_ns)
        elif self._reset_when_closed is not None:
            self._reset(*self._reset_when_closed, now_ns)
        self._reset_when_closed = None

    def on_garbled(self, now_ns: int) -> None:
        """Take note of bytes that are no message: ignored, but they are no way to begin."""
        self.garbled_count += 1
        if self.state in (State.LOGON_AWAITED, State.LOGON_SENT):
            self._close(EndReason.NO_LOGON, "garbled message instead of a Logon")

    def on_message(self, message: Message, now_ns: int) -> None:
        """Take a message no rule found a fault with."""
        self._receive(Early(message), now_ns)

    def on_fault(self, message: Message, fault: Fault, now_ns: int) -> None:
        """Take a message a rule found a fault with: it is rejected when its turn comes."""
        self._receive(Early(message, fault), now_ns)

    def on_time(self, now_ns: int) -> None:
        """Do what is due."""
        self.numbers.heard_ns = min(self.numbers.heard_ns, now_ns)  # the wall clock may have been set back
        self.numbers.sent_ns = min(self.numbers.sent_ns, now_ns)
        waited_ns = now_ns - self._since_ns
        if self.state in (State.LOGON_AWAITED, State.LOGON_SENT):
            if waited_ns >= self.settings.logon_timeout_ns:
                self._close(EndReason.NO_LOGON, "no Logon in time")
        elif self.state in (State.LOGOUT_SENT, State.FAULTED):
            if waited_ns >= self.settings.logout_timeout_ns:
                self._close(EndReason.LOGOUT_TIMEOUT, "no answer to our Logout in time")
        elif self.state is State.ACTIVE:
            self._keep_hours(now_ns)
            self._keep_alive(now_ns)
            self._ask_again(now_ns)
            self.numbers.due_ns = self._due_ns()

    def logout(self, text: str, now_ns: int) -> None:
        """Ask the other side to end the session; closed at its answer or after ``logout_timeout_ns``."""
        if self.state is State.ACTIVE:
            self._send_logout(text, now_ns)
        elif self.state in (State.LOGON_AWAITED, State.AUTHENTICATING, State.LOGON_SENT):
            self._close(EndReason.LOGON_REFUSED, text)

    def reset_numbers(self, now_ns: int, next_in: int = 1, next_out: int = 1) -> None:
        """Set the numbers as an operator wants them: at once, or when a session logged on has ended by Logout."""
        if self.state is State.CLOSED:
            self._reset(next_in, next_out, now_ns)
            return
        self._reset_when_closed = (next_in, next_out)
        self.logout("sequence numbers are reset", now_ns)

    # --------------------------------------------------------------------------------------- logging on

    def logon_accepted(self, now_ns: int) -> None:
        """Answer `Authenticate`: the credentials are right."""
        if self.state is not State.AUTHENTICATING or self._logon is None:
            return
        logon, self._logon = self._logon, None
        asks_reset = logon.flag(141)
        if asks_reset or self.settings.reset_on_logon or self._is_new_period(now_ns):
            self._reset(1, 1, now_ns)
        elif not self._is_logon_in_range(logon, now_ns):
            return
        self.numbers.heartbeat_ns = logon.number(108) * SECOND_NS
        own_seq = self.numbers.next_out
        self._take_number(logon)
        fields = self._logon_fields(logon.number(108), asks_reset)
        if self._reads_next_expected(logon):
            fields.append((789, b"%d" % self.numbers.next_in))
        self._send(LOGON, *fields)
        self._establish(logon, own_seq, now_ns)

    def logon_refused(self, text: str, now_ns: int) -> None:
        """Answer `Authenticate`: the credentials are wrong. ``text`` goes into the Logout."""
        if self.state is State.AUTHENTICATING:
            self._refuse(text, now_ns)

    def _log_on(self, now_ns: int) -> None:
        """Send the Logon of an initiator."""
        self._asked_reset = self.settings.ask_reset or self.settings.reset_on_logon
        if self._asked_reset or self._is_new_period(now_ns):
            self._reset(1, 1, now_ns)
        fields = self._logon_fields(self.settings.heartbeat_s, self._asked_reset)
        if self.settings.next_expected:
            fields.append((789, b"%d" % self.numbers.next_in))
        self._send(LOGON, *fields, *self.settings.logon_fields)

    def _logon_fields(self, heartbeat_s: int, says_reset: bool) -> list[Field]:
        fields = [(98, b"0"), (108, b"%d" % heartbeat_s)]
        if says_reset:
            fields.append((141, b"Y"))
        if self.settings.message_bytes_max:
            fields.append((383, b"%d" % self.settings.message_bytes_max))
        return fields

    def _on_first(self, early: Early, now_ns: int) -> None:
        """Take the first message of a connection as acceptor."""
        message = early.message
        if message.msg_type != LOGON or not self._has_our_names(message):
            self._close(EndReason.NO_LOGON, "the first message is not a Logon to us")
            return
        problem = self._logon_problem(early, now_ns)
        if problem:
            self._refuse(problem, now_ns)
            return
        self.state = State.AUTHENTICATING
        self._logon = message
        self._do(Authenticate(message))

    def _logon_problem(self, early: Early, now_ns: int) -> str:
        """Say what is wrong with a Logon before its credentials are looked at, or nothing."""
        logon, settings = early.message, self.settings
        heartbeat_s = logon.number(108)
        if early.fault is not None:
            return sentence(early.fault)
        if logon.seq < 1:
            return "MsgSeqNum(34) must be a number from 1"
        if not self._is_timely(logon, now_ns):
            return REASONS[SENDING_TIME_PROBLEM]
        if logon.get(98) != b"0":
            return "EncryptMethod(98) must be 0"
        if not settings.heartbeat_s_min <= heartbeat_s <= settings.heartbeat_s_max:
            return f"HeartBtInt(108) must be in [{settings.heartbeat_s_min}, {settings.heartbeat_s_max}] s"
        if logon.flag(141) and logon.seq != 1:
            return "MsgSeqNum(34) must be 1 with ResetSeqNumFlag(141)"
        if logon.flag(141) and not settings.reset_by_logon:
            return "ResetSeqNumFlag(141) is not allowed for this session"
        hours = self._hours_at(now_ns)
        if hours is not None and now_ns >= hours.end_ns:
            return "outside the session's hours"
        return ""

    def _is_logon_in_range(self, logon: Message, now_ns: int) -> bool:
        """Check the numbers of a Logon that resets nothing; end the session when they cannot be."""
        if logon.seq < self.numbers.next_in:
            self._end_too_low(logon, now_ns)
            return False
        expected = logon.number(789)
        if self._reads_next_expected(logon) and not 1 <= expected <= self.numbers.next_out:
            self._refuse(
                f"NextExpectedMsgSeqNum(789) must be in [1, {self.numbers.next_out}], was {logon.text(789)}",
                now_ns,
            )
            return False
        return True

    def _reads_next_expected(self, logon: Message) -> bool:
        return self.settings.next_expected and logon.has(789)

    def _on_logon_answer(self, early: Early, now_ns: int) -> None:
        """Take the answer to our Logon as initiator."""
        message = early.message
        if not self._has_our_names(message):
            self._close(EndReason.NO_LOGON, "the answer is not to us")
        elif message.msg_type == LOGOUT:
            self._take_number(message)
            self._close(EndReason.LOGON_REFUSED, message.text(58))
        elif message.msg_type != LOGON or early.fault is not None:
            self._close(EndReason.NO_LOGON, "the answer is not a Logon")
        elif not self._is_timely(message, now_ns):
            self._send_logout(REASONS[SENDING_TIME_PROBLEM], now_ns, is_fault=True)
        else:
            self._on_logon_accepted(message, now_ns)

    def _on_logon_accepted(self, logon: Message, now_ns: int) -> None:
        """Take the Logon that answers ours."""
        own_seq = self.numbers.next_out - 1
        if logon.flag(141) and logon.seq == 1 and not self._asked_reset:
            self._reset(1, 2, now_ns)  # the other side counts our Logon as its first
            own_seq = 1
        if logon.seq < self.numbers.next_in:
            self._end_too_low(logon, now_ns)
            return
        heartbeat_s = logon.number(108) if logon.number(108) >= 0 else self.settings.heartbeat_s
        self.numbers.heartbeat_ns = heartbeat_s * SECOND_NS
        self._take_number(logon)
        self._establish(logon, own_seq, now_ns)

    def _establish(self, logon: Message, own_seq: int, now_ns: int) -> None:
        """Be logged on: resend what the other side misses, ask for what we miss, take what came meanwhile.

        ``own_seq`` is the number of our own Logon.
        """
        self.state = State.ACTIVE
        self._is_established = self._was_established = self.numbers.active = True
        self._test_ns = 0
        knows_next = self._reads_next_expected(logon)
        if knows_next and 1 <= logon.number(789) < own_seq:
            self._do(Resend(logon.number(789), own_seq - 1))
        if self.gap.is_open and knows_next:  # it knows what we miss and sends it unasked
            self.gap.asked_end = self.gap.last_missing
            self.gap.asked_ns = now_ns
        elif self.gap.is_open:
            self._ask(now_ns)
        self._do(Established())
        self._set_fast()
        waiting, self._waiting = self._waiting, []
        for early in waiting:
            self._receive(early, now_ns)

    # --------------------------------------------------------------------------------------- what comes in

    def _receive(self, early: Early, now_ns: int) -> None:
        if self.state in (State.CLOSED, State.CLOSING):
            return
        self.numbers.heard_ns = now_ns
        self._test_ns = 0
        if self.state is State.LOGON_AWAITED:
            self._on_first(early, now_ns)
        elif self.state is State.LOGON_SENT:
            self._on_logon_answer(early, now_ns)
        elif self.state is State.AUTHENTICATING:
            if len(self._waiting) < WAITING_MAX:  # else it comes again by our ResendRequest
                self._waiting.append(early)
        elif self.state is State.FAULTED:
            if early.message.msg_type == LOGOUT:
                self._take_number(early.message)
                self._close(EndReason.LOGOUT_ANSWERED)
        elif self._is_sound(early, now_ns):
            self._sort(early, now_ns)
        self._set_fast()

    def _is_sound(self, early: Early, now_ns: int) -> bool:
        """Check what must hold before the number counts; end the session when it does not."""
        message = early.message
        if message.text(8) != self.settings.begin_string:
            self._take_number(message)
            self._send_logout("Incorrect BeginString", now_ns, is_fault=True)
            return False
        if message.seq < 0:
            self._send_logout("MsgSeqNum(34) is missing", now_ns)
            self._close(EndReason.SEQ_MISSING)
            return False
        reason = -1
        if early.fault is None and not self._is_timely(message, now_ns):
            reason = SENDING_TIME_PROBLEM
        elif early.fault is None and not self._has_our_names(message):
            reason = COMP_ID_PROBLEM
        if reason < 0:
            return True
        self._take_number(message)
        self._reject(message, Fault(reason))
        self._send_logout("", now_ns, is_fault=True)
        return False

    def _sort(self, early: Early, now_ns: int) -> None:
        """Do what a message asks for, or keep it, by its number. Three kinds are answered whatever theirs is."""
        message = early.message
        if early.fault is None and message.msg_type == LOGOUT:
            self._on_logout(message, now_ns)
        elif early.fault is None and message.msg_type == LOGON and message.flag(141):
            self._on_reset_logon(message, now_ns)
        elif early.fault is None and message.msg_type == SEQUENCE_RESET and not message.flag(123):
            self._on_reset(message, now_ns)
        elif message.seq < self.numbers.next_in:
            is_request = early.fault is None and message.msg_type == RESEND_REQUEST and not message.flag(43)
            if is_request:
                self._serve(message)
            else:
                self._on_too_low(message, now_ns)
        elif message.seq > self.numbers.next_in:
            self._on_too_high(early, now_ns)
        else:
            self._take(early)
            self._go_on(now_ns)

    def _take(self, early: Early) -> None:
        """Take the message whose turn it is."""
        message = early.message
        kind = message.msg_type
        assert message.seq == self.numbers.next_in, f"{message.seq} is not {self.numbers.next_in}"
        if early.fault is None and kind == SEQUENCE_RESET:
            self._on_gap_fill(message)
            return
        self.numbers.next_in += 1
        if early.is_served:
            return
        if early.fault is not None:
            self._reject(message, early.fault)
        elif kind == TEST_REQUEST:
            self._send(HEARTBEAT, (112, message.get(112, b"") or b""))
        elif kind == RESEND_REQUEST:
            self._serve(message)
        elif kind == LOGON:
            self._reject(message, Fault(OTHER, None, "already logged on"))
        elif kind not in (HEARTBEAT, REJECT):
            self._do(Deliver(message, message.flag(97)))

    def _go_on(self, now_ns: int) -> None:
        """Take what waited for its turn and ask for what is missing next."""
        while (early := self.gap.take(self.numbers.next_in)) is not None:
            self._take(early)
        self.gap.pass_over(self.numbers.next_in)
        if not self.gap.is_open:
            return
        if self.numbers.next_in > self.gap.asked_end:
            self._ask(now_ns)
        else:
            self.gap.asked_ns, self.gap.tries = now_ns, 1

    def _on_too_high(self, early: Early, now_ns: int) -> None:
        if early.fault is None and early.message.msg_type == RESEND_REQUEST:
            self._serve(early.message)  # at once: the other side may wait for it before it answers ours
            early = Early(early.message, is_served=True)
        self.gap.keep(early)
        if not self.gap.asked_end:
            self._ask(now_ns)

    def _on_too_low(self, message: Message, now_ns: int) -> None:
        if not message.flag(43):
            self._end_too_low(message, now_ns)
        elif message.msg_type == SEQUENCE_RESET:
            return
        elif not message.has(122):
            self._reject(message, Fault(REQUIRED_TAG_MISSING, 122))
        elif moment(message.get(122)) > moment(message.get(52)):
            self._reject(message, Fault(SENDING_TIME_PROBLEM))
            self._send_logout("", now_ns, is_fault=True)

    def _end_too_low(self, message: Message, now_ns: int) -> None:
        text = f"MsgSeqNum too low, expecting {self.numbers.next_in} but received {message.seq}"
        self._send_logout(text, now_ns)
        self._close(EndReason.SEQ_TOO_LOW, text)

    def _on_logout(self, message: Message, now_ns: int) -> None:
        self._take_number(message)
        if self.state is State.LOGOUT_SENT:
            self._close(EndReason.LOGOUT_ANSWERED, message.text(58))
            return
        self._send_logout("", now_ns)
        self._close(EndReason.LOGOUT_RECEIVED, message.text(58))

    def _on_reset_logon(self, message: Message, now_ns: int) -> None:
        """Take a Logon that sets both sides back to 1 in the middle of a session."""
        if message.seq != 1 or not self.settings.reset_by_logon:
            self._send_logout("ResetSeqNumFlag(141) is refused", now_ns, is_fault=True)
            return
        self._reset(1, 1, now_ns)
        self.numbers.next_in = 2
        heartbeat_s = message.number(108)
        if self.settings.heartbeat_s_min <= heartbeat_s <= self.settings.heartbeat_s_max:
            self.numbers.heartbeat_ns = heartbeat_s * SECOND_NS
        self._send(LOGON, *self._logon_fields(self.numbers.heartbeat_ns // SECOND_NS, says_reset=True))

    def _on_reset(self, message: Message, now_ns: int) -> None:
        """Take a SequenceReset that sets the number expected, whatever its own is."""
        new_seq = message.number(36)
        if new_seq < self.numbers.next_in:
            self._reject(message, Fault(VALUE_INCORRECT if new_seq >= 0 else BAD_FORMAT))
            return
        self.numbers.next_in = new_seq
        self._go_on(now_ns)

    def _on_gap_fill(self, message: Message) -> None:
        """Take a SequenceReset that fills a gap; one that leads nowhere takes no number."""
        new_seq = message.number(36)
        if new_seq <= self.numbers.next_in:
            self._reject(message, Fault(VALUE_INCORRECT if new_seq >= 0 else BAD_FORMAT))
            return
        self.numbers.next_in = new_seq

    # --------------------------------------------------------------------------------------- resending

    def _serve(self, message: Message) -> None:
        """Answer a ResendRequest."""
        begin, end = message.number(7), message.number(16)
        last = self.numbers.next_out - 1 + sum(isinstance(action, Send) for action in self.actions)
        end = last if end == 0 else min(end, last)
        if not 1 <= begin <= last:
            self._reject(message, Fault(VALUE_INCORRECT, 7))
        elif end < begin:
            self._reject(message, Fault(VALUE_INCORRECT, 16))
        else:
            self._do(Resend(begin, end))

    def _ask(self, now_ns: int) -> None:
        """Ask for what is missing, a chunk at a time. Without chunks: for everything, in one request."""
        begin, last, chunk = self.numbers.next_in, self.gap.last_missing, self.settings.resend_chunk
        self.gap.asked_end = min(last, begin + chunk - 1) if chunk else last
        self.gap.asked_ns, self.gap.tries = now_ns, 1
        self._send(RESEND_REQUEST, (7, b"%d" % begin), (16, b"%d" % (self.gap.asked_end if chunk else 0)))

    def _ask_again(self, now_ns: int) -> None:
        """Ask once more when nothing came; give up when that did not help either."""
        is_late = now_ns - self.gap.asked_ns >= self.settings.resend_wait_ns
        if self.state is not State.ACTIVE or not self.gap.asked_end or not is_late:
            return
        tries = self.gap.tries
        if tries >= self.settings.resend_tries:
            text = f"messages from {self.numbers.next_in} on were asked for {tries} times and did not come"
            self._send_logout(text, now_ns, is_fault=True)
            return
        self._ask(now_ns)
        self.gap.tries = tries + 1

    # --------------------------------------------------------------------------------------- time

    def _keep_alive(self, now_ns: int) -> None:
        """Send heartbeats; test a silent connection once, with silence on our side too, then close it."""
        heartbeat_ns = self.numbers.heartbeat_ns
        if self.state is not State.ACTIVE or not heartbeat_ns:
            return
        silent_ns = now_ns - self.numbers.heard_ns
        is_tested = self._test_ns > 0 and self.numbers.heard_ns <= self._test_ns
        if silent_ns * 10 >= heartbeat_ns * self.settings.timeout_tenths:
            self._close(EndReason.HEARTBEAT_TIMEOUT, f"nothing heard for {silent_ns // 10**6} ms")
        elif is_tested:
            return
        elif silent_ns * 10 >= heartbeat_ns * self.settings.test_request_tenths:
            self._test_ns = now_ns
            self._send(TEST_REQUEST, (112, self.settings.test_request_id.encode()))
        elif now_ns - self.numbers.sent_ns >= heartbeat_ns:
            self._send(HEARTBEAT)

    def _due_ns(self) -> int:
        """Tell before when nothing is due unless something else happens than orders in and messages out."""
        numbers, heartbeat_ns = self.numbers, self.numbers.heartbeat_ns
        if self._test_ns:
            return 0
        due_ns = ALWAYS_NS
        if heartbeat_ns:
            tested_ns = numbers.heard_ns + heartbeat_ns * self.settings.test_request_tenths // 10
            due_ns = min(numbers.sent_ns + heartbeat_ns, tested_ns)
        return due_ns if self._hours is None else min(due_ns, self._hours.end_ns, self._hours.next_ns)

    def _keep_hours(self, now_ns: int) -> None:
        """End the session when its hours or its period do."""
        hours = self._hours_at(now_ns)
        if hours is not None and (now_ns >= hours.end_ns or self._is_new_period(now_ns)):
            self._send_logout("the session's hours have ended", now_ns)

    def _is_new_period(self, now_ns: int) -> bool:
        """Tell whether the numbers are those of a period before: they begin again once, whatever the clock does."""
        schedule, hours = self.settings.schedule, self._hours_at(now_ns)
        return schedule is not None and hours is not None and schedule.resets and hours.begin_ns > self.period_ns

    def _hours_at(self, now_ns: int) -> Hours | None:
        """Tell the schedule's period of a moment; None: there is no schedule."""
        if self.settings.schedule is None:
            return None
        if self._hours is None or not self._hours.begin_ns <= now_ns < self._hours.next_ns:
            self._hours = self.settings.schedule.hours_of(now_ns)
        return self._hours

    def _is_timely(self, message: Message, now_ns: int) -> bool:
        """Tell whether SendingTime is there and near our clock."""
        sent_ns = moment(message.get(52))
        latency_ns = self.settings.latency_ns
        return sent_ns >= 0 and (not latency_ns or abs(now_ns - sent_ns) <= latency_ns)

    # --------------------------------------------------------------------------------------- small steps

    def _has_our_names(self, message: Message) -> bool:
        settings = self.settings
        return (
            message.text(8) == settings.begin_string
            and message.text(49) == settings.target_comp_id
            and message.text(56) == settings.sender_comp_id
        )

    def _take_number(self, message: Message) -> None:
        """Count a message that is answered already: now when it is its turn, else when its turn comes."""
        if message.seq == self.numbers.next_in:
            self.numbers.next_in += 1
            self.gap.pass_over(self.numbers.next_in)
        elif message.seq > self.numbers.next_in:
            self.gap.keep(Early(message, is_served=True))

    def _reject(self, message: Message, fault: Fault) -> None:
        fields: list[Field] = [
            (45, b"%d" % max(message.seq, 0)),
            (58, sentence(fault).encode("latin-1", "replace")),
        ]
        if fault.ref_tag is not None:
            fields.append((371, b"%d" % fault.ref_tag))
        fields += [(372, message.msg_type.encode("latin-1")[:ECHO_BYTES_MAX]), (373, b"%d" % fault.reason)]
        routes = [(there, message.get(here)) for here, there in REVERSE_ROUTE]
        routing = tuple(sorted((tag, value) for tag, value in routes if value and len(value) <= ECHO_BYTES_MAX))
        self._do(Send(REJECT, tuple(fields), routing))

    def _refuse(self, text: str, now_ns: int) -> None:
        """Refuse a Logon."""
        if self.settings.explain_refusals:
            self._send_logout(text, now_ns)
        self._close(EndReason.LOGON_REFUSED, text, self.settings.refusal_delay_ns)

    def _send_logout(self, text: str, now_ns: int, is_fault: bool = False) -> None:
        if self.state is State.LOGOUT_SENT:
            return
        if text:
            self._send(LOGOUT, (58, text.encode("latin-1", "replace")))
        else:
            self._send(LOGOUT)
        self.state = State.FAULTED if is_fault else State.LOGOUT_SENT
        if is_fault:
            self.gap.clear()  # asked for again after the next Logon
        self._since_ns = now_ns
        self.numbers.active = self.numbers.fast = False

    def _close(self, reason: EndReason, text: str = "", delay_ns: int = 0) -> None:
        """End the session and have the connection closed."""
        self._end(reason)
        self.state = State.CLOSING
        self.gap.clear()
        self._do(Disconnect(reason, text, delay_ns))

    def _end(self, reason: EndReason) -> None:
        self._end_reason = reason
        self.numbers.active = self.numbers.fast = False
        if self._is_established:
            self._is_established = False
            self._do(Ended(reason))

    def _reset(self, next_in: int, next_out: int, now_ns: int) -> None:
        hours = self._hours_at(now_ns)
        self.period_ns = hours.begin_ns if hours is not None else 0
        self.numbers.next_in, self.numbers.next_out = next_in, next_out
        self.gap.clear()
        self._do(ResetNumbers(next_in, next_out, self.period_ns))

    def _set_fast(self) -> None:
        self.numbers.fast = self.state is State.ACTIVE and not self.gap.is_open
        self.numbers.due_ns = 0

    def _send(self, msg_type: str, *fields: Field) -> None:
        self._do(Send(msg_type, fields))

    def _do(self, action: Action) -> None:
        self.actions.append(action)


def sentence(fault: Fault) -> str:
    """Say in words what a fault is."""
    return fault.text or REASONS.get(fault.reason, f"SessionRejectReason {fault.reason}")


def moment(value: bytes | None) -> int:
    """Read a UTCTimestamp, ns since the epoch; -1 when it is none."""
    try:
        return parse_time(value or b"")
    except InputError:
        return -1
