"""Two candidates want the local node's last GPUs, which are not free yet: they take their turn."""

from __future__ import annotations

import pytest
from hack.testbed.cluster import Json, Team, condition
from hack.testbed.serving import deploy, is_live, make_version, server_image, traffic

STEPS = [{"weight": 50, "for": "2s", "requests": 10}]


def waits_for_gpus(obj: Json) -> bool:
    """Whether its candidate waits for its turn."""
    return condition(obj, "Progressing").get("reason") == "WaitingForGpus"


def take_a_gpu(team: Team) -> None:
    """Somebody else's pod takes one."""
    gpu = {"nvidia.com/gpu": "1"}
    secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "idle", "image": server_image(), "command": ["sleep", "infinity"], "securityContext": secure,
        "resources": {"limits": gpu, "requests": gpu},
    }  # fmt: skip
    user = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    team.apply({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other"},
        "spec": {"securityContext": user, "terminationGracePeriodSeconds": 0, "containers": [container]},
    })  # fmt: skip
    team.wait("pod", "other", lambda o: bool(o["spec"].get("nodeName")), 30, "on a node")


@pytest.mark.long
def test_two_candidates_with_room_for_one_go_live_one_after_the_other(team: Team) -> None:
    """Of four GPUs two serve, one is somebody else's; `a-2` needs two and `b-2` the last one. Without turns, `b-2`
    would take it from under `a-2`."""
    for name in ("a", "b"):
        make_version(team, f"{name}-1", model=name, gpus=1)
        deploy(team, name, name, STEPS, afterPromotion={"for": "0s"})
    for name in ("a", "b"):
        team.wait("deployment", name, is_live(f"{name}-1"), 90, f"live with {name}-1")
    take_a_gpu(team)
    with traffic(team, 20, "a", "a"), traffic(team, 20, "b", "b"):
        make_version(team, "a-2", model="a", gpus=2)
        held = team.wait_condition("deployment", "a", "Progressing", "False", "Unschedulable", 60)
        assert _state(held) == "Held"
        make_version(team, "b-2", model="b", gpus=1)
        waiting = team.wait("deployment", "b", waits_for_gpus, 30, "waiting for GPUs")
        assert _state(waiting) == "Waiting"
        team.cluster.delete("pod", "other", team.namespace)
        team.wait("deployment", "a", is_live("a-2"), 120, "live with a-2")
        team.wait("deployment", "b", is_live("b-2"), 180, "live with b-2")


def _state(obj: Json) -> str:
    place = (obj.get("status", {}).get("candidate") or {}).get("place") or {}
    return str(place.get("state", ""))
