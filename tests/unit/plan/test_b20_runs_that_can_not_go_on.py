"""A run in which a step has failed is over as soon as nothing of it runs: what can't start is not waited for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.littleworld import LittleWorld, stopped
from tests.unit.plan.test_run_plan import fail, live, look, step, succeed, world

from fairlead.plan.core import JOB, rfc3339
from fairlead.plan.pipeline import run

STEPS = [{"name": "a", "image": "i"}, {"name": "b", "image": "nosuch:1"}, {"name": "c", "image": "i", "needs": ["b"]}]
PULL = {"name": "step", "image": "nosuch:1", "state": {"waiting": {"reason": "ImagePullBackOff"}}}


@pytest.fixture
def where() -> LittleWorld:
    """Steps a and b have their Jobs."""
    found = world()
    found.put({"kind": "Pipeline", "metadata": {"name": "delay"}, "spec": {"steps": STEPS}})
    look(found)
    return found


def pulls(where: LittleWorld, name: str = "b") -> Any:
    fetch = {"name": "fetch", "image": "worker:1", "state": {"terminated": {"exitCode": 0}}}
    return where.pod(live(where, name), "Pending", initContainerStatuses=[fetch, PULL])


def test_b20_a_run_ends_whose_other_step_waits_for_an_image(where: LittleWorld) -> None:
    pulls(where)
    assert step(look(where), "b")["reason"] == "ImagePull"
    status = fail(where, "a")
    assert status["phase"] == "Failed"
    assert [s["phase"] for s in status["steps"]] == ["Failed", "Aborted", "Aborted"]
    assert step(status, "b")["reason"] == "RunFailed"
    assert status["message"].startswith("step a: ")
    assert where.jobs(step="b") == []


def test_b20_it_ends_when_the_pod_that_could_not_start_is_gone(where: LittleWorld) -> None:
    fail(where, "a")
    pod, job = pulls(where), live(where, "b")
    plan = where.look(run.SPEC, "delay-7")
    assert [(gone.name, gone.propagation) for gone in plan.delete] == [(job["metadata"]["name"], "Foreground")]
    leaving = {**job, "metadata": {**job["metadata"], "deletionTimestamp": rfc3339(where.now)}}
    where.put(leaving)  # deleted in the foreground, it stays until its pod is gone
    where.put(pod)
    status = look(where)
    assert (status["phase"], step(status, "b")["message"]) == ("Running", "its pod is being stopped")
    where.remove(JOB, job["metadata"]["name"])
    assert look(where)["phase"] == "Failed"


def test_what_runs_may_end_and_counts(where: LittleWorld) -> None:
    where.pod(live(where, "b"), "Running", initContainerStatuses=[{"name": "step", "state": {"running": {}}}])
    status = fail(where, "a")
    assert status["phase"] == "Running"
    status = succeed(where, "b")
    assert [s["phase"] for s in status["steps"]] == ["Failed", "Completed", "Aborted"]


def test_what_may_still_start_is_not_ended_while_nothing_has_failed(where: LittleWorld) -> None:
    pulls(where)
    status = look(where)
    assert step(status, "b")["reason"] == "ImagePull"
    assert "image nosuch:1 of container step can't be pulled" in status["message"]
    assert len(where.jobs(step="b")) == 1


def test_what_a_step_waits_for_is_said_at_once(where: LittleWorld) -> None:
    assert step(look(where), "a")["message"] == "its pod is being made"
    unbound = where.pod(live(where, "a"), "Pending")
    del unbound["spec"]["nodeName"]
    assert step(look(where), "a")["message"] == "its pod waits for a node"
    not_yet = {"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": rfc3339(where.now)}
    where.pod(live(where, "a"), "Pending", conditions=[not_yet])
    assert step(look(where), "a")["message"] == "its pod waits for its volumes (needs Secret keys)"
    where.now += 11
    status = look(where)
    assert step(status, "a")["reason"] == "NotMounted"
    assert "check that these exist in namespace team: Secret keys" in status["message"]


def test_a_run_that_waits_for_data_says_what_the_dataset_waits_for() -> None:
    found = world()
    found.objects["Dataset", "flights"]["status"] = {"message": "bucket src is not there; make it"}
    status = look(found)
    assert status["conditions"][0]["reason"] == "DatasetEmpty"
    assert status["message"].startswith("Dataset flights has no version yet: bucket src is not there; make it; see ")


def test_b15_a_step_that_fails_says_its_last_words(where: LittleWorld) -> None:
    job = live(where, "a")
    container = next(one for one in job["spec"]["template"]["spec"]["initContainers"] if one["name"] == "step")
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    log = 'Traceback (most recent call last):\n  File "train.py", line 1, in <module>\nModuleNotFoundError: no mylib\n'
    where.pod(job, "Failed", initContainerStatuses=[stopped("step", 1, log, reason="Error")])
    status = look(where)
    words = "the program ended with exit code 1: ModuleNotFoundError: no mylib"
    assert step(status, "a")["message"].startswith(words)
    assert "kubectl logs" in step(status, "a")["message"]
