"""Somebody scales while a candidate is on its way, under traffic."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hack.testbed.cluster import Json, Team, condition
from hack.testbed.serving import deploy, is_live, make_version, traffic

STEPS = [
    {"weight": 10, "for": "3s", "requests": 10, "manual": True},
    {"weight": 50, "for": "3s", "requests": 100, "manual": True},
]
"""However long pods take to come, no step is left before the test has seen what it is about."""
EXTERNAL = {"replicas": {"min": 1, "external": True}}


MERGE = "application/merge-patch+json"


def scale(team: Team, count: int) -> None:
    """`kubectl scale mdeploy web --replicas=…`."""
    body = {"spec": {"replicas": count}}
    team.cluster.resource("deployment").scale.patch(
        name="web", namespace=team.namespace, body=body, content_type=MERGE
    )  # fmt: skip


def go_on(team: Team) -> None:
    """`kubectl fairlead continue web`. To the microsecond: the same word with the same time is no second one."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    body = {"spec": {"override": {"action": "Continue", "version": "m-2", "reason": "seen", "at": at}}}
    team.cluster.resource("deployment").patch(name="web", namespace=team.namespace, body=body, content_type=MERGE)


def wanted(team: Team, version: str) -> int:
    """Pods that a version's workload shall have."""
    (found,) = team.cluster.list("workload", team.namespace, f"fairlead.dev/version={version}")
    return int(found["spec"]["replicas"])


@pytest.mark.long
def test_b20_scaled_by_somebody_else_during_a_canary(team: Team) -> None:
    """No request fails, no evidence is counted twice, and the candidate has what it needs before it is promoted."""
    make_version(team, "m-1")
    deploy(team, steps=STEPS, more=EXTERNAL)
    team.wait("deployment", "web", is_live("m-1"), 120, "live with m-1")
    with traffic(team, 50) as load:
        make_version(team, "m-2")
        team.wait("deployment", "web", lambda o: o["status"].get("candidate", {}).get("weight") == 10, 120, "at 10 %")
        scale(team, 3)
        team.wait("deployment", "web", lambda o: o["status"].get("readyReplicas") == 3, 120, "live with three pods")
        scale(team, 1)
        go_on(team)
        team.wait("deployment", "web", lambda o: o["status"].get("candidate", {}).get("weight") == 50, 120, "at 50 %")
        assert wanted(team, "m-1") == 3  # as long as another version gets requests
        go_on(team)
        done = team.wait("deployment", "web", is_live("m-2"), 120, "live with m-2")
        assert wanted(team, "m-2") == 3
        at_end: Json = done["status"]["history"][0]
        seen = team.wait_condition("deployment", "web", "Scaled", "True", "Kept")
    assert "3 are kept" in condition(seen, "Scaled")["message"]
    assert not load.failed(), load.failed()[:10]
    answered = load.by_version()
    assert 100 <= at_end["candidate"]["requests"] <= sum(answered["m-2"].values())
    assert at_end["stable"]["requests"] <= sum(answered["m-1"].values())
