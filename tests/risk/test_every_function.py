"""Goal: no public function of tradsys.risk answers numbers it cannot answer for; kernels are what plain NumPy says.

Method: the table of every_function.py, which a function without an entry fails; each bad argument alone, the others good.
"""

import copy
import importlib
import inspect
import pkgutil
import re
from enum import Enum

import msgspec
import numpy as np
import pytest
from every_function import ENTRIES
from kernel_references import ELSEWHERE, KERNELS

import tradsys.risk
from tradsys.errors import RiskError
from tradsys.risk.inputs import Problem

NO_NUMBERS = {
    "account_limits.read_limits": "a file: tests/risk/test_account_limits.py",
    "account_limits.judge": "figures of LiveRisk and limits that are read",
    "account_limits.names_of": "limits that are read",
    "account_limits.as_fields": "a standing of Watch",
    "account_limits.Watch": "figures of LiveRisk: tests/risk/test_account_limits.py",
    "day_counts.is_month_end": "a date",
    "holdings.Holding": "whole lots and ticks of trades that are read: tests/risk/test_live_risk.py",
    "inputs.refusal": "makes the errors",
    "kernel.kernel": "a decorator",
    "kernel.tell_of_compiling": "a function to call",
    "live.Portfolio": "made by LiveRisk",
    "revaluation.revalue": "positions, whose P&L the simulation checks",
    "stream.Publication": "frames: tests/risk/test_risk_stream.py",
    "stream.Subscription": "frames: tests/risk/test_risk_stream.py",
    "stress.library": "nothing",
    "stress.read_scenarios": "a file: tests/risk/test_stress.py",
    "returns.Returns": "made by returns_of",
}


def public():
    """Every name of tradsys.risk that is a function, a kernel or a class that does something: name, object, is a kernel."""
    for module in pkgutil.iter_modules(tradsys.risk.__path__):
        found = importlib.import_module(f"tradsys.risk.{module.name}")
        for name, thing in vars(found).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != found.__name__:
                continue
            if inspect.isclass(thing) and issubclass(thing, tuple | Enum | msgspec.Struct):
                continue
            if callable(thing):
                yield f"{module.name}.{name}", thing, hasattr(thing, "py_func")


def cases():
    for name, entry in ENTRIES.items():
        for argument, kind in entry.kinds.items():
            for bad in kind(entry.good[argument]):
                yield pytest.param(entry, {argument: bad.value}, bad.problem, bad.words, id=f"{name}-{argument}-{bad.label}")
        for i, (other, problem, words) in enumerate(entry.more):
            yield pytest.param(entry, other, problem, words, id=f"{name}-{'-'.join(other)}-more{i}")


def numbers_of(answer):
    """All floats of an answer, however deep."""
    if isinstance(answer, np.ndarray):
        return answer.ravel().tolist() if answer.dtype.kind == "f" else []
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, tuple | list):
        return [number for part in answer for number in numbers_of(part)]
    return [answer] if isinstance(answer, float) else []


def test_every_public_function_has_an_entry():
    names = {name for name, _, is_kernel in public() if not is_kernel}
    entered = {name for name in ENTRIES if name.count(".") == 1} | set(NO_NUMBERS)
    assert names - entered == set(), "give these an entry in every_function.py"
    assert entered - names == set(), "these are gone"
    for name in NO_NUMBERS.keys() & ENTRIES.keys():
        pytest.fail(f"{name} stands in both")


@pytest.mark.parametrize("name", ENTRIES)
def test_good_arguments_are_answered_with_numbers(name):
    entry = ENTRIES[name]
    answer = entry.function(**entry.good)
    unknown = [number for number in numbers_of(answer) if np.isnan(number)]
    known = {"backtest.acerbi_szekely": 2}  # p-values that were not asked for
    assert len(unknown) <= known.get(name, 0), answer


@pytest.mark.parametrize(("entry", "other", "problem", "words"), list(cases()))
def test_bad_arguments_are_refused_in_words(entry, other, problem, words):
    with pytest.raises(RiskError) as refused:
        entry.function(**entry.good | other)
    assert refused.value.problem in problem.split("|"), str(refused.value)
    assert refused.value.problem in Problem.__members__
    assert re.search(words, str(refused.value)), str(refused.value)


def kernels():
    for module in pkgutil.iter_modules(tradsys.risk.__path__):
        found = importlib.import_module(f"tradsys.risk.{module.name}")
        for name, thing in vars(found).items():
            if hasattr(thing, "py_func") and thing.py_func.__module__ == found.__name__:
                yield f"{module.name}.{name}", thing


def test_every_kernel_has_a_reference():
    assert {name for name, _ in kernels()} == {*KERNELS, *ELSEWHERE}


def flat(answer):
    """All numbers of an answer: whole ones exact, the others as floats."""
    if isinstance(answer, tuple | list):
        return [number for part in answer for number in flat(part)]
    if answer is None:
        return []
    return np.ravel(answer).tolist()


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_is_its_plain_reference(name):
    arguments, reference, relative = KERNELS[name]
    rng = np.random.default_rng(len(name))
    kernel = dict(kernels())[name]
    for _ in range(5):
        given = arguments(rng)
        theirs = copy.deepcopy(given)
        found, expected = flat((kernel(*given), given)), flat((reference(*theirs), theirs))
        assert len(found) == len(expected)
        scale = max((abs(x) for x in expected if isinstance(x, float)), default=1.0)
        for ours, plain in zip(found, expected, strict=True):
            if relative == 0.0 or isinstance(plain, int):
                assert ours == plain
            else:
                assert abs(ours - plain) <= relative * max(abs(plain), 1e-3 * scale), (ours, plain)


def test_kernels_of_numbers_answer_nan_where_there_is_no_answer():
    # A kernel raises nothing: NaN is its answer, never a number, never a loop without end.
    d, nan, inf = importlib.import_module("tradsys.risk.distributions"), np.nan, np.inf
    chi_square = importlib.import_module("tradsys.risk.random_numbers").next_chi_square
    state = tuple(np.uint64(k) for k in (1, 2, 3, 4))
    answers = [
        *(f(nan) for f in (d.normal_pdf, d.normal_cdf, d.normal_quantile)),
        d.normal_quantile(-0.1), d.normal_quantile(1.1), d.beta_probability(nan, 1.0, 0.5), d.beta_probability(1.0, 0.0, 0.5),
        d.beta_probability(1.0, 1.0, nan), d.binomial_cdf(1, 3, nan), d.binomial_cdf(1, 3, -0.5), d.binomial_cdf(1, 3, 1.5),
        d.chi_square_survival(nan, 1), d.chi_square_survival(nan, 2), d.chi_square_survival(1.0, 3),
        *(f(x, dof) for f in (d.student_pdf, d.student_cdf) for x, dof in ((nan, 3.0), (0.5, nan), (0.5, 0.0), (0.5, inf))),
        *(d.student_quantile(p, dof) for p, dof in ((nan, 3.0), (1.5, 3.0), (0.1, nan), (0.1, -1.0), (0.1, inf))),
        *(chi_square(dof, state)[0] for dof in (nan, 0.0, -2.0, inf)),
    ]  # fmt: skip
    assert np.isnan(answers).all(), answers
