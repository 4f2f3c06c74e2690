"""Pods that only have the labels of a version: they count for nothing, are named, and stop the judging."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from tests.unit.plan.rollout_world import Json, PodCounts, Sim, spec

from fairlead.engine.kernel import CHILDREN
from fairlead.plan.core import MANAGED_BY, POD, POD_MONITOR, REPLICA_SET, SERVICE, rfc3339

LONG = ((20, "100s", 10), (50, "100s", 20))


def begun(**world: object) -> Sim:
    """A candidate gets its first share."""
    sim = Sim(spec(steps=LONG), **world)  # type: ignore[arg-type]
    sim.go_live()
    sim.begin()
    sim.now += 100  # nothing is new
    sim.tick(50)
    return sim


def spoof(sim: Sim, version: str = "m-2", change: Callable[[Json], None] = lambda _: None) -> Json:
    """A pod that somebody made with the version's labels. It answers, and exports that it has failed all the time."""
    pod: Json = copy.deepcopy(sim.pods(version)[0])
    pod["metadata"] |= {"name": "spoof2", "uid": "spoof2", "creationTimestamp": rfc3339(sim.now - 100)}
    pod["status"]["podIP"] = "10.9.9.9"
    del pod["metadata"]["ownerReferences"]
    change(pod)
    sim.of(POD)["spoof2"] = pod
    sim.counted["spoof2"] = PodCounts(requests=10_000, failures=10_000)
    return pod


def owner(uid: str, name: str, kind: str = "ReplicaSet") -> list[Json]:
    return [{"kind": kind, "name": name, "uid": uid, "controller": True}]


def by_a_job(pod: Json) -> None:
    pod["metadata"]["ownerReferences"] = owner("job", "some-job", "Job")


def by_nobody_known(pod: Json) -> None:
    pod["metadata"]["ownerReferences"] = owner("gone", "other-5d4c")


def without_owner(_: Json) -> None:
    pass


@pytest.mark.parametrize("change", [without_owner, by_a_job, by_nobody_known])
def test_forged_evidence_of_a_labelled_pod_counts_for_nothing_and_is_named(change: Callable[[Json], None]) -> None:
    sim = begun()
    before = sim.candidate
    spoof(sim, change=change)
    sim.run(10, 0)
    assert sim.candidate["guards"] == before["guards"] or sim.candidate["guards"][0]["state"] == "NoEvidence"
    assert sim.candidate["answered"] == before["answered"]
    found = sim.condition("ForeignPod")
    assert (found["status"], found["reason"]) == ("True", "ForeignPod")
    assert "pod spoof2" in found["message"]
    assert "delete it" in found["message"]
    assert sim.status["phase"] == "Holding"
    assert "spoof2" in sim.status["message"]


def test_forged_evidence_neither_promotes_nor_takes_back_and_all_goes_on_when_it_is_gone() -> None:
    sim = begun()
    spoof(sim)
    sim.errors["m-2"] = 0.9
    sim.run(60, 100)
    assert sim.candidate["version"] == "m-2", "frozen"
    assert sim.status["live"]["version"] == "m-1"
    del sim.of(POD)["spoof2"]
    sim.run(10, 100)
    assert sim.condition("ForeignPod") == {}
    assert "candidate" not in sim.status
    assert sim.status["history"][0]["result"] == "RolledBack"


def test_forged_evidence_of_a_pod_that_was_changed_after_it_was_made() -> None:
    """The image of a running pod can be patched by whoever may edit pods."""
    sim = begun()
    sim.pods("m-2")[0]["spec"] = copy.deepcopy(sim.pods("m-2")[0]["spec"])
    sim.pods("m-2")[0]["spec"]["containers"][0]["image"] = "evil:1"
    sim.tick(10)
    assert "container server has image evil:1" in sim.condition("ForeignPod")["message"]


def test_a_stranger_is_not_ready_for_a_version() -> None:
    """Without a pod of its own the live version is degraded, whoever stands in for it."""
    sim = begun()
    spoof(sim, "m-1")
    sim.ready("m-1", False)
    sim.of(POD)["spoof2"]["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    sim.tick(10)
    assert sim.status["readyReplicas"] == 0
    assert sim.status["phase"] == "Degraded"


def test_a_pod_whose_replica_set_is_not_seen_yet_is_nobody_for_a_while() -> None:
    sim = begun()
    name = next(iter(sim.of(REPLICA_SET))).rpartition("-")[0]

    def late(pod: Json) -> None:
        pod["metadata"]["labels"] = {**pod["metadata"]["labels"], "fairlead.dev/version": "m-1"}
        pod["metadata"]["ownerReferences"] = owner("late", f"{name}-9a9a")
        pod["metadata"]["creationTimestamp"] = rfc3339(sim.now)

    spoof(sim, "m-1", late)
    sim.tick(0)
    assert sim.condition("ForeignPod") == {}
    assert sim.status["readyReplicas"] == 1
    sim.tick(0, seconds=30)
    assert "spoof2" in sim.condition("ForeignPod")["message"]


def test_pods_of_the_release_before_stay_its_own_while_new_ones_come() -> None:
    """During a change of the template there are two ReplicaSets of a workload."""
    sim = begun()
    (made,) = [one for one in sim.of(REPLICA_SET).values() if "m-2" in str(one["metadata"]["labels"])]
    other: Json = copy.deepcopy(made)
    other["metadata"] |= {"name": made["metadata"]["name"] + "2", "uid": "new"}
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "server:2"
    sim.of(REPLICA_SET)[other["metadata"]["name"]] = other

    def new(pod: Json) -> None:
        pod["metadata"]["ownerReferences"] = owner("new", other["metadata"]["name"])
        pod["spec"]["containers"][0]["image"] = "server:2"

    spoof(sim, change=new)
    sim.tick(10)
    assert sim.condition("ForeignPod") == {}


def test_what_a_deleted_workload_leaves_behind_is_on_its_way_out() -> None:
    sim = begun()
    for made in sim.of(REPLICA_SET).values():
        if made["metadata"]["labels"]["fairlead.dev/version"] == "m-1":
            made["metadata"]["ownerReferences"][0]["uid"] = "of a workload that was deleted"
    sim.tick(10)
    assert sim.condition("ForeignPod") == {}
    assert sim.status["readyReplicas"] == 0


def test_a_watched_version_is_not_judged_beside_a_stranger() -> None:
    sim = Sim(spec(steps=((50, "3s", 10),), rollout={"afterPromotion": {"for": "1h"}}))
    sim.go_live()
    sim.begin()
    for _ in range(60):
        sim.tick(100)
        if "candidate" not in sim.status:
            break
    assert sim.status["live"]["version"] == "m-2"
    sim.now += 100
    sim.tick(100)
    spoof(sim)
    sim.errors["m-2"] = 0.9
    for _ in range(30):
        sim.tick(100, seconds=5)
    assert sim.status["live"]["version"] == "m-2"
    assert "wayBack" not in sim.status
    assert "spoof2" in sim.condition("Watched")["message"]


def test_forged_evidence_what_the_operator_can_not_see_gets_no_requests_and_is_not_scraped() -> None:
    """It watches pods with one label, and the policy `fairlead-pods` says who may make those; a pod with all labels but
    that one would answer users under a version's name, and nobody would know."""
    key, _, value = CHILDREN.partition("=")
    assert key == MANAGED_BY
    sim = Sim(spec(steps=[(0, "3s", 1)], rollout={"steps": [{"shadow": "50%", "for": "3s"}]}, record={}))
    sim.go_live()
    sim.begin()
    services = sim.select(SERVICE)
    assert len(services) >= 2
    for one in services:
        assert one["spec"]["selector"][key] == value
    for monitor in sim.select(POD_MONITOR):
        assert monitor["spec"]["selector"]["matchLabels"][key] == value
    for pod in sim.select(POD):
        assert pod["metadata"]["labels"][key] == value
