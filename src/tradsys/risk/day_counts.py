"""Years between days by the conventions of bond markets: exact counts of days, no approximations.

============ =============================================================================================
name         fraction of a year
============ =============================================================================================
ACT/ACT      days over the days of the coupon period times the coupons a year (ISMA, ICMA rule 251): Treasuries
30/360       months of 30 days, US rule without the end-of-February case (ISDA 2006 4.16(f)): corporates
30E/360      months of 30 days, European rule (ISDA 2006 4.16(g)): eurobonds
ACT/360      days over 360: money markets
ACT/365      days over 365
============ =============================================================================================
"""

import calendar
from datetime import date
from enum import StrEnum

from tradsys.risk.inputs import Problem, count, refusal


class DayCount(StrEnum):
    """A convention of counting days."""

    ACT_ACT = "ACT/ACT"
    THIRTY_360 = "30/360"
    THIRTY_E_360 = "30E/360"
    ACT_360 = "ACT/360"
    ACT_365 = "ACT/365"


def years_between(
    convention: DayCount, first: date, last: date, period: tuple[date, date] | None = None, frequency: int = 1
) -> float:
    """Years from first to last.

    Parameters
    ----------
    convention
        How days are counted.
    first, last
        Days; negative when last is before first.
    period, frequency
        For ACT/ACT: a whole coupon period that holds both days, and coupons a year.

    Raises
    ------
    RiskError
        OUT_OF_RANGE: ACT/ACT without a period, a frequency below 1.
    """
    count("frequency", frequency, 1)
    if convention is DayCount.ACT_ACT:
        if period is None or period[0] >= period[1]:
            raise refusal(Problem.OUT_OF_RANGE, "ACT/ACT needs the coupon period its days lie in")
        return (last - first).days / ((period[1] - period[0]).days * frequency)
    if convention in (DayCount.THIRTY_360, DayCount.THIRTY_E_360):
        return _thirty_days(convention, first, last) / 360.0
    return (last - first).days / (360.0 if convention is DayCount.ACT_360 else 365.0)


def add_months(day: date, months: int, day_of_month: int | None = None) -> date:
    """The day so many months later (or earlier), at the end of a month that is too short.

    ``day_of_month`` is the day to aim at; default that of ``day``.

    Raises
    ------
    RiskError
        OUT_OF_RANGE: the day would be before the year 1 or behind 9999.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + count("months", months, -(10**6), 10**6), 12)
    count("year", year, 1, 9999)
    month += 1
    return date(year, month, min(day_of_month or day.day, days_in_month(year, month)))


def days_in_month(year: int, month: int) -> int:
    """28 to 31.

    Raises
    ------
    RiskError
        OUT_OF_RANGE.
    """
    count("year", year, 1, 9999)
    count("month", month, 1, 12)
    return calendar.monthrange(year, month)[1]


def is_month_end(day: date) -> bool:
    """Tell whether it is the last day of its month."""
    return day.day == days_in_month(day.year, day.month)


def _thirty_days(convention: DayCount, first: date, last: date) -> int:
    start, end = min(first.day, 30), last.day
    if end == 31 and (convention is DayCount.THIRTY_E_360 or start == 30):
        end = 30
    return 360 * (last.year - first.year) + 30 * (last.month - first.month) + end - start
