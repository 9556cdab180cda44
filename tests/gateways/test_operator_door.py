"""The operator door: who may, what it does to FIX sessions, what is written down, what stays over a restart.

Method: a real FIX door and clients, the operator's client in a thread of its own, everything else turned by hand.
"""

import json
import threading
import time

import pytest
import zmq
from fix_maker import FixDoor

from tradsys.client.operator_client import OperatorClient
from tradsys.errors import SessionError
from tradsys.gateways import operator_door
from tradsys.gateways.logon import Credential
from tradsys.gateways.operator_door import OperatorDoor, open_operator_socket
from tradsys.wire import commands

SECRET = b"0123456789abcdef"
CREDENTIALS = {"op": Credential(1, 1, SECRET), "trader": Credential(2, 2, SECRET)}


class OperatedDoor(FixDoor):
    """A FIX door with an operator door."""

    def __init__(self, path, context, **options):
        super().__init__(path, **options)
        self.audit = path / "fix" / "operator.log"
        self.socket = open_operator_socket(context, "tcp://127.0.0.1:*")
        self.at = self.socket.get_string(zmq.LAST_ENDPOINT)
        self.operators = OperatorDoor(self.socket, CREDENTIALS, self.gateway, self.audit)

    def turn(self):
        super().turn()
        self.operators.service(time.time_ns() + self.offset_ns)

    def ask(self, action, *, api_key="op", secret=SECRET, **fields):
        """Let an operator ask, and turn until there is an answer: it, or the sentence of its refusal."""
        found = []

        def run():
            with OperatorClient(self.at, api_key, secret) as client:
                try:
                    found.append(client.request(action, **fields))
                except SessionError as error:
                    found.append(str(error))

        thread = threading.Thread(target=run)
        thread.start()
        self.until(lambda: found)
        thread.join()
        return found[0]

    def audited(self):
        return [json.loads(line) for line in self.audit.read_text().splitlines()]

    def end(self):
        self.socket.close(linger=0)
        self.operators.close()


@pytest.fixture
def make_door(fix_doors):
    soon = {"logout_timeout_ns": 100_000_000}  # most clients here do not answer a Logout
    with zmq.Context() as context:
        yield lambda **options: fix_doors(kind=OperatedDoor, context=context, settings=soon, **options)
        for door in fix_doors.made:
            door.end()


def is_accepted(client, name):
    client.order(name)
    message = client.take("8")
    return (message.text(11), message.text(150)) == (name, "0")


def test_a_list_shows_numbers_and_who_is_there(make_door):
    door = make_door()
    client = door.trader()
    assert is_accepted(client, "a")
    first, second = door.ask("fix.list")["sessions"]
    assert (first["comp_id"], first["live"], first["address"]) == ("CLIENT1", True, "127.0.0.1")
    assert (first["next_in"], first["next_out"], first["orders"]) == (3, 3, 1)
    assert (second["live"], second["address"], second["enabled"], second["reports_behind"]) == (False, "", True, 0)
    assert door.ask("fix.list", session="CLIENT2")["sessions"] == [second]


def test_a_disconnect_is_a_logout_with_text(make_door):
    door = make_door()
    client = door.trader()
    thread = []

    def answered():
        if any(message.msg_type == "5" for message in client.received) and not thread:
            thread.append(client.send("5"))
        return False

    door.clients.append(type("Watcher", (), {"read": staticmethod(answered)}))
    answer = door.ask("fix.disconnect", session="1", text="please call us")
    door.clients.pop()
    assert answer["session"]["live"] is False
    assert client.take("5").text(58) == "please call us"
    assert door.ask("fix.disconnect", session="1") == "session 1 is not connected"


def test_news_goes_to_those_named_or_to_everybody_logged_on(make_door):
    door = make_door()
    first, second = door.trader(), door.trader("CLIENT2")
    assert [one["comp_id"] for one in door.ask("fix.news", text="we close at 18:00")["sessions"]] == ["CLIENT1", "CLIENT2"]
    for client in (first, second):
        item = client.take("B")
        assert [item.text(tag) for tag in (61, 148, 33, 58)] == ["0", "we close at 18:00", "1", "we close at 18:00"]
    answer = door.ask("fix.news", text="please call us", sessions=["2", "CLIENT2"], urgent=True)
    assert [one["session_id"] for one in answer["sessions"]] == [2]
    item = second.take("B")
    assert (item.text(61), item.text(148)) == ("1", "please call us")
    assert is_accepted(first, "a")
    assert [message.msg_type for message in first.received] == ["A", "B", "8"]


def test_news_that_cannot_be_told_is_refused_whole(make_door):
    door = make_door()
    assert door.ask("fix.news", text="anybody?")["sessions"] == []
    client = door.trader()
    assert "session 2 is not logged on" in door.ask("fix.news", text="hello", sessions=["1", "CLIENT2"])
    assert "no FIX sessions are called 'desk'" in door.ask("fix.news", text="hello", sessions=["1", "desk"])
    for text in ("", "x" * 256, "two\x01fields", "two\nlines", "caf\u00e9"):
        assert "text must be 1 to 255 printable ASCII characters" in door.ask("fix.news", text=text)
    assert "lacks the permission OPERATE" in door.ask("fix.news", text="hello", api_key="trader")
    assert is_accepted(client, "a")
    assert [message.msg_type for message in client.received] == ["A", "8"]
    assert [line["outcome"] for line in door.audited()][:2] == ["asked", "done"]


def test_an_operators_text_stays_one_field_of_the_message(make_door):
    door = make_door()
    client = door.trader()
    assert door.ask("fix.disconnect", session="1", text="a\x0134=7\nb\u20acc")["ok"]
    assert client.take("5").text(58) == "a?34=7?b?c"


def test_a_silent_client_is_disconnected_all_the_same(make_door):
    door = make_door()
    client = door.trader()
    assert door.ask("fix.disconnect", session="CLIENT1")["session"]["address"] == ""
    assert client.take("5").text(58) == "disconnected by an operator"


def test_a_reset_needs_the_session_gone_or_logs_it_out(make_door):
    door = make_door()
    client = door.trader()
    assert is_accepted(client, "a")
    assert "is connected: disconnect it first" in door.ask("fix.reset", session="1")
    assert is_accepted(client, "b")
    answer = door.ask("fix.reset", session="1", logout=True)
    assert (answer["session"]["next_in"], answer["session"]["next_out"]) == (1, 1)
    assert client.take("5").text(58) == "sequence numbers are reset"
    back = door.trader()
    assert back.received[0].seq == 1
    assert is_accepted(back, "c")


def test_numbers_set_stay_over_a_restart(make_door):
    door = make_door()
    client = door.trader()
    assert is_accepted(client, "a")
    client.close()
    door.until(lambda: door.gateway.connection_count == 0)
    assert door.ask("fix.reset", session="1", next_in=50, next_out=70)["ok"]
    assert "must be in" in door.ask("fix.reset", session="1", next_in=0)
    door.crash()
    again = make_door()
    assert (again.session()["next_in"], again.session()["next_out"]) == (50, 70)
    back = again.client(next_out=50)
    assert back.logon().seq == 70
    assert is_accepted(back, "b")
    back.send("2", (7, 1), (16, 0))
    fill = back.take("4")
    assert (fill.seq, fill.text(123), fill.text(43)) == (1, "Y", "Y")
    back.cancel("c", "a")
    assert back.take().text(150) in ("0", "4")


def test_a_session_disabled_stays_so_over_a_restart(make_door):
    door = make_door()
    client = door.trader()
    assert is_accepted(client, "a")
    answer = door.ask("fix.disable", session="1")
    # it disabled its own operator, too: the participant's other sessions would have to undo it
    assert (answer["session"]["enabled"], answer["session"]["live"]) == (False, False)
    assert client.take("5").text(58) == "disabled by an operator"
    assert "disabled" in door.client(next_out=client.next_out).logon(expected="5").text(58)
    door.crash()
    again = make_door()
    assert again.session()["enabled"] is False
    assert "disabled" in again.client(next_out=client.next_out + 1).logon(expected="5").text(58)


def test_a_session_disabled_within_its_grace_does_not_come_back(make_door):
    door = make_door(cod="disconnect", cod_grace_ms=60_000)
    client = door.trader("CLIENT2")
    assert is_accepted(client, "a")
    client.close()
    door.until(lambda: door.gateway.connection_count == 0)
    assert door.ask("fix.disable", session="CLIENT2")["ok"]
    assert "disabled" in door.client("CLIENT2", next_out=client.next_out).logon(expected="5").text(58)
    assert door.ask("fix.enable", session="CLIENT2")["session"]["enabled"] is True
    back = door.client("CLIENT2", next_out=client.next_out + 1)
    back.logon()
    door.until(lambda: any(message.text(150) == "4" for message in back.received))


@pytest.mark.parametrize(
    ("cod", "cancel", "is_cancelled"), [("none", False, False), ("both", False, True), ("none", True, True)]
)
def test_orders_of_a_session_that_is_disabled(make_door, cod, cancel, is_cancelled):
    """Goal: cancel on disconnect holds although a disabled session cannot be opened again to be asked for it."""
    door = make_door(cod=cod)
    client = door.trader("CLIENT2")
    assert is_accepted(client, "a")
    assert door.ask("fix.disable", session="CLIENT2", cancel=cancel)["ok"]
    assert door.ask("fix.enable", session="CLIENT2")["ok"]
    back = door.client("CLIENT2", next_out=client.next_out)
    back.logon()
    back.send("AF", (584, "q"), (585, 7))
    door.until(lambda: any(message.has(912) for message in back.received))
    live = [message.text(11) for message in back.received if message.text(150) == "I" and message.text(39) == "0"]
    told = [message for message in client.received + back.received if message.text(150) == "4"]
    assert (len(told), live) == ((1, []) if is_cancelled else (0, ["a"]))


def test_only_operators_are_let_in(make_door):
    door = make_door()
    client = door.trader("CLIENT2")
    wrong = "api_key or signature is wrong"
    assert door.ask("fix.disable", session="2", secret=b"fedcba9876543210") == wrong
    assert door.ask("fix.disable", session="2", api_key="nobody") == wrong
    assert "lacks the permission OPERATE" in door.ask("fix.disable", session="2", api_key="trader")
    door.sequencer.run(commands.pack([commands.define_session(1, 1, name="one", enabled=False)]), time.time_ns())
    assert "disabled" in door.ask("fix.disable", session="2")
    assert is_accepted(client, "a")


def test_nonsense_is_refused(make_door):
    door = make_door()
    assert "no action 'fix.explode'" in door.ask("fix.explode", session="1")
    assert "no FIX sessions are called 'desk'" in door.ask("fix.disconnect", session="desk")
    assert "no request" in door.ask("fix.list", everything=True)
    assert "no request" in door.ask("fix.reset", session="1", next_in="1")


def test_a_request_counts_once_and_not_for_long(make_door, monkeypatch):
    door = make_door()
    with zmq.Context() as context, context.socket(zmq.REQ) as raw:
        raw.setsockopt(zmq.LINGER, 0)
        raw.connect(door.at)

        def answer_to(body, *more):
            raw.send_multipart([body, operator_door.sign(SECRET, body), *more])
            door.until(lambda: raw.poll(0))
            return json.loads(raw.recv_multipart()[0])

        asked = {"api_key": "op", "ts_ns": time.time_ns(), "nonce": "n", "action": "fix.list"}
        body = json.dumps(asked).encode()
        assert answer_to(body)["ok"]
        assert "nonce has been used" in answer_to(body)["error"]
        old = json.dumps(asked | {"nonce": "o", "ts_ns": asked["ts_ns"] - 60 * 10**9}).encode()
        assert "30 s" in answer_to(old)["error"]
        assert "no request" in answer_to(b"{")["error"]
        raw.send_multipart([b"a", b"b", b"c"])  # no answer, no harm
        for _ in range(20):
            door.turn()
    assert door.ask("fix.list")["ok"]


def test_what_was_asked_and_what_came_of_it_is_written_down(make_door, monkeypatch):
    monkeypatch.setattr(operator_door, "FAILURE_PACE_NS", 0)
    door = make_door()
    door.ask("fix.reset", session="2", next_in=7)
    door.ask("fix.disconnect", session="2")
    door.ask("fix.list", secret=b"fedcba9876543210")
    lines = [(line.get("action"), line.get("operator_session_id"), line["outcome"]) for line in door.audited()]
    assert lines == [
        ("fix.reset", 1, "asked"),
        ("fix.reset", 1, "done"),
        ("fix.disconnect", 1, "asked"),
        ("fix.disconnect", 1, "session 2 is not connected"),
        (None, None, "api_key or signature is wrong"),
    ]
    assert SECRET.decode() not in door.audit.read_text()


def test_an_audit_file_is_bounded(make_door, monkeypatch):
    monkeypatch.setattr(operator_door, "AUDIT_BYTES_MAX", 1_000)
    door = make_door()
    for _ in range(10):
        door.ask("fix.list")
    assert door.audit.stat().st_size <= 1_300
    assert door.audit.with_suffix(".old").exists()
