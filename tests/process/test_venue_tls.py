"""Goal: a venue whose settings name a certificate trades over TLS, in processes, and lets nobody in who should not be.

Method: `tradsys venue` with FIX over TLS only; two clients trade, the venue is killed and comes back, the console logs on.
"""

import json
import shutil
import socket
import ssl
import subprocess
import sys
import time

import pytest
import yaml
from certificate_maker import certificate_of
from free_ports import free_ports
from market_house import ENVIRONMENT, end, start

from tradsys.client import FixClient
from tradsys.errors import SessionError
from tradsys.fix.message import format_time

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

WAIT_S = 60.0
PASSWORD = "password-1"


class TlsVenue:
    """`tradsys venue` whose FIX door speaks TLS only, and asks clients for certificates when told to."""

    def __init__(self, folder, client_ca=""):
        self.certificate = certificate_of(folder, "127.0.0.1")
        (self.port,) = free_ports(1)
        self.folder, self.settings, self.process = folder, folder / "tradsys.yaml", None
        doors = {f"{name}_port": 0 for name in ("orders", "feed_a", "feed_b", "snapshot", "fix")}
        self.settings.write_text(yaml.safe_dump({
            "venue": {"data_dir": str(folder / "data"), "fix_tls_port": self.port, **doors},
            "capacities": {"orders_max": 16384, "sessions_max": 16},
            "fix": {"plain": False, "tls": {"certificate": str(self.certificate), "client_ca": str(client_ca)}},
            "participants": [
                {"participant_id": number, "name": name, "sessions": [
                    {"session_id": number, "name": name,
                     "fix": {"sender_comp_id": name, "username": name, "password": PASSWORD}}]}
                for number, name in enumerate(("BUYER", "SELLER"), 1)
            ],
            "instruments": [{"instrument_id": 1, "symbol": "AMZN", "tick": "0.01", "price_max": "100000"}],
        }))  # fmt: skip

    def start(self):
        self.process, line = start("READY", "venue", "--quiet", "--config", str(self.settings))
        return line

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def stop(self):
        return end(self.process)[0]

    def client(self, name, **options):
        context = ssl.create_default_context(cafile=self.certificate)
        if own := options.pop("certificate", None):
            context.load_cert_chain(own)
        return FixClient(
            "127.0.0.1", self.port, name, "TRADSYS", username=name, password=PASSWORD, tls=context, **options
        )


@pytest.fixture
def make_venue(tmp_path):
    made = []

    def make(**options):
        made.append(TlsVenue(tmp_path, **options))
        made[-1].start()
        return made[-1]

    yield make
    for venue in made:
        if venue.process.poll() is None:
            venue.kill()


def order(client, name, side, qty):
    now = format_time(time.time_ns(), "us")
    fields = [(11, name), (55, "AMZN"), (54, side), (60, now), (38, qty), (40, 2), (44, "200.00")]
    client.send("D", fields)


def report(client, status):
    """The next execution report with this OrdStatus."""
    while messages := client.receive(WAIT_S):
        for message in messages:
            if (message.msg_type, message.text(39)) == ("8", status):
                return message
    raise AssertionError(f"no report with 39={status}")


def test_two_clients_trade_over_tls_before_and_after_a_kill(make_venue, tmp_path):
    venue = make_venue()
    with (
        venue.client("BUYER", directory=tmp_path / "buyer") as buyer,
        venue.client("SELLER", directory=tmp_path / "seller") as seller,
    ):
        order(buyer, "b-1", 1, 10)
        assert report(buyer, "0").text(11) == "b-1"
        order(seller, "s-1", 2, 4)
        assert [report(one, status).text(32) for one, status in ((seller, "2"), (buyer, "1"))] == ["4", "4"]
        venue.kill()
    venue.start()
    with (
        venue.client("BUYER", directory=tmp_path / "buyer") as buyer,
        venue.client("SELLER", directory=tmp_path / "seller") as seller,
    ):
        order(seller, "s-2", 2, 6)
        filled = report(buyer, "2")
        assert (filled.text(11), filled.text(32), filled.text(14)) == ("b-1", "6", "10")
    assert venue.stop() == 0


def test_nobody_gets_in_without_tls_or_with_the_wrong_password(make_venue):
    venue = make_venue()
    with socket.create_connection(("127.0.0.1", venue.port), timeout=WAIT_S) as plain:
        plain.sendall(b"8=FIX.4.4\x019=5\x0135=A\x0110=178\x01")
        assert b"35=" not in plain.recv(4096)
    wrong = FixClient("127.0.0.1", venue.port, "BUYER", "TRADSYS", username="BUYER", password="guess", reconnect_s=0,
                      tls=ssl.create_default_context(cafile=venue.certificate))  # fmt: skip
    with pytest.raises(SessionError, match="username, password or signature is wrong"), wrong:
        pass
    with pytest.raises((SessionError, ssl.SSLError)), FixClient(
        "127.0.0.1", venue.port, "BUYER", "TRADSYS", username="BUYER", password=PASSWORD, reconnect_s=0,
        tls=ssl.create_default_context(),
    ):  # fmt: skip
        pass  # a client that does not know the certificate
    assert venue.stop() == 0


def test_clients_need_a_certificate_when_the_settings_say_so(make_venue, tmp_path):
    desk = certificate_of(tmp_path, "desk")
    venue = make_venue(client_ca=desk)
    with pytest.raises((SessionError, OSError)), venue.client("BUYER", reconnect_s=0):
        pass
    with venue.client("BUYER", certificate=desk) as buyer:
        order(buyer, "b-1", 1, 10)
        assert report(buyer, "0").text(11) == "b-1"
    assert venue.stop() == 0


def test_the_console_trades_over_tls(make_venue):
    venue = make_venue()
    done = subprocess.run(
        [sys.executable, "-m", "tradsys", "fix", "console", "--port", str(venue.port), "--ca", str(venue.certificate),
         "--sender", "BUYER", "--username", "BUYER", "--json", "--wait", "60"],
        input="buy AMZN 10 @ 200\nquit\n", env=ENVIRONMENT | {"TRADSYS_FIX_PASSWORD": PASSWORD},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert "ExecutionReport" in [one["name"] for one in messages if one["direction"] == "in"]
    assert PASSWORD not in done.stdout
    assert venue.stop() == 0
