"""The route of a Deployment, owned whole: who gets which share of the requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from fairlead.api.deployment import Route
from fairlead.manifests.meta import Json

ASK_HEADER = "x-fairlead-version"
"""A request with this header goes to the version that it names, whatever its weight."""
ANSWER_HEADER = "x-fairlead-model"
"""Every response says which version answered."""
COPY_HEADER = "x-fairlead-copy"
"""The proxy beside a server makes a copy of each request with this header."""


@dataclass(frozen=True)
class Backend:
    """A version that can be reached."""

    version: str
    service: str
    port: int


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
    """The others' requests, by weight: one backend or two."""
    copy: Copy | None = None
    """Who gets copies of those."""


def path_of(route: Route, namespace: str, name: str) -> str:
    """The path prefix of a Deployment."""
    return (route.path or f"/{namespace}/{name}").rstrip("/") or "/"


def http_route(
    name: str, namespace: str, owner: Json, labels: Mapping[str, str], route: Route, traffic: Traffic,
    before: Json | None = None,
) -> Json:  # fmt: skip
    """The route. A rollback takes a backend out of it, for a gateway with session affinity may serve weight 0.

    The rules are always three, and the shared one always has two backends; who has no share leaves his place to the
    other, and nobody changes places. For gateways name what is behind a backend by its place, and hand out routes and
    backends one after the other: with each place that came or went, a few requests were answered by 500 (seen with
    Envoy Gateway 1.9). `before`: the route as it is in the cluster, which says who has which place.
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
    shared = _placed(traffic.shared, _shared_refs(before or {}))
    rules = [_rule(form, {}, _divided(shared, traffic.copy), traffic.copy)]
    rules += [
        _rule(form, {"headers": [{"type": "Exact", "name": ASK_HEADER, "value": b.version}]}, [_backend(b, 1)])
        for b in _asked_for(traffic.named, shared)
    ]
    spec: Json = {"parentRefs": [_gateway(route)], "rules": rules}
    if route.host:
        spec["hostnames"] = [route.host]
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": form.kind, "metadata": meta, "spec": spec}


def _placed(shared: Sequence[tuple[Backend, int]], before: Sequence[Json]) -> list[tuple[Backend, int]]:
    """Two places. One backend alone has both: 99 parts at its own and 1 at the other."""
    places = [_place_of(backend, before) for backend, _ in shared]
    if len(shared) == 1:
        backend, parts = shared[0]
        pair = [(backend, parts - 1), (backend, 1)]
    else:
        pair = list(shared)
    # the second one's place decides only where the first one has none yet
    turned = places[0] == 1 or (places[0] is None and places[-1] == 0 and len(shared) == 2)
    return pair[::-1] if turned else pair


def _place_of(backend: Backend, before: Sequence[Json]) -> int | None:
    """Where a backend stands in the cluster's route; of two places, where nothing is marked, or where it has more."""
    mine = [place for place, ref in enumerate(before[:2]) if ref["name"] == backend.service]
    return max(mine, key=lambda at: (not _marked(before[at]), int(before[at].get("weight", 1))), default=None)


def _divided(shared: Sequence[tuple[Backend, int]], copy: Copy | None) -> list[Json]:
    """The backends of the shared rule. Where proxies make the copies, the request is marked in the live version's
    other place, and that one's weight is the share: so it moves as fast as weights do, and no pod changes."""
    found = [_backend(backend, weight) for backend, weight in shared]
    if copy is None or not copy.by_proxy:
        return found
    own = max((0, 1), key=lambda place: shared[place][1])
    parts, whole = _parts(copy), SHARES
    if parts < SHARES:
        common = gcd(parts, SHARES)
        parts, whole = parts // common, whole // common
        found[own]["weight"], found[1 - own]["weight"] = whole - parts, parts
    for place, backend in enumerate(found):
        marks = place != own or parts == whole
        changed = (
            {"set": [{"name": COPY_HEADER, "value": copy.backend.version}]} if marks else {"remove": [COPY_HEADER]}
        )
        backend["filters"].append({"type": "RequestHeaderModifier", "requestHeaderModifier": changed})
    return found


def _marked(backend: Json) -> bool:
    """Whether a proxy copies the requests that reach this backend."""
    changes = (one.get("requestHeaderModifier") or {} for one in backend.get("filters") or [])
    return any(header.get("name") == COPY_HEADER for change in changes for header in change.get("set") or [])


def _asked_for(named: Sequence[Backend], shared: Sequence[tuple[Backend, int]]) -> list[Backend]:
    """Who is reached by asking, in the order of the places. A place whose version has no share yet is kept for it."""
    others = [backend for backend in named if backend not in [b for b, _ in shared]]
    if others and shared[0][0] == shared[1][0]:
        spare = min((0, 1), key=lambda place: shared[place][1])
        return [others[0] if place == spare else shared[place][0] for place in (0, 1)]
    return [backend for backend, _ in shared]


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
    return any(map(_marked, _shared_refs(live)))


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
