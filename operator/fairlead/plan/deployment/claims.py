"""What Deployments take for themselves of a Gateway: a host and the paths below a prefix. No two may take the same, and
none what is another namespace's.

- Below `/<namespace>/` a namespace is at home, under any host or none.
- A host that no other namespace's Deployment has is its own: any path on it. It may not be a pattern, nor what the
  platform has granted to somebody else, nor the address by which others are reached.
- Anything else needs the platform's word (`routes` in the operator's configuration).
- Of two that take the same, the one that has had it longer keeps it. What was never granted is not held.

An HTTPRoute or GRPCRoute that is not Fairlead's, and Deployments that the operator does not watch, are not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from fairlead.api.config import RoutesConfig
from fairlead.api.deployment import Deployment, GatewayRef, Route
from fairlead.api.deploymentstatus import Claimed
from fairlead.manifests.route import path_of
from fairlead.plan.core import Claim, Json, epoch, rfc3339


def of(raw: Json) -> tuple[Claim, ...]:
    """What a Deployment holds, and what it wants, if that is something else."""
    status = raw.get("status") or {}
    kept = Claimed.model_validate(status["claimed"]) if status.get("claimed") is not None else None
    address, live = str(status.get("address") or ""), bool(status.get("live"))
    return _of(*_who(raw), Route.model_validate(raw["spec"]["route"]), kept, address, live)


def of_body(raw: Json, body: Deployment) -> tuple[Claim, ...]:
    """The same of one that has been parsed."""
    status = body.status
    return _of(*_who(raw), body.spec.route, status.claimed, status.address, status.live is not None)


def _who(raw: Json) -> tuple[str, str, float]:
    meta = raw["metadata"]
    created = epoch(meta["creationTimestamp"]) if meta.get("creationTimestamp") else 0.0
    return str(meta.get("namespace", "")), str(meta["name"]), created


@lru_cache(maxsize=4096)  # each look of each rollout asks
def _of(
    namespace: str, name: str, created: float, route: Route, kept: Claimed | None, address: str, live: bool
) -> tuple[Claim, ...]:  # fmt: skip
    wanted = claim(route, namespace, name, created, address)
    if kept is None:
        # of a time when nobody asked: what was live had its route, and told its address
        return (wanted._replace(held=live and bool(address)),)
    had = claim(route_of(kept), namespace, name, epoch(kept.since), address)._replace(held=True)
    return (had,) if _what(had) == _what(wanted) else (had, wanted._replace(address=""))


def claim(route: Route, namespace: str, name: str, since: float, address: str) -> Claim:
    """What a route takes."""
    path = "/" if route.protocol == "GRPC" else path_of(route, namespace, name)
    gateway = f"{route.gateway.namespace or namespace}/{route.gateway.name}"
    host = urlsplit(address).hostname or ""
    return Claim(
        gateway, "" if route.host else _corner(path, namespace), namespace, name, since,
        False, route.host or "", path, host, route.protocol,
    )  # fmt: skip


def _corner(path: str, namespace: str) -> str:
    """The first two parts of a path at home: it meets none that begins otherwise, but for those that are shorter."""
    parts = path.split("/", 3)[1:3]
    return f"/{parts[0]}/{parts[1]}" if len(parts) == 2 and parts[1] and parts[0] == namespace else ""


def claimed(route: Route, namespace: str, name: str, since: float) -> Claimed:
    """The record of what a route has been granted."""
    return Claimed(
        gateway=f"{route.gateway.namespace or namespace}/{route.gateway.name}",
        protocol=route.protocol, host=route.host,
        path=None if route.protocol == "GRPC" else path_of(route, namespace, name), since=rfc3339(since),
    )  # fmt: skip


def route_of(kept: Claimed) -> Route:
    """The route that was granted."""
    namespace, _, name = kept.gateway.partition("/")
    gateway = GatewayRef(name=name, namespace=namespace)
    return Route(gateway=gateway, protocol=kept.protocol, host=kept.host, path=kept.path)


@lru_cache(maxsize=4096)
def is_for(kept: Claimed, route: Route, namespace: str, name: str) -> bool:
    """Whether what was granted is what a route takes."""
    return _what(claim(route_of(kept), namespace, name, 0.0, "")) == _what(claim(route, namespace, name, 0.0, ""))


def _by(one: Claim) -> tuple[str, str]:
    return one.namespace, one.name


def _what(one: Claim) -> tuple[str, str, str, str]:
    return one.place, one.protocol, one.host, one.path


# --- whose it is -----------------------------------------------------------------------------------------------------


def at_home(one: Claim) -> bool:
    """Whether it is below its own namespace's prefix."""
    return _below(one.path, f"/{one.namespace}")


def granted(one: Claim, rules: RoutesConfig) -> bool:
    """Whether the platform has given it."""
    return rules.any_path or any(
        (not rule.namespaces or one.namespace in rule.namespaces)
        and (rule.host is None or _covers(rule.host, one.host))
        and _below(one.path, rule.path)
        for rule in rules.granted
    )


def not_allowed(one: Claim, rules: RoutesConfig) -> str:
    """Why a claim is nobody's to make, whoever else is there; empty: it may be made."""
    if granted(one, rules) or at_home(one):
        return ""
    ask = "or ask the platform's team for it (routes.granted in Fairlead's chart)"
    home = f"use a path below /{one.namespace}/"
    if not one.host:
        return f"spec.route.path: {one.path} is not below /{one.namespace}/: {home}, give it a host of its own, {ask}"
    if one.host.startswith("*"):
        return f"spec.route.host: {one.host} takes the hosts of others too: name one host, {home}, {ask}"
    if any(rule.host and _covers(rule.host, one.host) for rule in rules.granted):
        return f"spec.route.host: {one.host} is granted to other namespaces: name another host, {home}, {ask}"
    return ""


def in_the_way(one: Claim, others: Iterable[Claim], rules: RoutesConfig) -> Claim | None:
    """The claim of another Deployment that this one has to yield to, if there is one; what yields itself is in nobody's
    way. others: all that it may meet."""
    known = [other for other in others if _by(other) != _by(one)]
    concerned, todo = {one}, [one]
    while todo:
        ahead_of = _before(todo.pop(), known, rules)
        found = [other for other in ahead_of if other not in concerned and not not_allowed(other, rules)]
        concerned.update(found)
        todo += found
    standing: list[Claim] = []
    for each in sorted(concerned, key=_age):
        ahead = next((first for first in standing if _keeps_out(first, each, rules)), None)
        if each == one:
            return ahead
        if ahead is None:
            standing.append(each)
    return None


def _before(one: Claim, others: Sequence[Claim], rules: RoutesConfig) -> list[Claim]:
    """Those that forbid it, if they stand themselves."""
    mine = _age(one)
    return [other for other in others if meet(other, one) and _age(other) < mine and _keeps_out(other, one, rules)]


def _age(one: Claim) -> tuple[bool, float, str, str]:
    return not one.held, one.since, one.namespace, one.name


def meet(one: Claim, other: Claim) -> bool:
    """Whether one of the two may have to yield to the other."""
    if one.host and other.host:
        return _covers(one.host, other.host) or _covers(other.host, one.host)
    if not _share(one.path, other.path):
        return False
    if not (one.host or other.host):
        return True
    named, reached = (one, other) if one.host else (other, one)
    return named.path != "/" or named.host == reached.address


def _keeps_out(first: Claim, one: Claim, rules: RoutesConfig) -> bool:
    """Whether a claim that was there first forbids another one."""
    foreign = first.namespace != one.namespace
    if _by(first) == _by(one) or (not foreign and first.protocol != one.protocol):
        return False
    if first.host and one.host:
        if not (_covers(first.host, one.host) or _covers(one.host, first.host)):
            return False
        own = at_home(one) or granted(one, rules)
        return _share(first.path, one.path) or (foreign and not own)
    if first.host:
        return False  # whoever has a host has nothing of those who are reached by any
    if one.host:
        if not foreign or _named(one, rules):
            return False
        return _share(first.path, one.path) and (one.path != "/" or one.host == first.address)
    if foreign and at_home(one) and not at_home(first) and not rules.any_path:
        return False  # a wide prefix was granted with those at home below it
    return _share(first.path, one.path)


def _named(one: Claim, rules: RoutesConfig) -> bool:
    """Whether the platform has given the host to its namespace by name."""
    return any(
        rule.host and one.namespace in rule.namespaces and _covers(rule.host, one.host) and _below(one.path, rule.path)
        for rule in rules.granted
    )


def _share(one: str, other: str) -> bool:
    return _below(one, other) or _below(other, one)


def _below(path: str, prefix: str) -> bool:
    """Whether a path is a prefix, or lies below it. Segments count: `/a` has nothing of `/ab`."""
    return path == prefix.rstrip("/") or path.startswith(prefix.rstrip("/") + "/") or prefix == "/"


def _covers(pattern: str, host: str) -> bool:
    """Whether a host, or a pattern of hosts, is among those of another one. An empty one is no host."""
    if not pattern or not host:
        return False
    return pattern == host or (pattern.startswith("*.") and host.removeprefix("*").endswith(pattern[1:]))
