"""The Job that joins a Dataset of labels with the answers that were kept: its name, its manifest, what became of it.

It is recorded in the guard's status before it is made, and what it counted is recorded before it is deleted. An attempt
whose answer nobody heard is made again from the same record, so each label is counted once.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.api.common import API_VERSION
from fairlead.api.dataset import Dataset, DatasetVersion
from fairlead.api.guard import Labels
from fairlead.api.labelled import Joined, JoinJob
from fairlead.api.tasks import JoinResult, JoinTask, TaskResult
from fairlead.manifests import job as jobs
from fairlead.manifests import limits
from fairlead.manifests.meta import child_name, labels, owner_reference
from fairlead.manifests.pod import credentials_volume, pod_spec, worker
from fairlead.plan import store
from fairlead.plan.core import DATASET, JOB, LABEL_PREFIX, Delete, Json
from fairlead.plan.dataset.fetching import fetched
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.jobs.attempt import Followed
from fairlead.plan.jobs.backoff import USUAL
from fairlead.plan.jobs.failures import INSTALLATION, Failure
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.jobs.record import Budget
from fairlead.plan.jobs.result import FEW
from fairlead.plan.read import NotReadable, read

JOIN = "join"
_FINAL = ("BadData",)
"""Errors that only another version of the Dataset, or another guard, can end."""


@dataclass(frozen=True)
class Joining(Followed[JoinResult]):
    """A guard on labels, in a rollout or after it, and the attempt that is recorded for it, if there is one."""

    label = "join"
    lost = "the pod that joined labels with answers is gone, and its answer with it"

    context: Look
    wanted: Labels
    joined: Joined

    @property
    def recorded(self) -> JoinJob:
        """The attempt."""
        assert self.joined.job is not None
        return self.joined.job

    @property
    def main(self) -> str:
        """The container that answers."""
        return JOIN

    def manifest(self) -> Json | None:
        """The Job as it is made; None if the Dataset has forgotten its version, or is gone."""
        return manifest(self)

    def answer(self, said: TaskResult) -> JoinResult | None:
        """What was counted."""
        return said.join

    def failure(self, found: Found, said: TaskResult | None) -> Failure:
        """Only another version of the Dataset, or another guard, helps against wrong data."""
        failed = found.failure(None, INSTALLATION)
        return Failure(failed.reason, failed.message, "final" if failed.reason in _FINAL else "cluster")

    def budget(self, failure: Failure) -> Budget:
        """Of each version it is counted how often its answer could not be read."""
        job = self.recorded
        if failure.fault == "unreadable":
            return Budget(USUAL.after(job.attempt), "unreadable", job.unreadable + 1, FEW)
        return super().budget(failure)


LABEL = LABEL_PREFIX + Joining.label
"""Label of Jobs and pods: the Deployment whose answers are joined. By `deployment` serving pods are found."""


def dataset(mine: Joining) -> Dataset | Problem:
    """The Dataset of labels, or what is wrong."""
    if mine.context.world.config.store is None:
        return Problem("NoStore", "labels are joined with answers that are kept in the store: set `store` in the "
                       "installation's values")  # fmt: skip
    if mine.context.spec.recorded is None:
        return Problem("NotRecorded", "labels are joined with answers that are kept: set spec.record")
    raw = mine.context.world.get(DATASET, mine.wanted.dataset)
    if raw is None:
        return Problem("DatasetMissing", f"there is no Dataset {mine.wanted.dataset} in namespace "
                       f"{mine.context.namespace}, which the guard's labels.dataset names: create it, or name "
                       "another")  # fmt: skip
    try:
        return read(Dataset, DATASET, raw)
    except NotReadable as why:
        return Problem(why.reason, why.message)


def begin(mine: Joining, version: str, attempt: int = 1, unreadable: int = 0) -> JoinJob:
    """An attempt to be recorded. Its name is its own for each rollout, guard, version and attempt."""
    meta, joined = mine.context.subject.meta, mine.joined
    parts = (meta.uid, joined.rollout, joined.guard, joined.digest, version, str(attempt))
    name = child_name(f"{meta.name}-labels", *parts)
    return JoinJob(name=name, dataset=version, attempt=attempt, unreadable=unreadable)


def manifest(mine: Joining) -> Json | None:
    """The recorded Job; None if the Dataset has forgotten its version, or is gone."""
    found, recorded = dataset(mine), mine.joined.job
    if isinstance(found, Problem) or recorded is None:
        return None
    known = {one.version: one for one in (*found.status.versions, found.status.current) if one is not None}
    version = known.get(recorded.dataset)
    if version is None:
        return None
    look = mine.context
    task, secrets = _task(mine, found, version)
    who = jobs.Identity(
        name=recorded.name, namespace=look.namespace,
        owner=owner_reference(API_VERSION, "Deployment", look.name, look.subject.meta.uid),
        labels=labels(join=look.name, attempt=str(recorded.attempt)),
    )  # fmt: skip
    config = look.world.config
    allowed = limits.reading(config.jobs, data=version.bytes, kept=True)
    main = worker(JOIN, config.images.worker, "join", task, credentials=secrets, limits=allowed)
    volumes = [credentials_volume(secret) for secret in secrets if secret]
    return jobs.job(who, pod_spec([main], volumes=volumes, activeDeadlineSeconds=limits.deadline(config.jobs)))


def _task(mine: Joining, found: Dataset, version: DatasetVersion) -> tuple[JoinTask, list[str | None]]:
    look, config, wanted, joined = mine.context, mine.context.world.config, mine.wanted, mine.joined
    folder = store.store(None, config, look.namespace).folder("deployments", look.name)
    item, secrets = fetched(found.spec, config, look.namespace, version.manifest, version.digest, "")
    task = JoinTask(
        labels=item, format=found.spec.format, request_id=wanted.request_id, label=wanted.label,
        tolerance=wanted.tolerance, loss=wanted.loss, cap=wanted.cap or "1",
        log=folder.folder("predictions").place(), stable=joined.against, candidate=joined.version,
        since=joined.since, cuts=joined.cuts, used=joined.used,
        store=folder.folder("labels", joined.rollout, joined.guard.replace("/", "-")).place(),
    )  # fmt: skip
    return task, [*secrets, folder.reach.credentials]


def leftovers(look: Look, wanted: set[str]) -> list[Delete]:
    """Jobs whose answer is recorded, or is not wanted any more."""
    return [
        Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"])
        for job in look.world.owned(JOB)
        if LABEL in job["metadata"].get("labels", {})
        and job["metadata"]["name"] not in wanted and "deletionTimestamp" not in job["metadata"]
    ]  # fmt: skip
