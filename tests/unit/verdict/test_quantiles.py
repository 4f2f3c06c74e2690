"""Quantiles of two versions against the published p-values, and what they guarantee."""

from __future__ import annotations

import random
from bisect import bisect_right
from math import exp, inf, nan

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from fairlead.verdict.failures import log_bound
from fairlead.verdict.quantiles import _log_e_below, log_e_differ, log_e_not_slower, log_e_slower, p_value

BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, inf)
counts = st.lists(st.integers(0, 40), min_size=len(BOUNDS), max_size=len(BOUNDS))


def histogram(values, bounds=BOUNDS):
    ordered = sorted(values)
    return tuple((bound, bisect_right(ordered, bound)) for bound in bounds)


def cumulative(counts):
    return tuple((bound, sum(counts[: i + 1])) for i, bound in enumerate(BOUNDS))


@pytest.mark.parametrize(
    ("q", "shift", "expected"), [(0.5, 70, 0.814704), (0.5, 85, 0.0838055), (0.5, 100, 0.0054947), (0.9, 55, 0.0340463)]
)
def test_published_p_values(q, shift, expected):
    """Arms 1 … 1000 and the same shifted, each value with a bucket of its own."""
    bounds = (*range(1, 1001 + shift), inf)
    arms = histogram(range(1, 1001), bounds), histogram(range(1 + shift, 1001 + shift), bounds)
    assert p_value(*arms, q) == pytest.approx(expected, rel=2e-6)


@given(st.integers(0, 30), st.integers(0, 30), st.floats(0.1, 0.95))
@settings(max_examples=8, deadline=None)
def test_the_one_sided_part_is_its_integral(hits, misses, q):
    a, b = 11.6 * q, 11.6 * (1 - q)

    def integrand(r):
        return (r / q) ** hits * ((1 - r) / (1 - q)) ** misses * float(beta.pdf(r, a, b))

    expected = quad(integrand, 0, q, limit=200)[0] / float(beta.cdf(q, a, b))
    assert exp(_log_e_below(hits, hits + misses, q, 11.6)) == pytest.approx(expected, rel=1e-5)


@given(counts, counts, st.sampled_from([0.5, 0.9, 0.99]))
@example([0] * 11, [0, 0, 0, 0, 36, 40, 40, 40, 40, 40, 27], 0.9)
@settings(max_examples=10, deadline=None)
def test_coarser_buckets_never_raise_the_evidence(stable, candidate, q):
    arms = [cumulative(stable), cumulative(candidate)]
    coarse = [tuple(cell for i, cell in enumerate(arm) if i % 2 == 0) for arm in arms]
    assert log_e_differ(*coarse, q) <= log_e_differ(*arms, q) + 1e-9
    assert log_e_slower(*coarse, q, 0.1) <= log_e_slower(*arms, q, 0.1) + 1e-9
    assert log_e_not_slower(*coarse, q, 0.1) <= log_e_not_slower(*arms, q, 0.1) + 1e-9


@given(counts, st.sampled_from([0.5, 0.9]), st.floats(0, 1))
@settings(max_examples=10, deadline=None)
def test_a_version_is_neither_slower_nor_different_from_itself(values, q, worse_by):
    arm = cumulative(values)
    assert log_e_differ(arm, arm, q) <= 1e-9
    assert log_e_slower(arm, arm, q, worse_by) <= 1e-9


def test_slower_by_more_than_the_margin_is_found_and_within_it_is_shown():
    rng = random.Random(1)
    fine = (*(0.05 * i for i in range(1, 60)), inf)
    arms = [histogram([rng.expovariate(1 / mean) for _ in range(1500)], fine) for mean in (0.3, 0.6)]
    assert log_e_slower(*arms, 0.5, 0.2) > log_bound(0.001)
    assert log_e_not_slower(*arms, 0.5, 3.0) > log_bound(0.001)
    assert log_e_not_slower(*arms, 0.5, 0.2) < 0
    assert log_e_slower(*arms, 0.5, 3.0) < 0


def test_false_verdicts_stay_rare_at_every_look():
    rng, alpha, runs = random.Random(2), 0.1, 30
    assert sum(_ever(rng, log_bound(alpha)) for _ in range(runs)) <= alpha * runs


def _ever(rng, bound):
    stable, candidate = [], []
    for _ in range(5):
        stable += [rng.expovariate(2) for _ in range(80)]
        candidate += [rng.expovariate(2) for _ in range(40)]
        if log_e_slower(histogram(stable), histogram(candidate), 0.5, 0.0) >= bound:
            return True
    return False


def test_nothing_seen_is_no_evidence():
    empty = cumulative([0] * len(BOUNDS))
    assert p_value(empty, empty, 0.9) == 1.0
    assert log_e_slower(empty, empty, 0.9, 0.1) == pytest.approx(0.0, abs=1e-12)


def test_impossible_input_is_refused():
    fine = cumulative([1] * len(BOUNDS))
    falling = tuple((bound, 20 - i) for i, bound in enumerate(BOUNDS))
    for bad in ((), fine[:-1], fine[::-1], falling, tuple((b, nan) for b in BOUNDS), ((-1.0, 0), (inf, 5))):
        with pytest.raises(ValueError, match=r"bounds|never fall|whole"):
            log_e_differ(bad, bad, 0.5)
    with pytest.raises(ValueError, match="same in both"):
        log_e_differ(fine, fine[1:], 0.5)
    for q in (0.0, 1.0, nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            p_value(fine, fine, q)
    for margin in (-0.1, nan, inf):
        with pytest.raises(ValueError, match=r"margin|worse_by"):
            log_e_slower(fine, fine, 0.5, margin)
