"""Jobs: one pod, one attempt. Whether there is another attempt is Fairlead's decision, and recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fairlead.api.answers import IN_STORE, STORE
from fairlead.api.common import Container, EnvVar
from fairlead.api.items import Values, canonical
from fairlead.api.logged import METRICS, METRICS_ENV
from fairlead.api.pipeline import Claim
from fairlead.api.tasks import INPUTS, LOGGED, OUTPUTS, FetchTask, ItemsTask, PublishTask, ResolveTask, SnapshotTask
from fairlead.manifests import pod, workers
from fairlead.manifests.limits import Limits
from fairlead.manifests.meta import Json
from fairlead.manifests.workers import Together

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
KEEP_FINISHED = 7 * 86400
"""A backstop: outcomes are recorded at once, and Jobs go with their owner."""
STEP = "step"
FETCH = "fetch"
PUBLISH = "publish"
SNAPSHOT = "snapshot"
ITEMS = "items"
RESOLVE = "resolve"


@dataclass(frozen=True)
class Identity:
    """Whose Job this is."""

    name: str
    namespace: str
    owner: Json
    """The controlling owner reference."""
    labels: Mapping[str, str]


def job(who: Identity, pod_spec: Json) -> Json:
    """A Job of one pod that Kubernetes neither repeats nor replaces while it may still run."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": who.name,
            "namespace": who.namespace,
            "labels": dict(who.labels),
            "ownerReferences": [who.owner],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": KEEP_FINISHED,
            "template": {
                "metadata": {"labels": dict(who.labels), "annotations": {IN_STORE: STORE}},
                "spec": {"restartPolicy": "Never"} | pod_spec,
            },
        },
    }


def snapshot_job(
    who: Identity, image: str, task: SnapshotTask, credentials: Iterable[str | None], limits: Limits, deadline: int
) -> Json:
    """Reads, checks and publishes a listing. `deadline`: seconds from the moment the pod is on a node."""
    secrets = [secret for secret in credentials if secret]
    main = pod.worker(SNAPSHOT, image, "snapshot", task, credentials=secrets, limits=limits)
    volumes = map(pod.credentials_volume, secrets)
    return job(who, pod.pod_spec([main], volumes=volumes, activeDeadlineSeconds=deadline))


def resolve_job(
    who: Identity, image: str, task: ResolveTask, credentials: Iterable[str | None], limits: Limits, deadline: int
) -> Json:
    """Asks a private repository what a ref stands for. `deadline`: seconds from the moment the pod is on a node."""
    secrets = [secret for secret in credentials if secret]
    main = pod.worker(RESOLVE, image, "resolve", task, credentials=secrets, limits=limits)
    volumes = map(pod.credentials_volume, secrets)
    return job(who, pod.pod_spec([main], volumes=volumes, activeDeadlineSeconds=deadline))


@dataclass(frozen=True)
class ItemsPod:
    """What a pod needs that asks a Dataset's version for the items of a step."""

    image: str
    """The worker's."""
    fetch: FetchTask
    fetch_credentials: tuple[str | None, ...]
    task: ItemsTask
    credentials: str | None
    limits: Limits
    deadline: int
    """Seconds from the moment the pod is on a node."""


def items_job(who: Identity, parts: ItemsPod) -> Json:
    """fetch → items, in one pod."""
    brings = pod.worker(
        FETCH, parts.image, "fetch", parts.fetch, credentials=parts.fetch_credentials,
        mounts=[pod.mount("in", INPUTS)], limits=parts.limits,
    )  # fmt: skip
    main = pod.worker(
        ITEMS, parts.image, "items", parts.task, credentials=[parts.credentials],
        mounts=[pod.mount("in", INPUTS, read_only=True)], limits=parts.limits,
    )  # fmt: skip
    secrets = [s for s in (*parts.fetch_credentials, parts.credentials) if s]
    volumes = [pod.empty_dir("in"), *map(pod.credentials_volume, secrets)]
    spec = pod.pod_spec([main], init_containers=[brings], volumes=volumes, activeDeadlineSeconds=parts.deadline)
    return job(who, spec)


@dataclass(frozen=True)
class Publishing:
    """What a pod needs that commits outputs, or says what was committed."""

    worker_image: str
    task: PublishTask
    credentials: str | None
    limits: Limits
    """Of Fairlead's own containers."""
    deadline: int
    """Seconds from the moment the pod is on a node; waiting for a node doesn't count."""


@dataclass(frozen=True)
class Own:
    """A container `step` that is Fairlead's own program, and what it has beside it."""

    step: Json
    beside: Sequence[Json] = ()
    """Sidecars: they begin when the inputs are there."""
    volumes: Sequence[Json] = ()
    """More that sidecars mount."""
    fields: Json = field(default_factory=dict)
    """More that sidecars ask of the pod."""


@dataclass(frozen=True)
class StepPod:
    """What a step's pod needs that runs a program."""

    program: Container
    """With its parameters' values in place."""
    env: Mapping[str, str]
    """What Fairlead tells the program."""
    fetch: FetchTask
    fetch_credentials: tuple[str | None, ...]
    publish: Publishing
    claims: tuple[Claim, ...] = ()
    """Devices of the program."""
    priority_class: str | None = None
    queue: str | None = None
    """A LocalQueue of Kueue's, which lets the Job begin."""
    together: Together | None = None
    """Several pods instead of one."""
    own: Own | None = None
    """In the place of a program of the user's; `program` says only where the pod may run."""


def step_job(who: Identity, parts: StepPod) -> Json:
    """fetch (if there are inputs, or code) → step → publish, in one pod, or in each of several."""
    init = [_fetch(parts)] if parts.fetch.items or parts.fetch.code else []
    own = parts.own or Own(_step(parts, who.name))
    init += [*own.beside, own.step]
    program = parts.program
    secrets = [s for s in (*parts.fetch_credentials, parts.publish.credentials) if s]
    volumes = [
        pod.empty_dir("in"), pod.empty_dir("out"), *([pod.empty_dir("code")] if parts.fetch.code else []),
        *map(pod.credentials_volume, secrets), *map(pod.secret_volume, program.secrets), *own.volumes,
    ]  # fmt: skip
    extra: Json = {"priorityClassName": parts.priority_class} if parts.priority_class else {}
    extra |= own.fields
    if parts.claims:
        extra["resourceClaims"] = [
            {"name": one.name, "resourceClaimTemplateName": one.template} for one in parts.claims
        ]
    spec = pod.pod_spec(
        [_publish(parts.publish, together=parts.together is not None)], init_containers=init, volumes=volumes,
        placement=program,
        gpu=program.resources.gpu, activeDeadlineSeconds=parts.publish.deadline, **extra,
    )  # fmt: skip
    made = job(who, spec)
    made = workers.indexed(made, parts.together) if parts.together else made
    return queued(made, parts.queue) if parts.queue else made


def queued(made: Json, queue: str) -> Json:
    """A Job that Kueue lets begin: it is made suspended, and from then on `suspend` is Kueue's alone."""
    labels = made["metadata"]["labels"] | {QUEUE_LABEL: queue}
    return made | {"metadata": made["metadata"] | {"labels": labels}, "spec": made["spec"] | {"suspend": True}}


def recall_job(who: Identity, parts: Publishing) -> Json:
    """Only publish: reads what a finished attempt has committed, when nobody heard its answer."""
    secrets = [parts.credentials] if parts.credentials else []
    volumes = [pod.empty_dir("out"), *map(pod.credentials_volume, secrets)]
    return job(who, pod.pod_spec([_publish(parts)], volumes=volumes, activeDeadlineSeconds=parts.deadline))


def _fetch(parts: StepPod) -> Json:
    return pod.worker(
        FETCH, parts.publish.worker_image, "fetch", parts.fetch, credentials=parts.fetch_credentials,
        mounts=[pod.mount("in", INPUTS), *_code(parts)], limits=parts.publish.limits,
    )  # fmt: skip


def _code(parts: StepPod, *, read_only: bool = False) -> list[Json]:
    code = parts.fetch.code
    return [pod.mount("code", code.dest, read_only=read_only)] if code else []


def _step(parts: StepPod, name: str) -> Json:
    program, code = parts.program, parts.fetch.code
    within = {"workingDir": f"{code.dest}/{code.path}".rstrip("/")} if code else {}
    made = pod.container(
        STEP, program.image, command=program.command, args=program.args, env=_plain(program.env) | dict(parts.env),
        wanted=program.resources, read_only_root=False,
        terminationMessagePolicy="FallbackToLogsOnError",  # the end of its log says why it failed
        mounts=[
            pod.mount("in", INPUTS, read_only=True), pod.mount("out", OUTPUTS), *_code(parts, read_only=True),
            *map(pod.secret_mount, program.secrets),
        ],
        **within,
    )  # fmt: skip
    if parts.together:
        made["env"] = workers.environment(name, parts.together, made["env"])
    if parts.claims:
        asked = [{"name": one.name} | ({"request": one.request} if one.request else {}) for one in parts.claims]
        made["resources"] = made.get("resources", {}) | {"claims": asked}
    return made


def _publish(parts: Publishing, *, together: bool = False) -> Json:
    made = pod.worker(
        PUBLISH, parts.worker_image, "publish", parts.task, credentials=[parts.credentials],
        mounts=[pod.mount("out", OUTPUTS, read_only=True)], limits=parts.limits,
    )  # fmt: skip
    if together:
        made["env"].append(workers.index_variable())
    return made


def _plain(env: Iterable[EnvVar]) -> dict[str, str]:
    return {variable.name: variable.value for variable in env}


def step_env(
    run: str, step: str, attempt: int, params: Mapping[str, str], item: Values | None = None
) -> dict[str, str]:  # fmt: skip
    """What Fairlead tells a step's program."""
    mine = {"FAIRLEAD_ITEM": pod.literal(canonical(dict(item)).decode())} if item is not None else {}
    return mine | {
        "FAIRLEAD_RUN": run,
        "FAIRLEAD_STEP": step,
        "FAIRLEAD_ATTEMPT": str(attempt),
        METRICS_ENV: f"{LOGGED}/{METRICS}",
        "FAIRLEAD_PARAMS": pod.literal(json.dumps(dict(params), sort_keys=True)),
        "FAIRLEAD_IN": INPUTS,
        "FAIRLEAD_OUT": OUTPUTS,
    }
