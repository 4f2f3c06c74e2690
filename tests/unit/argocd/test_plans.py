"""The health checks on statuses as the plans write them: what Argo CD shows is what every tool that goes by the
conditions (kstatus) makes of them, from the first look to the end."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.argocd import lua
from tests.unit.plan.kstatus import verdict
from tests.unit.plan.littleworld import LittleWorld
from tests.unit.plan.rollout_world import Sim, spec
from tests.unit.plan.test_dataset_plan import look, publish, source
from tests.unit.plan.test_dataset_plan import world as dataset_world
from tests.unit.plan.test_modelversion import ONE, SERVER_CONFIG, version
from tests.unit.plan.test_modelversion import SPEC as MODEL_VERSION_SPEC

from fairlead.plan.component import plan as component
from fairlead.plan.core import COMPONENT, DATASET, MODEL_VERSION
from fairlead.plan.requests import Failed

Json = dict[str, Any]
MEANS = {"Healthy": "Current", "Degraded": "Failed", "Progressing": "InProgress", "Suspended": "InProgress"}


def health(kind: str, obj: Json) -> str:
    """What Argo CD shows: another thing than kstatus only where a live version does not answer."""
    found = lua.health(kind, obj)
    status, generation = obj.get("status") or {}, obj["metadata"]["generation"]
    down = found["status"] == "Degraded" and status.get("phase") == "Degraded"
    assert down or MEANS[found["status"]] == verdict(status, generation), found
    assert found["message"]
    return str(found["status"])


def of(sim: Sim) -> str:
    """The health of the Deployment."""
    metadata = {"name": "web", "generation": sim.generation, "annotations": dict(sim.annotations)}
    return health("Deployment", {"metadata": metadata, "spec": sim.spec, "status": sim.status})


def pinned(manual: bool = False, **errors: float) -> Sim:
    """A Deployment for which git decides, with its first version live."""
    body = spec() | {"model": {"version": "m-1"}}
    body["rollout"] |= {"steps": [{"weight": 50, "for": "3s", "requests": 10, "manual": manual}]}
    sim = Sim(body, errors=errors)
    sim.go_live()
    sim.tick(10)
    assert of(sim) == "Healthy"
    return sim


def commit(sim: Sim, **fields: Any) -> None:
    """Git says something else: nothing is said of that yet."""
    sim.spec |= fields
    sim.generation += 1
    assert of(sim) == "Progressing"


def shown(sim: Sim, ticks: int = 40) -> list[str]:
    """What is shown from now on, without repetitions."""
    seen = [of(sim)]
    for _ in range(ticks):
        sim.look()
        if "m-2" not in sim.status.get("refused", []):
            sim.ready("m-2")
        sim.tick(100)
        if (now := of(sim)) != seen[-1]:
            seen.append(now)
    return seen


def name(sim: Sim, wanted: str) -> None:
    """A commit names another version, which it brings along."""
    sim.version(wanted)
    commit(sim, model={"version": wanted})


def test_b13_a_good_version_progresses_and_is_healthy_when_it_is_live() -> None:
    sim = pinned()
    name(sim, "m-2")
    assert shown(sim) == ["Progressing", "Healthy"]
    assert sim.status["live"]["version"] == "m-2"


def test_b13_a_bad_version_is_degraded_until_git_names_the_live_one() -> None:
    sim = pinned(**{"m-1": 0.01, "m-2": 0.6})
    name(sim, "m-2")
    assert shown(sim) == ["Progressing", "Degraded"]
    assert sim.status["refused"] == ["m-2"]
    commit(sim, model={"version": "m-1"})
    assert shown(sim, 5)[-1] == "Healthy"


def test_a_manual_step_is_suspended_and_its_action_lets_it_go_on() -> None:
    sim = pinned(manual=True)
    name(sim, "m-2")
    assert shown(sim) == ["Progressing", "Suspended"]
    obj = {"metadata": {"name": "web", "generation": 1}, "spec": sim.spec, "status": sim.status}
    offered = lua.discovered("Deployment", obj)
    assert {name for name, one in offered.items() if one["disabled"]} == {"retry"}
    ((_, made),) = lua.act("Deployment", "continue", obj)
    commit(sim, override=made["spec"]["override"])
    assert shown(sim)[-1] == "Healthy"
    assert sim.status["live"]["version"] == "m-2"


def test_paused_is_suspended() -> None:
    sim = pinned()
    commit(sim, paused=True)
    assert shown(sim, 3)[-1] == "Healthy"  # there is nothing that it holds up
    name(sim, "m-2")
    assert shown(sim, 5) == ["Progressing", "Suspended"]
    commit(sim, paused=False)
    assert shown(sim)[-1] == "Healthy"


def test_a_live_version_without_pods_is_degraded() -> None:
    sim = pinned()
    sim.ready("m-1", False)
    sim.tick(10)
    assert of(sim) == "Degraded"
    sim.ready("m-1")
    sim.tick(10)
    assert of(sim) == "Healthy"


def test_an_action_takes_back_what_is_on_its_way() -> None:
    sim = pinned(manual=True)
    name(sim, "m-2")
    shown(sim)
    obj = {"metadata": {"name": "web", "generation": 1}, "spec": sim.spec, "status": sim.status}
    ((_, made),) = lua.act("Deployment", "rollback", obj)
    commit(sim, override=made["spec"]["override"])
    assert shown(sim)[-1] == "Degraded"
    assert sim.status["live"]["version"] == "m-1"


def test_a_dataset_whose_bucket_is_missing_is_degraded() -> None:
    where = dataset_world()
    assert told(where, DATASET.kind, "rides") == "Progressing"
    publish(where, "a", "1")
    look(where)
    assert told(where, DATASET.kind, "rides") == "Healthy"
    source(where, Failed("BucketMissing", "bucket src does not exist"))
    where.now += 60
    look(where)
    assert told(where, DATASET.kind, "rides") == "Degraded"


@pytest.mark.parametrize(("spec_", "expected"), [({"approval": {"required": 1}}, "Progressing"), ({}, "Healthy")])
def test_a_version_is_healthy_when_it_is_approved(spec_: Json, expected: str) -> None:
    where = LittleWorld(config=SERVER_CONFIG)
    where.put(version(**spec_))
    assert told(where, MODEL_VERSION.kind, ONE) == "Progressing"
    where.settle(MODEL_VERSION_SPEC, ONE)
    assert told(where, MODEL_VERSION.kind, ONE) == expected
    where.put(version(**spec_, revoked="leaks"))
    where.settle(MODEL_VERSION_SPEC, ONE)
    assert told(where, MODEL_VERSION.kind, ONE) == "Degraded"


def test_a_component_is_healthy_when_it_can_be_used() -> None:
    where = LittleWorld()
    where.put({"kind": "Component", "metadata": {"name": "clean"}, "spec": {"version": "1", "image": "i"}})
    assert told(where, COMPONENT.kind, "clean") == "Progressing"
    where.settle(component.SPEC, "clean")
    assert told(where, COMPONENT.kind, "clean") == "Healthy"


def told(where: LittleWorld, kind: str, name: str) -> str:
    """The health of an object of the world."""
    raw = where.objects[kind, name]
    return health(kind, {**raw, "metadata": {"generation": 1, **raw["metadata"]}})
