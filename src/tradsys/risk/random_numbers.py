"""Random numbers whose place is fixed: path i of seed s is the same whoever draws it, in whatever order, on any thread.

Each path has a generator of its own, xoshiro256++ seeded by splitmix64 from (seed, path). Normals come from a ziggurat
of 256 layers, exact to 53 bits. So simulations are cut into chunks for threads and memory, and single paths of the
tail are drawn again, without any effect on the answer.

Sources: Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47 (2021); Marsaglia and Tsang,
"The ziggurat method for generating random variables", Journal of Statistical Software 5 (2000), with Doornik's (2005)
separate bits for layer and value; Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000).
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from tradsys.risk.inputs import Floats, count, indices
from tradsys.risk.kernel import kernel

State = tuple[np.uint64, np.uint64, np.uint64, np.uint64]

_LAYERS = 256
_TAIL_START = 3.654152885361009  # of 256 layers of equal area
_LAYER_AREA = 0.00492867323397466

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_PATH = np.uint64(0xD1342543DE82EF95)
_8, _9, _11, _17, _19, _23, _27, _30, _31, _41, _45 = (
    np.uint64(k) for k in (8, 9, 11, 17, 19, 23, 27, 30, 31, 41, 45)
)
_0, _256, _LAYER_MASK = np.uint64(0), np.uint64(256), np.uint64(255)
_UNIT = 2.0**-53


def _layers() -> tuple[Floats, Floats]:
    """Right edges of the layers, the lowest first, and the density at them."""
    edges = np.zeros(_LAYERS + 1)
    edges[0] = _LAYER_AREA / math.exp(-0.5 * _TAIL_START**2)
    edges[1] = _TAIL_START
    for i in range(2, _LAYERS):
        edges[i] = math.sqrt(-2.0 * math.log(_LAYER_AREA / edges[i - 1] + math.exp(-0.5 * edges[i - 1] ** 2)))
    return edges, np.exp(-0.5 * edges**2)


_EDGES, _HEIGHTS = _layers()


@kernel("uint64(uint64)")
def _mixed(x):  # type: ignore[no-untyped-def]
    x = (x ^ (x >> _30)) * _MIX_1
    x = (x ^ (x >> _27)) * _MIX_2
    return x ^ (x >> _31)


@kernel("UniTuple(uint64, 4)(uint64, uint64)")
def path_state(seed, path):  # type: ignore[no-untyped-def]
    """Make the generator of one path: four words, of which not all are zero."""
    x = _mixed(seed * _GOLDEN + _GOLDEN) ^ (path * _PATH)
    a = _mixed(x + _GOLDEN)
    b = _mixed(a + _GOLDEN)
    c = _mixed(b + _GOLDEN)
    return a, b, c, _mixed(c + _GOLDEN)


@kernel("Tuple((uint64, UniTuple(uint64, 4)))(UniTuple(uint64, 4))")
def _next_word(state):  # type: ignore[no-untyped-def]
    a, b, c, d = state
    total = a + d
    word = ((total << _23) | (total >> _41)) + a
    shifted = b << _17
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    return word, (a, b, c, (d << _45) | (d >> _19))


@kernel("Tuple((float64, UniTuple(uint64, 4)))(UniTuple(uint64, 4))")
def next_uniform(state):  # type: ignore[no-untyped-def]
    """Draw from the open interval (0, 1); returns it and the generator's next state."""
    word, state = _next_word(state)
    return ((word >> _11) + 0.5) * _UNIT, state


@kernel("Tuple((float64, boolean, UniTuple(uint64, 4)))(float64, int64, UniTuple(uint64, 4))")
def _outside_layer(x, layer, state):  # type: ignore[no-untyped-def]
    """Decide about a draw beyond the next layer's edge: the tail, or the wedge under the density."""
    if layer == 0:
        while True:
            first, state = next_uniform(state)
            second, state = next_uniform(state)
            tail = -math.log(first) / _TAIL_START
            if -2.0 * math.log(second) > tail * tail:
                far = _TAIL_START + tail
                return (far if x > 0.0 else -far), True, state
    uniform, state = next_uniform(state)
    height = _HEIGHTS[layer] + (_HEIGHTS[layer + 1] - _HEIGHTS[layer]) * uniform
    return x, height < math.exp(-0.5 * x * x), state


@kernel("Tuple((float64, UniTuple(uint64, 4)))(UniTuple(uint64, 4))")
def next_normal(state):  # type: ignore[no-untyped-def]
    """Draw a standard normal; returns it and the generator's next state."""
    while True:
        word, state = _next_word(state)
        layer = np.int64(word & _LAYER_MASK)
        unit = np.int64(word >> _11) * (2.0 * _UNIT) - 1.0
        x = unit * _EDGES[layer]
        if abs(x) < _EDGES[layer + 1]:
            return x, state
        x, taken, state = _outside_layer(x, layer, state)
        if taken:
            return x, state


@kernel("Tuple((float64, UniTuple(uint64, 4)))(float64, UniTuple(uint64, 4))")
def next_chi_square(dof, state):  # type: ignore[no-untyped-def]
    """Draw a chi-square of dof > 0 degrees of freedom; returns it and the generator's next state; NaN for other dof."""
    if not 0.0 < dof < np.inf:
        return np.nan, state
    shape = 0.5 * dof
    boost = 1.0
    if shape < 1.0:
        uniform, state = next_uniform(state)
        boost = uniform ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x, state = next_normal(state)
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            uniform, state = next_uniform(state)
            if math.log(uniform) < 0.5 * x * x + d - d * v + d * math.log(v):
                return 2.0 * d * v * boost, state


@kernel("void(uint64, int64[::1], float64[:, ::1])")
def fill_normals(seed, paths, out):  # type: ignore[no-untyped-def]
    """Fill row i of out (paths, factors) with the normals of path paths[i]."""
    for i in range(len(paths)):
        state = path_state(seed, np.uint64(paths[i]))
        for j in range(out.shape[1]):
            x, state = next_normal(state)
            out[i, j] = x


@kernel("void(uint64, int64[::1], float64, float64[::1])")
def fill_chi_squares(seed, paths, dof, out):  # type: ignore[no-untyped-def]
    """Fill out[i] with the first chi-square of path paths[i]."""
    for i in range(len(paths)):
        x, _ = next_chi_square(dof, path_state(seed, np.uint64(paths[i])))
        out[i] = x


@kernel("void(uint64, int64[::1], int64, int64[:, ::1])")
def fill_rows(seed, paths, rows, out):  # type: ignore[no-untyped-def]
    """Fill row i of out (paths, draws) with indices in [0, rows) of path paths[i], all equally likely."""
    for i in range(len(paths)):
        state = path_state(seed, np.uint64(paths[i]))
        for j in range(out.shape[1]):
            x, state = next_uniform(state)
            out[i, j] = min(np.int64(x * rows), rows - 1)


def normals(seed: int, paths: ArrayLike, factors: int) -> Floats:
    """Standard normals (paths, factors) of the given paths.

    Raises
    ------
    RiskError
        SHAPE, NOT_FINITE, OUT_OF_RANGE.
    """
    wanted = indices("paths", paths)
    out = np.empty((len(wanted), count("factors", factors, 0)))
    fill_normals(np.uint64(count("seed", seed, 0, 2**64 - 1)), wanted, out)
    return out
