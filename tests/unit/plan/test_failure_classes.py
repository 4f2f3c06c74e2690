"""Whose fault a failed pod is, and why a waiting one waits: by fields, never by texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.plan.littleworld import stopped

from fairlead.plan.core import Json, epoch, rfc3339
from fairlead.plan.jobs import failures

NOW = epoch("2026-03-02T09:00:00Z")


def pod(phase: str = "Failed", *, meta: Json | None = None, spec: Json | None = None, **status: Any) -> Json:
    """A pod."""
    return {
        "metadata": {"name": "x", "namespace": "team", **(meta or {})},
        "spec": {"containers": [{"name": "publish"}], "nodeName": "node-1", **(spec or {})},
        "status": {"phase": phase, **status},
    }


def failed(container: str, code: int, error: Json | None = None, **more: Any) -> Json:
    """A failed pod one of whose containers stopped like this."""
    one = stopped(container, code, json.dumps({"error": error}) if error else "", **more)
    return pod(initContainerStatuses=[] if container == "publish" else [one],
               containerStatuses=[one] if container == "publish" else [])  # fmt: skip


def condition(type_: str, reason: str, status: str = "True") -> Json:
    """A pod's condition."""
    return {"type": type_, "status": status, "reason": reason, "lastTransitionTime": rfc3339(NOW - 60)}


STEP_137 = stopped("step", 137)
CASES = [
    (failed("step", 1), "UserError", "own"),
    (failed("step", 137), "UserError", "own"),
    (failed("step", 128, reason="StartError"), "UserError", "own"),
    (failed("step", 137, reason="OOMKilled"), "OutOfMemory", "own"),
    (failed("fetch", 137, reason="OOMKilled"), "OutOfMemory", "cluster"),
    (pod(reason="DeadlineExceeded", initContainerStatuses=[STEP_137]), "DeadlineExceeded", "own"),
    (pod(reason="Evicted"), "Disrupted", "cluster"),
    (pod(reason="UnexpectedAdmissionError"), "Disrupted", "cluster"),
    (pod(conditions=[condition("DisruptionTarget", "PreemptionByScheduler")], initContainerStatuses=[STEP_137]),
     "Disrupted", "cluster"),
    (pod(conditions=[condition("DisruptionTarget", "x", "False")], initContainerStatuses=[STEP_137]),
     "UserError", "own"),
    (pod(meta={"deletionTimestamp": rfc3339(NOW)}, initContainerStatuses=[stopped("step", 143)]),
     "Disrupted", "cluster"),
    (pod(), "Disrupted", "cluster"),
    (failed("publish", 1), "Disrupted", "cluster"),
    (failed("fetch", 1, {"reason": "Unreachable", "message": "m", "transient": True}), "Unreachable", "cluster"),
    (failed("fetch", 1, {"reason": "AccessDenied", "message": "m"}), "AccessDenied", "cluster"),
    (failed("fetch", 1, {"reason": "DigestMismatch", "message": "m"}), "DigestMismatch", "final"),
    (failed("publish", 1, {"reason": "OutputMissing", "message": "m"}), "OutputMissing", "own"),
    (failed("publish", 1, {"reason": "Bug", "message": "m"}), "Bug", "final"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "reason", "fault"), CASES)
def test_failures(one: Json, reason: str, fault: str) -> None:
    found = failures.failure(one, "step")
    assert (found.reason, found.fault) == (reason, fault)
    assert found.message


def test_b05_servers_that_are_killed_at_the_end_are_not_the_cause() -> None:
    one = pod(initContainerStatuses=[stopped("fetch"), stopped("challenger", 137)],
              containerStatuses=[stopped("evaluate", 139)])  # fmt: skip
    assert failures.failure(one, None).message == "container evaluate ended with exit code 139 and without an answer"


def test_what_was_killed_for_no_known_reason_may_have_come_to_its_limit() -> None:
    """Runtimes lose that reason now and then: exit code 137, reason Error."""
    told = failures.failure(failed("step", 137), "step")
    assert (told.reason, told.fault) == ("UserError", "own")
    assert "killed, perhaps at its limit of memory: see its log, or raise resources.memory" in told.message
    ours = failures.failure(pod(containerStatuses=[stopped("evaluate", 137)]), None).message
    assert f"or raise {failures.INSTALLATION.memory})" in ours
    assert "limit" not in failures.failure(failed("step", 1), "step").message


def waits(container: str, reason: str) -> Json:
    """A pod whose container can't start."""
    state = {"waiting": {"reason": reason, "message": 'secret "keys" not found'}}
    return pod("Pending", initContainerStatuses=[{"name": container, "image": "team/train:1", "state": state}])


GPU_SPEC = {
    "nodeName": "", "nodeSelector": {"nvidia.com/gpu.product": "H200"},
    "initContainers": [{"name": "step", "resources": {"requests": {"nvidia.com/gpu": "2", "cpu": "500m"}}}],
}  # fmt: skip
UNSCHEDULABLE = [condition("PodScheduled", "Unschedulable", "False")]
NOT_MOUNTED = [condition("PodReadyToStartContainers", "", "False")]
VOLUMES = {"volumes": [{"name": "v", "secret": {"secretName": "forgotten"}}]}
WAITING = [
    (waits("step", "ErrImagePull"), "ImagePull", "team/train:1"),
    (waits("step", "ImagePullBackOff"), "ImagePull", "team/train:1"),
    (waits("step", "InvalidImageName"), "ImagePull", "team/train:1"),
    (waits("step", "CreateContainerConfigError"), "CreateContainerConfigError", 'secret "keys" not found'),
    (pod("Pending", spec=GPU_SPEC, conditions=UNSCHEDULABLE), "Unschedulable", "2 nvidia.com/gpu of product H200"),
    (pod("Pending", spec=VOLUMES, conditions=NOT_MOUNTED), "NotMounted", "forgotten"),
    (pod("Running", meta={"deletionTimestamp": rfc3339(NOW - 60)}), "NodeLost", "kubectl delete node node-1"),
]


@pytest.mark.parametrize(("one", "reason", "words"), WAITING)
def test_waiting(one: Json, reason: str, words: str) -> None:
    found = failures.waiting(one, NOW)
    assert found is not None
    assert found.reason == reason
    assert words in found.message


@pytest.mark.parametrize("one", [
    waits("step", "PodInitializing"), pod("Running"), pod("Failed", conditions=UNSCHEDULABLE),
    pod("Running", meta={"deletionTimestamp": rfc3339(NOW + 30)}),
])  # fmt: skip
def test_not_waiting(one: Json) -> None:
    assert failures.waiting(one, NOW) is None


def test_pulling_says_the_same_all_the_time() -> None:
    both = [failures.waiting(waits("step", reason), NOW) for reason in ("ErrImagePull", "ImagePullBackOff")]
    assert both[0] == both[1]


def test_what_no_event_announces_is_looked_for_in_time() -> None:
    young = pod("Pending", spec=VOLUMES, conditions=[NOT_MOUNTED[0] | {"lastTransitionTime": rfc3339(NOW - 5)}])
    assert failures.waiting(young, NOW) is None
    after = failures.look_again({}, young, NOW)
    assert after is not None
    assert failures.waiting(young, NOW + after) is not None


@pytest.mark.parametrize(("image", "image_id", "expected"), [
    ("a:1", "registry/a@sha256:12", "registry/a@sha256:12"),
    ("a:1", "sha256:12", "a:1@sha256:12"),
    ("a:1", "", "a:1"),
    ("a@sha256:12", "sha256:34", "a@sha256:12"),
])  # fmt: skip
def test_the_image_that_ran(image: str, image_id: str, expected: str) -> None:
    one = stopped("step") | {"image": image, "imageID": image_id}
    assert failures.image_ran(pod(initContainerStatuses=[one]), "step") == expected


def test_an_unreadable_answer_is_none() -> None:
    assert failures.result(failed("publish", 0), "publish") is None
    assert failures.result(pod(containerStatuses=[stopped("publish", 0, "Killed")]), "publish") is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('failed to reserve container name "server_web-1_team_0f1e_{n}": name is reserved for "{id}"', "server_web-1_"),
        ("failed to create task for container: OCI runtime create failed: /run/k8s.io/{id}/init: no such device",
         "no such device"),
        ("error during container init: can't open /proc/{n}/ns/ipc, pid {n}: cap 512 of 1024", "cap 512 of 1024"),
        ('secret "keys-2" of 3 not found', 'secret "keys-2" of 3 not found'),
    ],
)  # fmt: skip
def test_what_a_runtime_names_anew_at_each_try_is_no_news(text: str, kept: str) -> None:
    """A status that repeated it was written again at each try, and never rested."""
    told = set()
    for n in range(3):
        said = text.format(n=10 + n, id=f"{n}{'0aee3f91c2d4' * 5}")
        state = {"waiting": {"reason": "CreateContainerError", "message": said}}
        found = failures.waiting(pod("Pending", containerStatuses=[{"name": "server", "state": state}]), NOW)
        assert found is not None
        told.add(found.message)
    assert len(told) == 1
    assert kept in told.pop()
