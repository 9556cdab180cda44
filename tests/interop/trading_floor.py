"""A venue process with FIX sessions, a QuickFIX client in another process, and a counterparty that speaks our own FIX."""

import importlib.metadata
import itertools
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import yaml
from free_ports import free_ports

from tradsys.client import FixClient
from tradsys.fix.message import format_time, parse

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "fix_specs" / "TRADSYS-FIX44.xml"
WAIT_S = 60.0
PASSWORD = "a password of the desk"
STRICT = """
UseDataDictionary=Y
DataDictionary={dictionary}
ValidateUserDefinedFields=Y
ValidateFieldsOutOfOrder=Y
ValidateFieldsHaveValues=Y
AllowUnknownMsgFields=N
ValidateIncomingMessage=Y
"""


def stock_dictionary():
    """The FIX 4.4 dictionary QuickFIX brings along."""
    for path in importlib.metadata.files("quickfix") or ():
        found = Path(path.locate())
        if path.name == "FIX44.xml":
            # pip install --target leaves shared data inside of the target
            beside = found.parents[3] / "share" / "quickfix" / path.name
            inside = (
                Path(importlib.metadata.distribution("quickfix").locate_file("share/quickfix")) / path.name
            )
            return next(place for place in (found, beside, inside) if place.is_file())
    raise AssertionError("quickfix has no FIX44.xml")


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


class Venue:
    """`tradsys venue` with the sessions DESK and CARE (cancel on disconnect) of one participant, MAKER of another."""

    def __init__(self, folder):
        (self.port,) = free_ports(1)
        self.settings = folder / "tradsys.yaml"
        doors = {f"{name}_port": 0 for name in ("orders", "feed_a", "feed_b", "snapshot")}
        fix = {"username": "desk", "password": PASSWORD}
        sessions = [
            {"session_id": 1, "name": "desk", "fix": {"sender_comp_id": "DESK", **fix}},
            {"session_id": 2, "name": "care", "fix": {"sender_comp_id": "CARE", **fix, "cod": "disconnect"}},
        ]
        maker = {"session_id": 3, "name": "maker", "fix": {"sender_comp_id": "MAKER", **fix}}
        self.settings.write_text(yaml.safe_dump({
            "venue": {"data_dir": str(folder / "data"), "fix_port": self.port, **doors},
            "capacities": {"orders_max": 16384, "sessions_max": 16},
            "participants": [
                {"participant_id": 1, "name": "P1", "permissions": ["TRADE"], "sessions": sessions},
                {"participant_id": 2, "name": "P2", "permissions": ["TRADE"], "sessions": [maker]},
            ],
            "fix_market_data": {"sessions": [{"sender_comp_id": "DATA", **fix}]},
            "instruments": [
                {"instrument_id": 1, "symbol": "AMZN", "currency": "USD", "tick": "0.01", "price_max": "100000"},
                {"instrument_id": 2, "symbol": "BTC-USD", "currency": "USD", "tick": "0.5", "lot": "0.001",
                 "price_min": "0.5", "price_max": "1000000"},
            ],
        }))  # fmt: skip
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "tradsys", "venue", "-c", str(self.settings), "--quiet"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(), text=True
        )
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith("READY"):
                self.doors = dict(re.findall(r"(\w+)=(\S+)", line))
                return self
        raise AssertionError(f"the venue did not start: {said}")

    def end(self, number=signal.SIGTERM):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.communicate(timeout=60)
        return self.process.returncode

    def maker(self, name="MAKER"):
        return FixClient(
            "127.0.0.1", self.port, name, "TRADSYS", username="desk", password=PASSWORD, ask_reset=True
        )


class QuickFix:
    """One run of the QuickFIX client; its store outlives it. Every message it rejects is an error of the venue's."""

    def __init__(self, folder, port, dictionary, name="DESK", **settings):
        self.folder = folder / f"quickfix-{name}"
        self.folder.mkdir(exist_ok=True)
        self.config = self.folder / "client.cfg"
        session = {
            "ConnectionType": "initiator", "SocketConnectHost": "127.0.0.1", "SocketConnectPort": port,
            "FileStorePath": self.folder / "store", "FileLogPath": self.folder / "log", "ReconnectInterval": 1,
            "HeartBtInt": 30, "NonStopSession": "Y", "SocketNodelay": "Y", "TimestampPrecision": 6,
            "CheckLatency": "Y", "MaxLatency": 120, "LogonTimeout": 5,
        } | settings  # fmt: skip
        names = f"BeginString=FIX.4.4\nSenderCompID={name}\nTargetCompID=TRADSYS\n"
        lines = "\n".join(f"{key}={value}" for key, value in session.items())
        self.config.write_text(
            f"[DEFAULT]\n{lines}\n{STRICT.format(dictionary=dictionary)}\n[SESSION]\n{names}"
        )
        self.numbers = itertools.count(1)
        self.is_on = False
        self.sent, self.received, self.unread = [], [], []
        self._events = queue.Queue()
        child = Path(__file__).with_name("quickfix_child.py")
        self.process = subprocess.Popen(
            [sys.executable, str(child), str(self.config), "desk", PASSWORD],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self.process.stdout:
            self._events.put(json.loads(line))
        self._events.put(None)

    def _note(self, event):
        if event["event"] in ("logon", "logout"):
            self.is_on = event["event"] == "logon"
            return
        message = parse(event["text"].encode("latin-1"))
        if event["event"] == "out":
            assert message.msg_type not in ("3", "j"), (
                f"the client rejects: {message}, had {self.received[-3:]}"
            )
            self.sent.append(message)
        else:
            self.received.append(message)
            self.unread.append(message)

    def wait(self, condition, what):
        """Take what comes until a condition holds."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            try:
                event = self._events.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(
                    f"{what} did not come; last: {self.received[-3:]}, sent {self.sent[-3:]}"
                ) from None
            assert event is not None, f"the client ended before {what}"
            self._note(event)

    def drain(self):
        """Take what is there."""
        while not self._events.empty():
            self._note(self._events.get())

    def wait_logon(self):
        self.wait(lambda: self.is_on, "the logon")
        return self

    def take(self, msg_type, **values):
        """The next message of a type with these values, by name t11="x"; what comes before it is passed over."""
        wanted = {int(name[1:]): value for name, value in values.items()}
        found = []

        def came():
            while self.unread:
                message = self.unread.pop(0)
                if message.msg_type == msg_type and all(message.text(t) == v for t, v in wanted.items()):
                    found.append(message)
                    return True
            return False

        self.wait(came, f"{msg_type} {values}")
        return found[0]

    def do(self, what, **more):
        self.process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self.process.stdin.flush()

    def send(self, msg_type, *fields, groups=()):
        """Send a message; groups are (count's tag, first tag, entries)."""
        self.do("send", fields=[(35, msg_type), *((tag, str(value)) for tag, value in fields)], groups=groups)

    def request(self, msg_type, *fields):
        """Send a message with a ClOrdID of its own and TransactTime; the ClOrdID."""
        name = f"q{time.time_ns()}-{next(self.numbers)}"
        now = format_time(time.time_ns(), "us").decode()
        self.send(msg_type, (11, name), (60, now), *fields)
        return name

    def order(self, qty=10, price="200.00", side=1, symbol="AMZN", *more):
        return self.request("D", (55, symbol), (54, side), (38, qty), (40, 2), (44, price), *more)

    def reports(self):
        """Execution reports by ExecID, with each of its arrivals."""
        found = {}
        for message in self.received:
            if message.msg_type == "8" and message.text(150) != "I":
                found.setdefault(message.text(17), []).append(message)
        return found

    def close(self):
        """Log out and end; the exit status."""
        self.process.stdin.close()
        self.process.wait(WAIT_S)
        self._thread.join(WAIT_S)
        self.drain_end()
        self.process.stdout.close()
        return self.process.returncode

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait(WAIT_S)
            self._thread.join(WAIT_S)
            self.drain_end()
            self.process.stdout.close()
            self.process.stdin.close()

    def drain_end(self):
        while (event := self._events.get(timeout=WAIT_S)) is not None:
            self._note(event)

    def log(self):
        """What the engine wrote of its events."""
        return "".join(path.read_text() for path in sorted((self.folder / "log").glob("*.event*.log")))


def trade(maker, qty, price="200.00", side=2):
    """Have the counterparty trade; True when it was filled."""
    now = format_time(time.time_ns(), "us")
    name = f"m{time.time_ns()}"
    maker.send(
        "D",
        [(11, name), (55, "AMZN"), (54, str(side)), (60, now), (38, qty), (40, "2"), (44, price), (59, "3")],
    )
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        for message in maker.receive(0.1):
            if message.text(11) == name and message.text(39) in ("2", "4"):
                return message.text(39) == "2"
    raise AssertionError("the counterparty's order was not answered")


def texts(message, *tags):
    """Values of a message in the order of the tags."""
    return [message.text(tag) for tag in tags]


def rejections(text):
    """What an event log of QuickFIX says about messages it did not like."""
    return re.findall(r".*(?:Reject|rejected|Invalid|error|Incorrect).*", text)
