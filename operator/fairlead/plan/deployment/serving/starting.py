"""What the pods of a version that starts are waiting for, in a sentence, from the first look on."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.manifests.server import FETCH, SERVER
from fairlead.plan.deployment import phase
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving import gate, pods
from fairlead.plan.deployment.serving.pods import PodView
from fairlead.plan.jobs import failures, podstages, serverlog
from fairlead.plan.requests import AskReady


def requests(look: Look, status: DeploymentStatus) -> list[AskReady]:
    """What servers that start, or start again, are asked, so that people see what they answer."""
    return [one for name in _versions(status) for one in pods.asks(look, name)]


def _versions(status: DeploymentStatus) -> Iterable[str]:
    if status.candidate:
        yield status.candidate.version
    yield from (one.version for one in phase.arms(status))
    if status.way_back:
        yield status.way_back.version
    if status.live:
        yield status.live.version


def told(look: Look, version: str) -> str:
    """What is waited for."""
    mine = pods.of(look, version)
    if not mine:
        return "they are being made"
    cold = next((pod for pod in mine if not pod.ready), None)
    return _of(look, cold) if cold else "they are ready, and get a request to warm up"


def _of(look: Look, pod: PodView) -> str:
    stage = podstages.told(pod.raw)
    if stage:
        return stage
    if failures.terminated(pod.raw, FETCH) is None and _runs(pod, FETCH):
        return "the model is fetched, and its digest is compared"
    probe = serverlog.probe(pod.raw, SERVER)
    if not _runs(pod, SERVER):
        return podstages.coming(pod.raw) or "the server starts"
    if probe is None or _started(pod):
        return "the server has started, and is asked whether it is ready"
    if gate.is_asked(pod.raw) and pods.can_answer(look, pod):
        return "the server can answer, and is asked for golden rows"
    seen = pods.answers(look, pod)
    asked = f"{probe.asked} {seen}" if seen else f"nothing answers {probe.asked} yet"
    return f"the server loads its model: {asked}; it may take {probe.tries} s (spec.server.timeout)"


def _runs(pod: PodView, container: str) -> bool:
    return any(name == container and "running" in (one.get("state") or {}) for name, one in failures.statuses(pod.raw))


def _started(pod: PodView) -> bool:
    return any(name == SERVER and bool(one.get("started")) for name, one in failures.statuses(pod.raw))
