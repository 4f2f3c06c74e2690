"""The Job that reads a Dataset's listing: its name, its manifest, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from fairlead.api.dataset import CheckJob, CheckResult, Dataset, DatasetStatus, DatasetVersion
from fairlead.api.tasks import SnapshotTask, TaskError
from fairlead.manifests import job as jobs
from fairlead.manifests.meta import child_name, labels, owner_reference, short_hash
from fairlead.plan import failures, store
from fairlead.plan.core import DATASET, LABEL_PREFIX, Invalid, Json, Subject, World
from fairlead.plan.failures import Running

TASK_LIMIT = 100_000
"""Characters of a task: Linux takes 128 KiB in one environment variable."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
_SURROUNDINGS = ("BadTask", "Bug", "ServerFailed", "DigestMismatch")
"""Errors that are not the data's: a change outside of the listing can end them."""


@dataclass(frozen=True)
class Work:
    """What is looked at."""

    subject: Subject[Dataset]
    world: World
    now: float


@dataclass(frozen=True)
class Pause:
    """There is no Job; the next attempt has its time."""


@dataclass(frozen=True)
class Changed:
    """The source has changed under the Job."""

    message: str


@dataclass(frozen=True)
class Refused:
    """The listing can't be a version; with `retry`, perhaps it can after that many seconds."""

    reason: str
    message: str
    checks: list[CheckResult] = field(default_factory=list)
    retry: float | None = None


@dataclass(frozen=True)
class Found:
    """A version."""

    version: DatasetVersion
    checks: list[CheckResult]


def rules(work: Work) -> str:
    """A digest of everything besides the listing that decides what becomes of it."""
    spec = work.subject.body.spec
    relevant = spec.model_dump_json(include={"source", "format", "pin", "schema_", "checks"}, exclude_none=True)
    folder = store.dataset_folder(spec.store, work.world.config, work.subject.meta.namespace, work.subject.meta.name)
    return short_hash(relevant, folder.uri(), str(folder.reach.endpoint), length=32)


def begin(work: Work, listing: str) -> CheckJob:
    """Record the next attempt at a listing. Its name is its own for each attempt and each set of rules."""
    old = work.subject.body.status.job
    attempt = old.attempt + 1 if old is not None and old.listing == listing else 1
    return CheckJob(name=_name(work, listing, attempt), listing=listing, attempt=attempt)


def _name(work: Work, listing: str, attempt: int) -> str:
    meta = work.subject.meta
    return child_name(f"{meta.name}-snapshot", meta.uid, listing, rules(work), str(attempt))


def outdated(work: Work, job: CheckJob) -> bool:
    """Whether a Job was recorded under rules that have changed since."""
    return job.name != _name(work, job.listing, job.attempt)


def manifest(work: Work, status: DatasetStatus) -> Json:
    """The recorded Job."""
    assert status.job is not None
    spec, meta, config = work.subject.body.spec, work.subject.meta, work.world.config
    source = store.source(spec.source.s3, config)
    folder = store.dataset_folder(spec.store, config, meta.namespace, meta.name)
    task = SnapshotTask(
        dataset=meta.name, listing=status.job.listing, source=source.place(), store=folder.place(),
        format=spec.format, pin=spec.pin, schema_=spec.schema_, checks=spec.checks,
        previous=status.current.manifest if status.current else None,
    )  # fmt: skip
    if len(task.model_dump_json()) > TASK_LIMIT:
        raise Invalid("spec", "schema and checks are too long for one Job; shorten the longest `in` lists")
    who = jobs.Identity(
        name=status.job.name,
        namespace=meta.namespace,
        owner=owner_reference(DATASET.api_version, DATASET.kind, meta.name, meta.uid),
        labels=labels(dataset=meta.name, attempt=str(status.job.attempt)),
    )
    return jobs.snapshot_job(who, config.images.worker, task, [source.reach.credentials, folder.reach.credentials])


def look(work: Work, status: DatasetStatus) -> Running | Pause | Changed | Refused | Found:
    """What became of the recorded Job."""
    recorded = status.job
    assert recorded is not None
    if recorded.not_before is not None:
        return Pause()
    job = failures.own_job(work.world, recorded.name, work.subject.meta.uid)
    uid = recorded.uid or (job["metadata"]["uid"] if job else "")
    if not uid:
        return Running("")
    if job is not None and job["metadata"]["uid"] != uid:
        job = None
    labels_ = {LABEL_PREFIX + "dataset": work.subject.meta.name}
    pod = failures.decisive(failures.pods_of(work.world, labels_, uid))
    if pod is None:
        return _without_pod(work, recorded.attempt, job, uid)
    if not failures.ended(pod):
        return _under_way(work, job, pod, uid)
    return _ended(recorded.attempt, pod)


def _without_pod(work: Work, attempt: int, job: Json | None, uid: str) -> Running | Refused:
    since = failures.ended_since(job, work.now)
    if since is not None and since < failures.LAG:
        return Running(uid, None, failures.LAG - since)
    if job is None or failures.gone(job):
        text = "the pod that read the source is gone, and its answer with it"
        return Refused("Disrupted", text, retry=_pause(attempt))
    return Running(uid, failures.without_pod(job, work.now), failures.look_again(job, None, work.now))


def _under_way(work: Work, job: Json | None, pod: Json, uid: str) -> Running | Refused:
    waiting = failures.waiting(pod, work.now)
    image = pod["spec"]["containers"][0]["image"]
    if waiting is not None and waiting.reason == "ImagePull" and image != work.world.config.images.worker:
        return Refused(waiting.reason, f"the operator has another worker image than {image} now", retry=0.0)
    return Running(uid, waiting, failures.look_again(job, pod, work.now) if job else None)


def _ended(attempt: int, pod: Json) -> Changed | Refused | Found:
    said = failures.result(pod, jobs.SNAPSHOT)
    if said is not None and said.error is not None:
        return _error(attempt, said.error)
    if said is None or said.snapshot is None:
        failed = failures.failure(pod, None)
        return Refused(failed.reason, f"the source could not be read: {failed.message}", retry=_pause(attempt))
    snapshot = said.snapshot
    if snapshot.version is not None:
        return Found(snapshot.version, snapshot.checks)
    failed_ones = [c for c in snapshot.checks if not c.passed and c.severity == "error"]
    first = failed_ones[0] if failed_ones else None
    more = f" (and {len(failed_ones) - 1} more)" if len(failed_ones) > 1 else ""
    told = f"{first.check}: {first.message}" if first else "the checks refused it"
    return Refused("ChecksFailed", f"{told}{more}; correct the data or the check", snapshot.checks)


def _error(attempt: int, error: TaskError) -> Changed | Refused:
    if error.reason in ("ObjectChanged", "ObjectMissing"):
        return Changed(error.message)
    again = error.transient or failures.by_task(error).fault == "cluster" or error.reason in _SURROUNDINGS
    return Refused(error.reason, error.message, retry=_pause(attempt) if again else None)


def _pause(attempt: int) -> float:
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt - 1, 10)))
