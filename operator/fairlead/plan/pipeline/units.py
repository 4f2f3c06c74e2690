"""What one look does with one step of a run: begin it, follow it, stop it. A step is one attempt at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import PipelineRunStatus, StepStatus
from fairlead.plan.core import JOB, Delete, Event, Json, rfc3339
from fairlead.plan.jobs import failures
from fairlead.plan.pipeline import clocks, logs, steps
from fairlead.plan.pipeline.types import registry as types
from fairlead.plan.pipeline.types.base import Order
from fairlead.plan.read import NotReadable
from fairlead.plan.requests import Request

CANCELLED, FAILED = "Cancelled", "RunFailed"
"""Why a step is aborted: the run was cancelled; another step has failed, and this one could not start."""
TIMEOUT = "RunTimeout"
"""The run took longer than it may."""
ENDING = (CANCELLED, FAILED, TIMEOUT, *clocks.FAULTS)
"""Reasons of steps whose running attempts are stopped."""
LOOK_AGAIN = 5.0
"""Seconds between looks of what waits for an object that can't be read."""


@dataclass
class Making:
    """Jobs of recorded attempts that are not there yet, and the step as it stands then."""

    status: StepStatus
    create: list[Json] = field(default_factory=list)


def requests(view: steps.View, status: StepStatus) -> list[Request]:
    """What has to be read before the answers of its attempts are known."""
    stopping = view.subject.body.spec.cancel == "now" or status.reason in ENDING
    return list(steps.requests(view, status, stopping))


def over(status: StepStatus) -> bool:
    """Whether it is finished, however it went."""
    return steps.over(status)


def busy(status: StepStatus) -> bool:
    """Whether it has a running attempt, perhaps one whose Job is still to be made."""
    return steps.busy(status)


def due(view: steps.View, status: StepStatus) -> bool:
    """Whether it may begin, or be tried again, as far as its own pause is concerned."""
    return steps.due(view, status)


def begin(view: steps.View, status: StepStatus) -> StepStatus:
    """Record what begins."""
    return steps.begin(view, status)


def advance(view: steps.View, status: StepStatus) -> StepStatus:
    """The step after a look at what runs of it."""
    return steps.advance(view, status)


def archived(view: steps.View, status: StepStatus) -> StepStatus:
    """A step of a run that is over, after a look at the log that is still to be kept."""
    return logs.followed(view, status)


def make(view: steps.View, run: PipelineRunStatus, spec: PipelineSpec, status: StepStatus) -> Making:
    """The Jobs that are to be made now."""
    if not steps.busy(status) or status.job_uid or view.job(status):
        return Making(status)
    step = next(one for one in spec.steps if one.name == status.name)
    try:
        return Making(status, [types.job(Order(view, run, spec, step, status))])
    except NotReadable as why:  # the other steps go on
        view.look_again.append(LOOK_AGAIN)
        return Making(steps.unmade(status, why))


def aborted(view: steps.View, before: StepStatus, after: StepStatus, why: str) -> StepStatus:
    """A step that is to end: over as soon as nothing of its attempt is left. before, after: it, before and after this
    look."""
    if over(before) or after.phase == "Completed":
        return after
    job = view.job(before)
    uid = job["metadata"]["uid"] if job else before.job_uid
    # deleted in the foreground, a Job stays until its pods are gone, those included that were not seen yet
    if busy(before) and (job is not None or view.pods(uid)):
        before = steps.noted(view, before)
        return before.model_copy(update={"job_uid": uid, "reason": why, "message": "its pod is being stopped"})
    changes: dict[str, Any] = {"phase": "Aborted", "reason": why, "message": "", "not_before": None}
    if before.attempt:
        changes |= {"finished_at": rfc3339(view.now), **clocks.ended(before, view.now)}
    return before.model_copy(update=changes)


def without(view: steps.View, before: StepStatus, after: StepStatus) -> StepStatus:
    """A step of a run in which another one has failed: what runs may end, what can't start is not waited for."""
    if busy(before) and (before.reason == FAILED or after.reason in failures.CANT_START):
        return aborted(view, before, after, FAILED)
    return after


def stopped(view: steps.View, status: StepStatus) -> Iterator[Delete]:
    """What ends its running attempts."""
    job = view.job(status)
    if busy(status) and logs.holds(view, status, logs.STOP):
        return
    if busy(status) and job is not None and "deletionTimestamp" not in job["metadata"]:
        yield Delete(JOB, status.job, job["metadata"]["uid"], "Foreground")


def outdated(view: steps.View, status: StepStatus) -> Iterator[Delete]:
    """Jobs that wait for a worker image which the operator does not use any more: they are made again."""
    if (job := steps.outdated(view, status)) is not None:
        yield Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"], "Foreground")


def lingering(view: steps.View, status: StepStatus) -> Iterator[Delete]:
    """Jobs of what is over, if what somebody has added to their pods goes on."""
    if (job := steps.lingering(view, status)) is not None:
        yield Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"])


def doing(status: StepStatus) -> str:
    """What runs of it, in a word or two."""
    return status.name if status.attempt == 1 else f"{status.name} (attempt {status.attempt})"


def events(before: StepStatus, after: StepStatus) -> Iterator[Event]:
    """What is told of a look."""
    if after.phase == "Failed" and before.phase != "Failed":
        yield Event("StepFailed", f"step {after.name}: {after.reason}: {after.message}", warning=True)
    elif after.failures > before.failures or after.disruptions > before.disruptions:
        text = (
            f"step {after.name}, attempt {after.attempt}: {after.reason}: {after.message}; again at {after.not_before}"
        )
        yield Event("StepRetried", text, warning=True)
