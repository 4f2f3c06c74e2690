"""What is known of each runtime: how its server is started, asked whether it is ready, and which counters it keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from fairlead.api.config import Images
from fairlead.api.server import Server
from fairlead.api.tasks import MODEL
from fairlead.manifests.pod import TMP

PORT = 8080
"""Port of a version's Service, and where a serving pod's server listens that is told where."""
GRPC_PORT = 8081
"""Where it listens for gRPC, if it does."""
GRPC_NAME = "grpc"
"""Name of the container port that gRPC requests come to: the proxy's where there is one, else the server's."""
METRICS_PORT = 8082
"""Where it exports its counters, if its runtime uses a port of its own for that."""

PROXY_PORT = 8090
"""Where the proxy listens in a pod whose answers are recorded: the Service leads there."""
RECORDER_PORT = 8091
"""Where the recorder beside it says which answers it has kept, and answers `/metrics`."""
PROXY_GRPC_PORT = 8093
"""Where the proxy listens for gRPC."""
PROXY_STATS_PORT = 8092
"""Where the proxy's `/stats/prometheus` is read."""
GOLDEN_PORT = 8094
"""Where the recorder says whether the server has started, and answers golden rows as it should."""


HEALTH = {"oip": "/v2/health/ready", "openai": "/health"}
"""Path that answers 200 when a custom server can answer, by protocol."""


class Unservable(Exception):  # noqa: N818 - a state of the installation
    """A server of which no pod can be made here; the message says what to do."""

    reason = "Unservable"


class NoImage(Unservable):
    """A runtime for which neither the ModelVersion nor the installation names an image."""

    reason = "NoImage"


@dataclass(frozen=True)
class Counters:
    """Where and by which names a server's counters are read. Selectors as in `ServerMetrics`."""

    requests: str
    failures: str
    latency: str | None = None
    latency_unit: Literal["s", "ms"] = "s"
    path: str = "/metrics"
    port: int = 0
    """0: not yet known, the server's own."""


@dataclass(frozen=True)
class Preset:
    """A runtime. `env` and `ready` get the model's name; `env` also the server's and the metrics' port."""

    env: Callable[[str, int, int], Mapping[str, str]]
    ready: Callable[[str], str]
    """Path that answers 200 once the model is loaded."""
    metrics: Counters | None = None
    """None: the ModelVersion names them, or the proxy counts."""
    grpc_metrics: Counters | None = None
    """Of gRPC requests, where they are counted apart."""
    own_metrics_port: bool = False
    command: Sequence[str] = ()
    earlier: Sequence[tuple[str, ...]] = ()
    """Commands of earlier releases of Fairlead: pods that serve keep theirs."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Environment that a ModelVersion may change."""
    working_dir: str | None = None


def _mlserver_env(model: str, port: int, metrics_port: int) -> dict[str, str]:
    return {
        "MLSERVER_HTTP_PORT": str(port),
        "MLSERVER_GRPC_PORT": str(port + 1),
        "MLSERVER_METRICS_PORT": str(metrics_port),
        # one process that serves and counts: with worker processes the counters are not whole
        "MLSERVER_PARALLEL_WORKERS": "0",
        "MLSERVER_DEBUG": "false",
        "MLSERVER_GZIP_ENABLED": "false",
        "MLSERVER_MODEL_NAME": model,
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel",
        "MLSERVER_MODEL_URI": MODEL,
    }


# MLServer ends with 0 when its model can't be loaded, and of such an end the kubelet keeps no log. Whoever ends without
# having been told to has failed. A signal is lost on a process that is just being made: hence the second's rest.
_MLSERVER = """
trap 'told=yes; kill -TERM $server' TERM INT
mlserver start "$@" & server=$!
[ -z "$told" ] || { sleep 1; kill -TERM $server; }
wait $server; code=$?
if [ "$told" ]; then wait $server; exit $?; fi
[ "$code" != 0 ] || code=1
exit $code
"""

# MLServer labels the path by its template, and counts GETs of it too.
_INFER = 'method="POST",path=~"/v2/models/.*/infer"'

_OF_SERVER = 'envoy_cluster_name="server"'
BY_PROXY = Counters(
    requests=f"envoy_cluster_upstream_rq_xx{{{_OF_SERVER}}}",
    failures=f'envoy_cluster_upstream_rq_xx{{{_OF_SERVER},envoy_response_code_class="5"}}',
    latency=f"envoy_cluster_upstream_rq_time{{{_OF_SERVER}}}",
    latency_unit="ms", path="/stats/prometheus", port=PROXY_STATS_PORT,
)  # fmt: skip
"""What the proxy counts of the requests that it passes on to the server: probes are not among them, and an answer that
the server did not give (it closed the connection, or refused it) is a 503 of the proxy's own."""

_OF_GRPC = 'envoy_cluster_name="grpc"'
_SERVERS_FAULT = (2, 4, 12, 13, 14, 15)
"""Unknown, DeadlineExceeded, Unimplemented, Internal, Unavailable, DataLoss: the codes whose counterpart in HTTP is a
5xx (google.rpc.Code)."""
GRPC_BY_PROXY = replace(
    BY_PROXY,
    requests=f"envoy_cluster_grpc_total{{{_OF_GRPC}}}",
    failures=" + ".join(f"envoy_cluster_grpc_{code}{{{_OF_GRPC}}}" for code in _SERVERS_FAULT),
    latency=f"envoy_cluster_upstream_rq_time{{{_OF_GRPC}}}",
)
"""The same of gRPC calls."""

PRESETS: Mapping[str, Preset] = {
    "sklearn": Preset(
        # a folder without settings: the model is named by the environment, and nothing of the artifact is imported
        command=("sh", "-c", _MLSERVER, "mlserver", TMP),
        earlier=(("mlserver", "start", TMP),),
        env=_mlserver_env,
        ready=lambda model: f"/v2/models/{model}/ready",
        metrics=Counters(
            requests=f"rest_server_requests_total{{{_INFER}}}",
            failures=f'rest_server_requests_total{{{_INFER},status_code=~"5.."}}',
            latency=f"rest_server_request_duration_seconds{{{_INFER}}}",
        ),
        # MLServer's counter of answered gRPC calls misses those that fail; these are of all requests that reach the
        # model, also by REST, and call a failure what the model refuses
        grpc_metrics=Counters(
            requests="model_infer_request_success_total + model_infer_request_failure_total",
            failures="model_infer_request_failure_total",
            latency='grpc_server_handling_seconds{grpc_method="ModelInfer"}',
        ),
        own_metrics_port=True,
        # small requests are slower with threads that fight for a core
        defaults={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        working_dir=TMP,
    ),
    "custom": Preset(
        env=lambda _model, port, _metrics_port: {"PORT": str(port)},
        ready=lambda _model: HEALTH["oip"],
    ),
}


def preset(server: Server) -> Preset:
    """The preset of a server's runtime."""
    return PRESETS[server.runtime]


def port(server: Server, wanted: int = PORT) -> int:
    """Where a server listens: where it always does, or where it is told to, `wanted`."""
    return server.port or wanted


def grpc_port(server: Server) -> int:
    """Where a serving pod's server listens for gRPC, if it does: not where it answers HTTP."""
    return GRPC_PORT if server.port != GRPC_PORT else PORT


def ready_path(server: Server, model_name: str) -> str:
    """Path that answers 200 when a server can answer requests."""
    own = server.ready or (HEALTH.get(server.protocol) if server.runtime == "custom" else None)
    return own or preset(server).ready(model_name)


def infer_path(server: Server, model_name: str) -> str | None:
    """Path of requests that Fairlead knows how to make; None where it knows none."""
    if server.protocol == "oip":
        return f"/v2/models/{model_name}/infer"
    return server.warm_up.path if server.warm_up else None


def image(server: Server, images: Images) -> str:
    """The server's image: the ModelVersion's own, or the installation's for the runtime. Raises NoImage."""
    found = server.image or images.runtimes.get(server.runtime)
    if not found:
        raise NoImage(
            f"there is no image for runtime {server.runtime}: set spec.server.image in a new ModelVersion, or "
            f"images.runtimes.{server.runtime} in the installation's values"
        )
    return found


def proxy_image(images: Images) -> str:
    """The proxy's image. Raises NoImage."""
    if not images.proxy:
        raise NoImage(
            "there is no image for the proxy that counts requests and records answers: set images.proxy in the "
            "installation's values; a server that counts for itself needs none (spec.server.metrics)"
        )
    return images.proxy


def check_images(server: Server, recorded: bool, images: Images) -> None:
    """Raises NoImage when a pod of this server can't be made."""
    image(server, images)
    if recorded or counted_by_proxy(server):
        proxy_image(images)


def counted_by_proxy(server: Server) -> bool:
    """Whether the proxy beside the server counts its requests."""
    return preset(server).metrics is None and (server.metrics is None or server.metrics.from_ == "Proxy")


def counters(server: Server, grpc: bool) -> Counters:
    """Which of a server's counters tell of the requests that come in by a protocol."""
    if counted_by_proxy(server):
        return GRPC_BY_PROXY if grpc else BY_PROXY
    return (grpc and preset(server).grpc_metrics) or metrics(server)


def metrics(server: Server) -> Counters:
    """Where and by which names a serving pod's counters are read; the port is always set."""
    known = preset(server)
    if counted_by_proxy(server):
        return BY_PROXY
    own = known.metrics or _named(server)
    return replace(own, port=own.port or (METRICS_PORT if known.own_metrics_port else port(server)))


def _named(server: Server) -> Counters:
    """Those that a ModelVersion names. Raises NoImage."""
    own = server.metrics
    if own is None or own.requests is None or own.failures is None:
        raise NoImage(f"runtime {server.runtime} needs requests and failures in spec.server.metrics")
    return Counters(own.requests, own.failures, own.latency, own.latency_unit, own.path, own.port or 0)


def port_name(server: Server) -> str:
    """Name of the container port that requests come to: the proxy's where there is one, else the server's.

    A Service names it, so that pods with and without a proxy can stand behind it.
    """
    return "http-metrics" if metrics(server).port == port(server) else "http"
