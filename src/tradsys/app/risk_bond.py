"""``tradsys risk bond``: price, yield and sensitivities of a fixed-rate bond."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from tradsys.app.arguments import InputFile, checked, number, whole

if TYPE_CHECKING:
    from tradsys.risk.bonds import Bond

Json = Annotated[bool, Parameter(name="--json", negative="")]


def _day(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"must be a day like 2034-05-15, was {text!r}") from None


Day = Annotated[str, checked(_day)]
Rate = Annotated[float, number("a year, as a fraction", 0.0, 10.0)]
Yield = Annotated[float, number("a year, as a fraction", -0.99, 100.0)]
Price = Annotated[float, number("for 100 of face", 0.0, 1e6, above=True)]
Face = Annotated[float, number("of face", 0.0, 1e15, above=True)]


def bond(
    *,
    coupon: Rate,
    maturity: Day,
    settlement: Day,
    issue: Day,
    price: Price | None = None,
    yield_: Annotated[Yield | None, Parameter(name="--yield")] = None,
    frequency: Annotated[int, whole("a year", 1, 12)] = 2,
    day_count: Literal["ACT/ACT", "30/360", "30E/360", "ACT/360", "ACT/365"] = "ACT/ACT",
    first_coupon: Day | None = None,
    end_of_month: bool = True,
    curve: InputFile | None = None,
    face: Face = 100.0,
    flows: Annotated[bool, Parameter(negative="")] = False,
    as_json: Json = False,
) -> int:
    """Yield of a price or price of a yield, accrued interest, durations, convexity, DV01; value and key rates on a curve.

    Real day counts, odd first coupons, ends of months; yields are compounded as often as coupons are paid.

    Example: tradsys risk bond --coupon 0.045 --issue 2024-05-15 --maturity 2034-05-15 --settlement 2026-11-24 --price 98.42

    Parameters
    ----------
    coupon
        A year, as a fraction: 0.045 is 4.5 %.
    maturity
        Day the face is paid.
    settlement
        Day the bond is paid for.
    issue
        Day interest runs from.
    price
        Clean, for 100 of face; or give the yield, or a curve.
    yield_
        A year, as a fraction.
    frequency
        Coupons a year: 1, 2, 3, 4, 6 or 12.
    day_count
        ACT/ACT (Treasuries), 30/360, 30E/360, ACT/360, ACT/365.
    first_coupon
        Where the first period is short or long.
    end_of_month
        A maturity at a month's end pays at months' ends.
    curve
        CSV, Parquet or Arrow file of zero rates, continuously compounded: the columns years and rate.
    face
        Amount held, for the figures in money.
    flows
        Print what is still to be paid, too.
    as_json
        One JSON object on the last line instead of tables.
    """
    from tradsys.errors import UsageError
    from tradsys.risk.bonds import Bond
    from tradsys.risk.day_counts import DayCount

    if price is not None and yield_ is not None:
        raise UsageError("--price and --yield must not both be given")
    if price is None and yield_ is None and curve is None:
        raise UsageError("one of --price, --yield and --curve must be given")
    made = Bond(
        coupon, date.fromisoformat(maturity), date.fromisoformat(issue), frequency, DayCount(day_count),
        None if first_coupon is None else date.fromisoformat(first_coupon), end_of_month,
    )  # fmt: skip
    answer = answer_of(made, date.fromisoformat(settlement), price, yield_, curve, face)
    if as_json:
        print(json.dumps({"command": "risk bond", **answer}))
    else:
        _print(answer, flows)
    return 0


def answer_of(
    made: Bond, settlement: date, price: float | None, yield_: float | None, curve: Path | None, face: float
) -> dict[str, Any]:
    """All figures of a bond.

    Raises
    ------
    RiskError
        As the functions of ``tradsys.risk.bonds``.
    InputError
        The curve is none.
    """
    from tradsys.risk import bonds as b

    ahead = b.flows(made, settlement)
    found: dict[str, Any] = {
        "coupon": made.coupon, "maturity": str(made.maturity), "settlement": str(settlement), "day_count": made.day_count.value,
        "frequency": made.frequency, "accrued": ahead.accrued, "face": face,
    }  # fmt: skip
    if curve is not None:
        years, rates = read_curve(curve)
        dirty = b.curve_price(made, settlement, years, rates)
        durations = b.key_rates(made, settlement, years, rates)
        found["curve"] = {
            "clean": dirty - ahead.accrued, "dirty": dirty, "effective_duration": float(durations.sum()),
            "key_rates": [
                {"years": year, "rate": rate, "duration": float(d), "dv01": float(d) * dirty * 1e-4 * face / b.FACE}
                for year, rate, d in zip(years, rates, durations, strict=True)
            ],
        }  # fmt: skip
        if price is None and yield_ is None:
            price = dirty - ahead.accrued
    if yield_ is None:
        assert price is not None, "a price, a yield or a curve was given"
        yield_ = b.yield_of_price(made, settlement, price)
    risk = b.bond_risk(made, settlement, yield_)
    held = face / b.FACE
    return found | {
        "clean": risk.dirty - ahead.accrued, "dirty": risk.dirty, "yield": yield_, "macaulay": risk.macaulay,
        "modified": risk.modified, "convexity": risk.convexity, "dv01": risk.dv01,
        "money": {"value": risk.dirty * held, "accrued": ahead.accrued * held, "dv01": risk.dv01 * held},
        "flows": [
            {"years": float(year), "amount": float(amount) * held}
            for year, amount in zip(ahead.years, ahead.amounts, strict=True)
        ],
    }  # fmt: skip


def read_curve(path: Path) -> tuple[list[float], list[float]]:
    """Years and zero rates of a file, in the order of years.

    Raises
    ------
    InputError
        It has not the columns years and rate, or something that is no number.
    """
    from tradsys.app.risk_files import read_table
    from tradsys.errors import InputError

    table = read_table(path)
    names = {name.strip().lower(): name for name in table.column_names}
    if not {"years", "rate"} <= set(names) or not table.num_rows:
        raise InputError(
            f"{path} needs the columns years and rate and a row, has {', '.join(table.column_names)}"
        )
    try:
        pairs = [
            (float(a), float(b))
            for a, b in zip(*(table[names[n]].to_pylist() for n in ("years", "rate")), strict=True)
        ]
    except (TypeError, ValueError):
        raise InputError(f"{path}: years and rates must be numbers") from None
    pairs.sort()
    return [year for year, _ in pairs], [rate for _, rate in pairs]


def _print(answer: dict[str, Any], flows: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(
        f"[bold]{answer['coupon']:.4%}[/] to {answer['maturity']}, settled {answer['settlement']}, {answer['day_count']}, "
        f"{answer['frequency']} coupons a year"
    )
    table = Table("", title="for 100 of face", title_justify="left", show_header=False)
    table.add_column(justify="right")
    for name, text in (
        ("clean price", f"{answer['clean']:.6f}"), ("accrued", f"{answer['accrued']:.6f}"),
        ("dirty price", f"{answer['dirty']:.6f}"),
        ("yield", f"{answer['yield']:.6%}"), ("Macaulay duration, years", f"{answer['macaulay']:.6f}"),
        ("modified duration, years", f"{answer['modified']:.6f}"), ("convexity, years squared", f"{answer['convexity']:.4f}"),
        ("DV01", f"{answer['dv01']:.6f}"),
    ):  # fmt: skip
        table.add_row(name, text)
    console.print(table)
    money = answer["money"]
    console.print(
        f"{answer['face']:,.2f} of face: worth {money['value']:,.2f}, accrued {money['accrued']:,.2f}, "
        f"DV01 {money['dv01']:,.4f}"
    )
    if "curve" in answer:
        on = answer["curve"]
        title = f"on the curve: clean {on['clean']:.6f}, effective duration {on['effective_duration']:.6f}"
        rates = Table("years", title=title, title_justify="left")
        for head in ("zero rate", "key-rate duration", "DV01 of the amount held"):
            rates.add_column(head, justify="right")
        for node in on["key_rates"]:
            rates.add_row(
                f"{node['years']:g}", f"{node['rate']:.4%}", f"{node['duration']:.6f}", f"{node['dv01']:,.4f}"
            )
        console.print(rates)
    if flows:
        paid = Table("years", title="still to be paid", title_justify="left")
        paid.add_column("amount", justify="right")
        for flow in answer["flows"]:
            paid.add_row(f"{flow['years']:.4f}", f"{flow['amount']:,.4f}")
        console.print(paid)
