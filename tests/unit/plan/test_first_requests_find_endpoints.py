"""A version gets requests when gateways can know of its pods: by the EndpointSlices of its Service."""

from __future__ import annotations

import pytest
from tests.unit.plan.rollout_world import Sim, spec

from fairlead.plan.core import ENDPOINT_SLICE, POD, SERVICE
from fairlead.plan.deployment.plan import SPEC
from fairlead.plan.deployment.serving.endpoints import LATE


def live() -> Sim:
    sim = Sim(spec())
    sim.go_live()
    sim.traffic(2000)
    return sim


def test_a_candidate_waits_for_the_slice_that_has_its_pods() -> None:
    sim = live()
    sim.unlisted = {"m-2"}
    sim.begin()
    for _ in range(5):
        sim.tick(10)
    assert sim.candidate["step"] == -1
    assert sim.shares() == {"m-1": 100}
    sim.unlisted = set()
    sim.look()
    assert sim.candidate["step"] == 0


def test_the_first_version_goes_live_when_it_can_be_reached() -> None:
    sim = Sim(spec(), unlisted={"m-1"})
    sim.version("m-1")
    sim.look()
    sim.ready("m-1")
    sim.look()
    assert "live" not in sim.status
    sim.unlisted = set()
    sim.look()
    assert sim.status["live"]["version"] == "m-1"


def test_each_of_the_pods_must_be_there() -> None:
    sim = Sim(spec(replicas={"min": 2}))
    sim.go_live()
    sim.begin()
    assert sim.candidate["step"] == 0
    sim = Sim(spec(replicas={"min": 2}))
    sim.go_live()
    whole = sim.slices
    sim.slices = (
        lambda: {  # type: ignore[method-assign]
            name: made | {"endpoints": made["endpoints"][:1]} for name, made in whole().items()
        }
    )
    sim.begin()
    assert sim.candidate["step"] == -1


def test_a_way_back_whose_pods_are_gone_waits_for_theirs() -> None:
    sim = Sim(spec(rollout={"afterPromotion": {"for": "0s"}}))
    sim.go_live()
    sim.traffic(2000)
    sim.begin()
    for _ in range(60):
        sim.tick(100)
    sim.tick(0, seconds=60)
    assert sim.status["live"]["version"] == "m-2"
    assert not sim.pods("m-1")
    sim.unlisted = {"m-1"}
    sim.spec["override"] = {"action": "Rollback", "version": "m-1", "reason": "we want it back",
                            "at": "2027-01-15T09:00:00Z"}  # fmt: skip
    sim.look()
    sim.ready("m-1")
    for _ in range(3):
        sim.tick(10)
    assert sim.status["live"]["version"] == "m-2"
    assert sim.status["wayBack"]["version"] == "m-1"
    sim.unlisted = set()
    sim.tick(10)
    assert sim.status["live"]["version"] == "m-1"


def test_slices_that_do_not_come_are_told() -> None:
    sim = live()
    sim.unlisted = {"m-2"}
    sim.begin()
    sim.tick(0, seconds=LATE)
    told = sim.condition("Progressing")
    assert told["reason"] == "NoEndpoints"
    assert f"Service {sim.subject().meta.name}-" in told["message"]


def test_where_slices_are_not_shown_nothing_waits_for_them() -> None:
    sim = live()
    sim.unlisted = {"m-2"}
    sim.is_served = lambda kind: kind != ENDPOINT_SLICE  # type: ignore[method-assign]
    sim.begin()
    assert sim.candidate["step"] == 0
    assert ENDPOINT_SLICE in SPEC.optional


def test_a_rollback_does_not_wait_for_slices_that_do_not_show() -> None:
    """What is live has long had a Service, and seems to have no slice either: they lack the Service's labels."""
    sim = live()
    sim.begin()
    for _ in range(60):
        sim.tick(100)
    sim.tick(0, seconds=LATE)
    assert sim.status["live"]["version"] == "m-2"
    sim.unlisted = {"m-1", "m-2"}
    sim.spec["override"] = {"action": "Rollback", "version": "m-1", "reason": "we want it back",
                            "at": "2027-01-15T09:00:00Z"}  # fmt: skip
    sim.look()
    sim.ready("m-1")
    sim.tick(10)
    assert sim.status["live"]["version"] == "m-1"
    assert sim.shares() == {"m-1": 100}


@pytest.mark.parametrize("wrong", ["another", "unready", "strange"])
def test_a_slice_that_does_not_have_the_pods_is_none(wrong: str) -> None:
    sim = live()
    whole = sim.slices

    def spoilt() -> dict:
        found = whole()
        for made in found.values():
            if made["metadata"]["labels"]["fairlead.dev/version"] == "m-2":
                if wrong == "another":
                    made["metadata"]["labels"]["kubernetes.io/service-name"] = "other"
                for one in made["endpoints"] if wrong == "unready" else []:
                    one["conditions"] = {"ready": False, "terminating": True}
                if wrong == "strange":
                    made["endpoints"] = [{"addresses": ["10.9.9.9"], "conditions": None}]
        return found

    sim.slices = spoilt  # type: ignore[method-assign]
    sim.begin()
    assert sim.candidate["step"] == -1


def test_only_a_change_of_who_is_ready_wakes_a_deployment() -> None:
    sim = live()
    (made,) = sim.slices().values()
    heeds, mapper = SPEC.heeds[ENDPOINT_SLICE], SPEC.mappers[ENDPOINT_SLICE]
    assert heeds(made) == heeds(made | {"ports": [{"port": 1}]})
    unready = {"targetRef": {"uid": "new"}, "conditions": {"ready": False}}
    assert heeds(made) == heeds(made | {"endpoints": [*made["endpoints"], unready]})
    assert heeds(made) != heeds(made | {"endpoints": []})
    assert list(mapper(made, [])) == ["web"]
    assert sim.of(SERVICE)
    assert sim.of(POD)
