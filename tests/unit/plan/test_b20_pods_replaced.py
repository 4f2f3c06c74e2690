"""What changes the live version's pods (recording, for example) is said as long as they are replaced."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import Sim, spec

from fairlead.plan.core import POD, WORKLOAD

NO_ROOM = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: no cpu"}


@pytest.fixture
def sim() -> Sim:
    """m-1 is live, and its workload's controller has counted."""
    found = Sim(spec())
    found.go_live()
    count(found, replicas=1, updatedReplicas=1, readyReplicas=1)
    return found


def count(sim: Sim, **counted: int) -> None:
    """As the workload's controller says it; it leaves zeros out."""
    (workload,) = sim.select(WORKLOAD)
    workload["status"] = {"observedGeneration": 1, **counted}
    sim.look()


def surge(sim: Sim, **status: Any) -> dict[str, Any]:
    """One more pod of m-1, not ready yet."""
    (old,) = sim.pods("m-1")
    meta = {**old["metadata"], "uid": "new", "name": "new"}
    new = {**old, "metadata": meta, "status": {"phase": "Pending", **status}}
    sim.of(POD)["new"] = new
    return new


def test_b20_pods_that_are_replaced_are_said_with_what_they_wait_for(sim: Sim) -> None:
    assert sim.condition("Progressing")["reason"] == "Settled"
    surge(sim)
    count(sim, replicas=2, updatedReplicas=1, readyReplicas=1)
    told = sim.condition("Progressing")
    assert (told["status"], told["reason"]) == ("True", "Replacing")
    assert told["message"].startswith("m-1 is live; its pods are being replaced")
    assert told["message"].endswith("its pod waits for a node")
    assert sim.condition("Available")["status"] == "True"
    assert sim.condition("Reconciling")["reason"] == "Replacing"


def test_b20_new_pods_that_have_no_room_are_said(sim: Sim) -> None:
    surge(sim, conditions=[NO_ROOM])
    count(sim, replicas=2, updatedReplicas=1, readyReplicas=1)
    told = sim.condition("Progressing")
    assert (told["status"], told["reason"]) == ("False", "Unschedulable")
    assert "0/1 nodes: no cpu" in told["message"]
    assert sim.status["message"] == told["message"]


@pytest.mark.parametrize("counted", [{"replicas": 1}, {"replicas": 2, "updatedReplicas": 1}])
def test_as_long_as_not_all_are_as_they_shall_be(sim: Sim, counted: dict[str, int]) -> None:
    count(sim, **counted)
    assert sim.condition("Progressing")["reason"] == "Replacing"
    count(sim, replicas=1, updatedReplicas=1)
    assert sim.condition("Progressing")["reason"] == "Settled"


def test_more_pods_are_no_other_pods(sim: Sim) -> None:
    (workload,) = sim.select(WORKLOAD)
    workload["status"] = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}
    workload["spec"]["replicas"] = 3
    told = {one.type: one for one in sim.plan().status.conditions}
    assert told["Progressing"].reason == "Settled"
