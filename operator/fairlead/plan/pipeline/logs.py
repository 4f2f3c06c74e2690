"""The log of a step's program: kept in the store, beside the step's outputs, when the program has ended.

Nothing waits for it but what would lose it: the step's own next attempt, the end of a Job that is stopped, and the
clearing of the run; and these not for long. What has become of it is recorded, so it is asked for once more after a
crash, and kept once: its key has the attempt's number, and what lies there stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import ItemStatus, PipelineRun, StepLog, StepStatus
from fairlead.manifests.job import STEP
from fairlead.plan import store
from fairlead.plan.conditions import Conditions
from fairlead.plan.core import Context, Json, epoch
from fairlead.plan.jobs import failures
from fairlead.plan.requests import NOT_YET, Failed, KeepLog, LogKept

LIMIT = 1 << 20
"""Bytes of a log that are kept: its end."""
NAME = "log.txt"
"""In the folder of an attempt."""
OTHERS = 256 << 10
"""Bytes of the log of another worker than the first."""
ITEMS = "logs"
"""Folder of a step's, with one for each of its items by number."""
HOLD, STOP = 20.0, 3.0
"""Seconds that the next attempt waits for it, and a Job that is to be stopped."""
READING, STORING = 90.0, 600.0
"""Seconds after which it is given up: where the pod's node does not answer, and where the store doesn't."""
_FINAL = ("LogForbidden", "LogGone", "CredentialsForbidden", "CredentialsMissing", "AccessDenied", "BucketMissing")
_GONE = "the pod was gone before its log could be kept"


@dataclass(frozen=True)
class Look(Context[PipelineRun]):
    """One look at a run."""

    template: PipelineSpec | None = None
    """The run's, once it has started."""
    look_again: list[float] = field(default_factory=list)
    """Seconds after which something is to be done that no event announces."""


def name_of(index: int) -> str:
    """Of the log of a worker, in the folder of an attempt."""
    return f"log-{index}.txt" if index else NAME


def pending(status: StepStatus) -> bool:
    """Whether a log is still to be kept."""
    return status.log is not None and bool(status.log.pod or status.log.others)


def awaited(status: Json) -> bool:
    """Whether one of a run's logs is still to be kept. status: of the run, as JSON."""
    logs = [step.get("log") or {} for step in status.get("steps") or ()]
    return any(one.get("pod") or one.get("others") for one in logs)


def holds(view: Look, status: StepStatus, seconds: float) -> bool:
    """Whether something that would lose a log waits for it; at most so many seconds."""
    if status.log is None or not pending(status) or not status.log.since:
        return False
    left = epoch(status.log.since) + seconds - view.now
    if left > 0:
        view.look_again.append(min(left, _pause(seconds - left)))
    return left > 0


def requests(view: Look, status: StepStatus, pod: Json | None, stopping: bool) -> list[KeepLog]:
    """What is to be kept now. pod: of the running attempt, if there is one; stopping: it is about to be ended, and its
    log with it."""
    if status.log is not None and pending(status):
        attempt, pods = status.log.attempt, {"0": status.log.pod} | status.log.others
        return [_request(view, status, attempt, name, int(index)) for index, name in pods.items() if name]
    if (
        pod is None
        or not view.world.config.jobs.logs
        or _known(status)
        or not (_has_ended(pod) or (stopping and _has_begun(pod)))
    ):
        return []
    return [_request(view, status, status.attempt, pod["metadata"]["name"])]


def noted(
    view: Look, status: StepStatus, pod: Json | None, others: Iterable[tuple[int, Json]] = ()
) -> StepStatus:  # fmt: skip
    """The step, when what became of its attempt is recorded: with what became of its log, or that it is still to be
    kept. pod: None: it is gone; others: the pods of other workers than the first, by index."""
    if _known(status) or not view.world.config.jobs.logs:
        return status
    rest = {str(index): one["metadata"]["name"] for index, one in others if _has_begun(one)}
    if pod is None and not rest:
        begun = status.phase == "Running"
        return _with(status, StepLog(attempt=status.attempt, problem=_GONE)) if begun else status
    first = pod["metadata"]["name"] if pod is not None and _has_begun(pod) else ""
    if not first and not rest:
        return status
    problem = "" if first else _GONE if pod is None else "its program had not begun"
    log = StepLog(attempt=status.attempt, pod=first, others=rest, since=view.stamp, problem=problem)
    return followed(view, _with(status, log))


def followed(view: Look, status: StepStatus) -> StepStatus:
    """The step after a look at a log that is still to be kept."""
    status = _others(view, status)
    log = status.log
    if log is None or not log.pod:
        return status
    request = _request(view, status, log.attempt, log.pod)
    answer = view.world.answer(request)
    if isinstance(answer, LogKept):
        uri = f"s3://{request.bucket}/{request.key}"
        return _with(status, _without(log, uri=uri, bytes=answer.bytes, cut=answer.cut))
    assert isinstance(answer, Failed)
    if _given_up(view, log, answer):
        return _with(status, _without(log, problem=answer.message[:256] or answer.reason))
    return status


def _without(log: StepLog, **told: Any) -> StepLog:
    """A log that is not waited for any more."""
    since = log.since if log.others else None
    return log.model_copy(update={"pod": "", "since": since} | told)


def _given_up(view: Look, log: StepLog, answer: Failed) -> bool:
    """Whether a log that could not be kept will not be; else it is asked for again."""
    age = view.now - epoch(log.since or view.stamp)
    limit = READING if answer.reason == "LogUnreadable" or answer.reason in NOT_YET else STORING
    if answer.reason in _FINAL or age >= limit:
        return True
    view.look_again.append(min(_pause(age), limit - age))
    return False


def _others(view: Look, status: StepStatus) -> StepStatus:
    """With what became of the logs of other workers than the first. Of one that is not kept nothing is said but that:
    a run is not to be told in 64 ways that its node is gone."""
    log = status.log
    if log is None or not log.others:
        return status
    left, kept = dict(log.others), list(log.kept)
    for index, name in log.others.items():
        answer = view.world.answer(_request(view, status, log.attempt, name, int(index)))
        if isinstance(answer, LogKept):
            kept.append(int(index))
        if isinstance(answer, LogKept) or (isinstance(answer, Failed) and _given_up(view, log, answer)):
            del left[index]
    since = log.since if left or log.pod else None
    return _with(status, log.model_copy(update={"others": left, "kept": sorted(kept), "since": since}))


def tell(conditions: Conditions, steps: Iterable[StepStatus]) -> None:
    """The condition LogsKept, where one is not; of a run whose logs are all kept, or will be, it says nothing."""
    lost = [f"step {s.name}, attempt {s.log.attempt}: {s.log.problem}" for s in steps if s.log and s.log.problem]
    if lost:
        conditions.set("LogsKept", False, "NotKept", "; ".join(lost)[:1024])
    else:
        conditions.drop("LogsKept")


def _pause(age: float) -> float:
    """Seconds until the next look at a log that is being kept: it mostly is by then, or something is away."""
    return 0.5 if age < 2 else 5.0 if age < 30 else 30.0


def _known(status: StepStatus) -> bool:
    """Whether what becomes of the running attempt's log is recorded."""
    return status.log is not None and status.log.attempt == status.attempt


def _has_ended(pod: Json) -> bool:
    return failures.terminated(pod, STEP) is not None or (failures.ended(pod) and _has_begun(pod))


def _has_begun(pod: Json) -> bool:
    states = [status.get("state") or {} for name, status in failures.statuses(pod) if name == STEP]
    return any("running" in state or "terminated" in state for state in states)


def _request(view: Look, status: StepStatus, attempt: int, pod: str, index: int = 0) -> KeepLog:
    assert view.template is not None
    folder = store.step_folder(
        view.template.store, view.world.config, view.namespace, view.subject.body.spec.pipeline, view.uid, status.name
    )
    if isinstance(status, ItemStatus):
        folder = folder.folder(ITEMS, f"{status.item:05d}")
    folder = folder.folder(str(attempt))
    reach = folder.reach
    return KeepLog(
        view.namespace, folder.bucket, f"{folder.prefix}{name_of(index)}", reach.endpoint, reach.region,
        reach.credentials, pod, STEP, OTHERS if index else LIMIT,
    )  # fmt: skip


def _with(status: StepStatus, log: StepLog) -> StepStatus:
    return status.model_copy(update={"log": log})
