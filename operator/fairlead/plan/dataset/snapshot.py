"""The Job that reads a Dataset's listing: its name, its manifest, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from fairlead.api.dataset import CheckJob, CheckResult, Dataset, DatasetStatus, DatasetVersion
from fairlead.api.formats import OPTIONS, self_describing
from fairlead.api.reading import ShownReading
from fairlead.api.tasks import SnapshotResult, SnapshotTask, TaskError, TaskResult
from fairlead.manifests import job as jobs
from fairlead.manifests import limits
from fairlead.manifests.meta import child_name, labels, owner_reference, short_hash
from fairlead.plan import store
from fairlead.plan.core import DATASET, LABEL_PREFIX, Invalid, Json, Subject, World
from fairlead.plan.jobs import failures, jobpods, likeness
from fairlead.plan.jobs.failures import Running
from fairlead.plan.requests import ReadDocument
from fairlead.plan.sources import registry as sources

TASK_LIMIT = 100_000
"""Characters of a task: Linux takes 128 KiB in one environment variable."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
_SURROUNDINGS = ("BadTask", "Bug", "ServerFailed", "DigestMismatch", "OutOfMemory")
"""Errors that are not the data's: a change outside of the listing can end them."""
_RAISE = failures.Raise("spec.resources.memory", "spec.resources.scratch", "spec.timeout")


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
    reading: ShownReading | None = None


def rules(work: Work) -> str:
    """A digest of everything besides the listing that decides what becomes of it."""
    spec = work.subject.body.spec
    decides = {"source", "format", *OPTIONS, "pin", "schema_", "checks", "timeout", "resources"}
    relevant = spec.model_dump_json(include=decides, exclude_none=True)
    folder = store.dataset_folder(spec.store, work.world.config, work.subject.meta.namespace, work.subject.meta.name)
    more = sources.of(spec.source, work.world.config).rules()
    return short_hash(relevant, folder.uri(), str(folder.reach.endpoint), *more, length=32)


def begin(work: Work, listing: str) -> CheckJob:
    """Record the next attempt at a listing. Its name is its own for each attempt and each set of rules."""
    old = work.subject.body.status.job
    if old is None or old.listing != listing:
        return CheckJob(name=_name(work, listing, 1), listing=listing)
    attempt = old.attempt + 1
    return CheckJob(
        name=_name(work, listing, attempt), listing=listing, attempt=attempt, unreadable=old.unreadable,
        exceeded=old.exceeded,
    )  # fmt: skip


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
    source = sources.of(spec.source, config)
    folder = store.dataset_folder(spec.store, config, meta.namespace, meta.name)
    task = SnapshotTask(
        dataset=meta.name, listing=status.job.listing, source=source.told(), store=folder.place(),
        exclude=spec.source.exclude, format=spec.format, pin=spec.pin, schema_=spec.schema_, checks=spec.checks,
        previous=status.current.manifest if status.current else None,
        **{name: getattr(spec, name) for name in OPTIONS},
    )  # fmt: skip
    if len(task.model_dump_json()) > TASK_LIMIT:
        raise Invalid("spec", "schema and checks are too long for one Job; shorten the longest `in` lists")
    who = jobs.Identity(
        name=status.job.name,
        namespace=meta.namespace,
        owner=owner_reference(DATASET.api_version, DATASET.kind, meta.name, meta.uid),
        labels=labels(dataset=meta.name, attempt=str(status.job.attempt)),
    )
    secrets = [source.secret, folder.reach.credentials]
    time = limits.deadline(config.jobs, spec.timeout)
    return jobs.snapshot_job(who, config.images.worker, task, secrets, _limits(work, status), time)


def _limits(work: Work, status: DatasetStatus) -> limits.Limits:
    spec, seen = work.subject.body.spec, status.listing
    # a file that describes itself is looked at by itself, unless a check asks for all rows at once
    kept = not self_describing(spec.format) or any(check.rows is None for check in spec.checks)
    return limits.reading(work.world.config.jobs, spec.resources, seen.bytes if seen else 0, kept=kept)


def _find(work: Work, status: DatasetStatus) -> jobpods.Found:
    assert status.job is not None
    sought = jobpods.Sought(
        status.job.name, work.subject.meta.uid, status.job.uid,
        {LABEL_PREFIX + "dataset": work.subject.meta.name}, jobs.SNAPSHOT,
    )  # fmt: skip
    return jobpods.find(work.world, sought, lambda: manifest(work, status))


def requests(work: Work, status: DatasetStatus) -> list[ReadDocument]:
    """What has to be read before the Job's answer is known."""
    if status.job is None or status.job.not_before is not None or outdated(work, status.job):
        return []
    return jobpods.requests(_find(work, status))


def look(work: Work, status: DatasetStatus) -> Running | Pause | Changed | Refused | Found:
    """What became of the recorded Job."""
    recorded = status.job
    assert recorded is not None
    if recorded.not_before is not None:
        return Pause()
    found = _find(work, status)
    if not found.uid:
        return Running("")
    if found.foreign and found.problem:
        return Refused(found.problem.reason, found.problem.message, retry=_pause(recorded.attempt))
    if found.pod is None:
        return _without_pod(work, recorded.attempt, found)
    said = jobpods.said(work.world, found, jobs.SNAPSHOT)
    if isinstance(said, jobpods.Reading):
        return Running(found.uid, said.waiting, said.look_again)
    if isinstance(said, jobpods.Unreadable):
        final = recorded.unreadable + 1 >= jobpods.FEW
        return Refused(jobpods.UNREADABLE, said.message, retry=None if final else _pause(recorded.attempt))
    if said is not None or jobpods.over(found):
        return _ended(recorded, found, said)
    return _under_way(work, found)


def _without_pod(work: Work, attempt: int, found: jobpods.Found) -> Running | Refused:
    job = found.job
    since = failures.ended_since(job, work.now)
    if since is not None and since < failures.LAG:
        return Running(found.uid, None, failures.LAG - since)
    if job is None or failures.gone(job):
        text = "the pod that read the source is gone, and its answer with it"
        lost = found.problem or failures.Waiting("Disrupted", text)
        return Refused(lost.reason, lost.message, retry=_pause(attempt))
    return Running(found.uid, found.problem or found.waiting(work.now), found.look_again(work.now), found.stage)


def _under_way(work: Work, found: jobpods.Found) -> Running | Refused:
    waiting, image = found.waiting(work.now), likeness.named(found.asked)[jobs.SNAPSHOT]["image"]
    # compared is what was asked for: the pod's image may be what a mirror's webhook has made of it
    outdated_image = not likeness.same_image(image, work.world.config.images.worker)
    if waiting is not None and waiting.reason == "ImagePull" and outdated_image:
        text = f"the operator has another worker image than {image} now"
        return Refused(waiting.reason, text, retry=0.0)
    return Running(found.uid, found.problem or waiting, found.look_again(work.now), found.stage)


def _ended(recorded: CheckJob, found: jobpods.Found, said: TaskResult | None) -> Changed | Refused | Found:
    if said is not None and said.error is not None:
        return _error(recorded, said.error)
    if said is None or said.snapshot is None:
        failed = found.failure(None, _RAISE)
        text = f"the source could not be read: {failed.message}"
        return Refused(failed.reason, text, retry=_rest(recorded, failed.reason))
    return _judged(said.snapshot)


def _judged(snapshot: SnapshotResult) -> Refused | Found:
    if snapshot.version is not None:
        return Found(snapshot.version, snapshot.checks, snapshot.reading)
    failed_ones = [c for c in snapshot.checks if not c.passed and c.severity == "error"]
    first = failed_ones[0] if failed_ones else None
    more = f" (and {len(failed_ones) - 1} more)" if len(failed_ones) > 1 else ""
    told = f"{first.check}: {first.message}" if first else "the checks refused it"
    return Refused("ChecksFailed", f"{told}{more}; correct the data or the check", snapshot.checks)


def _rest(recorded: CheckJob, reason: str) -> float:
    return failures.rest(recorded.exceeded + 1) if reason in failures.LIMITS else _pause(recorded.attempt)


def _error(recorded: CheckJob, error: TaskError) -> Changed | Refused:
    if error.reason in ("ObjectChanged", "ObjectMissing"):
        return Changed(error.message)
    again = error.transient or failures.by_task(error).fault == "cluster" or error.reason in _SURROUNDINGS
    return Refused(error.reason, error.message, retry=_rest(recorded, error.reason) if again else None)


def _pause(attempt: int) -> float:
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt - 1, 10)))
