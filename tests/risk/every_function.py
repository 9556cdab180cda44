"""Every public function of tradsys.risk, with arguments that it takes and those it must refuse.

An entry has the arguments of a call that works and, of those that a user's numbers reach, their kinds; each kind knows what
is wrong with such an argument. Rows of ``more`` are what only this function refuses: arguments, the problem, words of the
sentence. A function that takes no numbers stands in ``NO_NUMBERS`` of test_every_function.py with the reason.
"""

from datetime import date

import numpy as np
from wrong_arguments import (
    EMPTY,
    INF,
    NAN,
    NOT_CONVERGED,
    NOT_FINITE,
    OUT_OF_RANGE,
    SHAPE,
    SINGULAR,
    TOO_SHORT,
    UNKNOWN,
    Entry,
    alone,
    array,
    definite,
    figure,
    level,
    optional,
    square,
    whole,
    with_cell,
)  # fmt: skip

from tradsys.risk import (
    backtest,
    black_scholes,
    bonds,
    covariance,
    day_counts,
    decomposition,
    garch,
    historical,
    incremental,
    inputs,
    live,
    margin,
    monte_carlo,
    parametric,
    random_numbers,
    returns,
    revaluation,
    simulation,
    sobol,
    stress,
)  # fmt: skip

RNG = np.random.default_rng(3)
SERIES = RNG.normal(0.0, 0.01, 120)
TABLE = RNG.normal(0.0, 0.01, (120, 3))
HELD = np.array([100.0, -50.0, 25.0])
COVARIANCE = np.cov(TABLE.T)
PRICES = 100.0 * np.exp(np.cumsum(TABLE, axis=0))
FEW = monte_carlo.Settings(paths=64, threads=1)
BOND = bonds.Bond(0.05, date(2034, 5, 15), date(2024, 5, 15))
DAY = date(2025, 2, 1)
MOMENTS = parametric.Moments(0.0, 1.0, 0.1, 0.2)
MODEL = garch.fit(SERIES)
GIVEN = {"exposures": HELD, "covariance": COVARIANCE, "level": 0.99}
SIMULATED = {"settings": FEW}
BAD_SETTINGS = (
    ({"settings": FEW._replace(paths=0)}, OUT_OF_RANGE, r"paths must be a whole number in \[1, .*was 0"),
    ({"settings": FEW._replace(paths=NAN)}, OUT_OF_RANGE, r"paths must be a whole number"),
    ({"settings": FEW._replace(seed=-1)}, OUT_OF_RANGE, r"seed must be .* was -1"),
    ({"settings": FEW._replace(seed=NAN)}, OUT_OF_RANGE, r"seed must be .* was nan"),
    ({"settings": FEW._replace(threads=0)}, OUT_OF_RANGE, r"threads must be a whole number in \[1, .*was 0"),
)
LINEAR = {"exposures": array, "covariance": definite, "level": level}
OPTION = {"call": True, "strike": 100.0, "spot": 100.0, "years": 1.0, "volatility": 0.2}
OPTION_REFUSALS = tuple(
    ({name: value}, problem, words)
    for name in ("strike", "spot", "years", "volatility", "rate", "dividend_yield")
    for value, problem, words in (
        (NAN, NOT_FINITE, "not finite"), (INF, NOT_FINITE, "not finite"), ("a", SHAPE, "numbers"),
        ([[1.0], [1.0, 2.0]], SHAPE, "do not broadcast"),
    )
) + tuple(
    ({name: value}, OUT_OF_RANGE, "above 0")
    for name, value in (("strike", 0.0), ("spot", -1.0), ("years", -0.1), ("volatility", -0.2))
)  # fmt: skip


def nothing_moves(changes):
    return np.zeros(len(changes))


def gives_nan(changes):
    return np.full(len(changes), NAN)


def gives_too_few(changes):
    return np.zeros(len(changes) + 1)


REVALUE_REFUSALS = (
    ({"revalue": gives_nan}, NOT_FINITE, "finite"),
    ({"revalue": gives_too_few}, SHAPE, "must have|must give"),
)
BOND_REFUSALS = (
    ({"bond": BOND._replace(coupon=NAN)}, OUT_OF_RANGE, "coupon must be in .* was nan"),
    ({"bond": BOND._replace(coupon=-0.01)}, OUT_OF_RANGE, "coupon must be in .* was -0.01"),
    ({"bond": BOND._replace(frequency=5)}, OUT_OF_RANGE, "frequency must be .* was 5"),
    ({"bond": BOND._replace(issue=date(2040, 1, 1))}, OUT_OF_RANGE, "issue .* must be before maturity"),
    ({"bond": BOND._replace(first_coupon=date(2025, 1, 3))}, OUT_OF_RANGE, "no coupon day"),
)
SETTLED = (*BOND_REFUSALS, ({"settlement": date(2034, 5, 15)}, OUT_OF_RANGE, r"settlement must be in \[.*\), was"))
CURVE = {"bond": BOND, "settlement": DAY, "years": [0.0, 10.0], "zero_rates": [0.03, 0.04]}
CURVE_REFUSALS = (
    *SETTLED, ({"years": [2.0, 1.0]}, OUT_OF_RANGE, "must rise"), ({"years": [-1.0, 1.0]}, OUT_OF_RANGE, "must rise"),
    ({"zero_rates": [-1e4, -1e4]}, OUT_OF_RANGE, "leave no price"),
)  # fmt: skip
HITS = np.arange(120) % 40 == 0


def live_risk():
    made = live.LiveRisk(incremental.NormalRisk(COVARIANCE, 0.99), "USD")
    made.define(live.Terms(1, "A", "EUR", 0.01, 1.0, 0))
    return made


def rate(currency, rate):
    live_risk().set_rate(currency, rate)


def normal_fill(asset, exposure):
    return incremental.NormalRisk(COVARIANCE, 0.99).fill(asset, exposure)


def normal_after(asset, exposure):
    return incremental.NormalRisk(COVARIANCE, 0.99).after(asset, exposure)


def historical_fill(asset, exposure):
    return incremental.HistoricalRisk(TABLE, 0.99).fill(asset, exposure)


FILL_REFUSALS = (
    ({"exposure": NAN}, NOT_FINITE, "must be finite, was nan"), ({"exposure": INF}, NOT_FINITE, "must be finite, was inf"),
    ({"asset": 3}, UNKNOWN, r"asset must be in \[0, 3\), was 3"), ({"asset": -1}, UNKNOWN, "was -1"),
)  # fmt: skip
YEARS = {"convention": day_counts.DayCount.ACT_ACT, "first": DAY, "last": DAY}

ENTRIES = {
    "backtest.hits": Entry(backtest.hits, {"pnl": SERIES, "var": np.full(120, 0.02)}, {"pnl": array, "var": array}),
    "backtest.kupiec": Entry(
        backtest.kupiec,
        {"observations": 250, "exceptions": 3, "level": 0.99},
        {"observations": whole(1), "exceptions": whole(0, 250), "level": level},
    ),
    "backtest.independence": Entry(
        backtest.independence, {"days": HITS}, {"days": alone}, (({"days": [1.0]}, TOO_SHORT, "has 1"),)
    ),
    "backtest.conditional_coverage": Entry(
        backtest.conditional_coverage,
        {"days": HITS, "level": 0.99},
        {"days": alone, "level": level},
        (({"days": [1.0]}, TOO_SHORT, "at least 2 observations, has 1"),),
    ),
    "backtest.traffic_light": Entry(
        backtest.traffic_light,
        {"exceptions": 3, "observations": 250, "level": 0.99},
        {"observations": whole(1), "exceptions": whole(0, 250), "level": level},
    ),
    "backtest.acerbi_szekely": Entry(
        backtest.acerbi_szekely,
        {"pnl": SERIES, "var": np.full(120, 0.02), "es": np.full(120, 0.025), "level": 0.99},
        {"pnl": array, "var": array, "es": array, "level": level},
        (({"es": np.zeros(120)}, OUT_OF_RANGE, "es must be above 0, was 0"),),
    ),
    "backtest.simulated_p_values": Entry(
        backtest.simulated_p_values,
        {
            "test": backtest.ShortfallTest(0.1, 0.1, NAN, NAN),
            "var": np.full(3, 0.02),
            "es": np.full(3, 0.025),
            "level": 0.99,
            "paths": TABLE,
        },
        {"var": array, "es": array, "level": level, "paths": alone},
        (({"es": np.zeros(3)}, OUT_OF_RANGE, "es must be above 0"), ({"paths": TABLE[:, :2]}, SHAPE, "paths must be")),
    ),
    "backtest.backtest": Entry(
        backtest.backtest,
        {"pnl": SERIES, "var": np.full(120, 0.02), "level": 0.99},
        {"pnl": array, "var": array, "level": level},
        (({"pnl": [0.1], "var": [0.1]}, TOO_SHORT, "at least 2"),),
    ),
    "backtest.nonrejection_region": Entry(
        backtest.nonrejection_region,
        {"observations": 250, "level": 0.99, "confidence": 0.95},
        {"observations": whole(1), "level": level, "confidence": figure(0.0, 1.0)},
    ),
    "backtest.rolling_forecasts": Entry(
        backtest.rolling_forecasts,
        {"pnl": SERIES, "window": 50, "level": 0.99},
        {"pnl": alone, "window": whole(1), "level": level},
        (({"window": 120}, TOO_SHORT, "at least 121 observations, has 120"),),
    ),
    "backtest.rolling_shortfalls": Entry(
        backtest.rolling_shortfalls,
        {"pnl": SERIES, "window": 50, "level": 0.95}, {"pnl": alone, "window": whole(1), "level": level},
    ),
    "black_scholes.price": Entry(black_scholes.price, OPTION, {}, OPTION_REFUSALS),
    "black_scholes.greeks": Entry(black_scholes.greeks, OPTION, {}, OPTION_REFUSALS),
    "bonds.schedule": Entry(bonds.schedule, {"bond": BOND}, {}, BOND_REFUSALS),
    "bonds.flows": Entry(bonds.flows, {"bond": BOND, "settlement": DAY}, {}, SETTLED),
    "bonds.price_of_yield": Entry(
        bonds.price_of_yield, {"bond": BOND, "settlement": DAY, "yield_": 0.04}, {"yield_": figure(-2.0, 1e3)}, SETTLED
    ),
    "bonds.yield_of_price": Entry(
        bonds.yield_of_price,
        {"bond": BOND, "settlement": DAY, "clean": 99.0},
        {},
        (
            *SETTLED,
            ({"clean": NAN}, OUT_OF_RANGE, "dirty price must be in .* was nan"),
            ({"clean": INF}, OUT_OF_RANGE, "was inf"),
            ({"clean": -50.0}, OUT_OF_RANGE, "dirty price must be in"),
            ({"clean": -1.0}, NOT_CONVERGED, "no yield in"),
        ),
    ),
    "bonds.bond_risk": Entry(
        bonds.bond_risk, {"bond": BOND, "settlement": DAY, "yield_": 0.04}, {"yield_": figure(-2.0, 1e3)}, SETTLED
    ),
    "bonds.curve_price": Entry(bonds.curve_price, CURVE, {"years": array, "zero_rates": array}, CURVE_REFUSALS),
    "bonds.key_rates": Entry(bonds.key_rates, CURVE, {"years": array, "zero_rates": array}, CURVE_REFUSALS),
    "covariance.sample_covariance": Entry(
        covariance.sample_covariance,
        {"returns": TABLE},
        {"returns": alone},
        (({"returns": TABLE[:1]}, TOO_SHORT, "at least 2"),),
    ),
    "covariance.decay_weights": Entry(
        covariance.decay_weights, {"observations": 5, "decay": 0.9}, {"observations": whole(1), "decay": figure(0.0, 2.0)}
    ),
    "covariance.ewma_covariance": Entry(
        covariance.ewma_covariance, {"returns": TABLE, "decay": 0.94}, {"returns": alone, "decay": figure(0.0, 1.0)}
    ),
    "covariance.ewma_volatilities": Entry(
        covariance.ewma_volatilities,
        {"returns": SERIES, "decay": 0.94, "start": 60},
        {"returns": alone, "decay": figure(0.0, 1.0), "start": whole(1)},
        (({"returns": np.zeros(9)}, SINGULAR, "all zero"),),
    ),
    "covariance.ledoit_wolf": Entry(
        covariance.ledoit_wolf,
        {"returns": TABLE},
        {"returns": alone},
        (({"returns": TABLE[:1]}, TOO_SHORT, "at least 2"), ({"returns": np.ones((5, 2))}, SINGULAR, "no asset moves")),
    ),
    "covariance.pairwise_covariance": Entry(
        covariance.pairwise_covariance,
        {"returns": TABLE, "least": 2},
        {"least": whole(2)},
        (
            *(({"returns": bad.value}, bad.problem, bad.words) for bad in alone(TABLE) if bad.label != "NaN"),
            ({"returns": np.full((5, 2), NAN)}, TOO_SHORT, "have 0 common days, needed are 2"),
        ),
    ),
    "covariance.lead_lag_covariance": Entry(
        covariance.lead_lag_covariance,
        {"returns": TABLE, "lags": 1},
        {"returns": alone, "lags": whole(1)},
        (({"returns": TABLE[:2]}, TOO_SHORT, "at least 3 observations, has 2"),),
    ),
    "covariance.correlation": Entry(covariance.correlation, {"covariance": COVARIANCE}, {"covariance": definite}),
    "covariance.repair": Entry(
        covariance.repair,
        {"covariance": COVARIANCE, "floor": 1e-8},
        {"covariance": definite, "floor": figure(0.0, 1.0)},
        (({"covariance": np.diag([1.0, 0.0])}, SINGULAR, "asset 1 has a variance of 0"),),
    ),
    "covariance.factor": Entry(
        covariance.factor,
        {"covariance": COVARIANCE, "tolerance": 1e-10},
        {"covariance": definite, "tolerance": figure(0.0, 1.0)},
    ),
    "day_counts.years_between": Entry(
        day_counts.years_between,
        YEARS | {"period": (date(2025, 1, 1), date(2025, 7, 1)), "frequency": 2},
        {"frequency": whole(1)},
        (
            ({"period": None}, OUT_OF_RANGE, "needs the coupon period"),
            ({"period": (DAY, DAY)}, OUT_OF_RANGE, "needs the coupon period"),
        ),
    ),
    "day_counts.add_months": Entry(
        day_counts.add_months,
        {"day": DAY, "months": 3},
        {},
        (({"months": 10**6}, OUT_OF_RANGE, "year"), ({"months": NAN}, OUT_OF_RANGE, "months")),
    ),
    "day_counts.days_in_month": Entry(
        day_counts.days_in_month, {"year": 2024, "month": 2}, {"year": whole(1, 9999), "month": whole(1, 12)}
    ),
    "decomposition.normal_contributions": Entry(
        decomposition.normal_contributions,
        GIVEN | {"multiplier": 2.0},
        LINEAR | {"multiplier": optional(figure(0.0, 1e300, closed=True))},
    ),
    "decomposition.es_contributions": Entry(
        decomposition.es_contributions,
        {"asset_pnl": TABLE, "level": 0.95, "weights": np.ones(120)},
        {"asset_pnl": array, "level": level, "weights": array},
        (({"weights": np.zeros(120)}, OUT_OF_RANGE, "not all be zero"), ({"weights": -np.ones(120)}, OUT_OF_RANGE, "negative")),
    ),
    "decomposition.var_contributions": Entry(
        decomposition.var_contributions,
        {"asset_pnl": TABLE, "level": 0.95, "neighbours": 2},
        {"asset_pnl": alone, "level": level, "neighbours": optional(whole(0))},
    ),
    "decomposition.grouped": Entry(
        decomposition.grouped,
        {"component": HELD, "labels": ["a", "b", "a"]},
        {"component": array},
        (({"labels": ["a"]}, SHAPE, "must have 1 entries, has 3"),),
    ),
    "garch.fit": Entry(
        garch.fit,
        {"returns": SERIES},
        {"returns": alone},
        (
            ({"returns": SERIES[:49]}, TOO_SHORT, "at least 50 observations, has 49"),
            ({"returns": np.ones(60)}, SINGULAR, "never move"),
        ),
    ),
    "garch.log_likelihood": Entry(
        garch.log_likelihood,
        {"returns": SERIES, "mean": 0.0, "omega": 1e-5, "alpha": 0.1, "beta": 0.8},
        {"returns": alone, "mean": figure(-1e300, 1e300), "omega": figure(0.0, 1e300), "alpha": figure(0.0, 1.0, closed=True)},
        (
            ({"beta": 0.95}, OUT_OF_RANGE, r"alpha \+ beta must be in"),
            ({"beta": NAN}, OUT_OF_RANGE, "beta must be in"),
            ({"beta": -0.1}, OUT_OF_RANGE, "beta must be in"),
        ),
    ),
    "garch.forecast_variances": Entry(garch.forecast_variances, {"model": MODEL, "steps": 3}, {"steps": whole(1, 10**6)}),
    "garch.standard_errors": Entry(
        garch.standard_errors,
        {"returns": SERIES, "model": MODEL},
        {"returns": alone},
        (({"returns": SERIES[:49]}, TOO_SHORT, "at least 50"), ({"returns": np.ones(60)}, SINGULAR, "never move")),
    ),
    "historical.historical_var_es": Entry(
        historical.historical_var_es,
        {"pnl": SERIES, "level": 0.95, "weights": np.ones(120)},
        {"pnl": array, "level": level, "weights": array},
        (({"weights": np.zeros(120)}, OUT_OF_RANGE, "not all be zero"), ({"weights": -np.ones(120)}, OUT_OF_RANGE, "negative")),
    ),
    "historical.historical_batch": Entry(
        historical.historical_batch,
        {"returns": TABLE, "exposures": np.ones((3, 2)), "level": 0.95},
        {"returns": alone, "exposures": array, "level": level},
    ),
    "historical.age_weights": Entry(
        historical.age_weights, {"observations": 5, "decay": 0.98}, {"observations": whole(1), "decay": figure(0.0, 2.0)}
    ),
    "historical.filtered_returns": Entry(
        historical.filtered_returns,
        {"returns": TABLE, "decay": 0.94, "volatilities": np.ones((121, 3))},
        {"returns": array, "volatilities": array},
        (
            ({"volatilities": None, "decay": NAN}, OUT_OF_RANGE, "decay must be in"),
            ({"volatilities": None, "decay": 1.0}, OUT_OF_RANGE, "decay"),
            ({"volatilities": np.zeros((121, 3))}, SINGULAR, "is 0 or below"),
            ({"volatilities": None, "returns": np.zeros((9, 2))}, SINGULAR, "all zero"),
        ),
    ),
    "historical.var_interval": Entry(
        historical.var_interval,
        {"pnl": SERIES, "level": 0.9, "confidence": 0.9},
        {"pnl": alone, "level": level, "confidence": figure(0.0, 1.0)},
        (({"pnl": SERIES[:5], "level": 0.99}, TOO_SHORT, "5 observations do not bound a VaR of 0.99"),),
    ),
    "historical.es_standard_error": Entry(
        historical.es_standard_error,
        {"pnl": SERIES, "level": 0.95},
        {"pnl": alone, "level": level},
        (({"pnl": [1.0]}, TOO_SHORT, "at least 2 observations, has 1"),),
    ),
    "historical.tail_weights": Entry(
        historical.tail_weights,
        {"pnl": SERIES, "level": 0.95, "weights": np.ones(120)},
        {"pnl": array, "level": level, "weights": array},
    ),
    "historical.order_of_var": Entry(
        historical.order_of_var, {"observations": 100, "level": 0.99}, {"observations": whole(1), "level": level}
    ),
    "historical.probabilities": Entry(
        historical.probabilities,
        {"weights": np.ones(3), "length": 3},
        {"weights": array},
        (
            ({"weights": np.zeros(3)}, OUT_OF_RANGE, "not all be zero"),
            ({"weights": [1.0, -1.0, 1.0]}, OUT_OF_RANGE, "negative"),
            ({"weights": [1e308, 1e308, 1e308]}, NOT_FINITE, "sum"),
        ),
    ),
    "inputs.gappy": Entry(
        lambda values: inputs.gappy("x", values),
        {"values": TABLE},
        {},
        tuple(({"values": bad.value}, bad.problem, bad.words) for bad in alone(TABLE) if bad.label != "NaN"),
    ),
    "inputs.indices": Entry(
        lambda values: inputs.indices("x", values),
        {"values": [0, 2]},
        {},
        (
            ({"values": [-1]}, OUT_OF_RANGE, "from 0 on, the least was -1"),
            ({"values": [0.5]}, OUT_OF_RANGE, "whole numbers"),
            ({"values": [NAN]}, NOT_FINITE, "finite"),
            ({"values": [[1]]}, SHAPE, "dimension"),
            ({"values": ["a"]}, SHAPE, "numbers"),
        ),
    ),
    "inputs.vector": Entry(lambda values: inputs.vector("x", values, length=3), {"values": HELD}, {"values": array}),
    "inputs.matrix": Entry(
        lambda values: inputs.matrix("x", values, columns=3),
        {"values": TABLE},
        {"values": alone},
        (({"values": TABLE[:, :2]}, SHAPE, "must have 3 columns, has 2"), ({"values": np.zeros((3, 0))}, SHAPE, "columns")),
    ),
    "inputs.symmetric": Entry(lambda values: inputs.symmetric("x", values), {"values": COVARIANCE}, {"values": square}),
    "inputs.number": Entry(lambda value: inputs.number("x", value, 0.0, 2.0), {"value": 1.0}, {"value": figure(0.0, 2.0)}),
    "inputs.count": Entry(lambda value: inputs.count("x", value, 1, 5), {"value": 2}, {"value": whole(1, 5)}),
    "inputs.level_of": Entry(inputs.level_of, {"level": 0.99}, {"level": level}),
    "margin.rate_margin": Entry(
        margin.rate_margin,
        {"exposures": HELD, "asset_classes": ["STOCK", "ETF", "BOND"], "rates": margin.RATES, "share": 0.75},
        {"exposures": array, "share": figure(0.0, 1.0, closed=True)},
        (
            ({"asset_classes": ["STOCK", "ETF", "MOON"]}, UNKNOWN, "no margin rate of MOON"),
            ({"rates": margin.RATES | {"ETF": NAN}}, OUT_OF_RANGE, "rate of ETF must be in .* was nan"),
            ({"rates": margin.RATES | {"ETF": 1.5}}, OUT_OF_RANGE, "rate of ETF must be in .* was 1.5"),
        ),
    ),
    "margin.scenario_grid": Entry(
        margin.scenario_grid,
        {"ranges": [0.1, 0.2], "steps": 3},
        {"ranges": alone},
        (
            ({"steps": 4}, OUT_OF_RANGE, "steps odd, were 0.1 and 4"),
            ({"steps": 1}, OUT_OF_RANGE, "steps must be"),
            ({"steps": NAN}, OUT_OF_RANGE, "steps"),
            ({"ranges": [-0.1]}, OUT_OF_RANGE, "must not be negative"),
            ({"ranges": np.ones(9), "steps": 9}, OUT_OF_RANGE, "more than a million"),
        ),
    ),
    "margin.portfolio_margin": Entry(
        margin.portfolio_margin,
        {"revalue": nothing_moves, "grid": np.zeros((3, 2)), "floor": 0.0},
        {"grid": alone, "floor": figure(0.0, 1e300, closed=True)},
        REVALUE_REFUSALS,
    ),
    "margin.level_of_account": Entry(
        margin.level_of_account,
        {"equity": 10.0, "required": 5.0, "call": 1.2, "liquidation": 1.1},
        {"equity": figure(-1e300, 1e300), "required": figure(0.0, 1e300, closed=True), "call": figure(1.0, 1e300)},
        (
            ({"liquidation": 1.3}, OUT_OF_RANGE, "liquidation must be in"),
            ({"liquidation": NAN}, OUT_OF_RANGE, "liquidation must be in .* was nan"),
            ({"liquidation": 0.0}, OUT_OF_RANGE, "liquidation must be in"),
        ),
    ),
    "margin.price_of_level": Entry(
        margin.price_of_level,
        {"quantity": 10.0, "price": 5.0, "cash": -20.0, "rate": 0.5, "level": 1.1},
        {"price": figure(0.0, 1e300), "cash": figure(-1e300, 1e300), "rate": figure(0.0, 2.0), "level": figure(0.0, 1e9)},
        (({"quantity": 0.0}, OUT_OF_RANGE, r"\|quantity\| must be in"), ({"quantity": NAN}, OUT_OF_RANGE, "quantity")),
    ),
    "margin.leverage": Entry(
        margin.leverage, {"exposures": HELD, "equity": 100.0}, {"exposures": alone, "equity": figure(-1e300, 1e300)}
    ),
    "margin.concentration": Entry(margin.concentration, {"exposures": HELD}, {"exposures": alone}),
    "margin.drawdown": Entry(
        margin.drawdown,
        {"values": [1.0, 2.0, 1.5]},
        {"values": alone},
        (({"values": [0.0, 1.0]}, OUT_OF_RANGE, "first value must be in"),),
    ),
    "monte_carlo.simulate_gaussian": Entry(
        monte_carlo.simulate_gaussian,
        GIVEN | SIMULATED | {"means": np.zeros(3), "steps": 1.0, "dof": 5.0},
        LINEAR | {"means": array, "steps": figure(0.0, 1e9)},
        (
            *BAD_SETTINGS,
            ({"dof": NAN}, OUT_OF_RANGE, "dof must be in .* was nan"),
            ({"dof": 2.0}, OUT_OF_RANGE, "dof must be in"),
        ),
    ),
    "monte_carlo.gaussian_factors": Entry(
        monte_carlo.gaussian_factors,
        {"settings": FEW, "paths": [0, 1], "factors": 2, "dof": 5.0},
        {"factors": whole(0)},
        (
            BAD_SETTINGS[2],
            BAD_SETTINGS[3],
            ({"dof": NAN}, OUT_OF_RANGE, "dof must be in .* was nan"),
            ({"dof": 2.0}, OUT_OF_RANGE, "dof must be in"),
            ({"paths": [-1]}, OUT_OF_RANGE, "paths"),
            ({"paths": [[1]]}, SHAPE, "dimension"),
            ({"paths": ["a"]}, SHAPE, "numbers"),
            ({"paths": [0.5]}, OUT_OF_RANGE, "whole"),
            ({"paths": [NAN]}, NOT_FINITE, "finite"),
        ),
    ),
    "monte_carlo.simulate_sobol": Entry(
        monte_carlo.simulate_sobol,
        GIVEN | SIMULATED | {"means": np.zeros(3), "steps": 1.0, "replicates": 2},
        LINEAR | {"means": array, "steps": figure(0.0, 1e9), "replicates": whole(2, 1024)},
        (*BAD_SETTINGS, ({"settings": FEW._replace(antithetic=True)}, OUT_OF_RANGE, "no mirrored pairs")),
    ),
    "monte_carlo.simulate_copula": Entry(
        monte_carlo.simulate_copula,
        {"history": TABLE, "exposures": HELD, "correlations": np.eye(3), "level": 0.95, "dof": 4.0, **SIMULATED},
        {"history": alone, "exposures": array, "correlations": square, "level": level},
        (
            *BAD_SETTINGS,
            ({"dof": NAN}, OUT_OF_RANGE, "dof must be in .* was nan"),
            ({"dof": 0.0}, OUT_OF_RANGE, "dof must be in"),
            ({"correlations": 2.0 * np.eye(3)}, OUT_OF_RANGE, "1 on the diagonal"),
            ({"correlations": np.ones((3, 3)) - 3.0 * (np.ones((3, 3)) - np.eye(3))}, SINGULAR, "eigenvalue"),
        ),
    ),
    "monte_carlo.simulate_bootstrap": Entry(
        monte_carlo.simulate_bootstrap,
        {"pnl": SERIES, "level": 0.95, "steps": 2, "block": 3, **SIMULATED},
        {"pnl": alone, "level": level, "steps": whole(1), "block": whole(1, 120)},
        (*BAD_SETTINGS, ({"settings": FEW._replace(antithetic=True)}, OUT_OF_RANGE, "no mirrored pairs")),
    ),
    "monte_carlo.simulate_brownian": Entry(
        monte_carlo.simulate_brownian,
        GIVEN | SIMULATED | {"means": np.zeros(3), "steps": 2},
        LINEAR | {"means": array, "steps": whole(1, 100_000)},
        BAD_SETTINGS,
    ),
    "monte_carlo.simulate_revalued": Entry(
        monte_carlo.simulate_revalued,
        {
            "revalue": nothing_moves,
            "covariance": COVARIANCE,
            "level": 0.99,
            "means": np.zeros(3),
            "steps": 1.0,
            "dof": 5.0,
            **SIMULATED,
        },
        {"covariance": definite, "level": level, "means": array, "steps": figure(0.0, 1e9)},
        (*BAD_SETTINGS, *REVALUE_REFUSALS, ({"dof": NAN}, OUT_OF_RANGE, "dof must be in .* was nan")),
    ),
    "parametric.portfolio_moments": Entry(
        parametric.portfolio_moments,
        {"exposures": HELD, "covariance": COVARIANCE, "means": np.zeros(3)},
        {"exposures": array, "covariance": definite, "means": array},
    ),
    "parametric.sample_moments": Entry(
        parametric.sample_moments,
        {"pnl": SERIES},
        {"pnl": alone},
        (
            ({"pnl": [1.0, 2.0, 3.0]}, TOO_SHORT, "at least 4 observations, has 3"),
            ({"pnl": np.ones(9)}, SINGULAR, "never moves"),
        ),
    ),
    "parametric.scaled": Entry(
        parametric.scaled,
        {"moments": MOMENTS, "steps": 10.0},
        {"steps": figure(0.0, 1e300)},
        (
            ({"moments": MOMENTS._replace(mean=NAN)}, OUT_OF_RANGE, "mean must be in"),
            ({"moments": MOMENTS._replace(deviation=-1.0)}, OUT_OF_RANGE, "deviation must be in"),
            ({"moments": MOMENTS._replace(skewness=NAN)}, OUT_OF_RANGE, "skewness must be in"),
        ),
    ),
    "parametric.normal_var_es": Entry(
        parametric.normal_var_es,
        {"mean": 0.0, "deviation": 1.0, "level": 0.99},
        {"mean": figure(-1e300, 1e300), "deviation": figure(0.0, 1e300, closed=True), "level": level},
    ),
    "parametric.student_var_es": Entry(
        parametric.student_var_es,
        {"mean": 0.0, "deviation": 1.0, "level": 0.99, "dof": 4.0},
        {
            "mean": figure(-1e300, 1e300),
            "deviation": figure(0.0, 1e300, closed=True),
            "level": level,
            "dof": figure(2.0, 1e300),
        },
    ),
    "parametric.cornish_fisher_var_es": Entry(
        parametric.cornish_fisher_var_es,
        {"moments": MOMENTS, "level": 0.99},
        {"level": level},
        (
            *(({"moments": MOMENTS._replace(**{n: NAN})}, OUT_OF_RANGE, "must be in .* was nan") for n in MOMENTS._fields),
            ({"moments": MOMENTS._replace(skewness=9.0)}, OUT_OF_RANGE, "beyond what Cornish-Fisher holds"),
        ),
    ),
    "parametric.normal_var_interval": Entry(
        parametric.normal_var_interval,
        {"deviation": 1.0, "observations": 100, "level": 0.99, "confidence": 0.9},
        {
            "deviation": figure(0.0, 1e300, closed=True),
            "observations": whole(2),
            "level": level,
            "confidence": figure(0.0, 1.0),
        },
    ),
    "parametric.student_dof": Entry(
        parametric.student_dof,
        {"pnl": SERIES},
        {"pnl": alone},
        (({"pnl": [1.0, 2.0, 3.0]}, TOO_SHORT, "has 3"), ({"pnl": np.ones(9)}, SINGULAR, "never moves")),
    ),
    "parametric.normal_tail_probability": Entry(
        parametric.normal_tail_probability,
        {"mean": 0.0, "deviation": 1.0, "loss": 2.0},
        {"mean": figure(-1e300, 1e300), "deviation": figure(0.0, 1e300, closed=True), "loss": figure(-1e300, 1e300)},
    ),
    "random_numbers.normals": Entry(
        random_numbers.normals,
        {"seed": 1, "paths": [0, 1], "factors": 2},
        {"seed": whole(0), "factors": whole(0)},
        (
            ({"paths": [-1]}, OUT_OF_RANGE, "paths"),
            ({"paths": [[1]]}, SHAPE, "dimension"),
            ({"paths": [NAN]}, NOT_FINITE, "finite"),
        ),
    ),
    "returns.returns_of": Entry(
        returns.returns_of,
        {"prices": PRICES},
        {"prices": alone},
        (
            ({"prices": PRICES[:1]}, TOO_SHORT, "needs two rows"),
            ({"prices": PRICES * 0.0}, OUT_OF_RANGE, "price of 0"),
            ({"prices": -PRICES, "log": True}, OUT_OF_RANGE, "prices above 0"),
            ({"prices": np.full((4, 2), NAN), "missing": returns.Missing.COMMON}, TOO_SHORT, "there are 0"),
            ({"prices": np.full((4, 2), NAN), "missing": returns.Missing.CARRY}, TOO_SHORT, "there are 0"),
        ),
    ),
    "returns.carry_forward": Entry(
        returns.carry_forward,
        {"table": PRICES},
        {},
        (
            ({"table": [1.0, 2.0]}, SHAPE, "two dimensions"),
            ({"table": [["a"]]}, SHAPE, "numbers"),
            ({"table": np.zeros((0, 2))}, EMPTY, "empty"),
            ({"table": with_cell(PRICES, INF)}, NOT_FINITE, "finite"),
        ),
    ),
    "returns.overlapping": Entry(
        returns.overlapping,
        {"returns": TABLE, "steps": 5},
        {"returns": alone, "steps": whole(1)},
        (({"steps": 121}, TOO_SHORT, "121 steps need as many returns, there are 120"),),
    ),
    "revaluation.linear": Entry(revaluation.linear, {"exposures": HELD}, {"exposures": alone}),
    "revaluation.delta_gamma": Entry(
        revaluation.delta_gamma,
        {"delta": HELD, "gamma": np.eye(3), "theta": 0.0},
        {"delta": array, "gamma": square, "theta": figure(-1e300, 1e300)},
        (({"gamma": [1.0, NAN, 1.0]}, NOT_FINITE, "gamma must be finite"),),
    ),
    "revaluation.delta_gamma_moments": Entry(
        revaluation.delta_gamma_moments,
        {"delta": HELD, "gamma": np.eye(3), "covariance": COVARIANCE},
        {"delta": array, "gamma": square, "covariance": square},
        (({"delta": np.zeros(3), "gamma": np.zeros((3, 3))}, SINGULAR, "does not move"),),
    ),
    "revaluation.option": Entry(
        revaluation.option,
        OPTION | {"factor": 0, "quantity": 1.0, "elapsed_years": 0.0},
        {"quantity": figure(-1e300, 1e300), "factor": whole(0), "elapsed_years": figure(0.0, 1e9, closed=True)},
        tuple(row for row in OPTION_REFUSALS if not isinstance(next(iter(row[0].values())), list)),
    ),
    "revaluation.foreign": Entry(
        revaluation.foreign,
        {"position": nothing_moves, "value": 1.0, "factor": 0},
        {"value": figure(-1e300, 1e300), "factor": whole(0)},
    ),
    "revaluation.revalued_by": Entry(
        revaluation.revalued_by,
        {"value": lambda levels: levels, "factor": 0, "base": 0.0},
        {"factor": whole(0), "base": figure(-1e300, 1e300)},
        (({"value": gives_nan}, NOT_FINITE, "finite"),),
    ),
    "simulation.threads_of": Entry(
        simulation.threads_of,
        {"threads": 2},
        {},
        (({"threads": 0}, OUT_OF_RANGE, r"\[1, 1024\], was 0"), ({"threads": NAN}, OUT_OF_RANGE, "was nan")),
    ),
    "simulation.simulate": Entry(
        simulation.simulate,
        {"fill": lambda first, out: out.fill(0.0), "paths": 8, "chunk": 4, "threads": 1},
        {"paths": whole(1, 10**9), "chunk": whole(1)},
        (({"fill": lambda first, out: out.fill(NAN)}, NOT_FINITE, "not a finite number"),),
    ),
    "simulation.chunk_of": Entry(simulation.chunk_of, {"numbers_a_path": 3}, {"numbers_a_path": whole(0)}),
    "simulation.measured": Entry(
        simulation.measured, {"pnl": SERIES, "level": 0.95, "batches": 0}, {"pnl": alone, "level": level, "batches": whole(0)}
    ),
    "simulation.tail_paths": Entry(
        simulation.tail_paths,
        {"pnl": SERIES, "var": 0.0, "level": 0.95},
        {"pnl": alone, "level": level, "var": figure(-1e300, 1e300)},
        (({"var": 1e6}, OUT_OF_RANGE, "no path loses"),),
    ),
    "simulation.paths_near_var": Entry(
        simulation.paths_near_var,
        {"pnl": SERIES, "var": historical.historical_var_es(SERIES, 0.95).var, "level": 0.95},
        {"pnl": alone, "level": level, "var": figure(-1e300, 1e300)},
        (({"var": 1e6}, OUT_OF_RANGE, "var"),),
    ),
    "sobol.points": Entry(
        sobol.points,
        {"dimensions": 3, "first": 0, "number": 4, "shift": np.zeros(3, dtype=np.uint32)},
        {"dimensions": whole(1, 1111), "first": whole(0), "number": whole(1)},
        (({"shift": np.zeros(2, dtype=np.uint32)}, SHAPE, "shift"),),
    ),
    "sobol.direction_numbers": Entry(sobol.direction_numbers, {"dimensions": 3}, {"dimensions": whole(1, 1111)}),
    "sobol.shifts": Entry(
        sobol.shifts,
        {"seed": 1, "replicate": 0, "dimensions": 3},
        {"seed": whole(0), "replicate": whole(0), "dimensions": whole(0)},
    ),
    "stress.stress": Entry(stress.stress, {"exposures": HELD, "moves": TABLE}, {"exposures": array, "moves": alone}),
    "stress.propagated_shift": Entry(
        stress.propagated_shift,
        {"covariance": COVARIANCE, "shifted": {0: 0.1}},
        {"covariance": square},
        (
            ({"shifted": {}}, EMPTY, "no asset is shifted"),
            ({"shifted": {7: 0.1}}, UNKNOWN, r"assets must be in \[0, 3\), were \[7\]"),
            ({"shifted": {0: NAN}}, NOT_FINITE, "finite"),
            ({"covariance": np.zeros((3, 3))}, SINGULAR, "independently"),
        ),
    ),
    "stress.reverse_stress": Entry(
        stress.reverse_stress,
        {"exposures": HELD, "covariance": COVARIANCE, "loss": 10.0},
        {"exposures": array, "covariance": square, "loss": figure(0.0, 1e300)},
        (
            ({"exposures": np.zeros(3)}, SINGULAR, "does not move"),
            ({"covariance": np.zeros((3, 3))}, SINGULAR, "does not move"),
        ),
    ),
    "stress.broken_correlations": Entry(
        stress.broken_correlations,
        {"covariance": COVARIANCE, "to": 1.0, "share": 0.5},
        {"covariance": square, "to": figure(0.0, 1.0, closed=True), "share": figure(0.0, 1.0, closed=True)},
        (({"covariance": np.diag([1.0, -1.0])}, SINGULAR, "a variance is -1"),),
    ),
    "stress.ladder": Entry(
        stress.ladder,
        {"revalue": nothing_moves, "factors": 2, "shifts": [0.1, 0.2]},
        {"factors": whole(1), "shifts": alone},
        REVALUE_REFUSALS,
    ),
    "stress.worst_window": Entry(
        stress.worst_window,
        {"pnl": SERIES, "steps": 5},
        {"pnl": alone, "steps": whole(1)},
        (({"steps": 121}, TOO_SHORT, "at least 121 observations, has 120"),),
    ),
    "incremental.NormalRisk": Entry(
        incremental.NormalRisk, GIVEN, {"exposures": array, "covariance": definite, "level": level}
    ),
    "incremental.NormalRisk.fill": Entry(normal_fill, {"asset": 0, "exposure": 1.0}, {}, FILL_REFUSALS),
    "incremental.NormalRisk.after": Entry(normal_after, {"asset": 0, "exposure": 1.0}, {}, FILL_REFUSALS),
    "incremental.HistoricalRisk": Entry(
        incremental.HistoricalRisk,
        {"returns": TABLE, "level": 0.99, "exposures": HELD},
        {"returns": alone, "level": level, "exposures": array},
    ),
    "incremental.HistoricalRisk.fill": Entry(historical_fill, {"asset": 0, "exposure": 1.0}, {}, FILL_REFUSALS),
    "live.LiveRisk": Entry(
        live.LiveRisk,
        {"model": incremental.NormalRisk(COVARIANCE, 0.99), "base": "USD", "rates": {"EUR": 1.1}},
        {},
        (
            ({"rates": {"EUR": NAN}}, OUT_OF_RANGE, "EUR/USD must be in .* was nan"),
            ({"rates": {"EUR": 0.0}}, OUT_OF_RANGE, "EUR/USD"),
        ),
    ),
    "live.LiveRisk.set_rate": Entry(rate, {"currency": "EUR", "rate": 1.1}, {"rate": figure(0.0, 1e300)}),
}
