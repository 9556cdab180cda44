"""Keeps a `MarketState` up to date from the public feed: books, trades, statistics, definitions, gaps, rates."""

from __future__ import annotations

import time
from struct import Struct

from tradsys.app.market_state import InstrumentState, Level, MarketState, Trade
from tradsys.client.feed_client import FeedClient
from tradsys.client.packets import FRAME_HEAD_BYTES, FeedPacket
from tradsys.core.book_view import BookView
from tradsys.units import InstrumentUnits, Unit
from tradsys.wire import enums
from tradsys.wire.enums import AssetClass, Channel, Side, Template
from tradsys.wire.records import HEADER_BYTES, MD_STATISTICS, MD_TRADE

LEVELS_SHOWN = 20
RATE_SECONDS = 1.0
LINES = 2  # A and B
HEARD_SECONDS = 5.0  # an idle feed beats four times a second; after this time without anything it is called silent
_HEAD = Struct("<HH")  # block_length, template_id


def _fields(dtype: object, *names: str) -> tuple[int, ...]:
    """Offsets of a record's fields."""
    return tuple(dtype.fields[name][1] for name in names)  # type: ignore[attr-defined]


_TRADE = _fields(MD_TRADE, "ts_ns", "price_ticks", "qty_lots", "instrument_id", "aggressor_side")
_STATISTICS = _fields(
    MD_STATISTICS,
    "instrument_id", "open_price_ticks", "high_price_ticks", "low_price_ticks", "last_price_ticks",
    "volume_lots", "trade_count",
)  # fmt: skip
_I64, _U64, _U32 = Struct("<q"), Struct("<Q"), Struct("<I")


class MarketFollower:
    """One reader of the feed.

    Parameters
    ----------
    state : MarketState
        Is brought up to date by ``refresh``.
    line_a, line_b, recovery : str or None
        Addresses of the feed.
    """

    def __init__(self, state: MarketState, line_a: str, line_b: str | None, recovery: str | None) -> None:
        self.state = state
        self.client = FeedClient(line_a, line_b, recovery, channels=(Channel.TRADES,), books=True)
        self._views: dict[int, BookView] = {}
        self._trades = 0  # seen in the feed since the start
        self._where = line_a
        self._started_ns = time.monotonic_ns()
        self._counted = (time.monotonic(), 0, 0)  # when, feed messages, trades

    def poll(self, timeout_s: float) -> None:
        """Take what has come; waits at most ``timeout_s``, and never longer than the feed client allows."""
        for packet in self.client.poll(int(timeout_s * 1000)):
            self._take(packet)

    def refresh(self) -> None:
        """Bring everything that is shown up to date."""
        self._define()
        for instrument_id, instrument in self.state.instruments.items():
            best = self._view(instrument_id).best(stale_ok=True)
            instrument.bid = _level(best.bid_price_ticks, best.bid_qty_lots, best.bid_order_count)
            instrument.ask = _level(best.ask_price_ticks, best.ask_qty_lots, best.ask_order_count)
        self._show_book()
        self._count()

    def close(self) -> None:
        """Close the feed."""
        self.client.close()

    def _view(self, instrument_id: int) -> BookView:
        view = self._views.get(instrument_id)
        if view is None:
            view = self._views[instrument_id] = self.client.book(instrument_id)
        return view

    def _define(self) -> None:
        for instrument_id, record in self.client.definitions.items():
            instrument = self.state.instruments.get(instrument_id)
            if instrument is None:
                instrument = self.state.instruments[instrument_id] = InstrumentState(
                    instrument_id,
                    bytes(record["symbol"]).decode("ascii", "replace").rstrip("\0"),
                    AssetClass(int(record["asset_class"])).name,
                    bytes(record["currency"]).decode("ascii", "replace").rstrip("\0"),
                    InstrumentUnits(
                        Unit(int(record["tick_mantissa"]), int(record["tick_exponent"])),
                        Unit(int(record["lot_mantissa"]), int(record["lot_exponent"])),
                    ),
                )
            instrument.state = enums.InstrumentState(int(record["state"])).name
        if self.state.selected not in self.state.instruments and self.state.instruments:
            self.state.selected = min(self.state.instruments)

    def _show_book(self) -> None:
        state = self.state
        if state.selected not in state.instruments:
            return
        view = self._view(state.selected)
        state.book_stale = view.stale
        state.bids = [Level(int(r[0]), int(r[1]), int(r[2])) for r in _depth(view, Side.BUY)]
        state.asks = [Level(int(r[0]), int(r[1]), int(r[2])) for r in _depth(view, Side.SELL)]

    def _count(self) -> None:
        figures = self.client.core.statistics()
        state = self.state
        state.feed_gaps = sum(channel["gaps"] for channel in figures.values())
        state.feed_healed = sum(channel["filled"] for channel in figures.values())
        state.feed_lost = sum(channel["lost"] for channel in figures.values())
        self._listen()
        messages = sum(channel["messages"] for channel in figures.values())
        before_s, before_messages, before_trades = self._counted
        now_s = time.monotonic()
        if now_s - before_s >= RATE_SECONDS:
            state.rates.feed_messages = (messages - before_messages) / (now_s - before_s)
            state.rates.trades = (self._trades - before_trades) / (now_s - before_s)
            self._counted = now_s, messages, self._trades

    def _listen(self) -> None:
        """Notice whether anything comes."""
        now_ns = time.monotonic_ns()
        ages = (self.client.core.line_age_ns(line, now_ns) for line in range(LINES))
        heard_ns = min((age for age in ages if age is not None), default=None)
        self.state.is_heard = heard_ns is not None
        is_silent = (now_ns - self._started_ns if heard_ns is None else heard_ns) >= HEARD_SECONDS * 1e9
        self.state.silent = f"nothing is heard from {self._where}" if is_silent else ""

    def _take(self, packet: FeedPacket) -> None:
        """Trades and statistics of one packet, read where they lie."""
        frame, at = packet.frame, FRAME_HEAD_BYTES
        for index in range(int(packet.head["message_count"])):
            block_bytes, template = _HEAD.unpack_from(frame, at)
            if index >= packet.skip:
                if template == Template.MD_TRADE:
                    self._trade(frame, at)
                elif template == Template.MD_STATISTICS:
                    self._statistics(frame, at)
            at += HEADER_BYTES + block_bytes

    def _trade(self, frame: bytes, at: int) -> None:
        ts, price, qty, instrument, side = (at + offset for offset in _TRADE)
        self._trades += 1
        trade = Trade(
            _I64.unpack_from(frame, ts)[0],
            _U32.unpack_from(frame, instrument)[0],
            _I64.unpack_from(frame, price)[0],
            _I64.unpack_from(frame, qty)[0],
            1 if frame[side] == Side.BUY else -1,
        )
        self.state.tape.append(trade)
        known = self.state.instruments.get(trade.instrument_id)
        if known is not None:
            known.last_ticks, known.last_side = trade.price_ticks, trade.side

    def _statistics(self, frame: bytes, at: int) -> None:
        instrument, first, high, low, last, volume, count = (at + offset for offset in _STATISTICS)
        known = self.state.instruments.get(_U32.unpack_from(frame, instrument)[0])
        if known is None:
            return
        known.open_ticks = _I64.unpack_from(frame, first)[0]
        known.high_ticks = _I64.unpack_from(frame, high)[0]
        known.low_ticks = _I64.unpack_from(frame, low)[0]
        known.last_ticks = _I64.unpack_from(frame, last)[0]
        known.volume_lots = _I64.unpack_from(frame, volume)[0]
        known.trade_count = _U64.unpack_from(frame, count)[0]


def _level(price_ticks: int | None, qty_lots: int, order_count: int) -> Level | None:
    return None if price_ticks is None else Level(price_ticks, qty_lots, order_count)


def _depth(view: BookView, side: Side) -> list[tuple[int, ...]]:
    return view.depth(side, LEVELS_SHOWN, stale_ok=True).tolist()
