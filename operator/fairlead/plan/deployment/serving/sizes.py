"""How many pods each version has. Where somebody scales, a HorizontalPodAutoscaler of Fairlead's or of somebody else's:

One number, one writer: whoever scales writes `spec.replicas.count` (by the subresource `scale`), how many pods all
requests need. What each version has of them is decided here, and Fairlead alone writes it to the workloads.

- What is measured are the pods of the version that gets most of the requests (`primary`). A candidate that gets fewer
  is sized by the ratio of the weights.
- A candidate has what its next step needs before it is in that step, and before it is promoted as many pods as the live
  version has had.
- The live version, and any other that may have to take all requests at once, has as many as all requests need. While
  what is measured may be from before the last change of the shares, it has as many as before (`scaling`).
"""

from __future__ import annotations

from math import ceil

from fairlead.api.candidate import Candidate
from fairlead.api.deployment import CanaryStep
from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.api.replicas import MOST
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving import endpoints, pods
from fairlead.plan.deployment.serving.pods import Problem

STARTING = "PodsStarting"
HALF = 50
"""From this weight on the candidate gets most of the requests."""


def whole(look: Look, status: DeploymentStatus) -> int:
    """Pods that a version needs which gets all requests, or may have to. What is measured may be of its share alone;
    no more than there were follows from that."""
    wanted, kept = look.spec.replicas, status.scaling
    if kept is None or not wanted.is_scaled:
        return wanted.asked
    most = max(wanted.asked, min(kept.whole, wanted.max or MOST))
    return most if kept.until else min(most, ceil(wanted.asked * 100 / kept.share))


def pods_of(look: Look, status: DeploymentStatus, version: str) -> int:
    """Pods that a version's workload shall have."""
    candidate, most = status.candidate, whole(look, status)
    if not look.spec.replicas.is_scaled or candidate is None or candidate.version != version:
        return most
    return min(candidate.pods or most, most)


def needed(look: Look, version: str) -> int:
    """Ready pods without which a version does not get its first requests. To go back, as many as answer now are enough:
    where they are too few already, more of them may not find a place."""
    status = look.subject.body.status
    if not look.spec.replicas.is_scaled or look.side_by_side:
        return whole(look, status)
    if status.way_back and status.way_back.version == version:
        answer = sum(pod.ready for pod in pods.of(look, status.way_back.leaves))
        return max(look.spec.replicas.min, min(answer, whole(look, status)))
    candidate = status.candidate
    return part(look, status, candidate, 0) if candidate and candidate.version == version else whole(look, status)


def in_the_way(look: Look, candidate: Candidate, step: int) -> Problem | None:
    """Why a candidate can't be in a step yet, or behind the last one be live: it would be cold."""
    if not look.spec.replicas.is_scaled or look.side_by_side:
        return None
    wanted = part(look, look.subject.body.status, candidate, step)
    ready = [pod for pod in pods.of(look, candidate.version) if pod.ready]
    if len(ready) >= wanted and endpoints.are_there(look, candidate.version, ready):
        return None
    cause = pods.problem(look, candidate.version)
    what = f"step {step + 1}" if step < len(look.spec.rollout.steps) else "all requests"
    words = f"{len(ready)} of the {wanted} pods that {candidate.version} needs for {what} are ready"
    return Problem(cause.reason if cause else STARTING, words + (f": {cause.message}" if cause else ""))


def part(look: Look, status: DeploymentStatus, candidate: Candidate, step: int) -> int:
    """Pods that a candidate needs in a step; behind the last one, and where nothing is live, those of all requests."""
    most, steps = whole(look, status), look.spec.rollout.steps
    if not candidate.against or step >= len(steps):
        return most
    return min(most, max(look.spec.replicas.min, ceil(most * _percent(steps[step]) / 100)))


def measured(look: Look, candidate: Candidate) -> int:
    """Pods that the candidate's present share needs, by what is measured of the version that gets most."""
    asked, weight = look.spec.replicas.asked, candidate.weight
    return asked if weight >= HALF else ceil(asked * weight / (100 - weight))


def _percent(step: CanaryStep) -> float:
    return step.weight or float((step.shadow or "0%").rstrip("%"))


def primary(status: DeploymentStatus) -> str:
    """The version that gets most of the requests: whoever scales measures its pods, so they say most of the load."""
    candidate, live = status.candidate, status.live
    if candidate and (live is None or candidate.weight >= HALF):
        return candidate.version
    return live.version if live else ""


def labels_of(look: Look, status: DeploymentStatus) -> str:
    """The labels of the pods that are measured, as a selector; empty while there are none."""
    version = primary(status)
    return ",".join(f"{key}={value}" for key, value in sorted(pods.selector(look, version).items())) if version else ""
