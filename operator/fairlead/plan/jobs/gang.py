"""Pods that work together: which of their failures is the cause, and which only follow from it.

When one has failed, Kubernetes ends the others, and those that talked to it fail of that. A pod that the cluster has
ended, and one that ran out of memory, explain errors of the others; no error explains these. Of the rest the first one
counts. So news that come late may name another cause, as long as its `rank` is lower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from fairlead.api.tasks import TaskResult
from fairlead.plan.core import Json, epoch
from fairlead.plan.jobs import failures, jobpods, queue
from fairlead.plan.jobs.failures import Failure
from fairlead.plan.jobs.jobpods import Found

BY_CLUSTER, BY_MEMORY, BY_ITSELF, DELETED = range(4)
"""Ranks of causes: the lowest one explains the others."""
_NEVER = float("inf")


@dataclass(frozen=True)
class Cause:
    """Why the pods have failed."""

    failure: Failure
    """Its message names the index."""
    rank: int


Ask = Callable[[Found, TaskResult | None], Failure]
"""Why the pod `Found.pod` has failed (`attempt.Followed.failure`)."""


def failed(found: Found, ask: Ask) -> Cause | None:
    """The cause, once a pod has failed; None: none has."""
    mine = [(index, pod) for index, pod in found.pods if _has_failed(found, pod) and not _outlived(found, pod)]
    if not mine:
        return None
    going = [(index, pod) for index, pod in found.pods if _disrupted(pod) and not _outlived(found, pod)]
    causes = sorted(_causes(found, [*mine, *(one for one in going if one not in mine)], ask), key=lambda one: one[:3])
    rank, _, index, failure = causes[0]
    return Cause(replace(failure, message=found.of(index, failure.message)), rank)


def _causes(found: Found, pods: list[tuple[int, Json]], ask: Ask) -> Iterator[tuple[int, float, int, Failure]]:
    """(rank, when, index, failure) of each."""
    for index, pod in pods:
        failure = ask(replace(found, pod=pod), None)
        yield _rank(pod, failure), _when(pod), index, failure


def _rank(pod: Json, failure: Failure) -> int:
    if _disrupted(pod):
        return BY_CLUSTER
    if pod["metadata"].get("deletionTimestamp"):  # the Job ends the others when one has failed
        return DELETED
    if failure.reason == "OutOfMemory":
        return BY_MEMORY
    return BY_CLUSTER if failure.reason == "Disrupted" else BY_ITSELF


def _when(pod: Json) -> float:
    """When the first of its containers failed (epoch seconds); of one that was deleted, when that was asked."""
    if asked := pod["metadata"].get("deletionTimestamp"):
        return epoch(asked) - float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
    ends = (status.get("state", {}).get("terminated") or {} for _, status in failures.statuses(pod))
    return min((epoch(e["finishedAt"]) for e in ends if e.get("exitCode") and e.get("finishedAt")), default=_NEVER)


def _disrupted(pod: Json) -> bool:
    return failures.has_condition(pod, "DisruptionTarget")


def _has_failed(found: Found, pod: Json) -> bool:
    if not jobpods.ends(found, pod):
        return False
    if failures.ended(pod):
        return bool(pod["status"].get("phase") == "Failed")
    return bool((failures.terminated(pod, found.main) or {}).get("exitCode"))


def active(found: Found) -> list[int]:
    """Indices of pods that have not ended."""
    return [index for index, pod in found.pods if not jobpods.ends(found, pod)]


def suspended(found: Found) -> bool:
    """Whether a queue has ended its pods: the Job goes on with others, now or when it may."""
    return any(jobpods.ends(found, pod) and _outlived(found, pod) for _, pod in found.pods)


def _outlived(found: Found, pod: Json) -> bool:
    """Whether a pod was ended for a queue."""
    if found.job is None or not pod["metadata"].get("deletionTimestamp"):
        return False
    return found.queued is not None or (queue.outlives(found.job, pod) and not _failing(found.job))


def _failing(job: Json) -> bool:
    """Whether the Job ends its pods because one has failed."""
    return failures.has_condition(job, "FailureTarget", "Failed")
