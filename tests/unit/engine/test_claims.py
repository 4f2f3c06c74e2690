"""What objects claim is known over all namespaces, and a change wakes those to whom it matters."""

from __future__ import annotations

import random
from typing import Any

import pytest

from fairlead.engine.cache import Cache
from fairlead.engine.claims import Claims
from fairlead.engine.reconcile import Key
from fairlead.engine.route import Router
from fairlead.plan import claims
from fairlead.plan.core import DEPLOYMENT, Claim
from fairlead.plan.deployment import SPEC

Json = dict[str, Any]
WIDE = Claim("infra/public", "", "", "", 0.0, False, "", "/", "")
"""It may meet all."""


def deployment(name: str, version: int, **route: Any) -> Json:
    """`namespace/name` at a version."""
    namespace, _, short = name.partition("/")
    meta = {"name": short, "namespace": namespace, "uid": name, "resourceVersion": str(version)}
    meta["creationTimestamp"] = "2026-03-02T09:00:00Z"
    gateway = {"gateway": {"name": "public", "namespace": "infra"}}
    return {"kind": "Deployment", "metadata": meta, "spec": {"model": {"name": "m"}, "route": gateway | route}}


class Woken:
    """In the place of the queue."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    def add(self, key: Key, *, low: bool = False) -> None:
        """A key."""
        del low
        self.keys.append(key)

    def taken(self) -> list[str]:
        """What was added since the last time."""
        found, self.keys = self.keys, []
        return [f"{key.namespace}/{key.name}" for key in found]


def router() -> tuple[Router, Woken, Cache]:
    woken = Woken()
    cache = Cache([DEPLOYMENT], lambda: 0.0, {DEPLOYMENT: SPEC.claims} if SPEC.claims else {})
    return Router({DEPLOYMENT: SPEC}, cache, woken, lambda _uid: None), woken, cache  # type: ignore[arg-type]


def paths(cache: Cache) -> list[str]:
    return [one.path for one in cache.claims(DEPLOYMENT).near(WIDE)]


def test_claims_of_all_namespaces_are_known_from_the_first_list_on() -> None:
    made, _, cache = router()
    made.listed(DEPLOYMENT, deployment("a/x", 1))
    made.listed(DEPLOYMENT, deployment("b/y", 2, path="/b/z"))
    assert paths(cache) == ["/a/x", "/b/z"]


def test_they_are_the_same_as_long_as_nothing_changes() -> None:
    made, _, cache = router()
    made.seen(DEPLOYMENT, deployment("a/x", 1))
    before = cache.claims(DEPLOYMENT).near(WIDE)
    made.seen(DEPLOYMENT, {**deployment("a/x", 2), "status": {"phase": "Pending"}})
    assert cache.claims(DEPLOYMENT).near(WIDE) is before
    made.seen(DEPLOYMENT, deployment("a/x", 3, path="/a/z"))
    assert paths(cache) == ["/a/z"]
    made.deleted(DEPLOYMENT, deployment("a/x", 4))
    assert paths(cache) == []


def test_the_newer_one_is_woken_when_the_older_goes_or_makes_room() -> None:
    made, woken, _ = router()
    made.seen(DEPLOYMENT, deployment("a/x", 1, host="h.example", path="/"))
    made.seen(DEPLOYMENT, deployment("b/y", 2, host="h.example", path="/"))
    made.seen(DEPLOYMENT, deployment("c/z", 3))
    woken.taken()
    made.seen(DEPLOYMENT, deployment("a/x", 4, host="other.example", path="/"))
    assert "b/y" in woken.taken()
    made.seen(DEPLOYMENT, deployment("a/x", 5, host="h.example", path="/"))
    woken.taken()
    made.deleted(DEPLOYMENT, deployment("a/x", 6))
    assert "b/y" in woken.taken()


def test_those_at_home_wake_nobody() -> None:
    made, woken, _ = router()
    made.seen(DEPLOYMENT, deployment("a/x", 1))
    made.seen(DEPLOYMENT, deployment("b/y", 2))
    assert woken.taken() == ["a/x", "b/y"]


def test_an_object_that_can_t_be_read_claims_nothing() -> None:
    made, _, cache = router()
    broken = deployment("a/x", 1)
    broken["spec"]["route"] = {"gateway": None}
    made.seen(DEPLOYMENT, broken)
    assert paths(cache) == []


def test_a_kind_that_is_gone_claims_nothing() -> None:
    made, _, cache = router()
    made.seen(DEPLOYMENT, deployment("a/x", 1))
    cache.clear(DEPLOYMENT)
    assert paths(cache) == []


def test_one_object_may_hold_one_place_and_want_another() -> None:
    held = Claim("here", "", "a", "x", 1.0, True, "", "/a/x", "")
    wanted = held._replace(place="there", held=False)
    found = Claims(lambda _: (held, wanted))
    found.put("a", "x", {})
    assert (found.near(held), found.near(wanted)) == ((held,), (wanted,))
    assert found.put("a", "x", {}) == set()
    assert len(found.put("a", "x", None)) == 2
    assert found.near(held) == ()


def test_those_of_a_corner_are_told_of_each_other_and_of_those_without() -> None:
    """… and of nobody else: what others at home do costs them nothing."""
    mine = Claim("here", "/a", "a", "x", 1.0, True, "", "/a/x", "")
    near, far = mine._replace(name="y"), mine._replace(corner="/b", namespace="b", path="/b/x")
    wide = mine._replace(corner="", namespace="c", host="h.example", path="/")
    found = Claims(lambda obj: (obj["claim"],))
    for one in (mine, near, far):
        found.put(one.namespace, one.name, {"claim": one})
    before = found.near(mine)
    assert set(before) == {mine, near}
    found.put("b", "x", {"claim": far._replace(since=2.0)})
    assert found.near(mine) is before
    found.put("c", "x", {"claim": wide})
    assert set(found.near(mine)) == {mine, near, wide}
    assert set(found.near(wide)) == {mine, near, far._replace(since=2.0), wide}
    found.put("a", "y", None)
    assert set(found.near(mine)) == {mine, wide}
    assert near not in found.near(wide)


def test_claims_of_many_in_a_namespace_cost_a_look_nothing() -> None:
    made, woken, cache = router()
    for number in range(1000):
        made.listed(DEPLOYMENT, deployment(f"a/x{number}", number + 1))
    woken.taken()
    made.seen(DEPLOYMENT, deployment("a/y", 2000))
    mine = claims.of(deployment("a/y", 2000))[0]
    assert cache.claims(DEPLOYMENT).near(mine) == (mine,)
    assert woken.taken() == ["a/y"]


@pytest.mark.parametrize("seed", range(20))
def test_a_claim_sees_all_that_it_may_meet(seed: int) -> None:
    dice, known = random.Random(seed), Claims(claims.of)
    parts, hosts = ["a", "b", "aa"], [None, "h.example.com", "*.example.com"]
    every = []
    for number in range(40):
        namespace, depth = dice.choice(parts), dice.randint(0, 3)
        path = "/" + "/".join(dice.choice(parts) for _ in range(depth))
        one = deployment(f"{namespace}/x{number}", 1, path=path, host=dice.choice(hosts[: dice.randint(1, 3)]))
        known.put(namespace, f"x{number}", one)
        every += claims.of(one)
    for one in every:
        near = set(known.near(one))
        assert one in near
        assert {other for other in every if claims.meet(one, other)} <= near
