"""Nobody takes another's path, or another's host."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plan.rollout_world import Sim, spec

from fairlead.api.config import RoutesConfig
from fairlead.api.deployment import Route
from fairlead.plan.core import GRPC_ROUTE, HTTP_ROUTE, Claim
from fairlead.plan.deployment import claims

Json = dict[str, Any]
PLACE = "infra/public"
NONE = RoutesConfig()


def other(name: str, path: str = "", host: str = "", since: float = 1.0, held: bool = True, **more: Any) -> Claim:
    """What `namespace/name` claims; its path is its own by default."""
    namespace, _, short = name.partition("/")
    path = path or f"/{name}"
    corner = f"/{namespace}" if not host and f"{path}/".startswith(f"/{namespace}/") else ""
    return Claim(PLACE, corner, namespace, short, since, held, host, path, more.get("address", ""))


def routed(**route: Any) -> Sim:
    """Deployment team/web with such a route."""
    wanted = spec()
    wanted["route"] |= route
    sim = Sim(wanted)
    return sim


def live(sim: Sim) -> Sim:
    sim.go_live()
    return sim


def path_in_route(sim: Sim) -> str | None:
    made = sim.get(HTTP_ROUTE, "web")
    return made["spec"]["rules"][0]["matches"][0]["path"]["value"] if made else None


@pytest.mark.parametrize("path", ["/sec-v/shop/v2", "/sec-v/shop", "/sec-v", "/", "/teams/web", "/tea"])
def test_attack_paths_what_is_not_below_its_namespace_gets_no_route(path: str) -> None:
    sim = live(routed(path=path))
    assert path_in_route(sim) is None
    said = sim.condition("Ready")
    assert (said["status"], said["reason"]) == ("False", "PathNotAllowed")
    assert "below /team/" in said["message"]
    assert "routes.granted" in said["message"]
    assert sim.status["message"] == said["message"]
    assert sim.status["phase"] == "Holding"
    assert sim.status["address"] == ""


@pytest.mark.parametrize("path", [None, "/team/web", "/team/shop/v2", "/team", "/team/"])
def test_attack_paths_below_its_namespace_it_is_at_home(path: str | None) -> None:
    sim = live(routed(**({"path": path} if path else {})))
    assert path_in_route(sim) == (path or "/team/web").rstrip("/")
    assert sim.condition("Ready")["status"] == "True"


@pytest.mark.parametrize(
    ("rules", "path", "right"),
    [
        ({"anyPath": True}, "/elsewhere", True),
        ({"granted": [{"path": "/public/", "namespaces": ["team", "b"]}]}, "/public/x", True),
        ({"granted": [{"path": "/public", "namespaces": []}]}, "/public", True),
        ({"granted": [{"path": "/public/", "namespaces": ["b"]}]}, "/public/x", False),
        ({"granted": [{"path": "/public/", "namespaces": ["team"]}]}, "/publicity", False),
        ({"granted": [{"host": "a.example", "namespaces": ["team"]}]}, "/x", False),
    ],
)
def test_attack_paths_elsewhere_only_by_the_platform_s_word(rules: Json, path: str, right: bool) -> None:
    sim = routed(path=path)
    sim.config = sim.config.model_copy(update={"routes": RoutesConfig.model_validate(rules)})
    live(sim)
    assert path_in_route(sim) == (path if right else None)


def refusal(mine: Claim, *others: Claim, rules: RoutesConfig = NONE) -> str:
    """The Deployment that keeps a claim out; `no` where nobody may have it; empty: it may."""
    if claims.not_allowed(mine, rules):
        return "no"
    found = claims.in_the_way(mine, others, rules)
    return f"{found.namespace}/{found.name}" if found else ""


GRANTED = RoutesConfig.model_validate({"granted": [{"host": "*.shop.example", "namespaces": ["shop"]}]})
PREFIX = RoutesConfig.model_validate({"granted": [{"path": "/", "namespaces": ["edge"]}]})


@pytest.mark.parametrize(
    ("mine", "others", "rules", "first"),
    [
        # a host of its own: any path; not one that another namespace has
        (other("b/y", "/", "y.example", 9), [other("a/x", "/", "x.example")], NONE, ""),
        (other("b/y", "/", "x.example", 9), [other("a/x", "/", "x.example")], NONE, "a/x"),
        (other("b/y", "/z", "x.example", 9), [other("a/x", "/a/x", "x.example")], NONE, "a/x"),
        (other("b/y", "/", "x.example", 1), [other("a/x", "/", "x.example", 9)], NONE, ""),
        (other("b/y", host="x.example", since=9), [other("a/x", host="x.example")], NONE, ""),
        # a pattern of hosts takes the hosts of others too
        (other("b/y", "/", "*.example", 9), [], NONE, "no"),
        (other("b/y", host="*.example", since=9), [other("a/x", host="x.example")], NONE, ""),
        # what the platform has granted is nobody else's
        (other("b/y", "/", "x.shop.example", 9), [], GRANTED, "no"),
        (other("shop/y", "/", "x.shop.example", 9), [other("a/x")], GRANTED, ""),
        (other("shop/y", "/", "*.shop.example", 9), [], GRANTED, ""),
        # those without a host are reached by any: nobody takes their paths under some host, or their address
        (other("b/y", "/a/x/v2", "y.example", 9), [other("a/x")], NONE, "a/x"),
        (other("b/y", "/a", "y.example", 9), [other("a/x")], NONE, "a/x"),
        (other("b/y", "/", "lb.example", 9), [other("a/x", address="lb.example")], NONE, "a/x"),
        (other("b/y", "/", "y.example", 9), [other("a/x", address="lb.example")], NONE, ""),
        # and whoever is at home can't be kept out of it, however long somebody sits there
        (other("b/y", since=9), [other("a/x", "/b/y", "x.example")], NONE, ""),
        (other("b/y", since=9), [other("a/x", "/", "x.example")], NONE, ""),
        (other("b/y", since=9), [other("edge/x", "/")], PREFIX, ""),
        (other("b/y", since=9), [other("a/x", "/b")], NONE, ""),
        # one namespace's own
        (other("a/y", "/a/x/v2", since=9), [other("a/x")], NONE, "a/x"),
        (other("a/y", "/a/xy", since=9), [other("a/x")], NONE, ""),
        (other("a/y", "/", "y.example", 9), [other("a/x")], NONE, ""),
        (other("a/y", "/a/x", since=1), [other("a/x", since=1)], NONE, "a/x"),
        # who holds it keeps it from an older one that comes to want it
        (other("a/y", "/", "x.example", 1, held=False), [other("b/x", "/", "x.example", 9)], NONE, "b/x"),
        # what yields itself is in nobody's way
        (
            other("a/z", "/a/y/z", since=9, held=False),
            [other("a/y", "/a/y", since=5, held=False), other("a/x", "/a/y", since=1, held=False)], NONE, "a/x",
        ),
        (
            other("c/z", "/z", "y.z.example", 9, held=False),
            [other("b/y", "/b", "y.z.example", 5, held=False), other("a/x", "/b", "y.z.example", 1)], NONE, "a/x",
        ),
    ],
)  # fmt: skip
def test_attack_paths_who_yields(mine: Claim, others: list[Claim], rules: RoutesConfig, first: str) -> None:
    assert refusal(mine, *others, rules=rules) == first


def test_attack_paths_of_two_that_conflict_one_stands() -> None:
    """Whatever is claimed by whom since when: never two of which one has to yield to the other."""
    hosts, paths = ["", "h.example", "*.example"], ["/", "/a", "/a/x", "/b/x", "/a/x/v2"]
    found = [
        other(f"{namespace}/n{n}", path, host, since, held)
        for n, (namespace, path, host, since, held) in enumerate(
            (namespace, path, host, since, held)
            for namespace in "ab" for path in paths for host in hosts for since in (1.0, 2.0) for held in (True, False)
        )
    ]  # fmt: skip
    for rules in (NONE, RoutesConfig(any_path=True)):
        standing = [one for one in found if refusal(one, *found, rules=rules) == ""]
        assert standing
        for one in standing:
            others = [each for each in standing if each != one]
            assert refusal(one, *others, rules=rules) == ""


def test_attack_paths_the_newer_of_two_on_a_host_gets_no_traffic_and_names_the_older() -> None:
    sim = routed(host="shop.example", path="/")
    sim.others = (other("sec-v/shop", "/", "shop.example"),)
    live(sim)
    assert path_in_route(sim) is None
    said = sim.condition("Ready")
    assert (said["status"], said["reason"]) == ("False", "RouteConflict")
    assert "sec-v/shop" in said["message"]
    sim.others = ()
    sim.look()
    assert path_in_route(sim) == "/"
    assert sim.condition("Ready")["status"] == "True"


def test_attack_paths_an_edit_to_another_s_path_leaves_the_route_where_it_was() -> None:
    """… and it goes on being turned."""
    sim = live(routed())
    sim.spec["route"]["path"] = "/sec-v/shop"
    sim.look()
    assert path_in_route(sim) == "/team/web"
    assert sim.condition("Ready")["reason"] == "PathNotAllowed"
    assert "stays at /team/web" in sim.condition("Ready")["message"]
    assert sim.status["address"] == "http://10.0.0.1/team/web"
    sim.begin()
    sim.run(60, 60)
    assert sim.status["live"]["version"] == "m-2"
    assert sim.shares() == {"m-2": 100}
    assert path_in_route(sim) == "/team/web"


def test_attack_paths_a_route_of_before_is_taken_down() -> None:
    sim = live(routed())
    sim.of(HTTP_ROUTE)["web"]["spec"]["rules"][0]["matches"][0]["path"]["value"] = "/sec-v/shop"
    sim.spec["route"]["path"] = "/sec-v/shop"
    del sim.status["claimed"]
    sim.look()
    assert sim.get(HTTP_ROUTE, "web") is None


def test_attack_paths_a_route_of_before_keeps_its_place() -> None:
    """Upgrading takes nobody's place away: what was live has it since it was made."""
    sim = live(routed(host="shop.example", path="/"))
    del sim.status["claimed"]
    sim.others = (other("sec-v/shop", "/", "shop.example", since=5.0, held=False),)
    sim.look()
    assert path_in_route(sim) == "/"
    assert sim.status["claimed"]["host"] == "shop.example"


@pytest.mark.parametrize("protocol", ["GRPC", "HTTP"])
def test_attack_paths_by_grpc_the_host_counts(protocol: str) -> None:
    sim = routed(protocol="GRPC", host="shop.example")
    sim.others = (other("sec-v/shop", "/", "shop.example")._replace(protocol=protocol),)
    live(sim)
    assert sim.get(GRPC_ROUTE, "web") is None
    assert sim.condition("Ready")["reason"] == "RouteConflict"


def test_attack_paths_a_method_s_path_does_not_take_the_requests_of_another_s_grpc() -> None:
    """A Gateway that takes both kinds of routes for a host may go by the longer path."""
    sim = routed(host="shop.example", path="/inference.GRPCInferenceService")
    sim.others = (other("sec-v/shop", "/", "shop.example")._replace(protocol="GRPC"),)
    live(sim)
    assert path_in_route(sim) is None
    assert sim.condition("Ready")["reason"] == "RouteConflict"


@pytest.mark.parametrize(("namespace", "stands"), [("team", True), ("sec-v", False)])
def test_attack_paths_a_namespace_may_serve_both_protocols_under_its_host(namespace: str, stands: bool) -> None:
    first = other(f"{namespace}/shop", "/", "shop.example")
    mine = other("team/web", "/", "shop.example", held=False)._replace(protocol="GRPC")
    assert (claims.in_the_way(mine, [first, mine], RoutesConfig()) is None) == stands


def test_attack_paths_claims_are_read_off_the_objects() -> None:
    raw = {
        "metadata": {"name": "web", "namespace": "team", "creationTimestamp": "2026-03-02T09:00:00Z"},
        "spec": spec(), "status": {"live": {"version": "m-1"}, "address": "http://lb.example:8080/team/web"},
    }  # fmt: skip
    (old,) = claims.of(raw)
    assert (old.place, old.host, old.path, old.held, old.address) == (PLACE, "", "/team/web", True, "lb.example")
    route = Route.model_validate(raw["spec"]["route"])
    raw["status"]["claimed"] = claims.claimed(route, "team", "web", 5.0).model_dump(mode="json", by_alias=True)
    (same,) = claims.of(raw)
    assert (same.held, same.since) == (True, 5.0)
    raw["spec"]["route"]["host"] = "x.example"
    had, wanted = claims.of(raw)
    assert (had.host, had.held, wanted.host, wanted.held) == ("", True, "x.example", False)
