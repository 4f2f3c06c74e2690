"""The engine as a whole: five verdicts, what freezes, what ends, and that it can be replayed."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.verdict import engine
from fairlead.verdict.engine import Metric, Rules, Seen
from fairlead.verdict.guards import Arm, Window
from fairlead.verdict.margin import margin

ONE = Rules((Metric("errors"),), false_alarms=0.05)
arm = st.integers(0, 300).flatmap(lambda n: st.builds(Arm, st.just(n), st.integers(0, n)))
window = st.builds(Window, arm, arm)


def seen(t, stable, candidate, share=0.1, **more):
    windows = {"errors": Window(Arm(*stable), Arm(*candidate))} | more
    return Seen(t, windows, (stable[0], candidate[0]), share)


def play(rules, *windows):
    state = engine.begin(rules)
    for one in windows:
        state = engine.step(rules, state, one)
    return state, engine.conclude(rules, state)


def test_the_published_vector():
    state, found = play(ONE, seen(1, (900, 6), (100, 4)))
    assert state.guards[0].log_evidence == pytest.approx(log(10.7709), abs=1e-4)
    assert found.verdict == "continue"


def test_harm_counts_even_where_other_evidence_is_missing():
    rules = Rules((Metric("errors"), Metric("outcomes")), false_alarms=0.05)
    _, found = play(rules, seen(1, (900, 2), (100, 30)))
    assert (found.verdict, found.metric) == ("harm", "errors")


@pytest.mark.parametrize(
    ("windows", "reason"),
    [
        ([], "NotBegun"),
        ([Seen(1, {})], "NothingRead"),
        ([seen(1, (90, 1), (10, 0)), Seen(2, {})], "NothingRead"),
        ([seen(1, (500, 1), (500, 1), share=0.1)], "SplitWrong"),
    ],
)
def test_what_freezes(windows, reason):
    _, found = play(ONE, *windows)
    assert (found.verdict, found.reason) == ("noEvidence", reason)


def test_a_metric_that_falls_silent_freezes_after_a_while():
    rules = Rules((Metric("errors"), Metric("outcomes")), false_alarms=0.05, fresh=5)
    outcomes = {"outcomes": Window(Arm(10, 0), Arm(10, 0))}
    first = seen(1, (90, 0), (10, 0), **outcomes)
    assert play(rules, first, seen(5, (90, 0), (10, 0)))[1].verdict == "continue"
    assert play(rules, first, seen(7, (90, 0), (10, 0)))[1] == engine.Conclusion(
        "noEvidence", "outcomes", "NothingRead"
    )


def test_a_common_cause_freezes_and_is_over_when_it_is_over():
    rules = Rules((Metric("errors"),), 0.05, before=Arm(10_000, 100))
    usual = [Seen(t, {"errors": Window(Arm(90, 1), Arm(10, 0))}, live=Arm(90, 1)) for t in range(20)]
    outage = [Seen(20 + t, {"errors": Window(Arm(90, 45), Arm(10, 5))}, live=Arm(90, 45)) for t in range(5)]
    after = [Seen(30 + t, {"errors": Window(Arm(90, 1), Arm(10, 0))}, live=Arm(90, 1)) for t in range(20)]
    assert play(rules, *usual)[1].verdict == "continue"
    assert play(rules, *usual, *outage)[1] == engine.Conclusion("noEvidence", reason="LiveWorse")
    assert play(rules, *usual, *outage, *after)[1].verdict == "continue"


def test_patience_ends_what_is_not_proven():
    rules = Rules((Metric("errors", "guardrail", margin(0.01, 0.01), 0.01, 0.01),), 0.05, patience=10)
    _, found = play(rules, seen(0, (90, 1), (10, 0)), seen(10, (90, 1), (10, 0)))
    assert (found.verdict, found.reason) == ("undecided", "PatienceExceeded")


def test_a_guardrail_is_proven_by_enough_traffic_and_a_target_by_being_better():
    rng = np.random.default_rng(3)
    guardrail = Rules((Metric("errors", "guardrail", margin(0.01, 0.02), 0.01, 0.02),), 0.05)
    target = Rules((Metric("errors", "target"),), 0.05)
    equal = [seen(t, (500, int(rng.binomial(500, 0.01))), (500, int(rng.binomial(500, 0.01))), 0.5) for t in range(40)]
    better = [seen(t, (500, int(rng.binomial(500, 0.05))), (500, int(rng.binomial(500, 0.01))), 0.5) for t in range(40)]
    assert play(guardrail, *equal)[1].verdict == "safe"
    assert play(target, *better)[1].verdict == "safe"
    assert play(target, *equal)[1].verdict == "continue"


def test_a_design_effect_slows_evidence_by_its_factor():
    slow = Rules((Metric("errors"),), 0.05, design_effect=2.0)
    one = seen(1, (900, 6), (100, 4))
    assert play(slow, one)[0].guards[0].log_lr == pytest.approx([v / 2 for v in play(ONE, one)[0].guards[0].log_lr])


def test_a_design_effect_keeps_false_alarms_rare_where_requests_fail_in_pairs():
    """Each failure comes twice: without the design effect false alarms are too many, with it they are not."""
    rng = np.random.default_rng(1)

    def alarms(effect):
        rules = Rules((Metric("errors"),), 0.05, design_effect=effect)
        found = 0
        for _ in range(150):
            pairs = [(int(rng.binomial(100, 0.05)), int(rng.binomial(100, 0.05))) for _ in range(40)]
            state, hit = engine.begin(rules), False
            for t, (stable, candidate) in enumerate(pairs):
                state = engine.step(rules, state, seen(t, (400, 2 * stable), (400, 2 * candidate), 0.5))
                hit = hit or engine.conclude(rules, state).verdict == "harm"
            found += hit
        return found

    assert alarms(1.0) > 2 * alarms(2.0)
    assert alarms(2.0) <= 14  # 5 % of 150, and the upper end of its 99 % interval


def test_the_clock_does_not_go_back():
    with pytest.raises(ValueError, match="goes back"):
        play(ONE, seen(2, (9, 0), (1, 0)), seen(1, (9, 0), (1, 0)))


@given(st.lists(window, max_size=8))
@settings(max_examples=25, deadline=None)
def test_a_replay_gives_the_same_bits(windows):
    trace = [
        Seen(t, {"errors": one}, (one.stable.requests, one.candidate.requests), 0.3) for t, one in enumerate(windows)
    ]
    assert play(ONE, *trace) == play(ONE, *trace)


@given(st.lists(window, min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_windows_that_were_not_read_change_no_evidence(windows):
    trace = [Seen(2 * t, {"errors": one}) for t, one in enumerate(windows)]
    gaps = [moment for one in trace for moment in (one, Seen(one.t + 1, {}))]
    assert play(ONE, *trace)[0].guards == play(ONE, *gaps)[0].guards
    assert exp(play(ONE, *trace)[0].guards[0].log_evidence) >= 0
