"""An attempt whose pods work together (`workers`): how it ends.

It has failed when one of them has. Kubernetes ends the others then, and pods that are gone can't say any more why; so
the cause is written down when it is seen, and the attempt is settled when all of them have ended: no other one begins
beside it. When index 0 has committed, the others may end their work, as long as `timeout` allows.
"""

from __future__ import annotations

from typing import Any

from fairlead.api.pipeline import Step
from fairlead.api.pipelinerun import StepStatus, WorkerFailure
from fairlead.api.units import seconds
from fairlead.plan.core import Json
from fairlead.plan.jobs import failures, gang, jobpods
from fairlead.plan.jobs.failures import Failure
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.pipeline import clocks

STOPPING, ENDING = "WorkersStopping", "WorkersEnding"
"""Reasons of a step: one of its workers has failed, and the others have not ended; its outputs are committed, and some
workers have not ended."""


def failing(status: StepStatus, cause: gang.Cause) -> StepStatus:
    """With the cause written down, if it explains what is known so far."""
    known = status.failing
    if known is not None and known.rank <= cause.rank:
        return status
    failure = cause.failure
    return status.model_copy(update={
        "failing": WorkerFailure(
            reason=failure.reason, message=failure.message[:512], fault=failure.fault, rank=cause.rank
        ),
    })  # fmt: skip


def stopping(status: StepStatus, found: Found, now: float) -> StepStatus:
    """With what is waited for, when it has failed."""
    assert status.failing is not None
    lost = found.waiting(now) if found.job is not None else None
    held = f"; {lost.message}" if lost is not None and lost.reason == "NodeLost" else ""
    text = f"{status.failing.message}; the other workers are being stopped{held}"
    return _with(status, phase="Running", reason=STOPPING, message=text[:400])


def cause(status: StepStatus) -> Failure:
    """What the attempt has failed of."""
    known = status.failing
    assert known is not None
    fault: Any = known.fault
    return Failure(known.reason, known.message, fault)


def goes_on(found: Found, pods: list[Json]) -> bool:
    """Whether something of a failed attempt has not ended. pods: that claim to be its Job's."""
    ended = found.job is None or failures.gone(found.job)
    return not ended or any(not failures.ended(pod) for pod in pods)


def held(found: Found) -> bool:
    """Whether a failed attempt goes on by what somebody has added to its pods: Kubernetes does not know that it has."""
    return any(jobpods.ends(found, pod) and not failures.ended(pod) for _, pod in found.pods)


def left(step: Step, status: StepStatus, found: Found, now: float) -> float:
    """Seconds that workers may still take when index 0 has committed; 0: none does, or they had all the time."""
    if found.count == 1 or found.job is None or failures.gone(found.job):
        return 0.0
    going = any(gang.active(found))  # index 0 has ended
    return max(0.0, seconds(step.timeout) - clocks.ran(status, now)) if going else 0.0


def ending(status: StepStatus, found: Found) -> StepStatus:
    """With what is waited for, when index 0 has committed."""
    indices = ", ".join(str(index) for index in gang.active(found) if index)
    text = f"the outputs are committed; worker {indices} has not ended, and may go on until timeout"
    return _with(status, phase="Running", reason=ENDING, message=text[:400])


def _with(status: StepStatus, **changes: Any) -> StepStatus:
    return status.model_copy(update=changes)
