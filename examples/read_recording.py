"""Three ways to look into a recording with nothing of ours: pandas, Polars, DuckDB; and one with our reader.

    python examples/read_recording.py tradsys-data/recording

The Parquet files are plain: every price is in ticks, every quantity in lots, every time in ns since the epoch (UTC). What
a tick and a lot are is in the ``instruments`` table (mantissa x 10 ** exponent).
"""

import sys
from pathlib import Path


def with_duckdb(recording: str) -> None:
    """Volume and average price of each instrument, in its own units."""
    import duckdb

    print(
        duckdb.sql(f"""
        with defined as (
            select distinct instrument_id, symbol, tick_mantissa * 10.0 ** tick_exponent as tick
            from '{recording}/*/*/instruments-*.parquet'
        )
        select symbol, count(*) as trades, sum(qty_lots) as lots,
               round(sum(price_ticks * tick * qty_lots) / sum(qty_lots), 4) as average_price
        from '{recording}/*/*/trades-*.parquet' join defined using (instrument_id)
        group by all order by lots desc
    """)
    )


def with_polars(recording: str) -> None:
    """Trades a second: lazily, only the columns needed are read."""
    import polars as pl

    print(
        pl.scan_parquet(f"{recording}/*/*/trades-*.parquet")
        .with_columns(second=pl.from_epoch(pl.col("ts_ns"), time_unit="ns").dt.truncate("1s"))
        .group_by("second")
        .agg(trades=pl.len(), lots=pl.col("qty_lots").sum())
        .sort("second")
        .collect()
    )


def with_pandas(recording: str) -> None:
    """Spread in ticks over time, of the first instrument that has one."""
    import pandas as pd

    files = sorted(Path(recording).glob("*/*/l1-*.parquet"))
    if not files:
        return
    tops = pd.concat([pd.read_parquet(file) for file in files])
    tops = tops[tops.instrument_id == tops.instrument_id.min()]
    tops = tops[(tops.bid_qty_lots > 0) & (tops.ask_qty_lots > 0)]
    tops.index = pd.to_datetime(tops.ts_ns, utc=True)
    print((tops.ask_price_ticks - tops.bid_price_ticks).describe())


def with_our_reader(recording: str) -> None:
    """The book as it was at the end, order by order; live files are read too."""
    from tradsys.recorder import read, rebuild_book

    found = {
        row["instrument_id"]: row["symbol"] for row in read(recording, "instruments").to_table().to_pylist()
    }
    for instrument_id, symbol in sorted(found.items()):
        book = rebuild_book(recording, instrument_id)
        bids, asks = (book[book["side"] == side] for side in (1, 2))
        print(f"{symbol:<12} {len(bids):>6} orders to buy, {len(asks):>6} to sell")


if __name__ == "__main__":
    for way in (with_duckdb, with_polars, with_pandas, with_our_reader):
        print(f"\n{way.__doc__}")
        way(sys.argv[1] if len(sys.argv) > 1 else "tradsys-data/recording")
