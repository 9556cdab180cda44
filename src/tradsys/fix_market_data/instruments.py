"""Instruments as FIX shows them: symbol, decimals, trading status, and the entries of W and X as text."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from tradsys.fix_market_data.requests import BID, OFFER
from tradsys.units import InstrumentUnits, Unit
from tradsys.wire.enums import Side

NEW, CHANGE, DELETE = b"0", b"1", b"2"  # of MDUpdateAction, 279
PRICES_KEPT = 1 << 14  # texts of one instrument
SIDE_KINDS: dict[int, bytes] = {Side.BUY: BID, Side.SELL: OFFER}
SIDES_OF = {BID: int(Side.BUY), OFFER: int(Side.SELL)}
MARKET_TICKS = {BID: (1 << 63) - 1, OFFER: -(1 << 63)}  # the feed's price of market orders in a call
AUCTION_FIELD = b"625=AUCTION\x01"


class Trade(NamedTuple):
    """One match."""

    price_ticks: int
    qty_lots: int
    ts_ns: int
    is_auction: bool


class Instrument:
    """One instrument of the feed.

    Parameters
    ----------
    record : numpy.void
        MdInstrument.
    """

    def __init__(self, record: np.void) -> None:
        self.instrument_id = int(record["instrument_id"])
        self.symbol = bytes(record["symbol"]).rstrip(b"\0")
        self.record = record.copy()
        self.raw = self.record.tobytes()
        self.units = InstrumentUnits(
            Unit(int(record["tick_mantissa"]), int(record["tick_exponent"])),
            Unit(int(record["lot_mantissa"]), int(record["lot_exponent"])),
        )
        self._is_whole = self.units.lot == Unit(1, 0)
        self._names: dict[tuple[bytes, int], tuple[bytes, bytes]] = {}

    @property
    def state(self) -> int:
        """InstrumentState."""
        return int(self.record["state"])

    def is_as(self, record: np.void) -> bool:
        """Tell whether the definition, its state aside, is the same."""
        before, now = self.record.copy(), record.copy()
        before["state"] = now["state"] = 0
        before["ts_ns"] = now["ts_ns"] = 0
        return before.tobytes() == now.tobytes()

    def price(self, price_ticks: int) -> bytes:
        """Write a price, exactly."""
        return self.units.tick.text(price_ticks).encode()

    def quantity(self, qty_lots: int) -> bytes:
        """Write a quantity, exactly."""
        return b"%d" % qty_lots if self._is_whole else self.units.lot.text(qty_lots).encode()

    # --------------------------------------------------------------------------------------- entries

    def level_change(self, action: bytes, kind: bytes, price_ticks: int, qty_lots: int, orders: int) -> bytes:
        """Write an entry of X about a level: 279 269 278 55 270, unless deleted 271 346."""
        name = self._level_names(kind, price_ticks)[0]
        if action == DELETE:
            return b"279=2%b" % name
        return b"279=%b%b271=%b\x01346=%d\x01" % (action, name, self.quantity(qty_lots), orders)

    def level_entry(self, kind: bytes, price_ticks: int, qty_lots: int, orders: int) -> bytes:
        """Write an entry of W about a level: 269 270 271 346."""
        name = self._level_names(kind, price_ticks)[1]
        return b"%b271=%b\x01346=%d\x01" % (name, self.quantity(qty_lots), orders)

    def trade_change(self, match_id: int, trade: Trade) -> bytes:
        """Write an entry of X about a trade: 279 269 278 55 270 271 272 273, of an auction 625."""
        return b"279=0\x01269=2\x01278=%d\x0155=%b\x01%b" % (match_id, self.symbol, self._trade_fields(trade))

    def trade_entry(self, trade: Trade) -> bytes:
        """Write an entry of W about a trade: 269 270 271 272 273, of an auction 625."""
        return b"269=2\x01%b" % self._trade_fields(trade)

    def _trade_fields(self, trade: Trade) -> bytes:
        return b"270=%b\x01271=%b\x01%b%b" % (
            self.price(trade.price_ticks), self.quantity(trade.qty_lots), moment_fields(trade.ts_ns),
            AUCTION_FIELD if trade.is_auction else b"",
        )  # fmt: skip

    def figure_change(self, action: bytes, kind: bytes, value: bytes) -> bytes:
        """Write an entry of X about a figure of the day: 279 269 278 55 and 270 or 271, as `figure` wrote them."""
        return b"279=%b\x01269=%b\x01278=%b\x0155=%b\x01%b" % (action, kind, kind, self.symbol, value)

    def _level_names(self, kind: bytes, price_ticks: int) -> tuple[bytes, bytes]:
        """Write what names a level in X, from the end of its 279, and in W. 278 is 269, a slash and 270.

        Market orders that wait in a call have a level of their own; it has no 270.
        """
        found = self._names.get((kind, price_ticks))
        if found is None:
            if len(self._names) >= PRICES_KEPT:
                self._names.clear()
            is_market = price_ticks == MARKET_TICKS[kind]
            price = b"MARKET" if is_market else self.price(price_ticks)
            field = b"" if is_market else b"270=%b\x01" % price
            found = self._names[kind, price_ticks] = (
                b"\x01269=%b\x01278=%b/%b\x0155=%b\x01%b" % (kind, kind, price, self.symbol, field),
                b"269=%b\x01%b" % (kind, field),
            )
        return found


def nothing_of(kind: bytes, text: str = "") -> bytes:
    """Write the entry of W that says there is nothing of a kind, or with a text: that it is not known."""
    entry = b"269=%b\x01" % kind
    return entry + b"58=%b\x01" % text.encode("latin-1", "replace") if text else entry


def moment_fields(ts_ns: int) -> bytes:
    """Write MDEntryDate and MDEntryTime, microseconds, of ns since the epoch."""
    seconds, nanos = divmod(ts_ns, 10**9)
    date, clock = time.strftime("%Y%m%d %H:%M:%S", time.gmtime(seconds)).encode().split()
    return b"272=%b\x01273=%b.%06d\x01" % (date, clock, nanos // 1000)
