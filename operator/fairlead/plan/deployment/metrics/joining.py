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
from fairlead.api.tasks import JoinResult, JoinTask
from fairlead.manifests import job as jobs
from fairlead.manifests import limits
from fairlead.manifests.meta import child_name, labels, owner_reference
from fairlead.manifests.pod import credentials_volume, pod_spec, worker
from fairlead.plan import store
from fairlead.plan.core import DATASET, JOB, LABEL_PREFIX, Delete, Json
from fairlead.plan.dataset.fetching import fetched
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.jobs import failures, jobpods
from fairlead.plan.jobs.failures import Running
from fairlead.plan.read import NotReadable, read
from fairlead.plan.requests import ReadDocument

JOIN = "join"
LABEL = f"{LABEL_PREFIX}join"
"""Label of Jobs and pods: the Deployment whose answers are joined. By `deployment` serving pods are found."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
FINAL = ("BadData",)
"""Errors that only another version of the Dataset, or another guard, can end."""


@dataclass(frozen=True)
class Work:
    """A guard on labels, in a rollout or after it."""

    look: Look
    wanted: Labels
    joined: Joined


@dataclass(frozen=True)
class Broken:
    """The attempt failed."""

    reason: str
    message: str
    unreadable: int = 0
    """Attempts so far whose answer could not be read."""

    @property
    def final(self) -> bool:
        """Whether the same version can't be joined any more."""
        return self.reason in FINAL or self.unreadable >= jobpods.FEW


def dataset(work: Work) -> Dataset | Problem:
    """The Dataset of labels, or what is wrong."""
    if work.look.world.config.store is None:
        return Problem("NoStore", "labels are joined with answers that are kept in the store: set `store` in the "
                       "installation's values")  # fmt: skip
    if work.look.spec.record is None:
        return Problem("NotRecorded", "labels are joined with answers that are kept: set spec.record")
    raw = work.look.world.get(DATASET, work.wanted.dataset)
    if raw is None:
        return Problem("DatasetMissing", f"there is no Dataset {work.wanted.dataset} in namespace "
                       f"{work.look.namespace}, which the guard's labels.dataset names: create it, or name "
                       "another")  # fmt: skip
    try:
        return read(Dataset, DATASET, raw)
    except NotReadable as why:
        return Problem(why.reason, why.message)


def begin(work: Work, version: str, attempt: int = 1, unreadable: int = 0) -> JoinJob:
    """An attempt to be recorded. Its name is its own for each rollout, guard, version and attempt."""
    meta, joined = work.look.subject.meta, work.joined
    parts = (meta.uid, joined.rollout, joined.guard, joined.digest, version, str(attempt))
    name = child_name(f"{meta.name}-labels", *parts)
    return JoinJob(name=name, dataset=version, attempt=attempt, unreadable=unreadable)


def manifest(work: Work) -> Json | None:
    """The recorded Job; None if the Dataset has forgotten its version, or is gone."""
    found, recorded = dataset(work), work.joined.job
    if isinstance(found, Problem) or recorded is None:
        return None
    known = {one.version: one for one in (*found.status.versions, found.status.current) if one is not None}
    version = known.get(recorded.dataset)
    if version is None:
        return None
    look = work.look
    task, secrets = _task(work, found, version)
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


def _task(work: Work, found: Dataset, version: DatasetVersion) -> tuple[JoinTask, list[str | None]]:
    look, config, wanted, joined = work.look, work.look.world.config, work.wanted, work.joined
    mine = store.store(None, config, look.namespace).folder("deployments", look.name)
    item, secrets = fetched(found.spec, config, look.namespace, version.manifest, version.digest, "")
    task = JoinTask(
        labels=item, format=found.spec.format, request_id=wanted.request_id, label=wanted.label,
        tolerance=wanted.tolerance, loss=wanted.loss, cap=wanted.cap or "1",
        log=mine.folder("predictions").place(), stable=joined.against, candidate=joined.version,
        since=joined.since, cuts=joined.cuts, used=joined.used,
        store=mine.folder("labels", joined.rollout, joined.guard.replace("/", "-")).place(),
    )  # fmt: skip
    return task, [*secrets, mine.reach.credentials]


def _find(work: Work, recorded: JoinJob) -> jobpods.Found:
    labels_ = {LABEL: work.look.name}
    sought = jobpods.Sought(recorded.name, work.look.subject.meta.uid, recorded.uid, labels_, JOIN)
    return jobpods.find(work.look.world, sought, lambda: manifest(work))


def requests(work: Work) -> list[ReadDocument]:
    """What has to be read before the Job's answer is known."""
    recorded = work.joined.job
    return jobpods.requests(_find(work, recorded)) if recorded is not None and not recorded.not_before else []


def look(work: Work, recorded: JoinJob) -> Running | Broken | JoinResult:
    """What became of the recorded Job."""
    world, found = work.look.world, _find(work, recorded)
    if not found.uid:
        return Running("")
    if found.foreign and found.problem:
        return Broken(found.problem.reason, found.problem.message, recorded.unreadable)
    if found.pod is None:
        return _without_pod(work, recorded, found)
    said = jobpods.said(world, found, JOIN)
    if isinstance(said, jobpods.Reading):
        return Running(found.uid, said.waiting, said.look_again)
    if isinstance(said, jobpods.Unreadable):
        return Broken(jobpods.UNREADABLE, said.message, recorded.unreadable + 1)
    if said is not None and said.join is not None:
        return said.join
    if jobpods.over(found):
        failed = found.failure(None, failures.INSTALLATION)
        return Broken(failed.reason, failed.message, recorded.unreadable)
    return Running(found.uid, found.problem or found.waiting(work.look.now), found.look_again(work.look.now))


def _without_pod(work: Work, recorded: JoinJob, found: jobpods.Found) -> Running | Broken:
    now, job = work.look.now, found.job
    since = failures.ended_since(job, now)
    if since is not None and since < failures.LAG:
        return Running(found.uid, None, failures.LAG - since)
    if job is None or failures.gone(job):
        text = "the pod that joined labels with answers is gone, and its answer with it"
        lost = found.problem or failures.Waiting("Disrupted", text)
        return Broken(lost.reason, lost.message, recorded.unreadable)
    return Running(found.uid, found.problem or found.waiting(now), found.look_again(now))


def pause(attempt: int, reason: str) -> float:
    """Seconds until the next attempt after one that failed for this reason."""
    if reason in failures.LIMITS:
        return failures.rest(attempt)
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt - 1, 10)))


def leftovers(look: Look, wanted: set[str]) -> list[Delete]:
    """Jobs whose answer is recorded, or is not wanted any more."""
    return [
        Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"])
        for job in look.world.owned(JOB)
        if LABEL in job["metadata"].get("labels", {})
        and job["metadata"]["name"] not in wanted and "deletionTimestamp" not in job["metadata"]
    ]  # fmt: skip
