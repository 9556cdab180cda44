"""GARCH(1,1) with normal errors and a constant mean: fit by maximum likelihood, volatilities, forecasts.

    r[t] = mean + e[t],   v[t] = omega + alpha e[t-1]^2 + beta v[t-1],   e[t] ~ N(0, v[t])

Bollerslev, "Generalized autoregressive conditional heteroskedasticity", Journal of Econometrics 31 (1986). The start of the
recursion is an exponentially weighted mean of the first 75 squares, as the ``arch`` library has it, whose estimates and
likelihoods ours are held against in tests/risk/test_garch.py.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tradsys.risk.inputs import Floats, Problem, count, number, refusal, vector
from tradsys.risk.kernel import kernel

OBSERVATIONS_MIN = 50
_BACKCAST = 75
_ROUNDS_MAX = 300
_FREE_MAX = 12.0  # of a logistic parameter: 6e-6 from its bound
_FACE = 30.0  # of a logistic parameter: on its bound to 1e-13, where its gradient is nothing
_NEAR_BOUND = 0.01  # an alpha or beta below it may be at one of several tops
_CLUSTERED = 0.8  # of the persistence: returns with clusters have more
_STARTS = ((0.05, 0.98), (0.1, 0.9), (0.15, 0.97), (0.05, 0.6))  # alpha, persistence
_FACE_STARTS = ((0.5, -_FACE), (0.9, -_FACE), (0.99, -_FACE), (0.1, _FACE), (1e-6, 0.0))  # persistence, free share of alpha
_LOG_2PI = math.log(2.0 * math.pi)
_PERSISTENCE_MAX = 0.999999
_BLOCK = (
    16  # variances multiplied before a logarithm is taken of them: standardised, their product stays finite
)


class Garch(NamedTuple):
    """A fitted model, in the unit of the returns."""

    mean: float
    omega: float
    alpha: float
    beta: float
    log_likelihood: float
    volatilities: Floats  # (observations + 1,) forecast before each observation, and after the last
    rounds: int  # of the optimiser

    @property
    def persistence(self) -> float:
        """How much of a shock to the variance is left after a step."""
        return self.alpha + self.beta

    @property
    def long_run_variance(self) -> float:
        """Variance the forecasts tend to."""
        return self.omega / (1.0 - self.persistence)


def fit(returns: ArrayLike) -> Garch:
    """Fit by maximum likelihood under omega > 0, alpha and beta not negative, alpha + beta < 1.

    Parameters
    ----------
    returns
        (observations,), oldest first, at least 50, finite. Any scale: they are standardised before.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, TOO_SHORT; SINGULAR: the returns never move; NOT_CONVERGED.

    Notes
    -----
    BFGS with the exact gradient on parameters without bounds, from the best of four starts. Where that ends at a bound,
    at a low persistence or nowhere, as it does for returns without clusters, whose likelihood is flat and has several
    tops, from all four starts and from within the bounds alpha = 0 and beta = 0 as well, of which the highest is taken.
    O(rounds x observations).
    """
    series = vector("returns", returns, least=OBSERVATIONS_MIN)
    centre, scale = _centre_and_scale(series)
    shocks = (series - centre) / scale
    backcast = _backcast(shocks)
    free, rounds, converged = _maximise(shocks, backcast, *_start(shocks, backcast))
    theta = _bounded(free)
    if not converged or min(theta[2], theta[3]) < _NEAR_BOUND or theta[2] + theta[3] < _CLUSTERED:
        free, rounds, converged = _best_of_many(shocks, backcast, (free, rounds, converged))
        theta = _bounded(free)
    if not converged:
        raise refusal(Problem.NOT_CONVERGED, f"GARCH did not converge in {rounds} rounds")
    variances = _variances(shocks, theta, backcast)
    value = _value_and_slope(shocks, theta, backcast)[0]
    likelihood = value - len(series) * math.log(scale)
    return Garch(
        centre + float(theta[0]) * scale, float(theta[1]) * scale**2, float(theta[2]), float(theta[3]),
        float(likelihood), np.sqrt(variances) * scale, int(rounds),
    )  # fmt: skip


def log_likelihood(returns: ArrayLike, mean: float, omega: float, alpha: float, beta: float) -> float:
    """Log-likelihood of given parameters, with the start of the recursion as ``fit`` has it.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE; OUT_OF_RANGE: omega not above 0, alpha or beta below 0, or their sum not below 1.
    """
    series = vector("returns", returns)
    number("mean", mean, -1e300, 1e300)
    number("omega", omega, 0.0, 1e300)
    number("alpha", alpha, 0.0, 1.0, closed=True)
    number("alpha + beta", alpha + beta, alpha, 1.0 - 1e-15, closed=True)
    scale = float(series.std()) or 1.0
    shocks = (series - float(series.mean())) / scale
    theta = np.array([(mean - float(series.mean())) / scale, omega / scale**2, alpha, beta])
    return float(_value_and_slope(shocks, theta, _backcast(shocks))[0]) - len(series) * math.log(scale)


def forecast_variances(model: Garch, steps: int) -> Floats:
    """Variances (steps,) of each of the next steps; their sum is the variance of the horizon.

    Raises
    ------
    RiskError
        OUT_OF_RANGE.

    Notes
    -----
    Long-run variance plus what is left of the distance from it: persistence^h (Engle and Bollerslev 1986).
    """
    powers = model.persistence ** np.arange(count("steps", steps, 1, 10**6))
    return np.asarray(
        model.long_run_variance + powers * (float(model.volatilities[-1]) ** 2 - model.long_run_variance)
    )


def standard_errors(returns: ArrayLike, model: Garch) -> Floats:
    """Robust standard errors (4,) of mean, omega, alpha, beta; NaN where the information matrix is singular.

    Parameters
    ----------
    returns
        What the model was fitted to.
    model
        The fit.

    Raises
    ------
    RiskError
        EMPTY, SHAPE, NOT_FINITE, TOO_SHORT; SINGULAR: the returns never move.

    Notes
    -----
    Square roots of the diagonal of H^-1 S H^-1, H the Hessian by differences of the exact gradient, S the outer product of
    the scores: Bollerslev and Wooldridge, Econometric Reviews 11 (1992).
    """
    series = vector("returns", returns, least=OBSERVATIONS_MIN)
    centre, scale = _centre_and_scale(series)
    shocks = (series - centre) / scale
    backcast = _backcast(shocks)
    theta = np.array([(model.mean - centre) / scale, model.omega / scale**2, model.alpha, model.beta])
    hessian = np.empty((4, 4))
    for i in range(4):
        step = np.zeros(4)
        step[i] = 1e-5 * max(abs(theta[i]), 1e-2)
        up = _value_and_slope(shocks, theta + step, backcast)[1]
        down = _value_and_slope(shocks, theta - step, backcast)[1]
        hessian[i] = (up - down) / (2.0 * step[i])
    scores = _scores(shocks, theta, backcast)
    try:
        inverse = np.linalg.inv((hessian + hessian.T) / 2.0)
    except np.linalg.LinAlgError:
        return np.full(4, np.nan)
    spread = np.diag(inverse @ (scores.T @ scores) @ inverse)
    return np.sqrt(np.where(spread > 0.0, spread, np.nan)) * np.array([scale, scale**2, 1.0, 1.0])


def _centre_and_scale(series: Floats) -> tuple[float, float]:
    """Mean and deviation, or a refusal of returns that have none."""
    centre, scale = float(series.mean()), float(series.std())
    if scale <= 1e-14 * float(np.abs(series).max()):
        raise refusal(Problem.SINGULAR, "the returns never move: there is no volatility to fit")
    return centre, scale


def _backcast(shocks: Floats) -> float:
    first = shocks[:_BACKCAST]
    weights = 0.94 ** np.arange(len(first))
    return float(weights @ np.square(first) / weights.sum())


@kernel("Tuple((float64, float64[::1]))(float64[::1], float64[::1], float64)")
def _value_and_slope(shocks, theta, backcast):  # type: ignore[no-untyped-def]
    """Log-likelihood and its gradient (4,) in mean, omega, alpha, beta."""
    mean, omega, alpha, beta = theta[0], theta[1], theta[2], theta[3]
    square, v = backcast, backcast  # of the step before
    before = 0.0  # e[t-1], whose derivative by the mean is -1; the start does not depend on it
    d_mean, d_omega, d_alpha, d_beta = 0.0, 0.0, 0.0, 0.0  # of v
    s_mean, s_omega, s_alpha, s_beta = 0.0, 0.0, 0.0, 0.0
    total, product = 0.0, 1.0
    for t in range(len(shocks)):
        d_mean = beta * d_mean - 2.0 * alpha * before
        d_omega = beta * d_omega + 1.0
        d_alpha = beta * d_alpha + square
        d_beta = beta * d_beta + v
        v = omega + alpha * square + beta * v
        e = shocks[t] - mean
        square = e * e
        inverse = 1.0 / v
        weight = 0.5 * inverse * (square * inverse - 1.0)
        s_mean += weight * d_mean + e * inverse
        s_omega += weight * d_omega
        s_alpha += weight * d_alpha
        s_beta += weight * d_beta
        total += square * inverse
        product *= v
        if t % _BLOCK == _BLOCK - 1:
            total += math.log(product)
            product = 1.0
        before = e
    total += math.log(product) + len(shocks) * _LOG_2PI
    return -0.5 * total, np.array([s_mean, s_omega, s_alpha, s_beta])


@kernel("float64(float64[::1], float64[::1], float64)")
def _value(shocks, theta, backcast):  # type: ignore[no-untyped-def]
    """Log-likelihood without its gradient."""
    square, v, total, product = backcast, backcast, 0.0, 1.0
    for t in range(len(shocks)):
        v = theta[1] + theta[2] * square + theta[3] * v
        square = (shocks[t] - theta[0]) ** 2
        total += square / v
        product *= v
        if t % _BLOCK == _BLOCK - 1:
            total += math.log(product)
            product = 1.0
    return -0.5 * (total + math.log(product) + len(shocks) * _LOG_2PI)


@kernel("float64[::1](float64[::1], float64[::1], float64)")
def _variances(shocks, theta, backcast):  # type: ignore[no-untyped-def]
    variances = np.empty(len(shocks) + 1)
    square, v = backcast, backcast
    for t in range(len(shocks) + 1):
        v = theta[1] + theta[2] * square + theta[3] * v
        variances[t] = v
        if t < len(shocks):
            square = (shocks[t] - theta[0]) ** 2
    return variances


@kernel("float64[::1](float64[::1])")
def _bounded(free):  # type: ignore[no-untyped-def]
    """Map four free numbers to mean, omega > 0, alpha, beta: persistence and alpha's share of it are logistic."""
    persistence = _PERSISTENCE_MAX / (1.0 + math.exp(-free[2]))
    share = 1.0 / (1.0 + math.exp(-free[3]))
    return np.array([free[0], math.exp(free[1]), persistence * share, persistence * (1.0 - share)])


@kernel("Tuple((float64, float64[::1]))(float64[::1], float64[::1], float64)")
def _free_cost(shocks, free, backcast):  # type: ignore[no-untyped-def]
    """Cost, minus the log-likelihood an observation, and its gradient in the free parameters."""
    theta = _bounded(free)
    value, slope = _value_and_slope(shocks, theta, backcast)
    persistence, share = theta[2] + theta[3], 1.0 / (1.0 + math.exp(-free[3]))
    to_persistence = slope[2] * share + slope[3] * (1.0 - share)
    to_share = persistence * (slope[2] - slope[3])
    gradient = np.array([
        slope[0],
        slope[1] * theta[1],
        to_persistence * persistence * (1.0 - persistence / _PERSISTENCE_MAX),
        to_share * share * (1.0 - share),
    ])  # fmt: skip
    return -value / len(shocks), -gradient / len(shocks)


def _start(shocks: Floats, backcast: float) -> tuple[Floats, Floats]:
    """Best of the starts, and its metric."""
    costs = [-_value(shocks, _theta(*start), backcast) for start in _STARTS]
    return _start_at(shocks, backcast, *_STARTS[int(np.argmin(costs))])


def _theta(alpha: float, persistence: float) -> Floats:
    return np.array([0.0, 1.0 - persistence, alpha, persistence - alpha])


def _start_at(shocks: Floats, backcast: float, alpha: float, persistence: float) -> tuple[Floats, Floats]:
    """Free parameters of a start, and the inverse of the outer product of its scores as the first metric.

    Berndt, Hall, Hall and Hausman, Annals of Economic and Social Measurement 3 (1974).
    """
    share, omega = alpha / persistence, 1.0 - persistence
    free = np.array([
        0.0, math.log(omega), -math.log(_PERSISTENCE_MAX / persistence - 1.0), -math.log(1.0 / share - 1.0)
    ])  # fmt: skip
    to_persistence = persistence * (1.0 - persistence / _PERSISTENCE_MAX)
    to_share = persistence * share * (1.0 - share)
    jacobian = np.diag([1.0, omega, share * to_persistence, -to_share])
    jacobian[2, 3], jacobian[3, 2] = to_share, (1.0 - share) * to_persistence
    scores = _scores(shocks, _theta(alpha, persistence), backcast) @ jacobian
    return free, np.ascontiguousarray(np.linalg.pinv(scores.T @ scores / len(shocks), hermitian=True))


def _best_of_many(
    shocks: Floats, backcast: float, first: tuple[Floats, int, bool]
) -> tuple[Floats, int, bool]:
    """The highest top found from all starts and within the bounds; rounds of all together."""
    found = [first]
    found += [_maximise(shocks, backcast, *_start_at(shocks, backcast, *start)) for start in _STARTS]
    for persistence, share in _FACE_STARTS:
        free = np.array([0.0, math.log(1.0 - persistence), -math.log(_PERSISTENCE_MAX / persistence - 1.0), share])
        found.append(_maximise(shocks, backcast, free, np.eye(4)))
    tops = [one for one in found if one[2]] or found
    costs = [_free_cost(shocks, free, backcast)[0] for free, _, _ in tops]
    free, _, converged = tops[int(np.argmin(costs))]
    return free, sum(rounds for _, rounds, _ in found), converged


@kernel("Tuple((float64[::1], int64, boolean))(float64[::1], float64, float64[::1], float64[:, ::1])")
def _maximise(shocks, backcast, free, inverse):  # type: ignore[no-untyped-def]
    """BFGS with halving steps (Nocedal and Wright 2006, algorithm 6.1); returns free parameters, rounds, converged."""
    cost, gradient = _free_cost(shocks, free, backcast)
    small, anchor = 0, cost
    for rounds in range(1, _ROUNDS_MAX + 1):
        direction = np.zeros(4)
        for i in range(4):
            for j in range(4):
                direction[i] -= inverse[i, j] * gradient[j]
        for i in range(2, 4):
            if abs(free[i]) > _FREE_MAX and direction[i] * free[i] > 0.0:
                direction[i] = 0.0  # at its bound for all purposes: it must not hold up the others
        slope = np.sum(direction * gradient)
        if slope >= 0.0:  # no descent left in this metric: start it over
            inverse = np.eye(4)
            direction = -gradient
            slope = -np.sum(gradient * gradient)
        longest = np.max(np.abs(direction))
        step = min(1.0, 2.0 / longest) if longest > 0.0 else 1.0
        for _ in range(40):
            moved = free + step * direction
            new_cost, new_gradient = _free_cost(shocks, moved, backcast)
            if new_cost <= cost + 1e-4 * step * slope:
                break
            step *= 0.5
        else:
            return free, rounds, np.max(np.abs(gradient)) < 1e-4
        fall = cost - new_cost
        change, turn = moved - free, new_gradient - gradient
        curvature = np.sum(change * turn)
        if curvature > 1e-18:
            bent = np.zeros(4)
            for i in range(4):
                for j in range(4):
                    bent[i] += inverse[i, j] * turn[j]
            weight = (1.0 + np.sum(turn * bent) / curvature) / curvature
            for i in range(4):
                for j in range(4):
                    inverse[i, j] += (
                        weight * change[i] * change[j]
                        - (bent[i] * change[j] + change[i] * bent[j]) / curvature
                    )
        free, cost, gradient = moved, new_cost, new_gradient
        small = small + 1 if fall < 1e-13 else 0
        if np.max(np.abs(gradient)) < 1e-8 or small == 2:
            return free, rounds, True
        if rounds % 20 == 0:  # a parameter creeps to its bound, the likelihood stands still
            if anchor - cost < 1e-8:
                return free, rounds, True
            anchor = cost
    return free, _ROUNDS_MAX, False


@kernel("float64[:, ::1](float64[::1], float64[::1], float64)")
def _scores(shocks, theta, backcast):  # type: ignore[no-untyped-def]
    """Gradients of each observation's log-likelihood: (observations, 4)."""
    mean, omega, alpha, beta = theta[0], theta[1], theta[2], theta[3]
    out = np.empty((len(shocks), 4))
    square, v, before = backcast, backcast, 0.0
    d = np.zeros(4)
    for t in range(len(shocks)):
        d[0] = beta * d[0] - 2.0 * alpha * before
        d[1] = beta * d[1] + 1.0
        d[2] = beta * d[2] + square
        d[3] = beta * d[3] + v
        v = omega + alpha * square + beta * v
        before = shocks[t] - mean
        square = before * before
        weight = 0.5 / v * (square / v - 1.0)
        for i in range(4):
            out[t, i] = weight * d[i]
        out[t, 0] += before / v
    return out
