"""Simulated participants: market makers around a drifting fundamental price, noise and momentum traders, a whale.

Each trader is one session. It decides from the fundamental price, as it sees it, and from its own reports;
it draws from its own seeded generator. Prices are floats only up to the moment an order is made.
"""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from tradsys.app.demo_world import DemoInstrument
from tradsys.connectors.replay_report import Report
from tradsys.units import InstrumentUnits
from tradsys.wire.commands import cancel_order, new_order, replace_order
from tradsys.wire.enums import OrderFlags, OrderType, RejectReason, ReportType, Side, TimeInForce

# plain integers: a look at a member of an enum costs more than all the rest of hearing a report
EXECUTED, CANCELED = int(ReportType.EXECUTED), int(ReportType.CANCELED)
REPLACED, REJECTED = int(ReportType.REPLACED), int(ReportType.REJECTED)
UNKNOWN_ORDER = int(RejectReason.UNKNOWN_ORDER)
BUY = int(Side.BUY)
TREND_SECONDS = 4.0  # how far back momentum looks
LADDER_LEVELS = 10  # quotes of a market maker on each side
FILLED_MAX = 100  # usual orders filled of one quote before it is put anew
PASSIVE_ORDERS_MAX = 40  # resting orders of a noise trader


@dataclass(slots=True)
class Fundamental:
    """The price an instrument is drawn to, in ticks: a random walk with a slow pull home and rare jumps."""

    item: DemoInstrument
    instrument_id: int
    rng: random.Random
    price: float = 0.0  # ticks
    home: float = 0.0  # ticks
    drift: float = 0.0  # ticks a second, changes its mind now and then
    past: deque[tuple[float, float]] = field(default_factory=deque)  # (second, price), TREND_SECONDS long

    def __post_init__(self) -> None:
        units = InstrumentUnits.parse(self.item.tick, self.item.lot)
        self.price = self.home = float(units.price_ticks(self.item.price))

    def advance(self, now_s: float, elapsed_s: float) -> None:
        """Walk on by ``elapsed_s`` seconds."""
        sigma = self.item.volatility_ticks
        if self.rng.random() < 0.1 * elapsed_s:
            self.drift = self.rng.gauss(0.0, 0.4 * sigma)
        if self.rng.random() < 0.02 * elapsed_s:
            self.price += self.rng.gauss(0.0, 8.0 * sigma)
        pull = 0.002 * (self.home - self.price)
        self.price += (self.drift + pull) * elapsed_s + self.rng.gauss(0.0, sigma) * elapsed_s**0.5
        self.price = max(self.price, 20.0 + 4.0 * self.item.spread_ticks)
        self.past.append((now_s, self.price))
        while self.past[0][0] < now_s - TREND_SECONDS:
            self.past.popleft()

    @property
    def trend(self) -> float:
        """Change over the last seconds, in standard deviations."""
        return (
            (self.price - self.past[0][1]) / (self.item.volatility_ticks * TREND_SECONDS**0.5)
            if self.past
            else 0.0
        )


class Trader(ABC):
    """One simulated participant.

    Parameters
    ----------
    name : str
        Of its session.
    rate : float
        Decisions a second.
    """

    def __init__(self, name: str, rate: float, markets: list[Fundamental], rng: random.Random) -> None:
        self.name = name
        self.rate = rate
        self.markets = markets
        self.rng = rng
        self._weights = [market.item.weight for market in markets]
        self.matches = 0
        self.refused = 0
        self._next_ref = 0
        self._due_s = -math.inf

    def act(self, now_s: float) -> list[np.ndarray]:
        """Commands of all decisions that are due: none before the first call, at most a second's worth after a pause."""
        self._due_s = max(self._due_s, now_s - 1.0) if math.isfinite(self._due_s) else now_s
        commands: list[np.ndarray] = []
        while self._due_s <= now_s:
            self._due_s += self.rng.expovariate(self.rate)
            commands += self.decide(self.rng.choices(self.markets, self._weights)[0])
        return commands

    @abstractmethod
    def decide(self, market: Fundamental) -> list[np.ndarray]:
        """Commands of one decision about one instrument."""

    def hear(self, report: Report) -> None:
        """Take one execution report; those that know more do more."""
        self.matches += int(report.report_type == EXECUTED)
        self.refused += int(report.report_type == REJECTED)

    def ref(self) -> int:
        """A reference not used before in this run; the venue has cancelled what was left of an earlier one."""
        self._next_ref += 1
        return self._next_ref

    def quantity(self, market: Fundamental, scale: float = 1.0) -> int:
        """A quantity around the usual one, in lots; sometimes much larger."""
        return max(1, round(market.item.size_lots * scale * self.rng.lognormvariate(0.0, 0.7)))


@dataclass(slots=True)
class Quote:
    """A live quote of a market maker; it is left alone until the venue has answered its last change."""

    ref: int
    price_ticks: int  # as the venue has it
    filled_lots: int = 0  # a replace names the total: these and what is to rest
    ref_before: int = 0  # while a replace or a cancel is on its way: what the order is called if that is refused


class MarketMaker(Trader):
    """Keeps a ladder of quotes on both sides of each instrument, leaning against its inventory."""

    def __init__(self, name: str, rate: float, markets: list[Fundamental], rng: random.Random) -> None:
        super().__init__(name, rate, markets, rng)
        self._quotes: dict[tuple[int, int, int], Quote] = {}  # (instrument_id, side, level)
        self._where: dict[int, tuple[int, int, int]] = {}  # reference -> key of the quote
        self._inventory: dict[int, int] = {market.instrument_id: 0 for market in markets}  # lots
        self._bias = rng.uniform(-0.2, 0.2)

    def decide(self, market: Fundamental) -> list[np.ndarray]:
        """Bring a few quotes of one instrument to where they should be."""
        commands = []
        skew = -self._inventory[market.instrument_id] / (40.0 * market.item.size_lots)
        centre = market.price + (self._bias + max(-2.0, min(2.0, skew))) * market.item.spread_ticks
        first = 0 if self.rng.random() < 0.6 else self.rng.randrange(LADDER_LEVELS)
        levels = {first, self.rng.randrange(LADDER_LEVELS)}
        # the side the price comes to makes way first: one of our own met by the other side is cancelled by the venue
        for side in (Side.SELL, Side.BUY) if market.trend > 0 else (Side.BUY, Side.SELL):
            for level in levels:
                commands += self._requote(market, side, level, centre)
        return commands

    def _requote(self, market: Fundamental, side: Side, level: int, centre: float) -> list[np.ndarray]:
        item = market.item
        distance = item.spread_ticks * (0.5 + level) + self.rng.uniform(0.0, 0.4 * item.spread_ticks)
        price = int(centre - distance) if side == Side.BUY else int(centre + distance) + 1
        key = market.instrument_id, int(side), level
        quote = self._quotes.get(key)
        if quote is not None and (
            quote.ref_before or abs(quote.price_ticks - price) <= max(0, item.spread_ticks // 3)
        ):
            return []
        quantity, ref = self.quantity(market, 0.6 + 0.25 * level), self.ref()
        if quote is None:
            self._quotes[key], self._where[ref] = Quote(ref, price), key
            return [
                new_order(
                    instrument_id=market.instrument_id,
                    side=side,
                    qty_lots=quantity,
                    client_ref=ref,
                    price_ticks=price,
                )
            ]
        quote.ref_before = quote.ref
        # some are pulled, to be put again later; so are those whose total would outgrow what an order may have
        if self.rng.random() < 0.03 or quote.filled_lots > FILLED_MAX * item.size_lots:
            return [
                cancel_order(instrument_id=market.instrument_id, client_ref=ref, orig_client_ref=quote.ref)
            ]
        quote.ref, self._where[ref] = ref, key
        return [
            replace_order(
                instrument_id=market.instrument_id,
                client_ref=ref,
                orig_client_ref=quote.ref_before,
                price_ticks=price,
                qty_lots=quote.filled_lots + quantity,
            )
        ]

    def hear(self, report: Report) -> None:
        """Follow inventory and quotes, and forget those that have ended."""
        super().hear(report)
        ref, kind = report.client_ref, report.report_type
        quote = self._quote_of(ref)
        if kind == EXECUTED:
            lots = report.qty_lots
            self._inventory[report.instrument_id] += lots if report.side == BUY else -lots
            if quote is not None:
                quote.filled_lots += lots
        elif kind == REPLACED:
            self._where.pop(report.orig_client_ref, None)
            if quote is not None:
                quote.price_ticks, quote.ref_before = report.price_ticks, 0
        elif kind == REJECTED and quote is not None and quote.ref_before and report.reject_reason != UNKNOWN_ORDER:
            del self._where[ref]
            quote.ref, quote.ref_before = quote.ref_before, 0  # what was to be changed rests as it did
            return
        if kind in (CANCELED, REJECTED) or (kind == EXECUTED and not report.leaves_lots):
            self._forget(ref)

    def _quote_of(self, ref: int) -> Quote | None:
        key = self._where.get(ref)
        return None if key is None else self._quotes.get(key)

    def _forget(self, ref: int) -> None:
        key = self._where.pop(ref, None)
        if key is not None and key in self._quotes and self._quotes[key].ref == ref:
            del self._quotes[key]


class NoiseTrader(Trader):
    """Trades for reasons of its own: takes what is there, or leaves a passive order for a while."""

    def __init__(self, name: str, rate: float, markets: list[Fundamental], rng: random.Random) -> None:
        super().__init__(name, rate, markets, rng)
        self._passive: deque[tuple[int, int]] = deque()  # (instrument_id, reference), oldest first
        self._live: set[int] = set()

    def decide(self, market: Fundamental) -> list[np.ndarray]:
        """One order, sometimes with the cancel of an older one."""
        side = self.rng.choice((Side.BUY, Side.SELL))
        sign = 1 if side == Side.BUY else -1
        how = self.rng.random()
        if how < 0.12:
            return [self._order(market, side, 0, TimeInForce.IOC, OrderType.MARKET)]
        if how < 0.55:
            price = round(market.price + sign * market.item.spread_ticks * self.rng.uniform(0.5, 3.0))
            return [self._order(market, side, price, TimeInForce.IOC)]
        offset = market.item.spread_ticks * self.rng.expovariate(0.5)
        commands = [self._order(market, side, round(market.price - sign * offset), TimeInForce.DAY)]
        while len(self._passive) > PASSIVE_ORDERS_MAX or (self._passive and self.rng.random() < 0.45):
            instrument_id, ref = self._passive.popleft()
            if ref in self._live:
                commands.append(
                    cancel_order(instrument_id=instrument_id, client_ref=self.ref(), orig_client_ref=ref)
                )
        return commands

    def _order(
        self,
        market: Fundamental,
        side: Side,
        price: int,
        force: TimeInForce,
        kind: OrderType = OrderType.LIMIT,
    ) -> np.ndarray:
        ref = self.ref()
        if force == TimeInForce.DAY:
            self._passive.append((market.instrument_id, ref))
            self._live.add(ref)
        return new_order(
            instrument_id=market.instrument_id,
            side=side,
            qty_lots=self.quantity(market, 0.5),
            client_ref=ref,
            price_ticks=price,
            time_in_force=force,
            order_type=kind,
        )

    def hear(self, report: Report) -> None:
        """Forget orders that have ended."""
        super().hear(report)
        kind = report.report_type
        if kind in (CANCELED, REJECTED) or not report.leaves_lots:
            self._live.discard(report.client_ref)


class MomentumTrader(Trader):
    """Follows a trend of the last seconds with immediate-or-cancel orders."""

    def decide(self, market: Fundamental) -> list[np.ndarray]:
        """An order when the trend is strong enough."""
        if abs(market.trend) < 1.2:
            return []
        side = Side.BUY if market.trend > 0 else Side.SELL
        reach = 1.5 * market.item.spread_ticks
        price = round(market.price + (reach if side == Side.BUY else -reach))
        return [
            new_order(
                instrument_id=market.instrument_id,
                side=side,
                qty_lots=self.quantity(market, min(3.0, abs(market.trend))),
                client_ref=self.ref(),
                price_ticks=price,
                time_in_force=TimeInForce.IOC,
            )
        ]


class Whale(Trader):
    """Works a large order now and then: a burst of aggressive slices, or one visible block on the book."""

    def __init__(self, name: str, rate: float, markets: list[Fundamental], rng: random.Random) -> None:
        super().__init__(name, rate, markets, rng)
        self._block = 0  # reference of the block on the book
        self._block_instrument = 0

    def decide(self, market: Fundamental) -> list[np.ndarray]:
        """A sweep or a block."""
        side = self.rng.choice((Side.BUY, Side.SELL))
        sign = 1 if side == Side.BUY else -1
        commands = []
        if self._block:
            block, self._block = self._block, 0
            commands.append(
                cancel_order(
                    instrument_id=self._block_instrument, client_ref=self.ref(), orig_client_ref=block
                )
            )
        if self.rng.random() < 0.4:
            self._block, self._block_instrument = self.ref(), market.instrument_id
            price = round(market.price - sign * 3 * market.item.spread_ticks)
            commands.append(self._slice(market, side, price, 25.0, TimeInForce.DAY, self._block))
            return commands
        reach = market.item.spread_ticks * self.rng.uniform(2.0, 7.0)
        price = round(market.price + sign * reach)
        slices = self.rng.randint(2, 6)
        return commands + [
            self._slice(market, side, price, 4.0, TimeInForce.IOC, self.ref()) for _ in range(slices)
        ]

    def _slice(
        self, market: Fundamental, side: Side, price: int, scale: float, force: TimeInForce, ref: int
    ) -> np.ndarray:
        return new_order(
            instrument_id=market.instrument_id,
            side=side,
            qty_lots=self.quantity(market, scale),
            client_ref=ref,
            price_ticks=price,
            time_in_force=force,
            order_flags=OrderFlags(0),
        )

    def hear(self, report: Report) -> None:
        """Forget a block that has ended."""
        super().hear(report)
        kind = report.report_type
        ended = kind in (CANCELED, REJECTED) or not report.leaves_lots
        if ended and report.client_ref == self._block:
            self._block = 0
