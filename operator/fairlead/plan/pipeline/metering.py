"""How long a step's attempts have had GPUs: counted here, from when a pod is on a node until it is gone or has ended.

A Job tells no such thing: its clock starts anew when it is suspended, and its pods take their times with them. An open
interval is written down when it begins, and its length when it is over, so an operator that is killed loses none of it.

A pod whose removal nobody has seen is counted until its Job says that it has none any more; only where the Job tells
nothing, or is gone too, until the look that finds this out. So a count is never too low, and too high by what nobody
has kept: when a queue took a pod away, and gave another one, while no operator ran.
"""

from __future__ import annotations

from fairlead.api.pipeline import PipelineSpec
from fairlead.api.pipelinerun import GpuTime, StepStatus
from fairlead.plan.core import Json, epoch
from fairlead.plan.jobs import attempt, failures
from fairlead.plan.jobs.jobpods import Found
from fairlead.plan.pipeline import steps
from fairlead.plan.pipeline.types import registry as types

_APART = 1.0
"""Seconds between two pods' starts, at least: the API server tells whole ones."""

_ENDS = ("Complete", "Failed")
_GRACE = 30.0
"""Seconds a pod gets to end where its template says nothing: Kubernetes' own."""


def metered(view: steps.View, spec: PipelineSpec, before: StepStatus, after: StepStatus) -> StepStatus:
    """A step with what its attempt has used. before, after: it, before and after this look."""
    gpus = next(types.gpus(one) for one in spec.steps if one.name == after.name)
    if not gpus and before.gpu is None:
        return after
    running = steps.busy(before) and not steps.is_recall(view, before)
    found = attempt.find(steps.Attempt(view, before)) if running else None
    if any(types.workers(one) > 1 for one in spec.steps if one.name == after.name):
        return _together(view, before, after, gpus, found)
    pod, job = (found.pod, found.job) if found is not None else (None, None)
    over = steps.over(after) or after.job != before.job
    count, since, seconds = _count(before, gpus), before.gpu.since if before.gpu else None, 0.0
    if pod is not None and pod["spec"].get("nodeName"):
        begun = _begun(pod)
        if since and begun and epoch(begun) > epoch(since) + _APART:  # another one, in the place of one that is gone
            made = epoch(pod["metadata"].get("creationTimestamp") or begun)
            seconds, since = _between(since, _gone(since, job, min(made, view.now))), begun
        since = since or begun or view.stamp
        if over:
            seconds, since = seconds + _between(since, _ended(pod, view.now)), None
    elif since is not None:
        seconds, since = _between(since, _gone(since, job, view.now)), None
    used = after.gpu_seconds + round(seconds * count)
    held = GpuTime(since=since, count=f"{count:.4g}") if since is not None and not over else None
    return after.model_copy(update={"gpu_seconds": used, "gpu": held})


def _together(view: steps.View, before: StepStatus, after: StepStatus, gpus: float, found: Found | None) -> StepStatus:
    """Of pods that work together: each counts while it is on a node. What was counted is written down when there are
    more of them, or fewer. One that is gone was there until now, or until another one came in its place."""
    pods = [pod for _, pod in found.pods if pod["spec"].get("nodeName")] if found is not None else []
    placed = [(epoch(_begun(pod) or view.stamp), _ended(pod, view.now) if failures.ended(pod) else None)
              for pod in pods]  # fmt: skip
    held = before.gpu
    since = epoch(held.since) if held is not None else None
    had = round(float(held.count) / gpus) if held is not None and gpus else 0
    stays = [one for one in placed if since is not None and one[0] <= since + _APART]
    new = [one for one in placed if one not in stays]
    going = [one for one in placed if one[1] is None]
    over = steps.over(after) or after.job != before.job
    if held is not None and not over and not new and len(going) == had:
        return after.model_copy(update={"gpu": held})
    used = sum((view.now if end is None else end) - begun for begun, end in new)
    if since is not None:
        still = [one for one in stays if one[1] is None or one[1] > since]
        used += sum((view.now if end is None else end) - since for _, end in still)
        gone = max(0, had - len(still))
        used += gone * max(0.0, min((begun for begun, _ in new), default=view.now) - since)
    now = GpuTime(since=view.stamp, count=f"{gpus * len(going):.4g}") if going and not over else None
    return after.model_copy(update={"gpu_seconds": after.gpu_seconds + round(max(0.0, used) * gpus), "gpu": now})


def _count(before: StepStatus, gpus: float) -> float:
    return float(before.gpu.count) if before.gpu else gpus


def _begun(pod: Json) -> str | None:
    """When it has come to its node, as far as that is told."""
    said = (one for one in pod.get("status", {}).get("conditions") or () if one.get("type") == "PodScheduled")
    times = (one.get("lastTransitionTime") for one in said if one.get("status") == "True")
    found = next(times, None) or pod.get("status", {}).get("startTime")
    return str(found) if found else None


def _ended(pod: Json, now: float) -> float:
    """When it has let its GPUs go: the scheduler gives them to others when all of its containers have stopped."""
    if not failures.ended(pod):
        return now
    states = (status.get("state", {}).get("terminated") or {} for _, status in failures.statuses(pod))
    return max((epoch(one["finishedAt"]) for one in states if one.get("finishedAt")), default=now)


def _gone(since: str, job: Json | None, latest: float) -> float:
    """When a pod that nobody sees any more was gone at the latest. A Job counts its pod as failed when that has ended,
    and says so; suspended by a queue, it deletes it, which takes no longer than the pod's grace."""
    if job is None:
        return latest
    grace = float(job["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", _GRACE))
    ends = [latest]
    for one in job.get("status", {}).get("conditions") or ():
        at = epoch(one["lastTransitionTime"]) if one.get("lastTransitionTime") else latest
        if one["type"] in _ENDS and one["status"] == "True":
            ends.append(at)
        elif one["type"] == "Suspended" and at >= epoch(since):  # also where it has been let go on: that was before
            ends.append(at + grace)
    return min(ends)


def _between(since: str, until: float) -> float:
    return max(0.0, until - epoch(since))
