"""Monte Carlo VaR and ES: Gaussian, Student t, copulas over empirical margins, bootstrap, Brownian paths, Sobol points.

Every simulation is a function of its arguments: the seed says everything, neither threads nor chunks change a digit.
Positions that are linear in returns need no return of a single asset: the exposures are projected on the factors once,
w'(Lz) = (L'w)'z, so a path costs one product a factor instead of one for each pair. That is exact, for the same draws. Paths of
the tail are drawn again to say what each asset adds. Anything else goes through ``simulate_revalued``.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tradsys.risk import sobol
from tradsys.risk.covariance import factor
from tradsys.risk.distributions import normal_quantile, student_quantile
from tradsys.risk.inputs import (
    Floats,
    Problem,
    count,
    indices,
    matrix,
    number,
    refusal,
    symmetric,
    vector,
)
from tradsys.risk.kernel import kernel
from tradsys.risk.random_numbers import (
    fill_chi_squares,
    fill_rows,
    next_chi_square,
    next_normal,
    path_state,
)
from tradsys.risk.simulation import Simulation, chunk_of, measured, paths_near_var, simulate, tail_paths

Progress = Callable[[float], None]
Revalue = Callable[[Floats], Floats]  # (paths, assets) returns -> (paths,) P&L

_BATCHES = 32  # of antithetic pairs, for the standard errors
_CHI_SQUARE_STREAM = 0x5EED  # keeps the chi-square of a copula's path apart from its normals


class Settings(NamedTuple):
    """How to simulate; what a simulation gives depends on all but threads and progress."""

    paths: int = 100_000  # in [1, 10^9]
    seed: int = 1  # in [0, 2^63)
    antithetic: bool = False  # each odd path is the mirror of the one before
    threads: int | None = None  # as many as processors
    progress: Progress | None = None  # called with the share done


class Brownian(NamedTuple):
    """Risk at the end of a horizon and of the worst moment on the way."""

    terminal: Simulation
    worst: Simulation  # of the lowest P&L at the end of any step, at most 0


DEFAULTS = Settings()


def simulate_gaussian(
    exposures: ArrayLike,
    covariance: ArrayLike,
    level: float,
    *,
    means: ArrayLike | None = None,
    steps: float = 1.0,
    dof: float | None = None,
    components: bool = True,
    settings: Settings = DEFAULTS,
) -> Simulation:
    """VaR and ES of linear positions under normal or multivariate Student t returns.

    Parameters
    ----------
    exposures
        (assets,) amounts.
    covariance
        (assets, assets) of returns over one step, positive semi-definite.
    level
        In [0.5, 1).
    means
        (assets,) mean returns of one step; zero if not given.
    steps
        Horizon in steps, above 0: means grow with it, deviations with its root.
    dof
        Degrees of freedom, above 2, of Student's t with this covariance; None: normal.
    components
        Say what each asset adds to the ES and to the VaR.
    settings
        Paths, seed, antithetic, threads, progress.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE; SINGULAR: a covariance that is not positive semi-definite.

    Notes
    -----
    O(paths x rank + assets^3); memory 8 bytes a path and O(assets^2). A multivariate t is a t copula with t margins:
    the same chi-square stretches all assets of a path.
    """
    held, root, drift = _linear(exposures, covariance, means, steps)
    loading = np.ascontiguousarray(root.T @ held)
    freedom = 0.0 if dof is None else number("dof", dof, 2.0, 1e9)
    seed, mirror = _seed(settings), bool(settings.antithetic)

    def fill(first: int, out: Floats) -> None:
        _fill_linear(seed, first, mirror, freedom, loading, out)
        out += float(drift @ held)

    chunk = 2 * (chunk_of(len(loading)) // 2) or 2  # mirrored pairs stay together
    pnl = simulate(fill, settings.paths, chunk, settings.threads, settings.progress)
    found = measured(pnl, level, batches=_BATCHES if mirror else 0)
    if not components:
        return found
    tail, weights = tail_paths(pnl, found.var, level)
    marginal_es = -(root @ _mean_factors(settings, tail, weights, root.shape[1], dof) + drift)
    near = paths_near_var(pnl, found.var, level)
    around = np.full(len(near), 1.0 / len(near))
    marginal_var = -(root @ _mean_factors(settings, near, around, root.shape[1], dof) + drift)
    summed = float(held @ marginal_var)
    if summed != 0.0:
        marginal_var *= found.var / summed  # the paths around the VaR lose it on average only
    return found._replace(
        component_es=held * marginal_es + 0.0, marginal_es=marginal_es, marginal_var=marginal_var
    )


def _mean_factors(
    settings: Settings, paths: NDArray[np.int64], weights: Floats, factors: int, dof: float | None
) -> Floats:
    """Weighted mean (factors,) of the draws of the given paths."""
    total = np.zeros(factors)
    for first in range(0, len(paths), 4096):
        part = slice(first, first + 4096)
        total += weights[part] @ gaussian_factors(settings, paths[part], factors, dof)
    return total


def gaussian_factors(settings: Settings, paths: ArrayLike, factors: int, dof: float | None = None) -> Floats:
    """Draws (len(paths), factors) behind ``simulate_gaussian``: normal, or stretched to a t of unit variance.

    Raises
    ------
    RiskError
        SHAPE, NOT_FINITE, OUT_OF_RANGE.
    """
    wanted = indices("paths", paths)
    out = np.empty((len(wanted), count("factors", factors, 0)))
    freedom = 0.0 if dof is None else number("dof", dof, 2.0, 1e9)
    _fill_factors(_seed(settings), wanted, bool(settings.antithetic), freedom, out)
    return out


def simulate_sobol(
    exposures: ArrayLike,
    covariance: ArrayLike,
    level: float,
    *,
    means: ArrayLike | None = None,
    steps: float = 1.0,
    replicates: int = 16,
    settings: Settings = DEFAULTS,
) -> Simulation:
    """VaR and ES of linear positions under normal returns, with Sobol points on the principal components.

    Parameters
    ----------
    exposures, covariance, level, means, steps
        As ``simulate_gaussian``, at most 1,111 assets.
    replicates
        Independent random shifts, at least 2; the standard errors are those of their spread.
    settings
        ``paths`` is rounded up to replicates x a power of two. ``antithetic`` must be off.

    Raises
    ------
    RiskError
        As ``simulate_gaussian``.
    """
    if settings.antithetic:
        raise refusal(Problem.OUT_OF_RANGE, "Sobol points have no mirrored pairs")
    held, root, drift = _linear(exposures, covariance, means, steps, by_size=True)
    loading = np.ascontiguousarray(root.T @ held)
    paths = count("paths", settings.paths, 1, 10**9)
    each = 1 << max(0, math.ceil(math.log2(-(-paths // count("replicates", replicates, 2, 1024)))))
    _seed(settings)
    columns = sobol.direction_numbers(max(1, len(loading)))[:, : len(loading)]
    columns = np.ascontiguousarray(columns)
    moves = [sobol.shifts(settings.seed, i, len(loading)) for i in range(replicates)]
    chunk = min(each, 4096)

    def fill(first: int, out: Floats) -> None:
        sobol.fill_linear(columns, moves[first // each], first % each, loading, out)
        out += float(drift @ held)

    pnl = simulate(fill, each * replicates, chunk, settings.threads, settings.progress)
    return measured(pnl, level, batches=replicates)


def simulate_copula(
    history: ArrayLike,
    exposures: ArrayLike,
    correlations: ArrayLike,
    level: float,
    *,
    dof: float | None = None,
    settings: Settings = DEFAULTS,
) -> Simulation:
    """VaR and ES of linear positions whose returns have the margins of a history and a Gaussian or t copula.

    Parameters
    ----------
    history
        (observations, assets) returns over the horizon: each asset's own are drawn from, all equally likely.
    exposures
        (assets,) amounts.
    correlations
        (assets, assets) of the copula, positive semi-definite, with a unit diagonal.
    level
        In [0.5, 1).
    dof
        Degrees of freedom of the t copula, above 0; None: Gaussian.
    settings
        Paths, seed, antithetic, threads, progress.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE, SINGULAR.

    Notes
    -----
    The k-th smallest return of an asset is drawn where its factor lies between the quantiles (k - 1)/n and k/n of the
    normal or t: no distribution function is evaluated on a path. O(paths x assets x (rank + log observations)).
    """
    data = matrix("history", history)
    held = vector("exposures", exposures, length=data.shape[1])
    square = symmetric("correlations", correlations, size=data.shape[1])
    if np.abs(np.diag(square) - 1.0).max() > 1e-9:
        raise refusal(Problem.OUT_OF_RANGE, "correlations must be 1 on the diagonal")
    root = factor(square).root
    edges = _quantile_edges(len(data), dof)
    margins = np.ascontiguousarray(np.sort(data, axis=0).T)
    stream = settings._replace(seed=int(_seed(settings)) ^ _CHI_SQUARE_STREAM)

    def revalue(scores: Floats) -> Floats:
        out = np.empty(len(scores))
        _pnl_of_scores(np.ascontiguousarray(scores), edges, margins, held, out)
        return out

    def fill(first: int, out: Floats) -> None:
        paths = np.arange(first, first + len(out), dtype=np.int64)
        scores = gaussian_factors(settings, paths, root.shape[1]) @ root.T
        if dof is not None:
            chi_squares = np.empty(len(out))
            drawn = paths // 2 if settings.antithetic else paths
            fill_chi_squares(_seed(stream), drawn, dof, chi_squares)
            scores *= np.sqrt(dof / chi_squares)[:, None]
        out[:] = revalue(scores)

    pnl = simulate(fill, settings.paths, 2 * chunk_of(2 * len(held)), settings.threads, settings.progress)
    return measured(pnl, level, batches=_BATCHES if settings.antithetic else 0)


def simulate_bootstrap(
    pnl: ArrayLike, level: float, *, steps: int = 1, block: int = 1, settings: Settings = DEFAULTS
) -> Simulation:
    """VaR and ES over a horizon, drawn from a history of P&L with replacement.

    Parameters
    ----------
    pnl
        (observations,) of one step; exposures are kept constant over the horizon, so steps add up.
    level
        In [0.5, 1).
    steps
        Horizon in steps, at least 1.
    block
        Consecutive observations drawn together, in [1, observations]: keeps clusters of volatility. Blocks run over the
        end of the history into its beginning (circular block bootstrap: Politis and Romano 1992).
    settings
        Paths, seed, threads, progress; ``antithetic`` must be off.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE.
    """
    series = vector("pnl", pnl)
    if settings.antithetic:
        raise refusal(Problem.OUT_OF_RANGE, "a bootstrap has no mirrored pairs")
    horizon, length = count("steps", steps, 1), count("block", block, 1, len(series))
    blocks = -(-horizon // length)
    twice = np.concatenate([[0.0], np.cumsum(np.concatenate([series, series]))])
    last = horizon - (blocks - 1) * length  # steps taken of the last block

    def fill(first: int, out: Floats) -> None:
        starts = np.empty((len(out), blocks), dtype=np.int64)
        fill_rows(_seed(settings), np.arange(first, first + len(out)), len(series), starts)
        out[:] = (twice[starts[:, :-1] + length] - twice[starts[:, :-1]]).sum(axis=1)
        out += twice[starts[:, -1] + last] - twice[starts[:, -1]]

    return measured(
        simulate(fill, settings.paths, chunk_of(4 * blocks), settings.threads, settings.progress), level
    )


def simulate_brownian(
    exposures: ArrayLike,
    covariance: ArrayLike,
    level: float,
    *,
    means: ArrayLike | None = None,
    steps: int = 1,
    settings: Settings = DEFAULTS,
) -> Brownian:
    """VaR and ES of positions held over geometric Brownian paths, at the end and at the worst step on the way.

    Parameters
    ----------
    exposures
        (assets,) amounts at the start; quantities are held, so exposures move with prices.
    covariance
        (assets, assets) of logarithmic returns of one step, positive semi-definite.
    level
        In [0.5, 1).
    means
        (assets,) expected simple growth of one step, so that E[price] = start x exp(mean x steps); zero if not given.
    steps
        Horizon in steps, at least 1.
    settings
        Paths, seed, antithetic, threads, progress.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, OUT_OF_RANGE, SINGULAR.

    Notes
    -----
    O(paths x steps x assets x rank), one matrix product a chunk.
    """
    held, root, _ = _linear(exposures, covariance, means, 1.0)
    horizon = count("steps", steps, 1, 100_000)
    growth = np.zeros(len(held)) if means is None else vector("means", means, length=len(held))
    drift = growth - 0.5 * np.square(root).sum(axis=1)
    worst = np.empty(count("paths", settings.paths, 1, 10**9))
    rank = root.shape[1]

    def fill(first: int, out: Floats) -> None:
        paths = np.arange(first, first + len(out), dtype=np.int64)
        draws = gaussian_factors(settings, paths, rank * horizon).reshape(len(out) * horizon, rank)
        moves = (draws @ root.T + drift).reshape(len(out), horizon, len(held))
        values = np.expm1(np.cumsum(moves, axis=1)) @ held
        out[:] = values[:, -1]
        worst[first : first + len(out)] = np.minimum(values.min(axis=1), 0.0)

    chunk = chunk_of(2 * horizon * len(held))
    pnl = simulate(fill, settings.paths, chunk, settings.threads, settings.progress)
    batches = _BATCHES if settings.antithetic else 0
    return Brownian(measured(pnl, level, batches=batches), measured(worst, level, batches=batches))


def simulate_revalued(
    revalue: Revalue,
    covariance: ArrayLike,
    level: float,
    *,
    means: ArrayLike | None = None,
    steps: float = 1.0,
    dof: float | None = None,
    settings: Settings = DEFAULTS,
) -> Simulation:
    """VaR and ES of positions that are revalued on every path: options, bonds, anything not linear.

    Parameters
    ----------
    revalue
        Called with (paths, assets) simulated returns or changes of risk factors, from several threads; gives (paths,) P&L.
        ``tradsys.risk.revaluation`` makes such functions.
    covariance
        (assets, assets) of the changes over one step, positive semi-definite.
    level, means, steps, dof, settings
        As ``simulate_gaussian``.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, OUT_OF_RANGE, SINGULAR; NOT_FINITE, also of a P&L.
    """
    size = symmetric("covariance", covariance).shape[0]
    _, root, drift = _linear(np.zeros(size), covariance, means, steps)

    def fill(first: int, out: Floats) -> None:
        paths = np.arange(first, first + len(out), dtype=np.int64)
        changes = gaussian_factors(settings, paths, root.shape[1], dof) @ root.T + drift
        pnl = np.asarray(revalue(changes), dtype=np.float64)
        if pnl.shape != out.shape:
            raise refusal(Problem.SHAPE, f"revalue must give {out.shape} P&L, gave {pnl.shape}")
        out[:] = pnl

    if dof is not None:
        number("dof", dof, 2.0, 1e9)
    pnl = simulate(fill, settings.paths, 2 * chunk_of(2 * size), settings.threads, settings.progress)
    return measured(pnl, level, batches=_BATCHES if settings.antithetic else 0)


@kernel("Tuple((float64, UniTuple(uint64, 4)))(uint64, int64, float64)")
def _begin(seed, path, dof):  # type: ignore[no-untyped-def]
    """Generator of a path and the stretch of its normals: 1, or that of a t with unit variance."""
    state = path_state(seed, np.uint64(path))
    if dof == 0.0:
        return 1.0, state
    chi_square, state = next_chi_square(dof, state)
    return math.sqrt((dof - 2.0) / chi_square), state


@kernel("void(uint64, int64, boolean, float64, float64[::1], float64[::1])")
def _fill_linear(seed, first, mirror, dof, loading, out):  # type: ignore[no-untyped-def]
    """Fill out[i] with the product of the loading and the draws of path first + i."""
    i = 0
    while i < len(out):
        stretch, state = _begin(seed, (first + i) // 2 if mirror else first + i, dof)
        total = 0.0
        for j in range(len(loading)):
            x, state = next_normal(state)
            total += loading[j] * x
        out[i] = stretch * total
        i += 1
        if mirror and i < len(out):
            out[i] = -stretch * total
            i += 1


@kernel("void(uint64, int64[::1], boolean, float64, float64[:, ::1])")
def _fill_factors(seed, paths, mirror, dof, out):  # type: ignore[no-untyped-def]
    """Fill row i of out with the draws of path paths[i]."""
    for i in range(len(paths)):
        stretch, state = _begin(seed, paths[i] // 2 if mirror else paths[i], dof)
        if mirror and paths[i] % 2 == 1:
            stretch = -stretch
        for j in range(out.shape[1]):
            x, state = next_normal(state)
            out[i, j] = stretch * x


@kernel("void(float64[:, ::1], float64[::1], float64[:, ::1], float64[::1], float64[::1])")
def _pnl_of_scores(scores, edges, margins, held, out):  # type: ignore[no-untyped-def]
    """Look every score up among the edges, and add exposure times the return of that rank."""
    for i in range(scores.shape[0]):
        total = 0.0
        for j in range(scores.shape[1]):
            low, high = 0, len(edges)
            while low < high:
                middle = (low + high) // 2
                if edges[middle] < scores[i, j]:
                    low = middle + 1
                else:
                    high = middle
            total += held[j] * margins[j, low]
        out[i] = total


def _linear(
    exposures: ArrayLike,
    covariance: ArrayLike,
    means: ArrayLike | None,
    steps: float,
    *,
    by_size: bool = False,
) -> tuple[Floats, Floats, Floats]:
    """Exposures, a root of the covariance over the horizon, and the drift over it."""
    held = vector("exposures", exposures)
    square = symmetric("covariance", covariance, size=len(held))
    horizon = number("steps", steps, 0.0, 1e9)
    root = _principal_root(square) if by_size else factor(square).root
    drift = np.zeros(len(held)) if means is None else vector("means", means, length=len(held)) * horizon
    return held, np.ascontiguousarray(root * math.sqrt(horizon)), drift


def _principal_root(square: Floats) -> Floats:
    """Root by eigenvectors, the largest first: the first Sobol dimensions carry most of the variance."""
    factor(square)  # refuses what is not positive semi-definite
    values, vectors = np.linalg.eigh(square)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1])


def _quantile_edges(observations: int, dof: float | None) -> Floats:
    """Quantiles k/n for k = 1 ... n - 1 of the normal or of Student's t."""
    shares = np.arange(1, observations) / observations
    if dof is None:
        return np.array([normal_quantile(p) for p in shares], dtype=np.float64)
    number("dof", dof, 0.0, 1e9)
    return np.array([student_quantile(p, dof) for p in shares], dtype=np.float64)


def _seed(settings: Settings) -> np.uint64:
    return np.uint64(count("seed", settings.seed, 0, 2**63 - 1))
