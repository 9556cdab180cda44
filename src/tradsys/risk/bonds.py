"""Fixed-rate bonds: schedules with odd coupons, accrued interest, yield, duration, convexity, DV01, key-rate durations.

Prices are per 100 of face, clean unless a name says dirty. Yields are fractions a year, compounded as often as coupons are
paid (street convention). Figures are held against QuantLib in tests/risk/test_bonds.py.
"""

import bisect
import itertools
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tradsys.risk.day_counts import DayCount, add_months, is_month_end, years_between
from tradsys.risk.inputs import Floats, Problem, count, number, refusal, vector

FACE = 100.0
_ROUNDS_MAX = 100
_YEAR_MIN = 1000
_PERIODS_MAX = 1300  # a bond of a century with monthly coupons


class Bond(NamedTuple):
    """A bond that pays a fixed rate and its face at maturity."""

    coupon: float  # a year, fraction of face
    maturity: date
    issue: date  # interest runs from here
    frequency: int = 2  # coupons a year: 1, 2, 3, 4, 6 or 12
    day_count: DayCount = DayCount.ACT_ACT
    first_coupon: date | None = (
        None  # where the first period is short or long; else it is found from maturity
    )
    end_of_month: bool = True  # a maturity at a month's end pays at months' ends


class Flows(NamedTuple):
    """What is still to come after settlement."""

    amounts: Floats  # (flows,) per 100 of face
    periods: Floats  # (flows,) time to each in coupon periods
    years: Floats  # (flows,) time to each, days over 365.25: for curves
    accrued: float  # per 100 of face


class BondRisk(NamedTuple):
    """How the dirty price answers to the yield."""

    dirty: float
    yield_: float
    macaulay: float  # years
    modified: float  # years: -dP/dy / P
    convexity: float  # years squared: d2P/dy2 / P
    dv01: float  # fall of the dirty price for one basis point, by the slope


def schedule(bond: Bond) -> list[date]:
    """Days on which periods end, the issue first, maturity last, unadjusted for holidays.

    Raises
    ------
    RiskError
        OUT_OF_RANGE: days out of order, a frequency that is none, a first coupon that is on no coupon day.
    """
    if bond.frequency not in (1, 2, 3, 4, 6, 12):
        raise refusal(
            Problem.OUT_OF_RANGE, f"frequency must be 1, 2, 3, 4, 6 or 12 a year, was {bond.frequency}"
        )
    if not bond.issue < bond.maturity:
        raise refusal(Problem.OUT_OF_RANGE, f"issue {bond.issue} must be before maturity {bond.maturity}")
    if bond.issue.year < _YEAR_MIN:
        raise refusal(Problem.OUT_OF_RANGE, f"issue must be in {_YEAR_MIN} or later, was {bond.issue}")
    number("coupon", bond.coupon, 0.0, 10.0, closed=True)
    if bond.first_coupon is not None and not bond.issue < bond.first_coupon <= bond.maturity:
        raise refusal(
            Problem.OUT_OF_RANGE, f"first coupon {bond.first_coupon} must be after issue, not after maturity"
        )
    start = bond.first_coupon or bond.issue
    days = [bond.maturity]
    while days[-1] > start:
        days.append(_coupon_day(bond, len(days)))
        count("coupon periods", len(days), 1, _PERIODS_MAX)
    if bond.first_coupon is None:
        return [bond.issue, *reversed(days[:-1])]
    if days[-1] != bond.first_coupon:
        raise refusal(Problem.OUT_OF_RANGE, f"first coupon {bond.first_coupon} is no coupon day of the bond")
    return [bond.issue, *reversed(days)]


def flows(bond: Bond, settlement: date) -> Flows:
    """Coupons and face after settlement, with the interest accrued.

    A coupon of an odd period is the coupon rate times its years by the day count; for ACT/ACT the years of the regular
    periods it touches, each in its own days (ICMA rule 251). A coupon paid on settlement goes to the seller.

    Raises
    ------
    RiskError
        As ``schedule``; OUT_OF_RANGE: settlement before issue, or not before maturity.
    """
    days = schedule(bond)
    if not bond.issue <= settlement < bond.maturity:
        raise refusal(
            Problem.OUT_OF_RANGE, f"settlement must be in [{bond.issue}, {bond.maturity}), was {settlement}"
        )
    regular = _regular_days(bond)
    amounts, periods, years, accrued, passed = [], [], [], 0.0, 0.0
    for first, last in itertools.pairwise(days):
        if last <= settlement:
            continue
        if first <= settlement:
            accrued = FACE * bond.coupon * _years(bond, regular, first, settlement)
        passed += _years(bond, regular, max(first, settlement), last)
        if bond.coupon == 0.0 and last != bond.maturity:
            continue  # nothing is paid
        amounts.append(FACE * bond.coupon * _years(bond, regular, first, last))
        # ACT/ACT counts the periods it passes; the others count days from settlement, whatever the periods
        whole = bond.day_count is DayCount.ACT_ACT
        periods.append(
            bond.frequency * (passed if whole else years_between(bond.day_count, settlement, last))
        )
        years.append((last - settlement).days / 365.25)
    amounts[-1] += FACE
    return Flows(np.array(amounts), np.array(periods), np.array(years), accrued)


def price_of_yield(bond: Bond, settlement: date, yield_: float) -> float:
    """Clean price; parameters and errors as ``bond_risk``."""
    return bond_risk(bond, settlement, yield_).dirty - flows(bond, settlement).accrued


def yield_of_price(bond: Bond, settlement: date, clean: float) -> float:
    """Yield at which the bond is worth a clean price, to 1e-14.

    Parameters
    ----------
    bond, settlement
        The bond and the day it is paid for.
    clean
        Price per 100 of face; with the accrued interest above 0.

    Raises
    ------
    RiskError
        As ``flows``; NOT_CONVERGED: no yield between -99 % and 10,000 % gives the price.

    Notes
    -----
    Newton's steps, kept in a bracket by bisection.
    """
    ahead = flows(bond, settlement)
    target = number("dirty price", clean + ahead.accrued, 0.0, 1e9)
    low, high = -0.99 * bond.frequency, 100.0
    if not _value(ahead, bond.frequency, high)[0] < target < _value(ahead, bond.frequency, low)[0]:
        raise refusal(
            Problem.NOT_CONVERGED, f"no yield in [{low:g}, {high:g}] gives a clean price of {clean}"
        )
    guess = bond.coupon
    for _ in range(_ROUNDS_MAX):
        value, slope, _curve = _value(ahead, bond.frequency, guess)
        low, high = (guess, high) if value > target else (low, guess)
        moved = guess - (value - target) / slope
        moved = moved if low <= moved <= high else (low + high) / 2.0
        if abs(moved - guess) <= 1e-14 * max(1.0, abs(guess)):
            return moved
        guess = moved
    raise refusal(Problem.NOT_CONVERGED, f"the yield of {clean} was not found in {_ROUNDS_MAX} rounds")


def bond_risk(bond: Bond, settlement: date, yield_: float) -> BondRisk:
    """Dirty price and its derivatives by the yield.

    Parameters
    ----------
    bond, settlement
        The bond and the day it is paid for.
    yield_
        A year, above -frequency.

    Raises
    ------
    RiskError
        As ``flows``; OUT_OF_RANGE.

    Notes
    -----
    P = sum c (1 + y/f)^-n with n in periods; Macaulay = sum of n/f weighted by present value; modified = Macaulay/(1 + y/f).
    Fabozzi, The Handbook of Fixed Income Securities (2012), chapter 6.
    """
    ahead = flows(bond, settlement)
    number("yield", yield_, -float(bond.frequency), 1e3)
    value, slope, curve = _value(ahead, bond.frequency, yield_)
    modified = -slope / value
    macaulay = modified * (1.0 + yield_ / bond.frequency)
    return BondRisk(value, yield_, macaulay, modified, curve / value, -slope * 1e-4)


def curve_price(bond: Bond, settlement: date, years: ArrayLike, zero_rates: ArrayLike) -> float:
    """Dirty price from continuously compounded zero rates (nodes,) at years (nodes,), rising; linear between, flat outside.

    Raises
    ------
    RiskError
        As ``flows``; EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE: years below 0 or not rising, rates that leave no finite price
        above 0.
    """
    ahead = flows(bond, settlement)
    nodes = _nodes(years)
    return float(_discounted(ahead, nodes, zero_rates).sum())


def key_rates(bond: Bond, settlement: date, years: ArrayLike, zero_rates: ArrayLike) -> Floats:
    """Key-rate durations (nodes,): -dP/dr of each node over P, which sum to the effective duration of a parallel shift.

    Parameters and errors as ``curve_price``.

    Notes
    -----
    A node's rate moves the rates up to its neighbours in a tent (Ho, Journal of Fixed Income 2 (1992)); tents add up to a
    parallel shift. The derivative is exact, not a difference.
    """
    ahead = flows(bond, settlement)
    nodes = _nodes(years)
    values = _discounted(ahead, nodes, zero_rates)
    tents = np.array([np.interp(ahead.years, nodes, tent) for tent in np.eye(len(nodes))])
    return np.asarray(tents @ (values * ahead.years) / values.sum())


def _value(ahead: Flows, frequency: int, yield_: float) -> tuple[float, float, float]:
    """Present value and its first and second derivative by the yield."""
    growth = 1.0 + yield_ / frequency
    with np.errstate(over="ignore", invalid="ignore"):  # infinite near -100 %, where the search only compares
        values = ahead.amounts * growth**-ahead.periods
        slope = -float(values @ ahead.periods) / (frequency * growth)
        curve = float(values @ (ahead.periods * (ahead.periods + 1.0))) / (frequency * growth) ** 2
        return float(values.sum()), slope, curve


def _coupon_day(bond: Bond, periods: int) -> date:
    """The coupon day so many periods before maturity."""
    aim = 31 if bond.end_of_month and is_month_end(bond.maturity) else bond.maturity.day
    return add_months(bond.maturity, -periods * (12 // bond.frequency), aim)


def _regular_days(bond: Bond) -> list[date]:
    """Coupon days of the bond as if it had no odd period, rising, the first not after issue."""
    days = [bond.maturity]
    while days[-1] > bond.issue:
        days.append(_coupon_day(bond, len(days)))
    return days[::-1]


def _years(bond: Bond, regular: Sequence[date], first: date, last: date) -> float:
    """Years of interest from first to last within one period of the schedule."""
    if bond.day_count is not DayCount.ACT_ACT:
        return years_between(bond.day_count, first, last)
    total, place = 0.0, bisect.bisect_right(regular, first) - 1
    while first < last:
        period = (regular[place], regular[place + 1])
        total += years_between(bond.day_count, first, min(last, period[1]), period, bond.frequency)
        first, place = period[1], place + 1
    return total


def _discounted(ahead: Flows, nodes: Floats, zero_rates: ArrayLike) -> Floats:
    """Present values of the flows on a curve."""
    rates = np.interp(ahead.years, nodes, vector("zero_rates", zero_rates, length=len(nodes)))
    with np.errstate(over="ignore"):
        values = ahead.amounts * np.exp(-rates * ahead.years)
    if not 0.0 < values.sum() < np.inf:
        raise refusal(Problem.OUT_OF_RANGE, f"zero rates up to {np.abs(rates).max():g} a year leave no price")
    return np.asarray(values)


def _nodes(years: ArrayLike) -> Floats:
    nodes = vector("years", years)
    if nodes[0] < 0.0 or np.any(np.diff(nodes) <= 0.0):
        raise refusal(Problem.OUT_OF_RANGE, "the years of a curve must rise, from 0 or more")
    return nodes
