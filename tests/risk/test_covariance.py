"""Goal: covariances are what their definitions say. Method: plain loops, closed forms, scikit-learn as the oracle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import oracle

from tradsys.errors import RiskError
from tradsys.risk import covariance as c
from tradsys.risk.inputs import Problem
from tradsys.risk.returns import Missing, overlapping, returns_of

NAN = np.nan


@pytest.fixture
def data():
    rng = np.random.default_rng(7)
    return rng.standard_normal((120, 6)) @ rng.standard_normal((6, 6)) / 100


def refused(problem, function, *arguments, **settings_):
    with pytest.raises(RiskError) as caught:
        function(*arguments, **settings_)
    assert caught.value.problem == problem.value


def test_sample_is_numpys(data):
    assert c.sample_covariance(data) == pytest.approx(np.cov(data.T), rel=1e-12)
    assert c.sample_covariance(data, mean_zero=True) == pytest.approx(data.T @ data / 120, rel=1e-12)
    assert c.sample_covariance(data[:, :1]).shape == (1, 1)


@pytest.mark.parametrize("decay", [0.94, 0.97, 0.5])
def test_ewma_is_the_sum_its_definition_says(data, decay):
    weights = np.array([decay ** (len(data) - 1 - i) for i in range(len(data))])
    expected = sum(w * np.outer(r, r) for w, r in zip(weights / weights.sum(), data, strict=True))
    assert c.ewma_covariance(data, decay) == pytest.approx(expected, rel=1e-12)


def test_ewma_of_a_constant_return_is_its_square():
    assert c.ewma_covariance(np.full((30, 1), 0.01)) == pytest.approx(1e-4)
    assert c.ewma_volatilities(np.full(30, 0.01)) == pytest.approx(np.full(31, 0.01))


def test_ewma_volatilities_follow_the_recursion(data):
    series = data[:, 0]
    variance = np.mean(series[:60] ** 2)
    for i, value in enumerate(c.ewma_volatilities(series)):
        assert value == pytest.approx(np.sqrt(variance), rel=1e-12)
        if i < len(series):
            variance = 0.94 * variance + 0.06 * series[i] ** 2


def test_ledoit_wolf_by_its_definition(data):
    n, p = data.shape
    centred = data - data.mean(axis=0)
    sample = centred.T @ centred / n
    mean = np.trace(sample) / p
    distance = np.sum((sample - mean * np.eye(p)) ** 2) / p
    noise = sum(np.sum((np.outer(x, x) - sample) ** 2) / p for x in centred) / n**2
    intensity = min(noise, distance) / distance
    found = c.ledoit_wolf(data)
    assert found.intensity == pytest.approx(intensity, rel=1e-9)
    assert found.covariance == pytest.approx(
        (1 - intensity) * sample + intensity * mean * np.eye(p), rel=1e-9
    )


def test_ledoit_wolf_is_scikit_learns(data):
    sklearn = oracle("sklearn.covariance")
    for table in (data, data[:4], np.random.default_rng(1).standard_normal((40, 90))):
        expected, intensity = sklearn.ledoit_wolf(table)
        found = c.ledoit_wolf(table)
        assert found.intensity == pytest.approx(intensity, rel=1e-9)
        assert found.covariance == pytest.approx(expected, rel=1e-9)


def test_ledoit_wolf_is_positive_with_fewer_days_than_assets():
    table = np.random.default_rng(3).standard_normal((20, 50))
    assert np.linalg.eigvalsh(c.ledoit_wolf(table).covariance)[0] > 0.0
    assert np.linalg.eigvalsh(c.sample_covariance(table))[0] < 1e-12


def test_pairwise_uses_the_days_of_each_pair(data):
    gappy = data.copy()
    gappy[::3, 0] = NAN
    gappy[5:40, 2] = NAN
    found = c.pairwise_covariance(gappy)
    for i in range(6):
        for j in range(6):
            both = ~np.isnan(gappy[:, i]) & ~np.isnan(gappy[:, j])
            assert found[i, j] == pytest.approx(
                np.cov(gappy[both, i], gappy[both, j])[0, 1], rel=1e-9, abs=1e-15
            )
    assert c.pairwise_covariance(data) == pytest.approx(np.cov(data.T), rel=1e-9)
    gappy[:, 1] = NAN
    refused(Problem.TOO_SHORT, c.pairwise_covariance, gappy)


def test_lead_lag_finds_what_closes_a_day_late():
    rng = np.random.default_rng(11)
    news = rng.standard_normal(40_001)
    world = np.column_stack([news[1:], news[:-1]])  # the second market hears it a day later
    assert abs(c.sample_covariance(world)[0, 1]) < 0.02
    assert c.lead_lag_covariance(world, 1)[0, 1] == pytest.approx(0.5, abs=0.02)
    assert np.linalg.eigvalsh(c.lead_lag_covariance(world[:50], 5))[0] > -1e-12


def test_repair_states_what_it_did():
    bad = np.array([[1.0, 0.9, 0.7], [0.9, 1.0, 0.1], [0.7, 0.1, 1.0]])  # eigenvalue -0.06: no correlations
    scale = np.array([0.01, 0.2, 3.0])
    given_ = bad * np.outer(scale, scale)
    fixed = c.repair(given_)
    assert fixed.changed
    assert fixed.eigenvalues_raised == 1
    assert fixed.smallest_eigenvalue == pytest.approx(np.linalg.eigvalsh(bad)[0])
    assert np.diag(fixed.covariance) == pytest.approx(scale**2, rel=1e-12)
    assert np.linalg.eigvalsh(c.correlation(fixed.covariance))[0] > 0.0
    assert fixed.largest_change == pytest.approx(np.abs(c.correlation(fixed.covariance) - bad).max())
    refused(Problem.SINGULAR, c.factor, given_)
    again = c.repair(np.eye(3))
    assert not again.changed
    assert again.largest_change == 0.0


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_factor_gives_the_covariance_back(data, rank):
    loading = np.random.default_rng(rank).standard_normal((6, rank))
    given_ = loading @ loading.T
    root = c.factor(given_)
    assert root.rank == rank
    assert root.root @ root.root.T == pytest.approx(given_, rel=1e-9, abs=1e-9)


def test_factor_of_nothing_moving_is_empty():
    assert c.factor(np.zeros((3, 3))).rank == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_every_estimator_is_positive_semidefinite(assets, days, seed):
    table = np.random.default_rng(seed).standard_normal((days, assets))
    for found in (c.sample_covariance(table), c.ewma_covariance(table), c.ledoit_wolf(table).covariance):
        assert np.array_equal(found, found.T)
        assert np.linalg.eigvalsh(found)[0] > -1e-10


@pytest.mark.parametrize(
    ("problem", "table"),
    [
        (Problem.EMPTY, np.empty((0, 3))),
        (Problem.EMPTY, np.empty((3, 0))),
        (Problem.TOO_SHORT, np.ones((1, 3))),
        (Problem.NOT_FINITE, [[1.0, NAN], [0.0, 1.0]]),
        (Problem.NOT_FINITE, [[1.0, np.inf], [0.0, 1.0]]),
        (Problem.SHAPE, [1.0, 2.0]),
        (Problem.SHAPE, [["a", "b"]]),
        (Problem.SHAPE, [[1.0], [1.0, 2.0]]),
    ],
)
def test_refusals(problem, table):
    refused(problem, c.sample_covariance, table)
    refused(problem, c.ledoit_wolf, table)


def test_more_refusals():
    refused(Problem.OUT_OF_RANGE, c.ewma_covariance, [[0.1]], 1.0)
    refused(Problem.OUT_OF_RANGE, c.ewma_covariance, [[0.1]], NAN)
    refused(Problem.SINGULAR, c.ewma_volatilities, np.zeros(5))
    refused(Problem.SINGULAR, c.ledoit_wolf, np.ones((5, 2)))
    refused(Problem.SINGULAR, c.repair, [[0.0, 0.0], [0.0, 1.0]])
    refused(Problem.SINGULAR, c.correlation, [[-1.0]])
    refused(Problem.SHAPE, c.factor, [[1.0, 0.5], [0.2, 1.0]])
    refused(Problem.SHAPE, c.factor, [[1.0, 0.5]])


def test_correlation_of_an_asset_that_does_not_move():
    assert c.correlation([[0.0, 0.0], [0.0, 4.0]]).tolist() == [[1.0, 0.0], [0.0, 1.0]]


PRICES = np.array([[NAN, 10.0], [100.0, 11.0], [NAN, 12.0], [110.0, NAN], [121.0, 15.0]])


def test_missing_days_are_treated_as_asked_and_counted():
    refused(Problem.NOT_FINITE, returns_of, PRICES)
    common = returns_of(PRICES, missing=Missing.COMMON)
    assert common.values == pytest.approx(np.array([[0.21, 15 / 11 - 1]]))
    assert (common.rows.tolist(), common.rows_dropped, common.cells_missing) == ([4], 3, 3)
    carried = returns_of(PRICES, missing=Missing.CARRY)
    assert carried.values == pytest.approx(np.array([[0.0, 1 / 11], [0.1, 0.0], [0.1, 0.25]]))
    assert (carried.cells_carried, carried.rows_dropped) == (2, 1)
    pairwise = returns_of(PRICES, missing=Missing.PAIRWISE)
    assert pairwise.values == pytest.approx(
        np.array([[NAN, 0.1], [NAN, 1 / 11], [NAN, NAN], [0.1, NAN]]), nan_ok=True
    )


def test_returns_refuse_what_is_no_price():
    refused(Problem.OUT_OF_RANGE, returns_of, [[0.0], [1.0]])
    refused(Problem.OUT_OF_RANGE, returns_of, [[1.0], [-1.0]], log=True)
    refused(Problem.NOT_FINITE, returns_of, [[1.0], [np.inf]])
    refused(Problem.TOO_SHORT, returns_of, [[1.0]])
    refused(Problem.EMPTY, returns_of, np.empty((0, 2)))
    refused(Problem.SHAPE, returns_of, [1.0, 2.0])
    assert returns_of([[-37.0], [10.0]]).values == pytest.approx(
        np.array([[47 / 37]])
    )  # a negative price is a price


def test_overlapping_sums():
    series = np.arange(5.0)[:, None]
    assert overlapping(series, 2)[:, 0].tolist() == [1.0, 3.0, 5.0, 7.0]
    assert overlapping(series, 1).tolist() == series.tolist()
    refused(Problem.TOO_SHORT, overlapping, series, 6)
