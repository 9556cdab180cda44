"""Goal: GARCH(1,1) is fitted where its likelihood is highest. Method: the arch library, known truth, differences."""

import warnings

import numpy as np
import pytest
from oracle import oracle

from tradsys.errors import RiskError
from tradsys.risk import garch as g
from tradsys.risk.historical import filtered_returns
from tradsys.risk.inputs import Problem


def simulated(n=3000, omega=1e-6, alpha=0.08, beta=0.9, seed=1):
    rng = np.random.default_rng(seed)
    out, v, e = np.empty(n), omega / (1 - alpha - beta), 0.0
    for i in range(n):
        v = omega + alpha * e * e + beta * v if i else v
        e = np.sqrt(v) * rng.standard_normal()
        out[i] = 3e-4 + e
    return out


def test_finds_the_parameters_it_was_made_of():
    returns = simulated(20_000)
    found = g.fit(returns)
    truth = np.array([3e-4, 1e-6, 0.08, 0.9])
    errors = g.standard_errors(returns, found)
    assert (np.abs(np.array(found[:4]) - truth) < 4 * errors).all()
    assert errors[2] < 0.02
    assert found.persistence == pytest.approx(0.98, abs=0.02)


def test_scale_changes_units_only():
    returns = simulated()
    one, hundred = g.fit(returns), g.fit(100 * returns)
    assert hundred.alpha == pytest.approx(one.alpha, rel=1e-6)
    assert hundred.omega == pytest.approx(1e4 * one.omega, rel=1e-6)
    assert hundred.volatilities == pytest.approx(100 * one.volatilities, rel=1e-6)
    assert hundred.log_likelihood == pytest.approx(one.log_likelihood - len(returns) * np.log(100), rel=1e-9)


def test_nothing_nearby_is_likelier_and_the_gradient_is_exact():
    returns = simulated()
    found = g.fit(returns)
    assert g.log_likelihood(returns, *found[:4]) == pytest.approx(found.log_likelihood, rel=1e-12)
    for i in range(4):
        for factor in (0.98, 1.02):
            moved = np.array(found[:4])
            moved[i] *= factor
            if moved[2] + moved[3] < 1.0:
                assert g.log_likelihood(returns, *moved) < found.log_likelihood
    shocks = (returns - returns.mean()) / returns.std()
    theta = np.array([0.1, 0.05, 0.1, 0.8])
    slope = g._value_and_slope(shocks, theta, 0.9)[1]
    for i in range(4):
        step = np.eye(4)[i] * 1e-6
        up, down = (g._value(shocks, theta + sign * step, 0.9) for sign in (1, -1))
        assert slope[i] == pytest.approx((up - down) / 2e-6, rel=1e-5)
    assert g._scores(shocks, theta, 0.9).sum(axis=0) == pytest.approx(slope, rel=1e-9)


def test_equal_to_arch(market_data):
    import pyarrow.parquet as pq

    arch = oracle("arch")
    table = pq.read_table(market_data / "daily" / "skfolio_sp500_20_adjclose_1990_2022.parquet")
    series = [pq.read_table(market_data / "daily" / "rugarch_sp500ret.parquet")["SP500RET"].to_numpy()]
    series += [np.diff(np.log(table[name].to_numpy())) for name in ("JNJ", "XOM")] + [simulated(800)]
    for returns in series:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = arch.arch_model(
                100 * returns, mean="Constant", vol="GARCH", p=1, q=1, rescale=False
            ).fit(disp="off")
        ours = g.fit(returns)
        units = np.array([1e-2, 1e-4, 1.0, 1.0])
        their_likelihood = theirs.loglikelihood + len(returns) * np.log(100)
        # the same likelihood of the same parameters, and ours is never below theirs
        at_theirs = g.log_likelihood(returns, *(theirs.params.to_numpy() * units))
        assert at_theirs == pytest.approx(their_likelihood, rel=1e-9)
        assert ours.log_likelihood >= their_likelihood - 1e-6
        assert np.array(ours[:4]) == pytest.approx(theirs.params.to_numpy() * units, rel=1e-3)
        assert ours.volatilities[:-1] == pytest.approx(theirs.conditional_volatility / 100, rel=1e-4)
        assert g.standard_errors(returns, ours) == pytest.approx(theirs.std_err.to_numpy() * units, rel=1e-2)
        forecast = theirs.forecast(horizon=10).variance.to_numpy()[-1] / 1e4
        assert g.forecast_variances(ours, 10) == pytest.approx(forecast, rel=1e-3)


def test_volatilities_filter_returns():
    returns = simulated()
    filtered = filtered_returns(returns[:, None], volatilities=g.fit(returns).volatilities[:, None])
    squares = filtered[:, 0] ** 2
    assert abs(np.corrcoef(squares[1:], squares[:-1])[0, 1]) < 0.05
    assert np.corrcoef(returns[1:] ** 2, returns[:-1] ** 2)[0, 1] > 0.1


def test_returns_without_clusters_and_refusals():
    noise = np.random.default_rng(3).standard_normal(500)
    found = g.fit(noise)
    assert found.volatilities.mean() == pytest.approx(1.0, abs=0.1)
    for problem, values in (
        (Problem.TOO_SHORT, np.ones(49)), (Problem.SINGULAR, np.ones(60)), (Problem.NOT_FINITE, np.full(60, np.nan)),
        (Problem.EMPTY, []), (Problem.SHAPE, np.ones((60, 2))),
    ):  # fmt: skip
        with pytest.raises(RiskError) as caught:
            g.fit(values)
        assert caught.value.problem == problem.value
    for wrong in ((0.0, -1.0, 0.1, 0.8), (0.0, 1.0, 0.5, 0.5), (0.0, 1.0, -0.1, 0.8), (0.0, 1.0, 0.1, -0.2)):
        with pytest.raises(RiskError, match="must be in"):
            g.log_likelihood(noise, *wrong)


def noise(seed, n=250):
    return np.random.default_rng(seed).standard_normal(n)


def test_noise_is_fitted_too():
    # Goal: returns without clusters have a flat likelihood with several tops; none is refused, none is below a constant
    # variance. Method: many seeds, those among them that a single start leaves on the way or at a lower top.
    for seed in (*range(150), 538, 1881):
        returns = noise(seed)
        found = g.fit(returns)
        constant = g.log_likelihood(returns, returns.mean(), returns.var() * (1 - 1e-9), 0.0, 1e-9)
        assert found.log_likelihood > constant - 1e-3


def test_noise_is_fitted_as_high_as_arch_does():
    # Goal: the highest top. Method: the arch library on seeds where one start ends up to 2.7 below it.
    arch = oracle("arch")
    for seed in (7, 18, 29, 40, 103, 158, 538, 1881):
        returns = noise(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = arch.arch_model(returns, mean="Constant", vol="GARCH", p=1, q=1, rescale=False).fit(disp="off")
        assert g.fit(returns).log_likelihood > theirs.loglikelihood - 1e-3
