"""Steps in a queue of Kueue's, and what else a step may ask for: priority, claimed devices, parts of GPUs."""

from __future__ import annotations

from typing import Any

import yaml
from tests.unit.plan.littleworld import LittleWorld, stopped
from tests.unit.plan.test_run_plan import PIPELINE, container, dataset, fail, live, look, step, succeed

from fairlead.api.common import Gpu
from fairlead.plan.core import LOCAL_QUEUE, POD, Json
from fairlead.plan.pipeline import run
from fairlead.plan.requests import KeepLog

QUEUE = {"kind": "LocalQueue", "metadata": {"name": "team-a"}, "spec": {"clusterQueue": "gpus"}}


def world(**of_train: Any) -> LittleWorld:
    """A run whose step `train` waits in the queue team-a; `prepare` reads nothing of it."""
    found = LittleWorld()
    pipeline = yaml.safe_load(PIPELINE)
    pipeline["spec"]["steps"][1] |= {"queue": "team-a", "inputs": {}, **of_train}
    found.put(pipeline)
    dataset(found)
    found.put({"kind": "PipelineRun", "metadata": {"name": "delay-7"}, "spec": {"pipeline": "delay"}})
    return found


def ready(**of_train: Any) -> LittleWorld:
    """With Kueue, and the Job in the queue."""
    where = world(**of_train)
    where.put(QUEUE)
    look(where)
    return where


def suspend(where: LittleWorld, job: Json, suspended: bool) -> None:
    """As Kueue does."""
    where.objects[("Job", job["metadata"]["name"])]["spec"]["suspend"] = suspended


def test_its_job_is_made_suspended_and_says_where_it_waits() -> None:
    where = ready()
    job, told = live(where, "train"), step(look(where), "train")
    assert job["spec"]["suspend"] is True
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert (told["phase"], told["reason"]) == ("Pending", "Queued")
    assert "queue team-a" in told["message"]
    where.now += 3600
    assert step(look(where), "train")["reason"] == "Queued"  # and not, for an hour without a pod, NoPod
    assert live(where, "train")["spec"]["suspend"] is True
    assert "suspend" not in live(where, "prepare")["spec"]


def test_a_queue_through_which_nothing_gets_says_why() -> None:
    where = ready()
    where.put(QUEUE | {"status": {"conditions": [
        {"type": "Active", "status": "False", "message": "ClusterQueue gpus does not exist"}]}})  # fmt: skip
    assert "ClusterQueue gpus does not exist" in step(look(where), "train")["message"]
    where.objects.pop(("LocalQueue", "team-a"))
    assert "gone" in step(look(where), "train")["message"]


def test_without_kueue_or_without_the_queue_no_job_is_made_and_the_other_steps_go_on() -> None:
    where = world()
    where.unserved = {LOCAL_QUEUE}
    told = step(look(where), "train")
    assert (told["phase"], told["reason"], where.jobs(step="train")) == ("Pending", "KueueMissing", [])
    where.unserved = set()
    assert step(look(where), "train")["reason"] == "QueueMissing"
    assert step(succeed(where, "prepare"), "prepare")["phase"] == "Completed"
    where.put(QUEUE)
    assert step(look(where), "train")["reason"] == "Queued"


def test_let_go_on_it_runs_as_any_other() -> None:
    where = ready()
    suspend(where, live(where, "train"), False)
    where.pod(live(where, "train"), "Running", initContainerStatuses=[{"name": "step", "state": {"running": {}}}])
    assert step(look(where), "train")["phase"] == "Running"
    assert step(succeed(where, "train"), "train")["phase"] == "Completed"


def test_suspended_again_it_goes_on_as_the_same_attempt() -> None:
    where = ready()
    job = live(where, "train")
    suspend(where, job, False)
    ended = where.pod(job, "Failed", initContainerStatuses=[stopped("step", 143)])
    ended["metadata"]["deletionTimestamp"] = ended["metadata"]["creationTimestamp"]
    suspend(where, job, True)
    told = step(look(where), "train")
    assert (told["phase"], told["reason"]) == ("Pending", "Queued")
    assert (told["attempt"], told.get("failures", 0), told.get("disruptions", 0)) == (1, 0, 0)
    suspend(where, job, False)  # the pod of before is not cleared away yet when the next one runs
    status = succeed(where, "train")
    assert (step(status, "train")["phase"], step(status, "train")["attempt"]) == ("Completed", 1)
    assert len(where.jobs(step="train")) == 1


def test_let_go_on_before_its_old_pod_is_cleared_away_it_is_still_the_same_attempt() -> None:
    where = ready()
    job = live(where, "train")
    suspend(where, job, False)
    ended = where.pod(job, "Failed", initContainerStatuses=[stopped("step", 143)])
    ended["metadata"]["deletionTimestamp"] = ended["metadata"]["creationTimestamp"]
    told = step(look(where), "train")
    assert (told["phase"], told["attempt"], told.get("disruptions", 0)) == ("Pending", 1, 0)
    assert len(where.jobs(step="train")) == 1
    job["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}  # it was not for the queue
    told = step(look(where), "train")
    assert (told["reason"], told["disruptions"]) == ("Disrupted", 1)


def test_the_log_that_is_kept_is_that_of_the_pod_with_which_it_ends() -> None:
    where = ready()
    job = live(where, "train")
    suspend(where, job, True)
    pod = where.pod(job, "Failed", initContainerStatuses=[stopped("step", 143)])
    pod["metadata"]["deletionTimestamp"] = pod["metadata"]["creationTimestamp"]
    assert not logs_asked(where)
    suspend(where, job, False)
    assert not logs_asked(where)
    where.remove(POD, pod["metadata"]["name"])
    where.pod(job, "Failed", initContainerStatuses=[stopped("step", 1)])
    assert len(logs_asked(where)) == 1


def logs_asked(where: LittleWorld) -> list[Any]:
    """Logs of the step that are asked for now."""
    subject = where.subject(run.SPEC, "delay-7")
    return [one for one in run.SPEC.observe(subject, where, where.now) if isinstance(one, KeepLog)]


def test_what_it_said_before_it_was_suspended_counts() -> None:
    where = ready()
    job = live(where, "train")
    suspend(where, job, True)
    assert step(succeed(where, "train"), "train")["phase"] == "Completed"


def test_when_another_step_has_failed_it_is_not_waited_for() -> None:
    where = ready()
    status = fail(where, "prepare")
    assert (status["phase"], step(status, "train")["phase"]) == ("Failed", "Aborted")


def test_a_change_of_the_queue_wakes_the_runs_that_wait_in_it() -> None:
    where = ready()
    runs: Any = where.select(run.PIPELINE_RUN)
    assert list(run.by_queue(QUEUE, runs)) == ["delay-7"]
    assert list(run.by_queue({"metadata": {"name": "other"}}, runs)) == []
    for strange in ({}, {"status": None}, {"status": {"conditions": None}}, {"status": {"conditions": [{}]}}):
        assert run.SPEC.heeds[LOCAL_QUEUE](strange) == ""


def test_priority_claims_and_parts_of_gpus_are_asked_for() -> None:
    claims = [{"name": "gpu", "template": "half-a-gpu", "request": "mig"}, {"name": "nic", "template": "rdma"}]
    where = ready(priorityClass="training", claims=claims, resources={"gpu": {"mig": "1g.10gb", "count": 2}})
    pod = live(where, "train")["spec"]["template"]["spec"]
    program = container(live(where, "train"), "step")
    assert pod["priorityClassName"] == "training"
    assert pod["resourceClaims"] == [
        {"name": "gpu", "resourceClaimTemplateName": "half-a-gpu"}, {"name": "nic", "resourceClaimTemplateName": "rdma"}
    ]  # fmt: skip
    assert program["resources"]["claims"] == [{"name": "gpu", "request": "mig"}, {"name": "nic"}]
    assert program["resources"]["limits"]["nvidia.com/mig-1g.10gb"] == "2"
    assert not {"priorityClassName", "resourceClaims"} & {*live(where, "prepare")["spec"]["template"]["spec"]}


def test_a_profile_with_extras_has_the_name_that_plugins_give_it() -> None:
    assert Gpu(mig="1g.5gb+me").requested == "nvidia.com/mig-1g.5gb.me"
    assert Gpu(resource="amd.com/gpu").requested == "amd.com/gpu"
