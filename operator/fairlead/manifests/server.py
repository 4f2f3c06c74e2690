"""Model servers: the container that serves a version, and the workload and Service of a version in production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from fairlead.api.config import OperatorConfig
from fairlead.api.modelversion import Server
from fairlead.api.tasks import MODEL, FetchTask
from fairlead.api.units import seconds
from fairlead.manifests import pod, presets, recorder
from fairlead.manifests.meta import LABEL_PREFIX, MANAGED_BY, Json, short_hash
from fairlead.manifests.recorder import Recording

FETCH = "fetch"
SERVER = "server"
DRAIN = 5
"""Seconds that a pod goes on answering after it was told to stop: the gateway learns of it in this time."""
GRACE = 30
"""Seconds that a server then has to finish what it has begun."""
METRICS_LABEL = f"{LABEL_PREFIX}metrics"
"""Pods whose counters are read in the same way have the same value."""


def server_container(
    server: Server,
    model_name: str,
    port: int,
    metrics_port: int,
    config: OperatorConfig,
    name: str = SERVER,
    volume: str = "model",
) -> Json:
    """A container that serves the model in `volume` (mounted at `/fairlead/model`) on `port`, under `model_name`.

    metrics_port: for runtimes that export their counters on a port of their own. It counts as started when it
    answers that the model is ready. Raises presets.NoImage.
    """
    known = presets.preset(server)
    env = dict(known.defaults) | {variable.name: variable.value for variable in server.env}
    found = pod.container(
        name, presets.image(server, config.images), command=known.command, args=server.args,
        env=env | dict(known.env(model_name, port, metrics_port)), wanted=server.resources,
        mounts=[pod.mount(volume, MODEL, read_only=True)],
        # the end of a crashed server's log becomes its message: a person sees why without searching for the pod
        terminationMessagePolicy="FallbackToLogsOnError",
        startupProbe=_ready(known.ready(model_name), port) | {
            "periodSeconds": 1, "failureThreshold": max(1, ceil(seconds(server.timeout))),
        },
    )  # fmt: skip
    return found | ({"workingDir": known.working_dir} if known.working_dir else {})


def _ready(path: str, port: int, timeout: int = 5) -> Json:
    return {"httpGet": {"path": path, "port": port}, "timeoutSeconds": timeout}


@dataclass(frozen=True)
class Serving:
    """A version in production."""

    name: str
    """Of workload and Service."""
    namespace: str
    owner: Json
    """The controlling owner reference."""
    labels: Mapping[str, str]
    """Of everything."""
    selector: Mapping[str, str]
    """The labels that tell this version's pods."""
    server: Server
    model_name: str
    replicas: int
    fetch: FetchTask
    credentials: tuple[str | None, ...]
    worker_image: str
    recording: Recording | None = None
    """None: answers are not kept, and there is no proxy."""
    grpc: bool = False
    """Whether requests come in by gRPC."""


def workload(version: Serving, config: OperatorConfig) -> Json:
    """The apps/v1 Deployment of a version: fetch (verifies the model's digest) → server, and with a recording the
    sidecars recorder and proxy. Raises presets.NoImage.

    A pod that leaves goes on answering for a while, and none leaves before its successor is ready.
    """
    labels = {**version.labels, METRICS_LABEL: metrics_key(version.server)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta(version),
        "spec": {
            "replicas": version.replicas,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": dict(version.selector)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": labels, **_annotations(version)}, "spec": _pod(version, config)},
        },
    }


def keep(spec: Json, live: Json) -> None:
    """Leave how the server is started, and what is kept of its log, as in `live`, the spec of pods that serve: a later
    Fairlead does it otherwise, and that must not restart models. Changes `spec`, the same version's."""
    had = next((one for one in live["containers"] if one["name"] == SERVER), None)
    for container in spec["containers"]:
        if had is not None and container["name"] == SERVER:
            for key in ("command", "terminationMessagePolicy"):
                container.pop(key, None)
                container |= {key: had[key]} if key in had else {}


def _annotations(version: Serving) -> Json:
    return {"annotations": version.recording.annotations()} if version.recording else {}


def _pod(version: Serving, config: OperatorConfig) -> Json:
    secrets = [secret for secret in version.credentials if secret]
    fetch = pod.worker(
        FETCH, version.worker_image, "fetch", version.fetch,
        credentials=secrets, mounts=[pod.mount("model", MODEL)],
    )  # fmt: skip
    server = server_container(version.server, version.model_name, presets.PORT, presets.METRICS_PORT, config)
    path = presets.preset(version.server).ready(version.model_name)
    kept = version.recording
    server |= {
        "ports": _ports(version),
        # patient: taking an overloaded pod away would only give its load to the others
        "readinessProbe": _ready(path, presets.PROXY_PORT if kept else presets.PORT, 10)
        | {"periodSeconds": 5, "failureThreshold": 3},
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN}}},
    }
    if version.grpc:
        server["env"] = [*server.get("env", []), {"name": "GRPC_PORT", "value": str(presets.GRPC_PORT)}]
    sidecars = _sidecars(version, kept, config) if kept else []
    return pod.pod_spec(
        [server], init_containers=[fetch, *sidecars],
        volumes=[
            pod.empty_dir("model"), *map(pod.credentials_volume, secrets), *(recorder.volumes(kept) if kept else []),
        ],
        placement=version.server, gpu=version.server.resources.gpu,
        terminationGracePeriodSeconds=DRAIN + GRACE + (recorder.GRACE if kept else 0),
        topologySpreadConstraints=[{
            "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(version.selector)},
        }],
    )  # fmt: skip


def _sidecars(version: Serving, kept: Recording, config: OperatorConfig) -> list[Json]:
    return recorder.sidecars(kept, version.server, version.model_name, version.worker_image, config.images)


def metrics_port_name(server: Server) -> str:
    """Name of the container port that exports the counters: those of a server with a single port are read where its
    requests come in."""
    return "metrics" if presets.metrics(server).port != presets.PORT else presets.port_name(server)


def metrics_key(server: Server) -> str:
    """The value of METRICS_LABEL."""
    return short_hash(metrics_port_name(server), presets.metrics(server).path)


def _ports(version: Serving) -> list[Json]:
    proxied, port = version.recording is not None, presets.metrics(version.server).port
    found = [{"name": "server" if proxied else presets.port_name(version.server), "containerPort": presets.PORT}]
    if version.grpc and not proxied:
        found.append({"name": presets.GRPC_NAME, "containerPort": presets.GRPC_PORT})
    return found if port == presets.PORT else [*found, {"name": "metrics", "containerPort": port}]


def service(version: Serving) -> Json:
    """The Service of a version: what the route's backends name. A pod without `managed-by` gets nothing, for the
    operator does not see it, and no policy says who may make it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(version),
        "spec": {
            "selector": {MANAGED_BY: "fairlead", **version.selector},
            "ports": [
                {"name": "http", "port": presets.PORT, "targetPort": presets.port_name(version.server)},
                *([_grpc_port(presets.GRPC_PORT)] if version.grpc else []),
            ],
        },
    }  # fmt: skip


def _grpc_port(port: int) -> Json:
    return {
        "name": presets.GRPC_NAME, "port": port, "targetPort": presets.GRPC_NAME, "appProtocol": "kubernetes.io/h2c",
    }  # fmt: skip


def copies(meta: Json, selector: Mapping[str, str], port_name: str, grpc: bool) -> Json:
    """The Service to which proxies send copies of requests: another version's pods, from one rollout to the next, so
    that the pods that make the copies need not know whose."""
    port = {"name": "http", "port": presets.PORT, "targetPort": port_name}
    spec = {"selector": {MANAGED_BY: "fairlead", **selector}, "ports": [_grpc_port(presets.PORT) if grpc else port]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def _meta(version: Serving) -> Json:
    return {
        "name": version.name,
        "namespace": version.namespace,
        "labels": dict(version.labels),
        "ownerReferences": [version.owner],
    }
