"""Goal: a file that cannot be right is refused in a sentence that names the line, the column or the day; no traceback.

Method: a portfolio and a history that are right, and one wrong thing at a time; what has a defined answer gives it.
"""

import json
import os
import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pytest

from tradsys.app import cli
from tradsys.app.risk_var import METHODS

DAYS = [date(2023, 1, 2) + timedelta(i) for i in range(300)]
RIGHT = "symbol,quantity\nA,10\nB,5\n"


def history(cell=lambda symbol, row, price: price, days=300, names=("A", "B", "EUR/USD")):
    rng = np.random.default_rng(7)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (days, len(names))), axis=0))
    lines = [
        ",".join([str(DAYS[i]), *(str(cell(s, i, p)) for s, p in zip(names, row, strict=True))])
        for i, row in enumerate(prices)
    ]
    return "\n".join([",".join(["date", *names]), *lines])


@pytest.fixture
def ask(tmp_path, capsys):
    def asked(verb, portfolio=RIGHT, prices=None, *words):
        files = tmp_path / "p.csv", tmp_path / "h.csv"
        files[0].write_bytes(portfolio.encode() if isinstance(portfolio, str) else portfolio)
        files[1].write_text(prices or history())
        status = cli.main(["risk", verb, str(files[0]), "--history", str(files[1]), *words, "--json"])
        told = capsys.readouterr()
        return (json.loads(told.out.splitlines()[-1]) if told.out else None), told.err, status

    return asked


@pytest.mark.parametrize(
    ("portfolio", "sentence"),
    [
        ("symbol,quantity\nA,1e300\n", "at most 1e+30 can be held"),
        ("symbol,quantity,price\nA,1e200,1e200\n", "at most 1e+30 can be held"),
        ("symbol,quantity\nB,1\n,10\n", "line 3: there is no symbol"),
        ("symbol,quantity,quantity\nA,10,20\n", "has the column quantity twice"),
        ("Symbol,symbol,quantity\nA,B,10\n", "two columns of one name"),
        (b"symbol,quantity,account\nA,10,M\xfcller\n", "the column account is not text in UTF-8"),
        ("symbol,quantity\nA,10,5\n", "cannot be read"),
        ("symbol,quantity,currency\nA,10,GBP\n", "the history has no GBP/USD; it has A, B, EUR/USD"),
        ("", "cannot be read"),
    ],
)
def test_portfolios(ask, portfolio, sentence):
    for method in METHODS:
        _, told, status = ask("var", portfolio, None, "--method", method, "--paths", "200")
        assert (status, sentence in told, told.count("\n")) == (1, True, 1), told


@pytest.mark.parametrize(
    ("prices", "sentence"),
    [
        (history(lambda s, i, p: 0 if i == 4 else p), "the price of A is 0 on 2023-01-06"),
        (history(lambda s, i, p: "inf" if i == 4 and s == "B" else p), "B is infinite on 2023-01-06"),
        (history(lambda s, i, p: "x" if i == 4 and s == "A" else p), "has 'x' for A on 2023-01-06"),
        (history(lambda s, i, p: "" if s == "A" else p), "the history of A has no price at all"),
        (history(names=("A", "A", "B")), "has the column A twice"),
        (history(days=60), "historical at 0.99 needs 100 returns, one of them beyond it; there are 59"),
        (history(days=1), "a return needs two rows"),
        (history().replace("-02-", "-01-"), "twice, one price a day is expected"),
        (history().replace("2023-01-05,", "05.01.2023,"), "'05.01.2023' is not a date like 2024-01-31"),
    ],
)
def test_histories(ask, prices, sentence):
    _, told, status = ask("var", RIGHT, prices)
    assert (status, sentence in told, told.count("\n")) == (1, True, 1), told


@pytest.mark.parametrize("method", METHODS)
def test_what_risks_nothing_has_a_risk_of_zero(ask, method):
    # no position at all, one and its opposite, no quantity; without degrees of freedom given
    for portfolio in ("symbol,quantity\nA,0\n", "symbol,quantity\nA,3\nA,-3\n"):
        found, told, status = ask("var", portfolio, None, "--method", method, "--paths", "200")
        assert (status, found["var"], found["es"]) == (0, 0.0, 0.0), told


def test_negative_prices_are_prices(ask):
    # a price below zero (oil in April 2020) has a return against its magnitude
    found, _, status = ask("var", RIGHT, history(lambda s, i, p: p - 200 if s == "B" else p))
    assert status == 0
    assert found["positions"][1]["exposure"] < 0 < found["var"]


def test_a_history_too_short_is_said_by_every_command(ask):
    short = history(days=2)
    for verb, sentence in (
        ("stress", "needs at least 2 observations"),
        ("backtest", "two days to forecast need 502 returns, the history has 1"),
        ("margin", "needs at least 2 observations"),
    ):
        _, told, status = ask(verb, "symbol,quantity,asset_class\nA,10,STOCK\n", short)
        assert (status, sentence in told, told.count("\n")) == (1, True, 1), told


def test_margin_names_the_position_without_an_asset_class(ask):
    _, told, status = ask("margin")
    assert status == 1
    assert "A has no asset_class" in told


def test_a_currency_of_nothing_is_refused(ask):
    _, told, status = ask("var", RIGHT, None, "--base", "")
    assert status == 1
    assert "the currency of the figures is empty" in told


def test_a_scenario_whose_title_is_no_text_is_refused(ask, tmp_path):
    (tmp_path / "s.yaml").write_text("a: {title: [1], symbols: {A: 0.1}}\n")
    _, told, status = ask("stress", RIGHT, None, "--scenarios", str(tmp_path / "s.yaml"))
    assert status == 1
    assert "title must be a text, was [1]" in told


def test_the_first_run_says_that_it_compiles_and_the_second_does_not(tmp_path):
    (tmp_path / "p.csv").write_text(RIGHT)
    (tmp_path / "h.csv").write_text(history())
    files = str(tmp_path / "p.csv"), "--history", str(tmp_path / "h.csv")
    words = [sys.executable, "-m", "tradsys", "risk", "var", *files]
    told = [
        subprocess.run(
            words,
            env=fresh(NUMBA_CACHE_DIR=str(tmp_path / "cache")),
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        for _ in range(2)
    ]
    assert "compiling the kernels" in told[0]
    assert told[1] == ""


def test_a_disk_that_keeps_nothing_is_no_obstacle(tmp_path):
    # neither the source, the user's folder nor the one named can hold the code: it is compiled and answers
    code = (
        "import numba, numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "from tradsys.risk.distributions import normal_quantile\n"
        "print(round(normal_quantile(0.99), 6))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=fresh(), capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("2.326348", "")


def fresh(**environment):
    """The environment of a program that finds what this one does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place), **environment}


def test_a_curve_of_no_price_is_refused(tmp_path, capsys):
    curve = tmp_path / "c.csv"
    words = [
        "--coupon=0.04",
        "--issue=2024-05-15",
        "--maturity=2034-05-15",
        "--settlement=2026-11-24",
        f"--curve={curve}",
    ]
    for rates, sentence in (
        ("1,1e9", "leave no price"),
        ("1,-5000", "leave no price"),
        ("-1,0.02", "must rise, from 0 or more"),
    ):
        curve.write_text(f"years,rate\n{rates}\n")
        assert cli.main(["risk", "bond", *words]) == 1
        assert sentence in capsys.readouterr().err


def test_a_bond_to_the_last_day_there_is(capsys):
    words = [
        "--coupon=0.04",
        "--issue=9400-01-15",
        "--maturity=9999-12-31",
        "--settlement=9990-11-24",
        "--yield=0.03",
    ]
    assert cli.main(["risk", "bond", *words]) == 0
    assert (
        cli.main(["risk", "bond", *words[:1], "--issue=0001-01-01", "--maturity=0500-01-01", *words[3:]]) == 1
    )
    assert "issue must be in 1000 or later" in capsys.readouterr().err
