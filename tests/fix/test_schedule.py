"""Hours of a session: when it is open, when a period began. Method: days worked out by hand, and any moment at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradsys.fix.message import format_time, parse_time
from tradsys.fix.schedule import DAYS, Schedule

DAILY = Schedule(start="08:00", end="17:00", days=("MON", "TUE", "WED", "THU", "FRI"))
NIGHTLY = Schedule(start="22:00", end="06:30:15")
WEEKLY = Schedule(start="21:00", end="20:00", first_day="SUN", last_day="FRI")
ALWAYS = Schedule()
BERLIN = Schedule(start="08:00", end="18:00", zone="Europe/Berlin")
NEW_YORK = Schedule(start="17:05", end="17:00", zone="America/New_York", first_day="SUN", last_day="FRI")
GAP = Schedule(start="02:30", end="05:00", zone="Europe/Berlin")  # 2024-03-31 has no 02:30 there
WEEK_S = 7 * 86_400


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
        (BERLIN, b"20240330-07:00:00", True, b"20240330-07:00:00"),  # winter: an hour ahead of UTC
        (BERLIN, b"20240330-17:00:00", False, b"20240330-07:00:00"),
        (BERLIN, b"20240331-05:59:59", False, b"20240330-07:00:00"),  # summer: two
        (BERLIN, b"20240331-06:00:00", True, b"20240331-06:00:00"),
        (BERLIN, b"20240331-16:00:00", False, b"20240331-06:00:00"),
        (BERLIN, b"20241027-06:59:59", False, b"20241026-06:00:00"),
        (BERLIN, b"20241027-07:00:00", True, b"20241027-07:00:00"),
        (NEW_YORK, b"20240310-21:05:00", True, b"20240310-21:05:00"),  # the day the clocks went forward
        (NEW_YORK, b"20240308-21:59:59", True, b"20240303-22:05:00"),
        (NEW_YORK, b"20240308-22:00:00", False, b"20240303-22:05:00"),
        (NEW_YORK, b"20240310-21:04:59", False, b"20240303-22:05:00"),
        (GAP, b"20240331-01:29:59", False, b"20240330-01:30:00"),
        (GAP, b"20240331-01:30:00", True, b"20240331-01:30:00"),
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
    zone=st.sampled_from(["UTC", "America/Santiago", "Asia/Beirut", "Australia/Lord_Howe"]),
)
def test_a_period_began_within_the_last_week(
    now_s: int, start: int, end: int, days: set[str], zone: str
) -> None:
    """Goal: periods follow each other without a hole. Method: zones that change their clocks at midnight, or by 30 minutes."""
    schedule = Schedule(start=f"{start:02d}:00", end=f"{end:02d}:00", zone=zone, days=tuple(days))  # type: ignore[arg-type]
    now_ns = now_s * 10**9
    period, _, following = schedule.hours_of(now_ns)
    assert period <= now_ns < following <= period + (WEEK_S + 7_200) * 10**9
    assert schedule.period_of(following) == following
    assert schedule.period_of(following - 1) == period
    assert schedule.period_of(period) == period
    assert schedule.is_open(period) or zone != "UTC"  # elsewhere the clocks may leave out all of it


def test_a_weekly_schedule_needs_both_days() -> None:
    with pytest.raises(ValueError, match="both"):
        Schedule(first_day="MON")
    with pytest.raises(ValueError, match="at least one"):
        Schedule(days=())


def test_a_zone_has_a_name() -> None:
    with pytest.raises(ValueError, match="zone must be the name of a time zone"):
        Schedule(zone="Mars/Olympus")
