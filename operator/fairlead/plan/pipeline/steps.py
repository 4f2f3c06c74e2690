"""One step of a run: attempts, what became of them, and whether there is another.

An attempt is recorded (number, name of its Job) before its Job is made; its outcome is recorded before anything follows
from it. Whatever is killed in between, the next look goes on from the record. A step that is over stays over, even if
its Job is deleted: nothing here looks at Jobs of steps without a running attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fairlead.api.logged import Logged
from fairlead.api.pipeline import Step
from fairlead.api.pipelinerun import ItemStatus, StepStatus
from fairlead.api.tasks import PublishResult, TaskResult
from fairlead.api.units import seconds
from fairlead.manifests.job import PUBLISH, STEP
from fairlead.manifests.meta import child_name
from fairlead.manifests.workers import NAME_LIMIT
from fairlead.plan.core import LABEL_PREFIX, Json, epoch
from fairlead.plan.jobs import attempt, failures, gang, jobpods, result
from fairlead.plan.jobs.attempt import Answered, Broken, Followed, Paused, Running
from fairlead.plan.jobs.backoff import Backoff
from fairlead.plan.jobs.failures import Failure
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.jobs.record import FINAL, Budget, Recorded
from fairlead.plan.jobs.result import UNREADABLE
from fairlead.plan.pipeline import clocks, logs, memory, together
from fairlead.plan.pipeline.logs import Look
from fairlead.plan.pipeline.reading import PROGRAM, Reading
from fairlead.plan.read import NotReadable
from fairlead.plan.requests import KeepLog, ReadDocument

DISRUPTIONS = 10
"""Attempts that a step may lose to the cluster."""
_DISRUPTED = Backoff(2.0, 300.0)
"""Between attempts that the cluster lost."""
_LONGEST = 3600.0
"""Seconds between attempts that failed by the step's own fault."""
CANCELLED, RUN_FAILED, RUN_TIMEOUT = "Cancelled", "RunFailed", "RunTimeout"
"""Why a step is aborted: the run was cancelled; another step has failed, and this one could not start; the run took
longer than it may."""
SKIPPED = "Skipped"
"""Reason of a step that is completed without having run."""
STARTING = "Starting"
"""Reason of a step whose pod does what every pod does at first."""
MESSAGE = 320
"""Characters of a step's message. A status of 64 steps takes about 60 KB, half of it the template and the digests."""


@dataclass(frozen=True)
class View(Look):
    """What is looked at in one plan of a run."""

    wanted: Callable[[StepStatus], Json | None] = lambda _: None
    """The Job of a recorded attempt, as it is made."""
    memory: Callable[[StepStatus], str] = lambda _: ""
    """What a step's program may use at first; empty: as much as its node has."""
    reading: Callable[[StepStatus], Reading] = lambda _: PROGRAM
    """What the containers of a step's pod mean."""

    def job(self, status: StepStatus) -> Json | None:
        """The Job of a step's running attempt, if it is there and (once its uid is known) the same one."""
        found = failures.own_job(self.world, status.job, self.uid) if status.job else None
        same = found is not None and status.job_uid in ("", found["metadata"]["uid"])
        return found if same else None

    def pods(self, job_uid: str) -> list[Json]:
        """The pods that claim to be of a Job of this run."""
        return failures.pods_of(self.world, {LABEL_PREFIX + Attempt.label: self.name}, job_uid)


@dataclass(frozen=True)
class Attempt(Followed[PublishResult]):
    """A recorded attempt at a step, or the Job that asks the store what an attempt has committed."""

    label = "run"
    lost = "the attempt's Job or pod was deleted before its outcome was seen"
    forgotten = ("job", "job_uid")

    context: View
    status: StepStatus

    @property
    def recorded(self) -> Recorded:
        """The attempt."""
        return Recorded(self.status.job, self.status.job_uid, self.status.attempt)

    @property
    def main(self) -> str:
        """The container that answers."""
        return PUBLISH

    @property
    def is_recall(self) -> bool:
        """Whether it only asks what was committed."""
        return is_recall(self.context, self.status)

    def manifest(self) -> Json | None:
        """The Job as it is made. Raises NotReadable for a Dataset that can't be read."""
        return self.context.wanted(self.status)

    def answer(self, said: TaskResult) -> PublishResult | None:
        """What was committed."""
        return said.publish

    def failure(self, found: Found, said: TaskResult | None) -> Failure:  # noqa: ARG002 - the pod has it too
        """A recall runs none of the user's code: that it fails is never the step's own fault."""
        if not self.is_recall:
            return self._hopeless(found, self.context.reading(self.status).failure(found))
        failed = found.failure(None)
        if failed.fault == "cluster":
            return failed
        return Failure("Disrupted", f"what the attempt committed can't be read: {failed.message}", "cluster")

    def budget(self, failure: Failure) -> Budget:
        """A failure of the step's own spends `retry`; of those that the cluster is to blame for it may have a few."""
        if failure.fault == "own":
            retry, count = self.step.retry, self.status.failures + 1
            return Budget(Backoff(seconds(retry.backoff), _LONGEST).after(count), "failures", count, retry.limit + 1)
        if failure.fault == "cluster":
            count = self.status.disruptions + 1
            return Budget(_DISRUPTED.after(count), "disruptions", count, DISRUPTIONS + 1)
        return FINAL

    def _hopeless(self, found: Found, failed: Failure) -> Failure:
        """After some exit codes, and with all the memory that it may have, another attempt can't help."""
        stopped = failures.terminated(found.pod, STEP) if found.pod is not None else None
        if failed.reason == "UserError" and stopped and stopped["exitCode"] in self.step.retry.not_on:
            return replace(failed, fault="final")
        if failed.reason == "OutOfMemory" and failed.fault == "own" and self.more_memory() is None:
            return Failure(failed.reason, f"{failed.message}, or retry.memory: it had all of it", "final")
        return failed

    def more_memory(self) -> str | None:
        """What the next attempt may use, if this one has run out of it; None: no more than this one."""
        return memory.more(self.step.retry, self.status.memory or self.context.memory(self.status))

    @property
    def step(self) -> Step:
        """As the run's template has it."""
        assert self.context.template is not None
        return next(step for step in self.context.template.steps if step.name == self.status.name)


def job_name(view: View, step: str, attempt: int, item: int | None, *, recall: bool = False) -> str:
    """The name of an attempt's Job. recall: of that which asks what the attempt has committed."""
    parts = [str(attempt), *(["recall"] if recall else [])]
    if item is not None:
        return child_name(f"{view.name}-{step}-{item}", view.uid, step, *parts, "item")
    # pods that work together have its name and their index as their hostnames
    limit = NAME_LIMIT if _is_many(view, step) else 63
    return child_name(f"{view.name}-{step}", view.uid, step, *parts, limit=limit)


def _is_many(view: View, step: str) -> bool:
    """Whether its attempts have several pods."""
    steps = view.template.steps if view.template is not None else ()
    return any(one.name == step and one.workers is not None for one in steps)


def recall_name(view: View, status: StepStatus) -> str:
    """The name of the Job that asks what the attempt has committed."""
    return job_name(view, status.name, status.attempt, _item(status), recall=True)


def _item(status: StepStatus) -> int | None:
    return status.item if isinstance(status, ItemStatus) else None


def is_recall(view: View, status: StepStatus) -> bool:
    """Whether the running Job only asks what was committed."""
    return status.job == recall_name(view, status)


def over(status: StepStatus) -> bool:
    """Whether a step is finished, however it went."""
    return status.phase in ("Completed", "Failed", "Aborted")


def ran(status: StepStatus) -> bool:
    """Whether a step has completed and was not skipped: then its outputs are there."""
    return status.phase == "Completed" and status.reason != SKIPPED


def busy(status: StepStatus) -> bool:
    """Whether a step has a running attempt (perhaps one whose Job is still to be made)."""
    return bool(status.job) and not over(status)


def begin(view: View, status: StepStatus) -> StepStatus:
    """Record the next attempt."""
    attempt = status.attempt + 1
    name = job_name(view, status.name, attempt, _item(status))
    return _with(
        status, attempt=attempt, job=name, job_uid="", not_before=None, reason=STARTING, message="",
        started_at=status.started_at or view.stamp, **clocks.reset(),
    )  # fmt: skip


def noted(view: View, status: StepStatus) -> StepStatus:
    """The step whose attempt is about to be ended, with what becomes of its log."""
    if is_recall(view, status):
        return status
    found = attempt.find(Attempt(view, status))
    return _logged_by(view, status, found) if found.pods else status


def _logged_by(view: View, status: StepStatus, found: Found) -> StepStatus:
    return logs.noted(view, status, found.pod, found.others)


def unmade(status: StepStatus, why: NotReadable) -> StepStatus:
    """The step whose Job can't be made, for what it needs can't be read."""
    return _with(status, phase="Pending", reason=why.reason, message=why.message)


def requests(view: View, status: StepStatus, stopping: bool = False) -> list[ReadDocument | KeepLog]:
    """What has to be read before the answer of a step's attempt is known, and the log that is to be kept. stopping: the
    attempt is about to be ended."""
    if not busy(status):
        return [*logs.requests(view, status, None, stopping)]
    found = attempt.find(Attempt(view, status))
    # an attempt has one log: not that of a pod after which another one comes
    pod = None if jobpods.outlived(found) and not stopping else found.pod
    return [*result.requests(found), *logs.requests(view, status, pod, stopping)]


def outdated(view: View, status: StepStatus) -> Json | None:
    """The Job of an attempt that waits for a worker image which the operator does not use any more, or None."""
    one = Attempt(view, status)
    found = attempt.find(one) if busy(status) else None
    if found is None or found.job is None or "deletionTimestamp" in found.job["metadata"]:
        return None
    return found.job if attempt.outdated_image(one, found) else None


def lingering(view: View, status: StepStatus) -> Json | None:
    """The Job of a step that is over, if what somebody has added to its pod goes on; or of one whose workers are to
    end."""
    failing = status.failing is not None and busy(status)
    if logs.pending(status) or not (over(status) or failing) or not status.job:
        return None
    found = attempt.find(Attempt(view, status))
    if failing:
        return found.job if together.held(found) else None
    return found.job if jobpods.lingers(found) else None


def due(view: View, status: StepStatus) -> bool:
    """Whether a step that waits may begin, as far as its own pause is concerned."""
    if status.phase != "Pending" or status.job or logs.holds(view, status, logs.HOLD):
        return False
    left = epoch(status.not_before) - view.now if status.not_before else 0.0
    if left > 0:
        view.look_again.append(left)
    return left <= 0


def advance(view: View, status: StepStatus) -> StepStatus:
    """The step after a look at its running attempt."""
    status = logs.followed(view, status)
    if not busy(status):
        return status
    seen = attempt.look(Attempt(view, status))
    if isinstance(seen, Paused) or not seen.found.uid:
        return status  # recorded, and still to be made
    status = _with(status, job_uid=seen.found.uid)
    if not isinstance(seen, Running | Broken):
        return _answered(view, status, seen)
    if clocks.stopping(status):
        return _stopping(view, status)
    if status.failing is not None and not (isinstance(seen, Running) and seen.answered):
        return _failing(view, status, seen.found)
    if isinstance(seen, Running):
        return _timed(view, _running(view, status, seen), seen)
    return _broken(view, status, seen)


def _answered(view: View, status: StepStatus, seen: Answered[PublishResult]) -> StepStatus:
    left = together.left(Attempt(view, status).step, status, seen.found, view.now)
    if left > 0 and status.failing is None:
        view.look_again.append(left)
        return together.ending(clocks.told(status, seen.found, view.now), seen.found)
    return completed(view, _seen(view, status, seen.found), seen.answer)


def _failing(view: View, status: StepStatus, found: Found) -> StepStatus:
    """Of an attempt with several workers that has failed: settled when none of them runs any more."""
    one = Attempt(view, status)
    seen = gang.failed(found, one.failure) if found.count > 1 else None
    status = together.failing(status, seen) if seen is not None else status
    if together.goes_on(found, view.pods(status.job_uid)):
        view.look_again.append(attempt.STUCK)
        return together.stopping(status, found, view.now)
    return _settle(view, status, together.cause(status))


def _timed(view: View, status: StepStatus, seen: Running) -> StepStatus:
    """With its clocks. One that has reached its limit is to be stopped."""
    if seen.answered or is_recall(view, status) or attempt.is_late(seen.found):
        return status
    status = clocks.told(status, seen.found, view.now)
    if (lost := view.reading(status).hopeless(seen.found)) is not None:
        return _with(noted(view, status), reason=lost.reason, message=lost.message)
    late = clocks.late(Attempt(view, status).step, status, seen.found, view.now)
    if late is None or late.left > 0:
        view.look_again.extend([late.left] if late else [])
        return status
    return _with(noted(view, status), reason=late.reason, message=late.message)


def _stopping(view: View, status: StepStatus) -> StepStatus:
    """It has failed when nothing of it is left: no other attempt begins beside it."""
    if view.job(status) is not None or view.pods(status.job_uid):
        return status
    return _settle(view, status, clocks.failure(status))


def _running(view: View, status: StepStatus, seen: Running) -> StepStatus:
    if seen.look_again is not None:
        view.look_again.append(seen.look_again)
    if attempt.is_late(seen.found):
        return status
    why = seen.waiting or failures.Waiting("", "")
    begun = seen.found.begun and seen.found.waiting(view.now) is None
    if seen.answered or begun:
        return _with(status, phase="Running", reason=why.reason, message=why.message)
    return _waiting(status, seen.waiting, seen.stage)


def _broken(view: View, status: StepStatus, seen: Broken) -> StepStatus:
    found, lost = seen.found, seen.failure.fault == "unreadable"
    complete = found.pod is None and found.job is not None and failures.has_condition(found.job, "Complete")
    status = _seen(view, status, found)
    if (cause := _cause(view, status, seen)) is not None:
        return _failing(view, together.failing(status, cause), found)
    if lost or (complete and not found.foreign):
        return _recall(view, status, seen.failure.message if lost else "")
    return _settle(view, status, seen.failure)


def _cause(view: View, status: StepStatus, seen: Broken) -> gang.Cause | None:
    """Why an attempt with several workers has failed; None: it is no such one, or nothing of it runs."""
    found, one = seen.found, Attempt(view, status)
    if seen.failure.fault == "unreadable" or one.is_recall or one.step.workers is None or found.foreign:
        return None
    if (cause := gang.failed(found, one.failure)) is not None:
        return cause
    goes_on = together.goes_on(found, view.pods(status.job_uid))
    return gang.Cause(seen.failure, gang.DELETED) if goes_on else None


def _waiting(status: StepStatus, found: failures.Waiting | None, stage: str) -> StepStatus:
    if found is None and status.reason == UNREADABLE:
        return _with(status, phase="Pending")  # why the store is asked
    if found is None:
        return _with(status, phase="Pending", reason=STARTING, message=stage)
    return _with(status, phase="Pending", reason=found.reason, message=found.message)


def _recall(view: View, status: StepStatus, unreadable: str) -> StepStatus:
    """The attempt succeeded, but its answer is lost: ask the store what it committed. unreadable: why nobody can read
    it; empty: nobody has heard it."""
    if is_recall(view, status) and unreadable:
        return _settle(view, status, Failure(UNREADABLE, unreadable, "final"))
    if is_recall(view, status):
        lost = Failure("Disrupted", "the attempt succeeded, but its answer was lost twice", "cluster")
        return _settle(view, status, lost)
    name = recall_name(view, status)
    text = f"the attempt succeeded, but {unreadable or 'its pod is gone'}; asking the store what it has committed"
    reason = UNREADABLE if unreadable else "Recall"
    return _with(status, job=name, job_uid="", phase="Pending", reason=reason, message=text)


def _seen(view: View, status: StepStatus, found: Found) -> StepStatus:
    """With the image that ran, and what becomes of its log: a pod that is deleted can't say them any more."""
    status = status if is_recall(view, status) else _logged_by(view, status, found)
    image = view.reading(status).image(found.pod) if found.pod is not None else ""
    return _with(status, image=image[:512]) if image else status


def completed(view: View, status: StepStatus, said: PublishResult) -> StepStatus:
    """The step with what was committed."""
    if said.uncached and status.cache is not None:
        text = f"nothing is left for later runs: {said.uncached}"
        status = _with(status, cache=status.cache.model_copy(update={"message": text}))
    return _with(
        status, phase="Completed", reason="", message="", outputs=said.outputs, not_before=None,
        finished_at=view.stamp, metrics=said.metrics, logged=_logged(said), failing=None,
        **clocks.ended(status, view.now),
    )  # fmt: skip


def _logged(said: PublishResult) -> Logged | None:
    """What is said of that which was logged, besides the metrics; None: nothing was."""
    left = "; ".join(said.left_out)
    if not (said.values or said.artifacts or left):
        return None
    return Logged(outcome=said.outcome, artifacts=len(said.artifacts), values=said.values, left_out=left[:512])


def _settle(view: View, status: StepStatus, failed: Failure) -> StepStatus:
    """Count a failed attempt; try again, or give up."""
    one = Attempt(view, status)
    settled = attempt.settle(one, failed)
    status = _with(status, reason=failed.reason, message=failed.message, failing=None, **settled.changes,
                   **clocks.ended(status, view.now))  # fmt: skip
    if settled.pause is not None:
        raised = one.more_memory() if failed.reason == "OutOfMemory" and failed.fault == "own" else None
        more = {"memory": raised} if raised and raised != view.memory(status) else {}
        return _with(status, phase="Pending", **more)
    return _with(status, phase="Failed", message=_final(view, status), finished_at=view.stamp)


def _final(view: View, status: StepStatus) -> str:
    """The message of a step that is given up: what happened, how often, and where its log is."""
    where = f"log: kubectl logs -n {view.subject.meta.namespace} job/{status.job} -c {STEP}"
    tried = f" (attempt {status.attempt})" if status.attempt > 1 else ""
    room = MESSAGE - len(where) - len(tried) - 3
    return f"{status.message[:room]}{tried}; {where}"


def _with(status: StepStatus, **changes: Any) -> StepStatus:
    if "message" in changes:
        changes["message"] = changes["message"][: MESSAGE + 80]
    return status.model_copy(update=changes)
