"""Log on, send one limit order, print what comes back by name, log out. Needs: pip install simplefix.

python fix_specs/examples/simplefix_client.py [--host 127.0.0.1] [--port 9878] [--sender DEMO] [--symbol BTC-USD] ...

simplefix knows no sessions: this client begins at 1 every time (141=Y) and answers nothing but a TestRequest. Names of
tags and values are read from TRADSYS-FIX44.xml.
"""

import argparse
import itertools
import socket
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import simplefix

DICTIONARY = Path(__file__).resolve().parent.parent / "TRADSYS-FIX44.xml"
DONE = ("2", "4", "8", "C")  # OrdStatus: filled, canceled, rejected, expired


class Client:
    """One connection."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.socket = socket.create_connection((options.host, options.port), timeout=options.wait_s)
        self.parser = simplefix.FixParser()
        self.numbers = itertools.count(1)
        root = ElementTree.parse(DICTIONARY).getroot()
        self.fields = {element.attrib["number"]: element for element in root.iterfind("fields/field")}
        self.messages = {
            element.attrib["msgtype"]: element.attrib["name"] for element in root.iterfind("messages/message")
        }

    def send(self, msg_type: str, *fields: tuple[int, object]) -> None:
        """Send one message."""
        message = simplefix.FixMessage()
        message.append_pair(8, "FIX.4.4", header=True)
        message.append_pair(35, msg_type, header=True)
        message.append_pair(34, next(self.numbers), header=True)
        message.append_pair(49, self.options.sender, header=True)
        message.append_utc_timestamp(52, precision=6, header=True)
        message.append_pair(56, self.options.target, header=True)
        for tag, value in fields:
            message.append_pair(tag, value)
        self.socket.sendall(message.encode())
        print("->", self.describe(message))

    def receive(self) -> simplefix.FixMessage | None:
        """Wait for one message; None: none came in time, or the connection is closed."""
        while (message := self.parser.get_message()) is None:
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return None
            if not data:
                return None
            self.parser.append_buffer(data)
        print("<-", self.describe(message))
        if message.get(35) == b"1":
            self.send("0", (112, message.get(112)))
        return message

    def describe(self, message: simplefix.FixMessage) -> str:
        """Say by name what a message holds; the password is masked."""
        words = []
        for tag_bytes, value_bytes in message.pairs:
            tag, value = tag_bytes.decode(), value_bytes.decode("latin-1")
            if tag in ("8", "9", "10", "35", "49", "56"):
                continue
            field = self.fields.get(tag)
            name = field.attrib["name"] if field is not None else tag
            chosen = field.find(f"value[@enum='{value}']") if field is not None and value.isalnum() else None
            shown = "***" if tag in ("554", "96", "925") else value
            words.append(f"{name}={chosen.attrib['description'] if chosen is not None else shown}")
        msg_type = (message.get(35) or b"").decode()
        return f"{self.messages.get(msg_type, msg_type)} {' '.join(words)}"


def run(options: argparse.Namespace) -> int:
    """Do what the module says; 1 when the venue did not."""
    client = Client(options)
    credentials = [(553, options.username), (554, options.password)] if options.username else []
    client.send("A", (98, 0), (108, 30), (141, "Y"), *credentials)
    answer = client.receive()
    if answer is None or answer.get(35) != b"A":
        return 1
    now = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime())
    client.send(
        "D", (11, f"simplefix-{time.time_ns()}"), (55, options.symbol), (54, 1), (60, now),
        (38, options.quantity), (40, 2), (44, options.price), (59, 3),
    )  # fmt: skip
    reported = False
    while (message := client.receive()) is not None:
        if message.get(35) in (b"3", b"j", b"5"):
            return 1
        if message.get(35) == b"8":
            reported = True
            if (message.get(39) or b"").decode() in DONE:
                break
    client.send("5")
    while (message := client.receive()) is not None and message.get(35) != b"5":
        pass
    return 0 if reported else 1


def main() -> int:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9878)
    parser.add_argument("--sender", default="DEMO", help="our CompID")
    parser.add_argument("--target", default="TRADSYS", help="the venue's CompID")
    parser.add_argument("--username", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--symbol", default="BTC-USD")
    parser.add_argument("--quantity", default="1")
    parser.add_argument("--price", default="100")
    parser.add_argument("--wait-s", type=float, default=5.0, help="seconds to wait for an answer")
    return run(parser.parse_args())


if __name__ == "__main__":
    raise SystemExit(main())
