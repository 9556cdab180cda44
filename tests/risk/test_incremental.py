"""Goal: risk after every fill is the risk computed anew. Method: random fills beside the plain formulas."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradsys.errors import RiskError
from tradsys.risk.decomposition import normal_contributions
from tradsys.risk.historical import historical_var_es
from tradsys.risk.incremental import HistoricalRisk, NormalRisk
from tradsys.risk.inputs import Problem
from tradsys.risk.parametric import normal_var_es, portfolio_moments

FILLS = st.lists(st.tuples(st.integers(0, 4), st.floats(-1e6, 1e6)), max_size=30)


def world():
    rng = np.random.default_rng(5)
    returns = rng.standard_normal((60, 5)) @ rng.standard_normal((5, 5)) / 100
    return returns, np.cov(returns.T)


@settings(max_examples=50, deadline=None)
@given(FILLS)
def test_fills_one_by_one(fills):
    returns, covariance = world()
    normal, history = NormalRisk(covariance, 0.99), HistoricalRisk(returns, 0.95)
    held = np.zeros(5)
    for asset, exposure in fills:
        before = normal.after(asset, exposure)
        now = normal.fill(asset, exposure)
        history.fill(asset, exposure)
        held[asset] += exposure
        scale = 1e-6 * (1.0 + sum(abs(x) for _, x in fills))
        exact = normal_var_es(0.0, portfolio_moments(held, covariance).deviation, 0.99)
        assert now == pytest.approx(exact, rel=1e-6, abs=scale)
        assert now == pytest.approx(before, rel=1e-9, abs=scale)
        assert (normal.var, normal.es) == now
        normal.check()
        history.check()
    assert history.figures() == pytest.approx(historical_var_es(returns @ held, 0.95), rel=1e-6, abs=1e-3)


def test_components_sum_and_start():
    returns, covariance = world()
    held = np.array([1.0, -2.0, 3.0, 0.0, 5.0])
    risk = NormalRisk(covariance, 0.99, held)
    assert risk.component_var() == pytest.approx(
        normal_contributions(held, covariance, 0.99).component, rel=1e-9
    )
    assert held.tolist() == [1.0, -2.0, 3.0, 0.0, 5.0]
    risk.fill(0, 1.0)
    assert held[0] == 1.0  # the caller's array is his
    assert HistoricalRisk(returns, 0.9, held).figures() == pytest.approx(
        historical_var_es(returns @ held, 0.9)
    )
    assert not NormalRisk(covariance, 0.99).component_var().any()


def test_rounding_does_not_pile_up(monkeypatch):
    from tradsys.risk import incremental

    monkeypatch.setattr(incremental, "REFRESH_FILLS", 100)
    _, covariance = world()
    risk = NormalRisk(covariance, 0.99)
    for i in range(1000):
        risk.fill(i % 5, (-1.0) ** i * 1e6 / 3)
    risk.check()
    assert risk._state[1] < 100


def test_refusals():
    returns, covariance = world()
    for risk in (NormalRisk(covariance, 0.99), HistoricalRisk(returns, 0.99)):
        for problem, fill in (
            (Problem.UNKNOWN, (5, 1.0)),
            (Problem.UNKNOWN, (-1, 1.0)),
            (Problem.NOT_FINITE, (0, math.nan)),
        ):
            with pytest.raises(RiskError) as caught:
                risk.fill(*fill)
            assert caught.value.problem == problem.value
        assert not risk.exposures.any()
    with pytest.raises(RiskError):
        NormalRisk(covariance, 0.99, [1.0])
