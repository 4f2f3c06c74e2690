"""The Job that asks a private repository what a ref stands for: its Secret is mounted there, and never read by the
operator. A run asks when it starts, a Pipeline for its trigger; each attempt is recorded before its Job is made."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from fairlead.api.code import CodeJob, GitCode
from fairlead.api.pipeline import PipelineSpec
from fairlead.api.tasks import ResolveResult, ResolveTask, TaskResult
from fairlead.manifests import job as jobs
from fairlead.manifests import limits, pod
from fairlead.manifests.meta import child_name, labels, owner_reference
from fairlead.plan import store
from fairlead.plan.core import PIPELINE, PIPELINE_RUN, Context, Json, Kind
from fairlead.plan.jobs.attempt import OfWorker
from fairlead.plan.jobs.failures import Failure
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.pipeline import code

_FOLDER = "-code"
"""Of its answers, beside those of a run's steps: no step is called so."""


@dataclass(frozen=True)
class Question:
    """What is asked."""

    pipeline: str
    spec: PipelineSpec
    """The Pipeline's: where its store is."""
    git: GitCode
    ref: str
    commit: bool = False
    """The ref is `spec.commit` of a run."""


@dataclass(frozen=True)
class Asking(OfWorker[ResolveResult]):
    """A recorded attempt."""

    lost = "the pod that asked the git server is gone, and its answer with it"

    context: Context[Any]
    record: CodeJob
    question: Question

    @property
    @abstractmethod
    def owner(self) -> Kind:
        """For whom it is asked."""

    @property
    def recorded(self) -> CodeJob:
        """The attempt."""
        return self.record

    @property
    def main(self) -> str:
        """The container that answers."""
        return jobs.RESOLVE

    def manifest(self) -> Json:
        """The Job as it is made."""
        meta, config, asked = self.context.subject.meta, self.context.world.config, self.question
        assert asked.git.credentials is not None
        secret = asked.git.credentials.name
        folder = store.step_folder(asked.spec.store, config, meta.namespace, asked.pipeline, meta.uid, _FOLDER)
        task = ResolveTask(
            url=asked.git.url, ref=asked.ref, path=asked.git.path, credentials=pod.credentials_path(secret),
            store=folder.place(),
        )  # fmt: skip
        who = jobs.Identity(
            name=self.record.name,
            namespace=meta.namespace,
            owner=owner_reference(self.owner.api_version, self.owner.kind, meta.name, meta.uid),
            labels=labels(pipeline=asked.pipeline, attempt=str(self.record.attempt), **{self.label: meta.name}),
        )
        time, room = limits.deadline(config.jobs), limits.streaming(config.jobs)
        return jobs.resolve_job(who, config.images.worker, task, [secret, folder.reach.credentials], room, time)

    def answer(self, said: TaskResult) -> ResolveResult | None:
        """A commit."""
        return said.resolve

    def failure(self, found: Found, said: TaskResult | None) -> Failure:
        """That there is no such ref is final; all else may come right."""
        if said is None or said.error is None:
            failed = found.failure(None)
            return Failure(failed.reason, f"the git server could not be asked: {failed.message}", "cluster")
        known = code.unknown(said.error.reason, said.error.message, commit=self.question.commit)
        return Failure(known.reason, known.message, "final" if known.final else "cluster")


class OfRun(Asking):
    """Which commit a run has."""

    label = "run"
    owner = PIPELINE_RUN


class OfPipeline(Asking):
    """Whether a Pipeline's code has moved."""

    label = "code"
    owner = PIPELINE


def begun(context: Context[Any], last: CodeJob | None, key: str = "") -> CodeJob:
    """The record of the next attempt. key: what tells it from the owner's other questions."""
    number = last.attempt + 1 if last else 1
    name = child_name(f"{context.name}-code", context.uid, "code", key, str(number))
    return CodeJob(name=name, attempt=number, unreadable=last.unreadable if last else 0)
