"""Goal: stress tests move what they say they move. Method: the library against the real series, closed forms, refusals."""

import numpy as np
import pytest

from tradsys.errors import RiskError
from tradsys.risk import stress as s
from tradsys.risk.inputs import Problem
from tradsys.risk.parametric import normal_var_es, portfolio_moments
from tradsys.risk.revaluation import linear

ROOT = np.array([[0.02, 0, 0], [0.01, 0.03, 0], [-0.01, 0.0, 0.015]])
COVARIANCE = ROOT @ ROOT.T


def refused(problem, function, *arguments):
    with pytest.raises(RiskError) as caught:
        function(*arguments)
    assert caught.value.problem == problem.value


def test_the_library_has_the_crises_and_their_sources():
    library = s.library()
    years = {name.rsplit("_", 1)[1] for name in library}
    assert years == {"1987", "1998", "2000", "2008", "2010", "2015", "2020", "2022"}
    for scenario in library.values():
        assert scenario.source
        assert scenario.first_day < scenario.last_day
        assert scenario.asset_classes["STOCK"] < 0.0
        assert not {"ETF", "MUTUAL_FUND"} & set(scenario.asset_classes)  # a fund may hold anything


def test_the_library_is_what_the_series_did(market_data):
    """Every move of a symbol is its real one between the days named, and the index is that of shares."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(market_data / "daily" / "yahoo_multiasset_adjclose_A.parquet")
    symbols = pc.cast(table["symbol"], "string").to_pylist()
    closes = {}
    for symbol, day, close in zip(
        symbols, table["date"].to_pylist(), table["adj_close"].to_pylist(), strict=True
    ):
        closes.setdefault(symbol, {})[str(day)] = close
    index = pq.read_table(market_data / "daily" / "skfolio_sp500_index_1990_2022.parquet")
    days = [str(day)[:10] for day in index["Date"].to_pylist()]
    closes["SP500"] = dict(zip(days, index["SP500"].to_pylist(), strict=True))
    checked = 0
    for name, scenario in s.library().items():
        last = (
            "2015-01-15" if name == "swiss_franc_2015" else scenario.last_day
        )  # shares moved on the day itself
        for symbol, move in scenario.symbols.items():
            if scenario.first_day not in closes[symbol]:
                assert (name, move) == (
                    "crash_1987",
                    scenario.asset_classes["STOCK"],
                )  # funds of the index, later born
                continue
            real = closes[symbol][last] / closes[symbol][scenario.first_day] - 1.0
            assert move == pytest.approx(real, abs=6e-5), (name, symbol)
            checked += 1
        if name not in ("crash_1987", "flash_crash_2010"):
            real = closes["SP500"][last] / closes["SP500"][scenario.first_day] - 1.0
            assert scenario.asset_classes["STOCK"] == pytest.approx(real, abs=6e-5)
    assert checked > 90


def test_the_flash_crash_is_the_low_of_the_day(market_data):
    import pyarrow.parquet as pq

    table = pq.read_table(market_data / "daily" / "arch_sp500_ohlcv_1999_2018.parquet")
    rows = {str(day)[:10]: i for i, day in enumerate(table["Date"].to_pylist())}
    low, close = table["Low"][rows["2010-05-06"]].as_py(), table["Close"][rows["2010-05-05"]].as_py()
    assert s.library()["flash_crash_2010"].asset_classes["STOCK"] == pytest.approx(
        low / close - 1.0, abs=6e-5
    )


def test_moves_by_symbol_then_by_class_and_unstated_ones():
    scenario = s.library()["crisis_2008"]
    moves = scenario.moves(["TLT", "XYZ", "BTC"], ["ETF", "STOCK", "CRYPTO"])
    assert moves[:2].tolist() == [0.1077, -0.3989]
    assert np.isnan(moves[2])
    assert s.stress([100.0, 200.0], [[0.1, -0.1], [0.0, 0.5]]).tolist() == [-10.0, 100.0]
    refused(Problem.NOT_FINITE, s.stress, [1.0, 1.0, 1.0], moves[None, :])


def test_own_scenarios(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "oil_up:\n  title: Oil doubles\n  asset_classes: {COMMODITY: 1.0, STOCK: -0.05}\n  yields_bp: {10: 50}\n"
    )
    own = s.read_scenarios(path)["oil_up"]
    assert own.moves(["OIL"], ["COMMODITY"]).tolist() == [1.0]
    assert own.yields_bp == {10.0: 50.0}
    for problem, text in (
        (Problem.UNKNOWN, "a: {moves: {STOCK: -0.1}}"),
        (Problem.UNKNOWN, "- a\n- b"),
        (Problem.UNKNOWN, "a: [1"),
        (Problem.UNKNOWN, "a: {symbols: [1, 2]}"),
        (Problem.OUT_OF_RANGE, "a: {symbols: {SPY: -1.5}}"),
        (Problem.OUT_OF_RANGE, "a: {symbols: {SPY: .nan}}"),
        (Problem.OUT_OF_RANGE, "a: {symbols: {SPY: much}}"),
        (Problem.EMPTY, "a: {title: nothing}"),
    ):
        path.write_text(text)
        refused(problem, s.read_scenarios, path)
    refused(Problem.UNKNOWN, s.read_scenarios, tmp_path / "none.yaml")


def test_shifts_pull_the_others_along():
    moves = s.propagated_shift(COVARIANCE, {0: -0.1})
    betas = COVARIANCE[:, 0] / COVARIANCE[0, 0]
    assert moves == pytest.approx(-0.1 * betas)
    two = s.propagated_shift(COVARIANCE, {0: -0.1, 2: 0.2})
    assert (two[0], two[2]) == (-0.1, 0.2)
    draws = np.random.default_rng(1).standard_normal((400_000, 3)) @ ROOT.T
    slopes = np.linalg.lstsq(draws[:, [0, 2]], draws[:, 1], rcond=None)[0]
    assert two[1] == pytest.approx(slopes @ [-0.1, 0.2], abs=2e-3)
    refused(Problem.EMPTY, s.propagated_shift, COVARIANCE, {})
    refused(Problem.UNKNOWN, s.propagated_shift, COVARIANCE, {3: 0.1})
    refused(Problem.SINGULAR, s.propagated_shift, np.ones((2, 2)), {0: 0.1, 1: 0.2})


def test_reverse_stress_loses_the_amount_and_nothing_likelier_does():
    held = np.array([100.0, -50.0, 80.0])
    found = s.reverse_stress(held, COVARIANCE, 10.0)
    assert held @ found.moves == pytest.approx(-10.0)
    inverse = np.linalg.inv(COVARIANCE)
    assert found.distance**2 == pytest.approx(found.moves @ inverse @ found.moves)
    rng = np.random.default_rng(2)
    for _ in range(100):
        other = found.moves + rng.standard_normal(3) * 0.01
        other -= held * (held @ other + 10.0) / (held @ held)  # loses the same
        assert other @ inverse @ other >= found.distance**2 - 1e-9
    var = normal_var_es(0.0, portfolio_moments(held, COVARIANCE).deviation, 0.99).var
    assert s.reverse_stress(held, COVARIANCE, var).probability == pytest.approx(0.01)
    refused(Problem.SINGULAR, s.reverse_stress, [0.0, 0.0, 0.0], COVARIANCE, 1.0)
    refused(Problem.OUT_OF_RANGE, s.reverse_stress, held, COVARIANCE, -1.0)


def test_correlations_break():
    held = np.array([1.0, 1.0, 1.0])
    together = s.broken_correlations(COVARIANCE, 1.0, 1.0)
    assert portfolio_moments(held, together).deviation == pytest.approx(np.sqrt(np.diag(COVARIANCE)).sum())
    apart = s.broken_correlations(COVARIANCE, 0.0, 1.0)
    assert apart == pytest.approx(np.diag(np.diag(COVARIANCE)))
    assert s.broken_correlations(COVARIANCE, 0.7, 0.0) == pytest.approx(COVARIANCE)
    for share in (0.1, 0.5, 0.9):
        mixed = s.broken_correlations(COVARIANCE, 0.9, share)
        assert np.linalg.eigvalsh(mixed)[0] > 0.0
        assert np.diag(mixed) == pytest.approx(np.diag(COVARIANCE))
    refused(Problem.OUT_OF_RANGE, s.broken_correlations, COVARIANCE, -0.5, 1.0)


def test_ladders_and_windows():
    table = s.ladder(linear([100.0, -10.0]), 2, [-0.1, 0.0, 0.1])
    assert table == pytest.approx(np.array([[-10.0, 0.0, 10.0], [1.0, 0.0, -1.0]]))
    worst = s.worst_window([1.0, -2.0, -3.0, 5.0, -4.0], 2)
    assert worst == (1, -5.0)
    refused(Problem.TOO_SHORT, s.worst_window, [1.0], 2)
