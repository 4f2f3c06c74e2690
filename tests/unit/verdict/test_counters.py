"""Each unit of a counter is counted once: over resets, restarts, torn pages and late starts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.verdict.counters import advance, advance_all


def test_first_sight_is_a_baseline():
    assert advance(None, 500.0) == 0
    assert advance(None, 500.0, from_zero=True) == 500
    assert advance_all(None, (500.0, 20.0)).deltas == (0, 0)
    assert advance_all(None, (500.0, 20.0), from_zero=True).deltas == (500, 20)


def test_a_reset_counts_from_zero():
    assert advance(500.0, 7.0) == 7
    went_back = advance_all((500.0, 20.0), (7.0, 1.0))
    assert (went_back.deltas, went_back.cursor, went_back.reset) == ((7, 1), (7.0, 1.0), True)


def test_one_value_that_went_back_means_that_all_began_anew():
    # 600 requests are more than 500, but the failures show that the process is another one.
    assert advance_all((500.0, 20.0), (600.0, 3.0)).deltas == (600, 3)


def test_a_failure_seen_before_its_request_waits():
    first = advance_all((10.0, 0.0), (12.0, 3.0))
    assert (first.deltas, first.cursor) == ((2, 2), (12.0, 2))
    assert advance_all(first.cursor, (13.0, 3.0)).deltas == (1, 1)


def test_unrelated_counters_are_not_capped():
    assert advance_all((0.0, 0.0), (1.0, 5.0), parts=False).deltas == (1, 5)


def test_another_number_of_values_is_a_new_baseline():
    assert advance_all((10.0, 1.0), (20.0, 2.0, 5.0, 1.0), from_zero=True).deltas == (0, 0, 0, 0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_values_no_counter_has_are_refused(value):
    with pytest.raises(ValueError, match="not a counter"):
        advance(0.0, value)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=30), st.integers(0, 1000))
@settings(max_examples=60)
def test_all_units_are_counted_once_however_often_one_looks(steps, start):
    """The deltas of any series of looks add up to what one look at the end would have found."""
    requests, failures = float(start), 0.0
    cursor = (requests, failures)
    counted = [0, 0]
    for more, failed in steps:
        requests, failures = requests + more, failures + min(more, failed)
        seen = advance_all(cursor, (requests, failures))
        cursor, counted = seen.cursor, [counted[0] + seen.deltas[0], counted[1] + seen.deltas[1]]
    assert counted == [requests - start, failures]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
@settings(max_examples=60)
def test_fractions_are_not_lost_or_counted_twice(increments):
    value, cursor, counted = 0.0, 0.0, 0
    for increment in increments:
        value += increment
        counted += advance(cursor, value)
        cursor = value
    assert counted == int(value)
