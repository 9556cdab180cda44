"""What ``tradsys risk`` reads: a portfolio and a history of prices, and the returns of its positions in one currency."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tradsys.errors import InputError
from tradsys.risk.inputs import Floats
from tradsys.risk.returns import Missing, Returns, carry_forward, returns_of

LABELS = ("account", "asset_class", "sector", "currency")
DATE_NAMES = ("date", "day", "timestamp", "time", "index")
PRICE_NAMES = ("price", "close", "adj_close", "adjclose", "value")
_HORIZON = re.compile(r"(\d+)\s*([dwm])?")
_DAYS = {"d": 1, "w": 5, "m": 21}  # trading days
AMOUNT_MAX = 1e30  # of an exposure: its fourth power still is a number


@dataclass(frozen=True)
class Position:
    """One line of the portfolio."""

    symbol: str
    quantity: float  # units, negative when short
    price: float | None  # of a unit in its currency; None: the last of the history
    labels: dict[str, str]  # account, asset_class, sector, currency


@dataclass(frozen=True)
class History:
    """Prices of symbols, a NaN where there is none."""

    symbols: tuple[str, ...]
    dates: tuple[date, ...]  # rising
    prices: Floats  # (dates, symbols)
    unread: tuple[tuple[str, str], ...] = ()  # columns that are no prices, and why

    def column(self, symbol: str) -> Floats:
        """Prices (dates,) of one symbol."""
        if symbol not in self.symbols:
            why = dict(self.unread).get(symbol)
            raise InputError(why or f"the history has no {symbol}; it has {_some(self.symbols)}")
        return np.asarray(self.prices[:, self.symbols.index(symbol)])


@dataclass(frozen=True)
class Book:
    """Positions and the returns of what they hold, all in one currency."""

    positions: tuple[Position, ...]
    exposures: Floats  # (positions,) amounts: quantity x price x exchange rate
    assets: NDArray[np.int64]  # (positions,) which column of the returns each has
    returns: Returns  # (observations, assets), simple, in the base currency
    asset_names: tuple[str, ...]
    dates: tuple[date, ...]  # (observations,)
    base: str

    @property
    def held(self) -> Floats:
        """Exposure to each asset: (assets,)."""
        return np.asarray(np.bincount(self.assets, self.exposures, len(self.asset_names)), dtype=np.float64)


def read_portfolio(path: Path, base: str) -> list[Position]:
    """Read a CSV or Parquet file with the columns symbol and quantity, and any of price and the labels.

    Raises
    ------
    InputError
        A column is missing or comes twice, or a number is none; the line is named.
    """
    table = read_table(path)
    names = {name.strip().lower(): name for name in table.column_names}
    if len(names) < len(table.column_names):
        raise InputError(
            f"{path} has two columns of one name in {', '.join(table.column_names)}; capitals do not count"
        )
    for needed in ("symbol", "quantity"):
        if needed not in names:
            raise InputError(
                f"{path} needs the columns symbol and quantity, has {', '.join(table.column_names)}"
            )
    columns = {key: table[name].to_pylist() for key, name in names.items()}
    positions = []
    for i, symbol in enumerate(columns["symbol"]):
        where = f"{path} line {i + 2}"
        labels = {label: str(columns[label][i] or "").strip() for label in LABELS if label in columns}
        labels["currency"] = labels.get("currency") or base
        price = columns["price"][i] if "price" in columns else None
        known = price is not None and price != ""
        if symbol is None or not str(symbol).strip():
            raise InputError(f"{where}: there is no symbol")
        quantity = _number(columns["quantity"][i], "quantity", where)
        positions.append(
            Position(str(symbol).strip(), quantity, _number(price, "price", where) if known else None, labels)
        )
    if not positions:
        raise InputError(f"{path} has no positions")
    return positions


def read_history(path: Path) -> History:
    """Read prices from CSV or Parquet: a date and a column a symbol, or rows of date, symbol and price.

    Raises
    ------
    InputError
        There is no date, a day comes twice, or there are no prices.
    """
    table = read_table(path)
    lower = {name.lower(): name for name in table.column_names}
    day_name = next((lower[name] for name in DATE_NAMES if name in lower), None)
    if day_name is None:
        raise InputError(
            f"{path} needs a column {' or '.join(DATE_NAMES[:3])}, has {_some(table.column_names)}"
        )
    days = [_day(value, path) for value in table[day_name].to_pylist()]
    if "symbol" in lower:
        return _long_history(table, lower, days, path)
    symbols = [
        name
        for name in table.column_names
        if name != day_name and pa.types.is_floating(_as_number(table[name].type))
    ]
    if not symbols or not days:
        raise InputError(f"{path} has no prices: a date and a column of numbers a symbol is expected")
    if len(set(days)) != len(days):
        raise InputError(f"{path} has the day {_repeated(days)} twice, one price a day is expected")
    order = np.argsort(np.array(days, dtype="datetime64[D]"), kind="stable")
    columns = [np.array(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False)) for name in symbols]
    prices = np.column_stack(columns)[order]
    others = [name for name in table.column_names if name not in (*symbols, day_name)]
    unread = tuple((name, _no_prices(table[name], name, days)) for name in others)
    return History(tuple(symbols), tuple(days[i] for i in order), prices, unread)


def book_of(
    positions: Sequence[Position], history: History, base: str, missing: Missing, window: int | None
) -> Book:
    """Bring positions and history together in the base currency.

    A position in another currency needs the history of ``CUR/BASE``; its price is multiplied by that rate, day by day, so
    the return is the exact one of both. Exposures are at the last price known, or at the price of the portfolio.

    Parameters
    ----------
    positions, history
        As read.
    base
        Currency of all figures.
    missing
        What to do with days on which something has no price.
    window
        Only so many latest returns; None: all.

    Raises
    ------
    InputError
        A symbol or rate is not in the history or has no price at all, a price is infinite or a return would start at 0,
        an exposure is beyond ``AMOUNT_MAX``, or there are gaps and ``missing`` is REFUSE.
    RiskError
        TOO_SHORT: fewer than two common days.
    """
    if not base.strip():
        raise InputError("the currency of the figures is empty, such as USD is expected")
    names = sorted({(p.symbol, p.labels["currency"]) for p in positions})
    columns, rates = [], {}
    for symbol, currency in names:
        rate = np.ones(len(history.dates)) if currency == base else history.column(f"{currency}/{base}")
        rates[currency] = _last(carry_forward(rate[:, None])[:, 0], f"{currency}/{base}")
        prices = history.column(symbol)
        _refuse_prices(prices, rate, symbol, history.dates)
        columns.append(prices * rate)
    table = np.column_stack(columns)
    if missing is Missing.REFUSE and np.isnan(table).any():
        row, column = np.argwhere(np.isnan(table))[0]
        raise InputError(
            f"{names[column][0]} has no price on {history.dates[row]}; --missing says what to do with gaps"
        )
    returns = returns_of(table, missing=missing)
    rows = slice(None) if window is None else slice(max(0, len(returns.values) - window), None)
    exposures = np.empty(len(positions))
    for i, p in enumerate(positions):
        price = p.price if p.price is not None else _last(history.column(p.symbol), p.symbol)
        exposures[i] = p.quantity * price * rates[p.labels["currency"]]
        if not abs(exposures[i]) <= AMOUNT_MAX:
            raise InputError(
                f"{p.quantity:g} of {p.symbol} at {price:g} is {exposures[i]:g} {base}: at most {AMOUNT_MAX:g} can be held"
            )
    used = Returns(
        np.ascontiguousarray(returns.values[rows]), returns.rows[rows], returns.rows_dropped,
        returns.cells_missing, returns.cells_carried,
    )  # fmt: skip
    assets = np.array([names.index((p.symbol, p.labels["currency"])) for p in positions], dtype=np.int64)
    labels = tuple(symbol if currency == base else f"{symbol} in {currency}" for symbol, currency in names)
    dates = tuple(history.dates[i] for i in used.rows)
    return Book(tuple(positions), exposures, assets, used, labels, dates, base)


def horizon_days(text: str) -> int:
    """Trading days of ``10d``, ``2w`` (5 days a week) or ``1m`` (21 days a month).

    Raises
    ------
    InputError
        The text is none of these, or it is 0 days.
    """
    match = _HORIZON.fullmatch(text.strip().lower())
    days = int(match[1]) * _DAYS[match[2] or "d"] if match else 0
    if not 1 <= days <= 2520:
        raise InputError(f"must be like 1d, 10d, 2w or 1m and at most 2520 days, was {text!r}")
    return days


def read_table(path: Path) -> pa.Table:
    """Read a CSV, Parquet or Arrow file.

    Raises
    ------
    InputError
        It is missing, of another kind, or not readable; or a column comes twice or is no text.
    """
    import pyarrow.csv
    import pyarrow.feather
    import pyarrow.parquet

    readers: dict[str, Any] = {
        ".csv": pyarrow.csv.read_csv,
        # not read_table, which loads pandas where there is one: half a second
        ".parquet": lambda name: pyarrow.parquet.ParquetFile(name).read(),
        ".arrow": pyarrow.feather.read_table,
        ".feather": pyarrow.feather.read_table,
    }
    if path.suffix.lower() not in readers:
        raise InputError(f"{path} must end with {', '.join(readers)}")
    try:
        table = readers[path.suffix.lower()](path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    for name in table.column_names:
        if table.column_names.count(name) > 1:
            raise InputError(f"{path} has the column {name} twice")
        if pa.types.is_binary(table.schema.field(name).type):
            raise InputError(f"{path}: the column {name} is not text in UTF-8")
    return table


def _long_history(table: pa.Table, lower: dict[str, str], days: list[date], path: Path) -> History:
    value_name = next((lower[name] for name in PRICE_NAMES if name in lower), None)
    if value_name is None:
        raise InputError(f"{path} has a column symbol but no {' or '.join(PRICE_NAMES[:3])}")
    named = pc.cast(table[lower["symbol"]], pa.string()).to_pylist()
    values = table[value_name].cast(pa.float64()).to_numpy(zero_copy_only=False)
    all_days, symbols = sorted(set(days)), sorted({name for name in named if name})
    if not symbols or not all_days:
        raise InputError(f"{path} has no prices")
    row_of = {day: i for i, day in enumerate(all_days)}
    column_of = {name: i for i, name in enumerate(symbols)}
    prices = np.full((len(all_days), len(symbols)), np.nan)
    seen = np.zeros(prices.shape, dtype=bool)
    for day, name, value in zip(days, named, values, strict=True):
        if not name:
            continue
        place = row_of[day], column_of[name]
        if seen[place]:
            raise InputError(f"{path} has {name} on {day} twice")
        seen[place] = True
        prices[place] = value
    return History(tuple(symbols), tuple(all_days), prices)


def _refuse_prices(prices: Floats, rate: Floats, symbol: str, dates: Sequence[date]) -> None:
    """Say which price no return can be taken of; zero may be the last one, there is no return from it."""
    _last(prices, symbol)
    for row in np.flatnonzero(np.isinf(prices) | np.isinf(rate)):
        raise InputError(f"the price or rate of {symbol} is infinite on {dates[int(row)]}")
    known = np.flatnonzero(~np.isnan(prices))[:-1]
    for row in known[prices[known] * rate[known] == 0.0]:
        raise InputError(f"the price of {symbol} is 0 on {dates[int(row)]}: no return can start there")


def _no_prices(column: pa.ChunkedArray, name: str, days: Sequence[date]) -> str:
    """Why a column of a history is no column of prices: its first value that is no number."""
    for day, value in zip(days, column.to_pylist(), strict=True):
        try:
            float(value if value is not None else 0.0)
        except (TypeError, ValueError):
            return f"the history has {value!r} for {name} on {day} where a price is expected"
    return f"the history has {column.type} in the column {name} where prices are expected"


def _as_number(kind: pa.DataType) -> pa.DataType:
    return (
        pa.float64()
        if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
        else kind
    )


def _day(value: Any, path: Path) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise InputError(f"{path}: {value!r} is not a date like 2024-01-31") from None


def _number(value: Any, name: str, where: str) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"{where}: {name} must be a number, was {value!r}")
    return found


def _last(column: Floats, name: str) -> float:
    known = column[~np.isnan(column)]
    if not len(known):
        raise InputError(f"the history of {name} has no price at all")
    return float(known[-1])


def _repeated(days: list[date]) -> date:
    return next(day for day in days if days.count(day) > 1)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
