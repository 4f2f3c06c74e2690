"""The test of values that go up and down: it needs batches that are not alike, and counts nothing twice."""

from __future__ import annotations

import random
from math import inf, isclose, log, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.verdict import gauges
from fairlead.verdict.gauges import FEWEST, MOST, Gauge, GaugeState


def after(differences: list[float], gauge: Gauge = Gauge(), **more: float) -> GaugeState:  # noqa: B008 - it is frozen
    state = GaugeState(gauge, **more)
    for value in differences:
        state = gauges.step(state, 10.0, 10.0 + value)
    return state


def noise(count: int, shift: float = 0.0, seed: int = 0) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(shift, 1.0) for _ in range(count)]


def test_fewer_batches_say_nothing() -> None:
    assert after(noise(FEWEST - 1, 50.0)).log_evidence == 0.0
    assert after(noise(FEWEST, 50.0)).log_evidence > log(1000)


def test_the_formula() -> None:
    state = after(noise(FEWEST + 3, 0.8))
    assert state.length == 1
    n, mean = len(state.means), sum(state.means) / len(state.means)
    spread = sum((value - mean) ** 2 for value in state.means) / (n - 1)
    left = max(0.0, gauges.correlation(state.means) + 1 / n + 1.5 / n**0.5)
    t2, r = n * mean**2 / (spread * (1 + left) / (1 - left)), 1 / (1 + n)
    expected = 0.5 * log(r) + n / 2 * (log(1 + t2 / (n - 1)) - log(1 + r * t2 / (n - 1)))
    assert isclose(state.log_evidence, expected, rel_tol=1e-12)


def test_which_direction_is_worse() -> None:
    higher = noise(60, 3.0)
    assert after(higher).log_evidence > 5
    assert after(higher, Gauge("Higher")).log_evidence == 0.0
    assert after([-value for value in higher], Gauge("Higher")).log_evidence == after(higher).log_evidence


def test_what_is_tolerated_is_no_harm() -> None:
    assert after(noise(200, 3.0), Gauge(tolerance=3.5)).log_evidence == 0.0
    assert after(noise(200, 3.0), Gauge(tolerance=1.0)).log_evidence > 5


def test_alike_values_are_put_together() -> None:
    rng, value, walk = random.Random(1), 0.0, []
    for _ in range(600):
        value = 0.97 * value + rng.gauss(0.0, 0.25)
        walk.append(value)
    state = after(walk)
    assert state.length >= 16
    assert len(state.means) < MOST
    assert state.log_evidence < log(100)


def test_a_constant_difference_is_seen_as_one() -> None:
    assert after([0.0] * 500).log_evidence == 0.0
    assert after([-1.0] * 500).log_evidence == 0.0
    assert after([1.0] * FEWEST).log_evidence > log(1000)


def test_a_design_effect_costs_evidence() -> None:
    shifted = noise(40, 1.0)
    assert after(shifted, design_effect=4.0).log_evidence < after(shifted).log_evidence


@pytest.mark.parametrize("bad", [nan, inf, -inf, 1e200])
def test_what_is_no_value_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=r"finite|lies between"):
        gauges.step(GaugeState(), 1.0, bad)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=120))
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost(differences: list[float]) -> None:
    state = GaugeState()
    for value in differences:
        state = gauges.step(state, 0.0, value)
    assert state.windows == len(differences) == len(state.means) * state.length + state.rest[0]
    assert len(state.means) < MOST
    total = sum(state.means) * state.length + state.rest[1]
    assert isclose(total, sum(differences), rel_tol=1e-9, abs_tol=1e-3)
    assert state.log_evidence >= -0.5 * log(1 + MOST)


def test_healthy_gauges_are_left_alone_even_if_they_are_alike() -> None:
    """A small study; the large one is `python -m hack.bench verdicts`."""
    rng, found = random.Random(7), 0
    for _ in range(150):
        state, value = GaugeState(), 0.0
        for _ in range(200):
            value = 0.9 * value + rng.gauss(0.0, 1.0)
            state = gauges.step(state, 0.0, value)
            if state.log_evidence >= log(100):
                found += 1
                break
    assert found <= 6
