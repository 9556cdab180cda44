"""Goal: a manual clock moves only when told; the system clock tells nanoseconds. Method: call them."""

import pytest

from tradsys.clock import ManualClock, SystemClock


def test_a_manual_clock_stands_still_until_moved():
    clock = ManualClock(1_000)
    assert (clock.now_ns(), clock.monotonic_ns()) == (1_000, 0)
    clock.advance(5)
    assert (clock.now_ns(), clock.monotonic_ns()) == (1_005, 5)


def test_setting_the_wall_clock_back_does_not_touch_intervals():
    clock = ManualClock(1_000)
    clock.advance(10)
    clock.set_wall(3)
    assert (clock.now_ns(), clock.monotonic_ns()) == (3, 10)


def test_a_manual_clock_does_not_advance_backwards():
    with pytest.raises(ValueError, match="at least 0 ns"):
        ManualClock().advance(-1)


def test_the_system_clock_counts_nanoseconds_of_this_century():
    clock = SystemClock()
    assert clock.now_ns() > 1_500_000_000 * 10**9
    assert clock.monotonic_ns() <= clock.monotonic_ns()
