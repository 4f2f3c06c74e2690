"""A value in Prometheus: what is known of it, and for how long it has been so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.pipeline.trigger_examples import QUERY, above, value
from tests.unit.plan.littleworld import Crash, LittleWorld

from fairlead.plan.core import PIPELINE, PIPELINE_RUN, Json
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.requests import Failed, Vector

STEPS = [{"name": "train", "image": "i"}]


def world(bound: str = "0.5", **more: Any) -> LittleWorld:
    where = LittleWorld()
    value(where, 0.2)
    triggers = [above(bound, **{"for": "10m"} | more)]
    where.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": {"steps": STEPS, "triggers": triggers}})
    look(where)
    return where


def look(where: LittleWorld) -> Json:
    where.settle(pipeline.SPEC, "p")
    return where.status(PIPELINE, "p")


def pass_by(where: LittleWorld, seconds: float) -> Json:
    """Time passes, and it is looked when the plan wants to."""
    end = where.now + seconds
    while (again := where.settle(pipeline.SPEC, "p").requeue_after) is not None and where.now + again <= end:
        where.now += again
    where.now = end
    return look(where)


def runs(where: LittleWorld) -> int:
    return len(where.select(PIPELINE_RUN))


def test_it_must_be_so_for_all_the_time_and_writes_little() -> None:
    where = world()
    value(where, 0.7)
    writes = where.writes
    status = pass_by(where, 590)
    assert (runs(where), status["seen"][0]["state"]) == (0, "Holding")
    status = pass_by(where, 25)
    assert (runs(where), status["seen"][0]["state"]) == (1, "Asks")
    assert where.writes - writes <= 20
    writes = where.writes
    pass_by(where, 86400)
    assert (runs(where), where.writes) == (1, writes)
    assert status["seen"][0]["message"].startswith("the value is 0.7, which is above 0.5 since 2026-")


def test_a_long_time_is_written_down_some_twenty_times() -> None:
    where = world(**{"for": "1d"})
    value(where, 0.7)
    writes = where.writes
    pass_by(where, 86400 + 120)
    assert runs(where) == 1
    assert where.writes - writes <= 30


def test_one_look_at_which_it_is_not_so_begins_anew() -> None:
    where = world()
    value(where, 0.7)
    pass_by(where, 590)
    value(where, 0.2)
    look(where)
    value(where, 0.7)
    pass_by(where, 590)
    assert runs(where) == 0
    pass_by(where, 30)
    assert runs(where) == 1


@pytest.mark.parametrize(("gap", "more"), [(300.0, 300.0), (5000.0, 600.0)])
def test_a_gap_does_not_count_and_a_long_one_begins_anew(gap: float, more: float) -> None:
    where = world()
    value(where, 0.7)
    pass_by(where, 300)
    where.now += gap  # nobody looks
    look(where)
    pass_by(where, more - 20)
    assert runs(where) == 0
    pass_by(where, 40)
    assert runs(where) == 1


def test_time_without_an_answer_does_not_count() -> None:
    where = world()
    value(where, 0.7)
    pass_by(where, 300)
    where.answers[QUERY] = Failed("Unreachable", "connection refused")
    status = pass_by(where, 280)
    assert status["decisions"][0]["because"] == "Unreachable"
    value(where, 0.7)
    pass_by(where, 250)
    assert runs(where) == 0
    pass_by(where, 100)
    assert runs(where) == 1


@pytest.mark.parametrize(("answer", "reason", "remedy"), [
    (Failed("Unreachable", "connection refused"), "Unreachable", "asked again"),
    (Failed("BadQuery", "parse error"), "BadQuery", "correct query"),
    (Vector(()), "NoSeries", "scraped"),
    (Vector((("a", 1.0), ("b", 1.0))), "SeveralSeries", "sum(), avg(), min() or max()"),
    (Vector((), 1), "UnusableValue", "longer [range]"),
])  # fmt: skip
def test_what_nobody_knows_starts_nothing(answer: Any, reason: str, remedy: str) -> None:
    where = world(**{"for": "0s"})
    where.answers[QUERY] = answer
    status = pass_by(where, 3600)
    told = next(one for one in status["conditions"] if one["type"] == "TriggersObserved")
    assert (runs(where), told["status"], told["reason"]) == (0, "Unknown", reason)
    assert remedy in told["message"]
    assert [one["because"] for one in status["decisions"]] == [reason]
    value(where, 0.7)
    status = pass_by(where, 60)
    told = next(one for one in status["conditions"] if one["type"] == "TriggersObserved")
    assert (runs(where), told["status"]) == (1, "True")


def test_without_a_prometheus_it_says_what_to_set() -> None:
    where = LittleWorld()
    where.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": {"steps": STEPS, "triggers": [above("1")]}})
    told = next(one for one in look(where)["conditions"] if one["type"] == "TriggersObserved")
    assert (told["reason"], "prometheus.url" in told["message"]) == ("NoPrometheus", True)


@pytest.mark.parametrize(("bound", "side", "seen", "so"), [
    ("0.5", "above", 0.5, False), ("0.5", "above", 0.5000001, True), ("0.1", "below", 0.1, False),
    ("0.1", "below", 0.09999999999999999, True), ("-1e2", "below", -100.5, True), ("1e-6", "above", 0.0, False),
])  # fmt: skip
def test_numbers_are_compared_as_they_are_written(bound: str, side: str, seen: float, so: bool) -> None:
    where = LittleWorld()
    value(where, seen)
    entry = above(bound, **{"for": "0s"})
    entry["prometheus"] = {side if key == "above" else key: said for key, said in entry["prometheus"].items()}
    where.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": {"steps": STEPS, "triggers": [entry]}})
    look(where)
    assert bool(runs(where)) is so


LOOKS = st.tuples(
    st.sampled_from([20.0, 60.0, 61.0, 119.0, 125.0, 400.0, 700.0]),
    st.sampled_from(["so", "so", "so", "so", "not", "away"]),
    st.sampled_from([None, None, None, 0, 1]),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(LOOKS, max_size=40))
def test_it_asks_when_it_has_been_so_at_each_of_many_looks_and_only_then(looks: list[tuple[float, str, int]]) -> None:
    where = world()
    proven, last, asked = 0.0, "", False  # seconds between neighbouring looks that both saw it so
    for gap, said, crash in looks:
        where.now += gap
        if said == "away":
            where.answers[QUERY] = Failed("Unreachable", "")
        else:
            value(where, 0.7 if said == "so" else 0.2)
        before = runs(where)
        try:
            where.look(pipeline.SPEC, "p", crash)
        except Crash:
            pass
        else:
            look(where)
        if said == "so" and last == "so" and gap <= 120:
            proven += gap
        if said == "not":
            proven, asked = 0.0, False
        last = said
        if runs(where) > before:
            assert proven >= 600
            assert not asked
            asked = True
        for run in where.select(PIPELINE_RUN):
            run["status"] = {"phase": "Completed", "message": ""}
