"""Which commit of a private repository a run has. The run's Pipeline is fixed before it is asked; what is pinned is
pinned once."""

from __future__ import annotations

from fairlead.api.code import CodeJob
from fairlead.api.pipelinerun import PipelineRunStatus
from fairlead.plan.core import JOB, Delete, Json, Plan
from fairlead.plan.jobs import attempt
from fairlead.plan.jobs.attempt import Answered, Broken, Paused, Running
from fairlead.plan.pipeline import asking, code, ending
from fairlead.plan.pipeline.asking import OfRun
from fairlead.plan.pipeline.steps import RUN_TIMEOUT, View
from fairlead.plan.requests import ReadDocument

_STARTING = "asking the git server which commit its code is"


def is_open(status: PipelineRunStatus) -> bool:
    """Whether a run that has started does not have its commit yet."""
    return status.template is not None and code.git_of(status.template) is not None and not status.commit


def requests(view: View, status: PipelineRunStatus) -> list[ReadDocument]:
    """What has to be read before the answer is known."""
    return attempt.requests(_asked(view, status, status.pinning)) if is_open(status) and status.pinning else []


def look(view: View, status: PipelineRunStatus) -> Plan | PipelineRunStatus:
    """One look at a run without its commit: what is to be done, or the run with it."""
    if view.subject.body.spec.cancel or status.replaced_by:
        return _stop(view, status, "Aborted", "Cancelled", "cancelled before its first step")
    if status.template is not None and ending.overdue(view, status, status.template):
        text = f"nobody said within {status.template.timeout}, its Pipeline's spec.timeout, which commit its code is"
        return _stop(view, status, "Failed", RUN_TIMEOUT, text)
    if status.pinning is None:
        return _make(view, status, asking.begun(view, None))
    one = _asked(view, status, status.pinning)
    seen = attempt.look(one)
    if isinstance(seen, Answered):
        return status.model_copy(update={"commit": seen.answer.commit, "code_tree": seen.answer.tree, "pinning": None})
    if isinstance(seen, Paused):
        return _paused(view, status, one, seen)
    return _running(view, status, one, seen) if isinstance(seen, Running) else _broken(view, status, one, seen)


def _asked(view: View, status: PipelineRunStatus, record: CodeJob) -> OfRun:
    spec = view.subject.body.spec
    assert status.template is not None
    git = code.git_of(status.template)
    assert git is not None
    ref, named = spec.commit or git.ref, spec.commit is not None
    return OfRun(view, record, asking.Question(spec.pipeline, status.template, git, ref, named))


def _make(view: View, status: PipelineRunStatus, record: CodeJob) -> Plan:
    status = status.model_copy(update={"pinning": record})
    job = _asked(view, status, record).manifest()
    return Plan(ending.state(view, status, "Pending", "Pinning", _STARTING), create=[job])


def _paused(view: View, status: PipelineRunStatus, one: OfRun, seen: Paused) -> Plan:
    if seen.left <= 0:
        return _make(view, status, asking.begun(view, one.record))
    return Plan(ending.state(view, status, "Pending", *_said(status)), requeue_after=seen.left)


def _said(status: PipelineRunStatus) -> tuple[str, str]:
    """Reason and message as they are."""
    told = next((one for one in status.conditions if one.type == "Succeeded"), None)
    return (told.reason, told.message) if told else ("Pinning", _STARTING)


def _running(view: View, status: PipelineRunStatus, one: OfRun, seen: Running) -> Plan:
    if not seen.uid:
        return _make(view, status, one.record)
    reason, message = "Pinning", seen.stage or _STARTING
    if seen.waiting is not None:
        reason, message = seen.waiting.reason, f"{_STARTING}: {seen.waiting.message}"
    status = status.model_copy(update={"pinning": one.record.model_copy(update={"uid": seen.uid})})
    return Plan(ending.state(view, status, "Pending", reason, message), requeue_after=seen.look_again)


def _broken(view: View, status: PipelineRunStatus, one: OfRun, seen: Broken) -> Plan:
    settled, failure = attempt.settle(one, seen.failure), seen.failure
    record = one.record.model_copy(update=settled.changes)
    status = status.model_copy(update={"pinning": record})
    if settled.pause is None:
        found = ending.end(view, status, "Failed", failure.reason, failure.message)
    else:
        told = f"{failure.message}; again at {record.not_before}"
        found = Plan(ending.state(view, status, "Pending", failure.reason, told), requeue_after=settled.pause)
    if seen.abandon and seen.found.job is not None:
        found.delete = [gone(seen.found.job)]
    return found


def _stop(view: View, status: PipelineRunStatus, phase: str, reason: str, message: str) -> Plan:
    """It asks nobody any more, and ends so when nobody asks."""
    job = attempt.find(_asked(view, status, status.pinning)).job if status.pinning else None
    if job is None:
        return ending.end(view, status, phase, reason, message)
    word = "Cancelling" if phase == "Aborted" else reason
    found = Plan(ending.state(view, status, "Pending", word, f"{message}; waiting until its pods are gone"))
    if "deletionTimestamp" not in job["metadata"]:
        found.delete = [gone(job)]
    return found


def gone(job: Json) -> Delete:
    """What ends a Job, and its pods before."""
    return Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"], "Foreground")
