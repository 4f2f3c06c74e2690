"""One step of a run: attempts, what became of them, and whether there is another.

An attempt is recorded (number, name of its Job) before its Job is made; its outcome is recorded before anything follows
from it. Whatever is killed in between, the next look goes on from the record. A step that is over stays over, even if
its Job is deleted: nothing here looks at Jobs of steps without a running attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fairlead.api.pipeline import Step
from fairlead.api.pipelinerun import PipelineRun, StepStatus
from fairlead.api.tasks import PublishResult
from fairlead.api.units import seconds
from fairlead.manifests.job import PUBLISH, STEP
from fairlead.manifests.meta import child_name
from fairlead.plan.core import LABEL_PREFIX, Json, Subject, World, epoch, rfc3339
from fairlead.plan.jobs import failures, jobpods, likeness
from fairlead.plan.read import NotReadable
from fairlead.plan.requests import ReadDocument

DISRUPTIONS = 10
"""Attempts that a step may lose to the cluster."""
LONGEST_PAUSE = 300.0
"""Seconds between attempts that the cluster lost."""
LONGEST_BACKOFF = 3600.0
STARTING = "Starting"
"""Reason of a step whose pod does what every pod does at first."""
MESSAGE = 320
"""Characters of a step's message. A status of 64 steps takes about 60 KB, half of it the template and the digests."""


@dataclass
class View:
    """What is looked at in one plan of a run."""

    subject: Subject[PipelineRun]
    world: World
    now: float
    wanted: Callable[[StepStatus], Json | None] = lambda _: None
    """The Job of a recorded attempt, as it is made."""
    look_again: list[float] = field(default_factory=list)
    """Seconds after which something is to be done that no event announces."""

    @property
    def uid(self) -> str:
        """The run's."""
        return self.subject.meta.uid

    @property
    def name(self) -> str:
        """The run's."""
        return self.subject.meta.name

    def job(self, status: StepStatus) -> Json | None:
        """The Job of a step's running attempt, if it is there and (once its uid is known) the same one."""
        found = failures.own_job(self.world, status.job, self.uid) if status.job else None
        same = found is not None and status.job_uid in ("", found["metadata"]["uid"])
        return found if same else None

    def find(self, status: StepStatus) -> jobpods.Found:
        """The Job of a step's attempt, and its pod."""
        labels = {LABEL_PREFIX + "run": self.name}
        sought = jobpods.Sought(status.job, self.uid, status.job_uid, labels, PUBLISH)
        try:
            return jobpods.find(self.world, sought, lambda: self.wanted(status))
        except NotReadable:
            return jobpods.Found(PUBLISH, "")  # what it is to be compared with is not known at the moment

    def pods(self, job_uid: str) -> list[Json]:
        """The pods that claim to be of a Job of this run."""
        return failures.pods_of(self.world, {LABEL_PREFIX + "run": self.name}, job_uid)


def job_name(run: str, run_uid: str, step: str, attempt: int) -> str:
    """The name of an attempt's Job."""
    return child_name(f"{run}-{step}", run_uid, step, str(attempt))


def recall_name(run: str, run_uid: str, step: str, attempt: int) -> str:
    """The name of the Job that asks what an attempt has committed."""
    return child_name(f"{run}-{step}", run_uid, step, str(attempt), "recall")


def is_recall(view: View, status: StepStatus) -> bool:
    """Whether the running Job only asks what was committed."""
    return status.job == recall_name(view.name, view.uid, status.name, status.attempt)


def over(status: StepStatus) -> bool:
    """Whether a step is finished, however it went."""
    return status.phase in ("Completed", "Failed", "Aborted")


def busy(status: StepStatus) -> bool:
    """Whether a step has a running attempt (perhaps one whose Job is still to be made)."""
    return bool(status.job) and not over(status)


def begin(view: View, status: StepStatus) -> StepStatus:
    """Record the next attempt."""
    attempt = status.attempt + 1
    name = job_name(view.name, view.uid, status.name, attempt)
    return _with(
        status, attempt=attempt, job=name, job_uid="", not_before=None, reason=STARTING, message="",
        started_at=status.started_at or rfc3339(view.now),
    )  # fmt: skip


def unmade(status: StepStatus, why: NotReadable) -> StepStatus:
    """The step whose Job can't be made, for what it needs can't be read."""
    return _with(status, phase="Pending", reason=why.reason, message=why.message)


def requests(view: View, status: StepStatus) -> list[ReadDocument]:
    """What has to be read before the answer of a step's attempt is known."""
    return jobpods.requests(view.find(status)) if busy(status) else []


def outdated(view: View, status: StepStatus) -> Json | None:
    """The Job of an attempt that waits for a worker image which the operator does not use any more, or None."""
    found = view.find(status) if busy(status) else None
    if found is None or found.pod is None or found.job is None or "deletionTimestamp" in found.job["metadata"]:
        return None
    waiting = failures.waiting(found.pod, view.now)
    if waiting is None or waiting.reason != "ImagePull":
        return None
    made_with = likeness.named(found.asked)[PUBLISH]["image"]
    return None if likeness.same_image(made_with, view.world.config.images.worker) else found.job


def lingering(view: View, status: StepStatus) -> Json | None:
    """The Job of a step that is over, if what somebody has added to its pod goes on."""
    found = view.find(status) if over(status) and status.job else None
    return found.job if found is not None and jobpods.lingers(found) else None


def due(view: View, status: StepStatus) -> bool:
    """Whether a step that waits may begin, as far as its own pause is concerned."""
    if status.phase != "Pending" or status.job:
        return False
    left = epoch(status.not_before) - view.now if status.not_before else 0.0
    if left > 0:
        view.look_again.append(left)
    return left <= 0


def advance(view: View, step: Step, status: StepStatus) -> StepStatus:
    """The step after a look at its running attempt."""
    if not busy(status):
        return status
    found = view.find(status)
    if not found.uid:
        return status  # recorded, and still to be made
    status = _with(status, job_uid=found.uid)
    if found.foreign and found.problem:
        return _settle(view, step, status, failures.Failure(found.problem.reason, found.problem.message, "cluster"))
    if found.pod is None:
        return _without_pod(view, step, status, found)
    said = jobpods.said(view.world, found, PUBLISH)
    if isinstance(said, jobpods.Reading):
        _later(view, said.look_again)
        why = said.waiting or failures.Waiting("", "")
        return _with(status, phase="Running", reason=why.reason, message=why.message)
    if isinstance(said, jobpods.Unreadable):
        return _recall(view, step, status, said)
    if said is not None and said.publish is not None:
        # what was committed counts, whatever becomes of the pod; its phase may follow later
        return _completed(view, _seen(status, found.pod), said.publish)
    if not jobpods.over(found):
        return _running(view, status, found)
    return _failed(view, step, _seen(status, found.pod), found)


def _failed(view: View, step: Step, status: StepStatus, found: jobpods.Found) -> StepStatus:
    program = None if is_recall(view, status) else STEP
    failed = found.failure(program)
    return _settle(view, step, status, _of_recall(view, status, failed))


def _without_pod(view: View, step: Step, status: StepStatus, found: jobpods.Found) -> StepStatus:
    job = found.job
    since = failures.ended_since(job, view.now)
    if since is not None and since < failures.LAG:
        _later(view, failures.LAG - since)
        return status
    if job is not None and failures.has_condition(job, "Complete"):
        return _recall(view, step, status)
    if failures.gone(job):
        text = "the attempt's Job or pod was deleted before its outcome was seen"
        lost = found.problem or failures.Waiting("Disrupted", text)
        return _settle(view, step, status, failures.Failure(lost.reason, lost.message, "cluster"))
    _later(view, found.look_again(view.now))
    return _waiting(status, found.problem or found.waiting(view.now), found.stage)


def _running(view: View, status: StepStatus, found: jobpods.Found) -> StepStatus:
    assert found.pod is not None
    _later(view, found.look_again(view.now))
    waiting = found.waiting(view.now)
    if waiting is None and failures.started(found.pod):
        strange = found.problem or failures.Waiting("", "")
        return _with(status, phase="Running", reason=strange.reason, message=strange.message)
    return _waiting(status, found.problem or waiting, found.stage)


def _waiting(status: StepStatus, found: failures.Waiting | None, stage: str) -> StepStatus:
    if found is None and status.reason == jobpods.UNREADABLE:
        return _with(status, phase="Pending")  # why the store is asked
    if found is None:
        return _with(status, phase="Pending", reason=STARTING, message=stage)
    return _with(status, phase="Pending", reason=found.reason, message=found.message)


def _recall(
    view: View, step: Step, status: StepStatus, unreadable: jobpods.Unreadable | None = None
) -> StepStatus:  # fmt: skip
    """The attempt succeeded, but its answer is lost: ask the store what it committed."""
    if is_recall(view, status) and unreadable is not None:
        return _settle(view, step, status, failures.Failure(jobpods.UNREADABLE, unreadable.message, "final"))
    if is_recall(view, status):
        lost = failures.Failure("Disrupted", "the attempt succeeded, but its answer was lost twice", "cluster")
        return _settle(view, step, status, lost)
    name = recall_name(view.name, view.uid, status.name, status.attempt)
    why = unreadable.message if unreadable else "its pod is gone"
    text = f"the attempt succeeded, but {why}; asking the store what it has committed"
    reason = jobpods.UNREADABLE if unreadable else "Recall"
    return _with(status, job=name, job_uid="", phase="Pending", reason=reason, message=text)


def _of_recall(view: View, status: StepStatus, failed: failures.Failure) -> failures.Failure:
    """A recall runs none of the user's code: that it fails is never the step's own fault."""
    if not is_recall(view, status) or failed.fault == "cluster":
        return failed
    return failures.Failure("Disrupted", f"what the attempt committed can't be read: {failed.message}", "cluster")


def _seen(status: StepStatus, pod: Json) -> StepStatus:
    """The image that ran; the log of a pod that is deleted can't say it any more."""
    image = failures.image_ran(pod, STEP)
    return _with(status, image=image[:512]) if image else status


def _completed(view: View, status: StepStatus, said: PublishResult) -> StepStatus:
    return _with(
        status, phase="Completed", reason="", message="", outputs=said.outputs, not_before=None,
        finished_at=rfc3339(view.now),
    )  # fmt: skip


def _settle(view: View, step: Step, status: StepStatus, failed: failures.Failure) -> StepStatus:
    """Count a failed attempt; try again, or give up."""
    mine, lost = failed.fault == "own", failed.fault == "cluster"
    status = _with(
        status, failures=status.failures + mine, disruptions=status.disruptions + lost,
        reason=failed.reason, message=failed.message,
    )  # fmt: skip
    if mine and status.failures <= step.retry.limit:
        return _again(view, status, min(LONGEST_BACKOFF, seconds(step.retry.backoff) * 2 ** (status.failures - 1)))
    if lost and status.disruptions <= DISRUPTIONS:
        return _again(view, status, min(LONGEST_PAUSE, 2.0**status.disruptions))
    return _with(status, phase="Failed", message=_final(view, status), finished_at=rfc3339(view.now))


def _again(view: View, status: StepStatus, pause: float) -> StepStatus:
    return _with(status, phase="Pending", job="", job_uid="", not_before=rfc3339(view.now + pause))


def _final(view: View, status: StepStatus) -> str:
    """The message of a step that is given up: what happened, how often, and where its log is."""
    where = f"log: kubectl logs -n {view.subject.meta.namespace} job/{status.job} -c {STEP}"
    tried = f" (attempt {status.attempt})" if status.attempt > 1 else ""
    room = MESSAGE - len(where) - len(tried) - 3
    return f"{status.message[:room]}{tried}; {where}"


def _later(view: View, after: float | None) -> None:
    if after is not None:
        view.look_again.append(after)


def _with(status: StepStatus, **changes: Any) -> StepStatus:
    if "message" in changes:
        changes["message"] = changes["message"][: MESSAGE + 80]
    return status.model_copy(update=changes)
