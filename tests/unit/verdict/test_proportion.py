"""One share: published values, scipy, and a level that holds at all times."""

from __future__ import annotations

import time
from math import exp, inf, log, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc
from scipy.stats import beta, binom

from fairlead.verdict.proportion import (
    Interval,
    concentration,
    confidence_sequence,
    log_e,
    log_incomplete_beta,
    upper_bound,
)

counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("counts", "best", "expected"),
    [((700, 1000), 100, (0.651629, 0.745949)), ((15, 50), 50, (0.129556, 0.511896))],
)
def test_published_intervals(counts, best, expected):
    """The published ones were found by a bisection that stops at about 1e-6."""
    found = confidence_sequence(*counts, 0.05, best)
    assert (found.low, found.high) == pytest.approx(expected, abs=1.5e-6)


def test_published_concentration():
    """rho = 12.60056 at a variance of 100 is a weight of 100/rho trials."""
    assert round(concentration(100, 0.05) + 1, 5) == 12.60056


@given(st.floats(0.5, 400), st.floats(0.5, 400), st.floats(0.001, 0.999))
@settings(max_examples=40)
def test_incomplete_beta_agrees_with_scipy(a, b, x):
    expected = float(betainc(a, b, x))
    if expected > 1e-290:
        assert log_incomplete_beta(a, b, x) == pytest.approx(log(expected), abs=1e-8)


def test_incomplete_beta_far_out():
    assert log_incomplete_beta(1001, 1, 0.5) == pytest.approx(1001 * log(0.5), rel=1e-12)
    assert log_incomplete_beta(1, 5000, 0.5) == pytest.approx(0.0, abs=1e-300)
    assert (log_incomplete_beta(2, 3, 0.0), log_incomplete_beta(2, 3, 1.0)) == (-inf, 0.0)


@given(counts, st.floats(1e-6, 0.3))
@settings(max_examples=20)
def test_upper_bound_agrees_with_scipy(counts, level):
    successes, trials = counts
    expected = 1.0 if successes == trials else float(beta.ppf(1 - level, successes + 1, trials - successes))
    assert upper_bound(successes, trials, level) == pytest.approx(expected, rel=1e-6)


def test_without_trials_nothing_is_known():
    assert upper_bound(0, 0, 0.05) == 1.0
    assert confidence_sequence(0, 0, 0.05) == Interval(0.0, 1.0)
    assert confidence_sequence(0, 50, 0.05).low == 0.0
    assert confidence_sequence(50, 50, 0.05).high == 1.0


@given(counts, st.floats(0.001, 0.3), st.floats(1, 5000))
@settings(max_examples=15, deadline=None)
def test_the_interval_is_the_set_that_test_b_keeps(counts, alpha, best):
    successes, trials = counts
    found = confidence_sequence(successes, trials, alpha, best)
    assert 0 <= found.low <= successes / trials <= found.high <= 1
    weight = concentration(best, alpha)
    for share in (i / 60 for i in range(1, 60)):
        kept = log_e(successes, trials - successes, share, weight) < -log(alpha)
        assert kept == (found.low < share < found.high) or min(abs(share - found.low), abs(share - found.high)) < 1e-9


@given(st.integers(1, 80), st.floats(0.05, 0.95), st.floats(0.5, 200))
@settings(max_examples=20)
def test_its_expectation_is_one(trials, share, weight):
    mean = sum(binom.pmf(s, trials, share) * exp(log_e(s, trials - s, share, weight)) for s in range(trials + 1))
    assert mean == pytest.approx(1.0, rel=1e-7)


def test_the_exact_chance_of_ever_losing_the_truth_stays_below_alpha():
    """Looked at after each of 150 trials; the chances of all paths that still hold the truth are carried on."""
    truth, alpha, held, lost = 0.3, 0.1, {0: 1.0}, 0.0
    weight = concentration(100, alpha)
    for trials in range(1, 151):
        grown = {}
        for successes, chance in held.items():
            grown[successes] = grown.get(successes, 0.0) + chance * (1 - truth)
            grown[successes + 1] = grown.get(successes + 1, 0.0) + chance * truth
        gone = {s for s in grown if log_e(s, trials - s, truth, weight) >= -log(alpha)}
        lost += sum(grown[s] for s in gone)
        held = {s: chance for s, chance in grown.items() if s not in gone}
    assert alpha / 10 < lost <= alpha


@pytest.mark.parametrize("given_", [(-1, 5), (6, 5), (nan, 5), (1, inf), (0.5, 5)])
def test_impossible_counts_are_refused(given_):
    for call in (lambda: upper_bound(*given_, 0.05), lambda: confidence_sequence(*given_, 0.05)):
        with pytest.raises(ValueError, match=r"whole|impossible"):
            call()


def test_impossible_levels_are_refused():
    for level in (0.0, 1.0, nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            upper_bound(1, 5, level)
    for best in (0.0, inf):
        with pytest.raises(ValueError, match="trials_best"):
            confidence_sequence(1, 5, 0.05, best)


@given(st.integers(10_000_001, 400_000_000), st.floats(0, 1), st.sampled_from([1e-6, 1e-4, 0.05, 0.3]))
@settings(max_examples=40, deadline=None)
def test_an_upper_bound_of_very_many_trials_is_never_below_the_exact_one(trials, share, level):
    successes = int(share**4 * trials)
    exact = 1.0 if successes == trials else float(beta.ppf(1 - level, successes + 1, trials - successes))
    found = upper_bound(successes, trials, level)
    assert exact * (1 - 1e-9) <= found <= 1
    assert found - exact < 0.003


@pytest.mark.parametrize("power", [7, 9, 12, 15, 17])
def test_no_counts_take_longer_than_others(power):
    trials = 10**power
    for successes in (0, 1, 3, trials // 1000, trials // 3, trials // 2, trials - 1, trials):
        started = time.thread_time()
        assert successes / trials <= upper_bound(successes, trials, 1e-4) <= 1
        assert time.thread_time() - started < 0.1
