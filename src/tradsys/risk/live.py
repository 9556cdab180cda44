"""Risk of accounts that trade: positions, marks and limits in, figures out; each trade and mark is an update, not a sum.

No clocks, no sockets: whoever follows a venue calls ``take`` for each trade and ``mark`` for each price, and asks for the
``figures`` of the portfolios in ``changed``. A portfolio is an account, or a participant with all its accounts.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from tradsys.risk.holdings import Holding, Trade
from tradsys.risk.incremental import HistoricalRisk, NormalRisk
from tradsys.risk.inputs import number
from tradsys.risk.margin import concentration

Key = tuple[int, int | None]  # participant_id, account_id; None: all its accounts

MID, AUCTION, TRADE, OWN = "mid", "auction", "trade", "own"  # where a mark comes from


class Terms(NamedTuple):
    """What has to be known of an instrument."""

    instrument_id: int
    symbol: str
    currency: str
    tick: float  # size of a tick, in the currency
    lot: float  # size of a lot, in units
    asset: int | None  # its column of the model; None: it has no history


class Mark(NamedTuple):
    """What a unit of an instrument is worth."""

    half_ticks: int  # price in half ticks: the middle of two prices is one
    source: str  # MID, AUCTION, TRADE or OWN
    ts_ns: int  # when it was last known to hold


class PositionFigures(NamedTuple):
    """One instrument of a portfolio."""

    symbol: str
    instrument_id: int
    lots: int
    average: float | None  # price
    mark: float  # price
    source: str
    mark_ts_ns: int
    exposure: float  # amount in the base currency
    pnl: float  # amount in the base currency, since the first trade
    component_var: float | None  # None: no history


class Figures(NamedTuple):
    """A portfolio; amounts in the base currency."""

    net: float
    gross: float
    long: float
    short: float
    var: float | None
    es: float | None
    pnl: float
    realised: float
    unrealised: float
    concentration: float
    trades: int
    positions: tuple[PositionFigures, ...]
    without_history: tuple[str, ...]  # symbols held that the VaR does not know
    without_rate: tuple[str, ...]  # currencies held that cannot be converted: their amounts are left out


class Portfolio:
    """Holdings and their incremental risk.

    Invariant: the exposure the risk has of each asset is the sum of lots x lot x mark x rate over its instruments.
    """

    __slots__ = ("exposures", "holdings", "risk", "trades")

    def __init__(self, risk: NormalRisk | HistoricalRisk) -> None:
        self.risk = risk
        self.holdings: dict[int, Holding] = {}  # instrument_id
        self.exposures: dict[int, float] = {}  # instrument_id: amount in the base currency
        self.trades = 0


class LiveRisk:
    """Portfolios of all accounts, kept up to date. Not for several threads at a time.

    Parameters
    ----------
    model
        A portfolio of nothing: its covariance or history, level and horizon are everybody's.
    base
        Currency of all amounts.
    rates
        Amount of the base currency for a unit of another one; ``set_rate`` changes them.

    Raises
    ------
    RiskError
        OUT_OF_RANGE: a rate that is not above 0, or not finite.
    """

    def __init__(
        self, model: NormalRisk | HistoricalRisk, base: str, rates: Mapping[str, float] | None = None
    ) -> None:
        self.base = base
        self.terms: dict[int, Terms] = {}
        self.by_symbol: dict[str, Terms] = {}
        self.marks: dict[int, Mark] = {}
        self.rates: dict[str, float] = {c: self._rate(c, rate) for c, rate in {**(rates or {}), base: 1.0}.items()}
        self.portfolios: dict[Key, Portfolio] = {}
        self.changed: dict[Key, None] = {}  # in the order of change
        self._model = model
        self._holders: dict[int, set[Key]] = {}  # instrument_id

    # ---------------------------------------------------------------- what happens

    def define(self, terms: Terms) -> None:
        """Take in an instrument; one that is known keeps its terms."""
        if terms.instrument_id not in self.terms:
            self.terms[terms.instrument_id] = terms
            self.by_symbol[terms.symbol] = terms

    def take(self, trade: Trade) -> None:
        """Add a trade to its account and its participant; O(assets).

        Raises
        ------
        KeyError
            The symbol is not defined: an instrument is defined before it trades.
        """
        terms = self.by_symbol[trade.symbol]
        mark = self.marks.get(terms.instrument_id)
        if mark is None or (mark.source == OWN and mark.ts_ns <= trade.ts_ns):
            self.mark(terms.instrument_id, Mark(2 * trade.ticks, OWN, trade.ts_ns))
        for key in ((trade.participant_id, trade.account_id), (trade.participant_id, None)):
            portfolio = self.portfolios.get(key)
            if portfolio is None:
                portfolio = self.portfolios[key] = Portfolio(self._model.sibling())
            holding = portfolio.holdings.get(terms.instrument_id)
            if holding is None:
                holding = portfolio.holdings[terms.instrument_id] = Holding()
                self._holders.setdefault(terms.instrument_id, set()).add(key)
            holding.take(trade)
            portfolio.trades += 1
            self._expose(key, portfolio, terms)

    def mark(self, instrument_id: int, mark: Mark) -> bool:
        """Say what an instrument is worth; whether the price is another one. O(holders x assets)."""
        before = self.marks.get(instrument_id)
        self.marks[instrument_id] = mark
        if before is not None and before.half_ticks == mark.half_ticks:
            return False
        for key in self._holders.get(instrument_id, ()):
            self._expose(key, self.portfolios[key], self.terms[instrument_id])
        return True

    def set_rate(self, currency: str, rate: float) -> None:
        """Say what a currency is worth in the base currency.

        Raises
        ------
        RiskError
            OUT_OF_RANGE: not above 0, or not finite.
        """
        self._rate(currency, rate)
        if currency == self.base or self.rates.get(currency) == rate:
            return
        self.rates[currency] = rate
        for terms in self.terms.values():
            if terms.currency == currency:
                for key in self._holders.get(terms.instrument_id, ()):
                    self._expose(key, self.portfolios[key], terms)

    def forget(self, participant_id: int) -> None:
        """Drop what is known of a participant; its portfolios count as changed until they are asked for."""
        for key in [key for key in self.portfolios if key[0] == participant_id]:
            for instrument_id in self.portfolios.pop(key).holdings:
                self._holders[instrument_id].discard(key)
            self.changed[key] = None

    # ---------------------------------------------------------------- what is asked

    def figures(self, key: Key) -> Figures:
        """Figures of a portfolio; of one without trades all zero. O(assets + positions)."""
        portfolio = self.portfolios.get(key) or Portfolio(self._model)
        components = portfolio.risk.component_var() if any(portfolio.exposures.values()) else None
        by_asset: dict[int, float] = {}
        for terms in self._held(portfolio):
            if terms.asset is not None:
                by_asset[terms.asset] = (
                    by_asset.get(terms.asset, 0.0) + portfolio.exposures[terms.instrument_id]
                )
        positions = tuple(
            self._position(portfolio, terms, components, by_asset) for terms in self._held(portfolio)
        )
        exposures = np.array([position.exposure for position in positions])
        held = [terms for terms in self._held(portfolio) if portfolio.holdings[terms.instrument_id].lots]
        unknown = tuple(terms.symbol for terms in held if terms.asset is None)
        is_known = not held or len(unknown) < len(held)
        var, es = portfolio.risk.figures() if held and is_known else (0.0, 0.0)
        pnl = sum(position.pnl for position in positions)
        unrealised = sum(
            self._amount(t, portfolio.holdings[t.instrument_id].unrealised(self._half(t))) for t in held
        )
        long = float(exposures[exposures > 0.0].sum())
        short = float(exposures[exposures < 0.0].sum())
        return Figures(
            long + short, long - short, long, short, float(var) + 0.0 if is_known else None,
            float(es) + 0.0 if is_known else None, pnl, pnl - unrealised, unrealised,
            concentration(exposures) if exposures.any() else 0.0, portfolio.trades, positions, unknown,
            tuple(sorted({t.currency for t in self._held(portfolio) if t.currency not in self.rates})),
        )  # fmt: skip

    def check(self) -> None:
        """Assert the invariants: exposures are those of the holdings, participants are the sums of their accounts."""
        sums: dict[tuple[int, int], list[int]] = {}
        for (participant_id, account_id), portfolio in self.portfolios.items():
            portfolio.risk.check()
            held = np.zeros(len(portfolio.risk.exposures))
            for instrument_id, holding in portfolio.holdings.items():
                terms = self.terms[instrument_id]
                exposure = self._amount(terms, holding.lots * self._half(terms) / 2)
                assert abs(exposure - portfolio.exposures[instrument_id]) <= 1e-9 * max(1.0, abs(exposure))
                if terms.asset is not None:
                    held[terms.asset] += exposure
                total = sums.setdefault((participant_id, instrument_id), [0, 0])
                total[0] += holding.lots if account_id is None else -holding.lots
                total[1] += holding.cash if account_id is None else -holding.cash
            scale = max(1.0, float(np.abs(held).max(initial=0.0)))
            assert np.abs(held - portfolio.risk.exposures).max(initial=0.0) <= 1e-6 * scale
        assert not any(any(total) for total in sums.values()), "accounts add up to their participant"

    # ---------------------------------------------------------------- how

    def _expose(self, key: Key, portfolio: Portfolio, terms: Terms) -> None:
        """Bring the exposure to one instrument to what its holding is worth."""
        holding = portfolio.holdings[terms.instrument_id]
        now = self._amount(terms, holding.lots * self._half(terms) / 2)
        before = portfolio.exposures.get(terms.instrument_id, 0.0)
        portfolio.exposures[terms.instrument_id] = now
        if terms.asset is not None and now != before:
            portfolio.risk.fill(terms.asset, now - before)
        self.changed[key] = None

    def _rate(self, currency: str, rate: float) -> float:
        return number(f"the rate of {currency}/{self.base}", rate, 0.0, 1e300)

    def _held(self, portfolio: Portfolio) -> Iterator[Terms]:
        for instrument_id in sorted(portfolio.holdings):
            yield self.terms[instrument_id]

    def _half(self, terms: Terms) -> int:
        return self.marks[terms.instrument_id].half_ticks

    def _amount(self, terms: Terms, tick_lots: float) -> float:
        """Tick-lots of an instrument in the base currency; 0 where there is no rate."""
        return tick_lots * terms.tick * terms.lot * self.rates.get(terms.currency, 0.0)

    def _position(
        self, portfolio: Portfolio, terms: Terms, components: np.ndarray | None, by_asset: Mapping[int, float]
    ) -> PositionFigures:
        holding, mark = portfolio.holdings[terms.instrument_id], self.marks[terms.instrument_id]
        exposure, average = portfolio.exposures[terms.instrument_id], holding.average_ticks
        component = None
        if terms.asset is not None:
            whole = by_asset[terms.asset]
            component = (
                float(components[terms.asset]) * exposure / whole if components is not None and whole else 0.0
            )
        return PositionFigures(
            terms.symbol, terms.instrument_id, holding.lots, None if average is None else average * terms.tick,
            mark.half_ticks * terms.tick / 2, mark.source, mark.ts_ns, exposure,
            self._amount(terms, holding.pnl(mark.half_ticks)), component,
        )  # fmt: skip
