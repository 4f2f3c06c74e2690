"""Rollouts behind another implementation of Gateway API, Traefik, which can't mirror; and by gRPC behind both."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hack.testbed.cluster import Json, Team, condition
from hack.testbed.grpcload import deploy_grpc, grpc_traffic, make_sklearn_version
from hack.testbed.serving import LEARNT, deploy, is_live, make_version, still_from, traffic

TRAEFIK = "traefik"
STEPS: list[Json] = [{"weight": 20, "for": "3s", "requests": 20}]


def rolled_back(obj: Json) -> bool:
    return bool(obj["status"].get("phase") == "RolledBack")


def go_live(team: Team, **settings: Any) -> None:
    """The first version, behind Traefik."""
    make_version(team, "m-1")
    deploy(team, gateway=TRAEFIK, **settings)
    team.wait("deployment", "web", is_live("m-1"), 180, "live with m-1")


@pytest.mark.long
def test_behind_traefik_a_version_that_fails_is_rolled_back_and_a_good_one_goes_live(team: Team) -> None:
    go_live(team)
    with traffic(team, 100, gateway=TRAEFIK) as load:
        make_version(team, "m-2", errorRate=0.3)
        done = team.wait("deployment", "web", rolled_back, 120, "rolled back")
        since = time.time()
        team.wait("deployment", "web", lambda o: not o["status"].get("retiring"), 60, "drained")
        make_version(team, "m-3")
        team.wait("deployment", "web", is_live("m-3"), 120, "live with m-3")
        team.wait("deployment", "web", lambda o: not o["status"].get("retiring"), 60, "drained")
    record = done["status"]["history"][0]
    assert record["version"] == "m-2"
    assert record["candidate"]["failures"] > 0
    assert condition(done, "RouteAccepted")["status"] == "True"
    assert condition(done, "GatewayAble")["reason"] == "Able"
    assert load.answers[-1].sent > since + LEARNT
    assert not still_from(load, "m-2", since)
    lost = [answer for answer in load.failed() if answer.version != "m-2"]
    assert not lost, lost[:10]
    assert set(load.by_version()) == {"m-1", "m-2", "m-3"}


def test_what_the_gateway_can_not_mirror_the_proxy_copies(team: Team) -> None:
    guards: list[Json] = [{"metric": "errors"}, {"metric": "disagreement", "worseBy": "5%"}]
    steps: list[Json] = [{"shadow": "50%", "for": "5s", "requests": 50}]
    go_live(team, steps=steps, guard=guards, more={"record": {"output": {"type": "number"}}})
    with traffic(team, 50, gateway=TRAEFIK) as load:
        make_version(team, "m-2", wrongRate=0.4)
        done = team.wait("deployment", "web", rolled_back, 180, "rolled back")
    told = condition(done, "GatewayAble")
    assert (told["status"], told["reason"]) == ("True", "Replaced")
    assert "can't mirror requests: the proxy" in told["message"]
    record = done["status"]["history"][0]
    assert (record["reason"], record["weight"]) == ("AnswersDiffer", 0)
    (compared,) = (one for one in record["guards"] if one["guard"].endswith("/disagreement"))
    assert compared["candidate"]["requests"] > 0
    assert {a.version for a in load.answers} == {"m-1"}
    assert not load.failed(), load.failed()[:10]


def test_a_shadow_step_that_nobody_can_make_is_not_begun(team: Team) -> None:
    go_live(team, steps=[{"shadow": "50%", "for": "5s", "requests": 50}])
    make_version(team, "m-2")
    held = team.wait_condition("deployment", "web", "GatewayAble", "False", "Unable", 120)
    assert "set spec.record" in condition(held, "GatewayAble")["message"]
    held = team.wait("deployment", "web", lambda o: o["status"].get("phase") == "Holding", 120, "held")
    assert held["status"]["live"]["version"] == "m-1"
    assert condition(held, "Available")["status"] == "True"


def test_by_grpc_a_version_that_fails_is_rolled_back(team: Team) -> None:
    make_sklearn_version(team, "n-1", 1.0)
    host = deploy_grpc(team, "public", *STEPS)
    live = team.wait("deployment", "web", is_live("n-1"), 240, "live with n-1")
    assert live["status"]["address"] == f"grpc://{host}:80"
    team.wait_condition("deployment", "web", "RouteAccepted", "True")
    with grpc_traffic(team, "public", host, 50) as seen:
        make_sklearn_version(team, "n-2", None)
        done = team.wait("deployment", "web", rolled_back, 240, "rolled back")
    assert done["status"]["history"][0]["candidate"]["failures"] > 0
    assert seen.answers[1.0] > 100
    assert seen.failures["INTERNAL"] > 0


def test_by_grpc_behind_traefik_a_good_version_goes_live(team: Team) -> None:
    make_sklearn_version(team, "n-1", 1.0)
    host = deploy_grpc(team, TRAEFIK, *STEPS)
    team.wait("deployment", "web", is_live("n-1"), 240, "live with n-1")
    team.wait_condition("deployment", "web", "RouteAccepted", "True")
    with grpc_traffic(team, TRAEFIK, host, 50) as seen:
        make_sklearn_version(team, "n-2", 2.0)
        team.wait("deployment", "web", lambda o: o["status"].get("candidate", {}).get("weight") == 20, 240, "at 20 %")
        team.wait("deployment", "web", is_live("n-2"), 240, "live with n-2")
    assert not seen.failures, seen.failures
    assert seen.answers[1.0] > 0
    assert seen.answers[2.0] > 0


def test_by_grpc_copies_show_a_version_that_fails(team: Team) -> None:
    make_sklearn_version(team, "n-1", 1.0)
    host = deploy_grpc(team, "public", {"shadow": "100%", "for": "5s", "requests": 50})
    team.wait("deployment", "web", is_live("n-1"), 240, "live with n-1")
    team.wait_condition("deployment", "web", "RouteAccepted", "True")
    with grpc_traffic(team, "public", host, 50) as seen:
        make_sklearn_version(team, "n-2", None)
        done = team.wait("deployment", "web", rolled_back, 240, "rolled back")
    assert (done["status"]["history"][0]["reason"], done["status"]["history"][0]["weight"]) == ("ErrorsWorse", 0)
    assert not seen.failures, seen.failures


def test_by_grpc_behind_traefik_nobody_makes_copies(team: Team) -> None:
    make_sklearn_version(team, "n-1", 1.0)
    deploy_grpc(team, TRAEFIK, {"shadow": "100%", "for": "5s", "requests": 50})
    team.wait("deployment", "web", is_live("n-1"), 240, "live with n-1")
    make_sklearn_version(team, "n-2", 1.0)
    held = team.wait_condition("deployment", "web", "GatewayAble", "False", "Unable", 120)
    assert "mirror" in condition(held, "GatewayAble")["message"]
    assert held["status"]["live"]["version"] == "n-1"
