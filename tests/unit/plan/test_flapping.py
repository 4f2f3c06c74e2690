"""Readiness that comes and goes under traffic: it is counted, the next try comes later, and there is an end."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import START, Sim, spec

from fairlead.plan.core import rfc3339


def under_way() -> Sim:
    sim = Sim(spec(steps=[(50, "10m", 100_000)]))
    sim.go_live()
    sim.begin()
    sim.run(3, 50)
    return sim


def again(sim: Sim, limit: int = 1000) -> float:
    """The pods are ready; seconds until the candidate gets requests again."""
    sim.ready("m-2")
    began = sim.now
    for _ in range(limit):
        sim.tick(20)
        if sim.candidate["weight"]:
            return sim.now - began
    raise AssertionError("it gets no requests any more")


def condition(sim: Sim, version: str, **conditions: Any) -> None:
    """The conditions of a version's pods: True or False by type."""
    for pod in sim.pods(version):
        pod["status"]["conditions"] = [
            {"type": type_, "status": str(value)} if isinstance(value, bool) else {"type": type_, **value}
            for type_, value in conditions.items()
        ]


def test_b04_readiness_that_flaps_is_counted_tried_again_later_each_time_and_ends() -> None:
    sim = under_way()
    waits = []
    for losses in (1, 2):
        sim.ready("m-2", False)
        sim.tick(20)
        assert sim.candidate["weight"] == 0
        assert sim.candidate["unready"] == losses
        told = sim.condition("Progressing")
        assert (told["status"], told["reason"]) == ("False", "CandidateUnready")
        assert ("once" if losses == 1 else "2 times") in told["message"]
        assert "taken back after 3 losses" in told["message"]
        waits.append(again(sim))
    assert waits == [1, 10]
    sim.ready("m-2", False)
    sim.tick(20)
    assert "candidate" not in sim.status
    record = sim.status["history"][0]
    assert (record["result"], record["reason"]) == ("RolledBack", "CandidateUnready")
    assert "3 times under traffic" in record["message"]
    assert sim.shares() == {"m-1": 100}
    assert sim.status["refused"] == ["m-2"]


def test_b04_an_hour_of_flapping_ends_long_before_patience_does() -> None:
    sim = under_way()
    for second in range(3600):
        sim.ready("m-2", second % 60 < 40)
        sim.tick(2)
        if "candidate" not in sim.status:
            break
    assert sim.status["history"][0]["reason"] == "CandidateUnready"
    assert sim.now - START < 600


def test_b04_what_befalls_both_versions_is_not_held_against_the_candidate() -> None:
    sim = under_way()
    for _ in range(6):
        sim.ready("m-1", False)
        sim.ready("m-2", False)
        sim.tick()
        sim.ready("m-1")
        again(sim)
    assert sim.candidate.get("unready", 0) == 0


def test_b04_a_live_version_that_has_just_recovered_was_shaken_too() -> None:
    sim = under_way()
    for _ in range(6):
        condition(sim, "m-1", Ready={"status": "True", "lastTransitionTime": rfc3339(sim.now - 5)})
        sim.ready("m-2", False)
        sim.tick()
        again(sim)
    assert sim.candidate.get("unready", 0) == 0


@pytest.mark.parametrize("age", [5, 300])
def test_b04_a_live_pod_that_never_starts_is_no_excuse(age: float) -> None:
    wanted = spec(steps=[(50, "10m", 100_000)]) | {"replicas": {"min": 2}}
    sim = Sim(wanted)
    sim.go_live()
    sim.begin()
    sim.run(3, 50)
    pending = sim.pods("m-1")[-1]
    for _ in range(3):
        since = rfc3339(sim.now - age)
        pending["status"]["conditions"] = [{"type": "Ready", "status": "False", "lastTransitionTime": since}]
        sim.ready("m-2", False)
        sim.tick(20)
        if "candidate" in sim.status:
            again(sim)
    taken_back = sim.status["history"][0]["reason"] == "CandidateUnready"
    assert taken_back == (age > 30)


@pytest.mark.parametrize("why", [{"ContainersReady": True}, {"DisruptionTarget": True}], ids=["node", "eviction"])
def test_b04_what_the_cluster_does_is_not_held_against_the_candidate(why: dict[str, bool]) -> None:
    sim = under_way()
    for _ in range(6):
        condition(sim, "m-2", Ready=False, **why)
        sim.tick()
        assert sim.candidate["weight"] == 0
        again(sim)
    assert sim.candidate.get("unready", 0) == 0


def test_b04_pods_that_are_deleted_and_made_anew_are_not_counted() -> None:
    sim = under_way()
    for number in range(4):
        for pod in sim.pods("m-2"):
            pod["metadata"]["uid"] = f"new-{number}"
        sim.ready("m-2", False)
        sim.tick()
        again(sim)
    assert sim.candidate.get("unready", 0) == 0


def test_b04_a_preview_that_nobody_asks_is_not_under_traffic() -> None:
    sim = Sim(spec(steps=[(0, "10m", 1)]))
    sim.go_live()
    sim.begin()
    for _ in range(6):
        sim.ready("m-2", False)
        sim.tick()
        sim.ready("m-2")
        sim.tick()
    assert sim.candidate.get("unready", 0) == 0
