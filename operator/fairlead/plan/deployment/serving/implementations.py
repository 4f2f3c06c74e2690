"""What implementations of Gateway API can do: by the features that their GatewayClass lists, and by what is known."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Ability(StrEnum):
    """Something that a route may ask of its Gateway."""

    WEIGHTS = "divide requests by weight"
    HEADERS = "match headers"
    HEADER_PATTERNS = "match headers by regular expressions"
    REWRITE = "take a prefix off the path"
    ANSWER_HEADERS = "set headers of answers"
    MARK = "set headers of a share of the requests"
    MIRROR = "mirror requests"
    MIRROR_SHARE = "mirror a share of the requests"
    GRPC = "route gRPC"


CORE = frozenset({Ability.WEIGHTS, Ability.HEADERS})
"""What every implementation of HTTPRoute can: its core features."""

FEATURES = {
    "HTTPRoutePathRewrite": Ability.REWRITE,
    "HTTPRouteResponseHeaderModification": Ability.ANSWER_HEADERS,
    "HTTPRouteBackendRequestHeaderModification": Ability.MARK,
    "HTTPRouteRequestMirror": Ability.MIRROR,
    "HTTPRouteRequestPercentageMirror": Ability.MIRROR_SHARE,
    "GRPCRoute": Ability.GRPC,
}
"""The abilities that have a name in `status.supportedFeatures` of a GatewayClass (Gateway API 1.7, GEP-2162)."""

ENVOY_GATEWAY = "gateway.envoyproxy.io/gatewayclass-controller"
TRAEFIK = "traefik.io/gateway-controller"
UNLISTED = {
    ENVOY_GATEWAY: frozenset(Ability),
    TRAEFIK: CORE | {Ability.HEADER_PATTERNS, Ability.REWRITE, Ability.ANSWER_HEADERS, Ability.MARK, Ability.GRPC},
}
"""By controller, what it can whether or not its class says so. Envoy Gateway 1.9 lists nothing, and does all of this;
Traefik 3.7 lists its features, but matching headers by patterns has no name among them. Both are what the tests on the
local cluster run behind."""
UNLISTED_GRPC = {ENVOY_GATEWAY: frozenset(Ability), TRAEFIK: CORE | {Ability.GRPC}}
"""The same for GRPCRoutes, of which no feature but the kind itself has a name. Traefik 3.7 leaves out the filters of
their backends without a word."""


def relevant(features: Iterable[str]) -> list[str]:
    """Those of the listed features that mean something here, sorted."""
    return sorted(set(features) & FEATURES.keys())


def abilities(controller: str, features: Iterable[str] | None, grpc: bool = False) -> frozenset[Ability]:
    """What a Gateway can do. features: as its class lists them; None: it has no list. grpc: for GRPCRoutes."""
    listed = {FEATURES[name] for name in features or () if name in FEATURES}
    if grpc:
        return CORE | (listed & {Ability.GRPC}) | UNLISTED_GRPC.get(controller, frozenset())
    return CORE | listed | UNLISTED.get(controller, frozenset())


def is_known(controller: str, features: Iterable[str] | None) -> bool:
    """Whether anything beyond the core features can be said for or against a Gateway."""
    return features is not None or controller in UNLISTED
