"""The HTTPRoute of a Deployment, owned whole: who gets which share of the requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairlead.api.deployment import Route
from fairlead.manifests.meta import Json

ASK_HEADER = "x-fairlead-version"
"""A request with this header goes to the version that it names, whatever its weight."""
ANSWER_HEADER = "x-fairlead-model"
"""Every response says which version answered."""


@dataclass(frozen=True)
class Backend:
    """A version that can be reached."""

    version: str
    service: str
    port: int


@dataclass(frozen=True)
class Traffic:
    """Who is reached how. Weights are positive: a version that gets nothing has none."""

    named: Sequence[Backend]
    """Reached by asking for the version."""
    shared: Sequence[tuple[Backend, int]]
    """The others' requests, by weight."""


def path_of(route: Route, namespace: str, name: str) -> str:
    """The path prefix of a Deployment."""
    return (route.path or f"/{namespace}/{name}").rstrip("/") or "/"


def http_route(
    name: str, namespace: str, owner: Json, labels: Mapping[str, str], route: Route, traffic: Traffic
) -> Json:
    """The route. A rollback takes a backend out of it, for a gateway with session affinity may serve weight 0."""
    prefix = {"path": {"type": "PathPrefix", "value": path_of(route, namespace, name)}}
    rules = [
        _rule(prefix | {"headers": [{"type": "Exact", "name": ASK_HEADER, "value": b.version}]}, [_backend(b, 1)])
        for b in traffic.named
    ]
    if traffic.shared:
        rules.append(_rule(prefix, [_backend(b, weight) for b, weight in traffic.shared]))
    spec: Json = {"parentRefs": [_gateway(route)], "rules": rules}
    if route.host:
        spec["hostnames"] = [route.host]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels), "ownerReferences": [owner]},
        "spec": spec,
    }


def _gateway(route: Route) -> Json:
    found = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": route.gateway.name}
    return found | ({"namespace": route.gateway.namespace} if route.gateway.namespace else {})


def _rule(match: Json, backends: list[Json]) -> Json:
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    return {
        "matches": [match],
        "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}],
        "backendRefs": backends,
    }


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
    """Weight by Service of an HTTPRoute's last rule without a header match, as it stands in the cluster."""
    for rule in live.get("spec", {}).get("rules", []):
        if not any(match.get("headers") for match in rule.get("matches", [])):
            return {ref["name"]: int(ref.get("weight", 1)) for ref in rule.get("backendRefs", [])}
    return {}


def services(live: Json) -> set[str]:
    """All Services that an HTTPRoute names."""
    return {ref["name"] for rule in live.get("spec", {}).get("rules", []) for ref in rule.get("backendRefs", [])}
