"""kill -9 of a venue with open FIX sessions: what clients and a drop copy saw live and by resend is the journal, once each.

TRADSYS_KILLS sets how often (default 50, half of them with each durability); the moments are random, from the seed printed.
"""

import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from free_ports import free_ports

from tradsys.fix.message import Header, build, format_time, parse, split

WAIT_S = 60.0
KILLS = int(os.environ.get("TRADSYS_KILLS", "50"))
FIX = {"username": "user", "password": "password-1"}


class Client:
    """A client that keeps both numbers over every loss, resends what it sent and asks for what it misses."""

    def __init__(self, name):
        self.name = name.encode()
        self.next_out, self.next_in = 1, 1
        self.sent, self.seen, self.beats = {}, {}, set()
        self.live = False

    def connect(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self.socket.settimeout(0.02)
        self.rest, self.early, self.live = b"", {}, False
        self.send("A", (98, b"0"), (108, b"30"), (553, b"user"), (554, b"password-1"))
        deadline = time.monotonic() + WAIT_S
        while not self.live:
            assert time.monotonic() < deadline, "no logon"
            self.read()

    def send(self, msg_type, *fields, seq=None, dup=False):
        if seq is None:
            seq, self.next_out = self.next_out, self.next_out + 1
            self.sent[seq] = (msg_type, fields)
        now = format_time(time.time_ns(), "us")
        header = Header(sender_comp_id=self.name, target_comp_id=b"TRADSYS", seq=seq, sending_time=now,
                        poss_dup=dup, orig_sending_time=now if dup else b"")  # fmt: skip
        try:
            self.socket.sendall(build(msg_type, fields, header))
        except OSError:
            return

    def order(self, side, qty):
        name = b"%s-%d" % (self.name, self.next_out)
        self.send("D", (11, name), (55, b"SYM1"), (54, side), (60, format_time(time.time_ns(), "us")),
                  (38, b"%d" % qty), (40, b"2"), (44, b"100"))  # fmt: skip

    def read(self):
        try:
            data = self.socket.recv(1 << 20)
        except OSError:
            return
        frames, _, self.rest = split(self.rest + data)
        for frame in frames:
            self.take(parse(frame))

    def take(self, message):
        if message.msg_type == "5":
            raise AssertionError(f"logged out: {message}")
        if message.msg_type == "2" and not message.flag(43):
            self.resend(message)
        if message.seq > self.next_in:
            self.live = self.live or message.msg_type == "A"
            if not self.early:
                self.send("2", (7, b"%d" % self.next_in), (16, b"0"))
            self.early[message.seq] = message
        elif message.seq == self.next_in:
            self.use(message)
            while self.next_in in self.early:
                self.use(self.early.pop(self.next_in))
            self.early = {seq: one for seq, one in self.early.items() if seq > self.next_in}
        else:
            assert message.flag(43), f"{message.seq} below {self.next_in}: {message}"

    def use(self, message):
        self.next_in = message.number(36) if message.msg_type == "4" else self.next_in + 1
        self.live = self.live or message.msg_type == "A"
        if message.msg_type == "1":
            self.send("0", (112, message.get(112)))
        if message.msg_type == "0":
            self.beats.add(message.get(112))
        if message.msg_type == "8":
            exec_id = message.text(17)
            assert exec_id not in self.seen, f"{exec_id} twice as new"
            self.seen[exec_id] = message

    def ordered(self):
        return sum(kind == "D" for kind, _ in self.sent.values())

    def accepted(self):
        return sum(one.text(150) == "0" for one in self.seen.values())

    def resend(self, request):
        end = request.number(16) or self.next_out - 1
        for seq in range(request.number(7), min(end, self.next_out - 1) + 1):
            msg_type, fields = self.sent[seq]
            if msg_type == "D":
                self.send(msg_type, *fields, seq=seq, dup=True)
            else:
                self.send("4", (36, b"%d" % (seq + 1)), (123, b"Y"), seq=seq, dup=True)


class Venue:
    def __init__(self, folder, port, durability):
        self.port, self.process = port, None
        self.settings = folder / "tradsys.yaml"
        self.data_dir = folder / "data"
        sessions = [
            {"participant_id": i, "name": f"P{i}", "sessions": [
                {"session_id": i, "name": f"S{i}", "fix": {"sender_comp_id": f"C{i}", **FIX}}]}
            for i in (1, 2)
        ]  # fmt: skip
        doors = {"orders_port": 0, "feed_a_port": 0, "feed_b_port": 0, "snapshot_port": 0, "fix_port": port}
        settings = {"data_dir": str(self.data_dir), "durability": durability, **doors}
        copy = {"sender_comp_id": "COPY", "kind": "drop_copy", **FIX}
        sessions[0]["sessions"].append({"session_id": 3, "name": "S3", "fix": copy})
        instrument = {"instrument_id": 1, "symbol": "SYM1", "price_max": "100000"}
        self.settings.write_text(yaml.safe_dump(
            {"venue": settings, "participants": sessions, "instruments": [instrument],
             "capacities": {"orders_max": 65536, "sessions_max": 16}}))  # fmt: skip

    def start(self):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tradsys", "venue", "-c", str(self.settings), "--quiet"],
            stdout=subprocess.PIPE, env=environment, text=True)  # fmt: skip
        for line in self.process.stdout:
            if line.startswith("READY"):
                assert "fix=tcp://127.0.0.1:" in line
                return
        raise AssertionError("the venue did not start")

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(WAIT_S)
        self.process.stdout.close()


@pytest.fixture
def make_venue(tmp_path):
    made = []

    def make(durability):
        made.append(Venue(tmp_path, *free_ports(1), durability))
        return made[-1]

    yield make
    for venue in made:
        if venue.process is not None and venue.process.poll() is None:
            venue.end(signal.SIGKILL)


@pytest.mark.heavy
@pytest.mark.timeout(900)
@pytest.mark.parametrize("durability", ["batch", "fsync"])
def test_kill_9_in_the_middle_of_fills_loses_and_doubles_nothing(make_venue, durability):
    venue = make_venue(durability)
    clients, copy = [Client("C1"), Client("C2")], Client("COPY")  # of C1's participant
    everybody = [*clients, copy]
    seed = int(os.environ.get("TRADSYS_SEED", secrets.randbelow(1 << 32)))
    print(f"drill {seed}")
    random_ = random.Random(seed)
    for _ in range((KILLS + 1) // 2):
        venue.start()
        for client in everybody:
            client.connect(venue.port)
        for _ in range(random_.randrange(20, 120)):
            clients[0].order(b"1", random_.randrange(1, 9))
            clients[1].order(b"2", random_.randrange(1, 9))
            if random_.random() < 0.2:
                for client in everybody:
                    client.read()
        venue.end(signal.SIGKILL)
        for client in everybody:
            client.socket.close()
    venue.start()
    for client in everybody:
        client.connect(venue.port)
    until(everybody, lambda: all(client.accepted() == client.ordered() for client in clients))
    for client in clients:  # the answer comes behind all that was decided before
        client.send("1", (112, b"the end"))
    until(everybody, lambda: all(b"the end" in client.beats for client in clients))
    until(everybody, lambda: len(copy.seen) >= len(clients[0].seen))
    venue.end(signal.SIGINT)
    copy.socket.close()
    assert [in_short(one) for one in copy.seen.values()] == [in_short(one) for one in clients[0].seen.values()]
    for number, client in enumerate(clients, 1):
        client.socket.close()
        assert sorted(client.seen) == sorted(told(venue.data_dir, number))
        names = [one.text(11) for one in client.seen.values() if one.text(150) == "0"]
        assert len(set(names)) == len(names) == client.ordered()


def until(clients, holds):
    """Let clients read until something holds."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, [(one.ordered(), one.accepted(), one.next_in, len(one.seen)) for one in clients]
        for client in clients:
            client.read()


def in_short(report):
    """What a report says, without what its session adds."""
    return [report.text(tag) for tag in (17, 11, 37, 150, 39, 38, 44, 31, 32, 14, 151, 6, 60)]


def told(data_dir, session_id):
    """ExecIDs the event log has for a session."""
    from tradsys.engine.sequencer import Sequencer
    from tradsys.gateways.reports import render_reports

    sequencer = Sequencer.open(data_dir, orders_max=65536, sessions_max=16)
    try:
        events = sequencer.reports(session_id, 1, 1 << 20)
        reports = render_reports(events, session_id)
    finally:
        sequencer.close()
    assert np.array_equal(reports["report_seq"], np.arange(1, len(reports) + 1))
    return [f"{one['event_seq']}.{1 if one['liquidity'] == 2 else 0}" for one in reports]
