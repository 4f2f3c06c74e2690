"""The Job that explains answers. One pod, as an evaluation's: `fetch` brings the model, and rows if there are any, and
verifies their digests; the version's server runs as a sidecar; `explain` asks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fairlead.api.common import Gpu, Placement
from fairlead.api.tasks import INPUTS, MODEL, ExplainTask, FetchTask
from fairlead.manifests import pod
from fairlead.manifests.evaluation import FETCH, sidecar
from fairlead.manifests.job import Identity, job
from fairlead.manifests.limits import Limits
from fairlead.manifests.meta import Json

EXPLAIN = "explain"
ROWS = f"{INPUTS}/rows"
"""Where `fetch` puts the evaluation's rows."""
VOLUME = "model"


@dataclass(frozen=True)
class ExplanationPod:
    """What its pod needs."""

    image: str
    """The worker's."""
    fetch: FetchTask
    """Of nothing where the image is the model, and no rows are wanted."""
    fetch_credentials: Sequence[str | None]
    task: ExplainTask
    credentials: Sequence[str | None]
    """Of the task."""
    limits: Limits
    deadline: int
    """Seconds from the moment the pod is on a node."""
    server: Json
    """A container that mounts VOLUME, if it needs a model's files."""
    volumes: Sequence[Json] = ()
    """More that it mounts."""
    fields: Json = field(default_factory=dict)
    """More that it asks of the pod."""
    placement: Placement | None = None
    gpu: Gpu | None = None


def explanation_job(who: Identity, parts: ExplanationPod) -> Json:
    """fetch → server → explain, in one pod."""
    main = pod.worker(
        EXPLAIN, parts.image, "explain", parts.task, credentials=parts.credentials,
        mounts=[pod.mount("in", INPUTS, read_only=True)], limits=parts.limits,
    )  # fmt: skip
    init = [_fetch(parts)] if parts.fetch.items else []
    secrets = dict.fromkeys(one for one in (*parts.fetch_credentials, *parts.credentials) if one)
    spec = pod.pod_spec(
        [main], init_containers=[*init, sidecar(parts.server)],
        volumes=[pod.empty_dir("in"), pod.empty_dir(VOLUME), *map(pod.credentials_volume, secrets), *parts.volumes],
        placement=parts.placement, gpu=parts.gpu, activeDeadlineSeconds=parts.deadline, **parts.fields,
    )  # fmt: skip
    return job(who, spec)


def _fetch(parts: ExplanationPod) -> Json:
    mounts = [pod.mount(VOLUME, MODEL), pod.mount("in", INPUTS)]
    return pod.worker(
        FETCH, parts.image, "fetch", parts.fetch, credentials=parts.fetch_credentials, mounts=mounts,
        limits=parts.limits,
    )  # fmt: skip
