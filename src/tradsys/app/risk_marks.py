"""What instruments are worth, from the public feed: the middle of the book, the price of an auction, the last trade."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from tradsys.client.feed_client import FeedClient
from tradsys.client.packets import FeedPacket
from tradsys.core.book_view import BookView
from tradsys.risk.live import AUCTION, MID, TRADE, Mark
from tradsys.units import InstrumentUnits, Unit
from tradsys.wire.enums import AssetClass, AuctionNews, Channel, InstrumentState, Template

HEARD_NS = 3 * 10**9  # an idle feed beats four times a second; after this time without anything it is silent
NO_PRICE = -(2**63)
# states whose book is none to trade at: orders collect, or trade at the closing price alone
COLLECTING = frozenset({
    InstrumentState.PRE_OPEN, InstrumentState.OPENING_AUCTION, InstrumentState.VOLATILITY_AUCTION,
    InstrumentState.CLOSING_AUCTION, InstrumentState.NAV_COLLECTION, InstrumentState.TRADE_AT_CLOSE,
})  # fmt: skip


class Listed(NamedTuple):
    """An instrument as the feed defines it."""

    instrument_id: int
    symbol: str
    currency: str
    asset_class: str
    units: InstrumentUnits


class FeedMarks:
    """Follows the feed for definitions and prices.

    Parameters
    ----------
    line_a, line_b, recovery : str or None
        Addresses of the feed.
    """

    def __init__(self, line_a: str | None, line_b: str | None, recovery: str | None) -> None:
        self.client = FeedClient(line_a, line_b, recovery, channels=(Channel.TRADES,), books=True)
        self.listed: dict[int, Listed] = {}
        self.by_symbol: dict[str, Listed] = {}
        self._views: dict[int, BookView] = {}
        self._trades: dict[int, tuple[int, int]] = {}  # instrument_id: ticks, when [ns]

    def poll(self) -> list[Listed]:
        """Take what has come; instruments that are new."""
        for packet in self.client.poll(0):
            self._take(packet)
        self.client.take_events()
        if len(self.client.definitions) == len(self.listed):
            return []
        return self._define()

    def mark(self, instrument_id: int, now_ns: int) -> Mark | None:
        """What a unit is worth now; None: nothing is known."""
        definition = self.client.definitions.get(instrument_id)
        state = 0 if definition is None else int(definition["state"])
        if state in COLLECTING:
            made = self._auction(instrument_id, state)
        else:
            made = None if self.is_silent else self._middle(instrument_id, now_ns)
        if made is not None:
            return made
        last = self._trades.get(instrument_id)
        return None if last is None else Mark(2 * last[0], TRADE, last[1])

    def _middle(self, instrument_id: int, now_ns: int) -> Mark | None:
        """Between the best prices; None: one is missing, the book is not known to be right, or a call has left it crossed."""
        view = self._views.get(instrument_id)
        if view is None:
            view = self._views[instrument_id] = self.client.book(instrument_id)
        if view.stale:
            return None
        best = view.best()
        bid, ask = best.bid_price_ticks, best.ask_price_ticks
        if bid is None or ask is None or bid >= ask:
            return None
        return Mark(bid + ask, MID, now_ns)

    def _auction(self, instrument_id: int, state: int) -> Mark | None:
        """What the auction would come to; where orders trade at the closing price, what it came to. None: nothing matches."""
        told = self.client.auctions.get(instrument_id)
        if told is None:
            return None
        is_over = told["auction_news"] == AuctionNews.UNCROSSED
        if state == InstrumentState.TRADE_AT_CLOSE:
            if not is_over or told["state"] != InstrumentState.CLOSING_AUCTION:
                return None
            closing = told["price_ticks"] if told["price_ticks"] != NO_PRICE else told["reference_price_ticks"]
            return None if closing == NO_PRICE else Mark(2 * int(closing), AUCTION, int(told["ts_ns"]))
        if is_over or told["state"] != state or told["price_ticks"] == NO_PRICE:
            return None
        return Mark(2 * int(told["price_ticks"]), AUCTION, int(told["ts_ns"]))

    @property
    def is_silent(self) -> bool:
        """Whether nothing has come for some time."""
        now_ns = time.monotonic_ns()
        ages = [self.client.core.line_age_ns(line, now_ns) for line in self.client.lines]
        heard_ns = min((age for age in ages if age is not None), default=None)
        return heard_ns is None or heard_ns > HEARD_NS

    def close(self) -> None:
        """Close the sockets."""
        self.client.close()

    def _define(self) -> list[Listed]:
        fresh = []
        for instrument_id, record in self.client.definitions.items():
            if instrument_id in self.listed:
                continue
            listed = Listed(
                instrument_id, _text(record["symbol"]), _text(record["currency"]), AssetClass(int(record["asset_class"])).name,
                InstrumentUnits(
                    Unit(int(record["tick_mantissa"]), int(record["tick_exponent"])),
                    Unit(int(record["lot_mantissa"]), int(record["lot_exponent"])),
                ),
            )  # fmt: skip
            self.listed[instrument_id] = self.by_symbol[listed.symbol] = listed
            fresh.append(listed)
        return fresh

    def _take(self, packet: FeedPacket) -> None:
        for record in packet:
            if record["template_id"] == Template.MD_TRADE:
                self._trades[int(record["instrument_id"])] = int(record["price_ticks"]), int(record["ts_ns"])
            elif record["template_id"] == Template.MD_STATISTICS:
                self._statistics(record)

    def _statistics(self, record: np.void) -> None:
        """The last price of before we listened."""
        ticks, instrument_id = int(record["last_price_ticks"]), int(record["instrument_id"])
        if ticks != NO_PRICE and int(record["trade_count"]):
            before = self._trades.get(instrument_id)
            if before is None or before[1] <= int(record["ts_ns"]):
                self._trades[instrument_id] = ticks, int(record["ts_ns"])


def _text(field: bytes) -> str:
    return bytes(field).decode("ascii", "replace").rstrip("\0")
