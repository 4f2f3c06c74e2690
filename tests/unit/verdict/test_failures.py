"""Test A against its published vectors, an independent library, and what theory says of it."""

from __future__ import annotations

import time
from fractions import Fraction
from math import comb, exp, inf, isfinite, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nchypergeom_fisher

from fairlead.verdict import failures
from fairlead.verdict.failures import (
    GRID,
    MOST,
    WIDE,
    base_rate,
    log_bound,
    log_lr,
    log_mean,
    log_normaliser,
    odds_ratio,
)

windows = st.tuples(st.integers(0, 80), st.integers(0, 80)).flatmap(
    lambda n: st.integers(0, sum(n)).flatmap(
        lambda k: st.tuples(st.integers(max(0, k - n[1]), min(k, n[0])), st.just(n[0]), st.just(n[1]), st.just(k))
    )
)


def test_published_vectors():
    rounded = [round(value, 4) for value in log_lr(4, 100, 900, 10)]
    assert rounded == [0.6459, 1.1349, 1.8228, 2.5824, 3.1059, 2.8825]
    assert round(exp(log_mean(log_lr(4, 100, 900, 10))), 4) == 10.7709
    assert round(exp(log_mean(log_lr(3, 20, 180, 4))), 4) == 22.9924


@pytest.mark.parametrize(
    ("x", "n_c", "n_s", "k", "psi0"),
    [(4, 100, 900, 10, 1.0), (0, 10, 90, 3, 1.0), (3, 20, 180, 4, 1.0), (12, 50, 50, 30, 1.7), (40, 300, 100, 60, 2.5)],
)
def test_agrees_with_scipy(x, n_c, n_s, k, psi0):
    def logpmf(psi):
        return nchypergeom_fisher(n_c + n_s, n_c, k, psi).logpmf(x)

    expected = [logpmf(psi * psi0) - logpmf(psi0) for psi in GRID]
    assert log_lr(x, n_c, n_s, k, psi0) == pytest.approx(expected, abs=1e-8)


@given(windows, st.floats(0.2, 20))
@settings(max_examples=30, deadline=None)
def test_agrees_with_the_sum_over_the_whole_support(window, psi0):
    x, n_c, n_s, k = window
    assert log_lr(x, n_c, n_s, k, psi0) == pytest.approx(_directly(x, n_c, n_s, k, psi0), abs=1e-9)


def _directly(x, n_c, n_s, k, psi0):
    support = range(max(0, k - n_s), min(k, n_c) + 1)

    def probability(psi):
        exact = Fraction(psi)
        terms = {j: comb(n_c, j) * comb(n_s, k - j) * exact**j for j in support}
        return terms[x] / sum(terms.values())

    def log_of(value):
        return log(value.numerator) - log(value.denominator)

    return [log_of(probability(psi * psi0)) - log_of(probability(psi0)) for psi in GRID]


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 60), st.floats(0.5, 8))
@settings(max_examples=40, deadline=None)
def test_expected_ratio_is_one_under_the_null(n_c, n_s, k, psi0):
    k = min(k, n_c + n_s)
    support = range(max(0, k - n_s), min(k, n_c) + 1)
    weights = [comb(n_c, x) * comb(n_s, k - x) * psi0 ** (x - support[0]) for x in support]
    for i in range(len(GRID)):
        mean = sum(w * exp(log_lr(x, n_c, n_s, k, psi0)[i]) for w, x in zip(weights, support, strict=True))
        assert mean / sum(weights) == pytest.approx(1.0, rel=1e-9)


@given(windows)
@settings(max_examples=60)
def test_more_failures_of_the_candidate_never_lower_the_evidence(window):
    x, n_c, n_s, k = window
    if x + 1 <= min(k, n_c):
        assert all(a <= b + 1e-12 for a, b in zip(log_lr(x, n_c, n_s, k), log_lr(x + 1, n_c, n_s, k), strict=True))


@pytest.mark.parametrize("window", [(0, 0, 0, 0), (0, 10, 90, 0), (0, 0, 50, 7), (7, 50, 0, 7), (10, 10, 90, 100)])
def test_windows_that_tell_nothing_give_exactly_zero(window):
    assert log_lr(*window) == (0.0,) * len(GRID)


@pytest.mark.parametrize("window", [(1, 0, 10, 1), (-1, 10, 10, 1), (0, 10, 10, 11), (0, 3, 2, 6), (3, 10, 10, 2)])
def test_impossible_counts_are_refused(window):
    with pytest.raises(ValueError, match="impossible counts"):
        log_lr(*window)


@pytest.mark.parametrize("psi0", [0.0, -1.0, inf])
def test_impossible_odds_are_refused(psi0):
    with pytest.raises(ValueError, match="odds ratio"):
        log_lr(1, 10, 10, 2, psi0)


def test_large_windows_stay_finite_and_fast():
    started = time.thread_time()
    values = log_lr(60_000, 500_000, 500_000, 100_000)
    assert time.thread_time() - started < 0.2
    assert all(isfinite(value) for value in values)
    assert values[1] == max(values)  # the observed odds ratio is 1.57: 1.5 explains it best


def test_typical_windows_cost_less_than_a_millisecond():
    started = time.thread_time()
    for _ in range(100):
        log_lr(3, 1000, 9000, 20)
    assert (time.thread_time() - started) / 100 < 0.001


def test_bound_and_margins():
    assert log_bound(0.01) == pytest.approx(4.605170185988091)
    assert odds_ratio(0.02, 0.0) == 1.0
    assert odds_ratio(0.02, 0.02) == pytest.approx((0.04 / 0.96) / (0.02 / 0.98))
    assert isfinite(odds_ratio(0.5, 0.9))
    assert 0 < base_rate(0, 0) < 1
    assert base_rate(0, 999) == 0.0005
    for alpha in (0.0, 1.0, -1.0):
        with pytest.raises(ValueError, match="false-alarm"):
            log_bound(alpha)


def test_a_margin_takes_evidence_away():
    plain, tolerant = log_mean(log_lr(4, 100, 900, 10)), log_mean(log_lr(4, 100, 900, 10, 3.0))
    assert tolerant < plain


wide = st.tuples(st.integers(20_000, 3_000_000), st.integers(20_000, 3_000_000), st.floats(0.3, 0.7)).map(
    lambda one: (one[0], one[1], min(one[0] + one[1] - WIDE - 1, max(WIDE + 1, int(one[2] * min(one[:2])))))
)


@given(wide, st.floats(-2, 3))
@settings(max_examples=25, deadline=None)
def test_a_wide_window_is_summed_by_some_of_its_terms_as_by_all(window, exponent):
    n_c, n_s, k = window
    some = log_normaliser(n_c, n_s, k, 10**exponent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failures, "WIDE", MOST)
        every = log_normaliser(n_c, n_s, k, 10**exponent)
    assert some == pytest.approx(every, abs=1e-7)  # which is the rounding of their factorials


def test_ordinary_windows_are_summed_as_ever():
    """What has been recorded is computed again to the last bit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failures, "_spaced", None)
        assert log_lr(WIDE // 2, 10 * WIDE, 10 * WIDE, WIDE)


@pytest.mark.parametrize("power", [4, 5, 6, 7, 8, 9, 10, 12, 15, 17])
def test_no_counts_take_longer_than_others(power):
    """A counter that jumps by 10^12 held everything up for 36 s."""
    n = 10**power // 2
    for x, k in ((n // 2, n), (n // 3, n), (n - 1, n), (min(n, 40), 50), (n // 7 * 2, n // 3)):
        started = time.thread_time()
        values = log_lr(x, n, n, k, 1.3)
        assert time.thread_time() - started < 0.05
        assert all(isfinite(value) for value in values)
        if 2 * n > MOST:
            assert values == (0.0,) * len(GRID)
