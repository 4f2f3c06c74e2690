"""The live version alone: an outage is seen, and seen to be over; a usual day is not one."""

from __future__ import annotations

import numpy as np
import pytest

from fairlead.verdict.common import CommonState, begin, step
from fairlead.verdict.guards import Arm


def play(state, rate, windows, requests=90, seed=1):
    rng = np.random.default_rng(seed)
    for _ in range(windows):
        state = step(state, Arm(requests, int(rng.binomial(requests, rate))))
    return state


USUAL = begin(Arm(5000, 100))


def test_with_too_little_known_nothing_is_tested():
    assert begin(Arm(299, 0)) == CommonState()
    assert play(begin(Arm(299, 0)), 0.9, 5) == CommonState()


def test_what_fails_always_can_not_become_worse():
    assert begin(Arm(2000, 2000)) == CommonState()
    assert begin(Arm(2000, 1999)) == CommonState()
    assert 0.95 < begin(Arm(2000, 1900)).tolerated < 1


def test_what_is_tolerated_is_about_twice_the_usual_rate():
    assert 0.04 < USUAL.tolerated < 0.05
    assert begin(Arm(5000, 0)).tolerated < 0.02


@pytest.mark.parametrize("rate", [0.1, 0.3, 1.0])
def test_an_outage_is_seen_within_seconds_and_seen_to_be_over(rate):
    during = play(play(USUAL, 0.02, 60), rate, 10)
    assert during.worse
    assert not play(during, 0.02, 30).worse


def test_it_stays_seen_as_long_as_it_lasts():
    state = play(USUAL, 0.02, 30)
    for second in range(60):
        state = play(state, 0.3, 1, seed=second)
        assert state.worse or second < 5


def test_a_usual_hour_is_no_outage():
    for seed in range(5):
        assert not play(USUAL, 0.02, 720, seed=seed).worse


def test_a_window_without_requests_changes_nothing():
    assert step(USUAL, Arm(0, 0)) == USUAL
