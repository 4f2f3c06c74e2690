"""Test A with the versions exchanged: the chance to be called ahead wrongly, and how soon it is found rightly."""

from __future__ import annotations

import random
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.verdict import failures
from fairlead.verdict.ahead import Ahead, alone, shown, step
from fairlead.verdict.counted import Arm, Window
from fairlead.verdict.guards import GuardState
from fairlead.verdict.guards import step as guard_step

BOUND = log(100)


def window(live: tuple[int, int], own: tuple[int, int]) -> Window:
    return Window(Arm(*live), Arm(*own))


def test_b11_the_case_itself() -> None:
    state = step(Ahead(), window((77, 77), (81, 0)))
    assert shown(state, BOUND)
    assert alone(state, BOUND)
    assert not shown(step(Ahead(), window((77, 77), (81, 81))), BOUND)
    assert not shown(step(Ahead(), window((77, 0), (81, 81))), BOUND)


def test_b11_half_of_the_answers_are_something_to_compare_with() -> None:
    state = step(Ahead(), window((100, 50), (100, 0)))
    assert shown(state, BOUND)
    assert not alone(state, BOUND)


counts = st.integers(0, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(st.lists(st.tuples(counts, counts), max_size=6))
def test_b11_it_is_test_a_with_the_versions_exchanged(windows: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    mine, guard = Ahead(), GuardState()
    for live, own in windows:
        mine, guard = step(mine, window(live, own), 2.0), guard_step(guard, window(own, live))
    assert mine.log_evidence == pytest.approx(failures.log_mean([value / 2 for value in guard.log_lr]))


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.9])
def test_b11_equal_versions_are_hardly_ever_called_ahead(rate: float) -> None:
    draw, bound, wrong = random.Random(7), log(20), 0
    for _ in range(300):
        state = Ahead()
        for _ in range(60):
            live, own = (sum(draw.random() < rate for _ in range(n)) for n in (45, 5))
            state = step(state, window((45, live), (5, own)))
            if shown(state, bound):
                wrong += 1
                break
    assert wrong <= 300 * 0.05


def test_b11_a_long_good_time_does_not_hide_it_for_long() -> None:
    draw, state = random.Random(1), Ahead()
    for _ in range(500):
        live, own = (sum(draw.random() < 0.01 for _ in range(n)) for n in (90, 10))
        state = step(state, window((90, live), (10, own)))
    needed = 0
    while not shown(state, BOUND):
        state, needed = step(state, window((90, 90), (10, 0))), needed + 1
    assert needed <= 3
