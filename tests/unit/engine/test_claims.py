"""What objects claim is known over all namespaces, and a change wakes those to whom it matters."""

from __future__ import annotations

import random
from typing import Any

import pytest

from fairlead.api.config import RoutesConfig
from fairlead.engine.cache import Cache
from fairlead.engine.claims import Claims, corner_of
from fairlead.engine.reconcile import Key
from fairlead.engine.route import Router
from fairlead.plan.core import DEPLOYMENT, Claim
from fairlead.plan.deployment import claims
from fairlead.plan.deployment.plan import SPEC

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
    """… and of nobody else: what others at home do costs them nothing, nor do hosts by which nobody reaches them."""
    mine = Claim("here", "/a/x", "a", "x", 1.0, True, "", "/a/x", "gate.example")
    near, far = mine._replace(name="y"), mine._replace(corner="/b/x", namespace="b", path="/b/x")
    host = mine._replace(corner="", namespace="c", host="h.example", path="/", address="h.example")
    gate, below = host._replace(name="g", host="gate.example"), host._replace(name="p", path="/a/x/y")
    found = Claims(lambda obj: (obj["claim"],))

    def put(*claims: Claim) -> None:
        for one in claims:
            found.put(one.namespace, one.name, {"claim": one})

    put(mine, near, far)
    before = found.near(mine)
    assert set(before) == {mine, near}
    far = far._replace(since=2.0)
    put(far, host)
    assert found.near(mine) is before
    assert found.near(host) == (host,)
    put(gate)
    assert set(found.near(mine)) == {mine, near, gate}
    assert set(found.near(gate)) == {mine, near, far, gate}
    put(below)
    assert set(found.near(mine)) == {mine, near, gate, below}
    assert set(found.near(below)) == {mine, near, host, below}
    wide = mine._replace(corner="", name="w", path="/")
    put(wide)
    assert set(found.near(mine)) == {mine, near, gate, below, wide}
    assert set(found.near(below)) == {mine, near, far, host, below, wide}
    assert set(found.near(wide)) == {mine, near, far, host, gate, below, wide}
    found.put("a", "y", None)
    assert near not in {*found.near(mine), *found.near(wide), *found.near(below)}
    pattern = host._replace(name="q", host="*.example")
    put(pattern)
    assert found.near(host) == found.near(pattern) == found.near(wide)
    found.put("c", "q", None)
    assert set(found.near(host)) == {host, below, mine, far, wide}


def test_a_host_of_thousands_costs_the_others_nothing() -> None:
    made, woken, cache = router()
    for number in range(4_200):
        host = f"h{number}.example"
        made.listed(DEPLOYMENT, deployment(f"t{number % 50}/x{number}", number + 1, host=host, path="/"))
    woken.taken()
    mine = claims.of(deployment("t7/x7", 1, host="h7.example", path="/"))[0]
    before = cache.claims(DEPLOYMENT).near(mine)
    assert before == (mine,)
    made.seen(DEPLOYMENT, deployment("t8/new", 9_000, host="new.example", path="/"))
    assert woken.taken() == ["t8/new"]
    assert cache.claims(DEPLOYMENT).near(mine) is before
    made.seen(DEPLOYMENT, deployment("t9/late", 9_001, host="h7.example", path="/"))
    assert sorted(woken.taken()) == ["t7/x7", "t9/late"]


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


@pytest.mark.parametrize("seed", range(25))
def test_who_is_in_the_way_is_told_from_few_as_from_all(seed: int) -> None:
    """Whatever changes, and though who stands may depend on a third."""
    dice, found = random.Random(seed), Claims(lambda obj: (obj["claim"],))
    parts, hosts = ["a", "b", "aa"], ["", "", "h.example.com", "g.example.com", "*.example.com"]
    hosts = hosts[: dice.randint(3, 5)]
    rules = RoutesConfig.model_validate({"granted": [{"path": "/b"}]} if dice.random() < 0.5 else {})
    known: dict[tuple[str, str], Claim] = {}
    for number in range(60):
        namespace = dice.choice(parts)
        path = "/" + "/".join(dice.choice(parts) for _ in range(dice.randint(0, 3)))
        host = dice.choice(hosts)
        corner = corner_of(path) if not host and path.startswith(f"/{namespace}/") else ""
        name, since, held = f"x{dice.randrange(25)}", float(dice.randrange(5)), dice.random() < 0.7
        address = dice.choice(["", "h.example.com", "gate"])
        one = Claim("here", corner, namespace, name, since, held, host, path, address)
        if (namespace, name) in known and dice.random() < 0.5:
            known.pop((namespace, name))
            found.put(namespace, name, None)
        else:
            known[namespace, name] = one
            found.put(namespace, name, {"claim": one})
        if number % 15 != 14:
            continue
        for each in known.values():
            near = found.near(each)
            # of two without a host, others at home are left out, as ever
            all_ = [o for o in known.values() if each.host or not each.corner or o.corner in (each.corner, "")]
            assert claims.in_the_way(each, near, rules) == claims.in_the_way(each, sorted(all_), rules)
            assert {other for other in known.values() if claims.meet(each, other)} <= set(near)
            for other in known.values():
                assert claims.meet(each, other) or not claims._keeps_out(each, other, rules)
