"""Goal: accounts fill by fill are what their trades add up to. Method: seeded trades, marks and rates in any order, worked
out again from all trades; the model that stands still; accounts of nothing."""

from fractions import Fraction

import numpy as np
import pytest

from tradsys.risk.holdings import Holding, Trade
from tradsys.risk.incremental import HistoricalRisk, NormalRisk
from tradsys.risk.live import MID, OWN, LiveRisk, Mark, Terms

TERMS = [
    Terms(1, "AAA", "USD", 0.01, 1.0, 0), Terms(2, "BBB", "EUR", 0.5, 0.001, 1), Terms(3, "CCC", "USD", 0.01, 1.0, 1),
    Terms(4, "NEW", "USD", 1.0, 1.0, None),
]  # fmt: skip


def models():
    rng = np.random.default_rng(1)
    returns = rng.normal(0, [0.01, 0.03], (400, 2)) @ np.array([[1.0, 0.4], [0.0, 1.0]])
    return [NormalRisk(np.cov(returns.T), 0.99), HistoricalRisk(returns, 0.99)]


def trade(exec_id, lots, ticks, symbol="AAA", participant=1, account=0):
    return Trade((exec_id, 0), participant, account, symbol, lots, ticks, exec_id * 1000)


@pytest.mark.parametrize("seed", range(20))
def test_a_holding_is_exact(seed):
    rng = np.random.default_rng(seed)
    holding, cash, lots = Holding(), 0, 0
    for number in range(200):
        made = trade(
            number,
            int(rng.integers(1, 2**39)) * int(rng.choice([-1, 1])),
            int(rng.integers(-(10**6), 10**12)),
        )
        holding.take(made)
        cash, lots = cash - made.lots * made.ticks, lots + made.lots
        assert (holding.cash, holding.lots) == (cash, lots)
    half = int(rng.integers(0, 10**9))
    assert holding.pnl(half) == float(Fraction(2 * cash + lots * half, 2))
    assert holding.pnl(half) == pytest.approx(
        holding.pnl(half) - holding.unrealised(half) + holding.unrealised(half)
    )


def test_the_average_is_of_what_is_held():
    holding = Holding()
    for lots, ticks, average in (
        (10, 100, 100),
        (10, 200, 150),
        (-5, 500, 150),
        (-15, 1, None),
        (-4, 80, 80),
        (9, 90, 90),
    ):
        holding.take(trade(1, lots, ticks))
        assert holding.average_ticks == average
    assert holding.lots == 5
    assert holding.unrealised(2 * 100) == 5 * 10


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_figures_are_those_of_all_trades(kind, seed):
    rng = np.random.default_rng(seed)
    risk = LiveRisk(models()[kind], "USD", {"EUR": 1.1})
    for terms in TERMS:
        risk.define(terms)
    sums = {}
    for number in range(1, 400):
        what = rng.integers(0, 10)
        if what < 7:
            made = trade(
                number, int(rng.integers(1, 50)) * int(rng.choice([-1, 1])), int(rng.integers(90, 110)),
                TERMS[rng.integers(0, 4)].symbol, int(rng.integers(1, 3)), int(rng.choice([0, 7])),
            )  # fmt: skip
            risk.take(made)
            for account in (made.account_id, None):
                key = made.participant_id, account, made.symbol
                before = sums.get(key, (0, 0))
                sums[key] = before[0] + made.lots, before[1] - made.lots * made.ticks
        elif what < 9:
            risk.mark(int(rng.integers(1, 5)), Mark(int(rng.integers(180, 220)), MID, number))
        else:
            risk.set_rate("EUR", float(rng.uniform(0.9, 1.3)))
    risk.check()
    for key in list(risk.portfolios):
        figures = risk.figures(key)
        exposures = np.zeros(2)
        net = pnl = 0.0
        for terms in TERMS:
            lots, cash = sums.get((*key, terms.symbol), (0, 0))
            if not lots and not cash:
                continue
            unit = terms.tick * terms.lot * risk.rates[terms.currency]
            half = risk.marks[terms.instrument_id].half_ticks
            net += lots * half / 2 * unit
            pnl += (cash + lots * half / 2) * unit
            if terms.asset is not None:
                exposures[terms.asset] += lots * half / 2 * unit
        fresh = models()[kind].sibling()
        for asset in range(2):
            fresh.fill(asset, exposures[asset])
        assert (figures.net, figures.pnl) == pytest.approx((net, pnl))
        assert (figures.var, figures.es) == pytest.approx(tuple(fresh.figures()), rel=1e-6, abs=1e-9)
        assert sum(p.component_var or 0.0 for p in figures.positions) == pytest.approx(
            figures.var, rel=1e-6, abs=1e-9
        )
        assert figures.without_history == ("NEW",) or not sums.get((*key, "NEW"), (0, 0))[0]
        assert figures.net == pytest.approx(figures.long + figures.short)
        assert figures.gross == pytest.approx(figures.long - figures.short)


def test_marks_of_our_own_give_way():
    risk = LiveRisk(models()[0], "USD")
    for terms in TERMS:
        risk.define(terms)
    risk.take(trade(1, 5, 100))
    assert risk.marks[1] == Mark(200, OWN, 1000)
    assert risk.mark(1, Mark(210, MID, 2000))
    assert not risk.mark(1, Mark(210, MID, 3000))
    risk.take(trade(4, 5, 100))
    assert risk.marks[1].source == MID
    assert risk.figures((1, 0)).net == pytest.approx(10 * 1.05)


def test_what_cannot_be_converted_or_is_unknown_is_named():
    risk = LiveRisk(models()[0], "USD")
    for terms in TERMS:
        risk.define(terms)
    risk.take(trade(1, 5, 100, "BBB"))
    risk.take(trade(2, 5, 100, "NEW", account=7))
    assert risk.figures((1, 0)).without_rate == ("EUR",)
    only_new = risk.figures((1, 7))
    assert (only_new.var, only_new.es, only_new.without_history) == (None, None, ("NEW",))
    with pytest.raises(KeyError):
        risk.take(trade(3, 1, 1, "ZZZ"))
    nothing = risk.figures((9, None))
    assert (nothing.net, nothing.var, nothing.positions, nothing.trades) == (0.0, 0.0, (), 0)


def test_what_is_forgotten_is_gone_and_told():
    risk = LiveRisk(models()[0], "USD")
    risk.define(TERMS[0])
    risk.take(trade(1, 5, 100))
    risk.take(trade(2, 5, 100, participant=2))
    risk.changed.clear()
    risk.forget(1)
    assert set(risk.changed) == {(1, 0), (1, None)}
    assert risk.figures((1, None)).gross == 0.0
    risk.mark(1, Mark(300, MID, 1))
    assert set(risk.portfolios) == {(2, 0), (2, None)}
    risk.check()


def test_siblings_share_the_model():
    for model in models():
        one, two = model.sibling(), model.sibling()
        one.fill(0, 100.0)
        assert tuple(two.figures()) == (0.0, 0.0)
        one.check()
        two.check()
        assert one.figures().var > 0
        one.refresh()
        one.check()
