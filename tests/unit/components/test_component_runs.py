"""Pipelines and runs whose steps use Components: what they wait for, what they fix, what their results follow from."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.components.component_examples import CLEAN, STEP, component, world
from tests.unit.plan.littleworld import LittleWorld
from tests.unit.plan.test_run_plan import container, live, look, succeed

from fairlead.api.pipelinerun import PipelineRunStatus
from fairlead.plan.core import PIPELINE, PIPELINE_RUN, Invalid, Json
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline import run
from fairlead.plan.pipeline.cache import keys


def ready(status: Json) -> tuple[str, str]:
    return next((one["status"], one["reason"]) for one in status["conditions"] if one["type"] == "Ready")


def of_pipeline(where: LittleWorld) -> Json:
    where.settle(pipeline.SPEC, "delay")
    return where.status(PIPELINE, "delay")


def test_a_run_does_what_the_component_says_and_records_which_one_it_was() -> None:
    where = world()
    component(where)
    status = look(where)
    assert status["phase"] == "Running"
    ran = container(live(where, "clean"), "step")
    assert ran["image"] == CLEAN["image"]
    assert ran["command"] == ["python", "-m", "clean", "--longest=600", "--mode=drop"]
    (used,) = status["components"]
    assert (used["step"], used["name"], used["version"], len(used["digest"])) == ("clean", "clean", "1.2.0", 64)
    assert status["template"]["steps"][0]["component"] == {"name": "clean", "version": "1.2.0"}


def test_parameters_of_the_run_are_put_into_the_values() -> None:
    step = STEP | {"params": {"longest": "{{params.most}}"}}
    where = world(step, params={"most": "5"}, run={"params": {"most": "77"}})
    component(where)
    look(where)
    assert container(live(where, "clean"), "step")["command"][3] == "--longest=77"


def test_a_run_whose_parameter_is_no_value_of_the_component_is_refused() -> None:
    step = STEP | {"params": {"longest": "{{params.most}}"}}
    where = world(step, params={"most": "5"}, run={"params": {"most": "long"}})
    component(where)
    status = look(where)
    assert (status["phase"], ready(status)) == ("Failed", ("False", "InvalidPipeline"))
    assert "spec.steps[0].params.longest: 'long' is not a whole number" in status["message"]


def test_what_changes_later_is_for_the_next_run() -> None:
    where = world(STEP, {"name": "after", "image": "i", "needs": ["clean"]})
    component(where)
    look(where)
    component(where, version="2", image="registry/other:2", params={}, command=["other"], env=[])
    where.objects.pop(("Component", "clean"))
    status = succeed(where, "clean")
    assert status["components"][0]["version"] == "1.2.0"
    assert status["template"]["steps"][0]["image"] == CLEAN["image"]
    assert live(where, "after")


def test_a_missing_one_is_waited_for() -> None:
    where = world()
    assert ready(of_pipeline(where)) == ("False", "ComponentMissing")
    status = look(where)
    assert (status["phase"], ready(status)) == ("Pending", ("False", "ComponentMissing"))
    assert "create it" in status["message"]
    component(where)
    assert look(where)["phase"] == "Running"
    assert ready(of_pipeline(where)) == ("True", "Valid")


def test_triggers_of_a_pipeline_that_waits_for_its_component_are_still_checked() -> None:
    where = world(triggers=[{"schedule": {"cron": "61 * * * *"}}])
    where.objects.pop(("PipelineRun", "delay-7"))
    with pytest.raises(Invalid, match="cron"):
        of_pipeline(where)


def test_a_version_that_is_not_there_needs_a_person() -> None:
    where = world(STEP | {"component": {"name": "clean", "version": "1.1"}})
    component(where)
    status = of_pipeline(where)
    assert ready(status) == ("False", "ComponentVersion")
    assert any(one["type"] == "Stalled" for one in status["conditions"])
    assert ready(look(where)) == ("False", "ComponentVersion")


def test_a_run_that_waits_for_its_component_makes_place_for_a_newer_one() -> None:
    where = world(concurrency="Replace")
    assert look(where)["phase"] == "Pending"
    newer = {"name": "delay-8", "creationTimestamp": "2026-03-02T09:05:00Z"}
    where.put({"kind": "PipelineRun", "metadata": newer, "spec": {"pipeline": "delay"}})
    assert (look(where)["phase"], ready(look(where))[1]) == ("Aborted", "Replaced")


def test_a_model_of_a_component() -> None:
    outputs = {"model": {"type": "model"}, "rows": {"type": "dataset"}}
    produces = [{"model": "m", "from": "clean.model", "version": {}}]
    where = world(produces=produces)
    component(where, outputs=outputs)
    assert ready(of_pipeline(where)) == ("True", "Valid")
    look(where)
    assert succeed(where, "clean")["models"] == ["m-7"]


def test_a_model_from_an_output_that_is_none() -> None:
    where = world(produces=[{"model": "m", "from": "clean.flights", "version": {}}])
    component(where)
    status = look(where)
    assert "clean.flights has type dataset; set its type to model" in status["message"]


# --- edits --------------------------------------------------------------------------------------------------------


def resumed(edit: Json, *steps: Json) -> tuple[LittleWorld, Json]:
    where = world(*steps)
    component(where)
    look(where)
    where.objects["PipelineRun", "delay-7"]["spec"]["cancel"] = "now"
    where.objects["PipelineRun", "delay-7"]["status"]["phase"] = "Failed"
    spec = {"pipeline": "delay", "resumeFrom": "delay-7", "edit": edit}
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-8"}, "spec": spec})
    where.settle(run.SPEC, "delay-8")
    return where, where.status(PIPELINE_RUN, "delay-8")


def command(status: Json) -> Any:
    return status["template"]["steps"][0]["command"]


def test_an_edit_gives_other_values_to_the_component() -> None:
    _, status = resumed({"step": "clean", "params": {"longest": "7"}})
    assert command(status)[3:] == ["--longest=7", "--mode=drop"]


def test_an_edit_may_change_what_the_component_brings() -> None:
    mine = "mine@sha256:" + "3" * 64
    _, status = resumed({"step": "clean", "image": mine, "params": {"mode": "cap"}})
    assert (status["template"]["steps"][0]["image"], command(status)[-1]) == (mine, "--mode=cap")


def test_an_edit_with_a_value_that_the_component_does_not_take() -> None:
    _, status = resumed({"step": "clean", "params": {"mode": "none"}})
    assert "spec.steps[0].params.mode: 'none' is none of drop, cap" in status["message"]


def test_an_edit_of_values_where_there_is_no_component() -> None:
    _, status = resumed({"step": "own", "params": {"mode": "none"}}, STEP, {"name": "own", "image": "i"})
    assert (status["phase"], ready(status)) == ("Failed", ("False", "InvalidEdit"))
    assert "spec.edit.params: step own has no component" in status["message"]


# --- keys ----------------------------------------------------------------------------------------------------------


def parts(step: Json = STEP, **of_component: Any) -> dict[str, str]:
    where = world(step)
    component(where, **of_component)
    status = PipelineRunStatus.model_validate(look(where))
    assert status.template is not None
    return keys.parts(status.template.steps[0], status)


def test_which_version_it_is_changes_no_key() -> None:
    assert parts() == parts(version="1.3", description="other words", allowedNamespaces=["*"])


def test_a_step_written_out_by_hand_has_the_same_key() -> None:
    by_hand = {
        "name": "clean", "image": CLEAN["image"], "inputs": STEP["inputs"], "resources": CLEAN["resources"],
        "command": ["python", "-m", "clean", "--longest=600", "--mode=drop"], "nodeSelector": CLEAN["nodeSelector"],
        "env": [{"name": "RATE", "value": "0.5"}, {"name": "HOME", "value": "/tmp"}],
        "outputs": {"flights": {"type": "dataset"}, "count": {"type": "value"}},
    }  # fmt: skip
    assert parts() == parts(by_hand)


def test_what_it_does_changes_the_key() -> None:
    assert parts() != parts(STEP | {"params": {"longest": "601"}})
    assert parts() != parts(image="registry/clean@sha256:" + "2" * 64)
    assert parts() != parts(args=["--more"])
