"""A step that makes a page of its run: when it begins, and what it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.pipeline.each_world import TRAIN, EachWorld
from tests.unit.plan.littleworld import LittleWorld, stopped
from tests.unit.plan.test_run_plan import container, dataset, fail, live, look, step, succeed, task_of

from fairlead.api.pipeline import PipelineSpec
from fairlead.api.report import LIMIT, Earlier, Fact, InputFacts, ItemFacts, ReportTask, StepFacts
from fairlead.plan.core import JOB, PIPELINE_RUN, Invalid, Json
from fairlead.plan.pipeline import dag, facts

PREPARE = {"name": "prepare", "image": "i:1", "outputs": {"rows": {"type": "dataset"}}}
TRAINS = {
    "name": "train", "image": "i:2", "inputs": {"rows": {"output": "prepare.rows"}},
    "outputs": {"roc": {"type": "preview"}},
}  # fmt: skip
PAGE = {
    "name": "page", "report": {"title": "Delays"}, "when": "always",
    "inputs": {"rows": {"output": "prepare.rows"}, "roc": {"output": "train.roc"}, "flights": {"dataset": "flights"}},
}  # fmt: skip


def world(*steps: Json, **spec: Any) -> LittleWorld:
    """A run of a Pipeline with these steps."""
    where = LittleWorld()
    dataset(where)
    where.put({
        "kind": "Pipeline", "metadata": {"name": "delay"},
        "spec": {"params": {"horizon": "24"}, "steps": list(steps or (PREPARE, TRAINS, PAGE))},
    })  # fmt: skip
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"} | spec})
    look(where)
    return where


def told(job: Json) -> ReportTask:
    """What a report's program is told."""
    return ReportTask.model_validate(task_of(job, "step"))


def brought(job: Json) -> set[str]:
    """The inputs that are fetched."""
    return {one["dest"].rpartition("/")[2] for one in task_of(job, "fetch")["items"]}


def logs(where: LittleWorld, name: str, **metrics: str) -> Json:
    """A step succeeds, and has logged metrics."""
    job = live(where, name)
    task = task_of(job, "publish")
    outputs = [{"name": o["name"], "type": o["type"], "uri": f"s3://s/{o['name']}/", "sha256": "b" * 64}
               for o in task["outputs"]]  # fmt: skip
    said = json.dumps({"publish": {"attempt": 1, "outputs": outputs, "metrics": metrics}})
    where.pod(job, "Succeeded", initContainerStatuses=[stopped("step")],
              containerStatuses=[stopped("publish", 0, said)])  # fmt: skip
    return look(where)


# --- when it begins ------------------------------------------------------------------------------------------------


def test_it_reads_what_there_is_and_says_what_is_not() -> None:
    where = world()
    succeed(where, "prepare")
    assert not where.jobs(step="page")
    fail(where, "train")
    job = live(where, "page")
    assert brought(job) == {"rows", "flights"}
    inputs = {one.name: one for one in told(job).inputs}
    assert inputs["roc"].missing == "step train has not completed (Failed, UserError)"
    assert not inputs["rows"].missing
    assert inputs["flights"].source == "Dataset flights@v2"
    status = succeed(where, "page")
    assert (status["phase"], step(status, "page")["phase"]) == ("Failed", "Completed")
    assert [one["name"] for one in step(status, "page")["outputs"]] == ["report"]


def test_without_any_input_that_is_there_nothing_is_fetched() -> None:
    where = world(PREPARE, TRAINS, PAGE | {"inputs": {"roc": {"output": "train.roc"}}})
    fail(where, "prepare")
    job = live(where, "page")
    assert [one["name"] for one in job["spec"]["template"]["spec"]["initContainers"]] == ["step"]
    assert told(job).inputs[0].missing == "step train has not completed (Aborted)"


def test_a_program_that_reads_the_same_is_skipped_as_ever() -> None:
    program = {"name": "mail", "image": "i:1", "when": "always", "inputs": {"roc": {"output": "train.roc"}}}
    where = world(PREPARE, TRAINS, PAGE, program)
    succeed(where, "prepare")
    status = fail(where, "train")
    assert step(status, "mail")["reason"] == "Skipped"
    assert step(status, "page")["attempt"] == 1


def test_an_input_of_a_step_that_was_skipped_is_missing_in_the_middle_of_a_run_too() -> None:
    skipped = TRAINS | {"if": [{"param": "horizon", "in": ["48"]}]}
    where = world(PREPARE, skipped, PAGE | {"when": "succeeded"})
    status = succeed(where, "prepare")
    assert step(status, "train")["reason"] == "Skipped"
    found = told(live(where, "page"))
    assert "Skipped: if: parameter horizon is 24" in {one.name: one for one in found.inputs}["roc"].missing
    assert found.verdict is None
    assert succeed(where, "page")["phase"] == "Completed"


def test_a_condition_of_its_own_still_needs_what_it_goes_by() -> None:
    where = world(PREPARE, TRAINS, PAGE | {"if": [{"metric": "train.rmse", "above": "25"}]})
    succeed(where, "prepare")
    assert step(fail(where, "train"), "page")["reason"] == "Skipped"


@pytest.mark.parametrize("cancel", ["finally", "drain"])
def test_a_cancelled_run_gets_its_report(cancel: str) -> None:
    where = world()
    succeed(where, "prepare")
    where.objects[("PipelineRun", "delay-7")]["spec"]["cancel"] = cancel
    look(where)
    for job in where.jobs(step="train"):
        if cancel == "finally":
            where.remove(JOB, job["metadata"]["name"])
        else:
            fail(where, "train")
    look(where)
    found = told(live(where, "page"))
    assert found.verdict is not None
    assert found.verdict.label == "Aborted"
    assert "train" in {one.name for one in found.steps}


def test_a_run_that_is_cancelled_at_once_gets_none() -> None:
    where = world()
    where.objects[("PipelineRun", "delay-7")]["spec"]["cancel"] = "now"
    for job in where.jobs(step="prepare"):
        where.remove(JOB, job["metadata"]["name"])
    look(where)
    assert not where.jobs(step="page")


# --- what it is told -----------------------------------------------------------------------------------------------


def test_metrics_stand_beside_those_of_the_last_completed_run_before_it() -> None:
    where = LittleWorld()
    dataset(where)
    for name, at, phase, value in (
        ("delay-4", "2026-01-01T00:00:00Z", "Completed", "30"),
        ("delay-5", "2026-01-02T00:00:00Z", "Completed", "25.0"),
        ("delay-6", "2026-01-03T00:00:00Z", "Failed", "1"), ("delay-9", "2099-01-01T00:00:00Z", "Completed", "2"),
    ):  # fmt: skip
        where.put({
            "kind": "PipelineRun", "metadata": {"name": name, "creationTimestamp": at}, "spec": {"pipeline": "delay"},
            "status": {"phase": phase, "startedAt": at, "steps": [{"name": "train", "metrics": {"rmse": value}}]},
        })  # fmt: skip
    where.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": {"steps": [PREPARE, TRAINS, PAGE]}})
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"}})
    look(where)
    succeed(where, "prepare")
    logs(where, "train", rmse="23.10")
    found = told(live(where, "page"))
    assert found.earlier == Earlier(
        run="delay-5", started_at="2026-01-02 00:00:00 UTC", metrics={"train": {"rmse": "25.0"}}
    )
    assert {one.name: one.metrics for one in found.steps} == {"prepare": {}, "train": {"rmse": "23.10"}}


def test_what_can_still_change_is_not_told_so_the_job_is_the_same_whenever_it_is_asked_for() -> None:
    """Another step after the verdict goes on beside it; the page says that it is not waited for."""
    mail = {"name": "mail", "image": "i:1", "when": "always"}
    where = world(PREPARE, TRAINS, PAGE, mail)
    succeed(where, "prepare")
    succeed(where, "train")
    first = live(where, "page")
    found = told(first)
    assert found.others == ["mail"]
    assert [one.name for one in found.steps] == ["prepare", "train"]
    where.remove(JOB, first["metadata"]["name"])  # as if it had never been made
    status = where.objects[("PipelineRun", "delay-7")]["status"]
    next(one for one in status["steps"] if one["name"] == "page")["jobUid"] = ""
    succeed(where, "mail")
    again = live(where, "page")
    assert again["spec"]["template"]["spec"] == first["spec"]["template"]["spec"]


def test_where_a_log_is_is_not_told_for_that_changes() -> None:
    """On somebody's machine a message says where the log lies there, from the next look on."""
    where = world()
    succeed(where, "prepare")
    status = fail(where, "train")
    assert "; log: kubectl logs" in step(status, "train")["message"]
    found = told(live(where, "page"))
    assert found.verdict is not None
    assert "log" not in found.steps[1].message + found.verdict.text
    raw = where.objects[("PipelineRun", "delay-7")]["status"]
    for one in raw["steps"]:
        one["message"] = one["message"].replace("log: kubectl logs", "log: /here")
    next(one for one in raw["steps"] if one["name"] == "page")["jobUid"] = ""
    assert step(look(where), "page")["attempt"] == 1


def test_a_report_in_the_middle_tells_of_what_comes_before_it() -> None:
    where = world(PREPARE, TRAINS, {"name": "page", "report": {}, "needs": ["prepare"]})
    succeed(where, "prepare")
    found = told(live(where, "page"))
    assert ([one.name for one in found.steps], found.others) == (["prepare"], ["train"])
    assert found.title == "Run delay-7"


def test_items_are_counted_and_failed_ones_say_why() -> None:
    train = TRAIN | {"each": TRAIN["each"] | {"failures": "Continue"}}
    page = {"name": "page", "report": {}, "when": "always", "inputs": {
        "all": {"output": "train.model"}, "one": {"output": "train.model", "item": {"region": "NE", "size": "small"}},
        "lost": {"output": "train.model", "item": {"region": "NE", "size": "large"}},
    }}  # fmt: skip
    where = EachWorld().begin(train | {"each": train["each"] | {"minSuccess": "50%"}}, page)
    where.look_on()
    where.fail(0)
    where.succeed(1, 2, 3, 4, 5)
    where.look_on()
    (job,) = where.jobs(step="page")
    found = told(job)
    items = found.steps[0].items
    assert items is not None
    assert (items.total, items.completed, items.failed) == (6, 5, 1)
    assert [(one.item, one.reason) for one in items.why] == [(0, "UserError")]
    assert {one.name: one.missing for one in found.inputs} == {
        "all": "", "one": "", "lost": "step train has not completed this item",
    }  # fmt: skip
    assert brought(job) == {"all", "one"}


def test_the_code_is_not_brought() -> None:
    where = world()
    succeed(where, "prepare")
    succeed(where, "train")
    assert "code" not in task_of(live(where, "page"), "fetch")


def test_its_memory_is_bounded_and_may_be_more() -> None:
    where = world(PREPARE, PAGE | {"inputs": {}, "resources": {"memory": "2Gi"}})
    succeed(where, "prepare")
    assert container(live(where, "page"), "step")["resources"]["limits"] == {"memory": "2Gi"}
    where = world(PREPARE, PAGE | {"inputs": {}})
    succeed(where, "prepare")
    assert container(live(where, "page"), "step")["resources"]["limits"] == {"memory": "1Gi"}


# --- what has room -------------------------------------------------------------------------------------------------


def huge() -> ReportTask:
    """As long as everything may be."""
    long, words = "s" * 63, "é" * 320
    metrics = {f"{'m' * 60}{n:02d}": f"-{'9' * 26}e+{n:02d}" for n in range(32)}
    why = [{"item": n, "values": "v" * 128, "reason": "r" * 64, "message": "m" * 256} for n in range(12)]
    stamp = "2026-01-01T00:00:00.000000Z"
    steps = [
        StepFacts(
            name=f"{long[:60]}{n:03d}", runs="i" * 512, after=[long] * 64, phase="Completed", reason="R" * 64,
            message=words, started_at=stamp, finished_at=stamp, attempts=99, failures=20, disruptions=10,
            cache="c" * 512, gpu_seconds=10**9, metrics=metrics, items=ItemFacts(total=10_000, failed=12, why=why),
        )
        for n in range(64)
    ]  # fmt: skip
    return ReportTask(
        title="t" * 128, run=long, namespace=long, pipeline=long, started_at=stamp, steps=steps,
        facts=[Fact(label="Component", text="c" * 200)] * 200,
        params={f"{'p' * 60}{n:02d}": "$" * 1024 for n in range(64)}, verdict=Fact(label="Failed", text=words),
        earlier=Earlier(run=long, metrics={one.name: metrics for one in steps}),
        inputs=[
            InputFacts(name=f"{'i' * 60}{n:02d}", source=f"{long} of step {long}", missing=words) for n in range(32)
        ],
    )  # fmt: skip


def test_whatever_a_run_is_like_its_job_has_room_and_says_what_is_left_out() -> None:
    found = facts.bounded(huge())
    assert len(facts.text(found).encode()) <= LIMIT
    assert len(found.steps) == 64
    assert len(found.inputs) == 32
    assert "of each step the first 0 metrics are shown" in found.left_out
    assert all(found.left_out)


def test_what_is_small_is_told_whole() -> None:
    small = ReportTask(title="t", run="r", namespace="n", pipeline="p", params={"a": "x" * 1024})
    assert facts.bounded(small) == small


def test_less_is_left_out_where_less_is_too_much() -> None:
    one = huge()
    some = one.model_copy(update={"steps": one.steps[:8], "inputs": [], "facts": [], "params": {}})
    found = facts.bounded(some)
    assert len(facts.text(found).encode()) <= LIMIT
    assert all(step.metrics for step in found.steps)
    assert "metrics" not in " ".join(found.left_out[:1])


def test_metrics_that_can_be_compared_stay_the_longest() -> None:
    metrics = {f"m{n}": str(n) for n in range(32)}
    before = Earlier(run="r", metrics={"s": {f"gone{n}": "1" for n in range(40)} | {"m0": "5"}})
    step_ = StepFacts(name="s", metrics=metrics)
    task = ReportTask(title="t", run="r", namespace="n", pipeline="p", steps=[step_], earlier=before)
    found = facts.bounded(task, most=600)
    assert found.earlier is not None
    assert "m0" in found.earlier.metrics["s"]


def test_texts_of_people_are_no_paths_and_no_variables_where_a_program_is_told_them() -> None:
    task = ReportTask(title="/fairlead/in $(HOME)", run="r", namespace="n", pipeline="p")
    said = facts.text(task)
    assert "/fairlead/in" not in said
    assert "$$(HOME)" in said
    assert ReportTask.model_validate_json(said.replace("$$", "$")) == task


# --- what makes no sense -------------------------------------------------------------------------------------------


def test_one_that_comes_after_nothing_would_tell_of_nothing() -> None:
    spec = PipelineSpec.model_validate({"steps": [PREPARE, {"name": "page", "report": {}}]})
    with pytest.raises(Invalid, match="write `when: always`") as caught:
        dag.validate(spec)
    assert caught.value.field_path == "spec.steps[1].when"


def test_it_can_be_read_by_a_step_that_comes_after_it() -> None:
    mail = {"name": "mail", "image": "i:1", "when": "always", "inputs": {"page": {"output": "page.report"}}}
    dag.validate(PipelineSpec.model_validate({"steps": [PREPARE, TRAINS, PAGE, mail]}))


def test_it_is_never_an_earlier_runs() -> None:
    where = world(PREPARE, TRAINS, PAGE | {"when": "succeeded"})
    succeed(where, "prepare")
    succeed(where, "train")
    assert succeed(where, "page")["phase"] == "Completed"
    assert not step(where.status(PIPELINE_RUN, "delay-7"), "page").get("key")
    assert step(where.status(PIPELINE_RUN, "delay-7"), "train").get("key") is not None
