"""What every type of step keeps, tried through a run's whole plan."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.unit.pipeline.step_examples import EXAMPLES, Example
from tests.unit.plan.littleworld import Crash, LittleWorld, stopped
from tests.unit.plan.test_run_plan import container, dataset, fail, live, look, step, succeed, task_of

from fairlead.api.pipeline import Pipeline, Step
from fairlead.api.pipelinerun import PipelineRunStatus
from fairlead.cli import show_pipeline
from fairlead.cli.blocks import Table
from fairlead.plan.core import DATASET, PIPELINE, POD, Invalid, Json
from fairlead.plan.pipeline import dag, measuring, run, units
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline.steps import View
from fairlead.plan.pipeline.types import registry

EACH = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
LEFT = {"train": "dataset", "test": "dataset", "model": "model"}
PREPARE = {"name": "prepare", "image": "i", "outputs": {name: {"type": type_} for name, type_ in LEFT.items()}}
BESIDE = {"name": "beside", "image": "i", "needs": ["prepare"], "outputs": {"x": {}}}


def manifest(example: Example, **more: Any) -> Json:
    """A Pipeline with a step of the type."""
    work = {"name": "work", "retry": {"limit": 1, "backoff": "30s"}} | example.step | more
    spec = {"params": {"horizon": "24"}, "steps": [PREPARE, work, BESIDE], **example.pipeline}
    return {"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": spec}


def world(example: Example) -> LittleWorld:
    """A run whose step of the type has a running attempt."""
    found = LittleWorld()
    found.put(manifest(example))
    dataset(found)
    found.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"}})
    look(found)
    succeed(found, "prepare")
    return found


def parsed(example: Example, **more: Any) -> tuple[Pipeline, Step]:
    found = as_planned(manifest(example, **more))
    return found, found.spec.steps[1]


def as_planned(raw: Json) -> Pipeline:
    """With what follows from the rest of the Pipeline filled in."""
    found = Pipeline.model_validate(raw)
    return found.model_copy(update={"spec": measuring.filled(found.spec, None)})


def runs_a_program(job: Json) -> bool:
    """Whether there is one of the user's in it."""
    return any(
        one["name"] == "step" and one.get("command", [])[:2] != ["fairlead", "worker"]
        for one in job["spec"]["template"]["spec"].get("initContainers", ())
    )


def test_every_type_has_an_example_that_it_takes() -> None:
    assert {type(one).__name__ for one in registry.TYPES} == set(EXAMPLES)
    for name, example in EXAMPLES.items():
        assert type(registry.of(parsed(example)[1])).__name__ == name


@EACH
def test_what_it_reads_and_leaves(example: Example) -> None:
    found, one = parsed(example)
    inputs = registry.inputs(one).items()
    assert {n: f"dataset/{i.dataset}" if i.dataset else f"output/{i.output}" for n, i in inputs} == example.inputs
    assert {name: output.type for name, output in registry.outputs(one).items()} == example.outputs
    dag.validate(found.spec)
    assert "prepare" in dag.dependencies(one)


@EACH
def test_the_datasets_that_it_reads_wake_the_pipeline_and_are_pinned(example: Example) -> None:
    found, one = parsed(example)
    read = {source.dataset for source in registry.inputs(one).values() if source.dataset}
    assert set(registry.datasets(manifest(example)["spec"]["steps"][1])) == read == set(dag.datasets(found.spec))
    where = LittleWorld()
    where.put(manifest(example))
    pipelines: Any = where.select(PIPELINE)
    for name, woken in [*((name, ["delay"]) for name in read), ("quite-another", [])]:
        changed = {"metadata": {"name": name, "namespace": "team"}}
        assert list(pipeline.SPEC.mappers[DATASET](changed, pipelines)) == woken


@EACH
@pytest.mark.parametrize("strange", [{}, {"inputs": None}, {"inputs": {"x": {}}}, {"name": "x", "new": {"a": 1}}])
def test_a_step_of_another_type_or_version_wakes_nobody_and_breaks_nothing(example: Example, strange: Json) -> None:
    kind = registry.of(parsed(example)[1])
    assert list(kind.datasets(strange)) == []


@EACH
def test_a_step_that_does_not_exist_and_one_without_that_output_are_named(example: Example) -> None:
    for name, source in example.inputs.items():
        if source.startswith("output/"):
            changed = json.loads(json.dumps(manifest(example)).replace(source.removeprefix("output/"), "nobody.x"))
            with pytest.raises(Invalid, match="no step 'nobody'") as caught:
                dag.validate(as_planned(changed).spec)
            assert name in caught.value.field_path
    reads = {"name": "after", "image": "i", "inputs": {"x": {"output": "work.nothing"}}}
    with pytest.raises(Invalid, match="step 'work' has no output 'nothing'"):
        dag.validate(as_planned(_with_step(manifest(example), reads)).spec)


@EACH
def test_what_makes_no_sense_is_named_with_its_field(example: Example) -> None:
    for changes, path in example.nonsense:
        with pytest.raises(Invalid) as caught:
            dag.validate(parsed(example, **changes)[0].spec)
        assert caught.value.field_path == f"spec.steps[1]{path}"


@EACH
def test_its_job_is_one_pod_that_fetches_all_and_publishes_all(example: Example) -> None:
    job = live(world(example), "work")
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"]) == (0, 1, 1)
    assert (pod["restartPolicy"], pod["activeDeadlineSeconds"]) == ("Never", 86400 + 2 * 3600)
    assert [c["name"] for c in pod["containers"]] == ["publish"]
    outputs = task_of(job, "publish")["outputs"]
    assert {one["name"]: (one["type"], one["path"]) for one in outputs} == {
        name: (type_, f"/fairlead/out/{name}") for name, type_ in example.outputs.items()
    }
    fetched = task_of(job, "fetch")["items"] if example.inputs else []
    assert {one["dest"] for one in fetched} == {f"/fairlead/in/{name}" for name in example.inputs}
    labels = job["metadata"]["labels"]
    assert {labels[f"fairlead.dev/{k}"] for k in ("run", "pipeline", "step", "attempt")} == {
        "delay-7", "delay", "work", "1",
    }  # fmt: skip
    assert "{{" not in json.dumps(job)  # parameters have their values


@EACH
def test_a_program_of_the_users_never_sees_the_stores_credentials(example: Example) -> None:
    job = live(world(example), "work")
    programs = [c for c in job["spec"]["template"]["spec"].get("initContainers", []) if c["name"] != "fetch"]
    assert "keys" in json.dumps(container(job, "publish"))
    assert "keys" not in json.dumps(programs)


@EACH
def test_it_is_asked_for_its_job_again_and_says_the_same(example: Example) -> None:
    where = world(example)
    job, told = live(where, "work"), where.status(run.PIPELINE_RUN, "delay-7")
    status = PipelineRunStatus.model_validate(told)
    assert status.template is not None
    view = View(where.subject(run.SPEC, "delay-7"), where, where.now + 60, status.template)
    mine = next(one for one in status.steps if one.name == "work")
    wanted = registry.job(units.order(view, status, status.template, mine))
    assert wanted["spec"] == job["spec"]
    assert wanted["metadata"].items() <= job["metadata"].items()


@EACH
def test_it_succeeds_with_its_outputs(example: Example) -> None:
    where = world(example)
    found = step(succeed(where, "work"), "work")
    assert found["phase"] == "Completed"
    assert {one["name"]: one["type"] for one in found["outputs"]} == example.outputs
    assert where.status(run.PIPELINE_RUN, "delay-7")["phase"] == "Running"  # the other step is under way
    assert succeed(where, "beside")["phase"] == "Completed"


@EACH
@pytest.mark.parametrize("written", range(4))
def test_an_attempt_has_one_job_whatever_is_killed_in_between(example: Example, written: int) -> None:
    where = LittleWorld()
    where.put(manifest(example))
    dataset(where)
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"}})
    look(where)
    job = live(where, "prepare")
    outputs = [{"name": n, "type": t, "uri": f"s3://s/{n}/", "sha256": "b" * 64} for n, t in LEFT.items()]
    said = json.dumps({"publish": {"attempt": 1, "outputs": outputs}})
    where.pod(job, "Succeeded", initContainerStatuses=[stopped("step")],
              containerStatuses=[stopped("publish", 0, said)])  # fmt: skip
    try:
        where.look(run.SPEC, "delay-7", crash_after=written)
    except Crash:
        where.now += 1
    look(where)
    assert len(where.jobs(step="work")) == 1
    assert step(where.status(run.PIPELINE_RUN, "delay-7"), "work")["attempt"] == 1


@EACH
def test_a_program_that_fails_spends_a_retry_and_a_lost_pod_does_not(example: Example) -> None:
    where = world(example)
    lost = [{"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}]
    where.pod(live(where, "work"), "Failed", reason="Evicted", conditions=lost)
    found = step(look(where), "work")
    assert (found["failures"], found["disruptions"]) == (0, 1)
    where.now += 300
    look(where)
    if runs_a_program(live(where, "work")):
        found = step(fail(where, "work"), "work")
        assert (found["failures"], found["disruptions"], found["reason"]) == (1, 1, "UserError")
        where.now += 30
        look(where)
    assert live(where, "work")["metadata"]["labels"]["fairlead.dev/attempt"] == str(found["attempt"] + 1)


@EACH
def test_a_lost_answer_is_recalled_without_running_anything_of_the_users(example: Example) -> None:
    where = world(example)
    job = live(where, "work")
    where.pod(job, "Running")
    look(where)
    where.remove(POD, f"{job['metadata']['name']}-x")
    job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    recall = where.objects["Job", step(look(where), "work")["job"]]
    pod = recall["spec"]["template"]["spec"]
    assert ([c["name"] for c in pod["containers"]], pod.get("initContainers", [])) == (["publish"], [])
    assert task_of(recall, "publish") == task_of(job, "publish")


@pytest.mark.parametrize("example", [one for one in EXAMPLES.values() if "flights" in str(one.inputs)])
def test_a_dataset_that_cannot_be_read_is_waited_for_and_the_other_steps_go_on(example: Example) -> None:
    where = LittleWorld()
    where.put(manifest(example))
    dataset(where)
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"}})
    look(where)
    good = copy.deepcopy(where.objects["Dataset", "flights"])
    where.objects["Dataset", "flights"]["spec"] = "what a later version writes"
    found = step(succeed(where, "prepare"), "work")
    assert (found["phase"], found["reason"], where.jobs(step="work")) == ("Pending", "DatasetUnreadable", [])
    assert where.jobs(step="beside")
    where.objects["Dataset", "flights"] = good
    look(where)
    assert len(where.jobs(step="work")) == 1


@EACH
def test_people_see_what_it_runs_and_leaves(example: Example) -> None:
    (table,) = [one for one in show_pipeline.blocks("delay", parsed(example)[0], 0.0) if isinstance(one, Table)]
    assert table.rows[1] == ["work", example.shown, "-", "-", ", ".join(example.outputs) or "-"]


def _with_step(pipeline: Json, one: Json) -> Json:
    pipeline["spec"]["steps"].append(one)
    return pipeline
