"""Print what every kernel answers to fixed inputs, as JSON: run compiled, and with NUMBA_DISABLE_JIT=1 as plain Python."""

import json
import sys

import numpy as np

from tradsys.risk import (
    black_scholes,
    covariance,
    distributions,
    garch,
    incremental,
    monte_carlo,
    random_numbers,
    sobol,
)


def answers():
    d = distributions
    yield (
        "normal",
        [d.normal_quantile(x) for x in (1e-12, 0.01, 0.3, 0.999)] + [d.normal_cdf(-2.0), d.normal_pdf(1.0)],
    )
    yield "student", [d.student_quantile(0.01, 3.5), d.student_cdf(-4.0, 2.5), d.student_pdf(0.5, 7.0)]
    yield (
        "counts",
        [d.binomial_cdf(4, 250, 0.01), d.beta_probability(3.0, 0.5, 0.9), d.chi_square_survival(4.0, 2)],
    )
    series = np.sin(np.arange(50.0)) / 100
    yield "variances", covariance.ewma_volatilities(series)
    yield (
        "uniform",
        [
            random_numbers.next_uniform(random_numbers.path_state(np.uint64(5), np.uint64(k)))[0]
            for k in range(5)
        ],
    )
    yield "normals", random_numbers.normals(2**62 + 1, np.arange(200), 10)
    chi = np.empty(50)
    for dof in (0.5, 4.0):
        random_numbers.fill_chi_squares(np.uint64(3), np.arange(50), dof, chi)
        yield f"chi squares {dof}", chi
    rows = np.empty((10, 4), dtype=np.int64)
    random_numbers.fill_rows(np.uint64(3), np.arange(10), 77, rows)
    yield "rows", rows
    yield "sobol", sobol.points(6, 37, 20, sobol.shifts(1, 2, 6))
    held, square = np.array([1.0, -2.0, 3.0]), np.diag([1.0, 4.0, 9.0]) / 1e4
    for mirror in (False, True):
        settings = monte_carlo.Settings(paths=101, seed=11, antithetic=mirror, threads=1)
        yield (
            f"linear {mirror}",
            monte_carlo.simulate_gaussian(held, square, 0.95, dof=4.0, settings=settings).pnl,
        )
        copula = monte_carlo.simulate_copula(
            np.arange(30.0).reshape(10, 3), held, np.eye(3), 0.9, settings=settings
        )
        yield f"copula {mirror}", copula.pnl
    yield (
        "sobol linear",
        monte_carlo.simulate_sobol(
            held, square, 0.9, replicates=2, settings=monte_carlo.Settings(paths=64)
        ).pnl,
    )
    yield (
        "options",
        np.stack(
            black_scholes.greeks([True, False, True], [90, 100, 110], 100.0, [0.0, 0.5, 2.0], 0.3, 0.02, 0.01)
        ),
    )
    model = garch.fit(
        random_numbers.normals(4, np.arange(60), 2).ravel() * (1.5 + np.sin(np.arange(120.0) / 9))
    )
    yield "garch", [*model[:5], *model.volatilities]
    risk = incremental.NormalRisk(square, 0.99)
    yield "fills", [figure for asset in (0, 2, 1, 0) for figure in risk.fill(asset, 10.0 - 7.0 * asset)]


if __name__ == "__main__":
    np.seterr(over="ignore")  # 64-bit words wrap, compiled and not
    sys.stdout.write(json.dumps({name: np.ravel(values).tolist() for name, values in answers()}))
