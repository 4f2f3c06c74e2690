"""A run from its start to its models, case by case."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml
from tests.unit.plan.littleworld import LittleWorld, stopped

from fairlead.plan.core import JOB, MODEL_VERSION, PIPELINE_RUN, POD, Json
from fairlead.plan.pipeline import run
from fairlead.plan.requests import Failed, FindObject, Presence

PIPELINE = """
kind: Pipeline
metadata: {name: delay}
spec:
  params: {horizon: "24"}
  steps:
  - name: prepare
    image: registry/airline:1
    command: [python, -m, prepare, "--horizon={{params.horizon}}"]
    inputs: {raw: {dataset: flights}}
    outputs: {train: {type: dataset}, test: {type: dataset}}
  - name: train
    image: registry/airline:1
    env: [{name: H, value: "{{params.horizon}}"}]
    secrets: [tokens]
    inputs: {train: {output: prepare.train}}
    outputs: {model: {type: model}}
    resources: {cpu: "2", memory: 8Gi, gpu: {count: 1, product: A100}}
    retry: {limit: 2, backoff: 30s}
    timeout: 4h
  produces:
  - model: delay
    from: train.model
    version:
      evaluation:
        features: [dep, carrier]
        target: late
        metrics: [mae]
        data: {output: prepare.test}
        baseline: {by: [carrier], reference: {output: prepare.train}}
      approval: {required: 2}
      golden: {file: golden.jsonl, tolerance: 1%}
"""


def world(**spec: Any) -> LittleWorld:
    """A world with a pipeline, a Dataset and a run."""
    found = LittleWorld()
    found.put(PIPELINE)
    dataset(found)
    found.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"} | spec})
    return found


def dataset(where: LittleWorld, *names: str) -> None:
    """The Dataset `flights` with these versions, newest first."""
    versions = [
        {"version": n, "digest": n * 8, "manifest": f"s3://store/{n}.json", "at": "2026-01-01T00:00:00Z"}
        for n in names or ("v2", "v1")
    ]
    source = {"s3": {"bucket": "src", "credentials": {"name": "source-keys"}}}
    where.put({
        "kind": "Dataset", "metadata": {"name": "flights"}, "spec": {"source": source, "format": "parquet"},
        "status": {"current": versions[0], "versions": versions},
    })  # fmt: skip


def look(where: LittleWorld) -> Json:
    """The status after looking until nothing changes."""
    where.settle(run.SPEC, "delay-7")
    return where.status(PIPELINE_RUN, "delay-7")


def step(status: Json, name: str) -> Json:
    """A step's status."""
    found: Json = next(s for s in status["steps"] if s["name"] == name)
    return found


def succeed(where: LittleWorld, name: str) -> Json:
    """The running attempt of a step succeeds; the status afterwards."""
    job = live(where, name)
    task = task_of(job, "publish")
    outputs = [
        {"name": o["name"], "type": o["type"], "uri": f"{uri(task)}{o['name']}/", "sha256": "b" * 64, "bytes": 5}
        for o in task["outputs"]
    ]
    said = json.dumps({"publish": {"attempt": task["attempt"], "outputs": outputs}})
    where.pod(job, "Succeeded", initContainerStatuses=[stopped("step")],
              containerStatuses=[stopped("publish", 0, said)])  # fmt: skip
    return look(where)


def uri(task: Json) -> str:
    """Where a publish task writes."""
    return f"s3://{task['store']['bucket']}/{task['store']['prefix']}{task['attempt']}/"


def live(where: LittleWorld, name: str) -> Json:
    """The Job of a step's newest attempt."""
    return max(where.jobs(step=name), key=lambda j: int(j["metadata"]["labels"]["fairlead.dev/attempt"]))


def container(job: Json, name: str) -> Json:
    """A container of a Job's pod."""
    spec = job["spec"]["template"]["spec"]
    return next(c for c in [*spec.get("initContainers", []), *spec["containers"]] if c["name"] == name)


def task_of(job: Json, name: str) -> Json:
    """The task of a worker's container."""
    value = next(e["value"] for e in container(job, name)["env"] if e["name"] == "FAIRLEAD_TASK")
    found: Json = json.loads(value.replace("$$", "$"))
    return found


def test_the_whole_way() -> None:
    where = world(params={"horizon": "48"})
    status = look(where)
    assert (status["phase"], status["progress"]) == ("Running", "0/2")
    assert status["datasets"][0]["version"] == "v2"
    assert step(status, "prepare")["jobUid"]
    assert not where.jobs(step="train")
    status = succeed(where, "prepare")
    assert step(status, "prepare")["outputs"][0]["uri"].endswith("/uid-2/prepare/1/train/")
    status = succeed(where, "train")
    assert (status["phase"], status["progress"], status["models"]) == ("Completed", "2/2", ["delay-7"])
    made = where.objects[("ModelVersion", "delay-7")]
    assert made["metadata"]["annotations"] == {"fairlead.dev/created-by-uid": "uid-2"}
    assert "ownerReferences" not in made["metadata"]
    spec = made["spec"]
    assert spec["lineage"] == {
        "run": "delay-7", "runUid": "uid-2", "pipeline": "delay", "datasets": {"flights": "v2"},
        "images": {"prepare": f"step@sha256:{'a' * 64}", "train": f"step@sha256:{'a' * 64}"},
        "params": {"horizon": "48"},
    }  # fmt: skip
    assert spec["artifact"]["uri"].endswith("/train/1/model/")
    assert spec["artifact"]["credentials"] == {"name": "keys"}
    assert spec["evaluation"]["data"]["artifact"]["uri"].endswith("/prepare/1/test/")
    assert spec["evaluation"]["baseline"]["reference"]["artifact"]["sha256"] == "b" * 64
    assert spec["approval"]["required"] == 2
    assert spec["golden"] == {"file": "golden.jsonl", "tolerance": "1%"}


def test_the_next_job_is_made_in_the_same_look_as_the_pod_is_seen_to_end() -> None:
    where = world()
    look(where)
    job = live(where, "prepare")
    outputs = [{"name": n, "type": "dataset", "uri": "s3://store/x/", "sha256": "b" * 64} for n in ("train", "test")]
    said = json.dumps({"publish": {"attempt": 1, "outputs": outputs}})
    where.pod(job, "Succeeded", containerStatuses=[stopped("publish", 0, said)])
    before = where.writes
    plan = where.look(run.SPEC, "delay-7")
    assert [j["metadata"]["labels"]["fairlead.dev/step"] for j in plan.create] == ["train"]
    assert where.writes - before == 2


def test_what_a_step_is_told() -> None:
    where = world()
    look(where)
    prepare = live(where, "prepare")
    assert task_of(prepare, "fetch")["items"] == [{
        "access": {"endpoint": "http://s3:9000", "credentials": "/fairlead/credentials/keys"}, "manifest": True,
        "uri": "s3://store/v2.json", "sha256": "v2" * 8, "dest": "/fairlead/in/raw",
    }]  # fmt: skip
    assert container(prepare, "step")["command"][-1] == "--horizon=24"
    succeed(where, "prepare")
    train = live(where, "train")
    env = {e["name"]: e["value"] for e in container(train, "step")["env"]}
    assert env["H"] == "24"
    assert (env["FAIRLEAD_RUN"], env["FAIRLEAD_STEP"], env["FAIRLEAD_ATTEMPT"]) == ("delay-7", "train", "1")
    assert json.loads(env["FAIRLEAD_PARAMS"]) == {"horizon": "24"}
    spec = train["spec"]["template"]["spec"]
    assert spec["activeDeadlineSeconds"] == (4 + 2) * 3600  # timeout, and startTimeout at either end
    assert spec["nodeSelector"] == {"nvidia.com/gpu.product": "A100"}
    assert container(train, "step")["resources"]["limits"] == {"memory": "8Gi", "nvidia.com/gpu": "1"}
    for name in ("fetch", "publish"):
        assert "/fairlead/secrets/tokens" not in str(container(train, name)["volumeMounts"])
    assert "/fairlead/credentials" not in str(container(train, "step")["volumeMounts"])


def test_later_edits_of_the_pipeline_are_for_the_next_run() -> None:
    where = world()
    look(where)
    where.put(PIPELINE.replace("registry/airline:1", "registry/airline:2"))
    succeed(where, "prepare")
    assert container(live(where, "train"), "step")["image"] == "registry/airline:1"


def test_a_pinned_version_is_read() -> None:
    where = world(datasets={"flights": "v1"})
    assert look(where)["datasets"][0]["manifest"] == "s3://store/v1.json"


OLD = "0123456789abcdef"


def asked(where: LittleWorld) -> FindObject:
    """What a run that names an old version asks the store."""
    (request,) = run.observe(where.subject(run.SPEC, "delay-7"), where, where.now)
    assert isinstance(request, FindObject)
    return request


def test_a_version_that_only_the_store_still_has_is_read() -> None:
    where = world(datasets={"flights": OLD})
    request = asked(where)
    assert (request.bucket, request.key) == ("store", f"fairlead/team/datasets/flights/versions/{OLD}.json")
    assert request.credentials == "keys"
    where.answers[request] = Presence(True)
    status = look(where)
    assert status["datasets"] == [{
        "name": "flights", "version": OLD, "digest": OLD,
        "manifest": f"s3://store/fairlead/team/datasets/flights/versions/{OLD}.json",
    }]  # fmt: skip
    (item,) = task_of(live(where, "prepare"), "fetch")["items"]
    assert (item["uri"], item["sha256"], item["manifest"]) == (status["datasets"][0]["manifest"], OLD, True)


def test_a_version_that_not_even_the_store_has_ends_the_run() -> None:
    where = world(datasets={"flights": OLD})
    where.answers[asked(where)] = Presence(False)
    status = look(where)
    assert (status["phase"], status["conditions"][0]["reason"]) == ("Failed", "InvalidDatasets")
    assert "neither the Dataset's status nor the store has version" in status["message"]
    assert "v2, v1" in status["message"]


@pytest.mark.parametrize("failed", [Failed("Underway", "not yet"), Failed("AccessDenied", "the store says no")])
def test_a_run_waits_for_a_store_that_does_not_say(failed: Failed) -> None:
    where = world(datasets={"flights": OLD})
    request = asked(where)
    where.answers[request] = failed
    status, plan = look(where), where.plan(run.SPEC, "delay-7")
    assert (status["phase"], status["conditions"][0]["reason"]) == ("Pending", failed.reason)
    assert plan.requeue_after is not None
    where.answers[request] = Presence(True)
    assert look(where)["phase"] == "Running"


def test_a_version_that_the_status_still_has_is_not_looked_for() -> None:
    where = world(datasets={"flights": "v1"})
    assert list(run.observe(where.subject(run.SPEC, "delay-7"), where, where.now)) == []


@pytest.mark.parametrize("name", ["../../../x", "0123456789ABCDEF", "0123", "versions/x"])
def test_what_can_be_no_version_is_not_looked_for(name: str) -> None:
    where = world(datasets={"flights": name})
    assert list(run.observe(where.subject(run.SPEC, "delay-7"), where, where.now)) == []
    assert look(where)["conditions"][0]["reason"] == "InvalidDatasets"


def test_after_a_restore_a_run_may_name_a_version_before_its_dataset_has_any() -> None:
    where = world(datasets={"flights": OLD})
    where.objects["Dataset", "flights"]["status"] = {}
    request = asked(where)
    where.answers[request] = Presence(False)
    assert look(where)["conditions"][0]["reason"] == "DatasetEmpty"
    where.answers[request] = Presence(True)
    assert look(where)["phase"] == "Running"


def test_a_run_that_names_more_datasets_than_it_can_pin_says_so() -> None:
    status = look(world(datasets={f"d{number}": "v1" for number in range(32)}))
    assert status["conditions"][0]["reason"] == "InvalidDatasets"
    assert "33 together; a run can pin 32" in status["message"]


@pytest.mark.parametrize(("spec", "reason", "words"), [
    ({"params": {"depth": "3"}}, "InvalidParams", "depth"),
    ({"datasets": {"flights": "v9"}}, "InvalidDatasets", "v2, v1"),
])  # fmt: skip
def test_what_makes_no_sense_ends_at_once(spec: Json, reason: str, words: str) -> None:
    status = look(world(**spec))
    assert status["phase"] == "Failed"
    assert status["conditions"][0]["reason"] == reason
    assert words in status["message"]


def test_a_pipeline_that_makes_no_sense() -> None:
    where = world()
    where.put(PIPELINE.replace("{output: prepare.train}", "{output: prepare.nothing}"))
    status = look(where)
    assert (status["phase"], status["conditions"][0]["reason"]) == ("Failed", "InvalidPipeline")
    assert "spec.steps[1].inputs.train.output" in status["message"]


def test_what_is_missing_is_waited_for() -> None:
    where = world()
    raw = where.objects.pop(("Dataset", "flights"))
    pipeline = where.objects.pop(("Pipeline", "delay"))
    assert look(where)["conditions"][0]["reason"] == "PipelineMissing"
    where.put(pipeline)
    assert look(where)["conditions"][0]["reason"] == "DatasetMissing"
    where.put({**raw, "status": {}})
    assert look(where)["conditions"][0]["reason"] == "DatasetEmpty"
    assert where.settle(run.SPEC, "delay-7").requeue_after
    where.put(raw)
    assert look(where)["phase"] == "Running"


def fail(where: LittleWorld, name: str, code: int = 1) -> Json:
    """The running attempt fails by its own fault; the status afterwards."""
    where.pod(live(where, name), "Failed", initContainerStatuses=[stopped("step", code)])
    return look(where)


def test_own_failures_spend_retries_with_growing_pauses() -> None:
    where = world()
    look(where)
    succeed(where, "prepare")
    for attempt, pause in ((1, 30), (2, 60)):
        status = step(fail(where, "train"), "train")
        assert (status["phase"], status["failures"], status["attempt"]) == ("Pending", attempt, attempt)
        assert where.settle(run.SPEC, "delay-7").requeue_after == pytest.approx(pause)
        where.now += pause
        look(where)
    status = fail(where, "train")
    assert status["phase"] == "Failed"
    assert (step(status, "train")["reason"], step(status, "train")["attempt"]) == ("UserError", 3)
    assert "kubectl logs -n team job/" in status["conditions"][0]["message"]
    assert "step train: the program ended with exit code 1 (attempt 3)" in status["message"]
    assert len(where.jobs(step="train")) == 3


def test_disruptions_have_a_budget_of_their_own() -> None:
    where = world()
    look(where)
    for lost in range(1, 12):
        where.pod(live(where, "prepare"), "Failed", reason="Evicted")
        status = look(where)
        assert step(status, "prepare")["disruptions"] == lost
        where.now += 300
        look(where)
    assert status["phase"] == "Failed"
    assert step(status, "prepare")["failures"] == 0


def test_a_lost_answer_is_recalled_from_the_store_without_running_the_step_again() -> None:
    where = world()
    look(where)
    job = live(where, "prepare")
    where.pod(job, "Running")
    look(where)
    where.remove(POD, f"{job['metadata']['name']}-x")
    job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    status = look(where)
    assert step(status, "prepare")["reason"] == "Starting"
    recall = where.objects[("Job", step(status, "prepare")["job"])]
    assert [c["name"] for c in recall["spec"]["template"]["spec"]["containers"]] == ["publish"]
    assert "initContainers" not in recall["spec"]["template"]["spec"]
    assert task_of(recall, "publish") == task_of(job, "publish")
    outputs = [{"name": n, "type": "dataset", "uri": "s3://store/x/", "sha256": "b" * 64} for n in ("train", "test")]
    said = json.dumps({"publish": {"attempt": 1, "outputs": outputs}})
    where.pod(recall, "Succeeded", containerStatuses=[stopped("publish", 0, said)])
    assert step(look(where), "prepare")["phase"] == "Completed"


def test_a_recall_that_finds_nothing_is_a_disruption() -> None:
    where = world()
    look(where)
    job = live(where, "prepare")
    job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    status = look(where)
    error = json.dumps({"error": {"reason": "OutputMissing", "message": "nothing at /fairlead/out/train"}})
    recall = where.objects[("Job", step(status, "prepare")["job"])]
    where.pod(recall, "Failed", containerStatuses=[stopped("publish", 1, error)])
    found = step(look(where), "prepare")
    assert (found["failures"], found["disruptions"], found["reason"]) == (0, 1, "Disrupted")


def test_a_job_that_is_deleted_waits_for_its_pod_before_the_next_attempt() -> None:
    where = world()
    look(where)
    job = live(where, "prepare")
    pod = where.pod(job, "Running")
    look(where)
    del where.objects[("Job", job["metadata"]["name"])]
    where.now += 400
    assert step(look(where), "prepare")["attempt"] == 1
    assert where.jobs() == [], "the Job is not made again while its pod may run"
    del where.objects[("Pod", pod["metadata"]["name"])]
    look(where)
    where.now += 10
    assert step(look(where), "prepare")["attempt"] == 2


def test_a_finished_step_stays_finished_without_its_job() -> None:
    where = world()
    look(where)
    succeed(where, "prepare")
    where.remove(JOB, live(where, "prepare")["metadata"]["name"])
    status = look(where)
    assert step(status, "prepare")["phase"] == "Completed"
    assert len([n for k, n in where.created if k == "Job"]) == 2


def test_an_image_that_cannot_be_pulled_is_said_and_heals() -> None:
    where = world()
    look(where)
    job = live(where, "prepare")
    state = {"waiting": {"reason": "ImagePullBackOff"}}
    where.pod(job, "Pending", initContainerStatuses=[{"name": "step", "image": "registry/airline:1", "state": state}])
    status = look(where)
    assert step(status, "prepare")["reason"] == "ImagePull"
    assert status["conditions"][0]["reason"] == "ImagePull"
    assert "registry/airline:1" in status["message"]
    where.pod(job, "Running", initContainerStatuses=[{"name": "step", "state": {"running": {}}}])
    assert step(look(where), "prepare")["phase"] == "Running"


def test_a_job_without_a_pod_says_where_to_look() -> None:
    where = world()
    look(where)
    assert 0 < (where.settle(run.SPEC, "delay-7").requeue_after or 0) <= 20.2
    where.now += 21
    assert step(look(where), "prepare")["reason"] == "NoPod"


def test_cancel_ends_when_the_pods_are_gone() -> None:
    where = world()
    look(where)
    job = live(where, "prepare")
    pod = where.pod(job, "Running")
    where.objects[("PipelineRun", "delay-7")]["spec"]["cancel"] = "now"
    plan = where.look(run.SPEC, "delay-7")
    assert [(d.name, d.propagation) for d in plan.delete] == [(job["metadata"]["name"], "Foreground")]
    where.put(job)
    job = where.objects[("Job", job["metadata"]["name"])]
    job["metadata"]["deletionTimestamp"] = "2026-03-02T09:00:00Z"
    where.put(pod)
    assert condition_of(look(where)) == ("Running", "Cancelling")
    where.pod(job, "Failed", initContainerStatuses=[stopped("step", 143)])
    assert condition_of(look(where)) == ("Running", "Cancelling"), "it has ended, but is still there"
    where.remove(JOB, job["metadata"]["name"])
    where.objects.pop(("Pod", pod["metadata"]["name"]), None)
    status = look(where)
    assert status["phase"] == "Aborted"
    assert {s["phase"] for s in status["steps"]} == {"Aborted"}


def condition_of(status: Json) -> tuple[str, str]:
    """Phase, and the reason of Succeeded."""
    return status["phase"], status["conditions"][0]["reason"]


def test_cancelled_before_it_started() -> None:
    status = look(world(cancel="now"))
    assert status["phase"] == "Aborted"


def test_a_model_name_that_is_taken_gets_another() -> None:
    where = world()
    where.put({"kind": "ModelVersion", "metadata": {"name": "delay-7"}, "spec": {"model": "delay"}})
    look(where)
    succeed(where, "prepare")
    status = succeed(where, "train")
    assert status["phase"] == "Completed"
    assert status["models"] != ["delay-7"]
    assert where.get(MODEL_VERSION, status["models"][0])


def test_forged_evidence_a_version_that_only_says_that_the_run_has_made_it_is_not_the_runs() -> None:
    """Name and annotation can be known beforehand; what the run makes of its outputs can't."""
    where = world()
    look(where)
    succeed(where, "prepare")
    uid = where.objects["PipelineRun", "delay-7"]["metadata"]["uid"]
    where.put({
        "kind": "ModelVersion", "metadata": {"name": "delay-7", "annotations": {"fairlead.dev/created-by-uid": uid}},
        "spec": {"model": "delay", "artifact": {"uri": "s3://elsewhere/evil", "sha256": "e" * 64}},
    })  # fmt: skip
    status = succeed(where, "train")
    assert (status["phase"], status["models"] == ["delay-7"]) == ("Completed", False)
    made = where.objects["ModelVersion", status["models"][0]]
    assert "evil" not in made["spec"]["artifact"]["uri"]
    assert made["metadata"]["annotations"]["fairlead.dev/created-by-uid"] == uid


def test_a_version_of_the_run_that_people_have_approved_or_revoked_since_is_still_the_runs() -> None:
    """The operator dies after it has made the version, and before the run's status says that it is over."""
    where = world()
    look(where)
    succeed(where, "prepare")
    before = copy.deepcopy(where.objects["PipelineRun", "delay-7"])
    succeed(where, "train")
    made = where.objects["ModelVersion", "delay-7"]["spec"]
    made |= {"approvals": [{"user": "bob", "evidence": "d" * 64, "at": "2026-03-02T09:00:00Z"}], "revoked": "leaks"}
    where.objects["PipelineRun", "delay-7"]["status"] = before["status"]
    where.settle(run.SPEC, "delay-7")
    assert [name for kind, name in where.objects if kind == "ModelVersion"] == ["delay-7"]
    assert where.objects["PipelineRun", "delay-7"]["status"]["models"] == ["delay-7"]


def test_the_status_of_the_longest_pipeline_is_small() -> None:
    where = world()
    names = [f"step-{i:02d}-{'x' * 40}" for i in range(64)]
    steps = [{"name": n, "image": "i", "outputs": {"o": {"type": "file"}}} for n in names]
    where.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": {"steps": steps}})
    look(where)
    for name in names:
        where.pod(live(where, name), "Failed", initContainerStatuses=[stopped("step", 1)])
    where.now += 1
    status = look(where)
    assert status["phase"] == "Failed"
    recorded = {k: v for k, v in status.items() if k != "template"}
    assert len(json.dumps(recorded)) < 64 * 1024


def test_manifests_are_plain_json() -> None:
    where = world()
    look(where)
    assert yaml.safe_load(yaml.safe_dump(live(where, "prepare")))


def test_the_image_that_ran_is_known_of_a_failed_attempt_too() -> None:
    where = world()
    look(where)
    where.pod(live(where, "prepare"), "Failed", initContainerStatuses=[stopped("step", 1)])
    assert step(look(where), "prepare")["image"] == f"step@sha256:{'a' * 64}"


def test_news_of_a_pod_may_come_after_the_news_of_its_job() -> None:
    where = world()
    look(where)
    job = live(where, "prepare")
    ended = {"type": "Failed", "status": "True", "lastTransitionTime": "2026-03-02T09:00:00Z"}
    job["status"] = {"conditions": [ended]}
    where.now += 1
    assert step(look(where), "prepare")["disruptions"] == 0
    assert where.settle(run.SPEC, "delay-7").requeue_after == pytest.approx(2)
    where.pod(job, "Failed", initContainerStatuses=[stopped("step", 1)])
    assert step(look(where), "prepare")["reason"] == "UserError"


def test_an_attempt_that_waits_for_an_old_worker_image_is_made_again() -> None:
    where = world()
    look(where)
    job = live(where, "prepare")
    state = {"waiting": {"reason": "ErrImagePull"}}
    where.pod(job, "Pending", initContainerStatuses=[{"name": "fetch", "image": "worker:1", "state": state}])
    assert look(where)["conditions"][0]["reason"] == "ImagePull"
    images = where.config.images.model_copy(update={"worker": "worker:2"})
    where.config = where.config.model_copy(update={"images": images})
    assert [d.name for d in where.look(run.SPEC, "delay-7").delete] == [job["metadata"]["name"]]
    where.now += 10
    look(where)
    where.now += 10
    look(where)
    assert container(live(where, "prepare"), "fetch")["image"] == "worker:2"
    assert live(where, "prepare")["metadata"]["name"] != job["metadata"]["name"]


def test_a_job_of_the_same_name_is_not_taken_for_the_recorded_one() -> None:
    where = world()
    look(where)
    job = live(where, "prepare")
    where.remove(JOB, job["metadata"]["name"])
    where.put(job | {"metadata": job["metadata"] | {"uid": "another"}})
    assert step(look(where), "prepare")["disruptions"] == 1


def test_after_a_failure_nothing_new_begins_and_what_runs_goes_on() -> None:
    where = world()
    steps = [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}, {"name": "c", "image": "i", "needs": ["b"]}]
    where.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": {"steps": steps}})
    look(where)
    status = fail(where, "a")
    assert (status["phase"], status["conditions"][0]["reason"]) == ("Running", "StepFailed")
    status = succeed(where, "b")
    assert status["phase"] == "Failed"
    assert [s["phase"] for s in status["steps"]] == ["Failed", "Completed", "Aborted"]
    assert where.jobs(step="c") == []


def test_a_run_that_is_cancelled_when_it_has_long_ended_says_so_of_its_spec_as_it_is() -> None:
    where = world(cancel="now")
    before = look(where)
    raw = where.objects["PipelineRun", "delay-7"]
    assert before["phase"] == "Aborted"
    assert run.settled(raw)
    raw["metadata"]["generation"] = before["observedGeneration"] + 1
    assert not run.settled(raw)
    after = look(where)
    assert (after["phase"], after["finishedAt"]) == (before["phase"], before["finishedAt"])
    stalled = next(one for one in after["conditions"] if one["type"] == "Stalled")
    assert after["observedGeneration"] == stalled["observedGeneration"] == before["observedGeneration"] + 1
    assert run.settled(where.objects["PipelineRun", "delay-7"])
