"""The Job that asks a Dataset's version for the items of a step: the distinct rows of some columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fairlead.api.each import Asked, Items
from fairlead.api.pipelinerun import StepStatus
from fairlead.api.tasks import INPUTS, FetchTask, ItemsResult, ItemsTask, TaskResult
from fairlead.manifests import job, limits
from fairlead.manifests.meta import child_name, labels, owner_reference
from fairlead.plan import store
from fairlead.plan.core import JOB, PIPELINE_RUN, Delete, Json
from fairlead.plan.jobs import attempt, failures
from fairlead.plan.jobs import record as records
from fairlead.plan.jobs.attempt import Broken, OfWorker, Paused, Running
from fairlead.plan.jobs.failures import Failure, by_task
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.pipeline import steps
from fairlead.plan.pipeline.steps import View
from fairlead.plan.pipeline.types.jobs import fetch_dataset
from fairlead.plan.requests import ReadDocument

DATA = f"{INPUTS}/data"


@dataclass(frozen=True)
class Asking(OfWorker[ItemsResult]):
    """A recorded attempt."""

    label = "run"
    lost = "the pod that asked for the items is gone, and its answer with it"

    context: View
    status: StepStatus

    @property
    def recorded(self) -> Asked:
        """The attempt."""
        return _asked(self.status)

    @property
    def main(self) -> str:
        """The container that answers."""
        return job.ITEMS

    def manifest(self) -> Json:
        """The Job as it is made. Raises NotReadable for a Dataset that can't be read."""
        return manifest(self.context, self.status)

    def answer(self, said: TaskResult) -> ItemsResult | None:
        """The items."""
        return said.items

    def failure(self, found: Found, said: TaskResult | None) -> Failure:
        """That the data have no such column, or too many values, no other attempt changes."""
        if said is not None and said.error is not None:
            failed = by_task(said.error)
            return Failure(failed.reason, failed.message, "final" if failed.fault == "own" else failed.fault)
        failed = found.failure(None, failures.INSTALLATION)
        return Failure(failed.reason, f"the items could not be read: {failed.message}", "cluster")


def _asked(status: StepStatus) -> Asked:
    assert status.items is not None
    assert status.items.asked is not None
    return status.items.asked


def first(view: View, status: StepStatus, attempt: int = 1) -> Asked:
    """The record of an attempt."""
    name = child_name(f"{view.name}-{status.name}", view.uid, status.name, str(attempt), "items")
    return Asked(name=name, attempt=attempt)


def manifest(view: View, status: StepStatus) -> Json:
    """fetch → items. Raises NotReadable for a Dataset that can't be read."""
    assert view.template is not None
    each = next(one.each for one in view.template.steps if one.name == status.name)
    assert each is not None
    run, meta, config = view.subject.body, view.subject.meta, view.world.config
    pinned = next(one for one in run.status.datasets if one.name == each.dataset)
    item, secrets = fetch_dataset(view, pinned, DATA)
    folder = store.step_folder(view.template.store, config, meta.namespace, run.spec.pipeline, view.uid, status.name)
    asked = _asked(status)
    who = job.Identity(
        name=asked.name, namespace=meta.namespace,
        owner=owner_reference(PIPELINE_RUN.api_version, PIPELINE_RUN.kind, meta.name, meta.uid),
        labels=labels(run=meta.name, pipeline=run.spec.pipeline, step=status.name, attempt=str(asked.attempt),
                      asks="items"),
    )  # fmt: skip
    return job.items_job(who, job.ItemsPod(
        image=config.images.worker, fetch=FetchTask(items=[item]), fetch_credentials=secrets,
        task=ItemsTask(columns=list(each.distinct or ()), folder=DATA, store=folder.place()),
        credentials=folder.reach.credentials, limits=limits.reading(config.jobs, kept=True),
        deadline=limits.deadline(config.jobs),
    ))  # fmt: skip


def under_way(status: StepStatus) -> bool:
    """Whether the items are still to be heard of."""
    return status.items is not None and status.items.total is None


def requests(view: View, status: StepStatus) -> list[ReadDocument]:
    """What has to be read before the answer is known."""
    return attempt.requests(Asking(view, status))


def make(view: View, status: StepStatus) -> list[Json]:
    """The Job, if it is to be made now. Raises NotReadable for a Dataset that can't be read."""
    asked = _asked(status)
    made = failures.own_job(view.world, asked.name, view.uid) is not None
    return [] if asked.uid or asked.not_before or made or steps.over(status) else [manifest(view, status)]


def due(view: View, recorded: StepStatus) -> bool:
    """Whether another attempt may begin, as far as its pause is concerned: so nothing begins in a run that is to end,
    or is suspended. recorded: the step before this look, for what was heard in it is recorded first."""
    return under_way(recorded) and records.left(_asked(recorded), view.now) == 0


def begin(view: View, status: StepStatus) -> StepStatus:
    """Record the next attempt."""
    asked = _asked(status)
    again = first(view, status, asked.attempt + 1).model_copy(update={"unreadable": asked.unreadable})
    return _say(_with(status, again), steps.STARTING, "asking the data for its items once more")


def advance(view: View, status: StepStatus) -> StepStatus:
    """The step after a look at the Job."""
    seen, asked = attempt.look(Asking(view, status)), _asked(status)
    if isinstance(seen, Paused):
        view.look_again.extend([seen.left] if seen.left > 0 else [])
        return status
    asked = asked.model_copy(update={"uid": seen.found.uid})
    if isinstance(seen, Running):
        return _waits(view, _with(status, asked), seen)
    if isinstance(seen, Broken):
        return _broken(view, _with(status, asked), seen)
    found = Items(total=seen.answer.total, pages=seen.answer.pages, folder=_folder(status))
    return status.model_copy(update={"items": found, "reason": steps.STARTING, "message": ""})


def _folder(status: StepStatus) -> str:
    assert status.items is not None
    return status.items.folder


def _waits(view: View, status: StepStatus, seen: Running) -> StepStatus:
    if seen.look_again is not None:
        view.look_again.append(seen.look_again)
    if seen.waiting is not None:
        return _say(status, seen.waiting.reason, seen.waiting.message)
    return _say(status, steps.STARTING, "asking the data for its items")


def _broken(view: View, status: StepStatus, seen: Broken) -> StepStatus:
    settled = attempt.settle(Asking(view, status), seen.failure)
    status = _say(status, seen.failure.reason, seen.failure.message)
    if settled.pause is None:
        return status.model_copy(update={"phase": "Failed", "finished_at": view.stamp})
    return _with(status, _asked(status).model_copy(update=dict(settled.changes)))


def _say(status: StepStatus, reason: str, message: str) -> StepStatus:
    return status.model_copy(update={"reason": reason, "message": message[: steps.MESSAGE]})


def _with(status: StepStatus, asked: Asked) -> StepStatus:
    assert status.items is not None
    return status.model_copy(update={"items": status.items.model_copy(update={"asked": asked})})


def aborted(view: View, status: StepStatus, why: str) -> StepStatus:
    """A step whose items are not known yet, and that is to end."""
    asked = _asked(status)
    made = failures.own_job(view.world, asked.name, view.uid)
    uid = made["metadata"]["uid"] if made else asked.uid
    if not asked.not_before and (made is not None or view.pods(uid)):
        held = _with(status, asked.model_copy(update={"uid": uid}))
        return _say(held, why, "the pod that asks for the items is being stopped")
    return status.model_copy(update={"phase": "Aborted", "reason": why, "message": "", "finished_at": view.stamp})


def stops(view: View, status: StepStatus) -> Iterator[Delete]:
    """What ends the Job of a step that is to end."""
    if not under_way(status) or status.reason not in (steps.CANCELLED, steps.RUN_FAILED, steps.RUN_TIMEOUT):
        return
    made: Any = failures.own_job(view.world, _asked(status).name, view.uid)
    if made is not None and "deletionTimestamp" not in made["metadata"]:
        yield Delete(JOB, made["metadata"]["name"], made["metadata"]["uid"], "Foreground")
