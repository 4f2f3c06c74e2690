"""Rule 18: runs are cleared by outcome and age, and none that something live, or running, reaches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.plan.littleworld import LittleWorld
from tests.unit.plan.test_version_history import DAY, deployment, version

from fairlead.plan.core import DEPLOYMENT, MODEL_VERSION, PIPELINE_RUN, Json, rfc3339
from fairlead.plan.pipeline import plan as pipeline


def pipe(where: LittleWorld, **history: Any) -> None:
    where.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": {
        "steps": [{"name": "train", "image": "i"}], "history": history | {"versions": {"clear": False}},
    }})  # fmt: skip


def run(where: LittleWorld, number: int, days: float | None, phase: str = "Completed", **more: Any) -> Json:
    """The run `p-<number>`, which has ended so many days ago; None: it is under way."""
    over = {"phase": phase, "finishedAt": rfc3339(where.now - days * DAY)} if days is not None else {"phase": "Running"}
    return where.put({
        "kind": "PipelineRun", "spec": {"pipeline": "p"} | more.pop("spec", {}),
        "metadata": {"name": f"p-{number}", "uid": f"run-{number}", "labels": {"fairlead.dev/pipeline": "p"},
                     "creationTimestamp": rfc3339(where.now - 1000 * DAY + number)} | more.pop("metadata", {}),
        "status": over | more,
    })  # fmt: skip


def left(where: LittleWorld) -> list[str]:
    """The runs that stay."""
    where.settle(pipeline.SPEC, "p")
    return [raw["metadata"]["name"] for raw in where.select(PIPELINE_RUN)]


def test_what_ended_too_long_ago_goes_and_the_newest_stays() -> None:
    where = LittleWorld()
    pipe(where, ttl="90d")
    run(where, 1, 200), run(where, 2, 91, "Failed"), run(where, 3, 89), run(where, 4, 88, "Aborted")
    assert left(where) == ["p-3", "p-4"]
    plan = where.look(pipeline.SPEC, "p")
    assert plan.requeue_after == pytest.approx(DAY, abs=1), "it is looked at when the next one is old enough"
    where.now += 1.01 * DAY
    assert left(where) == ["p-4"]
    where.now += 1000 * DAY
    assert left(where) == ["p-4"], "by the newest the Pipeline says how it stands"


def test_without_a_ttl_age_is_no_matter() -> None:
    where = LittleWorld()
    pipe(where)
    run(where, 1, 5000), run(where, 2, 4000)
    assert left(where) == ["p-1", "p-2"]


def served(where: LittleWorld, name: str, role: str) -> None:
    """A Deployment for which a version is this."""
    if role == "live":
        deployment(where, live={"version": name})
    elif role == "candidate":
        deployment(where, live={"version": "x"}, candidate={"version": name})
    else:
        deployment(where, live={"version": "x"}, history=[{"version": name, "result": "Superseded"}])


@pytest.mark.parametrize("role", ["live", "candidate", "the way back"])
def test_runs_of_versions_that_are_live_candidates_or_the_way_back_stay(role: str) -> None:
    where = LittleWorld()
    pipe(where, succeeded=1, ttl="1d")
    for number in range(1, 5):
        run(where, number, 100.0, models=[f"m-{number}"])
        version(where, number)
    served(where, "m-2", role)
    assert left(where) == ["p-2", "p-4"]
    where.remove(DEPLOYMENT, "front")
    assert left(where) == ["p-4"]


def test_a_version_of_the_same_name_that_somebody_else_made_keeps_nothing() -> None:
    where = LittleWorld()
    pipe(where, succeeded=1)
    run(where, 1, 100.0, models=["m-9"]), run(where, 2, 99.0)
    version(where, 9)
    served(where, "m-9", "live")
    assert left(where) == ["p-2"]


@pytest.mark.parametrize("spec", [{"resumeFrom": "p-1"}, {"reason": "p-1"}])
def test_what_a_run_that_is_under_way_names_stays_until_that_is_over(spec: Json) -> None:
    where = LittleWorld()
    pipe(where, succeeded=1)
    run(where, 1, 100.0), run(where, 2, 99.0)
    run(where, 3, None, spec=spec)
    assert left(where) == ["p-1", "p-2", "p-3"]
    where.objects[("PipelineRun", "p-3")]["status"] = {"phase": "Failed", "finishedAt": rfc3339(where.now)}
    assert left(where) == ["p-2", "p-3"]


def test_a_log_that_is_still_to_be_kept_and_a_persons_word_keep_a_run() -> None:
    where = LittleWorld()
    pipe(where, succeeded=1)
    run(where, 1, 100.0, steps=[{"name": "train", "log": {"attempt": 1, "pod": "x"}}])
    run(where, 2, 99.0, metadata={"annotations": {"fairlead.dev/keep": "audit"}})
    run(where, 3, 98.0), run(where, 4, 97.0)
    assert left(where) == ["p-1", "p-2", "p-4"]
    where.objects[("PipelineRun", "p-1")]["status"]["steps"][0]["log"] = {"attempt": 1, "problem": "gone"}
    assert left(where) == ["p-2", "p-4"]


def test_who_can_not_be_seen_may_need_anything() -> None:
    where = LittleWorld()
    pipe(where, succeeded=1)
    run(where, 1, 100.0, models=["m-1"]), run(where, 2, 99.0)
    version(where, 1)
    where.unserved.add(DEPLOYMENT)
    assert left(where) == ["p-1", "p-2"]


def test_nonsense_in_a_run_keeps_it_and_stops_nothing() -> None:
    where = LittleWorld()
    pipe(where, succeeded=1)
    run(where, 1, 100.0, models=["m-1"]), run(where, 2, 99.0), run(where, 3, 98.0)
    version(where, 1)["spec"].pop("model")
    served(where, "other", "live")
    assert left(where) == ["p-1", "p-3"]


@settings(max_examples=60, deadline=None)
@given(
    ages=st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["Completed", "Failed", "Aborted"])), max_size=12),
    succeeded=st.integers(1, 5), failed=st.integers(1, 5), ttl=st.sampled_from([None, 1, 50, 200]),
    live=st.integers(0, 12),
)  # fmt: skip
def test_no_run_goes_that_the_rules_keep_and_none_stays_that_nothing_keeps(
    ages: list[tuple[int, str]], succeeded: int, failed: int, ttl: int | None, live: int
) -> None:
    where = LittleWorld()
    pipe(where, succeeded=succeeded, failed=failed, **({"ttl": f"{ttl}d"} if ttl else {}))
    for number, (age, phase) in enumerate(sorted(ages, reverse=True), 1):
        run(where, number, age + 0.5, phase, models=[f"m-{number}"])
        version(where, number)
    served(where, f"m-{live}", "live")
    stay, counts = left(where), {True: succeeded, False: failed}
    for number in range(len(ages), 0, -1):
        age, phase = sorted(ages, reverse=True)[number - 1]
        room = counts[phase == "Completed"] > 0
        counts[phase == "Completed"] -= 1
        young = ttl is None or age + 0.5 < ttl or number == len(ages)
        assert (f"p-{number}" in stay) == ((room and young) or number == live), (number, stay)
    assert len(where.select(MODEL_VERSION)) == len(ages)
