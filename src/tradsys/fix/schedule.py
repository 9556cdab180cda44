"""When a FIX session is open and when its numbers begin again at 1.

A period is the time between two begins. It begins at ``start`` on every day of ``days`` (or on ``first_day`` only,
weekly) and is open until ``end``; an ``end`` that is not after ``start`` lies on a later day. Times and days are those
of ``zone``: a period is an hour shorter or longer when its clocks are changed within it.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

SECOND_NS = 10**9

Day = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
DAYS: tuple[Day, ...] = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
TimeOfDay = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$")]
ONE_DAY = timedelta(days=1)


class Hours(NamedTuple):
    """One period, ns since the epoch: open in [begin, end), over at the next begin."""

    begin_ns: int
    end_ns: int
    next_ns: int


class Schedule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Daily or weekly hours of a session.

    Parameters
    ----------
    start, end : str
        Times of day as ``HH:MM`` or ``HH:MM:SS``. Equal times mean: open without a break.
    zone : str
        Time zone of times and days, as ``Europe/Berlin``. A time its clocks leave out is the one they jump to, of one they
        show twice it is the first.
    days : tuple of str
        Daily: the weekdays a period begins on.
    first_day, last_day : str or None
        Weekly: one period from ``start`` on the first day to ``end`` on the last; ``days`` is not looked at.
    resets : bool
        Whether both numbers begin at 1 with the first Logon of a period.
    """

    start: TimeOfDay = "00:00"
    end: TimeOfDay = "00:00"
    zone: str = "UTC"
    days: tuple[Day, ...] = DAYS
    first_day: Day | None = None
    last_day: Day | None = None
    resets: bool = True

    def __post_init__(self) -> None:
        if (self.first_day is None) != (self.last_day is None):
            raise ValueError("a weekly schedule needs both first_day and last_day")
        if not self.days:
            raise ValueError("a schedule needs at least one of the days")
        zone_of(self.zone)

    def hours_of(self, now_ns: int) -> Hours:
        """Tell the period of a moment: the last one whose begin is not after it."""
        zone, now_s = zone_of(self.zone), now_ns // SECOND_NS
        today = datetime.fromtimestamp(now_s, zone).date()
        for back in range(-1, 9):
            day = today - back * ONE_DAY
            begin_s = moment(day, self.start, zone)
            if begin_s <= now_s and self.begins_on(day):
                end_s = moment(day + self.days_long() * ONE_DAY, self.end, zone)
                ahead = next(n for n in range(1, 8) if self.begins_on(day + n * ONE_DAY))
                next_s = moment(day + ahead * ONE_DAY, self.start, zone)
                return Hours(begin_s * SECOND_NS, end_s * SECOND_NS, next_s * SECOND_NS)
        raise AssertionError("a week has every weekday")

    def period_of(self, now_ns: int) -> int:
        """Tell when the period of a moment began, ns since the epoch."""
        return self.hours_of(now_ns).begin_ns

    def is_open(self, now_ns: int) -> bool:
        """Tell whether the session may be logged on at a moment."""
        return now_ns < self.hours_of(now_ns).end_ns

    def begins_on(self, day: date) -> bool:
        """Tell whether a period begins on a day."""
        name = DAYS[day.weekday()]
        return name == self.first_day if self.first_day else name in self.days

    def days_long(self) -> int:
        """Count the days from a period's begin to its end."""
        is_later = clock_of(self.end) > clock_of(self.start)
        if self.first_day is None or self.last_day is None:
            return 0 if is_later else 1
        days = (DAYS.index(self.last_day) - DAYS.index(self.first_day)) % 7
        return days if days or is_later else 7


def zone_of(name: str) -> tzinfo:
    """Find a time zone by its name."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"zone must be the name of a time zone, as UTC or Europe/Berlin, was {name!r}") from None


def clock_of(time_of_day: str) -> time:
    """Read ``HH:MM`` or ``HH:MM:SS``."""
    return time.fromisoformat(time_of_day)


def moment(day: date, time_of_day: str, zone: tzinfo) -> int:
    """Tell when a local time is, seconds since the epoch."""
    return int(datetime.combine(day, clock_of(time_of_day), zone).timestamp())
