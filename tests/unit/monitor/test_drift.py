"""Drift of one vector: what is compared, what is left beyond chance, and that bets are fair."""

from __future__ import annotations

import itertools
import random
from math import exp, fsum, lgamma, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.monitor import drift
from fairlead.monitor.drift import APART, BETS, Memory

COUNTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=34)


@given(COUNTS)
def test_groups_are_neighbours_and_few(counts: list[int]) -> None:
    found = drift.groups(counts)
    assert len(found) == len(counts)
    assert found[0] == 0
    assert max(found) < drift.GROUPS
    assert all(b - a in (0, 1) for a, b in itertools.pairwise(found))


def test_groups_of_equal_bins_have_about_equal_shares() -> None:
    sizes = drift.grouped([312] * 32, drift.groups([312] * 32))
    assert len(sizes) == 10
    assert set(sizes) <= {3 * 312, 4 * 312}
    assert drift.groups([9_000, 10, 10, 10]) == (0, 1, 1, 1)


@given(COUNTS)
def test_grouping_loses_no_row(counts: list[int]) -> None:
    places = (*drift.groups(counts), APART)
    assert sum(drift.grouped([*counts, 77], places)) == sum(counts)


def _binomial(n: int, k: int, share: float) -> float:
    coefficient = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    return exp(coefficient + k * log(share) + (n - k) * log(1 - share))


@pytest.mark.parametrize(("excess", "delta"), [((5, -5, 0), 0.05), ((-3, 1, 2), 0.2), ((0, 0, 9), 0.0)])
def test_the_mean_of_a_bet_is_at_most_one_up_to_the_tolerance(excess: tuple[int, ...], delta: float) -> None:
    """Exactly, over all outcomes of a window whose witness has the largest probability that the tolerance allows."""
    shares, n = (0.5, 0.3, 0.2), 40
    witness = [at for at, more in enumerate(excess) if more > 0]
    q = sum(shares[at] for at in witness) + delta
    for true in (q, q - 0.1):
        means = [0.0] * len(BETS)
        for k in range(n + 1):
            counts = [0, 0, 0]
            counts[witness[0]] = k
            counts[next(at for at in range(3) if at not in witness)] = n - k
            gained = drift.log_es(Memory(excess, 100), counts, shares, delta)
            assert gained is not None
            means = [mean + _binomial(n, k, true) * exp(one) for mean, one in zip(means, gained, strict=True)]
        assert all(mean <= 1 + 1e-9 for mean in means)
        assert true < q or all(mean == pytest.approx(1) for mean in means)


def test_without_earlier_windows_or_rows_nothing_is_bet() -> None:
    nothing = (0.0, 0.0, 0.0)
    assert drift.log_es(Memory(), [5, 5], (0.5, 0.5), 0.05) == nothing
    assert drift.log_es(Memory((1, -1), 10), [0, 0], (0.5, 0.5), 0.05) is None
    assert drift.log_es(Memory((1, -1), 10), [5, 5], (0.5, 0.5), 0.6) == nothing


def test_the_halves_need_no_earlier_window() -> None:
    shares = (0.1, 0.4, 0.3, 0.2)
    assert drift.halves(shares) == ((2, 3), (0, 1))
    assert drift.halves((1.0,)) == () == drift.halves(())
    gained = drift.log_es(Memory(), [0, 0, 50, 50], shares, 0.05, 1.0, drift.halves(shares))
    assert gained is not None
    assert gained[:3] == (0.0,) * 3
    assert min(gained[3:6]) > 0 > max(gained[6:])


@given(st.lists(st.integers(0, 1_000), min_size=3, max_size=3), st.floats(1, 50))
def test_a_design_effect_takes_evidence_away(counts: list[int], effect: float) -> None:
    memory, shares = Memory((5, -3, -2), 10), (0.2, 0.3, 0.5)
    plain, fewer = (drift.log_es(memory, counts, shares, 0.05, d) for d in (1.0, effect))
    assert (plain is None) == (fewer is None) == (sum(counts) == 0)
    for a, b in zip(plain or (), fewer or (), strict=True):
        assert b == pytest.approx(a / effect)


def test_older_windows_fade_the_faster_the_more_rows_there_are() -> None:
    few = drift.remembered(Memory((100, -100), 1_000), [20, 20], (0.5, 0.5))
    many = drift.remembered(Memory((100, -100), 1_000), [5_000, 5_000], (0.5, 0.5))
    assert few == Memory((90, -90), 940)
    assert many == Memory((50, -50), 10_500)
    assert drift.remembered(few, [0, 0], (0.5, 0.5)) == few


def test_the_reference_error_covers_the_worst_set() -> None:
    """2,000 references of 100 rows: the largest error over all sets of groups, which is the total variation."""
    rng, size, rows, beta = random.Random(5), 5, 100, 0.05
    bound, over = drift.reference_error(size, rows, beta), 0
    for _ in range(2_000):
        counts = drift.grouped([1] * rows, [rng.randrange(size) for _ in range(rows)])
        over += sum(abs(count / rows - 1 / size) for count in counts) / 2 > bound
    assert over / 2_000 <= beta
    assert drift.reference_error(size, 1_000, beta) < bound < drift.reference_error(size, 0, beta) == 1.0


def test_effects_are_nothing_without_drift_and_what_they_are_with_it() -> None:
    rng = random.Random(3)
    psis, tvs = [], []
    for _ in range(200):
        a, b = [0] * 10, [0] * 10
        for _ in range(1_000):
            a[rng.randrange(10)] += 1
            b[rng.randrange(10)] += 1
        found = drift.effects(a, b)
        psis.append(found.psi)
        tvs.append(found.tv)
    assert fsum(psis) / 200 < 0.004  # without taking chance away it is .018
    assert fsum(tvs) / 200 < 0.006  # … .05
    moved = drift.effects([500_000] * 2, [600_000, 400_000])
    assert moved.tv == pytest.approx(0.1, abs=2e-3)
    assert moved.psi == pytest.approx(0.1 * log(1.2) - 0.1 * log(0.8), abs=1e-3)


def test_ks_is_the_largest_difference_of_the_sums() -> None:
    assert drift.ks([250_000] * 4, [400_000, 200_000, 200_000, 200_000], 1.0) == pytest.approx(0.15, abs=2e-3)
    assert drift.ks([50, 50], [49, 51]) == 0.0


def test_rows_that_are_needed() -> None:
    assert drift.least_rows(10, 0.1) == 361
    assert drift.least_rows(1, 0.1) == 41
