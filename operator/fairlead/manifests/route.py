"""The route of a Deployment, owned whole: who gets which share of the requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from fairlead.api.deployment import Route
from fairlead.manifests import places, sticky
from fairlead.manifests.meta import Json
from fairlead.manifests.places import Backend as Backend
from fairlead.manifests.sticky import Sticky as Sticky

ASK_HEADER = "x-fairlead-version"
"""A request with this header goes to the version that it names, whatever its weight."""
ANSWER_HEADER = "x-fairlead-model"
"""Every response says which version answered."""
COPY_HEADER = "x-fairlead-copy"
"""The proxy beside a server makes a copy of each request with this header."""

PLACES, WIDE = places.FIRST, 5
"""Places of the shared rule, and in a route with room for an experiment."""


@dataclass(frozen=True)
class Copy:
    """A version that gets copies of the others' requests."""

    backend: Backend
    share: str
    """Of the requests, `25%`."""
    by_proxy: bool = False
    """The gateway marks requests, and the proxy beside the server that they reach copies them; else it does both."""


@dataclass(frozen=True)
class Traffic:
    """Who is reached how. Weights are positive and add up to 100: a version that gets nothing has none."""

    named: Sequence[Backend]
    """Reached by asking for the version."""
    shared: Sequence[tuple[Backend, int]]
    """The others' requests, by weight: one backend or two; in an experiment up to five."""
    copy: Copy | None = None
    """Who gets copies of those."""
    sticky: Sticky | None = None
    """In an experiment: how users stay with their version."""
    wide: bool = False
    """Room for an experiment."""


def path_of(route: Route, namespace: str, name: str) -> str:
    """The path prefix of a Deployment."""
    return (route.path or f"/{namespace}/{name}").rstrip("/") or "/"


def http_route(
    name: str, namespace: str, owner: Json, labels: Mapping[str, str], route: Route, traffic: Traffic,
    before: Json | None = None,
) -> Json:  # fmt: skip
    """The route. A rollback takes a backend out of it, for a gateway with session affinity may serve weight 0.

    The rules are always three, and the shared one always has two backends; who has no share leaves his place to
    another one, and nobody changes places. For gateways name what is behind a backend by its place, and hand out routes
    and backends one after the other: with each place that came or went, a few requests were answered by 500 (seen with
    Envoy Gateway 1.9). So a route that had room for an experiment keeps it. `before`: the route as it is in the
    cluster, which says who has which place.
    """
    prefix = {"path": {"type": "PathPrefix", "value": path_of(route, namespace, name)}}
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    form = _Form("HTTPRoute", prefix, [] if prefix["path"]["value"] == "/" else [rewrite])
    meta = {"name": name, "namespace": namespace, "labels": dict(labels), "ownerReferences": [owner]}
    return _made(form, meta, route, traffic, before)


def grpc_route(
    name: str, namespace: str, owner: Json, labels: Mapping[str, str], route: Route, traffic: Traffic,
    before: Json | None = None,
) -> Json:  # fmt: skip
    """The same for gRPC. The host says which model is meant: the method's path is the protocol's own."""
    meta = {"name": name, "namespace": namespace, "labels": dict(labels), "ownerReferences": [owner]}
    return _made(_Form("GRPCRoute", {}, []), meta, route, traffic, before)


@dataclass(frozen=True)
class _Form:
    """What tells one kind of route from the other."""

    kind: str
    match: Json
    """What all requests have in common."""
    filters: Sequence[Json]
    """What is done with all of them."""


def _made(form: _Form, meta: Json, route: Route, traffic: Traffic, before: Json | None) -> Json:
    had = _shared_refs(before or {})
    shared = places.placed(traffic.shared, had, WIDE if traffic.wide or len(had) > PLACES else PLACES, marked)
    rules = [_rule(form, {}, _divided(shared, traffic.copy), traffic.copy)]
    rules += [
        _rule(form, {"headers": [{"type": "Exact", "name": ASK_HEADER, "value": b.version}]}, [_backend(b, 1)])
        for b in places.asked_for(traffic.named, shared)
    ]
    kept = traffic.sticky or _worn_out(before or {}, len(rules))
    if kept:
        rules = sticky.rules(rules[0], rules[1:], kept, form.match, [b for b, _ in shared])
    spec: Json = {"parentRefs": [_gateway(route)], "rules": rules}
    if route.host:
        spec["hostnames"] = [route.host]
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": form.kind, "metadata": meta, "spec": spec}


def _worn_out(before: Json, rules: int) -> Sticky | None:
    """For a route that had cookies: rules that no cookie leads to any more."""
    return Sticky("", "", 0, "") if len(before.get("spec", {}).get("rules", [])) > rules else None


def _divided(shared: Sequence[tuple[Backend, int]], copy: Copy | None) -> list[Json]:
    """The backends of the shared rule. Where proxies make the copies, the request is marked in the live version's
    other place, and that one's weight is the share: so it moves as fast as weights do, and no pod changes."""
    found = [_backend(backend, weight) for backend, weight in shared]
    if copy is None or not copy.by_proxy:
        return found
    own = max(range(len(shared)), key=lambda place: shared[place][1])
    spare = 0 if own else 1
    parts, whole = _parts(copy), SHARES
    if parts < SHARES:
        common, more = gcd(parts, SHARES), len(found) - PLACES
        parts, whole = parts // common, whole // common
        fine = HEAVIEST // whole if more else 1
        for place, backend in enumerate(found):
            backend["weight"] = (whole - parts) * fine - more if place == own else parts * fine if place == spare else 1
    for place, backend in enumerate(found):
        marks = place != own or parts == whole
        changed = (
            {"set": [{"name": COPY_HEADER, "value": copy.backend.version}]} if marks else {"remove": [COPY_HEADER]}
        )
        backend["filters"].append({"type": "RequestHeaderModifier", "requestHeaderModifier": changed})
    return found


def marked(backend: Json) -> bool:
    """Whether a proxy copies the requests that reach this backend."""
    changes = (one.get("requestHeaderModifier") or {} for one in backend.get("filters") or [])
    return any(header.get("name") == COPY_HEADER for change in changes for header in change.get("set") or [])


def _shared_refs(live: Json) -> list[Json]:
    """The backends of the rule without a header match, as it stands in the cluster."""
    for rule in live.get("spec", {}).get("rules", []):
        if not any(match.get("headers") for match in rule.get("matches", [])):
            return list(rule.get("backendRefs", []))
    return []


def _gateway(route: Route) -> Json:
    found = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": route.gateway.name}
    return found | ({"namespace": route.gateway.namespace} if route.gateway.namespace else {})


def _rule(form: _Form, more: Json, backends: list[Json], copy: Copy | None = None) -> Json:
    match = {**form.match, **more}
    mirrors = [{"type": "RequestMirror", "requestMirror": _mirror(copy)}] if copy and not copy.by_proxy else []
    filters = [*form.filters, *mirrors]
    found: Json = {"matches": [match]} if match else {}
    return found | ({"filters": filters} if filters else {}) | {"backendRefs": backends}


SHARES = 10_000
HEAVIEST = 1_000_000
"""The largest weight (Gateway API, BackendRef)."""


def _parts(copy: Copy) -> int:
    """Shares are in hundredths of a percent: `0.25%` is 25 of 10,000."""
    return min(max(1, round(float(copy.share.rstrip("%")) * 100)), SHARES)


def _mirror(copy: Copy) -> Json:
    """Where copies go."""
    reference = {"kind": "Service", "name": copy.backend.service, "port": copy.backend.port}
    return {"backendRef": reference, "fraction": {"numerator": _parts(copy), "denominator": SHARES}}


def _backend(backend: Backend, weight: int) -> Json:
    header = {"set": [{"name": ANSWER_HEADER, "value": backend.version}]}
    return {
        "kind": "Service",
        "name": backend.service,
        "port": backend.port,
        "weight": weight,
        "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": header}],
    }


def weights(live: Json) -> dict[str, int]:
    """Percent by Service of a route's rule without a header match, as it stands in the cluster."""
    found: dict[str, int] = {}
    for ref in _shared_refs(live):
        found[ref["name"]] = found.get(ref["name"], 0) + int(ref.get("weight", 1))
    return {name: round(100 * weight / sum(found.values())) for name, weight in found.items() if weight}


def marks(live: Json) -> bool:
    """Whether requests are marked, so that proxies copy them."""
    return any(map(marked, _shared_refs(live)))


def copies(live: Json) -> set[str]:
    """The Services that get copies by the route itself."""
    return {
        one["requestMirror"]["backendRef"]["name"]
        for rule in live.get("spec", {}).get("rules", [])
        for one in rule.get("filters", [])
        if one.get("type") == "RequestMirror"
    }


def services(live: Json) -> set[str]:
    """All Services that an HTTPRoute names."""
    return copies(live) | {
        ref["name"] for rule in live.get("spec", {}).get("rules", []) for ref in rule.get("backendRefs", [])
    }
