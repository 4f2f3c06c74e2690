"""The Jobs of all guards on labels of a Deployment, as its status wants them, and who wakes a Deployment for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.plan.core import JOB, Delete, Json
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.metrics import labels
from fairlead.plan.deployment.metrics.joining import Joining
from fairlead.plan.jobs import attempt
from fairlead.plan.requests import ReadDocument


def wanted(look: Look, status: DeploymentStatus) -> list[Json]:
    """Jobs that are recorded and not made yet."""
    found = []
    for joined in status.joins:
        guard = labels.guard_of(look, joined)
        if guard and joined.job and not joined.job.uid and not joined.job.not_before:
            found.append(labels.joining_of(look, guard, joined).manifest())
    return [one for one in found if one is not None]


def requests(look: Look, status: DeploymentStatus) -> list[ReadDocument]:
    """Answers of Jobs that have ended."""
    found: list[ReadDocument] = []
    for joined in status.joins:
        guard = labels.guard_of(look, joined)
        if guard and joined.job:
            found += attempt.requests(labels.joining_of(look, guard, joined))
    return found


def unwanted(look: Look, status: DeploymentStatus) -> list[Delete]:
    """Jobs whose answer is recorded, or is not wanted any more."""
    kept = {joined.job.name for joined in status.joins if joined.job and not joined.job.not_before}
    return attempt.leftovers(look.world.owned(JOB), Joining.label, kept)


def due(look: Look, status: DeploymentStatus) -> list[float]:
    """Seconds until something is due that no event announces."""
    times = (labels.due(look, joined) for joined in status.joins)
    return [one for one in times if one is not None]


def of_dataset(dataset: Json, deployments: Iterable[Json]) -> Iterator[str]:
    """Deployments with a guard on this Dataset's labels, or monitors that go by them."""
    name = dataset["metadata"]["name"]
    for deployment in deployments:
        guards = (deployment["spec"].get("rollout") or {}).get("guard") or []
        asking = [*guards, deployment["spec"].get("monitors") or {}]
        if any((one.get("labels") or {}).get("dataset") == name for one in asking):
            yield deployment["metadata"]["name"]
