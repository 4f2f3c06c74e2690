"""Why pods don't answer, as people are told; and what the metrics say."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import START, Sim, spec

from fairlead.api.config import Images
from fairlead.plan.core import WORKLOAD, rfc3339
from fairlead.plan.deployment import plan as deployment

ERROR = '{"error":{"reason":"DigestMismatch","message":"s3://bucket/m-1 has sha256 b, expected a"}}'


def container(name: str, **state: Any) -> dict[str, Any]:
    return {"name": name, "image": "i", "restartCount": 1, "state": {}, **state}


def waiting(reason: str) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason}}}


def ended(code: int, **more: Any) -> dict[str, Any]:
    return {"lastState": {"terminated": {"exitCode": code, "finishedAt": rfc3339(START), **more}}}


NOT_STARTED = ended(128, reason="StartError", message="no such file")
TROUBLES: list[tuple[str, dict[str, Any], str]] = [
    ("ImagePull", {"containerStatuses": [container("server", **waiting("ImagePullBackOff"))]}, "can't be pulled"),
    ("DigestMismatch", {"initContainerStatuses": [container("fetch", **ended(1, message=ERROR))]}, "expected a"),
    ("FetchFailed", {"initContainerStatuses": [container("fetch", **ended(137))]}, "kubectl logs"),
    ("ServerFailed", {"containerStatuses": [container("server", **waiting("CrashLoopBackOff"), **ended(0))]},
     "exit code 0"),
    ("OutOfMemory", {"containerStatuses": [container("server", **ended(137, reason="OOMKilled"))]}, "memory"),
    ("ServerFailed", {"containerStatuses": [container("server", **NOT_STARTED)]},
     "no such file"),
    ("Unschedulable", {"conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}, "0/1 nodes"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "status", "words"), TROUBLES, ids=[f"{t[0]}-{i}" for i, t in enumerate(TROUBLES)])
def test_a_candidate_that_does_not_start_says_why_and_heals(reason: str, status: dict[str, Any], words: str) -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.version("m-2")
    sim.look()
    (pod,) = sim.pods("m-2")
    healthy = dict(pod["status"])
    pod["status"] |= {"phase": "Pending", **status}
    sim.look()
    told = sim.condition("Progressing")
    assert (told["status"], told["reason"]) == ("False", reason)
    assert words in told["message"]
    assert sim.status["phase"] == "Holding"
    assert sim.condition("Available")["status"] == "True"
    assert sim.shares() == {"m-1": 100}
    pod["status"] = healthy
    sim.ready("m-2")
    sim.look()
    assert sim.candidate["weight"] == 10


def test_pods_that_may_not_be_made() -> None:
    sim = Sim(spec())
    sim.version("m-1")
    sim.look()
    (workload,) = sim.select(WORKLOAD)
    workload["status"] = {
        "conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: gpu"}]
    }
    sim.look()
    assert sim.condition("Progressing")["reason"] == "NoPod"
    assert "exceeded quota: gpu" in sim.status["message"]


def test_an_upgrade_of_fairlead_restarts_no_server() -> None:
    sim = Sim(spec())
    sim.go_live()
    (workload,) = sim.select(WORKLOAD)
    workload["status"] = {"readyReplicas": 1}
    sim.config = sim.config.model_copy(update={"images": Images(worker="worker:2")})
    sim.look()
    images = [c["image"] for c in sim.select(WORKLOAD)[0]["spec"]["template"]["spec"]["initContainers"]]
    assert images == ["worker:1"]
    workload["status"] = {}
    sim.select(WORKLOAD)[0]["status"] = {}
    sim.look()
    images = [c["image"] for c in sim.select(WORKLOAD)[0]["spec"]["template"]["spec"]["initContainers"]]
    assert images == ["worker:2"]


def test_an_upgrade_of_fairlead_leaves_the_command_and_the_log_of_servers_as_they_are() -> None:
    sim = Sim(spec())
    sim.version("m-1", server={"runtime": "sklearn"})
    sim.look()
    (workload,) = sim.select(WORKLOAD)
    (server,) = workload["spec"]["template"]["spec"]["containers"]
    made = dict(server)
    server |= {"command": ["mlserver", "start", "/tmp"], "terminationMessagePolicy": "File"}  # as a release before did
    workload["status"] = {"readyReplicas": 1}
    sim.look()
    (after,) = sim.select(WORKLOAD)[0]["spec"]["template"]["spec"]["containers"]
    assert (after["command"], after["terminationMessagePolicy"]) == (["mlserver", "start", "/tmp"], "File")
    sim.select(WORKLOAD)[0]["status"] = {}
    sim.look()
    (after,) = sim.select(WORKLOAD)[0]["spec"]["template"]["spec"]["containers"]
    assert after == made


def gauges(sim: Sim) -> dict[tuple[str, str], float]:
    raw = {"metadata": {"name": "web", "namespace": "team"}, "spec": sim.spec, "status": sim.status}
    found = {}
    for gauge in deployment.SPEC.gauges(raw):
        extra = [f"{v}" for k, v in sorted(gauge.labels.items()) if k not in ("namespace", "deployment")]
        found[gauge.name.removeprefix("fairlead_deployment_"), ",".join(extra)] = gauge.value
    return found


def test_gauges() -> None:
    sim = Sim(spec(), errors={"m-2": 0.9})
    assert gauges(sim)["phase", "Live"] == 0
    sim.go_live()
    assert gauges(sim)["phase", "Live"] == 1
    assert gauges(sim)["ready_replicas", ""] == 1
    sim.begin()
    sim.tick(20)
    if "candidate" in sim.status:
        seen = gauges(sim)
        assert seen["candidate_weight", ""] == 10
        assert seen["evidence_available", ""] == 1
        assert ("log_evidence", "0/errors,m-2") in seen
    sim.run(10, 100)
    seen = gauges(sim)
    assert seen["rollback_info", "ErrorsWorse,m-2"] == 1
    assert seen["last_rollback_timestamp_seconds", ""] > START
    assert ("evidence_available", "") not in seen


def test_no_sample_of_a_metric_has_other_labels() -> None:
    """A metric whose samples differ in their labels can't be exported."""
    sim = Sim(spec(), errors={"m-2": 0.5})
    names: dict[str, set[tuple[str, ...]]] = {}
    sim.go_live()
    sim.begin()
    for _ in range(8):
        sim.tick(30)
        raw = {"metadata": {"name": "web", "namespace": "team"}, "status": sim.status}
        for gauge in deployment.SPEC.gauges(raw):
            names.setdefault(gauge.name, set()).add(tuple(sorted(gauge.labels)))
    assert all(len(found) == 1 for found in names.values())
