"""Test E: capital and intervals by their definitions, what sums may lose, and the guarantee."""

from __future__ import annotations

import random
from itertools import pairwise
from math import exp, inf, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.verdict.bounded import MeanState, Sums, bets, log_bets, log_bets_each, step, sums, turned
from fairlead.verdict.failures import GRID, log_bound, log_mean
from fairlead.verdict.margin import log_excess
from fairlead.verdict.proportion import upper_bound

means = st.floats(0.01, 0.99)
losses = st.lists(st.floats(0, 1), max_size=40)


@given(losses, means)
@settings(max_examples=30)
def test_sums_never_give_more_than_the_losses_themselves(values, m):
    assert all(a <= b + 1e-9 for a, b in zip(log_bets(sums(values), m), log_bets_each(values, m), strict=True))


@given(st.integers(0, 200), st.integers(0, 200), means)
@settings(max_examples=25)
def test_losses_of_zero_and_one_are_a_bernoulli_test(failed, fine, m):
    values = Sums(failed + fine, failed, failed)
    assert log_mean(log_bets(values, m)) == pytest.approx(log_excess(failed, failed + fine, m), abs=1e-7)
    assert log_bets(values, m) == pytest.approx(log_bets_each([1] * failed + [0] * fine, m), abs=1e-7)


@given(losses, losses, means)
@settings(max_examples=25)
def test_splitting_a_window_never_lowers_the_evidence(first, second, m):
    merged = log_bets(sums(first) + sums(second), m)
    split = [a + b for a, b in zip(log_bets(sums(first), m), log_bets(sums(second), m), strict=True)]
    assert all(a <= b + 1e-7 for a, b in zip(merged, split, strict=True))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6), means)
@settings(max_examples=25)
def test_the_expectation_is_at_most_one_up_to_the_tolerated_mean(points, m):
    """Any distribution on a few points, its losses scaled down until their mean is at most m."""
    weights = np.array([w for _, w in points]) + 1e-6
    weights /= weights.sum()
    values = np.array([x for x, _ in points])
    values *= min(1.0, m / max(float(weights @ values), 1e-12))
    for i in range(len(GRID)):
        capital = [exp(log_bets_each([min(1.0, float(x))], m)[i]) for x in values]
        assert float(weights @ np.array(capital)) <= 1 + 1e-9


def test_small_variances_are_made_use_of():
    rng = random.Random(1)
    values = [0.35 + 0.05 * rng.random() for _ in range(100)]
    chord_only = log_mean(log_bets(Sums(100, sum(values), sum(values)), 0.3))
    assert log_mean(log_bets(sums(values), 0.3)) > chord_only + 3


def test_a_mean_below_is_shown_on_the_turned_losses():
    rng = random.Random(2)
    values = [0.1 * rng.random() for _ in range(60)]
    assert log_mean(log_bets(turned(sums(values)), 1 - 0.3)) > log_bound(0.001)
    assert turned(sums(values)).squares == pytest.approx(sums([1 - v for v in values]).squares)


def test_more_loss_is_more_evidence():
    values = [log_mean(log_bets_each([0.2, 0.4, x], 0.3)) for x in (0.0, 0.3, 0.6, 1.0)]
    assert all(a < b for a, b in pairwise(values))
    assert all(0 < bet < 1 / 0.3 for bet in bets(0.3))


def test_false_alarms_stay_rare_at_any_time():
    rng, m = random.Random(5), 0.2
    found = sum(_ever(rng, m, log_bound(0.1)) for _ in range(100))
    assert upper_bound(found, 100, 0.05) <= 0.1


def _ever(rng, m, bound):
    have = (0.0,) * len(GRID)
    for _ in range(20):
        gained = log_bets_each([rng.betavariate(0.5, 0.5 * (1 - m) / m) for _ in range(10)], m)
        have = tuple(a + b for a, b in zip(have, gained, strict=True))
        if log_mean(have) >= bound:
            return True
    return False


def by_definition(values, alpha):
    """The interval from the formulas, all values at hand."""
    x, t = np.array(values), np.arange(1, len(values) + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    before, spread = np.r_[0.5, mean[:-1]], np.r_[0.25, variance[:-1]]
    bet = np.minimum(np.sqrt(2 * log(2 / alpha) / (spread * t * np.log(1 + t))), 0.5)
    psi = -np.log(1 - bet) - bet
    half = (log(2 / alpha) + float(psi @ (x - before) ** 2)) / bet.sum()
    centre = float(bet @ x) / bet.sum()
    return max(0.0, centre - half), min(1.0, centre + half)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.001, 0.5))
@settings(max_examples=20)
def test_the_interval_agrees_with_its_definition(values, alpha):
    state = MeanState(alpha)
    for value in values:
        state = step(state, value)
    assert (state.interval.low, state.interval.high) == pytest.approx(by_definition(values, alpha), abs=1e-9)


def test_the_interval_covers_at_all_times_and_shrinks():
    rng, left = random.Random(6), 0
    for _ in range(40):
        state, missed = MeanState(0.1), False
        for _ in range(150):
            state = step(state, rng.betavariate(2, 6))
            missed = missed or not state.interval.low <= 0.25 <= state.interval.high
        left += missed
        assert state.interval.high - state.interval.low < 0.35
    assert upper_bound(left, 40, 0.05) <= 0.1
    assert MeanState(0.1).interval.high == 1.0


@pytest.mark.parametrize("value", [-0.01, 1.01, nan, inf])
def test_losses_out_of_bounds_are_refused(value):
    for call in (lambda: sums([0.5, value]), lambda: log_bets_each([value], 0.3), lambda: step(MeanState(0.1), value)):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            call()


@pytest.mark.parametrize(
    "given_", [Sums(2, 3, 1), Sums(2, 1, 1.5), Sums(-1, 0, 0), Sums(2, nan, 0), Sums(4, 2, 0.2), Sums(2, -1, 0)]
)
def test_impossible_sums_are_refused(given_):
    with pytest.raises(ValueError, match=r"sum|whole|finite"):
        log_bets(given_, 0.3)


def test_impossible_levels_are_refused():
    for m in (0.0, 1.0, nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            log_bets(Sums(), m)
    with pytest.raises(ValueError, match="alpha"):
        step(MeanState(sqrt(2)), 0.5)
