"""Copies of requests, made by the proxy beside a server where the gateway can't mirror.

The gateway marks a share of the requests by a header (`route.COPY_HEADER`), which is the weight of a backend; the proxy
copies what is marked, to a Service whose pods the operator chooses. So neither the share nor the receiver is known to
the pods, and none is restarted when they change. Envoy waits for nothing of a copy, and drops what its receiver can't
take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairlead.manifests.meta import Json
from fairlead.manifests.route import COPY_HEADER

CLUSTER = "copies"
SHADOW_HEADER = "x-fairlead-shadow"
"""A copy has it: whoever acts on answers can tell, and nobody copies a copy."""
UNDERWAY = 256
"""Copies under way at a time; more are left out."""


@dataclass(frozen=True)
class Copies:
    """Who gets the copies; the answers to them are thrown away."""

    host: str
    """Name of a Service of the namespace."""
    port: int
    grpc: bool
    """Whether it is spoken to in HTTP/2."""


def routes(found: Sequence[Json]) -> list[Json]:
    """For each route another before it, for what is marked and is no copy itself."""
    return [one for route in found for one in (_copying(route), route)]


def _copying(route: Json) -> Json:
    marked: Json = {"name": COPY_HEADER, "present_match": True}
    original: Json = {"name": SHADOW_HEADER, "present_match": True, "invert_match": True}
    headers = [*route["match"].get("headers", []), marked, original]
    header = {"header": {"key": SHADOW_HEADER, "value": "true"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    mirror: Json = {
        "cluster": CLUSTER, "disable_shadow_host_suffix_append": True,
        "request_headers_mutations": [{"append": header}],
    }  # fmt: skip
    return route | {
        "match": route["match"] | {"headers": headers},
        "request_headers_to_remove": [COPY_HEADER],
        "route": route["route"] | {"request_mirror_policies": [mirror]},
    }


def cluster(copies: Copies, options: Json) -> Json:
    """The receiver. Its address stays; while it has no pods, connections are refused at once. options: of HTTP/2."""
    kind = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    protocol = {"http2_protocol_options": options} if copies.grpc else {"http_protocol_options": {}}
    address = {"socket_address": {"address": copies.host, "port_value": copies.port}}
    return {
        "name": CLUSTER,
        "type": "STRICT_DNS",
        "dns_refresh_rate": "30s",
        "dns_failure_refresh_rate": {"base_interval": "1s", "max_interval": "10s"},
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": 256 * 1024,
        "circuit_breakers": {"thresholds": [{
            "max_connections": UNDERWAY, "max_pending_requests": UNDERWAY, "max_requests": UNDERWAY, "max_retries": 0,
        }]},
        # a connection outlives the Service's choice of pods, so it must not outlive the copies by much
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": kind, "common_http_protocol_options": {"idle_timeout": "1s"}, "explicit_http_config": protocol,
        }},
        "load_assignment": {
            "cluster_name": CLUSTER, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }  # fmt: skip
