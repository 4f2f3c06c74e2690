"""Two rollouts share the local node's four GPUs: two serve, and there is room for one candidate of two GPUs."""

from __future__ import annotations

from hack.testbed.cluster import Json, Team, condition
from hack.testbed.serving import deploy, is_live, make_version, traffic

STEPS = [{"weight": 50, "for": "2s", "requests": 10}]


def waits_for_gpus(obj: Json) -> bool:
    """Whether its candidate waits for its turn."""
    return condition(obj, "Progressing").get("reason") == "WaitingForGpus"


def test_two_candidates_with_room_for_one_go_live_one_after_the_other(team: Team) -> None:
    for name in ("a", "b"):
        make_version(team, f"{name}-1", model=name, gpus=1)
        deploy(team, name, name, STEPS, afterPromotion={"for": "0s"})
    for name in ("a", "b"):
        team.wait("deployment", name, is_live(f"{name}-1"), 90, f"live with {name}-1")
    with traffic(team, 20, "a", "a"), traffic(team, 20, "b", "b"):
        make_version(team, "a-2", model="a", gpus=2)
        team.wait("deployment", "a", lambda o: _state(o) == "Held", 30, "holding its place")
        make_version(team, "b-2", model="b", gpus=2)
        waiting = team.wait("deployment", "b", waits_for_gpus, 30, "waiting for GPUs")
        assert _state(waiting) == "Waiting"
        team.wait("deployment", "a", is_live("a-2"), 120, "live with a-2")
        team.wait("deployment", "b", is_live("b-2"), 180, "live with b-2")


def _state(obj: Json) -> str:
    place = (obj.get("status", {}).get("candidate") or {}).get("place") or {}
    return str(place.get("state", ""))
