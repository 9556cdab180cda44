"""Goal: simulations find the true risk, say how far off they may be, and repeat to the digit.

Method: closed forms within standard errors, plain NumPy over the same draws, seeds, threads and chunks.
"""

import math

import numpy as np
import pytest
from oracle import oracle

from tradsys.errors import RiskError
from tradsys.risk import monte_carlo as m
from tradsys.risk import random_numbers as r
from tradsys.risk import simulation, sobol
from tradsys.risk.decomposition import normal_contributions
from tradsys.risk.historical import es_standard_error, historical_var_es
from tradsys.risk.inputs import Problem
from tradsys.risk.parametric import normal_var_es, student_var_es

HELD = np.array([100.0, -50.0, 80.0, 0.0])
ROOT = np.array([[1.0, 0, 0, 0], [0.5, 0.8, 0, 0], [-0.2, 0.3, 1.1, 0], [0.1, 0.1, 0.1, 0.5]]) / 100
COVARIANCE = ROOT @ ROOT.T
MEANS = np.array([1e-3, 0.0, -1e-3, 0.0])
DEVIATION = math.sqrt(HELD @ COVARIANCE @ HELD)
MANY = m.Settings(paths=200_000, seed=42)


def refused(problem, function, *arguments, **settings):
    with pytest.raises(RiskError) as caught:
        function(*arguments, **settings)
    assert caught.value.problem == problem.value


def test_generator_is_xoshiro():
    """First words of the authors' reference code from the state 1, 2, 3, 4."""
    state = tuple(np.uint64(k) for k in (1, 2, 3, 4))
    words = []
    for _ in range(4):
        word, state = r._next_word(tuple(map(np.uint64, state)))
        words.append(int(word))
    assert words == [41943041, 58720359, 3588806011781223, 3591011842654386]


def test_normals_are_normal():
    draws = r.normals(3, np.arange(2000), 1000).ravel()
    n = len(draws)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert np.mean(draws**power) == pytest.approx(moment, abs=5 * math.sqrt(variance / n))
    for edge in (0.01, 0.3, 1.0, 2.0, 3.0, 3.654, 3.7, 4.2):  # across layers and into the tail
        share = math.erfc(edge / math.sqrt(2))
        assert np.mean(np.abs(draws) > edge) == pytest.approx(share, abs=5 * math.sqrt(share / n))
    side_by_side = np.corrcoef(r.normals(3, np.arange(50_000), 4).T)
    assert np.abs(side_by_side - np.eye(4)).max() < 5 / math.sqrt(50_000)


@pytest.mark.parametrize("dof", [0.7, 3.0, 9.5])
def test_chi_squares_have_their_moments(dof):
    draws = np.empty(200_000)
    r.fill_chi_squares(np.uint64(1), np.arange(200_000), dof, draws)
    assert draws.mean() == pytest.approx(dof, abs=5 * math.sqrt(2 * dof / 200_000))
    assert draws.var() == pytest.approx(2 * dof, rel=0.05)


def test_gaussian_is_plain_numpy_on_the_same_draws():
    for dof in (None, 5.0):
        for mirror in (False, True):
            settings = m.Settings(paths=3001, seed=9, antithetic=mirror)
            found = m.simulate_gaussian(
                HELD, COVARIANCE, 0.97, means=MEANS, steps=4, dof=dof, settings=settings
            )
            draws = m.gaussian_factors(settings, np.arange(3001), 4, dof)
            returns = draws @ np.linalg.cholesky(COVARIANCE).T * 2 + 4 * MEANS
            assert found.pnl == pytest.approx(returns @ HELD, rel=1e-9, abs=1e-9)
            assert (found.var, found.es) == pytest.approx(historical_var_es(returns @ HELD, 0.97), rel=1e-9)
            losses = np.sort(-(returns @ HELD))
            tail = returns[
                -(returns @ HELD) > losses[2909]
            ]  # ceil(0.97 x 3001) is 2911: 90 paths beyond, 0.03 in part
            rough = -(tail * HELD).mean(axis=0)
            assert found.component_es == pytest.approx(rough, rel=0.05, abs=0.05)
            assert found.component_es.sum() == pytest.approx(found.es, rel=1e-9)
            assert found.component_es[3] == 0.0
            assert HELD @ found.marginal_var == pytest.approx(found.var, rel=1e-9)


@pytest.mark.parametrize(("dof", "mirror"), [(None, False), (None, True), (4.0, False), (4.0, True)])
def test_simulated_is_the_closed_form_within_its_error(dof, mirror):
    found = m.simulate_gaussian(
        HELD, COVARIANCE, 0.99, steps=10, dof=dof, settings=MANY._replace(antithetic=mirror)
    )
    exact = (
        normal_var_es(0.0, DEVIATION * math.sqrt(10), 0.99)
        if dof is None
        else student_var_es(0.0, DEVIATION * math.sqrt(10), 0.99, dof)
    )
    assert abs(found.var - exact.var) < 4 * found.var_error
    assert abs(found.es - exact.es) < 4 * found.es_error
    assert 0 < found.var_error < 0.02 * exact.var
    assert 0 < found.es_error < 0.05 * exact.es


def test_marginals_are_the_closed_form_of_the_normal():
    found = m.simulate_gaussian(HELD, COVARIANCE, 0.95, settings=MANY._replace(paths=400_000))
    exact = normal_contributions(HELD, COVARIANCE, 0.95)
    assert found.marginal_var == pytest.approx(exact.marginal, abs=1e-3)
    assert found.marginal_es == pytest.approx(
        normal_contributions(HELD, COVARIANCE, 0.95, es=True).marginal, abs=3e-4
    )


def test_standard_errors_are_the_spread_of_seeds():
    for mirror in (False, True):
        found = [
            m.simulate_gaussian(HELD, COVARIANCE, 0.99, components=False,
                                settings=m.Settings(paths=20_000, seed=s, antithetic=mirror))
            for s in range(60)
        ]  # fmt: skip
        assert np.std([f.var for f in found]) == pytest.approx(
            np.mean([f.var_error for f in found]), rel=0.35
        )
        assert np.std([f.es for f in found]) == pytest.approx(np.mean([f.es_error for f in found]), rel=0.35)
    assert found[0].pnl[::2] == pytest.approx(-found[0].pnl[1::2])
    plain = m.simulate_gaussian(HELD, COVARIANCE, 0.99, settings=m.Settings(paths=5000))
    assert plain.es_error == pytest.approx(es_standard_error(plain.pnl, 0.99), rel=1e-6)


def test_threads_and_chunks_change_no_digit(monkeypatch):
    history = np.random.default_rng(1).standard_normal((50, 4))

    def everything(threads):
        settings = m.Settings(paths=5000, seed=7, threads=threads)
        yield m.simulate_gaussian(HELD, COVARIANCE, 0.99, settings=settings._replace(antithetic=True)).pnl
        yield m.simulate_gaussian(HELD, COVARIANCE, 0.99, dof=4.0, settings=settings).pnl
        yield m.simulate_sobol(HELD, COVARIANCE, 0.99, settings=settings).pnl
        yield m.simulate_bootstrap(history[:, 0], 0.99, steps=10, block=3, settings=settings).pnl

    expected = list(everything(1))
    for _ in range(2):
        for one, other in zip(expected, everything(3), strict=True):
            assert np.array_equal(one, other)
    monkeypatch.setattr(m, "chunk_of", lambda _: 17)
    for one, other in zip(expected, everything(2), strict=True):
        assert np.array_equal(one, other)
    other_seed = m.simulate_gaussian(HELD, COVARIANCE, 0.99, settings=m.Settings(paths=5000, seed=8)).pnl
    assert not np.isin(other_seed, expected[0]).any()


def test_sobol_is_closer_than_random_and_knows_it():
    exact = normal_var_es(0.0, DEVIATION, 0.99)
    settings = m.Settings(paths=1 << 16, seed=3)
    quasi = m.simulate_sobol(HELD, COVARIANCE, 0.99, settings=settings)
    plain = m.simulate_gaussian(HELD, COVARIANCE, 0.99, settings=settings)
    assert abs(quasi.var - exact.var) < 5 * quasi.var_error
    assert abs(quasi.es - exact.es) < 5 * quasi.es_error
    assert quasi.var_error < plain.var_error / 2
    assert quasi.es_error < plain.es_error / 2
    assert len(quasi.pnl) == 1 << 16
    refused(
        Problem.OUT_OF_RANGE, m.simulate_sobol, HELD, COVARIANCE, 0.99, settings=m.Settings(antithetic=True)
    )


def test_sobol_points_are_scipys():
    qmc = oracle("scipy.stats").qmc
    assert np.array_equal(sobol.points(10, 0, 512), qmc.Sobol(10, scramble=False).random(512))


def test_every_sobol_projection_is_stratified():
    points = np.vstack([sobol.points(1111, 0, 100), sobol.points(1111, 100, 924)])
    ranks = np.sort((points * 1024).astype(int), axis=0)
    assert np.array_equal(ranks, np.repeat(np.arange(1024)[:, None], 1111, axis=1))
    assert len({tuple(column) for column in sobol.direction_numbers(1111).T}) == 1111
    shifted = sobol.points(3, 0, 1024, sobol.shifts(1, 0, 3))
    assert np.array_equal(np.sort((shifted * 1024).astype(int), axis=0)[:, 2], np.arange(1024))
    refused(Problem.OUT_OF_RANGE, sobol.points, 1112, 0, 1)


@pytest.mark.parametrize("dof", [None, 3.0])
def test_copula_keeps_margins_and_dependence(dof):
    stats = oracle("scipy.stats")
    history = np.random.default_rng(2).standard_t(3, (400, 2)) / 100
    correlations = np.array([[1.0, 0.6], [0.6, 1.0]])
    for held in ([1.0, 0.0], [0.0, 1.0]):
        found = m.simulate_copula(
            history, held, correlations, 0.95, dof=dof, settings=MANY._replace(paths=100_000)
        )
        column = history[:, int(held[1])]
        assert set(np.round(found.pnl, 12)) == set(np.round(column, 12))
        exact = historical_var_es(column, 0.95)
        assert found.es == pytest.approx(exact.es, rel=0.03)
        assert found.var == pytest.approx(exact.var, rel=0.05)
    # Kendall's tau of an elliptical copula is 2/pi asin(rho) (Lindskog, McNeil, Schmock 2003)
    codes = np.column_stack([np.arange(400.0), np.arange(400.0) * 1000])
    pairs = m.simulate_copula(
        codes, [1.0, 1.0], correlations, 0.95, dof=dof, settings=m.Settings(paths=20_000)
    ).pnl
    second = np.floor(pairs / 1000)
    tau = stats.kendalltau(pairs - 1000 * second, second).statistic
    assert tau == pytest.approx(2 / math.pi * math.asin(0.6), abs=0.02)


def test_t_copula_has_joint_extremes_a_gaussian_one_has_not():
    history = np.arange(100.0)[:, None] + np.zeros((1, 2))  # ranks themselves
    both = {}
    for dof in (None, 2.0):
        found = m.simulate_copula(history, [-1.0, -1.0], np.eye(2), 0.95, dof=dof, settings=MANY)
        both[dof] = np.mean(found.pnl == -198.0)  # both at their largest
    assert both[None] == pytest.approx(1e-4, abs=1e-4)
    assert both[2.0] > 10 * both[None]


def test_bootstrap():
    pnl = np.array([-3.0, -1.0, 0.0, 1.0, 2.0])
    one = m.simulate_bootstrap(pnl, 0.9, settings=MANY)
    assert (one.var, one.es) == pytest.approx(historical_var_es(pnl, 0.9), abs=0.02)
    ten = m.simulate_bootstrap(pnl, 0.9, steps=10, settings=MANY)
    assert ten.pnl.mean() == pytest.approx(10 * pnl.mean(), abs=0.05)
    assert ten.pnl.var() == pytest.approx(10 * pnl.var(), rel=0.02)
    blocks = m.simulate_bootstrap(pnl, 0.9, steps=7, block=5, settings=MANY)
    expected = {round(pnl.sum() + pnl[i] + pnl[(i + 1) % 5], 9) for i in range(5)}
    assert set(np.round(blocks.pnl, 9)) <= {round(pnl.sum() + a + b, 9) for a in pnl for b in pnl}
    assert expected == set(np.round(blocks.pnl, 9))
    refused(Problem.OUT_OF_RANGE, m.simulate_bootstrap, pnl, 0.9, block=6)
    refused(Problem.OUT_OF_RANGE, m.simulate_bootstrap, pnl, 0.9, settings=m.Settings(antithetic=True))


def test_brownian_paths_end_lognormal_and_dip_on_the_way():
    held, square = [100.0], [[0.02**2]]
    found = m.simulate_brownian(
        held, square, 0.99, steps=10, settings=m.Settings(paths=100_000, antithetic=True)
    )
    spread = 0.02 * math.sqrt(10)
    exact = 100 * (1 - math.exp(-0.5 * spread**2 - 2.3263478740408408 * spread))
    assert abs(found.terminal.var - exact) < 4 * found.terminal.var_error
    assert np.mean(found.terminal.pnl) == pytest.approx(0.0, abs=0.03)  # prices are martingales without means
    assert (found.worst.pnl <= np.minimum(found.terminal.pnl, 0.0)).all()
    assert found.worst.var >= found.terminal.var
    single = m.simulate_brownian(HELD, COVARIANCE, 0.95, steps=1, settings=m.Settings(paths=2000))
    assert np.array_equal(single.worst.pnl, np.minimum(single.terminal.pnl, 0.0))


def test_horizons_by_simulation_and_by_scaling_agree():
    scaled = m.simulate_gaussian(HELD, COVARIANCE / 1e4, 0.99, steps=10, settings=MANY)
    walked = m.simulate_brownian(
        HELD, COVARIANCE / 1e4, 0.99, steps=10, settings=m.Settings(paths=100_000)
    ).terminal
    assert walked.var == pytest.approx(scaled.var, abs=5 * (walked.var_error + scaled.var_error))


def test_revaluation_of_what_is_linear_is_linear():
    settings = m.Settings(paths=5000, seed=5)
    linear = m.simulate_gaussian(HELD, COVARIANCE, 0.99, means=MEANS, steps=3, dof=5, settings=settings)
    revalued = m.simulate_revalued(
        lambda returns: returns @ HELD, COVARIANCE, 0.99, means=MEANS, steps=3, dof=5, settings=settings
    )
    assert revalued.pnl == pytest.approx(linear.pnl, rel=1e-9, abs=1e-9)
    refused(Problem.SHAPE, m.simulate_revalued, lambda returns: returns, COVARIANCE, 0.99)
    refused(Problem.NOT_FINITE, m.simulate_revalued, lambda returns: returns[:, 0] * np.nan, COVARIANCE, 0.99)


def test_progress_is_told():
    seen = []
    m.simulate_gaussian(HELD, COVARIANCE, 0.99, settings=m.Settings(paths=100_000, progress=seen.append))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_degenerate_portfolios():
    for function in (m.simulate_gaussian, m.simulate_sobol):
        flat = function(np.zeros(4), COVARIANCE, 0.99, settings=m.Settings(paths=100))
        assert (flat.var, flat.es, flat.es_error) == (0.0, 0.0, 0.0)
        still = function(HELD, np.zeros((4, 4)), 0.99, means=MEANS, settings=m.Settings(paths=100))
        assert still.var == pytest.approx(-(MEANS @ HELD))
    one = m.simulate_gaussian([5.0], [[0.04]], 0.5, settings=m.Settings(paths=1))
    assert math.isnan(one.var_error)
    singular = m.simulate_gaussian([1.0, 1.0], np.ones((2, 2)), 0.95, settings=MANY)
    assert singular.var == pytest.approx(2 * 1.6448536, rel=0.02)


def test_refusals():
    few = m.Settings(paths=10)
    refused(Problem.SINGULAR, m.simulate_gaussian, [1.0, 1.0], [[1.0, 2.0], [2.0, 1.0]], 0.99, settings=few)
    refused(Problem.SHAPE, m.simulate_gaussian, [1.0], COVARIANCE, 0.99, settings=few)
    refused(Problem.NOT_FINITE, m.simulate_gaussian, [np.nan], [[1.0]], 0.99, settings=few)
    refused(Problem.EMPTY, m.simulate_gaussian, [], np.empty((0, 0)), 0.99, settings=few)
    for settings in (m.Settings(paths=0), m.Settings(seed=-1), m.Settings(threads=0)):
        refused(Problem.OUT_OF_RANGE, m.simulate_gaussian, [1.0], [[1.0]], 0.99, settings=settings)
    refused(Problem.OUT_OF_RANGE, m.simulate_gaussian, [1.0], [[1.0]], 0.99, dof=2.0, settings=few)
    refused(Problem.OUT_OF_RANGE, m.simulate_gaussian, [1.0], [[1.0]], 1.0, settings=few)
    refused(Problem.OUT_OF_RANGE, m.simulate_copula, [[1.0]], [1.0], [[2.0]], 0.99, settings=few)


def test_tail_paths_share_ties():
    pnl = np.array([-2.0, -1.0, -1.0, 3.0, -1.0, 5.0, 5.0, 5.0, 5.0, 5.0])
    var = historical_var_es(pnl, 0.75)
    paths, weights = simulation.tail_paths(pnl, var.var, 0.75)
    assert paths.tolist() == [0, 1, 2, 4]
    assert -(weights @ pnl[paths]) == pytest.approx(var.es)
