"""Sobol points for up to 1,111 dimensions, made uniform at random by a digital shift.

Primitive polynomials over GF(2) are found by search in the order of their numbers. The first ten dimensions start from
the direction numbers of Joe and Kuo, "Constructing Sobol sequences with better two-dimensional projections", SIAM
Journal on Scientific Computing 30 (2008), table for the criterion D6; later ones from odd numbers of a fixed generator.
So every projection on one dimension is perfectly stratified; pairs of dimensions beyond the tenth are not optimised:
put what matters first, as the principal components of ``monte_carlo.simulate_sobol`` do.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tradsys.risk.distributions import normal_quantile
from tradsys.risk.inputs import Floats, Problem, count, refusal
from tradsys.risk.kernel import kernel
from tradsys.risk.random_numbers import _mixed

BITS = 32
DIMENSIONS_MAX = 1111  # polynomials up to degree 13
_JOE_KUO = (
    (1,),
    (1, 3),
    (1, 3, 1),
    (1, 1, 1),
    (1, 1, 3, 3),
    (1, 3, 5, 13),
    (1, 1, 5, 5, 17),
    (1, 1, 5, 5, 5),
    (1, 1, 7, 11, 19),
)
_UNIT = 2.0**-BITS
_1 = np.uint32(1)


def points(dimensions: int, first: int, number: int, shift: NDArray[np.uint32] | None = None) -> Floats:
    """Points first, first + 1, ... of the sequence in Gray code order: (number, dimensions) in [0, 1).

    Parameters
    ----------
    dimensions
        In [1, 1111].
    first, number
        first + number in [1, 2^32].
    shift
        (dimensions,) 32-bit words for the digital shift; none: the bare sequence, which starts at 0.

    Raises
    ------
    RiskError
        OUT_OF_RANGE, SHAPE.
    """
    count("first", first, 0, 1 << BITS)
    count("number", number, 1, 1 << BITS)
    count("first + number", first + number, 1, 1 << BITS)
    columns = direction_numbers(count("dimensions", dimensions, 1, DIMENSIONS_MAX))
    words = np.zeros(dimensions, dtype=np.uint32) if shift is None else shift.astype(np.uint32)
    if words.shape != (dimensions,):
        raise refusal(Problem.SHAPE, f"shift must have {dimensions} words, has the shape {words.shape}")
    out = np.empty((number, dimensions))
    _fill_points(columns, words, first, out)
    return out


@cache
def direction_numbers(dimensions: int) -> NDArray[np.uint32]:
    """Direction numbers (32, dimensions), the column of the highest bit first.

    Raises
    ------
    RiskError
        OUT_OF_RANGE.
    """
    count("dimensions", dimensions, 1, DIMENSIONS_MAX)
    columns = np.zeros((BITS, dimensions), dtype=np.uint32)
    columns[:, 0] = [1 << (BITS - 1 - i) for i in range(BITS)]
    for d, (degree, inner) in enumerate(_polynomials(dimensions - 1), 1):
        columns[:, d] = _column(d, degree, inner)
    return columns


def shifts(seed: int, replicate: int, dimensions: int) -> NDArray[np.uint32]:
    """Words (dimensions,) of the random digital shift of one replicate.

    Raises
    ------
    RiskError
        OUT_OF_RANGE.
    """
    count("dimensions", dimensions, 0)
    count("seed", seed, 0, 2**64 - 1)
    count("replicate", replicate, 0)
    rng = np.random.Generator(np.random.Philox(key=[seed, replicate]))
    return rng.integers(0, 1 << BITS, dimensions, dtype=np.uint32)


@kernel("uint32[::1](uint32[:, ::1], uint32[::1], int64)")
def _start(columns, shift, first):  # type: ignore[no-untyped-def]
    """Words of point ``first``: the columns of the bits of its Gray code, and the shift."""
    words = shift.copy()
    gray = first ^ (first >> 1)
    for bit in range(columns.shape[0]):
        if (gray >> bit) & 1:
            for d in range(len(words)):
                words[d] ^= columns[bit, d]
    return words


@kernel("void(uint32[:, ::1], uint32[::1], int64)")
def _advance(columns, words, index):  # type: ignore[no-untyped-def]
    """Step from point ``index`` to the next one: the lowest zero bit of index says which column."""
    bit = 0
    while (index >> bit) & 1:
        bit += 1
    if bit < columns.shape[0]:
        for d in range(len(words)):
            words[d] ^= columns[bit, d]


@kernel("void(uint32[:, ::1], uint32[::1], int64, float64[::1], float64[::1])")
def fill_linear(columns, shift, first, loading, out):  # type: ignore[no-untyped-def]
    """Fill out[i] with the sum over dimensions of loading times the normal of point first + i."""
    words = _start(columns, shift, first)
    for i in range(len(out)):
        total = 0.0
        for d in range(len(loading)):
            total += loading[d] * normal_quantile((words[d] + 0.5) * _UNIT)
        out[i] = total
        _advance(columns, words, first + i)


@kernel("void(uint32[:, ::1], uint32[::1], int64, float64[:, ::1])")
def _fill_points(columns, shift, first, out):  # type: ignore[no-untyped-def]
    words = _start(columns, shift, first)
    for i in range(out.shape[0]):
        for d in range(out.shape[1]):
            out[i, d] = words[d] * _UNIT
        _advance(columns, words, first + i)


def _column(d: int, degree: int, inner: int) -> list[int]:
    """Direction numbers of dimension d by the recurrence of its polynomial (Bratley and Fox, TOMS 14 (1988))."""
    m = list(_JOE_KUO[d - 1]) if d <= len(_JOE_KUO) else _odd_numbers(d, degree)
    for i in range(degree, BITS):
        value = m[i - degree] ^ (m[i - degree] << degree)
        for k in range(1, degree):
            if (inner >> (degree - 1 - k)) & 1:
                value ^= m[i - k] << k
        m.append(value)
    return [value << (BITS - 1 - i) for i, value in enumerate(m)]


def _odd_numbers(d: int, degree: int) -> list[int]:
    """Odd numbers below 2, 4, 8, ...: the same ones for dimension d always."""
    numbers = []
    with np.errstate(over="ignore"):
        for i in range(degree):
            word = int(_mixed(np.uint64(d << 16 | i)))
            numbers.append((word % (1 << i)) * 2 + 1 if i else 1)
    return numbers


def _polynomials(number: int) -> list[tuple[int, int]]:
    """First primitive polynomials over GF(2) as (degree, inner coefficients), by degree, then by their number."""
    found: list[tuple[int, int]] = []
    degree = 1
    while len(found) < number:
        order = (1 << degree) - 1
        primes = [
            p for p in range(2, order + 1) if order % p == 0 and all(p % q for q in range(2, int(p**0.5) + 1))
        ]
        for inner in range(1 << (degree - 1)):
            polynomial = (1 << degree) | (inner << 1) | 1
            if _power_of_x(order, polynomial, degree) == 1 and all(
                _power_of_x(order // p, polynomial, degree) != 1 for p in primes if order // p >= 1
            ):
                found.append((degree, inner))
        degree += 1
    return found[:number]


def _power_of_x(exponent: int, polynomial: int, degree: int) -> int:
    """Remainder of x^exponent by the polynomial over GF(2)."""
    result, base = 1, 2 if degree > 1 else 2 ^ polynomial
    while exponent:
        if exponent & 1:
            result = _product(result, base, polynomial, degree)
        base = _product(base, base, polynomial, degree)
        exponent >>= 1
    return result


def _product(a: int, b: int, polynomial: int, degree: int) -> int:
    result = 0
    while b:
        if b & 1:
            result ^= a
        b >>= 1
        a <<= 1
        if a >> degree & 1:
            a ^= polynomial
    return result
