"""What can be wrong with an argument, by its kind: for the table of every_function.py."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

EMPTY, NOT_FINITE, SHAPE, TOO_SHORT, OUT_OF_RANGE, SINGULAR, UNKNOWN, NOT_CONVERGED = (
    "EMPTY", "NOT_FINITE", "SHAPE", "TOO_SHORT", "OUT_OF_RANGE", "SINGULAR", "UNKNOWN", "NOT_CONVERGED",
)  # fmt: skip
NAN, INF = float("nan"), float("inf")


class Bad(NamedTuple):
    """An argument that is wrong: what is, the problem it must be, words of the sentence."""

    label: str
    value: object
    problem: str
    words: str


class Entry(NamedTuple):
    """A function."""

    function: object
    good: dict
    kinds: Mapping = MappingProxyType({})  # argument -> kind
    more: tuple = ()  # (arguments that are other than good, problem, words)


def with_cell(values, cell):
    changed = np.array(values, dtype=np.float64)
    changed.flat[changed.size // 2] = cell
    return changed


def array(good, *, length=True, least=True):
    """What is wrong with a vector or matrix: cells, form, number of rows."""
    good = np.asarray(good, dtype=np.float64)
    yield Bad("NaN", with_cell(good, NAN), NOT_FINITE, r"finite|missing|not finite")
    yield Bad("inf", with_cell(good, INF), NOT_FINITE, r"finite")
    yield Bad("-inf", with_cell(good, -INF), NOT_FINITE, r"finite")
    yield Bad("ragged", [[1.0, 2.0], [3.0]], SHAPE, r"must be an array of numbers|dimension")
    yield Bad("text", ["a"] * len(good), SHAPE, r"must be an array of numbers")
    yield Bad("deeper", good[None], SHAPE, r"dimension|must be|is \(")
    if least:
        yield Bad(
            "empty", good[:0], f"{EMPTY}|{TOO_SHORT}|{SHAPE}", r"empty|at least|entries|has no|there are|must have|is \(|are of"
        )
    if length:
        yield Bad("one short", good[:-1], SHAPE, r"must|need|are of|is \(")


def alone(good):
    """An array whose length nothing else says."""
    return array(good, length=False)


def square(good):
    """A covariance."""
    good = np.asarray(good, dtype=np.float64)
    yield from (bad for bad in array(good) if bad.label not in ("one short", "empty"))
    yield Bad("empty", np.zeros((0, 0)), f"{EMPTY}|{SHAPE}", r"empty|columns")
    yield Bad("not square", good[:-1], SHAPE, r"square|columns|must have")
    yield Bad("lopsided", good + np.triu(np.ones(good.shape), 1), SHAPE, r"symmetric")


def definite(good):
    """A covariance that must be positive semi-definite."""
    yield from square(good)
    worse = np.array(good, dtype=np.float64)
    worse[0, 0] = -1.0
    yield Bad("indefinite", worse, SINGULAR, r"eigenvalue|variance")


def figure(low, high, closed=False):
    """A number in a range."""

    def made(good):
        for value in (NAN, INF, -INF, None, "a"):
            yield Bad(str(value), value, OUT_OF_RANGE, r"must be|must run|was")
        for value in (low, high):
            beyond = value if not closed else low - 1.0 if value == low else high * 1.5 + 1.0
            if np.isfinite(value) and abs(value) < 1e100:
                yield Bad(f"at {beyond}", beyond, OUT_OF_RANGE, r"must be .* was|must be in")

    return made


def whole(least, most=None):
    """A count."""

    def made(good):
        for value in (NAN, INF, None, "a", good + 0.5, least - 1):
            yield Bad(str(value), value, OUT_OF_RANGE, r"must be a whole number in \[.*\], was")
        if most is not None:
            yield Bad(f"above {most}", most + 1, OUT_OF_RANGE, r"must be a whole number in \[.*\], was")

    return made


def optional(kind):
    """The same of an argument that may be left out."""
    return lambda good: (bad for bad in kind(good) if bad.value is not None)


def level(good):
    """A level of VaR and ES."""
    for value in (NAN, INF, None, "a", 0.4, 1.0, 99):
        yield Bad(str(value), value, OUT_OF_RANGE, r"level must be in \[0.5, 1\), was")
