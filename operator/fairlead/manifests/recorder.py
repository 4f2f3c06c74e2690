"""The two sidecars beside a server: the proxy, which counts, and hands answers that are kept to the recorder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fairlead.api.config import Images
from fairlead.api.server import Server
from fairlead.api.tasks import MODEL, GoldenTask, Place, ProfileAt, RecordTask
from fairlead.manifests import pod, presets
from fairlead.manifests.meta import LABEL_PREFIX, Json, short_hash
from fairlead.manifests.proxy import CURRENT, PARTS, Proxy, arguments
from fairlead.manifests.tee import Copies

PROXY = "proxy"
RECORDER = "recorder"
PORT_NAME = "recorder"
STATS_NAME = "proxy-stats"
FOLDER = "/fairlead/record"
SPOOL = "/fairlead/spool"
ANNOTATION = f"{LABEL_PREFIX}record"
"""On pods: what they record. While it is the same, their sidecars are not made anew."""
ASKED = f"{LABEL_PREFIX}golden"
"""On pods whose server must answer golden rows: meshes write probes anew, and leave annotations as they are."""
COUNTS = {ANNOTATION: "nothing"}
"""On pods whose proxy only counts."""
GRACE = 10
"""Seconds that the recorder has for its last write, after the server has ended."""
_SOCKET = f"{FOLDER}/socket"


@dataclass(frozen=True)
class Profiled:
    """What a version's requests are counted by: its profile, and how that is reached."""

    at: ProfileAt
    credentials: str | None = None
    """Secret that opens its bucket."""


@dataclass(frozen=True)
class Golden:
    """What a server must answer before its pod gets traffic."""

    task: GoldenTask
    credentials: str | None = None
    """Secret that opens the bucket of its document; None: it lies in the model."""


@dataclass(frozen=True)
class Recording:
    """What is kept of a version's answers."""

    deployment: str
    version: str
    parts: int
    """See proxy.parts."""
    every: float
    """Seconds."""
    inputs: bool
    path: str | None
    store: Place | None
    """The version's folder of predictions."""
    credentials: str | None
    """Secret that opens the store."""
    copies: str = ""
    """Service of the version that gets copies of requests."""
    grpc: bool = False
    """Whether requests come in by gRPC."""
    profile: Profiled | None = None
    """None: requests are not counted."""
    golden: Golden | None = None
    """None: new pods are not asked for golden rows."""
    steered: bool = False
    """The share of the answers that are kept follows the traffic, and `parts` is not used. It differs by pod: how many
    answers two versions have kept says nothing then, and of a request one may have kept its answer alone."""

    @property
    def follows(self) -> bool:
        """Whether any share follows the traffic: that of what is kept, or of what is counted."""
        return self.steered or self.profile is not None

    def task(self) -> RecordTask:
        """What the recorder is told."""
        return RecordTask(
            deployment=self.deployment, version=self.version, store=self.store,
            probability=1.0 if self.steered else self.parts / PARTS, every=self.every, inputs=self.inputs,
            path=self.path, socket=_SOCKET, port=presets.RECORDER_PORT, spool=SPOOL,
            profile=self.profile.at if self.profile else None, steer=FOLDER if self.follows else None,
            sparing=True if self.steered else None, golden=self.golden.task if self.golden else None,
        )  # fmt: skip

    def annotations(self) -> dict[str, str]:
        """Of the pods."""
        store = self.store and (self.store.endpoint, self.store.bucket, self.store.prefix)
        told: tuple[object, ...] = (self.parts, self.every, self.inputs, self.path, store, self.credentials)
        if self.steered or self.profile:  # what was there before has the hash that it had
            told += (self.steered, self.profile and (self.profile.at.sha256, self.profile.credentials))
        if self.golden:
            told += (self.golden.task.model_dump_json(exclude_defaults=True), self.golden.credentials)
        return {ANNOTATION: short_hash(repr(told))} | ({ASKED: "true"} if self.golden else {})


def keep(template: Json, live: Json) -> None:
    """Leave the sidecars of `live`, a pod template that is in use, as they were made, if they record the same: a later
    Fairlead configures them otherwise, and that must not restart models. Changes `template`."""
    recorded = [(one["metadata"].get("annotations") or {}).get(ANNOTATION) for one in (template, live)]
    if recorded[0] is None or recorded[0] != recorded[1]:
        return
    had = {one["name"]: one for one in live["spec"].get("initContainers", [])}
    for container in template["spec"]["initContainers"]:
        if container["name"] in (PROXY, RECORDER) and container["name"] in had:
            before = had[container["name"]]
            container |= {key: before[key] for key in ("command", "args", "env") if key in before}


def sidecars(recording: Recording, server: Server, model_name: str, worker: str, images: Images) -> list[Json]:
    """Recorder and proxy, in the order of their start: they end in the opposite one, after the server has. Raises
    presets.NoImage."""
    proxy = _settings(server, model_name, recording.grpc)
    kept = replace(
        proxy, recorder=_SOCKET, sample=0 if recording.steered else recording.parts, inputs=recording.inputs,
        steered=f"{FOLDER}/{CURRENT}" if recording.follows else "", counted=recording.profile is not None,
        copies=Copies(recording.copies, presets.PORT, recording.grpc) if recording.copies else None,
    )  # fmt: skip
    return [_recorder(recording, worker), _proxy(kept, server, images, [pod.mount(RECORDER, FOLDER)])]


def counting(server: Server, model_name: str, grpc: bool, images: Images) -> list[Json]:
    """The proxy alone, of a server that nobody asks for counters. Raises presets.NoImage."""
    return [_proxy(_settings(server, model_name, grpc), server, images)]


def volumes(recording: Recording) -> list[Json]:
    """The volumes of both."""
    secrets = [pod.credentials_volume(secret) for secret in _secrets(recording)]
    return [_bounded(RECORDER, "1Mi"), _bounded("spool", "256Mi"), *secrets]


def _secrets(recording: Recording) -> list[str]:
    """Of the store, of the profile and of golden rows; mostly they are one."""
    more = (one.credentials for one in (recording.profile, recording.golden) if one)
    found = (recording.credentials, *more)
    return list(dict.fromkeys(one for one in found if one))


def _bounded(name: str, size: str) -> Json:
    return {"name": name, "emptyDir": {"sizeLimit": size}}


def _recorder(recording: Recording, worker: str) -> Json:
    made = pod.worker(
        RECORDER, worker, "record", recording.task(), credentials=_secrets(recording),
        mounts=[pod.mount(RECORDER, FOLDER), pod.mount("spool", SPOOL), *_model(recording)],
    )  # fmt: skip
    made["env"].append({"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}})
    return made | {
        "restartPolicy": "Always",
        # without a limit: a sidecar that is killed takes its pod out of service. It bounds itself
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}},
        "ports": [{"name": PORT_NAME, "containerPort": presets.RECORDER_PORT}],
    }


def _model(recording: Recording) -> list[Json]:
    """Where golden rows lie in the artifact."""
    inside = recording.golden is not None and recording.golden.task.file
    return [pod.mount("model", MODEL, read_only=True)] if inside else []


def _settings(server: Server, model_name: str, grpc: bool) -> Proxy:
    """Of a proxy that only counts."""
    return Proxy(
        listen=presets.PROXY_PORT, stats=presets.PROXY_STATS_PORT, server=presets.port(server),
        quiet=_quiet(server, model_name),
        grpc=(presets.PROXY_GRPC_PORT, presets.grpc_port(server)) if grpc else None,
    )  # fmt: skip


def _proxy(proxy: Proxy, server: Server, images: Images, mounts: Sequence[Json] = ()) -> Json:
    made = pod.container(
        PROXY, presets.proxy_image(images), command=["envoy"],
        args=[pod.literal(argument) for argument in arguments(proxy)], mounts=mounts,
    )  # fmt: skip
    return made | {
        "restartPolicy": "Always",
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "ports": [
            {"name": presets.port_name(server), "containerPort": presets.PROXY_PORT},
            {"name": STATS_NAME, "containerPort": presets.PROXY_STATS_PORT},
            *([{"name": presets.GRPC_NAME, "containerPort": presets.PROXY_GRPC_PORT}] if proxy.grpc else []),
        ],
    }


def _quiet(server: Server, model_name: str) -> tuple[str, ...]:
    """Paths that ask whether the server lives, and for its counters."""
    known = ["/v2/health/ready", "/v2/health/live"] if server.protocol == "oip" else []
    counters = [] if presets.counted_by_proxy(server) else [presets.metrics(server).path]
    return tuple(dict.fromkeys([presets.ready_path(server, model_name), *known, *counters]))
