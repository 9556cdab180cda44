"""``tradsys risk margin``: what accounts must hold against their positions, and how far they are from a margin call."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from tradsys.app.arguments import InputFile, checked, number, whole

if TYPE_CHECKING:
    import numpy as np

    from tradsys.app.risk_files import Book

Json = Annotated[bool, Parameter(name="--json", negative="")]
Days = Annotated[int, whole("days", 1, 10**6)]
Level = Annotated[float, number("as a probability", 0.5, 1.0 - 1e-9)]
Share = Annotated[float, number("as a share", 0.0, 1.0)]
Times = Annotated[float, number("times the margin required", 0.0, 100.0, above=True)]


def _cash(text: str) -> None:
    try:
        finite = math.isfinite(float(text.rpartition("=")[2]))
    except ValueError:
        finite = False
    if not finite:
        raise ValueError(f"must be an amount, or ACCOUNT=AMOUNT, was {text!r}")


def margin(
    portfolio: InputFile,
    *,
    history: InputFile,
    cash: Annotated[tuple[str, ...], Parameter(negative=""), checked(_cash)] = (),
    method: Literal["rates", "portfolio", "larger"] = "rates",
    rates: InputFile | None = None,
    share: Share = 0.75,
    level: Level = 0.99,
    days: Days = 1,
    call: Times = 1.2,
    liquidation: Times = 1.1,
    base: str = "USD",
    missing: Literal["refuse", "common", "carry"] = "common",
    window: Days | None = None,
    as_json: Json = False,
) -> int:
    """What each account must hold against its positions, its level, and the prices at which it would be liquidated.

    By rates of asset classes (long and short alike), or of the portfolio: the largest loss over a grid of scenarios in which
    every asset class moves by up to the range its assets stay in with a probability, so hedges within a class count. Equity is
    cash plus the value of the positions. Exit status 1: an account is below the call level.

    Example: tradsys risk margin portfolio.csv --history prices.parquet --cash growth=50000 --method larger

    Parameters
    ----------
    portfolio
        The positions, as of `tradsys risk var`; each needs an asset_class.
    history
        Prices of everything held.
    cash
        ACCOUNT=AMOUNT, negative when borrowed; may be repeated. An amount alone is that of positions without an account.
    method
        rates, portfolio, or the larger of both.
    rates
        YAML file of initial margin by asset class, as shares of the exposure, over the venue's own.
    share
        Maintenance margin as a share of the initial one.
    level
        Probability of the ranges of the scenarios.
    days
        Trading days they are over.
    call
        Equity below so many times the maintenance margin: a margin call.
    liquidation
        Likewise: the positions are sold.
    base
        Currency of all figures.
    missing
        Days on which something has no price: refuse, common or carry.
    window
        Only so many latest returns.
    as_json
        One JSON object on the last line instead of tables.
    """
    from tradsys.app.risk_files import book_of, read_history, read_portfolio
    from tradsys.errors import UsageError
    from tradsys.risk.returns import Missing

    if call < liquidation:
        raise UsageError(f"--call must be at least --liquidation, were {call} and {liquidation}")
    rules = Rules(method, read_rates(rates), share, level, days, call, liquidation)
    book = book_of(read_portfolio(portfolio, base), read_history(history), base, Missing(missing), window)
    accounts = accounts_of(book, cash_of(cash, book), rules)
    holds = all(account.status in ("ok", "free") for account in accounts)
    if as_json:
        told = {"command": "risk margin", "method": method, "currency": base, "holds": holds}
        print(json.dumps({**told, "accounts": [account.as_json() for account in accounts]}))
    else:
        _print(accounts, rules, base)
    return 0 if holds else 1


@dataclass(frozen=True)
class Rules:
    """How margin is asked for."""

    method: str
    rates: dict[str, float]
    share: float
    level: float
    days: int
    call: float
    liquidation: float


@dataclass
class Account:
    """One account; amounts in the base currency."""

    name: str
    cash: float
    equity: float
    initial: float
    maintenance: float
    by_rates: float  # initial
    by_scenarios: float  # initial
    worst: dict[str, float]  # asset class: share of its range, in the scenario of the largest loss
    level: float  # equity over maintenance; infinite where nothing is required
    status: str
    excess: float  # above, or missing to, the call level
    leverage: float
    concentration: float
    drawdown: (
        float | None
    )  # of the positions as they are, over the history, share of the peak; None: it began below 0
    positions: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """One object for programs; what is infinite is null."""
        return {
            k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in vars(self).items()
        }


def read_rates(path: Path | None) -> dict[str, float]:
    """The venue's rates, and over them those of a file.

    Raises
    ------
    ConfigError
        It is no YAML of asset classes and shares in [0, 1].
    """
    import yaml

    from tradsys.errors import ConfigError
    from tradsys.risk.margin import RATES

    if path is None:
        return dict(RATES)
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} must be rates in YAML, is not: {' '.join(str(error).split())}") from None
    if not isinstance(read, dict):
        raise ConfigError(f"{path} must have a rate a line, as STOCK: 0.25")
    for name, rate in read.items():
        if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0.0 <= rate <= 1.0:
            raise ConfigError(f"{path}: the rate of {name} must be a share in [0, 1], was {rate!r}")
    return {**RATES, **{str(name): float(rate) for name, rate in read.items()}}


def cash_of(texts: tuple[str, ...], book: Book) -> dict[str, float]:
    """Cash by account.

    Raises
    ------
    UsageError
        An account the portfolio has not, or one named twice.
    """
    from tradsys.errors import UsageError

    names = {p.labels.get("account", "") for p in book.positions}
    found: dict[str, float] = {}
    for text in texts:
        name, _, amount = text.rpartition("=")
        if name not in names:
            there = ", ".join(sorted(filter(None, names))) or "none"
            raise UsageError(f"--cash names the account {name!r}, the portfolio has: {there}")
        if name in found:
            raise UsageError(f"--cash of {name or 'the portfolio'} must be given once")
        found[name] = float(amount)
    return found


def accounts_of(book: Book, cash: dict[str, float], rules: Rules) -> list[Account]:
    """Every account's margin.

    Raises
    ------
    InputError
        A position without an asset class.
    RiskError
        UNKNOWN: an asset class without a rate; TOO_SHORT: fewer than two returns.
    """
    import numpy as np

    from tradsys.errors import InputError
    from tradsys.risk.inputs import matrix

    for position in book.positions:
        if not position.labels.get("asset_class"):
            raise InputError(f"{position.symbol} has no asset_class in the portfolio: its margin is unknown")
    matrix("returns", book.returns.values, least=2)
    names = sorted({p.labels.get("account", "") for p in book.positions})
    deviations = np.asarray(book.returns.values.std(axis=0, ddof=1))
    return [
        _account(book, name, cash.get(name, 0.0), deviations, rules)
        for name in names
    ]  # fmt: skip


def _account(book: Book, name: str, cash: float, deviations: np.ndarray, rules: Rules) -> Account:
    import numpy as np

    from tradsys.risk import margin as m

    rows = np.array([i for i, p in enumerate(book.positions) if p.labels.get("account", "") == name])
    exposures = book.exposures[rows]
    classes = [book.positions[i].labels.get("asset_class", "") for i in rows]
    required = m.rate_margin(exposures, classes, rules.rates, rules.share)
    scan, worst = _scan(exposures, classes, deviations[book.assets[rows]], rules)
    initial = {"rates": required.initial, "portfolio": scan, "larger": max(scan, required.initial)}[
        rules.method
    ]
    equity = cash + float(exposures.sum())
    level = m.level_of_account(equity, initial * rules.share, rules.call, rules.liquidation)
    return Account(
        name, cash, equity, initial, initial * rules.share, required.initial, scan, worst, level.level, level.status.value,
        level.excess, m.leverage(exposures, equity), m.concentration(exposures), _drawdown(book, rows, cash),
        [_position(book, i, equity, required.maintenance, rules) for i in rows],
    )  # fmt: skip


def _scan(
    exposures: np.ndarray, classes: list[str], deviations: np.ndarray, rules: Rules
) -> tuple[float, dict[str, float]]:
    """Portfolio margin, and by how much of its range each class moves in the worst scenario."""
    import numpy as np

    from tradsys.risk import margin as m
    from tradsys.risk.distributions import normal_quantile

    names = sorted(set(classes))
    ranges = float(normal_quantile(rules.level)) * math.sqrt(rules.days) * deviations
    by_class = np.array(
        [sum(e * r for e, r, c in zip(exposures, ranges, classes, strict=True) if c == n) for n in names]
    )
    steps = 7 if 7 ** len(names) <= 10**6 else 3
    found = m.portfolio_margin(lambda moves: moves @ by_class, m.scenario_grid(np.ones(len(names)), steps))
    return found.required, dict(zip(names, found.worst.tolist(), strict=True))


def _drawdown(book: Book, rows: np.ndarray, cash: float) -> float | None:
    """Deepest fall of the equity if the positions had been held over the history."""
    import numpy as np

    from tradsys.risk import margin as m

    growth = np.vstack([np.ones(len(book.asset_names)), np.cumprod(1.0 + book.returns.values, axis=0)])
    with np.errstate(divide="ignore", invalid="ignore"):
        values = cash + (growth / growth[-1])[:, book.assets[rows]] @ book.exposures[rows]
    return m.drawdown(values).depth if np.isfinite(values).all() and values[0] > 0.0 else None


def _position(book: Book, i: int, equity: float, maintenance: float, rules: Rules) -> dict[str, Any]:
    """A position's margin, and the price in the base currency at which it alone would bring the account to liquidation."""
    from tradsys.risk import margin as m

    position, exposure = book.positions[i], float(book.exposures[i])
    rate = rules.rates[position.labels.get("asset_class", "")]
    price = None
    if position.quantity and exposure and rate * rules.share > 0.0 and rules.method == "rates":
        others = rules.liquidation * (maintenance - abs(exposure) * rate * rules.share)
        unit = exposure / position.quantity
        if unit > 0.0:
            found = m.price_of_level(
                position.quantity, unit, equity - exposure - others, rate * rules.share, rules.liquidation
            )
            price = None if math.isnan(found) else found
    return {
        "symbol": position.symbol, "quantity": position.quantity, "exposure": exposure, "rate": rate,
        "initial": abs(exposure) * rate, "liquidation_price": price,
    }  # fmt: skip


def _print(accounts: list[Account], rules: Rules, base: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    table = Table(title=f"margin by {rules.method}, {base}", title_justify="left")
    table.add_column("account")
    heads = ("equity", "initial", "maintenance", "by rates", "by scenarios", "level", "status", "excess", "leverage", "HHI",
             "drawdown")  # fmt: skip
    for head in heads:
        table.add_column(head, justify="right")
    for a in accounts:
        colour = {"ok": "green", "free": "green", "margin call": "yellow"}.get(a.status, "bold red")
        table.add_row(
            a.name or "-", f"{a.equity:,.0f}", f"{a.initial:,.0f}", f"{a.maintenance:,.0f}", f"{a.by_rates:,.0f}",
            f"{a.by_scenarios:,.0f}", "-" if math.isinf(a.level) else f"{a.level:.0%}", f"[{colour}]{a.status}[/]",
            f"{a.excess:,.0f}", "-" if math.isinf(a.leverage) else f"{a.leverage:.2f}", f"{a.concentration:.2f}",
            "-" if a.drawdown is None else f"{a.drawdown:.1%}",
        )  # fmt: skip
    console.print(table)
    for a in accounts:
        rows = Table(title=f"positions of {a.name or 'the portfolio'}", title_justify="left")
        rows.add_column("symbol")
        for head in ("quantity", "exposure", "rate", "initial by rates", f"liquidated at, {base}"):
            rows.add_column(head, justify="right")
        for p in a.positions:
            price = p["liquidation_price"]
            rows.add_row(
                p["symbol"], f"{p['quantity']:,.6g}", f"{p['exposure']:,.0f}", f"{p['rate']:.1%}", f"{p['initial']:,.0f}",
                "-" if price is None else f"{price:,.6g}",
            )  # fmt: skip
        console.print(rows)
