"""Goal: ``tradsys risk`` answers what it is asked, alike for people and programs, and refuses in a sentence.

Method: the example portfolio over the example's invented prices, and files that are wrong in one way each.
"""

import json
import re
import runpy
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from tradsys.app import cli
from tradsys.app.risk_files import horizon_days, read_history
from tradsys.app.risk_var import METHODS
from tradsys.errors import InputError
from tradsys.risk.historical import historical_var_es

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
PORTFOLIO = str(EXAMPLES / "portfolio.csv")


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    made = runpy.run_path(str(EXAMPLES / "made_up_prices.py"))
    path = tmp_path_factory.mktemp("history") / "prices.parquet"
    pq.write_table(made["prices"](days=600), path)
    return str(path)


def asked(capsys, *words, status=0):
    assert cli.main(["risk", "var", *words]) == status
    return capsys.readouterr()


def asked_json(capsys, *words):
    return json.loads(asked(capsys, *words, "--json").out.splitlines()[-1])


def test_made_up_prices_are_the_same_every_time():
    made = runpy.run_path(str(EXAMPLES / "made_up_prices.py"))["prices"]
    assert made(days=50).equals(made(days=50))
    assert made(days=900)["EFA"].null_count > 0


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_and_its_components_add_up(capsys, prices, method):
    found = asked_json(
        capsys, PORTFOLIO, "--history", prices, "--method", method, "--paths", "4000", "--horizon", "2d"
    )
    assert 0 < found["var"] < found["es"] < found["gross"]
    assert found["value"] == pytest.approx(sum(p["exposure"] for p in found["positions"]))
    assert (found["var_error"] is not None) == (method in {"mc", "sobol", "copula", "bootstrap", "brownian"})
    for name, total in (("component_var", "var"), ("component_es", "es")):
        parts = [p[name] for p in found["positions"]]
        if parts[0] is not None:
            assert sum(parts) == pytest.approx(found[total], rel=1e-6)
    for parts in found["groups"].values():
        assert sum(parts.values()) == pytest.approx(found["es"], rel=1e-6)
    for parts in found["var_groups"].values():
        assert sum(parts.values()) == pytest.approx(found["var"], rel=1e-6)
    for p in found["positions"]:
        assert (p["marginal_var"] is None) == (p["component_var"] is None)
        assert p["marginal_var"] is None or p["marginal_var"] * p["exposure"] == pytest.approx(p["component_var"])
    shown = asked(capsys, PORTFOLIO, "--history", prices, "--method", method, "--paths", "4000").out
    assert "VaR" in shown


@pytest.mark.parametrize("method", ["mc", "bootstrap", "copula", "brownian"])
def test_one_path_has_no_standard_error_and_says_so(capsys, prices, method):
    found = asked_json(capsys, PORTFOLIO, "--history", prices, "--method", method, "--paths", "1")
    assert (found["var_error"], found["es_error"]) == (None, None)
    assert "1 paths have no standard error" in found["notes"]


def test_historical_is_the_quantile_of_the_pnl(capsys, prices, tmp_path):
    portfolio = tmp_path / "p.csv"
    portfolio.write_text("symbol,quantity\nSPY,2\nSPY,1\nTLT,-5\n")
    found = asked_json(capsys, str(portfolio), "--history", prices, "--level", "0.95")
    table = pq.read_table(prices)
    spy, tlt = (table[name].to_numpy() for name in ("SPY", "TLT"))
    pnl = 3 * spy[-1] * (spy[1:] / spy[:-1] - 1) - 5 * tlt[-1] * (tlt[1:] / tlt[:-1] - 1)
    assert (found["var"], found["es"]) == pytest.approx(historical_var_es(pnl, 0.95), rel=1e-9)
    assert found["positions"][0]["component_es"] == pytest.approx(2 * found["positions"][1]["component_es"])


def test_another_currency_moves_with_its_rate(capsys, tmp_path):
    days = [date(2024, 1, 1) + timedelta(i) for i in range(80)]
    rng = np.random.default_rng(1)
    share, rate = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, 80))), np.exp(np.cumsum(rng.normal(0, 0.01, 80)))
    history = tmp_path / "h.csv"
    lines = [f"{d},{a},{b}" for d, a, b in zip(days, share, rate, strict=True)]
    history.write_text("\n".join(["date,SAP,EUR/USD", *reversed(lines)]))  # any order
    portfolio = tmp_path / "p.csv"
    portfolio.write_text("symbol,quantity,currency\nSAP,10,EUR\n")
    found = asked_json(capsys, str(portfolio), "--history", str(history), "--level", "0.9")
    dollars = share * rate
    pnl = 10 * dollars[-1] * (dollars[1:] / dollars[:-1] - 1)
    assert found["var"] == pytest.approx(historical_var_es(pnl, 0.9).var, rel=1e-9)
    assert found["value"] == pytest.approx(10 * dollars[-1])
    wrong = asked(capsys, str(portfolio), "--history", str(history), "--base", "GBP", status=1)
    assert "the history has no EUR/GBP" in wrong.err


def test_the_seed_is_the_answer(capsys, prices):
    words = (PORTFOLIO, "--history", prices, "--method", "mc", "--paths", "5000")
    one, two = asked_json(capsys, *words), asked_json(capsys, *words, "--threads", "1")
    assert one == two
    assert asked_json(capsys, *words, "--seed", "2")["var"] != one["var"]


def test_long_tables_and_gaps(capsys, prices, tmp_path):
    wide = pq.read_table(prices)
    rows = [
        (day, name, value)
        for name in wide.column_names[1:]
        for day, value in zip(wide["date"].to_pylist(), wide[name].to_pylist(), strict=True)
        if value is not None
    ]
    long = pa.table(
        {"date": [r[0] for r in rows], "symbol": [r[1] for r in rows], "adj_close": [r[2] for r in rows]}
    )
    path = tmp_path / "long.parquet"
    pq.write_table(long, path)
    one = asked_json(capsys, PORTFOLIO, "--history", prices)
    two = asked_json(capsys, PORTFOLIO, "--history", str(path))
    assert one == two
    assert one["rows_dropped"] == one["cells_missing"] > 0
    carried = asked_json(capsys, PORTFOLIO, "--history", prices, "--missing", "carry")
    assert carried["cells_carried"] == one["cells_missing"]
    assert carried["observations"] == one["observations"] + one["rows_dropped"]
    refused = asked(capsys, PORTFOLIO, "--history", prices, "--missing", "refuse", status=1)
    assert "EFA has no price on 20" in refused.err


def test_arrow_holds_the_positions(capsys, prices, tmp_path):
    path = tmp_path / "positions.arrow"
    found = asked_json(capsys, PORTFOLIO, "--history", prices, "--arrow", str(path))
    table = pyarrow.feather.read_table(path)
    assert table["component_es"].to_pylist() == [p["component_es"] for p in found["positions"]]
    assert float(table.schema.metadata[b"var"]) == found["var"]


@pytest.mark.parametrize(
    ("portfolio", "sentence"),
    [
        ("symbol,quantity\nNONE,1\n", "the history has no NONE"),
        ("symbol,quantity\nSPY,many\n", "line 2: quantity must be a number, was 'many'"),
        ("symbol,quantity\nSPY,nan\n", "quantity must be a number"),
        ("symbol\nSPY\n", "needs the columns symbol and quantity"),
        ("symbol,quantity\n", "has no positions"),
    ],
)
def test_wrong_portfolios(capsys, prices, tmp_path, portfolio, sentence):
    path = tmp_path / "p.csv"
    path.write_text(portfolio)
    assert sentence in asked(capsys, str(path), "--history", prices, status=1).err


@pytest.mark.parametrize(
    ("history", "sentence"),
    [
        ("day_of,SPY\n2024-01-01,1\n", "needs a column date"),
        ("date,SPY\n2024-01-01,1.5\n", "a return needs two rows"),
        ("date,SPY\n2024-01-01,1.5\n2024-01-01,2\n", "has the day 2024-01-01 twice"),
        ("date,SPY\nsoon,1.5\n", "'soon' is not a date"),
        ("date,name\n2024-01-01,x\n", "has no prices"),
        ("date,symbol,price\n2024-01-01,SPY,1\n2024-01-01,SPY,2\n", "has SPY on 2024-01-01 twice"),
        ("date,symbol\n2024-01-01,SPY\n", "no price or close"),
        ("date,SPY\n2024-01-01,\n2024-01-02,\n", "the history of SPY has no price at all"),
    ],
)
def test_wrong_histories(capsys, tmp_path, history, sentence):
    portfolio, path = tmp_path / "p.csv", tmp_path / "h.csv"
    portfolio.write_text("symbol,quantity\nSPY,1\n")
    path.write_text(history)
    assert sentence in asked(capsys, str(portfolio), "--history", str(path), status=1).err


def test_wrong_words(capsys, prices, tmp_path):
    usual = (PORTFOLIO, "--history", prices)
    assert "no method 'guess'" in asked(capsys, *usual, "--method", "guess", status=2).err
    assert "no covariance" in asked(capsys, *usual, "--method", "normal", "--covariance", "x", status=2).err
    assert "missing must be" in asked(capsys, *usual, "--missing", "x", status=2).err
    for words in (
        ("--level", "1.5"),
        ("--level", "nan"),
        ("--paths", "0"),
        ("--dof", "-1"),
        ("--horizon", "ten"),
        ("--window", "1.5"),
    ):
        assert "must be" in asked(capsys, *usual, *words, status=2).err
    assert "must end with" in asked(capsys, __file__, "--history", prices, status=1).err
    for text in ("0d", "ten", "-1d", "99999d"):
        with pytest.raises(InputError, match="must be like"):
            horizon_days(text)
    assert [horizon_days(text) for text in ("1d", "10D", "2w", "1m", "7")] == [1, 10, 10, 21, 7]
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"no parquet")
    with pytest.raises(InputError, match="cannot be read"):
        read_history(bad)


def run(capsys, verb, *words, status=0):
    assert cli.main(["risk", verb, *words, "--json"]) == status
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_stress_adds_up_and_names_what_is_not_stated(capsys, prices):
    found = run(capsys, "stress", PORTFOLIO, "--history", prices, "--loss", "0.2")
    lines = {line["name"]: line for line in found["scenarios"]}
    assert len(lines) == 8
    assert lines["crisis_2008"]["pnl"] < -0.2 * found["value"]
    assert lines["crisis_2008"]["unstated"] == []
    assert "TLT" in lines["crash_1987"]["unstated"]
    moves = found["reverse"]["moves"]
    asked_value = run(capsys, "stress", PORTFOLIO, "--history", prices, "--scenario", "rates_2022")
    assert [line["name"] for line in asked_value["scenarios"]] == ["rates_2022"]
    held = {
        p["symbol"]: p["exposure"] for p in asked_json(capsys, PORTFOLIO, "--history", prices)["positions"]
    }
    assert sum(held[name] * move for name, move in moves.items()) == pytest.approx(-found["reverse"]["loss"])
    assert found["correlations"][2]["var"] > found["correlations"][0]["var"] > found["correlations"][3]["var"]
    assert 0.1 <= found["hhi"] <= 1.0
    assert found["margin_initial"] > 0.0
    assert cli.main(["risk", "stress", PORTFOLIO, "--history", prices]) == 0
    assert "Lehman" in capsys.readouterr().out


def test_stress_takes_own_scenarios(capsys, prices, tmp_path):
    own, portfolio = tmp_path / "own.yaml", tmp_path / "p.csv"
    own.write_text("bang: {title: Bang, symbols: {SPY: -0.5}, currencies: {EUR: 0.1}}\n")
    portfolio.write_text("symbol,quantity,price,asset_class\nSPY,10,100,ART\n")
    words = (str(portfolio), "--history", prices, "--scenarios", str(own), "--scenario", "bang")
    found = run(capsys, "stress", *words)
    assert found["scenarios"][0]["pnl"] == pytest.approx(-500.0)
    assert found["margin_initial"] is None
    assert cli.main(["risk", "stress", PORTFOLIO, "--history", prices, "--scenario", "none"]) == 2
    assert "no scenario none; there are: crash_1987" in capsys.readouterr().err


def test_backtest_counts_the_days_behind_the_window(capsys, prices):
    assert cli.main(["risk", "backtest", PORTFOLIO, "--history", prices, "--window", "100", "--json"]) in (
        0,
        1,
    )
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    observations = asked_json(capsys, PORTFOLIO, "--history", prices)["observations"]
    for test in found["tests"]:
        assert test["observations"] == observations - 100
        assert test["expected"] == pytest.approx(0.01 * test["observations"])
        assert -3.0 < test["es"]["z2"] < 1.0
        assert 0.0 <= test["es"]["p_value_z2"] <= 1.0
        assert (test["es"]["z1"] is None) == (test["exceptions"] == 0)
    assert found["holds"] == any(test["coverage"]["p_value"] >= 0.05 for test in found["tests"])
    cli.main(["risk", "backtest", PORTFOLIO, "--history", prices, "--window", "100"])
    assert "exceptions" in capsys.readouterr().out
    assert cli.main(["risk", "backtest", PORTFOLIO, "--history", prices, "--window", "100000"]) == 1
    assert "need 100,002 returns, the history has" in capsys.readouterr().err


def test_a_portfolio_of_nothing(capsys, prices, tmp_path):
    portfolio = tmp_path / "p.csv"
    portfolio.write_text("symbol,quantity\nSPY,0\n")
    for method in set(METHODS) - {"cornish-fisher"}:  # which has no shape of what never moves
        words = (str(portfolio), "--history", prices, "--method", method, "--paths", "100", "--dof", "5")
        found = asked_json(capsys, *words)
        assert (found["var"], found["es"]) == (0.0, 0.0)
    assert run(capsys, "stress", str(portfolio), "--history", prices)["reverse"] is None
    assert run(capsys, "backtest", str(portfolio), "--history", prices)["tests"] == []


def test_the_es_of_normal_days_is_tested_against_what_it_was(capsys, tmp_path):
    # One asset whose days are made: Z2 of the normal forecast, worked out here from the definition.
    rng = np.random.default_rng(12)
    prices = 100 * np.cumprod(1 + 0.01 * rng.standard_normal(400))
    days = [date(2023, 1, 1) + timedelta(i) for i in range(400)]
    (tmp_path / "h.csv").write_text("\n".join(["date,A", *(f"{d},{p!r}" for d, p in zip(days, prices.tolist(), strict=True))]))
    (tmp_path / "p.csv").write_text("symbol,quantity\nA,10\n")
    words = ("--history", str(tmp_path / "h.csv"), "--window", "100", "--level", "0.95", "--json")
    cli.main(["risk", "backtest", str(tmp_path / "p.csv"), *words])
    found = {t["forecast"]: t["es"] for t in json.loads(capsys.readouterr().out.splitlines()[-1])["tests"]}
    pnl = 10 * prices[-1] * (prices[1:] / prices[:-1] - 1)
    square, deviations = np.mean(pnl[:60] ** 2), []
    for gain in pnl:
        deviations.append(square**0.5)
        square = 0.94 * square + 0.06 * gain**2
    sigma = np.array(deviations)[100:]
    var, es = 1.6448536269514722 * sigma, 2.0627128075074252 * sigma
    beyond = pnl[100:] < -var
    z2 = np.sum(np.where(beyond, pnl[100:] / es, 0.0)) / (299 * 0.05) + 1
    assert found["normal"]["z2"] == pytest.approx(z2, rel=1e-9)
    assert found["normal"]["z1"] == pytest.approx(np.mean((pnl[100:] / es)[beyond]) + 1, rel=1e-9)
    assert min(es["p_value_z2"] for es in found.values()) > 0.01  # normal days: none is rejected


def test_the_report_stands_alone_and_escapes(capsys, prices, tmp_path):
    path, portfolio = tmp_path / "report.html", tmp_path / "p.csv"
    portfolio.write_text("symbol,quantity,account\nSPY,10,<b>&me\nTLT,-5,other\n")
    for method in ("historical", "normal", "mc"):
        asked_json(
            capsys,
            str(portfolio),
            "--history",
            prices,
            "--method",
            method,
            "--paths",
            "2000",
            "--report",
            str(path),
        )
        text = path.read_text(encoding="utf-8")
        assert "&lt;b&gt;&amp;me" in text
        assert not re.search(r"<b>|<script|https?://|nan", text)
        tree = ElementTree.fromstring(
            re.sub("<meta [^>]*>", "", text.removeprefix("<!doctype html>"))
        )
        assert len(tree.findall(".//svg")) == 1 + (method != "normal")
        rows = [row[0].text for row in tree.findall(".//div[@class='row']")]
        assert rows[:2] == ["SPY <b>&me", "TLT other"]
        assert len(rows) == 2 + 2 + 8  # positions, accounts, crises
        assert 'name="viewport" content="width=device-width' in text
        assert "prefers-color-scheme:dark" in text
        fetched = {"src", "href", "{http://www.w3.org/1999/xlink}href"}
        assert not [element for element in tree.iter() if fetched & set(element.attrib)]
        assert "url(" not in text
    assert asked(
        capsys, str(portfolio), "--history", prices, "--report", str(tmp_path / "no" / "x.html"), status=1
    ).err


def test_the_report_marks_every_exceedance():
    from tradsys.app.risk_report import bars, exceedances, histogram

    pnl = np.array([1.0, -3.0, 0.5, -1.0, -4.0])
    drawn = exceedances(pnl, np.array([2.0, 2.0, 2.0, 2.0, 3.0]))
    assert drawn.count('class="out"') == 2
    assert histogram(pnl, 3.0, 4.0).count('class="loss"') == 1
    assert "same on every path" in histogram(np.zeros(3), 0.0, 0.0)
    drawn = bars([str(i) for i in range(30)], np.arange(30.0) - 10)
    assert (drawn.count('class="row"'), drawn.count('class="up"'), drawn.count('class="down"')) == (20, 14, 6)
    assert bars(["a"], np.array([-1.0]), loss=-1).count('class="up"') == 1  # what a loss does is red
    assert "and 10 smaller ones" in bars([str(i) for i in range(30)], np.zeros(30))


@pytest.mark.parametrize(("base", "factor"), [("USD", 0.9 * 1.1), ("EUR", 0.9), ("CHF", 0.9 * 1.1 / 1.25)])
def test_stress_converts_moves_of_currencies(capsys, tmp_path, base, factor):
    history, own, portfolio = tmp_path / "h.csv", tmp_path / "own.yaml", tmp_path / "p.csv"
    days = [f"2024-01-{day:02d}" for day in range(1, 20)]
    lines = [f"{day},{100 + i % 3},{1 + i % 2 / 10},{1 + i % 4 / 10}" for i, day in enumerate(days)]
    history.write_text("\n".join(["date,SAP,EUR/USD,EUR/CHF", *lines]))
    own.write_text(
        "bang: {symbols: {SAP: -0.1}, currencies: {EUR: 0.1, CHF: 0.25}}\nhalf: {symbols: {SAP: -0.1}}\n"
    )
    portfolio.write_text("symbol,quantity,currency\nSAP,10,EUR\n")
    words = (str(portfolio), "--history", str(history), "--scenarios", str(own), "--base", base)
    found = run(capsys, "stress", *words, "--scenario", "bang", "--scenario", "half")
    full, half = found["scenarios"]
    assert full["pnl"] == pytest.approx(found["value"] * (factor - 1.0))
    assert full["unstated"] == []
    assert half["unstated"] == {"USD": ["EUR"], "EUR": [], "CHF": ["CHF", "EUR"]}[base]
