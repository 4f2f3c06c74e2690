"""Whether a gateway can know of a version's pods: it learns of them by the EndpointSlices of the version's Service,
which come a little after the pods are ready. A share that is given before is answered by 503 in the meantime.

What remains is the gateway's own way from the slice to its proxies: nothing tells when that is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fairlead.plan.core import ENDPOINT_SLICE, LABEL_PREFIX, Json, epoch
from fairlead.plan.deployment.context import Look
from fairlead.plan.deployment.serving.pods import PodView, Problem

SERVICE_NAME = "kubernetes.io/service-name"
LATE = 30.0
"""Seconds after which it is said that slices do not come."""


def are_there(look: Look, version: str, ready: Iterable[PodView]) -> bool:
    """Whether slices of a version's Service have these pods as ready. Where the cluster does not show its slices, it is
    taken to be so: a rollback must not wait for what can't be seen."""
    wanted = {pod.uid for pod in ready}
    return not look.world.served(ENDPOINT_SLICE) or wanted <= _pods(look, version) or _are_hidden(look)


def _are_hidden(look: Look) -> bool:
    """Whether there are slices that don't show, or don't have the labels of their Service: what is live has long had a
    Service, and would have one."""
    live = look.subject.body.status.live
    if live is None or look.now < epoch(live.since) + LATE or not look.is_reachable(live.version):
        return False
    return not _slices(look, live.version)


def problem(look: Look, version: str, since: str, ready: Iterable[PodView]) -> Problem | None:
    """What people are told where slices do not come, though the pods have long been ready."""
    if look.now < epoch(since) + LATE or are_there(look, version, ready):
        return None
    return Problem(
        "NoEndpoints", f"the pods of {version} are ready, but no EndpointSlice of Service {look.child(version)} says "
        "so: does the controller manager run, and does the Service select them?",
    )  # fmt: skip


def _pods(look: Look, version: str) -> set[str]:
    """The uids of the pods that are ready by the slices."""
    found: set[str] = look.once(("endpoints", version), lambda: set(_ready(look, version)))
    return found


def _ready(look: Look, version: str) -> Iterator[str]:
    for made in _slices(look, version):
        yield from (uid for uid, ready in _of(made) if ready)


def _slices(look: Look, version: str) -> list[Json]:
    """Those of a version's Service."""
    labels = {f"{LABEL_PREFIX}deployment": look.name, f"{LABEL_PREFIX}version": version}
    found = look.world.select(ENDPOINT_SLICE, labels)
    return [made for made in found if made["metadata"]["labels"].get(SERVICE_NAME) == look.child(version)]


def _of(made: Json) -> Iterator[tuple[str, bool]]:
    """(uid of the pod, whether it is ready) of a slice's endpoints; one that does not say counts as ready."""
    for one in made.get("endpoints") or []:
        ready = (one.get("conditions") or {}).get("ready")
        yield str((one.get("targetRef") or {}).get("uid", "")), ready is not False


def heeded(made: Json) -> object:
    """What a plan goes by in a slice."""
    return made["metadata"].get("labels"), sorted(uid for uid, ready in _of(made) if ready)
