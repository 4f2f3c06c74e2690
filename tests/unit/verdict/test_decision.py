"""The order of a decision, and what may be left out of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fairlead.verdict import decision, engine
from fairlead.verdict.decision import Conclusion, Known, Said
from fairlead.verdict.engine import Metric, Rules, Seen
from fairlead.verdict.guards import Arm, Window

QUIET = Said("errors")
WORSE = QUIET._replace(harm=True)
MUTE = Said("scores", silent="TooFewSamples", wanting=True, comparing=True, unprovable=True)
UNSHOWN = Said("latency", proof=1.0, unprovable=True)
ALL = Known([MUTE, WORSE], 3.0, live_worse=True, split_wrong=True, held="Told")


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (ALL, Conclusion("harm", "errors", "Worse")),
        (replace(ALL, metrics=[MUTE, QUIET]), Conclusion("noEvidence", "scores", "TooFewSamples")),
        (replace(ALL, metrics=[QUIET]), Conclusion("noEvidence", reason="LiveWorse")),
        (replace(ALL, metrics=[QUIET], ahead=True), Conclusion("noEvidence", reason="SplitWrong")),
        (Known([UNSHOWN], 3.0, held="Told"), Conclusion("noEvidence", reason="Told")),
        (Known([UNSHOWN], 3.0), Conclusion("continue", "latency", "Unproven")),
        (Known([UNSHOWN._replace(proof=3.0)], 3.0), Conclusion("safe")),
        (Known([QUIET], 3.0), Conclusion("continue")),
        (Known([QUIET], 3.0, begun=False), Conclusion("noEvidence", reason="NotBegun")),
    ],
)
def test_the_order(known: Known, found: Conclusion) -> None:
    assert decision.conclude(known) == found


def test_where_the_candidate_alone_answers_only_what_needs_the_other_s_answers_is_not_missed() -> None:
    alone = Known([MUTE, UNSHOWN], 3.0, alone=True)
    assert decision.conclude(alone) == Conclusion("safe")
    assert decision.waived(alone) == "Answers"
    for mute in (MUTE._replace(wanting=False), UNSHOWN._replace(silent="NoHistogram", wanting=True)):
        assert decision.silent(replace(alone, metrics=[mute])) == mute
    assert decision.waived(replace(alone, metrics=[UNSHOWN])) is None
    assert decision.waived(Known([MUTE], 3.0, live_worse=True, ahead=True)) == "LiveWorse"


def test_what_is_not_done_in_time_is_not_decided() -> None:
    assert decision.conclude(Known([UNSHOWN], 3.0), impatient=True).verdict == "undecided"
    assert decision.conclude(ALL, impatient=True).verdict == "harm"


RULES = Rules((Metric("errors"), Metric("outcomes")), false_alarms=0.5)
BAD = Window(Arm(900, 2), Arm(100, 12))


def test_other_rules_alone_decide_nothing() -> None:
    strict = replace(RULES, false_alarms=1e-12)
    state = engine.step(strict, engine.begin(strict), Seen(1.0, {"errors": BAD, "outcomes": BAD}))
    assert not any(state.harm)
    state = engine.step(RULES, state, Seen(2.0, {"errors": Window(Arm(9, 0), Arm(1, 0))}))
    assert state.harm == (True, False), "only a window of its own does"


def test_nothing_follows_from_what_is_doubted() -> None:
    state = engine.step(RULES, engine.begin(RULES), Seen(1.0, {"errors": BAD}, doubted=["errors"]))
    assert state.guards[0].log_evidence > RULES.bound
    assert not any(state.harm)
    assert engine.step(RULES, state, Seen(2.0, {"errors": BAD})).harm == (True, False)


@pytest.mark.parametrize(
    ("shared", "share", "silent"), [(True, 1.0, ()), (True, 0.5, ("scores",)), (False, 1.0, ("scores",))]
)
def test_what_is_shared_is_not_missed_where_one_version_answers_all(
    shared: bool, share: float, silent: tuple[str, ...]
) -> None:  # fmt: skip
    rules = Rules((Metric("errors"), Metric("scores", shared=shared)), false_alarms=0.05)
    state = engine.step(rules, engine.begin(rules), Seen(1.0, {"errors": Window(Arm(), Arm(9, 0))}, share=share))
    assert state.silent == silent


@pytest.mark.parametrize(("unprovable", "verdict"), [(True, "safe"), (False, "continue")])
def test_what_can_not_be_proven_is_not_waited_for_where_the_candidate_alone_answers(
    unprovable: bool, verdict: str
) -> None:
    rules = Rules((Metric("latency", "guardrail", worse_by=0.1, unprovable=unprovable),), false_alarms=0.05)
    answers = Window(Arm(200, 200), Arm(200, 0))
    state = engine.step(rules, engine.begin(rules), Seen(1.0, {"latency": Window(Arm(), Arm())}, answers=answers))
    assert engine.conclude(rules, state).verdict == verdict
