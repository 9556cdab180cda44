"""Goal: margin asks for what its rules say. Method: sums by hand, grids beside brute force, prices put back into levels."""

import math

import numpy as np
import pytest

from tradsys.errors import RiskError
from tradsys.risk import margin as m
from tradsys.risk.inputs import Problem
from tradsys.risk.revaluation import linear, option, revalue


def refused(problem, function, *arguments):
    with pytest.raises(RiskError) as caught:
        function(*arguments)
    assert caught.value.problem == problem.value


def test_rates():
    found = m.rate_margin([1000.0, -2000.0, 500.0], ["STOCK", "CRYPTO", "FOREX"])
    assert found.parts == pytest.approx([250.0, 1000.0, 10.0])
    assert (found.initial, found.maintenance) == pytest.approx((1260.0, 945.0))
    assert m.rate_margin([0.0], ["STOCK"]).initial == 0.0
    refused(Problem.UNKNOWN, m.rate_margin, [1.0], ["ART"])
    refused(Problem.SHAPE, m.rate_margin, [1.0], ["STOCK", "STOCK"])
    refused(Problem.OUT_OF_RANGE, m.rate_margin, [1.0], ["STOCK"], {"STOCK": 1.5})


def test_grids_hold_every_combination():
    grid = m.scenario_grid([0.15, 0.04], 3)
    assert {tuple(np.round(row, 9)) for row in grid} == {
        (a, b) for a in (-0.15, 0.0, 0.15) for b in (-0.04, 0.0, 0.04)
    }
    refused(Problem.OUT_OF_RANGE, m.scenario_grid, [0.1], 4)
    refused(Problem.OUT_OF_RANGE, m.scenario_grid, [-0.1], 3)
    refused(Problem.OUT_OF_RANGE, m.scenario_grid, [0.1] * 20, 3)


def test_portfolio_margin_counts_hedges():
    grid = m.scenario_grid([0.15], 31)
    share = m.portfolio_margin(linear([100.0]), grid)
    assert share.required == pytest.approx(15.0)
    assert share.worst == pytest.approx([-0.15])
    put = option(0, 1.0, False, 95.0, 100.0, 0.25, 0.2)
    hedged = m.portfolio_margin(revalue([linear([100.0]), put]), grid)
    assert hedged.required < 9.0
    assert m.portfolio_margin(revalue([]), grid, 2.5).required == 2.5
    brute = max(-(100.0 * x + float(put(np.array([[x]]))[0])) for x in np.linspace(-0.15, 0.15, 31))
    assert hedged.required == pytest.approx(brute)
    refused(Problem.SHAPE, m.portfolio_margin, linear([1.0]), [0.1])
    refused(Problem.NOT_FINITE, m.portfolio_margin, lambda x: x[:, 0] * np.nan, grid)


def test_levels():
    assert m.level_of_account(150.0, 100.0) == (1.5, m.Status.OK, pytest.approx(30.0))
    assert m.level_of_account(120.0, 100.0).status is m.Status.OK
    assert m.level_of_account(119.0, 100.0).status is m.Status.CALL
    assert m.level_of_account(109.0, 100.0).status is m.Status.LIQUIDATION
    assert m.level_of_account(5.0, 0.0) == (math.inf, m.Status.FREE, 5.0)
    assert m.level_of_account(-5.0, 0.0).status is m.Status.LIQUIDATION
    refused(Problem.OUT_OF_RANGE, m.level_of_account, 1.0, -1.0)
    refused(Problem.OUT_OF_RANGE, m.level_of_account, math.nan, 1.0)
    refused(Problem.OUT_OF_RANGE, m.level_of_account, 1.0, 1.0, 1.0, 1.1)


@pytest.mark.parametrize(("quantity", "cash"), [(10.0, -600.0), (-10.0, 1500.0)])
def test_the_price_of_a_level_gives_that_level(quantity, cash):
    price = m.price_of_level(quantity, 100.0, cash, 0.25, 1.1)
    equity, required = cash + quantity * price, 0.25 * abs(quantity) * price
    assert m.level_of_account(equity, required).level == pytest.approx(1.1)
    assert (price < 100.0) == (quantity > 0)


def test_no_price_brings_a_paid_position_down():
    assert math.isnan(m.price_of_level(10.0, 100.0, 50.0, 0.25))
    refused(Problem.OUT_OF_RANGE, m.price_of_level, 0.0, 100.0, 1.0, 0.25)


def test_leverage_concentration_drawdown():
    assert m.leverage([100.0, -100.0], 50.0) == 4.0
    assert m.leverage([1.0], 0.0) == math.inf
    assert m.leverage([0.0], 0.0) == 0.0
    assert m.concentration([1.0, 1.0, -1.0, 1.0]) == pytest.approx(0.25)
    assert m.concentration([0.0, 7.0]) == 1.0
    assert m.concentration([0.0]) == 0.0
    found = m.drawdown([100.0, 120.0, 90.0, 110.0, 60.0, 90.0])
    assert found == (pytest.approx(0.5), 1, 4, pytest.approx(0.25))
    assert m.drawdown([1.0, 2.0, 3.0]).depth == 0.0
    refused(Problem.OUT_OF_RANGE, m.drawdown, [0.0, 1.0])
    refused(Problem.EMPTY, m.drawdown, [])
