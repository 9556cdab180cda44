"""Goal: ``tradsys risk margin`` and ``bond`` say what the library says, and refuse in a sentence.

Method: small files whose figures can be worked out by hand, the library's functions, published conventions.
"""

import json
from datetime import date, timedelta

import numpy as np
import pytest

from tradsys.app import cli
from tradsys.risk import bonds
from tradsys.risk.distributions import normal_quantile
from tradsys.risk.margin import RATES, level_of_account

BOND = ["--coupon=0.045", "--issue=2024-05-15", "--maturity=2034-05-15", "--settlement=2026-11-24"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    prices = np.exp(np.cumsum(rng.normal(0, [0.01, 0.02, 0.03], (200, 3)), axis=0)) * [100, 50, 1000]
    rows = [f"{date(2024, 1, 1) + timedelta(i)},{a},{b},{c}" for i, (a, b, c) in enumerate(prices)]
    (tmp_path / "h.csv").write_text("\n".join(["date,AAA,BBB,BTC", *rows]))
    (tmp_path / "p.csv").write_text(
        "symbol,quantity,price,asset_class,account\nAAA,100,100,STOCK,long\nBBB,-100,50,STOCK,short\n"
        "AAA,50,100,STOCK,pair\nBBB,-100,50,STOCK,pair\nBTC,1,1000,CRYPTO,pair\n"
    )
    return tmp_path


def asked(capsys, *words, status=0):
    assert cli.main(["risk", *words, "--json"]) == status
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def margin(capsys, *words, status=0):
    found = asked(capsys, "margin", "p.csv", "--history", "h.csv", *words, status=status)
    return {account["name"]: account for account in found["accounts"]}


def test_margin_by_rates_and_its_levels(place, capsys):
    found = margin(capsys, "--cash", "long=-8000", "--cash", "short=7000", "--cash=pair=1000", status=1)
    long, short = found["long"], found["short"]
    assert (long["equity"], long["initial"], long["maintenance"]) == pytest.approx((2000, 2500, 1875))
    assert (short["equity"], short["initial"]) == pytest.approx((2000, 1250))
    assert long["level"] == pytest.approx(2000 / 1875)
    assert (long["status"], short["status"]) == ("liquidation", "ok")
    assert long["leverage"] == pytest.approx(5.0)
    assert found["pair"]["initial"] == pytest.approx(0.25 * 10_000 + 0.5 * 1000)
    # at the price told, equity over maintenance is the level of liquidation
    for account, cash, quantity in ((long, -8000, 100), (short, 7000, -100)):
        (position,) = account["positions"]
        price = position["liquidation_price"]
        required = abs(quantity) * price * RATES["STOCK"] * 0.75
        assert level_of_account(cash + quantity * price, required).level == pytest.approx(1.1)
    bitcoin = found["pair"]["positions"][2]["liquidation_price"]
    assert bitcoin is None or bitcoin > 0


def test_margin_of_the_portfolio_lets_hedges_count(place, capsys):
    words = ("--cash", "pair=5000", "--cash", "short=9000", "--method")
    found = margin(capsys, *words, "portfolio", "--days", "4", "--level", "0.975")
    from tradsys.app.risk_files import book_of, read_history, read_portfolio
    from tradsys.risk.returns import Missing

    book = book_of(
        read_portfolio(place / "p.csv", "USD"), read_history(place / "h.csv"), "USD", Missing.COMMON, None
    )
    ranges = float(normal_quantile(0.975)) * 2.0 * book.returns.values.std(axis=0, ddof=1)
    expected = abs(5000 * ranges[0] - 5000 * ranges[1]) + 1000 * ranges[2]
    assert found["pair"]["initial"] == pytest.approx(expected)
    assert found["long"]["initial"] == pytest.approx(10_000 * ranges[0])
    assert found["pair"]["by_rates"] == pytest.approx(3000)
    larger = margin(capsys, *words, "larger")
    assert larger["pair"]["initial"] == max(larger["pair"]["by_rates"], larger["pair"]["by_scenarios"])


def test_own_rates_a_table_and_the_exit_status(place, capsys):
    (place / "rates.yaml").write_text("STOCK: 0.5\n")
    found = margin(capsys, "--rates", "rates.yaml", "--share", "1", "--cash", "short=7000", status=1)
    assert found["long"]["maintenance"] == pytest.approx(5000)
    assert (found["long"]["status"], found["short"]["status"], found["pair"]["status"]) == (
        "ok",
        "liquidation",
        "liquidation",
    )
    assert (
        cli.main(
            ["risk", "margin", "p.csv", "--history", "h.csv", "--cash", "short=9000", "--cash", "pair=9000"]
        )
        == 0
    )
    assert "positions of long" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["--cash=x"], 2, "--cash must be an amount, or ACCOUNT=AMOUNT, was 'x'"),
        (["--cash=long=nan"], 2, "--cash must be an amount"),
        (["--cash=other=1"], 2, "--cash names the account 'other', the portfolio has: long, pair, short"),
        (["--cash=5"], 2, "--cash names the account ''"),
        (["--cash=long=1", "--cash=long=2"], 2, "--cash of long must be given once"),
        (["--call=1.0"], 2, "--call must be at least --liquidation, were 1.0 and 1.1"),
        (["--share=2"], 2, "--share must be at least 0 and at most 1 as a share, was 2.0"),
        (["--method=x"], 2, "--method"),
        (["--rates=h.csv"], 2, "h.csv must"),
        (["--rates=bad.yaml"], 2, "bad.yaml: the rate of STOCK must be a share in [0, 1], was 7"),
        (["--rates=none.yaml"], 2, "--rates must be a file that can be read, was none.yaml"),
    ],
)
def test_wrong_words_of_margin(place, capsys, words, status, sentence):
    (place / "bad.yaml").write_text("STOCK: 7")
    assert cli.main(["risk", "margin", "p.csv", "--history", "h.csv", *words]) == status
    told = capsys.readouterr()
    assert sentence in told.err
    assert (told.err.count("\n"), told.out) == (1, "")


def test_an_asset_class_without_a_rate_is_refused(place, capsys):
    (place / "p.csv").write_text("symbol,quantity,asset_class\nAAA,1,ART\n")
    assert cli.main(["risk", "margin", "p.csv", "--history", "h.csv"]) == 1
    assert "no margin rate of ART" in capsys.readouterr().err


def test_a_bond_of_price_and_of_yield(place, capsys):
    found = asked(capsys, "bond", *BOND, "--price=98.42", "--face=1000000")
    made = bonds.Bond(0.045, date(2034, 5, 15), date(2024, 5, 15))
    settled = date(2026, 11, 24)
    expected = bonds.bond_risk(made, settled, bonds.yield_of_price(made, settled, 98.42))
    names = ("dirty", "yield", "macaulay", "modified", "convexity", "dv01")
    assert [found[name] for name in names] == pytest.approx(list(expected), rel=1e-12)
    assert found["accrued"] == pytest.approx(100 * 0.045 / 2 * 9 / 181)
    assert found["money"]["value"] == pytest.approx(found["dirty"] * 10_000)
    assert sum(flow["amount"] for flow in found["flows"]) == pytest.approx(1e6 * (1 + 0.0225 * 16 - 0.0225))
    back = asked(capsys, "bond", *BOND, f"--yield={found['yield']!r}")
    assert back["clean"] == pytest.approx(98.42, abs=1e-9)
    assert cli.main(["risk", "bond", *BOND, "--price=98.42", "--flows"]) == 0
    assert "modified duration" in capsys.readouterr().out


def test_a_bond_on_a_curve(place, capsys):
    (place / "curve.csv").write_text("rate,years\n0.05,10\n0.04,1\n0.045,5\n")
    found = asked(capsys, "bond", *BOND, "--curve=curve.csv")
    on = found["curve"]
    assert found["dirty"] == pytest.approx(on["dirty"])
    assert [node["years"] for node in on["key_rates"]] == [1, 5, 10]
    assert sum(node["duration"] for node in on["key_rates"]) == pytest.approx(on["effective_duration"])
    assert cli.main(["risk", "bond", *BOND, "--curve=curve.csv"]) == 0
    assert "key-rate duration" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        ([], 2, "one of --price, --yield and --curve must be given"),
        (["--price=1", "--yield=0.1"], 2, "--price and --yield must not both be given"),
        (["--price=-1"], 2, "--price must be above 0 and at most 1,000,000 for 100 of face, was -1.0"),
        (["--yield=nan"], 2, "--yield must be at least -0.99"),
        (["--price=99", "--frequency=5"], 1, "frequency must be 1, 2, 3, 4, 6 or 12 a year, was 5"),
        (["--price=99", "--day-count=x"], 2, "--day-count"),
        (["--price=99", "--settlement=2040-01-01"], 1, "settlement must be in [2024-05-15, 2034-05-15)"),
        (["--price=99", "--settlement=soon"], 2, "--settlement must be a day like 2034-05-15, was 'soon'"),
        (["--price=99", "--first-coupon=2024-06-01"], 1, "first coupon 2024-06-01 is no coupon day"),
        (["--curve=p.csv"], 1, "p.csv needs the columns years and rate"),
        (["--curve=flat.csv"], 1, "the years of a curve must rise"),
        (["--curve=words.csv"], 1, "words.csv: years and rates must be numbers"),
    ],
)
def test_wrong_words_of_bond(place, capsys, words, status, sentence):
    (place / "flat.csv").write_text("years,rate\n1,0.05\n1,0.05\n")
    (place / "words.csv").write_text("years,rate\none,0.05\n")
    given = [word for word in BOND if word.partition("=")[0] not in {w.partition("=")[0] for w in words}]
    assert cli.main(["risk", "bond", *given, *words]) == status
    told = capsys.readouterr()
    assert sentence in told.err
    assert (told.err.count("\n"), told.out) == (1, "")
