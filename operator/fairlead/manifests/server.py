"""Model servers: the container that serves a version, and the workload and Service of a version in production."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from fairlead.api.config import OperatorConfig
from fairlead.api.server import Server
from fairlead.api.tasks import MODEL, FetchTask
from fairlead.api.units import seconds
from fairlead.manifests import marks, pod, presets, recorder, serverpod
from fairlead.manifests.meta import LABEL_PREFIX, MANAGED_BY, Json, short_hash
from fairlead.manifests.recorder import Recording

FETCH = "fetch"
SERVER = "server"
OWN = "server"
"""Name of the container port where it listens itself, if requests come through a proxy."""
DRAIN = 5
"""Seconds that a pod goes on answering after it was told to stop: the gateway learns of it in this time."""
GOLDEN = 75
"""Seconds that a server has for golden rows, besides those that it has to load its model: more than the recorder waits
for them, or a server would be ended because a store is away."""
HANDED = 2
"""Seconds that it may take to hand on what the server says of itself."""
METRICS_LABEL = f"{LABEL_PREFIX}metrics"
"""Pods whose counters are read in the same way have the same value."""


def server_container(
    server: Server,
    model_name: str,
    port: int,
    metrics_port: int,
    config: OperatorConfig,
    name: str = SERVER,
    volume: str | None = "model",
    grpc: int | None = None,
) -> Json:
    """A container that serves the model in `volume` (mounted at `/fairlead/model`; None: the image is the model) on
    `port`, under `model_name`.

    port: see presets.port. metrics_port: for runtimes that export their counters on a port of their own. grpc: where it
    listens for gRPC, if it does. It counts as started when it answers that the model is ready. Raises presets.NoImage.
    """
    known = presets.preset(server)
    path = presets.ready_path(server, model_name)
    told = dict(known.env(model_name, port, metrics_port)) | ({"GRPC_PORT": str(grpc)} if grpc else {})
    found = pod.container(
        name, presets.image(server, config.images), command=server.command or known.command, args=server.args,
        env=serverpod.env(server, told), wanted=server.resources,
        mounts=[*([pod.mount(volume, MODEL, read_only=True)] if volume else []), *serverpod.mounts(server)],
        # the end of a crashed server's log becomes its message: a person sees why without searching for the pod
        terminationMessagePolicy="FallbackToLogsOnError",
        startupProbe=_ready(path, port) | {
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
    fetch: FetchTask | None
    """None: the image is the model."""
    credentials: tuple[str | None, ...]
    worker_image: str
    recording: Recording | None = None
    """None: answers are not kept."""
    grpc: bool = False
    """Whether requests come in by gRPC."""

    @property
    def proxied(self) -> bool:
        """Whether requests come through a proxy beside the server."""
        return self.recording is not None or presets.counted_by_proxy(self.server)


def check(server: Server, recorded: bool, config: OperatorConfig) -> None:
    """Raises presets.Unservable when the installation has no pod for this server."""
    presets.check_images(server, recorded, config.images)
    marks.check(server, config)


def workload(version: Serving, config: OperatorConfig) -> Json:
    """The apps/v1 Deployment of a version: fetch (verifies the artifact's digest, if there is one) → server, and beside
    it the proxy that counts, or with a recording recorder and proxy. Raises presets.Unservable.

    A pod that leaves goes on answering for a while, and none leaves before its successor is ready.
    """
    check(version.server, version.recording is not None, config)
    labels = {**version.server.labels, **version.labels, METRICS_LABEL: metrics_key(version.server)}
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


def keep(server: Server, spec: Json, live: Json) -> None:
    """Leave how the server is started, in which order it is told its variables, and what is kept of its log, as in
    `live`, the spec of pods that serve: a later Fairlead does it otherwise, and that must not restart models. What no
    Fairlead has made is not kept. Changes `spec`, the same version's."""
    had = next((one for one in live["containers"] if one["name"] == SERVER), None)
    for container in spec["containers"]:
        if had is not None and container["name"] == SERVER:
            _keep(server, container, had)


def _keep(server: Server, container: Json, had: Json) -> None:
    if not server.command and tuple(had.get("command") or ()) in presets.preset(server).earlier:
        container["command"] = had["command"]
    container.pop("terminationMessagePolicy", None)
    container |= {key: had[key] for key in ("terminationMessagePolicy",) if key in had}
    order = {one["name"]: at for at, one in enumerate(had.get("env") or [])}
    if order.keys() == {one["name"] for one in container["env"]}:
        container["env"].sort(key=lambda one: order[one["name"]])


def _annotations(version: Serving) -> Json:
    of_proxy = version.recording.annotations() if version.recording else recorder.COUNTS
    found = dict(version.server.annotations) | (of_proxy if version.proxied else {})
    return {"annotations": found} if found else {}


def _pod(version: Serving, config: OperatorConfig) -> Json:
    secrets = [secret for secret in version.credentials if secret]
    fetch = _fetch(version, version.fetch, secrets) if version.fetch else []
    port, kept = presets.port(version.server), version.recording
    server = server_container(
        version.server, version.model_name, port, presets.METRICS_PORT, config,
        grpc=presets.grpc_port(version.server) if version.grpc else None, volume="model" if fetch else None,
    )  # fmt: skip
    path = presets.ready_path(version.server, version.model_name)
    server |= {
        "ports": _ports(version),
        # patient: taking an overloaded pod away would only give its load to the others
        "readinessProbe": _ready(path, presets.PROXY_PORT if version.proxied else port, 10)
        | {"periodSeconds": 5, "failureThreshold": 3},
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN}}},
    }
    if kept and kept.golden:
        server["startupProbe"] = _golden(server["startupProbe"])
    sidecars = _sidecars(version, config)
    return pod.pod_spec(
        [server], init_containers=[*fetch, *sidecars],
        volumes=[
            *([pod.empty_dir("model")] if fetch else []), *map(pod.credentials_volume, secrets),
            *(recorder.volumes(kept) if kept else []), *serverpod.volumes(version.server),
        ],
        placement=version.server, gpu=version.server.resources.gpu,
        terminationGracePeriodSeconds=DRAIN + serverpod.grace(version.server) + (recorder.GRACE if kept else 0),
        topologySpreadConstraints=serverpod.spread(version.server, version.selector),
        **serverpod.fields(version.server), **serverpod.priority(version.server),
    )  # fmt: skip


def _golden(probe: Json) -> Json:
    """The same question, asked of the recorder: it hands on what the server says until it can answer, and asks it for
    golden rows then. So it holds for each process of a server, whoever has made its pod."""
    asked = probe["httpGet"] | {"port": presets.GOLDEN_PORT}
    longer = {"failureThreshold": GOLDEN, "timeoutSeconds": HANDED}
    return probe | {"httpGet": asked} | {key: probe[key] + more for key, more in longer.items()}


def _fetch(version: Serving, task: FetchTask, secrets: list[str]) -> list[Json]:
    return [pod.worker(
        FETCH, version.worker_image, "fetch", task, credentials=secrets, mounts=[pod.mount("model", MODEL)],
    )]  # fmt: skip


def _sidecars(version: Serving, config: OperatorConfig) -> list[Json]:
    if version.recording:
        made = recorder.sidecars
        return made(version.recording, version.server, version.model_name, version.worker_image, config.images)
    if not version.proxied:
        return []
    return recorder.counting(version.server, version.model_name, version.grpc, config.images)


def metrics_port_name(server: Server) -> str:
    """Name of the container port that exports the counters: those of a server with a single port are read where its
    requests come in."""
    if presets.counted_by_proxy(server):
        return recorder.STATS_NAME
    return "metrics" if presets.metrics(server).port != presets.port(server) else presets.port_name(server)


def metrics_key(server: Server) -> str:
    """The value of METRICS_LABEL."""
    return short_hash(metrics_port_name(server), presets.metrics(server).path)


def _ports(version: Serving) -> list[Json]:
    proxied, port = version.proxied, presets.port(version.server)
    counted = presets.metrics(version.server).port
    found = [{"name": OWN if proxied else presets.port_name(version.server), "containerPort": port}]
    if version.grpc and not proxied:
        found.append({"name": presets.GRPC_NAME, "containerPort": presets.grpc_port(version.server)})
    own = counted != port and not presets.counted_by_proxy(version.server)
    return [*found, {"name": "metrics", "containerPort": counted}] if own else found


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
