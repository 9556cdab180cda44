"""Goal: the FIX client speaks TLS as it speaks TCP, to the one it knows and to nobody else.

Method: a certificate of our own, made here by openssl; the stand-alone acceptor behind it.
"""

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading

import pytest
from acceptor_thread import AcceptorThread
from certificate_maker import certificate_of

from tradsys.app.fix_acceptor import EchoAcceptor, server_tls
from tradsys.client import FixClient
from tradsys.errors import InputError, SessionError
from tradsys.fix.settings import SessionSettings

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return certificate_of(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture
def server(certificate):
    base = SessionSettings(sender_comp_id="VENUE", target_comp_id="DESK")
    with AcceptorThread(EchoAcceptor(base, ("DESK",)), server_tls(certificate)) as thread:
        yield thread


def client_of(server, trusted, **options):
    context = ssl.create_default_context(cafile=trusted)
    return FixClient("127.0.0.1", server.port, "DESK", "VENUE", tls=context, **options)


def receive(client, count):
    got = []
    while len(got) < count:
        got += client.receive(5.0)
    return [message.text(11) for message in got]


def test_orders_come_back_in_order(server, certificate):
    with client_of(server, certificate) as client:
        for n in range(2_000):
            client.send("D", [(11, f"o{n}"), (58, "x" * 200)])
        assert receive(client, 2_000) == [f"o{n}" for n in range(2_000)]


def test_a_message_of_many_records_comes_whole(server, certificate):
    with client_of(server, certificate) as client:
        client.send("D", [(11, "large"), (58, "x" * 15_000)])
        assert receive(client, 1) == ["large"]


def test_a_cut_connection_is_got_back(server, certificate, tmp_path):
    with client_of(server, certificate, directory=tmp_path) as client:
        for n in range(3):
            client.send("D", [(11, f"o{n}")])
            assert receive(client, 1) == [f"o{n}"]
            client.cut()
            while not client.is_logged_on:
                assert client.receive(0.1) == []


def test_a_certificate_of_somebody_else_is_refused(server, tmp_path):
    other = certificate_of(tmp_path, "127.0.0.1")
    with pytest.raises(SessionError, match="certificate"):
        client_of(server, other).connect()


def test_a_certificate_for_another_name_is_refused(tmp_path):
    other = certificate_of(tmp_path, "venue.example")
    base = SessionSettings(sender_comp_id="VENUE", target_comp_id="DESK")
    thread = AcceptorThread(EchoAcceptor(base, ("DESK",)), server_tls(other))
    with thread as server, pytest.raises(SessionError, match="IP address mismatch"):
        client_of(server, other).connect()


def test_plain_and_tls_do_not_meet(server, certificate):
    with pytest.raises(SessionError):
        FixClient("127.0.0.1", server.port, "DESK", "VENUE").connect(60.0)
    base = SessionSettings(sender_comp_id="VENUE", target_comp_id="DESK")
    with AcceptorThread(EchoAcceptor(base, ("DESK",))) as plain, pytest.raises(SessionError):
        client_of(plain, certificate).connect(60.0)


def test_a_door_that_never_shakes_hands_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = FixClient(
            "127.0.0.1", mute.getsockname()[1], "DESK", "VENUE", tls=ssl.create_default_context()
        )
        with pytest.raises(SessionError, match="timed out"):
            client.connect(0.2)


def test_a_file_without_a_key_is_said(tmp_path):
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(InputError, match="certificate and its key"):
        server_tls(tmp_path / "empty.pem")


def test_console_and_acceptor_over_tls(certificate):
    environment = {**os.environ, "SSL_CERT_FILE": str(certificate)}
    command = [sys.executable, "-m", "tradsys"]
    acceptor = subprocess.Popen(
        [*command, "fix-acceptor", "--port", "0", "--seconds", "240", "--certificate", str(certificate)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with acceptor:
        guard = threading.Timer(240, acceptor.kill)
        guard.start()
        port = re.search(r"127\.0\.0\.1:(\d+)", acceptor.stdout.readline())[1]
        done = subprocess.run(
            [*command, "fix", "console", "--port", port, "--tls", "--wait", "60"],
            input="buy AMZN 100 @ 223.81\nquit\n", env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        acceptor.terminate()
        guard.cancel()
    assert done.returncode == 0, done.stderr
    assert "< 2 NewOrderSingle" in done.stdout
