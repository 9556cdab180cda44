"""Goal: what each position adds is right and adds up. Method: finite differences, leaving out, sums as properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradsys.errors import RiskError
from tradsys.risk import decomposition as d
from tradsys.risk.historical import historical_var_es
from tradsys.risk.inputs import Problem
from tradsys.risk.parametric import normal_var_es, portfolio_moments

SEEDS = st.integers(0, 2**32 - 1)


def world(seed, assets, days=200):
    rng = np.random.default_rng(seed)
    returns = rng.standard_t(4, (days, assets)) @ rng.standard_normal((assets, assets)) / 100
    return returns, rng.standard_normal(assets) * 1e5


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(1, 6), st.booleans())
def test_normal_components(seed, assets, es):
    returns, held = world(seed, assets)
    covariance = np.cov(returns.T).reshape(assets, assets)

    def figure(exposures):
        found = normal_var_es(0.0, portfolio_moments(exposures, covariance).deviation, 0.99)
        return found.es if es else found.var

    found = d.normal_contributions(held, covariance, 0.99, es=es)
    assert found.total == pytest.approx(figure(held), rel=1e-9)
    assert found.component.sum() == pytest.approx(found.total, rel=1e-9)
    for i in range(assets):
        step = np.zeros(assets)
        step[i] = 1e-2
        slope = (figure(held + step) - figure(held - step)) / 2e-2
        assert found.marginal[i] == pytest.approx(slope, rel=1e-5, abs=1e-7)
        left = held.copy()
        left[i] = 0.0
        assert found.incremental[i] == pytest.approx(
            found.total - figure(left), rel=1e-6, abs=found.total * 1e-7
        )


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(1, 5), st.sampled_from([0.9, 0.95, 0.99, 0.973]), st.booleans())
def test_scenario_components(seed, assets, level, weighted):
    returns, held = world(seed, assets)
    table = returns * held
    weights = np.random.default_rng(seed).uniform(0.1, 1.0, len(table)) if weighted else None
    found = d.es_contributions(table, level, weights=weights)
    assert found.total == pytest.approx(historical_var_es(table.sum(axis=1), level, weights=weights).es)
    assert found.component.sum() == pytest.approx(found.total, rel=1e-9)
    var = d.var_contributions(table, level)
    assert var.total == historical_var_es(table.sum(axis=1), level).var
    assert var.component.sum() == pytest.approx(var.total, rel=1e-9, abs=1e-9)
    for i in range(assets):
        rest = np.delete(table, i, axis=1).sum(axis=1)
        assert found.incremental[i] == pytest.approx(
            found.total - historical_var_es(rest, level, weights=weights).es, abs=1e-6
        )
        assert var.incremental[i] == pytest.approx(var.total - historical_var_es(rest, level).var, abs=1e-6)


def test_es_components_are_derivatives():
    returns, held = world(1, 4, 1000)
    found = d.es_contributions(returns * held, 0.95)
    for i in range(4):
        step = np.ones(4)
        step[i] += 1e-7
        moved = historical_var_es((returns * held * step).sum(axis=1), 0.95).es
        assert (moved - found.total) / 1e-7 == pytest.approx(found.component[i], rel=1e-4, abs=1.0)


def test_var_components_of_many_normal_scenarios_are_the_closed_form():
    rng = np.random.default_rng(6)
    held = np.array([1.0, -2.0, 0.5])
    root = np.array([[1.0, 0, 0], [0.5, 0.8, 0], [-0.2, 0.3, 1.1]])
    scenarios = rng.standard_normal((400_000, 3)) @ root.T
    exact = d.normal_contributions(held, root @ root.T, 0.95)
    found = d.var_contributions(scenarios * held, 0.95)
    assert found.component == pytest.approx(exact.component, abs=0.06)
    assert d.es_contributions(scenarios * held, 0.95).component == pytest.approx(
        d.normal_contributions(held, root @ root.T, 0.95, es=True).component, abs=0.06
    )


def test_nothing_held_and_perfect_hedges():
    flat = d.normal_contributions([0.0, 0.0], np.eye(2), 0.99)
    assert flat.total == 0.0
    assert not flat.component.any()
    hedge = d.normal_contributions([1.0, -1.0], np.ones((2, 2)), 0.99)
    assert hedge.total == pytest.approx(0.0, abs=1e-12)
    assert hedge.incremental == pytest.approx(np.full(2, -2.3263478740408408))
    assert d.es_contributions(np.zeros((10, 2)), 0.9).component.tolist() == [0.0, 0.0]
    assert d.var_contributions(np.zeros((10, 2)), 0.9).component.tolist() == [0.0, 0.0]


def test_groups_sum():
    assert d.grouped([1.0, 2.0, 4.0], ["b", "a", "b"]) == {"a": 2.0, "b": 5.0}
    for wrong in (
        lambda: d.grouped([1.0], ["a", "b"]),
        lambda: d.normal_contributions([1.0, 2.0], np.eye(3), 0.99),
    ):
        with pytest.raises(RiskError) as caught:
            wrong()
        assert caught.value.problem == Problem.SHAPE
    with pytest.raises(RiskError, match="repair"):
        d.normal_contributions([1.0, -1.0], [[1.0, 2.0], [2.0, 1.0]], 0.99)
