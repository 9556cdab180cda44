"""Goal: back-tests give the published numbers. Method: the tables of data/reference, closed forms, simulated truth."""

import csv
import math

import numpy as np
import pytest

from tradsys.errors import RiskError
from tradsys.risk import backtest as b
from tradsys.risk.covariance import ewma_volatilities
from tradsys.risk.historical import historical_var_es
from tradsys.risk.inputs import Problem
from tradsys.risk.parametric import normal_var_es


@pytest.fixture
def reference(market_data):
    def rows(name):
        with (market_data / "reference" / name).open(newline="") as file:
            return list(csv.DictReader(file))

    return rows


def refused(problem, function, *arguments):
    with pytest.raises(RiskError) as caught:
        function(*arguments)
    assert caught.value.problem == problem.value


def test_basel_table(reference):
    rows = reference("basel_traffic_light_250d_99.csv")
    assert len(rows) == 11
    for row in rows:
        light = b.traffic_light(int(row["exceptions"]))
        assert light.zone == row["zone"]
        assert light.plus_factor == float(row["plus_factor"])
        assert 100 * light.probability == pytest.approx(float(row["cum_prob_pct"]), abs=0.0051)


def test_kupiec_regions(reference):
    rows = reference("kupiec_nonrejection_regions_95.csv")
    assert len(rows) == 15
    for row in rows:
        region = b.nonrejection_region(int(row["T"]), 1.0 - float(row["tail_prob"]))
        assert region == (int(row["min_accept_N"]), int(row["max_accept_N"]))


def test_published_statistics(reference):
    rows = reference("var_backtest_published.csv")
    for row in rows:
        level, n, x = float(row["var_level"]), int(row["observations"]), int(row["failures"])
        pof = b.kupiec(n, x, level)
        assert pof == pytest.approx((float(row["lr_pof"]), float(row["p_pof"])), rel=1e-4)
        if not row["lr_cci"]:
            continue
        days = hits_with(*(int(float(row[name])) for name in ("n00", "n01", "n10", "n11")))
        chain = b.independence(days)
        assert [chain.n00, chain.n01, chain.n10, chain.n11] == [932, 53, 53, 4]
        assert chain[:2] == pytest.approx((float(row["lr_cci"]), float(row["p_cci"])), rel=1e-4)
        # the published 1043 days have 1042 transitions and 57 hits
        assert (len(days), int(days.sum())) == (n, x)
        assert b.conditional_coverage(days, level) == pytest.approx(
            (float(row["lr_cc"]), float(row["p_cc"])), rel=1e-4
        )


def hits_with(n00, n01, n10, n11):
    """A series with these transitions, starting and ending without a hit; runs of hits hold n11."""
    assert n01 == n10
    runs = [1] * n01
    runs[0] += n11
    days = [0]
    for run in runs:
        days += [1] * run + [0]
    return np.array(days + [0] * (n00 + 1 + sum(runs) + n10 - len(days)))


def test_numbers_by_hand():
    assert b.kupiec(250, 0, 0.99) == pytest.approx(
        (-500 * math.log(0.99), math.erfc(math.sqrt(-250 * math.log(0.99)))), rel=1e-9
    )
    assert b.kupiec(100, 1, 0.99).statistic == pytest.approx(0.0, abs=1e-12)
    assert b.kupiec(100, 1, 0.99).p_value == pytest.approx(1.0)
    assert b.independence([0, 1, 0, 1, 0, 1, 0])[2:] == (0, 3, 3, 0)
    assert b.independence([0, 0, 0]).statistic == 0.0
    assert b.independence([1, 1, 1]).statistic == 0.0
    assert b.kupiec(10, 10, 0.99).statistic == pytest.approx(-20 * math.log(0.01))


def test_hits_are_strictly_beyond():
    assert b.hits([-1.0, -1.1, 5.0], 1.0).tolist() == [False, True, False]
    assert b.hits([-1.0, -1.1], [0.5, 2.0]).tolist() == [True, False]


def test_rejections_are_as_many_as_the_p_values_say():
    """Right forecasts are rejected in about 5 % of the worlds."""
    days = np.random.default_rng(12).random((3000, 1000)) < 0.05
    p_values = np.array([b.kupiec(1000, int(row.sum()), 0.95).p_value for row in days])
    assert np.mean(p_values < 0.05) == pytest.approx(0.05, abs=0.015)
    clustered = np.repeat(np.random.default_rng(1).random(500) < 0.05, 2)
    assert b.independence(clustered).p_value < 1e-6


def test_acerbi_szekely_on_right_and_wrong_forecasts():
    rng = np.random.default_rng(21)
    var, es = normal_var_es(0.0, 1.0, 0.975)
    n = 2000
    vars_, shortfalls = np.full(n, var), np.full(n, es)
    worlds = rng.standard_normal((500, n))
    right = [b.acerbi_szekely(world, vars_, shortfalls, 0.975) for world in worlds]
    assert np.mean([t.z1 for t in right]) == pytest.approx(0.0, abs=0.01)
    assert np.mean([t.z2 for t in right]) == pytest.approx(0.0, abs=0.03)
    wrong = b.acerbi_szekely(rng.standard_t(3, n), vars_, shortfalls, 0.975)
    assert wrong.z2 < -0.7
    tested = b.simulated_p_values(wrong, vars_, shortfalls, 0.975, worlds)
    assert tested.p_value_z2 == 0.0
    assert tested.p_value_z1 == 0.0
    fine = b.simulated_p_values(right[0], vars_, shortfalls, 0.975, worlds)
    assert 0.0 < fine.p_value_z2 <= 1.0
    none = b.acerbi_szekely([1.0, 1.0], [1.0, 1.0], [1.0, 1.0], 0.975)
    assert math.isnan(none.z1)
    assert none.z2 == 1.0


def test_published_critical_value():
    """Z2 below -0.70 in 5 % of 250-day years of normal P&L at 0.975 (Acerbi and Szekely, table 5)."""
    var, es = normal_var_es(0.0, 1.0, 0.975)
    worlds = np.random.default_rng(4).standard_normal((20_000, 250))
    z2 = np.where(worlds < -var, worlds / es, 0.0).sum(axis=1) / (250 * 0.025) + 1.0
    assert np.quantile(z2, 0.05) == pytest.approx(-0.70, abs=0.03)


def test_rolling_forecasts_see_only_the_past():
    pnl = np.array([-1.0, -2.0, -3.0, -4.0, -5.0])
    assert b.rolling_forecasts(pnl, 2, 0.99).tolist() == [2.0, 3.0, 4.0]
    refused(Problem.TOO_SHORT, b.rolling_forecasts, pnl, 5, 0.99)


def test_rolling_shortfalls_are_those_of_each_window():
    pnl = np.random.default_rng(6).standard_normal(80)
    for level in (0.9, 0.975, 0.99):
        found = b.rolling_shortfalls(pnl, 40, level)
        expected = [historical_var_es(pnl[i : i + 40], level).es for i in range(40)]
        assert found == pytest.approx(expected, rel=1e-12)


def test_a_whole_report():
    rng = np.random.default_rng(31)
    report = b.backtest(rng.standard_normal(250), np.full(250, normal_var_es(0, 1, 0.99).var), 0.99)
    assert report.expected == pytest.approx(2.5)
    assert report.exceptions == report.independence.n01 + report.independence.n11
    assert report.coverage.statistic == pytest.approx(report.pof.statistic + report.independence.statistic)


def test_refusals():
    refused(Problem.OUT_OF_RANGE, b.kupiec, 10, 11, 0.99)
    refused(Problem.OUT_OF_RANGE, b.kupiec, 0, 0, 0.99)
    refused(Problem.OUT_OF_RANGE, b.traffic_light, 1, 250, 1.0)
    refused(Problem.TOO_SHORT, b.independence, [1])
    refused(Problem.SHAPE, b.hits, [1.0, 2.0], [1.0])
    refused(Problem.NOT_FINITE, b.hits, [1.0, np.nan], 1.0)
    refused(Problem.OUT_OF_RANGE, b.acerbi_szekely, [1.0], [1.0], [0.0], 0.975)
    refused(Problem.SHAPE, b.simulated_p_values, b.ShortfallTest(0, 0, 0, 0), [1.0], [1.0], 0.9, [[1.0, 2.0]])


def test_var_holds_on_real_indices_where_it_should(market_data):
    """The S&P 500 since 1990: yesterday's 500 days do not see volatility coming, filtered returns do better."""
    import pyarrow.parquet as pq

    table = pq.read_table(market_data / "daily" / "skfolio_sp500_index_1990_2022.parquet")
    closes = table["SP500"].to_numpy()
    returns = closes[1:] / closes[:-1] - 1.0
    plain = b.backtest(returns[500:], b.rolling_forecasts(returns, 500, 0.99), 0.99)
    assert 0.008 < plain.exceptions / plain.observations < 0.02
    assert plain.independence.p_value < 0.01  # hits come in clusters
    volatilities = ewma_volatilities(returns)
    shocks = returns / volatilities[:-1]
    filtered = b.rolling_forecasts(shocks, 500, 0.99) * volatilities[500:-1]
    scaled = b.backtest(returns[500:], filtered, 0.99)
    assert scaled.pof.p_value > 0.05
    assert scaled.independence.p_value > 100 * plain.independence.p_value
    normal = b.backtest(returns[500:], 2.3263478740408408 * volatilities[500:-1], 0.99)
    assert normal.pof.p_value < 1e-6  # tails are not normal
