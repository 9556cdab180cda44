"""Write ten years of made-up daily prices, to try ``tradsys risk`` with: of examples/portfolio.csv and of ``tradsys up``.

    python examples/made_up_prices.py prices.parquet
    tradsys risk var examples/portfolio.csv --history prices.parquet --method mc --level 0.99 --horizon 10d

One market factor and one of interest rates, Student t shocks, a volatility that clusters, and a few days off. The same
file every time. Real prices go in the same form: a date and a column a symbol.
"""

import sys
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SYMBOLS = {  # last price, beta to the market, beta to rates, volatility of its own a day
    "SPY": (755.0, 1.0, 0.0, 0.001), "QQQ": (697.0, 1.2, -0.1, 0.004), "NVDA": (207.0, 1.7, -0.2, 0.02),
    "JNJ": (253.0, 0.5, 0.1, 0.008), "O": (63.4, 0.7, 0.5, 0.009), "VNQ": (98.9, 0.9, 0.4, 0.006),
    "TLT": (82.2, -0.3, 2.2, 0.002), "VBTLX": (9.49, -0.05, 0.8, 0.0005), "GLD": (369.8, 0.05, 0.3, 0.009),
    "EFA": (105.9, 0.8, 0.0, 0.005),
    "AAPL": (228.4, 1.2, -0.1, 0.011), "MSFT": (431.15, 1.1, -0.1, 0.01), "VFIAX": (543.21, 1.0, 0.0, 0.001),
    "US10Y": (98.42, -0.1, 1.0, 0.001), "BTC-USD": (97312.5, 1.1, 0.0, 0.03), "ETH-USD": (3384.1, 1.3, 0.0, 0.04),
    "EUR/USD": (1.08233, 0.1, -0.2, 0.004), "GOLD": (2671.3, 0.05, 0.3, 0.009),
}  # fmt: skip


def prices(days: int = 2520, seed: int = 20) -> pa.Table:
    """A table of a date and a column a symbol, a NULL where a market was closed."""
    rng = np.random.default_rng(seed)
    spread = np.exp(np.convolve(rng.standard_normal(days + 60), np.full(61, 0.07), "valid")) / 1.1
    market = 0.0003 + 0.007 * spread * rng.standard_t(5, days)
    rates = 0.004 * rng.standard_t(6, days)
    first = date(2016, 1, 4)
    weekdays = [first + timedelta(7 * (i // 5) + i % 5) for i in range(days)]
    columns = {"date": pa.array(weekdays)}
    for symbol, (last, beta, to_rates, own) in SYMBOLS.items():
        moves = beta * market + to_rates * rates + own * rng.standard_t(5, days)
        path = np.exp(np.cumsum(moves) - moves.sum()) * last
        closed = rng.random(days) < (0.004 if symbol == "EFA" else 0.0)
        closed[-1] = False
        columns[symbol] = pa.array(np.round(path, 4), mask=closed)
    return pa.table(columns)


if __name__ == "__main__":
    pq.write_table(prices(), sys.argv[1] if len(sys.argv) > 1 else "prices.parquet")
