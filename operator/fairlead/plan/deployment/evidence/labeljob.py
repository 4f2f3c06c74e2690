"""The Job that brings a Dataset of labels and the kept answers together: its name, its manifest, what became of it.

Each version of the Dataset is joined once. The Job is recorded in status before it is made, and what it counted is
recorded before it is deleted. An attempt whose answer nobody heard is made again from the same record, so each label is
counted once.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from fairlead.api.common import API_VERSION
from fairlead.api.dataset import Dataset, DatasetVersion
from fairlead.api.labelled import Joined, JoinJob
from fairlead.api.monitors import LabelsJoined
from fairlead.api.schema import Model
from fairlead.api.tasks import TaskResult
from fairlead.manifests import job as jobs
from fairlead.manifests import limits
from fairlead.manifests.meta import child_name, labels, owner_reference
from fairlead.manifests.pod import credentials_volume, pod_spec, worker
from fairlead.plan.core import DATASET, Json
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving.pods import Problem
from fairlead.plan.jobs import attempt
from fairlead.plan.jobs.attempt import Broken, Counting, Paused, Running
from fairlead.plan.jobs.failures import INSTALLATION, Failure
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.read import NotReadable, read

A = TypeVar("A")
K = TypeVar("K", Joined, LabelsJoined)
_FINAL = ("BadData",)
"""Errors that only another version of the Dataset, or another spec, can end."""


@dataclass(frozen=True)
class LabelJob(Counting[A], Generic[A, K]):
    """What is joined, and the attempt that is recorded for it, if there is one."""

    program: ClassVar[str]
    """The worker's task; its container is called so too."""
    asker: ClassVar[str]
    """The field that names the Dataset, in messages."""

    context: Look
    kept: K

    @property
    @abstractmethod
    def dataset_name(self) -> str:
        """The Dataset of labels."""

    @property
    @abstractmethod
    def parts(self) -> tuple[str, ...]:
        """What names a Job besides the Dataset's version and the attempt: no two joins share them."""

    @abstractmethod
    def task(self, found: Dataset, version: DatasetVersion) -> tuple[Model, list[str | None]] | None:
        """What the worker is told, and the Secrets that it needs; None: what it is about is gone."""

    @property
    def recorded(self) -> JoinJob:
        """The attempt."""
        assert self.kept.job is not None
        return self.kept.job

    @property
    def main(self) -> str:
        """The container that answers."""
        return self.program

    def failure(self, found: Found, said: TaskResult | None) -> Failure:  # noqa: ARG002
        """Only another version of the Dataset, or another spec, helps against wrong data."""
        failed = found.failure(None, INSTALLATION)
        return Failure(failed.reason, failed.message, "final" if failed.reason in _FINAL else "cluster")

    def manifest(self) -> Json | None:
        """The Job as it is made; None if the Dataset has forgotten its version, or is gone."""
        found, recorded = self.dataset(), self.kept.job
        if isinstance(found, Problem) or recorded is None:
            return None
        version = _version(found, recorded.dataset)
        asked = self.task(found, version) if version is not None else None
        if version is None or asked is None:
            return None
        look, config = self.context, self.context.world.config
        task, secrets = asked
        who = jobs.Identity(
            name=recorded.name, namespace=look.namespace,
            owner=owner_reference(API_VERSION, "Deployment", look.name, look.subject.meta.uid),
            labels=labels(**{self.label: look.name}, attempt=str(recorded.attempt)),
        )  # fmt: skip
        allowed = limits.reading(config.jobs, data=version.bytes, kept=True)
        names = list(dict.fromkeys(secrets))
        main = worker(self.main, config.images.worker, self.program, task, credentials=names, limits=allowed)
        volumes = [credentials_volume(secret) for secret in names if secret]
        return jobs.job(who, self.pod(main, volumes, limits.deadline(config.jobs)))

    def pod(self, main: Json, volumes: list[Json], deadline: int) -> Json:
        """The pod's spec: the worker alone. A kind of Job that needs others beside it adds them here."""
        return pod_spec([main], volumes=volumes, activeDeadlineSeconds=deadline)

    def dataset(self) -> Dataset | Problem:
        """The Dataset of labels, or what is wrong."""
        look = self.context
        if look.world.config.store is None:
            return Problem("NoStore", "labels are joined with answers that are kept in the store: set `store` in the "
                           "installation's values")  # fmt: skip
        if look.spec.recorded is None:
            return Problem("NotRecorded", "labels are joined with answers that are kept: set spec.record")
        raw = look.world.get(DATASET, self.dataset_name)
        if raw is None:
            return Problem("DatasetMissing", f"there is no Dataset {self.dataset_name} in namespace {look.namespace}, "
                           f"which {self.asker} names: create it, or name another")  # fmt: skip
        try:
            return read(Dataset, DATASET, raw)
        except NotReadable as why:
            return Problem(why.reason, why.message)

    def current(self) -> str:
        """The Dataset's newest version; empty without one."""
        found = self.dataset()
        return "" if isinstance(found, Problem) or found.status.current is None else found.status.current.version

    def begin(self, version: str, attempt: int = 1, unreadable: int = 0) -> JoinJob:
        """An attempt to be recorded. Its name is its own for each join, version and attempt."""
        meta = self.context.subject.meta
        name = child_name(f"{meta.name}-{_WORDS[self.program]}", meta.uid, *self.parts, version, str(attempt))
        return JoinJob(name=name, dataset=version, attempt=attempt, unreadable=unreadable)


def _version(found: Dataset, name: str) -> DatasetVersion | None:
    """None: it is forgotten."""
    known = (one for one in (*found.status.versions, found.status.current) if one is not None)
    return next((one for one in known if one.version == name), None)


_WORDS = {"join": "labels", "observe": "observed"}
"""Of a Job's name, by its program."""


def advance(mine: LabelJob[A, K], ready: bool) -> tuple[K, A | None]:
    """One look at the join that is under way, or the beginning of the next one; with what it has counted.

    ready: whether a new one may begin."""
    kept = mine.kept
    if kept.job is None:
        return (_next_join(mine) if ready else kept), None
    seen = attempt.look(mine)
    if isinstance(seen, Paused):
        return (kept if seen.left > 0 else _again(mine)), None
    if isinstance(seen, Running):
        return _running(mine, seen), None
    if isinstance(seen, Broken):
        return _failed(mine, seen.failure), None
    done = {"job": None, "dataset": kept.job.dataset, "reason": "", "message": ""}
    return kept.model_copy(update=done), seen.answer


def _running(mine: LabelJob[A, K], seen: Running) -> K:
    if not seen.uid and mine.manifest() is None:
        return mine.kept.model_copy(update={"job": None})  # its version is gone: the next one is joined
    why = seen.waiting
    known = {"reason": why.reason, "message": why.message[:1024]} if why else {}
    return mine.kept.model_copy(update={"job": mine.recorded.model_copy(update={"uid": seen.uid}), **known})


def _next_join(mine: LabelJob[A, K]) -> K:
    current = mine.current()
    if current in ("", mine.kept.dataset):
        return mine.kept
    return mine.kept.model_copy(update={"job": mine.begin(current)})


def _again(mine: LabelJob[A, K]) -> K:
    job = mine.recorded
    version = mine.current() or job.dataset
    again = (job.attempt + 1, job.unreadable) if version == job.dataset else (1, 0)
    return mine.kept.model_copy(update={"job": mine.begin(version, *again)})


def _failed(mine: LabelJob[A, K], failure: Failure) -> K:
    job, settled = mine.recorded, attempt.settle(mine, failure)
    text = f"version {job.dataset} of Dataset {mine.dataset_name}: {failure.message}"
    why = {"reason": failure.reason, "message": text[:1024]}
    if settled.pause is None:
        return mine.kept.model_copy(update={**why, "job": None, "dataset": job.dataset})
    return mine.kept.model_copy(update={**why, "job": job.model_copy(update=settled.changes)})
