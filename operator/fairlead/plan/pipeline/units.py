"""What one look does with one step of a run: begin it, follow it, stop it. A step is one attempt at a time, or, with
`each`, one for every item that is alive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import ItemStatus, PipelineRunStatus, StepStatus
from fairlead.plan.core import JOB, Delete, Event, Json, rfc3339
from fairlead.plan.jobs import failures
from fairlead.plan.pipeline import clocks, dag, items, logs, steps
from fairlead.plan.pipeline.each import asking, fan
from fairlead.plan.pipeline.types import registry as types
from fairlead.plan.pipeline.types.base import Before, Order
from fairlead.plan.read import NotReadable
from fairlead.plan.requests import Request

CANCELLED, FAILED = steps.CANCELLED, steps.RUN_FAILED
"""Why a step is aborted: the run was cancelled; another step has failed, and this one could not start."""
TIMEOUT = steps.RUN_TIMEOUT
"""The run took longer than it may."""
ENDING = (CANCELLED, FAILED, TIMEOUT, *clocks.FAULTS)
"""Reasons of steps whose running attempts are stopped."""
SOON, LOOK_AGAIN = 0.5, 5.0
"""Seconds between looks of what waits for the store's answer, and for an object that can't be read."""


@dataclass
class Making:
    """Jobs of recorded attempts that are not there yet, and the step as it stands then."""

    status: StepStatus
    create: list[Json] = field(default_factory=list)


def _is_many(view: steps.View, status: StepStatus) -> bool:
    """Whether it runs once for each item of a list."""
    return fan.step_of(view, status).each is not None


def order(view: steps.View, run: PipelineRunStatus, spec: PipelineSpec, status: StepStatus) -> Order:
    """What the Job of a recorded attempt is made for. Raises NotReadable for an item whose values are not at hand."""
    step = next(one for one in spec.steps if one.name == status.name)
    item = fan.shelf(view, status).item(status.item) if isinstance(status, ItemStatus) else None
    by_name = {one.name: one for one in spec.steps}
    over = {name: by_name[name] for name in sorted(dag.over_before(spec, step))}
    before = {name: Before(types.program(one), sorted(dag.dependencies(one))) for name, one in over.items()}
    return Order(view, run, spec, step, status, item, before)


def requests(view: steps.View, status: StepStatus) -> list[Request]:
    """What has to be read before the answers of its attempts are known."""
    stopping = view.subject.body.spec.cancel == "now" or status.reason in ENDING
    if asking.under_way(status) and not over(status):
        return list(asking.requests(view, status))
    if not _is_many(view, status):
        return list(steps.requests(view, status, stopping))
    found = [one for piece in fan.pieces(view, status)
             for one in steps.requests(view, piece, stopping or piece.reason in ENDING)]  # fmt: skip
    return [*found, *fan.values_asked(view, status)]


def over(status: StepStatus) -> bool:
    """Whether it is finished, however it went."""
    return steps.over(status)


def busy(status: StepStatus) -> bool:
    """Whether it has a running attempt, perhaps one whose Job is still to be made; or items that are alive."""
    many = status.items is not None and bool(status.items.live or status.items.total is None)
    return steps.busy(status) or (many and not over(status))


def due(view: steps.View, status: StepStatus) -> bool:
    """Whether it may begin, or be tried again, as far as its own pause is concerned."""
    return fan.due(view, status) if _is_many(view, status) else steps.due(view, status)


def begin(view: steps.View, status: StepStatus) -> StepStatus:
    """Record what begins."""
    return fan.begin(view, status) if _is_many(view, status) else steps.begin(view, status)


def advance(view: steps.View, status: StepStatus) -> StepStatus:
    """The step after a look at what runs of it."""
    return fan.advance(view, status) if _is_many(view, status) else steps.advance(view, status)


def archived(view: steps.View, status: StepStatus) -> StepStatus:
    """A step of a run that is over, after a look at the log that is still to be kept."""
    return logs.followed(view, status)


def make(view: steps.View, run: PipelineRunStatus, spec: PipelineSpec, status: StepStatus) -> Making:
    """The Jobs that are to be made now."""
    if status.items is not None:
        return _make_items(view, run, spec, status)
    if not steps.busy(status) or status.job_uid or view.job(status):
        return Making(status)
    try:
        return Making(status, [types.job(order(view, run, spec, status))])
    except NotReadable as why:  # the other steps go on
        view.look_again.append(LOOK_AGAIN)
        return Making(steps.unmade(status, why))


def _make_items(view: steps.View, run: PipelineRunStatus, spec: PipelineSpec, status: StepStatus) -> Making:
    found = Making(status)
    try:
        if asking.under_way(status):
            found.create += asking.make(view, status)
            return found
        for piece in fan.pieces(view, status):
            if steps.busy(piece) and not piece.job_uid and not view.job(piece) and piece.reason != FAILED:
                found.create.append(types.job(order(view, run, spec, piece)))
    except NotReadable as why:  # the other steps go on, and items that come after this one would not fare better
        view.look_again.append(SOON if isinstance(why, items.Unread) and why.soon else LOOK_AGAIN)
        if not isinstance(why, items.Unread) or not why.soon:
            found.status = steps.unmade(status, why)
    return found


def aborted(view: steps.View, before: StepStatus, after: StepStatus, why: str) -> StepStatus:
    """A step that is to end: over as soon as nothing of its attempt is left. before, after: it, before and after this
    look."""
    if _is_many(view, before):
        return fan.aborted(view, before, after, why)
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
    if _is_many(view, before):
        return fan.without(view, before, after)
    if busy(before) and (before.reason == FAILED or after.reason in failures.CANT_START):
        return aborted(view, before, after, FAILED)
    return after


def drained(view: steps.View, before: StepStatus, after: StepStatus) -> StepStatus:
    """A step of a run that begins nothing more: what runs may end."""
    return fan.drained(view, before, after) if _is_many(view, before) else after


def stopped(view: steps.View, status: StepStatus) -> Iterator[Delete]:
    """What ends its running attempts."""
    if status.items is not None:
        yield from fan.stops(view, status, every=status.reason in (CANCELLED, TIMEOUT))
        return
    job = view.job(status)
    if busy(status) and logs.holds(view, status, logs.STOP):
        return
    if busy(status) and job is not None and "deletionTimestamp" not in job["metadata"]:
        yield Delete(JOB, status.job, job["metadata"]["uid"], "Foreground")


def outdated(view: steps.View, status: StepStatus) -> Iterator[Delete]:
    """Jobs that wait for a worker image which the operator does not use any more: they are made again."""
    for one in fan.pieces(view, status) if status.items is not None else [status]:
        if (job := steps.outdated(view, one)) is not None:
            yield Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"], "Foreground")


def lingering(view: steps.View, status: StepStatus) -> Iterator[Delete]:
    """Jobs of what is over, if what somebody has added to their pods goes on; of items all that is recorded, and all
    that is to end."""
    if status.items is not None:
        yield from fan.stops(view, status, every=False)
        yield from fan.leftovers(view, status)
    elif (job := steps.lingering(view, status)) is not None:
        yield Delete(JOB, job["metadata"]["name"], job["metadata"]["uid"])


def doing(status: StepStatus) -> str:
    """What runs of it, in a word or two."""
    if status.items is not None and status.items.total is not None:
        return f"{status.name} ({fan.progress(status.items)})"
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
