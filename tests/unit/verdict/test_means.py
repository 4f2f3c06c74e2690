"""Test C against published intervals and bounds."""

from __future__ import annotations

from math import inf, log, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from fairlead.verdict.means import (
    NOTHING,
    UNKNOWN,
    Sample,
    difference,
    interval,
    judge,
    lift,
    log_mixture,
    mixture_bound,
    mixture_bound_one_sided,
    mixture_rho,
    sample,
    share,
)
from fairlead.verdict.proportion import Interval, upper_bound


def test_published_lift_of_shares():
    found = lift(share(1396, 3000), share(2422, 3461))
    assert (round(found.value, 5), round(found.error, 5)) == (0.50386, 0.03386)
    limits = interval(found, 0.05, 5000)
    assert (round(limits.low, 5), round(limits.high, 5)) == (0.40098, 0.60675)


def test_published_lift_of_means():
    found = lift(sample(3000, 1396.87, 52377.9767), sample(3461, 2422.7, 134698.29))
    assert round(found.value, 5) == 0.50336
    limits = interval(found, 0.05, 1000)
    assert (round(limits.low, 5), round(limits.high, 5)) == (-0.55844, 1.56516)


def test_published_bounds():
    assert round(mixture_rho(100, 0.05), 5) == 12.60056
    assert round(mixture_bound(100, 0.05, mixture_rho(100, 0.05)), 5) == 30.35209
    one_sided = mixture_rho(100, 0.1)
    assert round(mixture_bound_one_sided(100, 0.05, one_sided), 5) == 27.66071
    assert round(log_mixture(10, 100, one_sided), 8) == -0.06502391


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=60))
@settings(max_examples=40)
def test_samples_agree_with_numpy(values):
    found = sample(len(values), sum(values), sum(v * v for v in values))
    scale = 1 + max(v * v for v in values)
    assert found.mean == pytest.approx(float(np.mean(values)), abs=1e-9 * scale)
    assert found.variance == pytest.approx(float(np.var(values, ddof=1)), abs=1e-9 * scale)


@given(st.floats(-200, 200), st.floats(0, 500), st.floats(0.1, 50))
@settings(max_examples=40)
def test_log_mixture_agrees_with_scipy(s, v, rho):
    z = s / (v + rho) ** 0.5
    expected = 0.5 * log(4 * rho / (v + rho)) + z * z / 2 + float(norm.logcdf(z))
    assert log_mixture(s, v, rho) == pytest.approx(expected, abs=1e-7)


@given(st.floats(0.01, 5), st.integers(200, 10**6), st.floats(0.001, 0.2))
@settings(max_examples=40)
def test_intervals_hold_the_estimate_and_widen_with_confidence(mean, n, alpha):
    found = difference(Sample(n, 1.0, 2.0), Sample(n, mean, 2.0))
    limits, wider = interval(found, alpha), interval(found, alpha / 2)
    assert wider.low < limits.low < found.value < limits.high < wider.high


def test_two_arms_alike_are_hardly_ever_told_apart_at_any_look():
    rng, alpha, apart = np.random.default_rng(9), 0.1, 0
    for _ in range(400):
        apart += _ever_apart(rng, alpha)
    assert upper_bound(apart, 400, 0.05) <= alpha


def _ever_apart(rng, alpha):
    values = rng.exponential(size=(2, 30, 50))
    totals, squares = values.sum(axis=2).cumsum(axis=1), (values**2).sum(axis=2).cumsum(axis=1)
    for look in range(2, 30):
        n = 50 * (look + 1)
        arms = [sample(n, float(totals[i, look]), float(squares[i, look])) for i in (0, 1)]
        limits = interval(difference(*arms), alpha, 2000)
        if not limits.low <= 0 <= limits.high:
            return True
    return False


def test_judgement():
    assert judge(Interval(0.2, 0.4), 0.1) == "harm"
    assert judge(Interval(-0.4, 0.05), 0.1) == "safe"
    assert judge(Interval(0.05, 0.4), 0.1) == "continue"
    assert judge(Interval(-0.4, -0.2), 0.1, worse="lower") == "harm"
    assert judge(Interval(-0.05, 0.4), 0.1, worse="lower") == "safe"
    assert judge(UNKNOWN, 0.1) == "continue"


def test_too_little_is_unknown_never_a_pass():
    plenty, constant = Sample(1000, 1.0, 1.0), Sample(1000, 1.0, 0.0)
    for stable, candidate in ((plenty, Sample(99, 5.0, 1.0)), (constant, constant), (sample(0, 0, 0), plenty)):
        assert difference(stable, candidate) == NOTHING
        assert interval(lift(stable, candidate), 0.05) == UNKNOWN
    assert lift(Sample(1000, 0.05, 1.0), plenty) == NOTHING
    assert lift(Sample(1000, -3.0, 1.0), plenty) == NOTHING


@pytest.mark.parametrize("sums", [(-1, 0, 0), (2, 3, 1), (2, nan, 1), (2, 1, inf), (1, 1, 2), (0, 0, 1), (3, 0, -1)])
def test_impossible_sums_are_refused(sums):
    with pytest.raises(ValueError, match=r"must|can't"):
        sample(*sums)


def test_impossible_margins_and_levels_are_refused():
    with pytest.raises(ValueError, match="impossible"):
        share(3, 2)
    for margin in (-1.0, nan, inf):
        with pytest.raises(ValueError, match="margin"):
            judge(Interval(0, 1), margin)
    with pytest.raises(ValueError, match="interval"):
        judge(Interval(nan, 1), 0.1)
    with pytest.raises(ValueError, match="alpha"):
        interval(NOTHING, 0.0)
    with pytest.raises(ValueError, match="n_best"):
        interval(NOTHING, 0.05, 0)
    with pytest.raises(ValueError, match="precision"):
        log_mixture(1.0, 1.0, 0.0)
