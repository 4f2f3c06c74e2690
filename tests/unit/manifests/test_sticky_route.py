"""Routes of experiments: users that stay, places that stay."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.api.deployment import Route
from fairlead.manifests import route, sticky
from fairlead.manifests.meta import owner_reference
from fairlead.manifests.route import Backend, Traffic

Json = dict[str, Any]
OWNER = owner_reference("fairlead.dev/v1alpha1", "Deployment", "web", "u")
ROUTE = Route.model_validate({"gateway": {"name": "g"}})
LIVE, A, B, C, D = (Backend(f"m-{n}", f"svc-{n}", 8080) for n in range(1, 6))
COOKIE = sticky.Sticky("fairlead-web", "3f2a", 604800, "/team/web")
OFF = sticky.Sticky("", "", 0, "")


def made(traffic: Traffic, before: Json | None = None) -> Json:
    return route.http_route("web", "team", OWNER, {}, ROUTE, traffic, before)


def refs(found: Json, rule: int = 0) -> list[tuple[str, int]]:
    return [(ref["name"], ref["weight"]) for ref in found["spec"]["rules"][rule]["backendRefs"]]


def cookies(found: Json) -> list[tuple[re.Pattern[str], str]]:
    """(pattern, service) of the rules that a cookie leads to, in their order."""
    return [
        (re.compile(rule["matches"][0]["headers"][0]["value"]), rule["backendRefs"][0]["name"])
        for rule in found["spec"]["rules"]
        if rule["matches"][0].get("headers", [{}])[0].get("name") == "Cookie"
    ]


def reached(found: Json, header: str) -> str | None:
    """Where a Cookie header leads; None: the user is assigned anew."""
    return next((service for pattern, service in cookies(found) if pattern.fullmatch(header)), None)


SHARED = Traffic([LIVE, A, B], [(LIVE, 40), (A, 30), (B, 30)], sticky=COOKIE, wide=True)


def test_a_cookie_leads_to_its_version_among_others() -> None:
    found = made(SHARED)
    pair = "fairlead-web=m-2.3f2a"
    for header in (pair, f"a=b; {pair}", f"{pair}; c=d", f"a=;{pair} ; c"):
        assert reached(found, header) == "svc-2", header
    for header in ("fairlead-web=m-2.9999", "fairlead-web=m-22.3f2a", "xfairlead-web=m-2.3f2a", "fairlead-web=m-2x3f2a",
                   "fairlead-web=m-2", "a=fairlead-web=m-2.3f2a", ""):  # fmt: skip
        assert reached(found, header) is None, header


def test_new_users_get_the_cookie_of_their_version_and_known_ones_none() -> None:
    rules = made(SHARED)["spec"]["rules"]
    set_by = {ref["name"]: ref["filters"][0]["responseHeaderModifier"]["add"] for ref in rules[0]["backendRefs"]}
    assert set_by["svc-2"] == [{
        "name": "Set-Cookie",
        "value": "fairlead-web=m-2.3f2a; Max-Age=604800; Path=/team/web; HttpOnly; SameSite=Lax",
    }]  # fmt: skip
    assert all("add" not in ref["filters"][0]["responseHeaderModifier"] for r in rules[1:] for ref in r["backendRefs"])
    told = [rule["filters"][-1]["requestHeaderModifier"]["set"][0]["value"] for rule in rules]
    assert told == ["new"] + ["asked"] * 5 + ["known"] * 5
    assert len(rules) <= 16, "the most that an HTTPRoute may have"


def test_users_of_a_version_that_is_taken_out_are_assigned_anew() -> None:
    first = made(SHARED)
    after = made(Traffic([LIVE, B], [(LIVE, 57), (B, 43)], sticky=COOKIE, wide=True), first)
    assert reached(after, "fairlead-web=m-2.3f2a") is None
    assert reached(after, "fairlead-web=m-3.3f2a") == "svc-3"
    assert route.weights(after) == {"svc-1": 57, "svc-3": 43}


def test_nobody_changes_places_from_the_first_rollout_to_the_one_after_an_experiment() -> None:
    narrow = made(Traffic([LIVE], [(LIVE, 100)]))
    starts = made(Traffic([LIVE, A, B], [(LIVE, 100)], sticky=OFF, wide=True), narrow)
    assert refs(starts) == [("svc-1", 99_996)] + [("svc-1", 1)] * 4
    asked = [name for rule in range(1, 6) for name, _ in refs(starts, rule)]
    assert asked == ["svc-1", "svc-2", "svc-3", "svc-1", "svc-1"]
    assert "Set-Cookie" not in str(starts)
    opened = made(SHARED, starts)
    assert refs(opened) == [("svc-1", 39_998), ("svc-2", 30_000), ("svc-3", 30_000), ("svc-1", 1), ("svc-1", 1)]
    promoted = made(Traffic([B], [(B, 100)]), opened)
    assert refs(promoted) == [("svc-3", 1), ("svc-3", 1), ("svc-3", 99_996), ("svc-3", 1), ("svc-3", 1)]
    assert reached(promoted, "fairlead-web=m-3.3f2a") is None
    assert "Set-Cookie" not in str(promoted)
    assert "x-fairlead-user" not in str(promoted)
    canary = made(Traffic([B, C], [(B, 90), (C, 10)]), promoted)
    assert refs(canary) == [("svc-4", 10_000), ("svc-3", 1), ("svc-3", 89_997), ("svc-3", 1), ("svc-3", 1)]
    assert len(canary["spec"]["rules"]) == len(opened["spec"]["rules"]) == 11


def test_without_cookies_there_are_no_rules_for_them() -> None:
    found = made(Traffic([LIVE, A], [(LIVE, 50), (A, 50)], wide=True))
    assert len(found["spec"]["rules"]) == 6
    assert refs(found) == [("svc-1", 49_997), ("svc-2", 50_000), *[("svc-1", 1)] * 3]


ARMS = st.lists(st.sampled_from([A, B, C, D]), unique=True, max_size=4)
PARTS = st.lists(st.integers(1, 20), min_size=4, max_size=4)


def main_places(found: Json) -> dict[str, int]:
    """Where each backend has most of its share."""
    weights = refs(found)
    return {name: max(i for i, ref in enumerate(weights) if ref == max(r for r in weights if r[0] == name))
            for name, _ in weights}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ARMS, PARTS), min_size=1, max_size=6))
def test_who_stays_keeps_his_place_and_weights_are_as_asked(moves: list[tuple[list[Backend], list[int]]]) -> None:
    before = made(Traffic([LIVE], [(LIVE, 100)], sticky=OFF, wide=True))
    for arms, parts in moves:
        weights = dict(zip(arms, parts, strict=False))
        shared = [(LIVE, 100 - sum(weights.values())), *weights.items()]
        after = made(Traffic([LIVE, *arms], shared, sticky=COOKIE, wide=True), before)
        assert route.weights(after) == {backend.service: weight for backend, weight in shared}
        assert len(refs(after)) == 5
        assert sum(weight for _, weight in refs(after)) == 100_000
        assert all(weight > 0 for _, weight in refs(after)), "a gateway may forget what is behind a place without share"
        assert len(after["spec"]["rules"]) == 11
        now, then = main_places(after), main_places(before)
        assert all(now[name] == then[name] for name in set(now) & set(then))
        assert made(Traffic([LIVE, *arms], shared, sticky=COOKIE, wide=True), after) == after
        before = after


@pytest.mark.parametrize("cookie", ["fairlead-web", "arm_1", "X"])
def test_a_pattern_takes_names_literally(cookie: str) -> None:
    one = sticky.Sticky(cookie, "k", 1, "/")
    assert re.fullmatch(sticky.pattern(one, "m-1"), f"{cookie}=m-1.k")


def test_a_deployment_with_a_host_of_its_own_tells_servers_of_users_too() -> None:
    own = Route.model_validate({"gateway": {"name": "g"}, "host": "web.example", "path": "/"})
    found = route.http_route("web", "team", OWNER, {}, own, SHARED)
    told = [
        one["requestHeaderModifier"]["set"][0]["value"]
        for rule in found["spec"]["rules"]
        for one in rule["filters"]
        if one["type"] == "RequestHeaderModifier"
    ]
    assert told == ["new"] + ["asked"] * 5 + ["known"] * 5
