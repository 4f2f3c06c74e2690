"""Margins: what is tolerated stays, what is harmful is found, whatever the live version's rate."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.verdict.failures import log_bound
from fairlead.verdict.guards import Arm, GuardState, Window, step
from fairlead.verdict.margin import Margin, log_excess, margin

BOUND = log_bound(0.01)


def rollout(seed: int, live: float, candidate: float, worse_by: float, windows: int) -> int | None:
    """Index of the window that shows harm, with 10 and 90 requests a window; None if none does."""
    rng = random.Random(seed)
    tolerated = margin(max(live, 1e-4), worse_by)
    state = GuardState(odds=tolerated.odds, floor=tolerated.floor)
    for index in range(windows):
        own, other = (sum(rng.random() < p for _ in range(n)) for p, n in ((candidate, 10), (live, 90)))
        state = step(state, Window(Arm(90, other), Arm(10, own)))
        if state.log_evidence >= BOUND:
            return index
    return None


def test_without_a_margin_nothing_is_tolerated() -> None:
    assert margin(0.02, 0.0) == Margin(odds=1.0, floor=0.0)
    assert log_excess(0, 100, 0.0) == float("inf")


@pytest.mark.parametrize("live", [0.0, 0.001, 0.02])
def test_a_sixth_that_fails_is_found_also_where_the_live_version_never_fails(live: float) -> None:
    found = [rollout(seed, live, 0.17, 0.005, 60) for seed in range(20)]
    assert None not in found
    assert sorted(f for f in found if f is not None)[10] <= 12


@pytest.mark.parametrize(("live", "candidate"), [(0.0, 0.004), (0.01, 0.015), (0.2, 0.205)])
def test_what_lies_within_the_margin_is_not_harm(live: float, candidate: float) -> None:
    assert sum(rollout(seed, live, candidate, 0.005, 150) is not None for seed in range(60)) <= 1


@given(st.floats(1e-6, 0.9), st.floats(1e-4, 0.5))
def test_a_margin_is_finite_and_above_its_own_size(rate: float, worse_by: float) -> None:
    found = margin(rate, worse_by)
    assert 1 <= found.odds < float("inf")
    assert worse_by < found.floor < 1
    assert log_excess(0, 50, found.floor) < 0


@given(st.integers(0, 50), st.floats(0.01, 0.9))
def test_more_failures_are_more_evidence(failures: int, floor: float) -> None:
    assert log_excess(failures + 1, 100, floor) > log_excess(failures, 100, floor)
