"""How fast risk is, as ratios to NumPy, SciPy and arch doing the same in the same run.

Answers are held against the plain version first: the same draws for Monte Carlo, the same quantiles for history, the same
likelihood for GARCH, risk computed anew for fills. ``arch`` comes with the extra ``oracles``; without it that row is missing.
A fresh start is the whole process of a command line user, its second run, with the kernels on disk.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from measure import arguments, median, show, spread

from tradsys.risk import garch, monte_carlo
from tradsys.risk.historical import historical_batch, historical_var_es
from tradsys.risk.incremental import NormalRisk

ASSETS, LEVEL = 500, 0.99
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def held(condition: bool, what: str) -> None:
    """Stop before any time is printed when an answer is wrong."""
    if not condition:
        raise SystemExit(f"the answers differ: {what}")


def world(assets: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Exposures and a covariance of so many assets."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((assets, assets)) * 0.01 / np.sqrt(assets)
    return rng.standard_normal(assets) * 1e4, root @ root.T + np.eye(assets) * 2e-5


def plain_monte_carlo(
    exposures: np.ndarray, covariance: np.ndarray, paths: int, chunk: int = 20_000
) -> tuple:
    """The straightforward way, in chunks that fit memory: draw, correlate, value, sort."""
    rng = np.random.default_rng(1)
    root = np.linalg.cholesky(covariance)
    pnl = np.empty(paths)
    for first in range(0, paths, chunk):
        n = min(chunk, paths - first)
        pnl[first : first + n] = rng.standard_normal((n, len(root))) @ root.T @ exposures
    losses = np.sort(-pnl)
    kept = int(np.ceil(paths * LEVEL)) - 1
    return losses[kept], losses[kept:].mean()


def monte_carlo_row(rounds: int, paths: int) -> dict[str, object]:
    """VaR and ES of 500 assets."""
    exposures, covariance = world(ASSETS)
    few = monte_carlo.Settings(paths=2000)
    draws = monte_carlo.gaussian_factors(few, np.arange(2000), ASSETS) @ np.linalg.cholesky(covariance).T
    same = monte_carlo.simulate_gaussian(exposures, covariance, LEVEL, settings=few)
    held(np.allclose(same.pnl, draws @ exposures, rtol=1e-9, atol=1e-6), "Monte Carlo of the same draws")
    many = monte_carlo.Settings(paths=paths)
    ours = monte_carlo.simulate_gaussian(exposures, covariance, LEVEL, settings=many)
    theirs = plain_monte_carlo(exposures, covariance, paths)
    held(abs(ours.var - theirs[0]) < 6 * ours.var_error, "Monte Carlo VaR")
    held(abs(ours.es - theirs[1]) < 6 * ours.es_error, "Monte Carlo ES")
    mine = [
        seconds(
            lambda: monte_carlo.simulate_gaussian(
                exposures, covariance, LEVEL, components=False, settings=many
            )
        )
        for _ in range(rounds)
    ]
    other = [seconds(lambda: plain_monte_carlo(exposures, covariance, paths)) for _ in range(min(rounds, 3))]
    return {
        "what": f"Monte Carlo {paths:,} x {ASSETS}",
        "unit": "s",
        "ours": mine,
        "other": other,
        "to": "NumPy",
    }


def history_row(rounds: int) -> dict[str, object]:
    """Historical VaR and ES of 100 portfolios of 1,000 positions over 2,500 days."""
    rng = np.random.default_rng(2)
    returns, exposures = rng.standard_normal((2500, 1000)) * 0.01, rng.standard_normal((1000, 100))

    def plain() -> np.ndarray:
        losses = np.sort(-(returns @ exposures), axis=0)
        return np.array([losses[2474], losses[2474:].mean(axis=0)])

    found = historical_batch(returns, exposures, LEVEL)
    one = historical_var_es(returns @ exposures[:, 7], LEVEL)
    held(np.allclose(found.var, plain()[0], rtol=1e-9), "historical VaR")
    held(np.isclose(found.es[7], one.es, rtol=1e-9), "historical ES")
    mine = [1e3 * seconds(lambda: historical_batch(returns, exposures, LEVEL)) for _ in range(rounds)]
    return {"what": "history 1,000 x 2,500 x 100 portfolios", "unit": "ms", "ours": mine,
            "other": [1e3 * seconds(plain) for _ in range(rounds)], "to": "NumPy"}  # fmt: skip


def clustered(days: int) -> np.ndarray:
    """Returns of a GARCH(1,1) of known parameters."""
    rng = np.random.default_rng(3)
    returns, variance, shock = np.empty(days), 1e-4, 0.0
    for i, normal in enumerate(rng.standard_normal(days)):
        variance = 2e-6 + 0.08 * shock**2 + 0.9 * variance
        shock = np.sqrt(variance) * normal
        returns[i] = shock
    return returns


def garch_row(rounds: int, days: int) -> dict[str, object] | None:
    """A fit of GARCH(1,1)."""
    if importlib.util.find_spec("arch") is None:
        return None
    from arch import arch_model

    returns = clustered(days)
    model = arch_model(100 * returns, mean="Constant", vol="GARCH", p=1, q=1, rescale=False)

    def theirs() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(disp="off", show_warning=False)

    ours, fitted = garch.fit(returns), theirs()
    units = np.array([1e-2, 1e-4, 1.0, 1.0])
    held(np.allclose(ours[:4], fitted.params.to_numpy() * units, rtol=1e-2, atol=1e-5), "GARCH parameters")
    held(ours.log_likelihood >= fitted.loglikelihood + days * np.log(100) - 1e-6, "GARCH likelihood")
    mine = [1e3 * seconds(lambda: garch.fit(returns)) for _ in range(5 * rounds)]
    return {"what": f"GARCH(1,1) fit, {days:,} days", "unit": "ms", "ours": mine,
            "other": [1e3 * seconds(theirs) for _ in range(rounds)], "to": "arch"}  # fmt: skip


def fill_row(rounds: int) -> dict[str, object]:
    """VaR and ES after each fill."""
    _, covariance = world(ASSETS)
    risk, count = NormalRisk(covariance, LEVEL), 5000
    rng = np.random.default_rng(4)
    fills = list(
        zip(rng.integers(0, ASSETS, count).tolist(), (rng.standard_normal(count) * 1e4).tolist(), strict=True)
    )

    def run() -> None:
        for asset, exposure in fills:
            risk.fill(asset, exposure)

    def plain() -> float:
        return 2.3263478740408408 * float(np.sqrt(risk.exposures @ covariance @ risk.exposures))

    run()
    risk.check()
    held(np.isclose(risk.var, plain(), rtol=1e-9), "VaR after fills")
    mine = [1e6 * seconds(run) / count for _ in range(rounds)]
    other = [1e6 * seconds(lambda: [plain() for _ in range(200)]) / 200 for _ in range(rounds)]
    return {
        "what": f"VaR and ES after a fill, {ASSETS} assets",
        "unit": "us",
        "ours": mine,
        "other": other,
        "to": "NumPy anew",
    }


def start_row(rounds: int) -> dict[str, object]:
    """The second run of ``tradsys risk var`` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        prices = Path(folder, "prices.parquet")
        subprocess.run([sys.executable, str(EXAMPLES / "made_up_prices.py"), str(prices)], check=True)
        words = [sys.executable, "-m", "tradsys", "risk", "var", str(EXAMPLES / "portfolio.csv"), "--history", str(prices),
                 "--method", "mc", "--paths", "100000", "--json"]  # fmt: skip
        search = {**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}

        def run() -> None:
            subprocess.run(words, env=search, check=True, stdout=subprocess.DEVNULL)

        run()
        mine = [seconds(run) for _ in range(rounds)]
    return {"what": "tradsys risk var, second run", "unit": "s", "ours": mine, "other": [], "to": ""}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = arguments(__doc__, argv, rounds=7)
    rounds = options.rounds
    found = [
        monte_carlo_row(rounds, 100_000 if options.quick else 1_000_000),
        history_row(rounds),
        garch_row(rounds, 2500),
        fill_row(rounds),
        start_row(rounds),
    ]
    data = [row for row in found if row]
    rows = []
    for row in data:
        ours, other = row["ours"], row["other"]
        ratio = f"{median(other) / median(ours):.1f}x" if other else ""
        rows.append(
            (row["what"], row["unit"], spread(ours), spread(other) if other else "", ratio, row["to"])
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    notes = f"median (range); answers held against the plain version first; peak memory with both versions {memory:,.0f} MiB"
    show("risk kernels", ("what", "unit", "ours", "other", "ratio", "to"), rows, notes, options.json, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
