"""The Job that reads a Dataset's listing: its name, its manifest, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.api.dataset import CheckJob, Dataset, DatasetStatus
from fairlead.api.formats import OPTIONS, self_describing
from fairlead.api.tasks import SnapshotResult, SnapshotTask, TaskResult
from fairlead.manifests import job as jobs
from fairlead.manifests import limits
from fairlead.manifests.meta import child_name, labels, owner_reference, short_hash
from fairlead.plan import store
from fairlead.plan.core import DATASET, Context, Invalid, Json
from fairlead.plan.jobs import attempt
from fairlead.plan.jobs.attempt import OfWorker
from fairlead.plan.jobs.backoff import LIMITED
from fairlead.plan.jobs.failures import LIMITS, Failure, Raise, by_task
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.jobs.record import Budget
from fairlead.plan.requests import ReadDocument
from fairlead.plan.sources import registry as sources

TASK_LIMIT = 100_000
"""Characters of a task: Linux takes 128 KiB in one environment variable."""
CHANGED = ("ObjectChanged", "ObjectMissing")
"""Errors that say that the source has changed under the Job."""
_SURROUNDINGS = ("BadTask", "Bug", "ServerFailed", "DigestMismatch", "OutOfMemory")
"""Errors that are not the data's: a change outside of the listing can end them."""
_RAISE = Raise("spec.resources.memory", "spec.resources.scratch", "spec.timeout")


def rules(context: Context[Dataset]) -> str:
    """A digest of everything besides the listing that decides what becomes of it."""
    spec = context.subject.body.spec
    decides = {"source", "format", *OPTIONS, "pin", "schema_", "checks", "timeout", "resources"}
    relevant = spec.model_dump_json(include=decides, exclude_none=True)
    folder = store.dataset_folder(spec.store, context.world.config, context.namespace, context.subject.meta.name)
    more = sources.of(spec.source, context.world.config).rules()
    return short_hash(relevant, folder.uri(), str(folder.reach.endpoint), *more, length=32)


def begin(context: Context[Dataset], listing: str) -> CheckJob:
    """Record the next attempt at a listing. Its name is its own for each attempt and each set of rules."""
    old = context.subject.body.status.job
    if old is None or old.listing != listing:
        return CheckJob(name=_name(context, listing, 1), listing=listing)
    attempt = old.attempt + 1
    return CheckJob(
        name=_name(context, listing, attempt), listing=listing, attempt=attempt, unreadable=old.unreadable,
        exceeded=old.exceeded,
    )  # fmt: skip


def _name(context: Context[Dataset], listing: str, attempt: int) -> str:
    meta = context.subject.meta
    return child_name(f"{meta.name}-snapshot", meta.uid, listing, rules(context), str(attempt))


def outdated(context: Context[Dataset], job: CheckJob) -> bool:
    """Whether a Job was recorded under rules that have changed since."""
    return job.name != _name(context, job.listing, job.attempt)


def manifest(context: Context[Dataset], status: DatasetStatus) -> Json:
    """The recorded Job."""
    assert status.job is not None
    spec, meta, config = context.subject.body.spec, context.subject.meta, context.world.config
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
    return jobs.snapshot_job(who, config.images.worker, task, secrets, _limits(context, status), time)


def _limits(context: Context[Dataset], status: DatasetStatus) -> limits.Limits:
    spec, seen = context.subject.body.spec, status.listing
    # a file that describes itself is looked at by itself, unless a check asks for all rows at once
    kept = not self_describing(spec.format) or any(check.rows is None for check in spec.checks)
    return limits.reading(context.world.config.jobs, spec.resources, seen.bytes if seen else 0, kept=kept)


@dataclass(frozen=True)
class Snapshot(OfWorker[SnapshotResult]):
    """A recorded attempt at a listing."""

    label = "dataset"
    lost = "the pod that read the source is gone, and its answer with it"

    context: Context[Dataset]
    status: DatasetStatus

    @property
    def recorded(self) -> CheckJob:
        """The attempt."""
        assert self.status.job is not None
        return self.status.job

    @property
    def main(self) -> str:
        """The container that answers."""
        return jobs.SNAPSHOT

    def manifest(self) -> Json:
        """The Job as it is made."""
        return manifest(self.context, self.status)

    def answer(self, said: TaskResult) -> SnapshotResult | None:
        """A version, or what the checks have found."""
        return said.snapshot

    def failure(self, found: Found, said: TaskResult | None) -> Failure:
        """Some errors are the data's; then only other data help."""
        if said is not None and said.error is not None:
            error = said.error
            again = error.transient or by_task(error).fault == "cluster" or error.reason in _SURROUNDINGS
            return Failure(error.reason, error.message, "cluster" if again else "final")
        failed = found.failure(None, _RAISE)
        return Failure(failed.reason, f"the source could not be read: {failed.message}", "cluster")

    def budget(self, failure: Failure) -> Budget:
        """Of each listing it is counted how often it came to a limit, and how often its answer could not be read."""
        job = self.recorded
        if failure.fault == "cluster" and failure.reason in LIMITS:
            return Budget(LIMITED.after(job.exceeded + 1), "exceeded", job.exceeded + 1)
        return super().budget(failure)


def refusal(snapshot: SnapshotResult) -> str:
    """Why a listing is no version, by its checks."""
    failed_ones = [c for c in snapshot.checks if not c.passed and c.severity == "error"]
    first = failed_ones[0] if failed_ones else None
    more = f" (and {len(failed_ones) - 1} more)" if len(failed_ones) > 1 else ""
    told = f"{first.check}: {first.message}" if first else "the checks refused it"
    return f"{told}{more}; correct the data or the check"


def requests(context: Context[Dataset], status: DatasetStatus) -> list[ReadDocument]:
    """What has to be read before the Job's answer is known."""
    if status.job is None or outdated(context, status.job):
        return []
    return attempt.requests(Snapshot(context, status))
