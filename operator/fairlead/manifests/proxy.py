"""The proxy beside a model server: Envoy, which counts, and hands copies of a sample of the answers to the recorder.

Envoy's `ext_proc` filter in observability mode sends the copies and waits for nothing. Whatever becomes of the
recorder, requests go on: a stream that can't be opened, or one too many, is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from fairlead.manifests import tee
from fairlead.manifests.meta import Json

PARTS = 256
"""Shares are counted in parts of so many: two hexadecimal digits of the request id."""
ADMIN = "/tmp/admin.sock"
"""In the proxy's own `/tmp`: Envoy's administration can stop it, so no other container reaches it."""
SERVER, GRPC, PROBES, RECORDER, STATS = "server", "grpc", "probes", "recorder", "stats"
"""Names of the clusters. Probes have one of their own, so that `server` counts people's requests only."""
NOTES = {
    "x-fairlead-record-id": "%REQ(X-REQUEST-ID)%", "x-fairlead-record-host": "%REQ(:AUTHORITY)%",
    "x-fairlead-record-shadow": "%REQ(X-FAIRLEAD-SHADOW)%", "x-fairlead-record-user": "%REQ(X-FAIRLEAD-USER)%",
    "x-fairlead-record-us": "%COMMON_DURATION(DS_RX_BEG:US_RX_BEG:us)%",
}  # fmt: skip
"""Headers that tell the recorder of the request; they are taken off before the answer goes on. The last one:
microseconds from the request's first byte to the answer's."""
SHARE = "x-fairlead-record-share"
"""Header that tells the recorder with which share, in parts of PARTS, a steered request was chosen."""
READ = (":status", "content-type", "content-encoding", "grpc-status", *NOTES)
"""Headers of an answer that the recorder gets to see."""
SHARES = (256, 64, 16, 4, 1)
"""The share that follows the traffic is one of these, in parts of PARTS; the first one at the beginning."""
SETTING = "share_{}"
"""Runtime setting of each: 100 for the one that is handed over, 0 for the others."""
CURRENT, LAYER = "settings", "fairlead"
"""The symbolic link that the recorder replaces, and the folder of the settings below it."""
BODY_LIMIT = 256 * 1024
"""Bytes of a body that are kept at most."""
STREAMS = 512
"""Answers under way to the recorder at a time; more are not recorded. With BODY_LIMIT it bounds Envoy's memory."""
_TYPES = "type.googleapis.com/envoy.extensions"
_EXT_PROC = "envoy.filters.http.ext_proc"
_BUFFER = 256 * 1024
_IDLE = "1s"
"""Shorter than any usual server's: one that closes a connection while a request is on its way fails the request."""


@dataclass(frozen=True)
class Proxy:
    """What a proxy does."""

    listen: int
    """Where requests come in: HTTP/1.1, or HTTP/2 with prior knowledge (gRPC)."""
    stats: int
    """Where `/stats/prometheus` is read, and nothing else."""
    server: int
    """The model server's port on loopback."""
    recorder: str = ""
    """Path of the recorder's Unix socket; empty: there is none, and the proxy only counts."""
    sample: int = 0
    """Parts of PARTS whose answers are recorded; see `parts`. 0: only what is `steered`."""
    inputs: bool = False
    """Record the requests' bodies too."""
    steered: str = ""
    """Symbolic link to runtime settings that say which of SHARES is recorded, or told apart of `sample`; empty: none.
    It may come later than the proxy; its folder must be there."""
    counted: bool = False
    """Hand over the bodies of the steered requests too."""
    quiet: tuple[str, ...] = ()
    """Paths that ask for no prediction, as probes and scrapes do: never recorded, nor counted as `server`."""
    copies: tee.Copies | None = None
    """Where copies of marked requests go."""
    grpc: tuple[int, int] | None = None
    """Where gRPC requests come in, and the server's port for them on loopback; None: where the others do."""
    admin: str = ADMIN
    """Path of the Unix socket of Envoy's administration."""

    @property
    def bodies(self) -> bool:
        """Whether any request's body is handed over."""
        return self.inputs or self.counted


def parts(percent: str) -> int:
    """A percentage as parts of PARTS, rounded up: at least 1, at most PARTS."""
    exact = Fraction(percent.removesuffix("%")) * PARTS / 100
    return min(PARTS, max(1, ceil(exact)))


def sampled(count: int) -> str:
    """A regular expression of the request ids of which `count` in PARTS are recorded.

    The last two hexadecimal digits decide: they are random in UUIDs of version 4 and of version 7, and all versions
    of a model decide alike, for Envoy leaves the id as it is. An id that is no UUID (or 32 digits) never matches.
    """
    high, low = divmod(count, 16)
    pairs = [f"{_below(high)}[0-9a-fA-F]"] if high else []
    if low:
        pairs.append(f"{_digit(high)}{_below(low)}")
    return f"[0-9a-fA-F]{{8}}-?([0-9a-fA-F]{{4}}-?){{3}}[0-9a-fA-F]{{10}}({'|'.join(pairs)})"


def _digit(value: int) -> str:
    return f"{value}" if value < 10 else f"[{value:x}{value:X}]"


def _below(count: int) -> str:
    """The first `count` hexadecimal digits (1 to 16) as a class."""
    if count <= 10:
        return f"[0-{count - 1}]"
    return f"[0-9a-{count - 1:x}A-{count - 1:X}]"


def arguments(proxy: Proxy) -> list[str]:
    """Envoy's arguments: two threads carry thousands of requests a second."""
    config = json.dumps(bootstrap(proxy), separators=(",", ":"))
    return ["--config-yaml", config, "--concurrency", "2", "--disable-hot-restart", "--log-level", "warn"]


def bootstrap(proxy: Proxy) -> Json:
    """Envoy's whole configuration; nothing of it changes while it runs."""
    return {
        "node": {"id": "proxy", "cluster": "fairlead"},
        "admin": {"address": {"pipe": {"path": proxy.admin, "mode": 0o600}}},
        # how often histograms are added up: the operator reads them each second
        "stats_flush_interval": "1s",
        "layered_runtime": {"layers": _layers(proxy)},
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": [
            {"prefix": f"cluster.{SERVER}.upstream_rq"}, {"prefix": f"cluster.{GRPC}.upstream_rq"},
            *([{"prefix": f"cluster.{GRPC}.grpc."}] if proxy.grpc else []),
            {"prefix": f"cluster.{tee.CLUSTER}.upstream_rq"}, {"prefix": "http.serving.downstream_rq"},
            {"prefix": "http.serving.ext_proc."}, {"prefix": f"cluster.{RECORDER}.upstream_"},
            {"prefix": f"cluster.{RECORDER}.circuit_breakers"}, {"prefix": "server.memory_"},
            {"exact": "server.live"}, {"exact": "server.uptime"},
        ]}}},
        "static_resources": {
            "listeners": [
                _listener("serving", proxy.listen, _serving(proxy)), _listener("stats", proxy.stats, _statistics()),
                *([_listener("grpc", proxy.grpc[0], _serving(proxy, GRPC))] if proxy.grpc else []),
            ],
            "clusters": [
                _server(SERVER, proxy.server), _server(PROBES, proxy.server),
                *([_recorder(proxy)] if proxy.recorder else []), _admin(proxy),
                *([_server(GRPC, proxy.grpc[1])] if proxy.grpc else []),
                *([tee.cluster(proxy.copies, _http2())] if proxy.copies else []),
            ],
        },
    }  # fmt: skip


def _layers(proxy: Proxy) -> list[Json]:
    fixed: Json = {"name": "fixed", "static_layer": {
        # a recorder that reads slowly must not slow down the answers
        "envoy.reloadable_features.grpc_side_stream_flow_control": False,
    }}  # fmt: skip
    steered: Json = {"name": "steered", "disk_layer": {"symlink_root": proxy.steered, "subdirectory": LAYER}}
    return [fixed, steered] if proxy.steered else [fixed]


def _listener(name: str, port: int, manager: Json) -> Json:
    kind = f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"
    return {
        "name": name,
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},
        "per_connection_buffer_limit_bytes": _BUFFER,
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {"@type": kind, "stat_prefix": name, "codec_type": "AUTO", **manager},
        }]}],
    }  # fmt: skip


def _serving(proxy: Proxy, server: str = SERVER) -> Json:
    """The request passes as it is; the request id is kept, or made, and given back in the answer."""
    uuid = f"{_TYPES}.request_id.uuid.v3.UuidRequestIdConfig"
    return {
        "generate_request_id": True, "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": {"typed_config": {"@type": uuid, "pack_trace_reason": False}},
        "server_header_transformation": "PASS_THROUGH", "skip_xff_append": True, "proxy_100_continue": True,
        # how long an answer may take is the gateway's and the server's affair
        "stream_idle_timeout": "0s", "request_timeout": "0s",
        "http2_protocol_options": _http2(),
        "upgrade_configs": [{"upgrade_type": "websocket", "filters": [_router()]}],
        "http_filters": [
            *(_recording(proxy) if proxy.recorder else []), *([_grpc_stats()] if server == GRPC else []), _router(),
        ],
        "route_config": {"name": "serving", "virtual_hosts": [
            {"name": "all", "domains": ["*"], "routes": _routes(proxy, server),
             **(_told(NOTES) if proxy.steered else {})},
        ]},
    }  # fmt: skip


def _routes(proxy: Proxy, server: str) -> list[Json]:
    """Probes; what is recorded (of gRPC no bodies, and of large requests not the request's); the rest."""
    off = _OFF if proxy.recorder else None
    quiet = [_route({"path": path, "headers": [_get()]}, PROBES, off) for path in proxy.quiet]
    people = _recorded(proxy, server) if proxy.recorder else [_route({"prefix": "/"}, server, None)]
    return [*quiet, *(tee.routes(people) if proxy.copies else people)]


def _recorded(proxy: Proxy, server: str) -> list[Json]:
    found = [route for share in SHARES for route in _switched(proxy, server, share)] if proxy.steered else []
    if proxy.sample:
        notes = {} if proxy.steered else NOTES
        found += _kept(proxy, server, _chosen(proxy.sample), notes, proxy.inputs)
    return found if proxy.sample >= PARTS else [*found, _route({"prefix": "/"}, server, _OFF)]


def _switched(proxy: Proxy, server: str, share: int) -> list[Json]:
    """Routes that match while a share's setting is 100: of all of them but one, nothing else is looked at."""
    begin, least = 100 if share == SHARES[0] else 0, min(share, proxy.sample or PARTS)
    switch = {"runtime_fraction": {"default_value": {"numerator": begin}, "runtime_key": SETTING.format(share)}}
    routes = _kept(proxy, server, _chosen(least), {SHARE: f"{least}"}, proxy.bodies)
    return [route | {"match": route["match"] | switch} for route in routes]


def _chosen(share: int) -> list[Json]:
    """Matches the requests of which so many in PARTS are recorded."""
    ids = {"safe_regex": {"regex": sampled(share)}}
    return [] if share >= PARTS else [_header("x-request-id", "string_match", ids)]


def _kept(proxy: Proxy, server: str, ids: list[Json], told: Mapping[str, str], bodies: bool) -> list[Json]:
    """Routes whose answers are recorded. told: headers for the recorder; bodies: record the requests' too."""
    kept = [_route({"prefix": "/", "grpc": {}, "headers": ids}, server, _modes(trailers=True))]
    if bodies:
        large = _header("content-length", "range_match", {"start": BODY_LIMIT + 1, "end": 2**62})
        kept.append(_route({"prefix": "/", "headers": [*ids, large]}, server, _modes(response=True)))
    other = None if bodies == proxy.inputs else _modes(request=bodies, response=True)
    kept.append(_route({"prefix": "/", "headers": ids}, server, other))
    return [route | _told(told) for route in kept] if told else kept


def _told(headers: Mapping[str, str]) -> Json:
    return {"response_headers_to_add": [
        {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for key, value in headers.items()
    ]}  # fmt: skip


_OFF: Json = {"disabled": True}


def _modes(*, request: bool = False, response: bool = False, trailers: bool = False) -> Json:
    """What of a request and of its answer goes to the recorder."""
    return {"overrides": {"processing_mode": _mode(request, response, trailers)}}


def _mode(request: bool, response: bool, trailers: bool) -> Json:
    return {
        "request_header_mode": "SKIP", "response_header_mode": "SEND",
        "request_body_mode": "STREAMED" if request else "NONE",
        "response_body_mode": "STREAMED" if response else "NONE",
        "request_trailer_mode": "SKIP", "response_trailer_mode": "SEND" if trailers else "SKIP",
    }  # fmt: skip


def _route(match: Json, cluster: str, recording: Json | None) -> Json:
    """`recording`: what differs from the filter's own settings."""
    found: Json = {"match": match, "route": {"cluster": cluster, "timeout": "0s"}}
    if recording is not None:
        kind = f"{_TYPES}.filters.http.ext_proc.v3.ExtProcPerRoute"
        found["typed_per_filter_config"] = {_EXT_PROC: {"@type": kind, **recording}}
    return found


def _header(name: str, kind: str, match: Json) -> Json:
    return {"name": name, kind: match}


def _get() -> Json:
    return _header(":method", "string_match", {"exact": "GET"})


def _ext_proc(proxy: Proxy) -> Json:
    return {"name": _EXT_PROC, "typed_config": {
        "@type": f"{_TYPES}.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": RECORDER}},
        "observability_mode": True,
        "failure_mode_allow": True,
        # how late the recorder may take an answer that the client has already
        "deferred_close_timeout": "10s",
        "processing_mode": _mode(proxy.inputs, True, False),
        "forward_rules": {"allowed_headers": {"patterns": [{"exact": name} for name in _notes(READ, proxy)]}},
    }}  # fmt: skip


LENGTH = "x-fairlead-length"
"""Where a body's length is kept while the body goes past the recorder: Envoy's ext_proc takes it away from bodies that
it streams, even where nobody may change them, and who knows no chunks would wait for ever."""


def _notes(names: Iterable[str], proxy: Proxy) -> list[str]:
    return [*names, SHARE] if proxy.steered else list(names)


def _recording(proxy: Proxy) -> list[Json]:
    """The filters that hand copies over."""
    return [_outside(proxy), _ext_proc(proxy), _inside(proxy)]


def _grpc_stats() -> Json:
    """Counts calls by the status in their trailers; by HTTP, each of them is a 200."""
    kind = f"{_TYPES}.filters.http.grpc_stats.v3.FilterConfig"
    return {"name": "envoy.filters.http.grpc_stats", "typed_config": {"@type": kind, "stats_for_all_methods": False}}


def _outside(proxy: Proxy) -> Json:
    """What requests pass first, and answers last: what was for the recorder ends here."""
    answers = [*_moved("RESP", LENGTH, "content-length"), *({"remove": name} for name in _notes(NOTES, proxy))]
    return _mutation("outside", _moved("REQ", "content-length", LENGTH) if proxy.bodies else [], answers)


def _inside(proxy: Proxy) -> Json:
    """What requests pass last, and answers first."""
    answers = _moved("RESP", "content-length", LENGTH)
    return _mutation("inside", _moved("REQ", LENGTH, "content-length") if proxy.bodies else [], answers)


def _moved(of: str, old: str, new: str) -> list[Json]:
    """A header under another name: nothing where there is none, and what somebody else put there is gone."""
    moved = {"header": {"key": new, "value": f"%{of}({old})%"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return [{"remove": new}, {"append": moved}, {"remove": old}]


def _mutation(name: str, requests: list[Json], answers: list[Json]) -> Json:
    kind = f"{_TYPES}.filters.http.header_mutation.v3.HeaderMutation"
    mutations = {"request_mutations": requests, "response_mutations": answers}
    return {"name": name, "typed_config": {"@type": kind, "mutations": mutations}}


def _router() -> Json:
    kind = f"{_TYPES}.filters.http.router.v3.Router"
    return {"name": "envoy.filters.http.router", "typed_config": {"@type": kind, "suppress_envoy_headers": True}}


def _server(name: str, port: int) -> Json:
    """The model server, asked in the protocol of the request."""
    kind = f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions"
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "per_connection_buffer_limit_bytes": _BUFFER,
        "circuit_breakers": {"thresholds": [_no_limits()]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": kind,
            "common_http_protocol_options": {"idle_timeout": _IDLE},
            "use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": _http2()},
        }},
        "load_assignment": _at(name, {"socket_address": {"address": "127.0.0.1", "port_value": port}}),
    }  # fmt: skip


def _recorder(proxy: Proxy) -> Json:
    """One that does not answer a ping is given up; one that is full gets no more."""
    kind = f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions"
    ping = {"connection_keepalive": {"interval": "5s", "timeout": "2s"}}
    limits = {"max_requests": STREAMS, "max_pending_requests": 64, "max_retries": 0, "track_remaining": True}
    return {
        "name": RECORDER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [limits]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": kind, "explicit_http_config": {"http2_protocol_options": ping},
        }},
        "load_assignment": _at(RECORDER, {"pipe": {"path": proxy.recorder}}),
    }  # fmt: skip


def _http2() -> Json:
    return {"initial_stream_window_size": _BUFFER, "initial_connection_window_size": 1 << 20}


def _no_limits() -> Json:
    """How many requests a server takes is not the proxy's to say."""
    most = 2**32 - 1
    return {"max_connections": most, "max_pending_requests": most, "max_requests": most}


def _at(name: str, address: Json) -> Json:
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}


def _admin(proxy: Proxy) -> Json:
    return {
        "name": STATS, "type": "STATIC", "connect_timeout": "1s",
        "load_assignment": _at(STATS, {"pipe": {"path": proxy.admin}}),
    }  # fmt: skip


def _statistics() -> Json:
    """Of the administration only the statistics, and only to be read."""
    route = {"match": {"path": "/stats/prometheus", "headers": [_get()]}, "route": {"cluster": STATS}}
    return {
        "http_filters": [_router()],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
