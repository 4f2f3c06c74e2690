"""Copies of requests in the route."""

from __future__ import annotations

import pytest

from fairlead.api.deployment import Route
from fairlead.manifests.meta import Json
from fairlead.manifests.route import Backend, Copy, Traffic, copies, http_route, services, weights

LIVE, NEW = Backend("m-1", "web-1", 8080), Backend("m-2", "web-2", 8080)
ROUTE = Route.model_validate({"gateway": {"name": "public"}})


def made(share: str | None) -> Json:
    copy = Copy(NEW, share) if share else None
    return http_route("web", "team", {"uid": "u"}, {}, ROUTE, Traffic([LIVE, NEW], [(LIVE, 100)], copy))


@pytest.mark.parametrize(("share", "parts"), [("100%", 10_000), ("25%", 2_500), ("0.5%", 50), ("0.01%", 1)])
def test_only_the_shared_rule_is_copied_and_nobody_gets_a_weight(share: str, parts: int) -> None:
    found = made(share)
    filters = [one for rule in found["spec"]["rules"] for one in rule["filters"]]
    mirrors = [one["requestMirror"] for one in filters if one["type"] == "RequestMirror"]
    assert mirrors == [{
        "backendRef": {"kind": "Service", "name": "web-2", "port": 8080},
        "fraction": {"numerator": parts, "denominator": 10_000},
    }]  # fmt: skip
    assert weights(found) == {"web-1": 100}
    assert copies(found) == {"web-2"}
    assert services(found) == {"web-1", "web-2"}


def test_without_copies_the_rules_are_the_same() -> None:
    plain, copied = made(None), made("10%")
    assert copies(plain) == set()
    for rule in copied["spec"]["rules"]:
        rule["filters"] = [one for one in rule["filters"] if one["type"] != "RequestMirror"]
    assert copied == plain
