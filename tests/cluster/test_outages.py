"""What is away in mid-rollout freezes it: nothing is promoted, nothing is rolled back, and it goes on afterwards."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hack.bench.load import Load
from hack.install.chart import NAMESPACE as OPERATOR
from hack.testbed.cluster import Json, Team, condition
from hack.testbed.firewall import cut_off
from hack.testbed.prometheus import wait_for_alert
from hack.testbed.serving import deploy, is_live, make_version, traffic

STEPS: list[Json] = [{"weight": 20, "for": "8s", "requests": 50}, {"weight": 50, "for": "8s", "requests": 50}]


def begin(team: Team) -> None:
    """A healthy candidate gets its first requests."""
    make_version(team, "m-1", errorRate=0.02)
    deploy(team, steps=STEPS)
    team.wait("deployment", "web", is_live("m-1"), 180, "live with m-1")


def sent(team: Team) -> Json:
    """Wait until the second version gets requests, and they have been counted."""
    make_version(team, "m-2", errorRate=0.02)
    return team.wait(
        "deployment", "web",
        lambda o: o["status"].get("candidate", {}).get("answered", {}).get("requests", 0) >= 10, 120, "counting",
    )  # fmt: skip


def ends_well(team: Team) -> Json:
    """It goes live in the end, and nothing was ever taken back."""
    done = team.wait("deployment", "web", is_live("m-2"), 240, "live with m-2")
    assert [record["result"] for record in done["status"]["history"]] == ["Live", "Live"]
    return done


def operators(team: Team) -> list[Json]:
    return team.cluster.list("pod", OPERATOR, "app.kubernetes.io/name=fairlead")


@pytest.mark.long
def test_a_firewall_between_operator_and_candidate_freezes(team: Team) -> None:
    begin(team)
    with traffic(team, 50) as load:
        sent(team)
        pods = team.cluster.list("pod", team.namespace, "fairlead.dev/version=m-2")
        with ExitStack() as walls:
            for pod in pods:
                walls.enter_context(cut_off(pod, [one["status"]["podIP"] for one in operators(team)]))
            frozen = team.wait_condition("deployment", "web", "EvidenceAvailable", "False", timeout=60)
            assert condition(frozen, "EvidenceAvailable")["reason"] in ("Timeout", "Unreachable")
            assert frozen["status"]["live"]["version"] == "m-1"
            wait_for_alert(team, "FairleadNoEvidence", 180)
            # after a while it gets no requests: nobody could see what it does
            team.wait(
                "deployment", "web", lambda o: o["status"]["candidate"].get("weight") == 0, 90, "without requests"
            )
        ends_well(team)
    assert not unanswered(load)


@pytest.mark.alone
def test_the_operator_killed_in_mid_rollout_goes_on_where_it_was(team: Team) -> None:
    begin(team)
    with traffic(team, 50) as load:
        before = sent(team)["status"]["candidate"]
        for pod in operators(team):
            team.cluster.resource("pod").delete(
                name=pod["metadata"]["name"], namespace=OPERATOR, body={"gracePeriodSeconds": 0}
            )
        done = ends_well(team)
    record = done["status"]["history"][0]
    assert record["startedAt"] == before["since"]
    assert record["candidate"]["requests"] <= load.by_version()["m-2"].total()
    assert not unanswered(load)


@pytest.mark.alone
def test_the_gateway_restarted_in_mid_rollout_is_not_held_against_anybody(team: Team) -> None:
    begin(team)
    with traffic(team, 50):
        sent(team)
        selector = "gateway.envoyproxy.io/owning-gateway-name=public"
        for pod in team.cluster.list("pod", "envoy-gateway-system", selector):
            team.cluster.resource("pod").delete(
                name=pod["metadata"]["name"], namespace="envoy-gateway-system", body={"gracePeriodSeconds": 0}
            )
        ends_well(team)


def unanswered(load: Load) -> list[str]:
    """What the gateway could not hand to any version."""
    return [answer.error or str(answer.code) for answer in load.answers if not answer.version]
