"""The pods of the live version while they are replaced: what they shall be has changed, say, what is recorded."""

from __future__ import annotations

from fairlead.plan.core import WORKLOAD
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving import pods, starting


def told(look: Look, live: str) -> tuple[bool, str, str] | None:
    """Whether that goes on, a reason, and what the new pods wait for; None if all pods are as they shall be."""
    if not _is_under_way(look, live):
        return None
    problem = pods.problem(look, live)
    words = f"{live} is live; its pods are being replaced, one after the other, by such as the spec wants now"
    if problem:
        return False, problem.reason, f"{words}, but the new ones can't start: {problem.message}"
    return True, "Replacing", f"{words}: {starting.told(look, live)}"


def _is_under_way(look: Look, live: str) -> bool:
    """By the workload's own count, once its controller has counted: pods are left that are not as they shall be. A
    number that is missing is 0."""
    workload = look.world.get(WORKLOAD, look.child(live)) or {}
    status = workload.get("status") or {}
    counted = "observedGeneration" in status
    return counted and int(status.get("replicas", 0)) > int(status.get("updatedReplicas", 0))
