"""Where the gateway can't mirror, it marks the share of the requests that proxies copy."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead.api.deployment import Route
from fairlead.manifests import route
from fairlead.manifests.route import COPY_HEADER, Backend, Copy, Traffic

ROUTE = Route.model_validate({"gateway": {"name": "g"}})
OLD, NEW = Backend("a", "svc-a", 8080), Backend("b", "svc-b", 8080)
OWNER: dict[str, Any] = {"name": "web"}


def made(traffic: Traffic, before: dict[str, Any] | None = None) -> dict[str, Any]:
    return route.http_route("web", "team", OWNER, {}, ROUTE, traffic, before)


def shadowing(share: str, before: dict[str, Any] | None = None) -> dict[str, Any]:
    return made(Traffic([OLD, NEW], [(OLD, 100)], Copy(NEW, share, by_proxy=True)), before)


def marked(found: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Service, weight and whether the mark is set or taken off, of the shared rule's places."""
    places = []
    for ref in found["spec"]["rules"][0]["backendRefs"]:
        change = next(one["requestHeaderModifier"] for one in ref["filters"] if one["type"] == "RequestHeaderModifier")
        how = "set" if change.get("set") == [{"name": COPY_HEADER, "value": "b"}] else "remove"
        assert how == "set" or change == {"remove": [COPY_HEADER]}
        places.append((ref["name"], ref["weight"], how))
    return places


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        ("25%", [("svc-a", 3, "remove"), ("svc-a", 1, "set")]),
        ("80%", [("svc-a", 1, "remove"), ("svc-a", 4, "set")]),
        ("0.25%", [("svc-a", 399, "remove"), ("svc-a", 1, "set")]),
        ("0.001%", [("svc-a", 9999, "remove"), ("svc-a", 1, "set")]),
        ("100%", [("svc-a", 99, "set"), ("svc-a", 1, "set")]),
    ],
)
def test_the_share_is_the_weight_of_the_marked_place(share: str, expected: list[tuple[str, int, str]]) -> None:
    found = shadowing(share)
    assert marked(found) == expected
    assert route.marks(found)
    assert route.weights(found) == {"svc-a": 100}
    assert not route.copies(found)  # the gateway itself makes none
    assert "RequestMirror" not in str(found)


@pytest.mark.parametrize("share", ["0.01%", "25%", "33.33%", "99.99%", "100%"])
def test_a_route_with_room_for_an_experiment_marks_the_share_as_well(share: str) -> None:
    wide = made(Traffic([OLD, NEW], [(OLD, 60), (NEW, 40)], wide=True))
    found = marked(shadowing(share, wide))
    assert len(found) == 5
    weights = [weight for _, weight, _ in found]
    assert all(0 < weight <= 1_000_000 for weight in weights)
    marks = sum(weight for _, weight, how in found if how == "set") / sum(weights)
    assert marks == pytest.approx(float(share.rstrip("%")) / 100, abs=5e-5)


def test_nobody_changes_places_when_the_share_does() -> None:
    before = made(Traffic([OLD], [(OLD, 100)]))
    asked = []
    for share in ("25%", "80%", "100%", "1%"):
        before = shadowing(share, before)
        assert shadowing(share, before) == before
        asked.append([rule["backendRefs"][0]["name"] for rule in before["spec"]["rules"][1:]])
    assert asked == [["svc-a", "svc-b"]] * 4
    after = made(Traffic([OLD, NEW], [(OLD, 90), (NEW, 10)]), before)
    assert [(ref["name"], ref["weight"]) for ref in after["spec"]["rules"][0]["backendRefs"]] == [
        ("svc-a", 90), ("svc-b", 10),
    ]  # fmt: skip
    assert not route.marks(after)


def test_the_second_place_may_be_the_live_version_s_own() -> None:
    turned = made(Traffic([NEW, OLD], [(NEW, 90), (OLD, 10)]))
    turned = made(Traffic([OLD], [(OLD, 100)]), turned)
    assert marked(shadowing("25%", turned)) == [("svc-a", 1, "set"), ("svc-a", 3, "remove")]
