"""Goal: bonds are worth what the market's conventions say. Method: a published Treasury, QuantLib, finite differences."""

import json
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import oracle

from tradsys.errors import RiskError
from tradsys.risk import bonds as b
from tradsys.risk.day_counts import DayCount, add_months, years_between
from tradsys.risk.inputs import Problem

TREASURY = b.Bond(0.035, date(2009, 11, 15), date(2004, 11, 15))
CASES = [
    (TREASURY, date(2004, 11, 23)),
    (b.Bond(0.045, date(2031, 5, 31), date(2021, 5, 31)), date(2024, 2, 29)),  # months' ends
    (b.Bond(0.06, date(2030, 3, 15), date(2020, 3, 15), 1, DayCount.THIRTY_E_360), date(2023, 8, 31)),
    (b.Bond(0.0525, date(2033, 7, 1), date(2023, 7, 1), 4, DayCount.THIRTY_360), date(2025, 5, 30)),
    (b.Bond(0.03, date(2028, 12, 20), date(2018, 12, 20), 2, DayCount.ACT_360), date(2026, 1, 5)),
    (b.Bond(0.0, date(2035, 1, 10), date(2020, 1, 10), 1, DayCount.ACT_365), date(2024, 6, 3)),
]
ODD = [
    (b.Bond(0.05, date(2030, 5, 15), date(2024, 2, 1)), date(2024, 3, 7)),  # short first
    (
        b.Bond(0.05, date(2030, 5, 15), date(2024, 2, 1), first_coupon=date(2024, 11, 15)),
        date(2024, 3, 7),
    ),  # long first
    (b.Bond(0.05, date(2030, 5, 15), date(2024, 2, 1), first_coupon=date(2024, 11, 15)), date(2024, 7, 9)),
]


def quantlib_bond(ql, bond, settlement):
    day = lambda d: ql.Date(d.day, d.month, d.year)  # noqa: E731
    ql.Settings.instance().evaluationDate = day(settlement)
    eom = bond.end_of_month and b.is_month_end(bond.maturity)
    schedule = ql.Schedule(
        day(bond.issue), day(bond.maturity), ql.Period(12 // bond.frequency, ql.Months), ql.NullCalendar(),
        ql.Unadjusted, ql.Unadjusted, ql.DateGeneration.Backward, eom,
        *([day(bond.first_coupon)] if bond.first_coupon else []),
    )  # fmt: skip
    count = {
        DayCount.ACT_ACT: lambda: ql.ActualActual(ql.ActualActual.ISMA, schedule),
        DayCount.THIRTY_360: lambda: ql.Thirty360(ql.Thirty360.BondBasis),
        DayCount.THIRTY_E_360: lambda: ql.Thirty360(ql.Thirty360.EurobondBasis),
        DayCount.ACT_360: ql.Actual360,
        DayCount.ACT_365: ql.Actual365Fixed,
    }[bond.day_count]()
    return ql.FixedRateBond(0, 100.0, schedule, [bond.coupon], count, ql.Unadjusted, 100.0), count


def test_the_published_treasury(market_data):
    rows = json.loads((market_data / "reference" / "bond_treasury_example.json").read_text())
    for row in rows:
        assert row["daycount"] == "ACT/ACT ISMA"
        bond = b.Bond(
            row["coupon"], date.fromisoformat(row["maturity"]), date(2004, 11, 15), row["frequency"]
        )
        settlement = date.fromisoformat(row["settlement"])
        assert b.price_of_yield(bond, settlement, row["yield_in"]) == pytest.approx(
            row["clean_price_expected"], abs=row["tol"]
        )
        found = b.yield_of_price(bond, settlement, row["market_clean_price"])
        assert found == pytest.approx(row["compounded_yield_expected"], abs=row["tol"])


@pytest.mark.parametrize(("bond", "settlement"), CASES)
@pytest.mark.parametrize("rate", [0.001, 0.04, 0.12])
def test_equal_to_quantlib(bond, settlement, rate):
    ql = oracle("QuantLib")
    theirs, count = quantlib_bond(ql, bond, settlement)
    frequency = {1: ql.Annual, 2: ql.Semiannual, 4: ql.Quarterly}[bond.frequency]
    terms = (count, ql.Compounded, frequency)
    assert b.flows(bond, settlement).accrued == pytest.approx(theirs.accruedAmount(), abs=1e-9)
    clean = ql.BondFunctions.cleanPrice(theirs, rate, *terms)
    assert b.price_of_yield(bond, settlement, rate) == pytest.approx(clean, abs=1e-8)
    found = b.bond_risk(bond, settlement, rate)
    interest = ql.InterestRate(rate, *terms)
    assert found.modified == pytest.approx(
        ql.BondFunctions.duration(theirs, interest, ql.Duration.Modified), rel=1e-9
    )
    assert found.macaulay == pytest.approx(
        ql.BondFunctions.duration(theirs, interest, ql.Duration.Macaulay), rel=1e-9
    )
    assert found.convexity == pytest.approx(ql.BondFunctions.convexity(theirs, interest), rel=1e-9)
    assert b.yield_of_price(bond, settlement, clean) == pytest.approx(rate, abs=1e-10)


@pytest.mark.parametrize(("bond", "settlement"), ODD)
def test_odd_first_coupons_are_quantlibs(bond, settlement):
    ql = oracle("QuantLib")
    theirs, _ = quantlib_bond(ql, bond, settlement)
    flows = b.flows(bond, settlement)
    their_flows = [
        f.amount()
        for f in theirs.cashflows()
        if f.date() > ql.Date(settlement.day, settlement.month, settlement.year)
    ]
    assert sum(flows.amounts) == pytest.approx(sum(their_flows), abs=1e-9)
    assert flows.amounts[0] == pytest.approx(their_flows[0], abs=1e-9)
    assert flows.accrued == pytest.approx(theirs.accruedAmount(), abs=1e-9)
    assert b.yield_of_price(bond, settlement, b.price_of_yield(bond, settlement, 0.05)) == pytest.approx(0.05)


def test_a_long_first_coupon_by_hand():
    """From 1 February 2024: 104 of the 182 days of the period to 15 May, and a whole period to 15 November."""
    bond, settlement = ODD[1]
    assert b.flows(bond, settlement).amounts[0] == pytest.approx(2.5 * (104 / 182 + 1))
    assert b.flows(bond, date(2024, 7, 9)).accrued == pytest.approx(2.5 * (104 / 182 + 55 / 184))
    assert b.schedule(bond)[:3] == [date(2024, 2, 1), date(2024, 11, 15), date(2025, 5, 15)]


BONDS = st.builds(
    b.Bond, st.floats(0.0, 0.12), st.dates(date(2026, 1, 1), date(2050, 12, 31)), st.just(date(2020, 1, 15)),
    st.sampled_from([1, 2, 4, 12]), st.sampled_from(list(DayCount)), st.none(), st.booleans(),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(BONDS, st.dates(date(2020, 1, 15), date(2025, 12, 1)), st.floats(-0.01, 0.15))
def test_derivatives_and_the_way_back(bond, settlement, rate):
    found = b.bond_risk(bond, settlement, rate)
    up, down = (b.bond_risk(bond, settlement, rate + sign * 1e-5).dirty for sign in (1, -1))
    assert found.modified == pytest.approx(-(up - down) / 2e-5 / found.dirty, rel=1e-5, abs=1e-8)
    assert found.convexity == pytest.approx(
        (up - 2 * found.dirty + down) / 1e-10 / found.dirty, rel=1e-2, abs=1e-2
    )
    assert found.dv01 == pytest.approx((down - up) / 2e-5 * 1e-4, rel=1e-5, abs=1e-9)
    ahead = b.flows(bond, settlement)
    assert b.yield_of_price(bond, settlement, found.dirty - ahead.accrued) == pytest.approx(rate, abs=1e-9)
    assert 0.0 <= ahead.accrued <= 100 * bond.coupon / bond.frequency * 1.05 + 1e-9
    assert (np.diff(ahead.periods) > 0).all()


def test_at_par_on_a_coupon_day():
    bond = b.Bond(0.05, date(2034, 6, 15), date(2024, 6, 15))
    assert b.price_of_yield(bond, date(2026, 6, 15), 0.05) == pytest.approx(100.0, abs=1e-10)
    assert b.flows(bond, date(2026, 6, 15)).accrued == 0.0


def test_key_rates_sum_to_a_parallel_shift():
    nodes, rates = np.array([0.5, 2.0, 5.0, 10.0, 30.0]), np.array([0.03, 0.032, 0.035, 0.04, 0.042])
    bond, settlement = b.Bond(0.04, date(2041, 2, 15), date(2021, 2, 15)), date(2024, 5, 3)
    found = b.key_rates(bond, settlement, nodes, rates)
    value = b.curve_price(bond, settlement, nodes, rates)
    for i in range(5):
        step = np.eye(5)[i] * 1e-6
        up, down = (b.curve_price(bond, settlement, nodes, rates + sign * step) for sign in (1, -1))
        assert found[i] == pytest.approx(-(up - down) / 2e-6 / value, rel=1e-6, abs=1e-8)
    up, down = (b.curve_price(bond, settlement, nodes, rates + shift) for shift in (1e-6, -1e-6))
    assert found.sum() == pytest.approx(-(up - down) / 2e-6 / value, rel=1e-6)
    assert found.argmax() in (3, 4)


def test_day_counts():
    ql = oracle("QuantLib")
    theirs = {
        DayCount.THIRTY_360: ql.Thirty360(ql.Thirty360.BondBasis),
        DayCount.THIRTY_E_360: ql.Thirty360(ql.Thirty360.EurobondBasis),
        DayCount.ACT_360: ql.Actual360(), DayCount.ACT_365: ql.Actual365Fixed(),
    }  # fmt: skip
    start = date(2023, 12, 1)
    days = [start + timedelta(i) for i in range(140)]
    for convention, oracle_count in theirs.items():
        for first in days[::5]:
            for last in days[::3]:
                if first <= last:
                    expected = oracle_count.yearFraction(
                        ql.Date(first.day, first.month, first.year), ql.Date(last.day, last.month, last.year)
                    )
                    assert years_between(convention, first, last) == pytest.approx(expected, abs=1e-12)
    assert add_months(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert add_months(date(2024, 2, 29), -12, 31) == date(2023, 2, 28)
    with pytest.raises(RiskError, match="ACT/ACT needs"):
        years_between(DayCount.ACT_ACT, days[0], days[1])


def test_refusals():
    settlement = date(2005, 1, 1)
    for wrong in (
        lambda: b.flows(TREASURY._replace(first_coupon=date(1004, 5, 15)), settlement),
        lambda: b.flows(TREASURY, date(2009, 11, 15)),
        lambda: b.flows(TREASURY, date(2004, 11, 14)),
        lambda: b.flows(TREASURY._replace(frequency=5), settlement),
        lambda: b.flows(TREASURY._replace(issue=date(2010, 1, 1)), settlement),
        lambda: b.flows(TREASURY._replace(coupon=-0.1), settlement),
        lambda: b.flows(TREASURY._replace(first_coupon=date(2005, 5, 14)), settlement),
        lambda: b.bond_risk(TREASURY, settlement, -2.0),
        lambda: b.bond_risk(TREASURY, settlement, float("nan")),
        lambda: b.yield_of_price(TREASURY, settlement, -50.0),
        lambda: b.curve_price(TREASURY, settlement, [2.0, 1.0], [0.1, 0.1]),
    ):
        with pytest.raises(RiskError) as caught:
            wrong()
        assert caught.value.problem == Problem.OUT_OF_RANGE
    with pytest.raises(RiskError) as caught:
        b.yield_of_price(TREASURY, settlement, 1e-9 - b.flows(TREASURY, settlement).accrued)
    assert caught.value.problem == Problem.NOT_CONVERGED
