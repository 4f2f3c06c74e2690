"""What gateways can do, what is asked of them, and what becomes of a step that asks for more."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import ENVOY_GATEWAY, Sim, spec

from fairlead.plan.deployment.serving.implementations import CORE, Ability, abilities, is_known, relevant
from fairlead.plan.requests import Failed, GatewaySeen

TRAEFIK = "traefik.io/gateway-controller"
LISTED = (
    "GRPCRoute", "HTTPRoute", "HTTPRouteBackendRequestHeaderModification", "HTTPRoutePathRewrite",
    "HTTPRouteResponseHeaderModification", "ReferenceGrant",
)  # fmt: skip
MIRRORS = ("HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror")
A = Ability


@pytest.mark.parametrize(
    ("controller", "features", "expected"),
    [
        (ENVOY_GATEWAY, None, set(A)),
        (ENVOY_GATEWAY, ["HTTPRoute"], set(A)),
        (TRAEFIK, LISTED, set(A) - {A.MIRROR, A.MIRROR_SHARE}),
        (TRAEFIK, None, set(A) - {A.MIRROR, A.MIRROR_SHARE}),
        (TRAEFIK, (*LISTED, *MIRRORS), set(A)),  # a later one that can
        ("example.com/other", None, CORE),
        ("example.com/other", [], CORE),
        ("example.com/other", LISTED, CORE | {A.REWRITE, A.ANSWER_HEADERS, A.MARK, A.GRPC}),
        ("example.com/other", MIRRORS, CORE | {A.MIRROR, A.MIRROR_SHARE}),
        ("", None, CORE),
    ],
)
def test_abilities(controller: str, features: Any, expected: set[Ability]) -> None:
    assert abilities(controller, features) == expected


@pytest.mark.parametrize(
    ("controller", "features", "expected"),
    [
        (ENVOY_GATEWAY, None, set(A)),
        (TRAEFIK, LISTED, CORE | {A.GRPC}),
        ("example.com/other", (*LISTED, *MIRRORS), CORE | {A.GRPC}),
        ("example.com/other", MIRRORS, CORE),
    ],
)
def test_what_a_list_says_of_http_is_not_taken_for_grpc(controller: str, features: Any, expected: set[Ability]) -> None:
    assert abilities(controller, features, grpc=True) == expected


def test_only_what_means_something_is_kept() -> None:
    assert relevant(LISTED) == [LISTED[0], *LISTED[2:5]]
    assert is_known("example.com/other", [])
    assert is_known(ENVOY_GATEWAY, None)
    assert not is_known("example.com/other", None)


def seen(controller: str, *features: str) -> GatewaySeen:
    return GatewaySeen(("10.0.0.1",), (("HTTP", 80),), (), "a-class", controller, features)


def shadowing(share: str = "20%", **more: Any) -> dict[str, Any]:
    body = spec(**more)
    body["rollout"]["steps"].insert(0, {"shadow": share, "for": "3s", "requests": 10})
    return body


def started(gateway: GatewaySeen | Failed, body: dict[str, Any]) -> Sim:
    sim = Sim(body, gateway=gateway)
    sim.go_live()
    sim.version("m-2")
    sim.look()
    sim.ready("m-2")
    sim.tick(0)
    return sim


RECORD = {"record": {"sample": "100%"}}


@pytest.mark.parametrize(
    ("gateway", "share", "more", "able", "reason", "words"),
    [
        (seen(ENVOY_GATEWAY), "20%", {}, "True", "Able", "all that is asked for"),
        (seen(TRAEFIK, *LISTED), "20%", RECORD, "True", "Replaced", "can't mirror requests: the proxy beside"),
        (seen(TRAEFIK, *LISTED), "20%", {}, "False", "Unable", "set spec.record"),
        (seen("x/y", *LISTED, MIRRORS[0]), "20%", {}, "False", "Unable", "can't mirror a share"),
        (seen("x/y", *LISTED, MIRRORS[0]), "100%", {}, "True", "Able", ""),
        (seen("x/y"), "20%", RECORD, "False", "Unable", "another Gateway"),
        (seen("x/y", LISTED[2]), "20%", RECORD, "False", "Unable", "can't take a prefix"),
        (seen("x/y"), "20%", {}, "False", "Unable", "another Gateway"),
        (seen("x/y", "HTTPRoutePathRewrite", *MIRRORS), "20%", {}, "True", "Replaced", "answers don't say"),
        (seen("x/y", LISTED[4], *MIRRORS), "20%", {}, "False", "Unable", "spec.route.path: /"),
    ],
)  # fmt: skip
def test_the_condition(
    gateway: GatewaySeen, share: str, more: dict[str, Any], able: str, reason: str, words: str
) -> None:
    sim = started(gateway, shadowing(share, **more))
    found = sim.condition("GatewayAble")
    assert (found["status"], found["reason"]) == (able, reason)
    assert words in found["message"]
    assert ("candidate" in sim.status) is True
    assert (sim.candidate["step"] < 0) is (able == "False")


def test_a_step_that_can_not_be_done_is_not_begun_and_begins_when_it_can() -> None:
    sim = started(seen(TRAEFIK, *LISTED), shadowing())
    sim.run(3, 50)
    assert sim.candidate["step"] == -1
    assert sim.status["phase"] == "Holding"
    assert "can't mirror requests, and nothing can stand in for it" in sim.status["message"]
    assert sim.condition("Available")["status"] == "True"
    sim.gateway = seen(TRAEFIK, *LISTED, *MIRRORS)
    sim.tick(0, 61)
    sim.tick(0)
    assert sim.candidate["step"] == 0
    assert sim.condition("GatewayAble")["reason"] == "Able"


def test_a_later_step_that_can_not_be_done_is_not_begun() -> None:
    body = spec(steps=[(10, "2s", 10)])
    body["rollout"]["steps"].append({"weight": 20, "shadow": "10%", "for": "2s", "requests": 1})
    sim = started(seen("x/y", *LISTED), body)
    sim.run(10, 200)
    assert sim.candidate["step"] == 0
    assert "it stays there: Gateway infra/public (class a-class) can't mirror requests" in sim.status["message"]
    assert sim.status["phase"] == "Progressing"


def test_a_gateway_is_asked_once_a_rollout_and_not_at_all_in_between() -> None:
    sim = started(seen(ENVOY_GATEWAY), spec())
    asked = sim.gateway_asked
    sim.run(30, 200)
    assert sim.status["live"]["version"] == "m-2"
    assert sim.gateway_asked == asked
    sim.tick(10, 3600)
    assert sim.gateway_asked == asked
    assert sim.status["gateway"] == {
        "name": "infra/public", "class": "a-class", "controller": ENVOY_GATEWAY, "at": sim.status["gateway"]["at"],
    }  # fmt: skip


def test_a_gateway_that_can_not_be_read_stops_no_canary() -> None:
    sim = started(Failed("ApiUnavailable", "forbidden"), spec())
    assert sim.candidate["step"] == 0
    found = sim.condition("GatewayAble")
    assert (found["status"], found["reason"]) == ("Unknown", "NotListed")


def test_what_says_nothing_of_itself_is_trusted_with_the_core() -> None:
    sim = started(seen("x/y"), spec())
    found = sim.condition("GatewayAble")
    assert (found["status"], found["reason"]) == ("Unknown", "NotListed")
    assert "no more than weights and header matches" in found["message"]
    assert sim.candidate["step"] == 0
