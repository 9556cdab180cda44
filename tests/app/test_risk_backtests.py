"""Goal: the exceedance table in README is what the forecasts of ``tradsys risk backtest`` give on real series.

Method: each row is counted again. Filtered forecasts are not rejected at 1 %; historical ones fail in clusters; normal
ones are too small at 0.99 everywhere.
"""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tradsys.app.risk_stress import forecasts
from tradsys.risk import backtest as b

README = (Path(__file__).resolve().parent.parent.parent / "README.md").read_text(encoding="utf-8")
WINDOW = 500
SERIES = {  # name in README -> file, columns that are held in equal parts
    "S&P 500, 1991 to 2022": ("skfolio_sp500_index_1990_2022", ["SP500"]),
    "20 shares in equal parts, 1991 to 2022": ("skfolio_sp500_20_adjclose_1990_2022", None),
    "EUR/USD, 2001 to 2015": ("qrmdata_fx_vs_usd_2000_2015", ["EUR/USD"]),
    "GBP/USD, 2001 to 2015": ("qrmdata_fx_vs_usd_2000_2015", ["GBP/USD"]),
    "Bitcoin, 2011 to 2018": ("qrmdata_crypto_2010_2018", ["BTC"]),
}


def returns_of(folder, file, columns):
    table = pq.read_table(folder / "daily" / f"{file}.parquet")
    columns = columns or [name for name in table.column_names if name.lower() != "date"]
    prices = np.column_stack([table[name].to_numpy() for name in columns])
    prices = prices[~np.isnan(prices).any(axis=1)]
    return (prices[1:] / prices[:-1] - 1.0).mean(axis=1)


@pytest.mark.parametrize("name", SERIES)
def test_the_table_in_readme(market_data, name):
    returns = returns_of(market_data, *SERIES[name])
    cells = re.search(rf"\| {re.escape(name)} \|(.*)\|\n", README)[1].split("|")
    found = {
        way: b.backtest(returns[WINDOW:], var, 0.99) for way, var in forecasts(returns, WINDOW, 0.99).items()
    }
    assert [cell.strip() for cell in cells] == [
        f"{found['historical'].observations:,}",
        f"{found['historical'].expected:.1f}",
        *(
            f"{found[way].exceptions} ({found[way].light.zone.value})"
            for way in ("historical", "filtered", "normal")
        ),
    ]
    assert found["filtered"].pof.p_value > 0.01
    assert found["historical"].independence.p_value < 0.01
    assert found["normal"].pof.p_value < 1e-4


def test_forecasts_do_not_see_the_day_they_forecast():
    pnl = np.random.default_rng(3).standard_normal(300)
    before = forecasts(pnl, 20, 0.95)
    changed = pnl.copy()
    changed[150:] *= 50.0
    for way, var in forecasts(changed, 20, 0.95).items():
        assert np.array_equal(var[:131], before[way][:131]), way  # days 20 to 150
        assert not np.array_equal(var, before[way])
