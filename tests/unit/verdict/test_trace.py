"""Traces: what can be read, what is refused and where, and that what is written reads the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.verdict.guards import Arm, Window
from fairlead.verdict.trace import BadTrace, Began, Ended, Line, Prior, Stepped, Told, read, write

GOOD = {"t": 12.0, "arms": {"stable": {"requests": 90, "failures": 1}, "candidate": {"requests": 10, "failures": 2}}}


def one(body):
    return next(read([body if isinstance(body, str) else json.dumps(body)]))


def test_a_window():
    assert one(GOOD) == Line(12.0, None, {"errors": Window(Arm(90, 1), Arm(10, 2))}, (90, 10))


def test_a_missing_arm_is_no_evidence():
    assert one({"t": 1, "arms": {"stable": {"requests": 90, "failures": 1}}}) == Line(1.0)
    assert one({"t": 1, "arms": {}}) == Line(1.0)


def test_other_metrics_stand_by_their_names():
    counts = {"requests": 5, "failures": 1}
    found = one({"t": 1, "arms": {a: {"metrics": {"1/latency": counts}} for a in ("stable", "candidate")}})
    assert found.windows == {"1/latency": Window(Arm(5, 1), Arm(5, 1))}
    assert found.traffic is None


def test_what_was_known_before():
    found = one({"live": {"requests": 100, "failures": 3}})
    assert isinstance(found, Prior)
    assert found.live == Arm(100, 3)
    margins = {"errors": {"odds": 1.5, "floor": 0.02, "rate": 0.01, "worseBy": 0.01}}
    known = one({"margins": margins})
    assert isinstance(known, Prior)
    assert known.metrics["errors"].margin.odds == 1.5


def test_lines_of_other_forms_are_passed_over():
    assert list(read(['{"t": 1, "waived": "m-2 alone answers"}', "", "  "])) == []


def test_what_a_ledger_has_besides():
    assert one({"t": 1, "step": 2, "weight": 50}) == Stepped(1.0, 2, 50.0)
    assert one({"t": 1, "now": "Continue"}) == Told(1.0, "Continue")
    assert one({"t": 1, "rollout": {"steps": []}, "version": "m-2"}) == Began({"steps": []}, "m-2")
    assert one({"t": 1, "end": "Live", "reason": "Promoted"}) == Ended(1.0, "Live", "Promoted")
    found = one(GOOD | {"split": None, "logEvidence": {"0/errors": "1.5"}})
    assert isinstance(found, Line)
    assert (found.traffic, found.found) == (None, {"0/errors": "1.5"})


def arms(stable, candidate):
    return GOOD | {"arms": {"stable": stable, "candidate": candidate}}


FINE = {"requests": 10, "failures": 1}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "line 1"),
        ("[]", "not an object"),
        (GOOD | {"t": None}, "t is a number"),
        (GOOD | {"t": True}, "t is a number"),
        ('{"t": NaN, "arms": {}}', "NaN"),
        ('{"t": 1, "arms": {"stable": {"requests": Infinity, "failures": 0}, "candidate": {}}}', "Infinity"),
        ('{"t": 1, "step": 1e999, "weight": 1}', "line 1"),
        (GOOD | {"t": 10**400}, "line 1"),
        (GOOD | {"weight": 101}, "between 0 and 100"),
        (arms(FINE, {"requests": 10, "failures": 11}), "11 failures of 10"),
        (arms(FINE, {"requests": -1, "failures": 0}), "not negative"),
        (arms(FINE, {"requests": 1.5, "failures": 0}), "whole number"),
        (arms(FINE, {"requests": 10}), "failures is"),
        (arms(FINE, {"requests": True, "failures": 0}), "whole number"),
        (GOOD | {"arms": {"canary": FINE}}, "unknown arm canary"),
        ({"margins": {"errors": {"odds": 0.5, "floor": 0, "rate": 0.1, "worseBy": 0}}}, "odds of at least 1"),
        ({"margins": {"errors": {"odds": 2}}}, "floor"),
    ],
)
def test_what_is_refused(body, words):
    with pytest.raises(BadTrace, match=words):
        one(body)


arm = st.integers(0, 10**6).flatmap(lambda n: st.builds(Arm, st.just(n), st.integers(0, n)))
names = st.sampled_from(["errors", "1/latency", "2/outcomes"])


@given(st.floats(0, 1e10), st.dictionaries(names, st.builds(Window, arm, arm), max_size=3))
@settings(max_examples=40, deadline=None)
def test_what_is_written_reads_the_same(t, windows):
    found = one(write(Line(t, 10, windows)))
    assert (found.t, found.weight, found.windows) == (t, 10, windows)
