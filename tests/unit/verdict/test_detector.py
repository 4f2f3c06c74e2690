"""Test H: the recursion, the time to a false alarm, and how soon a change is found."""

from __future__ import annotations

import random
from math import exp, inf, log, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.verdict.bounded import Sums
from fairlead.verdict.detector import Detector, alarm, losses, one_arm, step, tolerated, two_arms
from fairlead.verdict.failures import GRID, log_bound, log_lr
from fairlead.verdict.guards import Arm, Window, decode, encode

EMPTY = Window(Arm(50, 0), Arm(50, 0))


@given(st.lists(st.lists(st.floats(-3, 3), min_size=6, max_size=6), min_size=1, max_size=5))
@settings(max_examples=20)
def test_it_is_the_sum_over_all_possible_beginnings(windows):
    """M_t = mean over psi of sum_s prod_{s <= i <= t} e_i: what the recursion unfolds to."""
    state = Detector()
    for window in windows:
        state = step(state, window)
    parts = [sum(exp(sum(window[i] for window in windows[since:])) for since in range(len(windows))) for i in range(6)]
    assert state.log_evidence == pytest.approx(log(sum(parts) / 6), abs=1e-9)
    assert state.windows == len(windows)


def test_the_first_window_is_test_a():
    state = two_arms(Detector(), Window(Arm(900, 6), Arm(100, 4)))
    assert state.log_r == log_lr(4, 100, 900, 10)
    assert exp(state.log_evidence) == pytest.approx(10.7709, abs=5e-5)


def test_windows_that_say_nothing_leave_it_as_it_is():
    state = two_arms(Detector(), Window(Arm(900, 6), Arm(100, 4)))
    assert two_arms(state, EMPTY) is state
    assert one_arm(state, 0, 0, 0.1) is state
    assert losses(state, Sums(), 0.1) is state
    assert Detector().log_evidence == -inf
    assert not alarm(Detector(), 0.5)


def run_length(rng, rate, m, alpha, most):
    state = Detector()
    for t in range(1, most + 1):
        state = one_arm(state, sum(rng.random() < rate for _ in range(10)), 10, m)
        if alarm(state, alpha):
            return t
    return most


def test_the_mean_time_to_a_false_alarm_is_as_promised_at_the_very_edge():
    rng, alpha = random.Random(1), 1 / 40
    runs = [run_length(rng, 0.2, 0.2, alpha, 200) for _ in range(60)]
    assert sum(runs) / len(runs) >= 1 / alpha
    assert sum(run <= 10 for run in runs) <= 10 * alpha * len(runs)


def test_a_long_good_time_does_not_numb_it():
    rng, alpha = random.Random(2), 1e-4
    state = Detector()
    for _ in range(400):
        state = one_arm(state, sum(rng.random() < 0.05 for _ in range(20)), 20, 0.1)
        assert not alarm(state, alpha)
    for _ in range(8):
        state = one_arm(state, sum(rng.random() < 0.4 for _ in range(20)), 20, 0.1)
    assert alarm(state, alpha)


def test_a_holdback_cancels_what_hits_both_and_finds_what_hits_one():
    rng, alpha = random.Random(3), 1e-4

    def window(p_new, p_old):
        return Window(*(Arm(n, sum(rng.random() < p for _ in range(n))) for n, p in ((20, p_old), (60, p_new))))

    state = Detector()
    for t in range(150):
        rate = 0.4 if 50 < t < 100 else 0.05
        state = two_arms(state, window(rate, rate), 1.5)
        assert not alarm(state, alpha)
    for _ in range(12):
        state = two_arms(state, window(0.4, 0.05), 1.5)
    assert alarm(state, alpha)


@given(st.integers(0, 20), st.floats(0.05, 0.9))
@settings(max_examples=30)
def test_more_failures_are_more_evidence(failed, m):
    start = one_arm(Detector(), 3, 20, m)
    assert one_arm(start, failed + 1, 21, m).log_evidence > one_arm(start, failed, 21, m).log_evidence


def test_bounded_losses():
    rng = random.Random(4)
    state = Detector()
    for _ in range(40):
        values = [rng.betavariate(6, 6) for _ in range(20)]
        state = losses(state, Sums(20, sum(values), sum(v * v for v in values)), 0.4)
    assert alarm(state, 1e-4)


def test_a_small_reference_tolerates_more():
    assert tolerated(10, 1000, 0.0, 0.05) < tolerated(1, 100, 0.0, 0.05) < tolerated(0, 10, 0.0, 0.05)
    assert tolerated(10, 1000, 0.02, 0.05) == pytest.approx(tolerated(10, 1000, 0.0, 0.05) + 0.02)
    rng = random.Random(5)
    low = sum(tolerated(sum(rng.random() < 0.1 for _ in range(60)), 60, 0.0, 0.1) < 0.1 for _ in range(300))
    assert low <= 30


def test_a_reference_that_knows_nothing_is_refused():
    for counts in ((0, 0), (5, 5), (9, 10)):
        with pytest.raises(ValueError, match="too few"):
            tolerated(*counts, 0.1, 0.01)
    for margin in (-0.1, 1.0, nan):
        with pytest.raises(ValueError, match="margin"):
            tolerated(1, 100, margin, 0.05)


def test_impossible_input_is_refused():
    for values in ((0.0,), (nan,) * 6, (inf,) * 6):
        with pytest.raises(ValueError, match="e-values"):
            step(Detector(), values)
    for failed, requests, m in ((2, 1, 0.1), (-1, 5, 0.1), (1, 5, 0.0), (nan, 5, 0.1), (1, inf, 0.1)):
        with pytest.raises(ValueError, match=r"must|sums"):
            one_arm(Detector(), failed, requests, m)
    with pytest.raises(ValueError, match="impossible"):
        two_arms(Detector(), Window(Arm(5, 6), Arm(5, 1)))
    with pytest.raises(ValueError, match="false-alarm"):
        alarm(Detector(), 0.0)


def test_its_state_survives_a_restart_bit_for_bit():
    state = one_arm(Detector(), 3, 20, 0.1)
    for kept in (Detector(), state):
        assert tuple(decode(encode(value)) for value in kept.log_r) == kept.log_r
    assert len(Detector().log_r) == len(GRID)
    assert log_bound(0.01) > 4
