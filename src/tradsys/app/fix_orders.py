"""The commands of the FIX console: a line of text becomes a message, reports tell what became of the orders."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from tradsys.errors import InputError
from tradsys.fix.message import Field, Message, format_time

BUY, SELL, MARKET, LIMIT = b"1", b"2", b"1", b"2"
SIDES = {"buy": BUY, "sell": SELL}
TIMES_IN_FORCE = {
    "day": b"0", "gtc": b"1", "ioc": b"3", "fok": b"4", "open": b"2", "close": b"7", "auction": b"B", "gtx": b"5",
}  # fmt: skip
REPLACED = b"5"  # ExecType
ORDERS_MAX = 100_000  # remembered; the oldest goes first
WISHES = {"state": b"0", "watch": b"1", "unwatch": b"2", "trades": b"0", "follow": b"1"}
EXEC_ID = re.compile(r"[0-9]+\.[01]")
DAY = re.compile(r"[0-9]{8}")
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")

HELP = """\
buy SYMBOL QTY [@ PRICE] [TIME]              new order; without a price at market; TIME is one of
                                             day gtc ioc fok open close auction gtx
sell SYMBOL QTY [@ PRICE] [TIME]
replace REF QTY @ PRICE                      REF: the number shown at the order, or its ClOrdID
cancel REF
cancel all [SYMBOL]
status REF
orders                                       ask for all open orders
list                                         ask for the instruments
state [SYMBOL]                               how an instrument, or the trading session, stands
watch [SYMBOL], unwatch [SYMBOL]             and tell me when it changes; no more
trades [SYMBOL | EXECID] [DAY]               trades there were; DAY: YYYYMMDD
follow [SYMBOL]                              trades there were, and those to come
limits                                       how much of the session's limits is used
user                                         who the venue takes us for
password OLD NEW                             change the password of the session
md SYMBOL... [DEPTH]                         market data port: follow bids, offers, trades; DEPTH levels a side, else all
md stop ID                                   ID: its MDReqID
raw 35=TYPE|TAG=VALUE|...                    any application message; the session adds its header
wait SECONDS                                 take what comes
help, quit"""

Order = tuple[str, tuple[Field, ...]]  # MsgType and body of a message to send


@dataclass
class Known:
    """An order of ours."""

    cl_ord_id: bytes
    symbol: bytes
    side: bytes


class Orders:
    """Turns commands into messages and remembers what they named.

    Parameters
    ----------
    prefix : str
        What ClOrdIDs begin with; they must not repeat within the session's day.
    username : str
        The user requests are about.
    """

    def __init__(self, prefix: str | None = None, username: str = "") -> None:
        self._username = username.encode()
        self._prefix = prefix or time.strftime("%H%M%S", time.gmtime())
        self._count = 0
        self._known: dict[
            str, Known
        ] = {}  # by REF: our number, or the first ClOrdID of an order we did not send
        self._refs: dict[bytes, str] = {}  # by every ClOrdID

    def message(self, line: str, now_ns: int) -> Order:
        """Read a command.

        Raises
        ------
        InputError
            It is none, or names an order that is not known.
        """
        verb, *words = line.split()
        match verb.lower(), words:
            case ("buy" | "sell") as side, [symbol, qty, *rest]:
                return self._new(SIDES[side], symbol, qty, rest, now_ns)
            case "cancel", ["all", *symbol] if len(symbol) < 2:
                return self._cancel_all(symbol, now_ns)
            case "cancel", [ref]:
                return "F", self._about(ref, now_ns)
            case "replace", [ref, qty, "@", price]:
                about = self._about(ref, now_ns)
                return "G", (*about, (38, number(qty)), (40, LIMIT), (44, number(price)))
            case "status", [ref]:
                known = self._find(ref)
                return "H", ((11, known.cl_ord_id), (55, known.symbol), (54, known.side))
            case "orders", []:
                return "AF", ((584, self._next_id()), (585, b"7"))
            case "list", []:
                return "x", ((320, self._next_id()), (559, b"4"))
            case ("state" | "watch" | "unwatch") as wish, symbol if len(symbol) < 2:
                return self._status(WISHES[wish], symbol)
            case ("trades" | "follow") as wish, words if len(words) < 3:
                return self._trades(WISHES[wish], words)
            case "limits", []:
                return "UL", ((5105, self._next_id()),)
            case "user", []:
                return "BE", ((923, self._next_id()), (924, b"4"), (553, self._username))
            case "password", [old, new]:
                body = ((923, self._next_id()), (924, b"3"), (553, self._username))
                return "BE", (*body, (554, old.encode()), (925, new.encode()))
            case "md", ["stop", request_id]:
                return "V", ((262, request_id.encode()), (263, b"2"))
            case "md", [_, *_]:
                return self._market_data(words)
            case "raw", [_, *_]:
                return raw(line.split(None, 1)[1])
        raise InputError(f"no such command: {line.strip()}; help lists them")

    def take(self, message: Message) -> None:
        """Learn from a report what orders there are and what they are called now."""
        cl_ord_id, symbol, side = message.get(11), message.get(55), message.get(54)
        if message.msg_type != "8" or cl_ord_id is None or symbol is None or side is None:
            return
        ref = self._refs.get(cl_ord_id) or self._refs.get(message.get(41) or b"")
        if ref is None:
            self._remember(cl_ord_id.decode("latin-1"), Known(cl_ord_id, symbol, side))
        elif message.get(150) == REPLACED and ref in self._known:
            self._known[ref].cl_ord_id = cl_ord_id

    def _new(self, side: bytes, symbol: str, qty: str, rest: list[str], now_ns: int) -> Order:
        price = b""
        if rest[:1] == ["@"] and len(rest) > 1:
            price, rest = number(rest[1]), rest[2:]
        if len(rest) > 1 or (rest and rest[0].lower() not in TIMES_IN_FORCE):
            raise InputError(
                f"behind quantity and @ PRICE stands one of {', '.join(TIMES_IN_FORCE)}, was {' '.join(rest)}"
            )
        cl_ord_id = self._next_id()
        body: list[Field] = [
            (11, cl_ord_id),
            (55, symbol.encode()),
            (54, side),
            (60, moment(now_ns)),
            (38, number(qty)),
        ]
        body += [(40, LIMIT), (44, price)] if price else [(40, MARKET)]
        if rest:
            body.append((59, TIMES_IN_FORCE[rest[0].lower()]))
        self._remember(str(self._count), Known(cl_ord_id, symbol.encode(), side))
        return "D", tuple(body)

    def _status(self, wish: bytes, symbol: list[str]) -> Order:
        """Ask for the status of an instrument; without one, of the trading session."""
        if symbol:
            return "e", ((324, self._next_id()), (55, symbol[0].encode()), (263, wish))
        return "g", ((335, self._next_id()), (263, wish))

    def _trades(self, wish: bytes, words: list[str]) -> Order:
        body: list[Field] = [(568, self._next_id()), (569, b"0"), (263, wish)]
        for word in words:
            if EXEC_ID.fullmatch(word):
                body.append((17, word.encode()))
            elif DAY.fullmatch(word):
                body += [(580, b"1"), (75, word.encode())]
            else:
                body.append((55, word.encode()))
        return "AD", tuple(body)

    def _cancel_all(self, symbol: list[str], now_ns: int) -> Order:
        body: list[Field] = [(11, self._next_id()), (530, b"1" if symbol else b"7"), (60, moment(now_ns))]
        return "q", tuple(body + [(55, name.encode()) for name in symbol])

    def _market_data(self, words: list[str]) -> Order:
        """Ask for bids, offers and trades; a number at the end is a depth."""
        depth = words.pop() if words[-1].isdecimal() and len(words) > 1 else "0"
        body: list[Field] = [(262, self._next_id()), (263, b"1"), (264, depth.encode()), (265, b"1")]
        body += [(267, b"3"), (269, b"0"), (269, b"1"), (269, b"2"), (146, b"%d" % len(words))]
        return "V", (*body, *((55, symbol.encode()) for symbol in words))

    def _about(self, ref: str, now_ns: int) -> tuple[Field, ...]:
        """Begin a request about an order, under a ClOrdID of its own."""
        known = self._find(ref)
        cl_ord_id = self._next_id()
        self._refs[cl_ord_id] = self._refs[known.cl_ord_id]
        return (
            (11, cl_ord_id), (41, known.cl_ord_id), (55, known.symbol), (54, known.side), (60, moment(now_ns)),
        )  # fmt: skip

    def _find(self, ref: str) -> Known:
        known = self._known.get(ref) or self._known.get(self._refs.get(ref.encode(), ""))
        if known is None:
            raise InputError(f"no order {ref}; orders asks the venue for those there are")
        return known

    def _remember(self, ref: str, known: Known) -> None:
        if len(self._known) >= ORDERS_MAX:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._refs = {name: of for name, of in self._refs.items() if of != oldest}
        self._known[ref] = known
        self._refs[known.cl_ord_id] = ref

    def _next_id(self) -> bytes:
        self._count += 1
        return f"{self._prefix}-{self._count}".encode()


def number(text: str) -> bytes:
    """Take a number as it is written; the other side judges whether it fits."""
    if not NUMBER.fullmatch(text):
        raise InputError(f"a quantity or price is a number like 100 or 223.81, was {text}")
    return text.encode()


def moment(now_ns: int) -> bytes:
    """Write TransactTime."""
    return format_time(now_ns, "ms")


def raw(text: str) -> Order:
    """Read ``35=TYPE|TAG=VALUE|...``."""
    fields: list[Field] = []
    for pair in filter(None, text.split("|")):
        tag, equals, value = pair.partition("=")
        if not equals or not value or not re.fullmatch("[0-9]{1,9}", tag):
            raise InputError(f"a field is TAG=VALUE, was {pair}")
        fields.append((int(tag), value.encode()))
    if not fields or fields[0][0] != 35:
        raise InputError("a message begins with 35=TYPE")
    return fields[0][1].decode(), tuple(fields[1:])
