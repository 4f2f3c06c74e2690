"""B14: the part that a version has in each Deployment, as its status tells it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.indexing import Others
from tests.unit.plan.littleworld import LittleWorld
from tests.unit.plan.rollout_world import Sim, spec
from tests.unit.plan.test_modelversion import ONE, version

from fairlead.api.modelversion import Use
from fairlead.plan.core import DEPLOYMENT, MODEL_VERSION
from fairlead.plan.model import usage
from fairlead.plan.model.plan import SPEC

Json = dict[str, Any]
WHEN = "2026-03-01T00:00:00.000000Z"
END: Json = {"version": "m", "result": "RolledBack", "reason": "ErrorsWorse", "endedAt": WHEN}


@pytest.mark.parametrize(
    ("status", "role", "reason"),
    [
        ({"live": {"version": "m", "since": WHEN}}, "Live", ""),
        ({"live": {"version": "m"}, "refused": ["m"]}, "Live", ""),
        ({"candidate": {"version": "m", "since": WHEN}, "previous": "m"}, "Candidate", ""),
        ({"previous": "m", "live": {"version": "n", "since": WHEN}}, "WayBack", ""),
        ({"wayBack": {"version": "m", "leaves": "n", "reason": "ErrorsWorse"}}, "WayBack", "ErrorsWorse"),
        ({"watch": {"against": "m", "version": "n", "since": WHEN, "holdback": 5}, "previous": "m"}, "Standby", ""),
        ({"experiment": {"phase": "Running", "arms": [{"version": "m", "since": WHEN}]}}, "Arm", ""),
        ({"refused": ["m"], "history": [END]}, "Refused", "ErrorsWorse"),
        ({"refused": ["m"], "history": [END, END | {"reason": "Older"}]}, "Refused", "ErrorsWorse"),
        ({"refused": ["m"]}, "Refused", ""),
    ],
)  # fmt: skip
def test_the_part_that_counts_most_is_told(status: Json, role: str, reason: str) -> None:
    found = usage.parts({"status": status})["m"]
    assert (found.role, found.reason) == (role, reason)
    assert "uses/m" in usage.index({"status": status})


@pytest.mark.parametrize("status", [
    {}, {"experiment": {"phase": "Ended", "arms": [{"version": "m"}]}}, {"watch": {"against": "m", "version": "n"}},
    {"live": 7}, {"history": [{}]}, {"refused": 3},
])  # fmt: skip
def test_others_have_none_and_strange_ones_do_no_harm(status: Json) -> None:
    assert usage.parts({"status": status}) == {}


def deployment(world: LittleWorld, name: str, status: Json) -> None:
    world.put({"kind": "Deployment", "metadata": {"name": name}, "spec": {}, "status": status})


def approved(world: LittleWorld) -> Json:
    """A version that nothing is left to be done for."""
    world.put(version() | {"status": {"phase": "Approved", "observedGeneration": 1}})
    world.settle(SPEC, ONE)
    return world.status(MODEL_VERSION, ONE)


def test_b14_it_says_where_it_is_live_and_that_it_was_taken_back() -> None:
    world = LittleWorld()
    deployment(world, "web", {"live": {"version": ONE, "since": WHEN}})
    deployment(world, "shop", {"refused": [ONE], "history": [END | {"version": ONE}]})
    status = approved(world)
    assert status["inUse"] == "live in web; refused by shop (ErrorsWorse)"
    assert [one["role"] for one in status["deployments"]] == ["Live", "Refused"]
    assert status["phase"] == "Approved", "that people agreed is a fact"
    raw = world.objects["ModelVersion", ONE]
    assert not usage.stale(raw, world)
    deployment(world, "shop", {"refused": [ONE]})  # the history has forgotten why
    assert not usage.stale(raw, world), "what was said of it stays"
    deployment(world, "shop", {"live": {"version": "other"}})
    assert usage.stale(raw, world)
    world.settle(SPEC, ONE)
    assert world.status(MODEL_VERSION, ONE)["inUse"] == "live in web"
    world.remove(DEPLOYMENT, "web")
    assert usage.stale(raw, world)


def test_the_newest_twenty_are_named_and_the_rest_counted() -> None:
    world = LittleWorld()
    for number in range(25):
        since = f"2026-03-01T00:{number:02}:00.000000Z"
        deployment(world, f"d{number}", {"live": {"version": ONE, "since": since}})
    status = approved(world)
    assert [one["name"] for one in status["deployments"]] == [f"d{number}" for number in range(24, 4, -1)]
    assert status["moreDeployments"] == 5
    assert len(status["inUse"]) <= usage.SUMMARY
    assert not usage.stale(world.objects["ModelVersion", ONE], world)


def test_the_summary_tells_the_most_important_first() -> None:
    found = [Use(name="a", role="Refused", reason="Slow"), Use(name="b", role="WayBack"), Use(name="c", role="Live")]
    assert usage.summary(found) == "live in c; way back of b; refused by a (Slow)"
    assert usage.summary([]) == ""


def test_through_a_whole_rollout_a_deployment_tells_of_its_versions() -> None:
    sim = Sim(spec({"metric": "errors"}))
    sim.go_live("m-1")
    sim.errors["m-2"] = 0.5
    sim.begin("m-2")
    assert {name: one.role for name, one in usage.parts({"status": sim.status}).items()} == {
        "m-1": "Live", "m-2": "Candidate",
    }  # fmt: skip
    sim.run(60, 60)
    found = usage.parts({"status": sim.status})
    assert {name: one.role for name, one in found.items()} == {"m-1": "Live", "m-2": "Refused"}
    assert found["m-2"].reason == sim.status["history"][0]["reason"] == "ErrorsWorse"


def test_a_deployment_is_not_woken_by_what_a_version_says_of_its_use() -> None:
    one = version() | {"status": {"phase": "Approved", "inUse": "live in web", "conditions": []}}
    one["metadata"]["resourceVersion"] = "7"
    other = one | {"status": one["status"] | {"inUse": "", "deployments": [], "conditions": [{"type": "Ready"}]}}
    other["metadata"] = one["metadata"] | {"resourceVersion": "8"}
    assert usage.besides(one) == usage.besides(other)
    for changed in ({"phase": "Revoked"}, {"conditions": [{"type": "Verified", "status": "False"}]}, {"message": "m"}):
        assert usage.besides(one) != usage.besides(one | {"status": one["status"] | changed})
    assert usage.besides(one) != usage.besides(one | {"spec": {**one["spec"], "revoked": "why"}})


def test_a_version_that_counts_more_deployments_than_it_names_hears_of_each() -> None:
    world = LittleWorld()
    for number in range(usage.MOST + 2):
        since = f"2026-03-01T00:{number:02}:00.000000Z"
        deployment(world, f"d{number}", {"live": {"version": ONE, "since": since}})
    assert approved(world)["moreDeployments"] == 2
    deployment(world, "d0", {"live": {"version": "other"}})  # among those that are counted only
    versions = Others(MODEL_VERSION, world.select(MODEL_VERSION))
    assert ONE in usage.by_deployment(world.objects["Deployment", "d0"], versions)
    assert usage.stale(world.objects["ModelVersion", ONE], world)
