"""Every kernel of tradsys.risk written again in plain Python and NumPy, from its definition: no look at the kernel.

``KERNELS`` has for each kernel its name, a function of the test's generator that makes arguments, and its reference. A
kernel that fills arrays is compared by what it has filled.
"""

import math

import numpy as np

from tradsys.risk import random_numbers, sobol

MASK = 2**64 - 1
EDGES, HEIGHTS = random_numbers._EDGES, random_numbers._HEIGHTS  # of the ziggurat: a table, held in test_monte_carlo.py
GOLDEN, PATH = 0x9E3779B97F4A7C15, 0xD1342543DE82EF95


def integral(density, low, high, steps=20_001):
    """Simpson's rule."""
    x = np.linspace(low, high, steps)
    weights = np.where(np.arange(steps) % 2 == 1, 4.0, 2.0)
    weights[[0, -1]] = 1.0
    return float(weights @ density(x) * (high - low) / (steps - 1) / 3.0)


def student_density(x, dof):
    front = math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2) - 0.5 * math.log(dof * math.pi)
    return np.exp(front - (dof + 1) / 2 * np.log1p(np.square(x) / dof))


def student_probability(x, dof):
    """Half, and the area from 0 to x, by the angle whose tangent is x over the root of dof."""
    front = math.exp(math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2)) / math.sqrt(math.pi)
    return 0.5 + front * integral(lambda a: np.cos(a) ** (dof - 1), 0.0, math.atan(x / math.sqrt(dof)))


def inverted(probability, p):
    """Bisection."""
    low, high = -1e4, 1e4
    for _ in range(120):
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle) < p else (low, middle)
    return (low + high) / 2


def beta(a, b, x):
    """The integral over the angle whose squared sine is t."""
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))
    return 2 * front * integral(lambda t: np.sin(t) ** (2 * a - 1) * np.cos(t) ** (2 * b - 1), 0.0, math.asin(math.sqrt(x)))


def binomial(k, n, p):
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


def mixed(x):
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def start(seed, path):
    x = mixed((int(seed) * GOLDEN + GOLDEN) & MASK) ^ (int(path) * PATH & MASK)
    state = []
    for _ in range(4):
        x = mixed((x + GOLDEN) & MASK)
        state.append(x)
    return tuple(state)


def rotated(x, k):
    return (x << k | x >> (64 - k)) & MASK


def word(state):
    """xoshiro256++."""
    s = [int(x) for x in state]
    out = (rotated((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
    shifted = s[1] << 17 & MASK
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= shifted
    s[3] = rotated(s[3], 45)
    return out, tuple(s)


def uniform(state):
    drawn, state = word(state)
    return ((drawn >> 11) + 0.5) * 2.0**-53, state


def outside(x, layer, state):
    while layer == 0:
        first, state = uniform(state)
        second, state = uniform(state)
        tail = -math.log(first) / EDGES[1]
        if -2 * math.log(second) > tail * tail:
            return math.copysign(EDGES[1] + tail, x), True, state
    drawn, state = uniform(state)
    height = HEIGHTS[layer] + (HEIGHTS[layer + 1] - HEIGHTS[layer]) * drawn
    return x, bool(height < math.exp(-x * x / 2)), state


def normal(state):
    while True:
        drawn, state = word(state)
        layer = drawn & 255
        x = ((drawn >> 11) * 2.0**-52 - 1.0) * EDGES[layer]
        if abs(x) < EDGES[layer + 1]:
            return x, state
        x, taken, state = outside(x, layer, state)
        if taken:
            return x, state


def chi_square(dof, state):
    shape, boost = dof / 2, 1.0
    if shape < 1:
        drawn, state = uniform(state)
        boost, shape = drawn ** (1 / shape), shape + 1
    d = shape - 1 / 3
    while True:
        x, state = normal(state)
        v = (1 + x / math.sqrt(9 * d)) ** 3
        if v > 0:
            drawn, state = uniform(state)
            if math.log(drawn) < x * x / 2 + d - d * v + d * math.log(v):
                return 2 * d * v * boost, state


def normals_of(state, number):
    drawn = []
    for _ in range(number):
        x, state = normal(state)
        drawn.append(x)
    return drawn


def begun(seed, path, dof):
    state = start(seed, path)
    if dof == 0:
        return 1.0, state
    drawn, state = chi_square(dof, state)
    return math.sqrt((dof - 2) / drawn), state


def fill_factors(seed, paths, mirror, dof, out):
    for i, path in enumerate(paths):
        stretch, state = begun(seed, path // 2 if mirror else path, dof)
        sign = -1 if mirror and path % 2 else 1
        out[i] = sign * stretch * np.array(normals_of(state, out.shape[1]))


def fill_linear(seed, first, mirror, dof, loading, out):
    draws = np.empty((len(out), len(loading)))
    fill_factors(seed, np.arange(first, first + len(out)), mirror, dof, draws)
    out[:] = draws @ loading


def fill_normals(seed, paths, out):
    for i, path in enumerate(paths):
        out[i] = normals_of(start(seed, path), out.shape[1])


def fill_chi_squares(seed, paths, dof, out):
    out[:] = [chi_square(dof, start(seed, path))[0] for path in paths]


def fill_rows(seed, paths, rows, out):
    for i, path in enumerate(paths):
        state = start(seed, path)
        for j in range(out.shape[1]):
            drawn, state = uniform(state)
            out[i, j] = int(drawn * rows)


def pnl_of_scores(scores, edges, margins, held, out):
    places = np.searchsorted(edges, scores)
    out[:] = sum(held[j] * margins[j][places[:, j]] for j in range(len(held)))


def sobol_words(columns, shift, first):
    gray, words = first ^ first >> 1, shift.copy()
    for bit in range(len(columns)):
        if gray >> bit & 1:
            words ^= columns[bit]
    return words


def sobol_advance(columns, words, index):
    words[:] = words ^ sobol_words(columns, np.zeros_like(words), index) ^ sobol_words(columns, np.zeros_like(words), index + 1)


def sobol_points(columns, shift, first, out):
    for i in range(len(out)):
        out[i] = sobol_words(columns, shift, first + i) / 2.0**32


def sobol_linear(columns, shift, first, loading, out):
    for i in range(len(out)):
        p = (sobol_words(columns, shift, first + i) + 0.5) / 2.0**32
        out[i] = loading @ [inverted(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), q) for q in p]


def ewma(values, decay, first):
    out = [first]
    for value in values:
        out.append(decay * out[-1] + (1 - decay) * value**2)
    return np.array(out)


def garch_variances(shocks, theta, backcast):
    mean, omega, alpha, beta_ = theta
    out = [omega + alpha * backcast + beta_ * backcast]
    for shock in shocks:
        out.append(omega + alpha * (shock - mean) ** 2 + beta_ * out[-1])
    return np.array(out)


def log_likelihoods(shocks, theta, backcast):
    v = garch_variances(shocks, theta, backcast)[:-1]
    return -0.5 * (np.log(2 * np.pi) + np.log(v) + (shocks - theta[0]) ** 2 / v)


def slopes(function, at):
    """Central differences of the values of a function, a column a parameter."""
    columns = []
    for i in range(len(at)):
        step = np.zeros(len(at))
        step[i] = 1e-5 * max(abs(at[i]), 0.1)
        columns.append((function(at + step) - function(at - step)) / (2 * step[i]))
    return np.array(columns).T


def likelihood(shocks, theta, backcast):
    return log_likelihoods(shocks, theta, backcast).sum()


def bounded(free):
    persistence, share = 0.999999 / (1 + math.exp(-free[2])), 1 / (1 + math.exp(-free[3]))
    return np.array([free[0], math.exp(free[1]), persistence * share, persistence * (1 - share)])


def free_cost(shocks, free, backcast):
    return -likelihood(shocks, bounded(free), backcast) / len(shocks)


def greeks(calls, strikes, spots, times, volatilities, rates, yields, out):
    """Values by the closed form, the Greeks as differences of them."""

    def value(spot=spots, time=times, volatility=volatilities, rate=rates):
        spread = volatility * np.sqrt(time)
        d1 = (np.log(spot / strikes) + (rate - yields + volatility**2 / 2) * time) / spread
        sign = np.where(calls != 0, 1.0, -1.0)
        cdf = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)))
        carried, discounted = spot * np.exp(-yields * time), strikes * np.exp(-rate * time)
        return sign * (carried * cdf(sign * d1) - discounted * cdf(sign * (d1 - spread)))

    s, h = spots * 1e-3, 1e-5
    out[0] = value()
    out[1] = (value(spot=spots + s) - value(spot=spots - s)) / (2 * s)
    out[2] = (value(spot=spots + s) - 2 * value() + value(spot=spots - s)) / s**2
    out[3] = (value(volatility=volatilities + h) - value(volatility=volatilities - h)) / (2 * h)
    out[4] = -(value(time=times + h) - value(time=times - h)) / (2 * h)
    out[5] = (value(rate=rates + h) - value(rate=rates - h)) / (2 * h)


def fill(covariance, exposures, slopes_, state, asset, exposure):
    exposures[asset] += exposure
    slopes_[:] = covariance @ exposures
    state[:] = exposures @ slopes_, state[1] + 1
    return state[0]


def _state(rng):
    return start(int(rng.integers(2**62)), int(rng.integers(1000)))


def _words(rng):
    return tuple(np.uint64(x) for x in _state(rng))


def _seed(rng):
    return np.uint64(rng.integers(2**62))


def _columns():
    return np.ascontiguousarray(sobol.direction_numbers(5))


def _shift(rng):
    return rng.integers(0, 2**32, 5, dtype=np.uint32)


def _series(rng, count=200):
    return rng.standard_normal(count)


def _theta(rng):
    return np.array([0.05, 0.1, 0.1, 0.7]) * rng.uniform(0.9, 1.1, 4)


def _options(rng):
    n = 20
    return (
        rng.integers(0, 2, n).astype(float), rng.uniform(90, 110, n), rng.uniform(90, 110, n), rng.uniform(0.2, 2, n),
        rng.uniform(0.1, 0.5, n), rng.uniform(-0.01, 0.05, n), rng.uniform(0, 0.03, n), np.empty((6, n)),
    )  # fmt: skip


def _filled(rng):
    root = rng.standard_normal((4, 4))
    square, held = root @ root.T, rng.standard_normal(4)
    return square, held, square @ held, np.array([held @ square @ held, 3.0]), 2, 1.5


def _paths(rng):
    return np.sort(rng.choice(10_000, 60, replace=False)).astype(np.int64)


def _scores(rng):
    margins = np.sort(rng.standard_normal((3, 10)))
    return rng.standard_normal((30, 3)), np.sort(_series(rng, 9)), margins, _series(rng, 3), np.empty(30)


# name: (arguments, reference, relative error allowed)
KERNELS = {
    "black_scholes._fill": (_options, greeks, 1e-4),  # second differences
    "covariance._variances": (lambda rng: (_series(rng), 0.94, 0.5), ewma, 1e-12),
    "distributions.normal_pdf": (lambda rng: (rng.normal(),), lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi), 1e-13),
    "distributions.normal_cdf": (
        lambda rng: (rng.normal(),),
        lambda x: 0.5 + integral(lambda t: np.exp(-t * t / 2) / math.sqrt(2 * math.pi), 0.0, x), 1e-10,
    ),
    "distributions.normal_quantile": (
        lambda rng: (rng.uniform(),), lambda p: inverted(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), p), 1e-10,
    ),
    "distributions.beta_probability": (
        lambda rng: (rng.uniform(1, 9), rng.uniform(1, 9), rng.uniform(0.05, 0.95)), beta, 1e-7,
    ),
    "distributions.student_pdf": (lambda rng: (rng.normal(), rng.uniform(1, 9)), student_density, 1e-12),
    "distributions.student_cdf": (lambda rng: (rng.normal(), rng.uniform(2, 9)), student_probability, 1e-9),
    "distributions.student_quantile": (
        lambda rng: (rng.uniform(0.01, 0.99), rng.uniform(3, 9)),
        lambda p, dof: inverted(lambda x: student_probability(x, dof), p), 1e-7,
    ),
    "distributions.binomial_cdf": (lambda rng: (int(rng.integers(60)), 60, rng.uniform(0.01, 0.3)), binomial, 1e-9),
    "distributions.chi_square_survival": (
        lambda rng: (rng.uniform(0.1, 9), 2), lambda x, dof: integral(lambda t: np.exp(-t / 2) / 2, x, x + 200), 1e-7,
    ),
    "garch._bounded": (lambda rng: (rng.standard_normal(4),), bounded, 1e-12),
    "garch._variances": (lambda rng: (_series(rng), _theta(rng), 1.1), garch_variances, 1e-12),
    "garch._value": (lambda rng: (_series(rng), _theta(rng), 1.1), likelihood, 1e-12),
    "garch._value_and_slope": (
        lambda rng: (_series(rng), _theta(rng), 1.1),
        lambda x, theta, v: (likelihood(x, theta, v), slopes(lambda at: likelihood(x, at, v), theta)), 1e-5,
    ),
    "garch._scores": (
        lambda rng: (_series(rng), _theta(rng), 1.1),
        lambda x, theta, v: slopes(lambda at: log_likelihoods(x, at, v), theta), 1e-5,
    ),
    "garch._free_cost": (
        lambda rng: (_series(rng), rng.standard_normal(4) / 2, 1.1),
        lambda x, free, v: (free_cost(x, free, v), slopes(lambda at: free_cost(x, at, v), free)), 1e-5,
    ),
    "incremental._fill": (_filled, fill, 1e-12),
    "monte_carlo._begin": (lambda rng: (_seed(rng), 7, 4.5), begun, 1e-12),
    "monte_carlo._fill_linear": (lambda rng: (_seed(rng), 4, True, 5.0, _series(rng, 6), np.empty(50)), fill_linear, 1e-10),
    "monte_carlo._fill_factors": (lambda rng: (_seed(rng), _paths(rng), True, 5.0, np.empty((60, 7))), fill_factors, 1e-12),
    "monte_carlo._pnl_of_scores": (_scores, pnl_of_scores, 1e-12),
    "random_numbers._mixed": (lambda rng: (_seed(rng),), lambda x: mixed(int(x)), 0.0),
    "random_numbers.path_state": (lambda rng: (_seed(rng), np.uint64(77)), start, 0.0),
    "random_numbers._next_word": (lambda rng: (_words(rng),), word, 0.0),
    "random_numbers.next_uniform": (lambda rng: (_words(rng),), uniform, 0.0),
    "random_numbers._outside_layer": (
        lambda rng: (rng.choice([-4.0, 1.0]), int(rng.integers(3)), _words(rng)), outside, 1e-14,
    ),
    "random_numbers.next_normal": (lambda rng: (_words(rng),), normal, 1e-14),
    "random_numbers.next_chi_square": (lambda rng: (rng.choice([0.7, 5.0]), _words(rng)), chi_square, 1e-12),
    "random_numbers.fill_normals": (lambda rng: (_seed(rng), _paths(rng), np.empty((60, 9))), fill_normals, 1e-14),
    "random_numbers.fill_chi_squares": (lambda rng: (_seed(rng), _paths(rng), 3.3, np.empty(60)), fill_chi_squares, 1e-12),
    "random_numbers.fill_rows": (
        lambda rng: (_seed(rng), _paths(rng), 77, np.empty((60, 9), dtype=np.int64)), fill_rows, 0.0,
    ),
    "sobol._start": (lambda rng: (_columns(), _shift(rng), int(rng.integers(2**20))), sobol_words, 0.0),
    "sobol._advance": (lambda rng: (_columns(), _shift(rng), int(rng.integers(2**20))), sobol_advance, 0.0),
    "sobol._fill_points": (lambda rng: (_columns(), _shift(rng), 12_345, np.empty((50, 5))), sobol_points, 0.0),
    "sobol.fill_linear": (lambda rng: (_columns(), _shift(rng), 12_345, _series(rng, 5), np.empty(20)), sobol_linear, 1e-9),
}  # fmt: skip
ELSEWHERE = {"garch._maximise": "its tops are those of arch and of a grid: tests/risk/test_garch.py"}
