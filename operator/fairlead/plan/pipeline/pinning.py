"""Which commit of a private repository a run has: a Job asks, for its Secret is never read by the operator.

The run's Pipeline is fixed before, and each attempt is recorded before its Job is made; what is pinned is pinned once.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairlead.api.code import CodeJob
from fairlead.api.pipelinerun import PipelineRunStatus
from fairlead.api.tasks import ResolveResult, ResolveTask, TaskResult
from fairlead.manifests import job as jobs
from fairlead.manifests import limits, pod
from fairlead.manifests.meta import child_name, labels, owner_reference
from fairlead.plan import store
from fairlead.plan.core import JOB, PIPELINE_RUN, Delete, Json, Plan
from fairlead.plan.jobs import attempt
from fairlead.plan.jobs.attempt import Answered, Broken, Followed, Paused, Running
from fairlead.plan.jobs.backoff import USUAL
from fairlead.plan.jobs.failures import Failure
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.jobs.record import Budget
from fairlead.plan.jobs.result import FEW
from fairlead.plan.pipeline import code, ending
from fairlead.plan.pipeline.steps import View
from fairlead.plan.requests import ReadDocument

_FOLDER = "-code"
"""Of its answers, beside those of the run's steps: no step is called so."""
_STARTING = "asking the git server which commit its code is"


@dataclass(frozen=True)
class Resolution(Followed[ResolveResult]):
    """A recorded attempt to find out which commit a run has."""

    label = "run"
    lost = "the pod that asked the git server is gone, and its answer with it"

    context: View
    status: PipelineRunStatus

    @property
    def recorded(self) -> CodeJob:
        """The attempt."""
        assert self.status.pinning is not None
        return self.status.pinning

    @property
    def main(self) -> str:
        """The container that answers."""
        return jobs.RESOLVE

    def manifest(self) -> Json:
        """The Job as it is made."""
        return _manifest(self.context, self.status)

    def answer(self, said: TaskResult) -> ResolveResult | None:
        """A commit."""
        return said.resolve

    def failure(self, found: Found, said: TaskResult | None) -> Failure:
        """That there is no such ref is final; all else may come right."""
        if said is None or said.error is None:
            failed = found.failure(None)
            return Failure(failed.reason, f"the git server could not be asked: {failed.message}", "cluster")
        wanted = self.context.subject.body.spec.commit
        known = code.unknown(said.error.reason, said.error.message, commit=bool(wanted))
        return Failure(known.reason, known.message, "final" if known.final else "cluster")

    def budget(self, failure: Failure) -> Budget:
        """What can't be read is given up after a few times; a server that is away is waited for."""
        if failure.fault == "outdated":
            return Budget(pause=0.0)
        if failure.fault == "unreadable":
            count = self.recorded.unreadable + 1
            return Budget(USUAL.after(self.recorded.attempt), "unreadable", count, FEW)
        return super().budget(failure)

    def hopeless(self, found: Found) -> Failure | None:
        """A pod that waits for the image of an operator before this one."""
        image = attempt.outdated_image(self, found)
        text = f"the operator has another worker image than {image} now"
        return Failure("ImagePull", text, "outdated") if image else None


def is_open(status: PipelineRunStatus) -> bool:
    """Whether a run that has started does not have its commit yet."""
    return status.template is not None and code.git_of(status.template) is not None and not status.commit


def requests(view: View, status: PipelineRunStatus) -> list[ReadDocument]:
    """What has to be read before the answer is known."""
    return attempt.requests(Resolution(view, status)) if is_open(status) and status.pinning else []


def look(view: View, status: PipelineRunStatus) -> Plan | PipelineRunStatus:
    """One look at a run without its commit: what is to be done, or the run with it."""
    if view.subject.body.spec.cancel:
        return _cancel(view, status)
    if status.pinning is None:
        return _make(view, _begun(view, status, CodeJob(name="", attempt=0)))
    one = Resolution(view, status)
    seen = attempt.look(one)
    if isinstance(seen, Answered):
        return status.model_copy(update={"commit": seen.answer.commit, "code_tree": seen.answer.tree, "pinning": None})
    if isinstance(seen, Paused):
        return _paused(view, status, one, seen)
    return _running(view, status, one, seen) if isinstance(seen, Running) else _broken(view, status, one, seen)


def _begun(view: View, status: PipelineRunStatus, last: CodeJob) -> PipelineRunStatus:
    """Record the next attempt."""
    number = last.attempt + 1
    name = child_name(f"{view.name}-code", view.uid, "code", str(number))
    return status.model_copy(update={"pinning": CodeJob(name=name, attempt=number, unreadable=last.unreadable)})


def _make(view: View, status: PipelineRunStatus) -> Plan:
    found = Plan(ending.state(view, status, "Pending", "Pinning", _STARTING), create=[_manifest(view, status)])
    return found


def _paused(view: View, status: PipelineRunStatus, one: Resolution, seen: Paused) -> Plan:
    if seen.left <= 0:
        return _make(view, _begun(view, status, one.recorded))
    return Plan(ending.state(view, status, "Pending", *_said(status)), requeue_after=seen.left)


def _said(status: PipelineRunStatus) -> tuple[str, str]:
    """Reason and message as they are."""
    told = next((one for one in status.conditions if one.type == "Succeeded"), None)
    return (told.reason, told.message) if told else ("Pinning", _STARTING)


def _running(view: View, status: PipelineRunStatus, one: Resolution, seen: Running) -> Plan:
    if not seen.uid:
        return _make(view, status)
    record = one.recorded.model_copy(update={"uid": seen.uid})
    reason, message = "Pinning", seen.stage or _STARTING
    if seen.waiting is not None:
        reason, message = seen.waiting.reason, f"{_STARTING}: {seen.waiting.message}"
    told = ending.state(view, status.model_copy(update={"pinning": record}), "Pending", reason, message)
    return Plan(told, requeue_after=seen.look_again)


def _broken(view: View, status: PipelineRunStatus, one: Resolution, seen: Broken) -> Plan:
    settled = attempt.settle(one, seen.failure)
    status = status.model_copy(update={"pinning": one.recorded.model_copy(update=settled.changes)})
    if settled.pause is None:
        found = ending.end(view, status, "Failed", seen.failure.reason, seen.failure.message)
    else:
        told = f"{seen.failure.message}; again at {status.pinning.not_before if status.pinning else ''}"
        found = Plan(ending.state(view, status, "Pending", seen.failure.reason, told), requeue_after=settled.pause)
    if seen.abandon and seen.found.job is not None:
        found.delete = [_gone(seen.found.job)]
    return found


def _cancel(view: View, status: PipelineRunStatus) -> Plan:
    """It asks nobody any more."""
    job = attempt.find(Resolution(view, status)).job if status.pinning else None
    if job is None:
        return ending.end(view, status, "Aborted", "Cancelled", "cancelled before its first step")
    found = Plan(ending.state(view, status, "Pending", "Cancelling", "cancelled; waiting until its pods are gone"))
    if "deletionTimestamp" not in job["metadata"]:
        found.delete = [_gone(job)]
    return found


def _gone(job: Json) -> Delete:
    return Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"], "Foreground")


def _manifest(view: View, status: PipelineRunStatus) -> Json:
    meta, config = view.subject.meta, view.world.config
    assert status.pinning is not None
    assert status.template is not None
    git = code.git_of(status.template)
    assert git is not None
    assert git.credentials is not None
    pipeline, secret = view.subject.body.spec.pipeline, git.credentials.name
    folder = store.step_folder(status.template.store, config, meta.namespace, pipeline, meta.uid, _FOLDER)
    task = ResolveTask(
        url=git.url, ref=view.subject.body.spec.commit or git.ref, path=git.path,
        credentials=pod.credentials_path(secret), store=folder.place(),
    )  # fmt: skip
    who = jobs.Identity(
        name=status.pinning.name,
        namespace=meta.namespace,
        owner=owner_reference(PIPELINE_RUN.api_version, PIPELINE_RUN.kind, meta.name, meta.uid),
        labels=labels(run=meta.name, pipeline=pipeline, attempt=str(status.pinning.attempt)),
    )
    secrets = [secret, folder.reach.credentials]
    time = limits.deadline(config.jobs)
    return jobs.resolve_job(who, config.images.worker, task, secrets, limits.streaming(config.jobs), time)
