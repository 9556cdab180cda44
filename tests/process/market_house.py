"""A venue and its FIX market data as processes, a trader, and FIX clients good and bad."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

from free_ports import free_ports

from tradsys.client import FeedClient, OrderClient
from tradsys.client.fix_books import FixBooks
from tradsys.client.fix_client import FixClient
from tradsys.fix.message import Header, build, format_time
from tradsys.fix.settings import SessionSettings
from tradsys.wire.enums import Side

SETTINGS = """\
venue: {{data_dir: {data}, orders_port: {orders}, feed_a_port: {a}, feed_b_port: {b}, snapshot_port: {snapshots}, fix_port: 0}}
capacities: {{orders_max: 16384, instruments_max: 16, participants_max: 16, sessions_max: 16, accounts_max: 16}}
participants:
  - participant_id: 1
    name: one
    sessions: [{{session_id: 1, name: one, api_key: key1, secret: "secret of session 1"}}]
  - participant_id: 2
    name: two
    sessions: [{{session_id: 2, name: two, api_key: key2, secret: "secret of session 2"}}]
instruments:
  - {{instrument_id: 1, symbol: SYM1, tick: "0.05", lot: "0.001", price_min: "0.05"}}
  - {{instrument_id: 2, symbol: SYM2}}
fix_market_data:
  port: 0
  throttle_messages: 20
  flood_messages: 300
  conflate_bytes: 8192
  out_bytes_max: 1048576
  slow_ms: 1500
  stale_ms: 200
  logon_timeout_ms: 5000
  connections_max: 12
  logon_failures_max: 100
  sessions:
    - {{sender_comp_id: GOOD, username: good, password: secret}}
    - {{sender_comp_id: SLOW, password: secret, rpt_seq: true}}
    - {{sender_comp_id: BAD0, password: secret}}
    - {{sender_comp_id: BAD1, password: secret}}
    - {{sender_comp_id: BAD2, password: secret}}
    - {{sender_comp_id: BAD3, password: secret}}
    - {{sender_comp_id: BAD4, password: secret}}
    - {{sender_comp_id: BAD5, password: secret}}
"""
SYMBOLS = ("SYM1", "SYM2")
KINDS = (b"0", b"1")
WAIT_S = 60.0
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def start(begin, *words, **variables):
    """Start a command and wait for the line that begins so."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tradsys", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=ENVIRONMENT | variables,
        text=True,
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(begin):
            return process, line
    process.communicate()
    raise AssertionError(f"{words[0]} did not start: {said}")


def end(process, number=signal.SIGTERM):
    """Stop a process and wait for its end; its exit status, what it said last."""
    process.send_signal(number)
    try:
        said, _ = process.communicate(timeout=WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    return process.returncode, said


class MarketHouse:
    """`tradsys venue` and `tradsys fix-market-data`."""

    def __init__(self, folder):
        self.orders, self.a, self.b, self.snapshots = free_ports(4)
        self.settings = folder / "tradsys.yaml"
        ports = {"orders": self.orders, "a": self.a, "b": self.b, "snapshots": self.snapshots}
        self.settings.write_text(SETTINGS.format(data=folder / "data", **ports))
        self.venue = self.market_data = None
        try:
            self.start_venue()
            self.market_data, line = start("READY", "fix-market-data", "--config", str(self.settings))
        except BaseException:
            self.stop()
            raise
        self.port = int(re.search(r":(\d+)$", line.strip())[1])

    def start_venue(self):
        self.venue, _ = start("READY", "venue", "--quiet", "--config", str(self.settings))

    def address(self, port):
        return f"tcp://127.0.0.1:{port}"

    def trader(self, number=1):
        return OrderClient(self.address(self.orders), f"key{number}", f"secret of session {number}".encode())

    def feed(self):
        lines = [self.address(port) for port in (self.a, self.b, self.snapshots)]
        return FeedClient(*lines, books=False, levels=True)

    def client(self, name="GOOD", port=0, **options):
        settings = SessionSettings(sender_comp_id=name, target_comp_id="TRADSYS", message_bytes_max=1 << 20)
        return Follower("127.0.0.1", port or self.port, name, "TRADSYS", username=name.lower(), password="secret",
                        settings=settings, reconnect_s=0, **options)  # fmt: skip

    def stop(self):
        statuses = []
        for process in (self.market_data, self.venue):
            if process is not None:
                statuses.append(end(process)[0] if process.poll() is None else process.returncode)
                process.stdout.close()
        return statuses


class Follower(FixClient):
    """A client that keeps its books."""

    def __init__(self, *words, **options):
        super().__init__(*words, **options)
        self.books = FixBooks()
        self.messages = []

    def ask(self, request_id, *symbols, depth=0, update=1, kind=1, entries=(b"0", b"1", b"2")):
        fields = [(262, request_id), (263, kind), (264, depth), (265, update), (267, len(entries))]
        fields += [(269, entry) for entry in entries] + [(146, len(symbols))] + [(55, one) for one in symbols]
        self.send("V", fields)

    def follow(self, seconds=0.05):
        for message in self.receive(seconds):
            self.messages.append(message)
            self.books.take(message)

    def until(self, condition, seconds=WAIT_S):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.books.books, self.messages[-3:])
            self.follow()

    def best(self, request_id, symbol, count=10_000):
        book = self.books.book(request_id, symbol.encode())
        return [book.best(kind, count) for kind in KINDS]


def told(feed, instrument_id, count=10_000):
    """The feed's L2 book as FIX shows it."""
    record = feed.definitions[instrument_id]
    from tradsys.fix_market_data.instruments import Instrument

    one = Instrument(record)
    return [
        [(one.price(int(row["price_ticks"])), one.quantity(int(row["qty_lots"])), int(row["order_count"]))
         for row in feed.levels.depth(instrument_id, side, count)]
        for side in (Side.BUY, Side.SELL)
    ]  # fmt: skip


class Enemy:
    """A socket that says what it likes."""

    def __init__(self, port, name=b"BAD0"):
        self.name, self.seq = name, 0
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(WAIT_S)

    def frame(self, msg_type, *body):
        self.seq += 1
        now = format_time(time.time_ns())
        return build(msg_type, body, Header(sender_comp_id=self.name, target_comp_id=b"TRADSYS", seq=self.seq,
                                            sending_time=now))  # fmt: skip

    def log_on(self, password=b"secret"):
        self.send(self.frame("A", (98, b"0"), (108, b"30"), (554, password)))
        return self.socket.recv(4096)

    def send(self, data):
        """Send; False when the other side has closed."""
        try:
            self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError, TimeoutError):
            return False
        return True

    def rest(self):
        """Read until the other side closes."""
        data = b""
        try:
            while piece := self.socket.recv(65536):
                data += piece
        except ConnectionResetError:
            pass
        return data

    def is_closed(self):
        """Whether the other side has closed, waiting a moment for it."""
        self.socket.settimeout(0.05)
        try:
            return self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()
