"""Goal: VaR and ES are right. Method: closed forms, brute force over definitions, and the axioms as properties."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oracle import oracle

from tradsys.errors import RiskError
from tradsys.risk import historical as h
from tradsys.risk import parametric as p
from tradsys.risk.inputs import Problem

LEVELS = st.sampled_from([0.5, 0.9, 0.95, 0.975, 0.99, 0.999])
AMOUNTS = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda x: round(x, 6))
PNL = st.integers(1, 60).flatmap(lambda n: arrays(np.float64, n, elements=AMOUNTS))
PAIRS = st.integers(1, 60).flatmap(lambda n: arrays(np.float64, (2, n), elements=AMOUNTS))


def refused(problem, function, *arguments, **settings_):
    with pytest.raises(RiskError) as caught:
        function(*arguments, **settings_)
    assert caught.value.problem == problem.value


def close(a, b, scale):
    return abs(a - b) <= 1e-9 * max(scale, 1e-9)


def test_a_sample_worked_by_hand():
    pnl = [-10.0, -8.0, -5.0, *[1.0] * 97]
    assert h.historical_var_es(pnl, 0.95) == pytest.approx((-1.0, (10 + 8 + 5 - 1 - 1) / 5))
    assert h.historical_var_es(pnl, 0.97) == pytest.approx((-1.0, 23 / 3))
    assert h.historical_var_es(pnl, 0.98) == pytest.approx((5.0, 9.0))
    assert h.historical_var_es(pnl, 0.985) == pytest.approx((8.0, (10 + 0.5 * 8) / 1.5))
    assert h.historical_var_es(pnl, 0.999) == pytest.approx((10.0, 10.0))


@settings(max_examples=150, deadline=None)
@given(PNL, LEVELS)
def test_var_is_the_smallest_loss_not_exceeded(pnl, level):
    losses = np.sort(-pnl)
    expected = next(x for x in losses if np.mean(losses <= x) >= level - 1e-12)
    var, es = h.historical_var_es(pnl, level)
    assert var == expected
    # Rockafellar and Uryasev: ES is the least value of c + E[(loss - c)+]/(1 - level)
    least = min(c + np.mean(np.maximum(losses - c, 0)) / (1 - level) for c in losses)
    assert close(es, least, np.abs(pnl).max() / (1 - level))
    assert es >= var - 1e-9 * abs(var)


@settings(max_examples=100, deadline=None)
@given(PNL, LEVELS, st.floats(0.01, 100), AMOUNTS)
def test_homogeneity_and_translation(pnl, level, factor, cash):
    var, es = h.historical_var_es(pnl, level)
    scale = (np.abs(pnl).max() + abs(cash)) * max(factor, 1)
    scaled = h.historical_var_es(pnl * factor, level)
    moved = h.historical_var_es(pnl + cash, level)
    assert close(scaled.var, var * factor, scale)
    assert close(scaled.es, es * factor, scale)
    assert close(moved.var, var - cash, scale)
    assert close(moved.es, es - cash, scale)


@settings(max_examples=150, deadline=None)
@given(PAIRS, LEVELS)
def test_es_is_subadditive_and_monotone(pair, level):
    one, two = pair
    scale = np.abs(pair).max() / (1 - level)
    total = h.historical_var_es(one + two, level).es
    assert total <= h.historical_var_es(one, level).es + h.historical_var_es(two, level).es + 1e-9 * scale
    worse = h.historical_var_es(np.minimum(one, two), level)
    best = h.historical_var_es(one, level)
    assert worse.var >= best.var
    assert worse.es >= best.es - 1e-9 * scale


def test_var_is_not_subadditive():
    """Two loans that fail on 4 days of 100, never together: VaR 0.95 of each is -1, of both 9."""
    one, two = np.ones(100), np.ones(100)
    one[:4], two[4:8] = -10, -10
    assert h.historical_var_es(one, 0.95).var + h.historical_var_es(two, 0.95).var == -2.0
    assert h.historical_var_es(one + two, 0.95).var == 9.0


@settings(max_examples=100, deadline=None)
@given(PNL)
def test_both_rise_with_the_level(pnl):
    figures = [h.historical_var_es(pnl, level) for level in (0.5, 0.8, 0.9, 0.95, 0.99, 0.9999)]
    for low, high in itertools.pairwise(figures):
        assert high.var >= low.var
        assert high.es >= low.es - 1e-9 * np.abs(pnl).max()


@settings(max_examples=100, deadline=None)
@given(PNL, LEVELS)
def test_equal_weights_are_no_weights_and_repeats_are_weights(pnl, level):
    plain = h.historical_var_es(pnl, level)
    scale = np.abs(pnl).max() / (1 - level)
    weighted = h.historical_var_es(pnl, level, weights=np.full(len(pnl), 3.0))
    assert weighted.var == plain.var
    assert close(weighted.es, plain.es, scale)
    repeats = np.arange(len(pnl)) % 3 + 1
    repeated = h.historical_var_es(np.repeat(pnl, repeats), level)
    weighted = h.historical_var_es(pnl, level, weights=repeats)
    assert weighted.var == repeated.var
    assert close(weighted.es, repeated.es, scale)


@settings(max_examples=100, deadline=None)
@given(PNL, LEVELS)
def test_tail_weights_give_the_es(pnl, level):
    weights = h.tail_weights(pnl, level)
    assert weights.sum() == pytest.approx(1.0)
    assert close(-(weights @ pnl), h.historical_var_es(pnl, level).es, np.abs(pnl).max() / (1 - level))


def test_the_batch_is_each_portfolio():
    rng = np.random.default_rng(5)
    returns, exposures = rng.standard_normal((251, 7)), rng.standard_normal((7, 5))
    exposures[:, 3] = 0.0
    for level in (0.9, 0.95, 0.99, 0.999):
        found = h.historical_batch(returns, exposures, level)
        for i in range(5):
            one = h.historical_var_es(returns @ exposures[:, i], level)
            assert (found.var[i], found.es[i]) == pytest.approx(one, rel=1e-9, abs=1e-12)


def test_a_portfolio_without_positions_has_no_risk():
    assert h.historical_var_es(np.zeros(10), 0.99) == (0.0, 0.0)
    assert p.portfolio_moments([0.0, 0.0], np.eye(2)) == (0.0, 0.0, 0.0, 0.0)
    assert p.normal_var_es(0.0, 0.0, 0.99) == (0.0, 0.0)


def test_age_weights_and_filtering():
    weights = h.age_weights(4, 0.5)
    assert weights == pytest.approx(np.array([1, 2, 4, 8]) / 15)
    rng = np.random.default_rng(2)
    calm, wild = rng.standard_normal((500, 1)) * 0.01, rng.standard_normal((200, 1)) * 0.03
    filtered = h.filtered_returns(np.vstack([calm, wild]))
    assert filtered[:500].std() == pytest.approx(filtered[500:].std(), rel=0.3)
    assert filtered.std() == pytest.approx(0.03, rel=0.35)
    given_ = h.filtered_returns([[0.01], [0.02]], volatilities=[[1.0], [2.0], [4.0]])
    assert given_[:, 0].tolist() == [0.04, 0.04]
    refused(Problem.SHAPE, h.filtered_returns, [[0.01], [0.02]], volatilities=[[1.0], [2.0]])
    refused(Problem.SINGULAR, h.filtered_returns, [[0.01]], volatilities=[[1.0], [0.0]])


def test_order_statistics_bound_the_var():
    """The interval of a VaR covers the true one as often as it says."""
    rng = np.random.default_rng(3)
    samples = rng.standard_normal((2000, 500))
    true = p.normal_var_es(0.0, 1.0, 0.95).var
    intervals = [h.var_interval(sample, 0.95, 0.9) for sample in samples]
    covered = np.mean([i.low <= true <= i.high for i in intervals])
    assert intervals[0].confidence >= 0.9
    assert covered == pytest.approx(intervals[0].confidence, abs=0.02)
    refused(Problem.TOO_SHORT, h.var_interval, samples[0][:100], 0.999)


def test_standard_error_of_es():
    rng = np.random.default_rng(4)
    samples = rng.standard_normal((400, 4000))
    found = np.std([h.historical_var_es(s, 0.975).es for s in samples])
    assert np.mean([h.es_standard_error(s, 0.975) for s in samples]) == pytest.approx(found, rel=0.1)
    with pytest.raises(RiskError, match="at least 2 observations, has 1"):
        h.es_standard_error([1.0], 0.9)


@pytest.mark.parametrize(
    ("problem", "arguments"),
    [
        (Problem.EMPTY, ([], 0.99)),
        (Problem.NOT_FINITE, ([1.0, np.nan], 0.99)),
        (Problem.NOT_FINITE, ([1.0, -np.inf], 0.99)),
        (Problem.SHAPE, ([[1.0]], 0.99)),
        (Problem.OUT_OF_RANGE, ([1.0], 1.0)),
        (Problem.OUT_OF_RANGE, ([1.0], 0.4)),
        (Problem.OUT_OF_RANGE, ([1.0], math.nan)),
    ],
)
def test_refusals(problem, arguments):
    refused(problem, h.historical_var_es, *arguments)


def test_weights_are_refused():
    refused(Problem.OUT_OF_RANGE, h.historical_var_es, [1.0, 2.0], 0.9, weights=[1.0, -0.5])
    refused(Problem.OUT_OF_RANGE, h.historical_var_es, [1.0, 2.0], 0.9, weights=[0.0, 0.0])
    refused(Problem.SHAPE, h.historical_var_es, [1.0, 2.0], 0.9, weights=[1.0])
    refused(Problem.SHAPE, h.historical_batch, [[1.0, 2.0]], [[1.0]], 0.9)


def test_normal_and_student_are_the_published_numbers():
    """McNeil, Frey, Embrechts: standard normal VaR 1.645, 2.326; ES 2.063, 2.665; and the integral of the quantile."""
    assert p.normal_var_es(0.0, 1.0, 0.95) == pytest.approx(
        (1.6448536269514722, 2.0627128075074257), rel=1e-13
    )
    assert p.normal_var_es(0.0, 1.0, 0.99) == pytest.approx(
        (2.3263478740408408, 2.6652142203457675), rel=1e-12
    )
    assert p.normal_var_es(3.0, 2.0, 0.99).var == pytest.approx(2 * 2.3263478740408408 - 3)
    assert p.student_var_es(0.0, 1.0, 0.99, 1e7) == pytest.approx(p.normal_var_es(0.0, 1.0, 0.99), rel=1e-5)


@pytest.mark.parametrize("dof", [2.5, 4.0, 10.0])
def test_es_is_the_mean_of_the_quantiles(dof):
    integrate, stats = oracle("scipy.integrate"), oracle("scipy.stats")
    scale = math.sqrt((dof - 2) / dof)
    area = integrate.quad(lambda x: x * stats.t.pdf(x, dof), stats.t.ppf(0.99, dof), np.inf)[0] / 0.01
    assert p.student_var_es(0.0, 1.0, 0.99, dof) == pytest.approx(
        (scale * stats.t.ppf(0.99, dof), scale * area), rel=1e-8
    )


def test_cornish_fisher():
    plain = p.cornish_fisher_var_es(p.Moments(1.0, 2.0), 0.99)
    assert plain == pytest.approx(p.normal_var_es(1.0, 2.0, 0.99), rel=1e-12)
    z, s, k = 2.3263478740408408, 0.4, 1.2
    w = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
    skewed = p.cornish_fisher_var_es(p.Moments(0.0, 1.0, -s, k), 0.99)
    assert skewed.var == pytest.approx(w, rel=1e-12)
    grid = np.linspace(0.99, 1.0, 200_001)[:-1] + 2.5e-8
    levels = [p.cornish_fisher_var_es(p.Moments(0.0, 1.0, -s, k), x).var for x in grid[::500]]
    assert skewed.es == pytest.approx(np.mean(levels), rel=5e-3)
    refused(Problem.OUT_OF_RANGE, p.cornish_fisher_var_es, p.Moments(0.0, 1.0, -3.0, 0.5), 0.99)


def test_moments_and_scaling():
    stats = oracle("scipy.stats")
    pnl = np.random.default_rng(9).standard_t(5, 3000)
    found = p.sample_moments(pnl)
    assert found == pytest.approx(
        (pnl.mean(), pnl.std(ddof=1), stats.skew(pnl), stats.kurtosis(pnl)), rel=1e-9
    )
    ten = p.scaled(found, 10)
    assert ten.deviation == pytest.approx(found.deviation * math.sqrt(10))
    assert ten.excess_kurtosis == pytest.approx(found.excess_kurtosis / 10)
    assert p.student_dof(pnl) == pytest.approx(4 + 6 / found.excess_kurtosis)
    assert p.student_dof([1.0, -1.0, 1.0, -1.0]) == math.inf
    refused(Problem.SINGULAR, p.sample_moments, np.ones(10))
    refused(Problem.TOO_SHORT, p.sample_moments, np.ones(3))


def test_normal_interval_covers():
    rng = np.random.default_rng(8)
    deviations = rng.standard_normal((3000, 250)).std(axis=1, ddof=1)
    true = p.normal_var_es(0.0, 1.0, 0.99).var
    # with the mean estimated, too, as the formula says: VaR of each sample
    means = rng.standard_normal(3000) / math.sqrt(250)
    bounds = [p.normal_var_interval(d, 250, 0.99) for d in deviations]
    covered = np.mean([b.low - m <= true <= b.high - m for b, m in zip(bounds, means, strict=True)])
    assert covered == pytest.approx(0.95, abs=0.02)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_portfolio_moments_are_those_of_its_pnl(assets, seed):
    rng = np.random.default_rng(seed)
    returns, held = rng.standard_normal((40, assets)), rng.standard_normal(assets)
    assume(np.abs(held).max() > 1e-3)
    pnl = returns @ held
    found = p.portfolio_moments(held, np.cov(returns.T).reshape(assets, assets), returns.mean(axis=0))
    assert (found.mean, found.deviation) == pytest.approx((pnl.mean(), pnl.std(ddof=1)), rel=1e-9, abs=1e-12)


def test_a_covariance_that_is_none_is_refused():
    refused(Problem.SINGULAR, p.portfolio_moments, [1.0, -1.0], [[1.0, 2.0], [2.0, 1.0]])
    refused(Problem.SHAPE, p.portfolio_moments, [1.0], np.eye(2))
    refused(Problem.OUT_OF_RANGE, p.normal_var_es, 0.0, -1.0, 0.99)
    refused(Problem.OUT_OF_RANGE, p.student_var_es, 0.0, 1.0, 0.99, 2.0)
    assert p.normal_tail_probability(0.0, 1.0, 1.6448536269514722) == pytest.approx(0.05)
    assert p.normal_tail_probability(-2.0, 0.0, 1.0) == 1.0
