"""Decisions and their effect. Who gets the requests is what the route in the cluster says: until it says what was
decided, nobody is told that it is so."""

from __future__ import annotations

from fairlead.api.deploymentstatus import DeploymentStatus
from fairlead.manifests import route
from fairlead.plan.deployment import children, phase
from fairlead.plan.deployment.context import Look

TAKEN_BACK = ("RolledBack", "Failed")
"""Results of rollouts after which the version before answers."""
Standing = tuple[bool, str, str]
"""The condition Progressing: (value, reason, message)."""


def late(look: Look, status: DeploymentStatus) -> str:
    """How the route differs from what was decided, in words; empty where it does not, or where nobody asks."""
    if status.live is None or status.claimed is None or not look.world.served(look.route_kind):
        return ""
    if not look.route:
        return "there is no route yet"
    wanted = children.decided(look, status)
    shares: dict[str, int] = {}
    for backend, weight in wanted.shared:
        shares[backend.service] = shares.get(backend.service, 0) + weight
    seen = route.weights(look.route)
    if seen != shares:
        return "the route gives " + (_given(look, status, seen) or "nobody any requests")
    named = {backend.service for backend in (*wanted.named, *(one for one, _ in wanted.shared))}
    named |= {wanted.copy.backend.service} if wanted.copy else set()
    more = route.services(look.route) - named
    names = _names(look, status)
    return f"the route still names {', '.join(sorted(names.get(one, one) for one in more))}" if more else ""


def is_served(look: Look, version: str) -> bool:
    """Whether requests reach a version by the route in the cluster."""
    return not look.world.served(look.route_kind) or look.child(version) in route.weights(look.route)


def told(status: DeploymentStatus, standing: Standing, missing: str) -> Standing:
    """Where things stand, with the route's word. missing: see `late`."""
    if not missing:
        return standing
    value, reason, message = standing
    if on_its_way(status):
        return value, "Turning" if reason in ("Observing", "Experiment") else reason, f"{message}; so far {missing}"
    assert status.live
    last = status.history[0] if status.history else None
    if last and last.result in TAKEN_BACK:
        return True, "TakingBack", f"{last.version} is being taken back, so far {missing}. {last.message}"
    return True, "TakingOver", f"{status.live.version} is to answer all requests, so far {missing}"


def on_its_way(status: DeploymentStatus) -> bool:
    """Whether something more is to come than that the route is turned."""
    asked = status.watch is not None and status.watch.confirmation is not None
    return bool(status.way_back or status.candidate or phase.running(status) or asked)


def _given(look: Look, status: DeploymentStatus, seen: dict[str, int]) -> str:
    names = _names(look, status)
    return ", ".join(sorted(f"{names.get(service, service)} {share} %" for service, share in seen.items()))


def _names(look: Look, status: DeploymentStatus) -> dict[str, str]:
    """Versions by their Services."""
    known = {one.version for one in status.retiring} | {one.version for one in status.history}
    known |= {one.version for one in phase.arms(status)} | set(status.refused)
    known |= {status.live.version} if status.live else set()
    known |= {status.candidate.version} if status.candidate else set()
    known |= {status.watch.against} if status.watch else set()
    return {look.child(version): version for version in known}
