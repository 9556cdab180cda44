"""``tradsys fix certify``: how does a client keep a FIX session? Situation by situation, and says what it did wrong.

The client under test connects to it as to the venue. It needs no engine: what is asked of orders is that one can be
entered, and that its report is taken when it comes again.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Annotated

from cyclopts import Parameter

from tradsys.app.arguments import CompId, Host, InputFile, ListenPort, Seconds
from tradsys.app.fix_examiner import ADMIN_TYPES, Examiner, Failure
from tradsys.app.fix_rules import load_dictionary
from tradsys.errors import InUseError
from tradsys.fix.message import Message, format_time
from tradsys.fix.rules import Rules

GRACE_S = 2.0  # what a client may be late
HEARTBEAT_S_MAX = 60


def certify(
    *,
    host: Host = "127.0.0.1",
    port: ListenPort = 9882,
    sender: CompId = "TRADSYS",
    target: CompId = "DEMO",
    dictionary: InputFile | None = None,
    wait: Seconds = 30.0,
    order_wait: Seconds = 10.0,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Examine a FIX client: lead it through every situation of a session, and say what it did wrong.

    The client begins with an empty store or 141=Y, says a HeartBtInt of at most 60 s (2 s makes it quick), connects again by
    itself and keeps its numbers when it does. Exit status 1: something does not hold.

    Example: tradsys fix certify --port 9882 --target DESK

    Parameters
    ----------
    host
        Address to listen at.
    port
        Port to listen at; 0: any free one, which is printed.
    sender
        Our CompID.
    target
        The client's CompID.
    dictionary
        What the client's messages are held against, in QuickFIX's form; ours if not given.
    wait
        Seconds for the client to connect, and to connect again.
    order_wait
        Seconds for the client to send a NewOrderSingle; without one its situations are left out. 0: do not wait.
    as_json
        One JSON object a situation.
    """
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise InUseError(f"cannot listen at {host}:{port}: {error}") from None
    with listener:
        port = listener.getsockname()[1]
        said = {"listening": f"{host}:{port}", "sender": sender, "target": target}
        print(
            json.dumps(said) if as_json else f"listening at {host}:{port} as {sender} for {target}",
            flush=True,
        )
        examiner = Examiner(listener, sender, target, Rules(load_dictionary(dictionary)).check, wait)
        try:
            return Examination(examiner, order_wait, as_json).run()
        finally:
            examiner.cut()


class Examination:
    """The situations in their order."""

    def __init__(self, examiner: Examiner, order_wait_s: float, as_json: bool) -> None:
        self._client, self._order_wait_s, self._as_json = examiner, order_wait_s, as_json
        self._tests = 0
        self._first = 1  # number of the client's first message of this connection
        self._results: list[str] = []

    def run(self) -> int:
        """Run all of them; 0 when each holds or was left out."""
        situations: list[tuple[str, Callable[[], str]]] = [
            ("logon", self.logon),
            ("test request", self.test_request),
            ("heartbeat", self.heartbeat),
            ("order", self.order),
            ("gap", self.gap),
            ("resend", self.resend),
            ("duplicate", self.duplicate),
            ("wrong checksum", self.wrong_checksum),
            ("reject taken", self.reject_taken),
            ("sequence reset", self.sequence_reset),
            ("silence", self.silence),
            ("connection lost", self.connection_lost),
            ("logout", self.logout),
            ("dictionary", self.dictionary),
        ]
        for number, (name, situation) in enumerate(situations):
            if not self._examine(name, situation) and number == 0:
                break
        failed = self._results.count("FAILED")
        if not self._as_json:
            print(f"{len(self._results) - failed} hold or were left out, {failed} do not", flush=True)
        return int(failed > 0)

    def _examine(self, name: str, situation: Callable[[], str]) -> bool:
        begun = time.monotonic()
        try:
            if name not in ("logon", "dictionary") and not self._client.is_connected:
                self._log_on_again()
            text = situation()
            result = "left out" if text else "ok"
        except Failure as failure:
            result, text = "FAILED", str(failure)
            self._client.answers_tests = True
        self._results.append(result)
        seconds = round(time.monotonic() - begun, 3)
        if self._as_json:
            line = json.dumps({"situation": name, "result": result, "text": text, "seconds": seconds})
        else:
            line = f"{result:9}{name}" + (f": {text}" if text else "")
        print(line, flush=True)
        return result != "FAILED"

    # ------------------------------------------------------------------------------------------- situations

    def logon(self) -> str:
        """It logs on and is answered with the number it expects: 1, or what it says in 789."""
        logon = self._client.accept()
        if logon.flag(141) and logon.seq != 1:
            raise Failure(f"34=1 expected with 141=Y, was {logon}")
        if logon.has(789) and not logon.flag(141):
            self._client.next_out = logon.number(789)
        self._answer(logon)
        self._still_there()
        return ""

    def test_request(self) -> str:
        """It answers a TestRequest by a Heartbeat with its TestReqID."""
        self._still_there()
        return ""

    def heartbeat(self) -> str:
        """It sends Heartbeats by itself when it has nothing else to send."""
        self._client.expect(
            "0", 1.2 * self._client.heartbeat_s + GRACE_S, lambda message: not message.has(112)
        )
        return ""

    def order(self) -> str:
        """It enters an order and takes the reports."""
        if self._order_wait_s <= 0:
            return "no order was asked for"
        orders = [message for message in self._client.application if message.msg_type == "D"]
        if not orders:
            if not self._as_json:
                print("         now send a NewOrderSingle (35=D)", flush=True)
            try:
                orders = [self._client.expect("D", self._order_wait_s)]
            except Failure:
                if not self._client.is_connected:
                    raise
                return f"no order within {self._order_wait_s:g} s"
        self._client.send("8", *report(orders[0]))
        self._still_there()
        return ""

    def gap(self) -> str:
        """It asks for what it misses, and goes on when it has it."""
        client = self._client
        missing, asked = client.next_out, len(client.asked)
        client.next_out += 1
        self._tests += 1
        client.send("1", (112, b"gap-%d" % self._tests))
        client.expect("2", client.wait_s)
        begin, end = client.asked[asked]
        if begin != missing or 0 < end < missing:
            raise Failure(f"7={missing} expected in the ResendRequest, was 7={begin} and 16={end}")
        self._still_there()
        return ""

    def resend(self) -> str:
        """It sends again what is asked for: its orders with 43=Y and 122, administrative messages as gap fills."""
        client = self._client
        begin, last = self._first, client.next_in - 1
        client.again.clear()
        client.send("2", (7, b"%d" % begin), (16, b"0"))
        self._still_there()
        next_seq = begin
        for message in client.again:
            if message.seq != next_seq:
                raise Failure(f"number {next_seq} expected in the resend, was {message}")
            if message.msg_type == "4" and message.flag(123):
                next_seq = message.number(36)
            elif message.msg_type in ADMIN_TYPES:
                raise Failure(f"administrative messages are not sent again, but filled: {message}")
            else:
                next_seq += 1
                if not message.has(122):
                    raise Failure(f"OrigSendingTime (122) is missing: {message}")
        if next_seq <= last:
            raise Failure(f"numbers {begin} to {last} were asked for, {next_seq} and more did not come")
        return ""

    def duplicate(self) -> str:
        """It passes over what it had before: 43=Y with an old number."""
        client = self._client
        orders = [message for message in client.application if message.msg_type == "D"]
        sent = format_time(time.time_ns() - 10**9, "us")
        msg_type, fields = ("8", report(orders[0])) if orders else ("0", ())
        client.put(client.frame(msg_type, client.next_out - 1, *fields, first_sent=sent))
        self._still_there()
        return ""

    def wrong_checksum(self) -> str:
        """It passes over a message with a wrong checksum, without a word, and takes no number for it."""
        client = self._client
        asked = len(client.asked)
        frame = client.frame("1", client.next_out, (112, b"garbled"))
        client.put(frame[:-4] + b"%03d\x01" % ((int(frame[-4:-1]) + 1) % 256))
        self._still_there()
        if len(client.asked) > asked:
            raise Failure(f"nothing was missing, but it asked for {client.asked[-1]}")
        return ""

    def reject_taken(self) -> str:
        """It takes a Reject of its message and goes on."""
        self._client.send("3", (45, b"%d" % (self._client.next_in - 1)), (58, b"a test"), (373, b"99"))
        self._still_there()
        return ""

    def sequence_reset(self) -> str:
        """It takes a SequenceReset without GapFillFlag: the next number is the one named."""
        client = self._client
        named = client.next_out + 10
        client.put(client.frame("4", client.next_out, (36, b"%d" % named)))
        client.next_out = named
        self._still_there()
        return ""

    def silence(self) -> str:
        """It asks when nothing is heard from us: TestRequest before 2.4 times HeartBtInt."""
        client = self._client
        client.answers_tests = False
        test = client.expect("1", 2.4 * client.heartbeat_s + GRACE_S)
        client.answers_tests = True
        client.send("0", (112, test.get(112, b"") or b""))
        self._still_there()
        return ""

    def connection_lost(self) -> str:
        """It comes back with its numbers going on, and asks for what it missed meanwhile."""
        client = self._client
        client.cut()
        missed = client.send("h", (336, b"DAY"), (340, b"2"))
        asked = len(client.asked)
        self._log_on_again()
        if len(client.asked) == asked:
            raise Failure(f"message {missed} was missed, and not asked for")
        if client.asked[asked][0] != missed:
            raise Failure(f"a ResendRequest with 7={missed} expected, was 7={client.asked[asked][0]}")
        return ""

    def logout(self) -> str:
        """It answers a Logout by a Logout."""
        self._client.send("5")
        self._client.expect("5", self._client.wait_s)
        self._client.expect_close(GRACE_S)
        return ""

    def dictionary(self) -> str:
        """Every message of its was as the dictionary says."""
        if self._client.faults:
            raise Failure(
                f"{len(self._client.faults)} messages were not; the first: {self._client.faults[0]}"
            )
        return ""

    # ------------------------------------------------------------------------------------------- small steps

    def _answer(self, logon: Message) -> None:
        client = self._client
        heartbeat_s = logon.number(108)
        if logon.get(98) != b"0" or not 1 <= heartbeat_s <= HEARTBEAT_S_MAX:
            raise Failure(f"98=0 and 108 from 1 to {HEARTBEAT_S_MAX} expected in the Logon, was {logon}")
        client.heartbeat_s = heartbeat_s
        self._first = logon.seq
        client.next_in = logon.seq + 1
        reset = ((141, b"Y"),) if logon.flag(141) else ()
        client.send("A", (98, b"0"), (108, b"%d" % heartbeat_s), *reset)

    def _log_on_again(self) -> None:
        """Wait for the client to come back; its numbers go on."""
        client = self._client
        expected = client.next_in
        logon = client.accept()
        if logon.flag(141):
            client.reset()
        self._answer(logon)
        self._still_there()
        # a client may lose a Logon to the connection it is closing
        if logon.flag(141) or logon.seq < expected:
            raise Failure(f"the numbers go on: 34={expected} without 141=Y expected, was {logon}")

    def _still_there(self) -> None:
        """See that it is logged on and up to date: it answers a TestRequest of its own number."""
        client = self._client
        self._tests += 1
        name = b"test-%d" % self._tests
        client.send("1", (112, name))
        client.expect("0", client.wait_s, lambda message: message.get(112) == name)


def report(order: Message) -> tuple[tuple[int, bytes], ...]:
    """Write the report of an order that was accepted."""
    now = format_time(time.time_ns(), "us")
    copied = tuple((tag, order.get(tag, b"") or b"") for tag in (11, 38, 40, 44, 54, 55) if order.get(tag))
    fields = (*copied, (37, b"1"), (17, b"1.0"), (150, b"0"), (39, b"0"), (151, order.get(38, b"0") or b"0"))
    return tuple(sorted((*fields, (14, b"0"), (6, b"0"), (60, now))))
