"""Hours of a session: when it is open, when a period began. Method: days worked out by hand, and any moment at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradsys.fix.message import format_time, parse_time
from tradsys.fix.schedule import DAYS, WEEK_S, Schedule

DAILY = Schedule(start="08:00", end="17:00", days=("MON", "TUE", "WED", "THU", "FRI"))
NIGHTLY = Schedule(start="22:00", end="06:30:15")
WEEKLY = Schedule(start="21:00", end="20:00", first_day="SUN", last_day="FRI")
ALWAYS = Schedule()


@pytest.mark.parametrize(
    ("schedule", "moment", "is_open", "period"),
    [
        (DAILY, b"20240102-08:00:00", True, b"20240102-08:00:00"),  # a Tuesday
        (DAILY, b"20240102-07:59:59", False, b"20240101-08:00:00"),
        (DAILY, b"20240102-16:59:59", True, b"20240102-08:00:00"),
        (DAILY, b"20240102-17:00:00", False, b"20240102-08:00:00"),
        (DAILY, b"20240106-12:00:00", False, b"20240105-08:00:00"),
        (NIGHTLY, b"20240102-23:00:00", True, b"20240102-22:00:00"),
        (NIGHTLY, b"20240103-06:30:14", True, b"20240102-22:00:00"),
        (NIGHTLY, b"20240103-06:30:15", False, b"20240102-22:00:00"),
        (WEEKLY, b"20240107-21:00:00", True, b"20240107-21:00:00"),
        (WEEKLY, b"20240110-03:00:00", True, b"20240107-21:00:00"),
        (WEEKLY, b"20240112-20:00:00", False, b"20240107-21:00:00"),
        (WEEKLY, b"20240107-20:59:59", False, b"20231231-21:00:00"),
        (ALWAYS, b"20240102-00:00:00", True, b"20240102-00:00:00"),
        (ALWAYS, b"20240102-23:59:59", True, b"20240102-00:00:00"),
    ],
)
def test_hours(schedule: Schedule, moment: bytes, is_open: bool, period: bytes) -> None:
    now_ns = parse_time(moment)
    assert schedule.is_open(now_ns) is is_open
    assert format_time(schedule.period_of(now_ns), "s") == period


@given(
    now_s=st.integers(0, 4102444800),
    start=st.integers(0, 23),
    end=st.integers(0, 23),
    days=st.sets(st.sampled_from(DAYS), min_size=1),
)
def test_a_period_began_within_the_last_week(now_s: int, start: int, end: int, days: set[str]) -> None:
    schedule = Schedule(start=f"{start:02d}:00", end=f"{end:02d}:00", days=tuple(days))  # type: ignore[arg-type]
    now_ns = now_s * 10**9
    period = schedule.period_of(now_ns)
    assert 0 <= now_ns - period < WEEK_S * 10**9
    assert schedule.period_of(period) == period
    assert schedule.is_open(period)


def test_a_weekly_schedule_needs_both_days() -> None:
    with pytest.raises(ValueError, match="both"):
        Schedule(first_day="MON")
    with pytest.raises(ValueError, match="at least one"):
        Schedule(days=())
