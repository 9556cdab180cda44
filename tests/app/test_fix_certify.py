"""Goal: a client that keeps a FIX session passes every situation; one that does not is told which, and what it did.

Method: our own client, as it is and with its bytes spoiled on their way out, against the examination in a thread.
"""

import socket
import threading

import pytest

from tradsys.app import fix_certify, fix_examiner
from tradsys.app.fix_certify import Examination
from tradsys.app.fix_examiner import Examiner
from tradsys.app.fix_rules import load_dictionary
from tradsys.client import FixClient
from tradsys.errors import SessionError
from tradsys.fix.message import checksum, format_time
from tradsys.fix.rules import Rules
from tradsys.fix.settings import SessionSettings

SITUATIONS = ["logon", "test request", "heartbeat", "order", "gap", "resend", "duplicate", "wrong checksum",
              "reject taken", "sequence reset", "silence", "connection lost", "logout", "dictionary"]  # fmt: skip
ORDER = [(11, "a"), (55, "AMZN"), (54, "1"), (60, format_time(10**18)), (38, 5), (40, "2"), (44, "223.81")]


class SpoiledClient(FixClient):
    """A client whose bytes are changed on their way out."""

    def __init__(self, *words, spoil, **options):
        super().__init__(*words, **options)
        self.spoil = spoil

    def _write(self, opened):
        outgoing = self._link.outgoing
        frames = bytes(outgoing).split(b"8=FIX.4.4\x01")[1:]
        outgoing.clear()
        for frame in frames:
            body = self.spoil(frame.split(b"\x01", 1)[1].rpartition(b"10=")[0])
            if body:
                text = b"8=FIX.4.4\x019=%d\x01%b" % (len(body), body)
                outgoing += text + b"10=%03d\x01" % checksum(text)
        super()._write(opened)


def examine(capsys, monkeypatch, make=FixClient, order_wait_s=60.0, wait_s=60.0, orders=(ORDER,), **options):
    """Run the examination with a client; the result of each situation by name, the text of those that are not ok."""
    monkeypatch.setattr(fix_certify, "GRACE_S", wait_s / 2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        examiner = Examiner(listener, "VENUE", "DESK", Rules(load_dictionary()).check, wait_s)
        status = []
        thread = threading.Thread(
            target=lambda: status.append(Examination(examiner, order_wait_s, False).run())
        )
        thread.start()
        settings = SessionSettings(
            sender_comp_id="DESK", target_comp_id="VENUE", heartbeat_s=1, timeout_tenths=600, next_expected=False
        )
        port = listener.getsockname()[1]
        client = make("127.0.0.1", port, "DESK", "VENUE", settings=settings, ask_reset=True, **options)
        try:
            client.connect(max(wait_s, 2.0))
            for order in orders:
                client.send("D", order)
            while thread.is_alive():
                client.receive(0.05)
        except SessionError:
            pass
        finally:
            client.cut()
            thread.join(120)
            examiner.cut()
    said = capsys.readouterr().out.splitlines()
    results = {
        line[9:].partition(":")[0]: (line[:9].strip(), line[9:].partition(": ")[2]) for line in said[:-1]
    }
    return status[0], results, said[-1]


def test_our_client_passes_everything(capsys, monkeypatch):
    status, results, last = examine(capsys, monkeypatch)
    assert status == 0, results
    assert list(results) == SITUATIONS
    assert {result for result, _ in results.values()} == {"ok"}
    assert last == "14 hold or were left out, 0 do not"


def test_without_an_order_the_rest_is_examined(capsys, monkeypatch):
    status, results, _ = examine(capsys, monkeypatch, orders=(), order_wait_s=0)
    assert status == 0, results
    assert results.pop("order")[0] == "left out"
    assert {result for result, _ in results.values()} == {"ok"}


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("spoil", "fails", "says"),
    [
        (lambda body: body.replace(b"|112=test-3|", b"|112=other|"), "order", "no 0"),
        (
            lambda body: b"" if b"|35=0|" in body and b"|112=" not in body else body,
            "heartbeat",
            "next number is",
        ),
        (lambda body: b"" if b"|35=2|" in body else body, "gap", "no 2"),
        (lambda body: body.replace(b"|43=Y|", b"|"), "resend", "next number is"),
        (lambda body: body.replace(b"|122=", b"|58="), "resend", "OrigSendingTime"),
        (lambda body: b"" if b"|35=5|" in body else body, "logout", "closed the connection"),
        (lambda body: body.replace(b"|54=1|", b"|54=~|"), "dictionary", "373=5, tag 54"),
        (lambda body: body.replace(b"|108=1|", b"|108=0|"), "logon", "108 from 1 to 60"),
        (lambda body: body.replace(b"|49=DESK|", b"|49=DESC|"), "logon", "49 and 56"),
    ],
)
def test_what_a_client_does_wrong_is_said(capsys, monkeypatch, spoil, fails, says):
    def spoil_bytes(body):
        return spoil(b"|" + body.replace(b"\x01", b"|"))[1:].replace(b"|", b"\x01")

    status, results, _ = examine(capsys, monkeypatch, SpoiledClient, spoil=spoil_bytes, wait_s=1.0)
    assert status == 1
    result, text = results[fails]
    assert (result, says in text) == ("FAILED", True), results


@pytest.mark.heavy
def test_a_client_that_sends_without_end_fails(capsys, monkeypatch):
    monkeypatch.setattr(fix_examiner, "KEPT_MAX", 100)
    orders = [[(11, f"o{n}"), *ORDER[1:]] for n in range(200)]
    status, results, _ = examine(capsys, monkeypatch, orders=orders, wait_s=1.0)
    assert status == 1
    assert any(result == "FAILED" and "at most 100 messages" in text for result, text in results.values())


def test_nobody_comes(capsys, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        examiner = Examiner(listener, "VENUE", "DESK", lambda _: None, 0.05)
        assert Examination(examiner, 0, True).run() == 1
    assert '"result": "FAILED", "text": "no connection within 0.05 s"' in capsys.readouterr().out


def test_the_command_says_when_its_port_is_taken(capsys):
    from tradsys.app import cli

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert cli.main(["fix", "certify", "--port", str(taken.getsockname()[1])]) == cli.DOES_NOT_HOLD
    assert "cannot listen" in capsys.readouterr().err
