"""The Job that proves a ModelVersion: what is pinned when it begins, and what it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.api.common import S3Location
from fairlead.api.dataset import Dataset
from fairlead.api.formats import ARTIFACT, FormatName
from fairlead.api.modelversion import Evaluation, EvaluationData, EvaluationJob, ModelVersion, ModelVersionSpec
from fairlead.api.pinned import Pinned
from fairlead.api.tasks import EvaluateTask, FetchItem, FetchTask
from fairlead.api.tasks import Subject as Scored
from fairlead.api.units import seconds
from fairlead.manifests import evaluation as pods
from fairlead.manifests import limits, marks, serverpod
from fairlead.manifests.job import Identity
from fairlead.manifests.meta import child_name, labels, owner_reference
from fairlead.manifests.presets import NoImage, Unservable
from fairlead.manifests.server import server_container
from fairlead.plan import accounts, store
from fairlead.plan.core import DATASET, DEPLOYMENT, MODEL_VERSION, Context, Invalid, Json
from fairlead.plan.dataset import olderdata
from fairlead.plan.dataset.fetching import fetched
from fairlead.plan.model import identity, waking
from fairlead.plan.read import NotReadable, read


class Missing(Exception):  # noqa: N818 - the house's names of errors
    """Something that must be there before the proof can begin."""

    def __init__(self, reason: str, message: str, again: float | None = None) -> None:
        """again: seconds after which it is looked for once more, where no event tells of it."""
        super().__init__(message)
        self.reason, self.message, self.again = reason, message, again


@dataclass(frozen=True)
class Rows:
    """Rows that are fetched: from where, in which format, which version of a Dataset (empty: an artifact)."""

    item: FetchItem
    secrets: tuple[str | None, ...]
    form: FormatName = ARTIFACT
    version: str = ""
    bytes: int = 0
    """As far as that is known."""


@dataclass(frozen=True)
class Contender:
    """A model in the evaluation's pod."""

    role: str
    version: str
    spec: ModelVersionSpec


def by_every_pod(spec: ModelVersionSpec) -> bool:
    """Whether a version may be approved before anybody has looked at its bytes: nothing is measured, and nobody is
    asked. Who is asked can rely on it that they are there. An image that is the model is looked at by nodes only."""
    return spec.evaluation is None and (spec.approval is None or spec.artifact is None)


# --- what is pinned ----------------------------------------------------------------------------------------------


def champion(context: Context[ModelVersion]) -> Contender | None:
    """The live version of the first Deployment that serves this model, as that Deployment serves it."""
    model = context.subject.body.spec.model
    return next((one for one in _lives(context) if one.spec.model == model), None)


def _lives(context: Context[ModelVersion]) -> Iterator[Contender]:
    """What Deployments serve, but for the subject itself."""
    for deployment in context.world.select(DEPLOYMENT):
        name = waking.live(deployment)
        known = waking.pinned(deployment, name)
        mine = known.uid == context.uid if known else name == context.name
        found = _as_served(context, name, known) if name and not mine else None
        if found is not None:
            yield Contender(pods.CHAMPION, name, found.spec)


def _as_served(context: Context[ModelVersion], name: str, known: Pinned | None) -> ModelVersion | None:
    recorded = identity.recorded(context.world, known) if known else None
    raw = context.world.get(MODEL_VERSION, name)
    return recorded or (identity.parse(raw) if raw and identity.is_it(known, raw) else None)


def rows(context: Context[Any], data: EvaluationData, dest: str, pinned: str = "") -> Rows:
    """Where evaluation rows are fetched from. Raises Missing.

    `pinned`: the version of the Dataset, where the spec leaves it open.
    """
    if data.artifact is not None:
        item, secret = store.artifact(data.artifact, context.world.config, dest)
        return Rows(item, (secret,))
    assert data.dataset is not None
    name, config = data.dataset.name, context.world.config
    raw = context.world.get(DATASET, name)
    if raw is None:
        raise Missing("DatasetMissing", f"there is no Dataset {name}; create it: the evaluation reads its rows")
    try:
        dataset = read(Dataset, DATASET, raw)
    except NotReadable as why:
        raise Missing(why.reason, why.message) from None
    current = dataset.status.current
    wanted = data.dataset.version or pinned or (current.version if current else "")
    if not wanted:
        yet = olderdata.none_yet(name, dataset)
        raise Missing("NoVersion", f"{yet}; the evaluation begins when it has one")
    uri, digest, size = _manifest_of(context, name, dataset, wanted)
    item, secrets = fetched(dataset.spec, config, context.namespace, uri, digest, dest)
    return Rows(item, secrets, dataset.spec.format, wanted, size)


def _manifest_of(context: Context[Any], name: str, dataset: Dataset, version: str) -> tuple[str, str, int]:
    """Where a version's manifest lies, the digest that it must have, and the bytes of its files; of one that the status
    does not have (any more) as much of the digest as its name says, and no bytes. Whether the store has that one the
    Job finds out. Raises Missing."""
    status = dataset.status
    for one in (status.current, *status.versions):
        if one is not None and one.version == version:
            return one.manifest, one.digest, one.bytes
    if not olderdata.is_version(version):
        last = ", ".join(one.version for one in status.versions[:5]) or "none"
        raise Missing(
            "VersionMissing", f"Dataset {name} has no version {version} (its last ones: {last}); name another"
        )
    return olderdata.uri(context.world, context.namespace, name, dataset, version), version, 0


def begin(context: Context[ModelVersion], old: EvaluationJob | None) -> EvaluationJob:
    """Record the next attempt: its number and name, and what it compares with. Raises Missing."""
    meta, evaluation = context.subject.meta, context.subject.body.spec.evaluation
    attempt = old.attempt + 1 if old else 1
    job = EvaluationJob(
        name=child_name(f"{meta.name}-evaluate", meta.uid, str(attempt)), attempt=attempt,
        failures=old.failures if old else 0, crash=old.crash if old else None,
    )  # fmt: skip
    if evaluation is None:
        return job
    servable(context)
    version = rows(context, evaluation.data, pods.DATA).version
    best = champion(context)
    if best and best.spec.server.protocol != "oip":
        raise Missing(
            "OtherProtocol", f"{best.version}, the version in production, speaks {best.spec.server.protocol}, so an "
            "evaluation can't compare with it: make a version without evaluation",
        )  # fmt: skip
    pinned = {"champion": best.version, "champion_digest": identity.digest_of(best.spec)} if best else {}
    return job.model_copy(update={**pinned, "dataset_version": version})


def servable(context: Context[ModelVersion]) -> None:
    """Whether its pods may have what they ask for. Raises Missing."""
    server, account = context.subject.body.spec.server, context.subject.body.spec.server.service_account
    try:
        marks.check(server, context.world.config)
    except Unservable as unservable:
        raise Missing(unservable.reason, str(unservable)) from None
    if account and (why := accounts.refused(context.world, context.namespace, account)):
        raise Missing(*why, again=accounts.AGAIN)


# --- the Job -----------------------------------------------------------------------------------------------------


def manifest(context: Context[ModelVersion], job: EvaluationJob) -> Json:
    """The recorded Job. Raises Missing if something that it needs is gone by now."""
    meta, spec = context.subject.meta, context.subject.body.spec
    who = Identity(
        name=job.name, namespace=meta.namespace, labels=labels(modelversion=meta.name, attempt=str(job.attempt)),
        owner=owner_reference(MODEL_VERSION.api_version, MODEL_VERSION.kind, meta.name, meta.uid),
    )  # fmt: skip
    if spec.evaluation is not None:
        return pods.evaluation_job(who, _evaluation(context, job, spec.evaluation))
    assert spec.artifact is not None  # by_every_pod: there is no Job for an image
    config = context.world.config
    item, secret = store.artifact(spec.artifact, config, pods.MODELS[pods.CHALLENGER])
    fetch = FetchTask(items=[item])
    parts = pods.EvaluationPod(
        config.images.worker, fetch, (secret,), limits.reading(config.jobs), limits.deadline(config.jobs)
    )  # fmt: skip
    return pods.verify_job(who, parts)


def _evaluation(context: Context[ModelVersion], job: EvaluationJob, evaluation: Evaluation) -> pods.EvaluationPod:
    contenders = _contenders(context, job)
    where = _ports(contenders)
    data = rows(context, evaluation.data, pods.DATA, job.dataset_version)
    reference = _reference(context, job, evaluation)
    config = context.world.config
    models = [store.artifact(c.spec.artifact, config, pods.MODELS[c.role]) for c in contenders if c.spec.artifact]
    tables = [data, reference] if reference else [data]
    folder = reports(context)
    return pods.EvaluationPod(
        image=config.images.worker,
        fetch=FetchTask(items=[*(item for item, _ in models), *(t.item for t in tables)]),
        fetch_credentials=[*(secret for _, secret in models), *(s for t in tables for s in t.secrets)],
        limits=limits.reading(config.jobs, evaluation.resources, sum(one.bytes for one in tables), kept=True),
        deadline=limits.deadline(config.jobs, evaluation.timeout),
        evaluate=_task(context, contenders, data, reference, where),
        evaluate_credentials=folder.reach.credentials,
        servers=[_server(context, c, where[c.role]) for c in contenders],
        volumes=[volume for c in contenders for volume in serverpod.volumes(c.spec.server)],
        fields=_fields(context, contenders),
        placement=context.subject.body.spec.server,
        gpu=context.subject.body.spec.server.resources.gpu,
    )


def _contenders(context: Context[ModelVersion], job: EvaluationJob) -> list[Contender]:
    found = [Contender(pods.CHALLENGER, context.name, context.subject.body.spec)]
    if job.champion:
        best = next((one for one in _known_as(context, job.champion) if _same(one, job.champion_digest)), None)
        if best is None:
            raise Missing("ChampionMissing", f"champion {job.champion} was deleted; another one is looked for")
        found.append(best)
    return found


def _ports(contenders: list[Contender]) -> dict[str, int]:
    """Where each one's server listens. Raises Missing."""
    try:
        return pods.ports({one.role: one.spec.server for one in contenders})
    except pods.PortTaken as port:
        mine, other = (one.version for one in contenders)
        raise Missing(
            "PortTaken", f"{mine} and {other}, the one in production, both always listen on port {port}, and an "
            "evaluation runs both in one pod: make a version without spec.server.port whose server listens where it is "
            'told, for example by args: ["--port=$(PORT)"]',
        ) from None  # fmt: skip


def _fields(context: Context[ModelVersion], contenders: list[Contender]) -> Json:
    """What the servers ask of their pod: as whom it runs, the challenger says."""
    own = serverpod.fields(context.subject.body.spec.server)
    return own | serverpod.pull_secrets([one.spec.server for one in contenders])


def _known_as(context: Context[ModelVersion], name: str) -> Iterator[Contender]:
    """Who has a name: of what Deployments serve, and of the cluster's objects."""
    yield from (one for one in _lives(context) if one.version == name)
    raw = context.world.get(MODEL_VERSION, name)
    found = identity.parse(raw) if raw else None
    if found is not None:
        yield Contender(pods.CHAMPION, name, found.spec)


def _same(one: Contender, digest: str) -> bool:
    """Whether it has the bytes that were recorded; an attempt of an older release has recorded none."""
    return digest in ("", identity.digest_of(one.spec))


def _reference(context: Context[ModelVersion], job: EvaluationJob, evaluation: Evaluation) -> Rows | None:
    """The baseline's rows. Of the Dataset that the held-out rows come from, the same version."""
    if evaluation.baseline is None:
        return None
    chosen, data = evaluation.baseline.reference, evaluation.data
    same = chosen.dataset and data.dataset and chosen.dataset.name == data.dataset.name
    return rows(context, chosen, pods.REFERENCE, job.dataset_version if same else "")


def _task(
    context: Context[ModelVersion], contenders: list[Contender], data: Rows, reference: Rows | None,
    where: Mapping[str, int],
) -> EvaluateTask:  # fmt: skip
    evaluation = context.subject.body.spec.evaluation
    assert evaluation is not None
    longest = max(seconds(c.spec.server.timeout) for c in contenders)
    return EvaluateTask.model_validate({
        "version": context.name, "task": evaluation.task, "target": evaluation.target,
        "features": evaluation.features, "batch": evaluation.batch, "metrics": evaluation.metrics,
        "gates": evaluation.gates, "by": evaluation.baseline.by if evaluation.baseline else [],
        "subjects": [_scored(c, where[c.role]) for c in contenders],
        "data": pods.DATA, "data_format": data.form, "data_sha256": data.item.sha256,
        "reference": pods.REFERENCE if reference else None,
        "reference_format": reference.form if reference else ARTIFACT,
        "reference_sha256": reference.item.sha256 if reference else "",
        "store": reports(context).place(), "ready_timeout": longest,
    })  # fmt: skip


def _scored(contender: Contender, port: int) -> Scored:
    evaluation = contender.spec.evaluation
    return Scored.model_validate({
        "subject": contender.role, "version": contender.version, "name": contender.spec.model,
        "url": f"http://127.0.0.1:{port}", "ready": contender.spec.server.ready,
        "features": evaluation.features if evaluation and contender.role == pods.CHAMPION else [],
        "sha256": identity.model_digest(contender.spec),
    })  # fmt: skip


def reports(context: Context[ModelVersion]) -> store.Location:
    """Where reports go: the operator's store; without one, the bucket that the model lies in."""
    meta, config, artifact = context.subject.meta, context.world.config, context.subject.body.spec.artifact
    own = None
    if config.store is None and artifact is not None:
        own = S3Location(
            bucket=artifact.uri.removeprefix("s3://").partition("/")[0], endpoint=artifact.endpoint,
            region=artifact.region, credentials=artifact.credentials,
        )  # fmt: skip
    return store.model_folder(own, config, meta.namespace, meta.name)


def _server(context: Context[ModelVersion], contender: Contender, port: int) -> Json:
    try:
        return server_container(
            contender.spec.server, contender.spec.model, port, port + 2, context.world.config,
            name=contender.role, volume=pods.VOLUMES[contender.role] if contender.spec.artifact else None,
        )  # fmt: skip
    except NoImage as error:
        raise Invalid("spec.server.image", str(error)) from error
