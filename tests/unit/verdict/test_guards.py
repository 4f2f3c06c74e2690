"""A guard over windows: replay, invariances, and its error rates in small simulations."""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.verdict import guards
from fairlead.verdict.failures import log_bound
from fairlead.verdict.guards import Arm, GuardState, Window, decode, divide, encode, replay, step

arm = st.integers(0, 500).flatmap(lambda n: st.builds(Arm, st.just(n), st.integers(0, n)))
window = st.builds(Window, arm, arm)
EMPTY = Window(Arm(), Arm())


@given(st.lists(window, max_size=8))
@settings(max_examples=30, deadline=None)
def test_a_replay_gives_the_same_bits(windows):
    assert replay(1.3, windows) == replay(1.3, windows)


@given(st.lists(window, max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_windows_does_not_matter(windows, rng):
    shuffled = list(windows)
    rng.shuffle(shuffled)
    first, second = replay(1.0, windows), replay(1.0, shuffled)
    assert first.log_evidence == pytest.approx(second.log_evidence, abs=1e-9)
    assert (first.stable, first.candidate) == (second.stable, second.candidate)


@given(st.lists(window, max_size=5), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_empty_windows_change_no_bit_of_the_evidence(windows, empty):
    assert replay(1.0, windows).log_lr == replay(1.0, [*[EMPTY] * empty, *windows]).log_lr


@given(st.lists(window, max_size=5))
@settings(max_examples=30, deadline=None)
def test_a_restart_in_the_middle_changes_no_bit(windows):
    """What goes through status as strings comes back as the same state."""
    state = GuardState(odds=1.7)
    for seen in windows:
        state = step(state, seen)
        state = GuardState(
            odds=decode(encode(state.odds)), log_lr=guards.decode_all(guards.encode_all(state.log_lr)),
            stable=state.stable, candidate=state.candidate, windows=state.windows,
        )  # fmt: skip
    assert state == replay(1.7, windows)


@given(st.floats(allow_nan=False))
def test_floats_survive_their_strings(value):
    assert decode(encode(value)) == value
    assert len(encode(value)) <= 32


def test_splitting_a_replica_changes_nothing():
    """Counts are added up before the test: one pod or two with the same sum give the same evidence."""
    halves = Window(Arm(40, 1) + Arm(50, 1), Arm(4, 1) + Arm(6, 2))
    assert replay(1.0, [halves]) == replay(1.0, [Window(Arm(90, 2), Arm(10, 3))])


def test_equal_arms_never_gain_evidence_and_both_worsening_is_not_harm():
    state = replay(1.0, [Window(Arm(90, 45), Arm(10, 5))] * 200)
    assert state.log_evidence < 0


def test_impossible_windows_are_refused():
    with pytest.raises(ValueError, match="impossible"):
        step(GuardState(), Window(Arm(10, 1), Arm(1, 2)))


def test_guards_share_the_false_alarms():
    assert divide(0.01, 4) == 0.0025
    with pytest.raises(ValueError, match="at least one"):
        divide(0.01, 0)
    assert Arm().rate is None
    assert Arm(10, 1).rate == 0.1


def _windows_to_harm(rng, rates, sizes, alpha, limit=60):
    state = GuardState()
    for number in range(1, limit + 1):
        stable, candidate = (Arm(n, int(rng.binomial(n, p))) for n, p in zip(sizes, rates, strict=True))
        state = step(state, Window(stable, candidate))
        if state.log_evidence >= log_bound(alpha):
            return number
    return limit + 1


@pytest.mark.parametrize(
    ("rates", "alpha", "most"),
    # A threefold rate: a test that knew the true odds ratio beforehand would need 12 windows; the grid costs 3 more.
    [((0.02, 0.20), 0.05, 2), ((0.02, 0.20), 0.01, 3), ((0.02, 0.06), 0.05, 16)],
)
def test_a_worse_candidate_is_found_within_the_stated_windows(rates, alpha, most):
    rng = np.random.default_rng(1)
    assert median(_windows_to_harm(rng, rates, (90, 10), alpha) for _ in range(401)) <= most


def test_a_healthy_candidate_is_rarely_rolled_back():
    """300 rollouts with changing weights, changing load and empty windows: at most alpha, with room for chance."""
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(300):
        state = GuardState()
        for index in range(30):
            load, share, rate = rng.choice((0, 20, 100)), (0.1, 0.25, 0.5)[index // 10], rng.choice((0.01, 0.05))
            sizes = (load - int(load * share), int(load * share))
            state = step(state, Window(*(Arm(int(n), int(rng.binomial(n, rate))) for n in sizes)))
            if state.log_evidence >= log_bound(0.05):
                alarms += 1
                break
    assert alarms / 300 <= 0.05
