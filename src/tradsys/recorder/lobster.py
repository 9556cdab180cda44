"""Export of one instrument in LOBSTER's form: a message file and the book after each message.

Messages that do not touch the best L levels are left out, as LOBSTER does; so a reader who follows the window rule gets
every row again (``tradsys verify lobster`` says 100 %).
"""

import re
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from pathlib import Path
from typing import TextIO

from tradsys.recorder.checkpoint import newest_heads, rebuild
from tradsys.recorder.errors import RecordingError
from tradsys.recorder.reader import read, streams
from tradsys.wire.enums import Channel, Side, Template

_TYPE = {
    Template.MD_ORDER_ADD: 1,
    Template.MD_ORDER_REDUCE: 2,
    Template.MD_ORDER_DELETE: 3,
    Template.MD_ORDER_EXECUTE: 4,
}
_EMPTY_PRICE = 9_999_999_999
#: LOBSTER's prices are dollars x 10**4
_PRICE_SCALE = 10_000
#: ids of orders that returned are this plus the number of the message; the venue's own are below
_RETURNED = 1 << 62


@dataclass(frozen=True)
class Scale:
    """Whole numbers of the recording to whole numbers of LOBSTER, exactly.

    Attributes
    ----------
    price : Fraction
        LOBSTER price units a tick.
    quantity : Fraction
        Units a lot.
    """

    price: Fraction
    quantity: Fraction

    def price_of(self, price_ticks: int) -> int:
        """Convert a price; raises RecordingError NOT_REPRESENTABLE rather than round."""
        price = _whole(
            self.price * price_ticks, f"price of {price_ticks} ticks is not a whole number of 1/10000"
        )
        if not 0 < price < _EMPTY_PRICE:
            raise RecordingError(
                "NOT_REPRESENTABLE", f"LOBSTER prices are in [1, {_EMPTY_PRICE - 1}] x 1/10000, was {price}"
            )
        return price

    def quantity_of(self, qty_lots: int) -> int:
        """Convert a quantity; raises RecordingError NOT_REPRESENTABLE rather than round."""
        return _whole(self.quantity * qty_lots, f"quantity of {qty_lots} lots is not a whole number of units")


def _whole(value: Fraction, otherwise: str) -> int:
    if value.denominator != 1:
        raise RecordingError("NOT_REPRESENTABLE", otherwise)
    return value.numerator


@dataclass
class LevelBook:
    """Quantities by price of one instrument: `keys` of a side are sorted and are exactly the keys of its `quantities`.

    A key is the price, negated for bids, so that the best comes first on both sides.
    """

    keys: dict[int, list[int]] = field(default_factory=lambda: {Side.BUY: [], Side.SELL: []})
    quantities: dict[int, dict[int, int]] = field(default_factory=lambda: {Side.BUY: {}, Side.SELL: {}})

    def apply(self, template: int, side: int, price: int, quantity: int) -> int:
        """Apply one L3 row; return the rank of its level from 0, the better of before and after."""
        key = -price if side == Side.BUY else price
        keys, quantities = self.keys[side], self.quantities[side]
        if key not in quantities:
            if template != Template.MD_ORDER_ADD:
                raise RecordingError("BOOK_UNKNOWN", f"a row takes from price {price}, where nothing is")
            insort(keys, key)
            quantities[key] = 0
        rank = bisect_left(keys, key)
        quantities[key] += quantity if template == Template.MD_ORDER_ADD else -quantity
        if quantities[key] < 0:
            raise RecordingError("BOOK_UNKNOWN", f"a row takes more from price {price} than is there")
        if quantities[key] == 0:
            del quantities[key]
            keys.pop(rank)
        return rank

    def levels(self, side: int, count: int) -> Iterator[tuple[int, int]]:
        """Give the best levels: price and quantity."""
        for key in self.keys[side][:count]:
            yield (-key if side == Side.BUY else key), self.quantities[side][key]


@dataclass
class OrderNames:
    """Order ids as LOBSTER has them: an order that was replaced and lost its place comes back under a new one.

    The venue's ids ascend with each new order (rule 1.5), so an add of an id that is not above all before is a return.
    """

    newest: int = 0  # greatest id added so far
    renamed: dict[int, list[int]] = field(
        default_factory=dict
    )  # live orders that returned: to new id and leaves

    def name(self, template: int, order_id: int, quantity: int, channel_seq: int) -> int:
        """Return the id to write for a row."""
        if template == Template.MD_ORDER_ADD:
            if order_id > self.newest:
                self.newest = order_id
                return order_id
            self.renamed[order_id] = [_RETURNED + channel_seq, quantity]
            return _RETURNED + channel_seq
        held = self.renamed.get(order_id)
        if held is None:
            return order_id
        held[1] -= quantity
        if held[1] <= 0:
            del self.renamed[order_id]
        return held[0]


@dataclass
class LobsterExport:
    """What was written."""

    messages: Path
    orderbook: Path
    rows: int = 0
    left_out: int = 0  # messages that touch none of the best L levels


def export_lobster(
    directory: str | Path,
    out: str | Path,
    instrument_id: int,
    levels: int,
    *,
    stream_id: int | None = None,
    zone: tzinfo = UTC,
) -> LobsterExport:
    """Write one instrument of one stream as LOBSTER's two files.

    Parameters
    ----------
    directory : path
        The recording.
    out : path
        Folder of the two files, made if missing.
    instrument_id : int
    levels : int
        Levels of the orderbook file, at least 1.
    stream_id : int, optional
        Run of the venue; the newest if not given.
    zone : tzinfo
        Time zone whose midnight the times count from.

    Returns
    -------
    LobsterExport

    Raises
    ------
    RecordingError
        NO_RECORDING, BOOK_UNKNOWN (no snapshot, or messages were lost), NOT_REPRESENTABLE.
    """
    found = streams(directory)
    if not found:
        raise RecordingError("NO_RECORDING", f"{directory} holds no recording")
    stream_id = found[-1] if stream_id is None else stream_id
    symbol, scale = _definition(Path(directory), stream_id, instrument_id)
    start, book, names = _start(Path(directory), stream_id, instrument_id)
    Path(out).mkdir(parents=True, exist_ok=True)
    result = LobsterExport(
        Path(out, f"{symbol}_message_{levels}.csv"), Path(out, f"{symbol}_orderbook_{levels}.csv")
    )
    with (
        result.messages.open("w", encoding="ascii", newline="\n") as messages,
        result.orderbook.open("w", encoding="ascii", newline="\n") as orderbook,
    ):
        for row in _rows(Path(directory), stream_id, instrument_id, start):
            seq, template, order_id, price, quantity, side, ts_ns = row
            name = names.name(template, order_id, quantity, seq)
            message = template, name, price, quantity, side, ts_ns
            _write(message, book, levels, scale, zone, messages, orderbook, result)
    return result


def _write(
    row: tuple[int, ...],
    book: LevelBook,
    levels: int,
    scale: Scale,
    zone: tzinfo,
    messages: TextIO,
    orderbook: TextIO,
    result: LobsterExport,
) -> None:
    template, order_id, price, quantity, side, ts_ns = row
    if book.apply(template, side, price, quantity) >= levels:
        result.left_out += 1
        return
    result.rows += 1
    direction = 1 if side == Side.BUY else -1
    messages.write(
        f"{_seconds(ts_ns, zone)},{_TYPE[Template(template)]},{order_id},"
        f"{scale.quantity_of(quantity)},{scale.price_of(price)},{direction}\n"
    )
    asks = [(scale.price_of(p), scale.quantity_of(q)) for p, q in book.levels(Side.SELL, levels)]
    bids = [(scale.price_of(p), scale.quantity_of(q)) for p, q in book.levels(Side.BUY, levels)]
    asks += [(_EMPTY_PRICE, 0)] * (levels - len(asks))
    bids += [(-_EMPTY_PRICE, 0)] * (levels - len(bids))
    orderbook.write(",".join(f"{a[0]},{a[1]},{b[0]},{b[1]}" for a, b in zip(asks, bids, strict=True)) + "\n")


def _seconds(ts_ns: int, zone: tzinfo) -> str:
    """Seconds after midnight with nine decimals."""
    whole, nanoseconds = divmod(ts_ns, 10**9)
    local = datetime.fromtimestamp(whole, zone)
    return f"{local.hour * 3600 + local.minute * 60 + local.second}.{nanoseconds:09d}"


def _rows(directory: Path, stream_id: int, instrument_id: int, start: int) -> Iterator[tuple[int, ...]]:
    columns = ["channel_seq", "template_id", "order_id", "price_ticks", "qty_lots", "side", "ts_ns"]
    for batch in read(
        directory,
        "l3",
        stream_id=stream_id,
        instrument_id=instrument_id,
        first_seq=start + 1,
        columns=columns,
    ):
        yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)


def _start(directory: Path, stream_id: int, instrument_id: int) -> tuple[int, LevelBook, OrderNames]:
    """Return the message after which the export begins, and the book there: at the instrument's first snapshot."""
    first = None
    for batch in read(
        directory, "snapshots", stream_id=stream_id, instrument_id=instrument_id, columns=["l3_seq"]
    ):
        least = int(batch.column(0).to_numpy().min())
        first = least if first is None else min(first, least)
    if first is None or not len(newest_heads(directory, stream_id, first, instrument_id=instrument_id)):
        raise RecordingError("BOOK_UNKNOWN", f"there is no snapshot of instrument {instrument_id}")
    for batch in read(directory, "gaps", stream_id=stream_id):
        for gap in batch.to_pylist():
            if gap["channel"] == Channel.L3 and gap["outcome"] == 2 and gap["last_seq"] > first:
                raise RecordingError(
                    "BOOK_UNKNOWN", f"L3 messages {gap['first_seq']} to {gap['last_seq']} were lost"
                )
    book, names = LevelBook(), OrderNames()
    for order in rebuild(directory, stream_id, first, instrument_id=instrument_id).book(instrument_id):
        book.apply(
            Template.MD_ORDER_ADD, int(order["side"]), int(order["price_ticks"]), int(order["qty_lots"])
        )
        names.newest = max(names.newest, int(order["order_id"]))
    return first, book, names


def _definition(directory: Path, stream_id: int, instrument_id: int) -> tuple[str, Scale]:
    """Find the instrument's symbol and what a tick and a lot are."""
    for batch in read(directory, "instruments", stream_id=stream_id, instrument_id=instrument_id):
        row = batch.to_pylist()[0]
        tick = row["tick_mantissa"] * Fraction(10) ** row["tick_exponent"]
        lot = row["lot_mantissa"] * Fraction(10) ** row["lot_exponent"]
        return re.sub(r"[^A-Za-z0-9.-]", "_", row["symbol"]), Scale(tick * _PRICE_SCALE, lot)
    raise RecordingError("NO_RECORDING", f"instrument {instrument_id} is not defined in this recording")
