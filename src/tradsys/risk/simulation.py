"""What simulations share: cutting paths into chunks over threads, and figures of the P&L with their standard errors."""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradsys.risk.historical import order_of_var
from tradsys.risk.inputs import Floats, Problem, count, level_of, number, refusal, vector

PATHS_MAX = 10**9
CHUNK_NUMBERS_MAX = 1 << 21  # numbers a thread holds at a time: 16 MiB an array

Fill = Callable[[int, Floats], None]  # (first path, P&L of the paths from there on) -> fills it


class Simulation(NamedTuple):
    """VaR and ES of simulated P&L; errors are standard errors of the simulation, in the unit of the P&L."""

    level: float
    var: float
    es: float
    var_error: float
    es_error: float
    pnl: Floats  # (paths,) in the order of the paths
    component_es: Floats | None = None  # (assets,) amounts that sum to the ES
    marginal_es: Floats | None = None  # (assets,) change of the ES for one more unit of exposure
    marginal_var: Floats | None = None  # (assets,) the same of the VaR, from the paths around it


def threads_of(threads: int | None) -> int:
    """Number of threads: as given, else of the processors this process may use."""
    return count("threads", threads, 1, 1024) if threads is not None else len(os.sched_getaffinity(0))


def simulate(
    fill: Fill, paths: int, chunk: int, threads: int | None, progress: Callable[[float], None] | None = None
) -> Floats:
    """Fill the P&L of all paths chunk by chunk.

    Parameters
    ----------
    fill
        Called with the number of a first path and the slice to fill, from any thread, in any order. What it fills depends
        on the numbers of the paths only.
    paths
        In [1, 10^9].
    chunk
        Paths a call.
    threads
        None: as many as processors.
    progress
        Called with the share done, in the thread of the caller.

    Raises
    ------
    RiskError
        OUT_OF_RANGE; NOT_FINITE: a path has no number, for example because a revaluation gave none.
    """
    pnl = np.empty(count("paths", paths, 1, PATHS_MAX))
    firsts = range(0, len(pnl), count("chunk", chunk, 1))
    workers = min(threads_of(threads), len(firsts))

    def run(first: int) -> None:
        fill(first, pnl[first : first + firsts.step])

    if workers == 1:
        for done, first in enumerate(firsts, 1):
            run(first)
            if progress:
                progress(done / len(firsts))
    else:
        with ThreadPoolExecutor(workers) as pool:
            for done, _ in enumerate(pool.map(run, firsts), 1):
                if progress:
                    progress(done / len(firsts))
    if not math.isfinite(float(pnl.sum())):
        raise refusal(Problem.NOT_FINITE, "the P&L of a simulated path is not a finite number")
    return pnl


def chunk_of(numbers_a_path: int) -> int:
    """Paths a chunk, so that a thread's arrays stay small."""
    return max(1, min(1 << 14, CHUNK_NUMBERS_MAX // max(1, count("numbers_a_path", numbers_a_path, 0, 2**62))))


def measured(pnl: Floats, level: float, *, batches: int = 0) -> Simulation:
    """VaR and ES of simulated P&L with standard errors.

    Parameters
    ----------
    pnl
        (paths,), finite.
    level
        In [0.5, 1).
    batches
        0: paths are independent, and the errors come from the sample itself. Otherwise paths are independent only between
        so many equal batches (antithetic pairs, randomised Sobol points), and the errors from their spread.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.

    Notes
    -----
    VaR's error is half the distance between the order statistics one binomial standard deviation away; that of ES as
    ``historical.es_standard_error``. O(paths) expected.
    """
    pnl, n = vector("pnl", pnl), len(pnl)
    count("batches", batches, 0)
    kept = order_of_var(n, level_of(level))
    losses = np.negative(pnl)
    losses += 0.0  # no -0.0
    spread = math.sqrt(n * level * (1.0 - level))
    low, high = max(0, int(kept - spread)), min(n - 1, math.ceil(kept + spread))
    losses.partition(sorted({low, kept, high}))
    var = float(losses[kept])
    beyond = losses[kept + 1 :] - var
    excess = float(beyond.sum()) / (n * (1.0 - level))
    if batches:
        errors = _spread_of_batches(pnl, level, batches)
    elif n > 1:
        mean_square = float(beyond @ beyond) / (n * (1.0 - level) ** 2)
        errors = (
            float(losses[high] - losses[low]) / 2.0,
            math.sqrt(max(mean_square - excess**2, 0.0) / (n - 1)),
        )
    else:
        errors = (math.nan, math.nan)
    return Simulation(level, var, var + excess, errors[0], errors[1], pnl)


def tail_paths(pnl: Floats, var: float, level: float) -> tuple[NDArray[np.int64], Floats]:
    """Paths of the tail and their weights, which sum to 1: ES = -sum of weights x pnl.

    Paths that tie with the VaR share what is left of the tail evenly.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE; OUT_OF_RANGE: also where no path loses the VaR.
    """
    pnl = vector("pnl", pnl)
    level, var = level_of(level), number("var", var, -1e300, 1e300)
    paths = np.flatnonzero(pnl <= -var)
    if not len(paths):
        raise refusal(Problem.OUT_OF_RANGE, f"no path loses {var:g}, the largest loss is {-pnl.min():g}")
    edge = pnl[paths] == -var
    tail = len(pnl) * (1.0 - level)
    rest = max(tail - float(np.sum(~edge)), 0.0)
    weights = np.where(edge, rest / max(int(edge.sum()), 1), 1.0)
    return paths.astype(np.int64), np.asarray(weights / weights.sum())


def paths_near_var(pnl: Floats, var: float, level: float) -> NDArray[np.int64]:
    """Paths around the VaR, a twentieth of the tail on either side: its derivative is their mean loss (Hallerbach 2003).

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE; OUT_OF_RANGE: also where it is not the VaR of these paths.
    """
    pnl = vector("pnl", pnl)
    level, var = level_of(level), number("var", var, -1e300, 1e300)
    losses = np.negative(pnl)
    width = int(len(pnl) * (1.0 - level) / 20.0)
    kept = order_of_var(len(pnl), level)
    low, high = max(kept - width, 0), min(kept + width, len(pnl) - 1)
    edges = np.partition(losses, sorted({low, high}))
    near = np.flatnonzero((losses >= edges[low]) & (losses <= edges[high]))
    assert len(near)
    if not edges[low] <= var <= edges[high]:
        raise refusal(Problem.OUT_OF_RANGE, f"the var must be in [{edges[low]:g}, {edges[high]:g}] of these paths, was {var:g}")
    return near.astype(np.int64)


def _spread_of_batches(pnl: Floats, level: float, batches: int) -> tuple[float, float]:
    size = len(pnl) // batches
    if batches < 2 or size == 0:
        return math.nan, math.nan
    figures = [measured(pnl[i * size : (i + 1) * size], level) for i in range(batches)]
    root = math.sqrt(batches)
    var_error = float(np.std([f.var for f in figures], ddof=1)) / root
    return var_error, float(np.std([f.es for f in figures], ddof=1)) / root
