"""Test G: equal ages only, each bucket once, and evidence that doesn't depend on the order of arrival."""

from __future__ import annotations

import random
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.verdict.cohorts import Bucket, Cell, compare, coverage, labelled, ledger, predicted
from fairlead.verdict.failures import log_bound
from fairlead.verdict.guards import Arm, GuardState, Window, step

HOUR = 3600.0
sides = st.sampled_from(["stable", "candidate"])
answered = st.tuples(sides, st.floats(0, 5 * HOUR), st.floats(0, 2 * HOUR), st.booleans())
"""Arm, time of the prediction, age of its label, whether it was wrong. The deadline is one hour."""


def filled(events):
    state = ledger(HOUR / 2, HOUR)
    for side, made, _, _ in events:
        state = predicted(state, side, made)
    return state


def read(state, events):
    for side, made, age, wrong in events:
        state = labelled(state, side, made, made + age, 1, int(wrong))
    return state


@given(st.lists(answered, max_size=25), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_in_which_labels_are_read_changes_nothing(events, rng):
    shuffled = list(events)
    rng.shuffle(shuffled)
    first, second = (compare(read(filled(events), order), 10 * HOUR) for order in (events, shuffled))
    assert first == second


@given(st.lists(answered, max_size=20), st.lists(st.floats(0, 8 * HOUR), max_size=4))
@settings(max_examples=40, deadline=None)
def test_looking_in_between_changes_nothing(events, looks):
    """Labels are read when they arrive; the ledger is judged at any times in between, or only at the end."""
    at_once, expected = compare(read(filled(events), events), 10 * HOUR)
    arrivals = [(made + age, 0, (side, made, age, wrong)) for side, made, age, wrong in events]
    state, got = filled(events), []
    for time, is_look, event in sorted([*arrivals, *((look, 1, ()) for look in looks)], key=lambda e: e[:2]):
        if is_look:
            state, due = compare(state, time)
            got += due
        else:
            state = read(state, [event])
    state, due = compare(state, 10 * HOUR)
    assert tuple(got) + due == expected
    assert (state.late, state.judged) == (at_once.late, at_once.judged)
    assert coverage(state) == pytest.approx(coverage(at_once), abs=1e-9)


@given(st.lists(answered, max_size=25))
@settings(max_examples=40, deadline=None)
def test_every_label_is_judged_or_late_and_none_twice(events):
    state, cohorts = compare(read(filled(events), events), 10 * HOUR)
    judged = sum(c.bucket.stable.labels + c.bucket.candidate.labels for c in cohorts)
    late = state.late.stable.labels + state.late.candidate.labels
    assert judged == sum(age <= HOUR for made, age in ((e[1], e[1] + e[2] - e[1]) for e in events))
    assert judged + late == len(events)
    assert compare(state, 20 * HOUR)[1] == ()
    assert state.open == ()


def test_a_bucket_is_due_when_the_deadline_has_passed_for_its_last_prediction():
    state = labelled(predicted(predicted(ledger(60, 600), "stable", 0, 3), "candidate", 59, 2), "stable", 0, 5, 2, 1)
    assert compare(state, 659.9)[1] == ()
    state, cohorts = compare(state, 660)
    assert [(c.start, c.window) for c in cohorts] == [(0.0, Window(Arm(2, 1), Arm(0, 0)))]
    assert cohorts[0].bucket == Bucket(Cell(3, 2, 1), Cell(2, 0, 0))


def test_what_comes_after_its_bucket_was_judged_is_counted_and_never_judged():
    state, _ = compare(predicted(ledger(60, 600), "stable", 0, 3), 1000)
    state = predicted(labelled(state, "stable", 0, 500, 2, 1), "candidate", 10)
    assert state.late == Bucket(Cell(0, 2, 1), Cell(1, 0, 0))
    assert compare(state, 5000)[1] == ()
    assert compare(state, 10)[0].judged == state.judged


def test_a_young_candidate_is_not_compared_with_old_labels():
    """Wrong predictions are labelled at once, right ones after half an hour: by age, both arms are alike."""
    rng, state, guard = random.Random(1), ledger(300, HOUR), GuardState()
    naive, young = GuardState(), 0
    events = []
    for t in range(0, 7200, 60):
        for side, n in (("stable", 20), ("candidate", 20 if t >= 3600 else 0)):
            wrong = sum(rng.random() < 0.2 for _ in range(n))
            state = predicted(state, side, t, n)
            events += [(t, side, t + 1, wrong, wrong), (t, side, t + 1800, n - wrong, 0)]
    seen = {"stable": Arm(), "candidate": Arm()}
    for made, side, arrived, labels, wrong in sorted(events, key=lambda e: e[2]):
        state = labelled(state, side, made, arrived, labels, wrong)
        if arrived <= 4800:
            seen[side] += Arm(labels, wrong)
            young = max(young, made)
    naive = step(naive, Window(seen["stable"], seen["candidate"]))
    assert naive.log_evidence > log_bound(0.001)
    state, cohorts = compare(state, 4 * HOUR)
    for cohort in cohorts:
        guard = step(guard, cohort.window)
    assert guard.candidate.requests == 1200
    assert guard.log_evidence < log_bound(0.05)
    assert coverage(state) == 0.0


def covered(rng, share_stable, share_candidate, tolerated=1.0):
    state = ledger(60, 0)
    for t in range(0, 1200, 60):
        for side, n, share in (("stable", 90, share_stable), ("candidate", 10 + t % 120 // 4, share_candidate)):
            got = sum(rng.random() < share for _ in range(n))
            state = labelled(predicted(state, side, t, n), side, t, t, got)
    return coverage(compare(state, 1200, tolerated)[0])


def test_unequal_coverage_is_found_to_both_sides():
    rng = random.Random(2)
    assert covered(rng, 0.9, 0.6) > log_bound(0.001)
    assert covered(rng, 0.6, 0.9) > log_bound(0.001)
    assert covered(rng, 0.6, 0.7, tolerated=2.0) < log_bound(0.05)


def test_equal_coverage_is_hardly_ever_refused():
    rng = random.Random(3)
    assert sum(covered(rng, 0.8, 0.8) >= log_bound(0.2) for _ in range(40)) <= 4


def test_a_label_counted_twice_sets_its_bucket_aside():
    state = labelled(predicted(predicted(ledger(60, 0), "stable", 0, 2), "stable", 60, 5), "stable", 0, 0, 3)
    state, cohorts = compare(state, 600)
    assert [c.start for c in cohorts] == [60.0]
    assert state.refused == 1


def test_impossible_input_is_refused():
    state = ledger(60, 600)
    for width, within in ((0, 1), (-1, 1), (60, -1), (nan, 1), (60, inf)):
        with pytest.raises(ValueError, match=r"width|within"):
            ledger(width, within)
    for count in (-1, nan, 0.5):
        with pytest.raises(ValueError, match="whole number"):
            predicted(state, "stable", 0, count)
    for made, arrived, labels, wrong in ((0, -1, 1, 0), (0, 1, 1, 2), (0, nan, 1, 0), (inf, inf, 1, 0)):
        with pytest.raises(ValueError, match=r"impossible|finite"):
            labelled(state, "stable", made, arrived, labels, wrong)
    with pytest.raises(ValueError, match="stable or candidate"):
        predicted(state, "stabel", 0)
    for tolerated in (0.5, nan, inf):
        with pytest.raises(ValueError, match="odds ratio"):
            compare(state, 0, tolerated)
    with pytest.raises(ValueError, match="now"):
        compare(state, nan)
