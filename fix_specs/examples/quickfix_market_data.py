"""Follow a book over the FIX market data port and print its top as it changes. Needs: pip install quickfix.

cd fix_specs && python examples/quickfix_market_data.py --username DEMO --password ... [--symbol BTC-USD] [--seconds 10]

W sets the book, X changes it: a bid or offer is named by its side (269) and price (270).
"""

import argparse
import threading
import time
from pathlib import Path

import quickfix as fix

BID, OFFER, DELETE = "0", "1", "2"
MARKET = {BID: "inf", OFFER: "-inf"}  # market orders that wait in a call have no price: they are better than any


class Follower(fix.Application):
    """What the engine calls; it does so on its own thread."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        self.options = options
        self.logged_on, self.known = threading.Event(), threading.Event()
        self.session_id: fix.SessionID | None = None
        self.levels: dict[str, dict[str, str]] = {BID: {}, OFFER: {}}
        self.shown = ""

    def onCreate(self, session_id: fix.SessionID) -> None:
        """Take the session of the configuration."""
        self.session_id = session_id

    def onLogon(self, session_id: fix.SessionID) -> None:
        """Ask for the book: bids and offers, all levels, then changes. Subscriptions end with the connection."""
        fields = [(262, "book"), (263, "1"), (264, "0"), (265, "1")]
        request = fix.Message()
        request.getHeader().setField(35, "V")
        for tag, value in fields:
            request.setField(tag, value)
        for kind in (BID, OFFER):
            entry = fix.Group(267, 269)
            entry.setField(269, kind)
            request.addGroup(entry)
        symbol = fix.Group(146, 55)
        symbol.setField(55, self.options.symbol)
        request.addGroup(symbol)
        fix.Session.sendToTarget(request, session_id)
        self.logged_on.set()

    def onLogout(self, session_id: fix.SessionID) -> None:
        """Let a later logon count again."""
        self.logged_on.clear()

    def toAdmin(self, message: fix.Message, session_id: fix.SessionID) -> None:
        """Put the credentials into the Logon."""
        if message.getHeader().getField(35) == "A":
            message.setField(553, self.options.username)
            message.setField(554, self.options.password)

    def fromAdmin(self, message: fix.Message, session_id: fix.SessionID) -> None:
        """Show refusals."""
        if message.getHeader().getField(35) in ("3", "5") and message.isSetField(58):
            print(message.getField(58))

    def toApp(self, message: fix.Message, session_id: fix.SessionID) -> None:
        """Let it go."""

    def fromApp(self, message: fix.Message, session_id: fix.SessionID) -> None:
        """Apply what comes, in the order of its fields, and show the top when it has changed."""
        msg_type = message.getHeader().getField(35)
        if msg_type == "W":
            self.levels = {BID: {}, OFFER: {}}
        if msg_type in ("W", "X"):
            for entry in entries(message.toString(), "269" if msg_type == "W" else "279"):
                self.apply(entry)
            self.show()
        else:
            print(message.toString().replace("\x01", "|"))

    def apply(self, entry: dict[str, str]) -> None:
        """Apply one entry; one without a quantity says that there is nothing, or why the book is not known."""
        levels, price = self.levels[entry["269"]], entry.get("270", MARKET[entry["269"]])
        if "58" in entry:
            print(entry["58"])
        elif entry.get("279") == DELETE:
            levels.pop(price)
        elif "271" in entry:
            levels[price] = entry["271"]

    def show(self) -> None:
        """Print the best bid and offer."""
        bid = max(self.levels[BID].items(), key=lambda level: float(level[0]), default=("-", "-"))
        offer = min(self.levels[OFFER].items(), key=lambda level: float(level[0]), default=("-", "-"))
        top = f"{self.options.symbol}  {bid[1]} x {bid[0]} | {offer[0]} x {offer[1]}"
        if top != self.shown:
            self.shown = top
            print(top, flush=True)
        self.known.set()


def entries(text: str, first: str) -> list[dict[str, str]]:
    """Cut the entries out of a message; each begins with the same tag."""
    found: list[dict[str, str]] = []
    for part in text.partition("\x01268=")[2].split("\x01")[1:-2]:
        tag, _, value = part.partition("=")
        if tag == first:
            found.append({})
        found[-1][tag] = value
    return found


def main() -> int:
    """Follow for a while; 1 when the book never came."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--config", type=Path, default=Path(__file__).resolve().parent.parent / "quickfix-market-data.cfg"
    )
    parser.add_argument("--username", default="DEMO")
    parser.add_argument("--password", default="")
    parser.add_argument("--symbol", default="BTC-USD")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    follower = Follower(options)
    settings = fix.SessionSettings(str(options.config))
    initiator = fix.SocketInitiator(follower, fix.MemoryStoreFactory(), settings)
    initiator.start()
    try:
        time.sleep(options.seconds)
        return 0 if follower.known.is_set() else 1
    finally:
        initiator.stop()  # logs out


if __name__ == "__main__":
    raise SystemExit(main())
