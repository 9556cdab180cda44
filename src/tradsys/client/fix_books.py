"""Books a FIX market data client keeps: what W says, changed by what X says; anything that does not fit is an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tradsys.errors import InputError
from tradsys.fix.message import Field, Message

BID, OFFER, TRADE = b"0", b"1", b"2"
NEW, CHANGE, DELETE = b"0", b"1", b"2"
TRADES_KEPT = 10_000
MARKET = b"MARKET"  # stands for the price of market orders that wait in a call
Entry = dict[int, bytes]


class FixBookError(InputError):
    """An entry that cannot be: a new one that is there, a change or deletion of one that is not."""

    code = "FIX_BOOK"


@dataclass
class FixBook:
    """What is told of one instrument under one MDReqID; values are as they came."""

    levels: dict[bytes, dict[bytes, tuple[bytes, int]]] = field(default_factory=lambda: {BID: {}, OFFER: {}})
    """MDEntryType: price, or `MARKET`: quantity, orders."""
    figures: dict[bytes, bytes] = field(default_factory=dict)
    trades: list[Entry] = field(default_factory=list)
    unknown: str = ""  # why the venue's market data does not know the book
    rpt_seq: int = 0
    snapshots: int = 0
    changes: int = 0

    def best(self, kind: bytes, count: int = 10) -> list[tuple[bytes, bytes, int]]:
        """The best levels of a side, best first: price, quantity, orders; market orders come before all prices."""
        levels = self.levels[kind]
        limits = sorted((price for price in levels if price != MARKET), key=float, reverse=kind == BID)
        prices = ([MARKET] * (MARKET in levels) + limits)[:count]
        return [(price, *levels[price]) for price in prices]


class FixBooks:
    """The books of one session, by MDReqID and Symbol."""

    def __init__(self) -> None:
        self.books: dict[tuple[bytes, bytes], FixBook] = {}

    def book(self, request_id: bytes, symbol: bytes) -> FixBook:
        """The book told under a request."""
        return self.books.setdefault((request_id, symbol), FixBook())

    def take(self, message: Message) -> None:
        """Apply a W or X; other messages are passed over.

        Raises
        ------
        FixBookError
            An entry does not fit the book.
        """
        request_id = message.get(262, b"") or b""
        if message.msg_type == "W":
            self._load(self.book(request_id, message.get(55, b"") or b""), message)
        elif message.msg_type == "X":
            for entry in entries(message):
                book = self.book(request_id, entry.get(55, b""))
                _number(book, entry)
                _change(book, entry)

    def _load(self, book: FixBook, message: Message) -> None:
        book.snapshots += 1
        book.unknown = ""
        book.rpt_seq = max(message.number(83), 0)
        book.levels = {BID: {}, OFFER: {}}
        for entry in entries(message):
            kind = entry[269]
            if kind == TRADE:
                book.trades += [entry] if 270 in entry else []
            elif 58 in entry:
                book.unknown = entry[58].decode("latin-1")
            elif kind not in book.levels:
                book.figures[kind] = entry.get(270, entry.get(271, b""))
            elif 271 in entry:
                price = entry.get(270, MARKET)
                if price in book.levels[kind]:
                    raise FixBookError(f"a snapshot has two levels of {price!r}")
                book.levels[kind][price] = _level(entry)


def entries(message: Message) -> Iterator[Entry]:
    """Walk over the entries of a W or X."""
    first = 269 if message.msg_type == "W" else 279
    entry: Entry = {}
    place = next((n for n, (tag, _) in enumerate(message.fields) if tag == 268), len(message.fields))
    group: list[Field] = message.fields[place + 1 : -1]
    for tag, value in group:
        if tag == first and entry:
            yield entry
            entry = {}
        entry[tag] = value
    if entry:
        yield entry


def _level(entry: Entry) -> tuple[bytes, int]:
    return entry[271], int(entry.get(346, b"0"))


def _number(book: FixBook, entry: Entry) -> None:
    """Check RptSeq where there is one."""
    book.changes += 1
    if 83 in entry:
        if int(entry[83]) != book.rpt_seq + 1:
            raise FixBookError(f"RptSeq must be {book.rpt_seq + 1}, was {int(entry[83])}")
        book.rpt_seq += 1


def _change(book: FixBook, entry: Entry) -> None:
    kind, action = entry[269], entry[279]
    if kind == TRADE:
        book.trades.append(entry)
        del book.trades[:-TRADES_KEPT]
        return
    if kind not in book.levels:
        book.figures[kind] = entry.get(270, entry.get(271, b""))
        return
    levels, price = book.levels[kind], entry.get(270, MARKET)
    if (price in levels) != (action != NEW):
        what = (
            "new, and there already" if action == NEW else f"changed or deleted ({action!r}), and not there"
        )
        raise FixBookError(f"the level at {price!r} is {what}")
    if action == DELETE:
        del levels[price]
    else:
        levels[price] = _level(entry)
