"""The Job that verifies a model's bytes, and proves the model against the one in production.

One pod: `fetch` brings models and rows and verifies their digests; the model servers run as sidecars, each with its own
model at the place where it always finds it; `evaluate` sends them the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fairlead.api.common import Gpu, Placement
from fairlead.api.config import OperatorConfig
from fairlead.api.evaluating import MODEL as STEP_INPUT
from fairlead.api.server import Server
from fairlead.api.tasks import INPUTS, MODEL, EvaluateTask, FetchTask
from fairlead.manifests import pod, presets
from fairlead.manifests.job import Identity, job
from fairlead.manifests.limits import Limits
from fairlead.manifests.meta import Json
from fairlead.manifests.server import server_container

FETCH = "fetch"
EVALUATE = "evaluate"
CHALLENGER = "challenger"
CHAMPION = "champion"
DATA = f"{INPUTS}/data"
REFERENCE = f"{INPUTS}/reference"
VOLUMES = {CHALLENGER: "model", CHAMPION: "champion"}
"""The volume with the model, by server."""
MODELS = {CHALLENGER: MODEL, CHAMPION: "/fairlead/champion"}
"""Where `fetch` puts the model, by server."""
LEAST_CPU = "100m"
PORTS = {CHALLENGER: 8080, CHAMPION: 8180}
"""Where a server listens that is told where."""
_ELSEWHERE = (8280, 8380)
"""Where else, if the other one always listens there."""
_APIECE = 3
"""Ports that a server may need: its own, and the next ones for gRPC and for counters."""


class PortTaken(Exception):  # noqa: N818 - a state of two versions
    """Both servers of an evaluation always listen on the same port, which is the argument."""


def ports(servers: Mapping[str, Server]) -> dict[str, int]:
    """Where each server listens, by role. Raises PortTaken."""
    found = {role: server.port for role, server in servers.items() if server.port}
    if len(set(found.values())) < len(found):
        raise PortTaken(next(iter(found.values())))
    for role in servers:
        if role not in found:
            others = found.values()
            free = (
                one for one in (PORTS[role], *_ELSEWHERE) if not any(one <= port < one + _APIECE for port in others)
            )
            found[role] = next(free)
    return found


@dataclass(frozen=True)
class EvaluationPod:
    """What an evaluation's pod needs."""

    image: str
    """The worker's."""
    fetch: FetchTask
    fetch_credentials: Sequence[str | None]
    limits: Limits
    """Of fetch and evaluate."""
    deadline: int
    """Seconds from the moment the pod is on a node."""
    evaluate: EvaluateTask | None = None
    """None: only the digest is verified."""
    evaluate_credentials: str | None = None
    servers: Sequence[Json] = ()
    """Containers named challenger and champion, which mount their volume (see VOLUMES) themselves."""
    volumes: Sequence[Json] = ()
    """More that they mount."""
    fields: Json = field(default_factory=dict)
    """More that they ask of the pod."""
    placement: Placement | None = None
    gpu: Gpu | None = None


def verify_job(who: Identity, parts: EvaluationPod) -> Json:
    """Fetches the model and verifies its digest."""
    volumes = [pod.empty_dir(VOLUMES[CHALLENGER]), *_credentials(parts)]
    return job(who, pod.pod_spec([_fetch(parts)], volumes=volumes, activeDeadlineSeconds=parts.deadline))


def evaluation_job(who: Identity, parts: EvaluationPod) -> Json:
    """fetch → servers → evaluate, in one pod."""
    assert parts.evaluate is not None
    main = pod.worker(
        EVALUATE, parts.image, "evaluate", parts.evaluate, credentials=[parts.evaluate_credentials],
        mounts=[pod.mount("in", INPUTS, read_only=True)], limits=parts.limits,
    )  # fmt: skip
    sidecars = [sidecar(server) for server in parts.servers]
    spec = pod.pod_spec(
        [main], init_containers=[_fetch(parts), *sidecars],
        volumes=[pod.empty_dir("in"), *map(pod.empty_dir, VOLUMES.values()), *_credentials(parts), *parts.volumes],
        placement=parts.placement, gpu=parts.gpu, activeDeadlineSeconds=parts.deadline, **parts.fields,
    )  # fmt: skip
    return job(who, spec)


def sidecar(server: Json) -> Json:
    """A server beside `evaluate`, which waits for both itself: with startup probes they would load one by one. Whether
    it answers yet is only for people to see."""
    found = {key: value for key, value in server.items() if key != "startupProbe"}
    found["readinessProbe"] = server["startupProbe"] | {"periodSeconds": 2, "failureThreshold": 10}
    # Without any request a busy node starves a server, and the model would be blamed for it.
    needs = found.get("resources", {})
    least = {} if "cpu" in needs.get("limits", {}) else {"cpu": LEAST_CPU}
    found["resources"] = needs | {"requests": least | needs.get("requests", {})}
    return found | {"restartPolicy": "Always"}


def beside_step(server: Server, model: str, config: OperatorConfig) -> Json:
    """The server of a model that a step measures: the container `model`, which finds the step's input of that name
    where it always finds its model. Raises presets.NoImage."""
    port = presets.port(server)
    found = sidecar(server_container(server, model, port, port + 2, config, name=STEP_INPUT, volume="in"))
    mounts = [one | {"subPath": STEP_INPUT} if one["mountPath"] == MODEL else one for one in found["volumeMounts"]]
    return found | {"volumeMounts": mounts}


def _fetch(parts: EvaluationPod) -> Json:
    mounts = [pod.mount(VOLUMES[CHALLENGER], MODELS[CHALLENGER])]
    if parts.evaluate is not None:
        mounts += [pod.mount(VOLUMES[CHAMPION], MODELS[CHAMPION]), pod.mount("in", INPUTS)]
    return pod.worker(
        FETCH, parts.image, "fetch", parts.fetch, credentials=parts.fetch_credentials, mounts=mounts,
        limits=parts.limits,
    )  # fmt: skip


def _credentials(parts: EvaluationPod) -> list[Json]:
    secrets = [s for s in (*parts.fetch_credentials, parts.evaluate_credentials) if s]
    return [pod.credentials_volume(secret) for secret in secrets]
