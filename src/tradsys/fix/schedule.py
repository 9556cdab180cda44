"""When a FIX session is open and when its numbers begin again at 1. All times are UTC.

A period is the time between two resets. It begins at ``start`` on every day of ``days`` (or on ``first_day`` only,
weekly) and is open until ``end``; an ``end`` that is not after ``start`` lies on a later day.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

DAY_S = 86_400
WEEK_S = 7 * DAY_S
SECOND_NS = 10**9
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday

Day = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
DAYS: tuple[Day, ...] = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
TimeOfDay = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$")]


class Schedule(Struct, frozen=True, kw_only=True):
    """Daily or weekly hours of a session.

    Parameters
    ----------
    start, end : str
        Times of day as ``HH:MM`` or ``HH:MM:SS``. Equal times mean: open without a break.
    days : tuple of str
        Daily: the weekdays a period begins on.
    first_day, last_day : str or None
        Weekly: one period from ``start`` on the first day to ``end`` on the last; ``days`` is not looked at.
    """

    start: TimeOfDay = "00:00"
    end: TimeOfDay = "00:00"
    days: tuple[Day, ...] = DAYS
    first_day: Day | None = None
    last_day: Day | None = None

    def __post_init__(self) -> None:
        if (self.first_day is None) != (self.last_day is None):
            raise ValueError("a weekly schedule needs both first_day and last_day")
        if not self.days:
            raise ValueError("a schedule needs at least one of the days")

    def period_of(self, now_ns: int) -> int:
        """Tell when the period of a moment began, ns since the epoch: the last begin that is not after it."""
        now_s = now_ns // SECOND_NS
        start_s = seconds_of(self.start)
        for back in range(8):
            begin_s = (now_s // DAY_S - back) * DAY_S + start_s
            if begin_s <= now_s and self.begins_on(begin_s):
                return begin_s * SECOND_NS
        raise AssertionError("a week has every weekday")

    def is_open(self, now_ns: int) -> bool:
        """Tell whether the session may be logged on at a moment."""
        return now_ns - self.period_of(now_ns) < self.length_s() * SECOND_NS

    def begins_on(self, begin_s: int) -> bool:
        """Tell whether a period begins on the day of that second."""
        day = DAYS[(begin_s // DAY_S + EPOCH_WEEKDAY) % 7]
        return day == self.first_day if self.first_day else day in self.days

    def length_s(self) -> int:
        """Tell how long a period is open, s."""
        length = seconds_of(self.end) - seconds_of(self.start)
        if self.first_day is None or self.last_day is None:
            return length if length > 0 else length + DAY_S
        length += (DAYS.index(self.last_day) - DAYS.index(self.first_day)) * DAY_S
        return length if length > 0 else length + WEEK_S


def seconds_of(time_of_day: str) -> int:
    """Read ``HH:MM`` or ``HH:MM:SS`` as seconds from midnight."""
    hours, minutes, *seconds = (int(part) for part in time_of_day.split(":"))
    return hours * 3600 + minutes * 60 + sum(seconds)
