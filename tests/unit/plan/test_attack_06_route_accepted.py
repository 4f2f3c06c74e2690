"""A Deployment is Ready, and its phase Live, when its Gateway's controller has taken the route: not before."""

from __future__ import annotations

import json

import pytest
from tests.unit.plan.rollout_world import ENVOY_GATEWAY, Sim, accepted, spec

from fairlead.plan.core import HTTP_ROUTE
from fairlead.plan.requests import Failed

NOWHERE = {"gateway": {"name": "public", "namespace": "nope"}}


def answered(sim: Sim, **said: object) -> None:
    """The Gateway's controller says something of the route."""
    sim.of(HTTP_ROUTE)["web"]["status"] = accepted(**said)  # type: ignore[arg-type]


def live(**settings: object) -> Sim:
    """A version is live behind a Gateway that says nothing of its route."""
    sim = Sim(spec(**settings), accepts=False, prometheus=None)  # type: ignore[arg-type]
    sim.go_live()
    return sim


def test_attack_06_nobody_answers_for_a_gateway_that_is_not_there() -> None:
    sim = live(route=NOWHERE)
    sim.gateway = Failed("ApiUnavailable", 'gateways "public" not found')
    for _ in range(3):
        sim.tick()
    ready = sim.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "RouteNotAccepted")
    assert "nope/public has not answered" in ready["message"]
    assert sim.condition("RouteAccepted")["status"] == "Unknown"
    assert sim.status["phase"] == "Pending"
    assert sim.status["message"] == ready["message"]


def test_attack_06_it_settles() -> None:
    sim = live(route=NOWHERE)
    sim.gateway = Failed("ApiUnavailable", 'gateways "public" not found')
    sim.tick()
    before = json.dumps(sim.status)
    for _ in range(100):
        sim.tick()
    assert json.dumps(sim.status) == before


def test_it_is_ready_when_the_route_is_taken() -> None:
    sim = live()
    assert sim.condition("Ready")["status"] == "False"
    answered(sim)
    sim.tick()
    assert (sim.condition("Ready")["status"], sim.status["phase"]) == ("True", "Live")


def test_what_was_said_of_an_earlier_generation_counts_until_something_else_is_said() -> None:
    sim = live()
    answered(sim)
    sim.tick()
    route = sim.of(HTTP_ROUTE)["web"]
    route["metadata"]["generation"] = 2
    route["status"]["parents"][0]["conditions"][0]["observedGeneration"] = 1
    sim.tick()
    assert sim.condition("Ready")["status"] == "True", "a rollout moves its weights all the time"


def test_what_was_said_of_a_first_generation_that_is_over_is_no_answer() -> None:
    sim = live()
    answered(sim)
    route = sim.of(HTTP_ROUTE)["web"]
    route["metadata"]["generation"] = 2
    route["status"]["parents"][0]["conditions"][0]["observedGeneration"] = 1
    sim.tick()
    assert sim.condition("RouteAccepted")["reason"] == "Waiting"


def test_a_route_that_is_refused_is_not_live_and_the_words_are_quoted() -> None:
    sim = live()
    answered(sim, verdict="False", reason="NotAllowedByListeners", message="no \x1b[31m\u202elistener" + "x" * 2000)
    sim.tick()
    ready = sim.condition("Ready")
    assert (ready["status"], ready["reason"], sim.status["phase"]) == ("False", "RouteNotAccepted", "Degraded")
    assert ready["message"].isprintable()
    assert "no \\x1b[31m\\u202elistener" in ready["message"]
    assert len(ready["message"]) < 1024
    assert "Check spec.route" in ready["message"]
    answered(sim)
    sim.tick()
    assert sim.status["phase"] == "Live"


def test_another_gateway_has_to_answer_for_itself() -> None:
    sim = live()
    answered(sim)
    sim.tick()
    sim.spec["route"] = {"gateway": {"name": "other", "namespace": "infra"}}
    sim.tick()
    assert sim.condition("RouteAccepted")["reason"] == "Waiting"
    assert sim.condition("Ready")["status"] == "False"
    answered(sim, name="other")
    sim.tick()
    assert sim.condition("Ready")["status"] == "True"


def test_a_controller_that_says_nothing_does_not_stop_a_rollout() -> None:
    sim = live()
    sim.traffic(2000)
    sim.begin()
    for _ in range(60):
        sim.tick(100)
    assert sim.status["live"]["version"] == "m-2"


def test_a_controller_s_reason_is_bounded_as_the_definition_wants() -> None:
    sim = live()
    answered(sim, verdict="False", reason="R" * 500)
    sim.tick()
    assert len(sim.condition("RouteAccepted")["reason"]) == 64


@pytest.mark.parametrize(
    ("before", "now", "taken"),
    [((1, "True"), (2, "False"), "False"), ((2, "False"), (2, "True"), "True"), ((2, "True"), (1, "True"), "True")],
    ids=["stale", "of this route", "the only one that knows of it"],
)
def test_the_words_of_another_controller(before: tuple[int, str], now: tuple[int, str], taken: str) -> None:
    """The Gateway's class was another one's before, who has left what it said."""
    sim = live()
    parents = []
    for (generation, verdict), controller in ((before, "traefik.io/gateway-controller"), (now, ENVOY_GATEWAY)):
        parent = accepted(verdict=verdict)["parents"][0]
        parent["conditions"][0]["observedGeneration"] = generation
        parents.append(parent | {"controllerName": controller})
    sim.of(HTTP_ROUTE)["web"]["metadata"]["generation"] = 2
    sim.of(HTTP_ROUTE)["web"]["status"] = {"parents": parents}
    sim.tick()
    assert sim.condition("RouteAccepted")["status"] == taken


def test_a_gateway_that_was_deleted_says_nothing_any_more() -> None:
    sim = live()
    answered(sim)
    sim.tick()
    assert sim.condition("Available")["status"] == "True"
    sim.of(HTTP_ROUTE)["web"]["status"] = {"parents": []}
    sim.tick()
    assert sim.condition("RouteAccepted")["status"] == "Unknown"
    assert (sim.condition("Available")["status"], sim.condition("Ready")["status"]) == ("False", "False")
    before = json.dumps(sim.status)
    sim.tick()
    assert json.dumps(sim.status) == before
    answered(sim)
    sim.tick()
    assert sim.condition("Ready")["status"] == "True"
