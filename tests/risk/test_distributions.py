"""Goal: probabilities are right to many digits. Method: closed forms, inverse pairs, and SciPy where it is installed."""

import math

import numpy as np
import pytest
from oracle import oracle

from tradsys.risk import distributions as d

TAILS = [1e-300, 1e-100, 1e-16, 1e-9, 1e-4, 0.01, 0.02425, 0.1, 0.3, 0.5]
DOFS = [0.5, 1.0, 2.0, 2.5, 4.0, 7.3, 30.0, 500.0, 1e5]


@pytest.mark.parametrize("p", TAILS)
def test_normal_quantile_inverts_the_probability(p):
    assert d.normal_cdf(d.normal_quantile(p)) == pytest.approx(p, rel=1e-12)


def test_ends_of_the_quantiles():
    assert (d.normal_quantile(0.0), d.normal_quantile(1.0)) == (-math.inf, math.inf)
    assert math.isnan(d.normal_quantile(1.5))
    assert math.isnan(d.normal_quantile(math.nan))
    assert (d.student_quantile(0.0, 3.0), d.student_quantile(1.0, 3.0)) == (-math.inf, math.inf)
    assert math.isnan(d.student_quantile(-1.0, 3.0))
    assert d.student_quantile(0.5, 3.0) == 0.0


@pytest.mark.parametrize("p", [1e-10, 1e-4, 0.01, 0.2, 0.4, 0.6, 0.99])
def test_student_of_one_and_two_degrees_has_closed_forms(p):
    assert d.student_quantile(p, 1.0) == pytest.approx(-1.0 / math.tan(math.pi * p), rel=1e-12)
    assert d.student_quantile(p, 2.0) == pytest.approx((2 * p - 1) / math.sqrt(2 * p * (1 - p)), rel=1e-10)


def test_chi_square_and_binomial_ends():
    assert d.chi_square_survival(-1.0, 1) == 1.0
    assert math.isnan(d.chi_square_survival(1.0, 3))
    assert (d.binomial_cdf(-1, 10, 0.1), d.binomial_cdf(10, 10, 0.1)) == (0.0, 1.0)
    assert d.binomial_cdf(0, 250, 0.01) == pytest.approx(0.99**250, rel=1e-12)


def test_equal_to_scipy():
    stats = oracle("scipy.stats")
    special = oracle("scipy.special")
    for p in TAILS:
        assert d.normal_quantile(p) == pytest.approx(stats.norm.ppf(p), rel=1e-13, abs=1e-15)
        assert d.normal_quantile(1 - p) == pytest.approx(stats.norm.ppf(1 - p), rel=1e-13, abs=1e-15)
    for x in np.linspace(-9, 9, 37):
        assert d.normal_cdf(x) == pytest.approx(stats.norm.cdf(x), rel=1e-13)
        assert d.normal_pdf(x) == pytest.approx(stats.norm.pdf(x), rel=1e-13)
        for dof in DOFS:
            assert d.student_cdf(x, dof) == pytest.approx(stats.t.cdf(x, dof), rel=1e-9)
            assert d.student_pdf(x, dof) == pytest.approx(stats.t.pdf(x, dof), rel=1e-9)
    for dof in DOFS:
        for p in (1e-6, 0.001, 0.01, 0.05, 0.3, 0.7, 0.999):
            assert d.student_quantile(p, dof) == pytest.approx(stats.t.ppf(p, dof), rel=1e-9)
    for a, b, x in (
        (0.5, 3.0, 0.2),
        (50.0, 2.0, 0.97),
        (200.0, 300.0, 0.41),
        (1e4, 5.0, 0.999),
        (2.0, 2.0, 0.5),
    ):
        assert d.beta_probability(a, b, x) == pytest.approx(special.betainc(a, b, x), rel=1e-9)
    for k, n, p in ((3, 250, 0.01), (50, 1000, 0.05), (119, 1000, 0.1)):
        assert d.binomial_cdf(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), rel=1e-9)
    for x in (0.1, 1.0, 3.84, 20.0):
        for dof in (1, 2):
            assert d.chi_square_survival(x, dof) == pytest.approx(stats.chi2.sf(x, dof), rel=1e-12)
