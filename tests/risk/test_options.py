"""Goal: options are worth what the books say, and approximations stand to full revaluation as they should.

Method: the published tables, put-call parity, finite differences, moments of simulated quadratic forms.
"""

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradsys.errors import RiskError
from tradsys.risk import black_scholes as bs
from tradsys.risk import monte_carlo as m
from tradsys.risk import revaluation as v
from tradsys.risk.inputs import Problem
from tradsys.risk.parametric import Moments, cornish_fisher_var_es


def terms(row):
    return (
        row["type"] == "call", float(row["strike"]), float(row["spot"]), float(row["t_years"]), float(row["vol"]),
        float(row["rate_r"]), float(row["dividend_yield_q"]),
    )  # fmt: skip


def test_published_values(market_data):
    with (market_data / "reference" / "option_european_values.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 22
    for row in rows:
        assert float(bs.price(*terms(row))) == pytest.approx(float(row["value"]), abs=float(row["tol"]))


def test_published_greeks(market_data):
    with (market_data / "reference" / "option_greeks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    for row in rows:
        assert float(getattr(bs.greeks(*terms(row)), row["greek"])) == pytest.approx(
            float(row["value"]), abs=5.1e-5
        )


OPTIONS = st.tuples(
    st.booleans(), st.floats(50, 200), st.floats(50, 200), st.floats(0.05, 3), st.floats(0.05, 0.8),
    st.floats(-0.02, 0.1), st.floats(0, 0.1),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(OPTIONS)
def test_greeks_are_derivatives_and_parity_holds(option):
    call, k, s, t, vol, r, q = option
    found = bs.greeks(*option)

    def value(s=s, t=t, vol=vol, r=r):
        return float(bs.price(call, k, s, t, vol, r, q))

    assert float(found.delta) == pytest.approx((value(s=s + 1e-3) - value(s=s - 1e-3)) / 2e-3, abs=1e-6)
    slopes = bs.greeks(call, k, [s + 1e-3, s - 1e-3], t, vol, r, q).delta
    assert float(found.gamma) == pytest.approx((slopes[0] - slopes[1]) / 2e-3, abs=1e-6)
    assert float(found.vega) == pytest.approx(
        (value(vol=vol + 1e-4) - value(vol=vol - 1e-4)) / 2e-4, abs=1e-2
    )
    assert float(found.rho) == pytest.approx((value(r=r + 1e-5) - value(r=r - 1e-5)) / 2e-5, abs=1e-2)
    assert float(found.theta) == pytest.approx(-(value(t=t + 1e-5) - value(t=t - 1e-5)) / 2e-5, abs=1e-2)
    parity = float(bs.price(True, k, s, t, vol, r, q)) - float(bs.price(False, k, s, t, vol, r, q))
    assert parity == pytest.approx(s * math.exp(-q * t) - k * math.exp(-r * t), abs=1e-9)


def test_expired_options_pay_what_they_pay():
    found = bs.greeks([True, True, False, True], [90, 110, 110, 100], 100.0, 0.0, 0.2)
    assert found.value.tolist() == [10.0, 0.0, 10.0, 0.0]
    assert found.delta.tolist() == [1.0, 0.0, -1.0, 0.5]
    assert not found.gamma.any()


@pytest.mark.parametrize(
    ("problem", "change"),
    [
        (Problem.OUT_OF_RANGE, {"spot": 0.0}),
        (Problem.OUT_OF_RANGE, {"volatility": -0.1}),
        (Problem.OUT_OF_RANGE, {"years": -1.0}),
        (Problem.NOT_FINITE, {"rate": math.nan}),
        (Problem.SHAPE, {"strike": [1.0, 2.0], "spot": [1.0, 2.0, 3.0]}),
    ],
)
def test_refusals(problem, change):
    usual = {"call": True, "strike": 100.0, "spot": 100.0, "years": 1.0, "volatility": 0.2}
    with pytest.raises(RiskError) as caught:
        bs.price(**(usual | change))
    assert caught.value.problem == problem.value


def test_delta_gamma_is_close_to_full_revaluation_for_small_moves_only():
    full = v.option(0, 1000.0, True, 100.0, 100.0, 0.5, 0.3, 0.02)
    greeks = bs.greeks(True, 100.0, 100.0, 0.5, 0.3, 0.02)
    near = v.delta_gamma([1000 * 100 * float(greeks.delta)], [1000 * 100**2 * float(greeks.gamma)])
    small, large = np.array([[0.001], [-0.002]]), np.array([[0.4]])
    assert near(small) == pytest.approx(full(small), abs=0.05)
    assert abs(near(large) - full(large))[0] > 1000
    square = np.array([[0.01**2]])
    simulation = m.Settings(paths=20_000, seed=2)
    one = m.simulate_revalued(full, square, 0.99, settings=simulation)
    two = m.simulate_revalued(near, square, 0.99, settings=simulation)
    assert two.var == pytest.approx(one.var, rel=0.01)


def test_moments_of_a_quadratic_form():
    delta, gamma = np.array([1.0, -0.5]), np.array([[0.8, 0.2], [0.2, -0.4]])
    root = np.array([[0.5, 0.0], [0.2, 0.6]])
    square = root @ root.T
    changes = np.random.default_rng(1).standard_normal((1_000_000, 2)) @ root.T
    pnl = v.delta_gamma(delta, gamma)(changes)
    mean, deviation, skewness, kurtosis = v.delta_gamma_moments(delta, gamma, square)
    centred = pnl - pnl.mean()
    assert mean == pytest.approx(pnl.mean(), abs=0.005)
    assert deviation == pytest.approx(pnl.std(), rel=0.005)
    assert skewness == pytest.approx(np.mean(centred**3) / pnl.std() ** 3, abs=0.02)
    assert kurtosis == pytest.approx(np.mean(centred**4) / pnl.std() ** 4 - 3, abs=0.1)
    mild = Moments(*v.delta_gamma_moments(delta, gamma / 4, square))
    simulated = m.simulate_revalued(
        v.delta_gamma(delta, gamma / 4), square, 0.95, settings=m.Settings(paths=200_000)
    )
    assert cornish_fisher_var_es(mild, 0.95).var == pytest.approx(simulated.var, rel=0.01)
    few, diagonal = changes[:9], np.array([0.8, -0.4])
    assert v.delta_gamma(delta, diagonal)(few) == pytest.approx(v.delta_gamma(delta, np.diag(diagonal))(few))


def test_positions_add_up_and_currencies_multiply():
    changes = np.array([[0.1, 0.02], [-0.1, -0.02]])
    book = v.revalue([v.linear([100.0, 0.0]), v.linear([0.0, 50.0])])
    assert book(changes) == pytest.approx([11.0, -11.0])
    assert v.revalue([])(changes).tolist() == [0.0, 0.0]
    abroad = v.foreign(v.linear([100.0, 0.0]), 100.0, 1)
    assert abroad(changes) == pytest.approx([100 * 1.1 * 1.02 - 100, 100 * 0.9 * 0.98 - 100])
    rate = v.revalued_by(lambda y: 100 / (1 + y), 1, 0.05)
    assert rate(changes) == pytest.approx([100 / 1.07 - 100 / 1.05, 100 / 1.03 - 100 / 1.05])


def test_an_option_that_expires_on_the_way():
    short = v.option(0, -1.0, False, 100.0, 100.0, 0.01, 0.2, elapsed_years=0.02, volatility_factor=1)
    start = float(bs.price(False, 100.0, 100.0, 0.01, 0.2))
    assert short(np.array([[-0.3, 0.5], [0.2, -0.9], [-5.0, 0.0]])) == pytest.approx(
        [start - 30, start, start - 99.9999]
    )
