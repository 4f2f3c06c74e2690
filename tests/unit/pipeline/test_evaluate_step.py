"""A step that measures a model: what follows from `produces`, what is refused, its Job, and how a run goes by it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.plan.cache_world import A, B, CacheWorld, made, outcomes
from tests.unit.plan.littleworld import LittleWorld, stopped
from tests.unit.plan.test_run_plan import container, dataset, live, look, step, task_of, uri

from fairlead.api.config import Images
from fairlead.api.pipeline import Pipeline, PipelineSpec
from fairlead.plan.core import DATASET, PIPELINE, Invalid, Json
from fairlead.plan.pipeline import dag, measuring, run
from fairlead.plan.pipeline import plan as pipeline
from fairlead.plan.pipeline.types import registry
from fairlead.plan.requests import AccountSeen, ReadAccount

IMAGE = f"registry.example/sklearn@{A}"
EVALUATION: Json = {
    "features": ["dep", "region"], "target": "late", "task": "classification", "metrics": ["accuracy", "log_loss"],
    "data": {"output": "train.test"},
    "gates": [{"metric": "accuracy", "min": "0.5"}, {"metric": "tpr_gap", "by": "region", "max": "10%"}],
    "resources": {"memory": "1Gi"},
}  # fmt: skip
SERVER: Json = {
    "image": IMAGE, "resources": {"cpu": "1", "memory": "2Gi", "cpuLimit": "2", "gpu": {"mig": "1g.10gb"}},
    "nodeSelector": {"pool": "gpu"}, "timeout": "5m", "secrets": ["token"],
}  # fmt: skip
TRAIN: Json = {
    "name": "train", "image": f"r/app@{A}", "inputs": {"raw": {"dataset": "flights"}},
    "outputs": {"model": {"type": "model"}, "test": {"type": "dataset"}},
}  # fmt: skip
SCORE: Json = {"name": "score", "evaluate": {"model": "delay"}}
TELL: Json = {"name": "tell", "image": f"r/app@{A}", "if": [{"metric": "score.accuracy", "above": "0.7"}]}


def manifest(
    *steps: Json, evaluation: Json | None = EVALUATION, server: Json | None = None, **spec: Any
) -> Json:  # fmt: skip
    version = {"server": SERVER | (server or {})} | ({"evaluation": evaluation} if evaluation is not None else {})
    produces = [{"model": "delay", "from": "train.model", "version": version}]
    body = {"steps": list(steps) or [TRAIN, SCORE, TELL], "produces": produces, **spec}
    return copy.deepcopy({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": body})


def filled(raw: Json, images: Images | None = None) -> PipelineSpec:
    return measuring.filled(Pipeline.model_validate(raw).spec, images)


def begun(raw: Json, **spec: Any) -> LittleWorld:
    """A run whose step `train` is over."""
    where = LittleWorld()
    where.put(raw)
    dataset(where)
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"} | spec})
    look(where)
    answer(where, "train")
    return where


def answer(where: LittleWorld, name: str, **said: Any) -> Json:
    """A step's pod succeeds; the run's status afterwards."""
    job = live(where, name)
    task = task_of(job, "publish")
    outputs = [
        {"name": o["name"], "type": o["type"], "uri": f"{uri(task)}{o['name']}/", "sha256": "b" * 64, "bytes": 5}
        for o in task["outputs"]
    ]
    found = json.dumps({"publish": {"attempt": task["attempt"], "outputs": outputs, **said}})
    where.pod(job, "Succeeded", initContainerStatuses=[stopped("model"), stopped("step")],
              containerStatuses=[stopped("publish", 0, found)])  # fmt: skip
    return look(where)


# --- what follows from produces ------------------------------------------------------------------------------------


def of_dataset(**more: Any) -> Json:
    return EVALUATION | {"data": {"dataset": {"name": "held-out"} | more}}


DEFAULTS: list[tuple[str, Json, Json, dict[str, str]]] = [
    ("all", SCORE, EVALUATION, {"model": "train.model", "data": "train.test"}),
    ("a Dataset's rows", SCORE, of_dataset(), {"model": "train.model", "data": "held-out"}),
    ("another model", SCORE | {"inputs": {"model": {"output": "other.model"}}}, EVALUATION,
     {"model": "other.model", "data": "train.test"}),
    ("other rows", SCORE | {"inputs": {"data": {"dataset": "hard-ones"}}}, of_dataset(version="v1"),
     {"model": "train.model", "data": "hard-ones"}),
]  # fmt: skip


@pytest.mark.parametrize(("score", "evaluation", "expected"), [o[1:] for o in DEFAULTS], ids=[o[0] for o in DEFAULTS])
def test_what_is_left_open_follows_from_the_entry(score: Json, evaluation: Json, expected: dict[str, str]) -> None:
    other = TRAIN | {"name": "other"}
    spec = filled(manifest(TRAIN, other, score, evaluation=evaluation))
    dag.validate(spec)
    found = spec.steps[2]
    assert {name: one.output or one.dataset for name, one in found.inputs.items()} == expected
    assert (found.image, found.node_selector) == (IMAGE, {"pool": "gpu"})
    assert dag.dependencies(found) >= {"other" if "other.model" in expected.values() else "train"}
    assert set(dag.datasets(spec)) == {"flights", *({expected["data"]} - {"train.test"})}


@given(st.lists(st.sampled_from(["model", "data"]), unique=True), st.booleans(), st.booleans())
@settings(max_examples=30, deadline=None)
def test_filling_in_twice_is_filling_in_once(given_inputs: list[str], of_data: bool, known: bool) -> None:
    inputs = {"model": {"output": "train.model"}, "data": {"output": "train.test"}}
    score = SCORE | {"inputs": {name: inputs[name] for name in given_inputs}}
    raw = manifest(TRAIN, score, evaluation=of_dataset() if of_data else EVALUATION)
    images = Images(worker="w:1") if known else None
    once = filled(raw, images)
    assert measuring.filled(once, images) == once
    untouched = [one for one in once.steps if one.evaluate is None]
    assert untouched == [Pipeline.model_validate(raw).spec.steps[0]]


def test_a_pipeline_without_such_steps_is_as_it_was() -> None:
    spec = Pipeline.model_validate(manifest(TRAIN)).spec
    assert measuring.filled(spec, None) is spec


def test_the_installations_image_serves_where_none_is_named() -> None:
    raw = manifest()
    del raw["spec"]["produces"][0]["version"]["server"]["image"]
    images = Images(worker="w:1", runtimes={"sklearn": "own/sklearn:3"})
    assert filled(raw, images).steps[1].image == "own/sklearn:3"
    with pytest.raises(Invalid, match="no image for runtime sklearn") as caught:
        filled(raw, Images(worker="w:1"))
    assert caught.value.field_path == "spec.produces[0].version.server.image"


REFUSED: list[tuple[str, Json, str, str]] = [
    ("no such model", manifest(TRAIN, SCORE | {"evaluate": {"model": "dealy"}}), "spec.steps[1].evaluate.model",
     "model 'dealy' is not in spec.produces.*produces has delay"),
    ("nothing is produced", manifest() | {"spec": {"steps": [TRAIN, SCORE]}}, "spec.steps[1].evaluate.model",
     "the Pipeline has no produces"),
    ("no evaluation", manifest(evaluation=None), "spec.steps[1].evaluate.model", "version has no evaluation"),
    ("a version of a Dataset", manifest(evaluation=of_dataset(version="v1")), "spec.steps[1].inputs.data",
     "names version v1 of Dataset held-out"),
    ("a folder as a model", manifest(TRAIN, SCORE | {"inputs": {"model": {"output": "train.test"}}}),
     "spec.steps[1].inputs.model.output", "train.test has type dataset; an output of type model"),
    ("a Dataset as a model", manifest(TRAIN, SCORE | {"inputs": {"model": {"dataset": "flights"}}}),
     "spec.steps[1].inputs.model.dataset", "a Dataset is no model"),
    ("a step before", manifest(TRAIN | {"needs": ["score"]}, SCORE), "spec.steps",
     "steps wait for each other: .*score"),
    ("a model of each", manifest(
        TRAIN, TRAIN | {"name": "many", "each": {"matrix": {"k": ["1", "2"]}}},
        SCORE | {"inputs": {"model": {"output": "many.model"}}}),
     "spec.steps[2].inputs.model.output", "one for each of its items.*itemsOf: many"),
    ("rows that are no dataset", manifest(evaluation=EVALUATION | {"data": {"output": "train.model"}}),
     "spec.steps[1].inputs.data.output", "train.model has type model"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "path", "words"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED])
def test_what_makes_no_sense_is_named_with_its_remedy(raw: Json, path: str, words: str) -> None:
    with pytest.raises(Invalid, match=words) as caught:
        dag.validate(filled(raw))
    assert caught.value.field_path == path


def test_a_run_is_refused_for_the_same_and_an_edit_of_the_step() -> None:
    where = LittleWorld()
    where.put(manifest(evaluation=None))
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"}})
    assert "version has no evaluation" in look(where)["message"]
    where = LittleWorld()
    where.put(manifest())
    edit = {"edit": {"step": "score", "image": "other:1"}}
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"} | edit})
    found = look(where)
    assert found["phase"] == "Failed"
    assert "step score measures a model" in found["message"]


@pytest.mark.parametrize("score", [SCORE, SCORE | {"inputs": {"model": {"output": "train.model"}}}])
def test_the_datasets_rows_wake_the_pipeline_and_are_pinned_by_its_runs(score: Json) -> None:
    raw = manifest(TRAIN, score, evaluation=of_dataset())
    where = LittleWorld()
    where.put(raw)
    pipelines: Any = where.select(PIPELINE)
    for name, woken in (("held-out", ["delay"]), ("flights", ["delay"]), ("other", [])):
        changed = {"metadata": {"name": name, "namespace": "team"}}
        assert list(pipeline.SPEC.mappers[DATASET](changed, pipelines)) == woken
    dataset(where)
    where.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"}})
    assert "no Dataset held-out" in look(where)["message"]
    held_out = copy.deepcopy(where.objects["Dataset", "flights"])
    where.put(held_out | {"metadata": {"name": "held-out"}})
    where.now += 10
    assert [one["name"] for one in look(where)["datasets"]] == ["flights", "held-out"]
    answer(where, "train")
    assert task_of(live(where, "score"), "step")["dataFormat"] == "parquet"


@pytest.mark.parametrize("strange", [
    {}, {"steps": None, "produces": None}, {"steps": [{"evaluate": {}}], "produces": [{}]},
    {"steps": [{"evaluate": {"model": "m"}, "inputs": None}], "produces": [{"model": "m", "version": None}]},
])  # fmt: skip
def test_a_pipeline_of_another_version_wakes_nobody_and_breaks_nothing(strange: Json) -> None:
    assert list(measuring.datasets(strange)) == []


# --- its Job -------------------------------------------------------------------------------------------------------


def test_the_server_finds_the_steps_model_where_it_always_does_and_the_worker_asks_it() -> None:
    job = live(begun(manifest()), "score")
    pod = job["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["initContainers"]] == ["fetch", "model", "step"]
    server = container(job, "model")
    assert (server["image"], server["restartPolicy"]) == (IMAGE, "Always")
    assert "startupProbe" not in server  # the worker waits for it
    assert {"name": "in", "mountPath": "/fairlead/model", "readOnly": True, "subPath": "model"} in server[
        "volumeMounts"
    ]
    assert all(mount["name"] != "out" for mount in server["volumeMounts"])
    assert server["resources"]["limits"] == {"memory": "2Gi", "cpu": "2", "nvidia.com/mig-1g.10gb": "1"}
    assert pod["nodeSelector"] == {"pool": "gpu"}
    assert {one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one} == {"keys", "token"}
    task, worker = task_of(job, "step"), container(job, "step")
    assert worker["command"] == ["fairlead", "worker", "measure"]
    assert worker["resources"]["limits"]["memory"] == "1Gi"
    assert (task["readyTimeout"], task["where"]) == (300.0, "spec.produces[0].version.server")
    assert [gate["metric"] for gate in task["gates"]] == ["tpr_gap"]
    assert task["subjects"] == [{
        "subject": "model", "version": "delay-7", "url": "http://127.0.0.1:8080", "name": "delay", "sha256": "b" * 64,
        "features": [],
    }]  # fmt: skip


def test_the_servers_gpus_are_the_steps() -> None:
    assert registry.gpus(filled(manifest()).steps[1]) == pytest.approx(1 / 7)


def test_a_service_account_must_be_granted_as_for_a_version() -> None:
    where = begun(manifest(server={"serviceAccount": "cloud"}))
    found = step(look(where), "score")
    assert (found["reason"], where.jobs(step="score")) == ("ServiceAccountUnknown", [])
    where.answers[ReadAccount("team", "cloud")] = AccountSeen(exists=True, granted=False)
    where.now += 10
    assert step(look(where), "score")["reason"] == "ServiceAccountNotGranted"
    where.answers[ReadAccount("team", "cloud")] = AccountSeen(exists=True, granted=True)
    where.now += 10
    look(where)
    assert live(where, "score")["spec"]["template"]["spec"]["serviceAccountName"] == "cloud"


# --- how a run goes by it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("accuracy", "goes_on"), [("0.71", True), ("0.69", False)])
def test_another_step_goes_by_its_metric(accuracy: str, goes_on: bool) -> None:
    where = begun(manifest())
    status = answer(where, "score", metrics={"accuracy": accuracy})
    assert step(status, "score")["metrics"] == {"accuracy": accuracy}
    assert bool(where.jobs(step="tell")) == goes_on
    assert status["phase"] == ("Running" if goes_on else "Completed")


def failed(where: LittleWorld, said: Json | None = None, code: int = 1, **server: Any) -> Json:
    """The worker ends so, the server is so; the step afterwards."""
    message = json.dumps({"error": said}) if said else ""
    beside = {"name": "model", "image": "s:1", "state": {"terminated": {"exitCode": 143, "message": "bye"}}, **server}
    where.pod(live(where, "score"), "Failed", initContainerStatuses=[
        stopped("fetch", 0, '{"fetched": 3}'), beside, stopped("step", code, message)])  # fmt: skip
    return step(look(where), "score")


DEAD = {
    "exitCode": 1,
    "message": "ModuleNotFoundError: No module named 'lightgbm'",
    "finishedAt": "2026-03-02T09:00:09Z",
}
SAYS = {"reason": "ServerFailed", "message": "the model's server is not ready after 300 s: nothing listens"}
FAILURES: list[tuple[str, Json, str, int, int, str]] = [
    ("no answer", {"said": SAYS}, "ServerFailed", 1, 0, "not ready after 300 s"),
    ("it ends", {"said": SAYS, "restartCount": 2, "lastState": {"terminated": DEAD}}, "ServerFailed", 1, 0,
     "No module named 'lightgbm'"),
    ("its memory", {"said": SAYS, "restartCount": 1, "lastState": {"terminated": DEAD | {"reason": "OOMKilled"}}},
     "ServerFailed", 1, 0, "ran out of memory; raise version.server.resources.memory"),
    ("rows", {"said": {"reason": "BadData", "message": "the rows lack dep"}}, "BadData", 1, 0, "the rows lack dep"),
    ("a bug of ours", {"said": {"reason": "Bug", "message": "KeyError"}}, "Bug", 0, 0, "KeyError"),
    ("the disk", {"said": {"reason": "Unreachable", "message": "s3 is away"}}, "Unreachable", 0, 1, "s3 is away"),
    ("killed", {"code": 137}, "Disrupted", 0, 1, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "reason", "own", "lost", "words"), [o[1:] for o in FAILURES], ids=[o[0] for o in FAILURES]
)
def test_whose_fault_a_failure_is(how: Json, reason: str, own: int, lost: int, words: str) -> None:
    retry = SCORE | {"retry": {"limit": 2, "backoff": "30s"}}
    found = failed(begun(manifest(TRAIN, retry)), **how)
    assert (found["reason"], found.get("failures", 0), found.get("disruptions", 0)) == (reason, own, lost)
    assert words in found["message"]


def test_a_server_that_ends_again_and_again_is_not_waited_for() -> None:
    where = begun(manifest())
    job = live(where, "score")
    looping = {"name": "model", "image": "s:1", "restartCount": 3, "lastState": {"terminated": DEAD},
               "state": {"waiting": {"reason": "CrashLoopBackOff"}}}  # fmt: skip
    where.pod(job, "Running", initContainerStatuses=[
        stopped("fetch", 0, '{"fetched": 3}'), looping,
        {"name": "step", "image": "w:1", "state": {"running": {"startedAt": "2026-03-02T09:00:00Z"}}}])  # fmt: skip
    found = step(look(where), "score")
    assert found["reason"] == "ServerFailed"
    assert "lightgbm" in found["message"]
    where.remove(pipeline.JOB, job["metadata"]["name"])
    where.remove(run.POD, f"{job['metadata']['name']}-x")
    found = step(look(where), "score")
    assert (found["phase"], found["failures"], found["reason"]) == ("Failed", 1, "ServerFailed")


def test_each_item_is_measured_with_its_own_model() -> None:
    many = TRAIN | {"name": "many", "each": {"matrix": {"k": ["1", "2"]}}}
    score = {"name": "score", "evaluate": {"model": "delay"}, "each": {"itemsOf": "many"},
             "inputs": {"model": {"output": "many.model"}, "data": {"output": "train.test"}}}  # fmt: skip
    where = begun(manifest(TRAIN, many, score))
    for job in where.jobs(step="many"):
        task = task_of(job, "publish")
        outputs = [{"name": o["name"], "type": o["type"], "uri": f"{uri(task)}{o['name']}/", "sha256": "b" * 64}
                   for o in task["outputs"]]  # fmt: skip
        said = json.dumps({"publish": {"attempt": 1, "outputs": outputs, "item": task["item"]}})
        where.pod(job, "Succeeded", initContainerStatuses=[stopped("step")],
                  containerStatuses=[stopped("publish", 0, said)])  # fmt: skip
    look(where)
    jobs = where.jobs(step="score")
    assert len(jobs) == 2
    wanted = [
        next(one for one in task_of(job, "fetch")["items"] if one["dest"] == "/fairlead/in/model") for job in jobs
    ]
    assert len({one["outcomes"]["only"] for one in wanted}) == 2


# --- what is taken from earlier runs -------------------------------------------------------------------------------


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch) -> CacheWorld:
    where = made(monkeypatch)
    where.put(manifest(TRAIN | {"cache": True}, SCORE | {"cache": True}))
    return where


def gates(*more: Json) -> Json:
    return EVALUATION | {"gates": [*EVALUATION["gates"], *more]}


CHANGES: list[tuple[str, Json, list[str]]] = [
    ("nothing", {}, ["Hit", "Hit"]),
    ("the image", {"server": {"image": f"registry.example/sklearn@{B}"}}, ["Hit", "Miss"]),
    ("a variable", {"server": {"env": [{"name": "X", "value": "1"}]}}, ["Hit", "Miss"]),
    ("a GPU's part", {"server": {"resources": {"gpu": {"mig": "2g.20gb"}}}}, ["Hit", "Miss"]),
    ("memory, time and place", {"server": {
        "resources": {"memory": "4Gi", "gpu": {"mig": "1g.10gb"}}, "timeout": "9m", "labels": {"a": "b"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
    }}, ["Hit", "Hit"]),
    ("a feature", {"evaluation": EVALUATION | {"features": ["dep"]}}, ["Hit", "Miss"]),
    ("a metric", {"evaluation": EVALUATION | {"metrics": ["accuracy"]}}, ["Hit", "Miss"]),
    ("metrics in another order", {"evaluation": EVALUATION | {"metrics": ["log_loss", "accuracy"]}}, ["Hit", "Hit"]),
    ("a slice", {"evaluation": gates({"metric": "fpr_gap", "by": "region", "max": "5%"})}, ["Hit", "Miss"]),
    ("a gate that is no gap", {"evaluation": gates({"metric": "log_loss", "max": "2"})}, ["Hit", "Hit"]),
    ("the worker's memory", {"evaluation": EVALUATION | {"resources": {"memory": "2Gi"}}}, ["Hit", "Hit"]),
    ("people", {"evaluation": EVALUATION | {"timeout": "2h"}}, ["Hit", "Hit"]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [one[1:] for one in CHANGES], ids=[one[0] for one in CHANGES])
def test_what_can_change_what_is_measured_is_part_of_the_key(
    cached: CacheWorld, change: Json, expected: list[str]
) -> None:
    assert outcomes(cached.whole("delay-1")) == ["Miss", "Miss"]
    cached.put(manifest(TRAIN | {"cache": True}, SCORE | {"cache": True}, **change))
    assert outcomes(cached.whole("delay-2")) == expected
