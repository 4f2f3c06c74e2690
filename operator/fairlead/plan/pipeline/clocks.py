"""The three clocks of an attempt: it waits for a node, it starts (images, volumes, inputs), its program runs.

Each has its own limit, so that a full cluster or a slow registry does not eat into a program's time. A pod's own
deadline (`activeDeadlineSeconds`) can't tell them apart, so it is only what stops a pod when no operator is there.
Whoever moves a pod (a queue that suspends its Job, say) stops the third clock, and starts the first one again.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from fairlead.api.pipeline import Step
from fairlead.api.pipelinerun import StepStatus
from fairlead.api.units import seconds
from fairlead.manifests.job import PUBLISH, STEP
from fairlead.plan.core import Json, epoch, rfc3339
from fairlead.plan.jobs import failures
from fairlead.plan.jobs.failures import Failure, Fault
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.pipeline.reading import SERVER_FAILED

Stage = Literal["Queued", "Starting", "Running"]
QUEUED, STARTED, DEADLINE = "QueueTimeout", "StartTimeout", "DeadlineExceeded"
FAULTS: dict[str, Fault] = {QUEUED: "final", STARTED: "cluster", DEADLINE: "own", SERVER_FAILED: "own"}
"""Whose fault it is. Another attempt would wait for the same nodes; it may start elsewhere; it spends `retry`, and so
does one whose model server ends again and again."""


class Late(NamedTuple):
    """The clock whose limit is reached, or will be."""

    reason: str
    message: str
    left: float
    """Seconds; not positive: it is reached."""


def stopping(status: StepStatus) -> bool:
    """Whether a limit was reached, and the attempt that has a Job is being stopped."""
    return bool(status.job) and status.phase in ("Pending", "Running") and status.reason in FAULTS


def failure(status: StepStatus) -> Failure:
    """What a stopped attempt has failed of."""
    return Failure(status.reason, status.message, FAULTS[status.reason])


def reset() -> dict[str, Any]:
    """The fields of a step whose next attempt begins."""
    return {"stage": None, "stage_at": None, "ran": 0}


def told(status: StepStatus, found: Found, now: float) -> StepStatus:
    """With the clock that runs, and since when."""
    stage = _stage(found)
    if stage == status.stage:
        return status
    since = _since(found, stage) if status.stage is None or stage != "Queued" else None
    changes = {"stage": stage, "stage_at": rfc3339(min(now, since) if since is not None else now)}
    return status.model_copy(update={**changes, "ran": ran(status, now)})


def ended(status: StepStatus, now: float) -> dict[str, Any]:
    """The fields of a step whose attempt has ended."""
    return {"stage": None, "stage_at": None, "ran": ran(status, now)}


def ran(status: StepStatus, now: float) -> int:
    """Seconds that the attempt's program has run, in all its pods."""
    if status.stage != "Running" or status.stage_at is None:
        return status.ran
    return status.ran + max(0, round(now - epoch(status.stage_at)))


def late(step: Step, status: StepStatus, found: Found, now: float) -> Late | None:
    """The limit of the clock that runs; None: there is none."""
    if status.stage is None or status.stage_at is None:
        return None
    passed = now - epoch(status.stage_at)
    why = _cause(found, now)
    if status.stage == "Queued":
        text = f"it waited longer for a node than queueTimeout allows, {step.queue_timeout}{why}"
        queued = Late(QUEUED, text, seconds(step.queue_timeout) - passed) if step.queue_timeout else None
        several = [one for one in (queued, _incomplete(step, found, now, why)) if one is not None]
        return min(several, key=lambda one: one.left, default=None)
    if status.stage == "Starting":
        text = f"its program did not start within startTimeout, {step.start_timeout}{why}"
        return Late(STARTED, text, seconds(step.start_timeout) - passed)
    stored = found.pod is not None and failures.terminated(found.pod, STEP)
    if stored and all(failures.terminated(pod, STEP) for _, pod in found.others):
        return None  # its outputs are stored
    text = f"the attempt ran longer than timeout allows, {step.timeout}; raise it or do less"
    return Late(DEADLINE, text, seconds(step.timeout) - status.ran - passed)


def _incomplete(step: Step, found: Found, now: float, why: str) -> Late | None:
    """Of pods that work together, some wait for nodes while others have theirs, and do nothing there."""
    placed = [_placed(pod) for _, pod in found.pods if pod["spec"].get("nodeName")]
    known = [one for one in placed if one is not None]
    if not known or found.count == 1:
        return None
    text = (f"{found.count - len(placed)} of its {found.count} workers had no node within startTimeout, "
            f"{step.start_timeout}, after the first one had{why}")  # fmt: skip
    return Late(STARTED, text, seconds(step.start_timeout) - (now - min(known)))


def _cause(found: Found, now: float) -> str:
    waiting = found.waiting(now)
    return f": {waiting.message}" if waiting else ""


def _stage(found: Found) -> Stage:
    pods = [pod for _, pod in found.pods]
    if len(pods) < found.count and _has_run(found):
        return "Running"
    if len(pods) < found.count or not all(pod["spec"].get("nodeName") for pod in pods):
        return "Queued"
    return "Running" if all(_begun(pod) is not None for pod in pods) else "Starting"


def _has_run(found: Found) -> bool:
    """Whether a pod of several has ended its work: all of them had begun then, and one that is gone was here."""
    return found.count > 1 and any(failures.ended(pod) for _, pod in found.pods)


def _begun(pod: Json) -> Json | None:
    """The state of the program's container once it has begun; of a pod without one, that of the one that answers."""
    for name, status in failures.statuses(pod):
        state = status.get("state") or {}
        found: Json | None = state.get("running", state.get("terminated"))
        if name in (STEP, PUBLISH) and found is not None:
            return found
    return None


def _since(found: Found, stage: Stage) -> float | None:
    """Since when, by what the cluster says; None: it does not."""
    pods = [pod for _, pod in found.pods]
    if stage == "Queued":
        first = pods[0] if pods else found.job or {"metadata": {}}
        at = first["metadata"].get("creationTimestamp")
        return epoch(at) if at else None
    if stage == "Starting":
        return max((at for pod in pods if (at := _placed(pod)) is not None), default=None)
    begun = ((_begun(pod) or {}).get("startedAt") for pod in pods)
    return max((epoch(at) for at in begun if at), default=None)


def _placed(pod: Json) -> float | None:
    """When it has come to its node, as far as that is told."""
    conditions = pod.get("status", {}).get("conditions") or ()
    placed = (c for c in conditions if c["type"] == "PodScheduled" and c["status"] == "True")
    at = next((c.get("lastTransitionTime") for c in placed), None)
    return epoch(at) if at else None
