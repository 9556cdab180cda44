"""Goal: decimals become ticks and lots exactly or not at all. Method: known values, round trips, refusals."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradsys.errors import UnitError
from tradsys.units import INT64_MAX, INT64_MIN, InstrumentUnits, Unit

units = st.builds(Unit, st.integers(1, 10**9), st.integers(-18, 0))
counts = st.integers(INT64_MIN, INT64_MAX)


@pytest.mark.parametrize(
    ("size", "mantissa", "exponent"),
    [
        ("0.01", 1, -2),
        ("0.25", 25, -2),
        ("1", 1, 0),
        ("100", 100, 0),
        ("1e2", 100, 0),
        ("0.0100", 1, -2),
        (5, 5, 0),
    ],
)
def test_sizes_become_units(size, mantissa, exponent):
    assert Unit.parse(size) == Unit(mantissa, exponent)


@pytest.mark.parametrize(
    "size", ["0", "-1", "nan", "inf", "1e-19", "x", "", 0.01, True, "9223372036854775808"]
)
def test_sizes_that_are_none_are_refused(size):
    with pytest.raises(UnitError):
        Unit.parse(size)


def test_price_and_quantity_of_an_instrument():
    instrument = InstrumentUnits.parse("0.05", "0.001")
    assert instrument.price_ticks("101.25") == 2025
    assert instrument.price_ticks("-0.05") == -1
    assert instrument.qty_lots("0.5") == 500
    assert instrument.price(2025) == Decimal("101.25")
    assert str(instrument.quantity(500)) == "0.500"


@pytest.mark.parametrize("price", ["101.26", "0.051", "1e-60", "NaN", "Infinity", "1,0", "0x10", None, 1.5])
def test_what_is_no_multiple_of_the_tick_is_refused(price):
    with pytest.raises(UnitError):
        InstrumentUnits.parse("0.05", "1").price_ticks(price)


@pytest.mark.parametrize("price", ["1e99999999", "1e-99999999", "9" * 100_000])
def test_huge_numbers_are_refused_without_big_arithmetic(price):
    with pytest.raises(UnitError, match="at most 60 digits"):
        Unit.parse("0.01").count(price)


@pytest.mark.parametrize(("value", "fits"), [("92233720368547758.07", True), ("92233720368547758.08", False)])
def test_int64_is_the_end_of_the_range(value, fits):
    unit = Unit.parse("0.01")
    if fits:
        assert unit.count(value) == INT64_MAX
    else:
        with pytest.raises(UnitError, match="64 bits"):
            unit.count(value)


@given(units, counts)
def test_every_count_survives_the_way_out_and_back(unit, count):
    assert unit.count(unit.value(count)) == count
    assert unit.count(unit.text(count)) == count
    assert "E" not in unit.text(count)


@given(
    units, st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6)
)
def test_what_converts_converts_without_loss(unit, value):
    try:
        count = unit.count(value)
    except UnitError:
        return
    assert unit.value(count) == value


@pytest.mark.parametrize(("mantissa", "exponent"), [(0, 0), (-1, 0), (1, 1), (1, -19), (2**63, 0)])
def test_units_out_of_range_cannot_be_made(mantissa, exponent):
    with pytest.raises(UnitError):
        Unit(mantissa, exponent)
