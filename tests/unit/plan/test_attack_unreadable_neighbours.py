"""An object of another kind that can't be read is a named problem of that reference, and stops nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.plan import test_modelversion, test_pipeline_plan, test_run_plan
from tests.unit.plan.label_world import LabelWorld
from tests.unit.plan.littleworld import Crash, LittleWorld
from tests.unit.plan.rollout_world import Sim, spec
from tests.unit.plan.test_deployment_labels import begun

from fairlead.plan.core import (
    DATASET,
    DEPLOYMENT,
    MODEL_VERSION,
    PIPELINE,
    PIPELINE_RUN,
    Invalid,
    Json,
    Kind,
    KindSpec,
)
from fairlead.plan.model import plan as modelversion
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline import run


def strange(obj: Json) -> None:
    """A Dataset of a source that only a later version knows."""
    obj["spec"]["source"] = {"ftp": {"host": "example"}}


def condition(status: Json, type_: str) -> Json:
    return next((one for one in status["conditions"] if one["type"] == type_), {})


# --- by name ---------------------------------------------------------------------------------------------------------


def test_a_run_waits_for_a_dataset_that_can_be_read_and_says_for_which() -> None:
    where = test_run_plan.world()
    strange(where.objects["Dataset", "flights"])
    status = test_run_plan.look(where)
    told = condition(status, "Succeeded")
    assert (status["phase"], told["status"], told["reason"]) == ("Pending", "Unknown", "DatasetUnreadable")
    assert "Dataset flights has a form that this Fairlead can't read (spec.source.s3" in told["message"]
    test_run_plan.dataset(where)
    assert test_run_plan.look(where)["phase"] == "Running"


def test_a_run_waits_for_its_pipeline() -> None:
    where = test_run_plan.world()
    where.objects["Pipeline", "delay"]["spec"]["steps"][0]["timeout"] = {"at": "noon"}
    status = test_run_plan.look(where)
    assert (status["phase"], condition(status, "Succeeded")["reason"]) == ("Pending", "PipelineUnreadable")


def test_a_dataset_that_breaks_while_a_run_goes_on_holds_up_the_step_that_reads_it() -> None:
    where = test_run_plan.world()
    where.objects["Pipeline", "delay"]["spec"]["steps"].append({"name": "alone", "image": "i"})
    with pytest.raises(Crash):
        where.look(run.SPEC, "delay-7", crash_after=1)
    strange(where.objects["Dataset", "flights"])
    status = test_run_plan.look(where)
    assert where.jobs(step="alone"), "it needs nothing of the Dataset"
    assert test_run_plan.step(status, "prepare")["reason"] == "DatasetUnreadable"
    assert where.jobs(step="prepare") == []
    test_run_plan.dataset(where)
    test_run_plan.look(where)
    assert where.jobs(step="prepare")


def test_a_trigger_on_a_dataset_that_can_not_be_read_stops_no_other_one() -> None:
    triggers = [{"dataset": {"name": "flights"}}, {"dataset": {"name": "weather"}}]
    where = test_pipeline_plan.world(triggers=triggers)
    for name in ("flights", "weather"):
        test_pipeline_plan.dataset(where, "v1")
        found = copy.deepcopy(where.objects["Dataset", "flights"])
        found["metadata"]["name"] = name
        where.put(found)
    strange(where.objects["Dataset", "flights"])
    status = test_pipeline_plan.look(where)
    assert [one["trigger"] for one in status["decisions"]] == ["dataset/weather"]
    ready = condition(status, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "DatasetUnreadable")
    assert "flights" in ready["message"]


def test_a_proof_waits_for_rows_that_can_be_read() -> None:
    where = LittleWorld(config=test_modelversion.SERVER_CONFIG)
    rows = {"dataset": {"name": "flights"}}
    where.put(test_modelversion.version(evaluation=test_modelversion.EVALUATION | {"data": rows}))
    test_run_plan.dataset(where)
    strange(where.objects["Dataset", "flights"])
    where.settle(modelversion.SPEC, test_modelversion.ONE)
    told = condition(where.status(MODEL_VERSION, test_modelversion.ONE), "Evaluated")
    assert (told["status"], told["reason"]) == ("Unknown", "DatasetUnreadable")


def test_a_proof_goes_on_beside_a_deployment_whose_record_can_not_be_read() -> None:
    where = LittleWorld(config=test_modelversion.SERVER_CONFIG)
    where.put(test_modelversion.version(evaluation=test_modelversion.EVALUATION))
    test_modelversion.live(where, "delay-1")
    where.objects["Deployment", "front"]["status"]["versions"] = [{"named": "delay-1"}, 7]
    where.settle(modelversion.SPEC, test_modelversion.ONE)
    assert where.jobs(modelversion=test_modelversion.ONE)


def test_a_rollout_is_held_by_labels_that_can_not_be_read_and_harm_still_ends_it() -> None:
    sim: LabelWorld = begun()
    strange(sim.of(DATASET)["truth"])
    sim.tick(50)
    assert sim.condition("EvidenceAvailable")["reason"] == "DatasetUnreadable"
    assert sim.condition("Available")["status"] == "True"
    sim.errors["m-2"] = 0.9
    for _ in range(30):
        sim.tick(50)
    assert sim.status["history"][0]["result"] == "RolledBack"


# --- each kind beside each plan --------------------------------------------------------------------------------------

BREAKS: dict[str, Callable[[Json], Any]] = {
    "an empty spec": lambda obj: obj.update(spec={}),
    "no status": lambda obj: obj.pop("status", None),
    "numbers for objects": lambda obj: obj["spec"].update(dict.fromkeys(obj["spec"], 7)),
    "texts for lists": lambda obj: obj.setdefault("status", {}).update(versions="x", conditions="y", steps="z"),
    "another phase": lambda obj: obj.setdefault("status", {}).update(phase="Musing", current={"version": 3}),
    "an unknown member": lambda obj: obj["spec"].update(source={"ftp": {}}, store={"tape": 1}, evaluation={"by": 3}),
    "strange candidates": lambda obj: obj.setdefault("status", {}).update(
        candidate={"place": {"until": "noon"}}, experiment={"arms": [{"place": {"since": 3}}]}, versions=[{"a": 1}]
    ),
}


def neighbours(where: LittleWorld) -> None:
    """One more of each kind, of which the broken one is made."""
    test_run_plan.dataset(where)
    where.put(test_run_plan.PIPELINE)
    where.put({"kind": "PipelineRun", "metadata": {"name": "other", "labels": {"fairlead.dev/pipeline": "delay"}},
               "spec": {"pipeline": "delay"}})  # fmt: skip
    where.put(test_modelversion.version("delay-1") | {"status": {"phase": "Approved", "observedGeneration": 1}})
    where.put({"kind": "Deployment", "metadata": {"name": "front"}, "spec": {"model": {"name": "delay"}},
               "status": {"live": {"version": "delay-1", "since": "2026-01-01T00:00:00Z"}}})  # fmt: skip


SUBJECTS: tuple[tuple[KindSpec[Any], str, Json], ...] = (
    (run.SPEC, "mine", {"kind": "PipelineRun", "metadata": {"name": "mine"}, "spec": {"pipeline": "delay"}}),
    (modelversion.SPEC, test_modelversion.ONE, test_modelversion.version(
        evaluation=test_modelversion.EVALUATION | {"data": {"dataset": {"name": "flights"}}})),
    (pipeline.SPEC, "mine", {
        "kind": "Pipeline", "metadata": {"name": "mine"},
        "spec": {"steps": test_pipeline_plan.STEPS, "triggers": [{"dataset": {"name": "flights"}}]}}),
)  # fmt: skip


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("kind", [DATASET, PIPELINE, PIPELINE_RUN, MODEL_VERSION, DEPLOYMENT], ids=lambda k: k.kind)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: str(subject[0].kind.kind))
def test_no_neighbour_stops_a_plan(subject: tuple[KindSpec[Any], str, Json], kind: Kind, how: str) -> None:
    found, name, manifest = subject
    where = LittleWorld(config=test_modelversion.SERVER_CONFIG)
    neighbours(where)
    where.put(manifest)
    for (of, named), obj in where.objects.items():
        if of == kind.kind and named != name:
            BREAKS[how](obj)
    try:
        where.settle(found, name)
    except Invalid as invalid:
        pytest.fail(f"a neighbour's fault is no fault of the subject's spec: {invalid}")


def test_a_version_that_can_not_be_read_is_not_chosen_and_is_named() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.version("m-2", server={"runtime": "quantum"})
    sim.tick()
    assert "candidate" not in sim.status
    told = sim.condition("Progressing")
    assert told["reason"] == "VersionUnreadable"
    assert "ModelVersion m-2 has a form that this Fairlead can't read (spec.server.runtime" in told["message"]
    sim.spec["model"] = {"version": "m-2"}
    sim.tick()
    assert sim.condition("Progressing")["reason"] == "VersionUnreadable"


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("kind", [DATASET, MODEL_VERSION, DEPLOYMENT], ids=lambda k: k.kind)
def test_no_neighbour_stops_a_rollout(kind: Kind, how: str) -> None:
    sim = Sim(spec(), store=True)
    sim.go_live()
    sim.traffic(2000)
    sim.begin()
    other = sim.version("m-3", model="other")
    made = {
        DATASET: {"metadata": {"name": "truth"}, "spec": {"source": {"s3": {"bucket": "abc"}}}},
        MODEL_VERSION: other,
        DEPLOYMENT: {"metadata": {"name": "other", "uid": "other"}, "spec": {"model": {"name": "m"}}, "status": {}},
    }[kind]
    del sim.of(MODEL_VERSION)["m-3"]
    BREAKS[how](made)
    sim.of(kind)[made["metadata"]["name"]] = made
    sim.errors["m-2"] = 0.9
    for _ in range(30):
        sim.tick(50)
    assert sim.status["history"][0]["result"] == "RolledBack"
