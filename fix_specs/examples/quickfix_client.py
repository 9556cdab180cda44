"""Log on, send one limit order, print what comes back by name, log out. Needs: pip install quickfix.

cd fix_specs && python examples/quickfix_client.py [--config quickfix.cfg] [--symbol BTC-USD] ...

The paths in the configuration are relative, so it is run where they lead somewhere. The engine keeps both
sequence numbers on disk, so a second run goes on where the first one ended, and reports missed come first.
"""

import argparse
import threading
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import quickfix as fix

DICTIONARY = Path(__file__).resolve().parent.parent / "TRADSYS-FIX44.xml"
HIDDEN = ("8", "9", "10", "35", "49", "56")
DONE = ("2", "4", "8", "C")  # OrdStatus: filled, canceled, rejected, expired


class Client(fix.Application):
    """What the engine calls; it does so on its own thread."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        self.options = options
        root = ElementTree.parse(DICTIONARY).getroot()
        self.fields = {element.attrib["number"]: element for element in root.iterfind("fields/field")}
        self.messages = {
            element.attrib["msgtype"]: element.attrib["name"] for element in root.iterfind("messages/message")
        }
        self.session_id: fix.SessionID | None = None
        self.logged_on, self.done = threading.Event(), threading.Event()

    def onCreate(self, session_id: fix.SessionID) -> None:
        """Take the session of the configuration."""
        self.session_id = session_id

    def onLogon(self, session_id: fix.SessionID) -> None:
        """Go on: we are logged on."""
        self.logged_on.set()

    def onLogout(self, session_id: fix.SessionID) -> None:
        """Let a later logon count again."""
        self.logged_on.clear()

    def toAdmin(self, message: fix.Message, session_id: fix.SessionID) -> None:
        """Put the credentials into the Logon."""
        if message.getHeader().getField(35) == "A" and self.options.username:
            message.setField(553, self.options.username)
            message.setField(554, self.options.password)

    def fromAdmin(self, message: fix.Message, session_id: fix.SessionID) -> None:
        """Show rejects and refusals."""
        if message.getHeader().getField(35) in ("3", "5"):
            print("<-", self.describe(message))

    def toApp(self, message: fix.Message, session_id: fix.SessionID) -> None:
        """Show what goes out."""
        print("->", self.describe(message))

    def fromApp(self, message: fix.Message, session_id: fix.SessionID) -> None:
        """Show what comes in."""
        print("<-", self.describe(message))
        msg_type = message.getHeader().getField(35)
        if msg_type == "j" or (msg_type == "8" and message.getField(39) in DONE):
            self.done.set()

    def describe(self, message: fix.Message) -> str:
        """Say by name what a message holds."""
        words = []
        for part in message.toString().split("\x01")[:-1]:
            tag, _, value = part.partition("=")
            if tag in HIDDEN:
                continue
            field = self.fields.get(tag)
            name = field.attrib["name"] if field is not None else tag
            chosen = field.find(f"value[@enum='{value}']") if field is not None and value.isalnum() else None
            words.append(f"{name}={chosen.attrib['description'] if chosen is not None else value}")
        msg_type = message.getHeader().getField(35)
        return f"{self.messages.get(msg_type, msg_type)} {' '.join(words)}"


def limit_order(options: argparse.Namespace) -> fix.Message:
    """Make the order: immediate or cancel, so that nothing is left behind."""
    order = fix.Message()
    order.getHeader().setField(35, "D")
    order.setField(11, f"quickfix-{time.time_ns()}")
    order.setField(55, options.symbol)
    order.setField(54, "1")
    order.setField(60, time.strftime("%Y%m%d-%H:%M:%S", time.gmtime()))
    order.setField(38, options.quantity)
    order.setField(40, "2")
    order.setField(44, options.price)
    order.setField(59, "3")
    return order


def run(options: argparse.Namespace) -> int:
    """Do what the module says; 1 when the venue did not."""
    settings = fix.SessionSettings(str(options.config))
    client = Client(options)
    initiator = fix.SocketInitiator(client, fix.FileStoreFactory(settings), settings)
    initiator.start()
    try:
        if not client.logged_on.wait(options.wait_s):
            print(f"not logged on within {options.wait_s:g} s")
            return 1
        fix.Session.sendToTarget(limit_order(options), client.session_id)
        return 0 if client.done.wait(options.wait_s) else 1
    finally:
        initiator.stop()  # logs out


def main() -> int:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--config", type=Path, default=Path(__file__).resolve().parent.parent / "quickfix.cfg"
    )
    parser.add_argument("--username", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--symbol", default="BTC-USD")
    parser.add_argument("--quantity", default="1")
    parser.add_argument("--price", default="100")
    parser.add_argument("--wait-s", type=float, default=10.0, help="seconds to wait for an answer")
    return run(parser.parse_args())


if __name__ == "__main__":
    raise SystemExit(main())
