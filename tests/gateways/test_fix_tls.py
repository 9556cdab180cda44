"""TLS at the FIX door: the same sessions, and nothing a half or wrong handshake can do to others.

Method: a real door with a certificate made for the run, clients on real sockets, turned by hand.
"""

import os
import random
import shutil
import socket
import ssl
import subprocess
import time

import pytest
from fix_maker import WAIT_S, end_patience

from tradsys.errors import ConfigError
from tradsys.gateways.fix_limits import FixLimits
from tradsys.gateways.fix_tls import server_context

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
BEGUN = b"\x16\x03\x01"  # a handshake of which nothing else comes
SUBJECT = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]


def make_pair(folder, name):
    """A self-signed certificate and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         *SUBJECT, "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    return {name: make_pair(folder, name) for name in ("venue", "desk", "stranger")}


@pytest.fixture
def make_door(fix_doors, files):
    return lambda client_ca="", **options: fix_doors(tls=server_context(*files["venue"], client_ca), **options)


def trusting(files, own=None, newest=None):
    """A client's context that trusts the venue's certificate."""
    context = ssl.create_default_context(cafile=files["venue"][0])
    if own:
        context.load_cert_chain(*files[own])
    if newest:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = newest
    return context


def is_accepted(client, name):
    client.order(name)
    message = client.take("8")
    return (message.text(11), message.text(150)) == (name, "0")


def closes(door, client):
    door.until(lambda: client.closed)
    return True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_trades_over_tls(make_door, files, version):
    door = make_door()
    client = door.client(tls=trusting(files, newest=version)).secure()
    client.logon()
    assert client.socket.version() in ("TLSv1.2", "TLSv1.3")
    for number in range(300):
        client.order(f"a{number}")
    door.until(lambda: sum(message.msg_type == "8" for message in client.received) == 300)
    client.send("5")
    client.take("5")
    assert closes(door, client)


def test_plain_and_tls_sessions_meet(make_door, files):
    door = make_door()
    buyer = door.client(tls=trusting(files)).secure()
    buyer.logon()
    seller = door.trader("CLIENT2")
    assert is_accepted(buyer, "b")
    seller.order("s", 2)
    door.until(lambda: any(message.text(150) == "F" for message in buyer.received))


def test_a_large_answer_passes_in_pieces(make_door, files):
    """Goal: what is sent is cut into records and waits for a slow reader without loss."""
    door = make_door()
    door.tls_listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8_192)
    client = door.client(tls=trusting(files)).secure()
    client.logon()
    for number in range(100):
        client.order(f"a{number}", 1, 1)
    door.until(lambda: sum(message.msg_type == "8" for message in client.received) == 100)
    door.clients.remove(client)
    for number in range(30):
        client.send("AF", (584, f"q{number}"), (585, 7))
        door.turn()
    door.clients.append(client)
    door.until(lambda: sum(message.text(150) == "I" for message in client.received) == 3_000)


def test_a_logout_followed_by_the_end_is_a_logout(make_door, files):
    """Goal: bytes before a goodbye of TLS count, though both come at once."""
    door = make_door(cod="disconnect")
    client = door.client(tls=trusting(files)).secure()
    client.logon()
    assert is_accepted(client, "a")
    client.send("5")
    with pytest.raises((ssl.SSLError, OSError)):
        client.socket.unwrap()
    client.close()
    door.until(lambda: door.gateway.connection_count == 0)
    back = door.trader(next_out=client.next_out)
    back.cancel("c", "a")
    assert back.take("8").text(11) == "c"  # the loss of the connection would have cancelled it


def test_clients_need_a_certificate_when_there_is_a_client_ca(make_door, files):
    door = make_door(client_ca=files["desk"][0])
    client = door.client(tls=trusting(files, own="desk")).secure()
    client.logon()
    for own in (None, "stranger"):
        refused = door.client("CLIENT2", tls=trusting(files, own=own))
        door.clients.remove(refused)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            deadline = time.monotonic() + WAIT_S
            while time.monotonic() < deadline:
                try:
                    refused.socket.do_handshake()
                    refused.socket.recv(1)  # TLS 1.3 learns of it behind its handshake
                except ssl.SSLWantReadError:
                    door.turn()
        refused.close()
    assert is_accepted(client, "a")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_old_versions_are_refused(make_door, files):
    door = make_door()
    context = trusting(files, newest=ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    client = door.client(tls=context)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        client.secure()


@pytest.mark.parametrize(
    "data",
    [b"8=FIX.4.4\x019=5\x0135=A\x0110=0\x01", b"\x16\x03\x01\xff\xff" + b"\0" * 40_000, BEGUN, random.Random(1).randbytes(999)],
)  # fmt: skip
def test_what_is_no_handshake_closes_that_connection_only(make_door, files, data):
    limits = FixLimits(logon_timeout_ms=600_000)
    door = make_door(limits=limits)
    client = door.client(tls=trusting(files)).secure()
    client.logon()
    hostile = socket.create_connection(door.tls_address)
    hostile.sendall(data)
    door.until(lambda: door.gateway.stats()["connections_made"] == 2)
    if data == BEGUN:
        end_patience(limits)
    door.until(lambda: door.gateway.connection_count == 1)
    hostile.close()
    assert is_accepted(client, "a")


def test_garbage_within_tls_closes_that_connection_only(make_door, files):
    door = make_door()
    client = door.trader()
    hostile = door.client("CLIENT2", tls=trusting(files)).secure()
    hostile.raw(os.urandom(5_000))
    assert closes(door, hostile)
    assert is_accepted(client, "a")


def test_half_handshakes_leave_room_for_others(make_door, files):
    """Goal: every place taken by connections that began a handshake; those logged on stay, a newcomer gets in."""
    door = make_door(limits=FixLimits(connections_max=20, logon_timeout_ms=60_000))
    client = door.trader()
    hello = ssl.MemoryBIO()
    begun = trusting(files).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        begun.do_handshake()
    first_flight = hello.read()
    half = []
    for number in range(60):
        half.append(socket.create_connection(door.tls_address))
        half[-1].sendall(first_flight[: len(first_flight) // (1 + number % 2)])
        door.turn()
    door.until(lambda: door.gateway.stats()["connections_displaced"] >= 40)
    newcomer = door.client("CLIENT2", tls=trusting(files)).secure()
    newcomer.logon()
    assert is_accepted(newcomer, "a")
    assert is_accepted(client, "b")
    assert door.gateway.connection_count <= 20
    for one in half:
        one.close()


def test_a_handshake_that_stands_still_is_closed(make_door, files):
    door = make_door(limits=FixLimits(logon_timeout_ms=200))
    slow = socket.create_connection(door.tls_address)
    slow.sendall(b"\x16")
    door.until(lambda: door.gateway.stats()["connections_made"] == 1)
    door.until(lambda: door.gateway.connection_count == 0)
    slow.close()


def test_wrong_files_are_named(tmp_path, files):
    with pytest.raises(ConfigError, match="nowhere"):
        server_context(tmp_path / "nowhere.pem", "")
    with pytest.raises(ConfigError, match="venue"):
        server_context(files["venue"][0], files["desk"][1])
