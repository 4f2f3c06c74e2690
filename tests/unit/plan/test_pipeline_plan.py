"""When a pipeline runs, why it does not, and that a decision makes exactly one run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.plan.littleworld import START, Crash, LittleWorld

from fairlead.plan.core import PIPELINE, PIPELINE_RUN, Invalid, Json, epoch
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline import waking

STEPS = [{"name": "train", "image": "i", "inputs": {"rows": {"dataset": "flights"}}}]


def world(**spec: Any) -> LittleWorld:
    """A world with one pipeline."""
    found = LittleWorld()
    found.put({"kind": "Pipeline", "metadata": {"name": "p"}, "spec": {"steps": STEPS} | spec})
    return found


def dataset(where: LittleWorld, version: str) -> None:
    """The Dataset `flights` with this current version; empty: none yet."""
    one = {"version": version, "digest": "d" * 64, "manifest": "s3://store/m", "at": "2026-01-01T00:00:00Z"}
    status = {"current": one, "versions": [one]} if version else {}
    where.put({
        "kind": "Dataset", "metadata": {"name": "flights"},
        "spec": {"source": {"s3": {"bucket": "src"}}, "format": "parquet"}, "status": status,
    })  # fmt: skip


def look(where: LittleWorld) -> Json:
    """The status after looking until nothing changes."""
    where.settle(pipeline.SPEC, "p")
    return where.status(PIPELINE, "p")


def runs(where: LittleWorld) -> list[str]:
    """Names of the runs."""
    return [r["metadata"]["name"] for r in where.select(PIPELINE_RUN)]


def end(where: LittleWorld, name: str, phase: str = "Completed") -> None:
    """A run ends."""
    where.objects[("PipelineRun", name)]["status"] = {"phase": phase, "message": "so it went"}


BY_DATA = {"triggers": [{"dataset": {"name": "flights"}}]}


def test_each_version_is_run_once() -> None:
    where = world(**BY_DATA)
    dataset(where, "")
    assert look(where)["phase"] == "Ready"
    assert runs(where) == []
    dataset(where, "v1")
    status = look(where)
    assert runs(where) == ["p-1"]
    run = where.objects[("PipelineRun", "p-1")]
    assert run["spec"] == {
        "pipeline": "p", "datasets": {"flights": "v1"}, "reason": "Dataset flights has version v1",
    }  # fmt: skip
    assert status["lastRun"]["uid"] == run["metadata"]["uid"]
    assert status["phase"] == "Running"
    end(where, "p-1")
    assert look(where)["succeeded"] == 1
    dataset(where, "v2")
    look(where)
    assert runs(where) == ["p-1", "p-2"]
    assert "last run: v1" in where.objects[("PipelineRun", "p-2")]["spec"]["reason"]


def test_forbid_waits_and_then_makes_one_run_for_all() -> None:
    where = world(**BY_DATA)
    dataset(where, "v1")
    look(where)
    for version in ("v2", "v3", "v4"):
        dataset(where, version)
        status = look(where)
    assert runs(where) == ["p-1"]
    held = status["decisions"][0]
    assert held["run"] == ""
    assert "waits for run p-1" in held["reason"]
    assert len(status["decisions"]) == 2
    end(where, "p-1")
    look(where)
    assert where.objects[("PipelineRun", "p-2")]["spec"]["datasets"] == {"flights": "v4"}


def test_allow_does_not_wait() -> None:
    where = world(concurrency="Allow", **BY_DATA)
    for version in ("v1", "v2"):
        dataset(where, version)
        look(where)
    assert runs(where) == ["p-1", "p-2"]


def test_a_run_made_by_hand_holds_a_trigger_back() -> None:
    where = world(**BY_DATA)
    status = {"phase": "Running", "template": {"steps": STEPS}}
    where.put({"kind": "PipelineRun", "metadata": {"name": "mine"}, "spec": {"pipeline": "p"}, "status": status})
    dataset(where, "v1")
    assert "waits for run mine" in look(where)["decisions"][0]["reason"]
    end(where, "mine")
    look(where)
    assert runs(where) == ["mine", "p-1"]


def test_of_many_runs_under_way_a_few_are_named() -> None:
    where = world()
    for number in range(7):
        status = {"phase": "Running", "template": {"steps": STEPS}}
        where.put({"kind": "PipelineRun", "metadata": {"name": f"r-{number}"}, "spec": {"pipeline": "p"},
                   "status": status})  # fmt: skip
    status = look(where)
    assert (status["active"], status["message"]) == (7, "running r-0, r-1, r-2, r-3, r-4 and 2 others")


def test_cooldown() -> None:
    where = world(cooldown="10m", **BY_DATA)
    dataset(where, "v1")
    look(where)
    end(where, "p-1")
    dataset(where, "v2")
    status, plan = look(where), where.settle(pipeline.SPEC, "p")
    assert "spec.cooldown" in status["decisions"][0]["reason"]
    assert plan.requeue_after == pytest.approx(600)
    where.now += 600
    look(where)
    assert runs(where) == ["p-1", "p-2"]


CRON = {"triggers": [{"schedule": {"cron": "*/10 * * * *"}}]}


def test_a_schedule_runs_from_now_on() -> None:
    where = world(**CRON)
    look(where)
    assert runs(where) == []
    assert where.settle(pipeline.SPEC, "p").requeue_after == pytest.approx(600)
    where.now += 601
    status = look(where)
    assert runs(where) == ["p-1"]
    assert epoch(status["handled"]["schedule/*/10 * * * *"]) == START + 600


def test_missed_times_are_made_up_by_one_run() -> None:
    where = world(**CRON)
    look(where)
    where.now += 7 * 86400 + 30
    status = look(where)
    assert runs(where) == ["p-1"]
    assert epoch(status["lastRun"]["key"]) == START + 7 * 86400
    end(where, "p-1")
    look(where)
    assert runs(where) == ["p-1"]


def test_times_while_suspended_are_not_made_up() -> None:
    where = world(**CRON)
    look(where)
    spec = where.objects[("Pipeline", "p")]["spec"]
    spec["suspend"] = True
    assert look(where)["phase"] == "Suspended"
    where.now += 86400 + 30
    look(where)
    spec["suspend"] = False
    look(where)
    assert runs(where) == []
    where.now += 600
    look(where)
    assert runs(where) == ["p-1"]


def test_data_that_came_while_suspended_is_run_once() -> None:
    where = world(suspend=True, **BY_DATA)
    for version in ("v1", "v2"):
        dataset(where, version)
        look(where)
    assert runs(where) == []
    where.objects[("Pipeline", "p")]["spec"]["suspend"] = False
    look(where)
    assert where.objects[("PipelineRun", "p-1")]["spec"]["datasets"] == {"flights": "v2"}


def test_two_triggers_at_once_make_one_run() -> None:
    where = world(triggers=[*CRON["triggers"], *BY_DATA["triggers"]])
    dataset(where, "")
    look(where)
    dataset(where, "v1")
    where.now += 600
    status = look(where)
    assert runs(where) == ["p-1"]
    assert {d["trigger"] for d in status["decisions"]} == {"dataset/flights", "schedule/*/10 * * * *"}


def test_a_name_that_is_taken_is_skipped() -> None:
    where = world(**BY_DATA)
    where.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": {"pipeline": "other"}})
    dataset(where, "v1")
    status = look(where)
    assert runs(where) == ["p-1", "p-2"]
    assert status["runs"] == 2


def test_a_name_that_is_taken_after_the_decision_is_skipped() -> None:
    where = world(**BY_DATA)
    dataset(where, "v1")
    with pytest.raises(Crash):
        where.look(pipeline.SPEC, "p", crash_after=1)
    where.put({"kind": "PipelineRun", "metadata": {"name": "p-1"}, "spec": {"pipeline": "other"}})
    status = look(where)
    assert status["lastRun"]["name"] == "p-2"
    assert status["decisions"][0]["run"] == "p-2"
    assert runs(where) == ["p-1", "p-2"]


def test_old_runs_go_and_active_ones_stay() -> None:
    where = world(concurrency="Allow", history={"succeeded": 2, "failed": 1}, **BY_DATA)
    for number in range(1, 8):
        where.now += 1
        dataset(where, f"v{number}")
        look(where)
        if number > 1:
            end(where, f"p-{number}", "Failed" if number % 2 else "Completed")
    look(where)
    assert runs(where) == ["p-1", "p-4", "p-6", "p-7"]


def test_a_missing_dataset_is_named() -> None:
    where = world(**BY_DATA)
    condition = look(where)["conditions"][0]
    assert (condition["status"], condition["reason"]) == ("False", "DatasetMissing")
    assert "flights" in condition["message"]


def test_a_bad_spec_names_its_field() -> None:
    where = world(steps=[{"name": "a", "image": "i", "needs": ["b"]}])
    with pytest.raises(Invalid, match=r"spec\.steps\[0\]\.needs\[0\]"):
        where.plan(pipeline.SPEC, "p")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["look", "crash0", "crash1", "crash2", "data", "end", "time"]), max_size=25))
def test_no_decision_makes_two_runs(moves: list[str]) -> None:
    where, version = world(triggers=[*BY_DATA["triggers"], *CRON["triggers"]]), 0
    dataset(where, "")
    for move in [*moves, "look"]:
        if move == "data":
            version += 1
            dataset(where, f"v{version}")
        elif move == "time":
            where.now += 300
        elif move == "end" and runs(where):
            end(where, runs(where)[-1])
        elif move.startswith("crash"):
            try:
                where.look(pipeline.SPEC, "p", int(move[-1]))
            except Crash:
                continue
        elif move == "look":
            status = look(where)
    made = [r["spec"]["reason"] for r in where.select(PIPELINE_RUN)]
    assert len(made) == len(set(made)) == status["runs"]
    assert sum(r.get("status", {}).get("phase") is None for r in where.select(PIPELINE_RUN)) <= 1
    if version and status["active"] == 0:
        assert status["handled"]["dataset/flights"] == f"v{version}"


# --- what of its runs wakes a pipeline -------------------------------------------------------------------------------


PIECES: dict[str, list[Any]] = {
    "phase": ["Pending", "Running", "Completed", "Failed", "Aborted"],
    "message": ["step train runs", "out of memory"],
    "template": [None, {"steps": STEPS}],
    "conditions": [[], [{"type": "Ready", "status": "False", "reason": "Running", "message": ""}]],
    "finishedAt": [None, "2026-01-01T00:00:00Z"],
    "commit": [None, "c" * 40],
    "datasets": [[], [{"name": "flights", "version": "v2", "digest": "d", "manifest": "m"}]],
    "steps": [
        [], [{"name": "train", "phase": "Running", "job": "a", "attempt": 1}],
        [{"name": "train", "phase": "Running", "job": "b", "attempt": 2, "reason": "Starting", "message": "waits"}],
        [{"name": "train", "phase": "Completed", "gpuSeconds": 60}],
        [{"name": "train", "phase": "Running", "cache": {"outcome": "Asks", "waits": "p-1/train"}}],
        [{"name": "train", "phase": "Completed", "cache": {"outcome": "Hit", "message": "run p-0"}}],
        [{"name": "train", "phase": "Completed", "cache": {"outcome": "Mismatch", "message": "rows differ"}}],
    ],
}  # fmt: skip
STATUSES = st.fixed_dictionaries({key: st.sampled_from(values) for key, values in PIECES.items()})
CHANGES = st.sampled_from([(key, value) for key, values in PIECES.items() for value in values])


@given(STATUSES, CHANGES, st.sampled_from(["Forbid", "Allow", "Queue", "Replace"]), st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_change_of_a_run_that_wakes_no_pipeline_would_change_nothing(
    before: Json, change: tuple[str, Any], concurrency: str, by_hand: bool
) -> None:
    def planned(pieces: Json) -> Any:
        status = {key: value for key, value in pieces.items() if value is not None}
        where = world(concurrency=concurrency, history={"succeeded": 1, "failed": 1}, **BY_DATA)
        dataset(where, "v1")
        look(where)
        if by_hand:
            where.put({"kind": "PipelineRun", "metadata": {"name": "mine"}, "spec": {"pipeline": "p"}})
        run = where.objects[("PipelineRun", "mine" if by_hand else "p-1")]
        run["status"] = status
        dataset(where, "v2")
        return waking.of_run(run), where.settle(pipeline.SPEC, "p"), where.status(PIPELINE, "p")

    woken_by, *first = planned(before)
    then_by, *then = planned(before | dict([change]))
    assert woken_by != then_by or first == then
