"""Who gets the requests comes first, and is told as the route in the cluster says it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.plan.rollout_world import GATEWAY, Sim, View, dump, spec

from fairlead.api.deployment import Deployment, Route
from fairlead.manifests.route import services, weights
from fairlead.plan.core import GRPC_ROUTE, HTTP_ROUTE, SERVICE, WORKLOAD, Plan, Subject, rfc3339
from fairlead.plan.deployment import claims
from fairlead.plan.memo import Memo

Json = dict[str, Any]
STEPS = [(10, "2s", 5), (50, "600s", 100_000)]


def half_way(**more: Any) -> Sim:
    """m-1 is live, m-2 gets 50 %."""
    sim = Sim(spec(steps=STEPS, **more))
    sim.go_live()
    sim.traffic(200)
    sim.begin()
    sim.run(10, 60)
    assert sim.candidate["weight"] == 50
    sim.tick(60)
    return sim


def roll_back(sim: Sim, to: str = "m-1") -> None:
    sim.spec["override"] = {"action": "Rollback", "version": to, "reason": "harm", "at": rfc3339(sim.now)}


def without_route(sim: Sim) -> Plan:
    """A look of which the route can't be written."""
    found = sim.plan()
    found.apply = [one for one in found.apply if one["kind"] not in ("HTTPRoute", "GRPCRoute")]
    sim.carry_out(found)
    return found


def test_traffic_first_the_route_is_the_first_of_what_a_rollback_writes() -> None:
    sim = half_way()
    roll_back(sim)
    found = sim.plan()
    assert found.apply[0]["kind"] == "HTTPRoute"
    assert weights(found.apply[0]) == {live_service(sim): 100}


def live_service(sim: Sim) -> str:
    version = sim.status["live"]["version"]
    (service,) = sim.select(SERVICE, {"fairlead.dev/version": version})
    return str(service["metadata"]["name"])


def test_traffic_first_rolled_back_is_said_when_the_route_says_so() -> None:
    sim = half_way()
    roll_back(sim)
    for _ in range(3):
        without_route(sim)
        said = sim.condition("Progressing")
        assert (said["status"], said["reason"]) == ("True", "TakingBack")
        assert said["message"].startswith("m-2 is being taken back, so far the route gives m-1 50 %, m-2 50 %")
        assert sim.status["phase"] == "Progressing"
        assert sim.status["message"] == said["message"]
    assert sim.status["history"][0]["result"] == "RolledBack", "the decision is on record"
    assert "answers all requests" not in str(sim.status)
    sim.look()
    assert sim.status["phase"] == "RolledBack"
    assert sim.condition("Progressing")["reason"] == "Forced"


def test_traffic_first_nothing_is_deleted_while_the_route_names_it() -> None:
    sim = half_way()
    roll_back(sim)
    for _ in range(5):
        assert without_route(sim).delete == []
        sim.now += 60
    sim.look()
    sim.now += 60
    sim.look()
    assert {one["metadata"]["labels"]["fairlead.dev/version"] for one in sim.select(WORKLOAD)} == {"m-1"}


def test_traffic_first_live_is_said_when_the_route_says_so() -> None:
    sim = Sim(spec(steps=[(50, "2s", 10)]))
    sim.go_live()
    sim.traffic(200)
    sim.begin()
    for _ in range(20):
        sim.traffic(60)
        sim.now += 1
        found = without_route(sim) if sim.status["live"]["version"] == "m-2" else None
        if found is not None:
            break
        plan = sim.plan()
        if plan.status.live and plan.status.live.version == "m-2":
            sim.status = dump(plan.status)  # and the operator dies
            break
        sim.look()
    assert sim.condition("Progressing")["reason"] == "TakingOver"
    assert "so far the route gives m-1 50 %, m-2 50 %" in sim.status["message"]
    assert sim.status["phase"] == "Progressing"
    sim.look()
    assert (sim.status["phase"], sim.condition("Progressing")["reason"]) == ("Live", "Settled")


def test_traffic_first_a_share_is_said_when_the_route_says_so() -> None:
    sim = half_way()
    sim.spec["rollout"]["steps"][1]["weight"] = 30
    without_route(sim)
    assert sim.condition("Progressing")["reason"] == "Turning"
    assert "m-2 gets 30 %" in sim.status["message"]
    assert "so far the route gives m-1 50 %, m-2 50 %" in sim.status["message"]
    sim.look()  # writes the route,
    sim.look()  # and sees what it says now
    assert sim.condition("Progressing")["reason"] == "Observing"


def test_traffic_first_a_live_version_that_the_route_does_not_name_is_not_ready() -> None:
    sim = Sim(spec())
    sim.version("m-1")
    sim.look()
    sim.ready("m-1")
    for _ in range(4):
        without_route(sim)
    assert sim.status["live"]["version"] == "m-1"
    said = sim.condition("Available")
    assert (said["status"], said["reason"]) == ("False", "NotRouted")
    assert "there is no route yet" in said["message"]
    assert sim.status["phase"] == "Progressing"
    sim.look()
    assert sim.condition("Available")["status"] == "True"


def test_traffic_first_after_a_promotion_the_way_back_is_said_by_the_route() -> None:
    sim = half_way()
    sim.spec["override"] = {"action": "Promote", "version": "m-2", "reason": "ok", "at": rfc3339(sim.now)}
    sim.look()
    assert sim.status["live"]["version"] == "m-2"
    roll_back(sim)
    for _ in range(4):
        without_route(sim)
        sim.ready("m-1")
        sim.now += 2
    assert sim.status["live"]["version"] == "m-1"
    assert sim.condition("Progressing")["reason"] == "TakingBack"
    assert sim.condition("Available")["reason"] == "NotRouted", "its requests still go to the version that left"
    sim.look()
    assert sim.status["phase"] == "RolledBack"


def service_of(sim: Sim, version: str) -> str:
    return str(sim.select(SERVICE, {"fairlead.dev/version": version})[0]["metadata"]["name"])


@pytest.mark.parametrize("how", ["missing", "foreign", "orphan"])
def test_traffic_first_no_share_goes_to_a_service_that_is_not_there_or_not_ours(how: str) -> None:
    sim = half_way()
    name = service_of(sim, "m-2")
    found = sim.of(SERVICE)
    if how == "missing":
        kept = found.pop(name)
    else:
        kept = copy.deepcopy(found[name])
        other = [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "other", "controller": True}]
        found[name] = {**kept, "metadata": {**kept["metadata"], "ownerReferences": other if how == "foreign" else []}}
    plan = sim.plan()
    assert weights(plan.apply[0]) == {service_of(sim, "m-1"): 100}
    assert services(plan.apply[0]) == {service_of(sim, "m-1")}
    assert plan.status.candidate, "it is not judged by that"
    found[name] = kept
    sim.look()
    assert weights(sim.of(HTTP_ROUTE)["web"])[name] == 50


def test_traffic_first_a_candidate_without_a_service_is_not_warm() -> None:
    sim = Sim(spec(steps=STEPS))
    sim.go_live()
    sim.version("m-2")
    sim.look()
    sim.ready("m-2")
    name = service_of(sim, "m-2")
    for _ in range(3):
        sim.of(SERVICE).pop(name, None)
        found = sim.plan()
        found.apply = [one for one in found.apply if one["metadata"]["name"] != name]
        sim.carry_out(found)
        sim.now += 2
    assert sim.candidate["step"] == -1
    sim.look()
    assert sim.candidate["step"] == 0


def test_traffic_first_the_route_of_the_other_protocol_stays_until_its_successor_is_written() -> None:
    sim = Sim(spec())
    sim.go_live()
    sim.spec["route"] = {**sim.spec["route"], "protocol": "GRPC", "host": "web.example"}
    sim.carry_out(sim.plan())  # first it is granted
    assert weights(sim.of(HTTP_ROUTE)["web"])
    found = sim.plan()
    (gone,) = [one for one in found.delete if one.kind == HTTP_ROUTE]
    assert gone.after == ((GRPC_ROUTE, "web"),)


@pytest.mark.parametrize("marked", [True, False])
def test_what_has_lost_its_owner_is_cleaned_up_with_its_version(marked: bool) -> None:
    """Only what was applied by us: a label can be put on anything."""
    sim = half_way()
    roll_back(sim)
    sim.look()
    for kind in (WORKLOAD, SERVICE):
        for one in sim.select(kind, {"fairlead.dev/version": "m-2"}):
            one["metadata"]["ownerReferences"] = []
            one["metadata"]["annotations"] = {"fairlead.dev/applied": "x"} if marked else {}
    sim.now += 60
    sim.look()
    assert len(sim.select(WORKLOAD, {"fairlead.dev/version": "m-2"})) == (0 if marked else 1)
    assert len(sim.select(WORKLOAD, {"fairlead.dev/version": "m-1"})) == 1


def test_traffic_first_a_protocol_that_is_refused_keeps_no_rollback_from_the_route() -> None:
    sim = half_way()
    before = copy.deepcopy(sim.objects[WORKLOAD])
    sim.spec["route"] |= {"protocol": "GRPC", "host": "h.example.com"}
    wanted = claims.claim(Route.model_validate(sim.spec["route"]), "other", "x", 1.0, "")
    sim.others = (wanted._replace(held=True),)
    sim.look()
    assert sim.condition("Ready")["reason"] == "RouteConflict"
    assert sim.objects[WORKLOAD] == before, "pods go on as they are reached"
    roll_back(sim)
    sim.look()
    assert sim.shares() == {"m-1": 100}
    assert "web" not in sim.of(GRPC_ROUTE)
    sim.others = ()
    sim.look()
    assert weights(sim.of(GRPC_ROUTE)["web"]) == {live_service(sim): 100}
    assert "web" not in sim.of(HTTP_ROUTE)


def test_traffic_first_a_memo_of_the_look_before_does_not_keep_the_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    sim = Sim(spec())
    sim.gateway = replace(GATEWAY, listeners=(), grpc_listeners=())  # so that no address becomes known
    sim.go_live()
    sim.spec["route"] = {**sim.spec["route"], "protocol": "GRPC", "host": "web.example"}
    wanted = sim.subject().body.spec

    def subject() -> Subject[Deployment]:
        found = Sim.subject(sim)
        return replace(found, body=found.body.model_copy(update={"spec": wanted}))

    monkeypatch.setattr(View, "memo", Memo[Any](), raising=False)
    monkeypatch.setattr(sim, "subject", subject)
    sim.look()
    assert weights(sim.of(GRPC_ROUTE)["web"])
    assert "web" not in sim.of(HTTP_ROUTE)
